//! C simulation of an HLS project: its C++ compiled by g++ into a library with the same interface as a Verilated design.
//!
//! A generated adapter includes the project's header, fills the top function's arguments with the raw integers of one frame, calls it
//! and reads the raw integers back. The project needs only the public `ap_int`, `ap_fixed` and `hls_stream` headers. Cycles are not
//! counted; a stream that holds too many or too few words after a frame counts as a breach of the protocol.

use std::path::{Path, PathBuf};

use askama::Template;
use netfold_ir::diag::{Code, Diag};

use crate::cache::{Cache, KeyBuilder, io_error};
use crate::model::Model;
use crate::ports::{Interface, SourceFile, StreamPort};
use crate::toolchain::{COMMON_FLAGS, Compiler, Job, identity, include_flag, os, write_texts};

/// Name of the library in its cache entry.
const LIBRARY: &str = "model.so";
/// Where the hls4ml package keeps the headers, below a virtual environment's `site-packages`.
const PACKAGE_HEADERS: &str = "hls4ml/templates/vivado/ap_types";
const HEADERS: [(&str, &str); 3] = [
    ("netfold_model.h", include_str!("../cpp/netfold_model.h")),
    ("netfold_report.h", include_str!("../cpp/netfold_report.h")),
    ("netfold_csim.h", include_str!("../cpp/netfold_csim.h")),
];

/// How a port's elements reach the top function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Passing {
    /// One array argument of a whole frame: `T x[elements]`.
    Array,
    /// `hls::stream<T>&`, a word a beat, `word[i]` is element `i`.
    StreamOfArrays,
    /// `hls::stream<T>&`, a word a beat whose bits are those of `tdata` (element 0 lowest): `ap_uint<N>`, or a single
    /// `ap_int`/`ap_fixed` where a beat has one element.
    StreamOfBits,
}

impl Passing {
    fn is_array(&self) -> bool {
        *self == Passing::Array
    }

    fn is_bits(&self) -> bool {
        *self == Passing::StreamOfBits
    }
}

/// One argument of the top function.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CsimPort {
    /// How it is passed.
    pub passing: Passing,
    /// C++ type of an array's element or of a stream's word, as the project's header defines it; for example `input_t`.
    pub type_name: String,
}

/// An HLS project to compile.
#[derive(Debug, Clone)]
pub struct CsimSpec {
    /// The top function and its ports, in the order of its arguments: inputs, then outputs.
    pub interface: Interface,
    /// One for each port of the interface, inputs then outputs.
    pub arguments: Vec<CsimPort>,
    /// The header that declares the top function and the types: the name of one of `sources`.
    pub header: String,
    /// All files of the project; those ending in `.cpp` or `.cc` are compiled.
    pub sources: Vec<SourceFile>,
    /// Folders of the project to search for headers, besides its root.
    pub include: Vec<String>,
}

/// The compiler, the HLS headers and the cache for C simulations.
#[derive(Debug, Clone)]
pub struct Csim {
    compiler: Compiler,
    headers: PathBuf,
    cache: Cache,
}

#[derive(Template)]
#[template(path = "csim_model.cpp", escape = "none")]
struct Adapter<'a> {
    top: &'a str,
    header: &'a str,
    inputs: Vec<(&'a StreamPort, &'a CsimPort)>,
    outputs: Vec<(&'a StreamPort, &'a CsimPort)>,
}

impl Csim {
    /// Finds what C simulation needs. The folder with `ap_int.h` is `given` (the option `--hls-include`), else `$NETFOLD_HLS_INCLUDE`, else
    /// `$XILINX_HLS/include`, else in the hls4ml package of a `.venv` or `.tools` folder in a folder above netfold's own program.
    ///
    /// # Errors
    /// `Code::Tool` when the headers or a C++ compiler are missing.
    pub fn find(given: Option<&Path>) -> Result<Csim, Diag> {
        Ok(Csim { compiler: Compiler::find()?, headers: locate_headers(given)?, cache: Cache::open()? })
    }

    /// Compiles the project, or takes it from the cache, and loads it.
    ///
    /// # Errors
    /// `Code::Invalid` when the interface, a type name or a folder name is not possible; `Code::Tool` when the compiler refuses the
    /// project; `Code::Io` when the cache cannot be written.
    pub fn build(&self, spec: &CsimSpec) -> Result<Model, Diag> {
        spec.interface.check()?;
        spec.check()?;
        let inputs = spec.interface.inputs.len();
        let adapter = Adapter {
            top: &spec.interface.top,
            header: &spec.header,
            inputs: spec.interface.inputs.iter().zip(&spec.arguments).collect(),
            outputs: spec.interface.outputs.iter().zip(&spec.arguments[inputs..]).collect(),
        };
        let adapter = adapter.render().map_err(|e| Diag::internal("C simulation adapter", e.to_string()))?;
        let mut key = KeyBuilder::new("csim")
            .part(self.compiler.identity())
            .part(identity(&self.headers.join("ap_int.h")))
            .part(spec.include.join("\n"))
            .part(&adapter);
        for (name, text) in HEADERS {
            key = key.part(name).part(text);
        }
        for file in &spec.sources {
            key = key.part(file.name()).part(file.bytes());
        }
        let key = key.finish();
        let log = (&self.cache, &key);
        let entry = self.cache.get(&key, |folder| {
            let project = folder.join("project");
            let ours = folder.join("adapter");
            for made in [&project, &ours] {
                std::fs::create_dir(made).map_err(|e| io_error(made, &e))?;
            }
            spec.sources.iter().try_for_each(|file| file.write_below(&project))?;
            write_texts(&ours, &HEADERS)?;
            write_texts(&ours, &[("netfold_adapter.cpp", &adapter)])?;
            let mut sources = vec![ours.join("netfold_adapter.cpp")];
            sources.extend(spec.compiled().map(|file| project.join(file.name())));
            let object = |i: usize| ours.join(format!("{i}.o"));
            let jobs: Vec<Job> = sources
                .into_iter()
                .enumerate()
                .map(|(i, source)| Job { source, object: object(i), flags: vec!["-O1"] })
                .collect();
            let mut flags = os(&COMMON_FLAGS);
            flags.extend([include_flag(&ours), include_flag(&project)]);
            flags.extend(spec.include.iter().map(|name| include_flag(&project.join(name))));
            flags.extend([std::ffi::OsString::from("-isystem"), self.headers.clone().into_os_string()]);
            self.compiler.compile(&flags, &jobs, log)?;
            let objects: Vec<PathBuf> = jobs.into_iter().map(|j| j.object).collect();
            self.compiler.link(&objects, &[], &folder.join(LIBRARY), log)?;
            [&project, &ours].into_iter().try_for_each(|f| std::fs::remove_dir_all(f).map_err(|e| io_error(f, &e)))
        })?;
        Model::load(&entry.join(LIBRARY), &entry, spec.interface.clone(), false)
    }
}

impl CsimSpec {
    fn compiled(&self) -> impl Iterator<Item = &SourceFile> {
        self.sources.iter().filter(|f| f.name().ends_with(".cpp") || f.name().ends_with(".cc"))
    }

    fn check(&self) -> Result<(), Diag> {
        let invalid = |place: &str, cause: &str| Err(Diag::new(Code::Invalid, place, cause));
        if self.arguments.len() != self.interface.inputs.len() + self.interface.outputs.len() {
            return invalid(&self.interface.top, "one argument is needed for each port");
        }
        for argument in &self.arguments {
            let name = &argument.type_name;
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '<' | '>' | ',' | ' ');
            if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.chars().all(plain) {
                return invalid(&format!("type {name:?}"), "not a plain C++ type name");
            }
        }
        if !self.sources.iter().any(|f| f.name() == self.header) {
            return invalid(&self.header, "the header is none of the project's files");
        }
        if self.compiled().next().is_none() {
            return invalid(&self.interface.top, "the project has no .cpp file");
        }
        // A folder's name follows the same rule as a file's.
        self.include.iter().try_for_each(|name| SourceFile::new(name.clone(), "").map(drop))
    }
}

fn locate_headers(given: Option<&Path>) -> Result<PathBuf, Diag> {
    let fits = |folder: &PathBuf| folder.join("ap_int.h").is_file();
    let absolute = |folder: PathBuf| std::path::absolute(&folder).unwrap_or(folder);
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    if let Some(folder) = given.map(Path::to_path_buf).or_else(|| set("NETFOLD_HLS_INCLUDE")) {
        let folder = absolute(folder);
        return Some(folder.clone()).filter(fits).ok_or_else(|| {
            Diag::new(Code::Tool, folder.display().to_string(), "the folder has no ap_int.h")
                .help("give the folder with ap_int.h, ap_fixed.h and hls_stream.h")
        });
    }
    let vendor = set("XILINX_HLS").map(|v| v.join("include"));
    vendor.map(absolute).filter(fits).or_else(|| project_local().filter(fits)).ok_or_else(|| {
        Diag::new(Code::Tool, "HLS headers", "ap_int.h was not found").help(
            "name its folder with --hls-include, set XILINX_HLS, or install the Python package hls4ml, which carries the headers",
        )
    })
}

fn project_local() -> Option<PathBuf> {
    crate::toolchain::project_folders().find_map(|folder| {
        let packages = |venv: &str| crate::toolchain::site_packages(&folder.join(venv));
        [".venv", ".tools/venv"]
            .into_iter()
            .flat_map(packages)
            .map(|p| p.join(PACKAGE_HEADERS))
            .chain([folder.join(".tools/ap_types")])
            .find(|p| p.join("ap_int.h").is_file())
    })
}
