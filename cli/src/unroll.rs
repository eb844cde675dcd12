//! The unrolled style: which layers have it, with which delays, and whether what comes out reaches the target.

use crate::args::Style as Flag;
use crate::fit;
use crate::flow::{Job, note};
use crate::folded::Folded;
use netfold_boards::Family;
use netfold_frontend::config::{Beat, Config, MOST_INTERVAL, Registers, Style};
use netfold_ir::diag::{Code, Diag};
use netfold_ir::graph::NodeId;
use netfold_ir::hw::{Design, Kind, timing};
use netfold_ir::int::{IntNetwork, IntOp};
use netfold_ir::net::Network;
use netfold_passes::explore::Offer;
use netfold_passes::fold::{self, Folding, Pin, Work};
use netfold_passes::mix;
use netfold_passes::optimize::{Objective, Prices, Request, design_cost};
use netfold_passes::pipeline::{self, Target};
use netfold_passes::unroll::{self, Granularity, MOST_DIGITS, Unrolling};
use netfold_shiftadd::DelayModel;
use std::collections::{HashMap, HashSet};
use std::time::Instant;

/// Styles of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Styles {
    /// Of layers that have none of their own.
    pub whole: Style,
    /// Operators of the integer network that may be unrolled when `whole` does not decide.
    unrolled: HashSet<NodeId>,
    /// Operators that must not be.
    stream: HashSet<NodeId>,
    /// Cycles a beat of operators' programs, where that was decided for them alone.
    intervals: HashMap<NodeId, u32>,
}

impl Styles {
    /// Styles of the command line and the configuration. What follows a layer element by element has its style, unless it has one
    /// of its own.
    ///
    /// # Errors
    /// A cyclic network.
    pub fn new(flag: Option<Flag>, config: &Config, net: &Network, int: &IntNetwork) -> Result<Styles, Diag> {
        let whole = match flag {
            Some(Flag::Stream) => Style::Stream,
            Some(Flag::Unrolled) => Style::Unrolled,
            Some(Flag::Auto) => Style::Auto,
            None => config.style.unwrap_or(Style::Stream),
        };
        Styles::decided(whole, int, |id| {
            let names = netfold_passes::quantize::names_of(net, net.graph.find(&int.graph.node(id).layer)?);
            let asked = names.iter().find_map(|n| config.folding(n))?;
            Some((asked.style, asked.interval.map(|n| n as u32)))
        })
    }

    /// Styles and cycles a beat of the operators that have their own.
    fn decided(
        whole: Style,
        int: &IntNetwork,
        asked: impl Fn(NodeId) -> Option<(Option<Style>, Option<u32>)>,
    ) -> Result<Styles, Diag> {
        let (unrolled, stream, intervals) = (HashSet::new(), HashSet::new(), HashMap::new());
        let mut styles = Styles { whole, unrolled, stream, intervals };
        for id in int.graph.topological()? {
            let (style, interval) = asked(id).unwrap_or_default();
            let follows = style.is_none() && matches!(int.graph.node(id).op, IntOp::Step(_) | IntOp::LinComb { .. });
            let inputs = int.graph.inputs(id);
            let all = |set: &HashSet<NodeId>| follows && inputs.iter().all(|i| set.contains(i));
            let (unrolled, stream) = (all(&styles.unrolled), all(&styles.stream));
            let before = inputs.iter().map(|i| styles.intervals.get(i).copied()).max().flatten();
            let interval = interval.or(before.filter(|_| follows));
            styles.intervals.extend(interval.map(|n| (id, n)));
            if style == Some(Style::Unrolled) || unrolled {
                styles.unrolled.insert(id);
            } else if style == Some(Style::Stream) || stream {
                styles.stream.insert(id);
            }
        }
        Ok(styles)
    }

    /// These styles with layers as programs of so many cycles a beat on top.
    fn with(&self, int: &IntNetwork, layers: &[(NodeId, u32)]) -> Result<Styles, Diag> {
        Styles::decided(Style::Stream, int, |id| match layers.iter().find(|l| l.0 == id) {
            Some((_, interval)) => Some((Some(Style::Unrolled), Some(*interval))),
            None => self.stream.contains(&id).then_some((Some(Style::Stream), None)),
        })
    }

    /// Whether an operator is to be unrolled, where `whole` is the style of the others.
    fn wants(&self, whole: Style, id: NodeId) -> bool {
        match whole {
            Style::Unrolled => !self.stream.contains(&id),
            _ => self.unrolled.contains(&id),
        }
    }

    /// Whether some operator is unrolled when `whole` is the style of the others.
    fn any(&self, whole: Style) -> bool {
        whole == Style::Unrolled || !self.unrolled.is_empty()
    }
}

/// Delays of a family's logic, and what a register takes of the period (clock to output and setup) in ns.
fn delays(family: Family) -> (DelayModel, f64) {
    match family {
        Family::Xcup => (DelayModel::ultrascale_plus(), 0.15),
        Family::Xc7 => (DelayModel::series7(), 0.5),
        Family::Ecp5 => (DelayModel::ecp5(), 0.6),
        Family::Ice40 => (DelayModel::ice40(), 1.8),
        Family::Gowin => (DelayModel::gowin(), 0.9),
    }
}

/// The design of a job in the styles that were asked for.
///
/// # Errors
/// [`Code::DoesNotFit`] when the target or the clock cannot be reached, with what can; [`Code::Unsupported`] for sums that are too
/// wide for a program.
pub fn build(job: &Job) -> Result<Folded, Diag> {
    match job.styles.whole {
        Style::Auto => {
            let streams =
                if job.styles.any(Style::Stream) { unrolled(job, Style::Stream) } else { job.build_streams() };
            let mut others: Vec<_> = mixed(job, streams.as_ref().ok().map(|s| &s.folding))?.into_iter().collect();
            // A network of many weights is never smaller unrolled as a whole.
            if unroll::granularity(&job.prepared.int) == Granularity::Frame {
                others.extend(unrolled(job, Style::Unrolled));
            }
            let Some(other) = others.into_iter().min_by_key(|d| area(job, &d.design)) else { return streams };
            let Ok(streams) = streams else { return Ok(other) };
            Ok(if area(job, &other.design) < area(job, &streams.design) { other } else { streams })
        }
        whole if job.styles.any(whole) => unrolled(job, whole),
        _ => job.build_streams(),
    }
}

/// What a design takes of the device, as the folding optimizer adds it up: the sum of the shares.
fn area(job: &Job, design: &Design) -> u64 {
    Prices::of_device(&fit::device(&job.board)).area(&design_cost(design, &job.prices))
}

/// Intervals of a layer's program that are offered to the folding optimizer, in cycles a beat.
const OFFERED: [u32; 4] = [1, 2, 4, 8];

/// The design in which those layers are programs that the folding optimizer takes as such: streams alone where it takes none. None where no
/// layer can be a program, and where the target is neither a rate nor a latency. `streams` is the folding without programs.
fn mixed(job: &Job, streams: Option<&Folding>) -> Result<Option<Folded>, Diag> {
    let asked = job.styles.any(Style::Stream) || job.config.unrolled.registers == Some(Registers::None);
    let (objective, cycles) = match (job.target, streams) {
        (Target::Interval(n), _) => (Objective::Interval(n.max(1)), n.max(1)),
        (Target::Latency(n), _) => (Objective::Latency(n), n),
        (Target::Near(_) | Target::Multipliers(_), Some(f)) => (Objective::Interval(f.interval), f.interval),
        (Target::Near(_) | Target::Multipliers(_) | Target::Fastest | Target::LowestLatency, _) => return Ok(None),
    };
    let Ok(unrolling) = unrolling(job, 1) else { return Ok(None) };
    if asked {
        return Ok(None);
    }
    let int = &job.prepared.int;
    let granularity = granularity(job, cycles);
    let free = |id: NodeId| {
        let node = int.graph.node(id);
        let pin = job.pins.get(&node.name).or_else(|| job.pins.get(&node.layer));
        !job.styles.stream.contains(&id) && pin.is_none_or(|p| *p == Pin::default())
    };
    let intervals = match job.config.unrolled.interval {
        Some(n) => vec![n as u32],
        None => OFFERED.to_vec(),
    };
    let layers = unroll::layers(&job.prepared, granularity, &unrolling, (&intervals, cycles), free)?;
    if layers.is_empty() {
        return Ok(None);
    }
    let start = Instant::now();
    let request = Request { objective, ..job.request() };
    let Some(chosen) = mix::choose(&job.prepared, &request, &layers)? else { return Ok(None) };
    if chosen.layers.is_empty() {
        return Ok(Some(Folded::of(chosen.solution, job.target, start)));
    }
    let styles = job.styles.with(int, &chosen.layers)?;
    Ok(at_interval(job, &styles, Style::Stream, granularity, cycles, 1).ok())
}

/// How much moves in a beat of programs where a frame takes `cycles` cycles.
fn granularity(job: &Job, cycles: u64) -> Granularity {
    let pixels = most_pixels(&job.prepared.int);
    match job.config.unrolled.beat.unwrap_or(Beat::Auto) {
        Beat::Frame => Granularity::Frame,
        Beat::Pixel => Granularity::Pixel,
        Beat::Auto if cycles >= pixels && pixels > 1 => Granularity::Pixel,
        Beat::Auto => unroll::granularity(&job.prepared.int),
    }
}

/// Pixels of the largest tensor.
fn most_pixels(int: &IntNetwork) -> u64 {
    int.graph.ids().into_iter().map(|id| pixels_of(int, id)).max().unwrap_or(1) as u64
}

/// The design with unrolled parts; `whole` is the style of operators without one of their own. Where neither the configuration nor the
/// target decides the interval of its programs, the smallest design that reaches the target.
fn unrolled(job: &Job, whole: Style) -> Result<Folded, Diag> {
    let int = &job.prepared.int;
    let cycles = match job.target {
        Target::Interval(n) | Target::Near(n) => n,
        Target::Multipliers(n) if whole != Style::Unrolled => fold::fastest_within(int, n, &job.pins),
        Target::Latency(_) | Target::Multipliers(_) | Target::Fastest | Target::LowestLatency => 1,
    };
    let granularity = granularity(job, cycles);
    let beats = if granularity == Granularity::Pixel { most_pixels(int) } else { 1 };
    possible(job, whole, granularity)?;
    let mut best: Option<(u64, Folded)> = None;
    let mut failed = None;
    for interval in intervals(job, cycles / beats)? {
        match at_interval(job, &job.styles, whole, granularity, cycles, interval) {
            Ok(found) => {
                let area = area(job, &found.design);
                let digits = longest_interval(&found.design) > 1;
                if best.as_ref().is_none_or(|b| area < b.0) {
                    best = Some((area, found));
                }
                // Shorter intervals of words that give no more than one digit are the same design.
                if !digits {
                    break;
                }
            }
            Err(found) => failed = Some(found),
        }
    }
    match (best, failed) {
        (Some((_, found)), _) => Ok(found),
        (None, Some(failed)) => Err(failed),
        (None, None) => Err(Diag::internal("unrolled", "no interval to try")),
    }
}

/// Digits of weights from which on the user is told that solving takes its time.
const NOTED_DIGITS: u64 = 150_000;

/// Refuses what would keep the solver busy for minutes to find a design that no device holds.
fn possible(job: &Job, whole: Style, granularity: Granularity) -> Result<(), Diag> {
    let int = &job.prepared.int;
    let layers = unroll::effort(int, granularity, |id| job.styles.wants(whole, id));
    let total: u64 = layers.iter().map(|l| l.1).sum();
    let name = |id: NodeId| format!("{:?}", int.graph.node(id).name);
    let largest: Vec<String> = layers.iter().take(3).map(|l| name(l.0)).collect();
    if total > MOST_DIGITS {
        let cause = format!(
            "unrolled, the weights have {total} signed digits, each an addition before any is shared, and {MOST_DIGITS} are possible; most \
             are those of {}",
            largest.join(", ")
        );
        let pixels = if granularity == Granularity::Frame { ", or `unrolled: {beat: pixel}`" } else { "" };
        return Err(Diag::new(Code::DoesNotFit, &int.name, cause)
            .help(format!("give these layers `style: stream` in `folding`, or the whole network{pixels}")));
    }
    if total > NOTED_DIGITS {
        note(format!(
            "unrolled, the weights have {total} signed digits: solving takes about {} s a core",
            total / 10_000
        ));
    }
    Ok(())
}

/// The intervals of programs, in cycles, that a design may have; `cycles` are there for a beat. The longest first.
fn intervals(job: &Job, cycles: u64) -> Result<Vec<u32>, Diag> {
    let none = job.config.unrolled.registers == Some(Registers::None);
    let own = job.styles.intervals.values().copied().max().map(u64::from);
    match job.config.unrolled.interval {
        asked if none && asked.max(own) > Some(1) => {
            let n = asked.max(own).unwrap_or(1);
            let cause = format!("an interval of {n} cycles needs registers, and `registers: none` leaves them out");
            Err(Diag::new(Code::Config, "unrolled.interval", cause).help("leave out one of the two"))
        }
        Some(n) => Ok(vec![n as u32]),
        None if none => Ok(vec![1]),
        None => Ok(match job.target {
            // The style of a new input every cycle, unless the styles compete by area.
            Target::Latency(_) if job.styles.whole == Style::Auto => vec![8, 4, 2, 1],
            Target::Interval(_) | Target::Near(_) => {
                let longest = cycles.clamp(1, MOST_INTERVAL) as u32;
                if longest > 1 { vec![longest, 1] } else { vec![1] }
            }
            Target::Latency(_) | Target::Multipliers(_) | Target::Fastest | Target::LowestLatency => vec![1],
        }),
    }
}

/// LUTs that a signed digit of unrolled weights takes at the least, at eight cycles a frame: half of what was measured for weights of one
/// bit, which take the fewest.
const LEAST_LUTS: f64 = 0.3;

/// The whole network unrolled at several intervals, for `explore`; none where its weights are so many that a frame a beat is out of
/// the question or that the limits hold none of them, or where nothing can be unrolled. Shorter intervals take more, so that none follows one that does not fit.
///
/// # Errors
/// Internal errors.
pub fn offers(job: &Job) -> Result<Vec<Offer>, Diag> {
    let mut offers: Vec<Offer> = Vec::new();
    let int = &job.prepared.int;
    if unroll::granularity(int) == Granularity::Pixel {
        return Ok(offers);
    }
    let limits = job.limits();
    let digits: u64 = unroll::effort(int, Granularity::Frame, |_| true).iter().map(|layer| layer.1).sum();
    if digits as f64 * LEAST_LUTS > limits.lut as f64 {
        note(format!(
            "the network unrolled is not looked at: {digits} signed digits of weights exceed the LUTs by far"
        ));
        return Ok(offers);
    }
    for interval in [8, 4, 2, 1] {
        let Ok(Folded { design, .. }) =
            at_interval(job, &job.styles, Style::Unrolled, Granularity::Frame, u64::from(interval), interval)
        else {
            continue;
        };
        let t = timing::simulate(&design)?;
        let arguments = ["--style", "unrolled"].map(str::to_string).to_vec();
        let used = design_cost(&design, &job.prices);
        let fits = used.within(&limits);
        offers.push(Offer { latency_cycles: t.latency_cycles, interval_cycles: t.interval_cycles, used, arguments });
        // Words that give no more than one digit are the same design at all intervals.
        if !fits || longest_interval(&design) == 1 {
            break;
        }
    }
    Ok(offers)
}

/// Cycles a beat of the slowest program.
fn longest_interval(design: &Design) -> usize {
    let intervals = design.modules().into_iter().filter_map(|id| match &design.module(id).kind {
        Kind::Program(p) => Some(p.interval),
        _ => None,
    });
    intervals.max().unwrap_or(1)
}

/// How programs of `interval` cycles a beat are made for the job's clock and device.
fn unrolling(job: &Job, interval: u32) -> Result<Unrolling, Diag> {
    let (delay, register_ns) = delays(job.board.family);
    let registers = job.config.unrolled.registers.unwrap_or(Registers::Clock);
    let mut unrolling = Unrolling::for_clock(job.clock_mhz, delay);
    unrolling.options.interval = interval;
    unrolling.period_ns = match registers {
        Registers::Clock => unrolling.period_ns.map(|p| p - register_ns),
        Registers::None => None,
    };
    if unrolling.period_ns.is_some_and(|p| p <= 0.0) {
        let cause = format!("{} MHz leave no time between two registers of this device", job.clock_mhz);
        return Err(Diag::new(Code::DoesNotFit, "clock", cause).help("ask for a slower clock"));
    }
    Ok(unrolling)
}

/// The design whose programs take a beat every `interval` cycles, where the styles do not say otherwise. What is not unrolled is folded by
/// the optimizer where single layers were asked for, each a chain of operators, and by the balanced rule elsewhere.
fn at_interval(
    job: &Job,
    styles: &Styles,
    whole: Style,
    granularity: Granularity,
    cycles: u64,
    interval: u32,
) -> Result<Folded, Diag> {
    let start = Instant::now();
    let unrolling = unrolling(job, interval)?;
    let own = |id: NodeId| styles.intervals.get(&id).copied().unwrap_or(interval);
    let parts =
        unroll::run_each(&job.prepared, granularity, &unrolling, |id| styles.wants(whole, id).then(|| own(id)))?;
    let objective = match job.target {
        Target::Latency(n) => Objective::Latency(n),
        _ => Objective::Interval(cycles),
    };
    if whole == Style::Stream
        && let Some(s) = mix::around(&job.prepared, &Request { objective, ..job.request() }, &parts)?
    {
        reaches(job, &s.design)?;
        return Ok(Folded::of(s, job.target, start));
    }
    let (design, folding) = pipeline::with_programs(&job.prepared, &parts, cycles, &job.pins, fit::budget(&job.board))?;
    reaches(job, &design)?;
    Ok(Folded { design, folding, solve: None, timing: None, next: None })
}

/// Layers that are programs of a folding of both styles, with their programs' cycles a beat.
pub fn programs(job: &Job, folding: &Folding) -> Vec<(String, u32)> {
    let graph = &job.prepared.int.graph;
    let layers = folding.programs.0.iter().flat_map(|u| {
        let interval = u.program.interval as u32;
        u.nodes().iter().filter(|id| Work::of(&job.prepared.int, **id).is_some()).map(move |id| (*id, interval))
    });
    layers.map(|(id, interval)| (graph.node(id).layer.clone(), interval)).collect()
}

/// The configuration's style and beat that make a design again.
pub fn decided(design: &Design, folding: &Folding, config: &mut Config, styles: &Styles) {
    let beats = design.modules().into_iter().filter_map(|id| match &design.module(id).kind {
        Kind::Program(p) => Some(p.beats),
        _ => None,
    });
    let most = beats.max();
    config.style = Some(match styles.whole {
        Style::Auto if most.is_some() && folding.programs.0.is_empty() => Style::Unrolled,
        Style::Auto => Style::Stream,
        decided => decided,
    });
    if let Some(n) = most {
        config.unrolled.beat = Some(if n > 1 { Beat::Pixel } else { Beat::Frame });
        config.unrolled.interval = Some(longest_interval(design) as u64);
    }
}

/// Pixels of a node's tensor.
fn pixels_of(int: &IntNetwork, id: NodeId) -> usize {
    let node = int.graph.node(id);
    match node.shape.as_slice() {
        [h, w, _] => h * w,
        _ => 1,
    }
}

/// Checks the target of a finished design.
fn reaches(job: &Job, design: &Design) -> Result<(), Diag> {
    let t = timing::simulate(design)?;
    let ns = |cycles: u64| cycles as f64 * 1000.0 / job.clock_mhz;
    match job.target {
        Target::Latency(cycles) if t.latency_cycles > cycles => {
            let cause = format!(
                "unrolled, the first output comes after {} cycles ({:.1} ns), {cycles} were asked for",
                t.latency_cycles,
                ns(t.latency_cycles)
            );
            Err(Diag::new(Code::DoesNotFit, &design.name, cause).help(format!(
                "ask for --latency-ns {:.1}, for a slower clock, whose stages hold more, or for `registers: none`",
                ns(t.latency_cycles)
            )))
        }
        Target::Interval(cycles) if t.interval_cycles > cycles => {
            let cause = format!("unrolled, a frame takes {} cycles, {cycles} were asked for", t.interval_cycles);
            let fps = (job.clock_mhz * 1e9 / t.interval_cycles as f64).floor() / 1e3;
            Err(Diag::new(Code::DoesNotFit, &design.name, cause)
                .help(format!("--fps {fps} works; `unrolled: {{beat: frame}}` computes all pixels at once")))
        }
        _ => Ok(()),
    }
}
