//! What is known of the values of a network before quantizers are inserted.

use netfold_ir::diag::Diag;
use netfold_ir::graph::NodeId;
use netfold_ir::net::{Network, Op, PoolKind, UnaryFn};
use std::collections::HashSet;

/// What holds of the values of operators, before any quantizer is inserted.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// All values are integers of a known format times a scale.
    pub on_grid: HashSet<NodeId>,
    /// The values are an exact linear combination of integers, so that they need no quantizer to leave.
    pub linear: HashSet<NodeId>,
    /// The values are integers, or piecewise affine functions of integers.
    pub exact: HashSet<NodeId>,
}

impl Facts {
    /// Finds them all in one walk.
    pub fn of(net: &Network) -> Result<Facts, Diag> {
        let mut facts = Facts::default();
        for id in net.graph.topological()? {
            let inputs = net.graph.inputs(id);
            let all = |set: &HashSet<NodeId>| inputs.iter().all(|i| set.contains(i));
            let op = &net.graph.node(id).op;
            let (grid, linear) = (on_grid(op, || all(&facts.on_grid)), is_linear(op, || all(&facts.linear)));
            let exact = has_exact_integers(op, || all(&facts.exact));
            for (holds, set) in [(grid, &mut facts.on_grid), (linear, &mut facts.linear), (exact, &mut facts.exact)] {
                if holds {
                    set.insert(id);
                }
            }
        }
        Ok(facts)
    }
}

/// Whether the values are integers, or piecewise affine functions of integers, given whether all inputs are.
fn has_exact_integers(op: &Op, all: impl Fn() -> bool) -> bool {
    match op {
        Op::Input(_) => false,
        Op::Unary(UnaryFn::Quant(_)) => true,
        Op::Unary(UnaryFn::HardSwish | UnaryFn::Softsign | UnaryFn::Reciprocal) => false,
        Op::Unary(f) => f.is_rational() && all(),
        Op::Dense(_) | Op::Conv(_) | Op::Sum(_) | Op::Mul | Op::Pool(_) | Op::GlobalPool(_) => true,
        Op::ArgMax(_) | Op::Softmax(_) => true,
        Op::Reshape(_)
        | Op::Transpose(_)
        | Op::Concat(_)
        | Op::Slice(_)
        | Op::Pad(_)
        | Op::Upsample(_)
        | Op::ReduceMax => all(),
    }
}

/// Whether all values are integers of a known format times a scale, given whether those of all inputs are.
fn on_grid(op: &Op, all: impl Fn() -> bool) -> bool {
    match op {
        Op::Unary(UnaryFn::Quant(_)) | Op::ArgMax(_) => true,
        Op::Reshape(_)
        | Op::Transpose(_)
        | Op::Slice(_)
        | Op::Concat(_)
        | Op::Pad(_)
        | Op::Upsample(_)
        | Op::ReduceMax => all(),
        Op::Pool(p) => p.kind == PoolKind::Max && all(),
        Op::GlobalPool(kind) => *kind == PoolKind::Max && all(),
        // A positive scale or an offset keeps the grid.
        Op::Unary(UnaryFn::Affine(_)) => all(),
        Op::Input(_) | Op::Dense(_) | Op::Conv(_) | Op::Unary(_) | Op::Sum(_) | Op::Mul | Op::Softmax(_) => false,
    }
}

/// Whether the values are an exact linear combination of integers, given whether those of all inputs are.
fn is_linear(op: &Op, all: impl Fn() -> bool) -> bool {
    match op {
        Op::Dense(_) | Op::Conv(_) | Op::Unary(UnaryFn::Quant(_)) | Op::ArgMax(_) | Op::Sum(_) | Op::Mul => true,
        Op::Unary(UnaryFn::Affine(_)) => all(),
        Op::Pool(_) | Op::GlobalPool(_) => true,
        Op::Reshape(_)
        | Op::Transpose(_)
        | Op::Slice(_)
        | Op::Concat(_)
        | Op::Pad(_)
        | Op::Upsample(_)
        | Op::ReduceMax => all(),
        Op::Input(_) | Op::Unary(_) | Op::Softmax(_) => false,
    }
}
