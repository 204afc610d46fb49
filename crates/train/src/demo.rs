//! The recipe of the demo model that ships in `engines/demo`: everything that decides what it is.
//!
//! Seeds, cohorts, input, network and schedule are constants here, chosen before any result was
//! seen; `sonofuse-train demo` with no options trains it again. Simulated tissue only.

mod judge;
mod recipe;
mod run;
mod write;

pub use judge::{BINS, Figures, ROOM, Settings, judge, ranges, settle};
pub use recipe::{
    Cohorts, INPUT_SIDES_PX, Stage, architecture, carried_over, cohorts, input, joined,
};
pub use run::{DemoError, Judged, Place, Report, run};
pub use write::{markdown, write};
