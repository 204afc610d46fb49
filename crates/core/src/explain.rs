//! Where the network's features responded, as it is published and drawn: plain data, its caveat, and the
//! colours of a heat map. Who computes it is whoever has the network. Pure.

use serde::Serialize;

use crate::reading::ModelInfo;

/// What a heat map is not; said wherever one is given.
pub const CAVEAT: &str =
    "where the network's features responded: not why, and no sign that the score is right";

/// Which way a score leans, and so what was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Leaning {
    /// Below the model's cut.
    Benign,
    /// At or above it.
    Malignant,
}

impl Leaning {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Benign => "benign",
            Self::Malignant => "malignant",
        }
    }
}

/// A view that a part of the network looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum View {
    /// The B-mode crop.
    #[serde(rename = "bmode")]
    BMode,
    /// The elastogram crop.
    Elastogram,
}

/// What one branch of the network responded to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Attention {
    /// The views that the branch looks at: one, or both together.
    pub views: Vec<View>,
    /// Its part of all that speaks for the leaning, 0..=1; null where nothing does.
    pub share: Option<f32>,
    /// The smallest part of the crop that holds half of it, 0..=1: small where it is gathered, near a half
    /// where it is everywhere. Null where nothing speaks for the leaning.
    pub half_on: Option<f32>,
}

/// Where in the last scored map the network's features responded.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Explained {
    /// Number of the exam that the map is of.
    pub exam: u64,
    /// The place that it is of, as in readings.
    pub place: u64,
    /// Number of the map: counts the maps that were scored since the daemon started.
    pub map: u64,
    /// Its age when this was answered, ms.
    pub age_ms: u64,
    /// Calibrated probability by this map alone, 0..=1; a reading's rests on several.
    pub malignancy: f32,
    /// The logit that it was scored with.
    pub logit: f32,
    /// The logit of the run that this explanation is of: by the processor, whatever scored.
    pub logit_again: f32,
    /// What was looked for: what speaks for this.
    pub speaks_for: Leaning,
    /// Branch by branch.
    pub attention: Vec<Attention>,
    /// It stands on the panel for some seconds: false where the picture shows another place by now.
    pub on_panel: bool,
    /// Engine of the explaining run.
    pub engine: String,
    /// The model that scored.
    pub model: ModelInfo,
    /// What it is not.
    pub caveat: &'static str,
}

impl Explained {
    /// Part of what speaks for the leaning that came from `view` alone; `None` where its branch sees both.
    pub fn share(&self, view: View) -> Option<f32> {
        self.attention.iter().find(|a| a.views == [view]).and_then(|a| a.share)
    }
}

/// What a branch saw, and its heat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeatPicture {
    /// Which view it is of.
    pub view: View,
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Brightness, row by row.
    pub grey: Vec<u8>,
    /// Heat, row by row: 255 is the strongest of all pictures.
    pub warm: Vec<u8>,
}

impl HeatPicture {
    /// R, G, B, row by row: the heat over what was seen, or over nothing (`bare`), which shows no anatomy and no
    /// writing.
    pub fn rgb(&self, bare: bool) -> Vec<[u8; 3]> {
        let pixels = self.grey.iter().zip(&self.warm);
        let of = |grey: u8| if bare { BARE } else { grey };
        pixels.map(|(grey, warm)| heat([of(*grey); 3], f32::from(*warm) / 255.0)).collect()
    }
}

/// Brightness of a picture that shows nothing but its heat.
const BARE: u8 = 70;

/// Brightness of a pixel.
pub fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((77 * u32::from(r) + 150 * u32::from(g) + 29 * u32::from(b)) >> 8) as u8
}

/// An explanation with what can be drawn of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Looked {
    /// What is said.
    pub explained: Explained,
    /// One a view; all have one scale, so that a dark one means that the other counted more.
    pub pictures: Vec<HeatPicture>,
}

/// The smallest part of `values` that holds half of their sum, 0..=1; `None` where they have none.
pub fn half_on(values: &[f32]) -> Option<f32> {
    let all: f64 = values.iter().map(|v| f64::from(v.max(0.0))).sum();
    if all <= 0.0 {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    let mut sum = 0.0;
    let enough = sorted.iter().position(|v| {
        sum += f64::from(v.max(0.0));
        sum >= all / 2.0
    });
    Some((enough? + 1) as f32 / values.len() as f32)
}

/// A pixel under a heat of `part`, 0..=1: grey below, from dark violet over red to pale yellow above, stronger
/// where the heat is. The picture turns grey because an elastogram's own colours mean stiffness.
pub fn heat(pixel: [u8; 3], part: f32) -> [u8; 3] {
    let luma = f32::from(luma(pixel));
    let part = part.clamp(0.0, 1.0);
    let alpha = 0.75 * part.sqrt();
    ramp(part).map(|c| (luma * (1.0 - alpha) + c * alpha).round() as u8)
}

/// Colours of rising brightness, so that they read in grey too.
fn ramp(part: f32) -> [f32; 3] {
    const STOPS: [[f32; 3]; 5] = [
        [40.0, 11.0, 84.0],
        [120.0, 28.0, 109.0],
        [203.0, 65.0, 73.0],
        [251.0, 155.0, 6.0],
        [252.0, 255.0, 164.0],
    ];
    let at = part * (STOPS.len() - 1) as f32;
    let low = (at as usize).min(STOPS.len() - 2);
    let rest = at - low as f32;
    std::array::from_fn(|c| STOPS[low][c] + rest * (STOPS[low + 1][c] - STOPS[low][c]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_it_is_found_on_the_smallest_part() {
        assert_eq!(half_on(&[0.0, 6.0, 1.0, 1.0]), Some(0.25));
        assert_eq!(half_on(&[1.0; 4]), Some(0.5));
        assert_eq!(half_on(&[0.0; 4]), None);
        assert_eq!(half_on(&[]), None);
    }

    #[test]
    fn without_heat_a_pixel_is_grey_and_with_more_it_is_brighter() {
        assert_eq!(heat([200, 0, 0], 0.0), [60, 60, 60]);
        let bright = |part| heat([200, 0, 0], part).map(u32::from).iter().sum::<u32>();
        assert!(bright(0.0) < bright(0.5) && bright(0.5) < bright(1.0));
        assert_eq!(heat([9, 9, 9], f32::NAN.max(0.0)), [9, 9, 9]);
    }
}
