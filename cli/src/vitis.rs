//! What an HLS tool will make of a design, from a model of its results.

use crate::flow::Job;
use crate::report::{Amount, Layer, ModelInfo, Range, Report, ResourceReport, TargetInfo};
use netfold_frontend::config::{LayerRef, Strategy as Asked};
use netfold_ir::diag::{Diag, Diags};
use netfold_ir::hw::latency::signed_digits;
use netfold_ir::hw::{Design, Kind, timing};
use netfold_surrogate::features::dense::{DenseLayer, Strategy};
use netfold_surrogate::hls::{CLOCK_PERIOD_NS, HlsModel, HlsTool};
use netfold_surrogate::model::{Surrogate, Target};
use std::collections::BTreeMap;

/// The dense layers of a design as hls4ml's tools see them.
struct Layers {
    /// For the model.
    dense: Vec<DenseLayer>,
    /// For the report.
    rows: Vec<Layer>,
    /// In words, what else the design holds that the model knows nothing of.
    others: Vec<String>,
}

fn layers(job: &Job, design: &Design) -> Result<Layers, Diag> {
    let latency = job.config.strategy(LayerRef::new(&[], "")).is_some_and(|s| s.value == Asked::Latency);
    let mut dense = Vec::new();
    let mut rows = Vec::new();
    let mut others: BTreeMap<&str, usize> = BTreeMap::new();
    for id in design.topological()? {
        let module = design.module(id);
        let Kind::Mvu(m) = &module.kind else {
            // Width converters and forks have no counterpart in HLS; element-wise activations cost next to nothing there.
            let unknown = match module.kind.name() {
                "vvu" => Some("depthwise convolutions"),
                "window_reduce" | "global_reduce" => Some("pooling layers"),
                "table" => Some("table activations"),
                "argmax" | "vector_reduce" | "broadcast" | "mul" | "lincomb" => Some("vector operations"),
                _ => None,
            };
            if let Some(name) = unknown {
                *others.entry(name).or_default() += 1;
            }
            continue;
        };
        if m.vectors > 1 {
            *others.entry("convolutions").or_default() += 1;
        }
        let reuse = m.neuron_fold() * m.synapse_fold();
        let input = design.inputs_of(id).first().map_or(0, |(_, s)| s.ty.bits);
        let output = design.outputs_of(id).first().map_or(0, |(_, s)| s.ty.bits);
        let size = |v: usize| u32::try_from(v).unwrap_or(u32::MAX);
        dense.push(DenseLayer {
            n_in: size(m.weights.cols),
            n_out: size(m.weights.rows),
            weight_bits: m.weights.weight_bits(),
            io_bits: input,
            reuse_factor: size(reuse),
            strategy: if latency { Strategy::Latency } else { Strategy::Resource },
            nonzero: Some(m.weights.data.iter().filter(|w| **w != 0).count() as u64),
            csd_digits: Some(m.weights.data.iter().map(|w| u64::from(signed_digits(*w))).sum()),
        });
        rows.push(Layer {
            name: module.name.clone(),
            layer: module.layer.clone(),
            kind: "dense".into(),
            folding: format!("reuse factor {reuse}, {input} to {output} bits"),
            cycles: (reuse * m.vectors) as u64,
            latency: module.latency() as u64,
            lut: None,
            ff: None,
            dsp: None,
            bram36: None,
        });
    }
    let others = others.into_iter().map(|(name, n)| format!("{n} {name} (trained on dense layers only)")).collect();
    Ok(Layers { dense, rows, others })
}

/// Estimates the HLS project of a design: from the shipped model that fits best, or from one of the user's.
///
/// # Errors
/// When the user's model is of another kind of design, or the network has no matrix product.
pub fn report(job: &Job, design: &Design, own: Option<&Surrogate>) -> Result<Report, Diags> {
    let Layers { dense, rows, others: mut beyond } = layers(job, design)?;
    let own = own.map(|m| HlsModel::new(m.clone())).transpose()?;
    let model = match &own {
        Some(model) => model,
        None => HlsModel::shipped(HlsTool::for_layers(dense.len()))?,
    };
    let shipped = own.is_none();
    let period = 1000.0 / job.clock_mhz;
    if shipped && (period - CLOCK_PERIOD_NS).abs() > 0.5 {
        beyond.push(format!("clock period: {period:.1} ns (trained on {CLOCK_PERIOD_NS} ns only)"));
    }
    let provenance = model.provenance();
    if !provenance.part.is_empty() && !provenance.part.contains(&job.board.part) {
        beyond.push(format!("part: {} (trained on {})", job.board.part, provenance.part));
    }
    let prediction = model.predict_beyond(&dense, &beyond);
    let range = |target: Target| prediction.get(target).map(|e| Range { value: e.value, low: e.low, high: e.high });
    let device = &job.board.resources;
    let amount = |target: Target, available: u64| {
        let r = range(target).unwrap_or(Range { value: 0.0, low: 0.0, high: 0.0 });
        Amount { value: r.value, low: r.low, high: r.high, available }
    };
    let resources = ResourceReport {
        lut: amount(Target::Lut, device.lut),
        ff: amount(Target::Ff, device.ff),
        dsp: amount(Target::Dsp, device.dsp_count()),
        bram36: amount(Target::Bram36, device.bram36()),
        uram: amount(Target::Uram, device.uram_count()),
        lutram: amount(Target::Lutram, device.lut),
    };
    let fits = resources.fits();
    // What the model does not know, as the Verilog design has it.
    let exact = timing::simulate(design)?;
    let cycles = |r: Option<Range>, otherwise: u64| r.map_or(otherwise, |r| r.value.round() as u64);
    let (latency, interval) = (range(Target::LatencyCycles), range(Target::IntervalCycles));
    let latency_cycles = cycles(latency, exact.latency_cycles);
    let interval_cycles = cycles(interval, exact.interval_cycles).max(1);
    Ok(Report {
        network: job.prepared.int.name.clone(),
        target: TargetInfo::of(job),
        backend: "vitis",
        latency_cycles,
        utilization: None,
        solve: None,
        latency_bound_cycles: None,
        latency_ratio: None,
        interval_cycles,
        clock_mhz: job.clock_mhz,
        latency_ns: latency_cycles as f64 * period,
        fps: job.clock_mhz * 1e6 / interval_cycles as f64,
        bottleneck: rows.iter().max_by_key(|l| l.cycles).map(|l| l.name.clone()).unwrap_or_default(),
        latency_cycles_range: latency,
        fmax_mhz: None,
        interval_cycles_range: interval,
        resources,
        model: Some(ModelInfo::new(provenance, model.kinds())),
        outside: prediction.out_of_range,
        fits,
        layers: rows,
    })
}
