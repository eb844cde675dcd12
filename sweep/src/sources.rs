//! What of a design is synthesized: a whole network, or one module alone; and the wrapper under which modules share a run.

use netfold_codegen::verilog::{generate, module_name};
use netfold_ir::diag::{Diag, Diags};
use netfold_ir::hw::{self, Design, ModuleId, latency};
use netfold_surrogate::dataset::sweep::Kind;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Unit of rows that are only the FIFO of a design's single stream.
pub const FIFO: &str = "fifo";
/// Unit of rows that are only the end of a design's single stream.
pub const SINK: &str = "sink";

/// A port of a Verilog module.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Port {
    input: bool,
    width: usize,
    name: String,
}

impl Port {
    fn new(input: bool, width: usize, name: impl Into<String>) -> Port {
        Port { input, width, name: name.into() }
    }

    fn declaration(&self, name: &str) -> String {
        let direction = if self.input { "input" } else { "output" };
        format!("{direction} wire [{}:0] {name}", self.width - 1)
    }
}

/// Sources of one row.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The top module.
    pub top: String,
    /// Contents by name; names are bare and need no quoting.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Verilog modules of a network that are kept apart, in the order of its hardware modules.
    pub parts: Vec<String>,
    ports: Vec<Port>,
}

impl Sources {
    /// Sources of a row: the whole design for [`Kind::Network`], otherwise its `unit` alone.
    ///
    /// # Errors
    /// When the design is not valid, or does not hold the one module or stream that `unit` is about.
    pub fn of(kind: Kind, unit: &str, design: &Design) -> Result<Sources, Diags> {
        let generated = generate(design)?;
        let mut files: BTreeMap<String, Vec<u8>> = generated
            .iter()
            .map(|(path, text)| (path.rsplit('/').next().unwrap_or(path).to_string(), text.to_vec()))
            .collect();
        if kind == Kind::Network {
            let parts = design.inner().into_iter().map(|id| module_name(design, id)).collect();
            return Ok(Sources { top: design.name.clone(), files, parts, ports: Vec::new() });
        }
        files.remove(&format!("{}.sv", design.name));
        let (top, ports) = match unit {
            FIFO | SINK => {
                let top = format!("{}_{unit}", design.name);
                let (instance, ports) = if unit == FIFO { fifo(design)? } else { sink(design)? };
                let mut text = format!("module {top} (\n");
                let declared: Vec<String> = ports.iter().map(|p| format!("    {}", p.declaration(&p.name))).collect();
                let joined: Vec<String> = ports.iter().map(|p| format!(".{0}({0})", p.name)).collect();
                let _ =
                    write!(text, "{}\n);\n  {instance} u ({});\nendmodule\n", declared.join(",\n"), joined.join(", "));
                files.insert(format!("{top}.sv"), text.into_bytes());
                (top, ports)
            }
            _ => {
                let id = single(design)?;
                (module_name(design, id), ports(design, id))
            }
        };
        Ok(Sources { top, files, parts: Vec::new(), ports })
    }

    /// First 16 hexadecimal digits of the Blake3 hash of all files and the top module's name.
    pub fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.top.as_bytes());
        for (name, text) in &self.files {
            hasher.update(format!("\n{name} {}\n", text.len()).as_bytes());
            hasher.update(text);
        }
        hasher.finalize().to_hex()[..16].to_string()
    }
}

/// The only module of a design that is neither source nor sink.
fn single(design: &Design) -> Result<ModuleId, Diag> {
    let modules = design.inner();
    match modules[..] {
        [id] => Ok(id),
        _ => Err(Diag::internal(&design.name, format!("a module row with {} modules", modules.len()))),
    }
}

/// Ports of a module's file, as `templates/verilog/module.sv` has them.
fn ports(design: &Design, id: ModuleId) -> Vec<Port> {
    let mut ports = vec![Port::new(true, 1, "clk"), Port::new(true, 1, "rst")];
    for (i, (_, s)) in design.inputs_of(id).into_iter().enumerate() {
        ports.push(Port::new(true, 1, format!("in{i}_valid")));
        ports.push(Port::new(false, 1, format!("in{i}_take")));
        ports.push(Port::new(true, s.width(), format!("in{i}_data")));
    }
    for (i, (_, s)) in design.outputs_of(id).into_iter().enumerate() {
        ports.push(Port::new(true, 1, format!("out{i}_space")));
        ports.push(Port::new(false, 1, format!("out{i}_reserve")));
        ports.push(Port::new(false, 1, format!("out{i}_put")));
        ports.push(Port::new(false, s.width(), format!("out{i}_data")));
    }
    ports
}

/// The only stream of a design.
fn stream(design: &Design) -> Result<&hw::Stream, Diag> {
    match design.streams()[..] {
        [(_, _, s)] => Ok(s),
        _ => Err(Diag::internal(&design.name, "a row about one stream of a design that has others")),
    }
}

/// The FIFO of the only stream, as `templates/verilog/top.sv` instantiates it.
fn fifo(design: &Design) -> Result<(String, Vec<Port>), Diag> {
    let s = stream(design)?;
    let deep = u8::from(s.read_latency() == 2);
    let block = u8::from(latency::default_memory(s.depth, s.width()) == hw::Memory::Block && deep == 1);
    let instance =
        format!("netfold_fifo #(.WIDTH({}), .DEPTH({}), .DEEP({deep}), .BLOCK({block}))", s.width(), s.depth);
    let (i, o) = (true, false);
    let ports = [("clk", i), ("rst", i), ("space", o), ("reserve", i), ("put", i), ("valid", o), ("take", i)];
    let mut ports: Vec<Port> = ports.into_iter().map(|(n, input)| Port::new(input, 1, n)).collect();
    ports.extend([Port::new(i, s.width(), "din"), Port::new(o, s.width(), "dout")]);
    Ok((instance, ports))
}

/// The end of the only stream.
fn sink(design: &Design) -> Result<(String, Vec<Port>), Diag> {
    let s = stream(design)?;
    let instance = format!("netfold_sink #(.WIDTH({}), .BEATS({}))", s.width(), s.beats);
    let (i, o) = (true, false);
    let ports = [("clk", i), ("rst", i), ("in_valid", i), ("in_take", o), ("tvalid", o), ("tready", i), ("tlast", o)];
    let mut ports: Vec<Port> = ports.into_iter().map(|(n, input)| Port::new(input, 1, n)).collect();
    ports.extend([Port::new(i, s.width(), "in_data"), Port::new(o, s.width().div_ceil(8) * 8, "tdata")]);
    Ok((instance, ports))
}

/// Name of the wrapper.
pub const WRAPPER: &str = "netfold_batch";

/// A module that holds several others side by side, each with ports of its own and kept whole, so that one run of the tool
/// synthesizes all of them and counts each.
pub fn wrapper(all: &[&Sources]) -> String {
    let mut declared = Vec::new();
    let mut body = String::new();
    for sources in all {
        let outer = |p: &Port| format!("{}__{}", sources.top, p.name);
        declared.extend(sources.ports.iter().map(|p| format!("    {}", p.declaration(&outer(p)))));
        let joined: Vec<String> = sources.ports.iter().map(|p| format!(".{}({})", p.name, outer(p))).collect();
        let _ = writeln!(body, "  (* keep_hierarchy *) {0} u_{0} ({1});", sources.top, joined.join(", "));
    }
    format!("module {WRAPPER} (\n{}\n);\n{body}endmodule\n", declared.join(",\n"))
}
