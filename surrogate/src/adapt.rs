//! Adaptation of a trained model to another family or tool from a handful of samples, after the idea of HELP (Lee et al.,
//! 2021): what the source model knows of the order of designs is kept, and only a small correction is learned.
//!
//! For each target, in the log domain: first an affine map of the source's prediction (its slope shrunk toward 1 the more,
//! the fewer samples there are), then a ridge regression of what is left on the inputs of the schema, with a strength
//! chosen by leave-one-out; the ridge is dropped when it does not help. The interval is widened to the leave-one-out errors.

use crate::dataset::{Table, features};
use crate::metrics::percentile;
use crate::model::linear::Linear;
use crate::model::{Correction, Surrogate, Target, TargetModel};
use crate::train::{COVERAGE, conformal_quantile};
use netfold_ir::diag::{Code, Diag};
use serde::{Deserialize, Serialize};

/// Fewest samples that a model adapts to.
pub const FEWEST: usize = 5;

/// What adaptation did to one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Adapted {
    /// Name of the target.
    pub target: String,
    /// Samples that had it.
    pub samples: usize,
    /// Mean absolute log error of the source model on the samples.
    pub before: f64,
    /// The same of the adapted model, each sample predicted without itself.
    pub after: f64,
    /// Whether the regression on features was kept.
    pub features: bool,
}

/// Adapts `source` to the samples in `table`.
///
/// Targets with fewer than [`FEWEST`] samples stay as they are.
///
/// # Errors
/// When no target has enough samples.
pub fn adapt(source: &Surrogate, table: &Table) -> Result<(Surrogate, Vec<Adapted>), Diag> {
    let x: Vec<Vec<f32>> = table.rows.iter().map(|r| features(&source.schema, &r.design)).collect();
    // Only what a user asks for: few samples must not meet many columns.
    let inputs = &source.schema.inputs;
    let keys: Vec<usize> = (0..inputs.len()).filter(|&c| !inputs[c].is_empty()).collect();
    adapt_columns(source, table, &x, &Correcting { keys, steady: Some(1.0) })
}

/// What a correction may depend on.
pub(crate) struct Correcting {
    /// Columns that the regression sees.
    pub(crate) keys: Vec<usize>,
    /// The slope of the source's prediction is drawn to 1 as if so much variance had been seen with it; none: it is 1, and the offset is
    /// the median, which single odd samples do not move.
    pub(crate) steady: Option<f64>,
}

/// As [`adapt`], with the features of the rows given; rows without any are left out.
pub(crate) fn adapt_columns(
    source: &Surrogate,
    table: &Table,
    x: &[Vec<f32>],
    how: &Correcting,
) -> Result<(Surrogate, Vec<Adapted>), Diag> {
    let mut model = source.clone();
    let mut done = Vec::new();
    for target in &mut model.targets {
        let has = |i: &usize| !x[*i].is_empty() && table.rows[*i].targets.contains_key(&target.target);
        let known: Vec<usize> = (0..x.len()).filter(has).collect();
        if known.len() < FEWEST {
            continue;
        }
        let name = target.target;
        let truth = |i: usize| table.rows[i].targets.get(&name).copied().unwrap_or(0.0);
        done.push(adapt_target(target, how, x, &known, &truth));
    }
    if done.is_empty() {
        let cause = format!("{} samples are too few to adapt to", table.rows.len());
        return Err(Diag::new(Code::Invalid, table.sources.join(", "), cause)
            .help(format!("give at least {FEWEST} synthesized designs with the same targets as the model")));
    }
    for row in x {
        for (range, &v) in model.ranges.iter_mut().zip(row) {
            *range = (range.0.min(v), range.1.max(v));
        }
    }
    model.provenance.adapted_rows = table.rows.len();
    model.provenance.tool = table.tool.clone();
    model.provenance.part = table.part.clone();
    model.provenance.data.extend(table.sources.iter().map(|s| format!("adapted to {s}")));
    Ok((model, done))
}

fn adapt_target(
    model: &mut TargetModel,
    how: &Correcting,
    x: &[Vec<f32>],
    known: &[usize],
    truth: &dyn Fn(usize) -> f64,
) -> Adapted {
    let mut scratch = Vec::new();
    let p: Vec<f64> = known.iter().map(|&i| model.log_value(&x[i], &mut scratch)).collect();
    let y: Vec<f64> = known.iter().map(|&i| (truth(i) + model.shift).ln()).collect();
    let rows: Vec<Vec<f32>> = known.iter().map(|&i| masked(&x[i], &how.keys)).collect();
    let all: Vec<usize> = (0..known.len()).collect();
    let mut best: Option<(f64, Vec<f64>, Option<f64>)> = None;
    let strengths = [None, Some(30.0), Some(10.0), Some(3.0), Some(1.0)];
    for strength in strengths.into_iter().filter(|s| s.is_none() || !how.keys.is_empty()) {
        let errors: Vec<f64> = all
            .iter()
            .map(|&out| {
                let rest: Vec<usize> = all.iter().copied().filter(|&i| i != out).collect();
                let c = correction(&rows, &p, &y, &rest, strength, how.steady);
                (y[out] - apply(&c, p[out], &rows[out])).abs()
            })
            .collect();
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        // A more complex correction has to earn its place.
        if best.as_ref().is_none_or(|(b, _, _)| mean < 0.95 * b) {
            best = Some((mean, errors, strength));
        }
    }
    let (after, mut errors, strength) = best.unwrap_or((0.0, Vec::new(), None));
    let before = p.iter().zip(&y).map(|(p, y)| (p - y).abs()).sum::<f64>() / p.len() as f64;
    let new = correction(&rows, &p, &y, &all, strength, how.steady);
    for (e, &i) in errors.iter_mut().zip(known) {
        *e /= model.difficulty_of(&x[i]);
    }
    errors.sort_by(f64::total_cmp);
    // With n samples the largest leave-one-out error bounds only n / (n + 1) of the future: stretch below 9 samples.
    let stretch = (9.0 / errors.len() as f64).max(1.0);
    model.quantile = model.quantile.max(stretch * conformal_quantile(&errors, COVERAGE));
    let target: Target = model.target;
    model.correction = Some(match model.correction.take() {
        None => new.clone(),
        Some(old) => chained(old, &new),
    });
    Adapted { target: target.name().into(), samples: known.len(), before, after, features: new.extra.is_some() }
}

/// Keeps the key columns and zeroes the rest, so that the regression only sees them.
fn masked(x: &[f32], keys: &[usize]) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    for &k in keys {
        out[k] = x.get(k).copied().unwrap_or(0.0);
    }
    out
}

fn apply(c: &Correction, log: f64, x: &[f32]) -> f64 {
    c.offset + c.slope * log + c.extra.as_ref().map_or(0.0, |e| e.value(x))
}

fn correction(
    rows: &[Vec<f32>],
    p: &[f64],
    y: &[f64],
    chosen: &[usize],
    strength: Option<f64>,
    steady: Option<f64>,
) -> Correction {
    let n = chosen.len() as f64;
    let mp = chosen.iter().map(|&i| p[i]).sum::<f64>() / n;
    let my = chosen.iter().map(|&i| y[i]).sum::<f64>() / n;
    let cov: f64 = chosen.iter().map(|&i| (p[i] - mp) * (y[i] - my)).sum();
    let var: f64 = chosen.iter().map(|&i| (p[i] - mp).powi(2)).sum();
    let mut c = match steady {
        Some(steady) => {
            // A slope that turns the order around is never taken.
            let slope = ((cov + steady) / (var + steady)).clamp(0.2, 3.0);
            Correction { offset: my - slope * mp, slope, extra: None }
        }
        None => {
            let mut apart: Vec<f64> = chosen.iter().map(|&i| y[i] - p[i]).collect();
            apart.sort_by(f64::total_cmp);
            Correction { offset: percentile(&apart, 0.5), slope: 1.0, extra: None }
        }
    };
    if let Some(strength) = strength {
        let x: Vec<Vec<f32>> = chosen.iter().map(|&i| rows[i].clone()).collect();
        let rest: Vec<f64> = chosen.iter().map(|&i| y[i] - apply(&c, p[i], &rows[i])).collect();
        c.extra = Some(Linear::fit(&x, &rest, &vec![1.0; x.len()], strength, f64::MIN));
    }
    c
}

/// `new` after `old`, as one correction.
fn chained(old: Correction, new: &Correction) -> Correction {
    let mut slopes = Vec::new();
    let mut intercept = 0.0;
    for (e, scale) in [(&old.extra, new.slope), (&new.extra, 1.0)] {
        if let Some(e) = e {
            intercept += scale * e.intercept;
            slopes.extend(e.slopes.iter().map(|&(c, s)| (c, scale * s)));
        }
    }
    let extra = (!slopes.is_empty() || intercept != 0.0).then_some(Linear { intercept, slopes, floor: f64::MIN });
    Correction { offset: new.offset + new.slope * old.offset, slope: new.slope * old.slope, extra }
}
