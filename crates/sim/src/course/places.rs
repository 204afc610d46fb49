//! Where a number must start anew: the runs of one patient, nodule, plane and palette. Pure.

use super::{Course, Now};
use crate::cast::Subject;
use crate::skin::Skin;

/// Sampling of the course, s: no place is shorter.
const GRID_S: f64 = 0.01;
/// A nodule's centre lies in the box when the probe is so near to it, mm: half the smallest box.
const IN_BOX_MM: f32 = 6.5;

/// Which of the two nodules of a plane lies in the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InBox {
    First,
    Neighbour,
    Neither,
}

impl InBox {
    /// The nearer one of the nodules at 0 and at `neighbour_mm` (0: none), with the probe at `at_mm`.
    fn at(at_mm: f32, neighbour_mm: f32) -> Self {
        let first = at_mm.abs();
        let neighbour = if neighbour_mm == 0.0 { f32::MAX } else { (at_mm - neighbour_mm).abs() };
        if first.min(neighbour) > IN_BOX_MM {
            Self::Neither
        } else if first <= neighbour {
            Self::First
        } else {
            Self::Neighbour
        }
    }
}

/// What a number belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) subject: Subject,
    pub(crate) in_box: InBox,
    pub(crate) inverted: bool,
    skin: Skin,
}

impl Place {
    /// The place of an image taken at `taken_s` as `now` shows it.
    pub(crate) fn of(course: &Course, now: &Now, taken_s: f64, neighbour_mm: f32) -> Self {
        Self {
            subject: course.subject(taken_s),
            in_box: InBox::at(course.state(taken_s).slide_mm.at(taken_s), neighbour_mm),
            inverted: now.state.invert,
            skin: now.state.skin,
        }
    }
}

/// The places of a course, in the order of their coming.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    neighbour_mm: f32,
    from_s: Vec<(f64, Place)>,
}

impl Places {
    pub(crate) fn new(course: &Course, length_s: f64, neighbour_mm: f32) -> Self {
        let mut from_s: Vec<(f64, Place)> = Vec::new();
        for i in 0..=(length_s / GRID_S) as u64 {
            let t_s = i as f64 * GRID_S;
            let now = course.now(t_s);
            let place = Place::of(course, &now, now.bmode_s, neighbour_mm);
            if from_s.last().is_none_or(|(_, last)| *last != place) {
                from_s.push((t_s, place));
            }
        }
        Self { neighbour_mm, from_s }
    }

    /// The place that `now`, at `t_s`, shows, and its number.
    pub(crate) fn shown(&self, course: &Course, now: &Now, t_s: f64) -> (Place, u64) {
        let place = Place::of(course, now, now.bmode_s, self.neighbour_mm);
        (place, self.number(&place, t_s))
    }

    /// Number of the place that a map taken at `taken_s` was made of.
    pub(crate) fn of_map(&self, course: &Course, now: &Now, taken_s: f64, t_s: f64) -> u64 {
        self.number(&Place::of(course, now, taken_s, self.neighbour_mm), t_s)
    }

    /// Number of `place` when it was there last, until `t_s`; a place that was never seen in this
    /// direction of the palette has the number that it had in the other.
    fn number(&self, place: &Place, t_s: f64) -> u64 {
        // The grid may see a change a step later than a picture does.
        let n = self.from_s.partition_point(|(from, _)| *from <= t_s + GRID_S);
        let seen = &self.from_s[..n];
        let other = Place { inverted: !place.inverted, ..*place };
        let last = |p: &Place| seen.iter().rposition(|(_, q)| q == p);
        last(place).or_else(|| last(&other)).unwrap_or(0) as u64
    }
}
