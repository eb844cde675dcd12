//! Contents of read-only memories: words of packed fields, as a parameter in the source or as a file for `$readmemh`.

use crate::files::Files;
use std::collections::HashMap;
use std::fmt::Write;

/// Bits of the largest memory that is written into the source; larger ones get a file.
const INLINE_BITS: usize = 4096;

/// Words of a read-only memory, all of one width.
#[derive(Debug, Clone)]
pub struct Rom {
    width: usize,
    words: Vec<Word>,
}

/// A word: fields packed from the least significant bit up.
#[derive(Debug, Clone, Default)]
pub struct Word {
    bits: Vec<bool>,
}

impl Word {
    /// An empty word.
    pub fn new() -> Word {
        Word::default()
    }

    /// Appends the low `bits` bits of a value in two's complement above what is there.
    pub fn push(&mut self, value: i128, bits: usize) {
        self.bits.extend((0..bits).map(|i| value >> i.min(127) & 1 == 1));
    }

    /// Hexadecimal digits, the most significant first.
    fn hex(&self) -> String {
        let digit = |four: &[bool]| four.iter().enumerate().fold(0, |d, (i, b)| d | u32::from(*b) << i);
        self.bits.chunks(4).rev().filter_map(|four| char::from_digit(digit(four), 16)).collect()
    }
}

/// A literal of `bits` bits in two's complement.
pub fn literal(value: i128, bits: usize) -> String {
    let mut word = Word::new();
    word.push(value, bits);
    format!("{bits}'h{}", word.hex())
}

/// What a template writes where a memory is instantiated.
#[derive(Debug, Clone, Default)]
pub struct RomText {
    /// Words.
    pub depth: usize,
    /// Bits of a word.
    pub width: usize,
    /// Declaration of the contents, to be placed before the instance; may be empty.
    pub declaration: String,
    /// Parameter assignments `.WIDTH(..), .DEPTH(..), .FROM_FILE(..), ...`.
    pub parameters: String,
}

impl Rom {
    /// A memory of words of `width` bits.
    ///
    /// # Panics
    /// In debug builds, when a word has another width.
    pub fn new(width: usize, words: Vec<Word>) -> Rom {
        debug_assert!(words.iter().all(|w| w.bits.len() == width), "every word has the memory's width");
        Rom { width, words }
    }

    /// One field a word.
    pub fn of_values(values: impl IntoIterator<Item = i128>, bits: usize) -> Rom {
        let word = |v| {
            let mut word = Word::new();
            word.push(v, bits);
            word
        };
        Rom::new(bits, values.into_iter().map(word).collect())
    }

    /// The memory without the columns (bits of the word) that are constant or repeat another one, and where those of the whole memory
    /// come from, the lowest first.
    pub fn distinct(&self) -> (Rom, Vec<Column>) {
        let mut kept: Vec<usize> = Vec::new();
        let mut seen: HashMap<Vec<bool>, usize> = HashMap::new();
        let mut sources = Vec::with_capacity(self.width);
        for b in 0..self.width {
            let column: Vec<bool> = self.words.iter().map(|w| w.bits[b]).collect();
            let first = column.first().copied().unwrap_or(false);
            if column.iter().all(|bit| *bit == first) {
                sources.push(Column::Constant(first));
                continue;
            }
            let place = *seen.entry(column).or_insert_with(|| {
                kept.push(b);
                kept.len() - 1
            });
            sources.push(Column::Bit(place));
        }
        let words = self.words.iter().map(|w| Word { bits: kept.iter().map(|b| w.bits[*b]).collect() }).collect();
        (Rom::new(kept.len(), words), sources)
    }

    /// Share of the bits that are set, 0 to 1.
    pub fn ones(&self) -> f64 {
        let set: usize = self.words.iter().map(|w| w.bits.iter().filter(|b| **b).count()).sum();
        set as f64 / (self.width * self.words.len()).max(1) as f64
    }

    /// The memory as one of `length` words (a power of two) that holds all of its blocks of so many words side by side, equal columns and
    /// complements once, and where each block's columns come from, the lowest first. Words beyond the last one are zero.
    pub fn blocks(&self, length: usize) -> (Rom, Vec<Vec<Column>>) {
        let mut seen: HashMap<Vec<bool>, usize> = HashMap::new();
        let mut kept: Vec<Vec<bool>> = Vec::new();
        let mut block = |words: &[Word], b: usize| {
            let mut column: Vec<bool> = words.iter().map(|w| w.bits[b]).collect();
            column.resize(length, false);
            let first = column[0];
            if column.iter().all(|bit| *bit == first) {
                return Column::Constant(first);
            }
            // The first word's bit is zero.
            column.iter_mut().for_each(|bit| *bit ^= first);
            let place = *seen.entry(column).or_insert_with_key(|column| {
                kept.push(column.clone());
                kept.len() - 1
            });
            if first { Column::Inverted(place) } else { Column::Bit(place) }
        };
        let sources =
            self.words.chunks(length).map(|words| (0..self.width).map(|b| block(words, b)).collect()).collect();
        let words = (0..length).map(|w| Word { bits: kept.iter().map(|column| column[w]).collect() }).collect();
        (Rom::new(kept.len(), words), sources)
    }

    /// Bits of a word.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of words.
    pub fn depth(&self) -> usize {
        self.words.len()
    }

    /// Text for a template. A large memory adds the file `rtl/<file>.mem`; a small one declares a parameter `<NAME>`.
    pub fn text(&self, name: &str, file: &str, files: &mut Files) -> RomText {
        let (depth, width) = (self.words.len(), self.width);
        if width == 0 {
            return RomText { depth, width, declaration: String::new(), parameters: String::new() };
        }
        let size = format!(".WIDTH({width}),\n      .DEPTH({depth}),");
        if depth > 1 && depth * width > INLINE_BITS {
            let mut contents = String::with_capacity(depth * (width / 4 + 2));
            for word in &self.words {
                contents.push_str(&word.hex());
                contents.push('\n');
            }
            files.insert(format!("rtl/{file}.mem"), contents);
            let parameters = format!("{size}\n      .FROM_FILE(1),\n      .FILE(\"{file}.mem\")");
            return RomText { depth, width, declaration: String::new(), parameters };
        }
        let constant = name.to_ascii_uppercase();
        let mut declaration = format!("  localparam [{}:0] {constant} = {{\n", depth * width - 1);
        for (i, word) in self.words.iter().enumerate().rev() {
            let comma = if i == 0 { "" } else { "," };
            let _ = writeln!(declaration, "    {width}'h{}{comma}  // {i}", word.hex());
        }
        declaration.push_str("  };\n");
        let parameters = format!("{size}\n      .INIT_BITS({}),\n      .INIT({constant})", depth * width);
        RomText { depth, width, declaration, parameters }
    }
}

/// Where a column of a memory comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// The same in every word.
    Constant(bool),
    /// This column of the memory that is built.
    Bit(usize),
    /// Its complement.
    Inverted(usize),
}

/// Columns per line of a concatenation.
const A_LINE: usize = 8;

/// The concatenation of columns, the lowest first in `columns`, of the memory whose word is `wire`.
pub fn concatenation(columns: &[Column], wire: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut at = 0;
    while at < columns.len() {
        let follows = |a: Column, b: Column| match (a, b) {
            (Column::Constant(a), Column::Constant(b)) => a == b,
            (Column::Bit(a), Column::Bit(b)) | (Column::Inverted(a), Column::Inverted(b)) => b == a + 1,
            _ => false,
        };
        let run = 1 + columns[at..].windows(2).take_while(|w| follows(w[0], w[1])).count();
        parts.push(match (columns[at], run) {
            (Column::Constant(value), _) => format!("{{{run}{{1'b{}}}}}", u8::from(value)),
            (Column::Bit(bit), 1) => format!("{wire}[{bit}]"),
            (Column::Bit(bit), _) => format!("{wire}[{}:{bit}]", bit + run - 1),
            (Column::Inverted(bit), 1) => format!("~{wire}[{bit}]"),
            (Column::Inverted(bit), _) => format!("~{wire}[{}:{bit}]", bit + run - 1),
        });
        at += run;
    }
    parts.reverse();
    let lines: Vec<String> = parts.chunks(A_LINE).map(|line| line.join(", ")).collect();
    format!("{{\n      {}\n  }}", lines.join(",\n      "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_packed_from_the_right() {
        let mut word = Word::new();
        word.push(-1, 3);
        word.push(1, 6);
        assert_eq!(word.hex(), "00f");
        assert_eq!(literal(-2, 8), "8'hfe");
        assert_eq!(literal(-1, 130), format!("130'h3{}", "f".repeat(32)));
    }

    #[test]
    fn constant_and_repeated_columns_are_left_out() {
        // Columns from the lowest: 0 1 1, 1 1 1, 0 1 1, 1 0 1, 0 0 0.
        let rom = Rom::of_values([0b01010, 0b00111, 0b01111], 5);
        let (built, columns) = rom.distinct();
        use Column::{Bit, Constant};
        assert_eq!(columns, [Bit(0), Constant(true), Bit(0), Bit(1), Constant(false)]);
        assert_eq!((built.width, built.depth()), (2, 3));
        let bits: Vec<_> = built.words.iter().map(|w| w.hex()).collect();
        assert_eq!(bits, ["2", "1", "3"]);
        let text = concatenation(&columns, "c");
        assert_eq!(text.replace(['\n', ' '], ""), "{{1{1'b0}},c[1:0],{1{1'b1}},c[0]}");
    }

    #[test]
    fn blocks_share_columns_and_complements() {
        // Blocks of two words; columns from the lowest: 0 1 | 1 0 | 0, 1 1 | 0 1 | 1.
        let rom = Rom::of_values([0b10, 0b11, 0b01, 0b10, 0b10], 2);
        let (built, blocks) = rom.blocks(2);
        use Column::{Bit, Constant, Inverted};
        assert_eq!(
            blocks,
            [vec![Bit(0), Constant(true)], vec![Inverted(0), Bit(0)], vec![Constant(false), Inverted(0)]]
        );
        assert_eq!((built.width, built.depth()), (1, 2));
        assert_eq!(built.words.iter().map(Word::hex).collect::<Vec<_>>(), ["0", "1"]);
        let text = concatenation(&[Inverted(2), Inverted(3), Bit(4), Inverted(5)], "c");
        assert_eq!(text.replace(['\n', ' '], ""), "{~c[5],c[4],~c[3:2]}");
        assert!((rom.ones() - 0.6).abs() < 1e-9);
    }

    #[test]
    fn large_memories_become_files() {
        let mut files = Files::new();
        let small = Rom::of_values([1, 2], 8).text("weights", "m_weights", &mut files);
        assert!(files.is_empty() && small.declaration.contains("8'h02,  // 1"));
        let large = Rom::of_values((0..1024).map(i128::from), 10).text("weights", "m_weights", &mut files);
        assert!(large.declaration.is_empty() && large.parameters.contains("m_weights.mem"));
        assert!(files.get("rtl/m_weights.mem").is_some_and(|f| f.starts_with(b"000\n001\n")));
    }
}
