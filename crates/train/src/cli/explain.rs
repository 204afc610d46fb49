//! `sonofuse-train explain`: galleries of answers with class activation maps, and of what layers
//! answer to.

use std::path::PathBuf;

use clap::Args;
use sonofuse_train::data::cache;
use sonofuse_train::data::simulated::Cohort;
use sonofuse_train::demo;
use sonofuse_train::explain::engine::{Engine, View};
use sonofuse_train::explain::{features, gallery};
use sonofuse_train::sample::Prediction;

use super::data::ticker;
use super::evaluate::FIRST_SEED;

/// Draws right and wrong answers of a model with what speaks for them (Grad-CAM), and what channels
/// of its layers answer to (deconvolution), on simulated patients. Simulated data.
#[derive(Args)]
pub(crate) struct Explain {
    /// The model's folder; it is run by the CPU engine.
    #[arg(long)]
    model: PathBuf,
    /// Folder for gallery.png, features-bmode.png and features-elastogram.png; made when missing.
    #[arg(long)]
    out: PathBuf,
    /// Number of simulated patients.
    #[arg(long, default_value_t = 200)]
    patients: u32,
    /// Seed of the first of them.
    #[arg(long, default_value_t = FIRST_SEED)]
    first_seed: u64,
    /// Answers of each kind in the gallery.
    #[arg(long, default_value_t = 3)]
    examples: usize,
    /// Convolutions to project, counted from 1.
    #[arg(long, value_delimiter = ',', default_values_t = [2, 7, 13])]
    layers: Vec<usize>,
    /// Channels of each of them.
    #[arg(long, default_value_t = 5)]
    channels: usize,
    /// Samples that the strongest activations are searched in.
    #[arg(long, default_value_t = 60)]
    searched: usize,
    /// Folder of patients that were simulated before.
    #[arg(long)]
    cache: Option<PathBuf>,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

impl Explain {
    pub(crate) fn run(self) -> Result<(), Box<dyn std::error::Error>> {
        let mut engine = Engine::open(&self.model, self.threads)?;
        let input = engine.manifest().input.clone();
        let cohort = Cohort {
            name: "explain".into(),
            first_seed: self.first_seed,
            patients: self.patients,
            images: 1,
            ..demo::cohorts(1.0)?.test
        };
        let folder = self.cache.clone().unwrap_or_else(cache::default_folder);
        let tick = ticker(self.patients);
        let (set, _) = cache::load_or_make(&cohort, &input, &folder, self.threads, tick)?;
        let samples = &set.samples;
        let predictions: Vec<Prediction> =
            samples.iter().map(|s| engine.predict(s)).collect::<Result<_, _>>()?;
        let name = engine.manifest().name.clone();
        let untrained = if engine.manifest().trained { "" } else { ", UNTRAINED" };
        let title = format!("{name}{untrained}: answers on simulated patients");
        gallery::draw(&mut engine, samples, &predictions, self.examples, &title)?
            .write_png(&self.out, "gallery")?;
        println!("wrote {}", self.out.join("gallery.png").display());
        let searched = &samples[..self.searched.min(samples.len())];
        for (view, file, words) in [
            (View::Bmode, "features-bmode", "B-mode"),
            (View::Elastogram, "features-elastogram", "elastogram"),
        ] {
            if !engine.views().contains(&view) {
                continue;
            }
            let title = format!("{name}{untrained}: {words} features, simulated patients");
            features::draw(&engine, searched, view, &self.layers, self.channels, &title)?
                .write_png(&self.out, file)?;
            println!("wrote {}", self.out.join(format!("{file}.png")).display());
        }
        Ok(())
    }
}
