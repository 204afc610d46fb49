//! Whether the examinations of a device are still those of before: scores, refusals and pictures against
//! the site's own first examinations.
//!
//! Each examination comes to one [`Figures`], a number a stream ([`Tally`]). The first
//! [`REFERENCE`] are kept as they were; the last [`RECENT`] are held against them stream by stream, by
//! their ranks (Mann and Whitney's U), so that it does not matter how a stream is distributed. A stream
//! has shifted where |z| reaches [`LIMIT`] and the medians differ by what matters ([`Stream::matters`]);
//! it is back where |z| falls below half of that. Equal values count half and make z smaller than the tables have
//! it: a stream that is nearly constant is judged more calmly, never less.
//!
//! [`LIMIT`] was set by simulation for far less than one false alarm a year over all streams together, at
//! twenty examinations a day that follow one another by chance (docs/validation/2026-11-28-drift.md). Examinations
//! that do not (the same hands all day) give more. Pure; nothing here names or shows anybody.

use serde::{Deserialize, Serialize};

mod tally;

pub use tally::Tally;

/// Examinations that the others are held against.
pub const REFERENCE: usize = 50;
/// The last examinations, which are held against them.
pub const RECENT: usize = 20;
/// |z| of a stream that has shifted.
pub const LIMIT: f32 = 4.1;
/// Values that a stream needs in the reference, and of the last examinations, to be judged.
const NEEDED: [usize; 2] = [REFERENCE / 2, RECENT / 2];
/// Counts up whenever a stream is measured in another way.
pub const MEASURES: u32 = 1;

/// Declares the streams: each has a word for metrics, journal and file.
macro_rules! streams {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $matters:literal;)*) => {
        /// What is watched.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "kebab-case")]
        pub enum Stream { $($(#[$doc])* $name,)* }

        impl Stream {
            /// All of them.
            pub const ALL: [Self; [$($word),*].len()] = [$(Self::$name),*];

            /// The word for it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// Difference of two medians below which a shift is none, however sure: in the stream's own
            /// unit; of the rate as a share.
            pub const fn matters(self) -> f32 {
                match self { $(Self::$name => $matters,)* }
            }
        }
    };
}

streams! {
    /// Malignancy, mean over the nodules, 0..=1.
    Score = "score", 0.03;
    /// Familiarity, mean over the pictures that were judged, 0..=1.
    Familiarity = "familiarity", 0.03;
    /// Part of the pictures with a dual view that have no score, those aside that wait for more maps, 0..=1.
    Withheld = "withheld", 0.05;
    /// Part of the pictures without a dual view, 0..=1.
    NoView = "no-view", 0.05;
    /// Middle of the B-mode view from the left, as a share of the picture's width: another scanner's screen has it
    /// elsewhere.
    ViewX = "view-x", 0.02;
    /// From above, as a share of the height.
    ViewY = "view-y", 0.02;
    /// Bright end of the B-mode view: what a tenth of its pixels reach, code values.
    Brightness = "brightness", 3.0;
    /// Texture of the B-mode in the box: mean difference of neighbours as a share of its brightness.
    Texture = "texture", 0.01;
    /// Red less green of the map in the box, code values.
    RedGreen = "red-green", 3.0;
    /// Green less blue, likewise.
    GreenBlue = "green-blue", 3.0;
    /// Pictures a second.
    Rate = "rate", 0.05;
}

const STREAMS: usize = Stream::ALL.len();

/// What one examination came to, in the order of [`Stream::ALL`]; `None` where it had nothing of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures([Option<f32>; STREAMS]);

impl Figures {
    /// The value of a stream.
    pub const fn get(&self, stream: Stream) -> Option<f32> {
        self.0[stream as usize]
    }

    /// Sets one; what is no number is none.
    pub fn set(&mut self, stream: Stream, value: Option<f32>) {
        self.0[stream as usize] = value.filter(|value| value.is_finite());
    }
}

/// The reference and the last examinations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    reference: Vec<Figures>,
    recent: Vec<Figures>,
    shifted: Vec<Stream>,
}

/// How a stream stands.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StreamState {
    /// Which.
    pub stream: Stream,
    /// It has shifted.
    pub shifted: bool,
    /// How far, as a part of what is an alarm: |z| divided by its limit.
    pub ratio: f32,
    /// Median of the reference, in the stream's own unit.
    pub from: f32,
    /// Median of the last examinations.
    pub to: f32,
}

/// The watch as it is told.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DriftState {
    /// Examinations that the reference has; complete with 50.
    pub reference: usize,
    /// Last examinations, at most 20, that are held against it.
    pub recent: usize,
    /// When the reference was begun (RFC 3339, UTC).
    pub begun: String,
    /// The streams that can be judged.
    pub streams: Vec<StreamState>,
}

/// What an examination changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum News {
    /// The reference is complete.
    Complete,
    /// A stream has shifted.
    Shifted(StreamState),
    /// It is back.
    Back(StreamState),
}

impl Watch {
    /// Checks what was read from a file.
    ///
    /// # Errors
    /// What cannot be.
    pub fn check(&self) -> Result<(), String> {
        let Self { reference, recent, shifted } = self;
        if reference.len() > REFERENCE || recent.len() > RECENT || shifted.len() > STREAMS {
            return Err("more examinations than are kept".to_owned());
        }
        if reference.len() < REFERENCE && !(recent.is_empty() && shifted.is_empty()) {
            return Err("examinations after a reference that is not complete".to_owned());
        }
        let finite = |figures: &Figures| figures.0.iter().flatten().all(|value| value.is_finite());
        if !reference.iter().chain(recent).all(finite) {
            return Err("values that are no numbers".to_owned());
        }
        Ok(())
    }

    /// Examinations of the reference, and last ones.
    pub const fn counts(&self) -> [usize; 2] {
        [self.reference.len(), self.recent.len()]
    }

    /// Takes an examination.
    pub fn take(&mut self, figures: Figures) -> Vec<News> {
        if self.reference.len() < REFERENCE {
            self.reference.push(figures);
            let complete = self.reference.len() == REFERENCE;
            return complete.then_some(News::Complete).into_iter().collect();
        }
        if self.recent.len() == RECENT {
            self.recent.remove(0);
        }
        self.recent.push(figures);
        let mut news = Vec::new();
        for state in self.streams() {
            let known = self.shifted.iter().position(|shifted| *shifted == state.stream);
            match (known, state.shifted) {
                (None, true) => {
                    self.shifted.push(state.stream);
                    news.push(News::Shifted(state));
                }
                (Some(at), false) => {
                    self.shifted.remove(at);
                    news.push(News::Back(state));
                }
                _ => {}
            }
        }
        news
    }

    /// How each stream stands that can be judged.
    pub fn streams(&self) -> Vec<StreamState> {
        Stream::ALL.into_iter().filter_map(|stream| self.stream(stream)).collect()
    }

    fn stream(&self, stream: Stream) -> Option<StreamState> {
        let values = |of: &[Figures]| -> Vec<f32> {
            let mut values: Vec<f32> = of.iter().filter_map(|f| f.get(stream)).collect();
            values.sort_by(f32::total_cmp);
            values
        };
        let (reference, recent) = (values(&self.reference), values(&self.recent));
        if reference.len() < NEEDED[0] || recent.len() < NEEDED[1] {
            return None;
        }
        let (from, to) = (median(&reference), median(&recent));
        let ratio = z(&reference, &recent).abs() / LIMIT;
        let matters = match stream {
            Stream::Rate => stream.matters() * from.abs(),
            _ => stream.matters(),
        };
        let shifted = if self.shifted.contains(&stream) {
            ratio >= 0.5
        } else {
            ratio >= 1.0 && (to - from).abs() >= matters
        };
        Some(StreamState { stream, shifted, ratio, from, to })
    }
}

/// The middle of sorted values.
fn median(sorted: &[f32]) -> f32 {
    let at = |i: usize| sorted.get(i).copied().unwrap_or_default();
    at(sorted.len() / 2).midpoint(at((sorted.len().max(1) - 1) / 2))
}

/// Mann and Whitney's U of `recent` against `reference`, both sorted, in standard deviations from its
/// middle; positive where the recent ones are higher.
fn z(reference: &[f32], recent: &[f32]) -> f32 {
    let mut above = 0.0;
    for value in recent {
        let below = reference.partition_point(|r| r < value);
        let equal = reference.partition_point(|r| r <= value) - below;
        above += below as f64 + equal as f64 / 2.0;
    }
    let (m, n) = (reference.len() as f64, recent.len() as f64);
    ((above - m * n / 2.0) / (m * n * (m + n + 1.0) / 12.0).sqrt()) as f32
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
