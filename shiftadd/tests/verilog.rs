//! The emitted Verilog against the interpreter, in Icarus Verilog, and lint in Verilator.

#![allow(clippy::unwrap_used)]

mod tools;

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use netfold_shiftadd::*;
use tools::{have, verilator};

struct Rng(u64);

impl Rng {
    fn range(&mut self, lo: i64, hi: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        lo + ((self.0 >> 33) as i64).rem_euclid(hi - lo + 1)
    }
}

fn network(rng: &mut Rng, case: usize) -> (Vec<InputSpec>, Vec<Layer>) {
    let inputs: Vec<InputSpec> =
        (0..7).map(|k| InputSpec::word(3 + k % 4, (k as usize + case).is_multiple_of(2))).collect();
    let mut layers = Vec::new();
    let mut width = inputs.len();
    for l in 0..3 {
        let rows = [9, 8, 3][l];
        let density = [100, 40, 70][(l + case) % 3];
        let weights = (0..rows)
            .map(|_| (0..width).map(|_| if rng.range(0, 99) < density { rng.range(-31, 31) } else { 0 }).collect())
            .collect();
        let quantizer = Quantizer {
            relu: (l + case) % 3 != 1,
            drop: [4, 5, 0][l],
            rounding: [Rounding::Floor, Rounding::HalfEven, Rounding::HalfUp][(case + l) % 3],
            bits: 5,
            signed: (case + l) % 2 == 1,
            overflow: [Overflow::Saturate, Overflow::SaturateSymmetric, Overflow::Wrap][case / 2 % 3],
        };
        layers.push(Layer {
            matrix: weights,
            bias: (0..rows).map(|_| rng.range(-300, 300)).collect(),
            quantizers: vec![(l < 2).then_some(quantizer); rows],
            max_depth: None,
        });
        width = rows;
    }
    (inputs, layers)
}

fn test_bench(g: &Graph, latency: u32, vectors: &[Vec<i64>]) -> String {
    let mut t = String::from("module tb;\n  reg clk = 0;\n");
    let mut ports = vec![".clk(clk)".to_string()];
    for n in &g.nodes {
        if let Op::Input(k) = n.op {
            let _ = writeln!(t, "  reg [{}:0] x{k};", n.width().max(1) - 1);
            ports.push(format!(".x{k}(x{k})"));
        }
    }
    let mut shows = Vec::new();
    for (j, o) in g.outputs.iter().enumerate() {
        let range = o.term.map_or(Interval::point(0), |n| g.node(n.node).range);
        let sign = if range.signed() { "signed " } else { "" };
        let _ = writeln!(t, "  wire {sign}[{}:0] y{j};", range.width().max(1) - 1);
        ports.push(format!(".y{j}(y{j})"));
        shows.push(format!("y{j}"));
    }
    let _ = writeln!(t, "  dut dut({});\n  initial begin", ports.join(", "));
    for step in 0..vectors.len() + latency as usize - 1 {
        if let Some(x) = vectors.get(step) {
            for (k, v) in x.iter().enumerate() {
                let _ = writeln!(t, "    x{k} = {v};");
            }
        }
        let _ = writeln!(t, "    #1 clk = 1; #1 clk = 0;");
        if step + 1 >= latency as usize {
            let _ = writeln!(t, "    $display(\"{}\", {});", vec!["%0d"; shows.len()].join(" "), shows.join(", "));
        }
    }
    t.push_str("    $finish;\n  end\nendmodule\n");
    t
}

fn simulate(dir: &Path, source: &str, bench: &str) -> Vec<Vec<i64>> {
    std::fs::write(dir.join("dut.sv"), source).unwrap();
    std::fs::write(dir.join("tb.sv"), bench).unwrap();
    let run = |c: &mut Command| {
        let out = c.current_dir(dir).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };
    run(Command::new("iverilog").args(["-g2012", "-o", "tb.vvp", "dut.sv", "tb.sv"]));
    let text = run(Command::new("vvp").args(["-n", "tb.vvp"]));
    let number = |s: &str| s.parse::<i64>().ok();
    text.lines().filter_map(|l| l.split_whitespace().map(number).collect::<Option<Vec<i64>>>()).collect()
}

#[test]
fn verilog_equals_the_interpreter() {
    if !have("iverilog", "-V") {
        return;
    }
    let mut rng = Rng(5);
    for case in 0..8 {
        let (inputs, layers) = network(&mut rng, case);
        let options = Options { tries: 2, slack: (case % 3) as u32, ..Options::default() };
        let placement = PipelineOptions {
            delay: if case % 2 == 0 { DelayModel::Levels } else { DelayModel::ultrascale_plus() },
            period: Some([5.0, 2.0, 3.0, 1.5][case % 4]),
            min_stages: 0,
        };
        let (g, p) = compile_pipelined(&inputs, &layers, &options, &placement).unwrap();
        let source = emit_verilog(&g, &p, &VerilogOptions { module: "dut".into(), ..VerilogOptions::default() });
        assert_eq!(source, emit_verilog(&g, &p, &VerilogOptions { module: "dut".into(), ..VerilogOptions::default() }));
        let vectors: Vec<Vec<i64>> =
            (0..60).map(|_| inputs.iter().map(|i| rng.range(i.range.lo, i.range.hi)).collect()).collect();
        let dir = tempfile::tempdir().unwrap();
        let got = simulate(dir.path(), &source, &test_bench(&g, p.stages + 1, &vectors));
        let want: Vec<Vec<i64>> = vectors.iter().map(|x| g.eval(x)).collect();
        assert_eq!(got, want, "case {case}");
    }
}

/// A program with functions of every kind.
fn functions(rng: &mut Rng, case: usize) -> (Vec<InputSpec>, ProgramBuilder) {
    let inputs: Vec<InputSpec> = (0..9).map(|k| InputSpec::word(1 + (k + case as u32) % 3, k % 3 == 0)).collect();
    let mut p = ProgramBuilder::new();
    let x = p.inputs(&inputs);
    let rows: Vec<Vec<i64>> = (0..7).map(|_| x.iter().map(|_| rng.range(-2, 2)).collect()).collect();
    let bias: Vec<i64> = (0..7).map(|_| rng.range(-4, 4)).collect();
    let sums = p.product(&rows, &bias, &x).unwrap();
    let mut values = vec![p.max(sums[0], sums[1]), p.table(&[x[0], x[1], x[2]], |v| v[0] * v[1] - v[2]).unwrap()];
    for (k, bounds) in [&[0][..], &[-3, 1], &[-7, -5, -1, 0, 2, 3, 6], &[2]].into_iter().enumerate() {
        values.push(p.steps(sums[k + 2], &Steps::thresholds(-(k as i64), bounds)).unwrap());
    }
    values.push(p.steps(sums[6], &Steps::new(3, (-12..12).map(|v| (v, v * v % 7 - 2)).collect())).unwrap());
    let wide = p.sums(&[values.iter().map(|&v| (v, rng.range(1, 90))).collect()], &[7]).unwrap()[0];
    let bent = p.steps(wide, &Steps::new(-8, (0..20).map(|v| (v * v * 3 - 100, v - 8)).collect())).unwrap();
    values.extend([bent, sums[6]]);
    values.iter().for_each(|&v| p.output(v));
    (inputs, p)
}

#[test]
fn verilog_of_functions_equals_the_interpreter() {
    if !have("iverilog", "-V") {
        return;
    }
    let mut rng = Rng(8);
    for case in 0..6 {
        let (inputs, program) = functions(&mut rng, case);
        let options = Options { tries: 2, table_bits: [10, 0][case % 2], ..Options::default() };
        let placement =
            PipelineOptions { delay: DelayModel::ultrascale_plus(), period: Some([1.0, 2.5][case % 2]), min_stages: 0 };
        let (g, p) = program.compile_pipelined(&options, &placement);
        let source = emit_verilog(&g, &p, &VerilogOptions { module: "dut".into(), ..VerilogOptions::default() });
        let vectors: Vec<Vec<i64>> =
            (0..100).map(|_| inputs.iter().map(|i| rng.range(i.range.lo, i.range.hi)).collect()).collect();
        let dir = tempfile::tempdir().unwrap();
        let got = simulate(dir.path(), &source, &test_bench(&g, p.stages + 1, &vectors));
        let want: Vec<Vec<i64>> = vectors.iter().map(|x| g.eval(x)).collect();
        assert_eq!(got, want, "case {case}");
    }
}

#[test]
fn verilog_is_lint_clean() {
    if verilator().is_none() {
        return;
    }
    let mut rng = Rng(9);
    for case in 0..4 {
        let placement = PipelineOptions { delay: DelayModel::Levels, period: Some(3.0), min_stages: 0 };
        let options = Options { tries: 1, table_bits: [10, 0][case / 2 % 2], ..Options::default() };
        let (g, p) = if case % 2 == 0 {
            let (inputs, layers) = network(&mut rng, case);
            compile_pipelined(&inputs, &layers, &options, &placement).unwrap()
        } else {
            functions(&mut rng, case).1.compile_pipelined(&options, &placement)
        };
        let dir = tempfile::tempdir().unwrap();
        for (valid, combinational) in [(false, false), (true, false), (false, true)] {
            let options = VerilogOptions { module: "dut".into(), valid, combinational, ..VerilogOptions::default() };
            let place = PipelineOptions { period: None, ..placement };
            let p = if combinational { pipeline(&g, &place) } else { p.clone() };
            std::fs::write(dir.path().join("dut.sv"), emit_verilog(&g, &p, &options)).unwrap();
            let out = verilator().unwrap().args(["--lint-only", "-Wall", "dut.sv"]).current_dir(dir.path()).output();
            let out = out.unwrap();
            assert!(out.status.success(), "case {case}: {}", String::from_utf8_lossy(&out.stderr));
        }
    }
}
