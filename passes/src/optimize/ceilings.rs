//! From prices that leave a gap to the optimum: below one ceiling after the other, for as long as the effort allows.
//!
//! Where every path through an arc reaches the ceiling by the priced limits, the arc is left out, so that low ceilings leave few arcs. With exact
//! latencies designs come first: the choices of the designs that the prices came from are few enough to be searched
//! (the restricted problem of column generation), and what is found there is polished ([`super::polish`]). The better the design, the
//! lower the ceilings of the proof that follows.

use super::bounds::{Lagrange, Problem, Table};
use super::branch::{Case, Closed, Manner, Worth, alive, below};
use super::measure::{Aim, Found};
use super::polish::{Cut, UNKNOWN, polish};
use super::space::{Arc, Layered, Priced};
use super::ways::{Way, Ways};
use rustc_hash::FxHashMap;
use std::sync::Arc as Shared;
use std::sync::atomic::Ordering;

/// Shares above the bound up to which designs are sought, one after the other: the nearer, the fewer arcs are left.
const STEPS: [f64; 14] =
    [0.004, 0.008, 0.013, 0.018, 0.023, 0.028, 0.034, 0.041, 0.05, 0.06, 0.08, 0.11, 0.15, f64::INFINITY];

/// The same with a deadline, where the first ones take as long as they need for what is known of critical paths.
const TIMED_STEPS: [f64; 9] = [0.005, 0.012, 0.02, 0.03, 0.045, 0.065, 0.09, 0.14, f64::INFINITY];

/// The same for latencies, whose gaps are wider.
const LATENCY_STEPS: [f64; 8] = [0.01, 0.02, 0.035, 0.05, 0.07, 0.1, 0.15, f64::INFINITY];

/// The same among the choices of few designs, and the effort, for areas and for latencies.
const FEW_STEPS: [&[f64]; 2] = [&[0.03, 0.08, 0.2, f64::INFINITY], &[f64::INFINITY]];
const FEW_EFFORT: [usize; 2] = [400_000, 200_000];

/// Arcs of the choices of those designs below which others are looked at too.
const LITTLE_ARCS: usize = 600;

/// Critical paths that are taken on to the next ceiling, those that had a price most often.
const KEPT: usize = 16;

/// Where the effort did not suffice: what is spent on finding a design, and how far above the bound.
const DIVE: usize = 200_000;
const DIVE_ABOVE: f64 = 0.05;

/// What is spent on a proof, in about microseconds of a core ([`super::branch`]).
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    /// In any case; 0: none.
    pub base: usize,
    /// More of it where little is left to be proved.
    pub more: usize,
}

impl Effort {
    /// So many times as much.
    pub fn times(self, times: f64) -> Effort {
        let scaled = |effort: usize| (effort as f64 * times) as usize;
        Effort { base: scaled(self.base), more: scaled(self.more) }
    }
}

/// How one ceiling follows the other.
struct Stepping<'a> {
    /// Shares above the bound.
    steps: &'a [f64],
    effort: Effort,
    /// Whether a design is sought farther above the bound where the effort does not suffice.
    dive: bool,
    /// Whether without a design only a part of the effort is spent on a ceiling, and the next one follows.
    parts: bool,
    /// See [`Manner::deep`].
    deep: bool,
}

/// Goes on from prices that leave a gap: their bound, and designs of `ceiling` or more are of no interest. With exact latencies designs are
/// first sought near `start`, or where there is none among the choices of the designs that the prices came from, and polished; `effort` is
/// what follows, for a proof.
pub(super) fn close(
    p: &Problem<'_>,
    aim: Aim,
    prices: (&Lagrange, &Ways),
    (bound, ceiling): (u64, u64),
    effort: Effort,
    start: Option<&[Arc]>,
) -> Closed {
    let mut pool = Vec::new();
    let mut few = Closed { best: None, bound, labels: 0, met: Vec::new() };
    if p.courses.is_some() {
        few = among(&p.with_room(), aim, prices, (bound, ceiling), start, &mut pool);
    }
    let ceiling = few.best.as_ref().map_or(ceiling, |b| b.0.min(ceiling));
    if effort.base == 0 {
        few.met = few.best.iter().map(|b| b.1.path.clone()).collect();
        return Closed { bound, ..few };
    }
    let steps = match aim {
        Aim::Area if p.courses.is_none() => &STEPS[..],
        Aim::Area => &TIMED_STEPS[..],
        Aim::Latency => &LATENCY_STEPS[..],
    };
    let dive = aim == Aim::Area && few.best.is_none();
    let search = Stepping { steps, effort, dive, parts: false, deep: false };
    let mut closed = by_steps(p, aim, prices, (bound, ceiling), &search, &mut pool);
    let best = closed.best.or(few.best);
    let labels = few.labels + closed.labels;
    closed.met.extend(best.iter().map(|b| b.1.path.clone()));
    Closed { best, labels, ..closed }
}

/// The first part of [`close`]: designs within what is left besides FIFOs.
fn among(
    p: &Problem<'_>,
    aim: Aim,
    prices: (&Lagrange, &Ways),
    (bound, mut ceiling): (u64, u64),
    start: Option<&[Arc]>,
    pool: &mut Vec<Cut>,
) -> Closed {
    let mut graph = met(p, &prices.0.paths);
    if graph.arcs() < LITTLE_ARCS {
        graph = beside(p, aim, prices.0, bound, &graph);
    }
    let mut few = Closed { best: None, bound, labels: 0, met: Vec::new() };
    if let Some(start) = start {
        few.best = polish(p, &graph, aim, start, ceiling, pool);
    }
    if few.best.is_none() {
        let kind = usize::from(aim == Aim::Latency);
        let effort = Effort { base: FEW_EFFORT[kind], more: 0 }.times(p.effort);
        let search = Stepping { steps: FEW_STEPS[kind], effort, dive: false, parts: kind == 0, deep: true };
        few = by_steps(&Problem { graph: &graph, ..*p }, aim, prices, (bound, ceiling), &search, pool);
    }
    ceiling = few.best.as_ref().map_or(ceiling, |b| b.0.min(ceiling));
    if let Some((_, found)) = &few.best {
        let better = polish(p, &graph, aim, &found.path, ceiling, pool);
        few.best = better.or(few.best);
    }
    few
}

/// A design of low latency within the deadline near the last one of those known, among whose choices those of two operators at once are.
pub(super) fn near(p: &Problem<'_>, known: &[Vec<Arc>]) -> Option<(u64, Found)> {
    let ceiling = p.deadline.map_or(u64::MAX, |d| d as u64 + 1);
    let p = &p.with_room();
    polish(p, &met(p, known), Aim::Latency, known.last()?, ceiling, &mut Vec::new())
}

/// A part of the graph with further choices: those that the prices of a bound leave a little above it, as far as these are few.
fn beside(p: &Problem<'_>, aim: Aim, prices: &Lagrange, bound: u64, few: &Layered) -> Layered {
    let mut more = few.copied();
    for step in TIMED_STEPS {
        let wider = alive(p, prices, aim, (bound as f64 * (1.0 + step)) as u64);
        if wider.arcs() > LITTLE_ARCS {
            break;
        }
        more = wider;
    }
    of_choices(p, |k| {
        let arcs = [few, &more].into_iter().flat_map(|g| g.stages[k].arcs.iter().flatten());
        arcs.map(|a| a.choice).collect()
    })
}

/// The part of the graph with the choices of some designs.
fn met(p: &Problem<'_>, paths: &[Vec<Arc>]) -> Layered {
    of_choices(p, |k| paths.iter().filter_map(|path| Some(path.get(k)?.choice)).collect())
}

/// The part of the graph with some choices of every stage.
fn of_choices(p: &Problem<'_>, chosen: impl Fn(usize) -> Vec<u32>) -> Layered {
    let stages = p.graph.stages.iter().enumerate().map(|(k, stage)| {
        let mut chosen = chosen(k);
        chosen.sort_unstable();
        let kept = |arcs: &Vec<Arc>| arcs.iter().filter(|a| chosen.binary_search(&a.choice).is_ok()).copied().collect();
        stage.with(stage.arcs.iter().map(kept).collect())
    });
    Layered { stages: stages.collect(), ends: p.graph.ends }
}

/// Searches below one ceiling after the other, so far above the bound each.
fn by_steps(
    p: &Problem<'_>,
    aim: Aim,
    (prices, ways): (&Lagrange, &Ways),
    (mut bound, ceiling): (u64, u64),
    search: &Stepping<'_>,
    pool: &mut Vec<Cut>,
) -> Closed {
    let first = bound as f64;
    let (mut best, mut labels, mut met) = (None, 0, Vec::new());
    let mut dive = false;
    let Effort { base: mut effort, mut more } = search.effort;
    let most = if search.parts { effort / 3 } else { usize::MAX };
    for step in search.steps {
        let goal = if dive { bound as f64 * (1.0 + DIVE_ABOVE) } else { first * (1.0 + step) };
        let goal = (goal as u64).min(ceiling);
        let graph = alive(p, prices, aim, goal);
        let (graph, priced, number) = compact(p, graph);
        let mut originals = vec![0; priced.len()];
        number.iter().for_each(|(original, n)| originals[*n as usize] = *original);
        let table = Table::part(&priced, originals.iter().map(|n| p.table.numbers[*n as usize]).collect());
        let part = Problem { graph: &graph, priced: &priced, table: &table, ..*p };
        let renumber = |path: &Vec<Arc>| -> Option<Vec<Arc>> {
            path.iter().map(|a| Some(Arc { priced: *number.get(&a.priced)?, ..*a })).collect()
        };
        let active = |w: usize| prices.factors.ways.get(w).is_some_and(|f| *f > 0.0);
        let root = Case {
            worth: Worth::of(&prices.factors, ways.among(&part, active)),
            mixture: prices.mixture.iter().filter_map(|(share, path)| Some((*share, renumber(path)?))).collect(),
            paths: prices.paths.iter().filter_map(renumber).collect(),
            graph: graph.copied(),
            bound,
            depth: 0,
        };
        // Critical paths that were found before, also by the operators that are new.
        let mut cuts: Vec<Shared<Way>> = Vec::new();
        if let Some(courses) = p.courses {
            let original = |n: u32| originals[n as usize];
            cuts.extend(pool.iter().map(|Cut { stretches, known }| {
                let known = |n: u32| known.get(original(n) as usize).copied().filter(|cycles| *cycles != UNKNOWN);
                Ways::critical(&part, courses, stretches.clone(), known)
            }));
        }
        let manner = Manner { mixed: !dive, deep: search.deep };
        let (closed, spent) = below(&part, aim, root, &mut cuts, goal, (effort.min(most), effort, more), manner);
        more = more.min((effort + more).saturating_sub(spent));
        labels += closed.labels;
        let original = |a: &Arc| Arc { priced: originals[a.priced as usize], ..*a };
        if !closed.met.is_empty() {
            met = closed.met.iter().map(|path| path.iter().map(original).collect()).collect();
        }
        effort = effort.saturating_sub(spent);
        if !dive {
            bound = bound.max(closed.bound);
        }
        let found = closed.best.is_some();
        best = closed
            .best
            .map(|(value, found)| (value, Found { path: found.path.iter().map(original).collect(), ..found }));
        let often = |way: &Shared<Way>| way.critical.as_ref().map_or(0, |c| c.priced.load(Ordering::Relaxed));
        cuts.sort_by_key(|way| std::cmp::Reverse(often(way)));
        cuts.truncate(KEPT);
        *pool = cuts
            .iter()
            .filter_map(|way| {
                let stretches = way.critical.as_ref()?.stretches.clone();
                let mut known = vec![UNKNOWN; p.priced.len()];
                let on = stretches.iter().flat_map(|s| part.graph.stages[s.stage].arcs.iter().flatten());
                on.for_each(|a| known[originals[a.priced as usize] as usize] = way.cycles(a.priced));
                Some(Cut { stretches, known })
            })
            .collect();
        if found || dive || goal == ceiling {
            break;
        }
        if closed.bound < goal {
            // A design may still be found, further above the bound.
            if search.parts {
                continue;
            }
            if !search.dive {
                break;
            }
            (dive, effort) = (true, effort + DIVE);
        }
    }
    Closed { best, bound, labels, met }
}

/// A part of the graph with the priced operators that it has, numbered anew.
fn compact(p: &Problem<'_>, graph: Layered) -> (Layered, Vec<Shared<Priced>>, FxHashMap<u32, u32>) {
    let mut number: FxHashMap<u32, u32> = FxHashMap::default();
    let mut priced = Vec::new();
    let stages = graph.stages.iter().map(|stage| {
        let mut fresh = |a: &Arc| {
            let next = *number.entry(a.priced).or_insert_with(|| {
                priced.push(p.priced[a.priced as usize].clone());
                priced.len() as u32 - 1
            });
            Arc { priced: next, ..*a }
        };
        stage.with(stage.arcs.iter().map(|all| all.iter().map(&mut fresh).collect()).collect())
    });
    let graph = Layered { stages: stages.collect(), ends: graph.ends };
    (graph, priced, number)
}

#[cfg(test)]
mod tests {
    use super::super::cost::RESOURCES;
    use super::super::search::Search;
    use super::super::space::bare;
    use super::*;
    use crate::random::Random;

    #[test]
    fn cases_find_the_optimum_that_looking_at_all_designs_finds() {
        const STAGES: usize = 6;
        const CHOICES: usize = 7;
        let id = bare::node();
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
                    priced.push(bare::priced(id, used, area));
                }
            }
            let stages = (0..STAGES).map(|k| {
                let arcs = (0..CHOICES).map(|c| Arc { to: 0, choice: c as u32, priced: (k * CHOICES + c) as u32 });
                bare::stage(id, vec![arcs.collect()])
            });
            let graph = Layered { stages: stages.collect(), ends: 1 };
            let limits = [r.between(150, 450) as u64, 9, r.between(60, 200) as u64, 9, 9];
            let table = Table::of(&priced);
            let p = Problem::within(limits, &graph, &priced, &table);
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
            let Ok(search) = Search::begin(&p, u64::MAX / 8, &[]) else {
                assert_eq!(wanted, None, "round {round}");
                none += 1;
                continue;
            };
            let bound = (search.lagrange.bound - 1e-3).max(0.0).ceil() as u64;
            gaps += usize::from(wanted.is_some_and(|w| w > bound + bound / 50));
            let known = search.best.as_ref().map_or(u64::MAX / 8, |b| b.area);
            let closed = close(
                &p,
                Aim::Area,
                (&search.lagrange, &search.ways),
                (bound, known),
                Effort { base: usize::MAX, more: 0 },
                None,
            );
            let found = closed.best.map(|b| b.1).or(search.best);
            assert_eq!(found.map(|b| b.area), wanted, "round {round}");
            assert_eq!(closed.bound, wanted.unwrap_or(u64::MAX / 8), "round {round}");
        }
        assert!(gaps > 20 && none > 5, "{gaps} gaps, {none} without a design");
    }
}
