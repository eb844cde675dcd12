//! The space of designs. Row `index` of modules, and of networks, is a function of the seed and the index alone, so shards of
//! any number hold the same rows together.
//!
//! Half of the modules are taken out of networks as the pipeline builds them, so that types, ranges, thresholds and foldings
//! are those of real designs; the other half is drawn directly ([`units`]), every kind over a wider range. Networks
//! ([`networks`]) are folded as `netfold gen` does for a rate, by the balanced rule, or at random. Every row draws a limit on
//! its own size, so that sizes are about uniform in their logarithm, whatever is drawn.

pub mod chosen;
mod draw;
pub mod later;
pub mod networks;
pub mod units;

use crate::sources::{FIFO, SINK};
use draw::{divisor_within, log_between, stream};
use netfold_ir::diag::Diag;
use netfold_ir::hw::{self, Design, ModuleId, Multiplier, Stream, TopPort};
use netfold_ir::net::Affine;
use netfold_ir::quant::IntType;
use netfold_passes::fold::{self, Budget, Compute, Folding, Work};
use netfold_passes::optimize::{Analytic, design_cost};
use netfold_passes::pipeline::{self, Prepared, Target};
use netfold_passes::random::Random;
use netfold_passes::{fifo, lower};
use netfold_surrogate::dataset::sweep::Kind;
use std::collections::HashMap;
use units::Unit;

/// Draws that a row may take until one is valid and within its size.
const ATTEMPTS: usize = 200;

/// One of how many networks no model is trained on.
const TEST_ONE_IN: u64 = 10;

/// What a row is about.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Module or network.
    pub kind: Kind,
    /// See the column `unit` of [`netfold_surrogate::dataset::sweep`].
    pub unit: String,
    /// Rows of one group never part.
    pub group: String,
    /// `train` or `test`.
    pub split: &'static str,
    /// The design.
    pub design: Design,
}

/// Row `index` of a kind.
///
/// # Errors
/// When none of many draws gives a valid design within the row's size.
pub fn draw(kind: Kind, seed: u64, index: u64) -> Result<Sample, Diag> {
    match kind {
        Kind::Module => module(seed, index),
        Kind::Network => network(seed, index),
    }
}

/// LUTs (with flip-flops and DSP blocks as far as they need logic around them) by the analytic prices.
fn luts(design: &Design) -> u64 {
    let used = design_cost(design, &Analytic::default());
    used.lut.max(used.ff / 2).max(used.dsp * 20)
}

fn nothing(kind: Kind, index: u64) -> Diag {
    Diag::internal(format!("{} {index}", kind.name()), "no draw gave a valid design")
}

fn module(seed: u64, index: u64) -> Result<Sample, Diag> {
    let r = &mut stream(seed, 0x6d6f_6475_6c65, index);
    let most = log_between(r, 128, 4095) as u64;
    let from_network = r.once_in(2);
    let name = format!("s{seed}_m{index}");
    for _ in 0..ATTEMPTS {
        let added = match index {
            chosen::MODULES.. => Some(chosen::module(r, most)),
            later::MODULES.. => later::module(r, most),
            _ => None,
        };
        let found = match added {
            Some(unit) => unit.map(|u| (u, None)),
            None if from_network => picked(r, most),
            None => Some(units::draw(r)),
        };
        let Some((unit, part)) = found else { continue };
        let depth = depth(r, &unit);
        let design = around(&name, unit, depth);
        if design.verify().is_err() || luts(&design) > most || widest(&design) > 4096 {
            continue;
        }
        let kind = design.inner().first().map(|id| design.module(*id).kind.name());
        let unit = part.or(kind).unwrap_or(SINK).to_string();
        if netfold_codegen::verilog::generate(&design).is_err() {
            continue;
        }
        return Ok(Sample { kind: Kind::Module, unit, group: name, split: "train", design });
    }
    Err(nothing(Kind::Module, index))
}

fn is_end(kind: &hw::Kind) -> bool {
    matches!(kind, hw::Kind::Source { .. } | hw::Kind::Sink { .. })
}

/// Bits of the widest stream.
fn widest(design: &Design) -> usize {
    design.streams().iter().map(|(_, _, s)| s.width()).max().unwrap_or(0)
}

/// Depth of the streams: 2, except where only the FIFO is meant.
fn depth(r: &mut Random, unit: &Unit) -> usize {
    if !matches!(unit.kind, hw::Kind::Sink { .. }) {
        return 2;
    }
    match r.below(6) {
        0 | 1 => 2,
        2..5 => log_between(r, 3, 64),
        _ => log_between(r, 65, 2048),
    }
}

/// A module between sources and sinks.
fn around(name: &str, unit: Unit, depth: usize) -> Design {
    let mut design = Design::new(name);
    let Unit { kind, inputs, outputs } = unit;
    let (taken, given) = kind.beats();
    let (in_lanes, out_lanes) = (kind.input_lanes(), kind.output_lanes());
    let end = is_end(&kind);
    let module = design.add(hw::Module { name: "unit".into(), layer: "unit".into(), kind });
    let stream = |from_port, to_port, ty, lanes, beats| Stream { from_port, to_port, ty, lanes, beats, depth };
    let port = |id: String, module| TopPort { name: id.clone(), id, module, real: Affine::identity() };
    for (i, ((ty, lanes), beats)) in inputs.into_iter().zip(in_lanes).zip(taken).enumerate() {
        let kind = hw::Kind::Source { lanes, beats };
        let source = design.add(hw::Module { name: format!("x{i}"), layer: format!("x{i}"), kind });
        design.connect(source, module, stream(0, i, ty, lanes, beats));
        design.inputs.push(port(format!("x{i}"), source));
    }
    for (i, ((ty, lanes), beats)) in outputs.into_iter().zip(out_lanes).zip(given).enumerate() {
        let kind = hw::Kind::Sink { lanes, beats };
        let sink = design.add(hw::Module { name: format!("y{i}"), layer: format!("y{i}"), kind });
        design.connect(module, sink, stream(i, 0, ty, lanes, beats));
        design.outputs.push(port(format!("y{i}"), sink));
    }
    if end {
        design.outputs.push(port("y".into(), module));
    }
    design
}

/// A module, or a FIFO, out of a drawn network.
fn picked(r: &mut Random, most: u64) -> Option<(Unit, Option<&'static str>)> {
    let drawn = networks::draw(r, false).ok()?;
    let mut net = drawn.net;
    let prepared = pipeline::prepare(&mut net, &drawn.formats, None).ok()?;
    let folding = any_folding(r, &prepared, most as usize / 8 + 1);
    let design = lower::run(&prepared.int, &prepared.realizations, &folding).ok()?;
    // Units with weights and functions matter most; what joins them is the same in all networks.
    let of = |id: &ModuleId| match &design.module(*id).kind {
        hw::Kind::Mvu(_) | hw::Kind::Vvu(_) => 8,
        hw::Kind::Act { .. } | hw::Kind::Swu(_) => 5,
        hw::Kind::Source { .. } | hw::Kind::Sink { .. } => 1,
        hw::Kind::Fork { .. } => 1,
        _ => 3,
    };
    let modules: Vec<ModuleId> = design.modules().into_iter().flat_map(|id| std::iter::repeat_n(id, of(&id))).collect();
    let id = r.pick(&modules);
    let kind = &design.module(id).kind;
    if is_end(kind) {
        // The FIFO of any stream, as wide as there.
        let streams = design.streams();
        let (_, _, s) = streams[r.below(streams.len())];
        let kind = hw::Kind::Sink { lanes: s.lanes, beats: s.beats };
        let part = if matches!(design.module(id).kind, hw::Kind::Sink { .. }) { SINK } else { FIFO };
        return Some((Unit { kind, inputs: vec![s.ty], outputs: Vec::new() }, Some(part)));
    }
    Some((unit_of(&design, id), None))
}

/// A module of a design by itself, with the types of its streams.
fn unit_of(design: &Design, id: ModuleId) -> Unit {
    let types = |list: Vec<(ModuleId, &Stream)>| -> Vec<IntType> { list.iter().map(|(_, s)| s.ty).collect() };
    let (inputs, outputs) = (types(design.inputs_of(id)), types(design.outputs_of(id)));
    Unit { kind: design.module(id).kind.clone(), inputs, outputs }
}

/// A folding: balanced for some interval, or a random one of at most so many multipliers a layer.
fn any_folding(r: &mut Random, prepared: &Prepared, multipliers: usize) -> Folding {
    let net = &prepared.int;
    let works: Vec<_> = net.graph.ids().into_iter().filter_map(|id| Work::of(net, id).map(|w| (id, w))).collect();
    let slowest = works.iter().map(|(_, w)| w.cycles(1, 1)).max().unwrap_or(1).max(2);
    let interval = log_between(r, 1, slowest as usize) as u64;
    let budget = Budget { dsp: if r.once_in(3) { 0 } else { 220 }, block_memory: !r.once_in(4) };
    let mut folding = fold::balanced(net, interval, &HashMap::new(), budget);
    if r.once_in(2) {
        return folding;
    }
    for (id, w) in works {
        let simd = divisor_within(r, w.cols, multipliers);
        let pe = divisor_within(r, w.rows, multipliers / simd);
        let multiplier = if r.once_in(3) { Multiplier::Dsp } else { Multiplier::Lut };
        let words = (w.rows / pe) * (w.cols / simd);
        let memory = match words {
            1 => hw::Memory::Logic,
            17.. if budget.block_memory && r.once_in(3) => hw::Memory::Block,
            _ => hw::Memory::Lut,
        };
        let window_lanes = w.window.map(|(_, channels, _)| if w.depthwise { pe } else { draw::divisor(r, channels) });
        let early = folding.layers.get(&id).map_or(0, |c| c.early);
        folding.layers.insert(id, Compute { pe, simd, early, pixels: 1, window_lanes, multiplier, memory });
    }
    folding
}

fn network(seed: u64, index: u64) -> Result<Sample, Diag> {
    let r = &mut stream(seed, 0x6e_6574_776f_726b, index);
    let most = log_between(r, 300, 4095) as u64;
    let name = format!("s{seed}_n{index}");
    for _ in 0..ATTEMPTS {
        if index >= later::NETWORKS {
            let found = if index < chosen::NETWORKS { later::network(r, most)? } else { chosen::network(r, most) };
            let Some((family, mut design)) = found else { continue };
            design.name.clone_from(&name);
            if netfold_codegen::verilog::generate(&design).is_err() {
                continue;
            }
            return Ok(Sample { kind: Kind::Network, unit: family.into(), group: name, split: split(index), design });
        }
        let large = r.once_in(3);
        let drawn = networks::draw(r, large)?;
        let mut net = drawn.net;
        let Ok(prepared) = pipeline::prepare(&mut net, &drawn.formats, None) else { continue };
        let Some(mut design) = folded(r, &prepared, most) else { continue };
        design.name.clone_from(&name);
        if netfold_codegen::verilog::generate(&design).is_err() {
            continue;
        }
        return Ok(Sample { kind: Kind::Network, unit: drawn.family.into(), group: name, split: split(index), design });
    }
    Err(nothing(Kind::Network, index))
}

/// Whether a network is for training.
fn split(index: u64) -> &'static str {
    if index % TEST_ONE_IN == TEST_ONE_IN - 1 { "test" } else { "train" }
}

/// A design of a network with at most `most` LUTs, folded for the fastest rate of a few that keeps to it.
fn folded(r: &mut Random, prepared: &Prepared, most: u64) -> Option<Design> {
    let (how, dsp) = (r.below(5), if r.once_in(3) { 0 } else { 220 });
    let budget = Budget { dsp, block_memory: !r.once_in(5) };
    let mut multipliers = (most as usize / 10).max(1);
    for _ in 0..6 {
        let design = match how {
            0..3 => pipeline::build(prepared, Target::Multipliers(multipliers), &HashMap::new(), budget).ok()?.0,
            _ => {
                let interval = fold::fastest_within(&prepared.int, multipliers, &HashMap::new());
                let folding = if how == 3 {
                    fold::balanced(&prepared.int, interval, &HashMap::new(), budget)
                } else {
                    any_folding(r, prepared, multipliers / 4 + 1)
                };
                let mut design = lower::run(&prepared.int, &prepared.realizations, &folding).ok()?;
                fifo::run(&mut design).ok()?;
                design
            }
        };
        let used = luts(&design);
        if used <= most {
            return Some(design);
        }
        if multipliers == 1 {
            return None;
        }
        multipliers = (multipliers / 2).max(1);
    }
    None
}
