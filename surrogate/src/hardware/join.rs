//! Reductions, products of streams, and modules that arrange beats.

use super::act::type_range;
use super::count::Count;
use super::fabric::Fabric;
use super::{memory, rom};
use netfold_ir::hw::latency::{default_memory, levels, lincomb_rows, tree_stages};
use netfold_ir::hw::linear::Linear;
use netfold_ir::hw::program::{Node, NodeId, Op, Program};
use netfold_ir::hw::{BroadcastOp, Kind, Memory, ReduceOp};
use netfold_ir::quant::IntType;

/// Stands for a port that is not there.
const NONE: IntType = IntType { signed: false, bits: 0, narrow: false };

/// Counts a module of the kinds of this file; `None` for others.
pub fn count(kind: &Kind, inputs: &[IntType], outputs: &[IntType], latency: usize, rule: &Fabric) -> Option<Count> {
    let mut c = Count::default();
    let first = inputs.first().copied().unwrap_or(NONE);
    let input = f64::from(first.bits);
    let output = f64::from(outputs.first().map_or(0, |t| t.bits));
    c.about.in_bits = input;
    c.about.out_bits = output;
    match kind {
        Kind::Source { .. } => {}
        Kind::Sink { beats, .. } => c.counter(*beats, false),
        Kind::Fork { outputs, .. } => {
            c.control += *outputs as f64;
            c.about.operands = *outputs as f64;
        }
        Kind::WindowReduce { op, taps, lanes, .. } => {
            c.flags(1, latency);
            reduce(&mut c, *op, *taps, *lanes, first, outputs);
        }
        Kind::GlobalReduce { op, pixels, channels, lanes } => {
            let (chunks, n) = (channels / lanes, *lanes as f64);
            c.counter(chunks, false);
            c.counter(*pixels, true);
            c.flags(1, 3);
            c.ff += n * input + n * output + 1.0;
            let bits = lanes * output as usize;
            if chunks > 1 {
                c.ff += f64::from(levels(chunks)) + n * output;
                memory::ram(&mut c, chunks, bits, Memory::Lut, rule);
            }
            combine(&mut c, *op, n, input, output);
            c.about.groups = chunks as f64;
            c.about.lanes = n;
            c.about.depth = *pixels as f64;
        }
        Kind::VectorReduce { op, length, lanes, .. } => {
            let beats = length / lanes;
            c.counter(beats, true);
            reduce(&mut c, *op, *lanes, 1, first, outputs);
            let flags = if beats > 1 { 3 } else { 1 };
            c.flags(flags, tree_stages(*lanes));
            c.ff += output + 1.0;
            if beats > 1 {
                combine(&mut c, *op, 1.0, input, output);
            }
            c.about.beats = beats as f64;
        }
        Kind::ArgMax { length, lanes, .. } => {
            let beats = length / lanes;
            c.counter(beats, true);
            let index = f64::from(levels(length + 1));
            let mut left = *lanes;
            let mut level = 0;
            while left > 1 {
                let pairs = (left / 2) as f64;
                c.compare += pairs * input;
                c.mux += pairs * (input + f64::from(level + 1));
                left = left.div_ceil(2);
                level += 1;
                if level % 2 == 0 || left == 1 {
                    c.ff += left as f64 * (input + f64::from(level));
                }
            }
            c.flags(if beats > 1 { 3 } else { 1 }, tree_stages(*lanes));
            c.ff += 1.0 + index;
            if beats > 1 {
                c.ff += input + index;
                c.compare += input;
                c.mux += input + index;
                c.adder += index;
            }
            c.about.lanes = *lanes as f64;
            c.about.beats = beats as f64;
        }
        Kind::Broadcast { op, length, lanes, .. } => {
            let (a, b) = (first, inputs.get(1).copied().unwrap_or(NONE));
            c.counter(length / lanes, true);
            c.flags(1, latency);
            let n = *lanes as f64;
            match op {
                BroadcastOp::RSub => {
                    c.ff += n * input + f64::from(b.bits) + n * output;
                    c.adder += n * output;
                }
                BroadcastOp::Mul => {
                    product(&mut c, n, a, b, output, true, rule);
                    c.ff += f64::from(b.bits);
                }
            }
            c.about.lanes = n;
            c.about.weight_bits = f64::from(b.bits);
            c.about.flag_a = f64::from(u8::from(matches!(op, BroadcastOp::Mul)));
        }
        Kind::LinComb { coefficients, constant, lanes, .. } => {
            c.flags(1, latency);
            lincomb(&mut c, coefficients, constant, *lanes, inputs, output, rule);
        }
        Kind::Mul { multiplier, lanes, .. } => {
            c.flags(1, latency);
            let b = inputs.get(1).copied().unwrap_or(NONE);
            product(&mut c, *lanes as f64, first, b, output, multiplier.is_dsp(), rule);
            c.about.lanes = *lanes as f64;
            c.about.weight_bits = f64::from(b.bits);
        }
        Kind::Concat { parts, lanes, .. } => {
            let n = parts.len() as f64;
            c.ff += if parts.len() > 1 { n } else { 0.0 };
            c.ff += f64::from(levels(parts.iter().copied().max().unwrap_or(1)));
            c.mux += *lanes as f64 * output * (n - 1.0);
            c.control += 2.0 * n + 4.0;
            c.about.operands = n;
            c.about.lanes = *lanes as f64;
        }
        Kind::Select { size, inner, lanes, .. } => {
            c.counter(*size, false);
            c.counter(*inner, false);
            let wanted = f64::from(levels(*size)) + 1.0;
            c.ff += wanted;
            c.adder += wanted;
            c.compare += wanted;
            c.control += 2.0;
            c.about.lanes = *lanes as f64;
            c.about.depth = *size as f64;
        }
        Kind::Dwc { from, to, .. } => dwc(&mut c, *from, *to, input),
        Kind::Reorder { order, lanes, memory } => {
            let words = order.len();
            let bits = lanes * first.bits as usize;
            c.counter(words, true);
            c.counter(words, true);
            c.ff += 7.0;
            c.control += 12.0;
            let address = levels(words);
            if default_memory(words, address as usize) == Memory::Block {
                c.bram18 += memory::blocks(words, address as usize, rule);
                c.counter(words, false);
                c.ff += 1.0;
            } else {
                c.sequence(words);
                c.rom(&rom::of_fields(words, |w| vec![(i64::from(order[w]), address)]), 1.0);
            }
            let depth = words + words.next_power_of_two();
            memory::ram(&mut c, depth, bits, *memory, rule);
            if matches!(memory, Memory::Lut | Memory::Logic) {
                c.ff += bits as f64;
            }
            c.about.depth = words as f64;
            c.about.width = bits as f64;
            c.about.flag_a = f64::from(u8::from(*memory == Memory::Block));
        }
        Kind::Pad { size, chunks, lanes, pads, value } => {
            let beat = *lanes as f64 * output;
            c.counter(*chunks, true);
            c.counter(size[1] + pads[1] + pads[3], true);
            c.counter(size[0] + pads[0] + pads[2], true);
            if pads[0] + pads[1] > 0 {
                c.ff += *lanes as f64 * input;
                c.mux += beat;
            }
            c.mux += beat;
            c.control += 8.0;
            if value.len() > 1 && *chunks > 1 {
                c.counter(*chunks, false);
                c.rom += beat;
                c.rom4.iter_mut().for_each(|luts| *luts += beat);
            }
            c.about.lanes = *lanes as f64;
            c.about.width = beat;
        }
        Kind::Upsample { size, chunks, lanes, factors } => {
            let beat = *lanes as f64 * input;
            c.counter(*chunks, true);
            c.counter(factors[1], true);
            c.counter(size[1], false);
            c.counter(factors[0], true);
            let words = if factors[0] > 1 { size[1] } else { 1 } * chunks;
            c.ff += 1.0 + beat;
            if words > 1 {
                let width = beat as usize;
                let memory = default_memory(words, width);
                c.ff += 2.0 * f64::from(levels(words)) + 1.0;
                memory::ram(&mut c, words, width, if memory == Memory::Logic { Memory::Lut } else { memory }, rule);
                if memory != Memory::Block {
                    c.ff += beat;
                }
                c.mux += beat;
            }
            c.control += 6.0;
            c.about.lanes = *lanes as f64;
            c.about.depth = words as f64;
            c.about.width = beat;
        }
        Kind::Program(p) => {
            c.adder = netfold_shiftadd::graph_luts(&p.graph, &netfold_shiftadd::CostModel::default());
            c.ff = if p.combinational { 0.0 } else { registers(p) as f64 };
            c.flags(1, latency);
            c.about.operands = p.graph.nodes.len() as f64;
            c.about.lanes = p.graph.inputs as f64;
            c.about.rows = p.graph.outputs.len() as f64;
            c.about.depth = f64::from(p.pipeline.stages);
        }
        Kind::Mvu(_) | Kind::Vvu(_) | Kind::Swu(_) | Kind::Act { .. } => return None,
    }
    Some(c)
}

/// Register bits of a program that something reads: of inputs, and between stages. The stream behind it has those of the outputs.
fn registers(p: &Program) -> u64 {
    let g = &*p.graph;
    let outputs = || g.outputs.iter().filter_map(|o| o.term).map(|t| t.node);
    if g.nodes.iter().any(|n| matches!(n.op, Op::Serial { .. } | Op::Accumulate { .. })) {
        let behind: u64 = outputs().map(|id| u64::from(g.node(id).width())).sum();
        return p.pipeline.register_bits.saturating_sub(behind);
    }
    let mut read = vec![false; g.nodes.len()];
    let mut open: Vec<NodeId> = outputs().collect();
    while let Some(id) = open.pop() {
        if !std::mem::replace(&mut read[id.index()], true) {
            open.extend(g.operands(id));
        }
    }
    let last = p.pipeline.last_reads_before(g, p.pipeline.stages - 1);
    let bits = |(i, node): (usize, &Node)| {
        let ranks = match node.op {
            Op::Const(_) | Op::Shr { .. } => 0,
            Op::Input(_) => last[i] + 1,
            _ => last[i] - p.pipeline.stage[i],
        };
        u64::from(ranks * node.width())
    };
    g.nodes.iter().enumerate().filter(|(i, _)| read[*i]).map(bits).sum()
}

/// Trees over `n` operands, `times` times.
fn reduce(c: &mut Count, op: ReduceOp, n: usize, times: usize, input: IntType, outputs: &[IntType]) {
    let t = times as f64;
    match op {
        ReduceOp::Sum => {
            let out = outputs.first().map_or(0, |o| o.bits);
            c.tree(&vec![input.bits; n], out, t);
        }
        ReduceOp::Max => {
            let bits = f64::from(input.bits);
            let (mut left, mut level) = (n, 0);
            while left > 1 {
                c.compare += t * (left / 2) as f64 * bits;
                c.mux += t * (left / 2) as f64 * bits * 2.0;
                left = left.div_ceil(2);
                level += 1;
                if level % 2 == 0 || left == 1 {
                    c.ff += t * left as f64 * bits;
                }
            }
        }
    }
    c.about.taps = n as f64;
    c.about.lanes = t;
    c.about.flag_a = f64::from(u8::from(op == ReduceOp::Max));
}

/// netfold_combine on `n` lanes.
fn combine(c: &mut Count, op: ReduceOp, n: f64, input: f64, output: f64) {
    match op {
        ReduceOp::Sum => c.adder += n * output,
        ReduceOp::Max => {
            c.compare += n * input;
            c.mux += n * output * 2.0;
        }
    }
    c.about.flag_a = f64::from(u8::from(op == ReduceOp::Max));
}

/// netfold_multiply on `n` lanes.
fn product(c: &mut Count, n: f64, a: IntType, b: IntType, output: f64, dsp: bool, rule: &Fabric) {
    let (a, b) = if a.bits < b.bits { (b, a) } else { (a, b) };
    let wide = |t: IntType| t.bits + u32::from(!t.signed);
    let (x, y) = (wide(a), wide(b));
    let blocks = rule.product((a.bits, a.signed), (b.bits, b.signed));
    if dsp {
        c.dsp += n as usize * blocks;
        c.about.digits = blocks as f64;
        match blocks {
            0 => {
                c.ff += n * (2.0 * f64::from(x + y) + output);
                c.select += n * f64::from(x * y) * 0.6;
            }
            1 if rule.registers => {}
            1 => c.ff += n * (f64::from(a.bits + b.bits) + 2.0 * output),
            more => c.ff += n * (17.0 * (more - 1) as f64 + output),
        }
        return;
    }
    let digits = y.div_ceil(2);
    c.ff += n * f64::from(a.bits + 2 * digits);
    c.select += n * f64::from(digits) * f64::from(x + 1);
    c.tree(&vec![output as u32; digits as usize + 1], output as u32, n);
    c.delay((n * output) as usize, 3usize.saturating_sub(tree_stages(digits as usize + 1)));
    c.about.digits = f64::from(digits);
}

fn lincomb(
    c: &mut Count,
    coefficients: &[Vec<i64>],
    constant: &[i64],
    lanes: usize,
    inputs: &[IntType],
    output: f64,
    rule: &Fabric,
) {
    let bits = |v: &[i64]| v.iter().map(|k| 65 - (if *k < 0 { !k } else { *k }).leading_zeros()).max().unwrap_or(1);
    c.about.operands = coefficients.len() as f64;
    c.about.lanes = lanes as f64;
    if let Some(rows) = lincomb_rows(coefficients, constant, lanes) {
        let each = lanes as f64 / rows.len() as f64;
        let terms = coefficients.len();
        let ranges: Vec<_> = rows.iter().flat_map(|_| inputs.iter().map(|ty| type_range(*ty))).collect();
        let row = |(r, (own, constant)): (usize, &(Vec<i64>, i64))| {
            let mut row = vec![0; rows.len() * terms];
            row[r * terms..(r + 1) * terms].copy_from_slice(own);
            (row, *constant)
        };
        let graph = Linear::new(&ranges, &rows.iter().enumerate().map(row).collect::<Vec<_>>());
        let totals = c.linear(&graph, each, |_| 0);
        c.about.digits = each * totals.adds;
        c.about.width = f64::from(totals.widest);
        c.about.flag_b = 1.0;
        return;
    }
    let period = coefficients.iter().map(Vec::len).chain([constant.len()]).max().unwrap_or(1);
    let groups = (period / lanes).max(1);
    let fields = |g: usize| {
        let mut word = Vec::new();
        for i in g * lanes..(g + 1) * lanes {
            word.extend(coefficients.iter().map(|k| (k[i % k.len()], bits(k))));
            word.push((constant[i % constant.len()], output as u32));
        }
        word
    };
    c.sequence(groups);
    let stats = rom::of_fields(groups, fields);
    c.rom(&stats, 1.0);
    c.ff += stats.columns;
    for (k, ty) in coefficients.iter().zip(inputs) {
        let b = IntType::new(true, bits(k));
        product(c, lanes as f64, *ty, b, output, true, rule);
    }
    c.delay(lanes * output as usize, 3);
    c.tree(&vec![output as u32; coefficients.len() + 1], output as u32, lanes as f64);
}

/// netfold_dwc.
fn dwc(c: &mut Count, from: usize, to: usize, bits: f64) {
    let gcd = {
        let (mut a, mut b) = (from, to);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let (f, t) = (from / gcd, to / gcd);
    let unit = gcd as f64 * bits;
    c.about.rows = f as f64;
    c.about.columns = t as f64;
    c.about.width = unit;
    if f == t {
    } else if t == 1 {
        c.counter(f, true);
        c.ff += (f - 1) as f64 * unit;
        c.mux += 2.0 * (f - 1) as f64 * unit;
        c.about.flag_a = 1.0;
    } else if f == 1 {
        c.counter(t, false);
        c.ff += (t - 1) as f64 * unit;
        c.about.flag_a = 2.0;
    } else {
        let larger = f.max(t);
        let held = f64::from(levels(larger + 1));
        c.ff += held + (larger - 1) as f64 * unit;
        c.mux += 4.0 * (larger + t) as f64 * unit;
        c.control += 3.0 * held + 4.0;
        c.about.flag_a = 3.0;
    }
    c.control += 2.0;
}
