//! Lines on stdout, whole or not at all: each is written and flushed at once, so that a reader at
//! the other end of a pipe never waits for the next one, and a kill never leaves half a line.

use std::io::{self, ErrorKind, StdoutLock, Write};

use serde::Serialize;

use super::error::{CliError, Exit};
use super::plain::plain;

/// Stdout, held for the length of a command.
#[derive(Debug)]
pub(super) struct Output {
    stdout: StdoutLock<'static>,
    line: Vec<u8>,
}

impl Output {
    pub(super) fn new() -> Self {
        Self { stdout: io::stdout().lock(), line: Vec::new() }
    }

    /// Writes one line of text; what would command a terminal is written in letters.
    pub(super) fn line(&mut self, text: &str) -> Result<(), CliError> {
        self.styled(&plain(text))
    }

    /// Writes text of several lines that are meant.
    pub(super) fn lines(&mut self, text: &str) -> Result<(), CliError> {
        text.split('\n').try_for_each(|line| self.line(line))
    }

    /// Writes a line whose colours are the program's own, and in which all else is plain.
    pub(super) fn styled(&mut self, text: &str) -> Result<(), CliError> {
        self.line.clear();
        self.line.extend_from_slice(text.as_bytes());
        self.end_line()
    }

    /// Writes one line of JSON.
    pub(super) fn json(&mut self, value: &impl Serialize) -> Result<(), CliError> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, value)
            .map_err(|e| CliError::caused(Exit::Software, "cannot write a line as JSON", &e))?;
        self.end_line()
    }

    fn end_line(&mut self) -> Result<(), CliError> {
        self.line.push(b'\n');
        self.stdout.write_all(&self.line).and_then(|()| self.stdout.flush()).map_err(|e| {
            if e.kind() == ErrorKind::BrokenPipe {
                CliError::reader_gone()
            } else {
                CliError::caused(Exit::Io, "cannot write to standard output", &e)
            }
        })
    }
}
