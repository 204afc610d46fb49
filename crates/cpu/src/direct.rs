//! The first convolution, of three or so input channels: directly, a few pixels at a time.
//!
//! With so few channels Winograd's transforms cost more than they save.
#![allow(unsafe_code)]

use std::ops::Range;

use crate::{
    map::Map,
    simd::{Kernel, PANEL, Simd},
};

/// Pixels computed together at most, and where a panel is half padding.
const MOST_PIXELS: usize = 6;
const MOST_HALVES: usize = 12;

/// Convolves some rows of a picture, with bias and ReLU.
pub(crate) struct Direct<'a> {
    pub(crate) from: Map<'a>,
    /// Filters as [panel][row of the filter][its column × input channel][16].
    pub(crate) filters: &'a [f32],
    pub(crate) bias: &'a [f32],
    /// Whether half of the last panel is padding.
    pub(crate) half: bool,
    /// The picture's rows to compute.
    pub(crate) rows: Range<usize>,
    /// Where to; its `top` says which row of the picture is its first.
    pub(crate) to: Map<'a>,
}

impl Kernel for Direct<'_> {
    /// Zero, or NaN where a number was not finite.
    type Out = f32;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f32 {
        let Direct { from, filters, bias, half, rows, to } = self;
        let (span, width) = (3 * from.shape.channels, from.shape.width);
        let panels = to.shape.channels / PANEL;
        assert!(filters.len() == panels * 3 * span * PANEL && bias.len() == panels * PANEL);
        assert!(rows.end <= from.shape.height && to.shape.width == width);
        assert!(from.top == 0 && from.data.len() >= from.shape.len());
        // The rows are inside the target: its first is the picture's `top - 1`.
        if !rows.is_empty() {
            assert!(rows.start + 1 >= to.top, "row {} is above the strip", rows.start);
            assert!(to.framed(rows.end + 1 - to.top, 0) <= to.data.len());
        }
        let mut finite = 0.0;
        for y in rows {
            for panel in 0..panels {
                let filters = &filters[panel * 3 * span * PANEL..][..3 * span * PANEL];
                let bias = &bias[panel * PANEL..][..PANEL];
                let half = half && panel + 1 == panels;
                let most =
                    if half { MOST_HALVES.min(2 * S::ROWS) } else { MOST_PIXELS.min(S::ROWS) };
                let mut x = 0;
                while x < width {
                    let pixels = (width - x).min(most);
                    // A row of the strip is one of the picture, counted from its top; the frame's
                    // own row comes first (`framed`), so a strip may begin at its row -1.
                    let at = to.framed(y + 1 - to.top, x + 1) + panel * PANEL;
                    let place = (y, x, Target { at, map: to });
                    finite += if half {
                        halves(s, pixels, from, filters, bias, place)
                    } else {
                        match pixels {
                            1 => pixels_at::<S, 1>(s, from, filters, bias, place),
                            2 => pixels_at::<S, 2>(s, from, filters, bias, place),
                            3 => pixels_at::<S, 3>(s, from, filters, bias, place),
                            4 => pixels_at::<S, 4>(s, from, filters, bias, place),
                            5 => pixels_at::<S, 5>(s, from, filters, bias, place),
                            _ => pixels_at::<S, 6>(s, from, filters, bias, place),
                        }
                    };
                    x += pixels;
                }
            }
        }
        finite
    }
}

#[derive(Clone, Copy)]
struct Target<'a> {
    at: usize,
    map: Map<'a>,
}

/// Computes `R` neighbouring pixels, from (`y`, `x`) on, of one panel.
#[inline(always)]
fn pixels_at<S: Simd, const R: usize>(
    s: S,
    from: Map<'_>,
    filters: &[f32],
    bias: &[f32],
    (y, x, to): (usize, usize, Target<'_>),
) -> f32 {
    let channels = from.shape.channels;
    let span = 3 * channels;
    // SAFETY: the bias holds a panel.
    let mut sums = [unsafe { s.panel_load(bias.as_ptr()) }; R];
    for r in 0..3 {
        let pixels = from.data.within(from.framed(y + r, x), (R - 1) * channels + span);
        let filters = filters[r * span * PANEL..][..span * PANEL].as_ptr();
        for p in 0..span {
            // SAFETY: `filters` holds `span` panels; a row of the map goes on for two pixels
            // behind the picture, so that each of the `R` pixels has `span` numbers.
            unsafe {
                let w = s.panel_load(filters.add(p * PANEL));
                for (pixel, sum) in sums.iter_mut().enumerate() {
                    *sum = s.panel_fma(*pixels.add(pixel * channels + p), w, *sum);
                }
            }
        }
    }
    store(s, sums, to)
}

/// Computes some neighbouring pixels of a panel that is half padding.
#[inline(always)]
fn halves<S: Simd>(
    s: S,
    pixels: usize,
    from: Map<'_>,
    filters: &[f32],
    bias: &[f32],
    place: (usize, usize, Target<'_>),
) -> f32 {
    match pixels {
        1 => halves_at::<S, 1>(s, from, filters, bias, place),
        2 => halves_at::<S, 2>(s, from, filters, bias, place),
        3 => halves_at::<S, 3>(s, from, filters, bias, place),
        4 => halves_at::<S, 4>(s, from, filters, bias, place),
        5 => halves_at::<S, 5>(s, from, filters, bias, place),
        6 => halves_at::<S, 6>(s, from, filters, bias, place),
        7 => halves_at::<S, 7>(s, from, filters, bias, place),
        8 => halves_at::<S, 8>(s, from, filters, bias, place),
        9 => halves_at::<S, 9>(s, from, filters, bias, place),
        10 => halves_at::<S, 10>(s, from, filters, bias, place),
        11 => halves_at::<S, 11>(s, from, filters, bias, place),
        _ => halves_at::<S, 12>(s, from, filters, bias, place),
    }
}

/// Does what [`pixels_at`] does for a panel that is half padding.
#[inline(always)]
fn halves_at<S: Simd, const R: usize>(
    s: S,
    from: Map<'_>,
    filters: &[f32],
    bias: &[f32],
    (y, x, to): (usize, usize, Target<'_>),
) -> f32 {
    let channels = from.shape.channels;
    let span = 3 * channels;
    // SAFETY: the bias holds a panel.
    let mut sums = [unsafe { s.half_load(bias.as_ptr()) }; R];
    for r in 0..3 {
        let pixels = from.data.within(from.framed(y + r, x), (R - 1) * channels + span);
        let filters = filters[r * span * PANEL..][..span * PANEL].as_ptr();
        for p in 0..span {
            // SAFETY: as in `pixels_at`; of each panel the first half is read.
            unsafe {
                let w = s.half_load(filters.add(p * PANEL));
                for (pixel, sum) in sums.iter_mut().enumerate() {
                    *sum = s.half_fma(*pixels.add(pixel * channels + p), w, *sum);
                }
            }
        }
    }
    store(s, sums.map(|sum| s.half_widen(sum)), to)
}

/// Writes neighbouring pixels of one panel through the ReLU; returns zero, or NaN where a number was
/// not finite.
#[inline(always)]
fn store<S: Simd, const R: usize>(s: S, sums: [S::P; R], to: Target<'_>) -> f32 {
    let mut finite = s.panel_zero();
    for (pixel, sum) in sums.into_iter().enumerate() {
        finite = s.panel_fma(0.0, sum, finite);
        let at = to.map.data.within(to.at + pixel * to.map.shape.channels, PANEL);
        // SAFETY: inside the map (`at`); these rows are this thread's.
        unsafe { s.panel_store(at, s.panel_relu(sum)) };
    }
    s.panel_sum(finite)
}
