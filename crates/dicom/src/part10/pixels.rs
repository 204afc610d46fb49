//! One frame's samples as 8-bit grey or RGB (PS3.3 C.7.6.3).

use bytes::Bytes;
use sonofuse_core::frame::{Frame, FrameFormat, FrameMeta, PixelFormat};

use super::palette::PaletteTable;
use super::rle::PackBits;
use crate::StillError;

/// What the samples are.
#[derive(Clone, Debug)]
pub(super) enum Colour {
    Grey { white_is_low: bool },
    Rgb,
    Ybr,
    Ybr422,
    Palette(Box<[PaletteTable; 3]>),
}

impl Colour {
    /// Samples a pixel.
    pub(super) fn samples(&self) -> u32 {
        match self {
            Self::Grey { .. } | Self::Palette(_) => 1,
            _ => 3,
        }
    }
}

/// The shape of every frame in the file.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    pub rows: u32,
    pub columns: u32,
    pub colour: Colour,
    /// Two bytes a sample.
    pub wide: bool,
    /// Significant bits of a sample.
    pub stored: u32,
    pub signed: bool,
    /// Samples in planes, not pixel by pixel.
    pub planes_apart: bool,
    /// Centre and width.
    pub window: Option<(f64, f64)>,
}

impl Picture {
    fn pixel_count(&self) -> usize {
        self.rows as usize * self.columns as usize
    }

    /// Bytes of one row, or of one row of a plane.
    pub(super) fn row_len(&self) -> u64 {
        let bytes = if self.wide { 2 } else { 1 };
        let columns = u64::from(self.columns);
        bytes
            * match self.colour {
                // A pair of pixels shares its chroma; an odd row ends in half a pair.
                Colour::Ybr422 => columns.div_ceil(2) * 4,
                _ if self.planes_apart => columns,
                _ => columns * u64::from(self.colour.samples()),
            }
    }

    /// Rows of one frame, those of all planes.
    pub(super) fn row_count(&self) -> u64 {
        u64::from(self.rows) * if self.planes_apart { u64::from(self.colour.samples()) } else { 1 }
    }

    /// Bytes of one native frame.
    pub(super) fn frame_len(&self) -> u64 {
        self.row_len() * self.row_count()
    }

    /// The same picture with its samples in planes, as RLE delivers them.
    pub(super) fn planar(&self) -> Self {
        Self { planes_apart: self.colour.samples() == 3, ..self.clone() }
    }

    /// Turns one native frame's bytes into a frame.
    pub(super) fn frame(&self, bytes: Vec<u8>) -> Result<Frame, StillError> {
        if (bytes.len() as u64) < self.frame_len() {
            return Err(StillError::dicom("a frame shorter than its size says"));
        }
        let (pixel, bytes) = match &self.colour {
            Colour::Grey { white_is_low } => (PixelFormat::Gray8, self.grey(bytes, *white_is_low)),
            Colour::Palette(tables) => {
                let mut rgb = Vec::with_capacity(self.pixel_count() * 3);
                for v in self.values(&bytes).take(self.pixel_count()) {
                    rgb.extend(tables.each_ref().map(|t| t.at(v)));
                }
                (PixelFormat::Rgb, rgb)
            }
            Colour::Rgb => (PixelFormat::Rgb, self.interleaved(bytes)),
            Colour::Ybr => {
                let mut rgb = self.interleaved(bytes);
                for p in rgb.as_chunks_mut().0 {
                    *p = to_rgb(*p);
                }
                (PixelFormat::Rgb, rgb)
            }
            Colour::Ybr422 => (PixelFormat::Rgb, self.spread_422(bytes)),
        };
        let format = FrameFormat::packed(pixel, self.columns, self.rows);
        Ok(Frame::new(format, FrameMeta::default(), Bytes::from(bytes))?)
    }

    fn spread_422(&self, bytes: Vec<u8>) -> Vec<u8> {
        let bytes = self.to_8_bits(bytes);
        let columns = self.columns as usize;
        let mut rgb = Vec::with_capacity(self.pixel_count() * 3);
        for row in bytes.chunks_exact(columns.div_ceil(2) * 4).take(self.rows as usize) {
            let start = rgb.len();
            for &[y0, y1, cb, cr] in row.as_chunks().0 {
                rgb.extend(to_rgb([y0, cb, cr]));
                rgb.extend(to_rgb([y1, cb, cr]));
            }
            rgb.truncate(start + columns * 3);
        }
        rgb
    }

    /// The samples as numbers, sign and unused high bits resolved.
    fn values<'a>(&self, bytes: &'a [u8]) -> Box<dyn Iterator<Item = i32> + 'a> {
        let unused = 32 - self.stored;
        let signed = self.signed;
        let resolve = move |raw: u32| {
            if signed {
                ((raw << unused) as i32) >> unused
            } else {
                ((raw << unused) >> unused) as i32
            }
        };
        if self.wide {
            let words = bytes.as_chunks().0.iter();
            Box::new(words.map(move |b| resolve(u32::from(u16::from_le_bytes(*b)))))
        } else {
            Box::new(bytes.iter().map(move |&b| resolve(u32::from(b))))
        }
    }

    /// Grey samples as displayed: through the window if there is one (PS3.3 C.11.2.1.2.1), else
    /// over the full range of the stored bits.
    fn grey(&self, mut bytes: Vec<u8>, white_is_low: bool) -> Vec<u8> {
        let plain = !self.wide && self.stored == 8 && !self.signed && self.window.is_none();
        if plain {
            if white_is_low {
                for v in &mut bytes {
                    *v = 255 - *v;
                }
            }
            bytes.truncate(self.pixel_count());
            return bytes;
        }
        let levels = f64::from(1u32 << self.stored);
        let low = if self.signed { -levels / 2.0 } else { 0.0 };
        let shown = |v: i32| {
            let x = f64::from(v);
            let unit = match self.window {
                Some((centre, width)) if width > 1.0 => (x - (centre - 0.5)) / (width - 1.0) + 0.5,
                Some((centre, _)) => f64::from(u8::from(x > centre - 0.5)),
                None => (x - low) / (levels - 1.0),
            };
            let level = (unit.clamp(0.0, 1.0) * 255.0).round() as u8;
            if white_is_low { 255 - level } else { level }
        };
        self.values(&bytes).take(self.pixel_count()).map(shown).collect()
    }

    /// Colour samples: the 8 most significant stored bits.
    fn to_8_bits(&self, bytes: Vec<u8>) -> Vec<u8> {
        if self.wide {
            let shift = self.stored.saturating_sub(8);
            self.values(&bytes).map(|v| (v >> shift).clamp(0, 255) as u8).collect()
        } else {
            bytes
        }
    }

    /// Colour samples, pixel by pixel.
    fn interleaved(&self, bytes: Vec<u8>) -> Vec<u8> {
        let mut bytes = self.to_8_bits(bytes);
        let n = self.pixel_count();
        bytes.truncate(n * 3);
        if !self.planes_apart {
            return bytes;
        }
        let (first, rest) = bytes.split_at(n);
        let (second, third) = rest.split_at(n);
        first.iter().zip(second).zip(third).flat_map(|((&a, &b), &c)| [a, b, c]).collect()
    }

    /// Unpacks one RLE frame (PS3.5 G) to planes of samples, little endian.
    pub(super) fn unpack_rle(&self, bytes: &[u8]) -> Result<Vec<u8>, StillError> {
        let width = if self.wide { 2 } else { 1 };
        let wanted = self.colour.samples() as usize * width;
        let word = |i: usize| {
            bytes
                .get(i * 4..i * 4 + 4)
                .and_then(|b| b.first_chunk())
                .map(|b| u32::from_le_bytes(*b))
        };
        if word(0) != Some(wanted as u32) || bytes.len() < 64 {
            let cause = format!("an RLE frame that does not hold {wanted} segments");
            return Err(StillError::dicom(cause));
        }
        let n = self.pixel_count();
        let mut out = vec![0; n * wanted];
        for segment in 0..wanted {
            let start = word(1 + segment).unwrap_or(0) as usize;
            let data = bytes.get(start.max(64)..).ok_or_else(|| {
                StillError::Truncated("an RLE segment lies behind the end".into())
            })?;
            // Segments hold the most significant byte first; samples are written little endian.
            let (sample, byte) = (segment / width, width - 1 - segment % width);
            let target =
                out[sample * n * width..][..n * width].iter_mut().skip(byte).step_by(width);
            let mut count = 0;
            for (to, from) in target.zip(PackBits::new(data)) {
                *to = from;
                count += 1;
            }
            if count < n {
                return Err(StillError::Truncated(format!(
                    "an RLE segment ends after {count} of {n} samples"
                )));
            }
        }
        Ok(out)
    }
}

/// Full-range `Y'CbCr` (BT.601) to R'G'B' (PS3.3 C.7.6.3.1.2).
fn to_rgb([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let (y, cb, cr) = (f32::from(y), f32::from(cb) - 128.0, f32::from(cr) - 128.0);
    [1.402 * cr, -0.344_136 * cb - 0.714_136 * cr, 1.772 * cb]
        .map(|d| (y + d).round().clamp(0.0, 255.0) as u8)
}
