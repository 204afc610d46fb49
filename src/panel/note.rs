//! What became of a snapshot or a clip, said on the panel for some seconds. Written by whoever keeps
//! evidence, read by whoever draws; neither waits.

use arc_swap::ArcSwapOption;
use sonofuse_core::reading::Reading;
use sonofuse_core::words::Label;

use super::attention::{Attention, Looking};

/// How long a good and a bad note stand, ns.
const LASTS_NS: [u64; 2] = [6_000_000_000, 20_000_000_000];

/// What became of evidence. A line on the panel, short enough for the narrowest place: what it is of is
/// known to who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// A snapshot is on the disk.
    Snapshot,
    /// A clip is.
    Clip,
    /// What is on the disk is black all over: no dual view was proven.
    Black,
    /// No room on the disk.
    DiskFull,
    /// The disk cannot be written.
    ReadOnly,
    /// The folder belongs to somebody else.
    NoRights,
    /// What is protected leaves no room.
    Protected,
    /// Another process has the folder.
    InUse,
    /// Something else: the journal says what.
    Failed,
}

impl Note {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Snapshot,
        Self::Clip,
        Self::Black,
        Self::DiskFull,
        Self::ReadOnly,
        Self::NoRights,
        Self::Protected,
        Self::InUse,
        Self::Failed,
    ];

    /// The identifier in language files and on the page.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Clip => "clip",
            Self::Black => "black",
            Self::DiskFull => "disk-full",
            Self::ReadOnly => "read-only",
            Self::NoRights => "no-rights",
            Self::Protected => "protected",
            Self::InUse => "in-use",
            Self::Failed => "failed",
        }
    }

    /// The words.
    pub const fn label(self) -> Label {
        match self {
            Self::Snapshot => Label::KeptSnapshot,
            Self::Clip => Label::KeptClip,
            Self::Black => Label::KeptBlack,
            Self::DiskFull => Label::KeptDiskFull,
            Self::ReadOnly => Label::KeptReadOnly,
            Self::NoRights => Label::KeptNoRights,
            Self::Protected => Label::KeptProtected,
            Self::InUse => Label::KeptInUse,
            Self::Failed => Label::KeptFailed,
        }
    }

    /// Whether it is one to beware of.
    pub const fn is_alert(self) -> bool {
        !matches!(self, Self::Snapshot | Self::Clip)
    }
}

/// The newest note, and when it was said; and what the network responded to, where somebody asked.
#[derive(Debug, Default)]
pub struct Notes {
    note: ArcSwapOption<(u64, Note)>,
    /// Where the network's features responded.
    pub attention: Attention,
}

impl Notes {
    /// Says something at `now_ns` of the monotonic clock.
    pub fn say(&self, now_ns: u64, note: Note) {
        self.note.store(Some(std::sync::Arc::new((now_ns, note))));
    }

    /// What is to be said at `now_ns`.
    pub fn at(&self, now_ns: u64) -> Option<Note> {
        let said = self.note.load();
        let (at_ns, note) = **said.as_ref()?;
        let age_ns = now_ns.saturating_sub(at_ns);
        (age_ns < LASTS_NS[usize::from(note.is_alert())]).then_some(note)
    }

    /// What the network responded to, as it stands beside `reading` at `now_ns`.
    pub fn looking(&self, reading: Option<&Reading>, now_ns: u64) -> Option<Looking> {
        self.attention.beside(reading, now_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_goes_by_itself_and_a_bad_one_stands_longer() {
        let notes = Notes::default();
        assert_eq!(notes.at(5), None);
        notes.say(10, Note::Snapshot);
        assert_eq!(notes.at(11), Some(Note::Snapshot));
        assert_eq!(notes.at(10 + LASTS_NS[0]), None);
        notes.say(20, Note::DiskFull);
        assert_eq!(notes.at(20 + LASTS_NS[0]), Some(Note::DiskFull));
        assert_eq!(notes.at(20 + LASTS_NS[1]), None);
    }
}
