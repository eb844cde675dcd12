//! What can be chosen for an operator.

use super::cost::{ModuleSpec, Resources, WeightStats, weights_of};
use super::space::Pricer;
use crate::fold::{Compute, Folding, Pin, Work, divisors};
use crate::lower::wide::{Wide, repeated};
use netfold_ir::diag::Diag;
use netfold_ir::graph::NodeId;
use netfold_ir::hw::{Kind, Matrix, Memory, Multiplier, Mvu, Vvu};
use netfold_ir::int::{IntNetwork, IntOp};
use netfold_ir::quant::IntType;
use std::collections::{BTreeMap, HashMap, hash_map::Entry};
use std::sync::Arc;

/// Widest input stream that is offered, in bits.
const WIDEST_INPUT_BITS: usize = 4096;

/// A decision about one operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Choice {
    /// Nothing to decide: widths follow from the inputs and the rate.
    Follow,
    /// Folding of a multiplying layer.
    Compute(Compute),
    /// Elements a beat of an input.
    Lanes(usize),
    /// The program of that number begins here.
    Program(u32),
    /// Part of the program that the operator's input is in.
    Inside,
}

impl Choice {
    /// Writes the decision into a folding.
    pub fn apply(self, folding: &mut Folding, id: NodeId) {
        match self {
            // Programs are not decided operator by operator.
            Choice::Follow | Choice::Program(_) | Choice::Inside => {}
            Choice::Compute(c) => {
                folding.layers.insert(id, c);
            }
            Choice::Lanes(n) => {
                folding.lanes.insert(id, n);
            }
        }
    }

    /// Takes it out again.
    pub fn remove(self, folding: &mut Folding, id: NodeId) {
        folding.layers.remove(&id);
        folding.lanes.remove(&id);
    }
}

/// What the device offers to choices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offer {
    pub dsp: bool,
    pub block_memory: bool,
    /// Of each resource, what there is: where a unit alone uses more, units of the same kind and a multiple of its parallelism do so, too,
    /// and are passed over.
    pub most: Resources,
}

impl Offer {
    /// Of limits on a device (unlimited: none).
    pub fn new(limits: &Resources, device: &Resources) -> Offer {
        Offer { dsp: limits.dsp > 0, block_memory: limits.bram18 > 0, most: limits.zip(device, u64::min) }
    }
}

/// Times the LUTs there are that the adders' bits of a shift-and-add unit may be: the least that a model may make of a bit is a part of a LUT.
const MOST_ADDER_BITS: u64 = 4;

/// A choice with what is known of it before it meets its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    pub choice: Choice,
    /// What it and the element-wise operators behind it use at least.
    pub used: Resources,
    /// Cycles from the last input to the last output at least.
    pub tail: u64,
    /// Cycles a frame.
    pub cycles: u64,
}

impl Candidate {
    pub fn free(choice: Choice) -> Candidate {
        Candidate { choice, used: Resources::default(), tail: 0, cycles: 0 }
    }
}

/// All choices of every node that meet the interval.
pub(super) fn all(
    pricer: &mut Pricer<'_>,
    pins: &HashMap<String, Pin>,
    offer: Offer,
) -> Result<HashMap<NodeId, Vec<Candidate>>, Diag> {
    let net = pricer.net;
    let mut all = HashMap::new();
    for id in net.graph.ids() {
        let node = net.graph.node(id);
        let pin = pins.get(&node.name).or_else(|| pins.get(&node.layer)).copied().unwrap_or_default();
        let list = match (&node.op, Work::of(net, id)) {
            (IntOp::Input, _) => {
                let widths = input_lanes(net, id, pricer.interval());
                widths.into_iter().map(|n| Candidate::free(Choice::Lanes(n))).collect()
            }
            (IntOp::Mul, _) => multiply(pin, offer),
            (_, Some(work)) => compute(pricer, id, &work, &pin, offer)?,
            _ => vec![Candidate::free(Choice::Follow)],
        };
        all.insert(id, list);
    }
    Ok(all)
}

/// Widths of an input: divisors from what the rate needs up to the widest reader.
fn input_lanes(net: &IntNetwork, id: NodeId, interval: u64) -> Vec<usize> {
    let node = net.graph.node(id);
    let elements = node.elements();
    let need = elements.div_ceil(usize::try_from(interval).unwrap_or(usize::MAX).max(1));
    let widest = (WIDEST_INPUT_BITS / node.ty().bits as usize).max(need);
    let mut list: Vec<usize> = divisors(elements).into_iter().filter(|d| *d >= need && *d <= widest).collect();
    if list.is_empty() {
        list.push(crate::lower::lanes_at_least(elements, need));
    }
    list
}

/// An element-wise product.
fn multiply(pin: Pin, offer: Offer) -> Vec<Candidate> {
    [Multiplier::Lut, Multiplier::Dsp]
        .into_iter()
        .filter(|m| pin.multiplier.map_or(offer.dsp || *m == Multiplier::Lut, |p| p.is_dsp() == m.is_dsp()))
        .map(|multiplier| {
            let c =
                Compute { pe: 1, simd: 1, window_lanes: None, early: 0, pixels: 1, multiplier, memory: Memory::Logic };
            Candidate::free(Choice::Compute(c))
        })
        .collect()
}

/// A folding of a multiplying layer.
struct Shape {
    pe: usize,
    simd: usize,
    /// Several pixels at once.
    wide: Option<Wide>,
    /// Channels a beat that its window unit may have.
    lanes: Vec<Option<usize>>,
    /// Cycles a frame.
    cycles: u64,
}

/// Foldings of a multiplying layer.
fn compute(pricer: &mut Pricer<'_>, id: NodeId, w: &Work, pin: &Pin, offer: Offer) -> Result<Vec<Candidate>, Diag> {
    let interval = pricer.interval();
    let mut list = Vec::new();
    let mut windows: HashMap<(usize, usize), Resources> = HashMap::new();
    let mut behind: HashMap<usize, Resources> = HashMap::new();
    let wides = w.wides(interval, pin);
    // More pixels than the window unit needs cost more windows, and give finer steps of the inputs in parallel; a few suffice.
    let least = wides.iter().map(Wide::cycles).find(|c| *c as u64 <= interval);
    let wides: Vec<Wide> =
        wides.into_iter().filter(|w| least.is_some_and(|l| w.cycles() <= l && 4 * w.cycles() >= l)).collect();
    let mut shapes: Vec<Shape> = Vec::new();
    for (pe, simd) in foldings(w, pin) {
        let mut kinds = vec![];
        if w.allows_one(pin) {
            kinds.push(None);
        }
        if pe == w.rows && w.wide_takes(simd) {
            kinds.extend(wides.iter().copied().map(Some));
        }
        for wide in kinds {
            let cycles = w.cycles(pe, simd) / wide.map_or(1, |w| w.windows) as u64;
            if cycles > interval {
                continue;
            }
            let lanes: Vec<Option<usize>> = match (w.window, wide) {
                (None, _) => vec![None],
                (Some((_, channels, _)), Some(_)) => vec![Some(channels)],
                (Some((pixels, channels, _)), None) => {
                    let widths = if w.depthwise { vec![pe] } else { divisors(channels) };
                    let fast = |l: &usize| (pixels * (channels / l)) as u64 <= interval;
                    widths.into_iter().filter(fast).map(Some).collect()
                }
            };
            if !lanes.is_empty() {
                shapes.push(Shape { pe, simd, wide, lanes, cycles });
            }
        }
    }
    let beyond = prefetch(pricer, id, w, pin, offer, &shapes);
    for Shape { pe, simd, wide, lanes, cycles } in shapes {
        let times = wide.map_or(1, |w| w.windows);
        let result = pe * w.factor * times;
        if let Entry::Vacant(e) = behind.entry(result) {
            e.insert(chain(pricer, id, result)?);
        }
        let pixels = wide.map_or(1, |w| w.pixels);
        for (c, unit) in units(pricer, id, w, pin, offer, (pe, simd, pixels), &beyond) {
            let unit = unit + behind[&result];
            for window_lanes in &lanes {
                let choice = Compute { window_lanes: *window_lanes, ..c };
                let window = match window_lanes {
                    Some(l) => match windows.entry((*l, pixels)) {
                        Entry::Occupied(e) => *e.get(),
                        Entry::Vacant(e) => *e.insert(window_cost(pricer, id, w, &choice, *l)?),
                    },
                    None => Resources::default(),
                };
                let group = if c.early > 0 { 1 } else { w.cols / simd };
                let tail = if w.depthwise { 0 } else { ((w.rows / pe - 1) * group) as u64 };
                list.push(Candidate { choice: Choice::Compute(choice), used: unit + window, tail, cycles });
            }
        }
    }
    Ok(list)
}

/// What a folding's multipliers, weights and order of work can be, with the unit's use: outputs, inputs and input pixels in parallel.
fn units(
    pricer: &mut Pricer<'_>,
    id: NodeId,
    w: &Work,
    pin: &Pin,
    offer: Offer,
    (pe, simd, pixels): (usize, usize, usize),
    beyond: &Beyond,
) -> Vec<(Compute, Resources)> {
    let mut units = Vec::new();
    for memory in memories((w.rows / pe) * (w.cols / simd), pin, offer) {
        let mut plain: Vec<(Compute, Resources)> = Vec::new();
        for multiplier in multipliers(w, pin, offer, (pe, simd)) {
            let c = Compute { pe, simd, window_lanes: None, early: 0, pixels, multiplier, memory };
            let mut list = orders(pricer, id, w, pin, c, beyond);
            // Packed products take no less time than others, so they must use less of something.
            if multiplier.is_packed() {
                list.retain(|(c, unit)| !plain.iter().any(|(o, other)| o.early == c.early && other.within(unit)));
            }
            plain.extend(list);
        }
        units.extend(plain);
    }
    units
}

/// Use of the element-wise operators that read nothing but this node's result, at its width.
fn chain(pricer: &mut Pricer<'_>, id: NodeId, lanes: usize) -> Result<Resources, Diag> {
    let net = pricer.net;
    let (mut at, mut lanes, mut used) = (id, lanes, Resources::default());
    loop {
        let readers = net.graph.consumers(at);
        let [(next, _)] = readers[..] else { return Ok(used) };
        let follows = net.graph.inputs(next).len() == 1
            && Work::of(net, next).is_none()
            && !matches!(net.graph.node(next).op, IntOp::Mul);
        if !follows || net.outputs.iter().any(|p| p.node == at) {
            return Ok(used);
        }
        let priced = pricer.evaluate(next, Choice::Follow, &[lanes])?;
        used = used + Resources::from_array(priced.used);
        (at, lanes) = (next, priced.lanes);
    }
}

/// Use of the window unit with its FIFOs, at a width that needs no converter.
fn window_cost(pricer: &mut Pricer<'_>, id: NodeId, w: &Work, c: &Compute, lanes: usize) -> Result<Resources, Diag> {
    let taps = w.window.map_or(1, |(_, _, taps)| taps);
    let simd = if w.depthwise { taps } else { taps * lanes };
    let c = Compute { simd, window_lanes: Some(lanes), early: 0, ..*c };
    let whole = pricer.evaluate(id, Choice::Compute(c), &[lanes * c.pixels])?;
    let unit = unit_cost(pricer, id, w, &c);
    Ok(Resources::from_array(whole.used).zip(&unit, u64::saturating_sub))
}

/// Pairs of outputs and inputs in parallel that the user allows.
fn foldings(w: &Work, pin: &Pin) -> Vec<(usize, usize)> {
    if pin.reuse.is_some() && pin.pe.is_none() && pin.simd.is_none() {
        return vec![w.fold(u64::MAX, pin)];
    }
    let wanted = |all: usize, pinned: Option<usize>| match pinned {
        Some(p) => vec![crate::lower::lanes_within(all, p)],
        None => divisors(all),
    };
    let simds = wanted(w.cols, pin.simd);
    wanted(w.rows, pin.pe).into_iter().flat_map(|pe| simds.iter().map(move |s| (pe, *s))).collect()
}

/// Kinds of multipliers: DSP blocks not for weights of one bit, nor where the device has none; packed products where rows meet in pairs,
/// and their sums in blocks where one column is multiplied a firing.
fn multipliers(w: &Work, pin: &Pin, offer: Offer, (pe, simd): (usize, usize)) -> Vec<Multiplier> {
    if let Some(m) = pin.multiplier {
        return vec![w.built(m)];
    }
    let mut list = vec![Multiplier::Lut];
    if offer.dsp && w.bits.0 >= 3 && w.bits.1 >= 2 {
        list.push(Multiplier::Dsp);
        if pe > 1 && !w.depthwise {
            list.push(Multiplier::Packed);
            if simd == 1 && w.cols > 1 {
                list.push(Multiplier::PackedSum);
            }
        }
    }
    list
}

/// Places of the weights: constants when all are used in every cycle. URAM holds no initial contents, so it cannot hold weights.
fn memories(words: usize, pin: &Pin, offer: Offer) -> Vec<Memory> {
    match pin.memory {
        Some(m) => vec![m],
        None if words == 1 => vec![Memory::Logic],
        None if offer.block_memory && words > 16 => vec![Memory::Lut, Memory::Block],
        None => vec![Memory::Lut],
    }
}

/// Most vectors a frame for which the search chooses an order of work: with many, the last one's order hardly matters.
const ORDERED_VECTORS: usize = 4;

/// Orders of work: output-first and input-first, where they differ. How many beats are early in between is settled with the
/// neighbours (`order`).
fn earlies(w: &Work, pin: &Pin, (pe, simd): (usize, usize)) -> Vec<usize> {
    let latest = if w.depthwise { 0 } else { Mvu::latest_early(w.rows / pe, w.cols / simd) };
    match pin.early {
        Some(e) => vec![e.min(latest)],
        None if latest > 0 && w.vectors <= ORDERED_VECTORS => vec![0, latest],
        None => vec![0],
    }
}

/// A folding in every order of work that is worth a choice, with the unit's use: where time does not matter, no order that uses
/// more than another one.
fn orders(
    pricer: &mut Pricer<'_>,
    id: NodeId,
    w: &Work,
    pin: &Pin,
    c: Compute,
    beyond: &Beyond,
) -> Vec<(Compute, Resources)> {
    let all: Vec<_> = earlies(w, pin, (c.pe, c.simd))
        .into_iter()
        .map(|early| Compute { early, ..c })
        .filter(|c| !beyond.covers(c))
        .map(|c| (c, unit_cost(pricer, id, w, &c)))
        .collect();
    match all[..] {
        [(_, plain), (_, early)] if !pricer.timed && plain.within(&early) => vec![all[0]],
        [(_, plain), (_, early)] if !pricer.timed && early.within(&plain) => vec![all[1]],
        _ => all,
    }
}

/// Weights of an operator that has some.
fn weights_at(net: &IntNetwork, id: NodeId) -> Option<&Arc<Matrix>> {
    match &net.graph.node(id).op {
        IntOp::Dense(m) => Some(m),
        IntOp::Conv(conv) => Some(&conv.weights),
        _ => None,
    }
}

/// The multiplying unit of a folding with the types of its input and output; `None` for operators without weights.
fn unit_of(net: &IntNetwork, id: NodeId, w: &Work, c: &Compute) -> Option<(Kind, IntType, IntType)> {
    let node = net.graph.node(id);
    let input = net.graph.node(*net.graph.inputs(id).first()?).ty();
    let weights = weights_at(net, id)?.clone();
    let &Compute { pe, simd, early, multiplier, memory, .. } = c;
    let times = w.windows(c.pixels);
    let weights = if w.depthwise && times > 1 { Arc::new(repeated(&weights, times)) } else { weights };
    let kind = if w.depthwise {
        let (pe, pixels) = (pe * times, w.vectors / times);
        Kind::Vvu(Vvu { weights, multiplicity: w.factor, pe, simd, pixels, multiplier, memory })
    } else {
        Kind::Mvu(Mvu { weights, pe, simd, vectors: w.vectors, early, pixels: times, multiplier, memory })
    };
    Some((kind, input, node.ty()))
}

/// Price of the unit alone.
fn unit_cost(pricer: &Pricer<'_>, id: NodeId, w: &Work, c: &Compute) -> Resources {
    pricer.unit(id, c, || {
        let Some((kind, input, output)) = unit_of(pricer.net, id, w, c) else { return Resources::default() };
        let weights = weights_of(&kind).map(|m| pricer.stats(id, m));
        pricer.model.module(&ModuleSpec { kind: &kind, inputs: &[input], outputs: &[output], weights })
    })
}

/// Whether a unit has a multiple of another one's parallelism, all else the same.
fn multiplies(less: &Compute, more: &Compute) -> bool {
    let kind = |c: &Compute| (c.multiplier, c.memory, c.early > 0, c.pixels);
    let lanes = |c: &Compute| (c.pe, c.simd);
    kind(less) == kind(more)
        && lanes(less) != lanes(more)
        && more.pe.is_multiple_of(less.pe)
        && more.simd.is_multiple_of(less.simd)
}

/// Units that are neither priced nor offered, because they use more than there is by far.
#[derive(Debug, Default)]
struct Beyond {
    /// Those that alone use more than [`Offer::most`]: multiples of them.
    units: Vec<Compute>,
    /// Shift-and-add of all weights.
    constants: bool,
}

impl Beyond {
    fn covers(&self, c: &Compute) -> bool {
        let constant = c.multiplier == Multiplier::Lut && c.memory == Memory::Logic;
        (constant && self.constants) || self.units.iter().any(|b| multiplies(b, c))
    }

    /// Shift-and-add units have an adder a weight other than zero, less one a row, each as wide as an input at least
    /// ([`netfold_ir::hw::linear`]). They are given up where that is several times of what there is, and other foldings remain.
    fn of_constants(pricer: &Pricer<'_>, id: NodeId, w: &Work, offer: Offer, shapes: &[Shape]) -> bool {
        let others = shapes.iter().any(|s| (s.pe, s.simd) != (w.rows, w.cols));
        let Some(weights) = weights_at(pricer.net, id).filter(|_| others && !w.depthwise) else { return false };
        let adders = pricer.stats(id, weights).nonzero.saturating_sub(weights.rows) as u64;
        adders * u64::from(w.bits.1) > offer.most.lut.saturating_mul(MOST_ADDER_BITS)
    }
}

/// Prices the units of all shapes that have no price yet, on all cores, those of fewer multipliers first. Returns what is not offered.
fn prefetch(pricer: &Pricer<'_>, id: NodeId, w: &Work, pin: &Pin, offer: Offer, shapes: &[Shape]) -> Beyond {
    // By the binary logarithm of their multipliers.
    let mut steps: BTreeMap<u32, Vec<Compute>> = BTreeMap::new();
    for s in shapes {
        let (pe, simd, pixels) = (s.pe, s.simd, s.wide.map_or(1, |w| w.pixels));
        for memory in memories((w.rows / pe) * (w.cols / simd), pin, offer) {
            for multiplier in multipliers(w, pin, offer, (pe, simd)) {
                let c = Compute { pe, simd, window_lanes: None, early: 0, pixels, multiplier, memory };
                let all = earlies(w, pin, (pe, simd)).into_iter().map(|early| Compute { early, ..c });
                steps.entry((pe * simd).ilog2()).or_default().extend(all);
            }
        }
    }
    let (net, model) = (pricer.net, pricer.model);
    let one = steps.values().flatten().find(|c| c.pixels == 1).and_then(|c| unit_of(net, id, w, c));
    let known = one.as_ref().and_then(|(kind, ..)| weights_of(kind)).map(|m| (m.rows, pricer.stats(id, m)));
    let mut beyond = Beyond { units: Vec::new(), constants: Beyond::of_constants(pricer, id, w, offer, shapes) };
    for mut wanted in steps.into_values() {
        wanted.retain(|c| !beyond.covers(c));
        pricer.units(id, &wanted, |c| {
            let Some((kind, input, output)) = unit_of(net, id, w, c) else { return Resources::default() };
            let stats = |m: &Matrix| known.filter(|k| k.0 == m.rows).map_or_else(|| WeightStats::of(m), |k| k.1);
            let weights = weights_of(&kind).map(stats);
            model.module(&ModuleSpec { kind: &kind, inputs: &[input], outputs: &[output], weights })
        });
        beyond.units.extend(wanted.into_iter().filter(|c| !unit_cost(pricer, id, w, c).within(&offer.most)));
    }
    beyond
}
