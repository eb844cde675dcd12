//! What a simulation is made of: the top level's streams, and the files that travel with it.

use std::path::Path;

use netfold_ir::diag::{Code, Diag};

/// Widest element in bits.
pub const MAX_ELEMENT_BITS: u32 = 64;
/// Widest `tdata` in bits.
pub const MAX_BEAT_BITS: u64 = 1 << 20;

/// One AXI4-Stream port of the top level: `{prefix}_tdata`, `_tvalid`, `_tready`, `_tlast`.
///
/// A beat packs element `i` into bits `[i * element_bits +: element_bits]` of `tdata`; zeros pad `tdata` to whole bytes.
/// `tlast` is high on the last beat of a frame.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamPort {
    /// Common start of the four signal names, for example `s_axis_x`: a letter, then letters, digits and single underscores.
    pub prefix: String,
    /// Bits of one element: 1 to 64.
    pub element_bits: u32,
    /// Whether elements are two's complement.
    pub signed: bool,
    /// Elements in one beat: at least 1.
    pub elements_per_beat: u32,
    /// Beats in one frame (one inference): at least 1.
    pub beats_per_frame: u32,
}

impl StreamPort {
    /// Elements of one frame.
    pub fn frame_elements(&self) -> usize {
        self.elements_per_beat as usize * self.beats_per_frame as usize
    }

    /// Bits of the elements of one beat, without padding.
    pub fn data_bits(&self) -> u64 {
        u64::from(self.element_bits) * u64::from(self.elements_per_beat)
    }

    /// Width of `tdata`: [`StreamPort::data_bits`] rounded up to whole bytes.
    pub fn tdata_bits(&self) -> u64 {
        self.data_bits().div_ceil(8) * 8
    }

    /// Smallest and largest element value. Unsigned elements of 64 bits travel as their bit pattern in an `i64`.
    pub fn range(&self) -> (i64, i64) {
        match (self.signed, self.element_bits) {
            (_, 64..) => (i64::MIN, i64::MAX),
            (true, bits) => (-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
            (false, bits) => (0, ((1u64 << bits) - 1) as i64),
        }
    }

    fn check(&self) -> Result<(), Diag> {
        check_identifier(&self.prefix, "stream port")?;
        let fault = if !(1..=MAX_ELEMENT_BITS).contains(&self.element_bits) {
            format!("an element of {} bits; 1 to {MAX_ELEMENT_BITS} are possible", self.element_bits)
        } else if self.elements_per_beat == 0 || self.beats_per_frame == 0 {
            "a frame without elements".to_owned()
        } else if self.data_bits() > MAX_BEAT_BITS {
            format!("a beat of {} bits; at most {MAX_BEAT_BITS} are possible", self.data_bits())
        } else {
            return Ok(());
        };
        Err(Diag::new(Code::Invalid, format!("stream port {}", self.prefix), fault))
    }
}

/// The top level of a design: its module (or function) name and its streams.
///
/// A Verilog top has besides the streams' signals exactly `aclk` and `aresetn` (active low, synchronous).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Interface {
    /// Name of the top module or function.
    pub top: String,
    /// Streams into the design.
    pub inputs: Vec<StreamPort>,
    /// Streams out of the design; at least one.
    pub outputs: Vec<StreamPort>,
}

impl Interface {
    /// Elements of one frame over all inputs.
    pub fn input_elements(&self) -> usize {
        self.inputs.iter().map(StreamPort::frame_elements).sum()
    }

    /// Elements of one frame over all outputs.
    pub fn output_elements(&self) -> usize {
        self.outputs.iter().map(StreamPort::frame_elements).sum()
    }

    /// Checks names and sizes.
    ///
    /// # Errors
    /// `Code::Invalid` when a name is not a plain identifier or appears twice, or a size is out of its range.
    pub fn check(&self) -> Result<(), Diag> {
        check_identifier(&self.top, "top module")?;
        let mut names = std::collections::HashSet::new();
        for port in self.inputs.iter().chain(&self.outputs) {
            port.check()?;
            if !names.insert(&port.prefix) {
                return Err(Diag::new(Code::Invalid, format!("stream port {}", port.prefix), "two ports of one name"));
            }
        }
        if self.inputs.is_empty() || self.outputs.is_empty() {
            return Err(Diag::new(Code::Invalid, &self.top, "a design needs an input and an output stream"));
        }
        Ok(())
    }

    /// Checks that `values` holds `frames` frames of every port, each value in the port's range.
    pub(crate) fn check_values(ports: &[StreamPort], values: &[Vec<i64>], frames: usize) -> Result<(), Diag> {
        if values.len() != ports.len() {
            let cause = format!("{} arrays were given for {} ports", values.len(), ports.len());
            return Err(Diag::new(Code::Invalid, "simulation data", cause));
        }
        for (port, data) in ports.iter().zip(values) {
            let place = || format!("stream port {}", port.prefix);
            if frames.checked_mul(port.frame_elements()) != Some(data.len()) {
                let cause =
                    format!("{} values; {frames} frames of {} elements are needed", data.len(), port.frame_elements());
                return Err(Diag::new(Code::Invalid, place(), cause));
            }
            let (low, high) = port.range();
            if let Some(at) = data.iter().position(|v| !(low..=high).contains(v)) {
                let cause = format!("value {} at index {at} is outside {low}..={high}", data[at]);
                return Err(Diag::new(Code::Invalid, place(), cause));
            }
        }
        Ok(())
    }
}

/// Accepts names that mean the same in Verilog, C++ and file names: a letter, then letters, digits and single underscores.
pub(crate) fn check_identifier(name: &str, what: &str) -> Result<(), Diag> {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
        && !name.contains("__")
        && !name.ends_with('_')
        && name.len() <= 200;
    if plain {
        return Ok(());
    }
    Err(Diag::new(Code::Invalid, format!("{what} {name:?}"), "not a plain identifier")
        .help("use a letter, then letters, digits and single underscores"))
}

/// A file of a design, named by its path relative to the design's folder.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SourceFile {
    name: String,
    bytes: Vec<u8>,
}

impl SourceFile {
    /// A file from memory. `name` is relative, with `/` between its parts; parts have letters, digits and `_ . -`, and start
    /// with a letter, a digit or `_`.
    ///
    /// # Errors
    /// `Code::Invalid` for any other name.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Result<SourceFile, Diag> {
        let name = name.into();
        let part_ok = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                && part.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'-'))
        };
        if name.len() > 1000 || !name.split('/').all(part_ok) {
            return Err(Diag::new(Code::Invalid, format!("file name {name:?}"), "not a plain relative path")
                .help("use letters, digits and `_ . -` between slashes, without `..`"));
        }
        Ok(SourceFile { name, bytes: bytes.into() })
    }

    /// Reads `root/name`; see [`SourceFile::new`] for what `name` may be.
    ///
    /// # Errors
    /// `Code::Invalid` for a bad name, `Code::Io` when the file cannot be read.
    pub fn load(root: &Path, name: impl Into<String>) -> Result<SourceFile, Diag> {
        let file = SourceFile::new(name, Vec::new())?;
        let path = root.join(&file.name);
        let bytes = std::fs::read(&path)
            .map_err(|e| Diag::new(Code::Io, path.display().to_string(), format!("cannot read the file: {e}")))?;
        Ok(SourceFile { bytes, ..file })
    }

    /// Path relative to the design's folder.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Contents.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Writes the file below `root`, making folders as needed.
    pub(crate) fn write_below(&self, root: &Path) -> Result<(), Diag> {
        let path = root.join(&self.name);
        let io =
            |e: std::io::Error| Diag::new(Code::Io, path.display().to_string(), format!("cannot write the file: {e}"));
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(io)?;
        }
        std::fs::write(&path, &self.bytes).map_err(io)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(bits: u32, signed: bool) -> StreamPort {
        StreamPort { prefix: "x".into(), element_bits: bits, signed, elements_per_beat: 3, beats_per_frame: 2 }
    }

    #[test]
    fn ranges_and_widths() {
        assert_eq!(port(1, true).range(), (-1, 0));
        assert_eq!(port(1, false).range(), (0, 1));
        assert_eq!(port(63, false).range(), (0, i64::MAX));
        assert_eq!(port(63, true).range(), (-(1 << 62), (1 << 62) - 1));
        assert_eq!(port(64, true).range(), (i64::MIN, i64::MAX));
        assert_eq!(port(3, true).tdata_bits(), 16);
        assert_eq!(port(8, true).tdata_bits(), 24);
    }

    #[test]
    fn names_that_could_escape_are_refused() {
        for name in ["../a.sv", "a/../b", "/etc/passwd", "-o", "+x", "a b", "a;b", "", "a//b", ".hidden", "a\n"] {
            assert!(SourceFile::new(name, "").is_err(), "{name:?}");
        }
        assert!(SourceFile::new("rtl/a-b_c.1.sv", "").is_ok());
        for name in ["", "1a", "a__b", "a_", "a b", "a;", "$a", "ä"] {
            assert!(check_identifier(name, "x").is_err(), "{name:?}");
        }
        assert!(check_identifier("s_axis_X1", "x").is_ok());
    }

    #[test]
    fn values_are_checked() {
        let ports = [port(3, true)];
        assert!(Interface::check_values(&ports, &[vec![0, 1, 2, 3, -4, 0]], 1).is_ok());
        assert!(Interface::check_values(&ports, &[vec![0, 1, 2, 4, -4, 0]], 1).is_err());
        assert!(Interface::check_values(&ports, &[vec![0; 5]], 1).is_err());
        assert!(Interface::check_values(&ports, &[], 1).is_err());
        assert!(Interface::check_values(&ports, &[vec![]], usize::MAX).is_err());
    }
}
