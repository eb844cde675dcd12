//! Pipeline depth of every kind of module, in cycles. The primitives in `templates/verilog` have exactly these depths.

use super::Module;
use super::act::{MulShift, Realization};
use super::modules::{Kind, Memory, Mvu, Vvu};

/// Adder levels computed between two pipeline registers.
pub const ADDER_LEVELS_PER_STAGE: u32 = 2;

/// Register stages of a tree that adds `n` operands.
pub fn tree_stages(n: usize) -> usize {
    let levels = usize::BITS - n.saturating_sub(1).leading_zeros();
    levels.div_ceil(ADDER_LEVELS_PER_STAGE) as usize
}

impl Module {
    /// Cycles from a firing to the write of its result into the output's FIFO (see the module doc of [`super`]).
    pub fn latency(&self) -> usize {
        match &self.kind {
            Kind::Source { .. } | Kind::Sink { .. } | Kind::Fork { .. } | Kind::Concat { .. } | Kind::Select { .. } => {
                0
            }
            Kind::Dwc { .. } | Kind::Pad { .. } => 0,
            Kind::Mvu(m) => mvu(m),
            Kind::Vvu(v) => vvu(v),
            Kind::Swu(_) => 1,
            Kind::Act { function, .. } => act(function),
            Kind::WindowReduce { taps, .. } => tree_stages(*taps).max(1),
            Kind::GlobalReduce { .. } => 2,
            Kind::VectorReduce { lanes, .. } => tree_stages(*lanes) + 1,
            Kind::ArgMax { lanes, .. } => tree_stages(*lanes) + 1,
            Kind::Broadcast { .. } => 2,
            Kind::LinComb { coefficients, .. } => tree_stages(coefficients.len()) + 1,
            Kind::Mul { .. } => 2,
            Kind::Reorder { .. } => 1,
            Kind::Upsample { .. } => 1,
        }
    }
}

/// Weight read, product, adder tree, accumulator.
fn mvu(m: &Mvu) -> usize {
    2 + tree_stages(m.simd) + 1
}

/// As [`mvu`].
fn vvu(v: &Vvu) -> usize {
    2 + tree_stages(v.simd) + 1
}

/// Parameter or table read, product, rounding and clipping.
fn act(function: &Realization) -> usize {
    match function {
        Realization::MulShift(m) => mul_shift(m),
        Realization::TwoSlopes(..) => 3,
        Realization::Thresholds(t) => 1 + tree_stages(t.thresholds.first().map_or(0, Vec::len)),
        Realization::Table(t) => 2 + t.tail.as_ref().map_or(0, |_| 1),
    }
}

/// A shift needs no product stage.
fn mul_shift(m: &MulShift) -> usize {
    if m.is_shift() { 2 } else { 3 }
}

/// Memory that a buffer of `words` words of `width` bits is built from when nothing else was asked for.
pub fn default_memory(words: usize, width: usize) -> Memory {
    if words <= 2 {
        Memory::Logic
    } else if words <= 64 || words * width <= 1024 {
        Memory::Lut
    } else {
        Memory::Block
    }
}
