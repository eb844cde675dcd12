//! Amounts of the building blocks that a module's Verilog is made of, counted from its structure.
//!
//! Flip-flops are counted as Yosys keeps them: constant bits removed, equal ones merged. LUTs are counted by class, because a
//! class maps to LUTs with its own factor, which is what training learns.

use super::fabric::Fabric;
use netfold_ir::hw::latency::levels;

/// Feature columns of a module, in the order of [`Count::features`].
pub const NAMES: [&str; 32] = [
    "lut0",
    "ff0",
    "lutram0",
    "adder",
    "compressor",
    "select",
    "rom",
    "mux",
    "compare",
    "control",
    "round",
    "in_bits",
    "out_bits",
    "weight_bits",
    "lanes",
    "rows",
    "words",
    "beats",
    "groups",
    "operands",
    "digits",
    "columns",
    "live_share",
    "ones",
    "taps",
    "depth",
    "width",
    "dsp",
    "bram18",
    "flag_a",
    "flag_b",
    "flag_c",
];

/// Number of feature columns.
pub const COLUMNS: usize = NAMES.len();

/// Counted amounts of one module or FIFO, and what describes it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Count {
    /// Flip-flops.
    pub ff: f64,
    /// LUTs as memory or shift registers.
    pub lutram: f64,
    /// Those of them that are shift registers.
    pub shift_luts: f64,
    /// Bits in shift registers.
    pub shift_bits: f64,
    /// DSP blocks.
    pub dsp: usize,
    /// Halves of a block RAM.
    pub bram18: f64,
    /// UltraRAM blocks.
    pub uram: usize,
    /// Bits of two-operand adders on carry chains.
    pub adder: f64,
    /// Those of them that add without selecting.
    pub plain: f64,
    /// LUTs of comparisons of two variables, among `compare`: of the 7 series a carry chain of two bits in two LUTs.
    pub compared: f64,
    /// Bits of three-to-two compressors.
    pub compressor: f64,
    /// Bits of operand selection (Booth digits, signs).
    pub select: f64,
    /// LUTs of read-only memories.
    pub rom: f64,
    /// The same of LUTs of four inputs: with multiplexers beside the LUTs that combine them, and without.
    pub rom4: [f64; 2],
    /// Bits of two-way multiplexers, in halves of a LUT.
    pub mux: f64,
    /// Bits of comparators.
    pub compare: f64,
    /// LUTs of counters and handshakes.
    pub control: f64,
    /// Bits of rounding and clipping.
    pub round: f64,
    /// What describes the module beside its amounts: the columns from `in_bits` on.
    pub about: About,
}

/// Parameters of a module, zero where it has none of the kind.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[allow(missing_docs)]
pub struct About {
    pub in_bits: f64,
    pub out_bits: f64,
    pub weight_bits: f64,
    pub lanes: f64,
    pub rows: f64,
    pub words: f64,
    pub beats: f64,
    pub groups: f64,
    pub operands: f64,
    pub digits: f64,
    pub columns: f64,
    pub live_share: f64,
    pub ones: f64,
    pub taps: f64,
    pub depth: f64,
    pub width: f64,
    pub flag_a: f64,
    pub flag_b: f64,
    pub flag_c: f64,
}

/// A tree's result.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sum {
    /// Bits that are not constant, from bit 0 on.
    pub bits: u32,
}

/// LUTs of a counter of `bits` bits that begins again: one clears each bit after the last value, the comparison with the last but one
/// takes one or two.
fn wrap(bits: f64) -> f64 {
    bits + if bits <= 6.0 { 1.0 } else { 2.0 }
}

impl Count {
    /// LUTs by fixed factors: the prior that training refines.
    pub fn lut(&self) -> f64 {
        self.adder
            + 2.0 * self.compressor
            + self.select
            + self.rom
            + 0.5 * self.mux
            + 0.5 * self.compare
            + self.control
            + self.round
    }

    /// The columns of [`NAMES`].
    pub fn features(&self) -> [f32; COLUMNS] {
        let a = &self.about;
        [
            self.lut(),
            self.ff,
            self.lutram,
            self.adder,
            self.compressor,
            self.select,
            self.rom,
            self.mux,
            self.compare,
            self.control,
            self.round,
            a.in_bits,
            a.out_bits,
            a.weight_bits,
            a.lanes,
            a.rows,
            a.words,
            a.beats,
            a.groups,
            a.operands,
            a.digits,
            a.columns,
            a.live_share,
            a.ones,
            a.taps,
            a.depth,
            a.width,
            self.dsp as f64,
            self.bram18,
            a.flag_a,
            a.flag_b,
            a.flag_c,
        ]
        .map(|v| v as f32)
    }

    /// A counter to `n`, with a flag for its last value and perhaps one for the first (netfold_counter).
    pub fn counter(&mut self, n: usize, first: bool) {
        if n > 1 {
            let bits = f64::from(levels(n));
            self.ff += bits + 1.0 + f64::from(u8::from(first));
            self.control += wrap(bits);
        }
    }

    /// The counter of a memory in logic that is read in order, and its address register (netfold_sequence_rom).
    pub fn sequence(&mut self, words: usize) {
        if words > 1 {
            let bits = f64::from(levels(words));
            self.ff += 2.0 * bits;
            if !words.is_power_of_two() {
                self.ff += 1.0;
                self.control += wrap(bits);
            }
        }
    }

    /// The same of weights in logic (netfold_weight_rom), whose last word, compared with, resets the counter.
    pub fn address(&mut self, words: usize) {
        if words > 1 {
            let bits = levels(words);
            self.ff += 2.0 * f64::from(bits);
            if !words.is_power_of_two() {
                self.control += if bits <= 6 { 2.0 } else { 5.0 };
            }
        }
    }

    /// A pipeline of `stages` registers of `bits` bits (netfold_delay with reset).
    pub fn flags(&mut self, bits: usize, stages: usize) {
        self.ff += (bits * stages) as f64;
    }

    /// A pipeline without reset: from three registers on it becomes shift-register LUTs (Yosys, `shregmap -minlen 3`).
    pub fn delay(&mut self, bits: usize, stages: usize) {
        if stages >= 3 {
            self.shift(bits * stages.div_ceil(32), bits * stages);
        } else {
            self.ff += (bits * stages) as f64;
        }
    }

    /// Shift registers of `bits` bits in all, in `luts` LUTs.
    pub fn shift(&mut self, luts: usize, bits: usize) {
        self.lutram += luts as f64;
        self.shift_luts += luts as f64;
        self.shift_bits += bits as f64;
    }

    /// The same on LUTs of a family that lack what those of the 7 series have.
    #[must_use]
    pub fn on(mut self, fabric: &Fabric) -> Count {
        if !fabric.shifts {
            self.lutram -= self.shift_luts;
            self.ff += self.shift_bits;
            (self.shift_luts, self.shift_bits) = (0.0, 0.0);
        }
        if fabric.adds {
            // Compressors in front of a carry chain are logic.
            self.adder -= self.plain;
            self.plain = 0.0;
        }
        if fabric.lut < 6 {
            // Carry cells of four-input families compare by themselves; a LUT in three bits remains in the thresholds of ECP5 and iCE40.
            self.compare -= self.compared * 2.0 / 3.0;
            self.compared = 0.0;
            self.rom = self.rom4[usize::from(!fabric.combines)];
        }
        self
    }

    /// netfold_reduce_tree over operands of the given widths (constant upper bits left out): a carry chain an addition, a register
    /// after every second level.
    ///
    /// Returns the bits of the result that are not constant.
    pub fn tree(&mut self, operands: &[u32], out_bits: u32, times: f64) -> Sum {
        let mut widths: Vec<u32> = operands.iter().map(|w| (*w).min(out_bits)).collect();
        while widths.len() > 1 {
            let span = if widths.len() > 2 { 4 } else { 2 };
            let mut next = Vec::with_capacity(widths.len().div_ceil(span));
            for group in widths.chunks(span) {
                let live: Vec<u32> = group.iter().copied().filter(|w| *w > 0).collect();
                let widest = live.iter().copied().max().unwrap_or(0);
                let grown = match live.len() {
                    0 => 0,
                    1 => widest,
                    2 => (widest + 1).min(out_bits),
                    _ => (widest + 2).min(out_bits),
                };
                if live.len() >= 2 {
                    let below = (live.len() / 2) as f64 * f64::from((widest + 1).min(out_bits));
                    self.adder += times * if live.len() == 2 { f64::from(grown) } else { below + f64::from(grown) };
                }
                self.ff += times * f64::from(grown);
                next.push(grown);
            }
            widths = next;
        }
        Sum { bits: widths.first().copied().unwrap_or(0) }
    }

    /// `times` read-only memories of the given contents in logic.
    pub fn rom(&mut self, contents: &super::rom::RomStats, times: f64) {
        self.rom += times * contents.luts;
        self.rom4.iter_mut().zip(contents.luts4).for_each(|(sum, luts)| *sum += times * luts);
    }
}
