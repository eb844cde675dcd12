//! One file a module: its ports, and the primitives and constants that make it.

mod act;
mod arrange;
mod dot;
mod join;
mod lookup;
mod packed;
mod program;
mod window;

use super::linear::Input;
use super::rom::{Rom, RomText};
use super::top::describe;
use crate::files::Files;
use crate::text::plain;
use askama::Template;
use netfold_ir::diag::Diag;
use netfold_ir::hw::{Design, Kind, Memory, Module, ModuleId, Stream, latency};
use netfold_ir::quant::IntType;

#[derive(Template)]
#[template(path = "verilog/module.sv")]
struct ModuleFile<'a> {
    name: &'a str,
    kind: &'static str,
    version: &'static str,
    header: Vec<String>,
    ins: Vec<PortText>,
    outs: Vec<PortText>,
    body: String,
}

struct PortText {
    comment: String,
    width: usize,
}

/// What the functions that write a body work with.
pub(super) struct Context<'a> {
    /// Name of the Verilog module.
    name: &'a str,
    module: &'a Module,
    ins: Vec<&'a Stream>,
    outs: Vec<&'a Stream>,
    files: &'a mut Files,
}

/// Source of a module's file; large constants go into `files`.
pub(super) fn render(design: &Design, id: ModuleId, name: &str, files: &mut Files) -> Result<String, Diag> {
    let module = design.module(id);
    let ins: Vec<&Stream> = design.inputs_of(id).into_iter().map(|(_, s)| s).collect();
    let outs: Vec<&Stream> = design.outputs_of(id).into_iter().map(|(_, s)| s).collect();
    let port = |s: &&Stream| PortText { comment: describe(s), width: s.width() };
    let (in_ports, out_ports) = (ins.iter().map(port).collect(), outs.iter().map(port).collect());
    let mut context = Context { name, module, ins, outs, files };
    let body = body(&mut context)?;
    let mut header = vec![format!("Layer {}.", plain(&module.layer))];
    header.extend(decisions(module));
    let file = ModuleFile {
        name,
        kind: module.kind.name(),
        version: env!("CARGO_PKG_VERSION"),
        header,
        ins: in_ports,
        outs: out_ports,
        body,
    };
    text(module, &file)
}

/// A rendered template.
fn text(module: &Module, template: &impl Template) -> Result<String, Diag> {
    template.render().map(|t| t + "\n").map_err(|error| Diag::internal(&module.name, error.to_string()))
}

/// Lines of the file's header: shape, folding, memory, latency.
fn decisions(module: &Module) -> Vec<String> {
    let mut lines = match &module.kind {
        Kind::Mvu(m) => [
            format!("{} x {} weights, {} vectors a frame.", m.weights.rows, m.weights.cols, m.vectors),
            format!(
                "Folding: PE {} of {} rows, SIMD {} of {} columns; products: {}; weights: {}.",
                m.pe,
                m.weights.rows,
                m.simd,
                m.weights.cols,
                products(m.built(), m.is_shift_add()),
                memory_name(m.memory)
            ),
        ]
        .into_iter()
        .chain((m.early > 0).then(|| early(m)))
        .chain((m.pixels > 1).then(|| format!("{} vectors at once.", m.pixels)))
        .collect(),
        Kind::Vvu(v) => vec![
            format!("{} channels x {} taps, {} pixels a frame.", v.channels(), v.weights.cols, v.pixels),
            format!(
                "Folding: PE {} of {} channels, SIMD {} of {} taps; products: {}; weights: {}.",
                v.pe,
                v.channels(),
                v.simd,
                v.weights.cols,
                products(v.multiplier, v.is_shift_add()),
                memory_name(v.memory)
            ),
        ],
        Kind::Swu(s) => vec![
            format!("Input {} x {} x {}, {} channels a beat.", s.size[0], s.size[1], s.channels, s.lanes),
            format!(
                "Kernel {:?}, stride {:?}, dilation {:?}, padding (top, left, bottom, right) {:?}; lines: {}.",
                s.window.kernel,
                s.window.stride,
                s.window.dilation,
                s.window.pads,
                memory_name(s.memory)
            ),
        ],
        Kind::Act { function, lanes, .. } => {
            vec![format!("{} elements a beat; parameters repeat after {} elements.", lanes, function.period())]
        }
        Kind::Program(p) => {
            let how =
                if p.combinational { "no registers".to_string() } else { format!("{} stages", p.pipeline.stages) };
            let rate = if p.interval == 1 { "cycle".to_string() } else { format!("{} cycles", p.interval) };
            vec![format!(
                "Straight-line program of {} operations, {how}; a new beat every {rate}.",
                p.graph.nodes.len()
            )]
        }
        _ => Vec::new(),
    };
    lines.push(format!("{} firings a frame, latency {} cycles.", module.kind.firings(), module.latency()));
    lines
}

/// The order of a unit's work, where it is not row after row.
fn early(m: &netfold_ir::hw::Mvu) -> String {
    format!("Order: {} of {} beats are multiplied with all rows as they come.", m.early, m.synapse_fold())
}

fn products(multiplier: netfold_ir::hw::Multiplier, shift_add: bool) -> &'static str {
    match (multiplier, shift_add) {
        (_, true) => "shift-and-add of constants",
        (netfold_ir::hw::Multiplier::Dsp, _) => "DSP blocks",
        (netfold_ir::hw::Multiplier::Lut, _) => "logic",
        (netfold_ir::hw::Multiplier::Packed | netfold_ir::hw::Multiplier::PackedSum, _) => "DSP blocks, two rows each",
    }
}

fn memory_name(memory: Memory) -> &'static str {
    match memory {
        Memory::Logic => "logic",
        Memory::Lut => "LUTs",
        Memory::Block => "block memory",
        Memory::Ultra => "UltraRAM",
    }
}

/// The body of a module's file.
fn body(c: &mut Context) -> Result<String, Diag> {
    let module = c.module;
    match &module.kind {
        Kind::Source { .. } | Kind::Sink { .. } => Err(Diag::internal(&module.name, "ports have no module file")),
        Kind::Program(p) => program::program(c, p),
        Kind::Mvu(m) => dot::mvu(c, m),
        Kind::Vvu(v) => dot::vvu(c, v),
        Kind::Swu(s) => window::swu(c, s),
        Kind::Act { function, lanes, .. } => act::act(c, function, *lanes),
        Kind::WindowReduce { op, taps, lanes, .. } => window::window_reduce(c, *op, *taps, *lanes),
        Kind::GlobalReduce { op, pixels, channels, lanes } => {
            window::global_reduce(c, *op, *pixels, channels / lanes, *lanes)
        }
        Kind::VectorReduce { op, length, lanes, .. } => window::vector_reduce(c, *op, length / lanes, *lanes),
        Kind::ArgMax { last, length, lanes, .. } => window::argmax(c, *last, length / lanes, *lanes),
        Kind::Broadcast { op, length, lanes, .. } => join::broadcast(c, *op, length / lanes, *lanes),
        Kind::LinComb { coefficients, constant, lanes, .. } => join::lincomb(c, coefficients, constant, *lanes),
        Kind::Mul { multiplier, lanes, .. } => join::mul(c, *multiplier, *lanes),
        Kind::Fork { .. } => join::fork(c),
        Kind::Concat { parts, .. } => join::concat(c, parts),
        Kind::Select { .. } | Kind::Dwc { .. } | Kind::Pad { .. } | Kind::Upsample { .. } => arrange::unit(c),
        Kind::Reorder { order, memory, .. } => arrange::reorder(c, order, *memory),
    }
}

#[derive(Template)]
#[template(path = "verilog/instances/stage.sv")]
struct Stage {
    latency: usize,
    inputs: usize,
    outputs: usize,
}

#[derive(Template)]
#[template(path = "verilog/instances/interval.sv")]
struct Interval {
    latency: usize,
    interval: usize,
    inputs: usize,
    outputs: usize,
}

#[derive(Template)]
#[template(path = "verilog/instances/cast.sv")]
struct Cast<'a> {
    instance: &'a str,
    lanes: usize,
    from_bits: u32,
    from_signed: u8,
    to_bits: u32,
    from: &'a str,
    to: &'a str,
}

#[derive(Template)]
#[template(path = "verilog/instances/delay.sv")]
struct Delay<'a> {
    width: usize,
    stages: usize,
    instance: &'a str,
    d: &'a str,
    q: &'a str,
}

/// A primitive with `in`, `out` and perhaps `pad` ports, the rest of the body after it.
#[derive(Template)]
#[template(path = "verilog/instances/unit.sv")]
struct Unit {
    primitive: &'static str,
    short: &'static str,
    parameters: Vec<(&'static str, String)>,
    passes_data: bool,
    /// Elements a beat and bits of the primitive's own result, when it must be cast; 0 bits otherwise.
    lanes: usize,
    result_bits: usize,
    pad: Option<RomText>,
    tail: String,
}

impl Context<'_> {
    /// A rendered template.
    fn text(&self, template: &impl Template) -> Result<String, Diag> {
        text(self.module, template)
    }

    /// Control of a module that takes from every input and gives to every output at each firing.
    fn stage(&self) -> Result<String, Diag> {
        self.text(&Stage { latency: self.module.latency(), inputs: self.ins.len(), outputs: self.outs.len() })
    }

    /// As [`Context::stage`] for a module that fires every `interval` cycles at most, more than one; `fire` says when.
    fn interval(&self, interval: usize) -> Result<String, Diag> {
        let (latency, inputs, outputs) = (self.module.latency(), self.ins.len(), self.outs.len());
        self.text(&Interval { latency, interval, inputs, outputs })
    }

    /// Changes the element width of a beat from that of `from_ty` to `to_bits`: an instance, or an assignment where they agree.
    fn cast(
        &self,
        name: &str,
        lanes: usize,
        from_ty: IntType,
        to_bits: u32,
        from: &str,
        to: &str,
    ) -> Result<String, Diag> {
        if from_ty.bits == to_bits {
            return Ok(format!("  assign {to} = {from};\n"));
        }
        let from_signed = u8::from(from_ty.signed);
        self.text(&Cast { instance: name, lanes, from_bits: from_ty.bits, from_signed, to_bits, from, to })
    }

    /// Delays `d` by `stages` cycles into `q`.
    fn delay(&self, name: &str, width: usize, stages: usize, d: &str, q: &str) -> Result<String, Diag> {
        self.text(&Delay { width, stages, instance: name, d, q })
    }

    /// Text of a memory, with the file name of this module.
    fn rom(&mut self, name: &str, rom: &Rom) -> RomText {
        rom.text(name, &format!("{}_{name}", self.name), self.files)
    }

    /// A broken invariant of this module.
    fn broken(&self, cause: &str) -> Diag {
        Diag::internal(&self.module.name, cause)
    }

    /// Declares lane `lane` of input `port` as the signed wire `name` and returns the declaration with the wire's range.
    fn signed_lane(&self, port: usize, lane: usize, name: &str, source: &str) -> (String, Input) {
        let ty = self.ins[port].ty;
        let bits = ty.bits as usize;
        let slice = format!("{source}[{}:{}]", (lane + 1) * bits - 1, lane * bits);
        let (lo, hi) = type_range(ty);
        let line = if ty.signed {
            format!("  wire signed [{}:0] {name} = $signed({slice});\n", bits - 1)
        } else {
            format!("  wire signed [{bits}:0] {name} = $signed({{1'b0, {slice}}});\n")
        };
        (line, Input { name: name.to_owned(), lo, hi })
    }
}

/// Range of every value that the bits of a type can hold.
fn type_range(ty: IntType) -> (i128, i128) {
    let full = IntType::new(ty.signed, ty.bits);
    (i128::from(full.min()), i128::from(full.max()))
}

/// Bits `[lane * bits +: bits]` of a beat.
fn slice(beat: &str, lane: usize, bits: usize) -> String {
    format!("{beat}[{}:{}]", (lane + 1) * bits - 1, lane * bits)
}

/// A value that repeats with the length of its parameter.
fn cyclic(values: &[i64], c: usize) -> i128 {
    i128::from(values[c % values.len()])
}

/// Whether a read-only memory of this size is block memory when nothing is asked for.
fn is_block(words: usize, width: usize) -> bool {
    latency::default_memory(words, width) == Memory::Block
}

/// Number of the netfold_line parameter MEMORY.
fn memory_number(memory: Memory) -> u8 {
    match memory {
        Memory::Logic => 0,
        Memory::Lut => 1,
        Memory::Block => 2,
        Memory::Ultra => 3,
    }
}
