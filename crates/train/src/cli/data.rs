//! `sonofuse-train data`: makes or checks a set and prints its card.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, Subcommand};
use sonofuse_sim::Skin;
use sonofuse_train::data::simulated::{Census, Cohort};
use sonofuse_train::data::{cache, card, ddti, screens, small_input};
use sonofuse_train::demo;

/// Makes or checks a labelled set and prints its card.
#[derive(Args)]
pub(crate) struct Data {
    #[command(subcommand)]
    source: Source,
    /// Least and largest side of the crops and the view's width at whose scale they are made, px.
    #[arg(long, global = true, num_args = 3, value_names = ["MIN", "MAX", "VIEW"],
          default_values_t = demo::INPUT_SIDES_PX)]
    input_px: Vec<u32>,
    /// Prints JSON instead of markdown.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Source {
    /// Renders simulated patients as screens and cuts them on the live score's path. Simulated data.
    Simulate {
        /// Number of patients with a nodule.
        #[arg(long, default_value_t = 100)]
        patients: u32,
        /// Seed of the first patient.
        #[arg(long, default_value_t = 1_000)]
        first_seed: u64,
        /// Distinct elastograms of a patient.
        #[arg(long, default_value_t = 2)]
        images: u32,
        /// Screens, with commas between them; all dual views when left out.
        #[arg(long, value_delimiter = ',')]
        skins: Vec<Skin>,
        /// Takes red as hard where the colour bar does not tell, instead of what is known of the
        /// scanner.
        #[arg(long)]
        assume_red: bool,
        /// Folder for what was made.
        #[arg(long)]
        cache: Option<PathBuf>,
        /// Threads.
        #[arg(long, default_value_t = 2)]
        threads: usize,
    },
    /// Checks a list of dual-view screens: `path,patient,label` and optional regions.
    Screens {
        /// The list, as CSV.
        list: PathBuf,
    },
    /// Checks a copy of DDTI (B-mode only, graded by TI-RADS).
    Ddti {
        /// The folder that it was unpacked to.
        folder: PathBuf,
    },
}

impl Data {
    pub(crate) fn run(self) -> Result<(), Box<dyn std::error::Error>> {
        let [min, max, view] = self.input_px[..] else {
            return Err("--input-px takes three numbers".into());
        };
        let input = small_input(min, max, view);
        let part = match self.source {
            Source::Simulate {
                patients,
                first_seed,
                images,
                skins,
                assume_red,
                cache,
                threads,
            } => {
                let dual = || Skin::all().iter().copied().filter(|s| s.is_dual_view()).collect();
                let cohort = Cohort {
                    name: "simulated".into(),
                    first_seed,
                    patients,
                    images,
                    skins: if skins.is_empty() { dual() } else { skins },
                    named_hard_end: !assume_red,
                };
                let folder = cache.unwrap_or_else(cache::default_folder);
                let started = Instant::now();
                let (set, cached) =
                    cache::load_or_make(&cohort, &input, &folder, threads, ticker(patients))?;
                if !cached {
                    let minutes = started.elapsed().as_secs_f64() / 60.0;
                    eprintln!("{:.0} patients a minute", f64::from(patients) / minutes);
                }
                eprintln!("{}", census(&set.census));
                card::Part::of("simulated", &set.samples)
            }
            Source::Screens { list } => {
                let set = screens::import(&list, &input)?;
                for left in &set.left {
                    eprintln!("left out: {}: {}", left.path.display(), left.why);
                }
                card::Part::of("screens", &set.samples)
            }
            Source::Ddti { folder } => {
                let set = ddti::import(&folder, &input)?;
                for (path, why) in &set.left {
                    eprintln!("left out: {}: {why}", path.display());
                }
                eprintln!("{} images left out: no grade or no usable outline", set.left_out);
                card::Part::of("DDTI", &set.samples)
            }
        };
        if self.json {
            println!("{}", serde_json::to_string_pretty(&part)?);
        } else {
            print!("{}", card::markdown(&[part]));
        }
        Ok(())
    }
}

/// Says on standard error how many patients are made, now and then.
pub(crate) fn ticker(patients: u32) -> impl Fn(usize) + Sync {
    let step = (patients as usize / 20).max(1);
    move |done| {
        if done % step == 0 {
            eprintln!("{done} of {patients} simulated patients");
        }
    }
}

/// In words.
pub(crate) fn census(census: &Census) -> String {
    let refused: Vec<String> = census.refused.iter().map(|(s, n)| format!("{s} {n}")).collect();
    let mut out = format!(
        "{} screens drawn, {} kept; refused as the live score would: {}",
        census.drawn,
        census.kept,
        if refused.is_empty() { "none".into() } else { refused.join(", ") }
    );
    for (reason, [benign, malignant]) in &census.reasons {
        let _ = write!(out, "\n  {reason}: {benign} benign, {malignant} malignant");
    }
    out
}
