//! The integer level: the network as exact integer arithmetic. This is what every backend computes.
//!
//! * A node's result is a flat vector of integers, row-major over [`IntNode::shape`]. Reshapes do not exist here.
//! * [`IntNode::real`] says what the integers stand for: element `i` is `scale[i % P] * q + offset[i % P]`.
//! * [`IntNode::range`] holds the exact interval of every element, per channel: nothing can leave it, so no accumulator can
//!   overflow. All intermediate sums stay below 2^62 in magnitude.
//! * [`golden`] executes the network; its results define correctness. It never sees folding or any backend's choice.

pub mod approx;
pub mod file;
pub mod golden;
mod infer;
mod ops;
pub mod step;
mod text;

pub use ops::*;
pub use step::StepFn;

use crate::diag::{Diag, Diags};
use crate::graph::{Graph, Named, NodeId};
use crate::net::{Affine, Shape, UnaryFn};
use crate::quant::IntType;

/// Largest magnitude of any value or partial sum.
pub const LIMIT: i64 = 1 << 62;

/// Inclusive intervals per channel: element `i` lies in entry `i % P`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range(pub Vec<(i64, i64)>);

impl Range {
    /// One interval for all elements.
    pub fn uniform(lo: i64, hi: i64) -> Range {
        Range(vec![(lo, hi)])
    }

    /// Interval of element `i`.
    pub fn of(&self, i: usize) -> (i64, i64) {
        self.0[i % self.0.len()]
    }

    /// The interval that holds all elements.
    pub fn hull(&self) -> (i64, i64) {
        let lo = self.0.iter().map(|r| r.0).min().unwrap_or(0);
        let hi = self.0.iter().map(|r| r.1).max().unwrap_or(0);
        (lo, hi)
    }

    /// The narrowest type that holds all elements.
    pub fn ty(&self) -> IntType {
        let (lo, hi) = self.hull();
        IntType::containing(lo, hi)
    }

    /// The same intervals with the shortest period.
    #[must_use]
    pub fn compact(self) -> Range {
        Range(compact(self.0))
    }
}

/// The shortest vector that repeats to `v`.
pub fn compact<T: PartialEq>(mut v: Vec<T>) -> Vec<T> {
    let n = v.len();
    for p in 1..=n / 2 {
        if n.is_multiple_of(p) && (p..n).all(|i| v[i] == v[i - p]) {
            v.truncate(p);
            break;
        }
    }
    v
}

/// One integer operator with its result.
#[derive(Debug, Clone)]
pub struct IntNode {
    /// Unique name.
    pub name: String,
    /// The layer of the network that it came from, for configuration and reports.
    pub layer: String,
    /// The operator.
    pub op: IntOp,
    /// Shape of the result.
    pub shape: Shape,
    /// Exact interval of every element.
    pub range: Range,
    /// What the integers stand for.
    pub real: Affine,
}

impl Named for IntNode {
    fn name(&self) -> &str {
        &self.name
    }
}

impl IntNode {
    /// Number of elements.
    pub fn elements(&self) -> usize {
        crate::net::elements(&self.shape)
    }

    /// Element type.
    pub fn ty(&self) -> IntType {
        self.range.ty()
    }
}

/// An input of the network: how the user's real values become integers.
#[derive(Debug, Clone)]
pub struct InputPort {
    /// Name in the file.
    pub name: String,
    /// The [`IntOp::Input`] node.
    pub node: NodeId,
    /// Shape of one sample in the user's arrays.
    pub shape: Shape,
    /// Element `i` of the node is element `order[i]` of the user's sample; empty: the same order.
    pub order: Vec<u32>,
    /// Applied to the user's value of node element `i` (channel `i % P`), the last of them a quantizer.
    pub encoder: Vec<UnaryFn>,
}

/// An output of the network.
#[derive(Debug, Clone)]
pub struct OutputPort {
    /// Name in the file.
    pub name: String,
    /// The node that produces it.
    pub node: NodeId,
    /// Shape of one sample in the user's arrays.
    pub shape: Shape,
    /// Element `i` of the user's sample is element `order[i]` of the node; empty: the same order.
    pub order: Vec<u32>,
    /// Real value of node element `i`: `scale[i % P] * q + offset[i % P]`.
    pub real: Affine,
}

/// A network at the integer level.
#[derive(Debug, Clone, Default)]
pub struct IntNetwork {
    /// Name of the model.
    pub name: String,
    /// The operators.
    pub graph: Graph<IntNode>,
    /// Inputs in the file's order.
    pub inputs: Vec<InputPort>,
    /// Outputs in the file's order.
    pub outputs: Vec<OutputPort>,
}

impl IntNetwork {
    /// Adds an operator; its shape and exact range follow from its inputs. An error names the node, for example when an
    /// accumulator would need more than 62 bits.
    pub fn add(&mut self, name: &str, layer: &str, op: IntOp, inputs: &[NodeId], real: Affine) -> Result<NodeId, Diag> {
        let name = self.graph.fresh_name(name);
        let nodes: Vec<&IntNode> = inputs.iter().map(|i| self.graph.node(*i)).collect();
        let (shape, range) = infer::infer(&name, &op, &nodes)?;
        self.graph.add(IntNode { name, layer: layer.to_string(), op, shape, range, real }, inputs)
    }

    /// Adds an input node with the given shape and element type.
    pub fn add_input(&mut self, name: &str, shape: Shape, ty: IntType, real: Affine) -> Result<NodeId, Diag> {
        let name = self.graph.fresh_name(name);
        let range = Range::uniform(ty.min(), ty.max());
        self.graph.add(IntNode { layer: name.clone(), name, op: IntOp::Input, shape, range, real }, &[])
    }

    /// Checks that every node's shape and range are what its inputs imply, and that ports exist.
    pub fn verify(&self) -> Result<(), Diags> {
        let mut diags = Diags::new();
        for id in self.graph.topological().map_err(Diags::from)? {
            let node = self.graph.node(id);
            if matches!(node.op, IntOp::Input) {
                continue;
            }
            let inputs = self.graph.inputs(id);
            let nodes: Vec<&IntNode> = inputs.iter().map(|i| self.graph.node(*i)).collect();
            match infer::infer(&node.name, &node.op, &nodes) {
                Ok((shape, range)) if shape == node.shape && range == node.range => {}
                Ok(_) => {
                    diags.push(Diag::internal(&node.name, "stored shape or range differs from what the inputs imply"))
                }
                Err(d) => diags.push(d),
            }
        }
        for port in &self.outputs {
            if !port.order.is_empty() && port.order.len() != self.graph.node(port.node).elements() {
                diags.push(Diag::internal(&port.name, "output order has the wrong length"));
            }
        }
        diags.into_result(())
    }

    /// Makes every node's shape and range what its inputs imply, after operators were changed in place.
    ///
    /// # Errors
    /// As [`IntNetwork::add`].
    pub fn infer(&mut self) -> Result<(), Diags> {
        for id in self.graph.topological().map_err(Diags::from)? {
            let node = self.graph.node(id);
            if matches!(node.op, IntOp::Input) {
                continue;
            }
            let nodes: Vec<&IntNode> = self.graph.inputs(id).iter().map(|i| self.graph.node(*i)).collect();
            let (shape, range) = infer::infer(&node.name, &node.op, &nodes)?;
            let node = self.graph.node_mut(id);
            (node.shape, node.range) = (shape, range);
        }
        Ok(())
    }

    /// A readable dump: one line an operator.
    pub fn dump(&self) -> String {
        text::dump(self)
    }
}
