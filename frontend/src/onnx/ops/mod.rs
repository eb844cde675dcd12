//! Conversion of operators, a file an operator family. Every function takes the importer and the node, and returns the values
//! of the node's outputs.

mod activation;
mod arith;
mod arrange;
mod linear;
mod norm;
mod qlinear;
mod quant;
mod reduce;
mod resize;
mod select;
mod shape;
mod window;

use super::fault::{Res, invalid, unsupported};
use super::fold;
use super::import::Importer;
use super::node::OpNode;
use super::opset::is_standard;
use super::proto::NodeProto;
use super::tensor::DType;
use super::value::{Val, Value};
use netfold_ir::quant::{IntType, Overflow, Quantizer, Rounding};
use netfold_ir::rat::{self, Rat};

pub(super) use activation::{clip_bounds, function as activation_function};
pub(super) use arrange::{pad_value, pads_of, slice_ranges, split_sizes};
pub(super) use qlinear::{dequantize_constant, quantize_constant};
pub(super) use quant::quantize_constant as qonnx_constant;
pub(super) use reduce::reduced_axes;
pub(super) use shape::{flatten_axis, identity, permutation, resolve_reshape, shape_of, squeezed_axes, unsqueezed};

/// Standard operators on data, sorted.
const STANDARD: &[&str] = &[
    "Abs",
    "Add",
    "ArgMax",
    "ArgMin",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "CastLike",
    "Clip",
    "Concat",
    "Constant",
    "Conv",
    "ConvInteger",
    "DequantizeLinear",
    "Div",
    "Dropout",
    "Elu",
    "Exp",
    "Expand",
    "Flatten",
    "Gather",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LeakyRelu",
    "LogSoftmax",
    "MatMul",
    "MatMulInteger",
    "Max",
    "MaxPool",
    "Mean",
    "Min",
    "Mul",
    "Neg",
    "PRelu",
    "Pad",
    "Pow",
    "QLinearConv",
    "QLinearMatMul",
    "QuantizeLinear",
    "Reciprocal",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Resize",
    "Selu",
    "Shape",
    "Sigmoid",
    "Size",
    "Slice",
    "Softmax",
    "Softplus",
    "Softsign",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Sum",
    "Tanh",
    "Tile",
    "TopK",
    "Transpose",
    "Unsqueeze",
    "Upsample",
];

/// Operators of the QONNX domains, sorted.
const QONNX: &[&str] = &["BipolarQuant", "IntQuant", "Quant", "Trunc"];

/// Operators of the QONNX channels-last domain, sorted.
const CHANNELS_LAST: &[&str] = &["BatchNormalization", "Conv", "MaxPool"];

/// Names of the supported operators: those on data (standard, then QONNX), and those that are computed only on constants.
pub fn supported_operators() -> (Vec<&'static str>, Vec<&'static str>) {
    (STANDARD.iter().chain(QONNX).copied().collect(), fold::ONLY_CONSTANT.to_vec())
}

/// Checks that an operator is one that netfold knows.
pub(super) fn known(proto: &NodeProto) -> Res<()> {
    let op = proto.op_type.as_str();
    let (found, list) = if is_standard(&proto.domain) {
        (STANDARD.contains(&op) || fold::ONLY_CONSTANT.contains(&op), STANDARD)
    } else if proto.domain.ends_with("channels_last") {
        (CHANNELS_LAST.contains(&op), CHANNELS_LAST)
    } else {
        (QONNX.contains(&op), QONNX)
    };
    if found {
        return Ok(());
    }
    Err(unsupported("the operator is not supported").help(format!("supported operators: {}", list.join(", "))))
}

/// Converts a node whose inputs are all known.
pub(super) fn convert(im: &mut Importer, n: &OpNode) -> Res<Vec<Val>> {
    if n.all_constant() {
        return fold::fold(im, n);
    }
    let one = |v: Value| vec![Val::Data(v)];
    Ok(match n.op() {
        "Gemm" => one(linear::gemm(im, n)?),
        "MatMul" => one(linear::matmul(im, n)?),
        "Conv" => one(linear::conv(im, n)?),
        "MatMulInteger" => one(qlinear::matmul_integer(im, n)?),
        "ConvInteger" => one(qlinear::conv_integer(im, n)?),
        "QLinearMatMul" => vec![qlinear::qlinear_matmul(im, n)?],
        "QLinearConv" => vec![qlinear::qlinear_conv(im, n)?],
        "QuantizeLinear" => vec![qlinear::quantize(im, n)?],
        "DequantizeLinear" => one(qlinear::dequantize(im, n)?),
        "Quant" | "IntQuant" => one(quant::quant(im, n)?),
        "BipolarQuant" => one(quant::bipolar(im, n)?),
        "Trunc" => one(quant::trunc(im, n)?),
        "BatchNormalization" => one(norm::batch_norm(im, n)?),
        "MaxPool" => one(window::max_pool(im, n)?),
        "AveragePool" => one(window::average_pool(im, n)?),
        "GlobalAveragePool" | "GlobalMaxPool" => one(reduce::global_pool(im, n)?),
        "ReduceMean" | "ReduceSum" | "ReduceMax" | "ReduceMin" => one(reduce::reduce(im, n)?),
        "Softmax" | "LogSoftmax" => one(select::softmax(im, n)?),
        "ArgMax" | "ArgMin" => one(select::arg(im, n)?),
        "TopK" => select::top_k(im, n)?,
        "Add" | "Sub" | "Mul" | "Div" => one(arith::binary(im, n)?),
        "Sum" | "Mean" => one(arith::sum(im, n)?),
        "Max" | "Min" => one(arith::max_min(im, n)?),
        "Neg" => one(arith::neg(im, n)?),
        "Pow" => one(arith::pow(im, n)?),
        "PRelu" => one(activation::prelu(im, n)?),
        "Clip" => one(activation::clip(im, n)?),
        "Identity" | "Dropout" => identity(n)?,
        "Cast" | "CastLike" => vec![shape::cast(im, n)?],
        "Shape" | "Size" => vec![shape::shape_of(im, n)?],
        "Reshape" => one(shape::reshape(im, n)?),
        "Flatten" => one(shape::flatten(im, n)?),
        "Squeeze" => one(shape::squeeze(im, n)?),
        "Unsqueeze" => one(shape::unsqueeze(im, n)?),
        "Transpose" => one(shape::transpose(im, n)?),
        "Expand" | "Tile" => one(shape::expand(im, n)?),
        "Concat" => one(arrange::concat(im, n)?),
        "Split" => arrange::split(im, n)?,
        "Slice" => one(arrange::slice(im, n)?),
        "Gather" => one(arrange::gather(im, n)?),
        "Pad" => one(arrange::pad(im, n)?),
        "Resize" | "Upsample" => one(resize::resize(im, n)?),
        op => match activation::function(n)? {
            Some(f) => one(activation::apply(im, n, f)?),
            None => {
                return Err(unsupported(format!(
                    "{op} is supported only on constants, but an input depends on the network's inputs"
                )));
            }
        },
    })
}

/// Exact rationals of finite floats.
fn rats(values: &[f64]) -> Res<Vec<Rat>> {
    values.iter().map(|&x| rat::from_f64(x).ok_or_else(|| invalid(format!("the constant holds {x}")))).collect()
}

/// The quantizer that leaves integers of type `ty` as they are.
pub(super) fn integer_quantizer(ty: DType) -> Res<Quantizer> {
    let DType::Int { signed, bits } = ty else { return Err(invalid("an integer type is needed")) };
    Ok(Quantizer {
        scale: vec![rat::from_i64(1)],
        zero_point: vec![rat::from_i64(0)],
        ty: IntType::new(signed, bits.min(IntType::MAX_BITS)),
        rounding: Rounding::HalfEven,
        overflow: Overflow::Saturate,
    })
}

/// `v` without the given axes, all of size one (and not the batch).
fn remove_axes(v: &Value, axes: &[usize]) -> Value {
    let keep: Vec<usize> = (0..v.dims.len()).filter(|a| !axes.contains(a)).collect();
    let new = |a: usize| keep.iter().position(|&k| k == a);
    Value {
        node: v.node,
        dims: keep.iter().map(|&a| v.dims[a]).collect(),
        batch: v.batch.and_then(new),
        order: v.order.iter().filter_map(|&a| new(a)).collect(),
        ty: v.ty,
    }
}
