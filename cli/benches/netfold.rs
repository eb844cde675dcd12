//! Time from a model's bytes to generated Verilog, and the golden engine's rate: the embedded example, and real networks where the
//! folder with them is beside the checkout.
#![allow(missing_docs, clippy::unwrap_used)]

use netfold_ir::int::golden::Golden;
use netfold_passes::fold::Budget;
use netfold_passes::pipeline::{self, Prepared, Target};
use netfold_passes::precision::NoFormats;
use std::collections::HashMap;
use std::path::Path;

const NETWORKS: [&str; 4] = ["jet_tagger", "qkeras_jettagging", "mlperf_kws", "mlperf_ic"];
/// Samples of one run of the golden engine.
const SAMPLES: usize = 4096;

fn main() {
    divan::main();
}

/// The bytes of a network; `None` and a visible skip where it is missing.
fn bytes(name: &str) -> Option<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = match name {
        "jet_tagger" => root.join("examples/jet_tagger/model.onnx"),
        _ => root.join("../shared/models").join(name).join("model.onnx"),
    };
    let bytes = std::fs::read(&path).ok();
    if bytes.is_none() {
        eprintln!("SKIPPED: {} does not exist", path.display());
    }
    bytes
}

fn prepare(bytes: &[u8]) -> Prepared {
    let mut net = netfold_frontend::onnx::parse(bytes, None, "bench").unwrap();
    pipeline::prepare(&mut net, &NoFormats, None).unwrap()
}

/// From bytes to Verilog, without writing files.
#[divan::bench(args = NETWORKS, sample_count = 10)]
fn generate(bencher: divan::Bencher, name: &str) {
    let Some(bytes) = bytes(name) else { return };
    bencher.bench(|| {
        let prepared = prepare(&bytes);
        let budget = Budget { dsp: 220, block_memory: true };
        let (design, _) = pipeline::build(&prepared, Target::Multipliers(200), &HashMap::new(), budget).unwrap();
        netfold_codegen::verilog::generate(&design).unwrap()
    });
}

/// Inferences of the golden engine with all cores.
#[divan::bench(args = NETWORKS, sample_count = 10)]
fn golden(bencher: divan::Bencher, name: &str) {
    let Some(bytes) = bytes(name) else { return };
    let prepared = prepare(&bytes);
    let golden = Golden::new(&prepared.int).unwrap();
    let samples = if name.starts_with("mlperf") { 16 } else { SAMPLES };
    let n: usize = prepared.int.inputs[0].shape.iter().product();
    let real: Vec<f64> = (0..n * samples).map(|i| ((i * 7919 % 2001) as f64 - 1000.0) / 250.0).collect();
    let x = golden.encode(0, &real).unwrap();
    bencher
        .counter(divan::counter::ItemsCount::new(samples))
        .bench(|| golden.run(std::slice::from_ref(&x), samples).unwrap());
}
