//! The build cache: folders named by the hash of everything that went into them.
//!
//! An entry is built in a temporary folder beside the entries and renamed into place, so that processes working at the same time
//! never see half an entry; when two build the same one, the first to finish wins. Entries are never changed. A stamp file keeps the
//! time of last use; when the cache outgrows its bound, the entries used longest ago go first.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use netfold_ir::diag::{Code, Diag};

/// Part of every key; changes when the meaning of an entry does.
const LAYOUT: &str = "netfold-sim 1";
const STAMP: &str = "last-use";
const TEMPORARY: &str = "tmp-";
const DEFAULT_MAX_MB: u64 = 2048;
/// A temporary folder this old belongs to a process that died.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);
/// Entries used this recently stay even when the cache is full: another process may be about to load them.
const IN_USE: Duration = Duration::from_secs(120);

/// A cache folder with a size bound.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
    max_bytes: u64,
}

impl Cache {
    /// The user's cache: `NETFOLD_CACHE`, else `$XDG_CACHE_HOME/netfold`, else `~/.cache/netfold`, bounded by `NETFOLD_CACHE_MB` MiB.
    ///
    /// # Errors
    /// `Code::Usage` when none of these is set, or the bound is not a number.
    pub fn open() -> Result<Cache, Diag> {
        let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let root = set("NETFOLD_CACHE")
            .or_else(|| set("XDG_CACHE_HOME").map(|p| p.join("netfold")))
            .or_else(|| set("HOME").map(|p| p.join(".cache").join("netfold")))
            .ok_or_else(|| {
                Diag::new(Code::Usage, "NETFOLD_CACHE", "no folder for simulator builds is known")
                    .help("set NETFOLD_CACHE to a folder that can be written")
            })?;
        let max_mb = match std::env::var("NETFOLD_CACHE_MB") {
            Ok(text) => text.trim().parse::<u64>().map_err(|_| {
                Diag::new(Code::Usage, "NETFOLD_CACHE_MB", format!("{text:?} is not a whole number of MiB"))
            })?,
            Err(_) => DEFAULT_MAX_MB,
        };
        Ok(Cache::at(root, max_mb.saturating_mul(1 << 20)))
    }

    /// A cache in `root`, which need not exist yet, of at most `max_bytes` (entries in use excepted).
    pub fn at(root: impl Into<PathBuf>, max_bytes: u64) -> Cache {
        let root = root.into();
        // Libraries are loaded by absolute path: a relative name would be searched on the loader's path.
        let root = std::path::absolute(&root).unwrap_or(root);
        Cache { root, max_bytes }
    }

    /// The folder of entry `key`, built by `build` (given an empty folder to fill) unless it is there already.
    ///
    /// # Errors
    /// What `build` returns, or `Code::Io`.
    pub fn get(&self, key: &Key, build: impl FnOnce(&Path) -> Result<(), Diag>) -> Result<PathBuf, Diag> {
        let entry = self.root.join(key.hex());
        if touch(&entry) {
            return Ok(entry);
        }
        let building = in_process_lock(&entry);
        let _building = building.lock().unwrap_or_else(PoisonError::into_inner);
        if touch(&entry) {
            return Ok(entry);
        }
        let io = |e: std::io::Error| io_error(&self.root, &e);
        fs::create_dir_all(&self.root).map_err(io)?;
        self.remove_abandoned();
        let temporary = tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(&self.root).map_err(io)?;
        build(temporary.path())?;
        fs::write(temporary.path().join(STAMP), b"").map_err(io)?;
        let built = temporary.keep();
        match fs::rename(&built, &entry) {
            Ok(()) => {}
            Err(e) => {
                let _ = fs::remove_dir_all(&built);
                if !touch(&entry) {
                    return Err(io_error(&entry, &e));
                }
            }
        }
        self.evict(&entry);
        Ok(entry)
    }

    /// Writes text for the user to read after a failure; returns where.
    pub(crate) fn log(&self, key: &Key, text: &str) -> Option<PathBuf> {
        let folder = self.root.join("logs");
        fs::create_dir_all(&folder).ok()?;
        let path = folder.join(format!("{}.log", &key.hex()[..16]));
        fs::write(&path, text).ok()?;
        Some(path)
    }

    fn entries(&self) -> Vec<PathBuf> {
        let Ok(list) = fs::read_dir(&self.root) else { return Vec::new() };
        list.flatten().map(|e| e.path()).filter(|p| p.is_dir() && p.file_name().is_some_and(|n| n != "logs")).collect()
    }

    fn remove_abandoned(&self) {
        let is_temporary = |p: &Path| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with(TEMPORARY));
        for path in self.entries().into_iter().filter(|p| is_temporary(p)) {
            let age = fs::metadata(&path).and_then(|m| m.modified()).ok().and_then(|t| t.elapsed().ok());
            if age.is_some_and(|a| a > ABANDONED) {
                let _ = fs::remove_dir_all(&path);
            }
        }
    }

    /// Removes the entries used longest ago until the rest fits the bound. Failures leave the cache larger, no more.
    fn evict(&self, keep: &Path) {
        let mut entries: Vec<(SystemTime, u64, PathBuf)> = self
            .entries()
            .into_iter()
            .filter_map(|path| {
                let used = fs::metadata(path.join(STAMP)).and_then(|m| m.modified()).ok()?;
                Some((used, folder_bytes(&path), path))
            })
            .collect();
        entries.sort();
        let mut total: u64 = entries.iter().map(|(_, bytes, _)| bytes).sum();
        for (used, bytes, path) in entries {
            if total <= self.max_bytes {
                break;
            }
            let in_use = used.elapsed().map_or(true, |age| age < IN_USE);
            if path == keep || in_use {
                continue;
            }
            // Renamed first, so that no one finds an entry that is half gone.
            let doomed = path.with_file_name(format!("{TEMPORARY}evict-{}", std::process::id()));
            if fs::rename(&path, &doomed).is_ok() && fs::remove_dir_all(&doomed).is_ok() {
                total -= bytes;
            }
        }
    }
}

/// One lock an entry: threads of one process wait for each other's build instead of repeating it.
fn in_process_lock(entry: &Path) -> Arc<Mutex<()>> {
    static LOCKS: Mutex<Option<HashMap<PathBuf, Arc<Mutex<()>>>>> = Mutex::new(None);
    let mut locks = LOCKS.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(locks.get_or_insert_default().entry(entry.to_path_buf()).or_default())
}

/// Marks an entry as just used; false when there is none.
fn touch(entry: &Path) -> bool {
    match fs::File::options().write(true).open(entry.join(STAMP)) {
        Ok(stamp) => {
            // A cache that cannot be written (a shared one) still serves.
            let _ = stamp.set_modified(SystemTime::now());
            true
        }
        Err(e) => e.kind() != ErrorKind::NotFound && entry.join(STAMP).exists(),
    }
}

fn folder_bytes(path: &Path) -> u64 {
    let Ok(list) = fs::read_dir(path) else { return 0 };
    list.flatten()
        .map(|e| match e.metadata() {
            Ok(m) if m.is_dir() => folder_bytes(&e.path()),
            Ok(m) => m.len(),
            Err(_) => 0,
        })
        .sum()
}

pub(crate) fn io_error(place: &Path, e: &std::io::Error) -> Diag {
    Diag::new(Code::Io, place.display().to_string(), e.to_string())
}

/// Hash over everything that determines an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(blake3::Hash);

impl Key {
    /// The entry's folder name.
    pub fn hex(&self) -> String {
        self.0.to_hex().to_string()
    }
}

/// Collects what determines an entry. Every part carries its length, so that no two lists of parts hash alike.
#[derive(Debug, Clone)]
pub struct KeyBuilder(blake3::Hasher);

impl KeyBuilder {
    /// Starts the key of an entry of one kind.
    pub fn new(kind: &str) -> KeyBuilder {
        KeyBuilder(blake3::Hasher::new()).part(LAYOUT).part(kind)
    }

    /// Adds a part.
    #[must_use]
    pub fn part(mut self, bytes: impl AsRef<[u8]>) -> KeyBuilder {
        let bytes = bytes.as_ref();
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// The key.
    pub fn finish(self) -> Key {
        Key(self.0.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        KeyBuilder::new("test").part(name).finish()
    }

    fn fill(folder: &Path, bytes: usize) -> Result<(), Diag> {
        fs::write(folder.join("data"), vec![0u8; bytes]).map_err(|e| io_error(folder, &e))
    }

    fn age(entry: &Path, seconds: u64) {
        let stamp = fs::File::options().write(true).open(entry.join(STAMP)).unwrap();
        stamp.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
    }

    #[test]
    fn builds_once_and_keeps_no_failure() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::at(root.path(), 1 << 20);
        assert!(cache.get(&key("a"), |_| Err(Diag::new(Code::Tool, "", "no"))).is_err());
        assert_eq!(cache.entries().len(), 0);
        let mut builds = 0;
        for _ in 0..3 {
            let entry = cache
                .get(&key("a"), |f| {
                    builds += 1;
                    fill(f, 10)
                })
                .unwrap();
            assert!(entry.join("data").is_file());
        }
        assert_eq!(builds, 1);
    }

    #[test]
    fn evicts_what_was_used_longest_ago() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::at(root.path(), 2500);
        let a = cache.get(&key("a"), |f| fill(f, 1000)).unwrap();
        let b = cache.get(&key("b"), |f| fill(f, 1000)).unwrap();
        age(&a, 5000);
        age(&b, 9000);
        let c = cache.get(&key("c"), |f| fill(f, 1000)).unwrap();
        assert!(a.exists() && c.exists());
        assert!(!b.exists());
    }

    #[test]
    fn racing_builders_agree() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::at(root.path(), 1 << 20);
        let entries: Vec<PathBuf> = std::thread::scope(|s| {
            let workers: Vec<_> = (0..8).map(|_| s.spawn(|| cache.get(&key("a"), |f| fill(f, 100)).unwrap())).collect();
            workers.into_iter().map(|w| w.join().unwrap()).collect()
        });
        assert!(entries.iter().all(|e| e == &entries[0]));
        assert_eq!(cache.entries().len(), 1);
    }

    #[test]
    fn parts_do_not_run_together() {
        let one = KeyBuilder::new("t").part("ab").part("c").finish();
        let two = KeyBuilder::new("t").part("a").part("bc").finish();
        assert_ne!(one, two);
    }
}
