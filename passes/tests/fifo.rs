//! FIFO depths: full rate, and nothing to spare.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use netfold_ir::hw::{Design, Kind, Matrix, Memory, Module, ModuleId, Multiplier, Mvu, Stream, Swu, timing};
use netfold_ir::net::Window;
use netfold_ir::quant::IntType;
use netfold_passes::fifo;
use std::sync::Arc;

fn add(d: &mut Design, name: &str, kind: Kind) -> ModuleId {
    d.add(Module { name: name.into(), layer: name.into(), kind })
}

fn join(d: &mut Design, from: (ModuleId, usize), to: (ModuleId, usize), beats: usize) {
    let lanes = d.module(from.0).kind.output_lanes()[from.1];
    let ty = IntType::new(true, 8);
    d.connect(from.0, to.0, Stream { from_port: from.1, to_port: to.1, ty, lanes, beats, depth: 2 });
}

fn mvu(rows: usize, cols: usize, pe: usize, simd: usize, vectors: usize) -> Kind {
    let weights = Arc::new(Matrix { rows, cols, data: vec![3; rows * cols] });
    Kind::Mvu(Mvu { weights, pe, simd, vectors, early: 0, pixels: 1, multiplier: Multiplier::Dsp, memory: Memory::Lut })
}

/// A convolution of 3x3 on an image of `n` squared: window and products.
fn conv(d: &mut Design, name: &str, from: (ModuleId, usize), n: usize) -> ModuleId {
    let window = Window { kernel: [3; 2], stride: [1; 2], dilation: [1; 2], pads: [1; 4] };
    let swu = Swu {
        size: [n; 2],
        channels: 1,
        lanes: 1,
        window,
        output: [n; 2],
        pad: vec![0],
        memory: Memory::Lut,
        given: None,
    };
    let w = add(d, &format!("{name}_window"), Kind::Swu(swu));
    join(d, from, (w, 0), n * n);
    let m = add(d, name, mvu(1, 9, 1, 9, n * n));
    join(d, (w, 0), (m, 0), n * n);
    m
}

fn sum(d: &mut Design, name: &str, a: (ModuleId, usize), b: (ModuleId, usize), beats: usize) -> ModuleId {
    let kind = Kind::LinComb { coefficients: vec![vec![1]; 2], constant: vec![0], lanes: 1, beats };
    let m = add(d, name, kind);
    join(d, a, (m, 0), beats);
    join(d, b, (m, 1), beats);
    m
}

fn fork(d: &mut Design, name: &str, from: (ModuleId, usize), beats: usize) -> ModuleId {
    let f = add(d, name, Kind::Fork { outputs: 2, lanes: 1, beats });
    join(d, from, (f, 0), beats);
    f
}

/// Two residual blocks, one inside of the other.
fn nested(n: usize) -> Design {
    let mut d = Design::new("nested");
    let x = add(&mut d, "x", Kind::Source { lanes: 1, beats: n * n });
    let outer = fork(&mut d, "outer", (x, 0), n * n);
    let a = conv(&mut d, "a", (outer, 0), n);
    let inner = fork(&mut d, "inner", (a, 0), n * n);
    let b = conv(&mut d, "b", (inner, 0), n);
    let short = sum(&mut d, "short", (b, 0), (inner, 1), n * n);
    let long = sum(&mut d, "long", (short, 0), (outer, 1), n * n);
    let y = add(&mut d, "y", Kind::Sink { lanes: 1, beats: n * n });
    join(&mut d, (long, 0), (y, 0), n * n);
    d
}

/// Interval and latency; none when it deadlocks.
fn cycles(d: &Design) -> Option<(u64, u64)> {
    timing::simulate(d).ok().map(|t| (t.interval_cycles, t.latency_cycles))
}

fn ports(d: &Design) -> Vec<(ModuleId, usize, usize)> {
    d.streams().iter().map(|(f, _, s)| (*f, s.from_port, s.depth)).collect()
}

#[test]
fn joins_run_at_full_rate_and_no_depth_can_be_one_less() {
    for n in [6, 9, 24] {
        let mut d = nested(n);
        fifo::run(&mut d).unwrap();
        let (interval, latency) = cycles(&d).expect("no deadlock");
        assert_eq!(interval, (n * n) as u64);
        let mut deep = 0;
        for (m, p, depth) in ports(&d) {
            if depth <= fifo::LEAST_DEPTH {
                continue;
            }
            deep += 1;
            d.stream_mut(m, p).unwrap().depth = depth - 1;
            let worse = cycles(&d).is_none_or(|(i, l)| i > interval || l > latency);
            assert!(worse, "{n}: {} port {p} needs fewer than {depth}", d.module(m).name);
            d.stream_mut(m, p).unwrap().depth = depth;
        }
        assert!(deep >= 2, "both joins need a deep FIFO");
    }
}

#[test]
fn a_join_one_beat_short_slows_down_or_deadlocks() {
    let mut d = nested(12);
    fifo::run(&mut d).unwrap();
    let (interval, _) = cycles(&d).unwrap();
    for name in ["outer", "inner"] {
        let id = d.modules().into_iter().find(|m| d.module(*m).name == name).unwrap();
        let depth = d.outputs_of(id)[1].1.depth;
        assert!(depth > 12, "a window of three rows is about a row and a half behind: {depth}");
        d.stream_mut(id, 1).unwrap().depth = depth - 1;
        assert!(cycles(&d).is_none_or(|(i, _)| i > interval), "{name}");
        d.stream_mut(id, 1).unwrap().depth = 3;
        assert_eq!(cycles(&d), None, "{name}: a deadlock");
        d.stream_mut(id, 1).unwrap().depth = depth;
    }
}

#[test]
fn sufficient_depths_are_never_slower_than_trimmed_ones() {
    let (mut a, mut b) = (nested(10), nested(10));
    fifo::run(&mut a).unwrap();
    fifo::run_with(&mut b, 0).unwrap();
    assert_eq!(cycles(&a), cycles(&b));
    let bits = |d: &Design| d.streams().iter().map(|(_, _, s)| s.depth * s.width()).sum::<usize>();
    assert!(bits(&a) <= bits(&b), "{} {}", bits(&a), bits(&b));
}

#[test]
fn trimming_returns_the_cycles_of_the_depths_it_leaves() {
    for n in [6, 11, 24] {
        let mut sufficient = nested(n);
        fifo::run_with(&mut sufficient, 0).unwrap();
        for (m, p, depth) in ports(&sufficient) {
            sufficient.stream_mut(m, p).unwrap().depth = 3 * depth + 5;
        }
        let (mut whole, mut part, mut none) = (sufficient.clone(), sufficient.clone(), sufficient.clone());
        let efforts = [(&mut none, 0), (&mut part, 300_000), (&mut whole, 50_000_000)];
        let mut bits = vec![];
        for (design, effort) in efforts {
            let timing = fifo::trim_with(design, effort).unwrap();
            assert_eq!(cycles(design), Some((timing.interval_cycles, timing.latency_cycles)), "{n} {effort}");
            assert_eq!(cycles(design), cycles(&sufficient), "{n} {effort}");
            bits.push(design.streams().iter().map(|(_, _, s)| s.depth * s.width()).sum::<usize>());
        }
        assert_eq!(ports(&none), ports(&sufficient), "no effort, no change");
        assert!(bits[0] >= bits[1] && bits[1] >= bits[2] && bits[0] > 2 * bits[2], "{n}: {bits:?}");
        assert!(!fifo::is_enough(&none, 0) && fifo::is_enough(&whole, 50_000_000));
        let mut run = nested(n);
        let timing = fifo::run(&mut run).unwrap();
        assert_eq!(cycles(&run), Some((timing.interval_cycles, timing.latency_cycles)));
    }
}
