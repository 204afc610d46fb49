//! The machine, by tables: what each kind of picture does to the window. The looks are made up here;
//! real pictures go through it in the analyzer's tests and in `bench live`.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::layout::{HardEnd, Orientation, ScreenLayout};
use crate::picture::{GRID, Grain};
use crate::region::Region;
use crate::stiffness::{Origin, Quantity, Stiffness};
use crate::words::Sentence;

const STEP_MS: u64 = 100;

fn region(x0: u32, y0: u32, x1: u32, y1: u32) -> Region {
    Region::new(x0, y0, x1, y1).unwrap()
}

fn layout(left_px: u32) -> ScreenLayout {
    ScreenLayout {
        orientation: Orientation::SideBySide,
        bmode_view: region(0, 0, 400, 400),
        elastogram_view: region(400, 0, 800, 400),
        bmode_box: region(left_px, 100, left_px + 200, 300),
        elastogram_box: region(400 + left_px, 100, 600 + left_px, 300),
        colour_bar: None,
        hard_end: Some(HardEnd::Red),
        confidence: 1.0,
    }
}

/// B-mode of tissue number `tissue`, moved by `moved` cells, at a gain.
fn bmode(tissue: f32, moved: f32, gain: f32) -> Look {
    let cell = |i: usize| {
        let (x, y) = ((i % GRID) as f32 + moved, (i / GRID) as f32);
        let wave = (x * (0.35 + 0.31 * tissue)).sin() * (y * (0.45 + 0.17 * tissue)).cos();
        gain * (60.0 + 30.0 * wave + 12.0 * (x * 1.3 + tissue * y * 0.9).sin())
    };
    Look::of_cells(|i| [cell(i), 0.0, 0.0])
}

/// Map number `map` at an opacity.
fn map(map: f32, opacity: f32) -> Look {
    let cell = |i: usize| {
        let (x, y) = ((i % GRID) as f32, (i / GRID) as f32);
        let hard = (-((x - 6.0 - map).powi(2) + (y - 8.0).powi(2)) / 12.0).exp();
        [90.0, opacity * (160.0 * hard - 80.0), opacity * (60.0 - 120.0 * hard)]
    };
    Look::of_cells(cell)
}

#[derive(Clone)]
struct Shown {
    tissue: f32,
    moved: f32,
    gain: f32,
    map: f32,
    opacity: f32,
    left_px: u32,
    hard_end: HardEnd,
    frozen: bool,
    unchanged_ms: u64,
}

const USUAL: Shown = Shown {
    tissue: 1.0,
    moved: 0.0,
    gain: 1.0,
    map: 0.0,
    opacity: 0.5,
    left_px: 100,
    hard_end: HardEnd::Red,
    frozen: false,
    unchanged_ms: 0,
};

struct Bench {
    evidence: Evidence,
    grain: Grain,
    at_ms: u64,
    scored: u32,
}

impl Bench {
    fn new() -> Self {
        let rules = Rules {
            window: 5,
            min_evidence: 2,
            max_age_ns: 10_000 * MS,
            min_spacing_ns: 300 * MS,
            loss_ns: 2_000 * MS,
            same_place: 0.5,
            logit_sd: 1.0,
            spread_scale: 2.0,
        };
        let evidence = Evidence::new(rules, Limits::default());
        Self { evidence, grain: Grain::default(), at_ms: 1_000, scored: 0 }
    }

    /// Shows a picture `after_ms`, as the analyzer does; what it asks for is not answered.
    fn see(&mut self, shown: &Shown, map: &Look, after_ms: u64) -> Wanted {
        self.at_ms += after_ms;
        let bmode = bmode(shown.tissue, shown.moved, shown.gain);
        self.evidence.see(&Sight {
            at_ns: self.at_ms * MS,
            layout: &layout(shown.left_px),
            hard_end: shown.hard_end,
            bmode: &bmode,
            surroundings: &Relief::of(&bmode),
            grain: &self.grain,
            former: None,
            map,
            news: self.evidence.is_news(map),
            frozen: shown.frozen,
            unchanged_ns: shown.unchanged_ms * MS,
            still: false,
        })
    }

    /// Shows a picture, and scores its map when it is asked to.
    fn show_map(&mut self, shown: &Shown, map: &Look, after_ms: u64) -> Wanted {
        let wanted = self.see(shown, map, after_ms);
        if let Wanted::Score { .. } = wanted {
            self.scored += 1;
            self.evidence.count(Logit::new(self.scored as f32).unwrap());
        }
        wanted
    }

    fn show(&mut self, shown: &Shown, after_ms: u64) -> Wanted {
        self.show_map(shown, &map(shown.map, shown.opacity), after_ms)
    }

    /// Shows the same for a while.
    fn hold(&mut self, shown: &Shown, ms: u64) {
        for _ in 0..ms / STEP_MS {
            self.show(shown, STEP_MS);
        }
    }

    /// Shows no dual view for a while.
    fn lose_view(&mut self, ms: u64) {
        for _ in 0..ms / STEP_MS {
            self.at_ms += STEP_MS;
            self.evidence.suspend(self.at_ms * MS);
        }
    }

    /// Three maps of one place.
    fn examined() -> Self {
        let mut bench = Self::new();
        for n in 0..3 {
            bench.hold(&Shown { map: n as f32, ..USUAL }, 600);
        }
        assert_eq!(bench.evidence.evidence(), 3);
        assert_eq!(bench.evidence.refusal(), None);
        bench
    }
}

#[test]
fn a_picture_changes_the_number_and_the_place_as_the_table_says() {
    struct Case {
        name: &'static str,
        shown: Shown,
        /// Evidence in the first such picture, and after half a second of it.
        at_once: u32,
        then: u32,
        places: u64,
    }
    let last = Shown { map: 2.0, ..USUAL };
    let cases = [
        Case { name: "the same", shown: last.clone(), at_once: 3, then: 3, places: 0 },
        Case {
            name: "a new map",
            shown: Shown { map: 3.0, ..USUAL },
            at_once: 3,
            then: 4,
            places: 0,
        },
        Case { name: "an old map", shown: USUAL, at_once: 3, then: 3, places: 0 },
        Case {
            name: "half the gain",
            shown: Shown { gain: 0.5, ..last.clone() },
            at_once: 3,
            then: 3,
            places: 0,
        },
        Case {
            name: "another opacity",
            shown: Shown { opacity: 1.0, ..last.clone() },
            at_once: 3,
            then: 3,
            places: 0,
        },
        Case {
            name: "other tissue under the old map",
            shown: Shown { tissue: 2.0, ..last.clone() },
            at_once: 0,
            then: 0,
            places: 0,
        },
        Case {
            name: "other tissue at a low gain",
            shown: Shown { tissue: 2.0, gain: 0.3, ..last.clone() },
            at_once: 0,
            then: 0,
            places: 0,
        },
        Case {
            name: "other tissue with its map",
            shown: Shown { tissue: 2.0, map: 5.0, ..USUAL },
            at_once: 0,
            then: 1,
            places: 1,
        },
        Case {
            name: "the box elsewhere",
            shown: Shown { left_px: 190, ..last.clone() },
            at_once: 0,
            then: 1,
            places: 1,
        },
        Case {
            name: "the palette turned",
            shown: Shown { hard_end: HardEnd::Blue, ..last.clone() },
            at_once: 0,
            then: 1,
            places: 1,
        },
    ];
    for case in cases {
        let mut bench = Bench::examined();
        let place = bench.evidence.place();
        bench.show(&case.shown, STEP_MS);
        assert_eq!(bench.evidence.evidence(), case.at_once, "{}", case.name);
        bench.hold(&case.shown, 500);
        assert_eq!(bench.evidence.evidence(), case.then, "{}", case.name);
        assert_eq!(bench.evidence.place() - place, case.places, "{}", case.name);
        let stands = bench.evidence.refusal().is_none();
        assert_eq!(stands, case.then >= 2, "{}", case.name);
    }
}

fn stiffness(opacity: f32) -> Stiffness {
    let filled = Quantity { value: 0.9, uncertainty: 0.01, beyond: false };
    Stiffness {
        origin: Origin::Screen,
        scale: None,
        mean: None,
        p99: None,
        sd: None,
        circle_2mm: None,
        ratio: None,
        filled,
        opacity,
    }
}

#[test]
fn stiffness_stands_while_its_map_is_shown_and_the_picture_supports_it() {
    struct Case {
        name: &'static str,
        shown: Shown,
        /// Whether it stands in the first such picture, and after a second of it.
        at_once: bool,
        then: bool,
    }
    let last = Shown { map: 2.0, ..USUAL };
    let cases = [
        Case { name: "the same", shown: last.clone(), at_once: true, then: true },
        Case {
            name: "half the gain",
            shown: Shown { gain: 0.5, ..last.clone() },
            at_once: true,
            then: true,
        },
        // Until the new one is read, and that is not answered here.
        Case { name: "a new map", shown: Shown { map: 3.0, ..USUAL }, at_once: true, then: false },
        // It counts no second time, and the one that was read has left the screen.
        Case { name: "an old map", shown: USUAL, at_once: true, then: false },
        Case {
            name: "other tissue under the old map",
            shown: Shown { tissue: 2.0, ..last.clone() },
            at_once: false,
            then: false,
        },
        Case {
            name: "other tissue with its map",
            shown: Shown { tissue: 2.0, map: 5.0, ..USUAL },
            at_once: false,
            then: false,
        },
        Case {
            name: "the box elsewhere",
            shown: Shown { left_px: 190, ..last.clone() },
            at_once: false,
            then: false,
        },
        Case {
            name: "the palette turned",
            shown: Shown { hard_end: HardEnd::Blue, ..last.clone() },
            at_once: false,
            then: false,
        },
    ];
    for case in cases {
        let mut bench = Bench::examined();
        assert!(bench.evidence.awaits_stiffness());
        assert_eq!(bench.evidence.stiffness(), None, "not read yet");
        bench.evidence.read(Some(stiffness(0.5)));
        assert!(!bench.evidence.awaits_stiffness());
        bench.show(&case.shown, STEP_MS);
        assert_eq!(bench.evidence.stiffness().is_some(), case.at_once, "{}", case.name);
        bench.hold(&case.shown, 1_000);
        assert_eq!(bench.evidence.stiffness().is_some(), case.then, "{}", case.name);
    }
}

#[test]
fn stiffness_is_gone_without_a_dual_view_and_back_with_its_place() {
    let mut bench = Bench::examined();
    bench.evidence.read(Some(stiffness(0.5)));
    bench.at_ms += STEP_MS;
    bench.evidence.suspend(bench.at_ms * MS);
    assert_eq!(bench.evidence.stiffness(), None);
    bench.show(&Shown { map: 2.0, ..USUAL }, STEP_MS);
    assert_eq!(bench.evidence.stiffness(), Some(stiffness(0.5)));
    bench.evidence.reset();
    assert_eq!(bench.evidence.stiffness(), None);
}

#[test]
fn a_map_that_the_model_refuses_has_a_stiffness_all_the_same() {
    let mut bench = Bench::new();
    let look = map(0.0, 0.5);
    let wanted = (0..6).any(|_| bench.see(&USUAL, &look, STEP_MS) != Wanted::Nothing);
    assert!(wanted);
    bench.evidence.refuse(Refusal::new(Withheld::OutOfDistribution, Sentence::BothUnfamiliar));
    bench.evidence.read(Some(stiffness(0.7)));
    bench.see(&USUAL, &look, STEP_MS);
    assert_eq!(bench.evidence.refusal().map(|r| r.reason), Some(Withheld::OutOfDistribution));
    assert_eq!(bench.evidence.stiffness(), Some(stiffness(0.7)));
    // Another place: the map stays for a moment, and is of no use.
    bench.see(&Shown { tissue: 2.0, ..USUAL }, &look, STEP_MS);
    assert_eq!(bench.evidence.stiffness(), None);
}

#[test]
fn without_a_dual_view_there_is_no_number_and_the_picture_after_it_decides() {
    for (lost_ms, next, kept) in
        [(300, USUAL, 3), (300, Shown { tissue: 2.0, ..USUAL }, 0), (2_500, USUAL, 0)]
    {
        let mut bench = Bench::examined();
        for _ in 0..lost_ms / STEP_MS {
            bench.at_ms += STEP_MS;
            bench.evidence.suspend(bench.at_ms * MS);
            assert_eq!((bench.evidence.evidence(), bench.evidence.summary()), (0, None));
        }
        bench.show(&Shown { map: 2.0, ..next }, STEP_MS);
        assert_eq!(bench.evidence.evidence(), kept, "{lost_ms} ms");
    }
}

#[test]
fn a_map_that_still_stands_when_its_tissue_is_gone_is_never_counted() {
    type Break = dyn Fn(&mut Bench);
    let breaks: [(&str, &Break); 6] = [
        ("a short dialog", &|bench| bench.lose_view(500)),
        ("a long dialog", &|bench| bench.lose_view(2_500)),
        ("two long dialogs", &|bench| {
            bench.lose_view(2_500);
            bench.hold(&Shown { tissue: 2.0, map: 2.0, ..USUAL }, 400);
            bench.lose_view(2_500);
        }),
        ("no signal", &|bench| bench.evidence.lose()),
        ("other settings", &|bench| {
            bench.evidence.set_rules(bench.evidence.rules, bench.evidence.limits);
        }),
        ("time that goes back", &|bench| bench.at_ms = 0),
    ];
    for (name, happens) in breaks {
        for frozen in [false, true] {
            // A translucent map looks a little different over another tissue.
            let old = map(2.0, 0.5).mixed(&map(3.0, 0.5), 0.93);
            let mut bench = Bench::examined();
            happens(&mut bench);
            let shown = Shown { tissue: 2.0, map: 2.0, frozen, ..USUAL };
            for _ in 0..10 {
                bench.show_map(&shown, &old, STEP_MS);
                assert_eq!(bench.evidence.evidence(), 0, "{name}, frozen: {frozen}");
            }
            bench.hold(&Shown { map: 5.0, ..shown }, 500);
            assert_eq!(bench.evidence.evidence(), 1, "{name}, frozen: {frozen}, its own map");
            // Over its own tissue it counts again.
            let mut bench = Bench::examined();
            happens(&mut bench);
            bench.hold(&Shown { tissue: 1.0, ..shown }, 500);
            assert!(
                bench.evidence.evidence() > 0 || name == "two long dialogs",
                "{name}, its own tissue"
            );
        }
    }
}

#[test]
fn a_pan_leaves_the_first_nodule_behind() {
    let mut bench = Bench::examined();
    for n in 0..160u16 {
        let moved = 0.1 * f32::from(n);
        bench.show(&Shown { moved, map: 2.0, ..USUAL }, STEP_MS);
    }
    assert_eq!(bench.evidence.evidence(), 0);
    assert!(bench.evidence.refusal().is_some());
}

#[test]
fn a_map_that_fades_into_the_next_counts_once() {
    let mut bench = Bench::examined();
    let (from, to) = (map(2.0, 0.5), map(4.0, 0.5));
    let before = bench.scored;
    for n in 0..40 {
        // Persistence: what is left of the old map halves every 100 ms.
        let left = 0.5f32.powf(n as f32 / 2.0);
        let wanted = bench.show_map(&USUAL, &from.mixed(&to, left), 50);
        assert_ne!(wanted, Wanted::Score { settled: false });
    }
    assert_eq!(bench.scored - before, 1);
}

#[test]
fn at_one_picture_a_second_one_look_is_enough() {
    let mut bench = Bench::new();
    for n in 0..4u16 {
        bench.show(&Shown { map: f32::from(n), ..USUAL }, 1_000);
    }
    assert_eq!(bench.evidence.evidence(), 3);
}

#[test]
fn what_got_no_score_is_not_asked_for_again_while_it_is_on_the_screen() {
    let mut bench = Bench::new();
    let mut asked = 0;
    for _ in 0..10 {
        let wanted = bench.see(&USUAL, &map(0.0, 0.5), STEP_MS);
        if wanted != Wanted::Nothing {
            asked += 1;
            let words = Sentence::BoxUnfit.with("words", "too narrow");
            bench.evidence.refuse(Refusal::new(Withheld::BoxTooSmall, words));
        }
    }
    assert_eq!(asked, 1);
    assert_eq!(bench.evidence.refusal().unwrap().reason, Withheld::BoxTooSmall);
}

#[test]
fn between_maps_that_were_refused_there_is_no_number() {
    let mut bench = Bench::examined();
    let refuse = |bench: &mut Bench, look: &Look| {
        let wanted = bench.see(&USUAL, look, 50);
        if wanted != Wanted::Nothing {
            bench
                .evidence
                .refuse(Refusal::new(Withheld::OutOfDistribution, Sentence::BothUnfamiliar));
        }
    };
    for n in 0..40 {
        // Another one every half second; each is judged when it has rested.
        refuse(&mut bench, &map(4.0 + (n / 10) as f32, 0.5));
        let judged = n >= 4;
        assert_eq!(bench.evidence.refusal().is_some(), judged, "picture {n}");
    }
    // One that counts is on the screen again.
    bench.show(&Shown { map: 2.0, ..USUAL }, 50);
    assert_eq!(bench.evidence.refusal(), None);
}

#[test]
fn what_came_with_other_tissue_after_a_gap_counts_once_renewed_or_if_it_came_frozen() {
    let other = Shown { tissue: 2.0, map: 5.0, ..USUAL };
    for ended in [false, true] {
        // It may have been renewed a last time behind the dialog: the probe moves, then Freeze.
        let mut bench = Bench::examined();
        bench.lose_view(2_500);
        bench.hold(&other, 800);
        if ended {
            // The exam: the lines above the views say that it is another patient.
            bench.evidence.lose();
        }
        for n in 0..40 {
            let unchanged_ms = n * STEP_MS;
            bench.show(&Shown { frozen: n >= 30, unchanged_ms, ..other.clone() }, STEP_MS);
            assert_eq!(bench.evidence.evidence(), 0, "ended: {ended}, picture {n}");
        }
        bench.hold(&Shown { map: 8.5, ..other.clone() }, 400);
        assert_eq!(bench.evidence.evidence(), 1, "ended: {ended}, renewed");
    }
    // A stored picture: nothing moved since it came.
    let mut bench = Bench::examined();
    bench.lose_view(2_500);
    for n in 0..40 {
        let unchanged_ms = n * STEP_MS;
        bench.show(&Shown { frozen: n >= 30, unchanged_ms, ..other.clone() }, STEP_MS);
        assert_eq!(bench.evidence.evidence(), u32::from(n >= 30), "stored, picture {n}");
    }
}
