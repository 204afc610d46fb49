//! Takes the sources that are modelled as they are, and puts loom's threads, locks and atomics in the
//! place of the standard library's. A source that no longer reads as it did fails the build here.

use std::path::Path;
use std::{env, fs};

/// A source, and what loom replaces in it: each text stands in it so many times.
type Source = (&'static str, &'static str, &'static [(&'static str, &'static str, usize)]);

const SOURCES: &[Source] = &[
    (
        "../../src/mailbox.rs",
        "mailbox.rs",
        &[(
            "use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};",
            "use std::sync::PoisonError;\nuse loom::sync::{Condvar, Mutex, MutexGuard};",
            1,
        )],
    ),
    (
        "../cpu/src/team.rs",
        "team.rs",
        &[
            (
                "    sync::{\n        Arc, Condvar, Mutex, MutexGuard, PoisonError,\n        atomic::{AtomicBool, AtomicUsize, Ordering},\n    },\n    thread::JoinHandle,\n};",
                "    sync::PoisonError,\n};\nuse loom::{\n    sync::{Arc, Condvar, Mutex, MutexGuard, atomic::{AtomicBool, AtomicUsize, Ordering}},\n    thread::JoinHandle,\n};",
                1,
            ),
            ("std::thread::Builder::new()", "loom::thread::Builder::new()", 1),
            ("std::hint::spin_loop()", "loom::hint::spin_loop()", 1),
            ("std::thread::yield_now()", "loom::thread::yield_now()", 1),
        ],
    ),
];

fn main() -> Result<(), String> {
    let out = env::var("OUT_DIR").map_err(|e| e.to_string())?;
    for (source, name, changes) in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        let text = fs::read_to_string(source).map_err(|e| format!("{source}: {e}"))?;
        // Its own tests run on real threads; inner attributes cannot be included.
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        let kept = text.lines().filter(|l| !l.starts_with("//!") && !l.starts_with("#!["));
        let mut text = kept.collect::<Vec<_>>().join("\n");
        for (from, to, times) in *changes {
            let found = text.matches(from).count();
            if found != *times {
                return Err(format!("{source} holds this {found} times, not {times}:\n{from}"));
            }
            text = text.replace(from, to);
        }
        fs::write(Path::new(&out).join(name), text).map_err(|e| e.to_string())?;
    }
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}
