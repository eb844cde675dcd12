//! The balanced rule's folding of a model as a configuration that pins it: what `benches/folding/compare.py` compares the optimizer
//! with.
//!
//!     cargo run --release -p netfold-passes --example balanced_rule -- MODEL.onnx INTERVAL_CYCLES DSP_BLOCKS

use netfold_ir::diag::{Diag, Diags};
use netfold_ir::hw::{Memory, Multiplier};
use netfold_passes::fold::{self, Budget, Work};
use netfold_passes::pipeline;
use netfold_passes::precision::NoFormats;
use std::collections::HashMap;
use std::path::Path;
use std::process::ExitCode;

fn folding(model: &str, interval: u64, dsp: usize) -> Result<String, Diags> {
    let mut net = netfold_frontend::onnx::load(Path::new(model))?;
    let prepared = pipeline::prepare(&mut net, &NoFormats, None)?;
    let int = &prepared.int;
    let folding = fold::balanced(int, interval, &HashMap::new(), Budget { dsp, block_memory: true });
    let mut out = String::from("folding:\n");
    for id in int.graph.topological().map_err(|d: Diag| Diags::from(d))? {
        let Some(work) = Work::of(int, id) else { continue };
        let f = folding.compute(id, work.rows, work.cols);
        let multipliers = if f.multiplier == Multiplier::Lut { "lut" } else { "dsp" };
        let weights = match f.memory {
            Memory::Logic => "const",
            Memory::Lut => "lut",
            Memory::Block => "bram",
            Memory::Ultra => "uram",
        };
        out += &format!(
            "  \"{}\": {{ pe: {}, simd: {}, early: 0, multipliers: {multipliers}, weights: {weights} }}\n",
            int.graph.node(id).layer,
            f.pe,
            f.simd
        );
    }
    Ok(out)
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let numbers = || Some((args.get(1)?.parse().ok()?, args.get(2)?.parse().ok()?));
    let (Some(model), Some((interval, dsp))) = (args.first(), numbers()) else {
        eprintln!("usage: balanced_rule MODEL.onnx INTERVAL_CYCLES DSP_BLOCKS");
        return ExitCode::from(2);
    };
    match folding(model, interval, dsp) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(diags) => {
            eprintln!("{diags}");
            ExitCode::from(2)
        }
    }
}
