//! The tables that ship are whole: every row's hash holds, and every design passes the verifier.

use netfold_surrogate::dataset::{Table, read};
use netfold_surrogate::model::Target;
use std::path::Path;

fn table(name: &str) -> Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name);
    read(&path).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn shipped_tables_are_whole() {
    for (name, family, least) in
        [("xc7.csv.gz", "xc7", 1500), ("ecp5.csv.gz", "ecp5", 250), ("ice40.csv.gz", "ice40", 60)]
    {
        let table = table(name);
        assert_eq!(table.part, family);
        assert!(table.rows.len() >= least, "{name}: {} rows", table.rows.len());
        for row in &table.rows {
            assert!(row.hardware.is_some() && row.targets.contains_key(&Target::Ff), "{name}:{}", row.line);
        }
    }
}
