//! Strange B-mode.
#![expect(clippy::needless_pass_by_value, reason = "all changes have the form of the table")]

use super::{IndexedRandom, Pcg64Mcg, Plane, Rng, changes, either, even_log, field, normal};

/// Each takes a B-mode crop and gives another.
const CHANGES: [fn(Plane, &mut Pcg64Mcg) -> Plane; 13] = [
    speckle, blobs, uneven, overlaid, streaks, blurred, stretched, tone, median, sharpened, noise,
    shadows, graded,
];
/// The first of them draw everything anew.
const ANEW: usize = 2;

pub(super) fn strange(mut plane: Plane, rng: &mut Pcg64Mcg) -> Plane {
    let order: Vec<usize> = (0..CHANGES.len()).collect();
    let count = changes(rng);
    let mut chosen: Vec<usize> = order.choose_multiple(rng, count).copied().collect();
    // What is drawn anew comes first, and only once.
    chosen.sort_unstable();
    if chosen.iter().filter(|i| **i < ANEW).count() == ANEW {
        chosen.remove(0);
    }
    for change in chosen {
        plane = CHANGES[change](plane, rng);
        plane.change(|_, v| v.clamp(0.0, 255.0));
    }
    plane
}

/// Speckle, or plain noise, of other sizes, through another compression.
fn speckle(plane: Plane, rng: &mut Pcg64Mcg) -> Plane {
    let (w, h) = (plane.width, plane.height);
    let sizes = [even_log(rng, 0.4, 5.0), even_log(rng, 0.4, 3.0)];
    let mut part = || Plane::noise(w, h, rng).blurred(sizes).standard();
    let (mut a, b) = (part(), part());
    match rng.random_range(0..3) {
        0 => a.change(|i, v| v.hypot(b.values[i])),
        1 => a.change(|i, v| v.hypot(b.values[i]).max(1e-3).ln()),
        _ => (),
    }
    let mut a = a.standard();
    let (level, spread) = (rng.random_range(15.0..150.0), rng.random_range(6.0..60.0));
    if rng.random_bool(0.6) {
        let steep = rng.random_range(0.2..1.2);
        let aspect = even_log(rng, 0.4, 5.0);
        let under = field(w, h, rng.random_range(0.4..1.4), aspect, rng);
        a.change(|i, v| (level + spread * v) * (steep * under.values[i]).exp());
    } else {
        a.change(|_, v| level + spread * v);
    }
    a
}

/// Flat patches with edges, and a little noise.
fn blobs(mut plane: Plane, rng: &mut Pcg64Mcg) -> Plane {
    let ground = rng.random_range(0.0..130.0);
    plane.change(|_, _| ground);
    for _ in 0..rng.random_range(2..40) {
        let x = rng.random_range(0.0..plane.width as f32);
        let y = rng.random_range(0.0..plane.height as f32);
        let (radius, aspect) = (rng.random_range(2.0..50.0f32), even_log(rng, 0.15, 7.0));
        let value = rng.random_range(0.0..255.0);
        let width = plane.width;
        plane.change(|i, v| {
            let (dx, dy) = ((i % width) as f32 - x, (i / width) as f32 - y);
            if dx * dx / aspect + dy * dy * aspect < radius * radius { value } else { v }
        });
    }
    let grain = rng.random_range(0.0..12.0);
    plane.change(|_, v| v + grain * normal(rng));
    plane
}

/// Brighter and darker at every scale, as tissue is and phantoms are not.
fn uneven(mut plane: Plane, rng: &mut Pcg64Mcg) -> Plane {
    let depth = rng.random_range(0.3..1.0);
    let (rise, aspect) = (rng.random_range(0.2..1.4), even_log(rng, 0.3, 5.0));
    let by = field(plane.width, plane.height, rise, aspect, rng);
    plane.change(|i, v| v * (depth * by.values[i]).exp());
    plane
}

/// Another texture over it.
fn overlaid(mut plane: Plane, rng: &mut Pcg64Mcg) -> Plane {
    let [_, spread] = plane.moments();
    let depth = spread * rng.random_range(0.5..2.0);
    let (rise, aspect) = (rng.random_range(-0.2..1.2), even_log(rng, 0.2, 6.0));
    let by = field(plane.width, plane.height, rise, aspect, rng);
    plane.change(|i, v| v + depth * by.values[i]);
    plane
}

/// Fibres and layers.
fn streaks(mut plane: Plane, rng: &mut Pcg64Mcg) -> Plane {
    let (width, height) = (plane.width, plane.height);
    let long = [rng.random_range(4.0..24.0), rng.random_range(0.5..2.0)];
    let lines = Plane::noise(width, height, rng).blurred(long).standard();
    let slope = rng.random_range(-0.3..0.3f32);
    let (least, only) = (rng.random_range(0.3..1.6), rng.random_bool(0.5));
    let [_, spread] = plane.moments();
    let depth = spread * rng.random_range(0.4..1.6);
    plane.change(|i, v| {
        let (x, y) = (i % width, (i / width) as f32 + slope * (i % width) as f32);
        let line = lines.at(x, y.rem_euclid(height as f32) as usize % height);
        v + depth * if only { 2.0 * (line - least).max(0.0) } else { line }
    });
    plane
}

/// Blurred, evenly or more with depth.
fn blurred(mut plane: Plane, rng: &mut Pcg64Mcg) -> Plane {
    let across = rng.random_range(0.7..2.8);
    let soft = plane.blurred([across, across * rng.random_range(0.3..1.0)]);
    let (width, height) = (plane.width, plane.height);
    let (even, up) = (rng.random_bool(0.4), rng.random_bool(0.5));
    plane.change(|i, v| {
        let depth = (i / width) as f32 / height as f32;
        let part = if even {
            1.0
        } else if up {
            1.0 - depth
        } else {
            depth
        };
        v + part * (soft.values[i] - v)
    });
    let gain = rng.random_range(1.0..2.4);
    let [mean, _] = plane.moments();
    plane.change(|_, v| mean + gain * (v - mean));
    plane
}

/// Stretched along one side.
fn stretched(plane: Plane, rng: &mut Pcg64Mcg) -> Plane {
    let (all, apart) = (even_log(rng, 0.6, 1.8), even_log(rng, 1.35, 2.2));
    plane.stretched(if rng.random() { [all * apart, all] } else { [all, all * apart] })
}

/// Another grey map.
fn tone(mut plane: Plane, rng: &mut Pcg64Mcg) -> Plane {
    let (darker, lighter) = (even_log(rng, 1.6, 3.0), even_log(rng, 0.33, 0.65));
    let power = either(rng, darker, lighter);
    let gain = rng.random_range(0.6..1.3);
    plane.change(|_, v| 255.0 * gain * (v / 255.0).clamp(0.0, 1.0).powf(power));
    plane
}

/// Smoothed as a speckle filter does, edges raised.
fn median(plane: Plane, rng: &mut Pcg64Mcg) -> Plane {
    let plane = plane.median(rng.random_range(1..=2));
    raised(plane, rng.random_range(0.0..1.5), 1.5)
}

fn sharpened(plane: Plane, rng: &mut Pcg64Mcg) -> Plane {
    let (by, reach) = (rng.random_range(0.7..2.5), rng.random_range(0.7..2.5));
    raised(plane, by, reach)
}

fn raised(mut plane: Plane, by: f32, reach: f32) -> Plane {
    let soft = plane.blurred([reach, reach]);
    plane.change(|i, v| v + by * (v - soft.values[i]));
    plane
}

fn noise(mut plane: Plane, rng: &mut Pcg64Mcg) -> Plane {
    let depth = rng.random_range(6.0..40.0);
    plane.change(|_, v| v + depth * normal(rng));
    plane
}

/// Dark below what does not let sound through.
fn shadows(mut plane: Plane, rng: &mut Pcg64Mcg) -> Plane {
    let (width, height) = (plane.width, plane.height);
    let wide = rng.random_range(3.0..25.0);
    let by = Plane::noise(width, 1, rng).blurred([wide, 0.1]).standard();
    let (depth, from) = (rng.random_range(0.5..2.5), rng.random_range(0.0..0.6));
    plane.change(|i, v| {
        let below = (((i / width) as f32 / height as f32 - from) * 4.0).clamp(0.0, 1.0);
        v * (-depth * below * by.values[i % width].max(0.0)).exp()
    });
    plane
}

/// Brighter or darker with depth.
fn graded(mut plane: Plane, rng: &mut Pcg64Mcg) -> Plane {
    let slope = either(rng, 1.0, -1.0) * rng.random_range(0.7..1.7);
    let (width, height) = (plane.width, plane.height);
    plane.change(|i, v| v * (slope * ((i / width) as f32 / height as f32 - 0.5) * 2.0).exp());
    plane
}
