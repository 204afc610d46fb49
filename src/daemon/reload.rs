//! Configuration and preset, read again while everything runs.
//!
//! All of it is read and tried before anything is changed: what cannot be taken leaves the old one
//! running, and says why. What cannot be changed while the daemon runs is named and takes effect at its
//! next start. Runs on the loop that owns what runs.

use std::error::Error;

use sonofuse_core::control::{Refused, RefusedKind, Reloaded};
use tracing::{info, warn};

use super::commands::named;
use super::{DaemonError, Parts};
use crate::config::{Config, Loaded, differing, is_taken_at_once};
use crate::ingest::{Preset, redact};
use crate::{journal, scoring};

/// The configuration that holds, and the one that the daemon started with.
#[derive(Debug)]
pub(super) struct Held {
    /// As it was last taken.
    pub(super) loaded: Loaded,
    /// The settings that take effect at a start only are those of this one.
    started: [Config; 2],
}

impl Held {
    pub(super) fn new(loaded: &Loaded) -> Self {
        let started = [loaded.config.clone(), loaded.file.clone()];
        Self { loaded: loaded.clone(), started }
    }

    /// What `fresh` changes.
    fn changes(&self, fresh: &Loaded) -> Reloaded {
        let [started, file] = &self.started;
        let changed = differing(&self.loaded.config, &fresh.config);
        let since_start = differing(started, &fresh.config);
        let overruled = differing(file, &fresh.file);
        Reloaded {
            changed: changed.into_iter().filter(|key| is_taken_at_once(key)).collect(),
            overruled: overruled.difference(&since_start).cloned().collect(),
            next_start: since_start.into_iter().filter(|key| !is_taken_at_once(key)).collect(),
            preset: None,
        }
    }
}

/// Reads the configuration again and takes it.
///
/// # Errors
/// [`RefusedKind::Failed`] with the reason; then nothing has changed.
pub(super) async fn reload(parts: &mut Parts, held: &mut Held) -> Result<Reloaded, Refused> {
    let (fresh, preset) = read(parts, held).map_err(|error| {
        let why = words(&error);
        parts.account.reloaded(&held.loaded, None);
        warn!(
            MESSAGE_ID = journal::CONFIG_REFUSED,
            EVENT = "reload",
            STATE = "refused",
            WHY = why,
            "the configuration cannot be taken: the old one holds"
        );
        Refused::new(RefusedKind::Failed, format!("{why}; what runs goes on as it was"))
    })?;
    let mut done = held.changes(&fresh);
    take(parts, &fresh, preset, &mut done).await;
    held.loaded = fresh;
    parts.account.reloaded(&held.loaded, Some(&done));
    info!(
        MESSAGE_ID = journal::CONFIG_TAKEN,
        EVENT = "reload",
        STATE = "taken",
        CHANGED = done.changed.join(" "),
        NEXT_START = done.next_start.join(" "),
        OVERRULED = done.overruled.join(" "),
        SOURCE = done.preset,
        "the configuration was read again"
    );
    Ok(done)
}

/// Reads and tries everything; changes nothing.
fn read(parts: &Parts, held: &Held) -> Result<(Loaded, Preset), DaemonError> {
    let fresh = held.loaded.again()?;
    let configured = fresh.preset()?;
    configured.check()?;
    let sources = [&held.loaded, &fresh].map(|loaded| &loaded.config.source);
    // A preset that a command chose stays, unless the configuration now says another thing than it did.
    let preset = if sources[0] != sources[1] || configured.file == parts.preset.file {
        configured
    } else {
        named(&parts.preset.name, &fresh)?
    };
    if preset != parts.preset {
        parts.ingest.try_out(&preset)?;
    }
    // Not loaded now, but the next start must find it.
    scoring::manifest(&fresh.model_dir(&fresh.config.model.name)?)?;
    Ok((fresh, preset))
}

/// Changes what differs.
async fn take(parts: &mut Parts, fresh: &Loaded, preset: Preset, done: &mut Reloaded) {
    let of = |table: &str| done.changed.iter().any(|key| key.starts_with(table));
    let (scoring, keys) = (of("scoring."), of("keys."));
    let desk = &parts.commands.desk;
    desk.allow_threshold(fresh.config.control.threshold);
    if scoring {
        desk.judge_by(fresh.config.scoring.clone());
    }
    if keys {
        parts.commands.renew_keys(&fresh.config).await;
    }
    if preset != parts.preset {
        done.preset = Some(preset.name.clone());
        parts.take_from(preset).await;
    }
}

/// An error and what is behind it on one line, without the lines of the file that TOML's errors quote:
/// a password may stand there.
fn words(error: &dyn Error) -> String {
    let mut said = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        let quoted = |line: &&str| {
            line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').starts_with('|')
        };
        let text: Vec<&str> =
            text.lines().filter(|l| !quoted(l)).flat_map(str::split_whitespace).collect();
        let text = text.join(" ");
        if !said.contains(&text) {
            said += if said.is_empty() { "" } else { ": " };
            said += &text;
        }
        next = error.source();
    }
    redact(&said)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_error_in_the_file_is_told_without_the_line_that_it_is_in() {
        let error = toml::from_str::<Config>("[source.params]\nlocation = 'rtsp://u:sekret@h\n");
        let said = words(&error.unwrap_err());
        assert!(said.contains("line 2") && !said.contains("sekret"), "{said}");
        assert!(!said.contains('\n'));
        let error = toml::from_str::<Config>("[publish]\nsocket = 'x'\nsokket = 'secret'\n");
        let said = words(&error.unwrap_err());
        assert!(said.contains("sokket") && !said.contains("secret"), "{said}");
    }

    #[test]
    fn what_waits_for_a_start_is_named_until_then_and_what_the_command_line_says_stays() {
        let loaded = |text: &str, socket: Option<&str>| {
            let config: Config = toml::from_str(text).unwrap();
            let mut loaded = Loaded { file: config.clone(), config, ..Loaded::default() };
            loaded.overrule(crate::config::Overrides {
                socket: socket.map(str::to_owned),
                ..Default::default()
            });
            loaded
        };
        let mut held = Held::new(&loaded("", Some("/run/x.sock")));
        let fresh = loaded(
            "[publish]\nsocket = '/run/y.sock'\nmax-age-ms = 900\n[scoring]\nwindow = 5",
            Some("/run/x.sock"),
        );
        let said = held.changes(&fresh);
        assert_eq!(said.changed, ["scoring.window"]);
        assert_eq!(said.next_start, ["publish.max-age-ms"]);
        assert_eq!(said.overruled, ["publish.socket"]);
        held.loaded = fresh.clone();
        let said = held.changes(&fresh);
        assert!(said.changed.is_empty(), "{said:?}");
        assert_eq!(said.next_start, ["publish.max-age-ms"], "it still waits");
        let back = held.changes(&loaded("", Some("/run/x.sock")));
        assert!(back.next_start.is_empty() && back.changed == ["scoring.window"], "{back:?}");
    }
}
