//! From many looks to one word: a fault is told when most of the last looks that could tell agree,
//! and is taken back when few do. Pure.

/// Looks that count.
const LAST: u32 = 8;
/// Of those, how many make a fault, and how few take it back.
const RAISE: u32 = 6;
const LOWER: u32 = 2;

/// The last looks at one fault.
#[derive(Debug, Default)]
pub(super) struct Votes {
    /// One bit a look, the newest lowest.
    yes: u8,
    looks: u32,
    raised: bool,
}

impl Votes {
    /// Takes a look's answer; `None` where it cannot tell.
    pub(super) fn add(&mut self, answer: Option<bool>) {
        if let Some(yes) = answer {
            self.yes = self.yes << 1 | u8::from(yes);
            self.looks = (self.looks + 1).min(LAST);
        }
    }

    /// Whether the fault is there; of a still its only look decides.
    pub(super) fn verdict(&mut self, still: bool) -> bool {
        let yes = self.yes.count_ones();
        if still {
            return self.yes & 1 == 1;
        }
        if self.raised {
            self.raised = self.looks < LAST || yes > LOWER;
        } else {
            self.raised = yes >= RAISE;
        }
        self.raised
    }
}

/// How long something that happens now and then is remembered.
const MEMORY_NS: u64 = 10_000_000_000;
/// Two that are nearer than this are one.
const APART_NS: u64 = 150_000_000;

/// Something that shows only now and then: twice within ten seconds makes a fault.
#[derive(Debug, Default)]
pub(super) struct Events {
    last_ns: Option<u64>,
    before_ns: Option<u64>,
}

impl Events {
    pub(super) fn add(&mut self, at_ns: u64) {
        match self.last_ns {
            Some(last) if at_ns >= last && at_ns - last < APART_NS => {}
            _ => self.before_ns = self.last_ns.replace(at_ns),
        }
    }

    /// Whether it happened twice lately; in a still once.
    pub(super) fn are_many(&self, now_ns: u64, still: bool) -> bool {
        let lately = |at: Option<u64>| at.is_some_and(|at| now_ns.saturating_sub(at) <= MEMORY_NS);
        lately(self.last_ns) && (still || lately(self.before_ns))
    }
}
