//! Resize and Upsample to the nearest element.

use super::super::fault::{Res, invalid, unsupported};
use super::super::import::Importer;
use super::super::node::OpNode;
use super::super::value::{Value, mixes_batch, resolve_axis};
use super::arrange::slice_axis;
use netfold_ir::net::{Op, Upsample};

/// How an output index maps to an input index.
struct Mapping {
    transform: String,
    nearest: String,
}

/// For every index of the resized axis, the index of the input: the formulas of ONNX Resize, nearest mode.
fn index_map(size: usize, out: usize, scale: f64, transform: &str, nearest: &str) -> Res<Vec<usize>> {
    let (n, m) = (size as f64, out as f64);
    let position = |x: f64| -> Res<f64> {
        Ok(match transform {
            "half_pixel" => (x + 0.5) / scale - 0.5,
            "half_pixel_symmetric" => {
                let center = n / 2.0;
                let adjusted = m / (scale * n);
                center * (1.0 - adjusted) + (x + 0.5) / scale - 0.5
            }
            "pytorch_half_pixel" => {
                if out > 1 {
                    (x + 0.5) / scale - 0.5
                } else {
                    0.0
                }
            }
            "tf_half_pixel_for_nn" => (x + 0.5) / scale,
            "align_corners" => {
                if out > 1 {
                    x * (n - 1.0) / (m - 1.0)
                } else {
                    0.0
                }
            }
            "asymmetric" => x / scale,
            other => return Err(unsupported(format!("coordinate_transformation_mode {other:?}"))),
        })
    };
    (0..out)
        .map(|i| {
            let x = position(i as f64)?;
            let rounded = match nearest {
                "round_prefer_floor" => (x - 0.5).ceil(),
                "round_prefer_ceil" => (x + 0.5).floor(),
                "floor" => x.floor(),
                "ceil" => x.ceil(),
                other => return Err(unsupported(format!("nearest_mode {other:?}"))),
            };
            Ok(rounded.clamp(0.0, n - 1.0) as usize)
        })
        .collect()
}

/// Scales and output sizes of all axes.
fn target(n: &OpNode, dims: &[usize]) -> Res<(Vec<f64>, Vec<usize>)> {
    let rank = dims.len();
    let from_scales = |scales: Vec<f64>| -> Res<(Vec<f64>, Vec<usize>)> {
        if scales.len() != rank || scales.iter().any(|s| !(*s > 0.0 && *s < 65536.0)) {
            return Err(invalid(format!("scales {scales:?} for {rank} axes")));
        }
        let sizes = dims.iter().zip(&scales).map(|(&d, s)| (d as f64 * s).floor() as usize).collect();
        Ok((scales, sizes))
    };
    if n.op() == "Upsample" && n.opset < 9 {
        return from_scales(n.floats("scales").ok_or_else(|| invalid("attribute \"scales\" is missing"))?);
    }
    if n.op() == "Upsample" || n.opset < 11 {
        return from_scales(n.constant(1, "scales")?.to_f64());
    }
    let axes: Vec<usize> = match n.ints("axes") {
        Some(axes) => axes.iter().map(|&a| resolve_axis(a, rank)).collect::<Res<_>>()?,
        None => (0..rank).collect(),
    };
    if let Some(scales) = n.const_opt(2, "scales")?.filter(|s| s.len() > 0) {
        let given = scales.to_f64();
        if given.len() != axes.len() {
            return Err(invalid(format!("{} scales for {} axes", given.len(), axes.len())));
        }
        let mut all = vec![1.0; rank];
        axes.iter().zip(given).for_each(|(&a, s)| all[a] = s);
        return from_scales(all);
    }
    let sizes = n.constant(3, "sizes")?;
    let given = sizes.as_ints()?;
    if given.len() != axes.len() {
        return Err(invalid(format!("{} sizes for {} axes", given.len(), axes.len())));
    }
    let policy = n.text("keep_aspect_ratio_policy", "stretch")?;
    if policy != "stretch" {
        return Err(unsupported(format!("keep_aspect_ratio_policy {policy:?}")));
    }
    let mut out = dims.to_vec();
    for (&a, &s) in axes.iter().zip(given) {
        out[a] = usize::try_from(s).ok().filter(|s| *s > 0).ok_or_else(|| invalid(format!("size {s}")))?;
    }
    Ok((dims.iter().zip(&out).map(|(&d, &o)| o as f64 / d as f64).collect(), out))
}

/// Resize and Upsample: every element becomes a block, or every k-th is kept.
pub(super) fn resize(im: &mut Importer, n: &OpNode) -> Res<Value> {
    n.ignore(&[
        "cubic_coeff_a",
        "exclude_outside",
        "extrapolation_value",
        "antialias",
        "keep_aspect_ratio_policy",
        "axes",
    ]);
    let mut x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    let (scales, sizes) = target(n, &x.dims)?;
    let legacy = n.op() == "Upsample" || n.opset < 11;
    let default = if legacy { ("asymmetric", "floor") } else { ("half_pixel", "round_prefer_floor") };
    let map = Mapping {
        transform: n.text("coordinate_transformation_mode", default.0)?,
        nearest: n.text("nearest_mode", default.1)?,
    };
    let mode = n.text("mode", "nearest")?;
    if sizes == x.dims && scales.iter().all(|&s| s == 1.0) {
        return Ok(x);
    }
    if mode != "nearest" {
        return Err(unsupported(format!("mode {mode:?}")).help("only nearest is supported"));
    }
    let mut factors = vec![1; x.dims.len()];
    for axis in 0..x.dims.len() {
        let (size, out) = (x.dims[axis], sizes[axis]);
        if size == out && scales[axis] == 1.0 {
            continue;
        }
        if x.batch == Some(axis) {
            return Err(mixes_batch());
        }
        super::super::tensor::count(&[out])?;
        let index = index_map(size, out, scales[axis], &map.transform, &map.nearest)?;
        let factor = out / size;
        let step = if out > 1 { index[1].saturating_sub(index[0]) } else { 1 };
        if factor * size == out && index.iter().enumerate().all(|(i, &j)| j == i / factor) {
            factors[axis] = factor;
        } else if step > 0 && index.iter().enumerate().all(|(i, &j)| j == index[0] + i * step) {
            x = slice_axis(im, &x, axis, [index[0], out, step], &format!("{}_slice", n.name))?;
        } else {
            return Err(unsupported(format!(
                "resizing axis {axis} from {size} to {out} ({}, {}) does not repeat every element equally often",
                map.transform, map.nearest
            ))
            .help("only whole factors are supported, under a rounding that makes equal blocks"));
        }
    }
    upsample(im, &x, &factors, &n.name)
}

/// Repeats the elements of up to two axes.
fn upsample(im: &mut Importer, x: &Value, factors: &[usize], name: &str) -> Res<Value> {
    let (axes, rest): (Vec<usize>, Vec<usize>) = x.order.iter().partition(|&&a| factors[a] > 1);
    let (size, factor) = match *axes.as_slice() {
        [] => return Ok(x.clone()),
        [w] => ([1, x.dims[w]], [1, factors[w]]),
        [h, w] => ([x.dims[h], x.dims[w]], [factors[h], factors[w]]),
        _ => return Err(unsupported("more than two axes are resized")),
    };
    let channels: usize = im.extents(x, &rest).iter().product();
    let order: Vec<usize> = axes.into_iter().chain(rest).collect();
    let node = im.arrange(x, &order, &[size[0], size[1], channels], &format!("{name}_input"))?;
    let node = im.add(name, Op::Upsample(Upsample { factors: factor }), &[node])?;
    let dims = x.dims.iter().zip(factors).map(|(d, f)| d * f).collect();
    Ok(x.with(node, dims, order))
}
