//! Text on a plain ground: its connected pieces, in words. Pure.

use super::glyph::{self, CELLS, Glyph, Patch};
use crate::frame::Frame;
use crate::region::Region;

/// Least contrast of text, code values.
const CONTRAST: u8 = 50;
/// Heights that a letter's piece may have, in pixels.
const HEIGHTS: std::ops::RangeInclusive<usize> = 5..=34;
/// Glyphs of a word that are looked at.
const LONGEST: usize = 6;

/// A word: neighbouring glyphs of one line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Word {
    glyphs: [Glyph; LONGEST],
    count: usize,
    /// Row of its middle on the frame.
    pub(super) y_px: f32,
    pub(super) height_px: f32,
    /// Two of its digits stand so far apart that a point may have been lost between them.
    pub(super) loose: bool,
}

impl Word {
    /// Its glyphs from the left.
    pub(super) fn glyphs(&self) -> &[Glyph] {
        &self.glyphs[..self.count]
    }
}

/// Where a word stands: half-open bounds within the part that was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) x0: usize,
    pub(super) y0: usize,
    pub(super) x1: usize,
    pub(super) y1: usize,
    /// The picture's right edge cuts it or may have cut it: these are the bounds of its whole pieces.
    pub(super) cut: bool,
}

/// A piece of ink: half-open bounds.
#[derive(Clone, Copy, Debug)]
struct Piece {
    x0: usize,
    y0: usize,
    x1: usize,
    y1: usize,
    /// Left of the line's other words.
    word: usize,
}

impl Piece {
    fn width(&self) -> usize {
        self.x1 - self.x0
    }
    fn height(&self) -> usize {
        self.y1 - self.y0
    }
}

/// The ink of a part of a frame. Keeps its buffers.
#[derive(Debug, Default)]
pub(super) struct Ink {
    width: usize,
    height: usize,
    /// The part begins, or ends, where the picture does.
    at_edge: (bool, bool),
    row: Vec<[u8; 3]>,
    /// Ink of each pixel, 0 ground … 255 text.
    levels: Vec<u8>,
    seen: Vec<bool>,
    stack: Vec<usize>,
    pieces: Vec<Piece>,
    /// All words, whether or not they could be read.
    places: Vec<Place>,
    ticks: usize,
}

impl Ink {
    /// Where words stand in the part that was read last, whether or not they could be read.
    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }

    /// Columns `from` to `to` of a word.
    pub(super) fn patch_at(&self, place: &Place, from: usize, to: usize) -> Patch {
        resample(&self.levels, self.width, place.x0 + from, place.x0 + to, place.y0, place.y1)
    }

    /// Mean ink of the upper half of a word's column.
    pub(super) fn upper_half(&self, place: &Place, column: usize) -> f32 {
        let rows = place.y0..usize::midpoint(place.y0, place.y1);
        let n = rows.len().max(1) as f32;
        let at = |y: usize| f32::from(self.levels[y * self.width + place.x0 + column]);
        rows.map(at).sum::<f32>() / n
    }

    /// Short marks below each other that are no text, of the part that was read last.
    pub(super) fn ticks(&self) -> usize {
        self.ticks
    }

    /// Reads the words in `region`.
    pub(super) fn read(&mut self, frame: &Frame, region: &Region, words: &mut Vec<Word>) {
        self.sample(frame, region, None);
        self.find(region, words);
    }

    /// As [`Ink::read`], `hole` left out.
    pub(super) fn read_around(
        &mut self,
        frame: &Frame,
        region: &Region,
        hole: &Region,
        words: &mut Vec<Word>,
    ) {
        self.sample(frame, region, Some(hole));
        self.find(region, words);
    }

    /// The one glyph of a picture and its width over height, for learning.
    #[cfg(test)]
    pub(super) fn patch(&mut self, frame: &Frame) -> Option<([f32; CELLS.0 * CELLS.1], f32)> {
        self.sample(frame, &frame.bounds(), None);
        self.cut();
        self.join();
        let p = self.pieces.iter().max_by_key(|p| p.height() * p.width())?;
        let cells = cells(&self.levels, self.width, p.x0, p.x1, p.y0, p.y1);
        HEIGHTS.contains(&p.height()).then(|| (cells, p.width() as f32 / p.height() as f32))
    }

    fn find(&mut self, region: &Region, words: &mut Vec<Word>) {
        words.clear();
        self.cut();
        self.join();
        self.spell(region, words);
    }

    /// Ink of each pixel: the brightest channel against the ground, which is what most pixels have.
    fn sample(&mut self, frame: &Frame, region: &Region, hole: Option<&Region>) {
        let (w, h) = (region.width() as usize, region.height() as usize);
        (self.width, self.height) = (w, h);
        self.at_edge = (region.x0() == 0, region.x1() == frame.width());
        self.row.resize(w, [0; 3]);
        self.levels.clear();
        for y in region.y0()..region.y1() {
            frame.rgb_span(y, region.x0(), &mut self.row);
            if let Some(hole) = hole.filter(|r| (r.y0().saturating_sub(1)..=r.y1()).contains(&y)) {
                let at = |x: u32| (x.saturating_sub(region.x0()) as usize).min(w);
                self.row[at(hole.x0().saturating_sub(2))..at(hole.x1() + 2)].fill([0; 3]);
            }
            self.levels.extend(self.row.iter().map(|p| p[0].max(p[1]).max(p[2])));
        }
        let mut histogram = [0u32; 256];
        for &v in &self.levels {
            histogram[usize::from(v)] += 1;
        }
        // The mode of sixteen levels together.
        let mass = |v: usize| histogram[v..(v + 16).min(256)].iter().sum::<u32>();
        let ground = (0..240).max_by_key(|&v| mass(v)).unwrap_or(0) + 8;
        // Text is the brightest thousandth, at least some pixels.
        let mut above = (self.levels.len() as u32 / 1000).max(8);
        let mut text = 255;
        while text > 0 && above > histogram[text] {
            above -= histogram[text];
            text -= 1;
        }
        let span = text.saturating_sub(ground);
        if span < usize::from(CONTRAST) {
            self.levels.fill(0);
            return;
        }
        for v in &mut self.levels {
            *v = (usize::from(*v).saturating_sub(ground) * 255 / span).min(255) as u8;
        }
    }

    /// Connected pieces of more than two fifths ink.
    fn cut(&mut self) {
        const INK: u8 = 100;
        let (w, h) = (self.width, self.height);
        self.seen.clear();
        self.seen.resize(w * h, false);
        self.pieces.clear();
        self.ticks = 0;
        for start in 0..w * h {
            if self.seen[start] || self.levels[start] < INK {
                continue;
            }
            let (x, y) = (start % w, start / w);
            let mut piece = Piece { x0: x, y0: y, x1: x + 1, y1: y + 1, word: 0 };
            self.seen[start] = true;
            self.stack.push(start);
            while let Some(i) = self.stack.pop() {
                let (x, y) = (i % w, i / w);
                piece.x0 = piece.x0.min(x);
                piece.y0 = piece.y0.min(y);
                piece.x1 = piece.x1.max(x + 1);
                piece.y1 = piece.y1.max(y + 1);
                for ny in y.saturating_sub(1)..(y + 2).min(h) {
                    for nx in x.saturating_sub(1)..(x + 2).min(w) {
                        let n = ny * w + nx;
                        if !self.seen[n] && self.levels[n] >= INK {
                            self.seen[n] = true;
                            self.stack.push(n);
                        }
                    }
                }
            }
            self.pieces.push(piece);
        }
    }

    /// Pieces above each other belong together (`≥`, a digit that a codec broke).
    fn join(&mut self) {
        let mut i = 0;
        while i < self.pieces.len() {
            let mut j = i + 1;
            while j < self.pieces.len() {
                let (a, b) = (self.pieces[i], self.pieces[j]);
                let overlap = a.x1.min(b.x1).saturating_sub(a.x0.max(b.x0));
                let gap = a.y0.max(b.y0).saturating_sub(a.y1.min(b.y1));
                let together = a.y1.max(b.y1) - a.y0.min(b.y0);
                let near = gap <= 1 + together / 8 && HEIGHTS.contains(&together);
                if near
                    && overlap * 2 > a.width().min(b.width())
                    && together < 2 * a.height().max(b.height()) + 2
                {
                    self.pieces[i] = Piece {
                        x0: a.x0.min(b.x0),
                        y0: a.y0.min(b.y0),
                        x1: a.x1.max(b.x1),
                        y1: a.y1.max(b.y1),
                        word: 0,
                    };
                    self.pieces.swap_remove(j);
                    j = i + 1;
                } else {
                    j += 1;
                }
            }
            i += 1;
        }
    }

    /// Groups the pieces into words and reads their glyphs.
    fn spell(&mut self, region: &Region, words: &mut Vec<Word>) {
        let Self { pieces, levels: ink, width, height, at_edge, ticks, places, .. } = self;
        places.clear();
        pieces.sort_by_key(|p| p.x0);
        let usable = |p: &Piece| HEIGHTS.contains(&p.height()) && p.width() <= 4 * p.height();
        let mut word = 0;
        for i in 0..pieces.len() {
            if pieces[i].word != 0 || !usable(&pieces[i]) {
                continue;
            }
            word += 1;
            pieces[i].word = word;
            let mut last = pieces[i];
            let (mut y0, mut y1) = (last.y0, last.y1);
            let mut out = Word::default();
            let mut whole = true;
            whole &= read(ink, *width, &last, (y0, y1), &mut out);
            let inside = last.x0 > 0 && last.y0 > 0 && last.y1 < *height;
            // Where its last piece that the right edge leaves whole ends.
            let mut rightmost = last.x1;
            let mut whole_to = (last.x1 < *width).then_some(last.x1);
            let (_, others) = pieces.split_at_mut(i + 1);
            for other in others {
                let p = *other;
                let line = y1 - y0;
                if p.word != 0 || p.x0 > last.x1 + line / 2 + 1 {
                    if p.x0 > last.x1 + line / 2 + 1 {
                        break;
                    }
                    continue;
                }
                let overlap = p.y1.min(y1 + 2).saturating_sub(p.y0.max(y0));
                if overlap * 2 < p.height() || p.height() > 2 * line {
                    continue;
                }
                other.word = word;
                y0 = y0.min(p.y0);
                y1 = if p.height() * 2 > line { y1.max(p.y1) } else { y1 };
                whole &= read(ink, *width, &p, (y0, y1), &mut out);
                if p.x1 < *width {
                    whole_to = whole_to.max(Some(p.x1));
                }
                rightmost = rightmost.max(p.x1);
                let apart = p.x0.saturating_sub(last.x1);
                let [.., before, after] = out.glyphs() else {
                    last = p;
                    continue;
                };
                out.loose |= *before != Glyph::Point && *after != Glyph::Point && apart * 5 > line;
                last = p;
            }
            out.y_px = region.y0() as f32 + (y0 + y1) as f32 / 2.0;
            out.height_px = (y1 - y0) as f32;
            // Between two glyphs the picture's edge cuts without a trace.
            let between = ((y1 - y0) * 2).div_ceil(5);
            let begins = inside && !(at_edge.0 && pieces[i].x0 <= between);
            let over = rightmost >= *width;
            let cut = at_edge.1 && rightmost + between >= *width;
            if let Some(x1) = whole_to.filter(|_| begins && (cut || !over)) {
                let x1 = if over { x1 } else { last.x1 };
                places.push(Place { x0: pieces[i].x0, y0, x1, y1, cut });
            }
            if whole && begins && !cut && !over {
                words.push(out);
            }
        }
        // A ruler's marks lie below each other, between its numbers.
        let mark = |p: &&Piece| {
            let beside = |w: &Place| p.y0 < w.y1 + 1 && w.y0 < p.y1 + 1;
            p.word == 0 && p.height() <= 3 && p.width() <= 12 && !places.iter().any(beside)
        };
        let marks = pieces.iter().filter(mark);
        let aligned = |a: &Piece| {
            marks.clone().filter(|b| a.x0.abs_diff(b.x0) <= 1 || a.x1.abs_diff(b.x1) <= 1).count()
        };
        *ticks = marks.clone().map(aligned).max().unwrap_or(0);
    }
}

/// Reads a piece as one or more glyphs of a line from `y0` to `y1`; `false` where one is none.
fn read(
    ink: &[u8],
    stride: usize,
    piece: &Piece,
    (y0, y1): (usize, usize),
    word: &mut Word,
) -> bool {
    let line = y1 - y0;
    let mut push = |glyph: Glyph| {
        if word.count == LONGEST || glyph == Glyph::Unknown {
            return false;
        }
        word.glyphs[word.count] = glyph;
        word.count += 1;
        true
    };
    // A point stands on the line, a comma goes below it.
    if piece.height() * 2 <= line + 1 && piece.y0 * 2 > y0 + y1 && piece.width() * 2 <= line {
        return push(Glyph::Point);
    }
    let patch = |x0: usize, x1: usize| resample(ink, stride, x0, x1, piece.y0, piece.y1);
    let one = glyph::classify(&patch(piece.x0, piece.x1));
    if one != Glyph::Unknown || piece.width() * 10 < piece.height() * 9 {
        return push(one);
    }
    // Glyphs that touch: cut where the least ink is, near to equal parts.
    let parts = ((piece.width() * 10 + piece.height() * 3) / (piece.height() * 6)).clamp(2, 4);
    let column =
        |x: usize| (piece.y0..piece.y1).map(|y| u32::from(ink[y * stride + x])).sum::<u32>();
    let mut from = piece.x0;
    for k in 1..=parts {
        let to = if k == parts {
            piece.x1
        } else {
            let at = piece.x0 + piece.width() * k / parts;
            let slack = (piece.width() / (5 * parts)).max(1);
            (at - slack..=(at + slack).min(piece.x1 - 1)).min_by_key(|&x| column(x)).unwrap_or(at)
        };
        if to <= from || !push(glyph::classify(&patch(from, to))) {
            return false;
        }
        from = to;
    }
    true
}

fn resample(ink: &[u8], stride: usize, x0: usize, x1: usize, y0: usize, y1: usize) -> Patch {
    let shape = (x1 - x0) as f32 / (y1 - y0) as f32;
    Patch::new(cells(ink, stride, x0, x1, y0, y1), shape)
}

/// The ink of a rectangle at the size of the templates: as high as they are, its own shape kept, in
/// the middle; too wide a one is narrowed.
fn cells(
    ink: &[u8],
    stride: usize,
    x0: usize,
    x1: usize,
    y0: usize,
    y1: usize,
) -> [f32; CELLS.0 * CELLS.1] {
    let (w, h) = ((x1 - x0) as f32, (y1 - y0) as f32);
    let (columns, rows) = CELLS;
    let scale_y = h / rows as f32;
    let wide = (w / scale_y).min(columns as f32);
    let scale_x = w / wide;
    let left = (columns as f32 - wide) / 2.0;
    let mut cells = [0f32; CELLS.0 * CELLS.1];
    for (i, cell) in cells.iter_mut().enumerate() {
        let (column, row) = ((i % columns) as f32, (i / columns) as f32);
        let (ax, bx) = ((column - left) * scale_x, (column + 1.0 - left) * scale_x);
        let (ay, by) = (row * scale_y, (row + 1.0) * scale_y);
        let (mut sum, mut area) = (0.0, 0.0);
        let mut y = ay.max(0.0).floor();
        while y < by.min(h) {
            let dy = (y + 1.0).min(by) - y.max(ay);
            let mut x = ax.max(0.0).floor();
            while x < bx.min(w) {
                let dx = (x + 1.0).min(bx) - x.max(ax);
                sum += dx * dy * f32::from(ink[(y0 + y as usize) * stride + x0 + x as usize]);
                x += 1.0;
            }
            y += 1.0;
        }
        area += (bx - ax) * (by - ay);
        *cell = sum / area.max(1e-6);
    }
    cells
}
