//! Predictions in files: one JSON object a line.
//!
//! The keys of [`Prediction`], and what is known beside it: the fold, and what the gate saw. Unknown
//! keys are left alone, so that other programs may add their own.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::sample::Prediction;

/// Why a file of predictions cannot be used.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The system says no.
    #[error("cannot {what} the predictions {path}: {source}")]
    Io {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is no prediction.
    #[error("line {line} of {path} is no prediction: {source}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// Some lines name a fold and some do not.
    #[error("{path}: {with} of {all} predictions name their fold: all must, or none")]
    SomeFolds {
        /// The file.
        path: PathBuf,
        /// Those that do.
        with: usize,
        /// All.
        all: usize,
    },
}

/// What the daemon's gate saw of the frame.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Quality {
    /// Part of the colour box that carries stiffness, 0..=1.
    pub coloured: f32,
    /// Texture of the B-mode box, in code values.
    pub texture: f32,
    /// Why the gate refuses the frame, in the reading's words; none where it passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The prediction.
    #[serde(flatten)]
    pub prediction: Prediction,
    /// The fold that tested it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<usize>,
    /// What the gate saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
}

impl From<Prediction> for Record {
    fn from(prediction: Prediction) -> Self {
        Self { prediction, fold: None, quality: None }
    }
}

/// Reads a file of predictions; empty lines are skipped.
///
/// # Errors
/// [`RecordError`], with the line.
pub fn read(path: &Path) -> Result<Vec<Record>, RecordError> {
    let fail = |source| RecordError::Io { what: "read", path: path.to_owned(), source };
    let text = fs::read_to_string(path).map_err(fail)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let records: Vec<Record> = lines
        .map(|(i, line)| {
            serde_json::from_str(line).map_err(|source| RecordError::Line {
                path: path.to_owned(),
                line: i + 1,
                source,
            })
        })
        .collect::<Result<_, _>>()?;
    let (with, all) = (records.iter().filter(|r| r.fold.is_some()).count(), records.len());
    if with > 0 && with < all {
        return Err(RecordError::SomeFolds { path: path.to_owned(), with, all });
    }
    Ok(records)
}

/// Writes a file of predictions.
///
/// # Errors
/// [`RecordError::Io`].
#[expect(clippy::missing_panics_doc, reason = "a record is always JSON")]
pub fn write(path: &Path, records: &[Record]) -> Result<(), RecordError> {
    let mut text = String::new();
    for record in records {
        text += &serde_json::to_string(record).expect("strings, numbers and a bool make JSON");
        text.push('\n');
    }
    let fail = |source| RecordError::Io { what: "write", path: path.to_owned(), source };
    fs::write(path, text).map_err(fail)
}

/// The predictions of each fold, folds in order; one fold where none is named.
pub fn by_fold(records: &[Record]) -> Vec<Vec<Prediction>> {
    let mut folds: BTreeMap<usize, Vec<Prediction>> = BTreeMap::new();
    for r in records {
        folds.entry(r.fold.unwrap_or(0)).or_default().push(r.prediction.clone());
    }
    folds.into_values().collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::evaluate::tests::sample;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.jsonl");
        let mut records: Vec<Record> = sample().into_iter().map(Record::from).collect();
        for (i, r) in records.iter_mut().enumerate() {
            r.fold = Some(i / 4 % 3);
            let refused = (i % 5 == 0).then(|| "out-of-focus".to_owned());
            r.quality = Some(Quality { coloured: 0.5, texture: 3.25, refused });
        }
        write(&path, &records).unwrap();
        assert_eq!(read(&path).unwrap(), records);
        assert_eq!(by_fold(&records).len(), 3);
    }

    #[test]
    fn plain_predictions_with_other_keys_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.jsonl");
        let line =
            r#"{"patient":"a","image":"1","scanner":"s","malignant":true,"logit":0.5,"x":1}"#;
        fs::write(&path, format!("{line}\n\n")).unwrap();
        let records = read(&path).unwrap();
        assert_eq!(records[0].prediction.patient, "a");
        assert_eq!((records.len(), records[0].fold), (1, None));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.jsonl");
        let line = r#"{"patient":"a","image":"1","scanner":"s","malignant":true,"logit":0.5}"#;
        fs::write(&path, format!("{line}\n{{\"patient\":3}}\n")).unwrap();
        assert!(read(&path).unwrap_err().to_string().starts_with("line 2 of"));
        let with = line.replace("\"image\":\"1\"", "\"image\":\"2\",\"fold\":1");
        fs::write(&path, format!("{line}\n{with}\n")).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("1 of 2"));
        assert!(read(&folder.path().join("none")).unwrap_err().to_string().contains("cannot read"));
    }
}
