//! Lower bounds of when an operator's result comes, from when its inputs come: [`netfold_ir::hw::bound`], module by module.
//!
//! A matrix-vector unit with early beats is taken as one of free order: how many beats are early is settled once its neighbours are
//! known (`order`).

use crate::lower::Fragment;
use netfold_ir::diag::Diag;
use netfold_ir::hw::bound::{self, Lags, Order, Rest};
use netfold_ir::hw::{Kind, ModuleId};
use std::collections::HashMap;

pub(super) use netfold_ir::hw::bound::{Lag, NEVER, Span};

/// A module of the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    /// Where its inputs come from: inputs of the operator first, then earlier steps.
    from: Vec<usize>,
    lags: Lags,
}

/// The bound of an operator.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct NodeTime {
    inputs: usize,
    steps: Vec<Step>,
    /// Least cycles from the last beat of each input to the last result, with the work on everything that waits for it.
    closing: Vec<i64>,
}

impl NodeTime {
    /// Of an operator that takes no time.
    pub fn through() -> NodeTime {
        NodeTime { inputs: 1, steps: Vec::new(), closing: vec![0] }
    }

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
        // Of every tensor by input: the first beat that waits for the input's last one, and cycles to the tensor's last beat.
        let inputs = fragment.inputs;
        let last = Some((Rest { beats: 1, cycles: 0 }, 0));
        let mut waiting: Vec<Vec<Option<(Rest, i64)>>> =
            (0..inputs).map(|i| (0..inputs).map(|port| last.filter(|_| i == port)).collect()).collect();
        for m in rest {
            let from: Vec<usize> = design.inputs_of(m).iter().map(|(f, _)| slots[f]).collect();
            let free = matches!(&design.module(m).kind, Kind::Mvu(u) if u.early > 0);
            let order = if free { Order::Free } else { Order::Given };
            let depth = bound::depth_of(design, m);
            let closing = |input: usize| -> Option<(Rest, i64)> {
                let through = from.iter().enumerate().filter_map(|(port, from)| {
                    let (first, end) = waiting[*from][input]?;
                    let last = Rest { beats: 1, cycles: end };
                    let by_last = bound::waiting(design, m, order, port, last, depth);
                    let by_first = bound::waiting(design, m, order, port, first, depth).or(by_last)?;
                    Some((by_first.0, by_first.1.max(by_last.map_or(NEVER, |l| l.1))))
                });
                through.reduce(|a, b| (if b.0.beats > a.0.beats { b.0 } else { a.0 }, a.1.max(b.1)))
            };
            waiting.push((0..inputs).map(closing).collect());
            let lags = Lags::with(design, m, order, depth);
            steps.push(Step { from, lags });
            slots.insert(m, slots.len());
        }
        let closing = (0..inputs).map(|i| waiting.last().and_then(|w| w[i]).map_or(NEVER, |(_, end)| end)).collect();
        Ok(NodeTime { inputs, steps, closing })
    }

    /// When the result comes, given when the inputs come.
    pub fn after(&self, inputs: &[Span]) -> Span {
        let mut spans: Vec<Span> = inputs.to_vec();
        for step in &self.steps {
            let span = step.lags.after(step.from.iter().map(|from| spans[*from]));
            spans.push(span);
        }
        spans.last().copied().unwrap_or((0, 0))
    }

    /// Least cycles from the beats of input `port` to the result's.
    pub fn lag(&self, port: usize) -> Lag {
        // Of every tensor: cycles from the port's first and last beat to its first, and to its last.
        let mut all: Vec<[Span; 2]> =
            (0..self.inputs).map(|i| if i == port { [(0, NEVER), (NEVER, 0)] } else { [(NEVER, NEVER); 2] }).collect();
        for step in &self.steps {
            let mut result = [(NEVER, NEVER); 2];
            for (p, from) in step.from.iter().enumerate() {
                let lag = &step.lags.ports[p.min(1)];
                let [first, last] = all[*from];
                for (r, (a, b)) in
                    result.iter_mut().zip([(lag.first_first, lag.last_first), (lag.first_last, lag.last_last)])
                {
                    let through = |x: i64, y: i64| (x + a).max(y + b).max(NEVER);
                    *r = (r.0.max(through(first.0, last.0)), r.1.max(through(first.1, last.1)));
                }
            }
            all.push(result);
        }
        let [first, last] = all.last().copied().unwrap_or([(NEVER, NEVER); 2]);
        let sure = |v: i64| if v > NEVER / 2 { v } else { NEVER };
        let last_last = last.1.max(self.closing.get(port).copied().unwrap_or(NEVER));
        Lag {
            first_first: sure(first.0),
            last_first: sure(first.1),
            first_last: sure(last.0),
            last_last: sure(last_last),
        }
    }
}
