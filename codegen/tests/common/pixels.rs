//! Random convolutions that compute several pixels at once.

use super::{divisor, pick, rng};
use netfold_codegen::hls::Vectors;
use netfold_ir::hw::{Design, Matrix, Memory, Multiplier, ReduceOp};
use netfold_ir::int::golden::Golden;
use netfold_ir::int::{InputPort, IntConv, IntNetwork, IntOp, OutputPort};
use netfold_ir::net::{Affine, Window};
use netfold_ir::quant::IntType;
use netfold_passes::fold::{Compute, Folding, Work};
use netfold_passes::lower;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;
use std::sync::Arc;

/// Square kernels and strides with the padding that keeps the size, or none.
fn window(r: &mut ChaCha8Rng, kernel: usize) -> Window {
    let stride = r.random_range(1..=2);
    let pad = if r.random() { (kernel - 1) / 2 } else { 0 };
    Window { kernel: [kernel; 2], stride: [stride; 2], dilation: [1; 2], pads: [pad; 4] }
}

fn shape([h, w, _]: [usize; 3], window: &Window, channels: usize) -> [usize; 3] {
    let extent = window.extent();
    let out = |a: usize, n: usize| (n + window.pads[a] + window.pads[a + 2] - extent[a]) / window.stride[a] + 1;
    [out(0, h), out(1, w), channels]
}

/// A convolution, or a depthwise one, and perhaps a pool behind it, computed several pixels at once; `None` where the image has no
/// even parts. Golden values are checked.
pub fn convolution(seed: u64) -> Option<Design> {
    let mut r = rng(seed);
    let kernel = r.random_range(1..=5);
    let (channels, depthwise) = (r.random_range(1..=3), r.random_range(0..4) == 0);
    let input = [r.random_range(kernel..=7), pick(&mut r, &[4, 6, 8, 12]), channels];
    let window = window(&mut r, kernel);
    if input[1] + 2 * window.pads[1] < kernel {
        return None;
    }
    let groups = if depthwise { channels } else { 1 };
    let rows = if depthwise { channels * r.random_range(1..=2) } else { r.random_range(1..=4) };
    let cols = kernel * kernel * channels / groups;
    let data = (0..rows * cols).map(|_| r.random_range(-7..=7)).collect();
    let ty = IntType::new(r.random(), r.random_range(1..=4));
    let (real, name) = (Affine::identity(), format!("p{seed}"));
    let mut net = IntNetwork { name, ..IntNetwork::default() };
    let x = net.add_input("x", input.to_vec(), ty, real.clone()).ok()?;
    let port = InputPort { name: "x".into(), node: x, shape: input.to_vec(), order: vec![], encoder: vec![] };
    net.inputs.push(port);
    let pad = if r.random() { vec![0] } else { (0..channels).map(|_| r.random_range(ty.min()..=ty.max())).collect() };
    let conv = IntConv { input, window, groups, weights: Arc::new(Matrix { rows, cols, data }), pad };
    let mut out = net.add("conv", "conv", IntOp::Conv(conv), &[x], real.clone()).ok()?;
    let id = out;
    let image = shape(input, &window, rows);
    if r.random() && image[0] > 1 && image[1] > 1 {
        let window = Window { kernel: [2; 2], stride: [2; 2], dilation: [1; 2], pads: [0; 4] };
        let op = pick(&mut r, &[ReduceOp::Max, ReduceOp::Sum]);
        let op = IntOp::Pool { op, input: image, window, pad: vec![0] };
        out = net.add("pool", "pool", op, &[out], real.clone()).ok()?;
    }
    let shape = net.graph.node(out).shape.clone();
    net.outputs.push(OutputPort { name: "y".into(), node: out, shape, order: vec![], real });

    let work = Work::of(&net, id)?;
    let pixels: Vec<usize> = (2..=input[1]).filter(|m| work.windows(*m) > 1).collect();
    if pixels.is_empty() {
        return None;
    }
    let simd = divisor(&mut r, work.cols);
    let mut folding = Folding::undecided(&net, r.random_range(1..40));
    folding.layers.insert(
        id,
        Compute {
            pe: work.rows,
            simd,
            window_lanes: Some(channels),
            early: 0,
            pixels: pick(&mut r, &pixels),
            multiplier: match r.random_range(0..3) {
                0 if !depthwise => Multiplier::Packed,
                1 => Multiplier::Dsp,
                _ => Multiplier::Lut,
            },
            memory: pick(&mut r, &[Memory::Lut, Memory::Block]),
        },
    );
    folding.lanes.insert(x, pick(&mut r, &[1, channels, 2 * channels]));
    let mut design = lower::run(&net, &HashMap::new(), &folding).unwrap_or_else(|d| panic!("{d}"));
    design.name = format!("p{seed}");
    for id in design.modules() {
        for port in 0..design.outputs_of(id).len() {
            design.stream_mut(id, port).expect("a port").depth = r.random_range(1..=5);
        }
    }
    let golden = Golden::new(&net).unwrap_or_else(|d| panic!("{d}"));
    let vectors = Vectors::example(&design, 3).unwrap_or_else(|d| panic!("{d}"));
    assert_eq!(vectors.outputs, golden.run(&vectors.inputs, 3).unwrap_or_else(|d| panic!("{d}")), "seed {seed}");
    Some(design)
}
