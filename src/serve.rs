//! What others talk to: the socket that streams readings, the socket that takes commands, and the
//! input device whose keys are commands; the page; and the metrics.
//!
//! All of it runs on tokio. Nothing here knows how a frame is captured, scored or shown: readings come
//! by a ring that never waits, commands go to whoever the daemon hands over.

use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;

pub mod control;
mod door;
pub mod keys;
mod listener;
pub mod metrics;
pub mod readings;
pub mod told;
pub mod web;

pub use listener::{FD_NAME, Listener, SocketError};

/// A peer that does not take a line for this long is cut off.
pub const CUT_OFF: Duration = Duration::from_secs(5);

/// Resolves when the stop was asked for, or when there is nobody left to ask.
async fn raised(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|&stop| stop).await;
}

/// One line of JSON with its end.
fn line(said: &impl Serialize) -> String {
    let mut line = serde_json::to_string(said).expect("plain keys and values");
    line.push('\n');
    line
}
