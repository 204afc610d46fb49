//! A picture with its panel as a JPEG, on its way from who encodes it to who sends it. Pure.
//!
//! Whoever looks says when it has room for another one ([`Look::want`]); while nobody has, nothing is composed
//! or encoded. The newest wins: one that was not taken is replaced, and one that was made before somebody
//! had room is not shown to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::watch;

/// A rectangle, pixels of the JPEG.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Left side.
    pub x: u32,
    /// Upper side.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

/// A size in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

/// What is where on a JPEG.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Geometry {
    /// Width of the JPEG, pixels.
    pub width: u32,
    /// Height of the JPEG, pixels.
    pub height: u32,
    /// The scanner's picture within it.
    pub picture: Place,
    /// The scanner's picture in its own pixels.
    pub screen: Size,
    /// All but the proven views is black.
    pub masked: bool,
    /// What stands in the picture's place (`no-signal`, `not-shown`); null: the picture.
    pub card: Option<&'static str>,
}

/// A JPEG and what is where on it.
#[derive(Debug)]
pub struct Shot {
    /// The file's bytes.
    pub jpeg: Bytes,
    /// What is where.
    pub geometry: Geometry,
}

/// Where JPEGs go; cheap to share.
#[derive(Debug)]
pub struct Shots {
    newest: watch::Sender<Option<Arc<Shot>>>,
    wanted: AtomicUsize,
}

impl Default for Shots {
    fn default() -> Self {
        Self { newest: watch::Sender::new(None), wanted: AtomicUsize::new(0) }
    }
}

impl Shots {
    /// Whether anybody has room for a picture.
    pub fn wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire) > 0
    }

    /// Shows one to all who look. Never waits.
    pub fn show(&self, shot: Shot) {
        self.newest.send_replace(Some(Arc::new(shot)));
    }

    /// Begins to look; has no room yet.
    pub fn look(self: &Arc<Self>) -> Look {
        Look { shots: Arc::clone(self), newest: self.newest.subscribe(), wants: false }
    }
}

/// Somebody who looks.
#[derive(Debug)]
pub struct Look {
    shots: Arc<Shots>,
    newest: watch::Receiver<Option<Arc<Shot>>>,
    wants: bool,
}

impl Look {
    /// Has room for a picture from now on, or has none.
    pub fn want(&mut self, wants: bool) {
        if self.wants == wants {
            return;
        }
        self.wants = wants;
        if wants {
            // What was made meanwhile may be old.
            self.newest.mark_unchanged();
            self.shots.wanted.fetch_add(1, Ordering::AcqRel);
        } else {
            self.shots.wanted.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// The next one that is made; none comes while nothing is wanted. Cancel safe.
    pub async fn next(&mut self) -> Arc<Shot> {
        loop {
            if !self.wants || self.newest.changed().await.is_err() {
                // Whoever looks goes on by other reasons.
                std::future::pending::<()>().await;
            }
            if let Some(shot) = self.newest.borrow_and_update().as_ref() {
                return Arc::clone(shot);
            }
        }
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        self.want(false);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn shot(byte: u8) -> Shot {
        let size = Size { width: 1, height: 1 };
        let picture = Place { x: 0, y: 0, width: 1, height: 1 };
        let geometry =
            Geometry { width: 1, height: 1, picture, screen: size, masked: false, card: None };
        Shot { jpeg: Bytes::copy_from_slice(&[byte]), geometry }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_made_before_somebody_had_room_is_not_shown_to_it() {
        let shots = Arc::new(Shots::default());
        let mut look = shots.look();
        assert!(!shots.wanted());
        shots.show(shot(1));
        look.want(true);
        assert!(shots.wanted());
        assert!(tokio::time::timeout(Duration::from_secs(1), look.next()).await.is_err());
        shots.show(shot(2));
        shots.show(shot(3));
        assert_eq!(look.next().await.jpeg[0], 3, "the newest wins");
        look.want(false);
        assert!(!shots.wanted());
        look.want(true);
        drop(look);
        assert!(!shots.wanted(), "who left wants nothing");
    }
}
