//! Constant matrix-vector products and whole dense networks as shift-and-add graphs, for fully unrolled hardware.
//!
//! [`solve`] compiles one matrix, [`compile`] a chain of layers (matrix, constants, quantizers, again), [`ProgramBuilder`] any
//! acyclic graph of sums and functions of values, and [`compile_pipelined`] also places registers for a clock.
//! [`emit_verilog`] writes SystemVerilog; [`Graph::eval`] is the interpreter that everything else must equal.
//!
//! How a graph is found: the matrix is written in canonical signed digits; common pairs of terms over all rows become
//! shared nodes (the `cse` module); what is left of each row is summed by six-term carry chains and adders (`tree`,
//! `counts`). Several runs with different weights race, and the cheapest graph in lookup tables is kept. The problem and
//! the two-term method are those of "da4ml: Distributed Arithmetic for Real-time Neural Networks on FPGAs" (Sun et al.,
//! arXiv 2507.04535); the unsigned fields, the counted sums and the register placement are this crate's own.
//!
//! ```
//! use netfold_shiftadd::{InputSpec, Options, solve};
//! let matrix = vec![vec![3, -5], vec![7, 0]];
//! let graph = solve(&matrix, &[InputSpec::word(8, true); 2], &Options::default())?;
//! assert_eq!(graph.eval(&[10, -4]), [50, 70]);
//! # Ok::<(), netfold_shiftadd::ProgramError>(())
//! ```

mod builder;
mod cost;
mod cse;
mod error;
mod flow;
mod group;
mod lut;
mod phases;
mod pipeline;
mod program;
mod serial;
mod solve;
mod steps;
mod tabulate;
mod tree;
mod verilog;
mod verilog_serial;
mod verilog_tables;
mod work;

// The program that all of this makes is hardware-level data: its types, meaning and node builders live there.
use netfold_ir::hw::program::{graph, interval, quantizer};

pub use builder::{ProgramBuilder, Value};
pub use cost::{CostModel, DelayModel, adders_and_depth, graph_luts, node_luts};
pub use error::ProgramError;
pub use lut::ADDRESS_BITS;
pub use netfold_ir::hw::program::{
    BitRef, CarryBit, Field, Graph, Interval, Linear, Node, NodeId, Op, Operand, Overflow, Pipeline, Quantizer,
    Rounding, Table, bit_len, csd_digits, wrap_window,
};
pub use pipeline::{PipelineOptions, pipeline};
pub use program::{Layer, compile, compile_pipelined};
pub use solve::{InputSpec, Options, solve};
pub use steps::Steps;
pub use verilog::{VerilogOptions, emit_verilog};
