//! The journal: fields, not prose. On a terminal they become human lines on stderr; under systemd
//! they go to journald as native fields, so that `journalctl EVENT=source` finds them.
//!
//! Levels: `info` for changes of state and a summary once a minute, `warn` once per cause, `trace`
//! for anything per frame. `SONOFUSE_LOG` filters (`info,sonofuse::ingest=debug`). Set up once, in
//! `main`, before other threads start.

use std::fmt::{self, Write as _};
use std::io::IsTerminal;
use std::time::SystemTime;

use thiserror::Error;
use tracing::field::{Field, Visit};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The environment variable that filters the log.
pub const FILTER_VAR: &str = "SONOFUSE_LOG";

/// The identifier in the journal (`journalctl -t sonofuse`).
pub const IDENTIFIER: &str = "sonofuse";

/// Where the log goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// journald when stderr is connected to it, otherwise stderr.
    #[default]
    Auto,
    /// Human lines on stderr.
    Stderr,
    /// journald's native protocol.
    Journal,
}

/// Why there is no log.
#[derive(Debug, Error)]
pub enum LogError {
    /// The filter cannot be read.
    #[error(
        "cannot read the log filter {FILTER_VAR}={filter:?}: use a level (error, warn, info, debug, trace) or a list such as \"info,sonofuse::ingest=debug\""
    )]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// journald was asked for and cannot be reached.
    #[error("cannot log to journald at /run/systemd/journal/socket: is systemd-journald running?")]
    Journal(#[source] std::io::Error),
    /// Called twice.
    #[error("the log is already set up")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
}

/// Sets up the log for the whole process and says where it goes.
///
/// # Errors
/// [`LogError`]; with [`Target::Auto`] a journald that cannot be reached is no error, stderr serves.
pub fn init(target: Target) -> Result<Target, LogError> {
    // Who watches the readings in a terminal sees every change there.
    init_for(target, std::io::stdout().is_terminal() && std::io::stderr().is_terminal())
}

/// The same where what happens is `watched` in other words: the log says only what is wrong.
///
/// # Errors
/// As [`init`].
pub fn init_for(target: Target, watched: bool) -> Result<Target, LogError> {
    let level = if watched { "warn" } else { "info" };
    let filter = filter(std::env::var(FILTER_VAR).ok().as_deref(), level)?;
    let journal = match target {
        Target::Journal => Some(journal_layer().map_err(LogError::Journal)?),
        Target::Auto if stderr_is_the_journal() => journal_layer().ok(),
        Target::Auto | Target::Stderr => None,
    };
    let registry = tracing_subscriber::registry().with(filter);
    if let Some(layer) = journal {
        registry.with(layer).try_init().map_err(LogError::Twice)?;
        return Ok(Target::Journal);
    }
    let colour = crate::publish::lines::Style::detect(&std::io::stderr())
        != crate::publish::lines::Style::Plain;
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .with_target(false)
        .fmt_fields(ForPeople)
        .with_timer(Clock { short: std::io::stderr().is_terminal() });
    registry.with(layer).try_init().map_err(LogError::Twice)?;
    Ok(Target::Stderr)
}

fn filter(text: Option<&str>, default: &str) -> Result<EnvFilter, LogError> {
    match text.map(str::trim).filter(|t| !t.is_empty()) {
        None => Ok(EnvFilter::new(default)),
        Some(text) => EnvFilter::try_new(text)
            .map_err(|source| LogError::Filter { filter: text.to_owned(), source }),
    }
}

/// Fields keep their own names, and `info` is the journal's `info` (the layer's default is `notice`,
/// which hides the difference between a change of state and something remarkable).
fn journal_layer() -> std::io::Result<tracing_journald::Layer> {
    Ok(tracing_journald::layer()?
        .with_field_prefix(None)
        .with_syslog_identifier(IDENTIFIER.to_owned())
        .with_priority_mappings(PriorityMappings {
            error: Priority::Error,
            warn: Priority::Warning,
            info: Priority::Informational,
            debug: Priority::Debug,
            trace: Priority::Debug,
        }))
}

/// Tells whether stderr is the stream that systemd connected to the journal: `JOURNAL_STREAM` names
/// its device and inode. The variable alone proves nothing, children inherit it.
fn stderr_is_the_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    rustix::fs::fstat(std::io::stderr()).is_ok_and(|stat| names(&stream, stat.st_dev, stat.st_ino))
}

fn names(stream: &str, dev: u64, ino: u64) -> bool {
    stream.split_once(':').is_some_and(|(d, i)| d.parse() == Ok(dev) && i.parse() == Ok(ino))
}

/// The fields of a human line: all but the message id, which says something to a catalog only.
struct ForPeople;

impl<'w> FormatFields<'w> for ForPeople {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = Line { writer, begun: false, result: Ok(()) };
        fields.record(&mut line);
        line.result
    }
}

struct Line<'w> {
    writer: Writer<'w>,
    begun: bool,
    result: fmt::Result,
}

impl Line<'_> {
    fn write(&mut self, name: &str, value: &dyn fmt::Debug) -> fmt::Result {
        if std::mem::replace(&mut self.begun, true) {
            self.writer.write_char(' ')?;
        }
        match name {
            "message" => {}
            _ if self.writer.has_ansi_escapes() => {
                write!(self.writer, "\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m")?;
            }
            _ => write!(self.writer, "{name}=")?,
        }
        write!(Tame(&mut self.writer), "{value:?}")
    }
}

/// Words from devices and files cannot drive the terminal.
struct Tame<'a, W>(&'a mut W);

impl<W: fmt::Write> fmt::Write for Tame<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| {
            if c.is_control() && c != '\n' && c != '\t' {
                write!(self.0, "{}", c.escape_default())
            } else {
                self.0.write_char(c)
            }
        })
    }
}

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() != crate::journal::FIELD && self.result.is_ok() {
            self.result = self.write(field.name(), value);
        }
    }
}

/// Short on a terminal; with the date where lines are kept.
struct Clock {
    short: bool,
}

impl FormatTime for Clock {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        if self.short {
            w.write_str(&crate::publish::lines::utc_time(SystemTime::now()))
        } else {
            tracing_subscriber::fmt::time::SystemTime.format_time(w)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_filter_says_what_would_be_right() {
        let error = filter(Some("sonofuse=loud"), "info").unwrap_err().to_string();
        assert!(error.contains("sonofuse=loud") && error.contains("debug"), "{error}");
        assert_eq!(filter(Some("  "), "info").unwrap().to_string(), "info");
        assert_eq!(filter(None, "info").unwrap().to_string(), "info");
    }

    #[test]
    fn a_human_line_has_no_message_id_and_no_control_characters() {
        #[derive(Clone, Default)]
        struct Sink(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
        impl std::io::Write for Sink {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.lock().unwrap().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let sink = Sink::default();
        let writer = sink.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .fmt_fields(ForPeople);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let said = "bell\x07 \x1b[2J";
            tracing::info!(MESSAGE_ID = "0123", EVENT = "test", WHY = %said, N = 3, "words: {said}");
        });
        let line = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        let words = r#"words: bell\u{7} \u{1b}[2J EVENT="test" WHY=bell\u{7} \u{1b}[2J N=3"#;
        assert!(line.trim_end().ends_with(words), "{line}");
        assert!(!line.contains("0123"), "{line}");
    }

    #[test]
    fn only_the_very_stream_that_systemd_named_is_the_journal() {
        assert!(names("9:1234", 9, 1234));
        for other in ["9:1235", "8:1234", "9", "", "9:1234:5", "x:y"] {
            assert!(!names(other, 9, 1234), "{other}");
        }
    }
}
