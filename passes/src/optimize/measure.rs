//! What a path through the graph uses, costs and takes.

use super::bounds::Problem;
use super::cost::RESOURCES;
use super::course::Stretch;
use super::space::Arc;
use super::time::{LAST, Times};

/// A design that meets the limits.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// An arc a stage.
    pub path: Vec<Arc>,
    /// Its area.
    pub area: u64,
}

impl Found {
    /// Of a path.
    pub fn of(p: &Problem<'_>, path: &[Arc]) -> Found {
        Found { path: path.to_vec(), area: path.iter().map(|a| p.priced[a.priced as usize].area).sum() }
    }
}

/// What is to be the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    /// The area, in time where there is a deadline.
    Area,
    /// The latency.
    Latency,
}

/// What a path has of what is to be the least, where it is within all limits of resources; and its exact latency where that is known, with
/// what it comes from.
pub(super) fn measured(p: &Problem<'_>, aim: Aim, path: &[Arc], goal: u64) -> Measured {
    let (Some(area), bound) = (area_within(p, path), latency(p, path)) else { return Measured::No };
    let late = |cycles: i64| match aim {
        Aim::Area => p.deadline.is_some_and(|d| cycles > d),
        Aim::Latency => cycles >= goal as i64,
    };
    if (aim == Aim::Area && area >= goal) || late(bound) {
        return Measured::No;
    }
    let exact = p.courses.filter(|_| p.deadline.is_some() || aim == Aim::Latency).and_then(|c| c.latency(p, path));
    let (cycles, stretches) = exact.map_or((bound, Vec::new()), |(cycles, s)| (cycles.max(bound), s));
    if late(cycles) {
        return Measured::Late(stretches);
    }
    Measured::Yes(if aim == Aim::Area { area } else { cycles.max(0) as u64 })
}

/// What [`measured`] tells.
pub(super) enum Measured {
    /// Not within the limits, or not less than what is known.
    No,
    /// Too late by this critical path, though not by the bound.
    Late(Vec<Stretch>),
    /// So much of what is to be the least.
    Yes(u64),
}

/// Times of the open tensors: as many as there are, few of them without memory of their own.
#[derive(Debug, Clone, Default)]
pub(super) struct Open {
    few: [Times; FEW],
    pub len: usize,
    more: Vec<Times>,
}

/// Tensors that are seldom exceeded.
const FEW: usize = 2;

impl Open {
    pub fn push(&mut self, time: Times) {
        match self.few.get_mut(self.len) {
            Some(place) => *place = time,
            None => self.more.push(time),
        }
        self.len += 1;
    }

    pub fn get(&self, i: usize) -> Times {
        if i < FEW { self.few[i] } else { self.more[i - FEW] }
    }

    pub fn iter(&self) -> impl Iterator<Item = Times> {
        self.few[..self.len.min(FEW)].iter().chain(&self.more).copied()
    }
}

/// Area of a whole path when it meets every limit of a resource.
pub(super) fn area_within(p: &Problem<'_>, path: &[Arc]) -> Option<u64> {
    if path.len() != p.graph.stages.len() {
        return None;
    }
    let mut used = [0; RESOURCES];
    let mut area = 0;
    for a in path {
        let priced = &p.priced[a.priced as usize];
        (0..RESOURCES).for_each(|r| used[r] += priced.used[r]);
        area += priced.area;
    }
    (0..RESOURCES).all(|r| used[r] <= p.limits[r]).then_some(area)
}

/// Cycle of the last beat of any output of a path, at the earliest.
pub(super) fn latency(p: &Problem<'_>, path: &[Arc]) -> i64 {
    let mut times = Open::default();
    for (k, a) in path.iter().enumerate() {
        times = advance(p, k, a, &times);
    }
    times.iter().map(|t| t[LAST]).max().unwrap_or(0)
}

/// Times of the open tensors behind a stage.
pub(super) fn advance(p: &Problem<'_>, k: usize, a: &Arc, times: &Open) -> Open {
    let stage = &p.graph.stages[k];
    let mut next = Open::default();
    stage.kept.iter().for_each(|i| next.push(times.get(*i)));
    if stage.opens {
        next.push(p.priced[a.priced as usize].after(stage.inputs.iter().map(|i| times.get(*i))));
    }
    next
}
