//! The runtime: turns plans into engines. Any thread; setters need the only handle.
#![allow(unsafe_code, reason = "takes over what the factory answers")]

use crate::engine::Engine;
use crate::error::Error;
use crate::library::{Library, failed};
use crate::raw::engine::RawRuntime;
use std::ffi::CString;
use std::path::Path;
use std::sync::Arc;

/// Loads engines. What it loads keeps it alive, so it may be dropped at any time.
#[derive(Debug)]
pub struct Runtime {
    inner: Arc<RuntimeInner>,
}

#[derive(Debug)]
pub(crate) struct RuntimeInner {
    raw: RawRuntime,
    pub(crate) library: Library,
}

impl Runtime {
    pub(crate) fn new(library: Library) -> Result<Self, Error> {
        let heard = library.call();
        let object = library.create_runtime_object();
        // SAFETY: the answer of the factory of a library that is never unloaded, with its table.
        let raw = unsafe { RawRuntime::open(object, library.loaded.abi) }
            .map_err(|bad| Library::no_object("createInferRuntime", &heard, bad))?;
        Ok(Self { inner: Arc::new(RuntimeInner { raw, library }) })
    }

    /// The library that this runtime is of.
    pub fn library(&self) -> Library {
        self.inner.library
    }

    /// Loads a plan that was built by the same version of TensorRT for the same kind of GPU (or as
    /// version-compatible or hardware-compatible). The bytes are copied.
    ///
    /// # Errors
    /// [`Error::Failed`] with TensorRT's words: the plan is damaged, of another version or for
    /// another GPU; or memory is short.
    ///
    /// # Security
    /// TensorRT trusts plans: load only what your own machine built. With
    /// [`Runtime::allow_engine_host_code`] a plan is a program.
    pub fn deserialize(&self, plan: &[u8]) -> Result<Engine, Error> {
        let heard = self.inner.library.call();
        let raw = self
            .inner
            .raw
            .deserialize(plan)
            .map_err(|bad| Library::no_object("deserializeCudaEngine", &heard, bad))?;
        Engine::new(raw, Arc::clone(&self.inner)).ok_or_else(|| failed("getIOTensorName", &heard))
    }

    /// How many DLA cores this machine has (0 without).
    pub fn dla_cores(&self) -> usize {
        usize::try_from(self.inner.raw.dla_cores()).unwrap_or(0)
    }

    /// Chooses the DLA core for the engines loaded from now on.
    ///
    /// # Errors
    /// [`Error::NoSuchIndex`] beyond [`Runtime::dla_cores`]; [`Error::NotTaken`].
    pub fn set_dla_core(&mut self, core: usize) -> Result<(), Error> {
        let count = self.dla_cores();
        if core >= count {
            return Err(Error::NoSuchIndex { what: "DLA core", index: core, count });
        }
        let raw = self.only()?;
        raw.set_dla_core(core as i32);
        let has = raw.dla_core();
        if has == core as i32 {
            return Ok(());
        }
        Err(Error::NotTaken { setting: "DLA core", asked: core.to_string(), has: has.to_string() })
    }

    /// The most threads that loading may use.
    pub fn max_threads(&self) -> usize {
        usize::try_from(self.inner.raw.max_threads()).unwrap_or(0)
    }

    /// Sets the most threads that loading may use (1 or more).
    ///
    /// # Errors
    /// [`Error::Failed`] where TensorRT refuses the number.
    pub fn set_max_threads(&mut self, threads: usize) -> Result<(), Error> {
        let heard = self.inner.library.call();
        let threads = i32::try_from(threads).unwrap_or(i32::MAX);
        if self.only()?.set_max_threads(threads) {
            return Ok(());
        }
        Err(failed("setMaxThreads", &heard))
    }

    /// Says where TensorRT may unpack executable parts of version-compatible plans; by default
    /// `TMPDIR`, else `/tmp`. A service that may not execute from there needs this.
    ///
    /// # Errors
    /// [`Error::ZeroByte`].
    pub fn set_temporary_directory(&mut self, path: &Path) -> Result<(), Error> {
        let path = CString::new(path.as_os_str().as_encoded_bytes())
            .map_err(|_| Error::ZeroByte { what: "path of the temporary directory" })?;
        self.only()?.set_temporary_directory(&path);
        Ok(())
    }

    /// Lets version-compatible plans bring the runtime that they were built with. Such a plan is a
    /// program: allow it for your own plans only.
    ///
    /// # Errors
    /// [`Error::NotTaken`].
    pub fn allow_engine_host_code(&mut self) -> Result<(), Error> {
        let raw = self.only()?;
        raw.set_engine_host_code_allowed(true);
        if raw.engine_host_code_allowed() {
            return Ok(());
        }
        Err(Error::NotTaken {
            setting: "engine host code",
            asked: "allowed".into(),
            has: "refused".into(),
        })
    }

    /// Setters need a runtime that no engine shares: engines may be used by other threads.
    fn only(&mut self) -> Result<&mut RawRuntime, Error> {
        Arc::get_mut(&mut self.inner).map(|inner| &mut inner.raw).ok_or(Error::RuntimeInUse)
    }
}
