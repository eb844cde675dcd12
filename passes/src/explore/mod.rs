//! `explore`: the trade-off between latency, throughput and area for a device, and what a design makes of its multipliers.
//!
//! [`front`] solves the folding for a ladder of rates and latencies and keeps the designs that no other one beats in interval,
//! latency and area. Each point carries the command that makes it again. [`svg::plot`] draws the front, [`Report`] says for one
//! design how busy its multipliers are.

mod offers;
pub mod svg;
mod utilization;

pub use offers::Offer;
pub use utilization::{Layer, NextStep, Report, utilization};

use crate::fit;
use crate::optimize::{self, Objective, Prices, Request, Resources, Solution};
use crate::pipeline::Prepared;
use netfold_ir::diag::{Code, Diag};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// What is explored.
#[derive(Clone, Copy)]
pub struct Exploration<'a> {
    /// Device, limits, pins and prices; its objective is not used.
    pub request: Request<'a>,
    /// Clock, for times.
    pub clock_mhz: f64,
    /// How the command line names the model.
    pub model: &'a str,
    /// How the command line names the board.
    pub board: &'a str,
    /// Further arguments of the command line that matter to the design.
    pub options: &'a [String],
    /// Points wanted, at most.
    pub points: usize,
}

/// Beats of a frame, over all streams, times latencies that are asked for: large networks, whose latencies take long to simulate, are
/// asked for fewer of them, but no fewer than [`LEAST_LATENCIES`].
const LATENCY_EFFORT: u64 = 300_000;
const LEAST_LATENCIES: u64 = 4;

/// One design of the front.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// First input beat to last output beat, in cycles.
    pub latency_cycles: u64,
    /// Between frames, in cycles.
    pub interval_cycles: u64,
    /// Latency in ns at the clock.
    pub latency_ns: f64,
    /// Frames a second at the clock.
    pub fps: f64,
    /// What it uses.
    pub used: Resources,
    /// Largest share of a resource of the device, in percent.
    pub utilization_percent: f64,
    /// Area in the units of [`Prices`].
    pub area: u64,
    /// Proven gap of the folding; 0: optimal.
    pub gap: f64,
    /// The command that makes this design again.
    pub command: String,
}

/// The Pareto front, fastest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Front {
    /// Model.
    pub model: String,
    /// Board.
    pub board: String,
    /// Clock in MHz.
    pub clock_mhz: f64,
    /// The points, by ascending interval, then latency.
    pub points: Vec<Point>,
}

/// The Pareto front of latency, interval and area.
///
/// # Errors
/// That of the fastest design when nothing fits.
pub fn front(prepared: &Prepared, exploration: &Exploration<'_>) -> Result<Front, Diag> {
    let solve = |objective| fit::solve(prepared, &Request { objective, ..exploration.request }).map_err(Diag::from);
    let fastest = solve(Objective::Fastest)?;
    let slowest = solve(Objective::Interval(u64::MAX >> 20))?;
    let (lo, hi) = (fastest.timing.interval_cycles.max(1), slowest.timing.interval_cycles.max(1));
    let steps = (exploration.points.max(3) - 1) as u32;
    let ratio = (hi as f64 / lo as f64).powf(1.0 / f64::from(steps));
    // All as the commands give them again.
    let between = (1..steps).map(|i| (lo as f64 * ratio.powi(i as i32)).round() as u64);
    let intervals: Vec<u64> = [lo, hi].into_iter().chain(between).collect();
    let by_interval = |interval: &u64| match solve(Objective::Interval(*interval)) {
        Ok(s) => Ok(Some(point(exploration, &s, by_rate(exploration, *interval)))),
        Err(d) if d.code == Code::DoesNotFit => Ok(None),
        Err(d) => Err(d),
    };
    let rated = intervals.par_iter().map(by_interval).collect::<Result<Vec<_>, Diag>>()?;
    let mut points: Vec<Point> = rated.into_iter().flatten().collect();
    // Latency asked for by itself: fewer cycles than the rate's design has, and the same.
    let mut asked: Vec<u64> = points.iter().flat_map(|p| [p.latency_cycles, p.latency_cycles * 3 / 4]).collect();
    asked.sort_unstable();
    asked.dedup();
    let beats: u64 = fastest.design.streams().iter().map(|(_, _, s)| s.beats as u64).sum();
    let asked = spread(&asked, (LATENCY_EFFORT / beats.max(1)).max(LEAST_LATENCIES) as usize);
    let by_cycles = |cycles: &u64| {
        let s = optimize::attempt_latency(prepared, &exploration.request, *cycles)?;
        Ok(s.map(|s| point(exploration, &s, by_latency(exploration, (*cycles).max(1)))))
    };
    let timed = asked.par_iter().map(by_cycles).collect::<Result<Vec<_>, Diag>>()?;
    points.extend(timed.into_iter().flatten());
    Ok(Front { points: pareto(points), ..Front::empty(exploration) })
}

/// At most `most` of some numbers, evenly spread over their places.
fn spread(all: &[u64], most: usize) -> Vec<u64> {
    let n = all.len();
    if n <= most.max(2) {
        return all.to_vec();
    }
    (0..most).map(|i| all[i * (n - 1) / (most - 1)]).collect()
}

/// Points that no other one beats or equals in interval, latency and area, by ascending interval.
fn pareto(mut points: Vec<Point>) -> Vec<Point> {
    points.sort_by_key(|p| (p.interval_cycles, p.latency_cycles, p.area));
    let mut kept: Vec<Point> = Vec::new();
    for p in points {
        let beaten = kept.iter().any(|k| k.latency_cycles <= p.latency_cycles && k.area <= p.area);
        if !beaten {
            kept.push(p);
        }
    }
    kept
}

fn point(e: &Exploration<'_>, s: &Solution, command: String) -> Point {
    let cycles = (s.timing.latency_cycles, s.timing.interval_cycles);
    point_of(e, cycles, s.used, s.gap, command)
}

/// A point of a design with a latency and an interval in cycles.
fn point_of(
    e: &Exploration<'_>,
    (latency_cycles, interval_cycles): (u64, u64),
    used: Resources,
    gap: f64,
    command: String,
) -> Point {
    let device = e.request.device;
    let prices = if device == Resources::UNLIMITED { Prices::generic() } else { Prices::of_device(&device) };
    let shares = used.array().into_iter().zip(device.array()).filter(|(_, d)| *d > 0);
    let share = shares.map(|(u, d)| u as f64 / d as f64).fold(0.0, f64::max);
    Point {
        latency_cycles,
        interval_cycles,
        latency_ns: latency_cycles as f64 * 1000.0 / e.clock_mhz,
        fps: e.clock_mhz * 1e6 / interval_cycles.max(1) as f64,
        used,
        utilization_percent: share * 100.0,
        area: prices.area(&used),
        gap,
        command,
    }
}

/// Command for an interval: with ten digits the rate gives the same cycles back.
fn by_rate(e: &Exploration<'_>, interval: u64) -> String {
    let fps = e.clock_mhz * 1e6 / interval.max(1) as f64;
    let decimals = 9usize.saturating_sub(fps.log10().max(0.0) as usize);
    let text = format!("{fps:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    command(e, &format!("--fps {text}"))
}

/// Command for a latency.
fn by_latency(e: &Exploration<'_>, cycles: u64) -> String {
    let ns = (cycles as f64 * 1000.0 / e.clock_mhz).ceil();
    command(e, &format!("--latency-ns {ns}"))
}

fn command(e: &Exploration<'_>, target: &str) -> String {
    let mut words = vec!["netfold".to_string(), "gen".to_string()];
    words.extend((!e.model.is_empty()).then(|| quoted(e.model)));
    words.extend(e.options.iter().map(|o| quoted(o)));
    format!("{} --board {} --clock-mhz {} {target}", words.join(" "), quoted(e.board), e.clock_mhz)
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

impl Front {
    /// The front as text, a line a point.
    pub fn table(&self) -> String {
        let mut out = format!(
            "{:>12} {:>12} {:>12} {:>12} {:>8} {:>8} {:>6} {:>7} {:>5} {:>6}\n",
            "interval", "frames/s", "latency", "latency ns", "LUT", "FF", "DSP", "BRAM36", "URAM", "max %"
        );
        for p in &self.points {
            let u = &p.used;
            let _ = writeln!(
                out,
                "{:>12} {:>12.1} {:>12} {:>12.1} {:>8} {:>8} {:>6} {:>7} {:>5} {:>6.1}",
                p.interval_cycles,
                p.fps,
                p.latency_cycles,
                p.latency_ns,
                u.lut,
                u.ff,
                u.dsp,
                u.bram36(),
                u.uram,
                p.utilization_percent
            );
            let _ = writeln!(out, "    {}", p.command);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(interval: u64, latency: u64, area: u64) -> Point {
        Point {
            latency_cycles: latency,
            interval_cycles: interval,
            latency_ns: latency as f64,
            fps: 1e9 / interval as f64,
            used: Resources::default(),
            utilization_percent: 1.0,
            area,
            gap: 0.0,
            command: "netfold gen a<b".into(),
        }
    }

    #[test]
    fn the_front_keeps_what_nothing_beats() {
        let all = vec![sample(10, 30, 5), sample(20, 30, 5), sample(20, 20, 9), sample(40, 60, 2), sample(10, 30, 5)];
        let kept: Vec<_> = pareto(all).iter().map(|p| (p.interval_cycles, p.latency_cycles, p.area)).collect();
        assert_eq!(kept, [(10, 30, 5), (20, 20, 9), (40, 60, 2)]);
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("a/b-1.onnx"), "a/b-1.onnx");
        assert_eq!(quoted("my net's.onnx"), "'my net'\\''s.onnx'");
    }

    #[test]
    fn plots_are_escaped_and_have_a_mark_a_point() {
        let front = Front {
            model: "a<b".into(),
            board: "x".into(),
            clock_mhz: 100.0,
            points: vec![sample(10, 30, 5), sample(1000, 900, 2)],
        };
        let text = svg::plot(&front);
        assert_eq!(text.matches("<circle").count(), 2);
        assert!(!text.contains("a<b") && text.contains("a&lt;b"));
        assert!(front.table().lines().count() == 5);
    }
}
