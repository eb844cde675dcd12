//! Sums a row's remaining terms: a tree of adders that wastes the fewest bits within a depth.
//!
//! Every adder removes bits from the heap of terms and costs one lookup table a position where its operands overlap;
//! the difference (its carry-out, mostly) is waste. Pairs are joined in order of least waste. An adder's carry input
//! takes the lowest bit of a third term for nothing, which makes that term one bit narrower.

use crate::graph::{CarryBit, Graph, Linear, Operand};
use crate::interval::{Interval, wrap_window};

/// A sum's target: what must be added to the terms and whether the constant is to be added in hardware.
pub(crate) struct Goal {
    /// Largest adder depth.
    pub max_depth: u32,
    /// Constant to be added to the terms' exact sum.
    pub constant: i64,
    /// The exact range of the result, constant included, where the constant is to be added by the tree.
    pub exact: Option<Interval>,
    /// Cost of a carry position that only one operand reaches, in lookup tables.
    pub pass: f32,
    /// Whether carry inputs may be used for lowest bits.
    pub carry_bits: bool,
}

/// The most terms of which all pairs are compared.
const PAIRED_TERMS: usize = 48;

fn kraft(g: &Graph, terms: &[Operand]) -> u64 {
    terms.iter().map(|t| 1u64 << g.node(t.node).depth.min(58)).sum()
}

/// Tables of the chains that add `xs` to `a`, estimated from the terms' extents.
fn group_cost(g: &Graph, a: Operand, xs: &[Operand]) -> f32 {
    let fa = g.field(a);
    let mut columns = [0u8; 64];
    for x in xs {
        let f = g.field(*x);
        for c in f.low..f.high.min(63) {
            columns[c as usize] += 1;
        }
    }
    let mut luts = 0;
    for (c, &n) in columns.iter().enumerate() {
        let alone = n == 0 || n == 1 && !(fa.low..fa.high).contains(&(c as u32));
        luts += u32::from(!alone) + u32::from(n >= 2) + u32::from(n >= 4);
    }
    luts as f32
}

/// The best group of four or six terms to add with shared counts, if one fits the depth and beats plain adders.
fn choose_group(g: &Graph, terms: &[Operand], used: u64, cap: u64, goal: &Goal) -> Option<(Operand, Vec<Operand>)> {
    if terms.len() < 4 {
        return None;
    }
    let mut best: Option<(f32, Operand, Vec<Operand>)> = None;
    let depth = |t: &Operand| g.node(t.node).depth;
    // Depth, lowest position and the one above the highest of each term.
    let known: Vec<(u32, u32, u32)> = terms
        .iter()
        .map(|t| {
            let f = g.field(*t);
            (depth(t), f.low, f.high)
        })
        .collect();
    let mut seeds: Vec<usize> = (0..terms.len()).collect();
    seeds.sort_by_key(|&i| known[i]);
    for &seed in seeds.iter().take(8) {
        let (at, low, high) = known[seed];
        // The nearest terms, ties in an order of their own.
        let others = (0..terms.len()).filter(|&i| i != seed).map(|i| {
            let ((d, l, h), t) = (known[i], &terms[i]);
            (d.max(at), l.abs_diff(low) + h.abs_diff(high), t.node, t.shift, t.neg)
        });
        let mut near: Vec<_> = others.collect();
        if near.len() > 5 {
            near.select_nth_unstable(4);
            near.truncate(5);
        }
        near.sort_unstable();
        let near: Vec<Operand> =
            near.into_iter().map(|(_, _, node, shift, neg)| Operand { node, shift, neg }).collect();
        for size in [6usize, 4] {
            if terms.len() < size || size == 4 && terms.len() == 5 {
                continue;
            }
            let mut members: Vec<Operand> = vec![terms[seed]];
            members.extend(near.iter().take(size - 1));
            let d = members.iter().map(depth).max().unwrap_or(0) + if size == 6 { 3 } else { 2 };
            let freed: u64 = members.iter().map(|t| 1u64 << depth(t).min(58)).sum();
            if used - freed + (1 << d.min(58)) > cap {
                continue;
            }
            // The term that reaches the farthest beyond the others feeds the chain.
            let mut choice: Option<(f32, usize)> = None;
            for i in 0..size {
                let mut xs = members.clone();
                let a = xs.remove(i);
                let c = group_cost(g, a, &xs);
                if choice.is_none_or(|b| c < b.0) {
                    choice = Some((c, i));
                }
            }
            let Some((cost, i)) = choice else { continue };
            let mut xs = members.clone();
            let a = xs.remove(i);
            let (mut total, mut bits, mut low) = (g.field(a).range, 0, u32::MAX);
            for m in &members {
                let f = g.field(*m);
                bits += f.high - f.low;
                low = low.min(f.low);
            }
            for x in &xs {
                total = total.sum(&g.field(*x).range);
            }
            let w = wrap_window(total.lo, total.hi).width().saturating_sub(low);
            let removed = bits as f32 - w as f32;
            // Lookup tables a removed bit; plain adders take a little over one.
            let rate = (cost + 1.0 + goal.pass) / removed.max(1.0);
            if rate < 1.0 && best.as_ref().is_none_or(|b| rate < b.0) {
                best = Some((rate, a, xs));
            }
        }
    }
    best.map(|b| (b.1, b.2))
}

/// Score of joining two terms (least is best), and the resulting depth.
fn score(g: &Graph, a: Operand, b: Operand, pass: f32) -> (f32, u32) {
    let (fa, fb) = (g.field(a), g.field(b));
    let overlap = fa.high.min(fb.high).saturating_sub(fa.low.max(fb.low));
    let sum = fa.range.sum(&fb.range);
    let low = fa.low.min(fb.low);
    let window = wrap_window(sum.lo >> low, sum.hi >> low);
    let w = window.width();
    let removed = (fa.high - fa.low + fb.high - fb.low) as f32 - w as f32;
    let top = (low + w).saturating_sub(fa.high.min(fb.high).max(fa.low.max(fb.low))) as f32;
    let depth = g.node(a.node).depth.max(g.node(b.node).depth) + u32::from(overlap > 0);
    // A gap between the operands or a long stretch of one operand alone is not waste by itself but spoils later sums.
    let spread = (low + w) as f32;
    (overlap as f32 - removed + pass * top + 0.02 * spread + 0.15 * depth as f32, depth)
}

/// Builds the sum of the terms; returns it with the constant still to be added.
pub(crate) fn sum_row(g: &mut Graph, mut terms: Vec<Operand>, goal: &Goal) -> Linear {
    let mut constant = goal.constant;
    if terms.is_empty() {
        return Linear { term: None, offset: constant };
    }
    let bound = goal.max_depth.min(56);
    while terms.len() > 1 {
        let used = kraft(g, &terms);
        let cap = 1u64 << bound;
        if let Some((a, xs)) = choose_group(g, &terms, used, cap, goal) {
            for member in std::iter::once(&a).chain(&xs) {
                if let Some(i) = terms.iter().position(|t| t == member) {
                    terms.remove(i);
                }
            }
            let base = xs.iter().map(|x| x.shift).min().unwrap_or(0).min(a.shift);
            let exact = match goal.exact {
                Some(range) if terms.is_empty() => Some((range, constant)),
                _ => None,
            };
            let base = if exact.is_some() { 0 } else { base };
            let down = |o: &Operand| Operand { shift: o.shift - base, ..*o };
            let (id, bias) = g.add_many(down(&a), &xs.iter().map(down).collect::<Vec<_>>(), exact);
            if exact.is_some() {
                return Linear { term: Some(Operand { node: id, shift: 0, neg: false }), offset: 0 };
            }
            constant -= bias << base;
            terms.push(Operand { node: id, shift: base, neg: false });
            continue;
        }
        // Of very many terms only the shallowest and lowest are paired.
        if terms.len() > PAIRED_TERMS {
            terms.sort_by_key(|t| (g.node(t.node).depth, g.field(*t).low, t.node, t.shift, t.neg));
        }
        let mut best: Option<(f32, usize, usize)> = None;
        let mut shallow: Option<(u32, f32, usize, usize)> = None;
        for i in 0..terms.len().min(PAIRED_TERMS) {
            for j in 0..i {
                let (s, d) = score(g, terms[i], terms[j], goal.pass);
                let after = used - (1 << g.node(terms[i].node).depth) - (1 << g.node(terms[j].node).depth) + (1 << d);
                if after <= cap && best.is_none_or(|b| s < b.0) {
                    best = Some((s, i, j));
                }
                if shallow.is_none_or(|b| (d, s) < (b.0, b.1)) {
                    shallow = Some((d, s, i, j));
                }
            }
        }
        let (i, j) = best.map(|b| (b.1, b.2)).or(shallow.map(|b| (b.2, b.3))).unwrap_or((1, 0));
        let (mut a, mut b) = (terms[i], terms[j]);
        terms.swap_remove(i.max(j));
        terms.swap_remove(i.min(j));
        if terms.is_empty() {
            return finish(g, a, b, constant, goal);
        }
        let start = g.field(a).low.max(g.field(b).low);
        let depth = g.node(a.node).depth.max(g.node(b.node).depth);
        let carry = if goal.carry_bits && g.overlap(a, b) > 0 {
            take_low_bit(g, &mut terms, start, depth, &mut constant)
        } else {
            None
        };
        let base = a.shift.min(b.shift).min(carry.map_or(u32::MAX, |c| c.shift));
        let flip = a.neg && b.neg && carry.is_none();
        a.shift -= base;
        b.shift -= base;
        if flip {
            (a.neg, b.neg) = (false, false);
        }
        let carry = carry.map(|c| CarryBit { shift: c.shift - base, ..c });
        let (id, bias) = g.add(a, b, carry);
        let t = Operand { node: id, shift: base, neg: flip };
        constant -= if flip { -(bias << base) } else { bias << base };
        terms.push(t);
    }
    let t = terms[0];
    match goal.exact {
        Some(range) if constant != 0 || t.neg || t.shift > 0 => {
            let id = g.affine(t, constant);
            g.narrow(id, range);
            Linear { term: Some(Operand { node: id, shift: 0, neg: false }), offset: 0 }
        }
        _ => Linear { term: Some(t), offset: constant },
    }
}

/// Takes the lowest bit of a waiting term that has it at `position`, if one does and arrives in time.
fn take_low_bit(
    g: &mut Graph,
    terms: &mut [Operand],
    position: u32,
    depth: u32,
    constant: &mut i64,
) -> Option<CarryBit> {
    let mut best: Option<(u32, usize)> = None;
    for (i, t) in terms.iter().enumerate() {
        let n = g.node(t.node);
        if t.shift == position && n.zeros == 0 && n.depth <= depth && n.width() > 1 && n.range.hi - n.range.lo > 1 {
            let w = n.width();
            if best.is_none_or(|b| w < b.0) {
                best = Some((w, i));
            }
        }
    }
    let (_, i) = best?;
    let t = terms[i];
    if t.neg {
        *constant -= 1 << t.shift;
    }
    let rest = match g.node(t.node).op {
        crate::graph::Op::Shr { src, bits } => g.shr(src, bits + 1),
        _ => g.shr(t.node, 1),
    };
    terms[i] = Operand { node: rest, shift: t.shift + 1, neg: t.neg };
    Some(CarryBit { node: t.node, shift: t.shift, neg: t.neg })
}

/// The last adder. Where the exact value is wanted, the constant goes to the operand that arrives first.
fn finish(g: &mut Graph, a: Operand, b: Operand, constant: i64, goal: &Goal) -> Linear {
    let Some(exact) = goal.exact else {
        let base = a.shift.min(b.shift);
        let flip = a.neg && b.neg;
        let mut a = Operand { shift: a.shift - base, ..a };
        let mut b = Operand { shift: b.shift - base, ..b };
        if flip {
            (a.neg, b.neg) = (false, false);
        }
        let (id, bias) = g.add(a, b, None);
        let bias = if flip { -(bias << base) } else { bias << base };
        return Linear { term: Some(Operand { node: id, shift: base, neg: flip }), offset: constant - bias };
    };
    let w = exact.width().max(1);
    let (fa, fb) = (g.field(a), g.field(b));
    // value = fields + offsets + constant, wanted modulo 2^w
    let need = (fa.offset + fb.offset + constant).rem_euclid(1 << w);
    let (mut a, mut b) = (a, b);
    if need != 0 {
        let (da, db) = (g.node(a.node).depth, g.node(b.node).depth);
        let first = if da != db { da < db } else { fa.high - fa.low >= fb.high - fb.low };
        if !first {
            std::mem::swap(&mut a, &mut b);
        }
        let fb = g.field(b);
        let na = g.node(a.node).range.negate_if(a.neg).shl(a.shift);
        // The constant that makes the sum of a non-negative word and the other field right modulo 2^w.
        let k = (fb.offset + constant).rem_euclid(1 << w);
        let mut k = k - (1 << w);
        while na.lo + k < 0 {
            k += 1 << w;
        }
        a = Operand { node: g.affine(a, k), shift: 0, neg: false };
    }
    let bias = if need == 0 { constant } else { exact_bias(g, a, constant) };
    let id = g.add_with_bias(a, b, None, bias, exact);
    Linear { term: Some(Operand { node: id, shift: 0, neg: false }), offset: 0 }
}

/// The bias that remains after an affine node took its part.
fn exact_bias(g: &Graph, a: Operand, constant: i64) -> i64 {
    match g.node(a.node).op {
        crate::graph::Op::Affine { bias, .. } => constant - bias,
        _ => constant,
    }
}
