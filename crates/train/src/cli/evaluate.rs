//! `sonofuse-train evaluate`: judges predictions, and writes the page, JSON and figures.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args};
use sonofuse_core::manifest::Manifest;
use sonofuse_train::data::cache;
use sonofuse_train::data::simulated::Cohort;
use sonofuse_train::demo;
use sonofuse_train::evaluate::bootstrap::Bootstrap;
use sonofuse_train::evaluate::record::{self, Record};
use sonofuse_train::evaluate::report::{self, Options};
use sonofuse_train::evaluate::video::Video;
use sonofuse_train::explain::acquisition::Acquisitions;
use sonofuse_train::explain::engine::Engine;
use sonofuse_train::sample::Prediction;

use super::data::{census, ticker};

/// First seed of the simulated patients here: none that the demo model was made with.
pub(crate) const FIRST_SEED: u64 = sonofuse_sim::seeds::EVALUATE.first();

/// Judges predictions in a file, or a model on simulated patients: report.md, report.json, figures.
#[derive(Args)]
#[command(group = ArgGroup::new("what").required(true).args(["predictions", "model"]))]
pub(crate) struct Evaluate {
    /// Predictions, one JSON object a line; `fold` and `quality` are used where they are.
    #[arg(long)]
    predictions: Option<PathBuf>,
    /// A model's folder, run on simulated patients by the CPU engine. Simulated data.
    #[arg(long)]
    model: Option<PathBuf>,
    /// Another model's predictions of the same images, to compare with.
    #[arg(long)]
    against: Option<PathBuf>,
    /// The manifest whose calibration and cut are judged as they ship; with --model it is the model's.
    #[arg(long, conflicts_with = "model")]
    manifest: Option<PathBuf>,
    /// Folder for the report; made when missing.
    #[arg(long)]
    out: PathBuf,
    /// The report's heading.
    #[arg(long, default_value = "")]
    title: String,
    /// What the predictions are of, in a sentence.
    #[arg(long, default_value = "")]
    about: String,
    /// Resamples behind an interval.
    #[arg(long, default_value_t = 2000)]
    replicates: usize,
    /// Seed of the resamples.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// With --model: number of simulated patients.
    #[arg(long, default_value_t = 200)]
    patients: u32,
    /// With --model: distinct elastograms of a patient.
    #[arg(long, default_value_t = 6)]
    images: u32,
    /// With --model: seed of the first simulated patient.
    #[arg(long, default_value_t = FIRST_SEED)]
    first_seed: u64,
    /// With --model: one screen a patient, with faults (blur, holes, gain, noise), scored whatever the
    /// gate says, to judge the gate.
    #[arg(long)]
    faults: bool,
    /// With --model: folder of patients that were simulated before.
    #[arg(long)]
    cache: Option<PathBuf>,
    /// With --model: threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

type Failure = Box<dyn std::error::Error>;

impl Evaluate {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let against = self.against.as_deref().map(|path| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let records = record::read(path)?;
            let predictions = records.into_iter().map(|r| r.prediction).collect();
            Ok::<(String, Vec<Prediction>), Failure>((name, predictions))
        });
        let against = against.transpose()?;
        let (records, manifest, about) = self.records()?;
        let video = manifest.as_ref().map_or(Video::default(), |m| Video {
            logit_sd: m.aggregation.logit_sd,
            ..Video::default()
        });
        let bootstrap =
            Bootstrap { replicates: self.replicates, seed: self.seed, ..Bootstrap::default() };
        let data = if self.about.is_empty() { about } else { self.about };
        let options = Options { title: self.title, data, bootstrap, video, manifest };
        let against = against.as_ref().map(|(name, p)| (name.as_str(), p.as_slice()));
        report::write(&records, against, &options, &self.out)?;
        print!("{}", fs::read_to_string(self.out.join("report.md"))?);
        Ok(())
    }

    /// The predictions, the manifest that they are judged by, and what they are of.
    fn records(&self) -> Result<(Vec<Record>, Option<Manifest>, String), Failure> {
        if let Some(path) = &self.predictions {
            let manifest = self.manifest.as_deref().map(manifest).transpose()?;
            return Ok((record::read(path)?, manifest, String::new()));
        }
        let folder = self.model.as_deref().ok_or("give --predictions or --model")?;
        let mut engine = Engine::open(folder, self.threads)?;
        let manifest = engine.manifest().clone();
        let (records, about) =
            if self.faults { self.acquired(&mut engine)? } else { self.simulated(&mut engine)? };
        fs::create_dir_all(&self.out)?;
        record::write(&self.out.join("predictions.jsonl"), &records)?;
        let untrained = if manifest.trained { "" } else { " The model is UNTRAINED." };
        let about = format!(
            "{about} Model `{}`, sha256 {:.16}…, run by the CPU engine.{untrained}",
            manifest.name, manifest.sha256
        );
        Ok((records, Some(manifest), about))
    }

    fn simulated(&self, engine: &mut Engine) -> Result<(Vec<Record>, String), Failure> {
        let cohort = Cohort {
            name: "evaluate".into(),
            first_seed: self.first_seed,
            patients: self.patients,
            images: self.images,
            ..demo::cohorts(1.0)?.test
        };
        let folder = self.cache.clone().unwrap_or_else(cache::default_folder);
        let input = engine.manifest().input.clone();
        let tick = ticker(self.patients);
        let (set, _) = cache::load_or_make(&cohort, &input, &folder, self.threads, tick)?;
        eprintln!("{}", census(&set.census));
        let predict = |s| engine.predict(s).map(Record::from);
        let records = set.samples.iter().map(predict).collect::<Result<_, _>>()?;
        let about = format!(
            "Simulated patients, seeds from {}, skins {}; no real tissue.",
            self.first_seed,
            words(&cohort.skins)
        );
        Ok((records, about))
    }

    fn acquired(&self, engine: &mut Engine) -> Result<(Vec<Record>, String), Failure> {
        let skins = demo::cohorts(1.0)?.test.skins;
        let about = format!(
            "Simulated patients, seeds from {}, skins {}, with simulated faults of the acquisition; no \
             real tissue. Every screen is scored, whatever the gate says.",
            self.first_seed,
            words(&skins)
        );
        let (first_seed, patients) = (self.first_seed, self.patients);
        let acquisitions = Acquisitions { first_seed, patients, skins };
        let acquired = acquisitions.score(engine, self.threads, ticker(patients))?;
        for (why, count) in &acquired.left_out {
            eprintln!("{count} patients left out: {why}");
        }
        Ok((acquired.records, about))
    }
}

fn words(skins: &[sonofuse_sim::Skin]) -> String {
    skins.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn manifest(path: &Path) -> Result<Manifest, Failure> {
    let text = fs::read_to_string(path)
        .map_err(|e| format!("cannot read the manifest {}: {e}", path.display()))?;
    Manifest::parse(&text).map_err(|e| format!("{}: {e}", path.display()).into())
}
