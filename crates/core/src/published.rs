//! The JSON lines that leave sonofuse besides readings: what the readings socket says of itself, and
//! what `locate`, `check`, `doctor` and `bench` print. Their serialised form is the published
//! contract: names may be added, none may change.
//!
//! With the feature `schema`, which only tests switch on, `schemas` gives the JSON Schema of each;
//! they are committed under `docs/reference/schema/`.

use serde::Serialize;

use crate::frame::PixelFormat;
use crate::layout::{HardEnd, NoDualView, Orientation};
use crate::reading::ModelInfo;
use crate::region::Region;

mod kept;
#[cfg(feature = "schema")]
mod schemas;
pub use kept::{ClipSaid, Kept, KeptExam, KeptKind, KeptNodule, Listed, MaskSaid};
#[cfg(feature = "schema")]
pub use schemas::schemas;

/// The first line to every client of the readings socket.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Hello {
    /// `sonofuse`.
    pub hello: &'static str,
    /// Version of the names on this socket: it changes when names change.
    pub schema: u32,
    /// Version of the program.
    pub version: &'static str,
    /// What this is not: research use only, not a medical device.
    pub notice: &'static str,
}

/// The second and last line to a client that finds no place.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refusal {
    /// Why.
    pub error: &'static str,
    /// Clients at a time.
    pub limit: usize,
}

/// A gap in a slow client's readings.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Lost {
    /// So many readings were dropped at this place.
    pub lost: u64,
}

/// What `locate --json` says of an image.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Located<'a> {
    /// The file, as given.
    pub path: &'a str,
    /// Size of the image in pixels, `[width, height]`.
    pub size: [u32; 2],
    /// Whether there is a dual view.
    pub found: bool,
    /// Why there is none.
    pub reason: Option<NoDualView>,
    /// How the views stand to each other.
    pub orientation: Option<Orientation>,
    /// The B-mode view without colour.
    pub bmode_view: Option<Region>,
    /// The view that carries the stiffness map.
    pub elastogram_view: Option<Region>,
    /// The same anatomy as `elastogram_box`, in the B-mode view.
    pub bmode_box: Option<Region>,
    /// The coloured stiffness map.
    pub elastogram_box: Option<Region>,
    /// The coloured part of the bar.
    pub colour_bar: Option<Region>,
    /// Which end of the palette is hard; null when it cannot be told.
    pub hard_end: Option<HardEnd>,
    /// How sure the search is, 0..=1.
    pub confidence: Option<f32>,
}

/// What `check --json` says of one thing.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Checked {
    /// What it is: `config`, `display`, `preset`, `model`, `unit`.
    pub what: &'static str,
    /// Its name or file.
    pub name: String,
    /// Whether it is right.
    pub verdict: Verdict,
    /// What is to be said of it; empty when nothing is.
    pub says: String,
    /// Whether the daemon needs it as configured.
    pub in_use: bool,
}

/// Whether a thing is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is.
    Ok,
    /// Not for this machine, or not installed on it.
    Missing,
    /// A mistake in a file.
    Fail,
}

/// What `doctor --json` says.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Diagnosis<'a> {
    /// Version of the program.
    pub version: &'static str,
    /// Whether nothing essential is missing.
    pub live_path_can_run: bool,
    /// Everything that was looked for.
    pub findings: &'a [Finding],
    /// What this is not: research use only, not a medical device.
    pub notice: &'static str,
}

/// What `health --json` says.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Health {
    /// Whether nothing is wrong.
    pub healthy: bool,
    /// Everything that was looked at; a daemon that does not answer cannot be looked at further.
    pub checks: Vec<HealthCheck>,
    /// What this is not: research use only, not a medical device.
    pub notice: &'static str,
}

/// One thing that `health` looked at.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HealthCheck {
    /// What: `configuration`, `control`, `model`, `scoring`, `readings`.
    pub check: &'static str,
    /// Whether it is as it must be.
    pub ok: bool,
    /// In words.
    pub says: String,
}

/// What `audit verify --json` says.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Audited {
    /// Whether the chain is whole and has every witness that was named.
    pub whole: bool,
    /// Files that are there.
    pub parts: usize,
    /// Lines that are there.
    pub lines: u64,
    /// Number of the first of them.
    pub first: Option<u64>,
    /// The last of them, `LINE:HASH`.
    pub head: String,
    /// Older lines that were removed by size or age, and are told of.
    pub removed: u64,
    /// The last line has no end: the daemon was killed at it.
    pub torn: bool,
    /// Where it is not whole, in words.
    pub faults: Vec<String>,
    /// Witnesses that it has.
    pub confirmed: usize,
    /// Witnesses of lines that were removed.
    pub of_removed: usize,
    /// The last line that a witness confirms; null: whether the end was cut off cannot be known.
    pub witnessed: Option<u64>,
    /// Witnesses that it does not have.
    pub missing: Vec<String>,
    /// What this is not: research use only, not a medical device.
    pub notice: &'static str,
}

/// How a finding bears on the live path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Present.
    Ok,
    /// Absent, and only some set-ups need it.
    Optional,
    /// Absent, and nothing runs without it.
    Missing,
}

/// One thing that was looked for.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// Group of findings (`machine`, `capture`, …).
    pub area: &'static str,
    /// What was looked for.
    pub name: String,
    /// Whether it is there.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do, when something is to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub todo: Option<String>,
}

impl Finding {
    /// It is there.
    pub fn ok(area: &'static str, name: impl Into<String>, found: impl Into<String>) -> Self {
        Self { area, name: name.into(), state: State::Ok, found: found.into(), todo: None }
    }

    /// It is not, and that is no matter; `todo` may be empty.
    pub fn optional(
        area: &'static str,
        name: impl Into<String>,
        found: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        let todo = Some(todo.into()).filter(|t: &String| !t.is_empty());
        Self { area, name: name.into(), state: State::Optional, found: found.into(), todo }
    }

    /// It is not, and nothing runs without it.
    pub fn missing(
        area: &'static str,
        name: impl Into<String>,
        found: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        Self {
            area,
            name: name.into(),
            state: State::Missing,
            found: found.into(),
            todo: Some(todo.into()),
        }
    }
}

/// The machine that something was measured on.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MachineInfo {
    /// The processor's or board's name.
    pub cpu: String,
    /// Cores that the process may use.
    pub cores: usize,
    /// Architecture.
    pub arch: &'static str,
}

/// What `bench --json` says.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Bench<'a> {
    /// Version of the program.
    pub version: &'static str,
    /// `release`, or `debug`, whose figures say nothing about the other.
    pub build: &'static str,
    /// Where it ran.
    pub machine: MachineInfo,
    /// What scored.
    pub model: &'a ModelInfo,
    /// The preset's name or the file's path.
    pub source: &'a str,
    /// Size of the pictures, `[width, height]`.
    pub size: Option<[u32; 2]>,
    /// Their pixel format.
    pub format: Option<PixelFormat>,
    /// Pictures that were measured.
    pub frames: u64,
    /// Those with a score.
    pub scored: u64,
    /// Those without.
    pub withheld: u64,
    /// Pictures a second, the comparisons left out.
    pub frames_per_second: f64,
    /// Processor time a picture, decoding included.
    pub cpu_ms_per_frame: f64,
    /// Stage by stage.
    pub stages: [StageTimes; 5],
    /// What is done once a new map, measured on one in eight pictures.
    pub once_a_map: [StageTimes; 1],
    /// What the frame path does, and what it avoids, on the same pictures.
    pub comparisons: [Comparison; 2],
    /// What this is not: research use only, not a medical device.
    pub notice: &'static str,
}

/// How long a stage takes, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StageTimes {
    /// Its name.
    pub stage: &'static str,
    /// How often it ran.
    pub count: u64,
    /// Half of the times are no longer.
    pub p50_ms: f64,
    /// Nine in ten are no longer.
    pub p90_ms: f64,
    /// 99 in a hundred are no longer.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// Processor time of a run; null where it was not measured.
    pub cpu_ms: Option<f64>,
}

/// Two ways to the same end.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Comparison {
    /// The frame path's way.
    pub taken: StageTimes,
    /// The other.
    pub instead_of: StageTimes,
}

/// What `bench network --json` says.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NetworkBench<'a> {
    /// Version of the program.
    pub version: &'static str,
    /// `release`, or `debug`, whose figures say nothing about the other.
    pub build: &'static str,
    /// Where it ran.
    pub machine: MachineInfo,
    /// The model on our own engine.
    pub model: &'a ModelInfo,
    /// Size of the two views, `[width, height]`.
    pub size: [u32; 2],
    /// Threads of the whole network's runs.
    pub threads: usize,
    /// Runs of which the least and the median are told.
    pub rounds: u64,
    /// Instruction set.
    pub isa: &'a str,
    /// Most multiply-adds of one core, as 10⁹ operations a second.
    pub peak_gflops: f64,
    /// Layer by layer on one thread.
    pub layers: Vec<LayerTime<'a>>,
    /// All of them together.
    pub all_layers: LayerTime<'a>,
    /// The whole network by our engine and by rten.
    pub engines: [EngineTimes<'a>; 2],
    /// Our times divided by rten's.
    pub ratio_to_rten: Ratio,
    /// What this is not: research use only, not a medical device.
    pub notice: &'static str,
}

/// What `bench live --json` says.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LiveBench<'a> {
    /// Each scenario on each scanner at each rate.
    pub plays: Vec<LivePlay<'a>>,
    /// All of them together.
    pub total: LivePlay<'a>,
    /// What this is not: research use only, not a medical device.
    pub notice: &'static str,
}

/// What a play of a scenario came to.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LivePlay<'a> {
    /// The scenario's name, or `total`.
    pub scenario: &'a str,
    /// The scanner; empty for the total.
    pub skin: &'a str,
    /// Pictures a second; 0 for the total.
    pub rate_hz: f64,
    /// Length in the scenario's time.
    pub media_s: f64,
    /// Readings, one a picture.
    pub readings: u64,
    /// Those with a score.
    pub scored: u64,
    /// Scores that the picture does not support.
    pub unsupported: Unsupported,
    /// Readings that should be scores.
    pub due: u64,
    /// Those that are none, by the reading's reason.
    pub lost: std::collections::BTreeMap<&'static str, u64>,
    /// The same as part of those that should be, the model's own refusals left out.
    pub lost_share: f64,
    /// Scores whose evidence counts a map twice.
    pub counted_twice: u64,
    /// Times from a place's first settled map to its first score.
    pub first_score_ms: &'a [u64],
    /// Stiffness, read off the maps.
    pub stiffness: StiffnessPlay,
}

/// What was read of stiffness in a play.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StiffnessPlay {
    /// Readings with a stiffness.
    pub readings: u64,
    /// Those that the picture does not support.
    pub unsupported: u64,
    /// Maps whose mean was read in a unit.
    pub maps: u64,
    /// Median of that mean's error, as part of the full scale; null without maps.
    pub mean_error_median: Option<f32>,
    /// What 95 % of them stay within.
    pub mean_error_p95: Option<f32>,
}

/// Scores that the picture does not support.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unsupported {
    /// How many.
    pub readings: u64,
    /// Those on a picture without a dual view.
    pub no_dual_view: u64,
    /// Those that rest on another place.
    pub other_place: u64,
    /// Those with the palette the wrong way round.
    pub palette: u64,
    /// The longest time that such scores stood.
    pub longest_ms: u64,
    /// Seconds of them an hour.
    pub s_per_h: f64,
}

/// What a layer costs.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LayerTime<'a> {
    /// Its name.
    pub layer: &'a str,
    /// Operations by the layer's definition.
    pub operations: u64,
    /// Processor time.
    pub cpu_ms: f64,
    /// Operations a second, in 10⁹.
    pub gflops: f64,
    /// The same as part of the peak.
    pub of_peak: f64,
}

/// What an engine takes for the whole network.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EngineTimes<'a> {
    /// Its name.
    pub engine: &'a str,
    /// Time.
    pub wall_ms: MinMedian,
    /// Processor time of all threads.
    pub cpu_ms: MinMedian,
    /// What came out for the known input.
    pub logit: f32,
}

/// Times of ours divided by the other's.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ratio {
    /// Of times.
    pub wall: MinMedian,
    /// Of processor times.
    pub cpu: MinMedian,
}

/// The least and the middle of some runs.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MinMedian {
    /// The least.
    pub min: f64,
    /// The middle.
    pub median: f64,
}
