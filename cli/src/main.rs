//! The `netfold` program: neural networks to FPGA accelerators.
//!
//! One file a subcommand in [`cmd`]; [`flow`] is what they share. Exit status: 0 done, 1 the result differs or does not fit,
//! 2 the input or the call is at fault. Messages go to stderr, data to stdout.

mod args;
mod cmd;
mod example;
mod fit;
mod flow;
mod folded;
mod formats;
mod hls;
mod models;
mod report;
mod store;
mod unroll;
mod vitis;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Turns a trained neural network into an FPGA accelerator, and proves it bit for bit.
#[derive(Debug, Parser)]
#[command(name = "netfold", version, about, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Generate a hardware project: SystemVerilog, HLS, build scripts, testbench, report
    Gen(cmd::r#gen::Gen),
    /// Predict cycles, clock and resources without generating a file
    Estimate(cmd::estimate::Estimate),
    /// Run data through the network: the golden interpreter, Verilator or a C simulation
    Sim(cmd::sim::Sim),
    /// Show the trade-off between latency, throughput and area on a board
    Explore(cmd::explore::Explore),
    /// Show what a file holds and what the passes make of it
    Inspect(cmd::inspect::Inspect),
    /// Compare the vendor tools' reports in a generated folder with the prediction
    Report(cmd::report::Report),
    /// Synthesize a generated folder with Yosys and count what it takes
    Synth(cmd::synth::Synth),
    /// Train, score and adapt models of resources
    Surrogate(cmd::surrogate::Surrogate),
    /// List the boards, or print one
    Boards(cmd::boards::Boards),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Gen(c) => c.run(),
        Command::Estimate(c) => c.run(),
        Command::Sim(c) => c.run(),
        Command::Explore(c) => c.run(),
        Command::Inspect(c) => c.run(),
        Command::Report(c) => c.run(),
        Command::Synth(c) => c.run(),
        Command::Surrogate(c) => c.run(),
        Command::Boards(c) => c.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(diags) => {
            eprintln!("{diags}");
            ExitCode::from(u8::try_from(diags.exit_status()).unwrap_or(2))
        }
    }
}
