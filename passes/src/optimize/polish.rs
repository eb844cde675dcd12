//! Better designs near a known one: all that differ in one operator's choice, by exact latencies.
//!
//! A design is looked at where it would be better and is not too late along any critical path that is known; its own critical path, where it
//! is late, tells of others. The first one that holds is gone on from, until none does.

use super::bounds::Problem;
use super::course::{Courses, Stretch};
use super::measure::{Aim, Found, Measured, area_within, measured};
use super::space::{Arc, Layered};

/// Designs that are followed beat by beat at most.
const FOLLOWED: usize = 120;

/// A critical path with the cycles of priced operators, by their numbers in the whole graph, [`UNKNOWN`] of those not looked at.
#[derive(Debug, Clone)]
pub(super) struct Cut {
    pub stretches: Vec<Stretch>,
    pub known: Vec<i64>,
}

/// Cycles that were not looked at.
pub(super) const UNKNOWN: i64 = i64::MIN;

impl Cut {
    /// Nothing known but the path.
    pub fn new(p: &Problem<'_>, stretches: Vec<Stretch>) -> Cut {
        Cut { stretches, known: vec![UNKNOWN; p.priced.len()] }
    }

    /// Least cycles of a design.
    fn of(&mut self, p: &Problem<'_>, courses: &Courses<'_>, path: &[Arc]) -> i64 {
        let mut sum = 0i64;
        for stretch in &self.stretches {
            let number = path[stretch.stage].priced;
            let cycles = &mut self.known[number as usize];
            if *cycles == UNKNOWN {
                *cycles = courses.cycles(p, number, stretch);
            }
            // Where one does not wait for the other the whole way says nothing.
            sum = sum.saturating_add(*cycles);
        }
        sum
    }
}

/// The design that differs from a path in a stage's choice; `None` where the others have no such choice at the widths that follow.
fn swapped(p: &Problem<'_>, path: &[Arc], at: usize, other: Arc) -> Option<Vec<Arc>> {
    let mut swapped = path[..at].to_vec();
    swapped.push(other);
    let mut state = other.to as usize;
    for (stage, arc) in p.graph.stages.iter().zip(path).skip(at + 1) {
        // In the order of the choices.
        let arcs = &stage.arcs[state];
        let arc = arcs[arcs.binary_search_by_key(&arc.choice, |a| a.choice).ok()?];
        state = arc.to as usize;
        swapped.push(arc);
    }
    Some(swapped)
}

/// The designs that differ from a path in a stage from `from` on, with that stage: in the choice of one that `graph` has.
fn near<'a>(
    p: &'a Problem<'_>,
    graph: &'a Layered,
    path: &'a [Arc],
    from: usize,
) -> impl Iterator<Item = (usize, Vec<Arc>)> + 'a {
    let states = std::iter::once(0).chain(path.iter().map(|a| a.to as usize));
    let stages = states.zip(path).zip(&graph.stages).enumerate().skip(from);
    stages.flat_map(move |(k, ((state, arc), stage))| {
        let others = stage.arcs[state].iter().filter(|a| a.choice != arc.choice);
        others.filter_map(move |a| Some((k, swapped(p, path, k, *a)?)))
    })
}

/// The best design that is reached from a path by better ones, each within the limits and below `ceiling` in what is to be the least; the path
/// itself need not be. Two operators at once take choices that `few` has only.
pub(super) fn polish(
    p: &Problem<'_>,
    few: &Layered,
    aim: Aim,
    start: &[Arc],
    mut ceiling: u64,
    cuts: &mut Vec<Cut>,
) -> Option<(u64, Found)> {
    let courses = p.courses?;
    // What the start waits for tells most of what is near.
    let critical = |path: &[Arc]| Some(Cut::new(p, courses.latency(p, path)?.1));
    if aim == Aim::Latency {
        cuts.extend(critical(start));
    }
    let mut path = start.to_vec();
    let mut best: Option<(u64, Found)> = None;
    let mut left = (FOLLOWED as f64 * p.effort) as usize;
    let mut pairs = false;
    loop {
        let worth = |design: Vec<Arc>| {
            let area = area_within(p, &design)?;
            (aim == Aim::Latency || area < ceiling).then_some((area, design))
        };
        let mut all: Vec<(u64, Vec<Arc>)> = if pairs {
            let first = near(p, few, &path, 0);
            first
                .flat_map(|(k, one)| near(p, few, &one, k + 1).filter_map(|(_, d)| worth(d)).collect::<Vec<_>>())
                .collect()
        } else {
            near(p, p.graph, &path, 0).filter_map(|(_, design)| worth(design)).collect()
        };
        if aim == Aim::Latency {
            // By the latency that the critical paths tell of.
            let least = |design: &[Arc], cuts: &mut Vec<Cut>| cuts.iter_mut().map(|c| c.of(p, courses, design)).max();
            all.iter_mut().for_each(|(key, design)| *key = least(design, cuts).unwrap_or(0).max(0) as u64);
        }
        all.sort_by_key(|(key, _)| *key);
        let mut next = None;
        for (_, design) in all {
            let most = match aim {
                Aim::Area => p.deadline.unwrap_or(i64::MAX),
                Aim::Latency => ceiling as i64 - 1,
            };
            if cuts.iter_mut().any(|cut| cut.of(p, courses, &design) > most) {
                continue;
            }
            if left == 0 {
                break;
            }
            match measured(p, aim, &design, ceiling) {
                Measured::Yes(value) => {
                    next = Some((value, design));
                    break;
                }
                Measured::Late(stretches) => {
                    left -= 1;
                    cuts.push(Cut::new(p, stretches));
                }
                Measured::No => {}
            }
        }
        match next {
            Some((value, design)) => {
                ceiling = value;
                if aim == Aim::Latency {
                    cuts.extend(critical(&design));
                }
                best = Some((value, Found::of(p, &design)));
                path = design;
                pairs = false;
            }
            None if !pairs && left > 0 => pairs = true,
            None => return best,
        }
    }
}
