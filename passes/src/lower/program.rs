//! Programs of unrolled regions as modules.

use super::build::{Builder, Tap};
use super::compute;
use crate::unroll::{Source, Unrolled};
use netfold_ir::diag::Diag;
use netfold_ir::graph::NodeId;
use netfold_ir::hw::Kind;
use netfold_ir::int::{IntNetwork, IntOp};
use rustc_hash::FxHashMap;
use std::collections::{HashMap, HashSet};

/// What reads every node's result: streams out of it.
pub(super) fn readers(net: &IntNetwork, unrolled: &[&Unrolled]) -> FxHashMap<NodeId, usize> {
    let mut count: FxHashMap<NodeId, usize> = FxHashMap::default();
    for id in net.graph.ids() {
        let outside = |c: &NodeId| !unrolled.iter().any(|u| u.region.nodes.contains(c));
        let plain = net.graph.consumers(id).iter().filter(|(c, _)| outside(c)).count();
        let ports = net.outputs.iter().filter(|p| p.node == id).count();
        count.insert(id, plain + ports);
    }
    for u in unrolled {
        for source in &u.region.inputs {
            *count.entry(tensor(net, *source)).or_default() += 1;
        }
    }
    count
}

/// The node whose tensor a source reads.
fn tensor(net: &IntNetwork, source: Source) -> NodeId {
    match source {
        Source::Tensor(id) => id,
        Source::Windows(conv) => net.graph.inputs(conv)[0],
    }
}

/// An operator of its own, or a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    /// The operator.
    Node(NodeId),
    /// The region of that index.
    Program(usize),
}

/// All operators and programs so that producers come before consumers.
pub(super) fn order(net: &IntNetwork, unrolled: &[&Unrolled]) -> Result<Vec<Item>, Diag> {
    let nodes = net.graph.topological()?;
    let mut owner: HashMap<NodeId, usize> = HashMap::new();
    for (r, u) in unrolled.iter().enumerate() {
        owner.extend(u.region.nodes.iter().map(|id| (*id, r)));
    }
    let mut waiting: Vec<Item> = Vec::new();
    for id in nodes {
        let item = owner.get(&id).map_or(Item::Node(id), |r| Item::Program(*r));
        if matches!(item, Item::Node(_)) || !waiting.contains(&item) {
            waiting.push(item);
        }
    }
    let mut ready: HashSet<NodeId> = HashSet::new();
    let mut sorted = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let before = waiting.len();
        waiting.retain(|item| {
            let done = match *item {
                Item::Node(id) => net.graph.inputs(id).iter().all(|i| ready.contains(i)),
                Item::Program(r) => unrolled[r].region.inputs.iter().all(|s| ready.contains(&tensor(net, *s))),
            };
            if done {
                match *item {
                    Item::Node(id) => {
                        ready.insert(id);
                    }
                    Item::Program(r) => ready.extend(&unrolled[r].region.nodes),
                }
                sorted.push(*item);
            }
            !done
        });
        if waiting.len() == before {
            return Err(Diag::internal(&net.name, "a program depends on its own results"));
        }
    }
    Ok(sorted)
}

/// Adds the module of a program; its results are published.
pub(super) fn program(b: &mut Builder<'_>, u: &Unrolled) -> Result<(), Diag> {
    let region = &u.region;
    let Some(&last) = region.outputs.last() else {
        return Err(Diag::internal("program", "a region without a result"));
    };
    let mut taps: Vec<Tap> = Vec::new();
    for source in &region.inputs {
        let x = b.tap(tensor(b.net, *source))?;
        taps.push(match *source {
            Source::Tensor(_) => x,
            Source::Windows(conv) => match &b.net.graph.node(conv).op {
                IntOp::Conv(c) => compute::window(b, conv, x, c.input, &c.window, &c.pad, c.input[2]),
                _ => x,
            },
        });
    }
    let module = b.module(last, "program", Kind::Program(u.program.clone()));
    for (port, tap) in taps.into_iter().enumerate() {
        b.feed(last, tap, module, port);
    }
    for (port, id) in region.outputs.iter().enumerate() {
        let tap = b.port_result(*id, module, port);
        b.publish(*id, tap);
    }
    Ok(())
}
