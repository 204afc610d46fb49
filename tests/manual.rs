//! Man pages and completions are those of the command line. They are committed, so that `make install`
//! needs no tool; `SONOFUSE_BLESS=1` renews them.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap_complete::{Shell, generate};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

const SOURCE: &str = concat!("sonofuse ", env!("CARGO_PKG_VERSION"));
const MANUAL: &str = "Research use only, not a medical device";

/// The page of a command and of those below it.
fn pages(command: &clap::Command, name: &str, found: &mut BTreeMap<String, Vec<u8>>) {
    let title = name.to_uppercase();
    // clap's names are static; a test may leak its few.
    let static_name: &'static str = name.to_owned().leak();
    let named = command.clone().name(static_name).bin_name(name.replace('-', " "));
    let mut page = Vec::new();
    let man = Man::new(named).title(title).section("1").date("").source(SOURCE).manual(MANUAL);
    man.render(&mut page).unwrap();
    found.insert(format!("docs/man/{name}.1"), page);
    for below in command.get_subcommands().filter(|c| c.get_name() != "help") {
        pages(below, &format!("{name}-{}", below.get_name()), found);
    }
}

/// The configuration's page: the shipped file, which has every key at its default.
fn configuration() -> Vec<u8> {
    let file = std::fs::read_to_string(root().join("sonofuse.toml")).unwrap();
    let mut page = Roff::new();
    page.control("TH", ["SONOFUSE.TOML", "5", "", SOURCE, MANUAL]);
    page.control("SH", ["NAME"]);
    page.text([roman("sonofuse.toml - configuration of sonofuse")]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([
        bold("/etc/sonofuse/sonofuse.toml"),
        roman(" or the file of --config. An unknown key is an error. This is the shipped file:"),
    ]);
    page.control("PP", []);
    page.control("nf", []);
    for line in file.lines() {
        page.text([roman(line)]);
    }
    page.control("fi", []);
    page.control("SH", ["SEE ALSO"]);
    page.text([bold("sonofuse"), roman("(1), "), bold("sonofuse-check"), roman("(1)")]);
    page.to_roff().into_bytes()
}

/// Every file by its path from the root.
fn made() -> BTreeMap<String, Vec<u8>> {
    let mut command = sonofuse::cli::definition();
    command.build();
    let mut found = BTreeMap::new();
    pages(&command, "sonofuse", &mut found);
    found.insert("docs/man/sonofuse.toml.5".into(), configuration());
    for (shell, file) in
        [(Shell::Bash, "sonofuse.bash"), (Shell::Zsh, "_sonofuse"), (Shell::Fish, "sonofuse.fish")]
    {
        let mut text = Vec::new();
        generate(shell, &mut sonofuse::cli::definition(), "sonofuse", &mut text);
        found.insert(format!("docs/completions/{file}"), text);
    }
    found
}

fn committed() -> BTreeMap<String, Vec<u8>> {
    let files = ["docs/man", "docs/completions"].into_iter().flat_map(|folder| {
        let entries = std::fs::read_dir(root().join(folder)).into_iter().flatten();
        entries.map(move |entry| (folder, entry.unwrap().path()))
    });
    let named = |(folder, path): (&str, PathBuf)| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (format!("{folder}/{name}"), std::fs::read(path).unwrap())
    };
    files.map(named).collect()
}

#[test]
fn man_pages_and_completions_are_those_of_the_command_line() {
    let made = made();
    assert!(made.len() > 15, "{:?}", made.keys());
    if std::env::var_os("SONOFUSE_BLESS").is_some() {
        for old in committed().keys().filter(|old| !made.contains_key(*old)) {
            std::fs::remove_file(root().join(old)).unwrap();
        }
        for (path, bytes) in &made {
            let path = root().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }
    let committed = committed();
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&committed), names(&made), "SONOFUSE_BLESS=1 renews them");
    for (path, bytes) in made {
        assert!(committed[&path] == bytes, "{path} is old: SONOFUSE_BLESS=1 renews it");
        if path.starts_with("docs/man") {
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.contains("Research use only"), "{path} does not say so");
        }
    }
}

#[test]
fn the_package_has_what_make_install_installs_and_starts_nothing() {
    for tool in ["dpkg-deb", "readelf", "strip"] {
        if Command::new(tool).arg("--version").output().is_err() {
            eprintln!("skipped: no {tool}; apt install dpkg binutils");
            return;
        }
    }
    let run = |program: &str, args: &[&str]| {
        let output = Command::new(program)
            .args(args)
            .env("DEB_COMPRESS", "gzip")
            .env("SOURCE_DATE_EPOCH", "1700000000")
            .current_dir(root())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let out = tempfile::tempdir().unwrap();
    let folder = |name: &str| out.path().join(name).display().to_string();
    // Any program of this machine stands in for the daemon, which takes long to pack.
    let pack =
        |to: &str| run("scripts/deb.sh", &["/bin/true", &folder(to), "x86_64"]).trim().to_owned();
    let package = pack("one");
    assert!(package.ends_with("_amd64.deb"), "{package}");
    assert_eq!(
        std::fs::read(&package).unwrap(),
        std::fs::read(pack("two")).unwrap(),
        "the same bytes when packed again"
    );

    let listed = run("dpkg-deb", &["--contents", &package]);
    for path in [
        "./usr/bin/sonofuse",
        "./etc/sonofuse/sonofuse.toml",
        "./usr/lib/systemd/system/sonofuse.service",
        "./usr/lib/systemd/catalog/sonofuse.catalog",
        "./usr/lib/sysusers.d/sonofuse.conf",
        "./usr/lib/tmpfiles.d/sonofuse.conf",
        "./usr/lib/udev/rules.d/60-sonofuse-capture.rules",
        "./usr/share/man/man1/sonofuse-run.1.gz",
        "./usr/share/man/man5/sonofuse.toml.5.gz",
        "./usr/share/bash-completion/completions/sonofuse",
        "./usr/share/sonofuse/engines/demo/model.toml",
        "./usr/share/doc/sonofuse/copyright",
    ] {
        assert!(listed.lines().any(|line| line.ends_with(path)), "{path} is not in it:\n{listed}");
    }
    assert!(listed.lines().all(|line| line.contains("root/root")), "{listed}");
    assert!(!listed.contains(".wants/"), "nothing is enabled: {listed}");

    let control = folder("control");
    run("dpkg-deb", &["--control", &package, &control]);
    let read = |name: &str| std::fs::read_to_string(Path::new(&control).join(name)).unwrap();
    assert_eq!(read("conffiles"), "/etc/sonofuse/sonofuse.toml\n");
    assert!(
        read("control").contains("libc6 (>= 2.35)") && read("control").contains("Research use")
    );
    for script in ["postinst", "prerm", "postrm"] {
        run("sh", &["-n", &format!("{control}/{script}")]);
        let text = read(script);
        for word in ["systemctl enable", "systemctl start", "systemctl restart"] {
            assert!(!text.contains(word), "{script}: {word}");
        }
    }
}
