//! `netfold boards`: the boards that come with netfold.

use clap::Args;
use netfold_boards::Board;
use netfold_ir::diag::{Diag, Diags};

/// List the boards, or print one as YAML.
#[derive(Debug, Args)]
pub struct Boards {
    /// Name of a board or part, or a board file
    name: Option<String>,
}

impl Boards {
    /// Runs the subcommand.
    pub fn run(self) -> Result<(), Diags> {
        if let Some(name) = self.name {
            let board = Board::resolve(&name)?;
            let text = serde_yaml::to_string(&board).map_err(|e| Diag::internal("board", e.to_string()))?;
            print!("{text}");
            return Ok(());
        }
        println!(
            "{:<16} {:<26} {:<6} {:>9} {:>9} {:>6} {:>7} {:>5} {:>6}",
            "NAME", "PART", "FAMILY", "LUT", "FF", "DSP", "BRAM36", "URAM", "MHZ"
        );
        for b in Board::all() {
            let r = &b.resources;
            println!(
                "{:<16} {:<26} {:<6} {:>9} {:>9} {:>6} {:>7} {:>5} {:>6}",
                b.name,
                b.part,
                b.family.as_str(),
                r.lut,
                r.ff,
                r.dsp_count(),
                r.bram36(),
                r.uram_count(),
                b.clock_mhz
            );
        }
        Ok(())
    }
}
