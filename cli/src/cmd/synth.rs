//! `netfold synth`: what Yosys makes of a generated folder, and nextpnr of its clock.

use crate::store;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use netfold_ir::diag::{Code, Diag, Diags};
use netfold_sweep::route;
use netfold_sweep::yosys::{Counts, Failure, Family, Mode, Tool};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Synthesize the SystemVerilog of a generated folder with Yosys and count what it takes.
#[derive(Debug, Args)]
pub struct Synth {
    /// Folder that `gen` made
    dir: PathBuf,
    /// Device family; that of the folder's board when left out
    #[arg(long, value_parser = family_parser())]
    family: Option<Family>,
    /// Print the counts as JSON
    #[arg(long)]
    json: bool,
}

/// What is printed.
#[derive(Debug, Clone, Serialize)]
struct Report {
    /// Cells.
    #[serde(flatten)]
    counts: Counts,
    /// The modules that were kept apart, largest first, the top level with its FIFOs among them.
    modules: Vec<Module>,
    /// Clock after routing in MHz, where nextpnr is installed for the family.
    fmax_mhz: Option<f64>,
    /// Name and version of the tool.
    tool: String,
    /// Wall-clock time.
    seconds: f64,
}

/// What one module of the design takes, without the modules in it.
#[derive(Debug, Clone, Serialize)]
struct Module {
    /// Name in the SystemVerilog.
    name: String,
    /// LUTs in logic.
    lut: u64,
    /// Flip-flops.
    ff: u64,
    /// DSP blocks.
    dsp: u64,
    /// Block memory in units of 36 Kb.
    bram36: f64,
    /// LUTs that are memory.
    lutram: u64,
}

impl Module {
    fn new((name, c): (String, Counts)) -> Module {
        Module { name, lut: c.lut, ff: c.ff, dsp: c.dsp, bram36: c.bram36, lutram: c.lutram }
    }
}

/// Families by name, with the names in the help.
pub fn family_parser() -> impl TypedValueParser<Value = Family> {
    PossibleValuesParser::new(Family::NAMES).try_map(|name| name.parse::<Family>().map_err(|d| d.cause))
}

impl Synth {
    /// Runs the subcommand.
    pub fn run(self) -> Result<(), Diags> {
        let (manifest, _) = store::open(&self.dir)?;
        if manifest.sources.is_empty() {
            return Err(Diag::new(Code::Usage, self.dir.display().to_string(), "the folder holds no SystemVerilog")
                .help("generate it with --backend verilog or all")
                .into());
        }
        let family = match self.family {
            Some(f) => f,
            None => folder_family(&self.dir)?,
        };
        let report = synthesize(&self.dir, &manifest, family)?;
        if self.json {
            print!("{}", store::to_json(&report, true)?);
            return Ok(());
        }
        let counts = &report.counts;
        println!("{:<10} {}", "LUT", counts.lut);
        println!("{:<10} {}", "FF", counts.ff);
        println!("{:<10} {}", "carry", counts.carry);
        println!("{:<10} {}", "DSP", counts.dsp);
        println!("{:<10} {}", "BRAM36", counts.bram36);
        println!("{:<10} {}", "URAM", counts.uram);
        println!("{:<10} {}", "LUTRAM", counts.lutram);
        if let Some(f) = report.fmax_mhz {
            println!("{:<10} {f:.1} MHz", "clock");
        }
        if report.modules.len() > 1 {
            println!("\n{:<36} {:>7} {:>7} {:>5} {:>7} {:>7}", "module", "LUT", "FF", "DSP", "BRAM36", "LUTRAM");
            for m in &report.modules {
                println!("{:<36} {:>7} {:>7} {:>5} {:>7} {:>7}", m.name, m.lut, m.ff, m.dsp, m.bram36, m.lutram);
            }
            println!();
        }
        println!("{} in {:.1} s", report.tool, report.seconds);
        Ok(())
    }
}

/// The family of the board that a folder was generated for.
fn folder_family(dir: &Path) -> Result<Family, Diag> {
    let path = dir.join("report.json");
    let place = path.display().to_string();
    let text =
        std::fs::read_to_string(&path).map_err(|e| Diag::new(Code::Io, &place, format!("cannot be read: {e}")))?;
    let report: serde_json::Value =
        serde_json::from_str(&text).map_err(|e| Diag::new(Code::Format, &place, e.to_string()))?;
    report["target"]["family"].as_str().unwrap_or("?").parse()
}

/// Runs Yosys (and nextpnr) in a temporary folder with copies of the sources.
fn synthesize(dir: &Path, manifest: &store::Manifest, family: Family) -> Result<Report, Diag> {
    let start = Instant::now();
    let tool = Tool::find()?;
    let failed = |e: std::io::Error| Diag::new(Code::Io, "temporary folder", e.to_string());
    let work = tempfile::tempdir().map_err(failed)?;
    // Bare names of our own making only, so that nothing needs quoting.
    let mut sources = Vec::new();
    for name in manifest.sources.iter().chain(&manifest.data) {
        let bare = name.rsplit('/').next().unwrap_or(name);
        if !bare.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.') {
            return Err(Diag::new(Code::Format, name, "is not a name that netfold gives a file"));
        }
        std::fs::copy(dir.join(name), work.path().join(bare))
            .map_err(|e| Diag::new(Code::Io, dir.join(name).display().to_string(), e.to_string()))?;
        if bare.ends_with(".sv") {
            sources.push(bare.to_string());
        }
    }
    let top = netfold_ir::names::identifier(&manifest.top, "top");
    let stat = tool.synthesize(work.path(), &sources, &top, family, Mode::Plain, None).map_err(|failure| {
        let cause = match failure {
            Failure::Timeout => "took too long".to_string(),
            Failure::Tool(cause) => cause,
        };
        Diag::new(Code::Tool, "yosys", format!("synthesis failed: {cause}"))
    })?;
    let fmax_mhz = route::fmax_mhz(work.path(), family);
    let seconds = start.elapsed().as_secs_f64();
    let mut modules: Vec<Module> = stat.modules().into_iter().map(Module::new).collect();
    modules.sort_by_key(|m| (std::cmp::Reverse(m.lut), std::cmp::Reverse(m.ff)));
    Ok(Report { counts: stat.design(), modules, fmax_mhz, tool: stat.tool(), seconds })
}
