//! Exact latencies and critical paths against the simulation, for random designs of random networks.

use super::bounds::{Problem, Table};
use super::choice::{Choice, Offer, all};
use super::course::Courses;
use super::measure::{Aim, Found, area_within};
use super::polish::polish;
use super::space::{Arc, Layered, Pricer};
use super::ways::Ways;
use super::{Analytic, Prices, RESOURCES, Resources};
use crate::fold::Folding;
use crate::lower;
use crate::pipeline;
use crate::precision::NoFormats;
use crate::random::Random;
use netfold_ir::hw::timing;
use std::collections::HashMap;

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

#[test]
fn critical_paths_are_exact_and_no_design_is_faster_along_them() {
    let (model, pins) = (Analytic::default(), HashMap::new());
    let (mut exact, mut others, mut tight, mut windows) = (0, 0, 0, 0);
    for seed in 0..90 {
        let mut net = crate::random::network(seed).unwrap();
        let Ok(prepared) = pipeline::prepare(&mut net, &NoFormats, None) else { continue };
        let net = &prepared.int;
        let mut r = Random::new(seed + 1);
        let slowest = net.graph.ids().iter().map(|id| net.graph.node(*id).elements()).max().unwrap_or(1) as u64;
        let interval = r.pick(&[4 * slowest, slowest, slowest / 4 + 1]);
        let memo = Default::default();
        let prices = Prices::of_device(&Resources { lut: 50_000, ff: 100_000, dsp: 200, bram18: 200, uram: 0 });
        let mut pricer = Pricer::new(net, &prepared.realizations, &model, prices, &memo, (interval, true, true));
        let free = Offer::new(&Resources::UNLIMITED, &Resources::UNLIMITED);
        let mut choices: HashMap<_, Vec<Choice>> = HashMap::new();
        for (id, candidates) in all(&mut pricer, &pins, free).unwrap() {
            let mut some: Vec<Choice> = candidates.into_iter().map(|c| c.choice).collect();
            while some.len() > 8 {
                some.swap_remove(r.below(some.len()));
            }
            choices.insert(id, some);
        }
        let Ok(graph) = Layered::build(&mut pricer, &choices, 100_000) else { continue };
        let table = Table::of(&pricer.all);
        let known = Courses::new(net, &prepared.realizations, interval, pricer.programs, &pricer.all).unwrap();
        let limits = [u64::MAX / 4; RESOURCES];
        let courses = Some(&known);
        let p = Problem {
            graph: &graph,
            priced: &pricer.all,
            limits,
            aside: [0; RESOURCES],
            deadline: Some(0),
            table: &table,
            courses,
        };
        for _ in 0..3 {
            let Some(chosen) = path(&mut r, &graph) else { continue };
            let (latency, stretches) = known.latency(&p, &chosen).unwrap();
            let mut folding = Folding::undecided(net, interval);
            for (a, s) in chosen.iter().zip(&graph.stages) {
                choices[&s.id][a.choice as usize].apply(&mut folding, s.id);
            }
            let design = lower::run(net, &prepared.realizations, &folding).unwrap();
            let (simulated, _) = timing::Simulator::new(&design).first_frame().unwrap();
            assert_eq!(latency, simulated as i64, "seed {seed}");
            exact += 1;
            let kinds = design.modules();
            windows +=
                usize::from(kinds.iter().any(|id| matches!(design.module(*id).kind, netfold_ir::hw::Kind::Swu(_))));
            let cycles: HashMap<u32, i64> = stretches.iter().map(|s| (chosen[s.stage].priced, s.cycles)).collect();
            let way = Ways::critical(&p, &known, stretches, |n| cycles.get(&n).copied());
            assert_eq!(way.of(&chosen), latency as f64, "seed {seed}");
            for _ in 0..6 {
                let Some(other) = path(&mut r, &graph) else { continue };
                let (least, _) = known.latency(&p, &other).unwrap();
                let along = way.of(&other);
                assert!(along <= least as f64, "seed {seed}: {along} cycles along a way of a design of {least}");
                others += 1;
                tight += usize::from(along >= 0.8 * least as f64);
            }
        }
    }
    println!("{exact} designs, {windows} with windows; of {others} others {tight} take four fifths along their ways");
    assert!(exact > 120 && windows > 30 && others > 600 && tight * 3 > others, "{exact} {windows} {others} {tight}");
}

#[test]
fn polished_designs_are_exact_and_no_other_choice_of_one_operator_is_better() {
    let (model, pins) = (Analytic::default(), HashMap::new());
    let (mut polished, mut steps) = (0, 0);
    for seed in 0..40 {
        let mut net = crate::random::network(seed).unwrap();
        let Ok(prepared) = pipeline::prepare(&mut net, &NoFormats, None) else { continue };
        let mut r = Random::new(seed + 1);
        let memo = Default::default();
        let prices = Prices::of_device(&Resources { lut: 50_000, ff: 100_000, dsp: 200, bram18: 200, uram: 0 });
        let net = &prepared.int;
        let slowest = net.graph.ids().iter().map(|id| net.graph.node(*id).elements()).max().unwrap_or(1) as u64;
        let mut pricer = Pricer::new(net, &prepared.realizations, &model, prices, &memo, (4 * slowest, true, true));
        let free = Offer::new(&Resources::UNLIMITED, &Resources::UNLIMITED);
        let mut choices: HashMap<_, Vec<Choice>> = HashMap::new();
        for (id, candidates) in all(&mut pricer, &pins, free).unwrap() {
            let mut some: Vec<Choice> = candidates.into_iter().map(|c| c.choice).collect();
            while some.len() > 6 {
                some.swap_remove(r.below(some.len()));
            }
            choices.insert(id, some);
        }
        let Ok(graph) = Layered::build(&mut pricer, &choices, 100_000) else { continue };
        let table = Table::of(&pricer.all);
        let known = Courses::new(net, &prepared.realizations, 4 * slowest, pricer.programs, &pricer.all).unwrap();
        let Some(start) = path(&mut r, &graph) else { continue };
        // Half as much again as the start uses, so that some of the others do not fit.
        let mut limits = [0; RESOURCES];
        start.iter().for_each(|a| (0..RESOURCES).for_each(|i| limits[i] += pricer.all[a.priced as usize].used[i]));
        let limits = limits.map(|l| l * 3 / 2);
        let (from, _) = {
            let free = Problem {
                graph: &graph,
                priced: &pricer.all,
                limits,
                aside: [0; RESOURCES],
                deadline: Some(i64::MAX / 4),
                table: &table,
                courses: Some(&known),
            };
            known.latency(&free, &start).unwrap()
        };
        for aim in [Aim::Latency, Aim::Area] {
            let p = Problem {
                graph: &graph,
                priced: &pricer.all,
                limits,
                aside: [0; RESOURCES],
                deadline: Some(from),
                table: &table,
                courses: Some(&known),
            };
            let area = Found::of(&p, &start).area;
            let ceiling = if aim == Aim::Latency { from as u64 } else { area };
            let found = polish(&p, &graph, aim, &start, ceiling, &mut Vec::new());
            let end = found.as_ref().map_or(start.clone(), |f| f.1.path.clone());
            let value = found.as_ref().map_or(ceiling, |f| f.0);
            if let Some((value, found)) = &found {
                polished += 1;
                assert!(*value < ceiling, "seed {seed}");
                assert!(area_within(&p, &found.path).is_some(), "seed {seed}");
                let (cycles, _) = known.latency(&p, &found.path).unwrap();
                assert!(cycles <= from, "seed {seed}");
                let exact = if aim == Aim::Latency { cycles as u64 } else { Found::of(&p, &found.path).area };
                assert_eq!(*value, exact, "seed {seed}");
            }
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
                    let Some(area) = area_within(&p, &changed) else { continue };
                    let (cycles, _) = known.latency(&p, &changed).unwrap();
                    let better = match aim {
                        Aim::Latency => (cycles as u64) < value,
                        Aim::Area => cycles <= from && area < value,
                    };
                    assert!(!better, "seed {seed}: stage {k}");
                    steps += 1;
                }
                state = arc.to as usize;
            }
        }
    }
    assert!(polished > 25 && steps > 500, "{polished} {steps}");
}
