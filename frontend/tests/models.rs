//! The real models beside the checkout: loaded and evaluated in `f64` against their recorded outputs.
#![allow(clippy::unwrap_used)]

mod common;

use common::{difference, read_npy, shared_models};
use netfold_frontend::onnx;
use netfold_ir::net::eval::evaluate;
use std::time::Instant;

/// Values of a quantized network may differ by one step where float32 rounding of the reference does.
const QUANTIZED: [&str; 4] = ["TFC_1W1A", "TFC_2W2A", "qkeras_jettagging", "mlp_sparse6"];

#[test]
fn real_models_evaluate_to_their_recorded_outputs() {
    let Some(folder) = shared_models() else { return };
    let mut found = 0;
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for model in entries.iter().filter(|p| p.join("model.onnx").is_file()) {
        let name = model.file_name().unwrap().to_string_lossy().into_owned();
        let begin = Instant::now();
        let net = onnx::load(&model.join("model.onnx")).unwrap_or_else(|e| panic!("{name}: {e}"));
        let parsed = begin.elapsed();
        let (shape, input) = read_npy(&model.join("input.npy"));
        let (_, expected) = read_npy(&model.join("output.npy"));
        let begin = Instant::now();
        let output = evaluate(&net, &[input], shape[0]).unwrap_or_else(|e| panic!("{name}: {e}")).swap_remove(0);
        assert_eq!(output.len(), expected.len(), "{name}");
        let worst = difference(&output, &expected);
        eprintln!(
            "{name}: parsed in {parsed:?}, {} samples in {:?}, difference {worst:.2e}",
            shape[0],
            begin.elapsed()
        );
        if QUANTIZED.contains(&name.as_str()) {
            let off = output.iter().zip(&expected).filter(|(a, b)| difference(&[**a], &[**b]) > 1e-4).count();
            assert!(off * 1000 <= expected.len(), "{name}: {off} of {} values differ", expected.len());
        } else {
            assert!(worst < 1e-4, "{name}: {worst}");
        }
        found += 1;
    }
    assert!(found >= 12, "only {found} models");
}

#[test]
fn real_models_cut_short_or_corrupted_never_panic() {
    let Some(folder) = shared_models() else { return };
    for name in ["mlperf_kws", "conv1d_small_keras", "qkeras_jettagging"] {
        let bytes = std::fs::read(folder.join(name).join("model.onnx")).unwrap();
        for end in (0..bytes.len()).step_by(97) {
            assert!(onnx::parse(&bytes[..end], None, name).is_err(), "{name} cut at {end}");
        }
        // A linear congruential walk over the bits of the file.
        let mut state = 1u64;
        for _ in 0..600 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let bit = (state >> 33) as usize % (bytes.len() * 8);
            let mut broken = bytes.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            if let Ok(net) = onnx::parse(&broken, None, name) {
                net.verify().unwrap();
            }
        }
    }
}
