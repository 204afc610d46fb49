//! Puts a picture and a tile side by side in one video buffer, in the video's own pixel format: rows
//! are copied as they are, so the picture's bytes are the scanner's. Pure; runs on the display thread.

use sonofuse_core::frame::PixelFormat;
use sonofuse_core::region::Region;

use super::Tile;

/// How one plane of a format lies: `bytes` for a group of `1 << x_shift` pixels, and a row for
/// `1 << y_shift` lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PlaneShape {
    bytes: usize,
    x_shift: u32,
    y_shift: u32,
}

impl PlaneShape {
    /// Bytes from the row's start to pixel `x`, which starts a group or ends the row.
    const fn offset(self, x: u32) -> usize {
        (x as usize).div_ceil(1 << self.x_shift) * self.bytes
    }
    const fn rows(self, y: u32) -> usize {
        (y as usize).div_ceil(1 << self.y_shift)
    }
}

const fn shapes(format: PixelFormat) -> &'static [PlaneShape] {
    const fn shape(bytes: usize, x_shift: u32, y_shift: u32) -> PlaneShape {
        PlaneShape { bytes, x_shift, y_shift }
    }
    match format {
        PixelFormat::Nv12 => const { &[shape(1, 0, 0), shape(2, 1, 1)] },
        PixelFormat::I420 => const { &[shape(1, 0, 0), shape(1, 1, 1), shape(1, 1, 1)] },
        PixelFormat::Yuy2 | PixelFormat::Uyvy => const { &[shape(4, 1, 0)] },
        PixelFormat::Bgrx => const { &[shape(4, 0, 0)] },
        PixelFormat::Rgb => const { &[shape(3, 0, 0)] },
        PixelFormat::Gray8 => const { &[shape(1, 0, 0)] },
    }
}

/// From R'G'B' to the code values of the video: what [`sonofuse_core::frame::Colorimetry`] undoes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Matrix {
    /// Weight of red in luma.
    pub(crate) kr: f32,
    /// Weight of blue in luma.
    pub(crate) kb: f32,
    /// 0..=255 instead of 16..=235.
    pub(crate) full_range: bool,
}

impl Matrix {
    fn encode(self, [r, g, b]: [f32; 3]) -> [u8; 3] {
        let y = self.kr * r + (1.0 - self.kr - self.kb) * g + self.kb * b;
        let cb = (b - y) / (2.0 * (1.0 - self.kb));
        let cr = (r - y) / (2.0 * (1.0 - self.kr));
        let (offset, luma, chroma) =
            if self.full_range { (0.0, 1.0, 1.0) } else { (16.0, 219.0 / 255.0, 224.0 / 255.0) };
        [offset + y * luma, 128.0 + cb * chroma, 128.0 + cr * chroma]
            .map(|v| v.round().clamp(0.0, 255.0) as u8)
    }
}

/// A tile in a video's pixel format, rows without padding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Encoded {
    planes: Vec<Vec<u8>>,
}

impl Encoded {
    /// Encodes `tile`, whose sides are even. A panel is mostly flat: a colour that was just
    /// converted is not converted again.
    pub(crate) fn new(tile: &Tile, format: PixelFormat, matrix: Matrix) -> Self {
        let w = tile.width() as usize;
        let pixels = tile.rgba().as_chunks::<4>().0;
        // Grey has no chroma and no reserved codes: it is full range, as the core reads it.
        let grey = Matrix { full_range: true, ..matrix };
        let planes = match format {
            PixelFormat::Bgrx => {
                vec![pixels.iter().flat_map(|p| [p[2], p[1], p[0], 255]).collect()]
            }
            PixelFormat::Rgb => vec![pixels.iter().flat_map(|p| [p[0], p[1], p[2]]).collect()],
            PixelFormat::Gray8 => vec![luma(pixels, grey)],
            PixelFormat::Nv12 => {
                let uv = chroma(pixels, w, 2, matrix);
                vec![luma(pixels, matrix), uv.as_flattened().to_vec()]
            }
            PixelFormat::I420 => {
                let uv = chroma(pixels, w, 2, matrix);
                let plane = |i: usize| uv.iter().map(|c| c[i]).collect();
                vec![luma(pixels, matrix), plane(0), plane(1)]
            }
            PixelFormat::Yuy2 | PixelFormat::Uyvy => {
                let luma = luma(pixels, matrix);
                let uv = chroma(pixels, w, 1, matrix);
                let pairs = luma.as_chunks::<2>().0.iter().zip(uv);
                let yuy2 = format == PixelFormat::Yuy2;
                let group = |(&[first, second], [cb, cr]): (&[u8; 2], [u8; 2])| {
                    if yuy2 { [first, cb, second, cr] } else { [cb, first, cr, second] }
                };
                vec![pairs.flat_map(group).collect()]
            }
        };
        Self { planes }
    }
}

type Rgba = [u8; 4];

fn luma(pixels: &[Rgba], matrix: Matrix) -> Vec<u8> {
    let (mut last, mut y) = ([0; 4], matrix.encode([0.0; 3])[0]);
    let mut out = Vec::with_capacity(pixels.len());
    for p in pixels {
        if *p != last {
            last = *p;
            y = matrix.encode([f32::from(p[0]), f32::from(p[1]), f32::from(p[2])])[0];
        }
        out.push(y);
    }
    out
}

/// The chroma of each group of 2 × `rows` pixels: that of their mean colour.
fn chroma(pixels: &[Rgba], width: usize, rows: usize, matrix: Matrix) -> Vec<[u8; 2]> {
    let of = |[r, g, b]: [f32; 3]| {
        let [_, cb, cr] = matrix.encode([r, g, b]);
        [cb, cr]
    };
    let mut last = ([[0; 4]; 4], of([0.0; 3]));
    let mut out = Vec::with_capacity(pixels.len() / 2 / rows);
    for band in pixels.chunks_exact(width * rows) {
        let (upper, lower) = band.split_at(width);
        // With one row to a group the row counts twice.
        let lower = if rows == 2 { lower } else { upper };
        for (u, l) in upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0) {
            let group = [u[0], u[1], l[0], l[1]];
            if group != last.0 {
                let mean = std::array::from_fn(|c| {
                    group.iter().map(|p| f32::from(p[c])).sum::<f32>() / 4.0
                });
                last = (group, of(mean));
            }
            out.push(last.1);
        }
    }
    out
}

/// One plane of a mapped buffer.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) stride: usize,
}

/// One plane of a buffer to write.
#[derive(Debug)]
pub(crate) struct RowsMut<'a> {
    pub(crate) data: &'a mut [u8],
    pub(crate) stride: usize,
}

/// Copies the first `width` × `height` pixels of `from` to the top left of `to`, byte for byte.
pub(crate) fn copy_picture(
    format: PixelFormat,
    from: &[Rows<'_>],
    to: &mut [RowsMut<'_>],
    width: u32,
    height: u32,
) {
    for ((shape, from), to) in shapes(format).iter().zip(from).zip(to) {
        let n = shape.offset(width);
        let rows = from.data.chunks(from.stride).zip(to.data.chunks_mut(to.stride));
        for (from, to) in rows.take(shape.rows(height)) {
            // A mapped buffer holds whole rows; if one did not, a row is less than a crash.
            if let (Some(to), Some(from)) = (to.get_mut(..n), from.get(..n)) {
                to.copy_from_slice(from);
            }
        }
    }
}

/// Puts `tile` at `place`, whose origin is even.
pub(crate) fn blit(format: PixelFormat, tile: &Encoded, to: &mut [RowsMut<'_>], place: &Region) {
    for ((shape, tile), to) in shapes(format).iter().zip(&tile.planes).zip(to) {
        let n = shape.offset(place.width());
        let x = shape.offset(place.x0());
        let rows = to.data.chunks_mut(to.stride).skip(shape.rows(place.y0()));
        for (to, from) in rows.zip(tile.chunks_exact(n)) {
            if let Some(to) = to.get_mut(x..x + n) {
                to.copy_from_slice(from);
            }
        }
    }
}

/// Blackens every row; for canvases that picture and strip do not fill.
pub(crate) fn blacken(format: PixelFormat, to: &mut [RowsMut<'_>], full_range: bool) {
    for (i, plane) in to.iter_mut().enumerate() {
        paint_black(format, i, plane.data, full_range);
    }
}

/// Blackens `place`, and what shares chroma with it.
pub(crate) fn cover(format: PixelFormat, to: &mut [RowsMut<'_>], place: &Region, full_range: bool) {
    let (x0, y0) = (place.x0() / 2 * 2, place.y0() / 2 * 2);
    let (x1, y1) = (place.x1().div_ceil(2) * 2, place.y1().div_ceil(2) * 2);
    for (i, (shape, to)) in shapes(format).iter().zip(to).enumerate() {
        let (from, end) = (shape.offset(x0), shape.offset(x1));
        let rows = to.data.chunks_mut(to.stride).take(shape.rows(y1)).skip(shape.rows(y0));
        for row in rows {
            let end = end.min(row.len());
            if let Some(part) = row.get_mut(from..end) {
                paint_black(format, i, part, full_range);
            }
        }
    }
}

/// Black, in plane `i`.
fn paint_black(format: PixelFormat, i: usize, data: &mut [u8], full_range: bool) {
    let black = if full_range { 0 } else { 16 };
    match (format, i) {
        (PixelFormat::Nv12 | PixelFormat::I420, 0) | (PixelFormat::Gray8, _) => data.fill(black),
        (PixelFormat::Nv12 | PixelFormat::I420, _) => data.fill(128),
        (PixelFormat::Yuy2, _) => pattern(data, [black, 128]),
        (PixelFormat::Uyvy, _) => pattern(data, [128, black]),
        (PixelFormat::Bgrx | PixelFormat::Rgb, _) => data.fill(0),
    }
}

fn pattern(data: &mut [u8], pair: [u8; 2]) {
    for p in data.chunks_exact_mut(2) {
        p.copy_from_slice(&pair);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use bytes::Bytes;
    use sonofuse_core::frame::{Frame, FrameFormat, FrameMeta};

    use super::*;
    use crate::panel::{self, Canvas, Headline, PanelState};

    const BT709: Matrix = Matrix { kr: 0.2126, kb: 0.0722, full_range: false };

    fn buffer(format: &FrameFormat, fill: impl Fn(usize) -> u8) -> Vec<u8> {
        (0..format.required_len().unwrap()).map(fill).collect()
    }

    fn split_mut<'a>(format: &FrameFormat, mut data: &'a mut [u8]) -> Vec<RowsMut<'a>> {
        let n = format.pixel.plane_count();
        let mut out = Vec::new();
        let mut at = 0;
        for i in 0..n {
            let end = if i + 1 < n { format.planes[i + 1].offset } else { at + data.len() };
            let (head, rest) = data.split_at_mut(end - at);
            out.push(RowsMut { data: head, stride: format.planes[i].stride });
            data = rest;
            at = end;
        }
        out
    }

    /// Sizes: even, odd, wide, tall, tiny.
    const SIZES: [[u32; 2]; 6] = [[640, 480], [721, 577], [640, 200], [99, 401], [1, 1], [3, 2]];

    #[test]
    fn the_scanner_s_bytes_are_the_canvas_s_bytes_in_every_format_and_size() {
        for pixel in PixelFormat::ALL {
            for [w, h] in SIZES {
                let from_format = FrameFormat::packed(pixel, w, h);
                let from = buffer(&from_format, |i| (i * 31 + i / 7) as u8);
                let canvas = Canvas::new(w, h);
                let to_format = FrameFormat::packed(pixel, canvas.width, canvas.height);
                let mut to = buffer(&to_format, |_| 0xAA);
                let strip = &canvas.strip;
                let tile = panel::draw(&PanelState::no_signal(None), strip.width(), strip.height());
                let tile = Encoded::new(&tile, pixel, BT709);
                {
                    let mut rows = split_mut(&to_format, &mut to);
                    blacken(pixel, &mut rows, false);
                    let planes: Vec<Rows<'_>> = (0..pixel.plane_count())
                        .map(|i| Rows {
                            data: &from[from_format.planes[i].offset..],
                            stride: from_format.planes[i].stride,
                        })
                        .collect();
                    copy_picture(pixel, &planes, &mut rows, w, h);
                    // Last, so that it would overwrite the picture if it could.
                    blit(pixel, &tile, &mut rows, strip);
                }
                let meta = FrameMeta::default();
                let before = Frame::new(from_format, meta, Bytes::from(from)).unwrap();
                let after = Frame::new(to_format, meta, Bytes::from(to)).unwrap();
                // Same colour matrix on both sides, whatever the heights suggest.
                if from_format.colorimetry == to_format.colorimetry {
                    let (mut a, mut b) = (Vec::new(), Vec::new());
                    before.rgb_region(&canvas.image, &mut a);
                    after.rgb_region(&canvas.image, &mut b);
                    assert!(a == b, "{pixel:?} {w}×{h}");
                }
            }
        }
    }

    #[test]
    fn the_tile_looks_the_same_in_every_format() {
        let state = PanelState { headline: Headline::Starting, ..PanelState::no_signal(None) };
        let tile = panel::draw(&state, 200, 360);
        for pixel in PixelFormat::ALL {
            let format = FrameFormat::packed(pixel, 200, 720);
            let mut data = buffer(&format, |_| 0);
            let place = Region::new(0, 0, 200, 360).unwrap();
            let encoded = Encoded::new(&tile, pixel, BT709);
            blit(pixel, &encoded, &mut split_mut(&format, &mut data), &place);
            let frame = Frame::new(format, FrameMeta::default(), Bytes::from(data)).unwrap();
            let mut shown = Vec::new();
            frame.rgb_region(&place, &mut shown);
            let mean = |f: &dyn Fn(usize) -> u8, n: usize| {
                (0..n).map(|i| f64::from(f(i))).sum::<f64>() / n as f64
            };
            let n = shown.len();
            for channel in [0, 1, 2usize] {
                let want = mean(&|i| tile.rgba()[i * 4 + channel], n);
                let got = mean(&|i| shown[i][channel], n);
                // A grey format has the luma in all three.
                let tolerance = if pixel == PixelFormat::Gray8 { 8.0 } else { 1.5 };
                assert!((want - got).abs() < tolerance, "{pixel:?} {channel}: {want} {got}");
            }
        }
    }
}
