//! SystemVerilog of a design: one file a module, the top level, and the primitives they instantiate.
//!
//! Every module file has the same ports: clock, reset, and per stream the handshake with its FIFO (see
//! `templates/verilog/lib/netfold_fifo.sv`). The top level instantiates modules and FIFOs and carries the AXI4-Stream ports.

mod library;
pub mod linear;
mod modules;
pub mod rom;
mod top;

use crate::files::Files;
use netfold_ir::diag::{Diag, Diags};
use netfold_ir::hw::{Design, ModuleId, Stream};
use netfold_ir::quant::IntType;

/// Widest beat in bits, as far as Verilator and Vivado take it.
const MAX_BEAT_BITS: usize = 1 << 20;

/// One AXI4-Stream port of the top level: `<prefix>_tdata`, `_tvalid`, `_tready`, `_tlast`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortSpec {
    /// `s_axis_<id>` or `m_axis_<id>`.
    pub prefix: String,
    /// Name in the model (data).
    pub name: String,
    /// Element type; element `i` of a beat is in bits `[i * bits +: bits]` of tdata.
    pub ty: IntType,
    /// Elements a beat.
    pub lanes: usize,
    /// Beats a frame.
    pub beats: usize,
}

impl PortSpec {
    /// Width of tdata: the beat padded with zeros to whole bytes.
    pub fn tdata_bits(&self) -> usize {
        (self.lanes * self.ty.bits as usize).div_ceil(8) * 8
    }
}

/// Ports of the top level: inputs and outputs, in the model's order.
pub fn port_specs(design: &Design) -> (Vec<PortSpec>, Vec<PortSpec>) {
    let spec = |prefix: &str, port: &netfold_ir::hw::TopPort, stream: Option<&Stream>| PortSpec {
        prefix: format!("{prefix}_{}", port.id),
        name: port.name.clone(),
        ty: stream.map_or(IntType::new(false, 1), |s| s.ty),
        lanes: stream.map_or(1, |s| s.lanes),
        beats: stream.map_or(1, |s| s.beats),
    };
    let first = |v: Vec<(ModuleId, &Stream)>| v.first().map(|(_, s)| (*s).clone());
    let inputs = design.inputs.iter().map(|p| spec("s_axis", p, first(design.outputs_of(p.module)).as_ref())).collect();
    let outputs =
        design.outputs.iter().map(|p| spec("m_axis", p, first(design.inputs_of(p.module)).as_ref())).collect();
    (inputs, outputs)
}

/// Name of the Verilog module (and file) of a module instance.
pub fn module_name(design: &Design, id: ModuleId) -> String {
    format!("{}_{}", design.name, design.module(id).name)
}

/// All files of the design below `rtl/`: `<top>.sv`, `<top>_<module>.sv`, `netfold_*.sv`, and `*.mem` with the contents of large
/// read-only memories, which the sources name without a folder. The same design gives the same bytes.
///
/// # Errors
/// Internal errors for designs that break an invariant of [`Design::verify`] or of the names, one for every module concerned.
pub fn generate(design: &Design) -> Result<Files, Diags> {
    let mut diags = Diags::new();
    names(design, &mut diags);
    if let Err(found) = design.verify() {
        diags.extend(found);
    }
    if !diags.is_empty() {
        return Err(diags);
    }
    let mut files = Files::new();
    for id in design.inner() {
        let name = module_name(design, id);
        if let Some(source) = diags.take(modules::render(design, id, &name, &mut files)) {
            files.insert(format!("rtl/{name}.sv"), source);
        }
    }
    if let Some(source) = diags.take(top::render(design)) {
        files.insert(format!("rtl/{}.sv", design.name), source);
    }
    let sources = files.iter().filter(|(path, _)| path.ends_with(".sv"));
    let needed = library::needed(sources.filter_map(|(_, text)| std::str::from_utf8(text).ok()).collect());
    for (name, source) in needed {
        files.insert(format!("rtl/{name}.sv"), source);
    }
    diags.into_result(files)
}

/// Names that stand in the files must be identifiers, and must not meet.
fn names(design: &Design, diags: &mut Diags) {
    let mut fail = |name: &str, cause: &str| diags.push(Diag::internal(name, cause));
    if !netfold_ir::names::is_identifier(&design.name) {
        fail(&design.name, "the top module's name is not a free identifier");
    }
    let mut prefixes = std::collections::HashSet::new();
    for (direction, port) in design.inputs.iter().map(|p| ("s", p)).chain(design.outputs.iter().map(|p| ("m", p))) {
        let id = &port.id;
        let valid = !id.is_empty()
            && id.len() <= 60
            && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !valid {
            fail(id, "a port's identifier has other characters than a-z, 0-9 and _");
        }
        if !prefixes.insert((direction, id.clone())) {
            fail(id, "two ports have the same identifier");
        }
    }
    for (from, _, stream) in design.streams() {
        if stream.width() > MAX_BEAT_BITS {
            fail(
                &design.module(from).name,
                &format!("a beat of {} bits; at most {MAX_BEAT_BITS} are possible", stream.width()),
            );
        }
    }
}
