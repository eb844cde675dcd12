//! Reductions and matrix products of constants.

use super::super::fault::{Res, invalid, unsupported};
use super::super::node::OpNode;
use super::super::ops;
use super::super::tensor::{Data, Tensor, count, strides};

/// ReduceSum, ReduceMean, ReduceMax, ReduceMin, ReduceProd.
pub(super) fn reduce(n: &OpNode) -> Res<Tensor> {
    let x = n.constant(0, "input")?;
    let keep = n.int("keepdims", 1)? != 0;
    let Some(axes) = ops::reduced_axes(n, x.dims.len())? else { return Ok((*x).clone()) };
    if x.len() == 0 {
        return Err(unsupported("an empty constant"));
    }
    let kept: Vec<usize> = x.dims.iter().enumerate().map(|(a, &d)| if axes.contains(&a) { 1 } else { d }).collect();
    let (own, to) = (strides(&x.dims), strides(&kept));
    let groups: usize = kept.iter().product();
    let place = |flat: usize| -> usize {
        (0..kept.len()).filter(|a| !axes.contains(a)).map(|a| flat / own[a] % x.dims[a] * to[a]).sum()
    };
    let values = x.to_f64();
    let mut sums = vec![None; groups];
    for (i, &v) in values.iter().enumerate() {
        let s = &mut sums[place(i)];
        *s = Some(match (*s, n.op()) {
            (None, _) => v,
            (Some(a), "ReduceMax") => v.max(a),
            (Some(a), "ReduceMin") => v.min(a),
            (Some(a), "ReduceProd") => v * a,
            (Some(a), _) => v + a,
        });
    }
    let per = (x.len() / groups) as f64;
    let mean = n.op() == "ReduceMean";
    let result = sums.into_iter().flatten().map(|s| if mean { s / per } else { s });
    let data = match x.data {
        Data::Float(_) => Data::Float(result.map(|v| x.ty.round(v)).collect()),
        Data::Int(_) => Data::Int(result.map(|v| x.ty.wrap(v as i64)).collect()),
    };
    let dims = (0..kept.len()).filter(|a| keep || !axes.contains(a)).map(|a| kept[a]).collect();
    Ok(Tensor { ty: x.ty, dims, data, grid: None })
}

/// MatMul of two matrices or vectors.
pub(super) fn matmul(n: &OpNode) -> Res<Tensor> {
    /// Most multiplications of one product.
    const MAX_PRODUCTS: usize = 1 << 30;
    let (a, b) = (n.constant(0, "first operand")?, n.constant(1, "second operand")?);
    let (rows, inner) = match *a.dims.as_slice() {
        [k] => (1, k),
        [m, k] => (m, k),
        _ => return Err(unsupported(format!("constant operands of shapes {:?} and {:?}", a.dims, b.dims))),
    };
    let (inner_b, columns) = match *b.dims.as_slice() {
        [k] => (k, 1),
        [k, c] => (k, c),
        _ => return Err(unsupported(format!("constant operands of shapes {:?} and {:?}", a.dims, b.dims))),
    };
    if inner != inner_b {
        return Err(invalid(format!("shapes {:?} and {:?} do not multiply", a.dims, b.dims)));
    }
    count(&[rows, columns])?;
    if rows.saturating_mul(columns).saturating_mul(inner) > MAX_PRODUCTS {
        return Err(unsupported("a product of constants of this size"));
    }
    let (x, y) = (a.to_f64(), b.to_f64());
    let mut out = vec![0.0; rows * columns];
    for r in 0..rows {
        for k in 0..inner {
            for c in 0..columns {
                out[r * columns + c] += x[r * inner + k] * y[k * columns + c];
            }
        }
    }
    let mut dims = Vec::new();
    dims.extend((a.dims.len() == 2).then_some(rows));
    dims.extend((b.dims.len() == 2).then_some(columns));
    let data = match a.data {
        Data::Float(_) => Data::Float(out.into_iter().map(|v| a.ty.round(v)).collect()),
        Data::Int(_) => Data::Int(out.into_iter().map(|v| a.ty.wrap(v as i64)).collect()),
    };
    Ok(Tensor { ty: a.ty, dims, data, grid: None })
}
