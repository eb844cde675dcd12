//! What each firing of a module takes and gives.
//!
//! A frame of a module is [`Kind::firings`] firings. Firing `i` of the frame takes one beat of every input whose bit is set in
//! [`Step::take`] and gives one beat to every output whose bit is set in [`Step::give`].
//! Two kinds do not fit this static form and are described by their own rules in [`super::timing`]: the sliding-window unit,
//! which at the end of a frame steps on without input when there is none, and the reorder unit, whose two halves run apart.

use super::modules::Kind;

/// Beats moved by one firing, a bit a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Inputs of which a beat is taken.
    pub take: u64,
    /// Outputs to which a beat is given.
    pub give: u64,
}

impl Kind {
    /// Firings a frame: the module's own lower bound of the design's interval, in cycles.
    ///
    /// For the sliding-window unit these are its input beats, for the reorder unit the words of a frame.
    pub fn firings(&self) -> usize {
        match self {
            Kind::Source { beats, .. } | Kind::Sink { beats, .. } => *beats,
            Kind::Program(p) => p.beats * p.interval,
            Kind::Mvu(m) => m.blocks() * m.neuron_fold() * m.synapse_fold(),
            Kind::Vvu(v) => v.pixels * (v.channels() / v.pe) * (v.weights.cols / v.simd),
            Kind::Swu(s) => s.size[0] * s.size[1] * (s.channels / s.lanes),
            Kind::Act { beats, .. }
            | Kind::WindowReduce { beats, .. }
            | Kind::LinComb { beats, .. }
            | Kind::Mul { beats, .. }
            | Kind::Fork { beats, .. } => *beats,
            Kind::GlobalReduce { pixels, channels, lanes, .. } => pixels * (channels / lanes),
            Kind::VectorReduce { length, lanes, vectors, .. }
            | Kind::ArgMax { length, lanes, vectors, .. }
            | Kind::Broadcast { length, lanes, vectors, .. } => vectors * (length / lanes),
            Kind::Concat { outer, parts, .. } => outer * parts.iter().sum::<usize>(),
            Kind::Select { outer, size, inner, .. } => outer * size * inner,
            Kind::Dwc { from, to, elements } => (elements / from).max(elements / to),
            Kind::Reorder { order, .. } => order.len(),
            Kind::Pad { size, chunks, pads, .. } => {
                (size[0] + pads[0] + pads[2]) * (size[1] + pads[1] + pads[3]) * chunks
            }
            Kind::Upsample { size, chunks, factors, .. } => size[0] * factors[0] * size[1] * factors[1] * chunks,
        }
    }

    /// What firing `i` (`< firings()`) of a frame takes and gives. Not for sliding-window and reorder units.
    pub fn step(&self, i: usize) -> Step {
        let both = Step { take: 1, give: 1 };
        let bit = |b: bool| u64::from(b);
        match self {
            Kind::Source { .. } => Step { take: 0, give: 1 },
            Kind::Sink { .. } => Step { take: 1, give: 0 },
            Kind::Mvu(m) => {
                let sf = m.synapse_fold();
                let (group, beat) = m.tile(i % (m.neuron_fold() * sf));
                Step { take: bit(group == 0), give: bit(beat == sf - 1) }
            }
            Kind::Vvu(v) => {
                let tf = v.weights.cols / v.simd;
                Step { take: 1, give: bit(i % tf == tf - 1) }
            }
            Kind::Swu(_) | Kind::Reorder { .. } => both,
            Kind::Act { .. } | Kind::WindowReduce { .. } => both,
            Kind::GlobalReduce { pixels, channels, lanes, .. } => {
                Step { take: 1, give: bit(i / (channels / lanes) == pixels - 1) }
            }
            Kind::VectorReduce { length, lanes, .. } | Kind::ArgMax { length, lanes, .. } => {
                let n = length / lanes;
                Step { take: 1, give: bit(i % n == n - 1) }
            }
            Kind::Broadcast { length, lanes, .. } => {
                Step { take: 1 | (bit(i.is_multiple_of(length / lanes)) << 1), give: 1 }
            }
            Kind::LinComb { coefficients, .. } => Step { take: ones(coefficients.len()), give: 1 },
            Kind::Mul { .. } => Step { take: 3, give: 1 },
            Kind::Program(p) if !i.is_multiple_of(p.interval) => Step { take: 0, give: 0 },
            Kind::Program(p) => Step { take: ones(p.inputs.len()), give: ones(p.outputs.len()) },
            Kind::Fork { outputs, .. } => Step { take: 1, give: ones(*outputs) },
            Kind::Concat { parts, .. } => {
                let mut r = i % parts.iter().sum::<usize>();
                let mut port = 0;
                while r >= parts[port] {
                    r -= parts[port];
                    port += 1;
                }
                Step { take: 1 << port, give: 1 }
            }
            Kind::Select { size, inner, start, count, step, .. } => {
                let index = (i / inner) % size;
                let kept = index >= *start && (index - start).is_multiple_of(*step) && (index - start) / step < *count;
                Step { take: 1, give: bit(kept) }
            }
            Kind::Dwc { from, to, .. } => dwc_step(*from, *to, i),
            Kind::Pad { size, chunks, pads, .. } => {
                let width = size[1] + pads[1] + pads[3];
                let (y, x) = (i / chunks / width, (i / chunks) % width);
                let inside = (pads[0]..pads[0] + size[0]).contains(&y) && (pads[1]..pads[1] + size[1]).contains(&x);
                // The first beat is taken, and kept, with the first padding beat: no frame starts without its input.
                let first = (pads[0] * width + pads[1]) * chunks;
                Step { take: bit(i == 0 || (inside && i != first)), give: 1 }
            }
            Kind::Upsample { size, chunks, factors, .. } => {
                let x = (i / chunks) % (size[1] * factors[1]);
                let y = i / chunks / (size[1] * factors[1]);
                Step { take: bit(y.is_multiple_of(factors[0]) && x.is_multiple_of(factors[1])), give: 1 }
            }
        }
    }
}

/// `n` one bits.
fn ones(n: usize) -> u64 {
    if n >= 64 { u64::MAX } else { (1 << n) - 1 }
}

/// A width converter holds `f` elements: it takes a beat when `f < to`, and then gives one when `f >= to`.
fn dwc_step(from: usize, to: usize, i: usize) -> Step {
    if from.is_multiple_of(to) {
        return Step { take: u64::from(i.is_multiple_of(from / to)), give: 1 };
    }
    if to.is_multiple_of(from) {
        let k = to / from;
        return Step { take: 1, give: u64::from(i % k == k - 1) };
    }
    // More input lanes: every firing gives one beat; beat i is complete with input beat ceil((i+1)*to/from) - 1.
    if from > to {
        let needed = |n: usize| (n * to).div_ceil(from);
        return Step { take: u64::from(needed(i + 1) > needed(i)), give: 1 };
    }
    // More output lanes: every firing takes one beat; output beats are complete whenever a multiple of `to` is passed.
    let complete = |n: usize| n * from / to;
    Step { take: 1, give: u64::from(complete(i + 1) > complete(i)) }
}
