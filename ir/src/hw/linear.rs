//! Constant sums of products as graphs of additions, pipelined: what the Verilog of shift-and-add units is written from and what
//! estimates count.
//!
//! Every column's distinct odd multiples are built once and shared by all rows: from two halves of their signed-digit form, or from
//! a multiple that is there already with one addition. Each row then adds its terms in a balanced tree. Registers stand after every
//! second level ([`linear_stages`] states the depth).

use super::latency::{ADDER_LEVELS_PER_STAGE, levels, linear_stages, signed_digits};

/// Bits of the narrowest two's complement number that holds `lo..=hi`.
pub fn signed_bits(lo: i128, hi: i128) -> usize {
    let magnitude = |v: i128| 128 - (if v < 0 { !v } else { v }).leading_zeros() as usize;
    magnitude(lo).max(magnitude(hi)) + 1
}

/// A number in the pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Smallest value.
    pub lo: i128,
    /// Largest value.
    pub hi: i128,
    /// Longest chain of additions to it.
    pub level: u32,
    /// Registered copies that are needed.
    pub delays: usize,
    /// The value when it is constant.
    pub constant: Option<i128>,
    /// Definition as the sum of two terms, the first one positive; `None` for inputs and constants.
    pub definition: Option<[Term; 2]>,
}

impl Node {
    /// Bits of its wire.
    pub fn bits(&self) -> usize {
        signed_bits(self.lo, self.hi)
    }

    /// Stage in which it is computed.
    pub fn stage(&self) -> usize {
        stage_of(self.level)
    }
}

/// `node << shift`, or its negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// Index into [`Linear::nodes`].
    pub node: usize,
    /// Places to the left.
    pub shift: u32,
    /// Whether it is subtracted.
    pub negative: bool,
}

/// A finished row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The term that it is; never negative.
    pub term: Term,
    /// Registered copies behind the node.
    pub delay: usize,
    /// Smallest value.
    pub lo: i128,
    /// Largest value.
    pub hi: i128,
}

/// A graph. The inputs are the first nodes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Linear {
    /// The nodes, each behind those it is made of.
    pub nodes: Vec<Node>,
    /// The rows.
    pub rows: Vec<Row>,
    /// Cycles from the inputs to the rows.
    pub stages: usize,
}

#[derive(Default)]
struct Builder {
    nodes: Vec<Node>,
    /// Odd multiples of every column with their nodes, the smallest first, which is the input.
    multiples: Vec<Vec<(u64, usize)>>,
    /// Terms of a row that wait to be added, by the level of their nodes; empty between rows.
    waiting: Vec<Vec<Term>>,
}

impl Linear {
    /// The graph of `y_r = sum_c rows[r].0[c] * inputs[c] + rows[r].1` for inputs of the given least and greatest values.
    pub fn new(inputs: &[(i128, i128)], rows: &[(Vec<i64>, i64)]) -> Linear {
        let stages = linear_stages(rows.iter().map(|(row, constant)| (row.as_slice(), *constant != 0)));
        let mut builder = Builder::default();
        for &(lo, hi) in inputs {
            let node = builder.push(lo, hi, 0, None);
            builder.multiples.push(vec![(1, node)]);
        }
        let mut wanted = Vec::with_capacity(rows.len());
        for c in 0..inputs.len() {
            builder.column(c, rows, &mut wanted);
        }
        let terms: Vec<Term> = rows.iter().map(|(row, constant)| builder.row(row, *constant)).collect();
        let rows = builder.rows(&terms, stages);
        Linear { nodes: builder.nodes, rows, stages }
    }

    /// Adders and subtractors.
    pub fn adders(&self) -> usize {
        self.nodes.iter().filter(|n| n.definition.is_some()).count()
    }
}

/// Odd part and trailing zeros of a number that is not zero.
fn odd(v: u64) -> (u64, u32) {
    let shift = v.trailing_zeros();
    (v >> shift, shift)
}

/// Digits of the non-adjacent form: (position, value -1 or 1), the lowest first.
fn digits(v: i128) -> Vec<(u32, i128)> {
    let (mut v, mut position, mut out) = (v, 0, Vec::new());
    while v != 0 {
        if v & 1 == 1 {
            let digit = if v & 3 == 3 { -1 } else { 1 };
            out.push((position, digit));
            v -= digit;
        }
        v >>= 1;
        position += 1;
    }
    out
}

/// Stage in which a node of a level is computed.
fn stage_of(level: u32) -> usize {
    (level.saturating_sub(1) / ADDER_LEVELS_PER_STAGE) as usize
}

impl Builder {
    fn push(&mut self, lo: i128, hi: i128, level: u32, definition: Option<[Term; 2]>) -> usize {
        self.nodes.push(Node { lo, hi, level, delays: 0, constant: None, definition });
        self.nodes.len() - 1
    }

    /// The sum of two terms of which one at least is positive, exactly ranging over `lo..=hi`.
    fn add(&mut self, a: Term, b: Term, lo: i128, hi: i128) -> usize {
        let (a, b) = if a.negative { (b, a) } else { (a, b) };
        let level = self.nodes[a.node].level.max(self.nodes[b.node].level) + 1;
        for term in [a, b] {
            let delay = stage_of(level) - stage_of(self.nodes[term.node].level);
            self.nodes[term.node].delays = self.nodes[term.node].delays.max(delay);
        }
        self.push(lo, hi, level, Some([a, b]))
    }

    /// Builds every odd multiple that a column needs, the simplest first. `wanted`: room for them.
    fn column(&mut self, c: usize, rows: &[(Vec<i64>, i64)], wanted: &mut Vec<(u32, u64)>) {
        wanted.clear();
        for (row, _) in rows.iter().filter(|(row, _)| row[c] != 0) {
            let (unit, _) = odd(row[c].unsigned_abs());
            if unit > 1 {
                wanted.push((signed_digits(unit as i64), unit));
            }
        }
        wanted.sort_unstable();
        wanted.dedup();
        for (_, v) in wanted {
            self.multiple(c, *v);
        }
    }

    /// The node of an odd positive multiple of column `c`, within the depth of its signed-digit form.
    fn multiple(&mut self, c: usize, v: u64) -> usize {
        if let Ok(at) = self.multiples[c].binary_search_by_key(&v, |m| m.0) {
            return self.multiples[c][at].1;
        }
        let depth = levels(signed_digits(v as i64) as usize);
        let x = self.multiples[c][0].1;
        let positive = |node, shift| Term { node, shift, negative: false };
        // One addition of the input to a multiple that is there: v = e + s * 2^k, or v = e * 2^k + s.
        let (below, above) = (odd(v - 1), odd(v + 1));
        let mut found = None;
        for &(e, node) in self.multiples[c].iter().filter(|m| self.nodes[m.1].level < depth) {
            let (unit, shift) = odd(v.abs_diff(e));
            if unit == 1 {
                found = Some((positive(node, 0), Term { node: x, shift, negative: e > v }));
            }
            for ((unit, shift), negative) in [(below, false), (above, true)] {
                if unit == e {
                    found = Some((positive(node, shift), Term { node: x, shift: 0, negative }));
                }
            }
        }
        let (a, b) = found.unwrap_or_else(|| {
            let half = |part: &[(u32, i128)], builder: &mut Builder| {
                let value: i128 = part.iter().map(|(p, d)| d << p).sum();
                let (unit, shift) = odd(value.unsigned_abs() as u64);
                Term { node: builder.multiple(c, unit), shift, negative: value < 0 }
            };
            let form = digits(i128::from(v));
            let (low, high) = form.split_at(form.len() / 2);
            (half(high, self), half(low, self))
        });
        let (lo, hi) = (self.nodes[x].lo, self.nodes[x].hi);
        let node = self.add(a, b, i128::from(v) * lo, i128::from(v) * hi);
        let multiples = &mut self.multiples[c];
        multiples.insert(multiples.partition_point(|m| m.0 < v), (v, node));
        node
    }

    /// Takes a term into the sum of its row.
    fn wait(&mut self, term: Term) {
        let level = self.nodes[term.node].level as usize;
        if self.waiting.len() <= level {
            self.waiting.resize_with(level + 1, Vec::new);
        }
        self.waiting[level].push(term);
    }

    /// The sum of a row's terms.
    fn row(&mut self, row: &[i64], constant: i64) -> Term {
        let mut positive = false;
        for (c, &coefficient) in row.iter().enumerate().filter(|(_, v)| **v != 0) {
            let (unit, shift) = odd(coefficient.unsigned_abs());
            let node = self.multiple(c, unit);
            self.wait(Term { node, shift, negative: coefficient < 0 });
            positive |= coefficient > 0;
        }
        // A constant, also 0 where nothing else is positive, so that the result needs no negation.
        if constant != 0 || !positive {
            let value = i128::from(constant);
            let node = self.push(value, value, 0, None);
            self.nodes[node].constant = Some(value);
            self.wait(Term { node, shift: 0, negative: false });
        }
        self.sum()
    }

    /// The lowest level from `level` on of which a term waits; none is beyond the end.
    fn ready(&self, level: usize) -> usize {
        (level..self.waiting.len()).find(|l| !self.waiting[*l].is_empty()).unwrap_or(self.waiting.len())
    }

    /// The sum of the terms that wait, of which there is one at least.
    fn sum(&mut self) -> Term {
        let mut level = 0;
        loop {
            // The two that are ready first; among those a positive one with a negative one.
            level = self.ready(level);
            let last = self.waiting[level].len() - 1;
            let b = self.waiting[level].remove(last);
            level = self.ready(level);
            let Some(ready) = self.waiting.get_mut(level) else { return b };
            let partner = ready.iter().rposition(|t| t.negative != b.negative).unwrap_or(ready.len() - 1);
            let a = ready.remove(partner);
            let sum = self.combine(a, b);
            self.wait(sum);
        }
    }

    /// The sum of two terms.
    fn combine(&mut self, a: Term, b: Term) -> Term {
        let shift = a.shift.min(b.shift);
        let both = a.negative && b.negative;
        let part = |t: Term| Term { node: t.node, shift: t.shift - shift, negative: t.negative && !both };
        let (a, b) = (part(a), part(b));
        let range = |t: Term| {
            let (lo, hi) = (self.nodes[t.node].lo << t.shift, self.nodes[t.node].hi << t.shift);
            if t.negative { (-hi, -lo) } else { (lo, hi) }
        };
        let ((al, ah), (bl, bh)) = (range(a), range(b));
        Term { node: self.add(a, b, al + bl, ah + bh), shift, negative: both }
    }

    /// Delays every row to the last stage.
    fn rows(&mut self, terms: &[Term], stages: usize) -> Vec<Row> {
        let row = |term: &Term| {
            let node = &mut self.nodes[term.node];
            let (lo, hi) = (node.lo << term.shift, node.hi << term.shift);
            let delay = if node.constant.is_some() { 0 } else { stages - node.stage() };
            node.delays = node.delays.max(delay);
            Row { term: *term, delay, lo, hi }
        };
        terms.iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::latency::signed_digits;
    use super::*;

    #[test]
    fn non_adjacent_forms_are_right_and_minimal() {
        for v in 1..2000i128 {
            let form = digits(v);
            assert_eq!(form.iter().map(|(p, d)| d << p).sum::<i128>(), v);
            assert_eq!(form.len() as u32, signed_digits(v as i64));
        }
    }

    #[test]
    fn multiples_are_shared_between_rows() {
        let rows = [(vec![3, 5], 0), (vec![6, -5], 0), (vec![-3, 20], 1)];
        let made = Linear::new(&[(-8, 7); 2], &rows);
        // 3x and 5x once each, one addition a row, one more for the constant.
        assert_eq!((made.adders(), made.stages), (6, 2));
    }

    #[test]
    fn ranges_of_rows_are_exact() {
        let made = Linear::new(&[(0, 255)], &[(vec![-7], 3), (vec![0], 0), (vec![8], 0)]);
        let ranges: Vec<_> = made.rows.iter().map(|o| (o.lo, o.hi)).collect();
        assert_eq!(ranges, [(-1782, 3), (0, 0), (0, 2040)]);
    }
}
