//! Programs of the unrolled style among the choices of operators.
//!
//! A program of a chain of operators is chosen at the first of them, which has its whole price. The tensors between them then have no
//! width but the program's mark, which only [`Choice::Inside`] takes.

use super::choice::{Candidate, Choice};
use super::cost::{ModuleSpec, Resources};
use super::space::{Priced, Pricer};
use super::time::{self, BEFORE};
use crate::unroll::Unrolled;
use netfold_ir::graph::NodeId;
use netfold_ir::hw::Kind;
use netfold_ir::int::IntNetwork;
use netfold_ir::quant::IntType;
use std::collections::HashMap;
use std::sync::Arc;

/// What marks a tensor inside of a program, in place of its elements a beat; the program's number is below it.
const INSIDE: usize = 1 << (usize::BITS - 1);

/// Programs on offer, each of a chain of operators ([`Unrolled::is_chain`]).
#[derive(Clone, Copy, Default)]
pub(super) struct Programs<'a> {
    pub list: &'a [Arc<Unrolled>],
    /// Whether their operators have no other choice.
    pub only: bool,
}

impl Programs<'_> {
    /// What stands for the width of the first operator's result.
    pub fn first_lanes(&self, program: u32, lanes: usize) -> usize {
        if self.list[program as usize].nodes().len() > 1 { INSIDE | program as usize } else { lanes }
    }
}

impl Programs<'_> {
    /// An operator within the program that its input is in.
    pub fn inside(&self, net: &IntNetwork, timed: bool, id: NodeId, input: usize) -> Priced {
        let program = &self.list[input & !INSIDE];
        let last = program.nodes().last() == Some(&id);
        let lanes = if last { net.graph.node(id).elements() / program.program.beats } else { input };
        let lags = if timed { vec![time::through()] } else { Vec::new() };
        Priced {
            lanes,
            used: Resources::default().array(),
            area: 0,
            work: 0,
            alone: BEFORE,
            lags,
            setting: (id, Choice::Inside, vec![input]),
        }
    }
}

/// Whether an operator takes its inputs at these widths with this choice.
pub(super) fn matches(choice: Choice, lanes: &[usize]) -> bool {
    lanes.iter().any(|l| l & INSIDE != 0) == (choice == Choice::Inside)
}

/// Adds the programs that meet the interval to the choices.
pub(super) fn offer(pricer: &Pricer<'_>, candidates: &mut HashMap<NodeId, Vec<Candidate>>) {
    let Programs { list, only } = pricer.programs;
    if only {
        for id in list.iter().flat_map(|u| u.nodes()) {
            candidates.insert(*id, Vec::new());
        }
    }
    for (number, unrolled) in (0u32..).zip(list) {
        let p = &unrolled.program;
        let cycles = (p.beats * p.interval) as u64;
        let [first, behind @ ..] = unrolled.nodes() else { continue };
        if cycles > pricer.interval() {
            continue;
        }
        let ty = |id: &NodeId| pricer.net.graph.node(*id).ty();
        let from = pricer.net.graph.inputs(*first);
        let inputs: Vec<IntType> = from.iter().map(ty).collect();
        let outputs = [ty(behind.last().unwrap_or(first))];
        let kind = Kind::Program(p.clone());
        let used = pricer.model.module(&ModuleSpec { kind: &kind, inputs: &inputs, outputs: &outputs, weights: None });
        let choice = Choice::Program(number);
        candidates.entry(*first).or_default().push(Candidate { choice, used, tail: 0, cycles });
        for id in behind {
            let list = candidates.entry(*id).or_default();
            if list.iter().all(|c| c.choice != Choice::Inside) {
                list.push(Candidate::free(Choice::Inside));
            }
        }
    }
}
