//! A configuration that is read again: what the command line overrules in it, which settings are others
//! than before, and which of those can be taken while the daemon runs. Pure, but for reading the file.

use std::collections::BTreeSet;

use super::{Config, ConfigError, Loaded};

/// What the command line says in the configuration's place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `source.preset`; the file's parameters are those of the file's preset, and go with it.
    pub preset: Option<String>,
    /// `model.name`.
    pub model: Option<String>,
    /// `publish.display`.
    pub display: Option<String>,
    /// `publish.socket`.
    pub socket: Option<String>,
    /// `web.enabled`, and `web.address` where it is not empty.
    pub web: Option<String>,
}

impl Overrides {
    fn apply(&self, config: &mut Config) {
        if let Some(preset) = &self.preset {
            if *preset != config.source.preset {
                config.source.params.clear();
            }
            config.source.preset.clone_from(preset);
        }
        let others = [
            (&self.model, &mut config.model.name),
            (&self.display, &mut config.publish.display),
            (&self.socket, &mut config.publish.socket),
        ];
        for (given, key) in others {
            if let Some(given) = given {
                key.clone_from(given);
            }
        }
        if let Some(address) = &self.web {
            config.web.enabled = true;
            if !address.is_empty() {
                config.web.address.clone_from(address);
            }
        }
    }
}

impl Loaded {
    /// Has the command line overrule the file, now and whenever it is read again.
    pub fn overrule(&mut self, overrides: Overrides) {
        overrides.apply(&mut self.config);
        self.overrides = overrides;
    }

    /// Whether the command line says anything in the file's place.
    pub fn is_overruled(&self) -> bool {
        self.overrides != Overrides::default() || !self.given.is_empty()
    }

    /// Reads the same file again, under the same command line, and checks it.
    ///
    /// # Errors
    /// [`ConfigError`], as at the start.
    pub fn again(&self) -> Result<Self, ConfigError> {
        let mut fresh = Self::read(self.path.as_deref())?;
        fresh.given.clone_from(&self.given);
        fresh.overrule(self.overrides.clone());
        fresh.check()?;
        Ok(fresh)
    }
}

/// Tables and keys that are taken while the daemon runs.
const AT_ONCE: &[&str] = &["source", "scoring", "control.threshold", "keys"];
/// Keys of those tables that are not.
const AT_START: &[&str] = &["scoring.threads"];

/// Whether the setting `key` is taken while the daemon runs; any other takes effect at its next start.
pub fn is_taken_at_once(key: &str) -> bool {
    let within = |table: &&str| {
        key.strip_prefix(*table).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    AT_ONCE.iter().any(within) && !AT_START.iter().any(within)
}

/// Names of the settings in which two configurations differ, as the file has them: `table.key`.
pub fn differing(one: &Config, other: &Config) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let tables = [one, other].map(|config| {
        // Every configuration came from TOML, or is made of the defaults, which a test writes as TOML.
        toml::Table::try_from(config).unwrap_or_default()
    });
    compare("", &tables[0], &tables[1], &mut found);
    found
}

fn compare(at: &str, one: &toml::Table, other: &toml::Table, found: &mut BTreeSet<String>) {
    let empty = toml::Table::new();
    for key in one.keys().chain(other.keys()) {
        let name = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
        match (one.get(key), other.get(key)) {
            (Some(one), Some(other)) if one == other => {}
            (Some(toml::Value::Table(one)), Some(toml::Value::Table(other))) => {
                compare(&name, one, other, found);
            }
            (Some(toml::Value::Table(table)), None) => compare(&name, table, &empty, found),
            (None, Some(toml::Value::Table(table))) => compare(&name, &empty, table, found),
            _ => drop(found.insert(name)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        toml::from_str(text).unwrap()
    }

    fn names(one: &str, other: &str) -> Vec<String> {
        differing(&config(one), &config(other)).into_iter().collect()
    }

    #[test]
    fn each_setting_that_differs_is_named_as_it_stands_in_the_file() {
        assert_eq!(names("", ""), [""; 0]);
        assert_eq!(
            names(
                "[source]\nparams = { a = 1, b = 'x' }\n[scoring]\nwindow = 7\n",
                "[source]\nparams = { b = 'y' }\n[scoring.gate]\nmin-box-px = 41\n[publish]\nmax-age-ms = 900\n"
            ),
            [
                "publish.max-age-ms",
                "scoring.gate.min-box-px",
                "scoring.window",
                "source.params.a",
                "source.params.b"
            ]
        );
        assert_eq!(names("[keys.map]\nKEY_B = 'pause'\n", ""), ["keys.map.KEY_B"]);
    }

    #[test]
    fn a_setting_that_nobody_listed_takes_effect_at_the_next_start() {
        for (key, at_once) in [
            ("source.preset", true),
            ("source.params.device", true),
            ("scoring.gate.unfamiliar", true),
            ("scoring.threads", false),
            ("control.threshold", true),
            ("control.socket", false),
            ("keys.map.KEY_A", true),
            ("publish.display", false),
            ("model.name", false),
            ("sources", false),
        ] {
            assert_eq!(is_taken_at_once(key), at_once, "{key}");
        }
    }

    #[test]
    fn the_command_line_overrules_the_file_each_time_that_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        std::fs::write(&path, "[source]\npreset = 'rtsp'\n[source.params]\nx = 1\n").unwrap();
        let mut loaded = Loaded::read(Some(&path)).unwrap();
        let overrides = Overrides { preset: Some("simulator".into()), ..Overrides::default() };
        loaded.overrule(overrides);
        assert_eq!(loaded.config.source.preset, "simulator");
        assert!(loaded.config.source.params.is_empty());
        std::fs::write(&path, "[source]\npreset = 'v4l2'\n[scoring]\nwindow = 5\n").unwrap();
        let fresh = loaded.again().unwrap();
        assert_eq!(
            (fresh.config.source.preset.as_str(), fresh.config.scoring.window),
            ("simulator", 5)
        );
        assert_eq!(fresh.file.source.preset, "v4l2", "what the file says is known");
        std::fs::write(&path, "[scoring]\nwindow = 0\n").unwrap();
        assert!(loaded.again().unwrap_err().to_string().contains("scoring.window"));
        std::fs::remove_file(&path).unwrap();
        assert!(loaded.again().unwrap_err().to_string().contains("cannot be read"));
    }
}
