//! The straight-line program that both constant matrix products and whole layered networks compile to: nodes with
//! exact integer meaning and exact intervals, an interpreter and a verifier.
//!
//! An addition's hardware never extends a sign: every operand is read as an unsigned field (a signed word with its
//! top bit inverted, a subtracted word with all bits inverted), which differs from the operand's value by a constant.
//! The builder chooses each node's `bias` so that those constants cancel and the adder needs no constant operand;
//! what is left over is added once, at a neuron's end ([`Linear::offset`]).

use super::counts::count;
use super::interval::{Interval, wrap_window};
use super::quantizer::{Overflow, Quantizer, wrap_word};
use super::table::Table;
use serde::{Deserialize, Serialize};

/// Index of a node in [`Graph::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub u32);

impl NodeId {
    /// The index as a `usize`.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A scaled reference to a node: the value `±(node << shift)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Operand {
    /// The node read.
    pub node: NodeId,
    /// Left shift, bits.
    pub shift: u32,
    /// Whether the value is subtracted.
    pub neg: bool,
}

/// One bit fed into an adder's carry input: worth `bit 0 of node` (inverted where `neg`) at position `shift`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CarryBit {
    /// The node whose lowest bit is read.
    pub node: NodeId,
    /// Position of the bit's weight.
    pub shift: u32,
    /// Whether the bit is inverted.
    pub neg: bool,
}

/// What a node computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Op {
    /// The input of that index.
    Input(usize),
    /// A constant.
    Const(i64),
    /// `±(a << sa) ± (b << sb) + carry + bias`.
    Add {
        /// First operand.
        a: Operand,
        /// Second operand.
        b: Operand,
        /// Optional third operand of one bit.
        carry: Option<CarryBit>,
        /// Constant summand.
        bias: i64,
    },
    /// One carry chain of a sum of many terms. The fields of `xs` and the bits of `constant` are counted in every
    /// column; `digit` 0, 1 or 2 of all counts, as one word `D` with its weight, is added: the node is `a + D + bias`
    /// modulo the node's word. A count of five bits is one six-input table together with `a`'s bit, so three chains
    /// (digits 0, 1, 2) add five terms.
    Digit {
        /// The term that feeds the carry chain directly.
        a: Operand,
        /// The counted terms.
        xs: [Option<Operand>; 5],
        /// The digit of the counts that is added.
        digit: u8,
        /// Counted constant bits.
        constant: i64,
        /// Constant summand.
        bias: i64,
    },
    /// `±(a << s) + bias`: a constant adder, a negation or only wires.
    Affine {
        /// The operand.
        a: Operand,
        /// Constant summand.
        bias: i64,
    },
    /// `src >> bits`, rounded down: only wires.
    Shr {
        /// The node read.
        src: NodeId,
        /// Low bits dropped.
        bits: u32,
    },
    /// A quantizer applied to a node.
    Quant {
        /// The node read.
        src: NodeId,
        /// The function.
        quantizer: Quantizer,
    },
    /// One where `src >= bound`, else zero.
    AtLeast {
        /// The node read.
        src: NodeId,
        /// The threshold.
        bound: i64,
    },
    /// The larger of two nodes.
    Max {
        /// One node.
        a: NodeId,
        /// The other node.
        b: NodeId,
    },
    /// A function of a few bits: that index in [`Graph::tables`].
    Table {
        /// The index.
        index: u32,
    },
    /// The digits of a word, one a phase, the lowest first: in phase `p` bits `[p * bits, (p + 1) * bits)` of `src`, the sign bit
    /// of a signed word inverted, so that all digits are unsigned ([`super::serial`]).
    Serial {
        /// The node read.
        src: NodeId,
        /// Bits a digit.
        bits: u32,
    },
    /// The sum over phases: `start` and the sum of `src << (p * bits)` for the first `count` phases ([`super::serial`]).
    Accumulate {
        /// The value of a phase.
        src: Operand,
        /// Bits a phase is worth more than the one before.
        bits: u32,
        /// Phases added.
        count: u32,
        /// Constant summand.
        start: i64,
    },
}

impl Op {
    /// Replaces the ids of the nodes read; those of a table stand in the table.
    pub fn rename(&mut self, map: impl Fn(NodeId) -> NodeId) {
        match self {
            Op::Input(_) | Op::Const(_) => {}
            Op::Add { a, b, carry, .. } => {
                a.node = map(a.node);
                b.node = map(b.node);
                if let Some(c) = carry {
                    c.node = map(c.node);
                }
            }
            Op::Digit { a, xs, .. } => {
                a.node = map(a.node);
                for x in xs.iter_mut().flatten() {
                    x.node = map(x.node);
                }
            }
            Op::Affine { a, .. } | Op::Accumulate { src: a, .. } => a.node = map(a.node),
            Op::Shr { src, .. } | Op::Quant { src, .. } | Op::AtLeast { src, .. } | Op::Serial { src, .. } => {
                *src = map(*src);
            }
            Op::Max { a, b } => (*a, *b) = (map(*a), map(*b)),
            Op::Table { .. } => {}
        }
    }
}

/// A node: its operation and what is known of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// The operation.
    pub op: Op,
    /// The exact interval of independent operands: every value lies in it.
    pub range: Interval,
    /// Low bits that are always zero.
    pub zeros: u32,
    /// Adders on the longest path from an input (constant adders and quantizers count none).
    pub depth: u32,
}

impl Node {
    /// Bits of the wire.
    pub fn width(&self) -> u32 {
        self.range.width()
    }
}

/// A value known up to a constant: `±(node << shift) + offset`, or only `offset` where `node` is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linear {
    /// The scaled node, if the value is not constant.
    pub term: Option<Operand>,
    /// The constant summand.
    pub offset: i64,
}

/// A straight-line program; every node's operands come before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graph {
    /// The nodes in topological order.
    pub nodes: Vec<Node>,
    /// The tables that nodes refer to.
    pub tables: Vec<Table>,
    /// Number of inputs.
    pub inputs: usize,
    /// The results.
    pub outputs: Vec<Linear>,
}

/// The unsigned field that stands for an operand in an adder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Position of the lowest bit.
    pub low: u32,
    /// Position after the highest bit.
    pub high: u32,
    /// Smallest and largest value, weight included.
    pub range: Interval,
    /// Operand value minus field value.
    pub offset: i64,
}

impl Graph {
    /// The node of an id.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// Appends a node of which everything is known.
    pub fn push(&mut self, op: Op, range: Interval, zeros: u32, depth: u32) -> NodeId {
        self.nodes.push(Node { op, range, zeros, depth });
        NodeId(self.nodes.len() as u32 - 1)
    }

    /// Appends an input with an exact interval and known-zero low bits.
    pub fn input(&mut self, range: Interval, zeros: u32) -> NodeId {
        let index = self.inputs;
        self.inputs += 1;
        self.push(Op::Input(index), range, zeros, 0)
    }

    /// The unsigned field of an operand.
    pub fn field(&self, o: Operand) -> Field {
        let n = self.node(o.node);
        let w = n.width();
        let zeros = n.zeros.min(w);
        // Known-zero low bits are not part of the field unless the operand is inverted, where they read as ones.
        let flip = if n.range.signed() { 1i64 << (w - 1) } else { 0 };
        let base = n.range.add_const(flip);
        let mask = ((1i64 << w) - 1) & !((1i64 << zeros) - 1);
        let (range, offset) =
            if o.neg { (Interval { lo: mask - base.hi, hi: mask - base.lo }, flip - mask) } else { (base, -flip) };
        Field { low: o.shift + zeros, high: o.shift + w, range: range.shl(o.shift), offset: offset << o.shift }
    }

    /// Appends `±(a << sa) ± (b << sb) (+ carry) + bias` with the bias that costs no hardware, and returns the node and
    /// that bias.
    pub fn add(&mut self, a: Operand, b: Operand, carry: Option<CarryBit>) -> (NodeId, i64) {
        let (fa, fb) = (self.field(a), self.field(b));
        let mut sum = fa.range.sum(&fb.range);
        if let Some(c) = carry {
            sum.hi += 1 << c.shift;
        }
        let range = wrap_window(sum.lo, sum.hi);
        // The fields' sum is (±a ±b + carry) less the operands' offsets.
        let bias = range.lo - sum.lo - fa.offset - fb.offset;
        let id = self.add_with_bias(a, b, carry, bias, range);
        (id, bias)
    }

    /// Appends an addition with a given bias whose values lie in `range`.
    pub fn add_with_bias(
        &mut self,
        a: Operand,
        b: Operand,
        carry: Option<CarryBit>,
        bias: i64,
        range: Interval,
    ) -> NodeId {
        let (na, nb) = (*self.node(a.node), *self.node(b.node));
        let mut depth = na.depth.max(nb.depth);
        if let Some(c) = carry {
            depth = depth.max(self.node(c.node).depth);
        }
        let zeros = [na.zeros + a.shift, nb.zeros + b.shift, bias.trailing_zeros().min(63)]
            .into_iter()
            .chain(carry.map(|c| c.shift))
            .min()
            .unwrap_or(0);
        let disjoint = carry.is_none() && self.overlap(a, b) == 0;
        self.push(Op::Add { a, b, carry, bias }, range, zeros, depth + u32::from(!disjoint))
    }

    /// Bit positions where both operands have a bit that can be one: the adder's lookup tables.
    pub fn overlap(&self, a: Operand, b: Operand) -> u32 {
        let (fa, fb) = (self.field(a), self.field(b));
        fa.high.min(fb.high).saturating_sub(fa.low.max(fb.low))
    }

    /// Appends `±(a << s) + bias`.
    pub fn affine(&mut self, a: Operand, bias: i64) -> NodeId {
        let n = *self.node(a.node);
        let range = n.range.negate_if(a.neg).shl(a.shift).add_const(bias);
        let zeros = (n.zeros + a.shift).min(bias.trailing_zeros()).min(62);
        self.push(Op::Affine { a, bias }, range, zeros, n.depth)
    }

    /// Narrows the interval of a node that nothing reads yet to one that is known from elsewhere to hold its values.
    pub fn narrow(&mut self, id: NodeId, range: Interval) {
        self.nodes[id.index()].range = range;
    }

    /// Replaces what is known of a node that nothing reads yet by what is known from elsewhere.
    pub fn retype(&mut self, id: NodeId, range: Interval, zeros: u32) {
        let n = &mut self.nodes[id.index()];
        (n.range, n.zeros) = (range, zeros);
    }

    /// Appends `src >> bits`.
    pub fn shr(&mut self, src: NodeId, bits: u32) -> NodeId {
        let n = *self.node(src);
        let range = Interval { lo: n.range.lo >> bits, hi: n.range.hi >> bits };
        self.push(Op::Shr { src, bits }, range, n.zeros.saturating_sub(bits), n.depth)
    }

    /// Appends a quantizer.
    pub fn quant(&mut self, src: NodeId, quantizer: Quantizer) -> NodeId {
        let n = *self.node(src);
        let range = quantizer.range(n.range);
        let zeros = match quantizer.overflow {
            Overflow::Wrap => n.zeros.saturating_sub(quantizer.drop),
            _ => 0,
        };
        self.push(Op::Quant { src, quantizer }, range, zeros, n.depth)
    }

    /// Appends `src >= bound` as a bit.
    pub fn at_least(&mut self, src: NodeId, bound: i64) -> NodeId {
        let n = *self.node(src);
        let range = Interval { lo: i64::from(n.range.lo >= bound), hi: i64::from(n.range.hi >= bound) };
        self.push(Op::AtLeast { src, bound }, range, 0, n.depth)
    }

    /// Appends the larger of two nodes.
    pub fn max(&mut self, a: NodeId, b: NodeId) -> NodeId {
        let (x, y) = (*self.node(a), *self.node(b));
        let range = Interval { lo: x.range.lo.max(y.range.lo), hi: x.range.hi.max(y.range.hi) };
        self.push(Op::Max { a, b }, range, x.zeros.min(y.zeros), x.depth.max(y.depth) + 1)
    }

    /// Appends a table; the interval holds every value that an input reaches.
    pub fn table(&mut self, table: Table, range: Interval) -> NodeId {
        let (zeros, depth) = self.table_facts(&table);
        let index = self.tables.len() as u32;
        self.tables.push(table);
        self.push(Op::Table { index }, range, zeros, depth)
    }

    /// The known-zero low bits and the depth of a table.
    pub fn table_facts(&self, table: &Table) -> (u32, u32) {
        let zeros = table.words.iter().map(|w| w.trailing_zeros()).min().unwrap_or(0).min(62);
        let depth = table.bits.iter().map(|b| self.node(b.node).depth).max().unwrap_or(0) + 1;
        (zeros, depth)
    }

    /// Appends a copy of another graph's node, its operands renamed.
    pub fn push_from(&mut self, from: &Graph, n: &Node, map: impl Fn(NodeId) -> NodeId) -> NodeId {
        let mut op = n.op;
        if let Op::Table { index } = &mut op {
            let mut table = from.tables[*index as usize].clone();
            table.bits.iter_mut().for_each(|b| b.node = map(b.node));
            *index = self.tables.len() as u32;
            self.tables.push(table);
        }
        op.rename(map);
        self.push(op, n.range, n.zeros, n.depth)
    }

    /// Appends a constant.
    pub fn constant(&mut self, value: i64) -> NodeId {
        self.push(Op::Const(value), Interval::point(value), value.trailing_zeros().min(62), 0)
    }

    /// Removes nodes that no output needs; inputs stay.
    pub fn sweep(&mut self) {
        let mut live = vec![false; self.nodes.len()];
        for o in &self.outputs {
            if let Some(t) = o.term {
                live[t.node.index()] = true;
            }
        }
        for i in (0..self.nodes.len()).rev() {
            if matches!(self.nodes[i].op, Op::Input(_)) {
                live[i] = true;
            }
            if live[i] {
                for o in self.operands(NodeId(i as u32)) {
                    live[o.index()] = true;
                }
            }
        }
        let mut map = vec![NodeId(0); self.nodes.len()];
        let old = Graph {
            nodes: std::mem::take(&mut self.nodes),
            tables: std::mem::take(&mut self.tables),
            ..Graph::default()
        };
        for (i, n) in old.nodes.iter().enumerate() {
            if live[i] {
                map[i] = self.push_from(&old, n, |id| map[id.index()]);
            }
        }
        for t in self.outputs.iter_mut().filter_map(|o| o.term.as_mut()) {
            t.node = map[t.node.index()];
        }
    }

    /// The ids of the nodes that a node reads.
    pub fn operands(&self, id: NodeId) -> impl Iterator<Item = NodeId> + use<> {
        let mut read = Vec::new();
        let list = match self.node(id).op {
            Op::Input(_) | Op::Const(_) => [None; 6],
            Op::Table { index } => {
                read = self.tables[index as usize].nodes();
                [None; 6]
            }
            Op::Max { a, b } => [Some(a), Some(b), None, None, None, None],
            Op::Add { a, b, carry, .. } => [Some(a.node), Some(b.node), carry.map(|c| c.node), None, None, None],
            Op::Digit { a, xs, .. } => {
                let x = xs.map(|x| x.map(|x| x.node));
                [Some(a.node), x[0], x[1], x[2], x[3], x[4]]
            }
            Op::Affine { a, .. } | Op::Accumulate { src: a, .. } => [Some(a.node), None, None, None, None, None],
            Op::Shr { src, .. } | Op::Quant { src, .. } | Op::AtLeast { src, .. } | Op::Serial { src, .. } => {
                [Some(src), None, None, None, None, None]
            }
        };
        list.into_iter().flatten().chain(read)
    }

    /// The value of a node, given those of the nodes that it reads, by their index. What is not a function of one phase's values
    /// (an input, a digit, a sum over phases) is zero.
    pub fn eval_node(&self, n: &Node, v: &[i64]) -> i64 {
        let scaled = |o: Operand| {
            let t = v[o.node.index()] << o.shift;
            if o.neg { -t } else { t }
        };
        match n.op {
            Op::Input(_) | Op::Serial { .. } | Op::Accumulate { .. } => 0,
            Op::Const(k) => k,
            Op::Add { a, b, carry, bias } => {
                let c = carry.map_or(0, |c| ((v[c.node.index()] & 1) ^ i64::from(c.neg)) << c.shift);
                scaled(a) + scaled(b) + c + bias
            }
            Op::Digit { a, xs, digit, constant, bias } => {
                let mut counts = [constant, 0, 0];
                for x in xs.into_iter().flatten() {
                    count(&mut counts, scaled(x) - self.field(x).offset);
                }
                let sum = scaled(a) + (counts[usize::from(digit)] << digit) + bias;
                wrap_word(sum, n.width(), n.range.signed())
            }
            Op::Affine { a, bias } => scaled(a) + bias,
            Op::Shr { src, bits } => v[src.index()] >> bits,
            Op::Quant { src, quantizer } => quantizer.apply(v[src.index()]),
            Op::AtLeast { src, bound } => i64::from(v[src.index()] >= bound),
            Op::Max { a, b } => v[a.index()].max(v[b.index()]),
            Op::Table { index } => self.tables[index as usize].eval(v),
        }
    }

    /// Operands come before their readers, inputs are numbered from zero without gaps, and widths stay below 63 bits.
    ///
    /// # Errors
    /// The broken invariant.
    pub fn verify(&self) -> Result<(), &'static str> {
        let mut inputs = 0;
        for (i, n) in self.nodes.iter().enumerate() {
            if let Op::Input(k) = n.op {
                if k != inputs {
                    return Err("inputs of the program are not numbered in order");
                }
                inputs += 1;
            }
            if let Op::Table { index } = n.op {
                let table = self.tables.get(index as usize).ok_or("a node's table does not exist")?;
                if table.bits.len() > Table::MAX_BITS || table.words.len() != 1 << table.bits.len() {
                    return Err("a table of the program has another size than its index");
                }
                if table.bits.iter().any(|b| b.node.index() >= i || b.bit >= self.node(b.node).width()) {
                    return Err("a table of the program reads a bit that does not exist");
                }
            }
            if self.operands(NodeId(i as u32)).any(|o| o.index() >= i) {
                return Err("a node of the program reads a later one");
            }
            if n.width() > 62 {
                return Err("a node of the program is wider than 62 bits");
            }
        }
        let outside = |o: &Linear| o.term.is_some_and(|t| t.node.index() >= self.nodes.len());
        if inputs != self.inputs || self.outputs.iter().any(outside) {
            return Err("inputs or outputs of the program do not exist");
        }
        self.verify_phases()
    }
}
