//! Holds the stiffness in readings against the truth of their pictures: whether the picture supports it, and
//! how far its mean is off what the map shows. Pure.

use sonofuse_core::published::StiffnessPlay;
use sonofuse_core::reading::Reading;
use sonofuse_core::stiffness::Stiffness;
use sonofuse_sim::Truth;

use super::judge::Subject;

/// The figures of stiffness.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StiffnessFigures {
    /// Readings with one.
    pub readings: u64,
    /// Those whose picture shows no dual view, or whose map is of another place.
    pub unsupported: u64,
    /// Maps whose mean was read in a unit: its error as part of the full scale.
    pub errors: Vec<f32>,
}

impl StiffnessFigures {
    /// Adds those of another play.
    pub(super) fn add(&mut self, other: &Self) {
        self.readings += other.readings;
        self.unsupported += other.unsupported;
        self.errors.extend(&other.errors);
    }

    /// The error that `part` of the maps stay within.
    fn error(&self, part: f32) -> Option<f32> {
        let mut errors = self.errors.clone();
        errors.sort_by(f32::total_cmp);
        let last = errors.len().checked_sub(1)?;
        errors.get((last as f32 * part).ceil() as usize).copied()
    }

    /// The figures in words.
    pub(super) fn line(&self) -> String {
        let error = |part| self.error(part).map_or("-".into(), |e| format!("{:.1} %", 100.0 * e));
        format!(
            "stiffness: {} readings, {} of them unsupported; mean of {} maps off by {} of the scale at the \
             median, {} at 95 %",
            self.readings,
            self.unsupported,
            self.errors.len(),
            error(0.5),
            error(0.95)
        )
    }

    pub(super) fn published(&self) -> StiffnessPlay {
        StiffnessPlay {
            readings: self.readings,
            unsupported: self.unsupported,
            maps: self.errors.len() as u64,
            mean_error_median: self.error(0.5),
            mean_error_p95: self.error(0.95),
        }
    }
}

/// Which map the stiffness that stands was read off.
#[derive(Debug, Default)]
pub(super) struct StiffnessJudge {
    standing: Option<Stiffness>,
    /// What that map is of; `None`: of something else than the picture showed.
    of: Option<Subject>,
}

impl StiffnessJudge {
    /// Takes the reading of a picture.
    pub(super) fn take(
        &mut self,
        truth: &Truth,
        reading: &Reading,
        figures: &mut StiffnessFigures,
    ) {
        let Some(stiffness) = reading.stiffness else {
            self.standing = None;
            return;
        };
        let s = &truth.support;
        if self.standing != Some(stiffness) {
            self.standing = Some(stiffness);
            let own = s.dual_view && s.map_place == Some(s.place);
            self.of = own.then(|| Subject::of(s));
            if let (Some(mean), Some(shown)) = (stiffness.mean, truth.shown) {
                figures.errors.push((mean.value - shown.mean).abs() / shown.scale_end);
            }
        }
        figures.readings += 1;
        let supported = s.dual_view && self.of == Some(Subject::of(s));
        figures.unsupported += u64::from(!supported);
    }
}
