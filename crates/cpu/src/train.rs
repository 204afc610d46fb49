//! The 3×3 convolution and its gradients, for the trainer: planes of whole pictures, NCHW, stride 1,
//! rim 1, with bias and ReLU.
//!
//! Directly and not by Winograd: gradients with respect to the filters have no such short cut, and
//! narrow networks spend their time on the transforms. Pictures are copied into planes with a rim of
//! zeros, so that no vector has to ask where the picture ends. The sums do not depend on the number of
//! threads: pictures are summed in [`PARTS`] parts, whatever runs them. Allocates; for any thread.
#![allow(unsafe_code)]

use std::{ops::Range, thread};

use crate::simd::{Isa, Kernel, Simd};

/// Into how many parts the pictures are cut at most, each summed by itself.
const PARTS: usize = 8;
/// Most numbers in a vector of any instruction set.
const WIDEST: usize = 16;
/// Filters that go through the map together while they are no more numbers than this (L2 holds them).
const RESIDENT: usize = 1 << 16;

/// Sizes of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Pictures.
    pub pictures: usize,
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Height of both.
    pub rows: usize,
    /// Width of both.
    pub columns: usize,
}

/// What [`conv_gradients`] gives.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvGradients {
    /// With respect to the input, where it was asked for.
    pub input: Option<Vec<f32>>,
    /// With respect to the filters.
    pub weights: Vec<f32>,
    /// With respect to the bias.
    pub bias: Vec<f32>,
}

impl ConvShape {
    fn plane(&self) -> usize {
        self.rows * self.columns
    }

    fn pitch(&self) -> usize {
        self.columns.next_multiple_of(WIDEST) + WIDEST
    }

    /// Numbers of a plane with its rim.
    fn padded(&self) -> usize {
        (self.rows + 2) * self.pitch()
    }

    /// # Panics
    /// When the lengths are not those of the shape.
    fn check(&self, x: &[f32], weights: &[f32], y: &[f32]) {
        assert!(self.rows > 0 && self.columns > 0, "an empty picture");
        assert_eq!(x.len(), self.pictures * self.inputs * self.plane(), "the input's length");
        assert_eq!(weights.len(), self.outputs * self.inputs * 9, "the filters' length");
        assert_eq!(y.len(), self.pictures * self.outputs * self.plane(), "the output's length");
    }

    /// Copies planes into the middle of padded ones; the rims stay as they are. With `gate`, numbers
    /// whose gate is not above zero become zero: the gradient of a ReLU.
    fn pad(&self, from: &[f32], gate: Option<&[f32]>, to: &mut [f32]) {
        let (columns, pitch) = (self.columns, self.pitch());
        let planes = from.chunks_exact(self.plane()).zip(to.chunks_exact_mut(self.padded()));
        for (p, (from, to)) in planes.enumerate() {
            for (r, row) in from.chunks_exact(columns).enumerate() {
                let to = &mut to[(r + 1) * pitch + 1..][..columns];
                match gate {
                    None => to.copy_from_slice(row),
                    Some(gate) => {
                        let gate = &gate[p * self.plane() + r * columns..][..columns];
                        for ((to, v), gate) in to.iter_mut().zip(row).zip(gate) {
                            *to = if *gate > 0.0 { *v } else { 0.0 };
                        }
                    }
                }
            }
        }
    }

    /// The parts of the pictures.
    fn parts(&self) -> Vec<Range<usize>> {
        let each = self.pictures.div_ceil(PARTS).max(1);
        (0..self.pictures).step_by(each).map(|p| p..(p + each).min(self.pictures)).collect()
    }
}

/// Convolves pictures. `weights` are [output][input][3][3].
///
/// # Panics
/// When a length is not that of the shape.
pub fn conv(
    shape: ConvShape,
    x: &[f32],
    weights: &[f32],
    bias: &[f32],
    relu: bool,
    threads: usize,
) -> Vec<f32> {
    let mut y = vec![0.0; shape.pictures * shape.outputs * shape.plane()];
    shape.check(x, weights, &y);
    assert_eq!(bias.len(), shape.outputs, "the bias's length");
    let isa = Isa::detect();
    let (of_input, of_output) = (shape.inputs * shape.plane(), shape.outputs * shape.plane());
    let share = shape.pictures.div_ceil(threads.max(1)).max(1);
    let work = |x: &[f32], y: &mut [f32]| {
        let mut padded = vec![0.0; shape.inputs * shape.padded()];
        for (x, y) in x.chunks_exact(of_input).zip(y.chunks_exact_mut(of_output)) {
            shape.pad(x, None, &mut padded);
            isa.run(Convolve { shape, from: &padded, weights, bias: Some(bias), relu, to: y });
        }
    };
    thread::scope(|scope| {
        let shares = x.chunks(share * of_input).zip(y.chunks_mut(share * of_output));
        let mut shares = shares.collect::<Vec<_>>().into_iter();
        let own = shares.next();
        for (x, y) in shares {
            scope.spawn(move || work(x, y));
        }
        if let Some((x, y)) = own {
            work(x, y);
        }
    });
    y
}

/// Gradients of a convolution from that of its output. `relu` is the output itself where a ReLU ended
/// it.
///
/// # Panics
/// When a length is not that of the shape.
pub fn conv_gradients(
    shape: ConvShape,
    x: &[f32],
    weights: &[f32],
    gradient: &[f32],
    relu: Option<&[f32]>,
    with_input: bool,
    threads: usize,
) -> ConvGradients {
    shape.check(x, weights, gradient);
    assert!(relu.is_none_or(|y| y.len() == gradient.len()), "the output's length");
    let isa = Isa::detect();
    let (of_input, of_output) = (shape.inputs * shape.plane(), shape.outputs * shape.plane());
    let turned = with_input.then(|| turned(shape, weights));
    let back = ConvShape { inputs: shape.outputs, outputs: shape.inputs, ..shape };
    let mut input = vec![0.0; if with_input { x.len() } else { 0 }];
    let work = |pictures: Range<usize>, to: &mut [f32]| {
        let (planes_in, planes_out) =
            (shape.inputs * shape.padded(), shape.outputs * shape.padded());
        let mut xs = vec![0.0; pictures.len() * planes_in];
        let mut gs = vec![0.0; pictures.len() * planes_out];
        let mut bias = vec![0.0; shape.outputs];
        for (i, p) in pictures.clone().enumerate() {
            shape.pad(&x[p * of_input..][..of_input], None, &mut xs[i * planes_in..][..planes_in]);
            let gate = relu.map(|y| &y[p * of_output..][..of_output]);
            let g = &mut gs[i * planes_out..][..planes_out];
            back.pad(&gradient[p * of_output..][..of_output], gate, g);
            for (sum, plane) in bias.iter_mut().zip(g.chunks_exact(shape.padded())) {
                // Row by row: a plain sum over a large map loses digits.
                *sum +=
                    plane.chunks_exact(shape.pitch()).map(|r| r.iter().sum::<f32>()).sum::<f32>();
            }
            if let Some(turned) = &turned {
                let to = &mut to[i * of_input..][..of_input];
                isa.run(Convolve {
                    shape: back,
                    from: g,
                    weights: turned,
                    bias: None,
                    relu: false,
                    to,
                });
            }
        }
        let mut sums = vec![0.0; weights.len()];
        isa.run(Correlate { shape, pictures: pictures.len(), x: &xs, g: &gs, to: &mut sums });
        (sums, bias)
    };
    let parts = shape.parts();
    let mut queue: Vec<(usize, Range<usize>, &mut [f32])> = Vec::with_capacity(parts.len());
    let mut rest = input.as_mut_slice();
    for (i, part) in parts.iter().enumerate() {
        let (to, after) = rest.split_at_mut(if with_input { part.len() * of_input } else { 0 });
        rest = after;
        queue.push((i, part.clone(), to));
    }
    let mut lanes: Vec<Vec<_>> =
        (0..threads.clamp(1, parts.len().max(1))).map(|_| Vec::new()).collect();
    for (i, part) in queue.into_iter().enumerate() {
        let lane = i % lanes.len();
        lanes[lane].push(part);
    }
    let run = |lane: Vec<(usize, Range<usize>, &mut [f32])>| {
        lane.into_iter().map(|(i, part, to)| (i, work(part, to))).collect::<Vec<_>>()
    };
    let mut done = thread::scope(|scope| {
        let mut lanes = lanes.into_iter();
        let own = lanes.next();
        let others: Vec<_> = lanes.map(|lane| scope.spawn(|| run(lane))).collect();
        let mut done = own.map(&run).unwrap_or_default();
        for other in others {
            // The worker only computes; it panics where this thread would.
            done.extend(other.join().expect("arithmetic does not panic"));
        }
        done
    });
    done.sort_by_key(|(i, _)| *i);
    let mut total = (vec![0.0; weights.len()], vec![0.0; shape.outputs]);
    for (_, (sums, bias)) in done {
        total.0.iter_mut().zip(sums).for_each(|(t, s)| *t += s);
        total.1.iter_mut().zip(bias).for_each(|(t, s)| *t += s);
    }
    ConvGradients { input: with_input.then_some(input), weights: total.0, bias: total.1 }
}

/// Filters for the way back: [input][output], turned by half a turn.
fn turned(shape: ConvShape, weights: &[f32]) -> Vec<f32> {
    let mut turned = vec![0.0; weights.len()];
    for o in 0..shape.outputs {
        for i in 0..shape.inputs {
            let from = &weights[(o * shape.inputs + i) * 9..][..9];
            let to = &mut turned[(i * shape.outputs + o) * 9..][..9];
            to.iter_mut().zip(from.iter().rev()).for_each(|(to, w)| *to = *w);
        }
    }
    turned
}

/// Convolves the padded planes of one picture.
struct Convolve<'a> {
    shape: ConvShape,
    from: &'a [f32],
    weights: &'a [f32],
    bias: Option<&'a [f32]>,
    relu: bool,
    to: &'a mut [f32],
}

/// A vector's place: in a padded plane, in a plane, and how many of its numbers are inside.
#[derive(Clone, Copy)]
struct Place {
    padded: usize,
    plain: usize,
    count: usize,
}

/// Filters that go through the map together.
const FILTERS: usize = 4;
/// Vectors of the map that go through the filters together.
const VECTORS: usize = 2;

impl Kernel for Convolve<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Convolve { shape, from, weights, bias, relu, to } = self;
        assert!(from.len() == shape.inputs * shape.padded());
        assert!(weights.len() == shape.outputs * shape.inputs * 9);
        assert!(to.len() == shape.outputs * shape.plane() && S::LANES <= WIDEST);
        let mut places = Vec::with_capacity(shape.rows * shape.columns.div_ceil(S::LANES));
        for row in 0..shape.rows {
            for column in (0..shape.columns).step_by(S::LANES) {
                places.push(Place {
                    padded: row * shape.pitch() + column,
                    plain: row * shape.columns + column,
                    count: (shape.columns - column).min(S::LANES),
                });
            }
        }
        let args = Patch { shape, from, weights, bias, relu };
        if weights.len() <= RESIDENT {
            for places in places.chunks(VECTORS) {
                for o in (0..shape.outputs).step_by(FILTERS) {
                    block(s, args, places, o, to);
                }
            }
        } else {
            for o in (0..shape.outputs).step_by(FILTERS) {
                for places in places.chunks(VECTORS) {
                    block(s, args, places, o, to);
                }
            }
        }
    }
}

/// What every patch of a picture shares.
#[derive(Clone, Copy)]
struct Patch<'a> {
    shape: ConvShape,
    from: &'a [f32],
    weights: &'a [f32],
    bias: Option<&'a [f32]>,
    relu: bool,
}

/// Computes up to [`VECTORS`] vectors of up to [`FILTERS`] output planes, from plane `o` on. A function
/// and no closure: a closure would not be compiled for the instruction set.
#[inline(always)]
fn block<S: Simd>(s: S, args: Patch<'_>, places: &[Place], o: usize, to: &mut [f32]) {
    if args.shape.outputs - o >= FILTERS {
        match places.len() {
            2 => patch::<S, 4, 2>(s, args, places, o, to),
            _ => patch::<S, 4, 1>(s, args, places, o, to),
        }
        return;
    }
    for o in o..args.shape.outputs {
        match places.len() {
            2 => patch::<S, 1, 2>(s, args, places, o, to),
            _ => patch::<S, 1, 1>(s, args, places, o, to),
        }
    }
}

/// Computes `V` vectors of `F` output planes, from plane `o` on.
#[inline(always)]
fn patch<S: Simd, const F: usize, const V: usize>(
    s: S,
    Patch { shape, from, weights, bias, relu }: Patch<'_>,
    places: &[Place],
    o: usize,
    to: &mut [f32],
) {
    let (pitch, padded) = (shape.pitch(), shape.padded());
    let mut sums = [[s.splat(0.0); V]; F];
    let mut at = [0; V];
    for v in 0..V {
        at[v] = places[v].padded;
    }
    if let Some(bias) = bias {
        for f in 0..F {
            sums[f] = [s.splat(bias[o + f]); V];
        }
    }
    let filters = weights[o * shape.inputs * 9..][..F * shape.inputs * 9].as_ptr();
    for i in 0..shape.inputs {
        let plane = from[i * padded..][..padded].as_ptr();
        for ky in 0..3 {
            for kx in 0..3 {
                // SAFETY: a place is in row `r < rows` and its vector begins at column
                // `c < columns`, so the numbers read are at most at row `r + 2 < rows + 2`, column
                // `c + 2 + WIDEST - 1 < pitch`: inside the plane. The filter's number is at
                // `(f · inputs + i) · 9 + 8` at most, inside the `F · inputs · 9` above.
                unsafe {
                    let mut x = [s.splat(0.0); V];
                    for v in 0..V {
                        x[v] = s.load(plane.add(at[v] + ky * pitch + kx));
                    }
                    for f in 0..F {
                        let w = s.splat(*filters.add((f * shape.inputs + i) * 9 + ky * 3 + kx));
                        for v in 0..V {
                            sums[f][v] = s.fma(x[v], w, sums[f][v]);
                        }
                    }
                }
            }
        }
    }
    let zero = s.splat(0.0);
    for f in 0..F {
        let plane = &mut to[(o + f) * shape.plane()..][..shape.plane()];
        for v in 0..V {
            let sum = if relu { s.max(zero, sums[f][v]) } else { sums[f][v] };
            let mut numbers = [0.0; WIDEST];
            // SAFETY: a vector has at most `WIDEST` numbers.
            unsafe { s.store(numbers.as_mut_ptr(), sum) };
            let Place { plain, count, .. } = places[v];
            plane[plain..plain + count].copy_from_slice(&numbers[..count]);
        }
    }
}

/// Correlates padded inputs with padded gradients of the output, over some pictures: the gradient of
/// the filters.
struct Correlate<'a> {
    shape: ConvShape,
    pictures: usize,
    x: &'a [f32],
    g: &'a [f32],
    to: &'a mut [f32],
}

impl Kernel for Correlate<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Correlate { shape, pictures, x, g, to } = self;
        assert!(x.len() == pictures * shape.inputs * shape.padded());
        assert!(g.len() == pictures * shape.outputs * shape.padded());
        assert!(to.len() == shape.outputs * shape.inputs * 9 && S::LANES <= WIDEST);
        // Small maps are summed over all pictures at once, large ones in strips that L1 holds.
        let strip = (1024 / shape.pitch()).clamp(1, shape.rows);
        let whole = strip == shape.rows;
        let runs: Vec<(Range<usize>, Range<usize>)> = if whole {
            vec![(0..pictures, 0..shape.rows)]
        } else {
            let strips = |p: usize| {
                (0..shape.rows)
                    .step_by(strip)
                    .map(move |r| (p..p + 1, r..(r + strip).min(shape.rows)))
            };
            (0..pictures).flat_map(strips).collect()
        };
        for (pictures, rows) in runs {
            for o in (0..shape.outputs).step_by(FILTERS) {
                for i in 0..shape.inputs {
                    for ky in 0..3 {
                        let work = (pictures.clone(), rows.clone());
                        if shape.outputs - o >= FILTERS {
                            taps::<S, FILTERS>(s, shape, work, x, g, [o, i, ky], to);
                        } else {
                            for o in o..shape.outputs {
                                taps::<S, 1>(s, shape, work.clone(), x, g, [o, i, ky], to);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Adds what some rows of some pictures give to a row of `F` filters.
#[inline(always)]
fn taps<S: Simd, const F: usize>(
    s: S,
    shape: ConvShape,
    (pictures, rows): (Range<usize>, Range<usize>),
    x: &[f32],
    g: &[f32],
    [o, i, ky]: [usize; 3],
    to: &mut [f32],
) {
    let (pitch, padded) = (shape.pitch(), shape.padded());
    let vectors = shape.columns.div_ceil(S::LANES);
    let mut sums = [[s.splat(0.0); 3]; F];
    for p in pictures {
        let x = x[(p * shape.inputs + i) * padded..][..padded].as_ptr();
        let g = g[(p * shape.outputs + o) * padded..][..F * padded].as_ptr();
        for row in rows.clone() {
            let (mut at, mut own) = ((row + ky) * pitch, (row + 1) * pitch + 1);
            for _ in 0..vectors {
                // SAFETY: as in `patch`; the gradient's own number stands at row `r + 1`, column
                // `c + 1` of its plane, and its vector ends before `c + 1 + WIDEST <= pitch`.
                unsafe {
                    let x = x.add(at);
                    let xs = [s.load(x), s.load(x.add(1)), s.load(x.add(2))];
                    for f in 0..F {
                        let g = s.load(g.add(f * padded + own));
                        for kx in 0..3 {
                            sums[f][kx] = s.fma(g, xs[kx], sums[f][kx]);
                        }
                    }
                }
                at += S::LANES;
                own += S::LANES;
            }
        }
    }
    for (f, sums) in sums.into_iter().enumerate() {
        for (kx, sum) in sums.into_iter().enumerate() {
            to[((o + f) * shape.inputs + i) * 9 + ky * 3 + kx] += s.sum(sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number between −1 and 1 for each place.
    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 40503 + seed * 977) % 65521) as f32 / 32760.0 - 1.0).collect()
    }

    /// By the definition, in f64.
    fn by_definition(shape: ConvShape, x: &[f32], w: &[f32], bias: &[f32]) -> Vec<f64> {
        let ConvShape { pictures, inputs, outputs, rows, columns } = shape;
        let mut y = Vec::new();
        for p in 0..pictures {
            for o in 0..outputs {
                for r in 0..rows {
                    for c in 0..columns {
                        let mut sum = f64::from(bias[o]);
                        for i in 0..inputs {
                            for k in 0..9 {
                                let (sr, sc) = (r + k / 3, c + k % 3);
                                if (1..=rows).contains(&sr) && (1..=columns).contains(&sc) {
                                    let at = ((p * inputs + i) * rows + sr - 1) * columns + sc - 1;
                                    sum +=
                                        f64::from(w[(o * inputs + i) * 9 + k]) * f64::from(x[at]);
                                }
                            }
                        }
                        y.push(sum);
                    }
                }
            }
        }
        y
    }

    const SHAPES: [[usize; 5]; 6] = [
        [1, 1, 1, 1, 1],
        [2, 3, 8, 5, 7],
        [9, 5, 6, 4, 17],
        [3, 8, 4, 40, 33],
        [1, 2, 3, 1, 40],
        [17, 4, 4, 3, 3],
    ];

    fn shape([pictures, inputs, outputs, rows, columns]: [usize; 5]) -> ConvShape {
        ConvShape { pictures, inputs, outputs, rows, columns }
    }

    #[test]
    fn a_convolution_is_its_definition_whatever_the_threads() {
        for sizes in SHAPES {
            let s = shape(sizes);
            let x = numbers(s.pictures * s.inputs * s.plane(), 1);
            let (w, b) = (numbers(s.outputs * s.inputs * 9, 2), numbers(s.outputs, 3));
            let want = by_definition(s, &x, &w, &b);
            let got = conv(s, &x, &w, &b, false, 1);
            for (g, w) in got.iter().zip(&want) {
                assert!((f64::from(*g) - w).abs() < 1e-5, "{sizes:?}: {g} {w}");
            }
            let rectified: Vec<f32> = got.iter().map(|v| v.max(0.0)).collect();
            assert_eq!(conv(s, &x, &w, &b, true, 3), rectified, "{sizes:?}");
        }
    }

    #[test]
    fn gradients_are_the_transposes_of_the_convolution_whatever_the_threads() {
        // With L = Σ g·y linear in x, w and b, each gradient g' satisfies Σ g'·d = L(d) − L(0).
        for sizes in SHAPES {
            let s = shape(sizes);
            let x = numbers(s.pictures * s.inputs * s.plane(), 1);
            let (w, zero) = (numbers(s.outputs * s.inputs * 9, 2), vec![0.0; s.outputs]);
            let g = numbers(s.pictures * s.outputs * s.plane(), 4);
            let one = conv_gradients(s, &x, &w, &g, None, true, 1);
            assert_eq!(one, conv_gradients(s, &x, &w, &g, None, true, 5), "{sizes:?}");
            let dot = |a: &[f32], b: &[f64]| -> f64 {
                a.iter().zip(b).map(|(a, b)| f64::from(*a) * b).sum()
            };
            let wide = |v: &[f32]| -> Vec<f64> { v.iter().map(|v| f64::from(*v)).collect() };
            for seed in 5..8 {
                let d = numbers(x.len(), seed);
                let want = dot(&g, &by_definition(s, &d, &w, &zero));
                let got = dot(one.input.as_deref().unwrap_or_default(), &wide(&d));
                assert!((got - want).abs() < 2e-4 * want.abs().max(1.0), "{sizes:?} {got} {want}");
                let d = numbers(w.len(), seed);
                let want = dot(&g, &by_definition(s, &x, &d, &zero));
                let got = dot(&one.weights, &wide(&d));
                assert!((got - want).abs() < 2e-4 * want.abs().max(1.0), "{sizes:?} {got} {want}");
            }
            for (o, b) in one.bias.iter().enumerate() {
                let of = |p: usize| &g[(p * s.outputs + o) * s.plane()..][..s.plane()];
                let want: f64 = (0..s.pictures).flat_map(of).map(|v| f64::from(*v)).sum();
                assert!((f64::from(*b) - want).abs() < 1e-3, "{sizes:?} {b} {want}");
            }
        }
    }

    #[test]
    fn a_gate_stops_the_gradient() {
        let s = shape([1, 1, 1, 1, 2]);
        let w = [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0];
        let of = conv_gradients(s, &[3.0, 5.0], &w, &[1.0, 1.0], Some(&[0.0, 2.0]), true, 1);
        assert_eq!(of.input, Some(vec![0.0, 1.0]));
        assert_eq!((of.weights[4], of.weights[3], of.bias[0]), (5.0, 3.0, 1.0));
    }
}
