//! Extremely randomised trees (Geurts, Ernst, Wehenkel, 2006): random thresholds, no bootstrap, grown until pure. Their
//! median is robust where the target jumps, as memory blocks do.

use super::tree::{Bins, Link, Tree};
use crate::rng::Rng;
use serde::{Deserialize, Serialize};

/// Settings of the randomised trees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ExtraOptions {
    /// Number of trees.
    pub trees: usize,
    /// Share of columns tried at a node.
    pub columns: f64,
    /// Fewest rows of a leaf.
    pub min_rows: usize,
    /// Combine the trees by their median instead of their mean.
    pub median: bool,
}

impl Default for ExtraOptions {
    fn default() -> Self {
        ExtraOptions { trees: 80, columns: 0.6, min_rows: 1, median: true }
    }
}

/// Fits trees to `target` by least squares.
pub(crate) fn fit(bins: &Bins, columns: &[Vec<u8>], target: &[f64], options: &ExtraOptions, seed: u64) -> Vec<Tree> {
    let usable: Vec<usize> = (0..columns.len()).filter(|&c| !bins.edges[c].is_empty()).collect();
    let mut rng = Rng::new(seed);
    let seeds: Vec<u64> = (0..options.trees).map(|_| rng.next_u64()).collect();
    if target.is_empty() {
        return Vec::new();
    }
    seeds.into_iter().map(|s| grow(bins, columns, target, &usable, options, Rng::new(s))).collect()
}

fn grow(bins: &Bins, columns: &[Vec<u8>], y: &[f64], usable: &[usize], o: &ExtraOptions, mut rng: Rng) -> Tree {
    let tries = ((usable.len() as f64 * o.columns).ceil() as usize).max(1);
    let mut usable = usable.to_vec();
    let mut links = vec![Link::Leaf(0.0)];
    let mut pending: Vec<(usize, Vec<u32>)> = vec![(0, (0..y.len() as u32).collect())];
    while let Some((at, rows)) = pending.pop() {
        let total: f64 = rows.iter().map(|&r| y[r as usize]).sum();
        let first = y[rows[0] as usize];
        let pure = rows.iter().all(|&r| y[r as usize] == first);
        let split = if pure || rows.len() < 2 * o.min_rows {
            None
        } else {
            random_split(bins, columns, y, &mut usable, tries, &rows, total, o.min_rows, &mut rng)
        };
        let Some((column, bin)) = split else {
            links[at] = Link::Leaf((total / rows.len() as f64) as f32);
            continue;
        };
        let (left, right): (Vec<u32>, Vec<u32>) = rows.iter().partition(|&&r| columns[column][r as usize] <= bin);
        let (l, r) = (links.len(), links.len() + 1);
        links.extend([Link::Leaf(0.0), Link::Leaf(0.0)]);
        links[at] = Link::Test { column, bin, left: l, right: r };
        pending.push((l, left));
        pending.push((r, right));
    }
    Tree::from_links(&links, bins)
}

/// The best of `tries` random tests on columns that are not constant here.
#[allow(clippy::too_many_arguments)]
fn random_split(
    bins: &Bins,
    columns: &[Vec<u8>],
    y: &[f64],
    usable: &mut [usize],
    tries: usize,
    rows: &[u32],
    total: f64,
    min_rows: usize,
    rng: &mut Rng,
) -> Option<(usize, u8)> {
    let mut best: Option<(f64, usize, u8)> = None;
    let mut tried = 0;
    for i in 0..usable.len() {
        if tried == tries {
            break;
        }
        let j = i + rng.below(usable.len() - i);
        usable.swap(i, j);
        let c = usable[i];
        let column = &columns[c];
        let (mut low, mut high) = (u8::MAX, 0u8);
        for &r in rows {
            let b = column[r as usize];
            low = low.min(b);
            high = high.max(b);
        }
        if low >= high {
            continue;
        }
        tried += 1;
        // A threshold uniform in value, not in bin, between the edges that part the rows.
        let edges = &bins.edges[c];
        let (a, b) = (f64::from(edges[usize::from(low)]), f64::from(edges[usize::from(high) - 1]));
        let t = (a + (b - a) * rng.unit()) as f32;
        let bin = (edges.partition_point(|&e| e <= t).max(1) - 1) as u8;
        let bin = bin.clamp(low, high - 1);
        let (mut left, mut left_n) = (0.0, 0usize);
        for &r in rows {
            if column[r as usize] <= bin {
                left += y[r as usize];
                left_n += 1;
            }
        }
        let right_n = rows.len() - left_n;
        if left_n < min_rows || right_n < min_rows {
            continue;
        }
        let right = total - left;
        let score = left * left / left_n as f64 + right * right / right_n as f64;
        if best.is_none_or(|(s, _, _)| score > s) {
            best = Some((score, c, bin));
        }
    }
    best.map(|(_, c, b)| (c, b))
}

/// Combines tree values by median or mean.
pub(crate) fn combine(values: &mut [f32], median: bool) -> f64 {
    let n = values.len();
    if n == 0 {
        return 0.0;
    }
    if !median {
        return values.iter().map(|&v| f64::from(v)).sum::<f64>() / n as f64;
    }
    let (_, &mut upper, _) = values.select_nth_unstable_by(n / 2, f32::total_cmp);
    if n % 2 == 1 {
        return f64::from(upper);
    }
    let lower = values[..n / 2].iter().copied().fold(f32::NEG_INFINITY, f32::max);
    f64::from(lower + upper) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tree::values;

    #[test]
    fn repeats_its_training_rows() {
        let rows: Vec<Vec<f32>> = (0..100).map(|i| vec![(i % 10) as f32, (i / 10) as f32]).collect();
        let y: Vec<f64> = (0..100).map(|i| f64::from((i * 37) % 11)).collect();
        let bins = Bins::fit(&rows, 2);
        let trees = fit(&bins, &bins.apply(&rows), &y, &ExtraOptions { trees: 5, ..ExtraOptions::default() }, 3);
        for (x, y) in rows.iter().zip(&y) {
            let mut v = Vec::new();
            values(&trees, x, |value| v.push(value));
            assert_eq!(combine(&mut v, true), *y);
        }
    }

    #[test]
    fn median_and_mean() {
        assert_eq!(combine(&mut [3.0, 1.0, 9.0], true), 3.0);
        assert_eq!(combine(&mut [4.0, 1.0, 9.0, 2.0], true), 3.0);
        assert_eq!(combine(&mut [4.0, 1.0, 9.0, 2.0], false), 4.0);
        assert_eq!(combine(&mut [], true), 0.0);
    }
}
