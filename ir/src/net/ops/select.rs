//! Softmax and the selections along the last axis.

/// Softmax along the last axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Softmax {
    /// Natural logarithm of the result (ONNX `LogSoftmax`).
    pub log: bool,
}

/// Index of the largest element along the last axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ArgMax {
    /// On ties, the last index instead of the first (ONNX `select_last_index`).
    pub last: bool,
}
