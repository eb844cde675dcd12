//! Ground truth of what designs cost: synthesis with Yosys, and sweeps over a described space of hardware modules and whole
//! networks whose rows are what the surrogate learns from.
//!
//! - [`yosys`]: one flow for `netfold synth` and for sweeps; counts by cell type.
//! - [`space`]: row `i` of the space as a function of the seed and `i` alone.
//! - [`sources`]: what of a design is synthesized, and the wrapper under which modules share a run.
//! - [`route`]: the clock after routing, where nextpnr is installed.
//! - [`run`](mod@run): the sweep itself: content-addressed, resumable, sharded.

pub mod route;
pub mod run;
pub mod sources;
pub mod space;
pub mod yosys;
