//! Small pictures in `f32` and what is done to them: filters, noise, stretching. One thread at a time.

use rand::Rng;
use rand_pcg::Pcg64Mcg;

/// A picture of one channel, in code values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) values: Vec<f32>,
}

impl Plane {
    pub(super) fn of(width: usize, height: usize, value: impl FnMut(usize) -> f32) -> Self {
        Self { width, height, values: (0..width * height).map(value).collect() }
    }

    /// White noise of spread 1.
    pub(super) fn noise(width: usize, height: usize, rng: &mut Pcg64Mcg) -> Self {
        Self::of(width, height, |_| normal(rng))
    }

    pub(super) fn at(&self, x: usize, y: usize) -> f32 {
        self.values[y * self.width + x]
    }

    /// Between pixels, by the four around; what lies outside is the edge's.
    fn between(&self, x: f32, y: f32) -> f32 {
        let place = |v: f32, n: usize| {
            let v = v.clamp(0.0, (n - 1) as f32);
            let low = (v as usize).min(n.saturating_sub(2));
            (low, (low + 1).min(n - 1), v - low as f32)
        };
        let ((x0, x1, u), (y0, y1, v)) = (place(x, self.width), place(y, self.height));
        let row = |y: usize| (1.0 - u) * self.at(x0, y) + u * self.at(x1, y);
        (1.0 - v) * row(y0) + v * row(y1)
    }

    /// Enlarged from a corner, `[across, down]`; the size stays.
    pub(super) fn stretched(&self, [across, down]: [f32; 2]) -> Self {
        // Where it becomes smaller, it is repeated as in a mirror.
        let fold = |v: f32, n: usize| {
            let period = 2.0 * (n - 1).max(1) as f32;
            let v = v.rem_euclid(period);
            v.min(period - v)
        };
        Self::of(self.width, self.height, |i| {
            let (x, y) = ((i % self.width) as f32 / across, (i / self.width) as f32 / down);
            self.between(fold(x, self.width), fold(y, self.height))
        })
    }

    /// The same picture at another size.
    pub(super) fn resized(&self, width: usize, height: usize) -> Self {
        let step = |from: usize, to: usize| (from - 1) as f32 / (to.max(2) - 1) as f32;
        let (sx, sy) = (step(self.width, width), step(self.height, height));
        Self::of(width, height, |i| self.between((i % width) as f32 * sx, (i / width) as f32 * sy))
    }

    /// Blurred by a bell of these standard deviations, `[across, down]`, px.
    pub(super) fn blurred(&self, [across, down]: [f32; 2]) -> Self {
        let mut once = self.clone();
        let taps = bell(across);
        let reach = taps.len() / 2;
        for y in 0..self.height {
            let row = &self.values[y * self.width..(y + 1) * self.width];
            for x in 0..self.width {
                let sum = taps
                    .iter()
                    .enumerate()
                    .map(|(k, t)| t * row[(x + k).saturating_sub(reach).min(self.width - 1)]);
                once.values[y * self.width + x] = sum.sum();
            }
        }
        let taps = bell(down);
        let reach = taps.len() / 2;
        let mut twice = Self::of(self.width, self.height, |_| 0.0);
        for y in 0..self.height {
            for (k, t) in taps.iter().enumerate() {
                let from = (y + k).saturating_sub(reach).min(self.height - 1) * self.width;
                for x in 0..self.width {
                    twice.values[y * self.width + x] += t * once.values[from + x];
                }
            }
        }
        twice
    }

    /// Each pixel the median of a square around it.
    pub(super) fn median(&self, reach: usize) -> Self {
        let mut around = Vec::new();
        Self::of(self.width, self.height, |i| {
            let (x, y) = (i % self.width, i / self.width);
            around.clear();
            for row in y.saturating_sub(reach)..(y + reach + 1).min(self.height) {
                let columns = x.saturating_sub(reach)..(x + reach + 1).min(self.width);
                around.extend(columns.map(|column| self.at(column, row)));
            }
            let middle = around.len() / 2;
            *around.select_nth_unstable_by(middle, f32::total_cmp).1
        })
    }

    pub(super) fn change(&mut self, mut new: impl FnMut(usize, f32) -> f32) {
        for (i, v) in self.values.iter_mut().enumerate() {
            *v = new(i, *v);
        }
    }

    /// Mean and standard deviation.
    pub(super) fn moments(&self) -> [f32; 2] {
        let n = self.values.len().max(1) as f32;
        let mean = self.values.iter().sum::<f32>() / n;
        let square = self.values.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / n;
        [mean, square.sqrt()]
    }

    /// With mean 0 and spread 1.
    pub(super) fn standard(mut self) -> Self {
        let [mean, spread] = self.moments();
        self.change(|_, v| (v - mean) / spread.max(1e-6));
        self
    }
}

/// A field with something at every scale, mean 0 and spread 1: each octave's part is the `rise`th power
/// of its length; `aspect` is how much longer it is across than down.
pub(super) fn field(
    width: usize,
    height: usize,
    rise: f32,
    aspect: f32,
    rng: &mut Pcg64Mcg,
) -> Plane {
    let mut sum = Plane::of(width, height, |_| 0.0);
    for octave in 1..=7 {
        let cell = f32::from(1u16 << octave);
        let cells = |n: usize, cell: f32| ((n as f32 / cell.max(1.0)).ceil() as usize + 2).max(2);
        let (w, h) = (cells(width, cell * aspect.sqrt()), cells(height, cell / aspect.sqrt()));
        let layer = Plane::noise(w.min(width), h.min(height), rng).resized(width, height);
        let weight = cell.powf(rise);
        sum.change(|i, v| v + weight * layer.values[i]);
    }
    sum.standard()
}

/// A number of the normal distribution.
pub(super) fn normal(rng: &mut Pcg64Mcg) -> f32 {
    let radius = (-2.0 * rng.random_range(f32::MIN_POSITIVE..1.0).ln()).sqrt();
    radius * (std::f32::consts::TAU * rng.random::<f32>()).cos()
}

/// A number whose logarithm is even between those of `low` and `high`.
pub(super) fn even_log(rng: &mut Pcg64Mcg, low: f32, high: f32) -> f32 {
    rng.random_range(low.ln()..high.ln()).exp()
}

fn bell(sigma: f32) -> Vec<f32> {
    let reach = (2.5 * sigma).ceil().max(1.0) as i32;
    let taps = (-reach..=reach).map(|k| (-0.5 * (k as f32 / sigma.max(0.05)).powi(2)).exp());
    let taps: Vec<f32> = taps.collect();
    let sum: f32 = taps.iter().sum();
    taps.iter().map(|t| t / sum).collect()
}
