//! A picture in 4:2:0 that begins black and takes only what is shown. Pure.

use super::Shown;
use crate::frame::Frame;
use crate::region::Region;

/// Code values of black: BT.709, limited range.
const BLACK: [u8; 2] = [16, 128];

/// A picture in 4:2:0, three planes without padding, BT.709 in limited range. Its sides are even: a
/// picture of odd sides gets a black column or row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Planes {
    width: usize,
    height: usize,
    y: Vec<u8>,
    cb: Vec<u8>,
    cr: Vec<u8>,
    rows: [Vec<[u8; 3]>; 2],
}

impl Planes {
    /// Width in pixels, even.
    pub const fn width(&self) -> u32 {
        self.width as u32
    }
    /// Height in pixels, even.
    pub const fn height(&self) -> u32 {
        self.height as u32
    }
    /// The planes Y, Cb, Cr.
    pub fn planes(&self) -> [&[u8]; 3] {
        [&self.y, &self.cb, &self.cr]
    }

    /// Makes a black picture.
    pub(super) fn begin(&mut self, width: u32, height: u32) {
        let even = |side: u32| side.div_ceil(2) as usize * 2;
        (self.width, self.height) = (even(width), even(height));
        let pixels = self.width * self.height;
        for (plane, len, code) in [
            (&mut self.y, pixels, BLACK[0]),
            (&mut self.cb, pixels / 4, BLACK[1]),
            (&mut self.cr, pixels / 4, BLACK[1]),
        ] {
            plane.clear();
            plane.resize(len, code);
        }
        for row in &mut self.rows {
            row.resize(self.width, [0; 3]);
        }
    }

    /// Takes the shown parts of `frame`, which is of the size that was begun; `seen` gets each of their
    /// rows: the row, the first column, the pixels.
    pub(super) fn take(
        &mut self,
        frame: &Frame,
        shown: &Shown,
        mut seen: impl FnMut(u32, u32, &[[u8; 3]]),
    ) {
        for top in (0..frame.height()).step_by(2) {
            let touched = |r: &Region| top + 1 >= r.y0() && top < r.y1();
            let both = shown.both();
            if !both.iter().any(touched) {
                continue;
            }
            for (i, row) in self.rows.iter_mut().enumerate() {
                row.fill([0; 3]);
                let y = top + i as u32;
                for part in both.iter().filter(|r| (r.y0()..r.y1()).contains(&y)) {
                    let span = &mut row[part.x0() as usize..part.x1() as usize];
                    frame.rgb_span(y, part.x0(), span);
                    seen(y, part.x0(), span);
                }
            }
            let half = top as usize / 2 * (self.width / 2);
            for part in both.iter().filter(|r| touched(r)) {
                let (x0, x1) = (part.x0() as usize & !1, (part.x1() as usize).div_ceil(2) * 2);
                for (i, row) in self.rows.iter().enumerate() {
                    let at = (top as usize + i) * self.width;
                    let luma = &mut self.y[at + x0..at + x1];
                    for (code, &rgb) in luma.iter_mut().zip(&row[x0..x1]) {
                        *code = luma_of(rgb);
                    }
                }
                let [upper, lower] = &self.rows;
                let pairs = upper[x0..x1].as_chunks::<2>().0.iter();
                let pairs = pairs.zip(lower[x0..x1].as_chunks::<2>().0);
                let chroma = half + x0 / 2..half + x1 / 2;
                let codes = self.cb[chroma.clone()].iter_mut().zip(&mut self.cr[chroma]);
                for ((cb, cr), (u, l)) in codes.zip(pairs) {
                    (*cb, *cr) = chroma_of([u[0], u[1], l[0], l[1]]);
                }
            }
        }
    }

    /// Luma of the pixels of `region`, row by row.
    pub(super) fn luma(&self, region: &Region, row: usize) -> &[u8] {
        let at = (region.y0() as usize + row) * self.width + region.x0() as usize;
        &self.y[at..at + region.width() as usize]
    }

    /// How far the chroma of row `row` of `region` is from grey, code values, for every other pixel from the
    /// first on.
    pub(super) fn chroma(&self, region: &Region, row: usize, out: &mut Vec<u8>) {
        let y = region.y0() as usize + row;
        let at = y / 2 * (self.width / 2) + region.x0() as usize / 2;
        let span = at..at + (region.width() as usize).div_ceil(2);
        let codes = self.cb[span.clone()].iter().zip(&self.cr[span]);
        let from_grey = |(cb, cr): (&u8, &u8)| cb.abs_diff(BLACK[1]).max(cr.abs_diff(BLACK[1]));
        out.clear();
        out.extend(codes.map(from_grey));
    }

    /// Makes `region` black.
    pub(super) fn blacken(&mut self, region: &Region) {
        let (x0, x1) = (region.x0() as usize, region.x1() as usize);
        for y in region.y0() as usize..region.y1() as usize {
            self.y[y * self.width + x0..y * self.width + x1].fill(BLACK[0]);
            let half = y / 2 * (self.width / 2);
            for plane in [&mut self.cb, &mut self.cr] {
                plane[half + x0 / 2..half + x1.div_ceil(2)].fill(BLACK[1]);
            }
        }
    }
}

/// Y' of BT.709 in limited range.
fn luma_of([r, g, b]: [u8; 3]) -> u8 {
    let sum = 47 * u32::from(r) + 157 * u32::from(g) + 16 * u32::from(b);
    (16 + ((sum + 128) >> 8)) as u8
}

/// Cb and Cr of the mean of four pixels.
fn chroma_of(pixels: [[u8; 3]; 4]) -> (u8, u8) {
    let [r, g, b] = [0, 1, 2].map(|c| pixels.iter().map(|p| i32::from(p[c])).sum::<i32>());
    let code = |sum: i32| (128 + ((sum + 512) >> 10)).clamp(0, 255) as u8;
    (code(-26 * r - 86 * g + 112 * b), code(112 * r - 102 * g - 10 * b))
}
