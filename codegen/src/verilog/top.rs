//! The top level: FIFOs, modules, and the AXI4-Stream ports.

use super::{module_name, port_specs};
use crate::text::plain;
use askama::Template;
use netfold_ir::diag::Diag;
use netfold_ir::hw::{Design, Memory, ModuleId, Stream, latency};
use std::collections::HashMap;

#[derive(Template)]
#[template(path = "verilog/top.sv")]
struct Top {
    name: String,
    version: &'static str,
    header: Vec<String>,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    streams: Vec<Fifo>,
    modules: Vec<Instance>,
    /// Whether synthesis keeps the modules apart, each with its own counts: where there are several. Streams with FIFOs between them
    /// leave little to gain across their borders.
    kept: bool,
}

struct Port {
    id: String,
    comment: String,
    stream: String,
    width: usize,
    tdata_bits: usize,
    beats: usize,
}

struct Fifo {
    name: String,
    comment: String,
    width: usize,
    depth: usize,
    deep: bool,
    block: u8,
}

struct Instance {
    name: String,
    module: String,
    comment: String,
    ins: Vec<String>,
    outs: Vec<String>,
}

/// A stream's format for a comment.
pub(super) fn describe(stream: &Stream) -> String {
    let ty = stream.ty;
    let sign = if ty.signed { "signed" } else { "unsigned" };
    format!("{} x {sign} {} bits a beat, {} beats a frame", stream.lanes, ty.bits, stream.beats)
}

/// Source of `<top>.sv`.
pub(super) fn render(design: &Design) -> Result<String, Diag> {
    let mut names: HashMap<(ModuleId, usize), String> = HashMap::new();
    let mut streams = Vec::new();
    for (from, to, stream) in design.streams() {
        let (producer, consumer) = (design.module(from), design.module(to));
        let single = producer.kind.output_lanes().len() == 1;
        let port = if single { String::new() } else { stream.from_port.to_string() };
        let name = format!("f{}_{}{}", streams.len(), producer.name, if single { port } else { format!("_{port}") });
        names.insert((from, stream.from_port), name.clone());
        let deep = stream.read_latency() == 2;
        let block = latency::default_memory(stream.depth, stream.width()) == Memory::Block;
        let comment = format!("{} -> {}: {}", producer.name, consumer.name, describe(stream));
        streams.push(Fifo { name, comment, width: stream.width(), depth: stream.depth, deep, block: u8::from(block) });
    }
    let stream_name = |from: ModuleId, port: usize| names.get(&(from, port)).cloned().unwrap_or_default();
    let into = |id: ModuleId| -> Vec<String> {
        design.inputs_of(id).iter().map(|(from, s)| stream_name(*from, s.from_port)).collect()
    };
    let out_of = |id: ModuleId| -> Vec<String> {
        design.outputs_of(id).iter().map(|(_, s)| stream_name(id, s.from_port)).collect()
    };
    let modules: Vec<Instance> = design
        .inner()
        .into_iter()
        .map(|id| {
            let module = design.module(id);
            Instance {
                name: module.name.clone(),
                module: module_name(design, id),
                comment: format!("{} of layer {}", module.kind.name(), plain(&module.layer)),
                ins: into(id),
                outs: out_of(id),
            }
        })
        .collect();
    let (ins, outs) = port_specs(design);
    let port = |spec: &super::PortSpec, id: &str, stream: Vec<String>, beats: usize| {
        let sign = if spec.ty.signed { "signed" } else { "unsigned" };
        let (lanes, bits) = (spec.lanes, spec.ty.bits);
        Port {
            id: id.to_owned(),
            comment: format!("{}: {lanes} x {sign} {bits} bits a beat, {beats} beats a frame", plain(&spec.name)),
            stream: stream.into_iter().next().unwrap_or_default(),
            width: lanes * bits as usize,
            tdata_bits: spec.tdata_bits(),
            beats,
        }
    };
    let inputs: Vec<Port> =
        design.inputs.iter().zip(&ins).map(|(p, s)| port(s, &p.id, out_of(p.module), s.beats)).collect();
    let outputs = design.outputs.iter().zip(&outs).map(|(p, s)| port(s, &p.id, into(p.module), s.beats)).collect();
    let header = vec![
        "Streams are AXI4-Stream. Element i of a beat is in bits [i*bits +: bits] of tdata, padded with zeros to whole"
            .into(),
        "bytes; tlast is high on the last beat of a frame (on inputs it is not needed).".into(),
    ];
    let version = env!("CARGO_PKG_VERSION");
    let kept = modules.len() > 1;
    let top = Top { name: design.name.clone(), version, header, inputs, outputs, streams, modules, kept };
    top.render().map(|text| text + "\n").map_err(|error| Diag::internal(&design.name, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use netfold_ir::hw::{Kind, Module};
    use netfold_ir::quant::IntType;

    /// Width converters one behind the other.
    fn chain(lanes: &[usize]) -> Design {
        const ELEMENTS: usize = 24;
        let mut design = Design::new("d");
        let mut add = |name: String, kind| design.add(Module { name: name.clone(), layer: name, kind });
        let beats = |lanes: usize| ELEMENTS / lanes;
        let (first, last) = (lanes[0], lanes[lanes.len() - 1]);
        let mut ids = vec![add("x".into(), Kind::Source { lanes: first, beats: beats(first) })];
        for pair in lanes.windows(2) {
            let kind = Kind::Dwc { from: pair[0], to: pair[1], elements: ELEMENTS };
            ids.push(add(format!("m{}", pair[1]), kind));
        }
        ids.push(add("y".into(), Kind::Sink { lanes: last, beats: beats(last) }));
        for (pair, &lanes) in ids.windows(2).zip(lanes) {
            let ty = IntType::new(false, 4);
            design.connect(
                pair[0],
                pair[1],
                Stream { from_port: 0, to_port: 0, ty, lanes, beats: beats(lanes), depth: 2 },
            );
        }
        design
    }

    #[test]
    fn several_modules_are_kept_apart_and_one_is_not() {
        let kept = |design: &Design| render(design).unwrap().matches("(* keep_hierarchy = \"yes\" *)").count();
        assert_eq!(kept(&chain(&[4, 2])), 0);
        assert_eq!(kept(&chain(&[4, 2, 3, 6])), 3);
    }
}
