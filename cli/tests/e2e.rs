//! Whole networks through the binary: the golden engine against outside references, Verilator against golden at several foldings
//! with and without stalls, cycles against the estimate. The networks are those of `testcases/e2e` and `examples`.
//!
//! `NETFOLD_E2E=all` runs all of them in Verilator; otherwise a few.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{contents, folders, json, netfold, number, root, stderr, verilator};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// A network with its arguments for `sim`.
struct Case {
    model: Vec<String>,
    inputs: Vec<String>,
    expect: Vec<String>,
    tolerance: f64,
}

/// A folder of `testcases/e2e`.
fn test_case(dir: &Path) -> Case {
    let case: Value = serde_json::from_slice(&std::fs::read(dir.join("case.json")).unwrap()).unwrap();
    let named = |key: &str, kind: &str| -> Vec<String> {
        let names = case[key].as_array().unwrap().iter().enumerate();
        names
            .map(|(k, n)| format!("{}={}", n.as_str().unwrap(), dir.join(format!("{kind}_{k}.npy")).display()))
            .collect()
    };
    Case {
        model: vec![dir.join("model.onnx").display().to_string()],
        inputs: named("inputs", "input"),
        expect: named("outputs", "output"),
        tolerance: case["tolerance"].as_f64().unwrap(),
    }
}

/// A folder of `examples`.
fn example(dir: &Path) -> Case {
    let file = |n: &str| dir.join(n).display().to_string();
    Case {
        model: vec![file("model.onnx"), "-c".into(), file("config.yaml")],
        inputs: vec![file("input.npy")],
        expect: vec![file("output.npy")],
        tolerance: f64::INFINITY,
    }
}

/// `netfold sim` of a case.
fn sim(case: &Case, more: &[&str]) -> Command {
    let mut command = netfold();
    command.arg("sim").args(&case.model).args(more);
    case.inputs.iter().for_each(|i| {
        command.args(["--input", i]);
    });
    command
}

#[test]
fn golden_computes_what_the_references_say() {
    let dirs = folders(&root().join("testcases/e2e"), "case.json");
    for dir in dirs {
        let case = test_case(&dir);
        let mut command = sim(&case, &["--tolerance", &case.tolerance.to_string()]);
        case.expect.iter().for_each(|e| {
            command.args(["--expect", e]);
        });
        let result = json(&mut command);
        assert_eq!(number(&result, "mismatches"), 0, "{}: {result}", dir.display());
    }
}

/// Verilator at one folding: every bit, without stalls the estimated cycles.
fn check(name: &Path, case: &Case, folding: &[&str], stalls: bool) {
    let all = [folding, &["--engine", "verilator", "--samples", "6"]].concat();
    let estimate = json(netfold().arg("estimate").args(&case.model).args(folding));
    let result = json(&mut sim(case, &all));
    let place = format!("{} {folding:?}: {result}", name.display());
    for key in ["golden_mismatches", "protocol_violations"] {
        assert_eq!(number(&result, key), 0, "{place}");
    }
    for key in ["latency_cycles", "interval_cycles"] {
        assert_eq!(number(&result, key), number(&estimate, key), "{key}, {place}");
    }
    if stalls {
        let result = json(&mut sim(case, &[&all[..], &["--stalls", "5"]].concat()));
        assert_eq!(number(&result, "golden_mismatches") + number(&result, "protocol_violations"), 0, "{place}");
    }
}

#[test]
fn verilator_computes_what_golden_computes() {
    if !verilator() {
        return;
    }
    let few =
        ["mlp_functions", "norm_before_pools", "one_pixel", "quantized_depthwise", "quantized_norm_pool", "two_inputs"];
    let all = std::env::var("NETFOLD_E2E").is_ok_and(|v| v == "all");
    for dir in folders(&root().join("testcases/e2e"), "case.json") {
        let case = test_case(&dir);
        if all {
            check(&dir, &case, &["--fps", "20000"], true);
            check(&dir, &case, &["--fps", "1000000"], true);
        } else if few.iter().any(|f| dir.ends_with(f)) {
            check(&dir, &case, &["--fps", "100000"], true);
        }
    }
    for dir in folders(&root().join("examples"), "model.onnx") {
        let case = example(&dir);
        if all || dir.ends_with("digits_cnn") || dir.ends_with("jet_tagger") {
            check(&dir, &case, &["--fps", "20000"], true);
            check(&dir, &case, &["--fps", "300000"], true);
        }
    }
}

#[test]
fn the_same_input_gives_the_same_bytes_and_a_folder_runs() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = root().join("testcases/e2e/branches");
    let case = test_case(&dir);
    let generate = |name: &str| {
        let out = temporary.path().join(name);
        let output = netfold().arg("gen").args(&case.model).arg("-o").arg(&out).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        out
    };
    let (a, b) = (generate("a"), generate("b"));
    let (first, second) = (contents(&a), contents(&b));
    assert!(first.keys().eq(second.keys()));
    for (path, bytes) in &first {
        assert!(*bytes == second[path], "{} differs", path.display());
    }
    for name in ["report.json", "config.yaml", "netfold.json"] {
        assert!(first.contains_key(Path::new(name)), "no {name}");
    }
    let folder = Case { model: vec![a.display().to_string()], ..test_case(&dir) };
    let output = sim(&folder, &["--json"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn a_wrong_expectation_ends_with_status_one() {
    let case = test_case(&root().join("testcases/e2e/prime_widths"));
    let output = sim(&case, &["--expect", case.expect[0].as_str(), "--tolerance", "0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("differs from what is expected"), "{}", stderr(&output));
}

#[test]
fn real_networks_agree_with_their_references() {
    let dir = root().join("../shared/models");
    if !dir.is_dir() {
        eprintln!("SKIPPED: {} does not exist", dir.display());
        return;
    }
    for dir in folders(&dir, "model.onnx") {
        let file = |n: &str| dir.join(n).display().to_string();
        let samples = if dir.ends_with("mlperf_ic") { "4" } else { "100" };
        let mut command = netfold();
        command.args(["sim", &file("model.onnx"), "--input", &file("input.npy"), "--expect", &file("output.npy")]);
        let result = json(command.args(["--samples", samples, "--tolerance", "0.02"]));
        assert_eq!(number(&result, "mismatches"), 0, "{}: {result}", dir.display());
        let same = number(&result, "same_argmax");
        assert!(same * 100 >= number(&result, "samples") * 97, "{}: {result}", dir.display());
    }
}

#[test]
fn unrolled_networks_compute_what_golden_computes_every_cycle() {
    if !verilator() {
        return;
    }
    let unrolled = ["--style", "unrolled", "--board", "zcu104"];
    let few = ["quantized_mlp_4_1", "one_pixel"];
    let all = std::env::var("NETFOLD_E2E").is_ok_and(|v| v == "all");
    for dir in folders(&root().join("testcases/e2e"), "case.json") {
        if all || few.iter().any(|f| dir.ends_with(f)) {
            check(&dir, &test_case(&dir), &unrolled, true);
        }
    }
    // A trigger at 160 MHz: one event a cycle, within 100 ns from the first input to the output.
    let dir = root().join("examples/muon_track");
    let muon = example(&dir);
    check(&dir, &muon, &[], true);
    let result = json(&mut sim(&muon, &["--engine", "verilator"]));
    assert_eq!(number(&result, "interval_cycles"), 1, "{result}");
    let ns = number(&result, "latency_cycles") as f64 * 1000.0 / 160.0;
    assert!(ns < 100.0, "{ns} ns");
    let mut command = sim(&muon, &["--tolerance", "0"]);
    let result = json(command.args(["--expect", &dir.join("output.npy").display().to_string()]));
    assert_eq!(number(&result, "mismatches"), 0, "{result}");
}
