//! One exam: everything that is made once per patient (speckle field, chrome, geometry) and what is
//! kept from image to image. A frame is a pure function of the exam and the time in it; caches only
//! save work. Runs on the caller's thread.

use crate::chrome::{self, Caption};
use crate::elasto::{ColourMap, Grid, Inking, Patch, Scale, Update};
use crate::motion::{Moment, Pose, Timeline};
use crate::paint::{Canvas, Overlay, Rect};
use crate::palette::Rgb;
use crate::patient::Patient;
use crate::picture;
use crate::rng::{Purpose, mix, pick, stream, uniform};
use crate::scan::ScanConversion;
use crate::screen::{self, Ink, Screen};
use crate::skin::{MapKind, Scene, Skin, Style};
use crate::speckle::{Acquisition, Field, FieldBuilder, Lines, NoiseTile, Probe, Sample};
use crate::truth::{StiffnessKpa, Truth};

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

/// Pixels of the exam that do not depend on time, being built or complete.
pub(crate) struct Exam {
    pub(crate) number: u64,
    seed: u64,
    skin: Skin,
    size: [u32; 2],
    style: Style,
    patient: Patient,
    timeline: Timeline,
    screen: Screen,
    caption: Caption,
    acquisition: Acquisition,
    palette: [Rgb; 256],
    max_kpa: f32,
    /// Grey to pixel: in B-mode, through the tint, under a map.
    tints: [[u32; 256]; 3],
    memory: Memory,
    stage: Stage,
    bmode: Option<u64>,
    elastogram: Option<u64>,
}

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
    /// Draws patient and screen; the field is built by [`Exam::advance`].
    pub(crate) fn new(
        seed: u64,
        number: u64,
        skin: Skin,
        size: [u32; 2],
        exam_s: f32,
        memory: Memory,
    ) -> Self {
        let style = skin.style().installed(&mut stream(seed, Purpose::Installation, &[]));
        let patient = Patient::draw(seed, number);
        let mut rng = stream(seed, Purpose::Screen, &[number, skin as u64]);
        let screen = screen::lay_out(&style, size, &patient, &mut rng);
        let acquisition = Acquisition {
            axial_mm: uniform(&mut rng, 0.15, 0.24),
            lateral_mm: uniform(&mut rng, 0.26, 0.4),
            focus_mm: uniform(&mut rng, 12.0, 20.0),
            range_db: uniform(&mut rng, 60.0, 72.0),
            gain_db: uniform(&mut rng, -2.0, 3.0),
            decay_db_per_mm: uniform(&mut rng, 0.08, 0.42),
            coupling: number as u32 ^ 0x5eed,
            compounding: uniform(&mut rng, 0.35, 1.0),
            noise_db: uniform(&mut rng, -84.0, -74.0),
        };
        let max_kpa = pick(&mut rng, &[100.0, 100.0, 120.0, 150.0, 180.0]);
        let caption = Caption::draw(&mut rng, max_kpa);
        let mut palette = style.palette.table();
        if !chrome::hard_is_high(&style) {
            palette.reverse();
        }
        let look = style.look.tint;
        let gamma = uniform(&mut rng, 1.05, 1.5);
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
        Self {
            number,
            seed,
            skin,
            size,
            style,
            patient,
            timeline: Timeline::new(seed, number, exam_s),
            screen,
            caption,
            acquisition,
            palette,
            max_kpa,
            tints: [
                tint_table(look, gamma),
                tint_table(tint, gamma),
                tint_table(look.map(|c| c * style.dim), gamma),
            ],
            memory,
            stage: Stage::Chrome,
            bmode: None,
            elastogram: None,
        }
    }

    /// Gives the memory back for another exam.
    pub(crate) fn into_memory(self) -> Memory {
        self.memory
    }

    fn draw_chrome(&mut self) {
        let rng = &mut stream(self.seed, Purpose::Chrome, &[self.number, self.skin as u64]);
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
        chrome::surround(
            &mut canvas,
            &self.style,
            &self.screen,
            &self.patient,
            &self.caption,
            &self.palette,
            rng,
        );
        chrome::over_images(
            &mut memory.over,
            &self.style,
            &self.screen,
            &self.patient,
            &self.caption,
            &memory.mask,
            rng,
        );
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
                    (self.seed, self.number),
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

    /// Draws the frame `t_s` seconds into the exam. The exam must be built.
    pub(crate) fn draw(&mut self, t_s: f32, tile: &NoiseTile, canvas: &mut Canvas<'_>) -> Moment {
        let moment = self.timeline.at(t_s);
        if !self.screen.panes.is_empty() {
            self.update_images(&moment, tile);
            self.update_map(&moment);
        }
        let row = self.size[0] as usize * 4;
        for (y, from) in self.memory.chrome.chunks_exact(row).enumerate() {
            canvas.px[y * canvas.stride..][..row].copy_from_slice(from);
        }
        for i in 0..self.screen.panes.len() {
            self.draw_pane(i, canvas);
        }
        self.memory.over.apply(canvas);
        if moment.frozen {
            self.memory.frozen.apply(canvas);
        }
        if !matches!(self.style.scene, Scene::NoSignal | Scene::Uniform) {
            chrome::clock(canvas, &self.style, &self.screen, &self.caption, moment.shown_s);
        }
        moment
    }

    fn update_images(&mut self, moment: &Moment, tile: &NoiseTile) {
        if self.bmode == Some(moment.bmode) {
            return;
        }
        if self.bmode.is_none() && !self.memory.other.is_empty() {
            // The second image of a B/B screen: another place, taken before and frozen.
            let pose = Pose { lateral_mm: -2.2, axial_mm: 0.4, elevation_rad: 1.9 };
            self.image(&pose, 77, tile);
            let (grey, other) = (&self.memory.grey, &mut self.memory.other);
            let width = self.screen.panes[0].view.w as usize;
            for (to, from) in other.chunks_exact_mut(width).zip(grey.chunks_exact(width)) {
                to.iter_mut().zip(from.iter().rev()).for_each(|(t, f)| *t = *f);
            }
        }
        self.bmode = Some(moment.bmode);
        let pose = self.timeline.pose(moment.bmode_s);
        let noise = mix(mix(self.seed ^ Purpose::FrameNoise as u64, self.number), moment.bmode);
        self.image(&pose, noise, tile);
    }

    fn image(&mut self, pose: &Pose, noise: u64, tile: &NoiseTile) {
        let beams = &self.screen.beams;
        let memory = &mut self.memory;
        let sample = Sample {
            cols: pose.lateral_mm * beams.cols_per_mm(),
            rows: pose.axial_mm * beams.px_per_mm,
            elevation_rad: pose.elevation_rad,
            noise,
        };
        let curved = !memory.beam_grey.is_empty();
        let grey = if curved { &mut memory.beam_grey } else { &mut memory.grey };
        memory.field.image(beams, &self.acquisition, tile, &sample, &mut memory.lines, grey);
        if curved {
            memory.scan.convert(&memory.beam_grey, beams.cols, &mut memory.grey);
        }
    }

    fn update_map(&mut self, moment: &Moment) {
        let Some(b) = self.screen.colour_box else { return };
        if self.elastogram == Some(moment.elastogram) {
            return;
        }
        self.elastogram = Some(moment.elastogram);
        let pose = self.timeline.pose(moment.elastogram_s);
        let patch = Patch {
            origin_mm: self.screen.position(b.rect.x as f32, b.rect.y as f32),
            px_per_mm: self.screen.beams.px_per_mm,
            size: [b.rect.w as usize, b.rect.h as usize],
        };
        let update = Update {
            seed: self.seed,
            exam: self.number,
            index: moment.elastogram,
            unsettled: self.timeline.unsettled(moment.elastogram_s),
        };
        let memory = &mut self.memory;
        let mask = &memory.mask;
        let inside = |x: usize, y: usize| mask.is_empty() || mask[y * patch.size[0] + x];
        if let Scene::Flow { power } = self.style.scene {
            memory.map.flow(&self.patient, &patch, &pose, update, power, inside);
            return;
        }
        memory.grid.measure(&self.patient, &patch, &pose, update);
        let swe = self.style.map == MapKind::Swe;
        let inking = Inking {
            scale: if swe { Scale::Kpa { max_kpa: self.max_kpa } } else { Scale::Relative },
            palette: &self.palette,
            weight: self.style.weight,
            fill: !swe,
        };
        memory.map.stiffness(&memory.grid, &patch, &inking, inside);
    }

    fn draw_pane(&self, i: usize, canvas: &mut Canvas<'_>) {
        let pane = &self.screen.panes[i];
        let view = pane.view;
        let memory = &self.memory;
        let grey = if pane.ink == Ink::Other { &memory.other } else { &memory.grey };
        let tint = &self.tints[match pane.ink {
            Ink::Tint => 1,
            Ink::Map => 2,
            Ink::Grey | Ink::Other => 0,
        }];
        let colour_box = self.screen.colour_box.filter(|_| pane.ink == Ink::Map);
        for (y, line) in grey.chunks_exact(view.w as usize).enumerate() {
            let out = canvas.span(view.x, view.y + y as i32, view.w);
            for (o, g) in out.chunks_exact_mut(4).zip(line) {
                o.copy_from_slice(&tint[*g as usize].to_le_bytes());
            }
            let Some(b) = colour_box else { continue };
            let y = y as i32 - b.rect.y;
            if y < 0 || y >= b.rect.h {
                continue;
            }
            let colours = &memory.map.px[y as usize * memory.map.width..][..memory.map.width];
            let out = &mut out[b.rect.x as usize * 4..][..b.rect.w as usize * 4];
            for (o, c) in out.chunks_exact_mut(4).zip(colours) {
                let weight = c[3] as u32;
                for k in 0..3 {
                    o[k] = ((o[k] as u32 * (256 - weight) + c[k] as u32 * weight + 128) >> 8) as u8;
                }
            }
        }
    }

    /// The truth beside the frame that [`Exam::draw`] drew for `moment`.
    pub(crate) fn truth(&self, index: u64, updates_per_exam: u64, moment: &Moment) -> Truth {
        let view = |ink: Ink| {
            self.screen.panes.iter().find(|p| p.ink == ink).and_then(|p| p.view.region())
        };
        let dual = self.style.scene == Scene::Dual;
        let flow = matches!(self.style.scene, Scene::Flow { .. });
        let boxed = |ink: Ink| {
            let b = self.screen.colour_box.filter(|_| dual)?;
            let pane = self.screen.panes.iter().find(|p| p.ink == ink)?;
            b.rect.shifted(pane.view.x, pane.view.y).region()
        };
        let nodule = self.patient.nodule.as_ref();
        let map_shown = dual || self.style.scene == Scene::Elastogram;
        Truth {
            patient: self.patient.id,
            malignant: nodule.map(|n| n.malignant),
            skin: self.skin,
            size: self.size,
            index,
            orientation: chrome::orientation(&self.style),
            bmode_view: view(Ink::Grey),
            elastogram_view: view(Ink::Map).filter(|_| !flow),
            bmode_box: boxed(Ink::Grey),
            elastogram_box: boxed(Ink::Map),
            colour_bar: self.screen.bar.filter(|_| map_shown).and_then(|b: Rect| b.region()),
            hard_end: map_shown.then_some(self.style.hard_end),
            stiffness_kpa: StiffnessKpa {
                nodule_mean: nodule.map(|n| n.mean_kpa),
                nodule_max: nodule.map(|n| n.mean_kpa * n.rim_gain.max(1.0)),
                background: self.patient.background_kpa,
            },
            signs: nodule.map(|n| n.signs),
            elastogram_index: self
                .number
                .saturating_mul(updates_per_exam)
                .saturating_add(moment.elastogram),
            frozen: moment.frozen,
            settled: self.timeline.settled(moment.elastogram_s),
            exam: self.number,
        }
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
