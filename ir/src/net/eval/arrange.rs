//! Operators that move elements.

use crate::net::{Pad, Slice, elements};

/// Row-major strides.
fn strides(shape: &[usize]) -> Vec<usize> {
    let mut out = vec![1; shape.len()];
    for a in (0..shape.len().saturating_sub(1)).rev() {
        out[a] = out[a + 1] * shape[a + 1];
    }
    out
}

/// Result axis `i` is input axis `perm[i]`.
pub(super) fn transpose(perm: &[usize], x: &[f64], shape: &[usize]) -> Vec<f64> {
    let own = strides(shape);
    let mut out = Vec::with_capacity(x.len());
    gather(x, &perm.iter().map(|&p| (shape[p], own[p])).collect::<Vec<_>>(), 0, &mut out);
    out
}

/// Walks (size, stride) axes row-major from `at`, appending the elements met.
fn gather(x: &[f64], axes: &[(usize, usize)], at: usize, out: &mut Vec<f64>) {
    match axes {
        [] => out.push(x[at]),
        [(size, 1)] => out.extend_from_slice(&x[at..at + size]),
        [(size, stride)] => out.extend((0..*size).map(|i| x[at + i * stride])),
        [(size, stride), rest @ ..] => (0..*size).for_each(|i| gather(x, rest, at + i * stride, out)),
    }
}

/// Concatenation along an axis.
pub(super) fn concat(parts: &[(&[f64], &[usize])], axis: usize) -> Vec<f64> {
    let before: usize = parts.first().map_or(0, |(_, s)| s[..axis].iter().product());
    let mut out = Vec::with_capacity(parts.iter().map(|(x, _)| x.len()).sum());
    for b in 0..before {
        for (x, _) in parts {
            let run = x.len() / before;
            out.extend_from_slice(&x[b * run..(b + 1) * run]);
        }
    }
    out
}

/// A strided range of one axis.
pub(super) fn slice(s: &Slice, x: &[f64], shape: &[usize]) -> Vec<f64> {
    let before: usize = shape[..s.axis].iter().product();
    let after: usize = shape[s.axis + 1..].iter().product();
    let mut out = Vec::with_capacity(before * s.count * after);
    for b in 0..before {
        for i in 0..s.count {
            let at = (b * shape[s.axis] + s.start + i * s.step) * after;
            out.extend_from_slice(&x[at..at + after]);
        }
    }
    out
}

/// Constant padding.
pub(super) fn pad(p: &Pad, x: &[f64], shape: &[usize], out: &[usize]) -> Vec<f64> {
    let mut y = vec![p.value; elements(out)];
    let to = strides(out);
    let width = shape.last().copied().unwrap_or(1).max(1);
    for (r, row) in x.chunks_exact(width).enumerate() {
        let (mut rest, mut at) = (r, 0);
        for a in (0..shape.len()).rev() {
            let index = if a + 1 == shape.len() {
                0
            } else {
                let i = rest % shape[a];
                rest /= shape[a];
                i
            };
            at += (index + p.pads[a].0) * to[a];
        }
        y[at..at + row.len()].copy_from_slice(row);
    }
    y
}

/// Every pixel becomes a block.
pub(super) fn upsample(factors: [usize; 2], x: &[f64], shape: &[usize]) -> Vec<f64> {
    let &[h, w, c] = shape else { return Vec::new() };
    let mut out = Vec::with_capacity(x.len() * factors[0] * factors[1]);
    for row in 0..h * factors[0] {
        for column in 0..w * factors[1] {
            let at = (row / factors[0] * w + column / factors[1]) * c;
            out.extend_from_slice(&x[at..at + c]);
        }
    }
    out
}
