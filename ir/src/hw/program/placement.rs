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

/// Stages between the one in which a node's operands are read and its own: an accumulation's result is there after its last phase,
/// and digits come out of a register.
pub fn lag(op: &Op) -> u32 {
    match op {
        Op::Serial { .. } => 1,
        Op::Accumulate { count, .. } => *count,
        _ => 0,
    }
}

impl Pipeline {
    /// The stage in which a node's operands are read; `None`: before stage 0, straight from the inputs.
    pub fn read_stage(&self, g: &Graph, id: NodeId) -> Option<u32> {
        self.stage[id.index()].checked_sub(lag(&g.node(id).op))
    }

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
            let id = NodeId(i as u32);
            let Some(read) = self.read_stage(g, id) else { continue };
            for o in g.operands(id) {
                let r = root(g, o).index();
                last[r] = last[r].max(read);
            }
        }
        for t in g.outputs.iter().filter_map(|o| o.term) {
            let r = root(g, t.node).index();
            last[r] = last[r].max(output);
        }
        last
    }

    /// Every node has a stage, none reads its operands before theirs; only inputs are read before stage 0.
    ///
    /// # Errors
    /// The broken invariant.
    pub fn verify(&self, g: &Graph) -> Result<(), &'static str> {
        if self.stage.len() != g.nodes.len() || self.stages == 0 {
            return Err("the program has nodes without a stage");
        }
        let late = |i: usize| {
            let id = NodeId(i as u32);
            let read = self.read_stage(g, id);
            g.operands(id).any(|o| match read {
                Some(read) => self.stage[o.index()] > read,
                None => {
                    !matches!(g.node(root(g, o)).op, Op::Input(_)) || matches!(g.node(id).op, Op::Accumulate { .. })
                }
            })
        };
        if (0..g.nodes.len()).any(|i| self.stage[i] >= self.stages || late(i)) {
            return Err("a node of the program is computed before its operands");
        }
        Ok(())
    }
}
