//! Gemm, MatMul and Conv with constant weights.

use super::super::fault::{Res, invalid, unsupported};
use super::super::import::Importer;
use super::super::node::OpNode;
use super::super::tensor::{Data, Grid, Tensor};
use super::super::value::{Val, Value, mixes_batch, prepend_axes};
use super::window::{Image, window_of};
use super::{arith, rats, remove_axes};
use netfold_ir::net::{Affine, Conv, Dense, Op, UnaryFn, Weights};
use netfold_ir::rat;

/// Weights of a tensor whose first axis is the output channel.
pub(super) fn weights(t: &Tensor) -> Weights {
    let values = t.to_f64();
    let grid = match &t.data {
        Data::Int(_) => Some(Grid { axis: None, steps: vec![1.0] }),
        Data::Float(_) => t.grid.clone(),
    };
    let steps = grid.and_then(|g| match g.axis {
        None | Some(0) => Some(g.steps),
        Some(_) => common_step(&g.steps).map(|s| vec![s]),
    });
    let per = values.len() / t.dims.first().copied().unwrap_or(1).max(1);
    let scale = steps.filter(|s| {
        let on_grid = |(i, v): (usize, &f64)| (v / s[(i / per.max(1)) % s.len()]).fract() == 0.0;
        s.iter().all(|s| *s > 0.0) && values.iter().enumerate().all(on_grid)
    });
    Weights { values, scale }
}

/// A step of which all others are whole multiples, when it is a float.
fn common_step(steps: &[f64]) -> Option<f64> {
    let mut common = rat::from_i64(0);
    for &s in steps {
        common = rat::gcd(&common, &rat::from_f64(s)?);
    }
    let step = rat::to_f64(&common);
    (step > 0.0 && rat::from_f64(step).as_ref() == Some(&common)).then_some(step)
}

/// `sum_k w[o][k] * v[.., k, ..]` over `axis` of `v`, which becomes the output axis.
pub(super) fn dense(im: &mut Importer, name: &str, v: &Value, axis: usize, w: &Tensor, bias: Vec<f64>) -> Res<Value> {
    if v.batch == Some(axis) {
        return Err(mixes_batch());
    }
    let [outputs, inputs] = *w.dims.as_slice() else { return Err(invalid("the weights are not a matrix")) };
    if v.dims[axis] != inputs {
        return Err(invalid(format!("weights for {inputs} inputs meet a tensor of shape {:?}", v.dims)));
    }
    let (node, order) = im.with_last(v, &[axis], &format!("{name}_input"))?;
    let op = Op::Dense(Dense { outputs, inputs, weights: weights(w), bias });
    let node = im.add(name, op, &[node])?;
    let mut dims = v.dims.clone();
    dims[axis] = outputs;
    Ok(v.with(node, dims, order))
}

/// A constant factor on a tensor's weights or, when these lie on a grid, behind the operator.
fn scaled(im: &mut Importer, n: &OpNode, v: Value, factor: f64) -> Res<Value> {
    if factor == 1.0 {
        return Ok(v);
    }
    let affine = Affine { scale: rats(&[factor])?, offset: vec![rat::from_i64(0)] };
    im.unary(&v, UnaryFn::Affine(affine), &format!("{}_scale", n.name))
}

/// `alpha * A' * B' + beta * C`.
pub(super) fn gemm(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let (alpha, beta) = (n.float("alpha", 1.0)?, n.float("beta", 1.0)?);
    let (trans_a, trans_b) = (n.int("transA", 0)? != 0, n.int("transB", 0)? != 0);
    let legacy = n.int("broadcast", 0)?;
    if n.opset >= 7 && legacy != 0 {
        return Err(unsupported("attribute \"broadcast\" ended with opset 6"));
    }
    let (a, b) = (n.required(0)?.clone(), n.required(1)?.clone());
    let c = n.input(2).cloned().filter(|_| beta != 0.0);
    let matrix = |t: &Tensor| if t.dims.len() == 2 { Ok(()) } else { Err(invalid("a Gemm operand is not a matrix")) };
    match (&a, &b) {
        (_, Val::Const(b)) => {
            matrix(b)?;
            let x = two_axes(im.as_data(&a, &n.name)?)?;
            let w = if trans_b { (**b).clone() } else { b.transposed(&[1, 0]) };
            let x = if trans_a { swap_axes(&x) } else { x };
            let bias = c.as_ref().and_then(|c| gemm_bias(c, w.dims[0], beta));
            let fused = alpha == 1.0 && bias.is_some();
            let y = dense(im, &n.name, &x, 1, &w, bias.filter(|_| fused).unwrap_or_default())?;
            let y = scaled(im, n, y, alpha)?;
            if fused { Ok(y) } else { gemm_addend(im, n, y, c, beta) }
        }
        (Val::Const(a), _) => {
            matrix(a)?;
            let x = two_axes(im.as_data(&b, &n.name)?)?;
            let w = if trans_a { a.transposed(&[1, 0]) } else { (**a).clone() };
            let x = if trans_b { swap_axes(&x) } else { x };
            let y = dense(im, &n.name, &x, 0, &w, Vec::new())?;
            let y = scaled(im, n, y, alpha)?;
            gemm_addend(im, n, y, c, beta)
        }
        _ => Err(two_data()),
    }
}

/// The error for products of two tensors that depend on the inputs.
fn two_data() -> super::super::fault::Fault {
    unsupported("both operands depend on the network's inputs").help("matrix products need one constant operand")
}

/// A Gemm operand, which must have two axes.
fn two_axes(v: Value) -> Res<Value> {
    if v.dims.len() == 2 { Ok(v) } else { Err(invalid(format!("a Gemm operand has shape {:?}", v.dims))) }
}

/// A matrix with its axes exchanged.
fn swap_axes(v: &Value) -> Value {
    Value {
        node: v.node,
        dims: vec![v.dims[1], v.dims[0]],
        batch: v.batch.map(|b| 1 - b),
        order: v.order.iter().map(|a| 1 - a).collect(),
        ty: v.ty,
    }
}

/// `beta * C` as one value an output, where it is one.
fn gemm_bias(c: &Val, outputs: usize, beta: f64) -> Option<Vec<f64>> {
    let Val::Const(c) = c else { return None };
    let row = c.len() == outputs && c.dims.last().copied().unwrap_or(1) == outputs;
    let values = c.to_f64();
    match values.as_slice() {
        [x] => Some(vec![x * beta; outputs]),
        _ if row => Some(values.iter().map(|x| x * beta).collect()),
        _ => None,
    }
}

/// Adds `beta * C` behind the product.
fn gemm_addend(im: &mut Importer, n: &OpNode, y: Value, c: Option<Val>, beta: f64) -> Res<Value> {
    let name = format!("{}_bias", n.name);
    match c {
        None => Ok(y),
        Some(Val::Const(c)) => im.unary_with(&y, &[&c], &name, |mut p| {
            let offset = p.swap_remove(0).iter().map(|x| x * beta).collect::<Vec<_>>();
            Ok(UnaryFn::Affine(Affine { scale: vec![rat::from_i64(1)], offset: rats(&offset)? }))
        }),
        Some(c) => {
            let c = im.as_data(&c, &n.name)?;
            let c = scaled(im, n, c, beta)?;
            arith::join(im, &[y, c], Op::Sum(netfold_ir::net::Sum::of(2)), &name)
        }
    }
}

/// numpy's matmul with one constant operand.
pub(super) fn matmul(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let (a, b) = (n.required(0)?.clone(), n.required(1)?.clone());
    matmul_of(im, n, &a, &b)
}

/// [`matmul`] of given operands.
pub(super) fn matmul_of(im: &mut Importer, n: &OpNode, a: &Val, b: &Val) -> Res<Value> {
    match (a, b) {
        (_, Val::Const(w)) => {
            let x = im.as_data(a, &n.name)?;
            if x.dims.is_empty() {
                return Err(invalid("the first operand is a scalar"));
            }
            let (w, lead, vector) = plain_matrix(w, false)?;
            let x = if lead > x.dims.len() { prepend_axes(&x, lead - x.dims.len()) } else { x };
            let axis = x.dims.len() - 1;
            let y = dense(im, &n.name, &x, axis, &w.transposed(&[1, 0]), Vec::new())?;
            Ok(if vector { remove_axes(&y, &[axis]) } else { y })
        }
        (Val::Const(w), _) => {
            let x = im.as_data(b, &n.name)?;
            if x.dims.is_empty() {
                return Err(invalid("the second operand is a scalar"));
            }
            let (w, lead, vector) = plain_matrix(w, true)?;
            let x = if lead > x.dims.len() && x.dims.len() > 1 { prepend_axes(&x, lead - x.dims.len()) } else { x };
            let axis = x.dims.len().saturating_sub(2);
            let y = dense(im, &n.name, &x, axis, &w, Vec::new())?;
            Ok(if vector { remove_axes(&y, &[axis]) } else { y })
        }
        _ => Err(two_data()),
    }
}

/// A constant operand as a matrix, its number of axes, and whether it was a vector (a row on the left, a column on the right).
fn plain_matrix(w: &Tensor, left: bool) -> Res<(Tensor, usize, bool)> {
    match *w.dims.as_slice() {
        [n] => Ok((w.reshaped(if left { vec![1, n] } else { vec![n, 1] }), 1, true)),
        [ref lead @ .., r, c] if lead.iter().all(|&d| d == 1) => Ok((w.reshaped(vec![r, c]), w.dims.len(), false)),
        _ => Err(unsupported(format!("constant operand of shape {:?}: a different matrix for every position", w.dims))
            .help("the constant of a matrix product must be one matrix")),
    }
}

/// Convolution with constant weights.
pub(super) fn conv(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let w = n.constant(1, "weights")?;
    let bias = n.const_opt(2, "bias")?.map(|b| b.to_f64()).unwrap_or_default();
    let x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    conv_of(im, n, &x, &w, bias)
}

/// [`conv`] of given operands.
pub(super) fn conv_of(im: &mut Importer, n: &OpNode, x: &Value, w: &Tensor, bias: Vec<f64>) -> Res<Value> {
    let image = Image::of(im, n, x)?;
    if w.dims.len() != x.dims.len() {
        return Err(invalid(format!("weights of shape {:?} meet a tensor of shape {:?}", w.dims, x.dims)));
    }
    let rank = w.dims.len();
    let w = if n.channels_last {
        w.clone()
    } else {
        let perm: Vec<usize> = [0].into_iter().chain(2..rank).chain([1]).collect();
        w.transposed(&perm)
    };
    if w.len() == 0 {
        return Err(invalid("the weights are empty"));
    }
    let (out_channels, kernel, group_in) = (w.dims[0], &w.dims[1..rank - 1], w.dims[rank - 1]);
    let groups = n.int("group", 1)?;
    let groups = usize::try_from(groups).map_err(|_| invalid(format!("group {groups}")))?;
    if group_in.checked_mul(groups) != Some(image.channels) {
        return Err(invalid(format!("{groups} groups of {group_in} input channels meet {} channels", image.channels)));
    }
    let window = window_of(n, &image, Some(kernel), false)?.window;
    let node = image.node(im, x, &format!("{}_input", n.name))?;
    let op = Op::Conv(Conv { window, out_channels, in_channels: image.channels, groups, weights: weights(&w), bias });
    let node = im.add(&n.name, op, &[node])?;
    Ok(image.result(im, x, node))
}
