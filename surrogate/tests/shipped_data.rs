//! The tables that ship are whole: every row's hash holds, and every design passes the verifier. The weights that ship are
//! those that training on them gives.

use netfold_surrogate::dataset::{Table, read};
use netfold_surrogate::hardware::{Family, HardwareModel, eval};
use netfold_surrogate::model::Target;
use std::path::Path;

fn table(name: &str) -> Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name);
    read(&path).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn shipped_tables_are_whole() {
    for (name, family, least) in
        [("xc7.csv.gz", "xc7", 4200), ("ecp5.csv.gz", "ecp5", 1060), ("ice40.csv.gz", "ice40", 167)]
    {
        let table = table(name);
        assert_eq!(table.part, family);
        assert!(table.rows.len() >= least, "{name}: {} rows", table.rows.len());
        for row in &table.rows {
            assert!(row.hardware.is_some() && row.targets.contains_key(&Target::Ff), "{name}:{}", row.line);
        }
    }
}

#[test]
fn training_on_the_shipped_tables_gives_the_shipped_weights() {
    for (name, family) in [("xc7.csv.gz", Family::Xc7), ("ecp5.csv.gz", Family::Ecp5)] {
        let table = table(name);
        let trained = eval::evaluate(&eval::train(&table, 1).unwrap(), &table);
        let shipped = eval::evaluate(HardwareModel::shipped(family).unwrap(), &table);
        assert_eq!(trained.rows, shipped.rows);
        for (target, scores) in &shipped.targets {
            let again = &trained.targets[target];
            assert!((scores.smape - again.smape).abs() < 0.5, "{name} {target}: {scores:?} {again:?}");
        }
    }
}
