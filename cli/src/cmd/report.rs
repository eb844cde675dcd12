//! `netfold report`: what the vendor's tools left in a folder, beside netfold's own prediction.

use crate::{hls, store};
use clap::Args;
use netfold_codegen::hls::Project;
use netfold_codegen::report::{self, Prediction};
use netfold_ir::diag::Diags;
use netfold_passes::explore;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Compare the reports of Vitis HLS and Vivado in a generated folder with the prediction.
#[derive(Debug, Args)]
pub struct Report {
    /// Folder that `gen` made and the vendor's tools ran in
    dir: PathBuf,
    /// Print everything as JSON
    #[arg(long)]
    json: bool,
}

/// Everything as printed with `--json`.
#[derive(Serialize)]
struct Whole<'a> {
    report: &'a report::Report,
    prediction: &'a Prediction,
    comparison: Vec<report::Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    utilization: Option<explore::Report>,
}

impl Report {
    /// Runs the subcommand.
    pub fn run(self) -> Result<(), Diags> {
        let beside = self.dir.join(hls::FOLDER);
        let dir = if beside.is_dir() { beside } else { self.dir.clone() };
        let found = report::read(&dir)?;
        let prediction = prediction(&self.dir, &dir)?;
        if self.json {
            let comparison = found.compare(&prediction);
            let utilization = utilization(&self.dir)?;
            let whole = Whole { report: &found, prediction: &prediction, comparison, utilization };
            print!("{}", store::to_json(&whole, true)?);
        } else {
            print!("{}", found.table(&prediction));
            if let Some(utilization) = utilization(&self.dir)? {
                print!("\n{}", utilization.table());
            }
        }
        Ok(())
    }
}

/// How busy the multipliers are, as stored in the folder.
fn utilization(root: &Path) -> Result<Option<explore::Report>, Diags> {
    let stored: serde_json::Value = store::json(root, "report.json")?;
    Ok(serde_json::from_value(stored["utilization"].clone()).ok())
}

/// What netfold predicted: the figures stored in the folder, with the interval of the HLS project where there is one.
fn prediction(root: &Path, project: &Path) -> Result<Prediction, Diags> {
    let stored: serde_json::Value = store::json(root, "report.json")?;
    let figure = |v: &serde_json::Value| v.as_f64();
    let amount = |name: &str| figure(&stored["resources"][name]["value"]);
    let interval = Project::load(project).ok().map(|p| p.interval_cycles as f64);
    Ok(Prediction {
        latency_cycles: figure(&stored["latency_cycles"]),
        interval_cycles: interval.or_else(|| figure(&stored["interval_cycles"])),
        fmax_mhz: figure(&stored["clock_mhz"]),
        resources: report::Resources {
            lut: amount("lut"),
            ff: amount("ff"),
            dsp: amount("dsp"),
            bram36: amount("bram36"),
            uram: amount("uram"),
        },
    })
}
