//! ONNX and QONNX files to the network level.
//!
//! [`load`] reads a file, [`parse`] bytes. What they accept:
//!
//! * standard operators of opset 6 to 24, QONNX `Quant`, `IntQuant`, `BipolarQuant` and `Trunc`, QONNX's channels-last
//!   operators, QuantizeLinear, DequantizeLinear and the integer operators built on them ([`supported_operators`]);
//! * a batch axis in front that is symbolic, one, or a number: it is removed, and operators that would mix samples are refused;
//! * constants as initializers, `Constant` nodes, external data below the model's folder, or computed from other constants.
//!
//! Everything else is refused: one [`Diag`] an offending node, all of them in one run. Operators and outputs that
//! the graph's outputs do not need are not looked at. Memory is bounded by the size of the file and by fixed limits.
//!
//! A tensor's axis order is tracked through the graph, so that transpositions between channels-first and channels-last appear
//! only where an operator's result depends on the order.

mod fault;
mod fold;
mod import;
mod node;
mod ops;
mod opset;
#[doc(hidden)]
pub mod proto;
mod read;
mod tensor;
mod value;

use netfold_ir::diag::{Code, Diag, Diags};
use netfold_ir::net::Network;
use std::path::Path;

pub use ops::supported_operators;

/// What the first axis of the network's inputs is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Batch {
    /// The batch (inputs of one axis of fixed size have none).
    #[default]
    Leading,
    /// Data like any other axis: the file's shapes are those of one sample.
    Absent,
}

/// Reads an ONNX or QONNX file. The network's name is the file's stem.
///
/// # Errors
/// [`Code::Io`] when the file cannot be read, [`Code::Format`] when it is not ONNX, [`Code::Unsupported`] and [`Code::Invalid`]
/// for every node at fault.
pub fn load(path: &Path) -> Result<Network, Diags> {
    let bytes = read::read_file(path)?;
    let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let base = match path.parent() {
        Some(p) if p.as_os_str().is_empty() => Path::new("."),
        Some(p) => p,
        None => Path::new("."),
    };
    parse(&bytes, Some(base), &name)
}

/// Reads an ONNX or QONNX model from memory; `base_dir` is where external data may lie, `name` the network's name (the graph's
/// name when empty).
///
/// # Errors
/// As for [`load`].
pub fn parse(bytes: &[u8], base_dir: Option<&Path>, name: &str) -> Result<Network, Diags> {
    parse_with(bytes, base_dir, name, Batch::Leading)
}

/// [`parse`], with a choice of what the first axis is.
///
/// # Errors
/// As for [`load`].
pub fn parse_with(bytes: &[u8], base_dir: Option<&Path>, name: &str, batch: Batch) -> Result<Network, Diags> {
    let place = if name.is_empty() { "model" } else { name };
    let model = read::decode(bytes, place)?;
    let Some(graph) = &model.graph else {
        return Err(Diag::new(Code::Format, place, "not a valid ONNX file: it holds no graph").into());
    };
    let opsets = opset::Opsets::read(&model, place)?;
    let name = if name.is_empty() { &graph.name } else { name };
    import::import(graph, &opsets, base_dir, name, batch)
}

/// Names of the inputs that a model declares, initializers left out, in the file's order; empty when it is not ONNX.
pub fn input_names(bytes: &[u8]) -> Vec<String> {
    let Some(graph) = read::decode(bytes, "model").ok().and_then(|m| m.graph) else { return Vec::new() };
    let constant = |name: &str| graph.initializer.iter().any(|t| t.name == name);
    graph.input.iter().filter(|i| !constant(&i.name)).map(|i| i.name.clone()).collect()
}
