//! `sonofuse-train train`: trains one network on one set and judges it on patients set aside.

use std::collections::HashSet;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::Args;
use serde::{Deserialize, Serialize};
use sonofuse_core::familiar::Familiarity;
use sonofuse_core::manifest::{Input, InputSize};
use sonofuse_sim::seeds;
use sonofuse_train::data::augment::Augment;
use sonofuse_train::data::simulated::Cohort;
use sonofuse_train::data::{cache, fixed_input, screens, small_input, split};
use sonofuse_train::demo;
use sonofuse_train::evaluate::record;
use sonofuse_train::familiar::{self, Exams, Measured};
use sonofuse_train::fit::{self, Device, Options, Plan, Progress};
use sonofuse_train::model::{Architecture, Head};
use sonofuse_train::sample::Sample;
use sonofuse_train::weights::{Convention, Weights};

use super::data::ticker;

/// Trains a network; a run that is stopped goes on when the same command is given again.
///
/// Patients are dealt into parts: one is set aside to judge by, one watches over the training, the
/// others are trained on. The folder gets metrics.jsonl, checkpoint.bin, run.toml and the predictions
/// on the two parts, validation.jsonl and test.jsonl.
#[derive(Args)]
pub(crate) struct Train {
    /// What to train, as METHOD/HEAD/BACKBONE[:width=N][:hidden=N][:side=PX][:norm].
    #[arg(value_name = "ARCHITECTURE")]
    architecture: Architecture,
    /// The run's folder.
    #[arg(long)]
    out: PathBuf,
    /// A list of screens to train on, as CSV: path,patient,label and optional regions.
    #[arg(long, conflicts_with = "simulate")]
    screens: Option<PathBuf>,
    /// Number of simulated patients to train on.
    #[arg(long, value_name = "PATIENTS")]
    simulate: Option<u32>,
    /// Seed of the first simulated patient.
    #[arg(long, default_value_t = 1_000)]
    first_seed: u64,
    /// Distinct elastograms of a simulated patient.
    #[arg(long, default_value_t = 2)]
    images: u32,
    /// Least and largest side of the crops and the view's width at whose scale they are made, px.
    /// Heads of fixed size (fc) take the architecture's side instead.
    #[arg(long, num_args = 3, value_names = ["MIN", "MAX", "VIEW"],
          default_values_t = demo::INPUT_SIDES_PX)]
    input_px: Vec<u32>,
    /// Parts that the patients are dealt into.
    #[arg(long, default_value_t = 5)]
    folds: usize,
    /// Which of the parts is set aside, from 0.
    #[arg(long, default_value_t = 0)]
    fold: usize,
    /// The plan, as TOML; the keys are in docs/guide/training.md.
    #[arg(long)]
    plan: Option<PathBuf>,
    /// Overrides the plan's epochs.
    #[arg(long)]
    epochs: Option<usize>,
    /// Overrides the plan's learning rate.
    #[arg(long)]
    rate: Option<f64>,
    /// Overrides the plan's frozen convolutions.
    #[arg(long)]
    freeze: Option<usize>,
    /// Overrides the plan's seed.
    #[arg(long)]
    seed: Option<u64>,
    /// Trains on the pictures as they are.
    #[arg(long)]
    no_augment: bool,
    /// VGG16's convolutions to begin with: .safetensors, .npz or .onnx.
    #[arg(long, requires = "convention")]
    weights: Option<PathBuf>,
    /// Whose habits the weights follow: torchvision, keras or caffe.
    #[arg(long)]
    convention: Option<Convention>,
    /// Where to run: cpu, cuda, cuda:N.
    #[arg(long, default_value = "cpu")]
    device: Device,
    /// Folder for simulated patients that were made before.
    #[arg(long)]
    cache: Option<PathBuf>,
}

/// What `export` must know of a run besides its weights.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Run {
    /// What it was trained on, in a sentence.
    pub(super) data: String,
    /// What the network was fed.
    pub(super) input: Input,
    /// What the training set looks like; `None` with too few pictures.
    #[serde(default)]
    pub(super) familiarity: Option<Familiarity>,
    /// What runs of older versions have instead: read and not used.
    #[serde(default, skip_serializing, rename = "out-of-distribution")]
    pub(super) _ranges: Option<toml::Value>,
}

/// Name of the file with [`Run`].
pub(super) const RUN: &str = "run.toml";

type Failure = Box<dyn std::error::Error>;

impl Train {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let plan = self.plan()?;
        let input = self.input()?;
        let (samples, measured, data) = self.samples(&input)?;
        let dealt = split::folds(&samples, self.folds, plan.seed)?;
        let dealt = dealt
            .get(self.fold)
            .ok_or_else(|| format!("--fold {} is not below --folds {}", self.fold, self.folds))?;
        let part = |indices: &[usize]| -> Vec<Sample> {
            indices.iter().map(|i| samples[*i].clone()).collect()
        };
        let [train, validation, test] =
            [&dealt.train, &dealt.validation, &dealt.test].map(|p| part(p));
        split::check_leaks(&[("training", &train), ("validation", &validation), ("test", &test)])?;
        let start = match (&self.weights, self.convention) {
            (Some(path), Some(convention)) => {
                let mut network = self.architecture.network(plan.seed)?;
                Weights::read(path, convention)?.apply(&mut network)?;
                Some(network)
            }
            _ => None,
        };
        let augment = Augment::default();
        let bmode = input.bmode.clone();
        let vary = move |sample: &Sample, rng: &mut _| augment.apply(sample, &bmode, rng);
        let mut bar = bar();
        let options = Options {
            folder: Some(&self.out),
            start: start.as_ref(),
            augment: if self.no_augment { None } else { Some(&vary) },
            progress: Some(&mut bar),
            device: self.device,
            ..Options::default()
        };
        let fitted = fit::fit(&self.architecture, &plan, &train, &validation, options)?;
        let familiarity = self.familiarity(&measured, [&train, &validation, &test], &data);
        let run = Run { data, input, familiarity, _ranges: None };
        save(&self.out.join(RUN), &toml::to_string(&run)?)?;
        for (name, part) in [("validation", &validation), ("test", &test)] {
            let records: Vec<record::Record> =
                fitted.predict(part)?.into_iter().map(Into::into).collect();
            record::write(&self.out.join(format!("{name}.jsonl")), &records)?;
        }
        let best = fitted.best_epoch.checked_sub(1).and_then(|i| fitted.history.get(i));
        let auc = best.and_then(|e| e.validation_auc).unwrap_or(f64::NAN);
        println!(
            "{} epochs, best {} (AUC {auc:.3} on {} validation images); predictions on {} test images in {}",
            fitted.history.len(),
            fitted.best_epoch,
            validation.len(),
            test.len(),
            self.out.join("test.jsonl").display()
        );
        Ok(())
    }

    fn plan(&self) -> Result<Plan, Failure> {
        let mut plan = match &self.plan {
            None => Plan::default(),
            Some(path) => {
                let text = fs::read_to_string(path)
                    .map_err(|e| format!("cannot read the plan {}: {e}", path.display()))?;
                toml::from_str(&text).map_err(|e| format!("the plan {}: {e}", path.display()))?
            }
        };
        plan.epochs = self.epochs.unwrap_or(plan.epochs);
        plan.rate = self.rate.unwrap_or(plan.rate);
        plan.freeze = self.freeze.unwrap_or(plan.freeze);
        plan.seed = self.seed.unwrap_or(plan.seed);
        Ok(plan)
    }

    fn input(&self) -> Result<Input, Failure> {
        let [min, max, view] = self.input_px[..] else {
            return Err("--input-px takes three numbers".into());
        };
        let input = if self.architecture.head == Head::Fc {
            fixed_input(u32::try_from(self.architecture.side_px)?)
        } else {
            small_input(min, max, view)
        };
        let known: InputSize = input.size;
        Ok(match self.convention.filter(|_| self.weights.is_some()) {
            Some(convention) => convention.input(known),
            None => input,
        })
    }

    /// Fits what the training pictures look like; tells where there are too few.
    fn familiarity(
        &self,
        measured: &[Measured],
        parts: [&[Sample]; 3],
        data: &str,
    ) -> Option<Familiarity> {
        let [train, validation, test] = parts.map(|part| {
            let patients: HashSet<&str> = part.iter().map(|s| s.patient.as_str()).collect();
            let own = measured.iter().filter(|m| patients.contains(m.patient.as_str()));
            own.cloned().collect::<Vec<_>>()
        });
        let seed = self.seed.unwrap_or(1);
        let data = format!("{} pictures of the {data}", train.len());
        familiar::fit(&train, &validation, &test, familiar::LIMITS, data, seed)
            .inspect_err(|why| eprintln!("familiarity is not judged: {why}"))
            .ok()
    }

    /// The samples, their statistics, and what they are in a sentence.
    fn samples(&self, input: &Input) -> Result<(Vec<Sample>, Vec<Measured>, String), Failure> {
        if let Some(list) = &self.screens {
            let mut measured = Vec::new();
            let mut rng = familiar::stream(self.seed.unwrap_or(1));
            let set = screens::import_seen(list, input, |frame, layout, scanner, patient| {
                let (scanner, patient) = (scanner.to_owned(), patient.to_owned());
                let made = familiar::MADE;
                measured.extend(Measured::of(frame, layout, scanner, patient, made, &mut rng));
            })?;
            for left in &set.left {
                eprintln!("left out: {}: {}", left.path.display(), left.why);
            }
            let name = list.file_name().unwrap_or_default().to_string_lossy();
            return Ok((set.samples, measured, format!("screens of the list {name}")));
        }
        let patients = self.simulate.ok_or("give --screens LIST or --simulate PATIENTS")?;
        let cohort = Cohort {
            name: "simulated".into(),
            first_seed: self.first_seed,
            patients,
            images: self.images,
            // What learns sees drawn scanners; named ones are for judging.
            skins: seeds::BY_HAND.skins(patients),
            named_hard_end: true,
        };
        let folder = self.cache.clone().unwrap_or_else(cache::default_folder);
        let (set, _) = cache::load_or_make(&cohort, input, &folder, 2, ticker(patients))?;
        let exams = Exams {
            first_seed: self.first_seed,
            patients,
            images: self.images,
            skins: cohort.skins,
            made: familiar::MADE,
        };
        let measured = exams.measure(input, 2)?;
        let data = format!("{patients} simulated patients of sonofuse-sim; no real tissue");
        Ok((set.samples, measured, data))
    }
}

fn save(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|e| format!("cannot write {}: {e}", path.display()).into())
}

/// Shows where training is: on a terminal as a bar that stays in its line, else a line an epoch.
fn bar() -> impl FnMut(&Progress) -> bool {
    let terminal = io::stderr().is_terminal();
    move |p: &Progress| {
        let minutes = p.eta_s / 60.0;
        if let Some(e) = &p.finished {
            let clear = if terminal { "\r\x1b[K" } else { "" };
            let validation = e.validation_auc.zip(e.validation_loss);
            let validation = validation
                .map(|(auc, loss)| format!(", validation AUC {auc:.3} loss {loss:.3}"))
                .unwrap_or_default();
            eprintln!(
                "{clear}epoch {:>3}/{}: loss {:.3}{validation}{}, {:.0} pictures/s, {minutes:.0} min left",
                e.epoch,
                p.epochs,
                e.loss,
                if e.best { " (best)" } else { "" },
                e.pictures_per_s,
            );
        } else if terminal {
            let done = 30 * p.step / p.steps.max(1);
            let mut stderr = io::stderr().lock();
            // What cannot be shown is not worth failing for.
            let _ = write!(
                stderr,
                "\repoch {:>3}/{} [{}{}] loss {:.3}, {minutes:.0} min left\x1b[K",
                p.epoch,
                p.epochs,
                "=".repeat(done),
                " ".repeat(30 - done),
                p.loss
            );
            let _ = stderr.flush();
        }
        true
    }
}
