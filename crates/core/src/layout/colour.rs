//! What is coloured: the scanner's grey tint is found and taken out, the rest is a mask of chroma.
//!
//! Many scanners tint their grey scale (sepia, blue). The tint is a curve over luma that most grey
//! cells share; a stiffness map spreads over many chromaticities and never makes the mode.

use super::grid::Grid;

/// Chroma (largest less smallest channel) from which a cell counts as coloured. A map blended at
/// 20 % still has about 25; codec noise on averaged cells stays below 12.
pub(super) const COLOURED: u8 = 20;
/// Strongest tint per unit of luma that is taken for a grey scale.
const MAX_TINT: f32 = 0.45;
const LUMA_BINS: usize = 16;

/// The chroma of grey: R−G and B−G at 16 levels of luma.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tint {
    red: [i16; LUMA_BINS + 1],
    blue: [i16; LUMA_BINS + 1],
}

/// Luma with integer weights of 1/4, 1/2, 1/4: enough to tell dark from bright.
#[inline]
pub(super) fn luma(p: [u8; 3]) -> u8 {
    ((u32::from(p[0]) + 2 * u32::from(p[1]) + u32::from(p[2])) >> 2) as u8
}

impl Tint {
    /// Estimates the tint of the picture's greys.
    pub(super) fn of(grid: &Grid) -> Self {
        // Mode of the chromaticity (R−G)/Y, (B−G)/Y over cells that are neither black nor white.
        const SIDE: usize = 48;
        let mut histogram = vec![0u32; SIDE * SIDE];
        let bin = |p: [u8; 3]| -> Option<(usize, usize)> {
            let y = i32::from(luma(p));
            if !(36..=225).contains(&y) {
                return None;
            }
            let u = (i32::from(p[0]) - i32::from(p[1])) * 24 / y + 24;
            let v = (i32::from(p[2]) - i32::from(p[1])) * 24 / y + 24;
            ((0..48).contains(&u) && (0..48).contains(&v)).then_some((u as usize, v as usize))
        };
        let mut total = 0u32;
        for pair in grid.rgb.windows(2) {
            // A flat panel is no picture, however large it is.
            if luma(pair[0]).abs_diff(luma(pair[1])) < 2 {
                continue;
            }
            if let Some((u, v)) = bin(pair[0]) {
                histogram[v * SIDE + u] += 1;
                total += 1;
            }
        }
        let mut best = (0u32, 24usize, 24usize);
        for v in 1..SIDE - 1 {
            for u in 1..SIDE - 1 {
                let mut sum = 0;
                for dv in 0..3 {
                    for du in 0..3 {
                        sum += histogram[(v + dv - 1) * SIDE + u + du - 1];
                    }
                }
                if sum > best.0 {
                    best = (sum, u, v);
                }
            }
        }
        let (share, u, v) = best;
        // The middle of the mode, between bins.
        let around = |du: usize, dv: usize| histogram[(v + dv - 1) * SIDE + u + du - 1] as f32;
        let (mut du, mut dv) = (0.0, 0.0);
        for k in 0..3 {
            du += around(2, k) - around(0, k);
            dv += around(k, 2) - around(k, 0);
        }
        let (du, dv) = (du / share.max(1) as f32, dv / share.max(1) as f32);
        let (tu, tv) = ((u as f32 + du - 24.0) / 24.0, (v as f32 + dv - 24.0) / 24.0);
        if share * 8 < total
            || tu.abs() > MAX_TINT
            || tv.abs() > MAX_TINT
            || tu.abs().max(tv.abs()) < 0.03
        {
            return Self::default();
        }
        // The curve: mean chroma by luma over the cells near the mode.
        let mut sums = [[0i64; 3]; LUMA_BINS + 1];
        for &p in &grid.rgb {
            let y = f32::from(luma(p));
            let (ru, bv) = (f32::from(p[0]) - f32::from(p[1]), f32::from(p[2]) - f32::from(p[1]));
            if (ru - tu * y).abs() < 10.0 + 0.06 * y && (bv - tv * y).abs() < 10.0 + 0.06 * y {
                let s = &mut sums[(luma(p) >> 4) as usize];
                s[0] += 1;
                s[1] += ru as i64;
                s[2] += bv as i64;
            }
        }
        let mut tint = Self::default();
        for (i, s) in sums.iter().enumerate() {
            let y = i as f32 * 16.0 + 8.0;
            // Few cells: the straight line.
            (tint.red[i], tint.blue[i]) = if s[0] >= 20 {
                ((s[1] / s[0]) as i16, (s[2] / s[0]) as i16)
            } else {
                ((tu * y) as i16, (tv * y) as i16)
            };
        }
        tint
    }

    /// Chroma of `p` beyond the tint, as R−G and B−G.
    #[inline]
    pub(super) fn residual(&self, p: [u8; 3]) -> (i16, i16) {
        let bin = usize::from(luma(p) >> 4);
        (
            i16::from(p[0]) - i16::from(p[1]) - self.red[bin],
            i16::from(p[2]) - i16::from(p[1]) - self.blue[bin],
        )
    }

    /// Largest less smallest channel of `p` beyond the tint.
    #[inline]
    pub(super) fn chroma(&self, p: [u8; 3]) -> u8 {
        let (r, b) = self.residual(p);
        (r.max(b).max(0) - r.min(b).min(0)).clamp(0, 255) as u8
    }

    /// Hue of `p` beyond the tint in degrees, 0 red, 120 green, 240 blue.
    pub(super) fn hue(&self, p: [u8; 3]) -> f32 {
        let (r, b) = self.residual(p);
        let (r, g, b) = (f32::from(r), 0.0, f32::from(b));
        let max = r.max(g).max(b);
        let span = (max - r.min(g).min(b)).max(1.0);
        let h = if max <= r {
            (g - b) / span
        } else if max <= g {
            2.0 + (b - r) / span
        } else {
            4.0 + (r - g) / span
        };
        (h * 60.0).rem_euclid(360.0)
    }
}
