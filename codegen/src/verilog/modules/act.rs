//! Affine activations: shift, multiply and shift, two slopes. Thresholds and tables are in [`super::lookup`].

use super::{Context, cyclic, is_block, lookup, slice};
use crate::verilog::linear::{linear, signed_bits};
use crate::verilog::rom::{Rom, RomText, Word, literal};
use askama::Template;
use netfold_ir::diag::Diag;
use netfold_ir::hw::latency::constant_in_lane;
use netfold_ir::hw::{MulShift, Realization};

#[derive(Template)]
#[template(path = "verilog/instances/parameters.sv")]
pub(super) struct Parameters {
    pub(super) layout: &'static str,
    pub(super) rom: RomText,
    pub(super) block: u8,
}

#[derive(Template)]
#[template(path = "verilog/instances/mul_add.sv")]
struct MulAdd<'a> {
    instance: &'a str,
    unit: u8,
    x_bits: usize,
    mul_bits: usize,
    add_bits: usize,
    sum_bits: usize,
    x: &'a str,
    mul: &'a str,
    add: &'a str,
    sum: &'a str,
}

#[derive(Template)]
#[template(path = "verilog/instances/round_clip.sv")]
struct RoundClip<'a> {
    instance: &'a str,
    c: &'a Clip,
    sum: &'a str,
    y: &'a str,
}

/// Parameters of netfold_round_clip.
struct Clip {
    sum_bits: usize,
    shift: u32,
    half_even: u8,
    wrap: u8,
    wrap_bits: u32,
    wrap_signed: u8,
    out_bits: usize,
    v_bits: usize,
    clip_lo: u8,
    clip_hi: u8,
    lo: String,
    hi: String,
}

impl Clip {
    /// For sums in `lo..=hi`.
    fn new(m: &MulShift, lo: i128, hi: i128, out_bits: usize) -> Clip {
        let half_even = m.rounds_separately();
        let sum_bits = signed_bits(lo, hi).max(m.shift as usize + 1);
        let (least, most) = (lo >> m.shift, (hi >> m.shift) + i128::from(half_even));
        let v_bits = signed_bits(least, most).max(out_bits + 1);
        let (clip_lo, clip_hi) = (least < i128::from(m.lo), most > i128::from(m.hi));
        let bound = |used: bool, v: i64| literal(if used { i128::from(v) } else { 0 }, v_bits);
        Clip {
            sum_bits,
            shift: m.shift,
            half_even: u8::from(half_even),
            wrap: u8::from(m.wrap),
            wrap_bits: (i128::from(m.hi) - i128::from(m.lo) + 1).ilog2(),
            wrap_signed: u8::from(m.lo < 0),
            out_bits,
            v_bits,
            clip_lo: u8::from(clip_lo),
            clip_hi: u8::from(clip_hi),
            lo: bound(clip_lo, m.lo),
            hi: bound(clip_hi, m.hi),
        }
    }
}

/// Least and greatest of `mul * x + add` over all channels.
fn sum_range(m: &MulShift, x: (i128, i128)) -> (i128, i128) {
    let sums = m.rows().flat_map(|([mul], add)| [x.0, x.1].map(|x| i128::from(mul) * x + i128::from(add)));
    sums.fold((i128::MAX, i128::MIN), |(lo, hi), s| (lo.min(s), hi.max(s)))
}

/// Bits of the narrowest signed number that holds all values.
pub(super) fn bits_of(values: impl IntoIterator<Item = i64>) -> usize {
    let (lo, hi) = values.into_iter().fold((0, 0), |(lo, hi): (i64, i64), v| (lo.min(v), hi.max(v)));
    signed_bits(i128::from(lo), i128::from(hi))
}

pub(super) fn act(c: &mut Context, function: &Realization, lanes: usize) -> Result<String, Diag> {
    let mut code = c.stage()?;
    let period = function.period();
    let bits = c.outs[0].ty.bits as usize;
    match function {
        Realization::MulShift(m) => {
            let targets: Vec<String> = (0..lanes).map(|l| slice("out0_data", l, bits)).collect();
            code.push_str(&mul_shift(c, m, lanes, period, &targets)?);
        }
        Realization::TwoSlopes(n, p) => code.push_str(&two_slopes(c, n, p, lanes, period)?),
        Realization::Thresholds(t) => code.push_str(&lookup::thresholds(c, function, t, lanes)?),
        Realization::Table(t) => code.push_str(&lookup::table(c, function, t, lanes)?),
    }
    code.push_str("  wire unused = &{1'b0, in0_data};\n");
    Ok(code)
}

/// Code of `mul_shift` for every lane, from `in0_data` to the targets; `period` is that of all of the module's parameters.
pub(super) fn mul_shift(
    c: &mut Context,
    m: &MulShift,
    lanes: usize,
    period: usize,
    targets: &[String],
) -> Result<String, Diag> {
    let out_bits = c.outs[0].ty.bits as usize;
    let mut code = String::new();
    let mut inputs = Vec::new();
    for lane in 0..lanes {
        let (line, input) = c.signed_lane(0, lane, &format!("x{lane}"), "in0_data");
        code.push_str(&line);
        inputs.push(input);
    }
    if constant_in_lane(period, lanes) {
        let row = |l: usize| {
            let mut row = vec![0; lanes];
            row[l] = m.mul[l % m.mul.len()];
            (row, m.add[l % m.add.len()])
        };
        let made = linear("n", &inputs, &(0..lanes).map(row).collect::<Vec<_>>());
        code.push_str(&made.code);
        for (lane, sum) in made.outputs.iter().enumerate() {
            let clip = Clip::new(m, sum.lo, sum.hi, out_bits);
            let wide = format!("{}'({})", clip.sum_bits, sum.name);
            let instance = format!("u_clip{lane}");
            code.push_str(&c.text(&RoundClip { instance: &instance, c: &clip, sum: &wide, y: &targets[lane] })?);
        }
        let names: Vec<&str> = inputs.iter().map(|i| i.name.as_str()).collect();
        code.push_str(&format!("  wire unused_x = &{{1'b0, {}}};\n", names.join(", ")));
        return Ok(code);
    }
    let (mul_bits, add_bits) = (bits_of(m.mul.iter().copied()), bits_of(m.add.iter().copied()));
    let unit = m.is_shift();
    let word = |g: usize| {
        let mut word = Word::new();
        for l in 0..lanes {
            word.push(cyclic(&m.mul, g * lanes + l), mul_bits);
            word.push(cyclic(&m.add, g * lanes + l), add_bits);
        }
        word
    };
    code.push_str(&parameters(
        c,
        "factor, addend",
        lanes * (mul_bits + add_bits),
        (0..period / lanes).map(word).collect(),
    )?);
    for (lane, input) in inputs.iter().enumerate() {
        let (lo, hi) = sum_range(m, (input.lo, input.hi));
        let clip = Clip::new(m, lo, hi, out_bits);
        let at = lane * (mul_bits + add_bits);
        code.push_str(&format!("  wire signed [{}:0] sum{lane};\n", clip.sum_bits - 1));
        code.push_str(&c.text(&MulAdd {
            instance: &format!("u_sum{lane}"),
            unit: u8::from(unit),
            x_bits: signed_bits(input.lo, input.hi),
            mul_bits,
            add_bits,
            sum_bits: clip.sum_bits,
            x: &input.name,
            mul: &field("parameters", at, mul_bits),
            add: &field("parameters", at + mul_bits, add_bits),
            sum: &format!("sum{lane}"),
        })?);
        let (instance, sum) = (format!("u_clip{lane}"), format!("sum{lane}"));
        code.push_str(&c.text(&RoundClip { instance: &instance, c: &clip, sum: &sum, y: &targets[lane] })?);
    }
    Ok(code)
}

/// A signed field of a word.
pub(super) fn field(word: &str, at: usize, bits: usize) -> String {
    format!("$signed({word}[{}:{at}])", at + bits - 1)
}

/// The memory of parameters that advances with every beat taken.
pub(super) fn parameters(
    c: &mut Context,
    layout: &'static str,
    width: usize,
    words: Vec<Word>,
) -> Result<String, Diag> {
    let block = u8::from(words.len() > 1 && is_block(words.len(), width));
    let rom = c.rom("parameters", &Rom::new(width, words));
    let text = c.text(&Parameters { layout, rom, block })?;
    Ok(format!("{text}  wire unused_parameters = &{{1'b0, parameters}};\n"))
}

fn two_slopes(c: &mut Context, n: &MulShift, p: &MulShift, lanes: usize, period: usize) -> Result<String, Diag> {
    let out_bits = c.outs[0].ty.bits as usize;
    let both = |a: &[i64], b: &[i64]| bits_of(a.iter().chain(b).copied());
    let (mul_bits, add_bits) = (both(&n.mul, &p.mul), both(&n.add, &p.add));
    let lane_bits = 2 * (mul_bits + add_bits);
    let groups = if constant_in_lane(period, lanes) { 1 } else { period / lanes };
    let word = |g: usize| {
        let mut word = Word::new();
        for channel in g * lanes..(g + 1) * lanes {
            for m in [n, p] {
                word.push(cyclic(&m.mul, channel), mul_bits);
                word.push(cyclic(&m.add, channel), add_bits);
            }
        }
        word
    };
    let words = (0..groups).map(word).collect();
    let mut code = parameters(c, "factor, addend below zero; factor, addend from zero on", lanes * lane_bits, words)?;
    let late = usize::from(n.rounds_separately() || p.rounds_separately());
    for lane in 0..lanes {
        let (line, x) = c.signed_lane(0, lane, &format!("x{lane}"), "in0_data");
        code.push_str(&line);
        let x_bits = signed_bits(x.lo, x.hi);
        let (nl, nh) = sum_range(n, (x.lo.min(0), x.hi));
        let (pl, ph) = sum_range(p, (x.lo, x.hi.max(0)));
        let (lo, hi) = (nl.min(pl), nh.max(ph));
        let sum_bits = signed_bits(lo, hi);
        let at = lane * lane_bits;
        let chosen = |from: usize, bits: usize| {
            let high = mul_bits + add_bits;
            format!(
                "{} ? {} : {}",
                format_args!("{}[{}]", x.name, x_bits - 1),
                field("parameters", at + from, bits),
                field("parameters", at + high + from, bits)
            )
        };
        code.push_str(&format!("  wire signed [{}:0] mul{lane} = {};\n", mul_bits - 1, chosen(0, mul_bits)));
        code.push_str(&format!("  wire signed [{}:0] add{lane} = {};\n", add_bits - 1, chosen(mul_bits, add_bits)));
        code.push_str(&format!("  wire signed [{}:0] sum{lane};\n", sum_bits - 1));
        code.push_str(&c.text(&MulAdd {
            instance: &format!("u_sum{lane}"),
            unit: 0,
            x_bits,
            mul_bits,
            add_bits,
            sum_bits,
            x: &x.name,
            mul: &format!("mul{lane}"),
            add: &format!("add{lane}"),
            sum: &format!("sum{lane}"),
        })?);
        // Both pieces are rounded and clipped; the sign of the input picks one.
        for (m, piece) in [(n, "below"), (p, "above")] {
            let clip = Clip::new(m, lo, hi, out_bits);
            let extra = late - usize::from(m.rounds_separately());
            let sum = format!("{piece}_sum{lane}");
            code.push_str(&format!("  wire signed [{}:0] {sum};\n", clip.sum_bits - 1));
            let wide = format!("{}'(sum{lane})", clip.sum_bits);
            code.push_str(&c.delay(&format!("u_{piece}_late{lane}"), clip.sum_bits, extra, &wide, &sum)?);
            code.push_str(&format!("  wire [{}:0] {piece}{lane};\n", out_bits - 1));
            let (instance, y) = (format!("u_{piece}{lane}"), format!("{piece}{lane}"));
            code.push_str(&c.text(&RoundClip { instance: &instance, c: &clip, sum: &sum, y: &y })?);
        }
        code.push_str(&format!("  wire negative{lane};\n"));
        let sign = format!("{}[{}]", x.name, x_bits - 1);
        code.push_str(&c.delay(&format!("u_negative{lane}"), 1, 4 + late, &sign, &format!("negative{lane}"))?);
        let target = slice("out0_data", lane, out_bits);
        code.push_str(&format!("  assign {target} = negative{lane} ? below{lane} : above{lane};\n"));
    }
    Ok(code)
}
