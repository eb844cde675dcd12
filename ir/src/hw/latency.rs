//! Pipeline depth of every kind of module, in cycles. The primitives in `templates/verilog` have exactly these depths.

use super::Module;
use super::act::{MulShift, Realization};
use super::modules::{BroadcastOp, Kind, Matrix, Memory, Multiplier, Mvu, Vvu};

/// Adder levels computed between two pipeline registers.
pub const ADDER_LEVELS_PER_STAGE: u32 = 2;

/// Most thresholds that are compared all at once; more are searched one bit of the result at a time.
pub const PARALLEL_THRESHOLDS: usize = 7;

/// Words of the largest memory that is read and used in the same cycle by a threshold search.
pub const SEARCH_WORDS_PER_STAGE: usize = 64;

/// Words of the largest lookup table that is logic; larger ones are block memory with an output register.
pub const LOGIC_TABLE_WORDS: usize = 256;

/// Levels of a binary tree over `n` operands: the binary logarithm, rounded up; 0 for none.
pub fn levels(n: usize) -> u32 {
    usize::BITS - n.saturating_sub(1).leading_zeros()
}

/// Register stages of a tree that adds `n` operands.
pub fn tree_stages(n: usize) -> usize {
    levels(n).div_ceil(ADDER_LEVELS_PER_STAGE) as usize
}

/// Non-zero digits of the canonical signed-digit form (G. W. Reitwiesner, Binary Arithmetic, 1960): the additions and
/// subtractions that a product with `v` costs, plus one.
pub fn signed_digits(v: i64) -> u32 {
    match v.checked_mul(3) {
        Some(triple) => (v ^ triple).count_ones(),
        None => (i128::from(v) ^ (3 * i128::from(v))).count_ones(),
    }
}

/// Register stages of constant sums of products `sum_i c_i * x_i (+ constant)` in shift-and-add, one row of coefficients each:
/// the levels of the costliest product, then those of the longest sum, [`ADDER_LEVELS_PER_STAGE`] to a stage. A sum without any
/// positive term has one more operand, zero, that the others are subtracted from.
pub fn linear_stages<'a>(rows: impl IntoIterator<Item = (&'a [i64], bool)>) -> usize {
    // The most digits of a product, the levels of the longest sum.
    let (mut product, mut sum) = (0, 0);
    for (row, constant) in rows {
        let used = row.iter().filter(|c| **c != 0).count();
        let negated = used > 0 && row.iter().all(|c| *c <= 0);
        let terms = used + usize::from(constant || negated);
        sum = sum.max(levels(terms));
        product = row.iter().map(|c| signed_digits(*c)).fold(product, u32::max);
    }
    (levels(product as usize) + sum).div_ceil(ADDER_LEVELS_PER_STAGE) as usize
}

impl Matrix {
    /// Whether every weight is -1 or +1, so that it is stored in one bit.
    pub fn is_bipolar(&self) -> bool {
        self.data.iter().all(|w| w.abs() == 1)
    }

    /// Bits of the narrowest two's complement that holds every weight.
    pub fn weight_bits(&self) -> u32 {
        let used = self.data.iter().fold(0, |used, w| used | (w ^ (w >> 63)));
        65 - used.leading_zeros()
    }

    /// Radix-4 digits of a weight in a multiplier in logic.
    pub fn booth_digits(&self) -> usize {
        if self.is_bipolar() { 1 } else { self.weight_bits().div_ceil(2) as usize }
    }
}

impl Module {
    /// Cycles from a firing to the write of its result into the output's FIFO (see the module doc of [`super`]).
    pub fn latency(&self) -> usize {
        match &self.kind {
            Kind::Source { .. } | Kind::Sink { .. } | Kind::Fork { .. } | Kind::Concat { .. } | Kind::Select { .. } => {
                0
            }
            Kind::Dwc { .. } | Kind::Pad { .. } | Kind::Swu(_) => 0,
            Kind::Mvu(m) => mvu(m),
            Kind::Vvu(v) => vvu(v),
            Kind::Act { function, lanes, .. } => act(function, *lanes),
            Kind::WindowReduce { taps, .. } => tree_stages(*taps),
            Kind::GlobalReduce { .. } => 2,
            Kind::VectorReduce { lanes, .. } => tree_stages(*lanes) + 1,
            Kind::ArgMax { lanes, .. } => tree_stages(*lanes) + 1,
            Kind::Broadcast { op: BroadcastOp::RSub, .. } => 2,
            Kind::Broadcast { op: BroadcastOp::Mul, .. } => 4,
            Kind::LinComb { coefficients, constant, lanes, .. } => lincomb(coefficients, constant, *lanes),
            Kind::Mul { multiplier, .. } if multiplier.is_dsp() => 3,
            Kind::Mul { .. } => 4,
            Kind::Reorder { .. } => 1,
            Kind::Upsample { .. } => 1,
            Kind::Program(p) => p.latency(),
        }
    }
}

impl Mvu {
    /// Whether the weights are the same in every cycle and the products are shift-and-add.
    pub fn is_shift_add(&self) -> bool {
        self.neuron_fold() * self.synapse_fold() == 1 && self.multiplier == Multiplier::Lut
    }
}

impl Vvu {
    /// Whether the weights are the same in every cycle and the products are shift-and-add.
    pub fn is_shift_add(&self) -> bool {
        self.pe == self.channels() && self.simd == self.weights.cols && self.multiplier == Multiplier::Lut
    }
}

/// Shift-and-add rows, or a folded dot product.
fn mvu(m: &Mvu) -> usize {
    if m.is_shift_add() { matrix_stages(&m.weights) } else { dot(m.built(), &m.weights, m.simd, m.synapse_fold()) }
}

/// As [`mvu`].
fn vvu(v: &Vvu) -> usize {
    if v.is_shift_add() {
        matrix_stages(&v.weights)
    } else {
        dot(v.multiplier, &v.weights, v.simd, v.weights.cols / v.simd)
    }
}

fn matrix_stages(weights: &Matrix) -> usize {
    linear_stages((0..weights.rows).map(|r| (weights.row(r), false)))
}

/// Operand registers; then product in the DSP block, adder tree and (for several beats) accumulator; or, in logic, tree over the
/// lanes with the digits' selection in its first level, tree over the digits, and accumulator. Packed products always have the
/// accumulator, which completes the upper one.
fn dot(multiplier: Multiplier, weights: &Matrix, simd: usize, beats: usize) -> usize {
    match multiplier {
        Multiplier::Dsp => 2 + tree_stages(simd) + usize::from(beats > 1),
        Multiplier::Packed | Multiplier::PackedSum => 3 + tree_stages(simd),
        Multiplier::Lut => 1 + tree_stages(simd) + tree_stages(weights.booth_digits()) + 1,
    }
}

/// Whether a lane sees the same parameters in every beat, given the flat period of the parameters.
pub fn constant_in_lane(period: usize, lanes: usize) -> bool {
    lanes.is_multiple_of(period)
}

fn act(function: &Realization, lanes: usize) -> usize {
    let constant = constant_in_lane(function.period(), lanes);
    match function {
        Realization::MulShift(m) => mul_shift(m, constant),
        Realization::TwoSlopes(n, p) => 4 + usize::from(n.rounds_separately() || p.rounds_separately()),
        Realization::Thresholds(t) => {
            let n = t.thresholds.first().map_or(0, Vec::len);
            if n <= PARALLEL_THRESHOLDS { 2 } else { search_steps(n) * search_step(function, n, lanes) + 1 }
        }
        Realization::Table(t) => {
            let lookup = if table_words(function, t.entries[0].len(), lanes) <= LOGIC_TABLE_WORDS { 2 } else { 3 };
            t.tail.as_ref().map_or(lookup, |tail| lookup.max(mul_shift(tail, constant)) + 1)
        }
    }
}

/// Steps of the search among `n` thresholds, a bit of the count each.
pub fn search_steps(n: usize) -> usize {
    levels(n + 1) as usize
}

/// Cycles of a search step: 2 when its memory is read into a register first.
pub fn search_step(function: &Realization, n: usize, lanes: usize) -> usize {
    let groups = function.period().div_ceil(lanes);
    if groups << (search_steps(n) - 1) <= SEARCH_WORDS_PER_STAGE { 1 } else { 2 }
}

/// Words of the memory of a table of `n` entries: those of all channel groups, each padded to a power of two when there are several.
pub fn table_words(function: &Realization, n: usize, lanes: usize) -> usize {
    let groups = function.period().div_ceil(lanes);
    if groups == 1 { n } else { groups * n.next_power_of_two() }
}

impl MulShift {
    /// Whether rounding needs an addition after the shift, which has its own stage.
    pub fn rounds_separately(&self) -> bool {
        self.half_even && self.shift > 0
    }

    /// The rows of `mul * q + add` as constant sums: one an element of the flat period.
    pub fn rows(&self) -> impl Iterator<Item = ([i64; 1], i64)> + '_ {
        let period = self.mul.len().max(self.add.len());
        (0..period).map(|c| ([self.mul[c % self.mul.len()]], self.add[c % self.add.len()]))
    }
}

/// Latency of an affine piece, whose parameters are `constant` in a lane or not: sum (shift-and-add of constants; parameters that change: an addition, or operands, product and sum), rounding, clipping.
pub fn mul_shift(m: &MulShift, constant: bool) -> usize {
    let sum = if constant {
        let rows: Vec<_> = m.rows().collect();
        linear_stages(rows.iter().map(|(mul, add)| (mul.as_slice(), *add != 0)))
    } else if m.is_shift() {
        1
    } else {
        3
    };
    sum + usize::from(m.rounds_separately()) + 1
}

/// Shift-and-add of constants; otherwise operands, products, results and a tree that includes the addend.
fn lincomb(coefficients: &[Vec<i64>], constant: &[i64], lanes: usize) -> usize {
    match lincomb_rows(coefficients, constant, lanes) {
        Some(rows) => linear_stages(rows.iter().map(|(row, constant)| (row.as_slice(), *constant != 0))),
        None => 3 + tree_stages(coefficients.len() + 1),
    }
}

/// Coefficients and addend of every lane (or of the shorter period in which they repeat), when they are the same in every beat.
pub fn lincomb_rows(coefficients: &[Vec<i64>], constant: &[i64], lanes: usize) -> Option<Vec<(Vec<i64>, i64)>> {
    let period = coefficients.iter().map(Vec::len).chain([constant.len()]).max().unwrap_or(1);
    let row = |c: usize| (coefficients.iter().map(|k| k[c % k.len()]).collect(), constant[c % constant.len()]);
    constant_in_lane(period, lanes).then(|| (0..period).map(row).collect())
}

/// Memory that a buffer of `words` words of `width` bits is built from when nothing else was asked for.
pub fn default_memory(words: usize, width: usize) -> Memory {
    if words <= 2 {
        Memory::Logic
    } else if words <= 64 || words * width <= 1024 {
        Memory::Lut
    } else {
        Memory::Block
    }
}

/// Words of weights in logic that one six-input LUT a column holds.
pub const WEIGHT_BLOCK: usize = 64;

/// Whether weights in logic of `words` words, of whose distinct columns the share `ones` of bits is set, are built as blocks of
/// [`WEIGHT_BLOCK`] words and a multiplexer instead of one memory. Multiplexers beside the LUTs (F7 and F8 of the 7 series) combine
/// blocks at no cost, but Yosys 0.70 takes columns most of whose bits are equal for logic of several levels: 36 columns of 256 words
/// take 144 LUTs with half of the bits set and 256 with 8 %, in blocks 180 and 168 (`scripts/measure_rom.py blocks`).
pub fn weights_in_blocks(words: usize, ones: f64) -> bool {
    words > 192 && ones.min(1.0 - ones) < 0.22
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_digit_forms_are_minimal() {
        let digits = [0, 1, 2, 3, 7, -1, -3, 11, 85, 1023].map(signed_digits);
        assert_eq!(digits, [0, 1, 1, 2, 2, 1, 2, 3, 4, 2]);
        assert_eq!(signed_digits(i64::MIN), 1);
    }

    #[test]
    fn weight_bits_are_those_of_twos_complement() {
        let bits = |data: Vec<i64>| Matrix { rows: 1, cols: data.len(), data }.weight_bits();
        assert_eq!(
            [bits(vec![0]), bits(vec![1]), bits(vec![-2, 1]), bits(vec![127]), bits(vec![-129])],
            [1, 2, 2, 8, 9]
        );
    }

    #[test]
    fn stages_hold_two_levels() {
        assert_eq!([1, 2, 4, 5, 16, 17].map(tree_stages), [0, 1, 1, 2, 2, 3]);
        assert_eq!(linear_stages([([4i64, 0].as_slice(), false)]), 0);
        assert_eq!(linear_stages([([-4i64, 0].as_slice(), false)]), 1);
        assert_eq!(linear_stages([([3i64, 1].as_slice(), false), ([1, 1].as_slice(), true)]), 2);
    }
}
