//! Which simulated patients the demo model learns from, is calibrated on and is judged on.

use sonofuse_core::manifest::Input;
use sonofuse_sim::Skin;

use crate::data::simulated::{self, Cohort};
use crate::data::{DataError, small_input};
use crate::fit::Plan;
use crate::model::{Architecture, Backbone, Head, Method};
use crate::network::{Network, folded};

/// Least and largest side of the crops and the width of a view at whose scale they are made, in
/// pixels: about 4 px a millimetre on a probe 40 mm wide. The least is what the 4×4 bins need after
/// four poolings; at 2.5 times that, no box of the simulator is too narrow.
pub const INPUT_SIDES_PX: [u32; 3] = [64, 160, 160];

/// Skins that are trained on.
const TRAINED: [Skin; 9] = [
    Skin::AixplorerStacked,
    Skin::AixplorerSide,
    Skin::GeSweSide,
    Skin::GeStrainSide,
    Skin::SiemensStrainSide,
    Skin::PhilipsSweSide,
    Skin::HitachiStrainSide,
    Skin::MindrayStrainStacked,
    Skin::CurvedSweSide,
];

/// Skins that only validation patients have: the calibration must not count on known screens.
const VALIDATED: [Skin; 2] = [Skin::MindraySteSide, Skin::SamsungStrainSide];

/// Skins that only the held-out patients have: shear-wave and strain, stacked and side by side, box
/// and full view, red and blue hard.
const HELD_OUT: [Skin; 4] = [
    Skin::SiemensSweStacked,
    Skin::CanonSweSide,
    Skin::ToshibaStrainSide,
    Skin::EsaoteStrainStacked,
];

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
    let cohort = |name: &str, first_seed, patients: f64, images, skins: &[Skin]| Cohort {
        name: name.into(),
        first_seed,
        patients: ((patients * scale).round() as u32).max(1),
        images,
        skins: skins.to_vec(),
        named_hard_end: true,
    };
    let validated: Vec<Skin> = TRAINED.into_iter().chain(VALIDATED).collect();
    let cohorts = Cohorts {
        train: cohort("train", 10_000_000, 2400.0, 2, &TRAINED),
        validation: cohort("validation", 20_000_000, 770.0, 2, &validated),
        test: cohort("test", 30_000_000, 2000.0, 2, &HELD_OUT),
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
        norm: true,
        ..Architecture::default()
    }
}

/// How it is trained.
pub fn plan(scale: f64) -> Plan {
    Plan {
        epochs: ((12.0 * scale).round() as usize).max(1),
        batch: 16,
        rate: 1e-3,
        seed: 1,
        patience: Some(6),
        ..Plan::default()
    }
}

/// Numbers in a network as it is exported.
pub fn parameters(network: &Network) -> usize {
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
            assert!(other.seeds().end <= cohorts.test.seeds().start);
        }
        // Whoever runs the simulator with a small seed sees patients that were not trained on.
        assert!(cohorts.train.seeds().start > 1_000_000);
    }
}
