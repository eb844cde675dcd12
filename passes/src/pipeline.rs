//! The pipeline: every pass by name, in order, each followed by the verifier of its level.

use crate::fold::{self, Budget, Folding, Pin};
use crate::lower::{self, Realizations};
use crate::precision::{Calibration, Formats};
use crate::quantize::Summary;
use crate::{fifo, normalize, quantize, streamline};
use netfold_ir::diag::{Code, Diag, Diags};
use netfold_ir::hw::{Design, timing};
use netfold_ir::int::IntNetwork;
use netfold_ir::net::Network;
use std::collections::HashMap;

/// Name and one-line description of every pass, in the order in which they run.
pub const PASSES: [(&str, &str); 8] = [
    ("parse", "read the file into the network level"),
    ("normalize", "one canonical form: transposes merged, batch norms folded into float weights"),
    ("quantize", "give every tensor a number format"),
    ("streamline", "make the integer network: scales vanish into step functions"),
    ("realize", "choose a proved circuit for every step function"),
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
    let int = streamline::run(net)?;
    let realizations = lower::realize_all(&int)?;
    Ok(Prepared { int, realizations, summary })
}

/// What the folding must reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A frame every so many cycles or fewer.
    Interval(u64),
    /// First input to last output in so many cycles or fewer.
    Latency(u64),
    /// As fast as this many multipliers allow.
    Multipliers(usize),
}

/// Fold, lower and size the FIFOs.
pub fn build(
    prepared: &Prepared,
    target: Target,
    pins: &HashMap<String, Pin>,
    budget: Budget,
) -> Result<(Design, Folding), Diag> {
    let at = |interval: u64| -> Result<(Design, Folding), Diag> {
        let folding = fold::balanced(&prepared.int, interval, pins, budget);
        let mut design = lower::run(&prepared.int, &prepared.realizations, &folding)?;
        fifo::run(&mut design)?;
        Ok((design, folding))
    };
    match target {
        Target::Interval(cycles) => at(cycles.max(1)),
        Target::Multipliers(n) => at(fold::fastest_within(&prepared.int, n, pins)),
        Target::Latency(cycles) => {
            let latency =
                |interval: u64| -> Result<u64, Diag> { Ok(timing::simulate(&at(interval)?.0)?.latency_cycles) };
            let best = latency(1)?;
            if best > cycles {
                return Err(Diag::new(
                    Code::DoesNotFit,
                    &prepared.int.name,
                    format!("a latency of {cycles} cycles cannot be reached: fully parallel it is {best} cycles"),
                )
                .help("ask for more time, a higher clock, or use the unrolled style"));
            }
            let (mut lo, mut hi) = (1, cycles.max(2));
            while hi - lo > 1 {
                let mid = lo + (hi - lo) / 2;
                if latency(mid)? <= cycles { lo = mid } else { hi = mid }
            }
            at(lo)
        }
    }
}
