//! `netfold estimate`: figures without files.

use crate::args::DesignArgs;
use crate::{flow, report, store};
use clap::Args;
use netfold_ir::diag::Diags;

/// Predict a design without generating it.
#[derive(Debug, Args)]
pub struct Estimate {
    #[command(flatten)]
    design: DesignArgs,
    /// Print the estimate as JSON
    #[arg(long)]
    json: bool,
}

impl Estimate {
    /// Runs the subcommand.
    pub fn run(self) -> Result<(), Diags> {
        let job = flow::job(&self.design)?;
        let (design, _) = job.build()?;
        let (report, _) = report::report(&job, &design)?;
        if self.json {
            print!("{}", store::to_json(&report, true)?);
        } else {
            print!("{}", report.table());
        }
        Ok(())
    }
}
