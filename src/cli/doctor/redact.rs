//! What of a text may leave the machine: words of sonofuse's own papers and short numbers. Everything
//! else becomes `…`, so that what nobody thought of stays here: names, addresses, files, passwords.
//!
//! Pure, but for the names of this machine and its users, which are read once.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::ingest;

/// What stands for what was left out.
pub(super) const GAP: &str = "…";

/// Where the words come from that may be said: they are in every package.
const PAPERS: [&str; 4] = [
    include_str!("../../../sonofuse.toml"),
    include_str!("../../../docs/guide/troubleshooting.md"),
    include_str!("../../../docs/reference/journal.md"),
    include_str!("../../../systemd/sonofuse.catalog"),
];

/// Files and folders of every installation.
const PLACES: [&str; 9] = [
    "/etc/sonofuse/sonofuse.toml",
    "/usr/bin/sonofuse",
    "/run/sonofuse/readings.sock",
    "/run/sonofuse/control.sock",
    "/usr/share/sonofuse/pipelines",
    "/usr/share/sonofuse/engines/demo",
    "/var/lib/sonofuse",
    "/var/cache/sonofuse",
    "/dev/sonofuse",
];

/// Presets of every installation.
const PRESETS: &[&str] = &[
    "image",
    "jetson-hdmi",
    "jetson-rtsp",
    "replay",
    "rtsp",
    "simulator",
    "test-pattern",
    "v4l2",
    "v4l2-mjpeg",
];

/// Words of the configuration that are no words.
const CODES: [&str; 4] = ["fp32", "tf32", "fp16", "avx2"];

/// Units of what is measured, alone or behind a number.
const UNITS: [&str; 11] = ["%", "ms", "s", "min", "h", "px", "fps", "MiB", "KiB", "GiB", "Hz"];

/// Shortest name of a machine or a person that is looked for by itself.
const SHORTEST: usize = 3;

/// Leaves out what may not leave.
#[derive(Debug)]
pub(super) struct Redactor {
    words: BTreeSet<String>,
    /// Names of this machine and of its users, in lower case, longest first.
    names: Vec<String>,
}

impl Redactor {
    /// For this machine.
    pub(super) fn this() -> Self {
        let words = PAPERS
            .iter()
            .flat_map(|paper| paper.split(|c: char| !c.is_alphabetic()))
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        let mut names: Vec<String> = names();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        names.dedup();
        Self { words, names }
    }

    /// A text that may hold anything: what is neither a word of ours nor a short number is left out.
    pub(super) fn text(&self, text: &str) -> String {
        let mut out: Vec<String> = Vec::new();
        for token in text.split_whitespace() {
            let kept = self.token(token);
            // One gap for a row of them: their number tells nothing.
            if kept != GAP || out.last().is_none_or(|last| last != GAP) {
                out.push(kept);
            }
        }
        self.without_names(out.join(" "))
    }

    /// A text of hardware or system, whole but for the names of this machine and its users, for
    /// addresses, and for files that are not the system's.
    pub(super) fn named(&self, text: &str) -> String {
        let plain = |token: &str| {
            let path =
                token.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '/' && c != '~');
            let system = ["/dev/", "/usr/", "/proc/", "/sys/"];
            let foreign =
                path.starts_with(['/', '~']) && !system.iter().any(|s| path.starts_with(s));
            if foreign || token.contains("://") { GAP.to_owned() } else { token.to_owned() }
        };
        let plain: Vec<_> = ingest::redact(text).split(' ').map(plain).collect();
        self.without_names(plain.join(" "))
    }

    fn without_names(&self, mut text: String) -> String {
        for name in &self.names {
            // Of the same length as the text: only ASCII letters change.
            while let Some(at) = text.to_ascii_lowercase().find(name) {
                text.replace_range(at..at + name.len(), GAP);
            }
        }
        text
    }

    /// Every text in `value`, keys aside.
    pub(super) fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(map) => map.values_mut().for_each(|item| self.value(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn token(&self, token: &str) -> String {
        let mark = |c: char| ".,;:!?()[]{}<>\"'`…→–".contains(c);
        let core = token.trim_matches(mark);
        if core.is_empty() {
            return token.to_owned();
        }
        if self.is_word(core)
            || PRESETS.contains(&core)
            || UNITS.contains(&core)
            || CODES.contains(&core)
            || is_number(core)
            || is_place(core)
            || is_digest(core)
        {
            return token.to_owned();
        }
        GAP.to_owned()
    }

    /// A word of our papers, or several with hyphens between them.
    fn is_word(&self, text: &str) -> bool {
        text.split(['-', '_']).all(|part| self.words.contains(&part.to_lowercase()))
    }
}

/// A number of at most four digits before the point and three after it, with a unit perhaps; a size.
fn is_number(text: &str) -> bool {
    let short = |digits: &str, most: usize| {
        (1..=most).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
    };
    if let Some((width, height)) = text.split_once(['×', 'x']) {
        return short(width, 4) && short(height, 4);
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
    short(whole, 4) && short(rest, 3) && (unit.is_empty() || UNITS.contains(&unit))
}

fn is_place(text: &str) -> bool {
    let video = |rest: &str| rest.len() <= 2 && rest.bytes().all(|b| b.is_ascii_digit());
    PLACES.contains(&text) || text.strip_prefix("/dev/video").is_some_and(video)
}

/// A SHA-256, whole: of a model or an engine.
fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Names of this machine and of those who use it, in lower case.
fn names() -> Vec<String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let mut found: Vec<String> = Vec::new();
    for host in ["/proc/sys/kernel/hostname", "/etc/hostname"].map(read) {
        found.push(host.trim().to_owned());
        found.extend(host.trim().split('.').map(str::to_owned));
    }
    for variable in ["USER", "LOGNAME", "SUDO_USER"] {
        found.extend(std::env::var(variable));
    }
    let home = std::env::var_os("HOME").unwrap_or_default();
    found.extend(Path::new(&home).file_name().map(|name| name.to_string_lossy().into_owned()));
    for line in read("/etc/passwd").lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, _, person, ..] = fields[..] else { continue };
        // People; services below them have names of their own kind.
        if uid.parse().is_ok_and(|uid: u32| (1000..60_000).contains(&uid)) {
            found.push(name.to_owned());
            found.extend(person.split([' ', ',']).map(str::to_owned));
        }
    }
    let lower = found.into_iter().map(|name| name.to_ascii_lowercase());
    // The service's own user, and the machine's administrator, name nobody.
    let telling = |name: &String| {
        name.len() >= SHORTEST && !["root", "sonofuse", "localhost"].contains(&name.as_str())
    };
    lower.filter(telling).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(names: &[&str]) -> Redactor {
        let mut this = Redactor::this();
        this.names = names.iter().map(|name| (*name).to_owned()).collect();
        this
    }

    #[test]
    fn words_of_ours_and_short_numbers_stay_and_nothing_else() {
        let this = redactor(&[]);
        for (text, kept) in [
            ("no picture for 2.5 s", "no picture for 2.5 s"),
            ("live, 1920×1080 at 60 fps", "live, 1920×1080 at 60 fps"),
            ("Mustermann", "…"),
            ("source lost: Mustermann Erika geb. 12.03.1962", "source lost: …"),
            ("cannot open rtsp://bob:secret@10.0.0.5:554/live", "cannot open …"),
            ("cannot open \"/home/mustermann/Erika Mustermann.mkv\"", "cannot open …"),
            ("the address 192.168.17.4 or fe80::1", "the address … or …"),
            ("exam 4711 of 20261127", "exam 4711 of …"),
            ("location=secret", "…"),
            ("/dev/video0 and /dev/video/mustermann", "/dev/video0 and …"),
            (
                "/etc/sonofuse/sonofuse.toml: /etc/sonofuse/mustermann.toml",
                "/etc/sonofuse/sonofuse.toml: …",
            ),
            ("no-signal", "no-signal"),
            ("no-mustermann", "…"),
            ("", ""),
        ] {
            assert_eq!(this.text(text), kept);
        }
        let digest = "ab".repeat(32);
        assert_eq!(this.text(&digest), digest);
        assert_eq!(this.text(&digest[1..]), GAP);
    }

    #[test]
    fn the_presets_that_may_be_named_are_those_that_are_shipped() {
        let shipped = std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/pipelines"));
        assert_eq!(ingest::Preset::list(&[shipped]), PRESETS);
    }

    #[test]
    fn the_machines_own_names_go_from_everything_however_they_are_written() {
        let this = redactor(&["radiology-7", "signal"]);
        assert_eq!(this.named("kernel 6.1 on RADIOLOGY-7.local"), "kernel 6.1 on ….local");
        assert_eq!(this.text("no signal"), "no …", "even where a word of ours is one");
        assert_eq!(this.named("a rtsp://x:y@z/ b"), "a … b");
        assert_eq!(this.named("in (/home/erika/x), /dev/dri"), "in … /dev/dri");
        assert_eq!(this.named("ünïcödé Radiology-7 ünï"), "ünïcödé … ünï");
    }
}
