//! Exact latencies and critical paths against the simulation, for random designs of random networks.

use super::bounds::{Problem, Table};
use super::choice::{Choice, Offer, all};
use super::course::Courses;
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
        let known = Courses::new(net, &prepared.realizations, interval, pricer.programs).unwrap();
        let limits = [u64::MAX / 4; RESOURCES];
        let courses = Some(&known);
        let p = Problem { graph: &graph, priced: &pricer.all, limits, deadline: Some(0), table: &table, courses };
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
