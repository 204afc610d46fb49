//! A number lives only as long as the picture supports it: the committed scenarios through the
//! daemon's own analyzer, at a few pictures a second. `sonofuse bench live` plays them at all rates.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use sonofuse::cli::bench::live::{LiveBench, LiveFigures};
use sonofuse::scoring::{self, Analyzer, Backend, Settings};
use sonofuse_sim::{Play, Scenario};

/// Pictures a second: a fast grabber costs too much here, one a second is what a slow one gives.
const RATES_HZ: [f64; 2] = [6.0, 1.0];
/// Cheap to draw, and large enough for every scanner's views to be found.
const SIZE_PX: [u32; 2] = [800, 600];

fn play_all() -> Vec<LiveFigures> {
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("engines/demo");
    let mut bench = LiveBench::new(
        |pins| {
            let model = scoring::load(&demo, Backend::Cpu).unwrap();
            Ok(Analyzer::new("live-truth".into(), model, Settings::default(), pins))
        },
        None,
        false,
    );
    let mut all = Vec::new();
    println!("{}", LiveFigures::heading());
    for name in Scenario::names() {
        let scenario = Scenario::named(name).unwrap();
        // "steady" is on all fifteen; three will do here.
        for (i, &skin) in scenario.skins().iter().take(3).enumerate() {
            // Every scanner at one rate, every scenario at all.
            let rates = if i == 0 { &RATES_HZ[..] } else { &RATES_HZ[..1] };
            for &rate_hz in rates {
                // What changes its size is played as it is.
                let size = (name != "signal").then_some(SIZE_PX);
                let play = Play { rate_hz: Some(rate_hz), skin: Some(skin), size };
                let figures = bench.play(&scenario, play).unwrap();
                println!("{}", figures.line());
                all.push(figures);
            }
        }
    }
    all
}

#[test]
fn no_number_outlives_what_it_rests_on() {
    let all = play_all();
    let total = LiveFigures::total(&all);
    println!("{}\n{}", total.line(), total.summary().join("\n"));
    // Silence would pass: there must be scores, and most of those that are due.
    assert!(total.scored > 1000, "{} scores in all", total.scored);
    assert!(total.stiffness.readings > 1000, "{} with a stiffness", total.stiffness.readings);
    let stiffness: Vec<String> = all
        .iter()
        .filter(|f| f.stiffness.unsupported > 0)
        .map(|f| format!("{} of {}: {}", f.stiffness.unsupported, f.stiffness.readings, f.line()))
        .collect();
    assert!(stiffness.is_empty(), "unsupported stiffness\n{}", stiffness.join("\n"));
    let unsupported: Vec<String> = all
        .iter()
        .filter(|f| f.unsupported_ns > 0 || f.counted_twice > 0)
        .map(LiveFigures::line)
        .collect();
    assert!(unsupported.is_empty(), "\n{}\n{}", LiveFigures::heading(), unsupported.join("\n"));
}
