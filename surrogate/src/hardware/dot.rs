//! Matrix-vector and depthwise units: folded dot products, and constant products as shift-and-add.

use super::count::Count;
use super::dsp::DspRule;
use super::rom::{Columns, RomStats, word_key};
use netfold_ir::hw::latency::{default_memory, levels, signed_digits, tree_stages};
use netfold_ir::hw::{Matrix, Memory, Multiplier, Mvu, Vvu};
use netfold_ir::quant::IntType;

/// Weights of a matrix beyond which only a share of the lanes is looked at.
const MOST_WEIGHTS: usize = 4096;

/// Which weights meet in a firing.
struct Folded<'a> {
    weights: &'a Matrix,
    multiplier: Multiplier,
    memory: Memory,
    /// Rows and columns multiplied in parallel.
    rows: usize,
    simd: usize,
    /// Row groups, beats of a row group.
    groups: usize,
    beats: usize,
    /// Beats that are multiplied with all groups as they come.
    early: usize,
    /// Inputs a beat: `simd` of a matrix-vector unit, `simd * pe` of a depthwise one.
    inputs: usize,
}

/// What a lane's weights are over all words: flags of every Booth digit (1: one, 2: two, 4: negative).
const ONE: u8 = 1;
const TWO: u8 = 2;
const NEGATIVE: u8 = 4;

/// Digits of the widest weight.
const MOST_DIGITS: usize = 33;

/// Booth digit `d` of a weight of `bits` bits, as flags.
fn digit(w: i64, bits: u32, d: usize) -> u8 {
    let bit = |i: usize| w >> i.min(bits as usize - 1).min(63) & 1;
    let low = if d == 0 { 0 } else { bit(2 * d - 1) };
    match low + bit(2 * d) - 2 * bit(2 * d + 1) {
        1 => ONE,
        2 => TWO,
        -1 => ONE | NEGATIVE,
        -2 => TWO | NEGATIVE,
        _ => 0,
    }
}

/// Start value of a row's accumulator: what the unsigned reading of inputs and the inversion of negative digits lack (netfold_dot).
fn start(row: &[i64], bits: u32, bipolar: bool, input: IntType) -> i64 {
    let offset = if input.signed { 1i64 << (input.bits - 1) } else { 0 };
    let operand = if bipolar { input.bits } else { input.bits + 1 };
    let mask = (1i64 << operand) - 1;
    let digits = if bipolar { 1 } else { bits.div_ceil(2) as usize };
    row.iter().fold(0i64, |sum, w| {
        let negative = |d: usize| if bipolar { *w < 0 } else { digit(*w, bits, d) & NEGATIVE != 0 };
        let masks =
            (0..digits).filter(|d| negative(*d)).fold(0i64, |m, d| m.wrapping_add(mask.wrapping_shl(2 * d as u32)));
        sum.wrapping_sub(w.wrapping_mul(offset)).wrapping_sub(masks)
    })
}

/// What the contents of the weights make of the unit.
struct Contents {
    rom: RomStats,
    /// Bits of every operand that is not always zero: `[row][digit]` lists, for the rows that were looked at.
    operands: Vec<Vec<Vec<u32>>>,
    /// Rows that each list stands for.
    share: f64,
    /// Lanes and digits of which the weights use any, of all.
    live: f64,
}

impl Folded<'_> {
    fn words(&self) -> usize {
        self.groups * self.beats
    }

    /// Reads the weights as the unit meets them. `digits`: of a multiplier in logic; 0 for none.
    fn contents(&self, bits: u32, bipolar: bool, digits: usize, in_bits: u32) -> Contents {
        let words = self.words();
        let all = self.rows * self.simd * words;
        // Whole rows, evenly spread, so that sums are seen as they are.
        let step = all.div_ceil(MOST_WEIGHTS).min(self.rows).max(1);
        let looked: Vec<usize> = (0..self.rows).step_by(step).collect();
        let share = self.rows as f64 / looked.len() as f64;
        let mut columns = Columns::new(words);
        let mut operands = Vec::with_capacity(looked.len());
        let (mut live, mut lanes) = (0usize, 0usize);
        let mut hashes = [0u64; 64];
        let mut ones = [0usize; 64];
        let wide = bits.min(64) as usize;
        for &r in &looked {
            let mut row = vec![Vec::with_capacity(self.simd); digits];
            for i in 0..self.simd {
                hashes[..wide].fill(0);
                ones[..wide].fill(0);
                let mut flags = [0u8; MOST_DIGITS];
                for g in 0..self.groups {
                    let line = self.weights.row(g * self.rows + r);
                    for s in 0..self.beats {
                        let w = line[s * self.simd + i];
                        let stored = if bipolar { i64::from(w < 0) } else { w };
                        let key = word_key(g * self.beats + s);
                        for b in 0..wide {
                            if stored >> b & 1 == 1 {
                                hashes[b] ^= key;
                                ones[b] += 1;
                            }
                        }
                        for (d, f) in flags[..digits].iter_mut().enumerate() {
                            *f |= if bipolar { ONE | (NEGATIVE * u8::from(w < 0)) } else { digit(w, bits, d) };
                        }
                    }
                }
                for b in 0..wide {
                    columns.add(hashes[b], ones[b]);
                }
                for (d, operands) in row.iter_mut().enumerate() {
                    lanes += 1;
                    let f = flags[d];
                    live += usize::from(f != 0);
                    operands.push(match f {
                        0 => 0,
                        ONE => in_bits,
                        _ if bipolar => in_bits,
                        _ => in_bits + 1,
                    });
                }
            }
            operands.push(row);
        }
        Contents { rom: columns.stats().scaled(share), operands, share, live: live as f64 / lanes.max(1) as f64 }
    }

    fn count(&self, input: IntType, output: IntType, rule: &DspRule) -> Count {
        let mut c = Count::default();
        let dsp = self.multiplier.is_dsp();
        let bipolar = !dsp && self.weights.is_bipolar();
        let bits = if bipolar { 1 } else { self.weights.weight_bits() };
        let digits = if dsp {
            0
        } else if bipolar {
            1
        } else {
            bits.div_ceil(2) as usize
        };
        let contents = self.contents(bits, bipolar, digits, input.bits);
        let words = self.words();
        let (rows, acc) = (self.rows as f64, output.bits);
        let accumulate = self.beats > 1;
        let block = words > 1 && matches!(self.memory, Memory::Block | Memory::Ultra);

        // Weights: position counter, memory, operand register.
        c.counter(words, false);
        if block {
            c.ff += 1.0;
            c.bram18 += super::memory::bram18(words, contents.rom.live.round() as usize);
            c.ff += contents.rom.live;
        } else {
            c.rom(&contents.rom, 1.0);
            c.ff += contents.rom.columns;
        }

        // Flags on their way to the accumulator.
        let to_acc = if dsp { 1 + tree_stages(self.simd) } else { tree_stages(self.simd) + tree_stages(digits) };
        let flags = if self.early > 0 {
            5
        } else if accumulate {
            3
        } else {
            1
        };
        c.flags(flags, 1 + to_acc);
        if !dsp || accumulate {
            c.ff += 1.0;
        }

        if dsp {
            let x_bits = input.bits + u32::from(!input.signed);
            let product = x_bits + bits;
            let blocks = rule.blocks(x_bits, bits, product.min(acc.max(product)));
            let all = rows * self.simd as f64;
            c.dsp = blocks * self.rows * self.simd;
            c.about.flag_c = blocks as f64;
            if blocks == 0 {
                c.select += all * f64::from(x_bits * bits) * 0.6;
                c.ff += all * f64::from(product);
            }
            let operands = vec![product; self.simd];
            c.tree(&operands, acc, rows);
            // With one product a row the block's own register accumulates.
            if accumulate && !(self.simd == 1 && blocks == 1) {
                c.adder += rows * f64::from(acc);
                c.ff += rows * f64::from(acc);
            }
        } else {
            let log = levels(self.simd);
            let operand = if bipolar { input.bits } else { input.bits + 1 };
            let sum_bits = (operand + log).min(acc);
            for row in &contents.operands {
                let mut parts = Vec::with_capacity(digits);
                for (d, lanes) in row.iter().enumerate() {
                    c.select += contents.share * lanes.iter().map(|w| f64::from(*w)).sum::<f64>();
                    let sum = c.tree(lanes, sum_bits, contents.share);
                    parts.push(if sum.bits == 0 { 0 } else { (sum.bits + 2 * d as u32).min(acc) });
                }
                c.tree(&parts, acc, contents.share);
            }
            c.adder += rows * f64::from(acc);
            c.ff += rows * f64::from(acc);
            // Start values, one word a row group; Yosys moves the address register behind the memory.
            if self.groups > 1 {
                c.counter(self.groups, false);
                // Of large units only some rows; what they have in common with the others is their number of bits.
                let step = (self.weights.rows * self.weights.cols).div_ceil(4 * MOST_WEIGHTS).min(self.rows).max(1);
                let looked: Vec<usize> = (0..self.rows).step_by(step).collect();
                let value = |g: usize, r: usize| start(self.weights.row(g * self.rows + r), bits, bipolar, input);
                let stats =
                    super::rom::of_fields(self.groups, |g| looked.iter().map(|r| (value(g, *r), acc)).collect())
                        .scaled(rows / looked.len() as f64);
                c.rom(&stats, 1.0);
                c.ff += stats.columns;
            }
        }
        c.about.in_bits = f64::from(input.bits);
        c.about.out_bits = f64::from(acc);
        c.about.weight_bits = f64::from(bits);
        c.about.lanes = self.simd as f64;
        c.about.rows = rows;
        c.about.words = words as f64;
        c.about.beats = self.beats as f64;
        c.about.groups = self.groups as f64;
        c.about.operands = rows * self.simd as f64;
        c.about.digits = digits as f64;
        c.about.columns = contents.rom.columns;
        c.about.live_share = contents.live;
        c.about.ones = contents.rom.ones;
        c.about.width = rows * self.simd as f64 * f64::from(bits);
        c.about.flag_a = if self.early > 0 { 2.0 } else { f64::from(u8::from(accumulate)) };
        c.about.flag_b = f64::from(u8::from(block));
        if !dsp {
            c.about.flag_c = f64::from(u8::from(bipolar)) + 2.0 * f64::from(u8::from(input.signed));
        }
        c
    }
}

/// A matrix-vector unit.
pub fn mvu(m: &Mvu, input: IntType, output: IntType, rule: &DspRule) -> Count {
    if m.is_shift_add() {
        return shift_add(&m.weights, input, output);
    }
    let (groups, beats) = (m.neuron_fold(), m.synapse_fold());
    let folded = Folded {
        weights: &m.weights,
        multiplier: m.built(),
        memory: m.memory,
        rows: m.pe,
        simd: m.simd,
        groups,
        beats,
        early: m.early,
        inputs: m.simd,
    };
    let mut c = folded.count(input, output, rule);
    if let Some(packing) = m.packing(input) {
        super::packed::share(&mut c, m, packing, [input, output], rule);
    }
    let x = (folded.inputs * input.bits as usize) as f64;
    // Registers that feed multiplier blocks alone become part of them.
    let absorbed = m.multiplier.is_dsp() && c.dsp > 0;
    if m.early > 0 {
        let rest = beats - m.early;
        c.counter(groups, true);
        c.counter(m.early, true);
        c.counter(rest, true);
        c.counter(groups, true);
        c.counter(groups, false);
        c.ff += 2.0 + f64::from(levels(groups));
        let sums = m.pe * output.bits as usize;
        super::memory::ram(&mut c, groups, sums, Memory::Lut);
        c.mux += sums as f64;
        if rest > 1 {
            vector(&mut c, rest, x as usize);
        }
        c.mux += x;
        if !absorbed {
            c.ff += x;
        }
        return c;
    }
    c.counter(beats, true);
    c.counter(groups, true);
    if groups > 1 && beats > 1 {
        vector(&mut c, beats, x as usize);
        c.mux += x;
    } else {
        c.registers_input = true;
        c.fed = if absorbed { x } else { 0.0 };
    }
    if !absorbed {
        c.ff += x;
    }
    c
}

/// The buffer that keeps a vector of `beats` beats.
fn vector(c: &mut Count, beats: usize, width: usize) {
    let memory = default_memory(beats, width);
    super::memory::ram(c, beats, width, if memory == Memory::Logic { Memory::Lut } else { memory });
}

/// A depthwise unit.
pub fn vvu(v: &Vvu, input: IntType, output: IntType, rule: &DspRule) -> Count {
    if v.is_shift_add() {
        return shift_add(&v.weights, input, output);
    }
    let beats = v.weights.cols / v.simd;
    let folded = Folded {
        weights: &v.weights,
        multiplier: v.multiplier,
        memory: v.memory,
        rows: v.pe * v.multiplicity,
        simd: v.simd,
        groups: v.channels() / v.pe,
        beats,
        early: 0,
        inputs: v.simd * v.pe,
    };
    let mut c = folded.count(input, output, rule);
    c.counter(beats, true);
    let x = (folded.inputs * input.bits as usize) as f64;
    c.registers_input = true;
    if v.multiplier.is_dsp() && c.dsp > 0 {
        c.fed = x
    } else {
        c.ff += x
    }
    c.about.taps = v.weights.cols as f64;
    c
}

/// All weights constant: every column's odd multiples once, then a tree a row.
fn shift_add(weights: &Matrix, input: IntType, output: IntType) -> Count {
    let mut c = Count::default();
    let size = |v: i64| 64 - v.unsigned_abs().leading_zeros();
    let x = input.bits + u32::from(!input.signed);
    let step = (weights.rows * weights.cols).div_ceil(4 * MOST_WEIGHTS).max(1);
    let (mut nonzero, mut digits, mut multiples) = (0usize, 0u64, 0usize);
    for col in (0..weights.cols).step_by(step) {
        let column = (0..weights.rows).map(|r| weights.data[r * weights.cols + col]).filter(|w| *w != 0);
        let mut odd: Vec<i64> = column.map(|w| (w >> w.trailing_zeros()).abs()).filter(|w| *w > 1).collect();
        odd.sort_unstable();
        odd.dedup();
        multiples += odd.len() * step;
        for v in odd {
            let extra = f64::from(signed_digits(v).saturating_sub(1)).sqrt();
            c.adder += step as f64 * extra * f64::from(x + size(v));
            c.ff += 0.5 * step as f64 * f64::from(x + size(v));
        }
    }
    let row_step = step.min(weights.rows);
    for r in (0..weights.rows).step_by(row_step) {
        let terms: Vec<u32> = weights.row(r).iter().filter(|w| **w != 0).map(|w| x + size(*w)).collect();
        nonzero += terms.len() * row_step;
        digits += weights.row(r).iter().map(|w| u64::from(signed_digits(*w))).sum::<u64>() * row_step as u64;
        c.tree(&terms, output.bits, row_step as f64);
    }
    c.about.in_bits = f64::from(input.bits);
    c.about.out_bits = f64::from(output.bits);
    c.about.weight_bits = f64::from(weights.weight_bits());
    c.about.lanes = weights.cols as f64;
    c.about.rows = weights.rows as f64;
    c.about.operands = nonzero as f64;
    c.about.digits = digits as f64;
    c.about.columns = multiples as f64;
    c.about.live_share = nonzero as f64 / (weights.rows * weights.cols).max(1) as f64;
    c
}
