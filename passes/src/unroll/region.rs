//! Which operators become one program.
//!
//! A region is a connected set of operators that all work beat by beat, with the same number of beats a frame, and that no path
//! leaves and enters again: every operator gets the number of borders on the longest path to it, where an operator that cannot be
//! part of a program, another number of beats, or a window unit is a border; regions are the connected sets of equal numbers.

use super::elements::channel_range;
use super::step::form;
use crate::lower::Realizations;
use netfold_ir::graph::NodeId;
use netfold_ir::int::{IntConv, IntNetwork, IntOp};
use std::collections::HashMap;

/// Largest magnitude of an element of a program.
const LARGEST: i64 = 1 << 44;
/// Most inputs and outputs of a program.
const MOST_PORTS: usize = 64;

/// An input of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// The tensor of a node outside of it.
    Tensor(NodeId),
    /// The windows of a convolution inside of it, one a beat.
    Windows(NodeId),
}

/// Operators that become one program.
#[derive(Debug, Clone)]
pub(crate) struct Region {
    /// In the order of the data flow.
    pub nodes: Vec<NodeId>,
    /// Beats a frame.
    pub beats: usize,
    /// What comes in, in the order of the program's inputs.
    pub inputs: Vec<Source>,
    /// Nodes whose results leave, in the order of the program's outputs.
    pub outputs: Vec<NodeId>,
}

/// How much of a tensor a beat holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granularity {
    /// The whole tensor: a frame every cycle.
    Frame,
    /// One pixel of an image, a whole vector.
    Pixel,
}

/// Beats a frame of a node in a program; `None` when it cannot be part of one.
fn beats(net: &IntNetwork, realizations: &Realizations, id: NodeId, granularity: Granularity) -> Option<usize> {
    let node = net.graph.node(id);
    let pixels = match (granularity, node.shape.as_slice()) {
        (Granularity::Frame, _) => 1,
        (Granularity::Pixel, shape) => shape.iter().rev().skip(1).product(),
    };
    let n = node.elements() / pixels;
    let inputs: Vec<_> = net.graph.inputs(id);
    let repeats = |period: usize| n.is_multiple_of(period);
    let aligned = inputs.iter().all(|i| net.graph.node(*i).elements().is_multiple_of(pixels));
    let (lo, hi) = node.range.hull();
    if lo < -LARGEST || hi > LARGEST || inputs.len() > MOST_PORTS {
        return None;
    }
    let whole = pixels == 1;
    let possible = match &node.op {
        IntOp::Input | IntOp::Mul | IntOp::VectorReduce { .. } | IntOp::ArgMax { .. } | IntOp::Broadcast { .. } => {
            false
        }
        IntOp::Dense(w) => aligned && (whole || n == w.rows),
        IntOp::Conv(_) => true,
        IntOp::Step(_) => {
            let from = net.graph.node(inputs[0]);
            let known = |i: usize| if whole { from.range.of(i) } else { channel_range(&from.range, i, n) };
            let realized = realizations.get(&id)?;
            aligned
                && (whole || repeats(realized.function.period()) && repeats(realized.shift_input.len().max(1)))
                && (0..n).all(|i| form(realized, i, known(i)).is_some())
        }
        IntOp::LinComb { coefficients, constant } => {
            aligned && (whole || coefficients.iter().map(Vec::len).chain([constant.len()]).all(repeats))
        }
        IntOp::Concat { axis, .. } => aligned && (whole || axis + 1 == node.shape.len()),
        IntOp::Slice { outer, inner, .. } => aligned && (whole || *outer == pixels && *inner == 1),
        IntOp::Pool { .. }
        | IntOp::GlobalReduce { .. }
        | IntOp::Permute { .. }
        | IntOp::Pad { .. }
        | IntOp::Upsample { .. } => granularity == Granularity::Frame,
    };
    possible.then_some(pixels)
}

/// Whether a convolution reads one pixel for one pixel.
fn is_pointwise(c: &IntConv) -> bool {
    c.window.kernel == [1, 1] && c.window.stride == [1, 1] && c.window.pads == [0; 4]
}

/// Whether a node of a region reads windows made by a window unit.
pub(crate) fn reads_windows(net: &IntNetwork, id: NodeId, beats: usize, granularity: Granularity) -> bool {
    match &net.graph.node(id).op {
        IntOp::Conv(c) => granularity == Granularity::Pixel && !(is_pointwise(c) && beats > 1),
        _ => false,
    }
}

/// The regions of the nodes that are `wanted`, in the order of the data flow.
pub(crate) fn find(
    net: &IntNetwork,
    realizations: &Realizations,
    order: &[NodeId],
    granularity: Granularity,
    wanted: impl Fn(NodeId) -> bool,
) -> Vec<Region> {
    let bound = net.graph.index_bound();
    let mut own = vec![None; bound];
    for &id in order.iter().filter(|id| wanted(**id)) {
        own[id.index()] = beats(net, realizations, id, granularity);
    }
    let windows = |id: NodeId| own[id.index()].is_some_and(|b| reads_windows(net, id, b, granularity));
    let joined =
        |from: NodeId, to: NodeId| own[from.index()].is_some() && own[from.index()] == own[to.index()] && !windows(to);
    let mut depth = vec![0usize; bound];
    let mut root: Vec<usize> = (0..bound).collect();
    fn find_root(root: &mut [usize], mut i: usize) -> usize {
        while root[i] != i {
            root[i] = root[root[i]];
            i = root[i];
        }
        i
    }
    for &id in order {
        let inside = own[id.index()].is_some();
        let border = |from: NodeId| usize::from(inside && !joined(from, id));
        let inputs = net.graph.inputs(id);
        depth[id.index()] = inputs.iter().map(|f| depth[f.index()] + border(*f)).max().unwrap_or(0);
        for from in inputs {
            if joined(from, id) && depth[from.index()] == depth[id.index()] {
                let (a, b) = (find_root(&mut root, from.index()), find_root(&mut root, id.index()));
                root[b] = a;
            }
        }
    }
    let mut regions: Vec<Region> = Vec::new();
    let mut place: HashMap<usize, usize> = HashMap::new();
    for &id in order {
        let Some(beats) = own[id.index()] else { continue };
        let r = *place.entry(find_root(&mut root, id.index())).or_insert_with(|| {
            regions.push(Region { nodes: Vec::new(), beats, inputs: Vec::new(), outputs: Vec::new() });
            regions.len() - 1
        });
        regions[r].nodes.push(id);
    }
    for region in &mut regions {
        ports(net, region, &windows);
    }
    regions.retain(|r| {
        let computes = |id: &NodeId| {
            !matches!(
                net.graph.node(*id).op,
                IntOp::Concat { .. }
                    | IntOp::Slice { .. }
                    | IntOp::Permute { .. }
                    | IntOp::Pad { .. }
                    | IntOp::Upsample { .. }
            )
        };
        r.nodes.iter().any(computes) && r.inputs.len() <= MOST_PORTS && r.outputs.len() <= MOST_PORTS
    });
    regions
}

/// What enters and leaves a region.
fn ports(net: &IntNetwork, region: &mut Region, windows: &dyn Fn(NodeId) -> bool) {
    for &id in &region.nodes {
        for from in net.graph.inputs(id) {
            let source = if windows(id) { Source::Windows(id) } else { Source::Tensor(from) };
            let inside = !windows(id) && region.nodes.contains(&from);
            if !inside && !region.inputs.contains(&source) {
                region.inputs.push(source);
            }
        }
        let leaves = net.graph.consumers(id).iter().any(|(c, _)| !region.nodes.contains(c) || windows(*c));
        if leaves || net.outputs.iter().any(|p| p.node == id) {
            region.outputs.push(id);
        }
    }
}
