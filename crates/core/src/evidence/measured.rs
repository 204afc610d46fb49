//! The stiffness of the newest map: it lives by the rules of a number, whatever the network says. Pure.

use super::data::{Entry, Standing};
use super::{Evidence, MS};
use crate::stiffness::Stiffness;

/// A map that left the screen so long ago is not the one that a stiffness may be said of: the next one may be
/// drawn or fade in for a moment before it is read.
const CURRENT_NS: u64 = 600 * MS;

/// A map that was asked for, and what was read off it, whatever the network said.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) entry: Entry,
    read: bool,
    stiffness: Option<Stiffness>,
}

impl Measured {
    pub(super) fn new(entry: Entry) -> Box<Self> {
        Box::new(Self { entry, read: false, stiffness: None })
    }
}

impl Evidence {
    /// Tells whether the map that was counted or refused last is still to be read.
    pub fn awaits_stiffness(&self) -> bool {
        self.measured.as_ref().is_some_and(|measured| !measured.read)
    }

    /// Takes what was read off the map that was counted or refused last; `None` where nothing could be.
    pub fn read(&mut self, stiffness: Option<Stiffness>) {
        if let Some(measured) = &mut self.measured {
            measured.stiffness = stiffness;
            measured.read = true;
        }
    }

    /// The stiffness of the map that was asked for last, while it is on the screen (or was a moment ago) and
    /// the last picture supports it.
    pub fn stiffness(&self) -> Option<Stiffness> {
        let measured = self.measured.as_ref()?;
        let current = self.at_ns.saturating_sub(measured.entry.seen_ns) <= CURRENT_NS;
        let tracking = self.standing == Standing::Tracking;
        measured.stiffness.filter(|_| tracking && current && measured.entry.supported)
    }
}
