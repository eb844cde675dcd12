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
    Steps(usize, Steps),
    Max(usize, usize),
    Table(Vec<usize>, i64),
}

/// An arbitrary function of a few values.
fn scrambled(xs: &[i64], seed: i64) -> i64 {
    (xs.iter().fold(seed, |h, x| (h ^ x).wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64)) >> 57) - 20
}

fn eval(meanings: &[Meaning], x: &[i64]) -> Vec<i64> {
    let mut v: Vec<i64> = Vec::new();
    for m in meanings {
        v.push(match m {
            Meaning::Input(k) => x[*k],
            Meaning::Sum(terms, bias) => bias + terms.iter().map(|&(k, w)| w * v[k]).sum::<i64>(),
            Meaning::Quant(k, q) => q.apply(v[*k]),
            Meaning::Steps(k, s) => s.apply(v[*k]),
            Meaning::Max(a, b) => v[*a].max(v[*b]),
            Meaning::Table(list, seed) => scrambled(&list.iter().map(|&k| v[k]).collect::<Vec<_>>(), *seed),
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

fn random_steps(rng: &mut Rng, over: Interval) -> Steps {
    let count = [1, 1, 2, 3, 7, 15, 40][rng.range(0, 6) as usize];
    let starts: Vec<i64> = (0..count).map(|_| rng.range(over.lo - 3, over.hi + 3)).collect();
    match rng.range(0, 2) {
        0 => Steps::new(rng.range(-9, 9), starts.into_iter().map(|s| (s, rng.range(-40, 40))).collect()),
        _ => Steps::thresholds(rng.range(-4, 0), &starts),
    }
}

#[test]
fn random_graphs_of_values_are_exact() {
    let mut rng = Rng(3);
    for case in 0..200 {
        let mut p = ProgramBuilder::new();
        let (mut values, mut meanings, mut specs) = (Vec::new(), Vec::new(), Vec::new());
        for k in 0..rng.range(1, 6) as usize {
            let spec = InputSpec::word([1, 2, 3, 6][rng.range(0, 3) as usize], rng.range(0, 1) == 1);
            specs.push(spec);
            values.push(p.input(spec));
            meanings.push(Meaning::Input(k));
        }
        for _ in 0..rng.range(1, 9) {
            let pick = |rng: &mut Rng, n: usize| rng.range(0, n as i64 - 1) as usize;
            match rng.range(0, 6) {
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
                2 => {
                    let k = pick(&mut rng, values.len());
                    let steps = random_steps(&mut rng, p.spec(values[k]).range);
                    values.push(p.steps(values[k], &steps).unwrap());
                    meanings.push(Meaning::Steps(k, steps));
                }
                3 => {
                    let (a, b) = (pick(&mut rng, values.len()), pick(&mut rng, values.len()));
                    values.push(p.max(values[a], values[b]));
                    meanings.push(Meaning::Max(a, b));
                }
                4 => {
                    let list: Vec<usize> = (0..rng.range(1, 3)).map(|_| pick(&mut rng, values.len())).collect();
                    let (xs, seed): (Vec<Value>, i64) = (list.iter().map(|&k| values[k]).collect(), rng.range(0, 99));
                    let bits: u32 = xs.iter().map(|x| p.spec(*x).range.width()).sum();
                    match p.table(&xs, |x| scrambled(x, seed)) {
                        Ok(v) => {
                            values.push(v);
                            meanings.push(Meaning::Table(list, seed));
                        }
                        Err(e) => assert_eq!(e, ProgramError::TableBits { found: bits, limit: 14 }),
                    }
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
        let table_bits = [10, 0, 14][case % 3];
        let options = Options { tries: 2, slack: case as u32 % 3, threads: 1, table_bits, ..Options::default() };
        let g = p.compile(&options);
        assert_eq!(g.verify(), Ok(()), "case {case}");
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

/// Neurons of few inputs become tables, and the price falls.
#[test]
fn narrow_neurons_become_tables() {
    let mut rng = Rng(21);
    let mut p = ProgramBuilder::new();
    let mut values = p.inputs(&[InputSpec::word(2, false); 16]);
    for _ in 0..2 {
        let mut next = Vec::new();
        let rows: Vec<Vec<(Value, i64)>> =
            (0..16).map(|_| (0..3).map(|_| (values[rng.range(0, 15) as usize], rng.range(-3, 3))).collect()).collect();
        let bias: Vec<i64> = (0..16).map(|_| rng.range(-3, 3)).collect();
        for sum in p.sums(&rows, &bias).unwrap() {
            next.push(p.steps(sum, &Steps::thresholds(0, &[0, 2, 5])).unwrap());
        }
        values = next;
    }
    values.iter().for_each(|&v| p.output(v));
    let adders = p.compile(&Options { table_bits: 0, ..Options::default() });
    let tables = p.compile(&Options::default());
    let price = |g: &Graph| graph_luts(g, &CostModel::default());
    // Two bits a neuron of at most six: at most two lookup tables each.
    assert!(price(&tables) <= 64.0 && price(&tables) < 0.5 * price(&adders), "{} {}", price(&tables), price(&adders));
    for _ in 0..200 {
        let x: Vec<i64> = (0..16).map(|_| rng.range(0, 3)).collect();
        assert_eq!(adders.check(&x), Ok(()));
        assert_eq!(tables.check(&x), Ok(()));
        assert_eq!(tables.eval(&x), adders.eval(&x));
    }
}

#[test]
fn steps_are_what_they_say() {
    let s = Steps::thresholds(-1, &[5, 0, 5]);
    assert_eq!([-1, 0, 4, 5, 9].map(|v| s.apply(v)), [-1, 0, 0, 2, 2]);
    assert_eq!(s.range(Interval::new(0, 4)), Interval::point(0));
    let square = Steps::of_fn(Interval::new(-4, 4), |v| v * v);
    assert_eq!(square.range(Interval::new(-4, 4)), Interval::new(0, 16));
    assert!((-4..=4).all(|v| square.apply(v) == v * v));
}
