//! Modules that only move elements.

use super::build::{Builder, Tap};
use super::{compute, lanes_within};
use netfold_ir::graph::NodeId;
use netfold_ir::hw::{Kind, latency};
use num_integer::gcd;
use std::sync::Arc;

/// Concatenation along an axis.
pub(super) fn concat(b: &mut Builder<'_>, id: NodeId, taps: Vec<Tap>, axis: usize, shapes: &[Vec<usize>]) -> Tap {
    let inner: usize = shapes[0][axis + 1..].iter().product();
    let outer: usize = shapes[0][..axis].iter().product();
    let sizes: Vec<usize> = shapes.iter().map(|s| s[axis] * inner).collect();
    let common = sizes.iter().copied().fold(0, gcd);
    let widest = taps.iter().map(|t| t.lanes).max().unwrap_or(1);
    let lanes = lanes_within(common, b.folding.lanes_or(id, widest));
    let parts = sizes.iter().map(|s| s / lanes).collect();
    let module = b.module(id, "", Kind::Concat { outer, parts, lanes });
    for (port, tap) in taps.into_iter().enumerate() {
        b.feed(id, tap, module, port);
    }
    b.node_result(id, module)
}

/// A range of one axis: whole beats where start and count allow it.
pub(super) fn slice(
    b: &mut Builder<'_>,
    id: NodeId,
    x: Tap,
    [outer, size, inner]: [usize; 3],
    [start, count, step]: [usize; 3],
) -> Tap {
    // Contiguous ranges are chunks of several indices; strided ones go index by index.
    let chunk = if step == 1 { [size, start, count].into_iter().fold(0, gcd) } else { 1 };
    let lanes = lanes_within(chunk * inner, b.folding.lanes_or(id, x.lanes));
    let kind = if inner.is_multiple_of(lanes) {
        Kind::Select { outer, size, inner: inner / lanes, start, count, step, lanes }
    } else {
        // A beat spans several indices (step is 1): count in beats of the whole axis.
        let beats = |indices: usize| indices * inner / lanes;
        Kind::Select { outer, size: beats(size), inner: 1, start: beats(start), count: beats(count), step: 1, lanes }
    };
    let module = b.module(id, "", kind);
    b.feed(id, x, module, 0);
    b.node_result(id, module)
}

/// A permutation of words, as wide as it moves whole runs.
pub(super) fn permute(b: &mut Builder<'_>, id: NodeId, x: Tap, order: &[u32]) -> Tap {
    let run = |l: usize| {
        order.chunks_exact(l).all(|c| {
            let first = c[0] as usize;
            first.is_multiple_of(l) && c.iter().enumerate().all(|(i, o)| *o as usize == first + i)
        })
    };
    let most = b.folding.lanes_or(id, x.lanes);
    let lanes = crate::fold::divisors(order.len()).into_iter().rfind(|l| *l <= most && run(*l)).unwrap_or(1);
    let words: Vec<u32> = order.iter().step_by(lanes).map(|o| *o / lanes as u32).collect();
    let memory = latency::default_memory(2 * words.len(), lanes * x.ty.bits as usize);
    let module = b.module(id, "", Kind::Reorder { order: Arc::new(words), lanes, memory });
    b.feed(id, x, module, 0);
    b.node_result(id, module)
}

/// Constant padding.
pub(super) fn pad(b: &mut Builder<'_>, id: NodeId, x: Tap, input: [usize; 3], pads: [usize; 4], value: &[i64]) -> Tap {
    let lanes = b.folding.channel_lanes(id, input[2], x.lanes);
    compute::pad_pixels(b, id, x, input, pads, value, lanes)
}

/// Nearest-neighbour upsampling.
pub(super) fn upsample(b: &mut Builder<'_>, id: NodeId, x: Tap, [h, w, c]: [usize; 3], factors: [usize; 2]) -> Tap {
    let lanes = b.folding.channel_lanes(id, c, x.lanes);
    let module = b.module(id, "", Kind::Upsample { size: [h, w], chunks: c / lanes, factors, lanes });
    b.feed(id, x, module, 0);
    b.node_result(id, module)
}
