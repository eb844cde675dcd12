//! Arguments that several subcommands share.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// How the design works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Style {
    /// Folded units joined by streams
    Stream,
    /// Constants in the logic: programs of additions that take a whole tensor, or a pixel, every cycle
    Unrolled,
    /// The smaller of both that reaches the target
    Auto,
}

/// How calibration finds ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// Smallest to largest value
    Minmax,
    /// The 99.9th percentile of magnitudes
    Percentile,
    /// Least mean squared error
    Mse,
}

/// The network and what it must become.
#[derive(Debug, Clone, Args)]
pub struct DesignArgs {
    /// ONNX or QONNX file; without one, the embedded example jet tagger
    pub model: Option<PathBuf>,
    /// Configuration (YAML): hls4ml's keys and netfold's own
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Board or part name, or a board file
    #[arg(long, value_name = "NAME|FILE")]
    pub board: Option<String>,
    /// First input to last output within this time; min: the lowest latency that fits
    #[arg(long, value_name = "NS|min", conflicts_with = "fps", value_parser = latency)]
    pub latency_ns: Option<f64>,
    /// Frames a second; max: as fast as fits
    #[arg(long, value_name = "N|max", value_parser = rate)]
    pub fps: Option<f64>,
    /// Use at most this share (0 to 1) of every resource of the board; without a rate or latency: as fast as fits in it
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub max_utilization: Option<f64>,
    /// Spend so many times the usual effort on the folding before a gap is stated, 0.1 to 1000; 1 takes seconds
    #[arg(long, value_name = "N", value_parser = effort)]
    pub effort: Option<f64>,
    /// Style of the design; stream when left out
    #[arg(long, value_enum)]
    pub style: Option<Style>,
    /// Clock frequency
    #[arg(long, value_name = "MHZ", value_parser = positive)]
    pub clock_mhz: Option<f64>,
    /// Calibrate a float network with these inputs: X.npy, or NAME=X.npy for each input
    #[arg(long, value_name = "[NAME=]X.npy")]
    pub calibrate: Vec<String>,
    /// Bits of activations and weights of a calibrated network, 2 to 16
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=16))]
    pub bits: Option<u32>,
    /// How calibration finds ranges
    #[arg(long, value_enum, value_name = "METHOD")]
    pub method: Option<Method>,
    /// Estimate with this model (trained or adapted by `netfold surrogate`) instead of the embedded one
    #[arg(long, value_name = "FILE")]
    pub surrogate: Option<PathBuf>,
}

/// What `--fps max` stands for.
pub const FASTEST: f64 = f64::INFINITY;

/// What `--latency-ns min` stands for.
pub const LOWEST: f64 = 0.0;

fn rate(text: &str) -> Result<f64, clap::Error> {
    if text == "max" { Ok(FASTEST) } else { positive(text) }
}

fn latency(text: &str) -> Result<f64, clap::Error> {
    if text == "min" { Ok(LOWEST) } else { positive(text) }
}

/// A number above 0, at most 1.
fn share(text: &str) -> Result<f64, clap::Error> {
    match positive(text) {
        Ok(v) if v <= 1.0 => Ok(v),
        _ => Err(not(text, "a share above 0 and at most 1")),
    }
}

/// Times the usual effort.
fn effort(text: &str) -> Result<f64, clap::Error> {
    match positive(text) {
        Ok(v) if (0.1..=1000.0).contains(&v) => Ok(v),
        _ => Err(not(text, "a number from 0.1 to 1000")),
    }
}

/// A finite number above zero.
fn positive(text: &str) -> Result<f64, clap::Error> {
    match text.parse::<f64>() {
        Ok(v) if v.is_finite() && v > 0.0 => Ok(v),
        _ => Err(not(text, "a number above zero")),
    }
}

/// The error for a value of the wrong form.
pub fn not(text: &str, form: &str) -> clap::Error {
    clap::Error::raw(clap::error::ErrorKind::ValueValidation, format!("{text:?} is not {form}\n"))
}
