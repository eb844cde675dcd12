//! Where the registers of a program are.

use super::graph::{Graph, NodeId, Op};
use serde::{Deserialize, Serialize};

/// A register placement. Inputs are registered before stage 0, outputs after the last stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipeline {
    /// The stage that computes each node.
    pub stage: Vec<u32>,
    /// Number of stages; a result appears `stages + 1` clock edges after its input was presented.
    pub stages: u32,
    /// Register bits, input and output registers included.
    pub register_bits: u64,
}

/// The node whose wire a node's value is cut from: slices are only wires.
pub fn root(g: &Graph, mut id: NodeId) -> NodeId {
    while let Op::Shr { src, .. } = g.node(id).op {
        id = src;
    }
    id
}

impl Pipeline {
    /// Stage after which the last register of each node's wire sits: the latest stage that reads it (`stages` for
    /// an output), per root node.
    pub fn last_reads(&self, g: &Graph) -> Vec<u32> {
        self.last_reads_before(g, self.stages)
    }

    /// As [`Pipeline::last_reads`], with the outputs read in stage `output`.
    pub fn last_reads_before(&self, g: &Graph, output: u32) -> Vec<u32> {
        let mut last = self.stage.clone();
        for i in 0..g.nodes.len() {
            if matches!(g.nodes[i].op, Op::Shr { .. }) {
                continue;
            }
            for o in g.operands(NodeId(i as u32)) {
                let r = root(g, o).index();
                last[r] = last[r].max(self.stage[i]);
            }
        }
        for t in g.outputs.iter().filter_map(|o| o.term) {
            let r = root(g, t.node).index();
            last[r] = last[r].max(output);
        }
        last
    }

    /// Every node has a stage, none before those of its operands.
    ///
    /// # Errors
    /// The broken invariant.
    pub fn verify(&self, g: &Graph) -> Result<(), &'static str> {
        if self.stage.len() != g.nodes.len() || self.stages == 0 {
            return Err("the program has nodes without a stage");
        }
        let late = |i: usize| g.operands(NodeId(i as u32)).any(|o| self.stage[o.index()] > self.stage[i]);
        if (0..g.nodes.len()).any(|i| self.stage[i] >= self.stages || late(i)) {
            return Err("a node of the program is computed before its operands");
        }
        Ok(())
    }
}
