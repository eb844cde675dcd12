//! The two CSV tables of HLS results: single hls4ml dense layers, and two- and three-layer networks of wa-hls4ml.

use super::csv::Csv;
use super::{Design, Row, Table};
use crate::features::dense::{DenseLayer, Strategy};
use crate::model::Target;
use netfold_ir::diag::{Diag, Diags};
use std::collections::BTreeMap;

/// Largest layer width that a table may name.
const WIDEST: u32 = 1 << 16;

/// Reads one dense layer a row. Rows whose synthesis failed are counted in [`Table::skipped`].
pub(crate) fn single_layers(csv: &Csv) -> Result<Table, Diags> {
    let mut table = Table::default();
    let c = |name| csv.need(name);
    let (d_in, d_out, bits, io) = (c("d_in")?, c("d_out")?, c("weight_bits")?, c("io_bits")?);
    let (strategy, reuse, ok) = (c("strategy")?, c("reuse_factor_requested")?, c("synth_ok")?);
    let (nonzero, digits) = (c("weights_nonzero")?, c("weights_csd_digits")?);
    let (tool, part) = (c("hls_tool")?, c("part")?);
    let targets = [
        ("lut", c("lut")?, Target::Lut, 1.0),
        ("ff", c("ff")?, Target::Ff, 1.0),
        ("dsp", c("dsp")?, Target::Dsp, 1.0),
        ("bram18k", c("bram18k")?, Target::Bram36, 0.5),
        ("latency_max_cycles", c("latency_max_cycles")?, Target::LatencyCycles, 1.0),
        ("ii_max_cycles", c("ii_max_cycles")?, Target::IntervalCycles, 1.0),
    ];
    let mut errors = Diags::new();
    for (line, f) in &csv.rows {
        let line = *line;
        if f[ok].trim().eq_ignore_ascii_case("false") {
            *table.skipped.entry("synthesis failed".into()).or_default() += 1;
            continue;
        }
        let read = || -> Result<Row, Diag> {
            let strategy = match f[strategy].trim() {
                "resource" => Strategy::Resource,
                "latency" => Strategy::Latency,
                other => return Err(csv.error(line, format!("`strategy` is `{other}`, not `resource` or `latency`"))),
            };
            let count = |name: &str, i: usize| csv.number(line, name, &f[i]).map(|n| n.map(|v| v as u64));
            let layer = DenseLayer {
                n_in: csv.whole(line, "d_in", &f[d_in], 1, WIDEST)?,
                n_out: csv.whole(line, "d_out", &f[d_out], 1, WIDEST)?,
                weight_bits: csv.whole(line, "weight_bits", &f[bits], 1, 64)?,
                io_bits: csv.whole(line, "io_bits", &f[io], 1, 64)?,
                reuse_factor: csv.whole(line, "reuse_factor_requested", &f[reuse], 1, u32::MAX)?,
                strategy,
                nonzero: count("weights_nonzero", nonzero)?,
                csd_digits: count("weights_csd_digits", digits)?,
            };
            let mut values = BTreeMap::new();
            for (name, i, target, scale) in &targets {
                if let Some(v) = csv.number(line, name, &f[*i])? {
                    values.insert(*target, v * scale);
                }
            }
            let kind = if layer.strategy == Strategy::Latency { "latency" } else { "resource" };
            let folding = if layer.effective_reuse() == 1 { "unrolled" } else { kind };
            let strata = BTreeMap::from([
                ("strategy".to_string(), folding.to_string()),
                ("weight_bits".to_string(), layer.weight_bits.to_string()),
            ]);
            let group = format!("{}x{}", layer.n_in, layer.n_out);
            Ok(Row {
                group,
                strata,
                design: Design::Dense(vec![layer]),
                hardware: None,
                parts: Vec::new(),
                targets: values,
                line,
            })
        };
        if let Some(row) = errors.take(read()) {
            table.rows.push(row);
            table.tool = f[tool].trim().to_string();
            table.part = f[part].trim().to_string();
        }
    }
    errors.into_result(table)
}

/// Reads one network a row: `model_string` is its layer widths, joined by `-`.
pub(crate) fn networks(csv: &Csv) -> Result<Table, Diags> {
    let mut table = Table { tool: "Vitis HLS 2023.2".into(), part: "xcu250-figd2104-2L-e".into(), ..Table::default() };
    let c = |name| csv.need(name);
    let (model, bits, reuse) = (c("model_string")?, c("weight_bits")?, c("reuse_factor")?);
    let targets = [
        ("lut", c("lut")?, Target::Lut),
        ("ff", c("ff")?, Target::Ff),
        ("dsp", c("dsp")?, Target::Dsp),
        ("bram36", c("bram36")?, Target::Bram36),
        ("latency_max_cycles", c("latency_max_cycles")?, Target::LatencyCycles),
        ("ii_max_cycles", c("ii_max_cycles")?, Target::IntervalCycles),
    ];
    let mut errors = Diags::new();
    for (line, f) in &csv.rows {
        let line = *line;
        let read = || -> Result<Row, Diag> {
            let widths = f[model]
                .trim()
                .split('-')
                .map(|w| csv.whole(line, "model_string", w, 1, WIDEST))
                .collect::<Result<Vec<u32>, Diag>>()?;
            if widths.len() < 2 {
                return Err(csv.error(line, format!("`model_string` is `{}`: it needs two widths or more", f[model])));
            }
            let weight_bits = csv.whole(line, "weight_bits", &f[bits], 1, 64)?;
            let reuse_factor = csv.whole(line, "reuse_factor", &f[reuse], 1, u32::MAX)?;
            let mut values = BTreeMap::new();
            for (name, i, target) in &targets {
                if let Some(v) = csv.number(line, name, &f[*i])? {
                    values.insert(*target, v);
                }
            }
            let strata = BTreeMap::from([
                ("layers".to_string(), (widths.len() - 1).to_string()),
                ("weight_bits".to_string(), weight_bits.to_string()),
                ("reuse_factor".to_string(), reuse_factor.to_string()),
            ]);
            let design = Design::Dense(resource_chain(&widths, weight_bits, reuse_factor));
            Ok(Row {
                group: f[model].trim().to_string(),
                strata,
                design,
                hardware: None,
                parts: Vec::new(),
                targets: values,
                line,
            })
        };
        if let Some(row) = errors.take(read()) {
            table.rows.push(row);
        }
    }
    errors.into_result(table)
}

/// A chain of dense layers of the resource strategy with 16-bit data, as wa-hls4ml generates them.
pub fn resource_chain(widths: &[u32], weight_bits: u32, reuse_factor: u32) -> Vec<DenseLayer> {
    widths
        .windows(2)
        .map(|w| DenseLayer {
            n_in: w[0],
            n_out: w[1],
            weight_bits,
            io_bits: 16,
            reuse_factor,
            strategy: Strategy::Resource,
            nonzero: None,
            csd_digits: None,
        })
        .collect()
}
