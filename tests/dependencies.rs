//! The dependency gate that needs nothing installed: licences, sources and banned crates, from
//! `cargo metadata`. `deny.toml` says the same to cargo-deny, which also knows the advisories; a test
//! below holds the two together.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Crates that have no place here, and why.
const BANNED: &[(&str, &str)] = &[
    ("openssl-sys", "TLS belongs in front of the daemon"),
    ("figment", "one TOML file is read by toml"),
    ("libsystemd", "the notify protocol is forty lines"),
    ("v4l", "capture goes through GStreamer"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn deny() -> toml::Table {
    std::fs::read_to_string(root().join("deny.toml")).unwrap().parse().unwrap()
}

/// Licences that may be in the tree: `deny.toml` is the one list.
fn allowed() -> BTreeSet<String> {
    let deny = deny();
    let list = deny["licenses"]["allow"].as_array().unwrap();
    list.iter().map(|l| l.as_str().unwrap().to_owned()).collect()
}

/// The packages that are built, by cargo's own account, offline from the lock file.
fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// Tells whether an SPDX expression can be satisfied by allowed licences alone.
fn satisfied(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let text = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut at = 0;
    either(&words, &mut at, allowed)
}

/// `A OR B`: the weakest binding.
fn either(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut ok = both(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        ok |= both(words, at, allowed);
    }
    ok
}

/// `A AND B`.
fn both(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut ok = licence(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        ok &= licence(words, at, allowed);
    }
    ok
}

/// A licence, with its exception, or an expression in parentheses.
fn licence(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    if words.get(*at) == Some(&"(") {
        *at += 1;
        let ok = either(words, at, allowed);
        *at += 1;
        return ok;
    }
    let start = *at;
    while words.get(*at).is_some_and(|w| !matches!(*w, "OR" | "AND" | ")")) {
        *at += 1;
    }
    allowed.contains(&words[start..*at].join(" "))
}

#[test]
fn every_licence_in_the_tree_is_on_the_list() {
    let allowed = allowed();
    let deny = deny();
    let exceptions = deny["licenses"].get("exceptions").and_then(toml::Value::as_array);
    let excepted = |name: &str, licence: &str| {
        exceptions.into_iter().flatten().any(|e| {
            e["crate"].as_str() == Some(name)
                && e["allow"].as_array().unwrap().iter().any(|a| a.as_str() == Some(licence))
        })
    };
    let mut wrong = Vec::new();
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        match package["license"].as_str() {
            Some(licence) if satisfied(licence, &allowed) || excepted(name, licence) => {}
            licence => wrong.push(format!("{name}: {licence:?}")),
        }
    }
    assert!(wrong.is_empty(), "licences that deny.toml does not allow:\n{}", wrong.join("\n"));
}

#[test]
fn everything_comes_from_the_registry_or_from_here() {
    for package in packages() {
        let source = package["source"].as_str();
        assert!(
            source.is_none_or(|s| s
                .starts_with("registry+https://github.com/rust-lang/crates.io-index")
                || s.starts_with("sparse+https://index.crates.io/")),
            "{}: {source:?}",
            package["name"]
        );
    }
}

#[test]
fn nothing_banned_is_in_the_tree_and_deny_toml_says_the_same() {
    let deny = deny();
    let in_deny: BTreeSet<&str> = deny["bans"]["deny"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d["crate"].as_str().unwrap())
        .collect();
    assert_eq!(in_deny, BANNED.iter().map(|(name, _)| *name).collect());
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        let banned = BANNED.iter().find(|(b, _)| *b == name);
        assert!(banned.is_none(), "{name}: {}", banned.unwrap().1);
    }
}

#[test]
fn licence_expressions_are_read_as_spdx_means_them() {
    let allowed: BTreeSet<String> =
        ["MIT", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("MIT OR GPL-3.0", true),
        ("MIT/GPL-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("(GPL-3.0 OR MIT) AND Unicode-3.0", true),
        ("(GPL-3.0 OR MIT) AND GPL-2.0", false),
        ("Apache-2.0 WITH LLVM-exception OR GPL-3.0", true),
    ] {
        assert_eq!(satisfied(expression, &allowed), expected, "{expression}");
    }
}
