//! Values over several cycles: the meaning of digit-serial programs, and the interpreter.
//!
//! A program with an interval of several cycles computes some of its values once a cycle from digits of its words: first all lowest
//! digits, then the next ones. [`Op::Serial`] takes a word apart, everything that reads it has a value a *phase*, and
//! [`Op::Accumulate`] adds the phases with their weights to a word again. So a constant matrix is multiplied with narrow digits by one
//! graph of narrow adders: `W x = sum over p of (W d_p) << (p * bits)` for `x = sum of d_p << (p * bits)`. (Digit-serial arithmetic:
//! Hartley and Corbett, "Digit-serial processing techniques", 1990; with weights as constants it is distributed arithmetic, White,
//! 1989.)

use super::graph::{Graph, Linear, NodeId, Op, Operand};
use super::interval::Interval;

/// What is added to a word so that all its digits are unsigned: the weight of a sign bit.
pub fn sign_offset(range: Interval) -> i64 {
    if range.signed() { 1 << (range.width() - 1) } else { 0 }
}

/// The interval that holds an accumulator after every phase, low bits that are complete shifted out: of `start + s`, then of
/// `(before >> bits) + s`, for values `s` of a phase.
pub fn accumulator(phase: Interval, bits: u32, count: u32, start: i64) -> Interval {
    let mut now = phase.add_const(start);
    let mut all = now;
    for _ in 1..count {
        now = Interval { lo: now.lo >> bits, hi: now.hi >> bits }.sum(&phase);
        all = Interval { lo: all.lo.min(now.lo), hi: all.hi.max(now.hi) };
    }
    all
}

impl Graph {
    /// Appends the digits of a node's word.
    pub fn serial(&mut self, src: NodeId, bits: u32) -> NodeId {
        let n = self.node(src);
        let (depth, own) = (n.depth, n.width().clamp(1, bits));
        self.push(Op::Serial { src, bits }, Interval::of_word(own, false), 0, depth)
    }

    /// Appends the sum over phases, with the interval and the known-zero low bits of the result.
    pub fn accumulate(&mut self, src: Operand, bits: u32, count: u32, start: i64, known: (Interval, u32)) -> NodeId {
        let depth = self.node(src.node).depth + 1;
        self.push(Op::Accumulate { src, bits, count, start }, known.0, known.1, depth)
    }

    /// The interval that an accumulation's register holds.
    pub fn accumulator(&self, src: Operand, bits: u32, count: u32, start: i64) -> Interval {
        let phase = self.node(src.node).range.negate_if(src.neg).shl(src.shift);
        accumulator(phase, bits, count, start)
    }

    /// The phases that accumulations take at most; 1 where there are none.
    pub fn phases(&self) -> u32 {
        let count = |n: &super::Node| if let Op::Accumulate { count, .. } = n.op { count } else { 1 };
        self.nodes.iter().map(count).max().unwrap_or(1)
    }

    /// Whether each node has a value a phase.
    pub fn serial_nodes(&self) -> Vec<bool> {
        let mut serial = vec![false; self.nodes.len()];
        for (i, n) in self.nodes.iter().enumerate() {
            serial[i] = match n.op {
                Op::Serial { .. } => true,
                Op::Accumulate { .. } => false,
                _ => self.operands(NodeId(i as u32)).any(|o| serial[o.index()]),
            };
        }
        serial
    }

    /// Words are taken apart before digits are added, and no operation reads words and digits at once.
    pub(super) fn verify_phases(&self) -> Result<(), &'static str> {
        let serial = self.serial_nodes();
        let constant = |id: NodeId| self.node(id).range.lo == self.node(id).range.hi;
        for (i, n) in self.nodes.iter().enumerate() {
            let id = NodeId(i as u32);
            let broken = match n.op {
                Op::Serial { src, bits } => (serial[src.index()] || !(1..=62).contains(&bits))
                    .then_some("digits of the program are taken from digits"),
                Op::Accumulate { src, .. } if !serial[src.node.index()] && !constant(src.node) => {
                    Some("an accumulation of the program adds words")
                }
                Op::Accumulate { src, bits, count, start } => {
                    let wide = || self.accumulator(src, bits, count, start).width() > 62;
                    (count == 0 || bits.saturating_mul(count) > 62 || wide())
                        .then_some("an accumulation of the program is wider than 62 bits")
                }
                _ => (serial[i] && self.operands(id).any(|o| !serial[o.index()] && !constant(o)))
                    .then_some("an operation of the program reads words and digits"),
            };
            if let Some(broken) = broken {
                return Err(broken);
            }
        }
        let digits = |o: &Linear| o.term.is_some_and(|t| serial[t.node.index()]);
        if self.outputs.iter().any(digits) {
            return Err("an output of the program is a digit");
        }
        Ok(())
    }

    /// The values of all nodes for one input vector in every phase; words have the same value in all of them.
    pub fn eval_phases(&self, x: &[i64]) -> Vec<Vec<i64>> {
        let count = self.phases() as usize;
        let serial = if count > 1 { self.serial_nodes() } else { Vec::new() };
        let mut v: Vec<Vec<i64>> = vec![Vec::with_capacity(self.nodes.len()); count];
        for (i, n) in self.nodes.iter().enumerate() {
            match n.op {
                Op::Serial { src, bits } => {
                    let word = v[0][src.index()] + sign_offset(self.node(src).range);
                    for (p, row) in v.iter_mut().enumerate() {
                        let shift = p as u32 * bits;
                        row.push(if shift > 62 { 0 } else { word >> shift & ((1 << bits) - 1) });
                    }
                }
                Op::Accumulate { src, bits, count, start } => {
                    let digit = |p: usize| {
                        let t = v[p][src.node.index()] << src.shift;
                        (if src.neg { -t } else { t }) << (p as u32 * bits)
                    };
                    let sum = start + (0..count as usize).map(digit).sum::<i64>();
                    v.iter_mut().for_each(|row| row.push(sum));
                }
                Op::Input(k) => v.iter_mut().for_each(|row| row.push(x[k])),
                _ if serial.get(i).copied().unwrap_or(false) => {
                    for row in &mut v {
                        let value = self.eval_node(n, row);
                        row.push(value);
                    }
                }
                _ => {
                    let value = self.eval_node(n, &v[0]);
                    v.iter_mut().for_each(|row| row.push(value));
                }
            }
        }
        v
    }

    /// Checks that every value of one input vector lies in its node's interval and has its known-zero low bits; the
    /// first node that does not, with its value.
    ///
    /// # Errors
    /// That node and value.
    pub fn check(&self, x: &[i64]) -> Result<(), (NodeId, i64)> {
        for row in self.eval_phases(x) {
            for (i, (v, n)) in row.into_iter().zip(&self.nodes).enumerate() {
                if !n.range.contains(v) || v & ((1i64 << n.zeros.min(62)) - 1) != 0 {
                    return Err((NodeId(i as u32), v));
                }
            }
        }
        Ok(())
    }

    /// The outputs for one input vector. `x` has one value an input.
    pub fn eval(&self, x: &[i64]) -> Vec<i64> {
        let v = self.eval_phases(x).swap_remove(0);
        self.outputs
            .iter()
            .map(|o| {
                let t = o.term.map_or(0, |t| (v[t.node.index()] << t.shift) * if t.neg { -1 } else { 1 });
                t + o.offset
            })
            .collect()
    }
}
