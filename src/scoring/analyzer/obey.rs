//! What commands change: the exam, what is pinned, whether there is scoring at all.
//!
//! Runs on the infer thread, between two pictures.

use std::sync::Arc;

use sonofuse_core::control::{Refused, RefusedKind, Standing, Verb};
use sonofuse_core::drift::{Figures as Drift, Tally};
use sonofuse_core::exam::{Ended, Opinion, Says, Scale as Figures, Seen, Summary};
use sonofuse_core::frame::Frame;
use sonofuse_core::layout::{Follower, Pins};
use sonofuse_core::quality::{Scale, ScaleFrom, Seen as InWatch};
use sonofuse_core::reading::{OperatingPoint, Withheld};

use super::likeness::Judge;
use super::{Analyzer, Verdict};
use crate::scoring::clock::Clock;
use crate::scoring::explain::{Handing, LastMap};
use crate::scoring::settings::Settings;

impl Analyzer {
    /// Does what is commanded; tells how things stand after it.
    ///
    /// # Errors
    /// Why not; then nothing has changed.
    pub fn obey(&mut self, verb: &Verb, clock: &impl Clock) -> Result<Standing, Refused> {
        self.obey_verb(verb, clock.now_ns())?;
        Ok(self.standing())
    }

    /// Takes pictures of another source from now on, whose preset pins `pins`. The exam goes on.
    pub fn go_on_with(&mut self, source: String, pins: Option<Pins>) {
        self.set_source_name(source);
        self.banner.reset();
        // What was counted by another preset belongs to no reference.
        self.tally = Tally::default();
        self.preset_pins = pins;
        self.pin(pins);
    }

    /// Judges by other settings from now on: what was counted by the former ones counts no more.
    pub fn judge_by(&mut self, settings: Settings) {
        self.evidence.set_rules(settings.rules(self.model.manifest()), settings.gate);
        self.judge = Judge::new(settings.gate.unfamiliar);
        self.settings = settings;
        self.tally = Tally::default();
        self.lose();
    }

    fn obey_verb(&mut self, verb: &Verb, now_ns: u64) -> Result<(), Refused> {
        match verb {
            Verb::Status(_) => {}
            Verb::NextPatient(_) => self.end_exam(Ended::NextPatient),
            Verb::Reset(_) => self.lose(),
            Verb::Pause(_) => {
                self.paused = true;
                self.evidence.pause();
                self.freeze.reset();
            }
            Verb::Resume(_) => self.paused = false,
            Verb::Mark(mark) => {
                self.exam.mark(mark, now_ns)?;
            }
            Verb::Pin(pins) => {
                self.pin(Some(pins.over(self.pins.unwrap_or_default())));
            }
            Verb::Unpin(_) => {
                self.pin(self.preset_pins);
            }
            Verb::Verdict(opinion) => self.opine(*opinion, now_ns)?,
            Verb::Threshold(threshold) => {
                if threshold.malignancy.is_some_and(|cut| !(cut > 0.0 && cut < 1.0)) {
                    return Err(wrong("malignancy must be above 0 and below 1"));
                }
                self.threshold = threshold.malignancy;
            }
            // The daemon's matter: see `go_on_with` and `judge_by`.
            Verb::Preset(_) | Verb::Reload(_) | Verb::WebLink(_) | Verb::DriftReset(_) => {
                return Err(Refused::new(RefusedKind::Failed, "no source to change"));
            }
            // Its own thread's.
            Verb::Explain(_) => {
                return Err(Refused::new(RefusedKind::Failed, "nobody explains anything here"));
            }
            // The recorder's.
            Verb::Snapshot(_) | Verb::Clip(_) => {
                return Err(Refused::new(RefusedKind::Failed, "nobody keeps anything here"));
            }
        }
        Ok(())
    }

    fn opine(&mut self, opinion: Opinion, now_ns: u64) -> Result<(), Refused> {
        if opinion.says == Says::Agree && opinion.corrected.is_some() {
            return Err(wrong("corrected goes with says=disagree"));
        }
        self.exam.opine(opinion, now_ns)?;
        Ok(())
    }

    /// Ends the exam, and forgets what was seen: another patient may come.
    pub fn end_exam(&mut self, ended: Ended) {
        let manifest = self.model.manifest();
        let summaries = self.exam.end(ended, &Figures::from(manifest), self.model.info());
        let scores = summaries.iter().filter_map(|summary| summary.summary.malignancy);
        self.figures = self.tally.end(scores).or(self.figures);
        self.ended.extend(summaries);
        self.lose();
    }

    /// Leaves each map that is scored in `to`, for whoever explains it.
    pub fn hand_to(&mut self, to: Arc<LastMap>) {
        self.handing = Some(Handing::new(to));
    }

    /// Ends the exam where the lines above the views say that it is another patient.
    pub(super) fn watch_patient(&mut self, frame: &Frame, verdict: &Verdict, media_ns: u64) {
        let other = self.banner.observe(frame, verdict.layout.as_ref(), media_ns);
        if other && !self.still {
            self.end_exam(Ended::PatientChange);
        }
    }

    /// What the exams that ended came to; each is given once.
    pub fn take_ended(&mut self) -> Vec<Summary> {
        std::mem::take(&mut self.ended)
    }

    /// What the last exam that ended came to against those before; given once.
    pub fn take_figures(&mut self) -> Option<Drift> {
        self.figures.take()
    }

    /// Watches how the picture came: says nothing of what it shows.
    pub(super) fn watch(&mut self, frame: &Frame, verdict: &Verdict, media_ns: u64) {
        if verdict.refusal.as_ref().is_some_and(|r| r.reason == Withheld::NoSignal) {
            // A card is the grabber's own picture.
            self.watch.reset();
            return;
        }
        self.watch.observe(&InWatch {
            frame,
            layout: verdict.layout.as_ref(),
            numbers_rise_to_blue: self.follower.numbers_rise_to_blue(),
            at_ns: media_ns,
            still: self.still,
        });
    }

    fn standing(&self) -> Standing {
        Standing {
            paused: self.paused,
            pinned: self.pins != self.preset_pins,
            threshold: self.threshold,
            exam: self.exam.state(&Figures::from(self.model.manifest())),
        }
    }

    /// Says where in the exam the reading is; one that is over by itself ends first.
    pub(super) fn place_in_exam(&mut self, seen: &Seen) {
        if self.exam.is_over(seen.at_ns) {
            self.end_exam(Ended::Idle);
        }
        self.exam.observe(seen);
    }

    /// The model's own cut, or the one that a command set, of which nothing was measured.
    pub(super) fn operating_point(&self) -> Option<OperatingPoint> {
        let set = self.threshold.map(|malignancy| OperatingPoint {
            malignancy,
            sensitivity: None,
            specificity: None,
        });
        set.or_else(|| self.model.manifest().threshold.map(Into::into))
    }

    /// Takes `pins` for what the source pins.
    pub(super) fn pin(&mut self, pins: Option<Pins>) {
        self.pins = pins;
        let mm_per_px = pins.and_then(|pins| pins.mm_per_px);
        self.preset_scale =
            mm_per_px.map(|px| Scale { mm_per_px: px.get(), from: ScaleFrom::Preset });
        self.watch.set_scale(self.preset_scale);
        self.follower = Follower::new(pins);
        self.lose();
    }
}

fn wrong(words: &str) -> Refused {
    Refused::new(RefusedKind::WrongValue, words)
}
