//! Piecewise constant functions of one value: thresholds, and activations given by a table.

use crate::cost::{CostModel, table_network};
use crate::graph::{Graph, NodeId, Op, Operand};
use crate::interval::Interval;
use netfold_ir::hw::program::{BitRef, Table};

/// A piecewise constant function: the value of the last step whose start is not above the argument, or `below`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    below: i64,
    steps: Vec<(i64, i64)>,
}

impl Steps {
    /// A function by its steps, (start, value) in any order; of equal starts the last one holds.
    pub fn new(below: i64, mut steps: Vec<(i64, i64)>) -> Self {
        steps.reverse();
        steps.sort_by_key(|s| s.0);
        steps.dedup_by_key(|s| s.0);
        let mut last = below;
        steps.retain(|s| std::mem::replace(&mut last, s.1) != s.1);
        Self { below, steps }
    }

    /// `base` plus the number of bounds that are not above the argument: a multi-threshold activation.
    pub fn thresholds(base: i64, bounds: &[i64]) -> Self {
        let mut sorted = bounds.to_vec();
        sorted.sort_unstable();
        Self::new(base, (base + 1..).zip(sorted).map(|(value, start)| (start, value)).collect())
    }

    /// Any function of the values of an interval. Takes time and memory in proportion to the interval.
    pub fn of_fn(range: Interval, f: impl Fn(i64) -> i64) -> Self {
        Self::new(f(range.lo), (range.lo..=range.hi).map(|v| (v, f(v))).collect())
    }

    /// The function's value.
    pub fn apply(&self, v: i64) -> i64 {
        match self.steps.partition_point(|s| s.0 <= v) {
            0 => self.below,
            k => self.steps[k - 1].1,
        }
    }

    /// The exact interval of the results over an interval of arguments.
    pub fn range(&self, input: Interval) -> Interval {
        let first = self.apply(input.lo);
        let inside = self.steps.iter().filter(|s| s.0 > input.lo && s.0 <= input.hi).map(|s| s.1);
        inside.fold(Interval::point(first), |r, v| Interval { lo: r.lo.min(v), hi: r.hi.max(v) })
    }

    /// The same function on an interval, without steps outside of it.
    pub(crate) fn within(&self, input: Interval) -> Self {
        let steps = self.steps.iter().copied().filter(|s| s.0 > input.lo && s.0 <= input.hi).collect();
        Self::new(self.apply(input.lo), steps)
    }

    /// The start of the only step, if there is one step.
    pub(crate) fn single(&self) -> Option<i64> {
        if let [(start, _)] = self.steps[..] { Some(start) } else { None }
    }

    /// Largest magnitude of a start or a value.
    pub(crate) fn reach(&self) -> u64 {
        let all = self.steps.iter().flat_map(|s| [s.0, s.1]).chain([self.below]);
        all.map(i64::unsigned_abs).max().unwrap_or(0)
    }

    /// Appends the function of a node; `shifted` says that the single step's start was already subtracted from the node,
    /// so that the sign decides.
    pub(crate) fn build(&self, g: &mut Graph, src: NodeId, shifted: bool, cost: &CostModel) -> NodeId {
        let n = *g.node(src);
        let range = self
            .steps
            .iter()
            .fold(Interval::point(self.below), |r, s| Interval { lo: r.lo.min(s.1), hi: r.hi.max(s.1) });
        if self.steps.is_empty() {
            return g.constant(self.below);
        }
        if shifted {
            let bits = vec![BitRef { node: src, bit: n.width() - 1 }];
            return g.table(Table { bits, words: vec![self.steps[0].1, self.below] }, range);
        }
        let direct = self.direct(g, src);
        let price = |t: &Table| table_network(t, range.width()).luts.len() as f64;
        let compare = cost.pass * f64::from(n.width()) * self.steps.len() as f64 + self.code_luts(range);
        if let Some(t) = direct
            && price(&t) <= compare
        {
            return g.table(t, range);
        }
        let marks: Vec<NodeId> = self.steps.iter().map(|s| g.at_least(src, s.0)).collect();
        self.encode(g, &marks, range)
    }

    /// The table over the bits of the node, where they are few.
    fn direct(&self, g: &Graph, src: NodeId) -> Option<Table> {
        let n = g.node(src);
        let (w, zeros) = (n.width(), n.zeros.min(n.width()));
        if w - zeros > 12 {
            return None;
        }
        let bits: Vec<BitRef> = (zeros..w).map(|bit| BitRef { node: src, bit }).collect();
        let words = (0..1i64 << bits.len()).map(|i| {
            let v = crate::quantizer::wrap_word(i << zeros, w.max(1), n.range.signed());
            self.apply(v.clamp(n.range.lo, n.range.hi))
        });
        Some(Table { words: words.collect(), bits })
    }

    /// The steps at which a bit of the result changes.
    fn toggles(&self, bit: u32) -> Vec<usize> {
        let mut last = self.below;
        let change = |s: &(i64, i64)| (std::mem::replace(&mut last, s.1) ^ s.1) >> bit & 1 == 1;
        let flags: Vec<bool> = self.steps.iter().map(change).collect();
        (0..flags.len()).filter(|&k| flags[k]).collect()
    }

    /// Lookup tables that turn the comparisons into the result's bits.
    fn code_luts(&self, range: Interval) -> f64 {
        let one = |bit| self.toggles(bit).len().saturating_sub(1).div_ceil(5);
        (0..range.width()).map(one).sum::<usize>() as f64
    }

    /// The result from one comparison a step. They rise one after the other, so a bit of the result is the parity of the
    /// comparisons at which it changes.
    fn encode(&self, g: &mut Graph, marks: &[NodeId], range: Interval) -> NodeId {
        let bit_of = |node| BitRef { node, bit: 0 };
        let parity = |n: usize, invert: bool| -> Vec<i64> {
            (0..1u32 << n).map(|i| i64::from(i.count_ones() & 1) ^ i64::from(invert)).collect()
        };
        let word = Interval::of_word(1, false);
        // A code bit, or a constant.
        let mut codes: Vec<Result<NodeId, bool>> = Vec::new();
        for bit in 0..range.width() {
            let mut open: Vec<NodeId> = self.toggles(bit).into_iter().map(|k| marks[k]).collect();
            while open.len() > 6 {
                let mut next = Vec::new();
                // The last tables take what others leave; six of one level at a time.
                for part in open.chunks(6) {
                    next.push(if part.len() == 1 {
                        part[0]
                    } else {
                        let bits = part.iter().map(|&n| bit_of(n)).collect();
                        g.table(Table { bits, words: parity(part.len(), false) }, word)
                    });
                }
                open = next;
            }
            let invert = self.below >> bit & 1 == 1;
            codes.push(match (open.as_slice(), invert) {
                (&[], _) => Err(invert),
                (&[one], false) => Ok(one),
                (list, _) => {
                    let bits = list.iter().map(|&n| bit_of(n)).collect();
                    Ok(g.table(Table { bits, words: parity(list.len(), invert) }, word))
                }
            });
        }
        // The word of the code bits: only wires.
        let mut parts: Vec<(NodeId, u32)> = Vec::new();
        for (k, chunk) in codes.chunks(12).enumerate() {
            let last = (k + 1) * 12 >= codes.len();
            let signed = last && range.signed();
            let bits: Vec<BitRef> = chunk.iter().flatten().map(|&n| bit_of(n)).collect();
            let words = (0..1i64 << bits.len()).map(|i| {
                let (mut word, mut rest) = (0, i);
                for (k, c) in chunk.iter().enumerate() {
                    let bit = match c {
                        Err(constant) => i64::from(*constant),
                        Ok(_) => {
                            let bit = rest & 1;
                            rest >>= 1;
                            bit
                        }
                    };
                    word |= bit << k;
                }
                crate::quantizer::wrap_word(word, chunk.len() as u32, signed)
            });
            let words = words.collect();
            let own = if codes.len() <= 12 { range } else { Interval::of_word(chunk.len() as u32, signed) };
            parts.push((g.table(Table { bits, words }, own), 12 * k as u32));
        }
        let mut sum = parts[0].0;
        for &(node, shift) in &parts[1..] {
            let (a, b) = (Operand { node: sum, shift: 0, neg: false }, Operand { node, shift, neg: false });
            let next = g.node(sum).range.sum(&g.node(node).range.shl(shift));
            sum = g.add_with_bias(a, b, None, 0, next);
        }
        if parts.len() > 1 {
            debug_assert!(matches!(g.node(sum).op, Op::Add { .. }));
            g.narrow(sum, range);
        }
        sum
    }
}
