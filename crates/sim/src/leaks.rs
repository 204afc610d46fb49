//! The short test of what a screen's arrangement tells of the class; `tests/leak.rs` has the long one,
//! which looks at pixels.

use crate::chrome;
use crate::exam::{Exam, Memory, Setting};
use crate::paint::Rect;
use crate::rank;
use crate::screen::Ink;
use crate::seeds;
use crate::skin::Skin;

/// Patients with a nodule.
const PATIENTS: usize = 2400;
/// The most that a trivial feature may tell, at the upper end of its 95 % interval.
const MOST: f64 = 0.6;
const SIZE: [u32; 2] = [960, 720];

const NAMES: [&str; 16] = [
    "box x",
    "box y",
    "box width",
    "box height",
    "box area",
    "box aspect",
    "box x in view",
    "box y in view",
    "view x",
    "view y",
    "view width",
    "view height",
    "depth",
    "bar y",
    "bar height",
    "place of the table",
];

fn features(exam: &Exam) -> Option<[f64; NAMES.len()]> {
    let screen = exam.screen();
    let b = screen.colour_box?.rect;
    let view = screen.panes.iter().find(|p| p.ink == Ink::Map)?.view;
    let bar = screen.bar.unwrap_or(Rect::new(0, 0, 0, 0));
    let table = chrome::table_place(screen, [150, 100]).map_or(0, |t| t.x * 10_000 + t.y);
    Some(
        [
            view.x + b.x,
            view.y + b.y,
            b.w,
            b.h,
            b.w * b.h,
            b.h * 10_000 / b.w.max(1),
            b.x,
            b.y,
            view.x,
            view.y,
            view.w,
            view.h,
            (screen.depth_mm * 100.0) as i32,
            bar.y,
            bar.h,
            table,
        ]
        .map(f64::from),
    )
}

/// Every feature's share told, with the upper end of its interval.
fn told(skin: impl Fn(usize) -> Skin) -> Vec<(&'static str, f64, f64)> {
    let (mut rows, mut ill) = (Vec::new(), Vec::new());
    let mut exam = 0;
    while rows.len() < PATIENTS {
        exam += 1;
        let setting =
            Setting::ordinary(seeds::LEAK.first() - 1, exam, skin(exam as usize), SIZE, 12.0);
        let Some(malignant) = setting.patient.nodule.as_ref().map(|n| n.malignant) else {
            continue;
        };
        let exam = Exam::new(setting, Memory::default());
        let Some(row) = features(&exam) else { continue };
        rows.push(row);
        ill.push(malignant);
    }
    NAMES
        .iter()
        .enumerate()
        .map(|(i, name)| {
            let values: Vec<f64> = rows.iter().map(|r| r[i]).collect();
            let (side, upper) = rank::told(&values, &ill);
            (*name, side, upper)
        })
        .collect()
}

#[test]
fn nothing_of_a_named_screens_arrangement_tells_the_class() {
    let duals: Vec<Skin> = Skin::all().iter().copied().filter(|s| s.is_dual_view()).collect();
    for (name, side, upper) in told(|i| duals[i % duals.len()]) {
        assert!(upper <= MOST, "{name}: {side:.3}, up to {upper:.3}");
    }
}

#[test]
fn nothing_of_a_drawn_screens_arrangement_tells_the_class() {
    let skins = seeds::LEAK.skins(5000);
    for (name, side, upper) in told(|i| skins[i % skins.len()]) {
        assert!(upper <= MOST, "{name}: {side:.3}, up to {upper:.3}");
    }
}

#[test]
fn the_table_of_results_covers_no_box() {
    let duals: Vec<Skin> = Skin::all().iter().copied().filter(|s| s.is_dual_view()).collect();
    let mut placed = 0;
    for exam in 0..600 {
        let skin = duals[exam as usize % duals.len()];
        let made = Exam::new(Setting::ordinary(5, exam, skin, SIZE, 12.0), Memory::default());
        let screen = made.screen();
        let Some(table) = chrome::table_place(screen, [150, 100]) else { continue };
        placed += 1;
        for pane in &screen.panes {
            let at = screen.colour_box.map(|b| b.rect.shifted(pane.view.x, pane.view.y));
            assert!(at.is_some_and(|b| !b.overlaps(&table)), "{skin}, exam {exam}");
        }
    }
    assert!(placed > 300, "{placed} of 600");
}
