//! Every objective against all designs of small networks, each built, its FIFOs sized and simulated.

use super::bounds::{Problem, Table};
use super::choice::{Choice, Offer, all};
use super::space::{Arc, Layered, Pricer};
use super::{Analytic, Objective, Prices, RESOURCES, Request, Resources, Solution, design_cost, measure, solve};
use crate::fold::Folding;
use crate::pipeline::{self, Prepared};
use crate::precision::NoFormats;
use crate::random::Random;
use crate::{fifo, lower};
use netfold_ir::hw::timing;
use std::collections::HashMap;

/// A design as requests see it.
struct Built {
    used: Resources,
    /// By the model, with provisional FIFOs: what solutions state.
    area: u64,
    interval: u64,
    latency: u64,
    /// By the bound that adds up along paths.
    bound: u64,
}

const DEVICE: Resources = Resources { lut: 2_000, ff: 4_000, dsp: 12, bram18: 8, uram: 0 };

/// Every design of a network: all choices of every operator, output-first and input-first.
fn designs(prepared: &Prepared, slowest: u64) -> Vec<Built> {
    let (model, pins, memo) = (Analytic::default(), HashMap::new(), Default::default());
    let prices = Prices::of_device(&DEVICE);
    let net = &prepared.int;
    let mut pricer = Pricer::new(net, &prepared.realizations, &model, prices, &memo, (slowest, true, true));
    let choices: HashMap<_, Vec<Choice>> =
        all(&mut pricer, &pins, Offer::new(&Resources::UNLIMITED, &Resources::UNLIMITED))
            .unwrap()
            .into_iter()
            .map(|(id, c)| (id, c.into_iter().map(|c| c.choice).collect()))
            .collect();
    let Ok(graph) = Layered::build(&mut pricer, &choices, usize::MAX) else { panic!("no choices") };
    // Paths so far: state, area, arcs.
    let mut paths: Vec<(usize, u64, Vec<Arc>)> = vec![(0, 0, vec![])];
    for stage in &graph.stages {
        let mut next = Vec::new();
        for (state, area, made) in &paths {
            for a in &stage.arcs[*state] {
                let mut made = made.clone();
                made.push(*a);
                next.push((a.to as usize, area + pricer.all[a.priced as usize].area, made));
            }
        }
        paths = next;
    }
    let limits = [u64::MAX / 4; RESOURCES];
    let table = Table::of(&pricer.all);
    let problem = Problem { deadline: Some(0), ..Problem::within(limits, &graph, &pricer.all, &table) };
    let build = |(_, area, made): (usize, u64, Vec<Arc>)| {
        let mut folding = Folding::undecided(net, slowest);
        for (a, s) in made.iter().zip(&graph.stages) {
            choices[&s.id][a.choice as usize].apply(&mut folding, s.id);
        }
        let mut design = lower::run(net, &prepared.realizations, &folding).unwrap();
        fifo::run(&mut design).unwrap();
        let t = timing::simulate(&design).unwrap();
        let used = design_cost(&design, &model);
        let bound = measure::latency(&problem, &made).max(0) as u64;
        Built { used, area, interval: t.interval_cycles, latency: t.latency_cycles, bound }
    };
    paths.into_iter().map(build).collect()
}

#[test]
fn no_design_is_better_than_what_is_stated() {
    let mut r = Random::new(99);
    let (model, pins) = (Analytic::default(), HashMap::new());
    let (mut solved, mut refused, mut optimal, mut timed, mut close, mut proved) = (0, 0, 0, 0, 0, 0);
    for round in 0..6 {
        let sizes = [r.pick(&[2, 3]), r.pick(&[2, 4]), r.pick(&[2, 3])];
        let prepared = super::tests::network(&mut r, &sizes, false);
        let slowest = (sizes[0] * sizes[1]).max(sizes[1] * sizes[2]) as u64;
        let every = designs(&prepared, slowest);
        assert!(every.len() > 100, "{} designs", every.len());
        for d in &every {
            assert!(
                d.bound <= d.latency,
                "round {round}: {sizes:?}: a latency of {} below its bound of {}",
                d.latency,
                d.bound
            );
        }
        for _ in 0..4 {
            // Limits around what some design uses, so that several resources bind.
            let some = &every[r.below(every.len())].used;
            let limits = Resources::from_array(some.array().map(|v| v * r.between(9, 14) as u64 / 10));
            let fit: Vec<&Built> = every.iter().filter(|d| d.used.within(&limits)).collect();
            let cycles = r.between(1, slowest as i64) as u64;
            let deadline = every[r.below(every.len())].latency;
            for objective in [
                Objective::Interval(cycles),
                Objective::Latency(deadline),
                Objective::Fastest,
                Objective::LowestLatency,
            ] {
                let place = format!("round {round}: {sizes:?} {objective:?} within {limits}");
                // The least value of the objective among all designs that meet it.
                let best = match objective {
                    Objective::Interval(t) => fit.iter().filter(|d| d.interval <= t).map(|d| d.area).min(),
                    Objective::Latency(t) => fit.iter().filter(|d| d.latency <= t).map(|d| d.area).min(),
                    Objective::Fastest => fit.iter().map(|d| d.interval).min(),
                    Objective::LowestLatency => fit.iter().map(|d| d.latency).min(),
                };
                let request = Request {
                    objective,
                    device: DEVICE,
                    limits,
                    pins: &pins,
                    model: &model,
                    latency_share: 0.0,
                    effort: 1.0,
                    known: None,
                };
                let by_rate = matches!(objective, Objective::Interval(_) | Objective::Fastest);
                match (solve(&prepared, &request), best) {
                    (Ok(s), Some(best)) => {
                        assert!(s.used.within(&limits), "{place}");
                        let value = match objective {
                            Objective::Interval(_) | Objective::Latency(_) => s.area,
                            Objective::Fastest => s.timing.interval_cycles,
                            Objective::LowestLatency => s.timing.latency_cycles,
                        };
                        let least = value as f64 * (1.0 - s.gap);
                        assert!(best as f64 >= least - 1e-6, "{place}: {best} is below {least} ({value}, {})", s.gap);
                        solved += 1;
                        if by_rate {
                            assert!(value <= best, "{place}: {value} where {best} is possible");
                            assert_eq!(s.gap, 0.0, "{place}");
                            optimal += 1;
                        } else {
                            timed += 1;
                            close += usize::from(value as f64 <= best as f64 * 1.05);
                            assert!(s.gap > 0.0 || value <= best, "{place}: {value} where {best} is possible");
                            proved += usize::from(s.gap == 0.0);
                        }
                    }
                    (Err(_), None) => refused += 1,
                    (Err(d), Some(best)) => panic!("{place}: {best} is possible, but {d}"),
                    // Orders between those that were tried.
                    (Ok(s), None) => assert!(!by_rate, "{place}: {}", s.used),
                }
            }
        }
    }
    println!(
        "{solved} solved, {refused} refused, {optimal} optima, of {timed} latencies {proved} proved, {close} within 5 %"
    );
    assert!(solved > 40 && optimal > 15 && timed > 15 && close * 10 >= timed * 8 && proved * 2 > timed, "{proved}");
}

/// A device that holds random networks.
const BOARD: Resources = Resources { lut: 50_000, ff: 100_000, dsp: 200, bram18: 200, uram: 0 };

#[test]
fn what_is_proved_holds_at_any_effort() {
    let (model, pins) = (Analytic::default(), HashMap::new());
    let (mut compared, mut open) = (0, 0);
    for seed in 0..60 {
        let mut net = crate::random::network(seed).unwrap();
        let Ok(prepared) = pipeline::prepare(&mut net, &NoFormats, None) else { continue };
        let mut r = Random::new(seed);
        let limits = BOARD.share(r.pick(&[0.05, 0.2, 1.0]));
        let request = |objective, effort| Request {
            objective,
            device: BOARD,
            limits,
            pins: &pins,
            model: &model,
            latency_share: 0.0,
            effort,
            known: None,
        };
        let Ok(fastest) = solve(&prepared, &request(Objective::Fastest, 1.0)) else { continue };
        let deadline = fastest.timing.latency_cycles * r.pick(&[9, 11, 15, 30]) / 10;
        for objective in [Objective::Latency(deadline), Objective::LowestLatency] {
            let solved: Vec<Solution> = [0.01, 1.0, 10.0]
                .into_iter()
                .filter_map(|effort| solve(&prepared, &request(objective, effort)).ok())
                .collect();
            let value = |s: &Solution| match objective {
                Objective::LowestLatency => s.timing.latency_cycles,
                _ => s.area,
            };
            for s in &solved {
                open += usize::from(s.gap > 0.0);
                for other in solved.iter().filter(|o| o.within == s.within) {
                    let least = value(s) as f64 * (1.0 - s.gap);
                    let place = format!("seed {seed}: {objective:?} within {limits}");
                    assert!(least <= value(other) as f64 + 1e-6, "{place}: {least} proved, {} found", value(other));
                    compared += 1;
                }
            }
        }
    }
    println!("{compared} compared, {open} with a gap");
    assert!(compared > 200 && open > 3, "{compared} {open}");
}
