//! From the score of an exam to a verdict with a stated error rate: split conformal prediction, class by
//! class (Vovk, Gammerman & Shafer, *Algorithmic Learning in a Random World*, 2005, § 4.5).
//!
//! A class is in the answer's set when the exam's logit is no stranger for that class than all but
//! `error-rate` of the calibration exams of the class were. Of exams drawn like those, each class's truth
//! is outside of the set in `error-rate` of the cases; of other exams nothing is promised. Pure; runs on
//! the infer thread.

use serde::{Deserialize, Serialize};

use crate::calibrate::Logit;
use crate::words::{Sentence, Value, Words};

/// What the evidence leans to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Only benign is in the set.
    BenignLeaning,
    /// Only malignant is in the set.
    Suspicious,
    /// Both are, or neither is.
    Indeterminate,
}

impl Verdict {
    /// The word in the reading (`benign-leaning`).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BenignLeaning => "benign-leaning",
            Self::Suspicious => "suspicious",
            Self::Indeterminate => "indeterminate",
        }
    }
}

/// A verdict with what it was calibrated for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Assessment {
    /// What the evidence leans to.
    pub verdict: Verdict,
    /// Part of the exams of each class whose truth is outside of the set, on exams like those of the
    /// calibration, 0..1. An empty set counts as an error.
    pub error_rate: f32,
}

impl Assessment {
    /// The verdict as a sentence.
    pub fn words(&self) -> Words {
        let sentence = match self.verdict {
            Verdict::BenignLeaning => Sentence::AssessedBenignLeaning,
            Verdict::Suspicious => Sentence::AssessedSuspicious,
            Verdict::Indeterminate => Sentence::AssessedIndeterminate,
        };
        sentence.with("error_percent", Value::rounded(100.0 * self.error_rate, 1))
    }
}

/// The manifest's table `[assessment]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Assessing {
    /// What the limits were calibrated for, above 0 and below 0.5.
    pub error_rate: f32,
    /// Limits by the count of distinct elastograms behind the score, counts rising; between two counts
    /// the lower one's hold, below the first there is no verdict.
    pub limits: Vec<Limits>,
}

/// Which logits are usual for each class, of exams of so many elastograms.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Limits {
    /// Distinct elastograms.
    pub evidence: u32,
    /// Benign is in the set up to this logit (before calibration).
    pub benign_to: f32,
    /// Malignant is in the set from this logit on.
    pub malignant_from: f32,
    /// Exams that the limits are of: benign, malignant.
    pub exams: [u32; 2],
}

impl Limits {
    /// Whether benign, and whether malignant, is in the set of this logit.
    pub fn set(&self, logit: Logit) -> [bool; 2] {
        [logit.get() <= self.benign_to, logit.get() >= self.malignant_from]
    }

    /// The verdict on this logit.
    pub fn verdict(&self, logit: Logit) -> Verdict {
        match self.set(logit) {
            [true, false] => Verdict::BenignLeaning,
            [false, true] => Verdict::Suspicious,
            [true, true] | [false, false] => Verdict::Indeterminate,
        }
    }
}

impl Assessing {
    /// The limits that hold for so many elastograms; `None` below the first count.
    pub fn limits_of(&self, evidence: u32) -> Option<&Limits> {
        self.limits.iter().rev().find(|limits| limits.evidence <= evidence)
    }

    /// The verdict on an exam's median logit; `None` with too little evidence for one.
    pub fn assess(&self, median: Logit, evidence: u32) -> Option<Assessment> {
        let limits = self.limits_of(evidence)?;
        Some(Assessment { verdict: limits.verdict(median), error_rate: self.error_rate })
    }

    /// Says what is wrong with the numbers, if anything is.
    ///
    /// # Errors
    /// A sentence for the manifest's error.
    pub fn check(&self) -> Result<(), String> {
        if !(self.error_rate > 0.0 && self.error_rate < 0.5) {
            return Err(format!(
                "error-rate is {}: it must be above 0 and below 0.5",
                self.error_rate
            ));
        }
        if self.limits.is_empty() {
            return Err("has no limits: give at least those of 1 elastogram".into());
        }
        if self.limits.iter().any(|l| !l.benign_to.is_finite() || !l.malignant_from.is_finite()) {
            return Err("a limit is not finite".into());
        }
        let counts = self.limits.windows(2).all(|pair| pair[0].evidence < pair[1].evidence);
        if !counts || self.limits[0].evidence == 0 {
            return Err("the counts of evidence must rise from at least 1".into());
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn table() -> Assessing {
        let limits = |evidence, benign_to, malignant_from| Limits {
            evidence,
            benign_to,
            malignant_from,
            exams: [3000, 3000],
        };
        // One elastogram leaves both possible around 0; nine leave neither.
        Assessing { error_rate: 0.1, limits: vec![limits(1, 0.6, -0.4), limits(9, -0.2, 0.3)] }
    }

    fn verdict(z: f32, evidence: u32) -> Option<Verdict> {
        table().assess(Logit::new(z).unwrap(), evidence).map(|a| a.verdict)
    }

    #[test]
    fn both_and_neither_are_shown_as_indeterminate() {
        for (z, evidence, is) in [
            (-1.0, 1, Verdict::BenignLeaning),
            (0.0, 1, Verdict::Indeterminate),
            (1.0, 1, Verdict::Suspicious),
            (-1.0, 9, Verdict::BenignLeaning),
            (0.0, 9, Verdict::Indeterminate),
            (0.5, 9, Verdict::Suspicious),
        ] {
            assert_eq!(verdict(z, evidence), Some(is), "{z} of {evidence}");
        }
        assert_eq!(table().limits[0].set(Logit::ZERO), [true, true]);
        assert_eq!(table().limits[1].set(Logit::ZERO), [false, false]);
    }

    #[test]
    fn each_verdict_is_said_with_its_error_rate() {
        for z in [-1.0, 0.0, 1.0] {
            let assessment = table().assess(Logit::new(z).unwrap(), 1).unwrap();
            let said = assessment.words().english();
            let word = assessment.verdict.as_str();
            assert_eq!(said, format!("{word} (error rate 10 %)"));
        }
    }

    #[test]
    fn between_two_counts_the_lower_ones_limits_hold() {
        assert_eq!(verdict(0.5, 0), None);
        assert_eq!(verdict(0.5, 1), Some(Verdict::Indeterminate));
        assert_eq!(verdict(0.5, 8), Some(Verdict::Indeterminate));
        assert_eq!(verdict(0.5, 9), Some(Verdict::Suspicious));
        assert_eq!(verdict(0.5, 30), Some(Verdict::Suspicious));
    }

    #[test]
    fn tables_that_make_no_sense_are_told() {
        let wrong = |change: &dyn Fn(&mut Assessing)| {
            let mut table = table();
            change(&mut table);
            table.check().unwrap_err()
        };
        assert!(table().check().is_ok());
        assert!(wrong(&|t| t.error_rate = 0.5).contains("error-rate is 0.5"));
        assert!(wrong(&|t| t.limits.clear()).contains("no limits"));
        assert!(wrong(&|t| t.limits[0].benign_to = f32::NAN).contains("not finite"));
        assert!(wrong(&|t| t.limits[1].evidence = 1).contains("must rise"));
        assert!(wrong(&|t| t.limits[0].evidence = 0).contains("must rise"));
    }
}
