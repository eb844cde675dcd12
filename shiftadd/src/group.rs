//! Sums of narrow inputs through tables: the inputs in groups of up to six bits, each distinct weighted sum of a group one table of six-input lookup
//! tables, the rows sums of those.
//!
//! In a binary or ternary layer a few signed patterns of a group serve all rows, and counting six bits at once takes three lookup
//! tables (a 6:3 compressor) where adders take five.

use std::collections::HashMap;

use crate::graph::{Graph, NodeId};
use crate::interval::Interval;
use crate::solve::{InputSpec, Job, Rows, append};
use netfold_ir::hw::program::{BitRef, Table};

/// A weighted sum of a group of inputs, its first weight positive and not all of them even.
type Pattern = Vec<(u32, i64)>;

/// A job whose inputs were replaced by tables of groups of them.
pub(crate) struct Grouped {
    patterns: Vec<Pattern>,
    /// Rows over the patterns.
    pub rows: Rows,
    /// The patterns' exact intervals.
    pub inputs: Vec<InputSpec>,
}

/// Widest inputs that are grouped.
const WIDEST: u32 = 2;

/// Whether groups of these inputs can be worth it: all of them narrow, and enough rows to share patterns.
pub(crate) fn worth(job: &Job) -> bool {
    let narrow = |i: &InputSpec| i.range.width() <= WIDEST;
    let small = |t: &(u32, i64)| t.1.unsigned_abs().is_power_of_two();
    job.inputs.len() >= 6 && job.inputs.iter().all(narrow) && job.rows.0.iter().flatten().all(small)
}

/// Groups neighbouring inputs of together at most `bits` bits.
pub(crate) fn group(job: &Job, bits: u32) -> Grouped {
    let mut of = vec![0usize; job.inputs.len()];
    let (mut groups, mut used) = (0, 0);
    for (k, i) in job.inputs.iter().enumerate() {
        let w = i.range.width();
        if used + w > bits {
            (groups, used) = (groups + 1, 0);
        }
        used += w;
        of[k] = groups;
    }
    let mut known: HashMap<Pattern, u32> = HashMap::new();
    let mut g = Grouped { patterns: Vec::new(), rows: Rows::default(), inputs: Vec::new() };
    for row in &job.rows.0 {
        let mut terms: Vec<(u32, i64)> = Vec::new();
        let mut rest = row.as_slice();
        while let Some(&(first, weight)) = rest.first() {
            let end = rest.iter().position(|t| of[t.0 as usize] != of[first as usize]).unwrap_or(rest.len());
            let (own, others) = rest.split_at(end);
            rest = others;
            let even = own.iter().map(|t| t.1.trailing_zeros()).min().unwrap_or(0);
            let factor = if weight < 0 { -(1i64 << even) } else { 1 << even };
            let pattern: Pattern = own.iter().map(|t| (t.0, t.1 / factor)).collect();
            let next = known.len() as u32;
            let at = *known.entry(pattern).or_insert_with_key(|p| {
                let ends = |t: &(u32, i64)| {
                    let r = job.inputs[t.0 as usize].range;
                    Interval::new(r.lo * t.1, r.hi * t.1)
                };
                let range = p.iter().map(ends).fold(Interval::point(0), |r, e| r.sum(&e));
                g.inputs.push(InputSpec { range, zeros: 0 });
                g.patterns.push(p.clone());
                next
            });
            terms.push((at, factor));
        }
        terms.sort_unstable();
        g.rows.0.push(terms);
    }
    g
}

impl Grouped {
    /// The job for the sums of the groups.
    pub fn inner<'a>(&'a self, job: &Job<'a>) -> Job<'a> {
        Job { rows: &self.rows, inputs: &self.inputs, ..*job }
    }

    /// The whole graph: tables, then the graph of the rows over them.
    pub fn join(&self, job: &Job, rows: &Graph) -> Graph {
        let mut g = Graph::default();
        let inputs: Vec<NodeId> = job.inputs.iter().map(|i| g.input(i.range, i.zeros)).collect();
        let tables: Vec<NodeId> = self
            .patterns
            .iter()
            .zip(&self.inputs)
            .map(
                |(p, s)| {
                    if let [(k, 1)] = p.as_slice() { inputs[*k as usize] } else { table(&mut g, &inputs, p, s.range) }
                },
            )
            .collect();
        g.outputs = append(&mut g, rows, &tables);
        g
    }
}

/// The table of a pattern.
fn table(g: &mut Graph, inputs: &[NodeId], pattern: &Pattern, range: Interval) -> NodeId {
    let mut bits = Vec::new();
    let mut weights = Vec::new();
    for &(k, w) in pattern {
        let node = inputs[k as usize];
        let n = *g.node(node);
        for bit in 0..n.range.width() {
            let sign = n.range.signed() && bit + 1 == n.range.width();
            bits.push(BitRef { node, bit });
            weights.push(if sign { -(w << bit) } else { w << bit });
        }
    }
    let sum = |i: usize| weights.iter().enumerate().map(|(b, w)| if i >> b & 1 == 1 { *w } else { 0 }).sum::<i64>();
    // Values that no input reaches repeat one that does.
    let words = (0..1usize << bits.len()).map(|i| sum(i).clamp(range.lo, range.hi)).collect();
    g.table(Table { bits, words }, range)
}
