//! Picture and panel on one canvas, as a still: for snapshots and recordings. Pure but for
//! [`write_png`]. The display does the same in the video's own format (`strip`).

use std::path::{Path, PathBuf};

use image::RgbImage;
use sonofuse_core::frame::Frame;
use sonofuse_core::reading::Reading;
use sonofuse_core::region::Region;
use thiserror::Error;

use super::trend::Trend;
use super::{Canvas, Card, PanelState, Tile, card, draw};

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

/// Puts `frame` and the panel for `state` on one canvas.
pub fn compose(frame: &Frame, state: &PanelState) -> RgbImage {
    let Canvas { strip, .. } = Canvas::new(frame.width(), frame.height());
    put(frame, &draw(state, strip.width(), strip.height()))
}

/// Puts `frame` and a panel that was drawn for its canvas together.
pub fn put(frame: &Frame, panel: &Tile) -> RgbImage {
    let canvas = Canvas::new(frame.width(), frame.height());
    let mut image = RgbImage::new(canvas.width, canvas.height);
    let width = frame.width() as usize;
    let mut row = vec![[0u8; 3]; width];
    let stride = canvas.width as usize * 3;
    for (y, out) in (0..frame.height()).zip(image.chunks_exact_mut(stride)) {
        frame.rgb_span(y, 0, &mut row);
        out[..width * 3].copy_from_slice(row.as_flattened());
    }
    lay(&mut image, panel, &canvas.strip);
    image
}

/// Puts a card in the place of a picture of `size`, and the panel for `state` beside it.
pub fn compose_card([width, height]: [u32; 2], what: Card, state: &PanelState) -> RgbImage {
    let canvas = Canvas::new(width, height);
    let mut image = RgbImage::new(canvas.width, canvas.height);
    lay(&mut image, &card(canvas.image.width(), canvas.image.height(), what), &canvas.image);
    let strip = &canvas.strip;
    lay(&mut image, &draw(state, strip.width(), strip.height()), strip);
    image
}

/// Lays a tile of the region's size onto the picture.
fn lay(image: &mut RgbImage, tile: &Tile, place: &Region) {
    let stride = image.width() as usize * 3;
    let rows = image.chunks_exact_mut(stride).skip(place.y0() as usize);
    for (out, from) in rows.zip(tile.rgba().chunks_exact(tile.width() as usize * 4)) {
        let out = out[place.x0() as usize * 3..].chunks_exact_mut(3);
        for (o, p) in out.zip(from.chunks_exact(4)) {
            o.copy_from_slice(&p[..3]);
        }
    }
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
