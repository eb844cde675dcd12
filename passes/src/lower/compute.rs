//! Modules that compute.

use super::build::{Builder, Tap};
use super::lanes_at_least;
use super::wide::{self, Wide};
use crate::fold::Compute;
use crate::realize::Realized;
use netfold_ir::diag::Diag;
use netfold_ir::graph::NodeId;
use netfold_ir::hw::{BroadcastOp, Kind, Matrix, ModuleId, Multiplier, Mvu, Realization, ReduceOp, Swu, Vvu, latency};
use netfold_ir::int::{IntConv, Range};
use netfold_ir::net::Window;
use netfold_ir::quant::IntType;
use std::sync::Arc;

/// A matrix product.
pub(super) fn dense(b: &mut Builder<'_>, id: NodeId, x: Tap, weights: Arc<Matrix>) -> Tap {
    let f = b.folding.compute(id, weights.rows, weights.cols);
    let vectors = x.elements / weights.cols;
    let pixels = if f.simd == weights.cols { Wide::vectors(vectors, f.pixels).map_or(1, |w| w.windows) } else { 1 };
    let mvu = unit(b, id, &f, weights, vectors, pixels);
    b.feed(id, x, mvu, 0);
    b.node_result(id, mvu)
}

/// A matrix-vector unit with a folding.
fn unit(b: &mut Builder<'_>, id: NodeId, f: &Compute, weights: Arc<Matrix>, vectors: usize, pixels: usize) -> ModuleId {
    let &Compute { pe, simd, early, multiplier, memory, .. } = f;
    let mvu = Mvu { weights, pe, simd, vectors, early, pixels, multiplier, memory };
    let module = b.module(id, "", Kind::Mvu(mvu));
    b.units.push((id, module));
    module
}

/// A convolution: padding that a delay line cannot express, the window, the products.
pub(super) fn conv(b: &mut Builder<'_>, id: NodeId, x: Tap, conv: &IntConv) -> Result<Tap, Diag> {
    let channels = conv.input[2];
    let taps = conv.window.kernel[0] * conv.window.kernel[1];
    if conv.is_depthwise() {
        let multiplicity = conv.weights.rows / channels;
        let f = b.folding.compute(id, channels, taps);
        let wide = Wide::new(conv.input, &conv.window, f.pixels);
        let (windows, times) = match &wide {
            Some(w) => (wide::windows(b, id, x, (&conv.window, channels), w, &conv.pad, taps), w.windows),
            None => (window(b, id, x, conv.input, &conv.window, &conv.pad, f.pe), 1),
        };
        let pixels = windows.elements / (taps * channels * times);
        // Neighbouring pixels are further channels with the same weights.
        let weights = if times == 1 { conv.weights.clone() } else { Arc::new(wide::repeated(&conv.weights, times)) };
        let kind = Kind::Vvu(Vvu {
            weights,
            multiplicity,
            pe: f.pe * times,
            simd: f.simd,
            pixels,
            multiplier: f.multiplier,
            memory: f.memory,
        });
        let vvu = b.module(id, "", kind);
        b.feed(id, windows, vvu, 0);
        return Ok(b.node_result(id, vvu));
    }
    if conv.groups > 1 {
        return Err(Diag::internal(&b.net.graph.node(id).name, "a grouped convolution that was not split"));
    }
    let cols = taps * channels;
    let f = b.folding.compute(id, conv.weights.rows, cols);
    if let Some(w) = Wide::new(conv.input, &conv.window, f.pixels) {
        let windows = wide::windows(b, id, x, (&conv.window, channels), &w, &conv.pad, cols / f.simd);
        let vectors = windows.elements / cols;
        let mvu = unit(b, id, &f, conv.weights.clone(), vectors, w.windows);
        b.feed(id, windows, mvu, 0);
        return Ok(b.node_result(id, mvu));
    }
    let lanes = f.window_lanes.unwrap_or_else(|| lanes_at_least(channels, f.simd.div_ceil(taps)));
    let windows = window(b, id, x, conv.input, &conv.window, &conv.pad, lanes);
    let weights =
        if b.alone { conv.weights.clone() } else { Arc::new(window_order(&conv.weights, taps, channels, lanes)) };
    let vectors = windows.elements / cols;
    let mvu = unit(b, id, &f, weights, vectors, 1);
    b.feed(id, windows, mvu, 0);
    Ok(b.node_result(id, mvu))
}

/// Columns `[tap][channel]` in the order in which windows arrive: `[channel group][tap][channel of the group]`.
fn window_order(w: &Matrix, taps: usize, channels: usize, lanes: usize) -> Matrix {
    let mut data = Vec::with_capacity(w.data.len());
    for r in 0..w.rows {
        let row = w.row(r);
        for group in 0..channels / lanes {
            for t in 0..taps {
                data.extend_from_slice(&row[t * channels + group * lanes..][..lanes]);
            }
        }
    }
    Matrix { rows: w.rows, cols: w.cols, data }
}

/// The windows of an image, `lanes` channels at a time.
pub(super) fn window(
    b: &mut Builder<'_>,
    id: NodeId,
    x: Tap,
    input: [usize; 3],
    window: &Window,
    pad: &[i64],
    lanes: usize,
) -> Tap {
    let [mut h, mut w, channels] = input;
    let mut window = *window;
    let mut x = x;
    let extent = window.extent();
    // Padding beyond what windows of the delay line can mask is inserted as pixels.
    if (0..2).any(|a| window.pads[a] + window.pads[a + 2] >= extent[a]) {
        x = pad_pixels(b, id, x, [h, w, channels], window.pads, pad, lanes);
        (h, w) = (h + window.pads[0] + window.pads[2], w + window.pads[1] + window.pads[3]);
        window.pads = [0; 4];
    }
    let output = [0, 1].map(|a| {
        let padded = [h, w][a] + window.pads[a] + window.pads[a + 2];
        (padded - extent[a]) / window.stride[a] + 1
    });
    let taps = window.kernel[0] * window.kernel[1];
    let ty = with_value(x.ty, pad, window.pads != [0; 4]);
    let depth = w * (channels / lanes);
    let swu = Swu {
        size: [h, w],
        channels,
        lanes,
        window,
        output,
        pad: every_channel(pad, channels),
        memory: latency::default_memory(depth, lanes * ty.bits as usize),
        given: None,
    };
    let module = b.module(id, "window", Kind::Swu(swu));
    b.feed(id, x, module, 0);
    b.result(module, ty, output[0] * output[1] * channels * taps)
}

/// One value, or one for each of `channels`.
pub(super) fn every_channel(values: &[i64], channels: usize) -> Vec<i64> {
    if values.len() == 1 { values.to_vec() } else { (0..channels).map(|c| values[c % values.len()]).collect() }
}

/// The type that also holds the padding value.
pub(super) fn with_value(ty: IntType, pad: &[i64], padded: bool) -> IntType {
    if !padded {
        return ty;
    }
    let (lo, hi) = pad.iter().fold((ty.min(), ty.max()), |(lo, hi), p| (lo.min(*p), hi.max(*p)));
    IntType::containing(lo, hi)
}

/// Constant pixels around an image.
pub(super) fn pad_pixels(
    b: &mut Builder<'_>,
    id: NodeId,
    x: Tap,
    [h, w, c]: [usize; 3],
    pads: [usize; 4],
    value: &[i64],
    lanes: usize,
) -> Tap {
    let ty = with_value(x.ty, value, true);
    let kind = Kind::Pad { size: [h, w], chunks: c / lanes, pads, value: every_channel(value, c), lanes };
    let module = b.module(id, "pad", kind);
    b.feed(id, x, module, 0);
    b.result(module, ty, (h + pads[0] + pads[2]) * (w + pads[1] + pads[3]) * c)
}

/// Lanes with which per-channel parameters of a period can be applied to a stream, as near to `lanes` as possible.
fn parameter_lanes(elements: usize, period: usize, lanes: usize) -> usize {
    let fits = |l: usize| period == 1 || period.is_multiple_of(l) || l.is_multiple_of(period);
    if fits(lanes) {
        return lanes;
    }
    let above = crate::fold::divisors(elements).into_iter().find(|l| *l >= lanes && fits(*l));
    above.unwrap_or(1)
}

/// A function of one element, at the width at which it arrives.
pub(super) fn step(b: &mut Builder<'_>, id: NodeId, x: Tap, realized: &Realized) -> Tap {
    let mut x = x;
    if !realized.shift_input.is_empty() {
        let range = &b.net.graph.node(b.net.graph.inputs(id)[0]).range;
        let n = num_integer::lcm(range.0.len(), realized.shift_input.len());
        let moved = (0..n).map(|i| {
            let (lo, hi) = range.of(i);
            let s = realized.shift_input[i % realized.shift_input.len()];
            (lo + s, hi + s)
        });
        let ty = Range(moved.collect()).ty();
        let lanes = parameter_lanes(x.elements, realized.shift_input.len(), x.lanes);
        let kind = Kind::LinComb {
            coefficients: vec![vec![1]],
            constant: realized.shift_input.clone(),
            lanes,
            beats: x.elements / lanes,
        };
        let module = b.module(id, "shift", kind);
        let elements = x.elements;
        b.feed(id, x, module, 0);
        x = b.result(module, ty, elements);
    }
    let lanes = parameter_lanes(x.elements, realized.function.period(), x.lanes);
    act(b, id, "", x, lanes, Arc::new(realized.function.clone()))
}

/// An activation module.
fn act(b: &mut Builder<'_>, id: NodeId, what: &str, x: Tap, lanes: usize, function: Arc<Realization>) -> Tap {
    let module = b.module(id, what, Kind::Act { function, lanes, beats: x.elements / lanes });
    b.feed(id, x, module, 0);
    b.node_result(id, module)
}

/// A linear combination of streams.
pub(super) fn lincomb(
    b: &mut Builder<'_>,
    id: NodeId,
    taps: Vec<Tap>,
    coefficients: &[Vec<i64>],
    constant: &[i64],
) -> Tap {
    let elements = taps[0].elements;
    let period = coefficients.iter().map(Vec::len).chain([constant.len()]).fold(1, num_integer::lcm);
    let lanes =
        parameter_lanes(elements, period, b.folding.join_lanes(id, &taps.iter().map(|t| t.lanes).collect::<Vec<_>>()));
    let kind = Kind::LinComb {
        coefficients: coefficients.to_vec(),
        constant: constant.to_vec(),
        lanes,
        beats: elements / lanes,
    };
    let module = b.module(id, "", kind);
    for (port, tap) in taps.into_iter().enumerate() {
        b.feed(id, tap, module, port);
    }
    b.node_result(id, module)
}

/// An element-wise product.
pub(super) fn mul(b: &mut Builder<'_>, id: NodeId, taps: Vec<Tap>) -> Tap {
    let elements = taps[0].elements;
    let lanes = b.folding.join_lanes(id, &taps.iter().map(|t| t.lanes).collect::<Vec<_>>());
    let dsp = b.folding.compute(id, 1, 1).multiplier.is_dsp();
    let multiplier = if dsp { Multiplier::Dsp } else { Multiplier::Lut };
    let module = b.module(id, "", Kind::Mul { multiplier, lanes, beats: elements / lanes });
    for (port, tap) in taps.into_iter().enumerate() {
        b.feed(id, tap, module, port);
    }
    b.node_result(id, module)
}

/// A reduction over windows.
pub(super) fn pool(
    b: &mut Builder<'_>,
    id: NodeId,
    x: Tap,
    op: ReduceOp,
    input: [usize; 3],
    shape: &Window,
    pad: &[i64],
) -> Tap {
    let taps = shape.kernel[0] * shape.kernel[1];
    let (windows, lanes) = match b.folding.wide(id, input, shape) {
        Some(w) => (wide::windows(b, id, x, (shape, input[2]), &w, pad, taps), w.windows * input[2]),
        None => {
            let lanes = b.folding.channel_lanes(id, input[2], x.lanes);
            (window(b, id, x, input, shape, pad, lanes), lanes)
        }
    };
    if taps == 1 {
        return windows;
    }
    let beats = windows.elements / (taps * lanes);
    let module = b.module(id, "", Kind::WindowReduce { op, taps, lanes, beats });
    b.feed(id, windows, module, 0);
    b.node_result(id, module)
}

/// A reduction over all pixels.
pub(super) fn global(b: &mut Builder<'_>, id: NodeId, x: Tap, op: ReduceOp, channels: usize) -> Tap {
    let lanes = b.folding.channel_lanes(id, channels, x.lanes);
    let pixels = x.elements / channels;
    let module = b.module(id, "", Kind::GlobalReduce { op, pixels, channels, lanes });
    b.feed(id, x, module, 0);
    b.node_result(id, module)
}

/// A reduction of vectors.
pub(super) fn vector(b: &mut Builder<'_>, id: NodeId, x: Tap, op: ReduceOp, length: usize) -> Tap {
    let lanes = b.folding.dividing_lanes(id, length, x.lanes);
    let module = b.module(id, "", Kind::VectorReduce { op, length, lanes, vectors: x.elements / length });
    b.feed(id, x, module, 0);
    b.node_result(id, module)
}

/// Index of the largest element.
pub(super) fn argmax(b: &mut Builder<'_>, id: NodeId, x: Tap, last: bool, length: usize) -> Tap {
    let lanes = b.folding.dividing_lanes(id, length, x.lanes);
    let module = b.module(id, "", Kind::ArgMax { last, length, lanes, vectors: x.elements / length });
    b.feed(id, x, module, 0);
    b.node_result(id, module)
}

/// Vector with scalar.
pub(super) fn broadcast(b: &mut Builder<'_>, id: NodeId, taps: Vec<Tap>, op: BroadcastOp, length: usize) -> Tap {
    let lanes = b.folding.dividing_lanes(id, length, taps[0].lanes);
    let module = b.module(id, "", Kind::Broadcast { op, length, lanes, vectors: taps[0].elements / length });
    for (port, tap) in taps.into_iter().enumerate() {
        b.feed(id, tap, module, port);
    }
    b.node_result(id, module)
}
