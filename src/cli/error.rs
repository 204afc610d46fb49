//! How a command fails: one clear line on stderr, the causes after it, and a sysexits code.

use std::error::Error;
use std::fmt::{self, Display};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use sonofuse_dicom::StillError;

use super::plain::block;

pub(super) use self::table::HasExit;

mod table;

/// The exit codes in use (BSD's `sysexits.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// The command line is wrong.
    Usage = 64,
    /// An input was read and is wrong.
    Data = 65,
    /// An input is not there or cannot be opened.
    NoInput = 66,
    /// Something that is needed is missing on this machine.
    Unavailable = 69,
    /// A fault of the program itself.
    Software = 70,
    /// The operating system refused something that it should give.
    Os = 71,
    /// An output cannot be created.
    CantCreate = 73,
    /// Reading or writing failed.
    Io = 74,
    /// Not now: later it may be done.
    TempFail = 75,
    /// Not for this user, or not by this configuration.
    NoPermission = 77,
    /// The configuration is wrong: starting again does not help.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command failed.
#[derive(Debug)]
pub struct CliError {
    exit: Exit,
    message: String,
    causes: Vec<String>,
}

impl CliError {
    /// Says what failed.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), causes: Vec::new() }
    }

    /// Says what failed, with `error` and everything behind it as its causes.
    pub fn caused(exit: Exit, message: impl Into<String>, error: &dyn Error) -> Self {
        let mut this = Self::new(exit, message);
        let mut next = Some(error);
        while let Some(e) = next {
            this.push(e.to_string());
            next = e.source();
        }
        this
    }

    /// Takes `error`'s own words as the line, and the code of its kind.
    pub(super) fn of(error: &impl HasExit) -> Self {
        Self::from_error(error.exit(), error)
    }

    /// Takes `error`'s own words as the line, and what is behind it as the causes.
    pub fn from_error(exit: Exit, error: &dyn Error) -> Self {
        let mut this = Self::caused(exit, String::new(), error);
        this.message = this.causes.remove(0);
        this
    }

    /// Adds a cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.push(cause.into());
        self
    }

    /// Many errors print their source in their own text; it is not told twice.
    fn push(&mut self, cause: String) {
        let told = |said: &String| said.contains(cause.trim_end());
        if !told(&self.message) && !self.causes.iter().any(told) {
            self.causes.push(cause);
        }
    }

    /// Whoever read the output has gone (`| head`): nothing to say, and nobody to say it to.
    pub(super) fn reader_gone() -> Self {
        Self::new(Exit::Io, String::new())
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Prints the error on stderr and returns its code.
    pub(super) fn report(&self) -> ExitCode {
        if !self.message.is_empty() {
            // Nobody is left to tell when stderr is closed.
            let _ = writeln!(io::stderr().lock(), "{self}");
        }
        self.exit.into()
    }
}

impl Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sonofuse: {}", block(&self.message, "  "))?;
        for cause in &self.causes {
            write!(f, "\n  caused by: {}", block(cause, "    "))?;
        }
        Ok(())
    }
}

impl Error for CliError {}

/// Names the file in front of what is wrong with it.
pub fn unreadable(path: &Path, error: &StillError) -> CliError {
    CliError::new(error.exit(), format!("{}: {error}", path.display()))
}

/// Collects what went wrong with single inputs while the others go on: a line on stderr for each at
/// once, one code at the end.
#[derive(Debug, Default)]
pub struct Failures {
    count: usize,
    exit: Option<Exit>,
}

impl Failures {
    /// Tells of one failure now, and remembers it.
    pub fn add(&mut self, error: &CliError) {
        self.count += 1;
        // The first kind seen names the whole, but wrong data outranks a missing file: the caller
        // must look into a file rather than for it.
        self.exit = Some(match self.exit {
            Some(Exit::NoInput) | None => error.exit,
            Some(before) => before,
        });
        error.report();
    }

    /// The end of the whole command; `of` inputs, called `what`.
    ///
    /// # Errors
    /// When anything failed.
    pub fn finish(self, of: usize, what: &str) -> Result<(), CliError> {
        match self.exit {
            None => Ok(()),
            // The one line was said already.
            Some(exit) if of == 1 => Err(CliError::new(exit, "")),
            Some(exit) => Err(CliError::new(
                exit,
                format!("{} of {of} {what} could not be read (see above)", self.count),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_follow_the_line_and_nothing_is_told_twice() {
        let io = io::Error::other("the disk is on fire");
        let still = StillError::Read(io);
        let error = CliError::caused(Exit::Io, "a.png: cannot be scored", &still);
        assert_eq!(
            error.to_string(),
            "sonofuse: a.png: cannot be scored\n  caused by: cannot be read: the disk is on fire"
        );
    }

    #[test]
    fn wrong_data_outranks_a_missing_file() {
        let mut failures = Failures::default();
        failures.add(&CliError::new(Exit::NoInput, ""));
        failures.add(&CliError::new(Exit::Data, ""));
        failures.add(&CliError::new(Exit::NoInput, ""));
        let end = failures.finish(5, "images").err();
        assert_eq!(end.as_ref().map(CliError::exit), Some(Exit::Data));
        assert!(end.is_some_and(|e| e.to_string().contains("3 of 5 images")));
    }
}
