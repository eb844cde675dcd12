//! The QONNX quantization operators: Quant (also called IntQuant), BipolarQuant and Trunc, as the QONNX operator documents
//! define them (github.com/fastmachinelearning/qonnx, docs/qonnx-custom-ops).

use super::super::fault::{Res, invalid, unsupported};
use super::super::import::Importer;
use super::super::node::OpNode;
use super::super::tensor::{DType, Data, Grid, Tensor, strides, walk};
use super::super::value::Value;
use super::rats;
use netfold_ir::net::{Affine, Op, UnaryFn};
use netfold_ir::quant::{IntType, Overflow, Quantizer, Rounding};
use netfold_ir::rat::{self, Rat};
use num_traits::{One, Zero};

/// The rounding modes of QONNX, upper case.
fn rounding(name: &str) -> Res<Rounding> {
    Ok(match name.to_uppercase().as_str() {
        "ROUND" | "HALF_EVEN" => Rounding::HalfEven,
        "CEIL" => Rounding::Ceil,
        "FLOOR" => Rounding::Floor,
        "UP" => Rounding::AwayFromZero,
        "DOWN" | "ROUND_TO_ZERO" => Rounding::TowardZero,
        "HALF_UP" => Rounding::HalfAwayFromZero,
        "HALF_DOWN" => Rounding::HalfTowardZero,
        _ => {
            return Err(unsupported(format!("rounding_mode {name:?}"))
                .help("ROUND, HALF_EVEN, HALF_UP, HALF_DOWN, CEIL, FLOOR, UP, DOWN and ROUND_TO_ZERO are supported"));
        }
    })
}

/// A bit width that an input gives.
fn bits(n: &OpNode, i: usize, what: &str) -> Res<u32> {
    let t = n.constant(i, what)?;
    let values = t.to_f64();
    let Some(&b) = values.first().filter(|b| values.iter().all(|x| x == *b)) else {
        return Err(unsupported(format!("the {what} differs between elements")));
    };
    if b.fract() != 0.0 || !(1.0..=f64::from(IntType::MAX_BITS)).contains(&b) {
        return Err(unsupported(format!("{what} {b}: whole numbers from 1 to {} are supported", IntType::MAX_BITS)));
    }
    Ok(b as u32)
}

/// What a Quant does, apart from scale and zero point.
#[derive(Clone, Copy)]
struct Kind {
    ty: IntType,
    rounding: Rounding,
    /// One signed bit: `+1` and `-1` by the sign of the argument.
    bipolar: bool,
}

impl Kind {
    /// Reads the attributes of a Quant.
    fn of(n: &OpNode) -> Res<Kind> {
        let (signed, narrow) = (n.int("signed", 1)? != 0, n.int("narrow", 0)? != 0);
        let bits = bits(n, 3, "bit width")?;
        let rounding = rounding(&n.text("rounding_mode", "ROUND")?)?;
        if bits == 1 && narrow && !signed {
            return Err(invalid("an unsigned narrow range of one bit holds only zero"));
        }
        Ok(Kind { ty: IntType { signed, bits, narrow }, rounding, bipolar: signed && bits == 1 })
    }

    /// The quantizer of given scales and zero points.
    fn quantizer(self, scale: &[f64], zero: &[f64]) -> Res<Quantizer> {
        if scale.iter().any(|s| s.is_nan() || *s <= 0.0) {
            return Err(invalid("a scale is not positive"));
        }
        let (scale, zero_point) = (rats(scale)?, rats(zero)?);
        if self.bipolar {
            return Ok(bipolar_quantizer(&scale, &zero_point));
        }
        Ok(Quantizer { scale, zero_point, ty: self.ty, rounding: self.rounding, overflow: Overflow::Saturate })
    }
}

/// `scale * (+1 - zero)` where `x / scale + zero >= 0`, otherwise `scale * (-1 - zero)`: one unsigned bit of twice the step.
fn bipolar_quantizer(scale: &[Rat], zero: &[Rat]) -> Quantizer {
    let two = rat::from_i64(2);
    Quantizer {
        scale: scale.iter().map(|s| s * &two).collect(),
        zero_point: zero.iter().map(|z| (Rat::one() + z) / &two).collect(),
        ty: IntType::new(false, 1),
        rounding: Rounding::HalfUp,
        overflow: Overflow::Saturate,
    }
}

/// Quant of data.
pub(super) fn quant(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let kind = Kind::of(n)?;
    let x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    let (scale, zero) = (n.constant(1, "scale")?, n.constant(2, "zero point")?);
    im.unary_with(&x, &[&scale, &zero], &n.name, |p| Ok(UnaryFn::Quant(kind.quantizer(&p[0], &p[1])?)))
}

/// BipolarQuant of data.
pub(super) fn bipolar(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    let scale = n.constant(1, "scale")?;
    im.unary_with(&x, &[&scale], &n.name, |p| Ok(UnaryFn::Quant(bipolar_kind().quantizer(&p[0], &[0.0])?)))
}

/// BipolarQuant as a Quant.
fn bipolar_kind() -> Kind {
    Kind { ty: IntType::new(true, 1), rounding: Rounding::HalfUp, bipolar: true }
}

/// Quant and BipolarQuant of a constant: exact values on a grid.
pub(in super::super) fn quantize_constant(n: &OpNode) -> Res<Tensor> {
    let x = n.constant(0, "input")?;
    let scale = n.constant(1, "scale")?;
    let (kind, zero) = match n.op() {
        "BipolarQuant" => (bipolar_kind(), std::rc::Rc::new(Tensor::floats(DType::F32, vec![], vec![0.0]))),
        _ => (Kind::of(n)?, n.constant(2, "zero point")?),
    };
    on_grid(&x, &scale, &zero, |s, z| kind.quantizer(&[s], &[z]))
}

/// Quantizes every element of `x` with the quantizer of the scale and zero point that broadcast to it; the result is exact.
pub(super) fn on_grid(
    x: &Tensor,
    scale: &Tensor,
    zero: &Tensor,
    quantizer: impl Fn(f64, f64) -> Res<Quantizer>,
) -> Res<Tensor> {
    let index = |p: &Tensor| -> Res<Vec<usize>> {
        let lead = x.dims.len().checked_sub(p.dims.len());
        let fits = lead.is_some_and(|lead| p.dims.iter().enumerate().all(|(a, &d)| d == 1 || d == x.dims[lead + a]));
        let Some(lead) = lead.filter(|_| fits && p.len() > 0) else {
            return Err(unsupported(format!("a parameter of shape {:?} for a constant of shape {:?}", p.dims, x.dims)));
        };
        let own = strides(&p.dims);
        let by: Vec<usize> =
            (0..x.dims.len()).map(|a| if a < lead || p.dims[a - lead] == 1 { 0 } else { own[a - lead] }).collect();
        Ok(walk(&x.dims, &by))
    };
    let (si, zi, values) = (index(scale)?, index(zero)?, x.to_f64());
    let (scales, zeros) = (scale.to_f64(), zero.to_f64());
    let mut known: std::collections::HashMap<(u64, u64), Prepared> = std::collections::HashMap::new();
    let mut out = Vec::with_capacity(values.len());
    for (i, &v) in values.iter().enumerate() {
        let (s, z) = (scales[si[i]], zeros[zi[i]]);
        let q = match known.entry((s.to_bits(), z.to_bits())) {
            std::collections::hash_map::Entry::Occupied(e) => e.into_mut(),
            std::collections::hash_map::Entry::Vacant(e) => e.insert(Prepared::new(quantizer(s, z)?)),
        };
        out.push(q.apply(v)?);
    }
    let varying = |p: &Tensor| (0..p.dims.len()).filter(|&a| p.dims[a] != 1).collect::<Vec<_>>();
    let whole = zeros.iter().all(|z| z.fract() == 0.0);
    let grid = match varying(scale).as_slice() {
        _ if !whole => None,
        [] => Some(Grid { axis: None, steps: scales[..1].to_vec() }),
        &[a] => Some(Grid { axis: Some(a + x.dims.len() - scale.dims.len()), steps: scales }),
        _ => None,
    };
    Ok(Tensor { ty: DType::F32, dims: x.dims.clone(), data: Data::Float(out), grid })
}

/// A quantizer of one channel for many values: floats where that is provably right, exact arithmetic otherwise.
struct Prepared {
    exact: Quantizer,
    scale: f64,
    zero: f64,
}

impl Prepared {
    fn new(exact: Quantizer) -> Prepared {
        let (scale, zero) = (rat::to_f64(&exact.scale[0]), rat::to_f64(&exact.zero_point[0]));
        Prepared { exact, scale, zero }
    }

    /// The quantized value, as a float that is exact for whole zero points (or halves of even steps).
    fn apply(&self, x: f64) -> Res<f64> {
        let (lo, hi) = (self.exact.ty.min() as f64, self.exact.ty.max() as f64);
        let v = x / self.scale;
        let t = 2.0 * (v + self.zero);
        let clear = (t - t.round()).abs() > 1e-9 * t.abs().max(1.0);
        let exact_quotient =
            self.zero.abs() < 1e9 && (2.0 * self.zero).fract() == 0.0 && v.mul_add(-self.scale, x) == 0.0;
        let q = if (clear || exact_quotient) && v.abs() < 1e9 {
            self.exact.rounding.round_f64(v + self.zero).clamp(lo, hi)
        } else {
            let x = rat::from_f64(x).ok_or_else(|| invalid(format!("the constant holds {x}")))?;
            self.exact.quantize(0, &x) as f64
        };
        Ok(self.scale * (q - self.zero))
    }
}

/// Trunc: drops low bits of an integer tensor. Version 1 keeps the scale, version 2 has an output scale.
pub(super) fn trunc(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    let (scale, zero) = (n.constant(1, "scale")?.scalar_f64()?, n.constant(2, "zero point")?.scalar_f64()?);
    let bits_in = bits(n, 3, "input bit width")?;
    let mode = rounding(&n.text("rounding_mode", "FLOOR")?)?;
    if scale.is_nan() || scale <= 0.0 {
        return Err(invalid("the scale is not positive"));
    }
    let (scale, zero) = (rats(&[scale])?.swap_remove(0), rats(&[zero])?.swap_remove(0));
    let wide = |bits: u32| IntType::new(true, bits.min(IntType::MAX_BITS));
    let input = Quantizer {
        scale: vec![scale.clone()],
        zero_point: vec![zero.clone()],
        // One bit more than stated holds both signed and unsigned integers of that width.
        ty: wide(bits_in + 1),
        rounding: Rounding::HalfEven,
        overflow: Overflow::Saturate,
    };
    let x = if on_same_grid(im, &x, &input) {
        x
    } else {
        im.unary(&x, UnaryFn::Quant(input), &format!("{}_input", n.name))?
    };
    let (shift, ty, out_scale) = if n.opset < 2 {
        let bits_out = bits(n, 4, "output bit width")?;
        (bits_in as i32 - bits_out as i32, wide(bits_out.max(bits_in) + 2), None)
    } else {
        let out = n.constant(4, "output scale")?.scalar_f64()?;
        let bits_out = bits(n, 5, "output bit width")?;
        if out.is_nan() || out <= 0.0 {
            return Err(invalid("the output scale is not positive"));
        }
        let ty = IntType { signed: n.int("signed", 1)? != 0, bits: bits_out, narrow: n.int("narrow", 0)? != 0 };
        ((out / rat::to_f64(&scale)).log2().round_ties_even() as i32, ty, Some(rats(&[out])?.swap_remove(0)))
    };
    let step = rat::pow2(shift);
    let output = Quantizer {
        scale: vec![&scale * &step],
        zero_point: vec![&zero / &step],
        ty,
        rounding: mode,
        overflow: Overflow::Saturate,
    };
    let y = im.unary(&x, UnaryFn::Quant(output), &n.name)?;
    // The quantizer yields scale * step * (q - zero / step).
    let (factor, offset) = match out_scale {
        None => (rat::recip(&step), &scale * &zero / &step - &scale * &zero),
        Some(out) => (out / (&scale * &step), Rat::zero()),
    };
    if factor.is_one() && offset.is_zero() {
        return Ok(y);
    }
    let f = UnaryFn::Affine(Affine { scale: vec![factor], offset: vec![offset] });
    im.unary(&y, f, &format!("{}_scale", n.name))
}

/// Whether `x` comes straight from a quantizer of the same step and zero point whose integers fit.
fn on_same_grid(im: &Importer, x: &Value, q: &Quantizer) -> bool {
    match &im.net.graph.node(x.node).op {
        Op::Unary(UnaryFn::Quant(p)) => {
            p.scale == q.scale && p.zero_point == q.zero_point && p.ty.min() >= q.ty.min() && p.ty.max() <= q.ty.max()
        }
        _ => false,
    }
}
