//! How precise a factor must be for a rounded line to step where the exact one does.

use dashu_int::ops::BitTest;
use netfold_ir::rat::Int;
use num_traits::{Euclid, Signed};

/// Smallest `(a * i + b) mod m` over `0 <= i < n`, for `n, m >= 1`.
///
/// The sequence rises by `a` and falls when it wraps, so its minimum is its first value or one behind a wrap. Those behind wraps are
/// again such a sequence, modulo `a`; with `a <= m / 2` (otherwise the sequence is read backwards) that halves the modulus.
fn least_residue(mut n: Int, mut m: Int, a: &Int, b: &Int) -> Int {
    let (mut a, mut b) = (a.rem_euclid(&m), b.rem_euclid(&m));
    let mut least = b.clone();
    loop {
        least = least.min(b.clone());
        if a.is_zero() || n <= Int::ONE {
            return least;
        }
        if &a + &a > m {
            b = (&a * (&n - Int::ONE) + &b).rem_euclid(&m);
            a = &m - &a;
            least = least.min(b.clone());
        }
        let wraps = (&a * (&n - Int::ONE) + &b).div_euclid(&m);
        if wraps.is_zero() {
            return least;
        }
        (b, n) = ((&b - &m).rem_euclid(&a), wraps);
        (a, m) = ((-&m).rem_euclid(&a), a);
    }
}

/// Bits behind the binary point with which any rounded slope keeps every step of `floor((num * q + add) / den)` on `lo..=hi`, an
/// upper bound; 0 when the function has no fraction. `den` is positive.
pub(super) fn fraction_bits_needed(num: &Int, add: &Int, den: &Int, lo: i64, hi: i64) -> u64 {
    let count: Int = Int::from(hi) - lo + 1;
    let start: Int = num * lo + add;
    let below = least_residue(count.clone(), den.clone(), num, &start);
    let above = least_residue(count.clone(), den.clone(), &-num, &(den - Int::ONE - &start)) + Int::ONE;
    // The slope is off by at most half a unit, the offset by one: count / 2 + 1 units must fit into both gaps together.
    let (wanted, room): (Int, Int) = ((count + 2) * den, (below + above) * 2);
    let ratio = (wanted + &room - Int::ONE).div_euclid(&room);
    if ratio.is_positive() { ratio.bit_len() as u64 } else { 0 }
}

/// The binary logarithm of `|num / den|`, rounded down to about one; very small for zero.
pub(super) fn log2(num: &Int, den: &Int) -> i64 {
    if num.is_zero() {
        return i64::MIN / 2;
    }
    num.bit_len() as i64 - den.bit_len() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};

    #[test]
    fn least_residues_equal_those_of_a_search() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        for case in 0..3000 {
            let m = rng.random_range(1..200i64);
            let (a, b, n) =
                (rng.random_range(-300..300i64), rng.random_range(-300..300i64), rng.random_range(1..90i64));
            let found = least_residue(n.into(), m.into(), &a.into(), &b.into());
            let searched = (0..n).map(|i| (a * i + b).rem_euclid(m)).min().unwrap_or(0);
            assert_eq!(found, Int::from(searched), "case {case}: {a} * i + {b} mod {m}, {n} terms");
        }
    }

    #[test]
    fn the_bits_keep_every_step() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(4);
        for case in 0..400 {
            let den = rng.random_range(1..5000i64);
            let (num, add) = (rng.random_range(-9000..9000i64), rng.random_range(-9000..9000i64));
            let (lo, hi) = (-rng.random_range(0..700i64), rng.random_range(0..700i64));
            let bits = fraction_bits_needed(&num.into(), &add.into(), &den.into(), lo, hi);
            let unit = 1i128 << bits;
            let m = ((2 * i128::from(num) * unit).div_euclid(i128::from(den)) + 1).div_euclid(2);
            let (mut low, mut high) = (i128::MIN, i128::MAX);
            for q in lo..=hi {
                let value = i128::from((num * q + add).div_euclid(den));
                low = low.max(value * unit - m * i128::from(q));
                high = high.min((value + 1) * unit - m * i128::from(q) - 1);
            }
            assert!(low <= high, "case {case}: ({num} * q + {add}) / {den} on {lo}..={hi} with {bits} bits");
        }
    }
}
