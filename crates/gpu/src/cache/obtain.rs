//! A working engine, stored or built, and one builder at a time. Takes minutes where it builds: for
//! `engine build` and its unit, never for the live service. One thread.

use std::fmt;
use std::fs::{File, TryLockError};
use std::time::Instant;

use rustix::fs::{Mode, OFlags};

use super::{Cache, CacheError, EngineKey, io_at, no_file};

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

/// The right to build into a folder; given back when dropped, or when the process ends.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held")] File);

impl Cache {
    /// Waits for the right to build into this folder: two builds at once would take twice the time
    /// and may be too much for the memory. `wait` is called once where another process has it.
    ///
    /// # Errors
    /// [`CacheError::Io`].
    pub fn lock(&self, wait: impl FnOnce()) -> Result<Lock, CacheError> {
        let path = self.dir.join(".lock");
        // As for everything in the folder: what is there is not waited for, nor followed.
        if let Some(why) = std::fs::symlink_metadata(&path).ok().as_ref().and_then(no_file) {
            return Err(CacheError::Foreign { path, why });
        }
        let flags = OFlags::RDWR
            | OFlags::CREATE
            | OFlags::NONBLOCK
            | OFlags::NOFOLLOW
            | OFlags::NOCTTY
            | OFlags::CLOEXEC;
        let file = rustix::fs::open(&path, flags, Mode::from_raw_mode(0o644))
            .map_err(|error| io_at(&path)(error.into()))?;
        let file = File::from(file);
        if let Some(why) = no_file(&file.metadata().map_err(io_at(&path))?) {
            return Err(CacheError::Foreign { path, why });
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                wait();
                file.lock().map_err(io_at(&path))?;
            }
            Err(TryLockError::Error(source)) => return Err(io_at(&path)(source)),
        }
        Ok(Lock(file))
    }

    /// Gives a working engine of a key: the stored one, or one that is built. A stored engine that is
    /// damaged, or that `start` cannot use, is removed and built again, once; an error of `start` that
    /// `passes` (the memory is full just now) is told instead, and the engine stays.
    ///
    /// # Errors
    /// Those of `build` and `start`; the cache's own only where the new engine cannot be stored.
    pub fn obtain<T, E: From<CacheError> + fmt::Display>(
        &self,
        key: &EngineKey,
        model: &str,
        mut build: impl FnMut() -> Result<Vec<u8>, E>,
        mut start: impl FnMut(&[u8]) -> Result<T, E>,
        passes: impl Fn(&E) -> bool,
    ) -> Result<(T, Obtained), E> {
        let reason = match self.load(key) {
            Ok(Some(stored)) => match start(&stored.plan) {
                Ok(started) => return Ok((started, Obtained::Stored)),
                Err(error) if passes(&error) => return Err(error),
                Err(error) => Some(error.to_string()),
            },
            Ok(None) => None,
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = &reason {
            tracing::warn!(why, engine = key.id(), "the stored engine is built again");
            self.remove(key)?;
        }
        let begun = Instant::now();
        let plan = build()?;
        let took = begun.elapsed();
        // Started before it is stored: a plan that does not work must not be found at every boot.
        let started = start(&plan)?;
        self.store(key, model, took, &plan)?;
        Ok((started, reason.map_or(Obtained::Built, Obtained::BuiltAgain)))
    }
}
