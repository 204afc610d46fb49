//! The quality gate: what must be true of the two crops before a score is worth anything.
//!
//! Pure; runs on the infer thread on what [`crate::picture::Look`] saw, before the network.

use serde::{Deserialize, Serialize};

use crate::layout::ScreenLayout;
use crate::picture::{Look, MapChange};
use crate::reading::Withheld;
use crate::words::{Sentence, Value, Words};

/// What becomes of a picture that is unlike everything that the model was trained on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unfamiliar {
    /// No score.
    #[default]
    Withhold,
    /// It is scored, and every output says UNFAMILIAR beside the number: for a trial.
    Flag,
    /// It is scored like any other: for measuring and for tests.
    Off,
}

/// Limits of the gate: `[scoring.gate]` in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Limits {
    /// Shorter side of the colour box on the screen, at least, in pixels. Below, too little speckle
    /// is left to see.
    pub min_box_px: u32,
    /// Part of the box that must carry colour, 0..=1. Scanners leave holes where the shear wave gave
    /// no signal.
    pub min_coloured: f32,
    /// Mean colour change between two successive maps of one place, at most, as a share of the maps'
    /// own chroma, above 0 and at most 2. Above, the tissue has not settled, or it is another.
    pub max_map_change: f32,
    /// Mean brightness difference between B-mode neighbours one hundredth of the box apart, at
    /// least, as a share of the box's brightness. Below, the box is blurred or holds no echoes.
    pub min_texture: f32,
    /// What becomes of a picture that is unlike everything that the model was trained on.
    pub unfamiliar: Unfamiliar,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            min_box_px: 40,
            min_coloured: 0.30,
            max_map_change: 0.5,
            min_texture: 0.02,
            unfamiliar: Unfamiliar::Withhold,
        }
    }
}

/// Why no score is given, with what was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The reason in the reading.
    pub reason: Withheld,
    /// What was seen and what the limit is.
    pub words: Words,
}

impl Refusal {
    /// Joins a reason and its words.
    pub fn new(reason: Withheld, words: impl Into<Words>) -> Self {
        Self { reason, words: words.into() }
    }
}

impl Limits {
    /// Says which key is out of range, if one is.
    ///
    /// # Errors
    /// A sentence with the key and its range.
    pub fn check(&self) -> Result<(), String> {
        if !(0.0..=1.0).contains(&self.min_coloured) {
            return Err(format!("min-coloured is {}: it must be 0 to 1", self.min_coloured));
        }
        if !(self.max_map_change > 0.0 && self.max_map_change <= 2.0) {
            return Err(format!(
                "max-map-change is {}: it must be above 0, at most 2 (a share of the map's chroma)",
                self.max_map_change
            ));
        }
        if !(0.0..=1.0).contains(&self.min_texture) {
            return Err(format!(
                "min-texture is {}: it must be 0 to 1 (a share of the box's brightness)",
                self.min_texture
            ));
        }
        Ok(())
    }

    /// Judges the two crops of one frame.
    ///
    /// # Errors
    /// The first [`Refusal`] that applies: box too small, empty elastogram, out of focus.
    pub fn judge(
        &self,
        layout: &ScreenLayout,
        bmode: &Look,
        elastogram: &Look,
    ) -> Result<(), Refusal> {
        for (sentence, r) in [
            (Sentence::ColourBoxTooSmall, layout.elastogram_box),
            (Sentence::BmodeBoxTooSmall, layout.bmode_box),
        ] {
            let side = r.width().min(r.height());
            if side < self.min_box_px {
                return Err(Refusal::new(
                    Withheld::BoxTooSmall,
                    sentence
                        .with("width_px", r.width())
                        .with("height_px", r.height())
                        .with("need_px", self.min_box_px),
                ));
            }
        }
        if elastogram.coloured < self.min_coloured {
            return Err(Refusal::new(
                Withheld::EmptyElastogram,
                Sentence::ElastogramEmpty
                    .with("have_percent", Value::rounded(100.0 * elastogram.coloured, 0))
                    .with("need_percent", Value::rounded(100.0 * self.min_coloured, 0)),
            ));
        }
        if bmode.texture < self.min_texture {
            return Err(Refusal::new(
                Withheld::OutOfFocus,
                Sentence::BmodeFlat
                    .with("have", Value::rounded(bmode.texture, 3))
                    .with("need", Value::rounded(self.min_texture, 3)),
            ));
        }
        Ok(())
    }

    /// Judges the change from the map before to this one.
    ///
    /// # Errors
    /// [`Withheld::UnstableElastogram`].
    pub fn judge_change(&self, change: MapChange) -> Result<(), Refusal> {
        if change.mean > self.max_map_change {
            return Err(Refusal::new(
                Withheld::UnstableElastogram,
                Sentence::ElastogramUnstable
                    .with("have_percent", Value::rounded(100.0 * change.mean, 0))
                    .with("most_percent", Value::rounded(100.0 * self.max_map_change, 0)),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::layout::Orientation;
    use crate::region::Region;

    fn layout(w: u32, h: u32) -> ScreenLayout {
        let r = Region::new(0, 0, w, h).unwrap();
        ScreenLayout {
            orientation: Orientation::Stacked,
            bmode_view: r,
            elastogram_view: r,
            bmode_box: r,
            elastogram_box: r,
            colour_bar: None,
            hard_end: None,
            confidence: 1.0,
        }
    }

    #[test]
    fn each_limit_refuses_with_its_reason() {
        let look = |coloured, texture| {
            let mut look = Look::default();
            (look.coloured, look.texture) = (coloured, texture);
            look
        };
        let (good_map, good_bmode) = (look(0.9, 0.0), look(0.0, 0.09));
        let limits = Limits::default();
        let judge = |l, b: &Look, e: &Look| limits.judge(&l, b, e).err().map(|r| r.reason);
        assert_eq!(judge(layout(200, 100), &good_bmode, &good_map), None);
        assert_eq!(judge(layout(200, 30), &good_bmode, &good_map), Some(Withheld::BoxTooSmall));
        let holes = look(0.1, 0.0);
        assert_eq!(judge(layout(200, 100), &good_bmode, &holes), Some(Withheld::EmptyElastogram));
        let blurred = look(0.0, 0.003);
        assert_eq!(judge(layout(200, 100), &blurred, &good_map), Some(Withheld::OutOfFocus));
        let change = |mean| MapChange { mean, most: 3.0, spread: mean, chroma: 60.0 };
        let jump = limits.judge_change(change(0.8)).unwrap_err();
        assert_eq!(jump.reason, Withheld::UnstableElastogram);
        assert!(limits.judge_change(change(0.3)).is_ok());
    }

    #[test]
    fn limits_out_of_range_are_told() {
        for bad in [
            Limits { min_coloured: 1.5, ..Limits::default() },
            Limits { max_map_change: f32::NAN, ..Limits::default() },
            Limits { min_texture: -1.0, ..Limits::default() },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
        assert!(Limits::default().check().is_ok());
    }
}
