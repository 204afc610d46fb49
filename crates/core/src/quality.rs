//! How the picture came: what a cheap grabber, a scaler or a setting did to it on its way.
//!
//! [`Watch`] is shown every picture. Each costs a few thousand pixels, and four times a second a few
//! tens of thousands; nothing is allocated once its buffers have grown. What it says is no judgement
//! of the patient's picture: it never withholds a score. Pure; runs on the infer thread.
//!
//! Told only where it is sure: each limit is set so that no simulated scanner that is shown as it is
//! gives an alarm, and the faults that are simulated do (docs/validation/2026-11-26-inputs.md).

use serde::{Deserialize, Serialize};

use crate::frame::Frame;
use crate::layout::ScreenLayout;
use crate::words::{Sentence, Value, Words};

mod chroma;
mod comb;
mod edges;
mod rhythm;
mod ruler;
mod timing;
mod tone;
mod votes;

use self::ruler::Rulers;
use self::timing::Timing;
use self::votes::{Events, Votes};

/// Declares the faults: a word in readings each, and the sentence that tells it.
macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident => $sentence:ident,)*) => {
        /// What happened to the picture on its way.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "kebab-case")]
        pub enum Fault { $($(#[$doc])* $name,)* }

        impl Fault {
            /// All of them, those that matter most first.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The sentence that tells it.
            pub const fn sentence(self) -> Sentence {
                match self { $(Self::$name => Sentence::$sentence,)* }
            }
        }
    };
}

faults! {
    /// Red and blue may be exchanged: the bar's numbers grow towards blue. A question, no finding.
    RedBlueSwapped => InputRedBlueSwapped,
    /// No colour any more.
    GreyOnly => InputGreyOnly,
    /// Luma outside its nominal range: full range that says limited.
    RangeClipped => InputRangeClipped,
    /// Black is not black, white is not white: limited range taken for full, or limited twice.
    RangeNarrow => InputRangeNarrow,
    /// Two moments in one picture, line by line.
    Combed => InputCombed,
    /// It was scaled, mostly enlarged: no edge is sharp.
    Enlarged => InputEnlarged,
    /// A millimetre is not as wide as it is high.
    Squeezed => InputSqueezed,
    /// Colour has a quarter of the resolution along each side.
    ChromaHalvedTwice => InputChromaHalvedTwice,
    /// Fewer pictures come than the source agreed to.
    RateLow => InputRateLow,
    /// Pictures are missing.
    Dropped => InputDropped,
    /// Pictures come twice, without a rhythm.
    Repeated => InputRepeated,
}

/// Some of the faults; in readings a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(from = "Vec<Fault>", into = "Vec<Fault>")]
pub struct Faults(u16);

impl Faults {
    /// Adds or takes away one.
    pub fn set(&mut self, fault: Fault, there: bool) {
        let bit = 1 << fault as u16;
        self.0 = if there { self.0 | bit } else { self.0 & !bit };
    }

    /// Tells whether one is there.
    pub const fn has(self, fault: Fault) -> bool {
        self.0 & (1 << fault as u16) != 0
    }

    /// Those that are there, those that matter most first.
    pub fn iter(self) -> impl Iterator<Item = Fault> {
        Fault::ALL.iter().copied().filter(move |f| self.has(*f))
    }
}

impl From<Vec<Fault>> for Faults {
    fn from(list: Vec<Fault>) -> Self {
        let mut faults = Self::default();
        for fault in list {
            faults.set(fault, true);
        }
        faults
    }
}

impl From<Faults> for Vec<Fault> {
    fn from(faults: Faults) -> Self {
        faults.iter().collect()
    }
}

/// Where a scale comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ScaleFrom {
    /// `[layout] mm-per-px` of the preset.
    Preset,
    /// The regions of a DICOM file.
    Dicom,
    /// The ticks and numbers of the depth ruler beside the B-mode view.
    Ruler,
}

/// How large a pixel is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Scale {
    /// Millimetres a pixel.
    pub mm_per_px: f32,
    /// Who says so.
    pub from: ScaleFrom,
}

/// What is known of the way that the picture came, as readings carry it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Input {
    /// Pictures a second that come; null while too few came.
    pub rate_hz: Option<f32>,
    /// Pictures a second that the source agreed to; null where it does not say.
    pub agreed_hz: Option<f32>,
    /// Part of the pictures that are the one before, 0..=1. A scanner that makes fewer pictures than
    /// its video has shows each more than once: that alone is no fault.
    pub repeated: Option<f32>,
    /// Part of the pictures that should have come and did not, 0..=1.
    pub dropped: Option<f32>,
    /// How large a pixel of the B-mode view is.
    pub scale: Option<Scale>,
    /// What is wrong, the worst first.
    pub faults: Faults,
}

impl Input {
    /// Tells a fault of this input.
    pub fn words(&self, fault: Fault) -> Words {
        let hz = |hz: Option<f32>| Value::rounded(hz.unwrap_or(0.0), 1);
        let percent = |part: Option<f32>| Value::rounded(part.unwrap_or(0.0) * 100.0, 0);
        let sentence = fault.sentence();
        match fault {
            Fault::RateLow => {
                sentence.with("have_hz", hz(self.rate_hz)).with("agreed_hz", hz(self.agreed_hz))
            }
            Fault::Dropped => sentence.with("percent", percent(self.dropped)),
            Fault::Repeated => sentence.with("percent", percent(self.repeated)),
            _ => sentence.into(),
        }
    }
}

/// Time between two thorough looks, in the source's own time.
const LOOK_NS: u64 = 250_000_000;

/// A picture and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The picture.
    pub frame: &'a Frame,
    /// The dual view on it.
    pub layout: Option<&'a ScreenLayout>,
    /// The numbers beside its colour bar grow towards blue.
    pub numbers_rise_to_blue: bool,
    /// Its time in the source, ns.
    pub at_ns: u64,
    /// It is an image of its own: what it shows is decided at once.
    pub still: bool,
}

/// Watches how pictures come. See the module's head.
#[derive(Debug, Default)]
pub struct Watch {
    timing: Timing,
    told: Option<Scale>,
    /// The source has shown colour: a screen may have none by its maker's choice.
    coloured: bool,
    looked_ns: Option<u64>,
    size: (u32, u32),
    generation: u32,
    combed: Events,
    enlarged: Votes,
    squeezed: Votes,
    chroma: Votes,
    narrow: Votes,
    clipped: Votes,
    grey: Votes,
    swapped: Votes,
    rulers: Rulers,
    row: Vec<[u8; 3]>,
    line: Vec<i16>,
    input: Input,
}

impl Watch {
    /// Forgets what was seen; a scale that was told stays until another is told.
    pub fn reset(&mut self) {
        let (told, coloured) = (self.told, self.coloured);
        let (row, line) = (std::mem::take(&mut self.row), std::mem::take(&mut self.line));
        *self = Self { told, coloured, row, line, ..Self::default() };
        self.input.scale = told;
    }

    /// Says how large a pixel is, where the preset or the file does.
    pub fn set_scale(&mut self, scale: Option<Scale>) {
        self.told = scale;
        self.input.scale = scale;
    }

    /// What is known so far.
    pub const fn input(&self) -> Input {
        self.input
    }

    /// Takes the next picture.
    pub fn observe(&mut self, seen: &Seen<'_>) {
        let size = (seen.frame.width(), seen.frame.height());
        let generation = seen.frame.meta().generation;
        if size != self.size || generation != self.generation {
            self.reset();
            (self.size, self.generation) = (size, generation);
        }
        if !seen.still {
            self.timing.observe(seen.frame, seen.at_ns);
        }
        if let Some(layout) = seen.layout
            && comb::is_combed(seen.frame, layout, &mut self.row)
        {
            self.combed.add(seen.at_ns);
        }
        let due = self
            .looked_ns
            .is_none_or(|then| seen.at_ns.checked_sub(then).is_none_or(|since| since >= LOOK_NS));
        if due || seen.still {
            self.looked_ns = Some(seen.at_ns);
            self.look(seen);
        }
    }

    /// The thorough look.
    fn look(&mut self, seen: &Seen<'_>) {
        let Self { row, line, .. } = self;
        let frame = seen.frame;
        let tone = tone::look(frame, row);
        self.coloured |= tone.grey == Some(false);
        self.grey.add(tone.grey.filter(|_| self.coloured));
        self.narrow.add(tone.narrow);
        self.clipped.add(tone.clipped);
        if let Some(layout) = seen.layout {
            let soft = edges::are_soft(frame, row, line);
            self.enlarged.add(soft);
            // What was enlarged has coarse colour too: that is told already.
            if soft != Some(true) {
                self.chroma.add(chroma::is_halved_twice(frame, layout, line));
            }
            self.swapped.add(layout.colour_bar.map(|_| seen.numbers_rise_to_blue));
            let views = [&layout.bmode_view, &layout.elastogram_view];
            self.rulers.look(frame, views, line);
            self.squeezed.add(self.rulers.squeezed());
        }
        let still = seen.still;
        let faults = &mut self.input.faults;
        for (fault, votes) in [
            (Fault::Enlarged, &mut self.enlarged),
            (Fault::Squeezed, &mut self.squeezed),
            (Fault::ChromaHalvedTwice, &mut self.chroma),
            (Fault::RangeNarrow, &mut self.narrow),
            (Fault::RangeClipped, &mut self.clipped),
            (Fault::RedBlueSwapped, &mut self.swapped),
        ] {
            faults.set(fault, votes.verdict(still));
        }
        // An image of its own may be stored without colour by choice.
        faults.set(Fault::GreyOnly, !still && self.grey.verdict(false));
        faults.set(Fault::Combed, self.combed.are_many(seen.at_ns, still));
        self.input.scale = self.told.or(self.rulers.scale());
        self.timing.tell(&mut self.input);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
