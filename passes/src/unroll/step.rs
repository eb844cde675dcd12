//! Step functions as sums, quantizers and comparisons of a straight-line program.

use crate::realize::Realized;
use netfold_ir::hw::latency::signed_digits;
use netfold_ir::hw::program::{Interval, Overflow, Quantizer, Rounding};
use netfold_ir::hw::{MulShift, Realization};

/// Most steps of one element.
const MOST_STEPS: usize = 255;
/// Most values of an argument for which any function is a table.
const TABLE_VALUES: u64 = 1 << 10;
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
    /// A piecewise constant function.
    Steps {
        /// The value below all steps.
        base: i64,
        /// Where it steps and the value from there on, ascending.
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
    if matches!(line, Some(Form::Constant(_))) {
        return line;
    }
    let steps = steps(&realized.function, &f, (lo, hi));
    match (steps, line) {
        (Some(s), Some(l)) => Some(if price(&s, (lo, hi)) < price(&l, (lo, hi)) { s } else { l }),
        (s, l) => s.or(l),
    }
}

/// Lookup tables of a form, only to compare two of the same function.
fn price(form: &Form, (lo, hi): (i64, i64)) -> f64 {
    let width = f64::from(Interval { lo, hi }.width());
    match form {
        Form::Constant(_) => 0.0,
        // Additions of the factor's digits, and clipping.
        Form::Line { mul, quantizer, .. } => {
            f64::from(signed_digits(*mul) - 1) * width + f64::from(quantizer.bits) + 1.0
        }
        // The sign of one sum; one lookup table a bit of the result; or comparisons.
        Form::Steps { steps, .. } if steps.len() <= 1 => 0.5,
        Form::Steps { base, steps } => {
            let ends = steps.iter().fold((*base, *base), |e, s| (e.0.min(s.1), e.1.max(s.1)));
            let bits = f64::from(Interval { lo: ends.0, hi: ends.1 }.width());
            if width <= 6.0 { bits } else { steps.len() as f64 * (0.2 * width + 1.0) }
        }
        Form::Halves(below, above, _) => price(below, (lo, -1)) + price(above, (0, hi)) + width,
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

/// The steps of a function, where they are not too many.
fn steps(function: &Realization, f: &impl Fn(i64) -> i64, (lo, hi): (i64, i64)) -> Option<Form> {
    let mut found = Vec::new();
    let monotone = match function {
        Realization::MulShift(m) => !m.wrap,
        Realization::Thresholds(_) => true,
        Realization::TwoSlopes(..) | Realization::Table(_) => false,
    };
    let values = hi.abs_diff(lo).saturating_add(1);
    let most = if values <= TABLE_VALUES { usize::MAX } else { MOST_STEPS };
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
            (at, value) = (above, f(above));
            found.push((at, value));
        }
    } else {
        if values > 1 << 16 {
            return None;
        }
        let mut value = base;
        for q in lo + 1..=hi {
            let next = f(q);
            if next != value {
                if found.len() == most {
                    return None;
                }
                found.push((q, next));
                value = next;
            }
        }
    }
    Some(if found.is_empty() { Form::Constant(base) } else { Form::Steps { base, steps: found } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use netfold_ir::hw::{Table, Thresholds};

    fn value(form: &Form, q: i64) -> i64 {
        match form {
            Form::Constant(k) => *k,
            Form::Line { mul, add, quantizer } => quantizer.apply(mul * q + add),
            Form::Steps { base, steps } => steps.iter().rev().find(|s| s.0 <= q).map_or(*base, |s| s.1),
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
}
