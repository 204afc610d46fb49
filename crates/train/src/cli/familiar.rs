//! `sonofuse-train familiar`: fits what a model's training set looks like, and judges it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use sonofuse_core::familiar::Familiarity;
use sonofuse_sim::Skin;
use sonofuse_sim::seeds::FAMILIARITY;
use sonofuse_train::demo;
use sonofuse_train::familiar::{self, Exams, Measured, Rates};

/// Fits `[familiarity]` of a model's manifest to simulated exams of drawn scanners, so that the daemon
/// withholds what is unlike them, and prints what is refused of named scanners that it was not fitted
/// to. With --judge also of other pictures, which are never fitted to.
#[derive(Args)]
pub(crate) struct Familiar {
    /// Folder of the model whose manifest is to be changed; without it, nothing is written.
    #[arg(long)]
    model: Option<PathBuf>,
    /// Patients to fit to; a third as many give the quantiles.
    #[arg(long, default_value_t = 1200, value_parser = clap::value_parser!(u32).range(1..=600_000))]
    patients: u32,
    /// Strange pictures made of each picture.
    #[arg(long, default_value_t = familiar::MADE)]
    made: u32,
    /// Patients with named scanners that judge.
    #[arg(long, default_value_t = 450)]
    held_out: u32,
    /// Seed of the networks.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Parts of the training set's own kind that are refused for their B-mode and for their map.
    #[arg(long, num_args = 2, value_names = ["BMODE", "MAP"], default_values_t = familiar::LIMITS)]
    limits: Vec<f32>,
    /// List of pictures that judge, a JSON object a line: group, path, bmode and map as [x0, y0, x1, y1]
    /// (the crops, without outlines), and `map_path` where the map is in another picture.
    #[arg(long)]
    judge: Vec<PathBuf>,
    /// Writes every picture's statistics to this file, a JSON object a line, to compare other
    /// distances.
    #[arg(long)]
    statistics: Option<PathBuf>,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

impl Familiar {
    pub(crate) fn run(self) -> Result<(), Box<dyn std::error::Error>> {
        let input = demo::input();
        let reference = (self.patients / 3).max(1);
        let mut drawn = FAMILIARITY.skins(self.patients + reference);
        let others = drawn.split_off(self.patients as usize);
        let exams = |offset: u64, patients: u32, skins: Vec<Skin>, made: u32| Exams {
            first_seed: FAMILIARITY.first() + offset,
            patients,
            images: 2,
            skins,
            made,
        };
        let measure = |name: &str, exams: &Exams| {
            eprintln!("{name}: {} simulated patients", exams.patients);
            exams.measure(&input, self.threads)
        };
        let train = measure("fit", &exams(0, self.patients, drawn, self.made))?;
        let reference = measure("quantiles", &exams(1_000_000, reference, others, 0))?;
        let held_out =
            measure("held out", &exams(2_000_000, self.held_out.max(1), named_skins(), 0))?;
        let &[bmode, map] = &self.limits[..] else { return Err("--limits takes two parts".into()) };
        let limits = [bmode, map];
        let data = format!(
            "{} pictures of simulated exams, each of a scanner drawn from a seed; no real tissue",
            train.len()
        );
        let table = familiar::fit(&train, &reference, &held_out, limits, data, self.seed)?;
        print!("{}", report(&table, &held_out)?);
        let mut groups = BTreeMap::new();
        for list in &self.judge {
            groups.extend(familiar::judge(list)?);
        }
        for (name, group) in &groups {
            println!("{}", row(name, group.rates(&table)));
        }
        if let Some(path) = &self.statistics {
            let sets = [("fit", &train), ("quantiles", &reference), ("held-out", &held_out)];
            let text = familiar::statistics(&sets, &groups)?;
            std::fs::File::create(path)?.write_all(text.as_bytes())?;
        }
        if let Some(model) = &self.model {
            familiar::write(model, &table)?;
            println!("\nwrote {}", model.join("model.toml").display());
        }
        Ok(())
    }
}

fn report(table: &Familiarity, held_out: &[Measured]) -> Result<String, serde_json::Error> {
    let mut text = format!(
        "Refused below a familiarity of {} (B-mode) or {} (map); {} pictures behind the quantiles.\n\n| pictures | number | for B-mode | for the map | for either |\n|---|---|---|---|---|\n",
        serde_json::to_string(&table.bmode.limit)?,
        serde_json::to_string(&table.map.limit)?,
        table.pictures
    );
    let mut scanners: Vec<&str> = held_out.iter().map(|m| m.scanner.as_str()).collect();
    scanners.sort_unstable();
    scanners.dedup();
    for scanner in scanners {
        let own = held_out.iter().filter(|m| m.scanner == scanner).map(|m| &m.own);
        text += &row(scanner, Rates::of(table, own));
        text.push('\n');
    }
    text += &row("all named scanners", Rates::of(table, held_out.iter().map(|m| &m.own)));
    text.push('\n');
    Ok(text)
}

fn row(name: &str, rates: Option<Rates>) -> String {
    rates.map_or_else(String::new, |r| {
        format!("| {name} | {} | {:.3} | {:.3} | {:.3} |", r.pictures, r.bmode, r.map, r.either)
    })
}

/// Scanners that have names: a drawn one is never among them.
fn named_skins() -> Vec<Skin> {
    Skin::all().iter().copied().filter(|skin| skin.is_dual_view()).collect()
}
