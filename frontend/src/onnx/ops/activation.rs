//! Functions of one element.

use super::super::fault::{Res, invalid};
use super::super::import::Importer;
use super::super::node::OpNode;
use super::super::tensor::{Const, Tensor};
use super::super::value::Value;
use netfold_ir::net::{Affine, UnaryFn};
use std::rc::Rc;

/// The function of an activation without tensor parameters; `None` for other operators.
pub(in super::super) fn function(n: &OpNode) -> Res<Option<UnaryFn>> {
    Ok(Some(match n.op() {
        "Relu" => UnaryFn::Relu,
        "LeakyRelu" => UnaryFn::LeakyRelu(vec![n.float("alpha", f64::from(0.01f32))?]),
        "HardSigmoid" => UnaryFn::HardSigmoid(n.float("alpha", f64::from(0.2f32))?, n.float("beta", 0.5)?),
        "HardSwish" => UnaryFn::HardSwish,
        "Sigmoid" => UnaryFn::Sigmoid,
        "Tanh" => UnaryFn::Tanh,
        "Elu" => UnaryFn::Elu(n.float("alpha", 1.0)?),
        "Selu" => {
            // Defaults of opset 6 and later, as float32.
            let (alpha, gamma) = (f64::from(1.673_263_2_f32), f64::from(1.050_701_f32));
            UnaryFn::Selu(n.float("alpha", alpha)?, n.float("gamma", gamma)?)
        }
        "Softplus" => UnaryFn::Softplus,
        "Softsign" => UnaryFn::Softsign,
        "Exp" => UnaryFn::Exp,
        "Abs" => UnaryFn::Abs,
        "Sqrt" => UnaryFn::Sqrt,
        "Reciprocal" => UnaryFn::Reciprocal,
        _ => return Ok(None),
    }))
}

/// Applies [`function`]'s result.
pub(super) fn apply(im: &mut Importer, n: &OpNode, f: UnaryFn) -> Res<Value> {
    n.ignore(&["consumed_inputs"]);
    let x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    im.unary(&x, f, &n.name)
}

/// `x` where `x >= 0`, otherwise `slope * x`.
pub(super) fn prelu(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    let mut slope = n.constant(1, "slope")?;
    // Opset 6 has one slope a channel; later opsets broadcast from the last axis.
    if n.opset < 7 && slope.dims.len() == 1 && slope.len() > 1 && x.dims.len() > 2 {
        let mut dims = vec![1; x.dims.len() - 1];
        dims[0] = slope.len();
        slope = Rc::new(slope.reshaped(dims));
    }
    im.unary_with(&x, &[&slope], &n.name, |mut p| Ok(UnaryFn::LeakyRelu(p.swap_remove(0))))
}

/// Clip: bounds are attributes before opset 11, inputs from then on.
pub(super) fn clip(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let (lo, hi) = clip_bounds(n)?;
    let x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    im.unary(&x, UnaryFn::Clip(vec![lo], vec![hi]), &n.name)
}

/// The bounds of a Clip; infinite where left out.
pub(in super::super) fn clip_bounds(n: &OpNode) -> Res<(f64, f64)> {
    let (lo, hi) = if n.opset < 11 {
        n.ignore(&["consumed_inputs"]);
        // The defaults before opset 11 are the limits of float32; data beyond them does not exist.
        let bound = |x: Option<f64>| x.filter(|b| b.abs() < f64::from(f32::MAX));
        (bound(n.float_opt("min")?), bound(n.float_opt("max")?))
    } else {
        let scalar = |t: Option<Const>| t.map(|t: Rc<Tensor>| t.scalar_f64()).transpose();
        (scalar(n.const_opt(1, "lower bound")?)?, scalar(n.const_opt(2, "upper bound")?)?)
    };
    let (lo, hi) = (lo.unwrap_or(f64::NEG_INFINITY), hi.unwrap_or(f64::INFINITY));
    if lo.is_nan() || hi.is_nan() { Err(invalid("a bound is not a number")) } else { Ok((lo, hi)) }
}

/// The affine function `scale * x + offset` of exact floats.
pub(super) fn affine(scale: &[f64], offset: &[f64]) -> Res<UnaryFn> {
    Ok(UnaryFn::Affine(Affine { scale: super::rats(scale)?, offset: super::rats(offset)? }))
}
