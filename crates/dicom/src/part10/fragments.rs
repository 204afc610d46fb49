//! Which fragments make which frame of compressed pixel data (PS3.5 A.4).
//!
//! The offset table is often empty and sometimes wrong, the number of frames too; a frame's own
//! first bytes are the best witness.

use std::io::{Read, Seek, SeekFrom};

use super::elements::{Fragment, Fragments};
use super::syntax::Coding;
use crate::StillError;

/// Where one frame's bytes lie in the file: the fragments that make it up.
pub(super) type Extent = Vec<Fragment>;

/// What was found out about compressed pixel data.
#[derive(Debug)]
pub(super) struct Found {
    pub frames: Vec<Extent>,
    /// What had to be assumed.
    pub notes: Vec<String>,
    /// What is not there.
    pub problem: Option<StillError>,
}

/// Shares the fragments out; `said` is the header's number of frames.
pub(super) fn share(
    source: &mut (impl Read + Seek),
    fragments: Fragments,
    coding: Coding,
    said: Option<u32>,
) -> Result<Found, StillError> {
    let Fragments { table, list, cut } = fragments;
    let wanted = said.unwrap_or(1) as usize;
    if list.is_empty() {
        return Err(if cut {
            StillError::Truncated("the pixel data stops before its first frame ends".into())
        } else {
            StillError::dicom("compressed pixel data without a fragment")
        });
    }
    let one_each = |list: Vec<Fragment>| list.into_iter().map(|f| vec![f]).collect();
    let frames: Vec<Extent> = if list.len() == wanted && said.is_some() {
        one_each(list)
    } else if let Some(frames) = by_table(&table, &list, cut).filter(|f| f.len() == wanted || cut) {
        frames
    } else {
        match by_start(source, &list, coding)? {
            Some(frames) => frames,
            // Nothing tells where a frame begins.
            None if wanted == 1 => vec![list],
            None if list.len() < wanted => one_each(list),
            None => {
                return Err(StillError::dicom(format!(
                    "{} fragments for {wanted} frames, and nothing tells which is whose",
                    list.len()
                )));
            }
        }
    };
    let there = frames.len();
    let problem = if cut {
        Some(StillError::Truncated(format!(
            "its pixel data stops after {there} {}",
            said.map_or_else(|| "frames".to_owned(), |n| format!("of {n} frames"))
        )))
    } else {
        said.filter(|said| *said as usize != there).map(|said| {
            StillError::Incomplete(format!("says that it holds {said} frames, {there} are there"))
        })
    };
    let mut notes = Vec::new();
    if said.is_none() && there > 1 {
        notes.push(format!("does not say how many frames it holds: {there} are there"));
    }
    Ok(Found { frames, notes, problem })
}

/// The frames by the offset table, if it fits the fragments: offsets count from the first item after
/// the table, and each is one of an item. Of a file that was `cut`, the last may be missing.
fn by_table(table: &[u32], list: &[Fragment], cut: bool) -> Option<Vec<Extent>> {
    // A fragment's item header is 8 bytes before its value.
    let first = list.first()?.0;
    let mut frames: Vec<Extent> = Vec::with_capacity(table.len().min(list.len()));
    let mut starts = table.iter().map(|offset| first + u64::from(*offset)).peekable();
    for &fragment in list {
        if starts.next_if_eq(&fragment.0).is_some() {
            frames.push(vec![fragment]);
        } else {
            frames.last_mut()?.push(fragment);
        }
    }
    (starts.next().is_none() || cut).then_some(frames)
}

/// The frames by their own beginnings; `None` when the coding has no mark, or the first fragment
/// none.
fn by_start(
    source: &mut (impl Read + Seek),
    list: &[Fragment],
    coding: Coding,
) -> Result<Option<Vec<Extent>>, StillError> {
    let mut frames: Vec<Extent> = Vec::new();
    for &(at, len) in list {
        let mut head = [0; 8];
        let head = &mut head[..(len as usize).min(8)];
        source.seek(SeekFrom::Start(at)).map_err(StillError::Read)?;
        source.read_exact(head).map_err(StillError::Read)?;
        let starts = match coding {
            Coding::Jpeg => head.starts_with(&[0xFF, 0xD8, 0xFF]),
            // The number of segments, and the first right behind the header (PS3.5 G.5).
            Coding::Rle => {
                head.len() == 8
                    && (1..=15).contains(&head[0])
                    && head[1..] == [0, 0, 0, 64, 0, 0, 0]
            }
            Coding::Native | Coding::Fragmented => true,
        };
        match frames.last_mut() {
            Some(frame) if !starts => frame.push((at, len)),
            None if !starts => return Ok(None),
            _ => frames.push(vec![(at, len)]),
        }
    }
    Ok(Some(frames))
}
