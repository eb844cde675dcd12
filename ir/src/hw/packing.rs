//! Two products in one DSP block.
//!
//! Rows `2j` and `2j + 1` of a row group multiply the same input `x`: `P = (w1 * 2^k + w0) * x = (w1 * x) * 2^k + w0 * x`. With
//! `k` bits that hold `w0 * x` as a signed number, the lower product is the low `k` bits of `P`, and the upper one is `P >> k`, plus one
//! where the lower is negative, which bit `k - 1` says (Xilinx WP486, *Deep Learning with INT8 Optimization*, 2016).
//!
//! In memory a pair takes `w0` and `high = w1 - (w0 < 0)`: the factor is `high`, then `w0` with its sign repeated up to `k` bits, so
//! that building it costs no logic.
//!
//! Sums can stay together when `k` bits hold the lower row's sum: they begin with `2^(k-1)`, which rounds, so that `sum >> k` is the upper
//! sum, and the low `k` bits with their highest bit inverted are the lower one.

use super::modules::{Matrix, Multiplier, Mvu};
use crate::quant::IntType;

/// Bits of packed products of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packing {
    /// Bits of the lower weight as stored.
    pub low_bits: u32,
    /// Bits of the upper weight as stored, the borrow of the lower one taken off.
    pub high_bits: u32,
    /// Position of the upper weight in the factor, at least `low_bits`.
    pub shift: u32,
}

impl Packing {
    /// Bits of the block's packed factor.
    pub fn factor_bits(&self) -> u32 {
        self.shift + self.high_bits
    }
}

/// The upper weight as stored: a lower one below zero borrows from it.
pub fn high(low: i64, high: i64) -> i64 {
    high - i64::from(low < 0)
}

impl Mvu {
    /// How products are built: a single row has no other to share a block with.
    pub fn built(&self) -> Multiplier {
        if self.multiplier.is_packed() && self.pe == 1 { Multiplier::Dsp } else { self.multiplier }
    }

    /// Whether packed products are summed before they are taken apart.
    pub fn sums_packed(&self) -> bool {
        self.built() == Multiplier::PackedSum && self.simd == 1 && self.early == 0 && self.synapse_fold() > 1
    }

    /// Bits of the packed products for inputs of a type; `None` where no two rows share a block.
    pub fn packing(&self, input: IntType) -> Option<Packing> {
        self.built().is_packed().then(|| Packing::new(&WeightRange::of(&self.weights), self.sums_packed(), input))
    }
}

/// What packing needs to know of a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WeightRange {
    /// Smallest weight, at most 0.
    pub least: i64,
    /// Largest weight, at least 0.
    pub most: i64,
    /// Smallest sum of a row's weights below zero.
    pub negative: i64,
    /// Largest sum of a row's weights above zero.
    pub positive: i64,
}

impl WeightRange {
    /// Reads a matrix.
    pub fn of(m: &Matrix) -> WeightRange {
        let mut range = WeightRange::default();
        for r in 0..m.rows {
            let (mut negative, mut positive) = (0i64, 0i64);
            for &w in m.row(r) {
                (range.least, range.most) = (range.least.min(w), range.most.max(w));
                if w < 0 { negative = negative.saturating_add(w) } else { positive = positive.saturating_add(w) }
            }
            (range.negative, range.positive) = (range.negative.min(negative), range.positive.max(positive));
        }
        range
    }
}

impl Packing {
    /// Bits for weights of a range and inputs of a type; `sums`: that the low bits hold the sum of a row.
    pub fn new(weights: &WeightRange, sums: bool, input: IntType) -> Packing {
        let full = IntType::new(input.signed, input.bits);
        let (least, most) = (i128::from(full.min()), i128::from(full.max()));
        let (low, high) = if sums { (weights.negative, weights.positive) } else { (weights.least, weights.most) };
        let (low, high) = (i128::from(low), i128::from(high));
        // Inputs lie on both sides of zero, or begin there: the extremes of a sum take weights of each sign at one end.
        let product = if sums {
            (high * least + low * most, high * most + low * least)
        } else {
            ((high * least).min(low * most), (high * most).max(low * least))
        };
        let borrow = i128::from(weights.least) - i128::from(weights.least < 0);
        let low_bits = bits(weights.least.into(), weights.most.into());
        let shift = bits(product.0, product.1).max(low_bits);
        Packing { low_bits, high_bits: bits(borrow, weights.most.into()), shift }
    }
}

/// Bits of the narrowest two's complement number that holds `lo..=hi`.
fn bits(lo: i128, hi: i128) -> u32 {
    let magnitude = |v: i128| 128 - (if v < 0 { !v } else { v }).leading_zeros();
    magnitude(lo).max(magnitude(hi)) + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// The two parts of a packed number with the correction of the module doc.
    fn apart(p: i128, k: u32) -> (i128, i128) {
        let low = (p << (128 - k)) >> (128 - k);
        (low, (p >> k) + (p >> (k - 1) & 1))
    }

    #[test]
    fn products_come_apart() {
        for signed in [false, true] {
            let ty = IntType::new(signed, 3);
            for w0 in -4..4i64 {
                for w1 in -4..4i64 {
                    let m = Matrix { rows: 2, cols: 1, data: vec![w0, w1] };
                    let p = Packing::new(&WeightRange::of(&m), false, ty);
                    let factor = (i128::from(high(w0, w1)) << p.shift) + (i128::from(w0) & ((1 << p.shift) - 1));
                    assert_eq!(factor, (i128::from(w1) << p.shift) + i128::from(w0));
                    for x in ty.min()..=ty.max() {
                        let x = i128::from(x);
                        assert_eq!(apart(factor * x, p.shift), (i128::from(w0) * x, i128::from(w1) * x));
                    }
                }
            }
        }
    }

    #[test]
    fn eight_bits_fit_a_block_of_seven_series() {
        let data = vec![-127, 127, 127, -127];
        let m = Matrix { rows: 2, cols: 2, data };
        let packing = |signed| Packing::new(&WeightRange::of(&m), false, IntType::new(signed, 8));
        assert_eq!((packing(false).shift, packing(false).factor_bits()), (16, 24));
        assert_eq!(packing(true).factor_bits(), 23);
    }

    #[test]
    fn sums_need_guard_bits_and_one_column() {
        let weights = Arc::new(Matrix { rows: 4, cols: 16, data: vec![7; 64] });
        let unit = |simd, early| Mvu {
            weights: weights.clone(),
            pe: 2,
            simd,
            vectors: 1,
            early,
            pixels: 1,
            multiplier: Multiplier::PackedSum,
            memory: crate::hw::Memory::Lut,
        };
        let ty = IntType::new(false, 4);
        let shift = |m: Mvu| m.packing(ty).map(|p| p.shift);
        assert_eq!([shift(unit(1, 0)), shift(unit(2, 0)), shift(unit(1, 3))], [Some(12), Some(8), Some(8)]);
    }
}
