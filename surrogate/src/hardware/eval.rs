//! Scoring and adapting the model of netfold's own hardware on sweep tables.

use super::factors::{self, TERMS};
use super::model::{Family, HardwareModel};
use super::train::{self, Sample};
use super::whole;
use crate::adapt::{Adapted, Correcting, adapt_columns};
use crate::dataset::Table;
use crate::eval::{Pair, Report, report};
use crate::model::{Prediction, Target};
use netfold_ir::diag::{Code, Diag};
use std::collections::BTreeMap;

/// Whether a table holds hardware designs.
pub fn is_hardware(table: &Table) -> bool {
    table.rows.iter().any(|r| r.hardware.is_some())
}

/// The one family of a table.
///
/// # Errors
/// When it has none, several, or an unknown one.
pub fn family(table: &Table) -> Result<Family, Diag> {
    Family::named(&table.part).ok_or_else(|| {
        Diag::new(Code::Invalid, table.sources.join(", "), format!("the rows are of the family {:?}", table.part))
            .help("give the rows of one family: xc7, xcup, ecp5 or ice40")
    })
}

/// Scores of all predictions, and as strata those of networks whose logic is live and mostly constant ([`Sample::constant`]).
fn scored(table: &Table, samples: &[Sample], predictions: Vec<(usize, Prediction)>) -> Report {
    let mut table = table.clone();
    for (i, _) in &predictions {
        let logic = if samples[*i].constant { "mostly constant" } else { "live" };
        table.rows[samples[*i].row].strata.insert("logic".into(), logic.into());
    }
    let mut found: BTreeMap<(usize, Target), Pair> = BTreeMap::new();
    let mut rows = Vec::new();
    for (i, prediction) in predictions {
        let row = samples[i].row;
        rows.push(row);
        for (target, estimate) in prediction.estimates {
            if let Some(&truth) = table.rows[row].targets.get(&target) {
                found.insert((row, target), (truth, estimate));
            }
        }
    }
    report(&table, &rows, &found)
}

/// Scores a model on the networks of a table, or on its modules where it has no networks.
pub fn evaluate(model: &HardwareModel, table: &Table) -> Report {
    let samples = train::samples(table, model.family);
    let networks = samples.iter().any(|s| !s.parts.bare);
    let chosen = (0..samples.len()).filter(|i| samples[*i].parts.bare != networks && samples[*i].part.is_none());
    let predictions = chosen.map(|i| (i, model.parts(samples[i].parts.clone()).prediction)).collect();
    scored(table, &samples, predictions)
}

/// Scores networks by models that were trained without them.
///
/// # Errors
/// As [`train::train_samples`].
pub fn cross_validate(table: &Table, folds: usize, seed: u64) -> Result<Report, Diag> {
    let family = family(table)?;
    let samples = train::samples(table, family);
    let predictions = train::cross_validate(table, &samples, family, folds, seed)?;
    Ok(scored(table, &samples, predictions))
}

/// Trains on all rows of a table.
///
/// # Errors
/// As [`train::train_samples`] and [`family`].
pub fn train(table: &Table, seed: u64) -> Result<HardwareModel, Diag> {
    let family = family(table)?;
    let samples = train::samples(table, family);
    let chosen: Vec<usize> = (0..samples.len()).collect();
    train::train_samples(table, &samples, &chosen, family, seed)
}

/// How much the samples of an adaptation are trusted beside what is known of a family: rows of one block alone that this weighs.
const PULL: f64 = 0.5;

/// LUTs of each building block of a design's parts, trees included.
fn blocks(model: &HardwareModel, parts: &whole::Parts) -> [f64; TERMS] {
    let mut sums = [0.0; TERMS];
    for part in &parts.parts {
        let terms = model.terms(part);
        let learned = f64::from(model.logic(part).0) / terms.iter().sum::<f64>().max(1e-9);
        sums.iter_mut().zip(terms).for_each(|(s, t)| *s += learned * t);
    }
    sums
}

/// Adapts a model to the family of a few samples: DSP blocks and memory by its rules, logic by a correction of the whole.
///
/// # Errors
/// As [`crate::adapt::adapt`] and [`family`].
pub fn adapt(source: &HardwareModel, table: &Table) -> Result<(HardwareModel, Vec<Adapted>), Diag> {
    let family = family(table)?;
    // Of another family, what is known of its LUTs; the samples say the rest.
    let near = if family == source.family { source.blocks } else { family.rule().blocks_of_logic() };
    let mut model = HardwareModel { family, blocks: near, ..source.clone() };
    let samples: Vec<Sample> = train::samples(table, family).into_iter().filter(|s| !s.constant).collect();
    let rows: Vec<([f64; TERMS], f64)> =
        samples.iter().filter_map(|s| Some((blocks(&model, &s.parts), s.truth(table, Target::Lut)?))).collect();
    let fitted = factors::fit_near(&rows, [1.0; TERMS], PULL);
    model.blocks = std::array::from_fn(|k| near[k] * fitted[k]);
    let mut x = vec![Vec::new(); table.rows.len()];
    for s in samples.into_iter().filter(|s| s.part.is_none()) {
        x[s.row] = whole::vector(&s.parts, &model.all_logic(&s.parts));
    }
    // One factor a target: a slope, or amounts, would carry what a few small samples say far beyond their size.
    let how = Correcting { keys: Vec::new(), steady: None };
    let (whole, done) = adapt_columns(&model.whole, table, &x, &how)?;
    model.whole = whole;
    Ok((model, done))
}
