//! Engines on disk: keyed by everything that they depend on, written whole or not at all, checked
//! before they are used. Needs no GPU. Any thread; blocks on the disk, so never on the live path.
//!
//! An entry is one file: a line with the form, a line of JSON ([`Header`]), the plan. It is written
//! beside its place, flushed to the disk and renamed, so a power cut leaves the old entry or the new.

mod failure;
mod key;
mod obtain;
mod prune;

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

pub use failure::Failure;
pub use key::{EngineKey, KEY_SCHEMA, Precision, Shapes};
pub use obtain::{Lock, Obtained};
pub use prune::Pruned;

/// First line of an entry.
const FORM: &str = "sonofuse-engine 1\n";
/// Longest header read, bytes.
const HEADER_MAX: u64 = 1 << 16;
/// Largest plan read, bytes.
const PLAN_MAX: u64 = 8 << 30;
/// Largest file of timings read, bytes.
const TIMINGS_MAX: u64 = 1 << 28;

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
    /// What lies there was not written by this program.
    #[error("{path} is no engine of sonofuse ({why}): it is left alone")]
    Foreign {
        /// What lies there.
        path: PathBuf,
        /// What it is.
        why: &'static str,
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

/// Opens a regular file of the cache to be read. A cache is a folder that others may put things into: a
/// pipe would wait for its other end for ever, a link may lead to a device.
fn regular(path: &Path) -> Result<File, CacheError> {
    use rustix::fs::{Mode, OFlags};
    let foreign = |why| CacheError::Foreign { path: path.to_owned(), why };
    // Opening alone can do something to a device, so it is looked at first; the flags and the second look
    // are for what takes its place in between.
    if let Some(why) = no_file(&fs::symlink_metadata(path).map_err(io_at(path))?) {
        return Err(foreign(why));
    }
    let flags =
        OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::LOOP) => return Err(foreign("a link")),
        // A socket, or a device without a driver.
        Err(rustix::io::Errno::NXIO | rustix::io::Errno::NODEV) => {
            return Err(foreign("no regular file"));
        }
        Err(error) => return Err(io_at(path)(error.into())),
    };
    match no_file(&file.metadata().map_err(io_at(path))?) {
        Some(why) => Err(foreign(why)),
        None => Ok(file),
    }
}

/// What something is that is no regular file.
fn no_file(metadata: &fs::Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    match (kind.is_file(), kind.is_symlink(), kind.is_dir()) {
        (true, ..) => None,
        (_, true, _) => Some("a link"),
        (.., true) => Some("a folder"),
        _ => Some("no regular file"),
    }
}

/// Whether a file's name is one that this program gives: 32 hexadecimal digits and a suffix of ours.
fn is_ours(path: &Path) -> bool {
    let digits = |stem: &str| stem.len() == 32 && stem.bytes().all(|b| b.is_ascii_hexdigit());
    path.file_stem().and_then(|stem| stem.to_str()).is_some_and(digits)
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

    /// Uses a folder as it is: what is not there holds no engines. For those who only look.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
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
        for (path, bytes) in self.files()? {
            if path.extension().is_none_or(|extension| extension != "engine") {
                continue;
            }
            let header = open(&path).map(|(header, _)| header);
            entries.push(Entry { path, bytes, header });
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }

    /// Everything that lies there with its bytes; nothing where there is no folder.
    fn files(&self) -> Result<Vec<(PathBuf, u64)>, CacheError> {
        let folder = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            result => result.map_err(io_at(&self.dir))?,
        };
        folder
            .map(|file| {
                let file = file.map_err(io_at(&self.dir))?;
                Ok((file.path(), file.metadata().map_or(0, |metadata| metadata.len())))
            })
            .collect()
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
        let mut bytes = Vec::new();
        if let Ok(file) = regular(&self.timing_path(key)) {
            let _ = file.take(TIMINGS_MAX).read_to_end(&mut bytes);
        }
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
}

/// Reads an entry's header; the reader stands at the plan.
fn open(path: &Path) -> Result<(Header, BufReader<File>), CacheError> {
    let file = regular(path)?;
    let metadata = file.metadata().map_err(io_at(path))?;
    let damaged =
        |why: &dyn ToString| CacheError::Damaged { path: path.to_owned(), why: why.to_string() };
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
        if !is_ours(path) {
            let why = "it does not begin like one, and its name is not ours";
            return Err(CacheError::Foreign { path: path.to_owned(), why });
        }
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
