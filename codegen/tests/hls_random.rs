//! Random designs and networks: the generated project's own testbench against the interpreters, compiled with every warning as
//! an error. Many projects share one compilation, each in a namespace of its own.

#![allow(clippy::unwrap_used, reason = "a panic of a helper is a failed test")]

mod common;
mod hls_support;

use common::build::Builder;
use common::pixels::convolution;
use common::rng;
use hls_support::networks::{design, network};
use hls_support::{compile_strictly, headers, project, write};
use netfold_codegen::hls::{HlsProject, Io, Strategy, Vectors, generate};
use netfold_ir::hw::Design;
use netfold_ir::int::golden::Golden;
use rand::Rng;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// Designs in one compilation.
const BATCH: usize = 10;
/// Frames of every testbench.
const FRAMES: usize = 4;

/// A design with frames and what must come out.
struct Case {
    design: Design,
    vectors: Vectors,
}

/// Random modules and chains of modules, as no network needs to have them.
fn modules(seed: u64) -> Case {
    let mut b = Builder::new("random", rng(9000 + seed));
    let last = match seed % 9 {
        0 if seed.is_multiple_of(2) => b.early_mvu(),
        0 => {
            let x = b.any_source(12);
            b.mvu(x)
        }
        1 | 2 => {
            let x = b.any_source(14);
            b.act(x)
        }
        3 => b.swu(),
        4 => b.vvu(),
        5 => b.vectors(),
        6 => b.image(),
        7 => {
            let mut outputs = b.program();
            let last = outputs.swap_remove(0);
            outputs.into_iter().for_each(|y| b.sink(y));
            last
        }
        _ => {
            let mut x = b.any_source(8);
            for _ in 0..4 {
                x = b.next(x);
            }
            x
        }
    };
    b.sink(last);
    let design = b.finish();
    let vectors = Vectors::example(&design, FRAMES).unwrap_or_else(|d| panic!("{d}"));
    Case { design, vectors }
}

/// A random network at a random interval, with what golden says.
fn networks(seed: u64) -> Case {
    let net = network(rng(5000 + seed));
    let interval = rng(seed).random_range(1..200);
    let design = design(&net, interval);
    let inputs = Vectors::example(&design, FRAMES).unwrap_or_else(|d| panic!("{d}")).inputs;
    let outputs = Golden::new(&net).unwrap().run(&inputs, FRAMES).unwrap();
    Case { design, vectors: Vectors { frames: FRAMES, inputs, outputs } }
}

/// Compiles and runs the testbenches of some designs, with streams and arrays.
fn run(headers: &Path, first: u64, cases: &[Case]) {
    let home = tempfile::tempdir().unwrap();
    let mut all = String::from(
        "#include <cstdio>\n#include <fstream>\n#include <iostream>\n#include <sstream>\n#include <string>\n#include <vector>\n\
         #include <unistd.h>\n#include \"a0/firmware/netfold_hls/layers.h\"\n#define main test_main\n",
    );
    let mut calls = String::new();
    for (i, case) in cases.iter().enumerate() {
        for (letter, io) in [("s", Io::Stream), ("a", Io::Parallel)] {
            let name = format!("{letter}{i}");
            let strategy = [Strategy::Auto, Strategy::Resource][i % 2];
            let settings = HlsProject { name: &name, ..project(&case.design, io, strategy, case.vectors.clone()) };
            let files = generate(&settings).unwrap_or_else(|d| panic!("seed {}: {d}", first + i as u64));
            write(&files, &home.path().join(&name));
            let _ = writeln!(
                all,
                "namespace {name}_ns {{\n#include \"{name}/firmware/{name}.cpp\"\n#include \"{name}/{name}_test.cpp\"\n}}"
            );
            let _ = writeln!(
                calls,
                "    if (chdir(\"{name}\") != 0 || {name}_ns::test_main() != 0) {{ std::printf(\"FAILED {name}\\n\"); ++failed; }}\n    if (chdir(\"..\") != 0) return 2;"
            );
        }
    }
    let _ = write!(all, "#undef main\nint main() {{\n    int failed = 0;\n{calls}    return failed;\n}}\n");
    std::fs::write(home.path().join("all.cpp"), all).unwrap();
    let standard = if first.is_multiple_of(20) { "-std=c++14" } else { "-std=c++17" };
    if let Err(text) = compile_strictly(headers, home.path(), "all.cpp", &[standard, "-O0", "-o", "all"]) {
        let kept = home.keep();
        panic!("seeds from {first}, kept in {}: {}", kept.display(), text.chars().take(6000).collect::<String>());
    }
    let output = Command::new(home.path().join("all")).current_dir(home.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let kept = home.keep();
        let failed: Vec<&str> = text.lines().filter(|l| l.starts_with("FAILED")).collect();
        panic!("seeds from {first}, kept in {}: {} {failed:?}", kept.display(), output.status);
    }
    assert_eq!(text.matches(&format!("{FRAMES} frames, 0 different")).count(), 2 * cases.len());
}

fn check(seeds: std::ops::Range<u64>, make: impl Fn(u64) -> Case + Sync) {
    let Some(headers) = headers() else { return };
    let batches: Vec<u64> = seeds.clone().step_by(BATCH).collect();
    let half = batches.len().div_ceil(2);
    let work = |part: &[u64]| {
        for &first in part {
            let cases: Vec<Case> = (first..(first + BATCH as u64).min(seeds.end)).map(&make).collect();
            run(&headers, first, &cases);
        }
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| work(&batches[half..]));
        work(&batches[..half]);
        other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

#[test]
fn random_modules_equal_the_interpreter() {
    check(0..20, modules);
}

#[test]
fn random_networks_equal_golden() {
    check(0..20, networks);
}

#[test]
fn several_pixels_and_packed_rows_equal_the_interpreter() {
    let wide: Vec<Design> = (0..100).filter_map(convolution).take(8).collect();
    check(0..10, |seed| {
        let design = wide.get(seed as usize).cloned().unwrap_or_else(|| {
            let mut b = Builder::new("packed", rng(7000 + seed));
            let y = b.packed_mvu();
            b.sink(y);
            b.finish()
        });
        let vectors = Vectors::example(&design, FRAMES).unwrap_or_else(|d| panic!("{d}"));
        Case { design, vectors }
    });
}

#[test]
#[ignore = "minutes: 200 designs of random modules"]
fn many_random_modules_equal_the_interpreter() {
    check(0..200, modules);
}

#[test]
#[ignore = "minutes: 200 random networks"]
fn many_random_networks_equal_golden() {
    check(0..200, networks);
}
