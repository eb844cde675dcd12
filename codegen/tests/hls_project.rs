//! What surrounds the arithmetic of an HLS project: names, limits, scripts, warnings.

#![allow(clippy::unwrap_used, reason = "a panic of a helper is a failed test")]

mod common;
mod hls_support;

use common::build::Builder;
use common::rng;
use hls_support::{compile_strictly, found, headers, project, write};
use netfold_codegen::Files;
use netfold_codegen::hls::{HlsProject, Io, Project, Strategy, Vectors, generate, interval_cycles, snapped_reuse};
use netfold_ir::diag::Code;
use netfold_ir::hw::{Design, Kind, Matrix, Memory, Multiplier, Mvu, Realization, Thresholds};
use netfold_ir::quant::IntType;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// A name that tries to leave every language written.
const HOSTILE: &str =
    "a*/\n#include \"/etc/passwd\"\n\\\n??/ [exec touch /tmp/x] $(touch x) `x` \"; exit; // {% x %} é\u{202e}\0 %s";

/// One dense layer and an activation, with every free text set to `text`.
fn dense(text: &str, [rows, cols, pe, simd]: [usize; 4]) -> Design {
    let mut b = Builder::new("top", rng(3));
    let x = b.source(IntType::new(true, 8), simd, cols / simd);
    let data = (0..rows * cols).map(|i| (i * 37 % 15) as i64 - 7).collect();
    let kind = Kind::Mvu(Mvu {
        weights: Arc::new(Matrix { rows, cols, data }),
        pe,
        simd,
        vectors: 1,
        early: 0,
        pixels: 1,
        multiplier: Multiplier::Dsp,
        memory: Memory::Block,
    });
    let y = b.add(kind, &[x], &[IntType::new(true, 24)])[0];
    let thresholds = Thresholds { base: vec![-1], direction: vec![1], thresholds: vec![vec![-100, 0, 50]] };
    let function = Arc::new(Realization::Thresholds(thresholds));
    let z = b.add(Kind::Act { function, lanes: y.lanes, beats: y.beats }, &[y], &[IntType::new(true, 3)])[0];
    b.sink(z);
    let mut design = b.finish();
    for id in design.modules() {
        design.module_mut(id).layer = text.to_owned();
    }
    design.inputs[0].name = text.to_owned();
    design.outputs[0].name = text.to_owned();
    design
}

fn files(design: &Design, io: Io, strategy: Strategy) -> Files {
    let vectors = Vectors::example(design, 3).unwrap();
    let mut project = project(design, io, strategy, vectors);
    project.notes = vec![HOSTILE.into()];
    generate(&project).unwrap_or_else(|d| panic!("{d}"))
}

#[test]
fn hostile_names_stay_data() {
    for io in [Io::Stream, Io::Parallel] {
        let files = files(&dense(HOSTILE, [16, 32, 4, 8]), io, Strategy::Auto);
        for (path, bytes) in files.iter().filter(|(path, _)| *path != "netfold_hls.json") {
            let text = std::str::from_utf8(bytes).unwrap();
            assert!(text.is_ascii(), "{path}");
            for bad in ["/etc/passwd\"", "[exec touch", "$(touch", "`x`", "??/", "{% x", "%s"] {
                assert!(!text.contains(bad), "{bad:?} in {path}");
            }
            let comments = text.lines().filter(|l| l.trim_start().starts_with("//") || l.starts_with('#'));
            assert!(comments.filter(|l| !l.starts_with("#include")).all(|l| !l.ends_with('\\')), "{path}");
        }
        let described = Project::of(&files).unwrap();
        assert_eq!((described.inputs[0].name.as_str(), described.notes[0].as_str()), (HOSTILE, HOSTILE));
        assert!(described.layers.iter().any(|l| l.layer == HOSTILE));
    }
}

#[test]
fn ports_and_modules_may_have_any_names_that_identifiers_have() {
    let names = ["double", "n_double", "myproject", "x_in", "x", "x_in", "frames", "std"];
    let mut b = Builder::new("top", rng(11));
    let ty = IntType::new(true, 5);
    let sources: Vec<_> = names.iter().map(|_| b.source(ty, 2, 2)).collect();
    let sum = b.lincomb(&sources);
    let again = b.act(sum);
    b.sink(again);
    let mut design = b.finish();
    for (port, name) in design.inputs.iter_mut().zip(names) {
        port.id = name.into();
    }
    let modules = design.modules();
    for (id, name) in modules.iter().zip(["x", "x_out", "x_out_out", "x_config", "x_t", "x_in", "myproject", "weights"])
    {
        design.module_mut(*id).name = name.into();
    }
    for io in [Io::Stream, Io::Parallel] {
        let files = files(&design, io, Strategy::Auto);
        let described = Project::of(&files).unwrap();
        let ids: std::collections::HashSet<_> = described.inputs.iter().map(|p| p.id.as_str()).collect();
        assert_eq!(ids.len(), names.len());
        let Some(headers) = headers() else { return };
        let home = tempfile::tempdir().unwrap();
        write(&files, home.path());
        let all = ["-std=c++17", "firmware/myproject.cpp", "-o", "test"];
        compile_strictly(&headers, home.path(), "myproject_test.cpp", &all).unwrap_or_else(|e| panic!("{io:?}: {e}"));
        assert!(Command::new(home.path().join("test")).current_dir(home.path()).output().unwrap().status.success());
    }
}

#[test]
fn names_of_the_project_are_checked() {
    let design = dense("fc", [4, 4, 2, 2]);
    let base = project(&design, Io::Stream, Strategy::Auto, Vectors::default());
    let refuse = |project: HlsProject<'_>, place: &str| {
        let diags = generate(&project).unwrap_err();
        assert!(diags.iter().any(|d| d.code == Code::Config && d.place.contains(place)), "{diags}");
    };
    refuse(HlsProject { name: "a; rm -rf /", ..base.clone() }, "project name");
    refuse(HlsProject { name: "class", ..base.clone() }, "project name");
    refuse(HlsProject { part: "xc7[exec x]", ..base.clone() }, "part");
    refuse(HlsProject { clock_period_ns: f64::NAN, ..base.clone() }, "clock period");
    refuse(HlsProject { clock_uncertainty_percent: 120.0, ..base }, "clock uncertainty");
}

#[test]
fn the_same_design_gives_the_same_bytes_and_the_layout_of_hls4ml() {
    let design = dense("fc", [16, 32, 4, 8]);
    let first = files(&design, Io::Stream, Strategy::Resource);
    assert_eq!(first, files(&design, Io::Stream, Strategy::Resource));
    for path in [
        "firmware/myproject.cpp",
        "firmware/myproject.h",
        "firmware/parameters.h",
        "firmware/defines.h",
        "firmware/netfold_hls/layers.h",
        "myproject_test.cpp",
        "tb_data/tb_input_features.dat",
        "tb_data/tb_output_predictions.dat",
        "build_prj.tcl",
        "hls_config.cfg",
        "vivado_synth.tcl",
    ] {
        assert!(first.get(path).is_some(), "{path}");
    }
    assert_eq!(first.ending("_weights.h").len(), 1, "512 weights have their own file");
    let text = |path: &str| String::from_utf8(first.get(path).unwrap().to_vec()).unwrap();
    let top = text("firmware/myproject.cpp");
    for line in ["#pragma HLS DATAFLOW", "#pragma HLS INTERFACE axis port=x0_in", "type=rom_1p impl=bram"] {
        assert!(top.contains(line), "{line} in {top}");
    }
    assert!(top.contains("#pragma HLS STREAM variable=mvu1_out depth="), "{top}");
    assert!(text("hls_config.cfg").contains("\nclock=5ns\nclock_uncertainty=12.5%\nsyn.top=myproject\n"));
    let unrolled = files(&design, Io::Parallel, Strategy::Latency);
    let top = String::from_utf8(unrolled.get("firmware/myproject.cpp").unwrap().to_vec()).unwrap();
    assert!(top.contains("#pragma HLS PIPELINE II=16") && !top.contains("DATAFLOW"), "{top}");
    assert_eq!((interval_cycles(&design, true), Project::of(&unrolled).unwrap().interval_cycles), (16, 16));
}

#[test]
fn settings_beyond_the_tool_are_refused_with_the_largest_that_works() {
    let all = |design: &Design, io, strategy| generate(&project(design, io, strategy, Vectors::default())).unwrap_err();
    let diags = all(&dense("big", [100, 600, 100, 600]), Io::Stream, Strategy::Auto);
    let diag = diags.iter().next().unwrap();
    assert_eq!((diag.code, diag.place.as_str()), (Code::DoesNotFit, "big"));
    assert!(diag.cause.contains("60000 products"), "{diag}");
    // SIMD 300 in 8 bits is a word of 2400 bits; 10 rows of it are 3000 products, and no other pair of divisors has more within 4096.
    assert!(diag.help.contains("PE 10, SIMD 400") || diag.help.contains("PE 20, SIMD 200"), "{diag}");
    let diags = all(&dense("wide", [80, 64, 1, 1]), Io::Parallel, Strategy::Latency);
    assert!(diags.iter().any(|d| d.place == "wide" && d.cause.contains("5120 multiplications")), "{diags}");
    // Left to itself the backend takes loops and says so.
    let design = dense("wide", [80, 64, 1, 1]);
    let files = generate(&project(&design, Io::Parallel, Strategy::Auto, Vectors::default())).unwrap();
    let described = Project::of(&files).unwrap();
    assert!(!described.unrolled && described.notes.iter().any(|n| n.contains("wide")), "{:?}", described.notes);
}

#[test]
fn reuse_factors_that_are_not_possible_are_told() {
    let design = dense("fc", [16, 32, 4, 8]);
    assert!(snapped_reuse(&design, |_| Some(16)).is_empty());
    let notes = snapped_reuse(&design, |layer| (layer == "fc").then_some(17));
    assert!(notes.len() == 1 && notes[0].contains("17") && notes[0].contains("16 x 32"), "{notes:?}");
}

#[test]
fn generated_code_compiles_without_warnings_and_its_testbench_tells_wrong_from_right() {
    let Some(headers) = headers() else { return };
    for (io, strategy) in
        [(Io::Stream, Strategy::Latency), (Io::Parallel, Strategy::Latency), (Io::Parallel, Strategy::Resource)]
    {
        let home = tempfile::tempdir().unwrap();
        write(&files(&dense(HOSTILE, [16, 32, 4, 8]), io, strategy), home.path());
        for optimization in ["-O0", "-O2"] {
            let all = ["-std=c++17", optimization, "firmware/myproject.cpp", "-o", "test"];
            compile_strictly(&headers, home.path(), "myproject_test.cpp", &all)
                .unwrap_or_else(|e| panic!("{io:?}: {e}"));
        }
        let run = || Command::new(home.path().join("test")).current_dir(home.path()).output().unwrap();
        assert!(run().status.success());
        let expected = home.path().join("tb_data/tb_output_predictions.dat");
        let text = std::fs::read_to_string(&expected).unwrap();
        let last = text.trim_end().rfind(' ').unwrap();
        std::fs::write(&expected, format!("{} 3\n", &text[..last])).unwrap();
        let wrong = run();
        assert_eq!(wrong.status.code(), Some(1), "{}", String::from_utf8_lossy(&wrong.stdout));
        std::fs::remove_file(&expected).unwrap();
        assert_eq!(run().status.code(), Some(1));
    }
}

#[test]
fn directives_reach_the_hls_compiler() {
    if found(Command::new("g++").arg("--version").output()).is_none() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    write(&files(&dense("fc", [16, 32, 4, 8]), Io::Stream, Strategy::Latency), home.path());
    for header in ["ap_int.h", "ap_fixed.h", "hls_stream.h", "type_traits"] {
        std::fs::write(home.path().join(header), "").unwrap();
    }
    let expand = |flags: &[&str]| {
        let mut command = Command::new("g++");
        command.args(["-E", "-P", "-I", "."]).args(flags).arg("firmware/myproject.cpp").current_dir(home.path());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let synthesis = expand(&["-D__SYNTHESIS__"]);
    for line in [
        "#pragma HLS PIPELINE II=1 style=flp",
        "#pragma HLS UNROLL",
        "#pragma HLS BIND_OP variable=result op=mul impl=dsp",
        "#pragma HLS DEPENDENCE variable=lines type=inter direction=RAW distance=CONFIG::line_words dependent=true",
        "#pragma HLS DATAFLOW",
        "#pragma HLS ARRAY_PARTITION variable=mvu1_weights complete dim=2",
    ] {
        assert!(synthesis.lines().any(|l| l.trim() == line), "{line}");
    }
    assert!(!synthesis.contains("NF_PRAGMA") && !expand(&[]).contains("HLS PIPELINE"));
}

/// Runs a script of a project with the vendor's commands stubbed.
fn tcl(dir: &Path, script: &str, arguments: &[&str]) -> (bool, String) {
    let stubs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hls_stubs.tcl");
    let mut command = Command::new("tclsh");
    command.arg(stubs).arg(script).args(arguments).current_dir(dir);
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn scripts_run_in_tcl() {
    if found(Command::new("tclsh").arg("/dev/null").output()).is_none() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    write(&files(&dense(HOSTILE, [16, 32, 4, 8]), Io::Stream, Strategy::Auto), home.path());
    let (ok, text) = tcl(home.path(), "build_prj.tcl", &["reset=1 csim=1 synth=1 cosim=1 export=1 vsynth=1"]);
    assert!(ok, "{text}");
    for call in [
        "CALL open_project -reset myproject_prj",
        "CALL set_top myproject",
        "CALL add_files firmware/myproject.cpp -cflags -std=c++14",
        "CALL set_part xcvu13p-flga2577-2-e",
        "CALL create_clock -period 5 -name default",
        "CALL set_clock_uncertainty 12.5% default",
        "CALL csim_design",
        "CALL csynth_design",
        "CALL cosim_design",
        "CALL export_design",
        "CALL exec vivado",
    ] {
        assert!(text.contains(call), "{call}: {text}");
    }
    let (ok, text) = tcl(home.path(), "build_prj.tcl", &["csim=0", "synth=1"]);
    assert!(ok && text.contains("CALL csynth_design") && !text.contains("csim_design"), "{text}");
    assert!(!tcl(home.path(), "build_prj.tcl", &["synht=1"]).0);

    assert!(!tcl(home.path(), "vivado_synth.tcl", &[]).0, "without Verilog there is nothing to synthesize");
    let verilog = home.path().join("myproject_prj/solution1/syn/verilog");
    std::fs::create_dir_all(&verilog).unwrap();
    std::fs::write(verilog.join("myproject.v"), "").unwrap();
    std::fs::write(verilog.join("rom.dat"), "").unwrap();
    let (ok, text) = tcl(home.path(), "vivado_synth.tcl", &[]);
    assert!(ok && text.contains("CALL synth_design -top myproject") && text.contains("rom.dat"), "{text}");
    // The check itself can fail.
    let broken =
        std::fs::read_to_string(home.path().join("build_prj.tcl")).unwrap().replace("set_part $part", "set_part $prat");
    std::fs::write(home.path().join("broken.tcl"), broken).unwrap();
    assert!(!tcl(home.path(), "broken.tcl", &[]).0);
}
