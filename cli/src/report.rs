//! What a design will be: cycles exactly, resources by estimate.

use crate::flow::Job;
use netfold_ir::diag::Diag;
use netfold_ir::hw::{Design, Kind, timing};
use netfold_passes::optimize::{Analytic, design_cost, module_cost};
use serde::Serialize;

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
    /// Estimated lookup tables.
    pub lut: u64,
    /// Estimated flip-flops.
    pub ff: u64,
    /// DSP blocks.
    pub dsp: u64,
    /// 36 Kb block memories.
    pub bram36: f64,
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
    /// Lookup tables.
    pub lut: Amount,
    /// Flip-flops.
    pub ff: Amount,
    /// DSP blocks.
    pub dsp: Amount,
    /// 36 Kb block memories.
    pub bram36: Amount,
    /// UltraRAM blocks.
    pub uram: Amount,
}

/// Spread of the analytic prices of logic around what synthesis gives: a factor either way. DSP blocks and memories follow from
/// how modules are built.
const LOGIC_SPREAD: f64 = 1.6;

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

/// Figures of a design.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Name of the network.
    pub network: String,
    /// What it is made for.
    pub target: TargetInfo,
    /// First input beat to last output beat of a frame.
    pub latency_cycles: u64,
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
    /// Resources by analytic prices (`docs/folding.md`).
    pub resources: ResourceReport,
    /// Whether the estimates fit the device.
    pub fits: bool,
    /// Modules in the order of the data flow.
    pub layers: Vec<Layer>,
}

/// Computes the figures.
pub fn report(job: &Job, design: &Design) -> Result<(Report, timing::Timing), Diag> {
    let t = timing::simulate(design)?;
    let (_, slowest) = timing::bottleneck(design);
    let model = Analytic::default();
    let used = design_cost(design, &model);
    let device = &job.board.resources;
    let logic = |value: u64, available: u64| {
        let value = value as f64;
        Amount { value, low: (value / LOGIC_SPREAD).floor(), high: (value * LOGIC_SPREAD).ceil(), available }
    };
    let exact = |value: f64, available: u64| Amount { value, low: value, high: value, available };
    let resources = ResourceReport {
        lut: logic(used.lut, device.lut),
        ff: logic(used.ff, device.ff),
        dsp: exact(used.dsp as f64, device.dsp_count()),
        bram36: exact(used.bram36(), device.bram36()),
        uram: exact(used.uram as f64, device.uram_count()),
    };
    let amounts = [resources.lut, resources.ff, resources.dsp, resources.bram36, resources.uram];
    let fits = amounts.iter().all(|a| a.value <= a.available as f64);
    let layers = design.topological()?.into_iter().map(|id| {
        let m = design.module(id);
        let cost = module_cost(design, id, &model);
        Layer {
            lut: cost.lut,
            ff: cost.ff,
            dsp: cost.dsp,
            bram36: cost.bram36(),
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
        target: TargetInfo {
            board: job.board.name.clone(),
            part: job.board.part.clone(),
            family: job.board.family.as_str().to_string(),
        },
        latency_cycles: t.latency_cycles,
        interval_cycles: t.interval_cycles,
        clock_mhz: job.clock_mhz,
        latency_ns: t.latency_cycles as f64 * 1000.0 / job.clock_mhz,
        fps: job.clock_mhz * 1e6 / t.interval_cycles.max(1) as f64,
        bottleneck: slowest.map(|m| design.module(m).name.clone()).unwrap_or_default(),
        resources,
        fits,
        layers: layers.collect(),
    };
    Ok((report, t))
}

/// The folding of a multiplying module.
fn folding(kind: &Kind) -> String {
    match kind {
        Kind::Mvu(m) => format!("PE {} of {}, SIMD {} of {}", m.pe, m.weights.rows, m.simd, m.weights.cols),
        Kind::Vvu(v) => format!("PE {} of {}, SIMD {} of {}", v.pe, v.channels(), v.simd, v.weights.cols),
        Kind::Swu(s) => format!("{} of {} channels", s.lanes, s.channels),
        _ => String::new(),
    }
}

impl Report {
    /// The report as a table.
    pub fn table(&self) -> String {
        use std::fmt::Write;
        let mut out = String::new();
        let _ = writeln!(out, "network     {}", self.network.escape_debug());
        let _ = writeln!(out, "board       {} ({})", self.target.board, self.target.part);
        let _ = writeln!(out, "clock       {} MHz", self.clock_mhz);
        let _ = writeln!(out, "latency     {} cycles, {:.1} ns", self.latency_cycles, self.latency_ns);
        let _ = writeln!(
            out,
            "interval    {} cycles, {:.0} frames/s (limited by {})",
            self.interval_cycles, self.fps, self.bottleneck
        );
        let r = &self.resources;
        for (name, a) in [("LUT", r.lut), ("FF", r.ff), ("DSP", r.dsp), ("BRAM36", r.bram36), ("URAM", r.uram)] {
            let range = if a.low < a.high { format!(" ({} to {})", a.low, a.high) } else { String::new() };
            let _ = writeln!(out, "{name:<11} about {}{range} of {}", a.value, a.available);
        }
        if !self.fits {
            let _ = writeln!(out, "            this does not fit the device");
        }
        let _ = writeln!(
            out,
            "{:<44} {:<14} {:>9} {:>7} {:>7} {:>5} {:>6}  FOLDING",
            "MODULE", "KIND", "CYCLES", "LUT", "FF", "DSP", "BRAM36"
        );
        for l in &self.layers {
            let _ = writeln!(
                out,
                "{:<44} {:<14} {:>9} {:>7} {:>7} {:>5} {:>6}  {}",
                l.name, l.kind, l.cycles, l.lut, l.ff, l.dsp, l.bram36, l.folding
            );
        }
        out
    }
}
