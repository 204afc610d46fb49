//! The two views of a picture, where this very picture proves them. Pure.

use crate::frame::Frame;
use crate::layout::{Follower, Pins, ScreenLayout};

/// Follows the views from picture to picture, for whoever may show nothing else of them. Holds buffers.
#[derive(Debug)]
pub struct Prover {
    follower: Follower,
    pins: Option<Pins>,
    generation: u32,
}

impl Prover {
    /// Begins with what is pinned.
    pub fn new(pins: Option<Pins>) -> Self {
        Self { follower: Follower::new(pins), pins, generation: 0 }
    }

    /// Follows by other pins from now on, where they are others.
    pub fn pin(&mut self, pins: Option<Pins>) {
        if pins != self.pins {
            *self = Self { generation: self.generation, ..Self::new(pins) };
        }
    }

    /// The layout of `frame`; `None` where the frame does not prove it.
    pub fn proven(&mut self, frame: &Frame) -> Option<ScreenLayout> {
        let meta = frame.meta();
        if meta.generation != self.generation {
            self.generation = meta.generation;
            self.follower.reset();
        }
        if meta.corrupted || meta.signal_lost {
            return None;
        }
        let media_ns = meta.pts_ns.unwrap_or(meta.captured_ns);
        let layout = self.follower.observe(frame, media_ns).layout.ok()?;
        self.follower.prove(frame).ok()?;
        Some(layout)
    }
}
