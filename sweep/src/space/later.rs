//! The part of the space that was added later: rows before it keep their designs.
//!
//! From [`MODULES`] on, every third module is a program of additions as `unroll` makes them, and one in six is a matrix unit that
//! starts with its inputs ([`Mvu::early`]). From [`NETWORKS`] on, networks are of the shapes that papers on small accelerators report:
//! jet taggers (16-64-32-32-5 and narrower), autoencoders and small convolutional networks; one in six is unrolled.

use super::networks::{self, Drawn};
use super::units::{self, Unit};
use super::{folded, luts, unit_of};
use netfold_ir::diag::Diag;
use netfold_ir::hw::{Design, Kind, ModuleId, Mvu};
use netfold_passes::fold::Budget;
use netfold_passes::pipeline::{self, Prepared};
use netfold_passes::random::Random;
use netfold_passes::unroll::{Granularity, Unrolling};
use netfold_shiftadd::DelayModel;
use std::collections::HashMap;

/// The first module of this part.
pub const MODULES: u64 = 3600;
/// The first network of this part.
pub const NETWORKS: u64 = 178;

/// Multiplications of a network beyond which it is not unrolled.
const MOST_PRODUCTS: usize = 2000;

/// Draws a module of at most about `most` LUTs, or nothing where the kind of row is one of the first part.
pub(super) fn module(r: &mut Random, most: u64) -> Option<Option<Unit>> {
    match r.below(6) {
        0 | 1 => Some(program(r, most)),
        2 => Some(early(r)),
        _ => None,
    }
}

/// A matrix unit that works on its first inputs as they come.
fn early(r: &mut Random) -> Option<Unit> {
    let mut unit = units::mvu(r);
    let Kind::Mvu(m) = &mut unit.kind else { return None };
    let latest = Mvu::latest_early(m.neuron_fold(), m.synapse_fold());
    if latest == 0 {
        return None;
    }
    m.early = if r.once_in(2) { latest } else { 1 + r.below(latest) };
    Some(unit)
}

/// A program out of a drawn network.
fn program(r: &mut Random, most: u64) -> Option<Unit> {
    let drawn = if r.once_in(2) { networks::draw(r, false).ok()? } else { networks::known(r, false).ok()? };
    let design = unrolled(r, &prepare(drawn)?)?;
    let programs: Vec<ModuleId> =
        design.modules().into_iter().filter(|id| matches!(design.module(*id).kind, Kind::Program(_))).collect();
    if programs.is_empty() || luts(&design) > 2 * most {
        return None;
    }
    let id = r.pick(&programs);
    Some(unit_of(&design, id))
}

fn prepare(drawn: Drawn) -> Option<Prepared> {
    let mut net = drawn.net;
    pipeline::prepare(&mut net, &drawn.formats, None).ok()
}

/// A network unrolled as far as it can be, at a clock as boards have it.
fn unrolled(r: &mut Random, prepared: &Prepared) -> Option<Design> {
    let granularity = if r.once_in(4) { Granularity::Pixel } else { Granularity::Frame };
    let products = netfold_passes::unroll::products(&prepared.int);
    if products == 0 || products > MOST_PRODUCTS {
        return None;
    }
    let clock_mhz = r.pick(&[50.0, 100.0, 100.0, 150.0, 200.0]);
    let unrolling = Unrolling::for_clock(clock_mhz, DelayModel::series7());
    let budget = Budget { dsp: 220, block_memory: true };
    pipeline::unrolled(prepared, granularity, 1, &unrolling, &|_| true, &HashMap::new(), budget).ok().map(|d| d.0)
}

/// A network of this part and its family, of at most `most` LUTs.
pub(super) fn network(r: &mut Random, most: u64) -> Result<Option<(&'static str, Design)>, Diag> {
    let unroll = r.once_in(6);
    let drawn = networks::known(r, !unroll)?;
    let family = drawn.family;
    let Some(prepared) = prepare(drawn) else { return Ok(None) };
    let design = if unroll { unrolled(r, &prepared) } else { folded(r, &prepared, most) };
    Ok(design.filter(|d| luts(d) <= most).map(|d| (family, d)))
}
