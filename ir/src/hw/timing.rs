//! Exact cycles of a design: an event simulation of firings, without data.
//!
//! The rules are those of the module doc of [`super`]. Inputs offer a beat every cycle and outputs are always ready, as
//! `netfold sim` does without stalls, so that [`Timing::latency_cycles`] and [`Timing::interval_cycles`] equal what a Verilog
//! simulation counts. A self-timed design of this kind is a timed marked graph (Commoner, Holt, Even and Pnueli, 1971): its
//! firing times are monotone in the FIFO depths, which [`required_depths`] relies on.

use super::modules::{Kind, Swu};
use super::{Design, Module, ModuleId};
use crate::diag::{Code, Diag};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

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

/// How the simulation treats streams and sources.
#[derive(Debug, Clone, Copy)]
struct Mode {
    /// Ignore FIFO depths.
    unbounded: bool,
    /// Offer input beat `j` of a frame of `b` beats not before cycle `(frame + j / b) * pace`; 0: every cycle.
    pace: u64,
    /// Number of frames.
    frames: u64,
}

/// Frames simulated at least and at most until the interval is steady.
const FRAMES: [u64; 2] = [4, 24];

/// Latency and interval of a design with its FIFO depths. A deadlock is an error naming a blocked module.
pub fn simulate(design: &Design) -> Result<Timing, Diag> {
    let mut frames = FRAMES[0];
    loop {
        let run = Run::new(design, Mode { unbounded: false, pace: 0, frames }).finish()?;
        let ends = &run.ends;
        let gaps: Vec<u64> = ends.windows(2).map(|w| w[1] - w[0]).collect();
        let steady = gaps.len() >= 3 && gaps[gaps.len() - 3..].iter().all(|g| *g == gaps[gaps.len() - 1]);
        if steady || frames >= FRAMES[1] {
            let half = ends.len() / 2;
            let span = ends[ends.len() - 1] - ends[half];
            let interval = if steady { gaps[gaps.len() - 1] } else { span.div_ceil((ends.len() - 1 - half) as u64) };
            return Ok(Timing {
                latency_cycles: ends[0] - run.start,
                interval_cycles: interval,
                peak: run.peak,
                blocked: run.blocked,
            });
        }
        frames = (frames * 2).min(FRAMES[1]);
    }
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
pub fn required_depths(design: &Design, interval: u64) -> Result<Vec<usize>, Diag> {
    let run = Run::new(design, Mode { unbounded: true, pace: interval.max(1), frames: 4 }).finish()?;
    Ok(run.peak.iter().map(|p| (*p).max(1)).collect())
}

/// What a finished simulation leaves.
struct Outcome {
    start: u64,
    ends: Vec<u64>,
    peak: Vec<usize>,
    blocked: Vec<u64>,
}

/// A FIFO.
struct Fifo {
    producer: usize,
    consumer: usize,
    depth: usize,
    read_latency: u64,
    /// Cycles from which the beats on their way or stored can be taken.
    beats: VecDeque<u64>,
    /// Places reserved, not counting those already given back at the current time.
    reserved: usize,
    /// Cycles from which taken places are free again.
    freed: VecDeque<u64>,
    peak: usize,
}

/// State of one module.
struct Actor<'a> {
    module: &'a Module,
    inputs: Vec<usize>,
    outputs: Vec<usize>,
    latency: u64,
    firings: usize,
    /// Next firing of the frame, and the frame.
    next: usize,
    frame: u64,
    /// Sliding window: position of the window, when it moves.
    window: Option<usize>,
    /// Reorder: the reading half's next word and frame, and the cycles in which frames were complete and given back.
    read_next: usize,
    read_frame: u64,
    written: VecDeque<u64>,
    banks_freed: VecDeque<u64>,
    banks: usize,
    /// When the module may fire next at the earliest.
    ready: u64,
    /// For reorder: likewise of the reading half.
    read_ready: u64,
    /// Cycle of the module's pending event; `u64::MAX` while it sleeps until another module acts.
    wake_at: u64,
    /// Index of the module in the design.
    index: usize,
}

impl Actor<'_> {
    /// Whether another module's action may let this one act earlier than planned.
    fn sleeps(&self) -> bool {
        self.wake_at == u64::MAX || matches!(self.module.kind, Kind::Reorder { .. })
    }
}

/// Why a firing cannot happen now.
enum Wait {
    /// Try again in this cycle.
    Until(u64),
    /// Another module must act first.
    Other {
        /// Whether space in an output is missing.
        space: bool,
    },
}

struct Run<'a> {
    actors: Vec<Actor<'a>>,
    fifos: Vec<Fifo>,
    mode: Mode,
    queue: BinaryHeap<Reverse<(u64, usize)>>,
    start: Option<u64>,
    /// End of each frame: the latest last beat of any output.
    ends: Vec<u64>,
    sinks_done: u64,
    sinks: u64,
    blocked: Vec<u64>,
}

impl<'a> Run<'a> {
    fn new(design: &'a Design, mode: Mode) -> Run<'a> {
        let ids = design.modules();
        let slot = |id: ModuleId| ids.binary_search(&id).unwrap_or(0);
        let mut fifos = Vec::new();
        let mut actors: Vec<Actor<'a>> = ids
            .iter()
            .map(|id| {
                let module = design.module(*id);
                Actor {
                    module,
                    inputs: vec![0; module.kind.input_lanes().len()],
                    outputs: vec![0; module.kind.output_lanes().len()],
                    latency: module.latency() as u64,
                    firings: module.kind.firings(),
                    next: 0,
                    frame: 0,
                    window: None,
                    read_next: 0,
                    read_frame: 0,
                    written: VecDeque::new(),
                    banks_freed: VecDeque::new(),
                    banks: 0,
                    ready: 0,
                    read_ready: 0,
                    wake_at: 0,
                    index: id.index(),
                }
            })
            .collect();
        for (from, to, stream) in design.streams() {
            let (producer, consumer) = (slot(from), slot(to));
            actors[producer].outputs[stream.from_port] = fifos.len();
            actors[consumer].inputs[stream.to_port] = fifos.len();
            fifos.push(Fifo {
                producer,
                consumer,
                depth: stream.depth,
                read_latency: stream.read_latency() as u64,
                beats: VecDeque::new(),
                reserved: 0,
                freed: VecDeque::new(),
                peak: 0,
            });
        }
        let sinks = actors.iter().filter(|a| matches!(a.module.kind, Kind::Sink { .. })).count() as u64;
        let queue = (0..actors.len()).map(|i| Reverse((0, i))).collect();
        let blocked = vec![0; design.index_bound()];
        Run { actors, fifos, mode, queue, start: None, ends: Vec::new(), sinks_done: 0, sinks, blocked }
    }

    fn finish(mut self) -> Result<Outcome, Diag> {
        let goal = self.sinks * self.mode.frames;
        while self.sinks_done < goal {
            let Some(Reverse((now, i))) = self.queue.pop() else {
                let stuck =
                    self.actors.iter().find(|a| a.wake_at == u64::MAX && !matches!(a.module.kind, Kind::Sink { .. }));
                let name = stuck.map(|a| a.module.name.clone()).unwrap_or_default();
                return Err(Diag::new(Code::Invalid, name, "the design deadlocks with these FIFO depths")
                    .help("deepen the FIFOs of the joins that this module feeds"));
            };
            if self.actors[i].wake_at == now {
                self.act(now, i);
            }
        }
        self.ends.truncate(self.mode.frames as usize);
        Ok(Outcome {
            start: self.start.unwrap_or(0),
            ends: self.ends,
            peak: self.fifos.iter().map(|f| f.peak).collect(),
            blocked: self.blocked,
        })
    }

    /// Schedules module `i` for cycle `at`, unless it is scheduled earlier already.
    fn schedule(&mut self, at: u64, i: usize) {
        if at < self.actors[i].wake_at {
            self.actors[i].wake_at = at;
            self.queue.push(Reverse((at, i)));
        }
    }

    /// Lets module `i` act in cycle `now` and schedules its next attempt.
    fn act(&mut self, now: u64, i: usize) {
        self.actors[i].wake_at = u64::MAX;
        let result = match &self.actors[i].module.kind {
            Kind::Swu(swu) => self.step_window(now, i, swu),
            Kind::Reorder { .. } => self.step_reorder(now, i),
            _ => self.step_static(now, i),
        };
        match result {
            Ok(()) => self.schedule(self.actors[i].ready.max(now + 1), i),
            Err(Wait::Until(t)) => self.schedule(t.max(now + 1), i),
            Err(Wait::Other { space }) => self.blocked[self.actors[i].index] += u64::from(space),
        }
    }

    /// Whether a beat of every input in `take` is there, and space in every output in `give`.
    fn check(&mut self, now: u64, i: usize, take: u64, give: u64) -> Result<(), Wait> {
        let mut until = 0;
        for (port, f) in self.actors[i].inputs.iter().enumerate() {
            if take >> port & 1 == 1 {
                match self.fifos[*f].beats.front() {
                    None => return Err(Wait::Other { space: false }),
                    Some(&t) => until = until.max(t),
                }
            }
        }
        if !self.mode.unbounded {
            for (port, f) in self.actors[i].outputs.iter().enumerate() {
                if give >> port & 1 == 1 {
                    let fifo = &mut self.fifos[*f];
                    while fifo.reserved >= fifo.depth {
                        match fifo.freed.front() {
                            None => return Err(Wait::Other { space: true }),
                            Some(&t) if t <= now => {
                                fifo.freed.pop_front();
                                fifo.reserved -= 1;
                            }
                            Some(&t) => {
                                until = until.max(t);
                                break;
                            }
                        }
                    }
                }
            }
        }
        if until > now { Err(Wait::Until(until)) } else { Ok(()) }
    }

    /// Takes and gives beats in cycle `now`.
    fn fire(&mut self, now: u64, i: usize, take: u64, give: u64) {
        for port in 0..self.actors[i].inputs.len() {
            if take >> port & 1 == 1 {
                let fifo = &mut self.fifos[self.actors[i].inputs[port]];
                fifo.beats.pop_front();
                fifo.freed.push_back(now + 1);
                let p = fifo.producer;
                if self.actors[p].sleeps() {
                    self.schedule(now + 1, p);
                }
            }
        }
        let latency = self.actors[i].latency;
        for port in 0..self.actors[i].outputs.len() {
            if give >> port & 1 == 1 {
                let fifo = &mut self.fifos[self.actors[i].outputs[port]];
                while fifo.freed.front().is_some_and(|t| *t <= now) {
                    fifo.freed.pop_front();
                    fifo.reserved -= 1;
                }
                fifo.reserved += 1;
                fifo.peak = fifo.peak.max(fifo.reserved);
                let at = now + latency + fifo.read_latency;
                fifo.beats.push_back(at);
                let c = fifo.consumer;
                if self.actors[c].sleeps() {
                    self.schedule(at, c);
                }
            }
        }
    }

    /// A module with a static schedule.
    fn step_static(&mut self, now: u64, i: usize) -> Result<(), Wait> {
        let actor = &self.actors[i];
        if let Kind::Source { beats, .. } = &actor.module.kind {
            if actor.frame >= self.mode.frames + 2 {
                return Err(Wait::Other { space: false });
            }
            let offered = (actor.frame * *beats as u64 + actor.next as u64) * self.mode.pace / *beats as u64;
            if offered > now {
                return Err(Wait::Until(offered));
            }
        }
        let step = actor.module.kind.step(actor.next);
        self.check(now, i, step.take, step.give)?;
        self.fire(now, i, step.take, step.give);
        let is_source = matches!(self.actors[i].module.kind, Kind::Source { .. });
        if is_source && self.start.is_none() {
            self.start = Some(now);
        }
        let actor = &mut self.actors[i];
        let idle = actor.module.kind.idle_after(actor.next);
        actor.next += 1 + idle;
        actor.ready = now + 1 + idle as u64;
        if actor.next >= actor.firings {
            actor.next = 0;
            actor.frame += 1;
            if matches!(actor.module.kind, Kind::Sink { .. }) {
                let frame = (actor.frame - 1) as usize;
                if self.ends.len() <= frame {
                    self.ends.resize(frame + 1, 0);
                }
                self.ends[frame] = self.ends[frame].max(now);
                self.sinks_done += u64::from(frame < self.mode.frames as usize);
            }
        }
        Ok(())
    }

    /// A sliding-window unit: one step of the delay line.
    fn step_window(&mut self, now: u64, i: usize, swu: &Swu) -> Result<(), Wait> {
        let chunks = swu.channels / swu.lanes;
        let actor = &self.actors[i];
        let arriving = self.fifos[actor.inputs[0]].beats.front().copied();
        let takes = arriving.is_some_and(|t| t <= now);
        let flushing = actor.next == 0 && actor.window.is_some();
        if !takes && !flushing {
            return Err(arriving.map_or(Wait::Other { space: false }, Wait::Until));
        }
        let window = if takes && actor.next == swu.fill() { Some(0) } else { actor.window };
        let gives = window.is_some_and(|p| {
            let (y, x) = (p / chunks / swu.size[1], p / chunks % swu.size[1]);
            y.is_multiple_of(swu.window.stride[0])
                && x.is_multiple_of(swu.window.stride[1])
                && y / swu.window.stride[0] < swu.output[0]
                && x / swu.window.stride[1] < swu.output[1]
        });
        self.check(now, i, u64::from(takes), u64::from(gives))?;
        self.fire(now, i, u64::from(takes), u64::from(gives));
        let last_row = (swu.output[0] - 1) * swu.window.stride[0];
        let last_col = (swu.output[1] - 1) * swu.window.stride[1];
        let last = (last_row * swu.size[1] + last_col + 1) * chunks - 1;
        let actor = &mut self.actors[i];
        actor.window = window.filter(|p| *p < last).map(|p| p + 1);
        if takes {
            actor.next = (actor.next + 1) % actor.firings;
        }
        actor.ready = now + 1;
        Ok(())
    }

    /// A reorder unit: each half acts once a cycle when it can.
    fn step_reorder(&mut self, now: u64, i: usize) -> Result<(), Wait> {
        let mut next = u64::MAX;
        let mut waits_for_space = false;
        // Writing half: needs a bank at the first word of a frame.
        let actor = &mut self.actors[i];
        while actor.banks_freed.front().is_some_and(|t| *t <= now) {
            actor.banks_freed.pop_front();
            actor.banks -= 1;
        }
        let words = actor.firings;
        if actor.ready > now {
            next = next.min(actor.ready);
        } else if actor.next == 0 && actor.banks == 2 {
            if let Some(t) = actor.banks_freed.front() {
                next = next.min(*t);
            }
        } else {
            match self.check(now, i, 1, 0) {
                Ok(()) => {
                    self.fire(now, i, 1, 0);
                    let actor = &mut self.actors[i];
                    actor.banks += usize::from(actor.next == 0);
                    actor.next += 1;
                    if actor.next == words {
                        actor.next = 0;
                        actor.written.push_back(now + 1);
                    }
                    actor.ready = now + 1;
                    next = next.min(now + 1);
                }
                Err(Wait::Until(t)) => next = next.min(t),
                Err(Wait::Other { .. }) => {}
            }
        }
        // Reading half: needs a complete frame at its first word.
        let actor = &self.actors[i];
        let complete = actor.read_next > 0 || actor.written.front().is_some_and(|t| *t <= now);
        if actor.read_ready > now {
            next = next.min(actor.read_ready);
        } else if !complete {
            if let Some(t) = actor.written.front() {
                next = next.min(*t);
            }
        } else {
            match self.check(now, i, 0, 1) {
                Ok(()) => {
                    self.fire(now, i, 0, 1);
                    let actor = &mut self.actors[i];
                    if actor.read_next == 0 {
                        actor.written.pop_front();
                    }
                    actor.read_next += 1;
                    if actor.read_next == words {
                        actor.read_next = 0;
                        actor.read_frame += 1;
                        actor.banks_freed.push_back(now + 1);
                    }
                    actor.read_ready = now + 1;
                    next = next.min(now + 1);
                }
                Err(Wait::Until(t)) => next = next.min(t),
                Err(Wait::Other { space }) => waits_for_space = space,
            }
        }
        if next == u64::MAX { Err(Wait::Other { space: waits_for_space }) } else { Err(Wait::Until(next)) }
    }
}

impl Kind {
    /// Number of firings right after firing `i` of the frame that neither take nor give.
    fn idle_after(&self, i: usize) -> usize {
        match self {
            Kind::Mvu(m) => {
                let sf = m.synapse_fold();
                let (group, column) = ((i + 1) / sf, (i + 1) % sf);
                if group.is_multiple_of(m.neuron_fold()) { 0 } else { sf - 1 - column }
            }
            _ => 0,
        }
    }
}
