//! Closes the gap of a search by cases: an operator takes at most, or more than, so much of a resource.
//!
//! Prices of the limits leave a gap where one operator decides over a large part of a resource: a mixture of two of its choices would
//! meet the limits exactly, no single one does. With its use bounded from either side each case has prices of its own, which leave less,
//! and the arcs whose bound reaches the best design known are left out (reduced cost fixing), so that labels of either case are few.
//! Cases are taken until none has a bound below the best design: then that one is the optimum.

use super::bounds::{Lagrange, Problem};
use super::cost::RESOURCES;
use super::search::{Found, Search, goal};
use super::space::{Arc, Layered};

/// Labels a stage in a case, in successive attempts, and the gap up to which one is worth it.
const WIDTHS: [(usize, f64); 2] = [(100, 1.0), (2000, 0.012)];

/// Cases at most.
const MOST: usize = 600;

/// Labels that all cases may extend.
const EFFORT: usize = 2_000_000;

/// A case that is not closed.
struct Case {
    graph: Layered,
    factors: [f64; RESOURCES],
    bound: u64,
    /// Times that it was split.
    depth: usize,
}

/// What is known when no case is left, or the effort is spent.
pub(super) struct Closed {
    /// The best design.
    pub best: Option<Found>,
    /// No design has less area; the ceiling when there is none below it.
    pub bound: u64,
    /// Labels extended.
    pub labels: usize,
}

/// Shares above the bound up to which designs are sought, one after the other: the nearer, the fewer arcs are left.
const STEPS: [f64; 12] = [0.004, 0.008, 0.013, 0.018, 0.023, 0.028, 0.034, 0.041, 0.05, 0.06, 0.08, f64::INFINITY];

/// Goes on from a search that left a gap: its bound, and designs of `ceiling` area or more are of no interest.
pub(super) fn close(search: Search<'_>, mut bound: u64, ceiling: u64) -> Closed {
    let p = search.p;
    let (mut best, mut labels) = (search.best, 0);
    let first = bound as f64;
    for step in STEPS {
        let known = goal(best.as_ref(), ceiling);
        let goal = ((first * (1.0 + step)) as u64).min(known);
        let graph = alive(p, &search.lagrange, goal);
        let root = Case { graph, factors: search.lagrange.factors.used, bound, depth: 0 };
        let closed = below(p, root, goal, EFFORT.saturating_sub(labels));
        labels += closed.labels;
        bound = bound.max(closed.bound);
        let found = closed.best.is_some();
        best = closed.best.or(best);
        if found || closed.bound < goal || goal == known {
            break;
        }
    }
    Closed { best, bound, labels }
}

/// The best design below `ceiling` in a case, within an effort in labels.
fn below(p: &Problem<'_>, root: Case, ceiling: u64, effort: usize) -> Closed {
    let mut best: Option<Found> = None;
    let mut open = vec![root];
    let (mut labels, mut cases) = (0, 0);
    loop {
        let below = goal(best.as_ref(), ceiling);
        open.retain(|c| c.bound < below);
        // In turn the one of lowest bound, which raises what is proved, and the deepest, which leads to designs.
        let deepest = if cases % 4 == 0 { 0 } else { 1 };
        let key = |i: &usize| (std::cmp::Reverse(open[*i].depth * deepest), open[*i].bound);
        let Some(next) = (0..open.len()).min_by_key(key) else { break };
        if cases >= MOST || labels > effort {
            break;
        }
        let case = open.swap_remove(next);
        let look = |graph: &Layered, widths| examine(&Problem { graph, ..*p }, below, case.bound, widths);
        let looked = match split(p, &case) {
            Some([a, b]) => {
                let (a, b) = rayon::join(|| look(&a, &WIDTHS), || look(&b, &WIDTHS));
                vec![a, b]
            }
            // All of an operator's choices use the same: a label a state is all there is.
            None => vec![look(&case.graph, &[(usize::MAX, 1.0)])],
        };
        cases += looked.len();
        for (closed, rest) in looked {
            labels += closed.labels;
            if let Some(found) = closed.best.filter(|f| f.area < goal(best.as_ref(), ceiling)) {
                best = Some(found);
            }
            open.extend(rest.map(|rest| Case { depth: case.depth + 1, ..rest }));
        }
    }
    let left = open.iter().map(|c| c.bound).min().unwrap_or(u64::MAX);
    Closed { bound: left.min(goal(best.as_ref(), ceiling)), best, labels }
}

/// Searches a case: what it found below `ceiling`, and what is left of it. `bound` is that of the case that it is part of, `widths` are as
/// [`WIDTHS`].
fn examine(p: &Problem<'_>, ceiling: u64, bound: u64, widths: &[(usize, f64)]) -> (Closed, Option<Case>) {
    let Ok(mut search) = Search::begin(p, ceiling) else {
        return (Closed { best: None, bound: ceiling, labels: 0 }, None);
    };
    let mut reached = bound.max((search.lagrange.bound - 1e-3).max(0.0).ceil() as u64);
    for (width, most) in widths.iter().copied() {
        let goal = search.goal();
        if reached as f64 >= goal as f64 * (1.0 - most) && reached < goal {
            reached = reached.max(search.attempt(width));
        }
    }
    let (labels, best) = (search.labels, search.best.take().filter(|b| b.area < ceiling));
    let goal = goal(best.as_ref(), ceiling);
    let rest = (reached < goal).then(|| Case {
        graph: alive(p, &search.lagrange, goal),
        factors: search.lagrange.factors.used,
        bound: reached,
        depth: 0,
    });
    (Closed { best, bound: reached, labels }, rest)
}

/// The graph without the arcs of which every path has at least `goal` area by the priced limits.
fn alive(p: &Problem<'_>, lagrange: &Lagrange, goal: u64) -> Layered {
    let Layered { stages, ends } = p.graph;
    let limit = goal as f64 - 1.0 + 1e-3 + lagrange.paid;
    let mut reach = vec![0.0];
    let mut kept = Vec::with_capacity(stages.len());
    for (k, stage) in stages.iter().enumerate() {
        let states = stages.get(k + 1).map_or(*ends, |s| s.arcs.len());
        let mut next = vec![f64::INFINITY; states];
        let mut arcs = Vec::with_capacity(stage.arcs.len());
        for (state, all) in stage.arcs.iter().enumerate() {
            let mut here = Vec::new();
            for a in all {
                let (to, length) = (a.to as usize, reach[state] + lagrange.prices[a.priced as usize]);
                if length + lagrange.left[k + 1][to] <= limit {
                    next[to] = f64::min(next[to], length);
                    here.push(*a);
                }
            }
            arcs.push(here);
        }
        kept.push(stage.with(arcs));
        reach = next;
    }
    Layered { stages: kept, ends: *ends }
}

/// The least that all of a resource is worth when cases are split.
const LITTLE: f64 = 1e-6;

/// Two cases in which the operator whose priced use of a resource can differ most takes at most, and more than, half of the way between the
/// least and the most; `None` where nothing differs.
fn split(p: &Problem<'_>, case: &Case) -> Option<[Layered; 2]> {
    let stages = &case.graph.stages;
    let mut widest: Option<(f64, usize, usize, u64)> = None;
    for (k, r) in (0..stages.len()).flat_map(|k| (0..RESOURCES).map(move |r| (k, r))) {
        let used = || stages[k].arcs.iter().flatten().map(|a| p.priced[a.priced as usize].used[r]);
        let (Some(least), Some(most)) = (used().min(), used().max()) else { continue };
        // What is worth nothing at these prices is split last.
        let spread = (most - least) as f64 * (case.factors[r] + LITTLE / p.limits[r].max(1) as f64);
        if spread > 0.0 && widest.is_none_or(|w| spread > w.0) {
            widest = Some((spread, k, r, least + (most - least) / 2));
        }
    }
    let (_, at, r, middle) = widest?;
    Some([true, false].map(|low| {
        let stages = stages.iter().enumerate().map(|(k, stage)| {
            let fits = |a: &&Arc| k != at || (p.priced[a.priced as usize].used[r] <= middle) == low;
            stage.with(stage.arcs.iter().map(|all| all.iter().filter(fits).copied().collect()).collect())
        });
        Layered { stages: stages.collect(), ends: case.graph.ends }
    }))
}

#[cfg(test)]
mod tests {
    use super::super::space::{Priced, Stage};
    use super::super::time::BEFORE;
    use super::*;
    use crate::random::Random;
    use std::sync::Arc as Shared;

    #[test]
    fn cases_find_the_optimum_that_looking_at_all_designs_finds() {
        const STAGES: usize = 6;
        const CHOICES: usize = 7;
        let mut net = netfold_ir::int::IntNetwork::default();
        let ty = netfold_ir::quant::IntType::new(true, 4);
        let id = net.add_input("x", vec![1], ty, netfold_ir::net::Affine::identity()).unwrap();
        let mut r = Random::new(3);
        let (mut gaps, mut none) = (0, 0);
        for round in 0..400 {
            // Choices that trade one resource for another one, with one stage that decides over most of it.
            let mut priced = Vec::new();
            for k in 0..STAGES {
                let size = if k == 2 { 400 } else { 60 };
                for _ in 0..CHOICES {
                    let (a, b) = (r.between(0, size) as u64, r.between(0, size / 4) as u64);
                    let used = [a, 0, (size as u64 - a) / 4 + b, 0, 0];
                    let area = used[0] * 3 + used[2] * 10 + r.between(0, 40) as u64;
                    priced.push(Shared::new(Priced { lanes: 1, used, area, work: 1, alone: BEFORE, lags: vec![] }));
                }
            }
            let stages = (0..STAGES).map(|k| {
                let arcs = (0..CHOICES).map(|c| Arc { to: 0, choice: c as u32, priced: (k * CHOICES + c) as u32 });
                Stage { id, inputs: vec![], kept: vec![], opens: false, arcs: vec![arcs.collect()] }
            });
            let graph = Layered { stages: stages.collect(), ends: 1 };
            let limits = [r.between(150, 450) as u64, 9, r.between(60, 200) as u64, 9, 9];
            let p = Problem { graph: &graph, priced: &priced, limits, deadline: None };
            let mut wanted: Option<u64> = None;
            for mut code in 0..CHOICES.pow(STAGES as u32) {
                let (mut used, mut area) = ([0; RESOURCES], 0);
                for k in 0..STAGES {
                    let one = &priced[k * CHOICES + code % CHOICES];
                    (0..RESOURCES).for_each(|r| used[r] += one.used[r]);
                    area += one.area;
                    code /= CHOICES;
                }
                if (0..RESOURCES).all(|r| used[r] <= limits[r]) && wanted.is_none_or(|w| area < w) {
                    wanted = Some(area);
                }
            }
            let Ok(search) = Search::begin(&p, u64::MAX / 8) else {
                assert_eq!(wanted, None, "round {round}");
                none += 1;
                continue;
            };
            let bound = (search.lagrange.bound - 1e-3).max(0.0).ceil() as u64;
            gaps += usize::from(wanted.is_some_and(|w| w > bound + bound / 50));
            let closed = close(search, bound, u64::MAX / 8);
            assert_eq!(closed.best.map(|b| b.area), wanted, "round {round}");
            assert_eq!(closed.bound, wanted.unwrap_or(u64::MAX / 8), "round {round}");
        }
        assert!(gaps > 20 && none > 5, "{gaps} gaps, {none} without a design");
    }
}
