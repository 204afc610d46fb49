//! `IExecutionContext`: one inference at a time, on one thread at a time.
#![allow(unsafe_code, reason = "this is the layer that calls C++")]

use super::{Bad, Dims32, Dims64, Owned, Ptr, call, call_shape};
use crate::abi::{Abi, Era};
use crate::types::{DevicePtr, Shape, Stream};
use std::ffi::{CStr, c_char, c_void};

/// Names that `infer_shapes` can report; engines have a handful of inputs.
pub(crate) const REPORTED: usize = 16;

#[derive(Debug)]
pub(crate) struct RawContext {
    owned: Owned,
    abi: &'static Abi,
}

// SAFETY: the object is not bound to the thread that made it. It must not be used by two at once,
// so there is no Sync.
unsafe impl Send for RawContext {}

impl RawContext {
    /// # Safety
    /// `pointer` is the answer of `createExecutionContext`, and the engine outlives the result.
    pub(super) unsafe fn open(pointer: Ptr, abi: &'static Abi) -> Result<Self, Bad> {
        // SAFETY: the caller vouches for the answer.
        Ok(Self { owned: unsafe { Owned::open(pointer) }?, abi })
    }

    pub(crate) fn set_name(&mut self, name: &CStr) {
        // SAFETY: the tables; TensorRT copies the text.
        unsafe {
            call!(self.owned.it(), self.abi.context.set_name, fn(*const c_char), name.as_ptr());
        }
    }

    pub(crate) fn set_input_shape(&mut self, name: &CStr, shape: &Shape) -> bool {
        let (it, slot) = (self.owned.it(), self.abi.context.set_input_shape);
        // SAFETY: the tables; the shape is passed by reference in every version and is copied.
        unsafe {
            match self.abi.era {
                Era::V8 => {
                    let shape = Dims32::from_shape(shape);
                    call!(
                        it,
                        slot,
                        fn(*const c_char, *const Dims32) -> bool,
                        name.as_ptr(),
                        &raw const shape
                    )
                }
                Era::V10 | Era::V11 => {
                    let shape = Dims64::from_shape(shape);
                    call!(
                        it,
                        slot,
                        fn(*const c_char, *const Dims64) -> bool,
                        name.as_ptr(),
                        &raw const shape
                    )
                }
            }
        }
    }

    pub(crate) fn tensor_shape(&self, name: &CStr) -> Option<Shape> {
        // SAFETY: the tables.
        unsafe {
            call_shape!(
                self.abi.era,
                self.owned.it(),
                self.abi.context.tensor_shape,
                fn(*const c_char),
                name.as_ptr()
            )
        }
    }

    /// Resolves the output shapes. Answers TensorRT's count of inputs that are not specified enough
    /// (negative for another failure) and puts the first of their names into `names`.
    pub(crate) fn infer_shapes(&mut self, names: &mut [*const c_char; REPORTED]) -> i32 {
        // SAFETY: the tables; TensorRT writes at most the given number of pointers, to texts that
        // live with the engine.
        unsafe {
            call!(
                self.owned.it(),
                self.abi.context.infer_shapes,
                fn(i32, *mut *const c_char) -> i32,
                REPORTED as i32,
                names.as_mut_ptr()
            )
        }
    }

    /// # Safety
    /// The address is what the tensor needs (see `ExecutionContext::set_tensor_address`).
    pub(crate) unsafe fn set_tensor_address(&mut self, name: &CStr, address: DevicePtr) -> bool {
        let address: Ptr = std::ptr::with_exposed_provenance_mut(address.0 as usize);
        // SAFETY: the tables; the caller vouches for the address.
        unsafe {
            call!(
                self.owned.it(),
                self.abi.context.set_tensor_address,
                fn(*const c_char, Ptr) -> bool,
                name.as_ptr(),
                address
            )
        }
    }

    pub(crate) fn tensor_address(&self, name: &CStr) -> DevicePtr {
        // SAFETY: the tables.
        let address = unsafe {
            call!(
                self.owned.it(),
                self.abi.context.get_tensor_address,
                fn(*const c_char) -> *const c_void,
                name.as_ptr()
            )
        };
        DevicePtr(address.addr() as u64)
    }

    /// # Safety
    /// The stream is alive and belongs to the current device.
    pub(crate) unsafe fn set_optimization_profile(&mut self, index: i32, stream: Stream) -> bool {
        // SAFETY: the tables; the caller vouches for the stream.
        unsafe {
            call!(
                self.owned.it(),
                self.abi.context.set_optimization_profile_async,
                fn(i32, Ptr) -> bool,
                index,
                stream.as_raw()
            )
        }
    }

    pub(crate) fn optimization_profile(&self) -> i32 {
        // SAFETY: the tables.
        unsafe { call!(self.owned.it(), self.abi.context.get_optimization_profile, fn() -> i32) }
    }

    /// # Safety
    /// Addresses and stream are alive until the work on the stream is done.
    pub(crate) unsafe fn enqueue_v3(&mut self, stream: Stream) -> bool {
        // SAFETY: the tables; the caller vouches for addresses and stream.
        unsafe {
            call!(self.owned.it(), self.abi.context.enqueue_v3, fn(Ptr) -> bool, stream.as_raw())
        }
    }
}
