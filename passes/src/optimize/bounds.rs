//! Bounds on what the rest of a path costs, by dynamic programming from the ends.

use super::cost::RESOURCES;
use super::course::Courses;
use super::space::{Arc, Layered, Priced};
use super::time::{BEFORE, NEVER, POINTS, Times};
use super::ways::{Ways, by_stage};
use std::sync::Arc as Shared;

/// A request as the search sees it.
pub(super) struct Problem<'a> {
    pub graph: &'a Layered,
    pub priced: &'a [Shared<Priced>],
    /// Of every resource, at most.
    pub limits: [u64; RESOURCES],
    /// What designs leave of that for FIFOs where they are sought; proofs are of the limits.
    pub aside: [u64; RESOURCES],
    /// Times the usual effort of a search.
    pub effort: f64,
    /// The last beat of every output in this cycle at the latest, by the bound of [`super::time`].
    pub deadline: Option<i64>,
    /// What the priced operators cost and use, as columns.
    pub table: &'a Table,
    /// To tell the exact latency of designs.
    pub courses: Option<&'a Courses<'a>>,
}

impl<'a> Problem<'a> {
    /// Of designs within limits, whatever time they take.
    pub fn within(
        limits: [u64; RESOURCES],
        graph: &'a Layered,
        priced: &'a [Shared<Priced>],
        table: &'a Table,
    ) -> Problem<'a> {
        Problem { graph, priced, limits, aside: [0; RESOURCES], effort: 1.0, deadline: None, table, courses: None }
    }

    /// With what is left of the limits besides FIFOs.
    pub fn with_room(&self) -> Problem<'a> {
        let limits = std::array::from_fn(|r| self.limits[r].saturating_sub(self.aside[r]));
        Problem { limits, ..*self }
    }
}

/// Areas and uses of priced operators, each by itself: quicker to read than the operators.
pub(super) struct Table {
    area: Vec<f64>,
    used: [Vec<f64>; RESOURCES],
    /// Their numbers in the whole problem that they are a part of.
    pub numbers: Vec<u32>,
}

impl Table {
    /// Of all.
    pub fn of(priced: &[Shared<Priced>]) -> Table {
        Table::part(priced, (0..priced.len() as u32).collect())
    }

    /// Of some, with their numbers in the whole problem.
    pub fn part(priced: &[Shared<Priced>], numbers: Vec<u32>) -> Table {
        let column = |of: &dyn Fn(&Priced) -> u64| priced.iter().map(|p| of(p) as f64).collect();
        Table { area: column(&|p| p.area), used: std::array::from_fn(|r| column(&|p| p.used[r])), numbers }
    }
}

/// What is left behind every state, by stage and state.
pub(super) struct Bounds {
    /// Least area.
    pub area: Vec<Vec<u64>>,
    /// Least and most use of each resource, each by itself.
    pub least: Vec<Vec<[u64; RESOURCES]>>,
    /// See `least`.
    pub most: Vec<Vec<[u64; RESOURCES]>>,
    /// Least cycles from the points of each open tensor to the last beat of an output; empty without a deadline.
    pub tail: Vec<Vec<Vec<Times>>>,
}

/// A value by stage and state: what the best arc gives, from the values behind it. Dead ends give `worst`.
pub(super) fn backward<T: Clone>(
    graph: &Layered,
    end: T,
    worst: T,
    best: impl Fn(usize, &[Arc], &[T]) -> T,
) -> Vec<Vec<T>> {
    let mut all: Vec<Vec<T>> = vec![Vec::new(); graph.stages.len() + 1];
    all[graph.stages.len()] = vec![end; graph.ends];
    for k in (0..graph.stages.len()).rev() {
        let values = graph.stages[k]
            .arcs
            .iter()
            .map(|arcs| if arcs.is_empty() { worst.clone() } else { best(k, arcs, &all[k + 1]) })
            .collect();
        all[k] = values;
    }
    all
}

/// The least price of an arc with what is left behind it. No price is NaN: a comparison is cheaper than [`f64::min`].
fn least(arcs: &[Arc], prices: &[f64], next: &[f64]) -> f64 {
    let value = |a: &Arc| prices[a.priced as usize] + next[a.to as usize];
    arcs.iter().map(value).fold(f64::INFINITY, |least, value| if value < least { value } else { least })
}

/// What a dead end has left of anything.
const DEAD: u64 = u64::MAX / 4;

impl Bounds {
    /// Whether no path leads to an end.
    pub fn is_dead(&self) -> bool {
        self.area[0][0] >= DEAD
    }

    /// Of a problem.
    pub fn of(p: &Problem<'_>) -> Bounds {
        let dead = DEAD;
        let priced = |a: &Arc| &p.priced[a.priced as usize];
        let area = backward(p.graph, 0, dead, |_, arcs, next| {
            arcs.iter().map(|a| priced(a).area.saturating_add(next[a.to as usize])).min().unwrap_or(dead).min(dead)
        });
        let least = backward(p.graph, [0; RESOURCES], [dead; RESOURCES], |_, arcs, next| {
            std::array::from_fn(|r| {
                arcs.iter()
                    .map(|a| priced(a).used[r].saturating_add(next[a.to as usize][r]))
                    .min()
                    .unwrap_or(dead)
                    .min(dead)
            })
        });
        let most = backward(p.graph, [0; RESOURCES], [0; RESOURCES], |_, arcs, next| {
            std::array::from_fn(|r| {
                arcs.iter()
                    .map(|a| priced(a).used[r].saturating_add(next[a.to as usize][r]))
                    .max()
                    .unwrap_or(0)
                    .min(dead)
            })
        });
        // Where exact latencies are known no labels are extended.
        let tail = if p.deadline.is_some() && p.courses.is_none() { tails(p) } else { Vec::new() };
        Bounds { area, least, most, tail }
    }
}

/// See [`Bounds::tail`].
fn tails(p: &Problem<'_>) -> Vec<Vec<Vec<Times>>> {
    let stages = &p.graph.stages;
    let open_after = |k: usize| stages[k].kept.len() + usize::from(stages[k].opens);
    let last = stages.len().checked_sub(1).map_or(0, open_after);
    // Dead ends hold no values: their arcs are passed over.
    backward(p.graph, vec![[0; POINTS]; last], Vec::new(), |k, arcs, next| {
        let stage = &stages[k];
        let open = if k == 0 { 0 } else { open_after(k - 1) };
        let mut best = vec![[i64::MAX / 4; POINTS]; open];
        let mut here = vec![BEFORE; open];
        let mut any = false;
        for a in arcs {
            let after = &next[a.to as usize];
            if after.len() != open_after(k) {
                continue;
            }
            any = true;
            here.fill(BEFORE);
            let mut raise = |i: usize, t: Times| here[i].iter_mut().zip(t).for_each(|(h, t)| *h = (*h).max(t));
            for (j, i) in stage.kept.iter().enumerate() {
                raise(*i, after[j]);
            }
            if stage.opens {
                let result = after[stage.kept.len()];
                for (i, lag) in stage.inputs.iter().zip(&p.priced[a.priced as usize].lags) {
                    raise(
                        *i,
                        lag.map(|to| to.iter().zip(result).map(|(l, r)| l + r).max().unwrap_or(NEVER).max(NEVER)),
                    );
                }
            }
            best.iter_mut().flatten().zip(here.iter().flatten()).for_each(|(b, h)| *b = (*b).min(*h));
        }
        if any { best } else { Vec::new() }
    })
}

/// The resources whose limits bind; nothing else gets a price.
pub(super) struct Uses<'a> {
    table: &'a Table,
    pub bind: [bool; RESOURCES],
    /// The priced operators of the graph.
    numbers: Vec<u32>,
}

impl<'a> Uses<'a> {
    pub fn of(p: &Problem<'a>, bounds: &Bounds) -> Uses<'a> {
        let mut here = vec![false; p.priced.len()];
        p.graph.stages.iter().flat_map(|s| &s.arcs).flatten().for_each(|a| here[a.priced as usize] = true);
        let numbers = (0..p.priced.len() as u32).filter(|n| here[*n as usize]).collect();
        Uses { table: p.table, bind: std::array::from_fn(|r| bounds.most[0][0][r] > p.limits[r]), numbers }
    }

    /// Use of a limit by a path: of resource `r`, then of the ways.
    pub fn of_path(&self, ways: &Ways, path: &[Arc], r: usize) -> f64 {
        let column = self.table.used.get(r).unwrap_or_else(|| &ways.all[r - RESOURCES].ticks);
        path.iter().map(|a| column[a.priced as usize]).sum()
    }

    /// Area of a path.
    pub fn area(&self, path: &[Arc]) -> f64 {
        path.iter().map(|a| self.table.area[a.priced as usize]).sum()
    }

    /// Prices of the graph's operators: their areas, where those count, and what they use.
    pub fn prices(&self, factors: &Factors, ways: &Ways, areas: bool, prices: &mut [f64]) {
        let mut columns: Vec<(f64, &[f64])> = Vec::new();
        if areas {
            columns.push((1.0, &self.table.area));
        }
        let used = factors.used.iter().zip(&self.table.used);
        let all = used.chain(factors.ways.iter().zip(ways.all.iter().map(|w| &w.ticks)));
        columns.extend(all.filter(|(f, _)| **f > 0.0).map(|(f, column)| (*f, &column[..])));
        for n in &self.numbers {
            let n = *n as usize;
            prices[n] = columns.iter().map(|(f, column)| f * column[n]).sum();
        }
    }
}

/// Prices of the limits: by resource, and a cycle of every way.
#[derive(Debug, Clone, Default)]
pub(super) struct Factors {
    pub used: [f64; RESOURCES],
    pub ways: Vec<f64>,
}

impl Factors {
    /// With the price of a cycle last, of all ways together.
    pub fn in_all(&self) -> [f64; RESOURCES + 1] {
        std::array::from_fn(|r| self.used.get(r).copied().unwrap_or_else(|| self.ways.iter().sum()))
    }

    /// What the tensors' times cost that are open before stage `k`: cycles from the start along every way.
    pub fn of_times(&self, ways: &Ways, k: usize, at: impl Fn(usize, usize) -> i64) -> f64 {
        let paid = self.ways.iter().zip(&ways.all).filter(|(f, _)| **f > 0.0);
        paid.map(|(f, w)| w.place[k].map_or(0.0, |(place, point)| f * at(place, point) as f64)).sum()
    }
}

/// Prices of the limits, found by column generation, and the area (or cycles, of [`super::prices::least_latency`]) with them that is left behind every state.
pub(super) struct Lagrange {
    /// Area a unit of each limit.
    pub factors: Factors,
    /// Least area plus priced use of what is left.
    pub left: Vec<Vec<f64>>,
    /// Bound on the whole.
    pub bound: f64,
    /// Area of every priced operator with the priced use.
    pub prices: Vec<f64>,
    /// What the limits are worth in all.
    pub paid: f64,
    /// The cheapest mixture of designs within the limits, with the share of each.
    pub mixture: Vec<(f64, Vec<Arc>)>,
    /// The designs that were looked at.
    pub paths: Vec<Vec<Arc>>,
    /// Steps that were made.
    pub steps: usize,
}

impl Lagrange {
    /// That say nothing of latencies.
    pub fn none(p: &Problem<'_>) -> Lagrange {
        Lagrange {
            factors: Factors::default(),
            left: backward(p.graph, 0.0, f64::INFINITY, |_, _, _| 0.0),
            bound: 0.0,
            prices: vec![0.0; p.priced.len()],
            paid: 0.0,
            mixture: Vec::new(),
            paths: Vec::new(),
            steps: 0,
        }
    }

    /// Without prices of limits.
    pub fn free(p: &Problem<'_>, bounds: &Bounds) -> Lagrange {
        Lagrange {
            factors: Factors::default(),
            left: bounds.area.iter().map(|s| s.iter().map(|a| *a as f64).collect()).collect(),
            bound: bounds.area[0][0] as f64,
            prices: p.table.area.clone(),
            paid: 0.0,
            mixture: Vec::new(),
            paths: Vec::new(),
            steps: 0,
        }
    }
}

/// The cheapest way through by prices of arcs: what is left behind every state, and the arcs.
pub(super) fn cheapest(p: &Problem<'_>, prices: &[f64]) -> (Vec<Vec<f64>>, Vec<Arc>) {
    let price = |a: &Arc| prices[a.priced as usize];
    let left = backward(p.graph, 0.0, f64::INFINITY, |_, arcs, next| least(arcs, prices, next));
    let mut path = Vec::with_capacity(p.graph.stages.len());
    let mut state = 0usize;
    for (k, stage) in p.graph.stages.iter().enumerate() {
        let value = |a: &&Arc| price(a) + left[k + 1][a.to as usize];
        let Some(a) = stage.arcs[state].iter().min_by(|a, b| value(a).total_cmp(&value(b))) else { break };
        path.push(*a);
        state = a.to as usize;
    }
    (left, path)
}

/// Share of what limits are worth that rounding may make of a sum.
pub(super) const ROUNDING: f64 = 1e-14;

/// Share of the priced limits by which they are exceeded for sure: above what rounding makes of it.
pub(super) const EXCESS: f64 = 1e-9;

/// Steps of [`exclusion`].
const EXCLUSION_STEPS: usize = 60;

/// After so many steps limits that leave more room than this are taken as loose.
const EXCLUSION_TRIAL: usize = 10;
const HOPELESS: f64 = -0.1;

/// Prices of the limits by which designs that exceed them are told, with the priced use that is left behind every state.
#[derive(Debug, Clone)]
pub(super) struct Exclusion {
    /// Price a unit of each limit.
    pub factors: Factors,
    /// Least priced use left.
    pub left: Vec<Vec<f64>>,
    /// Share by which every path exceeds the limits; below 0: what the cheapest one leaves.
    pub excess: f64,
    /// What the priced limits are in all.
    pub paid: f64,
}

impl Exclusion {
    /// By the prices of [`super::prices::least_latency`], for a deadline.
    pub fn until(prices: &Lagrange, deadline: i64) -> Exclusion {
        let Lagrange { factors, left, paid, .. } = prices;
        // By shares of the deadline: what rounding makes of it is told by them.
        let size = (deadline.max(1)) as f64;
        let ways = factors.ways.iter().map(|f| f / size).collect();
        let factors = Factors { used: factors.used.map(|f| f / size), ways };
        let left: Vec<Vec<f64>> = left.iter().map(|all| all.iter().map(|l| l / size).collect()).collect();
        let paid = paid / size + factors.ways.iter().sum::<f64>() * deadline as f64;
        Exclusion { factors, excess: left[0][0] - paid, left, paid }
    }
}

/// Least share of a limit's weight.
const LITTLE: f64 = 1e-3;

/// Weights of the limits that bind and of the ways, moved towards what a path uses too much of.
struct Weights<'a> {
    p: &'a Problem<'a>,
    /// Those of resources (0 where the limit does not bind), then of ways; the sum is 1.
    all: Vec<f64>,
    binding: Vec<usize>,
    uses: Uses<'a>,
}

impl<'a> Weights<'a> {
    fn new(p: &'a Problem<'a>, bounds: &Bounds, ways: &Ways) -> Weights<'a> {
        let uses = Uses::of(p, bounds);
        let binding: Vec<usize> = (0..RESOURCES).filter(|r| uses.bind[*r]).collect();
        let kinds = binding.len() + usize::from(!ways.all.is_empty());
        let mut all = vec![0.0; RESOURCES + ways.all.len()];
        binding.iter().for_each(|r| all[*r] = 1.0 / kinds as f64);
        // The ways together as much as a resource.
        all[RESOURCES..].fill(1.0 / (kinds * ways.all.len().max(1)) as f64);
        Weights { p, all, binding, uses }
    }

    fn limit(&self, r: usize) -> f64 {
        self.p.limits.get(r).copied().unwrap_or(self.p.deadline.unwrap_or(1).max(1) as u64).max(1) as f64
    }

    /// As prices; what weighs next to nothing is left out, which holds as well and is faster.
    fn factors(&self) -> Factors {
        let least = LITTLE * self.all.iter().sum::<f64>();
        let all = |r: usize| if self.all[r] < least { 0.0 } else { self.all[r] / self.limit(r) };
        Factors { used: std::array::from_fn(all), ways: (RESOURCES..self.all.len()).map(all).collect() }
    }

    /// The cheapest path by these prices alone; see [`cheapest`].
    fn cheapest(&self, factors: &Factors, ways: &Ways) -> (Vec<Vec<f64>>, Vec<Arc>) {
        let mut prices = vec![0.0; self.p.priced.len()];
        self.uses.prices(factors, ways, false, &mut prices);
        cheapest(self.p, &prices)
    }

    /// What the limits are worth.
    fn paid(&self, factors: &Factors) -> f64 {
        let resources: f64 = (0..RESOURCES).map(|r| factors.used[r] * self.limit(r)).sum();
        resources + factors.ways.iter().sum::<f64>() * self.limit(RESOURCES)
    }

    /// Towards what a path uses more of than this share of its limit; ways are allowed `time` times the deadline.
    fn towards(&mut self, ways: &Ways, path: &[Arc], step: f64, time: f64) {
        // What a new way begins with.
        let mean = self.all[RESOURCES..].iter().sum::<f64>() / (self.all.len() - RESOURCES).max(1) as f64;
        self.all.resize(RESOURCES + ways.all.len(), mean);
        for r in self.binding.iter().copied().chain(RESOURCES..self.all.len()) {
            let allowed = if r < RESOURCES { 1.0 } else { time };
            let used = self.uses.of_path(ways, path, r) / self.limit(r);
            self.all[r] *= (step * (used - allowed)).clamp(-2.0, 2.0).exp();
        }
        let sum: f64 = self.all.iter().sum();
        self.all.iter_mut().for_each(|w| *w /= sum);
    }
}

/// Prices of the limits without regard to area. A partial design whose priced use and what is left exceed 1 has no completion within
/// all limits at once; when the whole does, no design meets them. As sharp as multiplicative steps make it; they end at a proof.
///
/// None where at most one limit binds: then the least use of that resource says as much.
pub(super) fn exclusion(p: &Problem<'_>, bounds: &Bounds, ways: &mut Ways) -> Option<Exclusion> {
    let mut weights = Weights::new(p, bounds, ways);
    if weights.binding.len() + ways.all.len() < 2 {
        return None;
    }
    let mut best: Option<Exclusion> = None;
    let mut step = 0.5;
    for round in 0..EXCLUSION_STEPS {
        let factors = weights.factors();
        let (left, path) = weights.cheapest(&factors, ways);
        let paid = weights.paid(&factors);
        let excess = left[0][0] - paid;
        if best.as_ref().is_none_or(|b| excess > b.excess) {
            best = Some(Exclusion { factors, left, excess, paid });
            if excess > EXCESS {
                break;
            }
        } else {
            step *= 0.9;
        }
        if round == EXCLUSION_TRIAL && best.as_ref().is_some_and(|b| b.excess < HOPELESS) {
            break;
        }
        ways.extend(p, &by_stage(p, &[(1.0, &path)]), p.deadline.unwrap_or(0) as f64);
        weights.towards(ways, &path, step, 1.0);
    }
    best
}
