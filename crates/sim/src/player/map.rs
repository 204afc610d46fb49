//! What lies in the colour box: maps that are made once, fade into each other or are drawn line by
//! line.

use super::{ExamKey, Player, draw};
use crate::course::Now;
use crate::elasto::ColourMap;
use crate::exam::MapRequest;
use crate::scenario::Content;
use crate::truth::ShownValues;

/// Maps that are kept, and most that fade into each other at once.
const KEPT_MAPS: usize = 5;

/// A map and its part of the box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Layer {
    map: MapKey,
    part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    /// So many 255ths of every pixel.
    Share(u8),
    /// The lines before or from this 1024th of the height on.
    Above(u32),
    Below(u32),
}

/// What a map depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
struct MapKey {
    exam: ExamKey,
    entry: usize,
    weight: u8,
    inverted: bool,
}

/// The maps made last, and what they come to.
#[derive(Default)]
pub(super) struct MapSlots {
    made: Vec<(MapKey, ColourMap)>,
    mixed: ColourMap,
    sum: Vec<[u32; 4]>,
}

impl MapSlots {
    fn get(&self, key: &MapKey) -> Option<&ColourMap> {
        self.made.iter().find(|(k, _)| k == key).map(|(_, map)| map)
    }

    /// What `layers` come to; they must have been made.
    pub(super) fn shown(&self, layers: &[Layer]) -> Option<&ColourMap> {
        match layers {
            [] => None,
            [one] => self.get(&one.map),
            _ => Some(&self.mixed),
        }
    }

    /// Puts several layers together.
    fn mix(&mut self, layers: &[Layer]) {
        let mut mixed = std::mem::take(&mut self.mixed);
        let mut sum = std::mem::take(&mut self.sum);
        sum.clear();
        for layer in layers {
            let Some(map) = self.get(&layer.map) else { continue };
            mixed.width = map.width;
            sum.resize(map.px.len(), [0; 4]);
            let height = map.px.len() / map.width.max(1);
            let line = |at: u32| (at as usize * height / 1024 * map.width).min(map.px.len());
            let (range, share) = match layer.part {
                Part::Share(share) => (0..map.px.len(), u32::from(share)),
                Part::Above(at) => (0..line(at), 255),
                Part::Below(at) => (line(at)..map.px.len(), 255),
            };
            for (s, p) in sum[range.clone()].iter_mut().zip(&map.px[range]) {
                let weight = share * u32::from(p[3]);
                for k in 0..3 {
                    s[k] += weight * u32::from(p[k]);
                }
                s[3] += weight;
            }
        }
        mixed.px.clear();
        mixed.px.extend(sum.iter().map(|s| {
            let colour = |c: u32| c.checked_div(s[3]).unwrap_or(0) as u8;
            [colour(s[0]), colour(s[1]), colour(s[2]), (s[3] / 255) as u8]
        }));
        (self.mixed, self.sum) = (mixed, sum);
    }
}

impl Player {
    /// What lies in the box of `exam`.
    pub(super) fn layers(&self, now: &Now, exam: &ExamKey) -> Vec<Layer> {
        let shown_s = now.shown_s;
        let newest = self.course.entry(shown_s);
        let key = |entry: usize| {
            let made_s = self.course.entries()[entry].at_s;
            let subject = self.course.subject(made_s);
            let weight = now.state.opacity.map_or(0, |o| (o * 255.0) as u8);
            MapKey { exam: ExamKey { subject, ..*exam }, entry, weight, inverted: now.state.invert }
        };
        let entry = &self.course.entries()[newest];
        // Times of maps carry rounding: one may appear a little after its picture.
        let since_s = (shown_s - entry.at_s).max(0.0) as f32;
        let taken = self.course.state(entry.at_s);
        let whole = |entry: usize| Layer { map: key(entry), part: Part::Share(255) };
        if newest == 0 || !self.is_map(newest) || !self.is_map(newest - 1) {
            return vec![whole(newest)];
        }
        if taken.redraw_s > since_s {
            let at = (since_s / taken.redraw_s * 1024.0) as u32;
            return vec![
                Layer { map: key(newest), part: Part::Above(at) },
                Layer { map: key(newest - 1), part: Part::Below(at) },
            ];
        }
        if taken.persistence_s <= since_s {
            return vec![whole(newest)];
        }
        // Each map comes in over the time of the persistence: what is not yet there of it is still
        // there of the one before.
        let mut layers = Vec::new();
        let mut left = 255;
        for entry in (0..=newest).rev() {
            let age_s = (shown_s - self.course.entries()[entry].at_s).max(0.0) as f32;
            let come = (age_s / taken.persistence_s).clamp(0.0, 1.0);
            let last = entry == 0
                || !self.is_map(entry - 1)
                || come >= 1.0
                || layers.len() + 1 == KEPT_MAPS;
            let there = if last { 255 } else { (come * 255.0) as i32 };
            let share = there - (255 - left);
            if share > 0 {
                layers.push(Layer { map: key(entry), part: Part::Share(share as u8) });
                left -= share;
            }
            if last {
                break;
            }
        }
        layers
    }

    /// Makes what `layers` need.
    pub(super) fn make_layers(&mut self, now: &Now, layers: &[Layer]) {
        for layer in layers {
            let at = self.slots.made.iter().position(|(key, _)| *key == layer.map);
            let slot = if let Some(at) = at {
                self.slots.made.remove(at)
            } else {
                let full = self.slots.made.len() >= KEPT_MAPS;
                let room = if full { self.slots.made.remove(0).1 } else { ColourMap::default() };
                (layer.map, self.make_map(now, &layer.map, room))
            };
            self.slots.made.push(slot);
        }
        if layers.len() > 1 {
            self.slots.mix(layers);
        }
    }

    fn make_map(&mut self, now: &Now, key: &MapKey, mut map: ColourMap) -> ColourMap {
        let entry = self.course.entries()[key.entry];
        let dress = draw::dress(now, entry.content);
        if !self.exams.iter().any(|(k, _)| *k == key.exam) {
            self.prepare(&key.exam, dress);
        }
        let request = MapRequest {
            content: entry.content,
            pose: self.pose(entry.at_s),
            index: entry.index,
            unsettled: self.course.unsettled(entry.at_s),
            weight: match key.weight {
                0 => self.exam(&key.exam).style().weight,
                weight => weight,
            },
            unlike: entry.unlike,
            flow_cover: self.flow_cover,
        };
        let exam = self.exam_mut(&key.exam);
        exam.dress(dress);
        exam.make_map(&request, &mut map);
        map
    }

    /// The values in the box, where one whole map is.
    pub(super) fn shown_values(&self, now: &Now, exam: &ExamKey) -> Option<ShownValues> {
        match &self.layers(now, exam)[..] {
            [one] => self.slots.get(&one.map).and_then(|map| map.shown),
            _ => None,
        }
    }

    /// Tells whether the newest map is there completely.
    pub(super) fn is_complete(&self, now: &Now, exam: &ExamKey) -> bool {
        let newest = self.course.entry(now.shown_s);
        self.course.entries()[newest].content == Content::Stiffness
            && self.layers(now, exam).len() == 1
    }
}
