//! `streamline`: the real-valued network with quantizers becomes the integer network.
//!
//! Walking the operators in order, every tensor is kept as integers with an affine meaning (`scale * q + offset`), a chain of
//! functions still to be applied, and a pending permutation. Scales and offsets move through linear operators without a trace
//! in hardware; a chain of functions becomes one [`StepFn`] when it reaches a quantizer; permutations are absorbed into weights,
//! inputs and outputs where they can be.

mod arrange;
mod join;
mod linear;
mod pool;
mod softmax;
mod value;

use netfold_ir::diag::{Code, Diag, Diags};
use netfold_ir::graph::NodeId;
use netfold_ir::hw::ReduceOp;
use netfold_ir::int::{InputPort, IntNetwork, IntOp, OutputPort, StepFn};
use netfold_ir::net::{Affine, Network, Op, UnaryFn};
use netfold_ir::quant::{IntType, Overflow, Quantizer, Rounding};
use netfold_ir::rat::{self, Rat};
use num_traits::{One, Signed, Zero};
use std::collections::{HashMap, HashSet};
use value::{Source, Value};

/// Significant bits of the ratio of an accumulator's step to that of an inserted quantizer.
const INSERTED_RATIO_BITS: i32 = 16;

/// Builds the integer network. Every operator that cannot be expressed is reported. `inserted` names the quantizers that are not
/// the file's: the ratio of scales before and behind them is rounded to 16 significant bits, so that it is a short factor.
pub fn run(net: &Network, inserted: &HashSet<String>) -> Result<IntNetwork, Diags> {
    let int = IntNetwork { name: net.name.clone(), ..IntNetwork::default() };
    let mut cx = Context { net, inserted, int, values: HashMap::new() };
    let mut diags = Diags::new();
    let order = net.graph.topological().map_err(Diags::from)?;
    for id in order {
        if net.graph.inputs(id).iter().any(|i| !cx.values.contains_key(i)) {
            continue;
        }
        match cx.convert(id) {
            Ok(value) => {
                cx.values.insert(id, value);
            }
            Err(d) => diags.push(d),
        }
    }
    if !diags.is_empty() {
        return Err(diags);
    }
    for port in &net.outputs {
        let result = cx.output(port);
        diags.take(result);
    }
    for port in &net.inputs {
        if !cx.int.inputs.iter().any(|p| p.name == port.name) {
            diags.push(
                Diag::new(Code::Unsupported, &port.name, "this input does not influence any output")
                    .help("remove it from the model"),
            );
        }
    }
    diags.into_result(())?;
    // The file's order of inputs.
    let position = |name: &str| net.inputs.iter().position(|p| p.name == name);
    cx.int.inputs.sort_by_key(|p| position(&p.name));
    let roots: Vec<NodeId> =
        cx.int.outputs.iter().map(|p| p.node).chain(cx.int.inputs.iter().map(|p| p.node)).collect();
    cx.int.graph.retain_reaching(&roots);
    absorb_input_permutations(&mut cx.int)?;
    cx.int.verify()?;
    Ok(cx.int)
}

/// Lets the user's side permute inputs whose only reader is a permutation.
fn absorb_input_permutations(int: &mut IntNetwork) -> Result<(), Diag> {
    for i in 0..int.inputs.len() {
        let node = int.inputs[i].node;
        let [(reader, _)] = int.graph.consumers(node)[..] else { continue };
        let IntOp::Permute { order, shape } = int.graph.node(reader).op.clone() else { continue };
        if int.outputs.iter().any(|p| p.node == node) {
            continue;
        }
        let port = &int.inputs[i];
        let Some(UnaryFn::Quant(quantizer)) = port.encoder.last() else { continue };
        let ty = quantizer.ty;
        let real = int.graph.node(reader).real.clone();
        let file = |o: u32| port.order.get(o as usize).copied().unwrap_or(o);
        let new_order: Vec<u32> = order.iter().map(|&o| file(o)).collect();
        let encoder =
            port.encoder.iter().map(|f| crate::normalize::reindex(f, |k, p| order[k] as usize % p, &shape)).collect();
        let name = int.inputs[i].name.clone();
        let new = int.add_input(&format!("{name}_in"), shape, ty, real)?;
        int.graph.replace_uses(reader, new);
        for port in int.outputs.iter_mut().filter(|p| p.node == reader) {
            port.node = new;
        }
        int.graph.remove(reader);
        int.graph.remove(node);
        int.inputs[i] = InputPort { node: new, order: new_order, encoder, ..int.inputs[i].clone() };
    }
    Ok(())
}

/// State of the walk.
struct Context<'a> {
    net: &'a Network,
    inserted: &'a HashSet<String>,
    int: IntNetwork,
    values: HashMap<NodeId, Value>,
}

impl Context<'_> {
    /// The value of an operator's input.
    fn input(&self, id: NodeId, port: usize) -> Result<Value, Diag> {
        self.net
            .graph
            .inputs(id)
            .get(port)
            .and_then(|i| self.values.get(i).cloned())
            .ok_or_else(|| Diag::internal(&self.net.graph.node(id).name, "an input has no value"))
    }

    /// Converts one operator.
    fn convert(&mut self, id: NodeId) -> Result<Value, Diag> {
        let node = self.net.graph.node(id).clone();
        let name = node.name.as_str();
        match &node.op {
            Op::Input(shape) => {
                let port = self.net.inputs.iter().position(|p| p.node == id);
                let port = port.ok_or_else(|| Diag::internal(name, "input node without a port"))?;
                Ok(Value {
                    source: Source::Raw(port),
                    shape: shape.clone(),
                    natural: shape.clone(),
                    order: None,
                    real: Affine::identity(),
                    pending: Vec::new(),
                })
            }
            Op::Unary(f) => self.unary(id, name, f),
            Op::Dense(d) => self.dense(id, name, d),
            Op::Conv(c) => self.conv(id, name, c),
            Op::Sum(s) => self.sum(id, name, s),
            Op::Mul => self.product(id, name),
            Op::Pool(p) => self.pool(id, name, p),
            Op::GlobalPool(kind) => self.global_pool(id, name, *kind),
            Op::Softmax(s) => self.softmax(id, name, *s),
            Op::ArgMax(a) => {
                let x = self.input(id, 0)?;
                let x = self.comparable(name, x)?;
                let length = node_last(&x);
                let op = IntOp::ArgMax { last: a.last, length };
                let new = self.int.add(name, name, op, &[x.node()?], Affine::identity())?;
                Ok(self.integer(new, node.shape))
            }
            Op::ReduceMax => {
                let x = self.input(id, 0)?;
                let x = self.comparable(name, x)?;
                let op = IntOp::VectorReduce { op: ReduceOp::Max, length: node_last(&x) };
                let new = self.int.add(name, name, op, &[x.node()?], x.real.clone())?;
                Ok(self.integer(new, node.shape))
            }
            Op::Concat(c) => self.concat(id, name, c.axis),
            Op::Slice(s) => self.slice(id, name, s),
            Op::Reshape(shape) => Ok(Value { shape: shape.clone(), ..self.input(id, 0)? }),
            Op::Transpose(perm) => {
                let x = self.input(id, 0)?;
                let order = crate::normalize::transpose_order(&x.shape, perm);
                Ok(x.permuted(&order, node.shape))
            }
            Op::Pad(p) => self.pad(id, name, p),
            Op::Upsample(u) => self.upsample(id, name, u),
        }
    }

    /// A value that is exactly the result of integer node `id`.
    fn integer(&self, id: NodeId, shape: Vec<usize>) -> Value {
        let node = self.int.graph.node(id);
        Value {
            source: Source::Int(id),
            shape,
            natural: node.shape.clone(),
            order: None,
            real: node.real.clone(),
            pending: Vec::new(),
        }
    }

    /// A function of one element.
    fn unary(&mut self, id: NodeId, name: &str, f: &UnaryFn) -> Result<Value, Diag> {
        let mut x = self.input(id, 0)?;
        let f = x.to_source_order(f);
        match f {
            UnaryFn::Affine(a) if x.pending.is_empty() && matches!(x.source, Source::Int(_)) => {
                x.real = then(&x.real, &a);
                Ok(x)
            }
            UnaryFn::Quant(q) => self.quantized(name, x, q),
            f => {
                x.pending.push(f);
                Ok(x)
            }
        }
    }

    /// Applies the pending functions and a quantizer.
    fn quantized(&mut self, name: &str, x: Value, q: Quantizer) -> Result<Value, Diag> {
        let mut step = StepFn { input: x.real.clone(), functions: x.pending.clone(), quantizer: q };
        if self.inserted.contains(name) && matches!(x.source, Source::Int(_)) {
            step.input.scale = short_ratios(&step);
        }
        let real = step.output_real();
        let node = match x.source {
            Source::Int(input) => {
                if self.is_identity(input, &step) {
                    return Ok(Value { real, pending: Vec::new(), ..x });
                }
                self.int.add(name, name, IntOp::Step(step), &[input], real.clone())?
            }
            Source::Raw(port) => self.encode(port, &x, step, &real)?,
        };
        Ok(Value { source: Source::Int(node), real, pending: Vec::new(), ..x })
    }

    /// Whether a step maps every integer that can occur to itself.
    fn is_identity(&self, input: NodeId, step: &StepFn) -> bool {
        let node = self.int.graph.node(input);
        step.channels() <= 4096
            && step.functions.is_empty()
            && (0..num_integer::lcm(step.channels(), node.range.0.len())).take(1 << 14).all(|c| {
                let (lo, hi) = node.range.of(c);
                let unit = step.input.scale_of(c) == step.quantizer.scale_of(c);
                unit && step.eval(c, lo) == lo && step.eval(c, hi) == hi
            })
            && num_integer::lcm(step.channels(), node.range.0.len()) <= 1 << 14
    }

    /// Makes the input node of a port, or finds it when the same encoding is used already.
    fn encode(&mut self, port: usize, x: &Value, step: StepFn, real: &Affine) -> Result<NodeId, Diag> {
        let file = &self.net.inputs[port];
        let mut encoder = step.functions;
        encoder.push(UnaryFn::Quant(step.quantizer.clone()));
        if let Some(p) = self.int.inputs.iter().find(|p| p.name == file.name) {
            if p.encoder == encoder {
                return Ok(p.node);
            }
            return Err(Diag::new(Code::Unsupported, &file.name, "this input is quantized in two different ways")
                .help("quantize it once, right behind the input"));
        }
        let node = self.int.add_input(&file.name, x.natural.clone(), step.quantizer.ty, real.clone())?;
        let order = file_order(&file.shape, &file.order);
        self.int.inputs.push(InputPort { name: file.name.clone(), node, shape: file.shape.clone(), order, encoder });
        Ok(node)
    }

    /// The value as plain integers in their own order: nothing pending but an affine meaning.
    fn materialize(&mut self, name: &str, x: Value) -> Result<Value, Diag> {
        let x = self.settled(name, x)?;
        let Some(order) = &x.order else { return Ok(x) };
        let op = IntOp::Permute { order: order.clone().into(), shape: x.shape.clone() };
        let real = x.real_permuted();
        let new = self.int.add(&format!("{name}_permute"), name, op, &[x.node()?], real)?;
        Ok(self.integer(new, x.shape))
    }

    /// The value without pending functions; permutations may remain.
    fn settled(&mut self, name: &str, x: Value) -> Result<Value, Diag> {
        if x.pending.is_empty() && matches!(x.source, Source::Int(_)) {
            return Ok(x);
        }
        if let Some(q) = self.exact_grid(&x) {
            return self.quantized(name, x, q);
        }
        Err(Diag::new(Code::Unsupported, name, "its input has no number format here")
            .help("give the layer before it a precision, or a Quant node"))
    }

    /// For piecewise affine chains on integers: the quantizer that changes nothing.
    fn exact_grid(&self, x: &Value) -> Option<Quantizer> {
        let Source::Int(id) = x.source else { return None };
        let node = self.int.graph.node(id);
        let step = StepFn {
            input: x.real.clone(),
            functions: x.pending.clone(),
            quantizer: Quantizer {
                scale: vec![Rat::one()],
                zero_point: vec![Rat::zero()],
                ty: IntType::new(true, IntType::MAX_BITS),
                rounding: Rounding::HalfEven,
                overflow: Overflow::Saturate,
            },
        };
        let n = num_integer::lcm(step.channels(), node.range.0.len());
        if n > 1 << 14 {
            return None;
        }
        let (mut grid, mut largest) = (Rat::zero(), Rat::zero());
        for c in 0..n {
            let (lo, hi) = node.range.of(c);
            let pieces = step.pieces(c)?;
            for (i, p) in pieces.iter().enumerate() {
                let end = pieces.get(i + 1).map_or(hi, |next| (next.from - 1).min(hi));
                let start = p.from.max(lo);
                if start > end {
                    continue;
                }
                grid = rat::gcd(&grid, &p.slope);
                grid = rat::gcd(&grid, &p.offset);
                for q in [start, end] {
                    largest = largest.max((&p.slope * rat::from_i64(q) + &p.offset).abs());
                }
            }
        }
        if grid.is_zero() {
            grid = Rat::one();
        }
        let steps = rat::to_f64(&(largest / &grid));
        if steps >= (1u64 << 40) as f64 {
            return None;
        }
        let bits = (64 - (steps as u64).leading_zeros() + 2).max(2);
        Some(Quantizer { scale: vec![grid], ty: IntType::new(true, bits), ..step.quantizer })
    }

    /// Integers whose order is that of their real values: equal positive scale and offset within each vector.
    fn comparable(&mut self, name: &str, x: Value) -> Result<Value, Diag> {
        let x = self.materialize(name, x)?;
        if x.real.channels() == 1 && x.real.scale[0].is_positive() {
            return Ok(x);
        }
        self.common_scale(name, x)
    }

    /// The value with one positive scale and no offset for all channels.
    fn common_scale(&mut self, name: &str, x: Value) -> Result<Value, Diag> {
        let n = x.real.channels();
        let mut grid = Rat::zero();
        for c in 0..n {
            grid = rat::gcd(&grid, x.real.scale_of(c));
            grid = rat::gcd(&grid, x.real.offset_of(c));
        }
        if grid.is_zero() {
            grid = Rat::one();
        }
        let fit = |v: Rat| {
            rat::to_i64(&v).ok_or_else(|| {
                Diag::new(Code::Unsupported, name, "the scales of its input's channels have no common grid")
                    .help("quantize its input per tensor")
            })
        };
        let coefficients: Result<Vec<i64>, Diag> = (0..n).map(|c| fit(x.real.scale_of(c) / &grid)).collect();
        let constant: Result<Vec<i64>, Diag> = (0..n).map(|c| fit(x.real.offset_of(c) / &grid)).collect();
        let real = Affine { scale: vec![grid], offset: vec![Rat::zero()] };
        let op = IntOp::LinComb { coefficients: vec![coefficients?], constant: constant? };
        let new = self.int.add(&format!("{name}_align"), name, op, &[x.node()?], real)?;
        let mut value = self.integer(new, x.shape.clone());
        value.order.clone_from(&x.order);
        Ok(value)
    }

    /// Closes an output.
    fn output(&mut self, port: &netfold_ir::net::Port) -> Result<(), Diag> {
        let x =
            self.values.get(&port.node).cloned().ok_or_else(|| Diag::internal(&port.name, "an output has no value"))?;
        let x = self.settled(&port.name, x)?;
        // The file's order of the tensor, then the value's own order of its integers.
        let mut order = inverse(&file_order(&port.shape, &port.order));
        if let Some(own) = &x.order {
            order = if order.is_empty() { own.clone() } else { order.iter().map(|&i| own[i as usize]).collect() };
        }
        let node = x.node()?;
        self.int.outputs.push(OutputPort {
            name: port.name.clone(),
            node,
            shape: port.shape.clone(),
            order,
            real: x.real.clone(),
        });
        Ok(())
    }
}

/// The input's scales, changed so that their ratio to the result's has few significant bits.
fn short_ratios(step: &StepFn) -> Vec<Rat> {
    let n = num_integer::lcm(step.input.scale.len(), step.quantizer.channels());
    let scales = (0..n).map(|c| {
        let unit = step.quantizer.scale_of(c);
        rat::round_significant(&(step.input.scale_of(c) / unit), INSERTED_RATIO_BITS) * unit
    });
    netfold_ir::int::compact(scales.collect())
}

/// Size of the last axis.
fn node_last(x: &Value) -> usize {
    x.shape.last().copied().unwrap_or(1)
}

/// `outer(inner(q))` as one affine function.
fn then(inner: &Affine, outer: &Affine) -> Affine {
    let n = num_integer::lcm(inner.channels(), outer.channels());
    let scale = (0..n).map(|c| inner.scale_of(c) * outer.scale_of(c)).collect();
    let offset = (0..n).map(|c| inner.offset_of(c) * outer.scale_of(c) + outer.offset_of(c)).collect();
    compact_affine(Affine { scale, offset })
}

/// The same affine function with the shortest parameter vectors.
fn compact_affine(a: Affine) -> Affine {
    Affine { scale: netfold_ir::int::compact(a.scale), offset: netfold_ir::int::compact(a.offset) }
}

/// Flat order of a file tensor: element `i` of the node is element `order[i]` of the file; empty for the identity.
fn file_order(shape: &[usize], axes: &[usize]) -> Vec<u32> {
    if axes.is_empty() || axes.is_sorted() {
        return Vec::new();
    }
    crate::normalize::transpose_order(shape, axes).into_iter().map(|i| i as u32).collect()
}

/// The inverse permutation.
fn inverse(order: &[u32]) -> Vec<u32> {
    let mut out = vec![0; order.len()];
    for (i, &o) in order.iter().enumerate() {
        out[o as usize] = i as u32;
    }
    out
}
