//! Full search and following on 1080p frames: budgets 15 ms and 1 ms on one core.

#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use image::imageops::{self, FilterType};
use sonofuse_core::frame::Frame;
use sonofuse_core::layout::{Finder, Follower};

fn screen(name: &str) -> Frame {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/screens").join(name);
    let picture = image::open(path).unwrap().to_rgb8();
    let picture = imageops::resize(&picture, 1920, 1080, FilterType::Triangle);
    Frame::from_rgb(1920, 1080, picture.into_raw()).unwrap()
}

fn layout(c: &mut Criterion) {
    let dual = screen("aixplorer-swe-stacked/screen.png");
    let rendering = screen("mindray-dc70/screen.png");
    let mut finder = Finder::new();
    c.bench_function("search a dual view, 1080p", |b| {
        b.iter(|| finder.find(black_box(&dual)).unwrap());
    });
    c.bench_function("search a rendering, 1080p", |b| {
        b.iter(|| finder.find(black_box(&rendering)).unwrap_err());
    });
    let mut follower = Follower::new(None);
    follower.observe(&dual, 0).layout.unwrap();
    let mut media_ns = 0;
    c.bench_function("follow a dual view, 1080p", |b| {
        b.iter(|| {
            media_ns += 16_683_333;
            assert!(!follower.observe(black_box(&dual), media_ns).searched);
        });
    });
    c.bench_function("prove a map, 1080p", |b| {
        b.iter(|| follower.prove(black_box(&dual)).unwrap());
    });
}

criterion_group!(benches, layout);
criterion_main!(benches);
