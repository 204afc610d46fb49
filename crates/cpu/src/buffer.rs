//! Aligned memory for numbers, and the raw views of it that the threads of a team share.
//!
//! [`Buffer`] owns; it grows and never shrinks, so that a network that has seen its largest picture
//! allocates no more. [`Shared`] is a pointer with a length: threads write disjoint parts of it.
#![allow(unsafe_code)]

use std::{
    alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error},
    marker::PhantomData,
    ptr::NonNull,
};

/// Numbers in a cache line.
pub(crate) const LINE: usize = 16;

/// Why no size is larger than memory can be.
const BOUNDED: &str = "sizes are bounded by the largest picture and by the model's file";

/// Numbers that begin on a cache line.
///
/// It holds a pointer, not a `Vec`: the threads of a team write through [`Shared`] while the buffer
/// itself is borrowed.
pub(crate) struct Buffer {
    start: NonNull<f32>,
    len: usize,
}

// SAFETY: the buffer owns its memory; what is behind the pointer is plain numbers.
unsafe impl Send for Buffer {}
// SAFETY: a shared buffer gives out reading, and views that only an unsafe call makes.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// Returns a buffer that holds nothing.
    pub(crate) fn empty() -> Buffer {
        Buffer { start: NonNull::dangling(), len: 0 }
    }

    /// Returns zeroed room for `len` numbers. Pages are touched when they are first used.
    pub(crate) fn zeroed(len: usize) -> Buffer {
        let len = len.checked_next_multiple_of(LINE).expect(BOUNDED);
        if len == 0 {
            return Buffer::empty();
        }
        let layout = Self::layout(len);
        // SAFETY: the layout's size is not zero.
        let start = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start.cast()) else { handle_alloc_error(layout) };
        Buffer { start, len }
    }

    fn layout(len: usize) -> Layout {
        let bytes = len.checked_mul(size_of::<f32>());
        bytes
            .and_then(|bytes| Layout::from_size_align(bytes, LINE * size_of::<f32>()).ok())
            .expect(BOUNDED)
    }

    /// Makes room for `len` numbers; what they are afterwards is not said.
    pub(crate) fn reserve(&mut self, len: usize) {
        if len > self.len {
            // Freed first: growing in place would hold both.
            *self = Buffer::empty();
            *self = Buffer::zeroed(len);
        }
    }

    /// Returns the bytes held.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<f32>() * self.len
    }

    /// Returns the numbers.
    pub(crate) fn as_slice(&self) -> &[f32] {
        // SAFETY: `len` numbers from `start` are allocated and initialised (to zero at first); who
        // made a view of them promised that it is not written through while slices are in use.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: as in `as_slice`, and borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }

    /// Returns a view that threads may share for as long as `self` is borrowed.
    ///
    /// The kernels that take a view are safe to call: that they do no harm is promised here.
    ///
    /// # Safety
    /// For as long as the view, a copy or a part of it is used: what one thread writes through it,
    /// no other thread reads or writes unless a barrier or a join stands between the two, and nobody
    /// holds a slice ([`Buffer::as_slice`], [`Shared::read`]) of what is being written.
    pub(crate) unsafe fn share(&self) -> Shared<'_> {
        Shared { start: self.start.as_ptr(), len: self.len, owner: PhantomData }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: allocated by `zeroed` with this layout, and freed once.
            unsafe { dealloc(self.start.as_ptr().cast(), Self::layout(self.len)) };
        }
    }
}

/// Numbers that several threads read and write in disjoint parts.
///
/// Copying one is how the threads of a team come by the same memory; that the parts are disjoint, or a
/// barrier stands between them, was promised by who made it ([`Buffer::share`]).
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a> {
    start: *mut f32,
    len: usize,
    owner: PhantomData<&'a mut [f32]>,
}

// SAFETY: a `Shared` gives out pointers only, and who made it promised an order for whatever is read
// and written through them (`Buffer::share`).
unsafe impl Send for Shared<'_> {}
// SAFETY: as for `Send`.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    /// Returns the part that begins at `from` and holds `len` numbers.
    ///
    /// # Panics
    /// Where the part is not inside: a wrong size is found here, not in a kernel.
    pub(crate) fn part(self, from: usize, len: usize) -> Shared<'a> {
        assert!(
            from <= self.len && len <= self.len - from,
            "a part of {len} numbers at {from} is not inside {}",
            self.len
        );
        // SAFETY: checked above that the part is inside the one allocation.
        Shared { start: unsafe { self.start.add(from) }, len, owner: PhantomData }
    }

    pub(crate) fn len(self) -> usize {
        self.len
    }

    /// Returns the numbers for reading.
    ///
    /// # Safety
    /// Nobody writes them for as long as the slice is used.
    pub(crate) unsafe fn read(self) -> &'a [f32] {
        // SAFETY: the view is inside one allocation of initialised numbers; the caller promises
        // that it is not written.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }

    /// Returns the pointer to number `at`, of which `count` follow inside the view.
    ///
    /// # Panics
    /// Where they are not inside.
    #[inline(always)]
    pub(crate) fn at(self, at: usize, count: usize) -> *mut f32 {
        assert!(
            at <= self.len && count <= self.len - at,
            "{count} numbers at {at} are not inside {}",
            self.len
        );
        self.start.wrapping_add(at)
    }

    /// Returns what [`Shared::at`] does, for the innermost loops, whose kernel has checked the
    /// largest place at its head; checked again in builds with debug assertions.
    #[inline(always)]
    pub(crate) fn within(self, at: usize, count: usize) -> *mut f32 {
        debug_assert!(at + count <= self.len, "{count} numbers at {at} of {}", self.len);
        self.start.wrapping_add(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_begins_on_a_cache_line_and_only_grows() {
        let mut buffer = Buffer::empty();
        buffer.reserve(17);
        assert_eq!(buffer.as_slice().len(), 32);
        assert_eq!(buffer.as_slice().as_ptr() as usize % 64, 0);
        buffer.reserve(3);
        assert_eq!(buffer.bytes(), 128);
    }

    #[test]
    #[should_panic(expected = "is not inside")]
    fn a_part_outside_is_refused() {
        let buffer = Buffer::zeroed(16);
        // SAFETY: one thread.
        unsafe { buffer.share() }.part(10, 7);
    }

    #[test]
    #[should_panic(expected = "are not inside")]
    fn a_place_outside_is_refused_also_where_the_sum_would_wrap() {
        let buffer = Buffer::zeroed(16);
        // SAFETY: one thread.
        unsafe { buffer.share() }.at(usize::MAX - 2, 4);
    }

    #[test]
    #[should_panic(expected = "sizes are bounded")]
    fn a_size_that_would_wrap_to_nothing_is_refused() {
        Buffer::zeroed(usize::MAX - 3);
    }
}
