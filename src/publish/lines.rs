//! Readings as lines of text: one calm line for people, one JSON line for programs. Pure, but for
//! [`Style::detect`], which asks about the terminal.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use sonofuse_core::NOTICE;
use sonofuse_core::assess::{Assessment, Verdict};
use sonofuse_core::exam::Summary;
use sonofuse_core::reading::{Outcome, Reading, Withheld};
use sonofuse_core::stiffness::Stiffness;
use sonofuse_core::words::{Label, Language, Values};

use crate::civil::Utc;
use crate::panel::trend::{Direction, Trend};
use crate::panel::words;

/// Whether lines carry terminal colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Text only.
    #[default]
    Plain,
    /// ANSI colours; every colour only repeats what a word says.
    Colour,
}

impl Style {
    /// Chooses colours for `stream` if it is a terminal that can show them and `NO_COLOR` is unset
    /// or empty (no-color.org).
    pub fn detect(stream: &impl IsTerminal) -> Self {
        let env = |name| std::env::var_os(name).filter(|v| !v.is_empty());
        let dumb = env("TERM").is_none_or(|term| term == "dumb");
        if stream.is_terminal() && env("NO_COLOR").is_none() && !dumb {
            Self::Colour
        } else {
            Self::Plain
        }
    }

    const fn paint(self, code: &'static str) -> (&'static str, &'static str) {
        match self {
            Self::Plain => ("", ""),
            Self::Colour => (code, "\x1b[0m"),
        }
    }
}

/// Blue, bold: a score. Yellow: no score. Blue and yellow stay apart for every kind of colour vision.
const SCORED: &str = "\x1b[1;36m";
const WITHHELD: &str = "\x1b[33m";
const FAINT: &str = "\x1b[2m";
/// Most that a line says of a detail: the line should fit a terminal's width.
const DETAIL_CHARS: usize = 84;

/// Writes readings for people and remembers the trend for the arrow.
#[derive(Clone, Debug)]
pub struct Lines {
    style: Style,
    trend: Trend,
    language: &'static Language,
}

impl Default for Lines {
    fn default() -> Self {
        Self::new(Style::default())
    }
}

impl Lines {
    /// Writes in `style`.
    pub fn new(style: Style) -> Self {
        Self { style, trend: Trend::default(), language: words::spoken() }
    }

    /// In another language than the one that is [spoken](words::spoken).
    #[must_use]
    pub fn in_language(self, language: &'static Language) -> Self {
        Self { language, ..self }
    }

    /// A state's word, with blanks behind it to the width of the longest that English has.
    fn word(&self, label: Label) -> String {
        format!("{:<8}", self.language.label(label))
    }

    /// Takes note of a reading without writing it: call for each reading, so that the arrow knows
    /// those that got no line.
    pub fn observe(&mut self, reading: &Reading) {
        self.trend.observe(reading);
    }

    /// Writes a reading as one line without its line end. `at` is the time on the wall.
    pub fn human(&self, reading: &Reading, at: SystemTime) -> String {
        let mut line = String::with_capacity(160);
        let (dim, end) = self.style.paint(FAINT);
        // Writing to a String cannot fail.
        let _ = write!(line, "{dim}{}{end}  ", utc_time(at));
        if let (Outcome::Scored, Some(score)) = (reading.outcome, reading.malignancy) {
            self.score(&mut line, reading, score);
        } else {
            let (on, off) = self.style.paint(WITHHELD);
            let word = self.word(Label::WordWithheld);
            let reason = reading.reason.unwrap_or(Withheld::EngineFault);
            let what = self.language.label(Label::of_reason(reason)[0]);
            let _ = write!(line, "{on}{word}  {what}{off}");
            let (id, came) = (reading.detail_id.as_deref(), reading.detail.as_deref());
            if let Some(detail) = self.language.detail(id, &reading.detail_values, came) {
                let _ = write!(line, ": {}", short(&one_line(&detail), DETAIL_CHARS));
            }
        }
        if let Some(stiffness) = &reading.stiffness {
            let _ = write!(line, "  {}", stiff(self.language, stiffness));
        }
        let _ = write!(line, "  {dim}{:.0} ms{end}", reading.latency_ms.total);
        if reading.frozen {
            let _ = write!(line, "  {}", self.language.label(Label::WordFrozen));
        }
        if reading.outcome == Outcome::Scored {
            if reading.unfamiliar {
                let (on, off) = self.style.paint(WITHHELD);
                let _ = write!(line, "  {on}{}{off}", self.language.label(Label::WordUnfamiliar));
                if let Some(what) = reading.detail_id.as_deref().and_then(words::unlike) {
                    let _ = write!(line, " {}", self.language.label(what));
                }
            }
            if reading.settled == Some(false) {
                let _ = write!(line, "  {}", self.language.label(Label::NoteNotSettled));
            }
            if reading.palette_assumed {
                let _ = write!(line, "  {}", self.language.label(Label::NotePaletteAssumed));
            }
        }
        if words::is_simulated() {
            let _ = write!(line, "  {}", self.language.label(Label::WordSimulated));
        }
        let _ = write!(line, "  {dim}{}{end}", one_line(&reading.model.name));
        if !reading.model.trained {
            let (on, off) = self.style.paint(WITHHELD);
            let _ = write!(line, " {on}{}{off}", self.language.label(Label::WordUntrained));
        }
        line
    }

    /// The score, how sure it is, on which side of the model's cut it lies, and what it rests on.
    fn score(&self, line: &mut String, reading: &Reading, score: f32) {
        let (on, off) = self.style.paint(SCORED);
        let (dim, end) = self.style.paint(FAINT);
        let word = self.word(Label::WordScored);
        let _ = write!(line, "{on}{word}  {:5.1} %{off}", score * 100.0);
        if let Some([low, high]) = reading.interval {
            let _ = write!(line, "  [{:3.0}–{:3.0}]", low * 100.0, high * 100.0);
        }
        if let Some(point) = &reading.operating_point {
            let side = if score >= point.malignancy { '≥' } else { '<' };
            let percent = format!("{:.0}", point.malignancy * 100.0);
            let cut = self.language.fill(Label::TailCut, &[("percent", &percent)]);
            let _ = write!(line, "  {dim}{side} {cut}{end}");
        }
        if let Some(assessment) = reading.assessment {
            let _ = write!(line, "  {}", leaning(self.language, assessment));
        }
        let arrow = self.trend.direction().map_or(" ", Direction::arrow);
        let place = self.language.fill(Label::TailPlace, &[("place", &reading.place)]);
        let _ = write!(line, "  {arrow}  n={:<3}{dim}{place}{end}", reading.evidence);
    }
}

/// Writes a reading, or what an exam came to, as one line of JSON without its line end: the published
/// contract.
///
/// # Panics
/// Never: their keys are strings and their numbers are plain, which is all that JSON asks.
pub fn json(published: &impl Serialize) -> String {
    serde_json::to_string(published).expect("string keys and plain values")
}

/// Writes what an exam came to for one nodule as one line without its line end, and without its label.
pub fn summary(summary: &Summary) -> String {
    told(words::spoken(), summary)
}

fn told(language: &Language, summary: &Summary) -> String {
    let nodule = &summary.summary;
    let word = |id: String| language.say(&id, &Values::new());
    let mut line =
        language.fill(Label::ExamNodule, &[("exam", &summary.exam), ("nodule", &nodule.nodule)]);
    // Writing to a String cannot fail.
    if let Some(side) = nodule.side {
        let _ = write!(line, " {}", word(format!("page.side-{}", side.as_str())));
    }
    if let (Some(score), Some([low, high])) = (nodule.malignancy, nodule.interval) {
        let [score, low, high] = [score, low, high].map(|p| p * 100.0);
        let _ = write!(line, "  {score:.1} %  [{low:.0}–{high:.0}]");
    } else {
        let _ = write!(line, "  {}", language.label(Label::ExamNoScore));
    }
    if let Some(assessment) = nodule.assessment {
        let _ = write!(line, "  {}", leaning(language, assessment));
    }
    let planes = language.fill(Label::ExamPlanes, &[("planes", &nodule.planes.len())]);
    let _ = write!(line, "  n={} {planes}", nodule.evidence);
    if nodule.unfamiliar {
        let _ = write!(line, "  {}", language.label(Label::WordUnfamiliar));
    }
    if let Some(verdict) = &nodule.verdict {
        let mut says = word(format!("page.says-{}", verdict.says.as_str()));
        if let Some(corrected) = verdict.corrected {
            let _ = write!(says, ", {}", word(format!("page.finding-{}", corrected.as_str())));
        }
        let _ = write!(line, "  {}", language.fill(Label::ExamVerdict, &[("verdict", &says)]));
    }
    let _ = write!(line, "  {}", notice(language));
    line
}

/// That it is for research only.
pub fn notice(language: &Language) -> String {
    if language == Language::english() {
        return NOTICE.to_owned();
    }
    language.say("page.notice", &Values::new())
}

/// What was read off the map.
fn stiff(language: &Language, stiffness: &Stiffness) -> String {
    if language == Language::english() {
        return stiffness.to_string();
    }
    let values = [
        (Label::StiffnessMean, stiffness.mean),
        (Label::StiffnessP99, stiffness.p99),
        (Label::StiffnessStiffest, stiffness.circle_2mm),
    ];
    let mut said: Vec<String> = values
        .into_iter()
        .filter_map(|(label, value)| Some((label, stiffness.say(value)?)))
        .map(|(label, value)| language.fill(label, &[("value", &value)]))
        .collect();
    if let Some(ratio) = stiffness.say_ratio() {
        let label = if said.is_empty() { Label::StiffnessNoScale } else { Label::StiffnessRatio };
        said.push(language.fill(label, &[("ratio", &ratio)]));
    }
    said.push(language.label(Label::OffTheScreen).to_owned());
    said.join(", ")
}

/// Which way the evidence leans.
fn leaning(language: &Language, assessment: Assessment) -> String {
    let said = assessment.words();
    language.say(said.sentence.id(), &said.values)
}

/// Decides which readings are worth a line for people: what changed at once, otherwise one every
/// few seconds, as a sign of life.
#[derive(Clone, Debug)]
pub struct Cadence {
    every: Duration,
    last: Option<(Duration, Said)>,
}

/// What a line says that a person would read again if it changed: two lines that say the same are
/// one. Times that fill a sentence (seconds of silence) count on without being news.
#[derive(Clone, Debug, PartialEq)]
enum Said {
    Scored {
        percent: i32,
        place: u64,
        evidence: u32,
        frozen: bool,
        settled: Option<bool>,
        palette_assumed: bool,
        verdict: Option<Verdict>,
        unfamiliar: bool,
        backend: String,
    },
    Withheld {
        reason: Option<Withheld>,
        detail_id: Option<String>,
        values: Values,
        frozen: bool,
        backend: String,
    },
}

impl Said {
    /// Names of values that count on.
    const COUNT_ON: [&'static str; 2] = ["seconds", "retry_s"];

    fn of(reading: &Reading) -> Self {
        let (frozen, backend) = (reading.frozen, reading.model.backend.clone());
        if let (Outcome::Scored, Some(score)) = (reading.outcome, reading.malignancy) {
            return Self::Scored {
                percent: (score * 100.0).round() as i32,
                place: reading.place,
                evidence: reading.evidence,
                frozen,
                settled: reading.settled,
                palette_assumed: reading.palette_assumed,
                verdict: reading.assessment.map(|assessment| assessment.verdict),
                unfamiliar: reading.unfamiliar,
                backend,
            };
        }
        let mut values = reading.detail_values.clone();
        values.retain(|name, _| !Self::COUNT_ON.contains(&name.as_ref()));
        let detail_id = reading.detail_id.as_deref().map(str::to_owned);
        Self::Withheld { reason: reading.reason, detail_id, values, frozen, backend }
    }
}

impl Cadence {
    /// One line every five seconds.
    pub const CALM: Duration = Duration::from_secs(5);

    /// Lets one line through per `every` while nothing changes.
    pub const fn new(every: Duration) -> Self {
        Self { every, last: None }
    }

    /// Tells whether `reading` deserves a line at `now`, a time on any steady clock.
    pub fn due(&mut self, reading: &Reading, now: Duration) -> bool {
        let said = Said::of(reading);
        let due = self
            .last
            .as_ref()
            .is_none_or(|(at, before)| *before != said || now.saturating_sub(*at) >= self.every);
        if due {
            self.last = Some((now, said));
        }
        due
    }
}

/// The time of day in UTC, to the tenth of a second.
pub fn utc_time(at: SystemTime) -> String {
    let [h, min, s, ms] = Utc::of(at).time;
    format!("{h:02}:{min:02}:{s:02}.{}Z", ms / 100)
}

/// The beginning of `text`, with an ellipsis where it goes on; the whole is in the JSON.
fn short(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_owned(),
    }
}

/// Text from outside, made fit for one line of a terminal: no control characters.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use sonofuse_core::reading::OperatingPoint;
    use sonofuse_core::words::Sentence;

    use sonofuse_core::exam::{Ended, Finding, NoduleFigures, Says, Side, VerdictSaid};

    use super::*;
    use crate::panel::sample;

    fn at() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_123_456)
    }

    #[test]
    fn a_score_says_how_sure_it_is_and_that_the_model_is_untrained() {
        let line = Lines::default().human(&sample::scored(0.634), at());
        assert_eq!(
            line,
            "22:15:23.4Z  SCORED     63.4 %  [ 51– 74]     n=5  place 1  41 ms  demo UNTRAINED"
        );
    }

    #[test]
    fn a_withheld_reading_shows_a_reason_and_no_number() {
        let mut reading = sample::withheld(Withheld::NoDualView);
        reading.detail = Some("the colour box has no B-mode twin".into());
        let line = Lines::default().human(&reading, at());
        assert!(
            line.contains("WITHHELD  No dual view: the colour box has no B-mode twin"),
            "{line}"
        );
        assert!(!line.contains('%'), "{line}");
    }

    #[test]
    fn stiffness_has_its_unit_and_says_that_it_is_read_off_the_screen() {
        use sonofuse_core::layout::StiffnessUnit;
        use sonofuse_core::stiffness::{Origin, Quantity, Scale, ScaleFrom, Stiffness};
        let quantity = |value, beyond| Quantity { value, uncertainty: 2.4, beyond };
        let scale = Scale { max: 180.0, unit: StiffnessUnit::Kpa, from: ScaleFrom::Preset };
        let mut reading = sample::withheld(Withheld::OutOfDistribution);
        reading.stiffness = Some(Stiffness {
            origin: Origin::Screen,
            scale: Some(scale),
            mean: Some(quantity(34.2, false)),
            p99: Some(quantity(180.0, true)),
            sd: Some(quantity(9.0, false)),
            circle_2mm: Some(quantity(151.0, true)),
            ratio: None,
            filled: quantity(0.9, false),
            opacity: 0.5,
        });
        let german = Lines::default().in_language(Language::named("de").unwrap());
        let line = german.human(&reading, at()).replace('\u{a0}', " ");
        let words = "Mittel 34 ± 2 kPa, 99. Perz. > 180 kPa, steifste 2 mm ≥ 151 ± 2 kPa, vom Schirm abgelesen";
        assert!(line.contains("KEIN WERT") && line.contains(words), "{line}");
        let line = Lines::default().human(&reading, at()).replace('\u{a0}', " ");
        let words = "stiffness mean 34 ± 2 kPa, 99th pct. > 180 kPa, stiffest 2 mm ≥ 151 ± 2 kPa, read off \
                     the screen";
        assert!(line.contains(words), "{line}");
    }

    #[test]
    fn a_detail_from_outside_cannot_drive_the_terminal_or_break_the_line() {
        let mut reading = sample::withheld(Withheld::Stalled);
        reading.detail = Some(format!("a\nb\x1b[2Jc{}", "é".repeat(500)));
        let line = Lines::default().human(&reading, at());
        assert!(!line.contains(['\n', '\x1b']), "{line:?}");
        assert!(line.chars().count() < 160, "{line}");
    }

    #[test]
    fn colours_only_repeat_what_the_words_say() {
        let mut reading = sample::scored(0.2);
        reading.frozen = true;
        let plain = Lines::new(Style::Plain).human(&reading, at());
        let mut colour = Lines::new(Style::Colour).human(&reading, at());
        assert!(colour.contains('\x1b'));
        for code in [SCORED, WITHHELD, FAINT, "\x1b[0m"] {
            colour = colour.replace(code, "");
        }
        assert_eq!(plain, colour);
        assert!(plain.contains("FROZEN"));
    }

    #[test]
    fn the_json_line_is_the_reading_and_one_line() {
        let mut reading = sample::withheld(Withheld::NoSignal);
        reading.detail = Some("blue\npicture".into());
        let line = json(&reading);
        assert!(!line.contains('\n'));
        assert_eq!(serde_json::from_str::<Reading>(&line).unwrap(), reading);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["reason"], "no-signal");
        assert!(value["malignancy"].is_null());
    }

    #[test]
    fn a_change_gets_a_line_at_once_and_sameness_one_every_few_seconds() {
        let mut cadence = Cadence::new(Cadence::CALM);
        let ms = Duration::from_millis;
        let scored = sample::scored(0.5);
        assert!(cadence.due(&scored, ms(0)));
        for at in (16..5000).step_by(16) {
            let mut again = scored.clone();
            again.latency_ms.total += at as f32;
            again.age_ms = Some(at);
            assert!(!cadence.due(&again, ms(at)), "{at} ms");
        }
        assert!(cadence.due(&scored, ms(5000)), "a sign of life");
        let changes: [fn(&mut Reading); 6] = [
            |r| r.place += 1,
            |r| r.malignancy = Some(0.52),
            |r| r.settled = Some(false),
            |r| r.frozen = true,
            |r| r.evidence += 1,
            |r| {
                r.assessment = Some(Assessment { verdict: Verdict::Suspicious, error_rate: 0.1 });
            },
        ];
        for (n, change) in (0u64..).zip(changes) {
            let mut cadence = Cadence::new(Cadence::CALM);
            assert!(cadence.due(&scored, ms(0)));
            let mut other = scored.clone();
            change(&mut other);
            assert!(cadence.due(&other, ms(16)), "change {n}");
        }
    }

    #[test]
    fn a_silence_that_goes_on_is_no_news() {
        let mut cadence = Cadence::new(Cadence::CALM);
        let silent = |for_ms: u64| {
            let words = Sentence::NoPictureFor.with("seconds", for_ms as u32);
            Reading {
                detail: Some(words.english()),
                detail_id: Some(words.sentence.id().into()),
                detail_values: words.values,
                ..sample::withheld(Withheld::Stalled)
            }
        };
        let said = (0..20_000)
            .step_by(500)
            .filter(|&at| cadence.due(&silent(at), Duration::from_millis(at)))
            .count();
        assert_eq!(said, 4);
    }

    #[test]
    fn two_lines_that_say_the_same_are_one() {
        let mut cadence = Cadence::new(Cadence::CALM);
        let collecting = |have: u32| {
            let words = Sentence::TooFewMaps.with("have", have).with("need", 3u32);
            Reading {
                detail: Some(words.english()),
                detail_id: Some(words.sentence.id().into()),
                detail_values: words.values,
                ..sample::withheld(Withheld::WarmingUp)
            }
        };
        let lines = Lines::default();
        let mut said = Vec::new();
        for n in 0..60u64 {
            let mut reading = collecting(u32::from(n >= 30));
            // What a withheld line does not say is no reason for another one.
            (reading.place, reading.evidence) = (n, n as u32);
            if cadence.due(&reading, Duration::from_millis(n * 16)) {
                said.push(lines.human(&reading, at()));
            }
        }
        assert_eq!(said.len(), 2, "{said:#?}");
        assert!(said[0].contains("0 of 3") && said[1].contains("1 of 3"), "{said:#?}");
    }

    #[test]
    fn a_score_names_its_place_its_side_of_the_cut_and_a_map_in_motion() {
        let mut reading = sample::scored(0.634);
        reading.operating_point =
            Some(OperatingPoint { malignancy: 0.6, sensitivity: Some(0.87), specificity: None });
        reading.settled = Some(false);
        reading.place = 3;
        let line = Lines::default().human(&reading, at());
        assert!(line.contains("≥ cut 60 %") && line.contains("place 3"), "{line}");
        assert!(line.contains("map not settled"), "{line}");
        reading.malignancy = Some(0.59);
        assert!(Lines::default().human(&reading, at()).contains("< cut 60 %"));
        assert!(!Lines::default().human(&reading, at()).contains("error rate"));
        reading.assessment = Some(Assessment { verdict: Verdict::Indeterminate, error_rate: 0.1 });
        let line = Lines::default().human(&reading, at());
        assert!(line.contains("indeterminate (error rate 10 %)"), "{line}");
    }

    #[test]
    fn what_an_exam_came_to_is_said_in_the_language_without_a_word_of_english() {
        let reading = sample::scored(0.5);
        let nodule = NoduleFigures {
            nodule: 2,
            marked: true,
            side: Some(Side::Left),
            label: None,
            malignancy: None,
            interval: None,
            assessment: reading.assessment,
            evidence: 4,
            unfamiliar: true,
            verdict: Some(VerdictSaid {
                says: Says::Disagree,
                corrected: Some(Finding::Malignant),
            }),
            planes: Vec::new(),
        };
        let summary = Summary {
            exam: 7,
            ended: Ended::NextPatient,
            summary: nodule,
            model: reading.model,
            notice: NOTICE,
        };
        let english = told(Language::english(), &summary);
        assert!(english.starts_with("EXAM 7 nodule 2 left"), "{english}");
        assert!(english.ends_with(NOTICE), "{english}");
        for language in Language::all().iter().filter(|language| language.id() != "en") {
            let line = told(language, &summary);
            for word in ["EXAM ", "nodule", "left", "verdict", "disagree", NOTICE] {
                assert!(!line.contains(word), "{word}: {line}");
            }
        }
    }
}
