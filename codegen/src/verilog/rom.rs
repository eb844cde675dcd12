//! Contents of read-only memories: words of packed fields, as a parameter in the source or as a file for `$readmemh`.

use crate::files::Files;
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
#[derive(Debug, Clone)]
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

    /// Number of words.
    pub fn depth(&self) -> usize {
        self.words.len()
    }

    /// Text for a template. A large memory adds the file `rtl/<file>.mem`; a small one declares a parameter `<NAME>`.
    pub fn text(&self, name: &str, file: &str, files: &mut Files) -> RomText {
        let (depth, width) = (self.words.len(), self.width);
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
    fn large_memories_become_files() {
        let mut files = Files::new();
        let small = Rom::of_values([1, 2], 8).text("weights", "m_weights", &mut files);
        assert!(files.is_empty() && small.declaration.contains("8'h02,  // 1"));
        let large = Rom::of_values((0..1024).map(i128::from), 10).text("weights", "m_weights", &mut files);
        assert!(large.declaration.is_empty() && large.parameters.contains("m_weights.mem"));
        assert!(files.get("rtl/m_weights.mem").is_some_and(|f| f.starts_with(b"000\n001\n")));
    }
}
