//! Constant sums of products in shift-and-add: registers and adders of their graph ([`netfold_ir::hw::linear`]), as Yosys keeps them.

use super::count::Count;
use netfold_ir::hw::linear::{Linear, Row, Term};

/// Bits of a value of the given range as a wire that is cut to what is needed (`wreduce`): without the sign of what is never
/// negative.
pub fn live_bits(lo: i128, hi: i128) -> u32 {
    let bits = netfold_ir::hw::linear::signed_bits(lo, hi) as u32;
    if lo >= 0 { bits - 1 } else { bits }
}

/// What the graphs of a unit's lanes are known by, summed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Totals {
    /// Additions.
    pub adds: f64,
    /// Bits of the widest sum.
    pub widest: u32,
}

impl Count {
    /// A graph, `times` times. Of row `r` the lowest `unused(r)` bits are not used.
    pub fn linear(&mut self, graph: &Linear, times: f64, unused: impl Fn(usize) -> u32) -> Totals {
        let n = graph.nodes.len();
        let bits: Vec<u32> = graph.nodes.iter().map(|node| live_bits(node.lo, node.hi)).collect();
        // How often a node is used, and how many of its lowest bits nobody reads.
        let mut uses = vec![0u32; n];
        let mut user = vec![usize::MAX; n];
        let mut low = vec![u32::MAX; n];
        for (r, row) in graph.rows.iter().enumerate() {
            let Row { term, .. } = row;
            uses[term.node] += 2;
            low[term.node] = low[term.node].min(unused(r).saturating_sub(term.shift));
        }
        // Bits of a sum below the lowest bit of one operand are those of the other.
        let zeros = |t: &Term| t.shift + graph.nodes[t.node].constant.map_or(0, i128::trailing_zeros);
        for (i, node) in graph.nodes.iter().enumerate().rev() {
            let Some([a, b]) = &node.definition else { continue };
            for (term, other) in [(a, b), (b, a)] {
                uses[term.node] += 1;
                user[term.node] = i;
                let unread = if term.negative { 0 } else { low[i].min(zeros(other)).saturating_sub(term.shift) };
                low[term.node] = low[term.node].min(unread);
            }
        }
        // Operands of the one addition that a node becomes together with the nodes that only it uses in its stage.
        let mut operands = vec![1u32; n];
        let mut totals = Totals::default();
        for (i, node) in graph.nodes.iter().enumerate() {
            let used = bits[i].saturating_sub(low[i].min(bits[i]));
            if node.constant.is_none() {
                self.ff += times * node.delays as f64 * f64::from(used);
            }
            let Some(terms) = &node.definition else { continue };
            totals.adds += 1.0;
            totals.widest = totals.widest.max(bits[i]);
            let within = |t: &Term| {
                let from = &graph.nodes[t.node];
                from.definition.is_some() && uses[t.node] == 1 && from.stage() == node.stage()
            };
            operands[i] = terms.iter().map(|t| if within(t) { operands[t.node] } else { 1 }).sum();
            if uses[i] == 1 && graph.nodes.get(user[i]).is_some_and(|m| m.stage() == node.stage()) {
                continue;
            }
            // Below the shifted operand of a sum the other one passes through.
            let [a, b] = terms;
            let through = match (zeros(a), zeros(b)) {
                (0, low) if operands[i] == 2 => low,
                (low, 0) if operands[i] == 2 && !b.negative => low,
                _ => 0,
            };
            let top = (bits[a.node] + a.shift).max(bits[b.node] + b.shift) + 1;
            let wide = f64::from(bits[i].min(top).saturating_sub(through));
            // A constant alone inverts bits of the other operand or not: the carry chain takes them without a LUT.
            let constant = [a, b].iter().any(|t| graph.nodes[t.node].constant.is_some());
            if !(constant && operands[i] == 2) {
                self.adder += times * wide;
                self.plain += times * wide;
            }
            self.compressor += times * f64::from(operands[i] - 2) * wide;
        }
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_follow_the_graph() {
        // 3x of an unsigned byte: 0..=765 in ten bits, registered once because two levels are a stage.
        let graph = Linear::new(&[(0, 255)], &[(vec![3], 0)]);
        let mut c = Count::default();
        let totals = c.linear(&graph, 2.0, |_| 0);
        assert_eq!((c.ff, totals.adds), (20.0, 1.0));
        // The lowest four bits of the result are not read: their registers go.
        let mut c = Count::default();
        c.linear(&graph, 1.0, |_| 4);
        assert_eq!(c.ff, 6.0);
        assert_eq!(live_bits(-1, 0), 1);
        assert_eq!(live_bits(0, 0), 0);
    }
}
