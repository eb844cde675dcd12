//! Training: a prior, trees on the log-ratio to it, and a calibrated interval for every target of a table.

use crate::dataset::Table;
use crate::features::Schema;
use crate::model::boost::{self, BoostOptions};
use crate::model::extra::{self, ExtraOptions};
use crate::model::linear::Linear;
use crate::model::tree::{Bins, MAX_FEATURES, Tree};
use crate::model::{Correction, Prior, Provenance, Surrogate, Target, TargetModel, difficulty};
use crate::rng::Rng;
use netfold_ir::diag::{Code, Diag};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Share of held-out designs whose truth an interval should hold.
pub const COVERAGE: f64 = 0.9;

/// How one target is modelled.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// Columns that may compute the target by construction; the best one is chosen. When empty: a ridge regression if
    /// `ridge` is set, otherwise the median.
    pub prior_columns: Vec<String>,
    /// Strengths of the ridge regression to choose from, by the error that quick trees leave on held-out groups; none for
    /// no regression.
    pub ridge: Vec<f64>,
    /// Added to values before their logarithm.
    pub shift: f64,
    /// Boosted trees; weight 0 leaves them out.
    pub boost: BoostOptions,
    /// Boosted models that are averaged, each with its own seed.
    pub boost_repeats: usize,
    /// Randomised trees; 0 trees leave them out.
    pub extra: ExtraOptions,
    /// Weight of the boosted trees, 0 to 1.
    pub boosted_share: f64,
    /// Logarithm of a value's ratio to its prior beyond which a row pulls no harder.
    pub largest: f64,
    /// Whether the trees go where held-out rows are nearer to the prior without them.
    pub optional: bool,
}

impl Recipe {
    /// The recipe that measured best for a target (see docs/surrogate.md).
    pub fn of(target: Target) -> Recipe {
        let base = Recipe {
            prior_columns: Vec::new(),
            ridge: vec![1.0, 40.0, 600.0],
            shift: 1.0,
            boost: BoostOptions::default(),
            boost_repeats: 2,
            extra: ExtraOptions { trees: 20, min_rows: 3, median: false, ..ExtraOptions::default() },
            boosted_share: 0.7,
            largest: f64::INFINITY,
            optional: false,
        };
        let exact = |columns: &[&str]| Recipe {
            prior_columns: columns.iter().map(ToString::to_string).collect(),
            ridge: Vec::new(),
            extra: ExtraOptions { trees: 30, ..ExtraOptions::default() },
            boosted_share: 0.0,
            ..base.clone()
        };
        match target {
            Target::Lut | Target::Ff | Target::Carry | Target::FmaxMhz => base,
            Target::Dsp => exact(&["dsp_from_8_bits", "dsp_from_6_bits", "dsp_prior"]),
            Target::LatencyCycles => exact(&["cycles_prior"]),
            Target::IntervalCycles => exact(&["interval_prior", "cycles_prior"]),
            Target::Bram36 | Target::Uram | Target::Lutram => Recipe {
                ridge: Vec::new(),
                shift: 0.25,
                extra: ExtraOptions { trees: 100, columns: 0.5, ..ExtraOptions::default() },
                boosted_share: 0.0,
                ..base
            },
        }
    }
}

/// Settings of training.
#[derive(Debug, Clone)]
pub struct TrainOptions {
    /// Seed of every random choice.
    pub seed: u64,
    /// Folds whose out-of-fold residuals calibrate the intervals, at least 2.
    pub folds: usize,
    /// Targets to learn; all that the table has when empty.
    pub targets: Vec<Target>,
    /// Recipes that differ from [`Recipe::of`].
    pub recipes: BTreeMap<Target, Recipe>,
    /// Whether intervals scale with a learned difficulty of the design.
    pub difficulty: bool,
}

impl Default for TrainOptions {
    fn default() -> Self {
        TrainOptions { seed: 1, folds: 5, targets: Vec::new(), recipes: BTreeMap::new(), difficulty: true }
    }
}

/// Trains a model of every target that a table has.
///
/// # Errors
/// When the table has fewer than 20 usable rows or more columns than a model may have.
pub fn train(table: &Table, options: &TrainOptions) -> Result<Surrogate, Diag> {
    let matrix = table.matrix();
    if matrix.schema.len() > MAX_FEATURES {
        return Err(Diag::new(
            Code::Unsupported,
            "dataset",
            format!("the rows have {} feature columns, a model may have {MAX_FEATURES}", matrix.schema.len()),
        )
        .help("drop per-module values that do not matter to logic"));
    }
    let rows: Vec<usize> = (0..table.rows.len()).collect();
    let mut model = train_rows(table, &matrix.schema, &matrix.rows, &rows, options)?;
    model.provenance.data = table.sources.clone();
    model.provenance.tool = table.tool.clone();
    model.provenance.part = table.part.clone();
    Ok(model)
}

/// Trains on the rows `chosen` of a table whose features are `x`.
pub(crate) fn train_rows(
    table: &Table,
    schema: &Schema,
    x: &[Vec<f32>],
    chosen: &[usize],
    options: &TrainOptions,
) -> Result<Surrogate, Diag> {
    if chosen.len() < 20 {
        let cause = format!("{} rows are too few to train on", chosen.len());
        return Err(
            Diag::new(Code::Invalid, "dataset", cause).help("give at least 20, or use `netfold surrogate adapt`")
        );
    }
    let data: Vec<Vec<f32>> = chosen.iter().map(|&i| x[i].clone()).collect();
    let groups: Vec<&str> = chosen.iter().map(|&i| table.rows[i].group.as_str()).collect();
    let bins = Bins::fit(&data, schema.len());
    let columns = bins.apply(&data);
    let fold_of = folds(&groups, options.folds.max(2), options.seed);
    let mut targets = Vec::new();
    for target in Target::ALL {
        if !options.targets.is_empty() && !options.targets.contains(&target) {
            continue;
        }
        let y: Vec<Option<f64>> = chosen.iter().map(|&i| table.rows[i].targets.get(&target).copied()).collect();
        if y.iter().flatten().count() < 20 {
            continue;
        }
        let recipe = options.recipes.get(&target).cloned().unwrap_or_else(|| Recipe::of(target));
        let part = Part { schema, bins: &bins, x: &data, columns: &columns, recipe: &recipe, target };
        targets.push(part.calibrated(&y, &fold_of, options));
    }
    let ranges = (0..schema.len())
        .map(|c| data.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), r| (l.min(r[c]), h.max(r[c]))))
        .collect();
    let mut distinct = groups.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let provenance = Provenance {
        rows: chosen.len(),
        groups: distinct.len(),
        seed: options.seed,
        data_hash: table.hash(chosen),
        ..Provenance::default()
    };
    Ok(Surrogate { schema: schema.clone(), provenance, ranges, targets, bins })
}

/// Assigns every row a fold so that no group is split: groups in random order go to the fold with fewest rows.
pub fn folds(groups: &[&str], folds: usize, seed: u64) -> Vec<usize> {
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for g in groups {
        *sizes.entry(g).or_default() += 1;
    }
    let mut names: Vec<&str> = sizes.keys().copied().collect();
    let n = names.len();
    Rng::new(seed).shuffle_front(&mut names, n);
    let mut load = vec![0usize; folds.max(1)];
    let mut of: BTreeMap<&str, usize> = BTreeMap::new();
    for name in names {
        let fold = (0..load.len()).min_by_key(|&f| load[f]).unwrap_or(0);
        load[fold] += sizes[name];
        of.insert(name, fold);
    }
    groups.iter().map(|g| of[g]).collect()
}

/// True value of a row.
type Truth<'t> = dyn Fn(usize) -> f64 + Sync + 't;

/// Data and settings of one target's training.
#[derive(Clone, Copy)]
struct Part<'a> {
    schema: &'a Schema,
    bins: &'a Bins,
    x: &'a [Vec<f32>],
    columns: &'a [Vec<u8>],
    recipe: &'a Recipe,
    target: Target,
}

impl Part<'_> {
    /// Fits on all rows that have the target; residuals of rows left out by folds calibrate the interval.
    fn calibrated(&self, y: &[Option<f64>], fold_of: &[usize], options: &TrainOptions) -> TargetModel {
        let seed = options.seed;
        let folds = fold_of.iter().max().map_or(0, |m| m + 1);
        let known: Vec<usize> = (0..y.len()).filter(|&i| y[i].is_some()).collect();
        let truth = |i: usize| y[i].unwrap_or(0.0);
        let shift = self.recipe.shift;
        let strength = self.choose_strength(&known, &truth, fold_of, seed);
        let mut fitted: Vec<(usize, TargetModel)> = (0..=folds)
            .into_par_iter()
            .map(|f| {
                let rows: Vec<usize> = known.iter().copied().filter(|&i| fold_of[i] != f).collect();
                (f, self.fit(&rows, &truth, strength, seed))
            })
            .collect();
        let residuals = |fitted: &[(usize, TargetModel)]| -> BTreeMap<usize, f64> {
            let mut scratch = Vec::new();
            let mut residual = BTreeMap::new();
            for (f, model) in fitted.iter().take(folds) {
                for &i in known.iter().filter(|&&i| fold_of[i] == *f) {
                    let log = model.log_value(&self.x[i], &mut scratch);
                    residual.insert(i, ((truth(i) + shift).ln() - log).abs());
                }
            }
            residual
        };
        let mut residual = residuals(&fitted);
        if self.recipe.optional {
            let bare = |(f, model): &(usize, TargetModel)| {
                (*f, TargetModel { boosted: Vec::new(), extra: Vec::new(), ..model.clone() })
            };
            let without: Vec<_> = fitted.iter().map(bare).collect();
            let plain = residuals(&without);
            let bounded = |r: &BTreeMap<usize, f64>| r.values().map(|r| r.min(self.recipe.largest)).sum::<f64>();
            if bounded(&plain) <= bounded(&residual) {
                (fitted, residual) = (without, plain);
            }
        }
        // Difficulty is learned from the residuals, and judged on folds it has not seen.
        let logs: BTreeMap<usize, f64> = residual.iter().map(|(&i, &r)| (i, (r + 0.003).ln())).collect();
        let spread: Vec<Vec<Tree>> = (0..=folds)
            .into_par_iter()
            .map(|f| {
                if !options.difficulty {
                    return Vec::new();
                }
                let rows: Vec<usize> = known.iter().copied().filter(|&i| fold_of[i] != f).collect();
                self.fit_difficulty(&rows, &logs, seed ^ 0x5eed)
            })
            .collect();
        let mut ratios: Vec<f64> =
            residual.iter().map(|(&i, &r)| r / difficulty(&spread[fold_of[i]], &self.x[i])).collect();
        ratios.sort_by(f64::total_cmp);
        let mut model = fitted.pop().map_or_else(|| self.fit(&known, &truth, strength, seed), |(_, m)| m);
        model.quantile = conformal_quantile(&ratios, COVERAGE);
        model.difficulty = spread.into_iter().next_back().unwrap_or_default();
        model
    }

    /// The ridge strength whose residual quick trees predict best on groups left out (three of the folds).
    fn choose_strength(&self, known: &[usize], truth: &Truth, fold_of: &[usize], seed: u64) -> Option<f64> {
        if self.recipe.ridge.len() < 2 {
            return self.recipe.ridge.first().copied();
        }
        let quick = Recipe {
            boost: BoostOptions { rounds: 120, rate: 0.1, ..self.recipe.boost },
            boost_repeats: 1,
            boosted_share: 1.0,
            ..self.recipe.clone()
        };
        let part = Part { recipe: &quick, ..*self };
        let errors: Vec<f64> = (0..3 * quick.ridge.len())
            .into_par_iter()
            .map(|k| {
                let (fold, strength) = (k % 3, quick.ridge[k / 3]);
                let rows: Vec<usize> = known.iter().copied().filter(|&i| fold_of[i] != fold).collect();
                let model = part.fit(&rows, truth, Some(strength), seed);
                let mut scratch = Vec::new();
                let out = known.iter().filter(|&&i| fold_of[i] == fold);
                out.map(|&i| ((truth(i) + quick.shift).ln() - model.log_value(&self.x[i], &mut scratch)).abs()).sum()
            })
            .collect();
        let sums: Vec<f64> = errors.chunks(3).map(|c| c.iter().sum()).collect();
        (0..sums.len()).min_by(|&a, &b| sums[a].total_cmp(&sums[b])).map(|i| quick.ridge[i])
    }

    fn fit(&self, rows: &[usize], truth: &Truth, strength: Option<f64>, seed: u64) -> TargetModel {
        let r = self.recipe;
        let x: Vec<Vec<f32>> = rows.iter().map(|&i| self.x[i].clone()).collect();
        let y: Vec<f64> = rows.iter().map(|&i| truth(i)).collect();
        let prior = self.prior(&x, &y, strength);
        let ratio: Vec<f64> = x
            .iter()
            .zip(&y)
            .map(|(x, y)| ((y + r.shift) / (prior.value(x) + r.shift)).ln().clamp(-r.largest, r.largest))
            .collect();
        let columns = self.subset(rows);
        let mut boosted = Vec::new();
        if r.boosted_share > 0.0 {
            let n = r.boost_repeats.max(1);
            for k in 0..n {
                boosted.extend(boost::fit(self.bins, &columns, &ratio, &r.boost, seed.wrapping_add(k as u64)));
            }
            for node in boosted.iter_mut().flat_map(|t| &mut t.nodes) {
                if node.column == crate::model::tree::LEAF {
                    node.value /= n as f32;
                }
            }
        }
        let extra =
            if r.boosted_share < 1.0 { extra::fit(self.bins, &columns, &ratio, &r.extra, seed) } else { Vec::new() };
        TargetModel {
            target: self.target,
            prior,
            shift: r.shift,
            boosted_share: r.boosted_share,
            median: r.extra.median,
            quantile: 0.0,
            correction: None::<Correction>,
            boosted,
            extra,
            difficulty: Vec::new(),
        }
    }

    fn subset(&self, rows: &[usize]) -> Vec<Vec<u8>> {
        self.columns.iter().map(|c| rows.iter().map(|&i| c[i]).collect()).collect()
    }

    fn fit_difficulty(&self, rows: &[usize], logs: &BTreeMap<usize, f64>, seed: u64) -> Vec<Tree> {
        let known: Vec<usize> = rows.iter().copied().filter(|i| logs.contains_key(i)).collect();
        let y: Vec<f64> = known.iter().map(|i| logs[i]).collect();
        let mean = y.iter().sum::<f64>() / y.len().max(1) as f64;
        let y: Vec<f64> = y.iter().map(|v| v - mean).collect();
        let options = BoostOptions { rounds: 60, rate: 0.05, leaves: 8, min_rows: 20, columns: 0.5, rows: 0.8 };
        boost::fit(self.bins, &self.subset(&known), &y, &options, seed)
    }

    fn prior(&self, x: &[Vec<f32>], y: &[f64], strength: Option<f64>) -> Prior {
        let shift = self.recipe.shift;
        let candidates = self.recipe.prior_columns.iter().filter_map(|n| self.schema.index(n));
        let miss = |c: usize| -> f64 {
            x.iter().zip(y).map(|(x, y)| ((y + shift) / (f64::from(x[c]).max(0.0) + shift)).ln().abs()).sum()
        };
        if let Some(c) = candidates.min_by(|&a, &b| miss(a).total_cmp(&miss(b))) {
            return Prior::Column(c as u16);
        }
        if let Some(strength) = strength {
            let least = y.iter().copied().fold(f64::INFINITY, f64::min);
            let weights: Vec<f64> = y.iter().map(|y| 1.0 / (y + shift).powi(2)).collect();
            return Prior::Linear(Linear::fit(x, y, &weights, strength, least / 2.0));
        }
        let mut sorted = y.to_vec();
        sorted.sort_by(f64::total_cmp);
        Prior::Constant(crate::metrics::percentile(&sorted, 0.5))
    }
}

/// The smallest value that at least `ceil((n + 1) * level)` of the sorted scores do not exceed.
pub(crate) fn conformal_quantile(sorted: &[f64], level: f64) -> f64 {
    let k = ((sorted.len() + 1) as f64 * level).ceil() as usize;
    sorted.get(k.saturating_sub(1)).or(sorted.last()).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_stay_whole() {
        let groups: Vec<String> = (0..90).map(|i| format!("g{}", i / 3)).collect();
        let names: Vec<&str> = groups.iter().map(String::as_str).collect();
        let of = folds(&names, 4, 7);
        for i in 0..90 {
            assert_eq!(of[i], of[i / 3 * 3]);
        }
        for f in 0..4 {
            let n = of.iter().filter(|&&o| o == f).count();
            assert!((20..=26).contains(&n), "{n}");
        }
    }

    #[test]
    fn quantile_of_nine_and_nineteen() {
        let nine: Vec<f64> = (1..=9).map(f64::from).collect();
        assert_eq!(conformal_quantile(&nine, 0.9), 9.0);
        let nineteen: Vec<f64> = (1..=19).map(f64::from).collect();
        assert_eq!(conformal_quantile(&nineteen, 0.9), 18.0);
        assert_eq!(conformal_quantile(&[], 0.9), 0.0);
    }
}
