//! Matrix-vector and depthwise units.

use super::{Context, is_block, packed, slice};
use crate::verilog::linear::linear;
use crate::verilog::rom::{Column, Rom, RomText, Word, concatenation};
use askama::Template;
use netfold_ir::diag::Diag;
use netfold_ir::hw::latency::{WEIGHT_BLOCK, levels, weights_in_blocks};
use netfold_ir::hw::{Matrix, Memory, Multiplier, Mvu, Vvu};
use netfold_ir::quant::IntType;

#[derive(Template)]
#[template(path = "verilog/instances/dot.sv")]
pub(super) struct Dot {
    pub primitive: &'static str,
    pub short: &'static str,
    /// What a word of the weights is.
    pub about: String,
    pub weights: Weights,
    pub start: Option<RomText>,
    pub start_width: usize,
    /// Units side by side that share weights, and bits of each one's part of the input and output beats.
    pub pixels: usize,
    pub in_width: usize,
    pub out_width: usize,
    pub parameters: Vec<(&'static str, usize)>,
}

/// A file of its own for weights in logic that are built in blocks.
#[derive(Template)]
#[template(path = "verilog/weights.sv")]
struct Blocks<'a> {
    name: &'a str,
    unit: &'a str,
    version: &'static str,
    words: usize,
    width: usize,
    address_bits: u32,
    /// The memory that holds all blocks side by side, each of so many words.
    rom: RomText,
    length: usize,
    /// The word in every block.
    sources: Vec<String>,
}

/// The memory of a unit's weights.
pub(super) struct Weights {
    /// Contents; without columns: all of them are constant, and there is no memory.
    pub rom: RomText,
    /// The module that holds the contents in blocks, instead of `rom`.
    pub blocks: Option<String>,
    /// Bits of the word that the unit takes.
    pub width: usize,
    /// Whether it is block memory.
    pub block: bool,
    /// Of a memory in logic, the unit's word as a concatenation of the columns that are built, where some are not.
    pub wiring: Option<String>,
}

impl Weights {
    /// `whole`: every column is built. Blocks that take the operand register gain nothing by less, and a product of which synthesis
    /// knows the lowest bits would no longer be added up in its block.
    pub(super) fn new(c: &mut Context, all: &Rom, memory: Memory, whole: bool) -> Result<Weights, Diag> {
        let (width, block) = (all.width(), all.depth() > 1 && matches!(memory, Memory::Block | Memory::Ultra));
        if block || all.depth() < 2 {
            return Ok(Weights { rom: c.rom("weights", all), blocks: None, width, block, wiring: None });
        }
        let (distinct, columns) = all.distinct();
        let (built, wiring) = if whole {
            (all, None)
        } else {
            (&distinct, (distinct.width() < width).then(|| concatenation(&columns, "columns")))
        };
        if weights_in_blocks(all.depth(), distinct.ones()) {
            let (rom, sources) = built.blocks(WEIGHT_BLOCK);
            if rom.width() > 0 {
                let name = blocks(c, &rom, built, &sources)?;
                let rom = RomText { depth: built.depth(), width: built.width(), ..RomText::default() };
                return Ok(Weights { rom, blocks: Some(name), width, block, wiring });
            }
        }
        Ok(Weights { rom: c.rom("weights", built), blocks: None, width, block, wiring })
    }
}

/// Writes the module that reads `whole` in blocks, of which `rom` holds the columns, and returns its name.
fn blocks(c: &mut Context, rom: &Rom, whole: &Rom, sources: &[Vec<Column>]) -> Result<String, Diag> {
    // No identifier of a layer has two underscores in a row.
    let name = format!("{}__weights", c.name);
    let file = Blocks {
        name: &name,
        unit: c.name,
        version: env!("CARGO_PKG_VERSION"),
        words: whole.depth(),
        width: whole.width(),
        address_bits: levels(whole.depth()),
        rom: c.rom("weights", rom),
        length: WEIGHT_BLOCK,
        sources: sources.iter().map(|columns| concatenation(columns, "blocks")).collect(),
    };
    let text = c.text(&file)?;
    c.files.insert(format!("rtl/{name}.sv"), text);
    Ok(name)
}

/// What a folded unit of either kind is.
struct Folded<'a> {
    weights: &'a Matrix,
    multiplier: Multiplier,
    memory: Memory,
    /// Rows of the matrix that are computed together, one list a row group.
    groups: Vec<Vec<usize>>,
    /// Row group and beat of the row that every firing of a vector multiplies.
    order: Vec<(usize, usize)>,
    /// Columns a beat.
    simd: usize,
}

pub(super) fn mvu(c: &mut Context, m: &Mvu) -> Result<String, Diag> {
    let ty = c.ins[0].ty;
    if m.is_shift_add() {
        let columns: Vec<usize> = (0..m.weights.cols).collect();
        let of = |p: usize| columns.iter().map(|c| p * m.weights.cols + c).collect::<Vec<_>>();
        let rows: Vec<(usize, Vec<usize>)> =
            (0..m.pixels).flat_map(|p| (0..m.weights.rows).map(move |r| (r, of(p)))).collect();
        return shift_add(c, &m.weights, &rows);
    }
    if let Some(packing) = m.packing(ty) {
        return packed::mvu(c, m, packing);
    }
    let folded = Folded {
        weights: &m.weights,
        multiplier: m.built(),
        memory: m.memory,
        groups: (0..m.neuron_fold()).map(|g| (g * m.pe..(g + 1) * m.pe).collect()).collect(),
        order: (0..m.neuron_fold() * m.synapse_fold()).map(|i| m.tile(i)).collect(),
        simd: m.simd,
    };
    let vector = vector_in_block(m, ty);
    let mut parameters = vec![("PE", m.pe), ("SIMD", m.simd), ("NF", m.neuron_fold()), ("SF", m.synapse_fold())];
    let primitive = if m.early > 0 {
        parameters.push(("EARLY", m.early));
        "netfold_mvu_early"
    } else {
        "netfold_mvu"
    };
    parameters.push(("BLOCK", usize::from(vector)));
    dot(c, &folded, primitive, "mvu", parameters, m.pixels)
}

/// Whether the beats of a vector that later row groups use are kept in block memory.
pub(super) fn vector_in_block(m: &Mvu, input: IntType) -> bool {
    is_block(m.synapse_fold() - m.early, m.simd * input.bits as usize)
}

pub(super) fn vvu(c: &mut Context, v: &Vvu) -> Result<String, Diag> {
    let (rows_a_group, taps) = (v.pe * v.multiplicity, v.weights.cols);
    if v.is_shift_add() {
        let inputs = |r: usize| (0..taps).map(|t| t * v.pe + r / v.multiplicity).collect();
        let rows: Vec<(usize, Vec<usize>)> = (0..v.weights.rows).map(|r| (r, inputs(r))).collect();
        return shift_add(c, &v.weights, &rows);
    }
    let folded = Folded {
        weights: &v.weights,
        multiplier: v.multiplier,
        memory: v.memory,
        groups: (0..v.channels() / v.pe).map(|g| (g * rows_a_group..(g + 1) * rows_a_group).collect()).collect(),
        order: (0..v.channels() / v.pe).flat_map(|g| (0..taps / v.simd).map(move |t| (g, t))).collect(),
        simd: v.simd,
    };
    let parameters = vec![("PE", v.pe), ("MULTIPLICITY", v.multiplicity), ("SIMD", v.simd), ("TF", taps / v.simd)];
    dot(c, &folded, "netfold_vvu", "vvu", parameters, 1)
}

fn dot(
    c: &mut Context,
    folded: &Folded,
    primitive: &'static str,
    short: &'static str,
    mut parameters: Vec<(&'static str, usize)>,
    pixels: usize,
) -> Result<String, Diag> {
    let (input, output) = (c.ins[0].ty, c.outs[0].ty);
    let dsp = folded.multiplier == Multiplier::Dsp;
    let bipolar = !dsp && folded.weights.is_bipolar();
    let weight_bits = if bipolar { 1 } else { folded.weights.weight_bits() as usize };
    let mut words = Vec::new();
    for &(group, beat) in &folded.order {
        let mut word = Word::new();
        for &r in &folded.groups[group] {
            for w in &folded.weights.row(r)[beat * folded.simd..(beat + 1) * folded.simd] {
                word.push(if bipolar { i128::from(*w < 0) } else { i128::from(*w) }, weight_bits);
            }
        }
        words.push(word);
    }
    let weights = Rom::new(folded.groups[0].len() * folded.simd * weight_bits, words);
    let out_bits = output.bits as usize;
    let rows_a_group = folded.groups[0].len();
    // The accumulator adds one more for every beat (netfold_dot).
    let beats = folded.weights.cols / folded.simd;
    let ones = if beats > 1 { beats as i128 } else { 0 };
    let start = (!dsp).then(|| {
        let word = |rows: &Vec<usize>| {
            let mut word = Word::new();
            for &r in rows {
                let value: i128 =
                    folded.weights.row(r).iter().map(|w| correction(*w, weight_bits, bipolar, input)).sum();
                word.push(value - ones, out_bits);
            }
            word
        };
        Rom::new(rows_a_group * out_bits, folded.groups.iter().map(word).collect())
    });
    parameters.extend([
        ("IN_BITS", input.bits as usize),
        ("IN_SIGNED", usize::from(input.signed)),
        ("WEIGHT_BITS", weight_bits),
        ("BIPOLAR", usize::from(bipolar)),
        ("DSP", usize::from(dsp)),
        ("OUT_BITS", out_bits),
    ]);
    let weights = Weights::new(c, &weights, folded.memory, dsp)?;
    let start = start.map(|rom| c.rom("start", &rom));
    c.text(&Dot {
        primitive,
        short,
        about: format!(
            "Weights, {weight_bits} bits each{}, [row][column] in a word.",
            if bipolar { " (1: -1, 0: +1)" } else { "" }
        ),
        weights,
        start,
        start_width: rows_a_group * out_bits,
        pixels,
        in_width: c.ins[0].width() / pixels,
        out_width: c.outs[0].width() / pixels,
        parameters,
    })
}

/// What the product of a weight in logic lacks (netfold_dot): with `u = x + offset` unsigned and `mask` the largest operand, a digit
/// `d > 0` selects `d * u`, a digit `d < 0` selects `mask - |d| * u`, so that `d * offset` and, where negative, `mask` are
/// taken back.
fn correction(w: i64, weight_bits: usize, bipolar: bool, input: IntType) -> i128 {
    let offset = if input.signed { 1i128 << (input.bits - 1) } else { 0 };
    let part = |digit: i128, operand_bits: u32| {
        let mask = (1i128 << operand_bits) - 1;
        -digit * offset - if digit < 0 { mask } else { 0 }
    };
    if bipolar {
        return part(i128::from(w), input.bits);
    }
    let bit = |i: usize| i128::from(w >> i.min(weight_bits - 1) & 1);
    (0..weight_bits.div_ceil(2))
        .map(|d| {
            let low = if d == 0 { 0 } else { bit(2 * d - 1) };
            part(low + bit(2 * d) - 2 * bit(2 * d + 1), input.bits + 1) << (2 * d)
        })
        .sum()
}

/// All weights constant: `rows` are matrix rows with the position of every column in the input beat.
fn shift_add(c: &mut Context, weights: &Matrix, rows: &[(usize, Vec<usize>)]) -> Result<String, Diag> {
    let lanes = c.ins[0].lanes;
    let mut code = c.stage()?;
    let mut inputs = Vec::new();
    for lane in 0..lanes {
        let (line, input) = c.signed_lane(0, lane, &format!("x{lane}"), "in0_data");
        code.push_str(&line);
        inputs.push(input);
    }
    let full = |(r, positions): &(usize, Vec<usize>)| {
        let mut row = vec![0; lanes];
        positions.iter().zip(weights.row(*r)).for_each(|(p, w)| row[*p] = *w);
        (row, 0)
    };
    let rows: Vec<(Vec<i64>, i64)> = rows.iter().map(full).collect();
    let made = linear("n", &inputs, &rows);
    if made.stages != c.module.latency() {
        return Err(c.broken("shift-and-add stages differ from the latency"));
    }
    code.push_str(&format!("  // {} rows in {} adders.\n", rows.len(), made.adders));
    code.push_str(&made.code);
    let bits = c.outs[0].ty.bits as usize;
    let names: Vec<&str> = made.outputs.iter().map(|o| o.name.as_str()).collect();
    for (r, name) in names.iter().enumerate() {
        code.push_str(&format!("  assign {} = {bits}'({name});\n", slice("out0_data", r, bits)));
    }
    let wires: Vec<&str> = inputs.iter().map(|i| i.name.as_str()).chain(names.iter().copied()).collect();
    code.push_str(&format!("  wire unused = &{{1'b0, clk, {}}};\n", wires.join(", ")));
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verilog::modules::type_range;

    /// The operand that netfold_dot selects for a digit.
    fn selected(digit: i128, u: i128, operand_bits: u32) -> i128 {
        let mask = (1i128 << operand_bits) - 1;
        if digit < 0 { mask - digit.abs() * u } else { digit * u }
    }

    #[test]
    fn corrections_complete_the_products() {
        for signed in [false, true] {
            let ty = IntType::new(signed, 4);
            let (lo, hi) = type_range(ty);
            for weight_bits in 1..=7usize {
                for w in -(1i64 << (weight_bits - 1))..1i64 << (weight_bits - 1) {
                    for x in lo..=hi {
                        let u = x + if signed { 8 } else { 0 };
                        let bit = |i: usize| i128::from(w >> i.min(weight_bits - 1) & 1);
                        let sum: i128 = (0..weight_bits.div_ceil(2))
                            .map(|d| {
                                let low = if d == 0 { 0 } else { bit(2 * d - 1) };
                                selected(low + bit(2 * d) - 2 * bit(2 * d + 1), u, 5) << (2 * d)
                            })
                            .sum();
                        assert_eq!(sum + correction(w, weight_bits, false, ty), i128::from(w) * x, "{w} * {x}");
                    }
                }
            }
        }
    }
}
