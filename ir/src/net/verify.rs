//! The verifier of the network level. Invariants:
//!
//! 1. The graph is acyclic, and every node's inputs fill ports `0..n` exactly once.
//! 2. Every node's stored shape equals what its operator infers from its inputs' shapes; no axis is zero.
//! 3. Inputs of the network are [`Op::Input`] nodes and every such node is listed once; outputs exist.
//! 4. Weights, biases and parameters are finite.
//! 5. Quantized weights are whole multiples of their scale.

use super::{Network, Op};
use crate::diag::{Code, Diag, Diags};

/// Checks the invariants of the module doc.
pub(super) fn verify(net: &Network) -> Result<(), Diags> {
    let mut diags = Diags::new();
    let order = net.graph.topological().map_err(Diags::from)?;
    for id in order {
        let node = net.graph.node(id);
        let inputs = net.graph.inputs(id);
        let shapes: Vec<&[usize]> = inputs.iter().map(|i| net.shape(*i)).collect();
        match node.op.infer(&node.name, &shapes) {
            Ok(shape) if shape == node.shape => {}
            Ok(shape) => diags.push(Diag::internal(
                &node.name,
                format!("stored shape {:?} differs from inferred {shape:?}", node.shape),
            )),
            Err(d) => diags.push(d),
        }
        if node.shape.contains(&0) {
            diags.push(Diag::new(Code::Invalid, &node.name, format!("empty tensor {:?}", node.shape)));
        }
        let (weights, bias) = match &node.op {
            Op::Dense(d) => (&d.weights, &d.bias),
            Op::Conv(c) => (&c.weights, &c.bias),
            _ => continue,
        };
        if !weights.values.iter().chain(bias).all(|v| v.is_finite()) {
            diags.push(Diag::new(Code::Invalid, &node.name, "weights or bias hold infinities or NaN"));
        }
        if let Some(scale) = &weights.scale {
            let outputs = node.shape.last().copied().unwrap_or(1);
            if scale.len() != 1 && scale.len() != outputs {
                diags.push(Diag::internal(&node.name, format!("{} weight scales for {outputs} outputs", scale.len())));
                continue;
            }
            let per = weights.values.len() / outputs.max(1);
            let off_grid = weights.values.iter().enumerate().any(|(i, v)| {
                let s = scale[(i / per.max(1)) % scale.len()];
                (v / s).fract() != 0.0
            });
            if off_grid {
                diags.push(Diag::internal(&node.name, "quantized weights are not multiples of their scale"));
            }
        }
    }
    for port in &net.inputs {
        if !matches!(net.graph.node(port.node).op, Op::Input(_)) {
            diags.push(Diag::internal(&port.name, "network input is not an input node"));
        }
    }
    if net.outputs.is_empty() {
        diags.push(Diag::new(Code::Invalid, &net.name, "the network has no outputs"));
    }
    diags.into_result(())
}
