//! Commands to keep something, as they come from the control socket and from keys. Never waits for a disk:
//! who asked does, for a while.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sonofuse_core::control::{Clip, Keeping, Refused, RefusedKind, Standing};
use sonofuse_core::exam::{At, Label, Side};
use sonofuse_core::frame::Frame;
use sonofuse_core::layout::Pins;
use sonofuse_core::mask::Cover;
use sonofuse_core::published::KeptKind;
use sonofuse_core::reading::Reading;
use tokio::sync::oneshot;

use super::clip::Pending;
use super::snapshot::Snapshot;
use super::write::{DISK_BUSY, Job, Work};
use super::{MAX_PENDING, PinsNow, Shared, lock, stamp, store};
use crate::panel::Looking;
use crate::panel::trend::Trend;

/// How long who asked waits for the disk.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most seconds after the moment for which an answer can be waited for.
const WAIT_MOST_S: u64 = 15;
/// A ring whose newest picture is older than this has none to give, ns.
const FRESH_NS: u64 = 2_000_000_000;

/// Where an answer goes; nobody may be waiting.
pub(super) type Answer = Option<oneshot::Sender<Result<Keeping, Refused>>>;

/// Where in the examination something was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// Exam, nodule and plane.
    pub exam: At,
    /// The nodule's side, where somebody said.
    pub side: Option<Side>,
    /// Its label, where somebody gave one.
    pub label: Option<Label>,
}

impl Context {
    /// How the exam stands, or, where scoring does not answer, where the last reading was.
    fn of(standing: Option<&Standing>, reading: Option<&Reading>) -> Self {
        let Some(Standing { exam, .. }) = standing else {
            let exam = reading.map(|r| r.exam).unwrap_or_default();
            return Self { exam, side: None, label: None };
        };
        let nodule = exam.nodules.iter().find(|n| Some(n.nodule) == exam.nodule);
        Self {
            exam: At { number: exam.number, nodule: exam.nodule, plane: exam.plane },
            side: nodule.and_then(|n| n.side),
            label: nodule.and_then(|n| n.label.clone()),
        }
    }
}

/// What was there when something was asked for.
#[derive(Debug)]
pub struct Moment {
    made_ms: u64,
    now_ns: u64,
    frame: Option<Frame>,
    reading: Option<Arc<Reading>>,
    trend: Trend,
    looking: Option<Looking>,
}

/// Takes commands; cheap to clone.
#[derive(Clone, Debug)]
pub struct Keeper {
    pub(super) shared: Arc<Shared>,
    /// Nobody's any more after the stop.
    jobs: Arc<Mutex<Option<SyncSender<Job>>>>,
    last_ms: Arc<AtomicU64>,
}

impl Keeper {
    pub(super) fn new(shared: Arc<Shared>, jobs: SyncSender<Job>) -> Self {
        Self { shared, jobs: Arc::new(Mutex::new(Some(jobs))), last_ms: Arc::default() }
    }

    /// Takes no more.
    pub(super) fn close(&self) {
        lock(&self.jobs).take();
    }

    /// Holds what is there now.
    ///
    /// # Errors
    /// [`RefusedKind::NotAllowed`] where nothing is to be kept.
    pub fn now(&self) -> Result<Moment, Refused> {
        if !self.shared.settings.keep {
            let words = "the configuration keeps nothing: [record] keep = true";
            return Err(Refused::new(RefusedKind::NotAllowed, words));
        }
        let made_ms = self.made_ms();
        let seen = lock(&self.shared.seen);
        let now_ns = self.shared.now_ns();
        Ok(Moment {
            made_ms,
            now_ns,
            looking: self.shared.notes.looking(seen.reading.as_deref(), now_ns),
            frame: seen.frame.clone(),
            reading: seen.reading.clone(),
            trend: seen.trend.clone(),
        })
    }

    /// The moment that a piece is named after: one each.
    pub(super) fn made_ms(&self) -> u64 {
        let now_ms = store::now_ms();
        let before = self.last_ms.fetch_max(now_ms, Ordering::Relaxed);
        if before < now_ms { now_ms } else { self.last_ms.fetch_add(1, Ordering::Relaxed) + 1 }
    }

    /// Keeps the picture of `moment` with its panel; `standing` is how scoring stood then. Answers when it is
    /// on the disk.
    ///
    /// # Errors
    /// Why it is not kept, in words that say what to do.
    pub async fn snapshot(
        &self,
        moment: Moment,
        standing: Option<&Standing>,
    ) -> Result<Keeping, Refused> {
        let Moment { made_ms, now_ns, frame, reading, trend, looking } = moment;
        let nothing = |words: String| Refused::new(RefusedKind::NothingThere, words);
        let frame = frame.ok_or_else(|| nothing("no picture came yet".to_owned()))?;
        let age_ms = now_ns.saturating_sub(frame.meta().captured_ns) / 1_000_000;
        if age_ms > self.shared.max_age_ms {
            let words = format!(
                "the newest picture that was looked at is {age_ms} ms old: see `sonofuse ctl status`"
            );
            return Err(nothing(words));
        }
        let context = Context::of(standing, reading.as_deref());
        let (answer, answered) = oneshot::channel();
        let snapshot = Snapshot { frame, trend, cover: self.covered(), now_ns, looking };
        let work = Work::Snapshot(Box::new(snapshot));
        self.give(Job { made_ms, context, reading, answer: Some(answer), work })?;
        wait(answered, PATIENCE).await
    }

    /// Keeps the seconds around `moment`. Answers at once, or when it is complete (`wait`).
    ///
    /// # Errors
    /// Why it is not kept, in words that say what to do.
    pub async fn clip(
        &self,
        moment: Moment,
        standing: Option<&Standing>,
        Clip { wait: waits }: Clip,
    ) -> Result<Keeping, Refused> {
        let settings = &self.shared.settings;
        let refused = |kind, words: &str| Err(Refused::new(kind, words));
        if !settings.clips {
            let words = "the configuration records no clips: [record] clips = true";
            return refused(RefusedKind::NotAllowed, words);
        }
        if waits && settings.after_s > WAIT_MOST_S {
            let words = "such a long clip cannot be waited for: leave wait out";
            return refused(RefusedKind::WrongValue, words);
        }
        let Moment { made_ms, now_ns, reading, .. } = moment;
        let (answer, answered) = oneshot::channel();
        let until_ns = now_ns + settings.after_ns();
        {
            let mut pending = lock(&self.shared.pending);
            if pending.len() >= MAX_PENDING {
                return refused(RefusedKind::Busy, "enough clips are under way: wait for one");
            }
            let mut ring = lock(&self.shared.ring);
            let newest_ns = ring.newest_ns();
            if !self.shared.encodes.load(Ordering::Relaxed) && newest_ns.is_none() {
                let words = "nothing encodes pictures yet, or no encoder is installed: see the journal (EVENT=evidence)";
                return refused(RefusedKind::Failed, words);
            }
            if newest_ns.is_none_or(|newest| now_ns.saturating_sub(newest) > FRESH_NS) {
                let words = "no pictures come: see `sonofuse ctl status`";
                return refused(RefusedKind::NothingThere, words);
            }
            pending.push(Pending {
                made_ms,
                asked_ns: now_ns,
                from_ns: now_ns.saturating_sub(settings.before_ns()),
                until_ns,
                context: Context::of(standing, reading.as_deref()),
                reading,
                answer: Some(answer),
            });
            ring.want(pending.iter().map(|p| p.from_ns).min());
        }
        if waits {
            return wait(answered, Duration::from_secs(settings.after_s) + PATIENCE).await;
        }
        let folder = settings.own_folder().unwrap_or_default();
        Ok(Keeping {
            kind: KeptKind::Clip,
            name: stamp::name(made_ms, KeptKind::Clip),
            folder: folder.display().to_string(),
            ready_in_s: until_ns.saturating_sub(self.shared.now_ns()) as f32 / 1e9,
            bytes: None,
            views_proven: None,
        })
    }

    /// Has these areas black in all that is kept from now on.
    pub fn cover(&self, cover: Cover) {
        self.shared.cover.store(Arc::new(cover));
    }

    /// The areas that are black.
    pub fn covered(&self) -> Arc<Cover> {
        self.shared.cover.load_full()
    }

    /// What is pinned now.
    pub fn pins(&self) -> Option<Pins> {
        lock(&self.shared.pins).now
    }

    /// Another preset pins `pins`.
    pub fn set_preset_pins(&self, pins: Option<Pins>) {
        *lock(&self.shared.pins) = PinsNow { preset: pins, now: pins };
    }

    /// A command pins `pins` over what is pinned.
    pub fn pin(&self, pins: Pins) {
        let mut all = lock(&self.shared.pins);
        all.now = Some(pins.over(all.now.unwrap_or_default()));
    }

    /// A command takes that back.
    pub fn unpin(&self) {
        let mut all = lock(&self.shared.pins);
        all.now = all.preset;
    }

    pub(super) fn give(&self, job: Job) -> Result<(), Refused> {
        let busy = |words: &str| Err(Refused::new(RefusedKind::Busy, words));
        let jobs = lock(&self.jobs);
        let Some(jobs) = jobs.as_ref() else { return busy("the daemon stops") };
        match jobs.try_send(job) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => busy(DISK_BUSY),
            Err(TrySendError::Disconnected(_)) => busy("the daemon stops"),
        }
    }
}

async fn wait(
    answered: oneshot::Receiver<Result<Keeping, Refused>>,
    patience: Duration,
) -> Result<Keeping, Refused> {
    let busy = |words: &str| Err(Refused::new(RefusedKind::Busy, words));
    match tokio::time::timeout(patience, answered).await {
        Ok(Ok(said)) => said,
        Ok(Err(_)) => busy("the daemon stops"),
        Err(_) => busy("the disk does not answer; it may still be kept: sonofuse evidence list"),
    }
}
