//! The readable dump of the integer level: one line an operator, producers first.

use super::{IntNetwork, IntOp};
use crate::rat;
use std::fmt::Write;

/// One line an operator: `name: kind(inputs) -> shape type [lo, hi] real: scale, offset`.
pub(super) fn dump(net: &IntNetwork) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "integer network {:?}", net.name);
    for id in net.graph.topological().unwrap_or_else(|_| net.graph.ids()) {
        let node = net.graph.node(id);
        let inputs: Vec<String> =
            net.graph.inputs(id).iter().map(|i| format!("{:?}", net.graph.node(*i).name)).collect();
        let (lo, hi) = node.range.hull();
        let ty = node.ty();
        let per = |v: &[rat::Rat]| {
            if v.len() == 1 { format!("{}", rat::to_f64(&v[0])) } else { format!("per channel ({})", v.len()) }
        };
        let _ = writeln!(
            out,
            "  {:?}: {}({}) -> {:?} {}{} [{lo}, {hi}] real: scale {}, offset {}{}",
            node.name,
            node.op.kind(),
            inputs.join(", "),
            node.shape,
            if ty.signed { "int" } else { "uint" },
            ty.bits,
            per(&node.real.scale),
            per(&node.real.offset),
            detail(&node.op)
        );
    }
    for port in &net.outputs {
        let _ = writeln!(out, "  output {:?} = {:?}", port.name, net.graph.node(port.node).name);
    }
    out
}

/// What does not show in shape and range.
fn detail(op: &IntOp) -> String {
    match op {
        IntOp::Step(f) => {
            let chain: Vec<&str> = f.functions.iter().map(|f| f.kind()).collect();
            let q = &f.quantizer;
            format!(" {{[{}], {:?}, {:?}, {} channel(s)}}", chain.join(", "), q.rounding, q.overflow, f.channels())
        }
        IntOp::Conv(c) => format!(" {{{:?}, groups {}}}", c.window, c.groups),
        IntOp::Pool { window, .. } => format!(" {{{window:?}}}"),
        _ => String::new(),
    }
}
