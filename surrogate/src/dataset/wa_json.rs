//! wa-hls4ml's own JSON (Hawks et al., 2025): a list of entries, or one entry.
//!
//! An entry has `meta_data`, `model_config` (a flat list of layers), `hls_config`, `resource_report` (after logic synthesis),
//! `hls_resource_report`, `latency_report`, `target_part`, `vivado_version` (in an older part `backend_version`) and
//! `hls4ml_version`. Counts are strings; `{}` is missing. The truth is `resource_report`; an entry without it is left out,
//! never filled from the estimate beside it. Features describe chains of dense layers: entries with other layers that
//! compute (convolutions, merges) are left out and counted. Activations and reshapes are passed over.
//!
//! Weight bits come from the layer (`weight_bits`, or the first number of its quantizer), else from a `_8b` in the model's
//! name, else from the model's precision.

use super::{Design, Row, Table};
use crate::features::dense::{DenseLayer, Strategy};
use crate::model::Target;
use netfold_ir::diag::{Code, Diag, Diags};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    meta_data: Map<String, Value>,
    model_config: Vec<Map<String, Value>>,
    hls_config: Value,
    #[serde(default)]
    resource_report: Option<Map<String, Value>>,
    #[serde(default)]
    latency_report: Option<Map<String, Value>>,
    #[serde(default)]
    target_part: Option<String>,
    #[serde(default)]
    vivado_version: Option<Value>,
    #[serde(default)]
    backend_version: Option<Value>,
}

/// Layers that cost nothing of their own in a fully parallel chain.
const PASSED_OVER: [&str; 9] =
    ["InputLayer", "Activation", "QActivation", "Flatten", "Dropout", "Reshape", "ReLU", "Softmax", "LeakyReLU"];

/// Reads entries; errors name the entry.
pub(crate) fn parse(text: &str, place: &str) -> Result<Table, Diags> {
    let broken = |e: serde_json::Error| {
        Diag::new(Code::Format, format!("{place}:{}", e.line()), format!("is not wa-hls4ml's JSON: {e}"))
            .help("an entry has meta_data, model_config, hls_config, resource_report and latency_report")
    };
    let entries: Vec<Entry> = if text.starts_with('[') {
        serde_json::from_str(text).map_err(broken)?
    } else {
        vec![serde_json::from_str(text).map_err(broken)?]
    };
    let mut table = Table::default();
    let mut errors = Diags::new();
    for (i, entry) in entries.iter().enumerate() {
        match row(entry, i + 1, place) {
            Ok(Outcome::Row(row)) => table.rows.push(*row),
            Ok(Outcome::LeftOut(reason)) => *table.skipped.entry(reason).or_default() += 1,
            Err(e) => errors.push(e),
        }
        if table.part.is_empty() {
            table.part = entry.target_part.clone().unwrap_or_default();
            let version = entry.vivado_version.as_ref().or(entry.backend_version.as_ref());
            table.tool = version.map_or(String::new(), |v| format!("Vitis or Vivado HLS {}", plain(v)));
        }
    }
    errors.into_result(table)
}

/// What becomes of an entry.
enum Outcome {
    /// A row of the table.
    Row(Box<Row>),
    /// Nothing, for this reason.
    LeftOut(String),
}

/// A row, or the reason it is left out.
fn row(entry: &Entry, number: usize, place: &str) -> Result<Outcome, Diag> {
    let bad = |cause: String| Diag::new(Code::Format, format!("{place}: entry {number}"), cause);
    let Some(resources) = entry.resource_report.as_ref().filter(|r| !r.is_empty()) else {
        return Ok(Outcome::LeftOut("no resource_report".into()));
    };
    let name = entry.meta_data.get("model_name").map(plain).unwrap_or_default();
    let model = entry.hls_config.get("Model").cloned().unwrap_or_default();
    let precision = model.get("Precision").map(precision_bits).unwrap_or(None);
    let io_bits = precision.unwrap_or(16);
    let strategy = match model.get("Strategy").map(plain).unwrap_or_default().to_ascii_lowercase().as_str() {
        "resource" => Strategy::Resource,
        "latency" | "" => Strategy::Latency,
        other => return Ok(Outcome::LeftOut(format!("strategy {other}"))),
    };
    let asked = model.get("ReuseFactor").and_then(whole);
    let mut layers = Vec::new();
    for layer in &entry.model_config {
        let class = layer.get("class_name").map(plain).unwrap_or_default();
        if class != "Dense" && class != "QDense" {
            if PASSED_OVER.contains(&class.as_str()) {
                continue;
            }
            return Ok(Outcome::LeftOut(format!("layer {class}")));
        }
        let size = |key: &str| layer.get(key).and_then(elements);
        let n_out = layer.get("neurons").and_then(whole).or_else(|| size("output_shape"));
        let (Some(n_in), Some(n_out)) = (size("input_shape"), n_out) else {
            return Err(bad(format!("a {class} layer lacks input_shape, or both neurons and output_shape")));
        };
        let Some(reuse_factor) = asked.or_else(|| layer.get("reuse_factor").and_then(whole)) else {
            return Err(bad("neither hls_config.Model.ReuseFactor nor the layer's reuse_factor is a number".into()));
        };
        let weight_bits = ["weight_bits", "kernel_quantizer", "weight_quantizer", "dtype"]
            .iter()
            .find_map(|k| layer.get(*k).and_then(precision_bits))
            .or_else(|| bits_in_name(&name))
            .or(precision)
            .ok_or_else(|| bad("no weight precision is given".into()))?;
        layers.push(DenseLayer {
            n_in,
            n_out,
            weight_bits,
            io_bits,
            reuse_factor,
            strategy,
            nonzero: None,
            csd_digits: None,
        });
    }
    let Some(first) = layers.first() else { return Ok(Outcome::LeftOut("no dense layer".into())) };
    let mut group = first.n_in.to_string();
    for l in &layers {
        group.push_str(&format!("-{}", l.n_out));
    }
    let empty = Map::new();
    let latency = entry.latency_report.as_ref().unwrap_or(&empty);
    let mut targets = BTreeMap::new();
    for (report, key, target) in [
        (resources, "lut", Target::Lut),
        (resources, "ff", Target::Ff),
        (resources, "dsp", Target::Dsp),
        (resources, "bram", Target::Bram36),
        (resources, "uram", Target::Uram),
        (latency, "cycles_max", Target::LatencyCycles),
        (latency, "interval_max", Target::IntervalCycles),
    ] {
        let Some(value) = report.get(key) else { continue };
        match count(value) {
            Some(Some(v)) => {
                targets.insert(target, v);
            }
            Some(None) => {}
            None => return Err(bad(format!("`{key}` is {value}, not a count"))),
        }
    }
    let strata = BTreeMap::from([
        ("layers".to_string(), layers.len().to_string()),
        ("strategy".to_string(), if strategy == Strategy::Latency { "latency" } else { "resource" }.to_string()),
    ]);
    Ok(Outcome::Row(Box::new(Row {
        group,
        strata,
        design: Design::Dense(layers),
        hardware: None,
        parts: Vec::new(),
        targets,
        line: number,
    })))
}

/// A string without quotes, or a value as JSON.
fn plain(v: &Value) -> String {
    v.as_str().map_or_else(|| v.to_string(), str::to_string)
}

/// A positive whole number, also as a string.
fn whole(v: &Value) -> Option<u32> {
    let n = v.as_u64().or_else(|| v.as_str()?.trim().parse().ok())?;
    u32::try_from(n).ok().filter(|&n| n > 0)
}

/// A count: a number or a string of one; `{}`, null and the empty string are missing; `None` is anything else.
fn count(v: &Value) -> Option<Option<f64>> {
    match v {
        Value::Null => Some(None),
        Value::Object(m) if m.is_empty() => Some(None),
        Value::String(s) if s.trim().is_empty() => Some(None),
        Value::String(s) => s.trim().parse::<f64>().ok().filter(|v| v.is_finite() && *v >= 0.0).map(Some),
        Value::Number(n) => n.as_f64().filter(|v| *v >= 0.0).map(Some),
        _ => None,
    }
}

/// Product of the known dimensions of a shape such as `[null, 64]`.
fn elements(v: &Value) -> Option<u32> {
    let dims = v.as_array()?;
    let known: Vec<u64> = dims.iter().filter(|d| !d.is_null()).map(Value::as_u64).collect::<Option<_>>()?;
    if known.is_empty() {
        return None;
    }
    let product = known.iter().try_fold(1u64, |a, &b| a.checked_mul(b))?;
    u32::try_from(product).ok().filter(|&n| n > 0)
}

/// Total bits of `ap_fixed<8, 1>`, `quantized_bits(8, 0)`, a plain number, or the `default` of an object.
fn precision_bits(v: &Value) -> Option<u32> {
    match v {
        Value::Object(m) => m.get("default").or_else(|| m.get("weight")).and_then(precision_bits),
        Value::Number(_) => whole(v).filter(|&b| b <= 64),
        Value::String(s) => {
            let open = s.find(['<', '('])?;
            let digits: String = s[open + 1..].trim_start().chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok().filter(|b| (1..=64).contains(b))
        }
        _ => None,
    }
}

/// `8` of a name with a part `8b`.
fn bits_in_name(name: &str) -> Option<u32> {
    name.split(['_', '-', '.']).find_map(|p| p.strip_suffix('b')?.parse().ok()).filter(|b| (1..=64).contains(b))
}
