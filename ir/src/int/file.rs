//! The integer network as text (JSON or YAML through serde): what `netfold gen` stores beside a design so that it can be
//! simulated again without the model. Reading verifies everything.

use super::{InputPort, IntNetwork, IntNode, IntOp, OutputPort, Range};
use crate::diag::{Code, Diag, Diags};
use crate::graph::NodeId;
use crate::net::{Affine, UnaryFn};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Version of the form; other versions are refused.
pub const VERSION: u32 = 1;

/// A network as text.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkFile {
    version: u32,
    name: String,
    nodes: Vec<NodeFile>,
    inputs: Vec<InputFile>,
    outputs: Vec<OutputFile>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeFile {
    name: String,
    layer: String,
    op: IntOp,
    inputs: Vec<String>,
    shape: Vec<usize>,
    range: Vec<(i64, i64)>,
    real: Affine,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct InputFile {
    name: String,
    node: String,
    shape: Vec<usize>,
    order: Vec<u32>,
    encoder: Vec<UnaryFn>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutputFile {
    name: String,
    node: String,
    shape: Vec<usize>,
    order: Vec<u32>,
    real: Affine,
}

impl From<&IntNetwork> for NetworkFile {
    fn from(net: &IntNetwork) -> NetworkFile {
        let name = |id: NodeId| net.graph.node(id).name.clone();
        let order = net.graph.topological().unwrap_or_else(|_| net.graph.ids());
        let nodes = order.iter().map(|&id| {
            let n = net.graph.node(id);
            NodeFile {
                name: n.name.clone(),
                layer: n.layer.clone(),
                op: n.op.clone(),
                inputs: net.graph.inputs(id).into_iter().map(name).collect(),
                shape: n.shape.clone(),
                range: n.range.0.clone(),
                real: n.real.clone(),
            }
        });
        NetworkFile {
            version: VERSION,
            name: net.name.clone(),
            nodes: nodes.collect(),
            inputs: net
                .inputs
                .iter()
                .map(|p| InputFile {
                    name: p.name.clone(),
                    node: name(p.node),
                    shape: p.shape.clone(),
                    order: p.order.clone(),
                    encoder: p.encoder.clone(),
                })
                .collect(),
            outputs: net
                .outputs
                .iter()
                .map(|p| OutputFile {
                    name: p.name.clone(),
                    node: name(p.node),
                    shape: p.shape.clone(),
                    order: p.order.clone(),
                    real: p.real.clone(),
                })
                .collect(),
        }
    }
}

impl TryFrom<NetworkFile> for IntNetwork {
    type Error = Diags;

    fn try_from(file: NetworkFile) -> Result<IntNetwork, Diags> {
        let bad = |place: &str, cause: &str| Diags::from(Diag::new(Code::Format, place, cause.to_string()));
        if file.version != VERSION {
            return Err(bad(&file.name, "the stored network is of another version of netfold"));
        }
        let mut net = IntNetwork { name: file.name, ..IntNetwork::default() };
        for n in file.nodes {
            let inputs: Option<Vec<NodeId>> = n.inputs.iter().map(|i| net.graph.find(i)).collect();
            let inputs = inputs.ok_or_else(|| bad(&n.name, "an input is not defined before it"))?;
            if n.range.is_empty() || n.shape.is_empty() || !well_formed(&n.op, &n.shape) {
                return Err(bad(&n.name, "the operator is not well formed"));
            }
            if net.graph.find(&n.name).is_some() {
                return Err(bad(&n.name, "two operators of this name"));
            }
            let node =
                IntNode { name: n.name, layer: n.layer, op: n.op, shape: n.shape, range: Range(n.range), real: n.real };
            net.graph.add(node, &inputs)?;
        }
        let find = |name: &str| net.graph.find(name).ok_or_else(|| bad(name, "a port names an unknown operator"));
        let permutes = |order: &[u32], node: NodeId| {
            let n = net.graph.node(node).elements();
            order.is_empty() || order.len() == n && order.iter().all(|o| (*o as usize) < n)
        };
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for p in file.inputs {
            let node = find(&p.node)?;
            if !permutes(&p.order, node) || !matches!(p.encoder.last(), Some(UnaryFn::Quant(_))) {
                return Err(bad(&p.name, "the input port is not well formed"));
            }
            inputs.push(InputPort { name: p.name, node, shape: p.shape, order: p.order, encoder: p.encoder });
        }
        for p in file.outputs {
            let node = find(&p.node)?;
            if !permutes(&p.order, node) {
                return Err(bad(&p.name, "the output port is not well formed"));
            }
            outputs.push(OutputPort { name: p.name, node, shape: p.shape, order: p.order, real: p.real });
        }
        net.inputs = inputs;
        net.outputs = outputs;
        net.verify()?;
        Ok(net)
    }
}

/// Lengths that inference takes for granted.
fn well_formed(op: &IntOp, shape: &[usize]) -> bool {
    let matrix =
        |m: &Arc<crate::hw::Matrix>| m.rows > 0 && m.cols > 0 && Some(m.data.len()) == m.rows.checked_mul(m.cols);
    match op {
        IntOp::Dense(m) => matrix(m),
        IntOp::Conv(c) => {
            let [kh, kw] = c.window.kernel;
            let divides = |n: usize| c.groups > 0 && n.is_multiple_of(c.groups);
            matrix(&c.weights)
                && divides(c.input[2])
                && divides(c.weights.rows)
                && !c.pad.is_empty()
                && kh.checked_mul(kw).and_then(|t| t.checked_mul(c.input[2] / c.groups)) == Some(c.weights.cols)
        }
        IntOp::LinComb { coefficients, constant } => !constant.is_empty() && coefficients.iter().all(|c| !c.is_empty()),
        IntOp::Pool { pad, .. } => !pad.is_empty(),
        IntOp::Pad { value, .. } => !value.is_empty(),
        IntOp::Concat { axis, shapes } => shapes.iter().all(|s| *axis < s.len()) && !shapes.is_empty(),
        IntOp::Upsample { factors, .. } => !factors.contains(&0),
        IntOp::Permute { order, .. } => order.iter().all(|o| (*o as usize) < order.len()),
        IntOp::Slice { size, start, count, step, .. } => count
            .checked_sub(1)
            .and_then(|n| n.checked_mul(*step))
            .and_then(|n| n.checked_add(*start))
            .is_some_and(|l| l < *size),
        IntOp::Step(f) => {
            let quantizer = UnaryFn::Quant(f.quantizer.clone());
            let mut all = f.functions.iter().chain([&quantizer]);
            all.all(|f| f.infer("", shape).is_ok()) && UnaryFn::Affine(f.input.clone()).infer("", shape).is_ok()
        }
        IntOp::Input
        | IntOp::Mul
        | IntOp::GlobalReduce { .. }
        | IntOp::VectorReduce { .. }
        | IntOp::ArgMax { .. }
        | IntOp::Broadcast { .. } => true,
    }
}
