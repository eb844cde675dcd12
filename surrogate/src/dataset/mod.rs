//! Tables of synthesized designs, and the readers that fill them.
//!
//! [`read`] tells formats apart by their content:
//! - wa-hls4ml's JSON (`{` or `[` first): module [`wa_json`];
//! - the CSV of single hls4ml dense layers (a column `weights_csd_digits`) and the CSV of two- and three-layer networks
//!   of wa-hls4ml (a column `model_string`): module [`hls_csv`];
//! - netfold's own sweep (columns `id,family,kind,...`): module [`sweep`].
//!
//! Any of them may be compressed with gzip.

mod csv;
pub mod hls_csv;
pub mod sweep;
pub mod wa_json;

use crate::features::Schema;
use crate::features::dense::{self, DenseLayer};
use crate::features::modules::{self, ModuleFeatures};
use crate::model::Target;
use netfold_ir::diag::{Code, Diag, Diags};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// What was synthesized.
#[derive(Debug, Clone, PartialEq)]
pub enum Design {
    /// A chain of dense layers built by an HLS tool.
    Dense(Vec<DenseLayer>),
    /// Hardware modules; a single module is a list of one.
    Modules(Vec<ModuleFeatures>),
}

/// One synthesized design.
#[derive(Debug, Clone)]
pub struct Row {
    /// The network or shape: rows of one group never part between training and test.
    pub group: String,
    /// Names and values to break scores down by.
    pub strata: BTreeMap<String, String>,
    /// What was synthesized.
    pub design: Design,
    /// The whole hardware design, in tables that hold it.
    pub hardware: Option<Arc<netfold_ir::hw::Design>>,
    /// LUTs and flip-flops of modules of the design that were kept apart, where the table says them.
    pub parts: Vec<(netfold_ir::hw::ModuleId, f64, f64)>,
    /// Counts; a missing one is absent.
    pub targets: BTreeMap<Target, f64>,
    /// Line (CSV, from 1) or entry (JSON, from 1) in its file.
    pub line: usize,
}

/// Rows of one family and tool, all of the same kind of design.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// The designs.
    pub rows: Vec<Row>,
    /// The files, in words.
    pub sources: Vec<String>,
    /// Tool and version.
    pub tool: String,
    /// Part or family.
    pub part: String,
    /// How many rows were left out, by reason: synthesis failed, layers that no feature describes, exact repeats.
    pub skipped: BTreeMap<String, usize>,
}

/// Features of a table's rows.
#[derive(Debug, Clone)]
pub struct Matrix {
    /// Column names.
    pub schema: Schema,
    /// One vector a row.
    pub rows: Vec<Vec<f32>>,
}

impl Table {
    /// Features of all rows: the dense schema, or the union of the modules' values.
    pub fn matrix(&self) -> Matrix {
        let modules =
            || self.rows.iter().filter_map(|r| if let Design::Modules(m) = &r.design { Some(&m[..]) } else { None });
        let schema = match self.rows.first().map(|r| &r.design) {
            Some(Design::Modules(_)) => modules::schema(modules()),
            _ => dense::schema().clone(),
        };
        let rows = self.rows.iter().map(|r| features(&schema, &r.design)).collect();
        Matrix { schema, rows }
    }

    /// Blake3 of the features and targets of some rows, as hexadecimal: which data a model saw.
    pub fn hash(&self, rows: &[usize]) -> String {
        let mut h = blake3::Hasher::new();
        for &i in rows {
            let row = &self.rows[i];
            h.update(format!("{:?}|{:?}\n", row.design, row.targets).as_bytes());
        }
        h.finalize().to_hex()[..32].to_string()
    }

    /// Appends the rows of another table.
    ///
    /// # Errors
    /// When the two hold different kinds of designs.
    pub fn append(&mut self, other: Table) -> Result<(), Diag> {
        let kind = |t: &Table| t.rows.first().map(|r| std::mem::discriminant(&r.design));
        if let (Some(a), Some(b)) = (kind(self), kind(&other))
            && a != b
        {
            let place = other.sources.join(", ");
            return Err(Diag::new(Code::Usage, place, "this table holds another kind of design than the ones before")
                .help("train one model on HLS tables and another on netfold's own sweeps"));
        }
        for (into, from) in [(&mut self.tool, &other.tool), (&mut self.part, &other.part)] {
            if into.is_empty() {
                into.clone_from(from);
            } else if !from.is_empty() && !into.split("; ").any(|p| p == from) {
                into.push_str("; ");
                into.push_str(from);
            }
        }
        self.rows.extend(other.rows);
        self.sources.extend(other.sources);
        for (reason, n) in other.skipped {
            *self.skipped.entry(reason).or_default() += n;
        }
        Ok(())
    }
}

/// Features of one design for a schema.
pub fn features(schema: &Schema, design: &Design) -> Vec<f32> {
    match design {
        Design::Dense(layers) => {
            let x = dense::vector(layers);
            if schema == dense::schema() {
                return x;
            }
            // A model of another version of the schema: match columns by name.
            schema.names.iter().map(|n| dense::schema().index(n).map_or(0.0, |i| x[i])).collect()
        }
        Design::Modules(m) => modules::vector(schema, m).0,
    }
}

/// Reads a table, whatever its format.
///
/// # Errors
/// When the file cannot be read, its format is unknown, or rows are bad: each error names the file and the line.
pub fn read(path: &Path) -> Result<Table, Diags> {
    let place = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|e| Diag::new(Code::Io, &place, format!("cannot be read: {e}")))?;
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) { unpack(&bytes, &place)? } else { bytes };
    let text = String::from_utf8(bytes).map_err(|e| {
        Diag::new(Code::Format, &place, format!("is not UTF-8 text (byte {})", e.utf8_error().valid_up_to()))
    })?;
    parse(&text, &place)
}

/// Largest table that is unpacked, in bytes.
const UNPACKED: u64 = 1 << 30;

/// Unpacks a gzip file of one or more members.
fn unpack(bytes: &[u8], place: &str) -> Result<Vec<u8>, Diag> {
    let mut out = Vec::new();
    let mut reader = flate2::read::MultiGzDecoder::new(bytes).take(UNPACKED + 1);
    let bad = |cause: String| Diag::new(Code::Format, place, cause);
    reader.read_to_end(&mut out).map_err(|e| bad(format!("is not a whole gzip file: {e}")))?;
    if out.len() as u64 > UNPACKED { Err(bad("is larger than 1 GiB unpacked".into())) } else { Ok(out) }
}

/// Reads several tables into one.
///
/// # Errors
/// As [`read`] and [`Table::append`]; all files are looked at before it fails.
pub fn read_all<P: AsRef<Path>>(paths: &[P]) -> Result<Table, Diags> {
    let mut table = Table::default();
    let mut errors = Diags::new();
    for path in paths {
        match read(path.as_ref()) {
            Ok(t) => {
                let _ = errors.take(table.append(t));
            }
            Err(e) => errors.extend(e),
        }
    }
    errors.into_result(table)
}

/// Reads a table from text; `place` names it in errors.
///
/// # Errors
/// As [`read`].
pub fn parse(text: &str, place: &str) -> Result<Table, Diags> {
    let start = text.trim_start_matches('\u{feff}').trim_start();
    let mut table = if start.starts_with(['{', '[']) {
        wa_json::parse(start, place)?
    } else {
        let csv = csv::Csv::parse(text.trim_start_matches('\u{feff}'), place)?;
        if csv.column("weights_csd_digits").is_some() {
            hls_csv::single_layers(&csv)?
        } else if csv.column("model_string").is_some() {
            hls_csv::networks(&csv)?
        } else if csv.column("family").is_some() && csv.column("design").is_some() {
            sweep::parse(&csv)?
        } else {
            return Err(Diag::new(Code::Format, place, "the table is of no known kind").help(format!(
                "give wa-hls4ml JSON, a CSV with the columns {}, or one of the HLS tables (see docs/surrogate.md)",
                sweep::COLUMNS.join(",")
            )))?;
        }
    };
    let name = Path::new(place).file_name().map_or_else(|| place.to_string(), |n| n.to_string_lossy().into_owned());
    table.sources = vec![format!("{name} ({} rows)", table.rows.len())];
    Ok(table)
}
