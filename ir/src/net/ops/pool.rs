//! Pooling windows, shared with convolutions.

use super::image;
use crate::diag::{Code, Diag};
use crate::net::Shape;
use serde::{Deserialize, Serialize};

/// A sliding window: kernel, stride, dilation and explicit padding.
///
/// `auto_pad` and `ceil_mode` of ONNX are resolved by the front end into explicit (possibly unequal) padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Kernel height and width, at least 1.
    pub kernel: [usize; 2],
    /// Stride down and right, at least 1.
    pub stride: [usize; 2],
    /// Dilation down and right, at least 1.
    pub dilation: [usize; 2],
    /// Padding top, left, bottom, right.
    pub pads: [usize; 4],
}

impl Window {
    /// A window without padding or dilation.
    pub fn simple(kernel: [usize; 2], stride: [usize; 2]) -> Window {
        Window { kernel, stride, dilation: [1, 1], pads: [0; 4] }
    }

    /// Extent of the dilated kernel.
    pub fn extent(&self) -> [usize; 2] {
        [0, 1].map(|a| self.dilation[a] * (self.kernel[a] - 1) + 1)
    }

    /// Number of window positions down and right over an input of height and width `size`.
    pub fn output(&self, node: &str, size: [usize; 2]) -> Result<[usize; 2], Diag> {
        let fail = |cause: String| Err(Diag::new(Code::Invalid, node, cause));
        if self.kernel.contains(&0) || self.stride.contains(&0) || self.dilation.contains(&0) {
            return fail(format!(
                "kernel {:?}, stride {:?} and dilation {:?} must be at least 1",
                self.kernel, self.stride, self.dilation
            ));
        }
        let mut out = [0; 2];
        for a in 0..2 {
            let padded = size[a] + self.pads[a] + self.pads[a + 2];
            let extent = self.extent()[a];
            if padded < extent {
                return fail(format!("a window of {extent} does not fit a padded size of {padded}"));
            }
            out[a] = (padded - extent) / self.stride[a] + 1;
        }
        Ok(out)
    }
}

/// What a pool computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PoolKind {
    /// Largest element; padding never wins.
    Max,
    /// Mean.
    Average {
        /// Whether padded positions count in the divisor (ONNX `count_include_pad`).
        include_pad: bool,
    },
}

impl PoolKind {
    /// Name in dumps.
    pub fn name(self) -> &'static str {
        match self {
            PoolKind::Max => "max_pool",
            PoolKind::Average { .. } => "average_pool",
        }
    }
}

/// A pool over windows of `[H, W, C]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// Max or average.
    pub kind: PoolKind,
    /// The window.
    pub window: Window,
}

impl Pool {
    /// Result shape `[out_h, out_w, C]`.
    pub fn infer(&self, node: &str, input: &[usize]) -> Result<Shape, Diag> {
        let [h, w, c] = image(node, input)?;
        let [oh, ow] = self.window.output(node, [h, w])?;
        Ok(vec![oh, ow, c])
    }
}
