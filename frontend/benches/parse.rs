//! Time from the bytes of a file to the network: a synthetic convolutional network, and the real models beside the checkout
//! where they are present.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../tests/common/mod.rs"]
mod common;

use common::build::{Build, ints};
use netfold_frontend::onnx;
use std::path::Path;

fn main() {
    divan::main();
}

/// Twenty 3 x 3 convolutions of 64 channels with batch normalization.
#[divan::bench]
fn synthetic_convolutions(bencher: divan::Bencher) {
    let mut b = Build::new(13, &[-1, 64, 16, 16]).f32s("p", &[64], &[0.5; 64]);
    let weights: Vec<f32> = (0..64 * 64 * 9).map(|i| (i % 251) as f32 / 256.0).collect();
    for i in 0..20 {
        let from = if i == 0 { "x".to_string() } else { format!("r{}", i - 1) };
        let to = if i == 19 { "y".to_string() } else { format!("r{i}") };
        b = b
            .f32s(&format!("w{i}"), &[64, 64, 3, 3], &weights)
            .op("Conv", &format!("{from} w{i}"), &format!("c{i}"), &[ints("pads", &[1, 1, 1, 1])])
            .op("BatchNormalization", &format!("c{i} p p p p"), &format!("n{i}"), &[])
            .op("Relu", &format!("n{i}"), &to, &[]);
    }
    let bytes = b.bytes();
    bencher.bench(|| onnx::parse(divan::black_box(&bytes), None, "bench").unwrap());
}

/// A model of ../shared/models; skipped visibly where it is missing.
#[divan::bench(args = ["qkeras_jettagging", "TFC_2W2A", "mlperf_ad", "mlperf_kws", "mlperf_ic"])]
fn real_model(bencher: divan::Bencher, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/models").join(name).join("model.onnx");
    let Ok(bytes) = std::fs::read(&path) else {
        eprintln!("SKIPPED: {} does not exist", path.display());
        return;
    };
    bencher.bench(|| onnx::parse(divan::black_box(&bytes), None, name).unwrap());
}
