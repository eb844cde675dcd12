//! Gradient-boosted regression trees with histograms (Friedman, 2001; leaf-wise growth as in LightGBM, Ke et al., 2017).

use super::tree::{Bins, Link, Tree};
use crate::rng::Rng;
use serde::{Deserialize, Serialize};

/// Settings of boosting.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BoostOptions {
    /// Number of trees.
    pub rounds: usize,
    /// Shrinkage of every tree.
    pub rate: f64,
    /// Most leaves of a tree.
    pub leaves: usize,
    /// Fewest rows of a leaf.
    pub min_rows: usize,
    /// Share of columns a tree may use.
    pub columns: f64,
    /// Share of rows a tree is grown on.
    pub rows: f64,
}

impl Default for BoostOptions {
    fn default() -> Self {
        BoostOptions { rounds: 400, rate: 0.03, leaves: 31, min_rows: 3, columns: 0.25, rows: 0.75 }
    }
}

struct Split {
    gain: f64,
    column: usize,
    bin: u8,
}

struct Leaf {
    link: usize,
    rows: Vec<u32>,
    best: Option<Split>,
}

/// Fits trees to `target` by least squares. Leaf values include the shrinkage, so a prediction is their plain sum.
pub(crate) fn fit(bins: &Bins, columns: &[Vec<u8>], target: &[f64], options: &BoostOptions, seed: u64) -> Vec<Tree> {
    let mut rng = Rng::new(seed);
    let mut usable: Vec<usize> = (0..columns.len()).filter(|&c| !bins.edges[c].is_empty()).collect();
    let take = ((usable.len() as f64 * options.columns).ceil() as usize).clamp(1, usable.len().max(1));
    let mut order: Vec<u32> = (0..target.len() as u32).collect();
    let sample = ((target.len() as f64 * options.rows).ceil() as usize).min(target.len());
    let mut rest: Vec<f64> = target.to_vec();
    let mut trees = Vec::with_capacity(options.rounds);
    if usable.is_empty() || target.is_empty() {
        return trees;
    }
    for _ in 0..options.rounds {
        rng.shuffle_front(&mut usable, take);
        rng.shuffle_front(&mut order, sample);
        let tree = grow(bins, columns, &rest, &usable[..take], order[..sample].to_vec(), options);
        let out = leaf_values(&tree, columns, rest.len());
        for (r, v) in rest.iter_mut().zip(out) {
            *r -= v;
        }
        trees.push(tree);
    }
    trees
}

/// Values of all training rows, from their bins.
fn leaf_values(tree: &Tree, columns: &[Vec<u8>], rows: usize) -> Vec<f64> {
    (0..rows)
        .map(|r| {
            let mut i = 0;
            loop {
                let n = &tree.nodes[i];
                if n.column == super::tree::LEAF {
                    return f64::from(n.value);
                }
                i = if columns[usize::from(n.column)][r] <= n.bin { i + 1 } else { n.right as usize };
            }
        })
        .collect()
}

fn grow(bins: &Bins, columns: &[Vec<u8>], y: &[f64], usable: &[usize], rows: Vec<u32>, o: &BoostOptions) -> Tree {
    let mut links = vec![Link::Leaf(0.0)];
    let best = best_split(bins, columns, y, usable, &rows, o);
    let mut leaves = vec![Leaf { link: 0, rows, best }];
    while leaves.len() < o.leaves {
        let gain = |l: &Leaf| l.best.as_ref().map_or(0.0, |b| b.gain);
        let Some(at) = (0..leaves.len()).max_by(|&a, &b| gain(&leaves[a]).total_cmp(&gain(&leaves[b]))) else { break };
        let Some(split) = leaves[at].best.take() else { break };
        let leaf = leaves.swap_remove(at);
        let column = &columns[split.column];
        let (left, right): (Vec<u32>, Vec<u32>) = leaf.rows.iter().partition(|&&r| column[r as usize] <= split.bin);
        let (l, r) = (links.len(), links.len() + 1);
        links[leaf.link] = Link::Test { column: split.column, bin: split.bin, left: l, right: r };
        for (link, rows) in [(l, left), (r, right)] {
            links.push(Link::Leaf(0.0));
            let best = best_split(bins, columns, y, usable, &rows, o);
            leaves.push(Leaf { link, rows, best });
        }
    }
    for leaf in &leaves {
        let sum: f64 = leaf.rows.iter().map(|&r| y[r as usize]).sum();
        // One row's worth of shrinkage toward zero steadies small leaves.
        links[leaf.link] = Link::Leaf((o.rate * sum / (leaf.rows.len() as f64 + 0.1)) as f32);
    }
    Tree::from_links(&links, bins)
}

fn best_split(
    bins: &Bins,
    columns: &[Vec<u8>],
    y: &[f64],
    usable: &[usize],
    rows: &[u32],
    o: &BoostOptions,
) -> Option<Split> {
    if rows.len() < 2 * o.min_rows {
        return None;
    }
    let total: f64 = rows.iter().map(|&r| y[r as usize]).sum();
    let n = rows.len();
    let base = total * total / n as f64;
    let mut best: Option<Split> = None;
    let mut sums = [0f64; 256];
    let mut counts = [0u32; 256];
    for &c in usable {
        let used = bins.edges[c].len() + 1;
        sums[..used].fill(0.0);
        counts[..used].fill(0);
        let column = &columns[c];
        for &r in rows {
            let b = usize::from(column[r as usize]);
            sums[b] += y[r as usize];
            counts[b] += 1;
        }
        let (mut left, mut left_n) = (0.0, 0usize);
        for b in 0..used - 1 {
            left += sums[b];
            left_n += counts[b] as usize;
            let right_n = n - left_n;
            if counts[b] == 0 || left_n < o.min_rows {
                continue;
            }
            if right_n < o.min_rows {
                break;
            }
            let right = total - left;
            let gain = left * left / left_n as f64 + right * right / right_n as f64 - base;
            if gain > best.as_ref().map_or(1e-12, |s| s.gain) {
                best = Some(Split { gain, column: c, bin: b as u8 });
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tree::sum;

    #[test]
    fn learns_a_step_and_a_product() {
        let rows: Vec<Vec<f32>> = (0..400).map(|i| vec![(i % 20) as f32, (i / 20) as f32]).collect();
        let y: Vec<f64> = rows.iter().map(|r| f64::from(r[0] * r[1]) / 100.0 + f64::from(r[0] > 9.0)).collect();
        let bins = Bins::fit(&rows, 2);
        let options = BoostOptions { rounds: 200, rate: 0.1, columns: 1.0, ..BoostOptions::default() };
        let columns = bins.apply(&rows);
        let trees = fit(&bins, &columns, &y, &options, 1);
        let error = rows.iter().zip(&y).map(|(x, y)| (sum(&trees, x) - y).abs()).fold(0.0, f64::max);
        assert!(error < 0.25, "{error}");
        assert_eq!(trees, fit(&bins, &columns, &y, &options, 1));
    }
}
