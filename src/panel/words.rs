//! The words that people read: states and reasons in plain language, the same on the terminal and on
//! the panel. Pure.

use sonofuse_core::reading::Withheld;

/// A reason for having no score, as said to a sonographer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain {
    /// What is the matter, two or three words.
    pub what: &'static str,
    /// What to do about it, one short sentence.
    pub hint: &'static str,
}

/// Pictures come that the display cannot show.
pub const NOT_SHOWN: Plain = Plain {
    what: "Picture not shown",
    hint: "The video cannot be shown in this form: see the journal.",
};

/// Why an old number is not shown.
pub const STALE: &str = "The last score is too old to be shown.";

/// Which part of a picture is unfamiliar, by the identifier of the reading's sentence.
pub fn unlike(detail_id: &str) -> Option<&'static str> {
    Some(match detail_id {
        "bmode-unfamiliar" => "unlike: B-mode",
        "map-unfamiliar" => "unlike: map",
        "both-unfamiliar" => "unlike: B-mode, map",
        _ => return None,
    })
}

/// Says `reason` in plain language.
pub const fn plain(reason: Withheld) -> Plain {
    let (what, hint) = match reason {
        Withheld::WarmingUp => ("Warming up", "The first elastograms are being collected."),
        Withheld::NoSignal => ("No signal", "Check the scanner's video output and the cable."),
        Withheld::Stalled => ("Video stopped", "The source was live and sends no more pictures."),
        Withheld::NoDualView => {
            ("No dual view", "Show B-mode and elastogram of the same plane on one screen.")
        }
        Withheld::EmptyElastogram => {
            ("Elastogram empty", "The colour box holds almost no stiffness values.")
        }
        Withheld::UnstableElastogram => {
            ("Elastogram unstable", "Hold the probe still until the colours settle.")
        }
        Withheld::BoxTooSmall => ("Colour box too small", "Enlarge the box or the image."),
        Withheld::OutOfFocus => ("B-mode not sharp", "Improve focus or contact in the colour box."),
        Withheld::PaletteUnknown => (
            "Palette unknown",
            "Show the colour bar, or pin it: hard-end = \"red\" or \"blue\" in the preset's [layout].",
        ),
        Withheld::OutOfDistribution => {
            ("Unfamiliar picture", "The model was not made for pictures like this one.")
        }
        Withheld::EngineFault => {
            ("Network fault", "The network could not be run: see the journal.")
        }
        Withheld::Paused => ("Paused", "Scoring was paused by a command; resume goes on."),
    };
    Plain { what, hint }
}
