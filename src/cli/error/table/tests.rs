#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use sonofuse_gpu::cache::{EngineKey, Failure, KEY_SCHEMA, Precision, Shapes};

use super::*;

mod guide;

fn io() -> io::Error {
    io::Error::other("x")
}

fn path() -> PathBuf {
    PathBuf::from("x")
}

/// The rows of the reference for one error: each code with its kinds; `delegates` are the kinds whose
/// code is that of the error inside.
fn rows<E: HasExit>(samples: &[E], delegates: &[&str]) -> String {
    let told: BTreeSet<_> = samples.iter().map(|e| e.kind().0).collect();
    let all: BTreeSet<_> = E::KINDS.iter().copied().collect();
    assert_eq!(told, all, "{}: not every kind was walked", E::AREA);
    assert_eq!(all.len(), E::KINDS.len(), "{}: a name stands for two kinds", E::AREA);
    let mut codes: Vec<(u8, Vec<&str>)> = Vec::new();
    for (kind, exit) in samples.iter().map(HasExit::kind).filter(|k| !delegates.contains(&k.0)) {
        match codes.iter_mut().find(|(code, _)| *code == exit as u8) {
            Some((_, kinds)) => kinds.push(kind),
            None => codes.push((exit as u8, vec![kind])),
        }
    }
    codes.sort_unstable_by_key(|(code, _)| *code);
    let row = |(code, kinds): (u8, Vec<&str>)| {
        format!("| {} | {} | {code} |\n", E::AREA, kinds.join("; "))
    };
    codes.into_iter().map(row).collect()
}

fn failure() -> Failure {
    let text = String::new;
    let sizes = Shapes { min: [8, 8], opt: [8, 8], max: [8, 8] };
    let key = EngineKey {
        schema: KEY_SCHEMA,
        tensorrt: text(),
        device: text(),
        architecture: text(),
        multiprocessors: 1,
        driver: [12, 0],
        model_sha256: text(),
        precision: Precision::Fp32,
        dla_core: None,
        workspace: None,
        shapes: sizes,
    };
    Failure { key, version: text(), failed_unix_s: 0, words: text() }
}

fn obstacles() -> Vec<Obstacle> {
    let gpu = || sonofuse_gpu::GpuError::NoDevice { index: 1, count: 0 };
    let trt = || sonofuse_tensorrt::Error::Load { path: path(), reason: String::new() };
    vec![
        Obstacle::NoDriver { tried: String::new() },
        Obstacle::Driver(gpu()),
        Obstacle::DriverReplaced(gpu()),
        Obstacle::OldDriver { cuda: [11, 0] },
        Obstacle::NoDevice { index: 1, count: 0 },
        Obstacle::OldDevice(gpu()),
        Obstacle::NoTensorRt(trt()),
        Obstacle::TensorRt(trt()),
        Obstacle::NoEngine { folders: vec![], id: String::new(), nearest: vec![] },
        Obstacle::BuildFailed(Box::new(failure())),
        Obstacle::Unreadable(CacheError::Untrusted { path: path() }),
        Obstacle::Start(gpu()),
        Obstacle::Wrong(String::new()),
        Obstacle::Failed(String::new()),
        Obstacle::NotAsked,
    ]
}

fn scoring() -> Vec<ScoringError> {
    let manifest = sonofuse_core::manifest::ManifestError::Schema { found: 7 };
    let (expected, found) = (String::new(), String::new());
    vec![
        ScoringError::Backend { name: String::new() },
        ScoringError::Read { path: path(), source: io() },
        ScoringError::Manifest { path: path(), source: manifest },
        ScoringError::Digest { path: path(), expected, found },
        ScoringError::Load { path: path(), backend: "cpu", why: String::new() },
        ScoringError::Golden {
            path: path(),
            backend: String::new(),
            found: 1.0,
            expected: 0.0,
            tolerance: 0.1,
            width_px: 1,
            height_px: 1,
        },
        ScoringError::Gpu(Obstacle::NotAsked),
        ScoringError::FirstRun {
            path: path(),
            source: crate::scoring::ScorerError::Run(String::new()),
        },
    ]
}

fn presets() -> Vec<PresetError> {
    let (file, problem) = (path, String::new);
    vec![
        PresetError::NotSetUp,
        PresetError::NotFound { name: problem(), looked: problem(), known: problem() },
        PresetError::Read { file: file(), source: io() },
        PresetError::Syntax {
            file: file(),
            source: Box::new(toml::from_str::<toml::Table>("=").unwrap_err()),
        },
        PresetError::Key { file: file(), key: problem(), problem: problem() },
        PresetError::Launch { file: file(), problem: problem() },
        PresetError::NotAllowed { file: file(), factory: problem(), allowed: problem() },
        PresetError::MissingElements { file: file(), elements: vec![] },
        PresetError::Param { file: file(), param: problem(), problem: problem() },
    ]
}

fn stills() -> Vec<StillError> {
    let frame = sonofuse_core::frame::FrameError::Size { width: 0, height: 0 };
    vec![
        StillError::Open(io()),
        StillError::NotAFile,
        StillError::Empty,
        StillError::Unrecognised { head: String::new() },
        StillError::Read(io()),
        StillError::Size { width: 0, height: 0 },
        StillError::TooLong { mib: 1 },
        StillError::Truncated(String::new()),
        StillError::Damaged { kind: sonofuse_dicom::Kind::Png, cause: String::new() },
        StillError::Unsupported(String::new()),
        StillError::NoPicture("a report"),
        StillError::Incomplete(String::new()),
        StillError::Frame(frame),
    ]
}

fn sockets() -> Vec<SocketError> {
    vec![
        SocketError::Live { path: path() },
        SocketError::NotASocket { path: path() },
        SocketError::Io { what: "x", path: path(), source: io() },
        SocketError::Inherited(io()),
    ]
}

fn displays() -> Vec<DisplayError> {
    let text = String::new;
    vec![
        DisplayError::Unreadable { text: text() },
        DisplayError::Missing { name: text() },
        DisplayError::NotASink { name: text(), class: text() },
        DisplayError::Start { what: text() },
    ]
}

fn caches() -> Vec<CacheError> {
    vec![
        CacheError::Full { dir: path(), need: 1 },
        CacheError::Io { path: path(), source: io() },
        CacheError::Foreign { path: path(), why: "x" },
        CacheError::Damaged { path: path(), why: String::new() },
        CacheError::Untrusted { path: path() },
    ]
}

fn configs() -> Vec<ConfigError> {
    let text = String::new;
    vec![
        ConfigError::Read { path: path(), source: io() },
        ConfigError::Parse { path: path(), message: text() },
        ConfigError::Value { path: None, problem: text() },
        ConfigError::NotFound { kind: "model", name: text(), looked: text() },
    ]
}

fn snapshots() -> Vec<SnapshotError> {
    vec![SnapshotError::Write { path: path(), source: image::ImageError::IoError(io()) }]
}

fn stores() -> Vec<StoreError> {
    let io =
        |kind: io::ErrorKind| StoreError::Io { what: "write", path: path(), source: kind.into() };
    let text = String::new;
    vec![
        io(io::ErrorKind::PermissionDenied),
        io(io::ErrorKind::StorageFull),
        StoreError::Full { folder: path(), need_mib: 1, max_mib: 1 },
        StoreError::Locked(path()),
        StoreError::NoFolder,
        StoreError::NoSuch { name: text(), looked: text() },
        StoreError::Protected(text()),
    ]
}

fn ctl() -> Vec<CtlError> {
    let refused = |kind: &str| CtlError::Refused { kind: kind.to_owned(), words: String::new() };
    vec![
        CtlError::Words(String::new()),
        refused("malformed"),
        refused("not-allowed"),
        refused("busy"),
        refused("failed"),
        CtlError::NoDaemon { looked: String::new() },
        CtlError::NoAnswer { path: path(), why: String::new() },
        CtlError::Permission { path: path() },
    ]
}

fn table() -> String {
    let text = String::new;
    let mut table = rows(&configs(), &[]);
    table += &rows(
        &[
            LogError::Filter {
                filter: text(),
                source: tracing_subscriber::EnvFilter::try_new("x=loud").unwrap_err(),
            },
            LogError::Journal(io()),
        ],
        &[],
    );
    table += &rows(&presets(), &[]);
    table += &rows(
        &[
            IngestError::Init(text()),
            IngestError::Missing(text()),
            IngestError::Preset(presets().remove(0)),
            IngestError::File { path: path(), problem: text() },
        ],
        &["its preset"],
    );
    table += &rows(
        &[
            EncodeError::Init(text()),
            EncodeError::Name(path()),
            EncodeError::Missing(text()),
            EncodeError::Codec(text()),
            EncodeError::Failed { path: path(), problem: text() },
        ],
        &[],
    );
    table += &rows(
        &[
            SimError::Size { width: 0, height: 0 },
            SimError::Aspect { width: 0, height: 0 },
            SimError::Rate { fps: 0.0 },
            SimError::ExamLength { exam_s: 0.0 },
        ],
        &[],
    );
    let value = ScenarioError::Value { line: 1, place: text(), key: "x", problem: text() };
    table +=
        &rows(&[ScenarioError::Unknown { name: text() }, ScenarioError::Form(text()), value], &[]);
    table += &rows(&scoring(), &[]);
    table += &rows(&obstacles(), &[]);
    table += &rows(&caches(), &[]);
    table += &rows(
        &[
            EngineError::Obstacle(Obstacle::NotAsked),
            EngineError::Build(sonofuse_gpu::GpuError::NoDevice { index: 1, count: 0 }),
            EngineError::Cache(caches().remove(0)),
        ],
        &["the GPU", "the cache"],
    );
    table += &rows(&stills(), &[]);
    table += &rows(&sockets(), &[]);
    table += &rows(&displays(), &[]);
    table += &rows(&snapshots(), &[]);
    table += &rows(&stores(), &[]);
    table += &rows(&ctl(), &[]);
    table
        + &rows(
            &[
                DaemonError::Config(configs().remove(0)),
                DaemonError::Preset(presets().remove(0)),
                DaemonError::Ingest(IngestError::Init(text())),
                DaemonError::Scoring(scoring().remove(0)),
                DaemonError::Socket(sockets().remove(0)),
                DaemonError::Control(sockets().remove(0)),
                DaemonError::Metrics { address: ([127, 0, 0, 1], 1).into(), source: io() },
                DaemonError::Web { address: ([127, 0, 0, 1], 1).into(), source: io() },
                DaemonError::Display(displays().remove(0)),
                DaemonError::Snapshot(snapshots().remove(0)),
                DaemonError::SnapshotPlace { path: path(), problem: text() },
                DaemonError::Stdout(text(), io::ErrorKind::StorageFull),
                DaemonError::Fatal(text()),
                DaemonError::System { what: "x", source: io() },
            ],
            &[
                "configuration",
                "preset",
                "video",
                "model",
                "readings socket",
                "control socket",
                "display",
                "snapshot",
            ],
        )
}

#[test]
fn every_kind_of_error_has_the_code_that_the_reference_shows() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/exit-codes.md");
    let reference = std::fs::read_to_string(file).unwrap();
    let head = "| of | kind | code |\n|---|---|---|\n";
    let at = reference.find(head).unwrap() + head.len();
    let len = reference[at..].find("\n\n").map_or(reference.len() - at, |n| n + 1);
    let shown = &reference[at..at + len];
    let table = table();
    if std::env::var_os("SONOFUSE_BLESS").is_some() {
        let new = format!("{}{table}{}", &reference[..at], &reference[at + len..]);
        std::fs::write(file, new).unwrap();
        return;
    }
    assert_eq!(shown, table, "SONOFUSE_BLESS=1 renews the table");
}

#[test]
fn every_kind_of_refusal_has_a_code_of_its_own_meaning() {
    use sonofuse_core::control::RefusedKind::{
        Busy, Failed, Malformed, NotAllowed, NothingThere, UnknownVerb, WrongValue,
    };
    for (kind, exit) in [
        (Malformed, Exit::Usage),
        (UnknownVerb, Exit::Usage),
        (WrongValue, Exit::Usage),
        (NotAllowed, Exit::NoPermission),
        (NothingThere, Exit::TempFail),
        (Busy, Exit::TempFail),
        (Failed, Exit::Unavailable),
    ] {
        let refused = CtlError::Refused { kind: kind.as_str().to_owned(), words: String::new() };
        assert_eq!(refused.exit(), exit, "{kind:?}");
    }
}

#[test]
fn what_is_inside_an_error_decides_where_it_is_passed_on() {
    for preset in presets() {
        let exit = preset.exit();
        let ingest = IngestError::Preset(preset);
        assert_eq!(ingest.exit(), exit);
        assert_eq!(DaemonError::Ingest(ingest).exit(), exit);
    }
    for socket in sockets() {
        let exit = socket.exit();
        assert_eq!(DaemonError::Socket(socket).exit(), exit);
    }
    for cache in caches() {
        let exit = cache.exit();
        assert_eq!(EngineError::Cache(cache).exit(), exit);
    }
}
