//! `netfold surrogate`: trains, scores and adapts models of resources.

use crate::models::Model;
use crate::{models, store};
use clap::{Args, Subcommand};
use netfold_ir::diag::{Code, Diag, Diags};
use netfold_surrogate::dataset;
use netfold_surrogate::eval::{self, Report};
use netfold_surrogate::metrics::Scores;
use netfold_surrogate::train::{TrainOptions, train};
use netfold_surrogate::{adapt, hardware, hls};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Train, score and adapt models of resources. Data are netfold's sweeps, wa-hls4ml JSON, or tables of HLS results; told apart by
/// their contents.
#[derive(Debug, Args)]
pub struct Surrogate {
    #[command(subcommand)]
    action: Action,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Action {
    /// Synthesize designs of the described space into a table
    Sweep(super::sweep::Sweep),
    /// Train a model
    Train {
        /// Datasets
        #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
        data: Vec<PathBuf>,
        /// Where to write the model
        #[arg(short, long, value_name = "MODEL")]
        output: PathBuf,
    },
    /// Score a model; without one, train and score on held-out groups of the data
    Eval {
        /// Dataset
        #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
        data: Vec<PathBuf>,
        /// Model file, or `shipped` for the embedded model of the data's tool
        #[arg(long, value_name = "MODEL")]
        surrogate: Option<PathBuf>,
        /// Print the scores as JSON
        #[arg(long)]
        json: bool,
    },
    /// Adapt a model to another device or tool with a few samples
    Adapt {
        /// 5 to 50 samples of the new device or tool
        #[arg(long, value_name = "FILE")]
        samples: PathBuf,
        /// Where to write the adapted model
        #[arg(short, long, value_name = "MODEL")]
        output: PathBuf,
        /// Model to start from; when left out, the embedded one of the 7 series for sweeps, otherwise that of Vitis HLS
        #[arg(long, value_name = "MODEL")]
        from: Option<PathBuf>,
    },
}

/// Folds of the cross-validation that `eval` does without a model, and its seed.
const FOLDS: (usize, u64) = (5, 1);

impl Surrogate {
    /// Runs the subcommand.
    pub fn run(self) -> Result<(), Diags> {
        match self.action {
            Action::Sweep(sweep) => sweep.run(),
            Action::Train { data, output } => {
                let table = dataset::read_all(&data)?;
                let options = TrainOptions::default();
                let model = if hardware::eval::is_hardware(&table) {
                    Model::Hardware(Arc::new(hardware::eval::train(&table, options.seed)?))
                } else {
                    Model::Columns(Arc::new(train(&table, &options)?))
                };
                write(&output, &model.to_bytes()?)?;
                eprintln!("trained on {} rows, wrote {}", table.rows.len(), output.display());
                Ok(())
            }
            Action::Eval { data, surrogate, json } => {
                let table = dataset::read_all(&data)?;
                let own = hardware::eval::is_hardware(&table);
                let report = match surrogate {
                    Some(path) if own && path.as_os_str() == "shipped" => {
                        let family = hardware::eval::family(&table)?;
                        hardware::eval::evaluate(hardware::HardwareModel::shipped(family)?, &table)
                    }
                    Some(path) if own => hardware::eval::evaluate(models::load(&path)?.hardware()?, &table),
                    None if own => hardware::eval::cross_validate(&table, FOLDS.0, FOLDS.1)?,
                    Some(path) if path.as_os_str() == "shipped" => {
                        let [(_, vitis), (_, vivado)] = shipped()?;
                        let fits = |m: &hls::HlsModel| eval::evaluate(m.surrogate(), &table);
                        let (a, b) = (fits(vitis), fits(vivado));
                        if worst(&a) <= worst(&b) { a } else { b }
                    }
                    Some(path) => eval::evaluate(models::load(&path)?.columns()?, &table),
                    None => eval::cross_validate(&table, &TrainOptions::default(), FOLDS.0, FOLDS.1)?,
                };
                if json {
                    print!("{}", store::to_json(&report, true)?);
                } else {
                    print!("{}", table_of(&report));
                }
                Ok(())
            }
            Action::Adapt { samples, output, from } => {
                let table = dataset::read(&samples)?;
                let from = from.as_deref().map(models::load).transpose()?;
                let (model, adapted) = if hardware::eval::is_hardware(&table) {
                    let source = match &from {
                        Some(model) => model.hardware()?,
                        None => hardware::HardwareModel::shipped(hardware::Family::Xc7)?,
                    };
                    let (model, adapted) = hardware::eval::adapt(source, &table)?;
                    (Model::Hardware(Arc::new(model)), adapted)
                } else {
                    let source = match &from {
                        Some(model) => model.columns()?,
                        None => hls::HlsModel::shipped(hls::HlsTool::Vitis2023)?.surrogate(),
                    };
                    let (model, adapted) = adapt::adapt(source, &table)?;
                    (Model::Columns(Arc::new(model)), adapted)
                };
                write(&output, &model.to_bytes()?)?;
                print!("{}", store::to_json(&adapted, true)?);
                Ok(())
            }
        }
    }
}

/// The embedded models.
fn shipped() -> Result<[(hls::HlsTool, &'static hls::HlsModel); 2], Diag> {
    let of = |tool| hls::HlsModel::shipped(tool).map(|m| (tool, m));
    Ok([of(hls::HlsTool::Vitis2023)?, of(hls::HlsTool::Vivado2020)?])
}

/// Largest SMAPE of a report.
fn worst(report: &Report) -> f64 {
    report.targets.values().map(|s| s.smape).fold(0.0, f64::max)
}

/// Writes a file through a temporary one beside it.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Diag> {
    let failed = |e: std::io::Error| Diag::new(Code::Io, path.display().to_string(), format!("cannot be written: {e}"));
    let mut partial = path.as_os_str().to_owned();
    partial.push(".part");
    std::fs::write(&partial, bytes).and_then(|()| std::fs::rename(&partial, path)).map_err(failed)
}

/// The scores as a table: over all rows, then by stratum.
fn table_of(report: &Report) -> String {
    let mut out = format!("{} rows\n", report.rows);
    scores(&mut out, &report.targets);
    for (name, targets) in &report.strata {
        out += &format!("\n{}\n", name.escape_debug());
        scores(&mut out, targets);
    }
    out
}

/// A line a target.
fn scores(out: &mut String, targets: &BTreeMap<String, Scores>) {
    use std::fmt::Write;
    let _ = writeln!(
        out,
        "{:<18} {:>8} {:>9} {:>12} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "TARGET", "R2", "SMAPE %", "RMSE", "MEDIAN %", "P75 %", "P95 %", "SPEARMAN", "COVERAGE"
    );
    for (name, s) in targets {
        let _ = writeln!(
            out,
            "{name:<18} {:>8.4} {:>9.3} {:>12.3} {:>9.3} {:>9.3} {:>9.3} {:>9.4} {:>9.3}",
            s.r2,
            s.smape,
            s.rmse,
            100.0 * s.median,
            100.0 * s.p75,
            100.0 * s.p95,
            s.spearman,
            s.coverage.unwrap_or(f64::NAN)
        );
    }
}
