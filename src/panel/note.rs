//! What became of a snapshot or a clip, said on the panel for some seconds. Written by whoever keeps
//! evidence, read by whoever draws; neither waits.

use arc_swap::ArcSwapOption;

/// How long a good and a bad note stand, ns.
const LASTS_NS: [u64; 2] = [6_000_000_000, 20_000_000_000];

/// A line on the panel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// A few words; nothing of a person.
    pub words: String,
    /// Something failed.
    pub alert: bool,
}

/// The newest note, and when it was said.
#[derive(Debug, Default)]
pub struct Notes(ArcSwapOption<(u64, Note)>);

impl Notes {
    /// Says something at `now_ns` of the monotonic clock.
    pub fn say(&self, now_ns: u64, words: impl Into<String>, alert: bool) {
        self.0.store(Some(std::sync::Arc::new((now_ns, Note { words: words.into(), alert }))));
    }

    /// What is to be said at `now_ns`.
    pub fn at(&self, now_ns: u64) -> Option<Note> {
        let said = self.0.load();
        let (at_ns, note) = &**said.as_ref()?;
        let age_ns = now_ns.saturating_sub(*at_ns);
        (age_ns < LASTS_NS[usize::from(note.alert)]).then(|| note.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_goes_by_itself_and_a_bad_one_stands_longer() {
        let notes = Notes::default();
        assert_eq!(notes.at(5), None);
        notes.say(10, "Snapshot kept", false);
        assert_eq!(notes.at(11).map(|n| n.words), Some("Snapshot kept".to_owned()));
        assert_eq!(notes.at(10 + LASTS_NS[0]), None);
        notes.say(20, "Not kept: disk full", true);
        assert!(notes.at(20 + LASTS_NS[0]).is_some_and(|n| n.alert));
        assert_eq!(notes.at(20 + LASTS_NS[1]), None);
    }
}
