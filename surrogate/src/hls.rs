//! The shipped models of dense networks under Vivado HLS and Vitis HLS: what `estimate --backend vitis` answers from.

use crate::features::dense::{self, DenseLayer};
use crate::model::{Prediction, Provenance, Surrogate, format};
use netfold_ir::diag::{Code, Diag};
use std::sync::OnceLock;

/// A tool whose results a shipped model has learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HlsTool {
    /// Vitis HLS 2023.2, counts after logic synthesis, networks of two and three dense layers.
    Vitis2023,
    /// Vivado HLS 2020.1, counts of the HLS report, single dense layers.
    Vivado2020,
}

impl HlsTool {
    fn bytes(self) -> &'static [u8] {
        match self {
            HlsTool::Vitis2023 => include_bytes!("../weights/vitis_hls_2023_2.nfsm"),
            HlsTool::Vivado2020 => include_bytes!("../weights/vivado_hls_2020_1.nfsm"),
        }
    }

    /// Name and version.
    pub fn name(self) -> &'static str {
        match self {
            HlsTool::Vitis2023 => "Vitis HLS 2023.2",
            HlsTool::Vivado2020 => "Vivado HLS 2020.1",
        }
    }

    /// The tool that was taught on networks of this size: single layers come from one table, chains from another.
    pub fn for_layers(layers: usize) -> HlsTool {
        if layers == 1 { HlsTool::Vivado2020 } else { HlsTool::Vitis2023 }
    }
}

/// Clock period of all rows that the shipped models were trained on, in ns.
pub const CLOCK_PERIOD_NS: f64 = 5.0;

/// A model of chains of dense layers as hls4ml builds them.
#[derive(Debug, Clone, PartialEq)]
pub struct HlsModel {
    model: Surrogate,
}

impl HlsModel {
    /// The shipped model of a tool; decoded once a process.
    ///
    /// # Errors
    /// When the weights built into this binary do not decode, which is a bug.
    pub fn shipped(tool: HlsTool) -> Result<&'static HlsModel, Diag> {
        static VITIS: OnceLock<Result<HlsModel, Diag>> = OnceLock::new();
        static VIVADO: OnceLock<Result<HlsModel, Diag>> = OnceLock::new();
        let cell = match tool {
            HlsTool::Vitis2023 => &VITIS,
            HlsTool::Vivado2020 => &VIVADO,
        };
        cell.get_or_init(|| format::from_bytes(tool.bytes(), tool.name()).map(|model| HlsModel { model }))
            .as_ref()
            .map_err(|e| Diag::internal(tool.name(), e.to_string()))
    }

    /// A model of the user's, trained or adapted on dense networks.
    ///
    /// # Errors
    /// When the model expects features of another kind of design.
    pub fn new(model: Surrogate) -> Result<HlsModel, Diag> {
        if model.schema.index("cycles_prior").is_none() {
            return Err(Diag::new(Code::Usage, "surrogate", "this model was not trained on HLS dense networks")
                .help("train one on wa-hls4ml's JSON or on an HLS table"));
        }
        Ok(HlsModel { model })
    }

    /// Estimates a chain of dense layers, first layer first.
    ///
    /// Values are counts (`bram36` in halves) and cycles; intervals hold the truth in 90 % of designs like those trained
    /// on. [`Prediction::out_of_range`] says how far the request lies outside of them.
    pub fn predict(&self, layers: &[DenseLayer]) -> Prediction {
        let x = dense::vector(layers);
        if self.model.schema == *dense::schema() {
            return self.model.predict(&x);
        }
        let design = crate::dataset::Design::Dense(layers.to_vec());
        self.model.predict(&crate::dataset::features(&self.model.schema, &design))
    }

    /// As [`HlsModel::predict`], for a request that differs from the training data in further ways, each named in words: every
    /// one widens the intervals as an input half its range outside would.
    pub fn predict_beyond(&self, layers: &[DenseLayer], beyond: &[String]) -> Prediction {
        let design = crate::dataset::Design::Dense(layers.to_vec());
        self.model.predict_beyond(&crate::dataset::features(&self.model.schema, &design), beyond)
    }

    /// The networks that the model was trained on, in words.
    pub fn kinds(&self) -> String {
        let range = |name: &str| self.model.schema.index(name).and_then(|i| self.model.ranges.get(i)).copied();
        let span = |(low, high): (f32, f32)| if low == high { format!("{low}") } else { format!("{low} to {high}") };
        let mut out = match range("layers") {
            Some((1.0, 1.0)) => "single dense layers".to_string(),
            Some(r) => format!("networks of {} dense layers", span(r)),
            None => "dense networks".to_string(),
        };
        if let Some(r) = range("weight_bits") {
            out.push_str(&format!(", {}-bit weights", span(r)));
        }
        if let Some(r) = range("max.reuse") {
            out.push_str(&format!(", largest reuse factor {}", span(r)));
        }
        out
    }

    /// What the model was trained on.
    pub fn provenance(&self) -> &Provenance {
        &self.model.provenance
    }

    /// The model itself, for scoring and adaptation.
    pub fn surrogate(&self) -> &Surrogate {
        &self.model
    }
}
