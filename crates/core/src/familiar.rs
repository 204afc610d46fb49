//! Whether a picture is like those that a model was trained on, judged by the texture of its two crops
//! at the scanner's own pixels.
//!
//! A network that learnt to tell classes has thrown away what tells tissues and scanners apart, so it
//! cannot be asked. [`Gauge`] therefore measures the crops before they are resized, [`Familiarity`], a
//! table of the model's manifest, holds for each view a small network that was fitted to tell the
//! training set's statistics from those of made pictures, and what it says of pictures that it was not
//! fitted on. Pure, on the infer thread, once a new map; the cost does not depend on the crops' size and
//! nothing is allocated after the first picture. GPU and processor judge alike, as both are judged here.

use serde::{Deserialize, Serialize};

use crate::words::{Sentence, Value, Words};

mod gauge;
mod view;

pub use gauge::{BMODE, Gauge, MAP, STATISTICS, Statistics};
pub use view::{Layer, View};

/// `[familiarity]` of a manifest: what the training set looks like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Familiarity {
    /// Which statistics it was fitted to: [`STATISTICS`].
    pub statistics: u32,
    /// Pictures behind the quantiles; the networks were not fitted on them.
    pub pictures: u32,
    /// What it was fitted to and judged on, in a sentence.
    pub data: String,
    /// Of exams that were neither fitted on nor used for the quantiles: what is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out: Option<HeldOut>,
    /// The B-mode crop.
    pub bmode: View,
    /// The elastogram crop.
    pub map: View,
}

/// How much of held-out exams is refused as unfamiliar, 0..=1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HeldOut {
    /// Pictures.
    pub pictures: u32,
    /// For their B-mode.
    pub bmode: f32,
    /// For their map.
    pub map: f32,
    /// For either.
    pub withheld: f32,
}

/// How alike the two views of a picture are to the training set's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Likeness {
    /// Part of the training set's kind whose B-mode is less alike, 0..=1.
    pub bmode: f32,
    /// The same of the map.
    pub map: f32,
    /// Below is unfamiliar: B-mode, map.
    pub limits: [f32; 2],
}

impl Familiarity {
    /// Checks what the types cannot hold.
    ///
    /// # Errors
    /// The key below `familiarity`, and what it must be.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        if self.statistics != STATISTICS {
            return Err((
                "familiarity.statistics",
                format!(
                    "is {}, this version measures {STATISTICS}: fit it again with `sonofuse-train familiar`, or leave the table out",
                    self.statistics
                ),
            ));
        }
        self.bmode.check(BMODE).map_err(|problem| ("familiarity.bmode", problem))?;
        self.map.check(MAP).map_err(|problem| ("familiarity.map", problem))
    }

    /// Judges a picture; `None` for crops that were too small to be measured, which counts as unlike.
    pub fn judge(&self, statistics: Option<&Statistics>) -> Likeness {
        let [bmode, map] = statistics
            .map_or([0.0; 2], |s| [self.bmode.likeness(&s.bmode), self.map.likeness(&s.map)]);
        Likeness { bmode, map, limits: [self.bmode.limit, self.map.limit] }
    }
}

impl Likeness {
    /// Familiarity of the picture: that of the stranger view, 0..=1.
    pub const fn value(self) -> f32 {
        self.bmode.min(self.map)
    }

    /// Of two pictures, what is strangest of each view.
    #[must_use]
    pub const fn stranger(self, other: Self) -> Self {
        let (bmode, map) = (self.bmode.min(other.bmode), self.map.min(other.map));
        Self { bmode, map, limits: self.limits }
    }

    /// What is unlike the training set, in words; `None` for a familiar picture.
    pub fn unlike(self) -> Option<Words> {
        let [bmode, map] = self.strange();
        let (sentence, have, need) = match (bmode, map) {
            (false, false) => return None,
            (true, false) => (Sentence::BmodeUnfamiliar, self.bmode, self.limits[0]),
            (false, true) => (Sentence::MapUnfamiliar, self.map, self.limits[1]),
            (true, true) => {
                let [a, b] = self.limits;
                (Sentence::BothUnfamiliar, self.value(), a.max(b))
            }
        };
        Some(
            sentence
                .with("have_percent", Value::rounded(100.0 * have, 1))
                .with("need_percent", Value::rounded(100.0 * need, 1)),
        )
    }

    /// Whether B-mode and map are unlike the training set's.
    pub const fn strange(self) -> [bool; 2] {
        [self.bmode < self.limits[0], self.map < self.limits[1]]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;

    /// A view whose strangeness is the first statistic.
    pub(crate) fn first_of(statistics: usize) -> View {
        let mut weights = vec![0.0; 2 * statistics];
        (weights[0], weights[statistics]) = (1.0, -1.0);
        View {
            centre: vec![0.0; statistics],
            spread: vec![1.0; statistics],
            limit: 0.1,
            hidden: Layer { weights, bias: vec![0.0; 2] },
            out: Layer { weights: vec![1.0, -1.0], bias: vec![0.0] },
            quantiles: vec![-1.0, 0.0, 1.0],
        }
    }

    pub(crate) fn table() -> Familiarity {
        Familiarity {
            statistics: STATISTICS,
            pictures: 100,
            data: "none".into(),
            held_out: None,
            bmode: first_of(BMODE),
            map: first_of(MAP),
        }
    }

    fn seen(bmode: f32, map: f32) -> Likeness {
        let mut statistics = Statistics { bmode: [0.0; BMODE], map: [0.0; MAP] };
        (statistics.bmode[0], statistics.map[0]) = (bmode, map);
        table().judge(Some(&statistics))
    }

    #[test]
    fn what_is_unlike_is_told_by_view() {
        let id = |l: Likeness| l.unlike().map(|w| w.sentence.id());
        assert_eq!(id(seen(0.0, 0.0)), None);
        assert_eq!(id(seen(2.0, 0.0)), Some("bmode-unfamiliar"));
        assert_eq!(id(seen(0.0, 2.0)), Some("map-unfamiliar"));
        assert_eq!(id(seen(2.0, 2.0)), Some("both-unfamiliar"));
        assert_eq!(id(table().judge(None)), Some("both-unfamiliar"), "too small to be measured");
    }

    #[test]
    fn familiarity_is_the_part_of_the_training_set_that_is_stranger() {
        for (strangeness, familiarity) in [(-3.0, 1.0), (-1.0, 1.0), (0.5, 0.25), (1.0, 0.0)] {
            let l = seen(strangeness, -1.0);
            assert!((l.value() - familiarity).abs() < 1e-6, "{strangeness}: {l:?}");
        }
    }

    #[test]
    fn a_table_that_does_not_fit_the_statistics_is_told_by_key() {
        let of = |change: &dyn Fn(&mut Familiarity)| {
            let mut table = table();
            change(&mut table);
            table.check().err().map(|(key, _)| key)
        };
        assert_eq!(of(&|_| ()), None);
        assert_eq!(of(&|t| t.statistics += 1), Some("familiarity.statistics"));
        assert_eq!(of(&|t| t.bmode.limit = f32::NAN), Some("familiarity.bmode"));
        assert_eq!(of(&|t| t.bmode = first_of(MAP)), Some("familiarity.bmode"));
        assert_eq!(of(&|t| t.map.spread[3] = 0.0), Some("familiarity.map"));
        assert_eq!(of(&|t| t.map.quantiles = vec![1.0, 0.0]), Some("familiarity.map"));
        assert_eq!(of(&|t| t.map.hidden.bias.clear()), Some("familiarity.map"));
        assert_eq!(of(&|t| t.map.out.weights[0] = f32::NAN), Some("familiarity.map"));
    }
}
