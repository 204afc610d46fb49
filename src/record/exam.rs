//! What an examination that ended came to, as a file: only where somebody marked, judged or kept something of
//! it. A label stands in it only for a nodule of which a picture was kept, which bears it already. Told on the
//! infer thread, which never waits; put together and written on the writer's.

use sonofuse_core::NOTICE;
use sonofuse_core::exam::Summary;
use sonofuse_core::published::{KeptExam, KeptKind, KeptNodule};
use tracing::warn;

use super::ask::{Context, Keeper};
use super::write::{Job, Work};
use super::{Shared, lock, stamp};
use crate::journal;

/// Pieces that are remembered for their exam's file.
const MAX_PIECES: usize = 512;

/// A snapshot or a clip that was kept of a nodule.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) exam: u64,
    pub(super) nodule: u32,
    pub(super) name: String,
}

impl Piece {
    /// Remembers it until its exam ends.
    pub(super) fn remember(self, shared: &Shared) {
        let mut pieces = lock(&shared.pieces);
        if pieces.len() == MAX_PIECES {
            pieces.remove(0);
        }
        pieces.push(self);
    }
}

/// An exam that ended: what it came to, nodule by nodule, at least one.
#[derive(Debug)]
pub(super) struct ExamEnd(Vec<Summary>);

impl ExamEnd {
    /// What it takes on the disk at the most, near enough.
    pub(super) const BYTES: u64 = 256 << 10;

    fn number(&self) -> u64 {
        self.0.first().map_or(0, |summary| summary.exam)
    }

    /// Names of what was kept of it, by nodule; a clip that is under way too.
    fn pieces(&self, shared: &Shared) -> Vec<(u32, String)> {
        let number = self.number();
        let kept = lock(&shared.pieces);
        let kept = kept.iter().filter(|piece| piece.exam == number);
        let mut found: Vec<_> = kept.map(|piece| (piece.nodule, piece.name.clone())).collect();
        for pending in lock(&shared.pending).iter() {
            if let (true, Some(nodule)) =
                (pending.context.exam.number == number, pending.context.exam.nodule)
            {
                found.push((nodule, stamp::name(pending.made_ms, KeptKind::Clip)));
            }
        }
        found
    }

    /// Whether somebody did something in it that asks for being kept.
    pub(super) fn is_asked_for(&self, shared: &Shared) -> bool {
        let said = |s: &Summary| s.summary.marked || s.summary.verdict.is_some();
        self.0.iter().any(said) || !self.pieces(shared).is_empty()
    }

    /// Its `evidence.json`. What was kept of it and before is forgotten here.
    pub(super) fn about<'a>(
        &'a self,
        shared: &Shared,
        name: &'a str,
        made: &'a str,
    ) -> impl serde::Serialize + use<'a> {
        let pieces = self.pieces(shared);
        let number = self.number();
        lock(&shared.pieces).retain(|piece| piece.exam > number);
        let nodules = self.0.iter().map(|summary| {
            let mut summary = summary.summary.clone();
            let of = pieces.iter().filter(|(nodule, _)| *nodule == summary.nodule);
            let kept: Vec<String> = of.map(|(_, name)| name.clone()).collect();
            if kept.is_empty() {
                summary.label = None;
            }
            KeptNodule { summary, kept }
        });
        Owned { nodules: nodules.collect(), exam: self, name, made }
    }
}

/// The file with what it owns.
struct Owned<'a> {
    exam: &'a ExamEnd,
    nodules: Vec<KeptNodule>,
    name: &'a str,
    made: &'a str,
}

impl serde::Serialize for Owned<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(first) = self.exam.0.first() else { return serializer.serialize_none() };
        let about = KeptExam {
            kept: KeptKind::Exam,
            name: self.name,
            made: self.made,
            version: env!("CARGO_PKG_VERSION"),
            exam_number: first.exam,
            ended: first.ended,
            nodules: &self.nodules,
            files: &[],
            model: &first.model,
            notice: NOTICE,
        };
        about.serialize(serializer)
    }
}

impl Keeper {
    /// Takes what an exam that ended came to, from the infer thread. Never waits.
    pub fn exam_ended(&self, summaries: &[Summary]) {
        if !self.shared.settings.keep || summaries.is_empty() {
            return;
        }
        let work = Work::Exam(ExamEnd(summaries.to_vec()));
        let (made_ms, context) = (self.made_ms(), Context::default());
        let job = Job { made_ms, context, reading: None, answer: None, work };
        if let Err(refused) = self.give(job) {
            warn!(
                MESSAGE_ID = journal::EVIDENCE_FAILED,
                EVENT = "evidence",
                STATE = "failed",
                KIND = KeptKind::Exam.as_str(),
                WHY = refused.words,
                "not kept"
            );
        }
    }
}
