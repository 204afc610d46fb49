//! The recipe of the demo model that ships in `engines/demo`: everything that decides what it is.
//!
//! Seeds, cohorts, input, network and schedule are constants here, chosen before any result was
//! seen; `sonofuse-train demo` with no options trains it again. Simulated tissue only.

mod recipe;

pub use recipe::{Cohorts, INPUT_SIDES_PX, cohorts, input};
