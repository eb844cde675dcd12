//! Closes the gap of a search by cases: an operator takes at most, or more than, so much of a resource, or of the time.
//!
//! Prices of the limits leave a gap where a mixture of designs would meet the limits better than any single one does. The cheapest mixture
//! says which operator differs most in what its designs take there of something that has a price: that operator is bounded from either
//! side of the mean, so that neither case has this mixture any more. Each case has prices of its own, and the arcs whose bound reaches the
//! best design known are left out (reduced cost fixing). Cases are taken until none has a bound below the best design: then that one is the
//! optimum (branch and bound).
//!
//! Of times the prices know the ways through a few points of each tensor at first ([`super::time`]). A design that is in time by these is
//! followed beat by beat ([`super::course`]); where it is late, its critical path is a way more that all cases know from then on, as are
//! the critical paths of a mixture's designs on which the mixture is late (cutting planes). So the optimum is one by exact latencies.

use super::bounds::{Bounds, EXCESS, Factors, Lagrange, Problem, ROUNDING};
use super::cost::RESOURCES;
use super::course::{Courses, Stretch};
use super::measure::{Aim, Found, Measured, measured};
use super::prices::{lagrange, least_latency};
use super::search::Search;
use super::space::{Arc, Layered};
use super::ways::{Way, Ways};
use rustc_hash::FxHashMap;
use std::sync::Arc as Shared;
use std::sync::atomic::Ordering;

/// Arcs of a case up to which all its designs are looked at as labels, so many a stage.
const FEW_ARCS: usize = 600;
const WIDTH: usize = 400;

/// Times that a mixture's designs are followed, and how many of them: in the first case, and in others.
const ROOT_ROUNDS: usize = 4;
const ROOT_FOLLOWED: usize = 3;
const ROUNDS: usize = 1;
const FOLLOWED: usize = 1;

/// Designs that a case begins with.
const KNOWN: usize = 30;

/// What resources and times are worth.
pub(super) struct Worth {
    used: [f64; RESOURCES],
    ways: Ways,
    /// By way.
    times: Vec<f64>,
}

impl Worth {
    /// Of prices, with the ways that have one.
    pub fn of(factors: &Factors, ways: Ways) -> Worth {
        Worth { used: factors.used, ways, times: factors.ways.iter().copied().filter(|f| *f > 0.0).collect() }
    }

    /// Of what a priced operator takes of a resource, or for the last one of the time.
    fn taken(&self, p: &Problem<'_>, r: usize, a: &Arc) -> f64 {
        match self.used.get(r) {
            Some(price) => p.priced[a.priced as usize].used[r] as f64 * price,
            None => self.ways.all.iter().zip(&self.times).map(|(way, f)| f * way.ticks[a.priced as usize]).sum(),
        }
    }
}

/// A case that is not closed.
pub(super) struct Case {
    pub graph: Layered,
    pub worth: Worth,
    pub mixture: Vec<(f64, Vec<Arc>)>,
    /// Designs that were looked at.
    pub paths: Vec<Vec<Arc>>,
    pub bound: u64,
    /// Times that it was split.
    pub depth: usize,
}

/// What is known when no case is left, or the effort is spent.
pub(super) struct Closed {
    /// The best design, with its area or latency.
    pub best: Option<(u64, Found)>,
    /// No design has less; the ceiling when there is none below it.
    pub bound: u64,
    /// Labels extended.
    pub labels: usize,
    /// Designs that the last prices of the whole came from, and the best one last.
    pub met: Vec<Vec<Arc>>,
}

/// Effort is counted in about a microsecond of a core: what a step of pricing takes, the arcs that take as much more, and what a critical
/// path takes besides half of it for every priced operator.
const STEP: usize = 50;
const ARCS: usize = 200;
const CUT: usize = 300;

/// Share of a bound by which what is known may be above it for more effort.
const NEARLY: f64 = 0.012;

/// How cases are looked at.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    /// Whether critical paths of a mixture's designs are looked for, and not only of designs within the limits.
    pub mixed: bool,
    /// Whether the deepest case goes first until a design is known.
    pub deep: bool,
}

/// The best design below `ceiling` in a case, within an effort, and what was spent. `cuts`: the ways of critical paths that are known.
pub(super) fn below(
    p: &Problem<'_>,
    aim: Aim,
    root: Case,
    cuts: &mut Vec<Shared<Way>>,
    ceiling: u64,
    (mut most, mut effort, mut more): (usize, usize, usize),
    manner: Manner,
) -> (Closed, usize) {
    let (mut best, mut open) = (None, Vec::new());
    let (mut labels, mut turn, mut spent, mut met) = (0, 0, 0, Vec::new());
    if p.courses.is_some() {
        let looked = examine(p, aim, ceiling, (&root, cuts), root.graph.copied(), (effort, manner));
        spent += looked.effort;
        cuts.extend(looked.fresh);
        best = looked.best;
        met = looked.rest.iter().flat_map(|case| case.paths.iter().cloned()).collect();
        open.extend(looked.rest);
    } else {
        open.push(root);
    }
    loop {
        let below = best.as_ref().map_or(ceiling, |b: &(u64, Found)| b.0.min(ceiling));
        open.retain(|c| c.bound < below);
        // In turn the one of lowest bound, which raises what is proved, and the deepest, which leads to designs.
        let deepest = usize::from(turn % 4 > 0 || (manner.deep && best.is_none()));
        let key = |i: &usize| (std::cmp::Reverse(open[*i].depth * deepest), open[*i].bound);
        let Some(next) = (0..open.len()).min_by_key(key) else { break };
        if spent > if best.is_none() { most } else { effort } {
            // Where little is left to be proved it is worth more.
            let lowest = open.iter().map(|c| c.bound).min().unwrap_or(below);
            if more == 0 || below as f64 > lowest as f64 * (1.0 + NEARLY) {
                break;
            }
            (most, effort, more) = (most + more, effort + more, 0);
        }
        let case = open.swap_remove(next);
        // A single design was looked at.
        let Some([a, b]) = split(p, &case) else { continue };
        let left = effort.saturating_sub(spent);
        let look = |graph| examine(p, aim, below, (&case, cuts), graph, (left, manner));
        let (a, b) = rayon::join(|| look(a), || look(b));
        turn += 1;
        for looked in [a, b] {
            labels += looked.labels;
            spent += looked.effort;
            if let Some(found) = looked.best.filter(|f| f.0 < best.as_ref().map_or(ceiling, |b| b.0)) {
                best = Some(found);
            }
            cuts.extend(looked.fresh);
            open.extend(looked.rest);
        }
    }
    let left = open.iter().map(|c| c.bound).min().unwrap_or(u64::MAX);
    let goal = best.as_ref().map_or(ceiling, |b| b.0.min(ceiling));
    (Closed { bound: left.min(goal), best, labels, met }, spent)
}

/// What looking at a case gave.
struct Looked {
    /// The best design, with its area or latency.
    best: Option<(u64, Found)>,
    labels: usize,
    /// See [`super::ceilings`].
    effort: usize,
    /// Ways of critical paths.
    fresh: Vec<Shared<Way>>,
    /// What is left of the case.
    rest: Option<Case>,
}

/// The way of a design's critical path.
fn critical(p: &Problem<'_>, courses: &Courses<'_>, path: &[Arc], stretches: Vec<Stretch>) -> Shared<Way> {
    let own: FxHashMap<u32, i64> = stretches.iter().map(|s| (path[s.stage].priced, s.cycles)).collect();
    Ways::critical(p, courses, stretches, |number| own.get(&number).copied())
}

/// Searches a part of a case of a whole problem: what it found below `ceiling`, and what is left of it; `cuts` as in [`below`], of
/// whose effort so much is left.
fn examine(
    whole: &Problem<'_>,
    aim: Aim,
    ceiling: u64,
    (case, cuts): (&Case, &[Shared<Way>]),
    graph: Layered,
    (left, manner): (usize, Manner),
) -> Looked {
    let deadline = match aim {
        Aim::Area => whole.deadline,
        Aim::Latency => Some(ceiling as i64 - 1),
    };
    let p = &Problem { graph: &graph, deadline, ..*whole };
    let mut best: Option<(u64, Found)> = None;
    let arcs = graph.arcs();
    let mut steps = 1;
    let effort = |steps: usize, fresh: &Vec<Shared<Way>>| {
        steps * (STEP + arcs / ARCS) + fresh.len() * (CUT + whole.priced.len() / 2)
    };
    let nothing = |best, labels, steps, fresh: Vec<Shared<Way>>| {
        let effort = effort(steps, &fresh);
        Looked { best, labels, effort, fresh, rest: None }
    };
    let bounds = Bounds::of(p);
    if bounds.is_dead() || (0..RESOURCES).any(|r| bounds.least[0][0][r] > p.limits[r]) {
        return nothing(None, 0, steps, Vec::new());
    }
    let mut ways = case.worth.ways.clone();
    let mut known: Vec<Vec<Arc>> = case.paths.iter().filter(|path| p.graph.has(path)).cloned().collect();
    // Ways of critical paths that were found here.
    let mut fresh: Vec<Shared<Way>> = Vec::new();
    let mut rounds = match case.depth {
        _ if !manner.mixed => 0,
        0 => ROOT_ROUNDS,
        _ => ROUNDS,
    };
    let mut followed: Vec<Vec<Arc>> = Vec::new();
    let prices = loop {
        let inspect = |path: &[Arc], ways: &mut Ways| {
            let goal = best.as_ref().map_or(ceiling, |b| b.0);
            // What is known to be too late need not be followed.
            let most = match aim {
                Aim::Area => p.deadline.unwrap_or(i64::MAX),
                Aim::Latency => goal as i64 - 1,
            };
            let late = |way: &&Shared<Way>| way.of(path) > most as f64;
            if let Some(way) = cuts.iter().find(late) {
                if !ways.all.iter().any(|w| Shared::ptr_eq(w, way)) {
                    ways.all.push(way.clone());
                }
                return;
            }
            match (measured(p, aim, path, goal), p.courses) {
                (Measured::Yes(value), _) => best = Some((value, Found::of(p, path))),
                (Measured::Late(stretches), Some(courses)) => {
                    let way = critical(whole, courses, path, stretches);
                    ways.all.push(way.clone());
                    fresh.push(way);
                }
                _ => {}
            }
        };
        let known_here = (&known[..], cuts);
        let prices = match aim {
            Aim::Area => lagrange(p, &bounds, &mut ways, ceiling, known_here, inspect),
            Aim::Latency => {
                let prices = least_latency(p, &bounds, &mut ways, known_here, inspect);
                prices.unwrap_or_else(|| Lagrange::none(p))
            }
        };
        steps += prices.steps;
        let goal = best.as_ref().map_or(ceiling, |b| b.0);
        let more = rounds > 0 && effort(steps, &fresh) <= left && prices.bound < goal as f64;
        let Some(courses) = p.courses.filter(|_| p.deadline.is_some() && more) else {
            break prices;
        };
        rounds -= 1;
        // On the critical paths of the mixture's designs the mixture itself may be too late.
        let most = match aim {
            Aim::Area => p.deadline.map_or(f64::INFINITY, |d| d as f64),
            Aim::Latency => prices.bound * 1.001,
        };
        let mut largest: Vec<&(f64, Vec<Arc>)> =
            prices.mixture.iter().filter(|(_, path)| !followed.contains(path)).collect();
        largest.sort_by(|a, b| b.0.total_cmp(&a.0));
        largest.truncate(if case.depth == 0 { ROOT_FOLLOWED } else { FOLLOWED });
        let mut added = false;
        for (_, path) in largest {
            followed.push(path.clone());
            let Some((_, stretches)) = courses.latency(p, path) else { continue };
            if courses.mean(p, &prices.mixture, &stretches) > most {
                let way = critical(whole, courses, path, stretches);
                ways.all.push(way.clone());
                fresh.push(way);
                added = true;
            }
        }
        if !added {
            break prices;
        }
        known = prices.paths;
    };
    let goal = best.as_ref().map_or(ceiling, |b| b.0);
    let mut bound = case.bound.max((prices.bound - 1e-3).max(0.0).ceil() as u64);
    if bound >= goal {
        return nothing(best, 0, steps, fresh);
    }
    let graph = alive(p, &prices, aim, goal);
    let arcs = graph.arcs();
    if arcs == 0 {
        return nothing(best, 0, steps, fresh);
    }
    let factors = prices.factors.clone();
    let costs = ways.all.iter().zip(&factors.ways).filter(|(_, f)| **f > 0.0);
    costs.filter_map(|(way, _)| way.critical.as_ref()).for_each(|c| _ = c.priced.fetch_add(1, Ordering::Relaxed));
    let (mixture, mut paths) = (prices.mixture.clone(), prices.paths.clone());
    // The latest ones are nearest to the prices.
    paths.drain(..paths.len().saturating_sub(KNOWN));
    paths.extend(mixture.iter().map(|(_, path)| path.clone()));
    let mut labels = 0;
    // Labels know the bound of a latency only.
    if arcs <= FEW_ARCS && aim == Aim::Area && p.courses.is_none() {
        let part = Problem { graph: &graph, ..*p };
        let mut search = Search::with(&part, Bounds::of(&part), ways.clone(), prices, goal);
        bound = bound.max(search.attempt(WIDTH));
        labels = search.labels;
        if let Some(found) = search.best.take()
            && let Measured::Yes(area) = measured(&part, aim, &found.path, goal)
        {
            best = Some((area, found));
        }
    }
    let goal = best.as_ref().map_or(ceiling, |b| b.0.min(ceiling));
    if bound >= goal {
        return nothing(best, labels, steps, fresh);
    }
    let active = |w: usize| factors.ways.get(w).is_some_and(|f| *f > 0.0);
    let rest =
        Case { graph, worth: Worth::of(&factors, ways.only(active)), mixture, paths, bound, depth: case.depth + 1 };
    Looked { best, labels, effort: effort(steps, &fresh), fresh, rest: Some(rest) }
}

/// The graph without the arcs of which every path has at least `goal` area (or cycles) by the priced limits.
pub(super) fn alive(p: &Problem<'_>, prices: &Lagrange, aim: Aim, goal: u64) -> Layered {
    let Layered { stages, ends } = p.graph;
    let slack = match aim {
        Aim::Area => 1e-3 + prices.paid * ROUNDING,
        Aim::Latency => 1e-3 + goal as f64 * EXCESS,
    };
    let limit = goal as f64 - 1.0 + slack + prices.paid;
    let mut reach = vec![0.0];
    let mut kept = Vec::with_capacity(stages.len());
    for (k, stage) in stages.iter().enumerate() {
        let states = stages.get(k + 1).map_or(*ends, |s| s.arcs.len());
        let mut next = vec![f64::INFINITY; states];
        let mut arcs = Vec::with_capacity(stage.arcs.len());
        for (state, all) in stage.arcs.iter().enumerate() {
            let mut here = Vec::new();
            for a in all {
                let (to, length) = (a.to as usize, reach[state] + prices.prices[a.priced as usize]);
                if length + prices.left[k + 1][to] <= limit {
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

/// Least difference of what has a price, as a share of all prices.
const LITTLE: f64 = 1e-7;

/// Two cases: the operator whose priced use of a resource or of the time differs most in the mixture takes at most as much as the mean there,
/// and more. Where none differs, one that can, or one that has several choices; `None` for a single design.
fn split(p: &Problem<'_>, case: &Case) -> Option<[Layered; 2]> {
    let stages = &case.graph.stages;
    let all = || (0..stages.len()).flat_map(|k| (0..=RESOURCES).map(move |r| (k, r)));
    let mut widest: Option<(f64, usize, usize, f64)> = None;
    for (k, r) in all() {
        let taken = |(share, path): &(f64, Vec<Arc>)| Some((*share, case.worth.taken(p, r, path.get(k)?)));
        let values: Vec<(f64, f64)> = case.mixture.iter().filter_map(taken).collect();
        let mean: f64 = values.iter().map(|(share, v)| share * v).sum();
        let spread: f64 = values.iter().map(|(share, v)| share * (v - mean).abs()).sum();
        if spread > LITTLE * case.bound as f64 && widest.is_none_or(|w| spread > w.0) {
            widest = Some((spread, k, r, mean));
        }
    }
    if let Some((_, at, r, middle)) = widest {
        return Some(halves(p, case, &case.worth, (at, r, middle)));
    }
    // Also what has no price counts.
    let used = std::array::from_fn(|r| case.worth.used[r].max(LITTLE / p.limits[r].max(1) as f64));
    let worth = Worth { used, ways: case.worth.ways.clone(), times: case.worth.times.clone() };
    for (k, r) in all() {
        let values = stages[k].arcs.iter().flatten().map(|a| worth.taken(p, r, a));
        let (least, most) = values.fold((f64::INFINITY, 0.0), |(l, m), v| (f64::min(l, v), f64::max(m, v)));
        if most > least && widest.is_none_or(|w| most - least > w.0) {
            widest = Some((most - least, k, r, least + (most - least) / 2.0));
        }
    }
    if let Some((_, at, r, middle)) = widest {
        return Some(halves(p, case, &worth, (at, r, middle)));
    }
    // All of an operator's choices take the same.
    let many = |k: &usize| stages[*k].arcs.iter().map(Vec::len).sum::<usize>();
    let at = (0..stages.len()).max_by_key(many).filter(|k| many(k) > 1)?;
    Some([true, false].map(|first| {
        let mut seen = 0;
        case.graph.with_only(at, |_| {
            seen += 1;
            (2 * seen <= many(&at)) == first
        })
    }))
}

/// The parts of a case in which the operator of a stage takes at most, and more than, so much of a resource or the time.
fn halves(p: &Problem<'_>, case: &Case, worth: &Worth, (at, r, middle): (usize, usize, f64)) -> [Layered; 2] {
    [true, false].map(|low| case.graph.with_only(at, |a| (worth.taken(p, r, a) <= middle) == low))
}
