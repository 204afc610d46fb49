//! Whether edges are as sharp as a scanner draws them. Pure.
//!
//! Text and lines on a screen step from ground to ink within one pixel, or two where they are
//! smoothed; a picture that was enlarged has no such step. Looked at along rows and along columns, so
//! that a stretch of one side shows as well.

use crate::frame::Frame;
use crate::picture::luma;

/// Rows and columns that are looked at.
const LINES: u32 = 96;
/// Least height of an edge, code values.
const EDGE: i16 = 80;
/// Part of an edge that its largest step must have to be hard.
const HARD: f32 = 0.9;
/// Edges that a judgement needs, along each side.
const LEAST: u32 = 150;
/// Part of hard edges below which the picture was enlarged. Simulated dual screens have at least 0.24,
/// also through H.264 (crf 28); enlarged by a third they have at most 0.19, most below 0.1.
const SOFT: f32 = 0.17;

#[derive(Default)]
struct Count {
    edges: u32,
    hard: u32,
}

impl Count {
    /// Takes the steps along one line; an edge is a run of steps the same way.
    fn line(&mut self, line: &[i16]) {
        let (mut total, mut most) = (0i16, 0i16);
        for pair in line.windows(2) {
            let step = pair[1] - pair[0];
            if step.signum() != total.signum() || step == 0 {
                self.edge(total, most);
                (total, most) = (0, 0);
            }
            total += step;
            most = most.max(step.abs());
        }
        self.edge(total, most);
    }

    fn edge(&mut self, total: i16, most: i16) {
        if total.abs() >= EDGE {
            self.edges += 1;
            self.hard += u32::from(f32::from(most) >= HARD * f32::from(total.abs()));
        }
    }

    fn is_soft(&self) -> Option<bool> {
        (self.edges >= LEAST).then_some((self.hard as f32) < SOFT * self.edges as f32)
    }
}

/// Tells whether the edges along one of the sides are all soft; `None` where there are too few.
pub(super) fn are_soft(frame: &Frame, row: &mut Vec<[u8; 3]>, line: &mut Vec<i16>) -> Option<bool> {
    let (width, height) = (frame.width(), frame.height());
    let mut along_x = Count::default();
    for i in 0..LINES.min(height) {
        let y = (2 * i + 1) * height / (2 * LINES.min(height));
        row.resize(width as usize, [0; 3]);
        frame.rgb_span(y, 0, row);
        line.clear();
        line.extend(row.iter().map(|&[r, g, b]| luma(r, g, b) as i16));
        along_x.line(line);
    }
    let mut along_y = Count::default();
    let columns = LINES.min(width) as usize;
    // Row by row for all columns: a column at a time would touch each row of memory anew.
    line.clear();
    line.resize(columns * height as usize, 0);
    for y in 0..height {
        for i in 0..columns {
            let x = (2 * i as u32 + 1) * width / (2 * columns as u32);
            let mut p = [[0; 3]];
            frame.rgb_span(y, x, &mut p);
            let [[r, g, b]] = p;
            line[i * height as usize + y as usize] = luma(r, g, b) as i16;
        }
    }
    for column in line.chunks_exact(height as usize) {
        along_y.line(column);
    }
    match (along_x.is_soft(), along_y.is_soft()) {
        (None, None) => None,
        (x, y) => Some(x == Some(true) || y == Some(true)),
    }
}
