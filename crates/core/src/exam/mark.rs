//! What a person says of a nodule: its number, side, plane and label, and what they think of the
//! score. Plain data, as it comes by command.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Names what is on the screen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mark {
    /// Which nodule it is. Left out: the one that this place began, or belongs to already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodule: Option<Which>,
    /// The plane. Where the nodule has a plane of that name, this is another look at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plane: Option<PlaneName>,
    /// Where in the thyroid the nodule is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// What the person calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
}

/// A nodule of the exam.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "a nodule is its number, \"new\" or \"same\" (the one marked last)")]
pub enum Which {
    /// By its number.
    Number(u32),
    /// By a word.
    Word(WhichWord),
}

/// A nodule by a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum WhichWord {
    /// None of those before.
    New,
    /// The one that was marked last: what is on the screen is another plane of it.
    Same,
}

/// The plane of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum PlaneName {
    /// Across the neck.
    Transverse,
    /// Along the neck.
    Longitudinal,
}

impl PlaneName {
    /// The word in commands and summaries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transverse => "transverse",
            Self::Longitudinal => "longitudinal",
        }
    }
}

/// Where in the thyroid, the patient's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// Left lobe.
    Left,
    /// Right lobe.
    Right,
    /// Between the lobes.
    Isthmus,
}

impl Side {
    /// The word in commands and summaries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
            Self::Isthmus => "isthmus",
        }
    }
}

/// What a person calls a nodule: 1 to 24 of `A-Z a-z 0-9 _ -` and the space. Never in the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("pattern" = "^[A-Za-z0-9 _-]{1,24}$")))]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

/// A text that is no label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a label is 1 to 24 letters (A-Z, a-z), digits, spaces, _ or -")]
pub struct NoLabel;

impl Label {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Label {
    type Error = NoLabel;

    fn try_from(text: String) -> Result<Self, NoLabel> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'_' | b'-');
        if (1..=24).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text))
        } else {
            Err(NoLabel)
        }
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0
    }
}

/// What a person thinks of a nodule's score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Opinion {
    /// Whether they agree.
    pub says: Says,
    /// Which nodule, by its number. Left out: the one on the screen, else the one marked last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub nodule: Option<u32>,
    /// What they take it for; only with `disagree`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub corrected: Option<Finding>,
}

/// Agreement with a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Says {
    /// The person thinks so too.
    Agree,
    /// The person does not.
    Disagree,
}

impl Says {
    /// The word in commands, summaries and the journal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agree => "agree",
            Self::Disagree => "disagree",
        }
    }
}

/// What a person takes a nodule for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// Benign.
    Benign,
    /// Malignant.
    Malignant,
    /// Neither can be said.
    Indeterminate,
}

impl Finding {
    /// The word in commands, summaries and the journal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Benign => "benign",
            Self::Malignant => "malignant",
            Self::Indeterminate => "indeterminate",
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_label_holds_what_cannot_be_misread_and_nothing_else() {
        let label = |text: &str| Label::try_from(text.to_owned());
        for good in ["a", "Nodule 2 - left_low", "123456789012345678901234"] {
            assert_eq!(label(good).unwrap().as_str(), good);
        }
        for bad in ["", "1234567890123456789012345", "Müller", "a\nb", "a/b", "{}", "a\u{0}"] {
            assert_eq!(label(bad), Err(NoLabel), "{bad:?}");
        }
    }

    #[test]
    fn a_nodule_is_told_by_number_or_word_and_what_it_may_be_is_said() {
        let mark = |json: &str| serde_json::from_str::<Mark>(json);
        assert_eq!(mark(r#"{"nodule":2}"#).unwrap().nodule, Some(Which::Number(2)));
        let same = Some(Which::Word(WhichWord::Same));
        assert_eq!(mark(r#"{"nodule":"same"}"#).unwrap().nodule, same);
        for (bad, says) in [
            (r#"{"nodule":-1}"#, "its number"),
            (r#"{"nodule":"first"}"#, "\"same\""),
            (r#"{"nodul":1}"#, "unknown field `nodul`"),
            (r#"{"plane":"oblique"}"#, "`transverse`"),
            (r#"{"label":"a b c d e f g h i j k l m n"}"#, "1 to 24"),
        ] {
            let error = mark(bad).unwrap_err().to_string();
            assert!(error.contains(says), "{bad}: {error}");
        }
    }
}
