//! Whether the picture of a new map is like the model's training set, and what follows from that as
//! configured. Runs on the infer thread before the network, so that processor and GPU judge alike.

use sonofuse_core::familiar::{Familiarity, Gauge, Likeness};
use sonofuse_core::gate::{Refusal, Unfamiliar};
use sonofuse_core::preprocess::DualView;
use sonofuse_core::reading::Withheld;

/// Judges pictures; keeps its buffers and what it said last.
#[derive(Debug)]
pub(super) struct Judge {
    policy: Unfamiliar,
    gauge: Gauge,
    last: Option<Likeness>,
}

impl Judge {
    pub(super) fn new(policy: Unfamiliar) -> Self {
        Self { policy, gauge: Gauge::default(), last: None }
    }

    /// Judges a picture by the model's table; `None` where there is none, or it is not to be judged.
    ///
    /// # Errors
    /// [`Withheld::OutOfDistribution`] for an unfamiliar picture that is to be withheld.
    pub(super) fn judge(
        &mut self,
        table: Option<&Familiarity>,
        view: &DualView<'_>,
    ) -> Result<Option<Likeness>, Refusal> {
        self.last = None;
        let Some(table) = table.filter(|_| self.policy != Unfamiliar::Off) else { return Ok(None) };
        let (bmode, map) = (view.bmode_crop(), view.elastogram_crop());
        let statistics = self.gauge.take(view.frame(), &bmode, &map);
        let likeness = table.judge(statistics.as_ref());
        self.last = Some(likeness);
        match likeness.unlike() {
            Some(words) if self.policy == Unfamiliar::Withhold => {
                Err(Refusal::new(Withheld::OutOfDistribution, words))
            }
            _ => Ok(Some(likeness)),
        }
    }

    /// What was said of the last picture.
    pub(super) const fn last(&self) -> Option<Likeness> {
        self.last
    }
}
