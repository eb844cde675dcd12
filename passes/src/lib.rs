//! The passes from a real-valued network to a hardware design.
//!
//! [`pipeline`] lists them in order and is how the command line runs them.

pub mod constants;
pub mod explore;
pub mod fifo;
pub mod fit;
pub mod fold;
pub mod lower;
pub mod mix;
pub mod normalize;
pub mod optimize;
pub mod pipeline;
pub mod precision;
pub mod quantize;
pub mod random;
pub mod realize;
pub mod streamline;
pub mod unroll;
