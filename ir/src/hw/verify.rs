//! The verifier of the hardware level. Invariants:
//!
//! 1. The design is acyclic; instance names are unique identifiers.
//! 2. Every port is joined to exactly one stream, and lanes agree on both sides.
//! 3. Both sides move the same number of beats a frame.
//! 4. Foldings divide what they fold; parameters have the lengths that their docs state.
//! 5. FIFO depths are at least 1, element types have 1 to 62 bits.
//! 6. A sliding window never needs a pixel that its delay line no longer or not yet holds (see [`super::Swu`]).

use super::{Design, Kind, Module, Mvu};
use crate::diag::{Diag, Diags};
use crate::quant::IntType;
use std::collections::HashSet;

/// Checks the invariants of the module doc.
pub(super) fn verify(design: &Design) -> Result<(), Diags> {
    let mut diags = Diags::new();
    design.topological().map_err(Diags::from)?;
    let mut names = HashSet::new();
    for id in design.modules() {
        let module = design.module(id);
        let valid = module.name.len() <= 60
            && module.name.starts_with(|c: char| c.is_ascii_lowercase())
            && module.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !valid || !names.insert(module.name.as_str()) {
            diags.push(Diag::internal(&module.name, "instance name is not a unique identifier"));
        }
        if let Err(cause) = parameters(module) {
            diags.push(Diag::internal(&module.name, cause));
            continue;
        }
        let (inputs, outputs) = (design.inputs_of(id), design.outputs_of(id));
        let ports = |streams: Vec<(usize, usize)>, lanes: Vec<usize>, what: &str| {
            (streams.len() != lanes.len() || streams.iter().zip(&lanes).enumerate().any(|(i, (s, l))| *s != (i, *l)))
                .then(|| {
                    Diag::internal(&module.name, format!("{what} streams {streams:?} do not match lanes {lanes:?}"))
                })
        };
        let ins = inputs.iter().map(|(_, s)| (s.to_port, s.lanes)).collect();
        let outs = outputs.iter().map(|(_, s)| (s.from_port, s.lanes)).collect();
        let (bad_in, bad_out) =
            (ports(ins, module.kind.input_lanes(), "input"), ports(outs, module.kind.output_lanes(), "output"));
        if bad_in.is_some() || bad_out.is_some() {
            bad_in.into_iter().chain(bad_out).for_each(|d| diags.push(d));
            continue;
        }
        let (taken, given) = module.kind.beats();
        for (stream, beats) in
            inputs.iter().map(|(_, s)| s).zip(&taken).chain(outputs.iter().map(|(_, s)| s).zip(&given))
        {
            if stream.beats != *beats {
                diags.push(Diag::internal(
                    &module.name,
                    format!("stream of {} beats a frame at a port that moves {beats}", stream.beats),
                ));
            }
            if stream.depth == 0 || stream.ty.bits == 0 || stream.ty.bits > IntType::MAX_BITS {
                diags.push(Diag::internal(&module.name, format!("stream {stream:?} is out of range")));
            }
        }
    }
    diags.into_result(())
}

/// Foldings and lengths of one module.
fn parameters(module: &Module) -> Result<(), &'static str> {
    let divides = |a: usize, b: usize| a > 0 && b.is_multiple_of(a);
    let ok = |condition: bool, cause: &'static str| if condition { Ok(()) } else { Err(cause) };
    match &module.kind {
        Kind::Mvu(m) => {
            ok(m.weights.data.len() == m.weights.rows * m.weights.cols, "weights have the wrong length")?;
            ok(divides(m.pe, m.weights.rows), "PE does not divide the rows")?;
            ok(divides(m.simd, m.weights.cols), "SIMD does not divide the columns")?;
            ok(m.early <= Mvu::latest_early(m.neuron_fold(), m.synapse_fold()), "more early beats than the order has")?;
            ok(m.vectors > 0, "no vectors")?;
            ok(divides(m.pixels, m.vectors), "vectors at once do not divide the vectors")?;
            ok(m.pixels == 1 || m.pe == m.weights.rows, "several vectors at once need all rows at once")
        }
        Kind::Vvu(v) => {
            ok(v.weights.data.len() == v.weights.rows * v.weights.cols, "weights have the wrong length")?;
            ok(divides(v.multiplicity, v.weights.rows), "multiplicity does not divide the rows")?;
            ok(divides(v.pe, v.channels()), "PE does not divide the channels")?;
            ok(divides(v.simd, v.weights.cols), "SIMD does not divide the taps")?;
            ok(!v.multiplier.is_packed(), "channels share no inputs that packed products need")
        }
        Kind::Swu(s) => {
            ok(divides(s.lanes, s.channels), "lanes do not divide the channels")?;
            let extent = s.window.extent();
            [0, 1].into_iter().try_for_each(|a| {
                ok(s.window.pads[a] < extent[a] && s.window.pads[a + 2] < extent[a], "padding as large as the kernel")?;
                ok(extent[a] - s.window.pads[a] <= s.size[a], "kernel reaches past the image at the first position")?;
                ok((s.output[a] - 1) * s.window.stride[a] < s.size[a], "window positions outside of the image")
            })?;
            ok(s.pad.len() == 1 || s.pad.len() == s.channels, "pad values do not match the channels")?;
            let Some(given) = &s.given else { return Ok(()) };
            ok(s.lanes == s.channels, "elements of a part of a window")?;
            ok(
                !given.is_empty() && given.iter().all(|e| (*e as usize) < s.taps() * s.lanes),
                "elements outside of the window",
            )
        }
        Kind::GlobalReduce { channels, lanes, .. } => {
            ok(divides(*lanes, *channels), "lanes do not divide the channels")
        }
        Kind::VectorReduce { length, lanes, .. }
        | Kind::ArgMax { length, lanes, .. }
        | Kind::Broadcast { length, lanes, .. } => ok(divides(*lanes, *length), "lanes do not divide the vector"),
        Kind::Dwc { from, to, elements } => {
            ok(divides(*from, *elements) && divides(*to, *elements), "widths do not divide the frame")
        }
        Kind::Act { function, lanes, beats } => {
            let (period, n) = (function.period(), lanes * beats);
            ok(divides(period, n), "parameters do not repeat within a frame")?;
            ok(period == 1 || divides(*lanes, period) || divides(period, *lanes), "lanes do not match the parameters")
        }
        Kind::LinComb { coefficients, constant, lanes, .. } => {
            coefficients.iter().map(Vec::len).chain([constant.len()]).try_for_each(|p| {
                ok(p == 1 || divides(*lanes, p) || divides(p, *lanes), "lanes do not match the parameters")
            })
        }
        Kind::Concat { parts, .. } => ok(parts.len() <= 64 && !parts.contains(&0), "concat of 1 to 64 inputs"),
        Kind::Fork { outputs, .. } => ok((1..=64).contains(outputs), "fork to 1 to 64 outputs"),
        Kind::Pad { chunks, value, lanes, .. } => {
            ok(value.len() == 1 || value.len() == chunks * lanes, "pad values do not match the channels")
        }
        Kind::Reorder { order, .. } => {
            let mut seen = vec![false; order.len()];
            let all = order.iter().all(|&w| seen.get_mut(w as usize).is_some_and(|s| !std::mem::replace(s, true)));
            ok(all, "not a permutation")
        }
        Kind::Program(p) => p.verify(),
        Kind::Mul { multiplier, .. } => ok(!multiplier.is_packed(), "products of streams share no factor"),
        Kind::Source { .. }
        | Kind::Sink { .. }
        | Kind::WindowReduce { .. }
        | Kind::Select { .. }
        | Kind::Upsample { .. } => Ok(()),
    }
}

impl Kind {
    /// Beats a frame of every input and output port.
    pub fn beats(&self) -> (Vec<usize>, Vec<usize>) {
        match self {
            Kind::Swu(s) => {
                let chunks = s.channels / s.lanes;
                (vec![s.size[0] * s.size[1] * chunks], vec![s.output[0] * s.output[1] * chunks])
            }
            Kind::Reorder { order, .. } => (vec![order.len()], vec![order.len()]),
            Kind::Mvu(m) => (vec![m.blocks() * m.synapse_fold()], vec![m.blocks() * m.neuron_fold()]),
            Kind::Vvu(v) => {
                let groups = v.pixels * (v.channels() / v.pe);
                (vec![groups * (v.weights.cols / v.simd)], vec![groups])
            }
            Kind::GlobalReduce { pixels, channels, lanes, .. } => {
                (vec![pixels * channels / lanes], vec![channels / lanes])
            }
            Kind::VectorReduce { length, lanes, vectors, .. } | Kind::ArgMax { length, lanes, vectors, .. } => {
                (vec![vectors * length / lanes], vec![*vectors])
            }
            Kind::Broadcast { length, lanes, vectors, .. } => {
                let n = vectors * length / lanes;
                (vec![n, *vectors], vec![n])
            }
            Kind::Concat { outer, parts, .. } => {
                (parts.iter().map(|p| outer * p).collect(), vec![outer * parts.iter().sum::<usize>()])
            }
            Kind::Select { outer, size, inner, count, .. } => (vec![outer * size * inner], vec![outer * count * inner]),
            Kind::Dwc { from, to, elements } => (vec![elements / from], vec![elements / to]),
            Kind::Pad { size, chunks, .. } => (vec![size[0] * size[1] * chunks], vec![self.firings()]),
            Kind::Upsample { size, chunks, .. } => (vec![size[0] * size[1] * chunks], vec![self.firings()]),
            Kind::Program(p) => (vec![p.beats; p.inputs.len()], vec![p.beats; p.outputs.len()]),
            Kind::Source { beats, .. } => (vec![], vec![*beats]),
            Kind::Sink { beats, .. } => (vec![*beats], vec![]),
            Kind::Act { beats, .. } | Kind::WindowReduce { beats, .. } => (vec![*beats], vec![*beats]),
            Kind::LinComb { coefficients, beats, .. } => (vec![*beats; coefficients.len()], vec![*beats]),
            Kind::Mul { beats, .. } => (vec![*beats; 2], vec![*beats]),
            Kind::Fork { outputs, beats, .. } => (vec![*beats], vec![*beats; *outputs]),
        }
    }
}
