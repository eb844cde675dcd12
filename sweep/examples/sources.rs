//! Writes the Verilog of rows of a sweep's table into folders: `sources TABLE OUT KIND INDEX...` (KIND: module or network).

use netfold_ir::diag::{Code, Diag, Diags};
use netfold_surrogate::dataset::sweep::rows;
use netfold_sweep::sources::Sources;
use std::path::Path;
use std::process::ExitCode;

fn run(args: &[String]) -> Result<(), Diags> {
    let [table, out, kind, indices @ ..] = args else {
        return Err(Diag::new(Code::Usage, "", "sources TABLE OUT KIND INDEX...").into());
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
