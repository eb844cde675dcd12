//! Compiles a dense network, given as JSON, to SystemVerilog: `compile_json NET.json OUT.sv`. The environment
//! variables `TRIES`, `SLACK`, `PASS`, `CARRY`, `TABLE_BITS`, `LEVELS` (adder levels a stage) and `STAGES` set options; `VECTORS=N` also
//! writes N test vectors to `OUT.sv.txt`.
//!
//! The JSON holds `inputs`, `in_bits`, `in_signed` and `layers`, each with `w` (rows are outputs), `b`, `shift`, `relu`,
//! `bits` (0 keeps the exact sum) and `signed`. Prints a JSON line with the estimated figures.

use netfold_shiftadd::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct NetLayer {
    w: Vec<Vec<i64>>,
    b: Vec<i64>,
    shift: u32,
    relu: bool,
    bits: u32,
    signed: bool,
}

#[derive(Deserialize)]
struct Net {
    inputs: usize,
    in_bits: u32,
    in_signed: bool,
    layers: Vec<NetLayer>,
}

fn env(name: &str, default: f64) -> f64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let net: Net = serde_json::from_str(&std::fs::read_to_string(&args[1])?)?;
    let inputs = vec![InputSpec::word(net.in_bits, net.in_signed); net.inputs];
    let layers: Vec<Layer> = net
        .layers
        .iter()
        .map(|l| Layer {
            matrix: l.w.clone(),
            bias: l.b.clone(),
            quantizers: vec![
                (l.bits > 0).then_some(Quantizer {
                    relu: l.relu,
                    drop: l.shift,
                    rounding: Rounding::Floor,
                    bits: l.bits,
                    signed: l.signed,
                    overflow: Overflow::Saturate,
                });
                l.w.len()
            ],
            max_depth: None,
        })
        .collect();
    let mut options = Options::default();
    options.tries = env("TRIES", options.tries as f64) as usize;
    options.slack = env("SLACK", f64::from(options.slack)) as u32;
    options.cost.pass = env("PASS", options.cost.pass);
    options.cost.carry_bits = env("CARRY", 1.0) > 0.0;
    options.table_bits = env("TABLE_BITS", f64::from(options.table_bits)) as u32;
    let placement = PipelineOptions {
        delay: DelayModel::Levels,
        period: Some(env("LEVELS", 5.0)),
        min_stages: env("STAGES", 0.0) as u32,
    };
    let start = std::time::Instant::now();
    let (g, p) = compile_pipelined(&inputs, &layers, &options, &placement)?;
    let total = start.elapsed().as_secs_f64();
    let text = emit_verilog(&g, &p, &VerilogOptions { module: "nf".into(), ..VerilogOptions::default() });
    std::fs::write(&args[2], text)?;
    let (adders, _) = adders_and_depth(&g);
    println!(
        "{{\"stages\": {}, \"ff_est\": {}, \"lut_est\": {:.0}, \"adders\": {adders}, \"solve_s\": {total:.3}}}",
        p.stages,
        p.register_bits,
        graph_luts(&g, &options.cost)
    );
    if let Ok(n) = std::env::var("VECTORS") {
        // Test vectors: inputs then outputs a line, from a fixed linear congruential sequence.
        let mut s = 1u64;
        let mut lines = String::new();
        for _ in 0..n.parse::<usize>()? {
            let x: Vec<i64> = inputs
                .iter()
                .map(|i| {
                    s = s.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    i.range.lo + ((s >> 33) as i64).rem_euclid(i.range.hi - i.range.lo + 1)
                })
                .collect();
            if let Err((id, v)) = g.check(&x) {
                eprintln!("node {id:?} {:?} has {v}", g.node(id));
            }
            let y = g.eval(&x);
            for v in x.iter().chain(&y) {
                lines += &format!("{v} ");
            }
            lines.push('\n');
        }
        std::fs::write(format!("{}.txt", args[2]), lines)?;
    }
    Ok(())
}
