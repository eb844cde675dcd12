//! The surrogate: for every target an analytic or linear prior, trees that learn the log-ratio to it, and a conformal
//! interval (split-conformal with out-of-fold residuals, scaled by a learned difficulty; Papadopoulos et al., 2002;
//! Barber et al., 2021).

pub mod boost;
pub mod extra;
pub mod format;
pub mod linear;
pub mod tree;

use crate::features::Schema;
use linear::Linear;
use serde::{Deserialize, Serialize};
use std::fmt;
use tree::{Bins, Tree};

/// What a model predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Lookup tables used as logic and memory.
    Lut,
    /// Flip-flops.
    Ff,
    /// Carry cells.
    Carry,
    /// DSP blocks.
    Dsp,
    /// Block RAM of 36 Kbit; a half is an 18 Kbit block.
    Bram36,
    /// UltraRAM blocks.
    Uram,
    /// Lookup tables used as memory.
    Lutram,
    /// Highest clock, MHz.
    FmaxMhz,
    /// Cycles from the first input of a frame to its last output.
    LatencyCycles,
    /// Cycles between frames.
    IntervalCycles,
}

impl Target {
    /// All targets, in the order of reports.
    pub const ALL: [Target; 10] = [
        Target::Lut,
        Target::Ff,
        Target::Carry,
        Target::Dsp,
        Target::Bram36,
        Target::Uram,
        Target::Lutram,
        Target::FmaxMhz,
        Target::LatencyCycles,
        Target::IntervalCycles,
    ];

    /// Name in tables and reports.
    pub fn name(self) -> &'static str {
        match self {
            Target::Lut => "lut",
            Target::Ff => "ff",
            Target::Carry => "carry",
            Target::Dsp => "dsp",
            Target::Bram36 => "bram36",
            Target::Uram => "uram",
            Target::Lutram => "lutram",
            Target::FmaxMhz => "fmax_mhz",
            Target::LatencyCycles => "latency_cycles",
            Target::IntervalCycles => "interval_cycles",
        }
    }

    /// The target of a name.
    pub fn from_name(name: &str) -> Option<Target> {
        Target::ALL.into_iter().find(|t| t.name() == name)
    }

    /// Smallest difference between two true values; 0 when the target is continuous.
    pub fn step(self) -> f64 {
        match self {
            Target::Bram36 => 0.5,
            Target::FmaxMhz => 0.0,
            _ => 1.0,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the trees' log-ratio is relative to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Prior {
    /// One value for every design.
    Constant(f64),
    /// A column that computes the target by construction.
    Column(u16),
    /// A ridge regression.
    Linear(Linear),
}

impl Prior {
    /// Prior value of a design, not negative.
    pub fn value(&self, x: &[f32]) -> f64 {
        match self {
            Prior::Constant(v) => *v,
            Prior::Column(c) => x.get(usize::from(*c)).map_or(0.0, |&v| f64::from(v)).max(0.0),
            Prior::Linear(l) => l.value(x),
        }
    }
}

/// A correction of a trained target for another family or tool, in the log domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Correction {
    /// `ln(p + shift)` becomes `offset + slope * ln(p + shift) + extra(x)`.
    pub offset: f64,
    /// See `offset`.
    pub slope: f64,
    /// A regression on features for what the affine part leaves; its floor is not used.
    pub extra: Option<Linear>,
}

/// The model of one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetModel {
    /// What it predicts.
    pub target: Target,
    /// What the trees start from.
    pub prior: Prior,
    /// Added to values before their logarithm, so that zero has one.
    pub shift: f64,
    /// Weight of the boosted trees against the randomised ones, 0 to 1.
    pub boosted_share: f64,
    /// Whether randomised trees combine by median.
    pub median: bool,
    /// Half-width of the 90 % interval in the log domain for a design of difficulty 1.
    pub quantile: f64,
    /// Correction of an adapted model.
    pub correction: Option<Correction>,
    #[serde(skip)]
    pub(crate) boosted: Vec<Tree>,
    #[serde(skip)]
    pub(crate) extra: Vec<Tree>,
    #[serde(skip)]
    pub(crate) difficulty: Vec<Tree>,
}

/// A predicted value and its 90 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Most likely value, not negative.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl TargetModel {
    /// `ln(value + shift)` before rounding.
    pub(crate) fn log_value(&self, x: &[f32], scratch: &mut Vec<f32>) -> f64 {
        let mut log = (self.prior.value(x) + self.shift).ln();
        if !self.boosted.is_empty() {
            log += self.boosted_share * tree::sum(&self.boosted, x);
        }
        if !self.extra.is_empty() {
            scratch.clear();
            tree::values(&self.extra, x, |v| scratch.push(v));
            log += (1.0 - self.boosted_share) * extra::combine(scratch, self.median);
        }
        match &self.correction {
            None => log,
            Some(c) => c.offset + c.slope * log + c.extra.as_ref().map_or(0.0, |e| e.value(x)),
        }
    }

    /// The value alone, not rounded and not negative.
    pub fn value(&self, x: &[f32]) -> f64 {
        (self.log_value(x, &mut Vec::new()).exp() - self.shift).max(0.0)
    }

    /// How far off this design is likely to be, relative to others.
    pub(crate) fn difficulty_of(&self, x: &[f32]) -> f64 {
        difficulty(&self.difficulty, x)
    }

    fn estimate(&self, x: &[f32], outside: f64, scratch: &mut Vec<f32>) -> Estimate {
        let log = self.log_value(x, scratch);
        let half = self.quantile * self.difficulty_of(x) * (1.0 + 2.0 * outside) + 0.2 * outside.ln_1p();
        self.interval(log, half.min(WIDEST.ln()))
    }

    /// The estimate around `log` with half-width `half`. Bounds move inward to possible values: this never loses the
    /// truth, because the truth is one of them.
    pub(crate) fn interval(&self, log: f64, half: f64) -> Estimate {
        let back = |l: f64| (l.exp() - self.shift).max(0.0);
        let (value, low, high) = (back(log), back(log - half), back(log + half));
        let step = self.target.step();
        if step == 0.0 {
            return Estimate { value, low, high };
        }
        let value = (value / step).round() * step;
        let eps = 1e-9;
        let low = ((low / step - eps).ceil() * step).min(value);
        let high = ((high / step + eps).floor() * step).max(value);
        Estimate { value, low: low.max(0.0), high }
    }
}

/// Difficulty that `trees` (fitted to the logarithm of the residual) give a design.
pub(crate) fn difficulty(trees: &[Tree], x: &[f32]) -> f64 {
    tree::sum(trees, x).clamp(-3.0, 3.0).exp()
}

/// What a model was trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct Provenance {
    /// The data, in words.
    pub data: Vec<String>,
    /// Rows it was trained on.
    pub rows: usize,
    /// Networks or shapes among these rows.
    pub groups: usize,
    /// Tool and version that made the counts.
    pub tool: String,
    /// Part or family.
    pub part: String,
    /// Seed of training.
    pub seed: u64,
    /// Rows used to adapt the model to another family or tool; 0 when it was not adapted.
    pub adapted_rows: usize,
    /// Blake3 of the training rows, as hexadecimal.
    pub data_hash: String,
}

/// A trained model of all targets of one family and tool.
#[derive(Debug, Clone, PartialEq)]
pub struct Surrogate {
    /// Columns it expects.
    pub schema: Schema,
    /// What it was trained on.
    pub provenance: Provenance,
    /// Smallest and largest training value of every column.
    pub ranges: Vec<(f32, f32)>,
    /// One model a target.
    pub targets: Vec<TargetModel>,
    pub(crate) bins: Bins,
}

/// Largest factor between a value and a bound of its interval: wider ones say no more.
const WIDEST: f64 = 8.0;

/// Relative distance to the training data that a difference without a column counts for.
const BEYOND: f64 = 0.5;

/// All estimates of one design.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// One estimate a target, in the model's order.
    pub estimates: Vec<(Target, Estimate)>,
    /// Inputs outside of the training data, in words; the intervals are wider for each.
    pub out_of_range: Vec<String>,
}

impl Prediction {
    /// Estimate of a target, when the model has it.
    pub fn get(&self, target: Target) -> Option<Estimate> {
        self.estimates.iter().find(|(t, _)| *t == target).map(|(_, e)| *e)
    }
}

impl Surrogate {
    /// A model that predicts nothing.
    pub(crate) fn empty(schema: Schema) -> Surrogate {
        let provenance = Provenance::default();
        Surrogate { schema, provenance, ranges: Vec::new(), targets: Vec::new(), bins: Bins::default() }
    }

    /// Predicts every target of a design given as features in the order of [`Surrogate::schema`]. Missing columns count
    /// as zero.
    pub fn predict(&self, x: &[f32]) -> Prediction {
        self.predict_beyond(x, &[])
    }

    /// As [`Surrogate::predict`], where the design differs from the training data in further ways that no column holds: each is
    /// named in the prediction and widens the intervals as an input half its range outside would.
    pub fn predict_beyond(&self, x: &[f32], beyond: &[String]) -> Prediction {
        let (mut outside, mut out_of_range) = self.outside(x);
        outside += BEYOND * beyond.len() as f64;
        out_of_range.extend(beyond.iter().cloned());
        let mut scratch = Vec::new();
        let estimates = self.targets.iter().map(|t| (t.target, t.estimate(x, outside, &mut scratch))).collect();
        Prediction { estimates, out_of_range }
    }

    /// Sum of the relative distances of inputs to their training range, and the messages.
    fn outside(&self, x: &[f32]) -> (f64, Vec<String>) {
        let mut total = 0.0;
        let mut messages = Vec::new();
        for (i, (label, &(low, high))) in self.schema.inputs.iter().zip(&self.ranges).enumerate() {
            if label.is_empty() {
                continue;
            }
            let v = x.get(i).copied().unwrap_or(0.0);
            let beyond = if v < low { low - v } else { v - high };
            if beyond > 0.0 || v.is_nan() {
                let span = (high - low).max(high.abs()).max(1.0);
                total += f64::from((beyond / span).clamp(0.05, 20.0));
                messages.push(if low == high {
                    format!("{label}: {v} (trained on {low} only)")
                } else {
                    format!("{label}: {v} (trained on {low} to {high})")
                });
            }
        }
        (total, messages)
    }

    /// The model of one target.
    pub fn target(&self, target: Target) -> Option<&TargetModel> {
        self.targets.iter().find(|t| t.target == target)
    }
}
