//! What can be asked of the optimizer: each request has a solver of its own.

use super::goal::{Built, Orders, gap, solver};
use super::plan::{self, Plan};
use super::programs::Programs;
use super::{Objective, Refused, Request, Resources, Solution};
use crate::fold::Folding;
use crate::pipeline::Prepared;
use crate::unroll::Unrolled;
use netfold_ir::diag::{Code, Diag};
use netfold_ir::hw::timing;
use std::sync::{Arc, OnceLock};

/// Solves a folding problem.
///
/// # Errors
/// [`Code::DoesNotFit`] when nothing meets the request: which resource is short and by how much, which layer takes most of it,
/// and the nearest request that can be met.
pub fn solve(prepared: &Prepared, request: &Request<'_>) -> Result<Solution, Diag> {
    solve_or_nearest(prepared, request).map_err(Diag::from)
}

/// As [`solve`], with the nearest request apart.
///
/// # Errors
/// As [`solve`].
pub fn solve_or_nearest(prepared: &Prepared, request: &Request<'_>) -> Result<Solution, Refused> {
    let mut solver = solver(prepared, request);
    match request.objective {
        Objective::Interval(cycles) => solver.interval(cycles.max(1)),
        Objective::Latency(cycles) => solver.latency(cycles),
        Objective::Fastest => solver.fastest(),
        Objective::LowestLatency => solver.lowest_latency(),
    }
}

/// The least area for the request's rate or latency where the programs are among the choices of their operators, or with `only` the only ones;
/// `None` when none was found. [`Folding::programs`] of the solution are those that were chosen. Each must be of a chain of operators
/// ([`Unrolled::is_chain`]), and none may have part of another one's operators only.
///
/// # Errors
/// None for a network that can be lowered.
pub fn attempt_with(
    prepared: &Prepared,
    request: &Request<'_>,
    programs: &[Arc<Unrolled>],
    only: bool,
) -> Result<Option<Solution>, Diag> {
    // What programs are numbered by is known here only.
    let request = &Request { known: None, ..*request };
    let mut solver = solver(prepared, request);
    solver.ctx.programs = Programs { list: programs, only };
    match request.objective {
        Objective::Interval(cycles) => solver.attempt(cycles.max(1)),
        Objective::Latency(cycles) => solver.latency_found(cycles.max(1)),
        Objective::Fastest | Objective::LowestLatency => Ok(None),
    }
}

/// The least area for a frame every `interval` cycles, whatever the request's objective, where what the search adds up (FIFOs of provisional
/// depth) is limited by `first` too; `None` when none was found, without a reason, which takes longer to find than a solution.
///
/// # Errors
/// None for a network that can be lowered.
pub fn attempt_within(
    prepared: &Prepared,
    request: &Request<'_>,
    interval: u64,
    first: &Resources,
) -> Result<Option<Solution>, Diag> {
    let mut solver = solver(prepared, request);
    solver.limited(first);
    solver.attempt(interval.max(1))
}

/// As [`attempt_within`], in short: the interval that the least area has, and what it uses, FIFOs not trimmed.
///
/// # Errors
/// As [`attempt_within`].
pub fn step(
    prepared: &Prepared,
    request: &Request<'_>,
    interval: u64,
    first: &Resources,
) -> Result<Option<(u64, Resources)>, Diag> {
    let mut solver = solver(prepared, request);
    solver.limited(first);
    Ok(solver.built(interval)?.ok().map(|b| (timing::bottleneck(&b.design).0, b.used)))
}

/// The least area for a latency of `cycles`, whatever the request's objective; `None` when none was found, without a reason.
///
/// # Errors
/// None for a network that can be lowered.
pub fn attempt_latency(prepared: &Prepared, request: &Request<'_>, cycles: u64) -> Result<Option<Solution>, Diag> {
    solver(prepared, request).latency_found(cycles.max(1))
}

/// A given folding as a solution for its interval, FIFOs sized. `bound`: an area that no folding is below, within these limits.
///
/// # Errors
/// Internal, for a folding with programs or one that does not finish a frame within its interval.
pub fn given(
    prepared: &Prepared,
    request: &Request<'_>,
    folding: &Folding,
    (bound, within): (u64, Resources),
) -> Result<Solution, Diag> {
    let solver = solver(prepared, request);
    let Some(plan) = plan::of_folding(&solver.ctx, folding, false)? else {
        return Err(Diag::internal(&prepared.int.name, "a given folding cannot be built"));
    };
    let built = Built { within, ..solver.lower(plan, Orders::Kept, bound)? };
    let gap = gap(built.plan.area, bound);
    solver.finish(built, gap)
}

/// What a folding uses by what the search adds up, with FIFOs of provisional depth; `None` where a module would take longer than the
/// folding's interval.
///
/// # Errors
/// None for a network that can be lowered.
pub fn modelled(prepared: &Prepared, request: &Request<'_>, folding: &Folding) -> Result<Option<Resources>, Diag> {
    Ok(plan::of_folding(&solver(prepared, request).ctx, folding, false)?.map(|plan| plan.used))
}

/// A solution whose matrix units work in the order that gives the lowest latency within the request's limits and
/// [`Request::latency_share`]; where that stays well above the bound of its folding, another folding of the request's interval, chosen
/// for latency, when one is found.
///
/// # Errors
/// None for a network that can be lowered.
pub fn quicker(prepared: &Prepared, request: &Request<'_>, solution: Solution) -> Result<Solution, Diag> {
    quicker_with(prepared, request, solution, true)
}

/// As [`quicker`], of the solution's own folding.
///
/// # Errors
/// As [`quicker`].
pub fn reordered(prepared: &Prepared, request: &Request<'_>, solution: Solution) -> Result<Solution, Diag> {
    quicker_with(prepared, request, solution, false)
}

/// See [`quicker`]; other foldings only where that is said.
fn quicker_with(
    prepared: &Prepared,
    request: &Request<'_>,
    solution: Solution,
    foldings: bool,
) -> Result<Solution, Diag> {
    let s = solution;
    let mut solver = solver(prepared, request);
    solver.labels = s.labels;
    let plan = Plan { folding: s.folding.clone(), used: s.used, area: s.area, latency: 0 };
    let interval = match request.objective {
        Objective::Interval(cycles) => cycles.max(1),
        _ => s.timing.interval_cycles,
    };
    let built = solver.quicker(Built {
        plan,
        design: s.design.clone(),
        used: s.used,
        untrimmed: false,
        bound: s.bound,
        within: s.within,
        timing: OnceLock::from(s.timing.clone()),
    })?;
    let built = if foldings { solver.sooner(interval, built)? } else { built };
    if built.plan.folding == s.folding { Ok(s) } else { solver.finish(built, s.gap) }
}

/// The design of least area for the next interval below `interval` that some folding has, without limits: what one step faster
/// costs. None when `interval` is the shortest.
///
/// # Errors
/// None for a network that can be lowered.
pub fn next_faster(prepared: &Prepared, request: &Request<'_>, interval: u64) -> Result<Option<Solution>, Diag> {
    let Some(shorter) = shorter(prepared, request, interval)? else { return Ok(None) };
    let faster = Request { objective: Objective::Interval(shorter), limits: Resources::UNLIMITED, ..*request };
    match solve(prepared, &faster) {
        Ok(s) => Ok(Some(s)),
        Err(d) if d.code == Code::DoesNotFit => Ok(None),
        Err(d) => Err(d),
    }
}

/// The longest interval below `interval` that some folding has; none when that is the shortest.
///
/// # Errors
/// None for a network that can be lowered.
pub fn shorter(prepared: &Prepared, request: &Request<'_>, interval: u64) -> Result<Option<u64>, Diag> {
    Ok(solver(prepared, request).intervals()?.into_iter().rfind(|t| *t < interval))
}

/// The longest interval of at most `interval` cycles that some folding has; none below the shortest.
///
/// # Errors
/// None for a network that can be lowered.
pub fn longest_within(prepared: &Prepared, request: &Request<'_>, interval: u64) -> Result<Option<u64>, Diag> {
    Ok(solver(prepared, request).intervals()?.into_iter().rfind(|t| *t <= interval))
}
