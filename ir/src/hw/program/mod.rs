//! Straight-line programs: what an unrolled part of a network computes, adder by adder, and in which pipeline stage.
//!
//! A [`Program`] is a module that takes a beat of every input and gives one beat at each firing. Its [`Graph`] is made by the
//! solver of the `shiftadd` crate, which finds few adders and places the registers; here is what the result means.

pub mod counts;
pub mod graph;
pub mod interval;
mod placement;
pub mod quantizer;

pub use graph::{CarryBit, Field, Graph, Linear, Node, NodeId, Op, Operand};
pub use interval::{Interval, bit_len, csd_digits, wrap_window};
pub use placement::{Pipeline, root};
pub use quantizer::{Overflow, Quantizer, Rounding};

use std::sync::Arc;

/// A straight-line program as a module: input 0's beat is the first elements of the graph's inputs, input 1's the next ones, and
/// so on; the output's beat is the graph's outputs.
#[derive(Debug, Clone)]
pub struct Program {
    /// The operations. Outputs are plain nodes (no shift, sign or offset) or constants.
    pub graph: Arc<Graph>,
    /// The stage of each node.
    pub pipeline: Arc<Pipeline>,
    /// No registers at all: the result follows the inputs within the cycle. The pipeline then has one stage.
    pub combinational: bool,
    /// Elements a beat of each input.
    pub inputs: Vec<usize>,
    /// Beats a frame of every input and of the output.
    pub beats: usize,
}

impl Program {
    /// Cycles from a firing to the write of its result: a register behind the inputs and one between any two stages. The stream
    /// behind the module is the register of the outputs.
    pub fn latency(&self) -> usize {
        if self.combinational { 0 } else { self.pipeline.stages as usize }
    }

    /// The results for every beat of a frame, given the elements of each input in stream order.
    pub fn eval(&self, ins: &[&[i64]]) -> Vec<i64> {
        let mut out = Vec::with_capacity(self.beats * self.graph.outputs.len());
        let mut x = Vec::with_capacity(self.graph.inputs);
        for beat in 0..self.beats {
            x.clear();
            for (data, lanes) in ins.iter().zip(&self.inputs) {
                x.extend_from_slice(&data[beat * lanes..(beat + 1) * lanes]);
            }
            out.extend(self.graph.eval(&x));
        }
        out
    }

    /// What is wrong with the program, if anything: see the fields' docs, [`Graph::verify`] and [`Pipeline::verify`].
    ///
    /// # Errors
    /// The first broken invariant.
    pub fn verify(&self) -> Result<(), &'static str> {
        if self.inputs.iter().sum::<usize>() != self.graph.inputs || self.inputs.is_empty() {
            return Err("the program's inputs are not its beats' elements");
        }
        if self.beats == 0 || self.graph.outputs.is_empty() {
            return Err("the program gives nothing");
        }
        if self.combinational && self.pipeline.stages != 1 {
            return Err("a combinational program has stages");
        }
        let plain = |o: &Linear| match o.term {
            Some(t) => t.shift == 0 && !t.neg && o.offset == 0,
            None => true,
        };
        if !self.graph.outputs.iter().all(plain) {
            return Err("an output of the program is not a plain node");
        }
        self.graph.verify()?;
        self.pipeline.verify(&self.graph)
    }
}
