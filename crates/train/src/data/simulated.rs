//! Simulated patients as samples: rendered screens on the whole path of the live score.
//!
//! No patient, no scanner and no recording stands behind a sample. A cohort is a pure function of
//! its recipe and the model's input; patients are made on several threads, each from its own seed,
//! so that neither their number nor the threads change a patient.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};
use sonofuse_core::frame::{Frame, FrameFormat, FrameMeta, PixelFormat};
use sonofuse_core::layout::{PinnedRegions, Pins};
use sonofuse_core::manifest::Input;
use sonofuse_sim::{SimConfig, Simulator, Skin, Truth};

use super::DataError;
use super::cut::{Cutter, Refused};
use crate::sample::Sample;

/// Sizes that screens are captured at.
const SIZES: [(u32, u32); 6] =
    [(640, 480), (800, 600), (960, 720), (1024, 768), (1280, 720), (1280, 960)];
/// Length of an exam, and the earliest moment that is cut, in seconds.
const EXAM_S: f64 = 12.0;
const FIRST_S: f64 = 1.0;
const FPS: f64 = 60.0;
/// One patient in ten has no nodule; this many in a row have none once in 10⁸ seeds.
const EXAMS: u64 = 8;

/// A group of simulated patients.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Cohort {
    /// Short name: `train`, `validation`, `test`.
    pub name: String,
    /// Seed of the first patient; the i-th has the seed `first-seed + i`.
    pub first_seed: u64,
    /// Number of patients with a nodule.
    pub patients: u32,
    /// Distinct elastograms of each patient, at most.
    pub images: u32,
    /// Skins, in turn.
    pub skins: Vec<Skin>,
    /// Where the colour bar does not tell which end is hard, or the search finds no dual view: true takes
    /// the hard end, and the regions, from what is known of the scanner, as its preset would; false takes
    /// red and no sample, as the daemon without a preset.
    pub named_hard_end: bool,
}

/// What became of the pictures that were drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Census {
    /// Pictures drawn.
    pub drawn: usize,
    /// Pictures that gave a sample.
    pub kept: usize,
    /// Pictures of each skin that gave none.
    pub refused: BTreeMap<String, usize>,
    /// The reasons of those, each with its number of benign and of malignant pictures: a reason that
    /// prefers a class biases the set.
    pub reasons: BTreeMap<String, [usize; 2]>,
}

impl Census {
    /// Adds what became of other pictures.
    fn add(&mut self, other: Self) {
        self.drawn += other.drawn;
        self.kept += other.kept;
        for (skin, n) in other.refused {
            *self.refused.entry(skin).or_default() += n;
        }
        for (reason, [benign, malignant]) in other.reasons {
            let sum = self.reasons.entry(reason).or_default();
            *sum = [sum[0] + benign, sum[1] + malignant];
        }
    }
}

/// A cohort's samples, patient by patient, and how they came about.
#[derive(Clone, Debug, PartialEq)]
pub struct Simulated {
    /// The samples.
    pub samples: Vec<Sample>,
    /// What became of the pictures.
    pub census: Census,
}

impl Cohort {
    /// Checks the recipe.
    ///
    /// # Errors
    /// [`DataError::Recipe`] with the key.
    pub fn check(&self) -> Result<(), DataError> {
        let problem = if self.patients == 0 {
            "`patients` is 0: give at least 1".to_owned()
        } else if self.images == 0 || f64::from(self.images) > EXAM_S - FIRST_S {
            format!("`images` is {}: give 1 to {}", self.images, EXAM_S - FIRST_S)
        } else if self.first_seed.checked_add(u64::from(self.patients)).is_none() {
            format!("`first-seed` {} is too large", self.first_seed)
        } else if self.skins.is_empty() {
            "`skins` is empty: give at least one".to_owned()
        } else if let Some(skin) = self.skins.iter().find(|s| !s.is_dual_view()) {
            format!("the skin {skin} shows no dual view")
        } else {
            return Ok(());
        };
        Err(DataError::Recipe { cohort: self.name.clone(), problem })
    }

    /// Seeds that the cohort uses.
    pub fn seeds(&self) -> std::ops::Range<u64> {
        self.first_seed..self.first_seed.saturating_add(u64::from(self.patients))
    }

    /// The scanner of the `i`-th patient, as its samples name it. Drawn ones are one kind: no two patients
    /// share one.
    pub fn scanner(&self, i: u32) -> String {
        let name = self.skins[i as usize % self.skins.len()].to_string();
        let kind = name.split_once(':').map(|(kind, _)| kind.to_owned());
        kind.unwrap_or(name)
    }

    /// Makes the samples on `threads` threads; `progress` is told the patients made so far.
    ///
    /// # Errors
    /// [`DataError::Recipe`].
    pub fn make(
        &self,
        input: &Input,
        threads: usize,
        progress: impl Fn(usize) + Sync,
    ) -> Result<Simulated, DataError> {
        self.check()?;
        let count = self.patients as usize;
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let made = Mutex::new(Vec::with_capacity(count));
        std::thread::scope(|scope| {
            for _ in 0..threads.clamp(1, count) {
                scope.spawn(|| {
                    let mut cutter = Cutter::new(input.clone());
                    loop {
                        let i = next.fetch_add(1, Ordering::Relaxed);
                        if i >= count {
                            break;
                        }
                        let patient = self.patient(i as u32, &mut cutter);
                        // A poisoned lock only means that another patient failed: scope() reports it.
                        made.lock().unwrap_or_else(PoisonError::into_inner).push((i, patient));
                        progress(done.fetch_add(1, Ordering::Relaxed) + 1);
                    }
                });
            }
        });
        let mut made = made.into_inner().unwrap_or_else(PoisonError::into_inner);
        made.sort_by_key(|(i, _)| *i);
        let mut all = Simulated { samples: Vec::new(), census: Census::default() };
        for (_, patient) in made {
            let patient = patient?;
            all.census.add(patient.census);
            all.samples.extend(patient.samples);
        }
        Ok(all)
    }

    /// Makes the `i`-th patient.
    ///
    /// # Errors
    /// [`DataError::Recipe`] when the simulator refuses the configuration.
    pub fn patient(&self, i: u32, cutter: &mut Cutter) -> Result<Simulated, DataError> {
        let recipe = |problem: String| DataError::Recipe { cohort: self.name.clone(), problem };
        let seed = self.first_seed + u64::from(i);
        let skin = self.skins[i as usize % self.skins.len()];
        // Another stream than the simulator's own, which mixes its seeds before use.
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let &(width, height) = SIZES.choose(&mut rng).unwrap_or(&SIZES[0]);
        let config = SimConfig { seed, skin, width, height, fps: FPS, exam_s: EXAM_S };
        let mut simulator = Simulator::new(config).map_err(|e| recipe(e.to_string()))?;
        let stride = width as usize * 4;
        let mut all = Simulated { samples: Vec::new(), census: Census::default() };
        let frames = (EXAM_S * FPS) as u64;
        let spacing_s = (EXAM_S - FIRST_S) / f64::from(self.images);
        for exam in 0..EXAMS {
            let mut last = None;
            for n in 0..self.images {
                // Anywhere in the n-th part of the exam, its last tenth left out.
                let part = f64::from(n) + rng.random_range(0.0..0.9);
                let index = exam * frames + ((FIRST_S + part * spacing_s) * FPS) as u64;
                let mut bgrx = vec![0; stride * height as usize];
                let truth = simulator.render(index, &mut bgrx, stride);
                let Some(malignant) = truth.malignant else { break };
                if last.replace(truth.elastogram_index) == Some(truth.elastogram_index) {
                    continue;
                }
                let format = FrameFormat::packed(PixelFormat::Bgrx, width, height);
                let frame = Frame::new(format, FrameMeta::default(), Bytes::from(bgrx))
                    .map_err(|e| recipe(e.to_string()))?;
                all.census.drawn += 1;
                let hard_end = truth.hard_end.filter(|_| self.named_hard_end);
                let found = match cutter.screen(&frame, hard_end) {
                    // Whoever has a scanner that the search does not know pins it.
                    Err(Refused::NoDualView(why)) if self.named_hard_end => pins(&truth)
                        .map_or(Err(Refused::NoDualView(why)), |pins| cutter.pinned(&frame, pins)),
                    found => found,
                };
                match found {
                    Ok(input) => {
                        all.census.kept += 1;
                        all.samples.push(Sample {
                            patient: truth.patient.to_string(),
                            image: format!("elastogram-{}", truth.elastogram_index),
                            scanner: self.scanner(i),
                            malignant,
                            bmode: input.bmode,
                            elastogram: Some(input.elastogram),
                        });
                    }
                    Err(why) => {
                        *all.census.refused.entry(self.scanner(i)).or_default() += 1;
                        let reason = match why {
                            Refused::NoDualView(why) => why.to_string(),
                            Refused::Gate(reason, _) => reason,
                            Refused::Preprocess(_) => {
                                "a box that does not fit the input".to_owned()
                            }
                        };
                        all.census.reasons.entry(reason).or_default()[usize::from(malignant)] += 1;
                    }
                }
            }
            if all.census.drawn > 0 {
                break;
            }
        }
        Ok(all)
    }
}

/// The preset of the screen: where everything is, and which end is hard.
fn pins(truth: &Truth) -> Option<Pins> {
    let regions = PinnedRegions {
        size: truth.size,
        bmode_view: truth.bmode_view?,
        elastogram_view: truth.elastogram_view?,
        bmode_box: truth.bmode_box,
        elastogram_box: truth.elastogram_box,
        colour_bar: truth.colour_bar,
    };
    Some(Pins { hard_end: truth.hard_end, regions: Some(regions), ..Pins::default() })
}

/// Checks that no two cohorts share a seed, and that the last one's skins are not in any other.
///
/// # Errors
/// [`DataError::Recipe`] naming both cohorts.
pub fn check_apart(cohorts: &[&Cohort], held_out: &Cohort) -> Result<(), DataError> {
    let all: Vec<&Cohort> = cohorts.iter().copied().chain([held_out]).collect();
    for (i, a) in all.iter().enumerate() {
        for b in &all[i + 1..] {
            let (p, q) = (a.seeds(), b.seeds());
            if p.start < q.end && q.start < p.end {
                let problem = format!(
                    "its seeds {}..{} overlap those of `{}`, {}..{}: give another `first-seed`",
                    q.start, q.end, a.name, p.start, p.end
                );
                return Err(DataError::Recipe { cohort: b.name.clone(), problem });
            }
        }
    }
    for cohort in cohorts {
        if let Some(skin) = held_out.skins.iter().find(|s| cohort.skins.contains(s)) {
            let problem =
                format!("its skin {skin} is also in `{}`: it is not held out", cohort.name);
            return Err(DataError::Recipe { cohort: held_out.name.clone(), problem });
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::data::small_input;

    fn cohort(first_seed: u64, skin: Skin) -> Cohort {
        Cohort {
            name: "c".into(),
            first_seed,
            patients: 3,
            images: 2,
            skins: vec![skin],
            named_hard_end: true,
        }
    }

    #[test]
    fn a_patient_is_the_same_whatever_the_number_of_threads_and_patients() {
        let input = small_input(64, 96, 192);
        let one = cohort(5, Skin::AixplorerStacked).make(&input, 1, |_| ()).unwrap();
        let more = Cohort { patients: 4, ..cohort(5, Skin::AixplorerStacked) };
        let two = more.make(&input, 3, |_| ()).unwrap();
        assert_eq!(one.samples, two.samples[..one.samples.len()]);
        assert!(one.samples.len() >= 4, "{:?}", one.census);
        assert_eq!(one.census.drawn, one.census.kept + one.census.refused.values().sum::<usize>());
    }

    #[test]
    fn a_sample_holds_two_different_crops_within_the_limits() {
        let input = small_input(64, 96, 192);
        for s in cohort(9, Skin::GeSweSide).make(&input, 2, |_| ()).unwrap().samples {
            let [_, _, h, w] = s.bmode.shape();
            assert!((64..=96).contains(&h) && (64..=96).contains(&w), "{w}×{h}");
            let map = s.elastogram.unwrap();
            assert_eq!(map.shape(), s.bmode.shape());
            assert_ne!(map.data(), s.bmode.data());
            // B-mode is grey, or nearly so where a scanner tints it; the map is not. In code values.
            let spread = |p: &[f32], std: f32| {
                let n = p.len() / 3;
                (0..n).map(|i| std * (p[i] - p[2 * n + i]).abs()).sum::<f32>() / n as f32
            };
            let grey = spread(s.bmode.data(), input.bmode.std[0]);
            let map = spread(map.data(), input.elastogram.std[0]);
            assert!(grey < 12.0 && map > 20.0, "{grey} {map}");
        }
    }

    #[test]
    fn blue_is_turned_round_where_the_hard_end_is_named() {
        let input = small_input(64, 96, 192);
        let named = cohort(3, Skin::EsaoteStrainStacked);
        let plain = Cohort { named_hard_end: false, ..named.clone() };
        let (a, b) =
            (named.make(&input, 2, |_| ()).unwrap(), plain.make(&input, 2, |_| ()).unwrap());
        assert!(!a.samples.is_empty());
        for (a, b) in a.samples.iter().zip(&b.samples) {
            let (a, b) = (a.elastogram.as_ref().unwrap(), b.elastogram.as_ref().unwrap());
            let n = a.data().len() / 3;
            assert_eq!(a.data()[..n], b.data()[2 * n..], "red and blue are exchanged");
        }
    }

    #[test]
    fn cohorts_that_share_seeds_or_skins_are_told() {
        let train = cohort(0, Skin::AixplorerStacked);
        let test = cohort(3, Skin::GeSweSide);
        check_apart(&[&train], &test).unwrap();
        let overlap = cohort(2, Skin::GeSweSide);
        let why = check_apart(&[&train], &overlap).unwrap_err().to_string();
        assert!(why.contains("seeds 2..5 overlap"), "{why}");
        let same = cohort(3, Skin::AixplorerStacked);
        let why = check_apart(&[&train], &same).unwrap_err().to_string();
        assert!(why.contains("not held out"), "{why}");
    }

    #[test]
    fn an_impossible_recipe_is_told() {
        let why = cohort(0, Skin::Menu).make(&small_input(64, 96, 192), 1, |_| ()).unwrap_err();
        assert!(why.to_string().contains("menu shows no dual view"), "{why}");
        let none = Cohort { images: 0, ..cohort(0, Skin::GeSweSide) };
        assert!(none.check().unwrap_err().to_string().contains("`images` is 0"));
    }
}
