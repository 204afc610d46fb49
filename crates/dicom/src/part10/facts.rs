//! The elements of a data set that describe its picture, gathered as they come.

use super::elements::Tag;
use super::palette::PaletteFacts;
use super::pixels::{Colour, Picture};
use super::times::TimeFacts;
use crate::{Kind, StillError};

/// The elements that describe a picture, as read; most are optional in some files.
#[derive(Debug, Default)]
pub(super) struct PictureFacts {
    samples: Option<u16>,
    photometric: String,
    planar: u16,
    /// Number of Frames; 0 is written by some devices for one.
    pub frames: Option<u32>,
    rows: Option<u16>,
    columns: Option<u16>,
    allocated: Option<u16>,
    stored: Option<u16>,
    signed: bool,
    window: [Option<f64>; 2],
    palette: [PaletteFacts; 3],
    pub times: TimeFacts,
}

impl PictureFacts {
    /// Tells whether [`Self::take`] uses the element.
    pub(super) fn wants(tag: Tag) -> bool {
        TimeFacts::wants(tag)
            || tag.0 == 0x0028
                && matches!(
                    tag.1,
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
    }

    /// Takes one element's value. A value that cannot be read counts as absent.
    pub(super) fn take(&mut self, tag: Tag, value: &[u8]) {
        if TimeFacts::wants(tag) {
            return self.times.take(tag, value);
        }
        let short = || value.first_chunk().map(|b| u16::from_le_bytes(*b));
        let text = String::from_utf8_lossy(value);
        let text = text.trim_matches(['\0', ' ']);
        let number = || text.split('\\').next()?.trim().parse::<f64>().ok();
        match tag.1 {
            0x0002 => self.samples = short(),
            0x0004 => text.clone_into(&mut self.photometric),
            0x0006 => self.planar = short().unwrap_or(0),
            0x0008 => self.frames = number().map(|n| n as u32).filter(|n| *n > 0),
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
            v.ok_or_else(|| StillError::dicom(format!("the header does not say its {what}")))
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
            // The decoder of JPEG 2000 undoes these itself.
            "YBR_ICT" | "YBR_RCT" if compressed => Colour::Rgb,
            "PALETTE COLOR" => palette(self.palette)?,
            other if compressed && !other.is_empty() => Colour::Ybr,
            // Some small writers leave it out.
            "" if self.samples == Some(3) => Colour::Rgb,
            "" if self.samples.is_none_or(|s| s == 1) => Colour::Grey { white_is_low: false },
            other => {
                return Err(StillError::Unsupported(format!(
                    "is a {} file with photometric interpretation \"{other}\", which is not \
                     read: MONOCHROME1, MONOCHROME2, RGB, YBR_FULL, YBR_FULL_422 and PALETTE COLOR are",
                    Kind::Dicom.as_str()
                )));
            }
        };
        let samples = colour.samples();
        if self.samples.is_some_and(|s| u32::from(s) != samples) {
            return Err(StillError::dicom(format!(
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
            colour,
            wide: allocated == 16,
            stored: u32::from(stored),
            signed: self.signed,
            planes_apart: self.planar == 1 && samples == 3 && !compressed,
            window,
        })
    }
}

/// The three tables, all of which a palette has (PS3.3 C.7.6.3.1.5 and C.7.6.3.1.6).
fn palette([red, green, blue]: [PaletteFacts; 3]) -> Result<Colour, StillError> {
    let table = |facts: PaletteFacts, colour: &str| {
        let told = |what| StillError::dicom(format!("PALETTE COLOR whose {colour} table {what}"));
        facts.table().map_err(told)
    };
    let tables = [table(red, "red")?, table(green, "green")?, table(blue, "blue")?];
    Ok(Colour::Palette(Box::new(tables)))
}
