//! Features of designs that are lists of hardware modules: named numbers a module, aggregated over the design.
//!
//! A module contributes its values to `KIND.NAME.sum` and `KIND.NAME.max`; `KIND.count` counts modules. Columns are the
//! union over a table, in alphabetical order, so any new module kind or value needs no change here.

use super::Schema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of one hardware module before synthesis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct ModuleFeatures {
    /// Kind of module, for example `matvec` or `fifo`.
    pub kind: String,
    /// Named values: widths in bits, counts, cycles; see `docs/surrogate.md`.
    pub values: BTreeMap<String, f32>,
}

/// Schema of the union of what `designs` name.
pub fn schema<'a>(designs: impl Iterator<Item = &'a [ModuleFeatures]>) -> Schema {
    let mut columns: BTreeSet<(String, String)> = BTreeSet::new();
    for module in designs.flatten() {
        columns.insert((module.kind.clone(), String::new()));
        for name in module.values.keys() {
            columns.insert((module.kind.clone(), name.clone()));
        }
    }
    let mut schema = Schema::default();
    for (kind, name) in columns {
        if name.is_empty() {
            schema.input(format!("{kind}.count"), format!("number of {kind} modules"));
        } else {
            schema.derived(format!("{kind}.{name}.sum"));
            schema.input(format!("{kind}.{name}.max"), format!("{name} of {kind}"));
        }
    }
    schema
}

/// Features of one design in the order of `schema`, and the names of module kinds or values the schema does not know.
pub fn vector(schema: &Schema, design: &[ModuleFeatures]) -> (Vec<f32>, Vec<String>) {
    let mut found: BTreeMap<String, f32> = BTreeMap::new();
    for module in design {
        *found.entry(format!("{}.count", module.kind)).or_default() += 1.0;
        for (name, &value) in &module.values {
            *found.entry(format!("{}.{name}.sum", module.kind)).or_default() += value;
            let max = found.entry(format!("{}.{name}.max", module.kind)).or_insert(value);
            *max = max.max(value);
        }
    }
    let x = schema.names.iter().map(|n| found.remove(n).unwrap_or(0.0)).collect();
    let unknown = found.into_keys().filter(|n| !n.ends_with(".sum")).collect();
    (x, unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aggregates() {
        let m = |kind: &str, v: f32| ModuleFeatures { kind: kind.into(), values: [("bits".to_string(), v)].into() };
        let design = [m("a", 2.0), m("a", 5.0), m("b", 1.0)];
        let s = schema([&design[..2]].into_iter());
        assert_eq!(s.names, ["a.count", "a.bits.sum", "a.bits.max"]);
        let (x, unknown) = vector(&s, &design);
        assert_eq!(x, [2.0, 7.0, 5.0]);
        assert_eq!(unknown, ["b.bits.max", "b.count"]);
    }
}
