//! Prices of limits by column generation (Dantzig and Wolfe, 1960): the cheapest mixture of the designs known gives prices ([`super::master`]),
//! the cheapest path by these the next design, until none is new. The bound is then that of the cheapest mixture of all designs.

use super::bounds::{Bounds, EXCESS, Factors, Lagrange, Problem, ROUNDING, Uses, cheapest};
use super::cost::RESOURCES;
use super::master::{Master, Mixture};
use super::space::Arc;
use super::ways::{self, Way, Ways};
use std::sync::Arc as Shared;

/// Steps at most, of areas and of latencies.
const STEPS: [usize; 2] = [60, 150];

/// Share of the cost up to which a bound counts as that of the cheapest mixture, of areas and of latencies.
const REACHED: [f64; 2] = [NEAR, 1e-3];

/// Share by which a way is longer than what a mixture takes.
const NEAR: f64 = 1e-5;

/// Highest price of all of a limit at first, as a multiple of the least cost; by how much it rises where a mixture still exceeds limits, and
/// how often.
const HIGHEST: f64 = 4.0;
const RAISE: f64 = 8.0;
const RAISES: usize = 4;

/// Weight of the best prices so far beside those of the mixture: keeps steps from one end to the other short.
const SMOOTH: f64 = 0.4;

/// The limits that bind, and the designs that were looked at as columns of the master program.
struct Columns<'a> {
    p: &'a Problem<'a>,
    uses: Uses<'a>,
    /// The limits that are priced: resources, then ways.
    rows: Vec<usize>,
    paths: Vec<Vec<Arc>>,
    /// From the first design on.
    master: Option<Master>,
    /// What costs are measured in.
    scale: f64,
    /// Whether the time on the longest way is what costs, and not the area.
    times: bool,
    /// Times that the highest prices were raised.
    raises: usize,
}

impl<'a> Columns<'a> {
    /// Of known designs.
    fn new(p: &'a Problem<'a>, bounds: &Bounds, ways: &Ways, scale: f64, times: bool) -> Columns<'a> {
        let uses = Uses::of(p, bounds);
        let mut rows: Vec<usize> = (0..RESOURCES).filter(|r| uses.bind[*r]).collect();
        rows.extend(RESOURCES..RESOURCES + ways.all.len());
        Columns { p, uses, rows, paths: Vec::new(), master: None, scale, times, raises: 0 }
    }

    fn limit(&self, r: usize) -> f64 {
        self.p.limits.get(r).map_or(self.p.deadline.unwrap_or(0) as f64, |l| *l as f64)
    }

    /// What all of a limit's use is measured in.
    fn size(&self, r: usize) -> f64 {
        self.limit(r).max(1.0)
    }

    fn used(&self, ways: &Ways, path: &[Arc], r: usize) -> f64 {
        self.uses.of_path(ways, path, r) / self.size(r)
    }

    /// The limit of a row in the master program, its highest price, and whether it is one of the times.
    fn row(&self, r: usize) -> (f64, f64, bool) {
        match (self.times, r >= RESOURCES) {
            // What a mixture takes of the deadline on the longest way is its cost.
            (true, true) => (0.0, 2.0, true),
            _ => (self.limit(r) / self.size(r), HIGHEST, false),
        }
    }

    /// A design; whether it was not known.
    fn add(&mut self, ways: &Ways, path: Vec<Arc>) -> bool {
        if self.paths.contains(&path) {
            return false;
        }
        let used: Vec<f64> = self.rows.iter().map(|r| self.used(ways, &path, *r)).collect();
        let cost = if self.times { 0.0 } else { self.uses.area(&path) / self.scale };
        match &mut self.master {
            Some(master) => master.design(cost, used),
            None => {
                let mut master = Master::new(cost);
                for (r, used) in self.rows.iter().zip(used) {
                    let (most, highest, together) = self.row(*r);
                    master.limit(most, highest, together, &[used]);
                }
                self.master = Some(master);
            }
        }
        self.paths.push(path);
        true
    }

    /// Takes in the ways that were added.
    fn update(&mut self, ways: &Ways) {
        for r in self.rows.len() - self.resources() + RESOURCES..RESOURCES + ways.all.len() {
            let used: Vec<f64> = self.paths.iter().map(|path| self.used(ways, path, r)).collect();
            let (most, highest, together) = self.row(r);
            if let Some(master) = &mut self.master {
                master.limit(most, highest, together, &used);
            }
            self.rows.push(r);
        }
    }

    /// Adds the longest way of a mixture where it is too long, also of those known elsewhere; whether there was one.
    fn longer(&self, ways: &mut Ways, mixture: &Mixture, cuts: &[Shared<Way>]) -> bool {
        let most = self.most(mixture);
        let mixed: Vec<(f64, &[Arc])> = self.mixed(mixture).map(|(share, path)| (share, &path[..])).collect();
        let mixed = ways::by_stage(self.p, &mixed);
        let longer = ways.extend(self.p, &mixed, most);
        let cycles = |way: &Shared<Way>| {
            mixed.iter().flatten().map(|(share, priced)| share * way.ticks[*priced as usize]).sum::<f64>()
        };
        let longest = cuts.iter().map(|way| (cycles(way), way)).max_by(|a, b| a.0.total_cmp(&b.0));
        match longest {
            Some((cycles, way)) if cycles > most && !ways.all.iter().any(|w| Shared::ptr_eq(w, way)) => {
                ways.all.push(way.clone());
                true
            }
            _ => longer,
        }
    }

    /// Number of resources among the rows.
    fn resources(&self) -> usize {
        self.rows.iter().filter(|r| **r < RESOURCES).count()
    }

    fn mixed(&self, mixture: &Mixture) -> impl Iterator<Item = (f64, &Vec<Arc>)> {
        mixture.shares.iter().copied().zip(&self.paths).filter(|(share, _)| *share > 0.0)
    }

    /// Cycles above which a way is too long for a mixture: the deadline, or, where times cost, what they cost.
    fn most(&self, mixture: &Mixture) -> f64 {
        let deadline = self.limit(RESOURCES);
        if !self.times {
            return deadline;
        }
        let highest = HIGHEST * RAISE.powi(self.raises as i32);
        let over = mixture.over[..self.resources()].iter().sum::<f64>() * highest;
        (mixture.cost - over) * deadline.max(1.0) * (1.0 + NEAR)
    }

    /// The limits that a mixture may exceed for a price, which rises: where times cost, those of resources.
    fn exceedable(&self) -> usize {
        if self.times { self.resources() } else { self.rows.len() }
    }

    /// Raises the highest prices, unless that was done often enough.
    fn raise(&mut self) -> bool {
        let limits = self.exceedable();
        let Some(master) = self.master.as_mut().filter(|_| self.raises < RAISES) else { return false };
        master.raise(limits, RAISE);
        self.raises += 1;
        true
    }

    /// The first prices: nothing, or, where times cost, a way alone.
    fn first(&self) -> Vec<f64> {
        self.rows.iter().map(|r| if self.times && *r == RESOURCES { 1.0 } else { 0.0 }).collect()
    }

    /// Prices a unit and what is left by them, with the cheapest path.
    fn priced(&self, ways: &Ways, tried: &[f64]) -> (Lagrange, Vec<Arc>) {
        let mut factors = self.factors(ways, tried);
        let time: f64 = factors.ways.iter().sum();
        if self.times && time > 0.0 {
            // A cycle of all ways together for 1.
            factors.used.iter_mut().chain(&mut factors.ways).for_each(|f| *f /= time);
        }
        let mut prices = vec![0.0; self.p.priced.len()];
        // By priced operator: there are more arcs.
        self.uses.prices(&factors, ways, !self.times, &mut prices);
        let (left, path) = cheapest(self.p, &prices);
        let mut paid: f64 = (0..RESOURCES).map(|r| factors.used[r] * self.limit(r)).sum();
        let bound = if !self.times {
            paid += factors.ways.iter().sum::<f64>() * self.limit(RESOURCES);
            left[0][0] - paid * (1.0 + ROUNDING)
        } else if time > 0.0 {
            // The limits' worth is not exceeded by what meets them, so that the rest of the price is for cycles.
            ((left[0][0] - paid) * (1.0 - EXCESS)).max(0.0)
        } else {
            0.0
        };
        (Lagrange { factors, left, bound, prices, paid, mixture: Vec::new(), paths: Vec::new(), steps: 0 }, path)
    }

    /// Prices of all of every limit as prices a unit.
    fn factors(&self, ways: &Ways, prices: &[f64]) -> Factors {
        let mut factors = Factors { ways: vec![0.0; ways.all.len()], ..Factors::default() };
        for (r, price) in self.rows.iter().zip(prices) {
            let price = price * self.scale / self.size(*r);
            match r.checked_sub(RESOURCES) {
                None => factors.used[*r] = price,
                Some(w) => factors.ways[w] = price,
            }
        }
        factors
    }
}

/// Between the best prices so far and those of a mixture.
fn between(smooth: f64, best: &[f64], mixture: &[f64]) -> Vec<f64> {
    let best = best.iter().copied().chain(std::iter::repeat(0.0));
    best.zip(mixture).map(|(b, m)| smooth * b + (1.0 - smooth) * m).collect()
}

/// Raises the area's bound by pricing limits that bind, beginning with the designs `known`; ways that bind are added to those known, also of
/// `cuts`. `inspect` sees each step's path (a priced operator and choice a stage).
pub(super) fn lagrange(
    p: &Problem<'_>,
    bounds: &Bounds,
    ways: &mut Ways,
    ceiling: u64,
    (known, cuts): (&[Vec<Arc>], &[Shared<Way>]),
    inspect: impl FnMut(&[Arc], &mut Ways),
) -> Lagrange {
    let scale = (bounds.area[0][0] as f64).max(1.0);
    let columns = Columns::new(p, bounds, ways, scale, false);
    generate(columns, ways, ceiling as f64, (known, cuts), inspect).unwrap_or_else(|| Lagrange::free(p, bounds))
}

/// Cycles below which no design within the limits has its last output, up to the deadline: resources and ways are priced so that the
/// cheapest path takes as long as it can be made to; what is paid is without the deadline. `known`, `cuts` and `inspect` as in [`lagrange`].
/// `None` where nothing is known of times.
pub(super) fn least_latency(
    p: &Problem<'_>,
    bounds: &Bounds,
    ways: &mut Ways,
    (known, cuts): (&[Vec<Arc>], &[Shared<Way>]),
    inspect: impl FnMut(&[Arc], &mut Ways),
) -> Option<Lagrange> {
    let deadline = p.deadline.filter(|_| !ways.all.is_empty())?;
    let columns = Columns::new(p, bounds, ways, 1.0, true);
    generate(columns, ways, deadline as f64, (known, cuts), inspect)
}

/// Prices of the highest bound, up to `top`; `None` where no path leads to an end.
fn generate(
    mut c: Columns<'_>,
    ways: &mut Ways,
    top: f64,
    (known, cuts): (&[Vec<Arc>], &[Shared<Way>]),
    mut inspect: impl FnMut(&[Arc], &mut Ways),
) -> Option<Lagrange> {
    known.iter().for_each(|path| {
        c.add(ways, path.clone());
    });
    let kind = usize::from(c.times);
    let mut best: Option<Lagrange> = None;
    // Prices of all of a limit, at the best bound so far.
    let mut at = Vec::new();
    let (mut smooth, mut converged) = (SMOOTH, true);
    let mut mixture = None;
    let mut steps = 0;
    for _ in 0..STEPS[kind] {
        steps += 1;
        loop {
            c.update(ways);
            mixture = c.master.as_mut().map(Master::solve);
            // Where the mixture is the cheapest for the ways known, others may be longer.
            if !converged || !mixture.as_ref().is_some_and(|m| c.longer(ways, m, cuts)) {
                break;
            }
        }
        converged = false;
        let tried: Vec<f64> = match (&mixture, &best) {
            (None, _) => c.first(),
            (Some(m), None) => m.prices.clone(),
            (Some(m), Some(_)) => between(smooth, &at, &m.prices),
        };
        let (priced, path) = c.priced(ways, &tried);
        if !priced.left[0][0].is_finite() {
            break;
        }
        if best.as_ref().is_none_or(|b| priced.bound > b.bound) {
            (best, at) = (Some(priced), tried);
        }
        let reached = best.as_ref().map_or(0.0, |b| b.bound);
        if reached > top {
            break;
        }
        inspect(&path, ways);
        let fresh = c.add(ways, path);
        let Some(m) = &mixture else { continue };
        let unit = if c.times { c.size(RESOURCES) } else { c.scale };
        if reached >= m.cost * (1.0 - REACHED[kind]) * unit || (!fresh && smooth == 0.0) {
            converged = c.rows.len() - c.resources() < ways.all.len() || c.longer(ways, m, cuts);
            let exceeds = m.exceeds(c.exceedable()) && c.raise();
            if !converged && !exceeds {
                break;
            }
        }
        // Where that is no new design, the prices of the mixture as they are.
        smooth = if fresh { SMOOTH } else { 0.0 };
    }
    let mut best = best?;
    best.mixture = mixture.iter().flat_map(|m| c.mixed(m)).map(|(share, path)| (share, path.clone())).collect();
    (best.paths, best.steps) = (c.paths, steps);
    Some(best)
}
