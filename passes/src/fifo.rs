//! `size FIFOs`: the least depths with which the design runs at the rate of its slowest unit.
//!
//! Depths that suffice follow from one run with unbounded FIFOs whose inputs come evenly spread over the interval
//! ([`timing::required_depths`]); where that run is not like one at full rate, a few beats more. They are then trimmed with the
//! exact simulation: first one simulation a stream tells which of them cannot be a beat less; then all are lowered by a common
//! factor, and each by bisection, the widest memories first, as far as that leaves it open. Firing times are monotone in depths,
//! so this is exact, and a depth that was trimmed cannot be one less: the interval would grow, the first frame be later, or the
//! design deadlock.

use netfold_ir::diag::Diag;
use netfold_ir::hw::timing::{self, Timing};
use netfold_ir::hw::{Design, ModuleId, Stream};
use rayon::prelude::*;

/// Depth that every FIFO has at least: with two places a beat can be written while the one before is taken.
pub const LEAST_DEPTH: usize = 2;

/// Firings that trimming may simulate in all; what is not trimmed by then keeps its sufficient depth.
const EFFORT: u64 = 8_000_000;

/// Sets the depth of every stream to the least that the bottleneck's interval needs. Returns the exact cycles, without
/// [`Timing::peak`].
///
/// # Errors
/// None for a verified design.
pub fn run(design: &mut Design) -> Result<Timing, Diag> {
    let depths = enough(design)?;
    set(design, depths);
    trim(design)
}

/// As [`run`], with an effort in simulated firings; 0: sufficient depths, not trimmed.
///
/// # Errors
/// None for a verified design.
pub fn run_with(design: &mut Design, effort: u64) -> Result<(), Diag> {
    let depths = enough(design)?;
    set(design, depths);
    if effort > 0 {
        trim_with(design, effort)?;
    }
    Ok(())
}

/// Sufficient depths.
fn enough(design: &Design) -> Result<Vec<usize>, Diag> {
    let depths = timing::required_depths(design, timing::bottleneck(design).0)?;
    Ok(depths.into_iter().map(|d| d.max(LEAST_DEPTH)).collect())
}

/// As [`run`], from the depths that [`run_with`] gives without effort. Returns the exact cycles, without [`Timing::peak`].
///
/// # Errors
/// None for a verified design.
pub fn trim(design: &mut Design) -> Result<Timing, Diag> {
    trim_with(design, EFFORT)
}

/// As [`trim`], with an effort in simulated firings.
///
/// # Errors
/// None for a verified design.
pub fn trim_with(design: &mut Design, effort: u64) -> Result<Timing, Diag> {
    let (timing, depths) = least(design, &timing::Simulator::new(design), timing::depths(design), effort)?;
    set(design, depths);
    Ok(timing)
}

/// Deepens FIFOs to where they do not hold back the first frame any more.
///
/// # Errors
/// None for a verified design.
pub fn deepen(design: &mut Design) -> Result<(), Diag> {
    let (_, first) = timing::Simulator::new(design).first_frame()?;
    let depths = timing::depths(design).into_iter().zip(first).map(|(a, b)| a.max(b)).collect();
    set(design, depths);
    Ok(())
}

/// Simulations that an effort in firings allows. A module's firings that move nothing cost nothing: its beats, and setting up, are what a
/// simulation takes.
fn trials(design: &Design, effort: u64) -> u64 {
    let beats: u64 = design.streams().iter().map(|(_, _, s)| s.beats as u64).sum();
    effort / (6 * beats + 20_000)
}

/// Fewest simulations with which trimming begins.
const LEAST_TRIALS: u64 = 8;

/// Whether an effort in firings suffices to trim anything.
pub fn is_enough(design: &Design, effort: u64) -> bool {
    trials(design, effort) >= LEAST_TRIALS
}

/// Sets the depths of all streams.
fn set(design: &mut Design, depths: Vec<usize>) {
    let places: Vec<(ModuleId, usize)> = design.streams().iter().map(|(from, _, s)| (*from, s.from_port)).collect();
    for ((module, port), depth) in places.into_iter().zip(depths) {
        if let Some(stream) = design.stream_mut(module, port) {
            stream.depth = depth;
        }
    }
}

/// Times that FIFOs are deepened, by twice as many beats each time.
const DEEPENINGS: u32 = 5;

/// The least depths with which the design runs at its interval, from sufficient ones, and its cycles.
fn least(
    design: &Design,
    simulator: &timing::Simulator<'_>,
    enough: Vec<usize>,
    effort: u64,
) -> Result<(Timing, Vec<usize>), Diag> {
    let (interval, _) = timing::bottleneck(design);
    let (reference, enough) = at_rate(simulator, interval, enough)?;
    Ok(trimmed(design, simulator, reference, enough, trials(design, effort)))
}

/// Depths with which the design runs at the interval.
///
/// Inputs that come evenly spread, from which depths were found, are not those of a source that is held back: a window unit that has taken
/// a beat of the next frame waits for more of them before it gives the last windows of this one. Where that costs cycles a few
/// beats more everywhere make up for it.
fn at_rate(simulator: &timing::Simulator<'_>, interval: u64, enough: Vec<usize>) -> Result<(Timing, Vec<usize>), Diag> {
    let mut best = (simulator.run(&enough, false)?, enough.clone());
    for k in 1..=DEEPENINGS {
        if best.0.interval_cycles <= interval {
            break;
        }
        let deeper: Vec<usize> = enough.iter().map(|d| d + (1 << k)).collect();
        let reached = simulator.run(&deeper, false)?;
        if reached.interval_cycles < best.0.interval_cycles {
            best = (reached, deeper);
        }
    }
    Ok(best)
}

/// Trimming of one design's FIFOs.
///
/// Where a design with one stream a beat less deep does not meet the request, none does in which that stream is as shallow and the others are
/// no deeper, as long as each is read in the same cycle: firing times are monotone. So one simulation a stream tells what a bisection
/// takes several for, and it serves whatever becomes of the other streams.
struct Trimming<'a> {
    simulator: &'a timing::Simulator<'a>,
    /// Sufficient depths, and the cycles with them: what is to be kept.
    enough: &'a [usize],
    kept: &'a Timing,
    /// Depths below which streams are known not to do.
    floors: Vec<usize>,
}

impl Trimming<'_> {
    /// Finds the floors of some streams, each a simulation.
    fn explore(&mut self, streams: &[usize]) {
        let fails = |i: &usize| {
            let mut less = self.enough.to_vec();
            less[*i] -= 1;
            self.comparable(&less) && self.meets(&less).is_none()
        };
        let fail: Vec<bool> = streams.par_iter().map(fails).collect();
        streams.iter().zip(fail).filter(|(_, fails)| *fails).for_each(|(i, _)| self.floors[*i] = self.enough[*i]);
    }

    /// Whether all streams are read in the same cycle as with the sufficient depths.
    fn comparable(&self, depths: &[usize]) -> bool {
        depths.iter().zip(self.enough).all(|(a, b)| (*a > Stream::SHALLOW) == (*b > Stream::SHALLOW))
    }

    /// Whether depths are known not to keep the cycles. None may be above the sufficient ones.
    fn excludes(&self, depths: &[usize]) -> bool {
        depths.iter().zip(&self.floors).any(|(depth, floor)| depth < floor) && self.comparable(depths)
    }

    /// The cycles with these depths by simulation, where they keep the interval and the first frame's latency.
    fn meets(&self, depths: &[usize]) -> Option<Timing> {
        self.simulator.meets(depths, self.kept.interval_cycles, self.kept.latency_cycles)
    }

    /// As [`Trimming::meets`], without simulation where the answer is known.
    fn holds(&self, depths: &[usize]) -> Option<Timing> {
        if self.excludes(depths) {
            None
        } else if depths == self.enough {
            Some(self.kept.clone())
        } else {
            self.meets(depths)
        }
    }

    /// The least value above `lo` whose depths hold, given that those of `hi` do, in at most `trials` trials; notes the cycles. Besides each value
    /// the one that follows where it holds is simulated at the same time, on another core; trials count as one after the other,
    /// whether simulated or known.
    fn bisect(
        &self,
        (mut lo, mut hi): (usize, usize),
        trials: &mut u64,
        timing: &mut Timing,
        depths: impl Fn(usize) -> Vec<usize> + Sync,
    ) -> usize {
        while hi - lo > 1 && *trials > 0 {
            let mid = lo + (hi - lo) / 2;
            let below = lo + (mid - lo) / 2;
            let both = mid - lo > 1 && *trials > 1;
            *trials -= 1;
            let (at, then) = (depths(mid), both.then(|| depths(below)));
            if self.excludes(&at) {
                lo = mid;
                continue;
            }
            let (at, next) = match &then {
                Some(then) if !self.excludes(then) => rayon::join(|| self.holds(&at), || self.holds(then)),
                _ => (self.holds(&at), None),
            };
            let Some(t) = at else {
                lo = mid;
                continue;
            };
            (hi, *timing) = (mid, t);
            if both {
                *trials -= 1;
                match next {
                    Some(t) => (hi, *timing) = (below, t),
                    None => lo = below,
                }
            }
        }
        hi
    }
}

/// Trials that finding a depth takes where no lower one holds.
fn trials_of(depth: usize) -> u64 {
    u64::from((depth - LEAST_DEPTH + 1).ilog2()) + 1
}

/// Least depths, one stream after the other, that keep the interval and the first frame's latency that sufficient ones have, found with so
/// many trials at most; and the cycles of the design with them.
fn trimmed(
    design: &Design,
    simulator: &timing::Simulator<'_>,
    kept: Timing,
    enough: Vec<usize>,
    mut trials: u64,
) -> (Timing, Vec<usize>) {
    if trials < LEAST_TRIALS || enough.iter().all(|d| *d == LEAST_DEPTH) {
        return (kept, enough);
    }
    // Streams that can be less deep, the most bits first.
    let widths: Vec<usize> = design.streams().iter().map(|(_, _, s)| s.width()).collect();
    let ordered = |depths: &[usize]| {
        let mut order: Vec<usize> = (0..depths.len()).filter(|i| depths[*i] > LEAST_DEPTH).collect();
        order.sort_by_key(|i| (std::cmp::Reverse(depths[*i] * widths[*i]), *i));
        order
    };
    let mut trimming = Trimming { simulator, enough: &enough, kept: &kept, floors: vec![LEAST_DEPTH; enough.len()] };
    // No more of them than the trials would suffice for one by one.
    let mut taken = 0;
    let mut explored = ordered(&enough);
    explored.retain(|i| {
        taken += trials_of(enough[*i]);
        taken <= trials
    });
    trimming.explore(&explored);
    // All depths as 1/16 parts of what is enough.
    let scaled = |k: usize| -> Vec<usize> { enough.iter().map(|d| (d * k).div_ceil(16).max(LEAST_DEPTH)).collect() };
    if let Some(t) = trimming.holds(&scaled(0)) {
        return (t, scaled(0));
    }
    let (mut timing, mut unlimited) = (kept.clone(), u64::MAX);
    let part = trimming.bisect((0, 16), &mut unlimited, &mut timing, scaled);
    let mut depths = scaled(part);
    // Each stream by itself.
    trials -= 6;
    for i in ordered(&depths) {
        let with = |depth: usize| {
            let mut changed = depths.clone();
            changed[i] = depth;
            changed
        };
        let (mut lo, mut hi) = (LEAST_DEPTH - 1, depths[i]);
        // Above the shallow depths a FIFO is read later, so the search is monotone only on either side.
        if hi > Stream::SHALLOW && trials > 0 {
            trials -= 1;
            match trimming.holds(&with(Stream::SHALLOW)) {
                Some(t) => (hi, timing) = (Stream::SHALLOW, t),
                None => lo = Stream::SHALLOW,
            }
        }
        depths[i] = trimming.bisect((lo, hi), &mut trials, &mut timing, with);
    }
    (timing, depths)
}
