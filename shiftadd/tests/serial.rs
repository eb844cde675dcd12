//! Digit-serial programs: equal to what they compute in one cycle, in the interpreter and in the emitted Verilog.

#![allow(clippy::unwrap_used)]

mod tools;

use std::fmt::Write;
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

/// Two layers with a path around the second one; widths, signs, known zeros and a constant among the inputs vary.
fn program(rng: &mut Rng, case: usize) -> (Vec<InputSpec>, ProgramBuilder) {
    let mut p = ProgramBuilder::new();
    let columns = 6 + case % 9;
    let mut specs: Vec<InputSpec> =
        (0..columns).map(|k| InputSpec::word(1 + ((case + 3 * k) % 11) as u32, (k + case).is_multiple_of(3))).collect();
    specs[0] = InputSpec { range: Interval { lo: -24, hi: 40 }, zeros: 3 };
    specs[1] = InputSpec { range: Interval { lo: 5, hi: 5 }, zeros: 0 };
    let x = p.inputs(&specs);
    let mut matrix = |rows: usize, columns: usize, keep: i64| -> Vec<Vec<i64>> {
        let mut entry = || if rng.range(0, 99) < keep { rng.range(-63, 63) } else { 0 };
        (0..rows).map(|_| (0..columns).map(|_| entry()).collect()).collect()
    };
    let (first, second) = (matrix(12, columns, 100), matrix(9, 12, 60));
    let mut bias = |n: usize| -> Vec<i64> { (0..n).map(|_| rng.range(-3000, 3000)).collect() };
    let (b1, b2) = (bias(12), bias(9));
    let y = p.product(&first, &b1, &x).unwrap();
    let q = |k: usize| Quantizer {
        relu: k.is_multiple_of(2),
        drop: 4 + (case % 3) as u32,
        rounding: [Rounding::Floor, Rounding::HalfUp, Rounding::HalfEven][(case + k) % 3],
        bits: 7,
        signed: k.is_multiple_of(4),
        overflow: Overflow::Saturate,
    };
    let acts: Vec<Value> = y.iter().enumerate().map(|(k, v)| p.quantize(*v, q(k)).unwrap()).collect();
    let z = p.product(&second, &b2, &acts).unwrap();
    // A threshold, a word that goes around a layer, a maximum.
    let sign = p.steps(z[0], &Steps::thresholds(0, &[100])).unwrap();
    let around = p.add(z[1], acts[3]).unwrap();
    let larger = p.max(z[2], y[5]);
    for v in [sign, around, larger, x[2], acts[0]].into_iter().chain(z[3..].iter().copied()) {
        p.output(v);
    }
    (specs, p)
}

fn vectors(rng: &mut Rng, specs: &[InputSpec], count: usize) -> Vec<Vec<i64>> {
    let value = |rng: &mut Rng, s: &InputSpec| match rng.range(0, 5) {
        0 => s.range.lo,
        1 => s.range.hi,
        _ => (rng.range(s.range.lo, s.range.hi) >> s.zeros << s.zeros).max(s.range.lo),
    };
    (0..count).map(|_| specs.iter().map(|s| value(rng, s)).collect()).collect()
}

fn digits(g: &Graph) -> usize {
    g.nodes.iter().filter(|n| matches!(n.op, Op::Serial { .. })).count()
}

#[test]
fn digits_give_the_same_sums() {
    let mut rng = Rng(11);
    let mut serial = 0;
    for case in 0..14 {
        let (specs, p) = program(&mut rng, case);
        let options = Options { tries: 1, threads: 1, ..Options::default() };
        let whole = p.compile(&options);
        for interval in [2, 3, 4, 8, 16] {
            let g = p.compile(&Options { interval, ..options });
            g.verify().unwrap();
            assert!(g.phases() <= interval);
            serial += digits(&g);
            for x in vectors(&mut rng, &specs, 30) {
                assert_eq!(g.check(&x), Ok(()), "case {case}, interval {interval}");
                assert_eq!(g.eval(&x), whole.eval(&x), "case {case}, interval {interval}");
            }
        }
    }
    assert!(serial > 300, "{serial}");
}

/// Presents the vectors with some idle cycles between them; prints the results when they are due.
fn test_bench(g: &Graph, latency: u32, interval: u32, vectors: &[Vec<i64>], rng: &mut Rng) -> String {
    let mut t = String::from("module tb;\n  reg clk = 0, start = 0;\n");
    let mut ports = vec![".clk(clk)".to_string(), ".start(start)".to_string()];
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
    let mut begin = 0;
    let mut starts = Vec::new();
    for x in vectors {
        starts.push((begin, x));
        begin += u64::from(interval) + rng.range(0, 3).max(1) as u64 - 1;
    }
    for cycle in 0..begin + u64::from(latency) + 1 {
        match starts.iter().find(|s| s.0 == cycle) {
            Some((_, x)) => {
                t.push_str("    start = 1;\n");
                x.iter().enumerate().for_each(|(k, v)| {
                    let _ = writeln!(t, "    x{k} = {v};");
                });
            }
            None => {
                // What stands at the ports between vectors does not matter.
                t.push_str("    start = 0;\n");
                for k in 0..g.inputs {
                    let _ = writeln!(t, "    x{k} = $random;");
                }
            }
        }
        t.push_str("    #1 clk = 1; #1 clk = 0;\n");
        if starts.iter().any(|s| s.0 + u64::from(latency) == cycle + 1) {
            let _ = writeln!(t, "    $display(\"{}\", {});", vec!["%0d"; shows.len()].join(" "), shows.join(", "));
        }
    }
    t.push_str("    $finish;\n  end\nendmodule\n");
    t
}

#[test]
fn verilog_equals_the_interpreter() {
    if !have("iverilog", "-V") || verilator().is_none() {
        return;
    }
    let mut rng = Rng(12);
    for case in 0..6 {
        let (specs, program) = program(&mut rng, case);
        let interval = [2, 3, 4, 8][case % 4];
        let options = Options { tries: 1, interval, ..Options::default() };
        let placement = PipelineOptions {
            delay: DelayModel::ultrascale_plus(),
            period: [Some(0.9), Some(1.6), Some(5.0), None][case % 4],
            min_stages: 0,
        };
        let (g, p) = program.compile_pipelined(&options, &placement);
        assert!(digits(&g) > 0, "case {case}");
        p.verify(&g).unwrap();
        let open_outputs = case % 2 == 1;
        let source = emit_verilog(&g, &p, &VerilogOptions { module: "dut".into(), open_outputs, ..Default::default() });
        let vectors = vectors(&mut rng, &specs, 60);
        let dir = tempfile::tempdir().unwrap();
        let latency = p.stages + u32::from(!open_outputs);
        std::fs::write(dir.path().join("dut.sv"), &source).unwrap();
        std::fs::write(dir.path().join("tb.sv"), test_bench(&g, latency, interval, &vectors, &mut rng)).unwrap();
        let run = |c: &mut Command| {
            let out = c.current_dir(dir.path()).output().unwrap();
            assert!(out.status.success(), "case {case}: {}", String::from_utf8_lossy(&out.stderr));
            String::from_utf8(out.stdout).unwrap()
        };
        run(verilator().unwrap().args(["--lint-only", "-Wall", "dut.sv"]));
        run(Command::new("iverilog").args(["-g2012", "-o", "tb.vvp", "dut.sv", "tb.sv"]));
        let text = run(Command::new("vvp").args(["-n", "tb.vvp"]));
        let number = |s: &str| s.parse::<i64>().ok();
        let got: Vec<Vec<i64>> =
            text.lines().filter_map(|l| l.split_whitespace().map(number).collect::<Option<Vec<i64>>>()).collect();
        let want: Vec<Vec<i64>> = vectors.iter().map(|x| g.eval(x)).collect();
        assert_eq!(got, want, "case {case}, interval {interval}");
    }
}
