//! The part of the space that the folding optimizer chooses, as `netfold gen` does for a board: what shares DSP blocks, starts early, or keeps
//! weights where they cost least is found here far more often than by chance.
//!
//! From [`MODULES`] on, rows are units out of such designs, those that multiply most often; from [`NETWORKS`] on, whole designs.

use super::networks;
use super::units::Unit;
use super::{log_between, luts, unit_of};
use netfold_ir::hw::{Design, Kind, ModuleId};
use netfold_passes::fit;
use netfold_passes::fold;
use netfold_passes::optimize::{Analytic, Objective, Request, Resources};
use netfold_passes::pipeline::{self, LATENCY_SHARE, Target};
use netfold_passes::random::Random;
use std::collections::HashMap;

/// The first module of this part.
pub const MODULES: u64 = 4000;
/// The first network of this part.
pub const NETWORKS: u64 = 200;

/// What the smaller boards have.
const DEVICE: Resources = Resources { lut: 53_200, ff: 106_400, dsp: 220, bram18: 280, uram: 0 };

/// Multiplications of a network beyond which it is drawn again: the optimizer is to be quick.
const MOST_PRODUCTS: usize = 200_000;

/// A unit out of a chosen design.
pub(super) fn module(r: &mut Random, most: u64) -> Option<Unit> {
    let (_, design) = network(r, 4 * most)?;
    let of = |id: &ModuleId| match &design.module(*id).kind {
        Kind::Mvu(m) if m.built().is_packed() || m.early > 0 => 12,
        Kind::Mvu(_) | Kind::Vvu(_) => 6,
        _ => 1,
    };
    let modules: Vec<ModuleId> = design.inner().into_iter().flat_map(|id| std::iter::repeat_n(id, of(&id))).collect();
    let id = r.pick(&modules);
    Some(unit_of(&design, id))
}

/// A design of at most about `most` LUTs for a rate, a latency, or as fast as fits; its family.
pub(super) fn network(r: &mut Random, most: u64) -> Option<(&'static str, Design)> {
    let large = r.once_in(2);
    let drawn = if r.once_in(2) { networks::known(r, large) } else { networks::draw(r, large) }.ok()?;
    let (mut net, family) = (drawn.net, drawn.family);
    let prepared = pipeline::prepare(&mut net, &drawn.formats, None).ok()?;
    if netfold_passes::unroll::products(&prepared.int) > MOST_PRODUCTS {
        return None;
    }
    let pins = HashMap::new();
    let device = if r.once_in(4) { Resources { bram18: 0, ..DEVICE } } else { DEVICE };
    let limits = Resources { lut: most, dsp: log_between(r, 4, 220) as u64, ..device };
    let multipliers = log_between(r, 1, (most as usize / 12).max(2));
    let target = match r.below(6) {
        0 => Target::Fastest,
        1 => Target::LowestLatency,
        _ => Target::Interval(fold::fastest_within(&prepared.int, multipliers, &pins)),
    };
    let model = Analytic::default();
    let request = Request {
        objective: Objective::Fastest,
        device,
        limits,
        pins: &pins,
        model: &model,
        latency_share: LATENCY_SHARE,
        effort: 1.0,
        known: None,
    };
    let design = fit::target(&prepared, target, &request).ok()?.design;
    (luts(&design) <= most).then_some((family, design))
}
