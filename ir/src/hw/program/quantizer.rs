//! Per-element quantizers: ReLU, dropped bits with their rounding, and overflow.

use super::interval::Interval;
use serde::{Deserialize, Serialize};

/// How a quantizer rounds a value whose low bits it drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Rounding {
    /// Toward minus infinity (`AP_TRN`, QONNX `FLOOR`).
    Floor,
    /// To the nearest, halves up (`AP_RND`).
    HalfUp,
    /// To the nearest, halves to even (`AP_RND_CONV`, QONNX `ROUND`).
    HalfEven,
}

/// What a quantizer does with values outside its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Overflow {
    /// Clips to the word's ends (`AP_SAT`).
    Saturate,
    /// Clips to the symmetric ends: a signed word never takes its most negative value (`AP_SAT_SYM`).
    SaturateSymmetric,
    /// Clips to these bounds, which the word holds.
    Clamp {
        /// Smallest result.
        lo: i64,
        /// Largest result, not below `lo`.
        hi: i64,
    },
    /// Keeps the low bits (`AP_WRAP`).
    Wrap,
}

/// A per-element quantizer: `overflow(round(relu(v) / 2^drop))` into a word of `bits` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Quantizer {
    /// Whether negative values become zero first.
    pub relu: bool,
    /// Low bits dropped.
    pub drop: u32,
    /// Rounding of the dropped bits.
    pub rounding: Rounding,
    /// Width of the result, 1 to 62.
    pub bits: u32,
    /// Whether the result is two's complement.
    pub signed: bool,
    /// Treatment of values that do not fit.
    pub overflow: Overflow,
}

impl Quantizer {
    /// The bounds that saturation clips to.
    pub fn clip_bounds(&self) -> Interval {
        let word = Interval::of_word(self.bits, self.signed);
        match self.overflow {
            Overflow::SaturateSymmetric if self.signed => Interval::new(-word.hi, word.hi),
            Overflow::Clamp { lo, hi } => Interval { lo, hi },
            _ => word,
        }
    }

    /// The rounded quotient, before overflow treatment.
    pub fn rounded(&self, v: i64) -> i64 {
        let v = if self.relu { v.max(0) } else { v };
        if self.drop == 0 {
            return v;
        }
        let half = 1i64 << (self.drop - 1);
        match self.rounding {
            Rounding::Floor => v >> self.drop,
            Rounding::HalfUp => (v + half) >> self.drop,
            Rounding::HalfEven => (v + half - 1 + ((v >> self.drop) & 1)) >> self.drop,
        }
    }

    /// The quantizer's exact result.
    pub fn apply(&self, v: i64) -> i64 {
        let r = self.rounded(v);
        match self.overflow {
            Overflow::Wrap => wrap_word(r, self.bits, self.signed),
            _ => {
                let b = self.clip_bounds();
                r.clamp(b.lo, b.hi)
            }
        }
    }

    /// The exact interval of the results over an interval of inputs.
    pub fn range(&self, input: Interval) -> Interval {
        let r = Interval { lo: self.rounded(input.lo), hi: self.rounded(input.hi) };
        let word = Interval::of_word(self.bits, self.signed);
        match self.overflow {
            Overflow::Wrap if r.lo < word.lo || r.hi > word.hi => word,
            Overflow::Wrap => r,
            _ => {
                let b = self.clip_bounds();
                Interval { lo: r.lo.clamp(b.lo, b.hi), hi: r.hi.clamp(b.lo, b.hi) }
            }
        }
    }
}

/// The low `bits` bits of a number as a two's complement or unsigned word.
pub fn wrap_word(v: i64, bits: u32, signed: bool) -> i64 {
    let up = 64 - bits.clamp(1, 62);
    if signed { (v << up) >> up } else { ((v as u64) << up >> up) as i64 }
}
