//! Solve times, gaps and the comparison with the balanced rule on networks that others trained.

use netfold_boards::Board;
use netfold_passes::fold::{self, Budget};
use netfold_passes::optimize::{self, Analytic, Objective, Request, Resources};
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
fn scratch() {
    let pins = HashMap::new();
    let model = Analytic::default();
    let only = std::env::var("NET").unwrap_or("mlperf_kws".into());
    for name in only.split(',') {
        let Some(p) = prepared(name) else { return };
        for board in ["pynq-z2", "zcu104", "alveo-u250"] {
            let device = device(board);
            for t in [1000u64, 10_000, 100_000] {
                let budget = Budget { dsp: device.dsp as usize, block_memory: true };
                let folding = fold::balanced(&p.int, t, &pins, budget);
                let mut d = lower::run(&p.int, &p.realizations, &folding).unwrap();
                fifo::run(&mut d).unwrap();
                let used = optimize::design_cost(&d, &model);
                println!("{name} {board} balanced {t}: {used} area {}", optimize::Prices::of_device(&device).area(&used));
                let request = Request { objective: Objective::Interval(t), device, limits: device, pins: &pins, model: &model };
                let start = Instant::now();
                match optimize::solve(&p, &request) {
                    Ok(s) => println!("{name} {board} {t}: {:?} labels {} gap {} {} area {} interval {} latency {}", start.elapsed(), s.labels, s.gap, s.used, s.area, s.timing.interval_cycles, s.timing.latency_cycles),
                    Err(d) => println!("{name} {board} {t}: {:?} {d}", start.elapsed()),
                }
            }
            for objective in [Objective::Fastest, Objective::Latency(200_000), Objective::Latency(20_000), Objective::Latency(2_000), Objective::LowestLatency] {
                let request = Request { objective, device, limits: device, pins: &pins, model: &model };
                let start = Instant::now();
                match optimize::solve(&p, &request) {
                    Ok(s) => println!("{name} {board} {objective:?}: {:?} labels {} gap {} {} interval {} latency {}", start.elapsed(), s.labels, s.gap, s.used, s.timing.interval_cycles, s.timing.latency_cycles),
                    Err(d) => println!("{name} {board} {objective:?}: {:?} {d}", start.elapsed()),
                }
            }
        }
    }
}
