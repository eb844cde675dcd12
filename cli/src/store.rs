//! What `gen` stores beside a design so that `sim DIR` can run it: the manifest and the integer network.

use netfold_codegen::Files;
use netfold_codegen::verilog::{PortSpec, port_specs};
use netfold_ir::diag::{Code, Diag, Diags};
use netfold_ir::hw::{Design, timing::Timing};
use netfold_ir::int::IntNetwork;
use netfold_ir::int::file::NetworkFile;
use netfold_sim::{Interface, SourceFile, StreamPort};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Path of the manifest in a generated folder.
pub const MANIFEST: &str = "netfold.json";
/// Path of the integer network in a generated folder.
pub const NETWORK: &str = "network.json";

/// A top-level stream.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Port {
    /// Prefix of the port's signals.
    pub prefix: String,
    /// Bits of an element.
    pub element_bits: u32,
    /// Whether elements are two's complement.
    pub signed: bool,
    /// Elements a beat.
    pub elements_per_beat: u32,
    /// Beats a frame.
    pub beats_per_frame: u32,
}

/// What a generated folder holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of netfold.
    pub netfold: String,
    /// Backends that were generated: `verilog`, `vitis`.
    pub backends: Vec<String>,
    /// Top module.
    pub top: String,
    /// Inputs.
    pub inputs: Vec<Port>,
    /// Outputs.
    pub outputs: Vec<Port>,
    /// SystemVerilog files, in compilation order.
    pub sources: Vec<String>,
    /// Memory files that the design reads.
    pub data: Vec<String>,
    /// Clock in MHz.
    pub clock_mhz: f64,
    /// First input beat to last output beat, in cycles.
    pub latency_cycles: u64,
    /// Between frames, in cycles.
    pub interval_cycles: u64,
}

impl From<&StreamPort> for Port {
    fn from(p: &StreamPort) -> Port {
        Port {
            prefix: p.prefix.clone(),
            element_bits: p.element_bits,
            signed: p.signed,
            elements_per_beat: p.elements_per_beat,
            beats_per_frame: p.beats_per_frame,
        }
    }
}

impl From<&Port> for StreamPort {
    fn from(p: &Port) -> StreamPort {
        StreamPort {
            prefix: p.prefix.clone(),
            element_bits: p.element_bits,
            signed: p.signed,
            elements_per_beat: p.elements_per_beat,
            beats_per_frame: p.beats_per_frame,
        }
    }
}

/// Streams at the top of a design.
pub fn interface(design: &Design) -> Interface {
    let (inputs, outputs) = port_specs(design);
    let ports = |specs: Vec<PortSpec>| {
        let port = |p: PortSpec| StreamPort {
            prefix: p.prefix,
            element_bits: p.ty.bits,
            signed: p.ty.signed,
            elements_per_beat: p.lanes as u32,
            beats_per_frame: p.beats as u32,
        };
        specs.into_iter().map(port).collect()
    };
    Interface { top: design.name.clone(), inputs: ports(inputs), outputs: ports(outputs) }
}

/// Verilog sources of a set of generated files: what is compiled, and what is read at run time.
pub fn sources(files: &Files) -> (Vec<String>, Vec<String>) {
    let list = |suffix: &str| {
        files.ending(suffix).into_iter().filter(|p| p.starts_with("rtl/")).map(String::from).collect::<Vec<_>>()
    };
    (list(".sv"), list(".mem"))
}

/// The manifest of a design.
pub fn manifest(design: &Design, files: &Files, timing: &Timing, clock_mhz: f64, backends: &[&str]) -> Manifest {
    let interface = interface(design);
    let ports = |list: &[StreamPort]| list.iter().map(Port::from).collect();
    let (sources, data) = sources(files);
    Manifest {
        netfold: env!("CARGO_PKG_VERSION").to_string(),
        backends: backends.iter().map(ToString::to_string).collect(),
        top: interface.top.clone(),
        inputs: ports(&interface.inputs),
        outputs: ports(&interface.outputs),
        sources,
        data,
        clock_mhz,
        latency_cycles: timing.latency_cycles,
        interval_cycles: timing.interval_cycles,
    }
}

impl Manifest {
    /// Streams at the top.
    pub fn interface(&self) -> Interface {
        let ports = |list: &[Port]| list.iter().map(StreamPort::from).collect();
        Interface { top: self.top.clone(), inputs: ports(&self.inputs), outputs: ports(&self.outputs) }
    }

    /// The files named, loaded from the folder, without their `rtl/`.
    pub fn load_files(dir: &Path, names: &[String]) -> Result<Vec<SourceFile>, Diag> {
        names.iter().map(|n| SourceFile::load(&dir.join("rtl"), n.trim_start_matches("rtl/"))).collect()
    }
}

/// A JSON file of a generated folder.
pub fn json<T: serde::de::DeserializeOwned>(dir: &Path, name: &str) -> Result<T, Diag> {
    let path = dir.join(name);
    let place = path.display().to_string();
    let text = std::fs::read_to_string(&path).map_err(|e| {
        Diag::new(Code::Io, &place, format!("cannot be read: {e}"))
            .help("give a model file, or a folder that `netfold gen` made")
    })?;
    serde_json::from_str(&text).map_err(|e| {
        Diag::new(Code::Format, &place, format!("is not what netfold wrote: {e}")).help("generate the folder again")
    })
}

/// Opens a generated folder.
pub fn open(dir: &Path) -> Result<(Manifest, IntNetwork), Diags> {
    let manifest: Manifest = json(dir, MANIFEST)?;
    let file: NetworkFile = json(dir, NETWORK)?;
    Ok((manifest, IntNetwork::try_from(file)?))
}

/// Text of a value as JSON with a final newline.
pub fn to_json<T: Serialize>(value: &T, pretty: bool) -> Result<String, Diag> {
    let text = if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    text.map(|t| t + "\n").map_err(|e| Diag::internal("json", e.to_string()))
}

/// The integer network as JSON.
pub fn network(net: &IntNetwork) -> Result<String, Diag> {
    to_json(&NetworkFile::from(net), false)
}
