//! Products digit by digit: one graph for narrow digits instead of one for whole words, and sums over the digits.
//!
//! `x = sum of d_p << (p * bits) - offset`, with unsigned digits `d_p` (the offset inverts the sign bit), so
//! `W x + b = sum over p of (W d_p) << (p * bits) + (b - W offset)`: the graph of `W` works on one digit of every input a cycle, a
//! register a row adds what it gives, lowest digits first, so that its adder stays as narrow as the graph's results.

use std::collections::HashMap;

use crate::cost::graph_luts;
use crate::graph::{Graph, Linear, NodeId, Operand};
use crate::interval::Interval;
use crate::solve::{InputSpec, Job, Options, Rows, append};
use netfold_ir::hw::program::serial::{accumulator, sign_offset};

/// How a product is taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Digits {
    /// Bits a digit.
    pub bits: u32,
    /// Digits of the widest input.
    pub count: u32,
    /// The product's rows for digits: known-zero low bits are in the weights, constant inputs in no row.
    pub rows: Rows,
    /// The digits' intervals.
    pub inputs: Vec<InputSpec>,
    /// Bits of all digits that a load has to select.
    select_bits: u32,
}

/// What is left of an input without its known-zero low bits.
fn payload(i: &InputSpec) -> Interval {
    Interval { lo: i.range.lo >> i.zeros, hi: i.range.hi >> i.zeros }
}

impl Digits {
    /// Digits for an interval of some cycles; `None` where no input has more than one bit to give a cycle.
    pub fn new(rows: &Rows, inputs: &[InputSpec], interval: u32) -> Option<Self> {
        let widths: Vec<u32> = inputs.iter().map(|i| payload(i).width()).collect();
        let widest = widths.iter().copied().max().unwrap_or(0);
        let bits = widest.div_ceil(interval.max(1)).max(1);
        let count = widest.div_ceil(bits);
        if count < 2 {
            return None;
        }
        let varies = |k: u32| inputs[k as usize].range.lo < inputs[k as usize].range.hi;
        let row = |r: &Vec<(u32, i64)>| {
            let kept = r.iter().filter(|t| varies(t.0));
            kept.map(|&(k, w)| (k, w << inputs[k as usize].zeros)).collect()
        };
        let digit = |w: &u32| InputSpec { range: Interval::of_word((*w).clamp(1, bits), false), zeros: 0 };
        Some(Self {
            bits,
            count,
            rows: Rows(rows.0.iter().map(row).collect()),
            inputs: widths.iter().map(digit).collect(),
            select_bits: widths.iter().map(|w| w.saturating_sub(bits)).sum(),
        })
    }

    /// Lookup tables with the digits' selection and the sums over them.
    pub fn price(&self, graph: &Graph, options: &Options) -> f64 {
        let adder = |o: &Linear| {
            o.term.map_or(0, |t| {
                let phase = graph.node(t.node).range.negate_if(t.neg).shl(t.shift);
                accumulator(phase, self.bits, self.count, 0).width()
            })
        };
        let adders: u32 = graph.outputs.iter().map(adder).sum();
        graph_luts(graph, &options.cost) + f64::from(adders + self.select_bits)
    }

    /// Appends the product's graph with digits in front and sums behind. `whole` is the product on words; `loaded` holds the digits
    /// that other products took of the same nodes.
    pub fn append(
        &self,
        g: &mut Graph,
        graph: &Graph,
        whole: &Job,
        inputs: &[NodeId],
        loaded: &mut HashMap<(NodeId, u32), NodeId>,
    ) -> Vec<Linear> {
        let digits: Vec<NodeId> = inputs
            .iter()
            .zip(whole.inputs)
            .map(|(&x, spec)| {
                *loaded.entry((x, self.bits)).or_insert_with(|| {
                    let src = if spec.zeros > 0 { g.shr(x, spec.zeros) } else { x };
                    g.serial(src, self.bits)
                })
            })
            .collect();
        let sums = append(g, graph, &digits);
        let weights: i64 = (0..self.count).map(|p| 1i64 << (p * self.bits)).sum();
        sums.into_iter()
            .enumerate()
            .map(|(r, sum)| {
                let mut start = whole.bias.map_or(0, |b| b[r]) + sum.offset * weights;
                for &(k, w) in &whole.rows.0[r] {
                    let i = &whole.inputs[k as usize];
                    start += if i.range.lo == i.range.hi {
                        w * i.range.lo
                    } else {
                        -((w * sign_offset(payload(i))) << i.zeros)
                    };
                }
                let Some(t) = sum.term else { return Linear { term: None, offset: start } };
                let known = whole.output_spec(r);
                let node = g.accumulate(t, self.bits, self.count, start, (known.range, known.zeros));
                Linear { term: Some(Operand { node, shift: 0, neg: false }), offset: 0 }
            })
            .collect()
    }
}
