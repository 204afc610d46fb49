//! Whether the map on the screen has come to rest, is still being drawn, or never rests. Pure.

use super::MS;
use crate::picture::Look;

/// Two looks this far apart must agree: a map that fades into the next by persistence, or is drawn
/// line by line, changes by more in that time.
const REST_NS: u64 = 200 * MS;

/// Pictures that come further apart than this show each map once: one look is enough.
const SPARSE_NS: u64 = 400 * MS;

/// A map that has not rested for so long never does (strain at video rate).
const RESTLESS_NS: u64 = 1_000 * MS;

/// The map on its way from one to the next.
#[derive(Clone, Debug, Default)]
pub(super) struct Transit {
    /// The look that later ones are compared with, and since when they agree.
    rest: Option<(Look, u64)>,
    /// Since when the map has not rested.
    restless_ns: Option<u64>,
}

/// How the map stands at one picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rest {
    at_ns: u64,
    rested: bool,
    restless: bool,
}

impl Transit {
    /// Takes the look of the next picture, `interval_ns` after the one before; `alone`: the screen
    /// stands still, or there is no other picture.
    pub(super) fn observe(
        &mut self,
        map: &Look,
        at_ns: u64,
        interval_ns: Option<u64>,
        alone: bool,
    ) -> Rest {
        let agrees = |rest: &Look| !rest.map_change(map).is_motion();
        let since_ns = match &mut self.rest {
            Some((rest, since_ns)) if agrees(rest) => *since_ns,
            Some((rest, since_ns)) => {
                rest.clone_from(map);
                *since_ns = at_ns;
                at_ns
            }
            None => {
                self.rest = Some((map.clone(), at_ns));
                at_ns
            }
        };
        let sparse = interval_ns.is_some_and(|interval_ns| interval_ns > SPARSE_NS);
        let rested = alone || sparse || at_ns.saturating_sub(since_ns) >= REST_NS;
        if rested {
            self.restless_ns = None;
        }
        let from_ns = *self.restless_ns.get_or_insert(at_ns);
        Rest { at_ns, rested, restless: at_ns.saturating_sub(from_ns) >= RESTLESS_NS }
    }
}

impl Rest {
    /// Whether the map may be counted, and whether it has settled; `last_ns`: when one was last
    /// counted, `spacing_ns`: between two of a map that never rests.
    pub(super) fn ready(self, last_ns: Option<u64>, spacing_ns: u64) -> Option<bool> {
        let spaced = last_ns.is_none_or(|last_ns| self.at_ns.saturating_sub(last_ns) >= spacing_ns);
        match self {
            Self { rested: true, .. } => Some(true),
            Self { restless: true, .. } if spaced => Some(false),
            _ => None,
        }
    }
}
