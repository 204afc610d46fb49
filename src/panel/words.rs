//! The language that people are spoken to, the same on the terminal, on the panel and in pictures that are kept.
//! It is set once, at the start, before anything speaks; before that, and in tests, it is English. And what all of
//! them say while it is so: that nobody is examined. A process has one source, whatever thread speaks of it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use sonofuse_core::words::{Label, Language};

use super::font::cjk_font;

/// Set once: whoever draws or prints later finds it, on whatever thread.
static SPOKEN: OnceLock<&'static Language> = OnceLock::new();

/// Speaks `language` from now on. The first call holds.
pub fn speak(language: &'static Language) {
    let _ = SPOKEN.set(language);
}

/// The language that is spoken.
pub fn spoken() -> &'static Language {
    SPOKEN.get().copied().unwrap_or_else(Language::english)
}

static SIMULATED: AtomicBool = AtomicBool::new(false);

/// Whether pictures come from the simulator from now on.
pub fn simulate(simulated: bool) {
    SIMULATED.store(simulated, Ordering::Relaxed);
}

/// Whether they do.
pub fn is_simulated() -> bool {
    SIMULATED.load(Ordering::Relaxed)
}

/// The language of what is drawn: the one that is spoken, or English where this machine has no font for it.
pub fn drawn() -> &'static Language {
    let spoken = spoken();
    if spoken.is_cjk() && cjk_font().is_none() { Language::english() } else { spoken }
}

/// Which part of a picture is unfamiliar, by the identifier of the reading's sentence.
pub fn unlike(detail_id: &str) -> Option<Label> {
    Some(match detail_id {
        "bmode-unfamiliar" => Label::UnlikeBmodeUnfamiliar,
        "map-unfamiliar" => Label::UnlikeMapUnfamiliar,
        "both-unfamiliar" => Label::UnlikeBothUnfamiliar,
        _ => return None,
    })
}

/// A sentence begins with a capital.
pub fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters
        .next()
        .map_or_else(String::new, |c| c.to_uppercase().collect::<String>() + letters.as_str())
}
