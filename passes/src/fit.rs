//! Designs for a device: [`crate::optimize`] with what the device has, for every kind of target.

use crate::fold::{self, Budget, Folding};
use crate::optimize::{self, Objective, Refused, Request, Resources, Solution, design_cost};
use crate::pipeline::{Prepared, Target};
use crate::{fifo, lower};
use netfold_ir::diag::{Code, Diag};
use netfold_ir::hw::{Design, timing};

/// Ratio of latency to the bound of the foldings up to which nothing more is spent on latency than the balanced rule uses.
const NEAR_LATENCY: f64 = 1.1;

/// Shares of the balanced rule's LUTs that a design within them is asked to leave free, one after the other: of many designs the one that an
/// optimizer takes for the smallest is more often underestimated than the rule's.
const FREE_LUTS: [f64; 3] = [0.06, 0.03, 0.0];

/// Shares that are set aside for FIFOs where the whole leaves no folding: one, a half and so on.
const HALVINGS: usize = 4;

/// Solves for a target; the request's own objective is not used.
///
/// [`Target::Near`] is moved to the shortest interval that the network's structure allows. [`Target::Multipliers`] is a rate that is
/// given up for the fastest that fits where the device cannot hold it.
///
/// # Errors
/// As [`optimize::solve_or_nearest`].
pub fn target(prepared: &Prepared, target: Target, request: &Request<'_>) -> Result<Solution, Refused> {
    solve_target(prepared, target, rate(prepared, target, request)?, request)
}

/// As [`target`], with what the next faster step costs ([`next_step`]) where that can be computed beside the design: for a rate whose
/// interval is known beforehand.
///
/// # Errors
/// As [`target`].
pub fn target_and_step(
    prepared: &Prepared,
    target: Target,
    request: &Request<'_>,
) -> Result<(Solution, Option<NextStep>), Refused> {
    let rate = rate(prepared, target, request)?;
    let guess = rate.map(|cycles| optimize::longest_within(prepared, request, cycles)).transpose()?.flatten();
    let (solution, step) = rayon::join(
        || solve_target(prepared, target, rate, request),
        || guess.map(|interval| next_step(prepared, request, interval)).transpose(),
    );
    let (solution, step) = (solution?, step?);
    let guessed = guess == Some(solution.timing.interval_cycles);
    Ok((solution, step.filter(|_| guessed)))
}

/// Cycles a frame of a target that is a rate.
fn rate(prepared: &Prepared, target: Target, request: &Request<'_>) -> Result<Option<u64>, Diag> {
    Ok(match target {
        Target::Interval(cycles) => Some(cycles.max(1)),
        Target::Near(cycles) => Some(reachable(prepared, cycles.max(1), request)?),
        Target::Multipliers(n) => {
            Some(reachable(prepared, fold::fastest_within(&prepared.int, n, request.pins), request)?)
        }
        Target::Latency(_) | Target::Fastest | Target::LowestLatency => None,
    })
}

/// As [`target`], given its [`rate`].
fn solve_target(
    prepared: &Prepared,
    target: Target,
    rate: Option<u64>,
    request: &Request<'_>,
) -> Result<Solution, Refused> {
    let of = |objective| solve(prepared, &Request { objective, ..*request });
    match (target, rate) {
        (Target::Multipliers(_), Some(cycles)) => match of(Objective::Interval(cycles)) {
            Err(r) if r.diag.code == Code::DoesNotFit => of(Objective::Fastest),
            found => found,
        },
        (_, Some(cycles)) => of(Objective::Interval(cycles)),
        (Target::Latency(cycles), _) => of(Objective::Latency(cycles)),
        (Target::LowestLatency, _) => of(Objective::LowestLatency),
        _ => of(Objective::Fastest),
    }
}

/// As [`optimize::solve_or_nearest`]; for a rate, where the balanced rule is known to reach it within the limits, only within what
/// that rule uses of each resource, with some LUTs to spare where that works, so that none is traded for more of another one: at the worst
/// the rule's own foldings. Only where the latency stays more than a tenth above the bound of the foldings may orders of work that lower
/// it go beyond that.
///
/// # Errors
/// As [`optimize::solve_or_nearest`].
pub fn solve(prepared: &Prepared, request: &Request<'_>) -> Result<Solution, Refused> {
    if let Objective::Interval(cycles) = request.objective
        && let Some(rule) = rule(prepared, cycles, request)?
    {
        let (solution, limits) = within(prepared, &Request { latency_share: 0.0, ..*request }, cycles, &rule)?;
        let solution = optimize::quicker(prepared, &Request { limits, ..*request }, solution)?;
        let least = timing::least_latency(&solution.design)?;
        let near = solution.timing.latency_cycles as f64 <= least as f64 * NEAR_LATENCY;
        return if near { Ok(solution) } else { Ok(optimize::reordered(prepared, request, solution)?) };
    }
    optimize::solve_or_nearest(prepared, request)
}

/// The least area for an interval within what the balanced rule uses, and the limits that are left for orders of work: the rule's with the LUTs
/// that it leaves free, but for flip-flops, which are there in plenty.
fn within(prepared: &Prepared, request: &Request<'_>, cycles: u64, rule: &Rule) -> Result<(Solution, Resources), Diag> {
    let attempt = |first: Resources| optimize::attempt_within(prepared, request, cycles, &first);
    let seen = |free: f64| Resources { lut: less(rule.seen.lut, free), ..rule.seen };
    let (first, used) = rayon::join(|| attempt(seen(FREE_LUTS[0])), || trimmed(&rule.design, request));
    let (mut first, used) = (Some(first), used?);
    let limits = |free: f64| Resources { lut: less(used.lut, free), ff: request.limits.ff, ..used };
    let all = limits(0.0);
    let (mut found, mut beyond) = (None, None);
    for free in FREE_LUTS {
        let Some(solution) = first.take().unwrap_or_else(|| attempt(seen(free)))? else { continue };
        if solution.used.within(&limits(free)) {
            return Ok((solution, limits(free)));
        }
        if solution.used.within(&all) {
            found.get_or_insert(solution);
        } else {
            beyond = Some(solution);
        }
    }
    if let Some(found) = found {
        return Ok((found, all));
    }
    let Some(over) = beyond else {
        return Ok((optimize::given(prepared, request, &rule.folding, (0, rule.seen))?, all));
    };
    // What FIFOs took beyond the rule's is set aside, until they fit; where that leaves no folding, a part of it.
    let bounded = Request { limits: all, ..*request };
    let mut excess = over.used.zip(&all, u64::saturating_sub);
    let mut found = None;
    for _ in 0..HALVINGS {
        let first = rule.seen.zip(&excess, u64::saturating_sub);
        found = optimize::attempt_within(prepared, &bounded, cycles, &first)?;
        if found.is_some() {
            break;
        }
        excess = excess.zip(&Resources::default(), |e, _| e / 2);
    }
    // Otherwise the rule's own foldings.
    let solution = match found {
        Some(solution) => solution,
        None => optimize::given(prepared, request, &rule.folding, (over.bound, over.within))?,
    };
    Ok((solution, all))
}

/// The interval of a faster design, and what that uses; none where no folding is faster.
pub type NextStep = Option<(u64, Resources)>;

/// What the next interval below `interval` costs, whether it fits or not: that interval, and what the design of least area uses that takes
/// no more of any resource than the balanced rule does, or where there is none, of any; FIFOs not trimmed.
///
/// # Errors
/// None for a network that can be lowered.
pub fn next_step(prepared: &Prepared, request: &Request<'_>, interval: u64) -> Result<NextStep, Diag> {
    let Some(shorter) = optimize::shorter(prepared, request, interval)? else { return Ok(None) };
    let unlimited = Request { limits: Resources::UNLIMITED, ..*request };
    let step = |first: &Resources| optimize::step(prepared, &unlimited, shorter, first);
    if let Some(rule) = rule(prepared, shorter, &Request { limits: request.device, ..*request })?
        && let Some(step) = step(&rule.seen)?
    {
        return Ok(Some(step));
    }
    step(&Resources::UNLIMITED)
}

/// The balanced rule's design for an interval.
struct Rule {
    folding: Folding,
    /// FIFOs not trimmed.
    design: Design,
    /// What the search sees of it: with FIFOs of provisional depth, and without what parts do to each other.
    seen: Resources,
}

/// A share less.
fn less(luts: u64, share: f64) -> u64 {
    luts - (luts as f64 * share) as u64
}

/// What a design uses with its FIFOs trimmed.
fn trimmed(design: &Design, request: &Request<'_>) -> Result<Resources, Diag> {
    let mut design = design.clone();
    fifo::trim(&mut design)?;
    Ok(design_cost(&design, request.model))
}

/// The balanced rule's design, when it reaches the interval within the limits.
fn rule(prepared: &Prepared, cycles: u64, request: &Request<'_>) -> Result<Option<Rule>, Diag> {
    let folding = fold::balanced(&prepared.int, cycles, request.pins, budget(&request.limits));
    let mut design = lower::run(&prepared.int, &prepared.realizations, &folding)?;
    if timing::bottleneck(&design).0 > cycles {
        return Ok(None);
    }
    fifo::run_with(&mut design, 0)?;
    let used = design_cost(&design, request.model);
    if !used.within(&request.limits) {
        return Ok(None);
    }
    let seen = optimize::modelled(prepared, request, &folding)?.unwrap_or(used);
    Ok(Some(Rule { folding, design, seen }))
}

/// The interval, or the shortest one above it that the network's structure and the pins allow.
fn reachable(prepared: &Prepared, cycles: u64, request: &Request<'_>) -> Result<u64, Diag> {
    let folding = fold::balanced(&prepared.int, cycles, request.pins, budget(&request.limits));
    let design = lower::run(&prepared.int, &prepared.realizations, &folding)?;
    Ok(timing::bottleneck(&design).0.max(cycles))
}

fn budget(limits: &Resources) -> Budget {
    Budget { dsp: usize::try_from(limits.dsp).unwrap_or(usize::MAX), block_memory: limits.bram18 > 0 }
}
