//! The example networks: they load, compute their stored outputs, and their configurations are read.
#![allow(clippy::unwrap_used)]

mod common;

use common::{difference, read_npy};
use netfold_frontend::config::Config;
use netfold_frontend::onnx;
use netfold_ir::net::eval::evaluate;
use std::path::Path;

#[test]
fn examples_evaluate_to_their_stored_outputs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    for name in ["jet_tagger", "digits_cnn", "digits_mlp", "digits_resnet", "vibration_autoencoder", "muon_track"] {
        let folder = folder.join(name);
        let net = onnx::load(&folder.join("model.onnx")).unwrap_or_else(|e| panic!("{name}: {e}"));
        let (shape, input) = read_npy(&folder.join("input.npy"));
        let (_, expected) = read_npy(&folder.join("output.npy"));
        let output = evaluate(&net, &[input], shape[0]).unwrap_or_else(|e| panic!("{name}: {e}")).swap_remove(0);
        assert_eq!(output.len(), expected.len(), "{name}");
        // A float32 reference may round a quantized value across a step.
        let off = output.iter().zip(&expected).filter(|(a, b)| difference(&[**a], &[**b]) > 1e-4).count();
        assert!(off * 1000 <= expected.len(), "{name}: {off} of {} values differ", expected.len());

        let (config, warnings) = Config::load(&folder.join("config.yaml")).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(warnings, [], "{name}");
        assert_eq!(config.project_name.as_deref(), Some(name));
        let names: Vec<String> = net.graph.ids().into_iter().map(|id| net.graph.node(id).name.clone()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(config.check_layers(&names).unwrap(), [], "{name}: {names:?}");
    }
}
