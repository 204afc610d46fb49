//! Where native frames lie in the pixel data, and what the header says wrongly about them.
//!
//! The data's length is a second witness: it tells a wrong number of frames, rows with padding, and
//! three bytes a pixel where the header says two.

use super::pixels::{Colour, Picture};
use crate::StillError;

/// To what writers round a row, or a frame, up: powers of two to these, bytes or pixels.
const ROW_ROUNDED_TO: u64 = 256;
const FRAME_ROUNDED_TO: u64 = 4096;
/// Pixels that are looked at to tell R'G'B' from `Y'CbCr`.
const LOOK_PX: usize = 1 << 16;

/// Native frames: one length, back to back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Native {
    pub start: u64,
    /// Bytes from frame to frame.
    pub frame_len: u64,
    /// Bytes from row to row.
    pub row_len: u64,
    pub count: u32,
}

/// What was found out about native pixel data.
#[derive(Debug)]
pub(super) struct Found {
    pub native: Native,
    /// 4:2:2 that holds three samples a pixel: which they are must be looked up.
    pub three_samples: bool,
    /// What had to be assumed.
    pub notes: Vec<String>,
    /// What is not there.
    pub problem: Option<StillError>,
}

/// Lays frames over `there` bytes from `start` on; `said` is the header's number of frames.
pub(super) fn lay(
    picture: &Picture,
    said: Option<u32>,
    start: u64,
    len: u64,
    left: u64,
) -> Result<Found, StillError> {
    let there = len.min(left);
    let count = u64::from(said.unwrap_or(1));
    let mut found = Found {
        native: Native {
            start,
            frame_len: picture.frame_len(),
            row_len: picture.row_len(),
            count: 1,
        },
        three_samples: false,
        notes: Vec::new(),
        problem: None,
    };
    let native = &mut found.native;
    // The element's own length tells what was meant, also of a file that was cut.
    let each = len / count;
    let full =
        u64::from(picture.rows) * u64::from(picture.columns) * 3 * if picture.wide { 2 } else { 1 };
    if matches!(picture.colour, Colour::Ybr422) && each >= full {
        native.frame_len = full;
        native.row_len = full / u64::from(picture.rows);
        found.three_samples = true;
    }
    if let Some(words) = pad(picture, native, count, len)? {
        found.notes.push(words);
    }
    let frames = there / native.frame_len;
    let need = native.frame_len.saturating_mul(count);
    if frames == 0 || (there < need && len >= need) {
        let problem = StillError::Truncated(format!(
            "{count} frame(s) of {}×{} px need {need} bytes of pixel data, {there} are there",
            picture.columns, picture.rows
        ));
        if frames == 0 {
            return Err(problem);
        }
        found.problem = Some(problem);
    } else if let Some(said) = said.filter(|said| u64::from(*said) != frames) {
        found.problem = Some(StillError::Incomplete(format!(
            "says that it holds {said} frames, {frames} are there"
        )));
    } else if said.is_none() && frames > 1 {
        found.notes.push(format!("does not say how many frames it holds: {frames} are there"));
    }
    native.count = u32::try_from(frames).unwrap_or(u32::MAX);
    Ok(found)
}

/// Looks whether rows or frames have padding where the data is longer than its frames; says so.
///
/// # Errors
/// When the length does not tell which: a guess would show shreds.
fn pad(
    picture: &Picture,
    native: &mut Native,
    count: u64,
    len: u64,
) -> Result<Option<String>, StillError> {
    let Native { row_len, frame_len, .. } = *native;
    let more = len.saturating_sub(frame_len * count);
    // A byte at the very end is the element's own padding; whole frames are more of them.
    if more <= 1 || more % frame_len <= 1 {
        return Ok(None);
    }
    let rows = frame_len / row_len;
    let exact = |part: &u64, parts: u64| (part * parts).next_multiple_of(2) == len;
    let row = Some(len / (rows * count)).filter(|row| *row > row_len && exact(row, rows * count));
    let frame = Some(len / count).filter(|each| *each > frame_len && exact(each, count));
    // Of several frames: what follows a single one is no matter.
    let most = frame_len + frame_len.max(FRAME_ROUNDED_TO);
    let frame = frame.filter(|each| count > 1 && *each < most);
    let px = (row_len / u64::from(picture.columns)).max(1);
    let powers = |most: u64| (1..).map(|n| 1 << n).take_while(move |m| *m <= most);
    let usual_row = |row: u64| {
        powers(ROW_ROUNDED_TO).any(|m| {
            row == row_len.next_multiple_of(m)
                || row == u64::from(picture.columns).next_multiple_of(m) * px
        })
    };
    let usual_frame =
        |frame: u64| powers(FRAME_ROUNDED_TO).any(|m| frame == frame_len.next_multiple_of(m));
    let row = match (row, frame) {
        (Some(row), Some(frame)) => match (usual_row(row), usual_frame(frame)) {
            (true, true) => {
                return Err(StillError::dicom(format!(
                    "its pixel data has {more} bytes more than {count} frames of {}×{} px need: rows of \
                     {row} bytes account for them, and frames of {frame} bytes do",
                    picture.columns, picture.rows
                )));
            }
            (false, true) => None,
            _ => Some(row),
        },
        // Behind the one frame there may be anything.
        (Some(row), None) if count > 1 || usual_row(row) || (row - row_len) % px == 0 => Some(row),
        _ => None,
    };
    if let Some(row) = row {
        (native.row_len, native.frame_len) = (row, row * rows);
        return Ok(Some(format!(
            "has rows of {row} bytes where {row_len} are needed: the rest of each is left out"
        )));
    }
    if let Some(frame) = frame {
        native.frame_len = frame;
        return Ok(Some(format!(
            "has frames of {frame} bytes where {frame_len} are needed: the rest of each is left out"
        )));
    }
    if count == 1 {
        return Ok(Some(format!(
            "has {more} bytes of pixel data behind its picture: they are left out"
        )));
    }
    Err(StillError::dicom(format!(
        "its pixel data has {more} bytes more than {count} frames of {}×{} px need, and neither rows nor \
         frames of one length account for them",
        picture.columns, picture.rows
    )))
}

/// Takes the padding out of each row of one frame.
pub(super) fn without_padding(native: &Native, picture: &Picture, bytes: Vec<u8>) -> Vec<u8> {
    let (row, used) = (native.row_len as usize, picture.row_len() as usize);
    if row <= used {
        return bytes;
    }
    let rows = bytes.chunks_exact(row).take(picture.row_count() as usize);
    rows.flat_map(|row| &row[..used]).copied().collect()
}

/// Tells what three samples a pixel are, by a frame of them: a scanner's screen is mostly grey, and
/// grey is r = g = b, or both chroma in the middle. `None` when it looks like neither or both.
pub(super) fn three_samples(bytes: &[u8]) -> Option<Colour> {
    let pixels = bytes.as_chunks::<3>().0;
    let step = (pixels.len() / LOOK_PX).max(1);
    let near = |a: u8, b: u8| a.abs_diff(b) <= 6;
    let (mut rgb, mut ybr, mut all) = (0usize, 0usize, 0usize);
    for &[a, b, c] in pixels.iter().step_by(step) {
        all += 1;
        rgb += usize::from(near(a, b) && near(b, c));
        ybr += usize::from(near(b, 128) && near(c, 128));
    }
    if rgb * 2 > all && rgb > ybr * 2 {
        Some(Colour::Rgb)
    } else if ybr * 2 > all && ybr > rgb * 2 {
        Some(Colour::Ybr)
    } else {
        None
    }
}
