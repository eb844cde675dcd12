//! Why a request cannot be met.

use super::bounds::{Bounds, Problem};
use super::cost::RESOURCES;
use super::plan::Shortage;
use super::time::LAST;

/// The reason for a problem without a solution: a resource of which more is needed than there is, with the operator that needs
/// most of it, a deadline, or all limits together.
pub(super) fn of(p: &Problem<'_>) -> Shortage {
    // With the times left behind every state.
    let bounds = Bounds::of(&Problem { courses: None, ..*p });
    let least = bounds.least[0][0];
    let worst = (0..RESOURCES).filter(|r| least[*r] > p.limits[*r]).max_by(|a, b| {
        let ratio = |r: usize| least[r] as f64 / p.limits[r].max(1) as f64;
        ratio(*a).total_cmp(&ratio(*b))
    });
    if let Some(index) = worst {
        let need = |k: usize| {
            let arcs = p.graph.stages[k].arcs.iter().flatten();
            arcs.map(|a| p.priced[a.priced as usize].used[index]).min().unwrap_or(0)
        };
        let stage = (0..p.graph.stages.len()).max_by_key(|k| (need(*k), std::cmp::Reverse(*k))).unwrap_or(0);
        return Shortage::Resource { index, least: least[index], node: p.graph.stages[stage].id };
    }
    if let Some(deadline) = p.deadline {
        let start = p.graph.stages[0].arcs[0].iter();
        let soonest = start
            .map(|a| {
                let after = &bounds.tail[1][a.to as usize];
                let alone = p.priced[a.priced as usize].alone;
                let through = after.first().and_then(|tail| alone.iter().zip(tail).map(|(t, left)| t + left).max());
                through.unwrap_or(alone[LAST])
            })
            .min()
            .unwrap_or(0);
        if soonest > deadline {
            return Shortage::Deadline(soonest as u64);
        }
    }
    Shortage::Together
}
