//! The rulers beside a view: ticks at one distance, and the numbers of the depth ruler. Pure.

use super::{Scale, ScaleFrom};
use crate::frame::Frame;
use crate::layout::labels::Reader;
use crate::picture::luma;
use crate::region::Region;

/// How far beside a view its ticks are looked for, and how far their numbers, px.
const BESIDE_PX: u32 = 20;
const NUMBERS_PX: u32 = 64;
/// Least brightness of a tick over what is beside it, code values.
const INK: i16 = 40;
/// Thickest tick, px.
const THICK: usize = 3;
/// Least and most ticks.
const TICKS: std::ops::RangeInclusive<usize> = 5..=100;
/// How far a tick may be off its place: drawn on whole pixels, at a distance that is none.
const OFF_PX: f32 = 1.6;
/// Least part of the view's side that the ticks go along.
const ALONG: f32 = 0.5;
/// Millimetres that the two rulers may differ by, as a part, before the picture was squeezed; and from
/// where on they count other units.
const UNLIKE: std::ops::RangeInclusive<f32> = 0.05..=0.35;
/// Looks between two readings of the numbers.
const EVERY: u32 = 8;
/// Depths that a ruler may have, cm.
const DEPTH_CM: std::ops::RangeInclusive<f32> = 1.0..=40.0;

/// What is known of a view's rulers.
#[derive(Debug, Default)]
pub(super) struct Rulers {
    reader: Reader,
    down_px: Option<f32>,
    across_px: Option<f32>,
    scale: Option<Scale>,
    looks: u32,
}

impl Rulers {
    /// Looks beside and above each of `views`, which have one scale: often only the outer one has a
    /// ruler.
    pub(super) fn look(&mut self, frame: &Frame, views: [&Region; 2], line: &mut Vec<i16>) {
        let mut found = false;
        for view in views {
            found = self.look_at(frame, view, line);
            if found {
                break;
            }
        }
        if !found {
            (self.scale, self.looks) = (None, 0);
        }
    }

    /// Looks beside and above one view; `false` where no depth ruler is beside it.
    fn look_at(&mut self, frame: &Frame, view: &Region, line: &mut Vec<i16>) -> bool {
        let bounds = frame.bounds();
        let right = Region::new(view.x1(), view.y0(), view.x1() + BESIDE_PX, view.y1());
        let left =
            Region::new(view.x0().saturating_sub(BESIDE_PX), view.y0(), view.x0(), view.y1());
        let above =
            Region::new(view.x0(), view.y0().saturating_sub(BESIDE_PX), view.x1(), view.y0());
        let clip = |r: Option<Region>| r.and_then(|r| r.intersect(&bounds));
        let beside = [clip(right), clip(left)];
        let found = beside.into_iter().flatten().find_map(|r| {
            let along = r.height() as usize;
            spacing(frame, r.x0()..r.x1(), along, line, |x, i| (x, r.y0() + i as u32))
                .map(|px| (px, r.x0() >= view.x1()))
        });
        self.down_px = found.map(|(px, _)| px);
        self.across_px = clip(above).and_then(|r| {
            let along = r.width() as usize;
            spacing(frame, r.y0()..r.y1(), along, line, |y, i| (r.x0() + i as u32, y))
        });
        let Some((px, on_the_right)) = found else { return false };
        if self.looks.is_multiple_of(EVERY) {
            self.scale = self.numbers(frame, view, px, on_the_right);
        }
        self.looks = self.looks.wrapping_add(1);
        true
    }

    /// What the numbers beside the ticks make of their distance: centimetres, in halves or wholes.
    fn numbers(&mut self, frame: &Frame, view: &Region, px: f32, right: bool) -> Option<Scale> {
        let strip = if right {
            Region::new(view.x1(), view.y0(), view.x1() + NUMBERS_PX, view.y1())
        } else {
            Region::new(view.x0().saturating_sub(NUMBERS_PX), view.y0(), view.x0(), view.y1())
        };
        let strip = strip?.intersect(&frame.bounds())?;
        let cm_per_px = self.reader.depth(frame, &strip)?;
        let cm_per_tick = cm_per_px * px;
        let told = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0];
        let cm = told.into_iter().find(|cm: &f32| (cm_per_tick / cm - 1.0).abs() < 0.06)?;
        let depth_cm = cm / px * view.height() as f32;
        let mm_per_px = 10.0 * cm / px;
        let mm_per_px = (mm_per_px * 1e4).round() / 1e4;
        DEPTH_CM.contains(&depth_cm).then_some(Scale { mm_per_px, from: ScaleFrom::Ruler })
    }

    /// How large a pixel is, where the ruler tells.
    pub(super) const fn scale(&self) -> Option<Scale> {
        self.scale
    }

    /// Whether the rulers across and down differ; `None` where one is missing or counts something else.
    pub(super) fn squeezed(&self) -> Option<bool> {
        let ratio = self.across_px? / self.down_px?;
        // Ticks of one may stand for half, or twice, or five times as much as those of the other.
        let units = [0.2, 0.5, 1.0, 2.0, 5.0];
        let unlike = units.into_iter().map(|u: f32| (ratio / u).ln().abs()).fold(9.0, f32::min);
        if unlike > *UNLIKE.end() {
            return None;
        }
        Some(unlike > *UNLIKE.start())
    }
}

/// Distance of the ticks that cross one of the `lines`, `along` pixels long: that of the line with most.
fn spacing(
    frame: &Frame,
    lines: std::ops::Range<u32>,
    along: usize,
    line: &mut Vec<i16>,
    place: impl Fn(u32, usize) -> (u32, u32),
) -> Option<f32> {
    let mut best: Option<(usize, f32)> = None;
    for at in lines {
        line.clear();
        for i in 0..along {
            let (x, y) = place(at, i);
            let mut p = [[0; 3]];
            frame.rgb_span(y, x, &mut p);
            let [[r, g, b]] = p;
            line.push(luma(r, g, b) as i16);
        }
        if let Some(found) = ticks(line)
            && best.is_none_or(|(most, _)| found.0 > most)
        {
            best = Some(found);
        }
    }
    best.map(|(_, px)| px)
}

/// How many ticks at one distance there are on a line, and their distance; `None` where other things are.
fn ticks(line: &[i16]) -> Option<(usize, f32)> {
    let mut places = [0f32; 101];
    let mut count = 0;
    let mut i = 1;
    while i + 1 < line.len() {
        let ground = line[i - 1];
        if line[i] - ground < INK {
            i += 1;
            continue;
        }
        let from = i;
        while i < line.len() && line[i] - ground >= INK / 2 && i - from <= THICK {
            i += 1;
        }
        let ends = i < line.len() && line[i] - ground < INK / 2;
        if !ends || count == places.len() {
            return None;
        }
        places[count] = (from + i - 1) as f32 / 2.0;
        count += 1;
    }
    if !TICKS.contains(&count) {
        return None;
    }
    let (first, last) = (places[0], places[count - 1]);
    let px = (last - first) / (count - 1) as f32;
    let regular = places[..count]
        .iter()
        .enumerate()
        .all(|(k, at)| (first + k as f32 * px - at).abs() <= OFF_PX);
    (regular && px >= 5.0 && last - first >= ALONG * line.len() as f32).then_some((count, px))
}
