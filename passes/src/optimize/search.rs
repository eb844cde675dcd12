//! The least area within limits: a resource-constrained shortest path, solved exactly.
//!
//! Labels (partial designs) are extended stage by stage. A label is dropped when another one in its state is no worse in area,
//! time and every resource that can still run short, or when the bound of its completions (the larger of the least area left and
//! its Lagrangian, in the way of Handler and Zang, 1980) reaches the best design known. When nothing was dropped for lack of room the best
//! design is proved to be the optimum. Otherwise the least bound among what was dropped states the gap, which [`super::ceilings`] closes.
//!
//! Labels know of times what adds up along paths only ([`super::time`]). Where exact latencies are asked for ([`super::course`]) the cases of
//! [`super::branch`] search from the beginning.

use super::bounds::{Bounds, EXCESS, Exclusion, Lagrange, Problem, ROUNDING, exclusion};
use super::ceilings::{self, close, near};
use super::cost::RESOURCES;
use super::measure::{Aim, Found, Measured, Open, advance, area_within, latency, measured};
use super::prices::{lagrange, least_latency};
use super::space::Arc;
use super::ways::Ways;
use rayon::prelude::*;
use std::collections::HashMap;

/// Labels a stage.
const WIDTHS: [usize; 1] = [50];

/// With a deadline, where labels differ in more ways and every request takes several searches: in successive attempts, of which a quick
/// search makes the first.
const TIMED_WIDTHS: [usize; 3] = [40, 250, 1_500];

/// What is spent at most on closing a gap by cases, without and with a deadline.
const EFFORT: ceilings::Effort = ceilings::Effort { base: 2_000_000, more: 0 };
const TIMED_EFFORT: ceilings::Effort = ceilings::Effort { base: 300_000, more: 2_500_000 };

/// Labels after which no wider attempt is made.
const MOST_LABELS: usize = 30_000;

/// Excess above which limits are so tight that designs within them are sought first, and cheap ones only then.
const TIGHT: f64 = -0.03;

/// Labels of a state that a new one is compared with.
const COMPARED: usize = 256;

/// What the search found.
#[derive(Debug, Clone, Default)]
pub(super) struct Outcome {
    /// The best design; `None` when there is none (or, with `bound` below its maximum, none was found).
    pub found: Option<Found>,
    /// No design has less area than this; `u64::MAX` when it is proved that there is none.
    pub bound: u64,
    /// Labels extended.
    pub labels: usize,
    /// Area a unit of each resource that the limits are worth.
    pub factors: [f64; RESOURCES + 1],
    /// No design within the limits has a lower latency, or it is above the deadline; of [`Effort::Latency`].
    pub latency: u64,
    /// The latency of the design, where that was sought.
    pub exact: Option<u64>,
    /// The designs that the prices came from.
    pub met: Vec<Vec<Arc>>,
}

struct Label {
    state: u32,
    used: [u64; RESOURCES],
    area: u64,
    bound: f64,
    /// Share of the priced limits that every completion exceeds (or, below 0, may leave).
    excess: f64,
    times: Open,
    parent: u32,
    arc: Arc,
}

/// A search of one problem.
pub(super) struct Search<'a> {
    pub p: &'a Problem<'a>,
    /// That of the problem or an earlier one.
    deadline: Option<i64>,
    /// Whether designs of less area are sought.
    areas: bool,
    bounds: Bounds,
    pub ways: Ways,
    /// Prices of the limits.
    pub lagrange: Lagrange,
    /// Prices by which partial designs without a completion within the limits are told, when no design is known.
    exclusion: Option<Exclusion>,
    /// The best design so far.
    pub best: Option<Found>,
    /// Area that a design must stay below to be of interest.
    ceiling: u64,
    /// Labels extended.
    pub labels: usize,
}

/// How far a search goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Effort {
    /// For what the limits are worth; without a deadline also for a design to begin with.
    Prices,
    /// For a design, which is in time by the bound that adds up along paths.
    Quick,
    /// For designs near the last of those known, or among the choices of those that the prices come from, with a deadline.
    Few,
    /// Until the optimum by exact latencies is proved, within [`EFFORT`].
    Full,
    /// For designs of a low latency.
    Soon,
    /// As [`Effort::Soon`], and for a bound of the latency.
    Latency,
}

/// Solves a problem. Designs of `ceiling` area or more are of no interest; `known` ones are what the prices begin with.
pub(super) fn solve(p: &Problem<'_>, ceiling: u64, known: &[Vec<Arc>], how: Effort) -> Outcome {
    if matches!(how, Effort::Soon | Effort::Latency) {
        return soonest(p, known, how);
    }
    let mut s = match Search::begin(p, ceiling, known) {
        Ok(s) => s,
        Err(factors) => return Outcome { bound: u64::MAX, factors, ..Outcome::default() },
    };
    let mut met = s.lagrange.paths.clone();
    let mut bound = (s.lagrange.bound - 1e-3).max(0.0).ceil() as u64;
    let widths = match (p.deadline, how) {
        (None, _) => &WIDTHS[..],
        // Labels know the bound of a latency only.
        (Some(_), _) if p.courses.is_some() => &[],
        (Some(_), Effort::Prices | Effort::Quick) => &TIMED_WIDTHS[..1],
        (Some(_), Effort::Few | Effort::Full | Effort::Soon | Effort::Latency) => &TIMED_WIDTHS[..],
    };
    for &width in widths {
        bound = s.attempt(width);
        if bound >= s.goal() || s.labels > MOST_LABELS {
            break;
        }
    }
    let (mut labels, factors) = (s.labels, s.lagrange.factors.in_all());
    let best = if matches!(how, Effort::Few | Effort::Full) && s.goal() > bound {
        let start = known.last().filter(|_| how == Effort::Few).map(Vec::as_slice);
        let effort = match (how, p.courses) {
            (Effort::Few, _) => ceilings::Effort { base: 0, more: 0 },
            (_, Some(_)) => TIMED_EFFORT,
            (_, None) => EFFORT,
        };
        let effort = effort.times(p.effort);
        let closed = close(p, Aim::Area, (&s.lagrange, &s.ways), (bound, s.goal()), effort, start);
        labels += closed.labels;
        bound = closed.bound;
        met.extend(closed.met);
        closed.best.map(|b| b.1).or(s.best)
    } else {
        s.best
    };
    let bound = best.as_ref().map_or(bound, |b| bound.min(b.area));
    let found = best.filter(|b| b.area < ceiling);
    Outcome { found, bound, labels, factors, latency: 0, exact: None, met }
}

/// What is spent on the proof of a latency, in graphs of many arcs and in those of few.
const LATENCY_EFFORT: [usize; 2] = [100_000, 3_000_000];

/// Arcs of a graph that are few: where deadlines are also bisected by labels, so many a stage, and so many deadlines at most.
const FEW_ARCS: usize = 6_000;
const FEW_WIDTH: usize = 1_500;
const DEADLINES: usize = 12;

/// A design of low latency below the deadline, without regard to area, and a bound of it. With [`Effort::Soon`] one near the last of the designs
/// `known`, where there is one; otherwise prices of the limits say what none is below
/// and lead to designs, in few arcs by bisection of the deadline; then cases raise the bound.
fn soonest(p: &Problem<'_>, known: &[Vec<Arc>], how: Effort) -> Outcome {
    if how == Effort::Soon
        && let Some((latency, found)) = near(p, known)
    {
        let met = known.iter().cloned().chain([found.path.clone()]).collect();
        return Outcome { exact: Some(latency), found: Some(found), met, ..Outcome::default() };
    }
    let mut outcome = Outcome::default();
    let few = p.graph.arcs() <= FEW_ARCS;
    // Labels know the bound of a latency only.
    let coarse = &Problem { courses: None, ..*p };
    let room = &p.with_room();
    let bounds = Bounds::of(if few { coarse } else { p });
    let mut ways = Ways::of(p);
    // The best by the bound, and the best of all in truth.
    let mut low: Option<i64> = None;
    let mut best: Option<(u64, Found)> = None;
    let mut meet = |path: &[Arc]| {
        let goal = best.as_ref().map_or(p.deadline.map_or(u64::MAX, |d| d as u64 + 1), |b| b.0);
        if let Measured::Yes(latency) = measured(room, Aim::Latency, path, goal) {
            best = Some((latency, Found::of(p, path)));
        }
    };
    let prices = least_latency(p, &bounds, &mut ways, (known, &[]), |path, _| {
        let found = area_within(p, path).map(|_| latency(p, path));
        if let Some(latency) = found.filter(|l| low.is_none_or(|low| *l < low)) {
            low = Some(latency);
            meet(path);
        }
    });
    let (Some(prices), Some(deadline)) = (prices, p.deadline) else { return outcome };
    outcome.met.clone_from(&prices.paths);
    // No design is in time at `proved`.
    let mut proved = (prices.bound.ceil() as i64).min(deadline + 1) - 1;
    if few {
        let mut s = Search::without_areas(coarse, bounds, ways.clone());
        proved = s.bisect(&prices, (proved, deadline), low, meet);
        outcome.labels = s.labels;
    }
    let ceiling = best.as_ref().map_or(u64::MAX, |b| b.0).min(deadline as u64 + 1);
    let bound = ((proved + 1).max(0) as u64).min(ceiling);
    let effort = if how == Effort::Soon { 0 } else { LATENCY_EFFORT[usize::from(few)] };
    let effort = ceilings::Effort { base: effort, more: 0 }.times(p.effort);
    let closed = close(p, Aim::Latency, (&prices, &ways), (bound, ceiling), effort, None);
    outcome.latency = closed.bound;
    outcome.labels += closed.labels;
    outcome.met.extend(closed.met.into_iter().next_back());
    let best = closed.best.or(best);
    outcome.exact = best.as_ref().map(|b| b.0);
    outcome.found = best.map(|b| b.1);
    outcome
}

/// Area that a design must stay below to be better than the best one known, and below a ceiling.
pub(super) fn goal(best: Option<&Found>, ceiling: u64) -> u64 {
    best.map_or(ceiling, |b| b.area.min(ceiling))
}

impl<'a> Search<'a> {
    /// Bounds and prices of a problem; what the limits are worth where it is proved that nothing below `ceiling` meets them.
    pub fn begin(p: &'a Problem<'a>, ceiling: u64, known: &[Vec<Arc>]) -> Result<Search<'a>, [f64; RESOURCES + 1]> {
        let bounds = Bounds::of(p);
        let mut ways = Ways::of(p);
        let hopeless = |r: usize| bounds.least[0][0][r] > p.limits[r];
        if (0..RESOURCES).any(hopeless) {
            return Err([0.0; RESOURCES + 1]);
        }
        let mut best: Option<Found> = None;
        let lagrange = lagrange(p, &bounds, &mut ways, ceiling, (known, &[]), |path, _| {
            let goal = best.as_ref().map_or(u64::MAX, |b| b.area);
            if let Measured::Yes(area) = measured(p, Aim::Area, path, goal) {
                best = Some(Found { path: path.to_vec(), area });
            }
        });
        if best.is_none() && lagrange.bound > ceiling as f64 {
            return Err(lagrange.factors.in_all());
        }
        // Labels need it.
        let labels = p.deadline.is_none() || p.courses.is_none();
        let exclusion = if best.is_none() && labels { exclusion(p, &bounds, &mut ways) } else { None };
        if exclusion.as_ref().is_some_and(|x| x.excess > EXCESS) {
            return Err(lagrange.factors.in_all());
        }
        Ok(Search { exclusion, best, ..Search::with(p, bounds, ways, lagrange, ceiling) })
    }

    /// With bounds and prices of a problem, for designs of less area than `ceiling`.
    pub fn with(p: &'a Problem<'a>, bounds: Bounds, ways: Ways, lagrange: Lagrange, ceiling: u64) -> Search<'a> {
        let (deadline, areas, exclusion, best) = (p.deadline, true, None, None);
        Search { p, deadline, areas, bounds, ways, lagrange, exclusion, best, ceiling, labels: 0 }
    }

    /// For designs of any area.
    fn without_areas(p: &'a Problem<'a>, bounds: Bounds, ways: Ways) -> Search<'a> {
        let lagrange = Lagrange::free(p, &bounds);
        Search { areas: false, ..Search::with(p, bounds, ways, lagrange, u64::MAX) }
    }

    /// Bisects the deadlines between one at which no design is in time and the last one, or what is known to be `low`, by prices of
    /// [`least_latency`]; `meet` sees the designs. Returns a deadline at which none is in time.
    fn bisect(
        &mut self,
        prices: &Lagrange,
        (mut proved, deadline): (i64, i64),
        mut low: Option<i64>,
        mut meet: impl FnMut(&[Arc]),
    ) -> i64 {
        // None was found at `lo`.
        let mut lo = proved;
        for _ in 0..DEADLINES {
            let hi = low.map_or(deadline, |low| deadline.min(low - 1));
            if lo >= hi {
                break;
            }
            let middle = lo + (hi - lo + 1) / 2;
            // What leaves most room is looked at first, so the excess counts as tight.
            self.exclusion = Some(Exclusion { excess: 0.0, ..Exclusion::until(prices, middle) });
            (self.deadline, self.best) = (Some(middle), None);
            let bound = self.attempt(FEW_WIDTH);
            match self.best.take() {
                Some(found) => {
                    low = Some(latency(self.p, &found.path));
                    meet(&found.path);
                }
                None => {
                    // Where no label was lost there is none.
                    if bound == u64::MAX && lo == proved {
                        proved = middle;
                    }
                    lo = middle;
                }
            }
        }
        proved
    }

    /// Least area of any completion of a label; infinite when there is none in time.
    fn bound(&self, k: usize, state: usize, used: &[u64; RESOURCES], area: u64, times: &Open) -> f64 {
        let p = self.p;
        let least = &self.bounds.least[k][state];
        if (0..RESOURCES).any(|r| used[r].saturating_add(least[r]) > p.limits[r]) {
            return f64::INFINITY;
        }
        let mut slack = 0.0;
        if let Some(deadline) = self.deadline {
            let tail = &self.bounds.tail[k][state];
            if tail.len() != times.len
                || times.iter().zip(tail).any(|(t, left)| t.iter().zip(left).any(|(t, left)| t + left > deadline))
            {
                return f64::INFINITY;
            }
            let factors = &self.lagrange.factors;
            slack = factors.ways.iter().sum::<f64>() * deadline as f64;
            slack -= factors.of_times(&self.ways, k, |place, point| times.get(place)[point]);
        }
        let left = p.limits.iter().zip(used).map(|(l, u)| (l - u) as f64);
        slack +=
            self.lagrange.factors.used.iter().zip(left).filter(|(f, _)| **f > 0.0).map(|(f, l)| f * l).sum::<f64>();
        let plain = area.saturating_add(self.bounds.area[k][state]) as f64;
        plain.max(area as f64 + self.lagrange.left[k][state] - slack - slack.abs() * ROUNDING)
    }

    /// See [`Label::excess`].
    fn excess(&self, k: usize, state: usize, used: &[u64; RESOURCES], times: &Open) -> f64 {
        let Some(x) = &self.exclusion else { return f64::NEG_INFINITY };
        let time = x.factors.of_times(&self.ways, k, |place, point| times.get(place)[point]);
        let used: f64 = used.iter().zip(x.factors.used).map(|(u, f)| *u as f64 * f).sum();
        x.left[k][state] + used + time - x.paid
    }

    /// Whether nothing with this bound is of interest. Areas are whole, so a fraction short of the next one counts as it.
    fn pruned(&self, bound: f64) -> bool {
        bound > self.goal() as f64 - 1.0 + 1e-3
    }

    /// Area that a design must stay below to be of interest still.
    pub fn goal(&self) -> u64 {
        goal(self.best.as_ref(), self.ceiling)
    }

    /// A label with one more arc, when a completion is still of interest.
    fn extended(&self, k: usize, parent: u32, label: &Label, a: &Arc) -> Option<Label> {
        let (p, to) = (self.p, a.to as usize);
        let priced = &p.priced[a.priced as usize];
        let used = std::array::from_fn(|r| label.used[r] + priced.used[r]);
        let area = label.area + priced.area;
        if self.pruned(area.saturating_add(self.bounds.area[k + 1][to]) as f64) {
            return None;
        }
        let times = if p.deadline.is_some() { advance(p, k, a, &label.times) } else { Open::default() };
        let bound = self.bound(k + 1, to, &used, area, &times);
        if !bound.is_finite() || self.pruned(bound) {
            return None;
        }
        let excess = self.excess(k + 1, to, &used, &times);
        (excess <= EXCESS).then_some(Label { state: a.to, used, area, bound, excess, times, parent, arc: *a })
    }

    /// One pass with at most `width` labels a stage. Returns the proved bound.
    pub fn attempt(&mut self, width: usize) -> u64 {
        let p = self.p;
        let none = Arc { to: 0, choice: 0, priced: 0 };
        let first = Label {
            state: 0,
            used: [0; RESOURCES],
            area: 0,
            bound: 0.0,
            excess: 0.0,
            times: Open::default(),
            parent: 0,
            arc: none,
        };
        let mut layers: Vec<Vec<Label>> = vec![vec![first]];
        let mut dropped = f64::INFINITY;
        for (k, stage) in p.graph.stages.iter().enumerate() {
            // In parallel, in the order of the labels.
            let extend = |(i, label): (usize, &Label)| -> Vec<Label> {
                if self.pruned(label.bound) {
                    return Vec::new();
                }
                let arcs = &stage.arcs[label.state as usize];
                arcs.iter().filter_map(|a| self.extended(k, i as u32, label, a)).collect()
            };
            let next: Vec<Label> = layers[k].par_iter().enumerate().flat_map_iter(extend).collect();
            self.labels += next.len();
            let (kept, lost) = self.best_of(k + 1, next, width);
            dropped = dropped.min(lost);
            layers.push(kept);
        }
        let last = layers.len() - 1;
        let winner = (0..layers[last].len()).min_by_key(|i| layers[last][*i].area);
        if let Some(mut i) = winner
            && self.best.as_ref().is_none_or(|b| layers[last][i].area < b.area)
        {
            let area = layers[last][i].area;
            let mut path = Vec::with_capacity(last);
            for k in (1..=last).rev() {
                path.push(layers[k][i].arc);
                i = layers[k][i].parent as usize;
            }
            path.reverse();
            self.best = Some(Found { path, area });
        }
        let best = self.best.as_ref().map_or(u64::MAX, |b| b.area);
        if dropped.is_finite() {
            best.min((dropped - 1e-3).ceil().max(0.0) as u64)
        } else if best == u64::MAX && self.ceiling != u64::MAX {
            self.ceiling
        } else {
            best
        }
    }

    /// The `width` labels of least bound that none of those dominates, and the least bound of the others.
    ///
    /// What dominates a label has no higher bound, so labels are looked at in that order, until there are enough.
    fn best_of(&self, k: usize, labels: Vec<Label>, width: usize) -> (Vec<Label>, f64) {
        // Without a design, first what leaves most room for one.
        let tight = self.best.is_none() && self.exclusion.as_ref().is_some_and(|x| x.excess > TIGHT);
        let mut order: Vec<(f64, u64, u32)> = labels
            .iter()
            .enumerate()
            .map(|(i, l)| (if tight { l.excess } else { l.bound }, l.area, i as u32))
            .collect();
        order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then_with(|| (a.1, a.2).cmp(&(b.1, b.2))));
        let mut kept: Vec<u32> = Vec::new();
        let mut by_state: HashMap<u32, Vec<u32>> = HashMap::new();
        let mut lost = f64::INFINITY;
        for (_, _, i) in order {
            let l = &labels[i as usize];
            if kept.len() == width {
                lost = lost.min(l.bound);
                continue;
            }
            let others = by_state.entry(l.state).or_default();
            let most = &self.bounds.most[k][l.state as usize];
            let from = others.len().saturating_sub(COMPARED);
            let mut near = others[from..].iter().rev().chain(&others[..from.min(COMPARED)]);
            let beaten = near.any(|b| self.dominates(&labels[*b as usize], l, most));
            if !beaten {
                others.push(i);
                kept.push(i);
            }
        }
        let mut chosen = vec![false; labels.len()];
        kept.iter().for_each(|i| chosen[*i as usize] = true);
        (labels.into_iter().zip(chosen).filter(|(_, c)| *c).map(|(l, _)| l).collect(), lost)
    }

    /// Whether `b` is no worse than `l` in its state, of whose completions `most` is the most use.
    fn dominates(&self, b: &Label, l: &Label, most: &[u64; RESOURCES]) -> bool {
        // A resource that the rest of the design cannot exhaust does not count.
        (b.area <= l.area || !self.areas)
            && (0..RESOURCES).all(|r| b.used[r] <= l.used[r] || b.used[r].saturating_add(most[r]) <= self.p.limits[r])
            && b.times.iter().zip(l.times.iter()).all(|(x, y)| x.iter().zip(y).all(|(x, y)| *x <= y))
    }
}

#[cfg(test)]
mod tests {
    use super::super::bounds::Table;
    use super::super::space::{Layered, bare};
    use super::*;
    use crate::random::Random;

    const NONE: Arc = Arc { to: 0, choice: 0, priced: 0 };

    /// State, use and area of a label.
    type Sketch = (u32, [u64; RESOURCES], u64);

    fn label((state, used, area): &Sketch) -> Label {
        let (bound, excess, times) = (*area as f64 + 5.0, f64::NEG_INFINITY, Open::default());
        Label { state: *state, used: *used, area: *area, bound, excess, times, parent: 0, arc: NONE }
    }

    #[test]
    fn the_labels_of_least_bound_are_kept_that_none_of_them_dominates() {
        let id = bare::node();
        let both = vec![NONE, Arc { to: 1, ..NONE }];
        let graph = Layered {
            stages: vec![bare::stage(id, vec![both]), bare::stage(id, vec![vec![NONE], vec![NONE]])],
            ends: 1,
        };
        let rest = [4, 0, 1, 0, 0];
        let priced = [bare::priced(id, rest, 5)];
        let limits = [7, 8, 2, 9, 9];
        let table = Table::of(&priced);
        let p = Problem::within(limits, &graph, &priced, &table);
        let bounds = Bounds::of(&p);
        let mut ways = Ways::of(&p);
        let lagrange = lagrange(&p, &bounds, &mut ways, u64::MAX, (&[], &[]), |_, _| {});
        let search = Search::with(&p, bounds, ways, lagrange, u64::MAX);
        // What a label uses less of a resource is worth nothing where the rest of the design cannot run short of it.
        let dominates = |b: &Sketch, l: &Sketch| {
            let enough = |r: usize| b.1[r] <= l.1[r] || b.1[r] + rest[r] <= limits[r];
            b.0 == l.0 && b.2 <= l.2 && (0..RESOURCES).all(enough)
        };
        let mut r = Random::new(5);
        let (mut cut, mut beaten) = (0, 0);
        for _ in 0..300 {
            let mut small = |most| r.between(0, most) as u64;
            let mut sketch = |_| (small(1) as u32, [small(6), small(6), small(3), 0, 0], 10 + small(6));
            let mut all: Vec<Sketch> = (0..24).map(&mut sketch).collect();
            let (kept, lost) = search.best_of(1, all.iter().map(label).collect(), 5);
            all.sort_by_key(|l| l.2);
            let (mut wanted, mut behind): (Vec<Sketch>, f64) = (vec![], f64::INFINITY);
            for l in all {
                if wanted.len() == 5 {
                    behind = behind.min(label(&l).bound);
                } else if wanted.iter().any(|b| dominates(b, &l)) {
                    beaten += 1;
                } else {
                    wanted.push(l);
                }
            }
            let mut found: Vec<Sketch> = kept.iter().map(|l| (l.state, l.used, l.area)).collect();
            found.sort_unstable();
            wanted.sort_unstable();
            assert_eq!((found, lost), (wanted, behind));
            cut += usize::from(behind.is_finite());
        }
        assert!(cut > 100 && beaten > 1000, "{cut} cut, {beaten} beaten");
    }
}
