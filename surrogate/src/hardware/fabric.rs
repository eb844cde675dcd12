//! What the primitives of a family hold: DSP blocks, LUTs, memory in LUTs.
//!
//! Source: `mul2dsp.v`, `synth_xilinx`, `synth_ecp5` and `synth_ice40` of Yosys 0.70: factors of at least 2 bits whose product has at least
//! 9 go into blocks of 25 x 18 signed bits; wider factors are cut into parts of 17 bits and a rest, the wider factor first. Blocks of
//! ECP5 and iCE40 also multiply unsigned numbers, so that parts are as wide as the block; ECP5 takes every product, iCE40 those of 11 bits.

use super::factors::TERMS;

/// Memory in LUTs, with what `memory_libmap` of Yosys 0.70 takes it to cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LutMemory {
    /// RAM32M and RAM64M of AMD.
    Ram32m,
    /// TRELLIS_DPR16X4 of ECP5: 16 words of 4 bits in six LUTs.
    Dpr16x4,
    /// None: registers or block memory.
    None,
}

/// A family's multiplier block, widths first, and its LUTs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fabric {
    /// Signed bits of the wider factor.
    pub a: u32,
    /// Signed bits of the narrower factor.
    pub b: u32,
    /// Bits of a part when a factor is cut, its sign bit included.
    pub part: u32,
    /// Whether blocks multiply signed numbers only.
    pub signed_only: bool,
    /// Fewest bits of a product that goes into a block.
    pub least: u32,
    /// Fewest bits of a factor.
    pub factor: u32,
    /// Whether Yosys packs the registers around a product into its block (`xilinx_dsp`, `ice40_dsp`).
    pub registers: bool,
    /// Whether it packs sums of products and accumulators into blocks too (`xilinx_dsp`).
    pub sums: bool,
    /// Inputs of a LUT.
    pub lut: u32,
    /// Whether multiplexers beside the LUTs combine them (F7, F8, PFUMX, L6MUX21).
    pub combines: bool,
    /// Whether carry cells add by themselves, without a LUT beside them (CCU2C).
    pub adds: bool,
    /// Whether LUTs are shift registers.
    pub shifts: bool,
    /// Memory in LUTs.
    pub memory: LutMemory,
}

impl Fabric {
    /// LUTs that blocks of logic take beside those of the 7 series ([`super::factors::terms`]), where nothing is learned: control, roundings
    /// and multiplexers are functions of more than four inputs, and where carry cells have no LUTs of their own a selected operand and
    /// a bit of a compressor take two. Read from the modules of the tables of ECP5 and iCE40.
    pub fn blocks_of_logic(&self) -> [f64; TERMS] {
        match (self.lut < 6, self.adds) {
            (false, _) => [1.0; TERMS],
            (true, true) => [1.0, 1.0, 0.8, 1.1, 1.2, 1.0, 1.3, 1.0, 1.0],
            (true, false) => [1.4, 1.5, 1.5, 0.9, 1.2, 1.0, 1.3, 1.2, 1.0],
        }
    }

    /// DSP48E1.
    pub const XC7: Fabric = Fabric {
        a: 25,
        b: 18,
        part: 18,
        signed_only: true,
        least: 9,
        factor: 2,
        registers: true,
        sums: true,
        lut: 6,
        combines: true,
        adds: false,
        shifts: true,
        memory: LutMemory::Ram32m,
    };
    /// DSP48E2.
    pub const XCUP: Fabric = Fabric { a: 27, ..Fabric::XC7 };
    /// MULT18X18D.
    pub const ECP5: Fabric = Fabric {
        a: 18,
        signed_only: false,
        least: 4,
        registers: false,
        sums: false,
        lut: 4,
        adds: true,
        shifts: false,
        memory: LutMemory::Dpr16x4,
        ..Fabric::XC7
    };
    /// SB_MAC16.
    pub const ICE40: Fabric = Fabric {
        a: 16,
        b: 16,
        least: 11,
        adds: false,
        registers: true,
        combines: false,
        memory: LutMemory::None,
        ..Fabric::ECP5
    };

    /// Blocks of a product of signed factors of `x` and `y` bits, of whose result `out` bits are used.
    pub fn blocks(&self, x: u32, y: u32, out: u32) -> usize {
        let (a, b) = (x.max(y), x.min(y));
        let out = out.min(a + b);
        if b < self.factor || out < self.least {
            return 0;
        }
        if a > self.a {
            return self.parts(a, self.a, |w| self.blocks(w, b, (w + b).min(out)));
        }
        if b > self.b {
            return self.parts(b, self.b, |w| self.blocks(a, w, (w + a).min(out)));
        }
        1
    }

    /// Blocks of a product of variables of `x` and `y` bits, signed or not. Two unsigned ones have no sign bits left when the rule
    /// looks at their widths (`wreduce`).
    pub fn product(&self, x: (u32, bool), y: (u32, bool)) -> usize {
        let wide = |(bits, signed): (u32, bool)| bits + u32::from(!signed);
        if !self.signed_only && !x.1 && !y.1 {
            return self.blocks(x.0, y.0, x.0 + y.0);
        }
        if !x.1 && !y.1 && (x.0.min(y.0) < self.factor || x.0 + y.0 < self.least) {
            return 0;
        }
        self.blocks(wide(x), wide(y), wide(x) + wide(y))
    }

    /// Blocks of a factor's parts, given those of a part of so many bits.
    fn parts(&self, bits: u32, most: u32, of: impl Fn(u32) -> usize) -> usize {
        if !self.signed_only {
            let n = bits.div_ceil(most) - 1;
            return n as usize * of(most) + of(bits - n * most);
        }
        let n = (bits - most + self.part - 2) / (self.part - 1);
        n as usize * of(self.part) + of(bits - n * (self.part - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_products_stay_in_logic_and_wide_ones_are_cut() {
        let r = Fabric::XC7;
        assert_eq!(r.blocks(6, 2, 8), 0);
        assert_eq!(r.blocks(7, 2, 9), 1);
        assert_eq!(r.blocks(25, 18, 43), 1);
        assert_eq!(r.blocks(18, 19, 37), 1);
        assert_eq!(r.blocks(26, 18, 44), 2);
        assert_eq!(r.blocks(24, 20, 44), 2);
        // 4 x 4 unsigned bits are 8 bits of product, signed ones with a bit more than that 9.
        assert_eq!((r.product((4, false), (4, false)), r.product((5, true), (4, true))), (0, 1));
        assert_eq!(r.product((9, false), (1, false)), 0);
        // Signed factors, counts of Yosys 0.70.
        let widths =
            [(2, 2), (4, 4), (17, 17), (18, 18), (19, 7), (20, 7), (19, 14), (19, 19), (20, 18), (36, 7), (37, 7)];
        let of = |r: Fabric| widths.map(|(a, b)| r.blocks(a, b, a + b));
        assert_eq!(of(Fabric::ECP5), [1, 1, 1, 1, 1, 2, 1, 1, 2, 2, 2]);
        assert_eq!(of(Fabric::ICE40), [0, 0, 1, 3, 1, 2, 2, 3, 3, 3, 3]);
        assert_eq!(of(Fabric::XC7), [0, 0, 1, 1, 1, 1, 1, 2, 1, 2, 2]);
    }
}
