//! What can be chosen, priced: the operators in order as stages of a layered graph.
//!
//! A state of a stage is how wide the tensors are that were made and not yet read by all; an arc is a choice for the stage's
//! operator. What an arc costs is what lowering adds for the operator at these widths, width converters and forks included, so
//! a path through the graph is a design and its length the design's price (with FIFOs of the provisional depth).

use super::choice::Choice;
use super::cost::{CostModel, ModuleSpec, Prices, RESOURCES, Resources, WeightStats, weights_of};
use super::programs::{self, Programs};
use super::time::{self, Lag, NodeTime, Points, Times};
use crate::fold::{Compute, Folding};
use crate::lower::{self, Realizations};
use netfold_ir::diag::Diag;
use netfold_ir::graph::NodeId;
use netfold_ir::hw::{Kind, Matrix, Memory, Multiplier};
use netfold_ir::int::IntNetwork;
use netfold_ir::quant::IntType;
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use std::collections::HashMap;
use std::sync::{Arc as Shared, Mutex, MutexGuard, PoisonError};

/// An operator with one choice, at given widths.
#[derive(Debug, Clone)]
pub(super) struct Priced {
    /// Elements a beat of its result.
    pub lanes: usize,
    /// What it uses.
    pub used: [u64; RESOURCES],
    /// The same as one number.
    pub area: u64,
    /// Most firings a frame of its modules.
    pub work: u64,
    /// When its result comes if its inputs wait for nothing.
    pub alone: Times,
    /// Least cycles from each of its inputs to its result, by port; empty when times are not wanted.
    pub lags: Vec<Lag>,
    /// What it is of.
    pub setting: Setting,
}

impl Priced {
    /// What decides in which firings its modules take and give.
    pub fn pace(&self) -> (NodeId, Choice, &[usize]) {
        let (id, choice, lanes) = &self.setting;
        let choice = match *choice {
            Choice::Compute(c) => Choice::Compute(Compute { multiplier: Multiplier::Lut, memory: Memory::Logic, ..c }),
            other => other,
        };
        (*id, choice, lanes)
    }

    /// When the result comes, given when the inputs come, by port.
    pub fn after(&self, inputs: impl Iterator<Item = Times>) -> Times {
        let mut result = self.alone;
        for (lag, input) in self.lags.iter().zip(inputs) {
            for (lag, at) in lag.iter().zip(input) {
                result.iter_mut().zip(lag).for_each(|(r, l)| *r = (*r).max(at + l));
            }
        }
        result
    }
}

/// An operator, its choice and elements a beat of its inputs.
pub(super) type Setting = (NodeId, Choice, Vec<usize>);

/// With elements a beat that the interval needs, and whether times are known: all that a price depends on.
type Priceable = (Setting, usize, bool);

/// Prices of a network's operators on a device by a model, each computed once: they hold for all intervals and limits, so that requests
/// that share them ([`super::Request::known`]), also from several threads, are solved faster. What they are of must not change.
#[derive(Debug, Default)]
pub struct Known(Mutex<Memo>);

impl Known {
    fn open(&self) -> MutexGuard<'_, Memo> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Memo {
    operators: FxHashMap<Priceable, Shared<Priced>>,
    units: FxHashMap<(NodeId, Compute), Resources>,
    stats: FxHashMap<(NodeId, usize), WeightStats>,
}

impl Memo {
    /// Counts of a node's weights, also when their rows are repeated.
    fn stats(&mut self, id: NodeId, weights: &Matrix) -> WeightStats {
        *self.stats.entry((id, weights.rows)).or_insert_with(|| WeightStats::of(weights))
    }
}

/// Everything that prices depend on.
pub(super) struct Pricer<'a> {
    pub net: &'a IntNetwork,
    pub realizations: &'a Realizations,
    pub model: &'a dyn CostModel,
    pub prices: Prices,
    /// Whether time is part of the choice.
    pub timed: bool,
    /// The points of tensors, where times are computed with prices, because they are wanted at some time.
    points: Option<HashMap<NodeId, Points>>,
    /// Programs that [`Choice::Program`] numbers.
    pub programs: Programs<'a>,
    folding: Folding,
    memo: &'a Known,
    known: FxHashMap<Setting, Option<usize>>,
    /// Priced operators, by the number that arcs hold.
    pub all: Vec<Shared<Priced>>,
}

impl<'a> Pricer<'a> {
    /// Prices for designs in which every module finishes a frame in `interval` cycles, whether time is part of the choice, and whether times
    /// will be asked for.
    pub fn new(
        net: &'a IntNetwork,
        realizations: &'a Realizations,
        model: &'a dyn CostModel,
        prices: Prices,
        memo: &'a Known,
        (interval, timed, times): (u64, bool, bool),
    ) -> Pricer<'a> {
        let points = (timed || times).then(|| time::points(net));
        let folding = Folding::undecided(net, interval);
        let programs = Programs::default();
        Pricer {
            net,
            realizations,
            model,
            prices,
            timed,
            points,
            programs,
            folding,
            memo,
            known: FxHashMap::default(),
            all: Vec::new(),
        }
    }

    /// The cycles in which every module must finish a frame.
    pub fn interval(&self) -> u64 {
        self.folding.interval
    }

    /// Counts of a node's weights, also when their rows are repeated.
    pub fn stats(&self, id: NodeId, weights: &Matrix) -> WeightStats {
        self.memo.open().stats(id, weights)
    }

    /// Price of a multiplying unit alone, computed by `price` the first time.
    pub fn unit(&self, id: NodeId, c: &Compute, price: impl FnOnce() -> Resources) -> Resources {
        let known = self.memo.open().units.get(&(id, *c)).copied();
        known.unwrap_or_else(|| {
            let used = price();
            self.memo.open().units.insert((id, *c), used);
            used
        })
    }

    /// Computes the prices of those of a node's units that have none, on all cores.
    pub fn units(&self, id: NodeId, wanted: &[Compute], price: impl Fn(&Compute) -> Resources + Sync + Send) {
        let missing: Vec<Compute> = {
            let memo = self.memo.open();
            wanted.iter().filter(|c| !memo.units.contains_key(&(id, **c))).copied().collect()
        };
        let priced: Vec<Resources> = missing.par_iter().with_max_len(1).map(price).collect();
        self.memo.open().units.extend(missing.into_iter().zip(priced).map(|(c, used)| ((id, c), used)));
    }

    /// Prices an operator; `None` when a module would take longer than the interval, or where the choice is not one at these widths.
    pub fn price(&mut self, id: NodeId, choice: Choice, lanes: &[usize]) -> Result<Option<usize>, Diag> {
        let key = (id, choice, lanes.to_vec());
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        if !programs::matches(choice, lanes) {
            self.known.insert(key, None);
            return Ok(None);
        }
        let priced = self.evaluate(id, choice, lanes)?;
        let index = (priced.work <= self.folding.interval).then_some(self.all.len());
        if index.is_some() {
            self.all.push(priced);
        }
        self.known.insert(key, index);
        Ok(index)
    }

    /// Computes the prices of an operator that are not known yet, on all cores.
    fn prefetch(&mut self, id: NodeId, choices: &[Choice], lanes: &[usize]) -> Result<(), Diag> {
        let needed = self.folding.needed(id);
        let key = |choice: Choice| ((id, choice, lanes.to_vec()), needed, self.points.is_some());
        let (missing, stats) = {
            let memo = self.memo.open();
            let fresh = |c: &&Choice| programs::matches(**c, lanes) && !memo.operators.contains_key(&key(**c));
            let missing: Vec<Choice> = choices.iter().filter(fresh).copied().collect();
            if missing.len() < MANY {
                return Ok(());
            }
            let stats: Vec<WeightStats> = memo.stats.iter().filter(|(k, _)| k.0 == id).map(|(_, s)| *s).collect();
            (missing, stats)
        };
        let known = |rows: usize| stats.iter().find(|s| s.rows == rows).copied();
        let (of, model, prices, points) =
            ((self.net, self.realizations, self.programs), self.model, self.prices, self.points.as_ref());
        let one = |folding: &mut Folding, choice: &Choice| {
            let weights = |m: &Matrix| known(m.rows).unwrap_or_else(|| WeightStats::of(m));
            computed(of, folding, (id, *choice, lanes), (model, prices, points), weights)
        };
        let priced: Result<Vec<Priced>, Diag> =
            missing.par_iter().with_min_len(MANY / 4).map_init(|| self.folding.clone(), one).collect();
        let keys: Vec<Priceable> = missing.into_iter().map(key).collect();
        self.memo.open().operators.extend(keys.into_iter().zip(priced?.into_iter().map(Shared::new)));
        Ok(())
    }

    /// Prices an operator, however long it takes.
    pub fn evaluate(&mut self, id: NodeId, choice: Choice, lanes: &[usize]) -> Result<Shared<Priced>, Diag> {
        let key = ((id, choice, lanes.to_vec()), self.folding.needed(id), self.points.is_some());
        let known = self.memo.open().operators.get(&key).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let (of, memo) = ((self.net, self.realizations, self.programs), self.memo);
        let stats = |m: &Matrix| memo.open().stats(id, m);
        let by = (self.model, self.prices, self.points.as_ref());
        let priced = Shared::new(computed(of, &mut self.folding, (id, choice, lanes), by, stats)?);
        self.memo.open().operators.insert(key, priced.clone());
        Ok(priced)
    }
}

/// Prices that are worth several cores.
const MANY: usize = 16;

/// The price of an operator with a choice at given widths, by a model, and its times where there are points of tensors; `stats`: counts of
/// its weights.
fn computed(
    (net, realizations, programs): (&IntNetwork, &Realizations, Programs<'_>),
    folding: &mut Folding,
    (id, choice, lanes): (NodeId, Choice, &[usize]),
    (model, prices, points): (&dyn CostModel, Prices, Option<&HashMap<NodeId, Points>>),
    stats: impl Fn(&Matrix) -> WeightStats,
) -> Result<Priced, Diag> {
    let first = id;
    let setting = (id, choice, lanes.to_vec());
    let (fragment, id) = match choice {
        Choice::Inside => return Ok(programs.inside(net, points.is_some(), id, lanes[0])),
        Choice::Program(p) => {
            let program = &programs.list[p as usize];
            let fragment = lower::program_fragment(net, folding, program, lanes[0])?;
            (fragment, *program.nodes().last().unwrap_or(&id))
        }
        Choice::Follow | Choice::Compute(_) | Choice::Lanes(_) => {
            choice.apply(folding, id);
            let fragment = lower::fragment(net, realizations, folding, id, lanes);
            choice.remove(folding, id);
            (fragment?, id)
        }
    };
    let design = &fragment.design;
    let mut used = Resources::default();
    let mut work = 0;
    let result = net.graph.node(id).ty();
    for module in design.modules().into_iter().skip(fragment.inputs) {
        let kind = &design.module(module).kind;
        let inputs: Vec<IntType> = design.inputs_of(module).iter().map(|(_, s)| s.ty).collect();
        let mut outputs: Vec<IntType> = design.outputs_of(module).iter().map(|(_, s)| s.ty).collect();
        outputs.resize(kind.output_lanes().len(), result);
        let weights = weights_of(kind).map(&stats);
        used = used + model.module(&ModuleSpec { kind, inputs: &inputs, outputs: &outputs, weights });
        work = work.max(kind.firings() as u64);
    }
    used = design.streams().iter().map(|(_, _, s)| model.fifo(s)).fold(used, |a, b| a + b);
    for _ in net.outputs.iter().filter(|p| p.node == id) {
        let sink = Kind::Sink { lanes: fragment.lanes, beats: 1 };
        used = used + model.module(&ModuleSpec { kind: &sink, inputs: &[result], outputs: &[], weights: None });
        used = used + model.fifo(&lower::open_stream(result, fragment.lanes));
    }
    let NodeTime { alone, lags } = match points {
        Some(points) => {
            let inputs: Vec<Points> = net.graph.inputs(first).iter().map(|i| points[i]).collect();
            NodeTime::of(&fragment, &inputs, points[&id])?
        }
        None => NodeTime { alone: time::BEFORE, lags: Vec::new() },
    };
    let lanes = match choice {
        Choice::Program(p) => programs.first_lanes(p, fragment.lanes),
        _ => fragment.lanes,
    };
    Ok(Priced { lanes, used: used.array(), area: prices.area(&used), work, alone, lags, setting })
}

/// A choice for a stage's operator in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arc {
    /// State of the next stage.
    pub to: u32,
    /// Index in the stage's choices.
    pub choice: u32,
    /// Index in [`Pricer::all`].
    pub priced: u32,
}

/// One operator.
#[derive(Debug)]
pub(super) struct Stage {
    /// The operator.
    pub id: NodeId,
    /// Where its inputs are among the open tensors, by port.
    pub inputs: Vec<usize>,
    /// Open tensors that stay open, in the order of the next stage; the operator's result follows when it is read.
    pub kept: Vec<usize>,
    /// Whether its result stays open.
    pub opens: bool,
    /// Arcs by state.
    pub arcs: Vec<Vec<Arc>>,
}

impl Stage {
    /// The same stage with other arcs.
    pub fn with(&self, arcs: Vec<Vec<Arc>>) -> Stage {
        Stage { inputs: self.inputs.clone(), kept: self.kept.clone(), arcs, ..*self }
    }
}

/// The layered graph. State 0 of stage 0 is the start; the states behind the last stage are ends.
#[derive(Debug)]
pub(super) struct Layered {
    /// The operators in order.
    pub stages: Vec<Stage>,
    /// Number of states behind the last stage.
    pub ends: usize,
}

/// The graph could not be built.
pub(super) enum Blocked {
    /// No choice of this operator finishes within the interval.
    TooSlow(NodeId),
    /// More arcs than this were needed.
    TooLarge,
    /// Lowering failed.
    Error(Diag),
}

impl Layered {
    /// Builds the graph of the given choices by node. `choices` must name every node.
    pub fn build(
        pricer: &mut Pricer<'_>,
        choices: &HashMap<NodeId, Vec<Choice>>,
        most_arcs: usize,
    ) -> Result<Layered, Blocked> {
        let net = pricer.net;
        let order = net.graph.topological().map_err(Blocked::Error)?;
        let mut readers: FxHashMap<NodeId, usize> =
            order.iter().map(|id| (*id, net.graph.consumers(*id).len())).collect();
        let is_output = |id: NodeId| net.outputs.iter().any(|p| p.node == id);
        let mut open: Vec<NodeId> = Vec::new();
        let mut states: Vec<Vec<usize>> = vec![Vec::new()];
        let mut stages = Vec::new();
        let mut total = 0;
        for &id in &order {
            let ports = net.graph.inputs(id);
            let inputs: Vec<usize> = ports.iter().filter_map(|p| open.iter().position(|o| o == p)).collect();
            for p in &ports {
                if let Some(n) = readers.get_mut(p) {
                    *n -= 1;
                }
            }
            let left = |o: &NodeId| readers.get(o).is_some_and(|n| *n > 0);
            let kept: Vec<usize> = (0..open.len()).filter(|i| left(&open[*i]) || is_output(open[*i])).collect();
            let opens = left(&id) || is_output(id);
            let mut next: Vec<NodeId> = kept.iter().map(|i| open[*i]).collect();
            if opens {
                next.push(id);
            }
            // The width of a tensor that nobody reads any more makes no difference.
            let matters: Vec<bool> = next.iter().map(left).collect();
            let none = Vec::new();
            let choices = choices.get(&id).unwrap_or(&none);
            let mut index: FxHashMap<Vec<usize>, u32> = FxHashMap::default();
            let mut arcs = Vec::with_capacity(states.len());
            let mut next_states = Vec::new();
            // Prices of all choices, by the widths of the inputs: those that finish within the interval, with the width of the result.
            let mut offers: FxHashMap<Vec<usize>, Vec<(u32, u32, usize)>> = FxHashMap::default();
            for state in &states {
                let lanes: Vec<usize> = inputs.iter().map(|i| state[*i]).collect();
                if !offers.contains_key(&lanes) {
                    let mut offered = Vec::new();
                    pricer.prefetch(id, choices, &lanes).map_err(Blocked::Error)?;
                    for (c, choice) in choices.iter().enumerate() {
                        if let Some(priced) = pricer.price(id, *choice, &lanes).map_err(Blocked::Error)? {
                            offered.push((c as u32, priced as u32, pricer.all[priced].lanes));
                        }
                    }
                    offers.insert(lanes.clone(), offered);
                }
                let offered = &offers[&lanes];
                let mut after: Vec<usize> = kept.iter().map(|i| state[*i]).collect();
                if opens {
                    after.push(0);
                }
                after.iter_mut().zip(&matters).filter(|(_, m)| !**m).for_each(|(l, _)| *l = 0);
                let wide = opens && matters.last() == Some(&true);
                // States by the width of the result, which is all that the choices differ in.
                let mut known: Vec<(usize, u32)> = Vec::new();
                let mut here = Vec::with_capacity(offered.len());
                for (choice, priced, lanes) in offered {
                    let result = if wide { *lanes } else { 0 };
                    let to = match known.iter().find(|(width, _)| *width == result) {
                        Some((_, to)) => *to,
                        None => {
                            if let (true, Some(last)) = (wide, after.last_mut()) {
                                *last = result;
                            }
                            let fresh = index.len() as u32;
                            let to = *index.entry(after.clone()).or_insert(fresh);
                            if to == fresh {
                                next_states.push(after.clone());
                            }
                            known.push((result, to));
                            to
                        }
                    };
                    here.push(Arc { to, choice: *choice, priced: *priced });
                }
                total += here.len();
                arcs.push(here);
            }
            if next_states.is_empty() {
                return Err(Blocked::TooSlow(id));
            }
            if total > most_arcs {
                return Err(Blocked::TooLarge);
            }
            stages.push(Stage { id, inputs, kept, opens, arcs });
            (open, states) = (next, next_states);
        }
        Ok(Layered { stages, ends: states.len() })
    }

    /// Number of arcs.
    pub fn arcs(&self) -> usize {
        self.stages.iter().flat_map(|s| &s.arcs).map(Vec::len).sum()
    }

    /// The same graph once more.
    pub fn copied(&self) -> Layered {
        let stages = self.stages.iter().map(|stage| stage.with(stage.arcs.clone()));
        Layered { stages: stages.collect(), ends: self.ends }
    }

    /// Whether a whole path is in the graph.
    pub fn has(&self, path: &[Arc]) -> bool {
        let mut state = 0;
        path.iter().zip(&self.stages).all(|(a, stage)| {
            let all = &stage.arcs[state];
            state = a.to as usize;
            all.contains(a)
        })
    }

    /// The same graph with only some of a stage's arcs.
    pub fn with_only(&self, at: usize, mut wanted: impl FnMut(&Arc) -> bool) -> Layered {
        let mut graph = self.copied();
        graph.stages[at].arcs.iter_mut().for_each(|all| all.retain(&mut wanted));
        graph
    }

    /// Leaves out the arcs that another one between the same states beats: that uses no more of any resource. Where times do not matter.
    pub fn without_beaten(self, priced: &[Shared<Priced>]) -> Layered {
        let narrow = |arcs: &Vec<Arc>| -> Vec<Arc> {
            let of = |i: &u32| &priced[arcs[*i as usize].priced as usize];
            let mut order: Vec<u32> = (0..arcs.len() as u32).collect();
            // What beats an arc has no more area.
            order.sort_by_key(|i| (arcs[*i as usize].to, of(i).area));
            let (mut kept, mut from, mut to) = (Vec::<u32>::new(), 0, u32::MAX);
            for i in order {
                if arcs[i as usize].to != to {
                    (from, to) = (kept.len(), arcs[i as usize].to);
                }
                let here = of(&i);
                let beats = |k: &u32| of(k).used.iter().zip(&here.used).all(|(a, b)| a <= b);
                if !kept[from..].iter().rev().any(beats) {
                    kept.push(i);
                }
            }
            kept.sort_unstable();
            kept.into_iter().map(|i| arcs[i as usize]).collect()
        };
        let stages = self.stages.iter().map(|stage| stage.with(stage.arcs.par_iter().map(narrow).collect()));
        Layered { stages: stages.collect(), ends: self.ends }
    }
}

/// Parts of graphs without a network behind them.
#[cfg(test)]
pub(super) mod bare {
    use super::*;

    /// An operator.
    pub fn node() -> NodeId {
        let (ty, real) = (IntType::new(true, 4), netfold_ir::net::Affine::identity());
        IntNetwork::default().add_input("x", vec![1], ty, real).unwrap()
    }

    /// A priced operator that takes no time.
    pub fn priced(id: NodeId, used: [u64; RESOURCES], area: u64) -> Shared<Priced> {
        let setting = (id, Choice::Follow, vec![]);
        Shared::new(Priced { lanes: 1, used, area, work: 1, alone: time::BEFORE, lags: vec![], setting })
    }

    /// A stage whose result nothing reads.
    pub fn stage(id: NodeId, arcs: Vec<Vec<Arc>>) -> Stage {
        Stage { id, inputs: vec![], kept: vec![], opens: false, arcs }
    }
}
