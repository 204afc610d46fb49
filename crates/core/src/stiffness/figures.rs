//! What the values of a box come to, and how far each figure may be off. Pure.

use super::cells::Cells;
use super::circle::{Circle, Circles};
use super::invert::Inversion;
use super::palette::Palette;
use super::{CIRCLE_MM, Origin, Quantity, Scale, Stiffness};

/// From here on a place on the palette is its hard end: what is stiffer looks the same.
const END: f32 = 0.985;
/// Part of the values at the end from which a mean is said to be too low.
const MANY: f32 = 0.02;
/// Each end of the bar is known to so many pixels.
const END_PX: f32 = 1.0;
/// What an uncertainty is in standard deviations.
const WIDE: f32 = 2.0;
/// Radius of the circle by which a stiff area is found where no pixel size is known, as a part of the box's
/// shorter side.
const PART_OF_BOX: f32 = 0.12;
/// Part of the values that a stiff area, and that its surroundings have at least.
const LEAST_AREA: f32 = 0.005;
const LEAST_AROUND: f32 = 0.2;

/// What is looked at.
#[derive(Clone, Copy)]
pub(super) struct Values<'a> {
    pub(super) inversion: &'a Inversion,
    pub(super) palette: &'a Palette,
}

/// Sums figures up. Keeps its buffers.
#[derive(Debug, Default)]
pub(super) struct Figures {
    circles: Circles,
    sorted: Vec<f32>,
    /// Cells of the stiff area, and those whose neighbours are to be looked at.
    area: Vec<bool>,
    open: Vec<usize>,
}

/// Standard uncertainties of a value, as parts of the scale.
struct Doubts {
    /// What shifts all values alike: the bar's ends, the opacity.
    common: f32,
    /// What one cell's value is off by: the video's noise.
    cell: f32,
    /// A step of the palette.
    step: f32,
}

impl Doubts {
    fn of(values: &Values<'_>) -> Self {
        let Values { inversion, palette } = *values;
        let ends = END_PX / palette.length_px as f32;
        let (mut sum, mut n) = (0.0, 0u32);
        // Every value counts little: some will do.
        for v in inversion.values.iter().filter(|v| v.is_finite()).step_by(7) {
            sum += 1.0 / palette.slope(*v).max(1.0);
            n += 1;
        }
        let per_code = sum / n.max(1) as f32;
        let cell = inversion.off_codes / inversion.opacity * per_code;
        let step = 1.0 / palette.steps.max(1) as f32 / 12f32.sqrt();
        Self { common: ends.hypot(inversion.by_opacity), cell, step }
    }

    /// Of the mean of `n` values.
    fn of_mean(&self, n: u32) -> f32 {
        // Neighbours are off alike: a block of a codec holds some.
        let n = (n as f32 / 8.0).max(1.0);
        WIDE * self.common.hypot(self.cell / n.sqrt()).hypot(self.step / n.sqrt())
    }

    /// Of one value among many.
    fn of_one(&self) -> f32 {
        WIDE * self.common.hypot(self.cell).hypot(self.step)
    }
}

impl Figures {
    pub(super) fn of(
        &mut self,
        values: &Values<'_>,
        cells: &Cells,
        scale: Option<Scale>,
        mm_per_px: Option<f32>,
    ) -> Option<Stiffness> {
        let all = &values.inversion.values;
        self.sorted.clear();
        self.sorted.extend(all.iter().filter(|v| v.is_finite()));
        let n = self.sorted.len();
        if n < 2 {
            return None;
        }
        let count = n as f32;
        let doubts = Doubts::of(values);
        let (mut sum, mut squares, mut weight, mut whole) = (0.0, 0.0, 0.0, 0.0);
        for (i, &v) in all.iter().enumerate().filter(|(_, v)| !v.is_infinite()) {
            let w = cells.weight(i);
            whole += w;
            if v.is_finite() {
                weight += w;
                sum += w * v;
                squares += w * v * v;
            }
        }
        let mean = sum / weight;
        let square = (squares / weight - mean * mean).max(0.0);
        let at_end = self.sorted.iter().filter(|v| **v >= END).count() as f32 / count;
        let rank = ((n as f32 * 0.99) as usize).min(n - 1);
        let (_, p99, _) = self.sorted.select_nth_unstable_by(rank, f32::total_cmp);
        let p99 = *p99;
        let mm = mm_per_px.map(|mm| mm * cells.side_px as f32);
        let circle = mm.and_then(|mm| self.circle(all, cells.cols, CIRCLE_MM / 2.0 / mm));
        let short = cells.cols.min(cells.rows) as f32;
        let by = circle.or_else(|| self.circle(all, cells.cols, (PART_OF_BOX * short).max(1.5)));
        let ratio = by.and_then(|circle| self.ratio(all, cells.cols, &circle, mean, &doubts));
        let of_all = doubts.of_mean(n as u32);
        // A spread is what is left of the common shifts' slope, and the noise on top.
        let sd = square.sqrt();
        let of_sd = WIDE * (doubts.cell * doubts.cell + doubts.step * doubts.step)
            / (2.0 * sd.max(0.01))
            + doubts.common * WIDE;
        let quantity = |value: f32, uncertainty: f32, beyond: bool| {
            let max = scale?.max;
            Some(Quantity { value: value * max, uncertainty: uncertainty * max, beyond })
        };
        let filled = weight / whole;
        Some(Stiffness {
            origin: Origin::Screen,
            scale,
            mean: quantity(mean, of_all, at_end >= MANY),
            p99: quantity(p99, doubts.of_one(), p99 >= END),
            sd: quantity(sd, of_sd, at_end >= MANY),
            circle_2mm: circle.filter(|_| mm.is_some()).and_then(|c| {
                quantity(
                    c.mean,
                    doubts.of_mean(c.count),
                    c.mean >= END || at_end_of(all, cells.cols, &c),
                )
            }),
            ratio,
            filled: Quantity { value: filled, uncertainty: border(all, cells.cols), beyond: false },
            opacity: values.inversion.opacity,
        })
    }

    fn circle(&mut self, values: &[f32], cols: usize, radius: f32) -> Option<Circle> {
        self.circles.stiffest(values, cols, radius)
    }

    /// Mean of the area around the stiffest circle that is nearer to it than to the box's mean, by the mean
    /// of the rest.
    fn ratio(
        &mut self,
        values: &[f32],
        cols: usize,
        circle: &Circle,
        mean: f32,
        doubts: &Doubts,
    ) -> Option<Quantity> {
        let least = f32::midpoint(circle.mean, mean);
        let rows = values.len() / cols;
        self.area.clear();
        self.area.resize(values.len(), false);
        self.open.clear();
        let [col, row] = circle.middle;
        // The middle itself may be a hole or a low value.
        for (r, c) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let i = (row + r).min(rows - 1) * cols + (col + c).min(cols - 1);
            if values[i] >= least && values[i].is_finite() && !self.area[i] {
                self.area[i] = true;
                self.open.push(i);
            }
        }
        while let Some(i) = self.open.pop() {
            let (x, y) = (i % cols, i / cols);
            let near = [
                (x > 0).then(|| i - 1),
                (x + 1 < cols).then_some(i + 1),
                (y > 0).then(|| i - cols),
                (y + 1 < rows).then_some(i + cols),
            ];
            for j in near.into_iter().flatten() {
                if !self.area[j] && values[j].is_finite() && values[j] >= least {
                    self.area[j] = true;
                    self.open.push(j);
                }
            }
        }
        let (mut inner, mut outer) = ((0.0, 0u32), (0.0, 0u32));
        for (v, inside) in values.iter().zip(&self.area).filter(|(v, _)| v.is_finite()) {
            let sum = if *inside { &mut inner } else { &mut outer };
            sum.0 += v;
            sum.1 += 1;
        }
        let all = (inner.1 + outer.1) as f32;
        if (inner.1 as f32) < LEAST_AREA * all || (outer.1 as f32) < LEAST_AROUND * all {
            return None;
        }
        let (stiff, around) = (inner.0 / inner.1 as f32, outer.0 / outer.1 as f32);
        let off = |mean: f32, n: u32| doubts.of_mean(n) / mean;
        let uncertain = off(stiff, inner.1).hypot(off(around, outer.1));
        let ratio = stiff / around;
        // A surrounding that is hardly above zero makes any ratio.
        let sound = around > 2.0 * doubts.common && ratio.is_finite() && uncertain < 0.5;
        sound.then_some(Quantity {
            value: ratio,
            uncertainty: ratio * uncertain,
            beyond: stiff >= END,
        })
    }
}

/// Whether a circle holds values at the scale's end.
fn at_end_of(values: &[f32], cols: usize, circle: &Circle) -> bool {
    let [col, row] = circle.middle;
    // As many cells as a disc has: π·r².
    let radius = (circle.count as f32 / std::f32::consts::PI).sqrt() as usize;
    let rows = row.saturating_sub(radius)..(row + radius + 1).min(values.len() / cols);
    let ends = rows
        .flat_map(|y| {
            let from = y * cols;
            &values[from + col.saturating_sub(radius)..from + (col + radius + 1).min(cols)]
        })
        .filter(|v| **v >= END && v.is_finite())
        .count();
    ends as f32 >= MANY * circle.count as f32
}

/// What the filled part may be off by: the cells at the rim of the holes.
fn border(values: &[f32], cols: usize) -> f32 {
    let rim = values
        .chunks_exact(cols)
        .map(|row| row.windows(2).filter(|p| p[0].is_nan() != p[1].is_nan()).count())
        .sum::<usize>();
    0.01 + rim as f32 / values.len() as f32
}
