//! `normalize`: one canonical form for what exporters write in many.
//!
//! * element-wise functions move in front of transposes and reshapes, so that they meet the operator that feeds them;
//! * neighbouring transposes and reshapes merge, identities vanish;
//! * batch normalization behind float weights is folded into them, additive constants become biases;
//! * pools of a single window become global pools, kernels lose taps that only ever see padding.
//!
//! The meaning stays exactly the same, except for float weights that absorb a scale: their product is rounded once, in `f64`.

use netfold_ir::diag::Diag;
use netfold_ir::graph::NodeId;
use netfold_ir::int::compact;
use netfold_ir::net::{Affine, Conv, Network, Op, Pool, PoolKind, Slice, UnaryFn, Weights, Window, elements};
use netfold_ir::quant::Quantizer;
use netfold_ir::rat::{self, Rat};
use num_integer::lcm;

/// Rewrites the network in place.
pub fn run(net: &mut Network) -> Result<(), Diag> {
    loop {
        let mut changed = false;
        for id in net.graph.topological()? {
            if net.graph.contains(id) {
                changed |= rewrite(net, id)?;
            }
        }
        if !changed {
            break;
        }
    }
    let roots: Vec<NodeId> = net.outputs.iter().map(|p| p.node).chain(net.inputs.iter().map(|p| p.node)).collect();
    net.graph.retain_reaching(&roots);
    Ok(())
}

/// Applies the first rule that fits a node.
fn rewrite(net: &mut Network, id: NodeId) -> Result<bool, Diag> {
    match net.graph.node(id).op.clone() {
        Op::Transpose(perm) => merge_transpose(net, id, &perm),
        Op::Reshape(shape) => merge_reshape(net, id, &shape),
        Op::Unary(f) => Ok(hoist_unary(net, id, &f)? || fold_affine(net, id, &f)),
        Op::Pool(pool) => simplify_pool(net, id, pool),
        Op::Conv(conv) => simplify_conv(net, id, conv),
        Op::Slice(s) => {
            let input = net.graph.inputs(id)[0];
            let whole = s.start == 0 && s.count == net.shape(input)[s.axis];
            if whole {
                net.bypass(id, input);
            }
            Ok(whole)
        }
        Op::Input(_)
        | Op::Dense(_)
        | Op::Sum(_)
        | Op::Mul
        | Op::GlobalPool(_)
        | Op::Softmax(_)
        | Op::ArgMax(_)
        | Op::ReduceMax
        | Op::Concat(_)
        | Op::Pad(_)
        | Op::Upsample(_) => Ok(false),
    }
}

/// Transpose of transpose composes; transposes that only move axes of size 1 are reshapes.
fn merge_transpose(net: &mut Network, id: NodeId, perm: &[usize]) -> Result<bool, Diag> {
    let input = net.graph.inputs(id)[0];
    let shape = net.shape(input).to_vec();
    let moved: Vec<usize> = perm.iter().copied().filter(|&p| shape[p] != 1).collect();
    if moved.is_sorted() {
        let target = net.shape(id).to_vec();
        replace(net, id, Op::Reshape(target), input)?;
        return Ok(true);
    }
    if let Op::Transpose(first) = &net.graph.node(input).op {
        let composed: Vec<usize> = perm.iter().map(|&p| first[p]).collect();
        let source = net.graph.inputs(input)[0];
        replace(net, id, Op::Transpose(composed), source)?;
        return Ok(true);
    }
    Ok(false)
}

/// Reshape of reshape is one reshape; a reshape to the same shape vanishes.
fn merge_reshape(net: &mut Network, id: NodeId, shape: &[usize]) -> Result<bool, Diag> {
    let input = net.graph.inputs(id)[0];
    if net.shape(input) == shape {
        net.bypass(id, input);
        return Ok(true);
    }
    if let Op::Reshape(_) = &net.graph.node(input).op {
        let source = net.graph.inputs(input)[0];
        replace(net, id, Op::Reshape(shape.to_vec()), source)?;
        return Ok(true);
    }
    Ok(false)
}

/// `f(transpose(x))` becomes `transpose(f'(x))` with the parameters in the order of `x`; likewise for reshapes.
fn hoist_unary(net: &mut Network, id: NodeId, f: &UnaryFn) -> Result<bool, Diag> {
    let arrange = net.graph.inputs(id)[0];
    let op = net.graph.node(arrange).op.clone();
    if !matches!(op, Op::Transpose(_) | Op::Reshape(_)) || net.graph.consumers(arrange).len() != 1 {
        return Ok(false);
    }
    if net.outputs.iter().any(|p| p.node == arrange) {
        return Ok(false);
    }
    let source = net.graph.inputs(arrange)[0];
    let shape = net.shape(source).to_vec();
    let moved = match &op {
        Op::Transpose(perm) => {
            let order = transpose_order(&shape, perm);
            let mut inverse = vec![0usize; order.len()];
            order.iter().enumerate().for_each(|(i, &o)| inverse[o] = i);
            reindex(f, |i, p| inverse[i] % p, &shape)
        }
        _ => reindex(f, |i, p| i % p, &shape),
    };
    let name = net.graph.node(id).name.clone();
    let new = net.add(&name, Op::Unary(moved), &[source])?;
    let op = match op {
        Op::Reshape(_) => Op::Reshape(net.shape(id).to_vec()),
        other => other,
    };
    let name = net.graph.node(arrange).name.clone();
    let back = net.add(&name, op, &[new])?;
    rename_aliases(net, id, new);
    net.bypass(id, back);
    net.graph.remove(arrange);
    Ok(true)
}

/// Flat order of a transpose: element `i` of the result is element `order[i]` of an input of `shape`.
pub(crate) fn transpose_order(shape: &[usize], perm: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for a in (0..shape.len().saturating_sub(1)).rev() {
        strides[a] = strides[a + 1] * shape[a + 1];
    }
    perm.iter().fold(vec![0], |order, &p| {
        let (size, stride) = (shape[p], strides[p]);
        order.iter().flat_map(|&base| (0..size).map(move |k| base + k * stride)).collect()
    })
}

/// The function with every parameter vector re-indexed: new entry `i` is old entry `f(i, old length)`.
pub(crate) fn reindex(f: &UnaryFn, index: impl Fn(usize, usize) -> usize, shape: &[usize]) -> UnaryFn {
    let n = elements(shape);
    let last = shape.last().copied().unwrap_or(1);
    fn pick<T: Clone + PartialEq>(v: &[T], n: usize, last: usize, index: &dyn Fn(usize, usize) -> usize) -> Vec<T> {
        if v.len() == 1 {
            return v.to_vec();
        }
        let short = compact((0..n).map(|i| v[index(i, v.len())].clone()).collect());
        let p = if short.len() == 1 { 1 } else { lcm(short.len(), last.max(1)) };
        let p = if n.is_multiple_of(p) { p } else { n };
        (0..p).map(|i| short[i % short.len()].clone()).collect()
    }
    let rats = |v: &[Rat]| pick(v, n, last, &index);
    let floats = |v: &[f64]| pick(v, n, last, &index);
    match f {
        UnaryFn::Affine(a) => UnaryFn::Affine(Affine { scale: rats(&a.scale), offset: rats(&a.offset) }),
        UnaryFn::LeakyRelu(s) => UnaryFn::LeakyRelu(floats(s)),
        UnaryFn::Clip(lo, hi) => UnaryFn::Clip(floats(lo), floats(hi)),
        UnaryFn::Quant(q) => {
            UnaryFn::Quant(Quantizer { scale: rats(&q.scale), zero_point: rats(&q.zero_point), ..q.clone() })
        }
        UnaryFn::Relu
        | UnaryFn::HardSigmoid(..)
        | UnaryFn::HardSwish
        | UnaryFn::Sigmoid
        | UnaryFn::Tanh
        | UnaryFn::Elu(_)
        | UnaryFn::Selu(..)
        | UnaryFn::Softplus
        | UnaryFn::Softsign
        | UnaryFn::Exp
        | UnaryFn::Abs
        | UnaryFn::Sqrt
        | UnaryFn::Reciprocal => f.clone(),
    }
}

/// Folds an affine function into the float weights (or, when it only adds, into the bias) of the operator that feeds it.
fn fold_affine(net: &mut Network, id: NodeId, f: &UnaryFn) -> bool {
    let UnaryFn::Affine(a) = f else { return false };
    let producer = net.graph.inputs(id)[0];
    let exposed = net.outputs.iter().any(|p| p.node == producer);
    if exposed || net.graph.consumers(producer).len() != 1 {
        return false;
    }
    let channels = net.shape(producer).last().copied().unwrap_or(1);
    if !channels.is_multiple_of(a.channels()) {
        return false;
    }
    let scale: Vec<f64> = (0..channels).map(|c| rat::to_f64(a.scale_of(c))).collect();
    let offset: Vec<f64> = (0..channels).map(|c| rat::to_f64(a.offset_of(c))).collect();
    let exact = (0..channels).all(|c| rat::from_f64(offset[c]).as_ref() == Some(a.offset_of(c)));
    let unit = scale.iter().all(|s| *s == 1.0);
    let (weights, bias) = match &mut net.graph.node_mut(producer).op {
        Op::Dense(d) => (&mut d.weights, &mut d.bias),
        Op::Conv(c) => (&mut c.weights, &mut c.bias),
        _ => return false,
    };
    let fold_bias = |bias: &mut Vec<f64>| {
        let old = std::mem::take(bias);
        *bias = (0..channels).map(|c| old.get(c).copied().unwrap_or(0.0) * scale[c] + offset[c]).collect();
    };
    if unit && (bias.is_empty() && exact || weights.scale.is_none()) {
        fold_bias(bias);
    } else if weights.scale.is_none() {
        let per = weights.values.len() / channels;
        for (i, w) in weights.values.iter_mut().enumerate() {
            *w *= scale[i / per];
        }
        fold_bias(bias);
    } else {
        return false;
    }
    rename_aliases(net, id, producer);
    net.bypass(id, producer);
    true
}

/// Pools of one window are global; see [`trim`] for the rest.
fn simplify_pool(net: &mut Network, id: NodeId, pool: Pool) -> Result<bool, Diag> {
    let input = net.graph.inputs(id)[0];
    let [h, w, c] = image(net, input);
    let out = net.shape(id).to_vec();
    let [eh, ew] = pool.window.extent();
    let dense = pool.window.dilation == [1, 1] || pool.window.kernel == [1, 1];
    if out[0] == 1 && out[1] == 1 && dense && pool.window.pads == [0; 4] && (eh > 1 || ew > 1) {
        let rows = net.add("crop_rows", Op::Slice(Slice { axis: 0, start: 0, count: eh, step: 1 }), &[input])?;
        let cols = net.add("crop_cols", Op::Slice(Slice { axis: 1, start: 0, count: ew, step: 1 }), &[rows])?;
        let name = net.graph.node(id).name.clone();
        let global = net.add(&name, Op::GlobalPool(pool.kind), &[cols])?;
        rename_aliases(net, id, global);
        let back = net.add("as_image", Op::Reshape(vec![1, 1, c]), &[global])?;
        net.bypass(id, back);
        return Ok(true);
    }
    // A max over padding never changes when taps that only see padding go; an average counts them.
    if pool.kind == PoolKind::Max
        && let Some((window, _)) = trim(&pool.window, [h, w], [out[0], out[1]])
    {
        replace(net, id, Op::Pool(Pool { window, ..pool }), input)?;
        return Ok(true);
    }
    Ok(false)
}

/// Kernels lose taps that only see padding.
fn simplify_conv(net: &mut Network, id: NodeId, conv: Conv) -> Result<bool, Diag> {
    let input = net.graph.inputs(id)[0];
    let [h, w, _] = image(net, input);
    let out = net.shape(id).to_vec();
    if let Some((window, keep)) = trim(&conv.window, [h, w], [out[0], out[1]]) {
        let group = conv.in_channels / conv.groups;
        let [kh, kw] = conv.window.kernel;
        let mut values = Vec::new();
        for o in 0..conv.out_channels {
            for y in keep[0].clone() {
                for x in keep[1].clone() {
                    let at = ((o * kh + y) * kw + x) * group;
                    values.extend_from_slice(&conv.weights.values[at..at + group]);
                }
            }
        }
        let weights = Weights { values, scale: conv.weights.scale.clone() };
        replace(net, id, Op::Conv(Conv { window, weights, ..conv }), input)?;
        return Ok(true);
    }
    Ok(false)
}

/// The window without leading and trailing kernel rows and columns that meet no pixel of an image of `size` at any of the
/// `out` positions, and the rows and columns kept; `None` when all are needed.
fn trim(window: &Window, size: [usize; 2], out: [usize; 2]) -> Option<(Window, [std::ops::Range<usize>; 2])> {
    let mut result = *window;
    let mut keep = [0..window.kernel[0], 0..window.kernel[1]];
    for a in 0..2 {
        let (stride, dilation, before) = (window.stride[a], window.dilation[a], window.pads[a]);
        let meets = |k: usize| (0..out[a]).any(|o| (before..before + size[a]).contains(&(o * stride + k * dilation)));
        let first = (0..window.kernel[a]).find(|&k| meets(k))?;
        let last = (0..window.kernel[a]).rev().find(|&k| meets(k))?;
        keep[a] = first..last + 1;
        result.kernel[a] = last + 1 - first;
        // The padding changes so that the remaining taps stay where they were and the number of positions too.
        let shift = first * dilation;
        if shift > before {
            return None;
        }
        result.pads[a] = before - shift;
        let needed = (out[a] - 1) * stride + dilation * (result.kernel[a] - 1) + 1;
        result.pads[a + 2] = needed.saturating_sub(size[a] + result.pads[a]);
    }
    if result.kernel == window.kernel { None } else { Some((result, keep)) }
}

/// Sizes of an `[H, W, C]` tensor (the verifier holds pools and convolutions to it).
fn image(net: &Network, id: NodeId) -> [usize; 3] {
    match *net.shape(id) {
        [h, w, c] => [h, w, c],
        _ => [1, 1, elements(net.shape(id))],
    }
}

/// Replaces a node by `op` on `input`, keeping its name.
fn replace(net: &mut Network, id: NodeId, op: Op, input: NodeId) -> Result<(), Diag> {
    let name = net.graph.node(id).name.clone();
    let new = net.add(&name, op, &[input])?;
    rename_aliases(net, id, new);
    net.bypass(id, new);
    Ok(())
}

/// Lets names that pointed to `old` point to `new`.
fn rename_aliases(net: &mut Network, old: NodeId, new: NodeId) {
    let (from, to) = (net.graph.node(old).name.clone(), net.graph.node(new).name.clone());
    for (_, target) in &mut net.aliases {
        if *target == from {
            target.clone_from(&to);
        }
    }
    net.aliases.push((from, to));
}
