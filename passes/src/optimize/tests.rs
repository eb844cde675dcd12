//! The solver against exhaustive search, and the model against lowering.

use super::bounds::{Problem, Table};
use super::choice::{Choice, Offer, all};
use super::plan::{Context, plan};
use super::space::{Layered, Pricer};
use super::{Analytic, Objective, Prices, RESOURCES, Request, Resources, design_cost, search, solve};
use crate::fold::Pin;
use crate::lower;
use crate::pipeline::{self, Prepared};
use crate::precision::NoFormats;
use crate::quantize::Summary;
use crate::random::Random;
use netfold_ir::hw::{Kind, Matrix, Multiplier, ReduceOp, timing};
use netfold_ir::int::{IntConv, IntNetwork, IntOp};
use netfold_ir::net::{Affine, Window};
use netfold_ir::quant::IntType;
use std::collections::HashMap;
use std::sync::Arc;

/// Dense layers of the given sizes with random weights; `join`: the first two results of equal size are added.
pub(super) fn network(r: &mut Random, sizes: &[usize], join: bool) -> Prepared {
    let mut net = IntNetwork { name: "small".into(), ..IntNetwork::default() };
    let real = Affine::identity();
    let mut at = net.add_input("x", vec![sizes[0]], IntType::new(true, 4), real.clone()).unwrap();
    let mut first = None;
    for (i, pair) in sizes.windows(2).enumerate() {
        let data = (0..pair[0] * pair[1]).map(|_| r.between(-7, 7)).collect();
        let weights = Arc::new(Matrix { rows: pair[1], cols: pair[0], data });
        let name = format!("dense{i}");
        at = net.add(&name, &name, IntOp::Dense(weights), &[at], real.clone()).unwrap();
        match first {
            None => first = Some(at),
            Some(f) if join && net.graph.node(f).elements() == pair[1] => {
                let op = IntOp::LinComb { coefficients: vec![vec![1], vec![1]], constant: vec![0] };
                at = net.add("sum", "sum", op, &[at, f], real.clone()).unwrap();
            }
            Some(_) => {}
        }
    }
    let shape = net.graph.node(at).shape.clone();
    net.outputs.push(netfold_ir::int::OutputPort { name: "y".into(), node: at, shape, order: vec![], real });
    Prepared { int: net, realizations: HashMap::new(), summary: Summary::default() }
}

/// Least area of any path within the limits, by looking at every one of them.
fn exhaustive(p: &Problem<'_>) -> Option<u64> {
    fn walk(p: &Problem<'_>, k: usize, state: usize, used: [u64; RESOURCES], area: u64, best: &mut Option<u64>) {
        if (0..RESOURCES).any(|r| used[r] > p.limits[r]) {
            return;
        }
        let Some(stage) = p.graph.stages.get(k) else {
            *best = Some(best.map_or(area, |b| b.min(area)));
            return;
        };
        for a in &stage.arcs[state] {
            let priced = &p.priced[a.priced as usize];
            let next = std::array::from_fn(|r| used[r] + priced.used[r]);
            walk(p, k + 1, a.to as usize, next, area + priced.area, best);
        }
    }
    let mut best = None;
    walk(p, 0, 0, [0; RESOURCES], 0, &mut best);
    best
}

#[test]
fn the_optimum_every_time() {
    let mut r = Random::new(2024);
    let (mut found, mut none, mut tight) = (0, 0, 0);
    for round in 0..150 {
        let join = round % 3 == 0;
        let sizes = if join { vec![3, 4, 4] } else { vec![r.pick(&[2, 3, 4]), r.pick(&[2, 4, 6]), r.pick(&[2, 3])] };
        let prepared = network(&mut r, &sizes, join);
        let model = Analytic::default();
        let pins = HashMap::new();
        let prices = Prices::of_device(&Resources { lut: 900, ff: 1800, dsp: 12, bram18: 8, uram: 0 });
        let offer = Offer::new(&Resources::UNLIMITED, &Resources::UNLIMITED);
        let interval = r.pick(&[2, 4, 8, 16, 32]);
        let memo = Default::default();
        let mut pricer =
            Pricer::new(&prepared.int, &prepared.realizations, &model, prices, &memo, (interval, false, false));
        let choices: HashMap<_, Vec<Choice>> = all(&mut pricer, &pins, offer)
            .unwrap()
            .into_iter()
            .map(|(id, c)| (id, c.into_iter().map(|c| c.choice).collect()))
            .collect();
        let graph = Layered::build(&mut pricer, &choices, usize::MAX);
        let ctx = Context {
            prepared: &prepared,
            model: &model,
            prices,
            pins: &pins,
            offer,
            known: super::plan::Owned::Own(Default::default()),
            times: false,
            aside: Resources::default(),
            effort: 1.0,
            programs: Default::default(),
        };
        let least = match &graph {
            Ok(graph) => {
                let (limits, table) = ([u64::MAX / 4; RESOURCES], Table::of(&pricer.all));
                let priced = &pricer.all;
                let free = Problem::within(limits, graph, priced, &table);
                search::solve(&free, u64::MAX, &[], search::Effort::Full).found
            }
            Err(_) => None,
        };
        // Limits around what the unlimited optimum uses, so that some bind.
        let base = match (&least, &graph) {
            (Some(f), Ok(_)) => f.path.iter().map(|a| Resources::from_array(pricer.all[a.priced as usize].used)).sum(),
            _ => Resources { lut: 500, ff: 500, dsp: 4, bram18: 2, uram: 0 },
        };
        let mut part = |v: u64| v * r.between(8, 17) as u64 / 10;
        let limits = Resources::from_array(base.array().map(|v| part(v) + 1));
        let expected = match &graph {
            Ok(graph) => {
                let (limits, table) = (limits.array(), Table::of(&pricer.all));
                let priced = &pricer.all;
                exhaustive(&Problem::within(limits, graph, priced, &table))
            }
            Err(_) => None,
        };
        let answer = plan(&ctx, interval, &limits, None, u64::MAX, (search::Effort::Full, &[])).unwrap();
        match (expected, &answer.plan) {
            (Some(area), Ok(plan)) => {
                assert_eq!(plan.area, area, "round {round}: {sizes:?} at {interval} within {limits}");
                assert!(answer.bound == area, "round {round}: not proved");
                found += 1;
                tight += usize::from(least.is_some_and(|l| l.area < area));
                let design = lower::run(&prepared.int, &prepared.realizations, &plan.folding).unwrap();
                assert_eq!(design_cost(&design, &model), plan.used, "round {round}: the model is not what is lowered");
            }
            (None, Err(_)) => none += 1,
            (expected, plan) => panic!("round {round}: {expected:?} against {:?}", plan.as_ref().map(|p| p.area)),
        }
    }
    assert!(found > 40 && none > 10 && tight > 5, "{found} found, {none} without, {tight} with binding limits");
}

#[test]
fn a_hundred_layers() {
    let mut r = Random::new(7);
    let mut sizes = vec![16];
    sizes.extend((0..100).map(|_| r.pick(&[8, 12, 16, 24])));
    // Widths grow by what exact sums need, so the weights are kept sparse.
    let mut net = network(&mut r, &[4, 4], false);
    let real = Affine::identity();
    let mut int = IntNetwork { name: "deep".into(), ..IntNetwork::default() };
    let mut at = int.add_input("x", vec![sizes[0]], IntType::new(true, 4), real.clone()).unwrap();
    for (i, pair) in sizes.windows(2).enumerate() {
        let mut data = vec![0; pair[0] * pair[1]];
        (0..pair[1]).for_each(|row| data[row * pair[0] + r.below(pair[0])] = 1);
        let weights = Arc::new(Matrix { rows: pair[1], cols: pair[0], data });
        at = int.add(&format!("d{i}"), "d", IntOp::Dense(weights), &[at], real.clone()).unwrap();
    }
    let shape = int.graph.node(at).shape.clone();
    int.outputs.push(netfold_ir::int::OutputPort { name: "y".into(), node: at, shape, order: vec![], real });
    net.int = int;
    let pins = HashMap::new();
    let device = Resources { lut: 53_200, ff: 106_400, dsp: 220, bram18: 280, uram: 0 };
    let model = Analytic::default();
    let request = Request {
        objective: Objective::Interval(64),
        device,
        limits: device,
        pins: &pins,
        model: &model,
        latency_share: 0.0,
        effort: 1.0,
        known: None,
    };
    let s = solve(&net, &request).unwrap();
    assert_eq!(s.gap, 0.0);
    assert!(s.timing.interval_cycles <= 64);
}

/// A request on a small device.
fn request<'a>(pins: &'a HashMap<String, crate::fold::Pin>, model: &'a Analytic, objective: Objective) -> Request<'a> {
    let device = Resources { lut: 5_000, ff: 10_000, dsp: 24, bram18: 20, uram: 0 };
    Request { objective, device, limits: device, pins, model, latency_share: 0.0, effort: 1.0, known: None }
}

#[test]
fn the_cheaper_order_of_work_is_found() {
    let mut r = Random::new(77);
    let (model, pins) = (Analytic::default(), HashMap::new());
    let mut early = 0;
    for _ in 0..20 {
        let sizes = [r.pick(&[4, 8]), r.pick(&[6, 12]), r.pick(&[4, 8])];
        let prepared = network(&mut r, &sizes, false);
        let most = (sizes[0] * sizes[1]).max(sizes[1] * sizes[2]) as u64;
        let area = |order: Option<usize>| {
            let pin = |n: &str| (n.to_string(), crate::fold::Pin { early: order, ..Default::default() });
            let pinned: HashMap<_, _> = ["dense0", "dense1"].into_iter().map(pin).collect();
            let pins = if order.is_some() { &pinned } else { &pins };
            solve(&prepared, &request(pins, &model, Objective::Interval(most))).unwrap()
        };
        // The free choice is no larger than output-first or input-first everywhere.
        let (free, first, late) = (area(None), area(Some(0)), area(Some(usize::MAX)));
        assert!(free.area <= first.area.min(late.area), "{sizes:?}");
        assert_eq!(free.gap, 0.0);
        early += usize::from(late.folding.layers.values().any(|c| c.early > 0) && late.area != first.area);
    }
    assert!(early > 10, "{early} designs with early beats");
}

#[test]
fn the_next_faster_step_is_faster_and_costs_area() {
    let mut r = Random::new(3);
    let prepared = network(&mut r, &[12, 8, 6], false);
    let (model, pins) = (Analytic::default(), HashMap::new());
    let request = request(&pins, &model, Objective::Interval(96));
    let mut at = solve(&prepared, &request).unwrap();
    let mut steps = 0;
    while let Some(next) = super::next_faster(&prepared, &request, at.timing.interval_cycles).unwrap() {
        assert!(next.timing.interval_cycles < at.timing.interval_cycles);
        assert!(next.area >= at.area, "{} after {}", next.area, at.area);
        let step = crate::fit::next_step(&prepared, &request, at.timing.interval_cycles).unwrap().unwrap();
        assert!(step.0 < at.timing.interval_cycles, "{} after {}", step.0, at.timing.interval_cycles);
        at = next;
        steps += 1;
    }
    assert!(steps > 4 && at.timing.interval_cycles == 1, "{steps} steps to {}", at.timing.interval_cycles);
}

#[test]
fn larger_designs_are_refused_by_resource_and_layer() {
    let mut r = Random::new(4);
    let prepared = network(&mut r, &[12, 8, 6], false);
    let (model, pins) = (Analytic::default(), HashMap::new());
    let s = solve(&prepared, &request(&pins, &model, Objective::Interval(8))).unwrap();
    assert_eq!(super::fits(&s.design, &s.used, &model).unwrap(), s.used);
    let less = Resources { lut: s.used.lut - 1, ..s.used };
    let refused = super::fits(&s.design, &less, &model).unwrap_err();
    assert!(refused.cause.contains(&format!("{} of {} LUT", s.used.lut, less.lut)), "{refused}");
    assert!(refused.help.contains("dense"), "{refused}");
    // And by the solver, with what works.
    let small = Request {
        limits: Resources { lut: 400, dsp: 0, bram18: 0, ..s.used },
        ..request(&pins, &model, Objective::Interval(1))
    };
    let refused = super::solve_or_nearest(&prepared, &small).unwrap_err();
    let Some(Objective::Interval(works)) = refused.nearest else { panic!("{}", refused.diag) };
    assert!(solve(&prepared, &Request { objective: Objective::Interval(works), ..small }).is_ok());
    assert!(solve(&prepared, &Request { objective: Objective::Interval(works - 1), ..small }).is_err());
}

#[test]
fn the_bound_that_adds_up_holds_for_random_networks_and_is_near_for_windows() {
    let (model, pins) = (Analytic::default(), HashMap::new());
    let (mut looked, mut windows, mut near) = (0, 0, 0);
    for seed in 0..120 {
        let mut net = crate::random::network(seed).unwrap();
        let Ok(prepared) = pipeline::prepare(&mut net, &NoFormats, None) else { continue };
        let slowest = prepared.int.graph.ids().iter().map(|id| prepared.int.graph.node(*id).elements()).max();
        let slowest = 4 * slowest.unwrap_or(1) as u64;
        let mut r = Random::new(seed);
        for interval in [slowest, slowest / 2, slowest / 8 + 1] {
            let request = request(&pins, &model, Objective::Interval(interval));
            let solver = super::goal::solver(&prepared, &request);
            // A folding that no search has chosen for its latency.
            let Ok(solution) = solve(&prepared, &request) else { continue };
            let bound = super::plan::of_folding(&solver.ctx, &solution.folding, true).unwrap().unwrap().latency;
            let exact = timing::Simulator::new(&solution.design).unbounded_latency().unwrap();
            assert!(bound <= exact, "seed {seed}, interval {interval}: {bound} of {exact}");
            looked += 1;
            let kinds = solution.design.modules();
            if kinds.iter().any(|id| matches!(solution.design.module(*id).kind, Kind::Swu(_))) {
                windows += 1;
                near += usize::from(bound * 10 >= exact * 9);
            }
            if r.once_in(3) {
                break;
            }
        }
    }
    println!("{looked} designs, {windows} with windows, {near} of them within a tenth");
    assert!(looked > 150 && windows > 40 && near * 10 > windows * 8, "{looked} {windows} {near}");
}

#[test]
fn the_lowest_latency_is_no_higher_than_the_fastest_designs() {
    let mut r = Random::new(5);
    for round in 0..10 {
        let sizes = [r.pick(&[8, 12, 16]), r.pick(&[8, 12]), r.pick(&[6, 8]), 4];
        let prepared = network(&mut r, &sizes, false);
        let (model, pins) = (Analytic::default(), HashMap::new());
        let of = |objective| {
            let all = request(&pins, &model, objective);
            let limits = all.device.share(0.2);
            solve(&prepared, &Request { limits, latency_share: 0.1, ..all }).unwrap()
        };
        let (lowest, fastest) = (of(Objective::LowestLatency), of(Objective::Fastest));
        assert!(lowest.timing.latency_cycles <= fastest.timing.latency_cycles, "round {round}");
        assert!(lowest.timing.interval_cycles >= fastest.timing.interval_cycles, "round {round}");
        // What is asked again is found again; half of the proved bound is not.
        let bound = (lowest.timing.latency_cycles as f64 * (1.0 - lowest.gap)) as u64;
        let again = of(Objective::Latency(lowest.timing.latency_cycles + lowest.timing.latency_cycles / 10));
        assert!(again.timing.latency_cycles <= lowest.timing.latency_cycles * 11 / 10, "round {round}");
        let limits = request(&pins, &model, Objective::Fastest).device.share(0.2);
        let objective = Objective::Latency(bound / 2);
        assert!(solve(&prepared, &Request { limits, ..request(&pins, &model, objective) }).is_err(), "round {round}");
    }
}

#[test]
fn rows_share_blocks_where_blocks_are_short() {
    let prepared = network(&mut Random::new(7), &[8, 16, 4], false);
    let limits = Resources { lut: 5000, ff: 10_000, dsp: 12, bram18: 8, uram: 0 };
    let model = Analytic::default();
    let blocks = |multiplier| {
        let pin = Pin { multiplier: Some(multiplier), ..Pin::default() };
        let pins = HashMap::from(["dense0", "dense1"].map(|name| (name.to_string(), pin)));
        let request = Request { limits, ..request(&pins, &model, Objective::Interval(8)) };
        solve(&prepared, &request).map(|s| s.used.dsp)
    };
    // 128 + 64 products in 8 cycles are 24 a cycle: two a block are 12.
    assert!(blocks(Multiplier::Dsp).is_err());
    assert_eq!(blocks(Multiplier::Packed).unwrap(), 12);
}

#[test]
fn frames_shorter_than_images_take_several_pixels_at_once() {
    let mut r = Random::new(11);
    let (real, input) = (Affine::identity(), [16, 16, 2]);
    let mut net = IntNetwork { name: "image".into(), ..IntNetwork::default() };
    let x = net.add_input("x", input.to_vec(), IntType::new(false, 4), real.clone()).unwrap();
    let window = Window { kernel: [3; 2], stride: [1; 2], dilation: [1; 2], pads: [1; 4] };
    let data = (0..4 * 18).map(|_| r.between(-7, 7)).collect();
    let weights = Arc::new(Matrix { rows: 4, cols: 18, data });
    let conv = IntOp::Conv(IntConv { input, window, groups: 1, weights, pad: vec![0] });
    let conv = net.add("conv", "conv", conv, &[x], real.clone()).unwrap();
    let window = Window { kernel: [2; 2], stride: [2; 2], dilation: [1; 2], pads: [0; 4] };
    let pool = IntOp::Pool { op: ReduceOp::Max, input: [16, 16, 4], window, pad: vec![0] };
    let pool = net.add("pool", "pool", pool, &[conv], real.clone()).unwrap();
    net.outputs.push(netfold_ir::int::OutputPort {
        name: "y".into(),
        node: pool,
        shape: vec![8, 8, 4],
        order: vec![],
        real,
    });
    let prepared = Prepared { int: net, realizations: HashMap::new(), summary: Summary::default() };
    let model = Analytic::default();
    let solved = |pin: Pin, interval| {
        let pins = HashMap::from([("conv".to_string(), pin)]);
        let limits = Resources::UNLIMITED;
        let s = solve(&prepared, &Request { limits, ..request(&pins, &model, Objective::Interval(interval)) });
        s.map(|s| (s.timing.interval_cycles, s.folding.layers[&conv].pixels, s.gap))
    };
    for (interval, pixels) in [(256, 1), (128, 2), (64, 4), (40, 8), (32, 8)] {
        let (found, p, gap) = solved(Pin::default(), interval).unwrap();
        assert!(
            found <= interval && p >= pixels && gap == 0.0,
            "{interval}: {found} cycles with {p} pixels, gap {gap}"
        );
    }
    assert!(solved(Pin::default(), 31).is_err(), "padded, half a row of pixels is the most");
    assert_eq!(solved(Pin { pixels: Some(4), ..Pin::default() }, 256).unwrap().1, 4);
    assert!(solved(Pin { pixels: Some(1), ..Pin::default() }, 128).is_err());
}
