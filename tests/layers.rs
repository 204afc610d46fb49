//! Reads the sources and holds the layers: who may import whom, who may name GStreamer, where
//! `unsafe` may stand. CONTRIBUTING has the picture.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Crates of the workspace and which others each may depend on, dev-dependencies aside.
const CRATES: &[(&str, &[&str])] = &[
    ("sonofuse-core", &[]),
    ("sonofuse-onnx", &[]),
    ("sonofuse-tensorrt", &[]),
    // The stand-in runs real models on the CPU engine; only tests depend on it.
    ("sonofuse-fake-nvinfer", &["sonofuse-cpu", "sonofuse-onnx"]),
    ("sonofuse-sim", &["sonofuse-core"]),
    // Includes sources of others as text, for loom.
    ("sonofuse-models", &[]),
    ("sonofuse-cpu", &["sonofuse-core", "sonofuse-onnx"]),
    ("sonofuse-dicom", &["sonofuse-core"]),
    ("sonofuse-gpu", &["sonofuse-core", "sonofuse-onnx", "sonofuse-tensorrt"]),
    (
        "sonofuse-train",
        &["sonofuse-core", "sonofuse-onnx", "sonofuse-sim", "sonofuse-cpu", "sonofuse-dicom"],
    ),
    (
        "sonofuse",
        &[
            "sonofuse-core",
            "sonofuse-onnx",
            "sonofuse-sim",
            "sonofuse-cpu",
            "sonofuse-dicom",
            "sonofuse-gpu",
            "sonofuse-tensorrt",
        ],
    ),
];

/// Crates that may hold `unsafe`.
const UNSAFE: &[&str] = &["crates/cpu", "crates/tensorrt", "crates/gpu", "crates/models"];

/// Modules of the daemon and which others each may import; `*` is any.
const MODULES: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    ("cli", &["*"]),
    (
        "daemon",
        &[
            "audit", "civil", "config", "drift", "ingest", "journal", "log", "mailbox", "notify",
            "panel", "publish", "record", "scoring", "serve", "shot", "state",
        ],
    ),
    // The configuration holds the settings of those that it configures.
    ("config", &["audit", "ingest", "publish", "record", "scoring", "serve", "state"]),
    // Knows nothing of what it keeps.
    ("audit", &["civil", "journal"]),
    // Likewise.
    ("drift", &["civil", "journal"]),
    ("ingest", &["journal", "mailbox", "state"]),
    ("scoring", &["journal", "mailbox", "panics", "state"]),
    ("publish", &["civil", "journal", "mailbox", "panel", "shot", "state"]),
    // What others talk to: it is given readings, and whoever obeys commands.
    ("serve", &["journal", "shot"]),
    // What is kept: it is given pictures and readings, and draws a snapshot's panel.
    ("record", &["civil", "journal", "mailbox", "panel"]),
    // What draws is below the rooms that show, keep or send it.
    ("panel", &[]),
    // Log lines and readings lines show time and colour alike.
    ("log", &["journal", "publish"]),
    // Names of what is logged, for all.
    ("journal", &[]),
    // Dates and times of day, for all.
    ("civil", &[]),
    ("mailbox", &[]),
    ("notify", &["journal", "state"]),
    ("panics", &["journal"]),
    // A JPEG on its way from who encodes it to who sends it.
    ("shot", &[]),
    ("state", &[]),
];

/// Most lines of a file before its tests.
const MAX_LINES: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below `folder`, as paths from the root.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The code without comments and without what stands in quotes.
fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else if rest.starts_with("/*") {
            rest = rest.find("*/").map_or("", |end| &rest[end + 2..]);
        } else if let Some(hashes) = raw_string(rest) {
            let end = format!("\"{}", "#".repeat(hashes));
            let body = &rest[hashes + 2..];
            rest = body.find(&end).map_or("", |at| &body[at + end.len()..]);
        } else if c == '"' {
            let mut escaped = false;
            let end = rest.char_indices().skip(1).find(|&(_, c)| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            rest = end.map_or("", |(at, _)| &rest[at + 1..]);
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\'") {
            rest = &rest[3..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// Number of hashes of the raw string that `text` begins with.
fn raw_string(text: &str) -> Option<usize> {
    let body = text.strip_prefix('r')?;
    let hashes = body.len() - body.trim_start_matches('#').len();
    body[hashes..].starts_with('"').then_some(hashes)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The words in `code`, with what stands before each.
fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c| !is_word(c)).filter(|w| !w.is_empty())
}

/// The modules that follow each `crate::` in `code`, braces opened one level deep.
fn imported(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].chars().next_back().is_some_and(is_word) {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let first = |s: &str| s.chars().take_while(|&c| is_word(c)).collect::<String>();
        match rest.strip_prefix('{') {
            None => {
                found.insert(first(rest));
            }
            Some(group) => {
                let (mut depth, mut start) = (0, true);
                for (i, c) in group.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && is_word(c) => {
                            found.insert(first(&group[i..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

/// The top-level module that a file of `src/` belongs to.
fn module(path: &Path) -> String {
    let inside = path.strip_prefix("src").unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn the_reader_of_sources_sees_imports_and_not_words_about_them() {
    let text = r#"
        // crate::publish in a comment, gst:: too
        use crate::{mailbox::{Mailbox, Taken}, state};
        let s = "crate::daemon and \" unsafe";
        fn f(_: crate::notify::Kind) {}
    "#;
    let code = code(text);
    let found: Vec<_> = imported(&code).into_iter().collect();
    assert_eq!(found, ["mailbox", "notify", "state"]);
    assert!(!words(&code).any(|w| w == "gst" || w == "unsafe"));
}

#[test]
fn the_five_rooms_never_import_each_other() {
    let mut wrong = Vec::new();
    for path in sources("src") {
        let module = module(&path);
        if module == "lib" {
            continue;
        }
        let allowed = MODULES
            .iter()
            .find(|(name, _)| *name == module)
            .unwrap_or_else(|| panic!("{module} is new: say in this test what it may import"))
            .1;
        for import in imported(&code(&read(&path))) {
            // Items of the crate root itself would be lower case only for modules.
            let is_module = MODULES.iter().any(|(name, _)| *name == import);
            if is_module
                && import != module
                && !allowed.contains(&"*")
                && !allowed.contains(&import.as_str())
            {
                wrong.push(format!("{}: crate::{import}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "imports against the layers:\n{}", wrong.join("\n"));
}

#[test]
fn no_file_climbs_out_of_its_layer_by_super() {
    let mut wrong = Vec::new();
    for path in sources("src") {
        let depth = path.with_extension("").strip_prefix("src").unwrap().components().count();
        let text = read(&path);
        let code = code(text.split("#[cfg(test)]").next().unwrap());
        let climb = format!("super::{}", "super::".repeat(depth - 1));
        // `pub(in super::…)` and paths from inside an inline module are as rare as they are unclear.
        if depth > 1 && code.contains(&climb) {
            wrong.push(path.display().to_string());
        }
    }
    assert!(wrong.is_empty(), "these reach the crate root by super::\n{}", wrong.join("\n"));
}

#[test]
fn only_ingest_the_display_and_the_recorder_name_gstreamer() {
    let allowed = |path: &Path| {
        let path = path.strip_prefix("src").unwrap();
        // `record` encodes by the machine's own encoder, which nothing else can reach.
        ["ingest", "ingest.rs", "publish/display", "publish/display.rs", "record", "record.rs"]
            .iter()
            .any(|p| path.starts_with(p))
    };
    for path in sources("src") {
        let code = code(&read(&path));
        let named = words(&code).find(|w| {
            matches!(*w, "gst" | "gst_app" | "gst_base" | "gst_video") || w.starts_with("gstreamer")
        });
        assert!(named.is_none() || allowed(&path), "{} names {named:?}", path.display());
    }
}

#[test]
fn unsafe_stands_only_where_it_is_allowed() {
    for path in sources("src").into_iter().chain(sources("crates")) {
        let allowed = UNSAFE.iter().any(|c| path.starts_with(c));
        let code = code(&read(&path));
        assert!(allowed || !words(&code).any(|w| w == "unsafe"), "{}", path.display());
    }
    let workspace: toml::Table = read(Path::new("Cargo.toml")).parse().unwrap();
    assert_eq!(workspace["workspace"]["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
    for (path, manifest) in manifests() {
        let inherits = manifest
            .get("lints")
            .and_then(|l| l.get("workspace"))
            .is_some_and(|w| w.as_bool() == Some(true));
        let allowed = UNSAFE.iter().any(|c| path.starts_with(c));
        assert!(allowed || inherits, "{} does not take the workspace's lints", path.display());
    }
}

#[test]
fn every_file_says_what_it_owns_and_stays_short() {
    let mut wrong = Vec::new();
    // The hardware islands have files as long as the formats that they write out.
    let folders = ["src", "crates/core", "crates/dicom", "crates/sim", "crates/train"];
    for path in folders.into_iter().flat_map(sources) {
        let text = read(&path);
        let is_test = path.components().any(|c| c.as_os_str() == "tests")
            || path.file_name().is_some_and(|n| n == "tests.rs");
        if !text.starts_with("//!") && !is_test {
            wrong.push(format!("{} does not begin with //!", path.display()));
        }
        let lines = text.split("\n#[cfg(test)]").next().unwrap().lines().count();
        if lines > MAX_LINES && !is_test {
            wrong.push(format!("{} has {lines} lines before its tests", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every manifest of the workspace: its folder and its content.
fn manifests() -> Vec<(PathBuf, toml::Table)> {
    let workspace: toml::Table = read(Path::new("Cargo.toml")).parse().unwrap();
    let members = workspace["workspace"]["members"].as_array().unwrap();
    members
        .iter()
        .map(|m| {
            let folder = PathBuf::from(m.as_str().unwrap());
            let manifest = read(&folder.join("Cargo.toml")).parse().unwrap();
            (folder, manifest)
        })
        .collect()
}

#[test]
fn crates_depend_downwards_only() {
    for (path, manifest) in manifests() {
        let name = manifest["package"]["name"].as_str().unwrap();
        let allowed = CRATES
            .iter()
            .find(|(n, _)| *n == name)
            .unwrap_or_else(|| panic!("{name} is new: say in this test what it may depend on"))
            .1;
        for table in ["dependencies", "build-dependencies"] {
            let Some(deps) = manifest.get(table).and_then(toml::Value::as_table) else { continue };
            for dep in deps.keys().filter(|d| d.starts_with("sonofuse")) {
                assert!(allowed.contains(&dep.as_str()), "{}: {name} → {dep}", path.display());
            }
        }
    }
}

#[test]
fn the_trainer_is_not_in_the_daemons_tree() {
    let lock: toml::Table = read(Path::new("Cargo.lock")).parse().unwrap();
    let packages: BTreeMap<&str, Vec<&str>> = lock["package"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| {
            let deps = p.get("dependencies").and_then(toml::Value::as_array);
            let deps = deps.into_iter().flatten();
            // "name" or "name version".
            let deps =
                deps.map(|d| d.as_str().unwrap().split(' ').next().unwrap()).collect::<Vec<_>>();
            (p["name"].as_str().unwrap(), deps)
        })
        .collect();
    let mut tree = BTreeSet::new();
    let mut open = vec!["sonofuse"];
    while let Some(name) = open.pop() {
        if tree.insert(name) {
            open.extend(packages.get(name).into_iter().flatten());
        }
    }
    assert!(tree.contains("sonofuse-core"));
    assert!(!tree.contains("sonofuse-train"), "the daemon depends on the trainer");
}
