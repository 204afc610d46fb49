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
                                sum += f64::from(w[(o * inputs + i) * 9 + k]) * f64::from(x[at]);
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
        let dot =
            |a: &[f32], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(*a) * b).sum() };
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

#[test]
#[should_panic(expected = "more numbers than can be counted")]
fn a_shape_whose_size_would_wrap_is_refused() {
    // Wrapped, each length is 0.
    let side = 1 << 32;
    conv(shape([0, 0, 0, side, side]), &[], &[], &[], false, 1);
}

#[test]
#[should_panic(expected = "the input's length")]
fn an_input_of_another_length_is_refused() {
    conv(shape([1, 1, 1, 2, 2]), &[0.0; 3], &[0.0; 9], &[0.0], false, 1);
}
