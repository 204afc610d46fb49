//! What is true of a scenario's picture.

use super::Player;
use crate::course::{InBox, Now};
use crate::exam::Known;
use crate::scenario::{Content, ProbeAt, Shows};
use crate::truth::{Screen, Truth};

impl Player {
    /// The truth of picture `index` at `t_s`, which shows `now`.
    pub(super) fn truth(&mut self, index: u64, t_s: f64, now: &Now) -> Truth {
        let key = self.exam_key(now, self.course.subject(now.bmode_s));
        let entry = self.course.entries()[self.course.entry(now.shown_s)];
        // A black picture has a patient behind it, too.
        self.prepare(&key, super::draw::dress(now, entry.content));
        let (place, number) = self.places.shown(&self.course, now, t_s);
        let complete = self.is_complete(now, &key);
        let rested = self.course.settled(entry.at_s);
        let screen = screen(now, entry.content);
        let known = Known {
            index,
            elastogram_index: self.maps_until(now),
            pose: self.pose(now.bmode_s),
            shown: self.shown_values(now, &key),
            frozen: now.frozen,
            settled: rested,
            in_box: place.in_box,
        };
        let mut truth = self.exam(&key).truth_of(&known);
        let imaged = truth.support.patient.is_some()
            && !matches!(screen, Screen::Black | Screen::Plain | Screen::Card | Screen::Menu);
        let maps = matches!(screen, Screen::Dual | Screen::SingleMap);
        truth.exam = u64::from(place.subject.patient);
        let support = &mut truth.support;
        support.screen = screen;
        support.dual_view = screen.is_dual_view();
        support.place = number;
        support.nodule = match place.in_box {
            InBox::First => Some(place.subject.nodule),
            InBox::Neighbour => Some(place.subject.nodule + 1),
            InBox::Neither => None,
        };
        support.map = entry.number.filter(|_| maps);
        support.map_place =
            support.map.map(|_| self.places.of_map(&self.course, now, entry.at_s, t_s));
        // A map unlike the one before it is an outlier while more may come, and the only one that
        // there is once the screen stands.
        support.settled = maps && complete && rested && (!entry.unlike || now.frozen);
        support.cine = now.cine;
        if !maps {
            support.palette = None;
            truth.shown = None;
            truth.hard_end = None;
            truth.colour_bar = None;
            truth.elastogram_view = None;
        }
        if !support.dual_view {
            truth.orientation = None;
            truth.bmode_box = None;
            truth.elastogram_box = None;
        }
        if !imaged {
            support.patient = None;
            support.nodule = None;
            support.plane = None;
            truth.nodule_outline_view_px = None;
            truth.bmode_view = None;
            truth.mm_per_px = None;
        }
        truth
    }

    /// Number of the last stiffness map made until then.
    fn maps_until(&self, now: &Now) -> u64 {
        let newest = self.course.entry(now.shown_s);
        self.course.entries()[..=newest].iter().rev().find_map(|e| e.number).unwrap_or(0)
    }
}

/// What the whole picture is.
fn screen(now: &Now, content: Content) -> Screen {
    match now.state.shows {
        Shows::BModeOnly => Screen::BModeOnly,
        Shows::SingleMap => Screen::SingleMap,
        Shows::TwoImages => Screen::TwoImages,
        Shows::Rendering => Screen::Rendering,
        Shows::Menu => Screen::Menu,
        Shows::Dialog => Screen::Dialog,
        Shows::Card => Screen::Card,
        Shows::Black => Screen::Black,
        Shows::Blue => Screen::Plain,
        Shows::Dual if now.taken.probe == ProbeAt::Lifted => Screen::NoContact,
        Shows::Dual => match content {
            Content::Stiffness => Screen::Dual,
            Content::ColourDoppler => Screen::ColourDoppler,
            Content::PowerDoppler => Screen::PowerDoppler,
            Content::Quality => Screen::QualityMap,
            Content::Empty => Screen::EmptyBox,
        },
    }
}
