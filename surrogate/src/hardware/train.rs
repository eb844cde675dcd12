//! Training the model of netfold's own hardware: modules first, then whole designs with what the modules' models say of their parts.

use super::count::Count;
use super::factors;
use super::model::{Family, HardwareModel, module_schema};
use super::whole::{self, Parts};
use crate::dataset::{Design, Row, Table};
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
    /// Which of the row's parts this is, of one that was kept apart in a network.
    pub part: Option<usize>,
    /// Its parts.
    pub parts: Parts,
    /// Whether synthesis found much of the logic to be constant: of a network less than a third of what its parts are counted to is
    /// left, of a module less than three quarters of its registers. Nothing is learned from such a row, because it says nothing
    /// of what its parts cost.
    pub constant: bool,
}

impl Sample {
    fn new(table: &Table, row: usize, part: Option<usize>, parts: Parts) -> Sample {
        let mut sample = Sample { row, part, parts, constant: false };
        let counted = |f: fn(&Count) -> f64| sample.parts.parts.iter().map(|p| f(&p.count)).sum::<f64>();
        let found = |target| sample.truth(table, target).unwrap_or(0.0);
        sample.constant = if sample.parts.bare {
            found(Target::Ff) + 8.0 < 0.75 * counted(|c| c.ff)
        } else {
            3.0 * found(Target::Lut) <= counted(Count::lut)
        };
        sample
    }

    /// What synthesis counted.
    pub fn truth(&self, table: &Table, target: Target) -> Option<f64> {
        let row = &table.rows[self.row];
        let Some(part) = self.part else { return row.targets.get(&target).copied() };
        let (_, lut, ff) = row.parts.get(part)?;
        match target {
            Target::Lut => Some(*lut),
            Target::Ff => Some(*ff),
            _ => None,
        }
    }
}

/// Takes the hardware designs of a table apart; rows without one are left out. The modules of networks that were kept apart follow
/// their network.
pub fn samples(table: &Table, family: Family) -> Vec<Sample> {
    let rule = family.rule();
    let of_row = |row: usize| -> Vec<Sample> {
        let r = &table.rows[row];
        let Some(design) = r.hardware.as_deref() else { return Vec::new() };
        let what = |key: &str| r.strata.get(key).map_or("", String::as_str);
        if what("kind") == "module" {
            let bare = whole::bare(design, what("unit"), &rule);
            return bare.into_iter().map(|parts| Sample::new(table, row, None, parts)).collect();
        }
        let parts = whole::parts(design, &rule);
        let of_module: BTreeMap<_, _> = design.modules().into_iter().zip(&parts.parts).collect();
        let inner = r.parts.iter().enumerate().filter_map(|(i, (id, ..))| {
            let alone = whole::alone(*of_module.get(id).copied()?);
            Some(Sample::new(table, row, Some(i), alone))
        });
        let inner: Vec<Sample> = inner.collect();
        std::iter::once(Sample::new(table, row, None, parts)).chain(inner).collect()
    };
    (0..table.rows.len()).into_par_iter().flat_map_iter(of_row).collect()
}

/// How LUTs and flip-flops of modules are learned.
fn module_recipe(target: Target) -> Recipe {
    Recipe {
        prior_columns: vec![if target == Target::Ff { "ff0".into() } else { "lut0".into() }],
        ridge: Vec::new(),
        shift: if target == Target::Ff { 2.0 } else { 4.0 },
        boost: BoostOptions { rounds: 60, rate: 0.13, leaves: 10, min_rows: 5, columns: 0.4, rows: 0.8 },
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

/// The samples `members` as rows of a table of their own.
fn table_of(table: &Table, samples: &[Sample], members: &[usize]) -> Table {
    let row = |i: &usize| Row {
        group: table.rows[samples[*i].row].group.clone(),
        strata: BTreeMap::new(),
        design: Design::Modules(Vec::new()),
        hardware: None,
        parts: Vec::new(),
        targets: MODULE_TARGETS.into_iter().filter_map(|t| Some((t, samples[*i].truth(table, t)?))).collect(),
        line: table.rows[samples[*i].row].line,
    };
    Table { rows: members.iter().map(row).collect(), ..Table::default() }
}

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
        let known: Vec<(Count, f64)> = members
            .iter()
            .filter_map(|i| Some((samples[*i].parts.parts[0].count, samples[*i].truth(table, Target::Lut)?)))
            .collect();
        if known.len() >= FEWEST_FACTORS {
            model.factors.insert(name.to_string(), factors::fit(&known));
        }
        if members.len() < FEWEST {
            continue;
        }
        let x: Vec<Vec<f32>> = members.iter().map(|i| model.columns(&samples[*i].parts.parts[0])).collect();
        let rows: Vec<usize> = (0..members.len()).collect();
        let own = table_of(table, samples, &members);
        model.units.insert(name.to_string(), train_rows(&own, module_schema(), &x, &rows, &options)?);
    }
    Ok(())
}

/// Features of the whole designs among the samples `chosen`, by row of the table; others have none. The models of modules that they rest on
/// have not seen the design's own modules, as those of a design that is estimated have not.
///
/// # Errors
/// As [`crate::train::train`].
fn whole_columns(
    table: &Table,
    samples: &[Sample],
    chosen: &[usize],
    family: Family,
    seed: u64,
) -> Result<Vec<Vec<f32>>, Diag> {
    const FOLDS: usize = 5;
    let groups: Vec<&str> = chosen.iter().map(|i| table.rows[samples[*i].row].group.as_str()).collect();
    let fold_of = crate::train::folds(&groups, FOLDS, seed);
    let of_fold = |fold: usize| -> Result<Vec<(usize, Vec<f32>)>, Diag> {
        let (held, rest): (Vec<_>, Vec<_>) = (0..chosen.len()).partition(|k| fold_of[*k] == fold);
        let rest: Vec<usize> = rest.into_iter().map(|k| chosen[k]).collect();
        let mut model = HardwareModel::untrained(family);
        units(table, samples, &rest, &mut model, seed)?;
        let whole = held.into_iter().map(|k| &samples[chosen[k]]).filter(|s| !s.parts.bare);
        Ok(whole.map(|s| (s.row, whole::vector(&s.parts, &model.all_logic(&s.parts)))).collect())
    };
    let found: Vec<_> = (0..FOLDS).into_par_iter().map(of_fold).collect::<Result<_, _>>()?;
    let mut x = vec![Vec::new(); table.rows.len()];
    for (row, columns) in found.into_iter().flatten() {
        x[row] = columns;
    }
    Ok(x)
}

/// Trains the whole-design part on features of [`whole_columns`].
///
/// # Errors
/// As [`crate::train::train`].
fn whole(table: &Table, x: &[Vec<f32>], seed: u64) -> Result<Surrogate, Diag> {
    let rows: Vec<usize> = (0..x.len()).filter(|row| !x[*row].is_empty()).collect();
    let options = TrainOptions {
        seed,
        folds: 5,
        targets: WHOLE_TARGETS.to_vec(),
        recipes: WHOLE_TARGETS.into_iter().map(|t| (t, whole_recipe(t))).collect(),
        difficulty: true,
    };
    train_rows(table, whole::schema(), x, &rows, &options)
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
    model.whole = whole(table, &whole_columns(table, samples, chosen, family, seed)?, seed)?;
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
