//! Files as they come: whole, damaged, misnamed, hostile.

use std::fs;
use std::path::PathBuf;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat};
use tempfile::TempDir;

use super::error::check_size;
use super::*;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

fn rgb_at(frame: &Frame, x: u32, y: u32) -> [u8; 3] {
    let mut out = [[0; 3]];
    frame.rgb_span(y, x, &mut out);
    out[0]
}

/// A gradient that differs in every channel and corner.
fn picture(width: u32, height: u32) -> DynamicImage {
    image::RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, (x + y) as u8]))
        .into()
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[test]
fn every_png_colour_type_and_depth_becomes_rgb() {
    let folder = Folder::new();
    let rgb = picture(37, 23);
    let cases = [
        ("rgb8", rgb.clone()),
        ("rgb16", rgb.to_rgb16().into()),
        ("rgba8", rgb.to_rgba8().into()),
        ("rgba16", rgb.to_rgba16().into()),
        ("grey8", rgb.to_luma8().into()),
        ("grey16", rgb.to_luma16().into()),
        ("grey-alpha", rgb.to_luma_alpha8().into()),
    ];
    for (name, picture) in cases {
        let path = folder.file(name, &encoded(&picture, ImageFormat::Png));
        let frame = read(&path).unwrap();
        assert_eq!((frame.width(), frame.height()), (37, 23), "{name}");
        assert_eq!(rgb_at(&frame, 36, 22), picture.to_rgb8().get_pixel(36, 22).0, "{name}");
    }
}

#[test]
fn what_is_transparent_is_black_like_the_screen() {
    let folder = Folder::new();
    let clear = image::RgbaImage::from_pixel(4, 4, image::Rgba([255, 255, 255, 0]));
    let path = folder.file("a.png", &encoded(&clear.into(), ImageFormat::Png));
    assert_eq!(rgb_at(&read(&path).unwrap(), 2, 2), [0; 3]);
}

#[test]
fn odd_and_tiny_sizes_are_frames() {
    let folder = Folder::new();
    for (width, height) in [(1, 1), (1, 7), (1437, 1079)] {
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let path = folder.file("odd", &encoded(&picture(width, height), format));
            let frame = read(&path).unwrap();
            assert_eq!((frame.width(), frame.height()), (width, height));
        }
    }
}

#[test]
fn the_content_decides_and_not_the_name() {
    let folder = Folder::new();
    let path = folder.file("really-a-jpeg.png", &encoded(&picture(8, 8), ImageFormat::Jpeg));
    assert_eq!(sniff(&path).unwrap(), Some(Kind::Jpeg));
    assert_eq!(Still::open(&path).unwrap().kind(), Kind::Jpeg);
    let path = folder.file("not-an-image.png", b"Dear colleague, thank you for referring");
    assert_eq!(sniff(&path).unwrap(), None);
    assert!(matches!(read(&path), Err(StillError::Unrecognised { .. })));
}

#[test]
fn what_is_no_file_is_refused_before_it_can_block() {
    let folder = Folder::new();
    assert!(matches!(read(folder.0.path()), Err(StillError::NotAFile)));
    assert!(matches!(read(Path::new("/dev/zero")), Err(StillError::NotAFile)));
    assert!(matches!(read(&folder.0.path().join("gone.png")), Err(StillError::Open(_))));
    assert!(matches!(read(&folder.file("empty.png", b"")), Err(StillError::Empty)));
}

#[test]
fn a_png_cut_anywhere_is_an_error() {
    let folder = Folder::new();
    let whole = encoded(&picture(64, 48), ImageFormat::Png);
    // The last 12 bytes are the IEND chunk, which holds no picture.
    for cut in (1..whole.len() - 12).step_by(37) {
        let error = read(&folder.file("cut.png", &whole[..cut]));
        assert!(error.is_err(), "{cut} of {} bytes gave a frame", whole.len());
    }
}

#[test]
fn a_jpeg_cut_anywhere_is_an_error_and_never_grey_filling() {
    let folder = Folder::new();
    for progressive in [false, true] {
        let whole = if progressive {
            PROGRESSIVE_JPEG.to_vec()
        } else {
            encoded(&picture(64, 48), ImageFormat::Jpeg)
        };
        assert!(read(&folder.file("whole.jpg", &whole)).is_ok());
        for cut in (1..whole.len()).step_by(13) {
            let error = read(&folder.file("cut.jpg", &whole[..cut]));
            assert!(error.is_err(), "{cut} of {} bytes gave a frame", whole.len());
        }
    }
}

/// A red to blue gradient.
const PROGRESSIVE_JPEG: &[u8] = include_bytes!("../tests/progressive.jpg");

#[test]
fn flipped_bytes_end_in_a_frame_or_an_error() {
    let folder = Folder::new();
    for format in [ImageFormat::Png, ImageFormat::Jpeg] {
        let whole = encoded(&picture(40, 30), format);
        for at in 0..whole.len().min(700) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            // Either is right; what must not happen is a panic or an endless loop.
            let _ = read(&folder.file("flipped", &bytes));
        }
    }
}

/// A PNG header that claims a size, followed by little.
fn png_claiming(width: u32, height: u32) -> Vec<u8> {
    let mut small = encoded(&picture(1, 1), ImageFormat::Png);
    small[16..20].copy_from_slice(&width.to_be_bytes());
    small[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = crc32(&small[12..29]);
    small[29..33].copy_from_slice(&crc.to_be_bytes());
    small
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &b| {
        (0..8).fold(crc ^ u32::from(b), |c, _| (c >> 1) ^ (0xEDB8_8320 & (c & 1).wrapping_neg()))
    })
}

#[test]
fn a_decompression_bomb_is_refused_by_its_header() {
    let folder = Folder::new();
    let cases =
        [(30_000, 30_000), (16_384, 16_384), (u32::MAX >> 1, 1), (16_385, 1), (65_535, 65_535)];
    for (width, height) in cases {
        let error = read(&folder.file("bomb.png", &png_claiming(width, height))).unwrap_err();
        assert!(
            matches!(error, StillError::Size { .. } | StillError::Unsupported(_)),
            "{width}×{height}: {error}"
        );
    }
    // A real one: 16384×2048 px of one colour compress to next to nothing, and are allowed.
    assert!(check_size(16_384, 2_025).is_ok());
    assert!(check_size(16_384, 2_026).is_err());
}

#[test]
fn a_grey_jpeg_is_grey() {
    let folder = Folder::new();
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 95)
        .write_image(&[200; 64], 8, 8, ExtendedColorType::L8)
        .unwrap();
    let frame = read(&folder.file("grey.jpg", &bytes)).unwrap();
    assert_eq!(rgb_at(&frame, 3, 3), [200; 3]);
}

mod colours;
mod dicom;
mod pictures;
mod strays;
