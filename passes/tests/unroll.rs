//! Random networks unrolled: designs against golden, cycles against what they promise.

use netfold_ir::hw;
use netfold_ir::int::golden::Golden;
use netfold_passes::fold::Budget;
use netfold_passes::pipeline::{self, Prepared};
use netfold_passes::precision::NoFormats;
use netfold_passes::random::{self, Random};
use netfold_passes::unroll::{Granularity, Unrolling};
use netfold_shiftadd::{DelayModel, Options};
use std::collections::HashMap;

const SAMPLES: usize = 3;

fn prepared(seed: u64) -> Option<Prepared> {
    let mut net = random::network(seed).unwrap_or_else(|d| panic!("seed {seed}: {d}"));
    pipeline::prepare(&mut net, &NoFormats, None).ok()
}

#[test]
fn unrolled_random_networks_compute_what_golden_computes() {
    let seeds = std::env::var("NETFOLD_RANDOM_NETWORKS").ok().and_then(|s| s.parse().ok()).unwrap_or(30u64);
    let (mut programs, mut alone, mut built, mut several) = (0, 0, 0, 0);
    for seed in 0..seeds {
        let Some(prepared) = prepared(seed) else { continue };
        let golden = Golden::new(&prepared.int).unwrap();
        let r = &mut Random::new(seed ^ 0x5a5a);
        let x: Vec<i64> = {
            let node = prepared.int.graph.node(prepared.int.inputs[0].node);
            (0..node.elements() * SAMPLES).map(|i| r.between(node.range.of(i).0, node.range.of(i).1)).collect()
        };
        let y = golden.run(std::slice::from_ref(&x), SAMPLES).unwrap();
        for granularity in [Granularity::Frame, Granularity::Pixel] {
            let period_ns = [None, Some(1.4), Some(5.0)][r.below(3)];
            let interval = if period_ns.is_none() { 1 } else { [1, 2, 3, 8][r.below(4)] };
            let options = Options { tries: 1, threads: 1, interval, ..Options::default() };
            let unrolling = Unrolling { options, delay: DelayModel::ultrascale_plus(), period_ns };
            let budget = Budget { dsp: 0, block_memory: true };
            let place = || format!("seed {seed} {granularity:?} {period_ns:?} {interval}\n{}", prepared.int.dump());
            let (design, _) =
                pipeline::unrolled(&prepared, granularity, 1, &unrolling, &|_| true, &HashMap::new(), budget)
                    .unwrap_or_else(|d| panic!("{d}\n{}", place()));
            let got = hw::eval::eval(&design, std::slice::from_ref(&x), SAMPLES)
                .unwrap_or_else(|d| panic!("{d}\n{}", place()));
            assert_eq!(got, y, "{}", place());
            let timing = hw::timing::simulate(&design).unwrap_or_else(|d| panic!("{d}\n{}", place()));
            let (bottleneck, _) = hw::timing::bottleneck(&design);
            assert!(timing.interval_cycles <= bottleneck + bottleneck / 16 + 1, "{}", place());
            let kinds: Vec<&str> = design.modules().into_iter().map(|m| design.module(m).kind.name()).collect();
            let n = kinds.iter().filter(|k| **k == "program").count();
            let slowest = design.modules().into_iter().filter_map(|m| match &design.module(m).kind {
                hw::Kind::Program(p) => Some(p.interval as u64),
                _ => None,
            });
            let slowest = slowest.max().unwrap_or(1);
            several += usize::from(slowest > 1);
            programs += n;
            built += 1;
            alone += usize::from(n == 1 && kinds.len() == 3);
            if n == 1 && kinds.len() == 3 && granularity == Granularity::Frame {
                assert_eq!(timing.interval_cycles, slowest, "{}", place());
            }
        }
    }
    println!("{built} designs with {programs} programs, {alone} of them nothing else, {several} of several cycles");
    assert!(alone * 5 > built, "{alone} of {built} designs are one program");
}
