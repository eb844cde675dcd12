//! Features of a whole design: sums over its modules, which synthesis keeps apart, and its FIFOs.

use super::count::{COLUMNS, Count, NAMES};
use super::{Fabric, memory, unit};
use crate::features::Schema;
use netfold_ir::hw::{Design, Kind, Stream};
use netfold_ir::quant::IntType;
use std::sync::OnceLock;

/// A module or FIFO of a design: its group and its counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// Group that one model is trained on (see [`unit`]), `fifo` or `sink`.
    pub unit: &'static str,
    /// Counts.
    pub count: Count,
}

/// A design taken apart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parts {
    /// The modules in the order of [`Design::modules`], then the FIFOs in the order of [`Design::streams`].
    pub parts: Vec<Part>,
    /// Number of modules among them.
    pub modules: usize,
    /// Top-level ports.
    pub ports: usize,
    /// Whether the design stands for one module alone, or one FIFO: no top level around it.
    pub bare: bool,
}

/// Takes a design apart.
pub fn parts(design: &Design, rule: &Fabric) -> Parts {
    let of_module = |kind: &Kind, inputs: &[IntType], outputs: &[IntType]| Part {
        unit: unit(kind),
        count: super::module(kind, inputs, outputs, rule),
    };
    parts_by(design, of_module, |s| Part { unit: "fifo", count: memory::fifo(s, rule) })
}

/// As [`parts`], with the parts given: of every module, in order, then of every FIFO.
pub fn parts_by(
    design: &Design,
    of_module: impl Fn(&Kind, &[IntType], &[IntType]) -> Part,
    of_fifo: impl Fn(&Stream) -> Part,
) -> Parts {
    let mut out = Parts { ports: design.inputs.len() + design.outputs.len(), ..Parts::default() };
    for id in design.modules() {
        let inputs: Vec<IntType> = design.inputs_of(id).iter().map(|(_, s)| s.ty).collect();
        let outputs: Vec<IntType> = design.outputs_of(id).iter().map(|(_, s)| s.ty).collect();
        out.parts.push(of_module(&design.module(id).kind, &inputs, &outputs));
    }
    out.modules = out.parts.len();
    out.parts.extend(design.streams().into_iter().map(|(_, _, s)| of_fifo(s)));
    out
}

/// The part that a row of kind `module` in a sweep is about: its FIFO, its sink, or the one module between the ports.
pub fn bare(design: &Design, what: &str, rule: &Fabric) -> Option<Parts> {
    let part = match what {
        "fifo" => Part { unit: "fifo", count: memory::fifo(design.streams().first()?.2, rule) },
        _ => {
            let ids = design.modules();
            let wanted = |kind: &Kind| match what {
                "sink" => matches!(kind, Kind::Sink { .. }),
                _ => !matches!(kind, Kind::Source { .. } | Kind::Sink { .. }),
            };
            let id = ids.into_iter().find(|id| wanted(&design.module(*id).kind))?;
            Part { unit: unit(&design.module(id).kind), count: super::of_design(design, id, rule) }
        }
    };
    Some(alone(part))
}

/// One part by itself, without a top level.
pub fn alone(part: Part) -> Parts {
    Parts { parts: vec![part], modules: usize::from(part.unit != "fifo"), bare: true, ..Parts::default() }
}

/// Groups of modules whose share of the logic is a column.
const SHARES: [(&str, &[&str]); 8] = [
    ("mvu_lut", &["mvu_lut"]),
    ("mvu_dsp", &["mvu_dsp", "mvu_packed", "mvu_factors"]),
    ("constant", &["mvu_constant", "program", "lincomb"]),
    ("activation", &["shift", "mul_shift", "two_slopes", "thresholds"]),
    ("table", &["table"]),
    ("window", &["swu", "window_reduce", "pad"]),
    ("fifo", &["fifo"]),
    ("convert", &["dwc", "reorder", "concat", "fork", "select", "upsample"]),
];

/// Columns of [`NAMES`] that are summed over the design: amounts, not parameters.
const SUMMED: usize = 11;

/// Columns before the sums and shares.
const LEAD: [&str; 9] =
    ["lut_parts", "ff_parts", "lutram_parts", "dsp_parts", "bram_parts", "uram_parts", "modules", "fifos", "ports"];

/// The schema of [`vector`].
pub fn schema() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let mut s = Schema::default();
        for name in LEAD {
            match name {
                "lut_parts" => s.input(name, "LUTs"),
                "ff_parts" => s.input(name, "flip-flops"),
                "dsp_parts" => s.input(name, "DSP blocks"),
                "modules" => s.input(name, "modules"),
                _ => s.derived(name),
            }
        }
        for name in &NAMES[..SUMMED] {
            s.derived(format!("sum.{name}"));
        }
        for (name, _) in SHARES {
            s.derived(format!("share.{name}"));
        }
        s.derived("largest_share");
        s.derived("bits_mean");
        s.derived("bare");
        s
    })
}

/// Features of a whole design, given the LUTs and flip-flops of its parts: the columns of [`schema`].
pub fn vector(parts: &Parts, logic: &[(f32, f32)]) -> Vec<f32> {
    let mut lead = [0f64; LEAD.len()];
    let mut sums = [0f64; SUMMED];
    let mut shares = [0f64; SHARES.len()];
    let (mut largest, mut bits) = (0f64, 0f64);
    for (part, (lut, ff)) in parts.parts.iter().zip(logic) {
        let (lut, ff) = (f64::from(*lut), f64::from(*ff));
        lead[0] += lut;
        lead[1] += ff;
        lead[2] += part.count.lutram;
        lead[3] += part.count.dsp as f64;
        lead[4] += part.count.bram18 / 2.0;
        lead[5] += part.count.uram as f64;
        for (sum, value) in sums.iter_mut().zip(part.count.features()) {
            *sum += f64::from(value);
        }
        if let Some(s) = SHARES.iter().position(|(_, units)| units.contains(&part.unit)) {
            shares[s] += lut;
        }
        largest = largest.max(lut);
        bits += lut * part.count.about.in_bits;
    }
    let total = lead[0].max(1.0);
    if !parts.bare {
        // The top level's reset line, and the handshake of an input.
        lead[0] += 2.0;
        lead[1] += 4.0;
    }
    lead[6] = parts.modules as f64;
    lead[7] = (parts.parts.len() - parts.modules) as f64;
    lead[8] = parts.ports as f64;
    let tail = [largest / total, bits / total, f64::from(u8::from(parts.bare))];
    lead.iter().chain(&sums).chain(shares.map(|s| s / total).iter()).chain(&tail).map(|v| *v as f32).collect()
}

/// Column of the LUTs of the parts.
pub const LUT_COLUMN: &str = "lut_parts";
/// Column of the flip-flops of the parts, with what neighbours add and save.
pub const FF_COLUMN: &str = "ff_parts";

const _: () = assert!(SUMMED < COLUMNS);
