//! `[keys]`: a foot pedal, or any other input device, whose keys are commands.
//!
//! One tokio task reads the kernel's input events (24 bytes each: time, type, code, value) from the
//! configured path: a device of `/dev/input`, or a FIFO. It never takes the device for itself. A device
//! that is unplugged is waited for, and a FIFO that nobody writes to as well. A key counts when it is
//! pressed; a second press within [`BOUNCE_US`] is the contact's bouncing.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sonofuse_core::control::Verb;
use tokio::net::unix::pipe;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::control::{Obey, request};
use super::raised;
use super::told::{By, Given, Tell, plain_values};

mod codes;

/// Bytes of an input event on 64-bit machines (`struct input_event`).
pub const EVENT_BYTES: usize = 24;
/// Presses of one key that are nearer than this are one, µs of the device's time.
pub const BOUNCE_US: u64 = 150_000;
/// Between two looks for a device that is not there, or at a FIFO that nobody writes to.
const PAUSE: Duration = Duration::from_millis(500);
/// Most keys.
const MAX_KEYS: usize = 64;

const EV_KEY: u16 = 1;
const PRESSED: i32 = 1;

/// `[keys]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Path of the input device; `none` for none.
    pub device: String,
    /// What each key commands: `KEY_B = "mark nodule=same"`.
    pub map: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { device: "none".into(), map: BTreeMap::new() }
    }
}

/// A key, its name, and what it commands.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    code: u16,
    name: String,
    verb: Verb,
}

impl Settings {
    /// The device's path; `None` for none.
    pub fn device(&self) -> Option<&Path> {
        (self.device != "none").then(|| Path::new(&self.device))
    }

    /// What the keys command.
    ///
    /// # Errors
    /// The key, and what is wrong with it.
    pub fn bindings(&self) -> Result<Vec<Binding>, String> {
        if self.device.is_empty() {
            return Err("keys.device is empty: give the device's path, or \"none\"".to_owned());
        }
        if self.map.len() > MAX_KEYS {
            return Err(format!("keys.map has {} keys: at most {MAX_KEYS}", self.map.len()));
        }
        if self.device().is_some() && self.map.is_empty() {
            return Err(
                "keys.device is given and keys.map is empty: say what a key does".to_owned()
            );
        }
        let bindings = self.map.iter().map(|(name, words)| {
            let code = codes::code(name).ok_or_else(|| {
                format!("keys.map: {name:?} is no key: give a name (KEY_B, BTN_0) or a number")
            })?;
            let verb = request::words(words).map_err(|e| format!("keys.map.{name}: {e}"))?;
            Ok(Binding { code, name: name.clone(), verb })
        });
        bindings.collect()
    }
}

/// What the keys did so far.
#[derive(Debug, Default)]
pub struct Counts {
    pressed: AtomicU64,
    opened: AtomicU64,
}

impl Counts {
    /// Keys that were pressed and command something.
    pub fn pressed(&self) -> u64 {
        self.pressed.load(Ordering::Relaxed)
    }
    /// How often the device was found.
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }
}

/// The running reader.
#[derive(Debug)]
pub struct Keys {
    counts: Arc<Counts>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Reads the device at `path` on the current tokio runtime; commands go to `obey`, and what came of each
/// to `tell`.
///
/// # Panics
/// Outside a tokio runtime, which is a fault of the program.
pub fn read(path: PathBuf, bindings: Vec<Binding>, obey: Obey, tell: Tell) -> Keys {
    let (stop, stopped) = watch::channel(false);
    let counts = Arc::new(Counts::default());
    let reader =
        Reader { path, bindings, obey, tell, counts: Arc::clone(&counts), said: None, last: None };
    let task = tokio::spawn(reader.run(stopped));
    Keys { counts, stop, task }
}

impl Keys {
    /// What happened so far.
    pub fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }

    /// Lets go of the device.
    pub async fn stop(self) {
        // It may have ended already.
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

/// A key event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Event {
    at_us: u64,
    kind: u16,
    code: u16,
    value: i32,
}

impl Event {
    fn of(bytes: &[u8; EVENT_BYTES]) -> Self {
        let [
            s0,
            s1,
            s2,
            s3,
            s4,
            s5,
            s6,
            s7,
            u0,
            u1,
            u2,
            u3,
            u4,
            u5,
            u6,
            u7,
            k0,
            k1,
            c0,
            c1,
            v @ ..,
        ] = *bytes;
        let seconds = u64::from_ne_bytes([s0, s1, s2, s3, s4, s5, s6, s7]);
        let micros = u64::from_ne_bytes([u0, u1, u2, u3, u4, u5, u6, u7]);
        Self {
            at_us: seconds.wrapping_mul(1_000_000).wrapping_add(micros),
            kind: u16::from_ne_bytes([k0, k1]),
            code: u16::from_ne_bytes([c0, c1]),
            value: i32::from_ne_bytes(v),
        }
    }
}

/// How reading a device ended.
enum End {
    Stopped,
    /// Gone, or replaced by another one at the same path.
    Lost,
}

struct Reader {
    path: PathBuf,
    bindings: Vec<Binding>,
    obey: Obey,
    tell: Tell,
    counts: Arc<Counts>,
    /// What was last said of the device not being there.
    said: Option<String>,
    /// The last press, for bounces.
    last: Option<(u16, u64)>,
}

impl Reader {
    async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        loop {
            match open(&self.path) {
                Ok(device) => {
                    self.counts.opened.fetch_add(1, Ordering::Relaxed);
                    self.said = None;
                    info!(MESSAGE_ID = crate::journal::KEYS_FOUND, EVENT = "keys", STATE = "found", DEVICE = %self.path.display());
                    match self.listen(&device, &mut stopped).await {
                        End::Stopped => return,
                        End::Lost => {
                            warn!(MESSAGE_ID = crate::journal::KEYS_LOST, EVENT = "keys", STATE = "lost", DEVICE = %self.path.display(), "waiting for it");
                        }
                    }
                }
                Err(error) => self.complain(&error),
            }
            tokio::select! {
                () = raised(&mut stopped) => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// Once per cause.
    fn complain(&mut self, error: &io::Error) {
        let words = error.to_string();
        if self.said.as_ref() != Some(&words) {
            warn!(MESSAGE_ID = crate::journal::KEYS_ABSENT, EVENT = "keys", STATE = "absent", DEVICE = %self.path.display(), WHY = words, "looking on");
            self.said = Some(words);
        }
    }

    async fn listen(&mut self, device: &Device, stopped: &mut watch::Receiver<bool>) -> End {
        let mut bytes = [0; EVENT_BYTES];
        let mut have = 0;
        loop {
            let read = tokio::select! {
                biased;
                () = raised(stopped) => return End::Stopped,
                ready = device.events.readable() => {
                    ready.and_then(|()| device.events.try_read(&mut bytes[have..]))
                }
            };
            match read {
                // Nobody writes to the FIFO now; of a device it means that it is gone.
                Ok(0) => {
                    if !device.is_still(&self.path) {
                        return End::Lost;
                    }
                    // Half an event of a writer that left is none.
                    have = 0;
                    tokio::select! {
                        () = raised(stopped) => return End::Stopped,
                        () = tokio::time::sleep(PAUSE) => {}
                    }
                }
                Ok(n) => {
                    have += n;
                    if have == EVENT_BYTES {
                        have = 0;
                        tokio::select! {
                            () = self.take(Event::of(&bytes)) => {}
                            () = raised(stopped) => return End::Stopped,
                        }
                    }
                }
                Err(e) if [ErrorKind::Interrupted, ErrorKind::WouldBlock].contains(&e.kind()) => {}
                Err(_) => return End::Lost,
            }
        }
    }

    async fn take(&mut self, event: Event) {
        let Event { at_us, kind: EV_KEY, code, value: PRESSED } = event else { return };
        let Some(Binding { name, verb, .. }) = self.bindings.iter().find(|b| b.code == code) else {
            return;
        };
        let bounced = |(last, last_us): (u16, u64)| {
            last == code && at_us.checked_sub(last_us).is_some_and(|us| us < BOUNCE_US)
        };
        if self.last.is_some_and(bounced) {
            return;
        }
        self.last = Some((code, at_us));
        self.counts.pressed.fetch_add(1, Ordering::Relaxed);
        let word = verb.as_str();
        let result = (self.obey)(verb.clone()).await;
        (self.tell)(Given::new(word, plain_values(verb), By::Key(name), &result));
        match result {
            Ok(_) => info!(
                MESSAGE_ID = crate::journal::KEY_DONE,
                EVENT = "command",
                KEY = name,
                VERB = word,
                "done"
            ),
            Err(refused) => {
                let kind = refused.kind.as_str();
                warn!(
                    MESSAGE_ID = crate::journal::KEY_REFUSED,
                    EVENT = "command",
                    KEY = name,
                    VERB = word,
                    KIND = kind,
                    WHY = refused.words,
                    "refused"
                );
            }
        }
    }
}

/// What is read, and what it was when it was opened.
struct Device {
    /// tokio's pipe: an input device is read and waited for in just the same way.
    events: pipe::Receiver,
    opened: Metadata,
}

impl Device {
    /// Whether `path` is still what was opened, and may be written to again.
    fn is_still(&self, path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|now| {
            now.file_type().is_fifo()
                && (now.dev(), now.ino()) == (self.opened.dev(), self.opened.ino())
        })
    }
}

/// Opens an input device or a FIFO without waiting for it.
fn open(path: &Path) -> io::Result<Device> {
    // Not waiting: a FIFO opens before its writer is there.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(nonblocking).open(path)?;
    let opened = file.metadata()?;
    let kind = opened.file_type();
    if !kind.is_char_device() && !kind.is_fifo() {
        // A file has an end, and its keys would be pressed again and again.
        let words = "it is neither an input device nor a FIFO";
        return Err(io::Error::new(ErrorKind::InvalidInput, words));
    }
    Ok(Device { events: pipe::Receiver::from_file_unchecked(file)?, opened })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn settings(device: &str, map: &[(&str, &str)]) -> Settings {
        let map = map.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Settings { device: device.to_owned(), map }
    }

    #[test]
    fn an_event_is_read_as_the_kernel_writes_it() {
        let mut bytes = [0; EVENT_BYTES];
        bytes[..8].copy_from_slice(&7u64.to_ne_bytes());
        bytes[8..16].copy_from_slice(&250_000u64.to_ne_bytes());
        bytes[16..18].copy_from_slice(&1u16.to_ne_bytes());
        bytes[18..20].copy_from_slice(&48u16.to_ne_bytes());
        bytes[20..].copy_from_slice(&(-1i32).to_ne_bytes());
        let event = Event { at_us: 7_250_000, kind: 1, code: 48, value: -1 };
        assert_eq!(Event::of(&bytes), event);
        // Whatever stands there is an event.
        Event::of(&[0xff; EVENT_BYTES]);
    }

    #[test]
    fn a_map_is_checked_key_by_key() {
        assert_eq!(Settings::default().bindings().unwrap(), []);
        let good = settings("/dev/input/x", &[("KEY_B", "mark nodule=same"), ("30", "pause")]);
        assert_eq!(good.bindings().unwrap().len(), 2);
        for (wrong, says) in [
            (settings("", &[]), "keys.device is empty"),
            (settings("/dev/input/x", &[]), "keys.map is empty"),
            (settings("/dev/input/x", &[("KEY_BEE", "mark")]), "is no key"),
            (settings("none", &[("KEY_B", "jump")]), "keys.map.KEY_B: no verb"),
            (settings("none", &[("KEY_B", "mark nodule=first")]), "keys.map.KEY_B"),
        ] {
            let error = wrong.bindings().unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
