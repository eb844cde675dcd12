//! Synthesis with Yosys: through the `pyosys` package of a Python, or the program.

use netfold_ir::diag::{Code, Diag};
pub use netfold_surrogate::hardware::Family;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Counts after synthesis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Counts {
    /// LUTs in logic: LUT2 to LUT6 of AMD, all LUT4 of Lattice.
    pub lut: u64,
    /// Flip-flops.
    pub ff: u64,
    /// Carry cells: CARRY4, CCU2C, SB_CARRY.
    pub carry: u64,
    /// DSP blocks.
    pub dsp: u64,
    /// Block memory in units of 36 Kb (halves for 18 Kb).
    pub bram36: f64,
    /// UltraRAM blocks.
    pub uram: u64,
    /// LUTs that are memory.
    pub lutram: u64,
    /// Every cell type.
    pub cells: BTreeMap<String, u64>,
}

impl Counts {
    /// Sums cell types.
    pub fn of(cells: BTreeMap<String, u64>) -> Counts {
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
        let bram36 = of(&["RAMB36E1", "RAMB36E2"]) as f64
            + of(&["RAMB18E1", "RAMB18E2", "DP16KD", "PDPW16KD"]) as f64 / 2.0
            + starting("SB_RAM40_4K") as f64 / 9.0;
        Counts {
            lut: of(&["LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "SB_LUT4"]),
            ff: starting("FD") + of(&["TRELLIS_FF"]) + starting("SB_DFF"),
            carry: of(&["CARRY4", "CARRY8", "CCU2C", "SB_CARRY"]),
            dsp: of(&["DSP48E1", "DSP48E2", "MULT18X18D", "SB_MAC16"]),
            bram36,
            uram: of(&["URAM288"]),
            lutram,
            cells,
        }
    }
}

/// The statistics of a run.
#[derive(Debug, Clone)]
pub struct Stat(Value);

impl Stat {
    /// Name and version of the tool.
    pub fn tool(&self) -> String {
        self.0["creator"].as_str().unwrap_or("Yosys").to_string()
    }

    /// Counts of the whole design.
    pub fn design(&self) -> Counts {
        let mut all = cells(&self.0["design"]);
        all.retain(|name, _| self.find(name).is_none() && self.find(&format!("\\{name}")).is_none());
        Counts::of(all)
    }

    /// Names and counts of the modules that were kept apart, the top level among them, in the order of their names. What was kept
    /// apart within a module ([`is_inner`]) is part of that module.
    pub fn modules(&self) -> Vec<(String, Counts)> {
        let all = self.0["modules"].as_object().into_iter().flatten();
        let named = all.filter(|(name, _)| !is_inner(name)).map(|(name, stat)| (plain(name).to_string(), stat));
        named.map(|(name, stat)| (name, Counts::of(self.within(stat)))).collect()
    }

    /// Counts of one module that was kept; `None` when there is none of this name.
    pub fn module(&self, name: &str) -> Option<Counts> {
        Some(Counts::of(self.within(self.find(&format!("\\{name}"))?)))
    }

    fn find(&self, name: &str) -> Option<&Value> {
        self.0["modules"].get(name)
    }

    /// Cells of a module, with those of the modules that were kept apart within it ([`is_inner`]); others are left out.
    fn within(&self, stat: &Value) -> BTreeMap<String, u64> {
        let mut sum = BTreeMap::new();
        for (name, count) in cells(stat) {
            match self.find(&name).or_else(|| self.find(&format!("\\{name}"))) {
                Some(inner) if is_inner(&name) => {
                    self.within(inner).into_iter().for_each(|(k, n)| *sum.entry(k).or_insert(0) += n * count)
                }
                Some(_) => {}
                None => *sum.entry(name).or_insert(0) += count,
            }
        }
        sum
    }
}

/// Name of a module as its source has it.
fn plain(name: &str) -> &str {
    name.strip_prefix('\\').unwrap_or(name)
}

/// Whether a module was kept apart within a module of a design: copies for parameters, which Yosys names with a dollar sign, and the weights of a
/// unit, whose name goes on with two underscores (`templates/verilog/weights.sv`).
fn is_inner(name: &str) -> bool {
    name.starts_with('$') || plain(name).contains("__")
}

fn cells(stat: &Value) -> BTreeMap<String, u64> {
    let types = stat["num_cells_by_type"].as_object();
    types.into_iter().flatten().filter_map(|(k, v)| Some((k.clone(), v.as_u64()?))).collect()
}

/// Where Yosys is.
#[derive(Debug, Clone)]
pub enum Tool {
    /// A Python that has `pyosys`.
    Python(PathBuf),
    /// The program.
    Yosys,
}

/// The Python side: runs one Yosys script through `pyosys`.
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

/// Keeps the C library from giving memory back between passes, which takes a tenth of the time. Nothing else depends on it.
const TUNING: [(&str, &str); 3] = [
    ("MALLOC_TRIM_THRESHOLD_", "4000000000"),
    ("MALLOC_MMAP_THRESHOLD_", "1000000000"),
    ("MALLOC_TOP_PAD_", "67108864"),
];

/// How a design is synthesized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// With the script that everybody uses.
    Plain,
    /// With the fast mapping script of `abc9`, for large designs in sweeps: about half of the time, within some 1 % there.
    Fast,
    /// Modules of a [`crate::sources::wrapper`]: the same passes, without the library of cells that netfold never makes, which
    /// they would walk over for every module again. The order of names differs, and with it the mapping by some percent.
    Batch,
}

/// Why there are no statistics.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// The time limit was over.
    Timeout,
    /// Yosys said this.
    Tool(String),
}

impl Tool {
    /// Finds Yosys: `NETFOLD_PYTHON`, a `.tools` or `.venv` above this program, `python3`, or `yosys` on PATH.
    ///
    /// # Errors
    /// [`Code::Tool`] when there is none.
    pub fn find() -> Result<Tool, Diag> {
        let mut pythons: Vec<PathBuf> = std::env::var_os("NETFOLD_PYTHON").into_iter().map(PathBuf::from).collect();
        if let Ok(program) = std::env::current_exe() {
            for folder in program.ancestors() {
                pythons.push(folder.join(".tools/venv/bin/python"));
                pythons.push(folder.join(".venv/bin/python"));
            }
        }
        pythons.push(PathBuf::from("python3"));
        for python in pythons {
            let works = Command::new(&python)
                .args(["-c", "import pyosys"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
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

    /// Synthesizes `sources` (names of files in `work`, without characters that need quoting) with `top` as the top module.
    /// The netlist of Lattice families stays in `work` as `design.json`.
    ///
    /// # Errors
    /// When Yosys cannot be run, fails, or takes longer than `limit`.
    pub fn synthesize(
        &self,
        work: &Path,
        sources: &[String],
        top: &str,
        family: Family,
        mode: Mode,
        limit: Option<Duration>,
    ) -> Result<Stat, Failure> {
        let failed = |e: std::io::Error| Failure::Tool(e.to_string());
        std::fs::write(work.join("synth.ys"), script(sources, top, family, mode)).map_err(failed)?;
        std::fs::write(work.join("run.py"), PYOSYS).map_err(failed)?;
        let log = std::fs::File::create(work.join("yosys.log")).map_err(failed)?;
        let mut command = match self {
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
        let mut child = command
            .current_dir(work)
            .envs(TUNING)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log)
            .spawn()
            .map_err(|e| Failure::Tool(format!("cannot be run: {e}")))?;
        let deadline = limit.map(|l| Instant::now() + l);
        let status = loop {
            match (child.try_wait().map_err(failed)?, deadline) {
                (Some(status), _) => break status,
                (None, Some(d)) if Instant::now() >= d => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(Failure::Timeout);
                }
                (None, None) => break child.wait().map_err(failed)?,
                (None, Some(_)) => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        let stat = std::fs::read_to_string(work.join("stat.json")).ok().filter(|_| status.success());
        let Some(stat) = stat else {
            let log = std::fs::read(work.join("yosys.log")).unwrap_or_default();
            let log = String::from_utf8_lossy(&log).into_owned();
            let errors = log.lines().filter(|l| l.contains("ERROR"));
            let tail: Vec<&str> = errors.chain(log.lines().rev().take(3)).take(4).collect();
            return Err(Failure::Tool(tail.join(" | ")));
        };
        serde_json::from_str(&stat).map(Stat).map_err(|e| Failure::Tool(format!("its statistics cannot be read: {e}")))
    }
}

/// The script: sources, synthesis, statistics.
fn script(sources: &[String], top: &str, family: Family, mode: Mode) -> String {
    let mut script: String = sources.iter().map(|name| format!("read_verilog -sv {name}\n")).collect();
    // The proof that mapping changed nothing takes hours for unrolled networks; it has no part in the counts.
    script += "scratchpad -set abc9.verify false\n";
    if mode == Mode::Fast {
        script += "scratchpad -copy abc9.script.default.fast abc9.script\n";
    }
    let amd = |family: Family| format!("synth_xilinx -family {family} -top {top} -noiopad -noclkbuf -flatten");
    script += &match family {
        Family::Xc7 | Family::Xcup if mode == Mode::Batch => format!(
            "read_verilog -lib -specify +/xilinx/cells_sim.v\nhierarchy -check -top {top}\n{} -run prepare:\n",
            amd(family)
        ),
        Family::Xc7 | Family::Xcup => amd(family) + "\n",
        Family::Ecp5 => format!("synth_ecp5 -top {top} -json design.json\n"),
        Family::Ice40 => format!("synth_ice40 -dsp -top {top} -json design.json\n"),
    };
    script + "tee -q -o stat.json stat -json\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_within_modules_count_where_they_are() {
        let stat = Stat(serde_json::json!({
            "modules": {
                "\\top": {"num_cells_by_type": {"LUT2": 1, "unit": 2}},
                "\\unit": {"num_cells_by_type": {"LUT6": 3, "FDRE": 3, "unit__weights": 1}},
                "\\unit__weights": {"num_cells_by_type": {"FDRE": 1, "$paramod$1\\rom": 1}},
                "$paramod$1\\rom": {"num_cells_by_type": {"LUT6": 5}}
            },
            "design": {
                "num_cells_by_type": {"LUT2": 1, "LUT6": 16, "FDRE": 8, "unit": 2, "unit__weights": 2, "$paramod$1\\rom": 2}
            }
        }));
        let unit = stat.module("unit").unwrap();
        assert_eq!((unit.lut, unit.ff, unit.cells.len()), (8, 4, 2));
        let names: Vec<_> = stat.modules().into_iter().map(|(name, counts)| (name, counts.lut)).collect();
        assert_eq!(names, [("top".to_string(), 1), ("unit".to_string(), 8)]);
        let all = stat.design();
        assert_eq!((all.lut, all.ff, all.cells.keys().len()), (17, 8, 3));
        assert!(stat.module("rom").is_none());
    }
}
