//! Trains and scores the HLS models: `hls train TABLE... OUT`, `hls cv TABLE...`, `hls split TABLE...`, `hls eval MODEL TABLE...`.

use netfold_ir::diag::{Code, Diag, Diags};
use netfold_surrogate::dataset;
use netfold_surrogate::eval::{Report, cross_validate, evaluate, fixed_split};
use netfold_surrogate::model::format;
use netfold_surrogate::train::{TrainOptions, train};
use std::process::ExitCode;

fn print(report: &Report) {
    println!("{} rows", report.rows);
    println!(
        "{:16} {:>8} {:>8} {:>10} {:>8} {:>8} {:>8} {:>8}",
        "target", "r2", "smape", "rmse", "median", "p75", "p95", "coverage"
    );
    for (name, s) in &report.targets {
        println!(
            "{name:16} {:8.4} {:8.3} {:10.2} {:8.4} {:8.4} {:8.4} {:8.3}",
            s.r2,
            s.smape,
            s.rmse,
            s.median,
            s.p75,
            s.p95,
            s.coverage.unwrap_or(f64::NAN)
        );
    }
}

fn run(args: &[String]) -> Result<(), Diags> {
    let usage =
        || Diag::new(Code::Usage, "", "hls train TABLE... OUT | cv TABLE... | split TABLE... | eval MODEL TABLE...");
    let (command, rest) = args.split_first().ok_or_else(usage)?;
    let options = TrainOptions::default();
    let write_error = |e: std::io::Error| Diag::new(Code::Io, "model", e.to_string());
    match command.as_str() {
        "train" => {
            let (out, tables) = rest.split_last().ok_or_else(usage)?;
            let table = dataset::read_all(tables)?;
            let model = train(&table, &options)?;
            let bytes = format::to_bytes(&model)?;
            std::fs::write(out, &bytes).map_err(write_error)?;
            println!(
                "{out}: {} bytes, {} rows, {} groups",
                bytes.len(),
                model.provenance.rows,
                model.provenance.groups
            );
        }
        "cv" => print(&cross_validate(&dataset::read_all(rest)?, &options, 5, 11)?),
        "split" => print(&fixed_split(&dataset::read_all(rest)?, &options, 12)?),
        "eval" => {
            let (model, tables) = rest.split_first().ok_or_else(usage)?;
            let bytes = std::fs::read(model).map_err(write_error)?;
            print(&evaluate(&format::from_bytes(&bytes, model)?, &dataset::read_all(tables)?));
        }
        _ => return Err(usage().into()),
    }
    Ok(())
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::from(2)
        }
    }
}
