//! Which simulated patients the demo model learns from, is calibrated on and is judged on.

use sonofuse_core::manifest::Input;
use sonofuse_sim::Skin;
use sonofuse_sim::seeds::{self, Share};

use crate::data::simulated::{self, Cohort};
use crate::data::{DataError, small_input};
use crate::fit::Plan;
use crate::model::{Architecture, Backbone, Head, Method, ModelError};
use crate::network::{Network, folded};

/// Least and largest side of the crops and the width of a view at whose scale they are made, in
/// pixels: about 4 px a millimetre on a probe 40 mm wide. The least is what the 4×4 bins need after
/// four poolings. A view is as wide as the third; a side above it is that of a box far from square, as a
/// few of the simulator's and the real Aixplorer screen's in tests/screens are.
pub const INPUT_SIDES_PX: [u32; 3] = [64, 256, 160];

/// Named skins that the model is judged on: every one. Training and validation see drawn scanners
/// only, each patient on another; the simulator's example `reach` tells which of the named ones a draw
/// comes near.
fn held_out() -> Vec<Skin> {
    Skin::all().iter().copied().filter(|s| s.is_dual_view()).collect()
}

/// The three groups of patients.
#[derive(Clone, Debug, PartialEq)]
pub struct Cohorts {
    /// Trained on.
    pub train: Cohort,
    /// For early stopping, calibration, threshold and the interval's width.
    pub validation: Cohort,
    /// Looked at once.
    pub test: Cohort,
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
    let cohort = |name: &str, share: &Share, patients: f64, images| {
        let patients = ((patients * scale).round() as u32).max(1);
        let drawn = share.skins(patients);
        Cohort {
            name: name.into(),
            first_seed: share.first(),
            patients,
            images,
            skins: if drawn.is_empty() { held_out() } else { drawn },
            named_hard_end: true,
        }
    };
    let cohorts = Cohorts {
        train: cohort("train", &seeds::DEMO_TRAIN, 4800.0, 2),
        validation: cohort("validation", &seeds::DEMO_VALIDATION, 770.0, 2),
        test: cohort("test", &seeds::DEMO_TEST, 1000.0, 2),
    };
    simulated::check_apart(&[&cohorts.train, &cohorts.validation], &cohorts.test)?;
    Ok(cohorts)
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
            Self::Elastography => (5.0, 7e-4),
            Self::Conventional => (8.0, 3e-4),
            Self::Together => (2.0, 2e-4),
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

/// Numbers in a network as it is exported.
pub(super) fn parameters(network: &Network) -> usize {
    let network = folded(network);
    let convs: usize = network.convs().iter().map(|c| c.weight.len() + c.bias.len()).sum();
    convs + network.layers.iter().map(|l| l.weight.len() + l.bias.len()).sum::<usize>()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_held_out_patients_have_other_seeds_and_other_skins() {
        let cohorts = cohorts(1.0).unwrap();
        for other in [&cohorts.train, &cohorts.validation] {
            assert!(cohorts.test.skins.iter().all(|s| !other.skins.contains(s)));
            assert!(other.skins.iter().all(|s| matches!(s, Skin::Drawn(_))), "{}", other.name);
            assert_eq!(other.skins.len(), other.patients as usize, "each on a scanner of its own");
            assert!(other.seeds().end <= cohorts.test.seeds().start);
        }
        // Whoever runs the simulator with a small seed sees patients that were not trained on.
        assert!(cohorts.train.seeds().start > 1_000_000);
    }
}
