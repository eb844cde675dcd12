//! How busy multipliers are: work over units and cycles, the utilisation of DRACO (Jiang et al., 2020).

use crate::optimize::{CostModel, Resources, design_cost, module_cost};
use netfold_ir::hw::{Design, Kind, timing::Timing};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// One multiplying layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// The layer.
    pub name: String,
    /// Kind of module.
    pub kind: String,
    /// Outputs and inputs in parallel.
    pub folding: (usize, usize),
    /// Multipliers.
    pub multipliers: u64,
    /// Multiplications a frame.
    pub multiplications: u64,
    /// Cycles a frame that the layer works.
    pub cycles: u64,
    /// Multiplications a multiplier and cycle of the design's interval, in percent.
    pub utilization_percent: f64,
    /// What it uses.
    pub used: Resources,
}

/// The next faster step of the design.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NextStep {
    /// Its interval in cycles.
    pub interval_cycles: u64,
    /// What it uses.
    pub used: Resources,
}

/// Utilisation of a design.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Cycles between frames.
    pub interval_cycles: u64,
    /// Cycles from first input to last output.
    pub latency_cycles: u64,
    /// The module whose work dictates the interval, and its layer.
    pub bottleneck: (String, String),
    /// Multiplications of the bottleneck a multiplier and cycle, in percent; none when it does not multiply.
    pub bottleneck_percent: Option<f64>,
    /// The multiplying layers.
    pub layers: Vec<Layer>,
    /// All multiplications over all multipliers and cycles, in percent.
    pub utilization_percent: f64,
    /// What the design uses.
    pub used: Resources,
    /// What the next faster step costs, when it was asked for.
    pub next: Option<NextStep>,
}

/// Utilisation of a design with its cycles.
pub fn utilization(design: &Design, timing: &Timing, model: &dyn CostModel, next: Option<NextStep>) -> Report {
    let interval = timing.interval_cycles.max(1);
    let mut layers = Vec::new();
    let (mut work, mut slots) = (0u64, 0u64);
    let mut bottleneck_percent = None;
    let slowest = netfold_ir::hw::timing::bottleneck(design).1;
    for id in design.modules() {
        let m = design.module(id);
        let (folding, multipliers, multiplications) = match &m.kind {
            Kind::Mvu(u) => ((u.pe, u.simd), u.pixels * u.pe * u.simd, u.vectors * u.weights.rows * u.weights.cols),
            Kind::Vvu(u) => {
                ((u.pe, u.simd), u.pe * u.simd * u.multiplicity, u.pixels * u.weights.rows * u.weights.cols)
            }
            _ => continue,
        };
        let (multipliers, multiplications) = (multipliers as u64, multiplications as u64);
        let percent = multiplications as f64 * 100.0 / (multipliers * interval) as f64;
        if Some(id) == slowest {
            bottleneck_percent = Some(percent);
        }
        work += multiplications;
        slots += multipliers * interval;
        layers.push(Layer {
            name: m.layer.clone(),
            kind: m.kind.name().to_string(),
            folding,
            multipliers,
            multiplications,
            cycles: m.kind.firings() as u64,
            utilization_percent: percent,
            used: module_cost(design, id, model),
        });
    }
    let bottleneck =
        slowest.map(|b| (design.module(b).name.clone(), design.module(b).layer.clone())).unwrap_or_default();
    Report {
        interval_cycles: timing.interval_cycles,
        latency_cycles: timing.latency_cycles,
        bottleneck,
        bottleneck_percent,
        layers,
        utilization_percent: if slots == 0 { 0.0 } else { work as f64 * 100.0 / slots as f64 },
        used: design_cost(design, model),
        next,
    }
}

impl Report {
    /// The report as text, a line a layer.
    pub fn table(&self) -> String {
        let mut out = format!(
            "{:<28} {:>6} {:>6} {:>8} {:>12} {:>10} {:>7} {:>7} {:>5} {:>6}\n",
            "layer", "PE", "SIMD", "mult.", "mult./frame", "cycles", "util. %", "LUT", "DSP", "BRAM36"
        );
        for l in &self.layers {
            let name: String = l.name.chars().filter(|c| !c.is_control()).take(28).collect();
            let _ = writeln!(
                out,
                "{name:<28} {:>6} {:>6} {:>8} {:>12} {:>10} {:>7.1} {:>7} {:>5} {:>6}",
                l.folding.0,
                l.folding.1,
                l.multipliers,
                l.multiplications,
                l.cycles,
                l.utilization_percent,
                l.used.lut,
                l.used.dsp,
                l.used.bram36()
            );
        }
        let _ = writeln!(out, "all multipliers: {:.1} % busy; {}", self.utilization_percent, self.used);
        let busy = self.bottleneck_percent.map_or(String::new(), |p| format!(", its multipliers {p:.1} % busy"));
        let _ = writeln!(out, "bottleneck: {} ({} cycles a frame{busy})", self.bottleneck.0, self.interval_cycles);
        if let Some(n) = &self.next {
            let more = n.used.zip(&self.used, u64::saturating_sub);
            let _ = writeln!(out, "next faster step: {} cycles a frame for {more} more", n.interval_cycles);
        }
        out
    }
}
