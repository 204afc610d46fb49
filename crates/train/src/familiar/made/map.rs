//! Strange stiffness maps.
#![expect(clippy::needless_pass_by_value, reason = "all changes have the form of the table")]

use super::{Colours, IndexedRandom, Pcg64Mcg, Plane, Rng, changes, even_log, field, normal};

/// Each takes a map's crop and gives another.
const CHANGES: [fn(Colours, &mut Pcg64Mcg) -> Colours; 11] = [
    heat, painted, photograph, flow, blurred, enlarged, stretched, shuffled, stepped, noise,
    sharpened,
];
/// The first of them draw everything anew.
const ANEW: usize = 4;

pub(super) fn strange(mut map: Colours, rng: &mut Pcg64Mcg) -> Colours {
    // Heat maps most often: they are what is laid over B-mode outside of scanners.
    if rng.random_bool(0.3) {
        map = heat(map, rng);
    } else {
        let order: Vec<usize> = (0..CHANGES.len()).collect();
        let count = changes(rng);
        let mut chosen: Vec<usize> = order.choose_multiple(rng, count).copied().collect();
        chosen.sort_unstable();
        while chosen.iter().filter(|i| **i < ANEW).count() > 1 {
            chosen.remove(0);
        }
        for change in chosen {
            map = CHANGES[change](map, rng);
        }
    }
    for plane in &mut map {
        plane.change(|_, v| v.clamp(0.0, 255.0));
    }
    map
}

/// What lies under a map: its own brightness, another texture, or nothing.
fn ground(map: &Colours, rng: &mut Pcg64Mcg) -> Plane {
    let [r, g, b] = map;
    let (w, h) = (r.width, r.height);
    match rng.random_range(0..4) {
        0 | 1 => Plane::of(w, h, |i| r.values[i].min(g.values[i]).min(b.values[i])),
        2 => {
            let sizes = [even_log(rng, 0.5, 4.0), even_log(rng, 0.5, 2.5)];
            let mut texture = Plane::noise(w, h, rng).blurred(sizes).standard();
            let (level, spread) = (rng.random_range(20.0..120.0), rng.random_range(5.0..45.0));
            texture.change(|_, v| level + spread * v);
            texture
        }
        _ => Plane::of(w, h, |_| 0.0),
    }
}

/// Colours of values 0..=1: jet, hot, a ramp, or any.
fn palette(rng: &mut Pcg64Mcg) -> impl Fn(f32) -> [f32; 3] + use<> {
    let kind = rng.random_range(0..4);
    let stops: Vec<[f32; 3]> =
        (0..rng.random_range(2..=6)).map(|_| std::array::from_fn(|_| rng.random())).collect();
    let turned = rng.random_bool(0.2);
    move |v| {
        let v = if turned { 1.0 - v } else { v };
        let jet = |shift: f32| (1.5 - (4.0 * v - shift).abs()).clamp(0.0, 1.0);
        let colour = match kind {
            0 | 1 => [jet(3.0), jet(2.0), jet(1.0)],
            2 => [3.0 * v, 3.0 * v - 1.0, 3.0 * v - 2.0].map(|c| c.clamp(0.0, 1.0)),
            _ => {
                let place = v * (stops.len() - 1) as f32;
                let low = (place as usize).min(stops.len() - 2);
                let part = place - low as f32;
                std::array::from_fn(|c| (1.0 - part) * stops[low][c] + part * stops[low + 1][c])
            }
        };
        colour.map(|c| 255.0 * c)
    }
}

/// Values 0..=1 in colour over a ground.
fn laid_over(values: &Plane, under: &Plane, opacity: f32, rng: &mut Pcg64Mcg) -> Colours {
    let colour = palette(rng);
    std::array::from_fn(|c| {
        Plane::of(values.width, values.height, |i| {
            let v = values.values[i].clamp(0.0, 1.0);
            opacity * colour(v)[c] + (1.0 - opacity) * under.values[i]
        })
    })
}

fn to_unit(mut plane: Plane) -> Plane {
    let (low, high) = plane
        .values
        .iter()
        .fold((f32::MAX, f32::MIN), |(low, high), v| (low.min(*v), high.max(*v)));
    plane.change(|_, v| (v - low) / (high - low).max(1e-6));
    plane
}

/// A class activation map: a few cells or blobs, enlarged.
fn heat(map: Colours, rng: &mut Pcg64Mcg) -> Colours {
    let (w, h) = (map[0].width, map[0].height);
    let values = if rng.random_bool(0.5) {
        let [columns, rows] = [0; 2].map(|_| rng.random_range(3..=14usize));
        let mut cells = Plane::noise(columns, rows, rng);
        let floor = rng.random_range(-1.0..0.8);
        cells.change(|_, v| v.max(floor));
        let cell = [w as f32 / columns as f32, h as f32 / rows as f32];
        cells.resized(w, h).blurred(cell.map(|c| (c * 0.35).clamp(0.3, 12.0)))
    } else {
        let mut sum = Plane::of(w, h, |_| 0.0);
        for _ in 0..rng.random_range(1..=5) {
            let x = rng.random_range(0.0..w as f32);
            let y = rng.random_range(0.0..h as f32);
            let (size, height) =
                (rng.random_range(0.08..0.5) * w as f32, rng.random_range(0.3..1.0f32));
            sum.change(|i, v| {
                let (dx, dy) = ((i % w) as f32 - x, (i / w) as f32 - y);
                v + height * (-0.5 * (dx * dx + dy * dy) / (size * size)).exp()
            });
        }
        sum
    };
    let under = ground(&map, rng);
    let opacity = rng.random_range(0.25..0.9);
    laid_over(&to_unit(values), &under, opacity, rng)
}

/// A field of other scales in any colours.
fn painted(map: Colours, rng: &mut Pcg64Mcg) -> Colours {
    let (w, h) = (map[0].width, map[0].height);
    let (rise, aspect) = (rng.random_range(-0.5..1.5), even_log(rng, 0.3, 4.0));
    let values = to_unit(field(w, h, rise, aspect, rng));
    let under = ground(&map, rng);
    let opacity = rng.random_range(0.25..1.0);
    laid_over(&values, &under, opacity, rng)
}

/// Colours that belong to no palette.
fn photograph(map: Colours, rng: &mut Pcg64Mcg) -> Colours {
    let (w, h) = (map[0].width, map[0].height);
    let light = field(w, h, rng.random_range(0.2..1.3), 1.0, rng);
    std::array::from_fn(|_| {
        let own = field(w, h, rng.random_range(0.2..1.3), 1.0, rng);
        let (level, spread) = (rng.random_range(40.0..180.0), rng.random_range(10.0..60.0));
        let part = rng.random_range(0.2..1.0);
        Plane::of(w, h, |i| level + spread * (light.values[i] + part * own.values[i]))
    })
}

/// Two colours in vessels on grey, as flow has them.
fn flow(map: Colours, rng: &mut Pcg64Mcg) -> Colours {
    let (w, h) = (map[0].width, map[0].height);
    let size = rng.random_range(4.0..20.0);
    let vessel = Plane::noise(w, h, rng).blurred([size, size]).standard();
    let under = ground(&map, rng);
    let least = rng.random_range(0.2..1.2);
    let hot = [either_colour(rng), either_colour(rng)];
    std::array::from_fn(|c| {
        Plane::of(w, h, |i| {
            let v = vessel.values[i];
            let part = (v.abs() - least).clamp(0.0, 1.0);
            let colour = hot[usize::from(v > 0.0)][c];
            if part > 0.0 { colour * (0.4 + 0.6 * part) } else { under.values[i] }
        })
    })
}

fn either_colour(rng: &mut Pcg64Mcg) -> [f32; 3] {
    std::array::from_fn(|_| if rng.random() { rng.random_range(180.0..255.0) } else { 20.0 })
}

/// Smoother than the set's smoothest.
fn blurred(map: Colours, rng: &mut Pcg64Mcg) -> Colours {
    let size = rng.random_range(3.0..12.0);
    map.map(|plane| plane.blurred([size, size]))
}

fn enlarged(map: Colours, rng: &mut Pcg64Mcg) -> Colours {
    let by = rng.random_range(2.2..5.0);
    map.map(|plane| plane.stretched([by, by]))
}

fn stretched(map: Colours, rng: &mut Pcg64Mcg) -> Colours {
    let by = even_log(rng, 1.8, 4.0);
    let by = if rng.random() { [by, 1.0] } else { [1.0, by] };
    map.map(|plane| plane.stretched(by))
}

/// Cut into squares that lie elsewhere.
fn shuffled(map: Colours, rng: &mut Pcg64Mcg) -> Colours {
    let side = rng.random_range(6..28usize);
    let (w, h) = (map[0].width, map[0].height);
    let moves: Vec<[usize; 2]> = (0..(w / side + 1) * (h / side + 1))
        .map(|_| [rng.random_range(0..w), rng.random_range(0..h)])
        .collect();
    map.map(|plane| {
        Plane::of(w, h, |i| {
            let (x, y) = (i % w, i / w);
            let [dx, dy] = moves[y / side * (w / side + 1) + x / side];
            plane.at((dx + x % side) % w, (dy + y % side) % h)
        })
    })
}

/// In few colours.
fn stepped(map: Colours, rng: &mut Pcg64Mcg) -> Colours {
    let step = rng.random_range(40.0..110.0f32);
    map.map(|mut plane| {
        plane.change(|_, v| (v / step).round() * step);
        plane
    })
}

fn noise(map: Colours, rng: &mut Pcg64Mcg) -> Colours {
    let depth = rng.random_range(15.0..60.0);
    map.map(|mut plane| {
        plane.change(|_, v| v + depth * normal(rng));
        plane
    })
}

fn sharpened(map: Colours, rng: &mut Pcg64Mcg) -> Colours {
    let (by, reach) = (rng.random_range(1.0..3.0), rng.random_range(0.8..3.0));
    map.map(|mut plane| {
        let soft = plane.blurred([reach, reach]);
        plane.change(|i, v| v + by * (v - soft.values[i]));
        plane
    })
}
