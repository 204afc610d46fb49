//! Why a preset cannot be used, in words that a technician can act on. Pure.

use std::path::PathBuf;

use thiserror::Error;

/// Why a preset cannot be used. Every message names the file and what to change in it.
#[derive(Debug, Error)]
pub enum PresetError {
    /// Nobody has said yet where pictures come from.
    #[error("not set up: sonofuse setup")]
    NotSetUp,
    /// No file of that name in the preset directories.
    #[error("no preset {name:?}: looked for {looked}; {known}")]
    NotFound {
        /// Name asked for.
        name: String,
        /// Paths tried.
        looked: String,
        /// The presets that there are.
        known: String,
    },
    /// The file is there and cannot be read.
    #[error("{}: cannot be read", file.display())]
    Read {
        /// The preset's file.
        file: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// Not TOML, a key that does not exist, or a value of the wrong type.
    #[error("{}: {}", file.display(), source.to_string().trim_end())]
    Syntax {
        /// The preset's file.
        file: PathBuf,
        /// What the reader says, with line and column.
        source: Box<toml::de::Error>,
    },
    /// A key is there and its value cannot be used.
    #[error("{}: {key}: {problem}", file.display())]
    Key {
        /// The preset's file.
        file: PathBuf,
        /// The key, with its table.
        key: String,
        /// What is wrong, and what is allowed.
        problem: String,
    },
    /// GStreamer cannot make a source of the launch text.
    #[error("{}: source.launch: {problem}", file.display())]
    Launch {
        /// The preset's file.
        file: PathBuf,
        /// What is wrong with the text.
        problem: String,
    },
    /// The launch text names an element that presets may not use.
    #[error(
        "{}: source.launch: the element {factory:?} is not allowed in a preset; allowed are {allowed}",
        file.display()
    )]
    NotAllowed {
        /// The preset's file.
        file: PathBuf,
        /// The element.
        factory: String,
        /// The list of those that are.
        allowed: String,
    },
    /// GStreamer elements are not installed on this machine.
    #[error("{}: GStreamer elements missing on this machine: {}; {}", file.display(), Missing::names(elements), Missing::install(elements))]
    MissingElements {
        /// The preset's file.
        file: PathBuf,
        /// What is missing.
        elements: Vec<Missing>,
    },
    /// A parameter cannot be set as asked.
    #[error("{}: parameter {param:?}: {problem}", file.display())]
    Param {
        /// The preset's file.
        file: PathBuf,
        /// The parameter.
        param: String,
        /// What is wrong, and what is allowed.
        problem: String,
    },
}

/// An element that is not installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// GStreamer's name of the element.
    pub element: String,
    /// The Debian package that holds it, where it is known.
    pub package: Option<String>,
}

impl Missing {
    fn names(elements: &[Self]) -> String {
        elements.iter().map(|m| m.element.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The line that a technician types.
    fn install(elements: &[Self]) -> String {
        let mut packages: Vec<_> = elements.iter().filter_map(|m| m.package.as_deref()).collect();
        packages.sort_unstable();
        packages.dedup();
        let unknown: Vec<_> =
            elements.iter().filter(|m| m.package.is_none()).map(|m| m.element.as_str()).collect();
        let mut text = Vec::new();
        if !packages.is_empty() {
            text.push(format!("install them: sudo apt-get install {}", packages.join(" ")));
        }
        if !unknown.is_empty() {
            text.push(format!(
                "no package is known for {}: correct the name, or say it in the preset's [needs]",
                unknown.join(", ")
            ));
        }
        text.join("; ")
    }
}
