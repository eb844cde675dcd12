//! `lower`: the integer network with a folding becomes a hardware design.
//!
//! Every integer operator becomes one or a few modules. Where producer and consumer differ in elements a beat a width converter
//! stands between them, where a tensor has several readers a fork. FIFOs get a provisional depth; the pass that sizes them
//! follows.

mod build;
mod compute;
mod program;
mod reshape;
pub(crate) mod wide;

use crate::fold::{Folding, divisors};
use crate::realize::{Realized, realize};
use crate::unroll::Unrolled;
use build::{Builder, Tap};
use netfold_ir::diag::{Diag, Diags};
use netfold_ir::graph::NodeId;
use netfold_ir::hw::{Design, ModuleId, Stream};
use netfold_ir::int::{IntNetwork, IntOp};
use netfold_ir::quant::IntType;
use program::Item;
use rayon::prelude::*;
use std::collections::HashMap;

/// Step functions with their realisations, by node: computed once, shared by all foldings of a network.
pub type Realizations = HashMap<NodeId, Realized>;

/// Realises every step function. All functions without a circuit are reported.
pub fn realize_all(net: &IntNetwork) -> Result<Realizations, Diags> {
    let order = net.graph.topological().map_err(Diags::from)?;
    let results: Vec<Result<Option<(NodeId, Realized)>, Diag>> = order
        .par_iter()
        .map(|&id| {
            let node = net.graph.node(id);
            let IntOp::Step(f) = &node.op else { return Ok(None) };
            let input = net.graph.node(net.graph.inputs(id)[0]);
            realize(&node.name, f, &input.range, node.elements()).map(|r| Some((id, r)))
        })
        .collect();
    let mut diags = Diags::new();
    let mut out = HashMap::new();
    for r in results {
        if let Some(Some((id, realized))) = diags.take(r) {
            out.insert(id, realized);
        }
    }
    diags.into_result(out)
}

/// Builds the design of a network with a folding.
pub fn run(net: &IntNetwork, realizations: &Realizations, folding: &Folding) -> Result<Design, Diag> {
    run_with(net, realizations, folding, &[])
}

/// As [`run`], with the operators of `unrolled` as programs beside those of the folding.
pub fn run_with(
    net: &IntNetwork,
    realizations: &Realizations,
    folding: &Folding,
    unrolled: &[Unrolled],
) -> Result<Design, Diag> {
    with_units(net, realizations, folding, unrolled).map(|(design, _)| design)
}

/// As [`run_with`], with the matrix-vector units of nodes.
pub(crate) fn with_units(
    net: &IntNetwork,
    realizations: &Realizations,
    folding: &Folding,
    unrolled: &[Unrolled],
) -> Result<(Design, Vec<(NodeId, ModuleId)>), Diag> {
    let unrolled: Vec<&Unrolled> = folding.programs.0.iter().map(AsRef::as_ref).chain(unrolled).collect();
    let mut b = Builder::new(net, folding);
    b.readers = program::readers(net, &unrolled);
    for item in program::order(net, &unrolled)? {
        let id = match item {
            Item::Node(id) => id,
            Item::Program(r) => {
                program::program(&mut b, unrolled[r])?;
                continue;
            }
        };
        let taps: Vec<Tap> = net.graph.inputs(id).iter().map(|i| b.tap(*i)).collect::<Result<_, _>>()?;
        let out = node(&mut b, realizations, id, taps)?;
        b.publish(id, out);
    }
    for port in &net.outputs {
        let tap = b.tap(port.node)?;
        b.output(port, tap);
    }
    let units = std::mem::take(&mut b.units);
    let mut design = b.finish();
    design.name = netfold_ir::names::identifier(&net.name, "netfold_top");
    design.verify().map_err(|d| d.iter().next().cloned().unwrap_or_else(|| Diag::internal("", "invalid design")))?;
    Ok((design, units))
}

/// Adds the modules of one operator, fed from `taps`.
fn node(b: &mut Builder<'_>, realizations: &Realizations, id: NodeId, taps: Vec<Tap>) -> Result<Tap, Diag> {
    let node = b.net.graph.node(id);
    Ok(match &node.op {
        IntOp::Input => b.input(id)?,
        IntOp::Dense(w) => compute::dense(b, id, taps[0].clone(), w.clone()),
        IntOp::Conv(conv) => compute::conv(b, id, taps[0].clone(), conv)?,
        IntOp::Step(_) => {
            let realized = realizations
                .get(&id)
                .ok_or_else(|| Diag::internal(&node.name, "a step function without a realisation"))?;
            compute::step(b, id, taps[0].clone(), realized)
        }
        IntOp::LinComb { coefficients, constant } => compute::lincomb(b, id, taps, coefficients, constant),
        IntOp::Mul => compute::mul(b, id, taps),
        IntOp::Pool { op, input, window, pad } => compute::pool(b, id, taps[0].clone(), *op, *input, window, pad),
        IntOp::GlobalReduce { op, channels } => compute::global(b, id, taps[0].clone(), *op, *channels),
        IntOp::VectorReduce { op, length } => compute::vector(b, id, taps[0].clone(), *op, *length),
        IntOp::ArgMax { last, length } => compute::argmax(b, id, taps[0].clone(), *last, *length),
        IntOp::Broadcast { op, length } => compute::broadcast(b, id, taps, *op, *length),
        IntOp::Concat { axis, shapes } => reshape::concat(b, id, taps, *axis, shapes),
        IntOp::Slice { outer, size, inner, start, count, step, .. } => {
            reshape::slice(b, id, taps[0].clone(), [*outer, *size, *inner], [*start, *count, *step])
        }
        IntOp::Permute { order, .. } => reshape::permute(b, id, taps[0].clone(), order),
        IntOp::Pad { input, pads, value } => reshape::pad(b, id, taps[0].clone(), *input, *pads, value),
        IntOp::Upsample { input, factors } => reshape::upsample(b, id, taps[0].clone(), *input, *factors),
    })
}

/// The modules of one operator alone, fed by stand-ins.
pub(crate) struct Fragment {
    /// The stand-ins (sources, one an input, added first), then the operator's modules; its result is left open.
    pub design: Design,
    /// Number of stand-ins.
    pub inputs: usize,
    /// Elements a beat of the result.
    pub lanes: usize,
}

/// Lowers one operator whose inputs arrive with `lanes` elements a beat: what [`run`] adds for it, except that the weights of
/// convolutions stay in the network's order.
pub(crate) fn fragment(
    net: &IntNetwork,
    realizations: &Realizations,
    folding: &Folding,
    id: NodeId,
    lanes: &[usize],
) -> Result<Fragment, Diag> {
    let mut b = Builder::new(net, folding);
    b.alone = true;
    let taps = net.graph.inputs(id).iter().zip(lanes).map(|(i, l)| b.stand_in(*i, *l)).collect();
    let out = node(&mut b, realizations, id, taps)?;
    let lanes_out = out.lanes;
    b.publish(id, out);
    Ok(Fragment { design: b.finish(), inputs: lanes.len(), lanes: lanes_out })
}

/// As [`fragment`], of a program of a chain of operators whose input arrives with `lanes` elements a beat.
pub(crate) fn program_fragment(
    net: &IntNetwork,
    folding: &Folding,
    unrolled: &Unrolled,
    lanes: usize,
) -> Result<Fragment, Diag> {
    let (Some(first), Some(&last)) = (unrolled.nodes().first(), unrolled.nodes().last()) else {
        return Err(Diag::internal("program", "a program of no operators"));
    };
    let mut b = Builder::new(net, folding);
    b.alone = true;
    for input in net.graph.inputs(*first) {
        let tap = b.stand_in(input, lanes);
        b.readers.insert(input, 1);
        b.publish(input, tap);
    }
    program::program(&mut b, unrolled)?;
    let lanes = net.graph.node(last).elements() / unrolled.program.beats;
    Ok(Fragment { design: b.finish(), inputs: 1, lanes })
}

/// A stream of `lanes` elements a beat as lowering makes it, to be priced.
pub(crate) fn open_stream(ty: IntType, lanes: usize) -> Stream {
    Stream { from_port: 0, to_port: 0, ty, lanes, beats: 1, depth: build::PROVISIONAL_DEPTH }
}

/// Largest divisor of `n` that is at most `most`.
pub(crate) fn lanes_within(n: usize, most: usize) -> usize {
    divisors(n).into_iter().rfind(|d| *d <= most.max(1)).unwrap_or(1)
}

/// Smallest divisor of `n` that is at least `least`; `n` when there is none.
pub(crate) fn lanes_at_least(n: usize, least: usize) -> usize {
    divisors(n).into_iter().find(|d| *d >= least).unwrap_or(n)
}
