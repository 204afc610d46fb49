//! What in a cache nobody needs. Any thread; blocks on the disk.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::{Cache, CacheError, Header};

/// A half-written file is a leftover when it is older than any build's last write can take.
const LEFTOVER_AGE: Duration = Duration::from_secs(3600);

/// What was removed, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The files.
    pub paths: Vec<PathBuf>,
    /// Their bytes.
    pub bytes: u64,
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
                _ => add(entry.path, entry.bytes),
            }
        }
        for (path, bytes) in self.files()? {
            let old = || {
                let changed = fs::metadata(&path).and_then(|metadata| metadata.modified());
                let age = changed.ok().and_then(|changed| changed.elapsed().ok());
                age.is_some_and(|age| age > LEFTOVER_AGE)
            };
            let unwanted = match path.extension().and_then(|extension| extension.to_str()) {
                Some("part") => old(),
                Some("timings") => !timings.contains(&path),
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
