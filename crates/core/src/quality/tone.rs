//! Black, white and colour of the whole picture. Pure.

use crate::frame::{ColorRange, Frame, PixelFormat};
use crate::picture::luma;

/// Rows that are looked at, and pixels of a row from one to the next.
const ROWS: u32 = 120;
const APART: usize = 4;
/// Spread of a pixel's channels from which it has colour at all: above what rounding makes of grey.
const COLOURED: u8 = 16;
/// Luma code below which limited range has nothing but overshoot, and the part of a picture that
/// overshoot does not reach.
const BELOW: usize = 6;
const BELOW_SHARE: f32 = 0.0015;
/// What limited range that is shown as full has for black and for white, as R'G'B': 16 and 235. Colour
/// bars of three quarters end at 191.
const BLACK: std::ops::RangeInclusive<usize> = 15..=22;
const WHITE: std::ops::RangeInclusive<usize> = 198..=238;
/// Part of the pixels at the darkest code and around it that makes it the screen's black.
const BLACK_SHARE: f32 = 0.0015;
/// Part of the pixels that may lie below black and above white: what a codec and rounding of colours make.
const STRAY_BLACK: f32 = 0.003;
const STRAY_WHITE: f32 = 0.0005;

/// Spread of a pixel's channels from which its colour is a strong one: those of a colour bar reach a
/// range's both ends. And the part of the pixels that must be so.
const STRONG: u8 = 150;
const STRONG_SHARE: f32 = 0.0005;
/// Where the strong colours of limited range that is shown as full end, and the part of them that
/// lies beyond: edges, where colour is coarser than luma.
const LOW: std::ops::RangeInclusive<usize> = 12..=20;
const HIGH: std::ops::RangeInclusive<usize> = 230..=241;
const BEYOND: f32 = 0.05;
/// Chroma codes that limited range does not reach by overshoot, and the part of a picture that makes
/// them no accident.
const CHROMA: std::ops::RangeInclusive<u8> = 8..=247;
const CHROMA_SHARE: f32 = 0.0001;

/// What one look at the tones says; `None` where it cannot tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tone {
    pub(super) grey: Option<bool>,
    pub(super) narrow: Option<bool>,
    pub(super) clipped: Option<bool>,
}

/// Looks at a lattice of the picture.
pub(super) fn look(frame: &Frame, row: &mut Vec<[u8; 3]>) -> Tone {
    let height = frame.height();
    let rows = ROWS.min(height);
    row.resize(frame.width() as usize, [0; 3]);
    let mut codes = [0u32; 256];
    let mut raw = [0u32; 256];
    let (mut low, mut high) = ([0u32; 256], [0u32; 256]);
    let (mut coloured, mut strong, mut count) = (0u32, 0u32, 0u32);
    let (mut chroma, mut outside) = (0u32, 0u32);
    for i in 0..rows {
        let y = (2 * i + 1) * height / (2 * rows);
        frame.rgb_span(y, 0, row);
        for &[r, g, b] in row.iter().step_by(APART) {
            let (least, most) = (r.min(g).min(b), r.max(g).max(b));
            coloured += u32::from(most - least > COLOURED);
            if most - least >= STRONG {
                low[usize::from(least)] += 1;
                high[usize::from(most)] += 1;
                strong += 1;
            }
            codes[luma(r, g, b) as usize & 255] += 1;
            count += 1;
        }
        frame.luma_codes(y, APART, |code| raw[usize::from(code)] += 1);
        for x in (0..frame.width()).step_by(APART) {
            let Some(codes) = frame.chroma_codes(x, y) else { break };
            chroma += 1;
            outside += u32::from(codes.iter().any(|code| !CHROMA.contains(code)));
        }
    }
    let share = |n: u32| n as f32 / count.max(1) as f32;
    let limited = frame.format().colorimetry.range == ColorRange::Limited
        && !matches!(
            frame.format().pixel,
            PixelFormat::Rgb | PixelFormat::Bgrx | PixelFormat::Gray8
        );
    let below: u32 = raw[..BELOW].iter().sum();
    // A picture with nothing on it has neither black nor white.
    let spread = quantile(&codes, count, 0.999).saturating_sub(quantile(&codes, count, 0.01));
    let plain = spread < 60;
    Tone {
        grey: (!plain).then_some(coloured == 0),
        narrow: (!plain).then(|| {
            is_narrow(&codes, count)
                || (share(strong) >= STRONG_SHARE
                    && LOW.contains(&quantile(&low, strong, BEYOND))
                    && HIGH.contains(&quantile(&high, strong, 1.0 - BEYOND)))
        }),
        clipped: (limited && !plain).then_some(
            share(below) >= BELOW_SHARE || outside as f32 / chroma.max(1) as f32 >= CHROMA_SHARE,
        ),
    }
}

/// Whether the screen's black and white are those of limited range.
fn is_narrow(codes: &[u32; 256], count: u32) -> bool {
    let (black, white) =
        (quantile(codes, count, STRAY_BLACK), quantile(codes, count, 1.0 - STRAY_WHITE));
    let near: u32 = codes[black.saturating_sub(1)..=(black + 5).min(255)].iter().sum();
    BLACK.contains(&black) && WHITE.contains(&white) && near as f32 >= BLACK_SHARE * count as f32
}

/// The code that `part` of the pixels lie below.
fn quantile(codes: &[u32; 256], count: u32, part: f32) -> usize {
    let mut left = (part * count as f32) as u32;
    for (code, &n) in codes.iter().enumerate() {
        if n > left {
            return code;
        }
        left -= n;
    }
    255
}
