//! What decides the number formats of a network that does not bring its own.

use netfold_ir::quant::{IntType, Overflow, Quantizer, Rounding};
use netfold_ir::rat::{self, Rat};
use num_traits::Zero;
use std::collections::HashMap;

/// Where a number format was asked for, layer by layer. Configuration files implement it.
pub trait Formats {
    /// Format of the result of a layer, known under any of `names` (node name and aliases), of operator `kind`.
    fn result(&self, names: &[&str], kind: &str) -> Option<Quantizer>;
    /// Format of the weights of a layer.
    fn weight(&self, names: &[&str], kind: &str) -> Option<Quantizer>;
    /// Format of the bias of a layer.
    fn bias(&self, names: &[&str], kind: &str) -> Option<Quantizer>;
    /// Most entries of a function table of the layer.
    fn table_size(&self, names: &[&str], kind: &str) -> Option<usize>;
    /// Whether a model-wide default format was given, which then also holds for outputs.
    fn model_default(&self) -> Option<Quantizer>;
    /// Bits of weights whose range netfold chooses.
    fn weight_bits(&self) -> Option<u32>;
    /// Bits of calibrated activations.
    fn activation_bits(&self) -> Option<u32>;
    /// Whether weights whose range netfold chooses get a scale for every output channel; `None`: with calibration data.
    fn per_channel(&self) -> Option<bool> {
        None
    }
}

/// Nothing was asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFormats;

impl Formats for NoFormats {
    fn result(&self, _: &[&str], _: &str) -> Option<Quantizer> {
        None
    }
    fn weight(&self, _: &[&str], _: &str) -> Option<Quantizer> {
        None
    }
    fn bias(&self, _: &[&str], _: &str) -> Option<Quantizer> {
        None
    }
    fn table_size(&self, _: &[&str], _: &str) -> Option<usize> {
        None
    }
    fn model_default(&self) -> Option<Quantizer> {
        None
    }
    fn weight_bits(&self) -> Option<u32> {
        None
    }
    fn activation_bits(&self) -> Option<u32> {
        None
    }
}

/// How calibration turns observed values into a range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RangeMethod {
    /// Smallest and largest value.
    MinMax,
    /// The given percentile of magnitudes on each side, for example 99.9.
    Percentile(f64),
    /// The range with the least mean squared quantization error.
    Mse,
}

/// Observed values of every node, for calibration.
#[derive(Debug, Clone)]
pub struct Calibration {
    /// Bits of activations and weights.
    pub bits: u32,
    /// How ranges are chosen.
    pub method: RangeMethod,
    /// Values seen at each node, by node name, possibly a subsample; minimum and maximum are always among them.
    pub values: HashMap<String, Vec<f32>>,
}

/// The format used where nothing was asked for: `ap_fixed<16,6,AP_RND,AP_SAT>`.
pub fn default_activation() -> Quantizer {
    Quantizer::fixed(true, 16, 6, Rounding::HalfUp, Overflow::Saturate)
}

/// Bits of mantissa that calibrated step sizes keep: their ratios stay short integers.
const SCALE_MANTISSA_BITS: i32 = 8;

/// The smallest number of at most [`SCALE_MANTISSA_BITS`] significant bits that is not below `x` (which is positive).
pub fn short_scale(x: f64) -> Rat {
    let exponent = x.log2().floor() as i32 - (SCALE_MANTISSA_BITS - 1);
    let unit = (f64::from(exponent)).exp2();
    rat::from_i64((x / unit).ceil() as i64) * rat::pow2(exponent)
}

/// A symmetric quantizer of `bits` bits for the observed values: unsigned when none is negative.
pub fn calibrated(values: &[f32], bits: u32, method: RangeMethod) -> Quantizer {
    let finite: Vec<f64> = values.iter().map(|v| f64::from(*v)).filter(|v| v.is_finite()).collect();
    let signed = finite.iter().any(|v| *v < 0.0);
    let ty = IntType::new(signed, bits);
    let of = |reach: f64| {
        let reach = if reach > 0.0 { reach } else { 1.0 };
        Quantizer {
            scale: vec![short_scale(reach / ty.max() as f64)],
            zero_point: vec![Rat::zero()],
            ty,
            rounding: Rounding::HalfEven,
            overflow: Overflow::Saturate,
        }
    };
    let largest = finite.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    match method {
        RangeMethod::MinMax => of(largest),
        RangeMethod::Percentile(p) => {
            let mut magnitudes: Vec<f64> = finite.iter().map(|v| v.abs()).collect();
            magnitudes.sort_by(f64::total_cmp);
            let at = ((p / 100.0).clamp(0.0, 1.0) * magnitudes.len().saturating_sub(1) as f64).round() as usize;
            of(magnitudes.get(at).copied().unwrap_or(1.0))
        }
        RangeMethod::Mse => {
            let candidates = (0..40).map(|k| of(largest * (1.0 - f64::from(k) * 0.02)));
            let error = |q: &Quantizer| {
                let scale = rat::to_f64(&q.scale[0]);
                let (lo, hi) = (ty.min() as f64, ty.max() as f64);
                finite.iter().map(|v| (v - scale * (v / scale).round_ties_even().clamp(lo, hi)).powi(2)).sum::<f64>()
            };
            candidates
                .map(|q| (error(&q), q))
                .min_by(|a, b| a.0.total_cmp(&b.0))
                .map_or_else(|| of(largest), |(_, q)| q)
        }
    }
}
