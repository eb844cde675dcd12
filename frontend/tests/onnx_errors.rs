//! Errors name the node and the operator, all of them in one run; names are data.
#![allow(clippy::unwrap_used)]

mod common;

use common::build::{Build, info, int};
use netfold_ir::diag::Code;

#[test]
fn every_offending_node_is_reported_once() {
    let b = Build::new(13, &[-1, 3])
        .op("Erf", "x", "a", &[])
        .op("Relu", "a", "b", &[])
        .op("com.microsoft:Gelu", "b", "c", &[])
        .op("qonnx.custom_op.general:FloatQuant", "c", "d", &[])
        .op("Softmax", "x", "e", &[int("axes", 1)])
        .op("Add", "d e", "y", &[])
        // Not needed by any output: not looked at.
        .op("Loop", "x", "unused", &[]);
    let diags = b.parse().unwrap_err();
    let places: Vec<&str> = diags.iter().map(|d| d.place.as_str()).collect();
    assert_eq!(places, ["Erf_a", "Gelu_c", "FloatQuant_d", "Softmax_e"]);
    assert!(diags.iter().all(|d| d.code == Code::Unsupported));
    let text = diags.to_string();
    assert!(text.contains("operator Erf: the operator is not supported"), "{text}");
    assert!(text.contains("supported operators: Abs, Add"), "{text}");
    assert!(text.contains("attribute \"axes\" is not supported in opset 13"), "{text}");
}

#[test]
fn unsupported_opsets_name_the_range() {
    for opset in [0, 5, 99] {
        assert!(Build::new(opset, &[1, 3]).op("Relu", "x", "y", &[]).errors().contains("versions 6 to 24"));
    }
}

#[test]
fn names_are_data() {
    let mut b = Build::new(13, &[-1, 3]).op("Relu", "x", "a", &[]).op("Relu", "a", "b", &[]).op("Relu", "b", "y", &[]);
    for (node, name) in b.graph().node.iter_mut().zip(["\"; rm -rf /\n", "\"; rm -rf /\n", ""]) {
        node.name = name.into();
    }
    let net = b.parse().unwrap();
    let names: Vec<String> = net.graph.ids().into_iter().map(|i| net.graph.node(i).name.clone()).collect();
    assert_eq!(names, ["x", "\"; rm -rf /\n", "\"; rm -rf /\n_1", "y"]);
    assert!(net.aliases.contains(&("a".into(), "\"; rm -rf /\n".into())), "{:?}", net.aliases);
}

#[test]
fn contradictions_in_the_graph() {
    let cycle = Build::new(13, &[-1, 3]).op("Add", "x b", "a", &[]).op("Relu", "a", "b", &[]).op("Relu", "b", "y", &[]);
    assert!(cycle.errors().contains("depends on its own result"));
    let twice = Build::new(13, &[-1, 3]).op("Relu", "x", "y", &[]).op("Abs", "x", "y", &[]);
    assert!(twice.errors().contains("more than one producer"));
    let missing = Build::new(13, &[-1, 3]).op("Add", "x nothing", "y", &[]);
    assert!(missing.errors().contains("at nothing: nothing in the file produces this tensor"));
    let constant = Build::new(13, &[-1, 3]).f32s("c", &[1], &[1.0]).op("Relu", "c", "y", &[]);
    assert!(constant.errors().contains("the output is a constant"));
    let shape = Build::new(13, &[-1, -1]).op("Relu", "x", "y", &[]);
    assert!(shape.errors().contains("the size of axis 1 is not fixed"));
    let mut inputs = Build::new(13, &[4, 3]).op("Add", "x z", "y", &[]);
    inputs.graph().input.push(info("z", &[5, 3]));
    assert!(inputs.errors().contains("does not begin with the batch size"));
    let short = Build::new(13, &[-1, 3]).f32s("c", &[1 << 40], &[1.0]).op("Add", "x c", "y", &[]);
    assert!(short.errors().contains("larger than"), "{}", short.errors());
}

#[test]
fn a_result_that_needs_an_open_batch_size_is_refused() {
    let b = Build::new(13, &[-1, 3])
        .op("Shape", "x", "s", &[])
        .i64s("zero", &[], &[0])
        .op("Gather", "s zero", "n", &[])
        .op("Cast", "n", "f", &[int("to", 1)])
        .op("Div", "x f", "y", &[]);
    assert!(b.errors().contains("at Cast_f: operator Cast: the result depends on the batch size"), "{}", b.errors());
}
