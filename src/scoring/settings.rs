//! `[scoring]` of the configuration.

use serde::{Deserialize, Serialize};
use sonofuse_core::evidence::Rules;
use sonofuse_core::gate::Limits;
use sonofuse_core::manifest::Manifest;

const MS: u64 = 1_000_000;

/// What to do when it cannot be told which end of the palette is hard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PaletteUnknown {
    /// Score as if red were hard, as on nearly all shear-wave scanners, and say so in the reading.
    AssumeRed,
    /// Give no score.
    #[default]
    Withhold,
}

/// How frames become readings. Times are those of the source (its presentation times), so that a
/// replayed recording is judged like a live one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Settings {
    /// Distinct elastograms behind a score, at most.
    pub window: u32,
    /// Distinct elastograms that a live screen must have shown before it is scored. A still image and
    /// a frozen screen have one.
    pub min_evidence: u32,
    /// How long an elastogram counts after it left the screen, in milliseconds.
    pub max_age_ms: u64,
    /// Least time between two samples of a map that never rests (strain at video rate), in
    /// milliseconds. A map that is just being redrawn counts once, when it has settled.
    pub min_spacing_ms: u64,
    /// Both views unchanged for this long: the screen is frozen, in milliseconds. Above the slowest
    /// refresh of the scanner.
    pub freeze_after_ms: u64,
    /// No dual view for this long: the next one is another place, in milliseconds.
    pub layout_loss_ms: u64,
    /// Likeness of the B-mode box with that of a counted elastogram below which that one is of another
    /// place, −1..=1.
    pub same_place: f32,
    /// What to do when the palette's direction cannot be told.
    pub palette_unknown: PaletteUnknown,
    /// Threads of the network on the CPU.
    pub threads: usize,
    /// The quality gate.
    pub gate: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            window: 9,
            min_evidence: 3,
            max_age_ms: 30_000,
            min_spacing_ms: 300,
            freeze_after_ms: 3_000,
            layout_loss_ms: 2_000,
            same_place: 0.5,
            palette_unknown: PaletteUnknown::Withhold,
            threads: super::DEFAULT_THREADS,
            gate: Limits::default(),
        }
    }
}

impl Settings {
    /// The rules of evidence that these settings and a model make together.
    pub(super) fn rules(&self, manifest: &Manifest) -> Rules {
        Rules {
            window: self.window as usize,
            min_evidence: self.min_evidence,
            max_age_ns: self.max_age_ms * MS,
            min_spacing_ns: self.min_spacing_ms * MS,
            loss_ns: self.layout_loss_ms * MS,
            same_place: self.same_place,
            logit_sd: manifest.aggregation.logit_sd,
            spread_scale: manifest.aggregation.spread_scale,
        }
    }

    /// Says which key is out of range, if one is.
    ///
    /// # Errors
    /// A sentence with the key and its range.
    pub fn check(&self) -> Result<(), String> {
        if !(1..=1000).contains(&self.window) {
            return Err(format!("scoring.window is {}: it must be 1 to 1000", self.window));
        }
        if !(1..=self.window).contains(&self.min_evidence) {
            return Err(format!(
                "scoring.min-evidence is {}: it must be 1 to window ({})",
                self.min_evidence, self.window
            ));
        }
        if !(1..=256).contains(&self.threads) {
            return Err(format!("scoring.threads is {}: it must be 1 to 256", self.threads));
        }
        if !(-1.0..=1.0).contains(&self.same_place) {
            return Err(format!("scoring.same-place is {}: it must be -1 to 1", self.same_place));
        }
        for (key, value) in [
            ("max-age-ms", self.max_age_ms),
            ("freeze-after-ms", self.freeze_after_ms),
            ("layout-loss-ms", self.layout_loss_ms),
        ] {
            if !(100..=3_600_000).contains(&value) {
                return Err(format!("scoring.{key} is {value}: it must be 100 to 3600000"));
            }
        }
        if self.min_spacing_ms > 60_000 {
            return Err(format!(
                "scoring.min-spacing-ms is {}: it must be at most 60000",
                self.min_spacing_ms
            ));
        }
        self.gate.check().map_err(|e| format!("scoring.gate.{e}"))
    }
}
