//! Dot products of which two rows share a DSP block a column (netfold_dot_packed).

use super::count::Count;
use super::dot::Folded;
use super::fabric::Fabric;
use super::rom::RomStats;
use netfold_ir::hw::packing::Packing;
use netfold_ir::quant::IntType;

impl Folded<'_> {
    /// The rows of a unit in pairs, whose sums may stay together (`sums`), and the one without a partner of an odd number of rows.
    pub(super) fn packed(
        &self,
        c: &mut Count,
        (packing, sums): (Packing, bool),
        [input, output]: [IntType; 2],
        rom: &RomStats,
        rule: &Fabric,
    ) {
        let x = input.bits + u32::from(!input.signed);
        let (acc, bits) = (output.bits, self.facts.bits);
        let pairs = self.rows / 2;
        if self.rows % 2 == 1 {
            self.blocks(c, 1, bits, input, acc, rule);
        }
        let shared = rule.blocks(x, packing.factor_bits(), x + packing.factor_bits());
        c.dsp += self.simd * pairs * shared;
        c.about.flag_c = shared as f64;
        if rule.registers {
            // The lower weight's repeated sign keeps the register of the factor out of the block.
            let share = (2 * pairs) as f64 / self.rows as f64;
            c.ff += share * if self.block() { rom.live } else { rom.columns };
        } else {
            c.ff += (pairs * self.simd) as f64 * f64::from(x + packing.factor_bits());
        }
        let pairs = pairs as f64;
        if sums {
            if !(shared == 1 && rule.sums) {
                c.adder += pairs * f64::from(packing.shift + acc);
                c.ff += pairs * f64::from(packing.shift + acc);
            }
            return;
        }
        // The lower products with their signs; the upper ones, each adder with the carry of one operand.
        for (width, carries) in [(packing.shift, 0.0), (x + packing.high_bits, 1.0)] {
            let (adders, registers, stages) = tree(self.simd, width, acc);
            c.adder += pairs * (adders + f64::from(acc));
            c.ff += pairs * (registers + carries * stages + f64::from(acc));
        }
    }
}

/// Adder bits, register bits and registered values of a tree (netfold_reduce_tree) over `n` signed operands.
fn tree(n: usize, bits: u32, most: u32) -> (f64, f64, f64) {
    let (mut count, mut width, mut level) = (n, bits.min(most), 0);
    let (mut adders, mut registers, mut stages) = (0usize, 0usize, 0usize);
    while count > 1 {
        level += 1;
        let sum = (width + 1).min(most);
        // A grown sum's two upper bits add the same signs.
        adders += count / 2 * (sum - u32::from(sum > width)) as usize;
        count = count.div_ceil(2);
        width = sum;
        if level % 2 == 0 || count == 1 {
            registers += count * width as usize;
            stages += count;
        }
    }
    (adders as f64, registers as f64, stages as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_have_the_cells_that_yosys_makes_of_them() {
        // Eight operands of 13 and of 14 bits, sums of 16 bits: netfold_reduce_tree 95 LUT, 46 FF; netfold_carry_tree 102 LUT,
        // 51 FF, three of them carries.
        assert_eq!(tree(8, 13, 16), (95.0, 46.0, 3.0));
        assert_eq!(tree(8, 14, 16), (102.0, 48.0, 3.0));
        assert_eq!(tree(1, 14, 16), (0.0, 0.0, 0.0));
    }
}
