//! The constant evaluator: operators all of whose inputs are known are computed during import.
//!
//! Float results are rounded to the file's element type after every operator, as a runtime would; integers wrap to theirs.
//! Quantizers are the exception: their results are exact and keep their grid.

mod elementwise;
mod layout;
mod reduce;

use super::fault::{Res, invalid, unsupported};
use super::import::{Importer, SYMBOLIC_BATCH};
use super::node::OpNode;
use super::ops;
use super::tensor::{DType, Data, Tensor};
use super::value::Val;
pub(super) use elementwise::broadcast;
use std::rc::Rc;

/// Standard operators that are supported only on constants, sorted.
pub(super) const ONLY_CONSTANT: &[&str] = &[
    "And",
    "Ceil",
    "ConstantOfShape",
    "Equal",
    "Floor",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Log",
    "Mod",
    "NonZero",
    "Not",
    "Or",
    "Range",
    "Reciprocal",
    "ReduceProd",
    "Round",
    "Sign",
    "Where",
    "Xor",
];

/// Evaluates a node on constants.
pub(super) fn fold(im: &mut Importer, n: &OpNode) -> Res<Vec<Val>> {
    let t = match n.op() {
        "Identity" | "Dropout" => return ops::identity(n),
        "Split" => return layout::split(im, n),
        "Constant" => constant(n)?,
        "ConstantOfShape" => layout::constant_of_shape(n)?,
        "Shape" | "Size" => return shape(n, im),
        "Cast" | "CastLike" => cast(n)?,
        "Quant" | "IntQuant" | "BipolarQuant" => ops::qonnx_constant(n)?,
        "QuantizeLinear" => ops::quantize_constant(n)?,
        "DequantizeLinear" => ops::dequantize_constant(n)?,
        "Range" => layout::range(n)?,
        "Expand" => layout::expand(n)?,
        "Tile" => layout::tile(n)?,
        "Gather" => layout::gather(n)?,
        "Concat" => layout::concat(n)?,
        "Slice" => layout::slice(n)?,
        "Pad" => layout::pad(n)?,
        "Squeeze" | "Unsqueeze" | "Reshape" | "Flatten" => layout::reshape(n)?,
        "Transpose" => {
            let x = n.constant(0, "input")?;
            x.transposed(&ops::permutation(n, x.dims.len())?)
        }
        "NonZero" => layout::non_zero(n)?,
        "MatMul" => reduce::matmul(n)?,
        "ReduceSum" | "ReduceMean" | "ReduceMax" | "ReduceMin" | "ReduceProd" => reduce::reduce(n)?,
        "Where" => elementwise::select(n)?,
        op => match elementwise::elementwise(n)? {
            Some(t) => t,
            None => {
                return Err(unsupported(format!("{op} of constants only is not supported"))
                    .help("simplify the model so that this constant is stored in the file"));
            }
        },
    };
    Ok(vec![im.constant(t)?])
}

/// Shape and Size of a constant.
fn shape(n: &OpNode, im: &mut Importer) -> Res<Vec<Val>> {
    Ok(vec![ops::shape_of(im, n)?])
}

/// Constant.
fn constant(n: &OpNode) -> Res<Tensor> {
    if let Some(t) = n.tensor("value")? {
        return Ok(t);
    }
    if let Some(f) = n.float_opt("value_float")? {
        return Ok(Tensor::floats(DType::F32, vec![], vec![f]));
    }
    if let Some(v) = n.floats("value_floats") {
        return Ok(Tensor::floats(DType::F32, vec![v.len()], v));
    }
    if let Some(i) = n.int_opt("value_int")? {
        return Ok(Tensor::ints(vec![], vec![i]));
    }
    if let Some(v) = n.ints("value_ints") {
        return Ok(Tensor::ints(vec![v.len()], v.to_vec()));
    }
    Err(unsupported("only constants given as value, value_float(s) or value_int(s) are supported"))
}

/// Whether an integer depends on a symbolic batch size.
pub(super) fn batch_dependent(x: i64) -> bool {
    x != 0 && x % SYMBOLIC_BATCH as i64 == 0
}

/// The error for arithmetic that would need the batch size.
pub(super) fn needs_batch() -> super::fault::Fault {
    unsupported("the result depends on the batch size, which the file leaves open")
        .help("export the model with a batch size of 1")
}

/// Cast and CastLike of constants.
fn cast(n: &OpNode) -> Res<Tensor> {
    n.ignore(&["saturate"]);
    let x = n.constant(0, "input")?;
    let to = match n.op() {
        "CastLike" => n.constant(1, "target type")?.ty,
        _ => DType::from_onnx(n.int("to", 0)?.try_into().unwrap_or(0))?,
    };
    cast_to(&x, to)
}

/// A tensor in another type: floats round to nearest, floats to integers truncate.
fn cast_to(x: &Rc<Tensor>, to: DType) -> Res<Tensor> {
    let data = match (&x.data, to) {
        (Data::Float(_), to) if to == x.ty => return Ok((**x).clone()),
        (Data::Float(v), to) if to.is_float() => Data::Float(v.iter().map(|&x| to.round(x)).collect()),
        (Data::Float(v), DType::Bool) => Data::Int(v.iter().map(|&x| i64::from(x != 0.0)).collect()),
        (Data::Float(v), to) => {
            if v.iter().any(|x| !x.is_finite() || x.abs() >= 9.3e18) {
                return Err(invalid("a value that no integer type holds"));
            }
            Data::Int(v.iter().map(|&x| to.wrap(x as i64)).collect())
        }
        (Data::Int(v), to) if to.is_float() => {
            if v.iter().any(|&x| batch_dependent(x)) {
                return Err(needs_batch());
            }
            Data::Float(v.iter().map(|&x| to.round(x as f64)).collect())
        }
        (Data::Int(v), to) => Data::Int(v.iter().map(|&x| to.wrap(x)).collect()),
    };
    Ok(Tensor { ty: to, dims: x.dims.clone(), data, grid: None })
}
