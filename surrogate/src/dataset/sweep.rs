//! netfold's own sweep table: one synthesized module or network a row.
//!
//! | column | meaning |
//! |---|---|
//! | `id` | first 16 hexadecimal digits of the Blake3 hash of `family`, `kind`, `tool`, `seed` and `features`, joined by newlines: the same design is never synthesized twice |
//! | `family` | `xc7`, `xcup`, `ecp5`, `ice40` |
//! | `kind` | `module` or `network` |
//! | `group` | the network or shape; rows of one group never part between training and test |
//! | `tool` | tool and version, for example `yosys 0.70` |
//! | `seed` | seed the design was drawn with |
//! | `features` | JSON: a list of `{"kind": ..., "values": {NAME: number}}`, one a hardware module |
//! | `lut` ... `interval_cycles` | counts, named as in reports; empty when not measured |
//!
//! Columns whose names begin with `x_` are free for notes and are not read.

use super::csv::Csv;
use super::{Design, Row, Table};
use crate::features::modules::ModuleFeatures;
use crate::model::Target;
use netfold_ir::diag::{Diag, Diags};
use std::collections::{BTreeMap, BTreeSet};

/// Columns before the targets.
const LEAD: [&str; 7] = ["id", "family", "kind", "group", "tool", "seed", "features"];

/// All columns, in the order they are written.
pub const COLUMNS: [&str; 17] = [
    "id",
    "family",
    "kind",
    "group",
    "tool",
    "seed",
    "features",
    "lut",
    "ff",
    "carry",
    "dsp",
    "bram36",
    "uram",
    "lutram",
    "fmax_mhz",
    "latency_cycles",
    "interval_cycles",
];

/// Whether a row is one module or a whole network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One hardware module.
    Module,
    /// A design of several.
    Network,
}

impl Kind {
    /// Name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Module => "module",
            Kind::Network => "network",
        }
    }
}

/// A row as it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepRow {
    /// FPGA family.
    pub family: String,
    /// Module or network.
    pub kind: Kind,
    /// Network or shape.
    pub group: String,
    /// Tool and version.
    pub tool: String,
    /// Seed the design was drawn with.
    pub seed: u64,
    /// The hardware modules.
    pub modules: Vec<ModuleFeatures>,
    /// Counts.
    pub targets: BTreeMap<Target, f64>,
}

impl SweepRow {
    fn features(&self) -> Result<String, Diag> {
        serde_json::to_string(&self.modules).map_err(|e| Diag::internal("sweep row", e.to_string()))
    }

    /// Content hash of what was asked, known before synthesis.
    ///
    /// # Errors
    /// When a feature is not a finite number.
    pub fn id(&self) -> Result<String, Diag> {
        Ok(content_id(&self.family, self.kind.name(), &self.tool, &self.seed.to_string(), &self.features()?))
    }

    /// The row as a CSV line without its line break.
    ///
    /// # Errors
    /// As [`SweepRow::id`].
    pub fn to_csv(&self) -> Result<String, Diag> {
        let seed = self.seed.to_string();
        let features = self.features()?;
        let id = self.id()?;
        let lead = [&id, &self.family, self.kind.name(), &self.group, &self.tool, &seed, &features];
        let mut fields: Vec<String> = lead.iter().map(|f| quoted(f)).collect();
        for name in &COLUMNS[LEAD.len()..] {
            let value = Target::from_name(name).and_then(|t| self.targets.get(&t));
            fields.push(value.map_or(String::new(), f64::to_string));
        }
        Ok(fields.join(","))
    }
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.into() }
}

fn content_id(family: &str, kind: &str, tool: &str, seed: &str, features: &str) -> String {
    let text = [family, kind, tool, seed, features].join("\n");
    blake3::hash(text.as_bytes()).to_hex()[..16].to_string()
}

/// Reads a sweep. Exact repeats (the same `id`) are counted in [`Table::skipped`].
pub(crate) fn parse(csv: &Csv) -> Result<Table, Diags> {
    let mut table = Table::default();
    let mut errors = Diags::new();
    for name in csv.header() {
        if !COLUMNS.contains(&name.as_str()) && !name.starts_with("x_") {
            let near = netfold_ir::diag::nearest(name, COLUMNS.iter().copied());
            let help =
                near.map_or("begin the names of further columns with `x_`".into(), |n| format!("did you mean `{n}`?"));
            errors.push(csv.error(1, format!("the column `{name}` is unknown")).help(help));
        }
    }
    let mut lead = [0usize; LEAD.len()];
    for (slot, name) in lead.iter_mut().zip(LEAD) {
        *slot = errors.take(csv.need(name)).unwrap_or(0);
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let targets: Vec<(Target, usize)> =
        Target::ALL.into_iter().filter_map(|t| csv.column(t.name()).map(|c| (t, c))).collect();
    let mut seen = BTreeSet::new();
    for (line, f) in &csv.rows {
        let line = *line;
        let [id, family, kind, group, tool, seed, features] = lead.map(|c| f[c].trim());
        let read = || -> Result<Row, Diag> {
            if kind != Kind::Module.name() && kind != Kind::Network.name() {
                return Err(csv.error(line, format!("`kind` is `{kind}`, not `module` or `network`")));
            }
            let expected = content_id(family, kind, tool, seed, features);
            if id != expected {
                let cause = format!("`id` is `{id}`, but the row's content gives `{expected}`");
                return Err(csv.error(line, cause).help("the row was edited; synthesize it again"));
            }
            let modules: Vec<ModuleFeatures> = serde_json::from_str(features)
                .map_err(|e| csv.error(line, format!("`features` is not a list of modules: {e}")))?;
            let mut values = BTreeMap::new();
            for (target, c) in &targets {
                if let Some(v) = csv.number(line, target.name(), &f[*c])? {
                    values.insert(*target, v);
                }
            }
            let mut strata = BTreeMap::from([("kind".to_string(), kind.to_string())]);
            if let [module] = &modules[..] {
                strata.insert("module".into(), module.kind.clone());
            }
            let group = if group.is_empty() { id } else { group };
            Ok(Row { group: group.into(), strata, design: Design::Modules(modules), targets: values, line })
        };
        if let Some(row) = errors.take(read()) {
            if seen.insert(id.to_string()) {
                table.rows.push(row);
                for (all, one) in [(&mut table.tool, tool), (&mut table.part, family)] {
                    if !all.split("; ").any(|p| p == one) {
                        all.push_str(if all.is_empty() { "" } else { "; " });
                        all.push_str(one);
                    }
                }
            } else {
                *table.skipped.entry("repeated".into()).or_default() += 1;
            }
        }
    }
    errors.into_result(table)
}
