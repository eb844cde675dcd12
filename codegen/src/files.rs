//! The files of a generated folder, and writing them all or nothing.

use netfold_ir::diag::{Code, Diag};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Name of the file that marks a folder as made by netfold, so that it may be replaced.
pub const MARKER: &str = ".netfold";

/// Relative path with `/` -> contents, in the order of the paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    /// No files.
    pub fn new() -> Files {
        Files::default()
    }

    /// Adds a file, or replaces the one of that path.
    pub fn insert(&mut self, path: impl Into<String>, contents: impl Into<Vec<u8>>) {
        self.0.insert(path.into(), contents.into());
    }

    /// Adds all files of another set.
    pub fn extend(&mut self, other: Files) {
        self.0.extend(other.0);
    }

    /// Contents of a file.
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.0.get(path).map(Vec::as_slice)
    }

    /// Paths and contents in the order of the paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(path, contents)| (path.as_str(), contents.as_slice()))
    }

    /// Paths that end in `suffix`.
    pub fn ending(&self, suffix: &str) -> Vec<&str> {
        self.0.keys().map(String::as_str).filter(|path| path.ends_with(suffix)).collect()
    }

    /// Number of files.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Writes the files into the folder `dir`, which then holds exactly these and the marker `.netfold`.
///
/// Everything is written into a new folder beside `dir` first and then renamed, so that `dir` never holds half of it.
///
/// # Errors
/// [`Code::Usage`] when `dir` is not empty and `force` is false, or when `force` is true and `dir` holds files that netfold did
/// not make (no marker). [`Code::Io`] when the file system fails; `dir` is then as it was.
pub fn write_atomically(files: &Files, dir: &Path, force: bool) -> Result<(), Diag> {
    let io = |path: &Path, error: std::io::Error| Diag::new(Code::Io, path.display().to_string(), error.to_string());
    let occupied = match std::fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(error) => return Err(io(dir, error)),
    };
    if occupied && !force {
        return Err(Diag::new(Code::Usage, dir.display().to_string(), "the output folder is not empty")
            .help("give another folder with -o, or --force to replace what netfold wrote there"));
    }
    if occupied && !dir.join(MARKER).is_file() {
        return Err(Diag::new(
            Code::Usage,
            dir.display().to_string(),
            "netfold did not make this folder, so it does not replace it",
        )
        .help("give another folder with -o"));
    }
    // A link is followed, so that the folder it names is replaced and not the link.
    let target = match std::fs::canonicalize(dir) {
        Ok(path) => path,
        Err(_) => std::path::absolute(dir).map_err(|error| io(dir, error))?,
    };
    let parent: PathBuf = target.parent().unwrap_or(Path::new("/")).to_owned();
    std::fs::create_dir_all(&parent).map_err(|error| io(&parent, error))?;
    let temporary =
        tempfile::Builder::new().prefix(".netfold-").tempdir_in(&parent).map_err(|error| io(&parent, error))?;
    let staged = temporary.path().join("new");
    let marker: (&str, &[u8]) =
        (MARKER, b"This folder was written by netfold, which replaces all of it with --force.\n");
    for (path, contents) in files.iter().chain([marker]) {
        let sound = !path.is_empty() && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
        if !sound || path.contains('\\') {
            return Err(Diag::internal(path, "a generated file lies outside of its folder"));
        }
        let full = staged.join(path);
        let folder = full.parent().unwrap_or(&staged);
        std::fs::create_dir_all(folder).map_err(|error| io(folder, error))?;
        std::fs::write(&full, contents).map_err(|error| io(&full, error))?;
    }
    let old = temporary.path().join("old");
    let replaced = target.exists();
    if replaced {
        std::fs::rename(&target, &old).map_err(|error| io(&target, error))?;
    }
    if let Err(error) = std::fs::rename(&staged, &target) {
        if replaced {
            let _ = std::fs::rename(&old, &target);
        }
        return Err(io(&target, error));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(text: &str) -> Files {
        let mut files = Files::new();
        files.insert("rtl/a.sv", text);
        files
    }

    #[test]
    fn folders_are_written_whole_and_replaced_only_when_ours() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("x/out");
        write_atomically(&files("1"), &dir, false).unwrap();
        assert_eq!(std::fs::read(dir.join("rtl/a.sv")).unwrap(), b"1");
        assert_eq!(write_atomically(&files("2"), &dir, false).unwrap_err().code, Code::Usage);
        std::fs::write(dir.join("extra"), "x").unwrap();
        write_atomically(&files("2"), &dir, true).unwrap();
        assert_eq!(std::fs::read(dir.join("rtl/a.sv")).unwrap(), b"2");
        assert!(!dir.join("extra").exists());
        std::fs::remove_file(dir.join(MARKER)).unwrap();
        assert_eq!(write_atomically(&files("3"), &dir, true).unwrap_err().code, Code::Usage);
        assert_eq!(std::fs::read_dir(home.path().join("x")).unwrap().count(), 1, "temporary folders are gone");
    }

    #[test]
    fn an_empty_folder_is_filled_and_a_file_is_not_replaced() {
        let home = tempfile::tempdir().unwrap();
        write_atomically(&files("1"), home.path(), false).unwrap_or_else(|d| panic!("{d}"));
        let file = home.path().join("file");
        std::fs::write(&file, "x").unwrap();
        assert_eq!(write_atomically(&files("1"), &file, true).unwrap_err().code, Code::Io);
        assert_eq!(std::fs::read(&file).unwrap(), b"x");
    }

    #[test]
    fn paths_that_climb_out_are_refused() {
        let home = tempfile::tempdir().unwrap();
        for path in ["../a", "/a", "a//b", "", "a/../../b"] {
            let mut files = Files::new();
            files.insert(path, "x");
            assert_eq!(write_atomically(&files, &home.path().join("out"), false).unwrap_err().code, Code::Internal);
        }
        assert!(!home.path().join("out").exists());
    }
}
