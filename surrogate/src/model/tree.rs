//! Binary regression trees over binned features: the shared structure of boosted and of randomised trees.

use serde::{Deserialize, Serialize};

/// Most feature columns a model may have: a serialised node spends one byte on its column.
pub const MAX_FEATURES: usize = 250;
/// Most bins of a column.
pub(crate) const MAX_BINS: usize = 255;

/// Upper edges of the bins of each column: value `v` is in the first bin whose edge is at least `v`, or in the last bin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Bins {
    /// Ascending edges, at most 254 a column; none for a constant column.
    pub edges: Vec<Vec<f32>>,
}

impl Bins {
    /// Edges half-way between distinct values, thinned to equal shares of the rows where there are too many.
    pub(crate) fn fit(rows: &[Vec<f32>], columns: usize) -> Bins {
        let mut edges = Vec::with_capacity(columns);
        for c in 0..columns {
            let mut values: Vec<f32> = rows.iter().map(|r| r[c]).collect();
            values.sort_by(f32::total_cmp);
            let mut cut: Vec<f32> = values.windows(2).filter(|w| w[0] < w[1]).map(|w| (w[0] + w[1]) * 0.5).collect();
            if cut.len() >= MAX_BINS {
                let n = MAX_BINS - 1;
                let mut thin: Vec<f32> = (1..=n).map(|i| values[i * (values.len() - 1) / (n + 1)]).collect();
                thin.dedup();
                cut = thin;
            }
            edges.push(cut);
        }
        Bins { edges }
    }

    /// Bin of a value of column `c`.
    pub(crate) fn bin(&self, c: usize, v: f32) -> u8 {
        self.edges[c].partition_point(|&e| e < v) as u8
    }

    /// Columns-first bins of all rows.
    pub(crate) fn apply(&self, rows: &[Vec<f32>]) -> Vec<Vec<u8>> {
        (0..self.edges.len()).map(|c| rows.iter().map(|r| self.bin(c, r[c])).collect()).collect()
    }
}

/// A node: a leaf when `column` is [`LEAF`] (then `value` is its value and `right` its own place), otherwise a test
/// `x[column] <= value` that continues at the next node when true and at `right` when not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Node {
    pub(crate) column: u8,
    /// Bin of the test; kept for the file format.
    pub(crate) bin: u8,
    pub(crate) right: u32,
    pub(crate) value: f32,
}

/// `column` of a leaf.
pub(crate) const LEAF: u8 = u8::MAX;

/// Values of all columns that a node may name; those that a design does not have, and the one of leaves, are no numbers.
type Values = [f32; 256];

const _: () = assert!(MAX_FEATURES <= LEAF as usize);

/// Nodes in depth-first order, left before right.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
}

impl Tree {
    /// Appends a leaf.
    pub(crate) fn push_leaf(&mut self, value: f32) {
        let right = self.nodes.len() as u32;
        self.nodes.push(Node { column: LEAF, bin: 0, right, value });
    }

    /// The node behind `at` on the way of `x`; leaves stay.
    fn next(&self, at: u32, x: &Values) -> u32 {
        let Some(n) = self.nodes.get(at as usize) else { return at };
        if x[usize::from(n.column)] <= n.value { at + 1 } else { n.right }
    }

    /// Builds the depth-first form from `nodes` whose tests hold both child indices.
    pub(crate) fn from_links(links: &[Link], bins: &Bins) -> Tree {
        let mut tree = Tree::default();
        let mut pending: Vec<(usize, Option<usize>)> = vec![(0, None)];
        while let Some((at, patch)) = pending.pop() {
            let here = tree.nodes.len();
            if let Some(parent) = patch {
                tree.nodes[parent].right = here as u32;
            }
            match links[at] {
                Link::Leaf(value) => tree.push_leaf(value),
                Link::Test { column, bin, left, right } => {
                    let value = bins.edges[column][usize::from(bin)];
                    tree.nodes.push(Node { column: column as u8, bin, right: 0, value });
                    pending.push((right, Some(here)));
                    pending.push((left, None));
                }
            }
        }
        tree
    }
}

/// Trees that [`values`] follows at a time: while the nodes of one are fetched, others are compared.
const AT_ONCE: usize = 4;

/// Hands the value of the leaf that `x` falls into to `take`, tree by tree; 0 for empty trees.
pub(crate) fn values(trees: &[Tree], x: &[f32], mut take: impl FnMut(f32)) {
    let mut all = [f32::NAN; 256];
    all.iter_mut().zip(&x[..x.len().min(MAX_FEATURES)]).for_each(|(all, x)| *all = *x);
    let x = &all;
    let leaf = |t: &Tree, at: u32| t.nodes.get(at as usize).map_or(0.0, |n| n.value);
    let mut all = trees.chunks_exact(AT_ONCE);
    for some in &mut all {
        let mut at = [0; AT_ONCE];
        loop {
            let mut moved = 0;
            for (t, at) in some.iter().zip(&mut at) {
                let next = t.next(*at, x);
                moved |= next ^ *at;
                *at = next;
            }
            if moved == 0 {
                break;
            }
        }
        some.iter().zip(at).for_each(|(t, at)| take(leaf(t, at)));
    }
    for t in all.remainder() {
        let (mut at, mut next) = (0, t.next(0, x));
        while next != at {
            (at, next) = (next, t.next(next, x));
        }
        take(leaf(t, at));
    }
}

/// Sum of [`values`].
pub(crate) fn sum(trees: &[Tree], x: &[f32]) -> f64 {
    let mut sum = 0.0;
    values(trees, x, |v| sum += f64::from(v));
    sum
}

/// A node while a tree grows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Link {
    /// A leaf and its value.
    Leaf(f32),
    /// A test of a bin: up to and including `bin` goes left.
    Test { column: usize, bin: u8, left: usize, right: usize },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_split_between_values() {
        let rows = vec![vec![1.0, 7.0], vec![3.0, 7.0], vec![1.0, 7.0], vec![9.0, 7.0]];
        let bins = Bins::fit(&rows, 2);
        assert_eq!(bins.edges, vec![vec![2.0, 6.0], vec![]]);
        assert_eq!(bins.apply(&rows)[0], [0, 1, 0, 2]);
        let many: Vec<Vec<f32>> = (0..1000).map(|i| vec![i as f32]).collect();
        let bins = Bins::fit(&many, 1);
        assert!(bins.edges[0].len() < MAX_BINS && bins.edges[0].len() > 200);
    }

    #[test]
    fn depth_first_order() {
        let bins = Bins { edges: vec![vec![1.0, 2.0]] };
        let links = [
            Link::Test { column: 0, bin: 1, left: 1, right: 2 },
            Link::Test { column: 0, bin: 0, left: 3, right: 4 },
            Link::Leaf(30.0),
            Link::Leaf(10.0),
            Link::Leaf(20.0),
        ];
        let tree = Tree::from_links(&links, &bins);
        let other = Tree::from_links(&links[4..], &bins);
        let trees = [tree.clone(), Tree::default(), other, tree.clone(), tree];
        for (v, of_tree) in [(0.5, 10.0), (1.5, 20.0), (2.5, 30.0)] {
            let mut found = Vec::new();
            values(&trees, &[v], |value| found.push(value));
            assert_eq!(found, [of_tree, 0.0, 20.0, of_tree, of_tree]);
        }
    }
}
