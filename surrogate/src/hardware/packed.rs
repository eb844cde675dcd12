//! Matrix-vector units of which two rows share a DSP block a column.

use super::count::Count;
use super::fabric::Fabric;
use netfold_ir::hw::Mvu;
use netfold_ir::hw::packing::Packing;
use netfold_ir::quant::IntType;

/// Makes the count of a unit with a block a product that of packed ones: the blocks; accumulators in logic, which packed products
/// always have, unless blocks accumulate; a bit of every upper adder for its carry.
pub fn share(c: &mut Count, m: &Mvu, packing: Packing, [input, output]: [IntType; 2], rule: &Fabric) {
    let x = input.bits + u32::from(!input.signed);
    let (pairs, odd) = (m.pe / 2, m.pe % 2);
    let bits = m.weights.weight_bits();
    let plain = rule.blocks(x, bits, x + bits);
    let shared = rule.blocks(x, packing.factor_bits(), x + packing.factor_bits());
    c.dsp = m.simd * (pairs * shared + odd * plain);
    c.about.flag_c = shared as f64;
    let acc = f64::from(output.bits);
    let in_logic = m.synapse_fold() > 1 && !(m.simd == 1 && plain == 1);
    let rows = 2.0 * pairs as f64;
    if m.sums_packed() {
        if in_logic {
            c.adder -= rows * acc;
            c.ff -= rows * acc;
        }
        return;
    }
    c.adder += (pairs * m.simd) as f64;
    if !in_logic {
        c.adder += rows * acc;
        c.ff += rows * acc;
    }
}
