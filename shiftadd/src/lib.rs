//! Constant matrix-vector products as shift-and-add graphs, for fully unrolled networks.

mod cost;
mod cse;
mod flow;
mod graph;
mod interval;
mod pipeline;
mod program;
mod solve;
mod tree;
mod verilog;

pub use cost::{CostModel, DelayModel, adders_and_depth, graph_luts, node_luts};
pub use graph::{CarryBit, Field, Graph, Linear, Node, NodeId, Op, Operand, Overflow, Quantizer, Rounding};
pub use interval::{Interval, bit_len, csd_digits, wrap_window};
pub use pipeline::{Pipeline, PipelineOptions, pipeline};
pub use program::{Layer, compile, compile_pipelined};
pub use solve::{InputSpec, Options, solve};
pub use verilog::{VerilogOptions, emit_verilog};
