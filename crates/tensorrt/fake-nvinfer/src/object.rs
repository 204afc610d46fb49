//! C++ objects in Rust: public ones `{vtable, implementation}`, and implementations with a vtable
//! whose every place that was not filled aborts.
#![allow(unsafe_code, reason = "lays objects out for C++ callers")]

use crate::world;
use std::any::Any;
use std::ffi::c_void;

pub(crate) type Ptr = *mut c_void;

/// Places in a vtable; no class has more.
const PLACES: usize = 128;

#[repr(C)]
struct Public {
    vtable: *const usize,
    implementation: *mut Implementation,
}

#[repr(C)]
pub(crate) struct Implementation {
    vtable: *const usize,
    class: &'static str,
    /// The object that must outlive this one.
    parent: *mut Implementation,
    children: usize,
    state: Box<dyn Any>,
}

pub(crate) type It = *mut Implementation;

extern "C" fn unexpected() {
    eprintln!("fake-nvinfer: a function was called that must not be called");
    std::process::abort()
}

extern "C" fn destroy_in_place(_: *mut Public) {
    eprintln!("fake-nvinfer: the destructor was called that does not free");
    std::process::abort()
}

extern "C" fn destroy(public: *mut Public) {
    // SAFETY: `make` leaked both boxes, and the caller destroys an object once.
    let implementation = unsafe { Box::from_raw(Box::from_raw(public).implementation) };
    gone(&implementation);
}

/// What of an engine and a context lies on the device is freed in the current context: the test names
/// the driver's function that tells whether there is one.
fn context_is_current() -> bool {
    let Some(address) = world::get("context-is-current").filter(|address| *address != 0) else {
        return true;
    };
    let ask: *const () = std::ptr::with_exposed_provenance(address as usize);
    // SAFETY: the test gave the address of such a function, in a library that is loaded until it ends.
    unsafe { std::mem::transmute::<*const (), extern "C" fn() -> i32>(ask)() != 0 }
}

fn gone(implementation: &Implementation) {
    if matches!(implementation.class, "engine" | "context") && !context_is_current() {
        eprintln!("fake-nvinfer: {} destroyed without a CUDA context", implementation.class);
        world::add("violations", 1);
    }
    if implementation.children > 0 {
        eprintln!("fake-nvinfer: {} destroyed before what depends on it", implementation.class);
        world::add("violations", 1);
    }
    if !implementation.parent.is_null() {
        // SAFETY: a parent that went first was counted as violation; the tests stop there.
        unsafe { (*implementation.parent).children -= 1 };
    }
    world::add("live", -1);
    world::add(&format!("live:{}", implementation.class), -1);
}

fn vtable(places: &[(&str, usize)]) -> *const usize {
    let mut all = vec![unexpected as *const () as usize; PLACES];
    for (key, function) in places {
        all[world::place(key)] = *function;
    }
    all.leak().as_ptr()
}

/// Makes a public object of a class with the functions given, or what the test wants instead:
/// `answer:<class>` an address, `hollow:<class>` an object without implementation.
pub(crate) fn make(
    class: &'static str,
    parent: It,
    state: impl Any,
    places: &[(&str, usize)],
) -> Ptr {
    if let Some(answer) = world::get(&format!("answer:{class}")) {
        return std::ptr::without_provenance_mut(answer as usize);
    }
    let hollow = world::is_set(&format!("hollow:{class}"));
    let implementation = Box::into_raw(Box::new(Implementation {
        vtable: vtable(places),
        class,
        parent,
        children: 0,
        state: Box::new(state),
    }));
    let ends = [destroy_in_place as *const () as usize, destroy as *const () as usize];
    let public = Box::new(Public {
        vtable: Box::leak(Box::new(ends)).as_ptr(),
        implementation: if hollow { std::ptr::null_mut() } else { implementation },
    });
    if !hollow {
        adopt(parent);
        world::add("live", 1);
        world::add(&format!("live:{class}"), 1);
    }
    Box::into_raw(public).cast()
}

fn adopt(parent: It) {
    if !parent.is_null() {
        // SAFETY: the parent is alive: a function of it is running.
        unsafe { (*parent).children += 1 };
    }
}

/// Makes an object that has its functions in its own vtable (the parser and its errors).
pub(crate) fn make_plain(
    class: &'static str,
    parent: It,
    state: impl Any,
    places: &[(&str, usize)],
) -> Ptr {
    if let Some(answer) = world::get(&format!("answer:{class}")) {
        return std::ptr::without_provenance_mut(answer as usize);
    }
    adopt(parent);
    world::add("live", 1);
    world::add(&format!("live:{class}"), 1);
    Box::into_raw(Box::new(Implementation {
        vtable: vtable(places),
        class,
        parent,
        children: 0,
        state: Box::new(state),
    }))
    .cast()
}

/// Ends an object of `make_plain`.
pub(crate) fn end_plain(it: It) {
    // SAFETY: `make_plain` leaked the box, and the caller destroys an object once.
    let implementation = unsafe { Box::from_raw(it) };
    gone(&implementation);
}

/// How many objects that depend on this one are alive.
pub(crate) fn children(it: It) -> usize {
    // SAFETY: a function of the object is running.
    unsafe { (*it).children }
}

/// The state of an object, from its implementation.
pub(crate) fn state<'a, T: Any>(it: It) -> &'a mut T {
    // SAFETY: the function that was called belongs to an object of this file, on one thread.
    let implementation = unsafe { &mut *it };
    let class = implementation.class;
    implementation.state.downcast_mut().unwrap_or_else(|| panic!("{class}: another class's state"))
}

/// The implementation behind a public object that was passed as argument.
pub(crate) fn opened(public: Ptr) -> It {
    assert!(!public.is_null(), "an object must not be null");
    // SAFETY: the binding passes public objects that this library made.
    unsafe { (*public.cast::<Public>()).implementation }
}

pub(crate) fn bytes<'a>(data: *const c_void, size: usize) -> &'a [u8] {
    if size == 0 {
        return &[];
    }
    // SAFETY: the binding passes a readable range.
    unsafe { std::slice::from_raw_parts(data.cast(), size) }
}
