//! What the contents of a read-only memory in logic cost: its columns (bits of the word) as functions of the address.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

/// Statistics of a memory's columns.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RomStats {
    /// Columns that are neither constant nor equal to an earlier one: the registers behind them that remain.
    pub columns: f64,
    /// Columns that are not constant.
    pub live: f64,
    /// LUTs with registers behind the memory, whose address also counts: mapping has slack there and shares parts of columns
    /// instead of using one six-input LUT a column.
    pub luts: f64,
    /// LUTs where delay matters: six-input LUTs and the multiplexers behind them, a set a column.
    pub direct: f64,
    /// Ones among the bits of the remaining columns, 0 to 1.
    pub ones: f64,
}

impl RomStats {
    /// Statistics of a memory of which only a share of the columns was looked at.
    #[must_use]
    pub fn scaled(self, by: f64) -> RomStats {
        RomStats {
            columns: self.columns * by,
            live: self.live * by,
            luts: self.luts * by,
            direct: self.direct * by,
            ones: self.ones,
        }
    }
}

/// Words of the blocks whose distinct contents are counted: 16, 32, 64, and all larger ones together.
const LEVELS: usize = 4;

/// LUTs a distinct block of 16, 32, 64 and more words, for memories of up to 64, 128, 256 and more words. Measured with Yosys 0.70
/// on 122 registered netfold_sequence_rom of 1 to 32 lanes of 1 to 10 bits, 5 to 784 words, random, pruned and power-of-two contents
/// (`scripts/measure_rom.py`): median error 3 to 8 %. Inside of matrix units they are 6 % more, which is included here.
const BLOCKS: [[f64; LEVELS]; 4] =
    [[0.81, 0.50, 0.0, 0.0], [0.51, 1.14, 0.0, 0.0], [0.64, 0.99, 0.0, 0.41], [0.63, 0.76, 0.0, 0.90]];

/// A number mixed well (SplitMix64, Steele et al., 2014).
fn mix(v: u64) -> u64 {
    let mut z = v.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A set of numbers that are mixed by [`mix`] alone.
type Numbers = HashSet<u64, BuildHasherDefault<Mixed>>;

/// The hash of one number.
#[derive(Debug, Default)]
struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|b| self.write_u64(u64::from(*b)));
    }

    fn write_u64(&mut self, v: u64) {
        self.0 = mix(self.0 ^ v);
    }
}

/// Collects columns. Column bits are packed, word `i` of the memory in bit `i % 64` of element `i / 64`.
#[derive(Debug, Default)]
pub struct Columns {
    seen: Numbers,
    depth: usize,
    live: usize,
    bits: usize,
    /// Functions of up to four address bits that need a LUT.
    small: Numbers,
    /// Functions of five.
    middle: usize,
    /// Functions of six, and of more.
    six: usize,
    more: usize,
    /// Blocks whose halves differ, up to complement.
    blocks: [Vec<u64>; LEVELS],
}

/// Bits `from..from + count` of a column, `count <= 64` and within one element.
fn part(column: &[u64], from: usize, count: usize) -> u64 {
    let bits = column[from / 64] >> (from % 64);
    if count == 64 { bits } else { bits & ((1 << count) - 1) }
}

/// Whether bits `from..to` are all equal.
fn constant(column: &[u64], from: usize, to: usize) -> bool {
    let first = column[from / 64] >> (from % 64) & 1;
    (from..to).step_by(64).all(|i| {
        let count = (to - i).min(64 - i % 64);
        let low = part(column, i, count);
        let all = if count == 64 { u64::MAX } else { (1 << count) - 1 };
        low == if first == 1 { all } else { 0 }
    })
}

impl Columns {
    /// For memories of `depth` words.
    pub fn new(depth: usize) -> Columns {
        Columns { depth, ..Columns::default() }
    }

    /// Adds a column of the memory's depth.
    pub fn add(&mut self, column: &[u64]) {
        let ones: usize = column.iter().map(|w| w.count_ones() as usize).sum();
        if ones == 0 || ones >= self.depth {
            return;
        }
        self.live += 1;
        let hash = column.iter().fold(0, |h, w| mix(h ^ w));
        if !self.seen.insert(hash) {
            return;
        }
        self.bits += ones;
        // Where the words above the largest power of two are all equal, their address bit sets or clears the register, and the
        // words below remain.
        let half = self.depth.next_power_of_two() / 2;
        let depth = if constant(column, half, self.depth) && !constant(column, 0, half) { half } else { self.depth };
        match depth {
            0..=16 => {
                let words = part(column, 0, depth);
                let all = (1u64 << depth) - 1;
                let address = |k: usize| (0..depth).filter(|i| i >> k & 1 == 1).fold(0u64, |m, i| m | 1 << i);
                if (0..4).all(|k| words != address(k) && words != all ^ address(k)) {
                    self.small.insert(words);
                }
            }
            17..=32 => self.middle += 1,
            _ => {
                self.six += usize::from(depth <= 64);
                self.more += usize::from(depth > 64);
                self.split(column, depth);
            }
        }
    }

    /// Counts the blocks of a column of more than 32 words. Words beyond the last are as the last one.
    fn split(&mut self, column: &[u64], depth: usize) {
        let mut words = column[..depth.div_ceil(64)].to_vec();
        let last = column[(depth - 1) / 64] >> ((depth - 1) % 64) & 1;
        if let (Some(word), true) = (words.last_mut(), !depth.is_multiple_of(64)) {
            let above = u64::MAX << (depth % 64);
            *word = if last == 1 { *word | above } else { *word & !above };
        }
        words.resize(depth.next_power_of_two().div_ceil(64), if last == 1 { u64::MAX } else { 0 });
        for (level, size) in [16usize, 32, 64].into_iter().enumerate() {
            let mask = if size == 64 { u64::MAX } else { (1 << size) - 1 };
            for word in &words {
                for i in (0..64).step_by(size) {
                    let block = word >> i & mask;
                    let block = if block & 1 == 1 { block ^ mask } else { block };
                    if block & (mask >> (size / 2)) != block >> (size / 2) {
                        self.blocks[level].push(block);
                    }
                }
            }
        }
        let mut size = 2;
        while size <= words.len() {
            for block in words.chunks(size) {
                let flip = if block[0] & 1 == 1 { u64::MAX } else { 0 };
                if block[..size / 2] != block[size / 2..] {
                    self.blocks[3].push(block.iter().fold(size as u64, |h, w| mix(h ^ w ^ flip)));
                }
            }
            size *= 2;
        }
    }

    /// The statistics.
    pub fn stats(mut self) -> RomStats {
        let columns = self.seen.len() as f64;
        let mut found = [0f64; LEVELS];
        for (keys, found) in self.blocks.iter_mut().zip(&mut found) {
            keys.sort_unstable();
            keys.dedup();
            *found = keys.len() as f64;
        }
        let row = match self.depth {
            0..=64 => 0,
            65..=128 => 1,
            129..=256 => 2,
            _ => 3,
        };
        let shared: f64 = found.iter().zip(BLOCKS[row]).map(|(n, f)| n * f).sum();
        // A few columns of six address bits keep their LUT each.
        let deep = if self.six + self.more <= 2 && self.more == 0 { self.six as f64 } else { shared };
        // Many columns of five share parts at the cost of more LUTs.
        let middle = self.middle as f64;
        let spread = (self.depth.min(32).saturating_sub(16) as f64 / 32.0) * (middle / 60.0).min(1.0);
        let all = columns * self.depth as f64;
        RomStats {
            columns,
            live: self.live as f64,
            luts: self.small.len() as f64 + middle * (1.0 + spread) + deep,
            direct: self.small.len() as f64
                + middle
                + self.six as f64
                + self.more as f64 * (self.depth.div_ceil(64) as f64 + (self.depth / 256) as f64 / 2.0),
            ones: if all > 0.0 { self.bits as f64 / all } else { 0.0 },
        }
    }
}

/// Statistics of a memory of `depth` words of `width` bits, of which `bit(word, position)` tells each.
pub fn stats(depth: usize, width: usize, bit: impl Fn(usize, usize) -> bool) -> RomStats {
    if depth < 2 {
        return RomStats::default();
    }
    let mut columns = Columns::new(depth);
    let mut column = vec![0u64; depth.div_ceil(64)];
    for b in 0..width {
        column.fill(0);
        for w in (0..depth).filter(|w| bit(*w, b)) {
            column[w / 64] |= 1 << (w % 64);
        }
        columns.add(&column);
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
        assert_eq!(of_fields(2, |w| vec![(w as i64, 2), (-1, 3)]).columns, 1.0);
    }

    /// Words of lane `lane` of a memory of random contents.
    fn random(words: usize, lanes: usize) -> RomStats {
        stats(words, lanes, |w, b| mix((w * 1009 + b) as u64) & 1 == 1)
    }

    #[test]
    fn shared_parts_of_columns_cost_what_yosys_makes_of_them() {
        // LUTs of registered netfold_sequence_rom of random contents without their counters, Yosys 0.70.
        for (words, lanes, luts) in
            [(16, 16, 16.0), (64, 16, 67.0), (96, 16, 108.0), (128, 16, 132.0), (256, 16, 281.0)]
        {
            let s = random(words, lanes);
            assert!((s.luts / luts - 1.0).abs() < 0.2, "{words} x {lanes}: {s:?} against {luts}");
        }
        assert_eq!((random(64, 16).direct, random(128, 16).direct), (16.0, 32.0));
        // An address bit and its complement need no LUT.
        assert_eq!(stats(16, 2, |w, b| (w >> 2 & 1 == 1) != (b == 1)).luts, 0.0);
        // Above the 32nd word there is only one: it clears or sets registers.
        assert_eq!(random(33, 6).luts, random(32, 6).luts);
    }
}
