//! Operators on constants that move, repeat or make elements.

use super::super::fault::{Res, invalid, unsupported};
use super::super::import::Importer;
use super::super::node::OpNode;
use super::super::ops;
use super::super::tensor::{DType, Data, Tensor, count, strides, walk};
use super::super::value::{Val, resolve_axis};
use super::elementwise::{broadcast_index, broadcast_shape};

/// A shape given by a constant.
fn shape_input(n: &OpNode, i: usize) -> Res<Vec<usize>> {
    let t = n.constant(i, "shape")?;
    t.as_ints()?.iter().map(|&d| usize::try_from(d).map_err(|_| invalid(format!("size {d}")))).collect()
}

/// ConstantOfShape.
pub(super) fn constant_of_shape(n: &OpNode) -> Res<Tensor> {
    let dims = shape_input(n, 0)?;
    let total = count(&dims)?;
    let value = n.tensor("value")?.unwrap_or_else(|| Tensor::floats(DType::F32, vec![1], vec![0.0]));
    if value.len() != 1 {
        return Err(invalid("the value is not one element"));
    }
    Ok(value.picked(dims, &vec![0; total]))
}

/// Range.
pub(super) fn range(n: &OpNode) -> Res<Tensor> {
    let (start, limit, delta) = (n.constant(0, "start")?, n.constant(1, "limit")?, n.constant(2, "delta")?);
    let (a, b, d) = (start.scalar_f64()?, limit.scalar_f64()?, delta.scalar_f64()?);
    let steps = ((b - a) / d).ceil().max(0.0);
    if !steps.is_finite() || steps > super::super::tensor::MAX_ELEMENTS as f64 {
        return Err(unsupported(format!("a range of {steps} elements")));
    }
    let total = steps as usize;
    let data = match (&start.data, &delta.data) {
        (Data::Int(a), Data::Int(d)) => {
            Data::Int((0..total as i64).map(|i| a[0].wrapping_add(i.wrapping_mul(d[0]))).collect())
        }
        _ => Data::Float((0..total).map(|i| start.ty.round(a + i as f64 * d)).collect()),
    };
    Ok(Tensor { ty: start.ty, dims: vec![total], data, grid: None })
}

/// Expand.
pub(super) fn expand(n: &OpNode) -> Res<Tensor> {
    let x = n.constant(0, "input")?;
    let dims = broadcast_shape(&x.dims, &shape_input(n, 1)?)?;
    Ok(x.picked(dims.clone(), &broadcast_index(&x.dims, &dims)))
}

/// Tile.
pub(super) fn tile(n: &OpNode) -> Res<Tensor> {
    let x = n.constant(0, "input")?;
    let repeats = shape_input(n, 1)?;
    if repeats.len() != x.dims.len() {
        return Err(invalid("as many repeats as axes are needed"));
    }
    // Axis pairs (repeat, size): the repeat moves by nothing.
    let own = strides(&x.dims);
    let (mut dims, mut by, mut out) = (Vec::new(), Vec::new(), Vec::new());
    for (a, (&d, &r)) in x.dims.iter().zip(&repeats).enumerate() {
        dims.extend([r, d]);
        by.extend([0, own[a]]);
        out.push(d.checked_mul(r).ok_or_else(|| unsupported("the tensor is too large"))?);
    }
    count(&out)?;
    Ok(x.picked(out, &walk(&dims, &by)))
}

/// Gather.
pub(super) fn gather(n: &OpNode) -> Res<Tensor> {
    let (x, indices) = (n.constant(0, "input")?, n.constant(1, "indices")?);
    let axis = resolve_axis(n.int("axis", 0)?, x.dims.len())?;
    let picked: Vec<usize> = indices.as_ints()?.iter().map(|&i| resolve_axis(i, x.dims[axis])).collect::<Res<_>>()?;
    let mut dims = x.dims[..axis].to_vec();
    dims.extend(&indices.dims);
    dims.extend(&x.dims[axis + 1..]);
    count(&dims)?;
    Ok(x.picked(dims, &along(&x.dims, axis, &picked)))
}

/// Positions of the elements whose index along `axis` runs through `picked`.
fn along(dims: &[usize], axis: usize, picked: &[usize]) -> Vec<usize> {
    let before: usize = dims[..axis].iter().product();
    let after: usize = dims[axis + 1..].iter().product();
    let mut out = Vec::with_capacity(before * picked.len() * after);
    for b in 0..before {
        for &p in picked {
            let start = (b * dims[axis] + p) * after;
            out.extend(start..start + after);
        }
    }
    out
}

/// Concat.
pub(super) fn concat(n: &OpNode) -> Res<Tensor> {
    let inputs = (0..n.inputs.len()).map(|i| n.constant(i, "operand")).collect::<Res<Vec<_>>>()?;
    let Some(first) = inputs.first() else { return Err(invalid("no inputs")) };
    let axis = n.int_opt("axis")?.ok_or_else(|| invalid("attribute \"axis\" is missing"))?;
    let axis = resolve_axis(axis, first.dims.len())?;
    let mut dims = first.dims.clone();
    dims[axis] = 0;
    for t in &inputs {
        let agree = t.dims.len() == dims.len() && (0..dims.len()).all(|a| a == axis || t.dims[a] == first.dims[a]);
        if !agree || t.ty != first.ty {
            return Err(invalid("the operands have different shapes or types"));
        }
        dims[axis] += t.dims[axis];
    }
    let before: usize = dims[..axis].iter().product();
    let total = count(&dims)?;
    let (mut floats, mut ints) = (Vec::new(), Vec::new());
    for b in 0..before {
        for t in &inputs {
            let run = t.len() / before;
            match &t.data {
                Data::Float(v) => floats.extend_from_slice(&v[b * run..(b + 1) * run]),
                Data::Int(v) => ints.extend_from_slice(&v[b * run..(b + 1) * run]),
            }
        }
    }
    let data = if first.ty.is_float() { Data::Float(floats) } else { Data::Int(ints) };
    let t = Tensor { ty: first.ty, dims, data, grid: None };
    if t.len() == total { Ok(t) } else { Err(invalid("the operands do not fit together")) }
}

/// Slice, with steps of either sign.
pub(super) fn slice(n: &OpNode) -> Res<Tensor> {
    let mut x = (*n.constant(0, "input")?).clone();
    for (axis, start, len, step) in ops::slice_ranges(n, &x.dims)? {
        let picked: Vec<usize> = (0..len as i64).map(|i| (start as i64 + i * step) as usize).collect();
        let mut dims = x.dims.clone();
        let index = along(&dims, axis, &picked);
        dims[axis] = len;
        x = x.picked(dims, &index);
    }
    Ok(x)
}

/// Split.
pub(super) fn split(im: &mut Importer, n: &OpNode) -> Res<Vec<Val>> {
    let x = n.constant(0, "input")?;
    let axis = resolve_axis(n.int("axis", 0)?, x.dims.len())?;
    let mut start = 0;
    let mut out = Vec::new();
    for size in ops::split_sizes(n, x.dims[axis])? {
        let picked: Vec<usize> = (start..start + size).collect();
        let mut dims = x.dims.clone();
        dims[axis] = size;
        out.push(im.constant(x.picked(dims, &along(&x.dims, axis, &picked)))?);
        start += size;
    }
    Ok(out)
}

/// Squeeze, Unsqueeze, Reshape, Flatten.
pub(super) fn reshape(n: &OpNode) -> Res<Tensor> {
    let x = n.constant(0, "input")?;
    let dims = match n.op() {
        "Squeeze" => {
            let axes = ops::squeezed_axes(n, &x.dims)?;
            (0..x.dims.len()).filter(|a| !axes.contains(a)).map(|a| x.dims[a]).collect()
        }
        "Unsqueeze" => ops::unsqueezed(n, &x.dims)?,
        "Flatten" => {
            let axis = ops::flatten_axis(n.int("axis", 1)?, x.dims.len())?;
            vec![x.dims[..axis].iter().product(), x.dims[axis..].iter().product()]
        }
        _ => ops::resolve_reshape(&x.dims, n.constant(1, "shape")?.as_ints()?, n.int("allowzero", 0)? != 0)?,
    };
    count(&dims)?;
    Ok(x.reshaped(dims))
}

/// Pad with a constant.
pub(super) fn pad(n: &OpNode) -> Res<Tensor> {
    let value = ops::pad_value(n)?;
    let x = n.constant(0, "input")?;
    let pads = ops::pads_of(n, x.dims.len())?;
    let size = |d: usize, (before, after): (i64, i64)| usize::try_from(d as i64 + before + after).ok();
    let dims: Vec<usize> = x
        .dims
        .iter()
        .zip(&pads)
        .map(|(&d, &p)| size(d, p).ok_or_else(|| invalid("an axis is cropped by more than its size")))
        .collect::<Res<_>>()?;
    count(&dims)?;
    let own = strides(&x.dims);
    let place = |flat: usize| -> Option<usize> {
        let (mut rest, mut at) = (flat, 0);
        for a in (0..dims.len()).rev() {
            let i = (rest % dims[a]) as i64 - pads[a].0;
            rest /= dims[a];
            at += usize::try_from(i).ok().filter(|i| *i < x.dims[a])? * own[a];
        }
        Some(at)
    };
    let total: usize = dims.iter().product();
    let data = match &x.data {
        Data::Float(v) => Data::Float((0..total).map(|i| place(i).map_or(value, |p| v[p])).collect()),
        Data::Int(v) => Data::Int((0..total).map(|i| place(i).map_or(value as i64, |p| v[p])).collect()),
    };
    Ok(Tensor { ty: x.ty, dims, data, grid: None })
}

/// NonZero: the indices of the elements that are not zero, an axis a row.
pub(super) fn non_zero(n: &OpNode) -> Res<Tensor> {
    let x = n.constant(0, "input")?;
    let hits: Vec<usize> = x.to_f64().iter().enumerate().filter(|(_, v)| **v != 0.0).map(|(i, _)| i).collect();
    let own = strides(&x.dims);
    let rows = x.dims.iter().zip(&own).flat_map(|(&d, &s)| hits.iter().map(move |&h| (h / s % d.max(1)) as i64));
    let values: Vec<i64> = rows.collect();
    Ok(Tensor::ints(vec![x.dims.len(), hits.len()], values))
}
