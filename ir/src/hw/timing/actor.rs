//! A module as an actor: the cycles of its next firings from what its streams tell.

use super::super::Module;
use super::super::modules::{Kind, Mvu, Swu};
use super::super::schedule::Step;
use super::run::{Fifo, Mode};
use std::collections::VecDeque;

/// Longest schedule period that is tabulated.
const TABLE: usize = 1 << 16;

/// Why an actor cannot fire with what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// It can, or it has done all its frames.
    None,
    /// A beat of this stream is missing.
    Beat(usize),
    /// This stream has no space.
    Space(usize),
}

/// State of one module.
pub(super) struct Actor<'a> {
    pub module: &'a Module,
    /// Streams by port.
    pub inputs: Vec<usize>,
    /// Streams by port.
    pub outputs: Vec<usize>,
    /// Pipeline depth.
    pub latency: u64,
    /// When the module may fire next at the earliest.
    pub ready: u64,
    /// First firing.
    pub started: Option<u64>,
    /// Last firing of each frame.
    pub ends: Vec<u64>,
    /// Firings delayed by missing space.
    pub blocked: u64,
    /// Why it stopped.
    pub wait: Wait,
    /// Window unit: the cycle in which it steps on without input unless a beat arrives by then.
    pub undecided: Option<u64>,
    firings: usize,
    /// Next firing of the frame.
    next: usize,
    schedule: Schedule<'a>,
    /// Frames after which it stops; sources only.
    last_frame: u64,
    pace: u64,
}

/// What each firing moves.
enum Schedule<'a> {
    /// Firing `i` as `table[i % len]`.
    Table { table: Vec<Step>, at: usize },
    /// Computed from the firing's number.
    Computed,
    /// Matrix-vector unit: the next firing of the vector; firings that only compute are skipped.
    Mvu { unit: &'a Mvu, at: usize },
    /// Matrix-vector unit of no order: when the beats of the vector can be taken, and the last firing for the vectors before it.
    Free { unit: &'a Mvu, arrived: Vec<u64>, done: Option<u64> },
    /// Sliding window: position of the window, when it moves, and which positions give.
    Window { window: Option<usize>, gives: Vec<bool> },
    /// Reorder unit.
    Reorder(Halves),
}

/// The two halves of a reorder unit.
#[derive(Default)]
struct Halves {
    /// Reading half: next word, earliest cycle, frames read.
    read_next: usize,
    read_ready: u64,
    /// Cycles from which completely written frames can be read.
    written: VecDeque<u64>,
    /// Cycles from which banks that were read are free.
    banks: VecDeque<u64>,
}

/// Firings after which the schedule of a kind repeats, when that is known and short.
fn period(kind: &Kind) -> Option<usize> {
    let p = match kind {
        Kind::Source { .. }
        | Kind::Sink { .. }
        | Kind::Act { .. }
        | Kind::WindowReduce { .. }
        | Kind::LinComb { .. }
        | Kind::Mul { .. }
        | Kind::Fork { .. } => 1,
        Kind::Program(p) => p.interval,
        Kind::Vvu(v) => v.weights.cols / v.simd,
        Kind::VectorReduce { length, lanes, .. }
        | Kind::ArgMax { length, lanes, .. }
        | Kind::Broadcast { length, lanes, .. } => length / lanes,
        Kind::Concat { parts, .. } => parts.iter().sum(),
        Kind::Select { size, inner, .. } => size * inner,
        Kind::Dwc { from, to, .. } => num_integer::lcm(*from, *to) / from.min(to),
        Kind::GlobalReduce { .. } | Kind::Pad { .. } | Kind::Upsample { .. } => kind.firings(),
        Kind::Mvu(_) | Kind::Swu(_) | Kind::Reorder { .. } => return None,
    };
    (p <= TABLE).then_some(p)
}

/// Of every position of a window unit's window up to the last that gives, whether it does.
fn window_gives(swu: &Swu) -> Vec<bool> {
    let chunks = swu.channels / swu.lanes;
    let last = [0, 1].map(|d| (swu.output[d] - 1) * swu.window.stride[d]);
    let mut gives = vec![false; (last[0] * swu.size[1] + last[1] + 1) * chunks];
    for y in (0..=last[0]).step_by(swu.window.stride[0]) {
        for x in (0..=last[1]).step_by(swu.window.stride[1]) {
            gives[(y * swu.size[1] + x) * chunks..][..chunks].fill(true);
        }
    }
    gives
}

impl<'a> Actor<'a> {
    /// Before the first cycle.
    pub fn new(module: &'a Module, latency: u64, mode: &Mode<'_>) -> Actor<'a> {
        let kind = &module.kind;
        let schedule = match kind {
            Kind::Mvu(unit) if mode.free => Schedule::Free { unit, arrived: Vec::new(), done: None },
            Kind::Mvu(unit) => Schedule::Mvu { unit, at: 0 },
            Kind::Swu(swu) => Schedule::Window { window: None, gives: window_gives(swu) },
            Kind::Reorder { .. } => Schedule::Reorder(Halves { banks: VecDeque::from([0, 0]), ..Halves::default() }),
            _ => match period(kind) {
                Some(p) => Schedule::Table { table: (0..p).map(|i| kind.step(i)).collect(), at: 0 },
                None => Schedule::Computed,
            },
        };
        // Two frames more than are counted, so that the last ones end in the steady state; for a bound none, for a window unit that has
        // taken a beat of the next frame waits for the others.
        let offered = mode.frames + if mode.free { 0 } else { 2 };
        Actor {
            module,
            inputs: vec![0; kind.input_lanes().len()],
            outputs: vec![0; kind.output_lanes().len()],
            latency,
            ready: 0,
            started: None,
            ends: Vec::new(),
            blocked: 0,
            wait: Wait::None,
            undecided: None,
            firings: kind.firings(),
            next: 0,
            schedule,
            last_frame: if matches!(kind, Kind::Source { .. }) { offered } else { u64::MAX },
            pace: mode.pace,
        }
    }

    /// Fires up to about `most` times, as far as the streams are known. Returns the firings and whether there may be more.
    ///
    /// `horizon`: cycle before which no further beat of a window unit's input can arrive.
    pub fn advance(&mut self, fifos: &mut [Fifo], horizon: u64, most: usize) -> (usize, bool) {
        self.wait = Wait::None;
        self.undecided = None;
        match (&mut self.schedule, &self.module.kind) {
            (Schedule::Window { .. }, Kind::Swu(swu)) => self.advance_window(fifos, swu, horizon, most),
            (Schedule::Reorder(_), _) => self.advance_reorder(fifos, most),
            (Schedule::Mvu { .. }, _) => self.advance_mvu(fifos, most),
            (Schedule::Free { .. }, _) => self.advance_free(fifos),
            (Schedule::Table { .. }, _) if self.inputs.len() == 1 && self.outputs.len() == 1 => {
                self.advance_single(fifos, most)
            }
            _ => self.advance_static(fifos, most),
        }
    }

    /// The first cycle, not before `self.ready`, in which the beats are there and the outputs have space.
    #[inline]
    fn when(&mut self, fifos: &[Fifo], take: u64, give: u64) -> Option<u64> {
        let mut at = self.ready;
        for (port, f) in self.inputs.iter().enumerate() {
            if take >> port & 1 == 1 {
                match fifos[*f].front() {
                    Some(t) => at = at.max(t),
                    None => {
                        self.wait = Wait::Beat(*f);
                        return None;
                    }
                }
            }
        }
        let mut space = 0;
        for (port, f) in self.outputs.iter().enumerate() {
            if give >> port & 1 == 1 {
                match fifos[*f].space() {
                    Some(t) => space = space.max(t),
                    None => {
                        self.wait = Wait::Space(*f);
                        return None;
                    }
                }
            }
        }
        self.blocked += u64::from(space > at);
        Some(at.max(space))
    }

    /// Takes and gives beats in cycle `t`.
    #[inline]
    fn fire(&mut self, fifos: &mut [Fifo], t: u64, take: u64, give: u64) {
        for (port, f) in self.inputs.iter().enumerate() {
            if take >> port & 1 == 1 {
                fifos[*f].take(t);
            }
        }
        for (port, f) in self.outputs.iter().enumerate() {
            if give >> port & 1 == 1 {
                fifos[*f].give(t, self.latency);
            }
        }
    }

    /// As [`Actor::advance_static`], for modules with one input, one output and a tabulated schedule.
    fn advance_single(&mut self, fifos: &mut [Fifo], most: usize) -> (usize, bool) {
        let (&[from], &[to]) = (&self.inputs[..], &self.outputs[..]) else { return (0, false) };
        let (Schedule::Table { table, at }, Ok([input, output])) =
            (&mut self.schedule, fifos.get_disjoint_mut([from, to]))
        else {
            return (0, false);
        };
        let mut fired = 0;
        while fired < most {
            let Step { take, give, .. } = table[*at];
            let mut t = self.ready;
            if take & 1 == 1 {
                let Some(arrived) = input.front() else {
                    self.wait = Wait::Beat(from);
                    return (fired, false);
                };
                t = t.max(arrived);
            }
            if give & 1 == 1 {
                let Some(space) = output.space() else {
                    self.wait = Wait::Space(to);
                    return (fired, false);
                };
                self.blocked += u64::from(space > t);
                t = t.max(space);
                output.give(t, self.latency);
            }
            if take & 1 == 1 {
                input.take(t);
            }
            *at = if *at + 1 == table.len() { 0 } else { *at + 1 };
            self.ready = t + 1;
            self.next += 1;
            if self.next == self.firings {
                self.next = 0;
                self.ends.push(t);
            }
            fired += 1;
        }
        (most, true)
    }

    fn advance_static(&mut self, fifos: &mut [Fifo], most: usize) -> (usize, bool) {
        for fired in 0..most {
            if self.ends.len() as u64 >= self.last_frame {
                return (fired, false);
            }
            let step = match &self.schedule {
                Schedule::Table { table, at } => table[*at],
                _ => self.module.kind.step(self.next),
            };
            if self.pace > 0 && self.last_frame != u64::MAX {
                let beat = self.ends.len() as u128 * self.firings as u128 + self.next as u128;
                self.ready = self.ready.max((beat * u128::from(self.pace) / self.firings as u128) as u64);
            }
            let Some(t) = self.when(fifos, step.take, step.give) else { return (fired, false) };
            self.fire(fifos, t, step.take, step.give);
            if self.last_frame != u64::MAX {
                self.started.get_or_insert(t);
            }
            if let Schedule::Table { table, at } = &mut self.schedule {
                *at = if *at + 1 == table.len() { 0 } else { *at + 1 };
            }
            self.ready = t + 1;
            self.next += 1;
            if self.next == self.firings {
                self.next = 0;
                self.ends.push(t);
            }
        }
        (most, true)
    }

    fn advance_mvu(&mut self, fifos: &mut [Fifo], most: usize) -> (usize, bool) {
        let Schedule::Mvu { unit, mut at } = self.schedule else { return (0, false) };
        let (nf, sf, early) = (unit.neuron_fold(), unit.synapse_fold(), unit.early);
        let (apart, rest) = (early * nf, sf - early);
        let mut fired = 0;
        let more = loop {
            if fired >= most {
                break true;
            }
            let (group, beat) = unit.tile(at);
            let (take, give) = (u64::from(group == 0), u64::from(beat + 1 == sf));
            let Some(t) = self.when(fifos, take, give) else { break false };
            self.fire(fifos, t, take, give);
            fired += 1;
            self.next += 1;
            self.ready = t + 1;
            at += 1;
            if at == nf * sf {
                at = 0;
            }
            if self.next == self.firings {
                self.next = 0;
                self.ends.push(t);
            }
            // Firings that neither take nor give are passed over: to the next beat that is taken early, or to the end of a row
            // group after the first.
            let idle = match at.checked_sub(apart) {
                None => (nf - at % nf) % nf,
                Some(j) if j >= rest => rest - 1 - j % rest,
                Some(_) => 0,
            };
            at += idle;
            self.next += idle;
            self.ready += idle as u64;
        };
        self.schedule = Schedule::Mvu { unit, at };
        (fired, more)
    }

    /// A matrix-vector unit that gives every row group when, at one firing a cycle, the group and those before it can be done:
    /// beat `s` of a vector allows one firing a row group from its arrival on. Works a vector at a time; needs unbounded FIFOs.
    fn advance_free(&mut self, fifos: &mut [Fifo]) -> (usize, bool) {
        let Schedule::Free { unit, arrived, done } = &mut self.schedule else { return (0, false) };
        let (nf, sf) = (unit.neuron_fold() as u64, unit.synapse_fold());
        let mut fired = 0;
        while arrived.len() < sf {
            let Some(t) = fifos[self.inputs[0]].front() else {
                self.wait = Wait::Beat(self.inputs[0]);
                return (fired, false);
            };
            fifos[self.inputs[0]].take(t);
            arrived.push(t);
            fired += 1;
        }
        let dense = arrived[sf - 1] < arrived[0] + sf as u64;
        let mut last = 0;
        for group in 1..=nf {
            let after = done.map_or(0, |d| d + group * sf as u64);
            let from = |s: usize| arrived[s] + group * (sf - s) as u64 - 1;
            let released = if dense { from(0) } else { (0..sf).map(from).max().unwrap_or(0) };
            last = after.max(released);
            fifos[self.outputs[0]].give(last, self.latency);
        }
        *done = Some(last);
        arrived.clear();
        self.ready = last + 1;
        self.next += nf as usize * sf;
        if self.next == self.firings {
            self.next = 0;
            self.ends.push(last);
        }
        (fired + 1, true)
    }

    /// A sliding-window unit: steps of the delay line.
    fn advance_window(&mut self, fifos: &mut [Fifo], swu: &Swu, horizon: u64, most: usize) -> (usize, bool) {
        let fill = swu.fill();
        let Schedule::Window { mut window, gives } = std::mem::replace(&mut self.schedule, Schedule::Computed) else {
            return (0, false);
        };
        let last = gives.len() - 1;
        let given = |window: Option<usize>| window.is_some_and(|p| gives[p]);
        let mut fired = 0;
        let more = loop {
            if fired >= most {
                break true;
            }
            let input = self.inputs[0];
            let arriving = fifos[input].front();
            let flushing = self.next == 0 && window.is_some();
            let mut takes = true;
            if flushing {
                // At the end of a frame it steps on without input when there is none.
                let give = given(window);
                let space = if give { fifos[self.outputs[0]].space() } else { Some(0) };
                let Some(space) = space else {
                    self.wait = Wait::Space(self.outputs[0]);
                    break false;
                };
                let at = self.ready.max(space);
                match arriving {
                    Some(t) => takes = t <= at,
                    None if at < horizon => takes = false,
                    None => {
                        self.wait = Wait::Beat(input);
                        self.undecided = Some(at);
                        break false;
                    }
                }
            }
            let at = if takes && self.next == fill { Some(0) } else { window };
            let (take, give) = (u64::from(takes), u64::from(given(at)));
            let Some(t) = self.when(fifos, take, give) else { break false };
            self.fire(fifos, t, take, give);
            fired += 1;
            window = at.filter(|p| *p < last).map(|p| p + 1);
            if takes {
                self.next += 1;
                if self.next == self.firings {
                    self.next = 0;
                    self.ends.push(t);
                }
            }
            self.ready = t + 1;
        };
        self.schedule = Schedule::Window { window, gives };
        (fired, more)
    }

    /// A reorder unit: two halves that share banks.
    fn advance_reorder(&mut self, fifos: &mut [Fifo], most: usize) -> (usize, bool) {
        let words = self.firings;
        let Schedule::Reorder(mut h) = std::mem::replace(&mut self.schedule, Schedule::Computed) else {
            return (0, false);
        };
        let mut fired = 0;
        while fired < most {
            let before = fired;
            // Writing half: needs a bank at the first word of a frame.
            while fired < most && (self.next > 0 || !h.banks.is_empty()) {
                if self.next == 0 {
                    self.ready = self.ready.max(h.banks.front().copied().unwrap_or(0));
                }
                let Some(t) = self.when(fifos, 1, 0) else { break };
                self.fire(fifos, t, 1, 0);
                fired += 1;
                if self.next == 0 {
                    h.banks.pop_front();
                }
                self.ready = t + 1;
                self.next += 1;
                if self.next == words {
                    self.next = 0;
                    h.written.push_back(t + 1);
                }
            }
            // Reading half: needs a complete frame at its first word.
            while fired < most && (h.read_next > 0 || !h.written.is_empty()) {
                if h.read_next == 0 {
                    h.read_ready = h.read_ready.max(h.written.front().copied().unwrap_or(0));
                }
                let write_ready = std::mem::replace(&mut self.ready, h.read_ready);
                let at = self.when(fifos, 0, 1);
                self.ready = write_ready;
                let Some(t) = at else { break };
                self.fire(fifos, t, 0, 1);
                fired += 1;
                if h.read_next == 0 {
                    h.written.pop_front();
                }
                h.read_ready = t + 1;
                h.read_next += 1;
                if h.read_next == words {
                    h.read_next = 0;
                    h.banks.push_back(t + 1);
                    self.ends.push(t);
                }
            }
            if fired == before {
                break;
            }
        }
        self.schedule = Schedule::Reorder(h);
        (fired, fired >= most)
    }
}
