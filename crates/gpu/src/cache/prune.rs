//! What in a cache nobody needs. Any thread; blocks on the disk.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::{Cache, CacheError, Failure, Header, failure, is_ours};

/// A half-written file is a leftover when it is older than any build's last write can take.
const LEFTOVER_AGE: Duration = Duration::from_hours(1);

/// What was removed, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The files.
    pub paths: Vec<PathBuf>,
    /// Their bytes.
    pub bytes: u64,
}

impl Header {
    /// What is said of an engine that was to be built, to be judged as one that was.
    fn of(failure: &Failure) -> Self {
        Self {
            key: failure.key.clone(),
            model: String::new(),
            built_unix_s: failure.failed_unix_s,
            build_s: 0,
            bytes: 0,
            sha256: String::new(),
        }
    }
}

impl Cache {
    /// Finds what [`Cache::prune`] removes: the engines that `keep` does not want, those without a
    /// readable header, timings that no kept engine's device has, and half-written files older than an
    /// hour.
    ///
    /// # Errors
    /// [`CacheError::Io`] where the folder cannot be read.
    pub fn prunable(&self, keep: impl Fn(&Header) -> bool) -> Result<Pruned, CacheError> {
        let mut found = Pruned::default();
        let mut timings = Vec::new();
        let mut add = |path, bytes| {
            found.bytes += bytes;
            found.paths.push(path);
        };
        for entry in self.list()? {
            match &entry.header {
                Ok(header) if keep(header) => timings.push(self.timing_path(&header.key)),
                // Not ours to remove, or not readable just now.
                Err(CacheError::Foreign { .. } | CacheError::Io { .. }) => {}
                _ => add(entry.path, entry.bytes),
            }
        }
        for (path, bytes) in self.files()? {
            let old = || {
                let changed = fs::symlink_metadata(&path).and_then(|metadata| metadata.modified());
                let age = changed.ok().and_then(|changed| changed.elapsed().ok());
                age.is_some_and(|age| age > LEFTOVER_AGE)
            };
            if !fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file()) {
                continue;
            }
            let unwanted = match path.extension().and_then(|extension| extension.to_str()) {
                Some("part") => old(),
                Some("timings") => is_ours(&path) && !timings.contains(&path),
                Some("failed") => {
                    is_ours(&path)
                        && failure::read(&path).is_none_or(|failure| !keep(&Header::of(&failure)))
                }
                _ => false,
            };
            if unwanted {
                add(path, bytes);
            }
        }
        Ok(found)
    }

    /// Removes what [`Cache::prunable`] finds.
    ///
    /// # Errors
    /// [`CacheError::Io`] where something cannot be removed; what was removed before stays removed.
    pub fn prune(&self, keep: impl Fn(&Header) -> bool) -> Result<Pruned, CacheError> {
        let found = self.prunable(keep)?;
        for path in &found.paths {
            match fs::remove_file(path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(CacheError::Io { path: path.clone(), source });
                }
                _ => {}
            }
        }
        Ok(found)
    }
}
