//! Reductions over whole axes and the global pools.

use super::super::fault::{Res, invalid, unsupported};
use super::super::import::Importer;
use super::super::node::OpNode;
use super::super::tensor::DType;
use super::super::value::{Value, mixes_batch};
use super::{remove_axes, select};
use netfold_ir::net::{Affine, Op, PoolKind, UnaryFn};
use netfold_ir::rat;

/// A pool over all positions of the given axes, which become one.
fn pool_over(im: &mut Importer, x: &Value, axes: &[usize], kind: PoolKind, name: &str) -> Res<Value> {
    if x.batch.is_some_and(|b| axes.contains(&b)) {
        return Err(mixes_batch());
    }
    let (inner, rest): (Vec<usize>, Vec<usize>) = x.order.iter().partition(|a| axes.contains(a));
    let sizes: Vec<usize> = im.extents(x, &inner).into_iter().filter(|&d| d != 1).collect();
    let size = match *sizes.as_slice() {
        [h, w] => [h, w],
        _ => [1, sizes.iter().product()],
    };
    let channels: usize = im.extents(x, &rest).iter().product();
    let order: Vec<usize> = inner.into_iter().chain(rest).collect();
    let node = im.arrange(x, &order, &[size[0], size[1], channels], &format!("{name}_input"))?;
    let node = im.add(name, Op::GlobalPool(kind), &[node])?;
    let mut dims = x.dims.clone();
    for &a in axes {
        dims[a] = 1;
    }
    Ok(x.with(node, dims, order))
}

/// GlobalAveragePool and GlobalMaxPool: all axes behind the channels.
pub(super) fn global_pool(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    if x.dims.len() < 3 {
        return Err(invalid(format!("input of shape {:?} has no spatial axes", x.dims)));
    }
    let kind = match n.op() {
        "GlobalMaxPool" => PoolKind::Max,
        _ => PoolKind::Average { include_pad: false },
    };
    let axes: Vec<usize> = (2..x.dims.len()).collect();
    pool_over(im, &x, &axes, kind, &n.name)
}

/// The axes of a reduction; `None` when it does nothing.
pub(in super::super) fn reduced_axes(n: &OpNode, rank: usize) -> Res<Option<Vec<usize>>> {
    let since = if n.op() == "ReduceSum" { 13 } else { 18 };
    let axes = n.ints_or_input("axes", 1, since)?.filter(|a| !a.is_empty());
    let noop = n.int("noop_with_empty_axes", 0)? != 0;
    let Some(axes) = axes else { return Ok((!noop).then(|| (0..rank).collect())) };
    let mut axes: Vec<usize> = axes.iter().map(|&a| super::super::value::resolve_axis(a, rank)).collect::<Res<_>>()?;
    axes.sort_unstable();
    axes.dedup();
    Ok(Some(axes))
}

/// ReduceMean, ReduceSum, ReduceMax, ReduceMin.
pub(super) fn reduce(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    let keep = n.int("keepdims", 1)? != 0;
    let Some(axes) = reduced_axes(n, x.dims.len())? else { return Ok(x) };
    if axes.is_empty() {
        return Ok(x);
    }
    let mean = PoolKind::Average { include_pad: false };
    if matches!(n.op(), "ReduceMean" | "ReduceSum") && matches!(x.ty, DType::Int { .. }) {
        return Err(unsupported("integer data is supported only by ReduceMax and ReduceMin"));
    }
    let y = match n.op() {
        "ReduceMax" => select::max_over(im, &x, &axes, &n.name)?,
        "ReduceMin" => select::min_over(im, &x, &axes, &n.name)?,
        "ReduceSum" => {
            let y = pool_over(im, &x, &axes, mean, &n.name)?;
            let count: usize = im.extents(&x, &axes).iter().product();
            let scale = vec![rat::from_i64(count as i64)];
            let f = UnaryFn::Affine(Affine { scale, offset: vec![rat::from_i64(0)] });
            im.unary(&y, f, &format!("{}_count", n.name))?
        }
        _ => pool_over(im, &x, &axes, mean, &n.name)?,
    };
    Ok(if keep { y } else { remove_axes(&y, &axes) })
}
