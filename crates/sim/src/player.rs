//! Plays a scenario: picture by picture, with the truth about each. A picture is a pure function of
//! the scenario, the rate and its number; what the player keeps only saves work. A picture that is
//! the one before is not drawn again. Runs on the caller's thread.

use sonofuse_core::frame::{Frame, FrameError, FrameFormat, FrameMeta, PixelFormat};

use crate::SimError;
use crate::cast::Cast;
use crate::chrome::Marks;
use crate::course::{Course, Places, Signal};
use crate::exam::{Exam, Memory, Tints};
use crate::motion::{Pose, Timeline};
use crate::paint::Overlay;
use crate::rng::mix;
use crate::scenario::{Content, Scenario, Shows};
use crate::skin::Skin;
use crate::speckle::NoiseTile;
use crate::truth::Truth;

mod draw;
mod map;
mod truth;

use draw::PictureKey;
use map::MapSlots;

/// Exams that are kept: the one shown, the one before, and a screen between them.
const KEPT_EXAMS: usize = 4;

/// How a scenario is played, where not as it says itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Play {
    /// Pictures a second.
    pub rate_hz: Option<f64>,
    /// The scanner.
    pub skin: Option<Skin>,
    /// Size of all pictures: the scenario's changes of size and of rate are left out.
    pub size: Option<[u32; 2]>,
}

/// A picture that was drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Picture {
    /// Width and height in pixels.
    pub size: [u32; 2],
    /// Its time in the scenario, ns.
    pub pts_ns: u64,
    /// What is true of it.
    pub truth: Truth,
}

/// Plays one scenario on one scanner. See the module's head.
pub struct Player {
    seed: u64,
    course: Course,
    places: Places,
    signal: Signal,
    cast: Cast,
    motion: f32,
    flow_cover: f32,
    /// Drift, breathing and pulse.
    base: Timeline,
    exams: Vec<(ExamKey, Exam)>,
    spare: Option<Memory>,
    tile: Option<(u32, NoiseTile)>,
    slots: MapSlots,
    tints: Option<(ExamKey, u32, Tints)>,
    marks: Overlay,
    marked: Option<(ExamKey, Marks, bool)>,
    drawn: Option<PictureKey>,
    size: [u32; 2],
    bgrx: Vec<u8>,
}

/// What an exam is built for.
#[derive(Clone, Copy, Debug, PartialEq)]
struct ExamKey {
    skin: Skin,
    size: [u32; 2],
    shows: Shows,
    subject: crate::cast::Subject,
    exchanged: bool,
    tweak: crate::screen::Tweak,
}

impl Player {
    /// Prepares to play `scenario` on its first scanner at `rate_hz` pictures a second.
    ///
    /// # Errors
    /// [`SimError`] when the rate or the size cannot be.
    pub fn new(scenario: &Scenario, rate_hz: f64) -> Result<Self, SimError> {
        Self::with(scenario, Play { rate_hz: Some(rate_hz), ..Play::default() })
    }

    /// Prepares to play `scenario` in another way than it says.
    ///
    /// # Errors
    /// [`SimError`] when the rate or the size cannot be.
    pub fn with(scenario: &Scenario, play: Play) -> Result<Self, SimError> {
        let form = &scenario.form;
        let skin = play.skin.unwrap_or(form.skins[0]);
        let (width, height) = skin.native_size();
        let size = play.size.or(form.size_px).unwrap_or([width, height]);
        let rate_hz = play.rate_hz.unwrap_or(form.rate_hz);
        crate::SimConfig {
            seed: form.seed,
            skin,
            width: size[0],
            height: size[1],
            fps: rate_hz,
            exam_s: form.length_s,
        }
        .check()?;
        let course = Course::new(scenario, skin, size, play.size.is_some());
        let places = Places::new(&course, form.length_s, form.exam.neighbour_mm);
        Ok(Self {
            seed: form.seed,
            places,
            course,
            signal: Signal::new(scenario, rate_hz, play.size.is_some()),
            cast: Cast::new(form.seed, form.exam.malignant.clone(), form.exam.neighbour_mm),
            motion: form.exam.motion,
            flow_cover: form.exam.flow_cover,
            base: Timeline::steady(form.seed),
            exams: Vec::new(),
            spare: None,
            tile: None,
            slots: MapSlots::default(),
            tints: None,
            marks: Overlay::default(),
            marked: None,
            drawn: None,
            size,
            bgrx: Vec::new(),
        })
    }

    /// Pixels `[x, y]` of the last picture that hold what a user wrote over the images (a label, a
    /// caliper's result); one may come more than once.
    pub fn letters(&self) -> &[[i16; 2]] {
        self.marks.letters()
    }

    /// Number of pictures.
    pub fn frames(&self) -> u64 {
        self.signal.frames()
    }

    /// Size of the first picture.
    pub fn first_size(&self) -> [u32; 2] {
        self.course.state(0.0).size
    }

    /// Draws picture `index` into `bgrx`, which becomes as long as its `BGRx` rows without padding.
    pub fn render(&mut self, index: u64, bgrx: &mut Vec<u8>) -> Picture {
        let picture = self.draw(index);
        bgrx.clear();
        bgrx.extend_from_slice(&self.bgrx);
        picture
    }

    /// Draws picture `index` as a frame that came `start_ns` and its own time after the beginning.
    ///
    /// # Errors
    /// [`FrameError`] where it is none.
    pub fn frame(&mut self, index: u64, start_ns: u64) -> Result<(Frame, Picture), FrameError> {
        let mut bgrx = Vec::new();
        let picture = self.render(index, &mut bgrx);
        let pts_ns = picture.pts_ns + start_ns;
        let meta = FrameMeta { pts_ns: Some(pts_ns), captured_ns: pts_ns, ..FrameMeta::default() };
        let [width, height] = picture.size;
        let format = FrameFormat::packed(PixelFormat::Bgrx, width, height);
        Ok((Frame::new(format, meta, bgrx.into())?, picture))
    }

    /// Draws picture `index`; [`Player::pixels`] has it.
    pub fn draw(&mut self, index: u64) -> Picture {
        let t_s = self.signal.at_s(index);
        let now = self.course.now(t_s);
        self.picture(&now);
        let truth = self.truth(index, t_s, &now);
        Picture { size: self.size, pts_ns: (t_s * 1e9).round() as u64, truth }
    }

    /// `BGRx` rows of the picture drawn last, without padding.
    pub fn pixels(&self) -> &[u8] {
        &self.bgrx
    }

    /// Where the probe is at `t_s`.
    fn pose(&self, t_s: f64) -> Pose {
        let state = self.course.state(t_s);
        let base = self.base.pose(t_s as f32);
        Pose {
            lateral_mm: state.slide_mm.at(t_s) + base.lateral_mm * self.motion,
            axial_mm: base.axial_mm * self.motion,
            elevation_rad: state.turn_rad.at(t_s) + base.elevation_rad * self.motion,
        }
    }

    /// Chooses the receiver's noise in the image taken at `t_s`.
    fn noise(&self, t_s: f64) -> u64 {
        mix(self.seed ^ 0x4e4f, (t_s * 1e6).round() as u64)
    }

    /// Tells whether what is in the box is a stiffness map.
    fn is_map(&self, entry: usize) -> bool {
        self.course.entries()[entry].content == Content::Stiffness
    }
}
