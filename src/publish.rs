//! What shows readings on this machine: lines on a terminal, the scanner's picture with the panel
//! beside it.
//!
//! Every way out takes readings as they come and keeps nobody waiting: the caller is the infer
//! thread. Each carries [`sonofuse_core::NOTICE`]. Nothing here knows how a frame is captured or
//! scored.

pub mod display;
pub mod lines;
