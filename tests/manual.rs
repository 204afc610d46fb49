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

/// The presets' page: the guide's table of keys, and a shipped preset.
fn presets() -> Vec<u8> {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    let guide = read("docs/guide/presets.md");
    let keys = guide.split("## The keys").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = keys.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    let plain =
        |text: &str| text.replace(['`', '*', '\\'], "").replace("(below)", "(guide/presets.md)");
    let mut page = Roff::new();
    page.control("TH", ["SONOFUSE-PRESET", "5", "", SOURCE, MANUAL]);
    page.control("SH", ["NAME"]);
    page.text([roman("sonofuse-preset - how sonofuse gets the pictures of a scanner")]);
    page.control("SH", ["DESCRIPTION"]);
    page.text([
        roman("A TOML file: "),
        bold("/usr/share/sonofuse/pipelines/NAME.toml"),
        roman(" or another, named by source.preset or --preset. An unknown key is an error; "),
        bold("sonofuse check"),
        roman(" tells what is wrong without opening a device."),
    ]);
    page.control("SH", ["KEYS"]);
    for (key, meaning) in rows.map(|row| row.split_once("` | ").unwrap()) {
        page.control("TP", []);
        page.text([bold(key)]);
        page.text([roman(plain(meaning))]);
    }
    page.control("SH", ["EXAMPLE"]);
    page.text([roman("The shipped preset v4l2:")]);
    page.control("PP", []);
    page.control("nf", []);
    for line in read("pipelines/v4l2.toml").lines() {
        page.text([roman(line)]);
    }
    page.control("fi", []);
    page.control("SH", ["SEE ALSO"]);
    page.text([
        bold("sonofuse-check"),
        roman("(1), "),
        bold("sonofuse-setup"),
        roman("(1), "),
        bold("sonofuse.toml"),
        roman("(5)"),
    ]);
    page.to_roff().into_bytes()
}

/// Every file by its path from the root.
fn made() -> BTreeMap<String, Vec<u8>> {
    let mut command = sonofuse::cli::definition();
    command.build();
    let mut found = BTreeMap::new();
    pages(&command, "sonofuse", &mut found);
    found.insert("docs/man/sonofuse.toml.5".into(), configuration());
    found.insert("docs/man/sonofuse-preset.5".into(), presets());
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

/// What a program says that ends well, run in the root.
fn run_here(program: &str, args: &[&str]) -> String {
    let output = Command::new(program)
        .args(args)
        .env("DEB_COMPRESS", "gzip")
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .env("READELF", "readelf")
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn debian_12_and_ubuntu_22_04_and_24_04_have_all_that_the_package_depends_on_in_its_version() {
    if Command::new("dpkg").arg("--version").output().is_err() {
        eprintln!("skipped: no dpkg");
        return;
    }
    let script = std::fs::read_to_string(root().join("scripts/deb.sh")).unwrap();
    let depends = script.lines().find_map(|line| line.strip_prefix("Depends: ")).unwrap();
    let libc = script.lines().find_map(|line| line.strip_prefix("libc=")).unwrap();
    let depends = depends.replace("$libc", libc);
    let table = std::fs::read_to_string(root().join("packaging/deb/releases.toml")).unwrap();
    let releases: BTreeMap<String, BTreeMap<String, String>> = toml::from_str(&table).unwrap();
    assert_eq!(releases.len(), 3);
    for (release, packages) in &releases {
        for wanted in depends.split(", ") {
            let met = wanted.split(" | ").any(|one| {
                let (name, least) = one.split_once(" (>= ").unwrap_or((one, "0)"));
                let least = least.trim_end_matches(')');
                packages.get(name).is_some_and(|has| {
                    let mut compare = Command::new("dpkg");
                    compare.args(["--compare-versions", has, "ge", least]);
                    compare.status().unwrap().success()
                })
            });
            assert!(met, "{release} has no {wanted}: {packages:?}");
        }
    }
}

#[test]
fn the_program_asks_its_libraries_for_nothing_that_ubuntu_22_04_does_not_have() {
    let symbols = std::fs::read_dir("/var/lib/dpkg/info").into_iter().flatten().flatten();
    let names: Vec<_> = symbols.map(|entry| entry.file_name().into_string().unwrap()).collect();
    let there = |part: &str| names.iter().any(|n| n.starts_with(part) && n.ends_with(".symbols"));
    if !(there("libgstreamer") && there("libglib2.0-0")) {
        eprintln!("skipped: no symbols of Debian's packages here");
        return;
    }
    let said = run_here("scripts/symbols.sh", &[env!("CARGO_BIN_EXE_sonofuse")]);
    assert!(said.contains("symbols of GStreamer") && said.contains("symbols of GLib"), "{said}");
}

#[test]
fn the_package_has_what_make_install_installs_and_starts_nothing() {
    for tool in ["dpkg-deb", "readelf", "strip"] {
        if Command::new(tool).arg("--version").output().is_err() {
            eprintln!("skipped: no {tool}; apt install dpkg binutils");
            return;
        }
    }
    let out = tempfile::tempdir().unwrap();
    let folder = |name: &str| out.path().join(name).display().to_string();
    // Any program of this machine stands in for the daemon, which takes long to pack.
    let pack = |to: &str| {
        run_here("scripts/deb.sh", &["/bin/true", &folder(to), "x86_64"]).trim().to_owned()
    };
    let package = pack("one");
    assert!(package.ends_with("_amd64.deb"), "{package}");
    assert_eq!(
        std::fs::read(&package).unwrap(),
        std::fs::read(pack("two")).unwrap(),
        "the same bytes when packed again"
    );

    let listed = run_here("dpkg-deb", &["--contents", &package]);
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
        "./usr/share/man/man5/sonofuse-preset.5.gz",
        "./usr/share/bash-completion/completions/sonofuse",
        "./usr/share/sonofuse/engines/demo/model.toml",
        "./usr/share/doc/sonofuse/copyright",
    ] {
        assert!(listed.lines().any(|line| line.ends_with(path)), "{path} is not in it:\n{listed}");
    }
    assert!(listed.lines().all(|line| line.contains("root/root")), "{listed}");
    assert!(!listed.contains(".wants/"), "nothing is enabled: {listed}");

    let control = folder("control");
    run_here("dpkg-deb", &["--control", &package, &control]);
    let read = |name: &str| std::fs::read_to_string(Path::new(&control).join(name)).unwrap();
    assert_eq!(read("conffiles"), "/etc/sonofuse/sonofuse.toml\n");
    assert!(
        read("control").contains("libc6 (>= 2.35)") && read("control").contains("Research use")
    );
    for script in ["postinst", "prerm", "postrm"] {
        run_here("sh", &["-n", &format!("{control}/{script}")]);
        let text = read(script);
        for word in ["systemctl enable", "systemctl start", "systemctl restart"] {
            assert!(!text.contains(word), "{script}: {word}");
        }
    }
}
