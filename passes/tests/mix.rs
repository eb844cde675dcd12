//! Programs as choices of the folding optimizer: designs of both styles against golden, and against designs of one style.

use netfold_ir::hw::{self, Matrix};
use netfold_ir::int::golden::Golden;
use netfold_ir::int::{InputPort, IntNetwork, IntOp, OutputPort};
use netfold_ir::net::Affine;
use netfold_ir::quant::IntType;
use netfold_passes::fold::Budget;
use netfold_passes::mix;
use netfold_passes::optimize::{self, Analytic, Objective, Prices, Request, Resources, design_cost};
use netfold_passes::pipeline::{self, Prepared};
use netfold_passes::precision::NoFormats;
use netfold_passes::quantize::Summary;
use netfold_passes::random::{self, Random};
use netfold_passes::unroll::{self, Granularity, Unrolling};
use netfold_shiftadd::{DelayModel, Options};
use std::collections::HashMap;
use std::sync::Arc;

const SAMPLES: usize = 3;
const DEVICE: Resources = Resources { lut: 70_560, ff: 141_120, dsp: 1_728, bram18: 432, uram: 0 };

fn unrolling() -> Unrolling {
    let options = Options { tries: 1, threads: 1, ..Options::default() };
    Unrolling { options, delay: DelayModel::ultrascale_plus(), period_ns: Some(5.0) }
}

fn request<'a>(
    pins: &'a HashMap<String, netfold_passes::fold::Pin>,
    model: &'a Analytic,
    objective: Objective,
) -> Request<'a> {
    Request { objective, device: DEVICE, limits: DEVICE, pins, model, latency_share: 0.0, effort: 1.0, known: None }
}

/// The design against golden on random inputs.
fn check(prepared: &Prepared, design: &hw::Design, r: &mut Random, place: &str) {
    let inputs: Vec<Vec<i64>> = prepared
        .int
        .inputs
        .iter()
        .map(|port| {
            let node = prepared.int.graph.node(port.node);
            (0..node.elements() * SAMPLES).map(|i| r.between(node.range.of(i).0, node.range.of(i).1)).collect()
        })
        .collect();
    let expected = Golden::new(&prepared.int)
        .unwrap_or_else(|e| panic!("{e}"))
        .run(&inputs, SAMPLES)
        .unwrap_or_else(|e| panic!("{e}"));
    let got = hw::eval::eval(design, &inputs, SAMPLES).unwrap_or_else(|d| panic!("{d}\n{place}"));
    assert_eq!(got, expected, "{place}");
}

#[test]
fn random_networks_with_programs_on_offer() {
    let (mut designs, mut with, mut mixed) = (0, 0, 0);
    for seed in 0..24u64 {
        let mut net = random::network(seed).unwrap();
        let Ok(prepared) = pipeline::prepare(&mut net, &NoFormats, None) else { continue };
        let r = &mut Random::new(seed ^ 0x33cc);
        let (pins, model) = (HashMap::new(), Analytic::default());
        let granularity = [Granularity::Frame, Granularity::Pixel][r.below(2)];
        let interval = r.pick(&[2u64, 8, 64, 512]);
        let layers = unroll::layers(&prepared, granularity, &unrolling(), (&[1, 2, 4, 8], interval), |_| true).unwrap();
        for objective in [Objective::Interval(interval), Objective::Latency(interval)] {
            let request = request(&pins, &model, objective);
            let offered: Vec<_> = layers.iter().map(|l| l.unrolled.clone()).collect();
            let plain = optimize::attempt_with(&prepared, &request, &[], false).unwrap();
            let Some(s) = optimize::attempt_with(&prepared, &request, &offered, false).unwrap() else {
                assert!(plain.is_none(), "seed {seed}: more choices lose the design");
                continue;
            };
            let place = format!("seed {seed} {granularity:?} {objective:?}\n{}", prepared.int.dump());
            check(&prepared, &s.design, r, &place);
            let (reached, asked) = match objective {
                Objective::Latency(n) => (s.timing.latency_cycles, n),
                _ => (hw::timing::bottleneck(&s.design).0, interval),
            };
            assert!(reached <= asked, "{place}");
            let both = s.gap == 0.0 && matches!(objective, Objective::Interval(_));
            if let Some(p) = plain.filter(|_| both) {
                assert!(s.area <= p.area, "{place}: {} with programs, {} without", s.area, p.area);
            }
            let n = s.folding.programs.0.len();
            (designs, with, mixed) =
                (designs + 1, with + usize::from(n > 0), mixed + usize::from(n > 0 && !s.folding.layers.is_empty()));
            // The layers as the program text of the configuration has them: fused, and everything else folded again.
            let chosen: HashMap<_, _> =
                mix::choose(&prepared, &request, &layers).unwrap().into_iter().flat_map(|c| c.layers).collect();
            let own = |id| {
                let of = layers.iter().find(|l| chosen.contains_key(&l.layer) && l.unrolled.nodes().contains(&id));
                of.map(|l| chosen[&l.layer])
            };
            let parts = unroll::run_each(&prepared, granularity, &unrolling(), own).unwrap();
            if let Some(s) = mix::around(&prepared, &request, &parts).unwrap() {
                check(&prepared, &s.design, r, &place);
            }
        }
    }
    println!("{designs} designs, {with} with programs, {mixed} of both styles");
    assert!(with > 3 && mixed > 0, "{designs} designs, {with} with programs, {mixed} of both styles");
}

/// A sparse layer, whose zeros a stream unit multiplies with, then a dense one of wide weights.
fn sparse_then_dense(r: &mut Random) -> Prepared {
    let mut int = IntNetwork { name: "both".into(), ..IntNetwork::default() };
    let real = Affine::identity();
    let mut at = int.add_input("x", vec![64], IntType::new(true, 6), real.clone()).unwrap_or_else(|e| panic!("{e}"));
    int.inputs.push(InputPort { name: "x".into(), node: at, shape: vec![64], order: vec![], encoder: vec![] });
    let mut layer = |int: &mut IntNetwork, name: &str, rows: usize, cols: usize, data: Vec<i64>| {
        let weights = Arc::new(Matrix { rows, cols, data });
        at = int.add(name, name, IntOp::Dense(weights), &[at], real.clone()).unwrap_or_else(|e| panic!("{e}"));
        at
    };
    let mut sparse = vec![0; 64 * 64];
    for row in 0..64 {
        for _ in 0..3 {
            sparse[row * 64 + r.below(64)] = r.pick(&[-7, -5, -3, 3, 5, 7]);
        }
    }
    layer(&mut int, "sparse", 64, 64, sparse);
    let dense = (0..8 * 64).map(|_| r.between(-127, 127)).collect();
    let last = layer(&mut int, "dense", 8, 64, dense);
    int.outputs.push(OutputPort { name: "y".into(), node: last, shape: vec![8], order: vec![], real: real.clone() });
    Prepared { int, realizations: HashMap::new(), summary: Summary::default() }
}

#[test]
fn both_styles_are_smaller_than_either() {
    let r = &mut Random::new(11);
    let prepared = sparse_then_dense(r);
    let (pins, model) = (HashMap::new(), Analytic::default());
    let prices = Prices::of_device(&DEVICE);
    let price = |design: &hw::Design| prices.area(&design_cost(design, &model));
    let interval = 32;
    let request = request(&pins, &model, Objective::Interval(interval));
    let streams = price(&optimize::solve(&prepared, &request).unwrap().design);
    let whole = |n: u32| {
        let mut unrolling = unrolling();
        unrolling.options.interval = n;
        let budget = Budget { dsp: 0, block_memory: true };
        let all = |_| true;
        let (d, _) =
            pipeline::unrolled(&prepared, Granularity::Frame, interval, &unrolling, &all, &pins, budget).unwrap();
        price(&d)
    };
    let unrolled = [1, 2, 4, 8].map(whole).into_iter().min().unwrap();
    let offers = (&[1, 2, 4, 8][..], interval);
    let layers = unroll::layers(&prepared, Granularity::Frame, &unrolling(), offers, |_| true).unwrap();
    let chosen = mix::choose(&prepared, &request, &layers).unwrap().unwrap().layers;
    assert_eq!(chosen.len(), 1, "one of the two layers");
    let own = |id| chosen.iter().find(|c| c.0 == id).map(|c| c.1);
    let parts = unroll::run_each(&prepared, Granularity::Frame, &unrolling(), own).unwrap();
    let mixed = mix::around(&prepared, &request, &parts).unwrap().unwrap();
    check(&prepared, &mixed.design, r, "both");
    assert!(mixed.timing.interval_cycles <= interval);
    let mixed = price(&mixed.design);
    println!("streams {streams}, unrolled {unrolled}, both {mixed}");
    let other = streams.min(unrolled);
    assert!(mixed + mixed / 20 < other, "streams {streams}, unrolled {unrolled}, both {mixed}");
}
