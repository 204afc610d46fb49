//! Interlace combing: two moments in one picture, line by line. Pure.
//!
//! In a picture of one moment neighbouring rows are more alike than every second one; where the two
//! fields show different moments it is the other way round. A held probe moves less than that shows:
//! what shows is a sweep of the probe, and a new map that comes between two fields.

use crate::frame::Frame;
use crate::layout::ScreenLayout;
use crate::region::Region;

/// Groups of rows that are looked at in a box, and rows of a group.
const GROUPS: u32 = 8;
const ROWS: usize = 5;
/// How much farther apart neighbours must be than every second row. Simulated screens and the real
/// ones have at most 0.7.
const COMBED: f32 = 1.0;
/// Least difference of neighbouring rows, code values.
const LEAST: f32 = 2.0;

/// Tells whether one of the two boxes is combed.
pub(super) fn is_combed(frame: &Frame, layout: &ScreenLayout, row: &mut Vec<[u8; 3]>) -> bool {
    [&layout.elastogram_box, &layout.bmode_box].into_iter().any(|r| in_region(frame, r, row))
}

fn in_region(frame: &Frame, region: &Region, row: &mut Vec<[u8; 3]>) -> bool {
    let Some(region) = region.intersect(&frame.bounds()) else { return false };
    let (width, height) = (region.width() as usize, region.height());
    if height < GROUPS * 2 * ROWS as u32 || width < 16 {
        return false;
    }
    row.resize(width * ROWS, [0; 3]);
    let (mut near, mut far, mut count) = (0u64, 0u64, 0u64);
    for group in 0..GROUPS {
        let y0 = region.y0() + (2 * group + 1) * height / (2 * GROUPS) - ROWS as u32 / 2;
        for (y, line) in (y0..).zip(row.chunks_exact_mut(width)) {
            frame.rgb_span(y, region.x0(), line);
        }
        let at = |y: usize, x: usize| row[y * width + x];
        for x in (0..width).step_by(2) {
            for y in 0..ROWS - 2 {
                near += distance(at(y, x), at(y + 1, x)) + distance(at(y + 1, x), at(y + 2, x));
                far += 2 * distance(at(y, x), at(y + 2, x));
                count += 2;
            }
        }
    }
    let mean = near as f32 / count.max(1) as f32;
    mean >= LEAST && near as f32 > COMBED * far as f32
}

/// Mean difference of two colours' channels.
fn distance(a: [u8; 3], b: [u8; 3]) -> u64 {
    a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(b))).sum::<u64>() / 3
}
