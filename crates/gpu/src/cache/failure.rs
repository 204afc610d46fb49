//! Builds that failed: remembered by a stamp keyed like the engine, so that a build that takes minutes and
//! cannot succeed is not tried at every boot. Any thread; blocks on the disk.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{Cache, CacheError, EngineKey, io_at, regular};

/// Largest stamp read, bytes.
const STAMP_MAX: u64 = 1 << 16;
/// Most characters of the reason that are kept.
const WORDS_MAX: usize = 4000;

/// A build that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Failure {
    /// What was to be built.
    pub key: EngineKey,
    /// The program's version: another one may do better.
    pub version: String,
    /// When it failed, seconds since 1970.
    pub failed_unix_s: u64,
    /// Why.
    pub words: String,
}

impl Cache {
    fn failure_path(&self, key: &EngineKey) -> PathBuf {
        self.dir().join(format!("{}.failed", key.id()))
    }

    /// The last build of this key by this version of the program, where it failed. A stamp that cannot be
    /// read is none: it is only a short cut.
    pub fn failure(&self, key: &EngineKey) -> Option<Failure> {
        let failure = read(&self.failure_path(key))?;
        (failure.key == *key && failure.version == env!("CARGO_PKG_VERSION")).then_some(failure)
    }

    /// Remembers that the build of a key failed.
    ///
    /// # Errors
    /// As [`Cache::store`].
    pub fn remember_failure(&self, key: &EngineKey, words: &str) -> Result<(), CacheError> {
        let failure = Failure {
            key: key.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            failed_unix_s: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
            words: words.chars().take(WORDS_MAX).collect(),
        };
        let path = self.failure_path(key);
        let text = serde_json::to_vec(&failure).map_err(|error| io_at(&path)(error.into()))?;
        self.put(&path, &[&text], |file, parts| {
            parts.iter().try_for_each(|part| file.write_all(part))
        })
    }

    /// Forgets a failure, after a build that succeeded.
    ///
    /// # Errors
    /// [`CacheError::Io`], except where there was none.
    pub fn forget_failure(&self, key: &EngineKey) -> Result<(), CacheError> {
        let path = self.failure_path(key);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_at(&path)(error)),
            _ => Ok(()),
        }
    }
}

pub(super) fn read(path: &std::path::Path) -> Option<Failure> {
    let mut text = Vec::new();
    regular(path).ok()?.take(STAMP_MAX).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}
