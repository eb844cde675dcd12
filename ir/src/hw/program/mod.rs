//! Straight-line programs: what an unrolled part of a network computes, adder by adder, and in which pipeline stage.
//!
//! A [`Program`] is a module that takes a beat of every input and gives one beat every `interval` cycles. Its [`Graph`] is made by the
//! solver of the `shiftadd` crate, which finds few adders and places the registers; here is what the result means.

pub mod counts;
pub mod graph;
pub mod interval;
mod placement;
pub mod quantizer;
pub mod serial;
pub mod table;

pub use graph::{CarryBit, Field, Graph, Linear, Node, NodeId, Op, Operand};
pub use interval::{Interval, bit_len, csd_digits, wrap_window};
pub use placement::{Pipeline, lag, root};
pub use quantizer::{Overflow, Quantizer, Rounding};
pub use table::{BitRef, Table};

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A straight-line program as a module: input 0's beat is the first elements of the graph's inputs, input 1's the next ones, and
/// so on; likewise outputs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Program {
    /// The operations. Outputs are plain nodes: no shift, sign or offset.
    pub graph: Arc<Graph>,
    /// The stage of each node.
    pub pipeline: Arc<Pipeline>,
    /// No registers at all: the result follows the inputs within the cycle. The pipeline then has one stage.
    pub combinational: bool,
    /// Elements a beat of each input.
    pub inputs: Vec<usize>,
    /// Elements a beat of each output.
    pub outputs: Vec<usize>,
    /// Beats a frame of every input and output.
    pub beats: usize,
    /// Cycles from a beat to the next, at least as many as the graph has phases.
    #[serde(default = "one")]
    pub interval: usize,
}

/// The interval of a program that says none.
fn one() -> usize {
    1
}

impl Program {
    /// Cycles from a firing to the write of its result: a register behind the inputs and one between any two stages. The stream
    /// behind the module is the register of the outputs.
    pub fn latency(&self) -> usize {
        if self.combinational { 0 } else { self.pipeline.stages as usize }
    }

    /// The elements of every output for a frame, given those of each input, in stream order.
    pub fn eval(&self, ins: &[&[i64]]) -> Vec<Vec<i64>> {
        let mut out = vec![Vec::new(); self.outputs.len()];
        let mut x = Vec::with_capacity(self.graph.inputs);
        for beat in 0..self.beats {
            x.clear();
            for (data, lanes) in ins.iter().zip(&self.inputs) {
                x.extend_from_slice(&data[beat * lanes..(beat + 1) * lanes]);
            }
            let y = self.graph.eval(&x);
            let mut rest = y.as_slice();
            for (out, lanes) in out.iter_mut().zip(&self.outputs) {
                let (own, others) = rest.split_at((*lanes).min(rest.len()));
                out.extend_from_slice(own);
                rest = others;
            }
        }
        out
    }

    /// What is wrong with the program, if anything: see the fields' docs, [`Graph::verify`] and [`Pipeline::verify`].
    ///
    /// # Errors
    /// The first broken invariant.
    pub fn verify(&self) -> Result<(), &'static str> {
        if self.inputs.iter().sum::<usize>() != self.graph.inputs {
            return Err("the program's inputs are not its beats' elements");
        }
        let ports = 1..=64;
        if self.outputs.iter().sum::<usize>() != self.graph.outputs.len() || !ports.contains(&self.outputs.len()) {
            return Err("the program's outputs are not its beats' elements");
        }
        if self.beats == 0 || !ports.contains(&self.inputs.len()) {
            return Err("a program of no beats or of more than 64 inputs");
        }
        if self.interval < self.graph.phases() as usize {
            return Err("the program's interval is shorter than its phases");
        }
        if self.combinational && (self.pipeline.stages != 1 || self.interval != 1) {
            return Err("a combinational program has stages");
        }
        let plain = |o: &Linear| o.offset == 0 && o.term.is_some_and(|t| t.shift == 0 && !t.neg);
        if !self.graph.outputs.iter().all(plain) {
            return Err("an output of the program is not a plain node");
        }
        self.graph.verify()?;
        self.pipeline.verify(&self.graph)
    }
}
