//! Closes the gap of a search by cases: an operator takes at most, or more than, so much of a resource.
//!
//! Prices of the limits leave a gap where one operator decides over a large part of a resource: a mixture of two of its choices would
//! meet the limits exactly, no single one does. With its use bounded from either side each case has prices of its own, which leave less,
//! and the arcs whose bound reaches the best design known are left out (reduced cost fixing), so that labels of either case are few.
//! Cases are taken by their bound, the lowest first, until none is below the best design: then that one is the optimum.

use super::bounds::{Lagrange, Problem};
use super::cost::RESOURCES;
use super::search::{Found, Search};
use super::space::{Arc, Layered, Stage};

/// Labels a stage in a case, in successive attempts, and the gap up to which one is worth it.
const WIDTHS: [(usize, f64); 2] = [(100, 1.0), (6000, 0.012)];

/// Cases at most.
const MOST: usize = 600;

/// Labels that all cases may extend.
const EFFORT: usize = 2_000_000;

/// A case that is not closed.
struct Case {
    graph: Layered,
    factors: [f64; RESOURCES + 1],
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
        let known = best.as_ref().map_or(ceiling, |b| b.area.min(ceiling));
        let goal = (first * (1.0 + step)).min(known as f64) as u64;
        let graph = alive(p, &search.lagrange, goal);
        let root = Case { graph, factors: search.lagrange.factors, bound, depth: 0 };
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
    let limit = |best: &Option<Found>| best.as_ref().map_or(ceiling, |b| b.area.min(ceiling));
    let mut open = vec![root];
    let (mut labels, mut cases) = (0, 0);
    loop {
        open.retain(|c| c.bound < limit(&best));
        // In turn the one of lowest bound, which raises what is proved, and the deepest, which leads to designs.
        let deepest = if cases % 4 == 0 { 0 } else { 1 };
        let key = |i: &usize| (std::cmp::Reverse(open[*i].depth * deepest), open[*i].bound);
        let Some(next) = (0..open.len()).min_by_key(key) else { break };
        if cases >= MOST || labels > effort {
            break;
        }
        let case = open.swap_remove(next);
        let Some(halves) = split(p, &case) else {
            open.push(case);
            break;
        };
        let goal = limit(&best);
        let look = |graph: Layered| examine(&Problem { graph: &graph, ..*p }, goal, case.bound);
        let [a, b] = halves;
        let (a, b) = rayon::join(|| look(a), || look(b));
        cases += 2;
        for (closed, rest) in [a, b] {
            labels += closed.labels;
            if let Some(found) = closed.best.filter(|f| f.area < limit(&best)) {
                best = Some(found);
            }
            open.extend(rest.map(|rest| Case { depth: case.depth + 1, ..rest }));
        }
    }
    let left = open.iter().map(|c| c.bound).min().unwrap_or(u64::MAX);
    Closed { bound: left.min(limit(&best)), best, labels }
}

/// Searches a case: what it found below `ceiling`, and what is left of it. `bound` is that of the case that it is part of.
fn examine(p: &Problem<'_>, ceiling: u64, bound: u64) -> (Closed, Option<Case>) {
    let nothing = |labels| (Closed { best: None, bound: ceiling, labels }, None);
    let Ok(mut search) = Search::begin(p, ceiling) else { return nothing(0) };
    let mut reached = bound.max(search.lagrange.bound.max(0.0).ceil() as u64);
    for (width, most) in WIDTHS {
        let goal = search.best.as_ref().map_or(ceiling, |b| b.area.min(ceiling));
        if reached as f64 >= goal as f64 * (1.0 - most) && reached < goal {
            reached = reached.max(search.attempt(width));
        }
    }
    let (labels, best) = (search.labels, search.best.take().filter(|b| b.area < ceiling));
    let goal = best.as_ref().map_or(ceiling, |b| b.area);
    let rest = (reached < goal).then(|| Case {
        graph: alive(p, &search.lagrange, goal),
        factors: search.lagrange.factors,
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
        kept.push(Stage { inputs: stage.inputs.clone(), kept: stage.kept.clone(), arcs, ..*stage });
        reach = next;
    }
    Layered { stages: kept, ends: *ends }
}

/// Two cases in which the operator whose priced use of a resource can differ most takes at most, and more than, half of the way between the
/// least and the most; `None` where nothing differs.
fn split(p: &Problem<'_>, case: &Case) -> Option<[Layered; 2]> {
    let stages = &case.graph.stages;
    let mut widest: Option<(f64, usize, usize, u64)> = None;
    for (k, r) in (0..stages.len()).flat_map(|k| (0..RESOURCES).map(move |r| (k, r))) {
        let used = || stages[k].arcs.iter().flatten().map(|a| p.priced[a.priced as usize].used[r]);
        let (Some(least), Some(most)) = (used().min(), used().max()) else { continue };
        let spread = (most - least) as f64 * case.factors[r];
        if spread > 0.0 && widest.is_none_or(|w| spread > w.0) {
            widest = Some((spread, k, r, least + (most - least) / 2));
        }
    }
    let (_, at, r, middle) = widest?;
    Some([true, false].map(|low| {
        let stages = stages.iter().enumerate().map(|(k, stage)| {
            let fits = |a: &&Arc| k != at || (p.priced[a.priced as usize].used[r] <= middle) == low;
            let arcs = stage.arcs.iter().map(|all| all.iter().filter(fits).copied().collect()).collect();
            Stage { inputs: stage.inputs.clone(), kept: stage.kept.clone(), arcs, ..*stage }
        });
        Layered { stages: stages.collect(), ends: case.graph.ends }
    }))
}
