//! The user's mistakes: every folder of `testcases/errors` holds a `command` (the arguments, one a line, run in a copy of the
//! folder), what standard error must be (`stderr.txt`) and files. The first line of `stderr.txt` is the exit status.
//!
//! `NETFOLD_BLESS=1` writes `stderr.txt` anew.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{folders, netfold, root, stderr};
use std::path::Path;

/// Runs a case in a copy of its folder and renders the result; fails when the folder has new files afterwards.
fn run(dir: &Path) -> String {
    let temporary = tempfile::tempdir().unwrap();
    let command = std::fs::read_to_string(dir.join("command")).unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        names.push(entry.file_name());
        std::fs::copy(entry.path(), temporary.path().join(entry.file_name())).unwrap();
    }
    let output = netfold().args(command.lines()).current_dir(temporary.path()).output().unwrap();
    let left = std::fs::read_dir(temporary.path()).unwrap().map(|e| e.unwrap().file_name());
    let new: Vec<_> = left.filter(|n| !names.contains(n)).collect();
    assert!(new.is_empty(), "{}: left {new:?}", dir.display());
    format!("exit status {}\n{}", output.status.code().unwrap_or(-1), stderr(&output))
}

#[test]
fn mistakes_are_explained() {
    let bless = std::env::var_os("NETFOLD_BLESS").is_some();
    let mut wrong = Vec::new();
    for dir in folders(&root().join("testcases/errors"), "command") {
        let (got, file) = (run(&dir), dir.join("stderr.txt"));
        if bless {
            std::fs::write(&file, &got).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        if got != expected {
            wrong.push(format!("{}:\n--- expected\n{expected}--- got\n{got}", dir.display()));
        }
        assert!(!got.contains("E99") && !got.contains("panicked"), "{}: {got}", dir.display());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn damaged_models_are_refused_without_a_trace() {
    let temporary = tempfile::tempdir().unwrap();
    let model = std::fs::read(root().join("testcases/e2e/truncation/model.onnx")).unwrap();
    let mut state = 1u64;
    let mut next = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    for i in 0..60 {
        let mut bytes = model.clone();
        if i % 3 == 0 {
            bytes.truncate(next(model.len()));
        } else {
            (0..1 + next(8)).for_each(|_| bytes[next(model.len())] ^= 1 << next(8));
        }
        let (file, out) = (temporary.path().join("m.onnx"), temporary.path().join(format!("out{i}")));
        std::fs::write(&file, bytes).unwrap();
        let output = netfold().arg("gen").arg(&file).arg("-o").arg(&out).output().unwrap();
        let text = stderr(&output);
        match output.status.code() {
            Some(0) => assert!(out.is_dir()),
            Some(2) => assert!(!out.exists() && text.contains("error["), "case {i}: {text}"),
            other => panic!("case {i}: {other:?}: {text}"),
        }
    }
}

#[test]
fn folders_of_others_are_left_alone() {
    let temporary = tempfile::tempdir().unwrap();
    let model = root().join("testcases/e2e/truncation/model.onnx");
    let out = temporary.path().join("mine");
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("precious"), "1").unwrap();
    for more in [&[][..], &["--force"]] {
        let output = netfold().arg("gen").arg(&model).arg("-o").arg(&out).args(more).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert_eq!(common::contents(&out).len(), 1);
    }
}
