//! The page's own files, in the program. Pure.

/// A file of the page.
pub(super) struct File {
    /// Its name below `/page/`.
    pub(super) name: &'static str,
    /// What it is.
    pub(super) kind: &'static str,
    /// What it holds.
    pub(super) bytes: &'static [u8],
}

macro_rules! files {
    ($($kind:literal { $($name:literal)* })*) => {
        &[$($(File {
            name: $name,
            kind: $kind,
            bytes: include_bytes!(concat!("../../../assets/web/", $name)),
        },)*)*]
    };
}

/// All of them; `index.html` is the page.
pub(super) const FILES: &[File] = files! {
    "text/html; charset=utf-8" { "index.html" }
    "text/css; charset=utf-8" { "page.css" "views.css" }
    "image/svg+xml" { "icon.svg" }
    "text/javascript; charset=utf-8" {
        "main.js" "actions.js" "dom.js" "exam.js" "kept.js" "link.js" "live.js" "nodules.js" "picture.js"
        "regions.js" "setup.js" "state.js" "trial.js" "words.js"
    }
};

/// The file of this name.
pub(super) fn find(name: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.name == name)
}
