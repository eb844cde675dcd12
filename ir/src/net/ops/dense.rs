//! Matrix product along the last axis: ONNX Gemm and MatMul with a constant matrix.

use crate::diag::{Code, Diag};
use crate::net::Shape;

/// Weights of a linear operator: real values, and the grid that they lie on when the file quantized them.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// Real values, exact. Dense: `[out][in]`; convolution: `[out channel][kh][kw][in channel of the group]`, row-major.
    pub values: Vec<f64>,
    /// Step size per output channel (length 1: all) such that every value is a whole multiple of it; `None` for float weights.
    pub scale: Option<Vec<f64>>,
}

impl Weights {
    /// Float weights, still to be quantized.
    pub fn float(values: Vec<f64>) -> Weights {
        Weights { values, scale: None }
    }
}

/// `y[.., o] = sum_i weight[o][i] * x[.., i] + bias[o]`.
#[derive(Debug, Clone)]
pub struct Dense {
    /// Number of outputs.
    pub outputs: usize,
    /// Number of inputs: the last axis.
    pub inputs: usize,
    /// `outputs * inputs` weights, `[out][in]`.
    pub weights: Weights,
    /// One value an output, or empty.
    pub bias: Vec<f64>,
}

impl Dense {
    /// Result shape: the last axis becomes [`Dense::outputs`].
    pub fn infer(&self, node: &str, input: &[usize]) -> Result<Shape, Diag> {
        let fail = |cause: String| Err(Diag::new(Code::Invalid, node, cause));
        if input.last() != Some(&self.inputs) {
            return fail(format!("dense expects {} inputs along the last axis, found {input:?}", self.inputs));
        }
        if self.weights.values.len() != self.inputs * self.outputs || self.outputs == 0 {
            return fail(format!(
                "dense of {} x {} has {} weights",
                self.outputs,
                self.inputs,
                self.weights.values.len()
            ));
        }
        if !self.bias.is_empty() && self.bias.len() != self.outputs {
            return fail(format!("dense with {} outputs has {} bias values", self.outputs, self.bias.len()));
        }
        let mut shape = input.to_vec();
        if let Some(last) = shape.last_mut() {
            *last = self.outputs;
        }
        Ok(shape)
    }
}
