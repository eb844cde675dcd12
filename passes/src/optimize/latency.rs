//! Objectives with a latency: deadlines of the bound that adds up along paths, checked and tightened with the exact simulation.

use super::choice::Choice;
use super::goal::{Built, Orders, Solver, Wanted, gap};
use super::plan::{self, Answer, Shortage};
use super::search::Effort;
use super::{Objective, Prices, Refused, Resources, Solution};
use netfold_ir::diag::Diag;
use netfold_ir::hw::{Design, Kind, timing};
use rayon::prelude::*;

/// Times that a deadline is moved for deep FIFOs.
const DEEPENINGS: usize = 3;

/// Share of its area by which a design may be above the bound before a rate so many times higher is tried too.
const FAR: f64 = 0.05;
const HIGHER: u64 = 4;

/// Intervals at which a deadline is tried, and times that it is tightened at each.
const ATTEMPTS: usize = 2;
const TIGHTENINGS: usize = 2;

/// Latencies at most that are tried for the lowest one.
const PROBES: usize = 3;

/// Deadlines at most that are tried at one interval.
const DEADLINES: usize = 5;

/// Labels that the searches for a lower latency at one interval may extend in all; the last one may go beyond.
const SOONER_EFFORT: usize = 200_000;

/// Labels of a quick search without an answer up to which the whole search follows.
const FEW_LABELS: usize = 60_000;

/// Labels that the searches of least area for the lowest latency may extend in all; the last one may go beyond.
const PROBE_EFFORT: usize = 600_000;

/// Plans of low latency whose designs are looked at.
const PLANS: usize = 2;

/// Plans that are looked at in turn where FIFOs do not fit.
const FITTINGS: usize = 3;

/// Ratio of the rates at which the lowest latency is sought.
const RATE_STEP: u64 = 2;

/// Share of a design's latency from which on the bound of its foldings is near to it. Where it is not, what meets a deadline by the bound
/// hardly does, and no deadline is tried.
const TELLING: f64 = 0.9;

/// Ratio of a design's latency to the bound of its foldings above which others of the same interval are sought.
const NEAR: f64 = 1.08;

/// Latency of a design's first frame when no other one follows: no higher than the exact latency.
fn first_frame(design: &Design) -> Result<u64, Diag> {
    Ok(timing::frame_ends(design, 1)?.first().copied().unwrap_or(0))
}

/// Whether a design has window units.
fn windows(design: &Design) -> bool {
    design.modules().into_iter().any(|id| matches!(design.module(id).kind, Kind::Swu(_)))
}

impl Solver<'_> {
    /// The least area whose exact latency is at most `cycles`.
    pub(super) fn latency(&mut self, cycles: u64) -> Result<Solution, Refused> {
        let (best, bound, shortage) = self.within(cycles, None)?;
        if let Some(b) = best {
            let gap = gap(b.plan.area, bound);
            return Ok(self.finish(self.quicker(b)?, gap)?);
        }
        let lowest = self.lowest()?;
        let nearest = lowest.as_ref().map(|(latency, ..)| Objective::Latency(*latency));
        let help = match lowest {
            // The search for the lowest one found what that for the least area did not.
            Some((latency, b, _)) if latency <= cycles => {
                let gap = gap(b.plan.area, bound);
                return Ok(self.finish(b, gap)?);
            }
            Some((latency, ..)) => format!("the nearest latency that works is {latency} cycles"),
            None => "no latency fits: use a larger device".to_string(),
        };
        let shortage = shortage.unwrap_or(Shortage::Together);
        let diag = self.refusal(&format!("a latency of {cycles} cycles"), &shortage, &help);
        Err(Refused { diag, nearest })
    }

    /// As [`Solver::latency`]; none where the search for the least area finds none.
    pub(super) fn latency_found(&mut self, cycles: u64) -> Result<Option<Solution>, Diag> {
        let (best, bound, _) = self.within(cycles, None)?;
        let Some(b) = best else { return Ok(None) };
        let gap = gap(b.plan.area, bound);
        self.finish(self.quicker(b)?, gap).map(Some)
    }

    /// The best design of an exact latency of at most `cycles`, the proved bound of its area, and the reason when there is none.
    ///
    /// First the search that knows exact latencies. Where that neither finds the optimum nor, within its effort, any design, the longest
    /// interval whose design of least area is in time: latency follows the interval where rates dominate. Where no design is in
    /// time in the order of work of its choices, and with programs, also
    /// searches with a deadline of the bound that adds up along paths: at the request itself and at shorter intervals (they widen what only
    /// follows the rate), each deadline tightened by what the exact latency exceeds the request. `quick` leaves out
    /// all but the request itself, and ends when so many labels have been extended.
    fn within(&mut self, cycles: u64, quick: Option<usize>) -> Result<(Option<Built>, u64, Option<Shortage>), Diag> {
        let mut best: Option<Built> = None;
        let mut reason = None;
        let mut proved = None;
        if quick.is_none() && self.ctx.programs.list.is_empty() {
            let (found, bound, shortage) = self.exactly(cycles)?;
            if found.as_ref().is_some_and(|b| bound >= b.plan.area) {
                return Ok((found, bound, shortage));
            }
            (best, proved, reason) = (found, Some(bound), shortage);
        }
        let all: Vec<u64> = self.intervals()?.into_iter().filter(|t| *t <= cycles).collect();
        let (mut lo, mut hi) = (0, if quick.is_some() || best.is_some() { 0 } else { all.len() });
        while lo < hi {
            let mid = lo + (hi - lo) / 2;
            match self.built_within(all[mid], cycles, Wanted::default())? {
                Ok(b) => match self.in_time(b, cycles)? {
                    Some(b) => {
                        if best.as_ref().map_or(u64::MAX, |o| o.plan.area) > b.plan.area {
                            best = Some(b);
                        }
                        lo = mid + 1;
                    }
                    // Too slow: shorter intervals. What does not fit would need longer ones.
                    None => hi = mid,
                },
                Err(Shortage::Deadline(_)) => hi = mid,
                Err(s) => {
                    reason.get_or_insert(s);
                    lo = mid + 1;
                }
            }
        }
        // Where no design is in time in the orders of work of its choices, one in another order may be.
        if let Some(bound) = proved.filter(|bound| *bound < u64::MAX) {
            return Ok((best, bound, reason));
        }
        let mut bound = u64::MAX;
        let mut interval = cycles.max(1);
        // Where the bound does not tell, the first search is for what it proves only.
        let telling = match &best {
            Some(best) if quick.is_none() => self.telling(best)?,
            _ => true,
        };
        let attempts = if quick.is_some() || !telling { 1 } else { ATTEMPTS };
        for attempt in 0..attempts {
            let mut deadline = cycles;
            for _ in 0..if telling { TIGHTENINGS } else { 1 } {
                let limits = self.request.limits;
                let below = best.as_ref().map_or(u64::MAX, |b| b.plan.area);
                if best.as_ref().is_some_and(|b| bound < u64::MAX && b.plan.area <= bound) {
                    // Proved to be the optimum.
                    return Ok((best, bound, reason));
                }
                // What the first search proves is the bound.
                let first = quick.is_none() && proved.is_none() && attempt == 0 && deadline == cycles;
                let effort = if first { Effort::Full } else { Effort::Quick };
                let mut answer = self.plan_with(interval, &limits, Some(deadline), below, effort, &[])?;
                let open = answer.plan.is_err() && answer.bound != u64::MAX;
                if quick.is_some() && open && answer.labels < FEW_LABELS {
                    answer = self.plan(interval, &limits, Some(deadline), below)?;
                }
                if deadline == cycles && attempt == 0 {
                    bound = answer.bound;
                }
                let plan = match answer.plan {
                    Ok(plan) => plan,
                    Err(s) => {
                        reason.get_or_insert(s);
                        break;
                    }
                };
                let built = self.lower(plan, Orders::Early, 0)?;
                if built.meets(cycles)? {
                    if built.used.within(&limits) {
                        best = Some(built);
                    }
                    break;
                }
                // As much earlier as the bound is too low for this design.
                let exact = first_frame(&built.design)?.max(cycles + 1);
                deadline =
                    (u128::from(deadline.min(built.plan.latency)) * u128::from(cycles) / u128::from(exact)) as u64;
                if deadline == 0 || quick.is_some_and(|most| self.labels > most) {
                    break;
                }
            }
            if interval <= all.first().copied().unwrap_or(1) {
                break;
            }
            interval = interval * 2 / 3;
        }
        Ok((best, bound, reason))
    }

    /// The least area by the search that knows exact latencies, and the bound of its area. Where that is far from what was found, operators
    /// without a folding are also made for a higher rate.
    fn exactly(&mut self, cycles: u64) -> Result<(Option<Built>, u64, Option<Shortage>), Diag> {
        let (mut found, shortage) = self.at_rate(cycles, cycles, Effort::Full)?;
        let limits = self.request.limits;
        let bound = self.plan(cycles, &limits, Some(cycles), u64::MAX)?.bound;
        let far = found.as_ref().map_or(bound < u64::MAX, |b| b.plan.area as f64 * (1.0 - FAR) > bound as f64);
        if far && cycles >= HIGHER {
            self.met.clear();
            let (other, _) = self.at_rate(cycles / HIGHER, cycles, Effort::Few)?;
            let least = found.as_ref().map_or(u64::MAX, |b| b.plan.area);
            found = other.filter(|b| b.plan.area < least).or(found);
        }
        Ok((found, bound, shortage))
    }

    /// As [`Solver::exactly`], with what has no folding made for one rate. FIFOs that are deeper than the search takes them for add cycles,
    /// which later searches leave room for.
    fn at_rate(
        &mut self,
        rate: u64,
        cycles: u64,
        mut effort: Effort,
    ) -> Result<(Option<Built>, Option<Shortage>), Diag> {
        let mut deadline = cycles;
        for _ in 0..DEEPENINGS {
            let wanted = Wanted { deadline: Some(deadline), effort, ..Wanted::default() };
            let built = match self.built_within(rate, u64::MAX, wanted)? {
                Ok(built) if !built.meets(cycles)? => self.hastened(built)?,
                Ok(built) => built,
                Err(shortage) => return Ok((None, Some(shortage))),
            };
            if built.meets(cycles)? {
                return Ok((Some(built), None));
            }
            // What is not proved now will not be for an earlier deadline.
            if built.plan.area > built.bound {
                effort = Effort::Few;
            }
            let exact = first_frame(&built.design)?.max(cycles + 1);
            deadline = deadline.saturating_sub(exact - cycles);
        }
        Ok((None, None))
    }

    /// Whether the bound of a design's foldings is near to its exact latency.
    fn telling(&self, built: &Built) -> Result<bool, Diag> {
        let exact = built.timing()?.latency_cycles as f64;
        let plan = plan::of_folding(&self.ctx, &built.plan.folding, true)?;
        Ok(plan.is_some_and(|plan| plan.latency as f64 >= exact * TELLING))
    }

    /// A design with an exact latency of at most `cycles`, in another order of work where it takes that, of foldings that may allow it.
    fn in_time(&self, built: Built, cycles: u64) -> Result<Option<Built>, Diag> {
        if built.meets(cycles)? {
            return Ok(Some(built));
        }
        let built = self.quicker(built)?;
        Ok(built.meets(cycles)?.then_some(built))
    }

    /// A design of the same interval with a lower latency, within the limits and the request's share of the device, when a design's
    /// latency is well above the bound of its foldings: its units had no room for another order of work, so that foldings are
    /// chosen for the latency too.
    pub(super) fn sooner(&mut self, interval: u64, built: Built) -> Result<Built, Diag> {
        if self.request.latency_share <= 0.0 {
            return Ok(built);
        }
        let mut hi = built.timing()?.latency_cycles;
        let mut lo = timing::least_latency(&built.design)?;
        if hi as f64 <= lo as f64 * NEAR {
            return Ok(built);
        }
        let spend = (Prices::DEVICE * self.request.latency_share) as u64;
        let ceiling = built.plan.area.saturating_add(spend);
        // With window units the choices are many; without, what is out of reach whatever the area is of interest too.
        let (below, effort) = match windows(&built.design) {
            true => (ceiling.saturating_add(1), Effort::Quick),
            false => (u64::MAX, Effort::Full),
        };
        let mut deadline = lo + lo / 50;
        let spent = self.labels;
        // A deadline that these foldings meet by the bound leads to them again.
        if plan::of_folding(&self.ctx, &built.plan.folding, true)?.is_some_and(|plan| plan.latency <= deadline) {
            return Ok(built);
        }
        let mut best = built;
        for _ in 0..DEADLINES {
            if hi <= lo + (hi / 50).max(1) || self.labels > spent + SOONER_EFFORT {
                break;
            }
            let wanted = Wanted { deadline: Some(deadline), ceiling: below, effort, orders: Orders::Early };
            let found = self.built_within(interval, u64::MAX, wanted)?.ok().filter(|b| b.plan.area <= ceiling);
            let mut met = None;
            match found {
                Some(found) => {
                    let timing = found.timing()?;
                    if timing.interval_cycles > interval || timing.latency_cycles >= hi {
                        // Later deadlines allow what is later by the bound too.
                        break;
                    }
                    hi = timing.latency_cycles;
                    met = Some(found.plan.latency);
                    best = Built { bound: best.bound, within: best.within, ..found };
                }
                None => lo = deadline,
            }
            deadline = lo + (hi.saturating_sub(lo)) / 2;
            // What meets the next deadline by the bound would be found again.
            if met.is_some_and(|latency| latency <= deadline) {
                break;
            }
        }
        Ok(best)
    }

    /// The lowest latency that fits, with a proved bound of it.
    ///
    /// First the fastest design that fits, then those whose foldings are chosen for a low latency, at each of some rates that operators without
    /// a folding are made for ([`Solver::rates`]); these searches also prove what no folding is below. Without window units searches of
    /// least area with a deadline follow, by bisection.
    fn lowest(&mut self) -> Result<Option<(u64, Built, u64)>, Diag> {
        let Some((interval, start)) = self.shortest(1)? else { return Ok(None) };
        // What was set aside for its FIFOs those of other designs will take too.
        let limits = start.within;
        let fifos = start.used.zip(&start.plan.used, u64::saturating_sub);
        self.ctx.aside = fifos.zip(&self.request.limits.zip(&limits, u64::saturating_sub), u64::saturating_sub);
        let mut best = self.quicker(start)?;
        let mut hi = best.timing()?.latency_cycles;
        let (proved, plans) = self.rates(interval, hi, &limits)?;
        self.ctx.aside = Resources::default();
        for (rate, answer) in plans.into_iter().take(PLANS) {
            if answer.plan.as_ref().is_ok_and(|plan| plan.latency < hi)
                && let Some(found) = self.fitting(rate, hi, answer)?
            {
                hi = found.timing()?.latency_cycles;
                best = found;
            }
        }
        // The slowest unit fires once a cycle.
        let proved = proved.max(self.undecided.map_or(interval, |u| u.min(interval)));
        let mut lo = proved - 1;
        let most = self.labels + PROBE_EFFORT;
        let mut failed = 0;
        for _ in 0..if windows(&best.design) { 0 } else { PROBES } {
            if failed > 1 || self.labels > most || hi <= lo + (hi / 50).max(1) {
                break;
            }
            // After one that was not found, near what is known: where there is none either, none is found in between.
            let mid = hi - if failed > 0 { (hi - lo) / 4 } else { (hi - lo) / 2 };
            let (found, ..) = self.within(mid, Some(most))?;
            match found {
                Some(b) => {
                    hi = b.timing()?.latency_cycles.min(mid);
                    best = b;
                    failed = 0;
                }
                None => {
                    lo = mid;
                    failed += 1;
                }
            }
        }
        Ok(Some((hi, Built { within: limits, ..best }, proved)))
    }

    /// What no folding within `limits` has a latency below, at the rates from one frame in `latency` cycles up to one in `interval`, and the
    /// answers with plans of low latency at each rate, the lowest first.
    fn rates(&mut self, interval: u64, latency: u64, limits: &Resources) -> Result<(u64, Vec<(u64, Answer)>), Diag> {
        let mut rates = vec![latency];
        while rates.last().is_some_and(|r| r / RATE_STEP >= interval) {
            rates.extend(rates.last().map(|r| r / RATE_STEP));
        }
        let look = |rate: u64, below: u64, met: &[Vec<Choice>]| {
            let deadline = Some(below.saturating_sub(1));
            plan::plan(&self.ctx, rate, limits, deadline, u64::MAX, (Effort::Latency, met))
        };
        // The designs of the highest rate are those of the others too.
        let highest = rates.pop().unwrap_or(latency);
        let first = look(highest, latency, &[])?;
        let below = first.plan.as_ref().map_or(latency, |plan| plan.latency.min(latency));
        let others: Result<Vec<Answer>, Diag> = rates.par_iter().map(|rate| look(*rate, below, &first.met)).collect();
        rates.push(highest);
        let mut proved = latency;
        let mut plans = Vec::new();
        for (rate, answer) in rates.into_iter().zip(others?.into_iter().chain([first])) {
            self.labels += answer.labels;
            proved = proved.min(answer.latency);
            if answer.plan.is_ok() {
                plans.push((rate, answer));
            }
        }
        plans.sort_by_key(|(_, answer)| answer.plan.as_ref().map_or(0, |plan| plan.latency));
        Ok((proved, plans))
    }

    /// The design of a plan of low latency at a rate, where it is below `latency` cycles and fits; where its FIFOs do not fit, that of
    /// another plan, which leaves room for them.
    fn fitting(&mut self, rate: u64, latency: u64, answer: Answer) -> Result<Option<Built>, Diag> {
        let limits = self.request.limits;
        let Answer { plan, mut met, .. } = answer;
        let mut next = plan.ok();
        for _ in 0..FITTINGS {
            let Some(plan) = next.take() else { break };
            let planned = plan.used;
            // Orders of work as they were chosen, and settled with the neighbours.
            let mut built = vec![self.hastened(self.lower(plan.clone(), Orders::Kept, 0)?)?];
            if plan.folding.layers.values().any(|c| c.early > 0) {
                built.push(self.hastened(self.lower(plan, Orders::Early, 0)?)?);
            }
            let mut found: Option<Built> = None;
            let mut over: Option<Resources> = None;
            for built in built {
                let cycles = built.timing()?.latency_cycles;
                if !built.used.within(&limits) {
                    let exceeded = built.used.zip(&limits, |u, l| u64::from(u > l));
                    over = Some(built.used.zip(&planned, u64::saturating_sub).zip(&exceeded, |m, o| m * o));
                } else if cycles < found.as_ref().map_or(Ok(latency), |f| f.timing().map(|t| t.latency_cycles))? {
                    found = Some(built);
                }
            }
            if found.is_some() {
                return Ok(found);
            }
            if let Some(more) = over {
                let less = limits.zip(&more, u64::saturating_sub);
                let deadline = Some(latency.saturating_sub(1));
                let answer = self.plan_with(rate, &less, deadline, u64::MAX, Effort::Soon, &met)?;
                (next, met) = (answer.plan.ok(), answer.met);
            }
        }
        Ok(None)
    }

    /// The lowest latency that fits.
    pub(super) fn lowest_latency(&mut self) -> Result<Solution, Refused> {
        match self.lowest()? {
            Some((latency, b, bound)) => {
                let gap = gap(latency, bound);
                Ok(self.finish(b, gap)?)
            }
            None => {
                let help = "use a larger device or a smaller network";
                Err(self.refusal("any latency", &Shortage::Together, help).into())
            }
        }
    }
}
