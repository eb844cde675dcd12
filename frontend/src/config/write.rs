//! Writing the resolved configuration.

use super::{
    Calibration, CalibrationMethod, Config, Folding, Format, LayerConfig, Precision, Quantization, Target, Unrolled,
};
use netfold_ir::diag::Diag;
use serde_yaml::{Mapping, Value};

/// A mapping that leaves out what is not set.
#[derive(Default)]
struct Map(Mapping);

impl Map {
    fn put(&mut self, key: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.0.insert(Value::String(key.to_string()), value.into());
        }
    }

    /// Puts a mapping, unless it is empty.
    fn put_map(&mut self, key: &str, map: Map) {
        self.put(key, (!map.0.is_empty()).then_some(map.0));
    }
}

/// See [`Config::to_yaml`].
pub(crate) fn to_yaml(config: &Config) -> Result<String, Diag> {
    let mut top = Map::default();
    top.put("OnnxModel", config.model.onnx.clone());
    top.put("KerasModel", config.model.keras.clone());
    top.put("KerasJson", config.model.keras_json.clone());
    top.put("KerasH5", config.model.keras_h5.clone());
    top.put("InputData", config.input_data.clone());
    top.put("OutputPredictions", config.output_predictions.clone());
    top.put("OutputDir", config.output_dir.clone());
    top.put("ProjectName", config.project_name.clone());
    top.put("Backend", config.backend.map(|b| b.as_str()));
    top.put("board", config.board.clone());
    top.put("Part", config.part.clone());
    top.put("clock_mhz", config.clock_mhz);
    top.put("ClockUncertainty", config.clock_uncertainty_percent.map(|p| format!("{p}%")));
    top.put("IOType", config.io_type.map(|t| t.as_str()));
    top.put("Stamp", config.stamp.clone());
    top.put("Version", config.version.clone());
    let mut hls = Map::default();
    hls.put_map("Model", layer(&config.hls.model));
    hls.put_map("LayerType", layers(&config.hls.layer_type));
    hls.put_map("LayerName", layers(&config.hls.layer_name));
    top.put_map("HLSConfig", hls);
    top.put_map("target", target(&config.target));
    top.put("style", config.style.map(|s| s.as_str()));
    top.put_map("unrolled", unrolled(&config.unrolled));
    let mut foldings = Map::default();
    for (name, f) in &config.folding {
        foldings.put(name, Some(folding(f).0));
    }
    top.put_map("folding", foldings);
    top.put("calibration", config.calibration.as_ref().map(|c| calibration(c).0));
    top.put_map("quantization", quantization(&config.quantization));
    serde_yaml::to_string(&top.0).map_err(|e| Diag::internal("configuration", format!("cannot be written: {e}")))
}

fn layers(list: &[(String, LayerConfig)]) -> Map {
    let mut map = Map::default();
    for (name, config) in list {
        map.put(name, Some(layer(config).0));
    }
    map
}

fn layer(config: &LayerConfig) -> Map {
    let mut precision = Map::default();
    for (var, format) in &config.precision {
        precision.put(var.as_str(), Some(format.to_string()));
    }
    let mut map = Map::default();
    map.put_map("Precision", precision);
    map.put("ReuseFactor", config.reuse_factor);
    map.put("Strategy", config.strategy.map(|s| s.as_str()));
    map.put("ParallelizationFactor", config.parallelization_factor);
    map.put("table_size", config.table_size);
    map.put("BramFactor", config.bram_factor);
    map.put("skip", config.skip);
    map
}

fn target(target: &Target) -> Map {
    let mut map = Map::default();
    map.put("latency_ns", target.latency_ns);
    map.put("fps", target.fps);
    map.put("max_utilization", target.max_utilization);
    map.put("effort", target.effort);
    map
}

fn unrolled(unrolled: &Unrolled) -> Map {
    let mut map = Map::default();
    map.put("beat", unrolled.beat.map(|b| b.as_str()));
    map.put("registers", unrolled.registers.map(|r| r.as_str()));
    map.put("interval", unrolled.interval);
    map
}

fn folding(folding: &Folding) -> Map {
    let mut map = Map::default();
    map.put("pe", folding.pe);
    map.put("simd", folding.simd);
    map.put("early", folding.early);
    map.put("pixels", folding.pixels);
    map.put("style", folding.style.map(|s| s.as_str()));
    map.put("interval", folding.interval);
    map.put("weights", folding.weights.map(|w| w.as_str()));
    map.put("multipliers", folding.multipliers.map(|m| m.as_str()));
    map
}

fn calibration(calibration: &Calibration) -> Map {
    let mut map = Map::default();
    match calibration.data.as_slice() {
        [(name, path)] if name.is_empty() => map.put("data", Some(path.clone())),
        several => {
            let mut data = Map::default();
            for (name, path) in several {
                data.put(name, Some(path.clone()));
            }
            map.put_map("data", data);
        }
    }
    map.put("bits", calibration.bits);
    let (word, percentile) = match calibration.method {
        CalibrationMethod::MinMax => ("minmax", None),
        CalibrationMethod::Percentile(p) => ("percentile", Some(p)),
        CalibrationMethod::Mse => ("mse", None),
    };
    map.put("method", Some(word));
    map.put("percentile", percentile);
    map
}

fn quantization(quantization: &Quantization) -> Map {
    let format = |format: Option<Format>| {
        format.map(|f| match f {
            Format::Bits(bits) => Value::from(bits),
            Format::Precision(precision) => Value::from(Precision::to_string(&precision)),
        })
    };
    let mut map = Map::default();
    map.put("inputs", format(quantization.inputs));
    map.put("activations", format(quantization.activations));
    map.put("weights", format(quantization.weights));
    map.put("biases", format(quantization.biases));
    map.put("per_channel", quantization.per_channel);
    map
}
