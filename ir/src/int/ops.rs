//! The integer operators.

use super::StepFn;
use crate::hw::{BroadcastOp, Matrix, ReduceOp};
use crate::net::{Shape, Window};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Convolution of integers; cross-correlation, channels last.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IntConv {
    /// Input height, width and channels.
    pub input: [usize; 3],
    /// The window.
    pub window: Window,
    /// Independent groups of channels.
    pub groups: usize,
    /// Row per output channel; columns `[kh][kw][channel of the group]`.
    pub weights: Arc<Matrix>,
    /// Integer that stands for zero, per input channel (length 1: all): the value of padded taps.
    pub pad: Vec<i64>,
}

impl IntConv {
    /// Whether every input channel is its own group.
    pub fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.groups == self.input[2]
    }
}

/// An integer operator.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum IntOp {
    /// An input of the network.
    Input,
    /// `y[v * rows + r] = sum_c W[r][c] * x[v * cols + c]` for every vector `v` of the input.
    Dense(Arc<Matrix>),
    /// Convolution.
    Conv(IntConv),
    /// A function of one element, given by its exact definition.
    Step(StepFn),
    /// `y = sum_k coefficients[k][i % P] * x_k[i] + constant[i % P]`.
    LinComb {
        /// Per input, per channel (length 1: all).
        coefficients: Vec<Vec<i64>>,
        /// Per channel (length 1: all).
        constant: Vec<i64>,
    },
    /// Element-wise product of two inputs.
    Mul,
    /// Reduction over windows of `[H, W, C]`.
    Pool {
        /// Max or sum.
        op: ReduceOp,
        /// Input height, width and channels.
        input: [usize; 3],
        /// The window.
        window: Window,
        /// Value of padded taps, per channel (length 1: all): a value that never wins a max, the integer of zero for a sum.
        pad: Vec<i64>,
    },
    /// Reduction over all pixels of `[H, W, C]`, giving `[C]`.
    GlobalReduce {
        /// Max or sum.
        op: ReduceOp,
        /// Number of channels.
        channels: usize,
    },
    /// Reduction of each vector of `length` elements to one.
    VectorReduce {
        /// Max or sum.
        op: ReduceOp,
        /// Elements a vector.
        length: usize,
    },
    /// Index of the largest element of each vector.
    ArgMax {
        /// On ties the last index, otherwise the first.
        last: bool,
        /// Elements a vector.
        length: usize,
    },
    /// Each vector of input 0 with the vector's one element of input 1.
    Broadcast {
        /// What is computed.
        op: BroadcastOp,
        /// Elements a vector.
        length: usize,
    },
    /// Concatenation along `axis`.
    Concat {
        /// Axis.
        axis: usize,
        /// Shapes of the inputs.
        shapes: Vec<Shape>,
    },
    /// Indices `start + k * step` of one axis, seen as `outer x size x inner`.
    Slice {
        /// Product of the sizes before the axis.
        outer: usize,
        /// Size of the axis.
        size: usize,
        /// Product of the sizes behind the axis.
        inner: usize,
        /// First index.
        start: usize,
        /// Number of indices.
        count: usize,
        /// Distance of indices.
        step: usize,
        /// Shape of the result.
        shape: Shape,
    },
    /// `y[i] = x[order[i]]`.
    Permute {
        /// The permutation.
        order: Arc<Vec<u32>>,
        /// Shape of the result.
        shape: Shape,
    },
    /// Constant padding of `[H, W, C]`.
    Pad {
        /// Input height, width and channels.
        input: [usize; 3],
        /// Top, left, bottom, right.
        pads: [usize; 4],
        /// Per channel (length 1: all).
        value: Vec<i64>,
    },
    /// Nearest-neighbour upsampling of `[H, W, C]`.
    Upsample {
        /// Input height, width and channels.
        input: [usize; 3],
        /// Factors down and right.
        factors: [usize; 2],
    },
}

impl IntOp {
    /// Name in dumps and reports.
    pub fn kind(&self) -> &'static str {
        match self {
            IntOp::Input => "input",
            IntOp::Dense(_) => "dense",
            IntOp::Conv(c) if c.is_depthwise() => "depthwise_conv",
            IntOp::Conv(_) => "conv",
            IntOp::Step(_) => "step",
            IntOp::LinComb { .. } => "lincomb",
            IntOp::Mul => "mul",
            IntOp::Pool { op: ReduceOp::Max, .. } => "max_pool",
            IntOp::Pool { op: ReduceOp::Sum, .. } => "sum_pool",
            IntOp::GlobalReduce { op: ReduceOp::Max, .. } => "global_max",
            IntOp::GlobalReduce { op: ReduceOp::Sum, .. } => "global_sum",
            IntOp::VectorReduce { op: ReduceOp::Max, .. } => "vector_max",
            IntOp::VectorReduce { op: ReduceOp::Sum, .. } => "vector_sum",
            IntOp::ArgMax { .. } => "argmax",
            IntOp::Broadcast { .. } => "broadcast",
            IntOp::Concat { .. } => "concat",
            IntOp::Slice { .. } => "slice",
            IntOp::Permute { .. } => "permute",
            IntOp::Pad { .. } => "pad",
            IntOp::Upsample { .. } => "upsample",
        }
    }
}
