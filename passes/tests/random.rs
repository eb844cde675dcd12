//! Random networks: the integer network against the float reference, designs against the integer network, cycles against the
//! bottleneck.

use netfold_ir::hw;
use netfold_ir::int::golden::Golden;
use netfold_ir::net::eval;
use netfold_passes::explore;
use netfold_passes::fold::Budget;
use netfold_passes::optimize::Analytic;
use netfold_passes::pipeline::{self, Target};
use netfold_passes::precision::NoFormats;
use netfold_passes::random::{self, Random};
use std::collections::{BTreeMap, HashMap};

const SAMPLES: usize = 3;

#[test]
fn designs_of_random_networks_compute_what_golden_computes() {
    let seeds = std::env::var("NETFOLD_RANDOM_NETWORKS").ok().and_then(|s| s.parse().ok()).unwrap_or(300u64);
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut refused, mut ties, mut multiplying) = (0, 0, 0);
    for seed in 0..seeds {
        let mut net = random::network(seed).unwrap_or_else(|d| panic!("seed {seed}: {d}"));
        let original = net.clone();
        let prepared = match pipeline::prepare(&mut net, &NoFormats, None) {
            Ok(p) => p,
            Err(d) => {
                assert!(d.exit_status() == 2 && !d.to_string().contains("E99"), "seed {seed}: {d}");
                eprintln!("seed {seed} refused: {d}");
                refused += 1;
                continue;
            }
        };
        let golden = Golden::new(&prepared.int).unwrap();
        let r = &mut Random::new(seed ^ 0xabcd);
        let n: usize = original.inputs[0].shape.iter().product();
        let real: Vec<f64> = (0..n * SAMPLES).map(|_| r.between(-400, 400) as f64 / 64.0).collect();
        let x = golden.encode(0, &real).unwrap();
        let y = golden.run(std::slice::from_ref(&x), SAMPLES).unwrap();
        // Where no quantizer was inserted and no table approximates, the float evaluation of the file is the same.
        let inserted = prepared.summary.defaulted > 0;
        let soft = original.graph.ids().iter().any(|i| original.graph.node(*i).op.kind() == "softmax");
        if !inserted && !soft {
            let decoded = golden.decode(0, &y[0]);
            let float = eval::evaluate(&original, &[real], SAMPLES).unwrap();
            let off = decoded.iter().zip(&float[0]).filter(|(a, b)| (*a - *b).abs() > 1e-6 * (1.0 + b.abs())).count();
            // A value on a rounding tie may fall either way in floating point, and then reach every output.
            ties += u64::from(off * 20 > decoded.len());
        }
        for k in 0..3 {
            let interval = [1, 40, 100_000][k] + r.below(20) as u64;
            let budget = Budget { dsp: r.below(40), block_memory: r.once_in(2) };
            let (design, _) = pipeline::build(&prepared, Target::Near(interval), &HashMap::new(), budget)
                .unwrap_or_else(|d| panic!("seed {seed} at {interval}: {d}\n{}", prepared.int.dump()));
            let got = hw::eval::eval(&design, std::slice::from_ref(&x), SAMPLES)
                .unwrap_or_else(|d| panic!("seed {seed} at {interval}: {d}"));
            assert_eq!(got, y, "seed {seed} at {interval}\n{}", prepared.int.dump());
            let timing = hw::timing::simulate(&design).unwrap_or_else(|d| panic!("seed {seed} at {interval}: {d}"));
            let (bottleneck, slowest) = hw::timing::bottleneck(&design);
            let slowest = slowest.map(|m| design.module(m));
            let place = || format!("seed {seed} at {interval}: {slowest:?}");
            assert_eq!(timing.interval_cycles, bottleneck, "{}", place());
            // A layer that is the bottleneck keeps its multipliers busy.
            if let Some(busy) = explore::utilization(&design, &timing, &Analytic::default(), None).bottleneck_percent {
                assert!((99.0..=100.0).contains(&busy), "{}: {busy} %", place());
                multiplying += 1;
            }
            for m in design.modules() {
                *kinds.entry(design.module(m).kind.name()).or_default() += 1;
            }
        }
    }
    assert!(ties * 100 <= seeds, "{ties} of {seeds} networks differ from the float evaluation");
    println!("{ties} with rounding ties, {refused} of {seeds} refused; modules {kinds:?}");
    assert!(multiplying >= seeds / 2, "only {multiplying} bottlenecks multiply");
    assert!(refused * 20 <= seeds, "{refused} of {seeds} refused");
    for kind in [
        "mvu",
        "vvu",
        "swu",
        "shift",
        "mul_shift",
        "two_slopes",
        "thresholds",
        "table",
        "window_reduce",
        "global_reduce",
        "vector_reduce",
        "argmax",
        "broadcast",
        "lincomb",
        "mul",
        "fork",
        "concat",
        "select",
        "dwc",
        "reorder",
        "pad",
        "upsample",
    ] {
        assert!(kinds.contains_key(kind), "no module {kind} in any design");
    }
}
