//! Solve times of dense and sparse matrices, one thread and all.

use netfold_shiftadd::{InputSpec, Options, solve};

fn main() {
    divan::main();
}

fn matrix(size: usize, bits: u32, keep_percent: u64) -> Vec<Vec<i64>> {
    let mut state = 1u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let top = 1i64 << (bits - 1);
    (0..size)
        .map(|_| {
            (0..size)
                .map(|_| {
                    let v = (next() as i64).rem_euclid(2 * top) - top;
                    if next() % 100 < keep_percent { v } else { 0 }
                })
                .collect()
        })
        .collect()
}

#[divan::bench(args = [(16, 8, 100), (32, 8, 100), (64, 8, 100), (128, 8, 100), (64, 6, 25), (64, 2, 50)], sample_count = 5)]
fn one_thread(bencher: divan::Bencher, (size, bits, keep): (usize, u32, u64)) {
    let m = matrix(size, bits, keep);
    let inputs = vec![InputSpec::word(8, true); size];
    let options = Options { threads: 1, tries: 1, ..Options::default() };
    bencher.bench_local(|| solve(&m, &inputs, &options));
}

#[divan::bench(args = [(32, 8, 100), (64, 8, 100), (64, 6, 25)], sample_count = 5)]
fn default_options(bencher: divan::Bencher, (size, bits, keep): (usize, u32, u64)) {
    let m = matrix(size, bits, keep);
    let inputs = vec![InputSpec::word(8, true); size];
    bencher.bench_local(|| solve(&m, &inputs, &Options::default()));
}

/// A binary layer: as many terms a row as columns. The time grows with the number of weights.
#[divan::bench(args = [(64, 196), (64, 392), (64, 784)], sample_count = 3)]
fn binary(bencher: divan::Bencher, (rows, columns): (usize, usize)) {
    let signs = matrix(columns, 8, 100);
    let m: Vec<Vec<i64>> =
        (0..rows).map(|r| (0..columns).map(|c| if signs[c][r % columns] < 0 { -1 } else { 1 }).collect()).collect();
    let inputs = vec![InputSpec::word(1, false); columns];
    let options = Options { threads: 1, tries: 1, ..Options::default() };
    bencher.bench_local(|| solve(&m, &inputs, &options));
}
