//! `realize`: how a step function is built in hardware: the cheapest of a shift, a multiplication and shift, two such lines,
//! a threshold bank or a table, each proved equal to the function on its whole input range.
//!
//! The proofs: a line with a dyadic slope is exact by construction; any other line is checked at every step of the (monotone)
//! function, which suffices because it is monotone too; thresholds are the steps themselves; a table lists every value.

mod boundaries;
mod cost;
mod gap;
mod line;

use boundaries::Steps;
use netfold_ir::diag::{Code, Diag};
use netfold_ir::hw::{MulShift, Realization, Table, Thresholds};
use netfold_ir::int::step::{Compiled, Piece};
use netfold_ir::int::{Range, StepFn, compact};
use netfold_ir::net::UnaryFn;
use netfold_ir::partition;
use netfold_ir::quant::Overflow;
use netfold_ir::rat;
use num_traits::Zero;

/// Most entries of a table.
const TABLE_ENTRIES: u64 = 1 << 17;
/// Most thresholds a channel.
const THRESHOLDS: i64 = 1 << 10;

/// A function and what must be added to its argument first, per channel (empty: nothing).
#[derive(Debug, Clone, PartialEq)]
pub struct Realized {
    /// Added to the input before the function.
    pub shift_input: Vec<i64>,
    /// The function of the sum.
    pub function: Realization,
}

impl From<Realization> for Realized {
    fn from(function: Realization) -> Realized {
        Realized { shift_input: Vec::new(), function }
    }
}

/// The cheapest exact realisation of `f` for inputs in `range`, over `elements` elements. `name` is for the error.
pub fn realize(name: &str, f: &StepFn, range: &Range, elements: usize) -> Result<Realized, Diag> {
    let n = f.channels();
    let period = num_integer::lcm(n, range.0.len());
    let period = if elements.is_multiple_of(period) { period } else { elements };
    // The hull of all elements that share a function, so that functions stay shared.
    let hulls: Vec<(i64, i64)> = (0..n)
        .map(|c| {
            let mut hull = (i64::MAX, i64::MIN);
            for i in (c..period.max(n)).step_by(n) {
                let (lo, hi) = range.of(i);
                hull = (hull.0.min(lo), hull.1.max(hi));
            }
            hull
        })
        .collect();
    let range = Range(hulls.clone());
    let input = range.ty();
    let pieces: Vec<Option<Vec<Piece>>> = (0..n).map(|c| f.pieces(c)).collect();
    let compiled = Compiled::of_pieces(f, &pieces, &range, n);
    let lines = line::lines(f, &pieces, &hulls);
    let mut candidates: Vec<Realized> = Vec::new();
    if let Some(line) = lines.as_ref().and_then(|l| line::exact(f, l, &hulls)) {
        candidates.push(Realization::MulShift(line).into());
    } else if let Some(two) = line::two_slopes(f, &pieces, &hulls) {
        candidates.push(two);
    }
    let cheap_line = candidates.iter().any(|c| matches!(&c.function, Realization::MulShift(m) if m.is_shift()));
    let hull = hulls.iter().fold((i64::MAX, i64::MIN), |a, h| (a.0.min(h.0), a.1.max(h.1)));
    let width = hull.1.abs_diff(hull.0).saturating_add(1);
    if !cheap_line {
        let levels = (0..n).map(|c| compiled.eval(c, hulls[c].0).abs_diff(compiled.eval(c, hulls[c].1))).max();
        let levels = levels.map_or(0, |l| i64::try_from(l).unwrap_or(i64::MAX));
        // Finding the steps of a wide function takes time, so only where something can be made of them.
        let useful = levels <= THRESHOLDS
            || candidates.is_empty() && lines.as_ref().is_some_and(|l| line::may_be_fitted(l, &hulls));
        let steps: Option<Vec<Steps>> =
            (0..n).filter(|_| useful).map(|c| Steps::new(&compiled, c, hulls[c], f.direction(c)?)).collect();
        let steps = steps.filter(|_| useful);
        if let Some(steps) = &steps {
            if candidates.is_empty()
                && let Some(line) = lines.and_then(|l| line::fitted(f, &l, steps))
            {
                candidates.push(Realization::MulShift(line).into());
            }
            if levels <= THRESHOLDS {
                candidates.push(Realization::Thresholds(thresholds(steps)).into());
            }
        }
        let price = |c: &Realized| cost::luts(&c.function, input.bits, f.quantizer.ty.bits);
        let cheapest = candidates.iter().map(price).fold(f64::INFINITY, f64::min);
        let could_win = match &steps {
            // Without a tail the steps tell how large the table would be.
            Some(steps) if f.functions.iter().all(UnaryFn::is_rational) => {
                cost::table(entries(steps), input.bits, f.quantizer.ty.bits) < cheapest
            }
            _ => true,
        };
        if could_win && width <= TABLE_ENTRIES && width.saturating_mul(n as u64) <= 4 * TABLE_ENTRIES {
            let whole = Listed { f, compiled: &compiled, hulls: &hulls, hull };
            let (first, last) = whole.changes();
            // Only a tail makes it smaller than the entries of one channel.
            let least = cost::table(last - first + 1, input.bits, f.quantizer.ty.bits);
            let tail = asymptote(f);
            if tail.is_some() || least < cheapest {
                candidates.push(Realization::Table(whole.table((first, last), tail)).into());
            }
        }
    }
    let output = f.quantizer.ty;
    candidates
        .into_iter()
        .min_by(|a, b| {
            cost::luts(&a.function, input.bits, output.bits).total_cmp(&cost::luts(
                &b.function,
                input.bits,
                output.bits,
            ))
        })
        .ok_or_else(|| {
            let kinds: Vec<&str> = f.functions.iter().map(UnaryFn::kind).collect();
            Diag::new(
                Code::Unsupported,
                name,
                format!(
                    "no exact circuit of a sensible size for [{}] from {} to {} bits",
                    kinds.join(", "),
                    input.bits,
                    output.bits
                ),
            )
            .help("quantize its input to at most 16 bits, or its result to at most 8 bits")
        })
}

/// Threshold bank of the steps; channels with fewer steps get thresholds that never fire.
fn thresholds(steps: &[Steps]) -> Thresholds {
    let most = steps.iter().map(|s| s.at.len()).max().unwrap_or(0);
    let never = steps.iter().map(|s| s.range.1).max().unwrap_or(0).saturating_add(1);
    let (mut base, mut direction, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for s in steps {
        let mut t = s.at.clone();
        t.resize(most, never);
        base.push(s.first);
        direction.push(s.direction);
        all.push(t);
    }
    Thresholds { base: compact(base), direction: compact(direction), thresholds: compact(all) }
}

/// Entries that [`table`] keeps of functions with these steps, in all channels.
fn entries(steps: &[Steps]) -> usize {
    let first = steps.iter().filter_map(|s| s.at.first()).min();
    let last = steps.iter().filter_map(|s| s.at.last()).max();
    let length = first.zip(last).map_or(1, |(first, last)| last - first + 2);
    let function = |s: &Steps| (s.first, if s.at.is_empty() { 0 } else { s.direction });
    let channels = compact(steps.iter().map(|s| (function(s), &s.at)).collect::<Vec<_>>()).len();
    channels * usize::try_from(length).unwrap_or(usize::MAX / channels.max(1))
}

/// A function whose values are listed.
struct Listed<'a> {
    f: &'a StepFn,
    compiled: &'a Compiled,
    /// Of the inputs, channel by channel, and of all of them.
    hulls: &'a [(i64, i64)],
    hull: (i64, i64),
}

impl Listed<'_> {
    /// The value of channel `c` at the `i`-th input of all.
    fn value(&self, c: usize, i: usize) -> i64 {
        let (lo, hi) = self.hulls[c];
        self.compiled.eval(c, (self.hull.0 + i as i64).clamp(lo, hi))
    }

    /// Whether every channel never decreases or never increases.
    fn is_monotone(&self) -> bool {
        (0..self.hulls.len()).all(|c| self.f.direction(c).is_some())
    }

    /// Positions `first` and `last` such that all values before are as the first one, all behind as the last one.
    fn changes(&self) -> (usize, usize) {
        let (n, len, monotone) = (self.hulls.len(), self.hull.0.abs_diff(self.hull.1) as usize + 1, self.is_monotone());
        let constant_to = |c: usize| {
            let begin = self.value(c, 0);
            let same = |i: usize| self.value(c, i) == begin;
            if monotone { partition(len, same) } else { (1..len).find(|i| !same(*i)).unwrap_or(len) }
        };
        let constant_from = |c: usize| {
            let end = self.value(c, len - 1);
            let other = |i: usize| self.value(c, i) != end;
            if monotone { partition(len, other) } else { (0..len).rev().find(|i| other(*i)).map_or(0, |i| i + 1) }
        };
        let first = (0..n).map(constant_to).min().filter(|i| *i < len).map_or(0, |i| i - 1);
        (first, (0..n).map(constant_from).max().unwrap_or(0).max(first))
    }

    /// Table over the part of the range where the function changes ([`Listed::changes`]), with an affine tail where the function's
    /// [`asymptote`] saves entries.
    fn table(&self, (first, last): (usize, usize), asymptote: Option<StepFn>) -> Table {
        let (n, monotone) = (self.hulls.len(), self.is_monotone());
        let full: Vec<Vec<i64>> = (0..n).map(|c| values(first, last, monotone, |i| self.value(c, i))).collect();
        let trimmed = |to: usize| Table {
            first: self.hull.0 + first as i64,
            entries: compact(full.iter().map(|t| t[..=to - first].to_vec()).collect()),
            tail: None,
        };
        if let Some(tail) = asymptote.and_then(|g| line_of(&g, self.hulls)) {
            let agrees = |i: usize| (0..n).all(|c| tail.eval(c, self.hull.0 + i as i64) == full[c][i - first]);
            let start = (first..=last).rev().find(|&i| !agrees(i)).map_or(first, |i| i + 1);
            if start < last && (last - start) * 4 > last - first && start > first {
                return Table { tail: Some(tail), ..trimmed(start - 1) };
            }
        }
        trimmed(last)
    }
}

/// The values at `first..=last`; of a monotone function, between equal ones no others are looked at.
fn values(first: usize, last: usize, monotone: bool, value: impl Fn(usize) -> i64) -> Vec<i64> {
    if !monotone {
        return (first..=last).map(value).collect();
    }
    let mut all = vec![0; last - first + 1];
    let mut open = vec![(first, value(first), last, value(last))];
    while let Some((lo, a, hi, b)) = open.pop() {
        if a == b || hi - lo < 2 {
            all[lo - first..=hi - first].fill(a);
            all[hi - first] = b;
            continue;
        }
        let mid = lo + (hi - lo) / 2;
        let m = value(mid);
        open.extend([(lo, a, mid, m), (mid, m, hi, b)]);
    }
    all
}

/// The function with its last transcendental member replaced by its asymptote toward plus infinity.
fn asymptote(f: &StepFn) -> Option<StepFn> {
    let mut g = f.clone();
    let at = g.functions.iter().position(|f| !f.is_rational())?;
    g.functions[at] = match &g.functions[at] {
        UnaryFn::Elu(_) | UnaryFn::Softplus => UnaryFn::Clip(vec![f64::NEG_INFINITY], vec![f64::INFINITY]),
        UnaryFn::Selu(_, gamma) => UnaryFn::Affine(netfold_ir::net::Affine {
            scale: vec![rat::from_f64(*gamma)?],
            offset: vec![netfold_ir::Rat::zero()],
        }),
        _ => return None,
    };
    Some(g)
}

/// A piecewise affine function as lines, exact ones or else fitted ones.
fn line_of(f: &StepFn, hulls: &[(i64, i64)]) -> Option<MulShift> {
    let pieces: Vec<Option<Vec<Piece>>> = (0..hulls.len()).map(|c| f.pieces(c)).collect();
    let lines = line::lines(f, &pieces, hulls)?;
    line::exact(f, &lines, hulls).or_else(|| {
        if f.quantizer.overflow == Overflow::Wrap {
            return None;
        }
        let compiled = Compiled::of_pieces(f, &pieces, &Range(hulls.to_vec()), hulls.len());
        let steps: Option<Vec<Steps>> =
            (0..hulls.len()).map(|c| Steps::new(&compiled, c, hulls[c], f.direction(c)?)).collect();
        line::fitted(f, &lines, &steps?)
    })
}

#[cfg(test)]
mod tests;
