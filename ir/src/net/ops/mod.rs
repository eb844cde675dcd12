//! The operators of the network level: a closed enum, one file an operator family.

mod arrange;
mod conv;
mod dense;
mod join;
mod pool;
mod select;
mod unary;

pub use arrange::{Concat, Pad, Slice, Upsample};
pub use conv::Conv;
pub use dense::{Dense, Weights};
pub use join::Sum;
pub use pool::{Pool, PoolKind, Window};
pub use select::{ArgMax, Softmax};
pub use unary::{Affine, UnaryFn};

use super::{Shape, elements};
use crate::diag::{Code, Diag};

/// An operator. Every dispatch over it is exhaustive.
#[derive(Debug, Clone)]
pub enum Op {
    /// A network input of the given shape.
    Input(Shape),
    /// Matrix product along the last axis.
    Dense(Dense),
    /// Convolution over `[H, W, C]`.
    Conv(Conv),
    /// A function of one element, possibly different per channel; also quantizers.
    Unary(UnaryFn),
    /// Signed sum of two or more tensors of the same shape.
    Sum(Sum),
    /// Element-wise product of two tensors of the same shape.
    Mul,
    /// Max or average over windows of `[H, W, C]`.
    Pool(Pool),
    /// Max or average over all of `H` and `W`: `[H, W, C]` to `[C]`.
    GlobalPool(PoolKind),
    /// Softmax along the last axis.
    Softmax(Softmax),
    /// Index of the largest element along the last axis, which becomes 1.
    ArgMax(ArgMax),
    /// Largest element along the last axis, which becomes 1.
    ReduceMax,
    /// Concatenation along one axis.
    Concat(Concat),
    /// A strided range of one axis.
    Slice(Slice),
    /// The same elements in the same order under another shape.
    Reshape(Shape),
    /// Axis permutation: result axis `i` is input axis `perm[i]`.
    Transpose(Vec<usize>),
    /// Constant padding.
    Pad(Pad),
    /// Nearest-neighbour upsampling of `[H, W, C]` by whole factors.
    Upsample(Upsample),
}

impl Op {
    /// The operator's name in dumps, reports and messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Op::Input(_) => "input",
            Op::Dense(_) => "dense",
            Op::Conv(c) if c.is_depthwise() => "depthwise_conv",
            Op::Conv(_) => "conv",
            Op::Unary(f) => f.kind(),
            Op::Sum(_) => "add",
            Op::Mul => "mul",
            Op::Pool(p) => p.kind.name(),
            Op::GlobalPool(PoolKind::Max) => "global_max_pool",
            Op::GlobalPool(PoolKind::Average { .. }) => "global_average_pool",
            Op::Softmax(_) => "softmax",
            Op::ArgMax(_) => "argmax",
            Op::ReduceMax => "reduce_max",
            Op::Concat(_) => "concat",
            Op::Slice(_) => "slice",
            Op::Reshape(_) => "reshape",
            Op::Transpose(_) => "transpose",
            Op::Pad(_) => "pad",
            Op::Upsample(_) => "upsample",
        }
    }

    /// Shape of the result for inputs of the given shapes. The error names `node` and says what was expected.
    pub fn infer(&self, node: &str, inputs: &[&[usize]]) -> Result<Shape, Diag> {
        let arity = |n: usize| {
            if inputs.len() == n {
                Ok(())
            } else {
                Err(Diag::new(Code::Invalid, node, format!("{} takes {n} input(s), not {}", self.kind(), inputs.len())))
            }
        };
        match self {
            Op::Input(shape) => arity(0).map(|()| shape.clone()),
            Op::Dense(op) => arity(1).and_then(|()| op.infer(node, inputs[0])),
            Op::Conv(op) => arity(1).and_then(|()| op.infer(node, inputs[0])),
            Op::Unary(f) => arity(1).and_then(|()| f.infer(node, inputs[0])),
            Op::Sum(op) => op.infer(node, inputs),
            Op::Mul => arity(2).and_then(|()| join::same_shape(node, inputs)),
            Op::Pool(op) => arity(1).and_then(|()| op.infer(node, inputs[0])),
            Op::GlobalPool(_) => arity(1).and_then(|()| {
                let [_, _, c] = image(node, inputs[0])?;
                Ok(vec![c])
            }),
            Op::Softmax(_) => arity(1).and_then(|()| nonscalar(node, inputs[0]).map(<[usize]>::to_vec)),
            Op::ArgMax(_) | Op::ReduceMax => arity(1).and_then(|()| {
                let mut shape = nonscalar(node, inputs[0])?.to_vec();
                if let Some(last) = shape.last_mut() {
                    *last = 1;
                }
                Ok(shape)
            }),
            Op::Concat(op) => op.infer(node, inputs),
            Op::Slice(op) => arity(1).and_then(|()| op.infer(node, inputs[0])),
            Op::Reshape(shape) => arity(1).and_then(|()| {
                if elements(shape) == elements(inputs[0]) {
                    Ok(shape.clone())
                } else {
                    Err(Diag::new(Code::Invalid, node, format!("cannot reshape {:?} into {shape:?}", inputs[0])))
                }
            }),
            Op::Transpose(perm) => arity(1).and_then(|()| {
                let mut seen = vec![false; inputs[0].len()];
                let valid = perm.len() == seen.len()
                    && perm.iter().all(|&p| p < seen.len() && !std::mem::replace(&mut seen[p], true));
                if valid {
                    Ok(perm.iter().map(|&p| inputs[0][p]).collect())
                } else {
                    Err(Diag::new(
                        Code::Invalid,
                        node,
                        format!("{perm:?} is not a permutation of {} axes", inputs[0].len()),
                    ))
                }
            }),
            Op::Pad(op) => arity(1).and_then(|()| op.infer(node, inputs[0])),
            Op::Upsample(op) => arity(1).and_then(|()| op.infer(node, inputs[0])),
        }
    }
}

/// The three sizes of an `[H, W, C]` tensor.
pub(crate) fn image(node: &str, shape: &[usize]) -> Result<[usize; 3], Diag> {
    match shape {
        &[h, w, c] => Ok([h, w, c]),
        _ => Err(Diag::new(Code::Invalid, node, format!("expected a tensor [H, W, C], found {shape:?}"))),
    }
}

/// A shape with at least one axis.
fn nonscalar<'a>(node: &str, shape: &'a [usize]) -> Result<&'a [usize], Diag> {
    if shape.is_empty() {
        Err(Diag::new(Code::Invalid, node, "expected at least one axis, found a scalar"))
    } else {
        Ok(shape)
    }
}

/// Checks that a per-channel vector of length `len` can be applied to `shape` (see the module doc of [`super`]).
pub(crate) fn check_channels(node: &str, what: &str, len: usize, shape: &[usize]) -> Result<(), Diag> {
    let n = elements(shape);
    let last = shape.last().copied().unwrap_or(1);
    if len == 1 || (len > 0 && last > 0 && len.is_multiple_of(last) && n.is_multiple_of(len)) {
        return Ok(());
    }
    Err(Diag::new(Code::Invalid, node, format!("{what} has {len} values, which does not match a tensor {shape:?}")))
}
