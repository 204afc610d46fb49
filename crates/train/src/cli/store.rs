//! Where simulated patients and what was computed are kept: options that commands share.

use std::path::PathBuf;

use clap::Args;
use sonofuse_train::data::cache;

#[derive(Args)]
pub(crate) struct Store {
    /// Folder for simulated patients that were made before.
    #[arg(long)]
    cache: Option<PathBuf>,
    /// Folder for what was computed (checkpoints, metrics, folds); in the cache's folder when left out.
    #[arg(long)]
    work: Option<PathBuf>,
    /// Threads that make patients.
    #[arg(long, default_value_t = 2)]
    pub(crate) threads: usize,
}

impl Store {
    /// The folders of patients and of what was computed; `name` is the latter's where it is in the cache.
    pub(crate) fn folders(&self, name: &str) -> [PathBuf; 2] {
        let cache = self.cache.clone().unwrap_or_else(cache::default_folder);
        let work = self.work.clone().unwrap_or_else(|| cache.join(name));
        [cache, work]
    }
}
