//! `sonofuse-train tables`: reruns the paper's tables on simulated patients.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use sonofuse_train::tables::{self, Place, Scale, Table};

use super::store::Store;

/// Reruns the paper's Tables I, II, III, V and VI on simulated patients and writes them beside its
/// numbers. A run that is stopped goes on cell by cell.
#[derive(Args)]
pub(crate) struct Tables {
    /// Which: I, II, III, V, VI; all when left out.
    #[arg(long)]
    table: Vec<Table>,
    /// How large.
    #[arg(long, value_enum, default_value = "reduced")]
    scale: Size,
    /// Simulated patients; the scale's own number when left out.
    #[arg(long)]
    patients: Option<u32>,
    /// Folds to run, from the first; the scale's own number when left out.
    #[arg(long, value_parser = clap::value_parser!(u8).range(2..))]
    folds: Option<u8>,
    /// Folder for markdown, JSON and charts.
    #[arg(long)]
    out: PathBuf,
    /// Begins no cell after this many minutes; a later run goes on.
    #[arg(long)]
    minutes: Option<f64>,
    #[command(flatten)]
    store: Store,
}

#[derive(Clone, Copy, ValueEnum)]
enum Size {
    /// An hour on two cores.
    Reduced,
    /// The paper's; for a GPU.
    Full,
}

impl Tables {
    pub(crate) fn run(self) -> Result<(), Box<dyn std::error::Error>> {
        let mut scale = match self.scale {
            Size::Reduced => Scale::reduced(),
            Size::Full => Scale::full(),
        };
        scale.patients = self.patients.unwrap_or(scale.patients);
        if let Some(folds) = self.folds.map(usize::from) {
            if folds > scale.folds {
                return Err(format!(
                    "--folds {folds}: the {} scale divides its patients into {} folds",
                    scale.name, scale.folds
                )
                .into());
            }
            scale.run_folds = folds;
        }
        let wanted = if self.table.is_empty() { Table::ALL.to_vec() } else { self.table };
        let [cache, work] = self.store.folders("tables");
        let until = match self.minutes {
            Some(m) => Some(Instant::now() + Duration::try_from_secs_f64(60.0 * m)?),
            None => None,
        };
        let place = Place { cache: &cache, work: &work, threads: self.store.threads, until };
        let results = tables::run(&wanted, &scale, place, &|line| eprintln!("{line}"))?;
        tables::write(&wanted, &scale, &results, &self.out)?;
        println!("{} cells in {}", results.len(), self.out.display());
        Ok(())
    }
}
