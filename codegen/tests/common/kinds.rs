//! Random modules of every kind, appended to a design under construction.

use super::build::{Builder, Open};
use super::{divisor, pick};
use netfold_ir::hw::*;
use netfold_ir::net::Window;
use netfold_ir::quant::IntType;
use rand::Rng;
use std::sync::Arc;

/// Largest element count of random frames.
const ELEMENTS: usize = 48;

impl Builder {
    /// A random source.
    pub fn any_source(&mut self, bits: u32) -> Open {
        let ty = self.ty(bits);
        let elements = self.rng.random_range(1..=ELEMENTS);
        let lanes = divisor(&mut self.rng, elements);
        self.source(ty, lanes, elements / lanes)
    }

    /// The narrowest type for a range, sometimes wider.
    fn holding(&mut self, lo: i128, hi: i128) -> IntType {
        let ty = IntType::containing(lo.try_into().expect("small"), hi.try_into().expect("small"));
        if self.rng.random_range(0..4) == 0 {
            IntType::new(true, ty.bits + 1 + self.rng.random_range(0..3))
        } else {
            ty
        }
    }

    /// Random weights of a random kind: bipolar, ternary, narrow, wide, sparse.
    fn weight(&mut self, style: u32) -> i64 {
        let r = &mut self.rng;
        match style {
            0 => pick(r, &[-1, 1]),
            1 => r.random_range(-1..=1),
            2 => r.random_range(-2..=1),
            3 => r.random_range(-8..=7),
            4 => r.random_range(-128..=127),
            5 => pick(r, &[0, 0, 0, 5, -77, 64]),
            6 => r.random_range(0..=3),
            _ => r.random_range(-1000..=1000),
        }
    }

    fn matrix(&mut self, rows: usize, cols: usize) -> Matrix {
        let style = self.rng.random_range(0..8);
        Matrix { rows, cols, data: (0..rows * cols).map(|_| self.weight(style)).collect() }
    }

    fn dots(&mut self, weights: &Matrix, ty: IntType) -> IntType {
        let (lo, hi) = (i128::from(ty.min()), i128::from(ty.max()));
        let range = |r: usize| {
            weights.row(r).iter().fold((0i128, 0i128), |(a, b), w| {
                let (p, q) = (i128::from(*w) * lo, i128::from(*w) * hi);
                (a + p.min(q), b + p.max(q))
            })
        };
        let all = (0..weights.rows).map(range).fold((0, 0), |(a, b), (c, d)| (a.min(c), b.max(d)));
        self.holding(all.0, all.1)
    }

    /// A matrix-vector unit of any folding.
    pub fn mvu(&mut self, x: Open) -> Open {
        let vectors_cols = x.elements();
        let cols = (x.lanes..=vectors_cols)
            .filter(|c| vectors_cols.is_multiple_of(*c) && c.is_multiple_of(x.lanes))
            .collect::<Vec<_>>();
        let cols = pick(&mut self.rng, &cols);
        let rows = self.rng.random_range(1..=9);
        let weights = self.matrix(rows, cols);
        let ty = self.dots(&weights, x.ty);
        let pe = divisor(&mut self.rng, rows);
        let latest = Mvu::latest_early(rows / pe, cols / x.lanes);
        let early = if latest > 0 && self.rng.random() { latest } else { 0 };
        let kind = Kind::Mvu(Mvu {
            weights: Arc::new(weights),
            pe,
            simd: x.lanes,
            vectors: vectors_cols / cols,
            early,
            pixels: 1,
            multiplier: pick(&mut self.rng, &[Multiplier::Dsp, Multiplier::Lut]),
            memory: pick(&mut self.rng, &[Memory::Logic, Memory::Lut, Memory::Block]),
        });
        self.add(kind, &[x], &[ty])[0]
    }

    /// A matrix-vector unit with early beats and its own source.
    pub fn early_mvu(&mut self) -> Open {
        let r = &mut self.rng;
        let [nf, sf, pe, simd] =
            [r.random_range(2..=5), r.random_range(2..=6), r.random_range(1..=3), r.random_range(1..=4)];
        let (vectors, early) = (r.random_range(1..=3), r.random_range(1..sf));
        let ty = self.ty(10);
        let weights = self.matrix(nf * pe, sf * simd);
        let out = self.dots(&weights, ty);
        let x = self.source(ty, simd, sf * vectors);
        let multiplier = pick(&mut self.rng, &[Multiplier::Dsp, Multiplier::Lut]);
        let memory = pick(&mut self.rng, &[Memory::Logic, Memory::Lut, Memory::Block]);
        let kind =
            Kind::Mvu(Mvu { weights: Arc::new(weights), pe, simd, vectors, early, pixels: 1, multiplier, memory });
        self.add(kind, &[x], &[out])[0]
    }

    /// A matrix-vector unit of pairs of rows that share DSP blocks, of any order of work, with its own source.
    pub fn packed_mvu(&mut self) -> Open {
        let r = &mut self.rng;
        let multiplier = pick(r, &[Multiplier::Packed, Multiplier::PackedSum]);
        let simd = if multiplier == Multiplier::PackedSum && r.random() { 1 } else { r.random_range(1..=7) };
        let [nf, sf, pe] = [r.random_range(1..=4), r.random_range(1..=5), r.random_range(1..=5)];
        let vectors = r.random_range(1..=3);
        let latest = Mvu::latest_early(nf, sf);
        let early = if r.random() { r.random_range(0..=latest) } else { 0 };
        let ty = self.ty(10);
        let weights = self.matrix(nf * pe, sf * simd);
        let out = self.dots(&weights, ty);
        let x = self.source(ty, simd, sf * vectors);
        let memory = pick(&mut self.rng, &[Memory::Logic, Memory::Lut, Memory::Block]);
        let kind =
            Kind::Mvu(Mvu { weights: Arc::new(weights), pe, simd, vectors, early, pixels: 1, multiplier, memory });
        self.add(kind, &[x], &[out])[0]
    }

    /// A matrix-vector unit whose weights and vector are too large for the source.
    pub fn large_mvu(&mut self, multiplier: Multiplier, memory: Memory, early: usize) -> Open {
        let (rows, cols, pe, simd) = (6, 600, 2, 3);
        let weights =
            Matrix { rows, cols, data: (0..rows * cols).map(|_| self.rng.random_range(-128..=127)).collect() };
        let x = self.source(IntType::new(true, 8), simd, cols / simd);
        let ty = self.dots(&weights, x.ty);
        let kind =
            Kind::Mvu(Mvu { weights: Arc::new(weights), pe, simd, vectors: 1, early, pixels: 1, multiplier, memory });
        self.add(kind, &[x], &[ty])[0]
    }

    /// A matrix-vector unit with 193 to 1,000 words of pruned weights in logic and its own source.
    pub fn pruned_mvu(&mut self) -> Open {
        let r = &mut self.rng;
        let words = r.random_range(193..=1000usize);
        let nf = r.random_range(1..=5);
        let [sf, pe, simd] = [words.div_ceil(nf), r.random_range(1..=3), r.random_range(1..=3)];
        let latest = Mvu::latest_early(nf, sf);
        let early = if r.random() { r.random_range(0..=latest) } else { 0 };
        let kept = pick(r, &[0.05, 0.2, 0.6]);
        let data = (0..nf * pe * sf * simd).map(|_| if r.random_bool(kept) { r.random_range(-7..=7) } else { 0 });
        let weights = Matrix { rows: nf * pe, cols: sf * simd, data: data.collect() };
        let ty = self.ty(6);
        let out = self.dots(&weights, ty);
        let x = self.source(ty, simd, sf);
        let multiplier = pick(&mut self.rng, &[Multiplier::Dsp, Multiplier::Lut, Multiplier::Packed]);
        let memory = Memory::Lut;
        let weights = Arc::new(weights);
        let kind = Kind::Mvu(Mvu { weights, pe, simd, vectors: 1, early, pixels: 1, multiplier, memory });
        self.add(kind, &[x], &[out])[0]
    }

    /// A depthwise unit with its own source.
    pub fn vvu(&mut self) -> Open {
        let (channels, taps, multiplicity) =
            (self.rng.random_range(1..=6), self.rng.random_range(1..=9), self.rng.random_range(1..=2));
        let pixels = self.rng.random_range(1..=4);
        let (pe, simd) = (divisor(&mut self.rng, channels), divisor(&mut self.rng, taps));
        let weights = self.matrix(channels * multiplicity, taps);
        let ty = self.ty(10);
        let out = self.dots(&weights, ty);
        let x = self.source(ty, pe * simd, pixels * channels / pe * (taps / simd));
        let kind = Kind::Vvu(Vvu {
            weights: Arc::new(weights),
            multiplicity,
            pe,
            simd,
            pixels,
            multiplier: pick(&mut self.rng, &[Multiplier::Dsp, Multiplier::Lut]),
            memory: pick(&mut self.rng, &[Memory::Logic, Memory::Block]),
        });
        self.add(kind, &[x], &[out])[0]
    }

    /// A sliding-window unit with its own source, and perhaps a reduction of the window.
    pub fn swu(&mut self) -> Open {
        let r = &mut self.rng;
        let bare = Window {
            kernel: [r.random_range(1..=4), r.random_range(1..=4)],
            stride: [r.random_range(1..=3), r.random_range(1..=3)],
            dilation: [r.random_range(1..=2), r.random_range(1..=2)],
            pads: [0; 4],
        };
        let e = bare.extent();
        let pads = [r.random_range(0..e[0]), r.random_range(0..e[1]), r.random_range(0..e[0]), r.random_range(0..e[1])];
        let window = Window { pads, ..bare };
        let extent = window.extent();
        let size = [0, 1].map(|a| (extent[a] - window.pads[a]).max(1) + r.random_range(0..6));
        let channels = r.random_range(1..=4);
        let lanes = divisor(r, channels);
        let position = |a: usize| {
            let span = size[a] + window.pads[a] + window.pads[a + 2] - extent[a];
            (span / window.stride[a] + 1).min((size[a] - 1) / window.stride[a] + 1)
        };
        let output = [position(0), position(1)];
        let ty = self.ty(9);
        let values = if self.rng.random() { 1 } else { channels };
        let pad = (0..values).map(|_| self.value(ty)).collect();
        let memory = pick(&mut self.rng, &[Memory::Logic, Memory::Lut, Memory::Block]);
        let x = self.source(ty, lanes, size[0] * size[1] * channels / lanes);
        let swu = Swu { size, channels, lanes, window, output, pad, memory, given: None };
        let taps = swu.taps();
        let y = self.add(Kind::Swu(swu), &[x], &[ty])[0];
        if self.rng.random() {
            return y;
        }
        let op = pick(&mut self.rng, &[ReduceOp::Max, ReduceOp::Sum]);
        let out = self.reduced(op, ty, taps);
        self.add(Kind::WindowReduce { op, taps, lanes, beats: y.beats }, &[y], &[out])[0]
    }

    fn reduced(&mut self, op: ReduceOp, ty: IntType, n: usize) -> IntType {
        match op {
            ReduceOp::Max => self.holding(i128::from(ty.min()), i128::from(ty.max())),
            ReduceOp::Sum => self.holding(i128::from(ty.min()) * n as i128, i128::from(ty.max()) * n as i128),
        }
    }

    /// A long line buffer, so that block memories are built.
    pub fn wide_swu(&mut self) -> Open {
        let ty = IntType::new(false, 8);
        let memory = pick(&mut self.rng, &[Memory::Lut, Memory::Block, Memory::Logic]);
        let window = Window { kernel: [2, 3], stride: [1, 1], dilation: [2, 1], pads: [1, 1, 1, 1] };
        let (size, channels, lanes) = ([5, 30], 6, 2);
        let x = self.source(ty, lanes, 5 * 30 * 3);
        let swu = Swu { size, channels, lanes, window, output: [5, 30], pad: vec![3], memory, given: None };
        self.add(Kind::Swu(swu), &[x], &[ty])[0]
    }

    /// The number of channels that parameters repeat with: 1, or one that fits lanes and elements.
    fn period(&mut self, x: Open) -> usize {
        let n = x.elements();
        let fits = |p: &usize| n.is_multiple_of(*p) && (x.lanes.is_multiple_of(*p) || p.is_multiple_of(x.lanes));
        let all: Vec<usize> = (1..=n).filter(fits).collect();
        if self.rng.random_range(0..3) == 0 { 1 } else { pick(&mut self.rng, &all) }
    }

    fn affine(&mut self, period: usize, bounds: (i64, i64, bool), unit: bool) -> MulShift {
        let r = &mut self.rng;
        let many = |r: &mut rand_chacha::ChaCha8Rng| if r.random() { 1 } else { period };
        let (muls, adds) = (many(r), many(r));
        let scale = pick(r, &[3, 100, 40_000]);
        let mul = (0..muls).map(|_| if unit { 1 } else { r.random_range(-scale..=scale) }).collect();
        let add = (0..adds).map(|_| pick(r, &[0, 0, 1, -5, 1 << 7, -(1 << 12), 12_345])).collect();
        MulShift {
            mul,
            add,
            shift: r.random_range(0..=14),
            half_even: r.random(),
            lo: bounds.0,
            hi: bounds.1,
            wrap: bounds.2,
        }
    }

    /// Saturation or wrapping bounds within 8 bits.
    fn bounds(&mut self) -> (i64, i64, bool) {
        match self.rng.random_range(0..5) {
            0 => (0, 255, false),
            1 => (-128, 127, false),
            2 => (-100, 77, false),
            3 => (0, 15, false),
            _ => (-8, 7, true),
        }
    }

    /// An activation of any kind.
    pub fn act(&mut self, x: Open) -> Open {
        let period = self.period(x);
        let bounds = self.bounds();
        let kind = self.rng.random_range(0..6);
        let (function, lo, hi) = match kind {
            0 => (Realization::MulShift(self.affine(period, bounds, true)), bounds.0, bounds.1),
            1 => (Realization::MulShift(self.affine(period, bounds, false)), bounds.0, bounds.1),
            2 => {
                let (n, p) = (self.affine(period, bounds, false), self.affine(period, bounds, false));
                (Realization::TwoSlopes(n, p), bounds.0, bounds.1)
            }
            3 | 4 => self.thresholds(x.ty, period, kind == 4),
            _ => self.table(x.ty, period),
        };
        let ty = self.holding(i128::from(lo), i128::from(hi));
        let beats = x.beats;
        self.add(Kind::Act { function: Arc::new(function), lanes: x.lanes, beats }, &[x], &[ty])[0]
    }

    fn thresholds(&mut self, ty: IntType, period: usize, many: bool) -> (Realization, i64, i64) {
        let n = if many { self.rng.random_range(8..=40) } else { self.rng.random_range(1..=7) };
        let (lo, hi) = (ty.min() - 3, ty.max() + 3);
        let list = |b: &mut Builder| {
            let mut list: Vec<i64> = (0..n).map(|_| b.rng.random_range(lo..=hi)).collect();
            list.sort_unstable();
            list
        };
        let count = |b: &mut Builder| if b.rng.random() { 1 } else { period };
        let (a, b, c) = (count(self), count(self), count(self));
        let t = Thresholds {
            base: (0..a).map(|_| self.rng.random_range(-4..=4)).collect(),
            direction: (0..b).map(|_| pick(&mut self.rng, &[-1, 1])).collect(),
            thresholds: (0..c).map(|_| list(self)).collect(),
        };
        (Realization::Thresholds(t), -4 - n as i64, 4 + n as i64)
    }

    fn table(&mut self, ty: IntType, period: usize) -> (Realization, i64, i64) {
        let n = pick(&mut self.rng, &[1, 2, 3, 16, 37, 200, 300]);
        let count = if self.rng.random() { 1 } else { period };
        let first = self.rng.random_range(ty.min() - 2..=ty.max() + 2);
        let entries = (0..count).map(|_| (0..n).map(|_| self.rng.random_range(-8..=7)).collect()).collect();
        let unit = self.rng.random();
        let tail = if self.rng.random_range(0..3) == 0 {
            Some(self.affine(if count == 1 { period } else { count }, (-8, 7, false), unit))
        } else {
            None
        };
        (Realization::Table(Table { first, entries, tail }), -8, 7)
    }

    /// A width converter to any number of lanes.
    pub fn dwc(&mut self, x: Open) -> Open {
        let n = x.elements();
        let to = divisor(&mut self.rng, n);
        self.add(Kind::Dwc { from: x.lanes, to, elements: n }, &[x], &[x.ty])[0]
    }

    /// A fork whose branches are processed and joined again.
    pub fn diamond(&mut self, x: Open) -> Open {
        let outputs = self.rng.random_range(1..=3);
        let kind = Kind::Fork { outputs, lanes: x.lanes, beats: x.beats };
        let branches = self.add(kind, &[x], &vec![x.ty; outputs]);
        let branches: Vec<Open> =
            branches.into_iter().map(|b| if self.rng.random() { self.act(b) } else { b }).collect();
        match self.rng.random_range(0..3) {
            0 => self.concat(&branches),
            1 if outputs == 2 => self.mul(branches[0], branches[1]),
            _ => self.lincomb(&branches),
        }
    }

    /// Linear combination of streams of the same shape.
    pub fn lincomb(&mut self, inputs: &[Open]) -> Open {
        let x = inputs[0];
        let period = self.period(x);
        let style = self.rng.random_range(0..8);
        let coefficients: Vec<Vec<i64>> = inputs
            .iter()
            .map(|_| {
                let n = if self.rng.random() { 1 } else { period };
                (0..n).map(|_| self.weight(style)).collect()
            })
            .collect();
        let constant: Vec<i64> = (0..if self.rng.random() { 1 } else { period })
            .map(|_| pick(&mut self.rng, &[0, 0, 1, -3, 1000]))
            .collect();
        let reach: i128 = coefficients
            .iter()
            .zip(inputs)
            .map(|(k, x)| {
                let most = k.iter().map(|v| i128::from(v.abs())).max().unwrap_or(0);
                most * i128::from(x.ty.max()).max(-i128::from(x.ty.min()))
            })
            .sum::<i128>()
            + 1000;
        let ty = self.holding(-reach, reach);
        self.add(Kind::LinComb { coefficients, constant, lanes: x.lanes, beats: x.beats }, inputs, &[ty])[0]
    }

    /// Element-wise product.
    pub fn mul(&mut self, a: Open, b: Open) -> Open {
        let corners = [a.ty.min(), a.ty.max()].map(|x| [b.ty.min(), b.ty.max()].map(|y| i128::from(x) * i128::from(y)));
        let all = corners.concat();
        let ty = self.holding(*all.iter().min().expect("four"), *all.iter().max().expect("four"));
        let multiplier = pick(&mut self.rng, &[Multiplier::Dsp, Multiplier::Lut]);
        self.add(Kind::Mul { multiplier, lanes: a.lanes, beats: a.beats }, &[a, b], &[ty])[0]
    }

    /// Concatenation in rounds.
    pub fn concat(&mut self, inputs: &[Open]) -> Open {
        let outer = divisor(&mut self.rng, inputs[0].beats);
        let parts = inputs.iter().map(|x| x.beats / outer).collect();
        let lo = inputs.iter().map(|x| x.ty.min()).min().expect("one");
        let hi = inputs.iter().map(|x| x.ty.max()).max().expect("one");
        let ty = self.holding(i128::from(lo), i128::from(hi));
        self.add(Kind::Concat { outer, parts, lanes: inputs[0].lanes }, inputs, &[ty])[0]
    }

    /// Two inputs of one shape with different types.
    pub fn pair(&mut self) -> (Open, Open) {
        let a = self.any_source(10);
        let ty = self.ty(10);
        let b = self.source(ty, a.lanes, a.beats);
        (a, b)
    }

    /// A reduction of vectors, an arg-max, or a broadcast.
    pub fn vectors(&mut self) -> Open {
        let lanes = self.rng.random_range(1..=6);
        let (beats, vectors) = (self.rng.random_range(1..=4), self.rng.random_range(1..=4));
        let length = lanes * beats;
        let ty = self.ty(8);
        let x = self.source(ty, lanes, beats * vectors);
        match self.rng.random_range(0..4) {
            0 => {
                let op = pick(&mut self.rng, &[ReduceOp::Max, ReduceOp::Sum]);
                let out = self.reduced(op, ty, length);
                self.add(Kind::VectorReduce { op, length, lanes, vectors }, &[x], &[out])[0]
            }
            1 => {
                let out = self.holding(0, length as i128);
                let last = self.rng.random();
                self.add(Kind::ArgMax { last, length, lanes, vectors }, &[x], &[out])[0]
            }
            _ => {
                let op = pick(&mut self.rng, &[BroadcastOp::RSub, BroadcastOp::Mul]);
                let sty = self.ty(8);
                let s = self.source(sty, 1, vectors);
                let (xl, xh, sl, sh) = (ty.min(), ty.max(), sty.min(), sty.max());
                let products = [xl * sl, xl * sh, xh * sl, xh * sh];
                let (lo, hi) = match op {
                    BroadcastOp::RSub => (sl - xh, sh - xl),
                    BroadcastOp::Mul => (*products.iter().min().expect("four"), *products.iter().max().expect("four")),
                };
                let out = self.holding(i128::from(lo), i128::from(hi));
                self.add(Kind::Broadcast { op, length, lanes, vectors }, &[x, s], &[out])[0]
            }
        }
    }

    /// A module that moves elements, with its own source of a random image.
    pub fn image(&mut self) -> Open {
        let size = [self.rng.random_range(1..=5), self.rng.random_range(1..=5)];
        let (chunks, lanes) = (self.rng.random_range(1..=3), self.rng.random_range(1..=3));
        let ty = self.ty(9);
        let beats = size[0] * size[1] * chunks;
        let x = self.source(ty, lanes, beats);
        let r = &mut self.rng;
        match r.random_range(0..5) {
            0 => {
                let pads = [0; 4].map(|_: usize| r.random_range(0..=2));
                let n = if r.random() { 1 } else { chunks * lanes };
                let value = (0..n).map(|_| self.value(ty)).collect();
                self.add(Kind::Pad { size, chunks, pads, value, lanes }, &[x], &[ty])[0]
            }
            1 => {
                let factors = [r.random_range(1..=3), r.random_range(1..=3)];
                self.add(Kind::Upsample { size, chunks, factors, lanes }, &[x], &[ty])[0]
            }
            2 => {
                let mut order: Vec<u32> = (0..beats as u32).collect();
                for i in (1..beats).rev() {
                    order.swap(i, r.random_range(0..=i));
                }
                let memory = pick(r, &[Memory::Lut, Memory::Block]);
                self.add(Kind::Reorder { order: Arc::new(order), lanes, memory }, &[x], &[ty])[0]
            }
            3 => {
                let op = pick(r, &[ReduceOp::Max, ReduceOp::Sum]);
                let pixels = size[0] * size[1];
                let out = self.reduced(op, ty, pixels);
                let channels = chunks * lanes;
                self.add(Kind::GlobalReduce { op, pixels, channels, lanes }, &[x], &[out])[0]
            }
            _ => {
                let (outer, size, inner) = (size[0], size[1], chunks);
                let start = r.random_range(0..size);
                let step = r.random_range(1..=3);
                let count = r.random_range(1..=(size - start - 1) / step + 1);
                self.add(Kind::Select { outer, size, inner, start, count, step, lanes }, &[x], &[ty])[0]
            }
        }
    }

    /// Any module that continues a stream of moderate width.
    pub fn next(&mut self, x: Open) -> Open {
        let wide = x.ty.bits > 16;
        match self.rng.random_range(0..8) {
            0..=2 if !wide => self.mvu(x),
            3 => self.dwc(x),
            4 if !wide => self.diamond(x),
            _ => self.act(x),
        }
    }
}
