//! The board as the folding optimizer sees it: what there is, what may be used, what things cost.

use crate::flow::Job;
use crate::folded::Folded;
use netfold_boards::Board;
use netfold_ir::diag::{Code, Diag};
use netfold_ir::hw::{Design, timing::Timing};
use netfold_passes::explore::{self, NextStep, Report};
use netfold_passes::fit;
use netfold_passes::fold::Budget;
use netfold_passes::optimize::{self, Objective, Refused, Request, Resources};
use netfold_passes::pipeline::LATENCY_SHARE;
use std::time::Instant;

/// What a board has.
pub fn device(board: &Board) -> Resources {
    let r = &board.resources;
    Resources { lut: r.lut, ff: r.ff, dsp: r.dsp_count(), bram18: 2 * r.bram36(), uram: r.uram_count() }
}

/// What the balanced rule needs to know of a board.
pub fn budget(board: &Board) -> Budget {
    let dsp = usize::try_from(board.resources.dsp_count()).unwrap_or(usize::MAX);
    Budget { dsp, block_memory: board.resources.bram.count > 0 }
}

impl Job {
    /// What may be used: all of the board, or the share of each resource that was given.
    pub fn limits(&self) -> Resources {
        let device = device(&self.board);
        self.config.target.max_utilization.map_or(device, |share| device.share(share))
    }

    /// The folding problem on this job's board; the objective is a stand-in.
    pub fn request(&self) -> Request<'_> {
        Request {
            objective: Objective::Fastest,
            device: device(&self.board),
            limits: self.limits(),
            pins: &self.pins,
            model: &self.prices,
            latency_share: LATENCY_SHARE,
            effort: self.config.target.effort.unwrap_or(1.0),
            known: Some(&self.known),
        }
    }

    /// The nearest request that works as the command line has it.
    pub fn as_arguments(&self, objective: Objective) -> String {
        match objective {
            Objective::Interval(cycles) => format!("--fps {}", self.fps(cycles)),
            Objective::Latency(cycles) => {
                format!("--latency-ns {}", (cycles as f64 * 1000.0 / self.clock_mhz).ceil())
            }
            Objective::Fastest => "--fps max".to_string(),
            Objective::LowestLatency => "--latency-ns min".to_string(),
        }
    }

    /// Frames a second at an interval, rounded so that the interval comes back.
    fn fps(&self, cycles: u64) -> f64 {
        let fps = self.clock_mhz * 1e6 / cycles.max(1) as f64;
        if fps >= 1.0 { (fps * 1e3).floor() / 1e3 } else { fps }
    }
}

/// Folds a job within its board's limits.
///
/// # Errors
/// [`Code::DoesNotFit`]: what is short, in which layer, and the arguments nearest to those given that work.
pub fn streams(job: &Job) -> Result<Folded, Diag> {
    let start = Instant::now();
    let solved = fit::target_and_step(&job.prepared, job.target, &job.request());
    let folded = |(s, next)| Folded { next, ..Folded::of(s, job.target, start) };
    solved.map(folded).map_err(|Refused { diag, nearest }| match nearest {
        Some(objective) => {
            let works = format!("{} works at {} MHz on {}", job.as_arguments(objective), job.clock_mhz, job.board.name);
            let help = if diag.help.is_empty() { works } else { format!("{}: {works}", diag.help) };
            diag.help(help)
        }
        None => diag,
    })
}

/// How busy a design's multipliers are, and what the next faster step of the folding costs.
///
/// # Errors
/// None for a design that was built.
pub fn utilization(job: &Job, folded: &Folded, timing: &Timing) -> Result<Report, Diag> {
    let step = match folded.next {
        Some(step) => step,
        None => fit::next_step(&job.prepared, &job.request(), timing.interval_cycles)?,
    };
    let next = step.map(|(interval_cycles, used)| NextStep { interval_cycles, used });
    Ok(explore::utilization(&folded.design, timing, &job.prices, next))
}

/// Refuses a design that is larger than the board, before anything is written.
///
/// # Errors
/// [`Code::DoesNotFit`] with every resource that is short and the layer that takes most of it.
pub fn check(job: &Job, design: &Design) -> Result<(), Diag> {
    optimize::fits(design, &job.limits(), &job.prices).map(|_| ()).map_err(|diag| match diag.code {
        Code::DoesNotFit => Diag { place: job.board.name.clone(), ..diag },
        _ => diag,
    })
}
