//! Why a capture pipeline was given up: the kind of fault, its numbers, and its words. Pure.
//!
//! The journal counts faults by their kind ([`Cause`]): words that hold a changing number are not a
//! cause each.

use std::collections::HashMap;
use std::hash::Hash;

use thiserror::Error;

use super::preset::PresetError;
use crate::journal;

/// Why a session with one pipeline failed; its text goes into states and readings.
#[derive(Debug, Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Preset(#[from] PresetError),
    #[error("GStreamer did not build the source in time")]
    NotBuilt,
    #[error("GStreamer could not start the source")]
    NotStarted,
    #[error("no picture within {limit_ms} ms of connecting")]
    NoFirstPicture { limit_ms: u64 },
    #[error("no picture for {quiet_ms} ms")]
    NoPicture { quiet_ms: u64 },
    #[error("it ended before its first picture")]
    Empty,
    #[error("the stream was ended by its sender")]
    EndedBySender,
    #[error("the pipeline lost its clock")]
    ClockLost,
    #[error("GStreamer closed the message bus")]
    BusClosed,
    /// There is no decoder or demuxer for what comes: which, and its package.
    #[error("{what}")]
    Lacks { what: String },
    /// An element's own words, and what to do where that is known.
    #[error("{speaker}: {words}{}", advice.as_ref().map_or_else(String::new, |a| format!("; {a}")))]
    Element { speaker: String, words: String, advice: Option<String> },
}

/// What one line of the journal is about, without its numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Cause {
    /// One of our own kinds, by its name in the journal.
    Kind(&'static str),
    /// An element, and its words with each number left out.
    Said(String),
    /// Whatever came after [`Counted::MOST`] others.
    Other,
}

impl Cause {
    /// What `speaker` says, however its numbers change.
    pub(super) fn said(speaker: &str, words: &str) -> Self {
        let mut key = format!("{speaker}: ");
        let digit = |c: &char| c.is_ascii_digit();
        for word in words.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
            // "150", "0x7f3a", "video0": the letters around a number go with it.
            match word.find(|c: char| digit(&c)) {
                Some(_) => key.push('#'),
                None => key.push_str(word),
            }
        }
        Self::Said(key)
    }

    /// Its name in the journal's field `CAUSE`.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Kind(name) => name,
            Self::Said(_) => "element",
            Self::Other => "other",
        }
    }
}

impl Fault {
    pub(super) fn cause(&self) -> Cause {
        Cause::Kind(match self {
            Self::Preset(_) => "preset",
            Self::NotBuilt => "not-built",
            Self::NotStarted => "not-started",
            Self::NoFirstPicture { .. } => "no-first-picture",
            Self::NoPicture { .. } => "no-picture",
            Self::Empty => "empty",
            Self::EndedBySender => "ended-by-sender",
            Self::ClockLost => "clock-lost",
            Self::BusClosed => "bus-closed",
            Self::Lacks { .. } => "no-decoder",
            Self::Element { speaker, words, .. } => return Cause::said(speaker, words),
        })
    }

    /// How long there was no picture, where that is the fault.
    pub(super) fn quiet_ms(&self) -> Option<u64> {
        match self {
            Self::NoFirstPicture { limit_ms } => Some(*limit_ms),
            Self::NoPicture { quiet_ms } => Some(*quiet_ms),
            _ => None,
        }
    }
}

/// How often each cause came, so that one does not fill the journal and none goes unsaid.
#[derive(Debug, Default)]
pub(super) struct Counted(HashMap<Cause, u64>);

impl Counted {
    /// Different causes that are told apart; those beyond count together.
    const MOST: usize = 64;

    /// Counts `cause`: how often it came, when that is worth a line (1, 10, 100, …), and the cause
    /// that it was counted under.
    pub(super) fn again(&mut self, cause: Cause) -> Option<(u64, Cause)> {
        let known = self.0.contains_key(&cause) || self.0.len() < Self::MOST;
        let cause = if known { cause } else { Cause::Other };
        let times = self.0.entry(cause.clone()).or_default();
        *times += 1;
        journal::is_worth_a_line(*times).then_some((*times, cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once_and_then_counted_whatever_its_numbers() {
        let mut counted = Counted::default();
        let told: Vec<u64> = (0..1000)
            .filter_map(|n| counted.again(Fault::NoPicture { quiet_ms: 2001 + n }.cause()))
            .map(|(times, _)| times)
            .collect();
        assert_eq!(told, [1, 10, 100, 1000]);
    }

    #[test]
    fn an_elements_words_are_one_cause_with_any_number_in_them() {
        let say = |words: &str| Cause::said("v4l2src (grabber)", words);
        for (one, other) in [
            ("errno 5 after 120 ms", "errno 19 after 7 ms"),
            ("buffer 0x7f3a lost", "buffer 0x55bc lost"),
            ("/dev/video0 is gone", "/dev/video12 is gone"),
        ] {
            assert_eq!(say(one), say(other));
        }
        assert_ne!(say("Device is busy"), say("Unauthorized"));
        assert_ne!(say("gone"), Cause::said("rtspsrc (encoder)", "gone"));
    }

    #[test]
    fn new_causes_are_told_however_many_came_before() {
        let mut counted = Counted::default();
        let letters = |n: u32| {
            format!("{}{}", char::from(b'a' + (n / 26) as u8), char::from(b'a' + (n % 26) as u8))
        };
        let told = (0..200).filter_map(|n| counted.again(Cause::said("x", &letters(n)))).count();
        // Each of the first 64, then 136 others: the 1st, the 10th and the 100th.
        assert_eq!(told, 67);
        assert_eq!(counted.0.len(), Counted::MOST + 1);
        let (times, cause) = (0..864)
            .filter_map(|_| counted.again(Cause::Kind("clock-lost")))
            .last()
            .expect("the thousandth is told");
        assert_eq!((times, cause), (1000, Cause::Other));
    }
}
