//! Register placement: the fewest stages that a clock period allows, then the fewest register bits at that count.

use crate::cost::DelayModel;
use crate::flow::MinCut;
use crate::graph::{Graph, NodeId, Op};
use crate::phases;
use netfold_ir::hw::program::{Pipeline, root};

/// What the placement is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PipelineOptions {
    /// The delay model.
    pub delay: DelayModel,
    /// Longest delay between registers, in the model's unit; `None` makes one combinational stage.
    pub period: Option<f64>,
    /// Least number of stages; more than the period needs gives registers room to move.
    pub min_stages: u32,
}

fn delays(g: &Graph, options: &PipelineOptions) -> Vec<f64> {
    (0..g.nodes.len()).map(|i| options.delay.delay(g, NodeId(i as u32))).collect()
}

fn limit(options: &PipelineOptions) -> f64 {
    options.period.unwrap_or(f64::INFINITY) * (1.0 + 1e-9)
}

/// The earliest stage of each node and when its value is there within the stage.
fn earliest(g: &Graph, delays: &[f64], limit: f64) -> Vec<(u32, f64)> {
    let mut early = vec![(0u32, 0f64); g.nodes.len()];
    for (i, delay) in delays.iter().enumerate() {
        let (mut s, mut t) = (0, 0f64);
        for o in g.operands(NodeId(i as u32)) {
            let (so, to) = early[o.index()];
            if so > s {
                (s, t) = (so, to);
            } else if so == s {
                t = t.max(to);
            }
        }
        early[i] = if t + delay > limit && t > 0.0 { (s + 1, *delay) } else { (s, t + delay) };
    }
    early
}

/// The number of stages that [`pipeline`] makes.
pub(crate) fn stages(g: &Graph, options: &PipelineOptions) -> u32 {
    if phases::is_serial(g) {
        return phases::pipeline(g, &options.delay, limit(options)).stages;
    }
    let early = earliest(g, &delays(g, options), limit(options));
    (early.iter().map(|e| e.0).max().unwrap_or(0) + 1).max(options.min_stages.max(1))
}

/// Places the registers of a graph.
pub fn pipeline(g: &Graph, options: &PipelineOptions) -> Pipeline {
    let limit = limit(options);
    let serial = phases::is_serial(g);
    let mut p = if serial {
        phases::pipeline(g, &options.delay, limit)
    } else {
        let (stage, stages) = place(g, &delays(g, options), limit, options.min_stages);
        Pipeline { stage, stages, register_bits: 0 }
    };
    let last = p.last_reads(g);
    for (i, node) in g.nodes.iter().enumerate() {
        let ranks = match node.op {
            Op::Const(_) | Op::Shr { .. } => 0,
            Op::Input(_) if !serial => last[i] + 1,
            _ => last[i] - p.stage[i],
        };
        p.register_bits += u64::from(ranks) * u64::from(node.width());
    }
    if serial {
        p.register_bits += phases::own_register_bits(g, &p);
    }
    p
}

/// The stage of each node of a graph, and their number: the fewest stages, then the fewest register bits.
pub(crate) fn place(g: &Graph, delays: &[f64], limit: f64, min_stages: u32) -> (Vec<u32>, u32) {
    let n = g.nodes.len();
    let early = earliest(g, delays, limit);
    let stages = (early.iter().map(|e| e.0).max().unwrap_or(0) + 1).max(min_stages.max(1));
    let mut consumers: Vec<Vec<u32>> = vec![Vec::new(); n];
    for i in 0..n {
        let id = NodeId(i as u32);
        for o in g.operands(id) {
            consumers[o.index()].push(i as u32);
        }
    }
    let mut is_output = vec![false; n];
    for t in g.outputs.iter().filter_map(|o| o.term) {
        is_output[t.node.index()] = true;
    }
    let mut stage = vec![0u32; n];
    let mut placed = vec![false; n];
    for last in (1..stages).rev() {
        // Decide which of the unplaced nodes go to stage `last`.
        let mut height = vec![0f64; n];
        for i in (0..n).rev() {
            if !placed[i] {
                let below = consumers[i].iter().filter(|&&c| !placed[c as usize]).map(|&c| height[c as usize]);
                height[i] = delays[i] + below.fold(0.0, f64::max);
            }
        }
        let mut cut = MinCut::new(2 * n + 2);
        let (source, sink) = (2 * n, 2 * n + 1);
        for i in 0..n {
            let op = g.nodes[i].op;
            if placed[i] {
                cut.edge(i, sink, MinCut::INFINITE);
                continue;
            }
            if matches!(op, Op::Input(_)) || height[i] > limit {
                cut.edge(source, i, MinCut::INFINITE);
            } else if early[i].0 >= last {
                cut.edge(i, sink, MinCut::INFINITE);
            }
            for o in g.operands(NodeId(i as u32)) {
                cut.edge(i, o.index(), MinCut::INFINITE);
            }
        }
        let mut reads: Vec<Vec<u32>> = vec![Vec::new(); n];
        for i in 0..n {
            if matches!(g.nodes[i].op, Op::Shr { .. }) {
                continue;
            }
            for o in g.operands(NodeId(i as u32)) {
                reads[root(g, o).index()].push(i as u32);
            }
        }
        for i in 0..n {
            let id = NodeId(i as u32);
            if root(g, id) != id || matches!(g.nodes[i].op, Op::Const(_)) {
                continue;
            }
            let weight = 4 * u64::from(g.nodes[i].width());
            cut.edge(i, n + i, weight);
            for &c in &reads[i] {
                cut.edge(n + i, c as usize, MinCut::INFINITE);
            }
            if is_output[i] {
                cut.edge(n + i, sink, MinCut::INFINITE);
            }
        }
        let left = cut.solve(source, sink);
        for i in 0..n {
            if !placed[i] && !left[i] {
                placed[i] = true;
                stage[i] = last;
            }
        }
    }
    (stage, stages)
}
