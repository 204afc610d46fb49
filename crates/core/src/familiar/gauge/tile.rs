//! One tile of a plane: its spread, the shape of its histogram, how alike neighbours are.

/// Added to a tile's variance, code values²: rounding to 8 bits.
const ROUNDING: f32 = 0.25;

/// A square of pixels without their mean.
pub(super) struct Tile<const N: usize> {
    pixels: [[f32; N]; N],
    pub(super) mean: f32,
    pub(super) sd: f32,
}

impl<const N: usize> Tile<N> {
    pub(super) fn of(raw: &[[f32; N]; N]) -> Self {
        let count = (N * N) as f32;
        let mean = raw.iter().map(sum).sum::<f32>() / count;
        let mut pixels = *raw;
        for v in pixels.iter_mut().flatten() {
            *v -= mean;
        }
        let variance = pixels.iter().map(|row| dot(row, row)).sum::<f32>() / count + ROUNDING;
        Self { pixels, mean, sd: variance.sqrt() }
    }

    /// Skew, logarithm of the kurtosis, and how much of the spread is between a pixel and the four beside
    /// it.
    pub(super) fn shape(&self) -> [f32; 3] {
        let count = (N * N) as f32;
        let [mut third, mut fourth, mut edges] = [0f32; 3];
        for row in &self.pixels {
            let mut powers = [[0f32; N]; 2];
            for (i, v) in row.iter().enumerate() {
                let square = v * v;
                powers[0][i] = square * v;
                powers[1][i] = square * square;
            }
            third += sum(&powers[0]);
            fourth += sum(&powers[1]);
        }
        for rows in self.pixels.windows(3) {
            let [above, here, below] = rows else { continue };
            let mut squares = [0f32; N];
            for x in 1..N - 1 {
                let edge = 4.0 * here[x] - here[x - 1] - here[x + 1] - above[x] - below[x];
                squares[x] = edge * edge;
            }
            edges += sum(&squares);
        }
        let variance = self.sd * self.sd;
        let inner = ((N - 2) * (N - 2)) as f32;
        [
            third / count / (variance * self.sd),
            (fourth / count / (variance * variance) + 0.5).ln(),
            (edges / inner / variance + 1e-3).ln(),
        ]
    }

    /// Correlation of pixels so many columns and rows apart.
    pub(super) fn neighbours(&self, (dx, dy): (usize, isize)) -> f32 {
        let rows = N - dy.unsigned_abs();
        let (from, to) = if dy < 0 { (N - rows, 0) } else { (0, N - rows) };
        let pairs = self.pixels[from..from + rows].iter().zip(&self.pixels[to..to + rows]);
        let total: f32 = pairs.map(|(a, b)| dot(&a[..N - dx], &b[dx..])).sum();
        total / (rows * (N - dx)) as f32 / (self.sd * self.sd)
    }

    /// Correlation with another plane.
    pub(super) fn correlation(&self, other: &Self) -> f32 {
        let total: f32 = self.pixels.iter().zip(&other.pixels).map(|(a, b)| dot(a, b)).sum();
        total / (N * N) as f32 / (self.sd * other.sd)
    }
}

/// Correlation of two lists; 0 where one of them does not change.
pub(super) fn correlation(a: &[f32], b: &[f32]) -> f32 {
    let n = a.len().max(1) as f32;
    let (a_mean, b_mean) = (a.iter().sum::<f32>() / n, b.iter().sum::<f32>() / n);
    let (mut ab, mut aa, mut bb) = (0f32, 0f32, 0f32);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (x - a_mean, y - b_mean);
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    ab / (aa * bb + 1e-9).sqrt()
}

/// Sum of products, in eight lanes: the order of summation is part of the definition.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0f32; 8];
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        for (lane, (x, y)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += x * y;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    lanes.iter().sum::<f32>() + rest
}

fn sum<const N: usize>(values: &[f32; N]) -> f32 {
    let mut lanes = [0f32; 8];
    let (chunks, rest) = values.as_chunks::<8>();
    for chunk in chunks {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            *lane += v;
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().sum::<f32>()
}
