//! What a grabber's or recorder's coding leaves of a picture: blocks of eight pixels whose fine
//! detail is rounded away, and colours at half the resolution. Pure.

use std::sync::LazyLock;

use crate::paint::Canvas;
use crate::skin::Codec;

const SIDE: usize = 8;
type Block = [f32; SIDE * SIDE];

/// The orthonormal cosine transform of eight samples, row by row.
static COSINES: LazyLock<Block> = LazyLock::new(|| {
    std::array::from_fn(|i| {
        let (k, x) = (i / SIDE, i % SIDE);
        let scale = if k == 0 { (1.0 / SIDE as f32).sqrt() } else { (2.0 / SIDE as f32).sqrt() };
        let angle = (x as f32 + 0.5) * k as f32 * std::f32::consts::PI / SIDE as f32;
        scale * angle.cos()
    })
});

impl Codec {
    /// Codes and decodes the whole picture; what is left over at the edges stays as it is.
    pub(crate) fn apply(self, canvas: &mut Canvas<'_>) {
        let chroma = if self.half_chroma { 2 * SIDE } else { SIDE };
        let (width, height) = (canvas.width as usize, canvas.height as usize);
        for y in (0..height - height % chroma).step_by(chroma) {
            for x in (0..width - width % chroma).step_by(chroma) {
                self.unit(canvas, x, y);
            }
        }
    }

    /// Codes one unit: the colours' block and the one or four of the luma that it covers.
    fn unit(self, canvas: &mut Canvas<'_>, x0: usize, y0: usize) {
        let blocks = if self.half_chroma { 2 } else { 1 };
        let side = blocks * SIDE;
        let mut luma = [[0.0; SIDE * SIDE]; 4];
        let mut chroma = [[0.0; SIDE * SIDE]; 2];
        let share = 1.0 / (blocks * blocks) as f32;
        for y in 0..side {
            let row = &canvas.px[(y0 + y) * canvas.stride + x0 * 4..][..side * 4];
            for (x, p) in row.chunks_exact(4).enumerate() {
                let [b, g, r] = [p[0], p[1], p[2]].map(f32::from);
                let l = 0.299 * r + 0.587 * g + 0.114 * b;
                luma[y / SIDE * 2 + x / SIDE][y % SIDE * SIDE + x % SIDE] = l;
                let at = y / blocks * SIDE + x / blocks;
                chroma[0][at] += share * 0.564 * (b - l);
                chroma[1][at] += share * 0.713 * (r - l);
            }
        }
        for block in &mut chroma {
            self.round(block, 1.6);
        }
        for by in 0..blocks {
            for bx in 0..blocks {
                self.round(&mut luma[by * 2 + bx], 1.0);
            }
        }
        for y in 0..side {
            let row = &mut canvas.px[(y0 + y) * canvas.stride + x0 * 4..][..side * 4];
            for (x, p) in row.chunks_exact_mut(4).enumerate() {
                let l = luma[y / SIDE * 2 + x / SIDE][y % SIDE * SIDE + x % SIDE];
                let at = y / blocks * SIDE + x / blocks;
                let (b, r) = (l + chroma[0][at] / 0.564, l + chroma[1][at] / 0.713);
                let g = (l - 0.299 * r - 0.114 * b) / 0.587;
                for (o, v) in p.iter_mut().zip([b, g, r]) {
                    *o = (v + 0.5).clamp(0.0, 255.0) as u8;
                }
            }
        }
    }

    /// Rounds a block's frequencies: the higher the coarser.
    fn round(self, block: &mut Block, coarse: f32) {
        let first = block[0].to_bits();
        // Most of a scanner's screen is one colour.
        if block.iter().all(|v| v.to_bits() == first) {
            return;
        }
        let mut frequencies =
            product(&COSINES, &transposed(&product(&COSINES, &transposed(block))));
        for (i, f) in frequencies.iter_mut().enumerate() {
            let step = f32::from(self.step) * coarse * (1.0 + 0.45 * (i / SIDE + i % SIDE) as f32);
            *f = (*f / step).round() * step;
        }
        let back = transposed(&COSINES);
        *block = product(&back, &transposed(&product(&back, &transposed(&frequencies))));
    }
}

fn transposed(a: &Block) -> Block {
    std::array::from_fn(|i| a[i % SIDE * SIDE + i / SIDE])
}

fn product(a: &Block, b: &Block) -> Block {
    let mut out = [0.0; SIDE * SIDE];
    for y in 0..SIDE {
        for k in 0..SIDE {
            for x in 0..SIDE {
                out[y * SIDE + x] += a[y * SIDE + k] * b[k * SIDE + x];
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coded(codec: Codec) -> (Vec<u8>, Vec<u8>) {
        let px: Vec<u8> = (0..64u32 * 48)
            .flat_map(|i| {
                let (x, y) = (i % 64, i / 64);
                [(x * 3) as u8, (y * 5) as u8, ((x * y) % 90) as u8, 255]
            })
            .collect();
        let mut out = px.clone();
        codec.apply(&mut Canvas { px: &mut out, stride: 256, width: 64, height: 48 });
        (px, out)
    }

    fn error(codec: Codec) -> f64 {
        let (a, b) = coded(codec);
        let sum: f64 = a.iter().zip(&b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
        sum / a.len() as f64
    }

    #[test]
    fn a_fine_step_keeps_the_picture_and_a_coarse_one_does_not() {
        let fine = error(Codec { step: 1, half_chroma: false });
        let coarse = error(Codec { step: 24, half_chroma: false });
        let half = error(Codec { step: 1, half_chroma: true });
        assert!(fine < 10.0 && coarse > 10.0 * fine && half > fine, "{fine} {coarse} {half}");
    }

    #[test]
    fn one_colour_stays_as_it_is() {
        let px = vec![77; 4 * 32 * 32];
        let mut out = px.clone();
        let codec = Codec { step: 24, half_chroma: true };
        codec.apply(&mut Canvas { px: &mut out, stride: 128, width: 32, height: 32 });
        assert!(px.iter().zip(&out).all(|(a, b)| a.abs_diff(*b) <= 1));
    }
}
