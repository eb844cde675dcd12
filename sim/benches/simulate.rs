//! Cycles a second of small Verilated designs, and the time to open a cached build.

#[path = "../tests/common/mod.rs"]
mod common;

use common::{folded_sum, numbers, slice, verilator};
use divan::counter::ItemsCount;
use netfold_sim::{ModelSpec, RunOptions};

fn main() {
    divan::main();
}

/// Runs a design for about a million cycles; the counter is cycles.
fn cycles(bencher: divan::Bencher, spec: &ModelSpec, frames: usize, stalls: Option<u64>) {
    let Some(model) = verilator().and_then(|v| v.build(spec).ok()) else { return };
    let inputs: Vec<Vec<i64>> = spec.interface.inputs.iter().map(|p| numbers(p, frames, 1)).collect();
    let options = RunOptions { stalls, ..RunOptions::default() };
    let Ok(first) = model.run(&options, &inputs, frames) else { return };
    bencher.counter(ItemsCount::new(first.cycles)).bench(|| model.run(&options, &inputs, frames));
}

/// A few registers; the ports rest half of the time.
#[divan::bench]
fn folded_unit(bencher: divan::Bencher) {
    cycles(bencher, &folded_sum(1), 125_000, None);
}

/// A beat of 8 bits in and out every cycle.
#[divan::bench(args = [None, Some(1u64)])]
fn narrow_stream(bencher: divan::Bencher, stalls: Option<u64>) {
    cycles(bencher, &slice(8, true, 1, 10), 100_000, stalls);
}

/// A beat of 80 elements of 16 bits in and out every cycle.
#[divan::bench]
fn wide_stream(bencher: divan::Bencher) {
    cycles(bencher, &slice(16, true, 80, 10), 10_000, None);
}

/// Finding Verilator, hashing the design and loading its library.
#[divan::bench]
fn open_cached(bencher: divan::Bencher) {
    let spec = folded_sum(1);
    if verilator().and_then(|v| v.build(&spec).ok()).is_none() {
        return;
    }
    bencher.bench(|| netfold_sim::Verilator::find().and_then(|v| v.build(&spec)));
}
