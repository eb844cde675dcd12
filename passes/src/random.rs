//! Random networks from seeds, for differential tests: every backend must compute what the golden interpreter computes.

use netfold_ir::diag::Diag;
use netfold_ir::graph::NodeId;
use netfold_ir::net::{
    Affine, ArgMax, Concat, Conv, Dense, Network, Op, Pad, Pool, PoolKind, Port, Slice, Softmax, Sum, UnaryFn,
    Upsample, Weights, Window,
};
use netfold_ir::quant::{IntType, Overflow, Quantizer, Rounding};
use netfold_ir::rat::{self, Rat};
use num_traits::Zero;

/// SplitMix64 (Steele, Lea and Flood, 2014): a fixed stream of numbers from a seed.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A generator.
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n` (at least 1).
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n.max(1) as u64) as usize
    }

    /// A number from `lo` to `hi`.
    pub fn between(&mut self, lo: i64, hi: i64) -> i64 {
        lo + (self.bits() % (hi.abs_diff(lo) + 1)) as i64
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of several.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// A quantizer of a random format.
fn quantizer(r: &mut Random, channels: usize) -> Quantizer {
    let signed = !r.once_in(3);
    let bits = r.between(if signed { 2 } else { 1 }, 9) as u32;
    let power = r.once_in(2);
    let n = if r.once_in(5) { channels } else { 1 };
    let scale = (0..n)
        .map(|_| {
            let odd = if power { 1 } else { r.between(17, 40) };
            rat::from_i64(odd) * rat::pow2(-(r.between(2, 4) as i32) - if power { 0 } else { 5 })
        })
        .collect();
    let zero_point = if !signed && r.once_in(6) { rat::from_i64(1 << (bits - 1)) } else { Rat::zero() };
    Quantizer {
        scale,
        zero_point: vec![zero_point],
        ty: IntType { signed, bits, narrow: bits > 1 && r.once_in(6) },
        rounding: r.pick(&[Rounding::HalfEven, Rounding::HalfUp, Rounding::Floor, Rounding::HalfAwayFromZero]),
        overflow: Overflow::Saturate,
    }
}

/// Weights on a random grid.
fn weights(r: &mut Random, outputs: usize, per: usize) -> Weights {
    let n = if r.once_in(2) { outputs } else { 1 };
    let scale: Vec<f64> = (0..n).map(|_| r.between(1, 12) as f64 * 0.031_25).collect();
    let reach = r.pick(&[1, 1, 3, 7, 31]);
    let sparse = r.once_in(3);
    let values = (0..outputs * per)
        .map(|i| {
            let w = if sparse && r.once_in(2) { 0 } else { r.between(-reach, reach) };
            w as f64 * scale[i / per % n]
        })
        .collect();
    Weights { values, scale: Some(scale) }
}

/// A chain of functions that ends in a quantizer.
fn activation(r: &mut Random, net: &mut Network, x: NodeId) -> Result<NodeId, Diag> {
    let channels = net.shape(x).last().copied().unwrap_or(1);
    let mut x = x;
    if r.once_in(4) {
        let scale = (0..channels).map(|_| rat::from_i64(r.between(-9, 9)) * rat::pow2(-3)).collect();
        let offset = (0..channels).map(|_| rat::from_i64(r.between(-60, 60)) * rat::pow2(-4)).collect();
        x = net.add("affine", Op::Unary(UnaryFn::Affine(Affine { scale, offset })), &[x])?;
    }
    let f = match r.below(9) {
        0..3 => Some(UnaryFn::Relu),
        3 => Some(UnaryFn::LeakyRelu(vec![0.125])),
        4 => Some(UnaryFn::Clip(vec![-1.0], vec![2.5])),
        5 => Some(r.pick(&[0, 1]) as usize).map(|k| if k == 0 { UnaryFn::Sigmoid } else { UnaryFn::Tanh }),
        6 => Some(UnaryFn::HardSigmoid(0.25, 0.5)),
        _ => None,
    };
    if let Some(f) = f {
        x = net.add("function", Op::Unary(f), &[x])?;
    }
    let q = quantizer(r, channels);
    net.add("quant", Op::Unary(UnaryFn::Quant(q)), &[x])
}

/// A window that fits an image.
fn window(r: &mut Random, h: usize, w: usize) -> Window {
    let size = |r: &mut Random, n: usize| r.between(1, n.min(3) as i64) as usize;
    let kernel = [size(r, h), size(r, w)];
    let pad = |r: &mut Random, k: usize| if r.once_in(2) { r.below(k) } else { 0 };
    let pads = [pad(r, kernel[0]), pad(r, kernel[1]), pad(r, kernel[0]), pad(r, kernel[1])];
    let dilation = [0, 1].map(|a| {
        let fits = 2 * (kernel[a] - 1) < [h, w][a];
        if fits && r.once_in(5) { 2 } else { 1 }
    });
    Window { kernel, stride: [r.pick(&[1, 1, 2]), r.pick(&[1, 1, 2, 3])], dilation, pads }
}

/// A random network of the seed: one or two inputs' worth of layers of every kind, at most a few thousand elements.
///
/// # Errors
/// None for any seed that the tests use; shape inference reports what does not fit.
pub fn network(seed: u64) -> Result<Network, Diag> {
    let r = &mut Random::new(seed);
    let mut net = Network { name: format!("random_{seed}"), ..Network::default() };
    let image = !r.once_in(3);
    let shape = if image {
        vec![r.between(1, 7) as usize, r.between(2, 8) as usize, r.pick(&[1, 2, 3, 4, 6])]
    } else {
        vec![r.pick(&[1, 2, 4, 6, 8, 12, 16])]
    };
    let input = net.add("x", Op::Input(shape.clone()), &[])?;
    net.inputs.push(Port { name: "x".into(), node: input, shape: shape.clone(), order: Vec::new() });
    let q = quantizer(r, shape.last().copied().unwrap_or(1));
    let mut x = net.add("input_quant", Op::Unary(UnaryFn::Quant(q)), &[input])?;
    for _ in 0..r.between(1, 4) {
        let shape = net.shape(x).to_vec();
        x = match shape[..] {
            [h, w, c] => image_layer(r, &mut net, x, [h, w, c])?,
            _ => vector_layer(r, &mut net, x)?,
        };
    }
    if net.shape(x).len() == 3 && r.once_in(2) {
        let n = net.shape(x).iter().product();
        x = net.add("flatten", Op::Reshape(vec![n]), &[x])?;
        x = dense(r, &mut net, x)?;
    }
    match r.below(6) {
        0 if net.shape(x).len() == 1 => x = net.add("softmax", Op::Softmax(Softmax::default()), &[x])?,
        1 => x = net.add("argmax", Op::ArgMax(ArgMax { last: r.once_in(2) }), &[x])?,
        2 => x = activation(r, &mut net, x)?,
        _ => {}
    }
    let shape = net.shape(x).to_vec();
    net.outputs.push(Port { name: "y".into(), node: x, shape, order: Vec::new() });
    Ok(net)
}

/// A dense layer.
fn dense(r: &mut Random, net: &mut Network, x: NodeId) -> Result<NodeId, Diag> {
    let inputs = net.shape(x).last().copied().unwrap_or(1);
    let outputs = r.pick(&[1, 2, 3, 4, 6, 8, 10]);
    let weights = weights(r, outputs, inputs);
    let bias = if r.once_in(2) { (0..outputs).map(|_| r.between(-50, 50) as f64 / 16.0).collect() } else { Vec::new() };
    net.add("dense", Op::Dense(Dense { outputs, inputs, weights, bias }), &[x])
}

/// A layer on a vector.
fn vector_layer(r: &mut Random, net: &mut Network, x: NodeId) -> Result<NodeId, Diag> {
    let y = dense(r, net, x)?;
    let y = activation(r, net, y)?;
    match r.below(6) {
        0 => {
            let z = dense(r, net, x)?;
            let z = activation(r, net, z)?;
            net.add("concat", Op::Concat(Concat { axis: 0 }), &[y, z])
        }
        1 if net.shape(x) == net.shape(y) => {
            let s = net.add("sum", Op::Sum(Sum { negate: vec![false, r.once_in(2)] }), &[x, y])?;
            activation(r, net, s)
        }
        2 if net.shape(x) == net.shape(y) => {
            let s = net.add("product", Op::Mul, &[x, y])?;
            activation(r, net, s)
        }
        3 => {
            let n = net.shape(y)[0];
            let start = r.below(n);
            let count = 1 + r.below(n - start);
            net.add("slice", Op::Slice(Slice { axis: 0, start, count, step: 1 }), &[y])
        }
        _ => Ok(y),
    }
}

/// A layer on an image.
fn image_layer(r: &mut Random, net: &mut Network, x: NodeId, [h, w, c]: [usize; 3]) -> Result<NodeId, Diag> {
    match r.below(11) {
        0 => {
            let kind = if r.once_in(2) { PoolKind::Max } else { PoolKind::Average { include_pad: r.once_in(2) } };
            let mut window = window(r, h, w);
            window.dilation = [1, 1];
            let y = net.add("pool", Op::Pool(Pool { kind, window }), &[x])?;
            activation(r, net, y)
        }
        1 => {
            let kind = if r.once_in(2) { PoolKind::Max } else { PoolKind::Average { include_pad: false } };
            let y = net.add("global", Op::GlobalPool(kind), &[x])?;
            activation(r, net, y)
        }
        2 => {
            let factors = [r.pick(&[1, 2]), r.pick(&[1, 2, 3])];
            net.add("upsample", Op::Upsample(Upsample { factors }), &[x])
        }
        3 => {
            let pads = vec![(r.below(2), r.below(3)), (r.below(3), r.below(2)), (0, 0)];
            net.add("pad", Op::Pad(Pad { pads, value: 0.0 }), &[x])
        }
        4 => {
            let y = net.add("transpose", Op::Transpose(vec![2, 0, 1]), &[x])?;
            let y = net.add("reshape", Op::Reshape(vec![h, w, c]), &[y])?;
            Ok(y)
        }
        5 => {
            // A residual block.
            let y = convolution(r, net, x, Window::simple([1, 1], [1, 1]), c, 1)?;
            let y = activation(r, net, y)?;
            let s = net.add("sum", Op::Sum(Sum::of(2)), &[x, y])?;
            activation(r, net, s)
        }
        6 => {
            let outputs = r.pick(&[1, 2, 4]);
            let y = convolution(r, net, x, Window::simple([1, 1], [1, 1]), outputs, 1)?;
            let y = activation(r, net, y)?;
            let axis = 2;
            net.add("concat", Op::Concat(Concat { axis }), &[x, y])
        }
        7 => {
            let axis = r.below(3);
            let size = [h, w, c][axis];
            let start = r.below(size);
            let step = r.pick(&[1, 1, 2]);
            let count = 1 + (size - start - 1) / step;
            net.add("slice", Op::Slice(Slice { axis, start, count, step }), &[x])
        }
        8 => {
            let window = window(r, h, w);
            let multiplicity = r.pick(&[1, 1, 2]);
            let y = convolution(r, net, x, window, c * multiplicity, c)?;
            activation(r, net, y)
        }
        _ => {
            let window = window(r, h, w);
            let groups = if c.is_multiple_of(2) && r.once_in(4) { 2 } else { 1 };
            let outputs = r.pick(&[2, 4, 6]);
            let y = convolution(r, net, x, window, outputs, groups)?;
            activation(r, net, y)
        }
    }
}

/// A convolution.
fn convolution(
    r: &mut Random,
    net: &mut Network,
    x: NodeId,
    window: Window,
    out_channels: usize,
    groups: usize,
) -> Result<NodeId, Diag> {
    let in_channels = net.shape(x).last().copied().unwrap_or(1);
    let taps = window.kernel[0] * window.kernel[1];
    let weights = weights(r, out_channels, taps * in_channels / groups);
    let bias =
        if r.once_in(2) { (0..out_channels).map(|_| r.between(-9, 9) as f64 / 8.0).collect() } else { Vec::new() };
    net.add("conv", Op::Conv(Conv { window, out_channels, in_channels, groups, weights, bias }), &[x])
}
