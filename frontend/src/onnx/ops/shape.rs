//! Operators that change a tensor's shape or type, not its elements.

use super::super::fault::{Res, invalid, unsupported};
use super::super::import::Importer;
use super::super::node::OpNode;
use super::super::tensor::{DType, Tensor};
use super::super::value::{Val, Value, check_size, mixes_batch, resolve_axis};
use super::remove_axes;
use netfold_ir::net::UnaryFn;
use netfold_ir::quant::Rounding;

/// Identity, and Dropout outside of training.
pub(in super::super) fn identity(n: &OpNode) -> Res<Vec<Val>> {
    n.ignore(&["ratio", "seed", "is_test", "consumed_inputs"]);
    if n.used.get(1) == Some(&true) {
        return Err(unsupported("the second output (mask) is not supported"));
    }
    if let Some(training) = n.const_opt(2, "training_mode")?
        && training.scalar_f64()? != 0.0
    {
        return Err(unsupported("training_mode is not supported").help("export the model for inference"));
    }
    Ok(vec![n.required(0)?.clone()])
}

/// Cast and CastLike: from floats and integers to wider types, between float32 and float64, and from floats to integers by
/// truncation. Rounding to a 16-bit float is not something that the network can express.
pub(super) fn cast(im: &mut Importer, n: &OpNode) -> Res<Val> {
    n.ignore(&["saturate"]);
    let to = match n.op() {
        "CastLike" => match n.required(1)? {
            Val::Const(c) => c.ty,
            Val::Data(v) => v.ty,
            Val::Quantized(..) | Val::Poisoned => return Err(unsupported("the type to cast to is not known")),
        },
        _ => DType::from_onnx(n.int("to", 0)?.try_into().unwrap_or(0))?,
    };
    let x = n.required(0)?.clone();
    let v = im.as_data(&x, &n.name)?;
    let range_within = |a: DType, b: DType| a.range().0 >= b.range().0 && a.range().1 <= b.range().1;
    match (v.ty, to) {
        (_, DType::Bool) => Err(unsupported("casting data to truth values is not supported")),
        (from, to) if from == to || to.is_float() && !rounds(from, to) => Ok(Val::Data(Value { ty: to, ..v })),
        (from @ DType::Int { .. }, to @ DType::Int { .. }) if range_within(from, to) => {
            Ok(Val::Data(Value { ty: to, ..v }))
        }
        (from, to @ DType::Int { .. }) if from.is_float() => {
            let mut q = super::integer_quantizer(to)?;
            q.rounding = Rounding::TowardZero;
            let y = im.unary(&v, UnaryFn::Quant(q), &n.name)?;
            Ok(Val::Data(Value { ty: to, ..y }))
        }
        (from, to) => Err(unsupported(format!("casting data from {from:?} to {to:?} is not supported"))),
    }
}

/// Whether casting data to a float type rounds noticeably: to 16 bits from anything that may not fit.
fn rounds(from: DType, to: DType) -> bool {
    match to {
        DType::F16 | DType::BF16 => !matches!(from, DType::Int { bits: ..=8, .. } | DType::Bool),
        _ => false,
    }
}

/// Shape and Size of a tensor: constants.
pub(in super::super) fn shape_of(im: &mut Importer, n: &OpNode) -> Res<Val> {
    let dims = match n.required(0)? {
        Val::Const(c) => c.dims.clone(),
        Val::Data(v) | Val::Quantized(v, _) => v.dims.clone(),
        Val::Poisoned => return Err(invalid("an input could not be read")),
    };
    let rank = dims.len() as i64;
    if n.op() == "Size" {
        let size = dims.iter().try_fold(1i64, |n, &d| n.checked_mul(d as i64));
        return im.constant(Tensor::ints(vec![], vec![size.ok_or_else(|| unsupported("the tensor is too large"))?]));
    }
    let bound = |x: i64| (if x < 0 { x.saturating_add(rank) } else { x }).clamp(0, rank) as usize;
    let (start, end) = (bound(n.int("start", 0)?), bound(n.int("end", rank)?));
    let part: Vec<i64> = dims[start..end.max(start)].iter().map(|&d| d as i64).collect();
    im.constant(Tensor::ints(vec![part.len()], part))
}

/// Resolves 0 (copy) and -1 (the rest) of a Reshape's target.
pub(in super::super) fn resolve_reshape(dims: &[usize], target: &[i64], allow_zero: bool) -> Res<Vec<usize>> {
    let fail = || invalid(format!("cannot reshape {dims:?} into {target:?}"));
    let mut out = Vec::with_capacity(target.len());
    let mut rest = None;
    for (a, &t) in target.iter().enumerate() {
        out.push(match t {
            -1 if rest.is_none() => {
                rest = Some(a);
                1
            }
            0 if !allow_zero => *dims.get(a).ok_or_else(fail)?,
            t => usize::try_from(t).map_err(|_| fail())?,
        });
    }
    let product = |d: &[usize]| d.iter().try_fold(1usize, |n, &x| n.checked_mul(x)).ok_or_else(fail);
    let total = product(dims)?;
    if let Some(a) = rest {
        let known = product(&out)?;
        if known == 0 || !total.is_multiple_of(known) {
            return Err(fail());
        }
        out[a] = total / known;
    }
    if product(&out)? == total { Ok(out) } else { Err(fail()) }
}

/// `v` under another shape of the same number of elements. Where only axes of size one come or go, the node stays.
pub(super) fn reshape_to(im: &mut Importer, v: &Value, dims: Vec<usize>, name: &str) -> Res<Value> {
    check_size(&dims, None).or_else(|f| if v.batch.is_some() { Ok(()) } else { Err(f) })?;
    if v.dims.iter().product::<usize>() != dims.iter().product::<usize>() {
        return Err(invalid(format!("cannot reshape {:?} into {dims:?}", v.dims)));
    }
    let batch = match v.batch {
        None => None,
        Some(b) => {
            let before: usize = v.dims[..b].iter().product();
            let mut prefix = 1;
            let place = dims.iter().position(|&d| {
                let found = prefix == before && d.is_multiple_of(im.batch_size);
                prefix *= d;
                found
            });
            Some(place.ok_or_else(mixes_batch)?)
        }
    };
    let wide = |d: &[usize]| (0..d.len()).filter(|&a| d[a] != 1).collect::<Vec<_>>();
    let (old, new) = (wide(&v.dims), wide(&dims));
    let same = old.len() == new.len()
        && old.iter().zip(&new).all(|(&a, &b)| v.dims[a] == dims[b] && (v.batch == Some(a)) == (batch == Some(b)));
    if same {
        let moved = v.order.iter().filter_map(|a| old.iter().position(|o| o == a)).map(|i| new[i]);
        let order: Vec<usize> = (0..dims.len()).filter(|a| !new.contains(a)).chain(moved).collect();
        return Ok(Value { node: v.node, dims, batch, order, ty: v.ty });
    }
    let order: Vec<usize> = (0..v.dims.len()).collect();
    let result = Value { node: v.node, order: (0..dims.len()).collect(), dims, batch, ty: v.ty };
    let axes = im.shown(&result, &result.order, &[]);
    let shape = im.extents(&result, &axes);
    // In the file's element order first, then in the new shape.
    let turned = im.shown(v, &order, &[]);
    let turned = im.extents(v, &turned);
    let node = im.arrange(v, &order, &turned, &format!("{name}_transpose"))?;
    let flat = Value { node, order, ..v.clone() };
    let node = im.arrange(&flat, &flat.order.clone(), &shape, name)?;
    Ok(Value { node, ..result })
}

/// Reshape.
pub(super) fn reshape(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    let target = n.constant(1, "shape")?;
    let dims = resolve_reshape(&x.dims, target.as_ints()?, n.int("allowzero", 0)? != 0)?;
    reshape_to(im, &x, dims, &n.name)
}

/// Flatten to two axes.
pub(super) fn flatten(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    let axis = flatten_axis(n.int("axis", 1)?, x.dims.len())?;
    let dims = vec![x.dims[..axis].iter().product(), x.dims[axis..].iter().product()];
    reshape_to(im, &x, dims, &n.name)
}

/// Flatten's axis, which may also be the rank.
pub(in super::super) fn flatten_axis(axis: i64, rank: usize) -> Res<usize> {
    if axis == rank as i64 { Ok(rank) } else { resolve_axis(axis, rank) }
}

/// The axes that Squeeze removes from a tensor of shape `dims`.
pub(in super::super) fn squeezed_axes(n: &OpNode, dims: &[usize]) -> Res<Vec<usize>> {
    let Some(axes) = n.ints_or_input("axes", 1, 13)? else {
        return Ok((0..dims.len()).filter(|&a| dims[a] == 1).collect());
    };
    let axes: Vec<usize> = axes.iter().map(|&a| resolve_axis(a, dims.len())).collect::<Res<_>>()?;
    match axes.iter().find(|&&a| dims[a] != 1) {
        Some(a) => Err(invalid(format!("axis {a} of {dims:?} cannot be squeezed: its size is not one"))),
        None => Ok(axes),
    }
}

/// Squeeze.
pub(super) fn squeeze(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    let axes = squeezed_axes(n, &x.dims)?;
    Ok(remove_axes(&x, &axes))
}

/// The shape after Unsqueeze.
pub(in super::super) fn unsqueezed(n: &OpNode, dims: &[usize]) -> Res<Vec<usize>> {
    let axes = n.ints_or_input("axes", 1, 13)?.ok_or_else(|| invalid("the axes are missing"))?;
    let rank = dims.len() + axes.len();
    if rank > 64 {
        return Err(unsupported(format!("a tensor of {rank} axes")));
    }
    let mut new = vec![false; rank];
    for a in axes {
        if std::mem::replace(&mut new[resolve_axis(a, rank)?], true) {
            return Err(invalid("an axis is given twice"));
        }
    }
    let mut old = dims.iter();
    Ok(new.into_iter().map(|n| if n { 1 } else { old.next().copied().unwrap_or(1) }).collect())
}

/// Unsqueeze.
pub(super) fn unsqueeze(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    let dims = unsqueezed(n, &x.dims)?;
    reshape_to(im, &x, dims, &n.name)
}

/// Transpose's permutation.
pub(in super::super) fn permutation(n: &OpNode, rank: usize) -> Res<Vec<usize>> {
    let Some(perm) = n.ints("perm") else { return Ok((0..rank).rev().collect()) };
    let mut seen = vec![false; rank];
    let perm: Vec<usize> = perm.iter().map(|&p| resolve_axis(p, rank)).collect::<Res<_>>()?;
    if perm.len() == rank && perm.iter().all(|&p| !std::mem::replace(&mut seen[p], true)) {
        Ok(perm)
    } else {
        Err(invalid(format!("{perm:?} is not a permutation of {rank} axes")))
    }
}

/// Transpose: only the view of the node changes.
pub(super) fn transpose(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    let perm = permutation(n, x.dims.len())?;
    let new = |a: usize| perm.iter().position(|&p| p == a);
    Ok(Value {
        node: x.node,
        dims: perm.iter().map(|&p| x.dims[p]).collect(),
        batch: x.batch.and_then(new),
        order: x.order.iter().filter_map(|&a| new(a)).collect(),
        ty: x.ty,
    })
}

/// Expand and Tile, where they repeat nothing.
pub(super) fn expand(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    let target = n.constant(1, "shape")?;
    let target = target.as_ints()?;
    let (len, rank) = (target.len(), x.dims.len());
    let repeats = target.iter().enumerate().any(|(i, &t)| {
        let own = (i + rank).checked_sub(len).map_or(1, |a| x.dims[a] as i64);
        t != 1 && (n.op() == "Tile" || t != own)
    });
    if repeats {
        return Err(unsupported(format!("repeating data of shape {:?} by {target:?} is not supported", x.dims)));
    }
    let mut dims = vec![1; len.saturating_sub(rank)];
    dims.extend(&x.dims);
    reshape_to(im, &x, dims, &n.name)
}
