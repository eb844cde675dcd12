//! The learned part of netfold's estimates: datasets, features, models, training, scores and adaptation.
//!
//! What is known by construction (cycles, DSP and memory blocks of a given folding) is computed in [`features`] and
//! enters the models as an analytic prior; the trees learn what is left, as a log-ratio. Every prediction carries a
//! conformal interval and names the inputs that lie outside of what the model was trained on.
//!
//! - [`dataset`]: readers of result tables, told apart by content.
//! - [`features`]: numbers that describe a design, with named schemas.
//! - [`model`]: linear priors, boosted trees, extremely randomised trees, intervals, the file format.
//! - [`train`](mod@train), [`eval`](mod@eval), [`adapt`](mod@adapt): what `netfold surrogate` runs.
//! - [`hardware`]: netfold's own modules, counted from the structure of their Verilog.
//! - [`hls`]: the shipped models of dense networks as Vitis HLS and Vivado HLS build them.
//! - [`metrics`]: the scores, as wa-hls4ml (Hawks et al., 2025) defines them.

pub mod adapt;
pub mod dataset;
pub mod eval;
pub mod features;
pub mod hardware;
pub mod hls;
pub mod metrics;
pub mod model;
mod rng;
pub mod train;
