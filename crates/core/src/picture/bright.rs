//! How bright the bright end of a region is. Pure.

use super::{ROWS, luma};
use crate::frame::Frame;
use crate::region::Region;

/// The luma, in code values, that a tenth of the pixels of `region` reach, looking at 64 of its rows at most:
/// of a B-mode view it tells the gain and, unlike the mean, little of what lies in the view, how deep it goes
/// or how the depths are compensated. `scratch` is one row of pixels, kept by the caller; `None` for a region outside the
/// frame.
pub fn bright_end(frame: &Frame, region: &Region, scratch: &mut Vec<[u8; 3]>) -> Option<f32> {
    let region = region.intersect(&frame.bounds())?;
    scratch.resize(region.width() as usize, [0; 3]);
    let mut counts = [0u32; 256];
    let rows = region.height().min(ROWS);
    for i in 0..rows {
        // The middle of the i-th of `rows` bands.
        let y = ((2 * i + 1) * region.height() / (2 * rows)).min(region.height() - 1);
        frame.rgb_span(region.y0() + y, region.x0(), scratch);
        for &[r, g, b] in scratch.iter() {
            counts[luma(r, g, b).clamp(0, 255) as usize] += 1;
        }
    }
    let most = rows * region.width() / 10;
    let mut above = 0;
    let code = (0..256).rev().find(|code| {
        above += counts[*code];
        above > most
    });
    code.map(|code| code as f32)
}
