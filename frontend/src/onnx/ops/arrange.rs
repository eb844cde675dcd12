//! Concat, Split, Slice, Gather and Pad.

use super::super::fault::{Res, invalid, unsupported};
use super::super::import::Importer;
use super::super::node::OpNode;
use super::super::value::{Val, Value, mixes_batch, resolve_axis};
use super::remove_axes;
use super::shape::reshape_to;
use netfold_ir::graph::NodeId;
use netfold_ir::net::{Concat, Op, Pad, Slice};

/// A node whose shape shows the axis `axis` of `v`, in `order`, and the position of that axis.
fn showing(im: &mut Importer, v: &Value, order: &[usize], axis: usize, name: &str) -> Res<(NodeId, usize)> {
    let axes = im.shown(v, order, &[axis]);
    let shape = im.extents(v, &axes);
    let node = im.arrange(v, order, &shape, &format!("{name}_input"))?;
    Ok((node, axes.iter().position(|&a| a == axis).unwrap_or(0)))
}

/// Elements `start, start + step, ..` of an axis.
pub(super) fn slice_axis(im: &mut Importer, v: &Value, axis: usize, range: [usize; 3], name: &str) -> Res<Value> {
    let [start, count, step] = range;
    if start == 0 && step == 1 && count == v.dims[axis] {
        return Ok(v.clone());
    }
    if v.batch == Some(axis) {
        return Err(mixes_batch());
    }
    if count == 0 {
        return Err(unsupported(format!("an empty slice of axis {axis} of {:?}", v.dims)));
    }
    let (node, position) = showing(im, v, &v.order, axis, name)?;
    let node = im.add(name, Op::Slice(Slice { axis: position, start, count, step }), &[node])?;
    let mut dims = v.dims.clone();
    dims[axis] = count;
    Ok(v.with(node, dims, v.order.clone()))
}

/// Concatenation of values along an axis.
pub(super) fn concat_values(im: &mut Importer, values: &[Value], axis: usize, name: &str) -> Res<Value> {
    let Some(first) = values.first() else { return Err(invalid("no inputs")) };
    if values.len() == 1 {
        return Ok(first.clone());
    }
    if first.batch == Some(axis) {
        return Err(mixes_batch());
    }
    let mut dims = first.dims.clone();
    dims[axis] = 0;
    for v in values {
        let agree = v.dims.len() == dims.len()
            && v.batch == first.batch
            && (0..dims.len()).all(|a| a == axis || v.dims[a] == first.dims[a]);
        if !agree {
            let shapes: Vec<_> = values.iter().map(|v| &v.dims).collect();
            return Err(invalid(format!("cannot concatenate {shapes:?} along axis {axis}")));
        }
        dims[axis] += v.dims[axis];
    }
    let natural: Vec<usize> = (0..dims.len()).collect();
    let order = values.iter().map(|v| &v.order).find(|o| **o != natural).unwrap_or(&natural).clone();
    let mut nodes = Vec::new();
    let mut position = 0;
    for v in values {
        let (node, p) = showing(im, v, &order, axis, name)?;
        nodes.push(node);
        position = p;
    }
    let node = im.add(name, Op::Concat(Concat { axis: position }), &nodes)?;
    Ok(first.with(node, dims, order))
}

/// Concat.
pub(super) fn concat(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let mut values = Vec::new();
    for val in n.inputs.iter().flatten() {
        if matches!(val, Val::Const(_)) {
            return Err(unsupported("concatenating constants with data is not supported"));
        }
        values.push(im.as_data(val, &n.name)?);
    }
    let Some(first) = values.first() else { return Err(invalid("no inputs")) };
    let axis = n.int_opt("axis")?.ok_or_else(|| invalid("attribute \"axis\" is missing"))?;
    let axis = first.axis(axis)?;
    concat_values(im, &values, axis, &n.name)
}

/// Sizes of the parts of a Split of an axis of size `size`.
pub(in super::super) fn split_sizes(n: &OpNode, size: usize) -> Res<Vec<usize>> {
    let parts = n.proto.output.len();
    let declared = n.int_opt("num_outputs")?;
    if let Some(sizes) = n.ints_or_input("split", 1, 13)? {
        let sizes: Vec<usize> =
            sizes.iter().map(|&s| usize::try_from(s).map_err(|_| invalid("a negative part"))).collect::<Res<_>>()?;
        let total = sizes.iter().try_fold(0usize, |a, &b| a.checked_add(b));
        if total != Some(size) || sizes.len() != parts {
            return Err(invalid(format!("{parts} parts {sizes:?} of an axis of {size}")));
        }
        return Ok(sizes);
    }
    if declared.is_some_and(|d| d != parts as i64) {
        return Err(invalid(format!("num_outputs is {declared:?}, but there are {parts} outputs")));
    }
    let each = size.div_ceil(parts.max(1));
    if declared.is_none() && each * parts != size {
        return Err(invalid(format!("an axis of {size} does not split into {parts} equal parts")));
    }
    Ok((0..parts).map(|i| each.min(size.saturating_sub(i * each))).collect())
}

/// Split: one slice for every output that is used.
pub(super) fn split(im: &mut Importer, n: &OpNode) -> Res<Vec<Val>> {
    let x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    let axis = x.axis(n.int("axis", 0)?)?;
    let sizes = split_sizes(n, x.dims[axis])?;
    let mut start = 0;
    let mut out = Vec::new();
    for (i, &size) in sizes.iter().enumerate() {
        out.push(if n.used.get(i) == Some(&true) {
            let name = if i == 0 { n.name.clone() } else { format!("{}_{i}", n.name) };
            Val::Data(slice_axis(im, &x, axis, [start, size, 1], &name)?)
        } else {
            Val::Poisoned
        });
        start += size;
    }
    Ok(out)
}

/// Slice's ranges as (axis, first index, count, step); steps may be negative.
pub(in super::super) fn slice_ranges(n: &OpNode, dims: &[usize]) -> Res<Vec<(usize, usize, usize, i64)>> {
    let list = |name: &str, i: usize| n.ints_or_input(name, i, 10);
    let starts = list("starts", 1)?.ok_or_else(|| invalid("the starts are missing"))?;
    let ends = list("ends", 2)?.ok_or_else(|| invalid("the ends are missing"))?;
    let axes = list("axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = if n.opset >= 10 { list("steps", 4)? } else { None }.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()].iter().any(|&l| l != starts.len()) {
        return Err(invalid("starts, ends, axes and steps have different lengths"));
    }
    let mut out = Vec::new();
    for (i, &axis) in axes.iter().enumerate() {
        let axis = resolve_axis(axis, dims.len())?;
        let (size, step) = (dims[axis] as i64, steps[i]);
        if step == 0 {
            return Err(invalid("a step is zero"));
        }
        let wrap = |x: i64| if x < 0 { x.saturating_add(size) } else { x };
        let (lo, hi) = if step > 0 { (0, size) } else { (-1, size - 1) };
        let start = wrap(starts[i]).clamp(lo.max(0), hi.max(0));
        let end = wrap(ends[i]).clamp(lo, hi.max(lo));
        let distance = if step > 0 { end - start } else { start - end };
        let count = if distance > 0 { (distance as u64).div_ceil(step.unsigned_abs()) as usize } else { 0 };
        out.push((axis, start as usize, count, step));
    }
    Ok(out)
}

/// Slice.
pub(super) fn slice(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let mut x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    for (axis, start, count, step) in slice_ranges(n, &x.dims)? {
        if step < 0 && count > 1 {
            return Err(unsupported(format!("step {step}: reversing data is not supported")));
        }
        let step = usize::try_from(step).unwrap_or(1).min(x.dims[axis].max(1));
        x = slice_axis(im, &x, axis, [start, count, step], &n.name)?;
    }
    Ok(x)
}

/// Gather with constant indices: a slice where they are evenly spaced, a concatenation of slices otherwise.
pub(super) fn gather(im: &mut Importer, n: &OpNode) -> Res<Value> {
    /// Most separate slices that a Gather may become.
    const MAX_SLICES: usize = 256;
    let indices = n.constant(1, "indices")?;
    let x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    let axis = x.axis(n.int("axis", 0)?)?;
    let picked: Vec<usize> = indices.as_ints()?.iter().map(|&i| resolve_axis(i, x.dims[axis])).collect::<Res<_>>()?;
    let runs = even_runs(&picked);
    if runs.len() > MAX_SLICES {
        return Err(unsupported(format!("indices of {} separate ranges", runs.len())));
    }
    if x.batch == Some(axis) && runs.as_slice() != [[0, x.dims[axis], 1]] {
        return Err(mixes_batch());
    }
    let mut parts = Vec::new();
    for run in runs {
        parts.push(slice_axis(im, &x, axis, run, &n.name)?);
    }
    let y = concat_values(im, &parts, axis, &format!("{}_concat", n.name))?;
    if indices.dims.is_empty() {
        return Ok(remove_axes(&y, &[axis]));
    }
    let mut dims = y.dims[..axis].to_vec();
    dims.extend(&indices.dims);
    dims.extend(&y.dims[axis + 1..]);
    reshape_to(im, &y, dims, &format!("{}_reshape", n.name))
}

/// Splits indices into runs `[start, count, step]` of even spacing, greedily.
fn even_runs(indices: &[usize]) -> Vec<[usize; 3]> {
    let mut runs: Vec<[usize; 3]> = Vec::new();
    for &i in indices {
        if let Some([start, count, step]) = runs.last_mut() {
            if *count == 1 && i > *start {
                (*count, *step) = (2, i - *start);
                continue;
            }
            if *count > 1 && i == *start + *count * *step {
                *count += 1;
                continue;
            }
        }
        runs.push([i, 1, 1]);
    }
    runs
}

/// (before, after) of every axis of a Pad; negative numbers crop.
pub(in super::super) fn pads_of(n: &OpNode, rank: usize) -> Res<Vec<(i64, i64)>> {
    let pads = n.ints_or_input("pads", 1, 11)?.ok_or_else(|| invalid("the pads are missing"))?;
    let axes: Vec<usize> = match n.opset {
        ..18 => (0..rank).collect(),
        _ => match n.const_opt(3, "axes")? {
            Some(a) => a.as_ints()?.iter().map(|&a| resolve_axis(a, rank)).collect::<Res<_>>()?,
            None => (0..rank).collect(),
        },
    };
    if pads.len() != 2 * axes.len() || pads.iter().any(|p| p.unsigned_abs() > 1 << 32) {
        return Err(invalid(format!("{} pads for {} axes", pads.len(), axes.len())));
    }
    let mut out = vec![(0, 0); rank];
    for (i, &a) in axes.iter().enumerate() {
        out[a] = (pads[i], pads[i + axes.len()]);
    }
    Ok(out)
}

/// The value of a constant Pad.
pub(in super::super) fn pad_value(n: &OpNode) -> Res<f64> {
    let mode = n.text("mode", "constant")?;
    if mode != "constant" {
        return Err(unsupported(format!("mode {mode:?}")).help("only constant padding is supported"));
    }
    if n.opset < 11 {
        return n.float("value", 0.0);
    }
    n.const_opt(2, "padding value")?.map_or(Ok(0.0), |v| v.scalar_f64())
}

/// Pad with a constant.
pub(super) fn pad(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let value = pad_value(n)?;
    if !value.is_finite() {
        return Err(unsupported(format!("padding with {value}")));
    }
    let mut x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    let pads = pads_of(n, x.dims.len())?;
    for (axis, &(before, after)) in pads.iter().enumerate() {
        let (cut, tail) = ((-before).max(0) as usize, (-after).max(0) as usize);
        let Some(count) = x.dims[axis].checked_sub(cut + tail) else {
            return Err(invalid(format!("axis {axis} of {:?} is cropped by more than its size", x.dims)));
        };
        x = slice_axis(im, &x, axis, [cut, count, 1], &format!("{}_crop", n.name))?;
    }
    let grow: Vec<(usize, usize)> = pads.iter().map(|&(b, a)| (b.max(0) as usize, a.max(0) as usize)).collect();
    if grow.iter().all(|&g| g == (0, 0)) {
        return Ok(x);
    }
    if x.batch.is_some_and(|b| grow[b] != (0, 0)) {
        return Err(mixes_batch());
    }
    let padded: Vec<usize> = (0..grow.len()).filter(|&a| grow[a] != (0, 0)).collect();
    let axes = im.shown(&x, &x.order, &padded);
    let shape = im.extents(&x, &axes);
    let node = im.arrange(&x, &x.order.clone(), &shape, &format!("{}_input", n.name))?;
    let node = im.add(&n.name, Op::Pad(Pad { pads: axes.iter().map(|&a| grow[a]).collect(), value }), &[node])?;
    let dims = x.dims.iter().zip(&grow).map(|(d, (b, a))| d + b + a).collect();
    Ok(x.with(node, dims, x.order.clone()))
}
