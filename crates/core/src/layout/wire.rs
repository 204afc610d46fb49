//! A layout's published form: the hard end stands at the top, and beside the bar's region as well,
//! where the first readers look for it. Pure.

use serde::{Deserialize, Serialize};

use super::{HardEnd, Orientation, ScreenLayout};
use crate::region::Region;

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct Layout {
    orientation: Orientation,
    bmode_view: Region,
    elastogram_view: Region,
    bmode_box: Region,
    elastogram_box: Region,
    colour_bar: Option<Bar>,
    #[serde(default)]
    hard_end: Option<HardEnd>,
    confidence: f32,
}

#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Bar {
    region: Region,
    hard_end: Option<HardEnd>,
}

impl From<ScreenLayout> for Layout {
    fn from(layout: ScreenLayout) -> Self {
        let ScreenLayout { orientation, bmode_view, elastogram_view, hard_end, .. } = layout;
        Self {
            orientation,
            bmode_view,
            elastogram_view,
            bmode_box: layout.bmode_box,
            elastogram_box: layout.elastogram_box,
            colour_bar: layout.colour_bar.map(|region| Bar { region, hard_end }),
            hard_end,
            confidence: layout.confidence,
        }
    }
}

impl From<Layout> for ScreenLayout {
    fn from(layout: Layout) -> Self {
        let Layout { orientation, bmode_view, elastogram_view, colour_bar, .. } = layout;
        Self {
            orientation,
            bmode_view,
            elastogram_view,
            bmode_box: layout.bmode_box,
            elastogram_box: layout.elastogram_box,
            colour_bar: colour_bar.as_ref().map(|bar| bar.region),
            hard_end: layout.hard_end.or(colour_bar.and_then(|bar| bar.hard_end)),
            confidence: layout.confidence,
        }
    }
}
