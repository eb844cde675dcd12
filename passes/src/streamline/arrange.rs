//! Slices, paddings and upsampling.

use super::Context;
use super::value::{self, Value};
use netfold_ir::diag::{Code, Diag};
use netfold_ir::graph::NodeId;
use netfold_ir::int::{IntOp, compact};
use netfold_ir::net::{Affine, Pad, Slice, Upsample, elements};
use netfold_ir::rat::{self, Rat};

impl Context<'_> {
    /// A slice of the tensor; when the tensor is a permutation, of the source along the axis that it maps to.
    pub(super) fn slice(&mut self, id: NodeId, name: &str, s: &Slice) -> Result<Value, Diag> {
        let shape = self.net.shape(id).to_vec();
        let x = self.input(id, 0)?;
        let mut x = self.settled(name, x)?;
        if let Some(order) = &x.order {
            let kept = kept(&x.shape, s);
            let sources: Vec<usize> = kept.iter().map(|&e| order[e] as usize).collect();
            if let Some((axis, mapped)) = as_slice(&x.natural, &sources) {
                let natural = x.natural.clone();
                let new = self.slice_node(name, &x, &natural, axis, mapped)?;
                let mut sorted = sources.clone();
                sorted.sort_unstable();
                let order: Vec<usize> = sources.iter().map(|e| sorted.binary_search(e).unwrap_or(0)).collect();
                return Ok(new.permuted(&order, shape));
            }
            x = self.materialize(name, x)?;
        }
        let source = x.shape.clone();
        let mut out = self.slice_node(name, &x, &source, s.axis, *s)?;
        out.shape = shape;
        Ok(out)
    }

    /// The integer slice.
    pub(super) fn slice_node(
        &mut self,
        name: &str,
        x: &Value,
        source: &[usize],
        axis: usize,
        s: Slice,
    ) -> Result<Value, Diag> {
        let mut shape = source.to_vec();
        shape[axis] = s.count;
        let real = if x.real.channels() == 1 {
            x.real.clone()
        } else {
            let kept = kept(source, &Slice { axis, ..s });
            let pick = |v: &[Rat]| compact(kept.iter().map(|&e| v[e % v.len()].clone()).collect());
            Affine { scale: pick(&x.real.scale), offset: pick(&x.real.offset) }
        };
        let op = IntOp::Slice {
            outer: source[..axis].iter().product(),
            size: source[axis],
            inner: source[axis + 1..].iter().product(),
            start: s.start,
            count: s.count,
            step: s.step,
            shape: shape.clone(),
        };
        let new = self.int.add(name, name, op, &[x.node()?], real)?;
        Ok(self.integer(new, shape))
    }

    /// Constant padding of an image.
    pub(super) fn pad(&mut self, id: NodeId, name: &str, p: &Pad) -> Result<Value, Diag> {
        let shape = self.net.shape(id).to_vec();
        let x = self.input(id, 0)?;
        let mut x = self.materialize(name, x)?;
        // Every padding is one of three axes, most of them of size 1 before.
        let (input, pads, channels) = as_image_pad(&x.shape, &p.pads).ok_or_else(|| {
            Diag::new(Code::Unsupported, name, format!("padding {:?} of a tensor {:?}", p.pads, x.shape))
                .help("pad at most the two axes before the last one, or a vector")
        })?;
        let wanted = rat::from_f64(p.value).unwrap_or_default();
        let fits = |real: &Affine| (0..real.channels()).all(|c| value::integer_of(real, c, &wanted).is_some());
        if x.real.channels() > 1 && !channels.is_multiple_of(x.real.channels()) || !fits(&x.real) {
            x = self.on_grid_of(name, x, &wanted)?;
        }
        let value =
            compact((0..x.real.channels()).map(|c| value::integer_of(&x.real, c, &wanted).unwrap_or(0)).collect());
        let op = IntOp::Pad { input, pads, value };
        let new = self.int.add(name, name, op, &[x.node()?], x.real.clone())?;
        Ok(self.integer(new, shape))
    }

    /// The value on a grid that also holds the real number `x`.
    fn on_grid_of(&mut self, name: &str, v: Value, x: &Rat) -> Result<Value, Diag> {
        let v = self.common_scale(name, v)?;
        let grid = rat::gcd(&v.real.scale[0], x);
        let Some(factor) = rat::to_i64(&(&v.real.scale[0] / &grid)).filter(|f| *f < 1 << 24) else {
            return Err(Diag::new(Code::Unsupported, name, "the padding value is not on the grid of the tensor")
                .help("pad with a multiple of the tensor's scale, such as zero"));
        };
        if factor == 1 {
            return Ok(v);
        }
        let real = Affine { scale: vec![grid], offset: vec![Rat::default()] };
        let op = IntOp::LinComb { coefficients: vec![vec![factor]], constant: vec![0] };
        let new = self.int.add(&format!("{name}_align"), name, op, &[v.node()?], real)?;
        Ok(self.integer(new, v.shape))
    }

    /// Nearest-neighbour upsampling.
    pub(super) fn upsample(&mut self, id: NodeId, name: &str, u: &Upsample) -> Result<Value, Diag> {
        let shape = self.net.shape(id).to_vec();
        let x = self.input(id, 0)?;
        let mut x = self.materialize(name, x)?;
        let input = value::image(&x.shape);
        if !input[2].is_multiple_of(x.real.channels()) {
            x = self.common_scale(name, x)?;
        }
        let op = IntOp::Upsample { input, factors: u.factors };
        let new = self.int.add(name, name, op, &[x.node()?], x.real.clone())?;
        Ok(self.integer(new, shape))
    }
}

/// Flat indices that a slice keeps.
fn kept(shape: &[usize], s: &Slice) -> Vec<usize> {
    let inner: usize = shape[s.axis + 1..].iter().product();
    let outer: usize = shape[..s.axis].iter().product();
    let mut out = Vec::with_capacity(outer * s.count * inner);
    for o in 0..outer {
        for k in 0..s.count {
            let base = (o * shape[s.axis] + s.start + k * s.step) * inner;
            out.extend(base..base + inner);
        }
    }
    out
}

/// The axis and slice of a tensor of `shape` that keep exactly the elements `indices` (in any order).
fn as_slice(shape: &[usize], indices: &[usize]) -> Option<(usize, Slice)> {
    let mut sorted = indices.to_vec();
    sorted.sort_unstable();
    for axis in 0..shape.len() {
        let inner: usize = shape[axis + 1..].iter().product();
        let mut on_axis: Vec<usize> = sorted.iter().map(|e| e / inner % shape[axis]).collect();
        on_axis.sort_unstable();
        on_axis.dedup();
        let step = if on_axis.len() > 1 { on_axis[1] - on_axis[0] } else { 1 };
        let slice = Slice { axis, start: on_axis[0], count: on_axis.len(), step };
        if elements(shape) / shape[axis] * slice.count == sorted.len() && kept(shape, &slice) == sorted {
            return Some((axis, slice));
        }
    }
    None
}

/// The padding as one of an image: its input size, its pads (top, left, bottom, right), and the channels of the result.
fn as_image_pad(shape: &[usize], pads: &[(usize, usize)]) -> Option<([usize; 3], [usize; 4], usize)> {
    let padded: Vec<usize> = (0..shape.len()).filter(|&a| pads[a] != (0, 0)).collect();
    let (first, last) = match padded[..] {
        [] => (0, 0),
        [a] => (a, a),
        [a, b] if b == a + 1 => (a, b),
        _ => return None,
    };
    let inner: usize = shape.get(last + 1..)?.iter().product();
    let outer: usize = shape[..first].iter().product();
    match padded[..] {
        [a, b] if outer == 1 => {
            let p = [pads[a].0, pads[b].0, pads[a].1, pads[b].1];
            Some(([shape[a], shape[b], inner], p, inner))
        }
        // One axis is the width of an image whose rows are everything before it.
        [a] => Some(([outer, shape[a], inner], [0, pads[a].0, 0, pads[a].1], inner)),
        [] => Some(([1, 1, elements(shape)], [0; 4], elements(shape))),
        _ => None,
    }
}
