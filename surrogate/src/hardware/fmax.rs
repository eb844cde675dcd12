//! The clock that a design reaches: a delay model over the slowest register-to-register path of every kind of module.
//!
//! A path is so many levels of lookup tables, so many positions of a carry chain, and perhaps a multiplier block or a block memory; which
//! ones a module has follows from its structure (templates/verilog: what lies between two registers). The slowest path of all
//! parts gives the period, longer the larger the design is, because routes are.
//!
//! The delays of the ECP5 are fitted to routed designs ([`calibrate`]; `surrogate/data/README.md`), with a conformal interval. Those of other families are typical
//! figures of data sheets (see [`Delays::of`]), not checked against a router, and their interval is wide for that reason.

use super::model::Family;
use super::whole::{Part, Parts};
use crate::model::Estimate;
use crate::train::{COVERAGE, conformal_quantile};

/// A path between two registers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Path {
    /// Levels of lookup tables.
    pub levels: f64,
    /// Positions of carry chains.
    pub carry: f64,
    /// Multiplier blocks.
    pub dsp: f64,
    /// Block memories.
    pub ram: f64,
}

/// Number of delays.
pub const DELAYS: usize = 6;

/// Delays in ns of what paths are made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Delays {
    /// Clock to output, setup, and the route of a path without logic.
    pub register: f64,
    /// A lookup table with its route.
    pub level: f64,
    /// A position of a carry chain.
    pub carry: f64,
    /// A multiplier block.
    pub dsp: f64,
    /// Clock to output of a block memory, beyond that of a register.
    pub ram: f64,
    /// Share of the delay that every doubling of the design beyond 64 LUTs adds.
    pub spread: f64,
}

/// Half-width of the 90 % interval in the log domain where delays were not checked against a router.
const UNCHECKED: f64 = 0.5;

impl Delays {
    /// Delays of a family. ECP5: fitted. 7 series, slowest grade: table and carry of AMD DS181, routes of 0.45 ns, block memory and multiplier without a
    /// register inside of it of DS181's switching characteristics, rounded. UltraScale+: the same of DS923. iCE40 UltraPlus: Lattice DS1008, rounded.
    pub fn of(family: Family) -> Delays {
        match family {
            Family::Ecp5 => ECP5.0,
            Family::Xc7 => {
                Delays { register: 1.0, level: 0.57, carry: 0.029, dsp: 4.0, ram: 2.0, spread: ECP5.0.spread }
            }
            Family::Xcup => {
                Delays { register: 0.6, level: 0.35, carry: 0.015, dsp: 2.5, ram: 1.1, spread: ECP5.0.spread }
            }
            Family::Ice40 => {
                Delays { register: 3.0, level: 2.6, carry: 0.28, dsp: 9.0, ram: 3.0, spread: ECP5.0.spread }
            }
        }
    }

    /// Half-width of the 90 % interval of the period, in the log domain, and whether it was measured.
    pub fn half_width(family: Family) -> (f64, bool) {
        if family == Family::Ecp5 { (ECP5.1, true) } else { (UNCHECKED, false) }
    }

    fn array(self) -> [f64; DELAYS] {
        [self.register, self.level, self.carry, self.dsp, self.ram, self.spread]
    }

    fn from_array([register, level, carry, dsp, ram, spread]: [f64; DELAYS]) -> Delays {
        Delays { register, level, carry, dsp, ram, spread }
    }

    /// Period in ns of paths in a design of so many LUTs.
    pub fn period_ns(&self, paths: &[Path], luts: f64) -> f64 {
        let of = |p: &Path| {
            self.register + self.level * p.levels + self.carry * p.carry + self.dsp * p.dsp + self.ram * p.ram
        };
        let slowest = paths.iter().map(of).fold(self.register, f64::max);
        slowest * (1.0 + self.spread * (luts / 64.0).max(1.0).log2())
    }
}

/// Levels of lookup tables of a read-only memory of `words` words: four address bits in the first, two more in each that follows.
fn rom_levels(words: f64) -> f64 {
    if words < 2.0 { 0.0 } else { 1.0 + ((words.log2() - 4.0) / 2.0).max(0.0) }
}

/// Levels of a choice between `n` values.
fn choice_levels(n: f64) -> f64 {
    (n.max(1.0).log2() / 2.0).ceil()
}

/// The paths of a part that may be its slowest.
pub fn paths(part: &Part) -> Vec<Path> {
    let a = &part.count.about;
    let logic = |levels: f64, carry: f64| Path { levels, carry, dsp: 0.0, ram: 0.0 };
    let block = part.count.bram18 > 0.0 || part.count.uram > 0;
    let memory = |words: f64, levels: f64| {
        let stored = if block { 0.0 } else { rom_levels(words) };
        Path { levels: levels + stored, carry: 0.0, dsp: 0.0, ram: f64::from(u8::from(block)) }
    };
    // Counters and handshakes: a comparison, an increment, an enable.
    let positions = a.beats.max(a.groups).max(a.words).max(a.depth).max(2.0);
    let mut out = vec![logic(2.0, positions.log2().ceil())];
    let blocks = part.count.dsp > 0;
    let product = Path { levels: 0.0, carry: 0.0, dsp: 1.0, ram: 0.0 };
    match part.unit {
        "mvu_lut" => {
            // Two levels of additions between registers, the first behind the selection of digits.
            out.push(logic(if a.digits > 1.0 { 3.0 } else { 2.0 }, a.out_bits.min(a.in_bits + 5.0)));
            out.push(logic(1.0, a.out_bits));
            out.push(memory(a.words, 0.0));
        }
        "mvu_dsp" | "mvu_packed" => {
            out.push(if blocks { product } else { logic(4.0, a.in_bits + a.weight_bits) });
            out.push(logic(2.0, a.out_bits));
            out.push(memory(a.words, 0.0));
        }
        "mvu_constant" | "mvu_factors" | "lincomb" | "broadcast" | "mul" => {
            out.push(if blocks { product } else { logic(3.0, a.out_bits.max(a.in_bits)) });
        }
        "program" => out.push(logic(3.0, a.out_bits.max(8.0))),
        "shift" | "two_slopes" | "mul_shift" => {
            out.push(logic(3.0, a.in_bits.max(a.out_bits)));
            if blocks {
                out.push(product);
            }
        }
        "thresholds" => {
            out.push(logic(2.0, a.in_bits));
            out.push(memory(a.words, 1.0));
        }
        "table" => out.push(memory(a.words.max(a.depth), 1.0)),
        "argmax" | "vector_reduce" | "window_reduce" | "global_reduce" => {
            out.push(logic(3.0, a.in_bits + a.out_bits));
        }
        "fifo" if a.depth > 1.0 => out.push(memory(0.0, 2.0 + choice_levels(a.depth / 16.0))),
        "swu" | "reorder" | "upsample" | "pad" => out.push(memory(0.0, 3.0 + choice_levels(a.taps.max(1.0)))),
        _ => out.push(logic(2.0 + choice_levels(a.groups), 0.0)),
    }
    out
}

/// All paths of a design and its LUTs.
fn of_design(parts: &Parts, logic: &[(f32, f32)]) -> (Vec<Path>, f64) {
    (parts.parts.iter().flat_map(paths).collect(), logic.iter().map(|l| f64::from(l.0)).sum())
}

/// The clock in MHz that a design reaches, with its 90 % interval. `logic`: LUTs and flip-flops of the parts.
pub fn estimate(parts: &Parts, logic: &[(f32, f32)], family: Family) -> Estimate {
    let (paths, luts) = of_design(parts, logic);
    let value = 1000.0 / Delays::of(family).period_ns(&paths, luts);
    let factor = Delays::half_width(family).0.exp();
    Estimate { value, low: value / factor, high: value * factor }
}

/// A routed design: its paths, its LUTs, and the period in ns.
pub type Routed = (Vec<Path>, f64, f64);

/// Periods below this, of single small modules, are not told apart: no whole design is limited by such a module.
const LEAST_NS: f64 = 2.5;

/// A routed design of a sweep; one that is faster than 400 MHz counts as having that clock.
pub fn routed(parts: &Parts, logic: &[(f32, f32)], fmax_mhz: f64) -> Routed {
    let (paths, luts) = of_design(parts, logic);
    (paths, luts, (1000.0 / fmax_mhz).max(LEAST_NS))
}

/// Fits delays to routed designs: least mean absolute error of the logarithm of the period, drawn to `start`, by coordinate descent
/// with shrinking steps.
pub fn fit(rows: &[Routed], start: Delays) -> Delays {
    let first = start.array();
    let cost = |x: &[f64; DELAYS]| {
        let delays = Delays::from_array(*x);
        let errors: f64 = rows.iter().map(|(p, l, ns)| (delays.period_ns(p, *l) / ns).ln().abs()).sum();
        let pull: f64 = x.iter().zip(&first).map(|(v, f)| (v / f).ln().powi(2)).sum();
        errors + 0.1 * pull
    };
    let mut x = first;
    let mut best = cost(&x);
    let mut step = 0.4f64;
    while step > 0.004 {
        let mut moved = false;
        for k in 0..DELAYS {
            for factor in [step.exp(), (-step).exp()] {
                let mut tried = x;
                tried[k] *= factor;
                let c = cost(&tried);
                if c < best - 1e-9 {
                    (x, best, moved) = (tried, c, true);
                }
            }
        }
        if !moved {
            step *= 0.5;
        }
    }
    Delays::from_array(x)
}

/// Delays fitted to all rows, the conformal half-width of the 90 % interval from rows that five fits each did not see, and these rows' errors in the
/// log domain, sorted.
pub fn calibrate(rows: &[Routed], start: Delays) -> (Delays, f64, Vec<f64>) {
    const FOLDS: usize = 5;
    let mut errors = Vec::new();
    for fold in 0..FOLDS {
        let (out, rest): (Vec<_>, Vec<_>) = rows.iter().cloned().enumerate().partition(|(i, _)| i % FOLDS == fold);
        let rest: Vec<Routed> = rest.into_iter().map(|r| r.1).collect();
        let delays = fit(&rest, start);
        errors.extend(out.iter().map(|(_, (p, l, ns))| (delays.period_ns(p, *l) / ns).ln().abs()));
    }
    errors.sort_by(f64::total_cmp);
    (fit(rows, start), conformal_quantile(&errors, COVERAGE), errors)
}

/// Where the fit of the ECP5 starts: `lut`, `route` and `carry` of speed grade 6 as in `netfold_shiftadd::DelayModel::ecp5`.
pub const ECP5_START: Delays = Delays { register: 1.4, level: 0.94, carry: 0.036, dsp: 4.0, ram: 4.0, spread: 0.03 };

/// What [`calibrate`] gives on `surrogate/data/ecp5-fmax.csv.gz`, rounded.
const ECP5: (Delays, f64) =
    (Delays { register: 1.47, level: 0.75, carry: 0.03, dsp: 4.95, ram: 5.2, spread: 0.057 }, 0.53);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fit_finds_the_delays_that_made_its_rows() {
        let truth = Delays { register: 1.0, level: 0.7, carry: 0.05, dsp: 6.0, ram: 3.0, spread: 0.05 };
        let rows: Vec<Routed> = (0..300)
            .map(|i| {
                let part = |n: i32| f64::from(i / n % 5);
                let path = Path {
                    levels: part(1),
                    carry: 6.0 * part(5),
                    dsp: f64::from(i % 7 / 6),
                    ram: f64::from(i % 11 / 10),
                };
                let luts = 100.0 * f64::from(i % 13 + 1);
                (vec![path], luts, truth.period_ns(&[path], luts))
            })
            .collect();
        let (found, half, errors) = calibrate(&rows, ECP5_START);
        assert!(half < 0.12 && errors[150] < 0.03, "{found:?} {half}");
        assert!(
            (found.level / truth.level - 1.0).abs() < 0.1 && (found.dsp / truth.dsp - 1.0).abs() < 0.1,
            "{found:?}"
        );
    }

    #[test]
    fn a_longer_path_or_a_larger_design_is_slower() {
        let d = Delays::of(Family::Xc7);
        let path = |levels: f64| Path { levels, carry: 10.0, dsp: 0.0, ram: 0.0 };
        assert!(d.period_ns(&[path(3.0), path(1.0)], 100.0) > d.period_ns(&[path(2.0)], 100.0));
        assert!(d.period_ns(&[path(2.0)], 9000.0) > d.period_ns(&[path(2.0)], 100.0));
        assert!(Delays::of(Family::Ice40).period_ns(&[path(2.0)], 100.0) > d.period_ns(&[path(2.0)], 100.0));
    }
}
