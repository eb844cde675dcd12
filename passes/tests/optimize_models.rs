//! Solve times, gaps and the comparison with the balanced rule on networks that others trained; a visible skip without them.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use netfold_boards::Board;
use netfold_passes::fold::{self, Budget};
use netfold_passes::optimize::{self, Analytic, Objective, Prices, Request, Resources};
use netfold_passes::pipeline::{self, Prepared};
use netfold_passes::precision::NoFormats;
use netfold_passes::{fifo, lower};
use std::collections::HashMap;
use std::path::Path;
use std::time::Instant;

fn prepared(name: &str) -> Option<Prepared> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/models").join(name);
    if !dir.is_dir() {
        eprintln!("SKIPPED: no folder {}", dir.display());
        return None;
    }
    let mut net = netfold_frontend::onnx::load(&dir.join("model.onnx")).unwrap_or_else(|d| panic!("{name}: {d}"));
    Some(pipeline::prepare(&mut net, &NoFormats, None).unwrap_or_else(|d| panic!("{name}: {d}")))
}

fn device(board: &str) -> Resources {
    let r = Board::named(board).unwrap().resources;
    Resources { lut: r.lut, ff: r.ff, dsp: r.dsp_count(), bram18: 2 * r.bram36(), uram: r.uram_count() }
}

#[test]
fn optimal_and_no_larger_than_the_balanced_rule() {
    let pins = HashMap::new();
    let model = Analytic::default();
    for (name, interval) in [("mlperf_ic", 50_000), ("mlperf_kws", 20_000), ("qkeras_jettagging", 512)] {
        let Some(p) = prepared(name) else { return };
        for board in ["pynq-z2", "zcu104", "alveo-u250"] {
            let device = device(board);
            let budget = Budget { dsp: device.dsp as usize, block_memory: true };
            let folding = fold::balanced(&p.int, interval, &pins, budget);
            let mut d = lower::run(&p.int, &p.realizations, &folding).unwrap();
            fifo::run(&mut d).unwrap();
            let rule = optimize::design_cost(&d, &model);
            let cycles = netfold_ir::hw::timing::simulate(&d).unwrap().interval_cycles;
            let request = |limits| Request {
                objective: Objective::Interval(cycles),
                device,
                limits,
                pins: &pins,
                model: &model,
                latency_share: 0.0,
                effort: 1.0,
                known: None,
            };
            let start = Instant::now();
            let s = optimize::solve(&p, &request(device)).unwrap_or_else(|d| panic!("{name}: {d}"));
            let took = start.elapsed();
            let prices = Prices::of_device(&device);
            println!(
                "{name} {board} {took:?} gap {} | rule {cycles} cycles: {rule} (area {}) | optimum {} cycles: {} (area {})",
                s.gap,
                prices.area(&rule),
                s.timing.interval_cycles,
                s.used,
                prices.area(&s.used)
            );
            assert_eq!(s.gap, 0.0, "{name} on {board}");
            assert!(s.timing.interval_cycles <= cycles);
            assert!(prices.area(&s.used) <= prices.area(&rule), "{name} on {board}");
            // Within what the rule uses, nothing has to be traded for anything.
            let s =
                optimize::solve(&p, &request(device.zip(&rule, u64::min))).unwrap_or_else(|d| panic!("{name}: {d}"));
            println!("{name} {board} within the rule's: {}", s.used);
            assert!(s.used.within(&rule), "{name} on {board}: {} against {rule}", s.used);
        }
    }
}

#[test]
fn latencies_hold_exactly() {
    let pins = HashMap::new();
    let model = Analytic::default();
    let device = device("pynq-z2");
    for (name, latency) in [("qkeras_jettagging", 2_000), ("mlperf_ad", 20_000), ("mlperf_kws", 20_000)] {
        let Some(p) = prepared(name) else { return };
        let request = Request {
            objective: Objective::Latency(latency),
            device,
            limits: device,
            pins: &pins,
            model: &model,
            latency_share: pipeline::LATENCY_SHARE,
            effort: 1.0,
            known: None,
        };
        let start = Instant::now();
        let s = optimize::solve(&p, &request).unwrap_or_else(|d| panic!("{name}: {d}"));
        println!(
            "{name} latency {} of {latency}: {:?} gap {:.4} {}",
            s.timing.latency_cycles,
            start.elapsed(),
            s.gap,
            s.used
        );
        assert!(s.timing.latency_cycles <= latency && s.gap < 0.5);
        let less = Request { objective: Objective::Latency(3), ..request };
        let refused = optimize::solve(&p, &less).unwrap_err().to_string();
        println!("{refused}");
        assert!(refused.contains("nearest latency"), "{refused}");
    }
}
