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

impl Kind {
    /// Firing of a frame that takes beat `beat` of input `port`; the steps of a sliding-window unit and the words of a reorder unit count as
    /// firings. Never decreases with the beat.
    pub fn taken(&self, port: usize, beat: usize) -> usize {
        match self {
            Kind::Source { .. } | Kind::Sink { .. } => beat,
            Kind::Program(p) => beat * p.interval,
            Kind::Mvu(m) => {
                let (nf, sf, early) = (m.neuron_fold(), m.synapse_fold(), m.early);
                let (block, column) = (beat / sf, beat % sf);
                block * nf * sf + if column < early { column * nf } else { early * nf + column - early }
            }
            Kind::Vvu(_)
            | Kind::Swu(_)
            | Kind::Reorder { .. }
            | Kind::Act { .. }
            | Kind::WindowReduce { .. }
            | Kind::LinComb { .. }
            | Kind::Mul { .. }
            | Kind::Fork { .. }
            | Kind::GlobalReduce { .. }
            | Kind::VectorReduce { .. }
            | Kind::ArgMax { .. }
            | Kind::Select { .. } => beat,
            Kind::Broadcast { length, lanes, .. } => beat * if port == 0 { 1 } else { length / lanes },
            Kind::Concat { parts, .. } => {
                let before: usize = parts[..port].iter().sum();
                beat / parts[port] * parts.iter().sum::<usize>() + before + beat % parts[port]
            }
            Kind::Dwc { from, to, .. } if from.is_multiple_of(*to) => beat * (from / to),
            Kind::Dwc { from, to, .. } if from > to => beat * from / to,
            Kind::Dwc { .. } => beat,
            Kind::Pad { size, chunks, pads, .. } => {
                let (pixel, chunk) = (beat / chunks, beat % chunks);
                let width = size[1] + pads[1] + pads[3];
                let place = (pixel / size[1] + pads[0]) * width + pixel % size[1] + pads[1];
                if beat == 0 { 0 } else { place * chunks + chunk }
            }
            Kind::Upsample { size, chunks, factors, .. } => {
                let (pixel, chunk) = (beat / chunks, beat % chunks);
                let place = pixel / size[1] * factors[0] * size[1] + pixel % size[1];
                place * factors[1] * chunks + chunk
            }
        }
    }

    /// Firing of a frame that gives beat `beat` of every output; as [`Kind::taken`], and increases with the beat.
    pub fn given(&self, beat: usize) -> usize {
        match self {
            Kind::Source { .. } | Kind::Sink { .. } => beat,
            Kind::Program(p) => beat * p.interval,
            Kind::Mvu(m) => {
                let (nf, sf, early) = (m.neuron_fold(), m.synapse_fold(), m.early);
                let (block, group) = (beat / nf, beat % nf);
                block * nf * sf + early * nf + (group + 1) * (sf - early) - 1
            }
            Kind::Vvu(v) => (beat + 1) * (v.weights.cols / v.simd) - 1,
            Kind::Swu(s) => {
                let chunks = s.channels / s.lanes;
                let (pixel, chunk) = (beat / chunks, beat % chunks);
                let ([down, right], width) = (s.window.stride, s.output[1]);
                s.fill() + (pixel / width * down * s.size[1] + pixel % width * right) * chunks + chunk
            }
            Kind::Reorder { order, .. } => order.len() + beat,
            Kind::Act { .. }
            | Kind::WindowReduce { .. }
            | Kind::LinComb { .. }
            | Kind::Mul { .. }
            | Kind::Fork { .. }
            | Kind::Broadcast { .. }
            | Kind::Concat { .. }
            | Kind::Pad { .. }
            | Kind::Upsample { .. } => beat,
            Kind::GlobalReduce { pixels, channels, lanes, .. } => (pixels - 1) * (channels / lanes) + beat,
            Kind::VectorReduce { length, lanes, .. } | Kind::ArgMax { length, lanes, .. } => {
                (beat + 1) * (length / lanes) - 1
            }
            Kind::Select { size, inner, start, count, step, .. } => {
                let (place, within) = (beat / inner, beat % inner);
                (place / count * size + start + place % count * step) * inner + within
            }
            Kind::Dwc { from, to, .. } if from >= to => beat,
            Kind::Dwc { from, to, .. } => ((beat + 1) * to).div_ceil(*from) - 1,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hw::Matrix;
    use crate::hw::{Memory, Multiplier, Mvu, Vvu};
    use rand::{Rng, SeedableRng};
    use std::sync::Arc;

    /// A kind with a static schedule, and its number of inputs.
    fn random(rng: &mut impl Rng) -> Kind {
        let mut n = |most: usize| rng.random_range(1..=most);
        let (a, b, c, d, e) = (n(4), n(4), n(4), n(4), n(3));
        let matrix = |rows, cols| Arc::new(Matrix { rows, cols, data: vec![1; rows * cols] });
        match n(9) {
            1 => Kind::Mvu(Mvu {
                weights: matrix(a * b, c * d),
                pe: b,
                simd: d,
                vectors: e,
                early: n(Mvu::latest_early(a, c) + 1) - 1,
                pixels: 1,
                multiplier: Multiplier::Lut,
                memory: Memory::Lut,
            }),
            2 => Kind::Vvu(Vvu {
                weights: matrix(a * b, c * d),
                multiplicity: 1,
                pe: b,
                simd: d,
                pixels: e,
                multiplier: Multiplier::Lut,
                memory: Memory::Lut,
            }),
            3 => {
                let (from, to) = (n(12), n(12));
                Kind::Dwc { from, to, elements: num_integer::lcm(from, to) * e }
            }
            4 => Kind::Concat { outer: a, parts: vec![b, c, d], lanes: 1 },
            5 => Kind::Select { outer: a, size: b + c * d, inner: e, start: b, count: d, step: c, lanes: 1 },
            6 => Kind::Pad {
                size: [a, b],
                chunks: c,
                lanes: 1,
                pads: [d - 1, e - 1, n(3) - 1, n(3) - 1],
                value: vec![0],
            },
            7 => Kind::Upsample { size: [a, b], chunks: c, lanes: 1, factors: [d, e] },
            8 => Kind::GlobalReduce { op: crate::hw::ReduceOp::Max, pixels: a, channels: b * c, lanes: c },
            _ => Kind::Broadcast { op: crate::hw::BroadcastOp::Mul, length: a * b, lanes: b, vectors: c },
        }
    }

    #[test]
    fn beats_are_taken_and_given_by_the_firings_that_the_schedule_says() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(41);
        for _ in 0..2000 {
            let kind = random(&mut rng);
            let steps: Vec<Step> = (0..kind.firings()).map(|i| kind.step(i)).collect();
            for port in 0..kind.input_lanes().len() {
                let firings = (0..steps.len()).filter(|i| steps[*i].take >> port & 1 == 1);
                for (beat, firing) in firings.enumerate() {
                    assert_eq!(kind.taken(port, beat), firing, "{kind:?} takes {beat} of {port}");
                }
            }
            let firings = (0..steps.len()).filter(|i| steps[*i].give & 1 == 1);
            for (beat, firing) in firings.enumerate() {
                assert_eq!(kind.given(beat), firing, "{kind:?} gives {beat}");
            }
        }
    }
}
