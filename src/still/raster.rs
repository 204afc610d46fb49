//! PNG and JPEG to packed RGB, within the limits of [`super`]. Runs on the caller's thread.

use std::fs::File;
use std::io::{BufReader, Cursor, Read};

use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::PngDecoder;
use image::error::ImageError;
use image::{DynamicImage, ImageDecoder, Limits};
use sonofuse_core::frame::{Frame, FrameFormat};

use super::{Kind, MAX_PIXELS, StillError, check_size};

/// Decodes a PNG of any colour type and depth.
pub(super) fn png(file: File) -> Result<Frame, StillError> {
    let decoder = PngDecoder::with_limits(BufReader::new(file), limits())
        .map_err(|e| failure(Kind::Png, &e))?;
    decode(Kind::Png, decoder)
}

/// Decodes a baseline or progressive JPEG.
pub(super) fn jpeg(mut file: File) -> Result<Frame, StillError> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(StillError::Read)?;
    jpeg_bytes(&bytes)
}

/// Decodes a JPEG held in memory. One that stops before its end is an error: the decoder would fill
/// the rest with grey, and grey is a picture.
pub(super) fn jpeg_bytes(bytes: &[u8]) -> Result<Frame, StillError> {
    if !is_complete_jpeg(bytes) {
        return Err(StillError::Truncated("the JPEG data stops before its end marker".into()));
    }
    let decoder = JpegDecoder::new(Cursor::new(bytes)).map_err(|e| failure(Kind::Jpeg, &e))?;
    decode(Kind::Jpeg, decoder)
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(FrameFormat::MAX_SIDE_PX);
    limits.max_image_height = Some(FrameFormat::MAX_SIDE_PX);
    // 16-bit RGBA is the widest that a PNG decodes to.
    limits.max_alloc = Some(MAX_PIXELS * 8 + (16 << 20));
    limits
}

fn decode(kind: Kind, mut decoder: impl ImageDecoder) -> Result<Frame, StillError> {
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    decoder.set_limits(limits()).map_err(|e| failure(kind, &e))?;
    let picture = DynamicImage::from_decoder(decoder).map_err(|e| failure(kind, &e))?;
    Ok(Frame::from_rgb(width, height, over_black(picture))?)
}

/// Lays the picture on black, as a scanner's screen is, and drops what lies beyond 8 bits.
fn over_black(picture: DynamicImage) -> Vec<u8> {
    if !picture.color().has_alpha() {
        return picture.into_rgb8().into_raw();
    }
    let rgba = picture.into_rgba8();
    let mut rgb = Vec::with_capacity(rgba.len() / 4 * 3);
    for &[r, g, b, a] in rgba.as_chunks::<4>().0 {
        let lit = |v: u8| ((u16::from(v) * u16::from(a) + 127) / 255) as u8;
        rgb.extend([lit(r), lit(g), lit(b)]);
    }
    rgb
}

/// Names the failure in the terms of [`StillError`].
fn failure(kind: Kind, error: &ImageError) -> StillError {
    match error {
        ImageError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            StillError::Truncated(format!("the {} data stops too early", kind.as_str()))
        }
        ImageError::IoError(e) => StillError::Damaged { kind, cause: e.to_string() },
        ImageError::Limits(e) => StillError::Unsupported(format!(
            "is a {} file that would need too much memory or is too large: {e}",
            kind.as_str()
        )),
        ImageError::Unsupported(e) => {
            StillError::Unsupported(format!("is a {} file of an unread sort: {e}", kind.as_str()))
        }
        other => StillError::Damaged { kind, cause: other.to_string() },
    }
}

/// Walks a JPEG's segments and scans, and tells whether its end marker is there.
fn is_complete_jpeg(bytes: &[u8]) -> bool {
    const SOS: u8 = 0xDA;
    const EOI: u8 = 0xD9;
    let mut at = 2;
    loop {
        // Next marker: in scan data, `FF 00` is a data byte and `FF D0..D7` a restart.
        let Some(found) = bytes.get(at..).and_then(|rest| {
            rest.windows(2).position(|w| w[0] == 0xFF && !matches!(w[1], 0 | 0xFF | 0xD0..=0xD7))
        }) else {
            return false;
        };
        at += found;
        match bytes[at + 1] {
            EOI => return true,
            // TEM and a second SOI have no length.
            0x01 | 0xD8 => at += 2,
            marker => {
                let Some(&[hi, lo]) = bytes.get(at + 2..at + 4) else {
                    return false;
                };
                // A scan's header has a length too; its data is skipped by the search above.
                let len = usize::from(u16::from_be_bytes([hi, lo]));
                at += 2 + if marker == SOS { len.max(2) } else { len };
            }
        }
    }
}
