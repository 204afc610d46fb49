//! One glyph: how alike a patch of ink is to templates, and whether that is clear enough. Pure.
//!
//! The templates are means of glyphs that were drawn at 9 to 24 px with a few fonts and resampled
//! (`templates.txt`, written by this module's ignored test `templates_are_learned`; see the decision
//! record on label templates).

use std::sync::LazyLock;

/// Columns and rows of a patch.
pub(super) const CELLS: (usize, usize) = (7, 9);
const SIZE: usize = CELLS.0 * CELLS.1;
/// Least likeness to a template.
const ALIKE: f32 = 0.78;
/// Least distance to the likeness of any other glyph.
const CLEAR: f32 = 0.02;
/// Largest difference of the logarithms of width over height.
const SHAPE: f32 = 0.6;

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Glyph {
    /// None of the others, or not clearly one.
    #[default]
    Unknown,
    /// 0 to 9.
    Digit(u8),
    /// `H`, `S`, `D` or `F`.
    Letter(u8),
    /// `≥`.
    AtLeast,
    /// A point or comma on the line.
    Point,
}

impl Glyph {
    fn of(c: char) -> Self {
        match c {
            '0'..='9' => Self::Digit(c as u8 - b'0'),
            'H' | 'S' | 'D' | 'F' => Self::Letter(c as u8),
            '≥' => Self::AtLeast,
            _ => Self::Unknown,
        }
    }
}

/// Ink of a glyph at the templates' size, with mean 0 and norm 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patch {
    cells: [f32; SIZE],
    /// Logarithm of width over height.
    shape: f32,
}

impl Patch {
    pub(super) fn new(mut cells: [f32; SIZE], shape: f32) -> Self {
        let mean = cells.iter().sum::<f32>() / SIZE as f32;
        for v in &mut cells {
            *v -= mean;
        }
        let norm = cells.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-6);
        for v in &mut cells {
            *v /= norm;
        }
        Self { cells, shape: shape.max(1e-3).ln() }
    }

    fn likeness(&self, other: &Self) -> f32 {
        if (self.shape - other.shape).abs() > SHAPE {
            return 0.0;
        }
        self.cells.iter().zip(&other.cells).map(|(a, b)| a * b).sum()
    }
}

/// How alike a patch is to each digit.
pub(super) fn digits(patch: &Patch) -> [f32; 10] {
    let mut best = [0f32; 10];
    for (glyph, template) in TEMPLATES.iter() {
        if let Glyph::Digit(d) = glyph {
            let best = &mut best[usize::from(*d)];
            *best = best.max(patch.likeness(template));
        }
    }
    best
}

/// Reads one glyph.
pub(super) fn classify(patch: &Patch) -> Glyph {
    let (mut best, mut second) = ((0.0, Glyph::Unknown), 0f32);
    for (glyph, template) in TEMPLATES.iter() {
        let alike = patch.likeness(template);
        if *glyph == best.1 {
            best.0 = alike.max(best.0);
        } else if alike > best.0 {
            second = best.0;
            best = (alike, *glyph);
        } else {
            second = second.max(alike);
        }
    }
    if best.0 >= ALIKE && best.0 - second >= CLEAR { best.1 } else { Glyph::Unknown }
}

/// A line each: the glyph (other glyphs that must not be taken for one stand for themselves), its
/// width over height in hundredths, and a hexadecimal digit for each cell, from the top left.
static TEMPLATES: LazyLock<Vec<(Glyph, Patch)>> = LazyLock::new(|| {
    include_str!("templates.txt")
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ');
            let glyph = Glyph::of(fields.next()?.chars().next()?);
            let shape = fields.next()?.parse::<f32>().ok()? / 100.0;
            let mut cells = [0.0; SIZE];
            for (cell, digit) in cells.iter_mut().zip(fields.next()?.chars()) {
                *cell = digit.to_digit(16)? as f32;
            }
            Some((glyph, Patch::new(cells, shape)))
        })
        .collect()
});
