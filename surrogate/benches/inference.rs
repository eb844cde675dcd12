//! How long one estimate takes: features and all targets of a three-layer network.

use netfold_surrogate::dataset::hls_csv::resource_chain;
use netfold_surrogate::features::dense;
use netfold_surrogate::hls::{HlsModel, HlsTool};
use std::hint::black_box;

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
