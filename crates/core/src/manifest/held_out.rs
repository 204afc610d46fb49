//! `[held-out]`: what the model said of exams that nothing was learned or decided on. A machine that sees
//! something else for long sees other patients, or another picture.

use serde::{Deserialize, Serialize};

use super::ManifestError;

/// Scores of held-out exams.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HeldOut {
    /// Exams.
    pub exams: u32,
    /// Distinct elastograms behind each score.
    pub evidence: u32,
    /// Scores below which 0, 10, … 100 % of the exams lie, 0..=1, never falling.
    pub score_deciles: Vec<f32>,
    /// Part of the elastograms that got no score, 0..=1.
    pub withheld: f32,
}

impl HeldOut {
    /// Checks what the types cannot hold.
    pub(super) fn check(&self) -> Result<(), ManifestError> {
        let fail = |key, problem: String| Err(ManifestError::Value { key, problem });
        let unit = |v: &f32| (0.0..=1.0).contains(v);
        let rising = self.score_deciles.windows(2).all(|pair| pair[0] <= pair[1]);
        if self.score_deciles.len() != 11 || !self.score_deciles.iter().all(unit) || !rising {
            return fail("held-out.score-deciles", "must be 11 rising numbers, 0 to 1".into());
        }
        if !unit(&self.withheld) {
            return fail("held-out.withheld", format!("is {}: it must be 0 to 1", self.withheld));
        }
        Ok(())
    }
}
