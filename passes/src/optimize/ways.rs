//! Ways through a graph from an input to an output, on which cycles add up.
//!
//! A way goes from a point of an operator's input to a point of its result ([`super::time`]), so that a design takes at least the sum of
//! its choices' cycles along it. The latency is that of the longest way, and which one that is depends on the choices: where the slowest
//! operator is, a way waits for all of its work. Ways are found as they are needed, each as the longest one of a design at hand.

use super::bounds::Problem;
use super::course::{Courses, Stretch, makers};
use super::space::Arc;
use super::time::{LAST, NEVER, POINTS};
use std::sync::Arc as Shared;
use std::sync::atomic::AtomicUsize;

/// Ways at most.
const MOST: usize = 48;

/// From a point of a tensor to one of an operator's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Leg {
    /// The operator's stage.
    stage: usize,
    /// Its input; none of an operator without.
    port: Option<usize>,
    from: usize,
    to: usize,
}

/// A way.
#[derive(Debug)]
pub(super) struct Way {
    legs: Vec<Leg>,
    /// Cycles of every priced operator on it, zero elsewhere.
    pub ticks: Vec<f64>,
    /// By stage: where the way's tensor is among the open ones before it, and at which of its points the way is.
    pub place: Vec<Option<(usize, usize)>>,
    /// Of a way that is a critical path.
    pub critical: Option<Critical>,
}

/// A critical path as a way.
#[derive(Debug)]
pub(super) struct Critical {
    pub stretches: Vec<Stretch>,
    /// Times that it had a price in the end.
    pub priced: AtomicUsize,
}

impl Way {
    /// Cycles of a priced operator on a critical path's stretches; [`NEVER`] where the way says nothing of designs with it.
    pub fn cycles(&self, number: u32) -> i64 {
        let cycles = self.ticks[number as usize];
        if cycles < 0.0 { NEVER } else { cycles as i64 }
    }

    /// Cycles of a design.
    pub fn of(&self, path: &[Arc]) -> f64 {
        path.iter().map(|a| self.ticks[a.priced as usize]).sum()
    }
}

/// What a mixture of designs, with the share of each, has of the priced operators of every stage: most have few of their choices in a mixture.
pub(super) fn by_stage(p: &Problem<'_>, mixture: &[(f64, &[Arc])]) -> Vec<Vec<(f64, u32)>> {
    let stage = |k: usize| {
        let mut here: Vec<(f64, u32)> = Vec::new();
        for (share, path) in mixture {
            let Some(arc) = path.get(k) else { continue };
            match here.iter_mut().find(|(_, priced)| *priced == arc.priced) {
                Some((all, _)) => *all += share,
                None => here.push((*share, arc.priced)),
            }
        }
        here
    };
    (0..p.graph.stages.len()).map(stage).collect()
}

/// The ways of a problem that are known.
#[derive(Debug, Clone, Default)]
pub(super) struct Ways {
    /// The stages that made the tensors open before every stage, in their places.
    open: Vec<Vec<usize>>,
    /// By stage and input: from which points to which ones every choice has cycles.
    sure: Vec<Vec<[[bool; POINTS]; POINTS]>>,
    pub all: Vec<Shared<Way>>,
}

impl Ways {
    /// None where there is no deadline, otherwise the one that is longest with the mean cycles of all choices.
    pub fn of(p: &Problem<'_>) -> Ways {
        if p.deadline.is_none() {
            return Ways::default();
        }
        let mut ways = Ways { open: makers(p.graph), ..Ways::default() };
        let mut means: Vec<Vec<[[f64; POINTS]; POINTS]>> = Vec::new();
        for stage in &p.graph.stages {
            let mut sure = vec![[[true; POINTS]; POINTS]; stage.inputs.len()];
            let mut mean = vec![[[0.0; POINTS]; POINTS]; stage.inputs.len().max(1)];
            let mut count = 0.0f64;
            for a in stage.arcs.iter().flatten() {
                let priced = &p.priced[a.priced as usize];
                for ((sure, mean), lag) in sure.iter_mut().zip(&mut mean).zip(&priced.lags) {
                    for ((sure, mean), lag) in
                        sure.iter_mut().flatten().zip(mean.iter_mut().flatten()).zip(lag.iter().flatten())
                    {
                        *sure &= *lag > NEVER / 2;
                        *mean += *lag as f64;
                    }
                }
                if stage.inputs.is_empty() {
                    mean[0].iter_mut().for_each(|m| m.iter_mut().zip(priced.alone).for_each(|(m, t)| *m += t as f64));
                }
                count += 1.0;
            }
            mean.iter_mut().flatten().flatten().for_each(|m| *m /= count.max(1.0));
            ways.sure.push(sure);
            means.push(mean);
        }
        let longest = ways.longest(p, |leg| means[leg.stage][leg.port.unwrap_or(0)][leg.from][leg.to]);
        if let Some((legs, _)) = longest {
            ways.add(p, legs);
        }
        ways
    }

    /// Those of some places in a part of the problem, whose priced operators have numbers of their own.
    pub fn among(&self, p: &Problem<'_>, wanted: impl Fn(usize) -> bool) -> Ways {
        let mut ways = Ways { all: Vec::new(), ..self.clone() };
        let kept = self.all.iter().enumerate().filter(|(i, way)| wanted(*i) && !way.legs.is_empty());
        kept.for_each(|(_, way)| ways.add(p, way.legs.clone()));
        ways
    }

    /// Those of some places.
    pub fn only(&self, wanted: impl Fn(usize) -> bool) -> Ways {
        let kept = self.all.iter().enumerate().filter(|(i, _)| wanted(*i)).map(|(_, way)| way.clone());
        Ways { all: kept.collect(), ..self.clone() }
    }

    /// Adds the longest way of a mixture of designs ([`by_stage`]), where that is not known and longer than `most` cycles; whether it was.
    pub fn extend(&mut self, p: &Problem<'_>, mixed: &[Vec<(f64, u32)>], most: f64) -> bool {
        let through = self.all.iter().filter(|w| !w.legs.is_empty()).count();
        if p.deadline.is_none() || through == MOST || mixed.iter().any(Vec::is_empty) {
            return false;
        }
        let longest = self.longest(p, |leg| {
            let cycles = |priced: u32| {
                let priced = &p.priced[priced as usize];
                leg.port.map_or(priced.alone[leg.to], |port| priced.lags[port][leg.from][leg.to]) as f64
            };
            mixed[leg.stage].iter().map(|(share, priced)| share * cycles(*priced)).sum()
        });
        match longest {
            Some((legs, cycles)) if cycles > most && self.all.iter().all(|w| w.legs != legs) => {
                self.add(p, legs);
                true
            }
            _ => false,
        }
    }

    /// The longest way to an output with these cycles, and its length. Goes only where every choice has cycles.
    fn longest(&self, p: &Problem<'_>, cycles: impl Fn(Leg) -> f64) -> Option<(Vec<Leg>, f64)> {
        let stages = &p.graph.stages;
        let none = (f64::NEG_INFINITY, Leg { stage: 0, port: None, from: LAST, to: LAST });
        let mut reach = vec![[none; POINTS]; stages.len()];
        for (k, stage) in stages.iter().enumerate() {
            for to in 0..POINTS {
                let mut best = none;
                if stage.inputs.is_empty() {
                    let leg = Leg { stage: k, port: None, from: LAST, to };
                    best = (cycles(leg), leg);
                }
                for (port, input) in stage.inputs.iter().enumerate() {
                    let maker = self.open[k][*input];
                    for from in (0..POINTS).rev().filter(|from| self.sure[k][port][*from][to]) {
                        let leg = Leg { stage: k, port: Some(port), from, to };
                        let length = reach[maker][from].0 + cycles(leg);
                        if length > best.0 {
                            best = (length, leg);
                        }
                    }
                }
                reach[k][to] = best;
            }
        }
        let ends = self.open.last()?.iter().copied();
        let mut at = ends.max_by(|a, b| reach[*a][LAST].0.total_cmp(&reach[*b][LAST].0))?;
        let length = reach[at][LAST].0;
        if length == f64::NEG_INFINITY {
            return None;
        }
        let (mut legs, mut to) = (Vec::new(), LAST);
        loop {
            let leg = reach[at][to].1;
            legs.push(leg);
            let Some(port) = leg.port else { break };
            (at, to) = (self.open[at][stages[at].inputs[port]], leg.from);
        }
        legs.reverse();
        Some((legs, length))
    }

    fn add(&mut self, p: &Problem<'_>, legs: Vec<Leg>) {
        let Problem { graph, priced, .. } = p;
        let mut ticks = vec![0.0; priced.len()];
        for leg in &legs {
            for a in graph.stages[leg.stage].arcs.iter().flatten() {
                let p = &priced[a.priced as usize];
                let cycles = leg.port.map_or(p.alone[leg.to], |port| p.lags[port][leg.from][leg.to]);
                ticks[a.priced as usize] = cycles.max(0) as f64;
            }
        }
        // Before stage k the way's tensor is that of its last operator below k.
        let place = (0..=graph.stages.len())
            .map(|k| {
                let leg = legs.iter().rfind(|leg| leg.stage < k)?;
                let place = self.open[k].iter().position(|t| *t == leg.stage)?;
                Some((place, leg.to))
            })
            .collect();
        self.all.push(Shared::new(Way { legs, ticks, place, critical: None }));
    }

    /// The way of a critical path ([`super::course`]), with the least cycles of all priced operators on it, and whether it goes through
    /// no points. `known`: see [`Courses::ticks`].
    pub fn critical(
        p: &Problem<'_>,
        courses: &Courses<'_>,
        stretches: Vec<Stretch>,
        known: impl Fn(u32) -> Option<i64> + Sync,
    ) -> Shared<Way> {
        let ticks = courses.ticks(p, &stretches, known);
        let place = vec![None; p.graph.stages.len() + 1];
        Shared::new(Way {
            legs: Vec::new(),
            ticks,
            place,
            critical: Some(Critical { stretches, priced: AtomicUsize::new(0) }),
        })
    }
}
