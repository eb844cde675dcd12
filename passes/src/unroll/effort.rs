//! How much work a program is for the solver, before it begins.

use super::Granularity;
use netfold_ir::graph::NodeId;
use netfold_ir::hw::program::csd_digits;
use netfold_ir::int::{IntNetwork, IntOp};

/// Digits beyond which programs are refused: more than some minutes of solving, and more logic than any device has.
pub const MOST_DIGITS: u64 = 1_000_000;

/// Work of the solver for the `wanted` layers: non-zero signed digits of their weights, in all that is solved or placed apart. Layers
/// with the most of it come first.
pub fn effort(net: &IntNetwork, granularity: Granularity, wanted: impl Fn(NodeId) -> bool) -> Vec<(NodeId, u64)> {
    let mut layers: Vec<(NodeId, u64)> = Vec::new();
    for id in net.graph.ids().into_iter().filter(|id| wanted(*id)) {
        let node = net.graph.node(id);
        let weights = match &node.op {
            IntOp::Dense(w) => w,
            IntOp::Conv(c) => &c.weights,
            _ => continue,
        };
        let digits: u64 = weights.data.iter().map(|w| csd_digits(*w).len() as u64).sum();
        let positions = match granularity {
            Granularity::Frame => (node.elements() / weights.rows.max(1)) as u64,
            Granularity::Pixel => 1,
        };
        // Copies of a solved position are only placed.
        layers.push((id, digits + digits.saturating_mul(positions.saturating_sub(1)) / 8));
    }
    layers.sort_by_key(|(id, digits)| (std::cmp::Reverse(*digits), *id));
    layers
}
