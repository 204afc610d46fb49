//! Presets: how to get pictures out of one kind of scanner, as a TOML file in `pipelines/`.
//!
//! A preset holds GStreamer launch text, the parameters that a technician may set, and what to
//! expect of the source. Reading and checking one opens no device: elements stay in `NULL`.
//! Everything here runs on the caller's thread and takes milliseconds.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use sonofuse_core::layout::Pins;
use sonofuse_core::mask::Cover;

use super::colorimetry::Stated;
use super::launch;

mod error;

pub use error::{Missing, PresetError};

/// The preset format that this daemon reads.
const SCHEMA: u32 = 1;

/// Whether a source goes on for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A device or a stream: its end is a fault, and it is connected to again.
    Live,
    /// A file: its end is the end.
    Finite,
}

/// What happens when a finite source has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AtEnd {
    /// The state becomes [`crate::state::SourceState::Ended`].
    #[default]
    End,
    /// It begins again.
    Repeat,
}

/// What the supervisor may expect of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Expect {
    /// Whether it goes on for ever.
    pub kind: Kind,
    /// Longest gap between two frames of a source that is live, in milliseconds.
    pub stall_ms: u64,
    /// Longest wait for the first frame, in milliseconds.
    pub connect_ms: u64,
    /// What to do when a finite source has ended.
    #[serde(default)]
    pub at_end: AtEnd,
}

impl Expect {
    /// Longest gap between two frames.
    pub fn stall(&self) -> Duration {
        Duration::from_millis(self.stall_ms)
    }
    /// Longest wait for the first frame.
    pub fn connect(&self) -> Duration {
        Duration::from_millis(self.connect_ms)
    }
}

/// A parameter's value as TOML gives it; it becomes text, and GStreamer reads it by the type of the
/// property.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Int(i64),
    Float(f64),
    Bool(bool),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(v) => v.fmt(f),
            Self::Int(v) => v.fmt(f),
            Self::Float(v) => v.fmt(f),
            Self::Bool(v) => v.fmt(f),
        }
    }
}

/// Something that a technician may set without editing the launch text.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Param {
    /// Name of the element in the launch text.
    pub element: String,
    /// The element's property.
    pub property: String,
    default: Option<Value>,
    /// What it is, for people.
    pub description: String,
}

impl Param {
    /// Makes a relative path start at `folder`. What is a path is told by the property: a file's
    /// `location`, which may also be an address, and a `device`.
    fn start_at(&self, folder: Option<&Path>, value: String) -> String {
        let path = ["location", "device"].contains(&self.property.as_str())
            && !value.is_empty()
            && !value.contains("://");
        match folder.filter(|_| path) {
            Some(folder) => folder.join(value).to_string_lossy().into_owned(),
            None => value,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceTable {
    launch: String,
    colorimetry: Option<String>,
}

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    schema: u32,
    summary: String,
    source: SourceTable,
    #[serde(default)]
    params: BTreeMap<String, Param>,
    expect: Expect,
    #[serde(default)]
    needs: BTreeMap<String, String>,
    layout: Option<Pins>,
    #[serde(default)]
    mask: Cover,
}

/// A preset that was read; [`Preset::check`] tells whether this machine can run it.
#[derive(Clone, Debug, PartialEq)]
pub struct Preset {
    /// The file's name without `.toml`; the `source` of readings.
    pub name: String,
    /// Where it was read from.
    pub file: PathBuf,
    /// One line for people.
    pub summary: String,
    /// What to expect of the source.
    pub expect: Expect,
    /// Where the views are on this scanner's screen, if the preset pins them.
    pub layout: Option<Pins>,
    /// What of it is never kept, nor shown on the page.
    pub mask: Cover,
    pub(super) launch: String,
    pub(super) params: BTreeMap<String, Param>,
    pub(super) needs: BTreeMap<String, String>,
    /// Range and matrix, where the source's own word shall not count.
    pub(super) colorimetry: Option<Stated>,
    values: BTreeMap<String, String>,
}

/// The name of no preset: nobody has said yet where pictures come from.
pub const NONE: &str = "none";

/// What is to be done where no folder of presets exists.
const NO_FOLDER: &str = "there is no folder of presets here (pipelines), beside the configuration or in \
    /usr/share/sonofuse: run sonofuse in the project's folder, or name a preset's file";

/// A parameter that every preset has.
const COLORIMETRY: &str = "colorimetry";

impl Preset {
    /// Reads a preset: a path when `name_or_path` has a `/` or ends in `.toml`, else
    /// `<dir>/<name>.toml` in the first of `dirs` that has it.
    ///
    /// # Errors
    /// [`PresetError`] when there is no such file or its text is not a preset.
    pub fn load(name_or_path: &str, dirs: &[PathBuf]) -> Result<Self, PresetError> {
        if name_or_path == NONE {
            return Ok(Self::none());
        }
        let candidates: Vec<PathBuf> = if Self::is_path(name_or_path) {
            vec![PathBuf::from(name_or_path)]
        } else {
            dirs.iter().map(|dir| dir.join(format!("{name_or_path}.toml"))).collect()
        };
        for file in &candidates {
            match std::fs::read_to_string(file) {
                Ok(text) => return Self::parse(&text, file),
                Err(source) if source.kind() == std::io::ErrorKind::NotFound => {}
                Err(source) => return Err(PresetError::Read { file: file.clone(), source }),
            }
        }
        let looked = candidates.iter().map(|p| p.display().to_string()).collect::<Vec<_>>();
        let known = Self::list(dirs);
        Err(PresetError::NotFound {
            name: name_or_path.to_owned(),
            looked: if looked.is_empty() {
                format!("{name_or_path}.toml")
            } else {
                looked.join(", ")
            },
            known: match (dirs, known.as_slice()) {
                ([], _) => NO_FOLDER.to_owned(),
                (_, []) => "there is no preset in the preset directories".to_owned(),
                (_, known) => format!("there are {}", known.join(", ")),
            },
        })
    }

    /// No preset: no picture comes, and readings say that nobody has set the source up.
    pub fn none() -> Self {
        let expect =
            Expect { kind: Kind::Live, stall_ms: 1000, connect_ms: 1000, at_end: AtEnd::End };
        Self {
            name: NONE.to_owned(),
            file: PathBuf::new(),
            summary: PresetError::NotSetUp.to_string(),
            expect,
            layout: None,
            mask: Cover::default(),
            launch: String::new(),
            params: BTreeMap::new(),
            needs: BTreeMap::new(),
            colorimetry: None,
            values: BTreeMap::new(),
        }
    }

    /// Whether it is [`Preset::none`].
    pub fn is_none(&self) -> bool {
        self.name == NONE && self.launch.is_empty()
    }

    /// Tells a preset file's path from the name of a preset.
    pub fn is_path(name_or_path: &str) -> bool {
        name_or_path.contains('/')
            || Path::new(name_or_path).extension().is_some_and(|e| e.eq_ignore_ascii_case("toml"))
    }

    /// Names of the presets in `dirs`, sorted.
    pub fn list(dirs: &[PathBuf]) -> Vec<String> {
        let mut names: Vec<String> = dirs
            .iter()
            .filter_map(|dir| std::fs::read_dir(dir).ok())
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|e| e == "toml"))
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Reads the text of a preset; `file` names it in errors and gives it its name.
    ///
    /// # Errors
    /// [`PresetError`] when the text is not a preset.
    pub fn parse(text: &str, file: &Path) -> Result<Self, PresetError> {
        let read: File = toml::from_str(text).map_err(|source| PresetError::Syntax {
            file: file.to_owned(),
            source: Box::new(source),
        })?;
        let key = |key: &str, problem: String| PresetError::Key {
            file: file.to_owned(),
            key: key.to_owned(),
            problem,
        };
        if read.schema != SCHEMA {
            return Err(key(
                "schema",
                format!(
                    "is {}, this sonofuse reads {SCHEMA}: take the preset of this version",
                    read.schema
                ),
            ));
        }
        for (name, value, range) in [
            ("expect.stall-ms", read.expect.stall_ms, 50..=600_000),
            ("expect.connect-ms", read.expect.connect_ms, 100..=600_000),
        ] {
            if !range.contains(&value) {
                return Err(key(
                    name,
                    format!("is {value}, allowed are {} to {} ms", range.start(), range.end()),
                ));
            }
        }
        if read.expect.kind == Kind::Live && read.expect.at_end == AtEnd::Repeat {
            return Err(key("expect.at-end", "a live source has no end to repeat from".to_owned()));
        }
        let colorimetry = read.source.colorimetry.as_deref().map(str::parse).transpose();
        let colorimetry = colorimetry.map_err(|e| key("source.colorimetry", e))?;
        let name = file.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
        Ok(Self {
            name,
            file: file.to_owned(),
            summary: read.summary,
            expect: read.expect,
            layout: read.layout,
            mask: read.mask,
            launch: read.source.launch,
            params: read.params,
            needs: read.needs,
            colorimetry,
            values: BTreeMap::new(),
        })
    }

    /// Sets a parameter for this run. Whether the value fits the property is told by
    /// [`Preset::check`].
    ///
    /// # Errors
    /// [`PresetError::Param`] when the preset has no such parameter.
    pub fn set(&mut self, param: &str, value: &str) -> Result<(), PresetError> {
        self.set_from(param, value, None)
    }

    /// Sets a parameter to a value out of a file in `folder`, where a relative path in it starts.
    ///
    /// # Errors
    /// As [`Preset::set`].
    pub fn set_from(
        &mut self,
        param: &str,
        value: &str,
        folder: Option<&Path>,
    ) -> Result<(), PresetError> {
        if param == COLORIMETRY && !self.params.contains_key(param) {
            let stated = value.parse().map_err(|e| self.param_error(param, e))?;
            self.colorimetry = Some(stated);
            return Ok(());
        }
        let Some(known) = self.params.get(param) else {
            let known = self.params.keys().map(String::as_str).collect::<Vec<_>>();
            return Err(self.param_error(
                param,
                if known.is_empty() {
                    "this preset has no parameters".to_owned()
                } else {
                    format!("there is no such parameter; this preset has {}", known.join(", "))
                },
            ));
        };
        let value = known.start_at(folder, value.to_owned());
        self.values.insert(param.to_owned(), value);
        Ok(())
    }

    /// All that decides what its pictures are like, but for the values of its parameters.
    pub fn identity(&self) -> String {
        format!("{} {} {:?} {:?}", self.name, self.launch, self.layout, self.colorimetry)
    }

    /// Whether its pictures are the simulator's.
    pub fn is_simulated(&self) -> bool {
        self.launch.contains("sonofusesimsrc")
    }

    /// Whether it has to be told a capture device.
    pub fn takes_a_device(&self) -> bool {
        self.params.contains_key("device")
    }

    /// The parameters: name, what it is, and its value, if it has one.
    pub fn params(&self) -> impl Iterator<Item = (&str, &Param, Option<String>)> {
        self.params.iter().map(|(name, param)| (name.as_str(), param, self.value(name)))
    }

    /// Builds the source without opening anything, and forgets it.
    ///
    /// # Errors
    /// [`PresetError`]; [`PresetError::MissingElements`] is the kind that says that the preset is
    /// for another machine, or that packages are missing on this one.
    pub fn check(&self) -> Result<(), PresetError> {
        if self.is_none() {
            return Ok(());
        }
        launch::build(self).map(drop)
    }

    /// The value in force: what was set for this run, else the default.
    pub(super) fn value(&self, param: &str) -> Option<String> {
        self.values.get(param).cloned().or_else(|| {
            let param = self.params.get(param)?;
            let default = param.default.as_ref()?.to_string();
            Some(param.start_at(self.file.parent(), default))
        })
    }

    pub(super) fn param_error(&self, param: &str, problem: String) -> PresetError {
        PresetError::Param { file: self.file.clone(), param: param.to_owned(), problem }
    }

    pub(super) fn launch_error(&self, problem: String) -> PresetError {
        PresetError::Launch { file: self.file.clone(), problem }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn where_no_folder_of_presets_exists_the_error_says_where_to_run() {
        let words = Preset::load("simulator", &[]).unwrap_err().to_string();
        assert!(words.contains("looked for simulator.toml"), "{words}");
        assert!(words.contains("run sonofuse in the project's folder"), "{words}");
    }
}
