//! The Verilog of rows of a sweep's table: `sources TABLE OUT KIND INDEX...` writes it into folders (KIND: module or network),
//! `sources check TABLE` says which rows were made from other Verilog than today's.

use netfold_ir::diag::{Code, Diag, Diags};
use netfold_surrogate::dataset::sweep::rows;
use netfold_sweep::sources::Sources;
use std::path::Path;
use std::process::ExitCode;

fn run(args: &[String]) -> Result<(), Diags> {
    if let [check, table] = args
        && check == "check"
    {
        let text = std::fs::read_to_string(table).map_err(|e| Diag::new(Code::Io, table, e.to_string()))?;
        let all = rows(&text, table)?;
        let mut stale = 0;
        for row in &all {
            if Sources::of(row.kind, &row.unit, &row.decode()?)?.hash() != row.verilog {
                println!("{} {} {}", row.kind.name(), row.index, row.unit);
                stale += 1;
            }
        }
        println!("{stale} of {} rows", all.len());
        return Ok(());
    }
    let [table, out, kind, indices @ ..] = args else {
        return Err(Diag::new(Code::Usage, "", "sources TABLE OUT KIND INDEX... | check TABLE").into());
    };
    let io = |e: std::io::Error| Diag::new(Code::Io, out, e.to_string());
    let text = std::fs::read_to_string(table).map_err(io)?;
    for row in rows(&text, table)? {
        if row.kind.name() != kind || !indices.iter().any(|i| i.parse() == Ok(row.index)) {
            continue;
        }
        let sources = Sources::of(row.kind, &row.unit, &row.decode()?)?;
        let folder = Path::new(out).join(format!("{kind}{}", row.index));
        std::fs::create_dir_all(&folder).map_err(io)?;
        for (name, text) in &sources.files {
            std::fs::write(folder.join(name), text).map_err(io)?;
        }
        std::fs::write(folder.join("top"), &sources.top).map_err(io)?;
    }
    Ok(())
}

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::from(2)
        }
    }
}
