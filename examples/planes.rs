//! One plane or two: simulated nodules are examined in both planes through the daemon's own analyzer,
//! and what the examination makes of them is held against the truth.
//!
//! `cargo run --release --example planes -- [NODULES] [SEED]`; a line of JSON a nodule on standard
//! output, the areas under the curve on standard error. Simulated data only; research use only.

use std::error::Error;
use std::path::Path;

use serde_json::json;
use sonofuse::scoring::{self, Analyzer, Backend, Settings};
use sonofuse_core::control::Verb;
use sonofuse_core::exam::{Ended, Mark, PlaneName, Which, WhichWord};
use sonofuse_core::gate::Unfamiliar;
use sonofuse_sim::{Play, Player, Scenario};

/// The named scanners with a dual view, in turn.
const SKINS: &[&str] = &["aixplorer-stacked", "siemens-swe-stacked", "curved-swe-side"];
const RATE_HZ: f64 = 3.0;
const PLANE_S: f64 = 7.0;
const START_NS: u64 = 1_000_000_000;

fn script(seed: u64, malignant: bool, skin: &str) -> String {
    format!(
        "summary = \"one nodule in both planes\"\nseed = {seed}\nskins = [\"{skin}\"]\n\
         size-px = [800, 600]\nlength-s = {}\nrate-hz = {RATE_HZ}\n[exam]\nmalignant = [{malignant}]\n\
         settle-s = 0.3\n[[event]]\nat-s = {PLANE_S}\nother-plane = true\n",
        2.0 * PLANE_S
    )
}

/// A nodule's score in each plane, and in both.
struct Judged {
    malignant: bool,
    planes: [f64; 2],
    both: f64,
}

fn examine(
    analyzer: &mut Analyzer,
    scenario: &Scenario,
    malignant: bool,
) -> Result<Option<Judged>, Box<dyn Error>> {
    let mut player = Player::with(scenario, Play::default())?;
    // The exams of before are nobody's.
    analyzer.end_exam(Ended::NextPatient);
    analyzer.take_ended();
    let mut marked = 0;
    for index in 0..player.frames() {
        let (frame, picture) = player.frame(index, START_NS)?;
        let pts_ns = picture.pts_ns + START_NS;
        let clock = || pts_ns;
        let reading = analyzer.analyze(&frame, &clock);
        let second = picture.pts_ns as f64 / 1e9 >= PLANE_S + 0.5;
        // As the sonographer would: each plane once, when it is scored.
        if reading.malignancy.is_some() && marked < 1 + u32::from(second) {
            let mark = Mark {
                nodule: second.then_some(Which::Word(WhichWord::Same)),
                plane: Some(if second { PlaneName::Longitudinal } else { PlaneName::Transverse }),
                ..Mark::default()
            };
            if second && marked == 0 {
                return Ok(None);
            }
            let marking = analyzer.obey(&Verb::Mark(mark), &clock);
            marking.map_err(|refused| refused.words)?;
            marked += 1;
        }
    }
    analyzer.end_exam(Ended::NextPatient);
    let ended = analyzer.take_ended();
    let Some(nodule) = ended.iter().map(|s| &s.summary).find(|n| n.marked) else { return Ok(None) };
    let scores: Vec<f64> =
        nodule.planes.iter().filter_map(|p| p.malignancy).map(f64::from).collect();
    let both = nodule.malignancy.map(f64::from);
    let (&[first, second], Some(both)) = (scores.as_slice(), both) else { return Ok(None) };
    Ok(Some(Judged { malignant, planes: [first, second], both }))
}

/// Where each of `of` lies among `others`, as a share; ties count half.
fn placed(of: &[f64], others: &[f64]) -> Vec<f64> {
    let share = |v: &f64| {
        let below = others.iter().filter(|o| *o < v).count() as f64;
        let equal = others.iter().filter(|o| o.total_cmp(v).is_eq()).count() as f64;
        (below + equal / 2.0) / others.len() as f64
    };
    of.iter().map(share).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Covariance of two lists' means.
fn covariance(a: &[f64], b: &[f64]) -> f64 {
    let (ma, mb) = (mean(a), mean(b));
    let sum: f64 = a.iter().zip(b).map(|(a, b)| (a - ma) * (b - mb)).sum();
    sum / (a.len() - 1) as f64 / a.len() as f64
}

/// Placements of the malignant and of the benign, whose means are the area under the curve (`DeLong`).
struct Curve([Vec<f64>; 2]);

impl Curve {
    fn of(judged: &[Judged], score: impl Fn(&Judged) -> f64) -> Self {
        let class = |malignant| -> Vec<f64> {
            judged.iter().filter(|j| j.malignant == malignant).map(&score).collect()
        };
        let (ill, well) = (class(true), class(false));
        let below: Vec<f64> = placed(&well, &ill).iter().map(|p| 1.0 - p).collect();
        Self([placed(&ill, &well), below])
    }

    fn area(&self) -> f64 {
        mean(&self.0[0])
    }

    fn with(&self, other: &Self) -> f64 {
        covariance(&self.0[0], &other.0[0]) + covariance(&self.0[1], &other.0[1])
    }

    fn told(&self, name: &str) {
        let half = 1.96 * self.with(self).sqrt();
        eprintln!(
            "{name:<14} AUC {:.3} [{:.3}, {:.3}]",
            self.area(),
            self.area() - half,
            self.area() + half
        );
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1).map(|a| a.parse::<u64>());
    let nodules = args.next().transpose()?.unwrap_or(600);
    let seed = args.next().transpose()?.unwrap_or(90_000);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("engines/demo");
    let mut settings = Settings::default();
    settings.gate.unfamiliar = Unfamiliar::Off;
    let model = scoring::load(&folder, Backend::Cpu)?;
    let mut analyzer = Analyzer::new("planes".into(), model, settings, None);
    let mut judged = Vec::new();
    for n in 0..nodules {
        let (malignant, skin) = (n % 2 == 0, SKINS[(n / 2) as usize % SKINS.len()]);
        let scenario = Scenario::parse_named("planes", &script(seed + n, malignant, skin))?;
        let Some(nodule) = examine(&mut analyzer, &scenario, malignant)? else {
            eprintln!("seed {}: not scored in both planes", seed + n);
            continue;
        };
        let [first, second] = nodule.planes;
        println!(
            "{}",
            json!({"seed": seed + n, "skin": skin, "malignant": malignant, "first": first,
                "second": second, "both": nodule.both, "simulated": true})
        );
        judged.push(nodule);
    }
    let first = Curve::of(&judged, |j| j.planes[0]);
    let second = Curve::of(&judged, |j| j.planes[1]);
    let both = Curve::of(&judged, |j| j.both);
    eprintln!("{} of {nodules} simulated nodules were scored in both planes", judged.len());
    first.told("first plane");
    second.told("second plane");
    both.told("both planes");
    let gain = both.area() - first.area();
    let half = 1.96 * (both.with(&both) + first.with(&first) - 2.0 * both.with(&first)).sqrt();
    eprintln!("both − first   {gain:+.3} [{:+.3}, {:+.3}]", gain - half, gain + half);
    Ok(())
}
