//! Tensors on the way from real to integer.

use netfold_ir::diag::{Code, Diag};
use netfold_ir::graph::NodeId;
use netfold_ir::int::compact;
use netfold_ir::net::{Affine, UnaryFn, elements};
use netfold_ir::rat::{self, Rat};
use num_traits::Zero;

/// Where the numbers of a value come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// A network input of this index that has not met a quantizer yet.
    Raw(usize),
    /// An integer node.
    Int(NodeId),
}

/// A tensor: `pending(real(q))`, where parameters are indexed in the source's order.
#[derive(Debug, Clone)]
pub(super) struct Value {
    /// The numbers.
    pub source: Source,
    /// Shape of the tensor.
    pub shape: Vec<usize>,
    /// Shape of the source.
    pub natural: Vec<usize>,
    /// Element `i` of the tensor is element `order[i]` of the source; `None`: the same order.
    pub order: Option<Vec<u32>>,
    /// Real value of source integers (identity for raw inputs).
    pub real: Affine,
    /// Functions still to be applied.
    pub pending: Vec<UnaryFn>,
}

impl Value {
    /// The integer node.
    pub fn node(&self) -> Result<NodeId, Diag> {
        match self.source {
            Source::Int(id) => Ok(id),
            Source::Raw(port) => Err(Diag::internal(format!("input {port}"), "a raw input where integers are needed")),
        }
    }

    /// The tensor under a further permutation: element `i` becomes the present element `order[i]`.
    pub fn permuted(self, order: &[usize], shape: Vec<usize>) -> Value {
        let composed: Vec<u32> = match &self.order {
            None => order.iter().map(|&i| i as u32).collect(),
            Some(own) => order.iter().map(|&i| own[i]).collect(),
        };
        let identity = composed.iter().enumerate().all(|(i, &o)| i == o as usize);
        Value { order: if identity { None } else { Some(composed) }, shape, ..self }
    }

    /// The function with its parameters in the source's order.
    pub fn to_source_order(&self, f: &UnaryFn) -> UnaryFn {
        let Some(order) = &self.order else { return f.clone() };
        if f.channels() == 1 {
            return f.clone();
        }
        let mut at = vec![0usize; order.len()];
        order.iter().enumerate().for_each(|(i, &o)| at[o as usize] = i);
        crate::normalize::reindex(f, |i, p| at[i] % p, &self.natural)
    }

    /// The affine meaning in the tensor's own order.
    pub fn real_permuted(&self) -> Affine {
        let Some(order) = &self.order else { return self.real.clone() };
        let pick = |v: &[Rat]| {
            if v.len() == 1 {
                v.to_vec()
            } else {
                compact(order.iter().map(|&o| v[o as usize % v.len()].clone()).collect())
            }
        };
        Affine { scale: pick(&self.real.scale), offset: pick(&self.real.offset) }
    }

    /// Number of elements.
    pub fn elements(&self) -> usize {
        elements(&self.shape)
    }
}

/// Height, width and channels of a shape; vectors are one pixel.
pub(super) fn image(shape: &[usize]) -> [usize; 3] {
    match *shape {
        [h, w, c] => [h, w, c],
        [w, c] => [1, w, c],
        _ => [1, 1, elements(shape)],
    }
}

/// The affine meaning repeated to a period that divides `channels`; an error when it differs between pixels.
pub(super) fn per_channel(real: &Affine, channels: usize) -> Result<Affine, Diag> {
    if channels.is_multiple_of(real.channels()) {
        return Ok(real.clone());
    }
    Err(Diag::new(Code::Unsupported, "", "scales that differ from pixel to pixel enter a window")
        .help("quantize the tensor per channel or as a whole"))
}

/// Whether every channel has an integer that stands for zero.
pub(super) fn has_integer_zero(real: &Affine) -> bool {
    (0..real.channels()).all(|c| zero(real, c).is_some())
}

/// The integer of zero in every channel (0 where there is none).
pub(super) fn zero_of(real: &Affine) -> Vec<i64> {
    compact((0..real.channels()).map(|c| zero(real, c).unwrap_or(0)).collect())
}

/// The integer that stands for zero in channel `c`.
fn zero(real: &Affine, c: usize) -> Option<i64> {
    integer_of(real, c, &Rat::zero())
}

/// The integer that stands for `x` in channel `c`, when there is one.
pub(super) fn integer_of(real: &Affine, c: usize, x: &Rat) -> Option<i64> {
    if real.scale_of(c).is_zero() {
        return None;
    }
    rat::to_i64(&((x - real.offset_of(c)) / real.scale_of(c)))
}
