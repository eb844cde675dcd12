//! When every beat comes: the exact latency of a design with unbounded FIFOs, and what it waits for.
//!
//! The points of [`super::time`] say little of what happens between them. Here every beat is followed: a module fires in order, once a cycle
//! at most, so that a result comes as long after a beat as there are firings between them, or later for another beat. The design's
//! critical path is a chain of such waits from an input to the last output. Taken at the tensors between the operators it is a way on which
//! any design takes at least the cycles of its choices from one of these elements to the next one ([`super::ways`]).

use super::bounds::Problem;
use super::programs::Programs;
use super::space::{Arc, Layered, Priced};
use super::time::{self, NEVER, Slot, slots};
use crate::fold::Folding;
use crate::lower::{self, Realizations};
use netfold_ir::graph::NodeId;
use netfold_ir::hw::bound::{self, Order};
use netfold_ir::int::IntNetwork;
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use std::sync::{Arc as Shared, OnceLock};

/// A part of a critical path, through an operator: so many elements of its input are there before so many of its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    /// The operator's stage.
    pub stage: usize,
    /// Its input; none of an operator without.
    pub port: Option<usize>,
    /// Elements of the input.
    pub from: usize,
    /// Elements of the result.
    pub to: usize,
    /// Cycles between them in the design that the path is of.
    pub cycles: i64,
}

/// The modules of an operator with a choice, behind what stands for its inputs.
struct Operator {
    slots: Vec<Slot<'static>>,
    /// Of every slot's module, when it is needed.
    firings: OnceLock<Vec<Firings>>,
}

/// In which firings a module takes the beats of its inputs, by port, and gives its results; of none that takes and gives a beat in each.
struct Firings {
    given: Vec<u32>,
    taken: Vec<Vec<u32>>,
}

impl Operator {
    fn firings(&self) -> &[Firings] {
        let of = |slot: &Slot<'_>| {
            let Some(kind) = &slot.kind else { return Firings { given: Vec::new(), taken: Vec::new() } };
            let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            let given: Vec<u32> = (0..slot.beats).map(|result| number(kind.given(result))).collect();
            let taken = |(port, from): (usize, &usize)| -> Vec<u32> {
                (0..self.slots[*from].beats).map(|beat| number(kind.taken(port, beat))).collect()
            };
            let taken: Vec<Vec<u32>> = slot.from.iter().enumerate().map(taken).collect();
            let each = |all: &Vec<u32>| (0..).zip(all).all(|(i, n)| i == *n);
            match &taken[..] {
                [one] if one.len() == given.len() && each(one) && each(&given) => {
                    Firings { given: Vec::new(), taken: Vec::new() }
                }
                _ => Firings { given, taken },
            }
        };
        self.firings.get_or_init(|| self.slots.iter().map(of).collect())
    }
}

/// What a network's operators are built of, to follow the beats of designs.
pub(super) struct Courses<'a> {
    net: &'a IntNetwork,
    realizations: &'a Realizations,
    folding: Folding,
    priced: &'a [Shared<Priced>],
    /// By number of the whole problem ([`super::bounds::Table::numbers`]).
    operators: Vec<OnceLock<Option<Operator>>>,
    /// By the same, what those have in common that fire alike.
    paces: OnceLock<Vec<u32>>,
}

impl<'a> Courses<'a> {
    /// Of designs of priced operators, in which every module finishes a frame in `interval` cycles; `None` with programs, which are not
    /// built operator by operator.
    pub fn new(
        net: &'a IntNetwork,
        realizations: &'a Realizations,
        interval: u64,
        programs: Programs<'_>,
        priced: &'a [Shared<Priced>],
    ) -> Option<Courses<'a>> {
        let folding = Folding::undecided(net, interval);
        let operators = || priced.iter().map(|_| OnceLock::new()).collect();
        let some = programs.list.is_empty();
        some.then(|| Courses { net, realizations, folding, priced, operators: operators(), paces: OnceLock::new() })
    }

    /// The modules of a priced operator.
    fn operator(&self, folding: &mut Folding, p: &Problem<'_>, number: u32) -> Option<&Operator> {
        let known = self.operators.get(p.table.numbers[number as usize] as usize)?;
        let build = || {
            let (id, choice, lanes) = &p.priced[number as usize].setting;
            choice.apply(folding, *id);
            let fragment = lower::fragment(self.net, self.realizations, folding, *id, lanes);
            choice.remove(folding, *id);
            let fragment = fragment.ok()?;
            // The order of work is that of the choice.
            let given = |slot: Slot<'_>| Slot { order: Order::Given, ..slot.owned() };
            let slots = slots(&fragment, self.elements(*id)).ok()?.into_iter().map(given).collect();
            Some(Operator { slots, firings: OnceLock::new() })
        };
        known.get_or_init(build).as_ref()
    }

    /// What priced operators have in common that fire alike: they differ in multipliers and memories only, so that of chains of modules only
    /// the pipelines' depths differ.
    fn paces(&self) -> &[u32] {
        self.paces.get_or_init(|| {
            let mut known: FxHashMap<_, u32> = FxHashMap::default();
            let of = |priced: &'a Shared<Priced>| {
                let fresh = known.len() as u32;
                *known.entry(priced.pace()).or_insert(fresh)
            };
            self.priced.iter().map(of).collect()
        })
    }

    fn elements(&self, id: NodeId) -> usize {
        self.net.graph.node(id).elements()
    }

    /// The exact latency of a whole path with unbounded FIFOs, and its critical path from the first operator on; `None` where it cannot be
    /// built.
    pub fn latency(&self, p: &Problem<'_>, path: &[Arc]) -> Option<(i64, Vec<Stretch>)> {
        let open = makers(p.graph);
        let mut folding = self.folding.clone();
        let mut operators = Vec::with_capacity(path.len());
        // Of every stage: when the beats of its modules' results come, last of its own result.
        let mut all: Vec<Vec<Vec<i64>>> = Vec::with_capacity(path.len());
        let inputs = |all: &[Vec<Vec<i64>>], k: usize| -> Vec<usize> {
            p.graph.stages[k].inputs.iter().map(|i| open[k][*i]).filter(|from| *from < all.len()).collect()
        };
        for (k, a) in path.iter().enumerate() {
            let operator = self.operator(&mut folding, p, a.priced)?;
            let times = follow(operator, &tensors(&all, &inputs(&all, k)));
            operators.push(operator);
            all.push(times);
        }
        // Back from the last beat of the output that comes last.
        let result = |k: &usize| all[*k].last().and_then(|t| t.last().copied());
        let mut k = open.last()?.iter().copied().max_by_key(result)?;
        let latency = result(&k)?;
        let mut beat = all[k].last()?.len() - 1;
        let mut stretches = Vec::new();
        loop {
            let at = |k: usize, beat: usize| {
                let beats = all[k].last().map_or(1, Vec::len).max(1);
                // The first of the beat's elements: where beats are narrower, later ones are not waited for in any case.
                beat * (self.elements(p.graph.stages[k].id) / beats) + 1
            };
            let from = inputs(&all, k);
            let (port, before) = back(&operators[k].slots, (&tensors(&all, &from), &all[k]), beat)?;
            let now = all[k].last()?[beat];
            let from = port.map(|port| from[port]);
            let (place, then) = from.map_or((0, 0), |f| (at(f, before), all[f].last().map_or(0, |t| t[before])));
            stretches.push(Stretch { stage: k, port, from: place, to: at(k, beat), cycles: now - then });
            let Some(from) = from else { break };
            (k, beat) = (from, before);
        }
        stretches.reverse();
        Some((latency, stretches))
    }

    /// Least cycles of every priced operator along a critical path, zero elsewhere. Those whose results do not wait for the input there have
    /// less than none, so few that the whole way says nothing. `known`: cycles that were computed before, [`NEVER`] of such.
    pub fn ticks(&self, p: &Problem<'_>, stretches: &[Stretch], known: impl Fn(u32) -> Option<i64> + Sync) -> Vec<f64> {
        let paces = self.paces();
        let mut ticks = vec![0.0; p.priced.len()];
        let mut most = 0.0;
        let mut void: Vec<u32> = Vec::new();
        for stretch in stretches {
            let stage = &p.graph.stages[stretch.stage];
            let mut numbers: Vec<u32> = stage.arcs.iter().flatten().map(|a| a.priced).collect();
            numbers.sort_unstable();
            numbers.dedup();
            let pace = |n: u32| paces[p.table.numbers[n as usize] as usize];
            let mut fresh: Vec<(u32, u32)> =
                numbers.iter().filter(|n| known(**n).is_none()).map(|n| (pace(*n), *n)).collect();
            fresh.sort_unstable();
            let groups: Vec<&[(u32, u32)]> = fresh.chunk_by(|a, b| a.0 == b.0).collect();
            let cycles = |folding: &mut Folding, group: &&[(u32, u32)]| self.alike(folding, p, group, stretch);
            let computed: Vec<Vec<(u32, i64)>> =
                groups.par_iter().with_min_len(4).map_init(|| self.folding.clone(), cycles).collect();
            let mut longest = 0;
            let mut take = |number: u32, cycles: i64| {
                if cycles < NEVER / 2 {
                    void.push(number);
                } else {
                    ticks[number as usize] = cycles as f64;
                    longest = longest.max(cycles);
                }
            };
            computed.into_iter().flatten().for_each(|(n, cycles)| take(n, cycles));
            numbers.iter().filter_map(|n| Some((*n, known(*n)?))).for_each(|(n, cycles)| take(n, cycles));
            most += longest as f64;
        }
        void.iter().for_each(|number| ticks[*number as usize] = -most - 1.0);
        ticks
    }

    /// Cycles of a mixture of designs along a critical path, in the mean.
    pub fn mean(&self, p: &Problem<'_>, mixture: &[(f64, Vec<Arc>)], stretches: &[Stretch]) -> f64 {
        let mut folding = self.folding.clone();
        let mut known: FxHashMap<(usize, u32), i64> = FxHashMap::default();
        let mut mean = 0.0;
        for (share, path) in mixture {
            for (i, stretch) in stretches.iter().enumerate() {
                let number = path[stretch.stage].priced;
                let least = || self.least(&mut folding, p, number, stretch);
                let cycles = *known.entry((i, number)).or_insert_with(least);
                if cycles < NEVER / 2 {
                    return f64::NEG_INFINITY;
                }
                mean += share * cycles as f64;
            }
        }
        mean
    }

    /// Least cycles on a stretch of priced operators of the same pace.
    fn alike(
        &self,
        folding: &mut Folding,
        p: &Problem<'_>,
        group: &[(u32, u32)],
        stretch: &Stretch,
    ) -> Vec<(u32, i64)> {
        let mut first: Option<(i64, i64, usize)> = None;
        let mut all = Vec::with_capacity(group.len());
        for (_, n) in group {
            let Some(operator) = self.operator(folding, p, *n) else {
                all.push((*n, NEVER));
                continue;
            };
            let slots = &operator.slots;
            let chain = slots.iter().all(|slot| slot.from.len() <= 1);
            let depth: i64 = slots.iter().map(|slot| slot.depth).sum();
            let cycles = match first {
                Some((cycles, its, modules)) if chain && modules == slots.len() => cycles + depth - its,
                _ => self.least(folding, p, *n, stretch),
            };
            if first.is_none() && chain {
                first = Some((cycles, depth, slots.len()));
            }
            all.push((*n, cycles));
        }
        all
    }

    /// Least cycles of a priced operator on a stretch of a critical path; [`NEVER`] where the result does not wait for the input there.
    pub fn cycles(&self, p: &Problem<'_>, number: u32, stretch: &Stretch) -> i64 {
        self.least(&mut self.folding.clone(), p, number, stretch)
    }

    /// See [`Courses::cycles`].
    fn least(&self, folding: &mut Folding, p: &Problem<'_>, number: u32, way: &Stretch) -> i64 {
        let Some(operator) = self.operator(folding, p, number) else { return NEVER };
        let slots = &operator.slots;
        let id = p.priced[number as usize].setting.0;
        let beat = |element: usize, slot: &Slot<'_>, id: NodeId| {
            let lanes = (self.elements(id) / slot.beats.max(1)).max(1);
            element.div_ceil(lanes).clamp(1, slot.beats.max(1)) - 1
        };
        let from =
            way.port.and_then(|port| Some(beat(way.from, slots.get(port)?, *self.net.graph.inputs(id).get(port)?)));
        let to = slots.last().map_or(0, |slot| beat(way.to, slot, id));
        time::stretch(slots, way.port, from.unwrap_or(0), to)
    }
}

/// The stages that made the tensors open before every stage, in their places.
pub(super) fn makers(graph: &Layered) -> Vec<Vec<usize>> {
    let mut open = vec![Vec::new()];
    for (k, stage) in graph.stages.iter().enumerate() {
        let mut next: Vec<usize> = stage.kept.iter().map(|i| open[k][*i]).collect();
        if stage.opens {
            next.push(k);
        }
        open.push(next);
    }
    open
}

/// When the beats of some stages' results come.
fn tensors<'a>(all: &'a [Vec<Vec<i64>>], stages: &[usize]) -> Vec<&'a [i64]> {
    stages.iter().map(|k| all[*k].last().map_or(&[][..], Vec::as_slice)).collect()
}

/// When the beats of every module's result can be taken, given when those of the inputs can; of an operator without modules its input.
fn follow(operator: &Operator, inputs: &[&[i64]]) -> Vec<Vec<i64>> {
    let mut all: Vec<Vec<i64>> = Vec::with_capacity(operator.slots.len());
    for (slot, Firings { given, taken }) in operator.slots.iter().zip(operator.firings()).skip(inputs.len()) {
        let of = |i: usize| inputs.get(i).copied().unwrap_or_else(|| &all[i - inputs.len()]);
        // The firing that takes a beat, at the earliest, less its number: none is earlier than those before.
        let mut late = NEVER;
        let times: Vec<i64> = match (&slot.from[..], &taken[..]) {
            ([], _) => given.iter().map(|g| i64::from(*g) + slot.depth).collect(),
            ([from], []) => {
                let fire = |(number, time): (i64, &i64)| {
                    late = late.max(time - number);
                    late + number + slot.depth
                };
                (0..).zip(of(*from)).map(fire).collect()
            }
            ([from], [taken]) => {
                let (mut input, mut taken) = (of(*from), &taken[..]);
                let fire = |now: &u32| {
                    while let ([time, times @ ..], [firing, firings @ ..]) = (input, taken)
                        && firing <= now
                    {
                        late = late.max(time - i64::from(*firing));
                        (input, taken) = (times, firings);
                    }
                    late + i64::from(*now) + slot.depth
                };
                given.iter().map(fire).collect()
            }
            (from, _) => {
                let mut next = vec![0; from.len()];
                let fire = |now: &u32| {
                    for ((from, taken), next) in from.iter().zip(taken).zip(&mut next) {
                        let beats = of(*from)[*next..].iter().zip(&taken[*next..]);
                        for (time, firing) in beats.take_while(|(_, firing)| *firing <= now) {
                            late = late.max(time - i64::from(*firing));
                            *next += 1;
                        }
                    }
                    late + i64::from(*now) + slot.depth
                };
                given.iter().map(fire).collect()
            }
        };
        all.push(times);
    }
    if all.is_empty() {
        all.extend(inputs.first().map(|input| input.to_vec()));
    }
    all
}

/// The input and the beat of it that a beat of the last module's result waits for; no input where an operator has none. `inputs`: when the
/// beats of those come, `all`: of the modules' results.
fn back(slots: &[Slot<'_>], (inputs, all): (&[&[i64]], &[Vec<i64>]), beat: usize) -> Option<(Option<usize>, usize)> {
    let of = |i: usize| inputs.get(i).copied().unwrap_or_else(|| &all[i - inputs.len()]);
    let (mut at, mut beat) = (slots.len().checked_sub(1)?, beat);
    loop {
        let slot = &slots[at];
        let Some(kind) = &slot.kind else { return Some((Some(at), beat)) };
        if slot.from.is_empty() {
            return Some((None, beat));
        }
        // The last beat, of any input, for which the result comes when it does.
        let when = of(at)[beat];
        (at, beat) = slot.from.iter().enumerate().find_map(|(port, from)| {
            let needed = bound::last_needed(kind, slot.order, port, beat, of(*from).len())?;
            let causes = |b: &usize| {
                let n = bound::between(kind, slot.order, port, *b, beat);
                n.is_some_and(|n| of(*from)[*b] + n + slot.depth == when)
            };
            Some((*from, (0..=needed).rev().find(causes)?))
        })?;
    }
}
