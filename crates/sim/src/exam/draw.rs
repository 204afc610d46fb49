//! How an exam's pictures are drawn: the B-mode image, the map over it, and all of it together.

use super::{Exam, Tints};
use crate::chrome;
use crate::elasto::{ColourMap, Inking, Patch, Scale, Update};
use crate::motion::{Moment, Pose};
use crate::paint::Canvas;
use crate::rng::{Purpose, mix};
use crate::scenario::Content;
use crate::screen::Ink;
use crate::skin::{MapKind, Scene};
use crate::speckle::{NoiseTile, Probe, Sample};

/// What is put together to one picture.
pub(crate) struct Face<'a> {
    /// What lies in the colour box.
    pub(crate) map: Option<&'a ColourMap>,
    pub(crate) tints: &'a Tints,
    pub(crate) frozen: bool,
    /// Seconds that the clock on the screen has gone.
    pub(crate) clock_s: f32,
}

/// What is to be made for the colour box.
pub(crate) struct MapRequest {
    pub(crate) content: Content,
    pub(crate) pose: Pose,
    /// Number of the update in the exam.
    pub(crate) index: u64,
    /// 0 settled … 1 just moved.
    pub(crate) unsettled: f32,
    /// Weight of the colour, of 256.
    pub(crate) weight: u8,
    /// Another compression than in the maps before: twice as stiff.
    pub(crate) unlike: bool,
    /// How much of the box colour flow fills, against the usual.
    pub(crate) flow_cover: f32,
}

/// Change of ln kPa by which a map is unlike the others.
const UNLIKE_LN: f32 = 0.7;

impl Exam {
    /// Draws the frame `t_s` seconds into the exam. The exam must be built.
    pub(crate) fn draw(&mut self, t_s: f32, tile: &NoiseTile, canvas: &mut Canvas<'_>) -> Moment {
        let moment = self.timeline.at(t_s);
        if !self.screen.panes.is_empty() {
            self.update_images(&moment, tile);
            self.update_map(&moment);
        }
        let face = Face {
            map: Some(&self.memory.map),
            tints: &self.tints,
            frozen: moment.frozen,
            clock_s: moment.shown_s,
        };
        self.compose(&face, canvas);
        moment
    }

    /// Puts the picture together: furniture, views, what lies over them.
    pub(crate) fn compose(&self, face: &Face<'_>, canvas: &mut Canvas<'_>) {
        let row = self.size[0] as usize * 4;
        for (y, from) in self.memory.chrome.chunks_exact(row).enumerate() {
            canvas.px[y * canvas.stride..][..row].copy_from_slice(from);
        }
        for i in 0..self.screen.panes.len() {
            self.draw_pane(i, face, canvas);
        }
        self.memory.over.apply(canvas);
        if face.frozen {
            self.memory.frozen.apply(canvas);
        }
        if !matches!(self.style.scene, Scene::NoSignal | Scene::Uniform) {
            chrome::clock(canvas, &self.style, &self.screen, &self.caption, face.clock_s);
        }
    }

    fn update_images(&mut self, moment: &Moment, tile: &NoiseTile) {
        if self.bmode == Some(moment.bmode) {
            return;
        }
        self.bmode = Some(moment.bmode);
        let pose = self.timeline.pose(moment.bmode_s);
        let noise = mix(mix(self.seed ^ Purpose::FrameNoise as u64, self.number), moment.bmode);
        self.image(&pose, noise, tile);
    }

    /// Takes the second image of a B/B screen: another place, taken before and frozen.
    fn other_image(&mut self, tile: &NoiseTile) {
        self.other_taken = true;
        if self.memory.other.is_empty() {
            return;
        }
        let pose = Pose { lateral_mm: -2.2, axial_mm: 0.4, elevation_rad: 1.9 };
        self.image(&pose, 77, tile);
        let (grey, other) = (&self.memory.grey, &mut self.memory.other);
        let width = self.screen.panes[0].view.w as usize;
        for (to, from) in other.chunks_exact_mut(width).zip(grey.chunks_exact(width)) {
            to.iter_mut().zip(from.iter().rev()).for_each(|(t, f)| *t = *f);
        }
    }

    /// Takes the B-mode image that the views show, unless they show it already.
    pub(crate) fn still_image(&mut self, pose: &Pose, noise: u64, tile: &NoiseTile) {
        if self.taken != Some((*pose, noise)) {
            self.image(pose, noise, tile);
        }
    }

    /// Takes the B-mode image that the views show.
    pub(crate) fn image(&mut self, pose: &Pose, noise: u64, tile: &NoiseTile) {
        if !self.other_taken {
            self.other_image(tile);
        }
        self.taken = Some((*pose, noise));
        let beams = &self.screen.beams;
        let memory = &mut self.memory;
        let sample = Sample {
            cols: pose.lateral_mm * beams.cols_per_mm(),
            rows: pose.axial_mm * beams.px_per_mm,
            elevation_rad: pose.elevation_rad,
            noise,
        };
        let curved = !memory.beam_grey.is_empty();
        let grey = if curved { &mut memory.beam_grey } else { &mut memory.grey };
        memory.field.image(beams, &self.acquisition, tile, &sample, &mut memory.lines, grey);
        if curved {
            memory.scan.convert(&memory.beam_grey, beams.cols, &mut memory.grey);
        }
    }

    fn update_map(&mut self, moment: &Moment) {
        if self.elastogram == Some(moment.elastogram) {
            return;
        }
        self.elastogram = Some(moment.elastogram);
        let request = MapRequest {
            content: match self.style.scene {
                Scene::Flow { power: true } => Content::PowerDoppler,
                Scene::Flow { power: false } => Content::ColourDoppler,
                _ => Content::Stiffness,
            },
            pose: self.timeline.pose(moment.elastogram_s),
            index: moment.elastogram,
            unsettled: self
                .timeline
                .unsettled(moment.elastogram_s)
                .max(self.between_strokes(moment)),
            weight: self.style.weight,
            unlike: false,
            flow_cover: 1.0,
        };
        let mut map = std::mem::take(&mut self.memory.map);
        self.make_map(&request, &mut map);
        self.memory.map = map;
    }

    /// How much worse a strain map is that was taken between two pushes of the hand.
    fn between_strokes(&self, moment: &Moment) -> f32 {
        let hz = self.style.mapping.strokes_hz;
        if hz == 0.0 {
            return 0.0;
        }
        let still = 1.0 - (std::f32::consts::PI * hz * moment.elastogram_s).sin().abs();
        0.3 * still * still
    }

    /// Codes the finished picture as the skin's grabber does.
    pub(crate) fn code(&self, canvas: &mut Canvas<'_>) {
        if let Some(codec) = self.style.codec {
            codec.apply(canvas);
        }
    }

    /// Makes what the colour box shows; a screen without one leaves `map` as it is.
    pub(crate) fn make_map(&mut self, request: &MapRequest, map: &mut ColourMap) {
        let Some(b) = self.screen.colour_box else { return };
        let pose = &request.pose;
        let patch = Patch {
            origin_mm: self.screen.position(b.rect.x as f32, b.rect.y as f32),
            px_per_mm: self.screen.beams.px_per_mm,
            size: [b.rect.w as usize, b.rect.h as usize],
        };
        let update = Update {
            seed: self.seed,
            exam: self.tissue,
            index: request.index,
            unsettled: request.unsettled,
            bias_ln: if request.unlike { UNLIKE_LN } else { 0.0 },
            mapping: self.style.mapping,
        };
        let memory = &mut self.memory;
        let mask = &memory.mask;
        let inside = |x: usize, y: usize| mask.is_empty() || mask[y * patch.size[0] + x];
        match request.content {
            Content::Empty => map.reset(patch.size),
            Content::ColourDoppler | Content::PowerDoppler => {
                let power = request.content == Content::PowerDoppler;
                map.flow(&self.patient, &patch, pose, update, (power, request.flow_cover), inside);
            }
            Content::Quality => {
                memory.grid.measure(&self.patient, &patch, pose, update);
                map.quality(&memory.grid, &patch, request.weight, inside);
            }
            Content::Stiffness => {
                memory.grid.measure(&self.patient, &patch, pose, update);
                let swe = self.style.map == MapKind::Swe;
                let [mean_at, per_ln] = self.style.mapping.relative;
                let scale = if swe {
                    Scale::Kpa { max_kpa: self.max_kpa }
                } else {
                    Scale::Relative { mean_at, per_ln }
                };
                let inking = Inking {
                    scale,
                    palette: &self.palette,
                    weight: request.weight,
                    hole_below: self.style.mapping.hole_below,
                };
                map.stiffness(&memory.grid, &patch, &inking, inside);
            }
        }
    }

    /// Mixes another exam's image of the same size into this one, `weight` of it; the image must be
    /// taken anew for the next picture.
    pub(crate) fn mix_image(&mut self, other: &Self, weight: f32) {
        self.taken = None;
        let w = (weight.clamp(0.0, 1.0) * 256.0) as i32;
        for (a, b) in self.memory.grey.iter_mut().zip(&other.memory.grey) {
            *a = (*a as i32 + (((*b as i32 - *a as i32) * w) >> 8)) as u8;
        }
    }

    /// Turns the image into that of a probe in air: the echoes of its own face, and noise.
    pub(crate) fn lift(&mut self) {
        self.taken = None;
        let Some(view) = self.screen.panes.first().map(|p| p.view) else { return };
        for (y, line) in self.memory.grey.chunks_exact_mut(view.w as usize).enumerate() {
            for (x, grey) in line.iter_mut().enumerate() {
                if *grey == 0 {
                    continue;
                }
                let [_, depth] = match self.screen.beams.probe {
                    Probe::Linear { .. } => self.screen.position(x as f32, y as f32),
                    Probe::Curved { .. } => self.screen.polar(x as f32, y as f32),
                };
                let ring = (depth * 3.4).sin().max(0.0) * (-depth / 2.2).exp();
                *grey = (*grey as f32 * 0.1 + 210.0 * ring) as u8;
            }
        }
    }

    fn draw_pane(&self, i: usize, face: &Face<'_>, canvas: &mut Canvas<'_>) {
        let pane = &self.screen.panes[i];
        let view = pane.view;
        let memory = &self.memory;
        let grey = if pane.ink == Ink::Other { &memory.other } else { &memory.grey };
        let tint = &face.tints[match pane.ink {
            Ink::Tint => 1,
            Ink::Map => 2,
            Ink::Grey | Ink::Other => 0,
        }];
        let colour_box = self.screen.colour_box.zip(face.map).filter(|_| pane.ink == Ink::Map);
        for (y, line) in grey.chunks_exact(view.w as usize).enumerate() {
            let out = canvas.span(view.x, view.y + y as i32, view.w);
            for (o, g) in out.chunks_exact_mut(4).zip(line) {
                o.copy_from_slice(&tint[*g as usize].to_le_bytes());
            }
            let Some((b, map)) = colour_box else { continue };
            let y = y as i32 - b.rect.y;
            if y < 0 || y >= b.rect.h {
                continue;
            }
            let colours = &map.px[y as usize * map.width..][..map.width];
            let out = &mut out[b.rect.x as usize * 4..][..b.rect.w as usize * 4];
            for (o, c) in out.chunks_exact_mut(4).zip(colours) {
                let weight = c[3] as u32;
                for k in 0..3 {
                    o[k] = ((o[k] as u32 * (256 - weight) + c[k] as u32 * weight + 128) >> 8) as u8;
                }
            }
        }
    }
}
