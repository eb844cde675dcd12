//! `size FIFOs`: the least depths with which the design runs at the rate of its slowest unit.
//!
//! Depths that suffice follow from one run with unbounded FIFOs whose inputs come evenly spread over the interval
//! ([`timing::required_depths`]); where that run is not like one at full rate, a few beats more. They are then trimmed with the exact simulation: all of them by a common factor, and each by
//! bisection, the widest memories first. Firing times are monotone in depths, so bisection is exact, and a depth that was
//! trimmed cannot be one less: the interval would grow, the first frame be later, or the design deadlock.

use netfold_ir::diag::Diag;
use netfold_ir::hw::timing::{self, Timing};
use netfold_ir::hw::{Design, ModuleId, Stream};

/// Depth that every FIFO has at least: with two places a beat can be written while the one before is taken.
pub const LEAST_DEPTH: usize = 2;

/// Firings that trimming may simulate in all; what is not trimmed by then keeps its sufficient depth.
const EFFORT: u64 = 8_000_000;

/// Sets the depth of every stream to the least that the bottleneck's interval needs.
///
/// # Errors
/// None for a verified design.
pub fn run(design: &mut Design) -> Result<(), Diag> {
    run_with(design, EFFORT)
}

/// As [`run`], with an effort in simulated firings; 0: sufficient depths, not trimmed.
///
/// # Errors
/// None for a verified design.
pub fn run_with(design: &mut Design, effort: u64) -> Result<(), Diag> {
    let simulator = timing::Simulator::new(design);
    let enough =
        simulator.required_depths(timing::bottleneck(design).0)?.into_iter().map(|d| d.max(LEAST_DEPTH)).collect();
    let depths = if effort > 0 { least(design, &simulator, enough, effort)?.1 } else { enough };
    set(design, depths);
    Ok(())
}

/// As [`run`], from the depths that [`run_with`] gives without effort. Returns the exact cycles where they are known.
///
/// # Errors
/// None for a verified design.
pub fn trim(design: &mut Design) -> Result<Option<Timing>, Diag> {
    trim_with(design, EFFORT)
}

/// As [`trim`], with an effort in simulated firings.
///
/// # Errors
/// None for a verified design.
pub fn trim_with(design: &mut Design, effort: u64) -> Result<Option<Timing>, Diag> {
    let enough = design.streams().iter().map(|(_, _, s)| s.depth).collect();
    let (timing, depths) = least(design, &timing::Simulator::new(design), enough, effort)?;
    set(design, depths);
    Ok(timing)
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

/// The least depths with which the design runs at its interval, from sufficient ones; its cycles when none was trimmed.
fn least(
    design: &Design,
    simulator: &timing::Simulator<'_>,
    enough: Vec<usize>,
    effort: u64,
) -> Result<(Option<Timing>, Vec<usize>), Diag> {
    let (interval, _) = timing::bottleneck(design);
    let (reference, enough) = at_rate(simulator, interval, enough)?;
    let goal = interval.max(reference.interval_cycles);
    let depths = trimmed(design, simulator, goal, reference.latency_cycles, enough.clone(), effort);
    Ok(((depths == enough).then_some(reference), depths))
}

/// Depths with which the design runs at the interval.
///
/// Inputs that come evenly spread, from which depths were found, are not those of a source that is held back: a window unit that has taken
/// a beat of the next frame waits for more of them before it gives the last windows of this one. Where that costs cycles a few
/// beats more everywhere make up for it.
fn at_rate(simulator: &timing::Simulator<'_>, interval: u64, enough: Vec<usize>) -> Result<(Timing, Vec<usize>), Diag> {
    let mut best = (simulator.run(&enough, true)?, enough.clone());
    for k in 1..=DEEPENINGS {
        if best.0.interval_cycles <= interval {
            break;
        }
        let deeper: Vec<usize> = enough.iter().map(|d| d + (1 << k)).collect();
        let reached = simulator.run(&deeper, true)?;
        if reached.interval_cycles < best.0.interval_cycles {
            best = (reached, deeper);
        }
    }
    Ok(best)
}

/// Least depths, one stream after the other, that keep the interval `goal` and the first frame's `latency`, which those of `enough` do.
fn trimmed(
    design: &Design,
    simulator: &timing::Simulator<'_>,
    goal: u64,
    latency: u64,
    enough: Vec<usize>,
    effort: u64,
) -> Vec<usize> {
    // A module's firings that move nothing cost nothing: its beats, and setting up, are what a simulation takes.
    let beats: u64 = design.streams().iter().map(|(_, _, s)| s.beats as u64).sum();
    let mut trials = effort / (6 * beats + 20_000);
    if trials < 8 || enough.iter().all(|d| *d == LEAST_DEPTH) {
        return enough;
    }
    let holds = |depths: &[usize]| simulator.meets(depths, goal, latency);
    // All depths as 1/16 parts of what is enough.
    let scaled = |k: usize| -> Vec<usize> { enough.iter().map(|d| (d * k).div_ceil(16).max(LEAST_DEPTH)).collect() };
    let (mut lo, mut hi) = (0, 16);
    if holds(&scaled(0)) {
        return scaled(0);
    }
    while hi - lo > 1 {
        let mid = lo + (hi - lo) / 2;
        if holds(&scaled(mid)) { hi = mid } else { lo = mid }
    }
    let mut depths = scaled(hi);
    // Each stream by itself, the most bits first.
    let widths: Vec<usize> = design.streams().iter().map(|(_, _, s)| s.width()).collect();
    let mut order: Vec<usize> = (0..depths.len()).filter(|i| depths[*i] > LEAST_DEPTH).collect();
    order.sort_by_key(|i| (std::cmp::Reverse(depths[*i] * widths[*i]), *i));
    trials -= 6;
    for i in order {
        let (mut lo, mut hi) = (LEAST_DEPTH - 1, depths[i]);
        // Above the shallow depths a FIFO is read later, so the search is monotone only on either side.
        if hi > Stream::SHALLOW && trials > 0 {
            trials -= 1;
            let whole = std::mem::replace(&mut depths[i], Stream::SHALLOW);
            if holds(&depths) {
                hi = Stream::SHALLOW;
            } else {
                lo = Stream::SHALLOW;
            }
            depths[i] = whole;
        }
        while hi - lo > 1 && trials > 0 {
            trials -= 1;
            let mid = lo + (hi - lo) / 2;
            depths[i] = mid;
            if holds(&depths) { hi = mid } else { lo = mid }
        }
        depths[i] = hi;
    }
    depths
}
