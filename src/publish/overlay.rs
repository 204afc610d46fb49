//! What the sonographer sees: the scanner's picture, and a panel in a strip that is added beside or
//! below it.
//!
//! The strip is new canvas: no pixel of the scanner's picture is covered or changed. The panel shows
//! a number only while there is a fresh score; everything else is said in words. Each state has its
//! own word and its own mark, so that no colour has to be told from another. Pure; drawn on whatever
//! thread asks.

use std::path::{Path, PathBuf};

use image::RgbImage;
use sonofuse_core::frame::Frame;
use sonofuse_core::reading::Reading;
use thiserror::Error;

use super::trend::Trend;

mod blocks;
mod canvas;
mod draw;
mod last;
mod panel;
mod state;

pub use canvas::{Canvas, Placement};
pub use draw::Tile;
pub use last::LastSeen;
pub use panel::{card, panel};
pub use state::{Headline, Map, Model, PanelState};

/// Why a picture could not be kept.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// The file could not be written.
    #[error("cannot write the picture {}: is its folder there and writable?", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: image::ImageError,
    },
}

/// Draws the panel anew only when what it says has changed.
#[derive(Debug, Default)]
pub struct Panel {
    drawn: Option<(PanelState, [u32; 2], Tile)>,
    renders: u64,
}

impl Panel {
    /// Returns the tile for `state`, and whether it is another one than last time.
    pub fn tile(&mut self, state: PanelState, width: u32, height: u32) -> (&Tile, bool) {
        let same =
            self.drawn.as_ref().is_some_and(|(s, size, _)| *s == state && *size == [width, height]);
        if !same {
            self.renders += 1;
            let tile = panel(&state, width, height);
            self.drawn = Some((state, [width, height], tile));
        }
        let Some((_, _, tile)) = &self.drawn else { unreachable!("drawn above") };
        (tile, !same)
    }

    /// How often it was drawn.
    pub const fn renders(&self) -> u64 {
        self.renders
    }
}

/// Puts `frame` and the panel for `state` on one canvas.
pub fn compose(frame: &Frame, state: &PanelState) -> RgbImage {
    let format = frame.format();
    let canvas = Canvas::new(format.width, format.height);
    let mut image = RgbImage::new(canvas.width, canvas.height);
    let width = format.width as usize;
    let mut row = vec![[0u8; 3]; width];
    let stride = canvas.width as usize * 3;
    for (y, out) in (0..format.height).zip(image.chunks_exact_mut(stride)) {
        frame.rgb_span(y, 0, &mut row);
        out[..width * 3].copy_from_slice(row.as_flattened());
    }
    let strip = canvas.strip;
    let tile = panel(state, strip.width(), strip.height());
    let rows = image.chunks_exact_mut(stride).skip(strip.y0() as usize);
    for (out, from) in rows.zip(tile.rgba().chunks_exact(tile.width() as usize * 4)) {
        let out = out[strip.x0() as usize * 3..].chunks_exact_mut(3);
        for (o, p) in out.zip(from.chunks_exact(4)) {
            o.copy_from_slice(&p[..3]);
        }
    }
    image
}

/// Draws what the sonographer sees at `now_ns` (the monotonic clock of [`Reading::captured_ns`]):
/// `frame`, and the panel for `reading` if that is younger than `max_age_ms`.
pub fn snapshot(
    frame: &Frame,
    reading: Option<&Reading>,
    now_ns: u64,
    max_age_ms: u64,
) -> RgbImage {
    let mut trend = Trend::default();
    if let Some(reading) = reading {
        trend.observe(reading);
    }
    compose(frame, &PanelState::at(reading, &trend, now_ns, max_age_ms))
}

/// Writes a picture as PNG: under another name first, so that a reader never sees half of it.
///
/// # Errors
/// [`SnapshotError::Write`].
pub fn write_png(image: &RgbImage, path: &Path) -> Result<(), SnapshotError> {
    let failed = |source| SnapshotError::Write { path: path.to_owned(), source };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    let written = image
        .save_with_format(&part, image::ImageFormat::Png)
        .and_then(|()| std::fs::rename(&part, path).map_err(image::ImageError::IoError));
    written.map_err(|error| {
        // What is left of the attempt is of no use; the first error is the one to tell.
        let _ = std::fs::remove_file(&part);
        failed(error)
    })
}
