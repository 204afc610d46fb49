//! What the panel says, apart from how it is drawn: derived from a reading, its age and the trend,
//! rounded to what the eye can tell, so that equal states need no new drawing. Pure.

use sonofuse_core::assess::Assessment;
use sonofuse_core::layout::{HardEnd, ScreenLayout};
use sonofuse_core::quality::Fault;
use sonofuse_core::reading::{Outcome, Reading, Withheld};
use sonofuse_core::words::{Label, Language};

use super::attention::Looking;
use super::note::Note;
use super::stiffness::Said;
use super::trend::{Direction, Trend};
use super::words;

/// The panel's first words.
#[derive(Clone, Debug, PartialEq)]
pub enum Headline {
    /// A fresh score.
    Scored {
        /// Probability in percent, 0..=100.
        percent: u8,
        /// Interval in percent.
        interval: Option<[u8; 2]>,
        /// Distinct elastograms behind it.
        evidence: u32,
        /// Where it is going.
        direction: Option<Direction>,
        /// The screen is frozen.
        frozen: bool,
        /// The newest map has come to rest.
        settled: bool,
        /// The palette's direction was assumed.
        palette_assumed: bool,
        /// The picture is unlike the training set; what of it, where the reading says.
        unfamiliar: Option<Option<Label>>,
        /// Age of the newest map behind the number, in whole seconds, rounded up.
        map_age_s: Option<u64>,
        /// What happened to the picture on its way, the worst first.
        input: Option<Fault>,
    },
    /// A fresh reading without a score.
    Withheld {
        /// Why.
        reason: Withheld,
        /// What was seen, in the reading's words.
        detail: Option<String>,
        /// The screen is frozen.
        frozen: bool,
    },
    /// The newest reading is too old: whatever it said is not shown.
    Stale {
        /// Its age in seconds.
        seconds: u64,
    },
    /// No frame arrives at the display.
    NoSignal,
    /// Frames arrive that cannot be shown.
    NotShown,
    /// No reading yet.
    Starting,
}

/// The model's line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Name in the manifest.
    pub name: String,
    /// First digits of its digest.
    pub digest: String,
    /// What runs it.
    pub backend: String,
    /// False for random weights.
    pub trained: bool,
}

/// A miniature of the screen with what was found on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Map {
    /// Frame size in pixels.
    pub size: [u32; 2],
    /// What was found.
    pub layout: ScreenLayout,
}

/// Which colour of the map means hard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Palette {
    /// Red is hard.
    RedHard,
    /// Blue is hard.
    BlueHard,
    /// It could not be told, and red was assumed.
    RedAssumed,
}

/// Where the model's manifest cuts, in whole percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperatingPoint {
    /// Malignancy from which on a nodule counts as suspicious.
    pub percent: u8,
    /// Sensitivity that was measured there.
    pub sensitivity: Option<u8>,
    /// Specificity that was measured there.
    pub specificity: Option<u8>,
}

/// One vertex of the trend line, in steps that the eye can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vertex {
    /// Age in quarters of a second.
    pub age_qs: u8,
    /// Score in half percent, 0..=200.
    pub score: u8,
    /// Interval in half percent.
    pub interval: [u8; 2],
}

/// All that the panel shows.
#[derive(Clone, Debug, PartialEq)]
pub struct PanelState {
    /// The state and its number or its words.
    pub headline: Headline,
    /// What the evidence leans to, with its error rate: only beside a number.
    pub assessment: Option<Assessment>,
    /// Where the model cuts.
    pub operating_point: Option<OperatingPoint>,
    /// The scores of the last half minute, oldest first.
    pub curve: Vec<Vertex>,
    /// Where the views are.
    pub map: Option<Map>,
    /// Which colour of the map means hard.
    pub palette: Option<Palette>,
    /// What was read off the map; it needs no number beside it.
    pub stiffness: Option<Said>,
    /// What scored.
    pub model: Option<Model>,
    /// The nodule and the plane of it on the screen, by their numbers in the exam.
    pub nodule: Option<[u32; 2]>,
    /// What became of a snapshot or a clip a moment ago.
    pub note: Option<Note>,
    /// Nobody is examined: the pictures are the simulator's.
    pub simulated: bool,
    /// In which it is said.
    pub language: &'static Language,
    /// Where the network's features responded, for some seconds after somebody asked.
    pub looking: Option<Looking>,
}

impl PanelState {
    /// Says what there is to say at `now_ns`. A reading older than `max_age_ms` is stale: neither its
    /// number nor its reason is shown. A reading from the future (another clock) is stale too.
    pub fn at(reading: Option<&Reading>, trend: &Trend, now_ns: u64, max_age_ms: u64) -> Self {
        Self::spoken(words::drawn(), reading, trend, now_ns, max_age_ms)
    }

    /// The same in another language than the one that is [drawn](words::drawn).
    pub fn spoken(
        language: &'static Language,
        reading: Option<&Reading>,
        trend: &Trend,
        now_ns: u64,
        max_age_ms: u64,
    ) -> Self {
        let Some(reading) = reading else {
            return Self { language, ..Self::bare(Headline::Starting) };
        };
        let age_ns = age_ns(reading, now_ns);
        let fresh = is_fresh(reading, now_ns, max_age_ms);
        let headline = if fresh {
            Self::headline(language, reading, trend, age_ns)
        } else {
            Headline::Stale { seconds: age_ns / SECOND_NS }
        };
        let scored = matches!(headline, Headline::Scored { .. });
        let map = reading.layout.filter(|_| fresh).zip(reading.size);
        Self {
            headline,
            assessment: reading.assessment.filter(|_| scored),
            operating_point: operating_point(reading),
            curve: curve(trend, now_ns),
            map: map.map(|(layout, size)| Map { size, layout }),
            palette: map.and_then(|_| palette(reading)),
            stiffness: reading
                .stiffness
                .as_ref()
                .filter(|_| fresh)
                .and_then(|s| Said::of(s, language)),
            model: Some(Model {
                name: reading.model.name.clone(),
                digest: reading.model.digest.chars().take(8).collect(),
                backend: reading.model.backend.clone(),
                trained: reading.model.trained,
            }),
            nodule: reading.exam.nodule.zip(reading.exam.plane).filter(|_| fresh).map(Into::into),
            note: None,
            simulated: words::is_simulated(),
            language,
            looking: None,
        }
    }

    /// With what became of a snapshot or a clip a moment ago.
    #[must_use]
    pub fn noting(self, note: Option<Note>) -> Self {
        Self { note, ..self }
    }

    /// With where the network's features responded: only beside a number.
    #[must_use]
    pub fn looking(self, looking: Option<Looking>) -> Self {
        let looking = looking.filter(|_| self.shows_score());
        Self { looking, ..self }
    }

    /// What to say when no frame arrives at the display, whatever the last reading was.
    pub fn no_signal(last: Option<&Reading>) -> Self {
        let headline = match last.and_then(|last| last.reason) {
            Some(reason @ Withheld::NotSetUp) => {
                Headline::Withheld { reason, detail: None, frozen: false }
            }
            _ => Headline::NoSignal,
        };
        Self::without_picture(headline, last)
    }

    /// What to say when frames arrive that cannot be shown: no number stands beside a picture that
    /// nobody sees.
    pub fn not_shown(last: Option<&Reading>) -> Self {
        Self::without_picture(Headline::NotShown, last)
    }

    fn without_picture(headline: Headline, last: Option<&Reading>) -> Self {
        let model = Self::at(last, &Trend::default(), 0, 0).model;
        Self { model, ..Self::bare(headline) }
    }

    fn bare(headline: Headline) -> Self {
        Self {
            headline,
            assessment: None,
            operating_point: None,
            curve: Vec::new(),
            map: None,
            palette: None,
            stiffness: None,
            model: None,
            nodule: None,
            note: None,
            simulated: words::is_simulated(),
            language: words::drawn(),
            looking: None,
        }
    }

    fn headline(language: &Language, reading: &Reading, trend: &Trend, age_ns: u64) -> Headline {
        let score = reading.malignancy.filter(|p| p.is_finite());
        match (reading.outcome, score) {
            (Outcome::Scored, Some(score)) => Headline::Scored {
                percent: percent(score),
                interval: reading.interval.map(|i| i.map(percent)),
                evidence: reading.evidence,
                direction: trend.direction(),
                frozen: reading.frozen,
                settled: reading.settled != Some(false),
                palette_assumed: reading.palette_assumed,
                unfamiliar: reading.unfamiliar.then(|| unlike(reading)),
                map_age_s: reading.age_ms.map(|ms| calm(ms.saturating_add(age_ns / 1_000_000))),
                input: reading.input.faults.iter().next(),
            },
            // A scored reading without a number is a fault upstream; it must not look like a score.
            _ => Headline::Withheld {
                reason: reading.reason.unwrap_or(Withheld::EngineFault),
                detail: detail(language, reading),
                frozen: reading.frozen,
            },
        }
    }

    /// Tells whether a number may be seen.
    pub const fn shows_score(&self) -> bool {
        matches!(self.headline, Headline::Scored { .. })
    }

    /// Tells whether the number is of a picture that is unlike the training set.
    pub const fn is_unfamiliar(&self) -> bool {
        matches!(self.headline, Headline::Scored { unfamiliar: Some(_), .. })
    }

    /// The state's word, as on the panel.
    pub fn word(&self) -> &'static str {
        self.language.label(match self.headline {
            Headline::Scored { unfamiliar: Some(_), .. } => Label::WordUnfamiliar,
            Headline::Scored { frozen: true, .. } => Label::WordFrozen,
            Headline::Scored { .. } => Label::WordScored,
            Headline::Withheld { reason: Withheld::NoSignal, .. } | Headline::NoSignal => {
                Label::WordNoSignal
            }
            Headline::Withheld { reason: Withheld::NotSetUp, .. } => Label::WordNotSetUp,
            Headline::NotShown => Label::WordNotShown,
            Headline::Withheld { .. } => Label::WordWithheld,
            Headline::Stale { .. } => Label::WordStale,
            Headline::Starting => Label::WordStarting,
        })
    }
}

/// Says an age in seconds, or in whole minutes from [`MINUTES_FROM_S`] on.
pub(super) fn minutes_or_seconds(language: &Language, seconds: u64) -> String {
    let (label, count) = if seconds < MINUTES_FROM_S {
        (Label::AgeSeconds, seconds)
    } else {
        (Label::AgeMinutes, seconds / 60)
    };
    language.fill(label, &[("count", &count)])
}

/// An age as the panel says it, in seconds: rounded up, because a map of this second is a second
/// old before the next one comes; whole minutes once it is long.
const fn calm(age_ms: u64) -> u64 {
    let seconds = age_ms.div_ceil(1000);
    match seconds {
        0 => 1,
        s if s < MINUTES_FROM_S => s,
        s => s / 60 * 60,
    }
}

/// Ages from here on are said in minutes.
const MINUTES_FROM_S: u64 = 120;
const SECOND_NS: u64 = 1_000_000_000;

/// The reading's words, and in short what happened to the picture on its way.
fn detail(language: &Language, reading: &Reading) -> Option<String> {
    let id = reading.detail_id.as_deref();
    let said = language.detail(id, &reading.detail_values, reading.detail.as_deref());
    let Some(fault) = reading.input.faults.iter().next() else { return said };
    let fault = language.label(Label::of_fault(fault));
    let input = language.fill(Label::InputIs, &[("fault", &fault)]);
    Some(said.map_or_else(|| input.clone(), |said| format!("{said}. {input}")))
}

/// What of the picture is unlike the training set, where the reading says.
fn unlike(reading: &Reading) -> Option<Label> {
    words::unlike(reading.detail_id.as_deref()?)
}

fn palette(reading: &Reading) -> Option<Palette> {
    if reading.palette_assumed {
        return Some(Palette::RedAssumed);
    }
    Some(match reading.hard_end? {
        HardEnd::Red => Palette::RedHard,
        HardEnd::Blue => Palette::BlueHard,
    })
}

fn operating_point(reading: &Reading) -> Option<OperatingPoint> {
    let point = reading.operating_point?;
    Some(OperatingPoint {
        percent: percent(point.malignancy),
        sensitivity: point.sensitivity.map(percent),
        specificity: point.specificity.map(percent),
    })
}

/// Tells whether a reading says, without a picture, that there is none: a device that lost its
/// signal may go on repeating the last picture, which would pass for a live one.
pub(crate) fn is_gone(reading: &Reading) -> bool {
    reading.reason == Some(Withheld::NoSignal) && reading.size.is_none()
}

/// Tells whether a reading may be shown at `now_ns`.
pub(crate) fn is_fresh(reading: &Reading, now_ns: u64, max_age_ms: u64) -> bool {
    reading.captured_ns <= now_ns && age_ns(reading, now_ns) <= max_age_ms.saturating_mul(1_000_000)
}

const fn age_ns(reading: &Reading, now_ns: u64) -> u64 {
    now_ns.saturating_sub(reading.captured_ns)
}

/// Whole percent. The drawing says `<1` and `>99` for the ends: no probability is 0 or 1.
fn percent(p: f32) -> u8 {
    (p.clamp(0.0, 1.0) * 100.0).round() as u8
}

/// Ages count from the end of the current half second, in quarters of a second, so that all vertices
/// move together twice a second instead of each on its own.
fn curve(trend: &Trend, now_ns: u64) -> Vec<Vertex> {
    const STEP_NS: u64 = 500_000_000;
    const QUARTER_NS: u64 = 250_000_000;
    let half = |p: f32| (p * 200.0).round() as u8;
    let end_ns = (trend.media_ns(now_ns) / STEP_NS + 1) * STEP_NS;
    trend
        .points()
        .filter_map(|p| {
            let age_ns = end_ns.checked_sub(p.at_ns).filter(|&a| a <= Trend::WINDOW_NS)?;
            let age_qs = (age_ns / QUARTER_NS) as u8;
            Some(Vertex { age_qs, score: half(p.score), interval: p.interval.map(half) })
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::panel::sample;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_number_is_shown_only_while_scored_and_fresh() {
        let trend = Trend::default();
        let scored = sample::scored(0.63);
        let at = |reading: Option<&Reading>, age_ms: u64| {
            PanelState::at(reading, &trend, scored.captured_ns + age_ms * MS, 1500)
        };
        assert!(at(Some(&scored), 0).shows_score());
        assert!(at(Some(&scored), 1500).shows_score());
        let stale = at(Some(&scored), 1501);
        assert_eq!(stale.headline, Headline::Stale { seconds: 1 });
        assert!(stale.map.is_none());
        assert!(!at(None, 0).shows_score());
        assert!(!at(Some(&sample::withheld(Withheld::NoDualView)), 0).shows_score());
        let mut broken = sample::scored(0.5);
        broken.malignancy = Some(f32::NAN);
        assert!(!at(Some(&broken), 0).shows_score());
    }

    #[test]
    fn a_verdict_stands_beside_a_number_and_nowhere_else() {
        use sonofuse_core::assess::Verdict;
        let said = Assessment { verdict: Verdict::Suspicious, error_rate: 0.1 };
        let reading = Reading { assessment: Some(said), ..sample::scored(0.9) };
        let at = |reading: &Reading, age_ms: u64| {
            let now_ns = reading.captured_ns + age_ms * MS;
            PanelState::at(Some(reading), &Trend::default(), now_ns, 1500).assessment
        };
        assert_eq!(at(&reading, 0), Some(said));
        assert_eq!(at(&reading, 1501), None, "stale");
        let withheld = Reading { assessment: Some(said), ..sample::withheld(Withheld::NoDualView) };
        assert_eq!(at(&withheld, 0), None);
        assert_eq!(PanelState::no_signal(Some(&reading)).assessment, None);
    }

    #[test]
    fn what_happened_to_the_picture_on_its_way_stands_beside_score_and_reason() {
        let at = |reading: &Reading| {
            PanelState::at(Some(reading), &Trend::default(), reading.captured_ns, 1500).headline
        };
        let mut reading = sample::scored(0.5);
        reading.input.faults.set(Fault::RateLow, true);
        reading.input.faults.set(Fault::Enlarged, true);
        let Headline::Scored { input, .. } = at(&reading) else { panic!("a score") };
        assert_eq!(input, Some(Fault::Enlarged), "the one that matters most");
        let mut reading = sample::withheld(Withheld::NoDualView);
        reading.detail = Some("no colour box".into());
        reading.input.faults.set(Fault::GreyOnly, true);
        let Headline::Withheld { detail, .. } = at(&reading) else { panic!("no score") };
        assert_eq!(detail.as_deref(), Some("no colour box. Input: no colour."));
    }

    #[test]
    fn a_reading_from_another_clock_is_stale() {
        let reading = sample::scored(0.5);
        let state =
            PanelState::at(Some(&reading), &Trend::default(), reading.captured_ns - 1, 1500);
        assert_eq!(state.headline, Headline::Stale { seconds: 0 });
    }

    #[test]
    fn sixty_readings_a_second_of_the_same_score_are_few_states() {
        let mut trend = Trend::default();
        let mut states: Vec<PanelState> = Vec::new();
        for frame in 0..600u64 {
            let mut reading = sample::scored(0.5);
            reading.captured_ns = 5_000_000_000 + frame * 16_666_667;
            reading.pts_ns = Some(frame * 16_666_667);
            trend.observe(&reading);
            let state = PanelState::at(Some(&reading), &trend, reading.captured_ns + 40 * MS, 1500);
            if states.last() != Some(&state) {
                states.push(state);
            }
        }
        // Ten seconds: the line moves on, the number stays.
        assert!(states.len() <= 600 / 4, "{} states", states.len());
    }
}
