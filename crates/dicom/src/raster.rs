//! Picture files to packed RGB, within the limits of the crate. Runs on the caller's thread.

use std::io::{BufRead, BufReader, Cursor};

use image::codecs::bmp::BmpDecoder;
use image::codecs::gif::GifDecoder;
use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::tiff::TiffDecoder;
use image::codecs::webp::WebPDecoder;
use image::error::ImageError;
use image::metadata::Orientation;
use image::{AnimationDecoder, DynamicImage, ImageDecoder, Limits};
use sonofuse_core::frame::{Frame, FrameFormat};

use crate::error::check_size;
use crate::exif;
use crate::jpeg::{self, Anatomy};
use crate::lossless::{self, LOSSLESS};
use crate::source::Source;
use crate::tiff;
use crate::{Kind, MAX_PIXELS, StillError};

/// Decodes the picture of a file that is of `kind`, upright where the file says how it was turned.
pub(crate) fn read(kind: Kind, mut source: Source) -> Result<Frame, StillError> {
    let fail = |e: ImageError| failure(kind, &e);
    match kind {
        Kind::Png => {
            let mut source = BufReader::new(source);
            let head = source.fill_buf().map_err(StillError::Read)?;
            if let Some(words) = crate::foreign(head) {
                return Err(StillError::Unsupported(words));
            }
            let decoder = PngDecoder::with_limits(source, limits()).map_err(fail)?;
            if decoder.is_apng().map_err(fail)? {
                return Err(animation(kind));
            }
            decode(kind, decoder, true)
        }
        Kind::Bmp => decode(kind, BmpDecoder::new(BufReader::new(source)).map_err(fail)?, true),
        Kind::Tiff => {
            if tiff::has_more_pages(&mut source) {
                return Err(StillError::Unsupported(
                    "is a TIFF of several pictures, which is not read: save each as PNG, or all as \
                     a video (MKV, MP4)"
                        .to_owned(),
                ));
            }
            decode(kind, TiffDecoder::new(BufReader::new(source)).map_err(fail)?, true)
        }
        Kind::WebP => {
            let decoder = WebPDecoder::new(BufReader::new(source)).map_err(fail)?;
            if decoder.has_animation() {
                return Err(animation(kind));
            }
            decode(kind, decoder, true)
        }
        Kind::Gif => gif(BufReader::new(source)),
        Kind::Jpeg => {
            let bytes = source.rest().map_err(StillError::Read)?;
            jpeg_bytes(&bytes, None, true)
        }
        Kind::Dicom => Err(StillError::Unsupported("is no picture file".to_owned())),
    }
}

fn animation(kind: Kind) -> StillError {
    StillError::Unsupported(format!(
        "is a moving {}, which is not read: save one picture as PNG, or all as a video (MKV, MP4)",
        kind.as_str()
    ))
}

fn gif(source: BufReader<Source>) -> Result<Frame, StillError> {
    let fail = |e: ImageError| failure(Kind::Gif, &e);
    let mut decoder = GifDecoder::new(source).map_err(fail)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    decoder.set_limits(limits()).map_err(fail)?;
    let mut frames = decoder.into_frames();
    let first = frames
        .next()
        .unwrap_or_else(|| Err(ImageError::IoError(std::io::ErrorKind::UnexpectedEof.into())))
        .map_err(fail)?;
    if matches!(frames.next(), Some(Ok(_))) {
        return Err(animation(Kind::Gif));
    }
    let picture = DynamicImage::from(first.into_buffer());
    Ok(Frame::from_rgb(picture.width(), picture.height(), over_black(picture))?)
}

/// Decodes a JPEG held in memory. One that stops before its end is an error: the decoder would fill
/// the rest with grey, and grey is a picture. `rgb` is what a header around it says of its colours;
/// `upright` turns it as its EXIF says.
pub(crate) fn jpeg_bytes(
    bytes: &[u8],
    rgb: Option<bool>,
    upright: bool,
) -> Result<Frame, StillError> {
    let anatomy = Anatomy::of(bytes);
    if anatomy.end.is_none() {
        return Err(StillError::Truncated("the JPEG data stops before its end marker".into()));
    }
    check_jpeg(&anatomy)?;
    let bytes = jpeg::for_decoder(bytes, &anatomy, rgb);
    let size = (u32::from(anatomy.width), u32::from(anatomy.height));
    if anatomy.process == LOSSLESS {
        let samples = lossless::samples(&bytes, &anatomy)?;
        return lossless_rgb(size, samples, &anatomy);
    }
    let decoder = JpegDecoder::new(Cursor::new(&bytes)).map_err(|e| failure(Kind::Jpeg, &e))?;
    if anatomy.components.len() == 4 {
        let mut decoder = decoder;
        let turned = exif::orientation(&mut decoder);
        let rgb = lossless::cmyk(&bytes, &anatomy)?;
        let picture = image::RgbImage::from_raw(size.0, size.1, rgb).map(DynamicImage::from);
        let mut picture = picture.ok_or_else(|| StillError::Damaged {
            kind: Kind::Jpeg,
            cause: "its scans do not make its picture".to_owned(),
        })?;
        if upright {
            picture.apply_orientation(turned);
        }
        return Ok(Frame::from_rgb(picture.width(), picture.height(), over_black(picture))?);
    }
    decode(Kind::Jpeg, decoder, upright)
}

/// Refuses what no decoder here reads, by name, and sizes beyond the limits.
pub(crate) fn check_jpeg(anatomy: &Anatomy) -> Result<(), StillError> {
    check_size(u32::from(anatomy.width), u32::from(anatomy.height))?;
    let unread = match anatomy.process {
        0xC0..=0xC2 if anatomy.precision == 8 => return Ok(()),
        LOSSLESS => return Ok(()),
        0xC0..=0xC2 => format!("a JPEG of {} bits a sample", anatomy.precision),
        0xF7 => "JPEG-LS".to_owned(),
        process => format!("a JPEG of process {process:#04x} (hierarchical or arithmetic coding)"),
    };
    Err(StillError::Unsupported(format!(
        "holds {unread}, which is not read: save it as PNG, or export it uncompressed"
    )))
}

/// The samples of a lossless JPEG file as 8-bit RGB.
fn lossless_rgb(
    (width, height): (u32, u32),
    samples: Vec<u8>,
    anatomy: &Anatomy,
) -> Result<Frame, StillError> {
    let shift = anatomy.precision.saturating_sub(8);
    let bytes: Vec<u8> = if shift > 0 {
        samples.as_chunks().0.iter().map(|w| (u16::from_le_bytes(*w) >> shift) as u8).collect()
    } else {
        samples
    };
    let rgb = if anatomy.components.len() == 1 {
        bytes.into_iter().flat_map(|v| [v; 3]).collect()
    } else {
        bytes
    };
    Ok(Frame::from_rgb(width, height, rgb)?)
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(FrameFormat::MAX_SIDE_PX);
    limits.max_image_height = Some(FrameFormat::MAX_SIDE_PX);
    // 16-bit RGBA is the widest that a PNG decodes to.
    limits.max_alloc = Some(MAX_PIXELS * 8 + (16 << 20));
    limits
}

fn decode(kind: Kind, mut decoder: impl ImageDecoder, upright: bool) -> Result<Frame, StillError> {
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    decoder.set_limits(limits()).map_err(|e| failure(kind, &e))?;
    let turned = if upright { exif::orientation(&mut decoder) } else { Orientation::NoTransforms };
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|e| failure(kind, &e))?;
    picture.apply_orientation(turned);
    Ok(Frame::from_rgb(picture.width(), picture.height(), over_black(picture))?)
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
            "is a {} file that would need too much memory or is too large: {e}; a side may have {} px at the most",
            kind.as_str(),
            FrameFormat::MAX_SIDE_PX
        )),
        ImageError::Unsupported(e) => StillError::Unsupported(format!(
            "is a {} file of an unread sort: {e}; save it as PNG",
            kind.as_str()
        )),
        other => {
            let cause = other.to_string();
            // What a decoder prints for its own programmers helps nobody.
            let cause = match cause.split_once('{') {
                Some(_) => "its parts contradict the format".to_owned(),
                None => cause,
            };
            StillError::Damaged { kind, cause }
        }
    }
}
