//! One exam: everything that is made once per patient (speckle field, chrome, geometry) and what is
//! kept from image to image. A frame is a pure function of the exam and the time in it; caches only
//! save work. Runs on the caller's thread.

use crate::chrome::{self, BarInk, Caption};
use crate::elasto::{ColourMap, Grid, Measuring, Update};
use crate::motion::{Pose, Timeline};
use crate::paint::{Canvas, Overlay};
use crate::palette::Rgb;
use crate::patient::Patient;
use crate::picture;
use crate::rng::{Purpose, mix, pick, stream, within};
use crate::scan::ScanConversion;
use crate::screen::{self, Ink, Screen, Tweak};
use crate::skin::{Scene, Skin, Style};
use crate::speckle::{Acquisition, Field, FieldBuilder, Lines, Probe};

mod draw;
mod truth;

pub(crate) use draw::{Face, MapRequest};
pub(crate) use truth::Known;

/// What of an exam is built next. The work is cut into pieces, so that it can be spread over the
/// frames of the exam before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Chrome,
    Views,
    ScanConversion,
    Field,
    Done,
}

/// Number of the map that a result table was measured on.
const MEASURED: u64 = u64::MAX;

/// Everything that an exam is made of.
pub(crate) struct Setting {
    pub(crate) seed: u64,
    /// Number of the streams that draw screen and texts.
    pub(crate) number: u64,
    /// Number of the streams that draw speckle and the map's artefacts.
    pub(crate) tissue: u64,
    pub(crate) skin: Skin,
    pub(crate) style: Style,
    pub(crate) size: [u32; 2],
    pub(crate) patient: Patient,
    /// Whom the screen is laid out for; another patient than the one examined where the box stays
    /// from one to the next.
    pub(crate) laid_out_for: Patient,
    pub(crate) timeline: Timeline,
    pub(crate) tweak: Tweak,
}

impl Setting {
    /// Exam `number` of an ordinary course: a new patient, and a screen that suits them.
    pub(crate) fn ordinary(
        seed: u64,
        number: u64,
        skin: Skin,
        size: [u32; 2],
        exam_s: f32,
    ) -> Self {
        let patient = Patient::draw(seed, number);
        let style = Self::installed(seed, skin);
        Self {
            seed,
            number,
            tissue: number,
            skin,
            style,
            size,
            laid_out_for: patient.clone(),
            patient,
            timeline: Timeline::new(seed, number, exam_s, style.mapping.rate_hz),
            tweak: Tweak::default(),
        }
    }

    /// The skin as the seed's installation of the scanner shows it.
    pub(crate) fn installed(seed: u64, skin: Skin) -> Style {
        skin.style().installed(&mut stream(seed, Purpose::Installation, &[]))
    }
}

/// What of the furniture a script changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dress {
    /// The palette is turned round, in map and bar.
    pub(crate) inverted: bool,
    /// What the bar explains, if not what the skin's scene does.
    pub(crate) bar_ink: Option<BarInk>,
    /// Something lies over the bar.
    pub(crate) bar_covered: bool,
    /// The bar is not shown.
    pub(crate) bar_gone: bool,
}

/// Pixels of the exam that do not depend on time, being built or complete.
pub(crate) struct Exam {
    pub(crate) number: u64,
    tissue: u64,
    seed: u64,
    skin: Skin,
    size: [u32; 2],
    style: Style,
    dress: Dress,
    patient: Patient,
    timeline: Timeline,
    screen: Screen,
    caption: Caption,
    acquisition: Acquisition,
    palette: [Rgb; 256],
    max_kpa: f32,
    look: [f32; 3],
    tint: [f32; 3],
    gamma: f32,
    tints: Tints,
    memory: Memory,
    stage: Stage,
    bmode: Option<u64>,
    elastogram: Option<u64>,
    /// Pose and noise of the image in the views.
    taken: Option<(Pose, u64)>,
    other_taken: bool,
}

/// Grey to pixel: in B-mode, through the tint, under a map.
pub(crate) type Tints = [[u32; 256]; 3];

/// The large buffers, passed on from exam to exam.
#[derive(Default)]
pub(crate) struct Memory {
    field: Field,
    builder: FieldBuilder,
    chrome: Vec<u8>,
    over: Overlay,
    frozen: Overlay,
    grid: Grid,
    map: ColourMap,
    mask: Vec<bool>,
    scan: ScanConversion,
    beam_grey: Vec<u8>,
    grey: Vec<u8>,
    other: Vec<u8>,
    lines: Lines,
}

impl Exam {
    /// Draws the screen; the field is built by [`Exam::advance`].
    pub(crate) fn new(setting: Setting, memory: Memory) -> Self {
        let Setting { seed, number, tissue, skin, style, size, patient, timeline, tweak, .. } =
            setting;
        let mut rng = stream(seed, Purpose::Screen, &[number, skin.stream_key()]);
        let screen = screen::lay_out(&style, size, &setting.laid_out_for, &tweak, &mut rng);
        let imaging = &style.imaging;
        let acquisition = Acquisition {
            axial_mm: within(&mut rng, imaging.axial_mm),
            lateral_mm: within(&mut rng, imaging.lateral_mm),
            focus_mm: within(&mut rng, imaging.focus_mm),
            range_db: within(&mut rng, imaging.range_db),
            gain_db: within(&mut rng, imaging.gain_db),
            decay_db_per_mm: within(&mut rng, imaging.decay_db_per_mm),
            // Of this neck at this place: another patient has other contact shadows.
            coupling: mix(patient.id.0, tissue) as u32,
            compounding: within(&mut rng, imaging.compounding),
            noise_db: within(&mut rng, imaging.noise_db),
        };
        let max_kpa = pick(&mut rng, &style.mapping.max_kpa);
        let caption = Caption::draw(&mut rng, max_kpa);
        let mut palette = style.palette.table();
        if !chrome::hard_is_high(&style) {
            palette.reverse();
        }
        let look = style.look.tint;
        let gamma = within(&mut rng, style.imaging.gamma);
        let tint = match style.scene {
            Scene::Tinted => pick(
                &mut rng,
                &[
                    [1.25, 0.95, 0.6],
                    [0.65, 0.85, 1.3],
                    [1.2, 0.75, 0.45],
                    [0.7, 1.1, 0.8],
                    [1.0, 0.6, 0.9],
                ],
            ),
            _ => look,
        };
        let mut exam = Self {
            number,
            tissue,
            seed,
            skin,
            size,
            style,
            dress: Dress::default(),
            patient,
            timeline,
            screen,
            caption,
            acquisition,
            palette,
            max_kpa,
            look,
            tint,
            gamma,
            tints: [[0; 256]; 3],
            memory,
            stage: Stage::Chrome,
            bmode: None,
            elastogram: None,
            taken: None,
            other_taken: false,
        };
        exam.tints = exam.tints_at(1.0);
        exam
    }

    /// The grey curves at a B-mode brightness of `gain` times the usual one.
    pub(crate) fn tints_at(&self, gain: f32) -> Tints {
        let table = |tint: [f32; 3], dim: f32| tint_table(tint.map(|c| c * dim * gain), self.gamma);
        [table(self.look, 1.0), table(self.tint, 1.0), table(self.look, self.style.dim)]
    }

    /// The screen's geometry.
    pub(crate) fn screen(&self) -> &Screen {
        &self.screen
    }

    /// What the skin is like.
    pub(crate) fn style(&self) -> &Style {
        &self.style
    }

    /// Who is examined.
    pub(crate) fn patient(&self) -> &Patient {
        &self.patient
    }

    /// Takes what belongs to the room and not to the mode: language, clock, scale, how echoes become
    /// grey. To be called before the exam is built.
    pub(crate) fn share_room(&mut self, other: &Self) {
        self.caption = other.caption;
        self.acquisition = other.acquisition;
        self.max_kpa = other.max_kpa;
        (self.look, self.tint, self.gamma) = (other.look, other.tint, other.gamma);
        self.tints = self.tints_at(1.0);
    }

    /// Changes the furniture; what is drawn from now on shows it.
    pub(crate) fn dress(&mut self, dress: Dress) {
        if self.dress == dress {
            return;
        }
        if self.dress.inverted != dress.inverted {
            self.palette.reverse();
        }
        self.dress = dress;
        if self.stage != Stage::Chrome {
            self.draw_chrome();
        }
    }

    /// Pixels of the frame that hold writing over the images.
    pub(crate) fn letters(&self) -> &[[i16; 2]] {
        self.memory.over.letters()
    }

    /// Gives the memory back for another exam.
    pub(crate) fn into_memory(self) -> Memory {
        self.memory
    }

    fn draw_chrome(&mut self) {
        let rng = &mut stream(self.seed, Purpose::Chrome, &[self.number, self.skin.stream_key()]);
        self.memory.mask.clear();
        if let Some(b) = self.screen.colour_box
            && self.screen.has_shaped_box()
        {
            for y in b.rect.y..b.rect.bottom() {
                for x in b.rect.x..b.rect.right() {
                    self.memory.mask.push(self.screen.in_box(x, y) && self.screen.in_fan(x, y));
                }
            }
        }
        let [width, height] = self.size.map(|s| s as usize);
        let memory = &mut self.memory;
        memory.chrome.clear();
        memory.chrome.resize(width * height * 4, 0);
        for px in memory.chrome.chunks_exact_mut(4) {
            px[3] = 255;
        }
        let mut canvas = Canvas {
            px: &mut memory.chrome,
            stride: width * 4,
            width: width as i32,
            height: height as i32,
        };
        memory.over.clear();
        memory.frozen.clear();
        if picture::draw(&mut canvas, &self.style, &self.screen, self.seed, self.number, rng) {
            return;
        }
        let ink = self.dress.bar_ink.unwrap_or_else(|| BarInk::of(&self.style));
        chrome::surround(
            &mut canvas,
            &self.style,
            &self.screen,
            &self.patient,
            &self.caption,
            (&self.palette, (!self.dress.bar_gone).then_some(ink)),
            rng,
        );
        let probe = Measuring {
            patient: &self.patient,
            screen: &self.screen,
            // A map of its own, frozen before the exam's first: its noise is in no other.
            update: Update {
                seed: self.seed,
                exam: self.tissue,
                index: MEASURED,
                unsettled: 0.0,
                bias_ln: 0.0,
                mapping: self.style.mapping,
            },
            pose: self.timeline.pose(0.0),
            max_kpa: self.max_kpa,
        };
        chrome::over_images(
            &mut memory.over,
            &self.style,
            &self.screen,
            &self.patient,
            &self.caption,
            &memory.mask,
            |circles| probe.within(&mut memory.grid, circles),
            rng,
        );
        if self.dress.bar_covered {
            chrome::cover_bar(&mut memory.over, &self.style, &self.screen);
        }
        chrome::snowflake(&mut memory.frozen, &self.screen);
    }

    /// Sizes the image buffers and, for curved probes, computes the scan conversion.
    fn prepare_views(&mut self) {
        let beams = self.screen.beams;
        let memory = &mut self.memory;
        let Some(view) = self.screen.panes.first().map(|p| p.view) else {
            self.stage = Stage::Done;
            return;
        };
        self.stage = Stage::Field;
        let px = (view.w * view.h) as usize;
        memory.grey.clear();
        memory.grey.resize(px, 0);
        memory.beam_grey.clear();
        memory.scan.clear();
        memory.other.clear();
        if matches!(beams.probe, Probe::Curved { .. }) {
            memory.beam_grey.resize(beams.cols * beams.rows, 0);
            self.stage = Stage::ScanConversion;
        }
        if self.screen.panes.iter().any(|p| p.ink == Ink::Other) {
            memory.other.resize(px, 0);
        }
        memory.builder.start(&mut memory.field, &beams, &self.acquisition);
    }

    /// Builds the next piece, at most `rows` rows; returns true once frames can be drawn.
    pub(crate) fn advance(&mut self, rows: usize) -> bool {
        match self.stage {
            Stage::Chrome => {
                self.draw_chrome();
                self.stage = Stage::Views;
            }
            Stage::Views => self.prepare_views(),
            Stage::ScanConversion => {
                if self.memory.scan.advance(&self.screen, self.screen.panes[0].view, rows) {
                    self.stage = Stage::Field;
                }
            }
            Stage::Field => {
                let memory = &mut self.memory;
                let done = memory.builder.advance(
                    &mut memory.field,
                    (self.seed, self.tissue),
                    &self.screen.beams,
                    &|x, z| self.patient.tissue(x, z),
                    &self.acquisition,
                    rows,
                );
                if done {
                    self.stage = Stage::Done;
                }
            }
            Stage::Done => {}
        }
        self.stage == Stage::Done
    }
}

/// Grey level to `BGRx`: the scanner's grey curve, then its tint.
fn tint_table(tint: [f32; 3], gamma: f32) -> [u32; 256] {
    std::array::from_fn(|g| {
        let curved = 255.0 * (g as f32 / 255.0).powf(gamma);
        let c = |k: f32| (curved * k + 0.5).min(255.0) as u8;
        let [r, gr, b] = tint.map(c);
        u32::from_le_bytes([b, gr, r, 255])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An exam of a script: all have number 0, as the screen stays.
    fn scripted(patient: u64, tissue: u64) -> Exam {
        let setting = Setting::ordinary(3, patient, Skin::AixplorerSide, [640, 480], 10.0);
        Exam::new(Setting { number: 0, tissue, ..setting }, Memory::default())
    }

    #[test]
    fn each_patient_and_place_has_contact_shadows_of_its_own() {
        let coupling = |patient, tissue| scripted(patient, tissue).acquisition.coupling;
        assert_eq!(coupling(1, 5), coupling(1, 5));
        assert_ne!(coupling(1, 5), coupling(2, 5), "another patient");
        assert_ne!(coupling(1, 5), coupling(1, 6), "another nodule or plane");
    }
}
