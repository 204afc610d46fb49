//! What is true of an exam's picture.

use super::Exam;
use sonofuse_core::layout::HardEnd;

use crate::chrome;
use crate::course::InBox;
use crate::elasto::ColourMap;
use crate::motion::{Moment, Pose};
use crate::paint::Rect;
use crate::patient::Nodule;
use crate::screen::Ink;
use crate::skin::Scene;
use crate::speckle::Probe;
use crate::truth::{OUTLINE_POINTS, Screen, ShownValues, StiffnessKpa, Support, Truth};

/// What is known of a picture beside the exam itself.
pub(crate) struct Known {
    pub(crate) index: u64,
    pub(crate) elastogram_index: u64,
    /// Where the probe was when the B-mode image was taken.
    pub(crate) pose: Pose,
    pub(crate) shown: Option<ShownValues>,
    pub(crate) frozen: bool,
    pub(crate) settled: bool,
    /// Which nodule lies in the box.
    pub(crate) in_box: InBox,
}

impl Exam {
    /// The truth beside the frame that [`Exam::draw`] drew for `moment`.
    pub(crate) fn truth(&self, index: u64, updates_per_exam: u64, moment: &Moment) -> Truth {
        self.truth_of(&Known {
            index,
            elastogram_index: self
                .number
                .saturating_mul(updates_per_exam)
                .saturating_add(moment.elastogram),
            pose: self.timeline.pose(moment.bmode_s),
            shown: self.shown(&self.memory.map),
            frozen: moment.frozen,
            settled: self.timeline.settled(moment.elastogram_s),
            in_box: InBox::First,
        })
    }

    /// The values that `map` shows on this screen.
    pub(crate) fn shown(&self, map: &ColourMap) -> Option<ShownValues> {
        map.shown.filter(|_| self.shows_map())
    }

    fn shows_map(&self) -> bool {
        matches!(self.style.scene, Scene::Dual | Scene::Elastogram)
    }

    fn scene(&self) -> Screen {
        match self.style.scene {
            Scene::Dual => Screen::Dual,
            Scene::Flow { power: false } => Screen::ColourDoppler,
            Scene::Flow { power: true } => Screen::PowerDoppler,
            Scene::Tinted => Screen::Tinted,
            Scene::TwoImages => Screen::TwoImages,
            Scene::Rendering => Screen::Rendering,
            Scene::Menu => Screen::Menu,
            Scene::BMode => Screen::BModeOnly,
            Scene::Elastogram => Screen::SingleMap,
            Scene::NoSignal => Screen::Card,
            Scene::Uniform => Screen::Plain,
        }
    }

    /// The truth of a picture.
    pub(crate) fn truth_of(&self, known: &Known) -> Truth {
        let view = |ink: Ink| {
            self.screen.panes.iter().find(|p| p.ink == ink).and_then(|p| p.view.region())
        };
        let dual = self.style.scene == Scene::Dual;
        let flow = matches!(self.style.scene, Scene::Flow { .. });
        let boxed = |ink: Ink| {
            let b = self.screen.colour_box.filter(|_| dual)?;
            let pane = self.screen.panes.iter().find(|p| p.ink == ink)?;
            b.rect.shifted(pane.view.x, pane.view.y).region()
        };
        let nodule = match known.in_box {
            InBox::First => self.patient.nodule.as_ref(),
            InBox::Neighbour => self.patient.neighbour.as_ref(),
            InBox::Neither => None,
        };
        let map_shown = self.shows_map();
        let imaged = !self.screen.panes.is_empty();
        let hard_end = match self.style.hard_end {
            HardEnd::Red if self.dress.inverted => HardEnd::Blue,
            HardEnd::Blue if self.dress.inverted => HardEnd::Red,
            end => end,
        };
        Truth {
            patient: self.patient.id,
            malignant: nodule.map(|n| n.malignant),
            skin: self.skin,
            size: self.size,
            index: known.index,
            orientation: chrome::orientation(&self.style),
            bmode_view: view(Ink::Grey),
            elastogram_view: view(Ink::Map).filter(|_| !flow),
            bmode_box: boxed(Ink::Grey),
            elastogram_box: boxed(Ink::Map),
            colour_bar: self
                .screen
                .bar
                .filter(|_| map_shown && !self.dress.bar_gone && !self.dress.bar_covered)
                .and_then(|b: Rect| b.region()),
            hard_end: map_shown.then_some(hard_end),
            stiffness_kpa: StiffnessKpa {
                nodule_mean: nodule.map(|n| n.mean_kpa),
                nodule_max: nodule.map(|n| n.mean_kpa * n.rim_gain.max(1.0)),
                background: self.patient.background_kpa,
            },
            signs: nodule.map(|n| n.signs),
            elastogram_index: known.elastogram_index,
            frozen: known.frozen,
            settled: known.settled,
            exam: self.number,
            support: Support {
                screen: self.scene(),
                dual_view: dual,
                patient: imaged.then_some(self.patient.id),
                nodule: nodule.filter(|_| imaged).map(|_| 0),
                plane: imaged.then_some(self.patient.plane),
                place: self.number,
                palette: map_shown.then_some(hard_end),
                map: map_shown.then_some(known.elastogram_index),
                map_place: map_shown.then_some(self.number),
                settled: known.settled && map_shown,
                frozen: known.frozen,
                cine: false,
            },
            nodule_outline_view_px: nodule.filter(|_| imaged).map(|n| self.outline(n, &known.pose)),
            shown: known.shown,
            mm_per_px: imaged.then(|| self.screen.beams.px_per_mm.recip()),
        }
    }

    /// The nodule's margin in pixels of the view, with the probe at `pose`.
    pub(crate) fn outline(&self, nodule: &Nodule, pose: &Pose) -> [[f32; 2]; OUTLINE_POINTS] {
        let beams = &self.screen.beams;
        let [left, top] = self.screen.origin_mm;
        // Tissue at this depth is shown so much higher as it was pushed up.
        let raised = |depth: f32| depth - pose.axial_mm * (depth / 12.0).clamp(0.0, 1.0);
        std::array::from_fn(|i| {
            let angle = i as f32 / OUTLINE_POINTS as f32 * std::f32::consts::TAU;
            let [x, z] = nodule.margin(angle);
            let [x, z] = match beams.probe {
                Probe::Linear { .. } => [x - pose.lateral_mm, raised(z)],
                Probe::Curved { radius_mm, half_rad } => {
                    let cols = pose.lateral_mm * beams.cols_per_mm();
                    let slid = cols / beams.cols as f32 * 2.0 * half_rad;
                    let beam = x.atan2(z + radius_mm) - slid;
                    let r = radius_mm + raised(x.hypot(z + radius_mm) - radius_mm);
                    [r * beam.sin(), r * beam.cos() - radius_mm]
                }
            };
            [(x - left) * beams.px_per_mm, (z - top) * beams.px_per_mm]
        })
    }
}
