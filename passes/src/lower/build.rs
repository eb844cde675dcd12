//! The design under construction: modules, taps, width converters and forks.

use crate::fold::Folding;
use netfold_ir::diag::Diag;
use netfold_ir::graph::NodeId;
use netfold_ir::hw::{Design, Kind, Module, ModuleId, Stream, TopPort};
use netfold_ir::int::{IntNetwork, OutputPort};
use netfold_ir::names::{Identifiers, identifier};
use netfold_ir::quant::IntType;
use rustc_hash::FxHashMap;

/// Depth of FIFOs until they are sized.
pub(super) const PROVISIONAL_DEPTH: usize = 2;

/// A tensor as a stream that can be read: the output port of a module.
#[derive(Debug, Clone)]
pub(super) struct Tap {
    module: ModuleId,
    port: usize,
    /// Element type.
    pub ty: IntType,
    /// Elements a beat.
    pub lanes: usize,
    /// Elements a frame.
    pub elements: usize,
}

/// The design under construction.
pub(super) struct Builder<'a> {
    /// The network.
    pub net: &'a IntNetwork,
    /// The folding.
    pub folding: &'a Folding,
    design: Design,
    names: Identifiers,
    /// For each node its readers' taps, handed out one by one.
    taps: FxHashMap<NodeId, Vec<Tap>>,
    inputs: FxHashMap<NodeId, ModuleId>,
    /// The matrix-vector units of nodes.
    pub units: Vec<(NodeId, ModuleId)>,
    /// Whether only one operator is lowered, to be priced.
    pub alone: bool,
    /// Readers of every node's result, where programs change them.
    pub readers: FxHashMap<NodeId, usize>,
}

impl<'a> Builder<'a> {
    /// An empty design.
    pub fn new(net: &'a IntNetwork, folding: &'a Folding) -> Builder<'a> {
        Builder {
            net,
            folding,
            design: Design::new(""),
            names: Identifiers::default(),
            taps: FxHashMap::default(),
            inputs: FxHashMap::default(),
            units: Vec::new(),
            alone: false,
            readers: FxHashMap::default(),
        }
    }

    /// A source of `lanes` elements a beat in place of the module that computes node `id`.
    pub fn stand_in(&mut self, id: NodeId, lanes: usize) -> Tap {
        let elements = self.net.graph.node(id).elements();
        let source = self.module(id, "stand_in", Kind::Source { lanes, beats: elements / lanes });
        self.node_result(id, source)
    }

    /// Adds a module for node `id`; `what` is appended to its name.
    pub fn module(&mut self, id: NodeId, what: &str, kind: Kind) -> ModuleId {
        if self.alone {
            // Priced only: nobody reads its names.
            return self.design.add(Module { name: String::new(), layer: String::new(), kind });
        }
        let node = self.net.graph.node(id);
        let base = if what.is_empty() { node.name.clone() } else { format!("{}_{what}", node.name) };
        let name = self.names.take(&base, "layer");
        self.design.add(Module { name, layer: node.layer.clone(), kind })
    }

    /// Feeds port `port` of a module from a tap, through a width converter where needed.
    pub fn feed(&mut self, id: NodeId, tap: Tap, to: ModuleId, port: usize) {
        let wanted = self.design.module(to).kind.input_lanes()[port];
        let tap = self.convert(id, tap, wanted);
        self.connect(&tap, to, port);
    }

    /// The tap with another number of elements a beat.
    pub fn convert(&mut self, id: NodeId, tap: Tap, lanes: usize) -> Tap {
        if tap.lanes == lanes {
            return tap;
        }
        let kind = Kind::Dwc { from: tap.lanes, to: lanes, elements: tap.elements };
        let dwc = self.module(id, "dwc", kind);
        self.connect(&tap, dwc, 0);
        Tap { module: dwc, port: 0, lanes, ..tap }
    }

    /// Joins a tap to a port of the same width.
    fn connect(&mut self, tap: &Tap, to: ModuleId, port: usize) {
        let stream = Stream {
            from_port: tap.port,
            to_port: port,
            ty: tap.ty,
            lanes: tap.lanes,
            beats: tap.elements / tap.lanes,
            depth: PROVISIONAL_DEPTH,
        };
        self.design.connect(tap.module, to, stream);
    }

    /// The single output of a module as a tap.
    pub fn result(&self, module: ModuleId, ty: IntType, elements: usize) -> Tap {
        Tap { module, port: 0, ty, lanes: self.design.module(module).kind.output_lanes()[0], elements }
    }

    /// The output of the module that computes node `id` itself.
    pub fn node_result(&self, id: NodeId, module: ModuleId) -> Tap {
        let node = self.net.graph.node(id);
        self.result(module, node.ty(), node.elements())
    }

    /// A node's result as an output port of a module.
    pub fn port_result(&self, id: NodeId, module: ModuleId, port: usize) -> Tap {
        let node = self.net.graph.node(id);
        let lanes = self.design.module(module).kind.output_lanes()[port];
        Tap { module, port, ty: node.ty(), lanes, elements: node.elements() }
    }

    /// Makes a node's result available to its readers, behind a fork when there are several.
    pub fn publish(&mut self, id: NodeId, tap: Tap) {
        let readers = self.readers.get(&id).copied().unwrap_or_else(|| {
            self.net.graph.consumers(id).len() + self.net.outputs.iter().filter(|p| p.node == id).count()
        });
        let taps = if readers <= 1 {
            vec![tap; readers]
        } else {
            let beats = tap.elements / tap.lanes;
            let fork = self.module(id, "fork", Kind::Fork { outputs: readers, lanes: tap.lanes, beats });
            self.connect(&tap, fork, 0);
            (0..readers).rev().map(|port| Tap { module: fork, port, ..tap.clone() }).collect()
        };
        self.taps.insert(id, taps);
    }

    /// The next reader's tap of a node.
    pub fn tap(&mut self, id: NodeId) -> Result<Tap, Diag> {
        let name = &self.net.graph.node(id).name;
        self.taps.get_mut(&id).and_then(Vec::pop).ok_or_else(|| Diag::internal(name, "more readers than were counted"))
    }

    /// The source module of an input node.
    pub fn input(&mut self, id: NodeId) -> Result<Tap, Diag> {
        let node = self.net.graph.node(id);
        let lanes = self.folding.lanes(id, node.elements());
        let source = self.module(id, "source", Kind::Source { lanes, beats: node.elements() / lanes });
        self.inputs.insert(id, source);
        Ok(self.node_result(id, source))
    }

    /// The sink of an output.
    pub fn output(&mut self, port: &OutputPort, tap: Tap) {
        let sink = Kind::Sink { lanes: tap.lanes, beats: tap.elements / tap.lanes };
        let module = self.module(port.node, "sink", sink);
        self.connect(&tap, module, 0);
        let id = identifier(&port.name, "y");
        let id = distinct(&id, self.design.outputs.iter().map(|p| p.id.as_str()));
        self.design.outputs.push(TopPort { name: port.name.clone(), id, module, real: port.real.clone() });
    }

    /// The finished design, with its inputs in the network's order.
    pub fn finish(mut self) -> Design {
        for port in &self.net.inputs {
            if let Some(&module) = self.inputs.get(&port.node) {
                let id = identifier(&port.name, "x");
                let id = distinct(&id, self.design.inputs.iter().map(|p| p.id.as_str()));
                let real = self.net.graph.node(port.node).real.clone();
                self.design.inputs.push(TopPort { name: port.name.clone(), id, module, real });
            }
        }
        self.design
    }
}

/// `id`, or `id` with the first number that makes it distinct.
fn distinct<'a>(id: &str, taken: impl Iterator<Item = &'a str>) -> String {
    let taken: Vec<&str> = taken.collect();
    if !taken.contains(&id) {
        return id.to_string();
    }
    (2usize..).map(|n| format!("{id}_{n}")).find(|c| !taken.contains(&c.as_str())).unwrap_or_default()
}
