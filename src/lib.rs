//! The sonofuse daemon and its command line.
//!
//! A frame comes in at the left (`ingest`), a reading goes out at the right (`publish`, `serve`), what
//! somebody wants to keep is kept (`record`), and nothing on the way waits for anything slower than itself.
//! `ingest`, `scoring`, `publish`, `serve` and `record` never import each other: `daemon` hands them channels.

pub mod audit;
pub mod civil;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod drift;
pub mod ingest;
pub mod journal;
pub mod log;
pub mod mailbox;
pub mod notify;
pub mod panel;
pub mod panics;
pub mod publish;
pub mod record;
pub mod scoring;
pub mod serve;
pub mod shot;
pub mod state;
