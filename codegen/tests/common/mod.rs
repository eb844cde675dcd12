//! Random designs of every kind of module, and a harness that runs many of them in one Verilated model.
#![allow(dead_code, reason = "every test file uses a part of it")]

pub mod build;
pub mod harness;
pub mod kinds;
pub mod pixels;
pub mod programs;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Random numbers of a fixed seed.
pub fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// One of the values.
pub fn pick<T: Copy>(rng: &mut ChaCha8Rng, values: &[T]) -> T {
    values[rng.random_range(0..values.len())]
}

/// A divisor of `n`.
pub fn divisor(rng: &mut ChaCha8Rng, n: usize) -> usize {
    let all: Vec<usize> = (1..=n).filter(|d| n.is_multiple_of(*d)).collect();
    pick(rng, &all)
}
