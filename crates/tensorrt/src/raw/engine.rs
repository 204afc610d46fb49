//! `IRuntime`, `ICudaEngine`, `IEngineInspector`.
//!
//! NVIDIA promises that reading from a runtime or engine, deserializing and making contexts may run
//! on several threads at once; setters take `&mut`.
#![allow(unsafe_code, reason = "this is the layer that calls C++")]

use super::context::RawContext;
use super::memory::RawHostMemory;
use super::{Bad, Owned, Ptr, call, call_shape, copy_text};
use crate::abi::{Abi, Era, same};
use crate::types::{DataType, IoMode, Location, ProfilePoint, Shape, TensorInfo};
use std::ffi::{CStr, c_char, c_void};

#[derive(Debug)]
pub(crate) struct RawRuntime {
    owned: Owned,
    abi: &'static Abi,
}

// SAFETY: the object is not bound to the thread that made it.
unsafe impl Send for RawRuntime {}
// SAFETY: `&self` offers only what NVIDIA promises to be usable from several threads.
unsafe impl Sync for RawRuntime {}

impl RawRuntime {
    /// # Safety
    /// `pointer` is the answer of `createInferRuntime` of a library that `abi` describes and that
    /// is never unloaded.
    pub(crate) unsafe fn open(pointer: Ptr, abi: &'static Abi) -> Result<Self, Bad> {
        // SAFETY: the caller vouches for the answer.
        Ok(Self { owned: unsafe { Owned::open(pointer) }?, abi })
    }

    pub(crate) fn deserialize(&self, plan: &[u8]) -> Result<RawEngine, Bad> {
        let slot = self.abi.runtime.deserialize_cuda_engine;
        let (data, size) = (plan.as_ptr().cast::<c_void>(), plan.len());
        // SAFETY: the tables; TensorRT reads `size` bytes and keeps none of them. The third
        // argument of 8.6, a plugin factory, must be null.
        unsafe {
            let engine = match self.abi.era {
                Era::V8 => call!(
                    self.owned.it(),
                    slot,
                    fn(*const c_void, usize, Ptr) -> Ptr,
                    data,
                    size,
                    std::ptr::null_mut()
                ),
                Era::V10 | Era::V11 => {
                    call!(self.owned.it(), slot, fn(*const c_void, usize) -> Ptr, data, size)
                }
            };
            Ok(RawEngine { owned: Owned::open(engine)?, abi: self.abi })
        }
    }

    pub(crate) fn set_dla_core(&mut self, core: i32) {
        // SAFETY: the tables; `&mut` keeps other threads out.
        unsafe { call!(self.owned.it(), self.abi.runtime.set_dla_core, fn(i32), core) }
    }

    pub(crate) fn dla_core(&self) -> i32 {
        // SAFETY: the tables.
        unsafe { call!(self.owned.it(), self.abi.runtime.get_dla_core, fn() -> i32) }
    }

    pub(crate) fn dla_cores(&self) -> i32 {
        // SAFETY: the tables.
        unsafe { call!(self.owned.it(), self.abi.runtime.nb_dla_cores, fn() -> i32) }
    }

    pub(crate) fn set_max_threads(&mut self, threads: i32) -> bool {
        // SAFETY: the tables; `&mut` keeps other threads out.
        unsafe {
            call!(self.owned.it(), self.abi.runtime.set_max_threads, fn(i32) -> bool, threads)
        }
    }

    pub(crate) fn max_threads(&self) -> i32 {
        // SAFETY: the tables.
        unsafe { call!(self.owned.it(), self.abi.runtime.get_max_threads, fn() -> i32) }
    }

    pub(crate) fn set_temporary_directory(&mut self, path: &CStr) {
        // SAFETY: the tables; TensorRT copies the text.
        unsafe {
            call!(
                self.owned.it(),
                self.abi.runtime.set_temporary_directory,
                fn(*const c_char),
                path.as_ptr()
            );
        }
    }

    pub(crate) fn set_engine_host_code_allowed(&mut self, allowed: bool) {
        // SAFETY: the tables; `&mut` keeps other threads out.
        unsafe {
            call!(
                self.owned.it(),
                self.abi.runtime.set_engine_host_code_allowed,
                fn(bool),
                allowed
            );
        }
    }

    pub(crate) fn engine_host_code_allowed(&self) -> bool {
        // SAFETY: the tables.
        unsafe {
            call!(self.owned.it(), self.abi.runtime.get_engine_host_code_allowed, fn() -> bool)
        }
    }
}

#[derive(Debug)]
pub(crate) struct RawEngine {
    owned: Owned,
    abi: &'static Abi,
}

// SAFETY: the object is not bound to the thread that made it.
unsafe impl Send for RawEngine {}
// SAFETY: it has no setters here; reading and making contexts are promised to be usable from
// several threads.
unsafe impl Sync for RawEngine {}

impl RawEngine {
    pub(crate) fn era(&self) -> Era {
        self.abi.era
    }

    /// Inputs and outputs in TensorRT's order. `None` where one has no name, mode or shape.
    pub(crate) fn tensors(&self) -> Option<Vec<TensorInfo>> {
        // SAFETY: the tables.
        let count = unsafe { call!(self.owned.it(), self.abi.engine.nb_io_tensors, fn() -> i32) };
        (0..count).map(|index| self.tensor(index)).collect()
    }

    fn tensor(&self, index: i32) -> Option<TensorInfo> {
        let (it, slots) = (self.owned.it(), &self.abi.engine);
        // SAFETY: the tables; the name is null or lives with the engine, and each function that
        // takes a name only reads it.
        unsafe {
            let name = call!(it, slots.io_tensor_name, fn(i32) -> *const c_char, index);
            if name.is_null() {
                return None;
            }
            let number = |slot: usize| call!(it, slot, fn(*const c_char) -> i32, name);
            let shape = call_shape!(self.abi.era, it, slots.tensor_shape, fn(*const c_char), name)?;
            Some(TensorInfo {
                name: CStr::from_ptr(name).to_owned(),
                mode: match number(slots.tensor_io_mode) {
                    same::IO_INPUT => IoMode::Input,
                    same::IO_OUTPUT => IoMode::Output,
                    _ => return None,
                },
                data_type: DataType::from_number(number(slots.tensor_dtype)),
                shape,
                location: match number(slots.tensor_location) {
                    same::LOCATION_HOST => Location::Host,
                    _ => Location::Device,
                },
                linear: number(slots.tensor_format) == same::FORMAT_LINEAR,
            })
        }
    }

    pub(crate) fn profile_shape(
        &self,
        name: &CStr,
        profile: i32,
        point: ProfilePoint,
    ) -> Option<Shape> {
        // SAFETY: the tables.
        unsafe {
            call_shape!(
                self.abi.era,
                self.owned.it(),
                self.abi.engine.profile_shape,
                fn(*const c_char, i32, i32),
                name.as_ptr(),
                profile,
                point.number()
            )
        }
    }

    pub(crate) fn name(&self) -> String {
        // SAFETY: the tables; the text lives with the engine.
        unsafe {
            copy_text(call!(self.owned.it(), self.abi.engine.name, fn() -> *const c_char))
                .unwrap_or_default()
        }
    }

    pub(crate) fn layers(&self) -> i32 {
        // SAFETY: the tables.
        unsafe { call!(self.owned.it(), self.abi.engine.nb_layers, fn() -> i32) }
    }

    pub(crate) fn profiles(&self) -> i32 {
        // SAFETY: the tables.
        unsafe { call!(self.owned.it(), self.abi.engine.nb_optimization_profiles, fn() -> i32) }
    }

    pub(crate) fn device_memory_size(&self) -> i64 {
        // SAFETY: the tables; `size_t` before 11 and `int64_t` since come back in the same
        // register and mean the same up to 2^63.
        unsafe { call!(self.owned.it(), self.abi.engine.device_memory_size, fn() -> i64) }
    }

    pub(crate) fn serialize(&self) -> Result<RawHostMemory, Bad> {
        // SAFETY: the tables; the answer is a new object.
        unsafe {
            let memory = call!(self.owned.it(), self.abi.engine.serialize, fn() -> Ptr);
            RawHostMemory::open(memory, self.abi)
        }
    }

    /// The inspector's description of the engine as JSON.
    pub(crate) fn inspect(&self) -> Result<Option<String>, Bad> {
        // SAFETY: the tables; the inspector is new and ours, and its text is copied before it goes.
        unsafe {
            let slot = self.abi.engine.create_engine_inspector;
            let inspector = Owned::open(call!(self.owned.it(), slot, fn() -> Ptr))?;
            Ok(copy_text(call!(
                inspector.it(),
                self.abi.inspector.engine_information,
                fn(i32) -> *const c_char,
                same::LAYER_INFORMATION_JSON
            )))
        }
    }

    pub(crate) fn create_context(&self) -> Result<RawContext, Bad> {
        let slot = self.abi.engine.create_execution_context;
        // SAFETY: the tables; the answer is a new object. Its caller keeps the engine alive.
        unsafe {
            let context = match self.abi.era {
                Era::V8 => call!(self.owned.it(), slot, fn() -> Ptr),
                Era::V10 | Era::V11 => {
                    call!(self.owned.it(), slot, fn(i32) -> Ptr, same::CONTEXT_STATIC)
                }
            };
            RawContext::open(context, self.abi)
        }
    }
}
