//! The YAML configuration: hls4ml's keys with their meaning, and netfold's own beside them.
//!
//! `docs/config.md` lists every key. All mistakes of a file are reported in one run, each with key, line and nearest valid
//! key; keys that are known but cannot be honoured are warnings with the reason.

mod hls;
mod own;
mod precision;
mod read;
mod top;
mod write;
mod yaml;

pub use hls::{HlsConfig, LayerConfig, Strategy, Var};
pub use own::{
    Beat, Calibration, CalibrationMethod, Folding, Format, MOST_INTERVAL, Multipliers, Quantization, Registers, Style,
    Target, Unrolled, Weights,
};
pub use precision::{Fixed, Precision};
pub use top::{Backend, ModelFiles};

use netfold_ir::diag::{Code, Diag, Diags, nearest};
use std::fmt;
use std::io::Read;
use std::path::Path;

/// hls4ml's `IOType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IoType {
    /// Whole tensors at once.
    Parallel,
    /// Streams of elements.
    Stream,
}

/// A configuration; `None` and empty where nothing is written. Paths are as written, relative to the folder of the
/// configuration's file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    /// The network: `OnnxModel`, `KerasModel`, `KerasJson`, `KerasH5`.
    pub model: ModelFiles,
    /// `InputData`: inputs of the testbench.
    pub input_data: Option<String>,
    /// `OutputPredictions`: outputs that the testbench expects.
    pub output_predictions: Option<String>,
    /// `OutputDir`.
    pub output_dir: Option<String>,
    /// `ProjectName`: a C and Verilog identifier of at most 64 characters.
    pub project_name: Option<String>,
    /// `Backend`.
    pub backend: Option<Backend>,
    /// `board`: the name of a board or the path of a board file.
    pub board: Option<String>,
    /// `Part`, `XilinxPart`: an ordering code.
    pub part: Option<String>,
    /// `clock_mhz`, or from `ClockPeriod` (ns).
    pub clock_mhz: Option<f64>,
    /// `ClockUncertainty` in percent of the period, 0 to 99.
    pub clock_uncertainty_percent: Option<f64>,
    /// `IOType`.
    pub io_type: Option<IoType>,
    /// `Stamp`: a word that tells builds apart.
    pub stamp: Option<String>,
    /// `Version` of the generated project.
    pub version: Option<String>,
    /// `HLSConfig`.
    pub hls: HlsConfig,
    /// `target`.
    pub target: Target,
    /// `style` of the whole design.
    pub style: Option<Style>,
    /// `unrolled`.
    pub unrolled: Unrolled,
    /// `folding`, by layer name, in the order written.
    pub folding: Vec<(String, Folding)>,
    /// `calibration`.
    pub calibration: Option<Calibration>,
    /// `quantization`.
    pub quantization: Quantization,
}

/// Something that the configuration asks for and netfold does not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// File, lines and key.
    pub place: String,
    /// Why, and what to do instead.
    pub reason: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "warning at {}: has no effect: {}", self.place.escape_debug(), self.reason.escape_debug())
    }
}

/// A layer as the configuration knows it.
#[derive(Debug, Clone, Copy)]
pub struct LayerRef<'a> {
    /// Its name in the network, then its aliases (the file's names of the tensors that it makes).
    pub names: &'a [&'a str],
    /// Its types, the most specific first: hls4ml's class and the operator, for example `["Dense", "Gemm"]`.
    pub types: &'a [&'a str],
}

impl<'a> LayerRef<'a> {
    /// A layer of the network level: its names, and its operator's `kind` (`Op::kind`), whose `LayerType` names are those of
    /// hls4ml's classes and ONNX's operators.
    pub fn new(names: &'a [&'a str], kind: &str) -> LayerRef<'a> {
        LayerRef { names, types: hls::layer_types(kind) }
    }
}

/// Where a setting comes from, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// `HLSConfig.LayerName`.
    LayerName,
    /// `HLSConfig.LayerType`.
    LayerType,
    /// `HLSConfig.Model`.
    Model,
}

/// A value with the section that it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Its section.
    pub source: Source,
}

impl Config {
    /// Reads a configuration file, with the warnings it deserves.
    ///
    /// # Errors
    /// The file cannot be read, is longer than 1 MiB or not UTF-8; otherwise those of [`Config::parse`].
    pub fn load(path: &Path) -> Result<(Config, Vec<Warning>), Diags> {
        let place = path.display().to_string();
        let mut bytes = Vec::new();
        std::fs::File::open(path)
            .and_then(|f| f.take(yaml::MAX_BYTES as u64 + 1).read_to_end(&mut bytes))
            .map_err(|e| Diag::new(Code::Io, &*place, format!("the configuration cannot be read: {e}")))?;
        let text = String::from_utf8(bytes)
            .map_err(|_| Diag::new(Code::Format, &*place, "the configuration is not UTF-8 text"))?;
        top::parse(&place, &text)
    }

    /// Reads a configuration from text.
    ///
    /// # Errors
    /// Text that is not YAML (one error), or every unknown key and bad value with its key, line and nearest valid name.
    ///
    /// ```
    /// use netfold_frontend::config::{Config, LayerRef, Var};
    /// let (config, warnings) = Config::parse("HLSConfig:\n  Model:\n    Precision: ap_fixed<16,6>\n")?;
    /// let layer = LayerRef::new(&["fc1"], "dense");
    /// assert_eq!(config.precision(layer, Var::Weight).unwrap().value.to_string(), "ap_fixed<16,6,AP_TRN,AP_SAT>");
    /// assert!(warnings.is_empty());
    /// let error = Config::parse("ClokPeriod: 5").unwrap_err();
    /// assert!(error.to_string().contains("line 1") && error.to_string().contains("\"ClockPeriod\""));
    /// # Ok::<(), netfold_ir::Diags>(())
    /// ```
    pub fn parse(text: &str) -> Result<(Config, Vec<Warning>), Diags> {
        top::parse("configuration", text)
    }

    /// The configuration as YAML; [`Config::parse`] reads it back as an equal configuration without warnings.
    ///
    /// # Errors
    /// None that a configuration from [`Config::parse`] can cause.
    pub fn to_yaml(&self) -> Result<String, Diag> {
        write::to_yaml(self)
    }

    /// Precision of a variable of a layer: `LayerName` over `LayerType` over `Model`, in each its own key over `default`.
    /// [`Var::Accum`] and tables are never taken from a `default`.
    pub fn precision(&self, layer: LayerRef<'_>, var: Var) -> Option<Setting<Precision>> {
        self.hls.precision(layer, var)
    }

    /// `ReuseFactor` of a layer.
    pub fn reuse_factor(&self, layer: LayerRef<'_>) -> Option<Setting<u64>> {
        self.hls.find(layer, |c| c.reuse_factor)
    }

    /// `Strategy` of a layer.
    pub fn strategy(&self, layer: LayerRef<'_>) -> Option<Setting<Strategy>> {
        self.hls.find(layer, |c| c.strategy)
    }

    /// `ParallelizationFactor` of a layer.
    pub fn parallelization_factor(&self, layer: LayerRef<'_>) -> Option<Setting<u64>> {
        self.hls.find(layer, |c| c.parallelization_factor)
    }

    /// `table_size` of a layer.
    pub fn table_size(&self, layer: LayerRef<'_>) -> Option<Setting<u64>> {
        self.hls.find(layer, |c| c.table_size)
    }

    /// Whether a softmax is to be left out.
    pub fn skip(&self, layer: LayerRef<'_>) -> bool {
        self.hls.find(layer, |c| c.skip).is_some_and(|s| s.value)
    }

    /// `folding` of the layer of that name, compared without case.
    pub fn folding(&self, name: &str) -> Option<&Folding> {
        self.folding.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, f)| f)
    }

    /// Compares the layer names of the configuration with those of the network (`names`).
    ///
    /// # Errors
    /// Every name in `folding` that no layer has. Names in `HLSConfig.LayerName` are warnings: hls4ml's files name layers
    /// that other front ends fuse away.
    pub fn check_layers(&self, names: &[&str]) -> Result<Vec<Warning>, Diags> {
        let missing = |name: &str| !names.iter().any(|n| n.eq_ignore_ascii_case(name));
        let help = |name: &str| match nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => "`netfold inspect` lists the layers".to_string(),
        };
        let mut errors = Diags::new();
        for (name, _) in self.folding.iter().filter(|(n, _)| missing(n)) {
            let place = format!("configuration, key {:?}", format!("folding.{name}"));
            errors.push(Diag::new(Code::Config, place, format!("the network has no layer {name:?}")).help(help(name)));
        }
        let warning = |name: &str| Warning {
            place: format!("configuration, key {:?}", format!("HLSConfig.LayerName.{name}")),
            reason: format!("the network has no layer {name:?}; {}", help(name)),
        };
        let named = self.hls.layer_name.iter().filter(|(n, _)| missing(n)).map(|(n, _)| warning(n));
        errors.into_result(named.collect())
    }
}
