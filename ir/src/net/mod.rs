//! The network level: what the file means, in exact real arithmetic.
//!
//! * The batch dimension is gone: a tensor's shape is that of one sample, row-major.
//! * Layout is channels last: images are `[H, W, C]`, sequences `[1, W, C]` inside convolutions and pools, vectors `[C]`.
//!   The front end inserts [`Op::Transpose`] and [`Op::Reshape`] where the file says otherwise; passes remove them.
//! * A per-channel parameter vector of length `P` applies to the element at flat index `i` with entry `i % P`; `P` is 1, the
//!   last dimension, or any multiple of it that divides the number of elements.
//! * Every node has exactly one result. Constants live inside operators.
//!
//! [`Network::verify`] states and checks the invariants.

pub mod eval;
mod ops;
mod text;
mod verify;

pub use ops::*;

use crate::diag::{Diag, Diags};
use crate::graph::{Graph, Named, NodeId};

/// Shape of one sample, row-major, no batch dimension; `[]` is a scalar.
pub type Shape = Vec<usize>;

/// Number of elements of a shape.
pub fn elements(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// One operator with its result's shape.
#[derive(Debug, Clone)]
pub struct Node {
    /// Unique name: the file's node name where it has one.
    pub name: String,
    /// The operator.
    pub op: Op,
    /// Shape of the result.
    pub shape: Shape,
}

impl Named for Node {
    fn name(&self) -> &str {
        &self.name
    }
}

/// How a tensor of the file maps to a tensor of the network: name, and its shape in the file without the batch dimension.
#[derive(Debug, Clone, PartialEq)]
pub struct Port {
    /// Name in the file.
    pub name: String,
    /// The node that produces it (an [`Op::Input`] for inputs).
    pub node: NodeId,
    /// Shape in the file, batch removed; the user's arrays have `[batch, shape...]` (or just `shape` when `batched` is false).
    pub shape: Shape,
    /// `order[i]` is the file's axis that is axis `i` of the node's tensor, after size-1 axes were dropped or added freely:
    /// element order only. Empty means the same row-major order.
    pub order: Vec<usize>,
}

/// A network at the real level.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// Name of the model (file stem or graph name).
    pub name: String,
    /// The operators.
    pub graph: Graph<Node>,
    /// Inputs in the file's order.
    pub inputs: Vec<Port>,
    /// Outputs in the file's order.
    pub outputs: Vec<Port>,
    /// Where layer names in configuration files point when they differ from node names: (alias, node name). Tensor names of the
    /// file are aliases of the node that makes them.
    pub aliases: Vec<(String, String)>,
}

impl Network {
    /// Adds an operator, inferring its result's shape from the inputs; the error names the node.
    pub fn add(&mut self, name: &str, op: Op, inputs: &[NodeId]) -> Result<NodeId, Diag> {
        let name = self.graph.fresh_name(name);
        let shapes: Vec<&[usize]> = inputs.iter().map(|i| self.graph.node(*i).shape.as_slice()).collect();
        let shape = op.infer(&name, &shapes)?;
        self.graph.add(Node { name, op, shape }, inputs)
    }

    /// Shape of a node's result.
    pub fn shape(&self, id: NodeId) -> &[usize] {
        &self.graph.node(id).shape
    }

    /// Puts a new single-input operator behind `id`: all consumers and outputs of `id` read the new node.
    pub fn insert_after(&mut self, id: NodeId, name: &str, op: Op) -> Result<NodeId, Diag> {
        let new = self.add(name, op, &[id])?;
        self.graph.replace_uses(id, new);
        for port in &mut self.outputs {
            if port.node == id {
                port.node = new;
            }
        }
        Ok(new)
    }

    /// Makes all consumers and outputs of `id` read `by` and removes `id`.
    pub fn bypass(&mut self, id: NodeId, by: NodeId) {
        self.graph.replace_uses(id, by);
        for port in &mut self.outputs {
            if port.node == id {
                port.node = by;
            }
        }
        self.graph.remove(id);
    }

    /// Checks every invariant; all violations are returned.
    pub fn verify(&self) -> Result<(), Diags> {
        verify::verify(self)
    }

    /// A readable dump: one line an operator.
    pub fn dump(&self) -> String {
        text::dump(self)
    }
}
