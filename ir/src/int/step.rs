//! Step functions: integer to integer through exact real arithmetic, per channel.
//!
//! `f_c(q) = quantize_c(g_c(scale_c * q + offset_c))`, where `g` is a chain of functions of one element. This definition is
//! evaluated in exact rational arithmetic; everything faster is derived from it here:
//! [`StepFn::pieces`] (affine pieces on intervals of `q`, when `g` is piecewise affine) and [`Compiled`], what the golden
//! interpreter runs.

use super::Range;
use super::approx::Approx;
use super::infer::period;
use crate::net::{Affine, UnaryFn};
use crate::quant::{IntType, Overflow, Quantizer, Rounding};
use crate::rat::{self, Rat};
use num_traits::{One, Signed, Zero};
use serde::{Deserialize, Serialize};

/// The exact definition of a function of one element.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepFn {
    /// Real value of the input: `scale * q + offset`.
    pub input: Affine,
    /// Functions applied in order.
    pub functions: Vec<UnaryFn>,
    /// Quantizer that makes the result an integer.
    pub quantizer: Quantizer,
}

/// `x = slope * q + offset` for `q >= from`, until the next piece.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// First `q`; the first piece has `i64::MIN`.
    pub from: i64,
    /// Slope.
    pub slope: Rat,
    /// Value at `q = 0`.
    pub offset: Rat,
}

impl StepFn {
    /// Number of flat element indices after which the function repeats.
    pub fn channels(&self) -> usize {
        let lengths = [self.input.channels(), self.quantizer.channels()];
        lengths.into_iter().chain(self.functions.iter().map(UnaryFn::channels)).fold(1, num_integer::lcm)
    }

    /// The exact value for `q` in channel `c`.
    pub fn eval(&self, c: usize, q: i64) -> i64 {
        let mut x = self.input.scale_of(c) * rat::from_i64(q) + self.input.offset_of(c);
        for f in &self.functions {
            x = f.exact(c, &x);
        }
        self.quantizer.quantize(c, &x)
    }

    /// Real value of the result.
    pub fn output_real(&self) -> Affine {
        let n = self.quantizer.channels();
        let offset = (0..n).map(|c| -(self.quantizer.scale_of(c) * self.quantizer.zero_point_of(c)));
        Affine { scale: self.quantizer.scale.clone(), offset: super::compact(offset.collect()) }
    }

    /// Whether the function never decreases, or never increases, in `q` on channel `c`; `None` when neither is known.
    pub fn direction(&self, c: usize) -> Option<i64> {
        if self.quantizer.overflow == Overflow::Wrap {
            return None;
        }
        let mut sign = if self.input.scale_of(c).is_negative() { -1 } else { 1 };
        for f in &self.functions {
            match f {
                UnaryFn::Affine(a) => {
                    if a.scale_of(c).is_negative() {
                        sign = -sign;
                    }
                }
                f if f.is_monotone() => {}
                _ => return None,
            }
        }
        Some(sign)
    }

    /// The real function before the quantizer's rounding, in units of result steps (`x / scale + zero_point`), as affine pieces
    /// of `q` in channel `c`; `None` when some function of the chain is not piecewise affine.
    pub fn pieces(&self, c: usize) -> Option<Vec<Piece>> {
        let mut pieces = vec![Piece {
            from: i64::MIN,
            slope: self.input.scale_of(c).clone(),
            offset: self.input.offset_of(c).clone(),
        }];
        for f in &self.functions {
            pieces = match f {
                UnaryFn::Affine(a) => affine(pieces, a.scale_of(c), a.offset_of(c)),
                UnaryFn::Relu => clamp(pieces, Some(&Rat::zero()), None),
                UnaryFn::Clip(lo, hi) => {
                    let bound = |v: &[f64]| rat::from_f64(v[c % v.len()]);
                    clamp(pieces, bound(lo).as_ref(), bound(hi).as_ref())
                }
                UnaryFn::HardSigmoid(alpha, beta) => {
                    let line = affine(pieces, &rat::from_f64(*alpha)?, &rat::from_f64(*beta)?);
                    clamp(line, Some(&Rat::zero()), Some(&Rat::one()))
                }
                UnaryFn::LeakyRelu(slope) => {
                    let s = rat::from_f64(slope[c % slope.len()])?;
                    bend(pieces, &s)
                }
                UnaryFn::Abs => bend(pieces, &-Rat::one()),
                UnaryFn::HardSwish
                | UnaryFn::Sigmoid
                | UnaryFn::Tanh
                | UnaryFn::Elu(_)
                | UnaryFn::Selu(..)
                | UnaryFn::Softplus
                | UnaryFn::Softsign
                | UnaryFn::Exp
                | UnaryFn::Sqrt
                | UnaryFn::Reciprocal
                | UnaryFn::Quant(_) => return None,
            };
        }
        let scale = rat::recip(self.quantizer.scale_of(c));
        let mut out = affine(pieces, &scale, self.quantizer.zero_point_of(c));
        out.dedup_by(|b, a| a.slope == b.slope && a.offset == b.offset);
        Some(out)
    }

    /// Exact interval of the result for inputs in `range`: tight when the function is monotone, otherwise the result type's.
    pub fn output_range(&self, range: &Range) -> Range {
        let ty = self.quantizer.ty;
        let n = period([self.channels(), range.0.len()].into_iter(), usize::MAX);
        if n > 1 << 16 {
            return Range::uniform(ty.min(), ty.max());
        }
        let fast = Approx::new(self);
        let of = |c: usize| {
            let (lo, hi) = range.of(c);
            match self.direction(c) {
                Some(_) => {
                    let (a, b) = (fast.eval(c, lo), fast.eval(c, hi));
                    (a.min(b), a.max(b))
                }
                None if hi.abs_diff(lo) < 1 << 12 => {
                    (lo..=hi).map(|q| fast.eval(c, q)).fold((i64::MAX, i64::MIN), |r, y| (r.0.min(y), r.1.max(y)))
                }
                None => (ty.min(), ty.max()),
            }
        };
        Range((0..n).map(of).collect())
    }
}

/// `scale * x + offset` on every piece.
fn affine(pieces: Vec<Piece>, scale: &Rat, offset: &Rat) -> Vec<Piece> {
    pieces
        .into_iter()
        .map(|p| Piece { from: p.from, slope: p.slope * scale, offset: p.offset * scale + offset })
        .collect()
}

/// Smallest `q` of a piece at which its line has reached or crossed `level`, and whether it lies below before that.
fn crossing(p: &Piece, level: &Rat) -> Option<(i64, bool)> {
    if p.slope.is_zero() {
        return None;
    }
    let root = (level - &p.offset) / &p.slope;
    let at = -rat::floor_i64(&-root);
    Some((at, p.slope.is_positive()))
}

/// Splits every piece where it crosses `level`; calls `f` with each part and whether it lies below the level.
fn split(pieces: Vec<Piece>, level: &Rat, mut f: impl FnMut(Piece, bool)) {
    for i in 0..pieces.len() {
        let p = &pieces[i];
        let end = pieces.get(i + 1).map_or(i64::MAX, |n| n.from);
        match crossing(p, level) {
            None => f(p.clone(), p.offset < *level),
            Some((at, below_before)) => {
                if at > p.from {
                    f(p.clone(), below_before);
                }
                if at < end {
                    f(Piece { from: at.max(p.from), ..p.clone() }, !below_before);
                }
            }
        }
    }
}

/// Clamps every piece to the bounds.
fn clamp(pieces: Vec<Piece>, lo: Option<&Rat>, hi: Option<&Rat>) -> Vec<Piece> {
    let mut out = pieces;
    for (level, keep_below) in [(lo, false), (hi, true)] {
        let Some(level) = level else { continue };
        let mut next: Vec<Piece> = Vec::new();
        split(out, level, |p, below| {
            let p =
                if below == keep_below { p } else { Piece { from: p.from, slope: Rat::zero(), offset: level.clone() } };
            next.push(p);
        });
        out = next;
    }
    out
}

/// `x` where `x >= 0`, otherwise `slope * x`.
fn bend(pieces: Vec<Piece>, slope: &Rat) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::new();
    split(pieces, &Rat::zero(), |p, below| {
        let p = if below { Piece { from: p.from, slope: p.slope * slope, offset: p.offset * slope } } else { p };
        out.push(p);
    });
    out
}

/// `floor` or rounding to nearest even of `(num * q + add) / den`, in 128-bit arithmetic, then the overflow mode.
#[derive(Debug, Clone)]
struct Line {
    from: i64,
    num: i128,
    add: i128,
    den: i128,
    half_even: bool,
}

impl Line {
    fn eval(&self, q: i64) -> i128 {
        let t = self.num * i128::from(q) + self.add;
        // A shift where it can be: dividing 128-bit numbers takes some hundred instructions.
        let floor =
            if self.den & (self.den - 1) == 0 { t >> self.den.trailing_zeros() } else { t.div_euclid(self.den) };
        if !self.half_even {
            return floor;
        }
        let twice = 2 * (t - floor * self.den);
        floor + i128::from(twice > self.den || (twice == self.den && floor & 1 == 1))
    }
}

/// One channel of a compiled function.
#[derive(Debug, Clone)]
enum Channel {
    /// Values for `q = first ..`.
    Table(i64, Vec<i64>),
    /// Affine pieces, then the overflow mode.
    Lines(Vec<Line>),
    /// In `f64`, or by the definition where that is not certain.
    Approx(usize),
}

/// A step function prepared for fast evaluation on inputs in a known range; equal to its definition there.
#[derive(Debug, Clone)]
pub struct Compiled {
    channels: Vec<Channel>,
    fast: Approx,
    ty: IntType,
    overflow: Overflow,
}

/// Most table entries of all channels together.
const TABLE_ENTRIES: u64 = 1 << 21;

impl Compiled {
    /// Prepares `f` for inputs in `range`, over `elements` elements.
    pub fn new(f: &StepFn, range: &Range, elements: usize) -> Compiled {
        let n = period([f.channels(), range.0.len()].into_iter(), elements);
        let pieces: Vec<Option<Vec<Piece>>> = (0..n.min(f.channels())).map(|c| f.pieces(c)).collect();
        Compiled::of_pieces(f, &pieces, range, n)
    }

    /// Prepares `f` for inputs in `range` in channels `0..n`, given the [`StepFn::pieces`] of the channels after which they repeat.
    pub fn of_pieces(f: &StepFn, pieces: &[Option<Vec<Piece>>], range: &Range, n: usize) -> Compiled {
        let size = |c: usize| range.of(c).1.abs_diff(range.of(c).0).saturating_add(1);
        let tables = (0..n).map(size).fold(0u64, u64::saturating_add) <= TABLE_ENTRIES;
        let fast = Approx::new(f);
        let channels = (0..n)
            .map(|c| {
                let (lo, hi) = range.of(c);
                let pieces = pieces[c % pieces.len()].as_ref();
                let lines = pieces.and_then(|p| lines(p, f.quantizer.rounding, (lo, hi)));
                let small = size(c) <= 1 << 10;
                match lines {
                    Some(lines) if tables && small => {
                        let y = (lo..=hi).map(|q| apply(&lines, q, f.quantizer.ty, f.quantizer.overflow));
                        Channel::Table(lo, y.collect())
                    }
                    Some(lines) => Channel::Lines(lines),
                    None if tables => Channel::Table(lo, table(&fast, f.direction(c).is_some(), c, lo, hi)),
                    None => Channel::Approx(c),
                }
            })
            .collect();
        Compiled { channels, fast, ty: f.quantizer.ty, overflow: f.quantizer.overflow }
    }

    /// The value at flat element index `i`.
    #[inline]
    pub fn eval(&self, i: usize, q: i64) -> i64 {
        match &self.channels[i % self.channels.len()] {
            Channel::Table(first, values) => values[(q - first) as usize],
            Channel::Lines(lines) => apply(lines, q, self.ty, self.overflow),
            Channel::Approx(c) => self.fast.eval(*c, q),
        }
    }
}

/// All values of a channel on `lo..=hi`: by bisection where the function is monotone, one by one otherwise.
fn table(f: &Approx, monotone: bool, c: usize, lo: i64, hi: i64) -> Vec<i64> {
    let n = usize::try_from(hi - lo + 1).unwrap_or(0);
    if !monotone {
        return (lo..=hi).map(|q| f.eval(c, q)).collect();
    }
    let mut out = vec![0; n];
    fill(f, c, lo, &mut out, None, None);
    out
}

/// Fills values of a monotone function: equal ends mean a constant in between.
fn fill(f: &Approx, c: usize, lo: i64, out: &mut [i64], first: Option<i64>, last: Option<i64>) {
    let n = out.len();
    if n == 0 {
        return;
    }
    let a = first.unwrap_or_else(|| f.eval(c, lo));
    let b = last.unwrap_or_else(|| if n == 1 { a } else { f.eval(c, lo + n as i64 - 1) });
    if a == b || n <= 2 {
        out.fill(a);
        out[n - 1] = b;
        return;
    }
    let mid = n / 2;
    let m = f.eval(c, lo + mid as i64);
    let (left, right) = out.split_at_mut(mid + 1);
    fill(f, c, lo, left, Some(a), Some(m));
    fill(f, c, lo + mid as i64 + 1, right, None, Some(b));
}

/// Evaluates the piece that holds `q` and applies the overflow mode.
fn apply(lines: &[Line], q: i64, ty: IntType, overflow: Overflow) -> i64 {
    let i = if lines.len() == 1 { 0 } else { lines.partition_point(|l| l.from <= q) - 1 };
    let v = lines[i].eval(q);
    let (lo, hi) = (i128::from(ty.min()), i128::from(ty.max()));
    let v = match overflow {
        Overflow::Saturate => v.clamp(lo, hi),
        Overflow::Wrap => {
            let m = 1i128 << ty.bits;
            let low = if ty.signed { -(m / 2) } else { 0 };
            (v - low).rem_euclid(m) + low
        }
    };
    v as i64
}

/// Pieces in 128-bit integers, when all values on `range` fit and the rounding mode is one of floor type.
fn lines(pieces: &[Piece], rounding: Rounding, range: (i64, i64)) -> Option<Vec<Line>> {
    let mut out = Vec::with_capacity(pieces.len());
    for p in pieces {
        let offset = match rounding {
            Rounding::Floor | Rounding::HalfEven => p.offset.clone(),
            Rounding::HalfUp => &p.offset + rat::pow2(-1),
            Rounding::HalfDown
            | Rounding::HalfTowardZero
            | Rounding::HalfAwayFromZero
            | Rounding::Ceil
            | Rounding::TowardZero
            | Rounding::AwayFromZero => return None,
        };
        let (num, add, den) = rat::common_denominator(&p.slope, &offset);
        let (num, add, den) = (i128::try_from(num).ok()?, i128::try_from(add).ok()?, i128::try_from(den).ok()?);
        let bits = |v: i128| 128 - v.unsigned_abs().leading_zeros();
        let reach = range.0.unsigned_abs().max(range.1.unsigned_abs());
        if bits(num) + (64 - reach.leading_zeros()) > 124 || bits(add) > 124 || bits(den) > 124 {
            return None;
        }
        out.push(Line { from: p.from, num, add, den, half_even: rounding == Rounding::HalfEven });
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};

    fn random_step(rng: &mut impl Rng) -> StepFn {
        let dyadic = |rng: &mut dyn rand::RngCore| {
            let m = (rng.next_u32() % 4001) as i64 - 2000;
            rat::from_i64(m) * rat::pow2(-(rng.next_u32() as i32 & 15))
        };
        let mut scale = dyadic(rng);
        if scale.is_zero() {
            scale = Rat::one();
        }
        let mut functions = Vec::new();
        for _ in 0..rng.random_range(0..3) {
            functions.push(match rng.random_range(0..8) {
                0 => UnaryFn::Relu,
                1 => UnaryFn::LeakyRelu(vec![0.125]),
                2 => UnaryFn::Clip(vec![-1.5], vec![6.0]),
                3 => UnaryFn::Abs,
                4 => UnaryFn::HardSigmoid(0.2, 0.5),
                5 => UnaryFn::Affine(Affine { scale: vec![dyadic(rng)], offset: vec![dyadic(rng)] }),
                6 => UnaryFn::Tanh,
                _ => UnaryFn::Quant(Quantizer::fixed(true, 9, 4, Rounding::HalfEven, Overflow::Saturate)),
            });
        }
        let modes = [Rounding::Floor, Rounding::HalfEven, Rounding::HalfUp, Rounding::HalfAwayFromZero];
        let overflow = if rng.random_bool(0.2) { Overflow::Wrap } else { Overflow::Saturate };
        let bits = rng.random_range(1..12);
        StepFn {
            input: Affine { scale: vec![scale], offset: vec![dyadic(rng)] },
            functions,
            quantizer: Quantizer::fixed(rng.random_bool(0.6), bits, 3, modes[rng.random_range(0..4)], overflow),
        }
    }

    #[test]
    fn compiled_equals_the_definition() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(7);
        for case in 0..150 {
            let f = random_step(&mut rng);
            let range = Range::uniform(-rng.random_range(0..900), rng.random_range(0..9_000));
            let compiled = Compiled::new(&f, &range, 1);
            let out = f.output_range(&range).hull();
            for _ in 0..60 {
                let q = rng.random_range(range.hull().0..=range.hull().1);
                let y = f.eval(0, q);
                assert_eq!(Approx::new(&f).eval(0, q), y, "case {case}: {f:?} at {q}");
                assert_eq!(compiled.eval(0, q), y, "case {case}: {f:?} at {q}");
                assert!((out.0..=out.1).contains(&y), "case {case}: {y} outside of {out:?}");
            }
        }
    }
}
