use super::*;
use crate::picture::Look;
use crate::reading::Reading;

/// Knuth's MMIX generator: 0..1.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> f32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1u64 << 24) as f32
    }
}

fn exam(value: impl Fn(Stream) -> Option<f32>) -> Figures {
    let mut figures = Figures::default();
    for stream in Stream::ALL {
        figures.set(stream, value(stream));
    }
    figures
}

/// A site whose brightness is spread over 60..80 and shifted by `by`; the rest is constant.
fn site(draw: &mut Draw, by: f32) -> Figures {
    let bright = 60.0 + 20.0 * draw.next() + by;
    exam(|stream| Some(if stream == Stream::Brightness { bright } else { 0.5 }))
}

fn complete(draw: &mut Draw) -> Watch {
    let mut watch = Watch::default();
    for n in 1..=REFERENCE {
        let news = watch.take(site(draw, 0.0));
        assert_eq!(news, if n == REFERENCE { vec![News::Complete] } else { Vec::new() });
    }
    watch
}

/// Examinations until there is news, and that.
fn until_news(
    watch: &mut Watch,
    most: usize,
    mut next: impl FnMut() -> Figures,
) -> Option<(usize, Vec<News>)> {
    (1..=most).find_map(|n| {
        let news = watch.take(next());
        (!news.is_empty()).then_some((n, news))
    })
}

#[test]
fn ranks_are_compared_as_mann_and_whitney_do() {
    for (reference, recent, expected) in [
        (vec![1.0, 2.0, 3.0], vec![4.0, 5.0, 6.0], 4.5 / 5.25f32.sqrt()),
        (vec![4.0, 5.0, 6.0], vec![1.0, 2.0, 3.0], -4.5 / 5.25f32.sqrt()),
        (vec![1.0; 9], vec![1.0; 4], 0.0),
        // Two of four pairs are won, one is even: U = 2.5 of 4.
        (vec![1.0, 3.0], vec![2.0, 3.0], 0.5 / (5.0f32 / 3.0).sqrt()),
    ] {
        let found = z(&reference, &recent);
        assert!((found - expected).abs() < 1e-6, "{reference:?} {recent:?}: {found}");
    }
    assert!((median(&[1.0, 2.0, 9.0]) - 2.0).abs() < 1e-6);
    assert!((median(&[1.0, 2.0, 4.0, 9.0]) - 3.0).abs() < 1e-6);
    assert!(median(&[]).abs() < 1e-6);
}

#[test]
fn a_shift_is_found_within_twenty_examinations_told_once_and_told_when_it_is_over() {
    let mut draw = Draw(7);
    let mut watch = complete(&mut draw);
    assert_eq!(until_news(&mut watch, 100, || site(&mut draw, 0.0)), None, "no shift, no news");
    let (after, news) = until_news(&mut watch, 20, || site(&mut draw, 15.0)).unwrap();
    let News::Shifted(state) = news[0] else { panic!("{news:?}") };
    assert_eq!((news.len(), state.stream), (1, Stream::Brightness));
    assert!(after > 5 && state.from < 75.0 && state.to > 78.0, "{after}: {state:?}");
    assert_eq!(until_news(&mut watch, 40, || site(&mut draw, 15.0)), None, "told once");
    let (_, news) = until_news(&mut watch, 20, || site(&mut draw, 0.0)).unwrap();
    assert!(matches!(news[..], [News::Back(state)] if !state.shifted), "{news:?}");
}

#[test]
fn two_shifts_are_told_each_by_its_stream() {
    let mut draw = Draw(3);
    let mut watch = complete(&mut draw);
    let mut told = Vec::new();
    for n in 0..60 {
        let mut figures = site(&mut draw, 15.0);
        if n >= 25 {
            figures.set(Stream::RedGreen, Some(40.0));
        }
        told.extend(watch.take(figures));
    }
    let streams: Vec<_> = told
        .iter()
        .map(|news| match news {
            News::Shifted(state) => state.stream,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(streams, [Stream::Brightness, Stream::RedGreen]);
}

#[test]
fn a_difference_that_does_not_matter_is_none_however_sure() {
    let mut watch = Watch::default();
    let at = |rate: f32| exam(|stream| (stream == Stream::Rate).then_some(rate));
    for _ in 0..REFERENCE {
        watch.take(at(30.0));
    }
    assert_eq!(until_news(&mut watch, 60, || at(29.97)), None);
    assert!(watch.streams()[0].ratio > 1.0, "it is sure");
    assert!(until_news(&mut watch, 20, || at(25.0)).is_some());
}

#[test]
fn a_stream_that_is_not_there_is_not_judged() {
    let mut watch = Watch::default();
    for n in 0..REFERENCE {
        // Scores in fewer than half, a brightness that is no number.
        let score = (n % 3 == 0).then_some(0.2);
        watch.take(exam(|stream| match stream {
            Stream::Score => score,
            Stream::Brightness => Some(f32::NAN),
            _ => None,
        }));
    }
    assert_eq!(until_news(&mut watch, 60, || exam(|_| Some(0.9))), None);
    assert_eq!(watch.streams(), []);
}

#[test]
fn a_file_that_cannot_be_is_refused() {
    let mut draw = Draw(1);
    let whole = complete(&mut draw);
    assert_eq!(whole.check(), Ok(()));
    let json = serde_json::to_string(&whole).unwrap();
    assert_eq!(serde_json::from_str::<Watch>(&json).unwrap(), whole);
    for (change, said) in [
        (
            &(|w: &mut Watch| {
                w.reference.pop();
            }) as &dyn Fn(&mut Watch),
            "not complete",
        ),
        (&|w| w.reference.push(Figures::default()), "more examinations"),
        (&|w| w.recent.extend(vec![Figures::default(); RECENT]), "more examinations"),
        (&|w| w.reference[3].0[4] = Some(f32::INFINITY), "no numbers"),
    ] {
        let mut watch = whole.clone();
        watch.recent.push(Figures::default());
        change(&mut watch);
        let why = watch.check().unwrap_err();
        assert!(why.contains(said), "{why}");
    }
}

fn reading(at_ms: u64, reason: Option<&str>, seen: bool) -> Reading {
    let layout = seen.then(|| {
        serde_json::json!({
                "orientation": "side-by-side", "confidence": 1.0, "colour_bar": null, "hard_end": "red",
            "bmode_view": [0, 0, 300, 300], "elastogram_view": [300, 0, 600, 300],
            "bmode_box": [50, 50, 150, 150], "elastogram_box": [350, 50, 450, 150],
        })
    });
    let mut json = serde_json::json!({
        "source": "s", "sequence": 1, "pts_ns": null, "captured_ns": at_ms * 1_000_000,
        "outcome": if reason.is_none() { "scored" } else { "withheld" }, "malignancy": null,
        "size": [600, 400], "interval": null, "reason": reason, "evidence": 0, "frozen": false, "replaced": 0,
        "familiarity": seen.then_some(0.5), "input": {"rate_hz": 30.0}, "layout": null,
        "latency_ms": {}, "notice": "",
        "model": {"name": "m", "digest": "", "backend": "", "trained": true},
    });
    json["layout"] = layout.unwrap_or_default();
    serde_json::from_value(json).unwrap()
}

#[test]
fn an_examination_comes_to_its_means_and_one_that_was_broken_off_does_not_count() {
    let mut tally = Tally::default();
    for n in 0..20 {
        tally.read(&reading(n * 400, None, true));
    }
    assert_eq!(tally.end(std::iter::once(0.4)), None, "eight seconds");
    // A clock that jumps, back or far ahead, adds nothing.
    for at_ms in [0, 1000, 2000, 1000, 900_000_000, 0] {
        tally.read(&reading(at_ms, None, true));
    }
    assert_eq!(tally.end(std::iter::empty()), None);

    let look = Look::of_cells(|_| [80.0, 12.0, -6.0]);
    let mut at_ms = 0;
    let mut read = |tally: &mut Tally, count: u64, reason: Option<&str>, seen: bool| {
        for _ in 0..count {
            at_ms += 500;
            if seen {
                tally.look(Some(80.0), &look, &look);
            }
            tally.read(&reading(at_ms, reason, seen));
        }
    };
    read(&mut tally, 12, None, true);
    read(&mut tally, 4, Some("unstable-elastogram"), true);
    read(&mut tally, 4, Some("warming-up"), true);
    read(&mut tally, 5, Some("no-dual-view"), false);
    read(&mut tally, 50, Some("paused"), false);
    let figures = tally.end([0.2, 0.4].into_iter()).unwrap();
    for (stream, expected) in [
        (Stream::Score, 0.3),
        (Stream::Familiarity, 0.5),
        (Stream::Withheld, 0.25),
        (Stream::NoView, 0.2),
        (Stream::ViewX, 0.25),
        (Stream::ViewY, 0.375),
        (Stream::Brightness, 80.0),
        (Stream::Texture, 0.1),
        (Stream::RedGreen, 12.0),
        (Stream::GreenBlue, -6.0),
        (Stream::Rate, 30.0),
    ] {
        let found = figures.get(stream).unwrap();
        assert!((found - expected).abs() < 1e-4, "{stream:?}: {found}");
    }
    assert_eq!(tally.end(std::iter::empty()), None, "begun anew");
}

#[test]
fn every_stream_has_its_word_in_files_too() {
    for stream in Stream::ALL {
        assert_eq!(serde_json::to_value(stream).unwrap(), stream.as_str());
    }
}
