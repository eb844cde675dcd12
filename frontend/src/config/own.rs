//! netfold's own keys: target, folding, calibration, quantization.

use super::read::{Item, Report};
use super::{Precision, yaml};

/// What the design is meant to reach. Several goals hold together.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Target {
    /// Largest latency of one frame, first input to last output, in ns.
    pub latency_ns: Option<f64>,
    /// Frames a second at least.
    pub fps: Option<f64>,
    /// Share of each resource of the board that may be used, above 0 to 1.
    pub max_utilization: Option<f64>,
    /// Times the usual effort that the folding's search may spend before it states a gap, 0.1 to 1000.
    pub effort: Option<f64>,
}

/// How layers become hardware.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Style {
    /// netfold chooses for each layer.
    #[default]
    Auto,
    /// Folded units joined by streams.
    Stream,
    /// Everything in one cycle, constants in the logic.
    Unrolled,
}

impl Style {
    /// Every style with its word.
    pub const ALL: [(&'static str, Style); 3] =
        [("stream", Style::Stream), ("unrolled", Style::Unrolled), ("auto", Style::Auto)];

    /// The word in the configuration and on the command line.
    pub fn as_str(self) -> &'static str {
        Style::ALL.iter().find(|(_, s)| *s == self).map_or("auto", |(word, _)| word)
    }
}

/// Where a layer's weights live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Weights {
    /// By cost.
    #[default]
    Auto,
    /// ROM in LUTs.
    Lut,
    /// Block RAM.
    Bram,
    /// UltraRAM.
    Uram,
    /// Constants in the logic.
    Const,
}

impl Weights {
    /// Every place with its word.
    pub const ALL: [(&'static str, Weights); 5] = [
        ("auto", Weights::Auto),
        ("lut", Weights::Lut),
        ("bram", Weights::Bram),
        ("uram", Weights::Uram),
        ("const", Weights::Const),
    ];

    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        Weights::ALL.iter().find(|(_, w)| *w == self).map_or("auto", |(word, _)| word)
    }
}

/// What multiplies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Multipliers {
    /// By cost.
    #[default]
    Auto,
    /// DSP blocks.
    Dsp,
    /// LUTs and carry chains.
    Lut,
    /// A DSP block for two products that share an input.
    Packed,
    /// The same, and blocks add up products of both where one input is taken at once.
    PackedSum,
}

impl Multipliers {
    /// Every kind with its word.
    pub const ALL: [(&'static str, Multipliers); 5] = [
        ("auto", Multipliers::Auto),
        ("dsp", Multipliers::Dsp),
        ("lut", Multipliers::Lut),
        ("packed", Multipliers::Packed),
        ("packed_sum", Multipliers::PackedSum),
    ];

    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        Multipliers::ALL.iter().find(|(_, m)| *m == self).map_or("auto", |(word, _)| word)
    }
}

/// Folding of one layer; `None` where netfold chooses.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Folding {
    /// Outputs (channels) computed at once.
    pub pe: Option<u64>,
    /// Inputs of each output taken at once.
    pub simd: Option<u64>,
    /// Input beats that are multiplied with all outputs as they come, instead of output after output.
    pub early: Option<u64>,
    /// Output pixels of a convolution computed at once.
    pub pixels: Option<u64>,
    /// Style of this layer.
    pub style: Option<Style>,
    /// Cycles a beat of this layer's program, where it is unrolled: 1 to [`MOST_INTERVAL`].
    pub interval: Option<u64>,
    /// Where the weights live.
    pub weights: Option<Weights>,
    /// What multiplies.
    pub multipliers: Option<Multipliers>,
}

/// How calibration finds a tensor's range.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum CalibrationMethod {
    /// Smallest to largest value seen.
    #[default]
    MinMax,
    /// The range that holds this many percent of the values, above 50 to 100.
    Percentile(f64),
    /// The range of the least mean squared error.
    Mse,
}

/// Calibration of a float network from data.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Calibration {
    /// `.npy` files of inputs: by input name, or one with an empty name for a network of one input.
    pub data: Vec<(String, String)>,
    /// Bits of activations and weights, 2 to 16.
    pub bits: Option<u32>,
    /// How ranges are found.
    pub method: CalibrationMethod,
}

/// A number format given in full, or as bits whose range netfold chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// This many bits, 1 to 32; the scale follows from the values.
    Bits(u32),
    /// Exactly this.
    Precision(Precision),
}

/// Formats of a float network's tensors, where `HLSConfig` says nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Quantization {
    /// Network inputs.
    pub inputs: Option<Format>,
    /// Outputs of layers.
    pub activations: Option<Format>,
    /// Weights.
    pub weights: Option<Format>,
    /// Biases.
    pub biases: Option<Format>,
    /// One scale for each output channel of the weights rather than one for the layer.
    pub per_channel: Option<bool>,
}

/// How much of a tensor moves in a beat of an unrolled part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Beat {
    /// Whole tensors where the network is small, otherwise pixels.
    Auto,
    /// The whole tensor: a frame every cycle.
    Frame,
    /// One pixel, or a whole vector.
    Pixel,
}

impl Beat {
    /// Every choice with its word.
    pub const ALL: [(&'static str, Beat); 3] = [("auto", Beat::Auto), ("frame", Beat::Frame), ("pixel", Beat::Pixel)];

    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        Beat::ALL.iter().find(|(_, b)| *b == self).map_or("auto", |(word, _)| word)
    }
}

/// Registers within unrolled parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Registers {
    /// As many as the clock needs.
    Clock,
    /// None: results follow inputs within a cycle, however long it is.
    None,
}

impl Registers {
    /// Both choices with their words.
    pub const ALL: [(&'static str, Registers); 2] = [("clock", Registers::Clock), ("none", Registers::None)];

    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        Registers::ALL.iter().find(|(_, r)| *r == self).map_or("clock", |(word, _)| word)
    }
}

/// The unrolled style; `None` where netfold chooses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unrolled {
    /// How much moves in a beat.
    pub beat: Option<Beat>,
    /// Where registers are.
    pub registers: Option<Registers>,
    /// Cycles from a beat to the next: 1 to [`MOST_INTERVAL`].
    pub interval: Option<u64>,
}

/// The longest interval of an unrolled part. No word has more digits.
pub const MOST_INTERVAL: u64 = 32;

/// Keys of `target`.
pub(crate) const TARGET_KEYS: &[&str] = &["latency_ns", "fps", "max_utilization", "effort"];
/// Keys of a layer in `folding`.
pub(crate) const FOLDING_KEYS: &[&str] =
    &["pe", "simd", "early", "pixels", "parallel", "style", "interval", "weights", "multipliers"];
/// Keys of `unrolled`.
pub(crate) const UNROLLED_KEYS: &[&str] = &["beat", "registers", "interval"];
/// Keys of `calibration`.
pub(crate) const CALIBRATION_KEYS: &[&str] = &["data", "bits", "method", "percentile"];
/// Keys of `quantization`.
pub(crate) const QUANTIZATION_KEYS: &[&str] = &["inputs", "activations", "weights", "biases", "per_channel"];

pub(crate) fn target(report: &mut Report<'_>, item: &Item<'_>) -> Target {
    let mut target = Target::default();
    for entry in report.entries(item) {
        match entry.key {
            "latency_ns" => target.latency_ns = report.number(&entry, 0.001..=1e15),
            "fps" => target.fps = report.number(&entry, 1e-6..=1e12),
            "max_utilization" => target.max_utilization = report.number(&entry, 0.001..=1.0),
            "effort" => target.effort = report.number(&entry, 0.1..=1000.0),
            _ => report.unknown(&entry, TARGET_KEYS),
        }
    }
    target
}

pub(crate) fn unrolled(report: &mut Report<'_>, item: &Item<'_>) -> Unrolled {
    let mut unrolled = Unrolled::default();
    for entry in report.entries(item) {
        match entry.key {
            "beat" => unrolled.beat = report.choice(&entry, &Beat::ALL),
            "registers" => unrolled.registers = report.choice(&entry, &Registers::ALL),
            "interval" => unrolled.interval = report.integer(&entry, 1..=MOST_INTERVAL),
            _ => report.unknown(&entry, UNROLLED_KEYS),
        }
    }
    unrolled
}

pub(crate) fn folding(report: &mut Report<'_>, item: &Item<'_>) -> Vec<(String, Folding)> {
    const MOST: u64 = 1 << 24;
    let mut layers = Vec::new();
    for layer in report.entries(item) {
        let mut folding = Folding::default();
        for entry in report.entries(&layer) {
            match entry.key {
                "pe" => folding.pe = report.integer(&entry, 1..=MOST),
                "simd" => folding.simd = report.integer(&entry, 1..=MOST),
                "early" => folding.early = report.integer(&entry, 0..=MOST),
                "pixels" | "parallel" => folding.pixels = report.integer(&entry, 1..=MOST),
                "style" => folding.style = report.choice(&entry, &Style::ALL),
                "interval" => folding.interval = report.integer(&entry, 1..=MOST_INTERVAL),
                "weights" => folding.weights = report.choice(&entry, &Weights::ALL),
                "multipliers" => folding.multipliers = report.choice(&entry, &Multipliers::ALL),
                _ => report.unknown(&entry, FOLDING_KEYS),
            }
        }
        layers.push((layer.key.to_string(), folding));
    }
    layers
}

pub(crate) fn calibration(report: &mut Report<'_>, item: &Item<'_>) -> Calibration {
    #[derive(Clone, Copy, PartialEq)]
    enum Word {
        MinMax,
        Percentile,
        Mse,
    }
    let mut calibration = Calibration::default();
    let (mut word, mut percentile) = (None, None);
    for entry in report.entries(item) {
        match entry.key {
            "data" if matches!(entry.node.value, yaml::Value::Mapping(_)) => {
                for input in report.entries(&entry) {
                    if let Some(path) = report.string(&input) {
                        calibration.data.push((input.key.to_string(), path));
                    }
                }
            }
            "data" => calibration.data.extend(report.string(&entry).map(|path| (String::new(), path))),
            "bits" => calibration.bits = report.integer(&entry, 2..=16).map(|b| b as u32),
            "method" => {
                let words = [("minmax", Word::MinMax), ("percentile", Word::Percentile), ("mse", Word::Mse)];
                word = report.choice(&entry, &words);
            }
            "percentile" => {
                percentile = report.number(&entry, 50.0..=100.0);
                if percentile.is_some_and(|p| p <= 50.0) {
                    report.error(&entry, "a percentile is above 50", "99.9 keeps all but one value in a thousand");
                }
            }
            _ => report.unknown(&entry, CALIBRATION_KEYS),
        }
    }
    calibration.method = match (word, percentile) {
        (Some(Word::MinMax), None) | (None, None) => CalibrationMethod::MinMax,
        (Some(Word::Mse), None) => CalibrationMethod::Mse,
        (Some(Word::Percentile) | None, p) => CalibrationMethod::Percentile(p.unwrap_or(99.9)),
        (Some(Word::MinMax | Word::Mse), Some(_)) => {
            report.error(item, "`percentile` belongs to `method: percentile`", "leave one of the two out");
            CalibrationMethod::MinMax
        }
    };
    calibration
}

pub(crate) fn quantization(report: &mut Report<'_>, item: &Item<'_>) -> Quantization {
    let mut quantization = Quantization::default();
    for entry in report.entries(item) {
        match entry.key {
            "inputs" => quantization.inputs = format(report, &entry),
            "activations" => quantization.activations = format(report, &entry),
            "weights" => quantization.weights = format(report, &entry),
            "biases" => quantization.biases = format(report, &entry),
            "per_channel" => quantization.per_channel = report.boolean(&entry),
            _ => report.unknown(&entry, QUANTIZATION_KEYS),
        }
    }
    quantization
}

/// Bits, or a precision.
fn format(report: &mut Report<'_>, item: &Item<'_>) -> Option<Format> {
    let text = report.text(item)?;
    if text.chars().all(|c| c.is_ascii_digit()) {
        return report.integer(item, 1..=32).map(|b| Format::Bits(b as u32));
    }
    report.precision(item).map(Format::Precision)
}
