//! Outside tools of the tests: a missing one is a visible skip, and a failure where `CI=true`.

#![allow(dead_code)]

use std::path::PathBuf;
use std::process::Command;

fn missing(tool: &str) {
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{tool} is missing");
    eprintln!("SKIPPED: {tool} was not found");
}

/// Whether a tool on `PATH` runs.
pub fn have(tool: &str, flag: &str) -> bool {
    let found = Command::new(tool).arg(flag).output().is_ok();
    if !found {
        missing(tool);
    }
    found
}

/// Verilator: the program or the installation that `NETFOLD_VERILATOR` names, otherwise `verilator` on `PATH`.
pub fn verilator() -> Option<Command> {
    let make = || match std::env::var_os("NETFOLD_VERILATOR").filter(|v| !v.is_empty()).map(PathBuf::from) {
        Some(root) if root.is_dir() => {
            let mut command = Command::new(root.join("bin/verilator_bin"));
            command.env("VERILATOR_ROOT", root);
            command
        }
        Some(program) => Command::new(program),
        None => Command::new("verilator"),
    };
    let found = make().arg("--version").output().is_ok_and(|o| o.status.success());
    if !found {
        missing("verilator");
    }
    found.then(make)
}
