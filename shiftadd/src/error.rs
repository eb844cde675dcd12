//! What can be wrong with a program that is to be compiled.

use std::fmt;

use crate::program::Layer;
use crate::quantizer::Quantizer;
use crate::solve::InputSpec;

/// A program that cannot be compiled. Layers, rows and inputs are counted from zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProgramError {
    /// A matrix row's length is not the number of the layer's inputs.
    RowLength {
        /// The layer.
        layer: usize,
        /// The row.
        row: usize,
        /// Inputs of the layer.
        expected: usize,
        /// Entries of the row.
        found: usize,
    },
    /// A layer's constants or quantizers are not as many as its rows.
    Count {
        /// The layer.
        layer: usize,
        /// What is miscounted.
        what: &'static str,
        /// Rows of the layer.
        expected: usize,
        /// Entries found.
        found: usize,
    },
    /// A sum, or a quantizer's drop or width, needs more than 48 bits.
    TooWide {
        /// The layer.
        layer: usize,
        /// The row.
        row: usize,
    },
    /// A table's arguments have more bits than a table can have.
    TableBits {
        /// Bits of the arguments.
        found: u32,
        /// The most bits.
        limit: u32,
    },
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::RowLength { layer, row, expected, found } => {
                write!(f, "layer {layer}, row {row}: {found} weights for {expected} inputs")
            }
            Self::Count { layer, what, expected, found } => {
                write!(f, "layer {layer}: {found} {what} for {expected} rows")
            }
            Self::TooWide { layer, row } => write!(f, "layer {layer}, row {row}: wider than 48 bits"),
            Self::TableBits { found, limit } => write!(f, "a table of {found} bits; {limit} are possible"),
        }
    }
}

impl std::error::Error for ProgramError {}

const LIMIT: u128 = 1 << 48;

/// Whether a row's terms and constant stay below 48 bits in magnitude, in any order of summation.
pub(crate) fn check_terms(
    layer: usize,
    row: usize,
    terms: &[(u32, i64)],
    constant: i64,
    inputs: &[InputSpec],
) -> Result<(), ProgramError> {
    let mut sum = u128::from(constant.unsigned_abs());
    for &(k, w) in terms {
        let range = inputs[k as usize].range;
        let reach = range.lo.unsigned_abs().max(range.hi.unsigned_abs()).max(1);
        // A signed-digit form reaches up to twice its number.
        sum = sum.saturating_add(2 * u128::from(w.unsigned_abs()) * u128::from(reach).next_power_of_two());
    }
    if sum < LIMIT { Ok(()) } else { Err(ProgramError::TooWide { layer, row }) }
}

/// Whether a quantizer's drop and width can be built.
pub(crate) fn check_quantizer(q: &Quantizer, layer: usize, row: usize) -> Result<(), ProgramError> {
    if q.drop > 47 || q.bits > 48 || q.bits == 0 { Err(ProgramError::TooWide { layer, row }) } else { Ok(()) }
}

/// Checks a layer's counts and quantizers.
pub(crate) fn check_layer(index: usize, layer: &Layer) -> Result<(), ProgramError> {
    let expected = layer.matrix.len();
    for (what, found) in [("constants", layer.bias.len()), ("quantizers", layer.quantizers.len())] {
        if found != expected {
            return Err(ProgramError::Count { layer: index, what, expected, found });
        }
    }
    for (row, q) in layer.quantizers.iter().enumerate() {
        q.map_or(Ok(()), |q| check_quantizer(&q, index, row))?;
    }
    Ok(())
}
