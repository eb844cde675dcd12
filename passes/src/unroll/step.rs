//! Step functions as sums, quantizers and comparisons of a straight-line program.

use crate::realize::Realized;
use netfold_ir::hw::latency::signed_digits;
use netfold_ir::hw::program::{Interval, Overflow, Quantizer, Rounding, bit_len};
use netfold_ir::hw::{MulShift, Realization};

/// Most comparisons of one element.
const MOST_STEPS: usize = 64;
/// Widest sum, in bits: what the solver takes, less room for its signed digits.
const WIDEST: u32 = 44;

/// A function of one integer `q` in a known interval.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Form {
    /// Always this.
    Constant(i64),
    /// `quantizer(mul * q + add)`.
    Line {
        /// Factor, not zero.
        mul: i64,
        /// Addend.
        add: i64,
        /// What follows.
        quantizer: Quantizer,
    },
    /// `base` plus the second number of every pair whose first one is at most `q`.
    Steps {
        /// The value below all steps.
        base: i64,
        /// Where it steps and by how much, ascending.
        steps: Vec<(i64, i64)>,
    },
    /// The first form of `min(q, -1)` where `q < 0`, the second of `max(q, 0)` elsewhere; with the values at -1 and 0.
    Halves(Box<Form>, Box<Form>, [i64; 2]),
}

/// The form of element `c` of a realised function for `q` in `[lo, hi]`, which is the argument before any shift of the input;
/// `None` where it would be larger than a table or wider than the solver takes.
pub(super) fn form(realized: &Realized, c: usize, (lo, hi): (i64, i64)) -> Option<Form> {
    let shift = match realized.shift_input.as_slice() {
        [] => 0,
        s => s[c % s.len()],
    };
    let f = |q: i64| realized.function.eval(c, q + shift);
    let line = match &realized.function {
        Realization::MulShift(m) => line(m, c, shift, (lo, hi)),
        Realization::TwoSlopes(below, above) if lo + shift < 0 && hi + shift >= 0 && shift == 0 => {
            let below_form = line(below, c, 0, (lo, -1))?;
            let above_form = line(above, c, 0, (0, hi))?;
            return Some(Form::Halves(Box::new(below_form), Box::new(above_form), [f(-1), f(0)]));
        }
        Realization::TwoSlopes(below, above) => {
            let m = if hi + shift < 0 { below } else { above };
            (lo + shift >= 0 || hi + shift < 0).then(|| line(m, c, shift, (lo, hi))).flatten()
        }
        Realization::Thresholds(_) | Realization::Table(_) => None,
    };
    // A line with a factor of several digits costs additions of the whole width; a comparison about half a width each.
    let additions = match &line {
        Some(Form::Constant(_)) => return line,
        Some(Form::Line { mul, .. }) => signed_digits(*mul) as usize - 1,
        _ => MOST_STEPS,
    };
    let steps = steps(&realized.function, &f, (lo, hi), (2 * additions).clamp(1, MOST_STEPS));
    match (steps, line) {
        (Some(s), None) => Some(s),
        (Some(Form::Steps { base, steps }), Some(line)) => {
            let few = steps.len() == 1 || steps.len() < 2 * additions;
            Some(if few { Form::Steps { base, steps } } else { line })
        }
        (_, line) => line,
    }
}

/// A line whose sum is not too wide.
fn line(m: &MulShift, c: usize, shift: i64, (lo, hi): (i64, i64)) -> Option<Form> {
    let mul = m.mul[c % m.mul.len()];
    if mul == 0 || lo == hi {
        return Some(Form::Constant(m.eval(c, lo + shift)));
    }
    let add = mul.checked_mul(shift)?.checked_add(m.add[c % m.add.len()])?;
    let reach = i128::from(mul).abs() * i128::from(lo.abs().max(hi.abs())) + i128::from(add).abs();
    if reach >= 1 << WIDEST || m.shift > 40 {
        return None;
    }
    let range = Interval { lo: m.lo, hi: m.hi };
    let (bits, signed) = (range.width().max(1), range.signed());
    let rounding = if m.half_even { Rounding::HalfEven } else { Rounding::Floor };
    let word = Interval::of_word(bits, signed);
    let overflow = match m.wrap {
        true => Overflow::Wrap,
        false if word == range => Overflow::Saturate,
        false => Overflow::Clamp { lo: m.lo, hi: m.hi },
    };
    let quantizer = Quantizer { relu: false, drop: m.shift, rounding, bits, signed, overflow };
    (bits <= 48).then_some(Form::Line { mul, add, quantizer })
}

/// The steps of a function, at most `most` of them.
fn steps(function: &Realization, f: &impl Fn(i64) -> i64, (lo, hi): (i64, i64), most: usize) -> Option<Form> {
    let mut found = Vec::new();
    let monotone = match function {
        Realization::MulShift(m) => !m.wrap,
        Realization::Thresholds(_) => true,
        Realization::TwoSlopes(..) | Realization::Table(_) => false,
    };
    let base = f(lo);
    if monotone {
        let last = f(hi);
        let (mut at, mut value) = (lo, base);
        while value != last {
            if found.len() == most {
                return None;
            }
            // The first place behind `at` with another value.
            let (mut below, mut above) = (at, hi);
            while above - below > 1 {
                let mid = below + (above - below) / 2;
                if f(mid) == value { below = mid } else { above = mid }
            }
            let next = f(above);
            found.push((above, next - value));
            (at, value) = (above, next);
        }
    } else {
        if hi.abs_diff(lo) > 1 << 16 {
            return None;
        }
        let mut value = base;
        for q in lo + 1..=hi {
            let next = f(q);
            if next != value {
                if found.len() == most {
                    return None;
                }
                found.push((q, next - value));
                value = next;
            }
        }
    }
    Some(if found.is_empty() { Form::Constant(base) } else { Form::Steps { base, steps: found } })
}

/// What must be added to a value in `range` so that bit `drop` of the sum says whether the value is at least `threshold`, and
/// that bit as a quantizer.
pub(super) fn comparison(threshold: i64, range: Interval) -> (i64, Quantizer) {
    let drop = bit_len((threshold - range.lo - 1).max(0)).max(bit_len((range.hi - threshold).max(0)));
    let rounding = Rounding::Floor;
    let quantizer = Quantizer { relu: false, drop, rounding, bits: 1, signed: false, overflow: Overflow::Wrap };
    ((1i64 << drop) - threshold, quantizer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use netfold_ir::hw::{Table, Thresholds};

    fn value(form: &Form, q: i64) -> i64 {
        match form {
            Form::Constant(k) => *k,
            Form::Line { mul, add, quantizer } => quantizer.apply(mul * q + add),
            Form::Steps { base, steps } => base + steps.iter().filter(|s| s.0 <= q).map(|s| s.1).sum::<i64>(),
            Form::Halves(below, above, [minus_one, zero]) => {
                let known = if q >= 0 { minus_one } else { zero };
                value(below, q.min(-1)) + value(above, q.max(0)) - known
            }
        }
    }

    #[test]
    fn forms_equal_their_functions() {
        let m = |mul, add, shift, half_even, lo, hi, wrap| MulShift {
            mul: vec![mul],
            add: vec![add],
            shift,
            half_even,
            lo,
            hi,
            wrap,
        };
        let leaky = Realization::TwoSlopes(m(1, 3, 5, false, -9, 20, false), m(1, 1, 2, true, -9, 20, false));
        let functions = [
            Realization::MulShift(m(1, 2, 3, false, 0, 7, false)),
            Realization::MulShift(m(-1, 0, 2, true, -6, 5, false)),
            Realization::MulShift(m(741, -100, 12, false, 0, 15, false)),
            Realization::MulShift(m(5, 1, 1, false, -8, 7, true)),
            Realization::MulShift(m(9, 0, 9, false, 0, 1, false)),
            leaky,
            Realization::Thresholds(Thresholds {
                base: vec![2],
                direction: vec![-1],
                thresholds: vec![vec![-3, -3, 4, 900]],
            }),
            Realization::Table(Table { first: -4, entries: vec![vec![1, 5, 5, -2, 0]], tail: None }),
        ];
        for function in functions {
            for shift in [vec![], vec![7]] {
                let realized = Realized { shift_input: shift, function: function.clone() };
                for (lo, hi) in [(-90, 110), (-2, 60), (3, 9), (-50, -20)] {
                    let Some(form) = form(&realized, 0, (lo, hi)) else { continue };
                    let s = realized.shift_input.first().copied().unwrap_or(0);
                    for q in lo..=hi {
                        assert_eq!(value(&form, q), function.eval(0, q + s), "{function:?} at {q}: {form:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn comparisons_are_one_bit() {
        for (lo, hi) in [(-9, 12), (0, 31), (-8, 7)] {
            for t in lo + 1..=hi {
                let (add, q) = comparison(t, Interval { lo, hi });
                assert_eq!(q.range(Interval { lo: lo + add, hi: hi + add }), Interval { lo: 0, hi: 1 });
                assert!((lo..=hi).all(|v| q.apply(v + add) == i64::from(v >= t)));
            }
        }
    }
}
