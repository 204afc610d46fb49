//! What a network says of one pair of crops: the logit that the score is made of, and what each of its
//! small heads says. Plain data without allocation; made by whatever ran the network.

use crate::calibrate::Logit;
use crate::manifest::{Manifest, OutputKind};

/// Heads at most: an answer is copied from map to map and allocates nothing.
pub const MAX_HEADS: usize = 16;

/// The answer to one pair of crops. Every number is finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// The log-odds of malignancy before calibration.
    pub logit: Logit,
    heads: [f32; MAX_HEADS],
    count: usize,
}

impl From<Logit> for Answer {
    /// The answer of a network without heads.
    fn from(logit: Logit) -> Self {
        Self { logit, heads: [0.0; MAX_HEADS], count: 0 }
    }
}

/// What keeps numbers from being an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The output has another count of numbers than the manifest says.
    Shape {
        /// What came out.
        found: usize,
        /// What must come out.
        expected: usize,
    },
    /// A number is infinite or none.
    NotFinite,
}

impl Answer {
    /// Reads the numbers of the outputs as a manifest names them; `heads` is empty where it names none.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn read(form: Form, logits: &[f32], heads: &[f32]) -> Result<Self, Unreadable> {
        let width = form.kind.count();
        for (numbers, expected) in [(logits, width), (heads, form.heads * width)] {
            if numbers.len() != expected {
                return Err(Unreadable::Shape { found: numbers.len(), expected });
            }
        }
        let odds = form.kind.log_odds(logits).and_then(Logit::new);
        let mut answer = Self::from(odds.ok_or(Unreadable::NotFinite)?);
        for (to, numbers) in answer.heads.iter_mut().zip(heads.chunks_exact(width)) {
            let odds = form.kind.log_odds(numbers).filter(|z| z.is_finite());
            *to = odds.ok_or(Unreadable::NotFinite)?;
            answer.count += 1;
        }
        Ok(answer)
    }

    /// Each head's log-odds, before calibration; empty where the network has none.
    pub fn heads(&self) -> &[f32] {
        &self.heads[..self.count]
    }

    /// The model's own spread: the standard deviation of its heads' log-odds (of the sample, n − 1);
    /// `None` with fewer than two.
    pub fn spread(&self) -> Option<f32> {
        let n = self.count as f32;
        let mean = self.heads().iter().sum::<f32>() / n;
        let squares: f32 = self.heads().iter().map(|z| (z - mean).powi(2)).sum();
        (self.count >= 2).then(|| (squares / (n - 1.0)).sqrt())
    }
}

/// How the numbers of a network's outputs are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// What the numbers of the score, and of each head, are.
    pub kind: OutputKind,
    /// Heads, at most [`MAX_HEADS`]; 0 for none.
    pub heads: usize,
}

impl From<&Manifest> for Form {
    fn from(manifest: &Manifest) -> Self {
        let heads = manifest.outputs.heads.as_ref().map_or(0, |heads| heads.count);
        Self { kind: manifest.output.kind, heads }
    }
}

impl OutputKind {
    /// The log-odds of malignancy in the numbers of one answer; `None` for another count of them.
    pub fn log_odds(self, numbers: &[f32]) -> Option<f32> {
        match (self, numbers) {
            (Self::Logit, [z]) => Some(*z),
            (Self::BenignMalignant, [benign, malignant]) => Some(malignant - benign),
            _ => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const PAIRS: Form = Form { kind: OutputKind::BenignMalignant, heads: 3 };

    #[test]
    fn the_spread_is_that_of_the_heads_log_odds() {
        let answer = Answer::read(PAIRS, &[0.0, 2.0], &[1.0, 2.0, 0.0, 2.0, -1.0, 2.0]).unwrap();
        assert_eq!(answer.heads(), [1.0, 2.0, 3.0]);
        assert!((answer.logit.get() - 2.0).abs() < 1e-6);
        assert!((answer.spread().unwrap() - 1.0).abs() < 1e-6);
        assert_eq!(Answer::from(answer.logit).spread(), None);
        let one = Form { heads: 1, ..PAIRS };
        assert_eq!(Answer::read(one, &[0.0, 2.0], &[1.0, 2.0]).unwrap().spread(), None);
    }

    #[test]
    fn numbers_of_another_count_or_none_are_no_answer() {
        let read = |logits: &[f32], heads: &[f32]| Answer::read(PAIRS, logits, heads).unwrap_err();
        assert_eq!(read(&[0.0], &[0.0; 6]), Unreadable::Shape { found: 1, expected: 2 });
        assert_eq!(read(&[0.0; 2], &[0.0; 5]), Unreadable::Shape { found: 5, expected: 6 });
        assert_eq!(read(&[0.0, f32::NAN], &[0.0; 6]), Unreadable::NotFinite);
        assert_eq!(
            read(&[0.0; 2], &[0.0, 0.0, f32::INFINITY, 0.0, 0.0, 0.0]),
            Unreadable::NotFinite
        );
        // Two finite numbers whose difference is none.
        assert_eq!(read(&[f32::MIN, f32::MAX], &[0.0; 6]), Unreadable::NotFinite);
        let none = Form { heads: 0, ..PAIRS };
        assert_eq!(
            Answer::read(none, &[0.0; 2], &[0.0; 2]).unwrap_err(),
            Unreadable::Shape { found: 2, expected: 0 }
        );
    }
}
