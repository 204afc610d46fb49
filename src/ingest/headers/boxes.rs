//! The boxes of MP4 and QuickTime files (ISO/IEC 14496-12): whether all are there, and whether the
//! media lie in the file itself. Reads box heads only, on the caller's thread.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::read_up_to;

/// More boxes than a file of fragments of a second each has in a day.
const MOST: usize = 200_000;
/// Boxes that hold boxes on the way to a data reference.
const PARENTS: [&[u8; 4]; 8] =
    [b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl", b"edts", b"rmra"];
/// Entries of a table that are looked at.
const MOST_ENTRIES: u64 = 1 << 20;

/// What a file's boxes tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Boxes {
    /// Where the last one ends.
    pub end: u64,
    /// An index is there: of the whole, or of a fragment.
    pub index: bool,
    /// The media lie in another file or at an address.
    pub elsewhere: bool,
    /// Of the first picture track.
    pub edits: Option<Edits>,
}

/// What an edit list makes of a track's pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::ingest) struct Edits {
    /// Nothing is shown for so long at first.
    pub empty_ns: u64,
    /// Something of the track may be left out.
    pub trims: bool,
    /// Pictures of the track, as its index counts them.
    pub pictures: u64,
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
    // Of the track that the walk is in; ticks a second of the film's clock.
    let (mut edits, mut is_video, mut film_hz) = (None, false, 0);
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
            b"mvhd" => film_hz = film_clock(file, &head)?,
            b"trak" => (edits, is_video) = (None, false),
            b"elst" => edits = edit_list(file, &head, film_hz)?,
            // QuickTime has a second one, of the data's handler.
            b"hdlr" => is_video |= read::<12>(file, head.body)?.is_some_and(|b| b[8..] == *b"vide"),
            b"stts" if is_video && found.edits.is_none() => {
                let pictures = pictures(file, &head)?;
                found.edits = edits.map(|edits| Edits { pictures, ..edits });
            }
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

fn read<const N: usize>(file: &mut File, at: u64) -> io::Result<Option<[u8; N]>> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = [0; N];
    Ok((read_up_to(file, &mut bytes)? == N).then_some(bytes))
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_be_bytes(*b))
}

/// Ticks a second of the film's clock.
fn film_clock(file: &mut File, mvhd: &Head) -> io::Result<u32> {
    let Some(bytes) = read::<24>(file, mvhd.body)? else { return Ok(0) };
    // Times of 64 bits in version 1.
    Ok(word(&bytes, if bytes[0] == 1 { 20 } else { 12 }))
}

/// Reads an edit list (ISO/IEC 14496-12, 8.6.6).
fn edit_list(file: &mut File, elst: &Head, film_hz: u32) -> io::Result<Option<Edits>> {
    let Some(start) = read::<8>(file, elst.body)? else { return Ok(None) };
    let wide = start[0] == 1;
    let mut edits = Edits::default();
    let mut shown = 0;
    for n in 0..u64::from(word(&start, 4)).min(64) {
        let at = elst.body + 8 + n * if wide { 20 } else { 12 };
        let Some(entry) = read::<16>(file, at)?.filter(|_| at < elst.end) else { break };
        let long = |at: usize| u64::from(word(&entry, at)) << 32 | u64::from(word(&entry, at + 4));
        let (ticks, from) = if wide {
            (long(0), long(8) as i64)
        } else {
            (u64::from(word(&entry, 0)), i64::from(word(&entry, 4) as i32))
        };
        if from >= 0 {
            shown += 1;
            edits.trims |= from > 0 || shown > 1;
        } else if shown == 0 && film_hz > 0 {
            let ns = u128::from(ticks) * 1_000_000_000 / u128::from(film_hz);
            edits.empty_ns = edits.empty_ns.saturating_add(u64::try_from(ns).unwrap_or(u64::MAX));
        }
    }
    Ok(Some(edits))
}

/// Counts the samples of a track (8.6.1.2).
fn pictures(file: &mut File, stts: &Head) -> io::Result<u64> {
    let Some(start) = read::<8>(file, stts.body)? else { return Ok(0) };
    let room = stts.end.saturating_sub(stts.body + 8) / 8;
    let entries = u64::from(word(&start, 4)).min(room).min(MOST_ENTRIES);
    file.seek(SeekFrom::Start(stts.body + 8))?;
    let mut table = Vec::new();
    file.by_ref().take(entries * 8).read_to_end(&mut table)?;
    Ok(table.as_chunks::<8>().0.iter().map(|entry| u64::from(word(entry, 0))).sum())
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
