//! What a design will be: cycles exactly, resources by estimate.

use crate::flow::Job;
use crate::folded::{Folded, Solve};
use crate::models::{self, Model};
use netfold_ir::diag::Diag;
use netfold_ir::hw::{Design, Kind, timing};
use netfold_passes::explore as utilization;
use netfold_passes::optimize::Resources;
use netfold_surrogate::hardware::{DesignEstimate, Family, fmax};
use netfold_surrogate::model::{Provenance, Target};
use serde::Serialize;
use std::collections::HashMap;

/// A layer (module) of the report.
#[derive(Debug, Clone, Serialize)]
pub struct Layer {
    /// Instance name.
    pub name: String,
    /// The network's layer that it belongs to.
    pub layer: String,
    /// Kind of module.
    pub kind: String,
    /// Folding in words, where there is one.
    pub folding: String,
    /// Firings a frame: cycles in which it is busy.
    pub cycles: u64,
    /// Pipeline depth in cycles.
    pub latency: u64,
    /// Estimated lookup tables; none where only the whole design is estimated.
    pub lut: Option<u64>,
    /// Estimated flip-flops.
    pub ff: Option<u64>,
    /// DSP blocks.
    pub dsp: Option<u64>,
    /// 36 Kb block memories.
    pub bram36: Option<f64>,
}

/// An estimate and the range in which it is expected, where nothing limits it.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Range {
    /// Estimate.
    pub value: f64,
    /// Lower end of what is expected.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The learned model behind an estimate.
#[derive(Debug, Clone, Serialize)]
pub struct ModelInfo {
    /// Tool whose results it has learned.
    pub tool: String,
    /// Part or family of these results.
    pub part: String,
    /// What kind of designs they are.
    pub trained_on: String,
    /// The tables.
    pub data: Vec<String>,
    /// Rows.
    pub rows: usize,
    /// Networks or shapes among the rows.
    pub groups: usize,
    /// Samples that it was adapted with to another device or tool.
    pub adapted_rows: usize,
}

impl ModelInfo {
    /// From what a model file says of itself.
    pub fn new(p: &Provenance, trained_on: String) -> ModelInfo {
        ModelInfo {
            tool: p.tool.clone(),
            part: p.part.clone(),
            trained_on,
            data: p.data.clone(),
            rows: p.rows,
            groups: p.groups,
            adapted_rows: p.adapted_rows,
        }
    }
}

/// An amount of one resource: the estimate, the range in which it is expected, and what the device has.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Amount {
    /// Estimate.
    pub value: f64,
    /// Lower end of what is expected.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// What the device has.
    pub available: u64,
}

/// Resources of the whole design.
#[derive(Debug, Clone, Serialize)]
pub struct ResourceReport {
    /// Lookup tables in logic.
    pub lut: Amount,
    /// Flip-flops.
    pub ff: Amount,
    /// DSP blocks.
    pub dsp: Amount,
    /// 36 Kb block memories.
    pub bram36: Amount,
    /// UltraRAM blocks.
    pub uram: Amount,
    /// Lookup tables used as memory, beside those in `lut`.
    pub lutram: Amount,
}

impl ResourceReport {
    /// Whether no estimate exceeds what the device has.
    pub fn fits(&self) -> bool {
        let amounts = [self.lut, self.ff, self.dsp, self.bram36, self.uram];
        let tables = self.lut.value + self.lutram.value;
        amounts.iter().all(|a| a.value <= a.available as f64) && tables <= self.lut.available as f64
    }
}

/// The clock that a design reaches after routing.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Fmax {
    /// Estimate in MHz.
    pub value: f64,
    /// Lower end of what is expected.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Whether the estimate reaches the clock of the design.
    pub meets_clock: bool,
    /// Whether the delays of this family were checked against a router; otherwise they are figures of data sheets.
    pub checked: bool,
}

impl Fmax {
    /// Of an estimated design.
    fn of(estimate: &DesignEstimate, family: Family, clock_mhz: f64) -> Fmax {
        let tenth = |v: f64| (v * 10.0).round() / 10.0;
        let e = fmax::estimate(&estimate.parts, &estimate.logic, family);
        Fmax {
            value: tenth(e.value),
            low: tenth(e.low),
            high: tenth(e.high),
            meets_clock: e.value >= clock_mhz,
            checked: fmax::Delays::half_width(family).1,
        }
    }
}

/// The design's target.
#[derive(Debug, Clone, Serialize)]
pub struct TargetInfo {
    /// Board or part name.
    pub board: String,
    /// Ordering code.
    pub part: String,
    /// Device family.
    pub family: String,
}

impl TargetInfo {
    /// The target of a job.
    pub fn of(job: &Job) -> TargetInfo {
        TargetInfo {
            board: job.board.name.clone(),
            part: job.board.part.clone(),
            family: job.board.family.as_str().to_string(),
        }
    }
}

/// Figures of a design.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Name of the network.
    pub network: String,
    /// What it is made for.
    pub target: TargetInfo,
    /// What would be generated: `verilog` or `vitis`.
    pub backend: &'static str,
    /// First input beat to last output beat of a frame.
    pub latency_cycles: u64,
    /// Least latency that data dependence and the units' work allow with these foldings (`docs/folding.md`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_bound_cycles: Option<u64>,
    /// Latency over that bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ratio: Option<f64>,
    /// Between frames in the steady state.
    pub interval_cycles: u64,
    /// Clock in MHz.
    pub clock_mhz: f64,
    /// Latency in ns.
    pub latency_ns: f64,
    /// Frames a second.
    pub fps: f64,
    /// The module that limits the rate.
    pub bottleneck: String,
    /// Where cycles are estimated and not computed: the range of the latency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_cycles_range: Option<Range>,
    /// The range of the interval, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_cycles_range: Option<Range>,
    /// The clock that it reaches, where that is estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fmax_mhz: Option<Fmax>,
    /// Resources (`docs/surrogate.md`).
    pub resources: ResourceReport,
    /// The learned model behind the resources; none: analytic prices (`docs/folding.md`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelInfo>,
    /// In which ways the design lies outside of what the model was trained on; each widens the ranges.
    pub outside: Vec<String>,
    /// Whether the estimates fit the device.
    pub fits: bool,
    /// Modules in the order of the data flow.
    pub layers: Vec<Layer>,
    /// How busy multipliers are, and what the next faster step costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utilization: Option<utilization::Report>,
    /// What the folding optimizer proved, where it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub solve: Option<Solve>,
}

/// Computes the figures, resources by the job's model.
///
/// # Errors
/// When the user's model is not of netfold's own hardware.
pub fn report(job: &Job, folded: &Folded) -> Result<(Report, timing::Timing), Diag> {
    let design = &folded.design;
    job.surrogate.as_ref().map(Model::hardware).transpose()?;
    let timed = || folded.timing.clone().map_or_else(|| cycles(design), Ok);
    let (t, least) = rayon::join(timed, || timing::least_latency(design));
    let (t, least) = (t?, least?);
    let (_, slowest) = timing::bottleneck(design);
    let model = job.prices.model();
    let (estimate, utilization) =
        rayon::join(|| job.prices.estimate(design), || crate::fit::utilization(job, folded, &t));
    let mut outside = estimate.prediction.out_of_range.clone();
    outside.extend(models::beside(model, &job.board));
    let device = &job.board.resources;
    let built: Resources = estimate.parts.parts.iter().map(|p| model.resources(p)).sum();
    let amount = |target: Target, otherwise: f64, available: u64| {
        let e = estimate.prediction.get(target);
        let (value, low, high) = e.map_or((otherwise, otherwise, otherwise), |e| (e.value, e.low, e.high));
        Amount { value, low, high, available }
    };
    let resources = ResourceReport {
        lut: amount(Target::Lut, built.lut as f64, device.lut),
        ff: amount(Target::Ff, built.ff as f64, device.ff),
        dsp: amount(Target::Dsp, built.dsp as f64, device.dsp_count()),
        bram36: amount(Target::Bram36, built.bram36(), device.bram36()),
        uram: amount(Target::Uram, built.uram as f64, device.uram_count()),
        lutram: amount(Target::Lutram, 0.0, device.lut),
    };
    let place: HashMap<_, _> = design.modules().into_iter().enumerate().map(|(i, id)| (id, i)).collect();
    let fits = resources.fits();
    let layers = design.topological()?.into_iter().map(|id| {
        let m = design.module(id);
        let part = &estimate.parts.parts[place[&id]];
        let (lut, ff) = estimate.logic[place[&id]];
        Layer {
            lut: Some(lut.round() as u64),
            ff: Some(ff.round() as u64),
            dsp: Some(part.count.dsp as u64),
            bram36: Some(part.count.bram18 / 2.0),
            name: m.name.clone(),
            layer: m.layer.clone(),
            kind: m.kind.name().to_string(),
            folding: folding(&m.kind),
            cycles: m.kind.firings() as u64,
            latency: m.latency() as u64,
        }
    });
    let report = Report {
        network: job.prepared.int.name.clone(),
        target: TargetInfo::of(job),
        backend: "verilog",
        latency_cycles: t.latency_cycles,
        latency_bound_cycles: Some(least),
        latency_ratio: Some(t.latency_cycles as f64 / least.max(1) as f64),
        interval_cycles: t.interval_cycles,
        clock_mhz: job.clock_mhz,
        latency_ns: t.latency_cycles as f64 * 1000.0 / job.clock_mhz,
        fps: job.clock_mhz * 1e6 / t.interval_cycles.max(1) as f64,
        bottleneck: slowest.map(|m| design.module(m).name.clone()).unwrap_or_default(),
        latency_cycles_range: None,
        interval_cycles_range: None,
        fmax_mhz: Some(Fmax::of(&estimate, model.family, job.clock_mhz)),
        resources,
        model: Some(ModelInfo::new(model.provenance(), "modules and networks as netfold generates them".into())),
        outside,
        fits,
        layers: layers.collect(),
        utilization: Some(utilization?),
        solve: folded.solve.clone(),
    };
    Ok((report, t))
}

/// Exact cycles of a design.
fn cycles(design: &Design) -> Result<timing::Timing, Diag> {
    timing::Simulator::new(design).run(&timing::depths(design), false)
}

/// The folding of a multiplying module.
fn folding(kind: &Kind) -> String {
    match kind {
        Kind::Mvu(m) => {
            let early = match m.early {
                0 => String::new(),
                n => format!(", {n} of {} beats early", m.synapse_fold()),
            };
            let pixels = match m.pixels {
                1 => String::new(),
                n => format!(", {n} pixels"),
            };
            format!("PE {} of {}, SIMD {} of {}{early}{pixels}", m.pe, m.weights.rows, m.simd, m.weights.cols)
        }
        Kind::Vvu(v) => format!("PE {} of {}, SIMD {} of {}", v.pe, v.channels(), v.simd, v.weights.cols),
        Kind::Swu(s) => format!("{} of {} channels", s.lanes, s.channels),
        Kind::Program(p) if p.combinational => "combinational".to_string(),
        Kind::Program(p) if p.interval > 1 => format!("{} stages, {} cycles a beat", p.pipeline.stages, p.interval),
        Kind::Program(p) => format!("{} stages", p.pipeline.stages),
        _ => String::new(),
    }
}

impl Report {
    /// Without what differs from one run to the next.
    pub fn lasting(&self) -> Report {
        let mut report = self.clone();
        report.solve = report.solve.map(|s| Solve { seconds: None, ..s });
        report
    }

    /// The report as a table.
    pub fn table(&self) -> String {
        use std::fmt::Write;
        let mut out = String::new();
        let _ = writeln!(out, "network     {}", self.network.escape_debug());
        let _ = writeln!(out, "board       {} ({})", self.target.board, self.target.part);
        let _ = writeln!(out, "clock       {} MHz", self.clock_mhz);
        if let Some(f) = &self.fmax_mhz {
            let how = if f.checked { "" } else { "; by data sheets, not checked against a router" };
            let _ = writeln!(out, "reachable   about {} MHz ({} to {}){how}", f.value, f.low, f.high);
            if !f.meets_clock {
                let _ = writeln!(out, "            this is below the clock that was asked for");
            }
        }
        let span = |r: &Option<Range>| r.map_or(String::new(), |r| format!(" ({} to {})", r.low, r.high));
        let latency = span(&self.latency_cycles_range);
        let bound = self.latency_ratio.zip(self.latency_bound_cycles);
        let bound = bound.map_or(String::new(), |(ratio, least)| format!(" ({ratio:.2} times the least of {least})"));
        let _ = writeln!(out, "latency     {} cycles{latency}, {:.1} ns{bound}", self.latency_cycles, self.latency_ns);
        let _ = writeln!(
            out,
            "interval    {} cycles{}, {:.0} frames/s (limited by {})",
            self.interval_cycles,
            span(&self.interval_cycles_range),
            self.fps,
            self.bottleneck
        );
        let r = &self.resources;
        for (name, a) in [
            ("LUT", r.lut),
            ("FF", r.ff),
            ("DSP", r.dsp),
            ("BRAM36", r.bram36),
            ("URAM", r.uram),
            ("LUT memory", r.lutram),
        ] {
            let range = if a.low < a.high { format!(" ({} to {})", a.low, a.high) } else { String::new() };
            let _ = writeln!(out, "{name:<11} about {}{range} of {}", a.value, a.available);
        }
        if let Some(s) = &self.solve {
            let _ = writeln!(out, "folding     {}", s.describe());
        }
        if let Some(m) = &self.model {
            let adapted =
                if m.adapted_rows > 0 { format!(", adapted with {} samples", m.adapted_rows) } else { String::new() };
            let _ = writeln!(
                out,
                "model       trained on {} ({}, {}, {} rows of {} designs{adapted})",
                m.trained_on, m.tool, m.part, m.rows, m.groups
            );
        }
        for difference in &self.outside {
            let _ = writeln!(out, "            outside of its training: {}", difference.escape_debug());
        }
        if !self.fits {
            let _ = writeln!(out, "            this does not fit the device");
        }
        let _ = writeln!(
            out,
            "{:<44} {:<14} {:>9} {:>7} {:>7} {:>5} {:>6}  FOLDING",
            "MODULE", "KIND", "CYCLES", "LUT", "FF", "DSP", "BRAM36"
        );
        let cell = |v: Option<f64>| v.map_or_else(|| "-".to_string(), |v| v.to_string());
        for l in &self.layers {
            let of = |v: Option<u64>| cell(v.map(|v| v as f64));
            let _ = writeln!(
                out,
                "{:<44} {:<14} {:>9} {:>7} {:>7} {:>5} {:>6}  {}",
                l.name,
                l.kind,
                l.cycles,
                of(l.lut),
                of(l.ff),
                of(l.dsp),
                cell(l.bram36),
                l.folding
            );
        }
        if let Some(utilization) = &self.utilization {
            let _ = write!(out, "\n{}", utilization.table());
        }
        out
    }
}
