//! When a probe counts as under way, by a table of what the pictures do.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::picture::{GRID, Look};

const STEP_MS: u64 = 100;

/// Tissue number `tissue` with `speckle` of its own, seen `slid` cells further on.
fn seen(tissue: f32, speckle: f32, slid: f32) -> Look {
    Look::of_cells(|i| {
        let (x, y) = ((i % GRID) as f32 + slid, (i / GRID) as f32);
        let lobes = (x * (0.35 + 0.31 * tissue)).sin() * (y * (0.45 + 0.17 * tissue)).cos();
        let grain = (x * 1.9 + speckle).sin() * (y * 2.3 + 0.7 * speckle).cos();
        [60.0 + 30.0 * lobes + 3.0 * grain, 0.0, 0.0]
    })
}

/// From one tissue to the next in `length_ms`, beginning after four seconds.
fn faded(at_ms: u64, length_ms: u64) -> Look {
    let share = (at_ms.saturating_sub(4_000) as f32 / length_ms as f32).min(1.0);
    seen(0.0, 0.0, 0.0).mixed(&seen(1.0, 0.0, 0.0), 1.0 - share)
}

fn region(left_px: u32) -> Region {
    Region::new(left_px, 0, left_px + 100, 100).unwrap()
}

/// When the probe was under way, ms: first, last and for how many pictures.
fn under_way(
    length_ms: u64,
    step_ms: u64,
    shown: impl Fn(u64) -> (Region, Look),
) -> Option<(u64, u64, usize)> {
    let mut sweep = Sweep::default();
    let times = (0..length_ms).step_by(step_ms as usize).filter(|&at_ms| {
        let (region, look) = shown(at_ms);
        sweep.observe(at_ms * MS, region, &Relief::of(&look));
        sweep.is_under_way()
    });
    let times: Vec<u64> = times.collect();
    Some((*times.first()?, *times.last()?, times.len()))
}

#[test]
fn a_held_probe_a_slide_a_cut_and_a_moved_box_are_no_sweep() {
    type Shown = fn(u64) -> (Region, Look);
    let cases: [(&str, Shown); 6] = [
        ("held", |_| (region(0), seen(0.0, 0.0, 0.0))),
        ("its speckle turns", |at| (region(0), seen(0.0, at as f32 / 2_000.0, 0.0))),
        ("pressed in cycles", |at| (region(0), seen(0.0, 0.0, 0.4 * (at as f32 / 600.0).sin()))),
        ("slides on in the plane", |at| (region(0), seen(0.0, 0.0, at as f32 / 1_000.0))),
        ("a cut to other tissue", |at| {
            (region(0), seen(if at < 4_000 { 0.0 } else { 1.0 }, 0.0, 0.0))
        }),
        ("the box is moved", |at| {
            let moved = at >= 4_000;
            (region(if moved { 40 } else { 0 }), seen(0.0, 0.0, if moved { 0.7 } else { 0.0 }))
        }),
    ];
    for (name, shown) in cases {
        assert_eq!(under_way(10_000, STEP_MS, shown), None, "{name}");
    }
}

#[test]
fn a_sweep_is_seen_before_its_middle_has_passed_and_ends_when_the_probe_rests() {
    for (length_ms, step_ms) in [(3_000, STEP_MS), (4_000, STEP_MS), (4_000, 1_000), (6_000, 67)] {
        let shown = |at_ms| (region(0), faded(at_ms, length_ms));
        let found = under_way(16_000, step_ms, shown);
        let (first_ms, last_ms, count) = found.unwrap_or_default();
        let (middle_ms, end_ms) = (4_000 + length_ms / 2, 4_000 + length_ms);
        assert!(
            (4_000..=middle_ms + 500.max(step_ms)).contains(&first_ms),
            "{length_ms} {step_ms}: {found:?}"
        );
        assert!(
            (middle_ms..=end_ms + 3_250).contains(&last_ms),
            "{length_ms} {step_ms}: {found:?}"
        );
        // Without a break.
        assert_eq!(count as u64, (last_ms - first_ms) / step_ms + 1, "{length_ms} {step_ms}");
    }
}

#[test]
fn a_slide_into_other_tissue_is_a_sweep() {
    let shown = |at_ms| {
        let share = (at_ms as f32 / 1_000.0 - 4.0).clamp(0.0, 3.0);
        let slid = |tissue| seen(tissue, 0.0, share);
        (region(0), slid(0.0).mixed(&slid(1.0), 1.0 - share / 3.0))
    };
    assert!(under_way(9_000, STEP_MS, shown).is_some());
}
