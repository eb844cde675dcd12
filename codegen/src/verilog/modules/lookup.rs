//! Activations by comparison and by table.

use super::act::{mul_shift, parameters};
use super::{Context, cyclic, slice, type_range};
use crate::verilog::linear::signed_bits;
use crate::verilog::rom::{Rom, RomText, Word, literal};
use askama::Template;
use netfold_ir::diag::Diag;
use netfold_ir::hw::latency::{
    LOGIC_TABLE_WORDS, PARALLEL_THRESHOLDS, constant_in_lane, search_step, search_steps, table_words,
};
use netfold_ir::hw::{Realization, Table, Thresholds};

#[derive(Template)]
#[template(path = "verilog/instances/thresholds.sv")]
struct Parallel<'a> {
    lane: usize,
    n: usize,
    bits: usize,
    out_bits: usize,
    x: &'a str,
    thresholds: &'a str,
    base: &'a str,
    up: &'a str,
    y: &'a str,
}

#[derive(Template)]
#[template(path = "verilog/instances/group.sv")]
struct Group {
    groups: usize,
    bits: usize,
}

#[derive(Template)]
#[template(path = "verilog/instances/threshold_step.sv")]
struct Step<'a> {
    name: &'a str,
    bits: usize,
    step: usize,
    groups: usize,
    group_bits: usize,
    registered: u8,
    block: u8,
    rom: &'a RomText,
    rom_parameters: String,
    x: &'a str,
    group: &'a str,
    found: &'a str,
}

#[derive(Template)]
#[template(path = "verilog/instances/search_end.sv")]
struct SearchEnd<'a> {
    lane: usize,
    rom: RomText,
    out_bits: usize,
    group: &'a str,
    found: &'a str,
    x: &'a str,
    y: &'a str,
}

/// Bits of an address of `n` words.
fn address_bits(n: usize) -> usize {
    (n.max(2) - 1).ilog2() as usize + 1
}

/// Element `lane` of the input beat as a number of `bits` bits.
fn extended(c: &Context, lane: usize, bits: usize, name: &str) -> String {
    let (line, _) = c.signed_lane(0, lane, &format!("{name}_in"), "in0_data");
    format!("{line}  wire signed [{}:0] {name} = {bits}'({name}_in);\n", bits - 1)
}

pub(super) fn thresholds(
    c: &mut Context,
    function: &Realization,
    t: &Thresholds,
    lanes: usize,
) -> Result<String, Diag> {
    let (lo, hi) = type_range(c.ins[0].ty);
    // A threshold below all inputs is always reached; hi + 1 never is.
    let bits = signed_bits(lo, hi + 1);
    let n = t.thresholds.first().map_or(0, Vec::len);
    let out_bits = c.outs[0].ty.bits as usize;
    let period = function.period();
    let groups = if constant_in_lane(period, lanes) { 1 } else { period / lanes };
    let threshold = |channel: usize, k: usize| {
        let list = &t.thresholds[channel % t.thresholds.len()];
        list.get(k).map_or(hi + 1, |v| i128::from(*v).clamp(lo, hi + 1))
    };
    if n <= PARALLEL_THRESHOLDS {
        let n = n.max(1);
        let lane_bits = n * bits + out_bits + 1;
        let word = |g: usize| {
            let mut word = Word::new();
            for channel in g * lanes..(g + 1) * lanes {
                (0..n).for_each(|k| word.push(threshold(channel, k), bits));
                word.push(cyclic(&t.base, channel), out_bits);
                word.push(i128::from(cyclic(&t.direction, channel) > 0), 1);
            }
            word
        };
        let words = (0..groups).map(word).collect();
        let mut code = parameters(c, "thresholds, base, up", lanes * lane_bits, words)?;
        for lane in 0..lanes {
            let x = format!("x{lane}");
            code.push_str(&extended(c, lane, bits, &x));
            let at = lane * lane_bits;
            let part = |from: usize, bits: usize| format!("parameters[{}:{}]", at + from + bits - 1, at + from);
            code.push_str(&c.text(&Parallel {
                lane,
                n,
                bits,
                out_bits,
                x: &x,
                thresholds: &part(0, n * bits),
                base: &part(n * bits, out_bits),
                up: &part(n * bits + out_bits, 1),
                y: &slice("out0_data", lane, out_bits),
            })?);
        }
        return Ok(code);
    }
    let steps = search_steps(n);
    let registered = search_step(function, n, lanes) == 2;
    let group_bits = address_bits(groups);
    let mut code = c.text(&Group { groups, bits: group_bits })?;
    for lane in 0..lanes {
        let (mut x, mut group, mut found) = (format!("x{lane}"), "group".to_owned(), "1'b0".to_owned());
        code.push_str(&extended(c, lane, bits, &x));
        for step in 0..steps {
            let name = format!("l{lane}_s{step}");
            let entry = |address: usize| {
                let (g, prefix) = (address >> step, address & ((1 << step) - 1));
                threshold(g * lanes + lane, (((prefix << 1) | 1) << (steps - 1 - step)) - 1)
            };
            let rom = Rom::of_values((0..groups << step).map(entry), bits);
            let rom = c.rom(&format!("l{lane}_s{step}"), &rom);
            code.push_str(&c.text(&Step {
                name: &name,
                bits,
                step,
                groups,
                group_bits,
                registered: u8::from(registered),
                block: u8::from(registered && rom.depth * rom.width > 1024),
                rom_parameters: contents_only(&rom),
                rom: &rom,
                x: &x,
                group: &group,
                found: &found,
            })?);
            (x, group, found) = (format!("{name}_x"), format!("{name}_group"), format!("{name}_found"));
        }
        let word = |g: usize| {
            let mut word = Word::new();
            word.push(cyclic(&t.base, g * lanes + lane), out_bits);
            word.push(i128::from(cyclic(&t.direction, g * lanes + lane) > 0), 1);
            word
        };
        let rom = c.rom(&format!("end{lane}_data"), &Rom::new(out_bits + 1, (0..groups).map(word).collect()));
        let y = slice("out0_data", lane, out_bits);
        let unused = format!("{x}, {group}, {found}");
        code.push_str(&c.text(&SearchEnd { lane, rom, out_bits, group: &group, found: &found, x: &unused, y: &y })?);
    }
    Ok(code)
}

/// The parameters of a memory without its size.
fn contents_only(rom: &RomText) -> String {
    rom.parameters.lines().skip(2).map(str::trim).collect::<Vec<_>>().join("\n      ")
}

#[derive(Template)]
#[template(path = "verilog/instances/table.sv")]
struct TableText {
    first_lane: usize,
    lanes: Vec<TableLane>,
    ports: usize,
    x_bits: usize,
    index_bits: usize,
    n: usize,
    first: String,
    rom: RomText,
    block: u8,
    address: String,
}

struct TableLane {
    lane: usize,
    x: String,
}

pub(super) fn table(c: &mut Context, function: &Realization, t: &Table, lanes: usize) -> Result<String, Diag> {
    let (lo, hi) = type_range(c.ins[0].ty);
    let n = t.entries[0].len();
    if t.entries.iter().any(|e| e.len() != n) {
        return Err(c.broken("tables of different lengths"));
    }
    let out_bits = c.outs[0].ty.bits as usize;
    let period = function.period();
    let first = i128::from(t.first);
    let x_bits = signed_bits(lo.min(first), hi.max(first)) + 1;
    let index_bits = address_bits(n);
    let count = t.entries.len();
    let groups = if constant_in_lane(count, lanes) { 1 } else { count / lanes };
    let block = table_words(function, n, lanes) > LOGIC_TABLE_WORDS;
    let lookup = if block { 3 } else { 2 };
    let mut code = String::new();
    if groups > 1 {
        let bits = address_bits(groups);
        code.push_str(&c.text(&Group { groups, bits })?);
        code.push_str(&format!("  reg [{}:0] group_late;\n  always @(posedge clk) group_late <= group;\n", bits - 1));
    }
    // Two lanes share the ports of a block memory when they have the same table.
    let shared = block && groups == 1 && count == 1;
    let mut lane = 0;
    while lane < lanes {
        let ports = if shared && lane + 1 < lanes { 2 } else { 1 };
        let words = |g: usize| {
            let entries = &t.entries[(g * lanes + lane) % count];
            let padded = if groups > 1 { 1 << index_bits } else { n };
            (0..padded).map(|i| i128::from(entries[i.min(n - 1)])).collect::<Vec<_>>()
        };
        let rom = Rom::of_values((0..groups).flat_map(words), out_bits);
        let name = if shared { "table".to_owned() } else { format!("table{lane}") };
        let mut rom = c.rom(&name, &rom);
        if shared && lane > 0 {
            rom.declaration.clear();
        }
        let used: Vec<usize> = (lane..lane + ports).collect();
        for l in &used {
            code.push_str(&extended(c, *l, x_bits, &format!("q{l}")));
        }
        let group = if groups > 1 { "group_late, " } else { "" };
        let addresses: Vec<String> = used.iter().rev().map(|l| format!("{group}index{l}")).collect();
        code.push_str(&c.text(&TableText {
            first_lane: lane,
            lanes: used.iter().map(|l| TableLane { lane: *l, x: format!("q{l}") }).collect(),
            ports,
            x_bits,
            index_bits,
            n,
            first: literal(first, x_bits),
            rom,
            block: u8::from(block),
            address: format!("{{{}}}", addresses.join(", ")),
        })?);
        for (port, l) in used.iter().enumerate() {
            let entry = slice(&format!("entry{lane}"), port, out_bits);
            code.push_str(&format!("  wire [{}:0] looked{l};\n", out_bits - 1));
            code.push_str(&c.delay(&format!("u_looked{l}"), out_bits, lookup - 2, &entry, &format!("looked{l}"))?);
        }
        lane += ports;
    }
    let Some(tail) = &t.tail else {
        for lane in 0..lanes {
            code.push_str(&format!("  assign {} = looked{lane};\n", slice("out0_data", lane, out_bits)));
        }
        return Ok(code);
    };
    // Above the table the affine piece holds; the later of the two decides the latency.
    let latency = c.module.latency();
    let affine = affine_latency(tail, constant_in_lane(period, lanes));
    let targets: Vec<String> = (0..lanes).map(|l| format!("affine{l}")).collect();
    for target in &targets {
        code.push_str(&format!("  wire [{}:0] {target};\n", out_bits - 1));
    }
    code.push_str(&mul_shift(c, tail, lanes, period, &targets)?);
    for lane in 0..lanes {
        let w = out_bits - 1;
        code.push_str(&format!("  wire [{w}:0] entry_late{lane}, affine_late{lane};\n  wire above_late{lane};\n"));
        let align = |have: usize| latency - 1 - have;
        let (entry, at) = (format!("looked{lane}"), format!("affine{lane}"));
        code.push_str(&c.delay(
            &format!("u_entry_late{lane}"),
            out_bits,
            align(lookup),
            &entry,
            &format!("entry_late{lane}"),
        )?);
        code.push_str(&c.delay(
            &format!("u_affine_late{lane}"),
            out_bits,
            align(affine),
            &at,
            &format!("affine_late{lane}"),
        )?);
        let above = format!("above{lane}");
        code.push_str(&c.delay(&format!("u_above_late{lane}"), 1, align(1), &above, &format!("above_late{lane}"))?);
        code.push_str(&format!(
            "  reg [{w}:0] y{lane};\n  always @(posedge clk) y{lane} <= above_late{lane} ? affine_late{lane} : entry_late{lane};\n"
        ));
        code.push_str(&format!("  assign {} = y{lane};\n", slice("out0_data", lane, out_bits)));
    }
    Ok(code)
}

/// Latency of an affine piece: that of a module of its own.
fn affine_latency(tail: &netfold_ir::hw::MulShift, constant: bool) -> usize {
    netfold_ir::hw::latency::mul_shift(tail, constant)
}
