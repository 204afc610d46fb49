//! Sentences for people, as an identifier with values: what was seen is said once, here, and put into
//! a language at the edge.
//!
//! A sentence travels as [`Words`]: which one ([`Sentence`]) and what fills its gaps ([`Value`]). The panel's
//! own words are [`Label`]s. A [`Language`] is a plain TOML file of one line a text (`words/en.toml`); another
//! language is another file. Pure; nothing is allocated before a sentence has a value.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::layout::NoDualView;

mod label;
mod language;

pub use label::Label;
pub use language::{Language, LanguageError, TERMINAL, is_cjk};

/// Declares the sentences: their identifiers and the names of the values that fill them.
macro_rules! sentences {
    ($($(#[$doc:meta])* $name:ident = $id:literal [$($value:literal),*];)*) => {
        /// What can be said. Identifiers are published in readings: they may be added, none may change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Sentence { $($(#[$doc])* $name,)* }

        impl Sentence {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The identifier in readings and language files.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }

            /// Names of the values that it is said with.
            pub const fn values(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($value),*],)* }
            }
        }
    };
}

sentences! {
    /// Too few distinct elastograms for a score.
    TooFewMaps = "too-few-maps" ["have", "need"];
    /// The picture shows another place than the evidence, or it is not known yet that it is the same.
    PlaceNotConfirmed = "place-not-confirmed" [];
    /// The map on the screen was made before the picture under it changed.
    MapOfAnotherPlace = "map-of-another-place" [];
    /// The probe is on its way through other tissue.
    ProbeUnderWay = "probe-under-way" [];
    /// The decoder says that the picture is damaged.
    PictureDamaged = "picture-damaged" [];
    /// The capture device says that its signal is lost, and goes on sending pictures.
    SignalLost = "signal-lost" [];
    /// Not one bit of the picture changed for long.
    FrozenOrRepeated = "frozen-or-repeated" ["seconds"];
    /// The model is a stand-in.
    UntrainedModel = "untrained-model" [];
    /// The picture is black.
    PictureBlack = "picture-black" [];
    /// The picture is blue.
    PictureBlue = "picture-blue" [];
    /// The picture has one colour.
    PictureOneColour = "picture-one-colour" [];
    /// The picture is a colour-bar test card.
    PictureTestCard = "picture-test-card" [];
    /// The picture is snow.
    PictureSnow = "picture-snow" [];
    /// The picture is smaller than any view.
    PictureTooSmall = "picture-too-small" [];
    /// The picture is blank.
    PictureBlank = "picture-blank" [];
    /// Nothing is coloured like a map.
    NoColourBox = "no-colour-box" [];
    /// The colour is not a stiffness map.
    NotElastogram = "not-elastogram" [];
    /// The same anatomy without colour is not there.
    NoTwin = "no-twin" [];
    /// The preset's regions do not fit.
    PinsDoNotFit = "pins-do-not-fit" [];
    /// The palette's direction cannot be told.
    PaletteUnknown = "palette-unknown" [];
    /// The palette runs the other way than when the pinned hard end was first used.
    PaletteTurned = "palette-turned" [];
    /// The colour box is too small.
    ColourBoxTooSmall = "colour-box-too-small" ["width_px", "height_px", "need_px"];
    /// The B-mode box is too small.
    BmodeBoxTooSmall = "bmode-box-too-small" ["width_px", "height_px", "need_px"];
    /// The model cannot take a box of this shape.
    BoxUnfit = "box-unfit" ["words"];
    /// Too little of the colour box carries stiffness.
    ElastogramEmpty = "elastogram-empty" ["have_percent", "need_percent"];
    /// The B-mode has no texture.
    BmodeFlat = "bmode-flat" ["have", "need"];
    /// The map changed too much.
    ElastogramUnstable = "elastogram-unstable" ["have_percent", "most_percent"];
    /// The B-mode is unlike the training set's.
    BmodeUnfamiliar = "bmode-unfamiliar" ["have_percent", "need_percent"];
    /// The stiffness map is unlike the training set's.
    MapUnfamiliar = "map-unfamiliar" ["have_percent", "need_percent"];
    /// Both are unlike the training set's.
    BothUnfamiliar = "both-unfamiliar" ["have_percent", "need_percent"];
    /// The evidence leans to benign.
    AssessedBenignLeaning = "assessed-benign-leaning" ["error_percent"];
    /// The evidence leans to malignant.
    AssessedSuspicious = "assessed-suspicious" ["error_percent"];
    /// The evidence does not decide.
    AssessedIndeterminate = "assessed-indeterminate" ["error_percent"];
    /// The network or what runs it failed.
    EngineFault = "engine-fault" ["words"];
    /// Somebody paused scoring.
    Paused = "paused" [];
    /// Nobody has said yet where pictures come from.
    NotSetUp = "not-set-up" [];
    /// No picture has come yet.
    WaitingForFirstPicture = "waiting-for-first-picture" [];
    /// The source is being connected to again.
    ConnectingAgain = "connecting-again" ["attempt"];
    /// What the device or GStreamer says.
    SourceSays = "source-says" ["words"];
    /// The source was lost and is tried again.
    SourceLost = "source-lost" ["words", "retry_s"];
    /// The source is silent.
    NoPictureFor = "no-picture-for" ["seconds"];
    /// The source came to its end.
    SourceEnded = "source-ended" [];
    /// The bar's numbers grow towards blue: are red and blue exchanged?
    InputRedBlueSwapped = "input-red-blue-swapped" [];
    /// The source's picture has no colour.
    InputGreyOnly = "input-grey-only" [];
    /// Full range that says limited.
    InputRangeClipped = "input-range-clipped" [];
    /// Limited range taken for full, or limited twice.
    InputRangeNarrow = "input-range-narrow" [];
    /// Two fields of different moments in one picture.
    InputCombed = "input-combed" [];
    /// The picture was scaled on its way.
    InputEnlarged = "input-enlarged" [];
    /// The picture's sides were scaled by different factors.
    InputSqueezed = "input-squeezed" [];
    /// Colour has a quarter of the resolution.
    InputChromaHalvedTwice = "input-chroma-halved-twice" [];
    /// Fewer pictures come than agreed.
    InputRateLow = "input-rate-low" ["have_hz", "agreed_hz"];
    /// Pictures are missing.
    InputDropped = "input-dropped" ["percent"];
    /// Pictures come twice.
    InputRepeated = "input-repeated" ["percent"];
}

/// What fills a gap of a sentence: a number, or words that nobody can translate (a device's, a
/// library's).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Value {
    /// A number, rounded to what is worth saying.
    Number(f64),
    /// A text as it came.
    Text(String),
}

impl Value {
    /// A number with so many decimals.
    pub fn rounded(value: f32, decimals: i32) -> Self {
        let scale = 10f64.powi(decimals);
        Self::Number((f64::from(value) * scale).round() / scale)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Number(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

/// The values of a sentence by name, as readings carry them.
pub type Values = BTreeMap<Cow<'static, str>, Value>;

/// A sentence with what fills it.
#[derive(Clone, Debug, PartialEq)]
pub struct Words {
    /// Which one.
    pub sentence: Sentence,
    /// Its values by name.
    pub values: Values,
}

impl From<NoDualView> for Sentence {
    fn from(why: NoDualView) -> Self {
        match why {
            NoDualView::TooSmall => Self::PictureTooSmall,
            NoDualView::Blank => Self::PictureBlank,
            NoDualView::NoColourBox => Self::NoColourBox,
            NoDualView::NotElastogram => Self::NotElastogram,
            NoDualView::NoTwin => Self::NoTwin,
            NoDualView::PinsDoNotFit => Self::PinsDoNotFit,
        }
    }
}

impl From<Sentence> for Words {
    fn from(sentence: Sentence) -> Self {
        Self { sentence, values: Values::new() }
    }
}

impl Sentence {
    /// Says it with a first value.
    pub fn with(self, name: &'static str, value: impl Into<Value>) -> Words {
        Words::from(self).with(name, value)
    }
}

impl Words {
    /// Adds a value.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        debug_assert!(self.sentence.values().contains(&name), "{} {name}", self.sentence.id());
        self.values.insert(Cow::Borrowed(name), value.into());
        self
    }

    /// The English sentence.
    pub fn english(&self) -> String {
        Language::english().say(self.sentence.id(), &self.values)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_unique_and_kebab_case() {
        let mut ids: Vec<_> = Sentence::ALL.iter().map(|s| s.id()).collect();
        assert!(
            ids.iter().all(|id| id.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')),
            "{ids:?}"
        );
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), Sentence::ALL.len());
    }

    #[test]
    fn a_sentence_is_said_with_its_values() {
        let words = Sentence::TooFewMaps.with("have", 1).with("need", 3);
        assert_eq!(words.english(), "1 of 3 distinct elastograms seen");
        let json = serde_json::to_string(&words.values).unwrap();
        assert_eq!(json, r#"{"have":1.0,"need":3.0}"#);
    }
}
