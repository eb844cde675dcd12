//! What the contents of a read-only memory in logic cost: its columns (bits of the word) as functions of the address.

use netfold_ir::hw::latency::levels;
use std::collections::HashSet;

/// Statistics of a memory's columns.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RomStats {
    /// Columns that are neither constant nor equal to an earlier one: the registers behind them that remain.
    pub columns: f64,
    /// Columns that are not constant.
    pub live: f64,
    /// LUTs by depth and density.
    pub luts: f64,
    /// Ones among the bits of the remaining columns, 0 to 1.
    pub ones: f64,
}

impl RomStats {
    /// Statistics of a memory of which only a share of the columns was looked at.
    #[must_use]
    pub fn scaled(self, by: f64) -> RomStats {
        RomStats { columns: self.columns * by, live: self.live * by, luts: self.luts * by, ones: self.ones }
    }
}

/// LUTs of a column of random bits by the logarithm of the depth, from 16 words on: measured with Yosys 0.70 on
/// netfold_sequence_rom (16 to 64 columns at half density). Beyond 32 words abc9 does not find the six-input form.
const COLUMN: [f64; 7] = [1.0, 1.0, 4.1, 9.3, 20.0, 36.0, 78.0];

/// LUTs of a column of `depth` words with `ones` ones (or zeros, whichever are fewer). A fifth of ones costs four fifths of a
/// half; few ones are products of the address bits.
fn luts(depth: usize, ones: usize) -> f64 {
    let log = (depth as f64).log2();
    let at = (log - 4.0).clamp(0.0, (COLUMN.len() - 1) as f64);
    let below = (at as usize).min(COLUMN.len() - 2);
    let full = COLUMN[below] + (COLUMN[below + 1] - COLUMN[below]) * (at - below as f64);
    let full = full * (log - 10.0).max(0.0).exp2();
    let density = (2.0 * ones as f64 / depth as f64).min(1.0);
    let sparse = ones as f64 * (f64::from(levels(depth)) / 5.0).max(1.0);
    (full * (0.66 + 0.34 * density)).min(sparse).max(1.0)
}

/// A number that stands for a word in the hash of a column (SplitMix64, Steele et al., 2014).
pub fn word_key(word: usize) -> u64 {
    let mut z = (word as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Collects columns: each as the number of its ones and the exclusive or of the [`word_key`]s of the words that have them.
#[derive(Debug, Default)]
pub struct Columns {
    seen: HashSet<u64>,
    depth: usize,
    total: RomStats,
    bits: f64,
}

impl Columns {
    /// For memories of `depth` words.
    pub fn new(depth: usize) -> Columns {
        Columns { depth, ..Columns::default() }
    }

    /// Adds a column. Returns whether it is not constant.
    pub fn add(&mut self, hash: u64, ones: usize) -> bool {
        if ones == 0 || ones == self.depth {
            return false;
        }
        self.total.live += 1.0;
        if self.seen.insert(hash) {
            self.total.columns += 1.0;
            self.total.luts += luts(self.depth, ones.min(self.depth - ones));
            self.bits += ones as f64;
        }
        true
    }

    /// The statistics.
    pub fn stats(&self) -> RomStats {
        let all = self.total.columns * self.depth as f64;
        RomStats { ones: if all > 0.0 { self.bits / all } else { 0.0 }, ..self.total }
    }
}

/// Statistics of a memory of `depth` words of `width` bits, of which `bit(word, position)` tells each.
pub fn stats(depth: usize, width: usize, bit: impl Fn(usize, usize) -> bool) -> RomStats {
    let mut columns = Columns::new(depth);
    if depth < 2 {
        return RomStats::default();
    }
    for b in 0..width {
        let (mut hash, mut ones) = (0, 0);
        for w in (0..depth).filter(|w| bit(*w, b)) {
            hash ^= word_key(w);
            ones += 1;
        }
        columns.add(hash, ones);
    }
    columns.stats()
}

/// Statistics of a memory of packed fields: `fields(word)` lists values and their bits.
pub fn of_fields(depth: usize, fields: impl Fn(usize) -> Vec<(i64, u32)>) -> RomStats {
    let words: Vec<Vec<(i64, u32)>> = (0..depth).map(fields).collect();
    let mut places = Vec::new();
    for (f, (_, bits)) in words.first().map_or(&[][..], Vec::as_slice).iter().enumerate() {
        places.extend((0..*bits).map(|b| (f, b.min(63))));
    }
    stats(depth, places.len(), |w, p| {
        let (f, b) = places[p];
        words[w][f].0 >> b & 1 == 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_and_repeated_columns_cost_nothing() {
        let words = [0b0011u32, 0b0110];
        let s = stats(2, 4, |w, b| words[w] >> b & 1 == 1);
        assert_eq!(s.columns, 2.0);
        let twice = stats(2, 8, |w, b| words[w] >> (b % 4) & 1 == 1);
        assert_eq!((twice.columns, twice.live), (2.0, 4.0));
        assert_eq!(stats(1, 4, |_, _| true), RomStats::default());
        assert!(stats(256, 1, |w, _| w % 3 == 0).luts > 15.0);
        assert_eq!(stats(32, 1, |w, _| w % 3 == 0).luts, 1.0);
        assert_eq!(of_fields(2, |w| vec![(w as i64, 2), (-1, 3)]).columns, 1.0);
    }
}
