//! Following a layout from frame to frame: a few hundred pixels a frame tell whether the picture
//! still agrees; the whole picture is searched only when it does not.
//!
//! Runs on the caller's thread. One garbled frame does not lose a layout, a moved box is found
//! within [`MISSES_BEFORE_SEARCH`] frames, and a source without a dual view is searched ever more
//! rarely, up to once in [`MAX_PAUSE`] frames.

use super::find::Found;
use super::pinned;
use super::probe::{Scene, Watch};
use super::{Finder, NoDualView, PinnedLayout, ScreenLayout};
use crate::frame::{Frame, PixelFormat};

/// Frames in a row that must disagree before the picture is searched again.
const MISSES_BEFORE_SEARCH: u32 = 2;
/// Frames in a row that may disagree, searches included, before the layout is given up.
const MISSES_BEFORE_LOSS: u32 = 5;
/// Frames between two searches while the map only lost part of its colour.
const SHRINK_PAUSE: u32 = 15;
/// Most frames between two searches while nothing is found.
const MAX_PAUSE: u32 = 32;
/// Frames between two searches at the least when the picture changed as a whole.
const CHANGE_PAUSE: u32 = 2;
/// A search that comes out this near to the layout in force confirms it, in pixels: crops must not
/// jitter.
const SAME_PX: u32 = 3;

/// What was seen on one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// The layout in force, or why there is none.
    pub layout: Result<ScreenLayout, NoDualView>,
    /// Whether the whole picture was searched for it.
    pub searched: bool,
    /// Whether this frame itself agrees with the layout in force. While it does not, the layout is
    /// held over a few frames, and its boxes may show something else.
    pub agrees: bool,
}

/// Follows a layout over time.
#[derive(Debug, Default)]
pub struct Follower {
    finder: Finder,
    pins: Option<PinnedLayout>,
    /// Size and format of the last frame: a change forgets all.
    format: Option<(u32, u32, PixelFormat)>,
    state: State,
}

// One follower lives per source; a box would only cost a pointer chase a frame.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Default)]
enum State {
    #[default]
    Start,
    /// A layout is in force.
    Held { layout: ScreenLayout, watch: Watch, misses: u32, since_search: u32 },
    /// Nothing was found.
    Lost { reason: NoDualView, scene: Scene, since_search: u32, pause: u32 },
}

impl Follower {
    /// Makes a follower; `pins` replace the search.
    pub fn new(pins: Option<PinnedLayout>) -> Self {
        Self { finder: Finder::new(), pins, format: None, state: State::Start }
    }

    /// Forgets what was seen: the next frame is searched.
    pub fn reset(&mut self) {
        self.state = State::Start;
        self.format = None;
    }

    /// Looks at the next frame.
    pub fn observe(&mut self, frame: &Frame) -> Observation {
        if let Some(pins) = &self.pins {
            let layout = pinned::apply(pins, frame);
            return Observation { layout, searched: false, agrees: layout.is_ok() };
        }
        let format = (frame.width(), frame.height(), frame.format().pixel);
        if self.format != Some(format) {
            self.state = State::Start;
            self.format = Some(format);
        }
        match std::mem::take(&mut self.state) {
            State::Start => self.search(frame, 1),
            State::Held { layout, watch, misses, since_search } => {
                self.held(frame, layout, watch, misses, since_search + 1)
            }
            State::Lost { reason, scene, since_search, pause } => {
                let since_search = since_search + 1;
                let due = since_search >= pause
                    || since_search >= CHANGE_PAUSE && scene.differs(&Scene::of(frame));
                if due {
                    return self.search(frame, pause);
                }
                self.state = State::Lost { reason, scene, since_search, pause };
                Observation { layout: Err(reason), searched: false, agrees: false }
            }
        }
    }

    fn held(
        &mut self,
        frame: &Frame,
        layout: ScreenLayout,
        mut watch: Watch,
        misses: u32,
        since_search: u32,
    ) -> Observation {
        let seen = watch.check(frame, &layout);
        let moved = seen.moved;
        if !moved && (!seen.shrunk || since_search < SHRINK_PAUSE) {
            self.state = State::Held { layout, watch, misses: 0, since_search };
            return Observation { layout: Ok(layout), searched: false, agrees: true };
        }
        let misses = if moved { misses + 1 } else { 0 };
        if moved && misses < MISSES_BEFORE_SEARCH {
            self.state = State::Held { layout, watch, misses, since_search };
            return Observation { layout: Ok(layout), searched: false, agrees: false };
        }
        match self.finder.search(frame) {
            Ok(found) => {
                let layout = if same(&found.layout, &layout) { layout } else { found.layout };
                self.take(frame, Found { layout, ..found })
            }
            // The map may be empty for a moment: hold what was there a little longer.
            Err(_) if misses < MISSES_BEFORE_LOSS => {
                self.state = State::Held { layout, watch, misses, since_search: 0 };
                Observation { layout: Ok(layout), searched: true, agrees: !moved }
            }
            Err(reason) => self.lose(frame, reason, 1),
        }
    }

    fn search(&mut self, frame: &Frame, pause: u32) -> Observation {
        match self.finder.search(frame) {
            Ok(found) => self.take(frame, found),
            Err(reason) => self.lose(frame, reason, (pause * 2).min(MAX_PAUSE)),
        }
    }

    fn take(&mut self, frame: &Frame, found: Found) -> Observation {
        let layout = found.layout;
        let watch = Watch::new(frame, &layout, found.tint);
        self.state = State::Held { layout, watch, misses: 0, since_search: 0 };
        Observation { layout: Ok(layout), searched: true, agrees: true }
    }

    fn lose(&mut self, frame: &Frame, reason: NoDualView, pause: u32) -> Observation {
        self.state = State::Lost { reason, scene: Scene::of(frame), since_search: 0, pause };
        Observation { layout: Err(reason), searched: true, agrees: false }
    }
}

/// Tells whether two searches found the same layout, give or take codec noise.
fn same(a: &ScreenLayout, b: &ScreenLayout) -> bool {
    let near = |a: &crate::region::Region, b: &crate::region::Region| {
        a.x0().abs_diff(b.x0()) <= SAME_PX
            && a.y0().abs_diff(b.y0()) <= SAME_PX
            && a.x1().abs_diff(b.x1()) <= SAME_PX
            && a.y1().abs_diff(b.y1()) <= SAME_PX
    };
    near(&a.elastogram_box, &b.elastogram_box) && near(&a.bmode_box, &b.bmode_box)
}
