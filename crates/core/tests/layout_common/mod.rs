//! Real screens as frames, and pictures recomposed from them.

#![allow(clippy::unwrap_used, clippy::doc_markdown, dead_code, unreachable_pub)]

use std::path::Path;

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use sonofuse_core::frame::{
    ColorMatrix, ColorRange, Colorimetry, Frame, FrameFormat, FrameMeta, PixelFormat,
};
use sonofuse_core::region::Region;

/// Where things are on a picture.
#[derive(Clone, Copy, Debug)]
pub struct Truth {
    pub elastogram_view: Region,
    pub bmode_view: Region,
    pub elastogram_box: Region,
    pub bmode_box: Region,
    pub colour_bar: Region,
}

const fn region(x0: u32, y0: u32, x1: u32, y1: u32) -> Region {
    match Region::new(x0, y0, x1, y1) {
        Some(r) => r,
        None => panic!("empty region"),
    }
}

/// The real Aixplorer screen, measured by hand to about 3 px.
pub const AIXPLORER: Truth = Truth {
    elastogram_view: region(311, 141, 1087, 580),
    bmode_view: region(311, 591, 1087, 1031),
    elastogram_box: region(462, 219, 909, 382),
    bmode_box: region(462, 669, 909, 832),
    colour_bar: region(1385, 141, 1401, 360),
};

pub fn screen(name: &str) -> RgbImage {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/screens").join(name);
    image::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).to_rgb8()
}

pub fn aixplorer() -> RgbImage {
    screen("aixplorer-swe-stacked/screen.png")
}

pub fn rgb_frame(picture: &RgbImage) -> Frame {
    Frame::from_rgb(picture.width(), picture.height(), picture.as_raw().clone()).unwrap()
}

/// The picture in another pixel format; Y'CbCr is BT.709 limited, chroma averaged.
pub fn encode(picture: &RgbImage, pixel: PixelFormat) -> Frame {
    let (w, h) = picture.dimensions();
    let mut format = FrameFormat::packed(pixel, w, h);
    format.colorimetry = Colorimetry { matrix: ColorMatrix::Bt709, range: ColorRange::Limited };
    let mut data = vec![0u8; format.required_len().unwrap()];
    let ycc = |x: u32, y: u32| {
        let [r, g, b] = picture.get_pixel(x.min(w - 1), y.min(h - 1)).0.map(f32::from);
        let luma = 0.2126 * r + 0.7152 * g + 0.0722 * b;
        [
            luma * 219.0 / 255.0 + 16.0,
            (b - luma) / 1.8556 * 224.0 / 255.0 + 128.0,
            (r - luma) / 1.5748 * 224.0 / 255.0 + 128.0,
        ]
    };
    let chroma = |x: u32, y: u32, rows: u32, c: usize| {
        let mut sum = 0.0;
        for dy in 0..rows {
            sum += ycc(x, y + dy)[c] + ycc(x + 1, y + dy)[c];
        }
        (sum / (2 * rows) as f32).round() as u8
    };
    let plane = |p: usize| (format.planes[p].offset, format.planes[p].stride);
    for y in 0..h {
        for x in 0..w {
            let [r, g, b] = picture.get_pixel(x, y).0;
            let (offset, stride) = plane(0);
            let row = offset + y as usize * stride;
            let luma = ycc(x, y)[0].round() as u8;
            let x_ = x as usize;
            match pixel {
                PixelFormat::Rgb => data[row + 3 * x_..][..3].copy_from_slice(&[r, g, b]),
                PixelFormat::Bgrx => data[row + 4 * x_..][..4].copy_from_slice(&[b, g, r, 255]),
                PixelFormat::Gray8 | PixelFormat::Nv12 | PixelFormat::I420 => data[row + x_] = luma,
                PixelFormat::Yuy2 => data[row + 2 * x_] = luma,
                PixelFormat::Uyvy => data[row + 2 * x_ + 1] = luma,
            }
        }
    }
    for y in 0..h {
        for x in (0..w).step_by(2) {
            let (offset, stride) = plane(0);
            let row = offset + y as usize * stride + x as usize * 2;
            match pixel {
                PixelFormat::Yuy2 => {
                    data[row + 1] = chroma(x, y, 1, 1);
                    data[row + 3] = chroma(x, y, 1, 2);
                }
                PixelFormat::Uyvy => {
                    data[row] = chroma(x, y, 1, 1);
                    data[row + 2] = chroma(x, y, 1, 2);
                }
                PixelFormat::Nv12 if y % 2 == 0 => {
                    let (offset, stride) = plane(1);
                    let at = offset + y as usize / 2 * stride + x as usize;
                    data[at] = chroma(x, y, 2, 1);
                    data[at + 1] = chroma(x, y, 2, 2);
                }
                PixelFormat::I420 if y % 2 == 0 => {
                    for (p, c) in [(1, 1), (2, 2)] {
                        let (offset, stride) = plane(p);
                        data[offset + y as usize / 2 * stride + x as usize / 2] =
                            chroma(x, y, 2, c);
                    }
                }
                _ => {}
            }
        }
    }
    Frame::new(format, FrameMeta::default(), data.into()).unwrap()
}

fn paste(canvas: &mut RgbImage, part: &RgbImage, x: u32, y: u32) {
    imageops::replace(canvas, part, i64::from(x), i64::from(y));
}

/// The two views of the Aixplorer screen (their upper 439 rows), laid out anew on black with the
/// bar at the left; `reversed` exchanges red and blue in map and bar.
pub fn rearrange(
    side_by_side: bool,
    map_first: bool,
    gap: u32,
    reversed: bool,
) -> (RgbImage, Truth) {
    let source = aixplorer();
    let cut = |r: &Region, height: u32| {
        imageops::crop_imm(&source, r.x0(), r.y0(), r.width(), height).to_image()
    };
    let height = AIXPLORER.elastogram_view.height();
    let mut map = cut(&AIXPLORER.elastogram_view, height);
    let twin = cut(&AIXPLORER.bmode_view, height);
    let mut bar = cut(&AIXPLORER.colour_bar, AIXPLORER.colour_bar.height());
    let inner = AIXPLORER.elastogram_box;
    let (bx, by) = (inner.x0() - 311, inner.y0() - 141);
    if reversed {
        for (x, y, p) in map.enumerate_pixels_mut() {
            if x > bx + 2 && x + 3 < bx + inner.width() && y > by + 2 && y + 3 < by + inner.height()
            {
                p.0.swap(0, 2);
            }
        }
        bar.pixels_mut().for_each(|p| p.0.swap(0, 2));
    }
    let width = map.width();
    let (w, h) = if side_by_side { (1920, 1080) } else { (1280, 1080) };
    let mut canvas = RgbImage::new(w, h);
    let first = (160, 90);
    let second = if side_by_side { (160 + width + gap, 90) } else { (160, 90 + height + gap) };
    let (at_map, at_twin) = if map_first { (first, second) } else { (second, first) };
    paste(&mut canvas, &map, at_map.0, at_map.1);
    paste(&mut canvas, &twin, at_twin.0, at_twin.1);
    paste(&mut canvas, &bar, 40, 120);
    let place = |(x, y): (u32, u32)| region(x, y, x + width, y + height);
    let inset = |(x, y): (u32, u32)| {
        region(x + bx, y + by, x + bx + inner.width(), y + by + inner.height())
    };
    let truth = Truth {
        elastogram_view: place(at_map),
        bmode_view: place(at_twin),
        elastogram_box: inset(at_map),
        bmode_box: inset(at_twin),
        colour_bar: region(40, 120, 40 + bar.width(), 120 + bar.height()),
    };
    (canvas, truth)
}

fn mapped(truth: &Truth, f: impl Fn(&Region) -> Region) -> Truth {
    Truth {
        elastogram_view: f(&truth.elastogram_view),
        bmode_view: f(&truth.bmode_view),
        elastogram_box: f(&truth.elastogram_box),
        bmode_box: f(&truth.bmode_box),
        colour_bar: f(&truth.colour_bar),
    }
}

/// The picture at another size.
pub fn rescale(picture: &RgbImage, truth: &Truth, w: u32, h: u32) -> (RgbImage, Truth) {
    let scaled = imageops::resize(picture, w, h, FilterType::Triangle);
    let (fx, fy) = (w as f32 / picture.width() as f32, h as f32 / picture.height() as f32);
    let x = |v: u32| (v as f32 * fx).round() as u32;
    let y = |v: u32| (v as f32 * fy).round() as u32;
    let truth = mapped(truth, |r| region(x(r.x0()), y(r.y0()), x(r.x1()), y(r.y1())));
    (scaled, truth)
}

/// The picture amid black, as grabbers send it.
pub fn letterbox(picture: &RgbImage, truth: &Truth, w: u32, h: u32) -> (RgbImage, Truth) {
    let scale = (w as f32 / picture.width() as f32).min(h as f32 / picture.height() as f32) * 0.9;
    let (pw, ph) =
        ((picture.width() as f32 * scale) as u32, (picture.height() as f32 * scale) as u32);
    let (scaled, truth) = rescale(picture, truth, pw, ph);
    let mut canvas = RgbImage::from_pixel(w, h, Rgb([0, 0, 0]));
    let (x, y) = ((w - pw) / 2, (h - ph) / 2);
    paste(&mut canvas, &scaled, x, y);
    (canvas, mapped(&truth, |r| r.translate(x as i32, y as i32).unwrap()))
}

/// The picture after JPEG.
pub fn compress(picture: &RgbImage, quality: u8) -> RgbImage {
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode_image(picture)
        .unwrap();
    image::load_from_memory(&bytes).unwrap().to_rgb8()
}
