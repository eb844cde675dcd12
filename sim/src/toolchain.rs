//! Outside programs: finding them, running them without a shell, and compiling C++.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::UNIX_EPOCH;

use netfold_ir::diag::{Code, Diag};

use crate::cache::{Cache, Key, io_error};

/// The program `name` in the folders of `PATH`.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).filter(|d| d.is_absolute()).map(|d| d.join(name)).find(|p| p.is_file())
}

/// Folders above netfold's program that are looked at for a project-local installation.
const LEVELS: usize = 6;

/// The folders above netfold's own program, nearest first: where a project-local installation of a tool may be.
pub(crate) fn project_folders() -> impl Iterator<Item = PathBuf> {
    let exe = std::env::current_exe().unwrap_or_default();
    exe.ancestors().skip(1).take(LEVELS).map(Path::to_path_buf).collect::<Vec<_>>().into_iter()
}

/// The `site-packages` folders of a Python virtual environment, newest Python first.
pub(crate) fn site_packages(venv: &Path) -> Vec<PathBuf> {
    let Ok(list) = std::fs::read_dir(venv.join("lib")) else { return Vec::new() };
    let mut pythons: Vec<PathBuf> = list.flatten().map(|e| e.path().join("site-packages")).collect();
    pythons.sort();
    pythons.reverse();
    pythons
}

/// What tells one build of a program from another without running it: path, size and time of last change.
pub(crate) fn identity(program: &Path) -> String {
    let path = std::fs::canonicalize(program).unwrap_or_else(|_| program.to_path_buf());
    let (bytes, changed) = std::fs::metadata(&path).map_or((0, 0), |m| {
        let changed = m.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
        (m.len(), changed.map_or(0, |d| d.as_nanos()))
    });
    format!("{}\n{bytes}\n{changed}", path.display())
}

/// Runs a program to its end. Its standard output and error, together, go into the error when it fails.
///
/// `what` names the step in the error, such as "verilator"; `log` keeps the whole output for the user.
pub(crate) fn run(command: &mut Command, what: &str, log: (&Cache, &Key)) -> Result<(), Diag> {
    let output = command.output().map_err(|e| Diag::new(Code::Tool, what, format!("cannot start the program: {e}")))?;
    if output.status.success() {
        return Ok(());
    }
    let mut text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stdout));
    let is_error = |l: &&str| l.contains("error:") || l.contains("%Error") || l.contains("undefined reference");
    let first = text.lines().find(is_error).or_else(|| text.lines().find(|l| !l.trim().is_empty()));
    let first: String = first.unwrap_or("no message").trim().chars().take(400).collect();
    let diag = Diag::new(Code::Tool, what, format!("failed ({}): {first}", output.status));
    Err(match log.0.log(log.1, &text) {
        Some(path) => diag.help(format!("the whole output is in {}", path.display())),
        None => diag,
    })
}

/// A C++ compiler with g++'s options.
#[derive(Debug, Clone)]
pub struct Compiler {
    program: PathBuf,
}

impl Compiler {
    /// `NETFOLD_CXX`, else `g++`, `c++` or `clang++` on `PATH`.
    ///
    /// # Errors
    /// `Code::Tool` when there is none.
    pub fn find() -> Result<Compiler, Diag> {
        if let Some(name) = std::env::var_os("NETFOLD_CXX").filter(|v| !v.is_empty()) {
            let given = PathBuf::from(&name);
            let found = if given.is_file() { Some(given) } else { name.to_str().and_then(on_path) };
            return found.map(|program| Compiler { program }).ok_or_else(|| {
                Diag::new(Code::Tool, "NETFOLD_CXX", format!("{} is not a program", name.to_string_lossy()))
            });
        }
        ["g++", "c++", "clang++"].into_iter().find_map(on_path).map(|program| Compiler { program }).ok_or_else(|| {
            Diag::new(Code::Tool, "C++ compiler", "none of g++, c++ and clang++ is on PATH")
                .help("install one (Debian, Ubuntu: apt-get install g++), or name it in NETFOLD_CXX")
        })
    }

    pub(crate) fn identity(&self) -> String {
        identity(&self.program)
    }

    /// Compiles every job to its object, as many at once as there are processors.
    pub(crate) fn compile(&self, flags: &[OsString], jobs: &[Job], log: (&Cache, &Key)) -> Result<(), Diag> {
        let next = AtomicUsize::new(0);
        let failure = Mutex::new(None);
        let work = || {
            while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let mut command = Command::new(&self.program);
                command.args(flags).args(&job.flags).arg("-c").arg(&job.source).arg("-o").arg(&job.object);
                if let Err(diag) = run(&mut command, "C++ compiler", log) {
                    next.store(jobs.len(), Ordering::Relaxed);
                    let mut slot = failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    slot.get_or_insert(diag);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..workers().min(jobs.len()) {
                scope.spawn(work);
            }
            work();
        });
        match failure.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
            Some(diag) => Err(diag),
            None => Ok(()),
        }
    }

    /// Links objects into a shared library without undefined symbols.
    pub(crate) fn link(
        &self,
        objects: &[PathBuf],
        flags: &[&str],
        library: &Path,
        log: (&Cache, &Key),
    ) -> Result<(), Diag> {
        let mut command = Command::new(&self.program);
        command.args(["-shared", "-pthread", "-Wl,-z,defs", "-s", "-o"]).arg(library).args(objects).args(flags);
        run(&mut command, "C++ linker", log)
    }
}

/// One source to compile, with flags of its own.
pub(crate) struct Job {
    pub source: PathBuf,
    pub object: PathBuf,
    pub flags: Vec<&'static str>,
}

/// Processes to run at once.
pub(crate) fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get())
}

/// Flags of every C++ compilation here.
pub(crate) const COMMON_FLAGS: [&str; 6] = ["-std=c++17", "-fPIC", "-fvisibility=hidden", "-pthread", "-w", "-g0"];

/// `-I` with a folder that may have any name.
pub(crate) fn include_flag(folder: &Path) -> OsString {
    let mut flag = OsString::from("-I");
    flag.push(folder.as_os_str());
    flag
}

pub(crate) fn os(flags: &[&str]) -> Vec<OsString> {
    flags.iter().map(|f| OsStr::new(f).to_owned()).collect()
}

/// Writes the C++ headers and sources that travel inside netfold.
pub(crate) fn write_texts(folder: &Path, texts: &[(&str, &str)]) -> Result<(), Diag> {
    for (name, text) in texts {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|e| io_error(&path, &e))?;
    }
    Ok(())
}
