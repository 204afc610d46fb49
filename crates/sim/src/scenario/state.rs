//! What holds at a moment of a scenario: the sum of the events until then. Pure.

use serde::Deserialize;

use super::{EventForm, ExamForm};
use crate::cast::Subject;
use crate::skin::Skin;

/// What the colour box holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Content {
    #[default]
    Stiffness,
    ColourDoppler,
    PowerDoppler,
    #[serde(rename = "quality-map")]
    Quality,
    Empty,
}

/// What the whole screen shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Shows {
    #[default]
    Dual,
    BModeOnly,
    SingleMap,
    TwoImages,
    Rendering,
    Menu,
    Dialog,
    Card,
    Black,
    Blue,
}

impl Shows {
    /// Tells whether the scanner goes on making stiffness maps meanwhile.
    pub(crate) fn keeps_maps(self) -> bool {
        !matches!(self, Self::BModeOnly | Self::TwoImages | Self::Rendering)
    }
}

/// The palette bar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Bar {
    #[default]
    Shown,
    Covered,
    Gone,
}

/// Whether the screen stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Freeze {
    #[default]
    Off,
    /// On the map that is on the screen.
    SameMap,
    /// On a map that comes with the freeze and is unlike the one before.
    OtherMap,
    /// Before the box has a map.
    BeforeMap,
}

/// A map out of turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MapNow {
    /// A new one.
    New,
    /// A new one that is unlike the last.
    Unlike,
}

/// Whether the probe touches the neck.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ProbeAt {
    #[default]
    Neck,
    Lifted,
}

/// A motion of the probe from one place to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Glide {
    pub(crate) start_s: f64,
    pub(crate) length_s: f64,
    pub(crate) from: f32,
    pub(crate) to: f32,
}

impl Glide {
    /// A place that is held.
    pub(crate) const fn at_rest(at: f32) -> Self {
        Self { start_s: 0.0, length_s: 0.0, from: at, to: at }
    }

    /// Part of the way at `t_s`, 0..=1.
    pub(crate) fn part(&self, t_s: f64) -> f32 {
        if t_s >= self.start_s + self.length_s {
            return 1.0;
        }
        ((t_s - self.start_s) / self.length_s).clamp(0.0, 1.0) as f32
    }

    /// The place at `t_s`; at an even speed, as a hand sweeps.
    pub(crate) fn at(&self, t_s: f64) -> f32 {
        self.from + (self.to - self.from) * self.part(t_s)
    }
}

/// What holds from an event on.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "independent things that are there or not")]
pub(crate) struct State {
    /// Since when.
    pub(crate) since_s: f64,
    pub(crate) subject: Subject,
    /// Whom the probe came from, and how far it is on its way, where that takes time.
    pub(crate) before: Subject,
    pub(crate) sweep: Glide,
    pub(crate) slide_mm: Glide,
    pub(crate) turn_rad: Glide,
    pub(crate) probe: ProbeAt,
    pub(crate) content: Content,
    pub(crate) map_rate_hz: f32,
    pub(crate) bmode_rate_hz: f32,
    pub(crate) persistence_s: f32,
    pub(crate) redraw_s: f32,
    pub(crate) gain: f32,
    pub(crate) opacity: Option<f32>,
    pub(crate) invert: bool,
    pub(crate) bar: Bar,
    pub(crate) shows: Shows,
    pub(crate) freeze: Freeze,
    pub(crate) cine_maps: u32,
    pub(crate) cine_rate_hz: f32,
    pub(crate) caliper: bool,
    pub(crate) label: bool,
    pub(crate) body_mark: bool,
    pub(crate) box_shift_mm: [f32; 2],
    pub(crate) box_scale: f32,
    pub(crate) depth_scale: f32,
    pub(crate) exchange_views: bool,
    pub(crate) skin: Skin,
    pub(crate) size: [u32; 2],
    pub(crate) rate_factor: f64,
    pub(crate) repeat: bool,
}

impl State {
    /// What holds before the first event.
    pub(crate) fn first(exam: &ExamForm, skin: Skin, size: [u32; 2]) -> Self {
        Self {
            since_s: 0.0,
            subject: Subject::default(),
            before: Subject::default(),
            sweep: Glide::at_rest(1.0),
            slide_mm: Glide::at_rest(0.0),
            turn_rad: Glide::at_rest(0.0),
            probe: ProbeAt::default(),
            content: Content::default(),
            map_rate_hz: exam.map_rate_hz,
            bmode_rate_hz: exam.bmode_rate_hz,
            persistence_s: 0.0,
            redraw_s: 0.0,
            gain: 1.0,
            opacity: None,
            invert: false,
            bar: Bar::default(),
            shows: Shows::default(),
            freeze: Freeze::default(),
            cine_maps: 0,
            cine_rate_hz: 2.0,
            caliper: false,
            label: false,
            body_mark: false,
            box_shift_mm: [0.0; 2],
            box_scale: 1.0,
            depth_scale: 1.0,
            exchange_views: false,
            skin,
            size,
            rate_factor: 1.0,
            repeat: false,
        }
    }

    /// What holds after `event`; a size of the video is left as it is where it is `fixed`.
    pub(crate) fn after(&self, event: &EventForm, fixed_size: bool) -> Self {
        let e = event;
        let mut s = *self;
        s.since_s = e.at_s;
        let over_s = e.over_s.unwrap_or(0.0);
        let glide = |from: f32, to: f32| Glide { start_s: e.at_s, length_s: over_s, from, to };
        s.subject = Subject {
            patient: e.patient.unwrap_or(s.subject.patient),
            // Another patient is looked at from the first nodule on.
            nodule: e.nodule.unwrap_or(if e.patient.is_some() { 0 } else { s.subject.nodule }),
            other_plane: e.other_plane.unwrap_or(s.subject.other_plane && e.patient.is_none()),
        };
        if s.subject != self.subject {
            s.before = self.subject;
            s.sweep = glide(0.0, 1.0);
        }
        if let Some(mm) = e.slide_mm {
            s.slide_mm = glide(self.slide_mm.at(e.at_s), mm);
        }
        if let Some(rad) = e.turn_rad {
            s.turn_rad = glide(self.turn_rad.at(e.at_s), rad);
        }
        set(&mut s.probe, e.probe);
        set(&mut s.content, e.content);
        set(&mut s.map_rate_hz, e.map_rate_hz);
        set(&mut s.bmode_rate_hz, e.bmode_rate_hz);
        set(&mut s.persistence_s, e.persistence_s);
        set(&mut s.redraw_s, e.redraw_s);
        set(&mut s.gain, e.gain);
        s.opacity = e.opacity.or(s.opacity);
        set(&mut s.invert, e.invert);
        set(&mut s.bar, e.bar);
        set(&mut s.shows, e.screen);
        set(&mut s.freeze, e.freeze);
        set(&mut s.cine_maps, e.cine_maps);
        if s.freeze == Freeze::Off {
            s.cine_maps = 0;
        }
        set(&mut s.cine_rate_hz, e.cine_rate_hz);
        set(&mut s.caliper, e.caliper);
        set(&mut s.label, e.label);
        set(&mut s.body_mark, e.body_mark);
        set(&mut s.box_shift_mm, e.box_shift_mm);
        set(&mut s.box_scale, e.box_scale);
        set(&mut s.depth_scale, e.depth_scale);
        set(&mut s.exchange_views, e.exchange_views);
        set(&mut s.skin, e.skin);
        if !fixed_size {
            set(&mut s.size, e.size_px);
        }
        set(&mut s.rate_factor, e.rate_factor);
        set(&mut s.repeat, e.repeat);
        s
    }
}

fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}
