//! Verilated designs: values, cycles, protocol checks and failures.

mod common;

use common::{dut, faulty, folded_sum, join_sum, numbers, port, shell, slice, verilator, wrap};
use netfold_ir::Code;
use netfold_sim::{Model, ModelSpec, RunOptions, SourceFile, TraceFormat, ViolationKind};

fn build(spec: &ModelSpec) -> Option<Model> {
    Some(verilator()?.build(spec).unwrap_or_else(|e| panic!("{e}")))
}

fn stalled(seed: u64) -> RunOptions {
    RunOptions { stalls: Some(seed), ..RunOptions::default() }
}

#[test]
fn register_slices_of_every_port_class() {
    // Ports of up to 8, 16, 32, 64 bits, of several words, of more than 1024 bits; with and without padding.
    let shapes = [
        (4, true, 1),
        (1, false, 3),
        (16, true, 1),
        (11, true, 2),
        (12, false, 5),
        (64, true, 1),
        (9, true, 11),
        (33, true, 40),
    ];
    for (bits, signed, elements) in shapes {
        let spec = slice(bits, signed, elements, 3);
        let Some(model) = build(&spec) else { return };
        let input = &spec.interface.inputs[0];
        let frames = 20;
        let values = numbers(input, frames, u64::from(bits));
        let want: Vec<i64> = values.iter().map(|v| wrap(input, v.wrapping_add(1))).collect();
        let result = model.run(&RunOptions::default(), std::slice::from_ref(&values), frames).unwrap();
        assert_eq!(result.outputs[0], want, "{bits} bits, {elements} elements");
        // The first of 3 beats goes in at cycle 0, the last comes out one cycle after it went in, at 3; then 3 cycles a frame.
        assert_eq!(result.latency_cycles, Some(3));
        assert_eq!(result.frame_latencies, Some((3, 3)));
        assert_eq!((result.interval_cycles, result.interval_max_cycles), (Some(3), Some(3)));
        assert_eq!(result.cycles, 3 * 20 + 1);
        assert_eq!((result.violations, result.violation_count), (vec![], 0));
        for seed in 0..4 {
            let result = model.run(&stalled(seed), std::slice::from_ref(&values), frames).unwrap();
            assert_eq!(result.outputs[0], want);
            assert_eq!(result.violations, []);
            assert!(result.cycles > 61, "seed {seed} stalled nothing");
        }
    }
}

#[test]
fn the_same_seed_stalls_alike() {
    let Some(model) = build(&slice(12, false, 5, 3)) else { return };
    let values = numbers(&model.interface().inputs[0], 50, 3);
    let cycles = |seed| model.run(&stalled(seed), std::slice::from_ref(&values), 50).unwrap().cycles;
    assert_eq!(cycles(7), cycles(7));
    assert_ne!(cycles(7), cycles(8));
}

#[test]
fn a_join_waits_for_both_inputs() {
    let Some(model) = build(&join_sum(2)) else { return };
    let ports = &model.interface().inputs;
    let (a, b) = (numbers(&ports[0], 30, 1), numbers(&ports[1], 30, 2));
    let want: Vec<i64> = a.iter().zip(&b).map(|(x, y)| x + y).collect();
    let result = model.run(&RunOptions::default(), &[a.clone(), b.clone()], 30).unwrap();
    assert_eq!(result.outputs[0], want);
    // Combinational: the second of two beats leaves one cycle after the first entered.
    assert_eq!((result.latency_cycles, result.interval_cycles, result.cycles), (Some(1), Some(2), 60));
    for seed in 0..8 {
        let result = model.run(&stalled(seed), &[a.clone(), b.clone()], 30).unwrap();
        assert_eq!((&result.outputs[0], result.violation_count), (&want, 0));
    }
}

#[test]
fn a_folded_unit_reads_its_data_file() {
    let Some(model) = build(&folded_sum(0x1234)) else { return };
    let values = numbers(&model.interface().inputs[0], 10, 5);
    let sums = |bias: i64| -> Vec<i64> { values.chunks(4).map(|c| bias + c.iter().sum::<i64>()).collect() };
    let result = model.run(&RunOptions::default(), std::slice::from_ref(&values), 10).unwrap();
    assert_eq!(result.outputs, [sums(0x1234)]);
    assert_eq!((result.latency_cycles, result.interval_cycles), (Some(7), Some(8)));
    assert_eq!(result.frame_latencies, Some((7, 7)));
    assert_eq!(result.cycles, 80);

    // Other data, same library; both stay loaded.
    let other = build(&folded_sum(7)).unwrap();
    for (model, bias) in [(&other, 7), (&model, 0x1234)] {
        let result = model.run(&stalled(1), std::slice::from_ref(&values), 10).unwrap();
        assert_eq!((&result.outputs[0], result.violation_count), (&sums(bias), 0));
    }
    let error = build(&ModelSpec { data: vec![], ..folded_sum(0) })
        .unwrap()
        .run(&RunOptions::default(), &[values], 10)
        .unwrap_err();
    assert_eq!(error.code, Code::Tool);
    assert!(error.cause.contains("bias.mem"), "{error}");
}

#[test]
fn threads_share_a_model() {
    let Some(model) = build(&folded_sum(3)) else { return };
    let values = numbers(&model.interface().inputs[0], 500, 5);
    let want: Vec<i64> = values.chunks(4).map(|c| 3 + c.iter().sum::<i64>()).collect();
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let (model, values, want) = (&model, &values, &want);
            scope.spawn(move || {
                let result = model.run(&stalled(seed), std::slice::from_ref(values), 500).unwrap();
                assert_eq!(&result.outputs[0], want);
            });
        }
    });
}

#[test]
fn frames_split_over_threads_come_back_in_order() {
    let Some(model) = build(&folded_sum(3)) else { return };
    let values = numbers(&model.interface().inputs[0], 11, 9);
    let whole = model.run(&RunOptions::default(), std::slice::from_ref(&values), 11).unwrap();
    for threads in [0, 1, 3, 4, 99] {
        let split = model.run_parallel(&RunOptions::default(), std::slice::from_ref(&values), 11, threads).unwrap();
        assert_eq!(split.outputs, whole.outputs);
        assert_eq!((split.latency_cycles, split.frame_latencies), (Some(7), Some((7, 7))));
        assert_eq!(split.cycles, whole.cycles);
    }
    assert!(model.run_parallel(&RunOptions::default(), &[values], 12, 3).is_err());
}

#[test]
fn registers_without_a_reset_start_at_random() {
    let Some(_) = verilator() else { return };
    let body = "
        (input logic aclk, aresetn, input logic [31:0] s_axis_tdata, input logic s_axis_tvalid, s_axis_tlast,
         output logic s_axis_tready, output logic [31:0] m_axis_tdata, output logic m_axis_tvalid, m_axis_tlast,
         input logic m_axis_tready);
        logic [31:0] held;
        always_ff @(posedge aclk) if (s_axis_tvalid && s_axis_tlast && !aresetn) held <= s_axis_tdata;
        assign {m_axis_tdata, m_axis_tvalid, m_axis_tlast} = {held, s_axis_tvalid && aresetn, s_axis_tlast};
        assign s_axis_tready = m_axis_tready && aresetn;
    endmodule";
    let mut spec = slice(32, false, 1, 1);
    spec.interface.top = "forgetful".into();
    spec.sources = vec![SourceFile::new("forgetful.sv", format!("module forgetful {body}")).unwrap()];
    let result = build(&spec).unwrap().run(&RunOptions::default(), &[vec![0, 0]], 2).unwrap();
    assert_ne!(result.outputs, [[0, 0]]);
}

#[test]
fn breaches_of_the_protocol_are_found() {
    let cases = [
        (1, false, vec![ViolationKind::LastEarly, ViolationKind::LastMissing]),
        (2, false, vec![ViolationKind::LastMissing]),
        (3, true, vec![ViolationKind::ValidDropped]),
        (6, true, vec![ViolationKind::DataChanged]),
        (7, false, vec![ViolationKind::Padding]),
    ];
    for (fault, stalls, kinds) in cases {
        let Some(model) = build(&faulty(fault)) else { return };
        let values = numbers(&model.interface().inputs[0], 20, 1);
        let options = RunOptions { stalls: stalls.then_some(1), ..RunOptions::default() };
        let result = model.run(&options, &[values], 20).unwrap();
        assert!(result.violation_count > 0, "fault {fault} was not found");
        for violation in &result.violations {
            assert!(kinds.contains(&violation.kind), "fault {fault}: {violation}");
            assert_eq!(violation.port, "m_axis");
        }
        if fault == 2 {
            assert_eq!(result.violation_count, 20);
            assert_eq!(result.violations.len(), 16);
            assert_eq!((result.violations[0].cycle, result.violations[0].beat), (3, 3));
        }
    }
}

#[test]
fn a_deadlock_says_how_far_it_came() {
    let Some(model) = build(&faulty(4)) else { return };
    let values = numbers(&model.interface().inputs[0], 5, 1);
    let options = RunOptions { idle_limit: 1000, ..RunOptions::default() };
    let error = model.run(&options, std::slice::from_ref(&values), 5).unwrap_err();
    assert_eq!(error.code, Code::Mismatch);
    assert!(error.cause.contains("deadlock"), "{error}");
    assert!(error.cause.contains("s_axis 6 of 20, m_axis 6 of 20"), "{error}");
    let error = model.run(&RunOptions { max_cycles: 4, ..options }, &[values], 5).unwrap_err();
    assert!(error.cause.contains("not done after 4 cycles"), "{error}");
}

#[test]
fn a_fatal_error_of_the_design_is_an_error() {
    let Some(model) = build(&faulty(5)) else { return };
    let values = numbers(&model.interface().inputs[0], 5, 1);
    let error = model.run(&RunOptions::default(), &[values], 5).unwrap_err();
    assert_eq!(error.code, Code::Tool);
    assert!(error.cause.contains("faulty.sv"), "{error}");
}

#[test]
fn wrong_designs_are_refused() {
    let Some(verilator) = verilator() else { return };
    let good = slice(8, true, 2, 1);
    let refuse = |spec: &ModelSpec, code: Code, text: &str| {
        let error = verilator.build(spec).unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(error.to_string().contains(text), "{error}");
    };
    let mut spec = good.clone();
    spec.interface.inputs[0].elements_per_beat = 1;
    refuse(&spec, Code::Invalid, "port s_axis_tdata of slice_8x2: the port has 16 bits; 8 are expected");
    let mut spec = good.clone();
    spec.interface.outputs[0].prefix = "m_axis_y".into();
    refuse(&spec, Code::Invalid, "no such port");
    let mut spec = good.clone();
    spec.interface.outputs.clear();
    refuse(&spec, Code::Invalid, "needs an input and an output");
    let mut spec = good.clone();
    spec.interface.top = "x; touch y".into();
    refuse(&spec, Code::Invalid, "not a plain identifier");
    let mut spec = good.clone();
    spec.sources = vec![SourceFile::new("a.sv", "module slice_8x2; nonsense endmodule").unwrap()];
    refuse(&spec, Code::Tool, "a.sv:1");
    let mut spec = good.clone();
    spec.sources.push(SourceFile::new("notes.txt", "not Verilog").unwrap());
    assert!(verilator.build(&spec).is_ok());
    let mut spec = join_sum(1);
    spec.interface.inputs.pop();
    refuse(&spec, Code::Invalid, "belongs to no stream");
}

#[test]
fn inputs_are_checked() {
    let Some(model) = build(&join_sum(1)) else { return };
    let run = |inputs: &[Vec<i64>], frames| model.run(&RunOptions::default(), inputs, frames).map(|r| r.outputs);
    assert_eq!(run(&[vec![], vec![]], 0).unwrap(), [vec![]]);
    assert_eq!(run(&[vec![255], vec![-32768]], 1).unwrap(), [[-32513]]);
    assert_eq!(run(&[vec![256], vec![0]], 1).unwrap_err().code, Code::Invalid);
    assert_eq!(run(&[vec![-1], vec![0]], 1).unwrap_err().code, Code::Invalid);
    assert_eq!(run(&[vec![1]], 1).unwrap_err().code, Code::Invalid);
    assert_eq!(run(&[vec![1], vec![1]], 2).unwrap_err().code, Code::Invalid);
}

#[test]
fn waveforms_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let spec = ModelSpec { trace: Some(TraceFormat::Vcd), ..join_sum(1) };
    let Some(model) = build(&spec) else { return };
    let path = folder.path().join("a b.vcd");
    let options = RunOptions { trace: Some(path.clone()), ..RunOptions::default() };
    model.run(&options, &[vec![1, 2], vec![3, 4]], 2).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("m_axis_tdata") && text.contains("$enddefinitions"));

    let options = RunOptions { trace: Some(folder.path().join("none/a.vcd")), ..options };
    assert_eq!(model.run(&options, &[vec![1], vec![3]], 1).unwrap_err().code, Code::Tool);
    let plain = build(&join_sum(1)).unwrap();
    assert!(plain.run(&options, &[vec![1], vec![3]], 1).unwrap_err().cause.contains("without waveform"));

    assert_eq!(TraceFormat::of(&path).unwrap(), TraceFormat::Vcd);
    assert!(TraceFormat::of(folder.path()).is_err());
}

#[test]
fn fst_waveforms_are_written_where_zlib_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fst");
    let spec = ModelSpec { trace: Some(TraceFormat::of(&path).unwrap()), ..join_sum(1) };
    let Some(verilator) = verilator() else { return };
    match verilator.build(&spec) {
        Ok(model) => {
            let options = RunOptions { trace: Some(path.clone()), ..RunOptions::default() };
            model.run(&options, &[vec![1, 2], vec![3, 4]], 2).unwrap();
            assert!(std::fs::metadata(&path).unwrap().len() > 100);
        }
        Err(e) => {
            // Only the missing header excuses it, and the message says what to install.
            assert!(e.cause.contains("zlib.h") && e.help.contains("zlib1g-dev"), "{e}");
            common::tool::<()>(Err(e));
        }
    }
}

#[test]
fn one_frame_has_a_latency_but_no_interval() {
    let Some(model) = build(&slice(8, true, 2, 1)) else { return };
    let result = model.run(&RunOptions::default(), &[vec![1, 127]], 1).unwrap();
    assert_eq!(result.outputs, [[2, -128]]);
    assert_eq!((result.latency_cycles, result.interval_cycles), (Some(1), None));
}

#[test]
fn sources_may_stand_in_folders_and_include_others() {
    let Some(_) = verilator() else { return };
    let mut spec = slice(8, true, 1, 1);
    let top = shell("slice_8x1", 8, "register_slice", "`include \"rtl/parameters.svh\"\n");
    spec.sources = vec![
        SourceFile::new("rtl/lib/register_slice.sv", dut("register_slice.sv").bytes()).unwrap(),
        SourceFile::new("rtl/parameters.svh", ".BITS(8), .ELEMENTS(1), .ADD(5)").unwrap(),
        SourceFile::new("rtl/top.sv", top.bytes()).unwrap(),
    ];
    assert_eq!(spec.interface.inputs[0], port("s_axis", 8, true, 1, 1));
    let result = build(&spec).unwrap().run(&RunOptions::default(), &[vec![1]], 1).unwrap();
    assert_eq!(result.outputs, [[6]]);
}
