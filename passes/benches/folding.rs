//! Solve times of the folding optimizer: every objective on networks of `../shared/models` (left out, visibly, without that
//! folder) and on a chain of 100 layers.
#![allow(clippy::unwrap_used, reason = "a bench that cannot run must say so")]

use netfold_boards::Board;
use netfold_ir::hw::Matrix;
use netfold_ir::int::{IntNetwork, IntOp, OutputPort};
use netfold_ir::net::Affine;
use netfold_ir::quant::IntType;
use netfold_passes::optimize::{Analytic, Objective, Request, Resources, solve};
use netfold_passes::pipeline::{self, Prepared};
use netfold_passes::precision::NoFormats;
use netfold_passes::random::Random;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

fn main() {
    divan::main();
}

const OBJECTIVES: [&str; 4] = ["rate", "latency", "fastest", "lowest"];

fn device(board: &str) -> Resources {
    let r = Board::named(board).unwrap().resources;
    Resources { lut: r.lut, ff: r.ff, dsp: r.dsp_count(), bram18: 2 * r.bram36(), uram: r.uram_count() }
}

/// A network of the folder of models; `None` without it.
fn model(name: &str) -> Option<Prepared> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/models").join(name).join("model.onnx");
    if !file.is_file() {
        eprintln!("SKIPPED: no file {}", file.display());
        return None;
    }
    let mut net = netfold_frontend::onnx::load(&file).unwrap();
    Some(pipeline::prepare(&mut net, &NoFormats, None).unwrap())
}

/// Dense layers of few weights.
fn chain(layers: usize) -> Prepared {
    let mut r = Random::new(7);
    let real = Affine::identity();
    let mut int = IntNetwork { name: "deep".into(), ..IntNetwork::default() };
    let sizes: Vec<usize> = (0..=layers).map(|_| r.pick(&[8, 12, 16, 24])).collect();
    let mut at = int.add_input("x", vec![sizes[0]], IntType::new(true, 4), real.clone()).unwrap();
    for (i, pair) in sizes.windows(2).enumerate() {
        let mut data = vec![0; pair[0] * pair[1]];
        (0..pair[1]).for_each(|row| data[row * pair[0] + r.below(pair[0])] = 1);
        let weights = Arc::new(Matrix { rows: pair[1], cols: pair[0], data });
        at = int.add(&format!("d{i}"), "d", IntOp::Dense(weights), &[at], real.clone()).unwrap();
    }
    let shape = int.graph.node(at).shape.clone();
    int.outputs.push(OutputPort { name: "y".into(), node: at, shape, order: vec![], real });
    Prepared { int, realizations: HashMap::new(), summary: Default::default() }
}

/// Solves for an objective: a rate and a latency that every board can hold with room left, as fast as fits, the lowest latency that
/// fits.
fn run(bencher: divan::Bencher, p: &Prepared, board: &str, objective: &str, cycles: u64) {
    let (device, pins, model) = (device(board), HashMap::new(), Analytic::default());
    let objective = match objective {
        "rate" => Objective::Interval(cycles),
        "latency" => Objective::Latency(cycles * 3),
        "fastest" => Objective::Fastest,
        _ => Objective::LowestLatency,
    };
    let latency_share = pipeline::LATENCY_SHARE;
    let request = Request {
        objective,
        device,
        limits: device,
        pins: &pins,
        model: &model,
        latency_share,
        effort: 1.0,
        known: None,
    };
    let s = solve(p, &request).unwrap();
    println!(
        "{board} {objective:?}: gap {:.4}, every {} cycles, latency {}, {}",
        s.gap, s.timing.interval_cycles, s.timing.latency_cycles, s.used
    );
    bencher.bench_local(|| solve(p, &request).unwrap());
}

#[divan::bench(args = OBJECTIVES, consts = [0, 1, 2], sample_count = 1)]
fn mlperf_ic<const BOARD: usize>(bencher: divan::Bencher, objective: &str) {
    if let Some(p) = model("mlperf_ic") {
        run(bencher, &p, ["pynq-z2", "zcu104", "alveo-u250"][BOARD], objective, 50_000);
    }
}

#[divan::bench(args = OBJECTIVES, consts = [0, 1, 2], sample_count = 1)]
fn mlperf_kws<const BOARD: usize>(bencher: divan::Bencher, objective: &str) {
    if let Some(p) = model("mlperf_kws") {
        run(bencher, &p, ["pynq-z2", "zcu104", "alveo-u250"][BOARD], objective, 20_000);
    }
}

#[divan::bench(args = OBJECTIVES, sample_count = 1)]
fn hundred_layers(bencher: divan::Bencher, objective: &str) {
    run(bencher, &chain(100), "pynq-z2", objective, 64);
}
