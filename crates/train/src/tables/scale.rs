//! How large a rerun is: patients, folds, widths, sizes, epochs.

use serde::{Deserialize, Serialize};
use sonofuse_core::manifest::Input;
use sonofuse_sim::seeds;

use crate::data::simulated::Cohort;
use crate::data::{fixed_input, small_input};
use crate::fit::Plan;

/// The size of a rerun. All that is not here is as in the paper.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Scale {
    /// `reduced` or `full`.
    pub name: String,
    /// Simulated patients, all on one drawn scanner; the paper has 233.
    pub patients: u32,
    /// Distinct elastograms of a patient; the paper has 5 images on the mean.
    pub images: u32,
    /// Folds; the paper has 10.
    pub folds: usize,
    /// Folds that are run, from the first; the paper ran all.
    pub run_folds: usize,
    /// What every width of the networks is divided by.
    pub divisor: usize,
    /// Side of the input of heads that take one size, in pixels; the paper has 224.
    pub side_px: u32,
    /// Least and largest side and view width for the pyramid, in pixels.
    pub native_px: [u32; 3],
    /// Frozen convolutions that Tables III and V try.
    pub freezes: Vec<usize>,
    /// Epochs of a network that begins with random weights.
    pub epochs: usize,
    /// Epochs of one that begins with pretrained ones.
    pub fine_tuning_epochs: usize,
    /// Pictures in a step.
    pub batch: usize,
    /// Learning rate.
    pub rate: f64,
    /// Patients that stand for `ImageNet`: simulated too, on other scanners' skins.
    pub source_patients: u32,
    /// Epochs on them.
    pub source_epochs: usize,
}

impl Scale {
    /// What two cores do in an hour.
    pub fn reduced() -> Self {
        Self {
            name: "reduced".into(),
            patients: 160,
            images: 3,
            folds: 5,
            run_folds: 2,
            divisor: 16,
            side_px: 80,
            native_px: [64, 96, 128],
            freezes: vec![0, 2, 4, 6, 8, 10, 13],
            epochs: 10,
            fine_tuning_epochs: 6,
            batch: 16,
            rate: 7e-4,
            source_patients: 600,
            source_epochs: 6,
        }
    }

    /// The paper's, for a GPU.
    pub fn full() -> Self {
        Self {
            name: "full".into(),
            patients: 233,
            images: 5,
            folds: 10,
            run_folds: 10,
            divisor: 1,
            side_px: 224,
            native_px: [64, 448, 768],
            freezes: (0..=13).collect(),
            epochs: 60,
            fine_tuning_epochs: 40,
            batch: 16,
            rate: 1e-4,
            source_patients: 4000,
            source_epochs: 30,
        }
    }

    /// The patients of the tables.
    pub fn cohort(&self) -> Cohort {
        Cohort {
            name: "tables".into(),
            first_seed: seeds::TABLES.first(),
            patients: self.patients,
            images: self.images,
            skins: vec![seeds::TABLES_SCANNER],
            named_hard_end: true,
        }
    }

    /// The patients that stand for `ImageNet`.
    pub fn source(&self) -> Cohort {
        Cohort {
            name: "source".into(),
            first_seed: seeds::SOURCE.first(),
            patients: self.source_patients,
            images: 2,
            skins: seeds::SOURCE.skins(self.source_patients),
            named_hard_end: true,
        }
    }

    /// The input of heads that take one size.
    pub fn fixed(&self) -> Input {
        fixed_input(self.side_px)
    }

    /// The input of the pyramid.
    pub fn native(&self) -> Input {
        let [min, max, view] = self.native_px;
        small_input(min, max, view)
    }

    /// How a network is trained.
    pub fn plan(&self, freeze: usize, pretrained: bool, fold: usize) -> Plan {
        Plan {
            epochs: if pretrained { self.fine_tuning_epochs } else { self.epochs },
            batch: self.batch,
            rate: self.rate,
            warm_up_epochs: 1.0,
            seed: 1 + fold as u64,
            dropout: if pretrained { 0.2 } else { 0.5 },
            patience: None,
            freeze,
            crop_px: 24,
            ..Plan::default()
        }
    }
}
