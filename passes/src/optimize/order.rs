//! The order of work of matrix-vector units ([`Mvu::early`]), settled where the neighbours are known.
//!
//! A unit whose inputs come within `E - F` cycles and that works `T` cycles is early with the share `(E - F) / T` of its beats: then its
//! first result comes with the last input, and its last one `T` cycles after the first input, and no order gives either sooner
//! ([`netfold_ir::hw::bound`]). Beats are whole and streams lumpy, so the shares are then moved with the exact simulation.

use netfold_ir::diag::Diag;
use netfold_ir::hw::bound::{self, Lags, Span};
use netfold_ir::hw::timing::{Simulator, least_latency};
use netfold_ir::hw::{Design, Kind, ModuleId, Mvu};

/// Beats that simulations may move in all.
const EFFORT: u64 = 1_000_000;

/// Share of the bound above which a latency is not improved any more.
const ENOUGH: f64 = 0.01;

/// Share of the latency that another order of one unit must save.
const WORTH: f64 = 0.002;

/// Early beats of a unit whose inputs come in `span`: the fewest with which the last result comes as soon as it can.
fn fitting(unit: &Mvu, span: Span) -> usize {
    let (nf, sf) = (unit.neuron_fold() as i64, unit.synapse_fold() as i64);
    let latest = Mvu::latest_early(unit.neuron_fold(), unit.synapse_fold());
    if latest == 0 {
        return 0;
    }
    // Last result: (nf - 1) (sf - early) firings after the last input, all firings after the first.
    let room = (unit.blocks() as i64 * nf * sf - 1 - (span.1 - span.0)).max(0);
    usize::try_from(sf - room / (nf - 1)).unwrap_or(0).min(latest)
}

/// The unit of a module.
fn unit(design: &Design, id: ModuleId) -> Option<&Mvu> {
    match &design.module(id).kind {
        Kind::Mvu(m) => Some(m),
        _ => None,
    }
}

/// Its early beats.
fn early(design: &Design, id: ModuleId) -> usize {
    unit(design, id).map_or(0, |m| m.early)
}

/// As [`set`]; returns what it was.
fn change(design: &mut Design, id: ModuleId, to: usize) -> usize {
    let kept = early(design, id);
    set(design, id, to);
    kept
}

/// Gives a unit its early beats.
fn set(design: &mut Design, id: ModuleId, early: usize) {
    if let Kind::Mvu(m) = &mut design.module_mut(id).kind {
        m.early = early;
    }
}

/// Says whether the order of one unit may become this, given the design as it is.
pub(super) type Allowed<'a> = dyn Fn(&Design, ModuleId, usize) -> bool + 'a;

/// Settles the order of `units` for the lowest latency without regard to FIFO depths.
///
/// Starts are the order as it is, the fitting shares, and output-first and input-first units in turn; each is improved unit by unit until
/// one reaches the bound of the foldings.
pub(super) fn settle(design: &mut Design, units: &[ModuleId], allowed: &Allowed<'_>) -> Result<(), Diag> {
    let beats: u64 = design.streams().iter().map(|(_, _, s)| s.beats as u64).sum();
    let mut search =
        Search { units, allowed, trials: EFFORT / (beats + 2_000), least: least_latency(design)?, worth: 1 };
    search.worth = ((search.least as f64 * WORTH) as u64).max(1);
    search.least += (search.least as f64 * ENOUGH) as u64;
    let given: Vec<(ModuleId, usize)> = units.iter().map(|id| (*id, early(design, *id))).collect();
    let turns = |odd: usize| -> Vec<(ModuleId, usize)> {
        let at = |(i, id): (usize, &ModuleId)| {
            let latest = unit(design, *id).map_or(0, |m| Mvu::latest_early(m.neuron_fold(), m.synapse_fold()));
            (*id, if i % 2 == odd { latest } else { 0 })
        };
        units.iter().enumerate().map(at).collect()
    };
    let starts = [fitted(design, units)?, turns(0), turns(1)];
    let mut best = exact(design)?;
    let mut settled = given.clone();
    for start in starts {
        if best <= search.least || search.trials == 0 {
            break;
        }
        given.iter().for_each(|(id, early)| set(design, *id, *early));
        for (id, early) in start {
            if allowed(design, id, early) {
                set(design, id, early);
            }
        }
        let latency = search.improve(design)?;
        if latency < best {
            best = latency;
            settled = units.iter().map(|id| (*id, early(design, *id))).collect();
        }
    }
    settled.iter().for_each(|(id, early)| set(design, *id, *early));
    search.take_back(design, best)
}

/// Latency with unbounded FIFOs.
fn exact(design: &Design) -> Result<u64, Diag> {
    Simulator::new(design).unbounded_latency()
}

/// Improvement of one design's orders.
struct Search<'a> {
    units: &'a [ModuleId],
    allowed: &'a Allowed<'a>,
    /// Simulations left.
    trials: u64,
    /// Latency that is near enough to the bound of the foldings.
    least: u64,
    /// Cycles that a change must save.
    worth: u64,
}

impl Search<'_> {
    /// Changes the order of one unit after the other as long as that saves cycles. Returns the latency.
    fn improve(&mut self, design: &mut Design) -> Result<u64, Diag> {
        let mut best = exact(design)?;
        loop {
            let start = best;
            for &id in self.units {
                let Some(m) = unit(design, id) else { continue };
                let (nf, sf) = (m.neuron_fold(), m.synapse_fold());
                if best <= self.least || self.trials == 0 || ((nf * sf) as u64) < self.worth {
                    continue;
                }
                let spans = bound::spans(design)?;
                let input = design.inputs_of(id).first().map_or((0, 0), |(from, _)| spans[from.index()]);
                let (now, near, latest) = (m.early, fitting(m, input), Mvu::latest_early(nf, sf));
                let mut tried = vec![now];
                for early in [near, near.saturating_sub(1), near + 1, now.saturating_sub(1), now + 1, 0, latest] {
                    let again = tried.contains(&early) || self.trials == 0;
                    if early > latest || again || !(self.allowed)(design, id, early) {
                        continue;
                    }
                    tried.push(early);
                    self.trials -= 1;
                    let kept = change(design, id, early);
                    let latency = exact(design)?;
                    if latency + self.worth <= best {
                        best = latency;
                    } else {
                        set(design, id, kept);
                    }
                }
            }
            if best == start {
                return Ok(best);
            }
        }
    }

    /// Takes orders back that save nothing worth their price.
    fn take_back(&mut self, design: &mut Design, mut best: u64) -> Result<(), Diag> {
        for &id in self.units {
            if early(design, id) > 0 && self.trials > 0 && (self.allowed)(design, id, 0) {
                self.trials -= 1;
                let kept = change(design, id, 0);
                let latency = exact(design)?;
                if latency < best + self.worth {
                    best = best.max(latency);
                } else {
                    set(design, id, kept);
                }
            }
        }
        Ok(())
    }
}

/// The fitting order of every unit, from the first layer on.
fn fitted(design: &Design, units: &[ModuleId]) -> Result<Vec<(ModuleId, usize)>, Diag> {
    let mut trial = design.clone();
    let mut spans = vec![(0, 0); design.index_bound()];
    let mut chosen = Vec::new();
    for id in design.topological()? {
        let inputs: Vec<Span> = trial.inputs_of(id).into_iter().map(|(from, _)| spans[from.index()]).collect();
        if let Some(m) = unit(&trial, id).filter(|_| units.contains(&id)) {
            let early = fitting(m, inputs.first().copied().unwrap_or((0, 0)));
            set(&mut trial, id, early);
            chosen.push((id, early));
        }
        spans[id.index()] = Lags::of(&trial, id).after(inputs.into_iter());
    }
    Ok(chosen)
}
