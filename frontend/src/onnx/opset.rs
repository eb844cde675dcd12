//! Operator set versions of a file.

use super::fault::{Res, unsupported};
use super::proto::{ModelProto, NodeProto};
use netfold_ir::diag::{Code, Diag};
use std::collections::HashMap;

/// Oldest supported version of the standard operators.
const OLDEST: i64 = 6;
/// Newest version of the standard operators that this code was written against.
const NEWEST: i64 = 24;

/// Domains of the quantization operators, under the names that exporters have used.
pub(super) const QONNX_DOMAINS: [&str; 5] = [
    "qonnx.custom_op.general",
    "finn.custom_op.general",
    "onnx.brevitas",
    "qonnx.custom_op.channels_last",
    "finn.custom_op.channels_last",
];

/// Versions by domain.
pub(super) struct Opsets {
    standard: i64,
    custom: HashMap<String, i64>,
}

impl Opsets {
    /// Reads and checks the versions of a model.
    pub fn read(model: &ModelProto, place: &str) -> Result<Opsets, Diag> {
        let mut standard = None;
        let mut custom = HashMap::new();
        for import in &model.opset_import {
            if is_standard(&import.domain) {
                standard = standard.max(Some(import.version));
            } else {
                custom.insert(import.domain.clone(), import.version);
            }
        }
        let standard = standard.unwrap_or(1);
        if (OLDEST..=NEWEST).contains(&standard) {
            return Ok(Opsets { standard, custom });
        }
        Err(Diag::new(Code::Unsupported, place, format!("operator set version {standard} is not supported"))
            .help(format!("versions {OLDEST} to {NEWEST} are: convert the model with onnx.version_converter")))
    }

    /// The version that a node is written in.
    pub fn of(&self, node: &NodeProto) -> Res<i64> {
        if is_standard(&node.domain) {
            return Ok(self.standard);
        }
        if !QONNX_DOMAINS.contains(&node.domain.as_str()) {
            return Err(unsupported(format!("domain {:?} is not supported", node.domain))
                .help(format!("operators of standard ONNX and of {} are supported", QONNX_DOMAINS.join(", "))));
        }
        if node.domain.ends_with("channels_last") {
            return Ok(self.standard);
        }
        Ok(self.custom.get(&node.domain).copied().unwrap_or(1))
    }
}

/// Whether a domain is that of standard ONNX.
pub(super) fn is_standard(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}
