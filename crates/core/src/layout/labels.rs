//! Reads the labels beside a colour bar: digits, `H S D F` and `≥ . ,` and nothing else. Words of a
//! language never decide. Pure; runs on the caller's thread.
//!
//! Wrong is worse than absent. A glyph that is not clearly one of them spoils its word; numbers count
//! only where at least three of them lie on one straight line of value over height that begins at
//! an end of the bar with zero; letters only where both ends of the bar have theirs. A depth ruler
//! beside the bar has ticks between its numbers, or goes on beyond the bar.

mod glyph;
mod ink;
mod joint;

use self::glyph::Glyph;
use self::ink::{Ink, Place, Word};
use crate::frame::Frame;
use crate::region::Region;

/// Numbers that a scale needs at least.
const LEAST_NUMBERS: usize = 3;
/// Numbers that must be read by themselves where the others are read together.
const CONFIRMING: usize = 2;
/// How far a number may lie off its scale's line, in heights of its digits.
const OFF_LINE: f32 = 0.15;
/// How far the line may be off zero at the bar's soft end, of the whole scale.
const OFF_ZERO: f32 = 0.05;
/// How far a number may be off a multiple of its scale's step, of the step: scales are rounded.
const OFF_STEP: f32 = 0.08;

/// A number beside the bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Label {
    /// What it says; its unit is not read.
    pub value: f32,
    /// Row of its middle, in pixels.
    pub y_px: f32,
}

/// The numbers beside a bar, upper first. Their unit is unknown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scale {
    /// The numbers that were read; others may stand between them.
    pub values: Vec<Label>,
}

/// What the labels beside an upright bar say.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    /// The upper end is the hard one: numbers grow towards it, or it has the letter of hard.
    pub upper_is_hard: bool,
    /// It is numbers that tell, not letters.
    pub numbers: bool,
    /// The scale, if its numbers could be read one by one.
    pub scale: Option<Scale>,
}

/// Reads labels. Keeps its buffers.
#[derive(Debug, Default)]
pub struct Reader {
    ink: Ink,
    words: Vec<Word>,
    numbers: Vec<Number>,
    places: Vec<Place>,
}

/// A word that is a number.
#[derive(Clone, Copy, Debug)]
struct Number {
    label: Label,
    height_px: f32,
    decimals: usize,
    loose: bool,
}

impl Reader {
    /// Makes a reader; its buffers grow with the first bar.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads what stands beside the upright `bar`; `None` where the labels do not clearly tell.
    pub fn read(&mut self, frame: &Frame, bar: &Region) -> Option<Labels> {
        if bar.height() < 3 * bar.width() || !frame.bounds().contains(bar) {
            return None;
        }
        let reach = (frame.width() / 14).max(24);
        let above = (bar.height() / 4).clamp(12, 48);
        let rows = (bar.y0().saturating_sub(above), (bar.y1() + above).min(frame.height()));
        let right = (bar.x1() + 1, (bar.x1() + 1 + reach).min(frame.width()));
        let left = (bar.x0().saturating_sub(1 + reach), bar.x0().saturating_sub(1));
        let whole = (bar.x0().saturating_sub(reach / 2), right.1.min(bar.x1() + reach / 2));
        let sides =
            [right, left].into_iter().filter_map(|(x0, x1)| Region::new(x0, rows.0, x1, rows.1));
        let mut told: Option<Labels> = None;
        for side in sides {
            self.ink.read(frame, &side, &mut self.words);
            let labels = match self.scale(bar) {
                Some(told) if told.scale.is_none() => {
                    // The order is sure, a value is not: all together may settle it.
                    let together = self.together(bar, &side);
                    together.filter(|t| t.upper_is_hard == told.upper_is_hard).or(Some(told))
                }
                told => told.or_else(|| self.together(bar, &side)),
            };
            let Some(labels) = labels else { continue };
            // Two sides that do not agree say nothing.
            if told.as_ref().is_some_and(|t| t.upper_is_hard != labels.upper_is_hard) {
                return None;
            }
            told = told.or(Some(labels));
        }
        told.or_else(|| self.letters(frame, bar, whole, rows))
    }

    /// Reads the numbers of a depth ruler in `strip`: how much they grow a pixel downwards; `None`
    /// where fewer than three lie on a line, or they do not grow.
    pub fn depth(&mut self, frame: &Frame, strip: &Region) -> Option<f32> {
        self.ink.read(frame, strip, &mut self.words);
        self.take_numbers();
        let (slope, ..) = line(&self.numbers)?;
        (slope > 0.0).then_some(slope)
    }

    /// The words that are numbers, upper first.
    fn take_numbers(&mut self) {
        self.numbers.clear();
        for word in &self.words {
            if let Some((value, decimals)) = value(word) {
                let label = Label { value, y_px: word.y_px };
                let (height_px, loose) = (word.height_px, word.loose);
                self.numbers.push(Number { label, height_px, decimals, loose });
            }
        }
        self.numbers.sort_by(|a, b| a.label.y_px.total_cmp(&b.label.y_px));
    }

    /// The numbers among the words of one side, if they are the bar's scale.
    fn scale(&mut self, bar: &Region) -> Option<Labels> {
        self.take_numbers();
        let (slope, zero_px, on_line) = line(&self.numbers)?;
        let upper_is_hard = slope < 0.0;
        let length = bar.height() as f32;
        let (top, bottom) = (bar.y0() as f32, bar.y1() as f32);
        let soft_px = if upper_is_hard { bottom } else { top };
        if (zero_px - soft_px).abs() > OFF_ZERO * length {
            return None;
        }
        let height = self.numbers[0].height_px;
        let beyond =
            |n: &Number| n.label.y_px < top - 1.6 * height || n.label.y_px > bottom + 1.6 * height;
        if self.numbers.iter().any(beyond) {
            return None;
        }
        // A ruler grows downwards and has ticks between its numbers.
        if !upper_is_hard && self.ink.ticks() >= LEAST_NUMBERS {
            return None;
        }
        let values: Vec<Label> =
            self.numbers.iter().map(|n| n.label).filter(|l| on_line(l)).collect();
        if !has_step(&values) {
            return None;
        }
        // The order is the same with every point lost, the values are not; nor are they with a digit
        // too many, of something that touches a label.
        let decimals = |n: &Number| (n.label.value > 0.0).then_some(n.decimals);
        let mut all = self.numbers.iter().filter(|n| on_line(&n.label)).filter_map(decimals);
        let places = all.next().unwrap_or(0);
        let certain = all.all(|n| n == places)
            && !self.numbers.iter().any(|n| n.loose)
            && are_rounded(&values, 10f32.powi(-(places as i32)));
        Some(Labels { upper_is_hard, numbers: true, scale: certain.then_some(Scale { values }) })
    }

    /// The same where single digits are in doubt.
    fn together(&mut self, bar: &Region, side: &Region) -> Option<Labels> {
        let top_px = side.y0() as f32;
        let row = |p: &Place| top_px + (p.y0 + p.y1) as f32 / 2.0;
        let from_bar = |p: &Place| {
            if side.x0() >= bar.x1() { p.x0 } else { side.width() as usize - p.x1 }
        };
        self.places.clear();
        let beside = |p: &&Place| (bar.y0() as f32..=bar.y1() as f32).contains(&row(p));
        self.places.extend(self.ink.places().iter().filter(beside));
        // The labels are the column of words that is nearest to the bar; a view may follow.
        let nearest = *self.places.iter().min_by_key(|p| from_bar(p))?;
        let height = nearest.y1 - nearest.y0;
        self.places.retain(|p| {
            from_bar(p) <= from_bar(&nearest) + 2 * height && (p.y1 - p.y0) * 2 <= height * 3
        });
        let tallest = self.places.iter().map(|p| p.y1 - p.y0).max()?;
        self.places.sort_by_key(|p| p.y0);
        let shortest = self.places.iter().map(|p| p.y1 - p.y0).min()?;
        if tallest > shortest + 1 + shortest / 6 || self.ink.ticks() >= LEAST_NUMBERS {
            return None;
        }
        let together = joint::read(&self.ink, &self.places, top_px, bar)?;
        let rows: Vec<f32> = self.places.iter().map(row).collect();
        let scale = self.confirmed(&rows, bar, &together);
        Some(Labels { upper_is_hard: together.upper_is_hard, numbers: true, scale })
    }

    /// The numbers at `rows`, where those that could be read by themselves, two at least, are just what
    /// reading all together says.
    fn confirmed(&self, rows: &[f32], bar: &Region, together: &joint::Together) -> Option<Scale> {
        let decimal = self.numbers.iter().find(|n| !n.loose)?.decimals > 0;
        let value = |y_px: f32| together.value(y_px, bar, decimal);
        let beside = |n: &Number| rows.iter().any(|y| (y - n.label.y_px).abs() < 0.5 * n.height_px);
        let agrees = |n: &Number| {
            let told = value(n.label.y_px).is_some_and(|v| (v - n.label.value).abs() < 0.01);
            told && beside(n) && n.decimals == usize::from(decimal)
        };
        // A point that was lost within one of them would have been seen in the others.
        let whole = self.numbers.iter().filter(|n| !n.loose).count();
        if whole < CONFIRMING || !self.numbers.iter().all(agrees) {
            return None;
        }
        let label = |y_px: &f32| Some(Label { value: value(*y_px)?, y_px: *y_px });
        Some(Scale { values: rows.iter().map(label).collect::<Option<_>>()? })
    }

    /// The letters at the bar's ends, if both have one of a pair.
    fn letters(
        &mut self,
        frame: &Frame,
        bar: &Region,
        columns: (u32, u32),
        rows: (u32, u32),
    ) -> Option<Labels> {
        let quarter = bar.height() / 5;
        let mut end = |y0: u32, y1: u32| {
            let region = Region::new(columns.0, y0, columns.1, y1)?;
            self.ink.read_around(frame, &region, bar, &mut self.words);
            let mut found = self.words.iter().filter_map(letter);
            let first = found.next()?;
            found.next().is_none().then_some(first)
        };
        let upper = end(rows.0, bar.y0() + quarter)?;
        let lower = end(bar.y1() - quarter, rows.1)?;
        (upper.1 == lower.1 && upper.0 != lower.0).then_some(Labels {
            upper_is_hard: upper.0,
            numbers: false,
            scale: None,
        })
    }
}

/// The value of a word of digits and how many of them are decimals, with at most one point or comma
/// within; a sign before it is passed over.
fn value(word: &Word) -> Option<(f32, usize)> {
    let mut glyphs = word.glyphs();
    if let Some((Glyph::AtLeast, rest)) = glyphs.split_first().map(|(g, rest)| (*g, rest)) {
        glyphs = rest;
    }
    let (mut value, mut decimals, mut digits) = (0f32, None, 0);
    for &glyph in glyphs {
        match glyph {
            Glyph::Digit(d) => {
                value = value * 10.0 + f32::from(d);
                digits += 1;
                decimals = decimals.map(|n| n + 1);
            }
            Glyph::Point if decimals.is_none() && digits > 0 => decimals = Some(0),
            _ => return None,
        }
    }
    let decimals = decimals.unwrap_or(0);
    (1..=3).contains(&digits).then(|| (value / 10f32.powi(decimals), decimals as usize))
}

/// Whether a word is a letter of hard, and how many letters its pair has.
fn letter(word: &Word) -> Option<(bool, usize)> {
    match word.glyphs() {
        [Glyph::Letter(b'H')] => Some((true, 1)),
        [Glyph::Letter(b'S')] => Some((false, 1)),
        [Glyph::Letter(b'H'), Glyph::Letter(b'D')] => Some((true, 2)),
        [Glyph::Letter(b'S'), Glyph::Letter(b'F')] => Some((false, 2)),
        _ => None,
    }
}

/// The straight line that most numbers lie on: its slope, the row of zero, and which lie on it.
/// `None` where fewer than [`LEAST_NUMBERS`] do, or more than one does not.
fn line(numbers: &[Number]) -> Option<(f32, f32, impl Fn(&Label) -> bool + use<>)> {
    let mut best: Option<(usize, f32, f32)> = None;
    for (i, a) in numbers.iter().enumerate() {
        for b in &numbers[i + 1..] {
            let down = b.label.y_px - a.label.y_px;
            if down < 2.0 * a.height_px || (a.label.value - b.label.value).abs() < f32::EPSILON {
                continue;
            }
            let slope = (b.label.value - a.label.value) / down;
            let zero_px = a.label.y_px - a.label.value / slope;
            let on =
                numbers.iter().filter(|n| on_line(n.label, slope, zero_px, n.height_px)).count();
            if best.is_none_or(|(most, ..)| on > most) {
                best = Some((on, slope, zero_px));
            }
        }
    }
    let (on, slope, zero_px) = best?;
    let height = numbers[0].height_px;
    // One that was misread may lie beside it where enough others agree.
    let stray = usize::from(on > LEAST_NUMBERS);
    (on >= LEAST_NUMBERS && on + stray >= numbers.len()).then_some((
        slope,
        zero_px,
        move |l: &Label| on_line(*l, slope, zero_px, height),
    ))
}

/// The least difference between two neighbours.
fn least_step(values: &[Label]) -> f32 {
    let differences = values.windows(2).map(|p| (p[0].value - p[1].value).abs());
    differences.fold(f32::INFINITY, f32::min)
}

/// Tells whether all values are multiples of the least difference between two of them.
fn has_step(values: &[Label]) -> bool {
    let step = least_step(values);
    values.iter().all(|l| {
        let steps = l.value / step;
        (steps - steps.round()).abs() <= OFF_STEP
    })
}

/// Tells whether the values are multiples of one step, each rounded to its last place.
fn are_rounded(values: &[Label], last_place: f32) -> bool {
    let least = least_step(values);
    let largest = values.iter().map(|l| l.value).fold(0.0, f32::max);
    let step = largest / (largest / least).round();
    values.iter().all(|l| ((l.value / least).round() * step - l.value).abs() <= last_place)
}

fn on_line(label: Label, slope: f32, zero_px: f32, height_px: f32) -> bool {
    (zero_px + label.value / slope - label.y_px).abs() <= (OFF_LINE * height_px).max(1.5)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
