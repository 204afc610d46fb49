//! Pictures for the checks: arbitrary code values in every format, with padded rows, odd sizes and
//! crops at the edges. The same on every machine.

use bytes::Bytes;
use sonofuse_core::frame::{
    ColorMatrix, ColorRange, Colorimetry, Frame, FrameFormat, FrameMeta, PixelFormat,
};
use sonofuse_core::layout::{HardEnd, Orientation, ScreenLayout};
use sonofuse_core::manifest::{Branch, ChannelOrder, Input, InputSize};
use sonofuse_core::region::Region;

/// One picture, its boxes and a model's input.
#[derive(Clone, Debug)]
pub struct Case {
    /// The frame.
    pub frame: Frame,
    /// Its boxes.
    pub layout: ScreenLayout,
    /// What a model wants.
    pub input: Input,
}

/// A frame of arbitrary code values with padded rows and gaps between its planes.
///
/// # Panics
/// When a side is 0 or beyond [`FrameFormat::MAX_SIDE_PX`].
pub fn noise(pixel: PixelFormat, width: u32, height: u32, seed: u64, c: Colorimetry) -> Frame {
    let mut state = seed;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let mut format = FrameFormat::packed(pixel, width, height);
    format.colorimetry = c;
    let mut offset = 0;
    for i in 0..pixel.plane_count() {
        let rows = if i == 0 { height } else { height.div_ceil(2) } as usize;
        format.planes[i].stride += next() % 40;
        format.planes[i].offset = offset + next() % 9;
        offset = format.planes[i].offset + format.planes[i].stride * rows;
    }
    let data: Vec<u8> = (0..format.required_len().unwrap_or(0)).map(|_| next() as u8).collect();
    Frame::new(format, FrameMeta::default(), Bytes::from(data)).expect("laid out above")
}

/// A manifest's input: torchvision's normalisation for B-mode, Caffe's for the elastogram.
pub fn input(size: InputSize) -> Input {
    Input {
        size,
        bmode: Branch {
            name: "bmode".into(),
            order: ChannelOrder::Rgb,
            mean: [123.675, 116.28, 103.53],
            std: [58.395, 57.12, 57.375],
        },
        elastogram: Branch {
            name: "elastogram".into(),
            order: ChannelOrder::Bgr,
            mean: [103.939, 116.779, 123.68],
            std: [1.0, 1.0, 1.0],
        },
    }
}

fn region([x0, y0, x1, y1]: [u32; 4]) -> Region {
    Region::new(x0, y0, x1, y1).expect("the cases hold pixels")
}

fn layout(bmode: [u32; 4], elastogram: [u32; 4], hard_end: Option<HardEnd>) -> ScreenLayout {
    let (bmode, elastogram) = (region(bmode), region(elastogram));
    ScreenLayout {
        orientation: Orientation::SideBySide,
        bmode_view: bmode,
        elastogram_view: elastogram,
        bmode_box: bmode,
        elastogram_box: elastogram,
        colour_bar: None,
        hard_end,
        confidence: 1.0,
    }
}

const fn native(min_side_px: u32, max_side_px: u32) -> InputSize {
    InputSize::Native { min_side_px, max_side_px, multiple_px: 1, view_width_px: None }
}

/// Every format with every colorimetry, at its own size, reduced and enlarged, odd and at the edges.
pub fn cases() -> Vec<Case> {
    let (w, h) = (331, 203);
    let boxes = [
        ([3, 5, 150, 120], [161, 7, 308, 122]),
        ([0, 0, 64, 65], [w - 65, h - 64, w, h]),
        ([0, 0, w, h], [1, 1, w, h]),
    ];
    let sizes = [
        native(16, 400),
        InputSize::Fixed { width_px: 53, height_px: 37 },
        InputSize::Fixed { width_px: 224, height_px: 224 },
    ];
    let mut cases = Vec::new();
    for size in sizes {
        for (format, pixel) in PixelFormat::ALL.into_iter().enumerate() {
            for (index, (bmode, elastogram)) in boxes.into_iter().enumerate() {
                let (matrix, range) = [
                    (ColorMatrix::Bt601, ColorRange::Limited),
                    (ColorMatrix::Bt601, ColorRange::Full),
                    (ColorMatrix::Bt709, ColorRange::Limited),
                    (ColorMatrix::Bt709, ColorRange::Full),
                ][(index + format) % 4];
                let seed = cases.len() as u64;
                let hard_end =
                    [None, Some(HardEnd::Red), Some(HardEnd::Blue)][(index + format) % 3];
                cases.push(Case {
                    frame: noise(pixel, w, h, seed, Colorimetry { matrix, range }),
                    layout: layout(bmode, elastogram, hard_end),
                    input: input(size),
                });
            }
        }
    }
    cases
}

/// What a grabber delivers: 1080p NV12, two boxes of 620 × 430 px, a model with SPP.
pub fn hot() -> Case {
    Case {
        frame: noise(PixelFormat::Nv12, 1920, 1080, 7, Colorimetry::for_height(1080)),
        layout: layout([200, 220, 820, 650], [1060, 220, 1680, 650], Some(HardEnd::Red)),
        input: input(native(64, 448)),
    }
}

/// A frame whose crops need more memory than a scorer begins with.
pub(super) fn large() -> Case {
    Case {
        frame: noise(PixelFormat::Bgrx, 1920, 1080, 8, Colorimetry::for_height(1080)),
        layout: layout([0, 0, 960, 1080], [960, 0, 1920, 1080], None),
        input: input(native(64, 448)),
    }
}
