//! Seeded random streams: every draw of the simulator comes from a PCG that is derived from the
//! config's seed and the thing it is drawn for, so that any frame can be rendered without the ones
//! before it. Pure; runs on the caller's thread.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

/// What a stream is drawn for; keeps the streams of one exam apart.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Patient = 1,
    Screen,
    Timeline,
    Speckle,
    Map,
    MapArtefact,
    FrameNoise,
    NoiseTile,
    Picture,
    Chrome,
    Installation,
    Skin,
}

/// Folds `value` into `hash` (the finaliser of splitmix64).
pub(crate) fn mix(hash: u64, value: u64) -> u64 {
    let mut z =
        hash ^ value.wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xd134_2543_de82_ef95);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The stream for `purpose` of `parts` (exam, row, update …) under `seed`.
pub(crate) fn stream(seed: u64, purpose: Purpose, parts: &[u64]) -> Pcg64Mcg {
    let key = parts.iter().fold(mix(seed, purpose as u64), |h, &p| mix(h, p));
    Pcg64Mcg::seed_from_u64(key)
}

/// Uniform in `low..high`.
pub(crate) fn uniform(rng: &mut Pcg64Mcg, low: f32, high: f32) -> f32 {
    low + (high - low) * rng.random::<f32>()
}

/// Uniform in a range.
pub(crate) fn within(rng: &mut Pcg64Mcg, [low, high]: [f32; 2]) -> f32 {
    uniform(rng, low, high)
}

/// True with probability `p`.
pub(crate) fn chance(rng: &mut Pcg64Mcg, p: f32) -> bool {
    rng.random::<f32>() < p
}

/// One of `items`.
///
/// # Panics
/// When `items` is empty; every caller passes a constant table.
pub(crate) fn pick<T: Copy>(rng: &mut Pcg64Mcg, items: &[T]) -> T {
    items[rng.random_range(0..items.len())]
}

/// Standard normal, close enough for anatomy and map noise (sum of four 16-bit uniforms).
pub(crate) fn normal(rng: &mut Pcg64Mcg) -> f32 {
    let bits: u64 = rng.random();
    let sum = (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
    // Four uniforms of width 65536 have a variance of 4·65536²/12.
    (sum as f32 - 131_070.0) / 37_837.2
}
