//! What the contents of a read-only memory in logic cost: its columns (bits of the word) as functions of the address.

use netfold_ir::hw::latency::{WEIGHT_BLOCK, weights_in_blocks};
use netfold_shiftadd::ADDRESS_BITS;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

/// Statistics of a memory's columns.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RomStats {
    /// Columns that are neither constant nor equal to an earlier one: the registers behind them that remain.
    pub columns: f64,
    /// Columns that are not constant.
    pub live: f64,
    /// LUTs: one a column and 64 words, less what columns have in common; the multiplexers of up to 256 words are none.
    pub luts: f64,
    /// The same of LUTs of four inputs: one a column and 16 words, and with what combines them in LUTs.
    pub luts4: [f64; 2],
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
            luts4: self.luts4.map(|luts| luts * by),
            ones: self.ones,
        }
    }
}

/// Words that a six-input LUT holds.
const BLOCK: usize = WEIGHT_BLOCK;

/// Words whose LUTs the multiplexers beside them (F7 and F8 of the 7 series and UltraScale+) combine.
const COMBINED: usize = 256;

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

/// Most words of a memory whose distinct columns are noted in a bit for each possible one, not in a set.
const FEW: usize = 12;

/// Collects columns, of one memory after the other. Column bits are packed, word `i` of the memory in bit `i % 64` of element `i / 64`;
/// bits beyond the last word are zero.
#[derive(Debug, Default)]
pub struct Columns {
    /// The columns of a memory of up to [`BLOCK`] words: of up to [`FEW`] bit `column % 64` of element `column / 64`, of more the
    /// columns, as often as they were met.
    noted: Vec<u64>,
    /// Hashes of the columns of larger ones.
    seen: Numbers,
    depth: usize,
    /// A column of ones, of a memory of up to [`BLOCK`] words.
    all: u64,
    live: usize,
    /// Ones among the distinct columns of larger ones, and their distinct contents, up to complement, of single LUTs.
    bits: usize,
    contents: Numbers,
    /// The same of the multiplexers in LUTs behind them.
    multiplexers: Numbers,
    /// Whether these are weights, which may be built in blocks, and the LUTs that then select one of the blocks.
    weights: bool,
    selecting: usize,
    /// Room for the blocks of a column, and for columns.
    blocks: Vec<u64>,
}

/// LUTs of six inputs that select one of the blocks of a column. The block of the highest address may be short.
fn selecting(blocks: &[u64]) -> usize {
    if blocks.iter().all(|b| *b == blocks[0]) {
        return 0;
    }
    let up_to_complement = |b: &u64| if b & 1 == 1 { !b } else { *b };
    let mut inputs: Vec<u64> = blocks.iter().map(up_to_complement).filter(|b| *b != 0).collect();
    inputs.sort_unstable();
    inputs.dedup();
    let address = blocks.len().ilog2() as usize;
    if inputs.len() + address <= 6 {
        return 1;
    }
    if address.is_multiple_of(2) {
        return 1 + blocks.chunks(blocks.len() / 4).map(selecting).sum::<usize>();
    }
    let (low, high) = blocks.split_at(blocks.len() / 2);
    // A half of few inputs is selected from in the LUT that selects the half.
    let few = |half: &[u64]| address == 3 && half.iter().filter(|b| up_to_complement(b) != 0).count() <= 2;
    match (few(low), few(high)) {
        (_, true) => 1 + selecting(low),
        (true, _) => 1 + selecting(high),
        _ => 1 + selecting(low) + selecting(high),
    }
}

/// The lowest `n` bits set, of which there are 64 at most.
fn low_bits(n: usize) -> u64 {
    u64::MAX.checked_shr(64 - n as u32).unwrap_or(0)
}

impl Columns {
    /// Begins with a memory of `depth` words, at least one, of weights or not; what there is room for is kept.
    pub fn begin(&mut self, depth: usize, weights: bool) {
        [&mut self.seen, &mut self.contents, &mut self.multiplexers].into_iter().for_each(Numbers::clear);
        self.noted.clear();
        if depth <= FEW {
            self.noted.resize((1usize << depth).div_ceil(64), 0);
        }
        (self.depth, self.weights, self.all) = (depth, weights, low_bits(depth.min(BLOCK)));
        (self.live, self.bits, self.selecting) = (0, 0, 0);
    }

    /// Adds columns of the memory's depth, one behind the other.
    pub fn add(&mut self, columns: &[u64]) {
        if self.depth > BLOCK {
            columns.chunks(self.depth.div_ceil(64)).for_each(|column| self.add_words(column));
            return;
        }
        for column in columns.iter().copied().filter(|c| *c != 0 && *c != self.all) {
            self.live += 1;
            if self.depth <= FEW {
                self.noted[column as usize / 64] |= 1 << (column % 64);
            } else {
                self.noted.push(column);
            }
        }
    }

    /// Adds a column of more words.
    fn add_words(&mut self, column: &[u64]) {
        let ones: usize = column.iter().map(|w| w.count_ones() as usize).sum();
        if ones == 0 || ones == self.depth {
            return;
        }
        self.live += 1;
        if !self.seen.insert(column.iter().fold(0, |h, w| mix(h ^ w))) {
            return;
        }
        self.bits += ones;
        let mut blocks = std::mem::take(&mut self.blocks);
        blocks.clear();
        blocks.extend_from_slice(column);
        blocks.resize(self.depth.next_power_of_two() / BLOCK, 0);
        for block in &blocks {
            let block = if block & 1 == 1 { !block } else { *block };
            if block != 0 {
                self.contents.insert(block);
            }
        }
        if self.weights && weights_in_blocks(self.depth, 0.0) {
            self.selecting += selecting(&blocks);
        }
        // Multiplexers of four where the memory is large, of two at the end.
        let mut size = self.depth.next_power_of_two();
        while size > COMBINED {
            for part in blocks.chunks(size / BLOCK) {
                if part[..part.len() / 2] != part[part.len() / 2..] {
                    let flip = if part[0] & 1 == 1 { u64::MAX } else { 0 };
                    self.multiplexers.insert(part.iter().fold(size as u64, |h, w| mix(h ^ w ^ flip)));
                }
            }
            size /= 4;
        }
        self.blocks = blocks;
    }

    /// Of the distinct columns their number, the ones among them, and their distinct contents, up to complement, of single LUTs.
    fn distinct(&mut self) -> [usize; 3] {
        if self.depth > BLOCK {
            return [self.seen.len(), self.bits, self.contents.len()];
        }
        let columns = &mut self.blocks;
        columns.clear();
        if self.depth <= FEW {
            for (at, noted) in self.noted.iter().enumerate() {
                let mut left = *noted;
                while left != 0 {
                    columns.push(64 * at as u64 + u64::from(left.trailing_zeros()));
                    left &= left - 1;
                }
            }
        } else {
            std::mem::swap(columns, &mut self.noted);
            columns.sort_unstable();
            columns.dedup();
        }
        let (distinct, all) = (columns.len(), self.all);
        let ones = columns.iter().map(|c| c.count_ones() as usize).sum();
        // A bit of the address needs no LUT.
        let address: [u64; 6] = std::array::from_fn(|k| ADDRESS_BITS[k] & all);
        columns.retain(|c| address.iter().all(|a| c != a && *c != all ^ a));
        [distinct, ones, columns.len() - complements(columns, all)]
    }

    /// The statistics. Columns may not be added any more.
    pub fn stats(&mut self) -> RomStats {
        let [columns, bits, contents] = self.distinct().map(|n| n as f64);
        let all = columns * self.depth as f64;
        // LUTs more a column, measured on 15 memories of 3 to 1,024 words: where the last quarter of 256 words is missing, the
        // multiplexers that would combine the others do not fit; above 256 words mapping does not find all of them.
        let more = match self.depth {
            129..=192 => 1.0,
            257.. => 0.0075 * (self.depth as f64 - 200.0),
            _ => 0.0,
        };
        let ones = if all > 0.0 { bits / all } else { 0.0 };
        // Mostly zeros, as of pruned weights: mapping takes the memory for logic of several levels. Medians of 150 units of the sweep with more than
        // 64 words, by their share of ones.
        let spread = match self.depth {
            0..=64 => 0.0,
            65..=192 => 0.5,
            193..=256 => 2.3,
            _ => 3.2,
        };
        let more = more + spread * ((0.28 - ones.min(1.0 - ones)) / 0.12).clamp(0.0, 1.0);
        let sixteens = |depth: usize| depth.div_ceil(16) as f64;
        let luts4 = |contents: f64, depth: usize| {
            // Random memories of 12 columns of iCE40: 1, 3.4, 6, 8.7, 20 and 37 LUTs a column of 16, 32, 48, 64, 128 and 256 words.
            let combined = if depth > 16 { 2.5 * sixteens(depth) - 1.5 } else { 1.0 };
            [sixteens(depth), combined].map(|luts| contents * luts / depth.div_ceil(BLOCK).max(1) as f64)
        };
        let stats = RomStats { columns, live: self.live as f64, ones, ..RomStats::default() };
        if self.weights && weights_in_blocks(self.depth, ones) {
            let selecting = self.selecting as f64;
            // A multiplexer of four takes two LUTs of four inputs.
            let luts4 = luts4(contents, BLOCK).map(|luts| luts + 2.0 * selecting);
            return RomStats { luts: contents + selecting, luts4, ..stats };
        }
        let contents = contents + self.multiplexers.len() as f64;
        RomStats { luts: contents + more * columns, luts4: luts4(contents, self.depth), ..stats }
    }
}

/// Pairs of complementary numbers, whose sum is `all`, among ascending ones.
fn complements(numbers: &[u64], all: u64) -> usize {
    let mut pairs = 0;
    let mut left = numbers;
    while let [low, middle @ .., high] = left {
        left = match low.cmp(&(all - high)) {
            Ordering::Equal => {
                pairs += 1;
                middle
            }
            Ordering::Less => &left[1..],
            Ordering::Greater => &left[..left.len() - 1],
        };
    }
    pairs
}

/// Eight bytes bit by bit: bit `i` of byte `j` is bit `j` of byte `i` (Warren, *Hacker's Delight*, 7-3).
fn transposed(mut x: u64) -> u64 {
    for (distance, mask) in [(7, 0x00aa_00aa_00aa_00aa), (14, 0x0000_cccc_0000_cccc), (28, 0x0000_0000_f0f0_f0f0)] {
        let swapped = (x ^ (x >> distance)) & mask;
        x ^= swapped ^ (swapped << distance);
    }
    x
}

/// Columns of numbers, as [`Columns`] takes them, one behind the other: bit `b` of every number is column `b`. `columns` has room for as
/// many as are wanted, 64 at most.
pub fn columns(numbers: &[i64], columns: &mut [u64]) {
    if numbers.len() < 4 {
        for (b, column) in columns.iter_mut().enumerate() {
            *column = numbers.iter().rev().fold(0, |bits, v| bits << 1 | (v >> b) as u64 & 1);
        }
        return;
    }
    let length = numbers.len().div_ceil(64);
    columns.fill(0);
    for (at, numbers) in numbers.chunks(8).enumerate() {
        let (at, place) = (at / 8, 8 * (at % 8));
        for (byte, columns) in columns.chunks_mut(8 * length).enumerate() {
            let bytes = numbers.iter().rev().fold(0, |x, v| x << 8 | (v >> (8 * byte)) as u64 & 0xff);
            let mut turned = transposed(bytes);
            for column in columns[at..].iter_mut().step_by(length) {
                *column |= (turned & 0xff) << place;
                turned >>= 8;
            }
        }
    }
}

/// Statistics of a memory of packed fields: `fields(word)` lists values and their bits.
pub fn of_fields(depth: usize, fields: impl Fn(usize) -> Vec<(i64, u32)>) -> RomStats {
    if depth < 2 {
        return RomStats::default();
    }
    let words: Vec<Vec<(i64, u32)>> = (0..depth).map(fields).collect();
    let mut contents = Columns::default();
    contents.begin(depth, false);
    let length = depth.div_ceil(64);
    let (mut values, mut packed) = (vec![0i64; depth], vec![0u64; 64 * length]);
    for (f, (_, bits)) in words[0].iter().enumerate() {
        values.iter_mut().zip(&words).for_each(|(value, word)| *value = word[f].0);
        let packed = &mut packed[..(*bits).min(64) as usize * length];
        columns(&values, packed);
        // Above the value its sign is repeated.
        let sign = packed.len().saturating_sub(length);
        contents.add(packed);
        (64..*bits).for_each(|_| contents.add(&packed[sign..]));
    }
    contents.stats()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Statistics of a memory of `depth` words of `width` bits, of which `bit(word, position)` tells each.
    fn stats(depth: usize, width: usize, bit: impl Fn(usize, usize) -> bool) -> RomStats {
        of_fields(depth, |w| (0..width).map(|b| (i64::from(bit(w, b)), 1)).collect())
    }

    #[test]
    fn bits_of_numbers_change_places() {
        for n in [1usize, 3, 5, 63, 64, 65, 130] {
            let numbers: Vec<i64> = (0..n as i64).map(|i| i.wrapping_mul(0x1234_5678_9abc_def1) ^ (i << 7)).collect();
            let length = n.div_ceil(64);
            let mut bits = vec![1; 64 * length];
            columns(&numbers, &mut bits);
            let bit = |i: usize, b: usize| numbers.get(i).map_or(0, |v| v >> b & 1);
            let found = |i: usize, b: usize| (bits[b * length + i / 64] >> (i % 64) & 1) as i64;
            assert!((0..64).all(|b| (0..64 * length).all(|i| found(i, b) == bit(i, b))), "{n}");
        }
    }

    #[test]
    fn complements_are_found_in_pairs() {
        assert_eq!(complements(&[], u64::MAX), 0);
        assert_eq!(complements(&[1, 2, 5, 9, 10, 11], 15), 1);
        assert_eq!(complements(&[3, 5, 6, 9, 10, 12], 15), 3);
        assert_eq!(complements(&[1, 7, u64::MAX - 7, u64::MAX - 1], u64::MAX), 2);
    }

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
    fn columns_cost_what_yosys_makes_of_them() {
        // LUTs of registered netfold_sequence_rom of random contents without their counters, Yosys 0.70.
        for (words, lanes, luts) in
            [(16, 32, 32.0), (32, 16, 16.0), (64, 36, 36.0), (96, 80, 160.0), (128, 16, 32.0), (256, 16, 64.0)]
        {
            let s = random(words, lanes);
            assert!((s.luts / luts - 1.0).abs() < 0.02, "{words} x {lanes}: {s:?} against {luts}");
        }
        // An address bit and its complement need no LUT.
        assert_eq!(stats(16, 2, |w, b| (w >> 2 & 1 == 1) != (b == 1)).luts, 0.0);
        // A block that is there twice is built once.
        assert_eq!(stats(128, 1, |w, _| mix((w % 64) as u64) & 1 == 1).luts, 1.0);
    }
}
