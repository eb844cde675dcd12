//! Adapting the model of the 7 series to other families with ten samples, scored on rows that were not among them.

use netfold_surrogate::dataset::{Table, read};
use netfold_surrogate::hardware::eval::{adapt, evaluate};
use netfold_surrogate::hardware::{Family, HardwareModel};
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
    for (name, family) in [("ecp5.csv.gz", Family::Ecp5), ("ice40.csv.gz", Family::Ice40)] {
        let table =
            read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)).unwrap_or_else(|e| panic!("{e}"));
        let shipped = &HardwareModel::transferred(family).unwrap_or_else(|e| panic!("{e}"));
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for seed in 0..8usize {
            // Ten rows at a stride that has no common factor with their number, from a place of its own.
            let stride = (table.rows.len() / 10 + 7 * seed) | 1;
            let stride = (stride..).find(|s| common_factor(*s, table.rows.len()) == 1).unwrap_or(1);
            let chosen: Vec<usize> = (0..10).map(|i| (seed * 13 + i * stride) % table.rows.len()).collect();
            let (samples, rest) = (rows(&table, &chosen, true), rows(&table, &chosen, false));
            let (adapted, done) = adapt(shipped, &samples).unwrap_or_else(|e| panic!("{e}"));
            assert!(done.iter().any(|d| d.target == "lut" && d.samples >= 8));
            before.push(evaluate(shipped, &rest).targets["lut"]);
            after.push(evaluate(&adapted, &rest).targets["lut"]);
        }
        let mean =
            |all: &[netfold_surrogate::metrics::Scores]| all.iter().map(|s| s.median).sum::<f64>() / all.len() as f64;
        println!("{name}: median error of LUTs {:.3} before, {:.3} after", mean(&before), mean(&after));
        assert!(mean(&after) < 0.9 * mean(&before), "{name}: {} {}", mean(&before), mean(&after));
        // One factor keeps the order of designs.
        assert!(before.iter().zip(&after).all(|(b, a)| (b.spearman - a.spearman).abs() < 0.02));
    }
}

/// Greatest common divisor.
fn common_factor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_factor(b, a % b) }
}
