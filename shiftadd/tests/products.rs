//! Graphs equal the matrix products that they were made from.

#![allow(clippy::unwrap_used)]

use netfold_shiftadd::*;

/// A small deterministic generator (SplitMix64).
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn range(&mut self, lo: i64, hi: i64) -> i64 {
        lo + (self.next() % (hi - lo + 1) as u64) as i64
    }
}

fn matrix(rng: &mut Rng, rows: usize, cols: usize, bits: u32, keep: i64) -> Vec<Vec<i64>> {
    let top = (1i64 << bits) / 2;
    (0..rows)
        .map(|_| {
            (0..cols)
                .map(|_| if rng.range(0, 99) < keep { rng.range(-top.max(1), (top - 1).max(1)) } else { 0 })
                .collect()
        })
        .collect()
}

fn vectors(rng: &mut Rng, inputs: &[InputSpec], n: usize) -> Vec<Vec<i64>> {
    let snap = |v: i64, z: u32| v >> z << z;
    let mut list: Vec<Vec<i64>> = vec![
        inputs.iter().map(|i| snap(i.range.hi, i.zeros)).collect(),
        inputs.iter().map(|i| snap(i.range.lo + (1 << i.zeros) - 1, i.zeros)).collect(),
    ];
    for k in 0..n {
        list.push(
            inputs
                .iter()
                .map(|i| {
                    let v = if k % 2 == 0 {
                        rng.range(i.range.lo, i.range.hi)
                    } else if rng.next() & 1 == 0 {
                        i.range.lo
                    } else {
                        i.range.hi
                    };
                    snap(v, i.zeros).max(snap(i.range.lo + (1 << i.zeros) - 1, i.zeros))
                })
                .collect(),
        );
    }
    list
}

fn product(m: &[Vec<i64>], x: &[i64]) -> Vec<i64> {
    m.iter().map(|r| r.iter().zip(x).map(|(a, b)| a * b).sum()).collect()
}

#[test]
fn random_matrices_of_all_sizes() {
    let mut rng = Rng(7);
    let sizes = [(1, 1), (1, 7), (3, 1), (2, 2), (5, 9), (8, 8), (16, 16), (13, 31), (32, 64), (64, 64)];
    for (case, &(rows, cols)) in sizes.iter().cycle().take(60).enumerate() {
        let bits = rng.range(1, 12) as u32;
        let bits = if rows * cols > 1000 { bits.min(6) } else { bits };
        let m = matrix(&mut rng, rows, cols, bits, [100, 25, 60][case % 3]);
        let inputs: Vec<InputSpec> = (0..cols)
            .map(|_| match rng.range(0, 5) {
                0 => InputSpec { range: Interval::new(-4, 8), zeros: 2 },
                1 => {
                    let lo = rng.range(-300, 300);
                    InputSpec { range: Interval::new(lo, lo + rng.range(0, 400)), zeros: 0 }
                }
                k => InputSpec::word(rng.range(1, 10) as u32, k % 2 == 0),
            })
            .collect();
        let options = Options {
            tries: 3,
            max_depth: if case % 4 == 3 { Some(0) } else { None },
            slack: (case % 3) as u32,
            threads: 1,
            ..Options::default()
        };
        let g = solve(&m, &inputs, &options).unwrap();
        for x in vectors(&mut rng, &inputs, 12) {
            assert_eq!(g.check(&x), Ok(()), "case {case}");
            assert_eq!(g.eval(&x), product(&m, &x), "case {case}: {rows}x{cols}, {bits} bits");
        }
    }
}

#[test]
fn layered_programs_are_exact() {
    let mut rng = Rng(11);
    for case in 0..24 {
        let inputs = vec![InputSpec::word(rng.range(2, 8) as u32, case % 2 == 0); 8];
        let mut width = 8;
        let mut layers = Vec::new();
        for l in 0..3 {
            let rows = rng.range(1, 12) as usize;
            let (bits, keep) = (rng.range(2, 7) as u32, rng.range(20, 100));
            let m = matrix(&mut rng, rows, width, bits, keep);
            let rounding = [Rounding::Floor, Rounding::HalfUp, Rounding::HalfEven][rng.range(0, 2) as usize];
            let overflow = [Overflow::Saturate, Overflow::Wrap, Overflow::SaturateSymmetric][rng.range(0, 2) as usize];
            let q = Quantizer {
                relu: rng.next() & 1 == 0,
                drop: rng.range(0, 5) as u32,
                rounding,
                bits: rng.range(2, 8) as u32,
                signed: rng.next() & 1 == 0,
                overflow,
            };
            layers.push(Layer {
                matrix: m,
                bias: (0..rows).map(|_| rng.range(-500, 500)).collect(),
                quantizers: vec![(l < 2).then_some(q); rows],
                max_depth: None,
            });
            width = rows;
        }
        let options = Options { tries: 2, slack: case % 3, threads: 1, ..Options::default() };
        let g = compile(&inputs, &layers, &options).unwrap();
        for x in vectors(&mut rng, &inputs, 40) {
            let mut v = x.clone();
            for l in &layers {
                let sums = product(&l.matrix, &v);
                v = sums
                    .iter()
                    .zip(&l.bias)
                    .zip(&l.quantizers)
                    .map(|((s, b), q)| q.map_or(s + b, |q| q.apply(s + b)))
                    .collect();
            }
            assert_eq!(g.check(&x).map_err(|(n, v)| (n, *g.node(n), v)), Ok(()), "case {case}");
            assert_eq!(g.eval(&x), v, "case {case}");
        }
    }
}

#[test]
fn exact_layers_of_real_size() {
    let mut rng = Rng(3);
    for case in 0..12 {
        let (rows, cols) = [(64, 16), (32, 64), (32, 32), (5, 32)][case % 4];
        let m = matrix(&mut rng, rows, cols, 6, [25, 60][case / 4 % 2]);
        let bias: Vec<i64> = (0..rows).map(|_| rng.range(-4000, 4000)).collect();
        let inputs = vec![InputSpec::word(8, case % 4 == 0); cols];
        let layer = Layer { matrix: m.clone(), bias: bias.clone(), quantizers: vec![None; rows], max_depth: None };
        let options = Options { tries: 2, slack: (case % 3) as u32, ..Options::default() };
        let g = compile(&inputs, &[layer], &options).unwrap();
        for x in vectors(&mut rng, &inputs, 200) {
            let want: Vec<i64> = product(&m, &x).iter().zip(&bias).map(|(a, b)| a + b).collect();
            for (j, (got, want)) in g.eval(&x).iter().zip(&want).enumerate() {
                let node = g.outputs[j].term.map(|t| *g.node(t.node));
                assert_eq!(got, want, "case {case} output {j} bias {} {node:?}", bias[j]);
            }
            assert_eq!(g.check(&x), Ok(()), "case {case}");
        }
    }
}

#[test]
fn bad_shapes_are_named() {
    let inputs = [InputSpec::word(8, true); 2];
    let e = solve(&[vec![1, 2], vec![1]], &inputs, &Options::default()).unwrap_err();
    assert_eq!(e.to_string(), "layer 0, row 1: 1 weights for 2 inputs");
    let e = solve(&[vec![1 << 45, 1]], &inputs, &Options::default()).unwrap_err();
    assert_eq!(e.to_string(), "layer 0, row 0: wider than 48 bits");
    let layer = Layer { matrix: vec![vec![1, 2]], bias: vec![], quantizers: vec![None], max_depth: None };
    let e = compile(&inputs, &[layer], &Options::default()).unwrap_err();
    assert_eq!(e.to_string(), "layer 0: 0 constants for 1 rows");
}
