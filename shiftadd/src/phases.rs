//! Register placement of programs over several cycles: part after part.
//!
//! A *part* is what lies between two steps from words to digits or back on every path. Registers of digits and of sums are
//! borders of the parts by themselves, so each part is placed as a program of its own that begins behind them, and ends where
//! the next ones are loaded.

use crate::cost::DelayModel;
use crate::graph::{Graph, Node, NodeId, Op, Operand};
use crate::pipeline::place;
use netfold_ir::hw::program::{Linear, Pipeline, lag, root};

/// Whether a program has values over several cycles.
pub(crate) fn is_serial(g: &Graph) -> bool {
    g.nodes.iter().any(|n| matches!(n.op, Op::Serial { .. }))
}

fn is_border(op: &Op) -> bool {
    matches!(op, Op::Serial { .. } | Op::Accumulate { .. })
}

/// The part of each node: borders passed on the longest path to it.
fn parts(g: &Graph) -> Vec<u32> {
    let mut part = vec![0u32; g.nodes.len()];
    for i in 0..g.nodes.len() {
        let before = g.operands(NodeId(i as u32)).map(|o| part[o.index()]).max().unwrap_or(0);
        part[i] = before + u32::from(is_border(&g.nodes[i].op));
    }
    part
}

/// A part as a graph of its own, with the delays of its nodes and where each of them stands in the whole.
struct Part {
    graph: Graph,
    delays: Vec<f64>,
    from: Vec<Option<usize>>,
}

fn extract(g: &Graph, part: &[u32], k: u32, delay: &DelayModel) -> Part {
    let mut p = Part { graph: Graph::default(), delays: Vec::new(), from: Vec::new() };
    let mut map: Vec<Option<NodeId>> = vec![None; g.nodes.len()];
    let outside = |p: &mut Part, map: &mut Vec<Option<NodeId>>, i: usize| {
        if map[i].is_none() {
            let n = &g.nodes[i];
            let id = match n.op {
                Op::Const(v) => p.graph.constant(v),
                _ => p.graph.input(n.range, n.zeros),
            };
            p.delays.push(0.0);
            p.from.push((part[i] == k).then_some(i));
            map[i] = Some(id);
        }
    };
    let mut leaving = vec![false; g.nodes.len()];
    for i in 0..g.nodes.len() {
        let id = NodeId(i as u32);
        let op = g.nodes[i].op;
        if is_border(&op) || part[i] != k {
            for o in g.operands(id).filter(|o| part[o.index()] == k) {
                leaving[root(g, o).index()] = true;
            }
        }
        if let Op::Accumulate { src, bits, count, start } = op
            && part[i] == k + 1
        {
            // The addition to the register belongs to the part before it.
            outside(&mut p, &mut map, src.node.index());
            let Some(node) = map[src.node.index()] else { continue };
            let sum = p.graph.affine(Operand { node, shift: 0, neg: false }, 0);
            p.graph.retype(sum, g.accumulator(src, bits, count, start), 0);
            p.graph.outputs.push(Linear { term: Some(Operand { node: sum, shift: 0, neg: false }), offset: 0 });
            p.delays.push(delay.delay(g, id));
            p.from.push(None);
        }
        if part[i] != k {
            continue;
        }
        if is_border(&op) || matches!(op, Op::Input(_)) {
            outside(&mut p, &mut map, i);
            continue;
        }
        for o in g.operands(id) {
            outside(&mut p, &mut map, o.index());
        }
        let copy = p.graph.push_from(g, &g.nodes[i], |o| map[o.index()].unwrap_or(NodeId(0)));
        map[i] = Some(copy);
        p.delays.push(delay.delay(g, id));
        p.from.push(Some(i));
    }
    for t in g.outputs.iter().filter_map(|o| o.term).filter(|t| part[t.node.index()] == k) {
        leaving[root(g, t.node).index()] = true;
    }
    for (i, _) in leaving.iter().enumerate().filter(|l| *l.1 && part[l.0] == k) {
        if let Some(node) = map[i] {
            p.graph.outputs.push(Linear { term: Some(Operand { node, shift: 0, neg: false }), offset: 0 });
        }
    }
    p
}

/// Places the registers of a program over several cycles.
pub(crate) fn pipeline(g: &Graph, delay: &DelayModel, limit: f64) -> Pipeline {
    let part = parts(g);
    let last = part.iter().copied().max().unwrap_or(0);
    let mut stage = vec![0u32; g.nodes.len()];
    let mut start = 0;
    let mut stages = 0;
    for k in 0..=last {
        let p = extract(g, &part, k, delay);
        let (own, count) = place(&p.graph, &p.delays, limit, 1);
        for (from, s) in p.from.iter().zip(&own) {
            if let Some(i) = from {
                stage[*i] = start + s;
            }
        }
        stages = start + count;
        let next = || g.nodes.iter().zip(&part).filter(|(n, q)| **q == k + 1 && is_border(&n.op));
        // Digits of inputs are loaded straight from the ports.
        let from_inputs = next().all(|(n, _)| match n.op {
            Op::Serial { src, .. } => matches!(g.node(root(g, src)).op, Op::Input(_)),
            _ => false,
        });
        if k > 0 || !from_inputs {
            start += count - 1 + next().map(|(n, _)| lag(&n.op)).max().unwrap_or(0);
        }
    }
    Pipeline { stage, stages, register_bits: 0 }
}

/// Register bits of inputs, digits and sums themselves.
pub(crate) fn own_register_bits(g: &Graph, p: &Pipeline) -> u64 {
    let kept = has_register(g, p);
    let bits = |(i, n): (usize, &Node)| match n.op {
        Op::Input(_) => u32::from(kept[i]) * n.width(),
        Op::Serial { src, .. } => g.node(src).width(),
        Op::Accumulate { src, bits, count, start } => {
            g.accumulator(src, bits, count, start).width() + bits * (count - 1)
        }
        _ => 0,
    };
    g.nodes.iter().enumerate().map(|n| u64::from(bits(n))).sum()
}

/// Whether each input has a register: not where only digits are taken from it, before stage 0.
pub(crate) fn has_register(g: &Graph, p: &Pipeline) -> Vec<bool> {
    let (mut kept, mut early) = (vec![false; g.nodes.len()], vec![false; g.nodes.len()]);
    for i in 0..g.nodes.len() {
        let id = NodeId(i as u32);
        if matches!(g.nodes[i].op, Op::Shr { .. }) {
            continue;
        }
        let list = if p.read_stage(g, id).is_none() { &mut early } else { &mut kept };
        g.operands(id).for_each(|o| list[root(g, o).index()] = true);
    }
    for t in g.outputs.iter().filter_map(|o| o.term) {
        kept[root(g, t.node).index()] = true;
    }
    kept.iter().zip(&early).map(|(kept, early)| *kept || !early).collect()
}
