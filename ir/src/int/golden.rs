//! The golden interpreter: executes a network at the integer level. Its results define correctness.
//!
//! Samples are independent; they run in parallel over the cores and, within a core, in blocks of [`BLOCK`] samples stored
//! side by side, so that the inner loops run over consecutive memory.

use super::step::Compiled;
use super::{IntConv, IntNetwork, IntNode, IntOp};
use crate::diag::{Code, Diag};
use crate::graph::NodeId;
use crate::hw::{BroadcastOp, Matrix, ReduceOp};
use crate::net::{UnaryFn, Window};
use crate::quant::{Overflow, Quantizer};
use crate::rat::{self, Rat};
use num_traits::Zero;
use rayon::prelude::*;

/// Samples computed side by side.
pub const BLOCK: usize = 16;

/// A network prepared for execution.
#[derive(Debug)]
pub struct Golden<'a> {
    net: &'a IntNetwork,
    order: Vec<NodeId>,
    steps: Vec<Option<Compiled>>,
    /// For each node, how many times its value is read, outputs included.
    uses: Vec<usize>,
    encoders: Vec<Encoder>,
}

/// Integers of one tensor for a block: element `i` of sample `s` at `i * BLOCK + s`.
type Block = Vec<i64>;

impl<'a> Golden<'a> {
    /// Prepares a network. A cyclic network is an error.
    pub fn new(net: &'a IntNetwork) -> Result<Golden<'a>, Diag> {
        let order = net.graph.topological()?;
        let bound = net.graph.index_bound();
        let mut steps = Vec::new();
        steps.resize_with(bound, || None);
        let mut uses = vec![0; bound];
        let compiled: Vec<(usize, Compiled)> = order
            .par_iter()
            .filter_map(|&id| match &net.graph.node(id).op {
                IntOp::Step(f) => {
                    let input = net.graph.node(*net.graph.inputs(id).first()?);
                    Some((id.index(), Compiled::new(f, &input.range, input.elements())))
                }
                _ => None,
            })
            .collect();
        for (i, c) in compiled {
            steps[i] = Some(c);
        }
        for &id in &order {
            for input in net.graph.inputs(id) {
                uses[input.index()] += 1;
            }
        }
        for port in &net.outputs {
            uses[port.node.index()] += 1;
        }
        let encoders = net.inputs.iter().map(|p| Encoder::new(&p.encoder)).collect();
        Ok(Golden { net, order, steps, uses, encoders })
    }

    /// Integers of input `port` in node order for `samples` samples of real values in the user's order.
    pub fn encode(&self, port: usize, real: &[f64]) -> Result<Vec<i64>, Diag> {
        let p = &self.net.inputs[port];
        let n = self.net.graph.node(p.node).elements();
        if n == 0 || !real.len().is_multiple_of(n) {
            return Err(Diag::new(
                Code::Usage,
                &p.name,
                format!("{} values are not whole samples of {:?}", real.len(), p.shape),
            ));
        }
        let encoder = &self.encoders[port];
        let mut out = vec![0; real.len()];
        out.par_chunks_mut(n).zip(real.par_chunks(n)).for_each(|(q, x)| {
            for (i, q) in q.iter_mut().enumerate() {
                let source = p.order.get(i).map_or(i, |o| *o as usize);
                *q = encoder.encode(i, x[source]);
            }
        });
        Ok(out)
    }

    /// Real values of output `port` in the user's order for integers in node order.
    pub fn decode(&self, port: usize, q: &[i64]) -> Vec<f64> {
        let p = &self.net.outputs[port];
        let n = self.net.graph.node(p.node).elements().max(1);
        let scale: Vec<f64> = p.real.scale.iter().map(rat::to_f64).collect();
        let offset: Vec<f64> = p.real.offset.iter().map(rat::to_f64).collect();
        let mut out = vec![0.0; q.len()];
        for (x, q) in out.chunks_mut(n).zip(q.chunks(n)) {
            for (i, x) in x.iter_mut().enumerate() {
                let source = p.order.get(i).map_or(i, |o| *o as usize);
                *x = scale[source % scale.len()] * q[source] as f64 + offset[source % offset.len()];
            }
        }
        out
    }

    /// Runs `samples` samples. `inputs[p]` and the result's entries hold whole samples in node order, one after the other.
    pub fn run(&self, inputs: &[Vec<i64>], samples: usize) -> Result<Vec<Vec<i64>>, Diag> {
        for (port, data) in self.net.inputs.iter().zip(inputs) {
            let node = self.net.graph.node(port.node);
            if data.len() != node.elements() * samples {
                return Err(Diag::new(
                    Code::Usage,
                    &port.name,
                    format!("expected {samples} sample(s) of {} values, found {}", node.elements(), data.len()),
                ));
            }
            let (lo, hi) = node.range.hull();
            if let Some(v) = data.iter().find(|v| !(lo..=hi).contains(*v)) {
                return Err(Diag::new(
                    Code::Usage,
                    &port.name,
                    format!("input integer {v} is outside of [{lo}, {hi}]"),
                ));
            }
        }
        if inputs.len() != self.net.inputs.len() {
            return Err(Diag::new(
                Code::Usage,
                &self.net.name,
                format!("the network has {} input(s), {} given", self.net.inputs.len(), inputs.len()),
            ));
        }
        let blocks: Vec<Vec<Block>> =
            (0..samples.div_ceil(BLOCK)).into_par_iter().map(|b| self.block(inputs, samples, b * BLOCK)).collect();
        let mut outputs = Vec::new();
        for (p, port) in self.net.outputs.iter().enumerate() {
            let n = self.net.graph.node(port.node).elements();
            let mut out = vec![0; n * samples];
            for (b, block) in blocks.iter().enumerate() {
                let count = BLOCK.min(samples - b * BLOCK);
                for s in 0..count {
                    let sample = &mut out[(b * BLOCK + s) * n..][..n];
                    for (i, v) in sample.iter_mut().enumerate() {
                        *v = block[p][i * BLOCK + s];
                    }
                }
            }
            outputs.push(out);
        }
        Ok(outputs)
    }

    /// Runs the block of samples that starts at `first`; missing samples repeat the last one.
    fn block(&self, inputs: &[Vec<i64>], samples: usize, first: usize) -> Vec<Block> {
        let graph = &self.net.graph;
        let mut values: Vec<Option<Block>> = Vec::new();
        values.resize_with(graph.index_bound(), || None);
        let mut left = self.uses.clone();
        for (port, data) in self.net.inputs.iter().zip(inputs) {
            let n = graph.node(port.node).elements();
            let mut block = vec![0; n * BLOCK];
            for s in 0..BLOCK {
                let sample = &data[(first + s).min(samples - 1) * n..][..n];
                for (i, v) in sample.iter().enumerate() {
                    block[i * BLOCK + s] = *v;
                }
            }
            values[port.node.index()] = Some(block);
        }
        for &id in &self.order {
            let node = graph.node(id);
            if matches!(node.op, IntOp::Input) {
                continue;
            }
            let producers = graph.inputs(id);
            let result = {
                let operands: Vec<&Block> = producers.iter().filter_map(|p| values[p.index()].as_ref()).collect();
                execute(node, &operands, self.steps[id.index()].as_ref())
            };
            values[id.index()] = Some(result);
            for p in producers {
                left[p.index()] -= 1;
                if left[p.index()] == 0 {
                    values[p.index()] = None;
                }
            }
        }
        self.net.outputs.iter().map(|p| values[p.node.index()].clone().unwrap_or_default()).collect()
    }
}

/// The samples of element `i`.
fn lanes(x: &[i64], i: usize) -> &[i64] {
    &x[i * BLOCK..][..BLOCK]
}

/// Applies `f` to every element's samples.
fn map2(out: &mut [i64], a: &[i64], f: impl Fn(usize, i64) -> i64) {
    for (i, (o, a)) in out.chunks_exact_mut(BLOCK).zip(a.chunks_exact(BLOCK)).enumerate() {
        for (o, a) in o.iter_mut().zip(a) {
            *o = f(i, *a);
        }
    }
}

/// `sum += w * x`, or the larger of both.
fn accumulate(op: ReduceOp, sum: &mut [i64], x: &[i64]) {
    match op {
        ReduceOp::Sum => sum.iter_mut().zip(x).for_each(|(s, x)| *s += x),
        ReduceOp::Max => sum.iter_mut().zip(x).for_each(|(s, x)| *s = (*s).max(*x)),
    }
}

/// Executes one operator on a block.
fn execute(node: &IntNode, x: &[&Block], step: Option<&Compiled>) -> Block {
    let n = node.elements();
    let mut out = vec![0i64; n * BLOCK];
    match &node.op {
        IntOp::Input => {}
        IntOp::Dense(w) => dense(w, x[0], &mut out),
        IntOp::Conv(conv) => convolution(conv, &node.shape, x[0], &mut out),
        IntOp::Step(_) => {
            if let Some(step) = step {
                map2(&mut out, x[0], |i, q| step.eval(i, q));
            }
        }
        IntOp::LinComb { coefficients, constant } => {
            for (i, o) in out.chunks_exact_mut(BLOCK).enumerate() {
                o.fill(constant[i % constant.len()]);
                for (x, c) in x.iter().zip(coefficients) {
                    let c = c[i % c.len()];
                    o.iter_mut().zip(lanes(x, i)).for_each(|(o, x)| *o += c * x);
                }
            }
        }
        IntOp::Mul => {
            for (o, (a, b)) in out.iter_mut().zip(x[0].iter().zip(x[1])) {
                *o = a * b;
            }
        }
        IntOp::Pool { op, input, window, pad } => {
            windows(*input, window, &node.shape, |pixel, taps| {
                for c in 0..input[2] {
                    let o = &mut out[(pixel * input[2] + c) * BLOCK..][..BLOCK];
                    o.fill(if *op == ReduceOp::Max { i64::MIN } else { 0 });
                    for tap in taps {
                        match tap {
                            Some(p) => accumulate(*op, o, lanes(x[0], p * input[2] + c)),
                            None => accumulate(*op, o, &[pad[c % pad.len()]; BLOCK]),
                        }
                    }
                }
            });
        }
        IntOp::GlobalReduce { op, channels } => {
            for (i, v) in x[0].chunks_exact(BLOCK).enumerate() {
                let o = &mut out[(i % channels) * BLOCK..][..BLOCK];
                if i < *channels { o.copy_from_slice(v) } else { accumulate(*op, o, v) }
            }
        }
        IntOp::VectorReduce { op, length } => {
            for (i, v) in x[0].chunks_exact(BLOCK).enumerate() {
                let o = &mut out[(i / length) * BLOCK..][..BLOCK];
                if i % length == 0 { o.copy_from_slice(v) } else { accumulate(*op, o, v) }
            }
        }
        IntOp::ArgMax { last, length } => {
            let mut best = [0i64; BLOCK];
            for (i, v) in x[0].chunks_exact(BLOCK).enumerate() {
                let o = &mut out[(i / length) * BLOCK..][..BLOCK];
                for s in 0..BLOCK {
                    if i % length == 0 || v[s] > best[s] || (*last && v[s] == best[s]) {
                        best[s] = v[s];
                        o[s] = (i % length) as i64;
                    }
                }
            }
        }
        IntOp::Broadcast { op, length } => {
            for (i, o) in out.chunks_exact_mut(BLOCK).enumerate() {
                let (v, s) = (lanes(x[0], i), lanes(x[1], i / length));
                for k in 0..BLOCK {
                    o[k] = match op {
                        BroadcastOp::RSub => s[k] - v[k],
                        BroadcastOp::Mul => s[k] * v[k],
                    };
                }
            }
        }
        IntOp::Concat { axis, shapes } => {
            let inner: usize = shapes[0][axis + 1..].iter().product();
            let outer: usize = shapes[0][..*axis].iter().product();
            let mut at = 0;
            for o in 0..outer {
                for (x, s) in x.iter().zip(shapes) {
                    let len = s[*axis] * inner * BLOCK;
                    out[at..at + len].copy_from_slice(&x[o * len..(o + 1) * len]);
                    at += len;
                }
            }
        }
        IntOp::Slice { outer, size, inner, start, count, step, .. } => {
            let len = inner * BLOCK;
            for o in 0..*outer {
                for k in 0..*count {
                    let from = (o * size + start + k * step) * len;
                    out[(o * count + k) * len..][..len].copy_from_slice(&x[0][from..from + len]);
                }
            }
        }
        IntOp::Permute { order, .. } => {
            for (o, &from) in out.chunks_exact_mut(BLOCK).zip(order.iter()) {
                o.copy_from_slice(lanes(x[0], from as usize));
            }
        }
        IntOp::Pad { input: [h, w, c], pads, value } => {
            for (i, o) in out.chunks_exact_mut(BLOCK).enumerate() {
                o.fill(value[i % c % value.len()]);
            }
            let width = w + pads[1] + pads[3];
            for y in 0..*h {
                let len = w * c * BLOCK;
                out[((y + pads[0]) * width + pads[1]) * c * BLOCK..][..len].copy_from_slice(&x[0][y * len..][..len]);
            }
        }
        IntOp::Upsample { input: [_, w, c], factors } => {
            let width = w * factors[1];
            for (p, o) in out.chunks_exact_mut(c * BLOCK).enumerate() {
                let from = (p / width / factors[0]) * w + p % width / factors[1];
                o.copy_from_slice(&x[0][from * c * BLOCK..][..c * BLOCK]);
            }
        }
    }
    out
}

/// Matrix product of every vector.
fn dense(w: &Matrix, x: &[i64], out: &mut [i64]) {
    for (x, out) in x.chunks_exact(w.cols * BLOCK).zip(out.chunks_exact_mut(w.rows * BLOCK)) {
        for (r, o) in out.chunks_exact_mut(BLOCK).enumerate() {
            dot(o, w.row(r), |c| lanes(x, c));
        }
    }
}

/// `out = sum_c row[c] * x(c)` for a block of samples.
#[inline]
fn dot<'a>(out: &mut [i64], row: &[i64], x: impl Fn(usize) -> &'a [i64]) {
    let mut sum = [0i64; BLOCK];
    for (c, &w) in row.iter().enumerate() {
        if w != 0 {
            for (s, x) in sum.iter_mut().zip(x(c)) {
                *s += w * x;
            }
        }
    }
    out.copy_from_slice(&sum);
}

/// Convolution by gathering each window's taps.
fn convolution(conv: &IntConv, shape: &[usize], x: &[i64], out: &mut [i64]) {
    let channels = conv.input[2];
    let group = channels / conv.groups;
    let per_group = conv.weights.rows / conv.groups;
    let pads: Vec<[i64; BLOCK]> = (0..channels).map(|c| [conv.pad[c % conv.pad.len()]; BLOCK]).collect();
    windows(conv.input, &conv.window, shape, |pixel, taps| {
        for r in 0..conv.weights.rows {
            let base = (r / per_group) * group;
            let o = &mut out[(pixel * conv.weights.rows + r) * BLOCK..][..BLOCK];
            dot(o, conv.weights.row(r), |c| match taps[c / group] {
                Some(p) => lanes(x, p * channels + base + c % group),
                None => &pads[base + c % group][..],
            });
        }
    });
}

/// Calls `f` for every output pixel with the input pixel of each tap, `None` where it is padding.
fn windows(input: [usize; 3], window: &Window, shape: &[usize], mut f: impl FnMut(usize, &[Option<usize>])) {
    let [h, w, _] = input;
    let mut taps = Vec::new();
    for oy in 0..shape[0] {
        for ox in 0..shape[1] {
            taps.clear();
            for ky in 0..window.kernel[0] {
                for kx in 0..window.kernel[1] {
                    let y = (oy * window.stride[0] + ky * window.dilation[0]).checked_sub(window.pads[0]);
                    let xx = (ox * window.stride[1] + kx * window.dilation[1]).checked_sub(window.pads[1]);
                    taps.push(match (y, xx) {
                        (Some(y), Some(x)) if y < h && x < w => Some(y * w + x),
                        _ => None,
                    });
                }
            }
            f(oy * shape[1] + ox, &taps);
        }
    }
}

/// Real values to integers: the exact chain, with a float path where it is provably the same.
#[derive(Debug)]
struct Encoder {
    chain: Vec<UnaryFn>,
    /// Set when the chain is one quantizer without zero point for the whole tensor.
    single: Option<(Quantizer, f64)>,
}

impl Encoder {
    fn new(chain: &[UnaryFn]) -> Encoder {
        let single = match chain {
            [UnaryFn::Quant(q)]
                if q.channels() == 1 && q.zero_point[0].is_zero() && q.overflow == Overflow::Saturate =>
            {
                rat::log2_exact(&q.scale[0]).map(|e| (q.clone(), (-f64::from(e)).exp2()))
            }
            _ => None,
        };
        Encoder { chain: chain.to_vec(), single }
    }

    /// The integer for `x` at element `i`. NaN becomes what zero becomes, infinities saturate.
    fn encode(&self, i: usize, x: f64) -> i64 {
        let x = if x.is_nan() { 0.0 } else { x.clamp(-f64::MAX, f64::MAX) };
        if let Some((q, inverse)) = &self.single {
            // Scaling by a power of two is exact, so is rounding a float to an integer.
            let v = q.rounding.round_f64(x * inverse);
            return (v.clamp(q.ty.min() as f64, q.ty.max() as f64)) as i64;
        }
        let mut value = rat::from_f64(x).unwrap_or_else(Rat::zero);
        for (k, f) in self.chain.iter().enumerate() {
            match f {
                UnaryFn::Quant(q) if k + 1 == self.chain.len() => return q.quantize(i, &value),
                f => value = f.exact(i, &value),
            }
        }
        0
    }
}
