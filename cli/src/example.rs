//! The embedded example: a jet tagger that this project trained (see `examples/`).

/// The network.
pub const MODEL: &[u8] = include_bytes!("../../examples/jet_tagger/model.onnx");
/// Its configuration.
pub const CONFIG: &str = include_str!("../../examples/jet_tagger/config.yaml");
/// Its name.
pub const NAME: &str = "jet_tagger";
