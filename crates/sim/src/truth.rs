//! What is known about a simulated frame: where everything is, who the patient is, and what a number
//! may rest on. Pure data; its JSON form is a contract: names may be added, none may change.

use serde::Serialize;
use sonofuse_core::layout::{HardEnd, Orientation};
use sonofuse_core::region::Region;

use crate::patient::{PatientId, Plane, Signs};
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

/// What the whole picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Screen {
    /// B-mode and stiffness map of the same anatomy, side by side or stacked.
    Dual,
    /// The two views, with nothing in the colour box (yet).
    EmptyBox,
    /// The two views, with colour flow in the box.
    ColourDoppler,
    /// The two views, with power Doppler in the box.
    PowerDoppler,
    /// The two views, with a map of the measurement's quality in the box.
    QualityMap,
    /// The two views of a probe that has no contact.
    NoContact,
    /// The two views under a dialog.
    Dialog,
    /// One stiffness map without its B-mode view.
    SingleMap,
    /// Colour flow on a screen of its own: one view, or beside its B-mode.
    Flow,
    /// B-mode only.
    BModeOnly,
    /// B-mode through a tint.
    Tinted,
    /// Two B-mode images of different places.
    TwoImages,
    /// A rendered volume.
    Rendering,
    /// A menu or list over everything.
    Menu,
    /// Black.
    Black,
    /// One colour (a grabber's blue, a grey).
    Plain,
    /// A card that says that there is no signal.
    Card,
}

impl Screen {
    /// Tells whether the picture shows B-mode and stiffness of the same anatomy.
    pub const fn is_dual_view(self) -> bool {
        matches!(self, Self::Dual)
    }
}

/// What a number may rest on in this picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and a key of truth")]
pub struct Support {
    /// What the picture is.
    pub screen: Screen,
    /// The picture shows B-mode and stiffness map of the same anatomy: without it, no number.
    pub dual_view: bool,
    /// Whom the B-mode shows; null without a B-mode image.
    pub patient: Option<PatientId>,
    /// Which of the patient's nodules is in the box, from 0; null where none is.
    pub nodule: Option<u32>,
    /// How the B-mode cuts the neck; null without a B-mode image.
    pub plane: Option<Plane>,
    /// Counts up whenever a number must start anew: another patient, nodule, plane, or palette
    /// direction.
    pub place: u64,
    /// Hard end of the palette as it is shown; null without a stiffness map.
    pub palette: Option<HardEnd>,
    /// Number of the stiffness map on the screen; the same map shown again (cine) has its old number.
    /// Null where none is shown.
    pub map: Option<u64>,
    /// The place that this map was made of: after a jump of the B-mode, the old map still belongs
    /// to the place before. Null where no map is shown.
    pub map_place: Option<u64>,
    /// The map is drawn completely, and was made after the tissue had come to rest.
    pub settled: bool,
    /// The screen is frozen.
    pub frozen: bool,
    /// Stored pictures are played.
    pub cine: bool,
}

/// Unit of the values in the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Unit {
    /// Young's modulus.
    #[serde(rename = "kPa")]
    Kpa,
    /// Position on the palette, 0 soft … 1 hard; strain has no other unit.
    #[serde(rename = "relative")]
    Relative,
}

/// The values that the box shows: clipped at the scale's end, holes left out. Marks that are drawn
/// over the map are not taken into account.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ShownValues {
    /// Mean.
    pub mean: f32,
    /// Highest.
    pub max: f32,
    /// Standard deviation.
    pub sd: f32,
    /// What 99 of 100 pixels stay below.
    pub p99: f32,
    /// Highest mean of a circle of 2 mm within the box of which four fifths show a value; null where the box
    /// is too small or too empty.
    pub circle_2mm: Option<f32>,
    /// Share of the box that shows a value, 0..=1.
    pub filled: f32,
    /// The value at the hard end of the palette.
    pub scale_end: f32,
    /// Unit of all but `filled`.
    pub unit: Unit,
}

/// Points of a nodule's outline.
pub const OUTLINE_POINTS: usize = 32;

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
    /// What a number may rest on.
    pub support: Support,
    /// The margin of the nodule as the B-mode shows it: a closed polygon in pixels of the view,
    /// `[x, y]` from the view's top left corner, the same in both views. It may reach beyond the view.
    /// Null where no nodule is shown.
    pub nodule_outline_view_px: Option<[[f32; 2]; OUTLINE_POINTS]>,
    /// The values in the box; null without a stiffness map and while one is being drawn.
    pub shown: Option<ShownValues>,
    /// Length of a pixel's side in the views, mm; null without a view.
    pub mm_per_px: Option<f32>,
}
