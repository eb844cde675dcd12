//! Matrix-vector units of several vectors at once.

use super::count::Count;
use super::{Fabric, dot};
use netfold_ir::hw::Mvu;
use netfold_ir::quant::IntType;

/// A matrix-vector unit: everything but the weights and the control, which Yosys merges, as often as there are vectors.
pub fn mvu(m: &Mvu, input: IntType, output: IntType, rule: &Fabric) -> Count {
    let mut c = dot::mvu(m, input, output, rule);
    if m.pixels == 1 {
        return c;
    }
    let n = m.pixels as f64;
    let weights = if m.is_shift_add() { 0.0 } else { c.about.columns.min(c.ff) };
    c.ff = (c.ff - weights) * n + weights;
    c.dsp *= m.pixels;
    let (lists, about) = (
        [
            &mut c.lutram,
            &mut c.adder,
            &mut c.compressor,
            &mut c.select,
            &mut c.mux,
            &mut c.shift_luts,
            &mut c.shift_bits,
        ],
        [&mut c.about.rows, &mut c.about.operands, &mut c.about.digits],
    );
    lists.into_iter().chain(about).for_each(|v| *v *= n);
    c.plain *= n;
    c.compared *= n;
    c
}
