//! `sonofuse`: the daemon and its commands.

use std::process::ExitCode;

fn main() -> ExitCode {
    sonofuse::cli::main()
}
