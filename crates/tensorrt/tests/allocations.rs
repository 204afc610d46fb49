//! The way of a frame allocates nothing: counted by this program's allocator (the stand-in library
//! has its own).
#![allow(unsafe_code, reason = "an allocator, and promises about the stand-in's device memory")]
#![allow(clippy::unwrap_used)]

#[path = "common/stand_in.rs"]
mod common;

use common::{Aligned, StandIn, VERSIONS, plan};
use sonofuse_tensorrt::{DevicePtr, Stream};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn an_inference_with_new_shapes_and_addresses_allocates_nothing() {
    for version in VERSIONS {
        let stand_in = StandIn::new(version);
        let library = stand_in.open();
        let engine = library.create_runtime().unwrap().deserialize(&plan(library)).unwrap();
        let mut context = engine.create_context().unwrap();
        let (x, mut y) = (Aligned([1.0; 3 * 8 * 8]), Aligned([0.0; 2]));
        let x_at = DevicePtr(x.0.as_ptr().expose_provenance() as u64);
        let y_at = DevicePtr(y.0.as_mut_ptr().expose_provenance() as u64);
        // Not the default stream, which TensorRT warns of; the stand-in reads no more of it.
        let stream = Stream::from_raw(std::ptr::without_provenance_mut::<u8>(0x1000));
        let mut frame = |side: i64| {
            context.set_input_shape(c"x", &[1, 3, side, side]).unwrap();
            context.infer_shapes().unwrap();
            assert!(context.tensor_shape(c"y").unwrap().is_known());
            // SAFETY: the stand-in's device memory is the host's; the buffers are large enough for
            // every side and outlive the call, which ends its work before it returns.
            unsafe {
                context.set_tensor_address(c"x", x_at).unwrap();
                context.set_tensor_address(c"y", y_at).unwrap();
                context.enqueue_v3(stream).unwrap();
            }
        };
        frame(2);
        let before = COUNT.get();
        for side in (2..=8).cycle().take(100) {
            frame(side);
        }
        assert_eq!(COUNT.get() - before, 0, "version {version}");
    }
}
