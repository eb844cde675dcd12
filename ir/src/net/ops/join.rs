//! Sums of branches.

use crate::diag::{Code, Diag};
use crate::net::Shape;

/// `y = sum_i (+/-) x_i` over tensors of one shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// Whether each input is subtracted.
    pub negate: Vec<bool>,
}

impl Sum {
    /// A plain sum of `n` tensors.
    pub fn of(n: usize) -> Sum {
        Sum { negate: vec![false; n] }
    }

    /// Result shape: that of the inputs, which must agree.
    pub fn infer(&self, node: &str, inputs: &[&[usize]]) -> Result<Shape, Diag> {
        if self.negate.len() != inputs.len() || inputs.len() < 2 {
            return Err(Diag::new(Code::Invalid, node, format!("a sum of {} inputs", inputs.len())));
        }
        same_shape(node, inputs)
    }
}

/// The one shape of all inputs.
pub(super) fn same_shape(node: &str, inputs: &[&[usize]]) -> Result<Shape, Diag> {
    match inputs.split_first() {
        Some((first, rest)) if rest.iter().all(|s| s == first) => Ok(first.to_vec()),
        _ => Err(Diag::new(Code::Invalid, node, format!("inputs have different shapes {inputs:?}"))
            .help("tensors of different shapes can be joined only when one of them is constant")),
    }
}
