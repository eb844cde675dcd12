//! SystemVerilog of comparisons, maxima and tables.

use std::fmt::Write;

use crate::cost::table_network;
use crate::graph::Op;
use crate::lut::{Output, Signal};
use crate::verilog::{Emitter, concat, literal, slice};
use netfold_ir::hw::program::root;

impl Emitter<'_> {
    /// A node's word in a stage, sign- or zero-extended to `to` bits.
    fn extended(&self, id: crate::graph::NodeId, stage: u32, to: u32) -> String {
        let (word, base) = self.wire(id, stage);
        let full = self.g.node(root(self.g, id)).width().max(1);
        self.extend(&word, base, self.g.node(id).range, full, to)
    }

    pub fn at_least(&self, i: usize, out: &mut String) {
        let Op::AtLeast { src, bound } = self.g.nodes[i].op else { return };
        let range = self.g.node(src).range;
        let w = range.width();
        let word = self.extended(src, self.p.stage[i], w);
        let limit = literal(w, bound);
        let _ = if range.signed() {
            let word = format!("$signed({word})");
            writeln!(out, "  assign {} = {word} >= $signed({limit});  // {bound}", self.names[i])
        } else {
            writeln!(out, "  assign {} = {word} >= {limit};", self.names[i])
        };
    }

    pub fn max(&self, i: usize, out: &mut String) {
        let n = &self.g.nodes[i];
        let Op::Max { a, b } = n.op else { return };
        let s = self.p.stage[i];
        let (x, y) = (self.g.node(a).range, self.g.node(b).range);
        let signed = x.signed() || y.signed();
        let both = crate::interval::Interval::new(x.lo.min(y.lo), x.hi.max(y.hi)).width();
        let (p, q) = (self.extended(a, s, both), self.extended(b, s, both));
        let name = &self.names[i];
        let w = n.width().max(1);
        let _ = writeln!(out, "  wire [{}:0] {name}_a = {p};\n  wire [{}:0] {name}_b = {q};", both - 1, both - 1);
        let test =
            if signed { format!("$signed({name}_a) >= $signed({name}_b)") } else { format!("{name}_a >= {name}_b") };
        let (p, q) = (slice(&format!("{name}_a"), 0, w, both), slice(&format!("{name}_b"), 0, w, both));
        let _ = writeln!(out, "  assign {name} = ({test}) ? {p} : {q};");
    }

    /// One constant vector and one select a lookup table.
    pub fn table(&self, i: usize, out: &mut String) {
        let n = &self.g.nodes[i];
        let Op::Table { index } = n.op else { return };
        let t = &self.g.tables[index as usize];
        let net = table_network(t, n.width());
        let name = &self.names[i];
        let signal = |s: &Signal| match s {
            Signal::Lut(k) => format!("{name}_lut{k}"),
            Signal::Input(k) => {
                let b = t.bits[usize::from(*k)];
                let (word, base) = self.wire(b.node, self.p.stage[i]);
                let full = self.g.node(root(self.g, b.node)).width().max(1);
                slice(&word, base + b.bit, base + b.bit + 1, full)
            }
        };
        for (k, l) in net.luts.iter().enumerate() {
            let size = 1u32 << l.inputs.len();
            let mut inputs: Vec<String> = l.inputs.iter().map(signal).collect();
            inputs.reverse();
            let mask = if size == 64 { u64::MAX } else { (1 << size) - 1 };
            let _ = writeln!(out, "  wire [{}:0] {name}_init{k} = {size}'h{:x};", size - 1, l.init & mask);
            let _ = writeln!(out, "  wire {name}_lut{k} = {name}_init{k}[{}];", concat(inputs));
        }
        let mut bits: Vec<String> = net
            .outputs
            .iter()
            .map(|o| match o {
                Output::Const(c) => literal(1, i64::from(*c)),
                Output::Wire(s, inverted) => format!("{}{}", if *inverted { "~" } else { "" }, signal(s)),
            })
            .collect();
        bits.reverse();
        let _ = writeln!(out, "  assign {name} = {};", concat(bits));
    }
}
