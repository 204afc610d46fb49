//! The pure heart of sonofuse: what a frame is, where the two views are on it, how they become the
//! network's input, and what a reading says.
//!
//! Nothing here does I/O, starts a thread or reads a clock; the daemon, the simulator and the
//! trainer share this crate, so that training and serving see exactly the same pixels.
//!
//! The data flows `Frame → DualView → FusionInput → Logit → Malignancy → Reading`.

pub mod aggregate;
pub mod answer;
pub mod assess;
pub mod banner;
pub mod calibrate;
pub mod control;
pub mod drift;
pub mod evidence;
pub mod exam;
pub mod explain;
pub mod familiar;
pub mod frame;
pub mod gate;
pub mod layout;
pub mod manifest;
pub mod mask;
pub mod picture;
pub mod preprocess;
pub mod published;
pub mod quality;
pub mod reading;
pub mod region;
pub mod stiffness;
pub mod words;

/// Said by every output that leaves sonofuse.
pub const NOTICE: &str = "research use only, not a medical device";
