//! Pictures that are none of the training set's: its own crops with what a scanner of the set does not
//! do, and textures, noise and heat maps that no scanner makes. Licence-free, because all are computed.
//!
//! They need not look like what will be refused one day; they surround the training set, so that the
//! network learns where it ends.

use bytes::Bytes;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_pcg::Pcg64Mcg;
use sonofuse_core::frame::{Frame, FrameError, FrameFormat, FrameMeta, PixelFormat};
use sonofuse_core::region::Region;

use super::plane::{Plane, even_log, field, normal};

mod grey;
mod map;

/// Longest side of a made picture, px: statistics are measured in tiles, more would only take time.
const SIDE_PX: u32 = 224;

/// A picture of three channels, each like the B-mode's one.
pub(super) type Colours = [Plane; 3];

/// Makes a strange B-mode and a strange map from the crops of a picture.
///
/// # Errors
/// [`FrameError`] when a crop is empty.
pub(super) fn make(
    frame: &Frame,
    [bmode, map]: [&Region; 2],
    rng: &mut Pcg64Mcg,
) -> Result<[Frame; 2], FrameError> {
    let colours = window(frame, bmode, rng);
    let [r, g, b] = &colours;
    let luma = Plane::of(r.width, r.height, |i| {
        0.3 * r.values[i] + 0.59 * g.values[i] + 0.11 * b.values[i]
    });
    let strange = grey::strange(luma, rng);
    let strange_map = map::strange(window(frame, map, rng), rng);
    Ok([frame_of(&[&strange; 3])?, frame_of(&strange_map.each_ref())?])
}

/// A part of a crop, at most [`SIDE_PX`] wide and high.
fn window(frame: &Frame, crop: &Region, rng: &mut Pcg64Mcg) -> Colours {
    let [width, height] = [crop.width(), crop.height()].map(|side| side.min(SIDE_PX));
    let x0 = crop.x0() + rng.random_range(0..=crop.width() - width);
    let y0 = crop.y0() + rng.random_range(0..=crop.height() - height);
    let mut row = vec![[0u8; 3]; width as usize];
    let mut values = [const { Vec::new() }; 3];
    for y in y0..y0 + height {
        frame.rgb_span(y, x0, &mut row);
        for pixel in &row {
            for (plane, v) in values.iter_mut().zip(pixel) {
                plane.push(f32::from(*v));
            }
        }
    }
    values.map(|values| Plane { width: width as usize, height: height as usize, values })
}

fn frame_of([r, g, b]: &[&Plane; 3]) -> Result<Frame, FrameError> {
    let code = |v: f32| v.clamp(0.0, 255.0) as u8;
    let pixels = r.values.iter().zip(&g.values).zip(&b.values);
    let bytes: Vec<u8> = pixels.flat_map(|((r, g), b)| [code(*r), code(*g), code(*b)]).collect();
    let format = FrameFormat::packed(PixelFormat::Rgb, r.width as u32, r.height as u32);
    Frame::new(format, FrameMeta::default(), Bytes::from(bytes))
}

/// How many changes a picture gets: one, or up to three.
fn changes(rng: &mut Pcg64Mcg) -> usize {
    if rng.random_bool(0.4) { 1 } else { rng.random_range(2..=3) }
}

fn either(rng: &mut Pcg64Mcg, a: f32, b: f32) -> f32 {
    if rng.random() { a } else { b }
}
