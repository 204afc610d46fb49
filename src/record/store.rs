//! The folder of evidence: what is written appears under its name only when all of it is on the disk.
//!
//! A piece of evidence is a folder. It is written as `.part-NAME`, each file synchronised, then renamed,
//! then the folder above synchronised: a kill or a power cut leaves either all of it or a `.part-…`, which
//! the next start removes. Who writes holds the lock of the folder, so that nobody else's part is taken for
//! a rest. Room is made by removing the oldest, never what is protected. Runs on the writer's thread; blocks.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::FlockOperation;
use sonofuse_core::published::KeptKind;
use thiserror::Error;

use super::settings::Bound;
use super::stamp;

/// The file that tells what a piece of evidence is.
pub const ABOUT: &str = "evidence.json";
/// The file that protects it.
const PROTECTED: &str = "protected";
/// What names of folders begin with that are not complete.
const PART: &str = ".part-";
/// What names of folders begin with that are being removed.
const GONE: &str = ".gone-";
const LOCK: &str = ".lock";
/// Before this the clock was not set (2025-01-01): what bears such a time has no age.
const BELIEVABLE_MS: u64 = 1_735_689_600_000;

/// Why evidence is not kept, listed or removed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The system refused.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The bound is reached and nothing may go.
    #[error(
        "no room in {}: {need_mib} MiB are needed, and what is protected leaves less of the {max_mib} MiB of [record] max-mib: sonofuse evidence list",
        folder.display()
    )]
    Full {
        /// The folder.
        folder: PathBuf,
        /// What is needed, MiB.
        need_mib: u64,
        /// The bound, MiB.
        max_mib: u64,
    },
    /// Another process writes there.
    #[error("another process keeps evidence in {}: give each its own [record] folder", .0.display())]
    Locked(PathBuf),
    /// No folder can be told.
    #[error(
        "no folder for evidence: neither STATE_DIRECTORY, XDG_STATE_HOME nor HOME is set: give [record] folder"
    )]
    NoFolder,
    /// There is no such evidence.
    #[error("no evidence {name:?} in {looked}: sonofuse evidence list")]
    NoSuch {
        /// The name.
        name: String,
        /// Where was looked.
        looked: String,
    },
    /// It is protected.
    #[error("{0} is protected: sonofuse evidence unprotect {0}, or --force")]
    Protected(String),
}

fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { what, path, source }
}

/// A piece of evidence that is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its name, by which items sort as they were made.
    pub name: String,
    /// Its folder.
    pub path: PathBuf,
    /// What it is.
    pub kind: KeptKind,
    /// When it was asked for, ms since 1970 by the wall clock.
    pub made_ms: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// It is never removed to make room.
    pub protected: bool,
}

/// All evidence in `folder`, oldest first; none where the folder is not there. Anything else in it is
/// passed over.
///
/// # Errors
/// [`StoreError::Io`] when the folder cannot be read.
pub fn list(folder: &Path) -> Result<Vec<Item>, StoreError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(io("read", folder)(e)),
    };
    let mut items: Vec<Item> = entries.flatten().filter_map(|entry| item(&entry.path())).collect();
    items.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(items)
}

/// The evidence of this name.
///
/// # Errors
/// [`StoreError::NoSuch`], also for a name that is none.
pub fn find(folders: &[PathBuf], name: &str) -> Result<Item, StoreError> {
    let named = stamp::read(name).is_some();
    let found = folders.iter().find_map(|folder| item(&folder.join(name)).filter(|_| named));
    found.ok_or_else(|| StoreError::NoSuch {
        name: name.chars().take(80).collect(),
        looked: folders.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join(", "),
    })
}

fn item(path: &Path) -> Option<Item> {
    let name = path.file_name()?.to_str()?;
    let (made_ms, kind) = stamp::read(name)?;
    // Not through a link, which may lead anywhere.
    if !fs::symlink_metadata(path).ok()?.is_dir() {
        return None;
    }
    let (mut bytes, mut protected, mut about) = (0, false, false);
    for file in fs::read_dir(path).ok()?.flatten() {
        bytes += file.metadata().map_or(0, |m| m.len());
        protected |= file.file_name() == PROTECTED;
        about |= file.file_name() == ABOUT;
    }
    about.then(|| Item {
        name: name.to_owned(),
        path: path.to_owned(),
        kind,
        made_ms,
        bytes,
        protected,
    })
}

impl Item {
    /// Removes it. What a kill leaves of it is not evidence any more, and goes with the next start.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn remove(&self) -> Result<(), StoreError> {
        let gone = self.path.with_file_name(format!("{GONE}{}", self.name));
        fs::rename(&self.path, &gone).map_err(io("remove", &self.path))?;
        fs::remove_dir_all(&gone).map_err(io("remove", &gone))
    }

    /// Protects it from being removed for room or age, or takes that back.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn protect(&self, protect: bool) -> Result<(), StoreError> {
        let mark = self.path.join(PROTECTED);
        let done = if protect {
            OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o640)
                .open(&mark)
                .map(drop)
        } else {
            fs::remove_file(&mark).or_else(|e| match e.kind() {
                ErrorKind::NotFound => Ok(()),
                _ => Err(e),
            })
        };
        done.and_then(|()| sync_folder(&self.path)).map_err(io("write", &mark))
    }
}

/// What room-making removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Removed {
    pub(super) items: u64,
    pub(super) bytes: u64,
}

/// The folder in the hands of the one process that writes there.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
    bound: Bound,
    /// Held as long as this lives.
    lock: Option<File>,
}

impl Store {
    pub(super) const fn new(folder: PathBuf, bound: Bound) -> Self {
        Self { folder, bound, lock: None }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Takes the folder if it is there, and removes what a kill left; tells how much that was. Makes no
    /// folder: nothing was asked for yet.
    pub(super) fn sweep(&mut self) -> Result<u64, StoreError> {
        if !self.folder.is_dir() {
            return Ok(0);
        }
        self.lock()?;
        let mut swept = 0;
        for entry in fs::read_dir(&self.folder).map_err(io("read", &self.folder))?.flatten() {
            let name = entry.file_name();
            let rest = name.to_str().is_some_and(|n| n.starts_with(PART) || n.starts_with(GONE));
            if rest {
                let path = entry.path();
                fs::remove_dir_all(&path).map_err(io("remove", &path))?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    fn lock(&mut self) -> Result<(), StoreError> {
        if self.lock.is_some() {
            return Ok(());
        }
        let path = self.folder.join(LOCK);
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o640).open(&path);
        let file = file.map_err(io("write", &path))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(e) if e == rustix::io::Errno::WOULDBLOCK => {
                return Err(StoreError::Locked(self.folder.clone()));
            }
            Err(e) => return Err(io("lock", &path)(e.into())),
        }
        self.lock = Some(file);
        Ok(())
    }

    /// Begins a piece of evidence that will have some `need` bytes: makes folder and room.
    pub(super) fn begin(
        &mut self,
        made_ms: u64,
        kind: KeptKind,
        need: u64,
    ) -> Result<Part, StoreError> {
        let mut builder = DirBuilder::new();
        // Of patients: for the owner and its group alone, whatever the umask lets through.
        builder
            .recursive(true)
            .mode(0o750)
            .create(&self.folder)
            .map_err(io("make", &self.folder))?;
        self.lock()?;
        let room = self.make_room(need)?;
        let mut made_ms = made_ms;
        loop {
            let name = stamp::name(made_ms, kind);
            let path = self.folder.join(format!("{PART}{name}"));
            let taken = self.folder.join(&name).exists();
            match if taken { Err(ErrorKind::AlreadyExists.into()) } else { make(&path) } {
                Ok(()) => {
                    return Ok(Part { folder: self.folder.clone(), path, name, room, done: false });
                }
                Err(e) if e.kind() == ErrorKind::AlreadyExists => made_ms += 1,
                Err(e) => return Err(io("make", &path)(e)),
            }
        }
    }

    /// Removes what is too old, then the oldest until `need` more bytes fit the bound.
    pub(super) fn make_room(&self, need: u64) -> Result<Removed, StoreError> {
        let items = list(&self.folder)?;
        let now_ms = now_ms();
        let old = |item: &Item| {
            let age_ms = now_ms.saturating_sub(item.made_ms);
            item.made_ms >= BELIEVABLE_MS && u128::from(age_ms) > self.bound.age.as_millis()
        };
        let mut total: u64 = items.iter().map(|item| item.bytes).sum();
        let stays: u64 = items.iter().filter(|item| item.protected).map(|item| item.bytes).sum();
        if stays.saturating_add(need) > self.bound.bytes {
            let (need_mib, max_mib) = (need.div_ceil(1 << 20), self.bound.bytes >> 20);
            return Err(StoreError::Full { folder: self.folder.clone(), need_mib, max_mib });
        }
        let mut removed = Removed::default();
        for item in items.iter().filter(|item| !item.protected) {
            if old(item) || total + need > self.bound.bytes {
                item.remove()?;
                total -= item.bytes;
                removed.items += 1;
                removed.bytes += item.bytes;
            }
        }
        Ok(removed)
    }
}

fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o750).create(path)
}

/// Evidence that is being written; dropped before [`Part::finish`] it leaves nothing.
#[derive(Debug)]
pub(super) struct Part {
    folder: PathBuf,
    path: PathBuf,
    name: String,
    /// What was removed to make room.
    pub(super) room: Removed,
    done: bool,
}

impl Part {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where a file of it goes that somebody else writes; [`Part::sync`] it then.
    pub(super) fn place(&self, file: &str) -> Result<PathBuf, StoreError> {
        let path = self.path.join(file);
        // So that it has our mode, whoever writes it.
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o640)
            .open(&path)
            .map_err(io("write", &path))?;
        Ok(path)
    }

    /// Has a file on the disk.
    pub(super) fn sync(&self, file: &str) -> Result<(), StoreError> {
        let path = self.path.join(file);
        File::open(&path).and_then(|f| f.sync_all()).map_err(io("write", &path))
    }

    /// Writes a file.
    pub(super) fn write(&self, file: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.place(file)?;
        let write = || {
            let mut file = OpenOptions::new().write(true).open(&path)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().map_err(io("write", &path))
    }

    /// Gives it its name; returns its folder and its bytes.
    pub(super) fn finish(mut self) -> Result<(PathBuf, u64), StoreError> {
        let named = self.folder.join(&self.name);
        let finish = || {
            sync_folder(&self.path)?;
            fs::rename(&self.path, &named)?;
            sync_folder(&self.folder)
        };
        finish().map_err(io("write", &named))?;
        self.done = true;
        let bytes = item(&named).map_or(0, |item| item.bytes);
        Ok((named, bytes))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.done {
            // What cannot be removed now goes with the next start.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The wall clock, ms since 1970.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
