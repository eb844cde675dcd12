//! Exact cycles of a design: a simulation of firings, without data.
//!
//! The rules are those of the module doc of [`super`]. Inputs offer a beat every cycle and outputs are always ready, as
//! `netfold sim` does without stalls, so that [`Timing::latency_cycles`] and [`Timing::interval_cycles`] equal what a Verilog
//! simulation counts. A self-timed design of this kind is a timed marked graph (Commoner, Holt, Even and Pnueli, 1971): its
//! firing times are monotone in the FIFO depths, which [`required_depths`] relies on.
//!
//! There is no global clock in the simulation. Every stream carries the cycles in which its beats can be taken and in which its
//! places are free again; a module computes the cycles of its next firings from them as far as they are known (`actor`).
//! Idle cycles cost nothing, and a firing costs a few nanoseconds.

mod actor;
mod fifo;
mod plan;
mod run;
#[cfg(test)]
mod tests;

use super::{Design, ModuleId};
use crate::diag::Diag;
use plan::Plan;
use run::{Mode, Run};
use std::cmp::Reverse;

/// Cycle counts of a design.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// From the cycle of the first input beat's handshake to the cycle of the last output beat's handshake of the first frame.
    pub latency_cycles: u64,
    /// Between the last output beats of consecutive frames in the steady state.
    pub interval_cycles: u64,
    /// Largest number of places reserved in each stream, in the order of [`Design::streams`].
    pub peak: Vec<usize>,
    /// Firings of each module that happened later than the cycle after its previous one because an output had no space,
    /// by [`ModuleId::index`]; nonzero marks back pressure.
    pub blocked: Vec<u64>,
}

/// Frames simulated at least and at most until the interval is steady.
const FRAMES: [u64; 2] = [4, 64];

/// Frames more that are simulated where the interval is not steady yet.
const MORE_FRAMES: u64 = 2;

/// Latency and interval of a design with its FIFO depths.
///
/// The interval is steady when three consecutive frames are equally far apart and either as far as the slowest module dictates,
/// or so for every module of the design; otherwise more frames are simulated. Without a steady state within 64 frames (a design
/// whose period is several frames) it is the mean over the last half of them, rounded up.
///
/// # Errors
/// A deadlock: a module that waits for space, and the module that does not take because it waits for another input.
pub fn simulate(design: &Design) -> Result<Timing, Diag> {
    Simulator::new(design).run(&depths(design), true)
}

/// Depths of a design's FIFOs, in the order of [`Design::streams`].
pub fn depths(design: &Design) -> Vec<usize> {
    design.streams().iter().map(|(_, _, s)| s.depth).collect()
}

/// As [`simulate`] without [`Timing::peak`]; `None` when the first frame takes more than `latency` cycles, which is told from that frame
/// alone.
///
/// # Errors
/// As [`simulate`].
pub fn simulate_within(design: &Design, latency: u64) -> Result<Option<Timing>, Diag> {
    let depths = depths(design);
    let mode = Mode { depths: Some(&depths), latest: Some(latency), ..Mode::of(FRAMES[0]) };
    let timing = Simulator::new(design).timing(mode)?;
    Ok(timing.filter(|t| t.latency_cycles <= latency))
}

/// A design to be simulated several times: what does not depend on FIFO depths is computed once.
#[derive(Debug, Clone)]
pub struct Simulator<'a> {
    plan: Plan<'a>,
    least: u64,
}

impl<'a> Simulator<'a> {
    /// Prepares a design.
    pub fn new(design: &'a Design) -> Simulator<'a> {
        Simulator { plan: Plan::new(design), least: bottleneck(design).0 }
    }

    /// As [`simulate`] with other FIFO depths, in the order of [`Design::streams`]. Without `peaks`, [`Timing::peak`] is empty
    /// and the simulation faster.
    ///
    /// # Errors
    /// As [`simulate`].
    pub fn run(&self, depths: &[usize], peaks: bool) -> Result<Timing, Diag> {
        let timing = self.timing(Mode { depths: Some(depths), peaks, ..Mode::of(FRAMES[0]) })?;
        timing.ok_or_else(|| Diag::internal(&self.plan.design.name, "a simulation without a deadline is late"))
    }

    /// The timing when the first frame is not late ([`Mode::latest`]).
    fn timing(&self, mode: Mode<'_>) -> Result<Option<Timing>, Diag> {
        let mut frames = mode.frames;
        let mut run = Run::new(&self.plan, mode);
        loop {
            run.advance()?;
            if run.is_late() {
                return Ok(None);
            }
            let ends = run.ends();
            let gaps: Vec<u64> = ends.windows(2).map(|w| w[1] - w[0]).collect();
            let last = gaps.last().copied().unwrap_or(0);
            let even = gaps.len() >= 3 && gaps[gaps.len() - 3..].iter().all(|g| *g == last);
            let steady = even && (last == self.least || run.uniform(last));
            if steady || frames >= FRAMES[1] {
                let half = ends.len() / 2;
                let span = ends[ends.len() - 1] - ends[half];
                let interval = if steady { last } else { span.div_ceil((ends.len() - 1 - half) as u64) };
                let outcome = run.outcome();
                return Ok(Some(Timing {
                    latency_cycles: ends[0] - outcome.start,
                    interval_cycles: interval,
                    peak: outcome.peak,
                    blocked: outcome.blocked,
                }));
            }
            frames = (frames + MORE_FRAMES).min(FRAMES[1]);
            run.extend(frames);
        }
    }

    /// The timing of a design with these depths, without peaks, when it runs at an interval of `interval` cycles or less and its first
    /// frame takes at most `latency`. As [`Simulator::run`] would tell, but most of what does not meet that is told from the first frame
    /// alone: frames that follow never make it earlier.
    pub fn meets(&self, depths: &[usize], interval: u64, latency: u64) -> Option<Timing> {
        let mode = |frames: u64| Mode { depths: Some(depths), latest: Some(latency), ..Mode::of(frames) };
        let mut first = Run::new(&self.plan, Mode { alone: true, ..mode(1) });
        if first.advance().is_err() || first.is_late() {
            return None;
        }
        let timing = self.timing(mode(FRAMES[0])).ok().flatten();
        timing.filter(|t| t.interval_cycles <= interval && t.latency_cycles <= latency)
    }

    /// See [`required_depths`].
    ///
    /// # Errors
    /// None for a verified design.
    pub fn required_depths(&self, interval: u64) -> Result<Vec<usize>, Diag> {
        let mode = Mode { pace: interval.max(1), peaks: true, ..Mode::of(4) };
        let outcome = Run::new(&self.plan, mode).finish()?;
        Ok(outcome.peak.iter().map(|p| (*p).max(1)).collect())
    }

    /// Latency with unbounded FIFOs of a frame that no other one follows, and depths with which it is reached, but for FIFOs that are read
    /// later because they are deep: what the frame occupies when its beats come one a cycle.
    ///
    /// # Errors
    /// None for a verified design.
    pub fn first_frame(&self) -> Result<(u64, Vec<usize>), Diag> {
        let outcome = Run::new(&self.plan, Mode { peaks: true, alone: true, ..Mode::of(1) }).finish()?;
        let depths = outcome.peak.iter().map(|p| (*p).max(1)).collect();
        Ok((outcome.ends[0] - outcome.start, depths))
    }

    /// Latency with unbounded FIFOs: no depths make the first frame faster.
    ///
    /// # Errors
    /// None for a verified design.
    pub fn unbounded_latency(&self) -> Result<u64, Diag> {
        let outcome = Run::new(&self.plan, Mode::of(1)).finish()?;
        Ok(outcome.ends[0] - outcome.start)
    }
}

/// Lower bound of the latency of a design's foldings, in cycles from the first input beat to the last output beat: what data
/// dependence and the units' work force, whatever the order of work in matrix-vector units and the depth of FIFOs.
///
/// It is the latency of the design with unbounded FIFOs in which every matrix-vector unit, firing once a cycle, gives each row group of
/// results as soon as it could be done if the unit worked for it and those before it alone: after all beats of the vector, and
/// after one firing a beat and row group, each after its beat.
///
/// # Errors
/// None for a verified design.
pub fn least_latency(design: &Design) -> Result<u64, Diag> {
    let mode = Mode { free: true, alone: true, ..Mode::of(1) };
    let outcome = Run::new(&Plan::new(design), mode).finish()?;
    Ok(outcome.ends[0] - outcome.start)
}

/// Cycle of the last output beat of each of `frames` frames, counted from the first input beat.
///
/// # Errors
/// As [`simulate`].
pub fn frame_ends(design: &Design, frames: u64) -> Result<Vec<u64>, Diag> {
    let depths = depths(design);
    let mode = Mode { depths: Some(&depths), ..Mode::of(frames) };
    let outcome = Run::new(&Plan::new(design), mode).finish()?;
    Ok(outcome.ends.iter().map(|end| end - outcome.start).collect())
}

/// Lower bound of the interval: the most firings a frame of any module.
pub fn bottleneck(design: &Design) -> (u64, Option<ModuleId>) {
    design
        .modules()
        .into_iter()
        .map(|m| (design.module(m).kind.firings() as u64, Some(m)))
        .max_by_key(|(n, m)| (*n, Reverse(*m)))
        .unwrap_or((0, None))
}

/// FIFO depths, in the order of [`Design::streams`], with which the design runs at an interval of `interval` cycles.
///
/// They are the peak occupations of a run with unbounded FIFOs whose inputs come evenly spread over the interval; by
/// monotonicity the design with these depths is at least as fast.
///
/// # Errors
/// None for a verified design.
pub fn required_depths(design: &Design, interval: u64) -> Result<Vec<usize>, Diag> {
    Simulator::new(design).required_depths(interval)
}
