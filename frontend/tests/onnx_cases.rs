//! The operator test cases of the `onnx` package (exported by `export_onnx_cases.py`) and networks with results of ONNX Runtime
//! and qonnx (exported by `export_reference_cases.py`), in the folder named by `NETFOLD_ONNX_CASES`: every case is either equal
//! to its reference or refused by name.
#![allow(clippy::unwrap_used)]

mod common;

use common::{difference, read_npy};
use netfold_frontend::onnx::{self, Batch};
use netfold_ir::diag::Code;
use netfold_ir::net::eval::evaluate;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Cases whose reference is at odds with the operator's specification.
const FAULTY_REFERENCES: [&str; 2] = [
    // The recorded result wraps around where QLinearMatMul saturates (ONNX Runtime agrees with the specification).
    "node.test_qlinearmatmul_2D_int8_float16.",
    "node.test_qlinearmatmul_2D_int8_float32.",
];

/// What became of a case.
enum Outcome {
    Equal,
    Refused(String),
    Wrong(String),
}

/// The files `{kind}_0.npy`, `{kind}_1.npy`, ..
fn arrays(folder: &Path, kind: &str) -> Vec<(Vec<usize>, Vec<f64>)> {
    (0..).map(|i| folder.join(format!("{kind}_{i}.npy"))).take_while(|p| p.is_file()).map(|p| read_npy(&p)).collect()
}

/// Runs one case; `None` where the batch mode does not apply to it.
fn run(folder: &Path, batch: Batch) -> Option<Outcome> {
    let (inputs, outputs) = (arrays(folder, "input"), arrays(folder, "output"));
    let n = match batch {
        Batch::Absent => 1,
        Batch::Leading => match inputs.first()?.0.as_slice() {
            [n, _, ..] => *n,
            _ => return None,
        },
    };
    let bytes = std::fs::read(folder.join("model.onnx")).unwrap();
    let net = match onnx::parse_with(&bytes, Some(folder), "case", batch) {
        Ok(net) => net,
        Err(diags) => {
            let wrong = diags.iter().find(|d| d.place.is_empty() || matches!(d.code, Code::Internal | Code::Io));
            let first = diags.iter().next().map(ToString::to_string).unwrap_or_default();
            return Some(match wrong {
                Some(d) => Outcome::Wrong(format!("bad diagnostic: {d}")),
                None => Outcome::Refused(first),
            });
        }
    };
    if outputs.is_empty() {
        return Some(Outcome::Wrong("loaded, but the reference has no dense data".into()));
    }
    // Inputs that no output needs are dropped from the network.
    let names = onnx::input_names(&bytes);
    let data: Vec<Vec<f64>> =
        net.inputs.iter().map(|p| inputs[names.iter().position(|n| *n == p.name).unwrap()].1.clone()).collect();
    let results = match evaluate(&net, &data, n) {
        Ok(r) => r,
        Err(d) => return Some(Outcome::Wrong(d.to_string())),
    };
    for (result, (shape, expected)) in results.iter().zip(&outputs) {
        if result.len() != expected.len() {
            return Some(Outcome::Wrong(format!("{} elements for shape {shape:?}", result.len())));
        }
        // Where the reference is not a number, the operator is undefined (the square root of a negative number).
        let defined = |(_, y): &(&f64, &f64)| !y.is_nan();
        let (a, b): (Vec<f64>, Vec<f64>) = result.iter().zip(expected).filter(defined).unzip();
        let worst = difference(&a, &b);
        if worst > 1e-4 {
            return Some(Outcome::Wrong(format!("differs by {worst}")));
        }
    }
    Some(Outcome::Equal)
}

#[test]
fn onnx_operator_cases_are_equal_or_refused() {
    let Some(root) = std::env::var_os("NETFOLD_ONNX_CASES").map(PathBuf::from) else {
        assert!(std::env::var_os("CI").is_none(), "NETFOLD_ONNX_CASES is not set");
        eprintln!("SKIPPED: NETFOLD_ONNX_CASES is not set (see export_onnx_cases.py)");
        return;
    };
    let verbose = std::env::var_os("NETFOLD_ONNX_VERBOSE").is_some();
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(root).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect();
    folders.sort();
    let mut passed: BTreeMap<String, bool> = BTreeMap::new();
    let (mut equal, mut refused, mut wrong) = (0, 0, Vec::new());
    for folder in &folders {
        let batched = folder.extension().is_some_and(|e| e == "batch");
        for batch in [Batch::Absent, Batch::Leading] {
            if batched && batch == Batch::Absent {
                continue;
            }
            let label = format!("{} {batch:?}", folder.file_name().unwrap().to_string_lossy());
            if FAULTY_REFERENCES.iter().any(|f| label.starts_with(f)) {
                continue;
            }
            let outcome = std::panic::catch_unwind(|| run(folder, batch))
                .unwrap_or_else(|_| Some(Outcome::Wrong("PANIC".into())));
            let Some(outcome) = outcome else { continue };
            let case = label.split('.').take(2).collect::<Vec<_>>().join(".");
            let any = passed.entry(case).or_insert(false);
            match outcome {
                Outcome::Equal => {
                    *any = true;
                    equal += 1;
                    if verbose {
                        println!("EQUAL {label}");
                    }
                }
                Outcome::Refused(why) => {
                    refused += 1;
                    if verbose {
                        println!("REFUSED {label}: {why}");
                    }
                }
                Outcome::Wrong(why) => wrong.push(format!("{label}: {why}")),
            }
        }
    }
    let cases = passed.values().filter(|p| **p).count();
    println!("{} cases, {cases} computed in some variant", passed.len());
    println!("{} runs: {equal} equal, {refused} refused, {} wrong", equal + refused + wrong.len(), wrong.len());
    assert!(equal > 0, "no cases found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
