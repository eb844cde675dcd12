//! NumPy array files, format versions 1 to 3 (NumPy Enhancement Proposal 1; `numpy.lib.format`).
//!
//! Read: `f2`, `f4`, `f8`, `i1` to `i8`, `u1` to `u8` and booleans, either byte order, C or Fortran order. Written: `<f4`, `<f8`, `<i8` in
//! C order. Sizes that a header claims are checked against the file before anything is allocated.

use std::path::Path;

use netfold_ir::diag::{Code, Diag};

const MAGIC: &[u8] = b"\x93NUMPY";
/// Longest header that is read, in bytes; NumPy itself refuses headers over 10,000 characters.
const MAX_HEADER: usize = 16 << 10;
/// Most dimensions, as in NumPy.
const MAX_DIMENSIONS: usize = 32;

/// The elements of an array, in C order.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Floating point of any width; widening to `f64` is exact.
    Float(Vec<f64>),
    /// Integers and booleans (0 or 1).
    Int(Vec<i64>),
}

/// An array.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Extent of each dimension; empty for a single value.
    pub shape: Vec<usize>,
    /// The elements in C order.
    pub values: Values,
}

/// Type of the elements written to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    /// `<f4`; values round to nearest even.
    F32,
    /// `<f8`.
    F64,
    /// `<i8`; a float is truncated toward zero and saturates.
    I64,
}

impl Array {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match &self.values {
            Values::Float(v) => v.len(),
            Values::Int(v) => v.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements as `f64`; integers beyond 2^53 round to nearest even.
    pub fn to_f64(&self) -> Vec<f64> {
        match &self.values {
            Values::Float(v) => v.clone(),
            Values::Int(v) => v.iter().map(|&x| x as f64).collect(),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// `Code::Io` when it cannot be read, `Code::Format` when it is not a whole `.npy` file, `Code::Unsupported` for another data type.
    pub fn load(path: &Path) -> Result<Array, Diag> {
        let place = path.display().to_string();
        let bytes =
            std::fs::read(path).map_err(|e| Diag::new(Code::Io, &place, format!("cannot read the file: {e}")))?;
        Array::parse(&bytes).map_err(|diag| Diag { place, ..diag })
    }

    /// Reads a file's contents; errors have no place.
    ///
    /// # Errors
    /// As [`Array::load`], without `Code::Io`.
    pub fn parse(bytes: &[u8]) -> Result<Array, Diag> {
        let (text, data) = split(bytes)?;
        let header = Header::parse(text)?;
        let kind = Kind::parse(&header.descr)?;
        let count = header.shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        let wanted = count.and_then(|n| n.checked_mul(kind.bytes));
        if wanted != Some(data.len()) {
            return Err(format(format!(
                "the header promises {:?} elements of {} bytes; {} bytes follow",
                header.shape,
                kind.bytes,
                data.len()
            )));
        }
        let mut values = kind.read(data)?;
        if header.fortran {
            values = match values {
                Values::Float(v) => Values::Float(to_c_order(&v, &header.shape)),
                Values::Int(v) => Values::Int(to_c_order(&v, &header.shape)),
            };
        }
        Ok(Array { shape: header.shape, values })
    }

    /// The contents of a `.npy` file with these elements.
    pub fn to_bytes(&self, dtype: Dtype) -> Vec<u8> {
        let (descr, width) = match dtype {
            Dtype::F32 => ("<f4", 4),
            Dtype::F64 => ("<f8", 8),
            Dtype::I64 => ("<i8", 8),
        };
        let mut shape: String = self.shape.iter().map(|d| format!("{d}, ")).collect();
        if self.shape.len() > 1 {
            shape.truncate(shape.len() - 2);
        } else {
            shape.truncate(shape.trim_end().len());
        }
        let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
        // The data start at a multiple of 64 bytes; the header ends with a newline.
        let fill = 64 - (MAGIC.len() + 4 + header.len() + 1) % 64;
        header.extend(std::iter::repeat_n(' ', fill % 64));
        header.push('\n');
        let mut bytes = Vec::with_capacity(MAGIC.len() + 4 + header.len() + self.len() * width);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&[1, 0]);
        // At most 32 dimensions of 20 digits: far below 65,536.
        bytes.extend_from_slice(&(header.len() as u16).to_le_bytes());
        bytes.extend_from_slice(header.as_bytes());
        match (&self.values, dtype) {
            (Values::Float(v), Dtype::F32) => v.iter().for_each(|x| bytes.extend((*x as f32).to_le_bytes())),
            (Values::Float(v), Dtype::F64) => v.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
            (Values::Float(v), Dtype::I64) => v.iter().for_each(|x| bytes.extend((*x as i64).to_le_bytes())),
            (Values::Int(v), Dtype::F32) => v.iter().for_each(|x| bytes.extend((*x as f32).to_le_bytes())),
            (Values::Int(v), Dtype::F64) => v.iter().for_each(|x| bytes.extend((*x as f64).to_le_bytes())),
            (Values::Int(v), Dtype::I64) => v.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
        }
        bytes
    }

    /// Writes a file.
    ///
    /// # Errors
    /// `Code::Io`.
    pub fn save(&self, path: &Path, dtype: Dtype) -> Result<(), Diag> {
        std::fs::write(path, self.to_bytes(dtype))
            .map_err(|e| Diag::new(Code::Io, path.display().to_string(), format!("cannot write the file: {e}")))
    }
}

fn format(cause: impl Into<String>) -> Diag {
    Diag::new(Code::Format, "", cause)
}

/// Header text and data of a file.
fn split(bytes: &[u8]) -> Result<(&str, &[u8]), Diag> {
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| format("not a .npy file"))?;
    let cut = || format("the file ends within its header");
    let (version, rest) = rest.split_at_checked(2).ok_or_else(cut)?;
    let (length, rest) = match version[0] {
        1 => {
            let (head, rest) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
            (usize::from(u16::from_le_bytes(*head)), rest)
        }
        2 | 3 => {
            let (head, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
            (u32::from_le_bytes(*head) as usize, rest)
        }
        other => return Err(Diag::new(Code::Unsupported, "", format!(".npy format version {other}; 1 to 3 are read"))),
    };
    if length > MAX_HEADER {
        return Err(format(format!("a header of {length} bytes; at most {MAX_HEADER} are read")));
    }
    let (header, data) = rest.split_at_checked(length).ok_or_else(cut)?;
    Ok((std::str::from_utf8(header).map_err(|_| format("the header is not UTF-8"))?, data))
}

/// The header's dictionary.
#[derive(Debug, Default)]
struct Header {
    descr: String,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    /// Parses the one form that NumPy writes: a dictionary of `descr` (a string), `fortran_order` and `shape` (a flat tuple).
    fn parse(text: &str) -> Result<Header, Diag> {
        let bad = || format("the header is not a dictionary of descr, fortran_order and shape");
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        let mut rest = text.trim().strip_prefix('{').and_then(|t| t.strip_suffix('}')).ok_or_else(bad)?.trim();
        while !rest.is_empty() {
            let (key, tail) = quoted(rest).ok_or_else(bad)?;
            let value = tail.trim_start().strip_prefix(':').ok_or_else(bad)?.trim_start();
            rest = match key {
                "descr" => {
                    if value.starts_with('[') {
                        return Err(Diag::new(Code::Unsupported, "", "an array of records")
                            .help("save a plain array of numbers"));
                    }
                    let (text, tail) = quoted(value).ok_or_else(bad)?;
                    descr = Some(text.to_owned());
                    tail
                }
                "fortran_order" => {
                    let (truth, tail) = value
                        .strip_prefix("True")
                        .map(|t| (true, t))
                        .or_else(|| value.strip_prefix("False").map(|t| (false, t)))
                        .ok_or_else(bad)?;
                    fortran = Some(truth);
                    tail
                }
                "shape" => {
                    let (inner, tail) = value.strip_prefix('(').and_then(|t| t.split_once(')')).ok_or_else(bad)?;
                    shape = Some(dimensions(inner)?);
                    tail
                }
                _ => return Err(bad()),
            }
            .trim_start();
            rest = match rest.strip_prefix(',') {
                Some(tail) => tail.trim_start(),
                None if rest.is_empty() => rest,
                None => return Err(bad()),
            };
        }
        match (descr, fortran, shape) {
            (Some(descr), Some(fortran), Some(shape)) => Ok(Header { descr, fortran, shape }),
            _ => Err(bad()),
        }
    }
}

/// A quoted string without escapes at the start of `text`, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let (inner, tail) = text[1..].split_once(quote)?;
    (!inner.contains('\\')).then_some((inner, tail))
}

fn dimensions(text: &str) -> Result<Vec<usize>, Diag> {
    let parts: Vec<&str> = text.split(',').map(str::trim).filter(|p| !p.is_empty()).collect();
    if parts.len() > MAX_DIMENSIONS {
        return Err(format(format!("{} dimensions; at most {MAX_DIMENSIONS} are possible", parts.len())));
    }
    // Python 2 wrote long integers with an L.
    let number =
        |p: &&str| p.trim_end_matches('L').parse::<usize>().map_err(|_| format("the shape is not a tuple of numbers"));
    parts.iter().map(number).collect()
}

/// One element's encoding.
struct Kind {
    class: u8,
    bytes: usize,
    big_endian: bool,
}

impl Kind {
    fn parse(descr: &str) -> Result<Kind, Diag> {
        let (order, name) = match descr.as_bytes() {
            [order @ (b'<' | b'>' | b'=' | b'|'), ..] => (*order, &descr[1..]),
            _ => (b'=', descr),
        };
        let (class, bytes) = match name {
            "b1" | "?" => (b'b', 1),
            "f2" => (b'f', 2),
            "f4" => (b'f', 4),
            "f8" => (b'f', 8),
            "i1" => (b'i', 1),
            "i2" => (b'i', 2),
            "i4" => (b'i', 4),
            "i8" => (b'i', 8),
            "u1" => (b'u', 1),
            "u2" => (b'u', 2),
            "u4" => (b'u', 4),
            "u8" => (b'u', 8),
            _ => {
                let short: String = descr.chars().take(40).collect();
                return Err(Diag::new(Code::Unsupported, "", format!("data type {short:?}"))
                    .help("save as float16, float32, float64, an integer type or bool"));
            }
        };
        Ok(Kind { class, bytes, big_endian: order == b'>' })
    }

    /// Raw little-endian bits of every element, zero-extended.
    fn raw<'a>(&'a self, data: &'a [u8]) -> impl Iterator<Item = u64> + 'a {
        data.chunks_exact(self.bytes).map(|chunk| {
            let mut bits = [0u8; 8];
            for (i, byte) in chunk.iter().enumerate() {
                bits[if self.big_endian { self.bytes - 1 - i } else { i }] = *byte;
            }
            u64::from_le_bytes(bits)
        })
    }

    fn read(&self, data: &[u8]) -> Result<Values, Diag> {
        let raw = self.raw(data);
        let unused = 64 - 8 * self.bytes;
        Ok(match (self.class, self.bytes) {
            (b'f', 2) => Values::Float(raw.map(|b| half(b as u16)).collect()),
            (b'f', 4) => Values::Float(raw.map(|b| f64::from(f32::from_bits(b as u32))).collect()),
            (b'f', _) => Values::Float(raw.map(f64::from_bits).collect()),
            (b'i', _) => Values::Int(raw.map(|b| ((b << unused) as i64) >> unused).collect()),
            (b'u', _) => {
                let number = |b| i64::try_from(b).map_err(|_| format(format!("{b} is beyond a signed 64-bit integer")));
                Values::Int(raw.map(number).collect::<Result<_, _>>()?)
            }
            _ => Values::Int(raw.map(|b| i64::from(b != 0)).collect()),
        })
    }
}

/// IEEE 754 binary16 to binary64, exact.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let fraction = f64::from(bits & 0x3ff);
    match i32::from(bits >> 10 & 0x1f) {
        0 => sign * fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => sign * f64::INFINITY,
        31 => f64::NAN,
        exponent => sign * (1024.0 + fraction) * 2f64.powi(exponent - 25),
    }
}

/// Reorders elements from Fortran order (first index fastest) to C order (last index fastest).
fn to_c_order<T: Copy>(values: &[T], shape: &[usize]) -> Vec<T> {
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = 1;
    for &d in shape {
        strides.push(stride);
        stride *= d;
    }
    let mut index = vec![0usize; shape.len()];
    let mut at = 0;
    let mut out = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        out.push(values[at]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            at -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    out
}

#[cfg(test)]
mod tests;
