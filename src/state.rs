//! What the daemon knows about its source, as published to the journal, the overlay and systemd.

/// State of the capture pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// The pipeline is being built or waits for its first frame; `attempt` counts from 0.
    Connecting {
        /// How often it was rebuilt since it was last live.
        attempt: u32,
    },
    /// Frames arrive.
    Live {
        /// Frame width in pixels.
        width: u32,
        /// Frame height in pixels.
        height: u32,
        /// Raw format by GStreamer's name.
        format: String,
    },
    /// Frames arrive, but they show no scanner: a uniform, blue or "no signal" picture, or the
    /// capture device says that it lost its signal.
    NoSignal {
        /// What was seen.
        why: String,
    },
    /// The source was live and sent nothing for longer than its preset allows.
    Stalled {
        /// How long, in milliseconds.
        quiet_ms: u64,
    },
    /// The pipeline failed and will be rebuilt.
    Lost {
        /// The element's own words.
        why: String,
        /// How long until the next attempt, in milliseconds.
        retry_ms: u64,
    },
    /// Nobody has said yet where pictures come from.
    NotSetUp,
    /// A finite source came to its end, or ingest was stopped.
    Ended,
}
