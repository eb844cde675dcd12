//! Programs of any shape equal their meaning.

#![allow(clippy::unwrap_used)]

use netfold_shiftadd::*;

struct Rng(u64);

impl Rng {
    fn range(&mut self, lo: i64, hi: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        lo + ((self.0 >> 33) as i64).rem_euclid(hi - lo + 1)
    }
}

/// What a test computes for each value of a program, in the order of the program's values.
enum Meaning {
    Input(usize),
    Sum(Vec<(usize, i64)>, i64),
    Quant(usize, Quantizer),
}

fn eval(meanings: &[Meaning], x: &[i64]) -> Vec<i64> {
    let mut v: Vec<i64> = Vec::new();
    for m in meanings {
        v.push(match m {
            Meaning::Input(k) => x[*k],
            Meaning::Sum(terms, bias) => bias + terms.iter().map(|&(k, w)| w * v[k]).sum::<i64>(),
            Meaning::Quant(k, q) => q.apply(v[*k]),
        });
    }
    v
}

fn random_quantizer(rng: &mut Rng) -> Quantizer {
    Quantizer {
        relu: rng.range(0, 1) == 1,
        drop: rng.range(0, 4) as u32,
        rounding: [Rounding::Floor, Rounding::HalfUp, Rounding::HalfEven][rng.range(0, 2) as usize],
        bits: rng.range(1, 6) as u32,
        signed: rng.range(0, 1) == 1,
        overflow: [Overflow::Saturate, Overflow::Wrap, Overflow::SaturateSymmetric][rng.range(0, 2) as usize],
    }
}

#[test]
fn random_graphs_of_values_are_exact() {
    let mut rng = Rng(3);
    for case in 0..60 {
        let mut p = ProgramBuilder::new();
        let (mut values, mut meanings, mut specs) = (Vec::new(), Vec::new(), Vec::new());
        for k in 0..rng.range(1, 6) as usize {
            let spec = InputSpec::word(rng.range(1, 6) as u32, rng.range(0, 1) == 1);
            specs.push(spec);
            values.push(p.input(spec));
            meanings.push(Meaning::Input(k));
        }
        for _ in 0..rng.range(1, 6) {
            let pick = |rng: &mut Rng, n: usize| rng.range(0, n as i64 - 1) as usize;
            match rng.range(0, 3) {
                0 => {
                    // A product that reads values of several depths.
                    let from: Vec<usize> = (0..rng.range(1, 8)).map(|_| pick(&mut rng, values.len())).collect();
                    let rows = rng.range(1, 5) as usize;
                    let matrix: Vec<Vec<i64>> =
                        (0..rows).map(|_| from.iter().map(|_| rng.range(-9, 9)).collect()).collect();
                    let bias: Vec<i64> = (0..rows).map(|_| rng.range(-50, 50)).collect();
                    let xs: Vec<Value> = from.iter().map(|&k| values[k]).collect();
                    values.extend(p.product(&matrix, &bias, &xs).unwrap());
                    for (row, b) in matrix.iter().zip(bias) {
                        meanings.push(Meaning::Sum(from.iter().copied().zip(row.iter().copied()).collect(), b));
                    }
                }
                1 => {
                    let (a, b) = (pick(&mut rng, values.len()), pick(&mut rng, values.len()));
                    values.push(p.add(values[a], values[b]).unwrap());
                    meanings.push(Meaning::Sum(vec![(a, 1), (b, 1)], 0));
                }
                _ => {
                    let (k, q) = (pick(&mut rng, values.len()), random_quantizer(&mut rng));
                    values.push(p.quantize(values[k], q).unwrap());
                    meanings.push(Meaning::Quant(k, q));
                }
            }
        }
        let outputs: Vec<usize> = (0..values.len()).filter(|k| k % 2 == 0 || k + 1 == values.len()).collect();
        outputs.iter().for_each(|&k| p.output(values[k]));
        let options = Options { tries: 2, slack: case % 3, threads: 1, ..Options::default() };
        let g = p.compile(&options);
        for _ in 0..60 {
            let x: Vec<i64> = specs.iter().map(|s| rng.range(s.range.lo, s.range.hi)).collect();
            let v = eval(&meanings, &x);
            assert_eq!(g.check(&x), Ok(()), "case {case}");
            assert_eq!(g.eval(&x), outputs.iter().map(|&k| v[k]).collect::<Vec<_>>(), "case {case}");
            for (k, value) in values.iter().enumerate() {
                assert!(p.spec(*value).range.contains(v[k]), "case {case}, value {k}");
            }
        }
    }
}

#[test]
fn equal_products_are_solved_alike_and_errors_name_the_product() {
    let mut p = ProgramBuilder::new();
    let x = p.inputs(&[InputSpec::word(4, true); 4]);
    let kernel = vec![vec![3, -5], vec![6, 7]];
    let a = p.product(&kernel, &[1, 2], &x[..2]).unwrap();
    let b = p.product(&kernel, &[1, 2], &x[2..]).unwrap();
    a.iter().chain(&b).for_each(|&v| p.output(v));
    assert_eq!(p.compile(&Options::default()).eval(&[1, 2, 3, 4]), [-6, 22, -10, 48]);
    assert_eq!(p.product(&kernel, &[1], &x[..2]).unwrap_err().to_string(), "layer 2: 1 constants for 2 rows");
    let e = p.sums(&[vec![(x[0], 1 << 45)]], &[0]).unwrap_err();
    assert_eq!(e.to_string(), "layer 2, row 0: wider than 48 bits");
}
