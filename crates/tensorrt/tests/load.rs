//! Finding, loading and refusing libraries; and the log.
#![allow(clippy::unwrap_used)]

#[path = "common/stand_in.rs"]
mod common;

use common::{MODEL, StandIn, VERSIONS, file_name, plan};
use sonofuse_tensorrt::{Error, LIBRARY_VARIABLE, Library, OnnxParser, PARSER_VARIABLE, Typing};
use std::path::Path;
use std::sync::{Arc, Mutex};
use tracing_subscriber::layer::SubscriberExt as _;

#[test]
fn versions_without_a_checked_table_are_refused_before_anything_is_called() {
    for version in [7134, 8503, 8600, 9300, 90_300, 10_701, 10_800, 120_000, 0, -1] {
        let stand_in = StandIn::new(version);
        let error = Library::open_at(&stand_in.path).unwrap_err();
        let Error::UnsupportedVersion { version: found, .. } = &error else { panic!("{error}") };
        assert_eq!(found.code(), version);
        let text = error.to_string();
        assert!(text.contains("8.6.1 to 8.6.x, 10 and 11"), "{text}");
        assert_eq!(
            text.contains("not TensorRT-RTX"),
            (10_000..20_000).contains(&version),
            "{text}"
        );
    }
}

#[test]
fn a_library_is_loaded_once_under_whatever_name() {
    let stand_in = StandIn::new(100_300);
    let by_file = Library::open_at(&stand_in.path).unwrap();
    let by_folder = Library::open_at(stand_in.folder.path()).unwrap();
    let link = stand_in.folder.path().join("libnvinfer.so");
    std::os::unix::fs::symlink(&stand_in.path, &link).unwrap();
    let by_link = Library::open_at(&link).unwrap();
    for library in [by_folder, by_link] {
        assert_eq!(library.path(), by_file.path());
    }
    // One logger, too: the real library keeps the first it sees.
    let builder = by_link.create_builder().unwrap();
    let mut network = builder.create_network(Typing::Default).unwrap();
    OnnxParser::open(by_file).unwrap().parse(&mut network, MODEL.as_bytes()).unwrap();
    assert_eq!(by_file.table(), "TensorRT 10");
    assert!(by_file.to_string().starts_with("TensorRT 10.3.0.26 (/"), "{by_file}");
    assert_eq!(by_file.path().canonicalize().unwrap(), stand_in.path.canonicalize().unwrap());
}

#[test]
fn a_library_that_lacks_a_function_is_named_with_it() {
    for symbol in ["getInferLibVersion", "createInferRuntime_INTERNAL"] {
        let stand_in = StandIn::without(100_300, Some(symbol));
        let error = stand_in.try_open().unwrap_err();
        let text = error.to_string();
        assert!(text.contains(symbol) && text.contains("libnvinfer.so.10"), "{text}");
        assert!(matches!(error, Error::MissingSymbol { .. }));
    }
}

#[test]
fn a_library_without_builder_is_the_lean_runtime_and_still_runs_engines() {
    let full = StandIn::new(101_601);
    let plan = plan(full.open());
    let lean = StandIn::without(101_601, Some("createInferBuilder_INTERNAL"));
    let library = lean.open();
    assert!(!library.has_builder() && full.open().has_builder());
    let text = library.create_builder().unwrap_err().to_string();
    assert!(text.contains("lean runtime"), "{text}");
    library.create_runtime().unwrap().deserialize(&plan).unwrap();
}

#[test]
fn a_version_without_build_number_is_taken_without() {
    let stand_in = StandIn::without(8601, Some("getInferLibBuildVersion"));
    assert_eq!(stand_in.open().version().to_string(), "8.6.1");
}

#[test]
fn the_parser_beside_the_library_is_taken_and_one_of_another_major_refused() {
    for version in VERSIONS {
        let stand_in = StandIn::new(version);
        let library = stand_in.open();
        let parser = OnnxParser::open(library).unwrap();
        assert_eq!(parser.path().parent(), library.path().parent());
        OnnxParser::open_at(library, stand_in.folder.path()).unwrap();
    }
    let (old, new) = (StandIn::new(8601), StandIn::new(100_300));
    let parser = old.folder.path().join("libnvonnxparser.so.8");
    let text = OnnxParser::open_at(new.open(), parser).unwrap_err().to_string();
    assert!(text.contains("parser of TensorRT 8, but TensorRT 10.3.0"), "{text}");
}

#[test]
fn a_parser_that_is_missing_or_lacks_a_function_is_told() {
    let stand_in = StandIn::new(110_100);
    let library = stand_in.open();
    let beside = stand_in.folder.path().join("libnvonnxparser.so.11");
    std::fs::remove_file(&beside).unwrap();
    let text = OnnxParser::open(library).unwrap_err().to_string();
    for part in ["libnvonnxparser", "SONOFUSE_TENSORRT_PARSER_LIB", beside.to_str().unwrap()] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    for symbol in ["createNvOnnxParser_INTERNAL", "getNvOnnxParserVersion"] {
        let broken = StandIn::without(110_100, Some(symbol));
        let text = OnnxParser::open(broken.open()).unwrap_err().to_string();
        assert!(text.contains(symbol) && text.contains("it is not libnvonnxparser"), "{text}");
    }
}

/// Runs in a process of its own, which the test below starts with the variables set.
#[test]
#[ignore = "needs the variables that the next test sets"]
fn child_that_opens_what_the_variables_name() {
    let library = Library::open();
    let parser = library.as_ref().map_err(ToString::to_string).and_then(|library| {
        OnnxParser::open(*library)
            .map(|parser| parser.path().display().to_string())
            .map_err(|error| error.to_string())
    });
    println!("opened: {}", library.map_or_else(|e| e.to_string(), |l| l.to_string()));
    println!("parser: {}", parser.unwrap_or_else(|error| error));
}

#[test]
fn environment_variables_name_the_library_and_its_parser() {
    let stand_in = StandIn::new(100_300);
    let other = StandIn::new(100_300);
    // An emulator may run this program but not start it again.
    let itself = std::env::current_exe().unwrap();
    let starts = std::process::Command::new(&itself).arg("--list").output();
    if !starts.is_ok_and(|output| output.status.success()) {
        eprintln!("{} cannot be started from within itself: not tested", itself.display());
        return;
    }
    let child = |library: &Path, parser: &Path| {
        let child = std::process::Command::new(&itself)
            .args(["--ignored", "--exact", "--nocapture"])
            .arg("child_that_opens_what_the_variables_name")
            .env(LIBRARY_VARIABLE, library)
            .env(PARSER_VARIABLE, parser)
            .output()
            .unwrap();
        let out = String::from_utf8_lossy(&child.stdout).into_owned();
        ["opened: ", "parser: "].map(|key| {
            let value = out.lines().find_map(|line| Some(line.split_once(key)?.1.to_owned()));
            value.unwrap_or_else(|| panic!("no {key:?} in {out}"))
        })
    };
    for library in [stand_in.path.as_path(), stand_in.folder.path()] {
        let [opened, parser] = child(library, Path::new(""));
        // The child's copy plays the stand-in's default version.
        assert!(opened.starts_with("TensorRT 10.3.0"), "{opened}");
        assert!(opened.contains(file_name(&stand_in.path)), "{opened}");
        assert_eq!(Path::new(&parser).parent(), Some(stand_in.folder.path()), "beside the library");
        let [_, parser] = child(library, other.folder.path());
        assert_eq!(Path::new(&parser).parent(), Some(other.folder.path()), "the one named");
    }
    let nowhere = Path::new("/nonexistent/libnvinfer.so");
    let [opened, _] = child(nowhere, Path::new(""));
    assert!(opened.starts_with("cannot load /nonexistent/libnvinfer.so"), "{opened}");
    let [_, parser] = child(&stand_in.path, nowhere);
    assert!(parser.starts_with("cannot load /nonexistent/libnvinfer.so"), "{parser}");
}

#[test]
fn threads_that_load_at_once_get_one_library() {
    let stand_in = StandIn::new(110_100);
    let paths: Vec<_> = std::thread::scope(|scope| {
        let load = || scope.spawn(|| stand_in.open());
        let threads: Vec<_> = (0..8).map(|_| load()).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    // Objects of one library mix; those of two would be refused.
    let parser = OnnxParser::open(paths[0]).unwrap();
    for library in paths {
        let builder = library.create_builder().unwrap();
        let mut network = builder.create_network(Typing::Default).unwrap();
        parser.parse(&mut network, MODEL.as_bytes()).unwrap();
    }
    stand_in.assert_clean();
}

/// Keeps `LEVEL target message` of each event.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Kept {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        struct Message(String);
        impl tracing::field::Visit for Message {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        let meta = event.metadata();
        self.0.lock().unwrap().push(format!("{} {} {}", meta.level(), meta.target(), message.0));
    }
}

#[test]
fn the_librarys_log_comes_as_tracing_events_of_its_severity() {
    let kept = Kept::default();
    let subscriber = tracing_subscriber::registry().with(kept.clone());
    tracing::subscriber::with_default(subscriber, || {
        for version in VERSIONS {
            let stand_in = StandIn::new(version);
            let library = stand_in.open();
            stand_in.set("warn-on-build", 1);
            let plan = plan(library);
            let engine = library.create_runtime().unwrap().deserialize(&plan).unwrap();
            let mut context = engine.create_context().unwrap();
            context.set_input_shape(c"x", &[1, 3, 100, 100]).unwrap_err();
            let mut lines = kept.0.lock().unwrap();
            lines.retain(|line| !line.starts_with("DEBUG"));
            assert_eq!(lines.len(), 2, "{lines:?}");
            assert_eq!(lines[0], "WARN tensorrt fake: a warning");
            assert!(lines[1].starts_with("ERROR tensorrt fake: [1, 3, 100, 100]"), "{lines:?}");
            lines.clear();
        }
    });
}
