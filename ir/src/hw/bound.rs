//! When the first and the last beat of every stream can come, at the earliest: lower bounds of latency.
//!
//! Of a stream two cycles are known, those in which its first and its last beat of a frame can be taken ([`Span`]). A module fires
//! once a cycle at most, so when it takes the first beat of a port in firing `i0` and the last in firing `i1`, and gives its
//! first result in firing `g0` and its last in firing `g1`, then its last result comes no sooner than `g1 - i0` cycles after the
//! port's first beat and `g1 - i1` cycles after its last one, plus its pipeline depth; likewise its first result. What
//! modules wait for each other beyond that is left out; [`super::timing`] is exact.
//!
//! Of any other beat of an input it is known how many firings lie between it and a result ([`between`]), and which results wait for it
//! ([`first_waiting`]): behind a window unit's last beats these are the windows of more than a row, and all of the work on them is left
//! when they come.
//!
//! [`Order::Free`] holds for matrix-vector units in whatever order they work ([`super::Mvu::early`]), at a folding of `NF` row groups
//! of `SF` beats: the first result needs `SF` firings and, with one vector a frame, the vector's last beat; the last result needs
//! all `NF * SF` firings and, after the last beat, one with every row group.
//!
//! Spans add up along a path, which searches need; [`super::timing::least_latency`] follows every beat and is the tighter bound of a
//! whole design. Where dense layers follow each other both say that the work of layer `l + 2` cannot begin before the work of
//! layer `l` has ended, since every output of layer `l + 1` depends on all results of layer `l`.

use super::modules::Kind;
use super::{Design, ModuleId};
use crate::diag::Diag;
use crate::partition;

/// Cycles in which the first and the last beat of a stream can be taken, at the earliest.
pub type Span = (i64, i64);

/// Earlier than everything, and safe to add to.
pub const NEVER: i64 = -(1 << 50);

/// In which order matrix-vector units work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As the module says.
    Given,
    /// The bound holds for every order.
    Free,
}

/// Least cycles from a port's beats to the result's, [`NEVER`] where one does not wait for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// From the first beat to the first result.
    pub first_first: i64,
    /// From the last beat to the first result.
    pub last_first: i64,
    /// From the first beat to the last result.
    pub first_last: i64,
    /// From the last beat to the last result.
    pub last_last: i64,
}

impl Lag {
    /// Of a module that takes a port's first and last beat in the firings `take`, and gives its first and last result in `give`, `depth`
    /// cycles later.
    fn of(take: (i64, i64), give: (i64, i64), depth: i64) -> Lag {
        let when = |g: i64, i: i64| if g >= i { g - i + depth } else { NEVER };
        Lag {
            first_first: when(give.0, take.0),
            last_first: when(give.0, take.1),
            first_last: when(give.1, take.0),
            last_last: when(give.1, take.1),
        }
    }
}

/// The bound of one module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lags {
    /// Result of a module whose inputs wait for nothing.
    pub alone: Span,
    /// Of port 0, and what holds for every other port.
    pub ports: [Lag; 2],
}

impl Lags {
    /// Of a module of a design. Streams are taken as shallow.
    pub fn of(design: &Design, id: ModuleId) -> Lags {
        let (module, depth) = (design.module(id), depth_of(design, id));
        let n = module.kind.firings() as i64;
        let all = (0, n - 1);
        let both = |take: (i64, i64), give: (i64, i64)| ([take; 2], give);
        let (take, give) = match &module.kind {
            Kind::Mvu(m) => {
                let (nf, sf, early) = (m.neuron_fold() as i64, m.synapse_fold() as i64, m.early as i64);
                let first = early * nf + sf - early - 1;
                both((0, (m.blocks() as i64 - 1) * nf * sf + first), (first, n - 1))
            }
            Kind::Vvu(v) => both(all, ((v.weights.cols / v.simd) as i64 - 1, n - 1)),
            Kind::Swu(s) => {
                let row = (s.output[0] - 1) * s.window.stride[0];
                let column = (s.output[1] - 1) * s.window.stride[1];
                let last = (row * s.size[1] + column + 1) * (s.channels / s.lanes) - 1;
                both(all, (s.fill() as i64, (s.fill() + last) as i64))
            }
            Kind::Reorder { .. } => both(all, (n, 2 * n - 1)),
            kind => scheduled(kind, n),
        };
        Lags { alone: (give.0 + depth, give.1 + depth), ports: take.map(|t| Lag::of(t, give, depth)) }
    }

    /// When the result comes, given when the inputs come, by port.
    pub fn after(&self, inputs: impl Iterator<Item = Span>) -> Span {
        let (mut first, mut last) = self.alone;
        for (port, (begin, end)) in inputs.enumerate() {
            let lag = &self.ports[port.min(1)];
            first = first.max(begin + lag.first_first).max(end + lag.last_first);
            last = last.max(begin + lag.first_last).max(end + lag.last_last);
        }
        (first, last)
    }
}

/// Cycles from a firing of a module to when its result can be taken: its pipeline's, and one, since a shallow FIFO is read one cycle after it
/// was written.
pub fn depth_of(design: &Design, id: ModuleId) -> i64 {
    design.module(id).latency() as i64 + 1
}

/// Firings from the one that takes beat `beat` of input `port` to the one that gives result `result`, at the least; `None` where the
/// result does not wait for the beat.
pub fn between(kind: &Kind, order: Order, port: usize, beat: usize, result: usize) -> Option<i64> {
    match (kind, order) {
        (Kind::Mvu(m), Order::Free) => {
            let (nf, sf) = (m.neuron_fold(), m.synapse_fold());
            let (block, column, group) = (beat / sf, beat % sf, result % nf + 1);
            // From the beat on every row group has a firing for it and for each one behind it.
            Some(match (result / nf).checked_sub(block)? {
                0 => group * (sf - column) - 1,
                blocks => nf * (sf - column) + (blocks - 1) * nf * sf + group * sf - 1,
            } as i64)
        }
        _ => kind.given(result).checked_sub(kind.taken(port, beat)).map(|n| n as i64),
    }
}

/// The first of `results` that waits for beat `beat` of input `port`; `None` where none does.
pub fn first_waiting(kind: &Kind, order: Order, port: usize, beat: usize, results: usize) -> Option<usize> {
    let first = partition(results, |r| between(kind, order, port, beat, r).is_none());
    (first < results).then_some(first)
}

/// The last of `beats` of input `port` that result `result` waits for; `None` where it waits for none.
pub fn last_needed(kind: &Kind, order: Order, port: usize, result: usize, beats: usize) -> Option<usize> {
    partition(beats, |b| between(kind, order, port, b, result).is_some()).checked_sub(1)
}

/// First and last firings that take (port 0; what holds for every other port) and that give, of a kind with a static schedule of
/// `n` firings.
fn scheduled(kind: &Kind, n: i64) -> ([(i64, i64); 2], (i64, i64)) {
    let ends = |holds: &dyn Fn(i64) -> bool| {
        ((0..n).find(|i| holds(*i)).unwrap_or(0), (0..n).rev().find(|i| holds(*i)).unwrap_or(0))
    };
    let port = |p: usize| ends(&|i| kind.step(i as usize).take >> p & 1 == 1);
    let take = match kind.input_lanes().len() {
        0 => [(0, 0); 2],
        1 => [port(0); 2],
        ports => {
            // The weakest statement holds for all.
            let others: Vec<_> = (1..ports).map(port).collect();
            let first = others.iter().map(|t| t.0).max().unwrap_or(0);
            [port(0), (first, others.iter().map(|t| t.1).max().unwrap_or(0))]
        }
    };
    (take, ends(&|i| kind.step(i as usize).give != 0))
}

/// Spans of the streams out of every module, by [`ModuleId::index`]. Sinks have that of the beats they take.
///
/// # Errors
/// None for a verified design.
pub fn spans(design: &Design) -> Result<Vec<Span>, Diag> {
    let mut spans = vec![(0, 0); design.index_bound()];
    for id in design.topological()? {
        let inputs = design.inputs_of(id).into_iter().map(|(from, _)| spans[from.index()]);
        let span = match design.module(id).kind {
            Kind::Sink { .. } => inputs.fold((0, 0), |_, s| s),
            _ => Lags::of(design, id).after(inputs),
        };
        spans[id.index()] = span;
    }
    Ok(spans)
}
