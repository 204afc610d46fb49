//! The dependency gate that needs nothing installed: licences, sources and banned crates, from
//! `cargo tree` and the lock file. `deny.toml` says the same to cargo-deny, which also knows the
//! advisories; a test below holds the two together.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

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

/// A crate in the tree.
struct Package {
    name: String,
    licence: String,
}

/// What a build of the workspace and its tests takes on this machine, by cargo's own account, offline:
/// crates of other platforms and of features that are off were never downloaded.
fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--workspace", "--locked", "--offline", "--edges", "normal,build,dev"])
        .args(["--prefix", "none", "--format", "{p}\t{l}"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: BTreeSet<&str> = text.lines().map(|l| l.trim_end_matches(" (*)")).collect();
    let packages = lines.into_iter().filter_map(|line| {
        let (package, licence) = line.split_once('\t')?;
        let name = package.split_whitespace().next()?.to_owned();
        Some(Package { name, licence: licence.to_owned() })
    });
    packages.collect()
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
    let packages = packages();
    assert!(packages.len() > 100, "cargo tree told {} crates only", packages.len());
    for Package { name, licence } in packages {
        if !satisfied(&licence, &allowed) && !excepted(&name, &licence) {
            wrong.push(format!("{name}: {licence:?}"));
        }
    }
    assert!(wrong.is_empty(), "licences that deny.toml does not allow:\n{}", wrong.join("\n"));
}

#[test]
fn everything_comes_from_the_registry_or_from_here() {
    let lock: toml::Table =
        std::fs::read_to_string(root().join("Cargo.lock")).unwrap().parse().unwrap();
    for package in lock["package"].as_array().unwrap() {
        let source = package.get("source").and_then(toml::Value::as_str);
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
    for Package { name, .. } in packages() {
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
