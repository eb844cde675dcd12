//! Operators that only move elements, or insert constants between them.

use super::image;
use crate::diag::{Code, Diag};
use crate::net::Shape;

/// Concatenation along `axis`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concat {
    /// Axis, counted from the front.
    pub axis: usize,
}

impl Concat {
    /// Result shape: sizes along the axis add up, all others agree.
    pub fn infer(&self, node: &str, inputs: &[&[usize]]) -> Result<Shape, Diag> {
        let fail =
            || Err(Diag::new(Code::Invalid, node, format!("cannot concatenate {inputs:?} along axis {}", self.axis)));
        let Some((first, rest)) = inputs.split_first() else { return fail() };
        if self.axis >= first.len() {
            return fail();
        }
        let mut shape = first.to_vec();
        for s in rest {
            let agree = s.len() == first.len() && (0..s.len()).all(|a| a == self.axis || s[a] == first[a]);
            if !agree {
                return fail();
            }
            shape[self.axis] += s[self.axis];
        }
        Ok(shape)
    }
}

/// Elements `start, start + step, ..` (`count` of them) of one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Axis, counted from the front.
    pub axis: usize,
    /// First index.
    pub start: usize,
    /// Number of indices kept, at least 1.
    pub count: usize,
    /// Distance between indices, at least 1.
    pub step: usize,
}

impl Slice {
    /// Result shape: the axis becomes `count`.
    pub fn infer(&self, node: &str, input: &[usize]) -> Result<Shape, Diag> {
        let last =
            self.count.checked_sub(1).and_then(|n| n.checked_mul(self.step)).and_then(|n| n.checked_add(self.start));
        match (input.get(self.axis), last) {
            (Some(&size), Some(last)) if last < size && self.step > 0 => {
                let mut shape = input.to_vec();
                shape[self.axis] = self.count;
                Ok(shape)
            }
            _ => Err(Diag::new(Code::Invalid, node, format!("slice {self:?} is outside of {input:?}"))),
        }
    }
}

/// Constant padding.
#[derive(Debug, Clone, PartialEq)]
pub struct Pad {
    /// (before, after) of every axis.
    pub pads: Vec<(usize, usize)>,
    /// The value of the padding.
    pub value: f64,
}

impl Pad {
    /// Result shape: every axis grows by its padding.
    pub fn infer(&self, node: &str, input: &[usize]) -> Result<Shape, Diag> {
        if self.pads.len() != input.len() {
            return Err(Diag::new(Code::Invalid, node, format!("{} pads for {} axes", self.pads.len(), input.len())));
        }
        Ok(input.iter().zip(&self.pads).map(|(n, (before, after))| n + before + after).collect())
    }
}

/// Nearest-neighbour upsampling: every pixel becomes a block of `factors[0] x factors[1]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upsample {
    /// Factors down and right, at least 1.
    pub factors: [usize; 2],
}

impl Upsample {
    /// Result shape `[H * f0, W * f1, C]`.
    pub fn infer(&self, node: &str, input: &[usize]) -> Result<Shape, Diag> {
        let [h, w, c] = image(node, input)?;
        if self.factors.contains(&0) {
            return Err(Diag::new(Code::Invalid, node, "upsampling factors must be at least 1"));
        }
        Ok(vec![h * self.factors[0], w * self.factors[1], c])
    }
}
