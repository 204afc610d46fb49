//! The audit: what the daemon was, what it showed and what it was told, as lines that are chained by
//! their hashes ([`chain`]), so that no change of them goes unseen ([`verify`]).
//!
//! A thread of its own writes: nobody else ever waits for the disk. Entries come by a bounded queue; while
//! the disk refuses them (full, gone), as many wait, further ones are counted, and the chain says how
//! many were lost. Each line is one `write`, each second ends with an `fdatasync`: a killed process loses
//! what was in the queue, a power cut the last second. The head goes into the journal once a minute and
//! at the end: a witness that a cut tail or a chain made anew cannot answer to.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub mod chain;
mod folder;
pub mod verify;
mod writer;

use writer::Writer;

/// Entries that may wait for the thread.
const QUEUE_ENTRIES: usize = 1024;
/// How long what was written may be in memory only.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// How often the head goes into the journal.
const HEAD_EVERY: Duration = Duration::from_mins(1);

/// `[audit]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Folder of the audit; `auto` is `audit` in systemd's state folder (none without one), `none` is
    /// none.
    pub folder: String,
    /// Most that it takes, MiB: the oldest part goes first.
    pub max_mib: u64,
    /// How long a part is kept at most, days.
    pub max_days: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { folder: "auto".into(), max_mib: 256, max_days: 730 }
    }
}

impl Settings {
    /// The folder; `None` for none.
    pub fn folder(&self) -> Option<PathBuf> {
        match self.folder.as_str() {
            "none" => None,
            "auto" => {
                let folders = std::env::var_os("STATE_DIRECTORY")?;
                // systemd separates several by colons.
                Some(std::env::split_paths(&folders).next()?.join("audit"))
            }
            path => Some(PathBuf::from(path)),
        }
    }

    /// Says which key is out of range, if one is.
    ///
    /// # Errors
    /// A sentence with the key and its range.
    pub fn check(&self) -> Result<(), String> {
        if self.folder.is_empty() {
            return Err("audit.folder is empty: give a path, \"auto\" or \"none\"".to_owned());
        }
        if !(1..=1_000_000).contains(&self.max_mib) {
            return Err(format!("audit.max-mib is {}: it must be 1 to 1000000", self.max_mib));
        }
        if !(1..=36_500).contains(&self.max_days) {
            return Err(format!("audit.max-days is {}: it must be 1 to 36500", self.max_days));
        }
        Ok(())
    }
}

/// Something that happened.
#[derive(Debug)]
struct Entry {
    at: SystemTime,
    event: &'static str,
    fields: Map<String, Value>,
}

/// What the thread is told.
#[derive(Debug)]
enum Told {
    Entry(Entry),
    End,
}

/// Notes what happens, from any thread; never waits. Cheap to clone; a default one notes nothing.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Option<Sender>);

#[derive(Clone, Debug)]
struct Sender {
    queue: SyncSender<Told>,
    lost: Arc<AtomicU64>,
}

impl Recorder {
    /// Whether anything that is noted is kept.
    pub fn records(&self) -> bool {
        self.0.is_some()
    }

    /// Notes that `event` happened now. Texts of patients must not be among `fields`.
    pub fn note(&self, event: &'static str, fields: Map<String, Value>) {
        let Some(Sender { queue, lost }) = &self.0 else { return };
        let entry = Entry { at: SystemTime::now(), event, fields };
        if let Err(TrySendError::Full(_)) = queue.try_send(Told::Entry(entry)) {
            lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The running audit.
#[derive(Debug)]
pub struct Audit {
    sender: Sender,
    thread: JoinHandle<()>,
}

impl Audit {
    /// Starts to write into `folder`, which it makes. What fails there is said in the journal and tried
    /// again; it is no error.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(folder: PathBuf, settings: &Settings) -> std::io::Result<Self> {
        let (queue, told) = sync_channel(QUEUE_ENTRIES);
        let lost = Arc::new(AtomicU64::new(0));
        let writer = Writer::new(folder, settings);
        let counter = Arc::clone(&lost);
        let thread = std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || run(writer, &told, &counter))?;
        Ok(Self { sender: Sender { queue, lost }, thread })
    }

    /// Notes what happens.
    pub fn recorder(&self) -> Recorder {
        Recorder(Some(self.sender.clone()))
    }

    /// Writes what was noted so far, and ends; what is noted after that is lost.
    pub fn finish(self) {
        let Self { sender, thread } = self;
        // Fails only when the thread is gone, which then said why.
        let _ = sender.queue.send(Told::End);
        let _ = thread.join();
    }
}

fn run(mut writer: Writer, told: &Receiver<Told>, lost: &AtomicU64) {
    let (mut sync_at, mut head_at) = (Instant::now(), Instant::now() + HEAD_EVERY);
    loop {
        let said = told.recv_timeout(sync_at.saturating_duration_since(Instant::now()));
        writer.lost(lost.swap(0, Ordering::Relaxed));
        match said {
            Ok(Told::Entry(entry)) => writer.take(entry),
            Ok(Told::End) | Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let now = Instant::now();
        if now >= sync_at {
            sync_at = now + SYNC_EVERY;
            writer.every_second();
        }
        if now >= head_at {
            head_at = now + HEAD_EVERY;
            writer.tell_head();
        }
    }
    writer.every_second();
    writer.tell_head();
}
