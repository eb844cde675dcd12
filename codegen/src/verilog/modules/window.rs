//! Sliding windows and reductions.

use super::{Context, Unit, cyclic, memory_number, type_range};
use crate::verilog::rom::{Rom, RomText, Word};
use askama::Template;
use netfold_ir::diag::Diag;
use netfold_ir::hw::{ReduceOp, Swu};
use netfold_ir::quant::IntType;

#[derive(Template)]
#[template(path = "verilog/instances/window.sv")]
struct WindowReduce {
    taps: usize,
    lanes: usize,
    bits: u32,
    signed: u8,
    max: u8,
    result_bits: u32,
}

/// The padding of every group of `lanes` channels, one word when all are the same.
pub(super) fn padding(c: &mut Context, values: &[i64], chunks: usize, lanes: usize) -> Result<RomText, Diag> {
    let (lo, hi) = type_range(c.ins[0].ty);
    if values.iter().any(|v| !(lo..=hi).contains(&i128::from(*v))) {
        return Err(c.broken("padding does not fit the element type"));
    }
    let bits = c.ins[0].ty.bits as usize;
    let chunks = if values.len() == 1 { 1 } else { chunks };
    let word = |chunk: usize| {
        let mut word = Word::new();
        (0..lanes).for_each(|l| word.push(cyclic(values, chunk * lanes + l), bits));
        word
    };
    let rom = Rom::new(lanes * bits, (0..chunks).map(word).collect());
    Ok(c.rom("padding", &rom))
}

/// The numbers of a packed list parameter, 32 bits each, the last first.
pub(super) fn list(values: &[usize]) -> String {
    let items: Vec<String> = values.iter().rev().map(|v| format!("32'd{v}")).collect();
    format!("{{{}}}", items.join(", "))
}

/// Distances of the taps to the newest beat, in steps: `[row][column]`.
fn distances(s: &Swu) -> Vec<usize> {
    let chunks = s.channels / s.lanes;
    let [kh, kw] = s.window.kernel;
    let [dh, dw] = s.window.dilation;
    let one = |r: usize, k: usize| ((kh - 1 - r) * dh * s.size[1] + (kw - 1 - k) * dw) * chunks;
    (0..kh).flat_map(|r| (0..kw).map(move |k| one(r, k))).collect()
}

pub(super) fn swu(c: &mut Context, s: &Swu) -> Result<String, Diag> {
    let chunks = s.channels / s.lanes;
    let distances = distances(s);
    let mut points: Vec<usize> = distances.iter().copied().chain([0]).collect();
    points.sort_unstable();
    points.dedup();
    let lengths: Vec<usize> = points.windows(2).map(|p| p[1] - p[0]).chain([0]).collect();
    let taps: Vec<usize> = distances.iter().map(|d| points.binary_search(d).unwrap_or(0)).collect();
    let width = c.ins[0].width();
    let pad = padding(c, &s.pad, chunks, s.lanes)?;
    let n = |v: usize| v.to_string();
    let w = &s.window;
    let parameters = vec![
        ("HEIGHT", n(s.size[0])),
        ("WIDTH", n(s.size[1])),
        ("CHUNKS", n(chunks)),
        ("BEAT_BITS", n(width)),
        ("KERNEL_H", n(w.kernel[0])),
        ("KERNEL_W", n(w.kernel[1])),
        ("STRIDE_H", n(w.stride[0])),
        ("STRIDE_W", n(w.stride[1])),
        ("DILATION_H", n(w.dilation[0])),
        ("DILATION_W", n(w.dilation[1])),
        ("PAD_TOP", n(w.pads[0])),
        ("PAD_LEFT", n(w.pads[1])),
        ("OUT_H", n(s.output[0])),
        ("OUT_W", n(s.output[1])),
        ("FILL", n(s.fill())),
        ("MEMORY", memory_number(s.memory).to_string()),
        ("SEGMENTS", n(points.len() - 1)),
        ("LENGTHS", list(&lengths)),
        ("TAPS", list(&taps)),
    ];
    let ty = c.ins[0].ty;
    let Some(given) = &s.given else {
        return unit(c, "netfold_swu", "swu", parameters, Some(pad), (s.taps() * s.lanes, ty));
    };
    let bits = ty.bits as usize;
    let mut tail = format!("  // What is given of the window.\n  wire [{}:0] given;\n", given.len() * bits - 1);
    for (to, from, n) in runs(given) {
        let slice = |beat: &str, first: usize| format!("{beat}[{}:{}]", (first + n) * bits - 1, first * bits);
        tail.push_str(&format!("  assign {} = {};\n", slice("given", to), slice("result", from)));
    }
    tail.push_str("  wire unused_window = &{1'b0, result};\n");
    tail.push_str(&c.cast("u_cast", given.len(), ty, c.outs[0].ty.bits, "given", "out0_data")?);
    c.text(&Unit {
        primitive: "netfold_swu",
        short: "swu",
        parameters,
        passes_data: true,
        lanes: s.taps() * s.lanes,
        result_bits: bits,
        pad: Some(pad),
        tail,
    })
}

/// Consecutive elements: where they go, where they come from, how many.
fn runs(given: &[u32]) -> Vec<(usize, usize, usize)> {
    let mut runs: Vec<(usize, usize, usize)> = Vec::new();
    for (to, from) in given.iter().map(|e| *e as usize).enumerate() {
        match runs.last_mut() {
            Some((_, first, n)) if *first + *n == from => *n += 1,
            _ => runs.push((to, from, 1)),
        }
    }
    runs
}

/// A primitive whose result of `result.0` elements of type `result.1` is cast to the output stream's elements.
pub(super) fn unit(
    c: &mut Context,
    primitive: &'static str,
    short: &'static str,
    parameters: Vec<(&'static str, String)>,
    pad: Option<RomText>,
    result: (usize, IntType),
) -> Result<String, Diag> {
    let (lanes, ty) = result;
    let to = c.outs[0].ty.bits;
    let differs = ty.bits != to;
    let tail = if differs { c.cast("u_cast", lanes, ty, to, "result", "out0_data")? } else { String::new() };
    let result_bits = if differs { ty.bits as usize } else { 0 };
    c.text(&Unit { primitive, short, parameters, passes_data: true, lanes, result_bits, pad, tail })
}

/// Element type of a reduction before the cast to the stream: sums have the output's width, maxima are input elements.
fn result_type(c: &Context, op: ReduceOp) -> IntType {
    match op {
        ReduceOp::Max => c.ins[0].ty,
        ReduceOp::Sum => c.outs[0].ty,
    }
}

pub(super) fn window_reduce(c: &mut Context, op: ReduceOp, taps: usize, lanes: usize) -> Result<String, Diag> {
    let input = c.ins[0].ty;
    let result = result_type(c, op);
    let mut code = c.stage()?;
    code.push_str(&format!("  wire [{}:0] result;\n", lanes * result.bits as usize - 1));
    code.push_str(&c.text(&WindowReduce {
        taps,
        lanes,
        bits: input.bits,
        signed: u8::from(input.signed),
        max: u8::from(op == ReduceOp::Max),
        result_bits: result.bits,
    })?);
    code.push_str(&c.cast("u_cast", lanes, result, c.outs[0].ty.bits, "result", "out0_data")?);
    Ok(code)
}

/// Parameters that all accumulating reductions share.
fn common(c: &Context, lanes: usize) -> Vec<(&'static str, String)> {
    let input = c.ins[0].ty;
    vec![("LANES", lanes.to_string()), ("BITS", input.bits.to_string()), ("SIGNED", u8::from(input.signed).to_string())]
}

pub(super) fn global_reduce(
    c: &mut Context,
    op: ReduceOp,
    pixels: usize,
    chunks: usize,
    lanes: usize,
) -> Result<String, Diag> {
    let result = result_type(c, op);
    let mut parameters = vec![("PIXELS", pixels.to_string()), ("CHUNKS", chunks.to_string())];
    parameters.extend(common(c, lanes));
    parameters.push(("MAX", u8::from(op == ReduceOp::Max).to_string()));
    parameters.push(("OUT_BITS", result.bits.to_string()));
    unit(c, "netfold_global_reduce", "reduce", parameters, None, (lanes, result))
}

pub(super) fn vector_reduce(c: &mut Context, op: ReduceOp, beats: usize, lanes: usize) -> Result<String, Diag> {
    let result = result_type(c, op);
    let mut parameters = vec![("BEATS", beats.to_string())];
    parameters.extend(common(c, lanes));
    parameters.push(("MAX", u8::from(op == ReduceOp::Max).to_string()));
    parameters.push(("OUT_BITS", result.bits.to_string()));
    unit(c, "netfold_vector_reduce", "reduce", parameters, None, (1, result))
}

pub(super) fn argmax(c: &mut Context, last: bool, beats: usize, lanes: usize) -> Result<String, Diag> {
    // Indices are computed as unsigned numbers wide enough for all of them, whatever the stream's type.
    let needed = IntType::containing(0, (beats * lanes) as i64);
    let mut parameters = vec![("BEATS", beats.to_string())];
    parameters.extend(common(c, lanes));
    parameters.push(("LAST", u8::from(last).to_string()));
    parameters.push(("OUT_BITS", needed.bits.to_string()));
    unit(c, "netfold_argmax", "argmax", parameters, None, (1, needed))
}
