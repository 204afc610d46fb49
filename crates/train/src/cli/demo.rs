//! `sonofuse-train demo`: trains the model that ships.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use sonofuse_core::manifest::Manifest;
use sonofuse_train::data::{cache, card};
use sonofuse_train::demo::{self, Cohorts, Place};
use sonofuse_train::fit::Progress;

use super::data::{census, ticker};
use super::store::Store;

/// Steps between two lines of progress.
const EVERY: usize = 50;

/// Trains, calibrates, judges and exports the demo model on simulated patients, and its two
/// single-source peers for comparison. Every choice is a default; a run that is killed goes on.
#[derive(Args)]
pub(crate) struct Demo {
    /// Folder for model.onnx, model.toml and `MODEL_CARD.md`; made when missing.
    #[arg(long, required_unless_present = "data_only")]
    out: Option<PathBuf>,
    #[command(flatten)]
    store: Store,
    /// Commit of this trainer, for the manifest.
    #[arg(long)]
    commit: Option<String>,
    /// Makes fewer patients and epochs, for trying out: a part of 1.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Draws fewer exams to calibrate and to judge on: a part of 1; a later run with more goes on from them.
    #[arg(long, default_value_t = 1.0)]
    exams: f64,
    /// Keeps the network that is in the folder: only draws exams, and decides calibration, threshold,
    /// interval and verdict anew.
    #[arg(long, conflicts_with_all = ["data_only", "commit"])]
    keep_network: bool,
    /// Only makes the patients and prints their card.
    #[arg(long)]
    data_only: bool,
}

impl Demo {
    pub(crate) fn run(self) -> Result<(), Box<dyn std::error::Error>> {
        let [cache, work] = self.store.folders("demo");
        let Some(out) = self.out.as_ref().filter(|_| !self.data_only) else {
            return self.data(&cache);
        };
        let (threads, scale, exams) = (self.store.threads, self.scale, self.exams);
        let place = Place { cache: &cache, work: &work, threads, scale, exams };
        let say = |line: &str| eprintln!("{line}");
        if self.keep_network {
            let manifest = Manifest::parse(&fs::read_to_string(out.join("model.toml"))?)?;
            let heads = manifest.outputs.heads.map_or(0, |heads| heads.count);
            let model = fs::read(out.join(&manifest.file))?;
            fs::create_dir_all(&work)?;
            let examined = demo::examine(place, &model, heads as usize, &say)?;
            fs::write(work.join("examined.json"), serde_json::to_vec_pretty(&examined)?)?;
            demo::rewrite(out, &examined)?;
            println!("wrote {}", out.display());
            return Ok(());
        }
        let (fitted, report) = demo::run(place, &say, &|stage, p| {
            if p.finished.is_some() || p.step % EVERY == 0 {
                eprintln!("{stage}: {}", line(p));
            }
        })?;
        let digest = demo::write(&fitted, &report, self.commit, out)?;
        fs::write(work.join("report.json"), serde_json::to_vec_pretty(&report)?)?;
        let text = demo::markdown(&report);
        fs::write(work.join("report.md"), &text)?;
        std::io::stdout().write_all(text.as_bytes())?;
        println!("\nwrote {} (model sha256 {digest})", out.display());
        Ok(())
    }

    fn data(&self, cache: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
        let cohorts = demo::cohorts(self.scale)?;
        let input = demo::input();
        let mut parts = Vec::new();
        let Cohorts { train, heads, validation, test } = &cohorts;
        for cohort in [train, heads, validation, test] {
            let tick = ticker(cohort.patients);
            let (set, _) = cache::load_or_make(cohort, &input, cache, self.store.threads, tick)?;
            eprintln!("{}: {}", cohort.name, census(&set.census));
            parts.push(card::Part::of(&cohort.name, &set.samples));
        }
        print!("{}", card::markdown(&parts));
        Ok(())
    }
}

/// Where a run stands, in a line.
pub(crate) fn line(p: &Progress) -> String {
    let minutes = p.eta_s / 60.0;
    match &p.finished {
        Some(e) => format!(
            "epoch {}/{}: loss {:.4}, validation loss {:.4}, AUC {:.4}{}, {:.0} s, {minutes:.0} min to go",
            p.epoch,
            p.epochs,
            e.loss,
            e.validation_loss.unwrap_or(f64::NAN),
            e.validation_auc.unwrap_or(f64::NAN),
            if e.best { " (best)" } else { "" },
            e.seconds,
        ),
        None => format!(
            "epoch {}/{}, step {}/{}: loss {:.4}, {minutes:.0} min to go",
            p.epoch, p.epochs, p.step, p.steps, p.loss
        ),
    }
}
