//! The boxes of MP4 and QuickTime files (ISO/IEC 14496-12): whether all are there, and whether the
//! media lie in the file itself. Reads box heads only, on the caller's thread.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};

use super::read_up_to;

/// More boxes than a file of fragments of a second each has in a day.
const MOST: usize = 200_000;
/// Boxes that hold boxes on the way to a data reference.
const PARENTS: [&[u8; 4]; 7] = [b"moov", b"trak", b"mdia", b"minf", b"dinf", b"edts", b"rmra"];

/// What a file's boxes tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Boxes {
    /// Where the last one ends.
    pub end: u64,
    /// An index is there: of the whole, or of a fragment.
    pub index: bool,
    /// The media lie in another file or at an address.
    pub elsewhere: bool,
}

/// Tells whether a file begins as MP4 or QuickTime does.
pub(super) fn is_box(head: &[u8]) -> bool {
    const FIRST: [&[u8; 4]; 6] = [b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"];
    head.get(4..8).is_some_and(|kind| FIRST.iter().any(|f| f.as_slice() == kind))
}

/// One box's head.
struct Head {
    kind: [u8; 4],
    body: u64,
    /// `None`: cut before the end of its own head.
    end: u64,
}

fn head(file: &mut File, at: u64, len: u64) -> io::Result<Option<Head>> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = [0; 16];
    let got = read_up_to(file, &mut bytes)?;
    let word = |i: usize| u32::from_be_bytes([bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]]);
    let kind = [bytes[4], bytes[5], bytes[6], bytes[7]];
    if got < 8 {
        // Not even a box's head: one was cut here.
        return Ok(Some(Head { kind: [0; 4], body: at + 8, end: at + 8 }));
    }
    let (body, end) = match word(0) {
        1 if got == 16 => {
            (at + 16, at.saturating_add((u64::from(word(8)) << 32) | u64::from(word(12))))
        }
        1 => (at + 16, at + 16),
        // To the end of the file.
        0 => (at + 8, len),
        // Smaller than its own head: no box.
        2..8 => return Ok(None),
        size => (at + 8, at + u64::from(size)),
    };
    Ok(Some(Head { kind, body, end: end.max(body) }))
}

/// Walks the boxes of a file of `len` bytes.
pub(super) fn walk(file: &mut File, len: u64) -> io::Result<Boxes> {
    let mut found = Boxes::default();
    // Ends of the boxes that are open, the file's own first.
    let mut at = 0;
    let mut open = vec![len];
    for _ in 0..MOST {
        while open.len() > 1 && open.last().is_some_and(|end| at >= *end) {
            open.pop();
        }
        if at >= len {
            break;
        }
        let top = open.len() == 1;
        let Some(head) = head(file, at, len)? else {
            // No box here: go on behind the one that it stands in.
            let Some(end) = open.pop().filter(|_| !top) else {
                found.end = len;
                return Ok(found);
            };
            at = end;
            continue;
        };
        if top {
            found.end = head.end;
        }
        match &head.kind {
            b"moov" | b"moof" => found.index = true,
            b"rmra" => found.elsewhere = true,
            b"dref" => found.elsewhere |= refers(file, &head)?,
            _ => {}
        }
        let parent = PARENTS.contains(&&head.kind) && open.len() < 8;
        if parent {
            open.push(head.end);
        }
        at = if parent { head.body } else { head.end };
    }
    Ok(found)
}

/// Tells whether a data reference box names another place than this file. Each entry has a flag that
/// says "here".
fn refers(file: &mut File, dref: &Head) -> io::Result<bool> {
    let mut at = dref.body + 8;
    for _ in 0..64 {
        if at + 12 > dref.end {
            break;
        }
        let Some(entry) = head(file, at, dref.end)? else { break };
        file.seek(SeekFrom::Start(entry.body))?;
        let mut flags = [0; 4];
        if read_up_to(file, &mut flags)? == 4 && flags[3] & 1 == 0 && entry.end > entry.body + 4 {
            return Ok(true);
        }
        at = entry.end;
    }
    Ok(false)
}
