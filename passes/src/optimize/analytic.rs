//! Prices from the structure of the generated circuits, for 7-series and UltraScale+ devices (6-input LUTs).
//!
//! Rules of thumb, all from what the primitives in `templates/verilog` are made of:
//! * an adder or comparator of `b` bits takes `b` LUTs (a carry chain), a tree of `n` operands `n - 1` adders, and registers
//!   at every second level;
//! * a LUT as memory holds 64 bits of a ROM (two words of 32), or 1.5 bits of width and 32 words of a RAM (RAM32M);
//! * block RAM comes in halves of 18 Kb: 512 x 36, 1024 x 18, 2048 x 9, 4096 x 4, 8192 x 2 or 16384 x 1 bits (AMD UG473);
//!   URAM in blocks of 4096 x 72 bits (AMD UG573);
//! * a DSP block multiplies 25 x 18 signed bits (DSP48E1, AMD UG479) and holds its product register; with one product a row
//!   it is the accumulator too.

use super::cost::{CostModel, ModuleSpec, Resources, WeightStats};
use netfold_ir::hw::latency::{self, constant_in_lane, levels, lincomb_rows, search_steps, signed_digits};
use netfold_ir::hw::packing::Packing;
use netfold_ir::hw::{BroadcastOp, Kind, Memory, MulShift, Multiplier, Mvu, Realization, Stream, Swu};
use netfold_ir::quant::IntType;
use netfold_shiftadd::{self as shiftadd, graph_luts};

/// The prices of the module doc.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Analytic {
    /// Signed bits of the DSP block's factors, the wider first.
    pub dsp_bits: (u32, u32),
}

impl Default for Analytic {
    fn default() -> Analytic {
        Analytic { dsp_bits: (25, 18) }
    }
}

/// LUTs and flip-flops being counted.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    lut: f64,
    ff: f64,
    dsp: usize,
    bram18: usize,
    uram: usize,
}

impl Count {
    fn done(self) -> Resources {
        Resources {
            lut: self.lut.ceil() as u64,
            ff: self.ff.ceil() as u64,
            dsp: self.dsp as u64,
            bram18: self.bram18 as u64,
            uram: self.uram as u64,
        }
    }

    fn logic(&mut self, lut: f64, ff: f64) {
        self.lut += lut;
        self.ff += ff;
    }

    /// Adds what is counted so far, without `shared`, further `times` times.
    fn repeat(&mut self, times: usize, shared: &Count) {
        let n = times as f64;
        self.lut += n * (self.lut - shared.lut).max(0.0);
        self.ff += n * (self.ff - shared.ff).max(0.0);
        self.dsp += times * self.dsp.saturating_sub(shared.dsp);
        self.bram18 += times * self.bram18.saturating_sub(shared.bram18);
        self.uram += times * self.uram.saturating_sub(shared.uram);
    }

    /// `times` trees that add `n` operands of `bits` bits.
    fn trees(&mut self, times: f64, n: usize, bits: f64) {
        let (mut operands, mut width, mut level) = (n, bits, 0);
        while operands > 1 {
            let adders = operands / 2;
            self.lut += times * adders as f64 * (width + 1.0);
            operands = operands.div_ceil(2);
            width += 1.0;
            level += 1;
            if level % 2 == 0 || operands == 1 {
                self.ff += times * operands as f64 * width;
            }
        }
    }

    /// A counter to `n`.
    fn counter(&mut self, n: usize) {
        if n > 1 {
            let b = f64::from(levels(n));
            self.logic(1.6 * b + 2.0, b + 1.0);
        }
    }

    /// A memory of `depth` words of `width` bits with a write port.
    fn ram(&mut self, depth: usize, width: usize, memory: Memory) {
        match memory {
            Memory::Logic => self.logic(0.3 * (depth * width) as f64, (depth * width) as f64),
            Memory::Lut => {
                let w = width as f64;
                self.logic(w * if depth <= 32 { 0.67 } else { 1.34 * (depth as f64 / 64.0).ceil() }, 0.0);
            }
            Memory::Block => self.bram18 += bram18(depth, width),
            Memory::Ultra => self.uram += width.div_ceil(72) * depth.div_ceil(4096),
        }
    }

    /// A read-only memory.
    fn rom(&mut self, depth: usize, width: usize, memory: Memory) {
        if depth <= 1 {
            return;
        }
        match memory {
            Memory::Block => self.bram18 += bram18(depth, width),
            Memory::Logic | Memory::Lut | Memory::Ultra => {
                let per_bit = match depth {
                    ..=32 => 0.5 * depth as f64 / 32.0 + 0.1,
                    33..=64 => 0.9,
                    d => d as f64 / 64.0 * 1.05,
                };
                self.logic(width as f64 * per_bit, width as f64);
            }
        }
    }
}

/// Halves of a block RAM that `depth` words of `width` bits take.
pub fn bram18(depth: usize, width: usize) -> usize {
    [(512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)]
        .into_iter()
        .map(|(d, w)| depth.div_ceil(d) * width.div_ceil(w))
        .min()
        .unwrap_or(0)
}

impl CostModel for Analytic {
    fn module(&self, m: &ModuleSpec<'_>) -> Resources {
        let mut c = Count::default();
        let bits = |t: &[IntType], i: usize| t.get(i).map_or(0, |t| t.bits as usize);
        let (input, output) = (bits(m.inputs, 0), bits(m.outputs, 0));
        let stats = m.weights.unwrap_or_default();
        match m.kind {
            Kind::Source { .. } | Kind::Sink { .. } => c.logic(4.0, 4.0),
            Kind::Fork { outputs, .. } => c.logic(2.0 * *outputs as f64, 0.0),
            Kind::Mvu(u) => {
                let (nf, sf) = (u.neuron_fold(), u.synapse_fold());
                if u.is_shift_add() {
                    shift_add(&mut c, &stats, input);
                    c.repeat(u.pixels - 1, &Count::default());
                } else {
                    if u.built().is_packed() {
                        let ty = m.inputs.first().copied().unwrap_or(IntType::new(true, 1));
                        self.packed(&mut c, &stats, u, ty, output);
                    } else {
                        self.dot(&mut c, &stats, u.built(), u.memory, [u.pe, u.simd, nf * sf, sf], input, output);
                    }
                    if u.pixels > 1 {
                        // Everything but the weights stands there for each of the pixels.
                        let mut weights = Count::default();
                        weights.rom(nf * sf, u.pe * u.simd * stats.bits as usize, u.memory);
                        c.repeat(u.pixels - 1, &weights);
                    }
                    c.counter(nf);
                    c.counter(sf);
                    if nf > 1 {
                        let (vector, kept) = (u.simd * input, sf - u.early);
                        if kept > 1 {
                            c.ram(kept, vector, latency::default_memory(kept, vector));
                        }
                        c.logic(vector as f64, 0.0);
                    }
                    if u.early > 0 {
                        // Sums of early beats, and what selects between them, start values and the running sum.
                        c.counter(nf);
                        c.counter(nf);
                        c.counter(u.early);
                        c.ram(nf, u.pe * output, Memory::Lut);
                        c.logic((u.pe * output) as f64 + 6.0, 6.0);
                    }
                    c.ff += (u.pixels * u.simd * input) as f64;
                }
            }
            Kind::Vvu(u) => {
                let (groups, beats) = (u.channels() / u.pe, u.weights.cols / u.simd);
                if u.is_shift_add() {
                    shift_add(&mut c, &stats, input);
                } else {
                    let rows = u.pe * u.multiplicity;
                    c.counter(groups);
                    c.counter(beats);
                    let shape = [rows, u.simd, groups * beats, beats];
                    self.dot(&mut c, &stats, u.multiplier, u.memory, shape, input, output);
                    c.ff += (u.pe * u.simd * input) as f64;
                }
            }
            Kind::Swu(s) => window(&mut c, s, input),
            Kind::Act { function, lanes, .. } => self.act(&mut c, function, *lanes, input, output),
            Kind::WindowReduce { op, taps, lanes, .. } => reduce(&mut c, *op, *taps, *lanes, input),
            Kind::GlobalReduce { channels, lanes, pixels, .. } => {
                let words = channels / lanes;
                c.counter(*pixels);
                c.counter(words);
                c.logic((2 * lanes * output) as f64, (lanes * output) as f64);
                let memory = latency::default_memory(words, lanes * output);
                c.ram(words, lanes * output, memory);
            }
            Kind::VectorReduce { op, length, lanes, .. } => {
                reduce(&mut c, *op, *lanes, 1, input);
                c.counter(length / lanes);
                c.logic(2.0 * output as f64, output as f64);
            }
            Kind::ArgMax { length, lanes, .. } => {
                let both = (input + output) as f64;
                c.counter(length / lanes);
                c.logic(*lanes as f64 * (0.5 * input as f64 + both), *lanes as f64 * both * 0.6 + both);
            }
            Kind::Broadcast { op, lanes, length, .. } => {
                c.counter(length / lanes);
                let (a, b) = (input, bits(m.inputs, 1));
                c.ff += (b + lanes * output) as f64;
                match op {
                    BroadcastOp::RSub => c.lut += (lanes * output) as f64,
                    BroadcastOp::Mul => self.product(&mut c, *lanes, a, b, output, Multiplier::Lut),
                }
            }
            Kind::LinComb { coefficients, constant, lanes, .. } => match lincomb_rows(coefficients, constant, *lanes) {
                Some(rows) => {
                    let share = lanes / rows.len();
                    for (row, constant) in rows {
                        let digits: u32 = row.iter().map(|k| signed_digits(*k)).sum();
                        let adds = (digits + u32::from(constant != 0)).saturating_sub(1);
                        c.logic((share * output) as f64 * f64::from(adds), (share * output) as f64 * f64::from(adds));
                    }
                }
                None => {
                    let wide = |v: &[i64]| v.iter().map(|k| 65 - k.unsigned_abs().leading_zeros()).max().unwrap_or(1);
                    for (k, v) in coefficients.iter().enumerate() {
                        let w = wide(v) as usize;
                        c.rom(v.len().div_ceil(*lanes), lanes * w, Memory::Lut);
                        let x = bits(m.inputs, k);
                        if v.iter().any(|k| *k != 1) {
                            self.product(&mut c, *lanes, x, w, output, Multiplier::Lut);
                        }
                    }
                    let w = wide(constant) as usize;
                    c.rom(constant.len().div_ceil(*lanes), lanes * w, Memory::Lut);
                    c.trees(*lanes as f64, coefficients.len() + 1, output as f64);
                }
            },
            Kind::Mul { multiplier, lanes, .. } => {
                self.product(&mut c, *lanes, input, bits(m.inputs, 1), output, *multiplier);
            }
            Kind::Concat { parts, lanes, .. } => {
                c.counter(parts.iter().sum());
                c.logic((lanes * output) as f64 * 0.5 * (parts.len() - 1) as f64 + 4.0, 4.0);
            }
            Kind::Select { size, inner, .. } => {
                c.counter(*size);
                c.counter(*inner);
                c.logic(6.0, 2.0);
            }
            Kind::Program(p) => {
                let shallow = if p.combinational { 0 } else { p.pipeline.register_bits };
                c.logic(graph_luts(&p.graph, &shiftadd::CostModel::default()), shallow as f64);
            }
            Kind::Dwc { from, to, .. } => {
                let (narrow, wide) = (*from.min(to), *from.max(to));
                let held = (wide * input) as f64;
                c.counter(wide / narrow);
                c.logic(if wide.is_multiple_of(narrow) { 0.6 * held } else { 2.5 * held }, held);
            }
            Kind::Reorder { order, lanes, memory } => {
                let words = order.len();
                c.counter(words);
                c.counter(words);
                c.rom(words, levels(words) as usize, latency::default_memory(words, levels(words) as usize));
                c.ram(2 * words, lanes * input, *memory);
                c.logic(12.0, (lanes * input) as f64 + 8.0);
            }
            Kind::Pad { size, chunks, lanes, .. } => {
                [size[0], size[1], *chunks].into_iter().for_each(|n| c.counter(n));
                c.logic((lanes * output) as f64 + 8.0, 2.0);
            }
            Kind::Upsample { size, chunks, lanes, .. } => {
                [size[0], size[1], *chunks].into_iter().for_each(|n| c.counter(n));
                let words = size[1] * chunks;
                c.ram(words, lanes * input, latency::default_memory(words, lanes * input));
                c.logic((lanes * input) as f64 + 8.0, (lanes * input) as f64);
            }
        }
        c.done()
    }

    fn fifo(&self, stream: &Stream) -> Resources {
        let (depth, width) = (stream.depth, stream.width());
        let mut c = Count::default();
        let control = f64::from(levels(depth + 1));
        if depth == 1 {
            c.logic(4.0, width as f64 + 4.0);
        } else if stream.read_latency() == 1 {
            c.ram(depth, width, if depth <= 2 && width <= 2 { Memory::Logic } else { Memory::Lut });
            c.logic(8.0 + 4.0 * control, 2.0 + 4.0 * control);
        } else {
            c.ram(depth, width, latency::default_memory(depth, width));
            c.logic(12.0 + 5.0 * control, 4.0 + 4.0 * control);
        }
        c.done()
    }
}

impl Analytic {
    /// DSP blocks of a product of signed factors of `a` and `b` bits.
    fn blocks(&self, a: usize, b: usize) -> usize {
        let (wide, narrow) = (self.dsp_bits.0 as usize, self.dsp_bits.1 as usize);
        let one = |x: usize, y: usize| x.div_ceil(wide) * y.div_ceil(narrow);
        one(a, b).min(one(b, a))
    }

    /// `times` products of two variables.
    fn product(&self, c: &mut Count, times: usize, a: usize, b: usize, out: usize, multiplier: Multiplier) {
        let n = times as f64;
        match multiplier {
            Multiplier::Dsp | Multiplier::Packed | Multiplier::PackedSum => {
                c.dsp += times * self.blocks(a + 1, b + 1);
            }
            Multiplier::Lut => {
                let digits = a.min(b).div_ceil(2) + 1;
                c.lut += n * digits as f64 * (a.max(b) + 1) as f64;
                c.trees(n, digits, (a.max(b) + 2) as f64);
                c.ff += n * (a + b + out) as f64;
            }
        }
    }

    /// Folded dot products: `[rows, lanes, words of weights, beats a row]`.
    #[allow(clippy::too_many_arguments)]
    fn dot(
        &self,
        c: &mut Count,
        w: &WeightStats,
        multiplier: Multiplier,
        memory: Memory,
        [rows, lanes, words, beats]: [usize; 4],
        input: usize,
        acc: usize,
    ) {
        let (r, b) = (rows as f64, w.bits as usize);
        c.rom(words, rows * lanes * b, memory);
        c.ff += (rows * lanes * b) as f64 * if words > 1 { 0.5 } else { 0.0 };
        match multiplier {
            Multiplier::Dsp | Multiplier::Packed | Multiplier::PackedSum => {
                c.dsp += rows * lanes * self.blocks(input + 1, b);
                if lanes > 1 {
                    c.trees(r, lanes, (input + b) as f64);
                    if beats > 1 {
                        c.logic(r * acc as f64, r * acc as f64);
                    }
                }
            }
            Multiplier::Lut => {
                let digits = if w.bipolar { 1 } else { b.div_ceil(2) };
                let operand = (if w.bipolar { input } else { input + 1 }) as f64;
                // A digit's selection is a LUT a bit; signs of bipolar weights are inside of the adders.
                let select = if w.bipolar && lanes > 1 { 0.2 } else { 1.0 };
                c.lut += r * (lanes * digits) as f64 * operand * select;
                c.trees(r * digits as f64, lanes, operand);
                c.trees(r, digits, (operand + f64::from(levels(lanes)) + 2.0).min(acc as f64));
                c.logic(r * acc as f64, r * acc as f64);
                // The start value of every row group.
                c.rom(words / beats, rows * acc.min(input + b + 2), Memory::Lut);
            }
        }
        c.logic(6.0, 6.0);
    }

    /// Folded dot products of which two rows share a block a column: trees and accumulators stay, an adder of the upper row has one bit
    /// more for its carry; sums that blocks accumulate leave nothing.
    fn packed(&self, c: &mut Count, w: &WeightStats, u: &Mvu, input: IntType, acc: usize) {
        let words = u.neuron_fold() * u.synapse_fold();
        let summed = u.sums_packed();
        let p = Packing::new(&w.range, summed, input);
        let (pairs, odd) = (u.pe / 2, u.pe % 2);
        let x = (input.bits + u32::from(!input.signed)) as usize;
        let stored = pairs * (p.low_bits + p.high_bits) as usize + odd * w.bits as usize;
        c.rom(words, stored * u.simd, u.memory);
        c.ff += (stored * u.simd) as f64 * if words > 1 { 0.5 } else { 0.0 };
        c.dsp += u.simd * (pairs * self.blocks(x, p.factor_bits() as usize) + odd * self.blocks(x, w.bits as usize));
        if !summed {
            let n = pairs as f64;
            c.trees(n, u.simd, f64::from(p.shift));
            c.trees(n, u.simd, x as f64 + f64::from(p.high_bits) + 1.0);
            c.logic(n * (2 * acc + 1) as f64, n * (2 * acc) as f64);
        }
        if u.simd > 1 {
            c.trees(odd as f64, u.simd, (x + w.bits as usize) as f64);
            c.logic((odd * acc) as f64, (odd * acc) as f64);
        }
        c.logic(6.0, 6.0);
    }

    /// A function of one element, `lanes` times.
    fn act(&self, c: &mut Count, function: &Realization, lanes: usize, input: usize, output: usize) {
        let n = lanes as f64;
        let groups = function.period().div_ceil(lanes);
        if groups > 1 {
            c.counter(groups);
        }
        match function {
            Realization::MulShift(m) => self.line(c, m, lanes, input, output),
            Realization::TwoSlopes(a, b) => {
                self.line(c, a, lanes, input, output);
                self.line(c, b, lanes, input, output);
                c.logic(n * output as f64, n * output as f64);
            }
            Realization::Thresholds(t) => {
                let count = t.thresholds.first().map_or(0, Vec::len);
                let constant = constant_in_lane(t.thresholds.len(), lanes);
                if count <= latency::PARALLEL_THRESHOLDS {
                    let compare = if constant { input as f64 / 4.0 } else { input as f64 / 2.0 };
                    c.logic(n * (count as f64 * compare + output as f64), n * (count + output) as f64);
                    if !constant {
                        c.rom(groups, lanes * count * input, Memory::Lut);
                    }
                } else {
                    let steps = search_steps(count);
                    for s in 0..steps {
                        let words = groups << s;
                        c.rom(words, lanes * input, latency::default_memory(words, input));
                        c.logic(n * input as f64 * 0.5, n * (input + output) as f64);
                    }
                    c.logic(n * output as f64, n * output as f64);
                }
            }
            Realization::Table(t) => {
                let entries = t.entries.first().map_or(0, Vec::len);
                let words = latency::table_words(function, entries, lanes);
                c.logic(n * (input as f64 + 2.0), n * (input + output) as f64);
                if words <= latency::LOGIC_TABLE_WORDS {
                    c.rom(words, lanes * output, Memory::Lut);
                } else {
                    // Two lanes share the ports of a block.
                    c.bram18 += lanes.div_ceil(2) * bram18(words, output);
                }
                if let Some(tail) = &t.tail {
                    self.line(c, tail, lanes, input, output);
                }
            }
        }
    }

    /// Affine pieces with rounding and clipping, `lanes` times.
    fn line(&self, c: &mut Count, m: &MulShift, lanes: usize, input: usize, output: usize) {
        let n = lanes as f64;
        let wide = |v: &[i64]| v.iter().map(|k| 65 - k.unsigned_abs().leading_zeros()).max().unwrap_or(1) as usize;
        let period = m.mul.len().max(m.add.len());
        let (mul, add) = (wide(&m.mul), wide(&m.add));
        let sum = (input + if m.is_shift() { 1 } else { mul }) as f64;
        if constant_in_lane(period, lanes) {
            let rows: Vec<_> = m.rows().collect();
            let adds: u32 =
                rows.iter().map(|([k], a)| (signed_digits(*k) + u32::from(*a != 0)).saturating_sub(1)).sum();
            let each = f64::from(adds) / rows.len() as f64;
            c.logic(n * each * sum, n * each * sum * 0.6);
        } else {
            let groups = period.div_ceil(lanes);
            c.rom(groups, lanes * add, Memory::Lut);
            if m.is_shift() {
                c.logic(n * sum, n * sum);
            } else {
                c.rom(groups, lanes * mul, Memory::Lut);
                // Written as a product of variables: synthesis puts it into DSP blocks.
                c.dsp += lanes * self.blocks(input + 1, mul);
                c.logic(n * sum, n * sum);
            }
        }
        if m.rounds_separately() {
            c.logic(n * output as f64, n * output as f64);
        }
        c.logic(n * 1.5 * output as f64, n * output as f64);
    }
}

/// Constant products: an adder for every digit beyond a row's first, less what rows share (0.6 remain, measured on trained layers).
fn shift_add(c: &mut Count, w: &WeightStats, input: usize) {
    let adders = w.digits.saturating_sub(w.rows) as f64 * 0.6;
    let width = input as f64 + f64::from(w.bits) / 2.0 + f64::from(levels(w.cols)) / 2.0;
    c.logic(adders * width, adders * width * 0.6);
}

/// Delay line with taps.
fn window(c: &mut Count, s: &Swu, input: usize) {
    let beat = s.lanes * input;
    let chunks = s.channels / s.lanes;
    [s.size[0] * s.size[1] * chunks, chunks, s.size[0], s.size[1]].into_iter().for_each(|n| c.counter(n));
    let [kh, kw] = s.window.kernel;
    let across = s.window.dilation[1] * chunks;
    let down = s.window.dilation[0] * s.size[1] * chunks;
    let segment = |c: &mut Count, length: usize, times: usize| match length {
        0 => {}
        1..=3 => c.ff += (times * length * beat) as f64,
        l if l <= 33 || s.memory == Memory::Logic => {
            c.logic((times * beat) as f64 * (l as f64 / 32.0).ceil(), (times * beat) as f64);
        }
        l => {
            (0..times).for_each(|_| c.ram(l - 1, beat, s.memory));
            c.ff += (times * beat) as f64;
            (0..times).for_each(|_| c.counter(l));
        }
    };
    segment(c, across, kh * (kw - 1));
    segment(c, down.saturating_sub((kw - 1) * across), kh - 1);
    let padded = s.window.pads.iter().any(|p| *p > 0);
    c.logic(if padded { 0.5 * (s.elements() * input) as f64 } else { 0.0 } + 20.0, 8.0);
}

/// Trees of maxima or sums.
fn reduce(c: &mut Count, op: netfold_ir::hw::ReduceOp, n: usize, times: usize, bits: usize) {
    match op {
        netfold_ir::hw::ReduceOp::Sum => c.trees(times as f64, n, bits as f64),
        netfold_ir::hw::ReduceOp::Max => {
            let units = (times * n.saturating_sub(1)) as f64;
            c.logic(units * 1.5 * bits as f64, units * bits as f64 * 0.6);
        }
    }
}
