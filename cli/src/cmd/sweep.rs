//! `netfold surrogate sweep`: synthesizes designs of the described space into a table.

use super::synth::family_parser;
use clap::Args;
use netfold_ir::diag::{Code, Diag, Diags};
use netfold_sweep::run::{Plan, run};
use netfold_sweep::yosys::Family;
use std::path::PathBuf;
use std::time::Duration;

/// Synthesize modules and networks of the described space with Yosys, and append a row each to a table. What the table holds is not
/// synthesized again; the sweep may be stopped at any moment.
#[derive(Debug, Args)]
pub struct Sweep {
    /// Device family
    #[arg(long, value_parser = family_parser())]
    family: Family,
    /// Modules
    #[arg(long, value_name = "N")]
    count: u64,
    /// Whole networks; one for twenty modules when left out
    #[arg(long, value_name = "N")]
    networks: Option<u64>,
    /// Seed of the space
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder of the table
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Only part I of N, for several machines
    #[arg(long, value_name = "I/N", default_value = "1/1", value_parser = shard)]
    shard: (u64, u64),
    /// Syntheses at a time
    #[arg(long, value_name = "N", default_value_t = 1)]
    jobs: usize,
    /// Longest synthesis of one design, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    timeout: u64,
}

/// `I/N`.
fn shard(text: &str) -> Result<(u64, u64), clap::Error> {
    let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse::<u64>().ok()?, n.parse::<u64>().ok()?)));
    parts
        .filter(|(i, n)| (1..=*n).contains(i))
        .ok_or_else(|| crate::args::not(text, "of the form I/N with I from 1 to N"))
}

impl Sweep {
    /// Runs the subcommand.
    pub fn run(self) -> Result<(), Diags> {
        let plan = Plan {
            family: self.family,
            seed: self.seed,
            modules: self.count,
            networks: self.networks.unwrap_or(self.count / 20),
            shard: self.shard,
            jobs: self.jobs,
            limit: Duration::from_secs(self.timeout),
            output: self.output,
        };
        if plan.modules + plan.networks == 0 {
            return Err(Diag::new(Code::Usage, "--count", "nothing to synthesize")
                .help("ask for some modules or networks")
                .into());
        }
        let done = run(&plan)?;
        let table = plan.table();
        println!(
            "{}: {} rows were there, {} added, {} without counts",
            table.display(),
            done.present,
            done.added,
            done.failed
        );
        Ok(())
    }
}
