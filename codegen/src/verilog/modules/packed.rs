//! Matrix-vector units of which two rows share a DSP block.

use super::Context;
use super::dot::{Dot, Weights, vector_in_block};
use crate::verilog::rom::{Rom, Word};
use netfold_ir::diag::Diag;
use netfold_ir::hw::Mvu;
use netfold_ir::hw::packing::{Packing, high};

pub(super) fn mvu(c: &mut Context, m: &Mvu, packing: Packing) -> Result<String, Diag> {
    let (input, output) = (c.ins[0].ty, c.outs[0].ty);
    let (low_bits, high_bits) = (packing.low_bits as usize, packing.high_bits as usize);
    let weight_bits = m.weights.weight_bits() as usize;
    let (nf, sf, pairs) = (m.neuron_fold(), m.synapse_fold(), m.pe / 2);
    let words = (0..nf * sf).map(|i| {
        let (group, beat) = m.tile(i);
        let columns = |r: usize| &m.weights.row(group * m.pe + r)[beat * m.simd..(beat + 1) * m.simd];
        let mut word = Word::new();
        for p in 0..pairs {
            let (low, up) = (columns(2 * p), columns(2 * p + 1));
            low.iter().for_each(|w| word.push((*w).into(), low_bits));
            low.iter().zip(up).for_each(|(w, u)| word.push(high(*w, *u).into(), high_bits));
        }
        if m.pe % 2 == 1 {
            columns(m.pe - 1).iter().for_each(|w| word.push((*w).into(), weight_bits));
        }
        word
    });
    let width = m.simd * (pairs * (low_bits + high_bits) + m.pe % 2 * weight_bits);
    let weights = Rom::new(width, words.collect());
    let parameters = vec![
        ("PE", m.pe),
        ("SIMD", m.simd),
        ("NF", nf),
        ("SF", sf),
        ("EARLY", m.early),
        ("BLOCK", usize::from(vector_in_block(m, input))),
        ("IN_BITS", input.bits as usize),
        ("IN_SIGNED", usize::from(input.signed)),
        ("WEIGHT_BITS", weight_bits),
        ("LOW_BITS", low_bits),
        ("HIGH_BITS", high_bits),
        ("SHIFT", packing.shift as usize),
        ("SUM", usize::from(m.sums_packed())),
        ("OUT_BITS", output.bits as usize),
    ];
    let weights = Weights::new(c, &weights, m.memory, m.sums_packed())?;
    c.text(&Dot {
        primitive: "netfold_mvu_packed",
        short: "mvu",
        about: format!(
            "Weights: of every pair of rows the lower ones, {low_bits} bits each, then the upper ones, {high_bits} bits each."
        ),
        weights,
        start: None,
        start_width: m.pe * output.bits as usize,
        pixels: m.pixels,
        in_width: c.ins[0].width() / m.pixels,
        out_width: c.outs[0].width() / m.pixels,
        parameters,
    })
}
