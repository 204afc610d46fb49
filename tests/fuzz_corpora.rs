//! The fuzz targets' twin on stable: every file of every corpus, and a fixed number of damaged copies of
//! each, through the functions that `make fuzz` runs. The corpora in `fuzz/corpus` are made here;
//! `SONOFUSE_BLESS=1` writes them anew.

#![allow(clippy::unwrap_used)]

#[allow(unreachable_pub, reason = "public in the fuzz targets' crate")]
#[path = "../fuzz/src/entries.rs"]
mod entries;
#[path = "../crates/cpu/tests/support/model.rs"]
mod model;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageFormat, RgbImage};
use model::{Head, Model};
use sonofuse::ingest::Preset;
use sonofuse_core::frame::Frame;
use sonofuse_core::layout::Finder;
use sonofuse_core::manifest::Manifest;
use sonofuse_core::region::Region;
use sonofuse_dicom::Still;
use sonofuse_sim::{SimConfig, Simulator};

/// Damaged copies of each file that the gate tries; `SONOFUSE_FUZZ_COPIES` sets another number.
const COPIES: u32 = 300;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files of the tree that are seeds as they are: `scripts/fuzz.sh` names the same folders.
const SHIPPED: &[(&str, &[&str])] = &[
    ("preset", &["pipelines"]),
    ("config", &["sonofuse.toml", "tests/unfamiliar-off.toml"]),
    ("manifest", &["tests/stand-in/model.toml"]),
];

fn shipped(target: &str) -> Vec<PathBuf> {
    let named = SHIPPED.iter().filter(|(name, _)| *name == target).flat_map(|(_, paths)| *paths);
    let mut found = Vec::new();
    for path in named.map(|path| root().join(path)) {
        if path.is_dir() {
            let files = std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
            found.extend(files.filter(|file| file.extension().is_some_and(|e| e == "toml")));
        } else {
            found.push(path);
        }
    }
    assert!(named_at_all(target) != found.is_empty(), "{target}: {found:?}");
    found
}

fn named_at_all(target: &str) -> bool {
    SHIPPED.iter().any(|(name, _)| *name == target)
}

/// What the generators make for a target: name and bytes.
fn made(target: &str) -> BTreeMap<&'static str, Vec<u8>> {
    match target {
        "manifest" => [("isotonic.toml", isotonic())].into(),
        "onnx" => networks().into(),
        "dicom" => dicoms().into(),
        "stills" => stills().into(),
        "layout" => screens().into(),
        _ => BTreeMap::new(),
    }
}

/// The stand-in's manifest with the other calibration.
fn isotonic() -> Vec<u8> {
    let text = std::fs::read_to_string(root().join("tests/stand-in/model.toml")).unwrap();
    let mut table: toml::Table = text.parse().unwrap();
    let calibration: toml::Table =
        "method = \"isotonic\"\npoints = [[-2.0, 0.1], [0.0, 0.4], [2.0, 0.9]]".parse().unwrap();
    table.insert("calibration".into(), calibration.into());
    table.to_string().into_bytes()
}

fn networks() -> [(&'static str, Vec<u8>); 4] {
    let two = |mut model: Model| {
        model.classes = 2;
        model.onnx()
    };
    let convs = || vec![(2, false), (3, true)];
    [
        ("dual-spp.onnx", two(Model::dual(convs(), Head::Spp(vec![2, 1]), vec![3], 1))),
        ("single-fc.onnx", two(Model::single(vec![(2, true)], Head::Fc(12), vec![], 2))),
        ("fused-gap.onnx", two(Model::fused(convs(), Head::Gap, vec![4], 3))),
        (
            "half.onnx",
            two(Model { half: true, ..Model::single(convs(), Head::ConvGap(true), vec![], 4) }),
        ),
    ]
}

fn picture(width: u32, height: u32) -> DynamicImage {
    let pixel = |x, y| image::Rgb([(x * 7) as u8, (y * 11) as u8, (x * y) as u8]);
    RgbImage::from_fn(width, height, pixel).into()
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    picture.write_to(&mut out, format).unwrap();
    out.into_inner()
}

fn stills() -> [(&'static str, Vec<u8>); 8] {
    let colour = picture(19, 13);
    let grey: DynamicImage = colour.to_luma8().into();
    [
        ("colour.png", encoded(&colour, ImageFormat::Png)),
        ("grey16.png", encoded(&DynamicImage::from(colour.to_luma16()), ImageFormat::Png)),
        ("colour.jpg", encoded(&colour, ImageFormat::Jpeg)),
        ("grey.jpg", encoded(&grey, ImageFormat::Jpeg)),
        ("colour.bmp", encoded(&colour, ImageFormat::Bmp)),
        ("colour.tiff", encoded(&colour, ImageFormat::Tiff)),
        ("colour.gif", encoded(&colour, ImageFormat::Gif)),
        ("colour.webp", encoded(&colour, ImageFormat::WebP)),
    ]
}

/// A DICOM file, explicit VR little endian.
struct Dicom(Vec<u8>);

impl Dicom {
    fn new(syntax: &str) -> Self {
        let mut this = Self([&[0; 128][..], b"DICM"].concat());
        this.put(0x0002, 0x0010, *b"UI", syntax.as_bytes());
        this
    }

    fn put(&mut self, group: u16, element: u16, vr: [u8; 2], value: &[u8]) {
        let mut value = value.to_vec();
        if value.len() % 2 == 1 {
            value.push(if vr == *b"UI" { 0 } else { b' ' });
        }
        self.0.extend([group.to_le_bytes(), element.to_le_bytes(), vr].concat());
        if matches!(&vr, b"OB" | b"OW" | b"SQ") {
            self.0.extend([0, 0]);
            self.0.extend((value.len() as u32).to_le_bytes());
        } else {
            self.0.extend((value.len() as u16).to_le_bytes());
        }
        self.0.extend(value);
    }

    fn shape(mut self, photometric: &str, samples: u16, [w, h]: [u16; 2], bits: u16) -> Self {
        self.put(0x0008, 0x0060, *b"CS", b"US");
        self.put(0x0018, 0x1063, *b"DS", b"40");
        self.put(0x0028, 0x0002, *b"US", &samples.to_le_bytes());
        self.put(0x0028, 0x0004, *b"CS", photometric.as_bytes());
        if samples > 1 {
            self.put(0x0028, 0x0006, *b"US", &[0, 0]);
        }
        self.put(0x0028, 0x0008, *b"IS", b"2");
        for (element, value) in [(0x0010, h), (0x0011, w), (0x0100, bits), (0x0101, bits)] {
            self.put(0x0028, element, *b"US", &value.to_le_bytes());
        }
        self
    }

    fn native(mut self, pixels: &[u8]) -> Vec<u8> {
        self.put(0x7FE0, 0x0010, *b"OW", pixels);
        self.0
    }

    fn fragments(mut self, fragments: &[&[u8]]) -> Vec<u8> {
        self.0.extend([0xE0, 0x7F, 0x10, 0x00, b'O', b'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]);
        for item in [&[][..]].iter().chain(fragments) {
            self.0.extend([0xFE, 0xFF, 0x00, 0xE0]);
            self.0.extend((item.len() as u32).to_le_bytes());
            self.0.extend(*item);
        }
        self.0.extend([0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);
        self.0
    }
}

fn dicoms() -> [(&'static str, Vec<u8>); 6] {
    const EXPLICIT: &str = "1.2.840.10008.1.2.1";
    let bytes: Vec<u8> = (0..240).map(|i| (i * 37) as u8).collect();
    let size = [5, 4];
    let mut palette = Dicom::new(EXPLICIT).shape("PALETTE COLOR", 1, size, 8);
    for element in 0x1101..=0x1103 {
        palette.put(0x0028, element, *b"US", &[0, 1, 0, 0, 16, 0]);
    }
    for element in 0x1201..=0x1203 {
        let table: Vec<u8> = (0..256_u16).flat_map(|i| (i * 257).to_le_bytes()).collect();
        palette.put(0x0028, element, *b"OW", &table);
    }
    // A header of one segment, then literal and repeated runs.
    let mut rle = vec![0; 64];
    rle[0] = 1;
    rle[4] = 64;
    rle.extend([9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 247, 77]);
    let jpeg = encoded(&picture(5, 4), ImageFormat::Jpeg);
    let mut regions = Dicom::new(EXPLICIT);
    let mut item = Dicom(Vec::new());
    for (element, value) in [(0x6018, 0_u32), (0x601A, 0), (0x601C, 4), (0x601E, 3)] {
        item.put(0x0018, element, *b"UL", &value.to_le_bytes());
    }
    item.put(0x0018, 0x6024, *b"US", &[3, 0]);
    item.put(0x0018, 0x602C, *b"FD", &0.01_f64.to_le_bytes());
    let length = (item.0.len() as u32).to_le_bytes();
    let item = [&[0xFE, 0xFF, 0x00, 0xE0][..], &length, &item.0].concat();
    regions.put(0x0018, 0x6011, *b"SQ", &item);
    [
        ("rgb.dcm", Dicom::new(EXPLICIT).shape("RGB", 3, size, 8).native(&bytes[..120])),
        ("grey16.dcm", Dicom::new(EXPLICIT).shape("MONOCHROME2", 1, size, 16).native(&bytes[..80])),
        ("palette.dcm", palette.native(&bytes[..40])),
        (
            "rle.dcm",
            Dicom::new("1.2.840.10008.1.2.5")
                .shape("MONOCHROME2", 1, size, 8)
                .fragments(&[&rle, &rle]),
        ),
        (
            "jpeg.dcm",
            Dicom::new("1.2.840.10008.1.2.4.50")
                .shape("YBR_FULL_422", 3, size, 8)
                .fragments(&[&jpeg, &jpeg]),
        ),
        ("regions.dcm", regions.shape("RGB", 3, size, 8).native(&bytes[..120])),
    ]
}

/// Drawings of the views that the layout search finds on simulated screens, and bare ones.
fn screens() -> [(&'static str, Vec<u8>); 4] {
    let mut simulator = Simulator::new(SimConfig::default()).unwrap();
    let SimConfig { width, height, .. } = *simulator.config();
    let mut bgrx = vec![0; (width * height * 4) as usize];
    simulator.render(0, &mut bgrx, (width * 4) as usize);
    let rgb = bgrx.as_chunks::<4>().0.iter().flat_map(|p| [p[2], p[1], p[0]]).collect();
    let found = Finder::new().find(&Frame::from_rgb(width, height, rgb).unwrap()).unwrap();
    // 512 × 288 px, like the screen's own shape.
    let head = [0, 252, 140];
    let share = |at: u32, of: u32| (at * 255 / of) as u8;
    let place = |r: &Region| {
        [
            share(r.x0(), width),
            share(r.y0(), height),
            share(r.width(), width),
            share(r.height(), height),
        ]
    };
    let step = |what: u8, place: [u8; 4], values: [u8; 3]| {
        [what, place[0], place[1], place[2], place[3], values[0], values[1], values[2]]
    };
    let bmode = place(&found.bmode_view);
    let mut steps = vec![step(1, bmode, [0, 90, 110])];
    let twin = place(&found.elastogram_view);
    steps.push(step(4, twin, [bmode[0], bmode[1], 0]));
    steps.push(step(5, place(&found.elastogram_box), [5, 7, 150]));
    if let Some(bar) = found.colour_bar {
        steps.push(step(3, place(&bar), [1, 0, 0]));
    }
    let drawing = [&head[..], &steps.concat()].concat();
    let raw = |mode: u8| {
        let pixels: Vec<u8> = (0..512_u32).map(|i| (i * i % 251) as u8).collect();
        [&[mode, 60, 40, 0, 0, 0, 0, 0, 0][..], &pixels].concat()
    };
    [("dual.bin", drawing), ("nv12.bin", raw(5)), ("yuy2.bin", raw(9)), ("grey.bin", raw(13))]
}

#[test]
fn the_corpora_are_what_the_generators_make() {
    for (target, _) in entries::ALL {
        let folder = root().join("fuzz/corpus").join(target);
        let made = made(target);
        if std::env::var_os("SONOFUSE_BLESS").is_some() && !made.is_empty() {
            std::fs::create_dir_all(&folder).unwrap();
            for (name, bytes) in &made {
                std::fs::write(folder.join(name), bytes).unwrap();
            }
        }
        for (name, bytes) in &made {
            let there = std::fs::read(folder.join(name));
            assert!(there.is_ok_and(|there| there == *bytes), "{target}/{name}: SONOFUSE_BLESS=1");
            assert!(bytes.len() < 32 << 10, "{target}/{name} is {} bytes", bytes.len());
        }
        assert!(!made.is_empty() || named_at_all(target), "{target} has no corpus");
    }
}

#[test]
fn every_seed_is_a_whole_file_of_its_kind() {
    for target in ["dicom", "stills"] {
        for (name, bytes) in made(target) {
            let frames: Result<Vec<Frame>, _> = Still::parse(bytes).and_then(Iterator::collect);
            let expected = if target == "dicom" { 2 } else { 1 };
            assert_eq!(frames.map(|f| f.len()).map_err(|e| e.to_string()), Ok(expected), "{name}");
        }
    }
    for (name, bytes) in made("onnx") {
        sonofuse_onnx::check(&bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
        let network = sonofuse_cpu::Network::load(&bytes, &sonofuse_cpu::Options::default());
        assert!(network.is_ok(), "{name}: {:?}", network.err());
    }
    for (name, bytes) in corpus("manifest") {
        let text = String::from_utf8(bytes).unwrap();
        Manifest::parse(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    for (name, bytes) in corpus("preset") {
        let text = String::from_utf8(bytes).unwrap();
        Preset::parse(&text, Path::new(&name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    // The drawing has what the search looks for.
    let dual = &made("layout")["dual.bin"];
    let frame = entries::screen(dual).unwrap();
    assert!(Finder::new().find(&frame).is_ok(), "{:?}", Finder::new().find(&frame));
}

/// All files of a target's corpus: what is shipped, what was made, and what was found once.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let mut paths = shipped(target);
    let folder = root().join("fuzz/corpus").join(target);
    paths
        .extend(std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()));
    paths.sort();
    paths.into_iter().map(|p| (p.display().to_string(), std::fs::read(p).unwrap())).collect()
}

/// Numbers that follow from a seed (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end.max(1)
    }

    /// A copy with one to three kinds of damage.
    fn damaged(&mut self, file: &[u8], others: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut copy = file.to_vec();
        for _ in 0..=self.below(3) {
            if copy.is_empty() {
                break;
            }
            // Headers decide more than pixels: every second damage is near the beginning.
            let near = if self.below(2) == 0 { copy.len().min(512) } else { copy.len() };
            let at = self.below(near);
            let end = (at + [1, 2, 4, 16, 64][self.below(5)]).min(copy.len());
            match self.below(7) {
                0 => copy[at] ^= 1 << self.below(8),
                1 => drop(copy.drain(at..end)),
                2 => {
                    let piece = copy[at..end].to_vec();
                    copy.splice(at..at, piece);
                }
                3 => copy[at..end].fill([0, 0xff, b'"', b'9', 0x80][self.below(5)]),
                4 => {
                    let (_, other) = &others[self.below(others.len())];
                    let from = self.below(other.len());
                    let piece = other[from..other.len().min(from + 32)].to_vec();
                    copy.splice(at..end, piece);
                }
                5 => copy.truncate(at),
                _ => {
                    let value = [u32::MAX, 0x7fff_ffff, 0x8000_0000, 0x4000_0000][self.below(4)];
                    for (to, byte) in copy[at..].iter_mut().zip(value.to_le_bytes()) {
                        *to = byte;
                    }
                }
            }
        }
        copy
    }
}

#[test]
fn damaged_corpora_end_in_a_value_or_an_error() {
    for &(target, entry) in entries::ALL {
        let corpus = corpus(target);
        assert!(!corpus.is_empty(), "{target} has no corpus");
        let copies = std::env::var("SONOFUSE_FUZZ_COPIES").map_or(COPIES, |n| n.parse().unwrap());
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for (name, bytes) in &corpus {
            entry(bytes);
            for round in 0..copies {
                let copy = random.damaged(bytes, &corpus);
                let done = std::panic::catch_unwind(|| entry(&copy));
                if done.is_err() {
                    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{target}.bin"));
                    std::fs::write(&kept, &copy).unwrap();
                    panic!("{target}: copy {round} of {name} panics; kept as {}", kept.display());
                }
            }
        }
    }
}

#[test]
fn every_target_has_its_program() {
    let text = std::fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let bins = manifest["bin"].as_array().unwrap();
    let names: Vec<&str> = bins.iter().map(|bin| bin["name"].as_str().unwrap()).collect();
    let targets: Vec<&str> = entries::ALL.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, targets);
    for name in names {
        let program = root().join(format!("fuzz/fuzz_targets/{name}.rs"));
        let text = std::fs::read_to_string(&program).unwrap();
        assert!(text.contains(&format!("entries::{name}(data)")), "{}", program.display());
    }
}
