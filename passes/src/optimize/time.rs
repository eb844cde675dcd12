//! Lower bounds of when an operator's result comes, from when its inputs come.
//!
//! Of a stream only the cycles are known in which its first and its last beat can be taken. A module that takes the first beat
//! of a port in firing `i0` and the last in firing `i1`, and gives its first result in firing `g0` and its last in `g1`, gives
//! them no sooner than the firings in between take: at one firing a cycle the last result follows the port's last beat by
//! `g1 - i1` cycles and its first one by `g1 - i0`. The bounds leave stalls out; [`netfold_ir::hw::timing`] does not.

use crate::lower::Fragment;
use netfold_ir::diag::Diag;
use netfold_ir::hw::{Design, Kind, ModuleId, Stream};
use std::collections::HashMap;

/// Cycles in which the first and the last beat of a stream can be taken, at the earliest.
pub(super) type Span = (i64, i64);

/// Earlier than everything, and safe to add to.
pub(super) const NEVER: i64 = -(1 << 50);

/// Firings in which a module takes and gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moves {
    /// First and last firing that takes, a pair a port.
    take: [(i64, i64); 2],
    /// First and last firing that gives.
    give: (i64, i64),
    /// From a firing that gives to the cycle in which the beat can be taken.
    lag: i64,
}

/// A module of the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    /// Where its inputs come from: inputs of the operator first, then earlier steps.
    from: Vec<usize>,
    moves: Moves,
}

/// The bound of an operator.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct NodeTime {
    inputs: usize,
    steps: Vec<Step>,
}

impl NodeTime {
    /// Of a lowered operator.
    pub fn of(fragment: &Fragment) -> Result<NodeTime, Diag> {
        let design = &fragment.design;
        let mut slots: HashMap<ModuleId, usize> = HashMap::new();
        let (first, rest): (Vec<_>, Vec<_>) = {
            let order = design.modules();
            let stand_ins: Vec<ModuleId> = order[..fragment.inputs].to_vec();
            let rest = design.topological()?.into_iter().filter(|m| !stand_ins.contains(m)).collect();
            (stand_ins, rest)
        };
        for m in first {
            slots.insert(m, slots.len());
        }
        let mut steps = Vec::with_capacity(rest.len());
        for m in rest {
            let from = design.inputs_of(m).iter().map(|(f, _)| slots[f]).collect();
            steps.push(Step { from, moves: moves(design, m) });
            slots.insert(m, slots.len());
        }
        Ok(NodeTime { inputs: fragment.inputs, steps })
    }

    /// When the result comes, given when the inputs come.
    pub fn after(&self, inputs: &[Span]) -> Span {
        let mut spans: Vec<Span> = inputs.to_vec();
        for step in &self.steps {
            let m = &step.moves;
            let (mut first, mut last) = (m.give.0, m.give.1);
            for (port, from) in step.from.iter().enumerate() {
                let (begin, end) = spans[*from];
                let (i0, i1) = m.take[port.min(1)];
                if m.give.0 >= i0 {
                    first = first.max(begin + m.give.0 - i0);
                }
                if m.give.0 >= i1 {
                    first = first.max(end + m.give.0 - i1);
                }
                last = last.max(begin + m.give.1 - i0);
                if m.give.1 >= i1 {
                    last = last.max(end + m.give.1 - i1);
                }
            }
            spans.push((first + m.lag, last + m.lag));
        }
        spans.last().copied().unwrap_or((0, 0))
    }

    /// Cycles from the last beat of input `port` to the last beat of the result, at least; [`NEVER`] when nothing can be said.
    pub fn tail(&self, port: usize) -> i64 {
        let mut tails: Vec<i64> = (0..self.inputs).map(|i| if i == port { 0 } else { NEVER }).collect();
        for step in &self.steps {
            let m = &step.moves;
            let mut tail = NEVER;
            for (p, from) in step.from.iter().enumerate() {
                let (_, i1) = m.take[p.min(1)];
                if tails[*from] > NEVER / 2 && m.give.1 >= i1 {
                    tail = tail.max(tails[*from] + m.give.1 - i1 + m.lag);
                }
            }
            tails.push(tail);
        }
        tails.last().copied().unwrap_or(0)
    }
}

/// When a module takes and gives within a frame.
fn moves(design: &Design, id: ModuleId) -> Moves {
    let module = design.module(id);
    let n = module.kind.firings() as i64;
    let shallow = Stream { depth: 1, ..crate::lower::open_stream(netfold_ir::quant::IntType::new(false, 1), 1) };
    let lag = (module.latency() + shallow.read_latency()) as i64;
    let all = (0, n - 1);
    let (take, give) = match &module.kind {
        Kind::Mvu(m) => {
            let (nf, sf) = (m.neuron_fold() as i64, m.synapse_fold() as i64);
            ([(0, (m.vectors as i64 - 1) * nf * sf + sf - 1); 2], (sf - 1, n - 1))
        }
        Kind::Vvu(v) => ([all; 2], ((v.weights.cols / v.simd) as i64 - 1, n - 1)),
        Kind::Swu(s) => {
            let row = (s.output[0] - 1) * s.window.stride[0];
            let column = (s.output[1] - 1) * s.window.stride[1];
            let last = (row * s.size[1] + column + 1) * (s.channels / s.lanes) - 1;
            ([all; 2], (s.fill() as i64, (s.fill() + last) as i64))
        }
        Kind::Reorder { .. } => ([all; 2], (n, 2 * n - 1)),
        kind => {
            let gives = |i: i64| kind.step(i as usize).give != 0;
            let takes = |i: i64, port: usize| kind.step(i as usize).take >> port & 1 == 1;
            let ports = kind.input_lanes().len();
            let port = |p: usize| {
                let first = (0..n).find(|i| takes(*i, p)).unwrap_or(0);
                (first, (0..n).rev().find(|i| takes(*i, p)).unwrap_or(0))
            };
            // Of several inputs beyond the first, the weakest statement holds for all.
            let take = match ports {
                0 => [(0, 0); 2],
                1 => [port(0); 2],
                _ => {
                    let others: Vec<_> = (1..ports).map(port).collect();
                    let first = others.iter().map(|t| t.0).max().unwrap_or(0);
                    [port(0), (first, others.iter().map(|t| t.1).max().unwrap_or(0))]
                }
            };
            (take, ((0..n).find(|i| gives(*i)).unwrap_or(0), (0..n).rev().find(|i| gives(*i)).unwrap_or(0)))
        }
    };
    Moves { take, give, lag }
}
