//! Helpers of the integration tests: `.npy` files, the folder of real models, comparison.
#![allow(dead_code, clippy::unwrap_used)]

pub mod build;

use std::path::{Path, PathBuf};

/// Shape and elements of a little-endian `.npy` file of floats or integers, row-major.
pub fn read_npy(path: &Path) -> (Vec<usize>, Vec<f64>) {
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(&bytes[..6], b"\x93NUMPY", "{}", path.display());
    let header_len = if bytes[6] == 1 {
        10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]))
    } else {
        12 + u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize
    };
    let header = std::str::from_utf8(&bytes[10..header_len]).unwrap();
    assert!(!header.contains("'fortran_order': True"), "{}", path.display());
    let after = |key: &str| header.split_once(key).unwrap().1;
    let kind = after("'descr': '").split('\'').next().unwrap().to_string();
    let shape = after("'shape': (").split(')').next().unwrap();
    let shape: Vec<usize> = shape.split(',').filter_map(|s| s.trim().parse().ok()).collect();
    let data = &bytes[header_len..];
    let (letter, size) = (&kind[1..2], kind[2..].parse::<usize>().unwrap());
    let values = data
        .chunks_exact(size)
        .map(|c| {
            let bits = c.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
            let up = 64 - 8 * size as u32;
            match (letter, size) {
                ("f", 4) => f64::from(f32::from_bits(bits as u32)),
                ("f", 8) => f64::from_bits(bits),
                ("f", 2) => half(bits as u16),
                ("i", _) => ((bits << up) as i64 >> up) as f64,
                ("u" | "b", _) => bits as f64,
                _ => panic!("{kind} in {}", path.display()),
            }
        })
        .collect();
    (shape, values)
}

/// The value of a half-precision bit pattern.
fn half(bits: u16) -> f64 {
    let (e, f) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let magnitude = match e {
        0 => f * 2f64.powi(-24),
        31 if f == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + f) * 2f64.powi(e - 25),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

/// The folder of real models beside the checkout; a visible skip where it is missing.
pub fn shared_models() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/models");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: {} does not exist", folder.display());
    None
}

/// Largest difference of two tensors, relative to values above one; infinities and NaN must agree.
pub fn difference(a: &[f64], b: &[f64]) -> f64 {
    let one = |(x, y): (&f64, &f64)| {
        if x == y || (x.is_nan() && y.is_nan()) { 0.0 } else { (x - y).abs() / y.abs().max(1.0) }
    };
    a.iter().zip(b).map(one).map(|d| if d.is_nan() { f64::INFINITY } else { d }).fold(0.0, f64::max)
}
