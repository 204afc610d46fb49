//! The stiffest circle of a field of cells, by sums along its rows. Pure.

/// Part of a circle's cells that must carry values.
const FILLED: f32 = 0.8;

/// Sums from the left edge, to and without each cell.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    value: f32,
    count: u32,
}

/// A circle and what it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circle {
    /// Mean of its values, on the palette.
    pub(super) mean: f32,
    /// Its values.
    pub(super) count: u32,
    /// Its middle, column and row in cells.
    pub(super) middle: [usize; 2],
}

/// Looks for circles. Keeps its buffers.
#[derive(Debug, Default)]
pub(super) struct Circles {
    sums: Vec<Sum>,
    /// Half width of each row of the circle, from its top, in cells.
    half: Vec<usize>,
}

impl Circles {
    /// The circle of radius `radius` (in cells) within `cols` columns of `values` whose mean is highest;
    /// `None` where none lies wholly within, or all are too empty.
    pub(super) fn stiffest(&mut self, values: &[f32], cols: usize, radius: f32) -> Option<Circle> {
        let rows = values.len() / cols.max(1);
        let reach = radius as usize;
        if radius < 1.5 || 2 * reach + 1 > cols || 2 * reach + 1 > rows {
            return None;
        }
        self.sums.clear();
        for row in values.chunks_exact(cols) {
            let mut sum = Sum::default();
            self.sums.push(sum);
            for v in row {
                if v.is_finite() {
                    sum.value += v;
                    sum.count += 1;
                }
                self.sums.push(sum);
            }
        }
        self.half.clear();
        let square = radius * radius;
        for k in 0..=2 * reach {
            let dy = k as f32 - reach as f32;
            self.half.push((square - dy * dy).max(0.0).sqrt() as usize);
        }
        let cells: usize = self.half.iter().map(|h| 2 * h + 1).sum();
        let least = (FILLED * cells as f32) as u32;
        let mut best: Option<Circle> = None;
        for row in reach..rows - reach {
            for col in reach..cols - reach {
                let (mut value, mut count) = (0.0, 0);
                for (k, half) in self.half.iter().enumerate() {
                    let at = (row - reach + k) * (cols + 1) + col;
                    let (left, right) = (self.sums[at - half], self.sums[at + half + 1]);
                    value += right.value - left.value;
                    count += right.count - left.count;
                }
                let mean = value / count.max(1) as f32;
                if count >= least && best.is_none_or(|b| mean > b.mean) {
                    best = Some(Circle { mean, count, middle: [col, row] });
                }
            }
        }
        best
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stiffest_circle_is_found_and_empty_ones_are_not() {
        let (cols, rows) = (40, 30);
        let at = |col: usize, row: usize| {
            let near = |x: f32, y: f32| (col as f32 - x).hypot(row as f32 - y) <= 5.0;
            match () {
                // Three values alone, however high, make no circle.
                () if col < 3 && row == 0 => 1.0,
                () if near(8.0, 8.0) => f32::NAN,
                () if near(25.0, 15.0) => 0.8,
                () => 0.2,
            }
        };
        let values: Vec<f32> = (0..cols * rows).map(|i| at(i % cols, i / cols)).collect();
        let circle = Circles::default().stiffest(&values, cols, 5.0).unwrap();
        assert_eq!(circle.middle, [25, 15]);
        assert!((circle.mean - 0.8).abs() < 1e-3, "{circle:?}");
        assert!(Circles::default().stiffest(&values, cols, 16.0).is_none(), "higher than the box");
    }
}
