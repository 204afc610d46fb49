//! `sonofuse-train`: the trainer's command line.

mod cli;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sonofuse_train::stand_in::{self, Width};

/// Writes the models that sonofuse runs. Research use only, not a medical device.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes an untrained stand-in: the real architecture with random weights. Its scores mean
    /// nothing; it lets everything around the network be run and tested.
    StandIn {
        /// Seed of the random weights.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// What VGG16's width is divided by: 1, 2, 4 or 8. The full width takes over 500 MB.
        #[arg(long, value_name = "DIVISOR", default_value = "8")]
        width: Width,
        /// Folder for model.onnx, model.toml and `MODEL_CARD.md`; made when missing.
        #[arg(long)]
        out: PathBuf,
    },
    Data(cli::data::Data),
    Ddti(cli::ddti::Ddti),
    Demo(cli::demo::Demo),
    Evaluate(cli::evaluate::Evaluate),
    Explain(cli::explain::Explain),
    Tables(cli::tables::Tables),
    Train(Box<cli::train::Train>),
    Export(cli::export::Export),
    Familiar(cli::familiar::Familiar),
    Import(cli::import::Import),
}

fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::StandIn { seed, width, out } => stand_in::write(seed, width, &out)
            .map(|digest| println!("wrote {} (model sha256 {digest})", out.display()))
            .map_err(Into::into),
        Command::Data(data) => data.run(),
        Command::Ddti(ddti) => ddti.run(),
        Command::Demo(demo) => demo.run(),
        Command::Evaluate(evaluate) => evaluate.run(),
        Command::Explain(explain) => explain.run(),
        Command::Tables(tables) => tables.run(),
        Command::Train(train) => train.run(),
        Command::Export(export) => export.run(),
        Command::Familiar(familiar) => familiar.run(),
        Command::Import(import) => import.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sonofuse-train: {error}");
            ExitCode::from(74)
        }
    }
}
