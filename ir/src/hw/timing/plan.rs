//! What of a simulation does not depend on FIFO depths: the modules as they are joined, and what their firings move.

use super::super::modules::{Kind, Mvu, Swu};
use super::super::schedule::Step;
use super::super::{Design, Module, ModuleId};
use std::sync::OnceLock;

/// Longest schedule period that is tabulated.
const TABLE: usize = 1 << 16;

/// A design as the simulation sees it.
#[derive(Debug, Clone)]
pub(super) struct Plan<'a> {
    pub design: &'a Design,
    /// The modules, in the order of [`Design::modules`].
    pub units: Vec<Unit<'a>>,
    /// The streams, in the order of [`Design::streams`].
    pub links: Vec<Link>,
}

/// A module in its place.
#[derive(Debug, Clone)]
pub(super) struct Unit<'a> {
    pub id: ModuleId,
    pub module: &'a Module,
    /// Pipeline depth.
    pub latency: u64,
    /// Streams by port.
    pub inputs: Vec<usize>,
    /// Streams by port.
    pub outputs: Vec<usize>,
    /// See [`Unit::table`].
    table: OnceLock<Table>,
}

/// A stream between units.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub producer: usize,
    pub consumer: usize,
    /// Depth that the design gives it.
    pub depth: usize,
}

/// What each firing moves.
#[derive(Debug, Clone)]
pub(super) enum Table {
    /// Firing `i` as `table[i % len]`.
    Steps(Vec<Step>),
    /// One input and one output: the firings that take or give, in turn.
    Moves(Vec<Move>),
    /// Sliding window: which positions of the window give.
    Gives(Vec<bool>),
    /// None: computed from the firing's number.
    Computed,
}

/// A firing of a module with one input and one output that takes or gives a beat.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move {
    pub take: bool,
    pub give: bool,
    /// Firings behind it that only compute.
    pub idle: u32,
}

impl<'a> Plan<'a> {
    /// Of a design.
    pub fn new(design: &'a Design) -> Plan<'a> {
        let ids = design.modules();
        let unit = |id: &ModuleId| {
            let module = design.module(*id);
            let [inputs, outputs] = [module.kind.input_lanes(), module.kind.output_lanes()].map(|l| vec![0; l.len()]);
            Unit { id: *id, module, latency: module.latency() as u64, inputs, outputs, table: OnceLock::new() }
        };
        let mut units: Vec<Unit<'a>> = ids.iter().map(unit).collect();
        let slot = |id: ModuleId| ids.binary_search(&id).unwrap_or(0);
        let mut links = Vec::new();
        for (from, to, stream) in design.streams() {
            let (producer, consumer) = (slot(from), slot(to));
            units[producer].outputs[stream.from_port] = links.len();
            units[consumer].inputs[stream.to_port] = links.len();
            links.push(Link { producer, consumer, depth: stream.depth });
        }
        Plan { design, units, links }
    }
}

impl Unit<'_> {
    /// What its firings move, tabulated when it is first asked for.
    pub fn table(&self) -> &Table {
        self.table.get_or_init(|| {
            let kind = &self.module.kind;
            match (kind, period(kind)) {
                (Kind::Mvu(unit), _) => Table::Moves(moves_of(unit)),
                (Kind::Swu(swu), _) => Table::Gives(window_gives(swu)),
                (_, Some(p)) if self.inputs.len() == 1 && self.outputs.len() == 1 => {
                    Table::Moves(moves((0..p).map(|i| kind.step(i))))
                }
                (_, Some(p)) => Table::Steps((0..p).map(|i| kind.step(i)).collect()),
                (_, None) => Table::Computed,
            }
        })
    }
}

/// Firings after which the schedule of a kind repeats, when that is known and short.
fn period(kind: &Kind) -> Option<usize> {
    let p = match kind {
        Kind::Source { .. }
        | Kind::Sink { .. }
        | Kind::Act { .. }
        | Kind::WindowReduce { .. }
        | Kind::LinComb { .. }
        | Kind::Mul { .. }
        | Kind::Fork { .. } => 1,
        Kind::Program(p) => p.interval,
        Kind::Vvu(v) => v.weights.cols / v.simd,
        Kind::VectorReduce { length, lanes, .. }
        | Kind::ArgMax { length, lanes, .. }
        | Kind::Broadcast { length, lanes, .. } => length / lanes,
        Kind::Concat { parts, .. } => parts.iter().sum(),
        Kind::Select { size, inner, .. } => size * inner,
        Kind::Dwc { from, to, .. } => num_integer::lcm(*from, *to) / from.min(to),
        Kind::GlobalReduce { .. } | Kind::Pad { .. } | Kind::Upsample { .. } => kind.firings(),
        Kind::Mvu(_) | Kind::Swu(_) | Kind::Reorder { .. } => return None,
    };
    (p <= TABLE).then_some(p)
}

/// Of every position of a window unit's window up to the last that gives, whether it does.
fn window_gives(swu: &Swu) -> Vec<bool> {
    let chunks = swu.channels / swu.lanes;
    let last = [0, 1].map(|d| (swu.output[d] - 1) * swu.window.stride[d]);
    let mut gives = vec![false; (last[0] * swu.size[1] + last[1] + 1) * chunks];
    for y in (0..=last[0]).step_by(swu.window.stride[0]) {
        for x in (0..=last[1]).step_by(swu.window.stride[1]) {
            gives[(y * swu.size[1] + x) * chunks..][..chunks].fill(true);
        }
    }
    gives
}

/// The firings of a schedule that move a beat. Every schedule ends with one and begins with one.
fn moves(steps: impl Iterator<Item = Step>) -> Vec<Move> {
    let mut table: Vec<Move> = Vec::new();
    for step in steps {
        let (take, give) = (step.take & 1 == 1, step.give & 1 == 1);
        match table.last_mut() {
            Some(last) if !take && !give => last.idle += 1,
            _ => table.push(Move { take, give, idle: 0 }),
        }
    }
    table
}

/// Those of a matrix-vector unit for one vector.
fn moves_of(unit: &Mvu) -> Vec<Move> {
    let (nf, sf, early) = (unit.neuron_fold(), unit.synapse_fold(), unit.early);
    let (apart, rest) = (early * nf, sf - early);
    let (mut table, mut at) = (Vec::new(), 0);
    while at < nf * sf {
        let (group, beat) = unit.tile(at);
        // To the next beat that is taken early, or to the end of a row group after the first.
        let next = at + 1;
        let idle = match next.checked_sub(apart) {
            None => (nf - next % nf) % nf,
            Some(j) if j >= rest => rest - 1 - j % rest,
            Some(_) => 0,
        };
        let idle = idle.min(nf * sf - next);
        table.push(Move { take: group == 0, give: beat + 1 == sf, idle: idle as u32 });
        at = next + idle;
    }
    table
}
