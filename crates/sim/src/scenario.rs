//! Scripted exams: a scenario is a TOML text that says what is examined and what happens when. It is
//! checked completely when it is parsed; a [`crate::Player`] plays it. Pure.
//!
//! All times are seconds of the scenario, so that the same one is played at any number of pictures a
//! second. `crates/sim/scenarios` holds the committed suite, which is part of the library.

use serde::Deserialize;
use thiserror::Error;

use crate::skin::Skin;

mod event;
mod state;
mod suite;

pub(crate) use event::EventForm;
pub(crate) use state::{Bar, Content, Freeze, MapNow, ProbeAt, Shows, State};

/// Where the analysis is to learn which end of the palette is hard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HardEndSource {
    /// From the picture.
    #[default]
    Told,
    /// From the configuration: the picture does not tell it.
    Pinned,
}

/// Why a text is no scenario.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum ScenarioError {
    /// It is not TOML, or has a key or value that no scenario has.
    #[error("{0}")]
    Form(String),
    /// A value cannot be.
    #[error("line {line}: {place}{key} {problem}")]
    Value {
        /// Line of the text, from 1.
        line: usize,
        /// `event 3: `, or nothing outside the events.
        place: String,
        /// The key.
        key: &'static str,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// There is no committed scenario of that name.
    #[error("there is no scenario {name:?}: give a file, or one of {}", Scenario::names().collect::<Vec<_>>().join(", "))]
    Unknown {
        /// The name asked for.
        name: String,
    },
}

/// A scripted exam.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub(crate) name: String,
    pub(crate) form: Form,
    pub(crate) events: Vec<EventForm>,
}

/// The text's keys.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Form {
    /// What is shown, in a line.
    pub(crate) summary: String,
    pub(crate) seed: u64,
    pub(crate) skins: Vec<Skin>,
    /// `[width, height]`; the scanner's own when absent.
    pub(crate) size_px: Option<[u32; 2]>,
    pub(crate) length_s: f64,
    /// Pictures a second unless the player is told otherwise.
    #[serde(default = "Form::usual_rate")]
    pub(crate) rate_hz: f64,
    #[serde(default)]
    pub(crate) hard_end: HardEndSource,
    #[serde(default)]
    pub(crate) exam: ExamForm,
    #[serde(default)]
    event: Vec<toml::Spanned<EventForm>>,
}

impl Form {
    fn usual_rate() -> f64 {
        60.0
    }
}

/// Who is examined, and how live it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct ExamForm {
    /// Classes of patient 0, 1 …; further ones are as drawn.
    pub(crate) malignant: Vec<bool>,
    /// Distance of a second nodule in the same plane, mm; 0 for none.
    pub(crate) neighbour_mm: f32,
    /// B-mode images a second.
    pub(crate) bmode_rate_hz: f32,
    /// Stiffness maps a second.
    pub(crate) map_rate_hz: f32,
    /// Drift, breathing and pulse, against an ordinary exam's.
    pub(crate) motion: f32,
    /// Time constant with which the map settles after a move, s.
    pub(crate) settle_s: f32,
    /// How much of the box colour flow fills, against an ordinary exam's.
    pub(crate) flow_cover: f32,
}

impl Default for ExamForm {
    fn default() -> Self {
        Self {
            malignant: Vec::new(),
            neighbour_mm: 0.0,
            bmode_rate_hz: 20.0,
            map_rate_hz: 1.5,
            motion: 1.0,
            settle_s: 1.1,
            flow_cover: 1.0,
        }
    }
}

impl Scenario {
    /// Reads and checks a scenario; `name` is what it is called in messages and results.
    ///
    /// # Errors
    /// [`ScenarioError`] with line and key.
    pub fn parse_named(name: &str, text: &str) -> Result<Self, ScenarioError> {
        let mut form: Form = toml::from_str(text)
            .map_err(|e| ScenarioError::Form(e.to_string().trim_end().to_owned()))?;
        let line_of = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
        let key_line = |key: &str| {
            let starts = |l: &str| {
                l.trim_start().strip_prefix(key).is_some_and(|r| r.trim_start().starts_with('='))
            };
            text.lines().position(starts).map_or(1, |n| n + 1)
        };
        form.check().map_err(|(key, problem)| ScenarioError::Value {
            line: key_line(key),
            place: String::new(),
            key,
            problem,
        })?;
        let mut events = Vec::with_capacity(form.event.len());
        let mut before_s = 0.0;
        for (n, event) in std::mem::take(&mut form.event).into_iter().enumerate() {
            let line = line_of(event.span().start);
            let event = event.into_inner();
            event.check(&form, before_s).map_err(|(key, problem)| ScenarioError::Value {
                line,
                place: format!("event {}: ", n + 1),
                key,
                problem,
            })?;
            before_s = event.at_s;
            events.push(event);
        }
        Ok(Self { name: name.to_owned(), form, events })
    }

    /// Reads and checks a scenario without a name.
    ///
    /// # Errors
    /// [`ScenarioError`] with line and key.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        Self::parse_named("scenario", text)
    }

    /// The committed scenario of that name.
    ///
    /// # Errors
    /// [`ScenarioError::Unknown`] when there is none.
    pub fn named(name: &str) -> Result<Self, ScenarioError> {
        let unknown = || ScenarioError::Unknown { name: name.to_owned() };
        let (name, text) = suite::SUITE.iter().find(|(n, _)| *n == name).ok_or_else(unknown)?;
        Self::parse_named(name, text)
    }

    /// The names of the committed scenarios.
    pub fn names() -> impl Iterator<Item = &'static str> {
        suite::SUITE.iter().map(|(name, _)| *name)
    }

    /// What the scenario is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is shown, in a line.
    pub fn summary(&self) -> &str {
        &self.form.summary
    }

    /// The scanners that it is to be played on, at least one.
    pub fn skins(&self) -> &[Skin] {
        &self.form.skins
    }

    /// Seed of everything drawn.
    pub fn seed(&self) -> u64 {
        self.form.seed
    }

    /// Length in seconds.
    pub fn length_s(&self) -> f64 {
        self.form.length_s
    }

    /// Pictures a second unless the player is told otherwise.
    pub fn rate_hz(&self) -> f64 {
        self.form.rate_hz
    }

    /// Where the analysis is to learn which end of the palette is hard.
    pub fn hard_end(&self) -> HardEndSource {
        self.form.hard_end
    }
}

/// A key and what is wrong with it.
pub(crate) type Wrong = (&'static str, String);

/// Checks that `value` lies in `range`.
pub(crate) fn within<T: Copy + PartialOrd + std::fmt::Display>(
    key: &'static str,
    value: T,
    range: std::ops::RangeInclusive<T>,
) -> Result<(), Wrong> {
    if range.contains(&value) {
        return Ok(());
    }
    Err((key, format!("is {value}: it must be {} to {}", range.start(), range.end())))
}

/// Checks a picture's size.
pub(crate) fn drawable(key: &'static str, [width, height]: [u32; 2]) -> Result<(), Wrong> {
    let config = crate::SimConfig { width, height, ..crate::SimConfig::default() };
    config.check().map_err(|e| (key, format!("is wrong: {e}")))
}

impl Form {
    fn check(&self) -> Result<(), Wrong> {
        if self.skins.is_empty() {
            return Err(("skins", "is empty: name at least one".into()));
        }
        if let Some(skin) = self.skins.iter().find(|s| !s.is_dual_view()) {
            return Err(("skins", format!("names {skin}, which shows no dual view")));
        }
        if let Some(size) = self.size_px {
            drawable("size-px", size)?;
        }
        within("length-s", self.length_s, 0.5..=3600.0)?;
        within("rate-hz", self.rate_hz, 0.1..=240.0)?;
        let exam = &self.exam;
        within("neighbour-mm", exam.neighbour_mm, -30.0..=30.0)?;
        within("bmode-rate-hz", exam.bmode_rate_hz, 1.0..=60.0)?;
        within("map-rate-hz", exam.map_rate_hz, 0.1..=30.0)?;
        within("motion", exam.motion, 0.0..=2.0)?;
        within("settle-s", exam.settle_s, 0.0..=10.0)?;
        within("flow-cover", exam.flow_cover, 0.1..=10.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
