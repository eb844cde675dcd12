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
    /// First input to last output within this time
    #[arg(long, value_name = "NS", conflicts_with = "fps", value_parser = positive)]
    pub latency_ns: Option<f64>,
    /// Frames a second
    #[arg(long, value_name = "N", value_parser = positive)]
    pub fps: Option<f64>,
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
}

/// A finite number above zero.
fn positive(text: &str) -> Result<f64, clap::Error> {
    match text.parse::<f64>() {
        Ok(v) if v.is_finite() && v > 0.0 => Ok(v),
        _ => Err(clap::Error::raw(
            clap::error::ErrorKind::ValueValidation,
            format!("{text:?} is not a number above zero\n"),
        )),
    }
}
