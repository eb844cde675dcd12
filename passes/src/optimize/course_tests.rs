//! Exact latencies and critical paths against the simulation, for random designs of random networks.

use super::bounds::{Problem, Table};
use super::choice::{Choice, Offer, all};
use super::course::Courses;
use super::measure::{Aim, Found, area_within};
use super::polish::polish;
use super::space::{Arc, Layered, Priced, Pricer};
use super::ways::Ways;
use super::{Analytic, Prices, RESOURCES, Resources};
use crate::fold::Folding;
use crate::lower;
use crate::pipeline::{self, Prepared};
use crate::precision::NoFormats;
use crate::random::Random;
use netfold_ir::graph::NodeId;
use netfold_ir::hw::timing;
use std::collections::HashMap;
use std::sync::Arc as Shared;

/// A random path from the start, where none of its states is a dead end.
fn path(r: &mut Random, graph: &Layered) -> Option<Vec<Arc>> {
    let mut state = 0;
    let mut path = Vec::new();
    for stage in &graph.stages {
        let arcs = &stage.arcs[state];
        let arc = *arcs.get(r.below(arcs.len().max(1)))?;
        state = arc.to as usize;
        path.push(arc);
    }
    Some(path)
}

/// A random network with a few random choices an operator, and what searches know of it.
struct Case<'a> {
    seed: u64,
    prepared: &'a Prepared,
    interval: u64,
    choices: HashMap<NodeId, Vec<Choice>>,
    graph: Layered,
    priced: &'a [Shared<Priced>],
    table: &'a Table,
    courses: &'a Courses<'a>,
}

impl Case<'_> {
    fn problem(&self, limits: [u64; RESOURCES], deadline: i64) -> Problem<'_> {
        let (deadline, courses) = (Some(deadline), Some(self.courses));
        Problem { deadline, courses, ..Problem::within(limits, &self.graph, self.priced, self.table) }
    }
}

/// Random cases with at most so many choices an operator, at one of some rates.
fn cases(seeds: u64, most: usize, slower: &[u64], mut look: impl FnMut(&Case<'_>, &mut Random)) {
    let (model, pins) = (Analytic::default(), HashMap::new());
    for seed in 0..seeds {
        let mut net = crate::random::network(seed).unwrap();
        let Ok(prepared) = pipeline::prepare(&mut net, &NoFormats, None) else { continue };
        let net = &prepared.int;
        let mut r = Random::new(seed + 1);
        let slowest = net.graph.ids().iter().map(|id| net.graph.node(*id).elements()).max().unwrap_or(1) as u64;
        let interval = r.pick(slower) * slowest / 4 + 1;
        let memo = Default::default();
        let prices = Prices::of_device(&Resources { lut: 50_000, ff: 100_000, dsp: 200, bram18: 200, uram: 0 });
        let mut pricer = Pricer::new(net, &prepared.realizations, &model, prices, &memo, (interval, true, true));
        let free = Offer::new(&Resources::UNLIMITED, &Resources::UNLIMITED);
        let mut choices: HashMap<_, Vec<Choice>> = HashMap::new();
        for (id, candidates) in all(&mut pricer, &pins, free).unwrap() {
            let mut some: Vec<Choice> = candidates.into_iter().map(|c| c.choice).collect();
            while some.len() > most {
                some.swap_remove(r.below(some.len()));
            }
            choices.insert(id, some);
        }
        let Ok(graph) = Layered::build(&mut pricer, &choices, 100_000) else { continue };
        let table = &Table::of(&pricer.all);
        let priced = &pricer.all;
        let courses = &Courses::new(net, &prepared.realizations, interval, pricer.programs, priced).unwrap();
        look(&Case { seed, prepared: &prepared, interval, choices, graph, priced, table, courses }, &mut r);
    }
}

#[test]
fn critical_paths_are_exact_and_no_design_is_faster_along_them() {
    let (mut exact, mut others, mut tight, mut windows) = (0, 0, 0, 0);
    cases(90, 8, &[16, 4, 1], |case, r| {
        let Case { seed, prepared, interval, choices, graph, courses, .. } = case;
        let p = case.problem([u64::MAX / 4; RESOURCES], 0);
        for _ in 0..3 {
            let Some(chosen) = path(r, graph) else { continue };
            let (latency, stretches) = courses.latency(&p, &chosen).unwrap();
            let mut folding = Folding::undecided(&prepared.int, *interval);
            for (a, s) in chosen.iter().zip(&graph.stages) {
                choices[&s.id][a.choice as usize].apply(&mut folding, s.id);
            }
            let design = lower::run(&prepared.int, &prepared.realizations, &folding).unwrap();
            let (simulated, _) = timing::Simulator::new(&design).first_frame().unwrap();
            assert_eq!(latency, simulated as i64, "seed {seed}");
            exact += 1;
            let kinds = design.modules();
            windows +=
                usize::from(kinds.iter().any(|id| matches!(design.module(*id).kind, netfold_ir::hw::Kind::Swu(_))));
            let cycles: HashMap<u32, i64> = stretches.iter().map(|s| (chosen[s.stage].priced, s.cycles)).collect();
            let way = Ways::critical(&p, courses, stretches, |n| cycles.get(&n).copied());
            assert_eq!(way.of(&chosen), latency as f64, "seed {seed}");
            for _ in 0..6 {
                let Some(other) = path(r, graph) else { continue };
                let (least, _) = courses.latency(&p, &other).unwrap();
                let along = way.of(&other);
                assert!(along <= least as f64, "seed {seed}: {along} cycles along a way of a design of {least}");
                others += 1;
                tight += usize::from(along >= 0.8 * least as f64);
            }
        }
    });
    println!("{exact} designs, {windows} with windows; of {others} others {tight} take four fifths along their ways");
    assert!(exact > 120 && windows > 30 && others > 600 && tight * 3 > others, "{exact} {windows} {others} {tight}");
}

#[test]
fn polished_designs_are_exact_and_no_other_choice_of_one_operator_is_better() {
    let (mut polished, mut compared) = (0, 0);
    cases(40, 6, &[16], |case, r| {
        let Case { seed, graph, courses, .. } = case;
        let Some(start) = path(r, graph) else { return };
        // Half as much again as the start uses, so that some of the others do not fit.
        let mut limits = [0; RESOURCES];
        start.iter().for_each(|a| (0..RESOURCES).for_each(|i| limits[i] += case.priced[a.priced as usize].used[i]));
        let limits = limits.map(|l| l * 3 / 2);
        let (from, _) = courses.latency(&case.problem(limits, i64::MAX / 4), &start).unwrap();
        let p = case.problem(limits, from);
        for aim in [Aim::Latency, Aim::Area] {
            let ceiling = if aim == Aim::Latency { from as u64 } else { Found::of(&p, &start).area };
            let found = polish(&p, graph, aim, &start, ceiling, &mut Vec::new());
            let (value, end) = found.map_or((ceiling, start.clone()), |(value, found)| {
                polished += 1;
                assert!(value < ceiling, "seed {seed}");
                (value, found.path)
            });
            let measured = |path: &[Arc]| Some((area_within(&p, path)?, courses.latency(&p, path)?.0));
            let (area, cycles) = measured(&end).unwrap();
            assert!(cycles <= from, "seed {seed}");
            assert_eq!(value, if aim == Aim::Latency { cycles as u64 } else { area }, "seed {seed}");
            // Every other choice of one operator, the rest as it is.
            let mut state = 0;
            for (k, arc) in end.iter().enumerate() {
                for other in &graph.stages[k].arcs[state] {
                    let mut changed = end[..k].to_vec();
                    let mut at = other.to as usize;
                    changed.push(*other);
                    for (stage, same) in graph.stages.iter().zip(&end).skip(k + 1) {
                        let Some(next) = stage.arcs[at].iter().find(|a| a.choice == same.choice) else { break };
                        at = next.to as usize;
                        changed.push(*next);
                    }
                    let Some((area, cycles)) = measured(&changed) else { continue };
                    let better = match aim {
                        Aim::Latency => (cycles as u64) < value,
                        Aim::Area => cycles <= from && area < value,
                    };
                    assert!(!better, "seed {seed}: stage {k}");
                    compared += 1;
                }
                state = arc.to as usize;
            }
        }
    });
    assert!(polished > 25 && compared > 500, "{polished} {compared}");
}
