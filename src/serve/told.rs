//! What is told of a command to whoever keeps account of it: who gave it, what came of it, and those of its
//! values that can name nobody. Pure.

use std::sync::Arc;

use serde_json::{Map, Value};
use sonofuse_core::control::{Done, Refused, Verb};

/// Who gave a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By<'a> {
    /// A peer of the control socket, by the kernel's word.
    Peer {
        /// Its user.
        uid: u32,
        /// Its process.
        pid: i32,
    },
    /// A key or pedal, by its name.
    Key(&'a str),
    /// The page, by the number of the session since the daemon started.
    Page(u64),
}

/// A command that was given, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Given<'a> {
    /// The verb; empty where none could be read.
    pub verb: &'a str,
    /// Its values, without texts that a person chose.
    pub values: Map<String, Value>,
    /// Who gave it.
    pub by: By<'a>,
    /// Kind of the reason why it was not done; `None`: it was.
    pub refused: Option<&'static str>,
}

impl<'a> Given<'a> {
    /// A command with what came of it.
    pub(super) fn new(
        verb: &'a str,
        values: Map<String, Value>,
        by: By<'a>,
        result: &Result<Done, Refused>,
    ) -> Self {
        let refused = result.as_ref().err().map(|refused| refused.kind.as_str());
        Self { verb, values, by, refused }
    }
}

/// Is told of each command but `status`; must not wait.
pub type Tell = Arc<dyn Fn(Given<'_>) + Send + Sync>;

/// Tells nobody.
pub fn nobody() -> Tell {
    Arc::new(|_| {})
}

/// Keys whose values are numbers, or words that sonofuse knows.
const PLAIN: &[&str] = &[
    "nodule",
    "plane",
    "side",
    "says",
    "corrected",
    "malignancy",
    "hard-end",
    "mm-per-px",
    "size",
    "bmode-view",
    "elastogram-view",
    "bmode-box",
    "elastogram-box",
    "colour-bar",
    "scale",
];

/// The values of a command that can name nobody: never a label.
pub(super) fn plain_values(verb: &Verb) -> Map<String, Value> {
    let Ok(Value::Object(mut values)) = serde_json::to_value(verb) else { return Map::new() };
    values.retain(|key, value| PLAIN.contains(&key.as_str()) && !value.is_null());
    values
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::control::request;
    use super::*;

    #[test]
    fn values_are_told_but_for_texts_that_a_person_chose() {
        for (words, told) in [
            (
                "mark nodule=2 side=left label=Sekret plane=transverse",
                r#"{"nodule":2,"plane":"transverse","side":"left"}"#,
            ),
            (
                "verdict says=disagree corrected=benign",
                r#"{"corrected":"benign","says":"disagree"}"#,
            ),
            ("preset name=sekret", "{}"),
            ("threshold malignancy=0.25", r#"{"malignancy":0.25}"#),
            ("pin hard-end=red", r#"{"hard-end":"red"}"#),
            ("reload", "{}"),
        ] {
            let values = plain_values(&request::words(words).unwrap());
            assert_eq!(Value::Object(values).to_string(), told, "{words}");
        }
    }
}
