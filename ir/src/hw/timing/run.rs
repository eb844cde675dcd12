//! A run: streams between actors, and the order in which actors get on.

use super::super::modules::Kind;
use super::super::{Design, ModuleId, Stream};
use super::actor::{Actor, Wait};
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
    /// Give up when the first frame takes more cycles than this.
    pub latest: Option<u64>,
}

impl Mode<'_> {
    /// So many frames, unbounded FIFOs, nothing else.
    pub fn of(frames: u64) -> Mode<'static> {
        Mode { depths: None, pace: 0, frames, peaks: false, free: false, latest: None }
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

/// A FIFO as the cycles at its two ends.
pub(super) struct Fifo {
    pub producer: usize,
    pub consumer: usize,
    /// Cycles from a firing to the first in which its beat can be taken, beyond the producer's latency.
    read_latency: u64,
    /// Cycles from which the beats given and not yet taken can be taken.
    beats: VecDeque<u64>,
    /// Places that were never used.
    fresh: usize,
    /// Cycles in which places were freed that are not yet used again.
    freed: VecDeque<u64>,
    occupation: Option<Occupation>,
}

/// Peak occupation from gives and takes that become known in any order.
#[derive(Default)]
struct Occupation {
    /// Gives not yet counted, and takes that wait for earlier gives.
    gives: VecDeque<u64>,
    takes: VecDeque<u64>,
    last_give: u64,
    given: u64,
    taken: u64,
    peak: u64,
}

impl Occupation {
    fn give(&mut self, t: u64) {
        while self.takes.front().is_some_and(|u| *u < t) {
            self.settle();
        }
        self.gives.push_back(t);
        self.last_give = t;
    }

    fn take(&mut self, u: u64) {
        self.takes.push_back(u);
        while self.takes.front().is_some_and(|u| *u < self.last_give) {
            self.settle();
        }
    }

    /// Counts what is stored in the cycle of the first waiting take: the occupation can only peak there.
    fn settle(&mut self) {
        let Some(u) = self.takes.pop_front() else { return };
        while self.gives.front().is_some_and(|t| *t <= u) {
            self.gives.pop_front();
            self.given += 1;
        }
        self.peak = self.peak.max(self.given - self.taken);
        self.taken += 1;
    }

    fn finish(mut self) -> usize {
        while !self.takes.is_empty() {
            self.settle();
        }
        self.peak as usize
    }
}

impl Fifo {
    /// Cycle from which the next beat can be taken.
    #[inline]
    pub fn front(&self) -> Option<u64> {
        self.beats.front().copied()
    }

    /// First cycle in which there is space; `None` when that is not known yet.
    #[inline]
    pub fn space(&self) -> Option<u64> {
        if self.fresh > 0 { Some(0) } else { self.freed.front().map(|u| *u + 1) }
    }

    /// Takes the next beat in cycle `t`.
    #[inline]
    pub fn take(&mut self, t: u64) {
        self.beats.pop_front();
        if self.fresh < usize::MAX / 2 {
            self.freed.push_back(t);
        }
        if let Some(o) = &mut self.occupation {
            o.take(t);
        }
    }

    /// Reserves a place in cycle `t` for a beat that is written `latency` cycles later.
    #[inline]
    pub fn give(&mut self, t: u64, latency: u64) {
        if self.fresh == 0 {
            self.freed.pop_front();
        } else if self.fresh < usize::MAX / 2 {
            self.fresh -= 1;
        }
        self.beats.push_back(t + latency + self.read_latency);
        if let Some(o) = &mut self.occupation {
            o.give(t);
        }
    }

    /// Cycle from which a beat given in cycle `t` can be taken.
    pub fn arrival(&self, t: u64, latency: u64) -> u64 {
        t + latency + self.read_latency
    }
}

/// A simulation under way.
pub(super) struct Run<'a> {
    design: &'a Design,
    ids: Vec<ModuleId>,
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
    /// The initial state. `latencies` are those of the modules, in order.
    pub fn new(design: &'a Design, latencies: &[u64], mode: Mode<'a>) -> Run<'a> {
        let ids = design.modules();
        let slot = |id: ModuleId| ids.binary_search(&id).unwrap_or(0);
        let mut actors: Vec<Actor<'a>> =
            ids.iter().zip(latencies).map(|(id, l)| Actor::new(design.module(*id), *l, &mode)).collect();
        let mut fifos = Vec::new();
        for (i, (from, to, stream)) in design.streams().into_iter().enumerate() {
            let (producer, consumer) = (slot(from), slot(to));
            actors[producer].outputs[stream.from_port] = fifos.len();
            actors[consumer].inputs[stream.to_port] = fifos.len();
            // Unbounded FIFOs are read like those of the depth that the stream has.
            let depth = mode.depths.map_or(stream.depth, |d| d[i]);
            let read_latency = Stream { depth, ..stream.clone() }.read_latency() as u64;
            fifos.push(Fifo {
                producer,
                consumer,
                read_latency,
                beats: VecDeque::new(),
                fresh: if mode.depths.is_some() { depth } else { usize::MAX },
                freed: VecDeque::new(),
                occupation: mode.peaks.then(Occupation::default),
            });
        }
        let n = actors.len();
        let sinks = (0..n).filter(|i| matches!(actors[*i].module.kind, Kind::Sink { .. })).collect();
        Run {
            design,
            ids,
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
    pub fn extend(&mut self, latencies: &[u64], frames: u64) {
        self.mode.frames = frames;
        if self.dry {
            *self = Run::new(self.design, latencies, self.mode);
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
            let horizon = match &self.actors[i].module.kind {
                Kind::Swu(_) if forced => u64::MAX,
                Kind::Swu(_) => {
                    let fifo = &self.fifos[self.actors[i].inputs[0]];
                    let producer = &self.actors[fifo.producer];
                    fifo.arrival(producer.ready, producer.latency)
                }
                _ => 0,
            };
            let (fired, more) = self.actors[i].advance(&mut self.fifos, horizon, if forced { 1 } else { TURN });
            let (actors, queued, queue) = (&self.actors, &mut self.queued, &mut self.queue);
            let mut wake = |j: usize, wait: Wait| {
                let other = &actors[j];
                let halves = matches!(other.module.kind, Kind::Reorder { .. });
                if (j == i || halves || other.wait == wait) && !std::mem::replace(&mut queued[j], true) {
                    queue.push_back(j);
                }
            };
            if fired > 0 {
                let actor = &actors[i];
                actor.inputs.iter().for_each(|f| wake(self.fifos[*f].producer, Wait::Space(*f)));
                actor.outputs.iter().for_each(|f| wake(self.fifos[*f].consumer, Wait::Beat(*f)));
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
        let mut blocked = vec![0; self.design.index_bound()];
        for (id, a) in self.ids.iter().zip(&self.actors) {
            blocked[id.index()] = a.blocked;
        }
        let peak = self.fifos.into_iter().filter_map(|f| f.occupation.map(Occupation::finish)).collect();
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
            let reader = self.fifos[f].consumer;
            if let Wait::Beat(g) = waits(reader) {
                found = Some((i, reader, *g));
                break;
            }
            found = found.or(Some((i, reader, f)));
        }
        let name = |i: usize| self.actors[i].module.name.as_str();
        match found {
            Some((writer, reader, missing)) => Diag::new(
                Code::Invalid,
                name(writer),
                format!(
                    "the design deadlocks with these FIFO depths: this module waits for space in its stream to {}, which \
                     waits for {}",
                    name(reader),
                    name(self.fifos[missing].producer)
                ),
            )
            .help(format!("deepen the FIFO between {} and {}", name(writer), name(reader))),
            None => Diag::internal(&self.design.name, "no module can act though no FIFO is full"),
        }
    }
}
