//! A module as an actor: the cycles of its next firings from what its streams tell.

use super::super::modules::{Kind, Mvu, Swu};
use super::super::schedule::Step;
use super::fifo::Fifo;
use super::plan::{Move, Table, Unit};
use super::run::Mode;
use std::collections::VecDeque;

/// Frames that are offered beyond those that are counted, so that the last ones end in the steady state.
const AHEAD: u64 = 2;

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
    pub unit: &'a Unit<'a>,
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

/// What each firing moves ([`Table`]), and where in it the module is.
enum Schedule<'a> {
    Table {
        table: &'a [Step],
        at: usize,
    },
    Moves {
        table: &'a [Move],
        at: usize,
    },
    Computed,
    /// Matrix-vector unit of no order: when the beats of the vector can be taken, and the last firing for the vectors before it.
    Free {
        unit: &'a Mvu,
        arrived: Vec<u64>,
        done: Option<u64>,
    },
    /// Sliding window: position of the window, when it moves, and which positions give.
    Window {
        window: Option<usize>,
        gives: &'a [bool],
    },
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

impl<'a> Actor<'a> {
    /// Before the first cycle.
    pub fn new(unit: &'a Unit<'a>, mode: &Mode<'_>) -> Actor<'a> {
        let kind = &unit.module.kind;
        let schedule = match kind {
            Kind::Mvu(unit) if mode.free => Schedule::Free { unit, arrived: Vec::new(), done: None },
            Kind::Reorder { .. } => Schedule::Reorder(Halves { banks: VecDeque::from([0, 0]), ..Halves::default() }),
            _ => match unit.table() {
                Table::Steps(table) => Schedule::Table { table, at: 0 },
                Table::Moves(table) => Schedule::Moves { table, at: 0 },
                Table::Gives(gives) => Schedule::Window { window: None, gives },
                Table::Computed => Schedule::Computed,
            },
        };
        let mut actor = Actor {
            unit,
            ready: 0,
            started: None,
            ends: Vec::with_capacity(mode.frames as usize + AHEAD as usize),
            blocked: 0,
            wait: Wait::None,
            undecided: None,
            firings: kind.firings(),
            next: 0,
            schedule,
            last_frame: u64::MAX,
            pace: mode.pace,
        };
        actor.extend(mode);
        actor
    }

    /// Offers so many frames, and [`AHEAD`] more than are counted; alone none more, for a window unit that has taken a beat of the next frame
    /// waits for the others.
    pub fn extend(&mut self, mode: &Mode<'_>) {
        if matches!(self.unit.module.kind, Kind::Source { .. }) {
            self.last_frame = mode.frames + if mode.alone { 0 } else { AHEAD };
        }
    }

    /// Whether it is a source that has offered all its frames.
    pub fn is_done(&self) -> bool {
        self.ends.len() as u64 >= self.last_frame
    }

    /// Fires up to about `most` times, as far as the streams are known. Returns the firings and whether there may be more.
    ///
    /// `horizon`: cycle before which no further beat of a window unit's input can arrive.
    pub fn advance(&mut self, fifos: &mut [Fifo], horizon: u64, most: usize) -> (usize, bool) {
        self.wait = Wait::None;
        self.undecided = None;
        let unit = self.unit;
        match (&self.schedule, &unit.module.kind) {
            (Schedule::Window { .. }, Kind::Swu(swu)) => self.advance_window(fifos, swu, horizon, most),
            (Schedule::Reorder(_), _) => self.advance_reorder(fifos, most),
            (Schedule::Free { .. }, _) => self.advance_free(fifos),
            (Schedule::Moves { .. }, _) => self.advance_moves(fifos, most),
            _ => self.advance_static(fifos, most),
        }
    }

    /// The first cycle, not before `self.ready`, in which the beats are there and the outputs have space.
    #[inline]
    fn when(&mut self, fifos: &[Fifo], take: u64, give: u64) -> Option<u64> {
        let mut at = self.ready;
        for (port, f) in self.unit.inputs.iter().enumerate() {
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
        for (port, f) in self.unit.outputs.iter().enumerate() {
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
        for (port, f) in self.unit.inputs.iter().enumerate() {
            if take >> port & 1 == 1 {
                fifos[*f].take(t);
            }
        }
        for (port, f) in self.unit.outputs.iter().enumerate() {
            if give >> port & 1 == 1 {
                fifos[*f].give(t, self.unit.latency);
            }
        }
    }

    /// As [`Actor::advance_static`], for modules with one input and one output: from one firing that moves a beat to the next.
    fn advance_moves(&mut self, fifos: &mut [Fifo], most: usize) -> (usize, bool) {
        let (&[from], &[to]) = (&self.unit.inputs[..], &self.unit.outputs[..]) else { return (0, false) };
        let (Schedule::Moves { table, at }, Ok([input, output])) =
            (&mut self.schedule, fifos.get_disjoint_mut([from, to]))
        else {
            return (0, false);
        };
        for fired in 0..most {
            let Some(&Move { take, give, idle }) = table.get(*at) else { return (fired, false) };
            let mut t = self.ready;
            if take {
                let Some(arrived) = input.front() else {
                    self.wait = Wait::Beat(from);
                    return (fired, false);
                };
                t = t.max(arrived);
            }
            if give {
                let Some(space) = output.space() else {
                    self.wait = Wait::Space(to);
                    return (fired, false);
                };
                self.blocked += u64::from(space > t);
                t = t.max(space);
                output.give(t, self.unit.latency);
            }
            if take {
                input.take(t);
            }
            *at = if *at + 1 == table.len() { 0 } else { *at + 1 };
            self.ready = t + 1 + u64::from(idle);
            self.next += 1 + idle as usize;
            if self.next == self.firings {
                self.next = 0;
                // Idle firings do not end a frame: the last one gives.
                self.ends.push(t);
            }
        }
        (most, true)
    }

    fn advance_static(&mut self, fifos: &mut [Fifo], most: usize) -> (usize, bool) {
        for fired in 0..most {
            if self.is_done() {
                return (fired, false);
            }
            let step = match &self.schedule {
                Schedule::Table { table, at } => table[*at],
                _ => self.unit.module.kind.step(self.next),
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

    /// A matrix-vector unit that gives every row group when, at one firing a cycle, the group and those before it can be done:
    /// beat `s` of a vector allows one firing a row group from its arrival on. Works a vector at a time; needs unbounded FIFOs.
    fn advance_free(&mut self, fifos: &mut [Fifo]) -> (usize, bool) {
        let Schedule::Free { unit, arrived, done } = &mut self.schedule else { return (0, false) };
        let (nf, sf) = (unit.neuron_fold() as u64, unit.synapse_fold());
        let mut fired = 0;
        while arrived.len() < sf {
            let Some(t) = fifos[self.unit.inputs[0]].front() else {
                self.wait = Wait::Beat(self.unit.inputs[0]);
                return (fired, false);
            };
            fifos[self.unit.inputs[0]].take(t);
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
            fifos[self.unit.outputs[0]].give(last, self.unit.latency);
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
        let (&[from], &[to]) = (&self.unit.inputs[..], &self.unit.outputs[..]) else { return (0, false) };
        let (Schedule::Window { window, gives }, Ok([input, output])) =
            (&mut self.schedule, fifos.get_disjoint_mut([from, to]))
        else {
            return (0, false);
        };
        let fill = swu.fill();
        let last = gives.len() - 1;
        let given = |window: Option<usize>| window.is_some_and(|p| gives[p]);
        for fired in 0..most {
            let arriving = input.front();
            let flushing = self.next == 0 && window.is_some();
            let mut takes = true;
            if flushing {
                // At the end of a frame it steps on without input when there is none.
                let space = if given(*window) { output.space() } else { Some(0) };
                let Some(space) = space else {
                    self.wait = Wait::Space(to);
                    return (fired, false);
                };
                let at = self.ready.max(space);
                match arriving {
                    Some(t) => takes = t <= at,
                    None if at < horizon => takes = false,
                    None => {
                        self.wait = Wait::Beat(from);
                        self.undecided = Some(at);
                        return (fired, false);
                    }
                }
            }
            let mut t = self.ready;
            if takes {
                let Some(arrived) = arriving else {
                    self.wait = Wait::Beat(from);
                    return (fired, false);
                };
                t = t.max(arrived);
            }
            let at = if takes && self.next == fill { Some(0) } else { *window };
            if given(at) {
                let Some(space) = output.space() else {
                    self.wait = Wait::Space(to);
                    return (fired, false);
                };
                self.blocked += u64::from(space > t);
                t = t.max(space);
                output.give(t, self.unit.latency);
            }
            if takes {
                input.take(t);
                self.next += 1;
                if self.next == self.firings {
                    self.next = 0;
                    self.ends.push(t);
                }
            }
            *window = at.filter(|p| *p < last).map(|p| p + 1);
            self.ready = t + 1;
        }
        (most, true)
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
