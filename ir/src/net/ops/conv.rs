//! Convolution over `[H, W, C]`; 1-D convolutions have `H = 1`.

use super::dense::Weights;
use super::image;
use super::pool::Window;
use crate::diag::{Code, Diag};
use crate::net::Shape;

/// Cross-correlation as ONNX `Conv` defines it, channels last, zero padding.
#[derive(Debug, Clone)]
pub struct Conv {
    /// Kernel size, stride, dilation and padding.
    pub window: Window,
    /// Number of output channels.
    pub out_channels: usize,
    /// Number of input channels.
    pub in_channels: usize,
    /// Groups: input and output channels are split into this many independent convolutions.
    pub groups: usize,
    /// `[out][kh][kw][in / groups]`.
    pub weights: Weights,
    /// One value an output channel, or empty.
    pub bias: Vec<f64>,
}

impl Conv {
    /// Whether every input channel is its own group.
    pub fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.groups == self.in_channels
    }

    /// Result shape `[out_h, out_w, out_channels]`.
    pub fn infer(&self, node: &str, input: &[usize]) -> Result<Shape, Diag> {
        let fail = |cause: String| Err(Diag::new(Code::Invalid, node, cause));
        let [h, w, c] = image(node, input)?;
        if c != self.in_channels {
            return fail(format!("convolution expects {} input channels, found {c}", self.in_channels));
        }
        if self.groups == 0
            || self.out_channels == 0
            || !self.in_channels.is_multiple_of(self.groups)
            || !self.out_channels.is_multiple_of(self.groups)
        {
            return fail(format!(
                "{} groups do not divide {} input and {} output channels",
                self.groups, self.in_channels, self.out_channels
            ));
        }
        let [kh, kw] = self.window.kernel;
        let expected = self.out_channels * kh * kw * (self.in_channels / self.groups);
        if self.weights.values.len() != expected {
            return fail(format!("convolution needs {expected} weights, has {}", self.weights.values.len()));
        }
        if !self.bias.is_empty() && self.bias.len() != self.out_channels {
            return fail(format!("convolution with {} outputs has {} bias values", self.out_channels, self.bias.len()));
        }
        let [oh, ow] = self.window.output(node, [h, w])?;
        Ok(vec![oh, ow, self.out_channels])
    }
}
