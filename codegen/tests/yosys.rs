//! Designs through Yosys: what multipliers and memories become on 7-series parts.
//!
//! Yosys is `$NETFOLD_YOSYS` or `yosys` on PATH, or the Python module `pyosys` of `$NETFOLD_PYTHON`, of the checkout's `.venv` or of
//! `python3`.

mod common;

use common::build::Builder;
use common::rng;
use netfold_codegen::{verilog, write_atomically};
use netfold_ir::hw::{Design, Kind, Matrix, Memory, Multiplier, Mvu, Swu};
use netfold_ir::net::Window;
use netfold_ir::quant::IntType;
use rand::Rng;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// How a Yosys script is run.
enum Yosys {
    Program(PathBuf),
    Python(PathBuf),
}

impl Yosys {
    fn find() -> Option<Yosys> {
        let works = |program: &Path, args: &[&str]| {
            Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
        };
        let own = std::env::var_os("NETFOLD_YOSYS").map(PathBuf::from).into_iter().chain([PathBuf::from("yosys")]);
        for program in own {
            if works(&program, &["-V"]) {
                return Some(Yosys::Program(program));
            }
        }
        let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/bin/python");
        let pythons = std::env::var_os("NETFOLD_PYTHON").map(PathBuf::from).into_iter().chain([venv, "python3".into()]);
        for python in pythons {
            if works(&python, &["-c", "import pyosys"]) {
                return Some(Yosys::Python(python));
            }
        }
        assert!(std::env::var("CI").is_err(), "neither yosys nor pyosys was found");
        eprintln!("SKIPPED: neither yosys nor pyosys was found");
        None
    }

    fn run(&self, folder: &Path, script: &str) {
        std::fs::write(folder.join("run.ys"), script).expect("a writable folder");
        let mut command = match self {
            Yosys::Program(program) => {
                let mut command = Command::new(program);
                command.args(["-q", "-s", "run.ys"]);
                command
            }
            Yosys::Python(python) => {
                let mut command = Command::new(python);
                command
                    .args(["-c", "from pyosys import libyosys as ys; ys.run_pass('tee -q -o log.txt script run.ys')"]);
                command
            }
        };
        let output = command.current_dir(folder).output().expect("it was found");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The flow for 7-series parts.
const XC7: &str = "synth_xilinx -family xc7 -noiopad -noclkbuf -flatten";

/// Synthesizes the designs with a Yosys flow and returns a function that counts cells by the start of their name.
fn synthesize(designs: &[Design], flow: &str) -> Option<Vec<impl Fn(&str) -> usize>> {
    let yosys = Yosys::find()?;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut script = String::new();
    for design in designs {
        let files = verilog::generate(design).unwrap_or_else(|d| panic!("{d}"));
        let name = &design.name;
        write_atomically(&files, &folder.path().join(name), false).unwrap_or_else(|d| panic!("{d}"));
        for path in files.ending(".sv") {
            script.push_str(&format!("read_verilog -sv {name}/{path}\n"));
        }
        script.push_str(&format!("{flow} -top {name}\n"));
        script.push_str(&format!("tee -q -o {name}.txt stat\ndesign -reset\n"));
    }
    yosys.run(folder.path(), &script);
    let counts = |design: &Design| {
        let text = std::fs::read_to_string(folder.path().join(format!("{}.txt", design.name))).expect("written");
        // Where modules were kept apart, their counts come first and the sum of all last.
        let text = text.rsplit("=== design hierarchy ===").next().unwrap_or_default();
        // Lines are "<count> [area] <cell>" or "<cell> <count>", depending on the version.
        let cells: Vec<(String, usize)> = text
            .lines()
            .filter_map(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                let (first, last) = (words.first()?, words.last()?);
                match (first.parse(), last.parse()) {
                    (Ok(n), _) => Some(((*last).to_owned(), n)),
                    (_, Ok(n)) => Some(((*first).to_owned(), n)),
                    _ => None,
                }
            })
            .collect();
        println!("{}: {cells:?}", design.name);
        move |start: &str| cells.iter().filter(|(cell, _)| cell.starts_with(start)).map(|(_, n)| n).sum()
    };
    Some(designs.iter().map(counts).collect())
}

/// A matrix-vector unit of random weights of `bits` bits.
fn mvu(
    name: &str,
    shape: [usize; 2],
    folding: [usize; 2],
    bits: u32,
    multiplier: Multiplier,
    memory: Memory,
) -> Design {
    let mut b = Builder::new(name, rng(5));
    let [rows, cols] = shape;
    let [pe, simd] = folding;
    let x = b.source(IntType::new(false, 8), simd, cols / simd);
    let half = 1i64 << (bits - 1);
    let data = (0..rows * cols).map(|_| b.rng.random_range(-half..half)).collect();
    let weights = Arc::new(Matrix { rows, cols, data });
    let kind = Kind::Mvu(Mvu { weights, pe, simd, vectors: 1, early: 0, pixels: 1, multiplier, memory });
    let bits = 8 + bits + cols.ilog2() + 1;
    let y = b.add(kind, &[x], &[IntType::new(true, bits)])[0];
    b.sink(y);
    let mut design = b.finish();
    for id in design.modules() {
        if let Some(stream) = design.stream_mut(id, 0) {
            stream.depth = 2;
        }
    }
    design
}

#[test]
fn products_and_memories_are_what_was_asked_for() {
    let window = Window { kernel: [3, 3], stride: [1, 1], dilation: [1, 1], pads: [1, 1, 1, 1] };
    let mut b = Builder::new("lines", rng(1));
    let x = b.source(IntType::new(false, 8), 8, 8 * 200);
    let swu = Swu {
        size: [8, 200],
        channels: 8,
        lanes: 8,
        window,
        output: [8, 200],
        pad: vec![0],
        memory: Memory::Block,
        given: None,
    };
    let y = b.add(Kind::Swu(swu), &[x], &[IntType::new(false, 8)])[0];
    b.sink(y);
    let designs = [
        mvu("dsps", [8, 16], [2, 2], 8, Multiplier::Dsp, Memory::Lut),
        mvu("luts", [8, 16], [2, 2], 8, Multiplier::Lut, Memory::Lut),
        mvu("bram", [32, 64], [1, 4], 8, Multiplier::Lut, Memory::Block),
        mvu("fixed", [6, 6], [6, 6], 6, Multiplier::Lut, Memory::Logic),
        mvu("pairs", [8, 16], [4, 2], 8, Multiplier::Packed, Memory::Lut),
        mvu("odd", [9, 16], [3, 2], 8, Multiplier::Packed, Memory::Lut),
        mvu("summed", [8, 16], [2, 1], 4, Multiplier::PackedSum, Memory::Lut),
        b.finish(),
    ];
    let Some(counts) = synthesize(&designs, XC7) else { return };
    let [dsp, lut, block, constant, packed, odd, summed, lines] = &counts[..] else { panic!("eight designs") };
    assert_eq!(dsp("DSP48E1"), 4, "one block a product");
    for (name, count) in [("lut", lut), ("block", block), ("constant", constant), ("lines", lines)] {
        assert_eq!(count("DSP48E1"), 0, "{name}");
    }
    assert!(block("RAMB") > 0 && lut("RAMB") == 0 && constant("RAMB") == 0);
    assert!(lines("RAMB") > 0);
    assert!(dsp("LUT") < lut("LUT"));
    assert_eq!(packed("DSP48E1"), 4, "one block two products");
    assert_eq!(odd("DSP48E1"), 4, "a row without a partner has blocks of its own");
    assert_eq!(summed("DSP48E1"), 1, "the block accumulates two rows");
}

#[test]
fn narrow_pairs_fit_the_smallest_blocks() {
    let designs = [
        mvu("four", [8, 16], [4, 2], 4, Multiplier::Packed, Memory::Lut),
        mvu("plain", [8, 16], [4, 2], 4, Multiplier::Dsp, Memory::Lut),
    ];
    let Some(counts) = synthesize(&designs, "synth_ecp5") else { return };
    assert_eq!([counts[0]("MULT18X18D"), counts[1]("MULT18X18D")], [4, 8]);
}
