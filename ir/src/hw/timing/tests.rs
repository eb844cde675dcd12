//! The simulation against a plain cycle-by-cycle one, and properties of depths.

use super::super::modules::{Kind, Matrix, Memory, Multiplier, Mvu, Swu};
use super::super::{Design, Module, ModuleId, Stream};
use super::*;
use crate::net::Window;
use crate::quant::IntType;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;
use std::sync::Arc;

/// A design under construction: adds modules and joins them with streams of fitting widths.
struct Net {
    design: Design,
}

impl Net {
    fn add(&mut self, name: &str, kind: Kind) -> ModuleId {
        self.design.add(Module { name: name.into(), layer: name.into(), kind })
    }

    fn join(&mut self, from: (ModuleId, usize), to: (ModuleId, usize), beats: usize, depth: usize) {
        let lanes = self.design.module(from.0).kind.output_lanes()[from.1];
        let ty = IntType::new(true, 8);
        self.design.connect(from.0, to.0, Stream { from_port: from.1, to_port: to.1, ty, lanes, beats, depth });
    }
}

fn mvu(rows: usize, cols: usize, pe: usize, simd: usize, vectors: usize) -> Kind {
    early_mvu([rows, cols], [pe, simd], vectors, 0)
}

fn early_mvu([rows, cols]: [usize; 2], [pe, simd]: [usize; 2], vectors: usize, early: usize) -> Kind {
    let weights = Arc::new(Matrix { rows, cols, data: vec![3; rows * cols] });
    Kind::Mvu(Mvu { weights, pe, simd, vectors, early, pixels: 1, multiplier: Multiplier::Dsp, memory: Memory::Lut })
}

fn swu(size: usize, kernel: usize, stride: usize, pad: usize) -> (Kind, usize) {
    let window = Window { kernel: [kernel; 2], stride: [stride; 2], dilation: [1; 2], pads: [pad; 4] };
    let output = (size + 2 * pad - kernel) / stride + 1;
    let kind = Swu {
        size: [size; 2],
        channels: 1,
        lanes: 1,
        window,
        output: [output; 2],
        pad: vec![0],
        memory: Memory::Lut,
        given: None,
    };
    (Kind::Swu(kind), output * output)
}

/// A residual block: window, two-beat products, reorder on the short way, join; and the depths as drawn.
fn residual(rng: &mut ChaCha8Rng) -> Design {
    let (reordered, early) = (rng.random(), rng.random_range(0..3));
    let deepest = if rng.random() { 6 } else { 80 };
    let mut depth = move || rng.random_range(1..=deepest);
    let mut n = Net { design: Design::new("t") };
    let (window, pixels) = swu(5, 3, 1, 1);
    let source = n.add("x", Kind::Source { lanes: 1, beats: 25 });
    let fork = n.add("fork", Kind::Fork { outputs: 2, lanes: 1, beats: 25 });
    let w = n.add("window", window);
    let dwc = n.add("dwc", Kind::Dwc { from: 9, to: 3, elements: 9 * pixels });
    let m = n.add("mvu", early_mvu([2, 9], [1, 3], pixels, early));
    let narrow = n.add("narrow", Kind::Dwc { from: 1, to: 2, elements: 50 });
    let order = Arc::new((0..25u32).rev().collect::<Vec<_>>());
    let reorder = Kind::Reorder { order, lanes: 1, memory: Memory::Lut };
    let up = n.add("up", Kind::Upsample { size: [5, 5], chunks: 1, factors: [1, 2], lanes: 1 });
    let reorder = if reordered { n.add("reorder", reorder) } else { up };
    let widen = n.add("widen", Kind::Dwc { from: 1, to: 2, elements: 50 });
    let sum = vec![vec![1], vec![1]];
    let join = n.add("join", Kind::LinComb { coefficients: sum, constant: vec![0], lanes: 2, beats: 25 });
    let sink = n.add("y", Kind::Sink { lanes: 2, beats: 25 });
    n.join((source, 0), (fork, 0), 25, depth());
    n.join((fork, 0), (w, 0), 25, depth());
    n.join((fork, 1), (reorder, 0), 25, depth());
    n.join((w, 0), (dwc, 0), pixels, depth());
    n.join((dwc, 0), (m, 0), 3 * pixels, depth());
    n.join((m, 0), (narrow, 0), 50, depth());
    n.join((narrow, 0), (join, 0), 25, depth());
    if reordered {
        n.join((reorder, 0), (up, 0), 25, depth());
    }
    n.join((up, 0), (widen, 0), 50, depth());
    n.join((widen, 0), (join, 1), 25, depth());
    n.join((join, 0), (sink, 0), 25, depth());
    n.design
}

/// Last beats of `frames` frames by stepping every module every cycle; `None`: nothing moved for long.
fn plain(design: &Design, frames: usize) -> Option<(u64, Vec<u64>)> {
    struct Queue {
        beats: VecDeque<u64>,
        reserved: Vec<u64>,
        depth: usize,
        read: u64,
    }
    let mut queues: Vec<Queue> = design
        .streams()
        .iter()
        .map(|(_, _, s)| Queue {
            beats: VecDeque::new(),
            reserved: vec![],
            depth: s.depth,
            read: s.read_latency() as u64,
        })
        .collect();
    let streams = design.streams();
    let port = |id: ModuleId, out: bool| -> Vec<usize> {
        let mut v: Vec<(usize, usize)> = (0..streams.len())
            .filter(|i| if out { streams[*i].0 == id } else { streams[*i].1 == id })
            .map(|i| (if out { streams[i].2.from_port } else { streams[i].2.to_port }, i))
            .collect();
        v.sort_unstable();
        v.into_iter().map(|(_, i)| i).collect()
    };
    let ids = design.modules();
    let wires: Vec<_> = ids.iter().map(|id| (port(*id, false), port(*id, true))).collect();
    // Next firing, window position, reorder: words read, frames written and read.
    let mut next = vec![0usize; ids.len()];
    let mut windows: Vec<Option<usize>> = vec![None; ids.len()];
    let (mut read, mut written, mut done, mut given_back) = (0usize, 0usize, 0usize, 0usize);
    let (mut start, mut ends, mut idle) = (None, Vec::new(), 0);
    let mut now = 0u64;
    while ends.len() < frames {
        // Decisions rest on the state at the start of the cycle: beats arrive and places return with their own cycle.
        let here = |q: &Queue| q.beats.front().is_some_and(|t| *t <= now);
        let room = |q: &Queue| q.reserved.len() < q.depth;
        let mut takes: Vec<usize> = Vec::new();
        let mut gives: Vec<(usize, u64)> = Vec::new();
        let (mut wrote, mut gave_back) = (false, false);
        for (m, id) in ids.iter().enumerate() {
            let (ins, outs) = &wires[m];
            let module = design.module(*id);
            let latency = module.latency() as u64;
            match &module.kind {
                Kind::Swu(s) => {
                    let arriving = here(&queues[ins[0]]);
                    let flushing = next[m] == 0 && windows[m].is_some();
                    if !arriving && !flushing {
                        continue;
                    }
                    let at = if arriving && next[m] == s.fill() { Some(0) } else { windows[m] };
                    let give = at.is_some_and(|p| {
                        let (y, x) = (p / s.size[1], p % s.size[1]);
                        y % s.window.stride[0] == 0
                            && x % s.window.stride[1] == 0
                            && y / s.window.stride[0] < s.output[0]
                            && x / s.window.stride[1] < s.output[1]
                    });
                    if give && !room(&queues[outs[0]]) {
                        continue;
                    }
                    if give {
                        gives.push((outs[0], latency));
                    }
                    let last =
                        (s.output[0] - 1) * s.window.stride[0] * s.size[1] + (s.output[1] - 1) * s.window.stride[1];
                    windows[m] = at.filter(|p| *p < last).map(|p| p + 1);
                    if arriving {
                        takes.push(ins[0]);
                        next[m] = (next[m] + 1) % module.kind.firings();
                    }
                    idle = 0;
                }
                Kind::Reorder { order, .. } => {
                    let words = order.len();
                    let bank = next[m] > 0 || written - given_back < 2;
                    if bank && here(&queues[ins[0]]) {
                        takes.push(ins[0]);
                        next[m] = (next[m] + 1) % words;
                        wrote = next[m] == 0;
                        idle = 0;
                    }
                    if (read > 0 || done < written) && room(&queues[outs[0]]) {
                        gives.push((outs[0], latency));
                        done += usize::from(read == 0);
                        read = (read + 1) % words;
                        gave_back = read == 0;
                        idle = 0;
                    }
                }
                kind => {
                    let step = kind.step(next[m]);
                    let bits = |mask: u64, n: usize| (0..n).filter(move |p| mask >> p & 1 == 1);
                    let ok = bits(step.take, ins.len()).all(|p| here(&queues[ins[p]]))
                        && bits(step.give, outs.len()).all(|p| room(&queues[outs[p]]));
                    if !ok {
                        continue;
                    }
                    takes.extend(bits(step.take, ins.len()).map(|p| ins[p]));
                    gives.extend(bits(step.give, outs.len()).map(|p| (outs[p], latency)));
                    next[m] = (next[m] + 1) % kind.firings();
                    if matches!(kind, Kind::Source { .. }) {
                        start.get_or_insert(now);
                    }
                    if matches!(kind, Kind::Sink { .. }) && next[m] == 0 {
                        ends.push(now);
                    }
                    idle = 0;
                }
            }
        }
        for q in takes {
            queues[q].beats.pop_front();
            queues[q].reserved.pop();
        }
        for (q, latency) in gives {
            let read = queues[q].read;
            queues[q].beats.push_back(now + latency + read);
            queues[q].reserved.push(now);
        }
        written += usize::from(wrote);
        given_back += usize::from(gave_back);
        now += 1;
        idle += 1;
        if idle > 1000 {
            return None;
        }
    }
    Some((start.unwrap(), ends))
}

#[test]
fn equals_cycle_by_cycle_stepping() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let (mut ran, mut stuck) = (0, 0);
    for _ in 0..300 {
        let design = residual(&mut rng);
        let depths: Vec<usize> = design.streams().iter().map(|(_, _, s)| s.depth).collect();
        let fast = Run::new(&Plan::new(&design), Mode { depths: Some(&depths), ..Mode::of(8) }).finish();
        match (fast, plain(&design, 8)) {
            (Ok(f), Some((start, ends))) => {
                assert_eq!((f.start, f.ends), (start, ends), "{depths:?}");
                ran += 1;
            }
            (Err(d), None) => {
                assert!(d.cause.contains("deadlocks") && d.help.contains("deepen"), "{d}");
                stuck += 1;
            }
            (fast, plain) => panic!("{depths:?}: {:?} against {plain:?}", fast.map(|f| f.ends)),
        }
    }
    assert!(ran > 50 && stuck > 20, "{ran} ran, {stuck} deadlocked");
}

#[test]
fn strided_windows_flush_like_plain_stepping() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for i in 0..200 {
        let (size, kernel) = (rng.random_range(3..7), rng.random_range(1..4));
        let (window, pixels) = swu(size, kernel, rng.random_range(1..3), i % 2 * ((kernel - 1) / 2));
        let taps = kernel * kernel;
        let mut n = Net { design: Design::new("t") };
        let source = n.add("x", Kind::Source { lanes: 1, beats: size * size });
        let slow = n.add("slow", mvu(1, 1, 1, 1, size * size));
        let w = n.add("window", window);
        let m = n.add("mvu", mvu(rng.random_range(1..5), taps, 1, taps, pixels));
        let rows = n.design.module(m).kind.firings() / pixels;
        let sink = n.add("y", Kind::Sink { lanes: 1, beats: pixels * rows });
        n.join((source, 0), (slow, 0), size * size, 2);
        n.join((slow, 0), (w, 0), size * size, rng.random_range(1..6));
        n.join((w, 0), (m, 0), pixels, rng.random_range(1..6));
        n.join((m, 0), (sink, 0), pixels * rows, rng.random_range(1..6));
        let depths: Vec<usize> = n.design.streams().iter().map(|(_, _, s)| s.depth).collect();
        let f = Run::new(&Plan::new(&n.design), Mode { depths: Some(&depths), ..Mode::of(5) }).finish().unwrap();
        assert_eq!(Some((f.start, f.ends)), plain(&n.design, 5), "{size} {kernel} {depths:?}");
    }
}

#[test]
fn early_units_take_and_give_like_plain_stepping() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    for _ in 0..200 {
        let [nf, sf, pe] = [rng.random_range(1..5), rng.random_range(1..6), rng.random_range(1..3)];
        let (vectors, slow) = (rng.random_range(1..4), rng.random_range(1..4));
        let early = rng.random_range(0..=Mvu::latest_early(nf, sf));
        let mut n = Net { design: Design::new("t") };
        let source = n.add("x", Kind::Source { lanes: 1, beats: sf * vectors });
        let before = n.add("before", mvu(1, slow, 1, 1, sf * vectors));
        let up = n.add("up", Kind::Upsample { size: [1, sf * vectors], chunks: 1, factors: [1, slow], lanes: 1 });
        let m = n.add("mvu", early_mvu([nf * pe, sf], [pe, 1], vectors, early));
        let sink = n.add("y", Kind::Sink { lanes: pe, beats: vectors * nf });
        n.join((source, 0), (up, 0), sf * vectors, 2);
        n.join((up, 0), (before, 0), sf * vectors * slow, 2);
        n.join((before, 0), (m, 0), sf * vectors, rng.random_range(1..6));
        n.join((m, 0), (sink, 0), vectors * nf, rng.random_range(1..4));
        n.design.verify().unwrap();
        let depths: Vec<usize> = n.design.streams().iter().map(|(_, _, s)| s.depth).collect();
        let mode = Mode { depths: Some(&depths), ..Mode::of(5) };
        let f = Run::new(&Plan::new(&n.design), mode).finish().unwrap();
        assert_eq!(Some((f.start, f.ends)), plain(&n.design, 5), "{nf} {sf} {early} {depths:?}");
    }
}

#[test]
fn required_depths_run_at_the_bottlenecks_rate() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for _ in 0..20 {
        let mut design = residual(&mut rng);
        let (interval, _) = bottleneck(&design);
        let depths = required_depths(&design, interval).unwrap();
        let ports: Vec<_> = design.streams().iter().map(|(f, _, s)| (*f, s.from_port)).collect();
        for ((m, p), d) in ports.into_iter().zip(&depths) {
            design.stream_mut(m, p).unwrap().depth = *d;
        }
        let timing = simulate(&design).unwrap();
        assert_eq!(timing.interval_cycles, interval);
        assert!(timing.peak.iter().zip(&depths).all(|(p, d)| p <= d));
    }
}

#[test]
fn further_frames_come_as_from_the_start() {
    let mut rng = ChaCha8Rng::seed_from_u64(21);
    let mut ran = 0;
    for _ in 0..200 {
        let design = residual(&mut rng);
        let (depths, plan) = (depths(&design), Plan::new(&design));
        let mode = |frames: u64| Mode { depths: Some(&depths), ..Mode::of(frames) };
        let Ok(whole) = Run::new(&plan, mode(9)).finish() else { continue };
        let mut run = Run::new(&plan, mode(2));
        for frames in [2, 3, 6, 9] {
            run.extend(frames);
            run.advance().unwrap();
            assert_eq!(run.ends(), whole.ends[..frames as usize], "{depths:?}");
        }
        ran += 1;
    }
    assert!(ran > 30, "{ran} ran");
}

#[test]
fn late_first_frames_are_told_to_the_cycle() {
    let mut rng = ChaCha8Rng::seed_from_u64(22);
    let mut ran = 0;
    for _ in 0..100 {
        let design = residual(&mut rng);
        let Ok(exact) = simulate(&design) else { continue };
        let cycles = |t: &Timing| (t.latency_cycles, t.interval_cycles, t.blocked.clone());
        let within = simulate_within(&design, exact.latency_cycles).unwrap().expect("in time");
        assert_eq!(cycles(&within), cycles(&exact));
        assert_eq!(simulate_within(&design, exact.latency_cycles - 1).unwrap(), None);
        let simulator = Simulator::new(&design);
        let meets = |interval, latency| simulator.meets(&depths(&design), interval, latency).map(|t| cycles(&t));
        let (latency, interval) = (exact.latency_cycles, exact.interval_cycles);
        assert_eq!(meets(interval, latency), Some(cycles(&exact)));
        assert_eq!((meets(interval - 1, latency), meets(interval, latency - 1)), (None, None));
        ran += 1;
    }
    assert!(ran > 30, "{ran} ran");
}

#[test]
fn what_waits_for_a_beat_is_no_later_in_the_bound() {
    use super::super::bound::{Order, between, depth_of, first_waiting};
    let mut rng = ChaCha8Rng::seed_from_u64(23);
    let mut windows = 0;
    for _ in 0..300 {
        // An input whose last beats come after everything else has been done.
        let (size, kernel, stride) = (rng.random_range(3..8), rng.random_range(1..4), rng.random_range(1..3));
        let (window, pixels) = swu(size, kernel, stride, rng.random_range(0..=(kernel - 1) / 2));
        let [nf, sf] = [rng.random_range(1..5), if rng.random() { 1 } else { kernel * kernel }];
        let early = rng.random_range(0..=Mvu::latest_early(nf, sf));
        let mut n = Net { design: Design::new("t") };
        let (beats, taps) = (size * size, kernel * kernel);
        let source = n.add("x", Kind::Source { lanes: 1, beats });
        let w = n.add("window", window);
        let dwc = n.add("dwc", Kind::Dwc { from: taps, to: taps / sf, elements: taps * pixels });
        let m = n.add("mvu", early_mvu([nf, taps], [1, taps / sf], pixels, early));
        let sink = n.add("y", Kind::Sink { lanes: 1, beats: pixels * nf });
        n.join((source, 0), (w, 0), beats, 2);
        n.join((w, 0), (dwc, 0), pixels, 2);
        n.join((dwc, 0), (m, 0), pixels * sf, 2);
        n.join((m, 0), (sink, 0), pixels * nf, 2);
        let d = &n.design;
        // From the last beat along what waits for it; it can be taken a cycle after it is offered. Of every stream the beat that first
        // waits and the last one are followed.
        let mut times = vec![(beats - 1, 0)];
        for (id, results) in [(w, pixels), (dwc, pixels * sf), (m, pixels * nf)] {
            let (kind, depth) = (&d.module(id).kind, depth_of(d, id));
            let firsts = times.iter().filter_map(|(b, _)| first_waiting(kind, Order::Given, 0, *b, results));
            let followed: Vec<usize> = firsts.chain([results - 1]).collect();
            let time = |r: &usize| {
                let through = |(b, t): &(usize, i64)| Some(t + between(kind, Order::Given, 0, *b, *r)? + depth);
                Some((*r, times.iter().filter_map(through).max()?))
            };
            times = followed.iter().filter_map(time).collect();
        }
        let Some((_, cycles)) = times.into_iter().max() else { continue };
        let exact = Simulator::new(d).unbounded_latency().unwrap() as i64;
        let last = beats as i64;
        assert!(last + cycles <= exact, "{size} {kernel} {stride} {nf} {sf} {early}: {last} + {cycles} of {exact}");
        // Where the unit does not hold the input back and every place of the window gives, this is all.
        if nf * sf == 1 && stride == 1 {
            assert_eq!(last + cycles, exact, "{size} {kernel} {stride}");
            windows += 1;
        }
    }
    assert!(windows > 10, "{windows}");
}
