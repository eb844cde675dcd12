//! netfold's own hardware: what is known of a module or FIFO before synthesis.
//!
//! [`count`] reads the structure of the generated Verilog (templates/verilog, `codegen::verilog`): flip-flops as Yosys keeps
//! them, DSP blocks and block RAM by its rules, and building blocks of logic. DSP and block RAM counts are the estimate;
//! LUTs and flip-flops are where training begins.

mod act;
mod blocks;
mod compress;
pub mod count;
mod dot;
pub mod eval;
pub mod fabric;
pub mod factors;
mod facts;
pub mod fmax;
mod join;
mod linear;
pub mod memory;
pub mod model;
mod packed;
mod pixels;
mod price;
mod recent;
mod rom;
pub mod train;
pub mod whole;

pub use count::{COLUMNS, Count, NAMES};
pub use fabric::{Fabric, LutMemory};
pub use model::{DesignEstimate, Family, HardwareModel};
pub use price::PriceList;

use netfold_ir::hw::{Design, Kind, Module, ModuleId};
use netfold_ir::quant::IntType;

/// Counts the building blocks of a module without its FIFOs.
pub fn module(kind: &Kind, inputs: &[IntType], outputs: &[IntType], rule: &Fabric) -> Count {
    let port = |list: &[IntType]| list.first().copied().unwrap_or(IntType { signed: false, bits: 0, narrow: false });
    let (input, output) = (port(inputs), port(outputs));
    let latency = || Module { name: String::new(), layer: String::new(), kind: kind.clone() }.latency();
    let count = match kind {
        Kind::Mvu(m) => pixels::mvu(m, input, output, rule),
        Kind::Vvu(v) => dot::vvu(v, input, output, rule),
        Kind::Swu(s) => memory::window(s, input.bits, rule),
        Kind::Act { function, lanes, .. } => act::act(function, *lanes, input, output, latency(), rule),
        other => join::count(other, inputs, outputs, latency(), rule).unwrap_or_default(),
    };
    count.on(rule)
}

/// Name of the group of modules that one model is trained on.
pub fn unit(kind: &Kind) -> &'static str {
    use netfold_ir::hw::Multiplier::Lut;
    match kind {
        Kind::Mvu(m) if m.is_shift_add() => "mvu_constant",
        Kind::Vvu(v) if v.is_shift_add() => "mvu_constant",
        Kind::Mvu(m) if m.neuron_fold() * m.synapse_fold() == 1 => "mvu_factors",
        Kind::Vvu(v) if v.pe == v.channels() && v.simd == v.weights.cols => "mvu_factors",
        Kind::Mvu(m) => match m.built() {
            Lut => "mvu_lut",
            built if built.is_packed() => "mvu_packed",
            _ => "mvu_dsp",
        },
        Kind::Vvu(v) if v.multiplier == Lut => "mvu_lut",
        Kind::Vvu(_) => "mvu_dsp",
        other => other.name(),
    }
}

/// Counts one module of a design.
pub fn of_design(design: &Design, id: ModuleId, rule: &Fabric) -> Count {
    let inputs: Vec<IntType> = design.inputs_of(id).iter().map(|(_, s)| s.ty).collect();
    let outputs: Vec<IntType> = design.outputs_of(id).iter().map(|(_, s)| s.ty).collect();
    module(&design.module(id).kind, &inputs, &outputs, rule)
}
