//! Which sink shows the picture, as written in the configuration, and why there is none. Pure.

use std::str::FromStr;

use thiserror::Error;

/// Where the picture is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DisplaySink {
    /// Nowhere.
    #[default]
    None,
    /// A window, or the whole screen where there is no window system: `autovideosink`.
    Auto,
    /// A GStreamer video sink by name: `kmssink`, `waylandsink`, `glimagesink`.
    Named(String),
}

impl FromStr for DisplaySink {
    type Err = DisplayError;

    fn from_str(text: &str) -> Result<Self, DisplayError> {
        let name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        match text {
            "none" => Ok(Self::None),
            "auto" | "window" => Ok(Self::Auto),
            _ if !text.is_empty() && text.chars().all(name) => Ok(Self::Named(text.to_owned())),
            _ => Err(DisplayError::Unreadable { text: text.to_owned() }),
        }
    }
}

/// Why there is no display.
#[derive(Debug, Error)]
pub enum DisplayError {
    /// The name is no element's name.
    #[error(
        "cannot read the display {text:?}: use \"none\", \"auto\" or the name of a GStreamer video sink such as \"kmssink\""
    )]
    Unreadable {
        /// What was given.
        text: String,
    },
    /// The element is not installed.
    #[error("the display sink {name:?} is not installed{}", package(name))]
    Missing {
        /// The element's name.
        name: String,
    },
    /// The element shows nothing.
    #[error(
        "{name:?} is no video sink ({class}): use \"auto\", \"kmssink\", \"waylandsink\", \"glimagesink\" or the like"
    )]
    NotASink {
        /// The element's name.
        name: String,
        /// Its class.
        class: String,
    },
    /// GStreamer or the system refused.
    #[error("cannot start the display: {what}")]
    Start {
        /// What failed.
        what: String,
    },
}

fn package(name: &str) -> String {
    let package = match name {
        "autovideosink" => "gstreamer1.0-plugins-good",
        "ximagesink" | "xvimagesink" => "gstreamer1.0-x",
        "glimagesink" => "gstreamer1.0-gl",
        "kmssink" | "waylandsink" => "gstreamer1.0-plugins-bad",
        _ => return ": see gst-inspect-1.0".into(),
    };
    format!(": apt install {package}")
}
