//! Functional meaning of a design: what integers leave it, without any notion of a cycle.
//!
//! Every module is a function on the elements of a frame in stream order (row-major within a beat: element `i` of beat `b` is
//! element `b * lanes + i` of the frame). Frames are independent. Sums and products are exact; a value that does not fit the
//! element type of the stream that carries it is an error, never wrapped.

use super::modules::{BroadcastOp, Kind, Mvu, ReduceOp, Swu, Vvu};
use super::{Design, Module, ModuleId};
use crate::diag::Diag;
use crate::quant::IntType;
use std::collections::HashMap;

/// Outputs of `frames` frames, a vector a port in the order of [`Design::outputs`].
///
/// `inputs` holds per port, in the order of [`Design::inputs`], the elements of all frames one after the other.
///
/// # Errors
/// An internal error that names the module when an input has the wrong length, or when a value is outside the type of the
/// stream that carries it.
pub fn eval(design: &Design, inputs: &[Vec<i64>], frames: usize) -> Result<Vec<Vec<i64>>, Diag> {
    let mut streams: HashMap<(ModuleId, usize), Vec<i64>> = HashMap::new();
    let mut outputs = vec![Vec::new(); design.outputs.len()];
    for id in design.topological()? {
        let module = design.module(id);
        let arriving: Vec<Vec<i64>> = design
            .inputs_of(id)
            .iter()
            .map(|(from, s)| streams.remove(&(*from, s.from_port)).unwrap_or_default())
            .collect();
        let leaving = match &module.kind {
            Kind::Source { .. } => {
                let port = design.inputs.iter().position(|p| p.module == id);
                let data = port.and_then(|p| inputs.get(p));
                vec![data.ok_or_else(|| Diag::internal(&module.name, "no input data for this port"))?.clone()]
            }
            Kind::Sink { .. } => {
                if let Some(port) = design.outputs.iter().position(|p| p.module == id) {
                    outputs[port] = arriving.into_iter().next().unwrap_or_default();
                }
                continue;
            }
            _ => all_frames(design, id, &arriving, frames)?,
        };
        for ((_, stream), data) in design.outputs_of(id).into_iter().zip(leaving) {
            if data.len() != frames * stream.beats * stream.lanes {
                let expected = frames * stream.beats * stream.lanes;
                return Err(Diag::internal(
                    &module.name,
                    format!("{} elements where {expected} belong to {frames} frames", data.len()),
                ));
            }
            check_range(module, stream.ty, &data)?;
            streams.insert((id, stream.from_port), data);
        }
    }
    Ok(outputs)
}

/// Evaluates a module frame by frame.
fn all_frames(design: &Design, id: ModuleId, arriving: &[Vec<i64>], frames: usize) -> Result<Vec<Vec<i64>>, Diag> {
    let module = design.module(id);
    let sizes: Vec<usize> = design.inputs_of(id).iter().map(|(_, s)| s.beats * s.lanes).collect();
    let mut leaving = vec![Vec::new(); module.kind.output_lanes().len()];
    for frame in 0..frames {
        let ins: Vec<&[i64]> = arriving.iter().zip(&sizes).map(|(data, n)| &data[frame * n..(frame + 1) * n]).collect();
        let outs = module.kind.eval(&ins).map_err(|cause| Diag::internal(&module.name, cause))?;
        leaving.iter_mut().zip(outs).for_each(|(all, out)| all.extend(out));
    }
    Ok(leaving)
}

/// Every value within the stream's type.
fn check_range(module: &Module, ty: IntType, data: &[i64]) -> Result<(), Diag> {
    let (lo, hi) = (IntType::new(ty.signed, ty.bits).min(), IntType::new(ty.signed, ty.bits).max());
    match data.iter().find(|v| !(lo..=hi).contains(*v)) {
        None => Ok(()),
        Some(v) => Err(Diag::internal(&module.name, format!("value {v} does not fit {} bits", ty.bits))),
    }
}

/// A 128-bit result as an element.
fn narrow(v: i128) -> Result<i64, &'static str> {
    i64::try_from(v).map_err(|_| "a sum or product does not fit 64 bits")
}

/// `values[c]`, repeating with the length.
fn cyclic(values: &[i64], c: usize) -> i64 {
    values[c % values.len()]
}

impl Kind {
    /// One frame: the elements of every output, given those of every input, in stream order. Sources and sinks pass nothing.
    ///
    /// # Errors
    /// The cause, when a sum or product does not fit 64 bits.
    pub fn eval(&self, ins: &[&[i64]]) -> Result<Vec<Vec<i64>>, &'static str> {
        let x = ins.first().copied().unwrap_or_default();
        let single = match self {
            Kind::Source { .. } | Kind::Sink { .. } => return Ok(Vec::new()),
            Kind::Fork { outputs, .. } => return Ok(vec![x.to_vec(); *outputs]),
            Kind::Program(p) => return Ok(p.eval(ins)),
            Kind::Mvu(m) => mvu(m, x)?,
            Kind::Vvu(v) => vvu(v, x)?,
            Kind::Swu(s) => swu(s, x),
            Kind::Act { function, .. } => x.iter().enumerate().map(|(c, q)| function.eval(c, *q)).collect(),
            Kind::WindowReduce { op, taps, lanes, .. } => {
                let mut out = Vec::with_capacity(x.len() / taps);
                for beat in x.chunks(taps * lanes) {
                    for lane in 0..*lanes {
                        out.push(reduce(*op, beat.iter().skip(lane).step_by(*lanes))?);
                    }
                }
                out
            }
            Kind::GlobalReduce { op, channels, .. } => {
                (0..*channels).map(|c| reduce(*op, x.iter().skip(c).step_by(*channels))).collect::<Result<_, _>>()?
            }
            Kind::VectorReduce { op, length, .. } => {
                x.chunks(*length).map(|v| reduce(*op, v.iter())).collect::<Result<_, _>>()?
            }
            Kind::ArgMax { last, length, .. } => x.chunks(*length).map(|v| argmax(v, *last)).collect(),
            Kind::Broadcast { op, length, .. } => {
                let scalars = ins.get(1).copied().unwrap_or_default();
                let one = |(i, &v): (usize, &i64)| {
                    let s = i128::from(scalars[i / length]);
                    narrow(match op {
                        BroadcastOp::RSub => s - i128::from(v),
                        BroadcastOp::Mul => s * i128::from(v),
                    })
                };
                x.iter().enumerate().map(one).collect::<Result<_, _>>()?
            }
            Kind::LinComb { coefficients, constant, .. } => {
                let one = |c: usize| {
                    let terms = coefficients.iter().zip(ins).map(|(k, v)| i128::from(cyclic(k, c)) * i128::from(v[c]));
                    narrow(terms.sum::<i128>() + i128::from(cyclic(constant, c)))
                };
                (0..x.len()).map(one).collect::<Result<_, _>>()?
            }
            Kind::Mul { .. } => {
                let y = ins.get(1).copied().unwrap_or_default();
                x.iter().zip(y).map(|(a, b)| narrow(i128::from(*a) * i128::from(*b))).collect::<Result<_, _>>()?
            }
            Kind::Concat { outer, parts, lanes } => {
                let mut out = Vec::new();
                for round in 0..*outer {
                    for (part, v) in parts.iter().zip(ins) {
                        out.extend_from_slice(&v[round * part * lanes..(round + 1) * part * lanes]);
                    }
                }
                out
            }
            Kind::Select { outer, size, inner, start, count, step, lanes } => {
                let words = inner * lanes;
                let mut out = Vec::with_capacity(outer * count * words);
                for round in 0..*outer {
                    for k in 0..*count {
                        let at = (round * size + start + k * step) * words;
                        out.extend_from_slice(&x[at..at + words]);
                    }
                }
                out
            }
            Kind::Dwc { .. } => x.to_vec(),
            Kind::Reorder { order, lanes, .. } => {
                order.iter().flat_map(|&w| x[w as usize * lanes..(w as usize + 1) * lanes].iter().copied()).collect()
            }
            Kind::Pad { size, chunks, pads, value, lanes } => pad(*size, chunks * lanes, *pads, value, x),
            Kind::Upsample { size, chunks, factors, lanes } => {
                let channels = chunks * lanes;
                let mut out = Vec::with_capacity(x.len() * factors[0] * factors[1]);
                for y in 0..size[0] * factors[0] {
                    for column in 0..size[1] * factors[1] {
                        let at = ((y / factors[0]) * size[1] + column / factors[1]) * channels;
                        out.extend_from_slice(&x[at..at + channels]);
                    }
                }
                out
            }
        };
        Ok(vec![single])
    }
}

/// Largest element or sum.
fn reduce<'a>(op: ReduceOp, values: impl Iterator<Item = &'a i64>) -> Result<i64, &'static str> {
    match op {
        ReduceOp::Max => Ok(values.copied().max().unwrap_or(i64::MIN)),
        ReduceOp::Sum => narrow(values.map(|v| i128::from(*v)).sum()),
    }
}

/// Index of the largest element, the first or the last of equal ones.
fn argmax(values: &[i64], last: bool) -> i64 {
    let mut best = 0;
    for (i, v) in values.iter().enumerate() {
        if *v > values[best] || (last && *v == values[best]) {
            best = i;
        }
    }
    best as i64
}

/// Exact dot product.
fn dot<'a>(weights: &[i64], x: impl Iterator<Item = &'a i64>) -> Result<i64, &'static str> {
    narrow(weights.iter().zip(x).map(|(w, v)| i128::from(*w) * i128::from(*v)).sum())
}

fn mvu(m: &Mvu, x: &[i64]) -> Result<Vec<i64>, &'static str> {
    let mut out = Vec::with_capacity(m.vectors * m.weights.rows);
    let mut vector = Vec::with_capacity(m.weights.cols);
    for block in x.chunks(m.pixels * m.weights.cols) {
        for p in 0..m.pixels {
            vector.clear();
            for beat in block.chunks(m.pixels * m.simd) {
                vector.extend_from_slice(&beat[p * m.simd..(p + 1) * m.simd]);
            }
            for r in 0..m.weights.rows {
                out.push(dot(m.weights.row(r), vector.iter())?);
            }
        }
    }
    Ok(out)
}

fn vvu(v: &Vvu, x: &[i64]) -> Result<Vec<i64>, &'static str> {
    let (taps, channels) = (v.weights.cols, v.channels());
    let mut out = Vec::with_capacity(v.pixels * v.weights.rows);
    for (i, group) in x.chunks(taps * v.pe).enumerate() {
        let first = i * v.pe % channels;
        for c in 0..v.pe {
            for k in 0..v.multiplicity {
                let row = v.weights.row((first + c) * v.multiplicity + k);
                out.push(dot(row, group.iter().skip(c).step_by(v.pe))?);
            }
        }
    }
    Ok(out)
}

fn swu(s: &Swu, x: &[i64]) -> Vec<i64> {
    let windows = windows(s, x);
    match &s.given {
        None => windows,
        Some(given) => {
            let window = windows.chunks(s.taps() * s.lanes);
            window.flat_map(|w| given.iter().map(|e| w[*e as usize])).collect()
        }
    }
}

/// All elements of all windows.
fn windows(s: &Swu, x: &[i64]) -> Vec<i64> {
    let mut out = Vec::with_capacity(s.output[0] * s.output[1] * s.taps() * s.channels);
    let place = |a: usize, o: usize, k: usize| {
        (o * s.window.stride[a] + k * s.window.dilation[a])
            .checked_sub(s.window.pads[a])
            .filter(|position| *position < s.size[a])
    };
    for oy in 0..s.output[0] {
        for ox in 0..s.output[1] {
            for first in (0..s.channels).step_by(s.lanes) {
                for ky in 0..s.window.kernel[0] {
                    for kx in 0..s.window.kernel[1] {
                        let pixel = place(0, oy, ky).zip(place(1, ox, kx));
                        for c in first..first + s.lanes {
                            out.push(match pixel {
                                Some((y, x_)) => x[(y * s.size[1] + x_) * s.channels + c],
                                None => cyclic(&s.pad, c),
                            });
                        }
                    }
                }
            }
        }
    }
    out
}

fn pad(size: [usize; 2], channels: usize, pads: [usize; 4], value: &[i64], x: &[i64]) -> Vec<i64> {
    let mut out = Vec::new();
    for y in 0..size[0] + pads[0] + pads[2] {
        for column in 0..size[1] + pads[1] + pads[3] {
            let inside = y.checked_sub(pads[0]).zip(column.checked_sub(pads[1]));
            match inside.filter(|(y, column)| *y < size[0] && *column < size[1]) {
                Some((y, column)) => {
                    let at = (y * size[1] + column) * channels;
                    out.extend_from_slice(&x[at..at + channels]);
                }
                None => out.extend((0..channels).map(|c| cyclic(value, c))),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hw::{Matrix, Memory, Multiplier, Realization, Stream, Thresholds, TopPort};
    use crate::net::{Affine, Window};
    use std::sync::Arc;

    #[test]
    fn windows_are_tap_major_with_padding_of_the_channel() {
        let swu = Swu {
            size: [2, 2],
            channels: 2,
            lanes: 1,
            window: Window { kernel: [2, 2], stride: [1, 1], dilation: [1, 1], pads: [1, 1, 0, 0] },
            output: [2, 2],
            pad: vec![-1, -2],
            memory: Memory::Logic,
            given: None,
        };
        let x = [1, 10, 2, 20, 3, 30, 4, 40];
        let out = &Kind::Swu(swu).eval(&[&x]).unwrap()[0];
        assert_eq!(out[..8], [-1, -1, -1, 1, -2, -2, -2, 10]);
        assert_eq!(out[24..], [1, 2, 3, 4, 10, 20, 30, 40]);
    }

    #[test]
    fn depthwise_rows_meet_their_channels() {
        let weights = Arc::new(Matrix { rows: 4, cols: 2, data: vec![1, 0, 0, 1, 2, 0, 0, 2] });
        let (multiplier, memory) = (Multiplier::Lut, Memory::Logic);
        let v = Vvu { weights, multiplicity: 2, pe: 1, simd: 1, pixels: 1, multiplier, memory };
        assert_eq!(Kind::Vvu(v).eval(&[&[5, 6, 7, 8]]).unwrap()[0], [5, 6, 14, 16]);
    }

    #[test]
    fn argmax_breaks_ties_as_asked() {
        assert_eq!((argmax(&[1, 3, 3], false), argmax(&[1, 3, 3], true)), (1, 2));
    }

    /// source -> thresholds -> sink
    fn design(bits: u32) -> Design {
        let mut d = Design::new("t");
        let module = |name: &str, kind| Module { name: name.into(), layer: String::new(), kind };
        let function = Arc::new(Realization::Thresholds(Thresholds {
            base: vec![0],
            direction: vec![1, -1],
            thresholds: vec![vec![0, 2]],
        }));
        let source = d.add(module("i", Kind::Source { lanes: 1, beats: 2 }));
        let act = d.add(module("a", Kind::Act { function, lanes: 1, beats: 2 }));
        let sink = d.add(module("o", Kind::Sink { lanes: 1, beats: 2 }));
        let stream =
            |bits| Stream { from_port: 0, to_port: 0, ty: IntType::new(true, bits), lanes: 1, beats: 2, depth: 2 };
        d.connect(source, act, stream(8));
        d.connect(act, sink, stream(bits));
        let port = |id: &str, module| TopPort { name: id.into(), id: id.into(), module, real: Affine::identity() };
        d.inputs = vec![port("x", source)];
        d.outputs = vec![port("y", sink)];
        d
    }

    #[test]
    fn frames_are_independent_and_channels_repeat() {
        assert_eq!(eval(&design(3), &[vec![1, 1, 5, 5]], 2).unwrap(), [[1, -1, 2, -2]]);
    }

    #[test]
    fn values_outside_of_their_type_and_short_inputs_are_errors() {
        assert!(eval(&design(2), &[vec![5, 5]], 1).unwrap_err().cause.contains("does not fit 2 bits"));
        assert!(eval(&design(3), &[vec![5]], 1).is_err());
        assert!(eval(&design(3), &[], 1).is_err());
    }
}
