//! Engines: a network ready to run. Any thread; clones share.

use crate::context::ExecutionContext;
use crate::error::Error;
use crate::library::{Library, failed};
use crate::memory::HostMemory;
use crate::raw::engine::RawEngine;
use crate::runtime::RuntimeInner;
use crate::types::{IoMode, ProfilePoint, Shape, TensorInfo};
use std::ffi::CStr;
use std::sync::Arc;

/// A loaded engine. Clones share it; contexts keep it alive, and it keeps its runtime alive, so they
/// may be dropped in any order.
#[derive(Debug, Clone)]
pub struct Engine {
    inner: Arc<EngineInner>,
}

#[derive(Debug)]
struct EngineInner {
    // The order is the order of the end: the engine goes before its runtime.
    raw: RawEngine,
    tensors: Vec<TensorInfo>,
    runtime: Arc<RuntimeInner>,
}

impl Engine {
    /// `None` where the engine does not describe its inputs and outputs.
    pub(crate) fn new(raw: RawEngine, runtime: Arc<RuntimeInner>) -> Option<Self> {
        let tensors = raw.tensors()?;
        Some(Self { inner: Arc::new(EngineInner { raw, tensors, runtime }) })
    }

    pub(crate) fn raw(&self) -> &RawEngine {
        &self.inner.raw
    }

    /// The library that this engine runs in.
    pub fn library(&self) -> Library {
        self.inner.runtime.library
    }

    /// Name that the network was given when it was built; often empty.
    pub fn name(&self) -> String {
        self.inner.raw.name()
    }

    /// How many layers are left after fusion.
    pub fn layers(&self) -> usize {
        usize::try_from(self.inner.raw.layers()).unwrap_or(0)
    }

    /// Inputs and outputs, in TensorRT's order.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.inner.tensors
    }

    /// The inputs.
    pub fn inputs(&self) -> impl Iterator<Item = &TensorInfo> {
        self.tensors().iter().filter(|tensor| tensor.mode == IoMode::Input)
    }

    /// The outputs.
    pub fn outputs(&self) -> impl Iterator<Item = &TensorInfo> {
        self.tensors().iter().filter(|tensor| tensor.mode == IoMode::Output)
    }

    /// The input or output of that name.
    ///
    /// # Errors
    /// [`Error::NoSuchTensor`] with the names that exist.
    pub fn tensor(&self, name: &CStr) -> Result<&TensorInfo, Error> {
        let found = self.tensors().iter().find(|tensor| tensor.name.as_c_str() == name);
        found.ok_or_else(|| self.no_such("tensor", name, self.tensors().iter()))
    }

    /// The input of that name.
    pub(crate) fn input(&self, name: &CStr) -> Result<&TensorInfo, Error> {
        let found = self.inputs().find(|tensor| tensor.name.as_c_str() == name);
        found.ok_or_else(|| self.no_such("input", name, self.inputs()))
    }

    #[expect(clippy::unused_self, reason = "reads as a property of the engine")]
    fn no_such<'t>(
        &self,
        role: &'static str,
        name: &CStr,
        has: impl Iterator<Item = &'t TensorInfo>,
    ) -> Error {
        let has: Vec<String> = has.map(ToString::to_string).collect();
        Error::NoSuchTensor {
            role,
            name: name.to_string_lossy().into_owned(),
            has: if has.is_empty() { "none".to_owned() } else { has.join(", ") },
        }
    }

    /// How many optimization profiles the engine has: ranges of shapes that it was built for.
    pub fn profiles(&self) -> usize {
        usize::try_from(self.inner.raw.profiles()).unwrap_or(0)
    }

    /// A shape of an optimization profile.
    ///
    /// # Errors
    /// [`Error::NoSuchTensor`], [`Error::NoSuchIndex`], or [`Error::Failed`] with TensorRT's words.
    pub fn profile_shape(
        &self,
        input: &CStr,
        profile: usize,
        point: ProfilePoint,
    ) -> Result<Shape, Error> {
        self.input(input)?;
        let count = self.profiles();
        if profile >= count {
            let what = "optimization profile";
            return Err(Error::NoSuchIndex { what, index: profile, count });
        }
        let heard = self.library().call();
        let shape = self.inner.raw.profile_shape(input, profile as i32, point);
        shape.ok_or_else(|| failed("getProfileShape", &heard))
    }

    /// Device memory that each context takes for its intermediate results, bytes.
    pub fn device_memory_size(&self) -> u64 {
        u64::try_from(self.inner.raw.device_memory_size()).unwrap_or(0)
    }

    /// Writes the engine out again.
    ///
    /// # Errors
    /// [`Error::Failed`] with TensorRT's words.
    pub fn serialize(&self) -> Result<HostMemory, Error> {
        let heard = self.library().call();
        let memory = self.inner.raw.serialize();
        memory.map(HostMemory).map_err(|bad| Library::no_object("serialize", &heard, bad))
    }

    /// TensorRT's description of the engine, layer by layer, as JSON: names only, or tactics,
    /// formats and precisions where it was built with
    /// [detailed profiling](crate::BuilderConfig::set_detailed_profiling).
    ///
    /// # Errors
    /// [`Error::Failed`] with TensorRT's words.
    pub fn inspect(&self) -> Result<String, Error> {
        let heard = self.library().call();
        match self.inner.raw.inspect() {
            Ok(Some(json)) => Ok(json),
            Ok(None) => Err(failed("getEngineInformation", &heard)),
            Err(bad) => Err(Library::no_object("createEngineInspector", &heard, bad)),
        }
    }

    /// Makes a context, which holds the state of one inference.
    ///
    /// # Errors
    /// [`Error::Failed`] with TensorRT's words, most often for want of device memory.
    pub fn create_context(&self) -> Result<ExecutionContext, Error> {
        let heard = self.library().call();
        let raw = self
            .inner
            .raw
            .create_context()
            .map_err(|bad| Library::no_object("createExecutionContext", &heard, bad))?;
        Ok(ExecutionContext::new(raw, self.clone()))
    }
}
