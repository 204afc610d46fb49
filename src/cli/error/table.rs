//! The one table of error kind → exit code, for every command.
//!
//! Each error that a command can end with is listed here with all its kinds: the compiler refuses a
//! kind without a code, and `docs/reference/exit-codes.md` shows the table as it is.

use std::error::Error;

use sonofuse_dicom::StillError;
use sonofuse_gpu::cache::CacheError;
use sonofuse_sim::{ScenarioError, SimError};

use super::Exit;
use crate::cli::ctl::CtlError;
use crate::cli::engine::EngineError;
use crate::config::ConfigError;
use crate::daemon::DaemonError;
use crate::ingest::encode::EncodeError;
use crate::ingest::{IngestError, PresetError};
use crate::log::LogError;
use crate::panel::SnapshotError;
use crate::publish::display::DisplayError;
use crate::record::store::StoreError;
use crate::scoring::ScoringError;
use crate::scoring::gpu::Obstacle;
use crate::serve::SocketError;

/// An error that a command can end with.
pub(in crate::cli) trait HasExit: Error {
    /// What it is about, in the reference.
    #[cfg_attr(not(test), allow(dead_code))]
    const AREA: &'static str;
    /// All its kinds, by their names in the reference.
    #[cfg_attr(not(test), allow(dead_code))]
    const KINDS: &'static [&'static str];

    /// Its kind, and the code of that.
    fn kind(&self) -> (&'static str, Exit);

    /// The code that the command ends with.
    fn exit(&self) -> Exit {
        self.kind().1
    }
}

macro_rules! exits {
    ($($error:ty, $area:literal { $($kind:literal: $pattern:pat $(if $guard:expr)? => $exit:expr,)+ })+) => {$(
        impl HasExit for $error {
            const AREA: &'static str = $area;
            const KINDS: &'static [&'static str] = &[$($kind),+];

            fn kind(&self) -> (&'static str, Exit) {
                match self { $($pattern $(if $guard)? => ($kind, $exit),)+ }
            }
        }
    )+};
}

exits! {
    ConfigError, "configuration" {
        "cannot be read": Self::Read { .. } => Exit::Config,
        "cannot be understood": Self::Parse { .. } => Exit::Config,
        "a value out of range": Self::Value { .. } => Exit::Config,
        "no such model": Self::NotFound { .. } => Exit::Config,
    }
    LogError, "log" {
        "wrong filter": Self::Filter { .. } => Exit::Config,
        "no journald": Self::Journal(_) | Self::Twice(_) => Exit::Os,
    }
    PresetError, "preset" {
        "not set up": Self::NotSetUp => Exit::Config,
        "none of that name": Self::NotFound { .. } => Exit::Config,
        "cannot be read": Self::Read { .. } => Exit::Config,
        "cannot be understood": Self::Syntax { .. } => Exit::Config,
        "a value out of range": Self::Key { .. } => Exit::Config,
        "no source of its launch text": Self::Launch { .. } => Exit::Config,
        "an element that presets may not use": Self::NotAllowed { .. } => Exit::Config,
        "elements not installed": Self::MissingElements { .. } => Exit::Unavailable,
        "a wrong parameter, or its file is not there": Self::Param { .. } => Exit::Config,
    }
    IngestError, "video" {
        "GStreamer does not start": Self::Init(_) => Exit::Unavailable,
        "an element not installed": Self::Missing(_) => Exit::Unavailable,
        "its preset": Self::Preset(e) => e.exit(),
        "a file that cannot be decoded, or not to its end": Self::File { .. } => Exit::Data,
    }
    EncodeError, "writing a video" {
        "GStreamer does not start": Self::Init(_) => Exit::Unavailable,
        "its name tells no container": Self::Name(_) => Exit::Usage,
        "no encoder": Self::Missing(_) => Exit::Unavailable,
        "the codec fails": Self::Codec(_) => Exit::Software,
        "cannot be written": Self::Failed { .. } => Exit::CantCreate,
    }
    SimError, "simulator" {
        "size": Self::Size { .. } => Exit::Usage,
        "shape": Self::Aspect { .. } => Exit::Usage,
        "rate": Self::Rate { .. } => Exit::Usage,
        "length": Self::ExamLength { .. } => Exit::Usage,
    }
    ScenarioError, "scripted exam" {
        "none of that name": Self::Unknown { .. } => Exit::Usage,
        "cannot be understood": Self::Form(_) => Exit::Data,
        "a wrong value": Self::Value { .. } => Exit::Data,
    }
    ScoringError, "model" {
        "no such scorer": Self::Backend { .. } => Exit::Config,
        "cannot be read": Self::Read { .. } => Exit::Config,
        "a wrong manifest": Self::Manifest { .. } => Exit::Config,
        "another digest": Self::Digest { .. } => Exit::Config,
        "cannot be loaded": Self::Load { .. } => Exit::Config,
        "wrong answers": Self::Golden { .. } => Exit::Config,
        "no GPU where one is demanded": Self::Gpu(_) => Exit::Config,
        "fails on its first run": Self::FirstRun { .. } => Exit::Software,
    }
    Obstacle, "GPU" {
        "no driver": Self::NoDriver { .. } => Exit::Unavailable,
        "the driver does not work": Self::Driver(_) => Exit::Unavailable,
        "driver and library differ": Self::DriverReplaced(_) => Exit::Unavailable,
        "the driver is too old": Self::OldDriver { .. } => Exit::Unavailable,
        "no such device": Self::NoDevice { .. } => Exit::Unavailable,
        "the device is too old": Self::OldDevice(_) => Exit::Unavailable,
        "no TensorRT": Self::NoTensorRt(_) => Exit::Unavailable,
        "a TensorRT that cannot be used": Self::TensorRt(_) => Exit::Unavailable,
        "no engine": Self::NoEngine { .. } => Exit::Unavailable,
        "a build that failed": Self::BuildFailed(_) => Exit::Software,
        "an engine that cannot be read": Self::Unreadable(_) => Exit::Data,
        "an engine that does not start": Self::Start(_) => Exit::Software,
        "an engine with wrong answers": Self::Wrong(_) => Exit::Data,
        "it failed": Self::Failed(_) => Exit::Software,
        "it was not asked": Self::NotAsked => Exit::Unavailable,
    }
    CacheError, "engine cache" {
        "full": Self::Full { .. } => Exit::Io,
        "cannot be read or written": Self::Io { .. } => Exit::Io,
        "no engine of ours": Self::Foreign { .. } => Exit::Data,
        "a damaged engine": Self::Damaged { .. } => Exit::Data,
        "an engine that everybody may write": Self::Untrusted { .. } => Exit::Data,
    }
    EngineError, "engine" {
        "the GPU": Self::Obstacle(e) => e.exit(),
        "TensorRT does not build it": Self::Build(_) => Exit::Software,
        "the cache": Self::Cache(e) => e.exit(),
    }
    StillError, "picture" {
        "cannot be opened": Self::Open(_) => Exit::NoInput,
        "not a file": Self::NotAFile => Exit::NoInput,
        "empty": Self::Empty => Exit::Data,
        "of no known kind": Self::Unrecognised { .. } => Exit::Data,
        "cannot be read": Self::Read(_) => Exit::Io,
        "too large": Self::Size { .. } => Exit::Data,
        "too long": Self::TooLong { .. } => Exit::Data,
        "truncated": Self::Truncated(_) => Exit::Data,
        "damaged": Self::Damaged { .. } => Exit::Data,
        "of a sort that is not read": Self::Unsupported(_) => Exit::Data,
        "without a picture": Self::NoPicture(_) => Exit::Data,
        "not whole": Self::Incomplete(_) => Exit::Data,
        "no frame": Self::Frame(_) => Exit::Data,
    }
    SocketError, "socket" {
        // It passes by itself when that process ends; systemd tries again.
        "served by another process": Self::Live { .. } => Exit::Unavailable,
        "not a socket": Self::NotASocket { .. } => Exit::Config,
        "cannot be made": Self::Io { .. } => Exit::Config,
        "another thing handed over": Self::Inherited(_) => Exit::Config,
    }
    DisplayError, "display" {
        "no sink's name": Self::Unreadable { .. } => Exit::Config,
        "a sink not installed": Self::Missing { .. } => Exit::Unavailable,
        "not a sink": Self::NotASink { .. } => Exit::Config,
        // A screen may come later than the service.
        "does not start": Self::Start { .. } => Exit::Unavailable,
    }
    SnapshotError, "snapshot" {
        "cannot be written": Self::Write { .. } => Exit::Io,
    }
    StoreError, "evidence" {
        "the system refuses": Self::Io { source, .. }
            if source.kind() == std::io::ErrorKind::PermissionDenied => Exit::NoPermission,
        "cannot be read or written": Self::Io { .. } => Exit::Io,
        "no room": Self::Full { .. } => Exit::Io,
        "another process writes": Self::Locked(_) => Exit::TempFail,
        "no folder": Self::NoFolder => Exit::Config,
        "no such evidence": Self::NoSuch { .. } => Exit::NoInput,
        "protected": Self::Protected(_) => Exit::NoPermission,
    }
    CtlError, "ctl" {
        "a word that is no KEY=VALUE": Self::Words(_) => Exit::Usage,
        "malformed; unknown-verb; wrong-value": Self::Refused { kind, .. }
            if ["malformed", "unknown-verb", "wrong-value"].contains(&kind.as_str()) => Exit::Usage,
        "not-allowed": Self::Refused { kind, .. } if kind == "not-allowed" => Exit::NoPermission,
        "nothing-there; busy": Self::Refused { kind, .. }
            if ["nothing-there", "busy"].contains(&kind.as_str()) => Exit::TempFail,
        "failed": Self::Refused { .. } => Exit::Unavailable,
        "no daemon": Self::NoDaemon { .. } => Exit::Unavailable,
        "no answer": Self::NoAnswer { .. } => Exit::Io,
        "not for this user": Self::Permission { .. } => Exit::NoPermission,
    }
    DaemonError, "run" {
        "configuration": Self::Config(e) => e.exit(),
        "preset": Self::Preset(e) => e.exit(),
        "video": Self::Ingest(e) => e.exit(),
        "model": Self::Scoring(e) => e.exit(),
        "readings socket": Self::Socket(e) => e.exit(),
        "control socket": Self::Control(e) => e.exit(),
        // Another process may hold it; it may leave.
        "metrics' address": Self::Metrics { .. } => Exit::Unavailable,
        // As above.
        "page's address": Self::Web { .. } => Exit::Unavailable,
        "display": Self::Display(e) => e.exit(),
        "snapshot": Self::Snapshot(e) => e.exit(),
        "no place for the snapshot": Self::SnapshotPlace { .. } => Exit::CantCreate,
        "standard output cannot be written": Self::Stdout(..) => Exit::Io,
        "only a restart helps": Self::Fatal(_) => Exit::Software,
        "the system refuses": Self::System { .. } => Exit::Os,
    }
}

#[cfg(test)]
mod tests;
