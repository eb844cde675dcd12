//! FIFOs, buffers and delay lines.

use super::count::Count;
use super::fabric::{Fabric, LutMemory};
use netfold_ir::hw::latency::{default_memory, levels};
use netfold_ir::hw::{Memory, Stream, Swu};

/// Halves of a block RAM that `depth` words of `width` bits take: 512 x 36, 1024 x 18, 2048 x 9, 4096 x 4, 8192 x 2 or
/// 16384 x 1 bits each (AMD UG473).
pub fn bram18(depth: usize, width: usize) -> usize {
    netfold_passes::optimize::bram18(depth, width)
}

/// Block memory in halves of 36 Kb: of iCE40 SB_RAM40_4K of 256 x 16, 512 x 8, 1024 x 4 or 2048 x 2 bits, nine to 36 Kb.
pub fn blocks(depth: usize, width: usize, fabric: &Fabric) -> f64 {
    if fabric.memory != LutMemory::None {
        return bram18(depth, width) as f64;
    }
    let shapes = [(256, 16), (512, 8), (1024, 4), (2048, 2)];
    let fewest = shapes.into_iter().map(|(d, w)| depth.div_ceil(d) * width.div_ceil(w)).min();
    fewest.unwrap_or(0) as f64 / 4.5
}

/// Whether a memory of one write and one registered read port is registers instead of RAM32M: `memory_libmap` of Yosys 0.70
/// takes a bit of registers for 1, a cell of 6 bits for 8 scaled by its width (`lutrams_xc5v.txt`), and 8 for the register of
/// the read port that it has to build itself.
pub fn is_registers(depth: usize, width: usize) -> bool {
    depth <= 32 && 7 * depth * width <= 8 * (width + width.div_ceil(6)) + 56
}

/// LUTs of a memory in LUTs: RAM32M holds 32 x 6 bits and RAM64M 64 x 3 bits in four LUTs (AMD UG474).
pub fn lutram(depth: usize, width: usize) -> usize {
    if depth <= 32 { 4 * width.div_ceil(6) } else { 4 * width.div_ceil(3) * depth.div_ceil(64) }
}

/// Whether a memory is registers on a family, block memory, or else in LUTs, by the costs of `memory_libmap` (Yosys 0.70): a bit of
/// registers 1, a cell of ECP5's LUT memory 4, one of ECP5's and iCE40's block memory 96 and 64, the register of a read port 8.
/// The last two figures lie between those that FIFOs of the sweep allow (89 to 99, 63 to 83).
fn placed(depth: usize, width: usize, fabric: &Fabric) -> Memory {
    let bits = depth * width;
    let cells = width.div_ceil(4) * depth.div_ceil(16);
    let (registers, luts, block) = match fabric.memory {
        LutMemory::Ram32m => return if is_registers(depth, width) { Memory::Logic } else { Memory::Lut },
        LutMemory::Dpr16x4 => (bits, 4 * cells + 8, 96 * bram18(depth, width)),
        LutMemory::None => (bits, usize::MAX, 8 + 64 * width.div_ceil(16) * depth.div_ceil(256)),
    };
    if registers <= luts.min(block) {
        Memory::Logic
    } else if luts <= block {
        Memory::Lut
    } else {
        Memory::Block
    }
}

/// A memory with one write port and one read port.
pub fn ram(c: &mut Count, depth: usize, width: usize, memory: Memory, fabric: &Fabric) {
    let memory = if matches!(memory, Memory::Logic | Memory::Lut) { placed(depth, width, fabric) } else { memory };
    match memory {
        Memory::Block => c.bram18 += blocks(depth, width, fabric),
        Memory::Ultra => c.uram += width.div_ceil(72) * depth.div_ceil(4096),
        Memory::Logic => {
            c.ff += (depth * width) as f64;
            c.mux += (depth * width) as f64;
        }
        Memory::Lut if fabric.memory == LutMemory::Dpr16x4 => {
            c.lutram += (6 * width.div_ceil(4) * depth.div_ceil(16)) as f64;
            c.mux += (width * (depth.div_ceil(16) - 1)) as f64;
        }
        Memory::Lut => {
            c.lutram += lutram(depth, width) as f64;
            c.mux += (width * (depth.div_ceil(64) - 1)) as f64;
        }
    }
}

/// LUTs of the counters of a FIFO of 2 to 64 beats that is read in the same cycle, by its depth: measured with Yosys 0.70 on
/// netfold_fifo, whatever its width.
#[rustfmt::skip]
const FIFO_LUTS: [u8; 63] = [
    7, 12, 13, 16, 16, 18, 15, 20, 20, 24, 20, 24, 24, 26, 20, 25, 26, 28, 24, 28, 28, 30, 24, 28, 28, 30, 28, 30, 30, 32, 24,
    29, 29, 31, 29, 31, 31, 33, 30, 31, 31, 33, 31, 33, 33, 35, 30, 31, 31, 33, 31, 33, 33, 35, 32, 33, 33, 35, 33, 35, 35, 37, 28,
];

/// A FIFO of places that are reserved ahead (netfold_fifo).
pub fn fifo(stream: &Stream, fabric: &Fabric) -> Count {
    let (depth, width) = (stream.depth, stream.width());
    let mut c = Count::default();
    let control = f64::from(levels(depth + 1));
    c.ff += 2.0 * control + 2.0;
    match FIFO_LUTS.get(depth.wrapping_sub(2)) {
        Some(luts) if stream.read_latency() == 1 => c.control += f64::from(*luts),
        _ => c.control += 2.0 + 3.0 * control,
    }
    let address = if depth > 1 { f64::from(levels(depth)) } else { 0.0 };
    if depth == 1 {
        c.ff += width as f64;
    } else if stream.read_latency() == 1 {
        // Head and tail, and the copy of the head that Yosys keeps where it merges the address register into the read port.
        c.ff += 3.0 * address;
        ram(&mut c, depth, width, Memory::Lut, fabric);
        if c.bram18 > 0.0 {
            // Block memory registers its address; Yosys adds the way around it, for a beat that is read as it is written.
            c.ff += width as f64 + 1.0 - address;
            c.select += width as f64;
        }
    } else {
        c.ff += 2.0 * address + 1.0;
        c.control += 3.0 * address;
        let memory = default_memory(depth, width);
        ram(&mut c, depth, width, memory, fabric);
        if memory == Memory::Lut {
            c.ff += width as f64;
        } else if fabric.memory != LutMemory::Ram32m {
            // The same way around, and the register behind the memory.
            c.ff += 2.0 * width as f64 + address + 2.0;
            c.select += width as f64;
        }
    }
    c.about.depth = depth as f64;
    c.about.width = width as f64;
    c.about.flag_a = if depth == 1 { 0.0 } else { stream.read_latency() as f64 };
    c.about.lanes = stream.lanes as f64;
    c.about.in_bits = f64::from(stream.ty.bits);
    c
}

/// A sliding window (netfold_swu).
pub fn window(s: &Swu, in_bits: u32, fabric: &Fabric) -> Count {
    let mut c = Count::default();
    let beat = s.lanes * in_bits as usize;
    let chunks = s.channels / s.lanes;
    let [kh, kw] = s.window.kernel;
    let [dh, dw] = s.window.dilation;
    let positions = |n: usize| f64::from(levels(n).max(u32::from(n > 1)));
    c.counter(s.size[0] * s.size[1] * chunks, true);
    c.counter(chunks, false);
    for (stride, count) in [(s.window.stride[1], s.output[1]), (s.window.stride[0], s.output[0])] {
        c.counter(stride, false);
        c.counter(count, false);
        c.ff += if count > 1 || stride > 1 { 2.0 } else { 1.0 };
        c.control += 3.0;
    }
    c.ff += positions(s.size[0]) + positions(s.size[1]) + 1.0;
    c.control += 10.0 + 2.0 * (positions(s.size[0]) + positions(s.size[1]));
    // Padding that changes from group to group.
    if s.pad.len() > 1 && chunks > 1 {
        c.sequence(chunks);
        c.rom += beat as f64;
        c.rom4.iter_mut().for_each(|luts| *luts += beat as f64);
    }
    let across = dw * chunks;
    let down = dh * s.size[1] * chunks;
    let mut segment = |length: usize, times: usize| {
        if length == 0 || times == 0 {
            return;
        }
        let bits = times * beat;
        if s.memory == Memory::Logic || length <= 33 {
            if length >= 3 {
                // Shift registers with an enable: SRL16E or SRLC32E, with the last stage as a register of its own where it is free.
                c.shift(bits * length.div_ceil(32), bits * length);
            } else {
                c.ff += (bits * length) as f64;
            }
        } else {
            for _ in 0..times {
                c.counter(length - 1, false);
                ram(&mut c, length - 1, beat, s.memory, fabric);
            }
            if s.memory == Memory::Lut {
                c.ff += bits as f64;
            }
        }
    };
    segment(across, kh * (kw - 1));
    if kh > 1 {
        let along = (kw - 1) * across;
        segment(down.saturating_sub(along), kh - 1);
    }
    let padded = s.window.pads.iter().any(|p| *p > 0);
    if padded {
        c.mux += (s.elements() * in_bits as usize) as f64;
        c.control += 2.0 * (kh + kw) as f64;
    }
    c.about.in_bits = f64::from(in_bits);
    c.about.lanes = s.lanes as f64;
    c.about.groups = chunks as f64;
    c.about.taps = (kh * kw) as f64;
    c.about.depth = down as f64;
    c.about.width = beat as f64;
    c.about.beats = (s.size[0] * s.size[1]) as f64;
    c.about.rows = kh as f64;
    c.about.columns = kw as f64;
    c.about.flag_a = f64::from(u8::from(padded));
    c.about.flag_b = match s.memory {
        Memory::Logic => 0.0,
        Memory::Lut => 1.0,
        Memory::Block => 2.0,
        Memory::Ultra => 3.0,
    };
    c.about.flag_c = (s.window.stride[0] * s.window.stride[1]) as f64;
    c
}
