//! A design, the folding that makes it again, and what was proved of it.

use netfold_ir::hw::Design;
use netfold_ir::hw::timing::Timing;
use netfold_passes::fit::NextStep;
use netfold_passes::fold::Folding;
use netfold_passes::optimize::{Resources, Solution};
use netfold_passes::pipeline::Target;
use serde::Serialize;
use std::time::Instant;

/// A design with its folding.
pub struct Folded {
    /// The design, FIFOs sized.
    pub design: Design,
    /// The folding that makes it again.
    pub folding: Folding,
    /// How it was found, where the folding optimizer found it.
    pub solve: Option<Solve>,
    /// Its exact cycles, where they are known already.
    pub timing: Option<Timing>,
    /// What the next faster step costs, where that is known already.
    pub next: Option<NextStep>,
}

/// What the folding optimizer proved.
#[derive(Debug, Clone, Serialize)]
pub struct Solve {
    /// What was asked of it.
    pub objective: String,
    /// No folding within `within` has less than `1 - gap` times the objective's value; 0: proved optimal.
    pub gap: f64,
    /// The limits that the proof is of: those of the board, or of what the balanced rule takes, less what was set aside for FIFOs.
    pub within: Resources,
    /// Partial designs that the search extended.
    pub labels: usize,
    /// Time of the whole solve in seconds: prices, search, FIFO depths and cycles. Left out of generated files, which are always the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

impl Folded {
    /// What was found for a target, by a solve that began at `start`.
    pub fn of(solution: Solution, target: Target, start: Instant) -> Folded {
        let Solution { folding, design, timing, gap, within, labels, .. } = solution;
        let objective = match target {
            Target::Interval(_) | Target::Near(_) | Target::Multipliers(_) => {
                format!("least area for a frame every {} cycles", folding.interval)
            }
            Target::Latency(cycles) => format!("least area for a latency of {cycles} cycles"),
            Target::Fastest => "the shortest interval that fits".to_string(),
            Target::LowestLatency => "the lowest latency that fits".to_string(),
        };
        let solve = Some(Solve { objective, gap, within, labels, seconds: Some(start.elapsed().as_secs_f64()) });
        Folded { design, folding, solve, timing: Some(timing), next: None }
    }
}

impl Solve {
    /// In words.
    pub fn describe(&self) -> String {
        let proof = if self.gap <= 0.0 {
            "proved optimal".to_string()
        } else {
            format!("at most {} % from the optimum (a higher --effort may tell more)", (self.gap * 1e5).ceil() / 1e3)
        };
        let seconds = self.seconds.map_or(String::new(), |s| format!(", solved in {s:.2} s"));
        format!("{}: {proof} within {}{seconds}", self.objective, self.within)
    }
}
