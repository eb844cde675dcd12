//! Programs of single layers, to be offered beside the layers' foldings.

use super::{Granularity, Unrolled, Unrolling, compile, effort, region};
use crate::pipeline::Prepared;
use netfold_ir::diag::{Code, Diag};
use netfold_ir::graph::NodeId;
use netfold_ir::int::{IntNetwork, IntOp};
use std::collections::HashSet;
use std::sync::Arc;

/// Most signed digits of the weights of a layer that is offered, and of all of them: some seconds of solving.
const MOST_OF_LAYER: u64 = 12_000;
const MOST_OF_ALL: u64 = 40_000;

/// A layer as a program.
#[derive(Debug, Clone)]
pub struct LayerProgram {
    /// The layer's operator with weights.
    pub layer: NodeId,
    /// The interval that was asked for, in cycles a beat.
    pub interval: u32,
    /// The layer with the functions behind it.
    pub unrolled: Arc<Unrolled>,
}

impl Unrolled {
    /// Whether the program computes a chain: one tensor in, each operator the only reader of the one before, one tensor out.
    pub fn is_chain(&self, net: &IntNetwork) -> bool {
        let nodes = &self.region.nodes;
        let only = |w: &[NodeId]| net.graph.inputs(w[1]) == [w[0]] && net.graph.consumers(w[0]).len() == 1;
        self.region.inputs.len() == 1
            && nodes.first().is_some_and(|n| net.graph.inputs(*n).len() == 1)
            && nodes.windows(2).all(only)
            && self.region.outputs.iter().eq(nodes.last())
    }
}

/// Programs of the layers that `may` be unrolled and are small enough to be solved one by one, each with the step functions and linear
/// functions that only follow it, at every one of the intervals (ascending) at which a frame takes at most `cycles` cycles. Layers that no
/// program can compute at this clock are left out.
///
/// # Errors
/// Internal errors.
pub fn layers(
    prepared: &Prepared,
    granularity: Granularity,
    unrolling: &Unrolling,
    (intervals, cycles): (&[u32], u64),
    may: impl Fn(NodeId) -> bool,
) -> Result<Vec<LayerProgram>, Diag> {
    let (net, realizations) = (&prepared.int, &prepared.realizations);
    let order = net.graph.topological()?;
    let mut offered = Vec::new();
    let mut total = 0;
    for (layer, digits) in effort(net, granularity, may).into_iter().rev() {
        total += digits;
        if digits > MOST_OF_LAYER || total > MOST_OF_ALL {
            break;
        }
        let own = chain(net, layer);
        let mut regions = region::find(net, realizations, &order, granularity, |id| own.contains(&id));
        let Some(region) = regions.pop().filter(|r| regions.is_empty() && r.nodes.first() == Some(&layer)) else {
            continue;
        };
        let mut known = 0;
        for &interval in intervals.iter().filter(|n| u64::from(**n) * region.beats as u64 <= cycles) {
            let mut unrolling = *unrolling;
            unrolling.options.interval = interval;
            let unrolled = match compile(net, realizations, region.clone(), &unrolling) {
                Ok(u) => Arc::new(u),
                Err(d) if matches!(d.code, Code::Unsupported | Code::DoesNotFit) => break,
                Err(d) => return Err(d),
            };
            // Words of too few digits give the program of a shorter interval.
            if unrolled.program.interval > known && unrolled.is_chain(net) {
                known = unrolled.program.interval;
                offered.push(LayerProgram { layer, interval, unrolled });
            }
        }
    }
    Ok(offered)
}

/// A layer and the functions of one tensor behind it.
fn chain(net: &IntNetwork, layer: NodeId) -> HashSet<NodeId> {
    let mut own = HashSet::from([layer]);
    let mut at = layer;
    while !net.outputs.iter().any(|p| p.node == at)
        && let [(next, _)] = net.graph.consumers(at)[..]
        && matches!(net.graph.node(next).op, IntOp::Step(_) | IntOp::LinComb { .. })
        && net.graph.inputs(next).len() == 1
    {
        own.insert(next);
        at = next;
    }
    own
}
