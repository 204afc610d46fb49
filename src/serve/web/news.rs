//! What is told to viewers as it comes. [`Publisher`] is called by the infer thread and never waits: the newest
//! reading replaces the one before, and is serialised only while somebody looks. What else changes is found by
//! two tokio tasks that look at the daemon some times a second, while somebody looks.
//!
//! Memory only. Labels, which may name a person, go to those alone who are signed in.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::extract::ws::Utf8Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use sonofuse_core::control::{Nothing, Verb};
use sonofuse_core::exam::{ExamState, Summary};
use sonofuse_core::reading::Reading;
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::{House, Note};
use crate::serve::raised;

/// Events that a viewer may be behind before it loses the oldest.
const QUEUE_EVENTS: usize = 64;
/// How often the daemon is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often the exam is.
const EXAM_EVERY: Duration = Duration::from_millis(500);

/// Something that happened.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// To be said as it is, or without labels.
    Said(Said),
    /// The daemon is not as it was: say hello again.
    Hello,
}

/// A line, and how it is said to those who are not signed in.
#[derive(Clone, Debug)]
pub(super) struct Said {
    whole: Utf8Bytes,
    bare: Utf8Bytes,
}

impl Said {
    pub(super) fn to(&self, signed_in: bool) -> Utf8Bytes {
        if signed_in { self.whole.clone() } else { self.bare.clone() }
    }
}

/// What the last exam that ended came to.
#[derive(Debug, Default)]
struct Finished {
    summaries: Vec<Summary>,
    at: Option<SystemTime>,
}

/// Where news come together.
#[derive(Debug)]
pub struct News {
    reading: watch::Sender<Option<Utf8Bytes>>,
    events: broadcast::Sender<Event>,
    finished: Mutex<Finished>,
    wake: Notify,
}

impl Default for News {
    fn default() -> Self {
        Self {
            reading: watch::Sender::new(None),
            events: broadcast::Sender::new(QUEUE_EVENTS),
            finished: Mutex::default(),
            wake: Notify::new(),
        }
    }
}

/// Puts readings on the page, from any thread; cheap to clone.
#[derive(Clone, Debug)]
pub struct Publisher(Arc<News>);

/// `{"key":…}`.
fn line(key: &str, said: &impl Serialize) -> Utf8Bytes {
    let said = serde_json::to_string(said).expect("plain keys and values");
    format!("{{\"{key}\":{said}}}").into()
}

/// Without what may name a person.
fn bare_exam(exam: &ExamState) -> ExamState {
    let mut exam = exam.clone();
    exam.nodules.iter_mut().for_each(|nodule| nodule.label = None);
    exam
}

fn bare_summary(summary: &Summary) -> Summary {
    let mut summary = summary.clone();
    summary.summary.label = None;
    summary
}

impl Publisher {
    /// Publishes a reading. Never waits; serialises only if somebody looks.
    pub fn publish(&self, reading: &Reading) {
        if self.0.reading.receiver_count() > 0 {
            self.0.reading.send_replace(Some(line("reading", reading)));
        }
    }

    /// Publishes what an examination came to for one nodule, and keeps it while it is of the last one.
    pub fn summary(&self, summary: &Summary) {
        {
            let mut finished = self.0.finished.lock().unwrap_or_else(PoisonError::into_inner);
            finished.summaries.retain(|kept| kept.exam == summary.exam);
            finished.summaries.push(summary.clone());
            finished.at = Some(SystemTime::now());
        }
        let whole = line("summary", summary);
        self.0.say(Event::Said(Said { whole, bare: line("summary", &bare_summary(summary)) }));
    }
}

impl News {
    /// A handle for the thread that has readings.
    pub fn publisher(self: &Arc<Self>) -> Publisher {
        Publisher(Arc::clone(self))
    }

    pub(super) fn readings(&self) -> watch::Receiver<Option<Utf8Bytes>> {
        self.reading.subscribe()
    }

    pub(super) fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Has the exam told anew at once: somebody came, or changed something.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    fn say(&self, event: Event) {
        // Fails only when nobody looks.
        let _ = self.events.send(event);
    }

    /// The exam and what the last one came to; with labels if `whole`.
    pub(super) fn told(&self, exam: Option<ExamState>, whole: bool) -> Value {
        let exam = exam.map(|exam| if whole { exam } else { bare_exam(&exam) });
        let finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
        let summaries: Vec<Summary> = if whole {
            finished.summaries.clone()
        } else {
            finished.summaries.iter().map(bare_summary).collect()
        };
        let ended_at = finished.at.map(|at| {
            let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        });
        json!({ "exam": exam, "finished": summaries, "ended_at": ended_at })
    }
}

/// Says hello again when the daemon is not as it was, and what became of evidence.
pub(super) async fn tell_of_the_daemon(house: Arc<House>) {
    let (mut stopped, behind) = (house.stopped.clone(), &house.behind);
    let mut tick = interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut about = (behind.about)();
    let mut note: Option<Note> = None;
    loop {
        tokio::select! {
            () = raised(&mut stopped) => return,
            _ = tick.tick() => {}
        }
        if house.counts.viewers() == 0 {
            // What stood when they came is no news to them.
            (about, note) = ((behind.about)(), (behind.note)());
            continue;
        }
        let now = (behind.about)();
        if now != about {
            about = now;
            behind.news.say(Event::Hello);
        }
        let now = (behind.note)();
        if now != note {
            if let Some(now) = &now {
                let said = line("note", now);
                behind.news.say(Event::Said(Said { whole: said.clone(), bare: said }));
            }
            note = now;
        }
    }
}

/// Tells how the exam stands when it changed. A network that hangs holds only this.
pub(super) async fn tell_of_the_exam(house: Arc<House>) {
    let (mut stopped, behind) = (house.stopped.clone(), &house.behind);
    let mut tick = interval(EXAM_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told: Option<ExamState> = None;
    loop {
        tokio::select! {
            () = raised(&mut stopped) => return,
            _ = tick.tick() => {}
            () = behind.news.wake.notified() => told = None,
        }
        if house.counts.viewers() == 0 {
            told = None;
            continue;
        }
        let done = (behind.obey)(Verb::Status(Nothing {})).await;
        let Some(standing) = done.ok().and_then(|done| done.standing) else { continue };
        if told.as_ref() != Some(&standing.exam) {
            let whole = line("exam", &standing.exam);
            let bare = line("exam", &bare_exam(&standing.exam));
            behind.news.say(Event::Said(Said { whole, bare }));
            told = Some(standing.exam);
        }
    }
}
