//! How far a build is, for a person who would otherwise think that the machine hangs: a line that
//! rewrites itself on a terminal, a line now and then elsewhere, and systemd's status.
//!
//! TensorRT tells from threads of its own; a thread of ours prints. TensorRT 8.6 tells nothing: the
//! seconds are then all that moves.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sonofuse_tensorrt::ProgressMonitor;

use crate::notify::Notifier;

/// How often a terminal is written to, and a log.
const TERMINAL: Duration = Duration::from_millis(500);
const LOG: Duration = Duration::from_secs(15);

/// Phases that are open, the outermost first.
#[derive(Debug, Default)]
struct Phases {
    open: Vec<Phase>,
    /// Never goes back, also where one phase follows another.
    furthest: f64,
}

#[derive(Debug)]
struct Phase {
    name: String,
    steps: u32,
    done: u32,
}

impl Phases {
    fn start(&mut self, name: &str, steps: u32) {
        self.open.push(Phase { name: name.to_owned(), steps, done: 0 });
    }

    fn step(&mut self, name: &str, step: u32) {
        if let Some(phase) = self.open.iter_mut().rev().find(|phase| phase.name == name) {
            phase.done = phase.done.max(step.saturating_add(1));
        }
        self.furthest = self.furthest.max(self.now());
    }

    fn finish(&mut self, name: &str) {
        if let Some(at) = self.open.iter().rposition(|phase| phase.name == name) {
            self.open.truncate(at);
        }
    }

    /// Part of the open phases that is done, 0 to 1.
    fn now(&self) -> f64 {
        let (mut part, mut scale) = (0.0, 1.0);
        for phase in &self.open {
            let steps = f64::from(phase.steps.max(1));
            part += scale * (f64::from(phase.done) / steps).min(1.0);
            scale /= steps;
        }
        part.min(1.0)
    }

    fn text(&self, elapsed: Duration) -> String {
        let mut text = String::from("building the engine: ");
        if self.furthest > 0.0 || !self.open.is_empty() {
            let _ = write!(text, "{:.0} %, ", self.furthest * 100.0);
        }
        let _ = write!(text, "{} s", elapsed.as_secs());
        if let Some(phase) = self.open.last() {
            let _ = write!(text, " ({})", phase.name);
        }
        text
    }
}

/// Prints until it is dropped.
pub(super) struct Progress {
    phases: Arc<Mutex<Phases>>,
    end: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Starts to print to standard error, and to tell the service manager.
    pub(super) fn start() -> Self {
        let phases = Arc::new(Mutex::new(Phases::default()));
        let (end, ended) = channel::<()>();
        let seen = Arc::clone(&phases);
        let printer = move || {
            let notifier = Notifier::from_env();
            let begun = Instant::now();
            let terminal = std::io::stderr().is_terminal();
            let every = if terminal { TERMINAL } else { LOG };
            while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                let text = lock(&seen).text(begun.elapsed());
                notifier.status(&text);
                let mut out = std::io::stderr().lock();
                // Nobody may be left to read; the build goes on.
                let _ = if terminal {
                    write!(out, "\r\x1b[K{text}").and_then(|()| out.flush())
                } else {
                    writeln!(out, "sonofuse: {text}")
                };
            }
            if terminal {
                let _ = write!(std::io::stderr(), "\r\x1b[K");
            }
        };
        let thread = std::thread::Builder::new().name("progress".into()).spawn(printer);
        // Without a thread the build goes on in silence.
        Self { phases, end: thread.ok().map(|thread| (end, thread)) }
    }

    /// What TensorRT tells.
    pub(super) fn monitor(&self) -> Box<dyn ProgressMonitor> {
        Box::new(Monitor(Arc::clone(&self.phases)))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.end.take() {
            drop(end);
            let _ = thread.join();
        }
    }
}

struct Monitor(Arc<Mutex<Phases>>);

fn lock(phases: &Mutex<Phases>) -> std::sync::MutexGuard<'_, Phases> {
    phases.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ProgressMonitor for Monitor {
    fn phase_start(&self, phase: &str, _parent: Option<&str>, steps: u32) {
        lock(&self.0).start(phase, steps);
    }

    fn step_complete(&self, phase: &str, step: u32) -> ControlFlow<()> {
        lock(&self.0).step(phase, step);
        ControlFlow::Continue(())
    }

    fn phase_finish(&self, phase: &str) {
        lock(&self.0).finish(phase);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_phases_add_up_and_the_figure_never_goes_back() {
        let mut phases = Phases::default();
        let second = Duration::from_secs(1);
        assert_eq!(phases.text(second), "building the engine: 1 s");
        phases.start("build", 2);
        phases.start("tactics", 4);
        phases.step("tactics", 0);
        phases.step("tactics", 1);
        assert_eq!(phases.text(second), "building the engine: 25 %, 1 s (tactics)");
        phases.finish("tactics");
        phases.step("build", 0);
        assert_eq!(phases.text(second), "building the engine: 50 %, 1 s (build)");
        // An empty phase, one that nobody opened, steps beyond the end.
        phases.start("empty", 0);
        phases.step("empty", 7);
        phases.step("unknown", 1);
        phases.finish("unknown");
        assert!(phases.now() <= 1.0);
        phases.finish("build");
        assert!(phases.open.is_empty());
        phases.start("serialise", 10);
        phases.step("serialise", 0);
        assert!(phases.text(second).contains("100 %"), "{}", phases.text(second));
    }
}
