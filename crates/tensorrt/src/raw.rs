//! C++ objects as TensorRT lays them out, and the calls into their vtables. All unsafe code of the
//! binding that calls *into* TensorRT is in this module and its children; what calls *back* is in
//! `logger` and `progress`.
//!
//! The argument that every call here rests on, named **the tables** in the reasons below:
//! the object is alive (an [`Owned`] or something that borrows from one), its class is the one the
//! method is written for (each raw type is made from the answer of the one factory of its class),
//! the slot is that function's place in this version (compared with the headers by a test), and the
//! signature written at the call is the header's (`checks/slots.cpp` names each function through
//! its whole type). Which thread may call is said by the `Send`/`Sync` of each type.
#![allow(unsafe_code, reason = "this is the layer that calls C++")]

pub(crate) mod builder;
pub(crate) mod context;
pub(crate) mod engine;
pub(crate) mod memory;
pub(crate) mod network;
pub(crate) mod parser;

use crate::abi::{Era, same};
use crate::types::Shape;
use std::ffi::{CStr, c_char, c_void};

/// Any C++ pointer.
pub(crate) type Ptr = *mut c_void;

/// Calls the virtual function at `$slot` of `$object` with the signature written out. Must stand in
/// an unsafe block: see the module's text.
///
/// All of TensorRT is `noexcept`, but the parser of 8.6 and 10.0 is not: an exception of theirs ends the
/// process, where in a function that cannot unwind it would be undefined behaviour.
macro_rules! call {
    ($object:expr, $slot:expr, fn($($type:ty),*) $(-> $result:ty)? $(, $argument:expr)* $(,)?) => {{
        let object: $crate::raw::Ptr = $object;
        let function = $crate::raw::slot(object, $slot);
        let function: unsafe extern "C-unwind" fn($crate::raw::Ptr $(, $type)*) $(-> $result)? =
            std::mem::transmute(function);
        function(object $(, $argument)*)
    }};
}
pub(crate) use call;

/// Reads a place of an object's vtable.
///
/// # Safety
/// `object` points to a live C++ object whose vtable has that place.
pub(crate) unsafe fn slot(object: Ptr, slot: usize) -> *const c_void {
    // SAFETY: the first word of an object with virtual functions is its vtable's address; the
    // caller vouches for object and place.
    unsafe { *(*object.cast::<*const *const c_void>()).add(slot) }
}

/// A pointer that no object can have, instead of the object that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bad(pub(crate) usize);

/// Whether an object could lie at this address. Without a driver, the lean runtime's factory
/// answers 0x228: an offset added to null.
fn plausible(pointer: Ptr) -> bool {
    let address = pointer.addr();
    address >= 0x1_0000 && address.is_multiple_of(align_of::<*const c_void>())
}

/// A public object: `{vtable, implementation}`. A copy of two pointers; it keeps nothing alive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Object {
    pub(crate) public: Ptr,
    /// The object whose vtable the tables describe.
    pub(crate) implementation: Ptr,
}

impl Object {
    /// Opens what a factory answered.
    ///
    /// # Errors
    /// [`Bad`] where the answer, its vtable or its implementation cannot be an object (null too).
    ///
    /// # Safety
    /// `pointer`, where an object can lie there, is a public TensorRT object that is alive.
    pub(crate) unsafe fn open(pointer: Ptr) -> Result<Self, Bad> {
        let checked = |pointer: Ptr| {
            if plausible(pointer) { Ok(pointer) } else { Err(Bad(pointer.addr())) }
        };
        let public = checked(pointer)?;
        // SAFETY: the caller vouches for the object; its two words are the layout of every public
        // class (checked against the headers as impl_at.*), and an implementation starts with its
        // vtable's address.
        unsafe {
            checked(*public.cast::<Ptr>())?;
            let implementation =
                checked(*public.cast::<Ptr>().add(same::IMPL_AT / size_of::<Ptr>()))?;
            checked(*implementation.cast::<Ptr>())?;
            Ok(Self { public, implementation })
        }
    }
}

/// An object that is ours to destroy.
#[derive(Debug)]
pub(crate) struct Owned(Object);

impl Owned {
    /// Opens what a factory answered and takes it over.
    ///
    /// # Safety
    /// As [`Object::open`]; besides, the caller owns the object, and its class is one that is
    /// destroyed by `delete`.
    pub(crate) unsafe fn open(pointer: Ptr) -> Result<Self, Bad> {
        // SAFETY: passed on.
        unsafe { Object::open(pointer) }.map(Self)
    }

    pub(crate) fn object(&self) -> Object {
        self.0
    }

    /// The object whose vtable the tables describe.
    pub(crate) fn it(&self) -> Ptr {
        self.0.implementation
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: the object is ours and alive, nothing uses it after this; the place of the
        // deleting destructor is checked against the headers (destroy.*).
        unsafe { call!(self.0.public, same::DESTROY, fn()) }
    }
}

/// `nvinfer1::Dims` of 8.6.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Dims32 {
    rank: i32,
    extents: [i32; Shape::MAX_DIMENSIONS],
}

/// `nvinfer1::Dims` of 10 and later.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Dims64 {
    rank: i32,
    extents: [i64; Shape::MAX_DIMENSIONS],
}

impl Dims32 {
    /// Extents beyond 32 bits were refused before (`types::shape_for`).
    pub(crate) fn from_shape(shape: &Shape) -> Self {
        let mut extents = [0; Shape::MAX_DIMENSIONS];
        for (to, from) in extents.iter_mut().zip(shape.iter()) {
            *to = *from as i32;
        }
        Self { rank: shape.len() as i32, extents }
    }

    /// `None` for TensorRT's "no such thing", a rank of −1.
    pub(crate) fn shape(&self) -> Option<Shape> {
        let used = self.extents.get(..usize::try_from(self.rank).ok()?)?;
        let mut extents = [0; Shape::MAX_DIMENSIONS];
        for (to, from) in extents.iter_mut().zip(used) {
            *to = i64::from(*from);
        }
        Shape::new(&extents[..used.len()])
    }
}

impl Dims64 {
    pub(crate) fn from_shape(shape: &Shape) -> Self {
        let mut extents = [0; Shape::MAX_DIMENSIONS];
        extents[..shape.len()].copy_from_slice(shape);
        Self { rank: shape.len() as i32, extents }
    }

    /// `None` for TensorRT's "no such thing", a rank of −1.
    pub(crate) fn shape(&self) -> Option<Shape> {
        Shape::new(self.extents.get(..usize::try_from(self.rank).ok()?)?)
    }
}

/// Calls a function that returns a shape, in the version's width.
macro_rules! call_shape {
    ($era:expr, $object:expr, $slot:expr, fn($($type:ty),*) $(, $argument:expr)* $(,)?) => {
        match $era {
            $crate::abi::Era::V8 => {
                $crate::raw::call!(
                    $object, $slot, fn($($type),*) -> $crate::raw::Dims32 $(, $argument)*
                )
                .shape()
            }
            $crate::abi::Era::V10 | $crate::abi::Era::V11 => {
                $crate::raw::call!(
                    $object, $slot, fn($($type),*) -> $crate::raw::Dims64 $(, $argument)*
                )
                .shape()
            }
        }
    };
}
pub(crate) use call_shape;

/// Copies a text that TensorRT lends.
///
/// # Safety
/// `text` is null or a zero-ended text that lives through this call.
pub(crate) unsafe fn copy_text(text: *const c_char) -> Option<String> {
    // SAFETY: the caller vouches for the text.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// The layouts that this file assumes, for the comparison with the headers.
pub(crate) fn layout_entries(era: Era, put: &mut dyn FnMut(String, i64)) {
    let [size, extent, at] = match era {
        Era::V8 => [size_of::<Dims32>(), 4, std::mem::offset_of!(Dims32, extents)],
        Era::V10 | Era::V11 => [size_of::<Dims64>(), 8, std::mem::offset_of!(Dims64, extents)],
    };
    put("dims.size".into(), size as i64);
    put("dims.extent_size".into(), extent as i64);
    put("dims.extents_at".into(), at as i64);
    put("dims.as_in_c".into(), 1);
    put("enums.as_int32".into(), 1);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_no_object_can_have_are_refused() {
        for address in [0_usize, 1, 0x228, 0xffff, 0x1_0001, usize::MAX] {
            // SAFETY: no object can lie there, so nothing is read.
            let opened = unsafe { Object::open(std::ptr::without_provenance_mut(address)) };
            assert_eq!(opened.err(), Some(Bad(address)));
        }
    }

    #[test]
    fn an_object_without_vtable_or_implementation_is_refused() {
        let good = [0x10_0000_usize; 2];
        let inner = std::ptr::from_ref(&good).expose_provenance();
        for (words, bad) in [([0, inner], 0), ([inner, 0], 0), ([inner, 0x228], 0x228)] {
            let mut words: [usize; 2] = words;
            // SAFETY: two readable words stand for the object.
            let opened = unsafe { Object::open(words.as_mut_ptr().cast()) };
            assert_eq!(opened.err(), Some(Bad(bad)));
        }
        let mut words = [inner, inner];
        // SAFETY: as above; the implementation's first word is readable too.
        assert!(unsafe { Object::open(words.as_mut_ptr().cast()) }.is_ok());
    }

    #[test]
    fn shapes_survive_both_widths_and_impossible_ranks_are_none() {
        let shape = Shape::new(&[1, 3, -1, 224]).unwrap();
        assert_eq!(Dims32::from_shape(&shape).shape(), Some(shape));
        assert_eq!(Dims64::from_shape(&shape).shape(), Some(shape));
        for rank in [-1, 9, i32::MAX] {
            assert_eq!(Dims32 { rank, extents: [0; 8] }.shape(), None);
            assert_eq!(Dims64 { rank, extents: [0; 8] }.shape(), None);
        }
    }
}
