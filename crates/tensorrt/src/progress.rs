//! The progress monitor object that a build calls (TensorRT 10 and later), from any thread.
#![allow(unsafe_code, reason = "C++ calls these functions and reads this table")]

use crate::abi::Era;
use crate::logger::{InterfaceInfo, Table};
use std::borrow::Cow;
use std::ffi::{CStr, c_char, c_void};
use std::fmt;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

/// Follows a build, and may cancel it.
///
/// TensorRT splits a build into nested phases of counted steps. The functions are called from its
/// own threads, one at a time or not.
pub trait ProgressMonitor: Send + Sync {
    /// A phase of `steps` steps begins, inside of `parent` if it is not the outermost.
    fn phase_start(&self, phase: &str, parent: Option<&str>, steps: u32);

    /// A step (counted from 0) of the phase is done. [`ControlFlow::Break`] cancels the build.
    fn step_complete(&self, phase: &str, step: u32) -> ControlFlow<()>;

    /// The phase is over, cancelled or not.
    fn phase_finish(&self, phase: &str);
}

/// The C++ object. The first field is its vtable.
#[repr(C)]
pub(crate) struct Monitor {
    vtable: *const *const c_void,
    cancelled: AtomicBool,
    watcher: Box<dyn ProgressMonitor>,
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("cancelled", &self.cancelled).finish_non_exhaustive()
    }
}

impl Monitor {
    pub(crate) fn new(watcher: Box<dyn ProgressMonitor>) -> Self {
        Self { vtable: TABLE.0.as_ptr(), cancelled: AtomicBool::new(false), watcher }
    }

    pub(crate) fn as_ptr(&self) -> *mut c_void {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    /// Whether the watcher cancelled since the last call of this.
    pub(crate) fn take_cancelled(&self) -> bool {
        self.cancelled.swap(false, Ordering::Relaxed)
    }
}

/// Reads a text that lives through the callback.
fn text<'a>(text: *const c_char) -> Option<Cow<'a, str>> {
    // SAFETY: TensorRT passes null or a zero-ended text that outlives the callback, and the result
    // does not leave it.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy())
}

extern "C" fn phase_start(
    this: *const Monitor,
    phase: *const c_char,
    parent: *const c_char,
    steps: i32,
) {
    // A watcher's panic must not pass through C++.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: TensorRT calls with the object it was given, which the config keeps alive.
        let monitor = unsafe { &*this };
        let phase = text(phase).unwrap_or_default();
        monitor.watcher.phase_start(&phase, text(parent).as_deref(), steps.max(0).unsigned_abs());
    }));
}

extern "C" fn step_complete(this: *const Monitor, phase: *const c_char, step: i32) -> bool {
    // SAFETY: as in `phase_start`.
    let monitor = unsafe { &*this };
    let flow = catch_unwind(AssertUnwindSafe(|| {
        let phase = text(phase).unwrap_or_default();
        monitor.watcher.step_complete(&phase, step.max(0).unsigned_abs())
    }));
    // A panic cancels: the watcher is broken, and nobody would see the build.
    let goes_on = matches!(flow, Ok(ControlFlow::Continue(())));
    if !goes_on {
        monitor.cancelled.store(true, Ordering::Relaxed);
    }
    goes_on
}

extern "C" fn phase_finish(this: *const Monitor, phase: *const c_char) {
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: as in `phase_start`.
        let monitor = unsafe { &*this };
        monitor.watcher.phase_finish(&text(phase).unwrap_or_default());
    }));
}

extern "C" fn keep(_this: *const Monitor) {}

extern "C" fn api_language(_this: *const Monitor) -> i32 {
    0
}

extern "C" fn interface_info(_this: *const Monitor) -> InterfaceInfo {
    InterfaceInfo { kind: c"IProgressMonitor".as_ptr(), major: 1, minor: 0 }
}

static TABLE: Table<7> = Table([
    api_language as *const c_void,
    interface_info as *const c_void,
    keep as *const c_void,
    keep as *const c_void,
    phase_start as *const c_void,
    step_complete as *const c_void,
    phase_finish as *const c_void,
]);

/// The numbers that this file assumes, for the comparison with the headers.
pub(crate) fn constants(era: Era, put: &mut dyn FnMut(String, i64)) {
    if era == Era::V8 {
        return;
    }
    for (name, function) in [
        ("api_language", api_language as *const c_void),
        ("interface_info", interface_info as *const c_void),
        ("phase_start", phase_start as *const c_void),
        ("step_complete", step_complete as *const c_void),
        ("phase_finish", phase_finish as *const c_void),
    ] {
        let place = TABLE.0.iter().position(|entry| *entry == function);
        put(format!("progress.{name}"), place.map_or(-1, |at| at as i64));
    }
}
