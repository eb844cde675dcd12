//! Quantizers: how a real number becomes an integer. `docs/numerics.md` states the same in prose.

use crate::rat::{self, Int, Rat};
use dashu_int::ops::{BitTest, DivRemEuclid, RemEuclid};
use num_traits::{Signed, Zero};
use serde::{Deserialize, Serialize};

/// How a real number between two integers is rounded.
///
/// QONNX names are those of its `Quant` operator specification, AP names those of AMD UG1399 (`ap_fixed`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Rounding {
    /// To nearest, ties to even: QONNX `ROUND` and `HALF_EVEN`, `AP_RND_CONV`.
    HalfEven,
    /// To nearest, ties toward plus infinity: `AP_RND`.
    HalfUp,
    /// To nearest, ties toward minus infinity: `AP_RND_MIN_INF`.
    HalfDown,
    /// To nearest, ties toward zero: `AP_RND_ZERO`, QONNX `HALF_DOWN`.
    HalfTowardZero,
    /// To nearest, ties away from zero: `AP_RND_INF`, QONNX `HALF_UP`.
    HalfAwayFromZero,
    /// Toward minus infinity: `AP_TRN`, QONNX `FLOOR`.
    Floor,
    /// Toward plus infinity: QONNX `CEIL`.
    Ceil,
    /// Toward zero: `AP_TRN_ZERO`, QONNX `ROUND_TO_ZERO` and `DOWN`.
    TowardZero,
    /// Away from zero: QONNX `UP`.
    AwayFromZero,
}

impl Rounding {
    /// The integer that `x` rounds to.
    pub fn round(self, x: &Rat) -> Int {
        let (floor, rest) = x.numerator().div_rem_euclid(x.denominator().as_ibig());
        if rest.is_zero() {
            return floor;
        }
        let negative = x.is_negative();
        // How the fraction compares with a half.
        let half = (rest << 1usize).cmp(x.denominator());
        let up = match self {
            Rounding::Floor => false,
            Rounding::Ceil => true,
            Rounding::TowardZero => negative,
            Rounding::AwayFromZero => !negative,
            Rounding::HalfEven => half.is_gt() || (half.is_eq() && floor.bit(0)),
            Rounding::HalfUp => half.is_ge(),
            Rounding::HalfDown => half.is_gt(),
            Rounding::HalfTowardZero => half.is_gt() || (half.is_eq() && negative),
            Rounding::HalfAwayFromZero => half.is_gt() || (half.is_eq() && !negative),
        };
        if up { floor + Int::ONE } else { floor }
    }

    /// [`Rounding::round`] on a float; exact because a float's integer part and fraction are.
    pub fn round_f64(self, x: f64) -> f64 {
        let floor = x.floor();
        let fraction = x - floor;
        if fraction == 0.0 {
            return x;
        }
        let negative = x < 0.0;
        let up = match self {
            Rounding::Floor => false,
            Rounding::Ceil => true,
            Rounding::TowardZero => negative,
            Rounding::AwayFromZero => !negative,
            Rounding::HalfEven => fraction > 0.5 || (fraction == 0.5 && floor.rem_euclid(2.0) == 1.0),
            Rounding::HalfUp => fraction >= 0.5,
            Rounding::HalfDown => fraction > 0.5,
            Rounding::HalfTowardZero => fraction > 0.5 || (fraction == 0.5 && negative),
            Rounding::HalfAwayFromZero => fraction > 0.5 || (fraction == 0.5 && !negative),
        };
        if up { floor + 1.0 } else { floor }
    }
}

/// What happens to an integer outside the range of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Overflow {
    /// The nearest value in range: QONNX, `AP_SAT`; with a narrow range also `AP_SAT_SYM`.
    Saturate,
    /// Two's complement wrap-around: `AP_WRAP`. Only ever used when the user asked for it.
    Wrap,
}

/// An integer type: `bits` bits, signed or not; `narrow` drops the most negative value (signed) or the largest (unsigned).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IntType {
    /// Two's complement when true.
    pub signed: bool,
    /// Width in bits, 1 to [`IntType::MAX_BITS`].
    pub bits: u32,
    /// Narrow range: signed `[-2^(bits-1)+1, 2^(bits-1)-1]`, unsigned `[0, 2^bits-2]` (QONNX `narrow`).
    pub narrow: bool,
}

impl IntType {
    /// Widest integer that any tensor may have.
    pub const MAX_BITS: u32 = 62;

    /// A full-range type.
    pub fn new(signed: bool, bits: u32) -> IntType {
        IntType { signed, bits, narrow: false }
    }

    /// Smallest value.
    pub fn min(self) -> i64 {
        match (self.signed, self.narrow) {
            (false, _) => 0,
            (true, false) => -(1i64 << (self.bits - 1)),
            (true, true) => -(1i64 << (self.bits - 1)) + 1,
        }
    }

    /// Largest value.
    pub fn max(self) -> i64 {
        match (self.signed, self.narrow) {
            (true, _) => (1i64 << (self.bits - 1)) - 1,
            (false, false) => (1i64 << self.bits) - 1,
            (false, true) => (1i64 << self.bits) - 2,
        }
    }

    /// The narrowest full-range type that holds `lo..=hi`.
    pub fn containing(lo: i64, hi: i64) -> IntType {
        let signed = lo < 0;
        let magnitude = |v: i64| 64 - (if v < 0 { !v } else { v }).leading_zeros();
        let bits = magnitude(lo).max(magnitude(hi)) + u32::from(signed);
        IntType::new(signed, bits.max(1))
    }
}

/// A quantizer: `q = clip(round(x / scale + zero_point))`, standing for the real value `scale * (q - zero_point)`.
///
/// This is QONNX `Quant`, ONNX `QuantizeLinear`, and `ap_fixed<W,I>` (scale `2^-(W-I)`, zero point 0) alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantizer {
    /// Step size per channel (length 1: the whole tensor); positive.
    #[serde(with = "crate::text::rats")]
    pub scale: Vec<Rat>,
    /// Zero point per channel (length 1: the whole tensor).
    #[serde(with = "crate::text::rats")]
    pub zero_point: Vec<Rat>,
    /// Integer type of the result.
    pub ty: IntType,
    /// Rounding mode.
    pub rounding: Rounding,
    /// Overflow mode.
    pub overflow: Overflow,
}

impl Quantizer {
    /// `ap_fixed<bits, integer_bits>`: step `2^(integer_bits - bits)`, where `integer_bits` counts the sign bit.
    pub fn fixed(signed: bool, bits: u32, integer_bits: i32, rounding: Rounding, overflow: Overflow) -> Quantizer {
        Quantizer {
            scale: vec![rat::pow2(integer_bits - bits as i32)],
            zero_point: vec![Rat::zero()],
            ty: IntType::new(signed, bits),
            rounding,
            overflow,
        }
    }

    /// Step size of channel `c`.
    pub fn scale_of(&self, c: usize) -> &Rat {
        &self.scale[c % self.scale.len()]
    }

    /// Zero point of channel `c`.
    pub fn zero_point_of(&self, c: usize) -> &Rat {
        &self.zero_point[c % self.zero_point.len()]
    }

    /// Number of channels that differ (1 when the whole tensor shares one step and zero point).
    pub fn channels(&self) -> usize {
        self.scale.len().max(self.zero_point.len())
    }

    /// The integer that `x` becomes in channel `c`, exactly.
    pub fn quantize(&self, c: usize, x: &Rat) -> i64 {
        let v = self.rounding.round(&(x / self.scale_of(c) + self.zero_point_of(c)));
        self.overflow_of(v)
    }

    /// Applies the overflow mode to a rounded value.
    fn overflow_of(&self, v: Int) -> i64 {
        let (lo, hi) = (self.ty.min(), self.ty.max());
        match self.overflow {
            Overflow::Saturate => rat::saturated(&v).clamp(lo, hi),
            Overflow::Wrap => {
                let modulus = Int::ONE << self.ty.bits as usize;
                let m = i64::try_from(v.rem_euclid(modulus)).unwrap_or(0);
                if self.ty.signed && m >= 1i64 << (self.ty.bits - 1) { m - (1i64 << self.ty.bits) } else { m }
            }
        }
    }

    /// The real value of `q` in channel `c`.
    pub fn dequantize(&self, c: usize, q: i64) -> Rat {
        self.scale_of(c) * (rat::from_i64(q) - self.zero_point_of(c))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_modes_agree_between_exact_and_float() {
        use Rounding::*;
        for mode in
            [HalfEven, HalfUp, HalfDown, HalfTowardZero, HalfAwayFromZero, Floor, Ceil, TowardZero, AwayFromZero]
        {
            for k in -40..=40 {
                let x = k as f64 / 8.0;
                let exact = mode.round(&rat::from_f64(x).unwrap());
                assert_eq!(exact, Int::from(mode.round_f64(x) as i64), "{mode:?} {x}");
            }
        }
        assert_eq!(HalfEven.round_f64(2.5), 2.0);
        assert_eq!(HalfUp.round_f64(-2.5), -2.0);
        assert_eq!(HalfAwayFromZero.round_f64(-2.5), -3.0);
    }

    #[test]
    fn ap_fixed_wraps_and_saturates() {
        let x = rat::from_f64(40.0).unwrap();
        let wrap = Quantizer::fixed(true, 16, 6, Rounding::Floor, Overflow::Wrap);
        assert_eq!(wrap.quantize(0, &x), 40 * 1024 - 65536);
        let sat = Quantizer::fixed(true, 16, 6, Rounding::Floor, Overflow::Saturate);
        assert_eq!(sat.quantize(0, &x), 32767);
    }

    #[test]
    fn containing_is_the_narrowest() {
        assert_eq!(IntType::containing(-1, 1), IntType::new(true, 2));
        assert_eq!(IntType::containing(0, 1), IntType::new(false, 1));
        assert_eq!(IntType::containing(-128, 127), IntType::new(true, 8));
        assert_eq!(IntType::containing(0, 0), IntType::new(false, 1));
    }
}
