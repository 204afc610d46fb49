//! What a run keeps to go on after it was killed: one file, replaced whole.
//!
//! A line of magic, the length of a JSON header, the header, then little-endian f32 numbers, list by
//! list, whose lengths stand in the header. The file is read only by this program; a damaged one is an
//! error, never a panic.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::FitError;
use super::plan::Plan;
use super::run::Epoch;
use crate::model::Architecture;

const MAGIC: &[u8; 16] = b"sonofuse-train 1";
/// Name in the run's folder.
pub(super) const FILE: &str = "checkpoint.bin";

/// What stands in it besides the numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) architecture: Architecture,
    pub(super) plan: Plan,
    /// Fingerprint of samples, starting weights and whether there is augmentation.
    pub(super) data: String,
    /// Epochs that are behind it.
    pub(super) history: Vec<Epoch>,
    /// Steps of the optimiser.
    pub(super) steps: u64,
    /// Number of the best epoch, from 1.
    pub(super) best: usize,
    /// Nothing more will come.
    pub(super) finished: bool,
    /// Seconds spent.
    pub(super) seconds: f64,
    /// Lengths of the lists that follow.
    pub(super) lengths: Vec<usize>,
}

/// Writes a checkpoint; until it is whole, the one before it stays.
pub(super) fn write(folder: &Path, header: &Header, lists: &[Vec<f32>]) -> Result<(), FitError> {
    let path = folder.join(FILE);
    let next = folder.join("checkpoint.next");
    let fail = |source| FitError::Io { verb: "write", path: path.clone(), source };
    let attempt = || -> io::Result<()> {
        let header = Header { lengths: lists.iter().map(Vec::len).collect(), ..header.clone() };
        let text = serde_json::to_vec(&header)?;
        let mut file = io::BufWriter::new(fs::File::create(&next)?);
        file.write_all(MAGIC)?;
        file.write_all(&(text.len() as u64).to_le_bytes())?;
        file.write_all(&text)?;
        for value in lists.iter().flatten() {
            file.write_all(&value.to_le_bytes())?;
        }
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&next, &path)
    };
    attempt().map_err(fail)
}

/// What a checkpoint holds: the header and the lists of numbers, in the order they were written.
pub(super) type Checkpoint = (Header, Vec<Vec<f32>>);

/// Reads a folder's checkpoint; `None` where there is none.
pub(super) fn read(folder: &Path) -> Result<Option<Checkpoint>, FitError> {
    let path = folder.join(FILE);
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|source| FitError::Io { verb: "read", path: path.clone(), source })?,
    };
    let parsed = parse(&bytes).ok_or_else(|| FitError::OtherRun {
        path,
        problem: "it is no checkpoint of this version, or damaged".into(),
    });
    parsed.map(Some)
}

fn parse(bytes: &[u8]) -> Option<(Header, Vec<Vec<f32>>)> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (length, rest) = rest.split_first_chunk::<8>()?;
    let (text, mut numbers) =
        rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let header: Header = serde_json::from_slice(text).ok()?;
    let mut lists = Vec::with_capacity(header.lengths.len());
    for length in &header.lengths {
        let (list, rest) = numbers.split_at_checked(length.checked_mul(4)?)?;
        let values = list.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
        lists.push(values.collect());
        numbers = rest;
    }
    numbers.is_empty().then_some((header, lists))
}
