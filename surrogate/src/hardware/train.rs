//! Training the model of netfold's own hardware: modules first, then whole designs with what the modules' models say of their parts.

use super::count::Count;
use super::factors;
use super::model::{Family, HardwareModel, module_schema};
use super::whole::{self, Parts};
use crate::dataset::Table;
use crate::model::boost::BoostOptions;
use crate::model::extra::ExtraOptions;
use crate::model::{Surrogate, Target};
use crate::train::{Recipe, TrainOptions, train_rows};
use netfold_ir::diag::{Code, Diag};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Rows of one group of modules below which no trees are grown: its structure with fitted factors is taken.
const FEWEST: usize = 40;
/// Rows of one group below which its factors stay as they are.
const FEWEST_FACTORS: usize = 5;

/// A design of a table, taken apart.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Row of the table.
    pub row: usize,
    /// Its parts.
    pub parts: Parts,
    /// Whether synthesis found much of the logic to be constant: of a network less than a third of what its parts are counted to is
    /// left, of a module less than three quarters of its registers. Nothing is learned from such a row, because it says nothing
    /// of what its parts cost.
    pub constant: bool,
}

/// Takes the hardware designs of a table apart; rows without one are left out.
pub fn samples(table: &Table, family: Family) -> Vec<Sample> {
    let rule = family.rule();
    (0..table.rows.len())
        .into_par_iter()
        .filter_map(|row| {
            let r = &table.rows[row];
            let design = r.hardware.as_deref()?;
            let what = |key: &str| r.strata.get(key).map_or("", String::as_str);
            let parts = match what("kind") {
                "module" => whole::bare(design, what("unit"), &rule)?,
                _ => whole::parts(design, &rule),
            };
            let lut = r.targets.get(&Target::Lut).copied().unwrap_or(0.0);
            let built: f64 = parts.parts.iter().map(|p| p.count.lut()).sum();
            let ff = r.targets.get(&Target::Ff).copied().unwrap_or(0.0);
            let registers: f64 = parts.parts.iter().map(|p| p.count.ff).sum();
            let constant = if parts.bare { ff + 8.0 < 0.75 * registers } else { 3.0 * lut <= built };
            Some(Sample { row, parts, constant })
        })
        .collect()
}

/// How LUTs and flip-flops of modules are learned.
fn module_recipe(target: Target) -> Recipe {
    Recipe {
        prior_columns: vec![if target == Target::Ff { "ff0".into() } else { "lut0".into() }],
        ridge: Vec::new(),
        shift: if target == Target::Ff { 2.0 } else { 4.0 },
        boost: BoostOptions { rounds: 120, rate: 0.07, leaves: 10, min_rows: 5, columns: 0.4, rows: 0.8 },
        boost_repeats: 1,
        extra: ExtraOptions { trees: 0, ..ExtraOptions::default() },
        boosted_share: 1.0,
        largest: 0.7,
        optional: true,
    }
}

/// How a whole design's targets are learned: what its parts sum up to, corrected.
fn whole_recipe(target: Target) -> Recipe {
    let column = match target {
        Target::Lut => "lut_parts",
        Target::Ff => "ff_parts",
        Target::Lutram => "lutram_parts",
        Target::Dsp => "dsp_parts",
        Target::Bram36 => "bram_parts",
        _ => "uram_parts",
    };
    let learned = matches!(target, Target::Lut | Target::Ff);
    Recipe {
        prior_columns: vec![column.into()],
        ridge: Vec::new(),
        shift: if learned { 5.0 } else { 0.5 },
        boost: BoostOptions {
            rounds: if learned { 80 } else { 0 },
            rate: 0.05,
            leaves: 6,
            min_rows: 8,
            columns: 0.4,
            rows: 0.8,
        },
        boost_repeats: 1,
        extra: ExtraOptions { trees: 0, ..ExtraOptions::default() },
        boosted_share: 1.0,
        largest: 0.2,
        optional: true,
    }
}

/// Targets of modules that are learned.
const MODULE_TARGETS: [Target; 2] = [Target::Lut, Target::Ff];
/// Targets of whole designs.
const WHOLE_TARGETS: [Target; 6] = [Target::Lut, Target::Ff, Target::Lutram, Target::Dsp, Target::Bram36, Target::Uram];

/// Fits the factors and trees of modules to the samples `chosen` that are single modules.
///
/// # Errors
/// As [`crate::train::train`].
pub fn units(
    table: &Table,
    samples: &[Sample],
    chosen: &[usize],
    model: &mut HardwareModel,
    seed: u64,
) -> Result<(), Diag> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for &i in chosen.iter().filter(|i| samples[**i].parts.bare) {
        groups.entry(samples[i].parts.parts[0].unit).or_default().push(i);
    }
    let options = TrainOptions {
        seed,
        folds: 3,
        targets: MODULE_TARGETS.to_vec(),
        recipes: MODULE_TARGETS.into_iter().map(|t| (t, module_recipe(t))).collect(),
        difficulty: false,
    };
    for (name, members) in groups {
        let lut = |i: &usize| table.rows[samples[*i].row].targets.get(&Target::Lut).copied();
        let known: Vec<(Count, f64)> =
            members.iter().filter_map(|i| lut(i).map(|y| (samples[*i].parts.parts[0].count, y))).collect();
        if known.len() >= FEWEST_FACTORS {
            model.factors.insert(name.to_string(), factors::fit(&known));
        }
        if members.len() < FEWEST {
            continue;
        }
        let mut x = vec![Vec::new(); table.rows.len()];
        let rows: Vec<usize> = members.iter().map(|i| samples[*i].row).collect();
        for i in members {
            x[samples[i].row] = model.columns(&samples[i].parts.parts[0]);
        }
        model.units.insert(name.to_string(), train_rows(table, module_schema(), &x, &rows, &options)?);
    }
    Ok(())
}

/// Trains the whole-design part on the samples `chosen` that are networks.
///
/// # Errors
/// As [`crate::train::train`].
pub fn whole(
    table: &Table,
    samples: &[Sample],
    chosen: &[usize],
    model: &HardwareModel,
    seed: u64,
) -> Result<Surrogate, Diag> {
    let mut x = vec![Vec::new(); table.rows.len()];
    let mut rows = Vec::new();
    for &i in chosen.iter().filter(|i| !samples[**i].parts.bare) {
        let s = &samples[i];
        x[s.row] = whole::vector(&s.parts, &model.all_logic(&s.parts));
        rows.push(s.row);
    }
    let options = TrainOptions {
        seed,
        folds: 5,
        targets: WHOLE_TARGETS.to_vec(),
        recipes: WHOLE_TARGETS.into_iter().map(|t| (t, whole_recipe(t))).collect(),
        difficulty: true,
    };
    train_rows(table, whole::schema(), &x, &rows, &options)
}

/// Trains a model of the samples `chosen`.
///
/// # Errors
/// When there are fewer than 20 networks, or as [`crate::train::train`].
pub fn train_samples(
    table: &Table,
    samples: &[Sample],
    chosen: &[usize],
    family: Family,
    seed: u64,
) -> Result<HardwareModel, Diag> {
    let chosen: Vec<usize> = chosen.iter().copied().filter(|i| !samples[*i].constant).collect();
    let chosen = chosen.as_slice();
    let networks = chosen.iter().filter(|i| !samples[**i].parts.bare).count();
    if networks < 20 {
        let cause = format!("{networks} whole networks are too few to train on");
        return Err(Diag::new(Code::Invalid, table.sources.join(", "), cause).help(
            "sweep at least 20 networks of the family, or adapt a trained model with `netfold surrogate adapt`",
        ));
    }
    let mut model = HardwareModel::untrained(family);
    units(table, samples, chosen, &mut model, seed)?;
    model.whole = whole(table, samples, chosen, &model, seed)?;
    let p = &mut model.whole.provenance;
    p.data = table.sources.clone();
    p.tool = table.tool.clone();
    p.part = family.name().into();
    p.rows = chosen.len();
    Ok(model)
}

/// Estimates of samples by models that have not seen their group: `(sample, prediction)`.
///
/// # Errors
/// As [`train_samples`].
pub fn cross_validate(
    table: &Table,
    samples: &[Sample],
    family: Family,
    folds: usize,
    seed: u64,
) -> Result<Vec<(usize, crate::model::Prediction)>, Diag> {
    let groups: Vec<&str> = samples.iter().map(|s| table.rows[s.row].group.as_str()).collect();
    let fold_of = crate::train::folds(&groups, folds, seed);
    let mut out = Vec::new();
    for fold in 0..folds {
        let chosen: Vec<usize> = (0..samples.len()).filter(|i| fold_of[*i] != fold).collect();
        let model = train_samples(table, samples, &chosen, family, seed)?;
        let held = (0..samples.len()).filter(|i| fold_of[*i] == fold && !samples[*i].parts.bare);
        out.extend(held.map(|i| (i, model.parts(samples[i].parts.clone()).prediction)));
    }
    Ok(out)
}
