//! Pools: maxima and means over pixels.

use super::value::{self, Source, Value};
use super::{Context, compact_affine};
use netfold_ir::diag::Diag;
use netfold_ir::graph::NodeId;
use netfold_ir::hw::ReduceOp;
use netfold_ir::int::IntOp;
use netfold_ir::net::{Affine, PoolKind, UnaryFn};
use netfold_ir::rat;
use num_traits::Signed;

impl Context<'_> {
    /// The value with positive scales, so that larger integers stand for larger values.
    fn rising(&mut self, name: &str, x: Value) -> Result<Value, Diag> {
        if x.real.scale.iter().all(|s| !s.is_negative()) {
            return Ok(x);
        }
        let signs = x.real.scale.iter().map(|s| if s.is_negative() { -1 } else { 1 }).collect();
        let real = Affine { scale: x.real.scale.iter().map(Signed::abs).collect(), offset: x.real.offset.clone() };
        let op = IntOp::LinComb { coefficients: vec![signs], constant: vec![0] };
        let new = self.int.add(&format!("{name}_sign"), name, op, &[x.node()?], real)?;
        let value = self.integer(new, x.shape.clone());
        Ok(Value { order: x.order, ..value })
    }

    /// The operand of a maximum over pixels, and functions that can as well follow the maximum, because none of them falls.
    fn max_operand(&mut self, id: NodeId, name: &str) -> Result<(Value, Vec<UnaryFn>), Diag> {
        let mut x = self.input(id, 0)?;
        let channels = value::image(&x.shape)[2];
        let mut later = Vec::new();
        if matches!(x.source, Source::Int(_))
            && x.order.is_none()
            && x.pending.iter().all(|f| f.is_monotone() && channels.is_multiple_of(f.channels()))
            && !x.pending.is_empty()
            && self.exact_grid(&x).is_none()
        {
            later = std::mem::take(&mut x.pending);
        }
        let x = self.materialize(name, x)?;
        Ok((self.rising(name, x)?, later))
    }

    /// A window reduction.
    pub(super) fn pool(&mut self, id: NodeId, name: &str, pool: &netfold_ir::net::Pool) -> Result<Value, Diag> {
        let shape = self.net.shape(id).to_vec();
        let (mut x, later) = if pool.kind == PoolKind::Max {
            self.max_operand(id, name)?
        } else {
            let x = self.input(id, 0)?;
            (self.materialize(name, x)?, Vec::new())
        };
        let image = value::image(&x.shape);
        let taps = (pool.window.kernel[0] * pool.window.kernel[1]) as i64;
        let padded = pool.window.pads != [0; 4];
        match pool.kind {
            PoolKind::Max => {
                let node = x.node()?;
                let (lo, _) = self.int.graph.node(node).range.hull();
                let op = IntOp::Pool { op: ReduceOp::Max, input: image, window: pool.window, pad: vec![lo] };
                let real = value::per_channel(&x.real, image[2])?;
                let new = self.int.add(name, name, op, &[node], real)?;
                Ok(Value { pending: later, ..self.integer(new, shape) })
            }
            PoolKind::Average { include_pad } => {
                if padded && !value::has_integer_zero(&x.real) {
                    x = self.common_scale(name, x)?;
                }
                let real = value::per_channel(&x.real, image[2])?;
                let pad = value::zero_of(&real);
                let node = x.node()?;
                let op = IntOp::Pool { op: ReduceOp::Sum, input: image, window: pool.window, pad };
                let divisor = rat::from_i64(taps);
                let mean =
                    Affine { scale: real.scale.iter().map(|s| s / &divisor).collect(), offset: real.offset.clone() };
                let new = self.int.add(name, name, op, &[node], mean.clone())?;
                let mut value = self.integer(new, shape.clone());
                if padded && !include_pad {
                    value.real = uneven_mean(&mean, &pool.window, image, &shape);
                }
                Ok(value)
            }
        }
    }

    /// A reduction over all pixels.
    pub(super) fn global_pool(&mut self, id: NodeId, name: &str, kind: PoolKind) -> Result<Value, Diag> {
        let shape = self.net.shape(id).to_vec();
        let (mut x, later) = if kind == PoolKind::Max {
            self.max_operand(id, name)?
        } else {
            let x = self.input(id, 0)?;
            (self.materialize(name, x)?, Vec::new())
        };
        let image = value::image(&x.shape);
        let pixels = rat::from_i64((image[0] * image[1]) as i64);
        if x.real.channels() > 1 && !image[2].is_multiple_of(x.real.channels()) {
            x = self.common_scale(name, x)?;
        }
        let (op, real) = match kind {
            PoolKind::Max => (ReduceOp::Max, x.real.clone()),
            PoolKind::Average { .. } => {
                let scale = x.real.scale.iter().map(|s| s / &pixels).collect();
                (ReduceOp::Sum, Affine { scale, offset: x.real.offset.clone() })
            }
        };
        let new = self.int.add(name, name, IntOp::GlobalReduce { op, channels: image[2] }, &[x.node()?], real)?;
        Ok(Value { pending: later, ..self.integer(new, shape) })
    }
}

/// Mean over the pixels of each window that lie inside the image: a scale per element.
fn uneven_mean(mean: &Affine, window: &netfold_ir::net::Window, image: [usize; 3], shape: &[usize]) -> Affine {
    let taps = (window.kernel[0] * window.kernel[1]) as i64;
    let inside = |a: usize, o: usize| {
        (0..window.kernel[a])
            .filter(|k| {
                let at = o * window.stride[a] + k * window.dilation[a];
                (window.pads[a]..window.pads[a] + image[a]).contains(&at)
            })
            .count() as i64
    };
    let (mut scale, mut offset) = (Vec::new(), Vec::new());
    for y in 0..shape[0] {
        for x in 0..shape[1] {
            let count = (inside(0, y) * inside(1, x)).max(1);
            let factor = rat::from_i64(taps) / rat::from_i64(count);
            for c in 0..image[2] {
                scale.push(mean.scale_of(c) * &factor);
                offset.push(mean.offset_of(c).clone());
            }
        }
    }
    compact_affine(Affine { scale, offset })
}
