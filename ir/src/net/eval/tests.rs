use super::*;
use crate::net::{Conv, Pool, PoolKind, Softmax, Weights, Window};

/// A network of operators in a row behind one input.
fn chain(input: &[usize], ops: Vec<Op>) -> Network {
    let mut net = Network { name: "t".into(), ..Network::default() };
    let mut node = net.add("x", Op::Input(input.to_vec()), &[]).unwrap();
    net.inputs.push(Port { name: "x".into(), node, shape: input.to_vec(), order: vec![] });
    for op in ops {
        node = net.add("n", op, &[node]).unwrap();
    }
    let shape = net.shape(node).to_vec();
    net.outputs.push(Port { name: "y".into(), node, shape, order: vec![] });
    net.verify().unwrap();
    net
}

/// The single output of one sample.
fn run(net: &Network, x: &[f64]) -> Vec<f64> {
    evaluate(net, &[x.to_vec()], 1).unwrap().swap_remove(0)
}

#[test]
fn padded_convolution_by_hand() {
    let window = Window { kernel: [1, 3], stride: [1, 1], dilation: [1, 1], pads: [0, 1, 0, 1] };
    let weights = Weights::float(vec![1.0, 10.0, 100.0]);
    let conv = Conv { window, out_channels: 1, in_channels: 1, groups: 1, weights, bias: vec![0.5] };
    let net = chain(&[1, 4, 1], vec![Op::Conv(conv)]);
    assert_eq!(run(&net, &[1.0, 2.0, 3.0, 4.0]), [210.5, 321.5, 432.5, 43.5]);
}

#[test]
fn average_leaves_padding_out_of_the_divisor() {
    let window = Window { kernel: [1, 2], stride: [1, 1], dilation: [1, 1], pads: [0, 1, 0, 0] };
    for (include_pad, first) in [(false, 4.0), (true, 2.0)] {
        let pool = Pool { kind: PoolKind::Average { include_pad }, window };
        assert_eq!(run(&chain(&[1, 2, 1], vec![Op::Pool(pool)]), &[4.0, 8.0]), [first, 6.0]);
    }
}

#[test]
fn transposes_and_softmax_work_along_the_last_axis() {
    let net = chain(&[2, 3], vec![Op::Transpose(vec![1, 0])]);
    assert_eq!(run(&net, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    let net = chain(&[2, 2], vec![Op::Softmax(Softmax { log: false })]);
    assert_eq!(run(&net, &[1000.0, 1000.0, -5.0, -5.0]), [0.5; 4]);
}

#[test]
fn port_orders_are_undone() {
    let mut net = chain(&[3, 2], vec![Op::Reshape(vec![3, 2])]);
    // The file has [2, 3]; the node holds [3, 2].
    for port in net.inputs.iter_mut().chain(&mut net.outputs) {
        port.shape = vec![2, 3];
        port.order = vec![1, 0];
    }
    let evaluator = Evaluator::new(&net).unwrap();
    let x = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
    let values = evaluator.run(&[&x]).unwrap();
    assert_eq!(values.get(net.outputs[0].node), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    assert_eq!(evaluator.outputs(&values)[0], x);
}

#[test]
fn visiting_sees_every_node_of_every_sample() {
    let net = chain(&[2], vec![Op::Unary(crate::net::UnaryFn::Relu)]);
    let x = [vec![-1.0, 2.0, -3.0, 7.0]];
    let grow = |acc: &mut (f64, usize), _, v: &[f64]| {
        acc.0 = v.iter().copied().fold(acc.0, f64::max);
        acc.1 += v.len();
    };
    let (max, count) = visit(&net, &x, 2, || (0.0, 0), grow, |a, b| (f64::max(a.0, b.0), a.1 + b.1)).unwrap();
    assert_eq!((max, count), (7.0, 8));
    assert!(evaluate(&net, &x, 3).is_err());
}
