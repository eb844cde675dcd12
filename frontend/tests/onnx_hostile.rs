//! Hostile files: truncated, corrupted, random, huge or climbing out of their folder. Always an error or a network, never a
//! panic, in bounded memory.
#![allow(clippy::unwrap_used)]

mod common;

use common::build::{Build, floats, int, ints};
use netfold_frontend::onnx;
use netfold_frontend::onnx::proto::{StringStringEntryProto, TensorProto};
use prost::Message;
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A model with convolutions, shape arithmetic and quantizers.
fn realistic() -> Build {
    let ramp: Vec<f32> = (0..108).map(|i| i as f32 / 100.0).collect();
    Build::new(13, &[-1, 3, 6, 6])
        .f32s("w", &[4, 3, 3, 3], &ramp)
        .f32s("b", &[4], &[0.1, 0.2, 0.3, 0.4])
        .op("Conv", "x w b", "c", &[ints("pads", &[1, 1, 1, 1]), ints("strides", &[2, 2]), int("group", 1)])
        .op("BatchNormalization", "c b b b b", "n", &[])
        .op("Relu", "n", "r", &[])
        .f32s("s", &[], &[0.125])
        .f32s("z", &[], &[0.0])
        .f32s("bits", &[], &[4.0])
        .op("qonnx.custom_op.general:Quant", "r s z bits", "q", &[int("signed", 0), int("narrow", 0)])
        .op("MaxPool", "q", "p", &[ints("kernel_shape", &[2, 2]), ints("pads", &[0, 0, 1, 1])])
        .f32s("scales", &[4], &[1.0, 1.0, 2.0, 2.0])
        .op("Resize", "p - scales", "u", &[])
        .op("Shape", "u", "shape", &[])
        .i64s("zero", &[], &[0])
        .op("Gather", "shape zero", "batch", &[int("axis", 0)])
        .i64s("axes", &[1], &[0])
        .op("Unsqueeze", "batch axes", "batch1", &[])
        .i64s("rest", &[1], &[-1])
        .op("Concat", "batch1 rest", "target", &[int("axis", 0)])
        .op("Reshape", "u target", "flat", &[])
        .op("Constant", "", "k", &[floats("value_floats", &[0.5])])
        .op("Mul", "flat k", "m", &[])
        .op("Softmax", "m", "y", &[])
}

#[test]
fn the_model_itself_loads() {
    assert_eq!(realistic().parse().unwrap().outputs[0].shape, [144]);
}

#[test]
fn truncated_files_are_errors() {
    let bytes = realistic().bytes();
    for end in 0..bytes.len() {
        // Every prefix, and with the lengths of the enclosing messages as they were: always cut short.
        assert!(onnx::parse(&bytes[..end], None, "cut").is_err(), "{end}");
    }
}

#[test]
fn corrupted_files_never_panic() {
    let bytes = realistic().bytes();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..4000 {
        let mut broken = bytes.clone();
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(0..broken.len());
            broken[at] ^= 1 << rng.random_range(0..8);
        }
        let _ = onnx::parse(&broken, None, "flip");
    }
}

#[test]
fn random_bytes_are_errors() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for _ in 0..2000 {
        let mut bytes = vec![0; rng.random_range(0..300)];
        rng.fill_bytes(&mut bytes);
        assert!(onnx::parse(&bytes, None, "random").is_err());
    }
}

#[test]
fn changed_numbers_never_panic() {
    // Attributes and shape constants replaced by extreme values, at the level of messages.
    let extremes = [i64::MIN, -(1 << 40), -2, -1, 0, 1, 2, 7, 1 << 16, 1 << 40, i64::MAX];
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for _ in 0..3000 {
        let mut build = realistic();
        let graph = build.graph();
        let pick = |rng: &mut ChaCha8Rng| extremes[rng.random_range(0..extremes.len())];
        match rng.random_range(0..5) {
            0 => {
                let n = rng.random_range(0..graph.node.len());
                for a in &mut graph.node[n].attribute {
                    a.i = a.i.map(|_| pick(&mut rng));
                    a.ints.iter_mut().for_each(|v| *v = pick(&mut rng));
                }
            }
            1 => {
                let n = rng.random_range(0..graph.initializer.len());
                let t = &mut graph.initializer[n];
                t.int64_data.iter_mut().for_each(|v| *v = pick(&mut rng));
                t.float_data.iter_mut().for_each(|v| *v = pick(&mut rng) as f32);
            }
            2 => {
                let n = rng.random_range(0..graph.initializer.len());
                graph.initializer[n].dims = (0..rng.random_range(0..5)).map(|_| pick(&mut rng)).collect();
            }
            3 => {
                let tensor = graph.input[0].ty.as_mut().unwrap().tensor_type.as_mut().unwrap();
                let dims = &mut tensor.shape.as_mut().unwrap().dim;
                let n = rng.random_range(0..dims.len());
                dims[n].dim_value = Some(pick(&mut rng));
            }
            _ => {
                let (a, b) = (rng.random_range(0..graph.node.len()), rng.random_range(0..graph.node.len()));
                let inputs = graph.node[a].input.clone();
                graph.node[b].input = inputs;
            }
        }
        let _ = build.parse();
    }
}

#[test]
fn huge_declarations_take_no_memory() {
    let huge = 1i64 << 40;
    let fails = |b: Build| assert!(b.errors().contains("larger than"), "{}", b.errors());
    fails(Build::new(13, &[-1, huge]).op("Relu", "x", "y", &[]));
    fails(Build::new(13, &[-1, 3]).i64s("d", &[2], &[huge, 3]).op("ConstantOfShape", "d", "c", &[]).op(
        "Add",
        "x c",
        "y",
        &[],
    ));
    fails(
        Build::new(13, &[-1, 3]).i64s("d", &[1], &[huge]).f32s("one", &[1], &[1.0]).op("Expand", "one d", "c", &[]).op(
            "Add",
            "x c",
            "y",
            &[],
        ),
    );
    fails(Build::new(13, &[-1, 3, 9]).i64s("p", &[6], &[0, 0, 0, 0, 0, 1 << 31]).op("Pad", "x p", "y", &[]));
    let range = Build::new(13, &[-1, 3]).i64s("a", &[], &[0]).i64s("b", &[], &[huge]).i64s("d", &[], &[1]);
    assert!(range.op("Range", "a b d", "c", &[]).op("Add", "x c", "y", &[]).errors().contains("a range of"));
    // Many large constants, each within bounds.
    let mut b = Build::new(13, &[-1, 3]).i64s("d", &[1], &[1 << 24]);
    for i in 0..20 {
        b = b.op("ConstantOfShape", "d", &format!("c{i}"), &[]);
    }
    let names: Vec<String> = (0..20).map(|i| format!("c{i}")).collect();
    b = b.op("Sum", &format!("x {}", names.join(" ")), "y", &[]);
    assert!(b.errors().contains("elements together"), "{}", b.errors());
}

#[test]
fn deep_nesting_and_many_empty_messages_are_errors_or_skipped() {
    // Groups nested deeper than the decoder allows, in an unknown field.
    let mut bytes = vec![0x9b, 0x06];
    bytes.extend(std::iter::repeat_n([0x9b, 0x06], 100_000).flatten());
    assert!(onnx::parse(&bytes, None, "deep").is_err());
    // A graph of ten million empty nodes in twenty million bytes would decode to gigabytes.
    let nodes = vec![[0x0a, 0x00]; 10_000_000].concat();
    let mut bytes = vec![0x3a];
    prost::encoding::encode_varint(nodes.len() as u64, &mut bytes);
    bytes.extend(nodes);
    let error = onnx::parse(&bytes, None, "many").unwrap_err().to_string();
    assert!(error.contains("too much memory"), "{error}");
}

#[test]
fn external_data_stays_below_the_model() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("model");
    std::fs::create_dir_all(folder.join("data")).unwrap();
    let weights: Vec<u8> = [1.0f32, 2.0, 3.0].iter().flat_map(|f| f.to_le_bytes()).collect();
    std::fs::write(folder.join("data/w.bin"), &weights).unwrap();
    std::fs::write(outer.path().join("secret"), &weights).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(outer.path().join("secret"), folder.join("link")).unwrap();
    let model = |location: &str, offset: &str, count: i64| {
        let entry = |key: &str, value: &str| StringStringEntryProto { key: key.into(), value: value.into() };
        let mut b = Build::new(13, &[-1, count]).op("Add", "x w", "y", &[]);
        b.graph().initializer.push(TensorProto {
            name: "w".into(),
            dims: vec![count],
            data_type: 1,
            data_location: 1,
            external_data: vec![entry("location", location), entry("offset", offset)],
            ..Default::default()
        });
        let path = folder.join("m.onnx");
        std::fs::write(&path, b.model.encode_to_vec()).unwrap();
        onnx::load(&path).map_err(|e| e.to_string())
    };
    assert!(model("data/w.bin", "0", 3).is_ok());
    assert!(model("./data/w.bin", "4", 2).is_ok());
    let secret = outer.path().join("secret");
    for location in
        ["../secret", "data/../../secret", secret.to_str().unwrap(), "", "data", "link", "/dev/zero", "a\0b", "nothing"]
    {
        let error = model(location, "0", 3).unwrap_err();
        assert!(error.contains("external data"), "{location}: {error}");
        assert!(error.contains("at w"), "{location}: {error}");
    }
    for (offset, count) in [("4", 3), ("18446744073709551615", 1), ("x", 1), ("0", 1 << 20)] {
        assert!(model("data/w.bin", offset, count).is_err(), "{offset}");
    }
}

#[test]
fn files_that_are_not_models() {
    let folder = tempfile::tempdir().unwrap();
    assert!(onnx::load(folder.path()).is_err());
    assert!(onnx::load(&folder.path().join("missing.onnx")).is_err());
    let path = folder.path().join("empty.onnx");
    std::fs::write(&path, b"").unwrap();
    assert!(onnx::load(&path).unwrap_err().to_string().contains("holds no graph"));
}
