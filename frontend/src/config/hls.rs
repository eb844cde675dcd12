//! hls4ml's `HLSConfig`: settings of the whole model, of layer types and of single layers.

use super::read::{Item, Report};
use super::{LayerRef, Precision, Setting, Source};
use std::collections::BTreeMap;

/// What a precision is of. The names are those of hls4ml's `Precision` mappings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Var {
    /// Everything of the layer that has no precision of its own.
    Default,
    /// Upper limit on what `auto` may choose (`Model` only).
    Maximum,
    /// The layer's output.
    Result,
    /// Weights, kernels.
    Weight,
    /// Bias.
    Bias,
    /// Accumulator. Never taken from a default: accumulators are exact unless this is written.
    Accum,
    /// Scale of a batch normalization.
    Scale,
    /// Parameter of a parametrized activation.
    Param,
    /// Depthwise kernel of a separable convolution.
    Depthwise,
    /// Pointwise kernel of a separable convolution.
    Pointwise,
    /// Output of the depthwise half of a separable convolution.
    DepthwiseResult,
    /// Recurrent kernel.
    RecurrentWeight,
    /// Recurrent bias.
    RecurrentBias,
    /// Table of an activation function. Never taken from a default.
    Table,
    /// Exponential table of a softmax. Never taken from a default.
    ExpTable,
    /// Reciprocal table of a softmax. Never taken from a default.
    InvTable,
}

impl Var {
    /// Every variable with its key in a `Precision` mapping.
    pub const ALL: [(&'static str, Var); 16] = [
        ("default", Var::Default),
        ("maximum", Var::Maximum),
        ("result", Var::Result),
        ("weight", Var::Weight),
        ("bias", Var::Bias),
        ("accum", Var::Accum),
        ("scale", Var::Scale),
        ("param", Var::Param),
        ("depthwise", Var::Depthwise),
        ("pointwise", Var::Pointwise),
        ("depthwise_result", Var::DepthwiseResult),
        ("recurrent_weight", Var::RecurrentWeight),
        ("recurrent_bias", Var::RecurrentBias),
        ("table", Var::Table),
        ("exp_table", Var::ExpTable),
        ("inv_table", Var::InvTable),
    ];

    /// The key in a `Precision` mapping.
    pub fn as_str(self) -> &'static str {
        Var::ALL.iter().find(|(_, v)| *v == self).map_or("default", |(name, _)| name)
    }

    /// Whether a `default` precision applies to this.
    fn takes_default(self) -> bool {
        !matches!(self, Var::Accum | Var::Maximum | Var::Table | Var::ExpTable | Var::InvTable)
    }
}

/// hls4ml's `Strategy`, of a matrix layer or of a softmax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// Everything in parallel, weights in the logic.
    Latency,
    /// Multipliers shared `ReuseFactor` times, weights in memory.
    Resource,
    /// As `Resource`, with the loop over the weights unrolled.
    ResourceUnrolled,
    /// Constants as shift-and-add graphs, everything in one cycle.
    DistributedArithmetic,
    /// Softmax: the maximum is subtracted first.
    Stable,
    /// Softmax replaced by the position of the maximum.
    Argmax,
}

impl Strategy {
    /// Every strategy with hls4ml's name.
    pub const ALL: [(&'static str, Strategy); 6] = [
        ("Latency", Strategy::Latency),
        ("Resource", Strategy::Resource),
        ("Resource_unrolled", Strategy::ResourceUnrolled),
        ("Distributed_arithmetic", Strategy::DistributedArithmetic),
        ("Stable", Strategy::Stable),
        ("Argmax", Strategy::Argmax),
    ];

    /// hls4ml's name.
    pub fn as_str(self) -> &'static str {
        Strategy::ALL.iter().find(|(_, s)| *s == self).map_or("Latency", |(name, _)| name)
    }
}

/// Settings of the model, a layer type or a layer; `None` where nothing is written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LayerConfig {
    /// Precisions.
    pub precision: BTreeMap<Var, Precision>,
    /// `ReuseFactor`: times that one multiplier is used for one output position; at least 1.
    pub reuse_factor: Option<u64>,
    /// `Strategy`.
    pub strategy: Option<Strategy>,
    /// `ParallelizationFactor`: output pixels of a convolution at once; at least 1.
    pub parallelization_factor: Option<u64>,
    /// `table_size`: entries of an activation's table, 2 to 2^20.
    pub table_size: Option<u64>,
    /// `BramFactor` (`Model` only): layers with more weights than this keep them in block RAM.
    pub bram_factor: Option<u64>,
    /// `skip` of a softmax: leave it out, the logits are the output.
    pub skip: Option<bool>,
}

/// The whole of `HLSConfig`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HlsConfig {
    /// `Model`.
    pub model: LayerConfig,
    /// `LayerType`: by hls4ml's class name or ONNX operator, in the order written; compared without case.
    pub layer_type: Vec<(String, LayerConfig)>,
    /// `LayerName`: by the layer's name, in the order written; compared without case.
    pub layer_name: Vec<(String, LayerConfig)>,
}

/// Keys of `HLSConfig`.
pub(crate) const SECTIONS: &[&str] = &["Model", "LayerType", "LayerName", "Flows", "Optimizers", "SkipOptimizers"];

/// Keys of a layer that have an effect.
pub(crate) const LAYER_KEYS: &[&str] = &[
    "Precision",
    "ReuseFactor",
    "Strategy",
    "ParallelizationFactor",
    "table_size",
    "TableSize",
    "table_t",
    "exp_table_t",
    "inv_table_t",
    "accum_t",
    "result_t",
    "weight_t",
    "bias_t",
    "BramFactor",
    "implementation",
    "Implementation",
    "skip",
    "Skip",
];

/// Keys of a layer that netfold knows and cannot honour, with the reason.
pub(crate) const LAYER_IGNORED: &[(&str, &str)] = &[
    ("Trace", "no hardware follows from it; `netfold inspect --dump-ir` and the golden engine show what is inside"),
    (
        "TraceOutput",
        "no hardware follows from it; `netfold inspect --dump-ir` and the golden engine show what is inside",
    ),
    ("Compression", "zero weights cost nothing in the unrolled style, and folded layers keep them"),
    ("ConvImplementation", "convolutions always use line buffers"),
    ("TargetCycles", "use `target: {latency_ns: ..}` for the network, or `folding` for a layer"),
    ("PipelineStyle", "every unit is pipelined, and units run as dataflow"),
    ("PipelineInterval", "the interval follows from the folding; use `target: {fps: ..}`"),
    ("RecurrentReuseFactor", "a recurrent kernel takes the layer's ReuseFactor"),
    ("Static", "recurrent state always stays inside the accelerator"),
    ("DepthwiseReuseFactor", "both halves of a separable convolution are layers of their own: use `folding`"),
    ("PointwiseReuseFactor", "both halves of a separable convolution are layers of their own: use `folding`"),
    ("exp_table_size", "both tables of a softmax have table_size entries"),
    ("inv_table_size", "both tables of a softmax have table_size entries"),
    ("exp_range", "the table covers the values that can occur"),
];

/// Names that `LayerType` takes: hls4ml's classes, then ONNX operators.
pub(crate) const LAYER_TYPES: &[&str] = &[
    "Input",
    "Dense",
    "Conv1D",
    "Conv2D",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "SeparableConv1D",
    "SeparableConv2D",
    "PointwiseConv1D",
    "PointwiseConv2D",
    "BatchNormalization",
    "Activation",
    "ParametrizedActivation",
    "PReLU",
    "HardActivation",
    "TernaryTanh",
    "BinaryTanh",
    "Softmax",
    "Pooling1D",
    "Pooling2D",
    "MaxPooling1D",
    "MaxPooling2D",
    "AveragePooling1D",
    "AveragePooling2D",
    "GlobalPooling1D",
    "GlobalPooling2D",
    "Merge",
    "Concatenate",
    "Dot",
    "Resize",
    "UpSampling2D",
    "Transpose",
    "Reshape",
    "Flatten",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "Embedding",
    "SimpleRNN",
    "LSTM",
    "GRU",
    "Quant",
    "ApplyAlpha",
    "BiasAdd",
    "Constant",
    "Gemm",
    "MatMul",
    "Conv",
    "Relu",
    "LeakyRelu",
    "Elu",
    "Selu",
    "Sigmoid",
    "HardSigmoid",
    "Tanh",
    "Softplus",
    "Clip",
    "ArgMax",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Max",
    "Min",
    "Concat",
    "Split",
    "Slice",
    "Pad",
];

/// The `LayerType` names of an operator of the network level, the most specific first; none for operators without one.
pub(crate) fn layer_types(kind: &str) -> &'static [&'static str] {
    match kind {
        "input" => &["Input"],
        "dense" => &["Dense", "Gemm", "MatMul"],
        "conv" => &["PointwiseConv2D", "PointwiseConv1D", "Conv2D", "Conv1D", "Conv"],
        "depthwise_conv" => &["DepthwiseConv2D", "DepthwiseConv1D", "Conv"],
        "affine" => &["BatchNormalization", "ApplyAlpha", "BiasAdd"],
        "relu" => &["Relu", "Activation"],
        "leaky_relu" => &["LeakyRelu", "PReLU", "ParametrizedActivation", "Activation"],
        "clip" => &["Clip", "Activation"],
        "hard_sigmoid" | "hard_swish" => &["HardSigmoid", "HardActivation", "Activation"],
        "sigmoid" => &["Sigmoid", "Activation"],
        "tanh" => &["Tanh", "Activation"],
        "elu" => &["Elu", "ParametrizedActivation", "Activation"],
        "selu" => &["Selu", "Activation"],
        "softplus" => &["Softplus", "Activation"],
        "softsign" | "exp" | "abs" | "sqrt" | "reciprocal" => &["Activation"],
        "softmax" => &["Softmax", "Activation"],
        "quant" => &["Quant"],
        "add" => &["Add", "Sub", "Merge"],
        "mul" => &["Mul", "Merge"],
        "max_pool" => &["MaxPooling2D", "MaxPooling1D", "MaxPool", "Pooling2D", "Pooling1D"],
        "average_pool" => &["AveragePooling2D", "AveragePooling1D", "AveragePool", "Pooling2D", "Pooling1D"],
        "global_max_pool" => &["GlobalMaxPool", "GlobalPooling2D", "GlobalPooling1D"],
        "global_average_pool" => &["GlobalAveragePool", "GlobalPooling2D", "GlobalPooling1D"],
        "argmax" => &["ArgMax"],
        "concat" => &["Concatenate", "Concat", "Merge"],
        "slice" => &["Slice", "Split"],
        "reshape" => &["Reshape", "Flatten"],
        "transpose" => &["Transpose"],
        "pad" => &["ZeroPadding2D", "ZeroPadding1D", "Pad"],
        "upsample" => &["UpSampling2D", "Resize"],
        _ => &[],
    }
}

/// Reads `HLSConfig`.
pub(crate) fn read(report: &mut Report<'_>, item: &Item<'_>) -> HlsConfig {
    let mut config = HlsConfig::default();
    for section in report.entries(item) {
        match section.key {
            "Model" => config.model = layer(report, &section, true),
            "LayerType" => {
                for entry in report.entries(&section) {
                    if LAYER_TYPES.iter().any(|t| t.eq_ignore_ascii_case(entry.key)) {
                        let settings = layer(report, &entry, false);
                        config.layer_type.push((entry.key.to_string(), settings));
                    } else {
                        report.unknown(&entry, LAYER_TYPES);
                    }
                }
            }
            "LayerName" => {
                for entry in report.entries(&section) {
                    let settings = layer(report, &entry, false);
                    config.layer_name.push((entry.key.to_string(), settings));
                }
            }
            "Flows" | "Optimizers" | "SkipOptimizers" => {
                report.ignore(&section, "netfold has its own passes; `netfold inspect --stop-after` names them");
            }
            _ => report.unknown(&section, SECTIONS),
        }
    }
    config
}

/// Reads the settings of the model, a layer type or a layer.
fn layer(report: &mut Report<'_>, item: &Item<'_>, model: bool) -> LayerConfig {
    let mut config = LayerConfig::default();
    for entry in report.entries(item) {
        match entry.key {
            "Precision" => precisions(report, &entry, model, &mut config.precision),
            "ReuseFactor" => config.reuse_factor = report.integer(&entry, 1..=1 << 40),
            "Strategy" | "implementation" | "Implementation" => config.strategy = strategy(report, &entry),
            "ParallelizationFactor" => {
                config.parallelization_factor = report.integer(&entry, 1..=1 << 32);
            }
            "table_size" | "TableSize" => config.table_size = report.integer(&entry, 2..=1 << 20),
            "table_t" | "exp_table_t" | "inv_table_t" | "accum_t" | "result_t" | "weight_t" | "bias_t" => {
                let name = entry.key.trim_end_matches("_t");
                let var = Var::ALL.iter().find(|(n, _)| *n == name).map_or(Var::Table, |(_, v)| *v);
                if let Some(precision) = report.precision(&entry) {
                    config.precision.insert(var, precision);
                }
            }
            "BramFactor" if model => {
                if report.text(&entry).is_some_and(|t| !t.trim_start_matches('.').eq_ignore_ascii_case("inf")) {
                    config.bram_factor = report.integer(&entry, 0..=1 << 40);
                    report.ignore(
                        &entry,
                        "weights go where they cost least; `folding: {LAYER: {weights: bram}}` decides it",
                    );
                }
            }
            "skip" | "Skip" if !model => config.skip = report.boolean(&entry),
            key => match LAYER_IGNORED.iter().find(|(k, _)| *k == key) {
                Some((_, reason)) => {
                    if !is_default(key, &entry) {
                        report.ignore(&entry, reason);
                    }
                }
                None => {
                    let mut valid = LAYER_KEYS.to_vec();
                    valid.retain(|k| if model { !matches!(*k, "skip" | "Skip") } else { *k != "BramFactor" });
                    report.unknown(&entry, &valid);
                }
            },
        }
    }
    config
}

/// Whether an ignored key only states what netfold does anyway.
fn is_default(key: &str, entry: &Item<'_>) -> bool {
    use super::yaml::Value;
    let text = match &entry.node.value {
        Value::Null => return true,
        Value::Scalar { text, .. } => text.to_ascii_lowercase(),
        Value::Sequence(_) | Value::Mapping(_) => return false,
    };
    match key {
        "Trace" | "TraceOutput" | "Compression" => matches!(text.as_str(), "false" | "no" | "off" | "0"),
        "ConvImplementation" => text == "linebuffer",
        "PipelineStyle" => matches!(text.as_str(), "auto" | "dataflow"),
        "Static" => matches!(text.as_str(), "true" | "yes" | "on" | "1"),
        _ => false,
    }
}

fn strategy(report: &mut Report<'_>, item: &Item<'_>) -> Option<Strategy> {
    match report.text(item)?.to_ascii_lowercase().as_str() {
        // hls4ml's oldest softmax; its tables saturate at both ends, which is no function that netfold builds.
        "legacy" => {
            report.ignore(item, "the legacy softmax is not built; the stable one is");
            Some(Strategy::Stable)
        }
        "compressed" => {
            report.ignore(item, "weights are not stored compressed; Resource is used");
            Some(Strategy::Resource)
        }
        "unrolled" => Some(Strategy::ResourceUnrolled),
        "da" => Some(Strategy::DistributedArithmetic),
        _ => report.choice(item, &Strategy::ALL),
    }
}

/// Reads `Precision`: one for everything, or a mapping.
fn precisions(report: &mut Report<'_>, item: &Item<'_>, model: bool, out: &mut BTreeMap<Var, Precision>) {
    if !matches!(item.node.value, super::yaml::Value::Mapping(_)) {
        if let Some(precision) = report.precision(item) {
            out.insert(Var::Default, precision);
        }
        return;
    }
    for entry in report.entries(item) {
        match Var::ALL.iter().find(|(name, v)| *name == entry.key && (model || *v != Var::Maximum)) {
            Some((_, var)) => {
                if let Some(precision) = report.precision(&entry) {
                    out.insert(*var, precision);
                }
            }
            None => {
                let valid: Vec<&str> =
                    Var::ALL.iter().filter(|(_, v)| model || *v != Var::Maximum).map(|(n, _)| *n).collect();
                report.unknown(&entry, &valid);
            }
        }
    }
}

impl HlsConfig {
    /// The sections that apply to a layer, the strongest first: its name, its types, the model.
    fn sections<'a>(&'a self, layer: LayerRef<'a>) -> impl Iterator<Item = (Source, &'a LayerConfig)> {
        let named = layer
            .names
            .iter()
            .flat_map(move |name| self.layer_name.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)));
        let typed = layer
            .types
            .iter()
            .flat_map(move |wanted| self.layer_type.iter().filter(move |(t, _)| t.eq_ignore_ascii_case(wanted)));
        named
            .map(|(_, c)| (Source::LayerName, c))
            .chain(typed.map(|(_, c)| (Source::LayerType, c)))
            .chain(std::iter::once((Source::Model, &self.model)))
    }

    /// The first of the sections that says something.
    pub(crate) fn find<T>(&self, layer: LayerRef<'_>, get: impl Fn(&LayerConfig) -> Option<T>) -> Option<Setting<T>> {
        self.sections(layer).find_map(|(source, c)| get(c).map(|value| Setting { value, source }))
    }

    /// The precision of a variable: in each section its own, then the section's default.
    pub(crate) fn precision(&self, layer: LayerRef<'_>, var: Var) -> Option<Setting<Precision>> {
        self.find(layer, |c| {
            let default = if var.takes_default() { c.precision.get(&Var::Default) } else { None };
            c.precision.get(&var).or(default).copied()
        })
    }
}
