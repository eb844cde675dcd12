//! The subcommands, one file each.

pub mod boards;
pub mod estimate;
pub mod explore;
pub mod r#gen;
pub mod inspect;
pub mod report;
pub mod sim;
pub mod surrogate;
pub mod sweep;
pub mod synth;
