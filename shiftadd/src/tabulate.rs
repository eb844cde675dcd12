//! Replaces parts of a graph by tables where those take fewer lookup tables.
//!
//! For every node, from the outputs up, the groups of earlier bits that decide it are searched (its *cuts*), beginning with
//! its operands and going toward the inputs while the bits are few. A cut's table, found by running the nodes between for
//! every value of the bits, is priced as a network of six-input tables, and replaces the node where it is cheaper than the
//! nodes that nothing would then read. (Cuts and fanout-free cones as in technology mapping: Cong and Ding, "FlowMap",
//! 1994; here on words with exact intervals.)

use crate::cost::{CostModel, DelayModel, absorbed, node_luts, only_readers, table_network};
use crate::graph::{Graph, NodeId, Op, Operand};
use crate::quantizer::wrap_word;
use netfold_ir::hw::program::{BitRef, Table};

/// Bits of a node that a part of the graph depends on.
type Leaf = (NodeId, u64);

struct Pass<'a> {
    g: &'a mut Graph,
    /// Readers of each node; outputs count as one.
    uses: Vec<u32>,
    cost: Vec<f64>,
    values: Vec<i64>,
    model: &'a CostModel,
    max_bits: u32,
    /// The only reader of each node, and whether it already computes a table of an operand.
    readers: Vec<Option<NodeId>>,
    absorbs: Vec<bool>,
    /// The last cone that each node was met in, by its number, and that of the cone at hand.
    met: Vec<u32>,
    turn: u32,
    /// The delay model and when each node's value is there, where no table may be later than what it replaces.
    arrivals: Option<(DelayModel, Vec<f64>)>,
}

/// Whether a node's value comes from outside of what a table can compute: from a port, or from other cycles.
fn is_source(op: &Op) -> bool {
    matches!(op, Op::Input(_) | Op::Serial { .. } | Op::Accumulate { .. })
}

/// All bits of a node that are not known to be zero.
fn all_bits(g: &Graph, id: NodeId) -> u64 {
    let n = g.node(id);
    ((1u64 << n.width().min(62)) - 1) & !((1u64 << n.zeros.min(62)) - 1)
}

/// Adds bits to a cut. Slices stand for bits of what they slice, constants for none.
fn add_leaf(g: &Graph, cut: &mut Vec<Leaf>, mut id: NodeId, mut mask: u64) {
    while let Op::Shr { src, bits } = g.node(id).op {
        // The top bits of a slice that reaches beyond its source are copies of the sign.
        let w = g.node(src).width();
        mask = if bits < w { (mask << bits) & ((1u64 << w) - 1) } else { 1u64 << w.max(1) >> 1 };
        id = src;
    }
    mask &= all_bits(g, id);
    if mask == 0 {
        return;
    }
    match cut.iter_mut().find(|l| l.0 == id) {
        Some(l) => l.1 |= mask,
        None => cut.push((id, mask)),
    }
}

/// The bits of a node's operands that its bits up to `top` depend on.
fn reads(g: &Graph, id: NodeId, top: u32, cut: &mut Vec<Leaf>) {
    let low = |o: Operand| if top >= o.shift { (2u64 << (top - o.shift).min(62)) - 1 } else { 0 };
    match g.node(id).op {
        Op::Input(_) | Op::Const(_) | Op::Serial { .. } | Op::Accumulate { .. } => {}
        Op::Add { a, b, carry, .. } => {
            add_leaf(g, cut, a.node, low(a));
            add_leaf(g, cut, b.node, low(b));
            if let Some(c) = carry {
                add_leaf(g, cut, c.node, 1);
            }
        }
        Op::Digit { a, xs, .. } => {
            for o in std::iter::once(a).chain(xs.into_iter().flatten()) {
                add_leaf(g, cut, o.node, low(o));
            }
        }
        Op::Affine { a, .. } => add_leaf(g, cut, a.node, low(a)),
        Op::Table { index } => {
            for b in &g.tables[index as usize].bits {
                add_leaf(g, cut, b.node, 1 << b.bit);
            }
        }
        Op::Shr { .. } => add_leaf(g, cut, id, u64::MAX >> 1),
        Op::Quant { src, .. } | Op::AtLeast { src, .. } => add_leaf(g, cut, src, u64::MAX),
        Op::Max { a, b } => {
            add_leaf(g, cut, a, u64::MAX);
            add_leaf(g, cut, b, u64::MAX);
        }
    }
}

fn size(cut: &[Leaf]) -> u32 {
    cut.iter().map(|l| l.1.count_ones()).sum()
}

/// Replaces nodes by tables of at most `max_bits` bits; with a delay model, none that arrives later than the node.
pub(crate) fn tabulate(g: &mut Graph, model: &CostModel, max_bits: u32, delay: Option<DelayModel>) {
    if max_bits == 0 {
        return;
    }
    let mut uses = vec![0u32; g.nodes.len()];
    for i in 0..g.nodes.len() {
        for o in g.operands(NodeId(i as u32)) {
            uses[o.index()] += 1;
        }
    }
    for t in g.outputs.iter().filter_map(|o| o.term) {
        uses[t.node.index()] += 1;
    }
    let cost = (0..g.nodes.len()).map(|i| node_luts(g, NodeId(i as u32), model)).collect();
    let (values, met) = (vec![0; g.nodes.len()], vec![0; g.nodes.len()]);
    let (readers, absorbs) = (only_readers(g), vec![false; g.nodes.len()]);
    let arrivals = delay.map(|d| {
        let mut at = vec![0f64; g.nodes.len()];
        for i in 0..g.nodes.len() {
            let id = NodeId(i as u32);
            at[i] = g.operands(id).map(|o| at[o.index()]).fold(0.0, f64::max) + d.delay(g, id);
        }
        (d, at)
    });
    let mut pass = Pass {
        g,
        uses,
        cost,
        values,
        model,
        max_bits: max_bits.min(Table::MAX_BITS as u32),
        readers,
        absorbs,
        met,
        turn: 0,
        arrivals,
    };
    for i in (0..pass.g.nodes.len()).rev() {
        if pass.uses[i] > 0 {
            pass.visit(NodeId(i as u32));
        }
    }
    pass.g.sweep();
}

impl Pass<'_> {
    fn visit(&mut self, id: NodeId) {
        let n = *self.g.node(id);
        if is_source(&n.op) || matches!(n.op, Op::Const(_) | Op::Shr { .. }) || n.range.lo == n.range.hi {
            return;
        }
        // All bits of a sum depend on nearly all bits of its terms, so wide tables do not pay.
        let sum = matches!(n.op, Op::Add { .. } | Op::Digit { .. } | Op::Affine { .. });
        let limit = if sum { self.max_bits.min(7) } else { self.max_bits };
        let reader = self.readers[id.index()].filter(|r| {
            matches!(self.g.node(*r).op, Op::Add { .. }) && self.uses[r.index()] > 0 && !self.absorbs[r.index()]
        });
        let mut best: Option<(f64, Table, Vec<NodeId>)> = None;
        for cut in self.cuts(id, limit) {
            let cone = self.cone(id, &cut);
            let cut = self.needs(id, &cone);
            if size(&cut) > limit || cut.iter().any(|l| cone.binary_search(&l.0).is_ok()) {
                continue;
            }
            let (dead, saved) = self.exclusive(id, &cone);
            let least = if size(&cut) > 6 { 2.0 } else { 1.0 };
            if saved <= least && !(saved > 0.0 && (n.width() == 1 || reader.is_some())) {
                continue;
            }
            let Some(table) = self.table(id, &cut, &cone) else { continue };
            if reader.is_none() && lower_bound(&table, n.width()) >= saved {
                continue;
            }
            if let Some((delay, at)) = &self.arrivals {
                let start = table.bits.iter().map(|b| at[b.node.index()]).fold(0.0, f64::max);
                if start + delay.table_delay(&table, n.width()) > at[id.index()] + 1e-9 {
                    continue;
                }
            }
            let free = reader.and_then(|r| absorbed(self.g, id, n.width(), &table, self.g.node(r).op)).unwrap_or(0.0);
            let gain = saved + free - table_network(&table, n.width()).luts.len() as f64;
            if gain > 1e-6 && best.as_ref().is_none_or(|b| gain > b.0) {
                best = Some((gain, table, dead));
            }
        }
        if let Some((_, table, dead)) = best {
            if let Some(r) = reader {
                self.absorbs[r.index()] = true;
            }
            self.replace(id, table, &dead);
        }
    }

    /// Cuts of few bits, nearest first.
    fn cuts(&self, id: NodeId, limit: u32) -> Vec<Vec<Leaf>> {
        let mut cut = Vec::new();
        reads(self.g, id, 62, &mut cut);
        let mut found = Vec::new();
        for _ in 0..24 {
            let bits = size(&cut);
            if bits > 3 * limit {
                break;
            }
            if bits <= limit && !cut.is_empty() {
                found.push(cut.clone());
            }
            // Go on with the leaf whose operands add the fewest bits; of those the latest node.
            let mut best: Option<(u32, std::cmp::Reverse<NodeId>, Vec<Leaf>)> = None;
            for k in 0..cut.len() {
                let (node, mask) = cut[k];
                if is_source(&self.g.node(node).op) {
                    continue;
                }
                let mut next = cut.clone();
                next.swap_remove(k);
                reads(self.g, node, 63 - mask.leading_zeros(), &mut next);
                let key = (size(&next), std::cmp::Reverse(node));
                if best.as_ref().is_none_or(|b| key < (b.0, b.1)) {
                    best = Some((key.0, key.1, next));
                }
            }
            let Some((_, _, next)) = best else { break };
            cut = next;
        }
        found
    }

    /// The nodes between a cut and a node, in order, the node last.
    fn cone(&mut self, id: NodeId, cut: &[Leaf]) -> Vec<NodeId> {
        self.turn += 1;
        let mut open = vec![id];
        let mut list = Vec::new();
        while let Some(n) = open.pop() {
            if std::mem::replace(&mut self.met[n.index()], self.turn) == self.turn {
                continue;
            }
            list.push(n);
            for o in self.g.operands(n) {
                if !cut.iter().any(|l| l.0 == o) {
                    open.push(o);
                }
            }
        }
        list.sort_unstable();
        list
    }

    /// The bits outside of a cone that its last node depends on.
    fn needs(&self, id: NodeId, cone: &[NodeId]) -> Vec<Leaf> {
        let mut need = Vec::new();
        for &n in cone.iter().rev() {
            let at = need.iter().position(|l: &Leaf| l.0 == n);
            let top = match at {
                _ if n == id => 62,
                Some(at) => 63 - need.swap_remove(at).1.leading_zeros(),
                // A slice stands for bits of what it slices; anything else is not read.
                None => continue,
            };
            reads(self.g, n, top, &mut need);
        }
        need.sort_unstable();
        need
    }

    /// The nodes of a cone that only the cone's last node needs, and their price.
    fn exclusive(&self, id: NodeId, cone: &[NodeId]) -> (Vec<NodeId>, f64) {
        let mut left: Vec<u32> = cone.iter().map(|n| self.uses[n.index()]).collect();
        let (mut dead, mut saved) = (Vec::new(), 0.0);
        for k in (0..cone.len()).rev() {
            if cone[k] != id && left[k] > 0 {
                continue;
            }
            dead.push(cone[k]);
            saved += self.cost[cone[k].index()];
            for o in self.g.operands(cone[k]) {
                if let Ok(at) = cone.binary_search(&o) {
                    left[at] = left[at].saturating_sub(1);
                }
            }
        }
        (dead, saved)
    }

    /// The table of a cut; `None` where an input lies in the cone.
    fn table(&mut self, id: NodeId, cut: &[Leaf], cone: &[NodeId]) -> Option<Table> {
        if cone.iter().any(|n| is_source(&self.g.node(*n).op)) {
            return None;
        }
        let mut bits = Vec::new();
        for &(node, mask) in cut {
            bits.extend((0..62).filter(|b| mask >> b & 1 == 1).map(|bit| BitRef { node, bit }));
        }
        let range = self.g.node(id).range;
        let mut words = Vec::with_capacity(1 << bits.len());
        for index in 0..1u64 << bits.len() {
            let mut at = 0;
            for &(node, mask) in cut {
                let n = self.g.node(node);
                let mut v = 0i64;
                for b in (0..62).filter(|b| mask >> b & 1 == 1) {
                    v |= ((index >> at & 1) as i64) << b;
                    at += 1;
                }
                let w = n.width();
                if n.range.signed() && v >> (w - 1) & 1 == 1 {
                    v -= 1 << w;
                }
                // Values that never occur repeat one that does.
                if mask == all_bits(self.g, node) {
                    v = v.clamp(n.range.lo, n.range.hi);
                }
                self.values[node.index()] = v;
            }
            for c in cone {
                // Bits of the leaves that the word of a node does not depend on are missing, so only its word is right.
                let n = self.g.node(*c);
                let v = self.g.eval_node(n, &self.values);
                self.values[c.index()] = wrap_word(v, n.width(), n.range.signed());
            }
            words.push(self.values[id.index()].clamp(range.lo, range.hi));
        }
        Some(Table { bits, words })
    }

    fn replace(&mut self, id: NodeId, table: Table, dead: &[NodeId]) {
        for n in dead {
            for o in self.g.operands(*n) {
                let u = &mut self.uses[o.index()];
                *u = u.saturating_sub(1);
            }
        }
        for n in table.nodes() {
            self.uses[n.index()] += 1;
        }
        let index = self.g.tables.len() as u32;
        let (_, depth) = self.g.table_facts(&table);
        self.g.tables.push(table);
        let n = &mut self.g.nodes[id.index()];
        (n.op, n.depth) = (Op::Table { index }, depth);
        self.cost[id.index()] = node_luts(self.g, id, self.model);
    }
}

/// A lower bound of a table's price: each distinct output bit by the bits that it depends on.
fn lower_bound(t: &Table, width: u32) -> f64 {
    let mut seen: Vec<Vec<u64>> = Vec::new();
    let mut luts = 0;
    for bit in 0..width {
        let mut truth = vec![0u64; t.words.len().div_ceil(64)];
        for (i, w) in t.words.iter().enumerate() {
            truth[i >> 6] |= (*w as u64 >> bit & 1) << (i & 63);
        }
        if seen.contains(&truth) {
            continue;
        }
        let support = (0..t.bits.len())
            .filter(|v| {
                (0..t.words.len()).any(|i| i >> v & 1 == 0 && (t.words[i] ^ t.words[i | 1 << v]) >> bit & 1 == 1)
            })
            .count();
        luts += if support < 2 { 0 } else { (support - 1).div_ceil(5) };
        seen.push(truth);
    }
    f64::from(luts as u32)
}
