//! Single operators on hand-built models: what differs between operator set versions, batches, layouts and quantizers.
#![allow(clippy::unwrap_used)]

mod common;

use common::build::{Build, float, floats, int, ints, text};
use netfold_ir::net::{Op, UnaryFn};
use netfold_ir::quant::{IntType, Rounding};

/// `0, 1, 2, ..` as floats.
fn ramp(n: usize) -> Vec<f64> {
    (0..n).map(|i| i as f64).collect()
}

#[test]
fn opset_6_broadcasts_along_the_given_axis() {
    let build = |axis: &[_]| Build::new(6, &[-1, 2, 3]).f32s("c", &[2], &[10.0, 20.0]).op("Add", "x c", "y", axis);
    let y = build(&[int("broadcast", 1), int("axis", 1)]).run(&ramp(6));
    assert_eq!(y, [10.0, 11.0, 12.0, 23.0, 24.0, 25.0]);
    assert!(build(&[]).errors().contains("does not broadcast"));
}

#[test]
fn softmax_flattens_before_opset_13() {
    let x = [0.0; 6];
    let old = Build::new(12, &[1, 2, 3]).op("Softmax", "x", "y", &[]).run(&x);
    let new = Build::new(13, &[1, 2, 3]).op("Softmax", "x", "y", &[]).run(&x);
    assert_eq!((old[0], new[0]), (1.0 / 6.0, 1.0 / 3.0));
}

#[test]
fn attributes_that_became_inputs() {
    let x = ramp(6);
    let expected = [1.0, 2.0, 4.0, 5.0];
    let slice = [ints("starts", &[1]), ints("ends", &[99]), ints("axes", &[2])];
    assert_eq!(Build::new(9, &[-1, 2, 3]).op("Slice", "x", "y", &slice).run(&x), expected);
    let b = Build::new(10, &[-1, 2, 3]).i64s("s", &[1], &[-2]).i64s("e", &[1], &[i64::MAX]).i64s("a", &[1], &[-1]);
    assert_eq!(b.op("Slice", "x s e a", "y", &[]).run(&x), expected);
    let clip = [float("min", 1.0), float("max", 2.0)];
    assert_eq!(Build::new(6, &[-1, 3]).op("Clip", "x", "y", &clip).run(&ramp(3)), [1.0, 1.0, 2.0]);
    let b = Build::new(11, &[-1, 3]).f32s("hi", &[], &[1.0]).op("Clip", "x - hi", "y", &[]);
    assert_eq!(b.run(&ramp(3)), [0.0, 1.0, 1.0]);
    let unsqueeze = Build::new(11, &[-1, 3]).op("Unsqueeze", "x", "y", &[ints("axes", &[1])]);
    assert_eq!(unsqueeze.parse().unwrap().outputs[0].shape, [1, 3]);
    let mean = Build::new(18, &[-1, 2, 3]).i64s("a", &[1], &[2]).op("ReduceMean", "x a", "y", &[int("keepdims", 0)]);
    assert_eq!(mean.run(&x), [1.0, 4.0]);
    let mut stepped = slice.to_vec();
    stepped.push(ints("steps", &[1]));
    let old = Build::new(9, &[-1, 2, 3]).op("Slice", "x", "y", &stepped);
    assert!(old.errors().contains("attribute \"steps\" is not supported in opset 9"), "{}", old.errors());
}

#[test]
fn upsample_and_resize_repeat_pixels() {
    let x = [1.0, 2.0];
    let expected = [1.0, 1.0, 2.0, 2.0];
    let up = [text("mode", "nearest"), floats("scales", &[1.0, 1.0, 1.0, 2.0])];
    assert_eq!(Build::new(7, &[-1, 1, 1, 2]).op("Upsample", "x", "y", &up).run(&x), expected);
    let b = Build::new(13, &[-1, 1, 1, 2]).f32s("s", &[4], &[1.0, 1.0, 1.0, 2.0]);
    assert_eq!(b.op("Resize", "x - s", "y", &[text("mode", "nearest")]).run(&x), expected);
    let b = Build::new(13, &[-1, 1, 1, 2]).f32s("s", &[4], &[1.0, 1.0, 1.0, 1.5]).op("Resize", "x - s", "y", &[]);
    assert!(b.errors().contains("whole factors"));
}

#[test]
fn all_batches_are_one_batch() {
    for batch in [-1, 1, 789_444] {
        let b = Build::new(13, &[batch, 2, 2])
            .op("Shape", "x", "s", &[])
            .i64s("zero", &[], &[0])
            .op("Gather", "s zero", "n", &[int("axis", 0)])
            .i64s("first", &[1], &[0])
            .op("Unsqueeze", "n first", "n1", &[])
            .i64s("rest", &[1], &[-1])
            .op("Concat", "n1 rest", "target", &[int("axis", 0)])
            .op("Reshape", "x target", "flat", &[])
            .f32s("w", &[4, 1], &[1.0, 10.0, 100.0, 1000.0])
            .op("MatMul", "flat w", "y", &[]);
        assert_eq!(b.run(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]), [4321.0, 8765.0], "batch {batch}");
    }
}

#[test]
fn mixing_the_batch_is_refused_unless_it_is_one() {
    let softmax = |n| Build::new(13, &[n, 3]).op("Softmax", "x", "y", &[int("axis", 0)]);
    assert!(softmax(-1).errors().contains("at Softmax_y: operator Softmax: the operator mixes the samples"));
    assert_eq!(softmax(1).run(&[5.0, 6.0, 7.0]), [1.0; 3]);
    // Keras exports flatten the batch of one away.
    let flatten = |n| {
        let b = Build::new(9, &[n, 2, 2]).op("Flatten", "x", "f", &[int("axis", 0)]);
        b.f32s("w", &[4, 1], &[1.0; 4]).op("MatMul", "f w", "y", &[])
    };
    assert_eq!(flatten(1).run(&ramp(4)), [6.0]);
    assert!(flatten(-1).errors().contains("mixes the samples"));
    // Merging it with a time axis and back again is fine.
    let time = Build::new(13, &[-1, 2, 3])
        .i64s("a", &[2], &[-1, 3])
        .op("Reshape", "x a", "steps", &[])
        .f32s("w", &[3, 1], &[1.0; 3])
        .op("MatMul", "steps w", "m", &[])
        .i64s("b", &[2], &[-1, 2])
        .op("Reshape", "m b", "y", &[]);
    assert_eq!(time.run(&ramp(12)), [3.0, 12.0, 21.0, 30.0]);
}

#[test]
fn channels_first_constants_need_no_full_vectors() {
    let b = Build::new(13, &[-1, 2, 2, 2])
        .f32s("w", &[2, 2, 1, 1], &[1.0, 0.0, 0.0, 1.0])
        .op("Conv", "x w", "c", &[])
        .f32s("k", &[2, 1, 1], &[10.0, 20.0])
        .op("Add", "c k", "y", &[]);
    assert_eq!(b.run(&ramp(8)), [10.0, 11.0, 12.0, 13.0, 24.0, 25.0, 26.0, 27.0]);
    let net = b.parse().unwrap();
    let channels = net.graph.ids().into_iter().find_map(|id| match &net.graph.node(id).op {
        Op::Unary(f) => Some(f.channels()),
        _ => None,
    });
    assert_eq!(channels, Some(2));
}

#[test]
fn bipolar_and_one_bit_quantizers_are_one_unsigned_bit() {
    let bipolar = Build::new(13, &[-1, 3]).f32s("s", &[], &[0.5]).op("onnx.brevitas:BipolarQuant", "x s", "y", &[]);
    let b = Build::new(13, &[-1, 3]).f32s("s", &[], &[0.5]).f32s("z", &[], &[0.0]).f32s("b", &[], &[1.0]);
    let signed = b.op("qonnx.custom_op.general:Quant", "x s z b", "y", &[int("signed", 1), int("narrow", 0)]);
    for b in [bipolar, signed] {
        assert_eq!(b.run(&[-0.25, 0.0, 3.0]), [-0.5, 0.5, 0.5]);
        let net = b.parse().unwrap();
        let Op::Unary(UnaryFn::Quant(q)) = &net.graph.node(net.outputs[0].node).op else { panic!("{}", net.dump()) };
        assert_eq!((q.ty, q.rounding), (IntType::new(false, 1), Rounding::HalfUp));
        assert_eq!((q.scale[0].to_string(), q.zero_point[0].to_string()), ("1".into(), "1/2".into()));
    }
}

#[test]
fn quantized_weights_keep_their_steps() {
    let b = Build::new(13, &[-1, 2])
        .f32s("w", &[2, 2], &[0.24, -0.9, 0.5, 0.13])
        .f32s("s", &[1, 2], &[0.25, 0.125])
        .f32s("z", &[], &[0.0])
        .f32s("b", &[], &[4.0])
        .op(
            "finn.custom_op.general:Quant",
            "w s z b",
            "q",
            &[int("signed", 1), int("narrow", 1), text("rounding_mode", "ROUND")],
        )
        .op("MatMul", "x q", "y", &[]);
    let net = b.parse().unwrap();
    let dense = net.graph.ids().into_iter().find_map(|id| match &net.graph.node(id).op {
        Op::Dense(d) => Some(d.clone()),
        _ => None,
    });
    let weights = dense.unwrap().weights;
    assert_eq!(weights.values, [0.25, 0.5, -0.875, 0.125]);
    assert_eq!(weights.scale, Some(vec![0.25, 0.125]));
}

#[test]
fn quantize_linear_with_an_odd_zero_point_rounds_ties_as_the_operator_does() {
    let mut b = Build::new(13, &[-1, 4]).f32s("s", &[], &[1.0]);
    let zero = netfold_frontend::onnx::proto::TensorProto {
        name: "z".into(),
        data_type: 2,
        int32_data: vec![3],
        ..Default::default()
    };
    b.graph().initializer.push(zero);
    let b = b.op("QuantizeLinear", "x s z", "q", &[]).op("DequantizeLinear", "q s z", "y", &[]);
    assert_eq!(b.run(&[0.5, 1.5, -9.0, 300.0]), [0.0, 2.0, -3.0, 252.0]);
    // As a network output, the integers themselves.
    let mut integers = b;
    integers.graph().output[0].name = "q".into();
    assert_eq!(integers.run(&[0.5, 1.5, -9.0, 300.0]), [3.0, 5.0, 0.0, 255.0]);
}

#[test]
fn two_branches_must_agree_or_repeat() {
    let b =
        Build::new(13, &[-1, 2, 3]).op("Transpose", "x", "t", &[ints("perm", &[0, 2, 1])]).op("Mul", "x t", "y", &[]);
    assert!(b.errors().contains("at Mul_y: operator Mul: tensors of shapes [N, 2, 3] and [N, 3, 2]"), "{}", b.errors());
    // A maximum over the last axis, over the first one, and over all.
    for (axes, expected) in [(vec![2], [3., 6., 9., 24., 30., 36.]), (vec![1], [4., 10., 18., 16., 25., 36.])] {
        let b =
            Build::new(13, &[-1, 2, 3]).op("ReduceMax", "x", "m", &[ints("axes", &axes)]).op("Mul", "x m", "y", &[]);
        assert_eq!(b.run(&[1., 2., 3., 4., 5., 6.]), expected, "{axes:?}");
    }
}
