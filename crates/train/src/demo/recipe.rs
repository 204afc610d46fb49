//! Which simulated patients the demo model learns from, is calibrated on and is judged on.

use sonofuse_core::manifest::Input;
use sonofuse_sim::Skin;
use sonofuse_sim::seeds::{self, Share};

use crate::data::simulated::{self, Cohort};
use crate::data::{DataError, small_input};
use crate::fit::{HeadsPlan, Plan};
use crate::model::{Architecture, Backbone, Head, Method, ModelError};
use crate::network::{Network, folded};

/// Least and largest side of the crops and the width of a view at whose scale they are made, in
/// pixels: about 4 px a millimetre on a probe 40 mm wide. The least is what the 4×4 bins need after
/// four poolings. A view is as wide as the third; a side above it is that of a box far from square, as a
/// few of the simulator's and the real Aixplorer screen's in tests/screens are.
pub const INPUT_SIDES_PX: [u32; 3] = [64, 256, 160];

/// Skins whose exams are judged one by one: shear-wave and strain, stacked and side by side, box and full
/// view, red and blue hard.
pub const HELD_OUT: [Skin; 4] = [
    Skin::SiemensSweStacked,
    Skin::CanonSweSide,
    Skin::ToshibaStrainSide,
    Skin::EsaoteStrainStacked,
];

/// Named skins that the model is judged on: every one. Training and validation see drawn scanners
/// only, each patient on another; the simulator's example `reach` tells which of the named ones a draw
/// comes near.
fn held_out() -> Vec<Skin> {
    Skin::all().iter().copied().filter(|s| s.is_dual_view()).collect()
}

/// The groups of patients whose pictures are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Cohorts {
    /// The stacks learn from them.
    pub train: Cohort,
    /// The heads learn from them.
    pub heads: Cohort,
    /// For early stopping.
    pub validation: Cohort,
    /// For the comparison with the single sources; looked at once.
    pub test: Cohort,
}

/// The groups of patients of whom only what was said is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct ExamCohorts {
    /// For calibration, threshold and the verdict's limits at few elastograms.
    pub calibration: Cohort,
    /// The same at many.
    pub calibration_long: Cohort,
    /// For the interval: the same patients by two scanners each.
    pub twins: [Cohort; 2],
    /// Judged: other patients on other drawn scanners.
    pub trial: Cohort,
    /// The same at many elastograms.
    pub trial_long: Cohort,
    /// Judged: on the held-out skins.
    pub held_out: Cohort,
    /// Some of them again, each by the next of the skins.
    pub held_out_twins: Cohort,
}

impl ExamCohorts {
    /// All of them.
    pub fn all(&self) -> [&Cohort; 8] {
        let [one, other] = &self.twins;
        let Self {
            calibration, calibration_long, trial, trial_long, held_out, held_out_twins, ..
        } = self;
        [calibration, calibration_long, one, other, trial, trial_long, held_out, held_out_twins]
    }
}

/// What the demo model is fed.
pub fn input() -> Input {
    let [min, max, view] = INPUT_SIDES_PX;
    small_input(min, max, view)
}

/// The patients, `scale` times as many as the recipe has (1 for the model that ships).
///
/// # Errors
/// [`DataError::Recipe`] when they are not apart, which a change of this file may cause.
pub fn cohorts(scale: f64) -> Result<Cohorts, DataError> {
    let test = &seeds::DEMO_TEST;
    let cohorts = Cohorts {
        train: drawn("train", &seeds::DEMO_TRAIN, 0, 6000.0 * scale, 2),
        heads: drawn("heads", &seeds::DEMO_TRAIN, 500_000, 2000.0 * scale, 2),
        validation: drawn("validation", &seeds::DEMO_VALIDATION, 0, 770.0 * scale, 2),
        test: cohort("test", test.first(), 1500.0 * scale, 2, held_out()),
    };
    let Cohorts { train, heads, validation, test } = &cohorts;
    simulated::check_apart(&[train, heads, validation], test)?;
    Ok(cohorts)
}

/// The patients whose exams are only scored, `scale` times as many as the recipe has.
///
/// # Errors
/// [`DataError::Recipe`] when they are not apart.
pub fn exam_cohorts(scale: f64) -> Result<ExamCohorts, DataError> {
    let assessment = &seeds::ASSESSMENT;
    let [long, twins, trial, trial_long] = [100_000, 200_000, 300_000, 400_000];
    let named = |name: &str, patients: f64, from: usize| {
        let mut skins = HELD_OUT.to_vec();
        skins.rotate_left(from);
        cohort(name, seeds::DEMO_TEST.first() + 1_000_000, patients * scale, 3, skins)
    };
    let two = drawn("twins-again", assessment, twins + 50_000, 600.0 * scale, 3);
    let cohorts = ExamCohorts {
        calibration: drawn("calibration", assessment, 0, 6000.0 * scale, 3),
        calibration_long: drawn("calibration-long", assessment, long, 1000.0 * scale, 10),
        twins: [
            drawn("twins", assessment, twins, 600.0 * scale, 3),
            Cohort { first_seed: assessment.first() + u64::from(twins), ..two },
        ],
        trial: drawn("trial", assessment, trial, 6000.0 * scale, 3),
        trial_long: drawn("trial-long", assessment, trial_long, 1000.0 * scale, 10),
        held_out: named("held-out", 4800.0, 0),
        held_out_twins: named("held-out-twins", 600.0, 1),
    };
    let ExamCohorts { calibration, calibration_long, trial, trial_long, .. } = &cohorts;
    let apart = [calibration, calibration_long, &cohorts.twins[0], trial, trial_long];
    simulated::check_apart(&apart, &cohorts.held_out)?;
    Ok(cohorts)
}

fn cohort(name: &str, first_seed: u64, patients: f64, images: u32, skins: Vec<Skin>) -> Cohort {
    let patients = (patients.round() as u32).max(1);
    Cohort { name: name.into(), first_seed, patients, images, skins, named_hard_end: true }
}

/// A cohort on drawn scanners, one a patient, from number `from` of a share on.
fn drawn(name: &str, share: &Share, from: u32, patients: f64, images: u32) -> Cohort {
    let count = (patients.round() as u32).max(1);
    let skins = share.skins(from + count).split_off(from as usize);
    cohort(name, share.first() + u64::from(from), patients, images, skins)
}

/// A network of the demo's size: VGG16 with spatial pyramid pooling at an eighth of its width.
pub fn architecture(method: Method) -> Architecture {
    Architecture {
        backbone: Backbone::Vgg16,
        divisor: 8,
        method,
        head: Head::Spp,
        hidden: Some(128),
        ..Architecture::default()
    }
}

/// A stage of the training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The elastogram's network, from random weights.
    Elastography,
    /// The B-mode's network, from the elastogram's: speckle under a map is speckle, and from random
    /// weights a plain VGG16 finds no way out of even odds on B-mode.
    Conventional,
    /// The re-fusion network, from both stacks and random fully connected layers.
    Together,
}

impl Stage {
    /// How it is trained; fewer epochs at a `scale` below 1.
    pub fn plan(self, scale: f64) -> Plan {
        let (epochs, rate) = match self {
            Self::Elastography => (4.0, 7e-4),
            Self::Conventional => (5.0, 3e-4),
            Self::Together => (3.0, 3e-4),
        };
        Plan {
            epochs: (epochs * scale).round().max(1.0) as usize,
            rate,
            warm_up_epochs: 0.2,
            batch: 16,
            dropout: 0.2,
            seed: 1,
            patience: None,
            // A third of the shorter side at the most: the nodule stays in the picture.
            crop_px: 24,
            ..Plan::default()
        }
    }

    /// Which network it trains.
    pub const fn method(self) -> Method {
        match self {
            Self::Elastography => Method::Elastography,
            Self::Conventional => Method::Conventional,
            Self::Together => Method::ReFusion,
        }
    }
}

/// The B-mode network that begins with the elastogram's weights.
///
/// # Errors
/// [`ModelError`].
pub fn carried_over(elastography: &Network) -> Result<Network, ModelError> {
    let mut network = architecture(Method::Conventional).network(2)?;
    network.stacks.clone_from(&elastography.stacks);
    network.layers.clone_from(&elastography.layers);
    Ok(network)
}

/// The re-fusion network that begins with the stacks of the two sources.
///
/// # Errors
/// [`ModelError`].
pub fn joined(conventional: &Network, elastography: &Network) -> Result<Network, ModelError> {
    let mut network = architecture(Method::ReFusion).network(3)?;
    let trained = conventional.stacks.iter().chain(&elastography.stacks);
    for (stack, trained) in network.stacks.iter_mut().zip(trained) {
        stack.clone_from(trained);
    }
    Ok(network)
}

/// How the heads are trained.
pub fn heads_plan(scale: f64) -> HeadsPlan {
    HeadsPlan {
        count: 8,
        hidden: 24,
        epochs: (10.0 * scale).round().max(2.0) as usize,
        batch: 32,
        rate: 5e-4,
        weight_decay: 1e-2,
        dropout: 0.2,
        seed: 101,
    }
}

/// Numbers in a network as it is exported.
pub(super) fn parameters(network: &Network) -> usize {
    let network = folded(network);
    let convs: usize = network.convs().iter().map(|c| c.weight.len() + c.bias.len()).sum();
    convs + network.layers.iter().map(|l| l.weight.len() + l.bias.len()).sum::<usize>()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_held_out_patients_have_other_seeds_and_other_skins() {
        let cohorts = cohorts(1.0).unwrap();
        for other in [&cohorts.train, &cohorts.heads, &cohorts.validation] {
            assert!(cohorts.test.skins.iter().all(|s| !other.skins.contains(s)));
            assert!(other.skins.iter().all(|s| matches!(s, Skin::Drawn(_))), "{}", other.name);
            assert_eq!(other.skins.len(), other.patients as usize, "each on a scanner of its own");
            assert!(other.seeds().end <= cohorts.test.seeds().start);
        }
        // Seeds of patients, and of drawn scanners, over all groups and over what others use.
        let exams = exam_cohorts(1.0).unwrap();
        let Cohorts { train, heads, validation, test } = &cohorts;
        let mut groups = vec![train, heads, validation, test];
        groups.extend(exams.all());
        let same = |a: &Cohort, b: &Cohort| a.first_seed == b.first_seed;
        let drawn = |c: &Cohort| -> HashSet<Skin> {
            c.skins.iter().copied().filter(|s| matches!(s, Skin::Drawn(_))).collect()
        };
        let skins: Vec<HashSet<Skin>> = groups.iter().map(|c| drawn(c)).collect();
        for (i, a) in groups.iter().enumerate() {
            for (j, b) in groups.iter().enumerate().skip(i + 1) {
                let (p, q) = (a.seeds(), b.seeds());
                assert!(
                    same(a, b) || p.end <= q.start || q.end <= p.start,
                    "{} {}",
                    a.name,
                    b.name
                );
                assert!(skins[i].is_disjoint(&skins[j]), "{} {}", a.name, b.name);
            }
            // Each from its own share of the seeds, the judged ones on named skins.
            let within = |share: &&&Share| {
                share.patients.start <= a.first_seed && a.seeds().end <= share.patients.end
            };
            let share = seeds::ALL.iter().find(within).unwrap().name;
            let judged = skins[i].is_empty();
            assert!(share.starts_with("demo") || share == "assessment", "{}: {share}", a.name);
            assert_eq!(judged, share == "demo: test", "{}", a.name);
        }
        let twice: Vec<&str> = groups
            .iter()
            .filter(|a| groups.iter().filter(|b| same(a, b)).count() > 1)
            .map(|a| a.name.as_str())
            .collect();
        assert_eq!(twice, ["twins", "twins-again", "held-out", "held-out-twins"]);
        for (a, b) in [(&exams.twins[0], &exams.twins[1]), (&exams.held_out, &exams.held_out_twins)]
        {
            assert!(
                (0..b.patients as usize)
                    .all(|i| { a.skins[i % a.skins.len()] != b.skins[i % b.skins.len()] })
            );
        }
        // Whoever runs the simulator with a small seed sees patients that were not trained on.
        assert!(cohorts.train.seeds().start > 1_000_000);
    }
}
