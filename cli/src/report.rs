//! What a design will be: cycles exactly, resources by estimate.

use crate::flow::Job;
use netfold_ir::diag::Diag;
use netfold_ir::hw::{Design, Kind, timing};
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
    /// Modules in the order of the data flow.
    pub layers: Vec<Layer>,
}

/// Computes the figures.
pub fn report(job: &Job, design: &Design) -> Result<(Report, timing::Timing), Diag> {
    let t = timing::simulate(design)?;
    let (_, slowest) = timing::bottleneck(design);
    let layers = design.topological()?.into_iter().map(|id| {
        let m = design.module(id);
        Layer {
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
        let _ = writeln!(out, "{:<48} {:<14} {:>10}  FOLDING", "MODULE", "KIND", "CYCLES");
        for l in &self.layers {
            let _ = writeln!(out, "{:<48} {:<14} {:>10}  {}", l.name, l.kind, l.cycles, l.folding);
        }
        out
    }
}
