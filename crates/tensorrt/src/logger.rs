//! The logger object that TensorRT calls.
//!
//! Every line becomes a `tracing` event (target `tensorrt`). Lines of warning level and above are
//! also kept for the error of the call in progress: those of the calling thread exactly, those of
//! TensorRT's own threads by time. TensorRT keeps the first logger that it is given for the life of
//! the process and calls it from any thread, so a logger is made once a library and never freed.
#![allow(unsafe_code, reason = "C++ calls these functions and reads these tables")]

use crate::abi::Era;
use crate::error::{LogLine, Said, Severity};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Lines kept for one call, and lines kept of other threads: the first ones tell the cause.
const KEPT: usize = 64;

/// The C++ object. Its address is given to TensorRT; the first field is its vtable.
#[repr(C)]
pub(crate) struct Logger {
    vtable: *const *const c_void,
    /// Lines of threads that have no call of ours in progress, with their number.
    elsewhere: Mutex<VecDeque<(u64, LogLine)>>,
    next: AtomicU64,
}

// SAFETY: the table pointer is to constant data, the rest is made for many threads.
unsafe impl Send for Logger {}
// SAFETY: as above.
unsafe impl Sync for Logger {}

impl Logger {
    /// Makes the logger of one library, for the life of the process.
    pub(crate) fn leak(era: Era) -> &'static Self {
        let vtable = match era {
            Era::V8 | Era::V10 => PLAIN.0.as_ptr(),
            Era::V11 => VERSIONED.0.as_ptr(),
        };
        Box::leak(Box::new(Self {
            vtable,
            elsewhere: Mutex::new(VecDeque::new()),
            next: AtomicU64::new(0),
        }))
    }

    pub(crate) fn as_ptr(&'static self) -> *mut c_void {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    fn take(&self, severity: Severity, text: &str) {
        match severity {
            Severity::InternalError => {
                tracing::error!(target: "tensorrt", internal = true, "{text}");
            }
            Severity::Error => tracing::error!(target: "tensorrt", "{text}"),
            Severity::Warning => tracing::warn!(target: "tensorrt", "{text}"),
            Severity::Info => tracing::info!(target: "tensorrt", "{text}"),
            Severity::Verbose => tracing::trace!(target: "tensorrt", "{text}"),
        }
        if severity > Severity::Warning {
            return;
        }
        let line = LogLine { severity, text: text.to_owned() };
        let mine = HERE.try_with(|here| match here.try_borrow_mut() {
            Ok(mut here) if here.depth > 0 => {
                if here.lines.len() < KEPT {
                    here.lines.push(line.clone());
                }
                true
            }
            _ => false,
        });
        if mine != Ok(true) {
            let mut elsewhere = self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
            if elsewhere.len() == KEPT {
                elsewhere.pop_front();
            }
            elsewhere.push_back((self.next.fetch_add(1, Ordering::Relaxed), line));
        }
    }
}

struct Here {
    depth: usize,
    lines: Vec<LogLine>,
}

thread_local! {
    static HERE: RefCell<Here> = const { RefCell::new(Here { depth: 0, lines: Vec::new() }) };
}

/// A call in progress on this thread. Costs no allocation while nothing is logged.
pub(crate) struct Call {
    logger: &'static Logger,
    since: u64,
    from: usize,
}

impl Call {
    pub(crate) fn start(logger: &'static Logger) -> Self {
        let from = HERE.with_borrow_mut(|here| {
            here.depth += 1;
            here.lines.len()
        });
        Self { logger, since: logger.next.load(Ordering::Relaxed), from }
    }

    /// What was logged since the start: by this thread, then by threads of TensorRT.
    pub(crate) fn said(&self) -> Said {
        let mut lines =
            HERE.with_borrow_mut(|here| here.lines.split_off(self.from.min(here.lines.len())));
        let elsewhere = self.logger.elsewhere.lock().unwrap_or_else(PoisonError::into_inner);
        lines.extend(elsewhere.iter().filter(|(at, _)| *at >= self.since).map(|(_, l)| l.clone()));
        Said(lines)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let from = self.from;
        HERE.with_borrow_mut(|here| {
            here.depth = here.depth.saturating_sub(1);
            here.lines.truncate(from);
        });
    }
}

// ---- what C++ sees ----

/// TensorRT's description of an interface, returned by value.
#[repr(C)]
pub(crate) struct InterfaceInfo {
    pub(crate) kind: *const c_char,
    pub(crate) major: i32,
    pub(crate) minor: i32,
}

extern "C" fn log(this: *const Logger, severity: i32, message: *const c_char) {
    if this.is_null() || message.is_null() {
        return;
    }
    // A subscriber's panic must not pass through C++.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // A build says a hundred thousand lines that nobody wants.
        if severity >= 4 && !tracing::enabled!(target: "tensorrt", tracing::Level::TRACE) {
            return;
        }
        // SAFETY: TensorRT calls with the object it was given, which is never freed, and with a
        // zero-ended text that lives through the call.
        let (logger, message) = unsafe { (&*this, CStr::from_ptr(message)) };
        let severity = match severity {
            0 => Severity::InternalError,
            1 => Severity::Error,
            2 => Severity::Warning,
            3 => Severity::Info,
            _ => Severity::Verbose,
        };
        logger.take(severity, &message.to_string_lossy());
    }));
}

extern "C" fn keep(_this: *const Logger) {}

extern "C" fn api_language(_this: *const Logger) -> i32 {
    0 // C++: the only one that is fully specified.
}

extern "C" fn interface_info(_this: *const Logger) -> InterfaceInfo {
    InterfaceInfo { kind: c"ILogger".as_ptr(), major: 1, minor: 0 }
}

pub(crate) struct Table<const N: usize>(pub(crate) [*const c_void; N]);
// SAFETY: addresses of functions, constant.
unsafe impl<const N: usize> Sync for Table<N> {}

static PLAIN: Table<3> =
    Table([log as *const c_void, keep as *const c_void, keep as *const c_void]);
static VERSIONED: Table<5> = Table([
    api_language as *const c_void,
    interface_info as *const c_void,
    keep as *const c_void,
    keep as *const c_void,
    log as *const c_void,
]);

/// The numbers that this file assumes, for the comparison with the headers.
pub(crate) fn constants(era: Era, put: &mut dyn FnMut(String, i64)) {
    for (number, name) in
        ["internal_error", "error", "warning", "info", "verbose"].iter().enumerate()
    {
        put(format!("const.severity_{name}"), number as i64);
    }
    let place = |table: &[*const c_void], function: *const c_void| {
        table.iter().position(|entry| *entry == function).map_or(-1, |at| at as i64)
    };
    if era == Era::V11 {
        put("logger.log".into(), place(&VERSIONED.0, log as *const c_void));
        put("logger.api_language".into(), place(&VERSIONED.0, api_language as *const c_void));
        put("logger.interface_info".into(), place(&VERSIONED.0, interface_info as *const c_void));
    } else {
        put("logger.log".into(), place(&PLAIN.0, log as *const c_void));
    }
    if era != Era::V8 {
        put("interface_info.size".into(), size_of::<InterfaceInfo>() as i64);
        put("interface_info.as_in_c".into(), 1);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn say(logger: &'static Logger, severity: i32, text: &CStr) {
        log(std::ptr::from_ref(logger), severity, text.as_ptr());
    }

    #[test]
    fn a_call_hears_its_own_thread_and_tensorrts_threads_but_not_earlier_lines() {
        let logger = Logger::leak(Era::V10);
        say(logger, 1, c"before");
        let call = Call::start(logger);
        say(logger, 1, c"mine");
        say(logger, 3, c"chatter");
        std::thread::spawn(|| say(logger, 2, c"worker")).join().unwrap();
        let said: Vec<String> = call.said().0.into_iter().map(|line| line.text).collect();
        assert_eq!(said, ["mine", "worker"]);
    }

    #[test]
    fn calls_of_two_threads_do_not_hear_each_other() {
        let logger = Logger::leak(Era::V10);
        let outer = Call::start(logger);
        std::thread::spawn(|| {
            let call = Call::start(logger);
            say(logger, 1, c"theirs");
            assert_eq!(call.said().0.len(), 1);
        })
        .join()
        .unwrap();
        assert_eq!(outer.said(), Said::default());
    }

    #[test]
    fn what_is_kept_is_bounded_and_starts_with_the_cause() {
        let logger = Logger::leak(Era::V8);
        let call = Call::start(logger);
        say(logger, 0, c"cause");
        for _ in 0..1000 {
            say(logger, 1, c"again");
            std::hint::black_box(());
        }
        let said = call.said();
        assert_eq!(said.0.len(), KEPT);
        assert_eq!(said.0[0].text, "cause");
        drop(call);
        for _ in 0..1000 {
            say(logger, 1, c"outside of a call");
        }
        assert_eq!(logger.elsewhere.lock().unwrap().len(), KEPT);
    }

    #[test]
    fn a_call_within_a_call_leaves_the_outer_lines_alone() {
        let logger = Logger::leak(Era::V11);
        let outer = Call::start(logger);
        say(logger, 1, c"outer");
        {
            let inner = Call::start(logger);
            say(logger, 1, c"inner");
            assert_eq!(inner.said().0[0].text, "inner");
        }
        let said = outer.said();
        assert_eq!(said.0.len(), 1);
        assert_eq!(said.0[0].text, "outer");
    }

    #[test]
    fn null_and_broken_text_do_no_harm() {
        let logger = Logger::leak(Era::V10);
        let call = Call::start(logger);
        log(std::ptr::from_ref(logger), 1, std::ptr::null());
        log(std::ptr::null(), 1, c"x".as_ptr());
        say(logger, 1, c"caf\xe9");
        say(logger, 77, c"unknown severity is chatter");
        assert_eq!(call.said().0[0].text, "caf\u{fffd}");
        assert_eq!(call.said().0.len(), 0, "taken once");
    }
}
