//! Functions of one element, with their parameters as floats.

use crate::net::UnaryFn;
use crate::quant::{Overflow, Rounding};
use crate::rat;

/// A function ready to be applied.
#[derive(Debug)]
pub(super) enum Prepared<'a> {
    /// `scale * x + offset`.
    Affine { scale: Vec<f64>, offset: Vec<f64> },
    /// Quantization and back.
    Quant { scale: Vec<f64>, zero: Vec<f64>, range: (f64, f64), rounding: Rounding, wrap: bool },
    /// Functions whose parameters are floats already.
    Other(&'a UnaryFn),
}

impl<'a> Prepared<'a> {
    /// Converts the exact parameters of a function.
    pub fn new(f: &'a UnaryFn) -> Prepared<'a> {
        let floats = |v: &[rat::Rat]| v.iter().map(rat::to_f64).collect::<Vec<_>>();
        match f {
            UnaryFn::Affine(a) => Prepared::Affine { scale: floats(&a.scale), offset: floats(&a.offset) },
            UnaryFn::Quant(q) => Prepared::Quant {
                scale: floats(&q.scale),
                zero: floats(&q.zero_point),
                range: (q.ty.min() as f64, q.ty.max() as f64),
                rounding: q.rounding,
                wrap: q.overflow == Overflow::Wrap,
            },
            UnaryFn::Relu
            | UnaryFn::LeakyRelu(_)
            | UnaryFn::Clip(..)
            | UnaryFn::HardSigmoid(..)
            | UnaryFn::HardSwish
            | UnaryFn::Sigmoid
            | UnaryFn::Tanh
            | UnaryFn::Elu(_)
            | UnaryFn::Selu(..)
            | UnaryFn::Softplus
            | UnaryFn::Softsign
            | UnaryFn::Exp
            | UnaryFn::Abs
            | UnaryFn::Sqrt
            | UnaryFn::Reciprocal => Prepared::Other(f),
        }
    }

    /// Applies the function to all elements of a tensor.
    pub fn apply(&self, x: &[f64]) -> Vec<f64> {
        match self {
            Prepared::Affine { scale, offset } => {
                let params = scale.iter().cycle().zip(offset.iter().cycle());
                x.iter().zip(params).map(|(x, (a, b))| a * x + b).collect()
            }
            Prepared::Quant { scale, zero, range: (lo, hi), rounding, wrap } => {
                let params = scale.iter().cycle().zip(zero.iter().cycle());
                let span = hi - lo + 1.0;
                x.iter()
                    .zip(params)
                    .map(|(x, (s, z))| {
                        let v = rounding.round_f64(x / s + z);
                        let q = if *wrap { (v - lo).rem_euclid(span) + lo } else { v.clamp(*lo, *hi) };
                        s * (q - z)
                    })
                    .collect()
            }
            Prepared::Other(f) => x.iter().enumerate().map(|(i, x)| f.eval_f64(i, *x)).collect(),
        }
    }
}
