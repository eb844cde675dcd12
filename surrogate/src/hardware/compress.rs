//! Sums in logic: what Yosys 0.70 makes of netfold_reduce_tree over operands that are plain, or selected by weights (netfold_dot).
//!
//! Up to four operands without a register between become one carry-save sum. Its LUTs depend, column by column of equal weight, on
//! how many operands have a bit there and on how they are selected; the cost of a column is the same for all widths, which is what
//! makes it a table. The table is the slope and the offset of LUTs over widths of 1 to 12 bits, one to four operands, each kind of
//! selection (`scripts/measure_sums.py`; every measured sum within 1 LUT or 3 %).

/// How a bit of an operand follows from its input and its weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Select {
    /// Not at all: a bit of a register.
    Plain,
    /// Inverted by a weight of one bit.
    Sign,
    /// Cleared by a weight of one bit.
    Clear,
    /// A digit in {-1, 0, 1}.
    Odd,
    /// The lowest Booth digit, of two weight bits.
    Low,
    /// A Booth digit of three weight bits.
    Digit,
}

/// LUTs of a column of one to four bits.
const COLUMN: [[f64; 4]; 6] = [
    [0.0, 1.0, 2.0, 3.0],
    [1.0, 2.0, 3.0, 5.0],
    [1.0, 2.0, 3.0, 5.0],
    [1.0, 2.0, 5.1, 7.3],
    [1.0, 2.0, 5.0, 7.0],
    [1.0, 2.0, 5.2, 8.0],
];

/// LUTs of a sum of one to four operands beside its columns.
const SUM: [[f64; 4]; 6] = [
    [0.0, 0.0, 0.0, 0.0],
    [0.0, 0.0, 0.0, -1.0],
    [0.0, 0.0, -2.0, -3.0],
    [0.0, 0.0, -1.0, -2.0],
    [0.0, 0.0, -2.0, -2.0],
    [0.0, 0.0, 0.0, 0.0],
];

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

/// LUTs of one sum of up to four operands.
pub fn sum(group: &[Operand]) -> f64 {
    let live = || group.iter().filter(|o| o.width > 0);
    let n = live().count();
    if n == 0 {
        return 0.0;
    }
    let (low, top) = live().fold((u32::MAX, 0), |(l, t), o| (l.min(o.offset), t.max(o.offset + o.width)));
    let mut luts = 0.0;
    for bit in low..top {
        let here = || live().filter(|o| o.offset <= bit && bit < o.offset + o.width);
        let height = here().count();
        if height > 0 {
            luts += here().map(|o| COLUMN[o.select as usize][height - 1]).sum::<f64>() / height as f64;
        }
    }
    luts + live().map(|o| SUM[o.select as usize][n - 1]).sum::<f64>() / n as f64
}

impl Tree {
    /// A tree over operands whose sum is wanted modulo `2^out_bits`: registers after every second level. Returns the sum.
    pub fn reduce(&mut self, operands: &[Operand], out_bits: u32) -> Operand {
        let cut = |o: &Operand| Operand { width: (o.offset + o.width).min(out_bits).saturating_sub(o.offset), ..*o };
        let mut left: Vec<Operand> = operands.iter().map(cut).collect();
        while left.len() > 1 {
            let span = if left.len() > 2 { 4 } else { 2 };
            let mut next = Vec::with_capacity(left.len().div_ceil(span));
            // Groups are often as the one before.
            let mut before: (&[Operand], f64) = (&[], 0.0);
            for group in left.chunks(span) {
                if before.0 != group {
                    before = (group, sum(group));
                }
                let live = || group.iter().filter(|o| o.width > 0);
                let selected = live().any(|o| o.select != Select::Plain);
                *(if selected { &mut self.select } else { &mut self.adder }) += before.1;
                let grown = match live().count() {
                    0 | 1 => 0,
                    2 => 1,
                    _ => 2,
                };
                let offset = live().map(|o| o.offset).min().unwrap_or(0);
                let top = live().map(|o| o.offset + o.width).max().map_or(0, |t| (t + grown).min(out_bits));
                let width = top.saturating_sub(offset);
                self.ff += f64::from(width);
                next.push(Operand { offset, width, select: Select::Plain });
            }
            left = next;
        }
        left.first().copied().unwrap_or(Operand { offset: 0, width: 0, select: Select::Plain })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// LUTs without the accumulator, and flip-flops of the trees, of netfold_dot with DSP=0, signed inputs, ACCUMULATE=1: measured with
    /// Yosys 0.70 as (SIMD, IN_BITS, WEIGHT_BITS, LUTs), registers around all ports.
    const MEASURED: [(usize, u32, u32, f64); 13] = [
        (2, 4, 2, 10.0),
        (2, 8, 2, 18.0),
        (4, 4, 2, 34.0),
        (4, 8, 2, 62.0),
        (8, 8, 2, 135.0),
        (16, 8, 2, 282.0),
        (2, 4, 4, 24.0),
        (4, 4, 4, 77.0),
        (4, 8, 4, 148.0),
        (8, 8, 4, 305.0),
        (16, 4, 4, 337.0),
        (4, 8, 8, 315.0),
        (1, 8, 4, 18.0),
    ];

    /// LUTs of the tree over lanes, then over digits.
    fn dot(simd: usize, in_bits: u32, weight_bits: u32) -> f64 {
        let mut tree = Tree::default();
        let mut parts = Vec::new();
        for d in 0..weight_bits.div_ceil(2) {
            let select = if d == 0 { Select::Low } else { Select::Digit };
            let lanes = vec![Operand { offset: 0, width: in_bits + 1, select }; simd];
            let sum = tree.reduce(&lanes, 64);
            parts.push(Operand { offset: 2 * d, ..sum });
        }
        tree.reduce(&parts, 64);
        tree.select + tree.adder
    }

    #[test]
    fn sums_cost_what_yosys_makes_of_them() {
        for (simd, in_bits, weight_bits, luts) in MEASURED {
            let e = dot(simd, in_bits, weight_bits);
            assert!((e - luts).abs() <= 2.0 + 0.05 * luts, "{simd} {in_bits} {weight_bits}: {e} against {luts}");
        }
    }

    #[test]
    fn bits_that_are_always_zero_have_no_registers() {
        let mut tree = Tree::default();
        let plain = |offset, width| Operand { offset, width, select: Select::Plain };
        let sum = tree.reduce(&[plain(2, 5), plain(0, 0), plain(4, 3)], 64);
        assert_eq!((sum.offset, sum.width, tree.ff, tree.adder), (2, 6, 6.0, 3.0));
        assert_eq!(Tree::default().reduce(&[plain(3, 9)], 8).width, 5);
    }
}
