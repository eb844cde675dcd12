//! A SystemVerilog testbench for people who use another simulator: plain IEEE 1800 code that Icarus Verilog (`-g2012`), Verilator
//! (`--binary`), xsim and Questa run.

use std::fmt::Write;
use std::path::PathBuf;

use askama::Template;
use netfold_ir::diag::{Code, Diag};

use crate::ports::{Interface, StreamPort};

/// Folder of the data files beside the testbench.
const DATA: &str = "tb_data";

#[derive(Template)]
#[template(path = "testbench.sv", escape = "none")]
struct Bench<'a> {
    top: &'a str,
    data: &'a str,
    frames: usize,
    inputs: &'a [StreamPort],
    outputs: &'a [StreamPort],
}

/// The testbench `tb_TOP.sv` and its data files `tb_data/PREFIX.hex` (a beat of `tdata` a line), as names and contents.
///
/// It offers `frames` frames of `inputs` and compares with `expected` (one array a port, in stream order). It prints `PASS` and the cycles, or what
/// differs and `FAIL`, then ends with `$finish` or `$fatal`. Plusargs: `+data=DIR` (where the data are; `tb_data` otherwise),
/// `+stalls=SEED` (random stalls on every port; the seed is not 0), `+idle_limit=CYCLES` (deadlock; 1,000,000 otherwise), `+vcd=FILE`.
///
/// # Errors
/// `Code::Invalid` when the interface is not possible or the data do not fit it; `Code::Unsupported` for no frame.
pub fn testbench(
    interface: &Interface,
    inputs: &[Vec<i64>],
    expected: &[Vec<i64>],
    frames: usize,
) -> Result<Vec<(PathBuf, String)>, Diag> {
    interface.check()?;
    if frames == 0 {
        return Err(Diag::new(Code::Unsupported, "testbench", "a testbench needs at least one frame"));
    }
    Interface::check_values(&interface.inputs, inputs, frames)?;
    Interface::check_values(&interface.outputs, expected, frames)?;
    let bench =
        Bench { top: &interface.top, data: DATA, frames, inputs: &interface.inputs, outputs: &interface.outputs };
    let text = bench.render().map_err(|e| Diag::internal("testbench", e.to_string()))?;
    let mut files = vec![(PathBuf::from(format!("tb_{}.sv", interface.top)), text)];
    let ports = interface.inputs.iter().chain(&interface.outputs);
    for (port, values) in ports.zip(inputs.iter().chain(expected)) {
        files.push((PathBuf::from(DATA).join(format!("{}.hex", port.prefix)), beats(port, values)));
    }
    Ok(files)
}

/// The beats of a port as `$readmemh` reads them: one line of hexadecimal digits a beat.
pub fn beats(port: &StreamPort, values: &[i64]) -> String {
    let bits = port.element_bits as usize;
    let digits = (port.tdata_bits() / 4) as usize;
    let mut text = String::new();
    for beat in values.chunks_exact(port.elements_per_beat as usize) {
        // Four bits a digit, lowest first, while the elements pass through a window.
        let mut nibbles = Vec::with_capacity(digits + 1);
        let (mut window, mut held) = (0u128, 0);
        for &value in beat {
            window |= (u128::from(value as u64) & ((1 << bits) - 1)) << held;
            held += bits;
            while held >= 4 {
                nibbles.push((window & 15) as u8);
                window >>= 4;
                held -= 4;
            }
        }
        nibbles.push((window & 15) as u8);
        nibbles.resize(digits, 0);
        for nibble in nibbles.iter().rev() {
            // Writing to a String cannot fail.
            let _ = write!(text, "{nibble:x}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_are_packed_from_the_lowest_bit() {
        let port = |element_bits, elements_per_beat| StreamPort {
            prefix: "x".into(),
            element_bits,
            signed: true,
            elements_per_beat,
            beats_per_frame: 1,
        };
        assert_eq!(beats(&port(8, 2), &[1, -1, 0x12, 0x34]), "ff01\n3412\n");
        assert_eq!(beats(&port(3, 3), &[1, 2, -1]), "01d1\n");
        assert_eq!(beats(&port(64, 1), &[-2]), "fffffffffffffffe\n");
        assert_eq!(beats(&port(5, 1), &[-1]), "1f\n");
        assert_eq!(beats(&port(4, 2), &[3, 5]), "53\n");
    }
}
