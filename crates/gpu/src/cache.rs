//! Engines on disk: keyed by everything that they depend on, written whole or not at all, checked
//! before they are used. Needs no GPU. Any thread; blocks on the disk, so never on the live path.
//!
//! An entry is one file: a line with the form, a line of JSON ([`Header`]), the plan. It is written
//! beside its place, flushed to the disk and renamed, so a power cut leaves the old entry or the new.

mod key;

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

pub use key::{EngineKey, KEY_SCHEMA, Precision, Shapes};

/// First line of an entry.
const FORM: &str = "sonofuse-engine 1\n";
/// Longest header read, bytes.
const HEADER_MAX: u64 = 1 << 16;
/// Largest plan read, bytes.
const PLAN_MAX: u64 = 8 << 30;
/// A half-written file is a leftover when it is older than any build's last write can take.
const LEFTOVER_AGE: Duration = Duration::from_secs(3600);

/// Why the cache did not do what was asked.
#[derive(Debug, Error)]
pub enum CacheError {
    /// The disk is full.
    #[error(
        "{dir} is full: {need} bytes are needed for an engine; free some (`sonofuse engine prune` removes engines that nothing uses)"
    )]
    Full {
        /// The folder.
        dir: PathBuf,
        /// Bytes of the entry.
        need: u64,
    },
    /// The disk failed otherwise, or something may not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// What was touched.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The file is not what was written.
    #[error("{path} is damaged: {why}; remove it and build the engine again")]
    Damaged {
        /// The entry.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Others may write the file, and a plan can be a program.
    #[error("{path} can be written by everybody and is not used: `chmod o-w` it, and find out why")]
    Untrusted {
        /// The entry.
        path: PathBuf,
    },
}

/// What is said of a plan in its file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Header {
    /// What the plan depends on.
    pub key: EngineKey,
    /// Name of the model, for people.
    pub model: String,
    /// When it was built, seconds since 1970.
    pub built_unix_s: u64,
    /// How long that took, seconds.
    pub build_s: u64,
    /// Bytes of the plan.
    pub bytes: u64,
    /// SHA-256 of the key's canonical text and the plan.
    pub sha256: String,
}

/// A plan that was read and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// What is said of it.
    pub header: Header,
    /// The plan.
    pub plan: Vec<u8>,
    /// Its file.
    pub path: PathBuf,
}

/// One file of the cache, as [`Cache::list`] finds it.
#[derive(Debug)]
pub struct Entry {
    /// The file.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: u64,
    /// Its header, or why it has none. The plan itself is not read: [`verify`] does.
    pub header: Result<Header, CacheError>,
}

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The files.
    pub paths: Vec<PathBuf>,
    /// Their bytes.
    pub bytes: u64,
}

/// A folder of engines.
#[derive(Clone, Debug)]
pub struct Cache {
    dir: PathBuf,
}

fn io_at(path: &Path) -> impl Fn(io::Error) -> CacheError + '_ {
    move |source| CacheError::Io { path: path.to_owned(), source }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn checksum(key: &EngineKey, plan: &[u8]) -> String {
    hex(&Sha256::new().chain_update(key.canonical()).chain_update(plan).finalize())
}

impl Cache {
    /// Uses a folder, which is made where it is missing.
    ///
    /// # Errors
    /// [`CacheError::Io`].
    pub fn open(dir: impl Into<PathBuf>) -> Result<Self, CacheError> {
        let dir = dir.into();
        fs::create_dir_all(&dir).map_err(io_at(&dir))?;
        Ok(Self { dir })
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the engine of a key lies, if it is there.
    pub fn path_of(&self, key: &EngineKey) -> PathBuf {
        self.dir.join(format!("{}.engine", key.id()))
    }

    /// Reads and checks the engine of a key; `None` where there is none.
    ///
    /// # Errors
    /// [`CacheError`]; [`CacheError::Damaged`] also for an entry of another key under this name.
    pub fn load(&self, key: &EngineKey) -> Result<Option<Stored>, CacheError> {
        let path = self.path_of(key);
        let stored = match verify(&path) {
            Err(CacheError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            result => result?,
        };
        if stored.header.key == *key {
            return Ok(Some(stored));
        }
        let why = format!("it is the engine of {}", stored.header.key.id());
        Err(CacheError::Damaged { path, why })
    }

    /// Writes an engine in the place of what was there.
    ///
    /// # Errors
    /// [`CacheError::Full`] or [`CacheError::Io`]; what was there stays, and nothing is left over.
    pub fn store(
        &self,
        key: &EngineKey,
        model: &str,
        build: Duration,
        plan: &[u8],
    ) -> Result<PathBuf, CacheError> {
        let header = Header {
            key: key.clone(),
            model: model.to_owned(),
            built_unix_s: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
            build_s: build.as_secs(),
            bytes: plan.len() as u64,
            sha256: checksum(key, plan),
        };
        let path = self.path_of(key);
        let text = serde_json::to_string(&header)
            .map_err(|error| CacheError::Io { path: path.clone(), source: error.into() })?;
        let head = format!("{FORM}{text}\n");
        self.put(&path, &[head.as_bytes(), plan], |file, parts| {
            parts.iter().try_for_each(|part| file.write_all(part))
        })?;
        Ok(path)
    }

    /// Writes a file beside its place, flushes and renames it.
    fn put(
        &self,
        path: &Path,
        parts: &[&[u8]],
        write: impl FnOnce(&mut File, &[&[u8]]) -> io::Result<()>,
    ) -> Result<(), CacheError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let unique = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        let temporary = self.dir.join(format!(".{name}.{}-{unique}.part", std::process::id()));
        let result = File::create_new(&temporary)
            .and_then(|mut file| {
                write(&mut file, parts)?;
                // Some file systems tell only now that the disk is full.
                file.sync_all()
            })
            .and_then(|()| fs::rename(&temporary, path))
            // The new name itself survives a power cut.
            .and_then(|()| File::open(&self.dir)?.sync_all());
        result.map_err(|source| {
            let _ = fs::remove_file(&temporary);
            match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => CacheError::Full {
                    dir: self.dir.clone(),
                    need: parts.iter().map(|part| part.len() as u64).sum(),
                },
                _ => CacheError::Io { path: temporary, source },
            }
        })
    }

    /// All engines, by file name. Headers are read, plans are not.
    ///
    /// # Errors
    /// [`CacheError::Io`] where the folder cannot be read.
    pub fn list(&self) -> Result<Vec<Entry>, CacheError> {
        let mut entries = Vec::new();
        for file in fs::read_dir(&self.dir).map_err(io_at(&self.dir))? {
            let file = file.map_err(io_at(&self.dir))?;
            let path = file.path();
            if path.extension().is_none_or(|extension| extension != "engine") {
                continue;
            }
            let bytes = file.metadata().map_or(0, |metadata| metadata.len());
            let header = open(&path).map(|(header, _)| header);
            entries.push(Entry { path, bytes, header });
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    /// Removes the engines that `keep` does not want, those without a readable header, timings that
    /// no kept engine's device has, and half-written files older than an hour.
    ///
    /// # Errors
    /// [`CacheError::Io`] where something cannot be removed; what was removed before stays removed.
    pub fn prune(&self, keep: impl Fn(&Header) -> bool) -> Result<Pruned, CacheError> {
        let mut pruned = Pruned::default();
        let mut timings = Vec::new();
        let mut remove = Vec::new();
        for entry in self.list()? {
            match &entry.header {
                Ok(header) if keep(header) => timings.push(self.timing_path(&header.key)),
                _ => remove.push(entry.path),
            }
        }
        for file in fs::read_dir(&self.dir).map_err(io_at(&self.dir))? {
            let file = file.map_err(io_at(&self.dir))?;
            let path = file.path();
            let old = || {
                let changed = file.metadata().and_then(|metadata| metadata.modified());
                let age = changed.ok().and_then(|changed| changed.elapsed().ok());
                age.is_some_and(|age| age > LEFTOVER_AGE)
            };
            let extension = path.extension().and_then(|extension| extension.to_str());
            let unwanted = match extension {
                Some("part") => old(),
                Some("timings") => !timings.contains(&path),
                _ => false,
            };
            if unwanted {
                remove.push(path);
            }
        }
        for path in remove {
            let bytes = fs::metadata(&path).map_or(0, |metadata| metadata.len());
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(CacheError::Io { path, source: error });
                }
                _ => {}
            }
            pruned.bytes += bytes;
            pruned.paths.push(path);
        }
        Ok(pruned)
    }

    /// Removes the engine of a key.
    ///
    /// # Errors
    /// [`CacheError::Io`], except where there was none.
    pub fn remove(&self, key: &EngineKey) -> Result<(), CacheError> {
        let path = self.path_of(key);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_at(&path)(error)),
            _ => Ok(()),
        }
    }

    fn timing_path(&self, key: &EngineKey) -> PathBuf {
        self.dir.join(format!("{}.timings", key.timing_id()))
    }

    /// The timings that earlier builds for this device and TensorRT left; empty where there are none
    /// or they are damaged, as they are only a short cut.
    pub fn timings(&self, key: &EngineKey) -> Vec<u8> {
        let bytes = fs::read(self.timing_path(key)).unwrap_or_default();
        match bytes.split_at_checked(32) {
            Some((sum, timings)) if Sha256::digest(timings).as_slice() == sum => timings.to_vec(),
            _ => Vec::new(),
        }
    }

    /// Keeps timings for the next build.
    ///
    /// # Errors
    /// As [`Cache::store`].
    pub fn store_timings(&self, key: &EngineKey, timings: &[u8]) -> Result<(), CacheError> {
        let sum = Sha256::digest(timings);
        self.put(&self.timing_path(key), &[&sum, timings], |file, parts| {
            parts.iter().try_for_each(|part| file.write_all(part))
        })
    }

    /// Gives a working engine of a key: the stored one, or one that is built. A stored engine that is
    /// damaged, or that `start` cannot use, is removed and built again, once.
    ///
    /// Builds take minutes: call this from `engine build` and its unit, never from the live service.
    ///
    /// # Errors
    /// Those of `build` and `start`; the cache's own only where the new engine cannot be stored.
    pub fn obtain<T, E: From<CacheError> + fmt::Display>(
        &self,
        key: &EngineKey,
        model: &str,
        mut build: impl FnMut() -> Result<Vec<u8>, E>,
        mut start: impl FnMut(&[u8]) -> Result<T, E>,
    ) -> Result<(T, Obtained), E> {
        let reason = match self.load(key) {
            Ok(Some(stored)) => match start(&stored.plan) {
                Ok(started) => return Ok((started, Obtained::Stored)),
                Err(error) => Some(error.to_string()),
            },
            Ok(None) => None,
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = &reason {
            tracing::warn!(why, engine = key.id(), "the stored engine is built again");
            self.remove(key)?;
        }
        let begun = std::time::Instant::now();
        let plan = build()?;
        let took = begun.elapsed();
        // Started before it is stored: a plan that does not work must not be found at every boot.
        let started = start(&plan)?;
        self.store(key, model, took, &plan)?;
        Ok((started, reason.map_or(Obtained::Built, Obtained::BuiltAgain)))
    }
}

/// Where [`Cache::obtain`] got an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obtained {
    /// It was there.
    Stored,
    /// There was none.
    Built,
    /// What was there did not serve, for this reason.
    BuiltAgain(String),
}

/// Reads an entry's header; the reader stands at the plan.
fn open(path: &Path) -> Result<(Header, BufReader<File>), CacheError> {
    let file = File::open(path).map_err(io_at(path))?;
    let metadata = file.metadata().map_err(io_at(path))?;
    let damaged =
        |why: &dyn ToString| CacheError::Damaged { path: path.to_owned(), why: why.to_string() };
    if !metadata.is_file() {
        return Err(damaged(&"it is not a file"));
    }
    if metadata.permissions().mode() & 0o002 != 0 {
        return Err(CacheError::Untrusted { path: path.to_owned() });
    }
    let mut reader = BufReader::new(file);
    let mut line = || {
        let mut line = Vec::new();
        let read = (&mut reader).take(HEADER_MAX).read_until(b'\n', &mut line);
        read.map_err(io_at(path)).map(|_| line)
    };
    if line()? != FORM.as_bytes() {
        return Err(damaged(&"it does not begin like an engine of this version"));
    }
    let header: Header = serde_json::from_slice(&line()?).map_err(|error| damaged(&error))?;
    Ok((header, reader))
}

/// Reads an entry whole and compares its checksum.
///
/// # Errors
/// [`CacheError`].
pub fn verify(path: &Path) -> Result<Stored, CacheError> {
    let (header, reader) = open(path)?;
    let damaged = |why: String| CacheError::Damaged { path: path.to_owned(), why };
    if header.bytes > PLAN_MAX {
        return Err(damaged(format!("a plan of {} bytes is none", header.bytes)));
    }
    let mut plan = Vec::new();
    reader.take(header.bytes + 1).read_to_end(&mut plan).map_err(io_at(path))?;
    if plan.len() as u64 != header.bytes {
        let found = plan.len();
        return Err(damaged(format!("the plan has {found} bytes, {} were written", header.bytes)));
    }
    if checksum(&header.key, &plan) != header.sha256 {
        return Err(damaged("its checksum is another".into()));
    }
    Ok(Stored { header, plan, path: path.to_owned() })
}

#[cfg(test)]
mod tests;
