//! A hand-written HLS project behind the bridge.

// A panic of a helper here is a failed test.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::OnceLock;

use common::{numbers, port, tool};
use netfold_ir::Code;
use netfold_sim::{
    Csim, CsimPort, CsimSpec, Interface, Model, Passing, RunOptions, SourceFile, StreamPort, ViolationKind,
};

fn csim() -> Option<&'static Csim> {
    static FOUND: OnceLock<Option<Csim>> = OnceLock::new();
    FOUND.get_or_init(|| tool(Csim::find(None))).as_ref()
}

fn spec(top: &str, input: StreamPort, output: StreamPort, passing: Passing, types: [&str; 2]) -> CsimSpec {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hls");
    let load = |name: &str| SourceFile::load(&folder, name).unwrap();
    CsimSpec {
        interface: Interface { top: top.into(), inputs: vec![input], outputs: vec![output] },
        arguments: types.iter().map(|t| CsimPort { passing, type_name: (*t).into() }).collect(),
        header: "scale.h".into(),
        sources: vec![load("scale.h"), load("scale.cpp"), load("include/words.h")],
        include: vec!["include".into()],
    }
}

fn bits(top: &str) -> CsimSpec {
    let types = ["ap_uint<24>", "ap_int<14>"];
    spec(top, port("x", 12, false, 2, 2), port("y", 14, true, 1, 2), Passing::StreamOfBits, types)
}

fn build(spec: &CsimSpec) -> Option<Model> {
    Some(csim()?.build(spec).unwrap_or_else(|e| panic!("{e}")))
}

#[test]
fn arrays_and_streams_carry_raw_integers() {
    let cases = [
        ("scale_array", Passing::Array, ["input_t", "result_t"]),
        ("scale_stream", Passing::StreamOfArrays, ["input_words", "result_words"]),
    ];
    for (top, passing, types) in cases {
        let spec = spec(top, port("x", 6, true, 3, 2), port("y", 9, true, 3, 2), passing, types);
        let Some(model) = build(&spec) else { return };
        let values = numbers(&spec.interface.inputs[0], 100, 4);
        // Both types have three fraction bits, and 0.125 is one step.
        let want: Vec<i64> = values.iter().map(|v| 2 * v + 1).collect();
        let result = model.run(&RunOptions::default(), std::slice::from_ref(&values), 100).unwrap();
        assert_eq!(result.outputs[0], want, "{top}");
        assert_eq!((result.cycles, result.latency_cycles, result.interval_cycles), (0, None, None));
        assert_eq!(result.violation_count, 0);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let result = model.run(&RunOptions::default(), std::slice::from_ref(&values), 100).unwrap();
                    assert_eq!(result.outputs[0], want);
                });
            }
        });
    }
}

#[test]
fn packed_words_carry_elements_from_the_lowest_bit() {
    let Some(model) = build(&bits("add_bits")) else { return };
    let result = model.run(&RunOptions::default(), &[vec![4095, 4095, 1, 2, 0, 7, 4095, 0]], 2).unwrap();
    assert_eq!(result.outputs, [[8190, 3, 7, 4095]]);
}

#[test]
fn streams_out_of_step_are_breaches() {
    let Some(model) = build(&bits("greedy")) else { return };
    let result = model.run(&RunOptions::default(), &[vec![5, 6, 7, 8]], 1).unwrap();
    assert_eq!(result.outputs, [[5, 5]]);
    // One word left in the input, one too many in the output.
    assert_eq!(result.violation_count, 2);
    assert!(result.violations.iter().all(|v| v.kind == ViolationKind::ExtraBeat));
    let options = RunOptions { trace: Some("x.vcd".into()), ..RunOptions::default() };
    assert_eq!(model.run(&options, &[vec![5, 6, 7, 8]], 1).unwrap_err().code, Code::Tool);
}

#[test]
fn impossible_projects_are_refused() {
    let Some(csim) = csim() else { return };
    let refuse = |change: &dyn Fn(&mut CsimSpec), code: Code, text: &str| {
        let mut spec = bits("add_bits");
        change(&mut spec);
        let error = csim.build(&spec).unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(error.to_string().contains(text), "{error}");
    };
    refuse(&|s| s.arguments[0].type_name = "int; system(0)".into(), Code::Invalid, "type name");
    refuse(&|s| s.arguments.truncate(1), Code::Invalid, "one argument");
    refuse(&|s| s.header = "other.h".into(), Code::Invalid, "other.h");
    refuse(&|s| s.include = vec!["../x".into()], Code::Invalid, "../x");
    refuse(&|s| s.interface.top = "a()".into(), Code::Invalid, "identifier");
    refuse(&|s| s.interface.top = "missing_top".into(), Code::Tool, "missing_top");
    let error = Csim::find(Some(Path::new("/nonexistent"))).unwrap_err();
    assert_eq!(error.code, Code::Tool);
}
