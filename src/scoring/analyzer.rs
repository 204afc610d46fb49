//! One frame in, one reading out: layout, looks, gate, proof, evidence, network, calibration.
//!
//! Runs on the infer thread. What did not change is not computed again: a frame whose elastogram is
//! the one before costs the following of the layout and four coarse looks. What a number may rest on
//! is decided by [`Evidence`]; this file only shows it the pictures and runs the network for it.

use sonofuse_core::NOTICE;
use sonofuse_core::answer::Answer;
use sonofuse_core::banner::Banner;
use sonofuse_core::drift::{Figures, Tally};
use sonofuse_core::evidence::{Evidence, Sight, Wanted};
use sonofuse_core::exam::{Exam, Seen as InExam, Summary};
use sonofuse_core::familiar::Likeness;
use sonofuse_core::frame::{Frame, FrameMeta};
use sonofuse_core::gate::Refusal;
use sonofuse_core::layout::{Follower, NoDualView, Pins, ScreenLayout};
use sonofuse_core::manifest::Manifest;
use sonofuse_core::picture::{self, Freeze, Grain, Look, Relief};
use sonofuse_core::preprocess::DualView;
use sonofuse_core::quality::{Scale, ScaleFrom, Watch};
use sonofuse_core::reading::{Latency, Outcome, Reading, Withheld};
use sonofuse_core::stiffness::Meter;
use sonofuse_core::words::{Sentence, Words};

use self::likeness::Judge;
use self::unchanged::Unchanged;
use super::clock::{Clock, ms};
use super::explain::Handing;
use super::model::NoScore;
use super::settings::Settings;
use super::{Model, ScorerError};

mod likeness;
mod map;
mod obey;
mod palette;
mod unchanged;

const MS: u64 = 1_000_000;

/// First wait after a fault of the network; doubled up to [`RETRY_MAX_NS`].
const RETRY_NS: u64 = 250 * MS;
const RETRY_MAX_NS: u64 = 8_000 * MS;

/// Turns frames into readings.
#[derive(Debug)]
pub struct Analyzer {
    source: String,
    model: Model,
    settings: Settings,
    still: bool,
    replaced: u64,
    follower: Follower,
    /// What the preset pins, and what is pinned now.
    preset_pins: Option<Pins>,
    pins: Option<Pins>,
    row: Vec<[u8; 3]>,
    grain: Grain,
    /// The speckle where the box was before it moved.
    former: Grain,
    evidence: Evidence,
    freeze: Freeze,
    unchanged: Unchanged,
    watch: Watch,
    /// The pinned mm a pixel.
    preset_scale: Option<Scale>,
    meter: Meter,
    judge: Judge,
    exam: Exam,
    /// Whether it still is the same patient.
    banner: Banner,
    /// Only where somebody may ask what a score came from.
    handing: Option<Handing>,
    /// Of exams that ended, until somebody takes them.
    ended: Vec<Summary>,
    /// What the exam under way, and the last one, come to against those before.
    tally: Tally,
    figures: Option<Figures>,
    paused: bool,
    /// The cut that a command set.
    threshold: Option<f32>,
    fault: Option<Fault>,
    last_sequence: u64,
    generation: u32,
}

/// The network failed; it is asked again later.
#[derive(Debug)]
struct Fault {
    error: ScorerError,
    retry_at_ns: u64,
    wait_ns: u64,
}

/// What a frame came to, before it is put in words.
#[derive(Debug)]
struct Verdict {
    refusal: Option<Refusal>,
    layout: Option<ScreenLayout>,
    frozen: bool,
}

impl Verdict {
    fn withheld(refusal: Refusal) -> Self {
        Self { refusal: Some(refusal), layout: None, frozen: false }
    }
}

impl Analyzer {
    /// Prepares for a source; `pins` are the regions that its preset fixes.
    pub fn new(source: String, model: Model, settings: Settings, pins: Option<Pins>) -> Self {
        let evidence = Evidence::new(settings.rules(model.manifest()), settings.gate);
        let judge = Judge::new(settings.gate.unfamiliar);
        let mut this = Self {
            source,
            model,
            settings,
            still: false,
            replaced: 0,
            preset_pins: pins,
            pins: None,
            meter: Meter::default(),
            follower: Follower::default(),
            row: Vec::new(),
            grain: Grain::default(),
            former: Grain::default(),
            evidence,
            freeze: Freeze::default(),
            unchanged: Unchanged::default(),
            watch: Watch::default(),
            preset_scale: None,
            judge,
            exam: Exam::default(),
            banner: Banner::default(),
            handing: None,
            ended: Vec::new(),
            tally: Tally::default(),
            figures: None,
            paused: false,
            threshold: None,
            fault: None,
            last_sequence: 0,
            generation: 0,
        };
        this.pin(pins);
        this
    }

    /// Treats every frame as an image of its own: one elastogram is enough, nothing is carried over.
    pub fn set_still(&mut self, still: bool) {
        self.still = still;
    }

    /// Names another source in the readings to come: a recording of somebody else.
    pub fn set_source(&mut self, source: String) {
        self.set_source_name(source);
        self.exam = Exam::default();
        self.tally = Tally::default();
        self.banner.reset();
    }

    fn set_source_name(&mut self, source: String) {
        self.source = source;
        self.watch.reset();
        self.follower.forget();
    }

    /// Says how large a pixel of the frames to come is, as their DICOM file does; what the preset says
    /// goes first.
    pub fn set_dicom_scale(&mut self, mm_per_px: Option<f32>) {
        let dicom = mm_per_px.map(|mm_per_px| Scale { mm_per_px, from: ScaleFrom::Dicom });
        self.watch.set_scale(self.preset_scale.or(dicom));
    }

    /// Sets how many frames were replaced before they were looked at, for the readings to come.
    pub fn set_replaced(&mut self, replaced: u64) {
        self.replaced = replaced;
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Runs the network once at each size that the first frames are likely to have, so that the first
    /// reading is not the slowest.
    ///
    /// # Errors
    /// [`ScorerError`] of the run.
    pub fn warm_up(&mut self) -> Result<(), ScorerError> {
        use sonofuse_core::manifest::InputSize;
        let (w, h) = match self.model.manifest().input.size {
            InputSize::Fixed { width_px, height_px } => (width_px, height_px),
            InputSize::Native { min_side_px, max_side_px, .. } => {
                (max_side_px, min_side_px.max(max_side_px * 3 / 8))
            }
        };
        let input = sonofuse_core::preprocess::FusionInput::golden(w as usize, h as usize);
        self.model.score(&input).map(|_| ())
    }

    /// Forgets what was seen: another source.
    pub fn reset(&mut self) {
        self.lose();
        self.evidence.reset();
    }

    /// What comes may be of anybody.
    fn lose(&mut self) {
        self.follower.reset();
        self.evidence.lose();
        self.freeze.reset();
        if let Some(handing) = &mut self.handing {
            handing.clear();
        }
    }

    /// Reads one frame. Always gives a reading; `clock` is the one behind `captured_ns`.
    pub fn analyze(&mut self, frame: &Frame, clock: &impl Clock) -> Reading {
        if self.still {
            self.reset();
            self.follower.forget();
            self.watch.reset();
        }
        let started_ns = clock.now_ns();
        let meta = *frame.meta();
        self.last_sequence = meta.sequence;
        if meta.generation != self.generation {
            // The source went live anew: the place must be confirmed, even where the gap was too
            // short for anybody to see.
            self.generation = meta.generation;
            self.evidence.pause();
        }
        let mut latency = Latency { queue: ms(meta.captured_ns, started_ns), ..Latency::default() };
        // Evidence ages by the source's own time, so that a recording read fast is judged alike.
        let media_ns = meta.pts_ns.unwrap_or(meta.captured_ns);
        let verdict = if self.paused {
            Verdict::withheld(Refusal::new(Withheld::Paused, Sentence::Paused))
        } else if meta.signal_lost {
            self.lose();
            Verdict::withheld(Refusal::new(Withheld::NoSignal, Sentence::SignalLost))
        } else if meta.corrupted {
            self.evidence.pause();
            Verdict::withheld(Refusal::new(Withheld::WarmingUp, Sentence::PictureDamaged))
        } else {
            let observation = self.follower.observe(frame, media_ns);
            latency.layout = ms(started_ns, clock.now_ns());
            observation
                .layout
                .and_then(|layout| self.dual_view(frame, &layout, media_ns, clock, &mut latency))
                .unwrap_or_else(|why| self.no_dual_view(frame, why, media_ns))
        };
        if !meta.corrupted && !meta.signal_lost && !self.paused {
            self.watch_patient(frame, &verdict, media_ns);
            self.watch(frame, &verdict, media_ns);
            self.read_map(frame, &verdict);
        }
        latency.total = ms(meta.captured_ns, clock.now_ns());
        let reading = self.reading(meta, Some([frame.width(), frame.height()]), latency, verdict);
        self.tally.read(&reading);
        reading
    }

    /// Gives the reading for the lack of a frame. A stalled source keeps its evidence, which the next
    /// picture must confirm; any other reason means that it may be of anybody.
    pub fn without_frame(
        &mut self,
        reason: Withheld,
        words: impl Into<Words>,
        clock: &impl Clock,
    ) -> Reading {
        if reason == Withheld::Stalled {
            self.evidence.pause();
        } else {
            self.lose();
        }
        let meta = FrameMeta {
            sequence: self.last_sequence,
            captured_ns: clock.now_ns(),
            ..FrameMeta::default()
        };
        let verdict = Verdict::withheld(Refusal::new(reason, words));
        self.reading(meta, None, Latency::default(), verdict)
    }

    fn no_dual_view(&mut self, frame: &Frame, why: NoDualView, media_ns: u64) -> Verdict {
        self.evidence.suspend(media_ns);
        self.freeze.reset();
        Verdict::withheld(match picture::no_signal(frame) {
            Some(card) => Refusal::new(Withheld::NoSignal, card),
            None => Refusal::new(Withheld::NoDualView, Sentence::from(why)),
        })
    }

    /// Judges a picture that the follower takes for a dual view.
    ///
    /// # Errors
    /// Why it is none after all, when the box holds no stiffness map.
    fn dual_view(
        &mut self,
        frame: &Frame,
        layout: &ScreenLayout,
        media_ns: u64,
        clock: &impl Clock,
        latency: &mut Latency,
    ) -> Result<Verdict, NoDualView> {
        let view = match DualView::new(frame, layout) {
            Ok(view) => view,
            Err(e) => {
                self.lose();
                let words = Sentence::BoxUnfit.with("words", e.to_string());
                return Ok(Verdict::withheld(Refusal::new(Withheld::NoDualView, words)));
            }
        };
        let bmode = Look::take(frame, &view.bmode_crop(), &mut self.row);
        let map = Look::take(frame, &view.elastogram_crop(), &mut self.row);
        let news = self.evidence.is_news(&map);
        if news {
            self.follower.prove(frame)?;
            let bright = picture::bright_end(frame, &layout.bmode_view, &mut self.row);
            self.tally.look(bright, &bmode, &map);
            self.freeze.reset();
        }
        let (unchanged_ns, frozen) =
            if self.still { (0, false) } else { self.stands_still(frame, layout, media_ns) };
        let verdict = |refusal| Verdict { refusal, layout: Some(*layout), frozen };
        let Some(hard_end) = self.hard_end(layout) else {
            return Ok(verdict(Some(self.palette_unknown())));
        };
        if let Err(refusal) = self.settings.gate.judge(layout, &bmode, &map) {
            self.evidence.pause();
            return Ok(verdict(Some(refusal)));
        }
        self.grain.take(frame, &view.bmode_crop());
        let surroundings = Relief::take(frame, &layout.bmode_surroundings(), &mut self.row);
        let former = self.evidence.former_box(layout).filter(|at| frame.bounds().contains(at));
        if let Some(at) = &former {
            self.former.take(frame, at);
        }
        let sight = Sight {
            at_ns: media_ns,
            layout,
            hard_end,
            bmode: &bmode,
            surroundings: &surroundings,
            grain: &self.grain,
            former: former.map(|_| &self.former),
            map: &map,
            news,
            frozen,
            unchanged_ns,
            still: self.still,
        };
        if let Wanted::Score { .. } = self.evidence.see(&sight) {
            if !news {
                // It came by small steps, none of which was news.
                self.follower.prove(frame)?;
                if self.hard_end(layout).is_none() {
                    return Ok(verdict(Some(self.palette_unknown())));
                }
            }
            match self.score(&view, clock, latency) {
                Ok(answer) => self.evidence.count(answer),
                // Not seen: the same map is tried again when the wait is over.
                Err(refusal) if refusal.reason == Withheld::EngineFault => {
                    return Ok(verdict(Some(refusal)));
                }
                Err(refusal) => self.evidence.refuse(refusal),
            }
        }
        Ok(verdict(self.evidence.refusal()))
    }

    /// Preprocesses and runs the network, unless it failed a short while ago.
    fn score(
        &mut self,
        view: &DualView<'_>,
        clock: &impl Clock,
        latency: &mut Latency,
    ) -> Result<Answer, Refusal> {
        let started_ns = clock.now_ns();
        if let Some(fault) = &self.fault
            && started_ns < fault.retry_at_ns
        {
            return Err(engine_fault(&fault.error));
        }
        let likeness = self.judge.judge(self.model.manifest().familiarity.as_ref(), view)?;
        self.evidence.note(likeness);
        let result = self.model.score_view(view, clock, latency);
        match result {
            Ok(answer) => {
                self.fault = None;
                if let Some(handing) = &mut self.handing {
                    let of = [self.exam.at().number, self.evidence.place()];
                    handing.keep(view, of, answer.logit);
                }
                Ok(answer)
            }
            Err(NoScore::Refused(refusal)) => Err(refusal),
            Err(NoScore::Fault(error)) => {
                let wait_ns =
                    self.fault.as_ref().map_or(RETRY_NS, |f| (f.wait_ns * 2).min(RETRY_MAX_NS));
                let refusal = engine_fault(&error);
                self.fault = Some(Fault { error, retry_at_ns: clock.now_ns() + wait_ns, wait_ns });
                Err(refusal)
            }
        }
    }

    fn reading(
        &mut self,
        meta: FrameMeta,
        size: Option<[u32; 2]>,
        latency: Latency,
        verdict: Verdict,
    ) -> Reading {
        let summary = if verdict.refusal.is_none() { self.evidence.summary() } else { None };
        let (reason, mut words) = match (verdict.refusal, &summary) {
            (Some(refusal), _) => (Some(refusal.reason), Some(refusal.words)),
            (None, Some(_)) => (None, None),
            // Unreachable by construction; a reading without a reason would be worse than this one.
            (None, None) => (Some(Withheld::WarmingUp), Some(Sentence::PlaceNotConfirmed.into())),
        };
        let likeness = match reason {
            None => self.evidence.likeness(),
            Some(Withheld::OutOfDistribution) => self.judge.last(),
            Some(_) => None,
        };
        let unlike = likeness.and_then(Likeness::unlike);
        let unfamiliar = unlike.is_some();
        if reason.is_none() {
            words = if self.model.info().trained {
                unlike.or_else(|| self.unchanged.words().filter(|_| verdict.frozen))
            } else {
                Some(Sentence::UntrainedModel.into())
            };
        }
        let stiffness = self.stiffness(verdict.layout.as_ref(), reason);
        self.place_in_exam(&InExam {
            at_ns: meta.captured_ns,
            place: self.evidence.place(),
            dual_view: verdict.layout.is_some(),
            score: summary,
            unfamiliar,
            stiffness,
        });
        let detail = words.as_ref().map(Words::english);
        let hard_end = verdict.layout.and_then(|layout| layout.hard_end);
        let Manifest { calibration, assessment, .. } = self.model.manifest();
        let assessing = assessment.as_ref();
        Reading {
            source: self.source.clone(),
            sequence: meta.sequence,
            pts_ns: meta.pts_ns,
            captured_ns: meta.captured_ns,
            size,
            outcome: if summary.is_some() { Outcome::Scored } else { Outcome::Withheld },
            malignancy: summary.map(|s| calibration.apply(s.median).get()),
            interval: summary
                .map(|s| [calibration.apply(s.low).get(), calibration.apply(s.high).get()]),
            reason,
            detail,
            detail_id: words.as_ref().map(|w| w.sentence.id().into()),
            detail_values: words.map(|w| w.values).unwrap_or_default(),
            place: self.evidence.place(),
            exam: self.exam.at(),
            evidence: self.evidence.evidence(),
            age_ms: self.evidence.age_ms(),
            settled: summary.and_then(|_| self.evidence.settled()),
            frozen: verdict.frozen,
            hard_end,
            palette_assumed: verdict.layout.is_some() && hard_end.is_none(),
            assessment: summary.and_then(|s| assessing?.assess(s.median, s.evidence)),
            operating_point: self.operating_point(),
            familiarity: likeness.map(Likeness::value),
            unfamiliar,
            stiffness,
            replaced: self.replaced,
            input: self.watch.input(),
            layout: verdict.layout,
            latency_ms: latency,
            model: self.model.info().clone(),
            notice: NOTICE.into(),
        }
    }
}

fn engine_fault(error: &ScorerError) -> Refusal {
    Refusal::new(Withheld::EngineFault, Sentence::EngineFault.with("words", error.to_string()))
}

#[cfg(test)]
mod tests;
