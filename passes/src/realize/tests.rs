//! Realisations equal their functions on random chains, at every input of small ranges and at random ones of large ranges.

use super::*;
use netfold_ir::net::Affine;
use netfold_ir::quant::{IntType, Quantizer, Rounding};
use netfold_ir::rat::Rat;
use rand::{Rng, SeedableRng};

fn dyadic(rng: &mut impl Rng, bits: i32) -> Rat {
    rat::from_i64(rng.random_range(-2000..2000)) * rat::pow2(-rng.random_range(0..bits))
}

fn random(rng: &mut impl Rng, channels: usize) -> StepFn {
    let power = rng.random_bool(0.4);
    let scale = (0..channels)
        .map(|_| {
            if power {
                rat::pow2(-rng.random_range(0..10))
            } else {
                let x = dyadic(rng, 18);
                if x.is_zero() { rat::from_i64(1) } else { x }
            }
        })
        .collect();
    let offset = (0..channels).map(|_| dyadic(rng, 12)).collect();
    let mut functions = Vec::new();
    for _ in 0..rng.random_range(0..3) {
        functions.push(match rng.random_range(0..9) {
            0 | 1 => UnaryFn::Relu,
            2 => UnaryFn::LeakyRelu(vec![0.125]),
            3 => UnaryFn::Clip(vec![-1.5], vec![6.0]),
            4 => UnaryFn::Sigmoid,
            5 => UnaryFn::Selu(1.673_263_2, 1.050_701),
            6 => UnaryFn::Softplus,
            7 => UnaryFn::HardSigmoid(0.2, 0.5),
            _ => UnaryFn::Tanh,
        });
    }
    let modes = [
        Rounding::Floor,
        Rounding::HalfEven,
        Rounding::HalfUp,
        Rounding::HalfAwayFromZero,
        Rounding::TowardZero,
        Rounding::Ceil,
        Rounding::HalfDown,
    ];
    let zero_point = if rng.random_bool(0.2) { rat::from_i64(3) } else { Rat::zero() };
    StepFn {
        input: Affine { scale, offset },
        functions,
        quantizer: Quantizer {
            scale: vec![if power { rat::pow2(-4) } else { rat::from_i64(rng.random_range(1..40)) * rat::pow2(-6) }],
            zero_point: vec![zero_point],
            ty: IntType { signed: rng.random_bool(0.5), bits: rng.random_range(1..10), narrow: false },
            rounding: modes[rng.random_range(0..modes.len())],
            overflow: if power && rng.random_bool(0.15) { Overflow::Wrap } else { Overflow::Saturate },
        },
    }
}

#[test]
fn realisations_equal_their_functions() {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(11);
    let mut kinds = std::collections::BTreeMap::new();
    for case in 0..250 {
        let channels = [1, 1, 2, 3][rng.random_range(0..4)];
        let f = random(&mut rng, channels);
        let range = Range::uniform(-rng.random_range(0..3000), rng.random_range(0..3000));
        let Ok(r) = realize("test", &f, &range, 6 * channels) else { continue };
        *kinds.entry(r.function.name()).or_insert(0) += 1;
        for c in 0..channels {
            for q in (range.0[0].0..=range.0[0].1).step_by(7) {
                let moved = r.shift_input.get(c % r.shift_input.len().max(1)).map_or(q, |s| q + s);
                assert_eq!(r.function.eval(c, moved), f.eval(c, q), "case {case} channel {c} q {q}: {f:?}\n{r:?}");
            }
        }
    }
    for kind in ["shift", "mul_shift", "thresholds", "table", "two_slopes"] {
        assert!(kinds.contains_key(kind), "no {kind} among {kinds:?}");
    }
}

#[test]
fn every_function_of_the_default_formats_is_realised() {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(5);
    for _ in 0..20 {
        let f = StepFn {
            input: Affine { scale: vec![rat::pow2(-24)], offset: (0..8).map(|_| dyadic(&mut rng, 20)).collect() },
            functions: vec![UnaryFn::Relu],
            quantizer: crate::precision::default_activation(),
        };
        let r = realize("relu", &f, &Range::uniform(-(1 << 36), 1 << 36), 64).unwrap();
        assert_eq!(r.function.name(), "shift");
        for _ in 0..200 {
            let q = rng.random_range(-(1i64 << 36)..1 << 36);
            for c in 0..8 {
                assert_eq!(r.function.eval(c, q), f.eval(c, q));
            }
        }
    }
}

#[test]
fn wide_lines_are_refused_at_once_and_narrow_ones_fitted() {
    // A slope of 53 random bits: 16 bits of result from `bits` bits of input.
    let line = |bits: u32| {
        let scale = (0..6).map(|c| rat::from_i64(0x1b_2f6d_9a41_7c35 + 977 * c) * rat::pow2(-53 - bits as i32 + 10));
        let f = StepFn {
            input: Affine {
                scale: scale.collect(),
                offset: vec![dyadic(&mut rand_chacha::ChaCha8Rng::seed_from_u64(1), 12)],
            },
            functions: vec![UnaryFn::Relu],
            quantizer: Quantizer::fixed(true, 16, 6, Rounding::HalfEven, Overflow::Saturate),
        };
        let half = 1i64 << (bits - 1);
        (realize("line", &f, &Range::uniform(-half, half - 1), 6), f)
    };
    let (wide, _) = line(34);
    assert_eq!(wide.unwrap_err().code, Code::Unsupported);
    let (narrow, f) = line(18);
    let narrow = narrow.unwrap();
    assert!(matches!(narrow.function, Realization::MulShift(_)), "{narrow:?}");
    for q in (-(1i64 << 17)..1 << 17).step_by(61) {
        assert_eq!(narrow.function.eval(2, q), f.eval(2, q), "{q}");
    }
}

#[test]
fn the_size_of_a_table_is_known_from_the_steps() {
    let mut rng = rand::rngs::StdRng::seed_from_u64(5);
    let mut seen = 0;
    for round in 0..400 {
        let channels = [1, 1, 2, 4][round % 4];
        let f = random(&mut rng, channels);
        let hulls = vec![(-200, 300); f.channels()];
        let compiled = Compiled::new(&f, &Range(hulls.clone()), hulls.len());
        let steps: Option<Vec<Steps>> =
            (0..hulls.len()).map(|c| Steps::new(&compiled, c, hulls[c], f.direction(c)?)).collect();
        let (Some(steps), true) = (steps, f.functions.iter().all(UnaryFn::is_rational)) else { continue };
        let whole = Listed { f: &f, compiled: &compiled, hulls: &hulls, hull: hulls[0] };
        let made = whole.table(whole.changes(), asymptote(&f));
        assert_eq!(made.entries.iter().map(Vec::len).sum::<usize>(), entries(&steps), "{f:?}");
        seen += 1;
    }
    assert!(seen > 50, "{seen}");
}
