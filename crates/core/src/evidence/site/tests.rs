//! Which moves of the box keep what was counted, by a table. The pictures are made-up speckle.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::calibrate::Logit;
use crate::evidence::{Rules, Wanted};
use crate::frame::Frame;
use crate::gate::Limits;
use crate::layout::{HardEnd, Orientation};
use crate::picture::{GRID, Look};

const STEP_MS: u64 = 100;
const MS: u64 = 1_000_000;
const VIEW_PX: u32 = 400;

/// What a picture shows.
#[derive(Clone, Copy)]
struct Shown {
    tissue: u32,
    /// The box, px from the view's corner: left, top and side.
    held: (u32, u32, u32),
    hard_end: HardEnd,
    /// The B-mode is the view on the right.
    exchanged: bool,
    map: f32,
}

const USUAL: Shown =
    Shown { tissue: 1, held: (100, 100, 200), hard_end: HardEnd::Red, exchanged: false, map: 2.0 };

/// Speckle of 3 px, another one in each tissue; black where the elastogram is.
fn picture(shown: &Shown) -> Frame {
    let mut rgb = Vec::new();
    for y in 0..VIEW_PX {
        for x in 0..2 * VIEW_PX {
            let (left, x) = (x < VIEW_PX, x % VIEW_PX);
            let seed = (x / 3).wrapping_mul(2_654_435_761) ^ (y / 3).wrapping_mul(2_246_822_519);
            let seed = (seed ^ shown.tissue.wrapping_mul(3_266_489_917)).wrapping_mul(668_265_263);
            let grey = if left == shown.exchanged { 0 } else { 60 + (seed >> 26) as u8 };
            rgb.extend([grey; 3]);
        }
    }
    Frame::from_rgb(2 * VIEW_PX, VIEW_PX, rgb).unwrap()
}

fn layout(shown: &Shown) -> ScreenLayout {
    let (left, top, side) = shown.held;
    let view = |at: u32| Region::new(at, 0, at + VIEW_PX, VIEW_PX).unwrap();
    let held = |at: u32| Region::new(at + left, top, at + left + side, top + side).unwrap();
    let (bmode, elastogram) = if shown.exchanged { (VIEW_PX, 0) } else { (0, VIEW_PX) };
    ScreenLayout {
        orientation: Orientation::SideBySide,
        bmode_view: view(bmode),
        elastogram_view: view(elastogram),
        bmode_box: held(bmode),
        elastogram_box: held(elastogram),
        colour_bar: None,
        hard_end: Some(shown.hard_end),
        confidence: 1.0,
    }
}

fn map(map: f32) -> Look {
    Look::of_cells(|i| {
        let (x, y) = ((i % GRID) as f32, (i / GRID) as f32);
        let hard = (-((x - 6.0 - map).powi(2) + (y - 8.0).powi(2)) / 12.0).exp();
        [90.0, 80.0 * hard - 40.0, 30.0 - 60.0 * hard]
    })
}

struct Bench {
    evidence: Evidence,
    at_ms: u64,
    row: Vec<[u8; 3]>,
}

impl Bench {
    fn show(&mut self, shown: &Shown) {
        self.at_ms += STEP_MS;
        let (frame, layout) = (picture(shown), layout(shown));
        let bmode = Look::take(&frame, &layout.bmode_box, &mut self.row);
        let surroundings = Relief::take(&frame, &layout.bmode_surroundings(), &mut self.row);
        let speckle = |at: &Region| {
            let mut grain = Grain::default();
            grain.take(&frame, at);
            grain
        };
        let former = self.evidence.former_box(&layout).map(|at| speckle(&at));
        let map = map(shown.map);
        let wanted = self.evidence.see(&Sight {
            at_ns: self.at_ms * MS,
            layout: &layout,
            hard_end: shown.hard_end,
            bmode: &bmode,
            surroundings: &surroundings,
            grain: &speckle(&layout.bmode_box),
            former: former.as_ref(),
            map: &map,
            news: self.evidence.is_news(&map),
            frozen: false,
            unchanged_ns: 0,
            still: false,
        });
        if wanted != Wanted::Nothing {
            self.evidence.count(Logit::ZERO);
        }
    }

    fn hold(&mut self, shown: &Shown, pictures: usize) {
        for _ in 0..pictures {
            self.show(shown);
        }
    }

    /// Three maps of one place.
    fn examined() -> Self {
        let rules = Rules {
            window: 9,
            min_evidence: 2,
            max_age_ns: 10_000 * MS,
            min_spacing_ns: 300 * MS,
            loss_ns: 2_000 * MS,
            same_place: 0.5,
            logit_sd: 1.0,
            spread_scale: 2.0,
        };
        let evidence = Evidence::new(rules, Limits::default());
        let mut bench = Self { evidence, at_ms: 1_000, row: Vec::new() };
        for map in [0.0, 1.0, 2.0] {
            bench.hold(&Shown { map, ..USUAL }, 6);
        }
        assert_eq!((bench.evidence.evidence(), bench.evidence.refusal()), (3, None));
        bench
    }
}

#[test]
fn a_box_keeps_what_was_counted_while_it_holds_the_same_middle_of_the_same_tissue() {
    struct Case {
        name: &'static str,
        shown: Shown,
        /// Pictures without a dual view before it.
        lost: usize,
        /// Evidence in its first picture, after half a second of it, and after as long of another map.
        at_once: u32,
        then: u32,
        later: u32,
    }
    let case = |name, shown, lost, (at_once, then, later)| Case {
        name,
        shown,
        lost,
        at_once,
        then,
        later,
    };
    let (kept, anew) = ((3, 3, 4), (0, 1, 2));
    let moved = Shown { held: (140, 100, 200), ..USUAL };
    let cases = [
        case("moved by a fifth", moved, 0, kept),
        case("moved by a fifth, found after a while", moved, 3, kept),
        case("larger", Shown { held: (80, 80, 240), ..USUAL }, 0, kept),
        case("smaller", Shown { held: (115, 115, 160), ..USUAL }, 0, kept),
        case("on the other side with its view", Shown { exchanged: true, ..USUAL }, 0, kept),
        case("moved by half", Shown { held: (195, 100, 200), ..USUAL }, 0, anew),
        case("half as large", Shown { held: (150, 150, 100), ..USUAL }, 0, anew),
        case("moved, over other tissue", Shown { tissue: 2, ..moved }, 0, (0, 0, 1)),
        case("moved, other tissue after a while", Shown { tissue: 2, ..moved }, 25, (0, 0, 1)),
        case("moved, the palette turned", Shown { hard_end: HardEnd::Blue, ..moved }, 0, anew),
        case("moved, found too late", moved, 25, anew),
    ];
    for Case { name, shown, lost, at_once, then, later } in cases {
        let mut bench = Bench::examined();
        let place = bench.evidence.place();
        for _ in 0..lost {
            bench.at_ms += STEP_MS;
            bench.evidence.suspend(bench.at_ms * MS);
        }
        bench.show(&shown);
        let mut seen = [bench.evidence.evidence(); 3];
        bench.hold(&shown, 5);
        seen[1] = bench.evidence.evidence();
        bench.hold(&Shown { map: 3.0, ..shown }, 6);
        seen[2] = bench.evidence.evidence();
        assert_eq!(seen, [at_once, then, later], "{name}");
        assert_eq!(bench.evidence.place() - place, u64::from(at_once == 0), "{name}");
    }
}

#[test]
fn a_box_that_goes_on_in_steps_leaves_behind_what_was_counted_before_the_first() {
    let mut bench = Bench::examined();
    for (step, kept) in [(40, 3), (80, 0), (120, 0)] {
        bench.hold(&Shown { held: (100 + step, 100, 200), ..USUAL }, 1);
        assert_eq!(bench.evidence.evidence(), kept, "{step} px");
    }
}
