//! Constant channels: the integer network computes the same without them, and loses their weights.

use netfold_ir::int::golden::Golden;
use netfold_ir::int::{IntNetwork, IntOp};
use netfold_ir::net::{Network, Op, UnaryFn};
use netfold_passes::precision::NoFormats;
use netfold_passes::random::{self, Random};
use netfold_passes::{constants, normalize, quantize, streamline};

/// Nonzero weights of all products.
fn nonzeros(net: &IntNetwork) -> usize {
    let of = |op: &IntOp| match op {
        IntOp::Dense(w) => w.data.iter().filter(|v| **v != 0).count(),
        IntOp::Conv(c) => c.weights.data.iter().filter(|v| **v != 0).count(),
        _ => 0,
    };
    net.graph.ids().into_iter().map(|id| of(&net.graph.node(id).op)).sum()
}

/// Clips some channels of activations to one value, so that neurons are dead or stuck.
fn stick(net: &mut Network, r: &mut Random) {
    for id in net.graph.ids() {
        let channels = net.graph.node(id).shape.last().copied().unwrap_or(1);
        let Op::Unary(f) = &mut net.graph.node_mut(id).op else { continue };
        if matches!(f, UnaryFn::Relu) && channels > 1 {
            let bounds = (0..channels).map(|_| match r.below(3) {
                0 => (0.0, 0.0),
                1 => (0.5, 0.5),
                _ => (0.0, 4.0),
            });
            let (lo, hi) = bounds.unzip();
            *f = UnaryFn::Clip(lo, hi);
        }
    }
}

#[test]
fn networks_without_their_constants_compute_the_same() {
    let (mut smaller, mut same, mut removed) = (0, 0, 0);
    for seed in 0..500 {
        let mut net = random::network(seed).unwrap();
        let r = &mut Random::new(seed ^ 0x5eed);
        stick(&mut net, r);
        normalize::run(&mut net).unwrap();
        let Ok(summary) = quantize::run(&mut net, &NoFormats, None) else { continue };
        let Ok(before) = streamline::run(&net, &summary.inserted) else { continue };
        let mut after = before.clone();
        constants::run(&mut after).unwrap();
        after.verify().unwrap();
        let golden = [&before, &after].map(|n| Golden::new(n).unwrap());
        let n: usize = net.inputs[0].shape.iter().product();
        let real: Vec<f64> = (0..n * 8).map(|_| r.between(-400, 400) as f64 / 64.0).collect();
        let x = golden[0].encode(0, &real).unwrap();
        let y = golden.each_ref().map(|g| g.run(std::slice::from_ref(&x), 8).unwrap());
        assert_eq!(y[0], y[1], "seed {seed}\n{}\n{}", before.dump(), after.dump());
        let (a, b) = (nonzeros(&before), nonzeros(&after));
        assert!(b <= a, "seed {seed}");
        if b < a {
            smaller += 1
        } else {
            same += 1
        }
        removed += a - b;
        // Nothing is left to do.
        let again = after.dump();
        constants::run(&mut after).unwrap();
        assert_eq!(again, after.dump(), "seed {seed}");
    }
    println!("{smaller} networks became smaller, {same} did not; {removed} weights removed");
    assert!(smaller >= 80 && removed > 1300, "{smaller} networks, {removed} weights");
}
