//! The page's files as they are: small, from nowhere else, nothing inline, and every text that they say is in the
//! language files, which say nothing else.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use sonofuse_core::reading::Withheld;
use sonofuse_core::words::Language;

/// All files of the page by name.
fn files() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/web");
    let read = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read_to_string(entry.path()).unwrap())
    };
    fs::read_dir(folder).unwrap().map(|entry| read(entry.unwrap())).collect()
}

/// What stands between `before` and the first character that is not of an identifier, each time.
fn named(text: &str, before: &str) -> BTreeSet<String> {
    let is = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    text.match_indices(before)
        .map(|(at, _)| {
            let rest = &text[at + before.len()..];
            rest[..rest.find(|c| !is(c)).unwrap_or(rest.len())].to_owned()
        })
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn all_of_the_first_view_is_150_kilobytes_at_the_most() {
    let all: usize = files().values().map(String::len).sum();
    let words = Language::all().iter().map(|language| {
        language.texts().iter().map(|(id, text)| id.len() + text.len() + 6).sum::<usize>()
    });
    let words = words.max().unwrap();
    assert!(all + words <= 150_000, "{all} bytes of files and {words} of words");
}

#[test]
fn nothing_comes_from_elsewhere_and_nothing_stands_inline() {
    for (name, text) in files() {
        let own = text.replace("http://www.w3.org/", "");
        for no in ["http://", "https://", "@import", "eval(", "innerHTML", "document.write"] {
            assert!(!own.contains(no), "{name}: {no}");
        }
        if name == "index.html" {
            for no in [" style=", " onclick=", " onload=", "<style", "javascript:"] {
                assert!(!text.contains(no), "{name}: {no}");
            }
            assert!(named(&text, "<script").is_empty());
            for script in text.match_indices("<script").map(|(at, _)| &text[at..]) {
                assert!(script.starts_with("<script type=\"module\" src=\"/page/"), "{name}");
            }
        }
    }
}

#[test]
fn every_shape_and_module_that_is_named_is_there() {
    let files = files();
    let html = &files["index.html"];
    let all: String = files.values().map(String::as_str).collect();
    let known = named(html, "<symbol id=\"");
    let used = named(html, "href=\"#");
    let views = ["live", "kept", "exam", "setup", "main"];
    for shape in used.iter().filter(|shape| !views.contains(&shape.as_str())) {
        assert!(known.contains(shape), "#{shape}");
    }
    for shape in &known {
        let (kind, name) = shape.split_once('-').unwrap();
        let named = all.contains(&format!("#{shape}\"")) || all.contains(&format!("\"{shape}\""));
        // The actions' and the states' are put together.
        let made = match kind {
            "i" => all.contains(&format!("id: \"{name}\"")),
            _ => Language::english().texts().contains_key(&format!("panel.word-{name}")),
        };
        assert!(named || made, "nothing shows #{shape}");
    }
    for (name, text) in &files {
        for module in text.match_indices("from \"./").map(|(at, m)| &text[at + m.len()..]) {
            let module = &module[..module.find('"').unwrap()];
            assert!(files.contains_key(module), "{name} imports {module}");
        }
    }
}

#[test]
fn the_page_says_what_the_language_files_have_and_they_have_nothing_else_for_it() {
    let files = files();
    let all: String = files.values().map(String::as_str).collect();
    let english = Language::english().texts();
    let mut said: BTreeSet<String> = BTreeSet::new();
    for before in [
        "data-t=\"",
        "data-label=\"",
        " t(\"",
        "(t(\"",
        "${t(\"",
        "[t(\"",
        ", t(\"",
        "? t(\"",
        ": t(\"",
    ] {
        said.extend(named(&all, before));
    }
    let missing: Vec<_> =
        said.iter().filter(|id| !english.contains_key(&format!("page.{id}"))).collect();
    assert!(missing.is_empty(), "no text: {missing:?}");
    // Identifiers that are put together: what stands before the gap.
    let parts = ["t(`", "n(`", "page."].map(|before| named(&all, before)).concat();
    let idle: Vec<_> = english
        .keys()
        .filter_map(|id| id.strip_prefix("page."))
        .filter(|id| {
            let literal = |id: &str| all.contains(&format!("\"{id}\""));
            let one = id.strip_suffix("-one").is_some_and(literal);
            let put = parts.iter().any(|part| part.ends_with('-') && id.starts_with(part.as_str()));
            !(literal(id) || one || put)
        })
        .collect();
    assert!(idle.is_empty(), "nobody says: {idle:?}");
    for reason in Withheld::ALL {
        // The page puts them together from the reading's word.
        let word = serde_json::to_value(reason).unwrap();
        for what in ["reason", "do"] {
            let id = format!("panel.{what}-{}", word.as_str().unwrap());
            assert!(english.contains_key(&id), "{id}");
        }
    }
}

trait Concat {
    fn concat(self) -> BTreeSet<String>;
}

impl<const N: usize> Concat for [BTreeSet<String>; N] {
    fn concat(self) -> BTreeSet<String> {
        self.into_iter().flatten().collect()
    }
}
