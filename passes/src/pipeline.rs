//! The pipeline: every pass by name, in order, each followed by the verifier of its level.

use crate::fold::{self, Budget, Folding, Pin};
use crate::lower::{self, Realizations};
use crate::optimize::{self, Analytic, Objective, Request, Resources};
use crate::precision::{Calibration, Formats};
use crate::quantize::Summary;
use crate::unroll::{self, Granularity, Unrolled, Unrolling};
use crate::{constants, fifo, normalize, quantize, streamline};
use netfold_ir::diag::{Code, Diag, Diags};
use netfold_ir::graph::NodeId;
use netfold_ir::hw::{Design, timing};
use netfold_ir::int::IntNetwork;
use netfold_ir::net::Network;
use std::collections::HashMap;

/// Name and one-line description of every pass, in the order in which they run.
pub const PASSES: [(&str, &str); 9] = [
    ("parse", "read the file into the network level"),
    ("normalize", "one canonical form: transposes merged, batch norms folded into float weights"),
    ("quantize", "give every tensor a number format"),
    ("streamline", "make the integer network: scales vanish into step functions, constant channels leave the sums"),
    ("realize", "choose a proved circuit for every step function"),
    ("unroll", "compile what has the unrolled style to programs of additions"),
    ("fold", "choose how much of each layer is computed in parallel"),
    ("lower", "make the hardware design: modules and streams"),
    ("size-fifos", "choose FIFO depths that keep the slowest unit busy"),
];

/// The network as integers with everything that does not depend on folding.
#[derive(Debug)]
pub struct Prepared {
    /// The integer network.
    pub int: IntNetwork,
    /// Circuits of its step functions.
    pub realizations: Realizations,
    /// What quantization decided.
    pub summary: Summary,
}

/// Parse to realize: `net` is normalized and quantized in place (so that it can be shown), then converted.
pub fn prepare(net: &mut Network, formats: &dyn Formats, calibration: Option<&Calibration>) -> Result<Prepared, Diags> {
    net.verify()?;
    normalize::run(net)?;
    net.verify()?;
    let summary = quantize::run(net, formats, calibration)?;
    net.verify()?;
    let mut int = streamline::run(net, &summary.inserted)?;
    constants::run(&mut int)?;
    let realizations = lower::realize_all(&int)?;
    Ok(Prepared { int, realizations, summary })
}

/// What the folding must reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A frame every so many cycles or fewer; refused where the network's structure does not allow it.
    Interval(u64),
    /// A frame every so many cycles, or as near to it as the network's structure allows.
    Near(u64),
    /// First input to last output in so many cycles or fewer.
    Latency(u64),
    /// As fast as fits.
    Fastest,
    /// The lowest latency that fits.
    LowestLatency,
    /// As fast as this many multipliers allow.
    Multipliers(usize),
}

/// Share of the device that designs may spend on lower latency.
pub const LATENCY_SHARE: f64 = 0.1;

/// Fold, lower and size the FIFOs, without a device: the optimum of [`optimize::solve`] with [`optimize::Analytic`] prices, within
/// the DSP blocks of `budget`. Where the balanced rule is known to work it also bounds every resource, so that no resource is
/// traded for more of another one.
pub fn build(
    prepared: &Prepared,
    target: Target,
    pins: &HashMap<String, Pin>,
    budget: Budget,
) -> Result<(Design, Folding), Diag> {
    let model = Analytic::default();
    let mut limits = Resources { dsp: budget.dsp as u64, ..Resources::UNLIMITED };
    if !budget.block_memory {
        limits.bram18 = 0;
    }
    let solve = |objective, limits| {
        let request = Request {
            objective,
            device: Resources::UNLIMITED,
            limits,
            pins,
            model: &model,
            latency_share: LATENCY_SHARE,
            effort: 1.0,
            known: None,
        };
        optimize::solve(prepared, &request).map(|s| (s.design, s.folding))
    };
    match target {
        Target::Interval(cycles) => {
            let (design, folding) = at(prepared, cycles.max(1), pins, budget, limits, solve)?;
            reaches(&design, cycles.max(1))?;
            Ok((design, folding))
        }
        Target::Near(cycles) => at(prepared, cycles.max(1), pins, budget, limits, solve),
        Target::Multipliers(n) => {
            at(prepared, fold::fastest_within(&prepared.int, n, pins), pins, budget, limits, solve)
        }
        Target::Latency(cycles) => solve(Objective::Latency(cycles), limits),
        Target::Fastest => solve(Objective::Fastest, limits),
        Target::LowestLatency => solve(Objective::LowestLatency, limits),
    }
}

/// As [`build`] with the operators that are `wanted` unrolled, as far as they can be, and all others folded for a frame every
/// `cycles` cycles, as near to it as the network's structure allows.
///
/// # Errors
/// [`Code::Unsupported`] for sums that are too wide, [`Code::DoesNotFit`] for a clock that a single addition does not reach.
pub fn unrolled(
    prepared: &Prepared,
    granularity: Granularity,
    cycles: u64,
    unrolling: &Unrolling,
    wanted: &dyn Fn(NodeId) -> bool,
    pins: &HashMap<String, Pin>,
    budget: Budget,
) -> Result<(Design, Folding), Diag> {
    let parts = unroll::run(prepared, granularity, unrolling, wanted)?;
    with_programs(prepared, &parts, cycles, pins, budget)
}

/// As [`unrolled`], with these programs.
///
/// # Errors
/// None for programs of the network.
pub fn with_programs(
    prepared: &Prepared,
    parts: &[Unrolled],
    cycles: u64,
    pins: &HashMap<String, Pin>,
    budget: Budget,
) -> Result<(Design, Folding), Diag> {
    // A frame takes as many cycles as its programs have beats, so nothing else needs to be faster.
    let beats = parts.iter().map(|u| (u.program.beats * u.program.interval) as u64).max().unwrap_or(1);
    let folding = fold::balanced(&prepared.int, cycles.max(beats), pins, budget);
    let mut design = lower::run_with(&prepared.int, &prepared.realizations, &folding, parts)?;
    fifo::run(&mut design)?;
    Ok((design, folding))
}

/// As [`build`] for one interval: as near to it as the network's structure allows.
fn at(
    prepared: &Prepared,
    cycles: u64,
    pins: &HashMap<String, Pin>,
    budget: Budget,
    limits: Resources,
    solve: impl Fn(Objective, Resources) -> Result<(Design, Folding), Diag>,
) -> Result<(Design, Folding), Diag> {
    let mut folding = fold::balanced(&prepared.int, cycles, pins, budget);
    let mut design = lower::run(&prepared.int, &prepared.realizations, &folding)?;
    fifo::run(&mut design)?;
    let used = optimize::design_cost(&design, &Analytic::default());
    let reached = timing::bottleneck(&design).0.max(cycles);
    let better = solve(Objective::Interval(reached), limits.zip(&used, u64::min));
    match better.or_else(|_| solve(Objective::Interval(reached), limits)) {
        Ok(found) => Ok(found),
        Err(_) => {
            folding.interval = reached;
            Ok((design, folding))
        }
    }
}

/// # Errors
/// [`Code::DoesNotFit`] when the slowest module needs more than `cycles` a frame, with its name and the interval that works.
fn reaches(design: &Design, cycles: u64) -> Result<(), Diag> {
    let (reached, slowest) = timing::bottleneck(design);
    if reached <= cycles {
        return Ok(());
    }
    let slowest = slowest.map_or(String::new(), |id| format!("; {:?} needs them all", design.module(id).name));
    let cause = format!("a frame takes at least {reached} cycles, {cycles} were asked for{slowest}");
    Err(Diag::new(Code::DoesNotFit, &design.name, cause)
        .help(format!("ask for a frame every {reached} cycles, or loosen the pins of that layer in the configuration")))
}
