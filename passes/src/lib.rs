//! The passes from a real-valued network to a hardware design.
pub mod normalize;
pub mod precision;
pub mod quantize;
pub mod realize;
pub mod streamline;
