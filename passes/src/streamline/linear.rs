//! Dense layers and convolutions: integer weights on the common grid of their row.

use super::value::{self, Value};
use super::{Context, compact_affine};
use netfold_ir::diag::{Code, Diag};
use netfold_ir::graph::NodeId;
use netfold_ir::hw::Matrix;
use netfold_ir::int::{IntConv, IntOp};
use netfold_ir::net::{Affine, Conv, Dense, Slice, Weights};
use netfold_ir::rat::{self, Rat};
use num_traits::{One, ToPrimitive, Zero};

/// Widest integer weight.
const WEIGHT_BITS: u32 = 48;

/// Rows of integer weights with the real value of an accumulator.
struct Rows {
    matrix: Matrix,
    real: Affine,
}

impl Context<'_> {
    /// A matrix product along the last axis.
    pub(super) fn dense(&mut self, id: NodeId, name: &str, d: &Dense) -> Result<Value, Diag> {
        let shape = self.net.shape(id).to_vec();
        let x = self.input(id, 0)?;
        let mut x = self.settled(name, x)?;
        let single = x.elements() == d.inputs;
        if x.order.is_some() && !single {
            x = self.materialize(name, x)?;
        }
        if !d.inputs.is_multiple_of(x.real.channels()) && !single {
            x = self.common_scale(name, x)?;
        }
        // A permutation of a single vector is one of the matrix's columns.
        let order = x.order.clone();
        let column = |i: usize| order.as_ref().map_or(i, |o| o[i] as usize);
        let rows = integer_rows(name, &d.weights, d.outputs, &d.bias, |i| {
            let c = column(i);
            (x.real.scale_of(c).clone(), x.real.offset_of(c).clone())
        })?;
        let mut matrix = rows.matrix;
        if order.is_some() {
            let mut data = vec![0; matrix.data.len()];
            for r in 0..matrix.rows {
                for c in 0..matrix.cols {
                    data[r * matrix.cols + column(c)] = matrix.data[r * matrix.cols + c];
                }
            }
            matrix.data = data;
        }
        let new = self.int.add(name, name, IntOp::Dense(matrix.into()), &[x.node()?], rows.real)?;
        Ok(self.integer(new, shape))
    }

    /// A convolution.
    pub(super) fn conv(&mut self, id: NodeId, name: &str, conv: &Conv) -> Result<Value, Diag> {
        let shape = self.net.shape(id).to_vec();
        let x = self.input(id, 0)?;
        let mut x = self.materialize(name, x)?;
        let input = value::image(&x.shape);
        let padded = conv.window.pads != [0; 4];
        if !input[2].is_multiple_of(x.real.channels()) || padded && !value::has_integer_zero(&x.real) {
            x = self.common_scale(name, x)?;
        }
        let group = conv.in_channels / conv.groups;
        let per_group = conv.out_channels / conv.groups;
        let taps = conv.window.kernel[0] * conv.window.kernel[1];
        let mut data = Vec::with_capacity(conv.weights.values.len());
        let mut real = Affine { scale: Vec::new(), offset: Vec::new() };
        // Group by group, since the scales of the input channels may differ.
        for g in 0..conv.groups {
            let per = taps * group;
            let range = g * per_group * per..(g + 1) * per_group * per;
            let scale = conv
                .weights
                .scale
                .as_ref()
                .map(|s| if s.len() == 1 { s.clone() } else { s[g * per_group..(g + 1) * per_group].to_vec() });
            let weights = Weights { values: conv.weights.values[range].to_vec(), scale };
            let bias = if conv.bias.is_empty() { &[][..] } else { &conv.bias[g * per_group..(g + 1) * per_group] };
            let rows = integer_rows(name, &weights, per_group, bias, |i| {
                let c = g * group + i % group;
                (x.real.scale_of(c).clone(), x.real.offset_of(c).clone())
            })?;
            data.extend(rows.matrix.data);
            for r in 0..per_group {
                real.scale.push(rows.real.scale_of(r).clone());
                real.offset.push(rows.real.offset_of(r).clone());
            }
        }
        let real = compact_affine(real);
        let weights = Matrix { rows: conv.out_channels, cols: taps * group, data };
        let pad = value::zero_of(&x.real);
        if conv.window.kernel == [1, 1] && conv.window.stride == [1, 1] && !padded && conv.groups == 1 {
            let new = self.int.add(name, name, IntOp::Dense(weights.into()), &[x.node()?], real)?;
            return Ok(self.integer(new, shape));
        }
        if conv.groups > 1 && !conv.is_depthwise() {
            return self.grouped(name, &x, conv, (weights, real, pad), shape);
        }
        let op = IntConv { input, window: conv.window, groups: conv.groups, weights: weights.into(), pad };
        let new = self.int.add(name, name, IntOp::Conv(op), &[x.node()?], real)?;
        Ok(self.integer(new, shape))
    }

    /// A convolution of several groups of several channels each: one convolution a group, then their concatenation.
    fn grouped(
        &mut self,
        name: &str,
        x: &Value,
        conv: &Conv,
        (weights, real, pad): (Matrix, Affine, Vec<i64>),
        shape: Vec<usize>,
    ) -> Result<Value, Diag> {
        let [h, w, channels] = value::image(&x.shape);
        let (group, rows) = (channels / conv.groups, conv.out_channels / conv.groups);
        let mut parts = Vec::with_capacity(conv.groups);
        for g in 0..conv.groups {
            let slice = Slice { axis: 2, start: g * group, count: group, step: 1 };
            let part = self.slice_node(&format!("{name}_in{g}"), x, &[h, w, channels], 2, slice)?;
            let range = g * rows * weights.cols..(g + 1) * rows * weights.cols;
            let own = Matrix { rows, cols: weights.cols, data: weights.data[range].to_vec() };
            let pick = |v: &[Rat]| (0..rows).map(|r| v[(g * rows + r) % v.len()].clone()).collect();
            let meaning = compact_affine(Affine { scale: pick(&real.scale), offset: pick(&real.offset) });
            let op = IntOp::Conv(IntConv {
                input: [h, w, group],
                window: conv.window,
                groups: 1,
                weights: own.into(),
                pad: (0..group).map(|c| pad[(g * group + c) % pad.len()]).collect(),
            });
            parts.push(self.int.add(&format!("{name}_group{g}"), name, op, &[part.node()?], meaning)?);
        }
        let part_shape = vec![shape[0], shape[1], rows];
        let op = IntOp::Concat { axis: 2, shapes: vec![part_shape; conv.groups] };
        let new = self.int.add(name, name, op, &parts, real)?;
        Ok(self.integer(new, shape))
    }
}

/// Integer weights of every row: `sum_i w[r][i] * (scale_i * q_i + offset_i) + bias[r]` becomes
/// `real.scale[r] * (sum_i W[r][i] * q_i) + real.offset[r]`, exactly.
fn integer_rows(
    name: &str,
    weights: &Weights,
    rows: usize,
    bias: &[f64],
    input: impl Fn(usize) -> (Rat, Rat),
) -> Result<Rows, Diag> {
    let Some(scales) = &weights.scale else {
        return Err(Diag::internal(name, "weights without a number format"));
    };
    let cols = weights.values.len() / rows.max(1);
    let inputs: Vec<(Rat, Rat)> = (0..cols).map(input).collect();
    let uniform = inputs.windows(2).all(|w| w[0].0 == w[1].0);
    let offsets = inputs.iter().any(|(_, o)| !o.is_zero());
    let exact = |v: f64| rat::from_f64(v).unwrap_or_else(Rat::zero);
    let mut data = vec![0i64; rows * cols];
    let (mut scale, mut offset) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    let too_fine = || {
        Diag::new(
            Code::Unsupported,
            name,
            format!("its weights need more than {WEIGHT_BITS} bits on the grid of its input"),
        )
        .help("quantize its input per tensor instead of per channel")
    };
    for r in 0..rows {
        let step = scales[r % scales.len()];
        let row = &weights.values[r * cols..(r + 1) * cols];
        let out = &mut data[r * cols..(r + 1) * cols];
        let mut grid = exact(step);
        for (o, w) in out.iter_mut().zip(row) {
            // Whole multiples of the step (verified), so the quotient is exact.
            *o = (w / step).round_ties_even().to_i64().ok_or_else(too_fine)?;
        }
        if uniform {
            grid *= inputs.first().map_or_else(Rat::one, |i| i.0.clone());
        } else {
            let mut common = Rat::zero();
            for (o, (s, _)) in out.iter().zip(&inputs) {
                if *o != 0 {
                    common = rat::gcd(&common, s);
                }
            }
            if common.is_zero() {
                common = Rat::one();
            }
            for (o, (s, _)) in out.iter_mut().zip(&inputs) {
                if *o != 0 {
                    let factor = rat::to_i64(&(s / &common)).ok_or_else(too_fine)?;
                    *o = o.checked_mul(factor).filter(|v| v.abs() < 1 << WEIGHT_BITS).ok_or_else(too_fine)?;
                }
            }
            grid *= common;
        }
        let mut constant = bias.get(r).map_or_else(Rat::zero, |b| exact(*b));
        if offsets {
            for (w, (_, o)) in row.iter().zip(&inputs) {
                constant += exact(*w) * o;
            }
        }
        scale.push(grid);
        offset.push(constant);
    }
    Ok(Rows { matrix: Matrix { rows, cols, data }, real: compact_affine(Affine { scale, offset }) })
}
