//! What is known about a simulated frame: where everything is and who the patient is. Pure data.

use serde::Serialize;
use sonofuse_core::layout::{HardEnd, Orientation};
use sonofuse_core::region::Region;

use crate::patient::{PatientId, Signs};
use crate::skin::Skin;

/// True stiffness of the tissue, kPa.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StiffnessKpa {
    /// Mean over the nodule; null without a nodule.
    pub nodule_mean: Option<f32>,
    /// Highest in the nodule (its rim); null without a nodule.
    pub nodule_max: Option<f32>,
    /// The gland around it.
    pub background: f32,
}

/// Ground truth of one frame. Regions are half-open pixels of the frame; they are exact.
///
/// A box's region is the coloured map's extent *with* its outline, where the skin draws one: the
/// outline is the outermost pixels of the region. A box on a curved probe is given by its bounding
/// rectangle. A view is the ultrasound image's extent (for curved probes: the fan's bounding
/// rectangle), without rulers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Truth {
    /// The simulated patient.
    pub patient: PatientId,
    /// Class of the nodule; null where there is no nodule.
    pub malignant: Option<bool>,
    /// The screen.
    pub skin: Skin,
    /// Frame size in pixels, `[width, height]`.
    pub size: [u32; 2],
    /// Number of the frame.
    pub index: u64,
    /// How the views stand to each other; null where there are not two of the same anatomy.
    pub orientation: Option<Orientation>,
    /// The view without a stiffness map.
    pub bmode_view: Option<Region>,
    /// The view with it.
    pub elastogram_view: Option<Region>,
    /// The same anatomy as `elastogram_box` in the B-mode view; null unless both are shown.
    pub bmode_box: Option<Region>,
    /// The stiffness map; null unless both are shown.
    pub elastogram_box: Option<Region>,
    /// The coloured bar, without labels and frame.
    pub colour_bar: Option<Region>,
    /// Which end of the palette is hard.
    pub hard_end: Option<HardEnd>,
    /// True stiffness.
    pub stiffness_kpa: StiffnessKpa,
    /// B-mode signs of the nodule.
    pub signs: Option<Signs>,
    /// Number of the elastogram on the screen; grows with every update, also over exams.
    pub elastogram_index: u64,
    /// The screen is frozen.
    pub frozen: bool,
    /// The map has settled since the probe last moved.
    pub settled: bool,
    /// Number of the exam.
    pub exam: u64,
}
