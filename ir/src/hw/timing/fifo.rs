//! A FIFO as the cycles at its two ends.

use super::super::Stream;
use std::collections::VecDeque;

/// A FIFO as the cycles at its two ends.
///
/// Beats are counted: beat `n` has slot `n` modulo the number of slots, a power of two and no less than the depth.
pub(super) struct Fifo {
    /// Cycles from a firing to the first in which its beat can be taken, beyond the producer's latency.
    read_latency: u64,
    /// Places; [`UNBOUNDED`] without end.
    depth: usize,
    /// Beats given and taken so far.
    given: usize,
    taken: usize,
    /// Of each beat the cycle from which it can be taken, and the one in which it was.
    slots: Vec<[u64; 2]>,
    occupation: Option<Occupation>,
}

/// More places than are ever used.
const UNBOUNDED: usize = usize::MAX;

/// Slots of an unbounded FIFO at first.
const FIRST_SLOTS: usize = 16;

impl Fifo {
    /// Of so many places (`None`: unbounded), read like a stream of depth `like`.
    pub fn new(depth: Option<usize>, like: usize, peaks: bool) -> Fifo {
        Fifo {
            read_latency: Stream::read_latency_of(like) as u64,
            depth: depth.unwrap_or(UNBOUNDED),
            given: 0,
            taken: 0,
            slots: vec![[0; 2]; depth.map_or(FIRST_SLOTS, usize::next_power_of_two)],
            occupation: peaks.then(Occupation::default),
        }
    }

    /// Index of a beat's slot.
    #[inline]
    fn slot(&self, beat: usize) -> usize {
        beat & (self.slots.len() - 1)
    }

    /// Cycle from which the next beat can be taken.
    #[inline]
    pub fn front(&self) -> Option<u64> {
        (self.taken < self.given).then(|| self.slots[self.slot(self.taken)][0])
    }

    /// First cycle in which there is space; `None` when that is not known yet.
    #[inline]
    pub fn space(&self) -> Option<u64> {
        match self.given.checked_sub(self.depth) {
            None => Some(0),
            Some(before) => (before < self.taken).then(|| self.slots[self.slot(before)][1] + 1),
        }
    }

    /// Takes the next beat in cycle `t`.
    #[inline]
    pub fn take(&mut self, t: u64) {
        let slot = self.slot(self.taken);
        self.slots[slot][1] = t;
        self.taken += 1;
        if let Some(o) = &mut self.occupation {
            o.take(t);
        }
    }

    /// Reserves a place in cycle `t` for a beat that is written `latency` cycles later.
    #[inline]
    pub fn give(&mut self, t: u64, latency: u64) {
        if self.given - self.taken == self.slots.len() {
            self.grow();
        }
        let slot = self.slot(self.given);
        self.slots[slot][0] = self.arrival(t, latency);
        self.given += 1;
        if let Some(o) = &mut self.occupation {
            o.give(t);
        }
    }

    /// Doubles the slots, which all hold beats; unbounded FIFOs only.
    #[cold]
    fn grow(&mut self) {
        let mut more = vec![[0; 2]; 2 * self.slots.len()];
        let mask = more.len() - 1;
        (self.taken..self.given).for_each(|beat| more[beat & mask] = self.slots[self.slot(beat)]);
        self.slots = more;
    }

    /// Cycle from which a beat given in cycle `t` can be taken.
    #[inline]
    pub fn arrival(&self, t: u64, latency: u64) -> u64 {
        t + latency + self.read_latency
    }

    /// Peak occupation, where it was wanted.
    pub fn peak(self) -> Option<usize> {
        self.occupation.map(Occupation::finish)
    }
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
