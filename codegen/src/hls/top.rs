//! The top function: ports, streams or arrays between the units, and the calls.

use super::modules::{self, Context, ap_int};
use super::names::Names;
use super::unit::{Arguments, Field, Unit};
use super::{HlsProject, Io, Strategy, limits};
use netfold_ir::diag::{Diag, Diags};
use netfold_ir::hw::{Design, Kind, ModuleId, Stream, TopPort};
use netfold_ir::net::Affine;
use netfold_ir::quant::IntType;
use netfold_ir::rat;
use std::collections::HashMap;

/// Fewest places of a stream: what the tool makes of less is the same.
const MIN_DEPTH: usize = 2;
/// Places that streams into a module with several inputs get beyond the design's: the tool's pipelines are deeper than ours.
const JOIN_SLACK: usize = 32;
/// Columns after which a call is broken.
const COLUMNS: usize = 120;
/// Largest distance of the binary point from the bits of an `ap_fixed`.
const MAX_POINT: i32 = 64;

/// A port of the top function.
#[derive(Debug, Clone)]
pub(super) struct TopArgument {
    /// Name of the argument.
    pub name: String,
    /// Type of an array's element or of a stream's word.
    pub type_name: String,
    /// C++ type of an element.
    pub element: String,
    /// The port's identifier.
    pub id: String,
    /// Name in the model.
    pub model_name: String,
    /// The stream behind it.
    pub stream: Stream,
    /// Whether it is an output.
    pub output: bool,
}

impl TopArgument {
    /// Elements of a frame.
    pub fn elements(&self) -> usize {
        self.stream.lanes * self.stream.beats
    }

    /// Name of the constant that holds [`TopArgument::elements`].
    pub fn size_name(&self) -> String {
        format!("{}_elements", self.type_name.strip_suffix("_t").unwrap_or(&self.type_name))
    }
}

/// A word type of `defines.h`.
#[derive(Debug, Clone)]
pub(super) struct WordType {
    /// Its name.
    pub name: String,
    /// What it stands for.
    pub definition: String,
}

/// A module as it stands in the top function.
#[derive(Debug, Clone)]
pub(super) struct Instance {
    /// The module.
    pub module: ModuleId,
    /// Name of its configuration.
    pub config: String,
    /// Configuration and constants.
    pub unit: Unit,
    /// Lines of the calls.
    pub calls: Vec<String>,
}

/// The whole project before it is text.
#[derive(Debug, Clone)]
pub(super) struct Built {
    /// Arguments of the top function: inputs, then outputs.
    pub arguments: Vec<TopArgument>,
    /// Modules in the order of the calls.
    pub instances: Vec<Instance>,
    /// Types of words.
    pub types: Vec<WordType>,
    /// Declarations of streams and arrays.
    pub locals: Vec<String>,
    /// Directives of the ports and of the function.
    pub interface: Vec<String>,
    /// Directives of streams, arrays and constants.
    pub directives: Vec<String>,
}

/// Iterations of the longest loop of a module's process.
pub(super) fn steps(design: &Design, id: ModuleId) -> usize {
    let module = design.module(id);
    let inputs = design.inputs_of(id);
    let cx = Context { name: &module.name, inputs: inputs.iter().map(|(_, s)| *s).collect(), weights_in_bram: false };
    match &module.kind {
        Kind::Swu(_) => modules::of(&module.kind, &cx).map_or(1, |u| u.steps),
        kind => kind.firings(),
    }
}

/// The C++ type of a port's elements: fixed point where the real value is a power of two times the integer.
fn element_type(stream: &Stream, real: &Affine) -> String {
    let ty = stream.ty;
    let fixed = match (real.scale.as_slice(), real.offset.as_slice()) {
        ([scale], [offset]) if offset.is_zero() => rat::log2_exact(scale),
        _ => None,
    };
    match fixed {
        Some(e) if e != 0 && ty.bits > 1 && e.abs() <= MAX_POINT => {
            let name = if ty.signed { "ap_fixed" } else { "ap_ufixed" };
            format!("{name}<{}, {}, AP_RND, AP_SAT>", ty.bits, ty.bits as i32 + e)
        }
        _ => ap_int(ty),
    }
}

struct Builder<'a> {
    project: &'a HlsProject<'a>,
    unrolled: bool,
    names: Names,
    built: Built,
    /// Variable of the stream that leaves a module's port.
    variables: HashMap<(ModuleId, usize), String>,
}

/// Builds the project.
pub(super) fn build(project: &HlsProject<'_>, unrolled: bool) -> Result<Built, Diags> {
    let built = Built {
        arguments: Vec::new(),
        instances: Vec::new(),
        types: Vec::new(),
        locals: Vec::new(),
        interface: Vec::new(),
        directives: Vec::new(),
    };
    let mut b = Builder { project, unrolled, names: Names::default(), built, variables: HashMap::new() };
    b.names.take(project.name.to_string());
    b.arguments().map_err(Diags::from)?;
    b.streams();
    let mut diags = Diags::new();
    for id in project.design.topological().map_err(Diags::from)? {
        if let Some(instance) = b.instance(id) {
            diags.take(limits::check_steps(project.design.module(id), instance.unit.steps));
            for array in &instance.unit.arrays {
                diags.take(limits::check_array(project.design.module(id), array));
            }
            b.built.instances.push(instance);
        }
    }
    diags.into_result(b.built)
}

impl Builder<'_> {
    /// Ports of the top function with their types and interfaces.
    fn arguments(&mut self) -> Result<(), Diag> {
        let design = self.project.design;
        let all: Vec<(&TopPort, bool)> =
            design.inputs.iter().map(|p| (p, false)).chain(design.outputs.iter().map(|p| (p, true))).collect();
        let mut ids = Names::default();
        for (port, output) in all {
            let streams = if output { design.inputs_of(port.module) } else { design.outputs_of(port.module) };
            let Some((_, stream)) = streams.first() else {
                return Err(Diag::internal(&port.name, "a port without a stream"));
            };
            let id = ids.take(netfold_ir::names::identifier(&port.id, "port"));
            let suffix = if output { "_out" } else { "_in" };
            let name = self.names.take(format!("{}{suffix}", id.strip_suffix(suffix).unwrap_or(&id)));
            let type_name = self.names.take(format!("{id}_t"));
            let element = element_type(stream, &port.real);
            let (model_name, stream) = (port.name.clone(), (*stream).clone());
            let argument = TopArgument { name, type_name, element, id, model_name, stream, output };
            if self.project.io == Io::Parallel {
                self.names.take(argument.size_name());
            }
            self.interface_of(&argument);
            let definition = match self.project.io {
                Io::Stream => format!("nf::beat<{}, {}>", argument.element, argument.stream.lanes),
                Io::Parallel => argument.element.clone(),
            };
            self.built.types.push(WordType { name: argument.type_name.clone(), definition });
            self.built.arguments.push(argument);
        }
        Ok(())
    }

    fn interface_of(&mut self, argument: &TopArgument) {
        let name = &argument.name;
        let lanes = argument.stream.lanes;
        let lines = &mut self.built.interface;
        match self.project.io {
            Io::Stream => lines.push(format!("INTERFACE axis port={name}")),
            Io::Parallel if self.unrolled => {
                lines.push(format!("INTERFACE ap_vld port={name}"));
                lines.push(format!("ARRAY_PARTITION variable={name} complete"));
            }
            Io::Parallel => {
                lines.push(format!("INTERFACE ap_memory port={name}"));
                if lanes > 1 {
                    lines.push(format!("ARRAY_RESHAPE variable={name} cyclic factor={lanes} dim=1"));
                }
            }
        }
    }

    /// Variables of all streams, and the types of their words.
    fn streams(&mut self) {
        let design = self.project.design;
        let top = if self.unrolled {
            let interval = super::interval_cycles(design, true);
            format!("PIPELINE II={interval}")
        } else {
            "DATAFLOW".to_string()
        };
        self.built.interface.push(top);
        let stream_io = self.project.io == Io::Stream;
        for id in design.modules() {
            let outputs = design.outputs_of(id);
            let name = &design.module(id).name;
            // Types of words by what is in them: all outputs of a module have the same, but those of programs.
            let mut words: Vec<((IntType, usize), String)> = Vec::new();
            for (consumer, stream) in &outputs {
                let port_of = |module: ModuleId, output: bool| {
                    let ports = if output { &design.outputs } else { &design.inputs };
                    let at = ports.iter().position(|p| p.module == module)?;
                    Some(if output { design.inputs.len() + at } else { at })
                };
                let argument = port_of(id, false).or_else(|| port_of(*consumer, true)).filter(|_| stream_io);
                let is_copy = port_of(id, false).is_some() && port_of(*consumer, true).is_some();
                if let Some(at) = argument.filter(|_| !is_copy) {
                    let variable = self.built.arguments[at].name.clone();
                    self.variables.insert((id, stream.from_port), variable);
                    continue;
                }
                if is_copy && stream_io {
                    continue;
                }
                let contents = (stream.ty, stream.lanes);
                let word = match words.iter().find(|w| w.0 == contents) {
                    Some((_, word)) => word.clone(),
                    None => {
                        let word = self.names.take(format!("{name}_t"));
                        words.push((contents, word.clone()));
                        word
                    }
                };
                if !self.built.types.iter().any(|t| t.name == word) {
                    let definition = format!("nf::beat<{}, {}>", ap_int(stream.ty), stream.lanes);
                    self.built.types.push(WordType { name: word.clone(), definition });
                }
                let which = if outputs.len() > 1 { stream.from_port.to_string() } else { String::new() };
                let variable = self.names.take(format!("{name}_out{which}"));
                if self.unrolled {
                    self.built.locals.push(format!("{word} {variable}[{}];", stream.beats));
                    self.built.directives.push(format!("ARRAY_PARTITION variable={variable} complete"));
                } else {
                    let joins = design.inputs_of(*consumer).len() > 1;
                    let depth = stream.depth.max(MIN_DEPTH) + if joins { JOIN_SLACK } else { 0 };
                    self.built.locals.push(format!("hls::stream<{word}> {variable}(\"{variable}\");"));
                    self.built.directives.push(format!("STREAM variable={variable} depth={depth}"));
                }
                self.variables.insert((id, stream.from_port), variable);
            }
        }
    }

    /// A module's calls and what they need; `None` for the ports of streams.
    fn instance(&mut self, id: ModuleId) -> Option<Instance> {
        let design = self.project.design;
        let module = design.module(id);
        let inputs = design.inputs_of(id);
        let outputs = design.outputs_of(id);
        let sources: Vec<String> =
            inputs.iter().filter_map(|(from, s)| self.variables.get(&(*from, s.from_port)).cloned()).collect();
        let targets: Vec<String> =
            outputs.iter().filter_map(|(_, s)| self.variables.get(&(id, s.from_port)).cloned()).collect();
        let cx = Context {
            name: &module.name,
            inputs: inputs.iter().map(|(_, s)| *s).collect(),
            weights_in_bram: self.project.strategy == Strategy::Resource && !self.unrolled,
        };
        let (mut unit, port) = match &module.kind {
            Kind::Source { lanes, beats } => {
                let at = design.inputs.iter().position(|p| p.module == id)?;
                let argument = self.built.arguments[at].name.clone();
                match self.project.io {
                    Io::Parallel => (moving("load", *beats, *lanes), Some(argument)),
                    // A source that feeds a sink: the words are copied from one port to the other.
                    Io::Stream if targets.is_empty() => (moving("copy", *beats, *lanes), Some(argument)),
                    Io::Stream => return None,
                }
            }
            Kind::Sink { lanes, beats } => {
                if self.project.io == Io::Stream {
                    return None;
                }
                let at = design.outputs.iter().position(|p| p.module == id)?;
                (moving("store", *beats, *lanes), Some(self.built.arguments[design.inputs.len() + at].name.clone()))
            }
            Kind::Reorder { order, lanes, .. } => {
                let mut unit = moving("gather", order.len(), *lanes);
                let about = "Place of every word before the permutation".to_string();
                let data = order.iter().map(|w| i64::from(*w)).collect();
                unit.arrays = vec![cx.array("order", about, vec![order.len()], data, 1)];
                (unit, None)
            }
            kind => (modules::of(kind, &cx)?, None),
        };
        for array in &mut unit.arrays {
            array.name = self.names.take(std::mem::take(&mut array.name));
            for (directive, options) in &array.directives {
                self.built.directives.push(format!("{directive} variable={} {options}", array.name));
            }
        }
        let config = self.names.take(format!("{}_config", module.name));
        if unit.program.is_some() {
            unit.fields.push(Field::Type("body", format!("{config}_body")));
        }
        let call = |function: &str, arguments: &[String]| call(function, &config, arguments);
        let constants: Vec<String> = unit.arrays.iter().map(|a| a.name.clone()).collect();
        let calls = match &module.kind {
            Kind::Source { .. } if self.project.io == Io::Parallel => {
                vec![call("load", &[port?, targets.first()?.clone()])]
            }
            Kind::Source { .. } => {
                let sink = outputs.first()?.0;
                let at = design.outputs.iter().position(|p| p.module == sink)?;
                let target = self.built.arguments[design.inputs.len() + at].name.clone();
                vec![call("copy", &[port?, target])]
            }
            Kind::Sink { .. } => vec![call("store", &[sources.first()?.clone(), port?])],
            Kind::Reorder { order, lanes, .. } => {
                let word = self.names.take(format!("{}_buffer_t", module.name));
                let definition = format!("nf::beat<{}, {lanes}>", ap_int(cx.input_type()));
                self.built.types.push(WordType { name: word.clone(), definition });
                let buffer = self.names.take(format!("{}_buffer", module.name));
                self.built.locals.push(format!("{word} {buffer}[{}];", order.len()));
                if self.unrolled {
                    self.built.directives.push(format!("ARRAY_PARTITION variable={buffer} complete"));
                }
                let last = [vec![buffer.clone(), targets.first()?.clone()], constants].concat();
                vec![call("copy", &[sources.first()?.clone(), buffer]), call("gather", &last)]
            }
            _ => {
                let arguments = match unit.arguments {
                    Arguments::InOut => [sources, targets, constants].concat(),
                    Arguments::OutIn => [targets, constants, sources].concat(),
                };
                vec![call(unit.function, &arguments)]
            }
        };
        Some(Instance { module: id, config, unit, calls })
    }
}

/// A unit that only moves words.
fn moving(function: &'static str, beats: usize, lanes: usize) -> Unit {
    let fields = vec![Field::size("beats", beats), Field::size("lanes", lanes)];
    let about = match function {
        "gather" => format!("permutation of {beats} words"),
        _ => format!("{} elements, {lanes} at a time", beats * lanes),
    };
    Unit { function, about, fields, arrays: Vec::new(), arguments: Arguments::InOut, steps: beats, program: None }
}

/// A call, broken behind the bracket where it is long.
fn call(function: &str, config: &str, arguments: &[String]) -> String {
    let (head, arguments) = (format!("nf::{function}<{config}>("), arguments.join(", "));
    if head.len() + arguments.len() + 6 <= COLUMNS {
        format!("{head}{arguments});")
    } else {
        format!("{head}\n        {arguments});")
    }
}
