//! Whole networks as people train them: perceptrons, autoencoders, convolutional, residual and separable networks, with their
//! own quantizers (as QONNX has them) or in one fixed-point format (as hls4ml configures them).

use super::draw::{Weights, weight_bits};
use netfold_ir::diag::Diag;
use netfold_ir::graph::NodeId;
use netfold_ir::net::{Affine, ArgMax, Conv, Dense, Network, Op, Pool, PoolKind, Port, Softmax, Sum, UnaryFn, Window};
use netfold_ir::quant::{IntType, Overflow, Quantizer, Rounding};
use netfold_ir::rat;
use netfold_passes::precision::Formats;
use netfold_passes::random::{self, Random};

/// One fixed-point format for every tensor and weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fixed {
    /// Bits in all, and before the binary point; `None`: nothing is asked for.
    pub format: Option<(u32, i32)>,
}

impl Fixed {
    fn quantizer(self) -> Option<Quantizer> {
        let (bits, integer) = self.format?;
        Some(Quantizer::fixed(true, bits, integer, Rounding::Floor, Overflow::Saturate))
    }
}

impl Formats for Fixed {
    fn result(&self, _: &[&str], _: &str) -> Option<Quantizer> {
        None
    }
    fn weight(&self, _: &[&str], _: &str) -> Option<Quantizer> {
        self.quantizer()
    }
    fn bias(&self, _: &[&str], _: &str) -> Option<Quantizer> {
        self.quantizer()
    }
    fn table_size(&self, _: &[&str], _: &str) -> Option<usize> {
        None
    }
    fn model_default(&self) -> Option<Quantizer> {
        self.quantizer()
    }
    fn weight_bits(&self) -> Option<u32> {
        None
    }
    fn activation_bits(&self) -> Option<u32> {
        None
    }
}

/// A network with its formats.
#[derive(Debug)]
pub struct Drawn {
    /// The network.
    pub net: Network,
    /// What it is called in the table.
    pub family: &'static str,
    /// Formats of what has none.
    pub formats: Fixed,
}

/// A tensor under construction.
#[derive(Clone, Copy)]
struct Tensor {
    id: NodeId,
    /// Size of the typical element.
    rms: f64,
}

/// A network under construction.
struct Build<'a> {
    r: &'a mut Random,
    net: Network,
    /// Whether tensors and weights have formats of their own.
    quantized: bool,
    weight_bits: u32,
    act_bits: u32,
    normalized: bool,
}

/// Draws a network. `large` says that all sizes are wanted, otherwise small ones.
///
/// # Errors
/// When shapes do not fit together, which no seed should lead to.
pub fn draw(r: &mut Random, large: bool) -> Result<Drawn, Diag> {
    let kind = r.below(20);
    if kind == 19 {
        let net = random::network(r.bits() >> 16)?;
        return Ok(Drawn { net, family: "random", formats: Fixed { format: None } });
    }
    let quantized = !r.once_in(4);
    let format = (!quantized).then(|| {
        let bits = r.pick(&[6, 8, 8, 10, 12, 14, 16]);
        let integer = if bits == 16 { 6 } else { r.between(2, 4) as i32 };
        (bits, integer)
    });
    let format = if format == Some((16, 6)) && r.once_in(2) { None } else { format };
    let weight_bits = weight_bits(r).min(8);
    let act_bits = if r.once_in(3) { weight_bits } else { r.pick(&[1, 2, 3, 4, 4, 5, 6, 6, 8, 8]) };
    let normalized = r.once_in(3);
    let mut b = Build { r, net: Network::default(), quantized, weight_bits, act_bits, normalized };
    let family = match kind {
        0..8 => b.mlp(large)?,
        8..10 => b.autoencoder(large)?,
        10..14 => b.cnn(large)?,
        14..16 => b.cnn1d(large)?,
        16..18 => b.residual(large)?,
        _ => b.separable(large)?,
    };
    let Build { mut net, .. } = b;
    net.name = "net".into();
    Ok(Drawn { net, family, formats: Fixed { format } })
}

/// Draws a network of a shape that is often reported. `large` says that all sizes are wanted, otherwise small ones.
///
/// # Errors
/// When shapes do not fit together, which no seed should lead to.
pub fn known(r: &mut Random, large: bool) -> Result<Drawn, Diag> {
    let quantized = !r.once_in(3);
    let format = (!quantized).then(|| r.pick(&[(16, 6), (16, 6), (12, 4), (8, 3)]));
    let weight_bits = if large { r.pick(&[2, 3, 4, 6, 6, 8]) } else { r.pick(&[1, 2, 2, 3, 4]) };
    let act_bits = if large { r.pick(&[2, 3, 4, 6, 6, 8]) } else { r.pick(&[1, 2, 2, 3, 4]) };
    let normalized = r.once_in(4);
    let mut b = Build { r, net: Network::default(), quantized, weight_bits, act_bits, normalized };
    let family = match b.r.below(8) {
        0..5 => b.tagger(large)?,
        5 => b.autoencoder(large)?,
        6 if large => b.cnn(large)?,
        _ => b.cnn1d(false)?,
    };
    let Build { mut net, .. } = b;
    net.name = "net".into();
    Ok(Drawn { net, family, formats: Fixed { format } })
}

impl Build<'_> {
    /// A jet tagger: 16 features, five classes (Duarte et al., 2018).
    fn tagger(&mut self, large: bool) -> Result<&'static str, Diag> {
        let shapes: &[&[usize]] =
            if large { &[&[64, 32, 32], &[64, 32, 32], &[32, 16, 16], &[64, 32]] } else { &[&[16, 8], &[8, 8], &[12]] };
        let mut x = self.input(&[if large { 16 } else { 8 }])?;
        for width in self.r.pick(shapes) {
            x = self.dense(x, *width)?;
            x = self.activate(x)?;
        }
        x = self.dense(x, 5)?;
        self.head(x)?;
        Ok("tagger")
    }

    fn input(&mut self, shape: &[usize]) -> Result<Tensor, Diag> {
        let id = self.net.add("x", Op::Input(shape.to_vec()), &[])?;
        self.net.inputs.push(Port { name: "x".into(), node: id, shape: shape.to_vec(), order: Vec::new() });
        let x = Tensor { id, rms: 1.0 };
        if !self.quantized {
            return Ok(x);
        }
        let signed = !self.r.once_in(3);
        let bits = self.r.pick(&[self.act_bits, 4, 6, 8, 8, 8]).max(if signed { 2 } else { 1 });
        self.quantize(x, signed, bits)
    }

    /// A quantizer whose range is about three times the typical element.
    fn quantize(&mut self, x: Tensor, signed: bool, bits: u32) -> Result<Tensor, Diag> {
        let ty = IntType { signed, bits, narrow: signed && bits > 1 && self.r.once_in(4) };
        let reach = (3.0 * x.rms).max(1e-6) / (ty.max().max(1) as f64);
        let mut exponent = 0i32;
        while rat::to_f64(&rat::pow2(exponent)) > reach && exponent > -40 {
            exponent -= 1;
        }
        while rat::to_f64(&rat::pow2(exponent + 1)) <= reach && exponent < 40 {
            exponent += 1;
        }
        let scale = if self.r.below(3) < 2 {
            rat::pow2(exponent)
        } else {
            rat::from_i64(self.r.between(33, 63)) * rat::pow2(exponent - 5)
        };
        let step = rat::to_f64(&scale);
        let rounding = self.r.pick(&[Rounding::HalfEven, Rounding::HalfEven, Rounding::Floor, Rounding::HalfUp]);
        let quantizer = Quantizer {
            scale: vec![scale],
            zero_point: vec![rat::from_i64(0)],
            ty,
            rounding,
            overflow: Overflow::Saturate,
        };
        let id = self.net.add("quant", Op::Unary(UnaryFn::Quant(quantizer)), &[x.id])?;
        let rms = step * (ty.max().max(1) as f64) * 0.4;
        Ok(Tensor { id, rms })
    }

    /// Weights of a layer and the typical size of its sums.
    fn weights(&mut self, n: usize, per: usize, x: Tensor) -> (netfold_ir::net::Weights, f64) {
        let bits = if self.quantized { self.weight_bits } else { 8 };
        let bits = if self.r.once_in(5) && self.quantized { (bits + 1).min(8) } else { bits };
        let weights = Weights::draw(self.r, bits);
        let data = weights.take(self.r, n * per);
        let shift = self.r.between(2, 4) as u32 + bits.saturating_sub(1);
        let scale = 1.0 / (1u64 << shift) as f64;
        let values = data.iter().map(|w| *w as f64 * scale).collect();
        let rms = Weights::rms(&data) * scale * x.rms * (per as f64).sqrt();
        let scale = self.quantized.then(|| vec![scale]);
        (netfold_ir::net::Weights { values, scale }, rms)
    }

    fn bias(&mut self, n: usize, rms: f64) -> Vec<f64> {
        if self.r.once_in(3) {
            return Vec::new();
        }
        let unit = (rms * 256.0).ceil().max(1.0) as i64;
        (0..n).map(|_| self.r.between(-unit, unit) as f64 / 512.0).collect()
    }

    fn dense(&mut self, x: Tensor, outputs: usize) -> Result<Tensor, Diag> {
        let inputs = self.net.shape(x.id).last().copied().unwrap_or(1);
        let (weights, rms) = self.weights(outputs, inputs, x);
        let bias = self.bias(outputs, rms);
        let id = self.net.add("dense", Op::Dense(Dense { outputs, inputs, weights, bias }), &[x.id])?;
        Ok(Tensor { id, rms })
    }

    fn conv(&mut self, x: Tensor, window: Window, out_channels: usize, groups: usize) -> Result<Tensor, Diag> {
        let in_channels = self.net.shape(x.id).last().copied().unwrap_or(1);
        let per = window.kernel[0] * window.kernel[1] * in_channels / groups;
        let (weights, rms) = self.weights(out_channels, per, x);
        let bias = self.bias(out_channels, rms);
        let conv = Conv { window, out_channels, in_channels, groups, weights, bias };
        let id = self.net.add("conv", Op::Conv(conv), &[x.id])?;
        Ok(Tensor { id, rms })
    }

    /// Batch norm (sometimes), ReLU (mostly), quantizer.
    fn activate(&mut self, mut x: Tensor) -> Result<Tensor, Diag> {
        if self.normalized {
            let channels = self.net.shape(x.id).last().copied().unwrap_or(1);
            let unit = (x.rms * 64.0).ceil().max(1.0) as i64;
            let scale = (0..channels).map(|_| rat::from_i64(self.r.between(40, 90)) * rat::pow2(-6)).collect();
            let offset = (0..channels).map(|_| rat::from_i64(self.r.between(-unit, unit)) * rat::pow2(-7)).collect();
            x.id = self.net.add("norm", Op::Unary(UnaryFn::Affine(Affine { scale, offset })), &[x.id])?;
        }
        let f = match self.r.below(12) {
            0..9 => Some(UnaryFn::Relu),
            9 => Some(UnaryFn::LeakyRelu(vec![0.125])),
            10 => Some(if self.r.once_in(2) { UnaryFn::Tanh } else { UnaryFn::Sigmoid }),
            _ => None,
        };
        let signed = !matches!(f, Some(UnaryFn::Relu | UnaryFn::Sigmoid));
        if let Some(f) = f {
            if matches!(f, UnaryFn::Tanh | UnaryFn::Sigmoid) {
                x.rms = 0.5;
            }
            x.id = self.net.add("act", Op::Unary(f), &[x.id])?;
        }
        if !self.quantized {
            return Ok(x);
        }
        let bits = self.act_bits.max(if signed { 2 } else { 1 });
        self.quantize(x, signed, bits)
    }

    fn pool(&mut self, x: Tensor) -> Result<Tensor, Diag> {
        let shape = self.net.shape(x.id).to_vec();
        let k = [if shape[0] >= 2 { 2 } else { 1 }, if shape[1] >= 2 { 2 } else { 1 }];
        let kind = if self.r.once_in(4) { PoolKind::Average { include_pad: false } } else { PoolKind::Max };
        let id = self.net.add("pool", Op::Pool(Pool { kind, window: Window::simple(k, k) }), &[x.id])?;
        let x = Tensor { id, ..x };
        if self.quantized && kind != PoolKind::Max { self.quantize(x, true, self.act_bits.max(2)) } else { Ok(x) }
    }

    fn flatten(&mut self, x: Tensor) -> Result<Tensor, Diag> {
        let n = self.net.shape(x.id).iter().product();
        let id = self.net.add("flatten", Op::Reshape(vec![n]), &[x.id])?;
        Ok(Tensor { id, ..x })
    }

    /// What comes behind the last layer.
    fn head(&mut self, x: Tensor) -> Result<(), Diag> {
        let id = match self.r.below(8) {
            0 | 1 => self.net.add("softmax", Op::Softmax(Softmax::default()), &[x.id])?,
            2 => self.net.add("argmax", Op::ArgMax(ArgMax { last: false }), &[x.id])?,
            3 if self.quantized => self.quantize(x, true, self.act_bits.max(4))?.id,
            4 if !self.quantized => self.net.add("sigmoid", Op::Unary(UnaryFn::Sigmoid), &[x.id])?,
            _ => x.id,
        };
        let shape = self.net.shape(id).to_vec();
        self.net.outputs.push(Port { name: "y".into(), node: id, shape, order: Vec::new() });
        Ok(())
    }

    fn mlp(&mut self, large: bool) -> Result<&'static str, Diag> {
        let inputs = self.r.pick(&[4, 8, 10, 16, 16, 16, 20, 24, 28, 32, 57, 64]);
        let mut x = self.input(&[inputs])?;
        let widest = if large { 96 } else { 64 };
        for _ in 0..self.r.between(1, 4) {
            let width = super::draw::size(self.r, 5, widest);
            x = self.dense(x, width)?;
            x = self.activate(x)?;
        }
        let outputs = self.r.pick(&[1, 2, 3, 5, 5, 10]);
        x = self.dense(x, outputs)?;
        self.head(x)?;
        Ok("mlp")
    }

    fn autoencoder(&mut self, large: bool) -> Result<&'static str, Diag> {
        let inputs = self.r.pick(if large { &[32, 48, 64, 96, 128] } else { &[16, 32, 48, 64, 64] });
        let mut x = self.input(&[inputs])?;
        let wide = inputs / self.r.pick(&[1, 2]);
        let middle = self.r.pick(&[2, 3, 4, 8]);
        for width in [wide, wide / 2, middle, wide / 2, wide] {
            x = self.dense(x, width)?;
            x = self.activate(x)?;
        }
        x = self.dense(x, inputs)?;
        let shape = self.net.shape(x.id).to_vec();
        self.net.outputs.push(Port { name: "y".into(), node: x.id, shape, order: Vec::new() });
        Ok("autoencoder")
    }

    /// A 3x3 (or 1x3) window that keeps the size, or a bare one.
    fn window(&mut self, flat: bool) -> Window {
        let k = self.r.pick(&[3, 3, 3, 5]);
        let kernel = [if flat { 1 } else { k }, k];
        let mut window = Window::simple(kernel, [1, 1]);
        if self.r.once_in(2) {
            let pad = kernel.map(|n| (n - 1) / 2);
            window.pads = [pad[0], pad[1], pad[0], pad[1]];
        }
        window
    }

    fn cnn(&mut self, large: bool) -> Result<&'static str, Diag> {
        let side = self.r.pick(if large { &[8, 12, 16, 20, 28, 32] } else { &[8, 10, 12, 14, 16, 16] });
        let channels = self.r.pick(&[1, 1, 3, 3]);
        let mut x = self.input(&[side, side, channels])?;
        for _ in 0..self.r.between(1, 3) {
            if self.net.shape(x.id)[0] < 6 {
                break;
            }
            let window = self.window(false);
            let out = self.r.pick(&[4, 6, 8, 8, 12, 16, if large { 32 } else { 10 }]);
            x = self.conv(x, window, out, 1)?;
            x = self.activate(x)?;
            if self.r.below(3) < 2 {
                x = self.pool(x)?;
            }
        }
        self.tail(x)?;
        Ok("cnn")
    }

    /// Global pooling or flattening, then dense layers.
    fn tail(&mut self, mut x: Tensor) -> Result<(), Diag> {
        let elements: usize = self.net.shape(x.id).iter().product();
        if elements > 1024 || self.r.once_in(3) {
            let id = self.net.add("global", Op::GlobalPool(PoolKind::Average { include_pad: false }), &[x.id])?;
            x = Tensor { id, ..x };
            if self.quantized {
                x = self.quantize(x, true, self.act_bits.max(3))?;
            }
        } else {
            x = self.flatten(x)?;
        }
        if self.r.once_in(2) {
            let width = self.r.pick(&[8, 16, 32, 64]);
            x = self.dense(x, width)?;
            x = self.activate(x)?;
        }
        let outputs = self.r.pick(&[1, 2, 5, 10, 10]);
        x = self.dense(x, outputs)?;
        self.head(x)
    }

    fn cnn1d(&mut self, large: bool) -> Result<&'static str, Diag> {
        let length = self.r.pick(if large { &[16, 32, 64, 128, 256] } else { &[12, 16, 24, 32, 64] });
        let channels = self.r.pick(&[1, 1, 2, 4, 8]);
        let mut x = self.input(&[1, length, channels])?;
        for _ in 0..self.r.between(1, 3) {
            if self.net.shape(x.id)[1] < 6 {
                break;
            }
            let window = self.window(true);
            let out = self.r.pick(&[4, 8, 8, 12, 16]);
            x = self.conv(x, window, out, 1)?;
            x = self.activate(x)?;
            if self.r.once_in(2) {
                x = self.pool(x)?;
            }
        }
        self.tail(x)?;
        Ok("cnn1d")
    }

    fn residual(&mut self, large: bool) -> Result<&'static str, Diag> {
        let side = self.r.pick(if large { &[8, 12, 16, 32] } else { &[6, 8, 10, 12] });
        let flat = self.r.once_in(3);
        let channels = self.r.pick(&[4, 6, 8, 8, if large { 16 } else { 4 }]);
        let image = self.r.pick(&[1, 3]);
        let mut x = self.input(&[if flat { 1 } else { side }, if flat { 2 * side } else { side }, image])?;
        let same = |k: usize| {
            let kernel = [if flat { 1 } else { k }, k];
            let pad = kernel.map(|n| (n - 1) / 2);
            Window { pads: [pad[0], pad[1], pad[0], pad[1]], ..Window::simple(kernel, [1, 1]) }
        };
        x = self.conv(x, same(3), channels, 1)?;
        x = self.activate(x)?;
        for _ in 0..self.r.between(1, 2) {
            let skip = x;
            let mut y = self.conv(x, same(3), channels, 1)?;
            y = self.activate(y)?;
            if self.r.once_in(2) {
                y = self.conv(y, same(self.r.clone().pick(&[1, 3])), channels, 1)?;
                y = if self.quantized { self.quantize(y, true, self.act_bits.max(2))? } else { y };
            }
            let id = self.net.add("add", Op::Sum(Sum::of(2)), &[skip.id, y.id])?;
            x = self.activate(Tensor { id, rms: skip.rms + y.rms })?;
        }
        self.tail(x)?;
        Ok("residual")
    }

    fn separable(&mut self, large: bool) -> Result<&'static str, Diag> {
        let side = self.r.pick(if large { &[10, 16, 24, 32] } else { &[8, 10, 12] });
        let channels = self.r.pick(&[4, 8, 8, if large { 32 } else { 12 }]);
        let mut x = self.input(&[side, side, self.r.clone().pick(&[1, 3])])?;
        let window = Window { pads: [1, 1, 1, 1], ..Window::simple([3, 3], [1, 1]) };
        x = self.conv(x, Window { stride: [2, 2], ..window }, channels, 1)?;
        x = self.activate(x)?;
        for _ in 0..self.r.between(1, 2) {
            x = self.conv(x, window, channels, channels)?;
            x = self.activate(x)?;
            x = self.conv(x, Window::simple([1, 1], [1, 1]), channels, 1)?;
            x = self.activate(x)?;
        }
        self.tail(x)?;
        Ok("separable")
    }
}
