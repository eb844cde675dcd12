//! Constant sums of products as pipelined shift-and-add code.
//!
//! Every column's distinct odd multiples are built once and shared by all rows: from two halves of their signed-digit form, or from
//! a multiple that is there already with one addition. Each row then adds its terms in a balanced tree. Registers stand after every
//! second level ([`netfold_ir::hw::latency::linear_stages`] states the depth).

use netfold_ir::hw::latency::{ADDER_LEVELS_PER_STAGE, levels, linear_stages};
use std::collections::BTreeMap;
use std::fmt::Write;

/// An input: a signed wire and its range.
#[derive(Debug, Clone)]
pub struct Input {
    /// Name of a signed wire of exactly the bits of the range.
    pub name: String,
    /// Smallest value.
    pub lo: i128,
    /// Largest value.
    pub hi: i128,
}

/// A finished row: a signed wire.
#[derive(Debug, Clone)]
pub struct Output {
    /// Name of the wire.
    pub name: String,
    /// Its width.
    pub bits: usize,
    /// Smallest value.
    pub lo: i128,
    /// Largest value.
    pub hi: i128,
}

/// Generated code.
#[derive(Debug, Clone)]
pub struct Linear {
    /// Declarations, for the body of a module with a clock `clk`.
    pub code: String,
    /// The rows.
    pub outputs: Vec<Output>,
    /// Cycles from the inputs to the outputs.
    pub stages: usize,
    /// Adders and subtractors.
    pub adders: usize,
}

/// Bits of the narrowest two's complement number that holds `lo..=hi`.
pub fn signed_bits(lo: i128, hi: i128) -> usize {
    let magnitude = |v: i128| 128 - (if v < 0 { !v } else { v }).leading_zeros() as usize;
    magnitude(lo).max(magnitude(hi)) + 1
}

/// A number in the pipeline.
struct Node {
    name: String,
    lo: i128,
    hi: i128,
    level: u32,
    /// Registered copies needed.
    delays: usize,
    /// The value when it is constant.
    constant: Option<i128>,
    /// Definition as (left, right), each (node, shift, sign), empty for inputs.
    definition: Option<[Term; 2]>,
}

/// `sign * (node << shift)`.
#[derive(Clone, Copy)]
struct Term {
    node: usize,
    shift: u32,
    negative: bool,
}

struct Builder {
    prefix: String,
    nodes: Vec<Node>,
    /// Odd multiples of every column.
    multiples: Vec<BTreeMap<i128, usize>>,
    adders: usize,
}

/// Code for `y_r = sum_c rows[r].0[c] * inputs[c] + rows[r].1`, with names that start with `prefix`.
pub fn linear(prefix: &str, inputs: &[Input], rows: &[(Vec<i64>, i64)]) -> Linear {
    let stages = linear_stages(rows.iter().map(|(row, constant)| (row.as_slice(), *constant != 0)));
    let mut builder = Builder { prefix: prefix.to_owned(), nodes: Vec::new(), multiples: Vec::new(), adders: 0 };
    for input in inputs {
        let node = builder.push(input.name.clone(), input.lo, input.hi, 0, None);
        builder.multiples.push(BTreeMap::from([(1, node)]));
    }
    for c in 0..inputs.len() {
        builder.column(c, rows);
    }
    let terms: Vec<Term> = rows.iter().map(|(row, constant)| builder.row(row, *constant)).collect();
    let outputs = builder.outputs(&terms, stages);
    let adders = builder.adders;
    Linear { code: builder.code(), outputs: outputs.0, stages, adders }.with_tail(&outputs.1)
}

impl Linear {
    fn with_tail(mut self, tail: &str) -> Linear {
        self.code.push_str(tail);
        self
    }
}

/// Odd part and trailing zeros.
fn odd(v: i128) -> (i128, u32) {
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
    fn push(&mut self, name: String, lo: i128, hi: i128, level: u32, definition: Option<[Term; 2]>) -> usize {
        self.nodes.push(Node { name, lo, hi, level, delays: 0, constant: None, definition });
        self.nodes.len() - 1
    }

    /// The sum of two terms of which one at least is positive, exactly ranging over `lo..=hi`.
    fn add(&mut self, a: Term, b: Term, lo: i128, hi: i128) -> usize {
        let (a, b) = if a.negative { (b, a) } else { (a, b) };
        let level = self.nodes[a.node].level.max(self.nodes[b.node].level) + 1;
        let name = format!("{}{}", self.prefix, self.nodes.len());
        self.adders += 1;
        for term in [a, b] {
            let delay = stage_of(level) - stage_of(self.nodes[term.node].level);
            self.nodes[term.node].delays = self.nodes[term.node].delays.max(delay);
        }
        self.push(name, lo, hi, level, Some([a, b]))
    }

    /// Builds every odd multiple that a column needs, the simplest first.
    fn column(&mut self, c: usize, rows: &[(Vec<i64>, i64)]) {
        let mut wanted: Vec<i128> =
            rows.iter().map(|(row, _)| i128::from(row[c])).filter(|v| *v != 0).map(|v| odd(v).0.abs()).collect();
        wanted.sort_by_key(|v| (digits(*v).len(), *v));
        wanted.dedup();
        for v in wanted {
            self.multiple(c, v);
        }
    }

    /// The node of an odd positive multiple of column `c`, within the depth of its signed-digit form.
    fn multiple(&mut self, c: usize, v: i128) -> usize {
        if let Some(&node) = self.multiples[c].get(&v) {
            return node;
        }
        let form = digits(v);
        let depth = levels(form.len());
        let x = self.multiples[c][&1];
        let positive = |node, shift| Term { node, shift, negative: false };
        // One addition of the input to a multiple that is there: v = e + s * 2^k, or v = e * 2^k + s.
        let mut found = None;
        for (&e, &node) in &self.multiples[c] {
            if self.nodes[node].level + 1 > depth {
                continue;
            }
            let difference = v - e;
            let (unit, shift) = odd(difference);
            if unit.abs() == 1 {
                found = Some((positive(node, 0), Term { node: x, shift, negative: unit < 0 }));
            }
            for s in [1, -1] {
                let (unit, shift) = odd(v - s);
                if unit == e && shift > 0 {
                    found = Some((positive(node, shift), Term { node: x, shift: 0, negative: s < 0 }));
                }
            }
        }
        let (a, b) = found.unwrap_or_else(|| {
            let half = |part: &[(u32, i128)], builder: &mut Builder| {
                let value: i128 = part.iter().map(|(p, d)| d << p).sum();
                let (unit, shift) = odd(value);
                Term { node: builder.multiple(c, unit.abs()), shift, negative: unit < 0 }
            };
            let (low, high) = form.split_at(form.len() / 2);
            (half(high, self), half(low, self))
        });
        let (lo, hi) = (self.nodes[x].lo, self.nodes[x].hi);
        let node = self.add(a, b, v * lo, v * hi);
        self.multiples[c].insert(v, node);
        node
    }

    /// The sum of a row's terms.
    fn row(&mut self, row: &[i64], constant: i64) -> Term {
        let mut terms: Vec<Term> = Vec::new();
        for (c, &coefficient) in row.iter().enumerate().filter(|(_, v)| **v != 0) {
            let (unit, shift) = odd(i128::from(coefficient));
            let node = self.multiple(c, unit.abs());
            terms.push(Term { node, shift, negative: unit < 0 });
        }
        // A constant, also 0 where nothing else is positive, so that the result needs no negation.
        if constant != 0 || terms.iter().all(|t| t.negative) {
            let value = i128::from(constant);
            let node = self.push(String::new(), value, value, 0, None);
            self.nodes[node].constant = Some(value);
            terms.push(Term { node, shift: 0, negative: false });
        }
        while terms.len() > 1 {
            // The two that are ready first; among those a positive one with a negative one.
            terms.sort_by_key(|t| std::cmp::Reverse(self.nodes[t.node].level));
            let b = terms.remove(terms.len() - 1);
            let level = self.nodes[terms[terms.len() - 1].node].level;
            let partner = terms
                .iter()
                .rposition(|t| t.negative != b.negative && self.nodes[t.node].level == level)
                .unwrap_or(terms.len() - 1);
            let a = terms.remove(partner);
            terms.push(self.combine(a, b));
        }
        terms[0]
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

    /// Delays every row to the last stage and names it.
    fn outputs(&mut self, terms: &[Term], stages: usize) -> (Vec<Output>, String) {
        let mut tail = String::new();
        let mut outputs = Vec::new();
        for (r, term) in terms.iter().enumerate() {
            let node = &mut self.nodes[term.node];
            let (lo, hi) = (node.lo << term.shift, node.hi << term.shift);
            let bits = signed_bits(lo, hi);
            let delay = if node.constant.is_some() { 0 } else { stages - stage_of(node.level) };
            node.delays = node.delays.max(delay);
            let name = format!("{}y{r}", self.prefix);
            let value = self.operand(*term, delay, bits);
            let _ = writeln!(tail, "  wire signed [{}:0] {name} = {value};", bits - 1);
            outputs.push(Output { name, bits, lo, hi });
        }
        (outputs, tail)
    }

    /// A term as an expression of `bits` bits, `delay` stages after its node.
    fn operand(&self, term: Term, delay: usize, bits: usize) -> String {
        let node = &self.nodes[term.node];
        if let Some(value) = node.constant {
            let value = value << term.shift;
            return format!("$signed({})", super::rom::literal(value, bits));
        }
        let name = if delay == 0 { node.name.clone() } else { format!("{}_d{delay}", node.name) };
        let wide = format!("{bits}'({name})");
        if term.shift == 0 { wide } else { format!("({wide} <<< {})", term.shift) }
    }

    /// All nodes and their delayed copies.
    fn code(&self) -> String {
        let mut code = String::new();
        for node in &self.nodes {
            let bits = signed_bits(node.lo, node.hi);
            if let Some([a, b]) = &node.definition {
                let side = |t: &Term| self.operand(*t, stage_of(node.level) - stage_of(self.nodes[t.node].level), bits);
                let sign = if b.negative { '-' } else { '+' };
                let _ =
                    writeln!(code, "  wire signed [{}:0] {} = {} {sign} {};", bits - 1, node.name, side(a), side(b));
            }
            if node.constant.is_some() || node.delays == 0 {
                continue;
            }
            let copies: Vec<String> = (1..=node.delays).map(|d| format!("{}_d{d}", node.name)).collect();
            let _ = writeln!(code, "  reg signed [{}:0] {};", bits - 1, copies.join(", "));
            let _ = writeln!(code, "  always @(posedge clk) begin");
            let mut previous = &node.name;
            for copy in &copies {
                let _ = writeln!(code, "    {copy} <= {previous};");
                previous = copy;
            }
            let _ = writeln!(code, "  end");
        }
        code
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netfold_ir::hw::latency::signed_digits;

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
        let input = |i: usize| Input { name: format!("x{i}"), lo: -8, hi: 7 };
        let rows = [(vec![3, 5], 0), (vec![6, -5], 0), (vec![-3, 20], 1)];
        let made = linear("n", &[input(0), input(1)], &rows);
        // 3x and 5x once each, one addition a row, one more for the constant.
        assert_eq!((made.adders, made.stages), (6, 2));
    }

    #[test]
    fn ranges_of_rows_are_exact() {
        let input = Input { name: "x".into(), lo: 0, hi: 255 };
        let made = linear("n", &[input], &[(vec![-7], 3), (vec![0], 0), (vec![8], 0)]);
        let ranges: Vec<_> = made.outputs.iter().map(|o| (o.lo, o.hi)).collect();
        assert_eq!(ranges, [(-1782, 3), (0, 0), (0, 2040)]);
    }
}
