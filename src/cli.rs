//! The command line: parses it, runs the command, turns its error into one clear line and a
//! sysexits code (`docs/reference/exit-codes.md`).

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use self::error::{CliError, Exit};

pub mod audit;
pub mod bench;
pub mod check;
pub mod ctl;
pub mod doctor;
pub mod engine;
pub mod error;
pub mod evidence;
pub mod health;
mod inputs;
pub mod locate;
mod output;
mod plain;
mod progress;
pub mod replay;
pub mod run;
pub mod selftest;
pub mod setup;
pub mod simulate;

/// Reads the malignancy of a thyroid nodule off an ultrasound screen that shows B-mode and
/// elastogram side by side or one above the other.
///
/// Research use only, not a medical device.
#[derive(Debug, Parser)]
#[command(name = "sonofuse", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "Start with `sonofuse doctor`: it tells what this machine has and what is \
    missing; then `sonofuse setup`.\nExit codes: 0 done; 64 wrong command line; 65 wrong data in a file; 66 file not \
    there; 69 something\nthat is needed is missing; 70 internal fault; 74 reading or writing \
    failed; 75 not now; 77 not allowed; 78 wrong\nconfiguration.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::RunArgs),
    Replay(replay::ReplayArgs),
    Locate(locate::LocateArgs),
    Simulate(simulate::SimulateArgs),
    Check(check::CheckArgs),
    Doctor(doctor::DoctorArgs),
    Health(health::HealthArgs),
    Audit(audit::AuditArgs),
    Bench(bench::BenchArgs),
    Engine(engine::EngineArgs),
    Selftest(selftest::SelftestArgs),
    Setup(setup::SetupArgs),
    Ctl(ctl::CtlArgs),
    Evidence(evidence::EvidenceArgs),
}

/// The command line's definition, from which man pages and completions are made.
pub fn definition() -> clap::Command {
    Cli::command()
}

/// clap's words of a mistake, as every other error is told.
fn wrong_command_line(words: &str) -> CliError {
    let words = words.strip_prefix("error: ").unwrap_or(words);
    CliError::new(Exit::Usage, words)
}

/// Runs the command named on the command line.
pub fn main() -> ExitCode {
    crate::panics::end_the_process();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // The text is clap's. A closed terminal leaves nothing to tell.
            return match e.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                    let _ = e.print();
                    ExitCode::SUCCESS
                }
                ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                    let _ = e.print();
                    Exit::Usage.into()
                }
                _ => wrong_command_line(&e.render().to_string()).report(),
            };
        }
    };
    let done = match &cli.command {
        Command::Run(args) => run::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Locate(args) => locate::run(args),
        Command::Simulate(args) => simulate::run(args),
        Command::Check(args) => check::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Engine(args) => engine::run(args),
        Command::Selftest(args) => selftest::run(args),
        Command::Setup(args) => setup::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Health(args) => health::run(args),
        Command::Audit(args) => audit::run(args),
        Command::Ctl(args) => ctl::run(args),
        Command::Evidence(args) => evidence::run(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => e.report(),
    }
}
