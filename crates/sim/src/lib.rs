//! Seeded thyroid phantoms rendered as the screens of ultrasound scanners, with ground truth.
//!
//! Everything here is simulated: no patient, no scanner and no recording stands behind a frame. A
//! frame is a pure function of the configuration and its index, so any frame can be drawn without
//! the ones before it; the [`Simulator`] keeps what one exam needs (speckle field, stiffness map,
//! screen furniture) and draws 1080p at 60 frames a second on one core (`examples/rate.rs` measures
//! it); the next exam is built beside the current one's frames, so that a change of patient does not
//! stall a live picture. The same build gives the same bytes; another platform's mathematics library
//! may differ in the last bit. It runs on the caller's
//! thread, does no I/O and reads no clock.
//!
//! ```
//! use sonofuse_sim::{SimConfig, Simulator, Skin};
//! let config = SimConfig { skin: Skin::AixplorerStacked, width: 640, height: 480, ..SimConfig::default() };
//! let mut simulator = Simulator::new(config)?;
//! let mut bgrx = vec![0; 640 * 480 * 4];
//! let truth = simulator.render(0, &mut bgrx, 640 * 4);
//! assert!(truth.elastogram_box.is_some());
//! # Ok::<(), sonofuse_sim::SimError>(())
//! ```

mod anatomy;
mod cast;
mod chrome;
mod codec;
mod course;
mod elasto;
mod exam;
mod font;
#[cfg(test)]
mod leaks;
mod motion;
mod paint;
mod palette;
mod patient;
mod picture;
mod player;
#[cfg(test)]
mod rank;
mod rng;
mod scan;
mod scenario;
mod screen;
pub mod seeds;
mod skin;
mod speckle;
mod truth;

use thiserror::Error;

use exam::{Exam, Memory, Setting};
use paint::Canvas;
use speckle::NoiseTile;

pub use palette::jet;
pub use patient::{Composition, Echogenicity, PatientId, Plane, Signs};
pub use player::{Picture, Play, Player};
pub use scenario::{HardEndSource, Scenario, ScenarioError};
pub use skin::{Distance, Skin, Traits, UnknownSkin};
pub use truth::{OUTLINE_POINTS, Screen, ShownValues, StiffnessKpa, Support, Truth, Unit};

/// What to simulate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SimConfig {
    /// Seeds everything.
    pub seed: u64,
    /// The scanner's screen.
    pub skin: Skin,
    /// Frame width in pixels, [`SimConfig::MIN_SIDE_PX`] to [`SimConfig::MAX_SIDE_PX`].
    pub width: u32,
    /// Frame height in pixels, likewise.
    pub height: u32,
    /// Frames per second of the video, above 0 and at most 1000.
    pub fps: f64,
    /// Length of an exam in seconds; each exam has a new patient. At most a day.
    pub exam_s: f64,
}

impl SimConfig {
    /// Smallest side of a frame, in pixels.
    pub const MIN_SIDE_PX: u32 = 240;
    /// Largest side of a frame, in pixels.
    pub const MAX_SIDE_PX: u32 = 4096;

    /// Checks every value.
    pub(crate) fn check(&self) -> Result<(), SimError> {
        let Self { width, height, fps, exam_s, .. } = *self;
        let range = Self::MIN_SIDE_PX..=Self::MAX_SIDE_PX;
        if !range.contains(&width) || !range.contains(&height) {
            return Err(SimError::Size { width, height });
        }
        let aspect = f64::from(width) / f64::from(height);
        if !(0.99..=2.4).contains(&aspect) {
            return Err(SimError::Aspect { width, height });
        }
        if !(fps > 0.0 && fps <= 1000.0) {
            return Err(SimError::Rate { fps });
        }
        if !(exam_s > 0.0 && exam_s <= 86_400.0) {
            return Err(SimError::ExamLength { exam_s });
        }
        Ok(())
    }
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            skin: Skin::AixplorerStacked,
            width: 1440,
            height: 1080,
            fps: 60.0,
            exam_s: 20.0,
        }
    }
}

/// Why a configuration cannot be simulated.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum SimError {
    /// A side is out of range.
    #[error(
        "cannot simulate a screen of {width}×{height} px: each side must be {} to {} px",
        SimConfig::MIN_SIDE_PX,
        SimConfig::MAX_SIDE_PX
    )]
    Size {
        /// Width asked for.
        width: u32,
        /// Height asked for.
        height: u32,
    },
    /// The screen is much wider or higher than any scanner's.
    #[error("cannot simulate a screen of {width}×{height} px: it must be between 1:1 and 2.4:1")]
    Aspect {
        /// Width asked for.
        width: u32,
        /// Height asked for.
        height: u32,
    },
    /// The frame rate is not a number of frames.
    #[error("cannot simulate {fps} frames a second: give a rate above 0 and at most 1000")]
    Rate {
        /// Rate asked for.
        fps: f64,
    },
    /// The exam's length is no time.
    #[error("cannot simulate exams of {exam_s} s: give a length above 0 and at most 86400 s")]
    ExamLength {
        /// Length asked for.
        exam_s: f64,
    },
}

/// Renders frames. See the crate's documentation.
pub struct Simulator {
    config: SimConfig,
    frames_per_exam: u64,
    updates_per_exam: u64,
    tile: NoiseTile,
    current: Option<Exam>,
    next: Option<Exam>,
    spare: Option<Memory>,
}

/// Field rows of the next exam that are built beside each frame: a third of a second of video
/// suffices for the highest field, at a fraction of a millisecond a frame.
const ROWS_AHEAD: usize = 4;

impl Simulator {
    /// Prepares to simulate `config`.
    ///
    /// # Errors
    /// [`SimError`] when a value is out of range.
    pub fn new(config: SimConfig) -> Result<Self, SimError> {
        config.check()?;
        let SimConfig { width, fps, exam_s, .. } = config;
        let [_, maps_hz] = config.skin.style().mapping.rate_hz;
        Ok(Self {
            config,
            frames_per_exam: ((fps * exam_s).round() as u64).max(1),
            updates_per_exam: (exam_s * f64::from(maps_hz)).ceil() as u64 + 2,
            tile: NoiseTile::new(config.seed, width as usize),
            current: None,
            next: None,
            spare: None,
        })
    }

    /// What is being simulated.
    pub fn config(&self) -> &SimConfig {
        &self.config
    }

    /// Renders frame `index` as `BGRx` rows of `stride` bytes and returns the truth about it.
    ///
    /// The pixels depend on the configuration and `index` alone.
    ///
    /// # Panics
    /// When `bgrx` does not hold `height` rows of `stride` bytes (the last may end with its pixels)
    /// or `stride` is less than 4·`width`.
    pub fn render(&mut self, index: u64, bgrx: &mut [u8], stride: usize) -> Truth {
        let (width, height) = (self.config.width as usize, self.config.height as usize);
        assert!(
            stride >= width * 4 && bgrx.len() >= stride * (height - 1) + width * 4,
            "a buffer of {} bytes with a stride of {stride} does not hold {width}×{height} px",
            bgrx.len()
        );
        let number = index / self.frames_per_exam;
        let local = index % self.frames_per_exam;
        let t_s = (local as f64 / self.config.fps) as f32;
        self.open(number);
        let updates = self.updates_per_exam;
        let mut canvas = Canvas { px: bgrx, stride, width: width as i32, height: height as i32 };
        let exam = self.current.as_mut().expect("open() has put the exam here");
        let moment = exam.draw(t_s, &self.tile, &mut canvas);
        exam.code(&mut canvas);
        let truth = exam.truth(index, updates, &moment);
        self.work_ahead(number, local);
        truth
    }

    /// Pixels `[x, y]` of the last frame that hold writing over the images (a note, a table of results);
    /// one may come more than once.
    pub fn letters(&self) -> &[[i16; 2]] {
        self.current.as_ref().map_or(&[], Exam::letters)
    }

    fn make(&mut self, number: u64) -> Exam {
        let SimConfig { seed, skin, width, height, exam_s, .. } = self.config;
        let memory = self.spare.take().unwrap_or_default();
        Exam::new(Setting::ordinary(seed, number, skin, [width, height], exam_s as f32), memory)
    }

    /// Makes exam `number` the current one, complete.
    fn open(&mut self, number: u64) {
        if self.current.as_ref().is_some_and(|e| e.number == number) {
            return;
        }
        self.spare = self.current.take().map(Exam::into_memory).or(self.spare.take());
        let ready = self.next.take().filter(|e| e.number == number);
        let mut exam = ready.unwrap_or_else(|| self.make(number));
        while !exam.advance(64) {}
        self.current = Some(exam);
    }

    /// Builds a little of the exam that follows, so that its start does not stall the video.
    fn work_ahead(&mut self, number: u64, local: u64) {
        match &mut self.next {
            Some(next) => {
                next.advance(ROWS_AHEAD);
            }
            // Not at the exam's first frame, which has its own field to build when it is opened cold.
            None if local > 0 => self.next = Some(self.make(number.wrapping_add(1))),
            None => {}
        }
    }
}
