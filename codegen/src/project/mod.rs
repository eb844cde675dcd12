//! What surrounds the sources in a generated folder: build scripts for Vivado and Yosys, a FuseSoC package, a Makefile, a README,
//! the resolved configuration and the report.

mod readme;

use crate::files::Files;
use crate::text::plain;
use askama::Template;
use netfold_ir::diag::{Code, Diag};
use netfold_ir::hw::Design;

/// What the design is built for.
#[derive(Debug, Clone)]
pub struct Target {
    /// Name of the board (data).
    pub board: String,
    /// Part number: letters, digits and `. _ - + /` only.
    pub part: String,
    /// `xc7`, `xcup`, `ecp5`, `ice40` or `gowin`.
    pub family: String,
    /// Clock in MHz.
    pub clock_mhz: f64,
}

/// What the caller knows about the design.
#[derive(Debug, Clone)]
pub struct Project {
    /// Name of the network (data).
    pub network: String,
    /// Name of the model's file (data).
    pub source: String,
    /// What it is built for.
    pub target: Target,
    /// Contents of `config.yaml`.
    pub config_yaml: String,
    /// Contents of `report.json`.
    pub report_json: String,
}

#[derive(Template)]
#[template(path = "board/build_vivado.tcl")]
struct Vivado<'a> {
    top: &'a str,
    part: &'a str,
    sources: &'a [&'a str],
    memories: &'a [&'a str],
}

#[derive(Template)]
#[template(path = "board/constraints.xdc")]
struct Constraints {
    clock_mhz: String,
    period_ns: String,
}

#[derive(Template)]
#[template(path = "board/synth.ys")]
struct Yosys<'a> {
    top: &'a str,
    family: &'a str,
    sources: &'a [&'a str],
    command: String,
}

#[derive(Template)]
#[template(path = "board/fusesoc.core")]
struct FuseSoc<'a> {
    top: &'a str,
    description: String,
    part: &'a str,
    sources: &'a [&'a str],
    memories: Vec<(&'a str, &'a str)>,
}

#[derive(Template)]
#[template(path = "board/makefile.mk")]
struct Makefile<'a> {
    top: &'a str,
}

/// Yosys' synthesis command for a family.
fn yosys_command(family: &str, top: &str) -> Option<String> {
    Some(match family {
        "xc7" | "xcup" => format!("synth_xilinx -family {family} -top {top} -noiopad -noclkbuf -flatten"),
        "ecp5" => format!("synth_ecp5 -top {top}"),
        "ice40" => format!("synth_ice40 -dsp -top {top}"),
        "gowin" => format!("synth_gowin -top {top}"),
        _ => return None,
    })
}

/// A number without needless digits.
fn number(v: f64) -> String {
    let text = format!("{v:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The files around the sources. `rtl` are the files of [`crate::verilog::generate`] for the same design.
///
/// # Errors
/// [`Code::Config`] when the part has other characters than a part number, the family is unknown or the clock is not a positive
/// number; an error of [`netfold_ir::hw::timing::simulate`].
pub fn files(design: &Design, rtl: &Files, project: &Project) -> Result<Files, Diag> {
    let target = &project.target;
    let top = design.name.as_str();
    let part_ok = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '/');
    if target.part.is_empty()
        || target.part.len() > 80
        || target.part.starts_with('-')
        || !target.part.chars().all(part_ok)
    {
        return Err(Diag::new(Code::Config, "part", format!("{:?} is not a part number", target.part))
            .help("letters, digits and . _ - + / only, for example xc7z020clg400-1"));
    }
    if !(target.clock_mhz.is_finite() && target.clock_mhz > 0.0) {
        return Err(Diag::new(Code::Config, "clock_mhz", format!("{} is not a clock", target.clock_mhz)));
    }
    let command = yosys_command(&target.family, top).ok_or_else(|| {
        Diag::new(Code::Config, "family", format!("{:?} is unknown", target.family))
            .help("xc7, xcup, ecp5, ice40 or gowin")
    })?;
    let (sources, memories) = (rtl.ending(".sv"), rtl.ending(".mem"));
    let (sources, memories) = (sources.as_slice(), memories.as_slice());
    let part = target.part.as_str();
    let rendered =
        |text: askama::Result<String>| text.map(|t| t + "\n").map_err(|e| Diag::internal(top, e.to_string()));
    let mut files = Files::new();
    if target.family.starts_with("xc") {
        files.insert("build_vivado.tcl", rendered(Vivado { top, part, sources, memories }.render())?);
    }
    let constraints = Constraints { clock_mhz: number(target.clock_mhz), period_ns: number(1000.0 / target.clock_mhz) };
    files.insert("constraints.xdc", rendered(constraints.render())?);
    files.insert("synth.ys", rendered(Yosys { top, family: &target.family, sources, command }.render())?);
    let named = memories.iter().map(|path| (*path, path.rsplit('/').next().unwrap_or(path))).collect();
    let description = format!("{} by netfold", plain(&project.network));
    files.insert(
        format!("{top}.core"),
        rendered(FuseSoc { top, description, part, sources, memories: named }.render())?,
    );
    files.insert("Makefile", rendered(Makefile { top }.render())?);
    files.insert("README.md", rendered(readme::readme(design, project)?.render())?);
    files.insert("config.yaml", project.config_yaml.clone());
    files.insert("report.json", project.report_json.clone());
    Ok(files)
}
