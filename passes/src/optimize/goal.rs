//! Objectives: from plans for one interval and deadline to what was asked.

use super::choice::{Choice, Offer};
use super::cost::{ModuleSpec, Prices, RESOURCE_NAMES, Resources, WeightStats, design_cost, weights_of};
use super::order;
use super::plan::{Answer, Context, Owned, Plan, Shortage, plan};
use super::programs::Programs;
use super::search::Effort;
use super::space::Known;
use super::{Objective, Refused, Request, Solution};
use crate::fold::{self, Budget, divisors};
use crate::pipeline::Prepared;
use crate::{fifo, lower};
use netfold_ir::diag::{Code, Diag};
use netfold_ir::graph::NodeId;
use netfold_ir::hw::timing::{self, Timing};
use netfold_ir::hw::{Design, Kind, ModuleId, Mvu};
use netfold_ir::quant::IntType;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

/// Times that limits are tightened for FIFOs.
const REFINEMENTS: usize = 4;

/// Effort of trimming FIFOs while designs are compared; see [`fifo::run_with`].
const SOME_EFFORT: u64 = 1_000_000;

/// Interval, limits, deadline and ceiling of a plan, and how far its search goes.
type Question = (u64, Resources, Option<u64>, u64, Effort);

/// A solver of one request.
pub(super) struct Solver<'a> {
    pub prepared: &'a Prepared,
    pub request: &'a Request<'a>,
    pub ctx: Context<'a>,
    /// Limits of the first search, before FIFOs.
    first: Resources,
    answers: HashMap<Question, Answer>,
    /// Labels that searches extended.
    pub labels: usize,
    /// Shortest interval for which neither a folding nor a proof that there is none was found.
    pub undecided: Option<u64>,
    /// An interval at which no folding meets a deadline, with the latest such deadline.
    pub excluded: Option<(u64, u64)>,
    /// Choices of the designs that the last search for a deadline met.
    pub met: Vec<Vec<Choice>>,
}

/// Which units' order of work is settled for latency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Orders {
    /// None.
    Kept,
    /// Those with early beats, whose price is in the plan.
    Early,
    /// All, for at most this share of the device.
    All(f64),
}

/// What a design is sought for: a deadline by the bound, an area to stay below, and how far the search goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub deadline: Option<u64>,
    pub ceiling: u64,
    pub effort: Effort,
    /// Which units' order of work is settled.
    pub orders: Orders,
}

impl Default for Wanted {
    fn default() -> Wanted {
        Wanted { deadline: None, ceiling: u64::MAX, effort: Effort::Full, orders: Orders::Kept }
    }
}

/// A design, before its exact cycles are known.
pub(super) struct Built {
    pub plan: Plan,
    pub design: Design,
    pub used: Resources,
    /// Whether its FIFOs have depths that suffice, none of them trimmed.
    pub untrimmed: bool,
    /// Bound of the area of every plan within `within`.
    pub bound: u64,
    /// The limits of the search that found it.
    pub within: Resources,
    /// Its exact cycles, once they are known.
    pub timing: OnceLock<Timing>,
}

impl Built {
    /// Its exact cycles.
    pub fn timing(&self) -> Result<&Timing, Diag> {
        if let Some(timing) = self.timing.get() {
            return Ok(timing);
        }
        let timing = timing::Simulator::new(&self.design).run(&timing::depths(&self.design), false)?;
        Ok(self.timing.get_or_init(|| timing))
    }

    /// Whether its exact latency is at most `cycles`.
    pub fn meets(&self, cycles: u64) -> Result<bool, Diag> {
        if let Some(timing) = self.timing.get() {
            return Ok(timing.latency_cycles <= cycles);
        }
        let timing = timing::simulate_within(&self.design, cycles)?;
        Ok(timing.is_some_and(|t| self.timing.get_or_init(|| t).latency_cycles <= cycles))
    }
}

/// A solver of a request.
pub(super) fn solver<'a>(prepared: &'a Prepared, request: &'a Request<'a>) -> Solver<'a> {
    let device = &request.device;
    let prices = if *device == Resources::UNLIMITED { Prices::generic() } else { Prices::of_device(device) };
    let offer = Offer::new(&request.limits, device);
    let ctx = Context {
        prepared,
        model: request.model,
        prices,
        pins: request.pins,
        offer,
        known: request.known.map_or_else(|| Owned::Own(Known::default()), Owned::Shared),
        times: matches!(request.objective, Objective::Latency(_) | Objective::LowestLatency),
        aside: Resources::default(),
        effort: request.effort,
        programs: Programs::default(),
    };
    let first = request.limits;
    Solver {
        prepared,
        request,
        ctx,
        first,
        answers: HashMap::new(),
        labels: 0,
        undecided: None,
        excluded: None,
        met: Vec::new(),
    }
}

impl Solver<'_> {
    /// Limits what the search adds up further than the request does.
    pub(super) fn limited(&mut self, first: &Resources) {
        self.first = first.zip(&self.request.limits, u64::min);
        self.ctx.offer = Offer::new(&self.first, &self.request.device);
    }

    pub(super) fn attempt(&mut self, interval: u64) -> Result<Option<Solution>, Diag> {
        match self.built(interval)? {
            Ok(b) => {
                let gap = gap(b.plan.area, b.bound);
                let b = self.quicker(b)?;
                self.finish(b, gap).map(Some)
            }
            Err(_) => Ok(None),
        }
    }

    pub(super) fn plan(
        &mut self,
        interval: u64,
        limits: &Resources,
        deadline: Option<u64>,
        ceiling: u64,
    ) -> Result<Answer, Diag> {
        self.plan_with(interval, limits, deadline, ceiling, Effort::Full, &[])
    }

    /// As [`Solver::plan`], with the effort of the search, and choices of designs that it may begin with.
    pub(super) fn plan_with(
        &mut self,
        interval: u64,
        limits: &Resources,
        deadline: Option<u64>,
        ceiling: u64,
        effort: Effort,
        met: &[Vec<Choice>],
    ) -> Result<Answer, Diag> {
        let question = (interval, *limits, deadline, ceiling, effort);
        if let Some(known) = self.answers.get(&question) {
            return Ok(known.clone());
        }
        let answer = plan(&self.ctx, interval, limits, deadline, ceiling, (effort, met))?;
        self.labels += answer.labels;
        self.answers.insert(question, answer.clone());
        Ok(answer)
    }

    /// Lowers a plan, settles the order of its units (see [`Orders`]) and sizes its FIFOs. `bound`: of the area of every plan.
    pub(super) fn lower(&self, mut plan: Plan, orders: Orders, bound: u64) -> Result<Built, Diag> {
        let design = self.ordered(&mut plan, orders)?;
        self.sized(plan, design, bound)
    }

    /// The design of a plan whose units' order is settled.
    fn ordered(&self, plan: &mut Plan, orders: Orders) -> Result<Design, Diag> {
        let prepared = self.prepared;
        let (mut design, units) = lower::with_units(&prepared.int, &prepared.realizations, &plan.folding, &[])?;
        self.settle(plan, &mut design, &units, orders)?;
        Ok(design)
    }

    /// A design with FIFOs.
    fn sized(&self, plan: Plan, mut design: Design, bound: u64) -> Result<Built, Diag> {
        fifo::run_with(&mut design, 0)?;
        self.with_fifos(plan, design, (bound, self.request.limits))
    }

    /// A design whose FIFOs have depths that suffice: they are trimmed where it does not fit with these.
    fn with_fifos(&self, plan: Plan, mut design: Design, (bound, within): (u64, Resources)) -> Result<Built, Diag> {
        let mut used = design_cost(&design, self.request.model);
        let untrimmed = used.within(&self.request.limits);
        if !untrimmed && fifo::is_enough(&design, SOME_EFFORT) {
            fifo::trim_with(&mut design, SOME_EFFORT)?;
            used = design_cost(&design, self.request.model);
        }
        Ok(Built { plan, design, used, untrimmed, bound, within, timing: OnceLock::new() })
    }

    /// A design whose first frame deeper FIFOs make earlier, with such FIFOs, where that fits.
    pub(super) fn hastened(&self, built: Built) -> Result<Built, Diag> {
        let exact = built.timing()?.latency_cycles;
        if timing::Simulator::new(&built.design).unbounded_latency()? >= exact {
            return Ok(built);
        }
        let mut design = built.design.clone();
        fifo::deepen(&mut design)?;
        let hastened = self.with_fifos(built.plan.clone(), design, (built.bound, built.within))?;
        if !hastened.used.within(&self.request.limits) {
            return Ok(built);
        }
        Ok(if hastened.timing()?.latency_cycles < exact { hastened } else { built })
    }

    /// The least area for an interval whose design fits with its FIFOs.
    pub(super) fn built(&mut self, interval: u64) -> Result<Result<Built, Shortage>, Diag> {
        self.built_within(interval, u64::MAX, Wanted::default())
    }

    /// As [`Solver::built`], of what is wanted; [`Shortage::Deadline`] where no order of work gives the foldings found a latency of at most
    /// `cycles`.
    pub(super) fn built_within(
        &mut self,
        interval: u64,
        cycles: u64,
        Wanted { deadline, ceiling, mut effort, orders }: Wanted,
    ) -> Result<Result<Built, Shortage>, Diag> {
        let mut limits = self.first;
        for _ in 0..REFINEMENTS {
            let met = if effort == Effort::Few { self.met.clone() } else { Vec::new() };
            let answer = self.plan_with(interval, &limits, deadline, ceiling, effort, &met)?;
            let bound = answer.bound;
            if deadline.is_some() && matches!(effort, Effort::Few | Effort::Full) {
                self.met = answer.met;
            }
            let mut plan = match answer.plan {
                Ok(plan) => plan,
                Err(shortage) => {
                    let proved = answer.bound == u64::MAX && limits == self.request.limits && ceiling == u64::MAX;
                    match deadline {
                        Some(deadline) if proved => self.excluded = self.excluded.max(Some((interval, deadline))),
                        None if !proved => self.not_decided(interval),
                        _ => {}
                    }
                    return Ok(Err(shortage));
                }
            };
            if deadline.is_some() && bound < plan.area && effort == Effort::Full {
                // What was not proved once will not be within tighter limits.
                effort = Effort::Few;
            }
            let design = self.ordered(&mut plan, orders)?;
            if cycles < u64::MAX {
                let least = timing::least_latency(&design)?;
                if least > cycles {
                    return Ok(Err(Shortage::Deadline(least)));
                }
            }
            let built = Built { within: limits, ..self.sized(plan, design, bound)? };
            let used = built.used;
            if used.within(&self.request.limits) {
                return Ok(Ok(built));
            }
            // What FIFOs add beyond the model is set aside, in the resources that it overflows.
            let extra = used.zip(&built.plan.used, u64::saturating_sub);
            let over = used.zip(&self.request.limits, |u, l| u64::from(u > l));
            let reserve = extra.zip(&over, |e, o| e * o);
            let before = limits;
            limits = limits.zip(&self.request.limits.zip(&reserve, u64::saturating_sub), u64::min);
            let more = used.zip(&self.request.limits, u64::saturating_sub);
            if limits == before {
                limits = limits.zip(&more, u64::saturating_sub);
            }
        }
        if deadline.is_none() {
            self.not_decided(interval);
        }
        Ok(Err(Shortage::Together))
    }

    /// Notes that neither a folding for an interval nor a proof that there is none was found.
    fn not_decided(&mut self, interval: u64) {
        self.undecided = Some(self.undecided.map_or(interval, |u| u.min(interval)));
    }

    /// Settles the order of a lowered plan's units.
    fn settle(
        &self,
        plan: &mut Plan,
        design: &mut Design,
        units: &[(NodeId, ModuleId)],
        orders: Orders,
    ) -> Result<(), Diag> {
        let (net, prices) = (&self.prepared.int, &self.ctx.prices);
        let share = match orders {
            Orders::Kept => return Ok(()),
            Orders::Early => f64::INFINITY,
            Orders::All(share) => share,
        };
        let free = |(id, module): &(NodeId, ModuleId)| -> Option<ModuleId> {
            let node = net.graph.node(*id);
            let pinned = [&node.name, &node.layer].into_iter().find_map(|n| self.request.pins.get(n));
            let Kind::Mvu(m) = &design.module(*module).kind else { return None };
            let several = Mvu::latest_early(m.neuron_fold(), m.synapse_fold()) > 0;
            let mine = m.early > 0 || orders != Orders::Early;
            (several && mine && pinned.is_none_or(|p| p.early.is_none())).then_some(*module)
        };
        let modules: Vec<ModuleId> = units.iter().filter_map(free).collect();
        if modules.is_empty() {
            return Ok(());
        }
        // Prices of the units at an order, each computed once.
        let stats: HashMap<ModuleId, WeightStats> = modules
            .iter()
            .filter_map(|m| weights_of(&design.module(*m).kind).map(|w| (*m, WeightStats::of(w))))
            .collect();
        let known: RefCell<HashMap<(ModuleId, usize), Resources>> = RefCell::new(HashMap::new());
        let price = |design: &Design, id: ModuleId, early: usize| -> Resources {
            *known.borrow_mut().entry((id, early)).or_insert_with(|| {
                let Kind::Mvu(m) = &design.module(id).kind else { return Resources::default() };
                let kind = Kind::Mvu(Mvu { early, ..m.clone() });
                let inputs: Vec<IntType> = design.inputs_of(id).iter().map(|(_, s)| s.ty).collect();
                let outputs: Vec<IntType> = design.outputs_of(id).iter().map(|(_, s)| s.ty).collect();
                let weights = stats.get(&id).copied();
                self.request.model.module(&ModuleSpec { kind: &kind, inputs: &inputs, outputs: &outputs, weights })
            })
        };
        let early = |design: &Design, id: ModuleId| match &design.module(id).kind {
            Kind::Mvu(m) => m.early,
            _ => 0,
        };
        let total = |design: &Design, change: Option<(ModuleId, usize)>| -> Resources {
            let at = |id: ModuleId| change.filter(|c| c.0 == id).map_or_else(|| early(design, id), |c| c.1);
            modules.iter().map(|id| price(design, *id, at(*id))).sum()
        };
        let base = total(design, None);
        // The whole share only for designs that are large themselves.
        let spend = Prices::DEVICE * share;
        let most = prices.area(&base) as f64 + spend.min((spend * 0.2).max(plan.area as f64 * 0.5));
        let rest = plan.used.zip(&base, u64::saturating_sub);
        let allowed = |design: &Design, id: ModuleId, early: usize| {
            let used = total(design, Some((id, early)));
            let fits = (rest + used).within(&self.request.limits) || used.within(&base);
            fits && prices.area(&used) as f64 <= most
        };
        order::settle(design, &modules, &allowed)?;
        let used = total(design, None);
        plan.area = (plan.area + prices.area(&used)).saturating_sub(prices.area(&base));
        plan.used = rest + used;
        for (id, module) in units {
            if let Some(f) = plan.folding.layers.get_mut(id) {
                f.early = early(design, *module);
            }
        }
        Ok(())
    }

    /// The same design with the orders of all its units settled within the request's share of the device, when that fits and lowers
    /// the latency.
    pub(super) fn quicker(&self, built: Built) -> Result<Built, Diag> {
        let mut plan = built.plan.clone();
        let design = self.ordered(&mut plan, Orders::All(self.request.latency_share))?;
        if plan.folding == built.plan.folding {
            return Ok(built);
        }
        let cycles = |b: &Built| b.timing().map(|t| (t.interval_cycles, t.latency_cycles));
        let other = rayon::in_place_scope(|scope| {
            // What is compared with, on another core.
            scope.spawn(|_| drop(built.timing()));
            let other = Built { within: built.within, ..self.sized(plan, design, built.bound)? };
            if other.used.within(&self.request.limits) {
                cycles(&other)?;
            }
            Ok::<Built, Diag>(other)
        })?;
        let better = other.used.within(&self.request.limits) && cycles(&other)? < cycles(&built)?;
        Ok(if better { other } else { built })
    }

    pub(super) fn finish(&self, mut built: Built, gap: f64) -> Result<Solution, Diag> {
        // Trimming can move a FIFO from block memory into LUTs; then it stays as it was when LUTs are short.
        let mut trimmed = built.design.clone();
        let timing = if built.untrimmed { fifo::trim(&mut trimmed)? } else { fifo::run(&mut trimmed)? };
        let used = design_cost(&trimmed, self.request.model);
        if used.within(&self.request.limits) {
            (built.design, built.used, built.timing) = (trimmed, used, OnceLock::from(timing));
        }
        let timing = built.timing()?.clone();
        Ok(Solution {
            folding: built.plan.folding,
            design: built.design,
            timing,
            used: built.used,
            area: built.plan.area,
            gap,
            bound: built.bound,
            within: built.within,
            latency_excluded: self.excluded.map(|(_, deadline)| deadline),
            labels: self.labels,
        })
    }

    /// The shortest interval that the network's structure allows, by the folding that does everything in parallel.
    fn structural(&self) -> Result<(u64, Design), Diag> {
        let budget = Budget { dsp: 0, block_memory: false };
        let folding = fold::balanced(&self.prepared.int, 1, self.request.pins, budget);
        let design = lower::run(&self.prepared.int, &self.prepared.realizations, &folding)?;
        Ok((timing::bottleneck(&design).0, design))
    }

    /// Intervals at which the set of foldings changes, from the shortest possible one on, ascending.
    pub(super) fn intervals(&self) -> Result<Vec<u64>, Diag> {
        let (least, _) = self.structural()?;
        let net = &self.prepared.int;
        let mut all = BTreeSet::from([least]);
        for id in net.graph.ids() {
            if let Some(w) = fold::Work::of(net, id) {
                for r in divisors(w.rows) {
                    all.extend(divisors(w.cols).into_iter().map(|c| w.cycles(r, c)).filter(|t| *t >= least));
                }
                if let Some((pixels, channels, _)) = w.window {
                    let steps = divisors(channels).into_iter().map(|l| (pixels * (channels / l)) as u64);
                    all.extend(steps.filter(|t| *t >= least));
                }
                let node = net.graph.node(id);
                let pin = [&node.name, &node.layer].into_iter().find_map(|n| self.request.pins.get(n));
                for wide in w.wides(0, &pin.copied().unwrap_or_default()) {
                    let blocks = w.vectors / wide.windows;
                    let steps = divisors(w.cols).into_iter().map(|c| blocks * (w.cols / c)).chain([wide.cycles()]);
                    all.extend(steps.map(|t| t as u64).filter(|t| *t >= least));
                }
            }
            let elements = net.graph.node(id).elements() as u64;
            all.extend((elements >= least).then_some(elements));
        }
        Ok(all.into_iter().collect())
    }

    pub(super) fn interval(&mut self, cycles: u64) -> Result<Solution, Refused> {
        match self.built(cycles)? {
            Ok(b) => {
                let gap = gap(b.plan.area, b.bound);
                Ok(self.finish(self.quicker(b)?, gap)?)
            }
            Err(shortage) => {
                let nearest = self.shortest(cycles + 1)?;
                let help = match nearest {
                    Some((t, _)) => format!("the nearest interval that works is {t} cycles"),
                    None => "no interval fits: use a larger device".to_string(),
                };
                let diag = self.refusal(&format!("a frame every {cycles} cycles"), &shortage, &help);
                Err(Refused { diag, nearest: nearest.map(|(t, _)| Objective::Interval(t)) })
            }
        }
    }

    pub(super) fn fastest(&mut self) -> Result<Solution, Refused> {
        match self.shortest(1)? {
            Some((t, b)) => {
                let undecided = self.undecided.filter(|u| *u < t);
                let gap = gap(b.plan.area, b.bound).max(undecided.map_or(0.0, |u| gap(t, u)));
                let b = self.quicker(b)?;
                let b = self.sooner(t, b)?;
                Ok(self.finish(b, gap)?)
            }
            None => {
                let slowest = self.intervals()?.last().copied().unwrap_or(1);
                let shortage = match self.built(slowest)? {
                    Err(s) => s,
                    Ok(_) => Shortage::Together,
                };
                Err(self.refusal("any frame rate", &shortage, "use a larger device or a smaller network").into())
            }
        }
    }

    /// The shortest interval of at least `from` cycles that fits. Longer intervals allow all foldings of shorter ones, so that the
    /// intervals that fit are found by bisection.
    pub(super) fn shortest(&mut self, from: u64) -> Result<Option<(u64, Built)>, Diag> {
        let all: Vec<u64> = self.intervals()?.into_iter().filter(|t| *t >= from).collect();
        // First by the model alone, whose FIFOs are shallow; then with FIFOs, from there on.
        let limits = self.request.limits;
        let (mut lo, mut hi) = (0, all.len());
        while lo < hi {
            let mid = lo + (hi - lo) / 2;
            let answer = self.plan(all[mid], &limits, None, u64::MAX)?;
            if answer.plan.is_err() && answer.bound != u64::MAX {
                self.not_decided(all[mid]);
            }
            if answer.plan.is_ok() { hi = mid } else { lo = mid + 1 }
        }
        let (first, mut hi) = (lo, all.len());
        let mut best = None;
        let (mut at, mut step) = (first, 1);
        while at < hi {
            match self.built(all[at])? {
                Ok(b) => {
                    best = Some((all[at], b));
                    hi = at;
                    break;
                }
                Err(_) => {
                    lo = at + 1;
                    at += step;
                    step *= 2;
                }
            }
        }
        if best.is_none() && lo < hi {
            // The last steps went past the end.
            if let Ok(b) = self.built(all[hi - 1])? {
                best = Some((all[hi - 1], b));
                hi -= 1;
            }
        }
        while best.is_some() && lo < hi {
            let mid = lo + (hi - lo) / 2;
            match self.built(all[mid])? {
                Ok(b) => {
                    best = Some((all[mid], b));
                    hi = mid;
                }
                Err(_) => lo = mid + 1,
            }
        }
        Ok(best)
    }

    /// The error for a request that cannot be met.
    pub(super) fn refusal(&self, asked: &str, shortage: &Shortage, help: &str) -> Diag {
        let layer = |id: &NodeId| self.prepared.int.graph.node(*id).layer.clone();
        let (place, why) = match shortage {
            Shortage::TooSlow(id) => (layer(id), "this layer takes longer with every folding".to_string()),
            Shortage::Resource { index, least, node } => {
                let name = RESOURCE_NAMES[*index];
                let limit = self.request.limits.array()[*index];
                (
                    layer(node),
                    format!("at least {least} {name} are needed where {limit} may be used, most of them by this layer"),
                )
            }
            Shortage::Deadline(least) => {
                (self.prepared.int.name.clone(), format!("every folding takes at least {least} cycles"))
            }
            Shortage::Together => {
                (self.prepared.int.name.clone(), format!("no folding stays within {} at once", self.request.limits))
            }
        };
        Diag::new(Code::DoesNotFit, place, format!("{asked} cannot be reached: {why}")).help(help)
    }
}

/// Share of `value` by which a better one is not ruled out.
pub(super) fn gap(value: u64, bound: u64) -> f64 {
    if bound >= value { 0.0 } else { (value - bound) as f64 / value.max(1) as f64 }
}
