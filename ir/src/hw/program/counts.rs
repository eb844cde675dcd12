//! Sums of up to six terms and a constant as carry chains over column counts.
//!
//! A carry chain's table has six inputs but adds two bits. Here one term feeds the chain and the other five are counted
//! in each column; the counts' three digits are added by three chains, each table seeing the chain's bit and the five
//! counted bits. Six terms thus take three tables a column where plain adders take five; four terms take two for three.

use super::graph::{Graph, NodeId, Op, Operand};
use super::interval::{Interval, wrap_window};

/// Adds a word to bit-sliced counts.
pub fn count(counts: &mut [i64; 3], word: i64) {
    let mut carry = word;
    for c in counts {
        let next = *c & carry;
        *c ^= carry;
        carry = next;
    }
}

impl Graph {
    /// How many fields of counted terms, and constant bits, each column has.
    pub fn column_counts(&self, xs: &[Option<Operand>], constant: i64, width: u32) -> Vec<(u32, u32)> {
        let mut columns: Vec<(u32, u32)> = (0..width).map(|c| (0, (constant >> c & 1) as u32)).collect();
        for x in xs.iter().flatten() {
            let f = self.field(*x);
            for c in f.low..f.high.min(width) {
                columns[c as usize].0 += 1;
            }
        }
        columns
    }

    /// Appends the carry chains that add `a`, up to five terms and a constant: the digit words of the column counts,
    /// one after the other. `goal` is `None` for a free constant, else the exact range of the result and the constant
    /// to add. Returns the node and its constant: value less the terms' exact sum.
    pub fn add_many(&mut self, a: Operand, xs: &[Operand], goal: Option<(Interval, i64)>) -> (NodeId, i64) {
        let mut list = [None; 5];
        let fa = self.field(a);
        let (mut total, mut offsets) = (fa.range, fa.offset);
        for (slot, x) in list.iter_mut().zip(xs) {
            *slot = Some(*x);
            let f = self.field(*x);
            total = total.sum(&f.range);
            offsets += f.offset;
        }
        // Each chain adds one at its first column (it subtracts an inverted word); where that is depends on the
        // constant, and the constant on it, so a few rounds settle them.
        let mut constant = 0;
        let mut free = goal.is_none().then(|| total.hi.max(1) as u64).map(|v| 64 - v.leading_zeros() + 1);
        let mut settled = None;
        for round in 0..6 {
            let width = free.unwrap_or(goal.map_or(0, |g| g.0.width()));
            let starts = self.chain_starts(fa.low, &list, constant, width);
            let ones: i64 = starts.iter().flatten().map(|s| 1i64 << s).sum();
            let Some((_, want)) = goal else {
                let w = wrap_window(total.lo + ones, total.hi + ones).width();
                if free == Some(w) {
                    settled = Some((starts, ones));
                    break;
                }
                free = Some(w);
                continue;
            };
            let next = (want + offsets - ones).rem_euclid(1 << width);
            if next == constant {
                settled = Some((starts, ones));
                break;
            }
            if round < 5 {
                constant = next;
            }
        }
        let mut at = a;
        let (starts, range) = match (settled, goal) {
            (Some((starts, _)), Some((range, _))) => (starts, range),
            (Some((starts, ones)), None) => (starts, wrap_window(total.lo + ones, total.hi + ones)),
            (None, _) => {
                // The constant did not settle: the first term takes it, as a word that is not negative.
                constant = 0;
                let range = goal.map_or(wrap_window(total.lo, total.hi), |g| g.0);
                let width = range.width();
                let starts = self.chain_starts(0, &list, 0, width);
                let ones: i64 = starts.iter().flatten().map(|s| 1i64 << s).sum();
                let want = goal.map_or(range.lo - total.lo - offsets, |g| g.1);
                let least = -self.node(a.node).range.negate_if(a.neg).shl(a.shift).lo;
                let rest = least + (want + offsets - fa.offset - ones - least).rem_euclid(1 << width);
                at = Operand { node: self.affine(a, rest), shift: 0, neg: false };
                (starts, range)
            }
        };
        let word = Interval::of_word(range.width(), false);
        let last = (0..3).rev().find(|&k| starts[k].is_some()).unwrap_or(0);
        for (digit, start) in starts.into_iter().enumerate() {
            let Some(start) = start else { continue };
            let f = self.field(at);
            let own = if digit == last { range } else { word };
            let depth = std::iter::once(&at).chain(xs).map(|x| self.node(x.node).depth).max().unwrap_or(0) + 1;
            let op = Op::Digit { a: at, xs: list, digit: digit as u8, constant, bias: (1 << start) - f.offset };
            let id = self.push(op, own, 0, depth);
            at = Operand { node: id, shift: 0, neg: false };
        }
        let bias = match goal {
            Some((_, want)) => want,
            None => range.lo - total.lo - offsets,
        };
        (at.node, bias)
    }

    /// The first column of each digit's chain; `None` where the digit is always zero.
    fn chain_starts(&self, a_low: u32, xs: &[Option<Operand>], constant: i64, width: u32) -> [Option<u32>; 3] {
        let columns = self.column_counts(xs, constant, width);
        let mut starts = [None; 3];
        let mut a_low = a_low;
        for (digit, start) in starts.iter_mut().enumerate() {
            let first = (0..width).find(|&c| {
                c as usize >= digit && {
                    let (n, k) = columns[c as usize - digit];
                    n + k >= 1 << digit
                }
            });
            if let Some(first) = first {
                *start = Some(first.max(a_low).min(width.saturating_sub(1)));
                a_low = a_low.min(first);
            }
        }
        starts
    }
}
