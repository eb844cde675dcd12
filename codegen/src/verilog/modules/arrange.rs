//! Modules that move elements without computing: width converters, selections, padding, repetition, permutation.

use super::window::{padding, unit as data_unit};
use super::{Context, Unit, is_block};
use crate::verilog::rom::{Rom, RomText};
use askama::Template;
use netfold_ir::diag::Diag;
use netfold_ir::hw::{Kind, Memory};

#[derive(Template)]
#[template(path = "verilog/instances/reorder.sv")]
struct Reorder {
    rom: RomText,
    rom_block: u8,
    words: usize,
    width: usize,
    block: u8,
    ultra: u8,
    out: &'static str,
}

/// A positive number that divides both.
fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

pub(super) fn unit(c: &mut Context) -> Result<String, Diag> {
    let module = c.module;
    let n = |v: usize| v.to_string();
    let (bits, width, ty) = (c.ins[0].ty.bits as usize, c.ins[0].width(), c.ins[0].ty);
    match &module.kind {
        Kind::Dwc { from, to, .. } => {
            let gcd = greatest_common_divisor(*from, *to);
            let parameters = vec![("FROM", n(*from)), ("TO", n(*to)), ("GCD", n(gcd)), ("BITS", n(bits))];
            data_unit(c, "netfold_dwc", "dwc", parameters, None, (*to, ty))
        }
        Kind::Pad { size, chunks, pads, value, lanes } => {
            let rom = padding(c, value, *chunks, *lanes)?;
            let parameters = vec![
                ("HEIGHT", n(size[0])),
                ("WIDTH", n(size[1])),
                ("CHUNKS", n(*chunks)),
                ("TOP", n(pads[0])),
                ("LEFT", n(pads[1])),
                ("BOTTOM", n(pads[2])),
                ("RIGHT", n(pads[3])),
                ("BEAT_BITS", n(width)),
            ];
            data_unit(c, "netfold_pad", "pad", parameters, Some(rom), (*lanes, ty))
        }
        Kind::Upsample { size, chunks, factors, lanes } => {
            let words = if factors[0] > 1 { size[1] * chunks } else { *chunks };
            let parameters = vec![
                ("WIDTH", n(size[1])),
                ("CHUNKS", n(*chunks)),
                ("FACTOR_H", n(factors[0])),
                ("FACTOR_W", n(factors[1])),
                ("BEAT_BITS", n(width)),
                ("BLOCK", u8::from(is_block(words, width)).to_string()),
            ];
            data_unit(c, "netfold_upsample", "upsample", parameters, None, (*lanes, ty))
        }
        Kind::Select { size, inner, start, count, step, lanes, .. } => {
            let parameters = vec![
                ("SIZE", n(*size)),
                ("INNER", n(*inner)),
                ("START", n(*start)),
                ("COUNT", n(*count)),
                ("STEP", n(*step)),
            ];
            let tail = c.cast("u_cast", *lanes, ty, c.outs[0].ty.bits, "in0_data", "out0_data")?;
            let (primitive, short) = ("netfold_select", "select");
            c.text(&Unit {
                primitive,
                short,
                parameters,
                passes_data: false,
                lanes: *lanes,
                result_bits: 0,
                pad: None,
                tail,
            })
        }
        _ => Err(c.broken("not a unit that moves elements")),
    }
}

pub(super) fn reorder(c: &mut Context, order: &[u32], memory: Memory) -> Result<String, Diag> {
    let words = order.len();
    let address_bits = (words.max(2) - 1).ilog2() as usize + 1;
    let rom = Rom::of_values(order.iter().map(|w| i128::from(*w)), address_bits);
    let rom_block = u8::from(words > 1 && is_block(words, address_bits));
    let rom = c.rom("order", &rom);
    let (ty, to) = (c.ins[0].ty, c.outs[0].ty.bits);
    let (lanes, width) = (c.ins[0].lanes, c.ins[0].width());
    let differs = ty.bits != to;
    let mut code = String::new();
    if differs {
        code.push_str(&format!("  wire [{}:0] result;\n", width - 1));
        code.push_str(&c.cast("u_cast", lanes, ty, to, "result", "out0_data")?);
    }
    let block = u8::from(memory == Memory::Block);
    let ultra = u8::from(memory == Memory::Ultra);
    let out = if differs { "result" } else { "out0_data" };
    code.push_str(&c.text(&Reorder { rom, rom_block, words, width, block, ultra, out })?);
    Ok(code)
}
