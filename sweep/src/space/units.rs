//! Modules drawn directly: every kind, over wider ranges of its parameters than networks reach.
//!
//! To add a kind of module, write a function that draws one and name it in [`UNITS`] with a weight.

use super::draw::{Weights, divisor, divisor_within, element, log_between, size, sum, weight_bits};
use crate::sources::{FIFO, SINK};
use netfold_ir::hw::{BroadcastOp, Kind, Matrix, Memory, MulShift, Multiplier, Mvu, Realization, ReduceOp, Swu, Table};
use netfold_ir::hw::{Thresholds, Vvu, latency};
use netfold_ir::net::Window;
use netfold_ir::quant::IntType;
use netfold_passes::random::Random;
use std::sync::Arc;

/// A module with the element types of its inputs and outputs.
#[derive(Debug, Clone)]
pub struct Unit {
    /// What it is.
    pub kind: Kind,
    /// Element type of every input.
    pub inputs: Vec<IntType>,
    /// Element type of every output.
    pub outputs: Vec<IntType>,
}

type Draw = fn(&mut Random) -> Unit;

/// Weight and function of every kind of module, and the part of it that is meant.
const UNITS: [(usize, Draw, Option<&str>); 23] = [
    (30, mvu, None),
    (8, vvu, None),
    (12, swu, None),
    (8, mul_shift, None),
    (3, two_slopes, None),
    (8, thresholds, None),
    (6, table, None),
    (3, window_reduce, None),
    (3, global_reduce, None),
    (3, vector_reduce, None),
    (3, arg_max, None),
    (3, broadcast, None),
    (5, lincomb, None),
    (4, mul, None),
    (3, fork, None),
    (3, concat, None),
    (2, select, None),
    (8, dwc, None),
    (3, reorder, None),
    (3, pad, None),
    (2, upsample, None),
    (10, fifo, Some(FIFO)),
    (3, sink, Some(SINK)),
];

/// Draws a module; with a unit's name only the FIFO or the end of its input stream is meant.
pub fn draw(r: &mut Random) -> (Unit, Option<&'static str>) {
    let total: usize = UNITS.iter().map(|(w, _, _)| w).sum();
    let mut at = r.below(total);
    for (weight, f, part) in UNITS {
        if at < weight {
            return (f(r), part);
        }
        at -= weight;
    }
    (mvu(r), None)
}

/// The type of every sum `sum_i w_i x_i` of a row, over all rows.
fn sums<'a>(rows: impl Iterator<Item = &'a [i64]>, x: IntType) -> IntType {
    let (mut lo, mut hi) = (0i64, 0i64);
    for row in rows {
        let ends = |w: &i64| (w * x.min(), w * x.max());
        lo = lo.min(row.iter().map(ends).map(|(a, b)| a.min(b)).sum());
        hi = hi.max(row.iter().map(ends).map(|(a, b)| a.max(b)).sum());
    }
    IntType::containing(lo, hi)
}

/// The type that holds the values of both.
fn hull(a: IntType, b: IntType) -> IntType {
    IntType::containing(a.min().min(b.min()), a.max().max(b.max()))
}

fn matrix(r: &mut Random, rows: usize, cols: usize) -> Arc<Matrix> {
    let bits = weight_bits(r);
    let weights = Weights::draw(r, bits);
    Arc::new(Matrix { rows, cols, data: weights.take(r, rows * cols) })
}

fn multiplier(r: &mut Random) -> Multiplier {
    if r.once_in(3) { Multiplier::Dsp } else { Multiplier::Lut }
}

/// Where weights of so many words live.
fn memory(r: &mut Random, words: usize) -> Memory {
    match words {
        1 => Memory::Logic,
        17.. if r.once_in(3) => Memory::Block,
        _ => Memory::Lut,
    }
}

fn frames(r: &mut Random) -> usize {
    r.pick(&[1, 1, 1, 4, 16, 49, 64, 196])
}

pub(super) fn mvu(r: &mut Random) -> Unit {
    let (rows, cols) = (size(r, 1, 128), size(r, 1, 512));
    let weights = matrix(r, rows, cols);
    let x = element(r);
    let (pe, simd) = match r.below(8) {
        0 => (rows, cols),
        _ => (divisor(r, rows), divisor(r, cols)),
    };
    let words = (rows / pe) * (cols / simd);
    let latest = Mvu::latest_early(rows / pe, cols / simd);
    let early = if r.once_in(4) { r.pick(&[latest, latest, r.clone().below(latest + 1)]) } else { 0 };
    let outputs = vec![sums((0..rows).map(|i| weights.row(i)), x)];
    let (multiplier, memory) = (multiplier(r), memory(r, words));
    let vectors = frames(r);
    Unit {
        kind: Kind::Mvu(Mvu { weights, pe, simd, vectors, early, pixels: 1, multiplier, memory }),
        inputs: vec![x],
        outputs,
    }
}

fn vvu(r: &mut Random) -> Unit {
    let channels = size(r, 1, 64);
    let taps = r.pick(&[3, 4, 5, 9, 9, 9, 9, 25]);
    let multiplicity = r.pick(&[1, 1, 1, 1, 2]);
    let weights = matrix(r, channels * multiplicity, taps);
    let x = element(r);
    let (pe, simd) = (divisor(r, channels), divisor(r, taps));
    let outputs = vec![sums((0..weights.rows).map(|i| weights.row(i)), x)];
    let (multiplier, memory) = (multiplier(r), memory(r, (channels / pe) * (taps / simd)));
    let pixels = frames(r);
    Unit {
        kind: Kind::Vvu(Vvu { weights, multiplicity, pe, simd, pixels, multiplier, memory }),
        inputs: vec![x],
        outputs,
    }
}

fn swu(r: &mut Random) -> Unit {
    let flat = r.once_in(4);
    let size = [if flat { 1 } else { log_between(r, 3, 64) }, log_between(r, 3, 64)];
    let channels = super::draw::size(r, 1, 64);
    let lanes = divisor_within(r, channels, 32);
    let k = r.pick(&[2, 3, 3, 3, 3, 5]).min(size[1]);
    let kernel = [if flat { 1 } else { k.min(size[0]) }, k];
    let stride = if r.once_in(4) { kernel } else { r.pick(&[[1, 1], [1, 1], [2, 2]]) };
    let same = r.once_in(2);
    let pad = |n: usize| if same { (n - 1) / 2 } else { 0 };
    let pads = [pad(kernel[0]), pad(kernel[1]), pad(kernel[0]), pad(kernel[1])];
    let window = Window { kernel, stride, dilation: [1, 1], pads };
    let output = [0, 1].map(|a| (size[a] + pads[a] + pads[a + 2] - kernel[a]) / stride[a] + 1);
    let x = element(r);
    let usual = latency::default_memory(size[1] * (channels / lanes), lanes * x.bits as usize);
    let memory = if r.once_in(5) { r.pick(&[Memory::Lut, Memory::Block]) } else { usual };
    let kind = Kind::Swu(Swu { size, channels, lanes, window, output, pad: vec![0], memory, given: None });
    Unit { kind, inputs: vec![x], outputs: vec![x] }
}

/// Elements of a stream whose parameters repeat after `period`: (lanes, beats).
fn lanes(r: &mut Random, period: usize) -> (usize, usize) {
    let lanes = if period == 1 { size(r, 1, 24) } else { divisor_within(r, period, 32) };
    let beats = (period / lanes).max(1) * frames(r);
    (lanes, beats)
}

/// Number of channels with parameters of their own.
fn period(r: &mut Random) -> usize {
    if r.once_in(2) { 1 } else { size(r, 2, 64) }
}

fn act(function: Realization, lanes: usize, beats: usize, x: IntType, y: IntType) -> Unit {
    Unit { kind: Kind::Act { function: Arc::new(function), lanes, beats }, inputs: vec![x], outputs: vec![y] }
}

/// A line from `x` to about the range of `y`.
fn line(r: &mut Random, x: IntType, y: IntType, period: usize) -> MulShift {
    let scaled = r.once_in(2);
    let bits = if scaled { r.between(2, 12) as u32 } else { 1 };
    let mul: Vec<i64> = match scaled {
        true => (0..period).map(|_| r.between(1, (1 << bits) - 1)).collect(),
        false => vec![1],
    };
    let shift = (x.bits + bits).saturating_sub(y.bits + r.between(0, 2) as u32).min(30);
    let reach = 1i64 << (x.bits + bits - 1).min(30);
    let half = if shift > 0 { 1i64 << (shift - 1) } else { 0 };
    let offset = r.once_in(2);
    let add = if offset { (0..period).map(|_| r.between(-reach, reach) / 2 + half).collect() } else { vec![half] };
    let half_even = r.once_in(3) && shift > 0;
    MulShift { mul, add, shift, half_even, lo: y.min(), hi: y.max(), wrap: false }
}

fn mul_shift(r: &mut Random) -> Unit {
    let (x, y, period) = (sum(r), element(r), period(r));
    let function = line(r, x, y, period);
    let period = Realization::MulShift(function.clone()).period();
    let (lanes, beats) = lanes(r, period);
    act(Realization::MulShift(function), lanes, beats, x, y)
}

fn two_slopes(r: &mut Random) -> Unit {
    let (x, y, period) = (sum(r), element(r), period(r));
    let x = IntType::new(true, x.bits);
    let positive = line(r, x, y, period);
    let negative = MulShift { mul: vec![1], shift: positive.shift + r.between(1, 4) as u32, ..positive.clone() };
    let function = Realization::TwoSlopes(negative, positive);
    let (lanes, beats) = lanes(r, function.period());
    act(function, lanes, beats, x, y)
}

fn thresholds(r: &mut Random) -> Unit {
    let (x, period) = (sum(r), period(r));
    let bits = r.pick(&[1, 1, 2, 2, 3, 3, 4, 4, 5, 6]).min(x.bits);
    let levels = (1usize << bits) - 1;
    let thresholds: Vec<Vec<i64>> = (0..period)
        .map(|_| {
            let mut t: Vec<i64> = (0..levels).map(|_| r.between(x.min() + 1, x.max() + 1)).collect();
            t.sort_unstable();
            t
        })
        .collect();
    let base = if r.once_in(3) { -(1i64 << (bits - 1)) } else { 0 };
    let falls = r.once_in(8);
    let (base, direction) = if falls { (base + levels as i64, -1) } else { (base, 1) };
    let y = IntType::containing(base.min(base + direction * levels as i64), base.max(base + direction * levels as i64));
    let function = Realization::Thresholds(Thresholds { base: vec![base], direction: vec![direction], thresholds });
    let (lanes, beats) = lanes(r, period);
    act(function, lanes, beats, x, y)
}

fn table(r: &mut Random) -> Unit {
    let x = IntType::new(r.once_in(2), r.between(3, 11) as u32);
    let y = element(r);
    let period = if r.once_in(6) { r.pick(&[2, 4, 8]) } else { 1 };
    let all = (x.max() - x.min() + 1) as usize;
    let n = if r.once_in(3) { 2 + r.below(all - 1) } else { all };
    let smooth = !r.once_in(5);
    let entries = (0..period)
        .map(|_| {
            let mut t: Vec<i64> = (0..n).map(|_| r.between(y.min(), y.max())).collect();
            if smooth {
                t.sort_unstable();
            }
            t
        })
        .collect();
    let function = Realization::Table(Table { first: x.min() + (all - n) as i64 / 2, entries, tail: None });
    let (lanes, beats) = lanes(r, period);
    act(function, lanes.min(8), beats * lanes.div_ceil(lanes.min(8)), x, y)
}

fn reduction(r: &mut Random, x: IntType, n: usize) -> (ReduceOp, IntType) {
    if r.once_in(2) {
        return (ReduceOp::Max, x);
    }
    (ReduceOp::Sum, IntType::containing(x.min() * n as i64, x.max() * n as i64))
}

fn window_reduce(r: &mut Random) -> Unit {
    let (x, taps) = (element(r), r.pick(&[2, 3, 4, 4, 4, 9, 16]));
    let (op, y) = reduction(r, x, taps);
    let lanes = size(r, 1, 32);
    Unit { kind: Kind::WindowReduce { op, taps, lanes, beats: frames(r) }, inputs: vec![x], outputs: vec![y] }
}

fn global_reduce(r: &mut Random) -> Unit {
    let (x, pixels, channels) = (element(r), log_between(r, 2, 256), size(r, 1, 64));
    let (op, y) = reduction(r, x, pixels);
    let lanes = divisor_within(r, channels, 16);
    Unit { kind: Kind::GlobalReduce { op, pixels, channels, lanes }, inputs: vec![x], outputs: vec![y] }
}

fn vector_reduce(r: &mut Random) -> Unit {
    let (x, length) = (element(r), size(r, 2, 64));
    let (op, y) = reduction(r, x, length);
    let lanes = divisor_within(r, length, 16);
    Unit { kind: Kind::VectorReduce { op, length, lanes, vectors: frames(r) }, inputs: vec![x], outputs: vec![y] }
}

fn arg_max(r: &mut Random) -> Unit {
    let (x, length) = (sum(r), size(r, 2, 32));
    let lanes = divisor_within(r, length, 16);
    let y = IntType::containing(0, length as i64 - 1);
    Unit { kind: Kind::ArgMax { last: r.once_in(3), length, lanes, vectors: 1 }, inputs: vec![x], outputs: vec![y] }
}

fn broadcast(r: &mut Random) -> Unit {
    let (x, s, length) = (element(r), element(r), size(r, 2, 32));
    let lanes = divisor_within(r, length, 8);
    let (op, y) = if r.once_in(2) {
        (BroadcastOp::RSub, IntType::containing(s.min() - x.max(), s.max() - x.min()))
    } else {
        (BroadcastOp::Mul, product(x, s))
    };
    Unit { kind: Kind::Broadcast { op, length, lanes, vectors: 1 }, inputs: vec![x, s], outputs: vec![y] }
}

fn product(a: IntType, b: IntType) -> IntType {
    let ends = [a.min() * b.min(), a.min() * b.max(), a.max() * b.min(), a.max() * b.max()];
    IntType::containing(ends.into_iter().fold(0, i64::min), ends.into_iter().fold(0, i64::max))
}

fn lincomb(r: &mut Random) -> Unit {
    let n = r.pick(&[1, 2, 2, 2, 3]);
    let period = if r.once_in(3) { size(r, 2, 32) } else { 1 };
    let plain = r.once_in(2);
    let coefficient = |r: &mut Random| if plain { r.pick(&[1, 1, -1]) } else { r.between(-63, 63) };
    let coefficients: Vec<Vec<i64>> = (0..n).map(|_| (0..period).map(|_| coefficient(r)).collect()).collect();
    let constant: Vec<i64> = match r.below(3) {
        0 => (0..period).map(|_| r.between(-500, 500)).collect(),
        _ => vec![0],
    };
    let inputs: Vec<IntType> = (0..n).map(|_| element(r)).collect();
    let (mut lo, mut hi) = (0, 0);
    for c in 0..period {
        let (mut a, mut b) = (constant[c % constant.len()], constant[c % constant.len()]);
        for (k, x) in coefficients.iter().zip(&inputs) {
            let ends = (k[c] * x.min(), k[c] * x.max());
            a += ends.0.min(ends.1);
            b += ends.0.max(ends.1);
        }
        (lo, hi) = (a.min(lo), b.max(hi));
    }
    let (lanes, beats) = lanes(r, period);
    let outputs = vec![IntType::containing(lo, hi)];
    Unit { kind: Kind::LinComb { coefficients, constant, lanes, beats }, inputs, outputs }
}

fn mul(r: &mut Random) -> Unit {
    let (a, b, lanes) = (element(r), element(r), size(r, 1, 12));
    let kind = Kind::Mul { multiplier: multiplier(r), lanes, beats: frames(r) };
    Unit { kind, inputs: vec![a, b], outputs: vec![product(a, b)] }
}

fn fork(r: &mut Random) -> Unit {
    let (x, outputs, lanes) = (element(r), r.between(2, 4) as usize, size(r, 1, 32));
    Unit { kind: Kind::Fork { outputs, lanes, beats: frames(r) }, inputs: vec![x], outputs: vec![x; outputs] }
}

fn concat(r: &mut Random) -> Unit {
    let n = r.between(2, 4) as usize;
    let inputs: Vec<IntType> = (0..n).map(|_| element(r)).collect();
    let parts = (0..n).map(|_| size(r, 1, 16)).collect();
    let outputs = vec![inputs.iter().copied().reduce(hull).unwrap_or(IntType::new(false, 1))];
    Unit { kind: Kind::Concat { outer: frames(r), parts, lanes: size(r, 1, 16) }, inputs, outputs }
}

fn select(r: &mut Random) -> Unit {
    let (x, size) = (element(r), log_between(r, 2, 32));
    let start = r.below(size);
    let step = r.pick(&[1, 1, 2]);
    let count = 1 + (size - start - 1) / step;
    let (inner, outer) = (r.pick(&[1, 1, 2, 4]), frames(r));
    let lanes = super::draw::size(r, 1, 16);
    Unit { kind: Kind::Select { outer, size, inner, start, count, step, lanes }, inputs: vec![x], outputs: vec![x] }
}

fn dwc(r: &mut Random) -> Unit {
    let x = element(r);
    let narrow = size(r, 1, 16);
    let factor = r.pick(&[2, 2, 3, 4, 4, 6, 8, 9, 16, 32]);
    let (mut from, mut to) = if r.once_in(8) { (narrow, size(r, 1, 24)) } else { (narrow, narrow * factor) };
    if r.once_in(2) {
        (from, to) = (to, from);
    }
    let elements = least_common_multiple(from, to) * frames(r);
    Unit { kind: Kind::Dwc { from, to, elements }, inputs: vec![x], outputs: vec![x] }
}

fn least_common_multiple(a: usize, b: usize) -> usize {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    a / x * b
}

fn reorder(r: &mut Random) -> Unit {
    let x = element(r);
    let (a, b) = (log_between(r, 2, 32), log_between(r, 2, 32));
    let lanes = size(r, 1, 8);
    let order: Vec<u32> = (0..a * b).map(|i| ((i % a) * b + i / a) as u32).collect();
    let memory = latency::default_memory(2 * order.len(), lanes * x.bits as usize);
    Unit { kind: Kind::Reorder { order: Arc::new(order), lanes, memory }, inputs: vec![x], outputs: vec![x] }
}

fn pad(r: &mut Random) -> Unit {
    let x = element(r);
    let size = [log_between(r, 1, 32), log_between(r, 1, 32)];
    let mut side = || r.below(3);
    let pads = [side(), side(), side(), side()];
    let (chunks, lanes) = (r.pick(&[1, 1, 2, 4, 8]), super::draw::size(r, 1, 16));
    Unit { kind: Kind::Pad { size, chunks, pads, value: vec![0], lanes }, inputs: vec![x], outputs: vec![x] }
}

fn upsample(r: &mut Random) -> Unit {
    let x = element(r);
    let size = [log_between(r, 1, 16), log_between(r, 1, 16)];
    let factors = r.pick(&[[1, 2], [2, 2], [2, 2], [3, 3]]);
    let (chunks, lanes) = (r.pick(&[1, 1, 2, 4]), super::draw::size(r, 1, 16));
    Unit { kind: Kind::Upsample { size, chunks, factors, lanes }, inputs: vec![x], outputs: vec![x] }
}

/// The stream into a sink: its depth is drawn when the design is made.
fn fifo(r: &mut Random) -> Unit {
    let x = element(r);
    Unit { kind: Kind::Sink { lanes: size(r, 1, 48), beats: frames(r) }, inputs: vec![x], outputs: Vec::new() }
}

fn sink(r: &mut Random) -> Unit {
    let x = element(r);
    Unit {
        kind: Kind::Sink { lanes: size(r, 1, 16), beats: log_between(r, 1, 1024) },
        inputs: vec![x],
        outputs: Vec::new(),
    }
}
