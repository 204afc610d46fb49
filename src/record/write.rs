//! The writer's thread: puts snapshots and clips on the disk, one after the other, makes room, and says
//! what became of each: to who asked, in the journal, on the panel. It alone touches the folder.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use sonofuse_core::NOTICE;
use sonofuse_core::control::{Keeping, Refused, RefusedKind};
use sonofuse_core::explain::Explained;
use sonofuse_core::published::{ClipSaid, Kept, KeptKind, MaskSaid};
use sonofuse_core::reading::Reading;
use tracing::{info, warn};

use super::ask::{Answer, Context};
use super::clip::{Clip, ClipError};
use super::exam::{ExamEnd, Piece};
use super::snapshot::Snapshot;
use super::store::{ABOUT, Part, Removed, Store, StoreError};
use super::{Shared, count};
use crate::civil::Utc;
use crate::journal;
use crate::panel::Note;

/// How often what is too old is looked for.
const TIDY_EVERY: Duration = Duration::from_hours(1);

/// Why a job is refused at the door.
pub(super) const DISK_BUSY: &str = "the disk does not come along: too much waits to be written";

/// Something to be written.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) made_ms: u64,
    pub(super) context: Context,
    pub(super) reading: Option<Arc<Reading>>,
    pub(super) answer: Answer,
    pub(super) work: Work,
}

/// What it is.
#[derive(Debug)]
pub(super) enum Work {
    Snapshot(Box<Snapshot>),
    Clip(Clip),
    Exam(ExamEnd),
}

/// What lies in the folder, `evidence.json` apart, and what that says of it.
#[derive(Debug)]
pub(super) struct Written<'a> {
    pub(super) files: Vec<&'static str>,
    pub(super) mask: MaskSaid,
    /// Of a clip only.
    pub(super) clip: Option<ClipSaid<'a>>,
    /// Of a snapshot only.
    pub(super) explained: Option<&'a Explained>,
}

impl Work {
    const fn kind(&self) -> KeptKind {
        match self {
            Self::Snapshot(_) => KeptKind::Snapshot,
            Self::Clip(_) => KeptKind::Clip,
            Self::Exam(_) => KeptKind::Exam,
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Snapshot(snapshot) => snapshot.bytes(),
            Self::Clip(clip) => clip.bytes(),
            Self::Exam(_) => ExamEnd::BYTES,
        }
    }
}

impl Job {
    /// Says that it was not kept.
    pub(super) fn fail(self, shared: &Shared, refused: Refused) {
        count(&shared.counts.failed);
        let kind = self.work.kind();
        warn!(
            MESSAGE_ID = journal::EVIDENCE_FAILED,
            EVENT = "evidence",
            STATE = "failed",
            KIND = kind.as_str(),
            WHY = refused.words,
            "not kept"
        );
        shared.notes.say(shared.now_ns(), cause(&refused.words));
        if let Some(answer) = self.answer {
            // Fails when whoever asked has left.
            let _ = answer.send(Err(refused));
        }
    }
}

/// Writes until nobody can ask any more.
pub(super) fn run(shared: &Shared, jobs: &Receiver<Job>) {
    // Not nice: somebody waits, and it is over soon.
    let folder = shared.settings.own_folder();
    let mut store = folder.map(|folder| Store::new(folder, shared.settings.bound()));
    if let Some(store) = &mut store {
        begin(store);
    }
    let mut tidied = Instant::now();
    loop {
        match jobs.recv_timeout(TIDY_EVERY) {
            Ok(job) => write(shared, store.as_mut(), job),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if tidied.elapsed() >= TIDY_EVERY {
            tidied = Instant::now();
            if let Some(store) = &store {
                match store.make_room(0) {
                    Ok(removed) => tell(removed),
                    Err(error) => unusable(store, &error),
                }
            }
        }
    }
}

/// Removes what a kill left, and what is too old.
fn begin(store: &mut Store) {
    let done = store.sweep().and_then(|swept| {
        if swept > 0 {
            warn!(
                MESSAGE_ID = journal::EVIDENCE_SWEPT,
                EVENT = "evidence",
                STATE = "swept",
                COUNT = swept,
                "half-written evidence of a run that was killed is removed"
            );
        }
        store.make_room(0)
    });
    match done {
        Ok(removed) => tell(removed),
        Err(error) => unusable(store, &error),
    }
}

fn unusable(store: &Store, error: &StoreError) {
    warn!(MESSAGE_ID = journal::EVIDENCE_FOLDER, EVENT = "evidence", STATE = "folder", PATH = %store.folder().display(), WHY = %error, "the folder of evidence cannot be used");
}

fn tell(Removed { items, bytes }: Removed) {
    if items > 0 {
        info!(
            MESSAGE_ID = journal::EVIDENCE_REMOVED,
            EVENT = "evidence",
            STATE = "removed",
            COUNT = items,
            BYTES = bytes,
            "the oldest evidence made room, or was too old"
        );
    }
}

fn write(shared: &Shared, store: Option<&mut Store>, job: Job) {
    let kind = job.work.kind();
    if let Work::Exam(exam) = &job.work
        && !exam.is_asked_for(shared)
    {
        return;
    }
    let written = match store {
        Some(store) => put(shared, store, &job),
        None => Err(StoreError::NoFolder.into()),
    };
    let keeping = match written {
        Ok(keeping) => keeping,
        Err(error) => {
            return job.fail(shared, Refused::new(RefusedKind::Failed, error.to_string()));
        }
    };
    if let (KeptKind::Snapshot | KeptKind::Clip, Some(nodule)) = (kind, job.context.exam.nodule) {
        let (exam, name) = (job.context.exam.number, keeping.name.clone());
        Piece { exam, nodule, name }.remember(shared);
    }
    count(&shared.counts.kept);
    let proven = keeping.views_proven == Some(true);
    info!(
        MESSAGE_ID = journal::EVIDENCE_KEPT,
        EVENT = "evidence",
        STATE = "kept",
        KIND = kind.as_str(),
        NAME = keeping.name,
        BYTES = keeping.bytes,
        VIEWS_PROVEN = keeping.views_proven,
        "kept"
    );
    let note = match kind {
        // Nobody asked just now.
        KeptKind::Exam => None,
        _ if !proven => Some(Note::Black),
        KeptKind::Snapshot => Some(Note::Snapshot),
        KeptKind::Clip => Some(Note::Clip),
    };
    if let Some(note) = note {
        shared.notes.say(shared.now_ns(), note);
    }
    if let Some(answer) = job.answer {
        // Fails when whoever asked has left.
        let _ = answer.send(Ok(keeping));
    }
}

fn put(shared: &Shared, store: &mut Store, job: &Job) -> Result<Keeping, ClipError> {
    let Job { made_ms, context, reading, work, .. } = job;
    let kind = work.kind();
    let part = store.begin(*made_ms, kind, work.bytes())?;
    tell(part.room);
    let reading = reading.as_deref();
    let made = Utc::of_ms(*made_ms).iso();
    let Written { files, mask, clip, explained } = match work {
        Work::Snapshot(snapshot) => snapshot.write(&part, reading, shared.max_age_ms)?,
        Work::Clip(clip) => clip.write(&part)?,
        Work::Exam(exam) => {
            part.write(ABOUT, &json(&exam.about(shared, part.name(), &made)))?;
            return done(store, part, kind, None);
        }
    };
    let about = Kept {
        kept: kind,
        name: part.name(),
        made: &made,
        version: env!("CARGO_PKG_VERSION"),
        exam: context.exam,
        side: context.side,
        label: context.label.as_ref(),
        files: &files,
        mask,
        clip,
        explained,
        reading,
        notice: NOTICE,
    };
    part.write(ABOUT, &json(&about))?;
    done(store, part, kind, Some(mask.views_proven))
}

/// Gives a piece its name, and tells of it.
fn done(
    store: &Store,
    part: Part,
    kind: KeptKind,
    views_proven: Option<bool>,
) -> Result<Keeping, ClipError> {
    let name = part.name().to_owned();
    let (_, bytes) = part.finish()?;
    let folder = store.folder().display().to_string();
    Ok(Keeping { kind, name, folder, ready_in_s: 0.0, bytes: Some(bytes), views_proven })
}

fn json(about: &impl serde::Serialize) -> Vec<u8> {
    // Plain keys and values.
    let mut bytes = serde_json::to_vec_pretty(about).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// What the panel says of a reason.
fn cause(words: &str) -> Note {
    let lower = words.to_lowercase();
    let causes = [
        ("no space left", Note::DiskFull),
        ("disk quota", Note::DiskFull),
        ("read-only file system", Note::ReadOnly),
        ("permission denied", Note::NoRights),
        ("no room", Note::Protected),
        ("another process", Note::InUse),
    ];
    causes.iter().find(|(said, _)| lower.contains(said)).map_or(Note::Failed, |(_, note)| *note)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_panel_tells_the_cause_in_a_few_words() {
        for (words, says) in [
            ("cannot write /x: No space left on device (os error 28)", Note::DiskFull),
            ("cannot make /x: Permission denied (os error 13)", Note::NoRights),
            ("cannot make /x: Read-only file system (os error 30)", Note::ReadOnly),
            ("something else", Note::Failed),
        ] {
            assert_eq!(cause(words), says, "{words}");
        }
    }
}
