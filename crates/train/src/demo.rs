//! The recipe of the demo model that ships in `engines/demo`: everything that decides what it is.
//!
//! Seeds, cohorts, input, network and schedule are constants here, chosen before any result was
//! seen; `sonofuse-train demo` with no options trains it again. Simulated tissue only.

mod exams;
mod judge;
mod recipe;
mod run;
mod uncertain;
mod write;

pub use exams::Exam;
pub use judge::{BINS, Figures, Settings, judge, settle};
pub use recipe::{
    Cohorts, ExamCohorts, HELD_OUT, INPUT_SIDES_PX, Stage, architecture, carried_over, cohorts,
    exam_cohorts, heads_plan, input, joined,
};
pub use run::{DemoError, Examined, Judged, Place, Report, examine, run};
pub use uncertain::{Decided, ERROR_RATE, EVIDENCE, ExamFigures};
pub use write::{markdown, rewrite, write};
