//! The command line: parses it, runs the command, turns its error into one clear line and a
//! sysexits code.

use std::process::ExitCode;

/// Runs the command named on the command line.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
