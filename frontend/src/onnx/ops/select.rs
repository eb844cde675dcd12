//! Softmax and the selections along one axis.

use super::super::fault::{Res, invalid, unsupported};
use super::super::import::Importer;
use super::super::node::OpNode;
use super::super::tensor::DType;
use super::super::value::{Val, Value, mixes_batch};
use super::activation::affine;
use super::remove_axes;
use netfold_ir::net::{ArgMax, Op, Softmax};

/// Softmax and LogSoftmax. Before opset 13 all axes from `axis` on form one.
pub(super) fn softmax(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    if x.dims.is_empty() {
        return Err(invalid("the input is a scalar"));
    }
    let axis = n.int("axis", if n.opset < 13 { 1 } else { -1 })?;
    let axes: Vec<usize> = match n.opset {
        ..13 => (super::shape::flatten_axis(axis, x.dims.len())?..x.dims.len()).collect(),
        _ => vec![x.axis(axis)?],
    };
    if x.batch.is_some_and(|b| axes.contains(&b)) {
        return Err(mixes_batch());
    }
    let (node, order) = im.with_last(&x, &axes, &format!("{}_input", n.name))?;
    let node = im.add(&n.name, Op::Softmax(Softmax { log: n.op() == "LogSoftmax" }), &[node])?;
    Ok(x.with(node, x.dims.clone(), order))
}

/// An operator along one axis that leaves one element of it.
fn along(im: &mut Importer, x: &Value, axis: usize, op: Op, name: &str) -> Res<Value> {
    if x.batch == Some(axis) {
        return Err(mixes_batch());
    }
    let (node, order) = im.with_last(x, &[axis], &format!("{name}_input"))?;
    let node = im.add(name, op, &[node])?;
    let mut dims = x.dims.clone();
    dims[axis] = 1;
    Ok(x.with(node, dims, order))
}

/// `-x`.
fn negated(im: &mut Importer, x: &Value, name: &str) -> Res<Value> {
    im.unary(x, affine(&[-1.0], &[0.0])?, name)
}

/// ArgMax and ArgMin.
pub(super) fn arg(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let mut x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    let axis = x.axis(n.int("axis", 0)?)?;
    let keep = n.int("keepdims", 1)? != 0;
    let last = n.int("select_last_index", 0)? != 0;
    if n.op() == "ArgMin" {
        x = negated(im, &x, &format!("{}_negated", n.name))?;
    }
    let y = along(im, &x, axis, Op::ArgMax(ArgMax { last }), &n.name)?;
    let y = Value { ty: DType::I64, ..y };
    Ok(if keep { y } else { remove_axes(&y, &[axis]) })
}

/// TopK with `k = 1`: the extreme value, and its first index.
pub(super) fn top_k(im: &mut Importer, n: &OpNode) -> Res<Vec<Val>> {
    n.ignore(&["sorted"]);
    let k = if n.opset < 10 { n.int("k", 0)? } else { n.constant(1, "k")?.scalar_f64()? as i64 };
    if k != 1 {
        return Err(unsupported(format!("k = {k}: only the single largest element is supported")));
    }
    let mut x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    let axis = x.axis(n.int("axis", -1)?)?;
    let largest = n.int("largest", 1)? != 0;
    if !largest {
        x = negated(im, &x, &format!("{}_negated", n.name))?;
    }
    let mut values = along(im, &x, axis, Op::ReduceMax, &n.name)?;
    if !largest {
        values = negated(im, &values, &format!("{}_value", n.name))?;
    }
    let mut out = vec![Val::Data(values)];
    if n.used.get(1) == Some(&true) {
        let index = along(im, &x, axis, Op::ArgMax(ArgMax { last: false }), &format!("{}_index", n.name))?;
        out.push(Val::Data(Value { ty: DType::I64, ..index }));
    }
    Ok(out)
}

/// Largest element over several axes.
pub(super) fn max_over(im: &mut Importer, x: &Value, axes: &[usize], name: &str) -> Res<Value> {
    if x.batch.is_some_and(|b| axes.contains(&b)) {
        return Err(mixes_batch());
    }
    let last: Vec<usize> = x.order.iter().copied().filter(|a| axes.contains(a)).collect();
    let (node, order) = im.with_last(x, &last, &format!("{name}_input"))?;
    let node = im.add(name, Op::ReduceMax, &[node])?;
    let mut dims = x.dims.clone();
    for &a in axes {
        dims[a] = 1;
    }
    Ok(x.with(node, dims, order))
}

/// Smallest element over several axes.
pub(super) fn min_over(im: &mut Importer, x: &Value, axes: &[usize], name: &str) -> Res<Value> {
    let x = negated(im, x, &format!("{name}_negated"))?;
    let y = max_over(im, &x, axes, name)?;
    negated(im, &y, &format!("{name}_value"))
}
