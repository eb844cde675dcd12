//! Step functions in `f64` with a proven error bound: the integer is certain, or the exact definition decides.

use super::StepFn;
use crate::net::UnaryFn;
use crate::quant::{Overflow, Quantizer};
use crate::rat;

/// Relative error bound of one `f64` operation, with room to spare (the true bound is 2^-53; library functions reach 2^-51).
const EPSILON: f64 = 1e-15;

/// A step function with its parameters in `f64`.
#[derive(Debug, Clone)]
pub struct Approx {
    definition: StepFn,
    scale: Vec<f64>,
    offset: Vec<f64>,
    functions: Vec<Prepared>,
    quantizer: FloatQuantizer,
}

/// One function of the chain.
#[derive(Debug, Clone)]
enum Prepared {
    Affine(Vec<f64>, Vec<f64>),
    Quant(FloatQuantizer),
    Other(UnaryFn),
}

/// A quantizer's parameters in `f64`.
#[derive(Debug, Clone)]
struct FloatQuantizer {
    definition: Quantizer,
    scale: Vec<f64>,
    zero_point: Vec<f64>,
}

impl FloatQuantizer {
    fn new(definition: &Quantizer) -> FloatQuantizer {
        FloatQuantizer {
            definition: definition.clone(),
            scale: definition.scale.iter().map(rat::to_f64).collect(),
            zero_point: definition.zero_point.iter().map(rat::to_f64).collect(),
        }
    }

    /// The integer for `x` known to within `error`; `None` when more than one is possible.
    fn quantize(&self, c: usize, x: f64, error: f64) -> Option<f64> {
        let scale = self.scale[c % self.scale.len()];
        let zero = self.zero_point[c % self.zero_point.len()];
        let v = x / scale + zero;
        let error = error / scale + EPSILON * ((x / scale).abs() + zero.abs() + v.abs());
        let ty = self.definition.ty;
        let (lo, hi) = (ty.min() as f64, ty.max() as f64);
        if self.definition.overflow == Overflow::Saturate {
            // Far outside of the range no precision is needed.
            if v + error < lo - 2.0 {
                return Some(lo);
            }
            if v - error > hi + 2.0 {
                return Some(hi);
            }
        }
        if v.abs() >= 1e15 || error.is_nan() || error >= 0.25 {
            return None;
        }
        let (a, b) = (self.definition.rounding.round_f64(v - error), self.definition.rounding.round_f64(v + error));
        if a != b {
            return None;
        }
        match self.definition.overflow {
            Overflow::Saturate => Some(a.clamp(lo, hi)),
            Overflow::Wrap => {
                let m = f64::from(ty.bits).exp2();
                let low = if ty.signed { -m / 2.0 } else { 0.0 };
                Some((a - low).rem_euclid(m) + low)
            }
        }
    }
}

impl Approx {
    /// Converts the parameters.
    pub fn new(definition: &StepFn) -> Approx {
        let floats = |v: &[rat::Rat]| v.iter().map(rat::to_f64).collect::<Vec<f64>>();
        let functions = definition.functions.iter().map(|f| match f {
            UnaryFn::Affine(a) => Prepared::Affine(floats(&a.scale), floats(&a.offset)),
            UnaryFn::Quant(q) => Prepared::Quant(FloatQuantizer::new(q)),
            f => Prepared::Other(f.clone()),
        });
        Approx {
            definition: definition.clone(),
            scale: floats(&definition.input.scale),
            offset: floats(&definition.input.offset),
            functions: functions.collect(),
            quantizer: FloatQuantizer::new(&definition.quantizer),
        }
    }

    /// Exactly [`StepFn::eval`].
    pub fn eval(&self, c: usize, q: i64) -> i64 {
        self.certain(c, q).map_or_else(|| self.definition.eval(c, q), |v| v as i64)
    }

    /// The value when `f64` suffices to know it.
    fn certain(&self, c: usize, q: i64) -> Option<f64> {
        if q.unsigned_abs() >= 1 << 52 {
            return None;
        }
        let affine = |scale: f64, offset: f64, x: f64, error: f64| {
            let (product, y) = (scale * x, scale * x + offset);
            (y, scale.abs() * error + EPSILON * (product.abs() + offset.abs() + y.abs()))
        };
        let at = |v: &[f64]| v[c % v.len()];
        let (mut x, mut error) = affine(at(&self.scale), at(&self.offset), q as f64, 0.0);
        for f in &self.functions {
            (x, error) = match f {
                Prepared::Affine(scale, offset) => affine(at(scale), at(offset), x, error),
                Prepared::Quant(fq) => {
                    let v = fq.quantize(c, x, error)?;
                    let y = at(&fq.scale) * (v - at(&fq.zero_point));
                    (y, 4.0 * EPSILON * (y.abs() + at(&fq.scale) * at(&fq.zero_point).abs()))
                }
                Prepared::Other(f) => {
                    let y = f.eval_f64(c, x);
                    (y, lipschitz(f, c, x, y, error)? * error + 8.0 * EPSILON * (y.abs() + x.abs().min(1.0)))
                }
            };
            if !x.is_finite() || !error.is_finite() {
                return None;
            }
        }
        self.quantizer.quantize(c, x, error)
    }
}

/// A bound of the slope of `f` within `error` of `x`.
fn lipschitz(f: &UnaryFn, c: usize, x: f64, y: f64, error: f64) -> Option<f64> {
    if error > 0.5 {
        return None;
    }
    Some(match f {
        UnaryFn::Relu
        | UnaryFn::Clip(..)
        | UnaryFn::Abs
        | UnaryFn::Sigmoid
        | UnaryFn::Tanh
        | UnaryFn::Softplus
        | UnaryFn::Softsign => 1.0,
        UnaryFn::LeakyRelu(slope) => slope[c % slope.len()].abs().max(1.0),
        UnaryFn::HardSigmoid(alpha, _) => alpha.abs(),
        UnaryFn::HardSwish => 2.0 + x.abs(),
        UnaryFn::Elu(alpha) => alpha.abs().max(1.0) * 2.0,
        UnaryFn::Selu(alpha, gamma) => (gamma * alpha).abs().max(gamma.abs()) * 2.0,
        UnaryFn::Exp => 2.0 * y,
        UnaryFn::Reciprocal if x.abs() > 2.0 * error && x != 0.0 => 4.0 * y * y,
        UnaryFn::Sqrt | UnaryFn::Reciprocal => return None,
        UnaryFn::Affine(_) | UnaryFn::Quant(_) => return None,
    })
}
