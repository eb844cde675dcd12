//! Sums, products and concatenations of branches.

use super::value::Value;
use super::{Context, compact_affine};
use netfold_ir::diag::{Code, Diag};
use netfold_ir::graph::NodeId;
use netfold_ir::int::{IntOp, compact};
use netfold_ir::net::{Affine, Sum, elements};
use netfold_ir::rat::{self, Rat};
use num_traits::{One, Zero};

impl Context<'_> {
    /// The inputs of a join in one common order; `None` for the natural one.
    fn aligned(&mut self, id: NodeId, name: &str) -> Result<Vec<Value>, Diag> {
        let count = self.net.graph.inputs(id).len();
        let mut values = Vec::with_capacity(count);
        for port in 0..count {
            let x = self.input(id, port)?;
            values.push(self.settled(name, x)?);
        }
        let same = values.windows(2).all(|w| w[0].order == w[1].order && w[0].natural == w[1].natural);
        if !same {
            for v in &mut values {
                *v = self.materialize(name, v.clone())?;
            }
        }
        Ok(values)
    }

    /// `sum (+/-) x_i` on the common grid of all scales.
    pub(super) fn sum(&mut self, id: NodeId, name: &str, sum: &Sum) -> Result<Value, Diag> {
        let values = self.aligned(id, name)?;
        let n = values.iter().fold(1, |n, v| num_integer::lcm(n, v.real.channels()));
        let (mut scale, mut offset) = (Vec::with_capacity(n), Vec::with_capacity(n));
        let mut coefficients = vec![Vec::with_capacity(n); values.len()];
        for c in 0..n {
            let mut grid = values.iter().fold(Rat::zero(), |g, v| rat::gcd(&g, v.real.scale_of(c)));
            if grid.is_zero() {
                grid = Rat::one();
            }
            let mut constant = Rat::zero();
            for ((v, negate), k) in values.iter().zip(&sum.negate).zip(&mut coefficients) {
                let sign = if *negate { -Rat::one() } else { Rat::one() };
                let factor = rat::to_i64(&(v.real.scale_of(c) / &grid * &sign)).filter(|f| f.abs() < 1 << 40);
                let factor = factor.ok_or_else(|| {
                    Diag::new(Code::Unsupported, name, "the number formats of its inputs have no common grid")
                        .help("give both inputs the same scale")
                })?;
                k.push(factor);
                constant += v.real.offset_of(c) * &sign;
            }
            scale.push(grid);
            offset.push(constant);
        }
        let real = compact_affine(Affine { scale, offset });
        let coefficients = coefficients.into_iter().map(compact).collect();
        let nodes: Result<Vec<NodeId>, Diag> = values.iter().map(Value::node).collect();
        let new = self.int.add(name, name, IntOp::LinComb { coefficients, constant: vec![0] }, &nodes?, real)?;
        let mut out = self.integer(new, self.net.shape(id).to_vec());
        out.natural.clone_from(&values[0].natural);
        out.order.clone_from(&values[0].order);
        Ok(out)
    }

    /// Element-wise product; offsets are removed first.
    pub(super) fn product(&mut self, id: NodeId, name: &str) -> Result<Value, Diag> {
        let mut values = self.aligned(id, name)?;
        for v in &mut values {
            if v.real.offset.iter().any(|o| !o.is_zero()) {
                *v = self.common_scale(name, v.clone())?;
            }
        }
        let n = num_integer::lcm(values[0].real.channels(), values[1].real.channels());
        let scale = (0..n).map(|c| values[0].real.scale_of(c) * values[1].real.scale_of(c)).collect();
        let real = compact_affine(Affine { scale, offset: vec![Rat::zero()] });
        let new = self.int.add(name, name, IntOp::Mul, &[values[0].node()?, values[1].node()?], real)?;
        let mut out = self.integer(new, self.net.shape(id).to_vec());
        out.natural.clone_from(&values[0].natural);
        out.order.clone_from(&values[0].order);
        Ok(out)
    }

    /// Concatenation. In another order than the natural one it is still a concatenation along some axis of the sources, followed
    /// by a permutation, which stays pending.
    pub(super) fn concat(&mut self, id: NodeId, name: &str, axis: usize) -> Result<Value, Diag> {
        let mut values = Vec::new();
        for port in 0..self.net.graph.inputs(id).len() {
            let x = self.input(id, port)?;
            values.push(self.settled(name, x)?);
        }
        let shape = self.net.shape(id).to_vec();
        let permuted = values.iter().any(|v| v.order.is_some());
        // Sources that agree on all but their last axis are concatenated along it.
        let along_last = permuted
            && values.iter().all(|v| {
                let (a, b) = (&v.natural, &values[0].natural);
                a.len() == b.len() && !a.is_empty() && a[..a.len() - 1] == b[..b.len() - 1]
            });
        if !along_last {
            for v in &mut values {
                *v = self.materialize(name, v.clone())?;
                v.natural.clone_from(&v.shape);
            }
        }
        let source_axis = if along_last { values[0].natural.len() - 1 } else { axis };
        let shapes: Vec<Vec<usize>> = values.iter().map(|v| v.natural.clone()).collect();
        let mut joined = shapes[0].clone();
        joined[source_axis] = shapes.iter().map(|s| s[source_axis]).sum();
        let placed = places(&shapes, source_axis);
        let real = joined_real(&values, &placed, elements(&joined));
        let nodes: Result<Vec<NodeId>, Diag> = values.iter().map(Value::node).collect();
        let op = IntOp::Concat { axis: source_axis, shapes };
        let new = self.int.add(name, name, op, &nodes?, real)?;
        let mut out = self.integer(new, joined.clone());
        out.natural = joined;
        if along_last {
            // Where element i of the wanted tensor lies: part, element of the part, its place in the source, its place in the join.
            let wanted: Vec<Vec<usize>> = values.iter().map(|v| v.shape.clone()).collect();
            let mut order = vec![0usize; elements(&shape)];
            for ((v, own), place) in values.iter().zip(places(&wanted, axis)).zip(&placed) {
                for (e, &at) in own.iter().enumerate() {
                    let source = v.order.as_ref().map_or(e, |o| o[e] as usize);
                    order[at] = place[source];
                }
            }
            out = out.permuted(&order, shape);
        } else {
            out.shape = shape;
        }
        Ok(out)
    }
}

/// For each part the flat index in the concatenation of its every element.
fn places(shapes: &[Vec<usize>], axis: usize) -> Vec<Vec<usize>> {
    let inner: usize = shapes[0][axis + 1..].iter().product();
    let total: usize = shapes.iter().map(|s| s[axis]).sum::<usize>() * inner;
    let mut start = 0;
    let mut out = Vec::new();
    for s in shapes {
        let len = s[axis] * inner;
        out.push((0..elements(s)).map(|e| e / len * total + start + e % len).collect());
        start += len;
    }
    out
}

/// Affine meaning of a concatenation.
fn joined_real(values: &[Value], places: &[Vec<usize>], n: usize) -> Affine {
    if values.iter().all(|v| v.real.channels() == 1 && v.real == values[0].real) {
        return values[0].real.clone();
    }
    let mut scale = vec![Rat::one(); n];
    let mut offset = vec![Rat::zero(); n];
    for (v, place) in values.iter().zip(places) {
        for (e, &at) in place.iter().enumerate() {
            scale[at] = v.real.scale_of(e).clone();
            offset[at] = v.real.offset_of(e).clone();
        }
    }
    compact_affine(Affine { scale, offset })
}
