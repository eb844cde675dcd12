//! The README of a generated folder.

use super::{Project, number};
use crate::text::plain;
use crate::verilog::{PortSpec, port_specs};
use askama::Template;
use netfold_ir::diag::Diag;
use netfold_ir::hw::{Design, Kind, timing};
use netfold_ir::net::Affine;
use netfold_ir::rat;

#[derive(Template)]
#[template(path = "board/readme.md")]
pub(super) struct Readme {
    top: String,
    network: String,
    version: &'static str,
    source: String,
    board: String,
    part: String,
    clock_mhz: String,
    latency_cycles: u64,
    latency_us: String,
    interval_cycles: u64,
    per_second: String,
    ports: Vec<Port>,
    modules: Vec<Row>,
    bottleneck: String,
}

struct Port {
    prefix: String,
    name: String,
    beats: usize,
    lanes: usize,
    element: String,
    real: String,
}

struct Row {
    name: String,
    kind: &'static str,
    layer: String,
    folding: String,
    cycles: usize,
    latency: usize,
}

/// A name for a cell of a table; empty ones are written so.
fn cell(name: &str) -> String {
    let text = plain(name);
    if text.is_empty() { "(no name)".into() } else { text }
}

/// `scale * q + offset` in decimal, exact where both are short.
fn real(affine: &Affine) -> String {
    if affine.channels() > 1 {
        return "scale and offset per channel: see report.json".into();
    }
    let text = |v: &netfold_ir::Rat| match rat::log2_exact(v) {
        Some(e) => format!("2^{e}"),
        None => format!("{}", rat::to_f64(v)),
    };
    let scale = format!("{} * q", text(affine.scale_of(0)));
    let offset = rat::to_f64(affine.offset_of(0));
    if offset == 0.0 { scale } else { format!("{scale} + {offset}") }
}

fn folding(kind: &Kind) -> String {
    match kind {
        Kind::Mvu(m) => {
            let pixels = if m.pixels > 1 { format!(", {} pixels", m.pixels) } else { String::new() };
            format!("PE {} of {}, SIMD {} of {}{pixels}", m.pe, m.weights.rows, m.simd, m.weights.cols)
        }
        Kind::Vvu(v) => format!("PE {} of {}, SIMD {} of {}", v.pe, v.channels(), v.simd, v.weights.cols),
        Kind::Swu(s) => format!("{} of {} channels", s.lanes, s.channels),
        Kind::Dwc { from, to, .. } => format!("{from} to {to} elements"),
        other => format!("{} elements", other.output_lanes().first().copied().unwrap_or(1)),
    }
}

pub(super) fn readme(design: &Design, project: &Project) -> Result<Readme, Diag> {
    let timing = timing::simulate(design)?;
    let clock = project.target.clock_mhz;
    let (inputs, outputs) = port_specs(design);
    let port = |(spec, affine): (&PortSpec, &Affine)| Port {
        prefix: spec.prefix.clone(),
        name: cell(&spec.name),
        beats: spec.beats,
        lanes: spec.lanes,
        element: format!("{} {} bits", if spec.ty.signed { "signed" } else { "unsigned" }, spec.ty.bits),
        real: real(affine),
    };
    let affines = design.inputs.iter().chain(&design.outputs).map(|p| &p.real);
    let ports = inputs.iter().chain(&outputs).zip(affines).map(port).collect();
    let modules = design
        .modules()
        .into_iter()
        .map(|id| design.module(id))
        .filter(|m| !matches!(m.kind, Kind::Source { .. } | Kind::Sink { .. }))
        .map(|m| Row {
            name: m.name.clone(),
            kind: m.kind.name(),
            layer: cell(&m.layer),
            folding: folding(&m.kind),
            cycles: m.kind.firings(),
            latency: m.latency(),
        })
        .collect();
    let (cycles, slowest) = timing::bottleneck(design);
    let slowest = slowest.map_or("none", |id| design.module(id).name.as_str());
    Ok(Readme {
        top: design.name.clone(),
        network: cell(&project.network),
        version: env!("CARGO_PKG_VERSION"),
        source: cell(&project.source),
        board: cell(&project.target.board),
        part: project.target.part.clone(),
        clock_mhz: number(clock),
        latency_cycles: timing.latency_cycles,
        latency_us: number(timing.latency_cycles as f64 / clock),
        interval_cycles: timing.interval_cycles,
        per_second: number((clock * 1e6 / timing.interval_cycles.max(1) as f64).round()),
        ports,
        modules,
        bottleneck: format!("`{slowest}` with {cycles} cycles a frame"),
    })
}
