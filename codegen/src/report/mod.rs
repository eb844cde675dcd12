//! What the vendor's tools leave: C synthesis, cosimulation, Vivado's utilization and timing, beside netfold's own prediction.
//!
//! [`read`] looks through a folder; [`Report::compare`] and [`Report::table`] put the figures side by side.

mod csynth;
mod tables;

pub use csynth::{Csynth, CsynthModule, parse as parse_csynth};
pub use tables::{Cosim, Timing, cosim as parse_cosim, timing as parse_timing, utilization as parse_utilization};

use crate::hls::Project;
use netfold_ir::diag::{Code, Diag, Diags};
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Folders below the given one that are searched.
const DEPTH: usize = 8;
/// Largest report that is read, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// Resources, in the units of `netfold estimate`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Resources {
    /// Lookup tables.
    pub lut: Option<f64>,
    /// Flip-flops.
    pub ff: Option<f64>,
    /// DSP blocks.
    pub dsp: Option<f64>,
    /// Block RAM of 36 Kb; two blocks of 18 Kb are one.
    pub bram36: Option<f64>,
    /// UltraRAM blocks.
    pub uram: Option<f64>,
}

impl Resources {
    fn named(&self) -> [(&'static str, Option<f64>); 5] {
        [("lut", self.lut), ("ff", self.ff), ("dsp", self.dsp), ("bram36", self.bram36), ("uram", self.uram)]
    }
}

/// What netfold predicted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Prediction {
    /// First input to last output, in cycles.
    pub latency_cycles: Option<f64>,
    /// Initiation interval in cycles.
    pub interval_cycles: Option<f64>,
    /// Highest frequency in MHz.
    pub fmax_mhz: Option<f64>,
    /// Resources.
    pub resources: Resources,
}

/// Utilization after synthesis or implementation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Utilization {
    /// What the design uses.
    pub used: Resources,
    /// What the device has.
    pub available: Resources,
}

/// All reports of a folder.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// Files that were read, relative to the folder.
    pub files: Vec<String>,
    /// C synthesis.
    pub csynth: Option<Csynth>,
    /// Cosimulation.
    pub cosim: Option<Cosim>,
    /// Vivado's utilization.
    pub utilization: Option<Utilization>,
    /// Vivado's timing.
    pub timing: Option<Timing>,
}

/// One figure from all sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Name of the figure with its unit, as in `netfold estimate`.
    pub figure: &'static str,
    /// netfold's prediction.
    pub predicted: Option<f64>,
    /// C synthesis.
    pub csynth: Option<f64>,
    /// Measured: cosimulation's cycles, Vivado's resources and timing.
    pub measured: Option<f64>,
    /// Measured (or, where that is missing, estimated by C synthesis) over predicted; `None` when nothing can be compared.
    pub ratio: Option<f64>,
}

/// A module's cycles from both sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerRow {
    /// Instance name of the module.
    pub module: String,
    /// Layer of the network.
    pub layer: String,
    /// Cycles a frame that netfold predicts, without the filling of the pipeline.
    pub predicted_cycles: u64,
    /// Latency of the function in C synthesis; `None` where it is not bounded or the tool merged the function into another.
    pub csynth_cycles: Option<u64>,
    /// Resources in C synthesis.
    pub resources: Resources,
}

impl Report {
    /// The modules of a project beside their functions in C synthesis, in the order of the project. A function belongs to the
    /// module whose configuration it is named after, the longest name where several fit.
    pub fn layers(&self, project: &Project) -> Vec<LayerRow> {
        let owner = |function: &str| {
            let fits = |module: &str| function.contains(&format!("{module}_config"));
            let named = project.layers.iter().enumerate().filter(|(_, l)| fits(&l.module));
            named.max_by_key(|(_, l)| l.module.len()).map(|(i, _)| i)
        };
        let functions = self.csynth.iter().flat_map(|c| &c.modules);
        let owned: Vec<(Option<usize>, &CsynthModule)> = functions.map(|f| (owner(&f.name), f)).collect();
        let row = |(i, layer): (usize, &crate::hls::ProjectLayer)| {
            // The loop inside a function is reported as a function of its own: the whole is the larger.
            let mine = owned.iter().filter(|(o, _)| *o == Some(i)).map(|(_, f)| *f);
            let whole = mine.max_by_key(|f| (f.latency_cycles, std::cmp::Reverse(f.name.len())));
            LayerRow {
                module: layer.module.clone(),
                layer: layer.layer.clone(),
                predicted_cycles: layer.cycles as u64,
                csynth_cycles: whole.and_then(|f| f.latency_cycles),
                resources: whole.map(|f| f.resources).unwrap_or_default(),
            }
        };
        project.layers.iter().enumerate().map(row).collect()
    }

    /// The figures side by side.
    pub fn compare(&self, prediction: &Prediction) -> Vec<Row> {
        let row = |figure, predicted: Option<f64>, csynth: Option<f64>, measured: Option<f64>| {
            let ratio = measured.or(csynth).zip(predicted.filter(|p| *p != 0.0)).map(|(m, p)| m / p);
            Row { figure, predicted, csynth, measured, ratio }
        };
        let cycles = |v: Option<u64>| v.map(|n| n as f64);
        let (csynth, cosim) = (self.csynth.as_ref(), self.cosim.as_ref());
        let mut rows = vec![
            row(
                "latency_cycles",
                prediction.latency_cycles,
                csynth.and_then(|c| cycles(c.latency_cycles)),
                cosim.and_then(|c| c.latency_cycles[2]),
            ),
            row(
                "interval_cycles",
                prediction.interval_cycles,
                csynth.and_then(|c| cycles(c.interval_cycles)),
                cosim.and_then(|c| c.interval_cycles[2]),
            ),
            row(
                "fmax_mhz",
                prediction.fmax_mhz,
                csynth.and_then(|c| c.estimated_clock_ns).filter(|p| *p > 0.0).map(|p| 1000.0 / p),
                self.timing.as_ref().and_then(|t| t.fmax_mhz),
            ),
        ];
        let estimated = csynth.map(|c| c.resources).unwrap_or_default().named();
        let used = self.utilization.map(|u| u.used).unwrap_or_default().named();
        for (i, (figure, predicted)) in prediction.resources.named().into_iter().enumerate() {
            rows.push(row(figure, predicted, estimated[i].1, used[i].1));
        }
        rows
    }

    /// The comparison as a table of text.
    pub fn table(&self, prediction: &Prediction) -> String {
        let cell = |v: Option<f64>| match v {
            None => "-".to_string(),
            Some(v) if v.fract() == 0.0 => format!("{v:.0}"),
            Some(v) => format!("{v:.2}"),
        };
        let mut out = format!("{:<16} {:>12} {:>12} {:>12} {:>8}\n", "", "netfold", "C synthesis", "measured", "ratio");
        for row in self.compare(prediction) {
            let ratio = row.ratio.map_or_else(|| "-".to_string(), |r| format!("{r:.2}"));
            let _ = writeln!(
                out,
                "{:<16} {:>12} {:>12} {:>12} {:>8}",
                row.figure,
                cell(row.predicted),
                cell(row.csynth),
                cell(row.measured),
                ratio
            );
        }
        if let Some(cosim) = &self.cosim {
            let _ = writeln!(out, "cosimulation: {} ({})", cosim.status, cosim.language);
        }
        if let Some(slack) = self.timing.as_ref().and_then(|t| t.worst_slack_ns) {
            let verdict = if slack < 0.0 { "the clock is missed" } else { "the clock is met" };
            let _ = writeln!(out, "worst slack: {slack} ns, {verdict}");
        }
        out
    }
}

/// A kind of report, told by a file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Csynth,
    Cosim,
    Utilization,
    Timing,
}

fn sort_of(name: &str) -> Option<Sort> {
    match name {
        "csynth.xml" => Some(Sort::Csynth),
        n if n.ends_with("_cosim.rpt") => Some(Sort::Cosim),
        n if n.ends_with(".rpt") && (n == "vivado_synth.rpt" || n.contains("utilization")) => Some(Sort::Utilization),
        n if n.ends_with(".rpt") && n.contains("timing") => Some(Sort::Timing),
        _ => None,
    }
}

/// Reads all reports below a folder: of each sort the one of the furthest step (routed before placed before synthesized), then
/// the one nearest to the folder.
///
/// # Errors
/// Every report that is there and cannot be read. [`Code::Tool`] when there is none, with the first error that the tools logged.
pub fn read(dir: &Path) -> Result<Report, Diags> {
    if !dir.is_dir() {
        return Err(Diag::new(Code::Io, dir.display().to_string(), "there is no such folder").into());
    }
    let mut found = Vec::new();
    walk(dir, 0, &mut found);
    let step = |path: &Path| {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        ["routed", "placed"].iter().position(|s| name.contains(s)).unwrap_or(2)
    };
    found.sort_by_key(|(path, _)| (step(path), path.components().count(), path.clone()));
    let mut report = Report::default();
    let mut diags = Diags::new();
    for wanted in [Sort::Csynth, Sort::Cosim, Sort::Utilization, Sort::Timing] {
        let Some((path, _)) = found.iter().find(|(_, sort)| *sort == wanted) else { continue };
        let place = path.display().to_string();
        let Some(text) = diags.take(load(path)) else { continue };
        match wanted {
            Sort::Csynth => report.csynth = diags.take(parse_csynth(&place, &text)),
            Sort::Cosim => report.cosim = diags.take(parse_cosim(&place, &text)),
            Sort::Utilization => {
                let both = diags.take(parse_utilization(&place, &text));
                report.utilization = both.map(|(used, available)| Utilization { used, available });
            }
            Sort::Timing => report.timing = diags.take(parse_timing(&place, &text)),
        }
        report.files.push(path.strip_prefix(dir).unwrap_or(path).display().to_string());
    }
    if report.files.is_empty() && diags.is_empty() {
        diags.push(nothing(dir));
    }
    diags.into_result(report)
}

/// The error of a folder without reports.
fn nothing(dir: &Path) -> Diag {
    let place = dir.display().to_string();
    let help = "run build_prj.tcl with vitis_hls, or v++ with hls_config.cfg; looked for csynth.xml, *_cosim.rpt, \
                vivado_synth.rpt, *utilization*.rpt and *timing*.rpt";
    let logged = ["vitis_hls.log", "vivado_hls.log", "vivado.log", "v++.log"].iter().find_map(|log| {
        let text = load(&dir.join(log)).ok()?;
        let line = text.lines().find(|l| l.starts_with("ERROR:"))?;
        Some(format!("no report is there; {log} says: {}", line.chars().take(300).collect::<String>()))
    });
    Diag::new(Code::Tool, place, logged.unwrap_or_else(|| "no report of a tool is there".to_string())).help(help)
}

fn load(path: &Path) -> Result<String, Diag> {
    let fault = |cause: String| Diag::new(Code::Io, path.display().to_string(), cause);
    let size = std::fs::metadata(path).map_err(|e| fault(e.to_string()))?.len();
    if size > MAX_BYTES {
        return Err(fault(format!("the file has {size} bytes; reports have at most {MAX_BYTES}")));
    }
    let bytes = std::fs::read(path).map_err(|e| fault(e.to_string()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Collects reports below a folder; folders that cannot be read are passed over, links are not followed.
fn walk(dir: &Path, depth: usize, found: &mut Vec<(PathBuf, Sort)>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && depth < DEPTH {
            walk(&entry.path(), depth + 1, found);
        } else if kind.is_file() {
            let name = entry.file_name();
            found.extend(sort_of(&name.to_string_lossy()).map(|sort| (entry.path(), sort)));
        }
    }
}
