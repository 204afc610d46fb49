//! The audit's folder: numbered parts, the list of those that were removed, and a lock that keeps a
//! second daemon out. Runs on whoever calls; blocks on the disk.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use serde_json::json;

use super::chain::{self, Hash, Head, Line};

/// List of the parts that were removed, oldest first.
const REMOVED: &str = "removed.jsonl";
const LOCK: &str = "lock";
/// The group may read, nobody else.
const MODE: u32 = 0o640;

/// A part that was removed, or is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Removed {
    /// Its number.
    pub(super) part: u64,
    /// Number of its first line.
    pub(super) from: u64,
    /// Hash of the line before that.
    pub(super) prev: Hash,
    /// Its last line.
    pub(super) head: Head,
}

/// The path of part `number`.
pub(super) fn part(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("audit-{number:06}.jsonl"))
}

/// Numbers of the parts that are there, in order.
pub(super) fn parts(folder: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| {
            name.strip_prefix("audit-")?.strip_suffix(".jsonl")?.parse::<u64>().ok()
        });
        found.extend(number);
    }
    found.sort_unstable();
    Ok(found)
}

/// Keeps every other daemon out as long as it is held.
pub(super) fn lock(folder: &Path) -> io::Result<File> {
    let file = OpenOptions::new().create(true).append(true).mode(MODE).open(folder.join(LOCK))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(io::Error::other("another daemon writes there")),
        Err(e) => Err(e.into()),
    }
}

/// Opens part `number` to write at its end; a new one outlives a power cut with its name.
pub(super) fn open(folder: &Path, number: u64) -> io::Result<File> {
    let file =
        OpenOptions::new().create(true).append(true).mode(MODE).open(part(folder, number))?;
    File::open(folder)?.sync_all()?;
    Ok(file)
}

/// Makes the folder, for the group to look into.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o750).create(folder)
}

/// Largest file that is read as a part, bytes: no daemon writes one of that size.
const MAX_PART_BYTES: u64 = 64 << 20;

/// The bytes of part `number`.
pub(super) fn read(folder: &Path, number: u64) -> io::Result<Vec<u8>> {
    let file = File::open(part(folder, number))?;
    let mut bytes = Vec::new();
    file.take(MAX_PART_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_PART_BYTES {
        let words = format!("{} is larger than a part can be", part(folder, number).display());
        return Err(io::Error::other(words));
    }
    Ok(bytes)
}

/// Splits a part into whole lines without their ends, and what stands after the last one.
pub(super) fn split(bytes: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let end = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
    let (whole, rest) = bytes.split_at(end);
    let mut lines: Vec<&[u8]> = whole.split(|&b| b == b'\n').collect();
    // After the last end nothing follows.
    lines.pop();
    (lines, rest)
}

/// First and last line of a part; `None` where they cannot be read.
pub(super) fn ends(folder: &Path, number: u64) -> Option<(Line, Line)> {
    let bytes = read(folder, number).ok()?;
    let (lines, _) = split(&bytes);
    Some((chain::read(lines.first()?).ok()?, chain::read(lines.last()?).ok()?))
}

/// Adds a part to the list of removed ones.
pub(super) fn note_removed(folder: &Path, removed: &Removed) -> io::Result<()> {
    let Removed { part, from, prev, head } = removed;
    let line = json!({
        "part": part, "from": from, "prev": prev.to_string(), "head": head.to_string(),
    });
    let file = OpenOptions::new().create(true).append(true).mode(MODE).open(folder.join(REMOVED));
    let mut file = file?;
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_data()
}

/// The list of removed parts; what cannot be read ends it.
pub(super) fn removed(folder: &Path) -> io::Result<Vec<Removed>> {
    let text = match fs::read_to_string(folder.join(REMOVED)) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let read = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        let (n, hash) = line["head"].as_str()?.split_once(':')?;
        Some(Removed {
            part: line["part"].as_u64()?,
            from: line["from"].as_u64()?,
            prev: line["prev"].as_str()?.parse().ok()?,
            head: Head { n: n.parse().ok()?, hash: hash.parse().ok()? },
        })
    };
    let mut found: Vec<Removed> = text.lines().map_while(read).collect();
    // A kill between the note and the removal has it noted twice.
    found.dedup();
    Ok(found)
}
