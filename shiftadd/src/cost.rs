//! Costs in lookup tables and delays of the target families.

use crate::graph::{Graph, NodeId, Op};
use crate::lut;
use crate::quantizer::{Overflow, Rounding};
use netfold_ir::hw::program::Table;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Cost weights of an FPGA family with carry chains.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CostModel {
    /// Lookup tables a carry position takes that only one operand reaches. Yosys feeds the operand to the carry chain
    /// directly, which a report counts as nothing though the slice's table is passed through.
    pub pass: f64,
    /// Whether adders' carry inputs may take single bits of other terms.
    pub carry_bits: bool,
}

impl Default for CostModel {
    fn default() -> Self {
        Self { pass: 0.15, carry_bits: true }
    }
}

/// Delays of an FPGA family, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DelayModel {
    /// Every addition takes 1 and everything else 0: adder levels.
    Levels,
    /// Estimated nanoseconds.
    Nanoseconds {
        /// A lookup table.
        lut: f64,
        /// Routing to it.
        route: f64,
        /// A carry position.
        carry: f64,
    },
}

impl DelayModel {
    /// UltraScale+-like figures: a table 0.1 ns, a route 0.25 ns, a carry position 0.015 ns.
    pub fn ultrascale_plus() -> Self {
        Self::Nanoseconds { lut: 0.10, route: 0.25, carry: 0.015 }
    }

    /// 7-series-like figures of the slowest speed grade (AMD DS181, DS187): a table 0.124 ns, a route 0.45 ns, a carry
    /// position 0.029 ns.
    pub fn series7() -> Self {
        Self::Nanoseconds { lut: 0.124, route: 0.45, carry: 0.029 }
    }

    /// ECP5-like figures of speed grade 6.
    pub fn ecp5() -> Self {
        Self::Nanoseconds { lut: 0.24, route: 0.7, carry: 0.036 }
    }

    /// iCE40-UltraPlus-like figures.
    pub fn ice40() -> Self {
        Self::Nanoseconds { lut: 1.2, route: 1.8, carry: 0.28 }
    }

    /// Figures of Gowin's GW1N and GW2A.
    pub fn gowin() -> Self {
        Self::Nanoseconds { lut: 0.5, route: 0.7, carry: 0.06 }
    }

    /// The delay of a table with a result of `width` bits: its levels of lookup tables. Among adder levels, a function of one
    /// node alone is part of that node's, as quantizers are.
    pub(crate) fn table_delay(&self, t: &Table, width: u32) -> f64 {
        let levels = f64::from(table_network(t, width).levels());
        match *self {
            Self::Levels if t.nodes().len() == 1 => 0.0,
            Self::Levels => levels,
            Self::Nanoseconds { lut, route, .. } => levels * (lut + route),
        }
    }

    /// The delay a node adds to its slowest operand.
    pub fn delay(&self, g: &Graph, id: NodeId) -> f64 {
        let n = g.node(id);
        let adds = match n.op {
            Op::Add { a, b, carry, .. } => carry.is_some() || g.overlap(a, b) > 0,
            Op::Digit { .. } | Op::Accumulate { .. } => true,
            Op::Affine { bias, .. } => bias != 0,
            Op::Max { .. } => true,
            _ => false,
        };
        if let Op::Table { index } = n.op {
            return self.table_delay(&g.tables[index as usize], n.width());
        }
        match *self {
            Self::Levels => f64::from(u8::from(adds && !matches!(n.op, Op::Affine { .. }))),
            Self::Nanoseconds { lut, route, carry } => match n.op {
                Op::AtLeast { src, .. } => lut + route + carry * f64::from(g.node(src).width()),
                Op::Accumulate { src, bits, count, start } => {
                    lut + route + carry * f64::from(g.accumulator(src, bits, count, start).width())
                }
                // A comparison, then a selection.
                Op::Max { .. } => 2.0 * (lut + route) + carry * f64::from(n.width()),
                Op::Quant { quantizer: q, .. } => {
                    let r = g.node(g.operands(id).next().unwrap_or(id)).range;
                    let clips = q.overflow != Overflow::Wrap && q.range(r) != q_unclipped(&q, r);
                    let mut d = 0.0;
                    if q.rounding != Rounding::Floor && q.drop > 0 {
                        d += lut + route + carry * f64::from(n.width());
                    }
                    if clips {
                        d += lut + route;
                    }
                    if q.relu && r.lo < 0 { d.max(lut + route) } else { d }
                }
                _ if adds => lut + route + carry * f64::from(n.width()),
                _ => 0.0,
            },
        }
    }
}

fn q_unclipped(q: &crate::quantizer::Quantizer, r: crate::interval::Interval) -> crate::interval::Interval {
    crate::interval::Interval { lo: q.rounded(r.lo), hi: q.rounded(r.hi) }
}

type Known = HashMap<(u32, Vec<i64>), Rc<lut::Network>>;

thread_local! {
    // The networks found last: a table is priced, timed and written one after the other.
    static NETWORKS: RefCell<Known> = RefCell::default();
}

/// A table's network of lookup tables.
pub(crate) fn table_network(t: &Table, width: u32) -> Rc<lut::Network> {
    let key = (width, t.words.clone());
    NETWORKS.with_borrow_mut(|known| {
        if known.len() > 4096 {
            known.clear();
        }
        let find = || Rc::new(lut::network(t.bits.len(), width, &t.words));
        known.entry(key).or_insert_with(find).clone()
    })
}

/// Estimated lookup tables of one node.
pub fn node_luts(g: &Graph, id: NodeId, model: &CostModel) -> f64 {
    let n = g.node(id);
    match n.op {
        Op::Input(_) | Op::Const(_) | Op::Shr { .. } => 0.0,
        Op::Add { a, b, .. } => {
            let (fa, fb) = (g.field(a), g.field(b));
            let overlap = f64::from(g.overlap(a, b).min(n.width()));
            if overlap == 0.0 {
                return 0.0;
            }
            overlap + model.pass * f64::from(n.width().saturating_sub(fa.high.min(fb.high)))
        }
        Op::Digit { a, xs, digit, constant, .. } => {
            let fa = g.field(a);
            let w = n.width();
            let mut luts = 0.0;
            let mut top = 0;
            for (c, &(count, k)) in g.column_counts(&xs, constant, w).iter().enumerate() {
                let at = c as u32 + u32::from(digit);
                if count + k < 1 << digit || at >= w {
                    continue;
                }
                let alone = digit == 0 && (count == 1 && !(fa.low..fa.high).contains(&at) || count == 0);
                if !alone {
                    luts += 1.0;
                }
                top = at + 1;
            }
            luts + model.pass * f64::from(w.saturating_sub(top))
        }
        Op::Affine { a, bias } => {
            let ends = a.neg || bias == 0;
            if ends { 0.0 } else { model.pass * f64::from(n.width()) }
        }
        Op::Quant { src, quantizer: q } => {
            let r = g.node(src).range;
            let bits = f64::from(n.width());
            let clips = q.overflow != Overflow::Wrap && q.range(r) != q_unclipped(&q, r);
            let relu = q.relu && r.lo < 0;
            (if clips {
                bits + 1.0
            } else if relu {
                0.5 * bits
            } else {
                0.0
            }) + if q.rounding == Rounding::HalfEven && q.drop > 0 { bits } else { 0.0 }
        }
        Op::AtLeast { src, .. } => {
            if n.range.lo == n.range.hi {
                0.0
            } else {
                model.pass * f64::from(g.node(src).width())
            }
        }
        // The comparison's carry chain takes a table a bit, and so does the selection.
        Op::Max { a, b } => {
            let (x, y) = (g.node(a).range, g.node(b).range);
            let apart = x.lo >= y.hi || y.lo >= x.hi;
            if apart { 0.0 } else { f64::from(g.node(a).width().max(g.node(b).width()) + n.width()) }
        }
        Op::Table { index } => table_network(&g.tables[index as usize], n.width()).luts.len() as f64,
        // Every digit but the highest is loaded or shifted.
        Op::Serial { src, bits } => f64::from(g.node(src).width().saturating_sub(bits)),
        Op::Accumulate { src, bits, count, start } => f64::from(g.accumulator(src, bits, count, start).width()),
    }
}

/// Lookup tables of a table that its only reader, an addition, takes for nothing: an adder's table has six inputs, of which
/// the other operand's bit is one, so bits of up to five inputs are computed in the adder. `None` where the table is read by
/// anything else.
pub(crate) fn absorbed(g: &Graph, id: NodeId, width: u32, t: &Table, reader: Op) -> Option<f64> {
    let Op::Add { a, b, .. } = reader else { return None };
    let (own, other) = if a.node == id { (a, b) } else { (b, a) };
    if own.node != id || other.node == id {
        return None;
    }
    let f = g.field(other);
    let net = table_network(t, width);
    let mut read = vec![0u32; net.luts.len()];
    let inner = net.luts.iter().flat_map(|l| &l.inputs);
    let outer = net.outputs.iter().filter_map(|o| if let lut::Output::Wire(s, _) = o { Some(s) } else { None });
    for s in inner.chain(outer) {
        if let lut::Signal::Lut(k) = s {
            read[usize::from(*k)] += 1;
        }
    }
    let mut free = 0.0;
    for (bit, o) in (own.shift..).zip(&net.outputs) {
        if let lut::Output::Wire(lut::Signal::Lut(k), _) = o {
            let k = usize::from(*k);
            let inside = (f.low..f.high).contains(&bit);
            if inside && read[k] == 1 && net.luts[k].inputs.len() <= 5 {
                free += 1.0;
            }
        }
    }
    Some(free)
}

/// The only reader of each node, where there is one.
pub(crate) fn only_readers(g: &Graph) -> Vec<Option<NodeId>> {
    let mut readers = vec![(0u32, NodeId(0)); g.nodes.len()];
    for i in 0..g.nodes.len() {
        let id = NodeId(i as u32);
        for o in g.operands(id) {
            readers[o.index()] = (readers[o.index()].0 + 1, id);
        }
    }
    for t in g.outputs.iter().filter_map(|o| o.term) {
        readers[t.node.index()].0 += 1;
    }
    readers.into_iter().map(|(n, id)| (n == 1).then_some(id)).collect()
}

/// Estimated lookup tables of a graph.
pub fn graph_luts(g: &Graph, model: &CostModel) -> f64 {
    let all: f64 = (0..g.nodes.len()).map(|i| node_luts(g, NodeId(i as u32), model)).sum();
    if g.tables.is_empty() {
        return all;
    }
    let readers = only_readers(g);
    let mut used = vec![false; g.nodes.len()];
    let mut saved = 0.0;
    for (i, n) in g.nodes.iter().enumerate() {
        if let (Op::Table { index }, Some(reader)) = (n.op, readers[i])
            && !used[reader.index()]
            && let Some(free) = absorbed(g, NodeId(i as u32), n.width(), &g.tables[index as usize], g.node(reader).op)
        {
            used[reader.index()] = true;
            saved += free;
        }
    }
    all - saved
}

/// Number of adders and the adder depth of a graph.
pub fn adders_and_depth(g: &Graph) -> (usize, u32) {
    let adders = g.nodes.iter().filter(|n| matches!(n.op, Op::Add { .. } | Op::Digit { .. })).count();
    (adders, g.nodes.iter().map(|n| n.depth).max().unwrap_or(0))
}
