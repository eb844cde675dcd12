//! Random designs: Verilator against the interpreter (values) and the timing simulation (cycles), with and without stalls.

mod common;

use common::build::Builder;
use common::{harness, rng};
use netfold_codegen::hls::Vectors;
use netfold_ir::hw::{Design, Memory, Multiplier};
use netfold_ir::int::golden::Golden;
use netfold_passes::fold::Budget;
use netfold_passes::precision::NoFormats;
use netfold_passes::unroll::{self, Granularity, Unrolling};
use netfold_passes::{pipeline, random};
use netfold_shiftadd::{DelayModel, Options};
use std::collections::HashMap;

/// Designs `<letter>0 .. <letter>n` that `make` builds.
fn designs(letter: &str, n: u64, mut make: impl FnMut(&mut Builder)) -> Vec<Design> {
    (0..n)
        .map(|i| {
            let seed = i + 1000 * u64::from(letter.as_bytes()[0]);
            let mut builder = Builder::new(&format!("{letter}{i}"), rng(seed));
            make(&mut builder);
            builder.finish()
        })
        .collect()
}

#[test]
fn matrix_vector_units() {
    let mut all = designs("m", 32, |b| {
        let x = b.any_source(12);
        let y = b.mvu(x);
        b.sink(y);
    });
    all.extend(designs("n", 24, |b| {
        let y = b.early_mvu();
        b.sink(y);
    }));
    all.extend(designs("b", 6, |b| {
        let (multiplier, memory, early) = match b.design.name.as_str() {
            "b0" => (Multiplier::Dsp, Memory::Block, 0),
            "b1" => (Multiplier::Lut, Memory::Block, 0),
            "b2" => (Multiplier::Lut, Memory::Lut, 0),
            "b3" => (Multiplier::Dsp, Memory::Block, 199),
            "b4" => (Multiplier::Lut, Memory::Lut, 20),
            _ => (Multiplier::Dsp, Memory::Lut, 100),
        };
        let y = b.large_mvu(multiplier, memory, early);
        b.sink(y);
    }));
    all.extend(designs("k", 16, |b| {
        let y = b.pruned_mvu();
        b.sink(y);
    }));
    harness::check(&all, &mut rng(1));
}

#[test]
fn packed_products() {
    let mut all = designs("t", 56, |b| {
        let y = b.packed_mvu();
        b.sink(y);
    });
    all.extend(designs("z", 3, |b| {
        let (multiplier, memory, early) = match b.design.name.as_str() {
            "z0" => (Multiplier::Packed, Memory::Block, 0),
            "z1" => (Multiplier::Packed, Memory::Lut, 100),
            _ => (Multiplier::PackedSum, Memory::Block, 199),
        };
        let y = b.large_mvu(multiplier, memory, early);
        b.sink(y);
    }));
    harness::check(&all, &mut rng(9));
}

#[test]
fn activations() {
    let all = designs("a", 36, |b| {
        let x = b.any_source(14);
        let y = b.act(x);
        b.sink(y);
    });
    harness::check(&all, &mut rng(2));
}

#[test]
fn windows_and_depthwise_units() {
    let mut all = designs("w", 24, |b| {
        let y = b.swu();
        b.sink(y);
    });
    all.extend(designs("v", 14, |b| {
        let y = b.vvu();
        b.sink(y);
    }));
    all.extend(designs("l", 3, |b| {
        let y = b.wide_swu();
        b.sink(y);
    }));
    harness::check(&all, &mut rng(3));
}

#[test]
fn joins_and_vectors() {
    let mut all = designs("j", 16, |b| {
        let (x, y) = b.pair();
        let z = match b.design.name.len() % 2 {
            0 => b.lincomb(&[x, y]),
            _ => b.mul(x, y),
        };
        b.sink(z);
    });
    all.extend(designs("k", 8, |b| {
        let (x, y) = b.pair();
        let z = b.mul(x, y);
        b.sink(z);
    }));
    all.extend(designs("r", 20, |b| {
        let y = b.vectors();
        b.sink(y);
    }));
    harness::check(&all, &mut rng(4));
}

#[test]
fn movers_of_elements() {
    let mut all = designs("i", 30, |b| {
        let y = b.image();
        b.sink(y);
    });
    all.extend(designs("d", 16, |b| {
        let x = b.any_source(9);
        let y = b.dwc(x);
        b.sink(y);
    }));
    harness::check(&all, &mut rng(5));
}

#[test]
fn programs() {
    let mut all = designs("p", 24, |b| {
        for y in b.program() {
            b.sink(y);
        }
    });
    all.extend(designs("q", 16, |b| {
        b.intervals = true;
        for y in b.program() {
            b.sink(y);
        }
    }));
    harness::check(&all, &mut rng(7));
}

#[test]
fn unrolled_networks() {
    let options = Options { tries: 1, threads: 1, ..Options::default() };
    let budget = Budget { dsp: 0, block_memory: true };
    let mut all = Vec::new();
    for seed in 0..40 {
        let mut net = random::network(seed).unwrap_or_else(|d| panic!("{d}"));
        let Ok(prepared) = pipeline::prepare(&mut net, &NoFormats, None) else { continue };
        // Large networks take minutes to compile and show nothing more; and programs rely on the inputs' intervals, where
        // the harness drives everything that a type holds.
        let input = prepared.int.graph.node(prepared.int.inputs[0].node);
        let whole = input.range.hull() == (input.ty().min(), input.ty().max());
        if unroll::products(&prepared.int) > 400 || !whole || all.len() == 9 {
            continue;
        }
        let granularity = if seed % 3 == 0 { Granularity::Pixel } else { Granularity::Frame };
        let period_ns = [None, Some(1.5), Some(3.0)][seed as usize / 3 % 3];
        let unrolling = Unrolling { options, delay: DelayModel::ultrascale_plus(), period_ns };
        let (mut design, _) =
            pipeline::unrolled(&prepared, granularity, 1, &unrolling, &|_| true, &HashMap::new(), budget)
                .unwrap_or_else(|d| panic!("{d}"));
        design.name = format!("u{seed}");
        let golden = Golden::new(&prepared.int).unwrap_or_else(|d| panic!("{d}"));
        let x = Vectors::example(&design, 3).unwrap_or_else(|d| panic!("{d}"));
        assert_eq!(x.outputs, golden.run(&x.inputs, 3).unwrap_or_else(|d| panic!("{d}")), "seed {seed}");
        all.push(design);
    }
    assert_eq!(all.len(), 9, "networks that fit");
    harness::check(&all, &mut rng(8));
}

#[test]
fn chains_forks_and_joins() {
    let all = designs("c", 24, |b| {
        let mut x = b.any_source(8);
        for _ in 0..4 {
            x = b.next(x);
        }
        b.sink(x);
    });
    harness::check(&all, &mut rng(6));
}
