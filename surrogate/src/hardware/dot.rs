//! Matrix-vector and depthwise units: folded dot products, and constant products as shift-and-add.

use super::compress::{Operand, Select, Tree};
use super::count::Count;
use super::fabric::{Fabric, LutMemory};
use super::facts::Facts;
use super::recent::Recent;
use super::rom::{self, Columns, RomStats};
use netfold_ir::hw::latency::{default_memory, levels, tree_stages};
use netfold_ir::hw::linear::Linear;
use netfold_ir::hw::packing::Packing;
use netfold_ir::hw::{Matrix, Memory, Multiplier, Mvu, Vvu};
use netfold_ir::quant::IntType;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// Weights of a matrix beyond which only a share of the lanes is looked at.
const MOST_WEIGHTS: usize = 4096;

/// Units whose weights, and constant products, a thread remembers.
const KEPT: usize = 4;

/// Which weights meet in a firing.
pub(super) struct Folded<'a> {
    pub(super) weights: &'a Matrix,
    pub(super) facts: Rc<Facts>,
    pub(super) multiplier: Multiplier,
    pub(super) memory: Memory,
    /// Rows and columns multiplied in parallel.
    pub(super) rows: usize,
    pub(super) simd: usize,
    /// Row groups, beats of a row group.
    pub(super) groups: usize,
    pub(super) beats: usize,
    /// Beats that are multiplied with all groups as they come.
    pub(super) early: usize,
    /// Inputs a beat: `simd` of a matrix-vector unit, `simd * pe` of a depthwise one.
    pub(super) inputs: usize,
    /// Of rows that share DSP blocks; whether their sums stay together.
    pub(super) packing: Option<(Packing, bool)>,
}

/// The Booth digits of weights, digit `d` in bit `2 d`: where some weight has an odd digit (plus or minus one), an even one that is not
/// zero (plus or minus two), a negative one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Booth {
    one: u64,
    two: u64,
    negative: u64,
}

impl Booth {
    /// Of one weight.
    fn of(w: i64) -> Booth {
        const EVEN: u64 = 0x5555_5555_5555_5555;
        // Digit d is bit 2d-1 plus bit 2d less twice bit 2d+1.
        let (low, mid, high) = ((w << 1) as u64, w as u64, (w >> 1) as u64);
        let one = (low ^ mid) & EVEN;
        let two = !(low ^ mid) & (high ^ mid) & EVEN;
        Booth { one, two, negative: high & !(low & mid) & EVEN }
    }

    /// Of all weights of a lane, whose bits are `columns` of `length` elements, the sign last ([`rom::columns`]).
    fn of_columns(columns: &[u64], length: usize) -> Booth {
        let mut booth = Booth::default();
        let mut below: Option<&[u64]> = None;
        for (digit, pair) in columns.chunks(2 * length).enumerate() {
            let (middle, above) = pair.split_at(length);
            // The sign goes on above.
            let above = if above.is_empty() { middle } else { above };
            let (mut one, mut two, mut negative) = (0, 0, 0);
            for at in 0..length {
                let low = below.map_or(0, |below| below[at]);
                let (mid, high) = (middle[at], above[at]);
                one |= low ^ mid;
                two |= !(low ^ mid) & (high ^ mid);
                negative |= high & !(low & mid);
            }
            let any = |words: u64| u64::from(words != 0) << (2 * digit);
            booth.one |= any(one);
            booth.two |= any(two);
            booth.negative |= any(negative);
            below = Some(above);
        }
        booth
    }
}

/// Start value of the accumulator of a row: what the unsigned reading of inputs and the inversion of negative digits lack
/// (netfold_dot). An accumulator that adds takes one more off for every beat.
pub(super) fn start(row: &[i64], bits: u32, bipolar: bool, input: IntType) -> i64 {
    let offset = if input.signed { 1i64 << (input.bits - 1) } else { 0 };
    let operand = if bipolar { input.bits } else { input.bits + 1 };
    let mask = (1i64 << operand) - 1;
    // Digits beyond the weight's width repeat its sign and are not built.
    let kept = low_bits(2 * bits.div_ceil(2));
    row.iter().fold(0i64, |sum, w| {
        let negative = if bipolar { u64::from(*w < 0) } else { Booth::of(*w).negative & kept };
        let masks = mask.wrapping_mul(negative as i64);
        sum.wrapping_sub(w.wrapping_mul(offset)).wrapping_sub(masks)
    })
}

/// The lowest `n` bits set.
fn low_bits(n: u32) -> u64 {
    1u64.checked_shl(n).map_or(u64::MAX, |v| v - 1)
}

/// Sums of products in logic, of the rows that were looked at.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    tree: Tree,
    /// Lanes of which every row has only zero weights; 0 when not all rows were looked at.
    unused: usize,
    /// Lanes and digits of which the weights use any, of all.
    live: f64,
}

/// What a folding meets of the weights, whatever multiplies them.
struct Lanes {
    rom: RomStats,
    /// Of every lane of the rows that were looked at, row after row: the digits of its weights.
    lanes: Vec<Booth>,
    /// Rows looked at.
    looked: usize,
    /// By bits of the input, bits of the sum, and whether the weights are in block memory.
    sums: Recent<(u32, u32, bool), Sums, KEPT>,
    /// By type of the input and bits of the sum: start values in a memory in logic.
    starts: Recent<(IntType, u32), RomStats, KEPT>,
}

impl Folded<'_> {
    pub(super) fn words(&self) -> usize {
        self.groups * self.beats
    }

    /// Whether the weights are in block memory.
    pub(super) fn block(&self) -> bool {
        self.words() > 1 && matches!(self.memory, Memory::Block | Memory::Ultra)
    }

    /// What [`Folded::read`] gives, kept for the last few units of a thread: a search prices a unit with every multiplier, memory and
    /// order of work one after the other, and none of these matter to what is read.
    fn lanes(&self, bits: u32, bipolar: bool) -> Rc<Lanes> {
        thread_local!(static MEMO: Recent<[u64; 7], Rc<Lanes>, KEPT> = Recent::default());
        let [rows, simd, groups, beats] = [self.rows, self.simd, self.groups, self.beats].map(|v| v as u64);
        let key = [self.facts.hash, rows, simd, groups, beats, u64::from(bits), u64::from(bipolar)];
        thread_local!(static COLUMNS: RefCell<Columns> = RefCell::default());
        let read = || COLUMNS.with_borrow_mut(|columns| self.read(bits, bipolar, columns));
        MEMO.with(|m| m.get(|k| *k == key, || (key, Rc::new(read()))))
    }

    /// Rows that are looked at: whole ones, evenly spread, so that sums are seen as they are. The distance between them.
    fn step(&self) -> usize {
        let all = self.rows * self.simd * self.words();
        all.div_ceil(MOST_WEIGHTS).min(self.rows).max(1)
    }

    /// Reads the weights as the unit meets them.
    fn read(&self, bits: u32, bipolar: bool, contents: &mut Columns) -> Lanes {
        let words = self.words();
        let looked: Vec<usize> = (0..self.rows).step_by(self.step()).collect();
        let (cols, stride) = (self.weights.cols, self.rows * self.weights.cols);
        let weights = &self.weights.data;
        let weight = |w: i64| if bipolar { i64::from(w < 0) } else { w };
        let mut lanes = Vec::with_capacity(looked.len() * self.simd);
        if words == 1 {
            lanes.extend(looked.iter().flat_map(|r| self.weights.row(*r)).map(|w| Booth::of(weight(*w))));
        } else {
            contents.begin(words, true);
            let length = words.div_ceil(64);
            let mut stored = vec![0i64; words];
            let mut columns = vec![0u64; bits.min(64) as usize * length];
            for first in looked.iter().flat_map(|r| (0..self.simd).map(move |i| r * cols + i)) {
                for (g, stored) in stored.chunks_mut(self.beats).enumerate() {
                    let line = &weights[first + g * stride..];
                    stored.iter_mut().enumerate().for_each(|(b, word)| *word = weight(line[b * self.simd]));
                }
                rom::columns(&stored, &mut columns);
                contents.add(&columns);
                lanes.push(Booth::of_columns(&columns, length));
            }
        }
        let rom = if words == 1 { RomStats::default() } else { contents.stats() };
        Lanes { rom, lanes, looked: looked.len(), sums: Recent::default(), starts: Recent::default() }
    }

    /// The sums of products with `digits` digits of inputs of `in_bits` bits, modulo `2^acc`.
    fn sums(&self, read: &Lanes, bipolar: bool, digits: usize, in_bits: u32, acc: u32) -> Sums {
        // Nothing is known of what block memory gives; then, as with signs alone, a row is like any other.
        let unknown = self.block() && !bipolar;
        let (rows, times) = if unknown || bipolar { (1, read.looked) } else { (read.looked, 1) };
        let operand = if bipolar { in_bits } else { in_bits + 1 };
        let sum_bits = (operand + levels(self.simd)).min(acc);
        let width = |flags: &Booth, d: usize| {
            let has = |f: u64| f >> (2 * d) & 1 == 1;
            match (has(flags.one), has(flags.two) || has(flags.negative)) {
                _ if unknown || bipolar => operand,
                (_, true) => in_bits + 1,
                (true, false) => in_bits,
                (false, false) => 0,
            }
        };
        let mut tree = Tree::default();
        let mut live = 0usize;
        let mut used = vec![self.step() > 1; self.simd];
        let (mut lanes, mut parts) = (Vec::with_capacity(self.simd), Vec::with_capacity(digits));
        for row in read.lanes.chunks(self.simd).take(rows) {
            parts.clear();
            for d in 0..digits {
                lanes.clear();
                for (flags, used) in row.iter().zip(&mut used) {
                    let width = width(flags, d);
                    live += usize::from(width > 0);
                    *used |= width > 0;
                    lanes.push(Operand { offset: 0, width, select: Select::Weight });
                }
                let sum = tree.reduce(&mut lanes, sum_bits);
                parts.push(Operand { offset: sum.offset + 2 * d as u32, ..sum });
            }
            let sum = tree.reduce(&mut parts, acc);
            if sum.select == Select::Weight {
                // Of one lane and one digit: selected in front of the accumulator's adder.
                tree.select += f64::from(sum.width);
            }
        }
        [&mut tree.select, &mut tree.adder, &mut tree.ff].into_iter().for_each(|v| *v *= times as f64);
        Sums {
            tree,
            unused: used.iter().filter(|u| !**u).count(),
            live: (times * live) as f64 / (read.lanes.len() * digits).max(1) as f64,
        }
    }

    /// The start values of the accumulators, one word a row group, in a memory in logic.
    fn start_values(&self, bits: u32, bipolar: bool, input: IntType, acc: u32) -> RomStats {
        // Of large units only some rows; what they have in common with the others is their number of bits.
        let step = (self.weights.rows * self.weights.cols).div_ceil(4 * MOST_WEIGHTS).min(self.rows).max(1);
        let looked: Vec<usize> = (0..self.rows).step_by(step).collect();
        let starts = self.facts.starts(self.weights, bits, bipolar, input);
        let ones = if self.beats > 1 { self.beats as i64 } else { 0 };
        let value = |g: usize, r: usize| starts[g * self.rows + r] - ones;
        rom::of_fields(self.groups, |g| looked.iter().map(|r| (value(g, *r), acc)).collect())
            .scaled(self.rows as f64 / looked.len() as f64)
    }

    fn count(&self, input: IntType, output: IntType, rule: &Fabric) -> Count {
        let mut c = Count::default();
        let dsp = self.multiplier.is_dsp();
        let bipolar = !dsp && self.facts.bipolar;
        let bits = if bipolar { 1 } else { self.facts.bits };
        let digits = if dsp {
            0
        } else if bipolar {
            1
        } else {
            bits.div_ceil(2) as usize
        };
        let read = self.lanes(bits, bipolar);
        let share = self.rows as f64 / read.looked as f64;
        let rom = read.rom.scaled(share);
        let words = self.words();
        let (rows, acc) = (self.rows as f64, output.bits);
        let accumulate = self.beats > 1;
        let block = self.block();
        let mut live = 0.0;

        // Weights: position counter, memory, operand register. Three LUTs of handshakes.
        c.control += 3.0;
        if block {
            c.counter(words, false);
            c.ff += 1.0;
            c.bram18 += super::memory::blocks(words, rom.live.round() as usize, rule);
            // The operand register behind the memory's own becomes part of a multiplier block.
            if !dsp || !rule.registers {
                c.ff += rom.live;
            }
        } else {
            c.address(words);
            c.rom(&rom, 1.0);
            // Constant and repeated columns are left out of logic units and of pairs of rows alone.
            if !dsp || self.packing.is_some() && !rule.registers {
                c.ff += rom.columns;
            } else if !rule.registers {
                c.ff += (self.rows * self.simd) as f64 * f64::from(bits);
            }
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

        if let Some(packing) = self.packing {
            self.packed(&mut c, packing, [input, output], &rom, rule);
        } else if dsp {
            self.blocks(&mut c, self.rows, bits, input, acc, rule);
        } else {
            let key = (input.bits, acc, block);
            let sums = || self.sums(&read, bipolar, digits, input.bits, acc);
            let sums = read.sums.get(|k| *k == key, || (key, sums()));
            let tree = sums.tree;
            live = sums.live;
            c.select += share * tree.select;
            // The accumulator's adder selects between the start value and the last sum: a LUT a bit.
            c.adder += share * tree.adder + rows * f64::from(acc);
            c.ff += share * tree.ff + rows * f64::from(acc);
            c.ff -= (sums.unused * self.inputs / self.simd) as f64 * f64::from(input.bits);
            // Start values, one word a row group.
            if self.groups > 1 {
                c.sequence(self.groups);
                let key = (input, acc);
                let stats = read.starts.get(|k| *k == key, || (key, self.start_values(bits, bipolar, input, acc)));
                // Yosys gives the memory registers of its own beside its address register.
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
        c.about.columns = rom.columns;
        c.about.live_share = live;
        c.about.ones = rom.ones;
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
pub fn mvu(m: &Mvu, input: IntType, output: IntType, rule: &Fabric) -> Count {
    if m.is_shift_add() {
        return constant(&m.weights, None, input, output);
    }
    let (groups, beats) = (m.neuron_fold(), m.synapse_fold());
    let facts = Facts::of(&m.weights);
    let folded = Folded {
        weights: &m.weights,
        facts: facts.clone(),
        multiplier: m.built(),
        memory: m.memory,
        rows: m.pe,
        simd: m.simd,
        groups,
        beats,
        early: m.early,
        inputs: m.simd,
        packing: m.built().is_packed().then(|| {
            let sums = m.sums_packed();
            (Packing::new(&facts.range, sums, input), sums)
        }),
    };
    let mut c = folded.count(input, output, rule);
    let x = (folded.inputs * input.bits as usize) as f64;
    // Registers that feed multiplier blocks alone become part of them.
    let absorbed = m.multiplier.is_dsp() && c.dsp > 0 && rule.registers;
    if m.early > 0 {
        let rest = beats - m.early;
        c.counter(groups, true);
        c.counter(m.early, true);
        c.counter(rest, true);
        c.counter(groups, true);
        c.counter(groups, false);
        c.ff += 2.0 + f64::from(levels(groups));
        let sums = m.pe * output.bits as usize;
        super::memory::ram(&mut c, groups, sums, Memory::Lut, rule);
        if rest > 1 {
            vector(&mut c, rest, x as usize, rule);
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
        vector(&mut c, beats, x as usize, rule);
        c.mux += 2.0 * x;
    }
    if !absorbed {
        c.ff += x;
    }
    c
}

/// Cost of keeping one write port, and one read port whose address register is apart, in LUT memory: `cost`, `widthscale` of
/// RAM32M in Yosys' `lutrams_xc5v.txt`, and twice the score of the register; a bit in flip-flops costs 1 (`memory_libmap`).
fn ram_cost(width: usize) -> f64 {
    let rest = width % 6;
    8.0 + 8.0 * (width / 6) as f64 + if rest > 0 { 1.0 + 7.0 * rest as f64 / 6.0 } else { 0.0 }
}

/// The buffer that keeps a vector of `beats` beats.
fn vector(c: &mut Count, beats: usize, width: usize, rule: &Fabric) {
    let address = f64::from(levels(beats));
    c.control += 2.0 + address;
    if default_memory(beats, width) == Memory::Block {
        super::memory::ram(c, beats, width, Memory::Block, rule);
        return;
    }
    // The address register is kept beside the memory's own.
    c.ff += address;
    if rule.memory != LutMemory::Ram32m {
        super::memory::ram(c, beats, width, Memory::Lut, rule);
    } else if (beats * width) as f64 <= ram_cost(width) {
        c.ff += (beats * width) as f64;
        c.mux += (beats * width) as f64;
    } else {
        c.lutram += super::memory::lutram(beats, width) as f64;
        c.mux += (width * (beats.div_ceil(64) - 1)) as f64;
    }
}

/// A depthwise unit.
pub fn vvu(v: &Vvu, input: IntType, output: IntType, rule: &Fabric) -> Count {
    if v.is_shift_add() {
        return constant(&v.weights, Some(v.multiplicity), input, output);
    }
    let beats = v.weights.cols / v.simd;
    let folded = Folded {
        weights: &v.weights,
        facts: Facts::of(&v.weights),
        multiplier: v.multiplier,
        memory: v.memory,
        rows: v.pe * v.multiplicity,
        simd: v.simd,
        groups: v.channels() / v.pe,
        beats,
        early: 0,
        inputs: v.simd * v.pe,
        packing: None,
    };
    let mut c = folded.count(input, output, rule);
    c.counter(beats, true);
    let x = (folded.inputs * input.bits as usize) as f64;
    if !v.multiplier.is_dsp() || c.dsp == 0 || !rule.registers {
        c.ff += x;
    }
    c.about.taps = v.weights.cols as f64;
    c
}

/// As [`shift_add`], kept for the last few units of a thread: a search prices one with any number of pixels.
fn constant(weights: &Arc<Matrix>, multiplicity: Option<usize>, input: IntType, output: IntType) -> Count {
    thread_local!(static MEMO: Recent<(u64, Option<usize>, IntType, IntType), Count, KEPT> = Recent::default());
    let key = (Facts::of(weights).hash, multiplicity, input, output);
    MEMO.with(|m| m.get(|k| *k == key, || (key, shift_add(weights, multiplicity, input, output))))
}

/// All weights constant: every column's odd multiples once, then a tree a row.
///
/// `multiplicity`: of a depthwise unit, whose rows have inputs of their own, so many rows an input.
fn shift_add(weights: &Matrix, multiplicity: Option<usize>, input: IntType, output: IntType) -> Count {
    let mut c = Count::default();
    let inputs = multiplicity.map_or(1, |m| weights.rows / m.max(1)) * weights.cols;
    let row = |r: usize| {
        let mut row = vec![0; inputs];
        let from = multiplicity.map_or(0, |m| r / m.max(1)) * weights.cols;
        row[from..from + weights.cols].copy_from_slice(weights.row(r));
        (row, 0)
    };
    let range = super::act::type_range(input);
    // Of large matrices some rows, evenly spread.
    let step = (weights.rows * weights.cols).div_ceil(4 * MOST_WEIGHTS).clamp(1, weights.rows.max(1));
    let rows: Vec<_> = (0..weights.rows).step_by(step).map(row).collect();
    let share = weights.rows as f64 / rows.len().max(1) as f64;
    let graph = Linear::new(&vec![range; inputs], &rows);
    let totals = c.linear(&graph, share, |_| 0);
    let nonzero = weights.data.iter().filter(|w| **w != 0).count();
    c.about.in_bits = f64::from(input.bits);
    c.about.out_bits = f64::from(output.bits);
    c.about.weight_bits = f64::from(weights.weight_bits());
    c.about.lanes = weights.cols as f64;
    c.about.rows = weights.rows as f64;
    c.about.operands = nonzero as f64;
    c.about.digits = share * totals.adds;
    c.about.width = f64::from(totals.widest);
    c.about.live_share = nonzero as f64 / (weights.rows * weights.cols).max(1) as f64;
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booth_digits_add_up_to_their_weight() {
        for w in (-40_000i64..40_000).chain([i64::from(i32::MIN), i64::from(i32::MAX)]) {
            let b = Booth::of(w);
            assert_eq!((b.one & b.two, b.negative & !(b.one | b.two)), (0, 0));
            let digit = |d: usize| {
                let has = |f: u64| (f >> (2 * d) & 1) as i64;
                (has(b.one) + 2 * has(b.two)) * (1 - 2 * has(b.negative))
            };
            assert_eq!((0..20).map(|d| digit(d) << (2 * d)).sum::<i64>(), w);
        }
    }

    #[test]
    fn digits_of_a_lane_are_those_of_its_weights() {
        for (bits, n) in [(1, 3), (2, 64), (5, 7), (8, 65), (64, 130)] {
            let weights: Vec<i64> = (0i64..n)
                .map(|i| i.wrapping_mul(0x1234_5678_9abc_def1) ^ (i << 7))
                .map(|w| w << (64 - bits) >> (64 - bits))
                .collect();
            let length = weights.len().div_ceil(64);
            let mut columns = vec![0; bits * length];
            rom::columns(&weights, &mut columns);
            let all = weights.iter().fold(Booth::default(), |all, w| {
                let w = Booth::of(*w);
                Booth { one: all.one | w.one, two: all.two | w.two, negative: all.negative | w.negative }
            });
            assert_eq!(Booth::of_columns(&columns, length), all, "{bits} {n}");
        }
    }

    #[test]
    fn start_values_are_what_inverted_digits_and_offsets_lack() {
        let input = IntType::new(true, 5);
        for row in [[3i64, -7, 0, 6], [-8, 7, -1, 2]] {
            // An inverted operand is all ones less than the negative one.
            let ones = |w: i64| {
                (0..2).filter(|d| Booth::of(w).negative >> (2 * d) & 1 == 1).map(|d| 63i64 << (2 * d)).sum::<i64>()
            };
            let lacking: i64 = row.iter().map(|w| -w * 16 - ones(*w)).sum();
            assert_eq!(start(&row, 4, false, input), lacking);
        }
        assert_eq!(start(&[1, -1, -1], 1, true, IntType::new(false, 3)), -14);
    }
}
