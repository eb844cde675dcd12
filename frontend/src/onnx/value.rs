//! What a tensor of the file is during import: a constant, or a node of the network seen through an axis order.
//!
//! Shapes here are those of the file, batch axis included. A [`Value`] whose node holds the elements in another axis order
//! carries that order instead of a transposition; [`Importer::arrange`] inserts one where an operator needs it.

use super::fault::{Res, invalid, unsupported};
use super::import::Importer;
use super::tensor::{Const, DType, MAX_ELEMENTS, Tensor};
use netfold_ir::graph::NodeId;
use netfold_ir::net::{Op, UnaryFn};
use std::rc::Rc;

/// Most values of one parameter of an element-wise function: exact rationals take a hundred bytes each.
const MAX_PARAMETERS: usize = 1 << 20;

/// A tensor that depends on the inputs.
#[derive(Debug, Clone)]
pub(super) struct Value {
    /// Its producer.
    pub node: NodeId,
    /// Shape in the file; the batch axis has a multiple of the file's batch size.
    pub dims: Vec<usize>,
    /// The axis that enumerates samples (outermost within the axis, when it was merged with others). `None` when the file's
    /// batch size is one: then every axis is data.
    pub batch: Option<usize>,
    /// The node holds the elements of one sample row-major over the axes in this order.
    pub order: Vec<usize>,
    /// Element type in the file.
    pub ty: DType,
}

/// Scale, zero point and axis of a QuantizeLinear.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct QParams {
    /// Step size.
    pub scale: Const,
    /// Zero point.
    pub zero: Option<Const>,
    /// Axis along which they differ.
    pub axis: usize,
    /// Type of the integers.
    pub ty: DType,
}

/// A tensor of the file.
#[derive(Debug, Clone)]
pub(super) enum Val {
    /// Known now.
    Const(Const),
    /// Computed from the inputs.
    Data(Value),
    /// Integers `q` with `value = scale * (q - zero)`: the value is what is kept.
    Quantized(Value, Rc<QParams>),
    /// The result of a node at fault, already reported.
    Poisoned,
}

impl Value {
    /// The same elements with another node, order and shape.
    pub fn with(&self, node: NodeId, dims: Vec<usize>, order: Vec<usize>) -> Value {
        Value { node, dims, batch: self.batch, order, ty: self.ty }
    }

    /// Resolves a possibly negative axis.
    pub fn axis(&self, axis: i64) -> Res<usize> {
        resolve_axis(axis, self.dims.len())
    }
}

/// Resolves a possibly negative axis of a tensor of the given rank.
pub(super) fn resolve_axis(axis: i64, rank: usize) -> Res<usize> {
    let r = rank as i64;
    let a = if axis < 0 { axis.saturating_add(r) } else { axis };
    if (0..r).contains(&a) { Ok(a as usize) } else { Err(invalid(format!("axis {axis} of a tensor of {rank} axes"))) }
}

/// The error for operators that would compute across samples.
pub(super) fn mixes_batch() -> super::fault::Fault {
    unsupported("the operator mixes the samples of a batch")
        .help("the first axis of the inputs is the batch: export the model with a batch size of 1, or keep that axis in front")
}

impl Importer<'_> {
    /// Size of an axis within one sample.
    pub fn extent(&self, v: &Value, axis: usize) -> usize {
        if v.batch == Some(axis) { v.dims[axis] / self.batch_size } else { v.dims[axis] }
    }

    /// The axes in `order` whose size within a sample is not one.
    fn nontrivial(&self, v: &Value, order: &[usize]) -> Vec<usize> {
        order.iter().copied().filter(|&a| self.extent(v, a) != 1).collect()
    }

    /// The axes of `order` that a node shows in its shape: the batch axis is left out, and so is a first axis of size 1.
    pub fn shown(&self, v: &Value, order: &[usize], keep: &[usize]) -> Vec<usize> {
        let hidden = |a: usize| match v.batch {
            Some(b) => a == b && v.dims[b] == self.batch_size,
            None => a == 0 && v.dims.len() > 1 && v.dims[0] == 1,
        };
        order.iter().copied().filter(|&a| keep.contains(&a) || !hidden(a)).collect()
    }

    /// Sizes within a sample of the given axes.
    pub fn extents(&self, v: &Value, axes: &[usize]) -> Vec<usize> {
        axes.iter().map(|&a| self.extent(v, a)).collect()
    }

    /// A node that holds `v` row-major over the axes in `order`, with shape `shape`. Inserts a transposition or a reshape only
    /// where the elements' order or the shape differ; `name` names the last operator inserted.
    pub fn arrange(&mut self, v: &Value, order: &[usize], shape: &[usize], name: &str) -> Res<NodeId> {
        let (from, to) = (self.nontrivial(v, &v.order), self.nontrivial(v, order));
        if from == to {
            return self.shaped(v.node, shape, name);
        }
        let perm: Vec<usize> = to.iter().filter_map(|a| from.iter().position(|b| a == b)).collect();
        let node_shape = self.net.shape(v.node).to_vec();
        let squeezed = |s: &[usize]| s.iter().copied().filter(|&d| d != 1).collect::<Vec<_>>();
        let direct = node_shape.len() == shape.len()
            && squeezed(&node_shape) == self.extents(v, &from)
            && squeezed(shape) == self.extents(v, &to);
        if direct {
            let full = expand_perm(&perm, &node_shape, shape);
            return self.derived(v.node, Op::Transpose(full), name);
        }
        let from_shape = self.extents(v, &from);
        let flat = self.shaped(v.node, &from_shape, &format!("{name}_reshape"))?;
        let to_shape = self.extents(v, &to);
        if to_shape == shape {
            return self.derived(flat, Op::Transpose(perm), name);
        }
        let turned = self.derived(flat, Op::Transpose(perm), &format!("{name}_transpose"))?;
        self.shaped(turned, shape, name)
    }

    /// `node` under another shape.
    pub fn shaped(&mut self, node: NodeId, shape: &[usize], name: &str) -> Res<NodeId> {
        if self.net.shape(node) == shape {
            return Ok(node);
        }
        self.derived(node, Op::Reshape(shape.to_vec()), name)
    }

    /// A rearrangement of a node, made once however often it is asked for.
    fn derived(&mut self, node: NodeId, op: Op, name: &str) -> Res<NodeId> {
        let key = match &op {
            Op::Reshape(s) => (node, false, s.clone()),
            Op::Transpose(p) => (node, true, p.clone()),
            _ => return Ok(self.add(name, op, &[node])?),
        };
        if let Some(&id) = self.derived.get(&key) {
            return Ok(id);
        }
        let id = self.add(name, op, &[node])?;
        self.derived.insert(key, id);
        Ok(id)
    }

    /// A node that holds `v` in the file's order, without the batch axis.
    pub fn natural(&mut self, v: &Value, name: &str) -> Res<NodeId> {
        let order: Vec<usize> = (0..v.dims.len()).collect();
        let axes = self.shown(v, &order, &[]);
        let shape = self.extents(v, &axes);
        self.arrange(v, &order, &shape, name)
    }

    /// A node that holds `v` with all axes but `last` first (in the order that it has already), then `last` merged into one
    /// axis. Returns the node and the order.
    pub fn with_last(&mut self, v: &Value, last: &[usize], name: &str) -> Res<(NodeId, Vec<usize>)> {
        let others: Vec<usize> = v.order.iter().copied().filter(|a| !last.contains(a)).collect();
        let mut shape = self.extents(v, &self.shown(v, &others, &[]));
        let mut order = others;
        order.extend(last);
        shape.push(self.extents(v, last).iter().product());
        let node = self.arrange(v, &order, &shape, name)?;
        Ok((node, order))
    }

    /// Applies a function of one element to a value.
    pub fn unary(&mut self, v: &Value, f: UnaryFn, name: &str) -> Res<Value> {
        let node = self.add(name, Op::Unary(f), &[v.node])?;
        Ok(Value { node, ..v.clone() })
    }

    /// Applies a function whose parameters are constants that broadcast against `v` by the numpy rules. `build` receives each
    /// parameter as a vector that the function applies by flat index (length 1 where it is uniform).
    pub fn unary_with(
        &mut self,
        v: &Value,
        params: &[&Tensor],
        name: &str,
        build: impl FnOnce(Vec<Vec<f64>>) -> Res<UnaryFn>,
    ) -> Res<Value> {
        let rank = params.iter().map(|p| p.dims.len()).max().unwrap_or(0);
        let v = if rank > v.dims.len() { prepend_axes(v, rank - v.dims.len()) } else { v.clone() };
        let values: Vec<Vec<f64>> = params.iter().map(|p| p.to_f64()).collect();
        let mut varying: Vec<usize> = Vec::new();
        for (p, x) in params.iter().zip(&values) {
            let lead = v.dims.len() - p.dims.len();
            for (a, &d) in p.dims.iter().enumerate() {
                let axis = lead + a;
                if d != 1 && v.dims[axis] != d {
                    return Err(unsupported(format!(
                        "a constant of shape {:?} does not broadcast to a tensor of shape {:?}",
                        p.dims, v.dims
                    )));
                }
                if d != 1 && !uniform(x) && !varying.contains(&axis) {
                    varying.push(axis);
                }
            }
        }
        if v.batch.is_some_and(|b| varying.contains(&b)) {
            return Err(mixes_batch());
        }
        let v = self.last_axes(&v, &varying, name)?;
        let shape = self.net.shape(v.node).to_vec();
        let mut vectors = Vec::new();
        for (p, x) in params.iter().zip(values) {
            vectors.push(if uniform(&x) { x[..1].to_vec() } else { self.spread(&v, p, &x, &shape)? });
        }
        if let Some(long) = vectors.iter().map(Vec::len).find(|&n| n > MAX_PARAMETERS) {
            return Err(unsupported(format!(
                "a constant of {long} different elements; at most {MAX_PARAMETERS} are supported"
            )));
        }
        self.unary(&v, build(vectors)?, name)
    }

    /// `v` with the axes in `axes` innermost, if they are not already and there is something to gain by it.
    fn last_axes(&mut self, v: &Value, axes: &[usize], name: &str) -> Res<Value> {
        if axes.is_empty() {
            return Ok(v.clone());
        }
        let start = v.order.iter().position(|a| axes.contains(a)).unwrap_or(0);
        let compact = v.order[start..].iter().all(|&a| axes.contains(&a) || self.extent(v, a) == 1);
        let physical = self.extents(v, &self.shown(v, &v.order, axes));
        if compact {
            let fits = self.net.shape(v.node).last() == Some(&self.extent(v, *v.order.last().unwrap_or(&0)));
            let node =
                if fits { v.node } else { self.arrange(v, &v.order.clone(), &physical, &format!("{name}_reshape"))? };
            return Ok(Value { node, ..v.clone() });
        }
        let inner: Vec<usize> = v.order.iter().copied().filter(|a| axes.contains(a)).collect();
        let mut order: Vec<usize> = v.order.iter().copied().filter(|a| !axes.contains(a)).collect();
        order.extend(inner);
        let shape = self.extents(v, &self.shown(v, &order, axes));
        let node = self.arrange(v, &order, &shape, &format!("{name}_transpose"))?;
        Ok(Value { node, order, ..v.clone() })
    }

    /// The elements of a constant that `v`'s node meets by flat index, over the shortest period that the shape allows.
    fn spread(&self, v: &Value, p: &Tensor, x: &[f64], shape: &[usize]) -> Res<Vec<f64>> {
        let lead = v.dims.len() - p.dims.len();
        let own = super::tensor::strides(&p.dims);
        let stride = |a: usize| if a < lead || p.dims[a - lead] == 1 { 0 } else { own[a - lead] };
        let start = v.order.iter().position(|&a| stride(a) != 0).unwrap_or(0);
        let axes = &v.order[start..];
        let sizes = self.extents(v, axes);
        let by: Vec<usize> = axes.iter().map(|&a| stride(a)).collect();
        let mut out: Vec<f64> = super::tensor::walk(&sizes, &by).into_iter().map(|i| x[i]).collect();
        let (last, total) = (shape.last().copied().unwrap_or(1), shape.iter().product::<usize>());
        let period = out.len();
        if !period.is_multiple_of(last) {
            let target = if total.is_multiple_of(num_lcm(period, last)) { num_lcm(period, last) } else { total };
            out = (0..target).map(|i| out[i % period]).collect();
        }
        Ok(out)
    }

    /// The value of input `i` as data; quantized integers become numbers, a constant is an error.
    pub fn as_data(&mut self, val: &Val, name: &str) -> Res<Value> {
        match val {
            Val::Data(v) => Ok(v.clone()),
            Val::Quantized(v, q) => self.integers(v, q, name),
            Val::Const(_) => Err(unsupported("the first input must depend on the network's inputs here")),
            Val::Poisoned => Err(invalid("an input could not be read")),
        }
    }
}

/// `perm` over the non-unit axes, extended to all axes of `from` and `to` (unit axes in order).
fn expand_perm(perm: &[usize], from: &[usize], to: &[usize]) -> Vec<usize> {
    let places = |s: &[usize], unit: bool| (0..s.len()).filter(|&i| (s[i] == 1) == unit).collect::<Vec<_>>();
    let (wide, mut narrow) = (places(from, false), places(from, true).into_iter());
    let mut moved = perm.iter().map(|&p| wide[p]);
    to.iter().filter_map(|&d| if d == 1 { narrow.next() } else { moved.next() }).collect()
}

/// `v` with `n` leading axes of size one.
pub(super) fn prepend_axes(v: &Value, n: usize) -> Value {
    let mut dims = vec![1; n];
    dims.extend(&v.dims);
    let order = (0..n).chain(v.order.iter().map(|a| a + n)).collect();
    Value { node: v.node, dims, batch: v.batch.map(|b| b + n), order, ty: v.ty }
}

/// Whether all elements are equal (and there is at least one).
fn uniform(x: &[f64]) -> bool {
    x.first().is_some_and(|a| x.iter().all(|b| a == b))
}

/// Least common multiple, saturating.
fn num_lcm(a: usize, b: usize) -> usize {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    (a / x.max(1)).saturating_mul(b)
}

/// Checks the size of one sample of a tensor.
pub(super) fn check_size(dims: &[usize], batch: Option<usize>) -> Res<()> {
    let sample =
        dims.iter().enumerate().filter(|(a, _)| Some(*a) != batch).try_fold(1usize, |n, (_, &d)| n.checked_mul(d));
    match sample {
        Some(n) if n <= MAX_ELEMENTS && n > 0 => Ok(()),
        Some(0) => Err(unsupported(format!("an empty tensor of shape {dims:?}"))),
        _ => Err(unsupported(format!("a tensor of shape {dims:?} is larger than {MAX_ELEMENTS} elements"))),
    }
}
