//! Modules with several inputs or outputs: sums, products, broadcasts, forks and concatenations.

use super::act::{bits_of, field, parameters};
use super::window::list;
use super::{Context, cyclic, slice};
use crate::verilog::linear::{Input, linear};
use crate::verilog::rom::Word;
use askama::Template;
use netfold_ir::diag::Diag;
use netfold_ir::hw::latency::{lincomb_rows, tree_stages};
use netfold_ir::hw::{BroadcastOp, Multiplier};
use netfold_ir::quant::IntType;

#[derive(Template)]
#[template(path = "verilog/instances/broadcast.sv")]
struct Broadcast {
    beats: usize,
    x_width: usize,
    s_width: usize,
    latency: usize,
}

#[derive(Template)]
#[template(path = "verilog/instances/multiply.sv")]
struct Multiply<'a> {
    lane: String,
    a_bits: usize,
    a_signed: u8,
    b_bits: usize,
    b_signed: u8,
    dsp: u8,
    out_bits: usize,
    a: &'a str,
    b: &'a str,
    p: &'a str,
}

#[derive(Template)]
#[template(path = "verilog/instances/sum.sv")]
struct Sum<'a> {
    lane: usize,
    n: usize,
    bits: usize,
    operands: &'a str,
    result: &'a str,
}

#[derive(Template)]
#[template(path = "verilog/instances/concat.sv")]
struct Concat {
    inputs: usize,
    width: usize,
    largest: usize,
    parts: String,
}

pub(super) fn fork(c: &mut Context) -> Result<String, Diag> {
    let mut code = c.stage()?;
    let (from, lanes) = (c.ins[0].ty, c.ins[0].lanes);
    for i in 0..c.outs.len() {
        code.push_str(&c.cast(
            &format!("u_cast{i}"),
            lanes,
            from,
            c.outs[i].ty.bits,
            "in0_data",
            &format!("out{i}_data"),
        )?);
    }
    code.push_str("  wire unused = &{1'b0, in0_data};\n");
    Ok(code)
}

pub(super) fn concat(c: &mut Context, parts: &[usize]) -> Result<String, Diag> {
    let (lanes, to) = (c.outs[0].lanes, c.outs[0].ty.bits);
    let mut code = String::new();
    for i in 0..c.ins.len() {
        code.push_str(&format!("  wire [{}:0] wide{i};\n", c.outs[0].width() - 1));
        code.push_str(&c.cast(
            &format!("u_cast{i}"),
            lanes,
            c.ins[i].ty,
            to,
            &format!("in{i}_data"),
            &format!("wide{i}"),
        )?);
    }
    let largest = parts.iter().copied().max().unwrap_or(1);
    code.push_str(&c.text(&Concat { inputs: c.ins.len(), width: c.outs[0].width(), largest, parts: list(parts) })?);
    Ok(code)
}

/// Shift-and-add rows over named inputs, assigned to the output's lanes.
fn rows_to_output(c: &Context, inputs: &[Input], rows: &[(Vec<i64>, i64)], stages: usize) -> Result<String, Diag> {
    let made = linear("n", inputs, rows);
    if made.stages != stages {
        return Err(c.broken("shift-and-add stages differ from the latency"));
    }
    let bits = c.outs[0].ty.bits as usize;
    let mut code = made.code;
    for (lane, y) in made.outputs.iter().enumerate() {
        code.push_str(&format!("  assign {} = {bits}'({});\n", slice("out0_data", lane, bits), y.name));
    }
    let wires: Vec<&str> =
        inputs.iter().map(|i| &i.name).chain(made.outputs.iter().map(|o| &o.name)).map(String::as_str).collect();
    code.push_str(&format!("  wire unused = &{{1'b0, clk, {}}};\n", wires.join(", ")));
    Ok(code)
}

pub(super) fn lincomb(
    c: &mut Context,
    coefficients: &[Vec<i64>],
    constant: &[i64],
    lanes: usize,
) -> Result<String, Diag> {
    let mut code = c.stage()?;
    let terms = coefficients.len();
    if let Some(per_lane) = lincomb_rows(coefficients, constant, lanes) {
        let mut inputs = Vec::new();
        for lane in 0..lanes {
            for port in 0..terms {
                let (line, input) = c.signed_lane(port, lane, &format!("x{port}_{lane}"), &format!("in{port}_data"));
                code.push_str(&line);
                inputs.push(input);
            }
        }
        let row = |lane: usize| {
            let (own, constant) = &per_lane[lane % per_lane.len()];
            let mut row = vec![0; lanes * terms];
            row[lane * terms..(lane + 1) * terms].copy_from_slice(own);
            (row, *constant)
        };
        let rows: Vec<_> = (0..lanes).map(row).collect();
        code.push_str(&rows_to_output(c, &inputs, &rows, c.module.latency())?);
        return Ok(code);
    }
    let out_bits = c.outs[0].ty.bits as usize;
    let period = coefficients.iter().map(Vec::len).chain([constant.len()]).max().unwrap_or(1);
    let widths: Vec<usize> = coefficients.iter().map(|k| bits_of(k.iter().copied())).collect();
    let lane_bits = widths.iter().sum::<usize>() + out_bits;
    let word = |g: usize| {
        let mut word = Word::new();
        for channel in g * lanes..(g + 1) * lanes {
            coefficients.iter().zip(&widths).for_each(|(k, bits)| word.push(cyclic(k, channel), *bits));
            word.push(cyclic(constant, channel), out_bits);
        }
        word
    };
    let words = (0..period / lanes).map(word).collect();
    code.push_str(&parameters(c, "coefficient of every input, addend", lanes * lane_bits, words)?);
    for lane in 0..lanes {
        let mut at = lane * lane_bits;
        let operands = format!("operands{lane}");
        code.push_str(&format!("  wire [{}:0] {operands};\n", (terms + 1) * out_bits - 1));
        for (port, bits) in widths.iter().enumerate() {
            let ty = c.ins[port].ty;
            code.push_str(&c.text(&Multiply {
                lane: format!("{lane}_{port}"),
                a_bits: ty.bits as usize,
                a_signed: u8::from(ty.signed),
                b_bits: *bits,
                b_signed: 1,
                dsp: 1,
                out_bits,
                a: &slice(&format!("in{port}_data"), lane, ty.bits as usize),
                b: &field("parameters", at, *bits),
                p: &slice(&operands, port, out_bits),
            })?);
            at += bits;
        }
        let addend = format!("parameters[{}:{at}]", at + out_bits - 1);
        code.push_str(&c.delay(
            &format!("u_addend{lane}"),
            out_bits,
            3,
            &addend,
            &slice(&operands, terms, out_bits),
        )?);
        let result = slice("out0_data", lane, out_bits);
        code.push_str(&c.text(&Sum { lane, n: terms + 1, bits: out_bits, operands: &operands, result: &result })?);
    }
    if 3 + tree_stages(terms + 1) != c.module.latency() {
        return Err(c.broken("stages differ from the latency"));
    }
    Ok(code)
}

/// Product of lane elements `a` and `b`, the narrower one read digit by digit.
fn product(c: &Context, lane: usize, a: (&str, IntType), b: (&str, IntType), dsp: bool) -> Result<String, Diag> {
    let (a, b) = if a.1.bits < b.1.bits { (b, a) } else { (a, b) };
    let out_bits = c.outs[0].ty.bits as usize;
    c.text(&Multiply {
        lane: lane.to_string(),
        a_bits: a.1.bits as usize,
        a_signed: u8::from(a.1.signed),
        b_bits: b.1.bits as usize,
        b_signed: u8::from(b.1.signed),
        dsp: u8::from(dsp),
        out_bits,
        a: a.0,
        b: b.0,
        p: &slice("out0_data", lane, out_bits),
    })
}

pub(super) fn mul(c: &mut Context, multiplier: Multiplier, lanes: usize) -> Result<String, Diag> {
    let mut code = c.stage()?;
    let (a, b) = (c.ins[0].ty, c.ins[1].ty);
    for lane in 0..lanes {
        let left = slice("in0_data", lane, a.bits as usize);
        let right = slice("in1_data", lane, b.bits as usize);
        code.push_str(&product(c, lane, (&left, a), (&right, b), multiplier.is_dsp())?);
    }
    Ok(code)
}

pub(super) fn broadcast(c: &mut Context, op: BroadcastOp, beats: usize, lanes: usize) -> Result<String, Diag> {
    let (x_width, s_width, latency) = (c.ins[0].width(), c.ins[1].width(), c.module.latency());
    let mut code = c.text(&Broadcast { beats, x_width, s_width, latency })?;
    match op {
        BroadcastOp::RSub => {
            let mut inputs = Vec::new();
            let (line, scalar) = c.signed_lane(1, 0, "scalar", "s");
            code.push_str(&line);
            inputs.push(scalar);
            for lane in 0..lanes {
                let (line, input) = c.signed_lane(0, lane, &format!("x{lane}"), "x");
                code.push_str(&line);
                inputs.push(input);
            }
            let row = |lane: usize| {
                let mut row = vec![0; lanes + 1];
                (row[0], row[lane + 1]) = (1, -1);
                (row, 0)
            };
            code.push_str(&rows_to_output(c, &inputs, &(0..lanes).map(row).collect::<Vec<_>>(), latency - 1)?);
        }
        BroadcastOp::Mul => {
            for lane in 0..lanes {
                let x = slice("x", lane, c.ins[0].ty.bits as usize);
                code.push_str(&product(c, lane, (&x, c.ins[0].ty), ("s", c.ins[1].ty), true)?);
            }
        }
    }
    Ok(code)
}
