//! Scoring: a model on a table, or the training recipe by cross-validation and by a fixed split.

use crate::dataset::{Table, features};
use crate::metrics::{Scores, scores};
use crate::model::{Estimate, Surrogate, Target};
use crate::train::{TrainOptions, folds, train_rows};
use netfold_ir::diag::Diag;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Scores of every target, whole and by stratum; serialises to the JSON of `netfold surrogate eval --json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Scores by target name, over all rows.
    pub targets: BTreeMap<String, Scores>,
    /// Scores by stratum (`layers=2`), then by target name. Strata with fewer than 5 rows are left out.
    pub strata: BTreeMap<String, BTreeMap<String, Scores>>,
    /// Rows scored.
    pub rows: usize,
}

/// A truth and its estimate.
pub(crate) type Pair = (f64, Estimate);

/// Scores of estimates by row and target.
pub(crate) fn report(table: &Table, rows: &[usize], found: &BTreeMap<(usize, Target), Pair>) -> Report {
    let score = |rows: &[usize]| -> BTreeMap<String, Scores> {
        let mut out = BTreeMap::new();
        for target in Target::ALL {
            let pairs: Vec<Pair> = rows.iter().filter_map(|&i| found.get(&(i, target)).copied()).collect();
            let truth: Vec<f64> = pairs.iter().map(|p| p.0).collect();
            let value: Vec<f64> = pairs.iter().map(|p| p.1.value).collect();
            let bounds: Vec<(f64, f64)> = pairs.iter().map(|p| (p.1.low, p.1.high)).collect();
            if let Some(s) = scores(&truth, &value, Some(&bounds)) {
                out.insert(target.name().to_string(), s);
            }
        }
        out
    };
    let mut strata: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for &i in rows {
        for (name, value) in &table.rows[i].strata {
            strata.entry(format!("{name}={value}")).or_default().push(i);
        }
    }
    let strata = strata.into_iter().filter(|(_, r)| r.len() >= 5).map(|(name, r)| (name, score(&r))).collect();
    Report { targets: score(rows), strata, rows: rows.len() }
}

fn predict_into(model: &Surrogate, table: &Table, rows: &[usize], found: &mut BTreeMap<(usize, Target), Pair>) {
    for &i in rows {
        let row = &table.rows[i];
        let prediction = model.predict(&features(&model.schema, &row.design));
        for (target, estimate) in prediction.estimates {
            if let Some(&truth) = row.targets.get(&target) {
                found.insert((i, target), (truth, estimate));
            }
        }
    }
}

/// Scores a model on all rows of a table that it has not seen.
pub fn evaluate(model: &Surrogate, table: &Table) -> Report {
    let rows: Vec<usize> = (0..table.rows.len()).collect();
    let mut found = BTreeMap::new();
    predict_into(model, table, &rows, &mut found);
    report(table, &rows, &found)
}

/// Trains on all folds but one and scores on that one, for every fold. Groups (networks, shapes) are never split.
///
/// # Errors
/// As [`crate::train::train`].
pub fn cross_validate(table: &Table, options: &TrainOptions, folds_count: usize, seed: u64) -> Result<Report, Diag> {
    let groups: Vec<&str> = table.rows.iter().map(|r| r.group.as_str()).collect();
    let fold_of = folds(&groups, folds_count.max(2), seed);
    let mut found = BTreeMap::new();
    for fold in 0..folds_count.max(2) {
        held_out(table, options, &fold_of, fold, &mut found)?;
    }
    let rows: Vec<usize> = (0..table.rows.len()).collect();
    Ok(report(table, &rows, &found))
}

/// Trains on four fifths of the groups and scores on the last fifth.
///
/// # Errors
/// As [`crate::train::train`].
pub fn fixed_split(table: &Table, options: &TrainOptions, seed: u64) -> Result<Report, Diag> {
    let groups: Vec<&str> = table.rows.iter().map(|r| r.group.as_str()).collect();
    let fold_of = folds(&groups, 5, seed);
    let mut found = BTreeMap::new();
    held_out(table, options, &fold_of, 0, &mut found)?;
    let rows: Vec<usize> = (0..table.rows.len()).filter(|&i| fold_of[i] == 0).collect();
    Ok(report(table, &rows, &found))
}

fn held_out(
    table: &Table,
    options: &TrainOptions,
    fold_of: &[usize],
    fold: usize,
    found: &mut BTreeMap<(usize, Target), Pair>,
) -> Result<(), Diag> {
    let all = 0..table.rows.len();
    let training: Vec<usize> = all.clone().filter(|&i| fold_of[i] != fold).collect();
    let test: Vec<usize> = all.filter(|&i| fold_of[i] == fold).collect();
    let matrix = table.matrix();
    let model = train_rows(table, &matrix.schema, &matrix.rows, &training, options)?;
    predict_into(&model, table, &test, found);
    Ok(())
}
