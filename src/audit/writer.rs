//! Writes the chain. Runs on the audit's thread alone; blocks on the disk.
//!
//! What fails leaves the chain as it was: a line that was written in part is cut off again, the entry
//! waits, and the disk is asked again a second later.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};
use tracing::{info, warn};

use super::chain::{self, Hash, Head};
use super::folder::{self, Removed};
use super::{Entry, Settings};
use crate::journal;

/// Entries that wait while the disk refuses them.
const WAITING_ENTRIES: usize = 4096;
/// Largest part, bytes; smaller where little is kept in all.
const PART_BYTES: u64 = 4 << 20;
/// Parts that are kept at least, so that the oldest that goes is little of the whole.
const PARTS: u64 = 8;
/// A part's longest time, so that old lines can go where little is written.
const PART_TIME: Duration = Duration::from_hours(24 * 7);

/// Writes the chain.
#[derive(Debug)]
pub(super) struct Writer {
    folder: PathBuf,
    max_bytes: u64,
    max_age: Duration,
    part: Option<Part>,
    head: Head,
    told: Head,
    waiting: VecDeque<Entry>,
    lost: u64,
    /// What the disk last refused.
    failing: Option<String>,
}

/// The part that is written to.
#[derive(Debug)]
struct Part {
    number: u64,
    file: File,
    /// Bytes of whole lines.
    bytes: u64,
    begun: SystemTime,
    dirty: bool,
    _lock: File,
}

impl Writer {
    pub(super) fn new(folder: PathBuf, settings: &Settings) -> Self {
        Self {
            folder,
            max_bytes: settings.max_mib << 20,
            max_age: Duration::from_hours(24 * settings.max_days),
            part: None,
            head: Head::default(),
            told: Head::default(),
            waiting: VecDeque::new(),
            lost: 0,
            failing: None,
        }
    }

    /// Counts entries that never came here.
    pub(super) fn lost(&mut self, entries: u64) {
        self.lost += entries;
    }

    /// Writes an entry, or keeps it until the disk takes it.
    pub(super) fn take(&mut self, entry: Entry) {
        if self.waiting.len() < WAITING_ENTRIES {
            self.waiting.push_back(entry);
        } else {
            self.lost += 1;
        }
        // Asked again by the second only while it refuses.
        if self.failing.is_none() {
            self.write();
        }
    }

    /// Makes sure that what was written stays, and asks a disk again that refused.
    pub(super) fn every_second(&mut self) {
        if let Err(e) = self.look_for_the_part() {
            self.refused(&e);
        }
        if self.failing.is_some() || !self.waiting.is_empty() || self.lost > 0 {
            self.write();
        }
        if let Err(e) = self.sync().and_then(|()| self.turn()) {
            self.refused(&e);
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        if let Some(part) = &mut self.part
            && part.dirty
        {
            part.file.sync_data()?;
            part.dirty = false;
        }
        Ok(())
    }

    /// Tells the journal where the chain ends, where that is news.
    pub(super) fn tell_head(&mut self) {
        // A witness of lines that a power cut takes away would tell of a fraud that was none.
        if self.head != self.told && self.sync().is_ok() {
            self.told = self.head;
            info!(MESSAGE_ID = journal::AUDIT_HEAD, EVENT = "audit", HEAD = %self.head, "the chain ends here");
        }
    }

    /// Writes what waits, as far as the disk takes it.
    fn write(&mut self) {
        if let Err(e) = self.try_write() {
            self.refused(&e);
        }
    }

    fn try_write(&mut self) -> io::Result<()> {
        if self.part.is_none() {
            self.open()?;
        }
        while let Some(entry) = self.waiting.front() {
            let (at, event) = (entry.at, entry.event);
            let fields = entry.fields.clone();
            self.line(at, event, &fields)?;
            self.waiting.pop_front();
        }
        if self.lost > 0 {
            let why = self.failing.as_deref().unwrap_or("too many at once").to_owned();
            let fields = fields([("entries", self.lost.into()), ("why", why.into())]);
            self.line(SystemTime::now(), "lost", &fields)?;
        }
        if self.failing.is_some() {
            // A disk that takes lines and does not keep them is not mended.
            self.sync()?;
        }
        let lost = std::mem::take(&mut self.lost);
        if self.failing.take().is_some() || lost > 0 {
            info!(
                MESSAGE_ID = journal::AUDIT_MENDED,
                EVENT = "audit",
                STATE = "written",
                LOST = lost,
                "the audit is written again"
            );
        }
        Ok(())
    }

    /// Said once per cause; what runs goes on.
    fn refused(&mut self, error: &io::Error) {
        let why = error.to_string();
        if self.failing.as_ref() != Some(&why) {
            warn!(MESSAGE_ID = journal::AUDIT_FAILED, EVENT = "audit", STATE = "not-written", FOLDER = %self.folder.display(), WHY = why, "the audit cannot be written; scoring goes on");
            self.failing = Some(why);
        }
    }

    /// Writes one line; in part is not at all.
    fn line(&mut self, at: SystemTime, event: &str, fields: &Map<String, Value>) -> io::Result<()> {
        let Some(part) = &mut self.part else { return Err(io::Error::other("no part is open")) };
        let mut head = self.head;
        let line = head.append(at, event, fields);
        if let Err(e) = part.file.write_all(line.as_bytes()) {
            // A file can be made shorter on a full disk too; where it cannot, the next start repairs it.
            if part.file.set_len(part.bytes).is_err() {
                self.part = None;
            }
            return Err(e);
        }
        part.bytes += line.len() as u64;
        part.dirty = true;
        self.head = head;
        Ok(())
    }

    /// Finds the end of the chain, mends a torn line, and says in the chain that it did.
    fn open(&mut self) -> io::Result<()> {
        folder::make(&self.folder)?;
        let lock = folder::lock(&self.folder)?;
        let parts = folder::parts(&self.folder)?;
        let mut number = parts.last().copied().unwrap_or(1);
        let mut torn = None;
        let mut broken = false;
        self.head = Head::default();
        let mut bytes = 0;
        // An empty last part was begun and not written to: the chain ends in the one before.
        for &candidate in parts.iter().rev() {
            let content = folder::read(&self.folder, candidate)?;
            let (lines, rest) = folder::split(&content);
            if candidate == number {
                bytes = (content.len() - rest.len()) as u64;
                if !rest.is_empty() {
                    torn = Some((rest.len(), Hash::of(rest)));
                }
            }
            let Some(last) = lines.last() else { continue };
            if let Ok(line) = chain::read(last) {
                self.head = line.head;
            } else {
                // Nothing can be written after a line that somebody changed: the chain goes on in
                // another part, and the place stays to be found.
                broken = true;
                let line: Value = serde_json::from_slice(last).unwrap_or_default();
                self.head = Head { n: line["n"].as_u64().unwrap_or(0), hash: Hash::of(last) };
            }
            break;
        }
        if broken {
            warn!(MESSAGE_ID = journal::AUDIT_BROKEN, EVENT = "audit", STATE = "broken", FOLDER = %self.folder.display(), PART = number, "the last line of the audit was changed");
            number += 1;
            bytes = 0;
            torn = None;
        }
        let file = folder::open(&self.folder, number)?;
        if torn.is_some() {
            file.set_len(bytes)?;
        }
        let begun = folder::ends(&self.folder, number)
            .and_then(|_| file.metadata().ok()?.created().ok())
            .unwrap_or_else(SystemTime::now);
        self.part = Some(Part { number, file, bytes, begun, dirty: false, _lock: lock });
        if broken {
            let fields = fields([("words", "the last line before this one was changed".into())]);
            self.line(SystemTime::now(), "broken", &fields)?;
        }
        if let Some((len, hash)) = torn {
            let hash = hash.to_string();
            let fields = fields([("bytes", len.into()), ("sha256", hash.into())]);
            self.line(SystemTime::now(), "repaired", &fields)?;
        }
        self.prune()
    }

    /// Goes on in another file where somebody took the part away: the gap stays to be found.
    fn look_for_the_part(&mut self) -> io::Result<()> {
        let Some(part) = &mut self.part else { return Ok(()) };
        if part.file.metadata()?.nlink() > 0 {
            return Ok(());
        }
        warn!(MESSAGE_ID = journal::AUDIT_BROKEN, EVENT = "audit", STATE = "broken", FOLDER = %self.folder.display(), PART = part.number, "a part of the audit was taken away");
        folder::make(&self.folder)?;
        part.number += 1;
        part.file = folder::open(&self.folder, part.number)?;
        part.bytes = 0;
        let fields = fields([("words", "the part before this one was taken away".into())]);
        self.line(SystemTime::now(), "broken", &fields)
    }

    /// Begins another part where this one is large or old, and lets the oldest go.
    fn turn(&mut self) -> io::Result<()> {
        let largest = PART_BYTES.min(self.max_bytes / PARTS);
        let longest = PART_TIME.min(self.max_age / PARTS as u32);
        let Some(part) = &mut self.part else { return Ok(()) };
        let age = SystemTime::now().duration_since(part.begun).unwrap_or_default();
        if part.bytes == 0 || part.bytes < largest && age < longest {
            return Ok(());
        }
        part.file.sync_data()?;
        let file = folder::open(&self.folder, part.number + 1)?;
        part.number += 1;
        (part.file, part.bytes, part.begun) = (file, 0, SystemTime::now());
        self.prune()
    }

    /// Removes the oldest parts beyond size and age; the chain and a list keep their heads.
    fn prune(&mut self) -> io::Result<()> {
        let Some(current) = self.part.as_ref().map(|part| part.number) else { return Ok(()) };
        let mut parts = Vec::new();
        for number in folder::parts(&self.folder)? {
            let metadata = fs::metadata(folder::part(&self.folder, number))?;
            parts.push((number, metadata.len(), metadata.modified()?));
        }
        let mut total: u64 = parts.iter().map(|(_, bytes, _)| bytes).sum();
        for (number, bytes, modified) in parts {
            let age = SystemTime::now().duration_since(modified).unwrap_or_default();
            if number >= current || total <= self.max_bytes && age <= self.max_age {
                break;
            }
            if let Some((first, last)) = folder::ends(&self.folder, number) {
                let (from, prev, head) = (first.head.n, first.prev, last.head);
                let removed = Removed { part: number, from, prev, head };
                let fields = fields([
                    ("part", number.into()),
                    ("from", from.into()),
                    ("to", head.n.into()),
                    ("head", head.hash.to_string().into()),
                ]);
                self.line(SystemTime::now(), "removed", &fields)?;
                folder::note_removed(&self.folder, &removed)?;
                if let Some(part) = &self.part {
                    part.file.sync_data()?;
                }
            }
            fs::remove_file(folder::part(&self.folder, number))?;
            total -= bytes;
        }
        Ok(())
    }
}

fn fields<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests;
