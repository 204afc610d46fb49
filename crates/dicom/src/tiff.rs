//! Whether a TIFF has pictures behind its first: the decoder reads that one and says nothing. Runs on
//! the caller's thread.

use std::io::{Read, Seek, SeekFrom};

use crate::source::Source;

/// Directories that are looked at.
const MOST: usize = 64;
/// Entries of a directory that are looked at; the tags rise, and the one that is wanted is the first.
const FIRST_TAGS: u16 = 4;
/// What a directory's picture is: bit 0, a smaller copy of another.
const SUBFILE_TYPE: u16 = 254;

/// Tells whether there is a second picture that is not a smaller copy; `false` where the directories
/// cannot be read, which the decoder will tell. Leaves the source at its beginning.
pub(crate) fn has_more_pages(source: &mut Source) -> bool {
    let more = second(source).unwrap_or(false);
    source.rewind().is_ok() && more
}

fn second(source: &mut Source) -> std::io::Result<bool> {
    let mut order = [0; 4];
    source.rewind()?;
    source.read_exact(&mut order)?;
    let little = order[0] == b'I';
    let short = |source: &mut Source| {
        let mut b = [0; 2];
        source.read_exact(&mut b)?;
        std::io::Result::Ok(if little { u16::from_le_bytes(b) } else { u16::from_be_bytes(b) })
    };
    let long = |source: &mut Source| {
        let mut b = [0; 4];
        source.read_exact(&mut b)?;
        std::io::Result::Ok(if little { u32::from_le_bytes(b) } else { u32::from_be_bytes(b) })
    };
    let mut at = long(source)?;
    let mut seen = Vec::new();
    // A damaged file's directories lead round in circles.
    while at != 0 && seen.len() < MOST && !seen.contains(&at) {
        seen.push(at);
        source.seek(SeekFrom::Start(u64::from(at)))?;
        let entries = short(source)?;
        let mut copy = false;
        for i in 0..entries.min(FIRST_TAGS) {
            source.seek(SeekFrom::Start(u64::from(at) + 2 + 12 * u64::from(i)))?;
            if short(source)? == SUBFILE_TYPE {
                source.seek(SeekFrom::Current(6))?;
                copy = long(source)? & 1 == 1;
            }
        }
        if seen.len() > 1 && !copy {
            return Ok(true);
        }
        source.seek(SeekFrom::Start(u64::from(at) + 2 + 12 * u64::from(entries)))?;
        at = long(source)?;
    }
    Ok(false)
}
