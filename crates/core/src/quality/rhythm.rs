//! Whether repeats have a rhythm. A scanner of a fixed rate on a faster video repeats each picture so many
//! times or one more: picture `n` is a repeat where the fraction of `n · part + phase` is below `part`.
//! A grabber that fills gaps repeats without any. Pure.

/// Steps of the phase, 0..1.
const PHASES: usize = 256;
/// How finely `part` is tried: over 256 pictures the phase is wrong by a tenth of `part` at the most.
const FINE: f32 = 1.0 / 1280.0;
/// The repeats that are hidden (a new map came just then) and those that only seem to be some are so few:
/// of the pictures that are repeats, or should be, both hold for this part.
const AGREE: f32 = 0.6;

/// Tells whether the repeats among pictures, each with its number and whether it is a repeat, are those
/// of some fixed rate. `part`: how many of them are repeats.
pub(super) fn is_one_rate(
    pictures: &(impl Iterator<Item = (u64, bool)> + Clone),
    repeats: usize,
    part: f32,
) -> bool {
    let mut tried = part * 0.9;
    // Hidden repeats are missing in `part`.
    let most = (part * 1.6).min(0.95);
    while tried < most {
        if agreement(pictures.clone(), repeats, tried) >= AGREE {
            return true;
        }
        tried += tried * FINE;
    }
    false
}

/// How well the best phase of a scanner that repeats `part` explains the repeats: repeats in their
/// window, of all repeats and all else in it.
fn agreement(pictures: impl Iterator<Item = (u64, bool)>, repeats: usize, part: f32) -> f32 {
    let mut at = [[0u16; 2]; PHASES];
    for (n, repeated) in pictures {
        let phase = (n as f64 * f64::from(part)).fract() * PHASES as f64;
        at[(phase as usize).min(PHASES - 1)][usize::from(repeated)] += 1;
    }
    let width = ((part * PHASES as f32).round() as usize).clamp(1, PHASES - 1);
    let [mut other, mut hit] = at[..width]
        .iter()
        .fold([0u32; 2], |[o, h], [other, hit]| [o + u32::from(*other), h + u32::from(*hit)]);
    let mut best = 0.0_f32;
    for first in 0..PHASES {
        best = best.max(hit as f32 / (repeats as u32 + other).max(1) as f32);
        let (out, into) = (at[first], at[(first + width) % PHASES]);
        other = other + u32::from(into[0]) - u32::from(out[0]);
        hit = hit + u32::from(into[1]) - u32::from(out[1]);
    }
    best
}
