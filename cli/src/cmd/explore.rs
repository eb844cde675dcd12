//! `netfold explore`: the Pareto front of latency, throughput and area on a board.

use crate::args::DesignArgs;
use crate::{flow, store, unroll};
use clap::{Args, ValueEnum};
use netfold_frontend::config::Style;
use netfold_ir::diag::{Code, Diag, Diags};
use netfold_passes::explore::{self, Exploration, Front};
use std::path::PathBuf;

/// In which order the points are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Objective {
    /// Lowest latency first
    Latency,
    /// Most frames a second first
    Throughput,
    /// Least area first
    Area,
}

/// Show the designs of which none is better than another in latency, throughput and area at once.
#[derive(Debug, Args)]
pub struct Explore {
    #[command(flatten)]
    design: DesignArgs,
    /// What comes first
    #[arg(long, value_enum, default_value = "throughput")]
    objective: Objective,
    /// Designs at most
    #[arg(long, value_name = "N", default_value = "12", value_parser = clap::value_parser!(u16).range(2..=100))]
    points: u16,
    /// Print the front as JSON
    #[arg(long)]
    json: bool,
    /// Draw the front
    #[arg(long, value_name = "F.svg")]
    plot: Option<PathBuf>,
}

impl Explore {
    /// Runs the subcommand.
    pub fn run(self) -> Result<(), Diags> {
        let job = flow::job(&self.design)?;
        let name = self.design.model.as_deref().map(|p| p.display().to_string()).unwrap_or_default();
        let options = options(&self.design);
        let exploration = Exploration {
            request: job.request(),
            clock_mhz: job.clock_mhz,
            model: &name,
            board: self.design.board.as_deref().unwrap_or(&job.board.name),
            options: &options,
            points: usize::from(self.points),
        };
        // Streams and the whole network unrolled, unless one style was asked for.
        let asked = self.design.style.is_some() || job.config.style.is_some();
        let whole = if asked { job.styles.whole } else { Style::Auto };
        let offers = if whole == Style::Stream { Vec::new() } else { unroll::offers(&job)? };
        let mut streams = options.clone();
        if asked && whole == Style::Auto {
            streams.extend(["--style".to_string(), "stream".to_string()]);
        }
        let front = match whole {
            Style::Unrolled => Ok(Front::empty(&exploration)),
            _ => explore::front(&job.prepared, &Exploration { options: &streams, ..exploration }),
        };
        let front = match front {
            Err(_) if !offers.is_empty() => Front::empty(&exploration),
            front => front?,
        };
        let mut front = front.with(&exploration, &offers);
        match self.objective {
            Objective::Latency => front.points.sort_by_key(|p| p.latency_cycles),
            Objective::Throughput => front.points.sort_by_key(|p| p.interval_cycles),
            Objective::Area => front.points.sort_by_key(|p| p.area),
        }
        if let Some(path) = &self.plot {
            std::fs::write(path, explore::svg::plot(&front))
                .map_err(|e| Diag::new(Code::Io, path.display().to_string(), format!("cannot be written: {e}")))?;
        }
        if self.json {
            print!("{}", store::to_json(&front, true)?);
        } else {
            print!("{}", front.table());
        }
        Ok(())
    }
}

/// Arguments beside the target that a point's command needs.
fn options(args: &DesignArgs) -> Vec<String> {
    let mut options = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            options.extend([name.to_string(), value]);
        }
    };
    add("-c", args.config.as_ref().map(|p| p.display().to_string()));
    for data in &args.calibrate {
        add("--calibrate", Some(data.clone()));
    }
    add("--bits", args.bits.map(|b| b.to_string()));
    add("--method", args.method.and_then(|m| m.to_possible_value()).map(|v| v.get_name().to_string()));
    add("--surrogate", args.surrogate.as_ref().map(|p| p.display().to_string()));
    add("--max-utilization", args.max_utilization.map(|s| s.to_string()));
    add("--effort", args.effort.map(|n| n.to_string()));
    options
}
