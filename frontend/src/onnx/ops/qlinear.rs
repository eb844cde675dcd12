//! ONNX's own quantization: QuantizeLinear, DequantizeLinear and the integer operators.
//!
//! A quantized tensor is kept as the real value that it stands for; its integers appear only where something other than a
//! matching DequantizeLinear reads them.

use super::super::fault::{Res, invalid, unsupported};
use super::super::import::Importer;
use super::super::node::OpNode;
use super::super::tensor::{Const, DType, Data, Tensor};
use super::super::value::{QParams, Val, Value, resolve_axis};
use super::{linear, quant, rats};
use netfold_ir::net::{Affine, UnaryFn};
use netfold_ir::quant::{IntType, Overflow, Quantizer, Rounding};
use netfold_ir::rat;
use num_traits::One;
use std::rc::Rc;

/// A scale or zero point as it broadcasts to a tensor of `rank` axes.
fn along_axis(t: &Tensor, rank: usize, axis: usize) -> Res<Tensor> {
    match t.dims.as_slice() {
        [] | [1] => Ok(t.reshaped(vec![])),
        &[n] if axis < rank => {
            let mut dims = vec![1; rank - axis];
            dims[0] = n;
            Ok(t.reshaped(dims))
        }
        _ => Err(unsupported(format!("a scale or zero point of shape {:?}: blocked quantization", t.dims))),
    }
}

/// A zero point, zero where left out.
fn zero_of(t: Option<&Const>) -> Const {
    t.cloned().unwrap_or_else(|| Rc::new(Tensor::ints(vec![], vec![0])))
}

/// The attribute `axis` of a (de)quantization, and the refusal of blocks.
fn axis_of(n: &OpNode, rank: usize) -> Res<usize> {
    if n.int("block_size", 0)? != 0 {
        return Err(unsupported("attribute \"block_size\": blocked quantization is not supported"));
    }
    n.ignore(&["saturate"]);
    if n.int("precision", 0)? != 0 {
        return Err(unsupported("attribute \"precision\" is not supported"));
    }
    let axis = n.int("axis", 1)?;
    // The axis matters only for parameters of more than one value.
    Ok(resolve_axis(axis, rank).unwrap_or(rank))
}

/// QuantizeLinear's quantizer for one scale and zero point. Rounding comes before the zero point is added, so that an odd zero
/// point would turn ties the other way: such a quantizer has zero point 0 and needs a clip to `bounds` before it.
fn quantizer(ty: IntType, scale: &[f64], zero: &[f64]) -> Res<(Quantizer, bool)> {
    if scale.iter().any(|s| s.is_nan() || *s <= 0.0) {
        return Err(invalid("a scale is not positive"));
    }
    let odd = zero.iter().any(|z| z.rem_euclid(2.0) != 0.0);
    let (ty, zero_point) = if odd {
        (IntType::new(true, (ty.bits + 1).min(IntType::MAX_BITS)), vec![rat::from_i64(0)])
    } else {
        (ty, rats(zero)?)
    };
    let q =
        Quantizer { scale: rats(scale)?, zero_point, ty, rounding: Rounding::HalfEven, overflow: Overflow::Saturate };
    Ok((q, odd))
}

/// The integer type of a quantized tensor.
fn int_type(ty: DType) -> Res<IntType> {
    match ty {
        DType::Int { signed, bits } if bits <= 32 => Ok(IntType::new(signed, bits)),
        _ => Err(unsupported(format!("quantization to {ty:?}"))),
    }
}

/// The type that a QuantizeLinear makes.
fn output_type(n: &OpNode, zero: Option<&Const>) -> Res<DType> {
    let declared = n.int("output_dtype", 0)?;
    match zero {
        Some(z) => Ok(z.ty),
        None if declared != 0 => DType::from_onnx(declared.try_into().unwrap_or(0)),
        None => Ok(DType::Int { signed: false, bits: 8 }),
    }
}

/// QuantizeLinear of data.
pub(super) fn quantize(im: &mut Importer, n: &OpNode) -> Res<Val> {
    let x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    let (scale, zero) = (n.constant(1, "scale")?, n.const_opt(2, "zero point")?);
    let ty = output_type(n, zero.as_ref())?;
    let axis = axis_of(n, x.dims.len())?;
    quantize_value(im, &x, scale, zero, axis, ty, &n.name)
}

/// Quantizes a value.
fn quantize_value(
    im: &mut Importer,
    x: &Value,
    scale: Const,
    zero: Option<Const>,
    axis: usize,
    ty: DType,
    name: &str,
) -> Res<Val> {
    let int = int_type(ty)?;
    let rank = x.dims.len();
    let s = along_axis(&scale, rank, axis)?;
    let z = along_axis(&zero_of(zero.as_ref()), rank, axis)?;
    let odd = z.to_f64().iter().any(|z| z.rem_euclid(2.0) != 0.0);
    let mut y = x.clone();
    if odd {
        y = im.unary_with(&y, &[&s, &z], &format!("{name}_clip"), |p| {
            let len = p[0].len().max(p[1].len());
            let bound = |edge: i64| -> Vec<f64> {
                (0..len).map(|c| p[0][c % p[0].len()] * (edge as f64 - p[1][c % p[1].len()])).collect()
            };
            Ok(UnaryFn::Clip(bound(int.min()), bound(int.max())))
        })?;
    }
    let y = im.unary_with(&y, &[&s, &z], name, |p| Ok(UnaryFn::Quant(quantizer(int, &p[0], &p[1])?.0)))?;
    Ok(Val::Quantized(y, Rc::new(QParams { scale, zero, axis, ty })))
}

/// Whether two sets of quantization parameters mean the same.
fn same(a: &QParams, scale: &Const, zero: Option<&Const>, axis: usize) -> bool {
    let single = a.scale.len() == 1 && scale.len() == 1;
    a.scale.to_f64() == scale.to_f64()
        && (single || a.axis == axis)
        && zero_of(a.zero.as_ref()).to_f64() == zero_of(zero).to_f64()
}

/// DequantizeLinear of data.
pub(super) fn dequantize(im: &mut Importer, n: &OpNode) -> Res<Value> {
    n.ignore(&["output_dtype"]);
    let x = n.required(0)?.clone();
    let (scale, zero) = (n.constant(1, "scale")?, n.const_opt(2, "zero point")?);
    let rank = match &x {
        Val::Data(v) | Val::Quantized(v, _) => v.dims.len(),
        Val::Const(c) => c.dims.len(),
        Val::Poisoned => 0,
    };
    let axis = axis_of(n, rank)?;
    dequantize_val(im, &x, &scale, zero.as_ref(), axis, &n.name)
}

/// The real value of a quantized tensor.
fn dequantize_val(
    im: &mut Importer,
    x: &Val,
    scale: &Const,
    zero: Option<&Const>,
    axis: usize,
    name: &str,
) -> Res<Value> {
    if let Val::Quantized(v, q) = x
        && same(q, scale, zero, axis)
    {
        return Ok(v.clone());
    }
    let v = im.as_data(x, name)?;
    let s = along_axis(scale, v.dims.len(), axis)?;
    let z = along_axis(&zero_of(zero), v.dims.len(), axis)?;
    let y = im.unary_with(&v, &[&s, &z], name, |p| {
        let (scale, zero) = (rats(&p[0])?, rats(&p[1])?);
        let len = scale.len().max(zero.len());
        let offset = (0..len).map(|c| -(&scale[c % scale.len()] * &zero[c % zero.len()])).collect();
        Ok(UnaryFn::Affine(Affine { scale, offset }))
    })?;
    Ok(Value { ty: DType::F32, ..y })
}

impl Importer<'_> {
    /// The integers of a quantized value.
    pub(in super::super) fn integers(&mut self, v: &Value, q: &QParams, name: &str) -> Res<Value> {
        let s = along_axis(&q.scale, v.dims.len(), q.axis)?;
        let z = along_axis(&zero_of(q.zero.as_ref()), v.dims.len(), q.axis)?;
        let y = self.unary_with(v, &[&s, &z], &format!("{name}_integers"), |p| {
            let scale = rats(&p[0])?.iter().map(rat::recip).collect();
            Ok(UnaryFn::Affine(Affine { scale, offset: rats(&p[1])? }))
        })?;
        Ok(Value { ty: q.ty, ..y })
    }
}

/// DequantizeLinear of a constant: exact values on a grid.
pub(in super::super) fn dequantize_constant(n: &OpNode) -> Res<Tensor> {
    n.ignore(&["output_dtype"]);
    let (x, scale, zero) = (n.constant(0, "input")?, n.constant(1, "scale")?, n.const_opt(2, "zero point")?);
    dequantized(&x, &scale, zero.as_ref(), axis_of(n, x.dims.len())?)
}

/// The real values of constant integers.
fn dequantized(x: &Tensor, scale: &Const, zero: Option<&Const>, axis: usize) -> Res<Tensor> {
    let s = along_axis(scale, x.dims.len(), axis)?;
    let z = along_axis(&zero_of(zero), x.dims.len(), axis)?;
    if matches!(x.data, Data::Float(_)) {
        return Err(invalid("the input is not an integer tensor"));
    }
    // The integers `x - zero` have step 1 and zero point 0 on the grid of the scale.
    let ones = |s: f64, _: f64| -> Res<Quantizer> {
        let scale = rats(&[s])?;
        if s.is_nan() || s <= 0.0 {
            return Err(invalid("a scale is not positive"));
        }
        Ok(Quantizer {
            scale,
            zero_point: vec![rat::from_i64(0)],
            ty: IntType::new(true, IntType::MAX_BITS),
            rounding: Rounding::HalfEven,
            overflow: Overflow::Saturate,
        })
    };
    let real = centred(x, &s, &z)?;
    quant::on_grid(&real, &s, &Tensor::ints(vec![], vec![0]), ones)
}

/// `scale * (x - zero)` as floats.
fn centred(x: &Tensor, s: &Tensor, z: &Tensor) -> Res<Tensor> {
    let difference = super::fold::broadcast(x, z, |a, b| a - b)?;
    let mut out = super::fold::broadcast(&difference, s, |a, b| a * b)?;
    out.ty = DType::F64;
    if out.dims == x.dims { Ok(out) } else { Err(invalid("the parameters do not match the tensor")) }
}

/// QuantizeLinear of a constant: integers.
pub(in super::super) fn quantize_constant(n: &OpNode) -> Res<Tensor> {
    let (x, scale, zero) = (n.constant(0, "input")?, n.constant(1, "scale")?, n.const_opt(2, "zero point")?);
    let ty = output_type(n, zero.as_ref())?;
    let int = int_type(ty)?;
    let axis = axis_of(n, x.dims.len())?;
    let s = along_axis(&scale, x.dims.len(), axis)?;
    let z = along_axis(&zero_of(zero.as_ref()), x.dims.len(), axis)?;
    let scaled = super::fold::broadcast(&x, &s, |a, b| f64::from((a / b) as f32).round_ties_even())?;
    let shifted = super::fold::broadcast(&scaled, &z, |a, b| (a + b).clamp(int.min() as f64, int.max() as f64))?;
    let values = shifted.to_f64().into_iter().map(|v| v as i64).collect();
    Ok(Tensor { ty, dims: shifted.dims, data: Data::Int(values), grid: None })
}

/// An operand of a quantized product: constants on their grid, data as the value that it stands for.
fn operand(im: &mut Importer, n: &OpNode, first: usize, axis: impl Fn(usize) -> usize) -> Res<Val> {
    let x = n.required(first)?.clone();
    let (scale, zero) = (n.constant(first + 1, "scale")?, n.const_opt(first + 2, "zero point")?);
    Ok(match &x {
        Val::Const(c) => Val::Const(Rc::new(dequantized(c, &scale, zero.as_ref(), axis(c.dims.len()))?)),
        Val::Data(v) | Val::Quantized(v, _) => {
            let rank = v.dims.len();
            Val::Data(dequantize_val(im, &x, &scale, zero.as_ref(), axis(rank), &format!("{}_input", n.name))?)
        }
        Val::Poisoned => Val::Poisoned,
    })
}

/// QLinearMatMul.
pub(super) fn qlinear_matmul(im: &mut Importer, n: &OpNode) -> Res<Val> {
    let a = operand(im, n, 0, |rank| rank.saturating_sub(2))?;
    let b = operand(im, n, 3, |rank| rank.saturating_sub(1))?;
    let y = linear::matmul_of(im, n, &a, &b)?;
    requantize(im, n, &y, 6)
}

/// QLinearConv.
pub(super) fn qlinear_conv(im: &mut Importer, n: &OpNode) -> Res<Val> {
    let x = operand(im, n, 0, |_| 1)?;
    let Val::Const(w) = operand(im, n, 3, |_| 0)? else {
        return Err(unsupported("the weights must be a constant"));
    };
    let x_scale = n.constant(1, "scale")?.scalar_f64()?;
    let w_scale = n.constant(4, "weight scale")?.to_f64();
    let bias = n.const_opt(8, "bias")?.map(|b| b.to_f64()).unwrap_or_default();
    let bias = bias.iter().enumerate().map(|(c, b)| b * (x_scale * w_scale[c % w_scale.len().max(1)])).collect();
    let x = im.as_data(&x, &n.name)?;
    let y = linear::conv_of(im, n, &x, &w, bias)?;
    requantize(im, n, &y, 6)
}

/// Quantizes a product with the output scale and zero point at inputs `first` and `first + 1`.
fn requantize(im: &mut Importer, n: &OpNode, y: &Value, first: usize) -> Res<Val> {
    let (scale, zero) = (n.constant(first, "output scale")?, n.const_opt(first + 1, "output zero point")?);
    let ty = output_type(n, zero.as_ref())?;
    quantize_value(im, y, scale, zero, y.dims.len().saturating_sub(1), ty, &format!("{}_quantized", n.name))
}

/// Integer data minus its zero point.
fn shifted(im: &mut Importer, n: &OpNode, i: usize, zero: usize, axis: impl Fn(usize) -> usize) -> Res<Val> {
    let x = n.required(i)?.clone();
    let zero = n.const_opt(zero, "zero point")?;
    match &x {
        Val::Const(c) => {
            let z = along_axis(&zero_of(zero.as_ref()), c.dims.len(), axis(c.dims.len()))?;
            let mut t = super::fold::broadcast(c, &z, |a, b| a - b)?;
            t.data = Data::Int(t.to_f64().into_iter().map(|v| v as i64).collect());
            Ok(Val::Const(Rc::new(t)))
        }
        _ => {
            let v = im.as_data(&x, &n.name)?;
            let Some(zero) = zero.filter(|z| z.to_f64().iter().any(|z| *z != 0.0)) else { return Ok(Val::Data(v)) };
            let z = along_axis(&zero, v.dims.len(), axis(v.dims.len()))?;
            Ok(Val::Data(im.unary_with(&v, &[&z], &format!("{}_zero_point", n.name), |p| {
                let offset = rats(&p[0])?.into_iter().map(|z| -z).collect();
                Ok(UnaryFn::Affine(Affine { scale: vec![rat::Rat::one()], offset }))
            })?))
        }
    }
}

/// The result type of the integer operators.
const INT32: DType = DType::Int { signed: true, bits: 32 };

/// MatMulInteger.
pub(super) fn matmul_integer(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let a = shifted(im, n, 0, 2, |rank| rank.saturating_sub(2))?;
    let b = shifted(im, n, 1, 3, |rank| rank.saturating_sub(1))?;
    let y = linear::matmul_of(im, n, &a, &b)?;
    Ok(Value { ty: INT32, ..y })
}

/// ConvInteger.
pub(super) fn conv_integer(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let x = shifted(im, n, 0, 2, |_| 1)?;
    let Val::Const(w) = shifted(im, n, 1, 3, |_| 0)? else {
        return Err(unsupported("the weights must be a constant"));
    };
    let x = im.as_data(&x, &n.name)?;
    let y = linear::conv_of(im, n, &x, &w, Vec::new())?;
    Ok(Value { ty: INT32, ..y })
}
