//! Separable resampling with a triangle filter: the usual bilinear filter when enlarging, widened by
//! the step when reducing, so that nothing aliases (what Pillow's `BILINEAR` and torch's
//! `antialias=True` do). Pure; runs on the infer thread.

/// Filter of one axis: output `i` is the sum over `t` of `weight(i, t) · source[first(i) + t]`.
///
/// With `step = source / output`, `r = max(step, 1)`, `c = (i + 0.5) · step`: source pixel `j` has
/// weight `max(0, 1 − |j + 0.5 − c| / r)`, divided by the sum of all weights inside the source.
/// Computed in `f64`, kept as `f32`; a GPU uses these very tables.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taps {
    source: usize,
    first: Vec<u32>,
    weights: Vec<f32>,
    per_output: usize,
}

impl Taps {
    /// Builds the filter from `source` to `output` pixels, each at least 1.
    pub fn new(source: usize, output: usize) -> Self {
        let mut taps = Self::default();
        taps.prepare(source, output);
        taps
    }

    /// Rebuilds the filter unless it is the right one already.
    pub fn prepare(&mut self, source: usize, output: usize) {
        if self.source == source && self.first.len() == output {
            return;
        }
        let step = source as f64 / output as f64;
        let radius = step.max(1.0);
        // A tent of radius r covers at most ⌈2r⌉ + 1 pixel centres.
        let per_output = ((2.0 * radius).ceil() as usize + 1).min(source);
        self.source = source;
        self.per_output = per_output;
        self.first.clear();
        self.weights.clear();
        self.weights.resize(output * per_output, 0.0);
        for (i, weights) in self.weights.chunks_exact_mut(per_output).enumerate() {
            let centre = (i as f64 + 0.5) * step;
            let lowest = (centre - radius - 0.5).ceil().max(0.0) as usize;
            let first = lowest.min(source - per_output);
            self.first.push(first as u32);
            let tent =
                |t: usize| (1.0 - ((first + t) as f64 + 0.5 - centre).abs() / radius).max(0.0);
            let sum: f64 = (0..per_output).map(tent).sum();
            for (t, w) in weights.iter_mut().enumerate() {
                *w = (tent(t) / sum) as f32;
            }
        }
    }

    /// Number of outputs.
    pub fn len(&self) -> usize {
        self.first.len()
    }

    /// Whether there is no output.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// For each output: its first source pixel and its weights.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &[f32])> {
        self.first
            .iter()
            .map(|f| *f as usize)
            .zip(self.weights.chunks_exact(self.per_output.max(1)))
    }
}

/// In which order a pixel's bytes become channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// R, G, B.
    Forward,
    /// B, G, R.
    Backward,
}

/// Resamples packed pixels, rows of `width`, to planes in `out`; `across` is scratch. Values stay in
/// code values 0..=255.
pub(super) fn resample(
    pixels: &[[u8; 3]],
    width: usize,
    x: &Taps,
    y: &Taps,
    order: Order,
    across: &mut Vec<f32>,
    out: &mut [f32],
) {
    let (columns, rows) = (x.len(), pixels.len() / width.max(1));
    // Scratch: for each source row, its three channels one after the other, `columns` wide.
    across.resize(rows * 3 * columns, 0.0);
    for (source, row) in
        pixels.chunks_exact(width.max(1)).zip(across.chunks_exact_mut((3 * columns).max(1)))
    {
        let (r, rest) = row.split_at_mut(columns);
        let (g, b) = rest.split_at_mut(columns);
        let (first, last) = match order {
            Order::Forward => (r, b),
            Order::Backward => (b, r),
        };
        for ((((from, weights), red), green), blue) in x.iter().zip(first).zip(g).zip(last) {
            let mut sum = [0.0f32; 3];
            for (p, w) in source[from..].iter().zip(weights) {
                for (s, code) in sum.iter_mut().zip(p) {
                    *s += w * f32::from(*code);
                }
            }
            [*red, *green, *blue] = sum;
        }
    }
    let plane = columns * y.len();
    for (channel, out) in out.chunks_exact_mut(plane.max(1)).enumerate() {
        for ((from, weights), line) in y.iter().zip(out.chunks_exact_mut(columns.max(1))) {
            line.fill(0.0);
            for (t, w) in weights.iter().enumerate() {
                let start = (from + t) * 3 * columns + channel * columns;
                for (o, v) in line.iter_mut().zip(&across[start..start + columns]) {
                    *o += w * v;
                }
            }
        }
    }
}
