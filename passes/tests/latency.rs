//! End-to-end latency against the lower bound of the foldings, on dense chains.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use netfold_boards::Board;
use netfold_ir::hw::{Matrix, timing};
use netfold_ir::int::{IntNetwork, IntOp, OutputPort};
use netfold_ir::net::Affine;
use netfold_ir::quant::IntType;
use netfold_passes::explore;
use netfold_passes::optimize::{self, Analytic, Objective, Request, Resources, Solution};
use netfold_passes::pipeline::{self, Prepared};
use netfold_passes::precision::NoFormats;
use netfold_passes::random::Random;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

fn device() -> Resources {
    board("zcu104")
}

fn board(name: &str) -> Resources {
    let r = Board::named(name).unwrap().resources;
    Resources { lut: r.lut, ff: r.ff, dsp: r.dsp_count(), bram18: 2 * r.bram36(), uram: r.uram_count() }
}

fn solved(prepared: &Prepared, objective: Objective) -> Solution {
    within(prepared, objective, device(), 1.0)
}

/// Within a share of a device.
fn within(prepared: &Prepared, objective: Objective, device: Resources, share: f64) -> Solution {
    let (pins, model) = (HashMap::new(), Analytic::default());
    let (limits, latency_share) = (device.share(share), pipeline::LATENCY_SHARE);
    let request =
        Request { objective, device, limits, pins: &pins, model: &model, latency_share, effort: 1.0, known: None };
    optimize::solve(prepared, &request).unwrap_or_else(|d| panic!("{d}"))
}

/// Checks a design's latency against the bound of its foldings: at most 1.10 times it.
fn check(what: &str, s: &Solution) {
    let busy = explore::utilization(&s.design, &s.timing, &Analytic::default(), None).bottleneck_percent;
    assert!(busy.is_none_or(|b| b >= 99.0), "{what}: the bottleneck's multipliers are {busy:?} % busy");
    // Where the board has no room for an order of work or another folding, what is proved to be out of reach.
    let (latency, least) = (s.timing.latency_cycles, timing::least_latency(&s.design).unwrap());
    let least = least.max(s.latency_excluded.map_or(0, |l| l.min(latency)));
    let ratio = latency as f64 / least as f64;
    println!(
        "{what}: every {} cycles, latency {latency} of {least}, {ratio:.3}, gap {}; {}",
        s.timing.interval_cycles, s.gap, s.used
    );
    assert!((1.0..=1.10).contains(&ratio), "{what}: {latency} cycles, {least} at least");
}

/// Dense layers of small weights.
fn chain(r: &mut Random, sizes: &[usize]) -> Prepared {
    let real = Affine::identity();
    let mut int = IntNetwork { name: "chain".into(), ..IntNetwork::default() };
    let mut at = int.add_input("x", vec![sizes[0]], IntType::new(true, 8), real.clone()).unwrap();
    for (i, pair) in sizes.windows(2).enumerate() {
        let data = (0..pair[0] * pair[1]).map(|_| r.between(-2, 2)).collect();
        let weights = Arc::new(Matrix { rows: pair[1], cols: pair[0], data });
        at = int.add(&format!("d{i}"), "d", IntOp::Dense(weights), &[at], real.clone()).unwrap();
    }
    let shape = int.graph.node(at).shape.clone();
    int.outputs.push(OutputPort { name: "y".into(), node: at, shape, order: vec![], real });
    Prepared { int, realizations: HashMap::new(), summary: Default::default() }
}

#[test]
fn chains_are_near_the_bound_of_their_foldings() {
    let mut r = Random::new(5);
    for round in 0..12 {
        let layers = r.between(2, 5) as usize;
        let sizes: Vec<usize> = (0..=layers).map(|_| r.pick(&[8, 12, 16, 24, 32, 48, 64])).collect();
        let p = chain(&mut r, &sizes);
        let most = sizes.windows(2).map(|w| (w[0] * w[1]) as u64).max().unwrap();
        for objective in [Objective::Interval(most / 4), Objective::Interval(most / 32), Objective::Latency(most / 4)] {
            check(&format!("{round} {sizes:?} {objective:?}"), &solved(&p, objective));
        }
    }
}

#[test]
fn networks_are_near_the_bound_of_their_foldings() {
    for name in [
        "qkeras_jettagging",
        "three_layer_keras",
        "mlp_sparse6",
        "TFC_1W1A",
        "TFC_2W2A",
        "mlperf_ad",
        "conv1d_small_keras",
        "conv2d_small_keras",
        "conv2d_small_mp_keras",
        "mlperf_kws",
        "mlperf_ic",
    ] {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/models").join(name);
        if !dir.is_dir() {
            eprintln!("SKIPPED: no folder {}", dir.display());
            return;
        }
        let mut net = netfold_frontend::onnx::load(&dir.join("model.onnx")).unwrap_or_else(|d| panic!("{name}: {d}"));
        let p = pipeline::prepare(&mut net, &NoFormats, None).unwrap_or_else(|d| panic!("{name}: {d}"));
        let rates = [Objective::Interval(20_000), Objective::Interval(1_024), Objective::Fastest];
        let large = ["mlperf_kws", "mlperf_ic"].contains(&name);
        for objective in rates.into_iter().take(if large { 1 } else { 3 }) {
            check(&format!("{name} {objective:?}"), &solved(&p, objective));
        }
    }
}

#[test]
fn chains_are_near_the_bound_where_the_board_leaves_little_room() {
    let mut r = Random::new(8);
    let pynq = board("pynq-z2");
    for round in 0..10 {
        let layers = r.between(2, 5) as usize;
        let sizes: Vec<usize> = (0..=layers).map(|_| r.pick(&[16, 24, 32, 48, 64])).collect();
        let share = r.pick(&[0.04, 0.06, 0.1]);
        check(
            &format!("{round} {sizes:?} in {share} of the board"),
            &within(&chain(&mut r, &sizes), Objective::Fastest, pynq, share),
        );
    }
    for (name, share) in [("qkeras_jettagging", 0.05), ("three_layer_keras", 0.05), ("mlperf_ad", 0.8)] {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/models").join(name);
        if !dir.is_dir() {
            eprintln!("SKIPPED: no folder {}", dir.display());
            return;
        }
        let mut net = netfold_frontend::onnx::load(&dir.join("model.onnx")).unwrap_or_else(|d| panic!("{name}: {d}"));
        let p = pipeline::prepare(&mut net, &NoFormats, None).unwrap_or_else(|d| panic!("{name}: {d}"));
        check(&format!("{name} in {share} of the board"), &within(&p, Objective::Fastest, pynq, share));
    }
}
