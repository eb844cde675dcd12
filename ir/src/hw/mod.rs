//! The hardware level: module instances joined by streams.
//!
//! A *module* is an engine that fires at most once a cycle. One frame is a fixed sequence of firings, its *schedule*
//! ([`schedule`]); each firing may take one beat from some inputs and give one beat to some outputs. A module fires when
//! every beat that it takes is there and every stream that it gives to has space; what it gives arrives [`Module::latency`]
//! cycles later. Nothing ever stalls inside a module: space is reserved in the stream's FIFO at the firing.
//!
//! A *stream* is a FIFO of beats. A beat is `lanes` elements of one integer type; a frame is `beats` beats, the tensor's
//! elements in row-major order.
//!
//! Cycle by cycle: a firing in cycle `t` of a module of latency `L` writes its result into the FIFO at the end of cycle
//! `t + L`; the consumer can take it from cycle `t + L + R` on, where `R` is [`Stream::read_latency`]; a beat taken in cycle `t`
//! frees its place for a firing from cycle `t + 1` on. [`timing`] computes latency and interval of a design from these rules.

mod act;
pub mod bound;
pub mod eval;
pub mod file;
pub mod latency;
pub mod linear;
mod modules;
pub mod packing;
pub mod program;
pub mod schedule;
pub mod timing;
mod verify;

pub use act::{MulShift, Realization, Table, Thresholds};
pub use modules::*;

use crate::diag::{Diag, Diags};
use crate::net::Affine;
use crate::quant::IntType;
use petgraph::Direction;
use petgraph::stable_graph::{NodeIndex, StableDiGraph};
use petgraph::visit::{EdgeRef, IntoEdgeReferences};
use serde::{Deserialize, Serialize};

/// Handle of a module of a [`Design`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModuleId(NodeIndex);

impl ModuleId {
    /// Index for side tables, below [`Design::index_bound`].
    pub fn index(self) -> usize {
        self.0.index()
    }
}

/// A module instance.
#[derive(Debug, Clone)]
pub struct Module {
    /// Unique instance name, already a valid identifier `[a-z][a-z0-9_]*` of at most 60 characters.
    pub name: String,
    /// The layer of the network that it belongs to, as the user wrote it (data, not an identifier).
    pub layer: String,
    /// What it is.
    pub kind: Kind,
}

/// A FIFO of beats between an output port and an input port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// Output port of the producer.
    pub from_port: usize,
    /// Input port of the consumer.
    pub to_port: usize,
    /// Element type.
    pub ty: IntType,
    /// Elements a beat.
    pub lanes: usize,
    /// Beats a frame.
    pub beats: usize,
    /// Capacity in beats, at least 1. Places are reserved when the producer fires.
    pub depth: usize,
}

impl Stream {
    /// Bits of a beat.
    pub fn width(&self) -> usize {
        self.lanes * self.ty.bits as usize
    }

    /// Deepest FIFO that is built from registers or LUT memory with a read in the same cycle.
    pub const SHALLOW: usize = 64;

    /// Cycles from the end of the write to the first cycle in which the beat can be taken: 1 up to [`Stream::SHALLOW`] beats
    /// deep, 2 for deeper FIFOs, which are block memory with an output register.
    pub fn read_latency(&self) -> usize {
        Stream::read_latency_of(self.depth)
    }

    /// [`Stream::read_latency`] of a depth.
    pub fn read_latency_of(depth: usize) -> usize {
        if depth <= Stream::SHALLOW { 1 } else { 2 }
    }
}

/// One top-level AXI4-Stream port.
#[derive(Debug, Clone)]
pub struct TopPort {
    /// Name in the model (data, not an identifier).
    pub name: String,
    /// Identifier used in port names: `s_axis_<id>_tdata` or `m_axis_<id>_tdata`.
    pub id: String,
    /// The [`Kind::Source`] or [`Kind::Sink`] module.
    pub module: ModuleId,
    /// Real value of an element: `scale * q + offset`.
    pub real: Affine,
}

/// A complete accelerator.
#[derive(Debug, Clone, Default)]
pub struct Design {
    /// Name of the top module, a valid identifier.
    pub name: String,
    graph: StableDiGraph<Module, Stream>,
    /// Inputs in the model's order.
    pub inputs: Vec<TopPort>,
    /// Outputs in the model's order.
    pub outputs: Vec<TopPort>,
}

impl Design {
    /// An empty design.
    pub fn new(name: impl Into<String>) -> Design {
        Design { name: name.into(), ..Design::default() }
    }

    /// Adds a module.
    pub fn add(&mut self, module: Module) -> ModuleId {
        ModuleId(self.graph.add_node(module))
    }

    /// Joins an output port to an input port.
    pub fn connect(&mut self, from: ModuleId, to: ModuleId, stream: Stream) {
        self.graph.add_edge(from.0, to.0, stream);
    }

    /// A module.
    pub fn module(&self, id: ModuleId) -> &Module {
        &self.graph[id.0]
    }

    /// A module, mutable.
    pub fn module_mut(&mut self, id: ModuleId) -> &mut Module {
        &mut self.graph[id.0]
    }

    /// All modules, in the order they were added.
    pub fn modules(&self) -> Vec<ModuleId> {
        self.graph.node_indices().map(ModuleId).collect()
    }

    /// The modules that are Verilog modules of their own, in the same order: all but the top level's ports.
    pub fn inner(&self) -> Vec<ModuleId> {
        let is_port = |id: &ModuleId| matches!(self.module(*id).kind, Kind::Source { .. } | Kind::Sink { .. });
        self.modules().into_iter().filter(|id| !is_port(id)).collect()
    }

    /// One more than the largest index.
    pub fn index_bound(&self) -> usize {
        self.graph.node_indices().map(|i| i.index() + 1).max().unwrap_or(0)
    }

    /// Modules so that producers come before consumers.
    pub fn topological(&self) -> Result<Vec<ModuleId>, Diag> {
        petgraph::algo::toposort(&self.graph, None)
            .map(|v| v.into_iter().map(ModuleId).collect())
            .map_err(|c| Diag::internal(&self.graph[c.node_id()].name, "the design has a cycle"))
    }

    /// Streams into a module in port order, with their producers.
    pub fn inputs_of(&self, id: ModuleId) -> Vec<(ModuleId, &Stream)> {
        let mut v: Vec<_> =
            self.graph.edges_directed(id.0, Direction::Incoming).map(|e| (ModuleId(e.source()), e.weight())).collect();
        v.sort_by_key(|(_, s)| s.to_port);
        v
    }

    /// Streams out of a module in port order, with their consumers.
    pub fn outputs_of(&self, id: ModuleId) -> Vec<(ModuleId, &Stream)> {
        let mut v: Vec<_> =
            self.graph.edges_directed(id.0, Direction::Outgoing).map(|e| (ModuleId(e.target()), e.weight())).collect();
        v.sort_by_key(|(_, s)| s.from_port);
        v
    }

    /// All streams as (producer, consumer, stream), ordered by producer and port.
    pub fn streams(&self) -> Vec<(ModuleId, ModuleId, &Stream)> {
        let mut v: Vec<_> =
            self.graph.edge_references().map(|e| (ModuleId(e.source()), ModuleId(e.target()), e.weight())).collect();
        v.sort_by_key(|(f, _, s)| (*f, s.from_port));
        v
    }

    /// The stream that leaves `port` of module `id`, mutable.
    pub fn stream_mut(&mut self, id: ModuleId, port: usize) -> Option<&mut Stream> {
        let edge = self.graph.edges_directed(id.0, Direction::Outgoing).find(|e| e.weight().from_port == port)?.id();
        self.graph.edge_weight_mut(edge)
    }

    /// Checks every invariant of the level; all violations are returned.
    pub fn verify(&self) -> Result<(), Diags> {
        verify::verify(self)
    }
}
