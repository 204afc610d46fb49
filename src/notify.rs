//! What systemd is told: READY, RELOADING, STATUS, WATCHDOG, STOPPING (`sd_notify(3)`).
//!
//! The watchdog is tied to progress, not to a timer: it is petted only when every counter that was
//! named has moved since the last time. A hang of any of them stops the petting, and systemd
//! restarts the daemon. Runs as one tokio task; sends are single datagrams.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

use tracing::{debug, warn};

use crate::journal;

/// The line to the service manager; silent where there is none.
#[derive(Debug, Default)]
pub struct Notifier {
    to: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// Takes the address and the watchdog's period from `NOTIFY_SOCKET`, `WATCHDOG_USEC` and
    /// `WATCHDOG_PID`. An address that cannot be used leaves it silent and is logged.
    pub fn from_env() -> Self {
        let Some(address) = std::env::var_os("NOTIFY_SOCKET").filter(|a| !a.is_empty()) else {
            return Self::default();
        };
        let mine =
            std::env::var("WATCHDOG_PID").map_or(true, |pid| pid.parse() == Ok(std::process::id()));
        let period = std::env::var("WATCHDOG_USEC")
            .ok()
            .and_then(|usec| usec.parse().ok())
            .filter(|&usec: &u64| usec > 0 && mine)
            .map(Duration::from_micros);
        Self::to(Path::new(&address), period).unwrap_or_else(|error| {
            warn!(MESSAGE_ID = journal::NOTIFY_UNREACHABLE, EVENT = "notify", ERROR = %error, ADDRESS = %address.display(), "service manager unreachable");
            Self::default()
        })
    }

    /// Sends to the datagram socket at `address` (`@name` is an abstract one), with the watchdog's
    /// period if it is on.
    ///
    /// # Errors
    /// When the address is no socket address, or no socket can be had.
    pub fn to(address: &Path, watchdog: Option<Duration>) -> io::Result<Self> {
        let address = match address.as_os_str().as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(address)?,
        };
        let socket = UnixDatagram::unbound()?;
        // A service manager that does not read must not stop us.
        socket.set_nonblocking(true)?;
        Ok(Self { to: Some((socket, address)), watchdog })
    }

    /// Tells whether a service manager listens.
    pub const fn is_heard(&self) -> bool {
        self.to.is_some()
    }

    /// The watchdog's period: without a pet for that long the daemon is killed.
    pub const fn watchdog_period(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Says that the daemon is ready: the model is warm. With what it is doing.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={}", field(status)));
    }

    /// Says that the configuration is read again; [`Notifier::ready`] says when that is over. With the
    /// monotonic time, by which newer managers tell this reload from one before.
    pub fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let usec = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={usec}"));
    }

    /// Says what the daemon is doing, for `systemctl status`.
    pub fn status(&self, status: &str) {
        self.send(&format!("STATUS={}", field(status)));
    }

    /// Says that the stop has begun.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// Says that all is moving.
    pub fn watchdog(&self) {
        self.send("WATCHDOG=1");
    }

    /// A lost datagram is not worth failing for: the manager's own time limits decide.
    fn send(&self, message: &str) {
        if let Some((socket, address)) = &self.to
            && let Err(error) = socket.send_to_addr(message.as_bytes(), address)
        {
            debug!(EVENT = "notify", ERROR = %error, MESSAGE_LOST = message, "service manager did not take a message");
        }
    }
}

/// A value must stay on its line.
fn field(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// A counter that rises as long as its owner makes progress.
pub type Counter = Box<dyn Fn() -> u64 + Send>;

struct Source {
    name: &'static str,
    read: Counter,
    last: u64,
}

/// Pets systemd's watchdog while everything moves.
pub struct Watchdog {
    sources: Vec<Source>,
    complained: bool,
}

impl std::fmt::Debug for Watchdog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.sources.iter().map(|s| (s.name, s.last))).finish()
    }
}

impl Watchdog {
    /// Watches `sources`: a name for the journal, and a counter. Each must move at least once per
    /// watchdog period while its owner is healthy, also when there is no signal.
    pub fn new(sources: Vec<(&'static str, Counter)>) -> Self {
        let sources =
            sources.into_iter().map(|(name, read)| Source { name, last: read(), read }).collect();
        Self { sources, complained: false }
    }

    /// Tells whether every counter moved since this last said yes; the names of those that did not,
    /// otherwise. Only a yes moves the marks, so that a slow counter has the whole period.
    ///
    /// # Errors
    /// The names of the counters that stand still.
    pub fn check(&mut self) -> Result<(), Vec<&'static str>> {
        let now: Vec<u64> = self.sources.iter().map(|s| (s.read)()).collect();
        let still: Vec<_> = self
            .sources
            .iter()
            .zip(&now)
            .filter(|(s, now)| s.last == **now)
            .map(|(s, _)| s.name)
            .collect();
        if still.is_empty() {
            for (source, now) in self.sources.iter_mut().zip(now) {
                source.last = now;
            }
            return Ok(());
        }
        Err(still)
    }

    /// Pets `notifier` if all moved; says once in the journal what stands still.
    pub fn pet(&mut self, notifier: &Notifier) {
        match self.check() {
            Ok(()) => {
                self.complained = false;
                notifier.watchdog();
            }
            // One tick without progress may be a slow counter; the second is worth a line.
            Err(still) if !self.complained => {
                self.complained = true;
                debug!(EVENT = "watchdog", STILL = ?still, "no progress since the last pet");
            }
            Err(still) => {
                warn!(MESSAGE_ID = journal::WATCHDOG_STILL, EVENT = "watchdog", STILL = ?still, "no progress: the watchdog is not petted");
            }
        }
    }

    /// Pets three times per period until dropped; never returns. Where the watchdog is off it does
    /// nothing.
    pub async fn run(mut self, notifier: std::sync::Arc<Notifier>) {
        let Some(period) = notifier.watchdog_period() else {
            return std::future::pending().await;
        };
        let mut tick = tokio::time::interval((period / 3).max(Duration::from_millis(1)));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            self.pet(&notifier);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::*;

    struct Manager {
        socket: UnixDatagram,
        _dir: tempfile::TempDir,
        path: std::path::PathBuf,
    }

    fn manager() -> Manager {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Manager { socket, _dir: dir, path }
    }

    impl Manager {
        /// A datagram is in the receiver's queue when `send` returns, so nothing needs waiting for.
        fn received(&self) -> Vec<String> {
            let mut buf = [0; 512];
            std::iter::from_fn(|| self.socket.recv(&mut buf).ok().map(|n| buf[..n].to_vec()))
                .map(|m| String::from_utf8(m).unwrap())
                .collect()
        }
    }

    #[test]
    fn nothing_is_said_before_ready_and_a_status_keeps_to_its_line() {
        let manager = manager();
        let notifier = Notifier::to(&manager.path, None).unwrap();
        assert!(manager.received().is_empty());
        notifier.ready("live 1920x1080\nWATCHDOG=trigger");
        notifier.status("no signal");
        notifier.stopping();
        assert_eq!(
            manager.received(),
            ["READY=1\nSTATUS=live 1920x1080 WATCHDOG=trigger", "STATUS=no signal", "STOPPING=1"]
        );
    }

    #[test]
    fn an_abstract_address_works() {
        let name = format!("sonofuse-notify-test-{}", std::process::id());
        let at = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        let socket = UnixDatagram::bind_addr(&at).unwrap();
        Notifier::to(Path::new(&format!("@{name}")), None).unwrap().stopping();
        let mut buf = [0; 32];
        let n = socket.recv(&mut buf).unwrap();
        assert_eq!(&buf[..n], b"STOPPING=1");
    }

    #[test]
    fn a_manager_that_went_away_or_does_not_read_stops_nobody() {
        let manager = manager();
        let notifier = Notifier::to(&manager.path, None).unwrap();
        for _ in 0..10_000 {
            notifier.watchdog();
        }
        drop(manager);
        notifier.watchdog();
    }

    #[test]
    fn the_watchdog_is_petted_only_when_every_counter_moved() {
        let manager = manager();
        let notifier = Notifier::to(&manager.path, Some(Duration::from_secs(1))).unwrap();
        let counters = [Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(7))];
        let source = |i: usize| {
            let counter = Arc::clone(&counters[i]);
            Box::new(move || counter.load(Relaxed)) as Counter
        };
        let mut watchdog = Watchdog::new(vec![("infer", source(0)), ("supervisor", source(1))]);
        watchdog.pet(&notifier);
        assert!(manager.received().is_empty(), "nothing moved");
        counters[0].fetch_add(1, Relaxed);
        watchdog.pet(&notifier);
        assert!(manager.received().is_empty(), "the supervisor stands still");
        assert_eq!(watchdog.check(), Err(vec!["supervisor"]));
        counters[1].fetch_add(1, Relaxed);
        watchdog.pet(&notifier);
        assert_eq!(manager.received(), ["WATCHDOG=1"], "both moved since the last pet");
        watchdog.pet(&notifier);
        assert!(manager.received().is_empty(), "and stand still again");
    }

    #[tokio::test(start_paused = true)]
    async fn the_task_pets_three_times_a_period_while_there_is_progress() {
        let manager = manager();
        let period = Duration::from_secs(3);
        let notifier = Arc::new(Notifier::to(&manager.path, Some(period)).unwrap());
        let beats = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&beats);
        // This counter moves whenever it is read, until it hangs at 4.
        let watchdog = Watchdog::new(vec![(
            "infer",
            Box::new(move || seen.fetch_add(1, Relaxed).min(4)) as Counter,
        )]);
        let task = tokio::spawn(watchdog.run(notifier));
        tokio::time::sleep(period * 4).await;
        task.abort();
        assert_eq!(manager.received(), ["WATCHDOG=1"; 4]);
    }
}
