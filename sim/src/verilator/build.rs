//! The build of one design's shared library.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use askama::Template;
use netfold_ir::diag::{Code, Diag};

use super::{ModelSpec, TraceFormat, Verilator, header};
use crate::cache::{Cache, Key, KeyBuilder, io_error};
use crate::ports::{SourceFile, StreamPort};
use crate::toolchain::{COMMON_FLAGS, Job, identity, include_flag, os, run, workers, write_texts};

/// Name of the library in its cache entry.
const LIBRARY: &str = "model.so";
/// Generated C++ beyond this size is compiled in several pieces.
const PIECE_BYTES: u64 = 192 << 10;

const HEADERS: [(&str, &str); 5] = [
    ("netfold_model.h", include_str!("../../cpp/netfold_model.h")),
    ("netfold_report.h", include_str!("../../cpp/netfold_report.h")),
    ("netfold_axis.h", include_str!("../../cpp/netfold_axis.h")),
    ("netfold_verilated.h", include_str!("../../cpp/netfold_verilated.h")),
    ("netfold_data_dir.h", include_str!("../../cpp/netfold_data_dir.h")),
];
/// Found in place of the library's header by newer versions' FST writer.
const LZ4: (&str, &str) = ("lz4.h", include_str!("../../cpp/lz4.h"));
const HOOKS: (&str, &str) = ("netfold_verilated.cpp", include_str!("../../cpp/netfold_verilated.cpp"));

#[derive(Template)]
#[template(path = "verilator_model.cpp", escape = "none")]
struct Wrapper<'a> {
    top: &'a str,
    inputs: &'a [StreamPort],
    outputs: &'a [StreamPort],
    trace: &'a str,
}

/// Builds or finds the library.
pub(super) fn library(verilator: &Verilator, spec: &ModelSpec) -> Result<PathBuf, Diag> {
    let interface = &spec.interface;
    let wrapper = Wrapper {
        top: &interface.top,
        inputs: &interface.inputs,
        outputs: &interface.outputs,
        trace: spec.trace.map_or("", TraceFormat::name),
    };
    let wrapper = wrapper.render().map_err(|e| Diag::internal("model wrapper", e.to_string()))?;
    let mut key = KeyBuilder::new("verilator model")
        .part(identity(&verilator.program))
        .part(verilator.compiler.identity())
        .part(&wrapper);
    for (name, text) in HEADERS {
        key = key.part(name).part(text);
    }
    for file in &spec.sources {
        key = key.part(file.name()).part(file.bytes());
    }
    let key = key.finish();
    let cache = &verilator.cache;
    let entry = cache.get(&key, |folder| {
        let work = folder.join("work");
        let steps = Steps { verilator, spec, work: &work, log: (cache, &key) };
        steps.verilate()?;
        let objects = steps.compile(&wrapper)?;
        let runtime = runtime(verilator, spec.trace)?;
        steps.link(objects, &runtime, &folder.join(LIBRARY))?;
        std::fs::remove_dir_all(&work).map_err(|e| io_error(&work, &e))
    })?;
    Ok(entry.join(LIBRARY))
}

/// The folder with the design's data files.
pub(super) fn data_folder(cache: &Cache, data: &[SourceFile]) -> Result<PathBuf, Diag> {
    let mut key = KeyBuilder::new("data");
    for file in data {
        key = key.part(file.name()).part(file.bytes());
    }
    let entry = cache.get(&key.finish(), |folder| {
        let folder = folder.join("data");
        std::fs::create_dir(&folder).map_err(|e| io_error(&folder, &e))?;
        data.iter().try_for_each(|file| file.write_below(&folder))
    })?;
    Ok(entry.join("data"))
}

fn trace_flags(trace: Option<TraceFormat>) -> [&'static str; 3] {
    match trace {
        None => ["-DVM_TRACE=0", "-DVM_TRACE_FST=0", "-DVM_TRACE_VCD=0"],
        Some(TraceFormat::Fst) => ["-DVM_TRACE=1", "-DVM_TRACE_FST=1", "-DVM_TRACE_VCD=0"],
        Some(TraceFormat::Vcd) => ["-DVM_TRACE=1", "-DVM_TRACE_FST=0", "-DVM_TRACE_VCD=1"],
    }
}

/// Flags of all C++ that sees Verilator's headers; `ours` has netfold's.
fn flags(verilator: &Verilator, trace: Option<TraceFormat>, ours: &Path) -> Vec<OsString> {
    let mut flags = os(&COMMON_FLAGS);
    flags.extend(os(&["-DVERILATOR=1", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVL_TIME_CONTEXT"]));
    flags.extend(os(&trace_flags(trace)));
    let include = verilator.root.join("include");
    flags.extend([include_flag(ours), include_flag(&include), include_flag(&include.join("vltstd"))]);
    flags.extend([OsString::from("-include"), OsString::from("netfold_verilated.h")]);
    flags
}

/// Verilator's own runtime with netfold's hooks, compiled once for each installation; returns the objects.
fn runtime(verilator: &Verilator, trace: Option<TraceFormat>) -> Result<Vec<PathBuf>, Diag> {
    let cache = &verilator.cache;
    let mut key = KeyBuilder::new("verilator runtime")
        .part(identity(&verilator.program))
        .part(identity(&verilator.root.join("include/verilated.cpp")))
        .part(verilator.compiler.identity())
        .part(HOOKS.1)
        .part(LZ4.1)
        .part(trace_flags(trace).join(" "));
    for (name, text) in HEADERS {
        key = key.part(name).part(text);
    }
    let key = key.finish();
    let include = verilator.root.join("include");
    let mut names = vec!["verilated", "verilated_threads"];
    match trace {
        None => {}
        Some(TraceFormat::Fst) => names.push("verilated_fst_c"),
        Some(TraceFormat::Vcd) => names.push("verilated_vcd_c"),
    }
    let objects = |folder: &Path| -> Vec<PathBuf> {
        names.iter().chain(&["netfold_verilated"]).map(|n| folder.join(format!("{n}.o"))).collect()
    };
    let entry = cache.get(&key, |folder| {
        write_texts(folder, &HEADERS)?;
        write_texts(folder, &[HOOKS, LZ4])?;
        let mut sources: Vec<PathBuf> = names.iter().map(|n| include.join(format!("{n}.cpp"))).collect();
        sources.push(folder.join(HOOKS.0));
        let jobs: Vec<Job> = sources
            .into_iter()
            .zip(objects(folder))
            .map(|(source, object)| Job { source, object, flags: vec!["-O1"] })
            .collect();
        let result = verilator.compiler.compile(&flags(verilator, trace, folder), &jobs, (cache, &key));
        result.map_err(|diag| match trace {
            Some(TraceFormat::Fst) => Diag {
                help: format!(
                    "FST output needs zlib's headers (Debian, Ubuntu: apt-get install zlib1g-dev); or name the waveform file .vcd; {}",
                    diag.help
                ),
                ..diag
            },
            _ => diag,
        })
    })?;
    Ok(objects(&entry))
}

/// What the steps of one build share.
struct Steps<'a> {
    verilator: &'a Verilator,
    spec: &'a ModelSpec,
    work: &'a Path,
    log: (&'a Cache, &'a Key),
}

impl Steps<'_> {
    fn generated(&self) -> PathBuf {
        self.work.join("generated")
    }

    /// Translates the design to C++ and checks its ports.
    fn verilate(&self) -> Result<(), Diag> {
        let design = self.work.join("design");
        std::fs::create_dir_all(&design).map_err(|e| io_error(&design, &e))?;
        let mut compiled = Vec::new();
        for file in &self.spec.sources {
            file.write_below(&design)?;
            if file.name().ends_with(".sv") || file.name().ends_with(".v") {
                compiled.push(file.name());
            }
        }
        if compiled.is_empty() {
            return Err(Diag::new(Code::Invalid, &self.spec.interface.top, "the design has no .sv or .v file"));
        }
        let mut command = Command::new(&self.verilator.program);
        command.current_dir(&design).env("VERILATOR_ROOT", &self.verilator.root);
        command.args(["--cc", "--assert", "--no-timing", "--x-initial", "unique", "-Wno-fatal", "-I."]);
        command
            .args(["--prefix", "Vnetfold", "--top-module", &self.spec.interface.top, "--Mdir"])
            .arg(self.generated());
        match self.spec.trace {
            None => {}
            Some(TraceFormat::Fst) => {
                command.arg("--trace-fst");
            }
            Some(TraceFormat::Vcd) => {
                command.arg("--trace");
            }
        }
        command.args(compiled);
        run(&mut command, "Verilator", self.log)?;
        let path = self.generated().join("Vnetfold.h");
        let text = std::fs::read_to_string(&path).map_err(|e| io_error(&path, &e))?;
        header::check(&text, &self.spec.interface)
    }

    /// Compiles the generated C++ and the wrapper in pieces of similar size. Objects of hot code come first, so that the linker
    /// keeps their copies of inline functions.
    fn compile(&self, wrapper: &str) -> Result<Vec<PathBuf>, Diag> {
        let generated = self.generated();
        let (mut hot, mut cold) = (Vec::new(), Vec::new());
        for entry in std::fs::read_dir(&generated).map_err(|e| io_error(&generated, &e))?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.ends_with(".cpp") {
                continue;
            }
            let once = ["__Slow", "__Syms", "__ConstPool"].iter().any(|part| name.contains(part));
            let list = if once { &mut cold } else { &mut hot };
            list.push(Cpp { bytes: entry.metadata().map_or(0, |m| m.len()), name });
        }
        write_texts(&generated, &HEADERS)?;
        write_texts(&generated, &[("netfold_wrapper.cpp", wrapper)])?;
        hot.push(Cpp { bytes: wrapper.len() as u64, name: "netfold_wrapper.cpp".to_owned() });
        let mut jobs = Vec::new();
        for (kind, list, flag) in [("hot", hot, "-O1"), ("cold", cold, "-O0")] {
            for (i, piece) in balance(list).iter().enumerate() {
                let source = generated.join(format!("netfold_{kind}{i}.cc"));
                let text: String = piece.iter().map(|name| format!("#include \"{name}\"\n")).collect();
                std::fs::write(&source, text).map_err(|e| io_error(&source, &e))?;
                jobs.push(Job { object: source.with_extension("o"), source, flags: vec![flag] });
            }
        }
        let flags = flags(self.verilator, self.spec.trace, &generated);
        self.verilator.compiler.compile(&flags, &jobs, self.log)?;
        Ok(jobs.into_iter().map(|j| j.object).collect())
    }

    fn link(&self, mut objects: Vec<PathBuf>, runtime: &[PathBuf], library: &Path) -> Result<(), Diag> {
        objects.extend_from_slice(runtime);
        let mut flags = vec!["-Wl,--wrap=fopen"];
        if self.spec.trace == Some(TraceFormat::Fst) {
            flags.push("-lz");
        }
        self.verilator.compiler.link(&objects, &flags, library, self.log)
    }
}

/// A C++ file of the build.
struct Cpp {
    bytes: u64,
    name: String,
}

/// Splits files into pieces of similar size: one for each processor when they are large, a single one when they are small.
fn balance(mut files: Vec<Cpp>) -> Vec<Vec<String>> {
    files.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
    let total: u64 = files.iter().map(|f| f.bytes).sum();
    let count = ((total / PIECE_BYTES) as usize + 1).min(workers()).max(1);
    let mut pieces = vec![(0u64, Vec::new()); count];
    for file in files {
        if let Some(least) = pieces.iter_mut().min_by_key(|p| p.0) {
            least.0 += file.bytes;
            least.1.push(file.name);
        }
    }
    pieces.into_iter().map(|p| p.1).filter(|p| !p.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_designs_are_one_piece() {
        let cpp = |bytes, name: &str| Cpp { bytes, name: name.to_owned() };
        assert_eq!(balance(vec![cpp(10, "b"), cpp(10, "a")]), [["a", "b"]]);
        let large = balance(vec![cpp(10 * PIECE_BYTES, "b"), cpp(10 * PIECE_BYTES, "a")]);
        assert_eq!(large.len(), workers().min(2));
    }
}
