//! Networks that others trained, when the folder with them is beside the checkout: the C simulation against the golden
//! interpreter, with streams and arrays, at two foldings each.

#![allow(clippy::unwrap_used, reason = "a panic of a helper is a failed test")]

mod common;
mod hls_support;

use hls_support::{csim, csim_spec, project};
use netfold_codegen::hls::{Io, MAX_PARTS, MAX_WORD_BITS, Strategy, Vectors, generate};
use netfold_ir::hw::{Design, Kind};
use netfold_ir::int::golden::Golden;
use netfold_passes::fold::Budget;
use netfold_passes::pipeline::{self, Prepared, Target};
use netfold_passes::precision::NoFormats;
use netfold_sim::npy::Array;
use netfold_sim::{Csim, RunOptions};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The folder of networks, or a visible skip.
fn models() -> Option<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/models");
    if !dir.is_dir() {
        eprintln!("SKIPPED: no folder {}", dir.display());
        return None;
    }
    Some(dir)
}

/// The design for a frame every `interval` cycles.
fn design(prepared: &Prepared, interval: u64) -> Design {
    let budget = Budget { dsp: 2000, block_memory: true };
    pipeline::build(prepared, Target::Near(interval), &HashMap::new(), budget).unwrap_or_else(|d| panic!("{d}")).0
}

/// The smallest of 1, 4, 16, ... cycles whose design the tool takes.
fn fastest(prepared: &Prepared) -> (u64, Design) {
    let mut interval = 1;
    loop {
        let design = design(prepared, interval);
        let project = project(&design, Io::Stream, Strategy::Auto, Vectors::default());
        match generate(&project) {
            Ok(_) => return (interval, design),
            Err(diags) => {
                let text = diags.to_string();
                assert!(text.contains("largest setting that works"), "{text}");
                assert!(interval < 1 << 30, "{text}");
                interval *= 4;
            }
        }
    }
}

fn check(csim: &Csim, dir: &Path, name: &str, frames: usize) {
    let mut net = netfold_frontend::onnx::load(&dir.join(name).join("model.onnx")).unwrap_or_else(|d| panic!("{d}"));
    let prepared = pipeline::prepare(&mut net, &NoFormats, None).unwrap_or_else(|d| panic!("{d}"));
    let data = Array::load(&dir.join(name).join("input.npy")).unwrap();
    let frames = frames.min(data.shape[0]);
    let real = data.to_f64();
    let golden = Golden::new(&prepared.int).unwrap();
    let inputs = vec![golden.encode(0, &real[..real.len() / data.shape[0] * frames]).unwrap()];
    let outputs = golden.run(&inputs, frames).unwrap();
    let vectors = Vectors { frames, inputs: inputs.clone(), outputs: outputs.clone() };
    let (fast, first) = fastest(&prepared);
    let slow = (fast * 64).max(256);
    for (interval, design) in [(fast, first), (slow, design(&prepared, slow))] {
        for (io, strategy) in [(Io::Stream, Strategy::Latency), (Io::Parallel, Strategy::Auto)] {
            let start = Instant::now();
            let files = generate(&project(&design, io, strategy, vectors.clone())).unwrap_or_else(|d| panic!("{d}"));
            let generated = start.elapsed();
            if let Some(kept) = std::env::var_os("NETFOLD_KEEP") {
                hls_support::write(&files, &PathBuf::from(kept).join(format!("{name}_{interval}_{}", io.name())));
            }
            let largest = files.iter().map(|(_, bytes)| bytes.len()).max().unwrap_or(0);
            let start = Instant::now();
            let model = csim.build(&csim_spec(&files)).unwrap_or_else(|d| panic!("{name} {io:?}: {d}"));
            let built = start.elapsed();
            let start = Instant::now();
            let result = model.run(&RunOptions::default(), &inputs, frames).unwrap_or_else(|d| panic!("{name}: {d}"));
            println!(
                "{name} interval {interval} {}: {} files, largest {largest} bytes, generated {generated:?}, built {built:?}, \
                 {frames} frames in {:?}",
                io.name(),
                files.len(),
                start.elapsed()
            );
            assert_eq!(result.violation_count, 0, "{name} {io:?} at {interval}");
            assert!(result.outputs == outputs, "{name} {io:?} at {interval}: differs from golden");
        }
        let widest = design.streams().iter().map(|(_, _, s)| s.width()).max().unwrap_or(0);
        let products = design.modules().into_iter().map(|m| match &design.module(m).kind {
            Kind::Mvu(m) => m.pe * m.simd,
            Kind::Vvu(v) => v.pe * v.simd * v.multiplicity,
            _ => 0,
        });
        assert!(widest <= MAX_WORD_BITS && products.max().unwrap_or(0) <= MAX_PARTS);
    }
}

/// Every network whose name passes the filter.
fn check_all(frames: usize, filter: impl Fn(&str) -> bool) {
    let (Some(dir), Some(csim)) = (models(), csim()) else { return };
    let entries = std::fs::read_dir(&dir).unwrap().map(|e| e.unwrap());
    let named = entries.filter(|e| e.path().join("model.onnx").is_file());
    let mut names: Vec<String> = named.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    for name in names.iter().filter(|n| filter(n)) {
        check(&csim, &dir, name, frames);
    }
}

/// The networks that simulate in no time.
const SMALL: [&str; 4] = ["qkeras_jettagging", "three_layer_keras", "conv1d_small_keras", "mlp_sparse6"];

#[test]
fn small_networks_equal_golden() {
    check_all(100, |name| SMALL.contains(&name));
}

#[test]
#[ignore = "minutes: every network, some with millions of products a frame"]
fn every_network_equals_golden() {
    let only = std::env::var("NETFOLD_ONLY").unwrap_or_default();
    check_all(3, |name| name.contains(&only));
}
