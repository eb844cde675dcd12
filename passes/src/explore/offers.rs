//! Designs that the folding optimizer does not make itself, as points of the same front: unrolled ones.

use super::{Exploration, Front, by_rate, pareto, point_of};
use crate::optimize::Resources;

/// A finished design.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// First input beat to last output beat, in cycles.
    pub latency_cycles: u64,
    /// Between frames, in cycles.
    pub interval_cycles: u64,
    /// What it uses, FIFOs included.
    pub used: Resources,
    /// Arguments that its command has beside the rate.
    pub arguments: Vec<String>,
}

impl Front {
    /// A front without points.
    pub fn empty(exploration: &Exploration<'_>) -> Front {
        Front {
            model: exploration.model.to_string(),
            board: exploration.board.to_string(),
            clock_mhz: exploration.clock_mhz,
            points: Vec::new(),
        }
    }

    /// Adds the designs that fit the request's limits; points that one of them beats leave, and the other way round.
    #[must_use]
    pub fn with(mut self, exploration: &Exploration<'_>, offers: &[Offer]) -> Front {
        for o in offers.iter().filter(|o| o.used.within(&exploration.request.limits)) {
            let options: Vec<String> = exploration.options.iter().chain(&o.arguments).cloned().collect();
            let command = by_rate(&Exploration { options: &options, ..*exploration }, o.interval_cycles);
            let cycles = (o.latency_cycles, o.interval_cycles);
            self.points.push(point_of(exploration, cycles, o.used, 0.0, command));
        }
        self.points = pareto(self.points);
        self
    }
}
