//! What the colours of an area can be: a stiffness map's, a tint's, a button's. Pure.

use super::colour::Tint;
use super::grid::{Cells, Grid};

/// Hues from yellow to pure green, in degrees; codecs shift hues by a few.
const UP_TO_GREEN: std::ops::Range<f32> = 50.0..135.0;
/// Hues that a palette holds which does not end there.
const BEYOND_GREEN: std::ops::Range<f32> = 135.0..300.0;

/// Shares of warm and of cool hues from which what lies between must be there, and how much of the lesser; then the
/// same of yellow and cyan, and green.
///
/// A stiffness changes from place to place, and its colours run through the whole palette on the way. Flow goes
/// from red by black to blue and, where it aliases, from yellow to cyan at once. Simulated, fifteen scanners: of
/// the lesser end a map has at least 0.06 between (a large nodule, stiffer than the scale reaches), of the lesser
/// flank 0.10; flow 0.01 as a rule, and up to 0.06.
const ENDS: Torn = Torn { least: 0.06, between: 0.035 };
const FLANKS: Torn = Torn { least: 0.05, between: 0.075 };

struct Torn {
    least: f32,
    between: f32,
}

/// Share of one side's hues from which there is nothing else.
const ONE_SIDED: f32 = 0.9;

/// The labels of a picture's coloured areas, and the one that is looked at.
#[derive(Clone, Copy)]
pub(super) struct Labels<'a> {
    pub(super) all: &'a [u16],
    pub(super) own: u16,
}

/// Colours of an area.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::struct_excessive_bools)]
pub(super) struct Colours {
    /// Three hues or more, green among them.
    pub(super) rainbow: bool,
    /// The same with more green than an outline has.
    pub(super) green: bool,
    /// Cyan and blue alone: soft tissue.
    pub(super) cool: bool,
    /// One flat colour: a button, or an opaque map of even tissue.
    pub(super) flat: bool,
    /// Full colours with no grey in them, as an opaque map's.
    pub(super) saturated: bool,
    /// One hue, and chroma that rises a little with luma: a tinted picture, or a map of even tissue.
    pub(super) tinted: bool,
    /// Nothing but one hue.
    pub(super) one_hue: bool,
    /// One hue, and chroma that follows the grey from cell to cell: a tinted picture, whatever else
    /// the screen shows.
    pub(super) dyed: bool,
    /// Warm and cool hues without what lies between: flow's, not a stiffness map's.
    pub(super) torn: bool,
    /// Nothing but red to yellow, or but cyan and blue.
    pub(super) one_sided: Option<Side>,
    /// Share of hues from yellow to pure green.
    pub(super) up_to_green: f32,
    /// Share of hues between pure green and blue.
    pub(super) beyond_green: f32,
    /// Share of purple and violet.
    pub(super) purple: f32,
    /// Share of red and orange less that of cyan and blue.
    pub(super) warmth: f32,
}

/// The side of a rainbow that colours are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Warm,
    Cool,
}

impl Colours {
    /// Next to nothing but one hue: an even map's, or a button's, or a tint.
    pub(super) fn even(&self) -> bool {
        self.flat || self.tinted
    }
}

/// What the cells of one area add up to. Kept by the caller: it is a few kilobytes.
#[derive(Debug)]
pub(super) struct Tally {
    bins: [u32; 12],
    /// Without the frame that may be drawn around the area.
    inner: [u32; 12],
    up_to_green: u32,
    beyond_green: u32,
    chroma: [u32; 256],
    floors: [u32; 256],
    /// By smallest channel (steps of 8) and chroma (steps of 4).
    joint: [[u32; 64]; 32],
    sin: f32,
    cos: f32,
    sums: [u64; 5],
    total: u32,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            bins: [0; 12],
            inner: [0; 12],
            up_to_green: 0,
            beyond_green: 0,
            chroma: [0; 256],
            floors: [0; 256],
            joint: [[0; 64]; 32],
            sin: 0.0,
            cos: 0.0,
            sums: [0; 5],
            total: 0,
        }
    }
}

/// Adds up the cells of one area within `cells`.
pub(super) fn of(
    grid: &Grid,
    tint: &Tint,
    labels: Labels<'_>,
    cells: &Cells,
    tally: &mut Tally,
) -> Colours {
    tally.clear();
    let inner = cells.inner();
    for y in cells.y0..cells.y1 {
        for x in cells.x0..cells.x1 {
            let i = y * grid.width + x;
            if labels.all[i] == labels.own {
                tally.add(tint, grid.rgb[i], inner.contains(x, y));
            }
        }
    }
    tally.colours()
}

impl Tally {
    /// Forgets what was added.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Adds a coloured cell; `inner`: it is none of the frame that may be drawn around the area.
    pub(super) fn add(&mut self, tint: &Tint, p: [u8; 3], inner: bool) {
        let hue = tint.hue(p);
        let bin = (hue / 30.0) as usize % 12;
        self.bins[bin] += 1;
        self.inner[bin] += u32::from(inner);
        self.up_to_green += u32::from(UP_TO_GREEN.contains(&hue));
        self.beyond_green += u32::from(BEYOND_GREEN.contains(&hue));
        self.chroma[usize::from(tint.chroma(p))] += 1;
        // Of the picture as it is: a tint is a multiple of the grey.
        let floor = p[0].min(p[1]).min(p[2]);
        let raw = p[0].max(p[1]).max(p[2]) - floor;
        self.joint[usize::from(floor >> 3)][usize::from(raw >> 2)] += 1;
        self.floors[usize::from(floor)] += 1;
        let (f, r) = (u64::from(floor), u64::from(raw));
        for (sum, term) in self.sums.iter_mut().zip([f, r, f * f, r * r, f * r]) {
            *sum += term;
        }
        self.sin += hue.to_radians().sin();
        self.cos += hue.to_radians().cos();
        self.total += 1;
    }

    /// Judges what was added.
    pub(super) fn colours(&self) -> Colours {
        let Self { bins, chroma, floors, joint, sin, cos, sums, .. } = self;
        let total = self.total;
        let n = total.max(1) as f32;
        let share = |k: u32| k as f32 / n;
        // Median chroma of the darker and of the brighter half.
        let split = quantile(floors, total / 2) >> 3;
        let median = |rows: &[[u32; 64]]| {
            let n: u32 = rows.iter().flatten().sum();
            let mut below = 0;
            (0..64)
                .find(|&c| {
                    below += rows.iter().map(|row| row[c]).sum::<u32>();
                    below * 2 > n
                })
                .unwrap_or(0) as f32
        };
        let variation = (median(&joint[split + 1..]) + 1.0) / (median(&joint[..=split]) + 1.0);
        let chroma_of = |rank: u32| quantile(chroma, rank);
        let (q1, q3) = (chroma_of(total / 4), chroma_of(total * 3 / 4));
        let concentration = (sin * sin + cos * cos).sqrt() / n;
        let spread = bins.iter().filter(|&&k| share(k) > 0.02).count();
        let green = share(bins[3] + bins[4] + bins[5]);
        let inside = self.inner.iter().sum::<u32>().max(1) as f32;
        let hues =
            |bins: &[usize]| bins.iter().map(|&i| self.inner[i]).sum::<u32>() as f32 / inside;
        let (warm, cool) = (hues(&[11, 0, 1]), hues(&[6, 7, 8]));
        let ends = [warm, hues(&[2, 3, 4, 5]), cool];
        let flanks = [hues(&[1, 2]), hues(&[3, 4]), hues(&[5, 6])];
        let one_sided = match () {
            () if warm > ONE_SIDED => Some(Side::Warm),
            () if cool > ONE_SIDED => Some(Side::Cool),
            () => None,
        };
        Colours {
            rainbow: spread >= 3 && green > 0.03,
            green: spread >= 3 && green > 0.08,
            cool: share(bins[5] + bins[6] + bins[7] + bins[8]) > 0.9,
            flat: q3 - q1 < 3 && concentration > 0.99,
            saturated: quantile(floors, total / 2) < 24 && chroma_of(total / 2) > 90,
            tinted: concentration > 0.8 && variation > 1.08,
            one_hue: concentration > 0.97,
            dyed: concentration > 0.8 && correlation(*sums, total) > 0.8,
            torn: ENDS.is(ends) || FLANKS.is(flanks),
            one_sided,
            up_to_green: share(self.up_to_green),
            beyond_green: share(self.beyond_green),
            purple: share(bins[9] + bins[10]),
            warmth: share(bins[0] + bins[1] + bins[11])
                - share(bins[5] + bins[6] + bins[7] + bins[8]),
        }
    }
}

impl Torn {
    /// Whether the first and the last share are there with too little between them.
    fn is(&self, [one, between, other]: [f32; 3]) -> bool {
        let lesser = one.min(other);
        lesser > self.least && between < self.between * lesser
    }
}

/// Pearson's correlation of two quantities from their sums, squares and product over `n` cells.
fn correlation([a, b, aa, bb, ab]: [u64; 5], n: u32) -> f64 {
    let n = f64::from(n.max(1));
    let [a, b, aa, bb, ab] = [a, b, aa, bb, ab].map(|v| v as f64 / n);
    let scale = ((aa - a * a).max(0.0) * (bb - b * b).max(0.0)).sqrt();
    if scale < 1.0 { 0.0 } else { (ab - a * b) / scale }
}

fn quantile(histogram: &[u32; 256], rank: u32) -> usize {
    let mut below = 0;
    histogram
        .iter()
        .position(|&n| {
            below += n;
            below > rank
        })
        .unwrap_or(255)
}
