//! Exact integer intervals and the bit fields they need.

use serde::{Deserialize, Serialize};

/// A closed integer interval `[lo, hi]`, the exact range of a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Interval {
    /// Smallest value.
    pub lo: i64,
    /// Largest value.
    pub hi: i64,
}

impl Interval {
    /// The interval `[lo, hi]`; the ends are put in order.
    pub fn new(lo: i64, hi: i64) -> Self {
        Self { lo: lo.min(hi), hi: lo.max(hi) }
    }

    /// The interval of one value.
    pub fn point(v: i64) -> Self {
        Self { lo: v, hi: v }
    }

    /// All values of a two's complement (`signed`) or unsigned word of `bits` bits, `bits` at most 62.
    pub fn of_word(bits: u32, signed: bool) -> Self {
        match (bits.min(62), signed) {
            (0, _) => Self::point(0),
            (b, true) => Self { lo: -(1 << (b - 1)), hi: (1 << (b - 1)) - 1 },
            (b, false) => Self { lo: 0, hi: (1 << b) - 1 },
        }
    }

    /// Whether a value lies in the interval.
    pub fn contains(&self, v: i64) -> bool {
        self.lo <= v && v <= self.hi
    }

    /// Whether the wire needs a sign bit.
    pub fn signed(&self) -> bool {
        self.lo < 0
    }

    /// Bits of the wire: unsigned where `lo >= 0`, else two's complement. Zero for the interval `[0, 0]`.
    pub fn width(&self) -> u32 {
        if self.lo >= 0 { bit_len(self.hi) } else { 1 + bit_len(self.hi.max(0)).max(bit_len(-(self.lo + 1))) }
    }

    /// The interval of `v << shift`.
    pub fn shl(&self, shift: u32) -> Self {
        Self { lo: self.lo << shift, hi: self.hi << shift }
    }

    /// The interval of `-v` where `neg`, else of `v`.
    pub fn negate_if(&self, neg: bool) -> Self {
        if neg { Self { lo: -self.hi, hi: -self.lo } } else { *self }
    }

    /// The interval of the sum of two independent values.
    pub fn sum(&self, other: &Self) -> Self {
        Self { lo: self.lo + other.lo, hi: self.hi + other.hi }
    }

    /// The interval of `v + k`.
    pub fn add_const(&self, k: i64) -> Self {
        Self { lo: self.lo + k, hi: self.hi + k }
    }
}

/// Bits of a non-negative number: `bit_len(0) == 0`, `bit_len(5) == 3`.
pub fn bit_len(v: i64) -> u32 {
    64 - v.leading_zeros()
}

/// Places a field with values `[lo, hi]`, `lo >= 0`, in the fewest bits modulo a power of two, so that the low
/// bits can be read as an unsigned or a two's complement word: the range of the word's values. It differs from
/// `[lo, hi]` by a multiple of two to the power of the word's width.
pub fn wrap_window(lo: i64, hi: i64) -> Interval {
    if lo == hi {
        return Interval::point(lo);
    }
    for w in bit_len(hi - lo)..62 {
        let span = 1i64 << w;
        if lo >> w == hi >> w {
            let base = (lo >> w) * span;
            return Interval { lo: lo - base, hi: hi - base };
        }
        let half = span >> 1;
        if (lo + half) >> w == (hi + half) >> w {
            let base = ((lo + half) >> w) * span;
            return Interval { lo: lo - base, hi: hi - base };
        }
    }
    Interval { lo, hi }
}

/// The most non-zero-sparse signed-digit form of a number (canonical signed digits: no two neighbours are non-zero):
/// pairs of (position, negative), lowest first. Reitwiesner, "Binary Arithmetic", 1960.
pub fn csd_digits(v: i64) -> Vec<(u32, bool)> {
    let mut digits = Vec::new();
    let (mut rest, mut position) = (v as i128, 0);
    while rest != 0 {
        if rest & 1 != 0 {
            let negative = rest & 3 == 3;
            digits.push((position, negative));
            rest += if negative { 1 } else { -1 };
        }
        rest >>= 1;
        position += 1;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_minimal() {
        assert_eq!(Interval::new(0, 0).width(), 0);
        assert_eq!(Interval::new(0, 8).width(), 4);
        assert_eq!(Interval::new(-8, 7).width(), 4);
        assert_eq!(Interval::new(-9, 0).width(), 5);
        assert_eq!(Interval::new(-1, 0).width(), 1);
    }

    #[test]
    fn csd_restores_the_number_without_neighbours() {
        for v in -3000i64..3000 {
            let d = csd_digits(v);
            assert_eq!(d.iter().map(|&(p, n)| if n { -(1i64 << p) } else { 1 << p }).sum::<i64>(), v);
            assert!(d.windows(2).all(|w| w[1].0 > w[0].0 + 1));
        }
    }

    #[test]
    fn windows_keep_the_value_modulo_the_width() {
        for lo in 0..70 {
            for hi in lo..140 {
                let w = wrap_window(lo, hi);
                let m = 1i64 << w.width();
                assert_eq!((w.lo - lo).rem_euclid(m), 0, "{lo} {hi} {w:?}");
                assert_eq!(w.hi - w.lo, hi - lo);
            }
        }
    }
}
