//! Realisations of a per-channel integer function: each computes exactly the function that it was proved equal to.

use serde::{Deserialize, Serialize};

/// `y = clip(round((mul[c] * q + add[c]) / 2^shift))`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MulShift {
    /// Factor per channel (length 1: all).
    pub mul: Vec<i64>,
    /// Addend per channel (length 1: all), before the shift.
    pub add: Vec<i64>,
    /// Arithmetic right shift in bits, the same for all channels.
    pub shift: u32,
    /// Round half to even instead of toward minus infinity. (Other roundings are inside `add`.)
    pub half_even: bool,
    /// Saturation bounds of the result, inclusive.
    pub lo: i64,
    /// See `lo`.
    pub hi: i64,
    /// Wrap the shifted value to two's complement (signed) of this many bits instead of saturating; `lo`, `hi` are then its range.
    pub wrap: bool,
}

impl MulShift {
    /// The value for `q` in channel `c`.
    pub fn eval(&self, c: usize, q: i64) -> i64 {
        let t = i128::from(self.mul[c % self.mul.len()]) * i128::from(q) + i128::from(self.add[c % self.add.len()]);
        let floor = t >> self.shift;
        let v = if self.half_even && self.shift > 0 {
            let fraction = t - (floor << self.shift);
            let half = 1i128 << (self.shift - 1);
            floor + i128::from(fraction > half || (fraction == half && floor & 1 == 1))
        } else {
            floor
        };
        let (lo, hi) = (i128::from(self.lo), i128::from(self.hi));
        let v = if self.wrap { (v - lo).rem_euclid(hi - lo + 1) + lo } else { v.clamp(lo, hi) };
        i64::try_from(v).unwrap_or(self.lo)
    }

    /// Whether every factor is 1: no multiplier is needed.
    pub fn is_shift(&self) -> bool {
        self.mul.iter().all(|m| *m == 1)
    }
}

/// `y = base + direction[c] * |{k : q >= threshold[c][k]}|`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thresholds {
    /// Result below all thresholds, per channel (length 1: all).
    pub base: Vec<i64>,
    /// Plus or minus one per channel (length 1: all).
    pub direction: Vec<i64>,
    /// Ascending thresholds per channel (length 1: all), the same number in each. A threshold above the input's range never fires.
    pub thresholds: Vec<Vec<i64>>,
}

impl Thresholds {
    /// The value for `q` in channel `c`.
    pub fn eval(&self, c: usize, q: i64) -> i64 {
        let t = &self.thresholds[c % self.thresholds.len()];
        let count = t.partition_point(|&x| x <= q) as i64;
        self.base[c % self.base.len()] + self.direction[c % self.direction.len()] * count
    }
}

/// `y = entries[c][clamp(q, first, first + n - 1) - first]`, or the tail where `q > first + n - 1` and there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Input value of entry 0.
    pub first: i64,
    /// `n` entries per channel (length 1: all).
    pub entries: Vec<Vec<i64>>,
    /// What holds above the last entry; `None`: the last entry.
    pub tail: Option<MulShift>,
}

impl Table {
    /// The value for `q` in channel `c`.
    pub fn eval(&self, c: usize, q: i64) -> i64 {
        let entries = &self.entries[c % self.entries.len()];
        let index = q.saturating_sub(self.first);
        match &self.tail {
            Some(tail) if index >= entries.len() as i64 => tail.eval(c, q),
            _ => entries[usize::try_from(index.max(0)).unwrap_or(usize::MAX).min(entries.len() - 1)],
        }
    }
}

/// How a per-channel integer function is built. `c` is the flat element index; parameters repeat with their length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Realization {
    /// One affine piece.
    MulShift(MulShift),
    /// Two affine pieces: the first where `q < 0`, the second elsewhere. Bounds of both are the same.
    TwoSlopes(MulShift, MulShift),
    /// Threshold bank.
    Thresholds(Thresholds),
    /// Lookup table.
    Table(Table),
}

impl Realization {
    /// The value for `q` at flat element index `c`.
    pub fn eval(&self, c: usize, q: i64) -> i64 {
        match self {
            Realization::MulShift(m) => m.eval(c, q),
            Realization::TwoSlopes(n, p) => {
                if q < 0 {
                    n.eval(c, q)
                } else {
                    p.eval(c, q)
                }
            }
            Realization::Thresholds(t) => t.eval(c, q),
            Realization::Table(t) => t.eval(c, q),
        }
    }

    /// Name in reports and of the primitive.
    pub fn name(&self) -> &'static str {
        match self {
            Realization::MulShift(m) if m.is_shift() => "shift",
            Realization::MulShift(_) => "mul_shift",
            Realization::TwoSlopes(..) => "two_slopes",
            Realization::Thresholds(_) => "thresholds",
            Realization::Table(_) => "table",
        }
    }

    /// Number of flat element indices after which the parameters repeat.
    pub fn period(&self) -> usize {
        let of = |m: &MulShift| m.mul.len().max(m.add.len());
        match self {
            Realization::MulShift(m) => of(m),
            Realization::TwoSlopes(n, p) => of(n).max(of(p)),
            Realization::Thresholds(t) => t.base.len().max(t.direction.len()).max(t.thresholds.len()),
            Realization::Table(t) => t.entries.len().max(t.tail.as_ref().map_or(1, of)),
        }
    }

    /// Whether no list of parameters that must have an entry is empty, and shifts are in range.
    pub(super) fn is_well_formed(&self) -> bool {
        let line = |m: &MulShift| !m.mul.is_empty() && !m.add.is_empty() && m.shift < 64 && m.lo <= m.hi;
        match self {
            Realization::MulShift(m) => line(m),
            Realization::TwoSlopes(n, p) => line(n) && line(p),
            Realization::Thresholds(t) => {
                let n = t.thresholds.first().map_or(0, Vec::len);
                let whole = !t.base.is_empty() && !t.direction.is_empty() && !t.thresholds.is_empty();
                whole && t.thresholds.iter().all(|c| c.len() == n)
            }
            Realization::Table(t) => {
                let n = t.entries.first().map_or(0, Vec::len);
                n > 0 && t.entries.iter().all(|c| c.len() == n) && t.tail.as_ref().is_none_or(line)
            }
        }
    }
}
