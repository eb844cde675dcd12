//! `fold`, solved: the folding of least area for a frame rate or a latency, or the fastest that fits, with its proven gap.
//!
//! For a given interval every operator has finitely many choices (`choice`), each with a price that depends only on the widths at
//! which it meets its neighbours (`space`): a layered graph in which designs are paths. The least area within limits on LUTs,
//! flip-flops, DSP blocks, block RAM and URAM is a resource-constrained shortest path, solved to optimality (`search`) with
//! Lagrangian bounds (`bounds`). Latency enters through a lower bound that adds up along paths (`time`); designs are then
//! checked with the exact simulation of [`netfold_ir::hw::timing`] and the bound's deadline is tightened until they hold.
//! What gap the search leaves is closed by cases (`ceilings`, `branch`); with a deadline designs are first sought near those of the
//! prices (`polish`). FIFOs are sized on the lowered design; when what they add does not fit, the limits are tightened by it and solved
//! again.

mod analytic;
mod bounds;
mod branch;
mod ceilings;
mod choice;
mod cost;
mod course;
#[cfg(test)]
mod course_tests;
mod goal;
mod latency;
mod master;
mod measure;
#[cfg(test)]
mod objective_tests;
mod order;
mod plan;
mod polish;
mod prices;
mod programs;
mod requests;
mod search;
mod shortage;
mod space;
#[cfg(test)]
mod tests;
mod time;
mod ways;

pub use analytic::{Analytic, bram18};
pub use cost::{
    CostModel, ModuleSpec, Prices, RESOURCE_NAMES, RESOURCES, Resources, WeightStats, design_cost, module_cost,
    weights_of,
};
pub use requests::{
    attempt_latency, attempt_with, attempt_within, given, longest_within, modelled, next_faster, quicker, reordered,
    shorter, solve, solve_or_nearest, step,
};
pub use space::Known;

use crate::fold::{Folding, Pin};
use netfold_ir::diag::{Code, Diag};
use netfold_ir::hw::{Design, timing::Timing};
use std::collections::HashMap;

/// What a folding is chosen for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objective {
    /// A frame every so many cycles or fewer, with least area.
    Interval(u64),
    /// First input beat to last output beat in so many cycles or fewer, with least area.
    Latency(u64),
    /// The shortest interval that fits, then least area.
    Fastest,
    /// The lowest latency that fits.
    LowestLatency,
}

/// A folding problem.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// What is asked.
    pub objective: Objective,
    /// What the device has: gives the weights by which areas are compared. [`Resources::UNLIMITED`]: no device.
    pub device: Resources,
    /// What may be used in all, FIFOs included.
    pub limits: Resources,
    /// What the user asked of layers, by layer name.
    pub pins: &'a HashMap<String, Pin>,
    /// Prices.
    pub model: &'a dyn CostModel,
    /// Share of the device that a design may take on top of the least area where another order of work lowers its latency, though
    /// beyond a fifth of it no more than half of what the design takes itself; 0: none.
    pub latency_share: f64,
    /// Times the usual effort that searches may spend on finding designs and on proofs before they state a gap.
    pub effort: f64,
    /// Prices that are shared with other requests for the same network, device and model.
    pub known: Option<&'a Known>,
}

/// A folding with its design.
#[derive(Debug, Clone)]
pub struct Solution {
    /// The folding.
    pub folding: Folding,
    /// The design, with sized FIFOs.
    pub design: Design,
    /// Its exact cycles.
    pub timing: Timing,
    /// What it uses, FIFOs included.
    pub used: Resources,
    /// Modelled area (FIFOs of provisional depth), in the units of [`Prices`]: what was minimised, and what
    /// [`Request::latency_share`] added.
    pub area: u64,
    /// Proven gap: no folding has less than `(1 - gap)` times the objective's value (area; for [`Objective::LowestLatency`]
    /// cycles; for [`Objective::Fastest`] the larger of area's and the interval's). 0: proved optimal.
    pub gap: f64,
    /// Area that no folding within `within` is below.
    pub bound: u64,
    /// The limits that the gap is of, before FIFOs are sized: those of the request, less what was set aside for FIFOs.
    pub within: Resources,
    /// For [`Objective::Fastest`] and [`Objective::LowestLatency`]: a latency in cycles that was proved out of reach within the limits at
    /// the shortest interval that fits, where it was looked into (see `docs/folding.md`).
    pub latency_excluded: Option<u64>,
    /// Labels that the exact search extended.
    pub labels: usize,
}

/// Why there is no solution.
#[derive(Debug, Clone)]
pub struct Refused {
    /// The reason; [`Code::DoesNotFit`] when nothing meets the request.
    pub diag: Diag,
    /// The nearest request that can be met.
    pub nearest: Option<Objective>,
}

impl From<Diag> for Refused {
    fn from(diag: Diag) -> Refused {
        Refused { diag, nearest: None }
    }
}

impl From<Refused> for Diag {
    fn from(refused: Refused) -> Diag {
        refused.diag
    }
}

/// Refuses a design that uses more than `limits`, before anything is written.
///
/// # Errors
/// [`Code::DoesNotFit`] with every resource that is exceeded and the module that takes most of the first.
pub fn fits(design: &Design, limits: &Resources, model: &dyn CostModel) -> Result<Resources, Diag> {
    let used = design_cost(design, model);
    let (u, l) = (used.array(), limits.array());
    let over: Vec<usize> = (0..RESOURCES).filter(|r| u[*r] > l[*r]).collect();
    let Some(&first) = over.first() else { return Ok(used) };
    let list: Vec<String> = over.iter().map(|r| format!("{} of {} {}", u[*r], l[*r], RESOURCE_NAMES[*r])).collect();
    let largest = design.modules().into_iter().max_by_key(|id| module_cost(design, *id, model).array()[first]);
    let place = largest.map(|id| design.module(id).layer.clone()).unwrap_or_default();
    Err(Diag::new(Code::DoesNotFit, &design.name, format!("the design needs {}", list.join(", "))).help(format!(
        "ask for fewer frames a second or more latency, or a larger device; {place:?} takes most {}",
        RESOURCE_NAMES[first]
    )))
}
