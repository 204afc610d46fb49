//! `INetworkDefinition` and its tensors and layers. Thread of the builder.
#![allow(unsafe_code, reason = "this is the layer that calls C++")]

use super::{Bad, Object, Owned, Ptr, call, call_shape, copy_text};
use crate::abi::Abi;
use crate::types::{DataType, Shape};
use std::ffi::{CStr, c_char};

#[derive(Debug)]
pub(crate) struct RawNetwork {
    owned: Owned,
    abi: &'static Abi,
}

impl RawNetwork {
    /// # Safety
    /// `pointer` is the answer of `createNetworkV2` of a builder that outlives the result.
    pub(super) unsafe fn open(pointer: Ptr, abi: &'static Abi) -> Result<Self, Bad> {
        // SAFETY: the caller vouches for the answer.
        Ok(Self { owned: unsafe { Owned::open(pointer) }?, abi })
    }

    pub(crate) fn public(&self) -> Ptr {
        self.owned.object().public
    }

    fn count(&self, slot: usize) -> i32 {
        // SAFETY: the tables; each caller passes the place of a function that takes nothing and
        // returns a count.
        unsafe { call!(self.owned.it(), slot, fn() -> i32) }
    }

    pub(crate) fn layers(&self) -> i32 {
        self.count(self.abi.network.nb_layers)
    }

    /// Inputs in TensorRT's order; they are valid while the network is.
    pub(crate) fn inputs(&self) -> Vec<RawTensor> {
        self.tensors(self.count(self.abi.network.nb_inputs), self.abi.network.input)
    }

    /// Outputs, likewise.
    pub(crate) fn outputs(&self) -> Vec<RawTensor> {
        self.tensors(self.count(self.abi.network.nb_outputs), self.abi.network.output)
    }

    fn tensors(&self, count: i32, slot: usize) -> Vec<RawTensor> {
        // SAFETY: the tables; the callers pass the place of `getInput` or `getOutput`, whose
        // answers live with the network.
        let at = |index| unsafe {
            RawTensor::open(call!(self.owned.it(), slot, fn(i32) -> Ptr, index), self.abi)
        };
        (0..count).filter_map(at).collect()
    }

    /// A layer, valid while the network is.
    pub(super) fn layer(&self, index: i32) -> Option<Object> {
        // SAFETY: the tables.
        unsafe {
            Object::open(call!(self.owned.it(), self.abi.network.layer, fn(i32) -> Ptr, index)).ok()
        }
    }

    /// Its name.
    pub(super) fn layer_name(&self, layer: Object) -> String {
        let slot = self.abi.layer.name;
        // SAFETY: the tables; the text lives with the layer.
        unsafe { copy_text(call!(layer.implementation, slot, fn() -> *const c_char)) }
            .unwrap_or_default()
    }

    pub(crate) fn set_name(&mut self, name: &CStr) {
        // SAFETY: the tables; TensorRT copies the text.
        unsafe {
            call!(self.owned.it(), self.abi.network.set_name, fn(*const c_char), name.as_ptr());
        }
    }
}

/// A tensor of a network: borrowed, valid while the network is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawTensor {
    object: Object,
    abi: &'static Abi,
}

impl RawTensor {
    /// # Safety
    /// `pointer` is null or an `ITensor` that outlives the result.
    unsafe fn open(pointer: Ptr, abi: &'static Abi) -> Option<Self> {
        // SAFETY: the caller vouches for the pointer.
        unsafe { Object::open(pointer) }.ok().map(|object| Self { object, abi })
    }

    pub(crate) fn name(self) -> String {
        // SAFETY: the tables; the text lives with the tensor.
        unsafe {
            let name =
                call!(self.object.implementation, self.abi.tensor.name, fn() -> *const c_char);
            copy_text(name).unwrap_or_default()
        }
    }

    pub(crate) fn shape(self) -> Option<Shape> {
        // SAFETY: the tables.
        unsafe {
            call_shape!(self.abi.era, self.object.implementation, self.abi.tensor.dimensions, fn())
        }
    }

    pub(crate) fn data_type(self) -> DataType {
        // SAFETY: the tables.
        DataType::from_number(unsafe {
            call!(self.object.implementation, self.abi.tensor.dtype, fn() -> i32)
        })
    }

    pub(crate) fn is_shape_tensor(self) -> bool {
        // SAFETY: the tables.
        unsafe { call!(self.object.implementation, self.abi.tensor.is_shape_tensor, fn() -> bool) }
    }
}
