//! Shapes and exact intervals of integer operators.

use super::{IntNode, IntOp, LIMIT, Range};
use crate::diag::{Code, Diag};
use crate::hw::{BroadcastOp, Matrix, ReduceOp};
use crate::net::{Shape, elements};

/// Result shape and range of `op`. Fails when a value could reach 2^62 or lengths disagree.
pub(super) fn infer(name: &str, op: &IntOp, inputs: &[&IntNode]) -> Result<(Shape, Range), Diag> {
    let wide = || {
        Diag::new(Code::Unsupported, name, "a value of this layer could need more than 62 bits")
            .help("give its inputs or weights a lower precision")
    };
    let mismatch = |what: &str| Diag::internal(name, format!("{} does not match its inputs: {what}", op.kind()));
    let first = || inputs.first().copied().ok_or_else(|| mismatch("none given"));
    let same = |node: &IntNode| (node.shape.clone(), node.range.clone());
    let (shape, range) = match op {
        IntOp::Input => return Err(mismatch("inputs are not inferred")),
        IntOp::Dense(w) => {
            let x = first()?;
            if w.cols == 0 || !x.elements().is_multiple_of(w.cols) || x.shape.is_empty() {
                return Err(mismatch("columns"));
            }
            let rows = dense_range(w, |c| vector_interval(&x.range, c, w.cols)).ok_or_else(wide)?;
            let vectors = x.elements() / w.cols;
            let shape = if vectors == 1 { vec![w.rows] } else { vec![vectors, w.rows] };
            (shape, Range(rows))
        }
        IntOp::Conv(conv) => {
            let x = first()?;
            let [h, w, channels] = conv.input;
            if x.elements() != h * w * channels {
                return Err(mismatch("image size"));
            }
            let [oh, ow] = conv.window.output(name, [h, w])?;
            let padded = conv.window.pads != [0; 4];
            let group = channels / conv.groups;
            let per_group = conv.weights.rows / conv.groups;
            let mut rows = Vec::with_capacity(conv.weights.rows);
            for r in 0..conv.weights.rows {
                let base = (r / per_group) * group;
                let interval = row_interval(conv.weights.row(r), |c| {
                    let channel = base + c % group;
                    let (lo, hi) = vector_interval(&x.range, channel, channels);
                    let p = conv.pad[channel % conv.pad.len()];
                    if padded { (lo.min(p), hi.max(p)) } else { (lo, hi) }
                });
                rows.push(interval.ok_or_else(wide)?);
            }
            (vec![oh, ow, conv.weights.rows], Range(rows))
        }
        IntOp::Step(f) => {
            let x = first()?;
            (x.shape.clone(), f.output_range(&x.range))
        }
        IntOp::LinComb { coefficients, constant } => {
            let x = first()?;
            if inputs.len() != coefficients.len() || inputs.iter().any(|n| n.elements() != x.elements()) {
                return Err(mismatch("sizes"));
            }
            let period = period(
                inputs.iter().map(|n| n.range.0.len()).chain(coefficients.iter().map(Vec::len)).chain([constant.len()]),
                x.elements(),
            );
            let mut out = Vec::with_capacity(period);
            for i in 0..period {
                let k = constant[i % constant.len()];
                let mut sum = (i128::from(k), i128::from(k));
                for (n, c) in inputs.iter().zip(coefficients) {
                    let (lo, hi) = product((c[i % c.len()], c[i % c.len()]), n.range.of(i));
                    sum = (sum.0 + lo, sum.1 + hi);
                }
                out.push(narrow(sum).ok_or_else(wide)?);
            }
            (x.shape.clone(), Range(out))
        }
        IntOp::Mul => {
            let [a, b] = inputs else { return Err(mismatch("two needed")) };
            if a.elements() != b.elements() {
                return Err(mismatch("sizes"));
            }
            let period = period([a.range.0.len(), b.range.0.len()].into_iter(), a.elements());
            let out: Option<Vec<_>> = (0..period).map(|i| narrow(product(a.range.of(i), b.range.of(i)))).collect();
            (a.shape.clone(), Range(out.ok_or_else(wide)?))
        }
        IntOp::Pool { op, input: [h, w, c], window, pad } => {
            let x = first()?;
            if x.elements() != h * w * c {
                return Err(mismatch("image size"));
            }
            let [oh, ow] = window.output(name, [*h, *w])?;
            let taps = window.kernel[0] * window.kernel[1];
            let padded = window.pads != [0; 4];
            let out: Option<Vec<_>> = (0..*c)
                .map(|i| {
                    let (lo, hi) = vector_interval(&x.range, i, *c);
                    let p = pad[i % pad.len()];
                    match op {
                        // Every window holds at least one pixel of the image, so padding never raises the minimum.
                        ReduceOp::Max => Some((lo, hi)),
                        ReduceOp::Sum => {
                            let (lo, hi) = if padded { (lo.min(p), hi.max(p)) } else { (lo, hi) };
                            narrow((i128::from(lo) * taps as i128, i128::from(hi) * taps as i128))
                        }
                    }
                })
                .collect();
            (vec![oh, ow, *c], Range(out.ok_or_else(wide)?))
        }
        IntOp::GlobalReduce { op, channels } => {
            let x = first()?;
            if *channels == 0 || !x.elements().is_multiple_of(*channels) {
                return Err(mismatch("channels"));
            }
            let pixels = x.elements() / channels;
            let out: Option<Vec<_>> =
                (0..*channels).map(|i| reduce(*op, vector_interval(&x.range, i, *channels), pixels)).collect();
            (vec![*channels], Range(out.ok_or_else(wide)?))
        }
        IntOp::VectorReduce { op, length } => {
            let x = first()?;
            let shape = scalar_per_vector(x, *length).ok_or_else(|| mismatch("vector length"))?;
            let r = reduce(*op, x.range.hull(), *length).ok_or_else(wide)?;
            (shape, Range(vec![r]))
        }
        IntOp::ArgMax { length, .. } => {
            let x = first()?;
            let shape = scalar_per_vector(x, *length).ok_or_else(|| mismatch("vector length"))?;
            (shape, Range::uniform(0, *length as i64 - 1))
        }
        IntOp::Broadcast { op, length } => {
            let [x, s] = inputs else { return Err(mismatch("two needed")) };
            if *length == 0 || x.elements() != s.elements() * length {
                return Err(mismatch("vector length"));
            }
            let (xr, sr) = (x.range.hull(), s.range.hull());
            let r = match op {
                BroadcastOp::RSub => (i128::from(sr.0) - i128::from(xr.1), i128::from(sr.1) - i128::from(xr.0)),
                BroadcastOp::Mul => product(xr, sr),
            };
            (x.shape.clone(), Range(vec![narrow(r).ok_or_else(wide)?]))
        }
        IntOp::Concat { axis, shapes } => {
            if inputs.len() != shapes.len() || inputs.iter().zip(shapes).any(|(n, s)| n.elements() != elements(s)) {
                return Err(mismatch("sizes"));
            }
            let mut shape = shapes[0].clone();
            shape[*axis] = shapes.iter().map(|s| s[*axis]).sum();
            let range = if *axis + 1 == shape.len() {
                let mut all = Vec::new();
                for (n, s) in inputs.iter().zip(shapes) {
                    let c = s[*axis];
                    all.extend((0..c).map(|i| vector_interval(&n.range, i, c)));
                }
                Range(all)
            } else {
                hull_of(inputs, shape.last().copied().unwrap_or(1))
            };
            (shape, range)
        }
        IntOp::Slice { outer, size, inner, start, count, step, shape } => {
            let x = first()?;
            if x.elements() != outer * size * inner || elements(shape) != outer * count * inner {
                return Err(mismatch("sizes"));
            }
            let range = if *inner == 1 {
                Range((0..*count).map(|k| vector_interval(&x.range, start + k * step, *size)).collect())
            } else {
                hull_of(inputs, shape.last().copied().unwrap_or(1))
            };
            (shape.clone(), range)
        }
        IntOp::Permute { order, shape } => {
            let x = first()?;
            if x.elements() != order.len() || elements(shape) != order.len() {
                return Err(mismatch("sizes"));
            }
            let range = if x.range.0.len() == 1 {
                x.range.clone()
            } else {
                Range(order.iter().map(|&o| x.range.of(o as usize)).collect())
            };
            (shape.clone(), range)
        }
        IntOp::Pad { input: [h, w, c], pads, value } => {
            let x = first()?;
            if x.elements() != h * w * c {
                return Err(mismatch("image size"));
            }
            let range = (0..*c)
                .map(|i| {
                    let (lo, hi) = vector_interval(&x.range, i, *c);
                    let v = value[i % value.len()];
                    (lo.min(v), hi.max(v))
                })
                .collect();
            (vec![h + pads[0] + pads[2], w + pads[1] + pads[3], *c], Range(range))
        }
        IntOp::Upsample { input: [h, w, c], factors } => {
            let x = first()?;
            if x.elements() != h * w * c {
                return Err(mismatch("image size"));
            }
            let (_, range) = same(x);
            let range = if range.0.len() > *c { hull_of(inputs, *c) } else { range };
            (vec![h * factors[0], w * factors[1], *c], range)
        }
    };
    Ok((shape, range.compact()))
}

/// Interval of column `c` of every vector of `length` elements: the hull over all vectors.
fn vector_interval(range: &Range, c: usize, length: usize) -> (i64, i64) {
    let p = range.0.len();
    if length.is_multiple_of(p) {
        return range.0[c % p];
    }
    let mut hull = range.of(c);
    for i in (c..p.max(length)).step_by(length) {
        let (lo, hi) = range.of(i);
        hull = (hull.0.min(lo), hull.1.max(hi));
    }
    if p.is_multiple_of(length) { hull } else { range.hull() }
}

/// Per-channel hull of all inputs, when their periods divide `channels`; otherwise one interval.
fn hull_of(inputs: &[&IntNode], channels: usize) -> Range {
    if inputs.iter().all(|n| channels.is_multiple_of(n.range.0.len())) {
        Range(
            (0..channels)
                .map(|c| {
                    inputs.iter().map(|n| n.range.of(c)).fold((i64::MAX, i64::MIN), |a, r| (a.0.min(r.0), a.1.max(r.1)))
                })
                .collect(),
        )
    } else {
        let hulls = inputs.iter().map(|n| n.range.hull());
        let (lo, hi) = hulls.fold((i64::MAX, i64::MIN), |a, r| (a.0.min(r.0), a.1.max(r.1)));
        Range::uniform(lo, hi)
    }
}

/// Shape with one element per vector of `length`.
fn scalar_per_vector(x: &IntNode, length: usize) -> Option<Shape> {
    if length == 0 || !x.elements().is_multiple_of(length) {
        return None;
    }
    Some(vec![x.elements() / length])
}

/// Interval of a reduction over `n` elements of one interval.
fn reduce(op: ReduceOp, (lo, hi): (i64, i64), n: usize) -> Option<(i64, i64)> {
    match op {
        ReduceOp::Max => Some((lo, hi)),
        ReduceOp::Sum => narrow((i128::from(lo) * n as i128, i128::from(hi) * n as i128)),
    }
}

/// Intervals of all rows of a matrix product.
fn dense_range(w: &Matrix, column: impl Fn(usize) -> (i64, i64)) -> Option<Vec<(i64, i64)>> {
    let columns: Vec<(i64, i64)> = (0..w.cols).map(column).collect();
    (0..w.rows).map(|r| row_interval(w.row(r), |c| columns[c])).collect()
}

/// Interval of a dot product; `None` when a partial sum in any order could reach 2^62.
fn row_interval(row: &[i64], column: impl Fn(usize) -> (i64, i64)) -> Option<(i64, i64)> {
    let (mut lo, mut hi, mut magnitude) = (0i128, 0i128, 0i128);
    for (c, &w) in row.iter().enumerate() {
        if w != 0 {
            let (l, h) = product((w, w), column(c));
            lo += l;
            hi += h;
            magnitude += l.abs().max(h.abs());
        }
    }
    if magnitude >= i128::from(LIMIT) { None } else { narrow((lo, hi)) }
}

/// Interval of a product of two intervals.
fn product(a: (i64, i64), b: (i64, i64)) -> (i128, i128) {
    let p = [(a.0, b.0), (a.0, b.1), (a.1, b.0), (a.1, b.1)].map(|(x, y)| i128::from(x) * i128::from(y));
    (p[0].min(p[1]).min(p[2]).min(p[3]), p[0].max(p[1]).max(p[2]).max(p[3]))
}

/// The interval in `i64`, when it stays below the limit.
fn narrow((lo, hi): (i128, i128)) -> Option<(i64, i64)> {
    let limit = i128::from(LIMIT);
    if lo > -limit && hi < limit { Some((lo as i64, hi as i64)) } else { None }
}

/// Common period of several per-channel vectors over `n` elements.
pub(super) fn period(lengths: impl Iterator<Item = usize>, n: usize) -> usize {
    let p = lengths.fold(1, num_integer::lcm);
    if n.is_multiple_of(p) { p } else { n }
}
