//! netfold's own sweep table: one synthesized module or network a line.
//!
//! | column | meaning |
//! |---|---|
//! | `id` | first 16 hexadecimal digits of the Blake3 hash of `family`, `kind`, `unit` and `design`, joined by line feeds: the same design is never synthesized twice |
//! | `family` | `xc7`, `xcup`, `ecp5`, `ice40` |
//! | `kind` | `module`: one module alone, without FIFOs or top level; `network`: a whole design as `netfold synth` builds it |
//! | `unit` | for modules the name of the module's kind, or `fifo` (only the FIFO of the design's single stream) or `sink` (only the end of that stream); for networks the kind of network |
//! | `group` | the network or module; rows of one group never part between training and test |
//! | `split` | `train`, or `test` for what no model is trained on |
//! | `tool` | tool and version; `+abc9.fast` stands behind it when the fast mapping script was used |
//! | `seed`, `index` | row `index` of the space drawn with `seed` |
//! | `status` | `ok`, or why there are no counts |
//! | `verilog` | first 16 hexadecimal digits of the Blake3 hash of the generated sources: when it differs from today's, the row is stale |
//! | `seconds` | wall-clock time of the synthesis; of a batch, its share |
//! | `lut` ... `interval_cycles` | counts, named as in reports; empty when not measured |
//! | `cells` | JSON: the count of every cell type |
//! | `parts` | of networks, JSON: `[lut, ff]` of every module that synthesis kept apart, in the order of [`hw::Design::inner`], then of the top level around them |
//! | `design` | JSON: the whole hardware design ([`netfold_ir::hw::file::DesignFile`]), so that features can be changed without synthesizing again |
//!
//! Columns whose names begin with `x_` are free for notes and are not read. Of several rows with one `id` the last one holds.

use super::csv::Csv;
use super::{Design, Row, Table};
use crate::features::modules::ModuleFeatures;
use crate::model::Target;
use netfold_ir::diag::{Code, Diag, Diags};
use netfold_ir::hw::{self, file::DesignFile};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// All columns, in the order they are written.
pub const COLUMNS: [&str; 25] = [
    "id",
    "family",
    "kind",
    "unit",
    "group",
    "split",
    "tool",
    "seed",
    "index",
    "status",
    "verilog",
    "seconds",
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
    "cells",
    "parts",
    "design",
];

/// Columns of [`COLUMNS`] that are targets.
const TARGETS: std::ops::Range<usize> = 12..22;

/// `status` of a row with counts.
pub const OK: &str = "ok";

/// Whether a row is one module or a whole network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
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

    /// The kind of a name.
    pub fn from_name(name: &str) -> Option<Kind> {
        [Kind::Module, Kind::Network].into_iter().find(|k| k.name() == name)
    }
}

/// One line of the table; see the module doc for the fields.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub struct SweepRow {
    pub family: String,
    pub kind: Kind,
    pub unit: String,
    pub group: String,
    pub split: String,
    pub tool: String,
    pub seed: u64,
    pub index: u64,
    pub status: String,
    pub verilog: String,
    pub seconds: f64,
    /// Counts; a missing one is absent.
    pub targets: BTreeMap<Target, f64>,
    pub cells: BTreeMap<String, u64>,
    /// LUTs and flip-flops of the modules of a network, then of its top level; empty when they were not kept apart.
    pub parts: Vec<(u64, u64)>,
    /// The design as JSON, see [`SweepRow::encode`].
    pub design: String,
}

impl SweepRow {
    /// A design as the text of the column `design`.
    ///
    /// # Errors
    /// None for a verified design.
    pub fn encode(design: &hw::Design) -> Result<String, Diag> {
        serde_json::to_string(&DesignFile::from(design)).map_err(|e| Diag::internal(&design.name, e.to_string()))
    }

    /// The design.
    ///
    /// # Errors
    /// When the text is no design, or an invalid one.
    pub fn decode(&self) -> Result<hw::Design, Diags> {
        let place = format!("{} {}", self.kind.name(), self.index);
        let file: DesignFile = serde_json::from_str(&self.design)
            .map_err(|e| Diag::new(Code::Format, place, format!("`design` is not a hardware design: {e}")))?;
        hw::Design::try_from(file)
    }

    /// Content hash of what was asked, known before synthesis.
    pub fn id(&self) -> String {
        let text = [self.family.as_str(), self.kind.name(), &self.unit, &self.design].join("\n");
        blake3::hash(text.as_bytes()).to_hex()[..16].to_string()
    }

    /// The row as a CSV line without its line break. No field holds one.
    pub fn to_csv(&self) -> String {
        let cells = serde_json::to_string(&self.cells).unwrap_or_default();
        let number = |name: &str| {
            let value = Target::from_name(name).and_then(|t| self.targets.get(&t));
            value.map_or(String::new(), f64::to_string)
        };
        let lead = [
            self.id(),
            self.family.clone(),
            self.kind.name().into(),
            self.unit.clone(),
            self.group.clone(),
            self.split.clone(),
            self.tool.clone(),
            self.seed.to_string(),
            self.index.to_string(),
            self.status.clone(),
            self.verilog.clone(),
            format!("{:.2}", self.seconds),
        ];
        let targets = COLUMNS[TARGETS].iter().map(|n| number(n));
        let parts = if self.parts.is_empty() { None } else { serde_json::to_string(&self.parts).ok() };
        let fields = lead.into_iter().chain(targets).chain([cells, parts.unwrap_or_default(), self.design.clone()]);
        fields.map(|f| quoted(&f)).collect::<Vec<_>>().join(",")
    }
}

fn quoted(field: &str) -> String {
    let field = field.replace(['\n', '\r'], " ");
    if field.contains([',', '"']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}

/// Reads the rows of a sweep as they are written, also those without counts. Of several rows with one `id` the last one is
/// kept, at the place of the first.
///
/// # Errors
/// When the text is no sweep table or rows are bad: each error names the line.
pub fn rows(text: &str, place: &str) -> Result<Vec<SweepRow>, Diags> {
    let csv = Csv::parse(text, place)?;
    Ok(read(&csv)?.0.into_iter().map(|(_, r)| r).collect())
}

/// Rows with their lines, and how many were superseded.
fn read(csv: &Csv) -> Result<(Vec<(usize, SweepRow)>, usize), Diags> {
    let mut errors = Diags::new();
    for name in csv.header() {
        if !COLUMNS.contains(&name.as_str()) && !name.starts_with("x_") {
            let near = netfold_ir::diag::nearest(name, COLUMNS.iter().copied());
            let help =
                near.map_or("begin the names of further columns with `x_`".into(), |n| format!("did you mean `{n}`?"));
            errors.push(csv.error(1, format!("the column `{name}` is unknown")).help(help));
        }
    }
    let mut columns: HashMap<&str, usize> = HashMap::new();
    for (i, name) in COLUMNS.into_iter().enumerate() {
        let found =
            if TARGETS.contains(&i) || name == "parts" { csv.column(name) } else { errors.take(csv.need(name)) };
        columns.extend(found.map(|c| (name, c)));
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut out: Vec<(usize, SweepRow)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut superseded = 0;
    for (line, fields) in &csv.rows {
        if let Some(row) = errors.take(row(csv, &columns, *line, fields)) {
            match places.get(&row.id()) {
                Some(&at) => {
                    superseded += 1;
                    out[at] = (*line, row);
                }
                None => {
                    places.insert(row.id(), out.len());
                    out.push((*line, row));
                }
            }
        }
    }
    errors.into_result((out, superseded))
}

fn row(csv: &Csv, columns: &HashMap<&str, usize>, line: usize, fields: &[String]) -> Result<SweepRow, Diag> {
    let field = |name: &str| columns.get(name).map_or("", |c| fields[*c].trim());
    let text = |name: &str| field(name).to_string();
    let whole = |name: &str| {
        let bad = |_| csv.error(line, format!("`{name}` is `{}`, not a whole number", field(name)));
        field(name).parse::<u64>().map_err(bad)
    };
    let kind = Kind::from_name(field("kind"))
        .ok_or_else(|| csv.error(line, format!("`kind` is `{}`, not `module` or `network`", field("kind"))))?;
    let mut targets = BTreeMap::new();
    for name in &COLUMNS[TARGETS] {
        if let (Some(target), Some(v)) = (Target::from_name(name), csv.number(line, name, field(name))?) {
            targets.insert(target, v);
        }
    }
    let cells = match field("cells") {
        "" => BTreeMap::new(),
        json => serde_json::from_str(json)
            .map_err(|e| csv.error(line, format!("`cells` is not an object of counts: {e}")))?,
    };
    let parts = match field("parts") {
        "" => Vec::new(),
        json => serde_json::from_str(json)
            .map_err(|e| csv.error(line, format!("`parts` is not a list of pairs of counts: {e}")))?,
    };
    let row = SweepRow {
        family: text("family"),
        kind,
        unit: text("unit"),
        group: text("group"),
        split: text("split"),
        tool: text("tool"),
        seed: whole("seed")?,
        index: whole("index")?,
        status: text("status"),
        verilog: text("verilog"),
        seconds: csv.number(line, "seconds", field("seconds"))?.unwrap_or(0.0),
        targets,
        cells,
        parts,
        design: text("design"),
    };
    let (id, expected) = (field("id"), row.id());
    if id != expected {
        let cause = format!("`id` is `{id}`, but the row's content gives `{expected}`");
        return Err(csv.error(line, cause).help("the row was edited; synthesize it again"));
    }
    Ok(row)
}

/// What is known of the modules of a design without their weights: kinds, elements and bits of ports.
fn describe(design: &hw::Design) -> Vec<ModuleFeatures> {
    let bits = |streams: Vec<(hw::ModuleId, &hw::Stream)>| streams.iter().map(|(_, s)| s.width() as f32).sum::<f32>();
    let describe = |id| {
        let values = [
            ("in_bits".to_string(), bits(design.inputs_of(id))),
            ("out_bits".to_string(), bits(design.outputs_of(id))),
        ];
        ModuleFeatures { kind: design.module(id).kind.name().into(), values: values.into() }
    };
    design.modules().into_iter().map(describe).collect()
}

/// Reads a sweep's rows with counts. Superseded and failed rows are counted in [`Table::skipped`].
pub(crate) fn parse(csv: &Csv) -> Result<Table, Diags> {
    let (rows, superseded) = read(csv)?;
    let mut table = Table::default();
    let mut errors = Diags::new();
    if superseded > 0 {
        table.skipped.insert("repeated".into(), superseded);
    }
    for (line, row) in rows {
        if row.status != OK {
            *table.skipped.entry(format!("synthesis: {}", row.status)).or_default() += 1;
            continue;
        }
        let design = match row.decode() {
            Ok(design) => Arc::new(design),
            Err(found) => {
                let cause = found.iter().next().map_or_else(String::new, |d| d.cause.clone());
                errors.push(csv.error(line, format!("`design` is invalid: {cause}")));
                continue;
            }
        };
        let strata = [("kind", row.kind.name()), ("unit", &row.unit), ("split", &row.split)];
        for (all, one) in [(&mut table.tool, &row.tool), (&mut table.part, &row.family)] {
            if !all.split("; ").any(|p| p == one) {
                all.push_str(if all.is_empty() { "" } else { "; " });
                all.push_str(one);
            }
        }
        let group = if row.group.is_empty() { row.id() } else { row.group };
        let strata: BTreeMap<String, String> = strata.map(|(k, v)| (k.to_string(), v.to_string())).into();
        let inner = design.inner();
        if !row.parts.is_empty() && row.parts.len() != inner.len() + 1 {
            let cause = format!("`parts` has {} pairs, the design {} modules", row.parts.len(), inner.len());
            errors.push(csv.error(line, cause).help("give one pair a module and one for the top level"));
            continue;
        }
        let parts = inner.iter().zip(&row.parts).map(|(id, (lut, ff))| (*id, *lut as f64, *ff as f64)).collect();
        table.rows.push(Row {
            group,
            strata,
            design: Design::Modules(describe(&design)),
            hardware: Some(design),
            parts,
            targets: row.targets,
            line,
        });
    }
    errors.into_result(table)
}
