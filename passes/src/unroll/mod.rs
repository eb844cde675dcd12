//! `unroll`: parts of a network as straight-line programs of additions with constants in the wires, a new input every cycle.
//!
//! Operators that can be part of a program are fused to regions as large as possible (`region`): products with constants, sums,
//! step functions that are shifts, clips or comparisons, poolings, and everything that only moves elements. A region's elements
//! become sums and quantizers (`elements`, `step`), which the solver of `netfold_shiftadd` turns into few adders and places
//! registers in, wherever layers begin or end. What cannot be fused stays a unit of the stream style, fully parallel.

mod effort;
mod elements;
mod layers;
mod region;
mod step;

pub use effort::{MOST_DIGITS, effort};
pub use layers::{LayerProgram, layers};
pub use region::Granularity;
pub(crate) use region::{Region, Source};

use crate::lower::Realizations;
use crate::pipeline::Prepared;
use netfold_ir::diag::{Code, Diag};
use netfold_ir::graph::NodeId;
use netfold_ir::hw::program::Program;
use netfold_ir::int::{IntNetwork, IntOp};
use netfold_shiftadd::{DelayModel, Options, PipelineOptions};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How programs are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unrolling {
    /// The solver's options.
    pub options: Options,
    /// Delays of the device.
    pub delay: DelayModel,
    /// Longest delay between two registers in ns; `None`: no registers within programs at all.
    pub period_ns: Option<f64>,
}

impl Unrolling {
    /// Usual options for a clock.
    pub fn for_clock(clock_mhz: f64, delay: DelayModel) -> Unrolling {
        Unrolling { options: Options::default(), delay, period_ns: Some(1000.0 / clock_mhz) }
    }
}

/// A region with its program.
#[derive(Debug, Clone)]
pub struct Unrolled {
    pub(crate) region: Region,
    /// The program.
    pub program: Program,
}

impl Unrolled {
    /// Nodes of the integer network that the program computes.
    pub fn nodes(&self) -> &[NodeId] {
        &self.region.nodes
    }
}

/// Additions of products that a whole tensor a beat needs at most for [`granularity`] to choose it.
const FRAME_PRODUCTS: usize = 100_000;

/// Products with non-zero weights of the whole network for one frame.
pub fn products(net: &IntNetwork) -> usize {
    let nonzero = |data: &[i64]| data.iter().filter(|w| **w != 0).count();
    net.graph
        .ids()
        .into_iter()
        .map(|id| {
            let node = net.graph.node(id);
            match &node.op {
                IntOp::Dense(w) => nonzero(&w.data) * (node.elements() / w.rows.max(1)),
                IntOp::Conv(c) => nonzero(&c.weights.data) * (node.elements() / c.weights.rows.max(1)),
                _ => 0,
            }
        })
        .sum()
}

/// Whole tensors a beat where the network is small enough for that, otherwise pixels.
pub fn granularity(net: &IntNetwork) -> Granularity {
    if products(net) <= FRAME_PRODUCTS { Granularity::Frame } else { Granularity::Pixel }
}

/// Finds the regions of the nodes that are `wanted` and compiles their programs, in the order of the data flow.
///
/// # Errors
/// [`Code::Unsupported`] for sums wider than the solver takes, which name the layer.
pub fn run(
    prepared: &Prepared,
    granularity: Granularity,
    unrolling: &Unrolling,
    wanted: impl Fn(NodeId) -> bool,
) -> Result<Vec<Unrolled>, Diag> {
    let net = &prepared.int;
    let order = net.graph.topological()?;
    let regions = region::find(net, &prepared.realizations, &order, granularity, wanted);
    regions.into_iter().map(|region| compile(net, &prepared.realizations, region, unrolling)).collect()
}

/// As [`run`], at an interval of its own for every node that has one; nodes of different intervals are in different programs.
///
/// # Errors
/// As [`run`].
pub fn run_each(
    prepared: &Prepared,
    granularity: Granularity,
    unrolling: &Unrolling,
    interval: impl Fn(NodeId) -> Option<u32>,
) -> Result<Vec<Unrolled>, Diag> {
    let all: BTreeSet<u32> = prepared.int.graph.ids().into_iter().filter_map(&interval).collect();
    let mut parts = Vec::new();
    for n in all {
        let mut unrolling = *unrolling;
        unrolling.options.interval = n;
        parts.extend(run(prepared, granularity, &unrolling, |id| interval(id) == Some(n))?);
    }
    Ok(parts)
}

/// The program of a region.
fn compile(
    net: &IntNetwork,
    realizations: &Realizations,
    region: Region,
    unrolling: &Unrolling,
) -> Result<Unrolled, Diag> {
    let builder = elements::program(net, realizations, &region)?;
    let placement = PipelineOptions { delay: unrolling.delay, period: unrolling.period_ns, min_stages: 0 };
    let (graph, pipeline) = builder.compile_pipelined(&unrolling.options, &placement);
    let lanes = |id: NodeId| net.graph.node(id).elements() / region.beats;
    let inputs = region.inputs.iter().map(|s| match *s {
        Source::Tensor(id) => lanes(id),
        Source::Windows(conv) => match &net.graph.node(conv).op {
            IntOp::Conv(c) => c.window.kernel[0] * c.window.kernel[1] * c.input[2],
            _ => 0,
        },
    });
    let interval = graph.phases() as usize;
    let program = Program {
        graph: Arc::new(graph),
        pipeline: Arc::new(pipeline),
        combinational: unrolling.period_ns.is_none(),
        inputs: inputs.collect(),
        outputs: region.outputs.iter().map(|id| lanes(*id)).collect(),
        beats: region.beats,
        interval,
    };
    let last = region.nodes.last().map(|id| net.graph.node(*id).name.clone()).unwrap_or_default();
    program.verify().map_err(|cause| Diag::internal(&last, cause))?;
    if let Some(cause) = too_slow(&program, unrolling) {
        return Err(Diag::new(Code::DoesNotFit, &last, cause)
            .help("ask for a slower clock, or give the layer the style stream"));
    }
    Ok(Unrolled { region, program })
}

/// Says when a single operation is slower than the clock.
fn too_slow(program: &Program, unrolling: &Unrolling) -> Option<String> {
    let period = unrolling.period_ns?;
    let g = &program.graph;
    let ids = (0..g.nodes.len()).map(|i| netfold_ir::hw::program::NodeId(i as u32));
    let slowest = ids.map(|id| unrolling.delay.delay(g, id)).fold(0.0f64, f64::max);
    (slowest > period * (1.0 + 1e-9)).then(|| {
        format!(
            "one addition takes {slowest:.2} ns by the device's delay model, and the clock's period is {period:.2} ns"
        )
    })
}
