//! One timed event of a scenario: the changes that happen at its time. Pure.

use serde::Deserialize;

use super::state::{Bar, Content, Freeze, MapNow, ProbeAt, Shows};
use super::{Form, Wrong, drawable, within};
use crate::skin::Skin;

/// The keys of an `[[event]]`; each but `at-s` is a change, and holds until it is changed again.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct EventForm {
    pub(crate) at_s: f64,

    // What the probe looks at.
    /// Number of the patient, 0 first.
    pub(crate) patient: Option<u32>,
    /// Number of the patient's nodule, 0 first.
    pub(crate) nodule: Option<u32>,
    /// The cut: as at first, or the other.
    pub(crate) other_plane: Option<bool>,
    /// Where the probe stands along its own plane, mm.
    pub(crate) slide_mm: Option<f32>,
    /// Out-of-plane motion, rad: a quarter turn is other speckle.
    pub(crate) turn_rad: Option<f32>,
    /// Time that slide, turn or change of subject take, s; a jump when absent.
    pub(crate) over_s: Option<f64>,
    pub(crate) probe: Option<ProbeAt>,

    // What the box holds, and how it is renewed.
    #[serde(rename = "box")]
    pub(crate) content: Option<Content>,
    /// A map is shown at this very moment.
    pub(crate) map: Option<MapNow>,
    pub(crate) map_rate_hz: Option<f32>,
    pub(crate) bmode_rate_hz: Option<f32>,
    /// Time over which maps fade into each other, s.
    pub(crate) persistence_s: Option<f32>,
    /// Time over which a map is drawn line by line, s.
    pub(crate) redraw_s: Option<f32>,

    // How it is shown.
    /// Brightness of the B-mode, against the usual.
    pub(crate) gain: Option<f32>,
    /// Weight of the colour, 0..=1.
    pub(crate) opacity: Option<f32>,
    pub(crate) invert: Option<bool>,
    pub(crate) bar: Option<Bar>,
    pub(crate) screen: Option<Shows>,

    // What the user does.
    pub(crate) freeze: Option<Freeze>,
    /// After a freeze: so many of the last maps are played in turn; 0 ends it.
    pub(crate) cine_maps: Option<u32>,
    pub(crate) cine_rate_hz: Option<f32>,
    pub(crate) caliper: Option<bool>,
    pub(crate) label: Option<bool>,
    pub(crate) body_mark: Option<bool>,

    // Geometry.
    pub(crate) box_shift_mm: Option<[f32; 2]>,
    pub(crate) box_scale: Option<f32>,
    /// Depth shown, against the first.
    pub(crate) depth_scale: Option<f32>,
    pub(crate) exchange_views: Option<bool>,
    pub(crate) skin: Option<Skin>,

    // The video signal.
    pub(crate) size_px: Option<[u32; 2]>,
    /// Pictures a second, against the player's.
    pub(crate) rate_factor: Option<f64>,
    /// The last picture is repeated, bit for bit.
    pub(crate) repeat: Option<bool>,
}

impl EventForm {
    /// Checks the event of a scenario, after one at `before_s`.
    pub(super) fn check(&self, form: &Form, before_s: f64) -> Result<(), Wrong> {
        within("at-s", self.at_s, 0.0..=form.length_s)?;
        if self.at_s < before_s {
            return Err((
                "at-s",
                format!(
                    "is {}: events stand in the order of time, the one before is at {before_s}",
                    self.at_s
                ),
            ));
        }
        let ranged = [
            ("slide-mm", self.slide_mm, -30.0..=30.0),
            ("turn-rad", self.turn_rad, -10.0..=10.0),
            ("map-rate-hz", self.map_rate_hz, 0.1..=30.0),
            ("bmode-rate-hz", self.bmode_rate_hz, 1.0..=60.0),
            ("persistence-s", self.persistence_s, 0.0..=2.0),
            ("redraw-s", self.redraw_s, 0.0..=2.0),
            ("gain", self.gain, 0.1..=4.0),
            ("opacity", self.opacity, 0.1..=1.0),
            ("cine-rate-hz", self.cine_rate_hz, 0.1..=60.0),
            ("box-scale", self.box_scale, 0.4..=2.0),
            ("depth-scale", self.depth_scale, 0.6..=1.8),
        ];
        for (key, value, range) in ranged {
            if let Some(value) = value {
                within(key, value, range)?;
            }
        }
        for mm in self.box_shift_mm.into_iter().flatten() {
            within("box-shift-mm", mm, -20.0..=20.0)?;
        }
        if let Some(seconds) = self.over_s {
            within("over-s", seconds, 0.0..=60.0)?;
            let subject =
                self.patient.is_some() || self.nodule.is_some() || self.other_plane.is_some();
            if !subject && self.slide_mm.is_none() && self.turn_rad.is_none() {
                return Err((
                    "over-s",
                    "needs something that takes time: slide-mm, turn-rad, patient, nodule or other-plane".into(),
                ));
            }
        }
        within("patient", self.patient.unwrap_or(0), 0..=99)?;
        within("nodule", self.nodule.unwrap_or(0), 0..=9)?;
        if self.nodule.is_some() && form.exam.neighbour_mm != 0.0 {
            let words = "names another plane's nodule beside the one at neighbour-mm: reach that by slide-mm";
            return Err(("nodule", words.into()));
        }
        within("cine-maps", self.cine_maps.unwrap_or(2), 0..=20)?;
        if self.cine_maps == Some(1) {
            return Err(("cine-maps", "is 1: a loop has 2 maps or more, 0 ends it".into()));
        }
        within("rate-factor", self.rate_factor.unwrap_or(1.0), 0.05..=4.0)?;
        if let Some(size) = self.size_px {
            drawable("size-px", size)?;
        }
        if let Some(skin) = self.skin.filter(|s| !s.is_dual_view()) {
            return Err(("skin", format!("is {skin}, which shows no dual view")));
        }
        Ok(())
    }
}
