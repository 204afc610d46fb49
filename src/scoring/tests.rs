//! Loading a model: what is right is used, what is wrong is told.
#![allow(clippy::unwrap_used)]

use std::fs;

use sha2::{Digest, Sha256};
use sonofuse_core::layout::{Orientation, ScreenLayout};
use sonofuse_core::manifest::Manifest;
use sonofuse_core::preprocess::FusionInput;
use sonofuse_core::region::Region;

use super::*;

/// The untrained stand-in, which is for tests: the model that ships may be trained anew.
pub(super) fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stand-in")
}

/// The model that ships.
pub(super) fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("engines/demo")
}

/// A layout whose views and boxes are each a whole picture of `side` px.
pub(super) fn whole_picture(side: u32) -> ScreenLayout {
    let whole = Region::new(0, 0, side, side).unwrap();
    ScreenLayout {
        orientation: Orientation::SideBySide,
        bmode_view: whole,
        elastogram_view: whole,
        bmode_box: whole,
        elastogram_box: whole,
        colour_bar: None,
        hard_end: None,
        confidence: 1.0,
    }
}

/// A copy of the stand-in that a test may damage.
fn copy() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["model.onnx", "model.toml"] {
        fs::copy(demo().join(name), folder.path().join(name)).unwrap();
    }
    folder
}

/// Writes `bytes` as the model, with a manifest that has its digest.
fn with_model(folder: &Path, bytes: &[u8]) {
    let digest = format!("{:x}", Sha256::digest(bytes));
    fs::write(folder.join("model.onnx"), bytes).unwrap();
    let text = fs::read_to_string(folder.join("model.toml")).unwrap();
    let old = Manifest::parse(&text).unwrap().sha256;
    fs::write(folder.join("model.toml"), text.replace(&old, &digest)).unwrap();
}

fn edit(folder: &Path, from: &str, to: &str) {
    let path = folder.join("model.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn the_stand_in_proves_itself_and_says_that_it_is_untrained() {
    for backend in [Backend::Auto, Backend::Rten] {
        let model = load(&demo(), backend).unwrap();
        let info = model.info();
        assert!(!info.trained);
        assert!(backend == Backend::Auto || info.backend == "rten", "{info:?}");
        assert_eq!(info.digest, model.manifest().sha256);
        assert!(model.manifest().golden.len() >= 3);
        assert!(model.manifest().summary.contains("UNTRAINED"));
    }
}

#[test]
fn the_shipped_model_proves_itself_and_says_that_it_knows_only_simulated_tissue() {
    for backend in [Backend::Auto, Backend::Rten] {
        let model = load(&shipped(), backend).unwrap();
        assert!(model.info().trained);
        let manifest = model.manifest();
        assert!(manifest.golden.len() >= 3 && manifest.familiarity.is_some());
        assert!(manifest.name.contains("simulated") && manifest.summary.contains("simulated"));
    }
    let card = fs::read_to_string(shipped().join("MODEL_CARD.md")).unwrap();
    assert!(card.lines().next().unwrap().contains("only simulated tissue"), "{card}");
}

#[test]
fn one_and_two_threads_give_the_same_logit_at_native_sizes() {
    let on = |threads| Hardware { threads, ..Hardware::named(Backend::Rten) };
    let [mut one, mut two] = [1, 2].map(|threads| load_on(&demo(), &on(threads)).unwrap());
    for (w, h) in [(64, 64), (101, 67), (448, 165)] {
        let input = FusionInput::golden(w, h);
        let (a, b) = (one.score(&input).unwrap(), two.score(&input).unwrap());
        let (a, b) = (a.logit.get(), b.logit.get());
        assert!((a - b).abs() < 1e-3, "{w}×{h}: {a} {b}");
    }
}

#[test]
fn a_missing_folder_is_told_with_its_path() {
    let error = load(Path::new("/nowhere/at/all"), Backend::Auto).unwrap_err().to_string();
    assert!(error.contains("/nowhere/at/all/model.toml"), "{error}");
}

#[test]
fn a_damaged_file_is_refused_by_its_digest() {
    let folder = copy();
    let path = folder.path().join("model.onnx");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let error = load(folder.path(), Backend::Auto).unwrap_err();
    assert!(matches!(error, ScoringError::Digest { .. }), "{error}");
    fs::write(&path, b"").unwrap();
    assert!(matches!(load(folder.path(), Backend::Auto), Err(ScoringError::Digest { .. })));
}

#[test]
fn a_corrupt_network_with_a_right_digest_is_an_error_and_no_panic() {
    let folder = copy();
    let good = fs::read(demo().join("model.onnx")).unwrap();
    let head = 4096.min(good.len());
    let mut cases: Vec<Vec<u8>> = vec![Vec::new(), b"not a network".to_vec(), vec![0xff; 3000]];
    cases.extend([1, 100, 1000, good.len() / 2, good.len() - 1].map(|n| good[..n].to_vec()));
    // Bits turned in the graph, at the end of the file where names and shapes are, and at its head.
    for i in 0..24 {
        let mut bytes = good.clone();
        let at = if i % 2 == 0 { i * head / 24 } else { good.len() - 1 - i * 97 };
        bytes[at] ^= 1 << (i % 8);
        cases.push(bytes);
    }
    for (i, bytes) in cases.iter().enumerate() {
        with_model(folder.path(), bytes);
        match load(folder.path(), Backend::Rten) {
            // A bit in a name or a weight may be harmless; the known answers say so.
            Ok(model) => assert!(i >= 8, "case {i} was accepted: {model:?}"),
            Err(error) => {
                let error = error.to_string();
                assert!(error.contains("model.onnx"), "case {i}: {error}");
            }
        }
    }
}

#[test]
fn a_backend_that_computes_something_else_is_not_used() {
    let folder = copy();
    edit(folder.path(), "logit = ", "logit = 1");
    let error = load(folder.path(), Backend::Rten).unwrap_err();
    assert!(matches!(error, ScoringError::Golden { .. }), "{error}");
}

#[test]
fn names_that_the_file_does_not_have_are_told_with_those_it_has() {
    let folder = copy();
    edit(folder.path(), "name = \"bmode\"", "name = \"b-mode\"");
    let error = load(folder.path(), Backend::Rten).unwrap_err().to_string();
    assert!(error.contains("`b-mode`") && error.contains("bmode, elastogram"), "{error}");
}

#[test]
fn an_output_of_another_shape_is_told() {
    let folder = copy();
    edit(folder.path(), "benign-malignant", "logit");
    let error = load(folder.path(), Backend::Rten).unwrap_err().to_string();
    assert!(error.contains("2 numbers"), "{error}");
}

#[test]
fn a_box_as_long_as_the_manifest_allows_is_scored_and_a_longer_one_is_refused() {
    // Longer than the engine's own limit, which is for who names none.
    let folder = copy();
    edit(folder.path(), "max-side-px = 448", "max-side-px = 1200");
    let [mut own, mut peer] =
        [Backend::Cpu, Backend::Rten].map(|backend| load(folder.path(), backend).unwrap());
    for (w, h) in [(1100, 64), (64, 1100), (1200, 65)] {
        let input = FusionInput::golden(w, h);
        let (a, b) =
            (own.score(&input).unwrap().logit.get(), peer.score(&input).unwrap().logit.get());
        assert!((a - b).abs() < 2e-3, "{w}×{h}: {a} {b}");
    }
    let error = own.score(&FusionInput::golden(1201, 64)).unwrap_err().to_string();
    assert!(error.contains("1200 px"), "{error}");
    // The stand-in's own limit holds where the manifest says so.
    let error = load(&demo(), Backend::Cpu).unwrap().score(&FusionInput::golden(1100, 64));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("limit of"), "{error}");
}

#[test]
fn an_unknown_backend_names_the_known_ones() {
    assert_eq!("rten".parse::<Backend>().unwrap(), Backend::Rten);
    for backend in Backend::ALL {
        assert_eq!(backend.to_string().parse::<Backend>().unwrap(), backend);
    }
    let error = "openvino".parse::<Backend>().unwrap_err().to_string();
    assert!(error.contains("`openvino`") && error.contains("`tensorrt`"), "{error}");
}

#[test]
fn settings_out_of_range_are_told_by_key() {
    type Change = fn(&mut Settings);
    assert!(Settings::default().check().is_ok());
    let bad: [(Change, &str); 6] = [
        (|s| s.window = 0, "window"),
        (|s| s.min_evidence = 10, "min-evidence"),
        (|s| s.threads = 0, "threads"),
        (|s| s.same_place = f32::NAN, "same-place"),
        (|s| s.freeze_after_ms = 1, "freeze-after-ms"),
        (|s| s.gate.min_coloured = 2.0, "gate.min-coloured"),
    ];
    for (change, key) in bad {
        let mut settings = Settings::default();
        change(&mut settings);
        let error = settings.check().unwrap_err();
        assert!(error.contains(key), "{error}");
    }
}
