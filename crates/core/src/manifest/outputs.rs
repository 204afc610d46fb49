//! `[outputs]`: what the same network gives beside the score. Each is optional; a folder that names none
//! is read as ever.

use serde::{Deserialize, Serialize};

use super::ManifestError;
use crate::answer::MAX_HEADS;

/// Outputs beside the score's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Outputs {
    /// Small heads over the same features, each an answer of its own: their spread is what the model
    /// does not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heads: Option<Heads>,
}

/// The output of the heads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Heads {
    /// Name of the graph's output: head behind head, each with the numbers of `output.kind`.
    pub name: String,
    /// How many, 2 to [`MAX_HEADS`].
    pub count: usize,
}

impl Outputs {
    /// Whether the manifest names none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Checks what the types cannot hold; `score` is the name of the score's output.
    pub(super) fn check(&self, score: &str) -> Result<(), ManifestError> {
        let Some(heads) = &self.heads else { return Ok(()) };
        let fail = |key, problem: String| Err(ManifestError::Value { key, problem });
        if heads.name.is_empty() || heads.name == score {
            let problem = format!("is `{}`: it must be a name other than the score's", heads.name);
            return fail("outputs.heads.name", problem);
        }
        if !(2..=MAX_HEADS).contains(&heads.count) {
            let problem = format!("is {}: it must be 2 to {MAX_HEADS}", heads.count);
            return fail("outputs.heads.count", problem);
        }
        Ok(())
    }
}
