//! Designs of both styles: layers become programs of the unrolled style where that is the smaller folding.

use crate::fold::Folding;
use crate::optimize::{self, Request, Solution};
use crate::pipeline::Prepared;
use crate::unroll::{LayerProgram, Unrolled};
use netfold_ir::diag::Diag;
use netfold_ir::graph::NodeId;
use std::sync::Arc;

/// The least area for the request's rate or latency where layers may be programs, and the layers that are, each with the interval that was
/// asked of its program; none of these where streams alone are smaller. `None` where no design was found.
///
/// # Errors
/// None for a network that can be lowered.
pub fn choose(prepared: &Prepared, request: &Request<'_>, layers: &[LayerProgram]) -> Result<Option<Chosen>, Diag> {
    let programs: Vec<Arc<Unrolled>> = layers.iter().map(|l| l.unrolled.clone()).collect();
    let Some(solution) = optimize::attempt_with(prepared, request, &programs, false)? else { return Ok(None) };
    let taken = |l: &&LayerProgram| programs_of(&solution.folding).any(|p| Arc::ptr_eq(p, &l.unrolled));
    let layers = layers.iter().filter(taken).map(|l| (l.layer, l.interval)).collect();
    Ok(Some(Chosen { layers, solution }))
}

/// What [`choose`] finds.
#[derive(Debug)]
pub struct Chosen {
    /// Layers that are programs, with the interval asked of each.
    pub layers: Vec<(NodeId, u32)>,
    /// The design.
    pub solution: Solution,
}

fn programs_of(folding: &Folding) -> impl Iterator<Item = &Arc<Unrolled>> {
    folding.programs.0.iter()
}

/// The design of least area for the request's rate or latency with these programs and everything else folded; `None` when none was found, or
/// where a program is not of a chain of operators.
///
/// # Errors
/// None for a network that can be lowered.
pub fn around(prepared: &Prepared, request: &Request<'_>, programs: &[Unrolled]) -> Result<Option<Solution>, Diag> {
    if programs.is_empty() || !programs.iter().all(|p| p.is_chain(&prepared.int)) {
        return Ok(None);
    }
    let programs: Vec<Arc<Unrolled>> = programs.iter().cloned().map(Arc::new).collect();
    optimize::attempt_with(prepared, request, &programs, true)
}
