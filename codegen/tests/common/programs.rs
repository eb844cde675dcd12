//! Random unrolled programs: layers of any weights and quantizers, made by the solver.

use super::build::{Builder, Open};
use super::pick;
use netfold_ir::hw::Kind;
use netfold_ir::hw::program::{Interval, Overflow, Program, Quantizer, Rounding};
use netfold_ir::quant::IntType;
use netfold_shiftadd::{DelayModel, InputSpec, Layer, Options, PipelineOptions, compile_pipelined};
use rand::Rng;
use std::sync::Arc;

impl Builder {
    fn quantizer(&mut self) -> Quantizer {
        let r = &mut self.rng;
        let (bits, signed) = (r.random_range(1..=6), r.random());
        let word = Interval::of_word(bits, signed);
        let (a, b) = (r.random_range(word.lo..=word.hi), r.random_range(word.lo..=word.hi));
        let clamp = Overflow::Clamp { lo: a.min(b), hi: a.max(b) };
        Quantizer {
            relu: r.random(),
            drop: r.random_range(0..6),
            rounding: pick(r, &[Rounding::Floor, Rounding::HalfUp, Rounding::HalfEven]),
            bits,
            signed,
            overflow: pick(r, &[Overflow::Saturate, Overflow::SaturateSymmetric, Overflow::Wrap, clamp, clamp]),
        }
    }

    /// A program of one to three layers over some streams; outputs on one or two streams.
    pub fn program(&mut self) -> Vec<Open> {
        let beats = self.rng.random_range(1..=5);
        let mut inputs = Vec::new();
        let mut specs = Vec::new();
        for _ in 0..self.rng.random_range(1..=3) {
            let (ty, lanes) = (self.ty(6), self.rng.random_range(1..=6));
            inputs.push(self.source(ty, lanes, beats));
            specs.extend(vec![InputSpec::word(ty.bits, ty.signed); lanes]);
        }
        let mut layers = Vec::new();
        let mut columns = specs.len();
        for _ in 0..self.rng.random_range(1..=3) {
            let rows = self.rng.random_range(2..=7);
            let reach = pick(&mut self.rng, &[1, 3, 31]);
            let row = |r: &mut rand_chacha::ChaCha8Rng| (0..columns).map(|_| r.random_range(-reach..=reach)).collect();
            let matrix: Vec<Vec<i64>> = (0..rows).map(|_| row(&mut self.rng)).collect();
            let bias = (0..rows).map(|_| self.rng.random_range(-60..=60)).collect();
            let quantizers = (0..rows).map(|_| (self.rng.random_range(0..4) > 0).then(|| self.quantizer())).collect();
            layers.push(Layer { matrix, bias, quantizers, max_depth: None });
            columns = rows;
        }
        let combinational = self.rng.random_range(0..5) == 0;
        let interval = if combinational || !self.intervals { 1 } else { pick(&mut self.rng, &[1, 2, 3, 4]) };
        let options = Options { threads: 1, tries: 1, interval, ..Options::default() };
        let period = if combinational { None } else { Some(self.rng.random_range(0.6..4.0)) };
        let placement = PipelineOptions { delay: DelayModel::ultrascale_plus(), period, min_stages: 0 };
        let (graph, pipeline) = compile_pipelined(&specs, &layers, &options, &placement).expect("small");
        let split = self.rng.random_range(1..=columns);
        let outputs = if split == columns { vec![columns] } else { vec![split, columns - split] };
        let mut types = Vec::new();
        let mut rest = graph.outputs.as_slice();
        for n in &outputs {
            let (own, others) = rest.split_at(*n);
            let ranges = own.iter().map(|o| graph.node(o.term.expect("plain").node).range);
            let hull = ranges.fold((0, 0), |h, r| (h.0.min(r.lo), h.1.max(r.hi)));
            types.push(IntType::containing(hull.0, hull.1));
            rest = others;
        }
        let lanes = inputs.iter().map(|i| i.lanes).collect();
        let (graph, pipeline) = (Arc::new(graph), Arc::new(pipeline));
        let kind = Kind::Program(Program {
            graph,
            pipeline,
            combinational,
            inputs: lanes,
            outputs,
            beats,
            interval: interval as usize,
        });
        self.add(kind, &inputs, &types)
    }
}
