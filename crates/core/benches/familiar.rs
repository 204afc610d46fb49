//! Familiarity of a picture, once a new map, whatever the crops' size: budget 1 ms on one core.

#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use image::imageops::{self, FilterType};
use sonofuse_core::familiar::Gauge;
use sonofuse_core::frame::Frame;
use sonofuse_core::manifest::Manifest;
use sonofuse_core::region::Region;

fn familiar(c: &mut Criterion) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let screen = root.join("tests/screens/aixplorer-swe-stacked/screen.png");
    let picture = image::open(screen).unwrap().to_rgb8();
    let picture = imageops::resize(&picture, 1920, 1080, FilterType::Triangle);
    let frame = Frame::from_rgb(1920, 1080, picture.into_raw()).unwrap();
    let manifest = std::fs::read_to_string(root.join("engines/demo/model.toml")).unwrap();
    let table = Manifest::parse(&manifest).unwrap().familiarity.unwrap();
    let mut gauge = Gauge::default();
    for (name, size) in [("small", [80, 60]), ("large", [700, 420])] {
        let [width, height] = size;
        let map = Region::new(500, 150, 500 + width, 150 + height).unwrap();
        let bmode = Region::new(500, 600, 500 + width, 600 + height).unwrap();
        c.bench_function(&format!("judge a picture, {name} crops"), |b| {
            b.iter(|| table.judge(gauge.take(black_box(&frame), &bmode, &map).as_ref()));
        });
    }
}

criterion_group!(benches, familiar);
criterion_main!(benches);
