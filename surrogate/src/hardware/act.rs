//! Functions of one element: affine pieces, thresholds, tables.

use super::count::Count;
use super::fabric::Fabric;
use super::linear::live_bits;
use super::rom::{self, RomStats};
use netfold_ir::hw::latency::{
    LOGIC_TABLE_WORDS, PARALLEL_THRESHOLDS, constant_in_lane, default_memory, search_step, search_steps, table_words,
};
use netfold_ir::hw::linear::Linear;
use netfold_ir::hw::{Memory, MulShift, Realization, Table, Thresholds};
use netfold_ir::quant::IntType;

/// Contents of memories beyond which only a part is looked at.
const MOST_WORDS: usize = 4096;

/// Bits of the narrowest signed number that holds all values.
fn bits_of(values: &[i64]) -> u32 {
    values.iter().map(|v| 65 - (if *v < 0 { !v } else { *v }).leading_zeros()).max().unwrap_or(1)
}

/// Bits of the narrowest signed number that holds `lo..=hi`.
fn range_bits(lo: i128, hi: i128) -> u32 {
    let size = |v: i128| 128 - (if v < 0 { !v } else { v }).leading_zeros();
    size(lo).max(size(hi)) + 1
}

/// A module of `lanes` elements a beat.
pub fn act(
    function: &Realization,
    lanes: usize,
    input: IntType,
    output: IntType,
    latency: usize,
    rule: &Fabric,
) -> Count {
    let mut c = Count::default();
    let period = function.period();
    c.flags(1, latency);
    match function {
        Realization::MulShift(m) => affine(&mut c, m, lanes, period, input, output, rule),
        Realization::TwoSlopes(n, p) => two_slopes(&mut c, n, p, lanes, input, output, rule),
        Realization::Thresholds(t) => thresholds(&mut c, function, t, lanes, input, output),
        Realization::Table(t) => table(&mut c, function, t, lanes, input, output, rule),
    }
    c.about.in_bits = f64::from(input.bits);
    c.about.out_bits = f64::from(output.bits);
    c.about.lanes = lanes as f64;
    c.about.words = period.div_ceil(lanes) as f64;
    c
}

/// The memory of parameters that change from beat to beat, and its counter.
fn parameters(c: &mut Count, groups: usize, width: usize, fields: impl Fn(usize) -> Vec<(i64, u32)>) -> RomStats {
    if groups < 2 {
        return RomStats::default();
    }
    let stats = rom::of_fields(groups, fields);
    if default_memory(groups, width) == Memory::Block {
        c.counter(groups, false);
        c.ff += 1.0;
        c.bram18 += super::memory::bram18(groups, stats.live as usize) as f64;
    } else {
        c.sequence(groups);
        c.rom(&stats, 1.0);
    }
    c.about.columns = stats.columns;
    c.about.ones = stats.ones;
    stats
}

/// Rounding and clipping of a sum in `lo..=hi` (netfold_round_clip).
fn clip(c: &mut Count, m: &MulShift, times: f64, lo: i128, hi: i128, out: u32) {
    let extra = i128::from(m.rounds_separately());
    let (least, most) = (lo >> m.shift, (hi >> m.shift) + extra);
    let kept = range_bits(least, most).max(out + 1);
    let live = live_bits(least, most);
    if m.rounds_separately() {
        // The carry chain adds the rounding bit without LUTs; what it rests on takes some.
        c.ff += times * f64::from(live);
        c.compare += times * (7.0 + f64::from(m.shift) / 2.2);
    }
    let sides = if m.wrap { [false, false] } else { [least < i128::from(m.lo), most > i128::from(m.hi)] };
    // A bound that is all of the lower bits shows in the bits above, other ones are compared with.
    let round = [m.lo.unsigned_abs().is_power_of_two() || m.lo == 0, (m.hi + 1).unsigned_abs().is_power_of_two()];
    let above = f64::from(kept - out.min(kept));
    for (side, round) in sides.into_iter().zip(round) {
        if side {
            c.compare += times * if round { above / 3.0 } else { f64::from(kept) };
        }
    }
    // One bound sets or clears the registers, the other one takes a LUT a bit.
    if sides == [true, true] {
        c.round += times * f64::from(out.min(live).saturating_sub(1));
    }
    let sides = f64::from(u8::from(sides[0]) + u8::from(sides[1]));
    // Extended signs and zeros are one register or none.
    c.ff += times * f64::from(out.min(live));
    c.about.taps += sides;
    c.about.depth = f64::from(kept);
}

fn sums(m: &MulShift, x: (i128, i128)) -> (i128, i128) {
    let all = m.rows().flat_map(|([mul], add)| [x.0, x.1].map(|x| i128::from(mul) * x + i128::from(add)));
    all.fold((i128::MAX, i128::MIN), |(l, h), s| (l.min(s), h.max(s)))
}

/// Values that the bits of a type can hold.
pub fn type_range(ty: IntType) -> (i128, i128) {
    let full = IntType::new(ty.signed, ty.bits);
    (i128::from(full.min()), i128::from(full.max()))
}

fn affine(c: &mut Count, m: &MulShift, lanes: usize, period: usize, input: IntType, output: IntType, rule: &Fabric) {
    let x = type_range(input);
    let x_bits = range_bits(x.0, x.1);
    if constant_in_lane(period, lanes) {
        let rows: Vec<_> = m.rows().collect();
        let each = lanes as f64 / rows.len() as f64;
        let row = |(r, ([mul], add)): (usize, &([i64; 1], i64))| {
            let mut row = vec![0; rows.len()];
            row[r] = *mul;
            (row, *add)
        };
        let graph = Linear::new(&vec![x; rows.len()], &rows.iter().enumerate().map(row).collect::<Vec<_>>());
        // What rounding toward minus infinity drops needs no register.
        let dropped = if m.rounds_separately() { 0 } else { m.shift };
        let totals = c.linear(&graph, each, |_| dropped);
        for row in &graph.rows {
            clip(c, m, each, row.lo, row.hi, output.bits);
            // Zeros that a shift to the left leaves.
            let zeros = row.term.shift.saturating_sub(m.shift).min(output.bits).min(live_bits(row.lo, row.hi));
            c.ff -= each * f64::from(zeros);
        }
        c.about.digits = each * totals.adds;
        c.about.width = f64::from(totals.widest);
        c.about.flag_a = 1.0;
        return;
    }
    let (mul_bits, add_bits) = (bits_of(&m.mul), bits_of(&m.add));
    let groups = period / lanes;
    let width = lanes * (mul_bits + add_bits) as usize;
    let fields = |g: usize| {
        (0..lanes)
            .flat_map(|l| {
                let i = g * lanes + l;
                [(m.mul[i % m.mul.len()], mul_bits), (m.add[i % m.add.len()], add_bits)]
            })
            .collect()
    };
    let stats = parameters(c, groups, width, fields);
    let (lo, hi) = sums(m, x);
    let sum = range_bits(lo, hi).max(m.shift + 1);
    let n = lanes as f64;
    // Yosys moves the address register of the parameters behind their memory; so they have registers in any case.
    c.ff += stats.columns;
    if m.is_shift() {
        // Below the lowest bit of all addends the input passes through.
        let zeros = m.add.iter().filter(|a| **a != 0).map(|a| a.trailing_zeros()).min().unwrap_or(sum);
        let adder = n * f64::from(sum.min(x_bits + 1).saturating_sub(zeros));
        c.adder += adder;
        c.plain += adder;
        let dropped = if m.rounds_separately() { 0 } else { m.shift };
        c.ff += n * f64::from(sum - dropped.min(sum));
    } else {
        let blocks = rule.blocks(x_bits, mul_bits, x_bits + mul_bits);
        c.dsp += lanes * blocks;
        // The block holds the input, the product, the waiting addend and the sum.
        match blocks {
            0 => {
                c.ff += n * f64::from(2 * x_bits + mul_bits) + n * f64::from(sum);
                c.ff += stats.columns * f64::from(add_bits) / f64::from((mul_bits + add_bits).max(1));
                c.select += n * f64::from(x_bits * mul_bits) * 0.6;
            }
            1 if rule.registers => {}
            1 => {
                let waits = if stats.columns > 0.0 { 0 } else { x_bits };
                c.ff += n * f64::from(x_bits + waits + mul_bits + sum);
            }
            more => {
                c.ff += n * (17.0 * (more - 1) as f64 + f64::from(sum));
            }
        }
        c.about.digits = blocks as f64;
    }
    clip(c, m, n, lo, hi, output.bits);
    c.about.weight_bits = f64::from(mul_bits);
    c.about.width = f64::from(sum);
}

fn two_slopes(c: &mut Count, n: &MulShift, p: &MulShift, lanes: usize, input: IntType, output: IntType, rule: &Fabric) {
    let both = |a: &[i64], b: &[i64]| bits_of(a).max(bits_of(b));
    let (mul_bits, add_bits) = (both(&n.mul, &p.mul), both(&n.add, &p.add));
    let period = [n, p].iter().map(|m| m.mul.len().max(m.add.len())).max().unwrap_or(1);
    let groups = if constant_in_lane(period, lanes) { 1 } else { period / lanes };
    let fields = |g: usize| {
        let mut word = Vec::new();
        for i in g * lanes..(g + 1) * lanes {
            for m in [n, p] {
                word.push((m.mul[i % m.mul.len()], mul_bits));
                word.push((m.add[i % m.add.len()], add_bits));
            }
        }
        word
    };
    parameters(c, groups, 2 * lanes * (mul_bits + add_bits) as usize, fields);
    let x = type_range(input);
    let x_bits = range_bits(x.0, x.1);
    let times = lanes as f64;
    // Factors that are constant in a lane are two values that the sign picks: without a sign bit where both are positive, and a
    // constant where they are the same.
    let in_lane = |lane: usize| {
        let factors = [n, p].map(|m| m.mul[lane % m.mul.len()]);
        match factors {
            _ if groups > 1 => rule.blocks(x_bits, mul_bits, x_bits + mul_bits),
            [a, b] if a == b && a.unsigned_abs().is_power_of_two() => 0,
            [a, b] if a >= 0 && b >= 0 => rule.product((input.bits, input.signed), (bits_of(&factors) - 1, false)),
            _ => rule.blocks(x_bits, mul_bits, x_bits + mul_bits),
        }
    };
    let used: usize = (0..lanes).map(in_lane).sum();
    let blocks = used.div_ceil(lanes);
    c.dsp += used;
    let (a, b) = (sums(n, x), sums(p, x));
    let (lo, hi) = (a.0.min(b.0), a.1.max(b.1));
    c.ff += times * f64::from(2 * add_bits);
    c.mux += times * f64::from(mul_bits + add_bits);
    for m in [n, p] {
        clip(c, m, times, lo, hi, output.bits);
    }
    c.mux += times * f64::from(output.bits);
    c.about.weight_bits = f64::from(mul_bits);
    c.about.digits = blocks as f64;
    c.about.width = f64::from(range_bits(lo, hi));
}

fn thresholds(c: &mut Count, function: &Realization, t: &Thresholds, lanes: usize, input: IntType, output: IntType) {
    let (lo, hi) = type_range(input);
    let bits = range_bits(lo, hi + 1);
    let n = t.thresholds.first().map_or(0, Vec::len);
    let period = function.period();
    let constant = constant_in_lane(period, lanes);
    let groups = if constant { 1 } else { period / lanes };
    let times = lanes as f64;
    let threshold = |channel: usize, k: usize| {
        let list = &t.thresholds[channel % t.thresholds.len()];
        list.get(k).map_or(hi + 1, |v| i128::from(*v).clamp(lo, hi + 1)) as i64
    };
    c.about.operands = n as f64;
    c.about.groups = groups as f64;
    let out = output.bits;
    if n <= PARALLEL_THRESHOLDS {
        let fields = |g: usize| {
            let mut word = Vec::new();
            for i in g * lanes..(g + 1) * lanes {
                word.extend((0..n.max(1)).map(|k| (threshold(i, k), bits)));
                word.push((t.base[i % t.base.len()], out));
                word.push((i64::from(t.direction[i % t.direction.len()] > 0), 1));
            }
            word
        };
        let width = lanes * (n.max(1) * bits as usize + out as usize + 1);
        let stats = parameters(c, groups, width, fields);
        // Comparisons with constants are LUTs of the upper bits; with variables, carry chains.
        let compared = times * n as f64 * f64::from(bits);
        c.compare += compared * if constant { 0.6 } else { 1.2 };
        c.compared += if constant { 0.0 } else { 1.2 * compared };
        // A count starts from its base where that leaves room below, and grows by a bit an operand.
        let counted = |base: i64, k: usize| {
            let count = (k as u32).min(out);
            if k == 0 || base.trailing_zeros() >= count { count } else { out }
        };
        if constant {
            // Equal comparisons are one. Those that always or never hold are constants where the sign is.
            let known = |v: &i64| input.signed || (lo + 1..=hi).contains(&i128::from(*v));
            for lane in 0..lanes {
                let mut live: Vec<i64> = (0..n.max(1)).map(|k| threshold(lane, k)).filter(known).collect();
                live.dedup();
                let base = t.base[lane % t.base.len()];
                c.ff += live.len() as f64 + f64::from(counted(base, live.len()));
            }
        } else {
            let base = if t.base.len() == 1 { t.base[0] } else { 1 };
            c.ff += times * (n as f64 + f64::from(counted(base, n)));
        }
        c.ff += stats.columns;
        c.adder += times * f64::from(out) * if n > 1 { 1.0 } else { 0.3 } * (n as f64 / 3.0).max(0.5);
        c.about.flag_a = f64::from(u8::from(constant));
        return;
    }
    let steps = search_steps(n);
    let registered = search_step(function, n, lanes) == 2;
    let group_bits = if groups > 1 { f64::from(netfold_ir::hw::latency::levels(groups)) } else { 0.0 };
    c.counter(groups, false);
    let same = if t.thresholds.len() == 1 { 1 } else { lanes };
    for step in 0..steps {
        let depth = groups << step;
        for lane in 0..same {
            let times = times / same as f64;
            let entry = |address: usize| {
                let (g, prefix) = (address >> step, address & ((1 << step) - 1));
                threshold(g * lanes + lane, (((prefix << 1) | 1) << (steps - 1 - step)) - 1)
            };
            let block = registered && depth * bits as usize > 1024;
            if block {
                c.bram18 += times * super::memory::bram18(depth, bits as usize) as f64;
            } else {
                let stride = depth.div_ceil(MOST_WORDS);
                let stats = rom::of_fields(depth / stride, |w| vec![(entry(w * stride), bits)]);
                c.rom(&stats, times * stride as f64);
                // Of the memory, or of its address moved behind it.
                c.ff += times * stats.columns;
            }
            let compared = times * f64::from(bits);
            c.compare += compared * if depth == 1 { 0.6 } else { 1.2 };
            c.compared += if depth == 1 { 0.0 } else { 1.2 * compared };
            c.ff += times * (step as f64 + 1.0 + if registered { step as f64 } else { 0.0 });
        }
    }
    // The input waits for its last comparison, the group, which all lanes share, for its last threshold or its base.
    let per_step = if registered { 2.0 } else { 1.0 };
    let copies = per_step * steps as f64 - 1.0;
    let plain = t.base.len() == 1 && t.direction.iter().all(|d| *d > 0) && t.base[0].trailing_zeros() >= steps as u32;
    let late = if t.base.len() == 1 && t.direction.len() == 1 { 0.0 } else { 1.0 };
    c.ff += times * copies * f64::from(input.bits) + (copies + late) * group_bits;
    let y = if plain { out.min(steps as u32) } else { out };
    c.ff += times * f64::from(y);
    if plain && registered {
        // What was found before the last step passes three registers: a shift register.
        let found = times * (steps - 1) as f64;
        c.ff -= 3.0 * found;
        c.shift(found as usize, 3 * found as usize);
    }
    c.adder += times * f64::from(out);
    c.about.digits = steps as f64;
    c.about.flag_b = f64::from(u8::from(registered));
}

fn table(
    c: &mut Count,
    function: &Realization,
    t: &Table,
    lanes: usize,
    input: IntType,
    output: IntType,
    rule: &Fabric,
) {
    let (lo, hi) = type_range(input);
    let first = i128::from(t.first);
    let bits = range_bits(lo.min(first), hi.max(first)) + 1;
    let n = t.entries.first().map_or(1, Vec::len);
    let count = t.entries.len();
    let groups = if constant_in_lane(count, lanes) { 1 } else { count / lanes };
    let words = table_words(function, n, lanes);
    let block = words > LOGIC_TABLE_WORDS;
    let index = f64::from(netfold_ir::hw::latency::levels(n.max(2)));
    let times = lanes as f64;
    if groups > 1 {
        c.counter(groups, false);
        c.ff += f64::from(netfold_ir::hw::latency::levels(groups));
    }
    // The offset, then limits at both ends where the input reaches beyond the table.
    let under = lo < first;
    let over = hi > first + n as i128 - 1;
    if first != 0 {
        c.adder += times * f64::from(bits);
    }
    c.round += times * index * f64::from(u8::from(under) + u8::from(over)) / 2.0;
    c.compare += times * f64::from(bits) * f64::from(u8::from(over)) / 2.0;
    c.ff += times * (index + f64::from(u8::from(t.tail.is_some())));
    let out = output.bits;
    if block {
        let shared = groups == 1 && count == 1;
        let blocks = super::memory::bram18(words, out as usize);
        c.bram18 += (if shared { lanes.div_ceil(2) } else { lanes } * blocks) as f64;
        c.ff += times * f64::from(out);
    } else {
        let same = if count == 1 { 1 } else { lanes };
        for lane in 0..same {
            let padded = if groups > 1 { n.next_power_of_two() } else { n };
            let entry = |w: usize| t.entries[(w / padded * lanes + lane) % count][(w % padded).min(n - 1)];
            let stats = rom::of_fields(words.max(1), |w| vec![(entry(w), out)]);
            let times = times / same as f64;
            c.rom(&stats, times);
            c.ff += times * stats.columns;
            c.about.columns = stats.columns;
            c.about.ones = stats.ones;
        }
    }
    if let Some(tail) = &t.tail {
        affine(c, tail, lanes, function.period(), input, output, rule);
        c.mux += times * f64::from(out);
        c.ff += 2.0 * times * f64::from(out);
    }
    c.about.depth = words as f64;
    c.about.operands = n as f64;
    c.about.groups = groups as f64;
    c.about.flag_b = f64::from(u8::from(block));
    c.about.flag_c = f64::from(u8::from(under) + u8::from(over));
}
