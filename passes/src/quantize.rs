//! `quantize`: gives every tensor that hardware computes with a number format.
//!
//! Networks that carry their own quantizers keep them. Where a tensor enters an operator that needs integers and no quantizer
//! says which, one is inserted: with the format that the configuration asks for, from calibration data, or the default. Linear
//! results that leave the network, or only feed a comparison, stay exact.

mod facts;

use crate::precision::{Calibration, Formats, calibrated, default_activation, short_scale};
use facts::Facts;
use netfold_ir::diag::Diag;
use netfold_ir::graph::NodeId;
use netfold_ir::net::{Network, Op, PoolKind, UnaryFn, Weights};
use netfold_ir::quant::{IntType, Overflow, Quantizer, Rounding};
use netfold_ir::rat::{self, Rat};
use num_traits::{One, Zero};
use std::collections::{HashMap, HashSet};

/// What was decided, for the user.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// Tensors that got the default format because nothing else said one.
    pub defaulted: usize,
    /// Tensors whose format came from the configuration.
    pub configured: usize,
    /// Tensors whose format came from calibration data.
    pub calibrated: usize,
    /// Weight tensors that were quantized here.
    pub weights: usize,
    /// Names of the quantizers that were inserted.
    pub inserted: HashSet<String>,
}

/// What a quantizer to be inserted is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Operand of a multiplication, sum or pool.
    Activation,
    /// Argument of a function that becomes a table.
    TableIndex(Tails),
    /// Logits of a softmax.
    Logits,
    /// Result of a softmax.
    Probability,
    /// Leaves the network.
    Output,
}

/// What a function is far from zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tails {
    /// Nearly constant on both sides.
    Constant,
    /// Nearly affine on one side, constant on the other: only the part between is stored.
    Affine,
    /// Neither.
    Curved,
}

impl Tails {
    fn of(f: &UnaryFn) -> Tails {
        match f {
            UnaryFn::Sigmoid | UnaryFn::Tanh => Tails::Constant,
            UnaryFn::Elu(_) | UnaryFn::Selu(..) | UnaryFn::Softplus => Tails::Affine,
            _ => Tails::Curved,
        }
    }
}

/// Most entries of a function table unless the configuration says otherwise.
pub const TABLE_SIZE: usize = 1 << 16;

/// Inserts quantizers and quantizes float weights.
pub fn run(net: &mut Network, formats: &dyn Formats, calibration: Option<&Calibration>) -> Result<Summary, Diag> {
    let mut summary = Summary::default();
    let facts = Facts::of(net)?;
    let mut points = Points::default();
    for id in net.graph.topological()? {
        for input in net.graph.inputs(id) {
            if let Some(role) = needed_by(net, id, &facts) {
                points.require(net, input, role, &facts);
            }
        }
        if is_probability(net, id) {
            points.require(net, id, Role::Probability, &facts);
        }
    }
    for port in net.outputs.clone() {
        if formats.model_default().is_some()
            || !facts.linear.contains(&port.node)
            || asked(net, port.node, formats).is_some()
        {
            points.require(net, port.node, Role::Output, &facts);
        }
    }
    // A layer whose result format was written down gets it, whether or not the hardware would need one there.
    for id in net.graph.topological()? {
        let op = &net.graph.node(id).op;
        let computes = matches!(op, Op::Dense(_) | Op::Conv(_) | Op::Unary(_) | Op::Sum(_) | Op::Mul | Op::Input(_));
        if computes
            && formats.model_default().is_none()
            && !facts.on_grid.contains(&id)
            && asked(net, id, formats).is_some()
        {
            points.list.push((id, Role::Activation));
        }
    }
    let mut points = points.list;
    let mut seen = HashMap::new();
    points.retain(|(id, _)| seen.insert(*id, ()).is_none());
    let chosen = choose(net, &points, formats, calibration, &mut summary);
    for ((id, _), quantizer) in points.iter().zip(chosen) {
        let name = format!("{}_quant", net.graph.node(*id).name);
        let new = net.insert_after(*id, &name, Op::Unary(UnaryFn::Quant(quantizer)))?;
        summary.inserted.insert(net.graph.node(new).name.clone());
    }
    for id in net.graph.ids() {
        quantize_weights(net, id, formats, calibration, &mut summary);
    }
    Ok(summary)
}

/// What the operator needs of its inputs; `None` when exact values of any kind will do.
fn needed_by(net: &Network, id: NodeId, facts: &Facts) -> Option<Role> {
    match &net.graph.node(id).op {
        Op::Dense(_) | Op::Conv(_) | Op::Sum(_) | Op::Mul => Some(Role::Activation),
        Op::Pool(p) if p.kind == PoolKind::Max => unless_exact(net, id, facts),
        Op::GlobalPool(PoolKind::Max) | Op::ArgMax(_) | Op::ReduceMax => unless_exact(net, id, facts),
        Op::Pool(_) | Op::GlobalPool(_) => Some(Role::Activation),
        // Exact logits are rounded where their range is known, in `streamline`.
        Op::Softmax(_) => {
            let exact = net.graph.inputs(id).iter().all(|i| facts.linear.contains(i));
            if exact { None } else { Some(Role::Logits) }
        }
        Op::Unary(f)
            if !f.is_rational() || matches!(f, UnaryFn::HardSwish | UnaryFn::Softsign | UnaryFn::Reciprocal) =>
        {
            // A quantizer right behind makes the function exact by thresholds; otherwise its argument is tabulated.
            if quantized_soon(net, id) { None } else { Some(Role::TableIndex(Tails::of(f))) }
        }
        // A scale and offset behind a function such as ReLU: without a quantizer between them the chain is one function of the
        // wide accumulator.
        Op::Unary(UnaryFn::Affine(_)) => {
            (behind_function(net, id) && !chain_is_quantized(net, id)).then_some(Role::Activation)
        }
        Op::Concat(_) | Op::Slice(_) | Op::Pad(_) | Op::Upsample(_) => unless_exact(net, id, facts),
        Op::Input(_) | Op::Unary(_) | Op::Reshape(_) | Op::Transpose(_) => None,
    }
}

/// What an operator needs that only moves or compares elements: nothing where its inputs have exact integers already.
fn unless_exact(net: &Network, id: NodeId, facts: &Facts) -> Option<Role> {
    let exact = net.graph.inputs(id).iter().all(|i| facts.exact.contains(i));
    if exact { None } else { Some(Role::Activation) }
}

/// Whether the input is a function of one element that is neither affine nor a quantizer.
fn behind_function(net: &Network, id: NodeId) -> bool {
    net.graph.inputs(id).iter().any(|i| match &net.graph.node(*i).op {
        Op::Unary(UnaryFn::Quant(_)) => false,
        Op::Unary(UnaryFn::Affine(_)) => behind_function(net, *i),
        Op::Unary(_) => true,
        Op::Pool(p) if p.kind == PoolKind::Max => behind_function(net, *i),
        Op::Reshape(_) | Op::Transpose(_) => behind_function(net, *i),
        _ => false,
    })
}

/// Whether only functions of one element lie between `id` and quantizers that came with the file.
fn chain_is_quantized(net: &Network, id: NodeId) -> bool {
    let consumers = net.graph.consumers(id);
    !net.outputs.iter().any(|p| p.node == id)
        && !consumers.is_empty()
        && consumers.iter().all(|(c, _)| match &net.graph.node(*c).op {
            Op::Unary(UnaryFn::Quant(_)) => true,
            Op::Unary(_) => chain_is_quantized(net, *c),
            _ => false,
        })
}

/// Whether only functions of one element lie between `id` and quantizers of at most 8 bits that came with the file.
fn quantized_soon(net: &Network, id: NodeId) -> bool {
    let consumers = net.graph.consumers(id);
    let exposed = net.outputs.iter().any(|p| p.node == id);
    !exposed
        && !consumers.is_empty()
        && consumers.iter().all(|(c, _)| match &net.graph.node(*c).op {
            Op::Unary(UnaryFn::Quant(q)) => q.ty.bits <= 8 && q.overflow == Overflow::Saturate,
            Op::Unary(f) => f.is_monotone() && quantized_soon(net, *c),
            _ => false,
        })
}

/// Whether a softmax's result is used without a quantizer.
fn is_probability(net: &Network, id: NodeId) -> bool {
    matches!(net.graph.node(id).op, Op::Softmax(_)) && !quantized_next(net, id)
}

/// Whether every consumer is a quantizer.
fn quantized_next(net: &Network, id: NodeId) -> bool {
    let consumers = net.graph.consumers(id);
    !consumers.is_empty()
        && !net.outputs.iter().any(|p| p.node == id)
        && consumers.iter().all(|(c, _)| matches!(net.graph.node(*c).op, Op::Unary(UnaryFn::Quant(_))))
}

/// Where quantizers are to be inserted.
#[derive(Debug, Default)]
struct Points {
    list: Vec<(NodeId, Role)>,
    seen: HashSet<NodeId>,
}

impl Points {
    /// Adds quantizers behind whatever makes the values of `id` that are not integers yet.
    fn require(&mut self, net: &Network, id: NodeId, role: Role, facts: &Facts) {
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            if facts.on_grid.contains(&id) || !self.seen.insert(id) {
                continue;
            }
            match &net.graph.node(id).op {
                Op::Reshape(_)
                | Op::Transpose(_)
                | Op::Concat(_)
                | Op::Slice(_)
                | Op::Pad(_)
                | Op::Upsample(_)
                | Op::ReduceMax
                | Op::GlobalPool(PoolKind::Max) => open.extend(net.graph.inputs(id).into_iter().rev()),
                Op::Pool(p) if p.kind == PoolKind::Max => open.extend(net.graph.inputs(id)),
                Op::Softmax(_) => self.list.push((id, Role::Probability)),
                Op::Input(_)
                | Op::Dense(_)
                | Op::Conv(_)
                | Op::Unary(_)
                | Op::Sum(_)
                | Op::Mul
                | Op::Pool(_)
                | Op::GlobalPool(_)
                | Op::ArgMax(_) => self.list.push((id, role)),
            }
        }
    }
}

/// The format that the configuration asks for by the layer's own name or kind.
fn asked(net: &Network, id: NodeId, formats: &dyn Formats) -> Option<Quantizer> {
    let names = names_of(net, id);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    formats.result(&names, net.graph.node(id).op.kind())
}

/// Name and aliases of a node.
pub fn names_of(net: &Network, id: NodeId) -> Vec<String> {
    let name = &net.graph.node(id).name;
    let mut names = vec![name.clone()];
    names.extend(net.aliases.iter().filter(|(_, to)| to == name).map(|(alias, _)| alias.clone()));
    names
}

/// Quantizers for all points. Tensors that are added or concatenated share one calibrated scale.
fn choose(
    net: &Network,
    points: &[(NodeId, Role)],
    formats: &dyn Formats,
    calibration: Option<&Calibration>,
    summary: &mut Summary,
) -> Vec<Quantizer> {
    let groups = shared_scales(net, points);
    let mut chosen: Vec<Quantizer> = Vec::with_capacity(points.len());
    for (i, (id, role)) in points.iter().enumerate() {
        let names = names_of(net, *id);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let kind = net.graph.node(*id).op.kind();
        let special = matches!(role, Role::Logits | Role::Probability | Role::TableIndex(_));
        let by_layer = formats.result(&names, kind);
        let configured = by_layer.or_else(|| if special { None } else { formats.model_default() });
        let quantizer = if let Some(q) = configured {
            summary.configured += 1;
            limit_table(q, *role, formats.table_size(&names, kind))
        } else if let Some((c, values)) =
            calibration.and_then(|c| group_values(net, c, points, &groups, i).map(|v| (c, v)))
        {
            summary.calibrated += 1;
            let bits = formats.activation_bits().unwrap_or(c.bits);
            match role {
                Role::Probability => probability(),
                Role::Logits | Role::TableIndex(_) => calibrated(&values, (bits + 4).max(10), c.method),
                Role::Activation | Role::Output => calibrated(&values, bits, c.method),
            }
        } else {
            summary.defaulted += usize::from(matches!(role, Role::Activation | Role::Output | Role::TableIndex(_)));
            match role {
                Role::Probability => probability(),
                Role::Logits => Quantizer::fixed(true, 20, 8, Rounding::HalfUp, Overflow::Saturate),
                Role::TableIndex(tails) => {
                    let q = table_argument(*tails, formats.model_default());
                    limit_table(q, *role, formats.table_size(&names, kind))
                }
                Role::Activation | Role::Output => formats.model_default().unwrap_or_else(default_activation),
            }
        };
        chosen.push(quantizer);
    }
    chosen
}

/// Results of a softmax: 15 fraction bits and room for 1.
fn probability() -> Quantizer {
    Quantizer::fixed(false, 16, 1, Rounding::HalfEven, Overflow::Saturate)
}

/// The default format, for functions that are not constant far from zero with the integer bits of the model's, so that they are
/// tabulated where the values lie; 12 at most, which leaves 4 fraction bits.
fn table_argument(tails: Tails, model: Option<Quantizer>) -> Quantizer {
    let default = default_activation();
    if tails == Tails::Constant {
        return default;
    }
    let reach = |q: &Quantizer| rat::to_f64(&q.scale[0]).log2().ceil() as i32 + q.ty.bits as i32;
    let wanted = model.map_or(0, |q| reach(&q) + i32::from(!q.ty.signed)).clamp(reach(&default), 12);
    let grow = wanted - reach(&default);
    let finer = i32::from(tails == Tails::Affine && grow > 0);
    let ty = IntType::new(true, default.ty.bits + finer as u32);
    Quantizer { scale: vec![&default.scale[0] * rat::pow2(grow - finer)], ty, ..default }
}

/// Drops fraction bits until a table over the whole type has at most the asked number of entries.
fn limit_table(mut q: Quantizer, role: Role, size: Option<usize>) -> Quantizer {
    let default = if role == Role::TableIndex(Tails::Affine) { 2 * TABLE_SIZE } else { TABLE_SIZE };
    let size = size.unwrap_or(default).max(2);
    while matches!(role, Role::TableIndex(_)) && q.ty.bits > 2 && 1u64 << q.ty.bits.min(60) > size as u64 {
        q.ty.bits -= 1;
        q.scale.iter_mut().for_each(|s| *s = &*s * rat::from_i64(2));
    }
    q
}

/// For each point the smallest index of a point that must share its scale.
fn shared_scales(net: &Network, points: &[(NodeId, Role)]) -> Vec<usize> {
    let mut parent: Vec<usize> = (0..points.len()).collect();
    fn root(parent: &[usize], mut i: usize) -> usize {
        while parent[i] != i {
            i = parent[i];
        }
        i
    }
    let index: HashMap<NodeId, usize> = points.iter().enumerate().map(|(i, (id, _))| (*id, i)).collect();
    for id in net.graph.ids() {
        if !matches!(net.graph.node(id).op, Op::Sum(_) | Op::Concat(_)) {
            continue;
        }
        let sources = sources_of(net, id, &index);
        for pair in sources.windows(2) {
            let (a, b) = (root(&parent, pair[0]), root(&parent, pair[1]));
            parent[a.max(b)] = a.min(b);
        }
    }
    (0..points.len()).map(|i| root(&parent, i)).collect()
}

/// Points whose values reach the inputs of `id` through operators that only move elements.
fn sources_of(net: &Network, id: NodeId, index: &HashMap<NodeId, usize>) -> Vec<usize> {
    let (mut out, mut seen) = (Vec::new(), HashSet::new());
    let mut open = net.graph.inputs(id);
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        if let Some(&i) = index.get(&id) {
            out.push(i);
        } else if matches!(
            net.graph.node(id).op,
            Op::Reshape(_)
                | Op::Transpose(_)
                | Op::Slice(_)
                | Op::Concat(_)
                | Op::Pad(_)
                | Op::Upsample(_)
                | Op::Pool(_)
        ) {
            open.extend(net.graph.inputs(id));
        }
    }
    out
}

/// Observed values of all points that share the scale of point `i`.
fn group_values(
    net: &Network,
    calibration: &Calibration,
    points: &[(NodeId, Role)],
    groups: &[usize],
    i: usize,
) -> Option<Vec<f32>> {
    let mut all = Vec::new();
    for (k, (id, _)) in points.iter().enumerate() {
        if groups[k] == groups[i] {
            all.extend_from_slice(calibration.values.get(&net.graph.node(*id).name)?);
        }
    }
    Some(all)
}

/// Bits of float weights when nothing else says.
const WEIGHT_BITS: u32 = 16;

/// Puts float weights (and a bias with a format of its own) on a grid.
fn quantize_weights(
    net: &mut Network,
    id: NodeId,
    formats: &dyn Formats,
    calibration: Option<&Calibration>,
    summary: &mut Summary,
) {
    let names = names_of(net, id);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let node = net.graph.node_mut(id);
    let kind = node.op.kind();
    let outputs = node.shape.last().copied().unwrap_or(1);
    let (weights, bias) = match &mut node.op {
        Op::Dense(d) => (&mut d.weights, &mut d.bias),
        Op::Conv(c) => (&mut c.weights, &mut c.bias),
        _ => return,
    };
    if weights.scale.is_some() {
        return;
    }
    summary.weights += 1;
    let default = formats.model_default();
    if let Some(q) = formats.weight(&names, kind).or_else(|| default.clone()) {
        apply(weights, &q);
    } else {
        let bits = formats.weight_bits().unwrap_or(calibration.map_or(WEIGHT_BITS, |c| c.bits));
        if formats.per_channel().unwrap_or(calibration.is_some()) {
            per_channel(weights, outputs, bits);
        } else {
            apply(weights, &fitting(&weights.values, bits));
        }
    }
    if let Some(q) = formats.bias(&names, kind).or(default) {
        for b in bias.iter_mut() {
            *b = round_to(&q, *b);
        }
    }
}

/// The value of a constant in a format: the nearest, ties to even. The rounding mode of a format is that of hardware at work.
fn round_to(q: &Quantizer, x: f64) -> f64 {
    // Steps that are powers of two: floating point is exact.
    if let (Some(e), true, true) =
        (rat::log2_exact(&q.scale[0]), q.zero_point[0].is_zero(), q.overflow == Overflow::Saturate)
        && e.abs() < 500
        && x.abs() < 1e100
        && q.ty.bits <= 53
    {
        let steps = (x * f64::from(-e).exp2()).round_ties_even();
        return steps.clamp(q.ty.min() as f64, q.ty.max() as f64) * f64::from(e).exp2();
    }
    let nearest = Quantizer { rounding: Rounding::HalfEven, ..q.clone() };
    let exact = rat::from_f64(x).unwrap_or_else(Rat::zero);
    rat::to_f64(&nearest.dequantize(0, nearest.quantize(0, &exact)))
}

/// Rounds weights by one quantizer for the whole tensor.
fn apply(weights: &mut Weights, q: &Quantizer) {
    for w in &mut weights.values {
        *w = round_to(q, *w);
    }
    weights.scale = Some(vec![rat::to_f64(&q.scale[0])]);
}

/// Fixed point of `bits` bits with the integer bits that the values need, rounded to nearest even.
fn fitting(values: &[f64], bits: u32) -> Quantizer {
    let largest = values.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let ty = IntType::new(true, bits);
    let mut exponent = if largest > 0.0 { (largest / ty.max() as f64).log2().ceil() as i32 } else { 0 };
    while largest > ty.max() as f64 * f64::from(exponent).exp2() {
        exponent += 1;
    }
    Quantizer {
        scale: vec![rat::pow2(exponent)],
        zero_point: vec![Rat::zero()],
        ty,
        rounding: Rounding::HalfEven,
        overflow: Overflow::Saturate,
    }
}

/// Symmetric scale per output channel from its largest weight.
fn per_channel(weights: &mut Weights, outputs: usize, bits: u32) {
    let per = (weights.values.len() / outputs.max(1)).max(1);
    let top = (IntType::new(true, bits).max() as f64).max(1.0);
    let mut scales = Vec::with_capacity(outputs);
    for row in weights.values.chunks_mut(per) {
        let largest = row.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        let scale = if largest > 0.0 { short_scale(largest / top) } else { Rat::one() };
        let scale = rat::to_f64(&scale);
        for w in row.iter_mut() {
            *w = (*w / scale).round_ties_even().clamp(-top, top) * scale;
        }
        scales.push(scale);
    }
    weights.scale = Some(scales);
}
