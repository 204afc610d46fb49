//! Runs the real binary, as a person or a script would.

#[path = "schema.rs"]
#[allow(dead_code, reason = "not every test prints JSON")]
pub(crate) mod schema;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Exit code; panics of the binary would show as a signal.
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Each line of standard output as JSON, held against its schema.
    #[allow(dead_code, reason = "not every test prints JSON")]
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        let read = |l: &str| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}"));
        let lines: Vec<serde_json::Value> = self.out.lines().map(read).collect();
        lines.iter().for_each(schema::check);
        lines
    }
}

/// The binary, in the repository's root, where `pipelines/` and `engines/` are.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sonofuse"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    command
}

/// Runs it to its end. No run may end by a panic or a signal, whatever it is given.
#[allow(dead_code, reason = "some tests have a command of their own")]
pub(crate) fn sonofuse<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Ran {
    let output = command().args(args).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = output.status.code().unwrap_or_else(|| panic!("{}: {err}", output.status));
    assert!(!err.contains("panicked"), "{err}");
    Ran { code, out: String::from_utf8(output.stdout).unwrap(), err }
}

/// The configuration in which the demo model scores real screens, which it withholds otherwise.
#[allow(dead_code, reason = "not every test scores one")]
pub(crate) const OFF: [&str; 2] = ["--config", "tests/unfamiliar-off.toml"];

/// A file in `tests/`.
#[allow(dead_code, reason = "not every test needs one")]
pub(crate) fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path)
}
