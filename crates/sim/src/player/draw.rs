//! From a moment of the course to pixels.

use super::map::Layer;
use super::{ExamKey, KEPT_EXAMS, Player};
use crate::cast::Subject;
use crate::chrome::{self, BarInk, Marks};
use crate::course::{Now, shows_views};
use crate::exam::{Dress, Exam, Face, Memory, Setting};
use crate::paint::Canvas;
use crate::rng::mix;
use crate::scenario::{Bar, Content, ProbeAt, Shows};
use crate::screen::Tweak;
use crate::skin::Scene;
use crate::speckle::NoiseTile;

/// A grabber's blue.
const BLUE_BGRX: [u8; 4] = [200, 32, 16, 255];
const BLACK_BGRX: [u8; 4] = [0, 0, 0, 255];
/// Room beside the places that the probe slides to, mm: drift and pulse.
const DRIFT_MM: f32 = crate::motion::LATERAL_RANGE_MM;

/// Everything that a picture depends on: equal keys, equal pictures.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PictureKey {
    exam: ExamKey,
    plain: Option<[u8; 4]>,
    dress: Dress,
    image: ImageKey,
    layers: Vec<Layer>,
    gain: u32,
    marks: Marks,
    dialog: bool,
    frozen: bool,
    clock_s: u32,
}

/// What the B-mode image depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
struct ImageKey {
    taken_us: u64,
    lifted: bool,
    /// Share of the subject that the probe comes from.
    ghost: Option<(ExamKey, u32)>,
}

impl Player {
    /// Draws what `now` shows, unless it is there already.
    pub(super) fn picture(&mut self, now: &Now) {
        let state = &now.state;
        let plain = match state.shows {
            Shows::Black => Some(BLACK_BGRX),
            Shows::Blue => Some(BLUE_BGRX),
            _ => None,
        };
        let exam = self.exam_key(now, self.course.subject(now.bmode_s));
        let marks =
            Marks { caliper: state.caliper, label: state.label, body_mark: state.body_mark };
        let key = PictureKey {
            exam,
            plain,
            dress: dress(now, self.course.entries()[self.course.entry(now.shown_s)].content),
            image: ImageKey {
                taken_us: (now.bmode_s * 1e6).round() as u64,
                lifted: now.taken.probe == ProbeAt::Lifted,
                ghost: Self::ghost(now, &exam),
            },
            layers: self.layers(now, &exam),
            gain: state.gain.to_bits(),
            marks,
            dialog: state.shows == Shows::Dialog,
            frozen: now.frozen,
            clock_s: now.shown_s as u32,
        };
        if self.drawn.as_ref() == Some(&key) {
            return;
        }
        self.size = state.size;
        self.bgrx.resize(state.size[0] as usize * state.size[1] as usize * 4, 0);
        match plain {
            Some(colour) => {
                self.bgrx.as_chunks_mut::<4>().0.fill(colour);
            }
            None => self.put_together(now, &key),
        }
        self.drawn = Some(key);
    }

    fn put_together(&mut self, now: &Now, key: &PictureKey) {
        self.prepare(&key.exam, key.dress);
        let views = !self.exam(&key.exam).screen().panes.is_empty();
        if views {
            self.take_image(now, key);
            self.make_layers(now, &key.layers);
        }
        self.lay_marks(key);
        let gain = f32::from_bits(key.gain);
        if self.tints.as_ref().is_none_or(|(k, g, _)| *k != key.exam || *g != key.gain) {
            let tints = self.exam(&key.exam).tints_at(gain);
            self.tints = Some((key.exam, key.gain, tints));
        }
        let mut bgrx = std::mem::take(&mut self.bgrx);
        let [width, height] = key.exam.size.map(|s| s as i32);
        let stride = width as usize * 4;
        let mut canvas = Canvas { px: &mut bgrx, stride, width, height };
        if let Some((_, _, tints)) = &self.tints {
            let exam = self.exam(&key.exam);
            let map = self.slots.shown(&key.layers);
            let clock_s = key.clock_s as f32;
            exam.compose(&Face { map, tints, frozen: key.frozen, clock_s }, &mut canvas);
            self.marks.apply(&mut canvas);
            exam.code(&mut canvas);
        }
        self.bgrx = bgrx;
    }

    /// The exam behind `key`, which [`Player::prepare`] has built.
    pub(super) fn exam(&self, key: &ExamKey) -> &Exam {
        let found = self.exams.iter().find(|(k, _)| k == key);
        &found.expect("prepare() has put the exam here").1
    }

    pub(super) fn exam_mut(&mut self, key: &ExamKey) -> &mut Exam {
        let found = self.exams.iter_mut().find(|(k, _)| k == key);
        &mut found.expect("prepare() has put the exam here").1
    }

    /// What is to be built for `subject` as `now` shows it.
    pub(super) fn exam_key(&self, now: &Now, subject: Subject) -> ExamKey {
        let state = &now.state;
        let shows = match state.shows {
            // What lies behind it is not seen, but the exam goes on.
            Shows::Dialog | Shows::Black | Shows::Blue => Shows::Dual,
            shows => shows,
        };
        let imaged = !matches!(shows, Shows::Menu | Shows::Card | Shows::Rendering);
        ExamKey {
            skin: state.skin,
            size: state.size,
            shows,
            subject: if imaged { subject } else { Subject::default() },
            exchanged: state.exchange_views,
            tweak: Tweak {
                depth: state.depth_scale,
                box_scale: state.box_scale,
                box_shift_mm: state.box_shift_mm,
                lateral_mm: self.course.reach_mm() + DRIFT_MM,
            },
        }
    }

    /// Builds the exam behind `key` unless it is there, and dresses it.
    pub(super) fn prepare(&mut self, key: &ExamKey, dress: Dress) {
        let at = self.exams.iter().position(|(k, _)| k == key);
        // The one in use stands last; the first goes when there is no room.
        let mut exam = if let Some(at) = at {
            self.exams.remove(at).1
        } else {
            if self.exams.len() >= KEPT_EXAMS {
                self.spare = Some(self.exams.remove(0).1.into_memory());
            }
            self.build(key)
        };
        exam.dress(dress);
        while !exam.advance(64) {}
        self.exams.push((*key, exam));
    }

    fn build(&mut self, key: &ExamKey) -> Exam {
        let memory = self.spare.take().unwrap_or_default();
        let mut exam = self.make(key, memory);
        if key.shows != Shows::Dual {
            // The layout draws from the same stream, another number of times.
            exam.share_room(&self.make(&ExamKey { shows: Shows::Dual, ..*key }, Memory::default()));
        }
        exam
    }

    fn make(&self, key: &ExamKey, memory: Memory) -> Exam {
        let mut style = Setting::installed(self.seed, key.skin);
        style.scene = match key.shows {
            Shows::BModeOnly => Scene::BMode,
            Shows::SingleMap => Scene::Elastogram,
            Shows::TwoImages => Scene::TwoImages,
            Shows::Rendering => Scene::Rendering,
            Shows::Menu => Scene::Menu,
            Shows::Card => Scene::NoSignal,
            Shows::Dual | Shows::Dialog | Shows::Black | Shows::Blue => Scene::Dual,
        };
        style.map_first ^= key.exchanged;
        let Subject { patient, nodule, other_plane } = key.subject;
        let tissue = [u64::from(patient), u64::from(nodule), u64::from(other_plane)];
        let setting = Setting {
            seed: self.seed,
            number: 0,
            tissue: tissue.iter().fold(0, |hash, part| mix(hash, *part)),
            skin: key.skin,
            style,
            size: key.size,
            patient: self.cast.patient(key.subject),
            laid_out_for: self.cast.patient(Subject::default()),
            timeline: self.base.clone(),
            tweak: key.tweak,
        };
        Exam::new(setting, memory)
    }

    /// On the way from one subject to another: the one that is left, and its share.
    fn ghost(now: &Now, exam: &ExamKey) -> Option<(ExamKey, u32)> {
        let sweep = &now.taken.sweep;
        let part = sweep.part(now.bmode_s);
        if part >= 1.0 || sweep.length_s <= 0.0 || !shows_views(now.state.shows) {
            return None;
        }
        let (subject, share) =
            if part < 0.5 { (now.taken.subject, part) } else { (now.taken.before, 1.0 - part) };
        Some((ExamKey { subject, ..*exam }, (share * 1e4) as u32))
    }

    fn take_image(&mut self, now: &Now, key: &PictureKey) {
        let width = key.exam.size[0];
        if self.tile.as_ref().is_none_or(|(w, _)| *w != width) {
            self.tile = Some((width, NoiseTile::new(self.seed, width as usize)));
        }
        let Some((_, tile)) = self.tile.take() else { return };
        let (pose, noise) = (self.pose(now.bmode_s), self.noise(now.bmode_s));
        if let Some((ghost, share)) = key.image.ghost {
            self.prepare(&ghost, key.dress);
            self.exam_mut(&ghost).image(&pose, noise, &tile);
            self.prepare(&key.exam, key.dress);
            self.exam_mut(&key.exam).image(&pose, noise, &tile);
            if let [.., (_, ghost), (_, exam)] = &mut self.exams[..] {
                exam.mix_image(ghost, share as f32 / 1e4);
            }
        } else {
            self.exam_mut(&key.exam).still_image(&pose, noise, &tile);
        }
        if key.image.lifted {
            self.exam_mut(&key.exam).lift();
        }
        self.tile = Some((width, tile));
    }

    fn lay_marks(&mut self, key: &PictureKey) {
        let wanted = (key.exam, key.marks, key.dialog);
        if self.marked == Some(wanted) {
            return;
        }
        let mut overlay = std::mem::take(&mut self.marks);
        overlay.clear();
        let exam = self.exam(&key.exam);
        chrome::marks(&mut overlay, key.marks, exam.screen(), exam.patient());
        if key.dialog {
            chrome::dialog(&mut overlay, exam.screen());
        }
        self.marks = overlay;
        self.marked = Some(wanted);
    }
}

/// The furniture that belongs to what is in the box.
pub(super) fn dress(now: &Now, content: Content) -> Dress {
    let bar = now.state.bar;
    Dress {
        inverted: now.state.invert,
        bar_ink: match content {
            Content::ColourDoppler => Some(BarInk::Flow),
            Content::PowerDoppler => Some(BarInk::Power),
            Content::Quality => Some(BarInk::Quality),
            Content::Stiffness | Content::Empty => None,
        },
        bar_covered: bar == Bar::Covered,
        bar_gone: bar == Bar::Gone,
    }
}
