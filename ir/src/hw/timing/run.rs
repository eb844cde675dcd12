//! A run: streams between actors, and the order in which actors get on.

use super::super::modules::Kind;
use super::actor::{Actor, Wait};
use super::fifo::Fifo;
use super::plan::{Link, Plan};
use crate::diag::{Code, Diag};
use std::collections::VecDeque;

/// How the simulation treats streams and sources.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mode<'a> {
    /// FIFO depths; `None`: unbounded.
    pub depths: Option<&'a [usize]>,
    /// Offer input beat `j` of a frame of `b` beats not before cycle `(frame + j / b) * pace`; 0: every cycle.
    pub pace: u64,
    /// Number of frames.
    pub frames: u64,
    /// Whether peak occupations are wanted.
    pub peaks: bool,
    /// Whether matrix-vector units give every result as soon as any order of their work could; with unbounded FIFOs only.
    pub free: bool,
    /// Whether no frames follow those that are counted.
    pub alone: bool,
    /// Give up when the first frame takes more cycles than this.
    pub latest: Option<u64>,
}

impl Mode<'_> {
    /// So many frames, unbounded FIFOs, nothing else.
    pub fn of(frames: u64) -> Mode<'static> {
        Mode { depths: None, pace: 0, frames, peaks: false, free: false, alone: false, latest: None }
    }
}

/// What a finished simulation leaves.
pub(super) struct Outcome {
    /// First firing of any source.
    pub start: u64,
    /// Last beat of any output, by frame.
    pub ends: Vec<u64>,
    /// Peak occupation of each stream.
    pub peak: Vec<usize>,
    /// See [`super::Timing::blocked`].
    pub blocked: Vec<u64>,
}

/// Firings of an actor before another one gets its turn.
const TURN: usize = 4096;

/// A simulation under way.
pub(super) struct Run<'a> {
    plan: &'a Plan<'a>,
    actors: Vec<Actor<'a>>,
    fifos: Vec<Fifo>,
    mode: Mode<'a>,
    sinks: Vec<usize>,
    /// Actors that may be able to fire, and whether each is among them.
    queue: VecDeque<usize>,
    queued: Vec<bool>,
    /// Whether it is given up, because the first frame is late ([`Mode::latest`]).
    late: bool,
    /// Whether a window unit stepped on without input after a source had offered its last beat.
    dry: bool,
}

impl<'a> Run<'a> {
    /// The initial state.
    pub fn new(plan: &'a Plan<'a>, mode: Mode<'a>) -> Run<'a> {
        let actors: Vec<Actor<'a>> = plan.units.iter().map(|unit| Actor::new(unit, &mode)).collect();
        let fifo = |(i, link): (usize, &Link)| {
            // Unbounded FIFOs are read like those of the depth that the stream has.
            let depth = mode.depths.map(|d| d[i]);
            Fifo::new(depth, depth.unwrap_or(link.depth), mode.peaks)
        };
        let fifos = plan.links.iter().enumerate().map(fifo).collect();
        let n = actors.len();
        let sinks = (0..n).filter(|i| matches!(actors[*i].unit.module.kind, Kind::Sink { .. })).collect();
        Run {
            plan,
            actors,
            fifos,
            mode,
            sinks,
            queue: (0..n).collect(),
            queued: vec![true; n],
            late: false,
            dry: false,
        }
    }

    /// Simulates all frames.
    pub fn finish(mut self) -> Result<Outcome, Diag> {
        self.advance()?;
        Ok(self.outcome())
    }

    /// Offers and counts more frames, `frames` in all. What happened so far is as with so many frames from the start, except where a
    /// window unit went on because no more beats were offered: then it begins anew.
    pub fn extend(&mut self, frames: u64) {
        self.mode.frames = frames;
        if self.dry {
            *self = Run::new(self.plan, self.mode);
            return;
        }
        self.actors.iter_mut().for_each(|a| a.extend(&self.mode));
        self.queue = (0..self.actors.len()).collect();
        self.queued.fill(true);
    }

    /// Simulates until all frames are counted, or the first one is late.
    pub fn advance(&mut self) -> Result<(), Diag> {
        let n = self.actors.len();
        let goal = self.mode.frames as usize;
        while !self.late && self.sinks.iter().any(|s| self.actors[*s].ends.len() < goal) {
            let (i, forced) = match self.queue.pop_front() {
                Some(i) => (i, false),
                // Nobody can act: the earliest window unit that could step on without input does so, for no beat can reach
                // it in that cycle any more (every cause takes at least a cycle).
                None => match (0..n).filter_map(|i| self.actors[i].undecided.map(|t| (t, i))).min() {
                    Some((_, i)) => {
                        self.dry |= self.actors.iter().any(Actor::is_done);
                        (i, true)
                    }
                    None => return Err(self.deadlock()),
                },
            };
            self.queued[i] = false;
            // The next beat of a window unit's input cannot arrive before the producer's next firing.
            let unit = self.actors[i].unit;
            let horizon = match &unit.module.kind {
                Kind::Swu(_) if forced => u64::MAX,
                Kind::Swu(_) => {
                    let input = unit.inputs[0];
                    let producer = &self.actors[self.plan.links[input].producer];
                    self.fifos[input].arrival(producer.ready, producer.unit.latency)
                }
                _ => 0,
            };
            let (fired, more) = self.actors[i].advance(&mut self.fifos, horizon, if forced { 1 } else { TURN });
            let (actors, queued, queue) = (&self.actors, &mut self.queued, &mut self.queue);
            let mut wake = |j: usize, wait: Wait| {
                let other = &actors[j];
                let halves = || matches!(other.unit.module.kind, Kind::Reorder { .. });
                if (j == i || other.wait == wait || halves()) && !std::mem::replace(&mut queued[j], true) {
                    queue.push_back(j);
                }
            };
            if fired > 0 {
                let links = &self.plan.links;
                unit.inputs.iter().for_each(|f| wake(links[*f].producer, Wait::Space(*f)));
                unit.outputs.iter().for_each(|f| wake(links[*f].consumer, Wait::Beat(*f)));
            }
            if more {
                wake(i, Wait::None);
            }
            if let (Some(latest), true, Some(end)) =
                (self.mode.latest, self.sinks.contains(&i), self.actors[i].ends.first())
            {
                self.late = end - self.start() > latest;
            }
        }
        Ok(())
    }

    /// Whether the first frame is late ([`Mode::latest`]).
    pub fn is_late(&self) -> bool {
        self.late
    }

    /// Last beat of any output, by frame.
    pub fn ends(&self) -> Vec<u64> {
        let mut ends = vec![0; self.mode.frames as usize];
        for s in &self.sinks {
            ends.iter_mut().zip(&self.actors[*s].ends).for_each(|(e, s)| *e = (*e).max(*s));
        }
        ends
    }

    /// Whether every module ended its last two complete frames `gap` cycles apart.
    pub fn uniform(&self, gap: u64) -> bool {
        self.actors.iter().all(|a| {
            let e = &a.ends[..a.ends.len().min(self.mode.frames as usize)];
            e.windows(2).rev().take(2).all(|w| w[1] - w[0] == gap)
        })
    }

    /// What it leaves.
    pub fn outcome(self) -> Outcome {
        let (start, ends) = (self.start(), self.ends());
        let mut blocked = vec![0; self.plan.design.index_bound()];
        for a in &self.actors {
            blocked[a.unit.id.index()] = a.blocked;
        }
        let peak = self.fifos.into_iter().filter_map(Fifo::peak).collect();
        Outcome { start, ends, peak, blocked }
    }

    /// First firing of any source so far.
    fn start(&self) -> u64 {
        self.actors.iter().filter_map(|a| a.started).min().unwrap_or(0)
    }

    /// Names the full FIFO whose reader waits for another input.
    fn deadlock(&self) -> Diag {
        let waits = |i: usize| &self.actors[i].wait;
        let full = (0..self.actors.len()).filter_map(|i| match waits(i) {
            Wait::Space(f) => Some((i, *f)),
            Wait::Beat(_) | Wait::None => None,
        });
        let mut found = None;
        for (i, f) in full {
            let reader = self.plan.links[f].consumer;
            if let Wait::Beat(g) = waits(reader) {
                found = Some((i, reader, *g));
                break;
            }
            found = found.or(Some((i, reader, f)));
        }
        let name = |i: usize| self.actors[i].unit.module.name.as_str();
        match found {
            Some((writer, reader, missing)) => Diag::new(
                Code::Invalid,
                name(writer),
                format!(
                    "the design deadlocks with these FIFO depths: this module waits for space in its stream to {}, which \
                     waits for {}",
                    name(reader),
                    name(self.plan.links[missing].producer)
                ),
            )
            .help(format!("deepen the FIFO between {} and {}", name(writer), name(reader))),
            None => Diag::internal(&self.plan.design.name, "no module can act though no FIFO is full"),
        }
    }
}
