//! Sums in logic: what Yosys 0.70 makes of netfold_reduce_tree over operands that are plain, or selected by weights (netfold_dot).
//!
//! Every addition is a carry chain of its own. A bit where both operands have one takes a LUT, which also selects one of them, and
//! another LUT for what the carry chain passes on, unless that comes straight from a register; behind a sum without a register
//! selection has a LUT of its own. A bit that only one operand has takes a LUT when it is selected
//! (`scripts/measure_sums.py`; trees of 2 to 8 operands of 7 bits and 2 to 4 digits are met exactly).

/// How a bit of an operand follows from its input and its weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Select {
    /// Not at all: a bit of a register.
    Plain,
    /// Not at all: a bit of a sum without a register behind.
    Sum,
    /// By one or more bits of a weight: inverted, cleared, a Booth digit.
    Weight,
}

/// An operand: `width` bits that are not constant, the lowest of weight `2^offset`; none when the width is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operand {
    /// Weight of the lowest bit.
    pub offset: u32,
    /// Bits.
    pub width: u32,
    /// Where they come from.
    pub select: Select,
}

impl Operand {
    /// Weight of the bit above the highest one.
    fn top(&self) -> u32 {
        self.offset + self.width
    }
}

/// LUTs and flip-flops of a tree.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Tree {
    /// LUTs of the sums of selected operands.
    pub select: f64,
    /// LUTs of the sums of plain ones.
    pub adder: f64,
    /// Flip-flops.
    pub ff: f64,
}

impl Tree {
    /// One addition modulo `2^out_bits`. Returns the sum.
    fn add(&mut self, a: Operand, b: Operand, out_bits: u32) -> Operand {
        if a.width == 0 || b.width == 0 {
            return if a.width == 0 { b } else { a };
        }
        let (low, top) = (a.offset.min(b.offset), a.top().max(b.top()));
        let (from, to) = (a.offset.max(b.offset), a.top().min(b.top()));
        let both = f64::from(to.saturating_sub(from));
        // Bits of one operand alone, where it is selected.
        let alone = |o: &Operand| if o.select == Select::Weight { f64::from(o.width) - both } else { 0.0 };
        match (a.select == Select::Weight, b.select == Select::Weight) {
            (false, false) => self.adder += both,
            (true, true) => self.select += 2.0 * both,
            (true, false) | (false, true) => {
                let other = if a.select == Select::Weight { b.select } else { a.select };
                self.select += if other == Select::Plain { both } else { 2.0 * both };
            }
        }
        self.select += alone(&a) + alone(&b);
        let grown = u32::from(to > from);
        Operand { offset: low, width: (top + grown).min(out_bits) - low, select: Select::Sum }
    }

    /// A tree over operands whose sum is wanted modulo `2^out_bits`: registers after every second level. Returns the sum; what is left
    /// in `operands` means nothing.
    pub fn reduce(&mut self, operands: &mut [Operand], out_bits: u32) -> Operand {
        for o in operands.iter_mut() {
            o.width = o.top().min(out_bits).saturating_sub(o.offset);
        }
        let mut left = operands.len();
        while left > 1 {
            let span = if left > 2 { 4 } else { 2 };
            let sums = left.div_ceil(span);
            for k in 0..sums {
                let sum = match operands[k * span..left.min((k + 1) * span)] {
                    [a, b] => self.add(a, b, out_bits),
                    [a, b, ref rest @ ..] => {
                        let low = self.add(a, b, out_bits);
                        let high = if let [c, d] = *rest { self.add(c, d, out_bits) } else { rest[0] };
                        self.add(low, high, out_bits)
                    }
                    _ => operands[k * span],
                };
                if sum.select == Select::Weight {
                    self.select += f64::from(sum.width);
                }
                self.ff += f64::from(sum.width);
                operands[k] = Operand { select: Select::Plain, ..sum };
            }
            left = sums;
        }
        operands.first().copied().unwrap_or(Operand { offset: 0, width: 0, select: Select::Plain })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// LUTs with the accumulator of netfold_dot with DSP=0, signed inputs of 6 bits, ACCUMULATE=1, by Yosys 0.70, registers around all
    /// ports: SIMD, WEIGHT_BITS, ACC_BITS, LUTs.
    const MEASURED: [(usize, u32, u32, f64); 11] = [
        (2, 2, 13, 27.0),
        (4, 2, 13, 49.0),
        (8, 2, 13, 94.0),
        (1, 4, 15, 29.0),
        (2, 4, 15, 49.0),
        (4, 4, 15, 94.0),
        (8, 4, 15, 185.0),
        (2, 6, 17, 72.0),
        (4, 6, 17, 140.0),
        (8, 6, 17, 277.0),
        (8, 8, 19, 368.0),
    ];

    #[test]
    fn sums_cost_what_yosys_makes_of_them() {
        for (simd, bits, acc, luts) in MEASURED {
            let mut tree = Tree::default();
            let lanes = vec![Operand { offset: 0, width: 7, select: Select::Weight }; simd];
            let mut digit = |d: u32| Operand { offset: 2 * d, ..tree.reduce(&mut lanes.clone(), 64) };
            let mut parts: Vec<Operand> = if simd == 1 {
                (0..bits / 2).map(|d| Operand { offset: 2 * d, ..lanes[0] }).collect()
            } else {
                (0..bits / 2).map(&mut digit).collect()
            };
            tree.reduce(&mut parts, 64);
            let found = tree.select + tree.adder + f64::from(acc);
            assert!((found - luts).abs() <= 1.0, "{simd} {bits}: {found} against {luts}");
        }
    }

    #[test]
    fn bits_that_are_always_zero_have_no_registers() {
        let mut tree = Tree::default();
        let plain = |offset, width| Operand { offset, width, select: Select::Plain };
        let sum = tree.reduce(&mut [plain(2, 5), plain(0, 0), plain(4, 3)], 64);
        assert_eq!((sum.offset, sum.width, tree.ff, tree.adder), (2, 6, 6.0, 3.0));
        assert_eq!(Tree::default().reduce(&mut [plain(3, 9)], 8).width, 5);
    }
}
