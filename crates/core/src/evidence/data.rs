//! What the evidence is told, and what it keeps: plain data. Pure.

use crate::answer::Answer;
use crate::familiar::Likeness;
use crate::layout::{HardEnd, ScreenLayout};
use crate::picture::{Grain, Look, Relief, Shift};
use crate::region::Region;

/// Rules of the evidence, from the configuration and the manifest.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Most distinct elastograms, at least 1.
    pub window: usize,
    /// Distinct elastograms that a live screen must show before it has a number.
    pub min_evidence: u32,
    /// How long a map counts after it left the screen, ns.
    pub max_age_ns: u64,
    /// Between two samples of a map that never rests, ns.
    pub min_spacing_ns: u64,
    /// How long the picture may show no dual view before the next one is another place, ns.
    pub loss_ns: u64,
    /// Likeness of the B-mode below which a counted map is of another place, −1..=1; a little more is
    /// asked of a box that fills its view.
    pub same_place: f32,
    /// The model's spread of the logit between elastograms of one nodule.
    pub logit_sd: f32,
    /// What the spread of its heads is multiplied by.
    pub spread_scale: f32,
}

/// What one picture shows.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// Media time, ns.
    pub at_ns: u64,
    /// Where the views are.
    pub layout: &'a ScreenLayout,
    /// The hard end that the map is read by.
    pub hard_end: HardEnd,
    /// The B-mode box.
    pub bmode: &'a Look,
    /// The B-mode box and what is around it: [`ScreenLayout::bmode_surroundings`].
    pub surroundings: &'a Relief,
    /// The box's speckle.
    pub grain: &'a Grain,
    /// The speckle where the box was before: [`Evidence::former_box`](super::Evidence::former_box).
    pub former: Option<&'a Grain>,
    /// The colour box.
    pub map: &'a Look,
    /// What [`Evidence::is_news`] said of it.
    pub news: bool,
    /// Neither view changed for longer than the slowest refresh.
    pub frozen: bool,
    /// For how long neither view has changed, ns.
    pub unchanged_ns: u64,
    /// A picture of its own, not one of a stream.
    pub still: bool,
}

/// What is to be done with the map of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// It was judged before, or is not to be judged (yet).
    Nothing,
    /// Score it now, then tell the answer by [`Evidence::count`] or [`Evidence::refuse`].
    Score {
        /// False for a map that never rests.
        settled: bool,
    },
}

/// A map that was counted.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) answer: Answer,
    pub(super) settled: bool,
    /// How alike its picture is to the training set's, where that is judged.
    pub(super) likeness: Option<Likeness>,
    /// The B-mode box that it was counted in, where that tissue is on the screen now.
    pub(super) held: Region,
    pub(super) relief: Relief,
    pub(super) surroundings: Relief,
    pub(super) map: Look,
    /// When it was first and last on the screen.
    pub(super) shown_ns: u64,
    pub(super) seen_ns: u64,
    /// How like the picture of this moment is to the one that it was made of, and how far that lies
    /// from it.
    pub(super) nearness: f32,
    pub(super) shift: Shift,
    /// That picture lies beside it in the plane: the probe slid.
    pub(super) slid: bool,
    /// The probe went away from it through other tissue.
    pub(super) passed: bool,
    /// The picture of this moment shows what it was made of.
    pub(super) supported: bool,
}

/// Whether the picture of this moment is known to show the place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Standing {
    Tracking,
    Suspended { since_ns: u64 },
}

/// Where on the screen the place is, and by which palette it is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    pub(super) elastogram_box: Region,
    pub(super) bmode_box: Region,
    pub(super) hard_end: HardEnd,
}

/// The picture before.
#[derive(Clone, Debug)]
pub(super) struct Before {
    pub(super) at_ns: u64,
    pub(super) map: Look,
}

/// The last picture that is known to show the place.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) at_ns: u64,
    /// The B-mode box.
    pub(super) held: Region,
    pub(super) relief: Relief,
    pub(super) grain: Grain,
    /// The map that was on the screen.
    pub(super) map: Look,
}
