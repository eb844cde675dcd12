//! Convolutions and pools over `[H, W, C]`.

use super::dot;
use crate::net::{Conv, Pool, PoolKind, Window};

/// Position in the input of kernel element `k` of window `o` along axis `a`; `None` in the padding.
fn place(w: &Window, a: usize, o: usize, k: usize, size: usize) -> Option<usize> {
    (o * w.stride[a] + k * w.dilation[a]).checked_sub(w.pads[a]).filter(|p| *p < size)
}

/// The pixels of a window: offset of the first channel in the input, and index of the kernel element.
fn pixels(w: &Window, at: [usize; 2], shape: &[usize]) -> Vec<(usize, usize)> {
    let &[h, width, c] = shape else { return Vec::new() };
    let mut out = Vec::with_capacity(w.kernel[0] * w.kernel[1]);
    for kh in 0..w.kernel[0] {
        let Some(y) = place(w, 0, at[0], kh, h) else { continue };
        for kw in 0..w.kernel[1] {
            if let Some(x) = place(w, 1, at[1], kw, width) {
                out.push(((y * width + x) * c, kh * w.kernel[1] + kw));
            }
        }
    }
    out
}

/// Convolution with zero padding.
pub(super) fn conv(c: &Conv, x: &[f64], shape: &[usize], out: &[usize]) -> Vec<f64> {
    let &[oh, ow, channels] = out else { return Vec::new() };
    let (per_in, per_out) = (c.in_channels / c.groups, channels / c.groups);
    let taps = c.window.kernel[0] * c.window.kernel[1];
    let mut y = Vec::with_capacity(oh * ow * channels);
    for row in 0..oh {
        for column in 0..ow {
            let pixels = pixels(&c.window, [row, column], shape);
            for o in 0..channels {
                let first = o / per_out * per_in;
                let weights = &c.weights.values[o * taps * per_in..(o + 1) * taps * per_in];
                let sum: f64 = pixels
                    .iter()
                    .map(|&(at, tap)| {
                        dot(&weights[tap * per_in..(tap + 1) * per_in], &x[at + first..at + first + per_in])
                    })
                    .sum();
                y.push(sum + c.bias.get(o).copied().unwrap_or(0.0));
            }
        }
    }
    y
}

/// Max or average of every window.
pub(super) fn pool(p: &Pool, x: &[f64], shape: &[usize], out: &[usize]) -> Vec<f64> {
    let &[oh, ow, channels] = out else { return Vec::new() };
    let taps = p.window.kernel[0] * p.window.kernel[1];
    let mut y = Vec::with_capacity(oh * ow * channels);
    for row in 0..oh {
        for column in 0..ow {
            let pixels = pixels(&p.window, [row, column], shape);
            let elements = |c: usize| pixels.iter().map(move |(at, _)| x[at + c]);
            for c in 0..channels {
                y.push(match p.kind {
                    PoolKind::Max => elements(c).fold(f64::NEG_INFINITY, f64::max),
                    PoolKind::Average { include_pad } => {
                        let divisor = if include_pad { taps } else { pixels.len() };
                        elements(c).sum::<f64>() / divisor as f64
                    }
                });
            }
        }
    }
    y
}

/// Max or average over all pixels.
pub(super) fn global_pool(kind: PoolKind, x: &[f64], channels: usize) -> Vec<f64> {
    let pixels = x.len() / channels.max(1);
    (0..channels)
        .map(|c| {
            let column = x.iter().skip(c).step_by(channels);
            match kind {
                PoolKind::Max => column.copied().fold(f64::NEG_INFINITY, f64::max),
                PoolKind::Average { .. } => column.sum::<f64>() / pixels as f64,
            }
        })
        .collect()
}
