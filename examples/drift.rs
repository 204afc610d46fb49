//! How often the watch of drift cries wolf, and how soon it finds a shift: simulated examinations through the
//! daemon's own analyzer, then their figures drawn again and again through the daemon's own watch.
//!
//! `cargo run --release --example drift -- measure EXAMS SHIFTED FILE` plays EXAMS examinations of each site and SHIFTED of each
//! of its shifts (a line of JSON each, in FILE); `… -- judge FILE YEARS` states false alarms and exams until a
//! shift is found. Seeded. Simulated data only; research use only.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};
use sonofuse::scoring::{self, Analyzer, Backend, Settings};
use sonofuse_core::drift::{Figures, News, REFERENCE, Stream, Watch};
use sonofuse_core::exam::Ended;
use sonofuse_sim::{Play, Player, Scenario};

/// Pictures a second, and seconds of an examination: as few as count.
const RATE_HZ: f64 = 2.0;
const EXAM_S: f64 = 12.0;
const START_NS: u64 = 1_000_000_000;
/// Examinations a year: twenty a day.
const A_YEAR: usize = 7_300;
/// Times that each shift is looked for.
const TRIES: usize = 1_000;

/// A scanner, and what becomes of it.
struct Site {
    skin: &'static str,
    shifts: &'static [(&'static str, &'static str, &'static str)],
}

/// Name, scanner and what the event at 0 s sets.
const SITES: &[Site] = &[
    Site {
        skin: "aixplorer-stacked",
        shifts: &[
            ("gain +40 %", "aixplorer-stacked", "gain = 1.4"),
            ("gain -30 %", "aixplorer-stacked", "gain = 0.7"),
            ("gain +15 %", "aixplorer-stacked", "gain = 1.15"),
            ("palette turned round", "aixplorer-stacked", "invert = true"),
            ("map half as opaque", "aixplorer-stacked", "opacity = 0.25"),
            ("skin ge-swe-side", "ge-swe-side", ""),
            ("skin siemens-swe-stacked", "siemens-swe-stacked", ""),
            ("skin canon-swe-side", "canon-swe-side", ""),
            ("skin mindray-strain-stacked", "mindray-strain-stacked", ""),
            ("skin aixplorer-side", "aixplorer-side", ""),
        ],
    },
    Site {
        skin: "siemens-swe-stacked",
        shifts: &[
            ("gain +40 %", "siemens-swe-stacked", "gain = 1.4"),
            ("gain -30 %", "siemens-swe-stacked", "gain = 0.7"),
            ("palette turned round", "siemens-swe-stacked", "invert = true"),
            ("skin aixplorer-stacked", "aixplorer-stacked", ""),
            ("skin philips-swe-side", "philips-swe-side", ""),
        ],
    },
];

fn script(seed: u64, skin: &str, change: &str) -> String {
    let event = if change.is_empty() {
        String::new()
    } else {
        format!("[[event]]\nat-s = 0.0\n{change}\n")
    };
    format!(
        "summary = \"one examination\"\nseed = {seed}\nskins = [\"{skin}\"]\nsize-px = [800, 600]\n\
         length-s = {EXAM_S}\nrate-hz = {RATE_HZ}\n{event}"
    )
}

/// Plays an examination; `None` where the daemon would not count it.
fn examine(analyzer: &mut Analyzer, script: &str) -> Result<Option<Figures>, Box<dyn Error>> {
    let scenario = Scenario::parse_named("drift", script)?;
    let mut player = Player::with(&scenario, Play::default())?;
    analyzer.set_source("drift".into());
    analyzer.end_exam(Ended::NextPatient);
    analyzer.take_figures();
    for index in 0..player.frames() {
        let (frame, picture) = player.frame(index, START_NS)?;
        let pts_ns = picture.pts_ns + START_NS;
        analyzer.analyze(&frame, &|| pts_ns);
    }
    analyzer.end_exam(Ended::NextPatient);
    analyzer.take_ended();
    Ok(analyzer.take_figures())
}

fn measure(exams: u64, shifted: u64, file: &Path) -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("engines/demo");
    let model = scoring::load(&folder, Backend::Cpu)?;
    let mut analyzer = Analyzer::new("drift".into(), model, Settings::default(), None);
    let mut out = File::create(file)?;
    for (s, site) in SITES.iter().enumerate() {
        let base = ("none", site.skin, "");
        let all =
            std::iter::once((&base, exams)).chain(site.shifts.iter().map(|shift| (shift, shifted)));
        for (k, ((name, skin, change), count)) in all.enumerate() {
            for n in 0..count {
                // Each examination is another patient's.
                let seed = 1_000_000 * (s as u64 + 1) + 10_000 * k as u64 + n;
                let figures = examine(&mut analyzer, &script(seed, skin, change))?;
                let line = json!({
                    "site": site.skin, "shift": name, "seed": seed, "figures": figures, "simulated": true,
                });
                writeln!(out, "{line}")?;
            }
            eprintln!("{}: {name}: {count} simulated examinations", site.skin);
        }
    }
    Ok(())
}

/// Knuth's MMIX generator.
struct Draw(u64);

impl Draw {
    fn share(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[((self.share() * of.len() as f64) as usize).min(of.len() - 1)]
    }

    /// Nearly normal: twelve uniform draws.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.share()).sum::<f64>() - 6.0
    }
}

/// False alarms of one year after the reference.
fn year(mut next: impl FnMut(usize) -> Figures) -> usize {
    let mut watch = Watch::default();
    let mut alarms = 0;
    for n in 0..REFERENCE + A_YEAR {
        let news = watch.take(next(n));
        alarms += news.iter().filter(|news| matches!(news, News::Shifted(_))).count();
    }
    alarms
}

fn tell_years(what: &str, years: usize, mut one: impl FnMut() -> usize) {
    let mut alarms: Vec<usize> = (0..years).map(|_| one()).collect();
    alarms.sort_unstable();
    let sum: usize = alarms.iter().sum();
    let none = alarms.iter().filter(|alarms| **alarms == 0).count();
    println!(
        "{what:<58} {:>7.2} a year, {:>3} of {years} years without, worst year {}",
        sum as f64 / years as f64,
        none,
        alarms.last().unwrap_or(&0)
    );
}

/// Streams as different from one another as can be; `day` is the part of the spread that a whole day of
/// twenty examinations has in common.
fn made(draw: &mut Draw, common: &mut [f64; Stream::ALL.len()], n: usize, day: f64) -> Figures {
    if n.is_multiple_of(20) {
        common.fill_with(|| draw.normal());
    }
    let mut figures = Figures::default();
    for (stream, common) in Stream::ALL.into_iter().zip(*common) {
        let value = day.sqrt() * common + (1.0 - day).sqrt() * draw.normal();
        // Far from where a difference would not matter.
        figures.set(stream, Some((1000.0 * value) as f32));
    }
    figures
}

fn judge(file: &Path, years: usize) -> Result<(), Box<dyn Error>> {
    let mut figures: BTreeMap<(String, String), Vec<Figures>> = BTreeMap::new();
    let mut uncounted = 0;
    for line in fs::read_to_string(file)?.lines() {
        let line: Value = serde_json::from_str(line)?;
        let key = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        match serde_json::from_value(line["figures"].clone())? {
            Some(measured) => {
                figures.entry((key("site"), key("shift"))).or_default().push(measured);
            }
            None => uncounted += 1,
        }
    }
    println!(
        "simulated examinations, {uncounted} too short to count\n\nalarms without a shift, {A_YEAR} examinations a year"
    );
    let mut draw = Draw(20_261_128);
    tell_years(&format!("{} independent streams", Stream::ALL.len()), years, || {
        let mut common = Default::default();
        year(|n| made(&mut draw, &mut common, n, 0.0))
    });
    for day in [0.02, 0.05, 0.1, 0.2] {
        let what = format!("the same, {:.0} % of the variance common to a day", 100.0 * day);
        tell_years(&what, years.div_ceil(4), || {
            let mut common = Default::default();
            year(|n| made(&mut draw, &mut common, n, day))
        });
    }
    for site in SITES {
        let Some(base) = figures.get(&(site.skin.to_owned(), "none".to_owned())) else { continue };
        let what = format!("{}, {} examinations drawn again", site.skin, base.len());
        tell_years(&what, years, || year(|_| *draw.one(base)));
    }
    println!(
        "\nexaminations until a shift is found, {TRIES} tries, 20 to 60 examinations before it"
    );
    for site in SITES {
        let Some(base) = figures.get(&(site.skin.to_owned(), "none".to_owned())) else { continue };
        for (name, ..) in site.shifts {
            let Some(shifted) = figures.get(&(site.skin.to_owned(), (*name).to_owned())) else {
                continue;
            };
            let mut found = Vec::new();
            let mut by: BTreeMap<&str, usize> = BTreeMap::new();
            for _ in 0..TRIES {
                let mut watch = Watch::default();
                let before = REFERENCE + 20 + (draw.share() * 41.0) as usize;
                (0..before).for_each(|_| drop(watch.take(*draw.one(base))));
                let first = (1..=100).find_map(|n| {
                    let news = watch.take(*draw.one(shifted));
                    let shift = news.iter().find_map(|news| match news {
                        News::Shifted(state) => Some(state.stream.as_str()),
                        _ => None,
                    });
                    Some((n, shift?))
                });
                if let Some((n, stream)) = first {
                    found.push(n);
                    *by.entry(stream).or_default() += 1;
                }
            }
            found.sort_unstable();
            let at = |share: f64| {
                found
                    .get((share * TRIES as f64) as usize)
                    .map_or("-".to_owned(), ToString::to_string)
            };
            let within = found.iter().filter(|n| **n <= 20).count();
            let mut by: Vec<_> = by.into_iter().collect();
            by.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            let by: Vec<&str> = by.iter().take(3).map(|(stream, _)| *stream).collect();
            println!(
                "{:<20} {name:<28} within 20: {:>5.1} %, median {}, 99 % within {}, first by {}",
                site.skin,
                100.0 * within as f64 / TRIES as f64,
                at(0.5),
                at(0.99),
                by.join(", ")
            );
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["measure", exams, shifted, file] => {
            measure(exams.parse()?, shifted.parse()?, Path::new(file))
        }
        ["judge", file, years] => judge(Path::new(file), years.parse()?),
        _ => Err("measure EXAMS SHIFTED FILE, or judge FILE YEARS".into()),
    }
}
