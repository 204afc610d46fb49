//! Simulated exams, measured: drawn scanners to fit on, named ones to judge on. Several threads; a
//! picture is a pure function of its patient's seed.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use sonofuse_core::frame::{Frame, FrameFormat, FrameMeta, PixelFormat};
use sonofuse_core::manifest::Input;
use sonofuse_sim::{SimConfig, Simulator, Skin};

use super::Measured;
use crate::data::DataError;
use crate::data::cut::Cutter;

/// Sizes that screens are captured at.
const SIZES: [(u32, u32); 6] =
    [(640, 480), (800, 600), (960, 720), (1024, 768), (1280, 720), (1280, 960)];
const FPS: f64 = 60.0;
const EXAM_S: f64 = 12.0;
const FIRST_S: f64 = 1.0;

/// Patients of one purpose.
#[derive(Clone, Debug)]
pub struct Exams {
    /// Seed of the first patient.
    pub first_seed: u64,
    /// How many.
    pub patients: u32,
    /// Pictures of each.
    pub images: u32,
    /// In turn.
    pub skins: Vec<Skin>,
    /// Strange pictures made of each.
    pub made: u32,
}

impl Exams {
    /// Renders, cuts as the daemon does, and measures.
    ///
    /// # Errors
    /// [`DataError::Recipe`] when the simulator refuses the configuration.
    pub fn measure(&self, input: &Input, threads: usize) -> Result<Vec<Measured>, DataError> {
        let next = AtomicU32::new(0);
        let found = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..threads.max(1) {
                scope.spawn(|| {
                    let mut cutter = Cutter::new(input.clone());
                    loop {
                        let i = next.fetch_add(1, Ordering::Relaxed);
                        if i >= self.patients {
                            break;
                        }
                        let patient = self.patient(i, &mut cutter);
                        found.lock().unwrap_or_else(PoisonError::into_inner).push((i, patient));
                    }
                });
            }
        });
        let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.sort_by_key(|(i, _)| *i);
        let mut all = Vec::new();
        for (_, patient) in found {
            all.extend(patient?);
        }
        Ok(all)
    }

    fn patient(&self, i: u32, cutter: &mut Cutter) -> Result<Vec<Measured>, DataError> {
        let recipe = |problem: String| DataError::Recipe { cohort: "familiarity".into(), problem };
        let seed = self.first_seed + u64::from(i);
        // Another stream than the simulator's own.
        let mut rng = Pcg64Mcg::seed_from_u64(seed ^ 0xfa31_11a2);
        let skin = *self
            .skins
            .get(i as usize % self.skins.len().max(1))
            .ok_or_else(|| recipe("no scanners".into()))?;
        let &(width, height) = SIZES.choose(&mut rng).unwrap_or(&SIZES[0]);
        let config = SimConfig { seed, skin, width, height, fps: FPS, exam_s: EXAM_S };
        let mut simulator = Simulator::new(config).map_err(|e| recipe(e.to_string()))?;
        let stride = width as usize * 4;
        let mut all = Vec::new();
        for n in 0..self.images {
            let spacing_s = (EXAM_S - FIRST_S) / f64::from(self.images);
            let part = f64::from(n) + rng.random_range(0.0..0.9);
            let index = ((FIRST_S + part * spacing_s) * FPS) as u64;
            let mut bgrx = vec![0; stride * height as usize];
            let truth = simulator.render(index, &mut bgrx, stride);
            let format = FrameFormat::packed(PixelFormat::Bgrx, width, height);
            let frame = Frame::new(format, FrameMeta::default(), Bytes::from(bgrx))
                .map_err(|e| recipe(e.to_string()))?;
            let Ok(layout) = cutter.layout(&frame, truth.hard_end) else { continue };
            let scanner = skin.to_string();
            let patient = truth.patient.to_string();
            all.extend(Measured::of(&frame, &layout, scanner, patient, self.made, &mut rng));
        }
        Ok(all)
    }
}
