//! The reference evaluator of the network level: `f64` arithmetic, one sample at a time, samples in parallel.
//!
//! It serves as the yardstick for quantized results and for calibration; integer results come from the golden interpreter.
//! Linear operators add in `f64`, so sums of quantized values are exact as long as they stay below 2^53 steps.

mod arrange;
mod unary;
mod window;

use super::{Dense, Network, Op, Port, elements};
use crate::diag::{Code, Diag};
use crate::graph::NodeId;
use rayon::prelude::*;

/// A network prepared for evaluation: parameters as floats, operators in order.
#[derive(Debug)]
pub struct Evaluator<'a> {
    net: &'a Network,
    steps: Vec<Step<'a>>,
    bound: usize,
}

/// One operator with its inputs.
#[derive(Debug)]
struct Step<'a> {
    id: NodeId,
    inputs: Vec<NodeId>,
    op: &'a Op,
    unary: Option<unary::Prepared<'a>>,
}

/// The results of all operators for one sample.
#[derive(Debug, Default)]
pub struct Values(Vec<Vec<f64>>);

impl Values {
    /// The result of a node, row-major in its shape; empty for nodes that are not part of the network.
    pub fn get(&self, id: NodeId) -> &[f64] {
        self.0.get(id.index()).map_or(&[], Vec::as_slice)
    }
}

impl<'a> Evaluator<'a> {
    /// Prepares a network, which must satisfy [`Network::verify`].
    ///
    /// # Errors
    /// When the graph has a cycle.
    pub fn new(net: &'a Network) -> Result<Evaluator<'a>, Diag> {
        let order = net.graph.topological()?;
        let steps = order
            .into_iter()
            .map(|id| {
                let op = &net.graph.node(id).op;
                let unary = if let Op::Unary(f) = op { Some(unary::Prepared::new(f)) } else { None };
                Step { id, inputs: net.graph.inputs(id), op, unary }
            })
            .collect();
        Ok(Evaluator { net, steps, bound: net.graph.index_bound() })
    }

    /// Computes every node for one sample. `inputs[i]` holds the elements of [`Network::inputs`]`[i]` in the file's order; a wrong
    /// number of inputs or elements is an error.
    ///
    /// # Errors
    /// When the inputs do not fit the network.
    pub fn run(&self, inputs: &[&[f64]]) -> Result<Values, Diag> {
        check_inputs(self.net, inputs, 1)?;
        let mut values = Values(vec![Vec::new(); self.bound]);
        for (port, data) in self.net.inputs.iter().zip(inputs) {
            values.0[port.node.index()] = to_node(port, data);
        }
        for step in &self.steps {
            if !matches!(step.op, Op::Input(_)) {
                let result = self.step(step, &values);
                values.0[step.id.index()] = result;
            }
        }
        Ok(values)
    }

    /// The outputs of one sample in the file's order, given all values.
    pub fn outputs(&self, values: &Values) -> Vec<Vec<f64>> {
        self.net.outputs.iter().map(|port| from_node(port, values.get(port.node))).collect()
    }

    /// Computes one operator.
    fn step(&self, step: &Step, values: &Values) -> Vec<f64> {
        let out = &self.net.graph.node(step.id).shape;
        let x = step.inputs.first().map_or(&[][..], |i| values.get(*i));
        let shape = step.inputs.first().map_or(&[][..], |i| self.net.shape(*i));
        let rows = |width: usize| x.chunks_exact(width.max(1));
        let last = shape.last().copied().unwrap_or(1);
        match step.op {
            Op::Input(_) => Vec::new(),
            Op::Dense(d) => dense(d, x),
            Op::Conv(c) => window::conv(c, x, shape, out),
            Op::Unary(_) => step.unary.as_ref().map(|f| f.apply(x)).unwrap_or_default(),
            Op::Sum(s) => {
                let mut sum = vec![0.0; x.len()];
                for (input, negate) in step.inputs.iter().zip(&s.negate) {
                    let sign = if *negate { -1.0 } else { 1.0 };
                    sum.iter_mut().zip(values.get(*input)).for_each(|(a, b)| *a += sign * b);
                }
                sum
            }
            Op::Mul => {
                let y = step.inputs.get(1).map_or(&[][..], |i| values.get(*i));
                x.iter().zip(y).map(|(a, b)| a * b).collect()
            }
            Op::Pool(p) => window::pool(p, x, shape, out),
            Op::GlobalPool(kind) => window::global_pool(*kind, x, last),
            Op::Softmax(s) => rows(last).flat_map(|r| softmax(r, s.log)).collect(),
            Op::ArgMax(a) => rows(last).map(|r| arg_max(r, a.last) as f64).collect(),
            Op::ReduceMax => rows(last).map(|r| r.iter().copied().fold(f64::NEG_INFINITY, f64::max)).collect(),
            Op::Concat(c) => {
                let parts: Vec<(&[f64], &[usize])> =
                    step.inputs.iter().map(|i| (values.get(*i), self.net.shape(*i))).collect();
                arrange::concat(&parts, c.axis)
            }
            Op::Slice(s) => arrange::slice(s, x, shape),
            Op::Reshape(_) => x.to_vec(),
            Op::Transpose(perm) => arrange::transpose(perm, x, shape),
            Op::Pad(p) => arrange::pad(p, x, shape, out),
            Op::Upsample(u) => arrange::upsample(u.factors, x, shape),
        }
    }
}

/// Checks the number and lengths of inputs that hold `n` samples.
fn check_inputs<T: AsRef<[f64]>>(net: &Network, inputs: &[T], n: usize) -> Result<(), Diag> {
    if inputs.len() != net.inputs.len() {
        let cause = format!("the network has {} input(s), data for {} is given", net.inputs.len(), inputs.len());
        return Err(Diag::new(Code::Usage, &net.name, cause));
    }
    for (port, data) in net.inputs.iter().zip(inputs) {
        let expected = elements(&port.shape) * n;
        let found = data.as_ref().len();
        if found != expected {
            let cause = format!("{n} sample(s) of shape {:?} are {expected} elements, found {found}", port.shape);
            return Err(Diag::new(Code::Usage, &port.name, cause));
        }
    }
    Ok(())
}

/// Evaluates `n` samples. `inputs[i]` and the result's entries hold the samples of one input or output, one after the other, in
/// the file's element order.
///
/// # Errors
/// When the inputs do not fit the network.
pub fn evaluate(net: &Network, inputs: &[Vec<f64>], n: usize) -> Result<Vec<Vec<f64>>, Diag> {
    check_inputs(net, inputs, n)?;
    let evaluator = Evaluator::new(net)?;
    let samples: Vec<Vec<Vec<f64>>> = (0..n)
        .into_par_iter()
        .map(|s| evaluator.run(&sample(net, inputs, s)).map(|v| evaluator.outputs(&v)))
        .collect::<Result<_, _>>()?;
    let mut out: Vec<Vec<f64>> = net.outputs.iter().map(|p| Vec::with_capacity(n * elements(&p.shape))).collect();
    for s in samples {
        out.iter_mut().zip(s).for_each(|(all, one)| all.extend(one));
    }
    Ok(out)
}

/// Evaluates `n` samples and hands every node's result to `visit`, without keeping them: for ranges and histograms. Every
/// thread folds into its own accumulator from `init`; `merge` joins them in the order of the samples.
///
/// # Errors
/// When the inputs do not fit the network.
pub fn visit<A: Send>(
    net: &Network,
    inputs: &[Vec<f64>],
    n: usize,
    init: impl Fn() -> A + Sync + Send,
    visit: impl Fn(&mut A, NodeId, &[f64]) + Sync + Send,
    merge: impl Fn(A, A) -> A + Sync + Send,
) -> Result<A, Diag> {
    check_inputs(net, inputs, n)?;
    let evaluator = Evaluator::new(net)?;
    (0..n)
        .into_par_iter()
        .try_fold(&init, |mut acc, s| {
            let values = evaluator.run(&sample(net, inputs, s))?;
            for step in &evaluator.steps {
                visit(&mut acc, step.id, values.get(step.id));
            }
            Ok(acc)
        })
        .try_reduce(&init, |a, b| Ok(merge(a, b)))
}

/// The inputs of sample `s`.
fn sample<'d>(net: &Network, inputs: &'d [Vec<f64>], s: usize) -> Vec<&'d [f64]> {
    let part = |(port, data): (&Port, &'d Vec<f64>)| {
        let len = elements(&port.shape);
        &data[s * len..(s + 1) * len]
    };
    net.inputs.iter().zip(inputs).map(part).collect()
}

/// Elements of a port from the file's order to its node's.
fn to_node(port: &Port, data: &[f64]) -> Vec<f64> {
    if port.order.is_empty() { data.to_vec() } else { arrange::transpose(&port.order, data, &port.shape) }
}

/// Elements of a port from its node's order to the file's.
fn from_node(port: &Port, data: &[f64]) -> Vec<f64> {
    if port.order.is_empty() {
        return data.to_vec();
    }
    let shape: Vec<usize> = port.order.iter().map(|&a| port.shape[a]).collect();
    let back: Vec<usize> = (0..port.order.len()).filter_map(|a| port.order.iter().position(|&o| o == a)).collect();
    arrange::transpose(&back, data, &shape)
}

/// Matrix product along the last axis.
fn dense(d: &Dense, x: &[f64]) -> Vec<f64> {
    let mut out = Vec::with_capacity(x.len() / d.inputs.max(1) * d.outputs);
    for row in x.chunks_exact(d.inputs.max(1)) {
        for (o, w) in d.weights.values.chunks_exact(d.inputs.max(1)).enumerate() {
            out.push(dot(w, row) + d.bias.get(o).copied().unwrap_or(0.0));
        }
    }
    out
}

/// Inner product, in eight independent sums.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (ca, cb) = (a.chunks_exact(8), b.chunks_exact(8));
    let tail: f64 = ca.remainder().iter().zip(cb.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in ca.zip(cb) {
        for i in 0..8 {
            sums[i] += x[i] * y[i];
        }
    }
    sums.iter().sum::<f64>() + tail
}

/// Softmax of one row, the maximum subtracted first.
fn softmax(row: &[f64], log: bool) -> Vec<f64> {
    let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = row.iter().map(|x| (x - max).exp()).sum();
    if log {
        row.iter().map(|x| x - max - sum.ln()).collect()
    } else {
        row.iter().map(|x| (x - max).exp() / sum).collect()
    }
}

/// Index of the largest element: the first of equals, or the last.
fn arg_max(row: &[f64], last: bool) -> usize {
    let mut best = 0;
    for (i, x) in row.iter().enumerate() {
        if *x > row[best] || (last && *x == row[best]) {
            best = i;
        }
    }
    best
}

#[cfg(test)]
mod tests;
