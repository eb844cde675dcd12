//! Bounds on what the rest of a path costs, by dynamic programming from the ends.

use super::cost::RESOURCES;
use super::space::{Arc, Layered, Priced};
use super::time::{BEFORE, NEVER, POINTS, Times};
use super::ways::Ways;
use std::sync::Arc as Shared;

/// A request as the search sees it.
pub(super) struct Problem<'a> {
    pub graph: &'a Layered,
    pub priced: &'a [Shared<Priced>],
    /// Of every resource, at most.
    pub limits: [u64; RESOURCES],
    /// The last beat of every output in this cycle at the latest, by the bound of [`super::time`].
    pub deadline: Option<i64>,
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

impl Bounds {
    /// Of a problem.
    pub fn of(p: &Problem<'_>) -> Bounds {
        let dead = u64::MAX / 4;
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
        let tail = if p.deadline.is_some() { tails(p) } else { Vec::new() };
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

/// What every priced operator uses of the resources whose limits bind; nothing else gets a price.
struct Uses([Vec<f64>; RESOURCES]);

impl Uses {
    fn of(p: &Problem<'_>, bounds: &Bounds) -> Uses {
        Uses(std::array::from_fn(|r| {
            let binds = bounds.most[0][0][r] > p.limits[r];
            p.priced.iter().filter(|_| binds).map(|priced| priced.used[r] as f64).collect()
        }))
    }

    fn bind(&self, r: usize) -> bool {
        !self.0[r].is_empty()
    }

    /// Use of a limit by a path: of resource `r`, then of the ways; 0 of a resource whose limit does not bind.
    fn of_path(&self, ways: &Ways<'_>, path: &[Arc], r: usize) -> f64 {
        let column = self.0.get(r).unwrap_or_else(|| &ways.all[r - RESOURCES].ticks);
        path.iter().filter_map(|a| column.get(a.priced as usize)).sum()
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

    /// Of every priced operator, on top of what it costs itself.
    fn prices(&self, uses: &Uses, ways: &Ways<'_>, own: &[f64]) -> Vec<f64> {
        let mut prices = own.to_vec();
        let used = self.used.iter().zip(&uses.0);
        for (factor, column) in used.chain(self.ways.iter().zip(ways.all.iter().map(|w| &w.ticks))) {
            if *factor > 0.0 {
                prices.iter_mut().zip(column).for_each(|(price, used)| *price += factor * used);
            }
        }
        prices
    }

    /// What the tensors' times cost that are open before stage `k`: cycles from the start along every way.
    pub fn of_times(&self, ways: &Ways<'_>, k: usize, at: impl Fn(usize, usize) -> i64) -> f64 {
        let paid = self.ways.iter().zip(&ways.all).filter(|(f, _)| **f > 0.0);
        paid.map(|(f, w)| w.place[k].map_or(0.0, |(place, point)| f * at(place, point) as f64)).sum()
    }
}

/// Prices of the limits, found by subgradient steps, and the area with them that is left behind every state.
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
}

impl Lagrange {
    /// Without prices of limits.
    pub fn free(p: &Problem<'_>, bounds: &Bounds) -> Lagrange {
        Lagrange {
            factors: Factors::default(),
            left: bounds.area.iter().map(|s| s.iter().map(|a| *a as f64).collect()).collect(),
            bound: bounds.area[0][0] as f64,
            prices: p.priced.iter().map(|priced| priced.area as f64).collect(),
            paid: 0.0,
        }
    }
}

/// The cheapest way through by prices of arcs: what is left behind every state, and the arcs.
fn cheapest(p: &Problem<'_>, prices: &[f64]) -> (Vec<Vec<f64>>, Vec<Arc>) {
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

/// Steps of the subgradient method.
const STEPS: usize = 60;

/// Raises the bound by pricing limits that bind; ways that bind are added to those known. `inspect` sees each step's path (a priced
/// operator and choice a stage).
pub(super) fn lagrange(
    p: &Problem<'_>,
    bounds: &Bounds,
    ways: &mut Ways<'_>,
    ceiling: u64,
    mut inspect: impl FnMut(&[Arc]) -> Option<u64>,
) -> Lagrange {
    let deadline = p.deadline.unwrap_or(0);
    let limit = |r: usize| p.limits.get(r).map_or(deadline as f64, |l| *l as f64);
    let uses = Uses::of(p, bounds);
    let areas: Vec<f64> = p.priced.iter().map(|priced| priced.area as f64).collect();
    let binds = |r: usize| r >= RESOURCES || uses.bind(r);
    let mut factors = Factors::default();
    let mut best: Option<Lagrange> = None;
    let mut target = if ceiling < u64::MAX / 8 { ceiling as f64 * 1.01 } else { bounds.area[0][0] as f64 * 1.2 + 1.0 };
    let mut stalled = 0;
    let mut scale = 1.0;
    for _ in 0..STEPS {
        factors.ways.resize(ways.all.len(), 0.0);
        // By priced operator: there are more arcs.
        let prices = factors.prices(&uses, ways, &areas);
        let (left, path) = cheapest(p, &prices);
        let worth: f64 = (0..RESOURCES).map(|r| factors.used[r] * limit(r)).sum::<f64>()
            + factors.ways.iter().sum::<f64>() * deadline as f64;
        let bound = left[0][0] - worth;
        if !bound.is_finite() {
            break;
        }
        if bound > ceiling as f64 {
            return Lagrange { factors, left, bound, prices, paid: worth };
        }
        if let Some(area) = inspect(&path) {
            target = target.min(area as f64);
        }
        if ways.extend(&path, deadline) {
            factors.ways.push(0.0);
        }
        // By how much the path that attains it exceeds each limit.
        let limits = RESOURCES + ways.all.len();
        let excess: Vec<f64> =
            (0..limits).map(|r| if binds(r) { uses.of_path(ways, &path, r) - limit(r) } else { 0.0 }).collect();
        let factor = |f: &Factors, r: usize| if r < RESOURCES { f.used[r] } else { f.ways[r - RESOURCES] };
        if best.as_ref().is_none_or(|b| bound > b.bound) {
            best = Some(Lagrange { factors: factors.clone(), left, bound, prices, paid: worth });
            stalled = 0;
        } else {
            stalled += 1;
            if stalled % 5 == 0 {
                scale *= 0.5;
            }
        }
        // Steps are normalised by the size of each limit, so that resources of different scale move together.
        let norm: f64 = (0..limits).map(|r| (excess[r] / limit(r).max(1.0)).powi(2)).sum();
        if norm == 0.0 || (0..limits).all(|r| excess[r] <= 0.0 && factor(&factors, r) == 0.0) {
            break;
        }
        if bound >= target {
            target = bound * 1.05 + 1.0;
        }
        let step = scale * (target - bound) / norm;
        for (r, excess) in excess.iter().enumerate() {
            let size = limit(r).max(1.0);
            let to = (factor(&factors, r) + step * excess / (size * size)).max(0.0);
            match r.checked_sub(RESOURCES) {
                None => factors.used[r] = to,
                Some(w) => factors.ways[w] = to,
            }
        }
    }
    best.unwrap_or_else(|| Lagrange::free(p, bounds))
}

/// Share of the priced limits by which they are exceeded for sure: above what rounding makes of it.
pub(super) const EXCESS: f64 = 1e-9;

/// Steps of [`exclusion`].
const EXCLUSION_STEPS: usize = 60;

/// After so many steps limits that leave more room than this are taken as loose.
const EXCLUSION_TRIAL: usize = 10;
const HOPELESS: f64 = -0.1;

/// Steps of [`least_latency`].
const LATENCY_STEPS: usize = 150;

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
    /// Prices of [`least_latency`] for a deadline.
    pub fn until(&self, deadline: i64) -> Exclusion {
        let paid = self.paid + deadline as f64 * self.factors.ways.iter().sum::<f64>();
        Exclusion { paid, excess: self.left[0][0] - paid, ..self.clone() }
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
    uses: Uses,
}

impl<'a> Weights<'a> {
    fn new(p: &'a Problem<'a>, bounds: &Bounds, ways: &Ways<'_>) -> Weights<'a> {
        let uses = Uses::of(p, bounds);
        let binding: Vec<usize> = (0..RESOURCES).filter(|r| uses.bind(*r)).collect();
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
    fn cheapest(&self, factors: &Factors, ways: &Ways<'_>) -> (Vec<Vec<f64>>, Vec<Arc>) {
        cheapest(self.p, &factors.prices(&self.uses, ways, &vec![0.0; self.p.priced.len()]))
    }

    /// What the limits are worth.
    fn paid(&self, factors: &Factors) -> f64 {
        let resources: f64 = (0..RESOURCES).map(|r| factors.used[r] * self.limit(r)).sum();
        resources + factors.ways.iter().sum::<f64>() * self.limit(RESOURCES)
    }

    /// Towards what a path uses more of than this share of its limit; ways are allowed `time` times the deadline.
    fn towards(&mut self, ways: &Ways<'_>, path: &[Arc], step: f64, time: f64) {
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
pub(super) fn exclusion(p: &Problem<'_>, bounds: &Bounds, ways: &mut Ways<'_>) -> Option<Exclusion> {
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
        ways.extend(&path, p.deadline.unwrap_or(0));
        weights.towards(ways, &path, step, 1.0);
    }
    best
}

/// Cycles below which no design within the limits has its last output, up to the deadline: resources and ways are priced so that the
/// cheapest path takes as long as it can be made to; and these prices, without those of a deadline. `inspect` sees the paths. `None` where
/// nothing is known of times.
pub(super) fn least_latency(
    p: &Problem<'_>,
    bounds: &Bounds,
    ways: &mut Ways<'_>,
    mut inspect: impl FnMut(&[Arc]),
) -> Option<(i64, Exclusion)> {
    let deadline = p.deadline.filter(|_| !ways.all.is_empty())?;
    let mut best: Option<Exclusion> = None;
    let mut weights = Weights::new(p, bounds, ways);
    let (mut proved, mut step, mut ahead) = (0.0f64, 0.5, 0.3);
    let mut stalled = 0;
    for _ in 0..LATENCY_STEPS {
        let factors = weights.factors();
        let (left, path) = weights.cheapest(&factors, ways);
        // The limits' worth is not exceeded by what meets them, so that the rest of the price is for cycles.
        let resources: f64 = weights.binding.iter().map(|r| factors.used[*r] * weights.limit(*r)).sum();
        let time: f64 = factors.ways.iter().sum();
        let reached = (left[0][0] - resources) * (1.0 - EXCESS) / time;
        if reached > proved * 1.0005 {
            stalled = 0;
        } else {
            stalled += 1;
            if stalled % 6 == 0 {
                (step, ahead) = (step * 0.7, ahead * 0.6);
            }
        }
        if reached > proved || best.is_none() {
            proved = proved.max(reached);
            best = Some(Exclusion { factors, left, excess: 0.0, paid: resources });
        }
        if proved > deadline as f64 || step < 0.01 {
            break;
        }
        inspect(&path);
        let aim = (proved * (1.0 + ahead)).max(1.0);
        ways.extend(&path, aim as i64);
        weights.towards(ways, &path, step, aim / deadline as f64);
    }
    best.map(|best| ((proved.ceil() as i64).min(deadline + 1), best))
}
