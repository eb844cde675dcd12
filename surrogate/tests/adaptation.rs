//! Adapting the model of the 7 series to other families with ten samples, scored on rows that were not among them, beside that model as it is.

use netfold_surrogate::dataset::{Table, read};
use netfold_surrogate::hardware::eval::{adapt, evaluate};
use netfold_surrogate::hardware::{Family, HardwareModel};
use netfold_surrogate::metrics::Scores;
use std::collections::BTreeMap;
use std::path::Path;

/// The rows of a table whose numbers are chosen, or the others.
fn rows(table: &Table, chosen: &[usize], take: bool) -> Table {
    let mut part = table.clone();
    let mut at = 0..;
    part.rows.retain(|_| chosen.contains(&at.next().unwrap_or(0)) == take);
    part
}

#[test]
fn ten_samples_of_another_family_improve_the_estimates_of_its_networks() {
    for name in ["ecp5.csv.gz", "ice40.csv.gz"] {
        let table =
            read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)).unwrap_or_else(|e| panic!("{e}"));
        let source = &**HardwareModel::shipped(Family::Xc7).unwrap_or_else(|e| panic!("{e}"));
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for seed in 0..8usize {
            // Ten rows at a stride that has no common factor with their number, from a place of its own.
            let stride = (table.rows.len() / 10 + 7 * seed) | 1;
            let stride = (stride..).find(|s| common_factor(*s, table.rows.len()) == 1).unwrap_or(1);
            let chosen: Vec<usize> = (0..10).map(|i| (seed * 13 + i * stride) % table.rows.len()).collect();
            let (samples, rest) = (rows(&table, &chosen, true), rows(&table, &chosen, false));
            let (adapted, done) = adapt(source, &samples).unwrap_or_else(|e| panic!("{e}"));
            assert!(done.iter().any(|d| d.target == "lut" && d.samples >= 8));
            before.push(evaluate(source, &rest).targets);
            after.push(evaluate(&adapted, &rest).targets);
        }
        for target in ["lut", "ff"] {
            let mean = |all: &[BTreeMap<String, Scores>], of: fn(&Scores) -> f64| {
                all.iter().map(|s| of(&s[target])).sum::<f64>() / all.len() as f64
            };
            let (from, to) = (mean(&before, |s| s.median), mean(&after, |s| s.median));
            let (rank, ranked) = (mean(&before, |s| s.spearman), mean(&after, |s| s.spearman));
            println!("{name} {target}: median error {from:.3} before, {to:.3} after; rank {rank:.3}, {ranked:.3}");
            assert!(to <= 0.5 * from, "{name} {target}: {from} {to}");
            assert!(ranked >= 0.97 && ranked > rank, "{name} {target}: {rank} {ranked}");
        }
    }
}

/// Greatest common divisor.
fn common_factor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_factor(b, a % b) }
}
