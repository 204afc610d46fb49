//! The scorer from load to loss, against a stand-in driver whose device is the host: the kernels' own
//! text, compiled for the host, does the work.
#![allow(clippy::unwrap_used)]
#![allow(clippy::float_cmp, reason = "the same arithmetic in the same order")]
#![allow(unsafe_code, reason = "an allocator that counts")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use common::{StandIn, fixed, input, layout, load, means, native, noise, output, region};
use sonofuse_core::frame::{Colorimetry, Frame, PixelFormat};
use sonofuse_core::layout::{HardEnd, ScreenLayout};
use sonofuse_core::manifest::Input;
use sonofuse_core::preprocess::{DualView, FusionInput, Preprocessor};
use sonofuse_gpu::{GpuError, GpuScorer, NetworkSource, Options, UploadWay, check};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const WAYS: [UploadWay; 3] = [UploadWay::Staged, UploadWay::Mapped, UploadWay::Direct];

fn frame(pixel: PixelFormat, seed: u64) -> Frame {
    noise(pixel, 321, 203, seed, Colorimetry::for_height(203))
}

fn boxes() -> ScreenLayout {
    layout(region(3, 5, 120, 100), region(161, 7, 290, 104), Some(HardEnd::Blue))
}

fn reference(frame: &Frame, layout: &ScreenLayout, input: &Input) -> FusionInput {
    let view = DualView::new(frame, layout).unwrap();
    Preprocessor::new(input.clone()).run(&view).unwrap().clone()
}

#[test]
fn every_format_on_every_way_of_upload_feeds_the_bits_of_the_definition() {
    for upload in WAYS {
        let stand_in = StandIn::new();
        // Work runs as late as a device may do it.
        stand_in.set("deferred", 1);
        let input = input(native(16, 448));
        let options = Options { upload, statistics: true, ..Options::default() };
        let mut scorer = load(&stand_in, &input, options).unwrap();
        for (seed, pixel) in (0..).zip(PixelFormat::ALL) {
            let frame = frame(pixel, seed);
            let want = reference(&frame, &boxes(), &input);
            let answer = scorer.score(&DualView::new(&frame, &boxes()).unwrap()).unwrap();
            assert_eq!(answer.numbers, means(&want), "{pixel:?} {upload:?}");
            let found = answer.statistics.unwrap();
            for (found, planes) in found.iter().zip([&want.bmode, &want.elastogram]) {
                for (found, want) in found.iter().zip(planes.statistics()) {
                    assert!((found[0] - want[0]).abs() < 1e-4 && (found[1] - want[1]).abs() < 1e-3);
                }
            }
            assert_eq!(scorer.read_input().unwrap(), want, "{pixel:?} {upload:?}");
        }
        drop(scorer);
        stand_in.assert_clean();
    }
}

#[test]
fn only_the_two_crops_are_moved() {
    for (upload, most) in [(UploadWay::Staged, 100_000), (UploadWay::Mapped, 400)] {
        let stand_in = StandIn::new();
        let input = input(native(16, 448));
        let mut scorer = load(&stand_in, &input, Options { upload, ..Options::default() }).unwrap();
        let frame = noise(PixelFormat::Bgrx, 1920, 1080, 1, Colorimetry::for_height(1080));
        let before = stand_in.get("uploaded");
        scorer.score(&DualView::new(&frame, &boxes()).unwrap()).unwrap();
        let moved = stand_in.get("uploaded") - before;
        // 4 bytes for each pixel of the two crops (115 × 93 and 127 × 95), and small tables.
        let crops = 4 * (117 * 95 + 129 * 97);
        assert!(moved < most.min(crops + 16_384), "{moved}");
    }
}

#[test]
fn a_size_that_stays_becomes_a_graph_and_gives_the_same_numbers() {
    for upload in WAYS {
        let stand_in = StandIn::new();
        stand_in.set("deferred", 1);
        let input = input(native(16, 448));
        let mut scorer = load(&stand_in, &input, Options { upload, ..Options::default() }).unwrap();
        let moved = layout(region(4, 6, 121, 101), region(150, 20, 270, 104), None);
        let mut graphs = Vec::new();
        for seed in 0..24 {
            let frame = frame(PixelFormat::ALL[seed as usize % 7], seed);
            let layout = if seed < 12 { boxes() } else { moved };
            let want = means(&reference(&frame, &layout, &input));
            let answer = scorer.score(&DualView::new(&frame, &layout).unwrap()).unwrap();
            assert_eq!(answer.numbers, want, "{upload:?} {seed}");
            graphs.push(answer.graph);
        }
        let expected: Vec<bool> = (0..24).map(|i| i % 12 >= 3).collect();
        assert_eq!(graphs, expected);
        assert_eq!(scorer.graph_refused(), None);
        drop(scorer);
        stand_in.assert_clean();
    }
}

#[test]
fn a_graph_that_is_refused_or_wrong_is_not_used_and_the_reason_is_told() {
    for (key, says) in [
        ("no-capture", "900"),
        ("capture-breaks", "901"),
        ("graph-forgets", "as a graph the work answers"),
    ] {
        let stand_in = StandIn::new();
        stand_in.set(key, 1);
        let input = input(fixed(40, 30));
        let mut scorer = load(&stand_in, &input, Options::default()).unwrap();
        for seed in 0..6 {
            let frame = frame(PixelFormat::Nv12, seed);
            let want = means(&reference(&frame, &boxes(), &input));
            let answer = scorer.score(&DualView::new(&frame, &boxes()).unwrap()).unwrap();
            assert_eq!(
                (answer.numbers.as_slice(), answer.graph),
                (want.as_slice(), false),
                "{key}"
            );
        }
        let why = scorer.graph_refused().unwrap();
        assert!(why.contains(says), "{why}");
        drop(scorer);
        stand_in.assert_clean();
    }
}

#[test]
fn a_ready_input_is_scored_as_it_is() {
    let stand_in = StandIn::new();
    stand_in.set("deferred", 1);
    let options = Options { statistics: true, stages: true, ..Options::default() };
    let mut scorer = load(&stand_in, &input(native(16, 448)), options).unwrap();
    for [width, height] in [[448, 448], [17, 300]] {
        let golden = FusionInput::golden(width, height);
        let answer = scorer.score_input(&golden).unwrap();
        assert_eq!(answer.numbers, means(&golden));
        assert!(
            (answer.statistics.unwrap()[1][2][0] - golden.elastogram.statistics()[2][0]).abs()
                < 1e-4
        );
        assert_eq!(answer.stages.unwrap().total_ms, 0.25);
        assert_eq!(scorer.read_input().unwrap(), golden);
    }
    let error = scorer.score_input(&FusionInput::golden(449, 448)).unwrap_err();
    assert!(matches!(error, GpuError::Size { width_px: 449, .. }), "{error}");
    drop(scorer);
    stand_in.assert_clean();
}

#[test]
fn memory_that_runs_out_while_loading_leaves_nothing_behind() {
    let input = input(native(16, 128));
    let stand_in = StandIn::new();
    let mut loaded = false;
    for left in (0..8 << 20).step_by(200_000) {
        stand_in.set("memory-left", left);
        match load(&stand_in, &input, Options::default()) {
            Ok(_) => loaded = true,
            Err(error) => {
                assert!(matches!(error, GpuError::OutOfMemory { bytes: 1.., .. }), "{error}");
                assert!(!loaded && error.is_temporary());
            }
        }
        stand_in.assert_clean();
    }
    assert!(loaded);
}

#[test]
fn a_larger_frame_that_finds_no_memory_is_an_error_and_smaller_ones_go_on() {
    let stand_in = StandIn::new();
    let input = input(native(16, 128));
    let mut scorer = load(&stand_in, &input, Options::default()).unwrap();
    let small = frame(PixelFormat::Rgb, 5);
    let want = means(&reference(&small, &boxes(), &input));
    let large = noise(PixelFormat::Bgrx, 1600, 1200, 3, Colorimetry::for_height(1200));
    let whole = layout(region(0, 0, 800, 1200), region(800, 0, 1600, 1200), None);
    stand_in.set("memory-left", 20 << 20);
    for round in 0..5 {
        let error = scorer.score(&DualView::new(&large, &whole).unwrap()).unwrap_err();
        assert!(matches!(error, GpuError::OutOfMemory { what: "the upload", .. }), "{error}");
        let answer = scorer.score(&DualView::new(&small, &boxes()).unwrap()).unwrap();
        assert_eq!(answer.numbers, want, "{round}");
    }
    assert_eq!(scorer.losses(), 0);
    stand_in.set("memory-left", -1);
    let answer = scorer.score(&DualView::new(&large, &whole).unwrap()).unwrap();
    assert_eq!(answer.numbers, means(&reference(&large, &whole, &input)));
    drop(scorer);
    stand_in.assert_clean();
}

#[test]
fn a_lost_device_is_an_error_and_the_next_score_builds_anew() {
    let stand_in = StandIn::new();
    let input = input(native(16, 128));
    let mut scorer = load(&stand_in, &input, Options::default()).unwrap();
    let frame = frame(PixelFormat::I420, 5);
    let want = means(&reference(&frame, &boxes(), &input));
    let view = DualView::new(&frame, boxes_static()).unwrap();
    for round in 1..=3 {
        for _ in 0..5 {
            assert_eq!(scorer.score(&view).unwrap().numbers, want);
        }
        let error = check::lose(&mut scorer).unwrap_err();
        assert!(
            error.is_lost() && error.to_string().contains("CUDA_ERROR_ILLEGAL_ADDRESS"),
            "{error}"
        );
        assert_eq!((scorer.losses(), stand_in.get("resets")), (round, round as i64));
    }
    assert_eq!(scorer.score(&view).unwrap().numbers, want);
    // Gone, and it does not come back for a while.
    stand_in.set("lost-for-good", 1);
    stand_in.set("lost", 719);
    for _ in 0..4 {
        let error = scorer.score(&view).unwrap_err();
        assert!(error.is_lost(), "{error}");
    }
    stand_in.set("lost-for-good", 0);
    // The first try finds it lost still, and resets it.
    let _ = scorer.score(&view);
    assert_eq!(scorer.score(&view).unwrap().numbers, want);
    drop(scorer);
    stand_in.assert_clean();
}

fn boxes_static() -> &'static ScreenLayout {
    Box::leak(Box::new(boxes()))
}

#[test]
fn whichever_call_fails_the_answer_is_an_error_and_the_next_one_is_right() {
    let input = input(native(16, 128));
    let frame = frame(PixelFormat::Yuy2, 5);
    let want = means(&reference(&frame, &boxes(), &input));
    let view = DualView::new(&frame, boxes_static()).unwrap();
    for code in [1, 2, 700, 719, 12_345] {
        let stand_in = StandIn::new();
        stand_in.set("fail-in", -1);
        stand_in.set("fail-code", code);
        let options = Options { statistics: true, stages: true, ..Options::default() };
        let mut scorer = load(&stand_in, &input, options).unwrap();
        let mut errors = 0;
        for call in 0..400 {
            stand_in.set("fail-in", call);
            // Three scores and the capture of a graph, sooner or later.
            let result = scorer.score(&view).map(|answer| answer.numbers.clone());
            stand_in.set("fail-in", -1);
            match result {
                Ok(numbers) => assert_eq!(numbers, want),
                Err(error) => {
                    errors += 1;
                    assert_eq!(error.is_lost(), code == 700 || code == 719, "{error}");
                }
            }
            assert_eq!(scorer.score(&view).unwrap().numbers, want, "after call {call}: {code}");
        }
        assert!(errors >= 10, "{code}: {errors}");
        drop(scorer);
        stand_in.assert_clean();
    }
}

#[test]
fn whichever_call_of_loading_fails_nothing_is_left_behind() {
    let input = input(native(16, 128));
    let stand_in = StandIn::new();
    stand_in.set("fail-code", 1);
    let cuda = stand_in.open();
    let mut loaded = false;
    for call in 0..60 {
        stand_in.set("fail-in", call);
        let result =
            GpuScorer::load_on(cuda, &input, &output(), NetworkSource::Mean, Options::default());
        loaded |= result.is_ok();
        drop(result);
        stand_in.set("fail-in", -1);
        stand_in.assert_clean();
    }
    assert!(loaded);
}

#[test]
fn a_frame_costs_no_allocation_and_memory_stays_flat() {
    let input = input(native(16, 64));
    let frames: Vec<Frame> = (0..3).map(|seed| frame(PixelFormat::Nv12, seed)).collect();
    let small = layout(region(3, 5, 60, 50), region(161, 7, 210, 52), None);
    for (upload, graph) in WAYS.into_iter().flat_map(|way| [(way, true), (way, false)]) {
        let stand_in = StandIn::new();
        let options = Options { upload, graph, statistics: true, ..Options::default() };
        let mut scorer = load(&stand_in, &input, options).unwrap();
        let mut score = |n: usize| {
            for i in 0..n {
                scorer.score(&DualView::new(&frames[i % 3], &small).unwrap()).unwrap();
            }
        };
        score(5);
        let (objects, before) = (stand_in.get("live"), ALLOCATIONS.with(Cell::get));
        score(500);
        assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0, "{upload:?} graph {graph}");
        assert_eq!(stand_in.get("live"), objects);
        drop(scorer);
        stand_in.assert_clean();
    }
}

#[test]
fn a_scorer_may_move_to_the_infer_thread_and_goes_on_there() {
    fn moves<T: Send>(_: &T) {}
    let stand_in = StandIn::new();
    let input = input(fixed(24, 24));
    let mut scorer = load(&stand_in, &input, Options::default()).unwrap();
    moves(&scorer);
    let frame = frame(PixelFormat::Nv12, 1);
    let want = means(&reference(&frame, &boxes(), &input));
    let view = DualView::new(&frame, boxes_static()).unwrap();
    assert_eq!(scorer.score(&view).unwrap().numbers, want);
    std::thread::scope(|scope| {
        let moved = scope.spawn(|| {
            let mut scorer = scorer;
            scorer.score(&view).unwrap().numbers.clone()
        });
        assert_eq!(moved.join().unwrap(), want);
    });
    stand_in.assert_clean();
}

#[test]
fn a_panic_waits_for_what_is_under_way_before_the_frame_is_its_owners_again() {
    for upload in WAYS {
        let stand_in = StandIn::new();
        stand_in.set("deferred", 1);
        let input = input(native(16, 448));
        let mut scorer = load(&stand_in, &input, Options { upload, ..Options::default() }).unwrap();
        let layout = boxes();
        for seed in 0..6 {
            let own = frame(PixelFormat::ALL[seed as usize % 7], seed);
            let view = DualView::new(&own, &layout).unwrap();
            let before = stand_in.get("done");
            scorer.fail_next().unwrap();
            let panicked = catch_unwind(AssertUnwindSafe(|| scorer.score(&view).map(drop)));
            let words = panicked.unwrap_err();
            assert!(words.downcast_ref::<&str>().unwrap().contains("self-test"));
            assert!(stand_in.get("done") > before, "an upload was under way");
            assert_eq!(stand_in.get("pending"), 0, "{upload:?}: read after it was given back");
            // What the scorer holds is whole: it goes on, also where it is not thrown away.
            let want = means(&reference(&own, &layout, &input));
            assert_eq!(scorer.score(&view).unwrap().numbers, want, "{upload:?} {seed}");
        }
        scorer.fail_next().unwrap();
        let own = frame(PixelFormat::Bgrx, 9);
        let view = DualView::new(&own, &layout).unwrap();
        catch_unwind(AssertUnwindSafe(|| scorer.score(&view).map(drop))).unwrap_err();
        drop(scorer);
        stand_in.assert_clean();
    }
}

#[test]
fn a_view_that_is_too_narrow_is_an_error_and_nothing_is_under_way() {
    let stand_in = StandIn::new();
    let input = input(native(64, 100));
    let mut scorer = load(&stand_in, &input, Options::default()).unwrap();
    let frame = frame(PixelFormat::Nv12, 1);
    let narrow = layout(region(0, 0, 300, 9), region(0, 0, 300, 9), None);
    let error = scorer.score(&DualView::new(&frame, &narrow).unwrap()).unwrap_err();
    assert!(matches!(error, GpuError::Preprocess(_)) && !error.is_temporary(), "{error}");
    assert!(scorer.read_input().is_err(), "nothing was fed");
    let want = means(&reference(&frame, &boxes(), &input));
    assert_eq!(scorer.score(&DualView::new(&frame, &boxes()).unwrap()).unwrap().numbers, want);
}
