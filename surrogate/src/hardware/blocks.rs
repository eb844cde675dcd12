//! Dot products in DSP blocks.

use super::count::Count;
use super::dot::Folded;
use super::fabric::Fabric;
use netfold_ir::quant::IntType;

impl Folded<'_> {
    /// `rows` rows of products in DSP blocks, their adders and accumulators.
    ///
    /// A block takes its product's register and one addition behind it: of the operands of a first register stage, groups of two
    /// or three are added in blocks, whose output register is the stage; groups of four need an adder and a register of their own.
    /// The single product of a row accumulates in its block.
    pub(super) fn blocks(&self, c: &mut Count, rows: usize, bits: u32, input: IntType, acc: u32, rule: &Fabric) {
        let x_bits = input.bits + u32::from(!input.signed);
        let product = (x_bits + bits).min(acc);
        let accumulate = self.beats > 1;
        let blocks = rule.blocks(x_bits, bits, product);
        c.about.flag_c = blocks as f64;
        let all = rows * self.simd;
        if self.words() == 1 {
            // Constants: powers of two are wires, equal ones of a column share a block.
            for i in 0..self.inputs {
                let column = (0..self.rows)
                    .map(|r| self.constant(r, i))
                    .filter(|w| !w.unsigned_abs().is_power_of_two() && *w != 0);
                let mut distinct: Vec<i64> = column.collect();
                distinct.sort_unstable();
                distinct.dedup();
                let size = |w: i64| 65 - (if w < 0 { !w } else { w }).leading_zeros();
                c.dsp +=
                    distinct.iter().map(|w| rule.blocks(x_bits, size(*w), (x_bits + size(*w)).min(acc))).sum::<usize>();
            }
        } else {
            c.dsp += blocks * all;
        }
        let rows = rows as f64;
        if blocks == 0 {
            let (all, x, w) = (all as f64, f64::from(input.bits), f64::from(bits));
            c.select += all * if input.bits == 1 { 0.35 * w } else { x * (w + 0.5 * (w - 2.0).max(0.0)) };
            c.ff += all * f64::from(product);
            if self.words() > 1 && !self.block() && rule.registers {
                // No block takes the operand register.
                c.ff += all * w;
            }
        }
        let inside = blocks == 1 && rule.sums;
        if blocks > 0 && !rule.registers {
            // The register of every product.
            c.ff += rows * self.simd as f64 * f64::from(product);
        }
        let mut widths = vec![product; self.simd];
        let mut level = 0;
        while widths.len() > 1 {
            level += 1;
            let last_level = widths.len() == 2;
            let mut next = Vec::with_capacity(widths.len().div_ceil(2));
            for pair in widths.chunks(2) {
                let widest = pair.iter().copied().max().unwrap_or(0);
                let sum = if pair.len() == 2 { (widest + 1).min(acc) } else { widest };
                // A grown sum's two upper bits add the same signs.
                let adder = rows * f64::from(sum - u32::from(sum == widest + 1));
                let full = self.simd.saturating_sub(4 * next.len()) >= 4;
                if pair.len() == 2 && !(inside && (level == 1 || level == 2 && !full)) {
                    c.adder += adder;
                }
                if level % 2 == 0 || last_level {
                    let absorbed = inside && (level == 1 || level == 2 && !full);
                    if !absorbed {
                        c.ff += rows * f64::from(sum);
                    }
                }
                next.push(sum);
            }
            widths = next;
        }
        if accumulate && self.simd == 1 && inside {
            // What the sum goes on with is the block's third operand.
            c.adder += if self.early > 0 { rows * f64::from(acc) } else { 0.0 };
        } else if accumulate {
            c.adder += rows * f64::from(acc);
            c.ff += rows * f64::from(acc);
        }
    }

    /// The weight of row `r` and input `i` of a unit of one word; 0 where they do not meet.
    fn constant(&self, r: usize, i: usize) -> i64 {
        if self.inputs == self.simd {
            return self.weights.row(r)[i];
        }
        // Inputs of a depthwise unit are [tap][channel].
        let channels = self.inputs / self.simd;
        let (tap, channel) = (i / channels, i % channels);
        if r / (self.rows / channels) == channel { self.weights.row(r)[tap] } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netfold_ir::hw::{Matrix, Memory, Multiplier, Mvu};
    use std::sync::Arc;

    /// Rows and columns in parallel, row groups, beats, input bits and sign, weight bits, accumulator bits, memory; flip-flops and DSP blocks of the
    /// unit alone as Yosys 0.70 counts them, weights random in their whole range (rows of surrogate/data/xc7.csv.gz).
    type Measured = (usize, usize, usize, usize, u32, bool, u32, u32, Memory, f64, usize);
    const MEASURED: [Measured; 5] = [
        (4, 4, 5, 7, 4, true, 6, 13, Memory::Lut, 135.0, 16),
        (1, 1, 3, 32, 8, false, 8, 19, Memory::Lut, 37.0, 1),
        (2, 2, 5, 32, 3, false, 7, 14, Memory::Lut, 71.0, 4),
        (1, 8, 12, 18, 8, false, 5, 19, Memory::Block, 109.0, 8),
        (1, 12, 12, 25, 8, false, 8, 21, Memory::Block, 141.0, 12),
    ];

    #[test]
    fn units_in_dsp_blocks_have_the_registers_that_yosys_leaves() {
        for (pe, simd, groups, beats, in_bits, signed, bits, acc, memory, ff, dsp) in MEASURED {
            let (rows, cols) = (pe * groups, simd * beats);
            let mut state = 1u64;
            let mut draw = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                ((state >> 33) % (1 << bits)) as i64 - (1 << (bits - 1))
            };
            let data = (0..rows * cols).map(|_| draw()).collect();
            let weights = Arc::new(Matrix { rows, cols, data });
            assert_eq!(weights.weight_bits(), bits);
            let m = Mvu { weights, pe, simd, vectors: 1, pixels: 1, early: 0, multiplier: Multiplier::Dsp, memory };
            let c = super::super::dot::mvu(&m, IntType::new(signed, in_bits), IntType::new(true, acc), &Fabric::XC7);
            assert_eq!((c.ff, c.dsp), (ff, dsp), "{pe} {simd} {groups} {beats}");
        }
    }
}
