//! Rough LUT counts of realisations, only to rank them. The surrogate prices what was chosen.

use netfold_ir::hw::{MulShift, Realization};
use netfold_ir::quant::IntType;

/// Price of a DSP block in LUTs, for ranking.
const DSP_IN_LUTS: f64 = 60.0;

/// Estimated 6-input LUTs of one lane.
pub(super) fn luts(function: &Realization, input_bits: u32, output_bits: u32) -> f64 {
    let (w, o) = (f64::from(input_bits), f64::from(output_bits));
    match function {
        Realization::MulShift(m) => line(m, w, o),
        Realization::TwoSlopes(a, b) => line(a, w, o) + line(b, w, o) + o,
        Realization::Thresholds(t) => {
            let channels = t.thresholds.len() as f64;
            let count = t.thresholds.first().map_or(0, Vec::len) as f64;
            // A comparison with a constant takes a fifth of its bits, with a variable half of them.
            let compare = if channels > 1.0 { w / 2.0 } else { w / 5.0 };
            let memory = if channels > 1.0 { count * w * (channels / 64.0).ceil() } else { 0.0 };
            count * (compare + 1.0) + memory
        }
        Realization::Table(t) => {
            let entries = t.entries.iter().map(Vec::len).sum::<usize>();
            table(entries, input_bits, output_bits) + t.tail.as_ref().map_or(0.0, |m| line(m, w, o))
        }
    }
}

/// A table of so many entries in all channels, without a tail.
pub(super) fn table(entries: usize, input_bits: u32, output_bits: u32) -> f64 {
    f64::from(input_bits) + f64::from(output_bits) * (entries as f64 / 64.0).ceil() * 1.3
}

/// One line: addend, product, clipping.
fn line(m: &MulShift, w: f64, o: f64) -> f64 {
    let channels = m.mul.len().max(m.add.len()) as f64;
    let bits = |v: &[i64]| {
        let (lo, hi) = (v.iter().min().copied().unwrap_or(0), v.iter().max().copied().unwrap_or(0));
        f64::from(IntType::containing(lo, hi).bits)
    };
    let memory = |v: &[i64]| if v.len() > 1 { bits(v) * (channels / 64.0).ceil() } else { 0.0 };
    let product = match m.mul[..] {
        [1] => 0.0,
        [k] => f64::from(k.unsigned_abs().count_ones().saturating_sub(1)) * (w + bits(&m.mul)) * 0.7,
        _ => (bits(&m.mul) * w * 1.1).min(DSP_IN_LUTS * (bits(&m.mul) / 18.0).ceil() * (w / 25.0).ceil()),
    };
    product + memory(&m.mul) + memory(&m.add) + w * 0.5 + 1.5 * o
}
