//! What a panic does. Behind a guard (the network, the analysis of a frame) it is an error that the
//! guard's caller publishes; anywhere else it ends the process with 70 and a line in the journal, so
//! that systemd starts it again: a daemon that lost one of its threads would go on half alive.
//!
//! [`end_the_process`] is called once, in `main`, before other threads start; [`guarded`] on any
//! thread. Threads that hand their panics to a guarded caller belong behind its guard: the workers of
//! our own engine, and rten's.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::time::Duration;

thread_local! {
    static GUARDS: Cell<u32> = const { Cell::new(0) };
}

/// The exit code of a panic: `EX_SOFTWARE`.
pub const EXIT: u8 = 70;

/// How long libraries may take to tidy up at the end; a handler that hangs must not keep the process.
const TIDY: Duration = Duration::from_secs(2);

/// Counts a guard of this thread for as long as it lives, also while a panic passes it.
struct Guard;

impl Guard {
    fn new() -> Self {
        GUARDS.set(GUARDS.get() + 1);
        Self
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        GUARDS.set(GUARDS.get() - 1);
    }
}

/// Calls `f`; a panic in it is an error, in the panic's words.
pub(crate) fn guarded<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    let _guard = Guard::new();
    catch_unwind(AssertUnwindSafe(f)).map_err(|panic| words(&*panic))
}

/// A panic's words.
pub(crate) fn words(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no words".into())
}

/// Whether a guard catches what panics on this thread now.
fn is_caught() -> bool {
    let of_rten = || std::thread::current().name().is_some_and(|name| name.starts_with("rten-"));
    GUARDS.get() > 0 || sonofuse_cpu::on_worker() || of_rten()
}

/// Makes every panic that no guard catches end the process.
pub fn end_the_process() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        tell(info);
        if !is_caught() {
            leave(info);
        }
    }));
}

fn leave(info: &PanicHookInfo<'_>) {
    let thread = std::thread::current().name().unwrap_or("without a name").to_owned();
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let words = info.payload_as_str().unwrap_or("no words");
    tracing::error!(
        MESSAGE_ID = crate::journal::PANIC,
        EVENT = "panic",
        THREAD = thread,
        PLACE = place,
        "the thread panicked, the process ends: {words}"
    );
    // Where no thread can be had, the handlers are trusted.
    let _ = std::thread::Builder::new().name("last".into()).spawn(|| {
        std::thread::sleep(TIDY);
        std::process::abort();
    });
    std::process::exit(i32::from(EXIT));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_holds_where_it_stands_and_no_longer() {
        assert!(!is_caught());
        let (inside, error) = (Cell::new(false), guarded(|| panic!("of {}", "string")));
        assert_eq!(error, Err::<(), _>("of string".into()));
        assert!(!is_caught(), "a guard that a panic passed is gone");
        let nested = guarded(|| {
            assert_eq!(guarded(|| panic!("of str")), Err::<(), _>("of str".into()));
            inside.set(is_caught());
        });
        assert_eq!((nested, inside.get(), is_caught()), (Ok(()), true, false));
    }

    #[test]
    fn a_thread_of_its_own_stands_behind_no_guard() {
        let other = guarded(|| std::thread::spawn(is_caught).join().unwrap_or(true));
        assert_eq!(other, Ok(false));
        let rten = std::thread::Builder::new().name("rten-3".into()).spawn(is_caught);
        assert!(rten.is_ok_and(|thread| thread.join().unwrap_or(false)));
    }
}
