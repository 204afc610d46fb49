//! One raw video frame, borrowed from whoever captured it, and the colour conversion that defines
//! what its pixels mean.
//!
//! A [`Frame`] owns a [`Bytes`] handle, so that a mapped GStreamer buffer, a decoded still or a
//! simulated screen travel without a copy. Planes and strides are checked once, when the frame is
//! built; every later access is in range by construction.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::region::Region;

/// Raw pixel formats that the daemon ingests, by GStreamer's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum PixelFormat {
    /// 4:2:0, a Y plane and an interleaved `CbCr` plane.
    Nv12,
    /// 4:2:0, three planes Y, Cb, Cr.
    I420,
    /// 4:2:2 packed `Y0 Cb Y1 Cr`.
    Yuy2,
    /// 4:2:2 packed `Cb Y0 Cr Y1`.
    Uyvy,
    /// Packed `B G R x`, 4 bytes a pixel (the fourth byte is ignored, so BGRA serves too).
    Bgrx,
    /// Packed `R G B`, 3 bytes a pixel.
    Rgb,
    /// One grey byte a pixel.
    Gray8,
}

impl PixelFormat {
    /// All formats, in the order in which ingest offers them to a source.
    pub const ALL: [Self; 7] =
        [Self::Nv12, Self::I420, Self::Yuy2, Self::Uyvy, Self::Bgrx, Self::Rgb, Self::Gray8];

    /// Number of planes, 1..=3.
    pub const fn plane_count(self) -> usize {
        match self {
            Self::Nv12 => 2,
            Self::I420 => 3,
            _ => 1,
        }
    }

    /// Bytes that plane `plane` needs for one row of `width` pixels, and its number of rows for
    /// `height` pixels.
    const fn plane_extent(self, plane: usize, width: usize, height: usize) -> (usize, usize) {
        match (self, plane) {
            (Self::Nv12 | Self::I420 | Self::Gray8, 0) => (width, height),
            (Self::Nv12, _) => (width.div_ceil(2) * 2, height.div_ceil(2)),
            (Self::I420, _) => (width.div_ceil(2), height.div_ceil(2)),
            (Self::Yuy2 | Self::Uyvy, _) => (width.div_ceil(2) * 4, height),
            (Self::Bgrx, _) => (width * 4, height),
            (Self::Rgb, _) => (width * 3, height),
            (Self::Gray8, _) => (0, 0),
        }
    }
}

/// Which `Y'CbCr` matrix a frame uses (ITU-R BT.601 or BT.709).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColorMatrix {
    /// BT.601: standard definition.
    Bt601,
    /// BT.709: high definition.
    Bt709,
}

/// Nominal range of the luma code values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColorRange {
    /// Luma 16..=235, chroma 16..=240.
    Limited,
    /// 0..=255.
    Full,
}

/// How `Y'CbCr` code values become R'G'B'. Ignored by RGB formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Colorimetry {
    /// Matrix.
    pub matrix: ColorMatrix,
    /// Range.
    pub range: ColorRange,
}

impl Colorimetry {
    /// The usual guess for video that does not say: BT.601 up to 576 lines, BT.709 above; limited.
    pub const fn for_height(height: u32) -> Self {
        Self {
            matrix: if height <= 576 { ColorMatrix::Bt601 } else { ColorMatrix::Bt709 },
            range: ColorRange::Limited,
        }
    }

    /// Fixed-point coefficients (16 fractional bits): y offset, y gain, Cr→R, Cb→G, Cr→G, Cb→B.
    const fn coefficients(self) -> [i32; 6] {
        // R = 1.402·Cr, G = −0.344136·Cb − 0.714136·Cr, B = 1.772·Cb (BT.601);
        // R = 1.5748·Cr, G = −0.187324·Cb − 0.468124·Cr, B = 1.8556·Cb (BT.709); limited range
        // scales luma by 255/219 and chroma by 255/224. Rounded to 1/65536.
        match (self.matrix, self.range) {
            (ColorMatrix::Bt601, ColorRange::Limited) => {
                [16, 76309, 104_597, -25_675, -53_279, 132_201]
            }
            (ColorMatrix::Bt601, ColorRange::Full) => [0, 65536, 91_881, -22_553, -46_802, 116_130],
            (ColorMatrix::Bt709, ColorRange::Limited) => {
                [16, 76309, 117_489, -13_975, -34_925, 138_438]
            }
            (ColorMatrix::Bt709, ColorRange::Full) => {
                [0, 65536, 103_206, -12_276, -30_679, 121_609]
            }
        }
    }
}

/// Where one plane lies in the frame's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Plane {
    /// Offset of the plane's first byte.
    pub offset: usize,
    /// Bytes from one row to the next.
    pub stride: usize,
}

/// Size, pixel format and memory layout of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameFormat {
    /// Pixel format.
    pub pixel: PixelFormat,
    /// Width in pixels, at least 1.
    pub width: u32,
    /// Height in pixels, at least 1.
    pub height: u32,
    /// The planes in use: the first [`PixelFormat::plane_count`].
    pub planes: [Plane; 3],
    /// Meaning of the code values.
    pub colorimetry: Colorimetry,
}

impl FrameFormat {
    /// Largest side accepted, in pixels: beyond any scanner, small enough that sizes cannot overflow.
    pub const MAX_SIDE_PX: u32 = 16_384;

    /// Describes a frame whose planes follow one another with no padding.
    pub fn packed(pixel: PixelFormat, width: u32, height: u32) -> Self {
        let mut planes = [Plane::default(); 3];
        let mut offset = 0;
        for (i, plane) in planes.iter_mut().enumerate().take(pixel.plane_count()) {
            let (row, rows) = pixel.plane_extent(i, width as usize, height as usize);
            *plane = Plane { offset, stride: row };
            offset += row * rows;
        }
        Self { pixel, width, height, planes, colorimetry: Colorimetry::for_height(height) }
    }

    /// Bytes that a frame of this format needs at least; `None` when the layout overflows.
    pub fn required_len(&self) -> Option<usize> {
        let mut len = 0usize;
        for (i, plane) in self.planes.iter().enumerate().take(self.pixel.plane_count()) {
            let (row, rows) = self.pixel.plane_extent(i, self.width as usize, self.height as usize);
            let end = plane
                .stride
                .checked_mul(rows.saturating_sub(1))?
                .checked_add(row)?
                .checked_add(plane.offset)?;
            len = len.max(end);
        }
        Some(len)
    }

    /// The whole frame as a region; `None` for a frame without pixels.
    pub fn bounds(&self) -> Option<Region> {
        Region::new(0, 0, self.width, self.height)
    }
}

/// Where a frame comes from in time, and what its source says about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameMeta {
    /// Number of the frame in its source, from 0; gaps are frames that were replaced by newer ones.
    pub sequence: u64,
    /// Presentation time in the source, ns.
    pub pts_ns: Option<u64>,
    /// When the frame reached the daemon, ns of the monotonic clock.
    pub captured_ns: u64,
    /// How often the source had gone live when the frame came: counts up after each reconnection,
    /// stall and lost signal. 0 for what is no live source.
    pub generation: u32,
    /// The source says that the picture is not whole, or is none (GStreamer's flags corrupted,
    /// decode-only and gap): to be shown, never to be scored.
    pub corrupted: bool,
    /// The capture device says that its signal is lost, and goes on sending pictures.
    pub signal_lost: bool,
    /// Time from picture to picture that the source agreed to, ns.
    pub interval_ns: Option<u64>,
}

/// Why bytes cannot be a frame.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum FrameError {
    /// A side is 0 or above [`FrameFormat::MAX_SIDE_PX`].
    #[error("a frame of {width}×{height} px cannot be used: each side must be 1 to {max} px", max = FrameFormat::MAX_SIDE_PX)]
    Size {
        /// Width offered, in pixels.
        width: u32,
        /// Height offered, in pixels.
        height: u32,
    },
    /// A row is longer than its stride, or the buffer ends before the last row.
    #[error("{format:?} frame of {width}×{height} px needs {need} bytes at its strides, got {got}")]
    Short {
        /// Pixel format.
        format: PixelFormat,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Bytes needed.
        need: usize,
        /// Bytes given.
        got: usize,
    },
}

/// A raw video frame. Cloning shares the pixels.
#[derive(Clone, Debug)]
pub struct Frame {
    format: FrameFormat,
    meta: FrameMeta,
    data: Bytes,
    bounds: Region,
}

impl Frame {
    /// Takes `data` as a frame.
    ///
    /// # Errors
    /// [`FrameError`] when a side is out of range or the bytes do not hold every row.
    pub fn new(format: FrameFormat, meta: FrameMeta, data: Bytes) -> Result<Self, FrameError> {
        let (width, height) = (format.width, format.height);
        let bounds = format
            .bounds()
            .filter(|_| width.max(height) <= FrameFormat::MAX_SIDE_PX)
            .ok_or(FrameError::Size { width, height })?;
        let rows_fit = (0..format.pixel.plane_count()).all(|i| {
            format.planes[i].stride
                >= format.pixel.plane_extent(i, width as usize, height as usize).0
        });
        let need = format.required_len().unwrap_or(usize::MAX);
        if !rows_fit || data.len() < need {
            return Err(FrameError::Short {
                format: format.pixel,
                width,
                height,
                need,
                got: data.len(),
            });
        }
        Ok(Self { format, meta, data, bounds })
    }

    /// Takes packed R, G, B bytes as a frame.
    ///
    /// # Errors
    /// As [`Frame::new`].
    pub fn from_rgb(width: u32, height: u32, rgb: Vec<u8>) -> Result<Self, FrameError> {
        Self::new(
            FrameFormat::packed(PixelFormat::Rgb, width, height),
            FrameMeta::default(),
            Bytes::from(rgb),
        )
    }

    /// Format and memory layout.
    pub fn format(&self) -> &FrameFormat {
        &self.format
    }
    /// Sequence and times.
    pub fn meta(&self) -> &FrameMeta {
        &self.meta
    }
    /// Returns the same pixels with other times.
    #[must_use]
    pub fn with_meta(mut self, meta: FrameMeta) -> Self {
        self.meta = meta;
        self
    }
    /// Width in pixels, at least 1.
    pub fn width(&self) -> u32 {
        self.format.width
    }
    /// Height in pixels, at least 1.
    pub fn height(&self) -> u32 {
        self.format.height
    }
    /// The whole frame.
    pub fn bounds(&self) -> Region {
        self.bounds
    }
    /// A number that is the same for two frames of the same pixels, and hardly ever for others: of all
    /// the picture's bytes, without what lies between the rows.
    pub fn digest(&self) -> u64 {
        // FNV's step over 8 bytes at a time: for comparing, not for security.
        const PRIME: u64 = 0x0000_0100_0000_01b3;
        let mut digest = 0xcbf2_9ce4_8422_2325u64;
        let mut mix = |value: u64| digest = (digest ^ value).wrapping_mul(PRIME).rotate_left(29);
        let (width, height) = (self.width() as usize, self.height() as usize);
        for (i, plane) in
            self.format.planes.iter().enumerate().take(self.format.pixel.plane_count())
        {
            let (bytes, rows) = self.format.pixel.plane_extent(i, width, height);
            for row in 0..rows {
                let line = self.data.get(plane.offset + row * plane.stride..).unwrap_or_default();
                let line = line.get(..bytes).unwrap_or_default();
                let (words, rest) = line.as_chunks::<8>();
                for word in words {
                    mix(u64::from_le_bytes(*word));
                }
                for byte in rest {
                    mix(u64::from(*byte));
                }
            }
        }
        digest
    }

    /// The raw bytes, laid out as [`Frame::format`] says.
    pub fn data(&self) -> &Bytes {
        &self.data
    }

    /// Row `row` of plane `plane`, from its first byte to its last used one.
    fn plane_row(&self, plane: usize, row: usize) -> &[u8] {
        let Plane { offset, stride } = self.format.planes[plane];
        let len = self
            .format
            .pixel
            .plane_extent(plane, self.format.width as usize, self.format.height as usize)
            .0;
        &self.data[offset + row * stride..][..len]
    }

    /// Converts the pixels of row `y` from column `x0` on into `out`, R'G'B' full range.
    ///
    /// Chroma is replicated to its pixels (no interpolation), so that any part of a frame converts
    /// to the same values as the whole.
    ///
    /// # Panics
    /// When the span leaves the frame: callers hold a [`Region`] inside [`Frame::bounds`].
    pub fn rgb_span(&self, y: u32, x0: u32, out: &mut [[u8; 3]]) {
        let (y, x0) = (y as usize, x0 as usize);
        let n = out.len();
        match self.format.pixel {
            PixelFormat::Rgb => {
                let row = &self.plane_row(0, y)[x0 * 3..(x0 + n) * 3];
                for (o, p) in out.iter_mut().zip(row.chunks_exact(3)) {
                    *o = [p[0], p[1], p[2]];
                }
            }
            PixelFormat::Bgrx => {
                let row = &self.plane_row(0, y)[x0 * 4..(x0 + n) * 4];
                for (o, p) in out.iter_mut().zip(row.chunks_exact(4)) {
                    *o = [p[2], p[1], p[0]];
                }
            }
            PixelFormat::Gray8 => {
                let row = &self.plane_row(0, y)[x0..x0 + n];
                for (o, &g) in out.iter_mut().zip(row) {
                    *o = [g; 3];
                }
            }
            PixelFormat::Nv12 => {
                let luma = &self.plane_row(0, y)[x0..x0 + n];
                let chroma = self.plane_row(1, y / 2);
                let k = self.format.colorimetry.coefficients();
                for (i, (o, &l)) in out.iter_mut().zip(luma).enumerate() {
                    let c = ((x0 + i) >> 1) << 1;
                    *o = to_rgb(k, l, chroma[c], chroma[c + 1]);
                }
            }
            PixelFormat::I420 => {
                let luma = &self.plane_row(0, y)[x0..x0 + n];
                let (cb, cr) = (self.plane_row(1, y / 2), self.plane_row(2, y / 2));
                let k = self.format.colorimetry.coefficients();
                for (i, (o, &l)) in out.iter_mut().zip(luma).enumerate() {
                    let c = (x0 + i) >> 1;
                    *o = to_rgb(k, l, cb[c], cr[c]);
                }
            }
            PixelFormat::Yuy2 | PixelFormat::Uyvy => {
                let row = self.plane_row(0, y);
                let k = self.format.colorimetry.coefficients();
                let (luma, cb, cr) =
                    if self.format.pixel == PixelFormat::Yuy2 { (0, 1, 3) } else { (1, 0, 2) };
                for (i, o) in out.iter_mut().enumerate() {
                    let x = x0 + i;
                    let c = x / 2 * 4;
                    *o = to_rgb(k, row[x * 2 + luma], row[c + cb], row[c + cr]);
                }
            }
        }
    }

    /// The luma codes of `width` pixels of row `y` from column `x0` on, where the format stores them side by
    /// side; they become brightness by [`Frame::luma_of`].
    pub(crate) fn luma_row(&self, y: u32, x0: u32, width: usize) -> Option<&[u8]> {
        match self.format.pixel {
            PixelFormat::Nv12 | PixelFormat::I420 | PixelFormat::Gray8 => {
                self.plane_row(0, y as usize).get(x0 as usize..x0 as usize + width)
            }
            _ => None,
        }
    }

    /// Full-range brightness, 0..=255, of a mean of luma codes.
    pub(crate) fn luma_of(&self, code: f32) -> f32 {
        if self.format.pixel == PixelFormat::Gray8 {
            return code;
        }
        let [offset, gain, ..] = self.format.colorimetry.coefficients();
        (code - offset as f32) * gain as f32 / 65_536.0
    }

    /// Hands every `apart`-th luma code of row `y` to `take`, as it is stored; nothing of R'G'B'.
    pub(crate) fn luma_codes(&self, y: u32, apart: usize, mut take: impl FnMut(u8)) {
        let (first, every) = match self.format.pixel {
            PixelFormat::Nv12 | PixelFormat::I420 | PixelFormat::Gray8 => (0, 1),
            PixelFormat::Yuy2 => (0, 2),
            PixelFormat::Uyvy => (1, 2),
            PixelFormat::Bgrx | PixelFormat::Rgb => return,
        };
        let width = self.width() as usize;
        let codes = self.plane_row(0, y as usize).iter().skip(first).step_by(every * apart);
        codes.take(width.div_ceil(apart)).for_each(|code| take(*code));
    }

    /// The chroma codes Cb and Cr that pixel `x`, `y` has, as they are stored; `None` for formats
    /// without.
    pub(crate) fn chroma_codes(&self, x: u32, y: u32) -> Option<[u8; 2]> {
        let (pair, y) = (x as usize / 2, y as usize);
        Some(match self.format.pixel {
            PixelFormat::Nv12 => {
                let row = self.plane_row(1, y / 2);
                [row[2 * pair], row[2 * pair + 1]]
            }
            PixelFormat::I420 => [self.plane_row(1, y / 2)[pair], self.plane_row(2, y / 2)[pair]],
            PixelFormat::Yuy2 | PixelFormat::Uyvy => {
                let first = usize::from(self.format.pixel == PixelFormat::Yuy2);
                let row = self.plane_row(0, y);
                [row[4 * pair + first], row[4 * pair + first + 2]]
            }
            PixelFormat::Bgrx | PixelFormat::Rgb | PixelFormat::Gray8 => return None,
        })
    }

    /// Converts `region` to R'G'B' rows, replacing what `out` held; allocates only while `out`
    /// still grows.
    ///
    /// # Panics
    /// When `region` leaves [`Frame::bounds`].
    pub fn rgb_region(&self, region: &Region, out: &mut Vec<[u8; 3]>) {
        let width = region.width() as usize;
        out.resize(width * region.height() as usize, [0; 3]);
        for (y, row) in (region.y0()..region.y1()).zip(out.chunks_exact_mut(width)) {
            self.rgb_span(y, region.x0(), row);
        }
    }
}

/// One `Y'CbCr` triple to full-range R'G'B' in 16.16 fixed point, rounded to nearest.
#[inline]
fn to_rgb(k: [i32; 6], y: u8, cb: u8, cr: u8) -> [u8; 3] {
    let [y_offset, y_gain, cr_r, cb_g, cr_g, cb_b] = k;
    let y = (i32::from(y) - y_offset) * y_gain + 0x8000;
    let (cb, cr) = (i32::from(cb) - 128, i32::from(cr) - 128);
    let clip = |v: i32| (v >> 16).clamp(0, 255) as u8;
    [clip(y + cr_r * cr), clip(y + cb_g * cb + cr_g * cr), clip(y + cb_b * cb)]
}
