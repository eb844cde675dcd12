//! Batch normalization.

use super::super::fault::{Res, invalid, unsupported};
use super::super::import::Importer;
use super::super::node::OpNode;
use super::super::tensor::Tensor;
use super::super::value::Value;
use super::rats;
use netfold_ir::net::{Affine, UnaryFn};

/// `gamma / sqrt(var + eps) * (x - mean) + beta`: the factor is computed and rounded once in `f64`, the rest is exact.
pub(super) fn batch_norm(im: &mut Importer, n: &OpNode) -> Res<Value> {
    let epsilon = n.float("epsilon", 1e-5)?;
    n.ignore(&["momentum", "consumed_inputs", "is_test"]);
    if n.int("training_mode", 0)? != 0 {
        return Err(unsupported("training_mode 1 is not supported").help("export the model for inference"));
    }
    if n.used.iter().skip(1).any(|&u| u) {
        return Err(unsupported("only the first output is supported"));
    }
    let spatial = n.int("spatial", 1)? != 0;
    let x = im.as_data(&n.required(0)?.clone(), &n.name)?;
    let params = [n.constant(1, "scale")?, n.constant(2, "bias")?, n.constant(3, "mean")?, n.constant(4, "variance")?];
    let rank = x.dims.len();
    if rank < 2 {
        return Err(invalid(format!("input of shape {:?} has no channel axis", x.dims)));
    }
    let channel = if n.channels_last { rank - 1 } else { 1 };
    let shape: Vec<usize> = match spatial {
        true => (0..rank).map(|a| if a == channel { x.dims[a] } else { 1 }).collect(),
        false => x.dims[1..].to_vec(),
    };
    let values: Vec<Vec<f64>> = params.iter().map(|p| p.to_f64()).collect();
    let count: usize = shape.iter().product();
    if values.iter().any(|v| v.len() != count) {
        return Err(invalid(format!("parameters for {count} channels are needed")));
    }
    let factor: Vec<f64> = (0..count).map(|c| values[0][c] / (values[3][c] + epsilon).sqrt()).collect();
    if !factor.iter().all(|f| f.is_finite()) {
        return Err(invalid("variance plus epsilon is not positive, or a parameter is not finite"));
    }
    let tensor = |v: &[f64]| Tensor::floats(super::DType::F64, shape.clone(), v.to_vec());
    let (factor, beta, mean) = (tensor(&factor), tensor(&values[1]), tensor(&values[2]));
    im.unary_with(&x, &[&factor, &beta, &mean], &n.name, |p| {
        let [scale, beta, mean] = [rats(&p[0])?, rats(&p[1])?, rats(&p[2])?];
        let len = scale.len().max(beta.len()).max(mean.len());
        let offset =
            (0..len).map(|c| &beta[c % beta.len()] - &mean[c % mean.len()] * &scale[c % scale.len()]).collect();
        Ok(UnaryFn::Affine(Affine { scale, offset }))
    })
}
