//! The best folding for one interval and deadline: choices narrowed by bounds, then the exact search.

use super::bounds::{Problem, Table};
use super::choice::{Candidate, Choice, Offer, all};
use super::cost::{CostModel, Prices, RESOURCES, Resources};
use super::course::Courses;
use super::measure;
use super::programs::{self, Programs};
use super::search::{self, Outcome};
use super::space::{Arc, Blocked, Known, Layered, Pricer, Stage};
use crate::fold::{Folding, Pin};
use crate::pipeline::Prepared;
use netfold_ir::diag::Diag;
use netfold_ir::graph::NodeId;
use std::collections::{HashMap, HashSet};

/// Arcs of a layered graph at most.
const MOST_ARCS: usize = 1_500_000;

/// Choices of an operator at most, in successive attempts.
const CAPS: [usize; 4] = [800, 200, 60, 20];

/// What a plan is made for.
pub(super) struct Context<'a> {
    pub prepared: &'a Prepared,
    pub model: &'a dyn CostModel,
    pub prices: Prices,
    pub pins: &'a HashMap<String, Pin>,
    pub offer: Offer,
    pub known: Owned<'a>,
    /// Whether times will be asked for.
    pub times: bool,
    /// What designs leave for FIFOs where a low latency is sought.
    pub aside: Resources,
    /// See [`super::Request::effort`].
    pub effort: f64,
    pub programs: Programs<'a>,
}

/// Prices of this request, or shared ones.
pub(super) enum Owned<'a> {
    Own(Known),
    Shared(&'a Known),
}

impl Context<'_> {
    fn pricer(&self, interval: u64, timed: bool) -> Pricer<'_> {
        let (net, of) = (&self.prepared.int, &self.prepared.realizations);
        let known = match &self.known {
            Owned::Own(known) => known,
            Owned::Shared(known) => known,
        };
        Pricer::new(net, of, self.model, self.prices, known, (interval, timed, self.times))
    }
}

/// A folding with its price.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub folding: Folding,
    pub used: Resources,
    pub area: u64,
    /// Bound of its latency in cycles, when there was a deadline: exact where that was sought ([`search::Effort::Latency`]).
    pub latency: u64,
}

/// Why there is no plan.
#[derive(Debug, Clone)]
pub(super) enum Shortage {
    /// This operator does not reach the interval with any folding.
    TooSlow(NodeId),
    /// This much of a resource is needed at least (index in the order of [`Resources::array`]), most of it by an operator.
    Resource { index: usize, least: u64, node: NodeId },
    /// No folding reaches the deadline; this many cycles are needed at least.
    Deadline(u64),
    /// Each limit can be met by itself, but not all of them together.
    Together,
}

/// The answer for one interval and deadline.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub plan: Result<Plan, Shortage>,
    /// No folding has less area; `u64::MAX` when it is proved that there is none within the limits.
    pub bound: u64,
    /// Labels of the search.
    pub labels: usize,
    /// With [`search::Effort::Latency`]: no design within the limits has a lower latency, or it is above the deadline.
    pub latency: u64,
    /// Choices of designs that its prices came from, by operator in order.
    pub met: Vec<Vec<Choice>>,
}

/// Finds the least area with every module done in `interval` cycles, within `limits`, the last output no later than `deadline`
/// (by the bound of [`super::time`]). Plans of `ceiling` area or more are of no interest; `effort` is that of the search among all choices,
/// whose prices may begin with the designs `met`.
pub(super) fn plan(
    ctx: &Context<'_>,
    interval: u64,
    limits: &Resources,
    deadline: Option<u64>,
    ceiling: u64,
    (effort, met): (search::Effort, &[Vec<Choice>]),
) -> Result<Answer, Diag> {
    let timed = deadline.is_some();
    let mut pricer = ctx.pricer(interval, timed);
    pricer.programs = ctx.programs;
    // Nothing within the limits has more area than all of them together.
    let ceiling = ceiling.min(ctx.prices.area(limits).saturating_add(1));
    let mut candidates = all(&mut pricer, ctx.pins, ctx.offer)?;
    programs::offer(&pricer, &mut candidates);
    if let Some((id, _)) = candidates.iter().filter(|(_, c)| c.is_empty()).min_by_key(|(id, _)| **id) {
        return Ok(Answer {
            plan: Err(Shortage::TooSlow(*id)),
            bound: u64::MAX,
            labels: 0,
            latency: 0,
            met: Vec::new(),
        });
    }
    if matches!(effort, search::Effort::Soon | search::Effort::Latency) {
        return latency(ctx, &mut pricer, &candidates, limits, deadline, (ceiling, effort), met);
    }
    // First among the likely choices: gives a design to beat and what the limits are worth.
    // Where designs are known, prices begin with these.
    let mut begin = met.to_vec();
    let mut first = None;
    if met.is_empty() {
        let likely: HashMap<NodeId, Vec<Choice>> =
            candidates.iter().map(|(id, c)| (*id, likely(c, &ctx.prices, deadline.is_some()))).collect();
        let effort = match effort {
            search::Effort::Quick => effort,
            _ => search::Effort::Prices,
        };
        first = Some(attempt(ctx, &mut pricer, &likely, limits, deadline, ceiling, (&[], effort))?);
    }
    let mut best: Option<(u64, Vec<(NodeId, Choice)>)> = None;
    let mut factors = [0.0; RESOURCES + 1];
    let mut labels = 0;
    if let Some(Attempt::Solved { outcome, choices, met, .. }) = first {
        begin = met;
        factors = outcome.factors;
        labels += outcome.labels;
        best = outcome.found.map(|f| (f.area, choices));
    }
    // Then all choices whose bound leaves room below that design.
    let goal = best.as_ref().map_or(ceiling, |b| b.0);
    let mut shortage = Shortage::Together;
    let mut bound = goal;
    let mut met = Vec::new();
    for cap in CAPS {
        let (kept, trimmed) = narrowed(ctx, &candidates, limits, deadline, &factors, goal, cap);
        let attempt = attempt(ctx, &mut pricer, &kept, limits, deadline, goal, (&begin, effort))?;
        match attempt {
            Attempt::TooLarge => continue,
            Attempt::Short(s) => {
                // With every choice offered this is the reason; otherwise nothing is better than what is known.
                shortage = s;
                bound = if best.is_none() && trimmed == u64::MAX { u64::MAX } else { goal.min(trimmed) };
            }
            Attempt::Solved { outcome, choices, short, met: here } => {
                met = here;
                labels += outcome.labels;
                if let Some(s) = short {
                    shortage = s;
                }
                bound = outcome.bound.min(trimmed);
                if let Some(f) = outcome.found {
                    best = Some((f.area, choices));
                }
            }
        }
        break;
    }
    let plan = match best {
        Some((area, choices)) => {
            bound = bound.min(area);
            let plan = finish(&mut pricer, area, choices, timed)?;
            Ok(plan.ok_or_else(|| Diag::internal(&ctx.prepared.int.name, "a chosen folding cannot be built"))?)
        }
        None => {
            if bound >= ceiling {
                bound = u64::MAX;
            }
            Err(shortage)
        }
    };
    Ok(Answer { plan, bound, labels, latency: 0, met })
}

/// A bound of the latency within the limits, and the plan of lowest latency that was met on the way.
fn latency(
    ctx: &Context<'_>,
    pricer: &mut Pricer<'_>,
    candidates: &HashMap<NodeId, Vec<Candidate>>,
    limits: &Resources,
    deadline: Option<u64>,
    (ceiling, effort): (u64, search::Effort),
    met: &[Vec<Choice>],
) -> Result<Answer, Diag> {
    let free = [0.0; RESOURCES + 1];
    let (kept, trimmed) = narrowed(ctx, candidates, limits, deadline, &free, ceiling, usize::MAX);
    let attempt = attempt(ctx, pricer, &kept, limits, deadline, ceiling, (met, effort))?;
    let mut met = Vec::new();
    let (latency, found) = match attempt {
        Attempt::Solved { outcome, choices, met: here, .. } => {
            met = here;
            let found = outcome.found.map(|f| (f.area, choices, outcome.exact));
            (if trimmed == u64::MAX { outcome.latency } else { 0 }, found)
        }
        Attempt::Short(_) => (deadline.map_or(0, |d| d + 1), None),
        Attempt::TooLarge => (0, None),
    };
    let plan = match found {
        Some((area, choices, exact)) => {
            let plan = finish(pricer, area, choices, true)?;
            plan.map(|plan| Plan { latency: exact.map_or(plan.latency, |l| plan.latency.max(l)), ..plan })
        }
        None => None,
    };
    Ok(Answer { plan: plan.ok_or(Shortage::Together), bound: 0, labels: 0, latency, met })
}

/// The folding of a set of choices, with its price and latency bound; `None` when a module would take longer than the interval.
fn finish(
    pricer: &mut Pricer<'_>,
    area: u64,
    choices: Vec<(NodeId, Choice)>,
    timed: bool,
) -> Result<Option<Plan>, Diag> {
    let mut folding = Folding::undecided(pricer.net, pricer.interval());
    let single: HashMap<NodeId, Vec<Choice>> = choices.iter().map(|(id, c)| (*id, vec![*c])).collect();
    choices.iter().for_each(|(id, c)| c.apply(&mut folding, *id));
    folding.programs = choices
        .iter()
        .filter_map(|(_, c)| match c {
            Choice::Program(p) => Some(pricer.programs.list[*p as usize].clone()),
            _ => None,
        })
        .collect();
    let graph = match Layered::build(pricer, &single, MOST_ARCS) {
        Ok(g) => g,
        Err(Blocked::Error(d)) => return Err(d),
        Err(_) => return Ok(None),
    };
    let path: Vec<_> = graph.stages.iter().filter_map(|s| s.arcs.first().and_then(|a| a.first()).copied()).collect();
    let (limits, table) = ([u64::MAX / 4; RESOURCES], Table::of(&pricer.all));
    let problem = Problem { deadline: Some(0), ..Problem::within(limits, &graph, &pricer.all, &table) };
    let latency = if timed { measure::latency(&problem, &path).max(0) as u64 } else { 0 };
    let used = path.iter().map(|a| Resources::from_array(pricer.all[a.priced as usize].used)).sum();
    Ok(Some(Plan { folding, used, area, latency }))
}

/// A folding as a plan, `timed`: with its latency by the bound of [`super::time`]; `None` with programs, which are not decided operator by
/// operator, and where a module would take longer than the folding's interval.
pub(super) fn of_folding(ctx: &Context<'_>, folding: &Folding, timed: bool) -> Result<Option<Plan>, Diag> {
    if !folding.programs.0.is_empty() {
        return Ok(None);
    }
    let net = &ctx.prepared.int;
    let mut pricer = ctx.pricer(folding.interval, timed);
    let choice = |id: NodeId| match (folding.layers.get(&id), folding.lanes.get(&id)) {
        (Some(compute), _) => (id, Choice::Compute(*compute)),
        (None, Some(lanes)) => (id, Choice::Lanes(*lanes)),
        (None, None) => (id, Choice::Follow),
    };
    let choices = net.graph.ids().into_iter().map(choice).collect();
    let plan = finish(&mut pricer, 0, choices, timed)?;
    Ok(plan.map(|plan| Plan { area: ctx.prices.area(&plan.used), ..plan }))
}

/// What one search gave.
enum Attempt {
    /// The graph would be too large.
    TooLarge,
    /// There is no path, for this reason.
    Short(Shortage),
    /// A search: the choices of the design found, the reason when there is none, and the choices of the designs that the prices came from.
    Solved { outcome: Outcome, choices: Vec<(NodeId, Choice)>, short: Option<Shortage>, met: Vec<Vec<Choice>> },
}

/// The design of some choices, a choice a stage, in a graph; `None` where it is not in it.
fn followed(graph: &Layered, choices: &HashMap<NodeId, Vec<Choice>>, chosen: &[Choice]) -> Option<Vec<Arc>> {
    let mut state = 0;
    let follow = |(stage, choice): (&Stage, &Choice)| {
        let choice = choices[&stage.id].iter().position(|c| c == choice)? as u32;
        let arc = stage.arcs[state].iter().find(|a| a.choice == choice)?;
        state = arc.to as usize;
        Some(*arc)
    };
    graph.stages.iter().zip(chosen).map(follow).collect()
}

/// Builds the graph of some choices and searches it. `met`: choices of designs that the prices may begin with.
fn attempt(
    ctx: &Context<'_>,
    pricer: &mut Pricer<'_>,
    choices: &HashMap<NodeId, Vec<Choice>>,
    limits: &Resources,
    deadline: Option<u64>,
    ceiling: u64,
    (met, effort): (&[Vec<Choice>], search::Effort),
) -> Result<Attempt, Diag> {
    let graph = match Layered::build(pricer, choices, MOST_ARCS) {
        Ok(g) => g,
        Err(Blocked::TooSlow(id)) => return Ok(Attempt::Short(Shortage::TooSlow(id))),
        Err(Blocked::TooLarge) => return Ok(Attempt::TooLarge),
        Err(Blocked::Error(d)) => return Err(d),
    };
    // With times hardly any choice is beaten.
    let graph = if deadline.is_some() { graph } else { graph.without_beaten(&pricer.all) };
    let deadline = deadline.map(|d| d as i64);
    let courses = Courses::new(pricer.net, pricer.realizations, pricer.interval(), pricer.programs, &pricer.all);
    let courses = courses.as_ref().filter(|_| deadline.is_some() && effort != search::Effort::Quick);
    let table = Table::of(&pricer.all);
    let problem = Problem {
        aside: ctx.aside.array(),
        effort: ctx.effort,
        deadline,
        courses,
        ..Problem::within(limits.array(), &graph, &pricer.all, &table)
    };
    let known: Vec<Vec<Arc>> = met.iter().filter_map(|chosen| followed(&graph, choices, chosen)).collect();
    let outcome = search::solve(&problem, ceiling, &known, effort);
    let chosen = |path: &Vec<Arc>| {
        path.iter().zip(&graph.stages).map(|(a, s)| choices[&s.id][a.choice as usize]).collect::<Vec<Choice>>()
    };
    let met = outcome.met.iter().map(chosen).collect();
    let short = outcome.found.is_none().then(|| super::shortage::of(&problem));
    let choices = outcome
        .found
        .iter()
        .flat_map(|f| f.path.iter().zip(&graph.stages).map(|(a, s)| (s.id, choices[&s.id][a.choice as usize])));
    let choices = choices.collect();
    Ok(Attempt::Solved { outcome, choices, short, met })
}

/// Choices that no other one beats by itself: in area and each resource, and with a deadline also in time.
fn likely(all: &[Candidate], prices: &Prices, timed: bool) -> Vec<Choice> {
    let mut sorted: Vec<&Candidate> = all.iter().collect();
    sorted.sort_by_key(|c| prices.area(&c.used));
    let mut kept: Vec<&Candidate> = Vec::new();
    for c in sorted {
        let beaten = kept.iter().any(|k| {
            let fewer = k.used.within(&c.used);
            fewer && (!timed || (k.tail <= c.tail && k.cycles <= c.cycles))
        });
        if !beaten || matches!(c.choice, Choice::Lanes(_) | Choice::Inside) {
            kept.push(c);
        }
    }
    kept.truncate(if timed { 150 } else { 60 });
    kept.into_iter().map(|c| c.choice).collect()
}

/// Choices with which a design below `goal` is possible, at most `cap` an operator; and the least bound of those left out for
/// lack of room.
fn narrowed(
    ctx: &Context<'_>,
    candidates: &HashMap<NodeId, Vec<Candidate>>,
    limits: &Resources,
    deadline: Option<u64>,
    factors: &[f64; RESOURCES + 1],
    goal: u64,
    cap: usize,
) -> (HashMap<NodeId, Vec<Choice>>, u64) {
    // Cycles add up along one way only: those of a chain of operators with one reader each.
    let net = &ctx.prepared.int;
    let chained: HashSet<NodeId> = if net.graph.ids().iter().all(|id| net.graph.inputs(*id).len() <= 1) {
        candidates.keys().copied().collect()
    } else {
        HashSet::new()
    };
    let price = |id: &NodeId, c: &Candidate| {
        let resources: f64 = c.used.array().iter().zip(factors).map(|(u, f)| *u as f64 * f).sum();
        let cycles = if chained.contains(id) { c.tail as f64 * factors[RESOURCES] } else { 0.0 };
        ctx.prices.area(&c.used) as f64 + resources + cycles
    };
    let cheapest: HashMap<NodeId, f64> = candidates
        .iter()
        .map(|(id, list)| (*id, list.iter().map(|c| price(id, c)).fold(f64::INFINITY, f64::min)))
        .collect();
    let paid: f64 = limits.array().iter().zip(factors).filter(|(_, f)| **f > 0.0).map(|(l, f)| *l as f64 * f).sum();
    let paid = paid + deadline.map_or(0.0, |d| d as f64 * factors[RESOURCES]);
    let total: f64 = cheapest.values().sum::<f64>() - paid;
    let mut trimmed = u64::MAX;
    let mut kept = HashMap::new();
    for (id, list) in candidates {
        let mut room: Vec<(f64, Choice)> = list
            .iter()
            .map(|c| (total - cheapest[id] + price(id, c), c.choice))
            .filter(|(bound, _)| *bound < goal as f64)
            .collect();
        room.sort_by(|a, b| a.0.total_cmp(&b.0));
        if room.len() > cap {
            trimmed = trimmed.min(room[cap].0.max(0.0).ceil() as u64);
            room.truncate(cap);
        }
        kept.insert(*id, room.into_iter().map(|(_, c)| c).collect());
    }
    (kept, trimmed)
}
