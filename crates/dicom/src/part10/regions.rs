//! The regions of an ultrasound frame: where they lie and how large a pixel is (PS3.3 C.8.5.5).

use sonofuse_core::region::Region;

use super::elements::Tag;

/// What a region's axis counts in (PS3.3 C.8.5.5.1.15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegionUnit {
    /// Centimetres.
    Centimetres,
    /// Seconds.
    Seconds,
    /// Hertz.
    Hertz,
    /// Centimetres a second.
    CentimetresPerSecond,
    /// Any other, by its number in the file.
    Other(u16),
}

impl RegionUnit {
    const fn of(code: u16) -> Self {
        match code {
            3 => Self::Centimetres,
            4 => Self::Seconds,
            5 => Self::Hertz,
            7 => Self::CentimetresPerSecond,
            other => Self::Other(other),
        }
    }
}

/// One item of the Sequence of Ultrasound Regions (0018,6011).
#[derive(Clone, Debug, PartialEq)]
pub struct UltrasoundRegion {
    /// Where it lies on the frame; `None` when its corners are none.
    pub bounds: Option<Region>,
    /// Region Spatial Format: 1 is a 2D image, 2 M-mode, 3 spectral, 4 a wave form, 5 a graphic.
    pub spatial_format: u16,
    /// Region Data Type: 1 is tissue, 2 colour flow, 13 a grey bar, 14 a colour bar (PS3.3 C.8.5.5.1.2).
    pub data_type: u16,
    /// What x and y count in.
    pub units: [RegionUnit; 2],
    /// Change a pixel in x and y, in [`UltrasoundRegion::units`].
    pub delta: [f64; 2],
}

impl UltrasoundRegion {
    /// Millimetres a pixel in x and y; `None` where an axis is no length.
    pub fn mm_per_px(&self) -> Option<[f64; 2]> {
        let lengths = self.units == [RegionUnit::Centimetres; 2];
        let sizes = self.delta.map(|d| d.abs() * 10.0);
        (lengths && sizes.iter().all(|s| s.is_finite() && *s > 0.0)).then_some(sizes)
    }
}

/// Most regions that are kept of a file: a screen has a handful.
const MOST: usize = 64;

/// An item as it is read.
#[derive(Debug, Default)]
struct Item {
    corners: [u32; 4],
    format: u16,
    data_type: u16,
    units: [u16; 2],
    delta: [f64; 2],
}

/// The items of the sequence.
#[derive(Debug, Default)]
pub(super) struct RegionFacts(Vec<Item>);

impl RegionFacts {
    /// Tells whether [`Self::take`] uses the element of an item.
    pub(super) fn wants(tag: Tag) -> bool {
        tag.0 == 0x0018
            && matches!(
                tag.1,
                0x6012
                    | 0x6014
                    | 0x6018
                    | 0x601A
                    | 0x601C
                    | 0x601E
                    | 0x6024
                    | 0x6026
                    | 0x602C
                    | 0x602E
            )
    }

    /// Begins an item.
    pub(super) fn item(&mut self) {
        if self.0.len() < MOST {
            self.0.push(Item::default());
        }
    }

    /// Takes one element of the newest item.
    pub(super) fn take(&mut self, tag: Tag, value: &[u8]) {
        let Some(item) = self.0.last_mut() else { return };
        let short = value.first_chunk().map_or(0, |b| u16::from_le_bytes(*b));
        let long = value.first_chunk().map_or(0, |b| u32::from_le_bytes(*b));
        let double = value.first_chunk().map_or(0.0, |b| f64::from_le_bytes(*b));
        match tag.1 {
            0x6012 => item.format = short,
            0x6014 => item.data_type = short,
            0x6018 => item.corners[0] = long,
            0x601A => item.corners[1] = long,
            0x601C => item.corners[2] = long,
            0x601E => item.corners[3] = long,
            0x6024 => item.units[0] = short,
            0x6026 => item.units[1] = short,
            0x602C => item.delta[0] = double,
            0x602E => item.delta[1] = double,
            _ => {}
        }
    }

    /// The regions; the file's corners are pixels of the region, ours are half-open.
    pub(super) fn regions(self) -> Vec<UltrasoundRegion> {
        let region = |item: Item| {
            let [x0, y0, x1, y1] = item.corners;
            UltrasoundRegion {
                bounds: Region::new(x0, y0, x1.saturating_add(1), y1.saturating_add(1)),
                spatial_format: item.format,
                data_type: item.data_type,
                units: item.units.map(RegionUnit::of),
                delta: item.delta,
            }
        };
        self.0.into_iter().map(region).collect()
    }
}
