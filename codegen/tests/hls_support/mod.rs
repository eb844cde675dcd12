//! Shared by the tests of the HLS backend: the vendor's headers, projects on disk and in the C simulation.
#![allow(dead_code, reason = "every test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a panic of a helper is a failed test")]

pub mod networks;

use netfold_codegen::Files;
use netfold_codegen::hls::{HlsProject, Io, Port, Project, Strategy, Vectors};
use netfold_ir::hw::Design;
use netfold_sim::{Csim, CsimPort, CsimSpec, Interface, Passing, SourceFile, StreamPort};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A tool that was looked for, or a visible skip; a missing tool is a failure where `CI` is `true`.
pub fn found<T, E: std::fmt::Display>(tool: Result<T, E>) -> Option<T> {
    match tool {
        Ok(tool) => Some(tool),
        Err(error) if std::env::var("CI").is_ok_and(|v| v == "true") => panic!("{error}"),
        Err(error) => {
            eprintln!("SKIPPED: {error}");
            None
        }
    }
}

/// The folder of `ap_int.h`: `NETFOLD_HLS_INCLUDE`, or where C simulation finds it.
pub fn headers() -> Option<PathBuf> {
    let given = std::env::var_os("NETFOLD_HLS_INCLUDE").map(PathBuf::from);
    let place =
        given.filter(|p| p.join("ap_int.h").is_file()).ok_or("NETFOLD_HLS_INCLUDE names no folder with ap_int.h");
    found(place)
}

/// C simulation with those headers.
pub fn csim() -> Option<Csim> {
    found(Csim::find(Some(&headers()?)))
}

/// A project of a design with usual settings.
pub fn project(design: &Design, io: Io, strategy: Strategy, vectors: Vectors) -> HlsProject<'_> {
    HlsProject {
        design,
        name: "myproject",
        part: "xcvu13p-flga2577-2-e",
        clock_period_ns: 5.0,
        clock_uncertainty_percent: 12.5,
        io,
        strategy,
        vectors,
        notes: vec!["written by a test".into()],
    }
}

/// What the C simulation needs to know of a project.
pub fn csim_spec(files: &Files) -> CsimSpec {
    let described = Project::of(files).unwrap();
    let port = |prefix: &str, p: &Port| StreamPort {
        prefix: format!("{prefix}_{}", p.id),
        element_bits: p.bits,
        signed: p.signed,
        elements_per_beat: u32::try_from(p.lanes).unwrap(),
        beats_per_frame: u32::try_from(p.beats).unwrap(),
    };
    let passing = if described.is_parallel() { Passing::Array } else { Passing::StreamOfArrays };
    let argument = |p: &Port| CsimPort { passing, type_name: p.type_name.clone() };
    CsimSpec {
        interface: Interface {
            top: described.project.clone(),
            inputs: described.inputs.iter().map(|p| port("s_axis", p)).collect(),
            outputs: described.outputs.iter().map(|p| port("m_axis", p)).collect(),
        },
        arguments: described.inputs.iter().chain(&described.outputs).map(argument).collect(),
        header: described.header.clone(),
        sources: described
            .sources
            .iter()
            .map(|path| SourceFile::new(path, files.get(path).unwrap()).unwrap())
            .collect(),
        include: described.include.clone(),
    }
}

/// Writes files below a folder.
pub fn write(files: &Files, dir: &Path) {
    for (path, bytes) in files.iter() {
        let full = dir.join(path);
        std::fs::create_dir_all(full.parent().unwrap()).unwrap();
        std::fs::write(full, bytes).unwrap();
    }
}

/// Compiles a C++ file as strictly as generated code must take, and gives what the compiler said.
pub fn compile_strictly(headers: &Path, dir: &Path, source: &str, more: &[&str]) -> Result<(), String> {
    let output = Command::new("g++")
        .args(["-Wall", "-Wextra", "-Werror", "-I", ".", "-isystem"])
        .arg(headers)
        .args(more)
        .arg(source)
        .current_dir(dir)
        .output()
        .map_err(|e| e.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
