//! How long one estimate takes: features and all targets of a three-layer network for HLS, whole designs of netfold's own hardware.

use netfold_ir::hw::{Design, Kind, Matrix, Memory, Module, Multiplier, Mvu, Realization, Stream, Thresholds};
use netfold_ir::quant::IntType;
use netfold_surrogate::dataset::hls_csv::resource_chain;
use netfold_surrogate::features::dense;
use netfold_surrogate::hardware::{Family, HardwareModel, PriceList};
use netfold_surrogate::hls::{HlsModel, HlsTool};
use std::hint::black_box;
use std::sync::Arc;

fn main() {
    divan::main();
}

#[divan::bench]
fn features(bencher: divan::Bencher) {
    let layers = resource_chain(&[104, 48, 104, 64], 8, 2047);
    bencher.bench_local(|| dense::vector(black_box(&layers)));
}

#[divan::bench]
fn predict(bencher: divan::Bencher) {
    let layers = resource_chain(&[104, 48, 104, 64], 8, 2047);
    let Ok(model) = HlsModel::shipped(HlsTool::Vitis2023) else { return };
    bencher.bench_local(|| model.predict(black_box(&layers)));
}

#[divan::bench]
fn decode(bencher: divan::Bencher) {
    let Ok(model) = HlsModel::shipped(HlsTool::Vitis2023) else { return };
    let Ok(bytes) = netfold_surrogate::model::format::to_bytes(model.surrogate()) else { return };
    bencher.bench_local(|| netfold_surrogate::model::format::from_bytes(black_box(&bytes), "bench"));
}

/// Designs of a classifier 16 -> 64 -> 32 -> 32 -> 5 with thresholds between its layers, in every combination of some foldings and of two
/// kinds of multipliers: what a search over architectures asks about.
fn designs() -> Vec<Design> {
    let sizes = [16usize, 64, 32, 32, 5];
    let matrix = |k: usize| {
        let (rows, cols) = (sizes[k + 1], sizes[k]);
        let data = (0..rows * cols).map(|i| ((i * 37 + k * 11) % 63) as i64 - 31).collect();
        Arc::new(Matrix { rows, cols, data })
    };
    let layers: Vec<Arc<Matrix>> = (0..4).map(matrix).collect();
    let bank = |k: usize| {
        let thresholds = (0..sizes[k + 1]).map(|c| (1..16).map(|t| t * 40 + c as i64).collect()).collect();
        Arc::new(Realization::Thresholds(Thresholds { base: vec![0], direction: vec![1], thresholds }))
    };
    let banks: Vec<Arc<Realization>> = (0..3).map(bank).collect();
    let (act, acc) = (IntType::new(false, 4), IntType::new(true, 14));
    let mut out = Vec::new();
    for choice in 0..256usize {
        let mut design = Design::new("d");
        let add = |design: &mut Design, name: String, kind| design.add(Module { name, layer: String::new(), kind });
        let mut last = add(&mut design, "in".into(), Kind::Source { lanes: 1, beats: sizes[0] });
        let (mut lanes, mut elements) = (1, sizes[0]);
        let join = |design: &mut Design, from, to, ty, lanes: usize, elements: usize| {
            let stream = Stream { from_port: 0, to_port: 0, ty, lanes, beats: elements / lanes, depth: 2 };
            design.connect(from, to, stream);
        };
        for (k, weights) in layers.iter().enumerate() {
            let simd = [1, 2, 4, 8][choice >> (2 * k) & 3].min(weights.cols);
            if simd != lanes {
                let dwc = add(&mut design, format!("w{k}"), Kind::Dwc { from: lanes, to: simd, elements });
                join(&mut design, last, dwc, act, lanes, elements);
                (last, lanes) = (dwc, simd);
            }
            let multiplier = if choice & 1 << k == 0 { Multiplier::Dsp } else { Multiplier::Lut };
            let pe = if weights.rows % 4 == 0 { 4 } else { 1 };
            let unit = Mvu {
                weights: weights.clone(),
                pe,
                simd,
                vectors: 1,
                early: 0,
                pixels: 1,
                multiplier,
                memory: Memory::Lut,
            };
            let unit = add(&mut design, format!("u{k}"), Kind::Mvu(unit));
            join(&mut design, last, unit, act, lanes, elements);
            (last, lanes, elements) = (unit, pe, weights.rows);
            if let Some(function) = banks.get(k) {
                let kind = Kind::Act { function: function.clone(), lanes, beats: elements / lanes };
                let bank = add(&mut design, format!("a{k}"), kind);
                join(&mut design, last, bank, acc, lanes, elements);
                last = bank;
            }
        }
        let sink = add(&mut design, "out".into(), Kind::Sink { lanes, beats: elements / lanes });
        join(&mut design, last, sink, acc, lanes, elements);
        out.push(design);
    }
    out
}

/// LUT, FF, DSP, BRAM, URAM and LUT memory with their intervals of 256 designs, on two threads, modules looked up where they were met
/// before.
#[divan::bench]
fn networks(bencher: divan::Bencher) {
    let Ok(model) = HardwareModel::shipped(Family::Xc7) else { return };
    let (prices, designs) = (PriceList::new(model.clone()), designs());
    let estimate = |d: &Design| prices.estimate(black_box(d)).prediction.estimates.len();
    designs.iter().for_each(|d| assert!(estimate(d) > 3));
    bencher.counter(divan::counter::ItemsCount::new(designs.len())).bench_local(|| {
        let (a, b) = designs.split_at(designs.len() / 2);
        std::thread::scope(|s| {
            let other = s.spawn(|| b.iter().map(estimate).sum::<usize>());
            a.iter().map(estimate).sum::<usize>() + other.join().unwrap_or(0)
        })
    });
}
