//! The HLS backend as the command line uses it.

use crate::flow::Job;
use netfold_codegen::Files;
use netfold_codegen::hls::{self, HlsProject, Io, Port, Project, Strategy, Vectors};
use netfold_frontend::config::{IoType, LayerRef, Strategy as Asked};
use netfold_ir::diag::{Code, Diag, Diags};
use netfold_ir::hw::Design;
use netfold_sim::{CsimPort, CsimSpec, Interface, Passing, SourceFile, StreamPort};
use std::path::Path;

/// Part of the clock period that HLS keeps free when nothing else is asked for, in percent: the tool's own default.
const CLOCK_UNCERTAINTY_PERCENT: f64 = 27.0;
/// Folder of the HLS project beside a Verilog one.
pub const FOLDER: &str = "hls";

/// The HLS project of a design, with test vectors in stream order.
pub fn generate(job: &Job, design: &Design, vectors: Vectors) -> Result<Files, Diags> {
    let config = &job.config;
    let strategy = match config.strategy(LayerRef::new(&[], "")).map(|s| s.value) {
        Some(Asked::Latency) => Strategy::Latency,
        Some(Asked::Resource | Asked::ResourceUnrolled) => Strategy::Resource,
        Some(Asked::DistributedArithmetic | Asked::Stable | Asked::Argmax) | None => Strategy::Auto,
    };
    let net = &job.net;
    let asked = |layer: &str| {
        let id = net.graph.find(layer)?;
        let names = netfold_passes::quantize::names_of(net, id);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let reuse = config.reuse_factor(LayerRef::new(&names, net.graph.node(id).op.kind()))?.value;
        usize::try_from(reuse).ok()
    };
    let notes = hls::snapped_reuse(design, asked);
    for note in &notes {
        crate::flow::note(note);
    }
    let name = hls::project_name(&design.name);
    let project = HlsProject {
        design,
        name: &name,
        part: &job.board.part,
        clock_period_ns: 1000.0 / job.clock_mhz,
        clock_uncertainty_percent: config.clock_uncertainty_percent.unwrap_or(CLOCK_UNCERTAINTY_PERCENT),
        io: match config.io_type {
            Some(IoType::Parallel) => Io::Parallel,
            Some(IoType::Stream) | None => Io::Stream,
        },
        strategy,
        vectors,
        notes,
    };
    hls::generate(&project)
}

/// What a C simulation needs of a project whose files come from `read`.
fn spec(
    described: &Project,
    names: &[String],
    read: impl Fn(&str) -> Result<SourceFile, Diag>,
) -> Result<CsimSpec, Diag> {
    let port = |prefix: &str, p: &Port| {
        let size = |v: usize| {
            u32::try_from(v).map_err(|_| Diag::new(Code::Format, &p.id, "a port of the project is too large"))
        };
        Ok::<_, Diag>(StreamPort {
            prefix: format!("{prefix}_{}", p.id),
            element_bits: p.bits,
            signed: p.signed,
            elements_per_beat: size(p.lanes)?,
            beats_per_frame: size(p.beats)?,
        })
    };
    let passing = if described.is_parallel() { Passing::Array } else { Passing::StreamOfArrays };
    let argument = |p: &Port| CsimPort { passing, type_name: p.type_name.clone() };
    Ok(CsimSpec {
        interface: Interface {
            top: described.project.clone(),
            inputs: described.inputs.iter().map(|p| port("s_axis", p)).collect::<Result<_, _>>()?,
            outputs: described.outputs.iter().map(|p| port("m_axis", p)).collect::<Result<_, _>>()?,
        },
        arguments: described.inputs.iter().chain(&described.outputs).map(argument).collect(),
        header: described.header.clone(),
        sources: names.iter().filter(|n| described.simulates(n)).map(|n| read(n)).collect::<Result<_, _>>()?,
        include: described.include.clone(),
    })
}

/// The C simulation of generated files.
pub fn spec_of_files(files: &Files) -> Result<CsimSpec, Diag> {
    let described = Project::of(files)?;
    let names: Vec<String> = files.iter().map(|(path, _)| path.to_string()).collect();
    spec(&described, &names, |n| SourceFile::new(n, files.get(n).unwrap_or_default()))
}

/// The C simulation of a generated folder.
pub fn spec_of_folder(dir: &Path) -> Result<CsimSpec, Diag> {
    let beside = dir.join(FOLDER);
    let dir = if beside.is_dir() { beside.as_path() } else { dir };
    let described = Project::load(dir)?;
    let mut names = Vec::new();
    list(dir, "firmware", &mut names)?;
    names.sort();
    spec(&described, &names, |n| SourceFile::load(dir, n))
}

/// Files below `dir/path`, as paths relative to `dir`.
fn list(dir: &Path, path: &str, out: &mut Vec<String>) -> Result<(), Diag> {
    let full = dir.join(path);
    let failed = |e: std::io::Error| Diag::new(Code::Io, full.display().to_string(), format!("cannot be read: {e}"));
    for entry in std::fs::read_dir(&full).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        let name = format!("{path}/{}", entry.file_name().to_string_lossy());
        if kind.is_dir() {
            list(dir, &name, out)?;
        } else if kind.is_file() {
            out.push(name);
        }
    }
    Ok(())
}
