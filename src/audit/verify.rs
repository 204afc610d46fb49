//! Tells whether an audit is whole. Reads it once, line by line; blocks on the disk.
//!
//! By itself a chain proves that nothing in it was changed, left out or put elsewhere; not that its end was
//! not cut off, nor that it was not made anew as a whole. That takes a witness: a head that somebody else
//! kept, such as the journal.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;

use super::chain::{self, Hash, Head, Unread};
use super::folder::{self, Removed};

/// Faults that are told; one is enough to know.
const MAX_FAULTS: usize = 20;

/// A head that somebody kept: a hash, with the number of its line where that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Witness {
    /// Number of the line.
    pub n: Option<u64>,
    /// Its hash.
    pub hash: Hash,
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.n {
            Some(n) => write!(f, "{n}:{}", self.hash),
            None => write!(f, "{}", self.hash),
        }
    }
}

impl FromStr for Witness {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (n, hash) = match text.split_once(':') {
            Some((n, hash)) => {
                let n = n.parse().map_err(|_| format!("{n:?} is no line's number"))?;
                (Some(n), hash)
            }
            None => (None, text),
        };
        Ok(Self { n, hash: hash.parse()? })
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verified {
    /// Parts that are there.
    pub parts: usize,
    /// Lines that are there.
    pub lines: u64,
    /// Number of the first of them, and when it was written.
    pub first: Option<(u64, String)>,
    /// The last line.
    pub head: Head,
    /// When that was written.
    pub last_at: String,
    /// Lines that were removed by size or age, and are told of.
    pub removed: u64,
    /// Where the chain is not whole, in words; none: it is.
    pub faults: Vec<String>,
    /// The last line has no end: the daemon was killed at it, its next start will say so.
    pub torn: bool,
    /// Witnesses that the chain has.
    pub confirmed: usize,
    /// Witnesses of lines that were removed.
    pub of_removed: usize,
    /// The last line up to which a witness confirms it.
    pub witnessed: Option<u64>,
    /// Witnesses that the chain does not have: its end was cut off, or it was made anew.
    pub missing: Vec<Witness>,
}

impl Verified {
    /// Whether the chain is whole and has every witness.
    pub fn is_whole(&self) -> bool {
        self.faults.is_empty() && self.missing.is_empty()
    }
}

/// What the next line must follow.
struct Walk {
    found: Verified,
    /// The line before, once there was one.
    before: Option<Head>,
    /// Removals that the chain tells of.
    told: Vec<Head>,
    open: BTreeSet<Witness>,
    /// The part that is read.
    name: String,
}

impl Walk {
    fn fault(&mut self, line: usize, what: &str) {
        if self.found.faults.len() < MAX_FAULTS {
            self.found.faults.push(format!("{} line {}: {what}", self.name, line + 1));
        }
    }

    fn line(&mut self, at: usize, bytes: &[u8]) {
        self.found.lines += 1;
        let line = match chain::read(bytes) {
            Ok(line) => line,
            Err(why) => {
                self.fault(
                    at,
                    match why {
                        Unread::Foreign => "it is no line of an audit",
                        Unread::Altered => "it was changed: it is not what its hash says",
                    },
                );
                // What follows is held against this line as it says that it is.
                let line: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
                let hash = line["hash"].as_str().and_then(|hash| hash.parse().ok());
                self.before = line["n"].as_u64().zip(hash).map(|(n, hash)| Head { n, hash });
                return;
            }
        };
        match self.before {
            Some(before) if line.head.n != before.n + 1 => {
                let (n, after) = (line.head.n, before.n);
                self.fault(
                    at,
                    &format!(
                        "number {n} follows number {after}: lines are missing or were put elsewhere"
                    ),
                );
            }
            Some(before) if line.prev != before.hash => {
                self.fault(at, "it follows another line than the one before it");
            }
            _ => {}
        }
        if self.found.first.is_none() {
            self.found.first = Some((line.head.n, line.at.clone()));
        }
        if line.event == "removed" {
            let number = |key: &str| line.fields.get(key).and_then(serde_json::Value::as_u64);
            let hash = line.fields.get("head").and_then(|head| head.as_str()?.parse().ok());
            self.told.extend(number("to").zip(hash).map(|(n, hash)| Head { n, hash }));
        }
        let Head { n, hash } = line.head;
        for witness in [Witness { n: None, hash }, Witness { n: Some(n), hash }] {
            if self.open.remove(&witness) {
                self.found.confirmed += 1;
                self.found.witnessed = self.found.witnessed.max(Some(n));
            }
        }
        self.found.last_at = line.at;
        self.found.head = line.head;
        self.before = Some(line.head);
    }
}

/// Reads the audit in `folder` and holds it against `witnesses`.
///
/// # Errors
/// When the folder or a file in it cannot be read.
pub fn verify(folder: &Path, witnesses: &[Witness]) -> io::Result<Verified> {
    let numbers = folder::parts(folder)?;
    let removed = folder::removed(folder)?;
    let mut walk = Walk {
        found: Verified { parts: numbers.len(), ..Verified::default() },
        before: None,
        told: Vec::new(),
        open: witnesses.iter().copied().collect(),
        name: String::new(),
    };
    let mut start = None;
    for (index, &number) in numbers.iter().enumerate() {
        let path = folder::part(folder, number);
        walk.name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = folder::read(folder, number)?;
        let (lines, rest) = folder::split(&bytes);
        for (at, line) in lines.iter().enumerate() {
            if start.is_none() {
                start =
                    chain::read(line).ok().map(|line| Head { n: line.head.n - 1, hash: line.prev });
            }
            walk.line(at, line);
        }
        let last = index + 1 == numbers.len();
        if !rest.is_empty() && last {
            walk.found.torn = true;
        } else if !rest.is_empty() {
            walk.fault(lines.len(), "it has no end");
        }
    }
    let Walk { mut found, told, open, .. } = walk;
    if let Some(start) = start {
        found.removed = start.n;
        found.faults.extend(beginning(start, &told, &removed));
    }
    for witness in open {
        let head = |removed: &&Removed| witness.hash == removed.head.hash;
        let before = witness.n.is_some_and(|n| start.is_some_and(|start| n <= start.n));
        if before || removed.iter().any(|r| head(&r)) {
            found.of_removed += 1;
        } else {
            found.missing.push(witness);
        }
    }
    Ok(found)
}

/// What is wrong with how the chain begins: at its first line, or after parts whose removal both the
/// chain and the list tell of.
fn beginning(start: Head, told: &[Head], removed: &[Removed]) -> Option<String> {
    if start == Head::default() {
        return None;
    }
    let first = start.n + 1;
    if !told.contains(&start) {
        return Some(format!(
            "it begins with number {first}, and no line tells of the removal of those before"
        ));
    }
    let mut before = Head::default();
    for part in removed {
        if part.from != before.n + 1 || part.prev != before.hash {
            return Some(format!("the list of removed parts has a gap after number {}", before.n));
        }
        before = part.head;
    }
    // A part that is noted as removed and still there was not removed yet.
    let known = removed.iter().any(|part| part.head == start);
    (!known).then(|| format!("the list of removed parts does not reach number {first}"))
}
