//! SystemVerilog of the registers that take words apart to digits and add digits to words.

use std::fmt::Write;

use crate::graph::{NodeId, Op, Operand};
use crate::phases::has_register;
use crate::verilog::{Emitter, concat, literal, slice};
use netfold_ir::hw::program::{Graph, Pipeline, root};

/// When the first digits are where: `run0` is the port `start`, with the inputs; `run1` a cycle later, when stage 0 works, and so on.
pub(crate) struct Runs {
    /// Whether each node, an input, has a register of its own.
    pub registered: Vec<bool>,
    /// Last `run` that is read.
    last: u32,
}

impl Runs {
    pub fn new(g: &Graph, p: &Pipeline) -> Self {
        Self { registered: has_register(g, p), last: 0 }
    }

    fn at(&mut self, cycle: u32) -> String {
        self.last = self.last.max(cycle);
        format!("run[{cycle}]")
    }

    /// Emits the register of a node that begins with its first digit.
    pub fn register(&mut self, e: &Emitter, i: usize, body: &mut String, regs: &mut String) {
        let id = NodeId(i as u32);
        match e.g.nodes[i].op {
            Op::Serial { src, bits } => self.serial(e, id, src, bits, body, regs),
            Op::Accumulate { src, bits, count, start } => {
                self.accumulate(e, id, (src, bits, count, start), body, regs);
            }
            _ => {}
        }
    }

    fn serial(&mut self, e: &Emitter, id: NodeId, src: NodeId, bits: u32, body: &mut String, regs: &mut String) {
        let (n, name) = (e.g.node(src), &e.names[id.index()]);
        let w = n.width().max(1);
        // The word that is loaded, its sign bit inverted.
        let (word, base, full) = match e.p.read_stage(e.g, id) {
            Some(stage) => {
                let (word, base) = e.wire(src, stage);
                (word, base, e.g.node(root(e.g, src)).width().max(1))
            }
            None => {
                let r = root(e.g, src);
                let port = if let Op::Input(k) = e.g.node(r).op { k } else { 0 };
                (format!("x{port}"), e.wire(src, 0).1, e.port_bits.get(port).copied().unwrap_or(1))
            }
        };
        let mut parts = Vec::new();
        let top = if n.range.signed() { w - 1 } else { w };
        if n.range.signed() {
            parts.push(format!("~{}", slice(&word, base + top, base + w, full)));
        }
        if top > 0 {
            parts.push(slice(&word, base, base + top, full));
        }
        let own = e.g.node(id).width();
        let run = self.at(e.p.stage[id.index()]);
        let _ = writeln!(body, "  reg  [{}:0] {name}_word;", w - 1);
        let _ = writeln!(body, "  assign {name} = {};", slice(&format!("{name}_word"), 0, own, w));
        let next = if w > bits {
            concat(vec![literal(bits, 0), slice(&format!("{name}_word"), bits, w, w)])
        } else {
            literal(w, 0)
        };
        let _ = writeln!(regs, "    {name}_word <= {run} ? {} : {next};", concat(parts));
    }

    fn accumulate(
        &mut self,
        e: &Emitter,
        id: NodeId,
        (src, bits, count, start): (Operand, u32, u32, i64),
        body: &mut String,
        regs: &mut String,
    ) {
        let (n, name) = (*e.g.node(id), &e.names[id.index()]);
        let held = e.g.accumulator(src, bits, count, start);
        let (w, low) = (held.width().max(1), bits * (count - 1));
        let read = e.p.read_stage(e.g, id).unwrap_or(0);
        let run = self.at(read + 1);
        let fill = if held.signed() { format!("{name}_sum[{}]", w - 1) } else { "1'b0".into() };
        let shifted = if w > bits {
            concat(vec![format!("{{{bits}{{{fill}}}}}"), slice(&format!("{name}_sum"), bits, w, w)])
        } else {
            format!("{{{w}{{{fill}}}}}")
        };
        let _ = writeln!(body, "  reg  [{}:0] {name}_sum;", w - 1);
        let _ = writeln!(body, "  reg  [{}:0] {name}_low;", low - 1);
        let _ = writeln!(body, "  wire [{}:0] {name}_base = {run} ? {} : {shifted};", w - 1, literal(w, start));
        let sign = if src.neg { '-' } else { '+' };
        let term = e.word_bits(Operand { neg: false, ..src }, read, w);
        let sum = if src.neg { format!("{name}_base {sign} {term}") } else { format!("{term} {sign} {name}_base") };
        // Low bits of a sum leave to the other register, lowest digits last.
        let own = if bits <= w {
            slice(&format!("{name}_sum"), 0, bits, w)
        } else {
            concat(vec![format!("{{{}{{{fill}}}}}", bits - w), format!("{name}_sum")])
        };
        let next = if count > 2 { concat(vec![own, slice(&format!("{name}_low"), bits, low, low)]) } else { own };
        let _ = writeln!(regs, "    {name}_sum <= {sum};\n    {name}_low <= {next};");
        let need = n.width().max(1);
        let mut parts = Vec::new();
        if need > w + low {
            parts.push(format!("{{{}{{{fill}}}}}", need - w - low));
        }
        if need > low {
            parts.push(slice(&format!("{name}_sum"), 0, w.min(need - low), w));
        }
        parts.push(slice(&format!("{name}_low"), 0, low.min(need), low));
        let _ = writeln!(body, "  assign {name} = {};", concat(parts));
    }

    /// Declares the flags and their delays.
    pub fn declare(&self, text: &mut String, regs: &mut String) {
        let n = self.last;
        if n == 0 {
            text.push_str("  wire [0:0] run = start;\n");
            return;
        }
        let _ = writeln!(text, "  reg  [{}:0] later;\n  wire [{n}:0] run = {{later, start}};", n - 1);
        let _ = writeln!(regs, "    later <= run[{}:0];", n - 1);
    }
}
