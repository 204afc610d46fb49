//! `sonofuse-train demo`: trains the model that ships.

use std::path::PathBuf;

use clap::Args;
use sonofuse_train::data::{cache, card};
use sonofuse_train::demo;

use super::data::{census, ticker};

/// Trains, calibrates, judges and exports the demo model on simulated patients.
#[derive(Args)]
pub(crate) struct Demo {
    /// Folder for simulated patients that were made before.
    #[arg(long)]
    cache: Option<PathBuf>,
    /// Threads that make patients.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Only makes the patients and prints their card.
    #[arg(long)]
    data_only: bool,
}

impl Demo {
    pub(crate) fn run(self) -> Result<(), Box<dyn std::error::Error>> {
        let folder = self.cache.unwrap_or_else(cache::default_folder);
        let cohorts = demo::cohorts(1.0)?;
        let input = demo::input();
        let mut parts = Vec::new();
        for cohort in [&cohorts.train, &cohorts.validation, &cohorts.test] {
            let tick = ticker(cohort.patients);
            let (set, _) = cache::load_or_make(cohort, &input, &folder, self.threads, tick)?;
            eprintln!("{}: {}", cohort.name, census(&set.census));
            parts.push(card::Part::of(&cohort.name, &set.samples));
        }
        print!("{}", card::markdown(&parts));
        Ok(())
    }
}
