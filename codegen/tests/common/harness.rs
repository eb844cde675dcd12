//! Runs designs in Verilator, many in one model, and compares them with the interpreter and the timing simulation.

use netfold_codegen::verilog::{generate, port_specs};
use netfold_codegen::{Files, write_atomically};
use netfold_ir::hw::{Design, eval, timing};
use netfold_sim::{Interface, ModelSpec, RunOptions, SourceFile, StreamPort, Verilator};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::fmt::Write;
use std::process::Command;

/// Verilator, or a visible skip; a missing tool is a failure where `CI` is `true`.
pub fn verilator() -> Option<Verilator> {
    match Verilator::find() {
        Ok(found) => Some(found),
        Err(error) if std::env::var("CI").is_ok_and(|v| v == "true") => panic!("{error}"),
        Err(error) => {
            eprintln!("SKIPPED: {error}");
            None
        }
    }
}

/// Frames in every run.
const FRAMES: usize = 14;

fn stream_ports(design: &Design) -> (Vec<StreamPort>, Vec<StreamPort>) {
    let (inputs, outputs) = port_specs(design);
    let port = |direction: &str, spec: &netfold_codegen::verilog::PortSpec| StreamPort {
        prefix: spec.prefix.replacen("axis", &format!("axis_{}_{direction}", design.name), 1),
        element_bits: spec.ty.bits,
        signed: spec.ty.signed,
        elements_per_beat: u32::try_from(spec.lanes).expect("small"),
        beats_per_frame: u32::try_from(spec.beats).expect("small"),
    };
    (inputs.iter().map(|s| port("i", s)).collect(), outputs.iter().map(|s| port("o", s)).collect())
}

/// A top level that instantiates all designs; every one has a further output port with the cycle in which each frame ended, counted
/// from its first input beat.
fn wrapper(designs: &[Design]) -> String {
    let mut ports = String::new();
    let mut body = String::new();
    for design in designs {
        let name = &design.name;
        let (inputs, outputs) = port_specs(design);
        let _ = writeln!(body, "  {name} u_{name} (.aclk(aclk), .aresetn(aresetn)");
        let own = |prefix: &str, direction: &str| prefix.replacen("axis", &format!("axis_{name}_{direction}"), 1);
        for spec in &inputs {
            let (p, q, w) = (&spec.prefix, own(&spec.prefix, "i"), spec.tdata_bits() - 1);
            let _ = writeln!(
                ports,
                ", input wire [{w}:0] {q}_tdata, input wire {q}_tvalid, output wire {q}_tready, input wire {q}_tlast"
            );
            let _ = writeln!(
                body,
                "    , .{p}_tdata({q}_tdata), .{p}_tvalid({q}_tvalid), .{p}_tready({q}_tready), .{p}_tlast({q}_tlast)"
            );
        }
        for spec in &outputs {
            let (p, q, w) = (&spec.prefix, own(&spec.prefix, "o"), spec.tdata_bits() - 1);
            let _ = writeln!(
                ports,
                ", output wire [{w}:0] {q}_tdata, output wire {q}_tvalid, input wire {q}_tready, output wire {q}_tlast"
            );
            let _ = writeln!(
                body,
                "    , .{p}_tdata({q}_tdata), .{p}_tvalid({q}_tvalid), .{p}_tready({q}_tready), .{p}_tlast({q}_tlast)"
            );
        }
        let _ = writeln!(body, "  );");
        let started: Vec<String> =
            inputs.iter().map(|s| own(&s.prefix, "i")).map(|q| format!("({q}_tvalid && {q}_tready)")).collect();
        let ended: Vec<String> = outputs
            .iter()
            .map(|s| own(&s.prefix, "o"))
            .map(|q| format!("({q}_tvalid && {q}_tready && {q}_tlast)"))
            .collect();
        let q = format!("m_axis_{name}_cycles");
        let count = outputs.len();
        let _ = writeln!(
            ports,
            ", output wire [31:0] {q}_tdata, output wire {q}_tvalid, input wire {q}_tready, output wire {q}_tlast"
        );
        let _ = writeln!(
            body,
            "  frame_clock #({count}) u_clock_{name} (aclk, aresetn, {}, {{{}}}, {q}_tdata, {q}_tvalid, {q}_tready, {q}_tlast);",
            started.join(" || "),
            ended.join(", ")
        );
    }
    format!(
        "module tests(input wire aclk, input wire aresetn\n{ports});\n{body}endmodule\n\
         module frame_clock #(parameter int OUTPUTS = 1) (input wire clk, input wire aresetn, input wire start,\n\
           input wire [OUTPUTS-1:0] ended, output wire [31:0] tdata, output wire tvalid, input wire tready, output wire tlast);\n\
           reg [31:0] now; reg running; reg [31:0] log [0:1023]; reg [9:0] head; reg [9:0] counts [0:OUTPUTS-1];\n\
           reg [9:0] least; wire [31:0] here = running ? now : 0;\n\
           assign tdata = log[head]; assign tvalid = head != least; assign tlast = 1;\n\
           // A frame has ended when its last output has; the cycle written last stays.\n\
           always @(posedge clk) begin\n\
             if (!aresetn) begin now <= 0; running <= 0; head <= 0; least <= 0; for (int i = 0; i < OUTPUTS; i++) counts[i] <= 0; end\n\
             else begin\n\
               if (start) running <= 1;\n\
               now <= here + 32'(running || start);\n\
               for (int i = 0; i < OUTPUTS; i++) if (ended[i]) begin log[counts[i]] <= here; counts[i] <= counts[i] + 1; end\n\
               begin : find reg [9:0] m; m = counts[0]; for (int i = 1; i < OUTPUTS; i++) if (counts[i] < m) m = counts[i]; least <= m; end\n\
               if (tvalid && tready) head <= head + 1;\n\
             end\n\
           end\n\
         endmodule\n"
    )
}

/// All files of all designs.
pub fn files_of(designs: &[Design]) -> Files {
    let mut files = Files::new();
    for design in designs {
        files.extend(generate(design).unwrap_or_else(|d| panic!("{}: {d}", design.name)));
    }
    files
}

/// Random frames for a design's inputs.
pub fn frames(design: &Design, rng: &mut ChaCha8Rng, frames: usize) -> Vec<Vec<i64>> {
    let (inputs, _) = port_specs(design);
    let value = |rng: &mut ChaCha8Rng, lo: i64, hi: i64| match rng.random_range(0..6) {
        0 => lo,
        1 => hi,
        _ => rng.random_range(lo..=hi),
    };
    inputs
        .iter()
        .map(|p| (0..frames * p.lanes * p.beats).map(|_| value(rng, p.ty.min(), p.ty.max())).collect())
        .collect()
}

/// Builds one model of all designs and runs it without and with stalls. Every output must be the interpreter's, and without stalls
/// latency and interval the timing simulation's.
pub fn check(designs: &[Design], rng: &mut ChaCha8Rng) {
    let Some(verilator) = verilator() else { return };
    let files = files_of(designs);
    lint(&verilator, designs);
    let source = |name: &str, contents: &[u8]| SourceFile::new(name, contents).unwrap_or_else(|d| panic!("{d}"));
    let mut sources: Vec<SourceFile> =
        files.iter().filter(|(path, _)| path.ends_with(".sv")).map(|(path, bytes)| source(path, bytes)).collect();
    sources.push(source("tests.sv", wrapper(designs).as_bytes()));
    let data = files
        .iter()
        .filter_map(|(path, bytes)| path.strip_prefix("rtl/").filter(|p| p.ends_with(".mem")).map(|p| source(p, bytes)))
        .collect();
    let mut interface = Interface { top: "tests".into(), inputs: Vec::new(), outputs: Vec::new() };
    for design in designs {
        let (inputs, outputs) = stream_ports(design);
        interface.inputs.extend(inputs);
        interface.outputs.extend(outputs);
        let prefix = format!("m_axis_{}_cycles", design.name);
        interface.outputs.push(StreamPort {
            prefix,
            element_bits: 32,
            signed: false,
            elements_per_beat: 1,
            beats_per_frame: 1,
        });
    }
    let model = verilator.build(&ModelSpec { interface, sources, data, trace: None }).unwrap_or_else(|d| panic!("{d}"));

    let mut inputs = Vec::new();
    let mut expected = Vec::new();
    for design in designs {
        let data = frames(design, rng, FRAMES);
        expected.push(eval::eval(design, &data, FRAMES).unwrap_or_else(|d| panic!("{}: {d}", design.name)));
        inputs.extend(data);
    }
    for stalls in [None, Some(1), Some(2)] {
        let options = RunOptions { stalls, idle_limit: 20_000, ..RunOptions::default() };
        let result = model.run(&options, &inputs, FRAMES).unwrap_or_else(|d| panic!("{d} (stalls {stalls:?})"));
        assert!(result.violations.is_empty(), "{:?} (stalls {stalls:?})", result.violations);
        let mut faults = Vec::new();
        let mut outputs = result.outputs.iter();
        for (design, expected) in designs.iter().zip(&expected) {
            for (port, values) in expected.iter().enumerate() {
                let found = outputs.next().expect("as many as declared");
                if let Some(at) = values.iter().zip(found).position(|(a, b)| a != b) {
                    faults.push(format!(
                        "{} output {port} element {at}: {} instead of {} (stalls {stalls:?}): {}",
                        design.name,
                        found[at],
                        values[at],
                        summary(design)
                    ));
                }
            }
            let ends = outputs.next().expect("as many as declared");
            if stalls.is_none() {
                faults.extend(cycles(design, ends));
            }
        }
        assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    }
}

/// Checks every design on its own with all of Verilator's warnings; any is a fault.
fn lint(verilator: &Verilator, designs: &[Design]) {
    let one = |design: &Design| {
        let files = files_of(std::slice::from_ref(design));
        let folder = tempfile::tempdir().expect("a temporary folder");
        write_atomically(&files, &folder.path().join("d"), false).unwrap_or_else(|d| panic!("{d}"));
        let mut command = Command::new(verilator.program());
        command.env("VERILATOR_ROOT", verilator.root()).current_dir(folder.path().join("d/rtl"));
        command.args(["--lint-only", "-Wall", "--top-module", &design.name]);
        command.args(files.ending(".sv").iter().filter_map(|path| path.strip_prefix("rtl/")));
        let output = command.output().expect("Verilator was found");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (!output.status.success()).then(|| format!("{}: {text}\n{}", design.name, summary(design)))
    };
    let half = designs.len() / 2;
    let faults: Vec<String> = std::thread::scope(|scope| {
        let first = scope.spawn(|| designs[..half].iter().filter_map(one).collect::<Vec<_>>());
        let second: Vec<String> = designs[half..].iter().filter_map(one).collect();
        first.join().expect("no panic").into_iter().chain(second).collect()
    });
    assert!(faults.is_empty(), "{} of {} designs have warnings; :\n{}", faults.len(), designs.len(), faults.join("\n"));
}

/// Compares the end of every frame, and with it latency and interval, with the timing simulation. The last two frames are left
/// out: windows may end sooner when no frame follows, and the timing simulation always has one that does.
fn cycles(design: &Design, ends: &[i64]) -> Option<String> {
    let expected = timing::frame_ends(design, FRAMES as u64).unwrap_or_else(|d| panic!("{}: {d}", design.name));
    let found: Vec<u64> = ends.iter().map(|end| u64::try_from(*end).expect("cycles count up")).collect();
    let counted = FRAMES - 2;
    (found.len() != FRAMES || found[..counted] != expected[..counted])
        .then(|| format!("{}: frames end at {found:?} instead of {expected:?}: {}", design.name, summary(design)))
}

/// Kinds and streams of a design.
fn summary(design: &Design) -> String {
    let modules: Vec<String> =
        design.modules().iter().map(|m| format!("{:?}", design.module(*m).kind).chars().take(600).collect()).collect();
    let streams: Vec<String> = design
        .streams()
        .iter()
        .map(|(_, _, s)| format!("{}{}x{}/{}", if s.ty.signed { "s" } else { "u" }, s.ty.bits, s.lanes, s.depth))
        .collect();
    format!("{} | {}", modules.join("; "), streams.join(" "))
}
