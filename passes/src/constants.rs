//! Constant channels leave the arithmetic of the integer network; shapes and the results of step functions stay as they are.
//!
//! A channel that is always the same value (a neuron that never fires, or always does) contributes a constant to the sums behind it:
//! its weights become zero and the constant moves into the step functions that follow. A sum whose step function gives the
//! same result for everything the sum can be need not be computed: its weights become zero too, where the function gives that
//! result for zero; what such a sum stood for is lost, its function's results are not. Both narrow the sums, so the network is gone
//! through until nothing changes.

use netfold_ir::diag::Diags;
use netfold_ir::graph::NodeId;
use netfold_ir::hw::Matrix;
use netfold_ir::int::{IntNetwork, IntNode, IntOp, Range, compact};
use netfold_ir::net::Affine;
use netfold_ir::rat;
use std::sync::Arc;

/// Removes constants.
///
/// # Errors
/// Internal errors only: sums become narrower, never wider.
pub fn run(net: &mut IntNetwork) -> Result<(), Diags> {
    loop {
        let mut changed = false;
        for id in net.graph.topological().map_err(Diags::from)? {
            changed |= inputs(net, id) | sums(net, id);
        }
        if !changed {
            return Ok(());
        }
        net.infer()?;
    }
}

/// The interval of channel `c` of `channels`, where the range repeats with them.
fn channel(range: &Range, c: usize, channels: usize) -> Option<(i64, i64)> {
    let period = range.0.len();
    channels.is_multiple_of(period).then(|| range.0[c % period])
}

fn weights(op: &IntOp) -> Option<&Arc<Matrix>> {
    match op {
        IntOp::Dense(w) => Some(w),
        IntOp::Conv(conv) => Some(&conv.weights),
        _ => None,
    }
}

/// The step functions behind a node, when there is nothing else.
fn steps(net: &IntNetwork, id: NodeId) -> Option<Vec<NodeId>> {
    if net.outputs.iter().any(|o| o.node == id) {
        return None;
    }
    let consumers: Vec<NodeId> = net.graph.consumers(id).into_iter().map(|(c, _)| c).collect();
    let all = !consumers.is_empty() && consumers.iter().all(|c| matches!(net.graph.node(*c).op, IntOp::Step(_)));
    all.then_some(consumers)
}

/// Input channel of column `c` in the row `r` of a product, and how many channels there are.
fn input_channel(op: &IntOp, r: usize, c: usize) -> (usize, usize) {
    match op {
        IntOp::Conv(conv) => {
            let group = conv.input[2] / conv.groups;
            let per_group = (conv.weights.rows / conv.groups).max(1);
            (r / per_group * group + c % group, conv.input[2])
        }
        IntOp::Dense(w) => (c, w.cols),
        _ => (c, usize::MAX),
    }
}

/// The value that every tap on input channel `c` has, padding included.
fn constant(op: &IntOp, x: &IntNode, c: usize, channels: usize) -> Option<i64> {
    let (lo, hi) = channel(&x.range, c, channels)?;
    let padded = match op {
        IntOp::Conv(conv) if conv.window.pads != [0; 4] => conv.pad[c % conv.pad.len()],
        _ => lo,
    };
    (lo == hi && padded == lo).then_some(lo)
}

/// Takes constant inputs out of a product.
fn inputs(net: &mut IntNetwork, id: NodeId) -> bool {
    let node = net.graph.node(id);
    let Some(w) = weights(&node.op) else { return false };
    let Some(&input) = net.graph.inputs(id).first() else { return false };
    let x = net.graph.node(input);
    let behind = steps(net, id);
    let has_own_offsets = |id: &NodeId| match &net.graph.node(*id).op {
        IntOp::Step(f) => f.channels() == w.rows,
        _ => false,
    };
    // A function that all channels share would need parameters a channel to take up constants.
    let takes_up = behind.as_ref().is_some_and(|b| w.rows == 1 || b.iter().all(has_own_offsets));
    let (mut data, mut added) = (w.data.clone(), vec![0i128; w.rows]);
    for (i, weight) in data.iter_mut().enumerate() {
        let (r, c) = (i / w.cols, i % w.cols);
        let (c, channels) = input_channel(&node.op, r, c);
        match constant(&node.op, x, c, channels) {
            Some(v) if *weight != 0 && (v == 0 || takes_up) => {
                added[r] += i128::from(*weight) * i128::from(v);
                *weight = 0;
            }
            _ => {}
        }
    }
    let Ok(added) = added.into_iter().map(i64::try_from).collect::<Result<Vec<i64>, _>>() else { return false };
    if data == w.data {
        return false;
    }
    replace(net, id, data);
    if added.iter().any(|a| *a != 0) {
        for step in behind.unwrap_or_default() {
            if let IntOp::Step(f) = &mut net.graph.node_mut(step).op {
                f.input = moved(&f.input, &added);
            }
        }
        let node = net.graph.node_mut(id);
        node.real = moved(&node.real, &added);
    }
    true
}

/// The same real values of integers that lack `added`.
fn moved(real: &Affine, added: &[i64]) -> Affine {
    let n = num_integer::lcm(real.channels(), added.len());
    let offset = (0..n).map(|c| real.offset_of(c) + real.scale_of(c) * rat::from_i64(added[c % added.len()]));
    Affine { scale: real.scale.clone(), offset: compact(offset.collect()) }
}

/// Clears the rows of a product whose step functions do not depend on them.
fn sums(net: &mut IntNetwork, id: NodeId) -> bool {
    let node = net.graph.node(id);
    let Some(w) = weights(&node.op) else { return false };
    let Some(behind) = steps(net, id) else { return false };
    let idle = |r: usize| {
        behind.iter().all(|step| {
            let step = net.graph.node(*step);
            let IntOp::Step(f) = &step.op else { return false };
            let fixed = channel(&step.range, r, w.rows).filter(|(lo, hi)| lo == hi);
            w.rows.is_multiple_of(f.channels()) && fixed.is_some_and(|(v, _)| f.eval(r, 0) == v)
        })
    };
    let mut data = w.data.clone();
    for r in 0..w.rows {
        let row = &mut data[r * w.cols..(r + 1) * w.cols];
        if row.iter().any(|v| *v != 0) && idle(r) {
            row.fill(0);
        }
    }
    let changed = data != w.data;
    if changed {
        replace(net, id, data);
    }
    changed
}

/// Gives a product other weights.
fn replace(net: &mut IntNetwork, id: NodeId, data: Vec<i64>) {
    if let IntOp::Dense(w) | IntOp::Conv(netfold_ir::int::IntConv { weights: w, .. }) = &mut net.graph.node_mut(id).op {
        *w = Arc::new(Matrix { data, ..**w });
    }
}
