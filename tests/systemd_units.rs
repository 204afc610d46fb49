//! The shipped units, as systemd itself reads them: nothing unknown in them, and the sandbox as tight
//! as we say.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

fn units() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd")
}

/// False, with the reason printed, where there is no systemd-analyze.
fn can_analyze() -> bool {
    let there = Command::new("systemd-analyze").arg("--version").output().is_ok();
    if !there {
        eprintln!("skipped: no systemd-analyze; apt install systemd");
    }
    there
}

/// The units in a folder of their own, with a command that exists here in place of ours.
fn staged() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in UNITS {
        let text = std::fs::read_to_string(units().join(name)).unwrap();
        let text = text.replace("/usr/bin/sonofuse ", "/bin/true ");
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    for service in UNITS.iter().filter(|u| u.ends_with(".service")) {
        let folder = dir.path().join(format!("{service}.d"));
        std::fs::create_dir(&folder).unwrap();
        std::fs::copy(units().join("jetson.conf"), folder.join("jetson.conf")).unwrap();
    }
    dir
}

const UNITS: [&str; 4] = [
    "sonofuse.service",
    "sonofuse-engine.service",
    "sonofuse-health.service",
    "sonofuse-readings.socket",
];

/// Values of a key in a unit, in the order of the file.
fn values(unit: &str, key: &str) -> Vec<String> {
    let text = std::fs::read_to_string(units().join(unit)).unwrap();
    let values = text.lines().filter_map(|l| l.strip_prefix(key)?.strip_prefix('='));
    values.map(str::to_owned).collect()
}

#[test]
fn systemd_finds_nothing_to_say_about_the_units() {
    if !can_analyze() {
        return;
    }
    let dir = staged();
    for name in UNITS {
        let out = Command::new("systemd-analyze")
            .args(["verify", "--man=no", "--recursive-errors=no"])
            .arg(dir.path().join(name))
            .env("SYSTEMD_UNIT_PATH", format!("{}:", dir.path().display()))
            .output()
            .unwrap();
        // It returns 0 for unknown keys: whatever it says is a fault.
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(said.trim().is_empty() && out.status.success(), "{name}: {said}");
    }
}

#[test]
fn every_document_that_a_unit_names_is_there_after_make_install() {
    let root = tempfile::tempdir().unwrap();
    let made = Command::new("make")
        .args(["--silent", "install", "BIN=/bin/true", "ARCH=x86_64"])
        .arg(format!("DESTDIR={}", root.path().display()))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    for unit in UNITS {
        let documents = values(unit, "Documentation");
        assert!(!documents.is_empty(), "{unit} names none");
        for document in documents {
            let path = document
                .strip_prefix("file:///")
                .unwrap_or_else(|| panic!("{unit}: {document} is not a document of this machine"));
            assert!(root.path().join(path).is_file(), "{unit}: {document} is not installed");
        }
    }
}

#[test]
fn the_sandbox_is_tight() {
    if !can_analyze() {
        return;
    }
    let dir = staged();
    let units = [
        ("sonofuse.service", 25),
        ("sonofuse-engine.service", 20),
        ("sonofuse-health.service", 20),
    ];
    for (unit, threshold) in units {
        let out = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager"])
            .arg(format!("--threshold={threshold}"))
            .arg(dir.path().join(unit))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&out.stdout);
        let verdict = said.lines().last().unwrap_or_default();
        assert!(
            out.status.success(),
            "{unit}: {verdict}\n{}",
            String::from_utf8_lossy(&out.stderr)
        );
    }
}

#[test]
fn the_live_service_waits_for_the_engine_and_starts_without_it() {
    assert_eq!(values("sonofuse.service", "Wants"), ["sonofuse-engine.service"]);
    assert!(values("sonofuse.service", "After")[0].contains("sonofuse-engine.service"));
    // A failed build must not keep the processor from scoring.
    for key in ["Requires", "BindsTo", "Requisite"] {
        assert!(values("sonofuse.service", key).is_empty(), "{key}");
    }
    assert_eq!(values("sonofuse-engine.service", "Type"), ["oneshot"]);
    assert_eq!(values("sonofuse-engine.service", "Before"), ["sonofuse.service"]);
    // Each trigger is enough by itself.
    let conditions = values("sonofuse-engine.service", "ConditionPathExists");
    assert!(
        conditions.len() >= 2 && conditions.iter().all(|c| c.starts_with('|')),
        "{conditions:?}"
    );
    // Both use one folder in one way, or systemd would change its owner or mode each time.
    for key in ["CacheDirectory", "CacheDirectoryMode", "User", "Group"] {
        assert_eq!(
            values("sonofuse.service", key),
            values("sonofuse-engine.service", key),
            "{key}"
        );
    }
    assert!(!values("sonofuse.service", "ExecStart")[0].contains("engine"));
}

#[test]
fn the_commands_of_the_units_exist() {
    for (unit, key, begins) in [
        ("sonofuse-engine.service", "ExecStart", &["engine", "build"][..]),
        ("sonofuse-health.service", "ExecStart", &["health"]),
        ("sonofuse.service", "ExecReload", &["ctl", "reload"]),
    ] {
        let line = &values(unit, key)[0];
        let mut words: Vec<&str> = line.split(' ').skip(1).collect();
        assert_eq!(words[..begins.len()], *begins);
        words.push("--help");
        let out = Command::new(env!("CARGO_BIN_EXE_sonofuse")).args(&words).output().unwrap();
        assert!(out.status.success(), "{unit}: {}", String::from_utf8_lossy(&out.stderr));
    }
}

#[test]
fn a_boot_is_complete_only_after_the_health_was_looked_at_and_after_the_service_is_ready() {
    let values = |key: &str| values("sonofuse-health.service", key);
    assert_eq!(values("Type"), ["oneshot"]);
    assert!(values("Before")[0].split(' ').any(|unit| unit == "boot-complete.target"));
    assert_eq!(values("After"), ["sonofuse.service"]);
    // Wanted only, it would be waited for and its failure ignored.
    assert_eq!(values("RequiredBy"), ["boot-complete.target"]);
    // A failure of the service itself must be this unit's to tell, with its reason.
    assert!(values("Requires").is_empty());
}

#[test]
fn the_unit_keeps_the_promises_of_the_exit_codes_and_of_ready() {
    let values = |key: &str| values("sonofuse.service", key);
    // Not notify-reload: JetPack 6 has systemd 249, which does not know it.
    assert_eq!(values("Type"), ["notify"]);
    assert_eq!(values("Restart"), ["always"]);
    assert!(values("RestartPreventExitStatus")[0].split(' ').any(|code| code == "78"));
    assert_eq!(values("User"), ["sonofuse"]);
    // Where evidence goes, and nobody else may look.
    assert_eq!(values("StateDirectory"), ["sonofuse"]);
    assert_eq!(values("StateDirectoryMode"), ["0750"]);
    assert_eq!(sonofuse::record::SERVICE_FOLDER, "/var/lib/sonofuse/evidence");
    assert_eq!(values("LimitCORE"), ["0"]);
    assert!(!values("WatchdogSec").is_empty());
    assert_eq!(values("ExecStart"), ["/usr/bin/sonofuse run --config /etc/sonofuse/sonofuse.toml"]);
}

/// The lines of a udev rules file that are rules.
fn rules(file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(units().join(file)).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(str::to_owned).collect()
}

#[test]
fn pedals_are_given_by_name_to_our_own_group_and_keyboards_to_nobody() {
    assert!(values("sonofuse.service", "DeviceAllow").iter().any(|d| d == "char-input r"));
    let groups = values("sonofuse.service", "SupplementaryGroups").join(" ");
    assert!(!groups.split(' ').any(|group| group == "input"), "it could read every keyboard");
    let rules = rules("61-sonofuse-pedals.rules");
    assert!(!rules.iter().any(|rule| rule.contains("GROUP=\"input\"")));
    // What says that a device is a pedal names maker and product.
    let names: Vec<_> = rules.iter().filter(|r| r.contains("ENV{SONOFUSE_PEDAL}=\"1\"")).collect();
    assert!(names.len() > 3);
    for rule in names {
        let id = |key: &str| {
            let (_, rest) = rule.split_once(&format!("ATTRS{{{key}}}==\""))?;
            let id = rest.split_once('"')?.0;
            (id.len() == 4 && id.bytes().all(|b| b.is_ascii_hexdigit())).then_some(id)
        };
        let named = id("idVendor").is_some() && id("idProduct").is_some();
        assert!(named || rule.contains("GROUP="), "{rule}");
    }
    let given: Vec<_> = rules.iter().filter(|rule| rule.contains("GROUP=")).collect();
    assert_eq!(given.len(), 1);
    assert!(given[0].starts_with("ENV{SONOFUSE_PEDAL}==\"1\","), "{}", given[0]);
    assert!(given[0].contains("GROUP=\"sonofuse\", MODE=\"0640\""), "{}", given[0]);
}

#[test]
fn the_socket_unit_hands_over_the_name_that_the_daemon_looks_for() {
    let text = std::fs::read_to_string(units().join("sonofuse-readings.socket")).unwrap();
    let name = format!("FileDescriptorName={}", sonofuse::serve::FD_NAME);
    assert!(text.lines().any(|l| l == name));
    assert!(text.lines().any(|l| l == "SocketMode=0660"));
}
