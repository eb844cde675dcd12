//! Training, scoring, intervals, the file format and adaptation, on designs with a known law.
#![allow(clippy::unwrap_used)] // Helpers of tests: a failure here is a failed test.

use netfold_surrogate::adapt::adapt;
use netfold_surrogate::dataset::{Design, Row, Table, features};
use netfold_surrogate::eval::{cross_validate, evaluate};
use netfold_surrogate::features::dense::{DenseLayer, Strategy, schema, vector};
use netfold_surrogate::metrics::spearman;
use netfold_surrogate::model::boost::BoostOptions;
use netfold_surrogate::model::extra::ExtraOptions;
use netfold_surrogate::model::{Surrogate, Target, format};
use netfold_surrogate::train::{Recipe, TrainOptions, train};
use std::collections::BTreeMap;

/// A stream of numbers in 0..1 that is the same everywhere.
fn noise(i: u64) -> f64 {
    let x = (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((x ^ (x >> 32)) >> 11) as f64 / (1u64 << 53) as f64
}

/// Layers whose LUTs follow a law with `spread` of noise; `scale` and `power` make another family of them.
fn table(n: u64, spread: f64, scale: f64, power: f64, from: u64) -> Table {
    let mut t = Table { tool: "made".into(), sources: vec!["made".into()], ..Table::default() };
    for i in from..from + n {
        let n_in = 8 * (1 + (noise(4 * i) * 12.0) as u32);
        let n_out = 8 * (1 + (noise(4 * i + 1) * 12.0) as u32);
        let weight_bits = 8 + 2 * (noise(4 * i + 2) * 4.0) as u32;
        let layer = DenseLayer {
            n_in,
            n_out,
            weight_bits,
            io_bits: 16,
            reuse_factor: 500,
            strategy: Strategy::Resource,
            nonzero: None,
            csd_digits: None,
        };
        let x = vector(std::slice::from_ref(&layer));
        let get = |name: &str| f64::from(x[schema().index(name).unwrap()]);
        let lut = (300.0 + 20.0 * get("sum.n_in") + 6.0 * get("sum.acc_mux") + 3.0 * get("sum.word_bits")).powf(power);
        let lut = (scale * lut * (1.0 + spread * (2.0 * noise(4 * i + 3) - 1.0))).round();
        t.rows.push(Row {
            group: format!("{n_in}x{n_out}"),
            strata: BTreeMap::from([("weight_bits".to_string(), weight_bits.to_string())]),
            design: Design::Dense(vec![layer]),
            hardware: None,
            parts: Vec::new(),
            targets: BTreeMap::from([(Target::Lut, lut), (Target::Dsp, get("dsp_from_8_bits"))]),
            line: i as usize,
        });
    }
    t
}

fn options() -> TrainOptions {
    let small = |target| {
        let mut r = Recipe::of(target);
        r.boost = BoostOptions { rounds: 60, rate: 0.1, ..r.boost };
        r.boost_repeats = 1;
        r.extra = ExtraOptions { trees: 8, ..r.extra };
        (target, r)
    };
    TrainOptions { recipes: BTreeMap::from([small(Target::Lut), small(Target::Dsp)]), ..TrainOptions::default() }
}

#[test]
fn learns_the_law_with_honest_intervals() {
    let t = table(600, 0.05, 1.0, 1.0, 0);
    let report = cross_validate(&t, &options(), 4, 3).unwrap();
    let lut = report.targets["lut"];
    assert!(lut.smape < 4.0 && lut.r2 > 0.98, "{lut:?}");
    assert!((0.86..0.95).contains(&lut.coverage.unwrap()), "{lut:?}");
    assert_eq!(report.targets["dsp"].smape, 0.0);
    assert_eq!(report.rows, 600);
    assert!(report.strata.contains_key("weight_bits=10"));
    let json = serde_json::to_value(&report).unwrap();
    assert!(json["targets"]["lut"]["median"].is_f64() && json["rows"] == 600);
}

fn trained() -> Surrogate {
    train(&table(300, 0.03, 1.0, 1.0, 0), &options()).unwrap()
}

#[test]
fn file_round_trip_and_damage() {
    let model = trained();
    let bytes = format::to_bytes(&model).unwrap();
    assert_eq!(format::from_bytes(&bytes, "m").unwrap(), model);
    for at in [0, 5, 30, bytes.len() / 2, bytes.len() - 1] {
        let mut bad = bytes.clone();
        bad[at] ^= 0x40;
        assert!(format::from_bytes(&bad, "m").is_err(), "byte {at}");
    }
    for len in [0, 3, 12, 40, bytes.len() - 1] {
        assert!(format::from_bytes(&bytes[..len], "m").is_err(), "length {len}");
    }
}

#[test]
fn training_is_reproducible() {
    assert_eq!(trained(), trained());
    let few = table(12, 0.0, 1.0, 1.0, 0);
    assert!(train(&few, &options()).is_err());
}

#[test]
fn outside_of_the_data() {
    let model = trained();
    let mut inside = table(1, 0.0, 1.0, 1.0, 5000).rows.remove(0).design;
    let near = model.predict(&features(&model.schema, &inside));
    assert!(near.out_of_range.is_empty(), "{:?}", near.out_of_range);
    let Design::Dense(layers) = &mut inside else { panic!() };
    layers[0].io_bits = 32;
    layers[0].n_in = 1024;
    let far = model.predict(&features(&model.schema, &inside));
    assert!(far.out_of_range.iter().any(|m| m.contains("input and output bits: 32 (trained on 16 only)")));
    let width = |t: Target| {
        let (a, b) = (near.get(t).unwrap(), far.get(t).unwrap());
        ((a.high / a.low.max(1.0)), (b.high / b.low.max(1.0)))
    };
    for target in [Target::Lut, Target::Dsp] {
        let (a, b) = width(target);
        assert!(b > a, "{target}: {a} {b}");
    }
}

#[test]
fn adapts_from_ten_samples() {
    let model = trained();
    let (test, samples) = (table(200, 0.02, 0.5, 1.1, 9000), table(10, 0.02, 0.5, 1.1, 8000));
    let before = evaluate(&model, &test).targets["lut"];
    let (adapted, notes) = adapt(&model, &samples).unwrap();
    let after = evaluate(&adapted, &test).targets["lut"];
    assert!(after.median < 0.5 * before.median, "{before:?} {after:?}");
    assert!(after.coverage.unwrap() > 0.8, "{after:?}");
    assert_eq!((notes[0].target.as_str(), notes[0].samples), ("lut", 10));
    assert!(notes[0].after < notes[0].before);
    assert_eq!(adapted.provenance.adapted_rows, 10);
    let (truth, value): (Vec<f64>, Vec<f64>) = test
        .rows
        .iter()
        .map(|r| {
            (
                r.targets[&Target::Lut],
                adapted.predict(&features(&adapted.schema, &r.design)).get(Target::Lut).unwrap().value,
            )
        })
        .unzip();
    assert!(spearman(&truth, &value) > 0.98);
    assert!(adapt(&model, &table(4, 0.0, 1.0, 1.0, 0)).is_err());
    // Adapting twice composes: from the second family back to the first.
    let (back, _) = adapt(&adapted, &table(30, 0.0, 1.0, 1.0, 7000)).unwrap();
    let home = evaluate(&back, &table(200, 0.02, 1.0, 1.0, 9000)).targets["lut"];
    assert!(home.median < 0.05, "{home:?}");
}
