//! Exact rational numbers: scales, offsets and thresholds are never rounded on the way.
//!
//! Every finite `f32` and `f64` is a dyadic rational and converts exactly.

use dashu_int::ops::{BitTest, Gcd, PowerOfTwo};
use dashu_int::{IBig, UBig};
use dashu_ratio::RBig;
use num_traits::Signed;

/// An exact integer of arbitrary size.
pub type Int = IBig;

/// An exact rational number of arbitrary size, in lowest terms.
pub type Rat = RBig;

/// The exact value of a finite float; `None` for infinities and NaN.
pub fn from_f64(x: f64) -> Option<Rat> {
    Rat::try_from(x).ok()
}

/// The integer `n` as a rational.
pub fn from_i64(n: i64) -> Rat {
    Rat::from(n)
}

/// A rational from text `"n"` or `"n/d"`; `None` for other text and for a zero denominator.
pub fn parse(text: &str) -> Option<Rat> {
    let (n, d) = text.split_once('/').unwrap_or((text, "1"));
    let (n, d): (Int, Int) = (n.parse().ok()?, d.parse().ok()?);
    if d.is_zero() { None } else { Some(Rat::from_parts_signed(n, d)) }
}

/// Two to the power `e`.
pub fn pow2(e: i32) -> Rat {
    let p = UBig::ONE << e.unsigned_abs() as usize;
    if e >= 0 { p.into() } else { Rat::from_parts(Int::ONE, p) }
}

/// One over `x`. Panics when `x` is zero.
pub fn recip(x: &Rat) -> Rat {
    x.pow(-1)
}

/// The `f64` nearest to `x`, ties to even; infinite beyond the largest.
pub fn to_f64(x: &Rat) -> f64 {
    x.to_f64().value()
}

/// The number of at most `bits` significant binary digits nearest to `x`, ties away from zero.
pub fn round_significant(x: &Rat, bits: i32) -> Rat {
    if x.is_zero() {
        return x.clone();
    }
    let size = |bits: usize| i32::try_from(bits).unwrap_or(i32::MAX / 4);
    // |x| lies between 2^(exponent - 1) and 2^(exponent + 1).
    let exponent = size(x.numerator().bit_len()) - size(x.denominator().bit_len());
    let top = if x.abs() < pow2(exponent) { exponent } else { exponent + 1 };
    let unit = pow2(top - bits);
    (x / &unit).round() * unit
}

/// `Some(e)` when `x` is exactly `2^e`.
pub fn log2_exact(x: &Rat) -> Option<i32> {
    if !x.is_positive() {
        return None;
    }
    let d = fraction_bits(x)?;
    let n = x.numerator().trailing_zeros().filter(|z| x.numerator().bit_len() == z + 1)?;
    i32::try_from(n).ok()?.checked_sub(d)
}

/// Binary digits of `x` behind the point; `None` when they do not end.
pub fn fraction_bits(x: &Rat) -> Option<i32> {
    let d = x.denominator();
    if d.is_power_of_two() { i32::try_from(d.trailing_zeros()?).ok() } else { None }
}

/// `(x, y, d)` with `a = x / d` and `b = y / d`, and the smallest such positive `d`.
pub fn common_denominator(a: &Rat, b: &Rat) -> (Int, Int, Int) {
    let (c, d) = (a.denominator(), b.denominator());
    let shared = c.gcd(d);
    let (of_a, of_b) = (d / &shared, c / shared);
    let common = c * &of_a;
    (a.numerator() * of_a, b.numerator() * of_b, common.into())
}

/// The largest rational of which both `a` and `b` are integer multiples; the other one when either is zero.
pub fn gcd(a: &Rat, b: &Rat) -> Rat {
    if a.is_zero() {
        return b.abs();
    }
    if b.is_zero() {
        return a.abs();
    }
    let (x, y, denominator) = common_denominator(a, b);
    Rat::from_parts_signed(x.gcd(y).into(), denominator)
}

/// The integer value of `x`, when `x` is an integer that fits.
pub fn to_i64(x: &Rat) -> Option<i64> {
    if x.is_int() { i64::try_from(x.numerator()).ok() } else { None }
}

/// Largest integer not above `x`, saturated to the range of `i64`.
pub fn floor_i64(x: &Rat) -> i64 {
    saturated(&x.floor())
}

/// The value in `i64` nearest to `n`.
pub fn saturated(n: &Int) -> i64 {
    i64::try_from(n).unwrap_or(if n.is_negative() { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_reads_back_in_lowest_terms() {
        for (text, written) in [("6/-8", "-3/4"), ("-7", "-7"), ("0/5", "0"), ("10/5", "2")] {
            assert_eq!(parse(text).unwrap().to_string(), written);
        }
        for text in ["1/0", "", "1/", "0.5", "1/2/3"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn common_denominators_are_the_smallest() {
        let (a, b) = (parse("-5/12").unwrap(), parse("7/18").unwrap());
        assert_eq!(common_denominator(&a, &b), (Int::from(-15), Int::from(14), Int::from(36)));
    }

    #[test]
    fn fractions_end_for_dyadics_only() {
        assert_eq!(fraction_bits(&parse("-3/8").unwrap()), Some(3));
        assert_eq!(fraction_bits(&from_i64(12)), Some(0));
        assert_eq!(fraction_bits(&parse("1/6").unwrap()), None);
        assert_eq!(recip(&parse("-3/8").unwrap()).to_string(), "-8/3");
    }

    #[test]
    fn gcd_of_dyadics_divides_both() {
        let (a, b) = (from_f64(0.75).unwrap(), from_f64(-0.125).unwrap());
        assert_eq!(gcd(&a, &b), pow2(-3));
    }

    #[test]
    fn significant_bits_are_kept_and_no_more() {
        let (short, third) = (from_f64(-0.6875).unwrap(), parse("1/3").unwrap());
        assert_eq!(round_significant(&short, 4), short);
        assert_eq!(round_significant(&third, 4), from_f64(0.34375).unwrap());
        assert_eq!(round_significant(&from_i64(255), 4), from_i64(256));
        for (n, d) in [(1, 7), (1000, 3), (-5, 11), (4095, 4096)] {
            let x = Rat::from_parts_signed(Int::from(n), Int::from(d));
            let error = (round_significant(&x, 16) - &x).abs() / x.abs();
            assert!(error <= pow2(-16), "{n}/{d}");
        }
    }

    #[test]
    fn log2_of_powers_only() {
        assert_eq!(log2_exact(&pow2(-7)), Some(-7));
        assert_eq!(log2_exact(&from_i64(8)), Some(3));
        assert_eq!(log2_exact(&from_i64(6)), None);
    }

    #[test]
    fn floor_saturates() {
        assert_eq!(floor_i64(&from_f64(-0.5).unwrap()), -1);
        assert_eq!(floor_i64(&pow2(80)), i64::MAX);
    }
}
