//! Constant tensors: what initializers, `Constant` nodes and folded operators hold.

use super::fault::{Res, invalid, malformed, unsupported};
use super::proto::TensorProto;
use super::read;
use std::path::Path;
use std::rc::Rc;

/// Largest number of elements of one tensor, constant or not.
pub(super) const MAX_ELEMENTS: usize = 1 << 24;

/// Element types that netfold understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DType {
    /// IEEE half, single and double precision; bfloat16.
    F16,
    BF16,
    F32,
    F64,
    /// An integer of so many bits.
    Int {
        signed: bool,
        bits: u32,
    },
    /// Truth values.
    Bool,
}

impl DType {
    /// 64-bit signed integers: shapes and indices.
    pub const I64: DType = DType::Int { signed: true, bits: 64 };

    /// The type of an ONNX `TensorProto.DataType` number.
    pub fn from_onnx(code: i32) -> Res<DType> {
        let int = |signed, bits| Ok(DType::Int { signed, bits });
        match code {
            1 => Ok(DType::F32),
            2 => int(false, 8),
            3 => int(true, 8),
            4 => int(false, 16),
            5 => int(true, 16),
            6 => int(true, 32),
            7 => int(true, 64),
            9 => Ok(DType::Bool),
            10 => Ok(DType::F16),
            11 => Ok(DType::F64),
            12 => int(false, 32),
            13 => int(false, 64),
            16 => Ok(DType::BF16),
            21 => int(false, 4),
            22 => int(true, 4),
            _ => Err(unsupported(format!("element type {} is not supported", type_name(code)))),
        }
    }

    /// Whether values are floating point.
    pub fn is_float(self) -> bool {
        matches!(self, DType::F16 | DType::BF16 | DType::F32 | DType::F64)
    }

    /// Size of an element in `raw_data` in bits.
    fn raw_bits(self) -> usize {
        match self {
            DType::F16 | DType::BF16 => 16,
            DType::F32 => 32,
            DType::F64 => 64,
            DType::Int { bits, .. } => bits as usize,
            DType::Bool => 8,
        }
    }

    /// The value of a float type nearest to `x` (identity for other types).
    pub fn round(self, x: f64) -> f64 {
        match self {
            DType::F32 => f64::from(x as f32),
            DType::F16 => round_to(x, 11, -14, 65504.0),
            DType::BF16 => round_to(x, 8, -126, 3.389_531_389_251_535_5e38),
            DType::F64 | DType::Int { .. } | DType::Bool => x,
        }
    }

    /// Wraps an integer to the type's range.
    pub fn wrap(self, x: i64) -> i64 {
        match self {
            DType::Int { signed, bits } if bits < 64 => {
                let up = 64 - bits;
                if signed { (x << up) >> up } else { ((x as u64) << up >> up) as i64 }
            }
            DType::Bool => i64::from(x != 0),
            _ => x,
        }
    }

    /// Smallest and largest value of an integer type (64-bit unsigned is cut at `i64::MAX`).
    pub fn range(self) -> (i64, i64) {
        match self {
            DType::Int { signed: true, bits } => (-1i64 << (bits - 1), (-1i64 << (bits - 1)).wrapping_sub(1)),
            DType::Int { signed: false, bits: 64 } => (0, i64::MAX),
            DType::Int { signed: false, bits } => (0, (1i64 << bits) - 1),
            _ => (0, 1),
        }
    }
}

/// Rounds to a binary float of `precision` significand bits, ties to even, with gradual underflow below `2^min_exponent`.
fn round_to(x: f64, precision: i32, min_exponent: i32, largest: f64) -> f64 {
    if x == 0.0 || !x.is_finite() {
        return x;
    }
    let exponent = (x.abs().log2().floor() as i32).max(min_exponent);
    let step = 2f64.powi(exponent - precision + 1);
    let y = (x / step).round_ties_even() * step;
    if y.abs() > largest { f64::INFINITY.copysign(x) } else { y }
}

/// Name of an ONNX element type for messages.
fn type_name(code: i32) -> String {
    let name = match code {
        0 => "UNDEFINED",
        8 => "STRING",
        14 => "COMPLEX64",
        15 => "COMPLEX128",
        17 => "FLOAT8E4M3FN",
        18 => "FLOAT8E4M3FNUZ",
        19 => "FLOAT8E5M2",
        20 => "FLOAT8E5M2FNUZ",
        23 => "FLOAT4E2M1",
        _ => return format!("{code}"),
    };
    name.to_string()
}

/// Elements in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Data {
    /// Values of the float types.
    Float(Vec<f64>),
    /// Values of integers and truth values.
    Int(Vec<i64>),
}

/// That every element is a whole multiple of a step: what quantizing a constant leaves behind.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Grid {
    /// The axis along which the step differs; `None` for one step.
    pub axis: Option<usize>,
    /// Step sizes.
    pub steps: Vec<f64>,
}

/// A constant.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tensor {
    /// Element type.
    pub ty: DType,
    /// Sizes.
    pub dims: Vec<usize>,
    /// Elements.
    pub data: Data,
    /// Quantization of the elements, where known.
    pub grid: Option<Grid>,
}

impl Tensor {
    /// Integers as a vector or scalar of type INT64.
    pub fn ints(dims: Vec<usize>, values: Vec<i64>) -> Tensor {
        Tensor { ty: DType::I64, dims, data: Data::Int(values), grid: None }
    }

    /// Floats of type `ty`, already rounded to it.
    pub fn floats(ty: DType, dims: Vec<usize>, values: Vec<f64>) -> Tensor {
        Tensor { ty, dims, data: Data::Float(values), grid: None }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match &self.data {
            Data::Float(v) => v.len(),
            Data::Int(v) => v.len(),
        }
    }

    /// Elements as floats (64-bit integers above 2^53 lose bits).
    pub fn to_f64(&self) -> Vec<f64> {
        match &self.data {
            Data::Float(v) => v.clone(),
            Data::Int(v) => v.iter().map(|&x| x as f64).collect(),
        }
    }

    /// Elements as integers; the error says that they are not.
    pub fn as_ints(&self) -> Res<&[i64]> {
        match &self.data {
            Data::Int(v) => Ok(v),
            Data::Float(_) => Err(invalid("an integer tensor is needed, found floats")),
        }
    }

    /// The single element as a float.
    pub fn scalar_f64(&self) -> Res<f64> {
        match &self.data {
            Data::Float(v) if v.len() == 1 => Ok(v[0]),
            Data::Int(v) if v.len() == 1 => Ok(v[0] as f64),
            _ => Err(invalid(format!("a scalar is needed, found shape {:?}", self.dims))),
        }
    }

    /// The same elements under another shape; the grid survives where its axis does.
    pub fn reshaped(&self, dims: Vec<usize>) -> Tensor {
        let grid = self.grid.as_ref().and_then(|g| match g.axis {
            None => Some(g.clone()),
            Some(axis) => {
                let before: usize = self.dims[..axis].iter().product();
                let mut prefix = 1;
                for (a, &d) in dims.iter().enumerate() {
                    if prefix == before && d == self.dims[axis] {
                        return Some(Grid { axis: Some(a), steps: g.steps.clone() });
                    }
                    prefix *= d;
                }
                None
            }
        });
        Tensor { ty: self.ty, dims, data: self.data.clone(), grid }
    }

    /// Elements `index[i]`, under `dims`.
    pub fn picked(&self, dims: Vec<usize>, index: &[usize]) -> Tensor {
        let data = match &self.data {
            Data::Float(v) => Data::Float(index.iter().map(|&i| v[i]).collect()),
            Data::Int(v) => Data::Int(index.iter().map(|&i| v[i]).collect()),
        };
        let grid = self.grid.clone().filter(|g| g.axis.is_none());
        Tensor { ty: self.ty, dims, data, grid }
    }

    /// Axis permutation: result axis `i` is axis `perm[i]`.
    pub fn transposed(&self, perm: &[usize]) -> Tensor {
        let dims: Vec<usize> = perm.iter().map(|&p| self.dims[p]).collect();
        let strides = strides(&self.dims);
        let by: Vec<usize> = perm.iter().map(|&p| strides[p]).collect();
        let mut t = self.picked(dims.clone(), &walk(&dims, &by));
        t.grid = self
            .grid
            .as_ref()
            .map(|g| Grid { axis: g.axis.and_then(|a| perm.iter().position(|&p| p == a)), steps: g.steps.clone() });
        t
    }

    /// Decodes a constant of the file; `base` is the model's folder for external data.
    pub fn from_proto(p: &TensorProto, base: Option<&Path>) -> Res<Tensor> {
        let ty = DType::from_onnx(p.data_type)?;
        let dims: Vec<usize> = p
            .dims
            .iter()
            .map(|&d| usize::try_from(d).map_err(|_| malformed(format!("negative size {d}"))))
            .collect::<Res<_>>()?;
        let count = count(&dims)?;
        let external;
        let raw: Option<&[u8]> = if p.data_location == 1 {
            external = read_external(p, base, raw_len(ty, count))?;
            Some(&external)
        } else {
            p.raw_data.as_deref()
        };
        let data = match raw {
            Some(bytes) => from_raw(ty, count, bytes)?,
            None => from_fields(ty, p),
        };
        if let (DType::Int { signed: false, bits: 64 }, Data::Int(v)) = (ty, &data)
            && v.iter().any(|&x| x < 0)
        {
            return Err(unsupported("unsigned values of 2^63 and more are not supported"));
        }
        let t = Tensor { ty, dims, data, grid: None };
        if t.len() == count {
            Ok(t)
        } else {
            Err(malformed(format!("shape {:?} needs {count} elements, the data has {}", t.dims, t.len())))
        }
    }
}

/// A shared constant.
pub(super) type Const = Rc<Tensor>;

/// Number of elements of a shape, checked against [`MAX_ELEMENTS`].
pub(super) fn count(dims: &[usize]) -> Res<usize> {
    let nonzero = dims.iter().filter(|&&d| d != 0).try_fold(1usize, |n, &d| n.checked_mul(d));
    match nonzero {
        Some(n) if n <= MAX_ELEMENTS => Ok(if dims.contains(&0) { 0 } else { n }),
        _ => Err(unsupported(format!("a tensor of shape {dims:?} is larger than {MAX_ELEMENTS} elements"))),
    }
}

/// Row-major strides.
pub(super) fn strides(dims: &[usize]) -> Vec<usize> {
    let mut out = vec![1; dims.len()];
    for a in (0..dims.len().saturating_sub(1)).rev() {
        out[a] = out[a + 1] * dims[a + 1];
    }
    out
}

/// Offsets visited by a row-major walk over `dims` with the given strides.
pub(super) fn walk(dims: &[usize], strides: &[usize]) -> Vec<usize> {
    if dims.contains(&0) {
        return Vec::new();
    }
    let mut out = vec![0];
    for (&d, &s) in dims.iter().zip(strides) {
        out = out.iter().flat_map(|&base| (0..d).map(move |i| base + i * s)).collect();
    }
    out
}

/// Bytes of `count` elements in raw form.
fn raw_len(ty: DType, count: usize) -> usize {
    (count * ty.raw_bits()).div_ceil(8)
}

/// Reads the external data that a tensor names.
fn read_external(p: &TensorProto, base: Option<&Path>, needed: usize) -> Res<Vec<u8>> {
    let value = |key: &str| p.external_data.iter().find(|e| e.key == key).map(|e| e.value.as_str());
    let number = |key: &str| match value(key) {
        None => Ok(None),
        Some(v) => {
            v.parse::<u64>().map(Some).map_err(|_| malformed(format!("external data {key} {v:?} is not a number")))
        }
    };
    let location = value("location").ok_or_else(|| malformed("external data without a location"))?;
    let offset = number("offset")?.unwrap_or(0);
    if let Some(length) = number("length")?
        && length != needed as u64
    {
        return Err(malformed(format!("external data of {length} bytes, the shape needs {needed}")));
    }
    read::external(base, location, offset, needed as u64)
}

/// Decodes little-endian elements.
fn from_raw(ty: DType, count: usize, bytes: &[u8]) -> Res<Data> {
    if bytes.len() != raw_len(ty, count) {
        return Err(malformed(format!(
            "{count} elements need {} bytes of data, found {}",
            raw_len(ty, count),
            bytes.len()
        )));
    }
    let ints = |size: usize| bytes.chunks_exact(size).map(little);
    Ok(match ty {
        DType::F32 => Data::Float(ints(4).map(|b| f64::from(f32::from_bits(b as u32))).collect()),
        DType::F64 => Data::Float(ints(8).map(f64::from_bits).collect()),
        DType::F16 => Data::Float(ints(2).map(|b| half(b as u16)).collect()),
        DType::BF16 => Data::Float(ints(2).map(|b| f64::from(f32::from_bits((b as u32) << 16))).collect()),
        DType::Int { bits: 4, .. } => {
            Data::Int(bytes.iter().flat_map(|b| [b & 15, b >> 4]).take(count).map(|n| ty.wrap(n.into())).collect())
        }
        DType::Int { bits, .. } => Data::Int(ints(bits as usize / 8).map(|b| ty.wrap(b as i64)).collect()),
        DType::Bool => Data::Int(bytes.iter().map(|&b| i64::from(b != 0)).collect()),
    })
}

/// Up to eight little-endian bytes.
fn little(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b))
}

/// Elements from the typed fields.
fn from_fields(ty: DType, p: &TensorProto) -> Data {
    let from_i32 = |f: &dyn Fn(i32) -> f64| Data::Float(p.int32_data.iter().map(|&b| f(b)).collect());
    match ty {
        DType::F32 => Data::Float(p.float_data.iter().map(|&x| x.into()).collect()),
        DType::F64 => Data::Float(p.double_data.clone()),
        DType::F16 => from_i32(&|b| half(b as u16)),
        DType::BF16 => from_i32(&|b| f64::from(f32::from_bits((b as u32) << 16))),
        DType::Int { signed: true, bits: 64 } => Data::Int(p.int64_data.clone()),
        DType::Int { signed: false, bits: 32 | 64 } => {
            Data::Int(p.uint64_data.iter().map(|&x| ty.wrap(x as i64)).collect())
        }
        DType::Int { bits: 4, .. } => {
            let count = p.dims.iter().fold(1usize, |n, &d| n.saturating_mul(usize::try_from(d).unwrap_or(0)));
            let nibbles = p.int32_data.iter().flat_map(|b| [b & 15, b >> 4 & 15]);
            Data::Int(nibbles.take(count).map(|n| ty.wrap(n.into())).collect())
        }
        DType::Int { .. } | DType::Bool => Data::Int(p.int32_data.iter().map(|&x| ty.wrap(x.into())).collect()),
    }
}

/// The value of an IEEE half-precision bit pattern.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_rounds_to_even_and_overflows() {
        assert_eq!(DType::F16.round(2049.0), 2048.0);
        assert_eq!(DType::F16.round(2051.0), 2052.0);
        assert_eq!(DType::F16.round(65520.0), f64::INFINITY);
        assert_eq!(DType::F16.round(2f64.powi(-25)), 0.0);
        assert_eq!(DType::BF16.round(1.0 + 2f64.powi(-9)), 1.0);
        assert_eq!([half(0x3555), half(0x0001), half(0xfc00)], [0.333251953125, 2f64.powi(-24), f64::NEG_INFINITY]);
    }

    #[test]
    fn integers_wrap_to_their_type() {
        assert_eq!(DType::Int { signed: true, bits: 8 }.wrap(200), -56);
        assert_eq!(DType::Int { signed: false, bits: 8 }.wrap(-1), 255);
        assert_eq!(DType::I64.wrap(i64::MIN), i64::MIN);
        assert_eq!(DType::I64.range(), (i64::MIN, i64::MAX));
    }

    #[test]
    fn grids_follow_their_axis() {
        let steps = vec![0.5, 0.25, 0.125];
        let grid = Some(Grid { axis: Some(1), steps });
        let t = Tensor { ty: DType::F32, dims: vec![2, 3], data: Data::Float(vec![0.0; 6]), grid };
        assert_eq!(t.transposed(&[1, 0]).grid.and_then(|g| g.axis), Some(0));
        assert_eq!(t.reshaped(vec![2, 1, 3]).grid.and_then(|g| g.axis), Some(2));
        assert_eq!(t.reshaped(vec![6]).grid, None);
    }
}
