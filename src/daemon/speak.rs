//! The language that the daemon speaks to people, set once before anything speaks.

use sonofuse_core::words::Language;
use tracing::warn;

use crate::{journal, panel};

/// Speaks the configured language from now on.
pub(super) fn speak(language: &'static Language) {
    panel::words::speak(language);
    if panel::words::drawn() != language {
        warn!(
            MESSAGE_ID = journal::LANGUAGE_WITHOUT_FONT,
            EVENT = "language",
            LANGUAGE = language.id(),
            PACKAGE = panel::CJK_PACKAGE,
            "no font for the configured language: the panel stays English"
        );
    }
}
