//! SystemVerilog of a pipelined graph: one module, initiation interval 1, registered inputs and outputs.

use std::fmt::Write;

use crate::graph::{Graph, NodeId, Op, Operand};
use crate::interval::Interval;
use crate::phases::is_serial;
use crate::quantizer::{Overflow, Quantizer, Rounding};
use crate::verilog_serial::Runs;
use netfold_ir::hw::program::{Pipeline, root};

/// How the module looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerilogOptions {
    /// Module name, a Verilog identifier.
    pub module: String,
    /// Whether a `valid` bit travels with the data (`in_valid`, `out_valid`).
    pub valid: bool,
    /// Width of each input port; an entry of zero, or none, takes the least width of the input's interval.
    pub input_bits: Vec<u32>,
    /// No clock and no registers: outputs follow inputs.
    pub combinational: bool,
    /// No registers behind the last stage: what reads the outputs has them.
    pub open_outputs: bool,
}

impl Default for VerilogOptions {
    fn default() -> Self {
        Self {
            module: "shiftadd".into(),
            valid: false,
            input_bits: Vec::new(),
            combinational: false,
            open_outputs: false,
        }
    }
}

pub(crate) struct Emitter<'a> {
    pub g: &'a Graph,
    pub p: &'a Pipeline,
    pub names: Vec<String>,
    /// Width of each input port.
    pub port_bits: Vec<u32>,
}

/// `name[high:low]`, without a select where it is the whole word.
pub(crate) fn slice(name: &str, low: u32, high: u32, width: u32) -> String {
    if low == 0 && high == width {
        name.to_string()
    } else if high == low + 1 {
        format!("{name}[{low}]")
    } else {
        format!("{name}[{}:{low}]", high - 1)
    }
}

pub(crate) fn concat(parts: Vec<String>) -> String {
    if parts.len() == 1 { parts.into_iter().next().unwrap_or_default() } else { format!("{{{}}}", parts.join(", ")) }
}

pub(crate) fn literal(bits: u32, value: i64) -> String {
    let mask = (1i64 << bits.min(62)) - 1;
    if bits <= 4 { format!("{bits}'d{}", value & mask) } else { format!("{bits}'h{:x}", value & mask) }
}

impl Emitter<'_> {
    /// The wire that carries a node's value in a stage, the bits it is shifted by, and its width there.
    pub fn wire(&self, id: NodeId, stage: u32) -> (String, u32) {
        let r = root(self.g, id);
        let mut bits = 0;
        let mut at = id;
        while let Op::Shr { src, bits: b } = self.g.node(at).op {
            bits += b;
            at = src;
        }
        let own = self.p.stage[r.index()];
        let name = &self.names[r.index()];
        let name = if stage > own { format!("{name}_s{stage}") } else { name.clone() };
        (name, bits)
    }

    /// Bits `[from, to)` of an operand's unsigned field, zeros where it has none; exactly `to - from` bits.
    fn field_bits(&self, o: Operand, stage: u32, from: u32, to: u32) -> String {
        let n = self.g.node(o.node);
        let f = self.g.field(o);
        let (name, base) = self.wire(o.node, stage);
        let r = self.g.node(root(self.g, o.node)).width();
        let mut parts = Vec::new();
        if to > f.high.max(from) {
            parts.push(literal(to - f.high.max(from), 0));
        }
        let (lo, hi) = (from.max(f.low), to.min(f.high));
        if lo < hi {
            let (a, b) = (lo - o.shift, hi - o.shift);
            let top = n.range.signed() && hi == f.high;
            let body = if top { b - 1 } else { b };
            if top {
                parts.push(format!("{}{}", if o.neg { "" } else { "~" }, slice(&name, base + b - 1, base + b, r)));
            }
            if a < body {
                parts.push(format!("{}{}", if o.neg { "~" } else { "" }, slice(&name, base + a, base + body, r)));
            }
        }
        if from < f.low.min(to) {
            parts.push(literal(f.low.min(to) - from, 0));
        }
        concat(parts)
    }

    /// The low `w` bits of `node << shift` in two's complement.
    pub fn word_bits(&self, o: Operand, stage: u32, w: u32) -> String {
        let n = self.g.node(o.node);
        let (name, base) = self.wire(o.node, stage);
        let full = self.g.node(root(self.g, o.node)).width();
        let have = n.width().min(w.saturating_sub(o.shift));
        let mut parts = Vec::new();
        if w > have + o.shift {
            let top = base + n.width();
            let fill = if n.range.signed() { slice(&name, top - 1, top, full) } else { "1'b0".into() };
            parts.push(format!("{{{}{{{fill}}}}}", w - have - o.shift));
        }
        if have > 0 {
            parts.push(slice(&name, base, base + have, full));
        }
        if o.shift > 0 {
            parts.push(literal(o.shift.min(w), 0));
        }
        concat(parts)
    }

    fn add(&self, i: usize, out: &mut String) {
        let n = &self.g.nodes[i];
        let Op::Add { a, b, carry, bias } = n.op else { return };
        let s = self.p.stage[i];
        let w = n.width();
        let (fa, fb) = (self.g.field(a), self.g.field(b));
        let left = (bias + fa.offset + fb.offset).rem_euclid(1i64 << w);
        let name = &self.names[i];
        let overlap = fa.low.max(fb.low) < fa.high.min(fb.high).min(w);
        if !overlap && carry.is_none() && left == 0 {
            let (x, y, fx, fy) = if fa.low <= fb.low { (a, b, fa, fb) } else { (b, a, fb, fa) };
            let cut = fx.high.max(fy.low.min(w)).min(w);
            let mut parts = Vec::new();
            if cut < w {
                parts.push(self.field_bits(y, s, cut, w));
            }
            parts.push(self.field_bits(x, s, 0, cut));
            let _ = writeln!(out, "  assign {name} = {};", concat(parts));
            return;
        }
        // Put the operand that needs no inversion first: its bits feed the carry chain directly.
        // A table comes second: it is then computed in the sum's own lookup tables.
        let table = |o: Operand| matches!(self.g.node(o.node).op, Op::Table { .. });
        let swap = if table(a) != table(b) { table(a) } else { a.neg && !b.neg };
        let (x, y) = if swap { (b, a) } else { (a, b) };
        let mut start = fa.low.max(fb.low).min(w);
        if let Some(c) = carry {
            start = start.min(c.shift);
        }
        if left != 0 {
            start = start.min(left.trailing_zeros());
        }
        let (fx, fy) = (self.g.field(x), self.g.field(y));
        let (mut tx, mut ty) = (self.field_bits(x, s, start, w), self.field_bits(y, s, start, w));
        let mut sum_low = 0;
        if let Some(c) = carry {
            let o = Operand { node: c.node, shift: 0, neg: c.neg };
            let (cn, base) = self.wire(o.node, s);
            let r = self.g.node(root(self.g, o.node)).width();
            let bit = format!("{}{}", if c.neg { "~" } else { "" }, slice(&cn, base, base + 1, r));
            // A copy of the bit in both operands below the sum makes it the carry into the sum.
            let pad = start.abs_diff(c.shift);
            debug_assert_eq!(pad, 0);
            tx = format!("{{{tx}, {bit}}}");
            ty = format!("{{{ty}, {bit}}}");
            sum_low = 1;
        }
        let mut sum = format!("{tx} + {ty}");
        if left != 0 {
            let _ = write!(sum, " + {}", literal(w - start + sum_low, (left >> start) << sum_low));
        }
        let low = (start > 0).then(|| {
            let o = if fx.low <= fy.low { x } else { y };
            self.field_bits(o, s, 0, start)
        });
        match (low, sum_low) {
            (None, 0) => {
                let _ = writeln!(out, "  assign {name} = {sum};");
            }
            (low, _) => {
                let _ = writeln!(
                    out,
                    "  (* keep *) wire [{}:0] {name}_sum;\n  assign {name}_sum = {sum};",
                    w - start + sum_low - 1
                );
                let upper = slice(&format!("{name}_sum"), sum_low, w - start + sum_low, w - start + sum_low);
                let mut parts = vec![upper];
                parts.extend(low);
                let _ = writeln!(out, "  assign {name} = {};", concat(parts));
            }
        }
    }

    /// One column of a digit of the counts: an expression of the terms' bits.
    fn count_bit(&self, xs: &[Option<Operand>], constant: i64, digit: u8, column: u32, stage: u32) -> Option<String> {
        let column = column.checked_sub(u32::from(digit))?;
        let mut digits: [Option<String>; 3] = [None, None, None];
        let mut bits: Vec<String> = Vec::new();
        for x in xs.iter().flatten() {
            let f = self.g.field(*x);
            if (f.low..f.high).contains(&column) {
                bits.push(self.field_bits(*x, stage, column, column + 1));
            }
        }
        if constant >> column & 1 == 1 {
            bits.push("1'b1".into());
        }
        for bit in bits {
            let mut carry = Some(bit);
            for d in digits.iter_mut().take(usize::from(digit) + 1) {
                let Some(c) = carry.take() else { break };
                match d.take() {
                    None => *d = Some(c),
                    Some(old) => {
                        carry = Some(format!("({old} & {c})"));
                        *d = Some(format!("({old} ^ {c})"));
                    }
                }
            }
        }
        digits[usize::from(digit)].take()
    }

    fn digit(&self, i: usize, out: &mut String) {
        let n = &self.g.nodes[i];
        let Op::Digit { a, xs, digit, constant, bias } = n.op else { return };
        let s = self.p.stage[i];
        let w = n.width();
        let fa = self.g.field(a);
        let name = &self.names[i];
        let start = (bias + fa.offset).trailing_zeros();
        let mut bits: Vec<String> =
            (0..w).map(|c| self.count_bit(&xs, constant, digit, c, s).unwrap_or_else(|| "1'b0".into())).collect();
        bits.reverse();
        let upper = w - start;
        let _ = writeln!(out, "  wire [{}:0] {name}_count = {{{}}};", w - 1, bits.join(", "));
        // Subtracting the inverted word keeps the term that feeds the chain directly apart from the counted ones.
        let _ = writeln!(
            out,
            "  (* keep *) wire [{}:0] {name}_sum;\n  assign {name}_sum = {} - ~{};",
            upper - 1,
            self.field_bits(a, s, start, w),
            slice(&format!("{name}_count"), start, w, w)
        );
        if start == 0 {
            let _ = writeln!(out, "  assign {name} = {name}_sum;");
        } else if fa.low >= start {
            let _ =
                writeln!(out, "  assign {name} = {{{name}_sum, {}}};", slice(&format!("{name}_count"), 0, start, w));
        } else {
            let _ = writeln!(out, "  assign {name} = {{{name}_sum, {}}};", self.field_bits(a, s, 0, start));
        }
    }

    fn affine(&self, i: usize, out: &mut String) {
        let n = &self.g.nodes[i];
        let Op::Affine { a, bias } = n.op else { return };
        let s = self.p.stage[i];
        let w = n.width();
        let f = self.g.field(a);
        let left = (bias + f.offset).rem_euclid(1i64 << w);
        let name = &self.names[i];
        if !a.neg && bias.rem_euclid(1i64 << w) == 0 {
            let _ = writeln!(out, "  assign {name} = {};", self.word_bits(a, s, w));
            return;
        }
        let field = self.field_bits(a, s, 0, w);
        if left == 0 {
            let _ = writeln!(out, "  assign {name} = {field};");
            return;
        }
        let start = left.trailing_zeros();
        let upper = format!("{} + {}", self.field_bits(a, s, start, w), literal(w - start, left >> start));
        if start == 0 {
            let _ = writeln!(out, "  assign {name} = {upper};");
        } else {
            let _ =
                writeln!(out, "  (* keep *) wire [{}:0] {name}_sum;\n  assign {name}_sum = {upper};", w - start - 1);
            let _ = writeln!(out, "  assign {name} = {{{name}_sum, {}}};", self.field_bits(a, s, 0, start));
        }
    }

    fn quant(&self, i: usize, out: &mut String) {
        let n = &self.g.nodes[i];
        let Op::Quant { src, quantizer: q } = n.op else { return };
        let s = self.p.stage[i];
        let w = n.width();
        let name = &self.names[i];
        let (mut word, base) = self.wire(src, s);
        let full = self.g.node(root(self.g, src)).width();
        let range = self.g.node(src).range;
        let (mut low, mut high) = (base + q.drop, base + range.width());
        let mut rounded = Interval { lo: range.lo >> q.drop, hi: range.hi >> q.drop };
        let mut size = full;
        if q.rounding == Rounding::HalfEven && q.drop > 0 {
            // Adds half a step less one, and the bit that decides ties.
            rounded = Interval { lo: q_round(&q, range.lo), hi: q_round(&q, range.hi) };
            let sum = Interval::new(range.lo, range.hi + (1 << q.drop));
            let ws = sum.width().max(rounded.width() + q.drop).max(q.drop + 1);
            let x = self.extend(&word, base, range, full, ws);
            let tie = if range.width() > q.drop {
                slice(&word, low, low + 1, full)
            } else if range.signed() {
                slice(&word, high - 1, high, full)
            } else {
                "1'b0".into()
            };
            let _ = writeln!(
                out,
                "  wire [{}:0] {name}_round = {x} + {} + {{{}, {tie}}};",
                ws - 1,
                literal(ws, (1 << (q.drop - 1)) - 1),
                literal(ws - 1, 0)
            );
            word = format!("{name}_round");
            (low, high, size) = (q.drop, ws, ws);
        }
        // The rounded word, `high - low` bits, signed like the source.
        if low >= high {
            // Only the sign is left.
            (low, high) = (high - 1, high);
        }
        let rw = high - low;
        let signed = rounded.lo < 0;
        let body = |bits: u32| {
            let have = bits.min(rw);
            let mut parts = Vec::new();
            if bits > rw {
                let fill = if signed { slice(&word, high - 1, high, size) } else { "1'b0".into() };
                parts.push(format!("{{{}{{{fill}}}}}", bits - rw));
            }
            parts.push(slice(&word, low, low + have, size));
            concat(parts)
        };
        let neg = slice(&word, high - 1, high, size);
        let mut text = body(w);
        if q.overflow == Overflow::Wrap {
            if q.relu && signed {
                text = format!("{neg} ? {} : {text}", literal(w, 0));
            }
            let _ = writeln!(out, "  assign {name} = {text};");
            return;
        }
        let bounds = q.clip_bounds();
        let over = rounded.hi > bounds.hi;
        let floor = if q.relu { bounds.lo.max(0) } else { bounds.lo };
        let under = rounded.lo < floor;
        if over {
            let cond = if bounds.hi + 1 == 1i64 << (q.bits - u32::from(q.signed)) {
                let first = low + q.bits - u32::from(q.signed);
                let last = if signed { high - 1 } else { high };
                let any = format!("|{}", slice(&word, first, last, size));
                let any = if last == first + 1 { any[1..].to_string() } else { any };
                if signed && !(under && floor == 0) { format!("~{neg} & ({any})") } else { any }
            } else {
                let (x, b) = (slice(&word, low, high, size), literal(rw, bounds.hi));
                if signed { format!("$signed({x}) > $signed({b})") } else { format!("{x} > {b}") }
            };
            text = format!("({cond}) ? {} : {text}", literal(w, bounds.hi));
        }
        if under {
            let cond = if floor == 0 {
                neg
            } else if floor == -(1i64 << (q.bits - 1)) {
                format!("{neg} & ~(&{})", slice(&word, low + q.bits - 1, high - 1, size))
            } else {
                let (x, b) = (slice(&word, low, high, size), literal(rw, floor));
                if signed { format!("$signed({x}) < $signed({b})") } else { format!("{x} < {b}") }
            };
            text = format!("{} ? {} : {text}", paren(&cond), literal(w, floor));
        }
        let _ = writeln!(out, "  assign {name} = {text};");
    }

    pub fn extend(&self, word: &str, base: u32, range: Interval, full: u32, to: u32) -> String {
        let w = range.width();
        let body = slice(word, base, base + w, full);
        if to <= w {
            return body;
        }
        let fill = if range.signed() { slice(word, base + w - 1, base + w, full) } else { "1'b0".into() };
        format!("{{{{{}{{{fill}}}}}, {body}}}", to - w)
    }
}

fn q_round(q: &Quantizer, v: i64) -> i64 {
    Quantizer { relu: false, ..*q }.rounded(v)
}

fn paren(c: &str) -> String {
    if c.contains(' ') { format!("({c})") } else { c.to_string() }
}

/// Sums are kept as they are: a synthesis tool that merges adders into multi-operand ones would undo the widths.
fn keep(n: &crate::graph::Node) -> &'static str {
    match n.op {
        Op::Add { .. } | Op::Digit { .. } | Op::Affine { .. } => "(* keep *) ",
        _ => "",
    }
}

fn range_note(n: &crate::graph::Node) -> String {
    format!("{}{} in [{}, {}]", if n.range.signed() { "s" } else { "u" }, n.width(), n.range.lo, n.range.hi)
}

/// Emits a graph as one module with one port an input (`x0`, `x1`, ...) and an output (`y0`, ...).
///
/// Outputs must be plain nodes (no shift, sign or offset), as [`crate::compile`] makes them. A port of a signed value is
/// two's complement. The outputs follow the inputs by `stages + 1` rising clock edges, or `stages` where they are open.
pub fn emit_verilog(g: &Graph, p: &Pipeline, options: &VerilogOptions) -> String {
    let mut names = Vec::with_capacity(g.nodes.len());
    for (i, n) in g.nodes.iter().enumerate() {
        names.push(match n.op {
            Op::Input(k) => format!("in{k}"),
            Op::Quant { .. } => format!("act{i}"),
            Op::AtLeast { .. } => format!("ge{i}"),
            Op::Max { .. } => format!("max{i}"),
            Op::Table { .. } => format!("tab{i}"),
            Op::Affine { .. } => format!("off{i}"),
            Op::Const(_) => format!("const{i}"),
            Op::Serial { .. } => format!("dig{i}"),
            Op::Accumulate { .. } => format!("acc{i}"),
            _ => format!("sum{i}"),
        });
    }
    let inputs =
        g.nodes.iter().filter_map(|n| if let Op::Input(k) = n.op { Some((k, n.width().max(1))) } else { None });
    let port_bits = inputs.map(|(k, w)| options.input_bits.get(k).copied().unwrap_or(0).max(w)).collect();
    let e = Emitter { g, p, names, port_bits };
    let mut runs = is_serial(g).then(|| Runs::new(g, p));
    let output_stage = if options.open_outputs { p.stages - 1 } else { p.stages };
    let last = p.last_reads_before(g, output_stage);
    let mut ports = Vec::new();
    if !options.combinational {
        ports.push("  input  wire clk".to_string());
    }
    if runs.is_some() {
        ports.push("  input  wire start".to_string());
    }
    if options.valid {
        ports.push("  input  wire in_valid".to_string());
        ports.push("  output wire out_valid".to_string());
    }
    let mut body = String::new();
    let mut regs = String::new();
    for (i, n) in g.nodes.iter().enumerate() {
        let Op::Input(k) = n.op else { continue };
        let w = n.width().max(1);
        let port = e.port_bits[k];
        ports.push(format!("  input  wire [{}:0] x{k}", port - 1));
        if options.combinational {
            let _ = writeln!(
                body,
                "  wire [{}:0] in{k} = {};  // {}",
                w - 1,
                slice(&format!("x{k}"), 0, w, port),
                range_note(n)
            );
        } else if runs.as_ref().is_none_or(|r| r.registered[i]) {
            let _ = writeln!(body, "  reg  [{}:0] in{k};  // {}", w - 1, range_note(n));
            let _ = writeln!(regs, "    in{k} <= {};", slice(&format!("x{k}"), 0, w, port));
        }
    }
    for (j, o) in g.outputs.iter().enumerate() {
        let w = o.term.map_or(1, |t| g.node(t.node).width().max(1));
        ports.push(format!("  output wire [{}:0] y{j}", w - 1));
    }
    for stage in 0..p.stages {
        if !options.combinational {
            let _ = writeln!(body, "\n  // ---- stage {stage}");
        }
        for (i, n) in g.nodes.iter().enumerate() {
            if p.stage[i] != stage || matches!(n.op, Op::Input(_) | Op::Shr { .. }) {
                continue;
            }
            let w = n.width().max(1);
            let name = &e.names[i];
            if n.range.lo == n.range.hi {
                let _ = writeln!(body, "  wire [{}:0] {name} = {};", w - 1, literal(w, n.range.lo));
                continue;
            }
            let _ = writeln!(body, "  {}wire [{}:0] {name};  // {}", keep(n), w - 1, range_note(n));
            match n.op {
                Op::Add { .. } => e.add(i, &mut body),
                Op::Digit { .. } => e.digit(i, &mut body),
                Op::Affine { .. } => e.affine(i, &mut body),
                Op::Quant { .. } => e.quant(i, &mut body),
                Op::AtLeast { .. } => e.at_least(i, &mut body),
                Op::Max { .. } => e.max(i, &mut body),
                Op::Table { .. } => e.table(i, &mut body),
                Op::Serial { .. } | Op::Accumulate { .. } => {
                    if let Some(runs) = &mut runs {
                        runs.register(&e, i, &mut body, &mut regs);
                    }
                }
                Op::Input(_) | Op::Const(_) | Op::Shr { .. } => {}
            }
        }
    }
    let mut declared = String::new();
    for (i, n) in g.nodes.iter().enumerate() {
        if matches!(n.op, Op::Shr { .. }) || options.combinational {
            continue;
        }
        let w = n.width().max(1);
        for s in p.stage[i] + 1..=last[i] {
            let from = if s == p.stage[i] + 1 { e.names[i].clone() } else { format!("{}_s{}", e.names[i], s - 1) };
            let _ = writeln!(declared, "  reg  [{}:0] {}_s{s};", w - 1, e.names[i]);
            let _ = writeln!(regs, "    {}_s{s} <= {from};", e.names[i]);
        }
    }
    let mut text = String::new();
    let _ = writeln!(
        text,
        "// {} inputs, {} outputs, {} stages, {} register bits. Widths: u8 is unsigned, s8 two's complement, 8 bits.",
        g.inputs,
        g.outputs.len(),
        p.stages,
        p.register_bits
    );
    if runs.is_some() {
        let _ = writeln!(
            text,
            "// Digits of {} cycles; `start` comes with the inputs; results for one cycle after {} rising edges.",
            g.phases(),
            output_stage + 1
        );
    } else if !options.combinational {
        let _ = writeln!(text, "// A new input vector every cycle; results after {} rising edges.", output_stage + 1);
    }
    if runs.is_some() {
        text.push_str("// verilator lint_off UNUSEDSIGNAL\n");
    }
    let _ = writeln!(text, "module {} (\n{}\n);", options.module, ports.join(",\n"));
    text.push_str("  // Sums keep the bits that only decide carries.\n  // verilator lint_off UNUSEDSIGNAL\n");
    if let Some(runs) = &runs {
        runs.declare(&mut text, &mut regs);
    }
    text.push_str(&declared);
    text.push_str(&body);
    for (j, o) in g.outputs.iter().enumerate() {
        let value = match o.term {
            Some(t) => {
                let stage = if options.combinational { p.stage[root(g, t.node).index()] } else { output_stage };
                let (name, base) = e.wire(t.node, stage);
                let w = g.node(t.node).width().max(1);
                slice(&name, base, base + w, g.node(root(g, t.node)).width().max(1))
            }
            None => "1'b0".into(),
        };
        let _ = writeln!(text, "  assign y{j} = {value};");
    }
    if options.valid {
        if options.combinational {
            text.push_str("  assign out_valid = in_valid;\n");
        } else {
            let n = output_stage + 1;
            let _ = writeln!(
                text,
                "  reg [{}:0] valid;\n  initial valid = 0;\n  assign out_valid = valid[{}];",
                n - 1,
                n - 1
            );
            let next = if n == 1 { "in_valid".to_string() } else { format!("{{valid[{}:0], in_valid}}", n - 2) };
            let _ = writeln!(regs, "    valid <= {next};");
        }
    }
    text.push_str("  // verilator lint_on UNUSEDSIGNAL\n");
    if !options.combinational {
        let _ = write!(text, "\n  always @(posedge clk) begin\n{regs}  end\n");
    }
    text.push_str("endmodule\n");
    if runs.is_some() {
        text.push_str("// verilator lint_on UNUSEDSIGNAL\n");
    }
    text
}
