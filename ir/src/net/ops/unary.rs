//! Functions of one element, with parameters that may differ per channel.

use super::check_channels;
use crate::diag::{Code, Diag};
use crate::net::Shape;
use crate::quant::Quantizer;
use crate::rat::{self, Rat};
use num_traits::{One, Zero};
use serde::{Deserialize, Serialize};

/// `y = scale[c] * x + offset[c]`, exact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Affine {
    /// Factor per channel (length 1: the whole tensor); never empty.
    #[serde(with = "crate::text::rats")]
    pub scale: Vec<Rat>,
    /// Addend per channel (length 1: the whole tensor); never empty.
    #[serde(with = "crate::text::rats")]
    pub offset: Vec<Rat>,
}

impl Affine {
    /// The identity.
    pub fn identity() -> Affine {
        Affine { scale: vec![Rat::one()], offset: vec![Rat::zero()] }
    }

    /// Factor of channel `c`.
    pub fn scale_of(&self, c: usize) -> &Rat {
        &self.scale[c % self.scale.len()]
    }

    /// Addend of channel `c`.
    pub fn offset_of(&self, c: usize) -> &Rat {
        &self.offset[c % self.offset.len()]
    }

    /// Number of channels that differ.
    pub fn channels(&self) -> usize {
        self.scale.len().max(self.offset.len())
    }
}

/// A function of one element. Definitions are those of the ONNX operator of the same name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum UnaryFn {
    /// Per-channel scale and offset: batch normalization, and Add, Sub, Mul, Div, Neg with constants.
    Affine(Affine),
    /// `max(x, 0)`.
    Relu,
    /// `x` where `x >= 0`, otherwise `slope[c] * x`: LeakyRelu (length 1) and PRelu.
    LeakyRelu(#[serde(with = "crate::text::floats")] Vec<f64>),
    /// `min(max(x, lo[c]), hi[c])`; infinite bounds are allowed. Also Max and Min with constants.
    Clip(#[serde(with = "crate::text::floats")] Vec<f64>, #[serde(with = "crate::text::floats")] Vec<f64>),
    /// `max(0, min(1, alpha * x + beta))`.
    HardSigmoid(f64, f64),
    /// `x * max(0, min(1, x / 6 + 1 / 2))`.
    HardSwish,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// Hyperbolic tangent.
    Tanh,
    /// `x` where `x >= 0`, otherwise `alpha * (exp(x) - 1)`.
    Elu(f64),
    /// `gamma * x` where `x > 0`, otherwise `gamma * alpha * (exp(x) - 1)`: (alpha, gamma).
    Selu(f64, f64),
    /// `ln(1 + exp(x))`.
    Softplus,
    /// `x / (1 + |x|)`.
    Softsign,
    /// `exp(x)`.
    Exp,
    /// `|x|`.
    Abs,
    /// Square root, of max(x, 0).
    Sqrt,
    /// `1 / x`, and 0 at 0.
    Reciprocal,
    /// Quantization to integers and back: the result is `scale * (q - zero_point)`.
    Quant(Quantizer),
}

impl UnaryFn {
    /// Name in dumps and messages.
    pub fn kind(&self) -> &'static str {
        match self {
            UnaryFn::Affine(_) => "affine",
            UnaryFn::Relu => "relu",
            UnaryFn::LeakyRelu(_) => "leaky_relu",
            UnaryFn::Clip(..) => "clip",
            UnaryFn::HardSigmoid(..) => "hard_sigmoid",
            UnaryFn::HardSwish => "hard_swish",
            UnaryFn::Sigmoid => "sigmoid",
            UnaryFn::Tanh => "tanh",
            UnaryFn::Elu(_) => "elu",
            UnaryFn::Selu(..) => "selu",
            UnaryFn::Softplus => "softplus",
            UnaryFn::Softsign => "softsign",
            UnaryFn::Exp => "exp",
            UnaryFn::Abs => "abs",
            UnaryFn::Sqrt => "sqrt",
            UnaryFn::Reciprocal => "reciprocal",
            UnaryFn::Quant(_) => "quant",
        }
    }

    /// Number of channels whose parameters differ.
    pub fn channels(&self) -> usize {
        match self {
            UnaryFn::Affine(a) => a.channels(),
            UnaryFn::LeakyRelu(slope) => slope.len(),
            UnaryFn::Clip(lo, hi) => lo.len().max(hi.len()),
            UnaryFn::Quant(q) => q.channels(),
            UnaryFn::Relu
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
            | UnaryFn::Reciprocal => 1,
        }
    }

    /// Whether rational arguments have rational values that [`UnaryFn::exact`] computes without rounding.
    pub fn is_rational(&self) -> bool {
        match self {
            UnaryFn::Affine(_)
            | UnaryFn::Relu
            | UnaryFn::LeakyRelu(_)
            | UnaryFn::Clip(..)
            | UnaryFn::HardSigmoid(..)
            | UnaryFn::HardSwish
            | UnaryFn::Softsign
            | UnaryFn::Abs
            | UnaryFn::Reciprocal
            | UnaryFn::Quant(_) => true,
            UnaryFn::Sigmoid
            | UnaryFn::Tanh
            | UnaryFn::Elu(_)
            | UnaryFn::Selu(..)
            | UnaryFn::Softplus
            | UnaryFn::Exp
            | UnaryFn::Sqrt => false,
        }
    }

    /// The function in `f64` on channel `c`.
    pub fn eval_f64(&self, c: usize, x: f64) -> f64 {
        match self {
            UnaryFn::Affine(a) => rat::to_f64(a.scale_of(c)) * x + rat::to_f64(a.offset_of(c)),
            UnaryFn::Relu => x.max(0.0),
            UnaryFn::LeakyRelu(slope) => {
                if x >= 0.0 {
                    x
                } else {
                    slope[c % slope.len()] * x
                }
            }
            UnaryFn::Clip(lo, hi) => x.max(lo[c % lo.len()]).min(hi[c % hi.len()]),
            UnaryFn::HardSigmoid(alpha, beta) => (alpha * x + beta).clamp(0.0, 1.0),
            UnaryFn::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
            UnaryFn::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            UnaryFn::Tanh => x.tanh(),
            UnaryFn::Elu(alpha) => {
                if x >= 0.0 {
                    x
                } else {
                    alpha * x.exp_m1()
                }
            }
            UnaryFn::Selu(alpha, gamma) => {
                if x > 0.0 {
                    gamma * x
                } else {
                    gamma * alpha * x.exp_m1()
                }
            }
            UnaryFn::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
            UnaryFn::Softsign => x / (1.0 + x.abs()),
            UnaryFn::Exp => x.exp(),
            UnaryFn::Abs => x.abs(),
            UnaryFn::Sqrt => x.max(0.0).sqrt(),
            UnaryFn::Reciprocal => {
                if x == 0.0 {
                    0.0
                } else {
                    1.0 / x
                }
            }
            UnaryFn::Quant(q) => {
                let scale = rat::to_f64(q.scale_of(c));
                let zero = rat::to_f64(q.zero_point_of(c));
                let v = q.rounding.round_f64(x / scale + zero);
                let v = match q.overflow {
                    crate::quant::Overflow::Saturate => v.clamp(q.ty.min() as f64, q.ty.max() as f64),
                    crate::quant::Overflow::Wrap => {
                        let m = (q.ty.bits as f64).exp2();
                        let low = if q.ty.signed { -m / 2.0 } else { 0.0 };
                        (v - low).rem_euclid(m) + low
                    }
                };
                scale * (v - zero)
            }
        }
    }

    /// The function in exact arithmetic on channel `c`; transcendental functions are the nearest `f64`'s value.
    pub fn exact(&self, c: usize, x: &Rat) -> Rat {
        let of = |v: f64| rat::from_f64(v).unwrap_or_else(Rat::zero);
        match self {
            UnaryFn::Affine(a) => a.scale_of(c) * x + a.offset_of(c),
            UnaryFn::Relu => x.clone().max(Rat::zero()),
            UnaryFn::LeakyRelu(slope) => {
                if *x >= Rat::zero() {
                    x.clone()
                } else {
                    of(slope[c % slope.len()]) * x
                }
            }
            UnaryFn::Clip(lo, hi) => {
                let (lo, hi) = (lo[c % lo.len()], hi[c % hi.len()]);
                let mut y = x.clone();
                if let Some(lo) = rat::from_f64(lo) {
                    y = y.max(lo);
                }
                if let Some(hi) = rat::from_f64(hi) {
                    y = y.min(hi);
                }
                y
            }
            UnaryFn::HardSigmoid(alpha, beta) => (of(*alpha) * x + of(*beta)).max(Rat::zero()).min(Rat::one()),
            UnaryFn::HardSwish => {
                let gate = x / rat::from_i64(6) + rat::pow2(-1);
                x * gate.max(Rat::zero()).min(Rat::one())
            }
            UnaryFn::Softsign => x / (Rat::one() + num_traits::Signed::abs(x)),
            UnaryFn::Abs => num_traits::Signed::abs(x),
            UnaryFn::Reciprocal => {
                if x.is_zero() {
                    Rat::zero()
                } else {
                    rat::recip(x)
                }
            }
            UnaryFn::Quant(q) => q.dequantize(c, q.quantize(c, x)),
            UnaryFn::Sigmoid
            | UnaryFn::Tanh
            | UnaryFn::Elu(_)
            | UnaryFn::Selu(..)
            | UnaryFn::Softplus
            | UnaryFn::Exp
            | UnaryFn::Sqrt => of(self.eval_f64(c, rat::to_f64(x))),
        }
    }

    /// Whether the function never decreases (used where a proof by step boundaries suffices).
    pub fn is_monotone(&self) -> bool {
        match self {
            UnaryFn::Affine(a) => a.scale.iter().all(|s| *s >= Rat::zero()),
            UnaryFn::LeakyRelu(slope) => slope.iter().all(|s| *s >= 0.0),
            UnaryFn::Clip(..) | UnaryFn::Relu | UnaryFn::Sigmoid | UnaryFn::Tanh | UnaryFn::Softplus => true,
            UnaryFn::Softsign | UnaryFn::Exp | UnaryFn::Sqrt => true,
            UnaryFn::HardSigmoid(alpha, _) => *alpha >= 0.0,
            UnaryFn::Elu(alpha) => *alpha >= 0.0,
            UnaryFn::Selu(alpha, gamma) => *alpha >= 0.0 && *gamma >= 0.0,
            UnaryFn::HardSwish | UnaryFn::Abs | UnaryFn::Reciprocal => false,
            UnaryFn::Quant(q) => q.overflow == crate::quant::Overflow::Saturate,
        }
    }

    /// Result shape: that of the input. Parameter vectors must match it and be finite where a value is needed.
    pub fn infer(&self, node: &str, input: &[usize]) -> Result<Shape, Diag> {
        let fail = |cause: &str| Err(Diag::new(Code::Invalid, node, cause));
        match self {
            UnaryFn::Affine(a) => {
                check_channels(node, "scale", a.scale.len(), input)?;
                check_channels(node, "offset", a.offset.len(), input)?;
            }
            UnaryFn::LeakyRelu(slope) => {
                check_channels(node, "slope", slope.len(), input)?;
                if !slope.iter().all(|s| s.is_finite()) {
                    return fail("slope is not finite");
                }
            }
            UnaryFn::Clip(lo, hi) => {
                check_channels(node, "lower bound", lo.len(), input)?;
                check_channels(node, "upper bound", hi.len(), input)?;
                if lo.iter().chain(hi).any(|v| v.is_nan()) {
                    return fail("bound is not a number");
                }
            }
            UnaryFn::HardSigmoid(a, b) | UnaryFn::Selu(a, b) => {
                if !(a.is_finite() && b.is_finite()) {
                    return fail("parameter is not finite");
                }
            }
            UnaryFn::Elu(a) => {
                if !a.is_finite() {
                    return fail("parameter is not finite");
                }
            }
            UnaryFn::Quant(q) => {
                check_channels(node, "scale", q.scale.len(), input)?;
                check_channels(node, "zero point", q.zero_point.len(), input)?;
                if q.scale.iter().any(|s| *s <= Rat::zero()) {
                    return fail("quantizer scale must be positive");
                }
                if q.ty.bits == 0 || q.ty.bits > crate::quant::IntType::MAX_BITS {
                    return fail("quantizer bit width must be 1 to 62");
                }
            }
            UnaryFn::Relu
            | UnaryFn::HardSwish
            | UnaryFn::Sigmoid
            | UnaryFn::Tanh
            | UnaryFn::Softplus
            | UnaryFn::Softsign
            | UnaryFn::Exp
            | UnaryFn::Abs
            | UnaryFn::Sqrt
            | UnaryFn::Reciprocal => {}
        }
        Ok(input.to_vec())
    }
}
