//! The readable dump of the network level: one line an operator, producers first.

use super::{Network, Op, UnaryFn};
use std::fmt::Write;

/// One line an operator: `name: kind(inputs) -> shape {attributes}`.
pub(super) fn dump(net: &Network) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "network {:?}", net.name);
    let order = net.graph.topological().unwrap_or_else(|_| net.graph.ids());
    for id in order {
        let node = net.graph.node(id);
        let inputs: Vec<String> =
            net.graph.inputs(id).iter().map(|i| format!("{:?}", net.graph.node(*i).name)).collect();
        let _ = writeln!(
            out,
            "  {:?}: {}({}) -> {:?}{}",
            node.name,
            node.op.kind(),
            inputs.join(", "),
            node.shape,
            attributes(&node.op)
        );
    }
    for port in &net.outputs {
        let _ = writeln!(out, "  output {:?} = {:?}", port.name, net.graph.node(port.node).name);
    }
    out
}

/// Attributes that fit a line; weights only by their number.
fn attributes(op: &Op) -> String {
    match op {
        Op::Dense(d) => format!(" {{weights: {}x{}, quantized: {}}}", d.outputs, d.inputs, d.weights.scale.is_some()),
        Op::Conv(c) => format!(" {{{:?}, groups: {}, quantized: {}}}", c.window, c.groups, c.weights.scale.is_some()),
        Op::Pool(p) => format!(" {{{:?}}}", p.window),
        Op::Unary(UnaryFn::Quant(q)) => format!(
            " {{{}{} bits, scale {}, {:?}, {:?}{}}}",
            if q.ty.signed { "signed " } else { "unsigned " },
            q.ty.bits,
            if q.scale.len() == 1 { q.scale[0].to_string() } else { format!("per channel ({})", q.scale.len()) },
            q.rounding,
            q.overflow,
            if q.ty.narrow { ", narrow" } else { "" }
        ),
        Op::Unary(UnaryFn::Affine(a)) => format!(" {{{} channel(s)}}", a.channels()),
        Op::Slice(s) => format!(" {{axis {}, {}..+{}, step {}}}", s.axis, s.start, s.count, s.step),
        Op::Transpose(p) => format!(" {{{p:?}}}"),
        Op::Concat(c) => format!(" {{axis {}}}", c.axis),
        Op::Pad(p) => format!(" {{{:?}, value {}}}", p.pads, p.value),
        Op::Upsample(u) => format!(" {{{:?}}}", u.factors),
        Op::Sum(s) => format!(" {{negate {:?}}}", s.negate),
        Op::Input(_)
        | Op::Unary(_)
        | Op::Mul
        | Op::GlobalPool(_)
        | Op::Softmax(_)
        | Op::ArgMax(_)
        | Op::ReduceMax
        | Op::Reshape(_) => String::new(),
    }
}
