//! Bad acquisitions: simulated screens with faults, scored as if there were no gate, with the gate's
//! verdict beside. What the gate is worth shows when these are judged
//! ([`crate::evaluate::coverage::gate_effect`]).
//!
//! Simulated data. The faults are drawn on the finished screen, so that layout search, gate and
//! network see them as they would see those of a scanner.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};
use sonofuse_core::familiar::{Familiarity, Gauge};
use sonofuse_core::frame::{Frame, FrameFormat, FrameMeta, PixelFormat};
use sonofuse_core::gate::Limits;
use sonofuse_core::layout::{Finder, HardEnd, ScreenLayout};
use sonofuse_core::manifest::{Input, Manifest};
use sonofuse_core::picture::Look;
use sonofuse_core::preprocess::{DualView, FusionInput, Preprocessor};
use sonofuse_core::reading::Withheld;
use sonofuse_core::region::Region;
use sonofuse_sim::{SimConfig, Simulator, Skin};

use super::ExplainError;
use super::engine::Engine;
use crate::evaluate::record::{Quality, Record};
use crate::sample::Sample;

/// What is wrong with an acquisition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Nothing.
    None,
    /// The B-mode is out of focus.
    Blur,
    /// Parts of the colour box hold no stiffness.
    Holes,
    /// The gain of the B-mode is far too high or low.
    Gain,
    /// Noise over both views, as of a bad grabber.
    Noise,
}

/// All of them.
pub const FAULTS: [Fault; 5] = [Fault::None, Fault::Blur, Fault::Holes, Fault::Gain, Fault::Noise];

impl Fault {
    /// The word in an image's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Blur => "blur",
            Self::Holes => "holes",
            Self::Gain => "gain",
            Self::Noise => "noise",
        }
    }
}

/// Which acquisitions to make: one screen a patient, its fault in turn, its severity drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Acquisitions {
    /// Seed of the first patient; the i-th has the seed `first-seed + i`.
    pub first_seed: u64,
    /// Patients.
    pub patients: u32,
    /// Skins, in turn.
    pub skins: Vec<Skin>,
}

/// What became of the patients.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Acquired {
    /// One for each screen that could be scored, with what the gate saw; the image's name has the
    /// fault and its severity.
    pub records: Vec<Record>,
    /// Patients without a nodule, and screens on which no layout was found or that do not fit the
    /// input: the live path gives no score whatever the gate says.
    pub left_out: BTreeMap<String, usize>,
}

/// Screen size, length of an exam and the moment that is taken.
const SIZE: (u32, u32) = (960, 720);
const EXAM_S: f64 = 12.0;
const MOMENT: u64 = 300;
const FPS: f64 = 60.0;

/// A screen that was seen by the live path's parts.
struct Seen {
    sample: Sample,
    quality: Quality,
}

impl Acquisitions {
    /// Makes the screens on `threads` threads and scores them.
    ///
    /// # Errors
    /// [`ExplainError`] of the runs; [`ExplainError::Nothing`] where the simulator refuses.
    pub fn score(
        &self,
        engine: &mut Engine,
        threads: usize,
        progress: impl Fn(usize) + Sync,
    ) -> Result<Acquired, ExplainError> {
        let manifest = engine.manifest().clone();
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let made = Mutex::new(Vec::new());
        let count = self.patients as usize;
        std::thread::scope(|scope| {
            for _ in 0..threads.clamp(1, count.max(1)) {
                scope.spawn(|| {
                    let mut eye = Eye::new(&manifest);
                    loop {
                        let i = next.fetch_add(1, Ordering::Relaxed);
                        if i >= count {
                            break;
                        }
                        let seen = self.patient(i, &mut eye);
                        // A poisoned lock only means that another thread failed: scope() reports it.
                        made.lock()
                            .unwrap_or_else(std::sync::PoisonError::into_inner)
                            .push((i, seen));
                        progress(done.fetch_add(1, Ordering::Relaxed) + 1);
                    }
                });
            }
        });
        let mut made = made.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        made.sort_by_key(|(i, _)| *i);
        let mut all = Acquired::default();
        for (_, seen) in made {
            match seen.map_err(ExplainError::Nothing)? {
                Ok(Seen { sample, quality }) => {
                    let prediction = engine.predict(&sample)?;
                    let (fold, quality) = (None, Some(quality));
                    all.records.push(Record { prediction, fold, quality });
                }
                Err(why) => *all.left_out.entry(why).or_default() += 1,
            }
        }
        Ok(all)
    }

    /// The screen of the `i`-th patient, or why it cannot be scored; outside: why nothing can.
    fn patient(&self, i: usize, eye: &mut Eye) -> Result<Result<Seen, String>, String> {
        let skin = *self.skins.get(i % self.skins.len().max(1)).ok_or("no skins are given")?;
        let seed = self.first_seed + i as u64;
        let (width, height) = SIZE;
        let config = SimConfig { seed, skin, width, height, fps: FPS, exam_s: EXAM_S };
        let mut simulator = Simulator::new(config).map_err(|e| e.to_string())?;
        let stride = 4 * width as usize;
        let mut bgrx = vec![0; stride * height as usize];
        let truth = simulator.render(MOMENT, &mut bgrx, stride);
        let (Some(malignant), Some(bmode), Some(map)) =
            (truth.malignant, truth.bmode_box, truth.elastogram_box)
        else {
            return Ok(Err("no nodule".into()));
        };
        // Skins and faults go round at different paces, so that each skin has each fault.
        let fault = FAULTS[(i / self.skins.len()) % FAULTS.len()];
        let mut rng = Pcg64Mcg::seed_from_u64(seed ^ 0xfa17);
        let severity = rng.random_range(0.0..1.0_f32);
        let mut screen = Screen { bgrx: &mut bgrx, stride };
        match fault {
            Fault::None => {}
            Fault::Blur => screen.blur(&bmode, severity),
            Fault::Holes => screen.holes(&map, severity, &mut rng),
            Fault::Gain => screen.gain(&bmode, severity, &mut rng),
            Fault::Noise => {
                screen.noise(&bmode, severity, &mut rng);
                screen.noise(&map, severity, &mut rng);
            }
        }
        let format = FrameFormat::packed(PixelFormat::Bgrx, width, height);
        let frame = Frame::new(format, FrameMeta::default(), Bytes::from(bgrx))
            .map_err(|e| e.to_string())?;
        Ok(eye.see(&frame, truth.hard_end).map(|(input, quality)| Seen {
            sample: Sample {
                patient: truth.patient.to_string(),
                image: format!("{}-{severity:.2}", fault.as_str()),
                scanner: skin.to_string(),
                malignant,
                bmode: input.bmode,
                elastogram: Some(input.elastogram),
            },
            quality,
        }))
    }
}

/// Layout search, gate and preprocessing, each told rather than obeyed.
struct Eye {
    finder: Finder,
    preprocessor: Preprocessor,
    limits: Limits,
    familiarity: Option<Familiarity>,
    gauge: Gauge,
    row: Vec<[u8; 3]>,
}

impl Eye {
    fn new(manifest: &Manifest) -> Self {
        let input: Input = manifest.input.clone();
        Self {
            finder: Finder::new(),
            preprocessor: Preprocessor::new(input),
            limits: Limits::default(),
            familiarity: manifest.familiarity.clone(),
            gauge: Gauge::default(),
            row: Vec::new(),
        }
    }

    /// `hard_end` is what a preset would name where the colour bar does not tell.
    fn see(
        &mut self,
        frame: &Frame,
        hard_end: Option<HardEnd>,
    ) -> Result<(FusionInput, Quality), String> {
        let mut layout: ScreenLayout =
            self.finder.find(frame).map_err(|_| Withheld::NoDualView.as_str().to_owned())?;
        layout.hard_end = layout.hard_end.or(hard_end);
        let view = DualView::new(frame, &layout).map_err(|e| e.to_string())?;
        let bmode = Look::take(frame, &view.bmode_crop(), &mut self.row);
        let map = Look::take(frame, &view.elastogram_crop(), &mut self.row);
        let input = self
            .preprocessor
            .run(&view)
            .map_err(|_| "a box that does not fit the input".to_owned())?
            .clone();
        let statistics = self.gauge.take(frame, &view.bmode_crop(), &view.elastogram_crop());
        let likeness = self.familiarity.as_ref().map(|table| table.judge(statistics.as_ref()));
        let strange = likeness.is_some_and(|l| l.unlike().is_some());
        let verdict = self.limits.judge(&layout, &bmode, &map).map_err(|r| r.reason);
        let verdict = match verdict {
            Ok(()) if strange => Err(Withheld::OutOfDistribution),
            verdict => verdict,
        };
        let refused = verdict.err().map(|reason| reason.as_str().to_owned());
        Ok((input, Quality { coloured: map.coloured, texture: bmode.texture, refused }))
    }
}

/// A finished screen, `BGRx`.
struct Screen<'s> {
    bgrx: &'s mut [u8],
    stride: usize,
}

impl Screen<'_> {
    /// Changes each pixel of a region, `(x, y)` counted from its corner.
    fn each(&mut self, region: &Region, mut change: impl FnMut(u32, u32, &mut [u8])) {
        for y in 0..region.height() {
            for x in 0..region.width() {
                let at = (region.y0() + y) as usize * self.stride + 4 * (region.x0() + x) as usize;
                if let Some(pixel) = self.bgrx.get_mut(at..at + 3) {
                    change(x, y, pixel);
                }
            }
        }
    }

    /// Three passes of a box filter along each axis, up to 8 px to each side: nearly a Gaussian.
    fn blur(&mut self, region: &Region, severity: f32) {
        let reach = (8.0 * severity).round() as usize;
        let (width, height) = (region.width() as usize, region.height() as usize);
        let mut pixels = Vec::with_capacity(width * height);
        self.each(region, |_, _, p| pixels.push([p[0], p[1], p[2]].map(f32::from)));
        for _ in 0..3 {
            smooth(&mut pixels, [width, 1], [height, width], reach);
            smooth(&mut pixels, [height, width], [width, 1], reach);
        }
        let mut from = pixels.iter();
        self.each(region, |_, _, p| {
            if let Some(value) = from.next() {
                p.copy_from_slice(&value.map(|v| v.round() as u8));
            }
        });
    }

    /// Takes the colour off up to 95 % of the box, in discs.
    fn holes(&mut self, region: &Region, severity: f32, rng: &mut Pcg64Mcg) {
        let (width, height) = (region.width() as f32, region.height() as f32);
        let wanted = (0.95 * severity * width * height) as usize;
        let mut gone = vec![false; (region.width() * region.height()) as usize];
        let mut count = 0;
        while count < wanted {
            let (cx, cy) = (rng.random_range(0.0..width), rng.random_range(0.0..height));
            let radius = rng.random_range(0.05..0.2) * width.min(height);
            for (i, gone) in gone.iter_mut().enumerate() {
                let (x, y) =
                    ((i as u32 % region.width()) as f32, (i as u32 / region.width()) as f32);
                if !*gone && (x - cx).powi(2) + (y - cy).powi(2) < radius * radius {
                    *gone = true;
                    count += 1;
                }
            }
        }
        self.each(region, |x, y, p| {
            if gone[(y * region.width() + x) as usize] {
                let luma =
                    (29 * u32::from(p[0]) + 150 * u32::from(p[1]) + 77 * u32::from(p[2])) >> 8;
                p.fill(luma as u8);
            }
        });
    }

    /// Multiplies by up to 4 or a quarter.
    fn gain(&mut self, region: &Region, severity: f32, rng: &mut Pcg64Mcg) {
        let power = if rng.random_bool(0.5) { 2.0 * severity } else { -2.0 * severity };
        let factor = power.exp2();
        self.each(region, |_, _, p| {
            for v in p.iter_mut() {
                *v = (f32::from(*v) * factor).round().min(255.0) as u8;
            }
        });
    }

    /// Adds up to ±96 to each channel of each pixel.
    fn noise(&mut self, region: &Region, severity: f32, rng: &mut Pcg64Mcg) {
        let most = (96.0 * severity) as i32;
        self.each(region, |_, _, p| {
            for v in p {
                *v = (i32::from(*v) + rng.random_range(-most..=most)).clamp(0, 255) as u8;
            }
        });
    }
}

/// Means over `reach` neighbours to each side along lines; `along` and `lines` are a count and the
/// step between neighbours each.
fn smooth(pixels: &mut [[f32; 3]], along: [usize; 2], lines: [usize; 2], reach: usize) {
    let mut line = Vec::with_capacity(along[0]);
    for start in (0..lines[0]).map(|l| l * lines[1]) {
        line.clear();
        line.extend((0..along[0]).map(|i| pixels[start + i * along[1]]));
        for i in 0..along[0] {
            let part = &line[i.saturating_sub(reach)..(i + reach + 1).min(along[0])];
            let mut sum = [0.0; 3];
            for pixel in part {
                for (sum, v) in sum.iter_mut().zip(pixel) {
                    *sum += v;
                }
            }
            pixels[start + i * along[1]] = sum.map(|s| s / part.len() as f32);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::explain::engine::tests::folder;

    #[test]
    fn acquisitions_are_the_same_on_one_thread_and_on_two_and_bad_ones_look_bad() {
        let folder = folder();
        let mut engine = Engine::open(folder.path(), 1).unwrap();
        let skins = vec![Skin::AixplorerStacked];
        let a = Acquisitions { first_seed: 70, patients: 20, skins };
        let one = a.score(&mut engine, 1, |_| ()).unwrap();
        let two = a.score(&mut engine, 2, |_| ()).unwrap();
        assert_eq!(one, two);
        let left: usize = one.left_out.values().sum();
        assert_eq!(one.records.len() + left, 20);
        assert!(one.records.len() >= 10, "{:?}", one.left_out);
        let quality = |fault: &str, of: fn(&Quality) -> f32| {
            let these = one.records.iter().filter(|r| r.prediction.image.starts_with(fault));
            let values: Vec<f32> = these.filter_map(|r| r.quality.as_ref().map(of)).collect();
            values.iter().sum::<f32>() / values.len().max(1) as f32
        };
        assert!(quality("blur", |q| q.texture) < quality("none", |q| q.texture));
        assert!(quality("holes", |q| q.coloured) < quality("none", |q| q.coloured));
    }

    #[test]
    fn a_blur_of_nothing_changes_nothing_and_a_strong_one_flattens() {
        let region = Region::new(1, 1, 9, 9).unwrap();
        let original: Vec<u8> = (0..400).map(|i| (i * 37 % 251) as u8).collect();
        let mut bgrx = original.clone();
        Screen { bgrx: &mut bgrx, stride: 40 }.blur(&region, 0.0);
        assert_eq!(bgrx, original);
        Screen { bgrx: &mut bgrx, stride: 40 }.blur(&region, 1.0);
        let inside: Vec<u8> =
            (1..9).flat_map(|y| (1..9).map(move |x| y * 40 + 4 * x)).map(|at| bgrx[at]).collect();
        let spread = inside.iter().max().unwrap() - inside.iter().min().unwrap();
        assert!(spread < 25, "{spread}");
        assert_eq!(bgrx[..40], original[..40]);
    }
}
