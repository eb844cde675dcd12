//! Step functions as one or two lines in integer arithmetic.

use super::Realized;
use super::boundaries::Steps;
use super::gap;
use netfold_ir::hw::{MulShift, Realization};
use netfold_ir::int::step::Piece;
use netfold_ir::int::{StepFn, compact};
use netfold_ir::net::Affine;
use netfold_ir::quant::{Overflow, Rounding};
use netfold_ir::rat::{self, Rat};
use num_traits::{One, Signed, Zero};

/// Widest factor of a line.
const FACTOR_BITS: u32 = 40;
/// Largest shift of a line.
const SHIFT: i32 = 60;

/// One line of one channel with its clipping, `clip(round(slope * q + offset))`.
pub(super) struct Line {
    slope: Rat,
    offset: Rat,
    lo: i64,
    hi: i64,
}

impl Line {
    /// The value at `q`.
    fn value(&self, rounding: Rounding, q: i64) -> i64 {
        rat::saturated(&rounding.round(&(&self.slope * rat::from_i64(q) + &self.offset))).clamp(self.lo, self.hi)
    }
}

/// The pieces of channel `c` as one line and clipping bounds, when they are that on `hull`.
fn single_line(f: &StepFn, c: usize, pieces: &[Piece], hull: (i64, i64)) -> Option<Line> {
    let ty = f.quantizer.ty;
    let inside: Vec<&Piece> = pieces
        .iter()
        .enumerate()
        .filter(|(i, p)| p.from <= hull.1 && pieces.get(i + 1).is_none_or(|n| n.from > hull.0))
        .map(|(_, p)| p)
        .collect();
    let sloped: Vec<usize> = (0..inside.len()).filter(|&i| !inside[i].slope.is_zero()).collect();
    let [at] = sloped[..] else {
        if sloped.is_empty() && inside.len() == 1 {
            let v = f.eval(c, hull.0);
            return Some(Line { slope: Rat::zero(), offset: rat::from_i64(v), lo: v, hi: v });
        }
        return None;
    };
    if inside.len() > 1 && f.quantizer.overflow == Overflow::Wrap {
        return None;
    }
    let (mut lo, mut hi) = (ty.min(), ty.max());
    let rising = inside[at].slope.is_positive();
    let line = |q: i64| {
        rat::saturated(&f.quantizer.rounding.round(&(&inside[at].slope * rat::from_i64(q) + &inside[at].offset)))
    };
    // Constant pieces on either side must be what clipping makes of the line.
    for (i, p) in inside.iter().enumerate() {
        if i == at {
            continue;
        }
        let nearest = if i < at { inside[i + 1].from - 1 } else { p.from };
        let value = f.eval(c, nearest.clamp(hull.0, hull.1));
        let below = (i < at) == rising;
        if below {
            if line(nearest) > value {
                return None;
            }
            lo = lo.max(value);
        } else {
            if line(nearest) < value {
                return None;
            }
            hi = hi.min(value);
        }
    }
    Some(Line { slope: inside[at].slope.clone(), offset: inside[at].offset.clone(), lo, hi })
}

/// A rounding mode on values of one sign as one of floor type; `None` when signs mix.
fn floor_type(mode: Rounding, line: &Line, hull: (i64, i64)) -> Option<Rounding> {
    let (of_positive, of_negative) = match mode {
        Rounding::HalfEven | Rounding::HalfUp | Rounding::HalfDown | Rounding::Floor | Rounding::Ceil => {
            return Some(mode);
        }
        Rounding::TowardZero => (Rounding::Floor, Rounding::Ceil),
        Rounding::AwayFromZero => (Rounding::Ceil, Rounding::Floor),
        Rounding::HalfTowardZero => (Rounding::HalfDown, Rounding::HalfUp),
        Rounding::HalfAwayFromZero => (Rounding::HalfUp, Rounding::HalfDown),
    };
    let at = |q: i64| &line.slope * rat::from_i64(q) + &line.offset;
    let (a, b) = (at(hull.0), at(hull.1));
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if !low.is_negative() || line.lo >= 0 {
        Some(of_positive)
    } else if !high.is_positive() {
        Some(of_negative)
    } else {
        None
    }
}

/// Fraction bits of a dyadic rational; `None` when it is none or has too many.
fn fraction_bits(x: &Rat) -> Option<i32> {
    rat::fraction_bits(x).filter(|b| *b <= SHIFT)
}

/// All channels as lines, from their [`StepFn::pieces`]; `None` when some channel is not one line with its clipping on its interval.
pub(super) fn lines(f: &StepFn, pieces: &[Option<Vec<Piece>>], hulls: &[(i64, i64)]) -> Option<Vec<Line>> {
    pieces.iter().zip(hulls).enumerate().map(|(c, (p, hull))| single_line(f, c, p.as_ref()?, *hull)).collect()
}

/// Integer form of lines whose slopes are dyadic: exact by construction. `None` when some slope is not, or too fine.
pub(super) fn exact(f: &StepFn, lines: &[Line], hulls: &[(i64, i64)]) -> Option<MulShift> {
    let mut shift = 0;
    for l in lines {
        shift = shift.max(fraction_bits(&l.slope)?);
    }
    let modes: Option<Vec<Rounding>> =
        lines.iter().zip(hulls).map(|(l, h)| floor_type(f.quantizer.rounding, l, *h)).collect();
    let modes = modes?;
    // Ties to even need the exact offset, unless no value can be a tie.
    let ties = |l: &Line| fraction_bits(&l.offset).is_some_and(|b| b <= shift.max(1));
    let half_even = f.quantizer.rounding == Rounding::HalfEven && lines.iter().any(|l| !l.slope.is_zero() && ties(l));
    if half_even {
        for l in lines {
            if !l.slope.is_zero() {
                shift = shift.max(fraction_bits(&l.offset)?);
            }
        }
    }
    let (unit, half) = (rat::pow2(shift), rat::pow2(-1));
    let (mut mul, mut add) = (Vec::new(), Vec::new());
    for (l, mode) in lines.iter().zip(&modes) {
        let m = rat::to_i64(&(&l.slope * &unit)).filter(|m| m.unsigned_abs() < 1 << FACTOR_BITS)?;
        let floor = |x: Rat| i64::try_from(x.floor()).ok();
        let ceil_less_one = |x: Rat| i64::try_from(x.ceil()).ok().and_then(|v| v.checked_sub(1));
        let a = match mode {
            Rounding::HalfEven if half_even => floor(&l.offset * &unit),
            Rounding::HalfEven | Rounding::HalfUp => floor((&l.offset + &half) * &unit),
            Rounding::HalfDown => ceil_less_one((&l.offset + &half) * &unit),
            Rounding::Floor => floor(&l.offset * &unit),
            Rounding::Ceil => ceil_less_one((&l.offset + Rat::one()) * &unit),
            Rounding::TowardZero | Rounding::AwayFromZero | Rounding::HalfTowardZero | Rounding::HalfAwayFromZero => {
                return None;
            }
        }?;
        mul.push(m);
        add.push(a);
    }
    bounded(f, lines, hulls, mul, add, u32::try_from(shift).ok()?, half_even)
}

/// The lines with common clipping bounds. Bounds that differ between channels are taken where that changes nothing.
fn bounded(
    f: &StepFn,
    lines: &[Line],
    hulls: &[(i64, i64)],
    mut mul: Vec<i64>,
    mut add: Vec<i64>,
    shift: u32,
    half_even: bool,
) -> Option<MulShift> {
    let wrap = f.quantizer.overflow == Overflow::Wrap;
    let ty = f.quantizer.ty;
    let (lo, hi) = if wrap {
        let modulus_low = if ty.signed { -(1i64 << (ty.bits - 1)) } else { 0 };
        (modulus_low, modulus_low + (1i64 << ty.bits) - 1)
    } else {
        let sloped: Vec<(&Line, (i64, i64))> =
            lines.iter().zip(hulls).filter(|(l, _)| !l.slope.is_zero()).map(|(l, h)| (l, *h)).collect();
        let lo = sloped.iter().map(|(l, _)| l.lo).max().unwrap_or(ty.min());
        let hi = sloped.iter().map(|(l, _)| l.hi).min().unwrap_or(ty.max());
        let held = |(l, hull): &(&Line, (i64, i64))| {
            let within = || {
                let ends = [hull.0, hull.1].map(|q| l.value(f.quantizer.rounding, q));
                (l.lo == lo || ends[0].min(ends[1]) >= lo) && (l.hi == hi || ends[0].max(ends[1]) <= hi)
            };
            (l.lo, l.hi) == (lo, hi) || within()
        };
        if !sloped.iter().all(held) {
            return None;
        }
        (lo, hi)
    };
    for (i, l) in lines.iter().enumerate() {
        if l.slope.is_zero() {
            // A constant channel: no slope, and an offset that gives its value, which must lie within the bounds.
            if !(lo..=hi).contains(&l.lo) {
                return None;
            }
            mul[i] = 0;
            add[i] = l.lo.checked_mul(1i64.checked_shl(shift)?)?;
        }
    }
    Some(MulShift { mul: compact(mul), add: compact(add), shift, half_even, lo, hi, wrap })
}

/// Whether [`fitted`] can succeed: false when some line surely needs a factor or shift beyond the limits.
pub(super) fn may_be_fitted(lines: &[Line], hulls: &[(i64, i64)]) -> bool {
    lines.iter().zip(hulls).all(|(line, hull)| {
        if line.slope.is_zero() {
            return true;
        }
        // Where the line is not clipped; half a step more or less does not matter here.
        let at = |level: i64| rat::floor_i64(&((rat::from_i64(level) - &line.offset) / &line.slope));
        let (a, b) = (at(line.lo), at(line.hi));
        let (lo, hi) = (hull.0.max(a.min(b)), hull.1.min(a.max(b)));
        if lo > hi {
            return true;
        }
        let offset = &line.offset + rat::pow2(-1);
        let (num, add, den) = rat::common_denominator(&line.slope, &offset);
        let shift = gap::fraction_bits_needed(&num, &add, &den, lo, hi) as i64 - LUCK;
        shift <= i64::from(SHIFT) && shift + gap::log2(&num, &den) <= i64::from(FACTOR_BITS)
    })
}

/// Bits by which a factor may be shorter than those that always suffice, because its rounding error happens to be small.
const LUCK: i64 = 4;

/// The lines with factors fitted to the steps; `None` when no factors of a sensible width meet all steps.
pub(super) fn fitted(f: &StepFn, lines: &[Line], steps: &[Steps]) -> Option<MulShift> {
    let hulls: Vec<(i64, i64)> = steps.iter().map(|s| s.range).collect();
    let slopes: Vec<f64> = lines.iter().map(|l| rat::to_f64(&l.slope).abs()).filter(|s| *s > 0.0).collect();
    let steepest = slopes.iter().copied().fold(0.0f64, f64::max);
    if steepest == 0.0 {
        return None;
    }
    let start = (-steepest.log2()).floor().clamp(0.0, 50.0) as i32;
    'shift: for shift in start..=(start + 34).min(SHIFT) {
        let (mut mul, mut add) = (Vec::new(), Vec::new());
        for (l, s) in lines.iter().zip(steps) {
            if l.slope.is_zero() {
                mul.push(0);
                add.push(0);
                continue;
            }
            match fit(l, s, shift) {
                Some((m, b)) => {
                    mul.push(m);
                    add.push(b);
                }
                None => continue 'shift,
            }
        }
        return bounded(f, lines, &hulls, mul, add, shift as u32, false);
    }
    None
}

/// A factor and addend with which `floor((m * q + b) / 2^shift)` steps exactly where the function does.
fn fit(l: &Line, s: &Steps, shift: i32) -> Option<(i64, i64)> {
    let unit = 1i128 << shift;
    let exact = &l.slope * rat::pow2(shift);
    let near = i64::try_from(Rounding::HalfEven.round(&exact)).ok().filter(|m| m.unsigned_abs() < 1 << FACTOR_BITS)?;
    'factor: for m in [near, near + 1, near - 1] {
        if m == 0 {
            continue;
        }
        let wide = i128::from(m);
        let (mut low, mut high) = (i128::MIN, i128::MAX);
        // Beyond the first and last value only clipping may hold the line.
        let ends = [i128::from(s.first), i128::from(s.first) + i128::from(s.direction) * s.at.len() as i128];
        let (least, least_at) = if s.direction > 0 { (ends[0], s.range.0) } else { (ends[1], s.range.1) };
        let (most, most_at) = if s.direction > 0 { (ends[1], s.range.1) } else { (ends[0], s.range.0) };
        if least > i128::from(l.lo) {
            low = least * unit - wide * i128::from(least_at);
        }
        if most < i128::from(l.hi) {
            high = (most + 1) * unit - wide * i128::from(most_at) - 1;
        }
        for (k, &t) in s.at.iter().enumerate() {
            let (below, reached) = (i128::from(t) - 1, i128::from(t));
            if s.direction > 0 {
                // The value `level` is reached at t and not before.
                let level = i128::from(s.first) + k as i128 + 1;
                low = low.max(level * unit - wide * reached);
                high = high.min(level * unit - wide * below - 1);
            } else {
                // The value is below `level` from t on.
                let level = i128::from(s.first) - k as i128;
                high = high.min(level * unit - wide * reached - 1);
                low = low.max(level * unit - wide * below);
            }
            if low > high {
                continue 'factor;
            }
        }
        if low > high {
            continue;
        }
        if s.at.is_empty() {
            // No step at all: hold the value by the offset.
            let v = i128::from(s.first) * unit + unit / 2;
            return Some((0, i64::try_from(v).ok()?));
        }
        // The addend with the most trailing zeros in the interval needs the fewest bits.
        let mut b = low;
        for zeros in (0..60).rev() {
            let step = 1i128 << zeros;
            let candidate = -((-low).div_euclid(step)) * step;
            if candidate <= high {
                b = candidate;
                break;
            }
        }
        return i64::try_from(b).ok().map(|b| (m, b));
    }
    None
}

/// Functions of two sloped pieces, such as leaky ReLU: both lines, meeting at zero after a per-channel addend.
pub(super) fn two_slopes(f: &StepFn, pieces: &[Option<Vec<Piece>>], hulls: &[(i64, i64)]) -> Option<Realized> {
    let mut pivots = Vec::new();
    for (pieces, hull) in pieces.iter().zip(hulls) {
        let pieces = pieces.as_ref()?;
        let inside: Vec<&Piece> = pieces
            .iter()
            .enumerate()
            .filter(|(i, p)| p.from <= hull.1 && pieces.get(i + 1).is_none_or(|n| n.from > hull.0))
            .map(|(_, p)| p)
            .collect();
        pivots.push(match inside[..] {
            [_] => hull.0,
            [_, b] => b.from,
            _ => return None,
        });
    }
    // With q = q' + pivot the pieces meet at q' = 0.
    let moved = StepFn { input: shifted(f, &pivots), ..f.clone() };
    let (mut below, mut above) = (Vec::new(), Vec::new());
    let mut moved_hulls = Vec::new();
    for (c, hull) in hulls.iter().enumerate() {
        let h = (hull.0 - pivots[c], hull.1 - pivots[c]);
        let pieces = moved.pieces(c)?;
        let at = |q: i64| {
            let i = pieces.partition_point(|p| p.from <= q).max(1) - 1;
            let (lo, hi) = (f.quantizer.ty.min(), f.quantizer.ty.max());
            Line { slope: pieces[i].slope.clone(), offset: pieces[i].offset.clone(), lo, hi }
        };
        below.push(at(-1));
        above.push(at(0));
        moved_hulls.push(h);
    }
    let negative: Vec<(i64, i64)> = moved_hulls.iter().map(|h| (h.0.min(-1), (-1).min(h.1))).collect();
    let positive: Vec<(i64, i64)> = moved_hulls.iter().map(|h| (h.0.max(0), h.1.max(0))).collect();
    let keep_slope = |lines: &mut Vec<Line>| {
        for l in lines.iter_mut().filter(|l| l.slope.is_zero()) {
            let v = i64::try_from(f.quantizer.rounding.round(&l.offset)).unwrap_or(0).clamp(l.lo, l.hi);
            (l.lo, l.hi) = (v, v);
        }
    };
    keep_slope(&mut below);
    keep_slope(&mut above);
    let below = exact(f, &below, &negative)?;
    let above = exact(f, &above, &positive)?;
    if (below.lo, below.hi) != (above.lo, above.hi) {
        return None;
    }
    let shift_input =
        if pivots.iter().all(|p| *p == 0) { Vec::new() } else { compact(pivots.iter().map(|p| -p).collect()) };
    Some(Realized { shift_input, function: Realization::TwoSlopes(below, above) })
}

/// The affine meaning of `q'` with `q = q' + pivot`.
fn shifted(f: &StepFn, pivots: &[i64]) -> Affine {
    let offset = pivots
        .iter()
        .enumerate()
        .map(|(c, p)| f.input.offset_of(c) + f.input.scale_of(c) * rat::from_i64(*p))
        .collect();
    Affine { scale: (0..pivots.len()).map(|c| f.input.scale_of(c).clone()).collect(), offset }
}
