//! The top level of the configuration.

use super::read::{Item, Report, suggestion};
use super::{Config, IoType, Style, Warning, hls, own, yaml};
use netfold_ir::diag::Diags;

/// Files of the network, as written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelFiles {
    /// `OnnxModel`.
    pub onnx: Option<String>,
    /// `KerasModel`: one file with layers and weights.
    pub keras: Option<String>,
    /// `KerasJson`: layers; the weights are in `keras_h5`.
    pub keras_json: Option<String>,
    /// `KerasH5`: weights, or without `keras_json` a whole model.
    pub keras_h5: Option<String>,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Backend {
    /// SystemVerilog.
    Verilog,
    /// A Vitis HLS project.
    Vitis,
    /// Both.
    All,
}

impl Backend {
    /// Every backend with its word.
    pub const ALL: [(&'static str, Backend); 3] =
        [("verilog", Backend::Verilog), ("vitis", Backend::Vitis), ("all", Backend::All)];

    /// The word in the configuration and on the command line.
    pub fn as_str(self) -> &'static str {
        Backend::ALL.iter().find(|(_, b)| *b == self).map_or("verilog", |(word, _)| word)
    }
}

impl IoType {
    /// Both types with hls4ml's words.
    pub const ALL: [(&'static str, IoType); 2] = [("io_parallel", IoType::Parallel), ("io_stream", IoType::Stream)];

    /// hls4ml's word.
    pub fn as_str(self) -> &'static str {
        IoType::ALL.iter().find(|(_, t)| *t == self).map_or("io_parallel", |(word, _)| word)
    }
}

/// Keys of the top level that have an effect.
pub(crate) const KEYS: &[&str] = &[
    "OnnxModel",
    "KerasModel",
    "KerasJson",
    "KerasH5",
    "InputData",
    "OutputPredictions",
    "OutputDir",
    "ProjectName",
    "Backend",
    "backend",
    "Board",
    "board",
    "Part",
    "XilinxPart",
    "ClockPeriod",
    "ClockUncertainty",
    "clock_mhz",
    "IOType",
    "Stamp",
    "Version",
    "HLSConfig",
    "AcceleratorConfig",
    "target",
    "style",
    "unrolled",
    "folding",
    "calibration",
    "quantization",
];

/// Keys of the top level that netfold knows and cannot honour, with the reason.
pub(crate) const IGNORED: &[(&str, &str)] = &[
    ("PytorchModel", "PyTorch's files are programs; write the network as ONNX with torch.onnx.export"),
    ("TensorFlowModel", "frozen graphs are not read; write the network as ONNX with tf2onnx, or as Keras"),
    ("InputShape", "the shapes are those of the model's file"),
    ("ProjectDir", "the project stands in OutputDir"),
    (
        "TraceOutput",
        "no hardware follows from it; `netfold inspect --dump-ir` and the golden engine show what is inside",
    ),
    ("WriterConfig", "the files that netfold writes are always the same, weights as text among them, and no archive"),
    ("Technology", "it belongs to a backend that netfold does not have"),
    ("ASICLibs", "it belongs to a backend that netfold does not have"),
    ("FIFO", "FIFO depths follow from the design"),
    ("Compiler", "it belongs to a backend that netfold does not have"),
    ("HLSIncludePath", "it belongs to a backend that netfold does not have"),
    ("HLSLibsPath", "it belongs to a backend that netfold does not have"),
    ("UseOneAPIBSP", "it belongs to a backend that netfold does not have"),
    ("HyperoptHandshake", "it belongs to a backend that netfold does not have"),
];

/// Keys of `AcceleratorConfig`; only its board has an effect.
const ACCELERATOR_KEYS: &[&str] = &["Board", "Driver", "Interface", "Platform", "Precision"];

/// A clock or an ordering code that may be written under two keys.
struct Twice<T> {
    first: Option<(T, String)>,
}

impl<T: PartialEq + std::fmt::Display> Twice<T> {
    /// Takes a value; a second one that differs is an error.
    fn take(&mut self, report: &mut Report<'_>, item: &Item<'_>, value: Option<T>) {
        let Some(value) = value else { return };
        match &self.first {
            Some((first, key)) if *first != value => {
                let cause = format!("{value} here contradicts {first}, which {key:?} gives");
                report.error(item, cause, "leave one of the two out");
            }
            _ => self.first = Some((value, item.key.to_string())),
        }
    }
}

/// Reads a whole configuration; `file` is its name in messages.
pub(crate) fn parse(file: &str, text: &str) -> Result<(Config, Vec<Warning>), Diags> {
    let tree = yaml::parse(file, text)?;
    let mut report = Report::new(file);
    let root = Item { path: String::new(), key: "", line: tree.line, node: &tree };
    let config = read(&mut report, &root);
    if report.errors.is_empty() { Ok((config, report.warnings())) } else { Err(report.errors) }
}

fn read(report: &mut Report<'_>, root: &Item<'_>) -> Config {
    let mut config = Config::default();
    let (mut clock, mut part, mut board) = (Twice { first: None }, Twice { first: None }, Twice { first: None });
    let mut uncertainty = None;
    for entry in report.entries(root) {
        match entry.key {
            "OnnxModel" => config.model.onnx = report.string(&entry),
            "KerasModel" => config.model.keras = report.string(&entry),
            "KerasJson" => config.model.keras_json = report.string(&entry),
            "KerasH5" => config.model.keras_h5 = report.string(&entry),
            "InputData" => config.input_data = report.string(&entry),
            "OutputPredictions" => config.output_predictions = report.string(&entry),
            "OutputDir" => config.output_dir = report.string(&entry),
            "ProjectName" => config.project_name = project_name(report, &entry),
            "Backend" | "backend" => config.backend = backend(report, &entry),
            "Board" | "board" => {
                let value = report.string(&entry);
                board.take(report, &entry, value);
            }
            "Part" | "XilinxPart" => {
                let value = ordering_code(report, &entry);
                part.take(report, &entry, value);
            }
            "ClockPeriod" => {
                let value = report.number(&entry, 0.5..=1e6).map(|ns| 1000.0 / ns);
                clock.take(report, &entry, value);
            }
            "clock_mhz" => {
                let value = report.number(&entry, 0.001..=2000.0);
                clock.take(report, &entry, value);
            }
            "ClockUncertainty" => uncertainty = Some(entry),
            "IOType" => config.io_type = io_type(report, &entry),
            "Stamp" => config.stamp = word(report, &entry),
            "Version" => config.version = word(report, &entry),
            "HLSConfig" => config.hls = hls::read(report, &entry),
            "AcceleratorConfig" => {
                for inner in report.entries(&entry) {
                    match inner.key {
                        "Board" => {
                            let value = report.string(&inner);
                            board.take(report, &inner, value);
                        }
                        key if ACCELERATOR_KEYS.contains(&key) => {
                            report.ignore(&inner, "the top level is always AXI4-Stream in the network's own formats");
                        }
                        _ => report.unknown(&inner, ACCELERATOR_KEYS),
                    }
                }
            }
            "target" => config.target = own::target(report, &entry),
            "style" => config.style = report.choice(&entry, &Style::ALL),
            "folding" => config.folding = own::folding(report, &entry),
            "calibration" => config.calibration = Some(own::calibration(report, &entry)),
            "unrolled" => config.unrolled = own::unrolled(report, &entry),
            "quantization" => config.quantization = own::quantization(report, &entry),
            key => match IGNORED.iter().find(|(k, _)| *k == key) {
                Some((_, reason)) if entry.node.value != yaml::Value::Null => report.ignore(&entry, reason),
                Some(_) => {}
                None => report.unknown(&entry, KEYS),
            },
        }
    }
    config.clock_mhz = clock.first.map(|(mhz, _)| mhz);
    config.part = part.first.map(|(code, _)| code);
    config.board = board.first.map(|(name, _)| name);
    if let Some(entry) = uncertainty {
        config.clock_uncertainty_percent = clock_uncertainty(report, &entry, config.clock_mhz);
    }
    config
}

/// A name that becomes a C function, a Verilog module and a folder.
fn project_name(report: &mut Report<'_>, item: &Item<'_>) -> Option<String> {
    let text = report.text(item)?;
    let valid = text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !valid {
        let cause = format!("{text:?} is not a name for a project");
        report.error(item, cause, "a letter, then letters, digits and '_', at most 64 in all");
        return None;
    }
    Some(text.to_string())
}

/// Letters, digits and the signs that occur in versions and ordering codes.
fn plain_word(report: &mut Report<'_>, item: &Item<'_>, signs: &str, what: &str) -> Option<String> {
    let text = report.text(item)?;
    if text.len() > 64 || text.is_empty() || !text.chars().all(|c| c.is_ascii_alphanumeric() || signs.contains(c)) {
        let help = format!("at most 64 letters, digits and any of {signs:?}");
        report.error(item, format!("{text:?} is not {what}"), help);
        return None;
    }
    Some(text.to_string())
}

fn word(report: &mut Report<'_>, item: &Item<'_>) -> Option<String> {
    plain_word(report, item, "._-+", "a plain word")
}

fn ordering_code(report: &mut Report<'_>, item: &Item<'_>) -> Option<String> {
    plain_word(report, item, "._-+/", "an ordering code")
}

fn backend(report: &mut Report<'_>, item: &Item<'_>) -> Option<Backend> {
    let text = report.text(item)?;
    match text.to_ascii_lowercase().as_str() {
        // hls4ml's Vivado HLS backends; the project that netfold writes is for its successor.
        "vivado" | "vivadoaccelerator" => Some(Backend::Vitis),
        "quartus" | "oneapi" | "catapult" | "symbolicexpression" | "libero" | "coyoteaccelerator" => {
            report.ignore(item, "netfold has the backends verilog and vitis");
            None
        }
        _ => match Backend::ALL.iter().find(|(w, _)| w.eq_ignore_ascii_case(text)) {
            Some((_, backend)) => Some(*backend),
            None => {
                let help = suggestion(text, &["verilog", "Vitis", "Vivado", "all"]);
                report.error(item, format!("{text:?} is not a backend"), help);
                None
            }
        },
    }
}

fn io_type(report: &mut Report<'_>, item: &Item<'_>) -> Option<IoType> {
    if report.text(item)? == "io_serial" {
        report.ignore(item, "io_serial no longer exists in hls4ml either; io_stream is used");
        return Some(IoType::Stream);
    }
    report.choice(item, &IoType::ALL)
}

/// `12.5%` of the period, or a time in ns; the result is in percent.
fn clock_uncertainty(report: &mut Report<'_>, item: &Item<'_>, clock_mhz: Option<f64>) -> Option<f64> {
    const MOST: f64 = 99.0;
    let text = report.text(item)?;
    if let Some(percent) = text.trim().strip_suffix('%') {
        return report.number_in(item, percent, 0.0..=MOST);
    }
    let Some(mhz) = clock_mhz else {
        report.error(item, "an uncertainty in ns needs a clock", "give ClockPeriod too, or a percentage like 12.5%");
        return None;
    };
    let period_ns = 1000.0 / mhz;
    report.number(item, 0.0..=period_ns * MOST / 100.0).map(|ns| ns / period_ns * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key lists are what messages offer: every one of them must be read.
    #[test]
    fn every_key_that_is_offered_is_known() {
        let check = |prefix: &str, keys: &[&str]| {
            for key in keys {
                let text = format!("{prefix}{{{key}: null}}");
                assert!(parse("f", &text).is_ok(), "{text}");
            }
        };
        check("", KEYS);
        check("", &IGNORED.map_keys());
        check("AcceleratorConfig: ", ACCELERATOR_KEYS);
        check("HLSConfig: ", hls::SECTIONS);
        for section in ["Model: ", "LayerType: {Dense: ", "LayerName: {x: "] {
            let end = if section.starts_with("Model") { "}" } else { "}}" };
            for key in hls::LAYER_KEYS.iter().chain(&hls::LAYER_IGNORED.map_keys()) {
                let text = format!("HLSConfig: {{{section}{{{key}: null}}{end}");
                let other_place = matches!((*key, end), ("BramFactor", "}}") | ("skip" | "Skip", "}"));
                assert_eq!(parse("f", &text).is_ok(), !other_place, "{text}");
            }
        }
        check("target: ", own::TARGET_KEYS);
        check("calibration: ", own::CALIBRATION_KEYS);
        check("quantization: ", own::QUANTIZATION_KEYS);
        check("unrolled: ", own::UNROLLED_KEYS);
        for key in own::FOLDING_KEYS {
            assert!(parse("f", &format!("folding: {{x: {{{key}: null}}}}")).is_ok(), "{key}");
        }
        let kinds = [
            "input",
            "dense",
            "conv",
            "depthwise_conv",
            "affine",
            "relu",
            "softmax",
            "max_pool",
            "average_pool",
            "pad",
        ];
        for name in kinds.into_iter().flat_map(hls::layer_types) {
            assert!(hls::LAYER_TYPES.contains(name), "{name}");
        }
        for name in hls::LAYER_TYPES {
            assert!(parse("f", &format!("HLSConfig: {{LayerType: {{{name}: null}}}}")).is_ok(), "{name}");
        }
    }

    /// The keys of a list of keys with reasons.
    trait MapKeys {
        fn map_keys(&self) -> Vec<&'static str>;
    }

    impl MapKeys for [(&'static str, &'static str)] {
        fn map_keys(&self) -> Vec<&'static str> {
            self.iter().map(|(k, _)| *k).collect()
        }
    }
}
