//! Networks that others trained, when the folder with them is beside the checkout: golden against the file's own reference,
//! and the lowered designs against golden, at several foldings.

#![allow(clippy::unwrap_used)]

use netfold_ir::hw;
use netfold_ir::int::golden::Golden;
use netfold_passes::fold::Budget;
use netfold_passes::pipeline::{self, Target};
use netfold_passes::precision::NoFormats;
use netfold_sim::npy::Array;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The folder of networks, or a visible skip.
fn models() -> Option<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/models");
    if !dir.is_dir() {
        eprintln!("SKIPPED: no folder {}", dir.display());
        return None;
    }
    Some(dir)
}

fn names(dir: &Path) -> Vec<String> {
    let mut all: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .filter_map(|e| {
            let e = e.unwrap();
            e.path().join("model.onnx").is_file().then(|| e.file_name().to_string_lossy().into_owned())
        })
        .collect();
    all.sort();
    all
}

fn check(name: &str, dir: &Path) {
    let start = std::time::Instant::now();
    let mut net = netfold_frontend::onnx::load(&dir.join("model.onnx")).unwrap_or_else(|d| panic!("{name}: {d}"));
    let parsed = start.elapsed();
    let prepared = pipeline::prepare(&mut net, &NoFormats, None).unwrap_or_else(|d| panic!("{name}: {d}"));
    let done = start.elapsed();
    let input = Array::load(&dir.join("input.npy")).unwrap();
    let expected = Array::load(&dir.join("output.npy")).unwrap().to_f64();
    let samples = input.shape[0].min(if name.starts_with("mlperf_ic") { 4 } else { 200 });
    let values = input.to_f64();
    let per = values.len() / input.shape[0];
    let golden = Golden::new(&prepared.int).unwrap();
    let x = golden.encode(0, &values[..per * samples]).unwrap();
    let run = std::time::Instant::now();
    let y = golden.run(std::slice::from_ref(&x), samples).unwrap();
    let run = run.elapsed();
    let real = golden.decode(0, &y[0]);
    let expected = &expected[..real.len()];
    let out = real.len() / samples;
    let worst = real.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let argmax = |v: &[f64]| (0..v.len()).max_by(|a, b| v[*a].total_cmp(&v[*b])).unwrap();
    let same = (0..samples).filter(|s| argmax(&real[s * out..][..out]) == argmax(&expected[s * out..][..out])).count();
    println!(
        "{name}: parse {parsed:?} prepare {:?} run {run:?} ({samples} samples); worst difference {worst:.5}, argmax {same}/{samples}",
        done - parsed
    );
    assert!(same * 100 >= samples * 97, "{name}: argmax {same} of {samples}");
    for interval in [1u64, 1000, 1_000_000] {
        let t = std::time::Instant::now();
        let budget = Budget { dsp: 10_000, block_memory: true };
        let (design, _) = pipeline::build(&prepared, Target::Near(interval), &HashMap::new(), budget)
            .unwrap_or_else(|d| panic!("{name} at {interval}: {d}"));
        let built = t.elapsed();
        let timing = hw::timing::simulate(&design).unwrap_or_else(|d| panic!("{name} at {interval}: {d}"));
        let (bottleneck, who) = hw::timing::bottleneck(&design);
        println!(
            "   interval {interval}: {} modules, built {built:?}, timed {:?}, latency {} interval {} (bottleneck {bottleneck} {})",
            design.modules().len(),
            t.elapsed() - built,
            timing.latency_cycles,
            timing.interval_cycles,
            design.module(who.unwrap()).name,
        );
        assert_eq!(timing.interval_cycles, bottleneck, "{name} at {interval}");
        let few = samples.min(2);
        let got = hw::eval::eval(&design, &[x[..per * few].to_vec()], few).unwrap();
        assert!(got[0] == y[0][..out * few], "{name} at {interval}: the design differs from golden");
    }
}

#[test]
fn golden_matches_references_and_designs_match_golden() {
    let Some(dir) = models() else { return };
    for name in names(&dir) {
        check(&name, &dir.join(&name));
    }
}
