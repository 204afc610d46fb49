//! The chain: lines of JSON, each with its number, the hash of the line before it and, at its end, its
//! own. Pure.
//!
//! ```text
//! {"n":7,"prev":"<64 hex>","at":"2026-11-27T09:00:00.123Z","event":"start",…,"hash":"<64 hex>"}
//! ```
//!
//! `hash` is the SHA-256 of the line's bytes before `,"hash":`. Whoever changes a byte must change the
//! hash, and with it every line after it; whoever makes all of them anew has another head than the one
//! that a witness saw.

use std::fmt::{self, Write};
use std::str::FromStr;
use std::time::SystemTime;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::civil::Utc;

/// What stands between a line's content and its hash.
const MARK: &[u8] = b",\"hash\":\"";
/// What ends a line.
const END: &[u8] = b"\"}";
/// Digits of a hash.
const DIGITS: usize = 64;

/// A SHA-256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Hash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no hash: {DIGITS} hexadecimal digits");
        if text.len() != DIGITS || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

/// The last line of a chain: its number, from 1, and its hash. Number 0 is the chain without a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Number of the line.
    pub n: u64,
    /// Its hash.
    pub hash: Hash,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.n, self.hash)
    }
}

impl Head {
    /// The line after this one, with its end; the head is then that of the line.
    pub fn append(&mut self, at: SystemTime, event: &str, fields: &Map<String, Value>) -> String {
        let n = self.n + 1;
        let mut line = format!("{{\"n\":{n},\"prev\":\"{}\",\"at\":\"{}\"", self.hash, utc(at));
        // Writing to a String cannot fail.
        let _ = write!(line, ",\"event\":{}", Value::from(event));
        for (key, value) in fields {
            let _ = write!(line, ",{}:{value}", Value::from(key.as_str()));
        }
        *self = Self { n, hash: Hash::of(line.as_bytes()) };
        let _ = writeln!(line, ",\"hash\":\"{}\"}}", self.hash);
        line
    }
}

/// A line that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Number and hash of this line.
    pub head: Head,
    /// Hash of the line before it, as this one has it.
    pub prev: Hash,
    /// When it was written.
    pub at: String,
    /// What happened.
    pub event: String,
    /// The whole of it.
    pub fields: Map<String, Value>,
}

/// Why a line is none of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is no line of a chain.
    Foreign,
    /// It is not what its hash says.
    Altered,
}

/// Reads a line without its end.
///
/// # Errors
/// [`Unread`].
pub fn read(line: &[u8]) -> Result<Line, Unread> {
    let tail = MARK.len() + DIGITS + END.len();
    let at = line.len().checked_sub(tail).ok_or(Unread::Foreign)?;
    let (body, tail) = line.split_at(at);
    let hash = tail.strip_prefix(MARK).and_then(|rest| rest.strip_suffix(END));
    let hash = hash.and_then(|digits| std::str::from_utf8(digits).ok());
    let hash: Hash = hash.and_then(|digits| digits.parse().ok()).ok_or(Unread::Foreign)?;
    if Hash::of(body) != hash {
        return Err(Unread::Altered);
    }
    let Ok(Value::Object(fields)) = serde_json::from_slice(line) else {
        return Err(Unread::Foreign);
    };
    let text = |key: &str| fields.get(key)?.as_str().map(str::to_owned);
    let read = || {
        Some(Line {
            head: Head { n: fields.get("n")?.as_u64()?, hash },
            prev: text("prev")?.parse().ok()?,
            at: text("at")?,
            event: text("event")?,
            fields: fields.clone(),
        })
    };
    read().ok_or(Unread::Foreign)
}

/// A time as RFC 3339 has it, in UTC, to the millisecond.
pub fn utc(at: SystemTime) -> String {
    Utc::of(at).iso()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written_and_tells_each_change_of_a_byte() {
        let mut head = Head::default();
        let mut fields = Map::new();
        fields.insert("why".into(), "a \"quoted\" ö\n".into());
        fields.insert("hash".into(), "not this one".into());
        head.append(SystemTime::now(), "start", &Map::new());
        let before = head;
        let line = head.append(SystemTime::now(), "reading", &fields);
        let line = line.strip_suffix('\n').unwrap().as_bytes();
        let read_again = read(line).unwrap();
        assert_eq!((read_again.head, read_again.prev), (head, before.hash));
        assert_eq!((read_again.head.n, read_again.event.as_str()), (2, "reading"));
        for at in 0..line.len() {
            for bit in 0..8 {
                let mut other = line.to_vec();
                other[at] ^= 1 << bit;
                // The digits of the hash may be written large.
                let same = other.eq_ignore_ascii_case(line) && at > line.len() - 67;
                assert!(same || read(&other).is_err(), "byte {at}, bit {bit}");
            }
        }
        for cut in 0..line.len() {
            assert!(read(&line[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn heads_and_hashes_are_read_as_they_are_printed() {
        let hash = Hash::of(b"abc");
        assert!(hash.to_string().starts_with("ba7816bf"), "FIPS 180-4's own example");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        for wrong in ["", "ba78", &"g".repeat(64), &"é".repeat(32)] {
            assert!(wrong.parse::<Hash>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, told) in [
            (0, "1970-01-01T00:00:00.007Z"),
            (951_782_399, "2000-02-28T23:59:59.007Z"),
            (951_782_400, "2000-02-29T00:00:00.007Z"),
            (1_709_164_800, "2024-02-29T00:00:00.007Z"),
            (1_795_824_000, "2026-11-28T00:00:00.007Z"),
            (4_107_542_400, "2100-03-01T00:00:00.007Z"),
        ] {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_millis(1000 * seconds + 7)), told);
        }
    }
}
