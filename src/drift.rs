//! Keeps the watch of [`sonofuse_core::drift`] over restarts: one file of the state folder, and what it says to
//! the journal.
//!
//! A thread of its own keeps it: nobody else ever waits for the disk. After each examination the file is
//! written beside the old one, brought to the disk and put in its place, so that a kill or a power cut leaves
//! one or the other whole. It holds [`REFERENCE`] + 20 times eleven numbers and three digests; nothing of a patient,
//! and no time but that of its beginning. A file that cannot be read is said, and the reference begins anew;
//! so it does where model, scoring or preset are others than those that it was taken with.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use sonofuse_core::drift::{DriftState, Figures, MEASURES, News, REFERENCE, StreamState, Watch};
use tokio::sync::oneshot;
use tracing::{info, warn};

use crate::civil::Utc;
use crate::journal;

/// Name of the file in the state folder.
pub const FILE: &str = "drift.json";
/// Version of the file.
const VERSION: u32 = 1;
/// Largest file that is read, bytes; a full one has some 10 KiB.
const MAX_BYTES: u64 = 256 << 10;
/// Told things that may wait for the disk; what is more is left out.
const QUEUE: usize = 64;

/// What figures depend on besides the patients: digests, so that nothing of them can be read back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// Of the model and its manifest.
    pub model: String,
    /// Of the settings by which pictures are scored.
    pub scoring: String,
    /// Of the preset by which they come.
    pub preset: String,
}

impl Basis {
    /// What is other than in `before`, in words; empty where nothing is.
    fn changes(&self, before: &Self) -> String {
        let parts = [
            ("model", self.model == before.model),
            ("scoring", self.scoring == before.scoring),
            ("preset", self.preset == before.preset),
        ];
        let other: Vec<&str> =
            parts.iter().filter(|(_, same)| !same).map(|(part, _)| *part).collect();
        other.join(" ")
    }
}

/// What happened to the watch, for whoever keeps account.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The reference begins anew, and why.
    Begun(String),
    /// It is complete.
    Complete,
    /// A stream has shifted.
    Shifted(StreamState),
    /// It is back.
    Back(StreamState),
}

/// Is told of each; must not wait.
pub type Account = Box<dyn Fn(&Event) + Send>;

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    version: u32,
    measures: u32,
    basis: Basis,
    /// RFC 3339, UTC.
    begun: String,
    watch: Watch,
}

/// What the thread is told.
#[derive(Debug)]
enum Told {
    Exam(Figures),
    Basis(Basis),
    Reset(oneshot::Sender<Result<(), String>>),
    End,
}

/// Tells the watch, and how it stands; cheap to clone, never waits.
#[derive(Clone, Debug)]
pub struct Watcher {
    queue: SyncSender<Told>,
    state: Arc<ArcSwap<DriftState>>,
}

impl Watcher {
    /// An examination ended.
    pub fn exam(&self, figures: Figures) {
        // Where the disk has hung for as many examinations, one more is no matter.
        let _ = self.queue.try_send(Told::Exam(figures));
    }

    /// Figures rest on something else from now on.
    pub fn rest_on(&self, basis: Basis) {
        let _ = self.queue.try_send(Told::Basis(basis));
    }

    /// Begins the reference anew.
    ///
    /// # Errors
    /// Why not; then the old one holds.
    pub async fn reset(&self) -> Result<(), String> {
        let (answer, answered) = oneshot::channel();
        let asked = self.queue.try_send(Told::Reset(answer));
        asked.map_err(|_| "what keeps the reference of drift is busy: try again".to_owned())?;
        answered.await.map_err(|_| "the daemon stops".to_owned())?
    }

    /// How it stands.
    pub fn state(&self) -> Arc<DriftState> {
        self.state.load_full()
    }
}

/// The running watch.
#[derive(Debug)]
pub struct Drift {
    watcher: Watcher,
    thread: JoinHandle<()>,
}

impl Drift {
    /// Reads what was kept in `folder`, and goes on with it where it rests on `basis`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(folder: &Path, basis: Basis, account: Account) -> io::Result<Self> {
        let keeper = Keeper::open(folder, basis, account);
        let (queue, told) = sync_channel(QUEUE);
        let state = Arc::new(ArcSwap::from_pointee(keeper.state()));
        let watcher = Watcher { queue, state: Arc::clone(&state) };
        let thread = std::thread::Builder::new()
            .name("drift".into())
            .spawn(move || keeper.run(&told, &state))?;
        Ok(Self { watcher, thread })
    }

    /// Tells it.
    pub fn watcher(&self) -> Watcher {
        self.watcher.clone()
    }

    /// Keeps what it was told so far, and ends.
    pub fn finish(self) {
        let Self { watcher, thread } = self;
        // Fails only when the thread is gone, whose panic was said.
        let _ = watcher.queue.send(Told::End);
        let _ = thread.join();
    }
}

/// The file and what goes into it. On the drift thread.
struct Keeper {
    file: PathBuf,
    kept: Kept,
    account: Account,
    /// How often it could not be written.
    failed: u64,
}

impl Keeper {
    fn open(folder: &Path, basis: Basis, account: Account) -> Self {
        let file = folder.join(FILE);
        let read = read(&file);
        let fresh = Kept::begin(basis);
        let mut this = Self { file, kept: fresh, account, failed: 0 };
        let why = match read {
            Ok(None) => "none before".to_owned(),
            Ok(Some(kept)) if kept.version != VERSION || kept.measures != MEASURES => {
                "version".to_owned()
            }
            Ok(Some(kept)) => {
                let changes = this.kept.basis.changes(&kept.basis);
                if changes.is_empty() {
                    this.kept = kept;
                    return this;
                }
                changes
            }
            Err(why) => {
                warn!(
                    MESSAGE_ID = journal::DRIFT_DAMAGED,
                    EVENT = "drift",
                    STATE = "damaged",
                    FILE = %this.file.display(),
                    WHY = why,
                    "the reference of drift cannot be read: it begins anew"
                );
                "damaged".to_owned()
            }
        };
        this.begun(&why);
        this.save();
        this
    }

    fn run(mut self, told: &Receiver<Told>, state: &ArcSwap<DriftState>) {
        while let Ok(said) = told.recv() {
            match said {
                Told::Exam(figures) => self.take(figures),
                Told::Basis(basis) => {
                    let changes = basis.changes(&self.kept.basis);
                    if changes.is_empty() {
                        continue;
                    }
                    self.kept = Kept::begin(basis);
                    self.begun(&changes);
                    self.save();
                }
                Told::Reset(answer) => {
                    let said = self.reset();
                    state.store(Arc::new(self.state()));
                    // Fails when whoever asked has just left.
                    let _ = answer.send(said);
                }
                Told::End => break,
            }
            state.store(Arc::new(self.state()));
        }
    }

    fn take(&mut self, figures: Figures) {
        for news in self.kept.watch.take(figures) {
            let event = match news {
                News::Complete => {
                    info!(
                        MESSAGE_ID = journal::DRIFT_COMPLETE,
                        EVENT = "drift",
                        STATE = "complete",
                        EXAMS = REFERENCE,
                        "the reference of drift is complete"
                    );
                    Event::Complete
                }
                News::Shifted(state) => {
                    let StreamState { stream, from, to, ratio, .. } = state;
                    warn!(
                        MESSAGE_ID = journal::DRIFT_FOUND,
                        EVENT = "drift",
                        STATE = "shifted",
                        STREAM = stream.as_str(),
                        FROM = rounded(from),
                        TO = rounded(to),
                        RATIO = rounded(ratio),
                        "the last examinations are not as the first: look at scanner, grabber and settings; \
                         a change that was meant: sonofuse ctl drift-reset"
                    );
                    Event::Shifted(state)
                }
                News::Back(state) => {
                    let StreamState { stream, from, to, .. } = state;
                    info!(
                        MESSAGE_ID = journal::DRIFT_OVER,
                        EVENT = "drift",
                        STATE = "back-again",
                        STREAM = stream.as_str(),
                        FROM = rounded(from),
                        TO = rounded(to),
                        "the last examinations are as the first again"
                    );
                    Event::Back(state)
                }
            };
            (self.account)(&event);
        }
        self.save();
    }

    /// Begins anew because somebody wants it; kept, or refused and nothing has changed.
    fn reset(&mut self) -> Result<(), String> {
        let fresh = Kept::begin(self.kept.basis.clone());
        write(&self.file, &fresh).map_err(|e| {
            format!("cannot write {}: {e}; the old reference holds", self.file.display())
        })?;
        self.kept = fresh;
        self.begun("command");
        Ok(())
    }

    fn begun(&self, why: &str) {
        info!(
            MESSAGE_ID = journal::DRIFT_BEGUN,
            EVENT = "drift",
            STATE = "begun",
            WHY = why,
            EXAMS = REFERENCE,
            "the next examinations are the reference of drift"
        );
        (self.account)(&Event::Begun(why.to_owned()));
    }

    fn save(&mut self) {
        let Err(e) = write(&self.file, &self.kept) else {
            self.failed = 0;
            return;
        };
        self.failed += 1;
        if journal::is_worth_a_line(self.failed) {
            warn!(
                MESSAGE_ID = journal::DRIFT_FAILED,
                EVENT = "drift",
                STATE = "not-kept",
                FILE = %self.file.display(),
                WHY = %e,
                TIMES = self.failed,
                "the reference of drift cannot be kept; a restart forgets what came since"
            );
        }
    }

    fn state(&self) -> DriftState {
        let [reference, recent] = self.kept.watch.counts();
        let begun = self.kept.begun.clone();
        DriftState { reference, recent, begun, streams: self.kept.watch.streams() }
    }
}

impl Kept {
    fn begin(basis: Basis) -> Self {
        let begun = Utc::of(SystemTime::now()).iso();
        Self { version: VERSION, measures: MEASURES, basis, begun, watch: Watch::default() }
    }
}

/// Version and measures alone: a file of another version may hold anything besides.
#[derive(Deserialize)]
struct Versions {
    version: u32,
    measures: u32,
}

/// What is kept; `None` where nothing is yet.
fn read(file: &Path) -> Result<Option<Kept>, String> {
    let opened = match File::open(file) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|e| e.to_string())?,
    };
    let mut text = String::new();
    opened.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|e| e.to_string())?;
    if text.len() as u64 > MAX_BYTES {
        return Err(format!("it is larger than {MAX_BYTES} bytes"));
    }
    let Versions { version, measures } = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    if version != VERSION || measures != MEASURES {
        let basis = Basis::default();
        return Ok(Some(Kept { version, measures, ..Kept::begin(basis) }));
    }
    let kept: Kept = serde_json::from_str(&text).map_err(|e| e.to_string())?;
    kept.watch.check()?;
    Ok(Some(kept))
}

/// Puts what is kept in the place of what was; whole, or not at all.
fn write(file: &Path, kept: &Kept) -> io::Result<()> {
    let beside = file.with_extension("json.new");
    let mut new =
        OpenOptions::new().create(true).write(true).truncate(true).mode(0o640).open(&beside)?;
    new.write_all(&serde_json::to_vec(kept)?)?;
    new.sync_all()?;
    fs::rename(&beside, file)?;
    match file.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Three decimals.
fn rounded(value: f32) -> f64 {
    (f64::from(value) * 1000.0).round() / 1000.0
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
