//! Simulated faults: pure functions of simulated pictures. No grabber stands behind them.

use bytes::Bytes;
use sonofuse_core::frame::{
    ColorMatrix, ColorRange, Colorimetry, Frame, FrameFormat, FrameMeta, PixelFormat,
};
use sonofuse_core::layout::ScreenLayout;
use sonofuse_core::quality::Fault;
use sonofuse_core::region::Region;

/// A simulated screen, `BGRx`, and where its views are.
#[derive(Clone, Copy)]
pub(crate) struct Made<'a> {
    pub bgrx: &'a [u8],
    pub views: [Option<Region>; 2],
    pub width: u32,
    pub height: u32,
    /// Number of the picture: what happens at random, and how far the probe went between two fields,
    /// follow from it.
    pub number: u64,
}

/// A picture in planes of R'G'B'.
struct Rgb {
    width: usize,
    height: usize,
    px: Vec<[f32; 3]>,
}

impl Rgb {
    fn of(bgrx: &[u8], width: u32, height: u32) -> Self {
        let px = bgrx.as_chunks::<4>().0.iter();
        let px = px.map(|p| [f32::from(p[2]), f32::from(p[1]), f32::from(p[0])]).collect();
        Self { width: width as usize, height: height as usize, px }
    }

    fn at(&self, x: usize, y: usize) -> [f32; 3] {
        self.px[y.min(self.height - 1) * self.width + x.min(self.width - 1)]
    }

    /// Scaled by linear interpolation, as cheap scalers do.
    fn scaled(&self, [sx, sy]: [f32; 2]) -> Self {
        let width = (self.width as f32 * sx) as usize & !1;
        let height = (self.height as f32 * sy) as usize & !1;
        let px = (0..width * height).map(|i| {
            let (x, y) = ((i % width) as f32, (i / width) as f32);
            let fx = ((x + 0.5) / sx - 0.5).max(0.0);
            let fy = ((y + 0.5) / sy - 0.5).max(0.0);
            let (x0, y0) = (fx as usize, fy as usize);
            let (wx, wy) = (fx.fract(), fy.fract());
            let mix = |a: f32, b: f32, w: f32| a + (b - a) * w;
            std::array::from_fn(|c| {
                let upper = mix(self.at(x0, y0)[c], self.at(x0 + 1, y0)[c], wx);
                let lower = mix(self.at(x0, y0 + 1)[c], self.at(x0 + 1, y0 + 1)[c], wx);
                mix(upper, lower, wy)
            })
        });
        let px = px.collect();
        Self { width, height, px }
    }

    /// I420 in BT.709; chroma is the mean of `coarse` × `coarse` pixels.
    fn frame(&self, range: ColorRange, says: ColorRange, coarse: usize) -> Frame {
        let (width, height) = (self.width & !1, self.height & !1);
        let mut format = FrameFormat::packed(PixelFormat::I420, width as u32, height as u32);
        format.colorimetry = Colorimetry { matrix: ColorMatrix::Bt709, range: says };
        let (offset, luma, chroma) = match range {
            ColorRange::Limited => (16.0, 219.0 / 255.0, 224.0 / 255.0),
            ColorRange::Full => (0.0, 1.0, 1.0),
        };
        let mut data = vec![0u8; format.required_len().unwrap()];
        let grey = |[r, g, b]: [f32; 3]| 0.2126 * r + 0.7152 * g + 0.0722 * b;
        for y in 0..height {
            for x in 0..width {
                data[y * width + x] = (offset + grey(self.at(x, y)) * luma).round() as u8;
            }
        }
        let mean = |x0: usize, y0: usize| -> [f32; 3] {
            let mut sum = [0f32; 3];
            for y in y0..y0 + coarse {
                for x in x0..x0 + coarse {
                    let p = self.at(x, y);
                    sum.iter_mut().zip(p).for_each(|(s, v)| *s += v);
                }
            }
            sum.map(|s| s / (coarse * coarse) as f32)
        };
        for y in 0..height / 2 {
            for x in 0..width / 2 {
                let p = mean(x * 2 / coarse * coarse, y * 2 / coarse * coarse);
                let l = grey(p);
                let cb = 128.0 + (p[2] - l) / 1.8556 * chroma;
                let cr = 128.0 + (p[0] - l) / 1.5748 * chroma;
                let at = format.planes[1].offset + y * width / 2 + x;
                data[at] = cb.round().clamp(0.0, 255.0) as u8;
                let at = format.planes[2].offset + y * width / 2 + x;
                data[at] = cr.round().clamp(0.0, 255.0) as u8;
            }
        }
        Frame::new(format, FrameMeta::default(), Bytes::from(data)).unwrap()
    }
}

/// The picture as it comes with a fault, and what its sides were scaled by; `None` where none comes.
pub(crate) fn make(fault: Option<Fault>, made: &Made<'_>) -> Option<(Frame, [f32; 2])> {
    use ColorRange::{Full, Limited};
    let Made { bgrx, views, width, height, number } = *made;
    let dice = (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) % 100;
    let mut rgb = Rgb::of(bgrx, width, height);
    let mut scale = [1.0, 1.0];
    let (mut range, mut coarse) = (Limited, 2);
    match fault {
        Some(Fault::RedBlueSwapped) => rgb.px.iter_mut().for_each(|p| p.swap(0, 2)),
        Some(Fault::GreyOnly) => {
            rgb.px.iter_mut().for_each(|p| *p = [0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]; 3]);
        }
        Some(Fault::RangeClipped) => range = Full,
        Some(Fault::RangeNarrow) => {
            rgb.px.iter_mut().for_each(|p| *p = p.map(|v| 16.0 + v * 219.0 / 255.0));
        }
        Some(Fault::Combed) => {
            // A sweep: up to four pixels from field to field.
            let shift = (4.0 * (number as f32 * 0.9).sin()).round() as i64;
            for view in views.into_iter().flatten() {
                let (x0, x1) = (view.x0() as usize, view.x1() as usize);
                for y in (view.y0()..view.y1()).filter(|y| y % 2 == 1) {
                    let at = y as usize * rgb.width;
                    let row = &mut rgb.px[at + x0..at + x1];
                    let by = shift.rem_euclid(row.len() as i64) as usize;
                    row.rotate_right(by);
                }
            }
        }
        Some(Fault::Enlarged) => {
            scale = [4.0 / 3.0; 2];
            rgb = rgb.scaled(scale);
        }
        Some(Fault::Squeezed) => {
            scale = [0.75, 1.0];
            rgb = rgb.scaled(scale);
        }
        Some(Fault::ChromaHalvedTwice) => coarse = 4,
        Some(Fault::Dropped) if dice < 15 => return None,
        _ => {}
    }
    if fault == Some(Fault::Repeated) && dice < 15 {
        return None;
    }
    Some((rgb.frame(range, Limited, coarse), scale))
}

/// A layout on a picture whose sides were scaled.
pub(crate) fn scaled(layout: &ScreenLayout, [sx, sy]: [f32; 2]) -> ScreenLayout {
    let region = |r: Region| {
        let x = |v: u32| (v as f32 * sx).round() as u32;
        let y = |v: u32| (v as f32 * sy).round() as u32;
        Region::new(x(r.x0()), y(r.y0()), x(r.x1()), y(r.y1())).unwrap_or(r)
    };
    ScreenLayout {
        bmode_view: region(layout.bmode_view),
        elastogram_view: region(layout.elastogram_view),
        bmode_box: region(layout.bmode_box),
        elastogram_box: region(layout.elastogram_box),
        colour_bar: layout.colour_bar.map(region),
        ..*layout
    }
}
