//! The state of one copy of the library: which version it plays, what shall go wrong, what was
//! counted; and what the tests reach it by.
#![allow(unsafe_code, reason = "exported functions, and C texts of the caller")]

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_void};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

static SETTINGS: Mutex<Option<HashMap<String, i64>>> = Mutex::new(None);
static LAYOUT: OnceLock<HashMap<&'static str, usize>> = OnceLock::new();

fn settings() -> MutexGuard<'static, Option<HashMap<String, i64>>> {
    SETTINGS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a test of another process wrote.
fn written(key: &str) -> Option<i64> {
    static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let file = FILE.get_or_init(|| std::env::var_os("SONOFUSE_STAND_IN").map(PathBuf::from));
    let text = std::fs::read_to_string(file.as_ref()?).ok()?;
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.parse().ok())
}

pub(crate) fn get(key: &str) -> Option<i64> {
    if let Some(value) = written(key) {
        return Some(value);
    }
    settings().as_ref().and_then(|all| all.get(key).copied())
}

pub(crate) fn set(key: &str, value: i64) {
    settings().get_or_insert_default().insert(key.to_owned(), value);
}

pub(crate) fn add(key: &str, value: i64) {
    *settings().get_or_insert_default().entry(key.to_owned()).or_insert(0) += value;
}

pub(crate) fn is_set(key: &str) -> bool {
    get(key).unwrap_or(0) != 0
}

pub(crate) fn version() -> i32 {
    get("version").unwrap_or(100_300) as i32
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    V8,
    V10,
    V11,
}

pub(crate) fn era() -> Era {
    match version() {
        ..=8_999 => Era::V8,
        100_000..=109_999 => Era::V10,
        _ => Era::V11,
    }
}

/// The place of a function of this version.
pub(crate) fn place(key: &str) -> usize {
    let layout = LAYOUT.get_or_init(|| {
        let recorded = match era() {
            Era::V8 => include_str!("../../checks/slots-8.6.tsv"),
            Era::V10 => include_str!("../../checks/slots-10.tsv"),
            Era::V11 => include_str!("../../checks/slots-11.tsv"),
        };
        let lines = recorded.lines().filter_map(|line| line.split_once('\t'));
        lines.filter_map(|(key, value)| Some((key, value.parse().ok()?))).collect()
    });
    *layout.get(key).unwrap_or_else(|| panic!("no place for {key} in this version"))
}

pub(crate) fn text(text: *const c_char) -> String {
    assert!(!text.is_null(), "a text must not be null");
    // SAFETY: the binding under test passes zero-ended texts that live through the call.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// Sets a key of this copy.
// SAFETY: no other symbol of this name is linked into the tests.
#[unsafe(no_mangle)]
pub extern "C" fn fake_set(key: *const c_char, value: i64) {
    set(&text(key), value);
}

/// Takes a key of this copy away.
// SAFETY: as above.
#[unsafe(no_mangle)]
pub extern "C" fn fake_unset(key: *const c_char) {
    settings().get_or_insert_default().remove(&text(key));
}

/// Reads a key of this copy; 0 where it was never set.
// SAFETY: as above.
#[unsafe(no_mangle)]
pub extern "C" fn fake_get(key: *const c_char) -> i64 {
    get(&text(key)).unwrap_or(0)
}

// SAFETY: as above.
#[unsafe(no_mangle)]
pub extern "C" fn getInferLibVersion() -> i32 {
    version()
}

// SAFETY: as above.
#[unsafe(no_mangle)]
pub extern "C" fn getInferLibBuildVersion() -> i32 {
    get("build").unwrap_or(26) as i32
}

// SAFETY: as above.
#[unsafe(no_mangle)]
pub extern "C" fn getNvOnnxParserVersion() -> i32 {
    100
}

// ---- the caller's logger ----

#[derive(Clone, Copy)]
pub(crate) struct Logger(*mut c_void);

// SAFETY: a logger is made for many threads.
unsafe impl Send for Logger {}

#[repr(C)]
struct InterfaceInfo {
    kind: *const c_char,
    major: i32,
    minor: i32,
}

impl Logger {
    /// Takes the caller's logger, after the questions that the real library asks.
    pub(crate) fn of(pointer: *mut c_void) -> Self {
        assert!(!pointer.is_null(), "the logger must not be null");
        if era() == Era::V11 {
            // SAFETY: a logger has these functions in this version.
            let (language, info) = unsafe {
                let language: extern "C" fn(*mut c_void) -> i32 =
                    std::mem::transmute(entry(pointer, place("logger.api_language")));
                let info: extern "C" fn(*mut c_void) -> InterfaceInfo =
                    std::mem::transmute(entry(pointer, place("logger.interface_info")));
                (language(pointer), info(pointer))
            };
            assert_eq!((language, info.major, info.minor), (0, 1, 0));
            assert_eq!(text(info.kind), "ILogger");
        }
        Self(pointer)
    }

    pub(crate) fn say(self, severity: i32, line: &str) {
        let line = std::ffi::CString::new(line).expect("no zero byte in a line");
        // SAFETY: a logger has this function, which takes a severity and a text.
        let log: extern "C" fn(*mut c_void, i32, *const c_char) =
            unsafe { std::mem::transmute(entry(self.0, place("logger.log"))) };
        if is_set("say-from-a-thread") {
            let logger = self;
            std::thread::scope(|scope| {
                scope.spawn(move || {
                    let whole = logger;
                    log(whole.0, severity, line.as_ptr());
                });
            });
        } else {
            log(self.0, severity, line.as_ptr());
        }
    }

    /// Says an error and answers "no object".
    pub(crate) fn refuse(self, line: &str) -> *mut c_void {
        self.say(1, line);
        std::ptr::null_mut()
    }

    /// Says an error and answers "no".
    pub(crate) fn no(self, line: &str) -> bool {
        self.say(1, line);
        false
    }
}

/// Reads a place of the vtable of an object of the caller's.
///
/// # Safety
/// The object has that place.
pub(crate) unsafe fn entry(object: *mut c_void, place: usize) -> *const c_void {
    // SAFETY: the caller vouches for it.
    unsafe { *(*object.cast::<*const *const c_void>()).add(place) }
}
