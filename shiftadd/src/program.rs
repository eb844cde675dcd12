//! Layered programs: a sequence of constant matrix products, each with constants added and a quantizer an element.

use crate::builder::ProgramBuilder;
use crate::error::{ProgramError, check_layer};
use crate::graph::Graph;
use crate::pipeline::PipelineOptions;
use crate::quantizer::Quantizer;
use crate::solve::{InputSpec, Options};
use netfold_ir::hw::program::Pipeline;

/// One layer: `quantizer(matrix * x + bias)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The weights, a row an output.
    pub matrix: Vec<Vec<i64>>,
    /// A constant an output, in units of the product.
    pub bias: Vec<i64>,
    /// The quantizer of each output; `None` keeps the exact sum.
    pub quantizers: Vec<Option<Quantizer>>,
    /// Bound of the adder depth, as in [`Options::max_depth`].
    pub max_depth: Option<u32>,
}

/// The chain of layers as a program.
fn chain(inputs: &[InputSpec], layers: &[Layer]) -> Result<ProgramBuilder, ProgramError> {
    let mut p = ProgramBuilder::new();
    let mut values = p.inputs(inputs);
    for (index, layer) in layers.iter().enumerate() {
        check_layer(index, layer)?;
        let sums = p.product_within(&layer.matrix, &layer.bias, &values, layer.max_depth)?;
        values.clear();
        for (sum, q) in sums.into_iter().zip(&layer.quantizers) {
            values.push(match q {
                Some(q) => p.quantize(sum, *q)?,
                None => sum,
            });
        }
    }
    if !layers.is_empty() {
        values.iter().for_each(|&v| p.output(v));
    }
    Ok(p)
}

/// Compiles a layered program to one graph; [`ProgramBuilder`] takes any other shape. Its outputs are exact (offset zero, no
/// shift).
///
/// # Errors
/// Counts that do not match (a matrix row has one entry an input of its layer; `bias` and `quantizers` have one a row),
/// and sums of more than 48 bits.
pub fn compile(inputs: &[InputSpec], layers: &[Layer], options: &Options) -> Result<Graph, ProgramError> {
    Ok(chain(inputs, layers)?.compile(options))
}

/// Compiles a layered program and places its registers, as [`ProgramBuilder::compile_pipelined`].
///
/// # Errors
/// As [`compile`].
pub fn compile_pipelined(
    inputs: &[InputSpec],
    layers: &[Layer],
    options: &Options,
    placement: &PipelineOptions,
) -> Result<(Graph, Pipeline), ProgramError> {
    Ok(chain(inputs, layers)?.compile_pipelined(options, placement))
}
