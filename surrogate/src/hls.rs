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
}

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

    /// What the model was trained on.
    pub fn provenance(&self) -> &Provenance {
        &self.model.provenance
    }

    /// The model itself, for scoring and adaptation.
    pub fn surrogate(&self) -> &Surrogate {
        &self.model
    }
}
