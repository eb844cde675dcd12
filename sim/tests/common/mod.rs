//! Shared by the simulation tests: designs, and what to do when a tool is missing.
// Each test program uses its part of this; a panic here is a failed test.
#![allow(dead_code, clippy::unwrap_used)]

use std::path::Path;
use std::sync::OnceLock;

use netfold_ir::Diag;
use netfold_sim::{Interface, ModelSpec, SourceFile, StreamPort, Verilator};

/// The tool, or `None` after a visible notice; a missing tool fails where `CI` is `true`.
pub fn tool<T>(found: Result<T, Diag>) -> Option<T> {
    match found {
        Ok(tool) => Some(tool),
        Err(diag) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "a tool is missing in CI: {diag}");
            eprintln!("SKIPPED: {diag}");
            None
        }
    }
}

/// Verilator with the user's cache.
pub fn verilator() -> Option<&'static Verilator> {
    static FOUND: OnceLock<Option<Verilator>> = OnceLock::new();
    FOUND.get_or_init(|| tool(Verilator::find())).as_ref()
}

pub fn dut(name: &str) -> SourceFile {
    SourceFile::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dut"), name).unwrap()
}

pub fn port(prefix: &str, element_bits: u32, signed: bool, elements_per_beat: u32, beats_per_frame: u32) -> StreamPort {
    StreamPort { prefix: prefix.into(), element_bits, signed, elements_per_beat, beats_per_frame }
}

/// A module `top` of one input and one output stream of `bits` that instantiates `inner #(parameters)`.
pub fn shell(top: &str, bits: u64, inner: &str, parameters: &str) -> SourceFile {
    let text = format!(
        "module {top} (
    input  logic aclk, aresetn,
    input  logic [{msb}:0] s_axis_tdata,
    input  logic s_axis_tvalid, s_axis_tlast,
    output logic s_axis_tready,
    output logic [{msb}:0] m_axis_tdata,
    output logic m_axis_tvalid, m_axis_tlast,
    input  logic m_axis_tready
);
    {inner} #({parameters}) inner (.*);
endmodule
",
        msb = bits - 1
    );
    SourceFile::new(format!("{top}.sv"), text).unwrap()
}

/// A register slice that adds 1 to every element.
pub fn slice(element_bits: u32, signed: bool, elements: u32, beats: u32) -> ModelSpec {
    let input = port("s_axis", element_bits, signed, elements, beats);
    let top = format!("slice_{element_bits}x{elements}");
    let shell =
        shell(&top, input.tdata_bits(), "register_slice", &format!(".BITS({element_bits}), .ELEMENTS({elements})"));
    let output = StreamPort { prefix: "m_axis".into(), ..input.clone() };
    ModelSpec {
        interface: Interface { top, inputs: vec![input], outputs: vec![output] },
        sources: vec![dut("register_slice.sv"), shell],
        data: vec![],
        trace: None,
    }
}

/// A pass-through of 4-bit elements and 4 beats a frame with one fault; see `dut/faulty.sv`.
pub fn faulty(fault: u32) -> ModelSpec {
    let top = format!("faulty_{fault}");
    let shell = shell(&top, 8, "faulty", &format!(".FAULT({fault})"));
    ModelSpec {
        interface: Interface {
            top,
            inputs: vec![port("s_axis", 4, false, 1, 4)],
            outputs: vec![port("m_axis", 4, false, 1, 4)],
        },
        sources: vec![dut("faulty.sv"), shell],
        data: vec![],
        trace: None,
    }
}

/// See `dut/join_sum.sv`.
pub fn join_sum(beats: u32) -> ModelSpec {
    ModelSpec {
        interface: Interface {
            top: "join_sum".into(),
            inputs: vec![port("s_axis_a", 8, false, 1, beats), port("s_axis_b", 16, true, 1, beats)],
            outputs: vec![port("m_axis", 18, true, 1, beats)],
        },
        sources: vec![dut("join_sum.sv")],
        data: vec![],
        trace: None,
    }
}

/// See `dut/folded_sum.sv`; `bias` is its data file.
pub fn folded_sum(bias: u16) -> ModelSpec {
    ModelSpec {
        interface: Interface {
            top: "folded_sum".into(),
            inputs: vec![port("s_axis", 8, true, 1, 4)],
            outputs: vec![port("m_axis", 16, true, 1, 1)],
        },
        sources: vec![dut("folded_sum.sv")],
        data: vec![SourceFile::new("weights/bias.mem", format!("{bias:04x}\n")).unwrap()],
        trace: None,
    }
}

/// Numbers of a linear congruential generator, wrapped into the port's range.
pub fn numbers(port: &StreamPort, frames: usize, seed: u64) -> Vec<i64> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 11) as i64 ^ (state << 40) as i64
    };
    (0..frames * port.frame_elements()).map(|_| wrap(port, next())).collect()
}

/// `value` modulo the port's range.
pub fn wrap(port: &StreamPort, value: i64) -> i64 {
    let unused = 64 - port.element_bits;
    let raw = value << unused;
    if port.signed || port.element_bits == 64 { raw >> unused } else { ((raw as u64) >> unused) as i64 }
}
