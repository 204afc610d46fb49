//! A snapshot: the picture with its panel, the two crops, and what was read, masked. On the writer's thread.

use std::sync::Arc;

use image::{ExtendedColorType, ImageEncoder, RgbImage, codecs::png::PngEncoder, imageops};
use sonofuse_core::frame::Frame;
use sonofuse_core::layout::{Finder, ScreenLayout};
use sonofuse_core::mask::{Cover, Masker};
use sonofuse_core::reading::{Reading, Withheld};
use sonofuse_core::region::Region;

use super::store::{Part, StoreError};
use super::write::Written;
use crate::panel::trend::Trend;
use crate::panel::{self, Canvas, Looking, PanelState};

const PICTURE: &str = "picture.png";
const BMODE: &str = "bmode.png";
const ELASTOGRAM: &str = "elastogram.png";

/// A moment that is kept.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// The picture, as it was captured.
    pub(super) frame: Frame,
    pub(super) trend: Trend,
    /// What is black whatever it shows.
    pub(super) cover: Arc<Cover>,
    /// When it was asked for, ns of the monotonic clock.
    pub(super) now_ns: u64,
    /// The explanation that stood on the panel.
    pub(super) looking: Option<Looking>,
}

impl Snapshot {
    /// What it will take on the disk at the most, near enough.
    pub(super) fn bytes(&self) -> u64 {
        u64::from(self.frame.width()) * u64::from(self.frame.height()) * 5 + (64 << 10)
    }

    /// Writes it.
    pub(super) fn write(
        &self,
        part: &Part,
        reading: Option<&Reading>,
        max_age_ms: u64,
    ) -> Result<Written<'_>, StoreError> {
        let frame = &self.frame;
        let layout = reading.and_then(|reading| proven(frame, reading));
        let mut masker = Masker::default();
        masker.cover(&self.cover);
        let masked = masker.mask(frame, layout.as_ref(), self.now_ns);
        let rgb = masker.rgb(frame);
        let (width, height) = (frame.width(), frame.height());
        let blank = || RgbImage::new(width, height);
        let picture = RgbImage::from_raw(width, height, rgb).unwrap_or_else(blank);

        // Its pictures are not masked.
        let looking = self.looking.clone().map(Looking::bare);
        let state = PanelState::at(reading, &self.trend, self.now_ns, max_age_ms).looking(looking);
        let looking = self.looking.as_ref().filter(|_| state.looking.is_some());
        let explained = looking.map(|looking| &looking.looked().explained);
        let Canvas { strip, .. } = Canvas::new(width, height);
        let tile = panel::draw(&state, strip.width(), strip.height());
        let masked_frame = Frame::from_rgb(width, height, picture.as_raw().clone());
        // Of the size that the frame has: it cannot fail, and a card would not hurt.
        let whole = masked_frame.map_or_else(|_| blank(), |frame| panel::put(&frame, &tile));
        part.write(PICTURE, &png(&whole))?;
        let mut files = vec![PICTURE];
        if let Some((layout, shown)) = layout.zip(masked.shown) {
            for (file, region, view) in [
                (BMODE, layout.bmode_box, shown.bmode),
                (ELASTOGRAM, layout.elastogram_box, shown.elastogram),
            ] {
                if let Some(crop) = region.intersect(&view) {
                    part.write(file, &png(&cut(&picture, &crop)))?;
                    files.push(file);
                }
            }
        }
        Ok(Written { files, mask: masked.into(), clip: None, explained })
    }
}

/// Where the views are on the frame that the reading is of. While scoring is paused nobody looked: then
/// the whole picture is searched.
fn proven(frame: &Frame, reading: &Reading) -> Option<ScreenLayout> {
    let meta = frame.meta();
    let of_it = reading.size.is_some()
        && (reading.sequence, reading.captured_ns) == (meta.sequence, meta.captured_ns);
    if !of_it || meta.corrupted || meta.signal_lost {
        return None;
    }
    if reading.reason == Some(Withheld::Paused) {
        return Finder::new().find(frame).ok();
    }
    reading.layout
}

fn cut(picture: &RgbImage, region: &Region) -> RgbImage {
    let (x, y) = (region.x0(), region.y0());
    imageops::crop_imm(picture, x, y, region.width(), region.height()).to_image()
}

fn png(image: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new(&mut bytes);
    // Into memory, of a buffer that has its size: it cannot fail.
    let _ = encoder.write_image(image, image.width(), image.height(), ExtendedColorType::Rgb8);
    bytes
}
