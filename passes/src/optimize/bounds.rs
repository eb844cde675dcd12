//! Bounds on what the rest of a path costs, by dynamic programming from the ends.

use super::cost::RESOURCES;
use super::space::{Arc, Layered, Priced};
use super::time::{NEVER, Span};
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
    /// Least cycles from the first and from the last beat of each open tensor to the last beat of an output; empty without a
    /// deadline.
    pub tail: Vec<Vec<Vec<Span>>>,
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
fn tails(p: &Problem<'_>) -> Vec<Vec<Vec<Span>>> {
    let stages = &p.graph.stages;
    let open_after = |k: usize| stages[k].kept.len() + usize::from(stages[k].opens);
    let last = stages.len().checked_sub(1).map_or(0, open_after);
    // Dead ends hold no values: their arcs are passed over.
    backward(p.graph, vec![(0, 0); last], Vec::new(), |k, arcs, next| {
        let stage = &stages[k];
        let open = if k == 0 { 0 } else { open_after(k - 1) };
        let mut best = vec![(i64::MAX / 4, i64::MAX / 4); open];
        let mut here = vec![(NEVER, NEVER); open];
        let mut any = false;
        for a in arcs {
            let after = &next[a.to as usize];
            if after.len() != open_after(k) {
                continue;
            }
            any = true;
            here.fill((NEVER, NEVER));
            let mut raise = |i: usize, t: Span| here[i] = (here[i].0.max(t.0), here[i].1.max(t.1));
            for (j, i) in stage.kept.iter().enumerate() {
                raise(*i, after[j]);
            }
            if stage.opens {
                let (first, last) = after[stage.kept.len()];
                for (i, lag) in stage.inputs.iter().zip(&p.priced[a.priced as usize].lags) {
                    let begin = (lag.first_first + first).max(lag.first_last + last);
                    let end = (lag.last_first + first).max(lag.last_last + last);
                    raise(*i, (begin.max(NEVER), end.max(NEVER)));
                }
            }
            best.iter_mut().zip(&here).for_each(|(b, h)| *b = (b.0.min(h.0), b.1.min(h.1)));
        }
        if any { best } else { Vec::new() }
    })
}

/// A way through the graph from an input to an output, on which cycles add up: of each tensor on it the cycle of its first beat or
/// that of its last one.
pub(super) struct MainPath {
    /// Cycles of every priced operator on the path, zero elsewhere.
    pub ticks: Vec<u64>,
    /// By stage: where the path's tensor is among the open ones before it, and whether it is its last beat.
    pub place: Vec<Option<(usize, bool)>>,
}

impl MainPath {
    /// The way with the most operators to the first output, and on it the beats between which most cycles lie (on average over
    /// the choices); `None` when nothing can be said of some operator on it.
    pub fn of(graph: &Layered, priced: &[Shared<Priced>]) -> Option<MainPath> {
        // Tensors by the stage that makes them, in their places.
        let n = graph.stages.len();
        let mut places: Vec<Vec<usize>> = vec![Vec::new()];
        for (k, s) in graph.stages.iter().enumerate() {
            let mut next: Vec<usize> = s.kept.iter().map(|i| places[k][*i]).collect();
            if s.opens {
                next.push(k);
            }
            places.push(next);
        }
        let mut length = vec![1usize; n];
        let mut from: Vec<Option<(usize, usize)>> = vec![None; n];
        for k in 0..n {
            for (port, i) in graph.stages[k].inputs.iter().enumerate() {
                let maker = places[k][*i];
                if length[maker] + 1 > length[k] {
                    length[k] = length[maker] + 1;
                    from[k] = Some((maker, port));
                }
            }
        }
        let mut at = *places[n].iter().max_by_key(|k| length[**k])?;
        let mut on: Vec<(usize, Option<usize>)> = Vec::new();
        loop {
            on.push((at, from[at].map(|(_, port)| port)));
            match from[at] {
                Some((maker, _)) => at = maker,
                None => break,
            }
        }
        on.reverse();
        // Cycles from the first or last beat of the tensor before a stage to the first or last of its own.
        let lag = |a: &Arc, port: Option<usize>, end: bool, result_end: bool| -> i64 {
            let p = &priced[a.priced as usize];
            match port {
                None if result_end => p.alone.1,
                None => p.alone.0,
                Some(port) => match (end, result_end) {
                    (false, false) => p.lags[port].first_first,
                    (true, false) => p.lags[port].last_first,
                    (false, true) => p.lags[port].first_last,
                    (true, true) => p.lags[port].last_last,
                },
            }
        };
        // The longest way by mean cycles, forward: its length to either beat, and from which beat.
        let mut reach = [0.0, 0.0];
        let mut came: Vec<[bool; 2]> = Vec::new();
        for (k, port) in &on {
            let mut next = [f64::NEG_INFINITY; 2];
            let mut by = [true; 2];
            for (end, result_end) in [(true, false), (true, true), (false, false), (false, true)] {
                let arcs = || graph.stages[*k].arcs.iter().flatten();
                let (mut sum, mut count, mut sure) = (0.0, 0.0, true);
                for a in arcs() {
                    let t = lag(a, *port, end, result_end);
                    sure &= t > NEVER / 2;
                    sum += t as f64;
                    count += 1.0;
                }
                let value = reach[usize::from(end)] + if count > 0.0 { sum / count } else { 0.0 };
                if sure && value > next[usize::from(result_end)] {
                    next[usize::from(result_end)] = value;
                    by[usize::from(result_end)] = end;
                }
            }
            reach = next;
            came.push(by);
        }
        if reach[1] == f64::NEG_INFINITY {
            return None;
        }
        let mut ends = vec![true; on.len()];
        let mut end = true;
        let mut ticks = vec![0; priced.len()];
        for (i, (k, port)) in on.iter().enumerate().rev() {
            ends[i] = end;
            let before = came[i][usize::from(end)];
            for a in graph.stages[*k].arcs.iter().flatten() {
                ticks[a.priced as usize] = lag(a, *port, before, end).max(0) as u64;
            }
            end = before;
        }
        // Before stage k the path's tensor is that of the last stage of the path below k.
        let place = (0..=n)
            .map(|k| {
                let i = on.iter().rposition(|(m, _)| *m < k)?;
                let place = places[k].iter().position(|t| *t == on[i].0)?;
                Some((place, ends[i]))
            })
            .collect();
        Some(MainPath { ticks, place })
    }
}

/// Prices of the limits, found by subgradient steps, and the area with them that is left behind every state.
pub(super) struct Lagrange {
    /// Area a unit of each resource, then area a cycle.
    pub factors: [f64; RESOURCES + 1],
    /// Least area plus priced use of what is left.
    pub left: Vec<Vec<f64>>,
    /// Bound on the whole.
    pub bound: f64,
    /// Area of every priced operator with the priced use.
    pub prices: Vec<f64>,
    /// What the limits are worth in all.
    pub paid: f64,
}

/// Steps of the subgradient method.
const STEPS: usize = 60;

/// Raises the bound by pricing limits that bind. `inspect` sees each step's path (a priced operator and choice a stage).
pub(super) fn lagrange(
    p: &Problem<'_>,
    bounds: &Bounds,
    main: Option<&MainPath>,
    ceiling: u64,
    mut inspect: impl FnMut(&[Arc]) -> Option<u64>,
) -> Lagrange {
    let mut limit = [0.0; RESOURCES + 1];
    let mut binds = [false; RESOURCES + 1];
    for r in 0..RESOURCES {
        limit[r] = p.limits[r] as f64;
        binds[r] = bounds.most[0][0][r] > p.limits[r];
    }
    if let (Some(deadline), Some(_)) = (p.deadline, main) {
        limit[RESOURCES] = deadline as f64;
        binds[RESOURCES] = true;
    }
    let use_of = |priced: usize, r: usize| -> f64 {
        if r < RESOURCES { p.priced[priced].used[r] as f64 } else { main.map_or(0.0, |m| m.ticks[priced] as f64) }
    };
    // Of every priced operator its area, and its use of what binds: nothing else gets a price.
    let areas: Vec<f64> = p.priced.iter().map(|priced| priced.area as f64).collect();
    let uses: [Vec<f64>; RESOURCES + 1] = std::array::from_fn(|r| {
        let operators = if binds[r] { 0..p.priced.len() } else { 0..0 };
        operators.map(|i| use_of(i, r)).collect()
    });
    let mut factors = [0.0; RESOURCES + 1];
    let mut best: Option<Lagrange> = None;
    let mut target = if ceiling < u64::MAX / 8 { ceiling as f64 * 1.01 } else { bounds.area[0][0] as f64 * 1.2 + 1.0 };
    let mut stalled = 0;
    let mut scale = 1.0;
    for _ in 0..STEPS {
        // By priced operator: there are more arcs.
        let mut prices = areas.clone();
        for r in (0..=RESOURCES).filter(|r| factors[*r] > 0.0) {
            prices.iter_mut().zip(&uses[r]).for_each(|(price, used)| *price += factors[r] * used);
        }
        let price = |a: &Arc| prices[a.priced as usize];
        let left = backward(p.graph, 0.0, f64::INFINITY, |_, arcs, next| least(arcs, &prices, next));
        let worth: f64 = (0..=RESOURCES).map(|r| factors[r] * limit[r]).sum();
        let bound = left[0][0] - worth;
        if !bound.is_finite() {
            break;
        }
        // The path that attains it, and by how much it exceeds each limit.
        let mut path = Vec::with_capacity(p.graph.stages.len());
        let mut state = 0usize;
        for (k, stage) in p.graph.stages.iter().enumerate() {
            let value = |a: &&Arc| price(a) + left[k + 1][a.to as usize];
            let Some(a) = stage.arcs[state].iter().min_by(|a, b| value(a).total_cmp(&value(b))) else { break };
            path.push(*a);
            state = a.to as usize;
        }
        if bound > ceiling as f64 {
            return Lagrange { factors, left, bound, prices, paid: worth };
        }
        if let Some(area) = inspect(&path) {
            target = target.min(area as f64);
        }
        let excess: Vec<f64> =
            (0..=RESOURCES)
                .map(|r| {
                    if binds[r] { path.iter().map(|a| uses[r][a.priced as usize]).sum::<f64>() - limit[r] } else { 0.0 }
                })
                .collect();
        if best.as_ref().is_none_or(|b| bound > b.bound) {
            best = Some(Lagrange { factors, left, bound, prices, paid: worth });
            stalled = 0;
        } else {
            stalled += 1;
            if stalled % 5 == 0 {
                scale *= 0.5;
            }
        }
        // Steps are normalised by the size of each limit, so that resources of different scale move together.
        let norm: f64 = (0..=RESOURCES).map(|r| (excess[r] / limit[r].max(1.0)).powi(2)).sum();
        if norm == 0.0 || (0..=RESOURCES).all(|r| excess[r] <= 0.0 && factors[r] == 0.0) {
            break;
        }
        if bound >= target {
            target = bound * 1.05 + 1.0;
        }
        let step = scale * (target - bound) / norm;
        for r in 0..=RESOURCES {
            let size = limit[r].max(1.0);
            factors[r] = (factors[r] + step * excess[r] / (size * size)).max(0.0);
        }
    }
    best.unwrap_or_else(|| Lagrange {
        factors: [0.0; RESOURCES + 1],
        left: bounds.area.iter().map(|s| s.iter().map(|a| *a as f64).collect()).collect(),
        bound: bounds.area[0][0] as f64,
        prices: areas,
        paid: 0.0,
    })
}

/// Share of the priced limits by which they are exceeded for sure: above what rounding makes of it.
pub(super) const EXCESS: f64 = 1e-9;

/// Steps of [`exclusion`].
const EXCLUSION_STEPS: usize = 60;

/// After so many steps limits that leave more room than this are taken as loose.
const EXCLUSION_TRIAL: usize = 10;
const HOPELESS: f64 = -0.1;

/// Prices of the limits by which designs that exceed them are told, with the priced use that is left behind every state.
pub(super) struct Exclusion {
    /// Price a unit of each resource and a cycle; the priced limits are 1 in all.
    pub factors: [f64; RESOURCES + 1],
    /// Least priced use left.
    pub left: Vec<Vec<f64>>,
    /// Share by which every path exceeds the limits; below 0: what the cheapest one leaves.
    pub excess: f64,
}

/// Prices of the limits without regard to area. A partial design whose priced use and what is left exceed 1 has no completion within
/// all limits at once; when the whole does, no design meets them. As sharp as multiplicative steps make it; they end at a proof.
///
/// None where at most one limit binds: then the least use of that resource says as much.
pub(super) fn exclusion(p: &Problem<'_>, bounds: &Bounds, main: Option<&MainPath>) -> Option<Exclusion> {
    let deadline = p.deadline.filter(|_| main.is_some()).map_or(0, |d| d.max(1) as u64);
    let limit: [f64; RESOURCES + 1] = std::array::from_fn(|r| match p.limits.get(r) {
        Some(limit) if bounds.most[0][0][r] > *limit => (*limit).max(1) as f64,
        Some(_) => 0.0,
        None => deadline as f64,
    });
    let binding: Vec<usize> = (0..=RESOURCES).filter(|r| limit[*r] > 0.0).collect();
    if binding.len() < 2 {
        return None;
    }
    let share = |priced: usize, r: usize| -> f64 {
        let used = match p.priced[priced].used.get(r) {
            Some(used) => *used,
            None => main.map_or(0, |m| m.ticks[priced]),
        };
        used as f64 / limit[r]
    };
    let shares: Vec<[f64; RESOURCES + 1]> =
        (0..p.priced.len()).map(|i| std::array::from_fn(|r| if limit[r] > 0.0 { share(i, r) } else { 0.0 })).collect();
    // The exclusion of weights, and the share of each limit that its cheapest path uses.
    let of = |weights: &[f64; RESOURCES + 1]| -> (Exclusion, [f64; RESOURCES + 1]) {
        let prices: Vec<f64> = shares.iter().map(|s| binding.iter().map(|r| weights[*r] * s[*r]).sum()).collect();
        let price = |a: &Arc| prices[a.priced as usize];
        let left = backward(p.graph, 0.0, f64::INFINITY, |_, arcs, next| least(arcs, &prices, next));
        let mut used = [0.0; RESOURCES + 1];
        let mut state = 0usize;
        for (k, stage) in p.graph.stages.iter().enumerate() {
            let value = |a: &&Arc| price(a) + left[k + 1][a.to as usize];
            let Some(a) = stage.arcs[state].iter().min_by(|a, b| value(a).total_cmp(&value(b))) else { break };
            binding.iter().for_each(|r| used[*r] += shares[a.priced as usize][*r]);
            state = a.to as usize;
        }
        let factors = std::array::from_fn(|r| if limit[r] > 0.0 { weights[r] / limit[r] } else { 0.0 });
        let excess = left[0][0] - 1.0;
        (Exclusion { factors, left, excess }, used)
    };
    let mut weights = [0.0; RESOURCES + 1];
    binding.iter().for_each(|r| weights[*r] = 1.0 / binding.len() as f64);
    let mut best: Option<Exclusion> = None;
    let mut step = 0.5;
    for round in 0..EXCLUSION_STEPS {
        let (exclusion, used) = of(&weights);
        if best.as_ref().is_none_or(|b| exclusion.excess > b.excess) {
            let proved = exclusion.excess > EXCESS;
            best = Some(exclusion);
            if proved {
                break;
            }
        } else {
            step *= 0.9;
        }
        if round == EXCLUSION_TRIAL && best.as_ref().is_some_and(|b| b.excess < HOPELESS) {
            break;
        }
        // Towards what this path uses too much of.
        binding.iter().for_each(|r| weights[*r] *= (step * (used[*r] - 1.0)).clamp(-2.0, 2.0).exp());
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|w| *w /= sum);
    }
    best
}
