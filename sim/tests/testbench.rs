//! The generated testbench in Icarus Verilog and in Verilator.

// A panic of a helper here is a failed test.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::process::Command;

use common::{faulty, folded_sum, join_sum, numbers, slice, tool, verilator, wrap};
use netfold_ir::{Code, Diag};
use netfold_sim::{ModelSpec, testbench, toolchain::on_path};

fn icarus() -> Option<std::path::PathBuf> {
    tool(on_path("iverilog").ok_or_else(|| Diag::new(Code::Tool, "iverilog", "not found")))
}

/// Writes design, testbench and data below `folder`.
fn write(folder: &Path, spec: &ModelSpec, inputs: &[Vec<i64>], expected: &[Vec<i64>], frames: usize) -> Vec<String> {
    let mut compiled = Vec::new();
    let put = |name: &Path, bytes: &[u8]| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    for file in spec.sources.iter().chain(&spec.data) {
        put(Path::new(file.name()), file.bytes());
    }
    compiled.extend(spec.sources.iter().map(|f| f.name().to_owned()));
    for (name, text) in testbench(&spec.interface, inputs, expected, frames).unwrap() {
        put(&name, text.as_bytes());
        if name.extension().is_some_and(|e| e == "sv") {
            compiled.push(name.to_str().unwrap().to_owned());
        }
    }
    compiled
}

fn output(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// Compiles in Icarus, then runs with each set of plusargs; gives exit status and output of each.
fn run_icarus(
    spec: &ModelSpec,
    inputs: &[Vec<i64>],
    expected: &[Vec<i64>],
    frames: usize,
    runs: &[&[&str]],
) -> Option<Vec<(bool, String)>> {
    let iverilog = icarus()?;
    let folder = tempfile::tempdir().unwrap();
    let compiled = write(folder.path(), spec, inputs, expected, frames);
    let top = format!("tb_{}", spec.interface.top);
    let (ok, text) = output(
        Command::new(iverilog)
            .current_dir(&folder)
            .args(["-g2012", "-Wall", "-s", &top, "-o", "tb.vvp"])
            .args(compiled),
    );
    assert!(ok, "{text}");
    let run = |args: &&[&str]| output(Command::new("vvp").current_dir(&folder).arg("-n").arg("tb.vvp").args(*args));
    Some(runs.iter().map(run).collect())
}

#[test]
fn icarus_passes_good_designs_with_and_without_stalls() {
    let spec = slice(9, true, 11, 3);
    let input = &spec.interface.inputs[0];
    let values = numbers(input, 20, 1);
    let want: Vec<i64> = values.iter().map(|v| wrap(input, v + 1)).collect();
    let runs: [&[&str]; 3] = [&[], &["+stalls=5"], &["+stalls=77", "+idle_limit=500"]];
    let Some(results) = run_icarus(&spec, &[values], &[want], 20, &runs) else { return };
    for (ok, text) in &results {
        assert!(*ok && text.contains("PASS slice_9x11: frames 20"), "{text}");
    }
    assert!(results[0].1.contains("latency 3 cycles, interval 3 cycles, total 61 cycles"), "{}", results[0].1);
    assert!(!results[1].1.contains("total 61 cycles"), "stalls changed nothing: {}", results[1].1);

    let spec = join_sum(2);
    let [a, b] = [0, 1].map(|i| numbers(&spec.interface.inputs[i], 9, i as u64));
    let want = a.iter().zip(&b).map(|(x, y)| x + y).collect();
    for (ok, text) in run_icarus(&spec, &[a, b], &[want], 9, &[&[], &["+stalls=3"]]).unwrap() {
        assert!(ok && text.contains("PASS join_sum: frames 9"), "{text}");
    }

    let spec = folded_sum(5);
    let values = numbers(&spec.interface.inputs[0], 6, 3);
    let want = values.chunks(4).map(|c| 5 + c.iter().sum::<i64>()).collect();
    let results = run_icarus(&spec, &[values], &[want], 6, &[&[]]).unwrap();
    assert!(results[0].1.contains("latency 7 cycles, interval 8 cycles, total 48 cycles"), "{}", results[0].1);
}

#[test]
fn icarus_fails_wrong_values_wrong_tlast_and_deadlocks() {
    let spec = slice(8, false, 1, 2);
    let Some(results) = run_icarus(&spec, &[vec![1, 2, 3, 4]], &[vec![2, 3, 5, 5]], 2, &[&[]]) else { return };
    let (ok, text) = &results[0];
    assert!(!ok && text.contains("m_axis: beat 2 is 04 (tlast 0), expected 05 (tlast 0)"), "{text}");
    assert!(text.contains("FAIL slice_8x1: 1 beats differ") && !text.contains("PASS"), "{text}");

    for (fault, found) in
        [(2, "tlast 0), expected 2 (tlast 1)"), (4, "no handshake for 300 cycles; beats: s_axis 6 m_axis 6")]
    {
        let spec = faulty(fault);
        let data = [vec![1, 3, 3, 2, 1, 2, 3, 2]];
        let runs: [&[&str]; 1] = [&["+idle_limit=300"]];
        let (ok, text) = run_icarus(&spec, &data, &data, 2, &runs).unwrap().remove(0);
        assert!(
            !ok && text.contains("FAIL")
                && text.replace("is 02", "is 2").replace("expected 02", "expected 2").contains(found),
            "{text}"
        );
    }
}

#[test]
fn verilator_runs_the_testbench() {
    let Some(verilator) = verilator() else { return };
    if tool(on_path("make").ok_or_else(|| Diag::new(Code::Tool, "make", "not found"))).is_none() {
        return;
    }
    let spec = folded_sum(5);
    let values = numbers(&spec.interface.inputs[0], 6, 3);
    let want: Vec<i64> = values.chunks(4).map(|c| 5 + c.iter().sum::<i64>()).collect();
    let folder = tempfile::tempdir().unwrap();
    let compiled = write(folder.path(), &spec, &[values], &[want], 6);
    let mut command = Command::new(verilator.program());
    command.current_dir(&folder).env("VERILATOR_ROOT", verilator.root());
    command.args([
        "--binary",
        "-Wno-fatal",
        "-CFLAGS",
        "-std=c++20 -O0",
        "--top-module",
        "tb_folded_sum",
        "-Mdir",
        "obj",
        "-o",
        "tb",
    ]);
    let (ok, text) = output(command.args(compiled));
    assert!(ok, "{text}");
    let (ok, text) = output(Command::new(folder.path().join("obj/tb")).current_dir(&folder));
    assert!(
        ok && text.contains("PASS folded_sum: frames 6, latency 7 cycles, interval 8 cycles, total 48 cycles"),
        "{text}"
    );
    let (ok, text) = output(Command::new(folder.path().join("obj/tb")).current_dir(&folder).arg("+stalls=9"));
    assert!(ok && text.contains("PASS folded_sum"), "{text}");
}

#[test]
fn impossible_testbenches_are_refused() {
    let spec = join_sum(1);
    assert!(testbench(&spec.interface, &[vec![], vec![]], &[vec![]], 0).is_err());
    assert!(testbench(&spec.interface, &[vec![1], vec![1]], &[vec![1 << 20]], 1).is_err());
    assert!(testbench(&spec.interface, &[vec![1], vec![1]], &[vec![]], 1).is_err());
}
