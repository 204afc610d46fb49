//! What a DICOM file says about its pixels, and the pixels as 8-bit grey or RGB (PS3.3 C.7.6.3).

use sonofuse_core::frame::{Frame, PixelFormat};

use super::super::StillError;
use super::palette::{PaletteFacts, PaletteTable};
use super::rle::PackBits;
use super::{damaged, packed};

/// Time from frame to frame of a cine that does not say: 30 Hz, the usual rate of B-mode loops.
const USUAL_FRAME_TIME_MS: f64 = 1000.0 / 30.0;

/// The elements that describe a picture, as read; most are optional in some files.
#[derive(Debug, Default)]
pub(super) struct PictureFacts {
    samples: Option<u16>,
    photometric: String,
    planar: u16,
    frames: Option<u32>,
    rows: Option<u16>,
    columns: Option<u16>,
    allocated: Option<u16>,
    stored: Option<u16>,
    signed: bool,
    window: [Option<f64>; 2],
    frame_time_ms: Option<f64>,
    cine_rate: Option<f64>,
    palette: [PaletteFacts; 3],
}

impl PictureFacts {
    /// Tells whether [`Self::take`] uses the element.
    pub(super) fn wants(tag: (u16, u16)) -> bool {
        matches!(
            tag,
            (0x0018, 0x0040 | 0x1063)
                | (
                    0x0028,
                    0x0002
                        | 0x0004
                        | 0x0006
                        | 0x0008
                        | 0x0010
                        | 0x0011
                        | 0x0100
                        | 0x0101
                        | 0x0103
                        | 0x1050
                        | 0x1051
                        | 0x1101..=0x1103
                        | 0x1201..=0x1203
                        | 0x1221..=0x1223
                )
        )
    }

    /// Takes one element's value. A value that cannot be read counts as absent.
    pub(super) fn take(&mut self, tag: (u16, u16), value: &[u8]) {
        let short = || value.first_chunk().map(|b| u16::from_le_bytes(*b));
        let text = String::from_utf8_lossy(value);
        let text = text.trim_matches(['\0', ' ']);
        let number = || text.split('\\').next()?.trim().parse::<f64>().ok();
        match tag.1 {
            0x0040 => self.cine_rate = number(),
            0x1063 => self.frame_time_ms = number(),
            0x0002 => self.samples = short(),
            0x0004 => text.clone_into(&mut self.photometric),
            0x0006 => self.planar = short().unwrap_or(0),
            0x0008 => self.frames = number().map(|n| n as u32),
            0x0010 => self.rows = short(),
            0x0011 => self.columns = short(),
            0x0100 => self.allocated = short(),
            0x0101 => self.stored = short(),
            0x0103 => self.signed = short() == Some(1),
            0x1050 => self.window[0] = number(),
            0x1051 => self.window[1] = number(),
            0x1101..=0x1103 => {
                self.palette[usize::from(tag.1 - 0x1101)].describe(value, self.signed);
            }
            0x1201..=0x1203 => self.palette[usize::from(tag.1 - 0x1201)].plain(value),
            0x1221..=0x1223 => self.palette[usize::from(tag.1 - 0x1221)].segmented(value),
            _ => {}
        }
    }

    /// Puts the facts together.
    pub(super) fn picture(self, compressed: bool) -> Result<Picture, StillError> {
        let need = |v: Option<u16>, what: &str| {
            v.ok_or_else(|| damaged(&format!("the header does not say its {what}")))
        };
        let rows = u32::from(need(self.rows, "Rows")?);
        let columns = u32::from(need(self.columns, "Columns")?);
        let colour = match self.photometric.as_str() {
            "MONOCHROME1" => Colour::Grey { white_is_low: true },
            "MONOCHROME2" => Colour::Grey { white_is_low: false },
            "RGB" => Colour::Rgb,
            "YBR_FULL" => Colour::Ybr,
            "YBR_FULL_422" if compressed => Colour::Ybr,
            "YBR_FULL_422" => Colour::Ybr422,
            "PALETTE COLOR" => Colour::Palette(Box::new(self.palette.map(PaletteFacts::table))),
            other if compressed && !other.is_empty() => Colour::Ybr,
            other => {
                return Err(StillError::Unsupported(format!(
                    "is a DICOM file with photometric interpretation \"{other}\", which is not \
                     read: MONOCHROME1, MONOCHROME2, RGB, YBR_FULL, YBR_FULL_422 and PALETTE COLOR are"
                )));
            }
        };
        let samples = match colour {
            Colour::Grey { .. } | Colour::Palette(_) => 1,
            _ => 3,
        };
        if self.samples.is_some_and(|s| s != samples) {
            return Err(damaged(&format!(
                "{} with {} samples a pixel",
                self.photometric,
                self.samples.unwrap_or(0)
            )));
        }
        let allocated = self.allocated.unwrap_or(8);
        if !matches!(allocated, 8 | 16) {
            return Err(StillError::Unsupported(format!(
                "is a DICOM file with {allocated} bits a sample: 8 and 16 are read"
            )));
        }
        let stored = self.stored.unwrap_or(allocated).clamp(1, allocated);
        let window = match self.window {
            [Some(centre), Some(width)] if width >= 1.0 && centre.is_finite() => {
                Some((centre, width))
            }
            _ => None,
        };
        Ok(Picture {
            rows,
            columns,
            // A missing count means one frame; 0 is written by some devices for the same.
            frame_count: self.frames.unwrap_or(1).max(1),
            frame_time_ms: self
                .frame_time_ms
                .filter(|t| *t > 0.0 && t.is_finite())
                .or(self.cine_rate.filter(|r| *r >= 1.0).map(|r| 1000.0 / r))
                .unwrap_or(USUAL_FRAME_TIME_MS),
            samples: u32::from(samples),
            wide: allocated == 16,
            stored: u32::from(stored),
            signed: self.signed,
            planes_apart: self.planar == 1 && samples == 3,
            window,
            colour,
        })
    }
}

#[derive(Clone, Debug)]
enum Colour {
    Grey { white_is_low: bool },
    Rgb,
    Ybr,
    Ybr422,
    Palette(Box<[PaletteTable; 3]>),
}

/// The shape of every frame in the file.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    pub rows: u32,
    pub columns: u32,
    pub frame_count: u32,
    /// Time from frame to frame.
    pub frame_time_ms: f64,
    samples: u32,
    /// Two bytes a sample.
    wide: bool,
    stored: u32,
    signed: bool,
    planes_apart: bool,
    window: Option<(f64, f64)>,
    colour: Colour,
}

impl Picture {
    fn pixel_count(&self) -> usize {
        self.rows as usize * self.columns as usize
    }

    /// Bytes of one native frame.
    pub(super) fn frame_len(&self) -> u64 {
        let bytes = if self.wide { 2 } else { 1 };
        let samples = if matches!(self.colour, Colour::Ybr422) { 2 } else { self.samples };
        u64::from(self.rows) * u64::from(self.columns) * u64::from(samples) * bytes
    }

    /// The same picture with its samples in planes, as RLE delivers them.
    pub(super) fn planar(&self) -> Self {
        Self { planes_apart: self.samples == 3, ..self.clone() }
    }

    /// Turns one native frame's bytes into a frame.
    pub(super) fn frame(&self, bytes: Vec<u8>) -> Result<Frame, StillError> {
        if (bytes.len() as u64) < self.frame_len() {
            return Err(damaged("a frame shorter than its size says"));
        }
        match &self.colour {
            Colour::Grey { white_is_low } => {
                let grey = self.grey(bytes, *white_is_low);
                packed(PixelFormat::Gray8, self, grey)
            }
            Colour::Palette(tables) => {
                let mut rgb = Vec::with_capacity(self.pixel_count() * 3);
                for v in self.values(&bytes) {
                    rgb.extend(tables.each_ref().map(|t| t.at(v)));
                }
                packed(PixelFormat::Rgb, self, rgb)
            }
            Colour::Rgb => packed(PixelFormat::Rgb, self, self.interleaved(bytes)),
            Colour::Ybr => {
                let mut rgb = self.interleaved(bytes);
                for p in rgb.as_chunks_mut().0 {
                    *p = to_rgb(*p);
                }
                packed(PixelFormat::Rgb, self, rgb)
            }
            Colour::Ybr422 => {
                let bytes = self.to_8_bits(bytes);
                let mut rgb = Vec::with_capacity(self.pixel_count() * 3 + 3);
                for &[y0, y1, cb, cr] in bytes.as_chunks().0 {
                    rgb.extend(to_rgb([y0, cb, cr]));
                    rgb.extend(to_rgb([y1, cb, cr]));
                }
                // An odd width cannot be written in this sampling; a short last pair is black.
                rgb.resize(self.pixel_count() * 3, 0);
                packed(PixelFormat::Rgb, self, rgb)
            }
        }
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

    /// Tells whether the lowest value is shown white.
    pub(super) fn is_inverted(&self) -> bool {
        matches!(self.colour, Colour::Grey { white_is_low: true })
    }

    /// Unpacks one RLE frame (PS3.5 G) to planes of samples, little endian.
    pub(super) fn unpack_rle(&self, bytes: &[u8]) -> Result<Vec<u8>, StillError> {
        let width = if self.wide { 2 } else { 1 };
        let wanted = self.samples as usize * width;
        let word = |i: usize| {
            bytes
                .get(i * 4..i * 4 + 4)
                .and_then(|b| b.first_chunk())
                .map(|b| u32::from_le_bytes(*b))
        };
        if word(0) != Some(wanted as u32) || bytes.len() < 64 {
            return Err(damaged(&format!("an RLE frame that does not hold {wanted} segments")));
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
