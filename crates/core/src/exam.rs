//! The examination: which nodule, and which plane of it, the evidence of this moment belongs to.
//!
//! Exam → nodules → planes. A place of [`crate::evidence`] that gets its first score begins an unmarked
//! nodule; [`Exam::mark`] names it, or says that it is another plane of one before. A plane keeps the
//! score that stood on the most elastograms, the newest of those that stood on as many, and the newest
//! stiffness that stood beside a score. Knows no clock:
//! times are the caller's, of one monotonic clock. Pure; runs on the infer thread; allocates only when a
//! nodule or a plane begins and when somebody asks.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::aggregate;
use crate::reading::ModelInfo;
use crate::stiffness::Stiffness;

mod mark;
mod summary;

pub use mark::{Finding, Label, Mark, NoLabel, Opinion, PlaneName, Says, Side, Which, WhichWord};
pub use summary::{Ended, NoduleFigures, PlaneFigures, Scale, Summary, VerdictSaid, combine};

/// Without a dual view and without a command for so long, an exam is over.
pub const IDLE_NS: u64 = 3_600_000_000_000;

/// Nodules of one exam. Where one more comes, the oldest that nobody marked goes.
pub const MAX_NODULES: usize = 64;

/// Planes of one nodule.
pub const MAX_PLANES: usize = 8;

/// Where in the exam a reading is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct At {
    /// Number of the exam since the daemon started: counts up when one ends.
    pub number: u64,
    /// Number of the nodule in the exam; null while this place has no score and no mark.
    pub nodule: Option<u32>,
    /// Number of the plane in the nodule; null as `nodule`.
    pub plane: Option<u32>,
}

/// An exam as it stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExamState {
    /// Number of the exam.
    pub number: u64,
    /// Number of the nodule on the screen; null while there is none.
    pub nodule: Option<u32>,
    /// Number of its plane; null as `nodule`.
    pub plane: Option<u32>,
    /// The nodules so far, in the order in which they came.
    pub nodules: Vec<NoduleFigures>,
}

/// What one picture, or the lack of one, says to the exam.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Monotonic time, ns.
    pub at_ns: u64,
    /// The place of the evidence.
    pub place: u64,
    /// The picture shows a dual view.
    pub dual_view: bool,
    /// The score of this picture, before calibration.
    pub score: Option<aggregate::Summary>,
    /// It rests on a picture unlike those of the training.
    pub unfamiliar: bool,
    /// The stiffness that this picture supports.
    pub stiffness: Option<Stiffness>,
}

/// Why a mark or an opinion was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotMarked {
    /// There is no dual view, and no nodule that this place belongs to.
    #[error("nothing to mark: the picture shows no dual view; show the nodule, then mark it")]
    Nothing,
    /// No nodule of that number.
    #[error("no nodule {number} in this exam: it has {known}")]
    NoSuch {
        /// What was asked for.
        number: u32,
        /// Those that are there, in words.
        known: String,
    },
    /// No nodule was marked, so that none can be meant.
    #[error("no nodule of this exam was marked yet: mark one first, or give its number")]
    NoneMarked,
    /// There is no room.
    #[error(
        "{0} is full: at most {MAX_NODULES} nodules an exam and {MAX_PLANES} planes a nodule; next-patient begins another exam"
    )]
    Full(&'static str),
}

#[derive(Clone, Debug)]
struct Nodule {
    number: u32,
    marked: bool,
    side: Option<Side>,
    label: Option<Label>,
    opinion: Option<Opinion>,
    planes: Vec<Plane>,
    next_plane: u32,
}

impl Nodule {
    fn new(number: u32) -> Self {
        Self {
            number,
            marked: false,
            side: None,
            label: None,
            opinion: None,
            planes: Vec::with_capacity(2),
            next_plane: 1,
        }
    }

    /// A person said something of it.
    fn is_kept(&self) -> bool {
        self.marked || self.opinion.is_some()
    }

    fn plane(&mut self, number: u32) -> Option<&mut Plane> {
        self.planes.iter_mut().find(|plane| plane.number == number)
    }

    /// Takes `plane` in, as another look at the one of the same name or as a plane of its own.
    fn join(&mut self, plane: Plane) -> Result<u32, NotMarked> {
        let same = |p: &&mut Plane| p.name.is_some() && p.name == plane.name;
        if let Some(known) = self.planes.iter_mut().find(same) {
            known.join(&plane);
            return Ok(known.number);
        }
        if self.planes.len() == MAX_PLANES {
            return Err(NotMarked::Full("the nodule"));
        }
        let number = self.next_plane;
        self.next_plane += 1;
        self.planes.push(Plane { number, ..plane });
        Ok(number)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Plane {
    number: u32,
    name: Option<PlaneName>,
    score: Option<aggregate::Summary>,
    unfamiliar: bool,
    stiffness: Option<Stiffness>,
}

impl Plane {
    fn take(&mut self, score: aggregate::Summary, unfamiliar: bool) {
        if self.score.is_none_or(|kept| score.evidence >= kept.evidence) {
            self.score = Some(score);
            self.unfamiliar = unfamiliar;
        }
    }

    fn join(&mut self, other: &Self) {
        if let Some(score) = other.score {
            self.take(score, other.unfamiliar);
        }
        self.stiffness = other.stiffness.or(self.stiffness);
    }
}

/// Number of a nodule and of its plane.
type Here = (u32, u32);

/// One examination after the other.
#[derive(Clone, Debug)]
pub struct Exam {
    number: u64,
    /// The place that `here` is about.
    place: u64,
    here: Option<Here>,
    shows_views: bool,
    /// The nodule that was marked last.
    last: Option<u32>,
    nodules: Vec<Nodule>,
    next_nodule: u32,
    active_ns: u64,
}

impl Default for Exam {
    fn default() -> Self {
        Self {
            number: 1,
            place: 0,
            here: None,
            shows_views: false,
            last: None,
            nodules: Vec::new(),
            next_nodule: 1,
            active_ns: 0,
        }
    }
}

impl Exam {
    /// Where the last picture was in the exam.
    pub fn at(&self) -> At {
        let (nodule, plane) = self.here.unzip();
        At { number: self.number, nodule, plane }
    }

    /// Tells whether the exam is over by itself at `at_ns`: an hour of nothing.
    pub fn is_over(&self, at_ns: u64) -> bool {
        !self.nodules.is_empty() && at_ns.saturating_sub(self.active_ns) >= IDLE_NS
    }

    /// Takes a picture, or the lack of one.
    pub fn observe(&mut self, seen: &Seen) {
        if seen.place != self.place {
            self.place = seen.place;
            self.here = None;
        }
        self.shows_views = seen.dual_view;
        if seen.dual_view {
            self.active_ns = seen.at_ns;
        }
        let Some(score) = seen.score else { return };
        // Full of marked nodules: this place has no number, and its score stands for itself.
        let Some((nodule, plane)) = self.here.or_else(|| self.begin().ok()) else { return };
        self.here = Some((nodule, plane));
        if let Some(plane) = self.nodule(nodule).and_then(|nodule| nodule.plane(plane)) {
            plane.take(score, seen.unfamiliar);
            plane.stiffness = seen.stiffness.or(plane.stiffness);
        }
    }

    /// Names what is on the screen, at `at_ns`.
    ///
    /// # Errors
    /// [`NotMarked`]; then nothing has changed.
    pub fn mark(&mut self, mark: &Mark, at_ns: u64) -> Result<At, NotMarked> {
        if self.here.is_none() && !self.shows_views {
            return Err(NotMarked::Nothing);
        }
        let old = self.here;
        let target = self.target(mark.nodule)?;
        let (number, mut plane) = match (target, old) {
            (Some(target), Some(here)) if here.0 == target => here,
            (Some(target), _) => (target, self.bring(old, target, mark.plane)?),
            (None, None) => self.begin()?,
            (None, Some(old)) => {
                let (number, fresh) = self.begin()?;
                let moved = self.leave(old);
                if let (Some(plane), Some(moved)) =
                    (self.nodule(number).and_then(|n| n.plane(fresh)), moved)
                {
                    plane.join(&moved);
                }
                (number, fresh)
            }
        };
        if let (Some(name), Some(nodule)) = (mark.plane, self.nodule(number)) {
            plane = nodule.rename(plane, name);
        }
        if let Some(nodule) = self.nodule(number) {
            nodule.marked = true;
            nodule.side = mark.side.or(nodule.side);
            if mark.label.is_some() {
                nodule.label.clone_from(&mark.label);
            }
        }
        self.here = Some((number, plane));
        self.last = Some(number);
        self.active_ns = at_ns;
        Ok(self.at())
    }

    /// Notes what a person thinks of a nodule's score, at `at_ns`; gives its number.
    ///
    /// # Errors
    /// [`NotMarked`] where no nodule is meant.
    pub fn opine(&mut self, opinion: Opinion, at_ns: u64) -> Result<u32, NotMarked> {
        let number = opinion.nodule.or(self.here.map(|here| here.0)).or(self.last);
        let number = number.ok_or(NotMarked::NoneMarked)?;
        let known = self.known();
        let nodule = self.nodule(number).ok_or(NotMarked::NoSuch { number, known })?;
        nodule.opinion = Some(opinion);
        self.active_ns = at_ns;
        Ok(number)
    }

    /// Ends the exam: what it came to, for each nodule that was scored or that somebody spoke of.
    pub fn end(&mut self, ended: Ended, scale: &Scale<'_>, model: &ModelInfo) -> Vec<Summary> {
        let exam = self.number;
        let worth = |n: &&Nodule| n.is_kept() || n.planes.iter().any(|p| p.score.is_some());
        let summaries = self
            .nodules
            .iter()
            .filter(worth)
            .map(|nodule| Summary::new(exam, ended, NoduleFigures::of(nodule, scale), model));
        let summaries = summaries.collect();
        *self = Self { number: exam + 1, place: self.place, ..Self::default() };
        summaries
    }

    /// The exam as it stands.
    pub fn state(&self, scale: &Scale<'_>) -> ExamState {
        let At { number, nodule, plane } = self.at();
        let nodules = self.nodules.iter().map(|n| NoduleFigures::of(n, scale)).collect();
        ExamState { number, nodule, plane, nodules }
    }

    fn nodule(&mut self, number: u32) -> Option<&mut Nodule> {
        self.nodules.iter_mut().find(|nodule| nodule.number == number)
    }

    /// The numbers of the nodules, in words.
    fn known(&self) -> String {
        if self.nodules.is_empty() {
            return "none".to_owned();
        }
        let numbers: Vec<String> = self.nodules.iter().map(|n| n.number.to_string()).collect();
        numbers.join(", ")
    }

    /// Which nodule is meant; `None` for a new one.
    fn target(&self, which: Option<Which>) -> Result<Option<u32>, NotMarked> {
        let here = self.here.map(|(nodule, _)| nodule);
        let unmarked =
            || here.filter(|here| self.nodules.iter().any(|n| n.number == *here && !n.marked));
        match which {
            None => Ok(here),
            // What this place began by itself is new.
            Some(Which::Word(WhichWord::New)) => Ok(unmarked()),
            Some(Which::Word(WhichWord::Same)) => {
                // It may have gone to another nodule, plane by plane.
                let there = |last: &u32| self.nodules.iter().any(|n| n.number == *last);
                self.last.filter(there).map(Some).ok_or(NotMarked::NoneMarked)
            }
            Some(Which::Number(number)) if self.nodules.iter().any(|n| n.number == number) => {
                Ok(Some(number))
            }
            Some(Which::Number(number)) => Err(NotMarked::NoSuch { number, known: self.known() }),
        }
    }

    /// Begins a nodule with one plane.
    fn begin(&mut self) -> Result<Here, NotMarked> {
        if self.nodules.len() == MAX_NODULES {
            let here = self.here.map(|(nodule, _)| nodule);
            let passed = |n: &Nodule| !n.is_kept() && Some(n.number) != here;
            let oldest = self.nodules.iter().position(passed).ok_or(NotMarked::Full("the exam"))?;
            self.nodules.remove(oldest);
        }
        let mut nodule = Nodule::new(self.next_nodule);
        let plane = nodule.join(Plane::default())?;
        self.next_nodule += 1;
        let number = nodule.number;
        self.nodules.push(nodule);
        Ok((number, plane))
    }

    /// Brings what is on the screen to the nodule `target`, as a plane of it.
    fn bring(
        &mut self,
        from: Option<Here>,
        target: u32,
        name: Option<PlaneName>,
    ) -> Result<u32, NotMarked> {
        let is_full = |n: &Nodule| {
            n.planes.len() == MAX_PLANES
                && (name.is_none() || n.planes.iter().all(|p| p.name != name))
        };
        if self.nodules.iter().any(|n| n.number == target && is_full(n)) {
            return Err(NotMarked::Full("the nodule"));
        }
        let moved = from.and_then(|from| self.leave(from)).unwrap_or_default();
        let known = self.known();
        let nodule = self.nodule(target).ok_or(NotMarked::NoSuch { number: target, known })?;
        nodule.join(Plane { name: name.or(moved.name), ..moved })
    }

    /// Takes a plane out of its nodule; one that has no other goes with it.
    fn leave(&mut self, (number, plane): Here) -> Option<Plane> {
        let nodule = self.nodule(number)?;
        let at = nodule.planes.iter().position(|p| p.number == plane)?;
        let plane = nodule.planes.remove(at);
        if nodule.planes.is_empty() {
            self.nodules.retain(|nodule| nodule.number != number);
        }
        Some(plane)
    }
}

impl Nodule {
    /// Gives a plane its name; where another one has it, the two are one. The number that is left.
    fn rename(&mut self, number: u32, name: PlaneName) -> u32 {
        let other = |p: &&Plane| p.number != number && p.name == Some(name);
        if let Some(other) = self.planes.iter().find(other).map(|p| p.number)
            && let Some(at) = self.planes.iter().position(|p| p.number == number)
        {
            let moved = self.planes.remove(at);
            if let Some(other) = self.plane(other) {
                other.join(&moved);
            }
            return other;
        }
        if let Some(plane) = self.plane(number) {
            plane.name = Some(name);
        }
        number
    }
}

#[cfg(test)]
mod tests;
