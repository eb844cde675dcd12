//! Random integer networks, lowered by the passes at a random interval.

use crate::common::{divisor, pick};
use netfold_ir::graph::NodeId;
use netfold_ir::hw::{BroadcastOp, Design, Matrix, ReduceOp};
use netfold_ir::int::{InputPort, IntConv, IntNetwork, IntOp, OutputPort, StepFn};
use netfold_ir::net::{Affine, UnaryFn, Window};
use netfold_ir::quant::{IntType, Overflow, Quantizer, Rounding};
use netfold_ir::rat;
use netfold_passes::fold::{Budget, balanced};
use netfold_passes::{fifo, lower};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;
use std::sync::Arc;

/// A network under construction.
struct Grower {
    net: IntNetwork,
    rng: ChaCha8Rng,
}

/// A random network of two to six layers with one or two outputs.
pub fn network(mut rng: ChaCha8Rng) -> IntNetwork {
    let image = rng.random_range(0..3) > 0;
    let shape = if image {
        vec![rng.random_range(2..=7), rng.random_range(2..=7), rng.random_range(1..=4)]
    } else {
        vec![rng.random_range(1..=20)]
    };
    let ty = IntType::new(rng.random(), rng.random_range(1..=8));
    let mut g = Grower { net: IntNetwork { name: "random".into(), ..IntNetwork::default() }, rng };
    let real = Affine { scale: vec![rat::pow2(g.rng.random_range(-6..=1))], ..Affine::identity() };
    let mut x = g.net.add_input("x", shape.clone(), ty, real).unwrap();
    g.net.inputs.push(InputPort { name: "x".into(), node: x, shape, order: Vec::new(), encoder: Vec::new() });
    let layers = g.rng.random_range(2..=6);
    for layer in 0..layers {
        let next = g.layer(x);
        if layer > 0 && g.rng.random_range(0..6) == 0 {
            g.output(x);
        }
        x = next;
    }
    g.output(x);
    g.net
}

impl Grower {
    fn add(&mut self, what: &str, op: IntOp, inputs: &[NodeId]) -> NodeId {
        self.net.add(what, what, op, inputs, Affine::identity()).unwrap_or_else(|d| panic!("{d}"))
    }

    fn output(&mut self, node: NodeId) {
        let n = self.net.graph.node(node);
        let (shape, real) = (n.shape.clone(), n.real.clone());
        let name = format!("y {}", self.net.outputs.len());
        self.net.outputs.push(OutputPort { name, node, shape, order: Vec::new(), real });
    }

    fn weights(&mut self, rows: usize, cols: usize) -> Arc<Matrix> {
        let most = pick(&mut self.rng, &[1, 3, 20]);
        let bipolar = self.rng.random_range(0..4) == 0;
        let r = &mut self.rng;
        let one = |r: &mut ChaCha8Rng| if bipolar { pick(r, &[-1, 1]) } else { r.random_range(-most..=most) };
        Arc::new(Matrix { rows, cols, data: (0..rows * cols).map(|_| one(r)).collect() })
    }

    /// A layer that fits behind `x`.
    fn layer(&mut self, x: NodeId) -> NodeId {
        let node = self.net.graph.node(x);
        let (shape, bits, elements) = (node.shape.clone(), node.ty().bits, node.elements());
        if bits > 9 {
            return self.step(x);
        }
        match (self.rng.random_range(0..9), shape.as_slice()) {
            (0..=2, [h, w, c]) => self.conv(x, [*h, *w, *c]),
            (3, [h, w, c]) => self.pool(x, [*h, *w, *c]),
            (4, [h, w, c]) if h * w * c < 100 => {
                let factors = [self.rng.random_range(1..=2), self.rng.random_range(1..=2)];
                self.add("up", IntOp::Upsample { input: [*h, *w, *c], factors }, &[x])
            }
            (5, [_, _, c]) => {
                let op = pick(&mut self.rng, &[ReduceOp::Max, ReduceOp::Sum]);
                self.add("global", IntOp::GlobalReduce { op, channels: *c }, &[x])
            }
            (0..=3, _) | (5, _) => {
                let cols = divisor(&mut self.rng, elements);
                let rows = self.rng.random_range(1..=10);
                let weights = self.weights(rows, cols);
                self.add("dense", IntOp::Dense(weights), &[x])
            }
            (4, _) => self.scalars(x),
            (6, _) => {
                let y = self.step(x);
                let shift = self.rng.random_range(-3..=3);
                let coefficients = vec![vec![1], vec![pick(&mut self.rng, &[1, -1, 3])]];
                self.add("residual", IntOp::LinComb { coefficients, constant: vec![shift] }, &[x, y])
            }
            (7, _) => {
                let mut order: Vec<u32> = (0..elements as u32).collect();
                for i in (1..elements).rev() {
                    order.swap(i, self.rng.random_range(0..=i));
                }
                self.add("permute", IntOp::Permute { order: Arc::new(order), shape }, &[x])
            }
            _ => self.step(x),
        }
    }

    /// Each vector minus its largest element, or times its sum.
    fn scalars(&mut self, x: NodeId) -> NodeId {
        let length = divisor(&mut self.rng, self.net.graph.node(x).elements());
        let (reduce, op) =
            pick(&mut self.rng, &[(ReduceOp::Max, BroadcastOp::RSub), (ReduceOp::Sum, BroadcastOp::Mul)]);
        let scalar = self.add("scalar", IntOp::VectorReduce { op: reduce, length }, &[x]);
        self.add("broadcast", IntOp::Broadcast { op, length }, &[x, scalar])
    }

    fn window(&mut self, [h, w, _]: [usize; 3]) -> Window {
        let r = &mut self.rng;
        let kernel = [r.random_range(1..=h.min(3)), r.random_range(1..=w.min(3))];
        let mut pads = [0; 4];
        for (i, p) in pads.iter_mut().enumerate() {
            *p = r.random_range(0..kernel[i % 2]);
        }
        Window { kernel, stride: [r.random_range(1..=2), r.random_range(1..=2)], dilation: [1, 1], pads }
    }

    fn conv(&mut self, x: NodeId, input: [usize; 3]) -> NodeId {
        let window = self.window(input);
        let taps = window.kernel[0] * window.kernel[1];
        let depthwise = input[2] > 1 && self.rng.random_range(0..3) == 0;
        let (rows, cols, groups) = if depthwise {
            (input[2] * self.rng.random_range(1..=2), taps, input[2])
        } else {
            (self.rng.random_range(1..=5), taps * input[2], 1)
        };
        let weights = self.weights(rows, cols);
        self.add("conv", IntOp::Conv(IntConv { input, window, groups, weights, pad: vec![0] }), &[x])
    }

    fn pool(&mut self, x: NodeId, input: [usize; 3]) -> NodeId {
        let window = self.window(input);
        let op = pick(&mut self.rng, &[ReduceOp::Max, ReduceOp::Sum]);
        let lowest = self.net.graph.node(x).range.hull().0;
        let pad = vec![if op == ReduceOp::Max { lowest } else { 0 }];
        self.add("pool", IntOp::Pool { op, input, window, pad }, &[x])
    }

    /// An activation with a quantizer of a random format.
    fn step(&mut self, x: NodeId) -> NodeId {
        let node = self.net.graph.node(x);
        let (lo, hi) = node.range.hull();
        let channels = node.shape.last().copied().unwrap_or(1);
        let spread = (hi - lo).max(1);
        let r = &mut self.rng;
        let bits = r.random_range(1..=6);
        let ty = IntType::new(r.random(), bits);
        // One step of the result is about so many of the input that the result's range is used.
        let scale =
            rat::from_f64((spread as f64 / f64::from(1u32 << bits) * r.random_range(0.3..1.5)).max(1e-3)).unwrap();
        let per_channel = r.random_range(0..3) == 0;
        let n = if per_channel { channels } else { 1 };
        let factor = |r: &mut ChaCha8Rng| rat::from_f64(f64::from(r.random_range(-12i32..=12)) / 8.0 + 0.0625).unwrap();
        let offset = |r: &mut ChaCha8Rng| rat::from_f64(f64::from(r.random_range(-50i32..=50)) / 4.0).unwrap();
        let affine = Affine { scale: (0..n).map(|_| factor(r)).collect(), offset: (0..n).map(|_| offset(r)).collect() };
        let mut functions = vec![UnaryFn::Affine(affine)];
        match r.random_range(0..5) {
            0 | 1 => functions.push(UnaryFn::Relu),
            2 => functions.push(UnaryFn::LeakyRelu(vec![0.125])),
            3 if spread < 4096 => functions.extend([
                UnaryFn::Affine(Affine {
                    scale: vec![rat::from_f64(4.0 / spread as f64).unwrap()],
                    ..Affine::identity()
                }),
                UnaryFn::Tanh,
                UnaryFn::Affine(Affine { scale: vec![rat::from_i64(spread)], ..Affine::identity() }),
            ]),
            _ => {}
        }
        let rounding = pick(r, &[Rounding::HalfEven, Rounding::Floor, Rounding::HalfUp, Rounding::HalfAwayFromZero]);
        let quantizer = Quantizer {
            scale: vec![scale],
            zero_point: vec![rat::from_i64(0)],
            ty,
            rounding,
            overflow: Overflow::Saturate,
        };
        self.add("step", IntOp::Step(StepFn { input: Affine::identity(), functions, quantizer }), &[x])
    }
}

/// The design of a network at an interval.
pub fn design(net: &IntNetwork, interval: u64) -> Design {
    let realizations = lower::realize_all(net).unwrap_or_else(|d| panic!("{d}\n{}", net.dump()));
    let folding = balanced(net, interval, &HashMap::new(), Budget { dsp: 100, block_memory: true });
    let mut design = lower::run(net, &realizations, &folding).unwrap_or_else(|d| panic!("{d}\n{}", net.dump()));
    fifo::run(&mut design).unwrap_or_else(|d| panic!("{d}\n{}", net.dump()));
    design
}
