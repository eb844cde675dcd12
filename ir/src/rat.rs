//! Exact rational numbers: scales, offsets and thresholds are never rounded on the way.
//!
//! Every finite `f32` and `f64` is a dyadic rational and converts exactly.

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{One, Signed, ToPrimitive, Zero};

/// An exact rational number of arbitrary size.
pub type Rat = BigRational;

/// The exact value of a finite float; `None` for infinities and NaN.
pub fn from_f64(x: f64) -> Option<Rat> {
    Rat::from_float(x)
}

/// The integer `n` as a rational.
pub fn from_i64(n: i64) -> Rat {
    Rat::from_integer(BigInt::from(n))
}

/// Two to the power `e`.
pub fn pow2(e: i32) -> Rat {
    let p = BigInt::one() << e.unsigned_abs();
    if e >= 0 { Rat::from_integer(p) } else { Rat::new(BigInt::one(), p) }
}

/// The `f64` nearest to `x`.
pub fn to_f64(x: &Rat) -> f64 {
    x.to_f64().unwrap_or(f64::NAN)
}

/// The number of at most `bits` significant binary digits nearest to `x`, ties away from zero.
pub fn round_significant(x: &Rat, bits: i32) -> Rat {
    if x.is_zero() {
        return x.clone();
    }
    let size = |v: &BigInt| i32::try_from(v.bits()).unwrap_or(i32::MAX / 4);
    // |x| lies between 2^(exponent - 1) and 2^(exponent + 1).
    let exponent = size(x.numer()) - size(x.denom());
    let top = if x.abs() < pow2(exponent) { exponent } else { exponent + 1 };
    let unit = pow2(top - bits);
    (x / &unit).round() * unit
}

/// `Some(e)` when `x` is exactly `2^e`.
pub fn log2_exact(x: &Rat) -> Option<i32> {
    if !x.is_positive() {
        return None;
    }
    let (n, d) = (x.numer(), x.denom());
    let exact = |v: &BigInt| v.trailing_zeros().filter(|&z| *v == BigInt::one() << z);
    if d.is_one() {
        exact(n).and_then(|z| i32::try_from(z).ok())
    } else if n.is_one() {
        exact(d).and_then(|z| i32::try_from(z).ok()).map(|z| -z)
    } else {
        None
    }
}

/// The largest rational of which both `a` and `b` are integer multiples; the other one when either is zero.
pub fn gcd(a: &Rat, b: &Rat) -> Rat {
    if a.is_zero() {
        return b.abs();
    }
    if b.is_zero() {
        return a.abs();
    }
    let denominator = a.denom().lcm(b.denom());
    let x = a.numer() * (&denominator / a.denom());
    let y = b.numer() * (&denominator / b.denom());
    Rat::new(x.gcd(&y), denominator)
}

/// The integer value of `x`, when `x` is an integer that fits.
pub fn to_i64(x: &Rat) -> Option<i64> {
    if x.is_integer() { x.numer().to_i64() } else { None }
}

/// Largest integer not above `x`, saturated to the range of `i64`.
pub fn floor_i64(x: &Rat) -> i64 {
    let f = x.numer().div_floor(x.denom());
    f.to_i64().unwrap_or(if f.is_negative() { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gcd_of_dyadics_divides_both() {
        let (a, b) = (from_f64(0.75).unwrap(), from_f64(-0.125).unwrap());
        assert_eq!(gcd(&a, &b), pow2(-3));
    }

    #[test]
    fn significant_bits_are_kept_and_no_more() {
        let (short, third) = (from_f64(-0.6875).unwrap(), Rat::new(1.into(), 3.into()));
        assert_eq!(round_significant(&short, 4), short);
        assert_eq!(round_significant(&third, 4), from_f64(0.34375).unwrap());
        assert_eq!(round_significant(&from_i64(255), 4), from_i64(256));
        for (n, d) in [(1, 7), (1000, 3), (-5, 11), (4095, 4096)] {
            let x = Rat::new(n.into(), d.into());
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
